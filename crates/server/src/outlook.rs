//! What can be said before the first session: where the server is reached, what must get through the firewalls, and
//! which problems can be seen already. The judgement is pure; [`Machine::look`] gathers what it judges.

use std::collections::BTreeSet;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::{Duration, SystemTime};

use twoport_plan::Network;
use twoport_plan::outside::{Tell, is_local};
use twoport_session::{Need, Needs};

use crate::certificates::{self, Known};
use crate::settings::{Active, Resumption, Settings};

/// What of this machine matters.
#[derive(Debug, Clone, Default)]
pub struct Machine {
    /// The range from which the system gives ports to outgoing connections.
    pub ephemeral: Option<(u16, u16)>,
    /// Whether the kernel's FTP helper is loaded, which rewrites PORT and 227 on port 21.
    pub helper: bool,
    /// Ports of this machine that have TCP connections or listeners now.
    pub busy: BTreeSet<u16>,
}

impl Machine {
    /// Looks at this machine.
    #[must_use]
    pub fn look() -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let range = read("/proc/sys/net/ipv4/ip_local_port_range");
        let mut numbers = range.split_whitespace().filter_map(|number| number.parse().ok());
        let ephemeral = numbers.next().zip(numbers.next());
        let helper = read("/proc/modules").lines().any(|line| line.starts_with("nf_nat_ftp "));
        Machine { ephemeral, helper, busy: twoport_net::in_use().iter().map(|one| one.at.port()).collect() }
    }
}

/// Whether the kernel of this machine has an FTP helper, as a module or built in; nothing where it does not say. What rewrites
/// addresses (`nf_nat_ftp`) needs the one that is looked for, which reads them.
#[must_use]
pub(crate) fn helper() -> Option<bool> {
    let modules = Path::new("/sys/module");
    modules.is_dir().then(|| modules.join("nf_conntrack_ftp").is_dir())
}

/// Who may come in, and where; a line each.
#[must_use]
pub fn doors(settings: &Settings) -> Vec<String> {
    let listens = settings.listen.iter().map(|listener| {
        let door = listener.door;
        let first = if door.implicit { ", TLS from the first byte" } else { "" };
        format!("listens on {}, TLS {}{first}", listener.address, of_needs(door.needs))
    });
    let accounts = settings
        .accounts
        .iter()
        .map(|account| format!("{} ({:?}) gets {}", account.name, account.rights, account.root.display()));
    listens.chain(accounts).collect()
}

/// What the settings mean, a line each: modes, ports, TLS.
#[must_use]
pub fn summary(settings: &Settings) -> Vec<String> {
    let mut lines = Vec::new();
    if settings.passive {
        lines.push(format!(
            "passive mode: ports {}, which firewalls must let in ('twoport firewall' writes the rules); 227 tells {}",
            settings.passive_ports, settings.outside.tell
        ));
        lines.extend(told(settings));
    } else {
        lines.push("passive mode: off".to_owned());
    }
    lines.push(match settings.active {
        Active::Off => "active mode: off".to_owned(),
        Active::On => "active mode: on, to the client's own address, from any port".to_owned(),
        Active::Port20 => "active mode: on, to the client's own address, from port 20".to_owned(),
    });
    if !settings.proxy_protocol.is_empty() {
        let networks: Vec<String> = settings.proxy_protocol.iter().map(ToString::to_string).collect();
        lines.push(format!(
            "PROXY protocol: what comes from {} must say who the client is; nobody else is believed",
            networks.join(", ")
        ));
    }
    lines.push(match &settings.tls {
        None => "TLS: off; passwords and files cross the network in the clear".to_owned(),
        Some(tls) => {
            let tie = match tls.resumption {
                Resumption::Off => "data connections need not resume the login's session",
                Resumption::Prefer => "data connections may not resume another login's session",
                Resumption::Require => "data connections must resume the login's session",
            };
            let mut needs: Vec<String> = settings.listen.iter().map(|one| of_needs(one.door.needs)).collect();
            needs.dedup();
            format!("TLS: {}; {tie}", needs.join(" or "))
        }
    });
    lines
}

