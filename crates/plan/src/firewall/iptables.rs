//! iptables: a shell script around `iptables-restore` and its twin for IPv6, with chains of our own that the chains of the
//! system jump to. With `--test` it only parses, with `--undo` it takes away what it made.
//!
//! The target CT is for the table raw only, which comes before NAT: a server behind one has its outside address there.

use std::fmt::Write as _;

use super::rule::{Family, Permit, Place, Ruleset, Source, family};
use super::{header, router};
use crate::flow::{Ports, Side};

/// A chain of ours: table, the system's chain, its own name, and its rules for IPv4 and IPv6.
struct Chain {
    table: &'static str,
    from: &'static str,
    name: &'static str,
    v4: Vec<String>,
    v6: Vec<String>,
}

impl Chain {
    fn rules(&self, is_v4: bool) -> &[String] {
        if is_v4 { &self.v4 } else { &self.v6 }
    }
}

pub(super) fn write(set: &Ruleset<'_>) -> String {
    let chains = chains(set);
    let mut load = router(set);
    load.push("sh FILE, again as often as you like; sh FILE --test parses only");
    let mut text = "#!/bin/sh\n".to_owned();
    text.push_str(&header(set, "#", "iptables", &load, &["sh FILE --undo"]));
    text.push_str("#\n# These rules only open: they are reached first, and what they do not name is decided as before.\n\n");
    text.push_str(
        "undo() {\n    for tool in iptables ip6tables; do\n        while read -r table from name; do\n",
    );
    text.push_str("            while $tool -t $table -D $from -j $name 2>/dev/null; do :; done\n");
    text.push_str(
        "            { $tool -t $table -F $name && $tool -t $table -X $name; } 2>/dev/null || true\n",
    );
    text.push_str("        done <<END\n");
    for chain in &chains {
        let _ = writeln!(text, "{} {} {}", chain.table, chain.from, chain.name);
    }
    text.push_str("END\n    done\n}\n\nset -e\ntest=\ncase \"$1\" in\n--test) test=--test ;;\n--undo) undo; exit 0 ;;\n*) undo ;;\nesac\n");
    for (tool, is_v4) in [("iptables-restore", true), ("ip6tables-restore", false)] {
        let _ = writeln!(text, "\n{tool} --noflush $test <<'END'");
        text.push_str(&sections(&chains, &["raw", "mangle", "nat", "filter"], is_v4));
        text.push_str("END\n");
    }
    text
}

/// The sections of these tables, as `iptables-restore` reads them.
fn sections(chains: &[Chain], tables: &[&str], is_v4: bool) -> String {
    let mut text = String::new();
    for table in tables {
        let here: Vec<&Chain> =
            chains.iter().filter(|chain| chain.table == *table && !chain.rules(is_v4).is_empty()).collect();
        if here.is_empty() {
            continue;
        }
        let _ = writeln!(text, "*{table}");
        for chain in &here {
            let _ = writeln!(text, ":{} - [0:0]", chain.name);
        }
        for chain in &here {
            let _ = writeln!(text, "-I {} -j {}", chain.from, chain.name);
            for rule in chain.rules(is_v4) {
                let _ = writeln!(text, "-A {} {rule}", chain.name);
            }
        }
        text.push_str("COMMIT\n");
    }
    text
}

/// What is not a filter, for a tool that writes filters in its own way: helper, NAT and MSS; for IPv4, and for IPv6.
pub(super) fn besides_filters(set: &Ruleset<'_>) -> (String, String) {
    let chains = chains(set);
    let of = |is_v4| sections(&chains, &["raw", "mangle", "nat"], is_v4);
    (of(true), of(false))
}

fn chains(set: &Ruleset<'_>) -> Vec<Chain> {
    let mut chains = Vec::new();
    if set.site.helper {
        let (from, name) = match set.side {
            Side::Client => ("OUTPUT", "TWOPORT_HELPER"),
            _ => ("PREROUTING", "TWOPORT_HELPER"),
        };
        chains.push(Chain {
            table: "raw",
            from,
            name,
            v4: helped(set, Family::V4),
            v6: helped(set, Family::V6),
        });
    }
    if set.side.is_router() {
        let clamp = vec![
            "-p tcp -m tcp --tcp-flags SYN,RST SYN -m comment --comment \"no segment is too big for the way\" -j TCPMSS \
             --clamp-mss-to-pmtu"
                .to_owned(),
        ];
        let v6 = clamp.clone();
        chains.push(Chain { table: "mangle", from: "FORWARD", name: "TWOPORT_MSS", v4: clamp, v6 });
    }
    let mut nat = |from, name, v4: Vec<String>| {
        if !v4.is_empty() {
            chains.push(Chain { table: "nat", from, name, v4, v6: Vec::new() });
        }
    };
    nat("PREROUTING", "TWOPORT_DNAT", forwards(set));
    nat("POSTROUTING", "TWOPORT_SNAT", set.sources.iter().map(|source| translated(set, source)).collect());
    let places: &[(Place, &str, &str)] = match set.side.is_router() {
        true => &[(Place::Through, "FORWARD", "TWOPORT_FORWARD")],
        false => &[(Place::In, "INPUT", "TWOPORT_INPUT"), (Place::Out, "OUTPUT", "TWOPORT_OUTPUT")],
    };
    for &(place, from, name) in places {
        let (v4, v6) = (accepts(set, place, Family::V4), accepts(set, place, Family::V6));
        chains.push(Chain { table: "filter", from, name, v4, v6 });
    }
    chains
}

