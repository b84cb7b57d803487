//! Cisco ASA, 8.3 and later: access lists name the inside address, NAT keeps the ports, and the helper is `inspect ftp`. It is a
//! router, so it speaks for no machine of its own.

use std::fmt::Write as _;
use std::net::IpAddr;

use super::rule::{Permit, Ruleset, Source};
use super::{header, part};
use crate::conflict::Conflict;
use crate::flow::Ports;
use crate::network::Network;

pub(super) fn write(set: &Ruleset<'_>) -> Result<String, Conflict> {
    if !set.side.is_router() {
        let instead = "It is a router: ask for --side server-nat or client-nat";
        return Err(Conflict::NotThere { dialect: "cisco-asa", side: set.side, instead });
    }
    let wan = &set.site.wan;
    let mut body = String::new();
    for (list, inward) in [("twoport-in", true), ("twoport-out", false)] {
        // What the helper announces passes without a line.
        for permit in set.permits.iter().filter(|one| one.inward == inward && !one.related) {
            let _ = writeln!(body, "access-list {list} remark {}", shortened(&permit.why));
            access(&mut body, list, permit);
        }
    }
    nat(&mut body, set);
    let undo = undone(&body);
    if set.site.helper {
        inspect(&mut body, set);
    }
    let load = [
        "paste it in configure terminal; --lan-interface and --wan-interface are the names (nameif) of the interfaces",
        &format!(
            "access-group twoport-in in interface {wan}: where that interface has no list yet; else give the lines its name"
        ),
    ];
    let undo: Vec<&str> = undo.iter().map(String::as_str).collect();
    let mut text = header(set, "!", "Cisco ASA", &load, &undo);
    for note in [
        "The interface to the inside lets all out as long as it has no list: twoport-out is for one that has.",
        "\"inspect ftp strict\" breaks clients that send several commands at once.",
    ] {
        part(&mut text, "!", "Note:", [note]);
    }
    text.push_str("!\n");
    text.push_str(&body);
    Ok(text)
}

/// What takes these lines away again, last things first.
fn undone(body: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for line in body.lines().rev() {
        let undo = match line.split(' ').next() {
            Some("access-list") => {
                let list = line.split(' ').nth(1).unwrap_or_default();
                format!("clear configure access-list {list}")
            }
            Some("nat" | "object") => format!("no {line}"),
            _ => continue,
        };
        if !lines.contains(&undo) {
            lines.push(undo);
        }
    }
    lines
}

fn access(text: &mut String, list: &str, permit: &Permit) {
    // A source port is 20, and no list of them.
    let source: String = permit.source.iter().flat_map(spelled).map(|port| format!(" {port}")).collect();
    for target in spelled(&permit.target) {
        let _ = writeln!(
            text,
            "access-list {list} extended permit tcp {}{source} {} {target}",
            address(permit.from),
            address(permit.to)
        );
    }
}

/// Each range of ports in ASA's words.
fn spelled(ports: &Ports) -> impl Iterator<Item = String> {
    ports.ranges().iter().map(|(first, last)| match first == last {
        true => format!("eq {first}"),
        false => format!("range {first} {last}"),
    })
}

fn address(network: Option<Network>) -> String {
    let Some(network) = network else { return "any".to_owned() };
    match network.base() {
        IpAddr::V4(ip) if network.bits() == 32 => format!("host {ip}"),
        IpAddr::V6(ip) if network.bits() == 128 => format!("host {ip}"),
        IpAddr::V4(ip) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(network.bits())).unwrap_or(0);
            format!("{ip} {}", std::net::Ipv4Addr::from(mask))
        }
        IpAddr::V6(ip) => format!("{ip}/{}", network.bits()),
    }
}

/// A service is seen from the inside host, so its ports are source ports.
fn services(text: &mut String, name: &str, ports: &Ports) -> Vec<String> {
    let mut names = Vec::new();
    for (n, which) in spelled(ports).enumerate() {
        let name = format!("{name}-{n}");
        let _ = writeln!(text, "object service {name}\n service tcp source {which}");
        names.push(name);
    }
    names
}

fn nat(text: &mut String, set: &Ruleset<'_>) {
    let (lan, wan) = (&set.site.lan, &set.site.wan);
    let outside = |text: &mut String, asked: Option<std::net::Ipv4Addr>| match asked {
        Some(ip) => {
            let _ = writeln!(text, "object network twoport-outside\n host {ip}");
            "twoport-outside"
        }
        None => "interface",
    };
    // Two rules for the same host differ in who asks only, which NAT does not look at.
    if let Some(forward) = set.forwards.first() {
        let _ = writeln!(text, "! {}\nobject network twoport-host\n host {}", forward.why, forward.to);
        let to = outside(text, forward.asked);
        let parts = set.forwards[1..].iter().filter(|one| one.from == forward.from);
        let ports = parts.fold(forward.ports.clone(), |ports, one| ports.and(&one.ports));
        for service in services(text, "twoport-ports", &ports) {
            let _ = writeln!(
                text,
                "nat ({lan},{wan}) source static twoport-host {to} service {service} {service}"
            );
        }
    }
    for (n, source) in set.sources.iter().enumerate() {
        match source {
            // It is not about ports here, so once is enough.
            Source::Hairpin { .. } if n > 0 => {}
            Source::Hairpin { lan: inside, .. } => {
                let _ = writeln!(
                    text,
                    "! {}\nsame-security-traffic permit intra-interface\nobject network twoport-inside\n subnet {}\n\
                     nat ({lan},{lan}) source dynamic twoport-inside interface destination static twoport-outside twoport-host",
                    source.why(),
                    address(Some(*inside)).replace("host ", "")
                );
            }
            Source::Server { source: from, outside, .. } => {
                let _ = writeln!(text, "! {}", source.why());
                let to = if outside.is_some() { "twoport-outside" } else { "interface" };
                for service in services(text, "twoport-active", from) {
                    let _ = writeln!(
                        text,
                        "nat ({lan},{wan}) source static twoport-host {to} service {service} {service}"
                    );
                }
            }
            Source::Clients(network) => {
                let named = network.map(|net| match address(Some(net)) {
                    one if one.starts_with("host") => one,
                    many => format!("subnet {many}"),
                });
                let what = named.unwrap_or_else(|| "subnet 0.0.0.0 0.0.0.0".to_owned());
                let _ = writeln!(
                    text,
                    "! {}\nobject network twoport-clients\n {what}\n nat ({lan},{wan}) dynamic interface",
                    source.why()
                );
            }
        }
    }
}

fn inspect(text: &mut String, set: &Ruleset<'_>) {
    text.push_str("! the helper: it reads control connections in plain\n");
    let others: Vec<u16> = set.site.control.iter().copied().filter(|port| *port != 21).collect();
    for port in &others {
        let _ = writeln!(text, "class-map twoport-{port}\n match port tcp eq {port}");
    }
    text.push_str("policy-map global_policy\n");
    if set.site.control.contains(&21) {
        text.push_str(" class inspection_default\n  inspect ftp\n");
    }
    for port in others {
        let _ = writeln!(text, " class twoport-{port}\n  inspect ftp");
    }
}

/// A remark has at most 100 characters.
fn shortened(why: &str) -> &str {
    why.split(';').next().unwrap_or(why)
}