/// Who is told something else of the passive ports, a line each.
fn told(settings: &Settings) -> Vec<String> {
    let outside = &settings.outside;
    let mut lines = Vec::new();
    for rule in &outside.rules {
        let networks: Vec<String> = rule.networks.iter().map(Network::to_string).collect();
        lines.push(format!("  to {} 227 tells {}", networks.join(", "), rule.tell));
    }
    if let Some(tell) = &outside.tell_in_tls {
        lines.push(format!("  in TLS 227 tells {tell}"));
    }
    if outside.tell != Tell::Reached {
        lines.push("  to clients of our own network it tells the address that they reached".to_owned());
    }
    for (outer, inner) in outside.ports.pairs() {
        lines.push(format!("  ports {inner} are told as {outer}"));
    }
    if let Some(witness) = &settings.witness {
        lines.push(format!("  {witness} is asked for the address that the world sees"));
    }
    if let Some(share) = settings.passive_share {
        lines.push(format!("  one client may wait on {share} of them at once"));
    }
    lines
}

/// What is needed of both connections, in words.
fn of_needs(needs: Needs) -> String {
    let word = |need| match need {
        Need::Off => "off",
        Need::On => "as the client likes",
        Need::Required => "required",
    };
    match needs.control == needs.data {
        true => word(needs.control).to_owned(),
        false => format!("{} and for data {}", word(needs.control), word(needs.data)),
    }
}

/// The certificates in use, a line each, with the fingerprint that a client shows at first sight.
#[must_use]
pub fn certificates(known: &[Known]) -> Vec<String> {
    known
        .iter()
        .map(|one| {
            let made_up = if one.made_up {
                ", made up here: clients ask at first sight whether this is it"
            } else {
                ""
            };
            format!("certificate {}{made_up}", certificates::shown(&one.facts))
        })
        .collect()
}

/// What is wrong with the certificates, each a sentence that says what to do.
#[must_use]
pub fn certificate_problems(known: &[Known], now: SystemTime) -> Vec<String> {
    let problem = |one: &Known| {
        let left = one.facts.not_after.duration_since(now);
        match left {
            _ if now < one.facts.not_before => {
                Some("is not valid yet: is this machine's clock right?".to_owned())
            }
            Err(_) => Some(
                "has expired: clients that verify it turn away. Renew it; it is read again by itself"
                    .to_owned(),
            ),
            Ok(left) if left < SOON => {
                let days = left.as_secs() / 86_400;
                Some(format!("expires in {days} days. Renew it; it is read again by itself"))
            }
            Ok(_) => None,
        }
        .map(|what| format!("the certificate {} {what}", certificates::shown(&one.facts)))
    };
    known.iter().filter_map(problem).collect()
}

/// What is left of a certificate when it is time to speak of it.
const SOON: Duration = Duration::from_secs(14 * 86_400);

/// Passive ports below which one busy client address may find none free: a client with eight connections, twice.
const ENOUGH: usize = 16;

