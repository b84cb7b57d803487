//! What follows from what was seen: listeners, the range, connection tracking, Docker's proxy; addresses are in `addresses`, and what
//! the rules do in `filter`. No file and no socket.

use std::net::{IpAddr, SocketAddr};

use twoport_plan::PortRange;
use twoport_plan::flow::Active;

use super::{Door, Examined, Finding, Host, Setup, Used, addresses, filter};
use crate::causes::{Cause, Side};
use crate::diagnosis::Confidence;

/// Judges.
#[must_use]
pub fn judge(setup: &Setup, host: &Host) -> Examined {
    let mut findings = Vec::new();
    let mut unseen = host.unseen.clone();
    for at in &setup.listen {
        findings.push(listener(*at, host, &mut unseen));
    }
    let (filtered, passages) = filter::judge(setup, host);
    findings.extend(filtered);
    let door = |at: &SocketAddr| Door {
        at: *at,
        listens: holders(*at, host).next().is_some(),
        let_through: filter::lets_in(setup, host, *at),
    };
    let doors = setup.listen.iter().map(door).collect();
    findings.extend(addresses::judge(setup, host));
    if let (true, Some(range)) = (setup.site.passive, setup.site.passive_ports) {
        findings.extend(passive_range(range, setup, host));
    }
    if setup.site.active == Active::Port20 && !allowed(20, host) {
        let what = "active mode shall connect from port 20, and who runs this may not use ports below 1024";
        findings.push(Finding::warning(what, RIGHT).by(Cause::ServerEgress).sure(Confidence::Possible));
    }
    findings.extend(proxied(setup, host));
    findings.extend(tracking(setup, host));
    if let (Some(Err(why)), true) = (&host.world, setup.site.passive) {
        unseen.push(format!("the address that the world sees ({why})"));
    }
    Examined { own: host.own.clone(), doors, findings, passages, unseen }
}

/// How a program gets the right to low ports without being root.
const RIGHT: &str = "Start the server as root, or give it the right: 'AmbientCapabilities=CAP_NET_BIND_SERVICE' in its systemd unit, or \
    'setcap cap_net_bind_service=+ep PROGRAM'";

fn allowed(port: u16, host: &Host) -> bool {
    port >= host.open_from || host.may_bind
}

fn listener(at: SocketAddr, host: &Host, unseen: &mut Vec<String>) -> Finding {
    let ip = at.ip().to_canonical();
    if !(ip.is_unspecified() || ip.is_loopback() || host.own.contains(&ip) || is_of_link(ip)) {
        let own: Vec<String> =
            host.own.iter().map(|ip| SocketAddr::new(*ip, at.port()).to_string()).collect();
        let what = format!("{ip} is no address of this machine, so nothing can listen on {at}");
        let fix = format!("listen = \"[::]:{}\" for all addresses, or one of {}", at.port(), own.join(", "));
        return Finding::broken(what, fix).by(Cause::NothingListening);
    }
    if at.port() == 0 {
        return Finding::ok(format!("listens on any port of {ip} that the system gives"));
    }
    if holders(at, host).any(Used::is_ours) {
        return Finding::ok(format!("twoport listens on {at}"));
    }
    match holders(at, host).next().map(|used| &used.by) {
        Some(Some((name, _))) if name == DOCKER => {
            Finding::ok(format!("Docker listens on {at} for a container"))
        }
        Some(Some((name, process))) => Finding::broken(
            format!(
                "port {} is taken by {name} (process {process}), so twoport cannot listen on {at}",
                at.port()
            ),
            format!(
                "Stop {name}, or name another port (listen); 'ss -ltnp sport = :{}' shows who it is",
                at.port()
            ),
        )
        .by(Cause::NothingListening),
        Some(None) => {
            unseen.push(format!("who listens on {at}: only root is told whether that is twoport"));
            Finding::ok(format!("somebody listens on {at}"))
        }
        None if !allowed(at.port(), host) => Finding::warning(
            format!("{at} is free, and who runs this may not listen on ports below {}", host.open_from),
            RIGHT,
        )
        .by(Cause::NothingListening)
        .sure(Confidence::Possible),
        None => Finding::ok(format!("{at} is free: nothing listens there now")),
    }
}

/// Who listens there, or on all addresses.
fn holders(at: SocketAddr, host: &Host) -> impl Iterator<Item = &Used> {
    let there =
        move |used: &&Used| used.listens && used.at.port() == at.port() && meets(used.at.ip(), at.ip());
    host.used.iter().filter(there)
}

/// As the system tells its process.
const DOCKER: &str = "docker-proxy";

fn is_of_link(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    }
}

/// Whether listening on the one is hindered by a listener on the other.
fn meets(a: IpAddr, b: IpAddr) -> bool {
    let (a, b) = (a.to_canonical(), b.to_canonical());
    let all = |all: IpAddr, one: IpAddr| all.is_unspecified() && (all.is_ipv6() || one.is_ipv4());
    a == b || all(a, b) || all(b, a)
}

/// Passive ports below which one busy client address may find none free: a client with eight connections, twice.
const ENOUGH: usize = 16;

