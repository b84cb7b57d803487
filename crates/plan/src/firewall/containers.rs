//! Docker Compose and Kubernetes: for a server in a container. The port numbers are the same on both sides, since the server
//! tells clients its own; ranges are spelled out where the product has none.

use std::fmt::Write as _;

use super::rule::Ruleset;
use super::{header, part};
use crate::conflict::Conflict;
use crate::flow::Side;
use crate::outside::Tell;

/// Ports that a Service may have here: more are a sign of a range that was not made for a cluster.
const MOST: usize = 1000;

pub(super) fn compose(set: &Ruleset<'_>) -> Result<String, Conflict> {
    only_server(set, "docker-compose")?;
    let load = ["docker compose -f compose.yaml -f FILE up -d; the service is called ftp here"];
    let undo = ["docker compose -f compose.yaml up -d"];
    let mut text = header(set, "#", "Docker Compose", &load, &undo);
    part(
        &mut text,
        "#",
        "Note:",
        [
            "Docker starts a process for each published port and family: keep the range small, or set \"userland-proxy\":",
            "false in /etc/docker/daemon.json, or give the service network_mode: host in place of ports.",
        ],
    );
    if set.mode.passive(set.site) && set.site.outside.tell == Tell::Reached {
        part(
            &mut text,
            "#",
            "Note:",
            ["The server must tell the host's address in 227 (passive-address), not the container's."],
        );
    }
    if set.mode.active(set.site) {
        part(
            &mut text,
            "#",
            "Note:",
            [
                "Active connections go out through the host's NAT, from the host's address and any port: nothing to publish,",
                "but a client that expects port 20 needs network_mode: host.",
            ],
        );
    }
    text.push_str("\nservices:\n  ftp:\n    ports:\n");
    for permit in set.permits.iter().filter(|permit| permit.inward) {
        let _ = writeln!(text, "      # {}", permit.why);
        for ports in permit.target.each("-") {
            let _ = writeln!(text, "      - \"{ports}:{ports}/tcp\"");
        }
    }
    Ok(text)
}

pub(super) fn kubernetes(set: &Ruleset<'_>) -> Result<String, Conflict> {
    only_server(set, "kubernetes")?;
    let inward: Vec<_> = set.permits.iter().filter(|permit| permit.inward).collect();
    let mut ports: Vec<u16> = Vec::new();
    for (first, last) in inward.iter().flat_map(|permit| permit.target.ranges()) {
        ports.extend(*first..=*last);
    }
    ports.sort_unstable();
    ports.dedup();
    if ports.len() > MOST {
        return Err(Conflict::TooManyPorts { dialect: "kubernetes", ports: ports.len(), most: MOST });
    }
    let load = ["kubectl apply -f FILE; it is for pods with the label app: ftp"];
    let undo = ["kubectl delete -f FILE"];
    let mut text = header(set, "#", "Kubernetes", &load, &undo);
    part(
        &mut text,
        "#",
        "Note:",
        [
            "One replica: a data connection must reach the pod that told its port. No NodePort: it changes the number.",
            "Many load balancers take no more than 50 ports: keep the range small, or use hostNetwork in place of the Service.",
        ],
    );
    if set.mode.passive(set.site) && set.site.outside.tell == Tell::Reached {
        part(
            &mut text,
            "#",
            "Note:",
            ["The server must tell the load balancer's address in 227 (passive-address)."],
        );
    }
    text.push_str(
        "\napiVersion: v1\nkind: Service\nmetadata:\n  name: twoport\nspec:\n  type: LoadBalancer\n  # the server must see where clients \
         come from\n  externalTrafficPolicy: Local\n  # all connections of a client go to one pod\n  sessionAffinity: ClientIP\n  selector:\n    \
         app: ftp\n",
    );
    let clients: Vec<String> =
        set.site.clients.iter().map(|net| format!("{}/{}", net.base(), net.bits())).collect();
    if !clients.is_empty() {
        text.push_str("  loadBalancerSourceRanges:\n");
        for client in &clients {
            let _ = writeln!(text, "    - {client}");
        }
    }
    text.push_str("  ports:\n");
    for port in ports {
        let _ = writeln!(
            text,
            "    - name: tcp-{port}\n      protocol: TCP\n      port: {port}\n      targetPort: {port}"
        );
    }
    text.push_str(
        "---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata:\n  name: twoport\nspec:\n  podSelector:\n    matchLabels:\n      \
         app: ftp\n  policyTypes:\n    - Ingress\n  ingress:\n",
    );
    for permit in inward {
        let _ = writeln!(text, "    # {}\n    - ports:", permit.why);
        for (first, last) in permit.target.ranges() {
            let _ = writeln!(text, "        - protocol: TCP\n          port: {first}");
            if first != last {
                let _ = writeln!(text, "          endPort: {last}");
            }
        }
        if let Some(from) = permit.from {
            let _ = writeln!(
                text,
                "      from:\n        - ipBlock:\n            cidr: {}/{}",
                from.base(),
                from.bits()
            );
        }
    }
    if set.mode.active(set.site) {
        part(&mut text, "#", "Note:", ["Active connections go out, which this policy leaves alone."]);
    }
    Ok(text)
}

fn only_server(set: &Ruleset<'_>, dialect: &'static str) -> Result<(), Conflict> {
    if set.side != Side::Server {
        let instead = "It is for a server in a container (--side server)";
        return Err(Conflict::NotThere { dialect, side: set.side, instead });
    }
    if set.site.helper { Err(Conflict::NoHelperThere(dialect)) } else { Ok(()) }
}