/// Problems that can be seen now, each a sentence that says what to do.
#[must_use]
pub fn problems(settings: &Settings, machine: &Machine) -> Vec<String> {
    let mut problems = Vec::new();
    let range = settings.passive_ports;
    if let Some((low, high)) = machine.ephemeral
        && settings.passive
        && range.first() <= high
        && low <= range.last()
    {
        problems.push(format!(
            "the passive ports {range} overlap the ports {low}-{high} that this system gives to outgoing connections: any \
             program may hold one of them. Choose others with --passive-ports, or reserve these with \
             'sysctl -w net.ipv4.ip_local_reserved_ports={range}'"
        ));
    }
    let busy: Vec<u16> = machine.busy.iter().copied().filter(|port| range.contains(*port)).collect();
    if let (true, [first, rest @ ..]) = (settings.passive, &busy[..]) {
        let more = if rest.is_empty() { String::new() } else { format!(" and {} more", rest.len()) };
        problems.push(format!(
            "of the passive ports {range} {first}{more} are in use already, by another program or another server of ours: \
             'ss -tanp \"sport >= :{} and sport <= :{}\"' shows which. They are passed over; a range of its own is better",
            range.first(),
            range.last()
        ));
    }
    let needed = ENOUGH.min(settings.max_sessions);
    if settings.passive && range.len() < needed {
        let last = range.first().saturating_add(255);
        problems.push(format!(
            "the {} passive ports {range} are few: one client with several connections, or an office behind one NAT, waits on \
             more at once and is made to wait, or refused. Choose more, as --passive-ports {}-{last}, and let them in",
            range.len(),
            range.first(),
        ));
    }
    if let Tell::Address(ip) = settings.outside.tell
        && is_local(ip)
    {
        problems.push(format!(
            "227 will tell {ip}, a private address: clients beyond your own network cannot reach it. Tell the address \
             that your router shows to the world"
        ));
    }
    if machine.helper && settings.listen.iter().any(|listener| listener.address.port() == 21) {
        problems.push(
            "the kernel's FTP helper (nf_nat_ftp) is loaded and may rewrite PORT and 227 on port 21; if transfers fail \
             here, unload it or listen on another port"
                .to_owned(),
        );
    }
    if let Some(all) = settings.proxy_protocol.iter().find(|network| network.bits() == 0) {
        problems.push(format!(
            "proxy-protocol trusts {all}: anybody may say that they come from anywhere, and nobody comes in without saying it. \
             Name the addresses of the balancers"
        ));
    }
    problems
}

/// The addresses by which clients reach `listening`: one that listens everywhere is reached at this machine's own.
#[must_use]
pub fn reached_at(listening: &[SocketAddr]) -> Vec<SocketAddr> {
    let own = twoport_net::own_addresses();
    let mut reached = Vec::new();
    for address in listening {
        if !address.ip().is_unspecified() {
            reached.push(*address);
            continue;
        }
        // `[::]` takes both families.
        let fits = |ip: &&IpAddr| address.is_ipv6() || ip.is_ipv4();
        for ip in own.iter().filter(fits).chain(&[IpAddr::V4(Ipv4Addr::LOCALHOST)]) {
            reached.push(SocketAddr::new(*ip, address.port()));
        }
    }
    reached.dedup();
    reached
}

#[cfg(test)]
mod tests {
    use twoport_plan::PortRange;

    use super::*;

    #[test]
    fn the_defaults_have_no_problem_on_a_linux_of_today() {
        let machine = Machine { ephemeral: Some((32768, 60999)), helper: true, busy: [22, 60999].into() };
        assert_eq!(problems(&Settings::new(), &machine), Vec::<String>::new());
    }

    #[test]
    fn each_problem_is_seen() {
        let mut settings = Settings::new();
        settings.outside.tell = Tell::Address(Ipv4Addr::new(10, 0, 0, 5));
        settings.listen = vec!["0.0.0.0:21".parse().unwrap()];
        settings.proxy_protocol = vec!["10.0.0.0/8".parse().unwrap(), "::/0".parse().unwrap()];
        let machine =
            Machine { ephemeral: Some((32768, 61000)), helper: true, busy: [61_000, 61_007].into() };
        let said = problems(&settings, &machine);
        assert_eq!(said.len(), 5, "{said:?}");
        assert!(said[1].contains("61000 and 1 more are in use"), "{said:?}");
        settings.passive_ports = PortRange::new(61_100, 61_103).unwrap();
        let said = problems(&settings, &machine);
        assert!(
            said[0].contains("the 4 passive ports 61100-61103 are few") && said[0].contains("61100-61355"),
            "{said:?}"
        );
        settings.max_sessions = 4;
        assert_eq!(problems(&settings, &machine).len(), 3);
    }

    #[test]
    fn a_server_that_listens_on_one_address_is_reached_there() {
        let address: SocketAddr = "127.0.0.1:2121".parse().unwrap();
        assert_eq!(reached_at(&[address]), vec![address]);
        assert!(reached_at(&["[::]:2121".parse().unwrap()]).contains(&address));
    }
}
