//! Security groups of clouds, as commands of their own tools (aws, az, gcloud) and for Terraform. They keep state, know no helper
//! and no NAT: the address by which an instance is reached is the cloud's affair, and what 227 tells the server's.

use std::fmt::Write as _;

use super::rule::{Permit, Place, Ruleset};
use super::{header, part};
use crate::conflict::Conflict;
use crate::network::Network;
use crate::outside::Tell;

/// A cloud, or a tool for it.
#[derive(Clone, Copy)]
pub(super) enum Cloud {
    Aws,
    Azure,
    Gcp,
    Terraform,
}

impl Cloud {
    fn name(self) -> &'static str {
        match self {
            Cloud::Aws => "aws",
            Cloud::Azure => "azure",
            Cloud::Gcp => "gcp",
            Cloud::Terraform => "terraform",
        }
    }
}

pub(super) fn write(set: &Ruleset<'_>, cloud: Cloud) -> Result<String, Conflict> {
    if set.site.helper {
        return Err(Conflict::NoHelperThere(cloud.name()));
    }
    if set.side.is_router() {
        let instead = "A security group belongs to an instance (--side server or client), and its public address is no NAT of yours";
        return Err(Conflict::NotThere { dialect: cloud.name(), side: set.side, instead });
    }
    let (load, undo): (&[&str], &[&str]) = match cloud {
        Cloud::Aws => {
            (&["GROUP=sg-0123456789abcdef0 sh FILE"], &["GROUP=sg-0123456789abcdef0 sh FILE --undo"])
        }
        Cloud::Azure => (&["GROUP=resource-group NSG=security-group sh FILE"], &["the same with --undo"]),
        Cloud::Gcp => {
            (&["NETWORK=default sh FILE; then give the instance the tag twoport"], &["sh FILE --undo"])
        }
        Cloud::Terraform => (
            &[
                "terraform apply -var security_group_id=sg-0123456789abcdef0 (in a folder of its own, or as a module)",
            ],
            &["terraform destroy"],
        ),
    };
    let mut text = if matches!(cloud, Cloud::Terraform) { String::new() } else { "#!/bin/sh\n".to_owned() };
    text.push_str(&header(set, "#", cloud.name(), load, undo));
    if set.side.is_servers() && set.mode.passive(set.site) && set.site.outside.tell == Tell::Reached {
        let lines = [
            "An instance knows its private address only: let the server tell the public one in 227",
            "(passive-address).",
        ];
        part(&mut text, "#", "Note:", lines);
    }
    match cloud {
        Cloud::Aws => aws(&mut text, set),
        Cloud::Azure => azure(&mut text, set),
        Cloud::Gcp => gcp(&mut text, set),
        Cloud::Terraform => terraform(&mut text, set),
    }
    Ok(text)
}

/// The other end of a permit, as networks: both families where nobody is named.
fn peers(permit: &Permit) -> Vec<Network> {
    let named = if permit.place == Place::In { permit.from } else { permit.to };
    let everybody = || ["0.0.0.0/0", "::/0"].iter().filter_map(|text| text.parse().ok()).collect();
    named.map_or_else(everybody, |network| vec![network])
}

/// A network with its bits, which clouds want even of one address.
fn cidr(network: Network) -> String {
    format!("{}/{}", network.base(), network.bits())
}

fn aws(text: &mut String, set: &Ruleset<'_>) {
    text.push_str("# A network load balancer forgets what is idle for 350 s: raise tcp.idle_timeout.seconds, or let clients send NOOP.\n");
    text.push_str("# Network ACLs keep no state: where yours are not the default, let ports 1024-65535 back in and out there too.\n\n");
    text.push_str("set -e\nverb=authorize\n[ \"$1\" != --undo ] || verb=revoke\n\n");
    for permit in &set.permits {
        let way = if permit.place == Place::In { "ingress" } else { "egress" };
        for (first, last) in permit.target.ranges() {
            let mut ranges = String::new();
            for network in peers(permit) {
                let (list, key) = match network.base().is_ipv4() {
                    true => ("IpRanges", "CidrIp"),
                    false => ("Ipv6Ranges", "CidrIpv6"),
                };
                let _ = write!(
                    ranges,
                    ",\"{list}\":[{{\"{key}\":\"{}\",\"Description\":\"{}\"}}]",
                    cidr(network),
                    permit.why
                );
            }
            let _ = writeln!(
                text,
                "aws ec2 $verb-security-group-{way} --group-id \"${{GROUP:?}}\" --ip-permissions \
                 '[{{\"IpProtocol\":\"tcp\",\"FromPort\":{first},\"ToPort\":{last}{ranges}}}]'"
            );
        }
    }
}