fn accepts(set: &Ruleset<'_>, place: Place, family: Family) -> Vec<String> {
    let icmp = if family == Family::V4 { "icmp" } else { "ipv6-icmp" };
    let mut rules = vec![
        format!(
            "-m conntrack --ctstate ESTABLISHED {} -j ACCEPT",
            said("what comes back on connections that are open")
        ),
        format!(
            "-p {icmp} -m conntrack --ctstate RELATED {} -j ACCEPT",
            said("errors, and packets that are too big")
        ),
    ];
    if family == Family::V6 && place != Place::Through {
        for kind in ["neighbour-solicitation", "neighbour-advertisement"] {
            let why = said("IPv6 finds its neighbours");
            rules.push(format!("-p ipv6-icmp -m icmp6 --icmpv6-type {kind} {why} -j ACCEPT"));
        }
    }
    let here = set.permits.iter().filter(|permit| permit.place == place && permit.is_of(family));
    rules.extend(here.map(|permit| accept(set, permit)));
    rules
}

fn accept(set: &Ruleset<'_>, permit: &Permit) -> String {
    let mut rule = String::new();
    if let Some((from, to)) = set.interfaces(permit) {
        let _ = write!(rule, "-i {from} -o {to} ");
    }
    if let Some(from) = permit.from {
        let _ = write!(rule, "-s {from} ");
    }
    if let Some(to) = permit.to {
        let _ = write!(rule, "-d {to} ");
    }
    rule.push_str("-p tcp");
    if let Some(source) = &permit.source {
        let _ = write!(rule, "{}", ports("sport", source));
    }
    let _ = write!(rule, "{} ", ports("dport", &permit.target));
    rule.push_str(match permit.related {
        true => "-m conntrack --ctstate RELATED -m helper --helper ftp ",
        false => "--syn -m conntrack --ctstate NEW ",
    });
    let _ = write!(rule, "{} -j ACCEPT", said(&permit.why));
    rule
}

fn forwards(set: &Ruleset<'_>) -> Vec<String> {
    let one = |forward: &super::rule::Forward| {
        let asked = match forward.asked {
            Some(asked) => format!("-d {asked} "),
            None => format!("-i {} ", set.site.wan),
        };
        let from = forward.from.map(|from| format!("-s {from} ")).unwrap_or_default();
        let ports = ports("dport", &forward.ports);
        let why = said(forward.why);
        format!("{asked}{from}-p tcp{ports} {why} -j DNAT --to-destination {}", forward.to)
    };
    set.forwards.iter().map(one).collect()
}

fn translated(set: &Ruleset<'_>, source: &Source) -> String {
    let why = said(source.why());
    let wan = &set.site.wan;
    match source {
        Source::Hairpin { lan, to, ports: hairpin } => {
            format!("-s {lan} -d {to} -p tcp{} {why} -j MASQUERADE", ports("dport", hairpin))
        }
        Source::Server { from, outside, source, target } => {
            let snat = outside.map_or("MASQUERADE".to_owned(), |ip| format!("SNAT --to-source {ip}"));
            let (source, target) = (ports("sport", source), ports("dport", target));
            format!("-s {from} -o {wan} -p tcp{source}{target} {why} -j {snat}")
        }
        Source::Clients(network) => {
            let from = network.map(|network| format!("-s {network} ")).unwrap_or_default();
            format!("{from}-o {wan} -p tcp {why} -j MASQUERADE")
        }
    }
}

fn helped(set: &Ruleset<'_>, of: Family) -> Vec<String> {
    let lan = match set.side {
        Side::ClientNat => format!("-i {} ", set.site.lan),
        _ => String::new(),
    };
    let why = said("the helper watches control connections");
    let mut rules = Vec::new();
    for network in set.helped.iter().filter(|net| [of, Family::Any].contains(&family(**net))) {
        let to = network.map(|net| format!("-d {net} ")).unwrap_or_default();
        for control in Ports::list(set.site.control.iter().copied()).parts() {
            rules.push(format!("{lan}{to}-p tcp{} {why} -j CT --helper ftp", ports("dport", &control)));
        }
    }
    rules
}

fn said(why: &str) -> String {
    format!("-m comment --comment \"{why}\"")
}

/// The match of ports: `dport` or `sport`.
fn ports(which: &str, ports: &Ports) -> String {
    match ports.ranges().len() {
        1 => format!(" -m tcp --{which} {}", ports.joined(":", "")),
        _ => format!(" -m multiport --{which}s {}", ports.joined(":", ",")),
    }
}