fn passive_range(range: PortRange, setup: &Setup, host: &Host) -> Vec<Finding> {
    let mut findings = Vec::new();
    let free = |port: &u16| !host.reserved.iter().any(|(first, last)| (*first..=*last).contains(port));
    let given: Vec<u16> = match host.ephemeral {
        Some((low, high)) => range.ports().filter(|port| (low..=high).contains(port)).filter(free).collect(),
        None => Vec::new(),
    };
    if let ([first, ..], [.., last], Some((low, high))) = (&given[..], &given[..], host.ephemeral) {
        findings.push(
            Finding::warning(
                format!(
                    "{first}-{last} of the passive ports {range} are among the ports {low}-{high} that this system gives to outgoing \
                     connections: any program may hold one of them"
                ),
                format!("sysctl -w net.ipv4.ip_local_reserved_ports={}", reserved(range, host)),
            )
            .by(Cause::RangeExhausted)
            .sure(Confidence::Possible),
        );
    }
    // Whose a port is that nobody names may be ours, where ours runs.
    let runs = host
        .used
        .iter()
        .any(|used| used.listens && setup.listen.iter().any(|at| at.port() == used.at.port()));
    let strange = |used: &&Used| {
        range.contains(used.at.port())
            && !used.is_ours()
            && if used.by.is_none() {
                !runs
            } else {
                used.by.as_ref().is_some_and(|(name, _)| name != DOCKER)
            }
    };
    let mut held: Vec<(u16, String)> = host
        .used
        .iter()
        .filter(strange)
        .map(|used| {
            (
                used.at.port(),
                used.by.as_ref().map_or_else(|| "a program".to_owned(), |(name, _)| name.clone()),
            )
        })
        .collect();
    held.sort();
    held.dedup_by_key(|(port, _)| *port);
    if let Some((port, name)) = held.first() {
        let more =
            if held.len() == 1 { String::new() } else { format!(", and {} more are in use", held.len() - 1) };
        let (first, last) = (range.first(), range.last());
        let what = format!("passive port {port} is held by {name}{more}; such ports are passed over");
        let fix = format!(
            "ss -tanp 'sport >= :{first} and sport <= :{last}' shows who it is; a range of its own is better (passive-ports)"
        );
        let finding = Finding::warning(what, fix).by(Cause::RangeExhausted);
        findings.push(if held.len() == range.len() {
            Finding { severity: super::Severity::Broken, ..finding }
        } else {
            finding.sure(Confidence::Possible)
        });
    }
    let needed = ENOUGH.min(setup.max_sessions);
    if range.len() < needed {
        let (first, last) = (range.first(), range.first().saturating_add(255));
        findings.push(
            Finding::warning(
                format!(
                    "the {} passive ports {range} are few for {} sessions: one client with several connections waits on more at once",
                    range.len(),
                    setup.max_sessions
                ),
                format!("passive-ports = \"{first}-{last}\", and let them in"),
            )
            .by(Cause::RangeExhausted)
            .sure(Confidence::Possible),
        );
    }
    if findings.is_empty() {
        let beside =
            if host.ephemeral.is_some() { ", and this system gives none of them to others" } else { "" };
        findings.push(Finding::ok(format!("the {} passive ports {range} are free{beside}", range.len())));
    }
    findings
}

/// What is reserved already, and the range.
fn reserved(range: PortRange, host: &Host) -> String {
    let mut parts: Vec<String> = host
        .reserved
        .iter()
        .map(|(first, last)| if first == last { first.to_string() } else { format!("{first}-{last}") })
        .collect();
    parts.push(range.to_string());
    parts.join(",")
}

fn proxied(setup: &Setup, host: &Host) -> Option<Finding> {
    let doors = setup.listen.iter().map(SocketAddr::port);
    let ours = |port: u16| {
        doors.clone().any(|door| door == port)
            || setup.site.passive_ports.is_some_and(|range| range.contains(port))
    };
    let mut ports: Vec<u16> =
        host.proxied.iter().filter(|(outer, inner)| ours(*outer) || ours(*inner)).map(|one| one.0).collect();
    let processes = ports.len();
    ports.sort_unstable();
    ports.dedup();
    let (first, last) = (ports.first()?, ports.last()?);
    let which = if first == last { first.to_string() } else { format!("{first}-{last}") };
    Some(
        Finding::warning(
            format!(
                "Docker's proxy takes connections to port {which} ({processes} processes): the server sees the address of the bridge and \
                 not the client's, so it refuses PORT, and all clients count as one"
            ),
            "Give the container the host's network (network_mode: host), or turn the proxy off (\"userland-proxy\": false in \
             /etc/docker/daemon.json)",
        )
        .by(Cause::DataFromOther)
        .sure(Confidence::Likely),
    )
}

fn tracking(setup: &Setup, host: &Host) -> Vec<Finding> {
    let Some(tracking) = host.tracking else { return Vec::new() };
    let mut findings = Vec::new();
    let (count, most) = (tracking.count, tracking.most);
    // Four fifths: from there on a burst fills it.
    if most > 0 && count >= most / 5 * 4 {
        findings.push(Finding::warning(
            format!("connection tracking holds {count} of at most {most} connections; when it is full, new ones are dropped"),
            format!("sysctl -w net.netfilter.nf_conntrack_max={}", most * 2),
        ));
    }
    let shorter = |silent: &std::time::Duration| {
        setup.keepalive.is_none_or(|every| *silent <= every) && silent.as_secs() < IDLE
    };
    if let Some(silent) = tracking.silent.filter(shorter) {
        let every = setup.keepalive.map_or("never shows that it lives".to_owned(), |every| {
            format!("shows that it lives every {} s only", every.as_secs())
        });
        let what = format!(
            "connection tracking forgets a silent connection after {} s, and a control connection {every}",
            silent.as_secs()
        );
        let fix = format!("sysctl -w net.netfilter.nf_conntrack_tcp_timeout_established={IDLE}");
        findings.push(Finding { side: Side::Server, ..Finding::warning(what, fix).by(Cause::IdleDropped) });
    }
    if findings.is_empty() {
        findings
            .push(Finding::ok(format!("connection tracking holds {count} of at most {most} connections")));
    }
    findings
}

/// What RFC 5382 §5 asks of whoever forgets connections: two hours and four minutes, in seconds.
const IDLE: u64 = 7440;