fn azure(text: &mut String, set: &Ruleset<'_>) {
    text.push_str("# An inbound connection that is idle for 4 minutes is forgotten by Azure's load balancer: raise its timeout.\n\n");
    text.push_str("set -e\n");
    for (n, permit) in set.permits.iter().enumerate() {
        let inbound = permit.place == Place::In;
        let direction = if inbound { "Inbound" } else { "Outbound" };
        let peer = if inbound { permit.from } else { permit.to };
        let peer = peer.map_or("'*'".to_owned(), cidr);
        let (from, to) = if inbound { (peer.as_str(), "'*'") } else { ("'*'", peer.as_str()) };
        let source = permit.source.as_ref().map_or("'*'".to_owned(), |ports| ports.joined("-", " "));
        let _ = writeln!(
            text,
            "\nif [ \"$1\" = --undo ]; then\n    az network nsg rule delete -g \"${{GROUP:?}}\" --nsg-name \"${{NSG:?}}\" -n twoport-{n}\nelse\n    \
             az network nsg rule create -g \"${{GROUP:?}}\" --nsg-name \"${{NSG:?}}\" -n twoport-{n} --priority {} --direction {direction} \\\n        \
             --access Allow --protocol Tcp --source-address-prefixes {from} --source-port-ranges {source} \\\n        \
             --destination-address-prefixes {to} --destination-port-ranges {} \\\n        --description '{}'\nfi",
            300 + n,
            permit.target.joined("-", " "),
            permit.why
        );
    }
}

fn gcp(text: &mut String, set: &Ruleset<'_>) {
    text.push_str("\nset -e\n");
    let mut n = 0;
    for permit in &set.permits {
        let (direction, ranges) = match permit.place == Place::In {
            true => ("INGRESS", "source-ranges"),
            false => ("EGRESS", "destination-ranges"),
        };
        let rules = format!("tcp:{}", permit.target.joined("-", ",tcp:"));
        // A rule is of one family.
        for network in peers(permit) {
            let _ = writeln!(
                text,
                "\nif [ \"$1\" = --undo ]; then\n    gcloud compute firewall-rules delete twoport-{n} --quiet\nelse\n    \
                 gcloud compute firewall-rules create twoport-{n} --network \"${{NETWORK:?}}\" --direction {direction} --action ALLOW \\\n        \
                 --rules {rules} --{ranges} {} --target-tags twoport \\\n        --description '{}'\nfi",
                cidr(network),
                permit.why
            );
            n += 1;
        }
    }
}

/// AWS's rules: one resource for each range and family.
fn terraform(text: &mut String, set: &Ruleset<'_>) {
    text.push_str(
        "\nvariable \"security_group_id\" {\n  description = \"The security group of the instance\"\n  type        = string\n}\n",
    );
    let mut n = 0;
    for permit in &set.permits {
        let way = if permit.place == Place::In { "ingress" } else { "egress" };
        for (first, last) in permit.target.ranges() {
            for network in peers(permit) {
                let key = if network.base().is_ipv4() { "cidr_ipv4  " } else { "cidr_ipv6  " };
                let _ = writeln!(
                    text,
                    "\nresource \"aws_vpc_security_group_{way}_rule\" \"twoport_{n}\" {{\n  security_group_id = var.security_group_id\n  \
                     description       = \"{}\"\n  ip_protocol       = \"tcp\"\n  from_port         = {first}\n  to_port           = {last}\n  \
                     {key}       = \"{}\"\n}}",
                    permit.why,
                    cidr(network)
                );
                n += 1;
            }
        }
    }
}
