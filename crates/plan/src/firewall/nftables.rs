//! nftables: a file for `nft -f`. What is accepted must be accepted in the table that drops, so it stands there in chains of our
//! own, and the table's chains jump to them; NAT, helper and MSS are in tables of our own, which are replaced as a whole.
//!
//! The helper is set behind connection tracking (priority filter: at raw it does nothing), by the object's name, and
//! matched by the kernel's name. One statement a line: nft 1.0.6 wants it so.

use std::fmt::Write as _;

use super::rule::{Family, Permit, Place, Ruleset, Source, family};
use super::{header, router};
use crate::flow::{Ports, Side};
use crate::network::Network;

pub(super) fn write(set: &Ruleset<'_>) -> String {
    let chains: &[(&str, Place)] = match set.side.is_router() {
        true => &[("forward", Place::Through)],
        false => &[("input", Place::In), ("output", Place::Out)],
    };
    let table = &set.site.table;
    let mut text = opening(set, chains);
    // A chain that is there keeps its policy; one that is not is made, and accepts all.
    let _ = writeln!(text, "table inet {table} {{");
    for (chain, _) in chains {
        let _ = writeln!(
            text,
            "    chain {chain} {{\n        type filter hook {chain} priority filter;\n    }}\n    chain twoport_{chain} {{\n    }}"
        );
    }
    text.push_str("}\n");
    for (chain, _) in chains {
        let _ = writeln!(text, "flush chain inet {table} twoport_{chain}");
    }
    let _ = writeln!(text, "table inet {table} {{");
    for (chain, place) in chains {
        let _ = writeln!(text, "    chain twoport_{chain} {{");
        for line in accepts(set, *place) {
            let _ = writeln!(text, "        {line}");
        }
        text.push_str("    }\n");
    }
    text.push_str("}\n");
    for (chain, _) in chains {
        let _ = writeln!(text, "insert rule inet {table} {chain} jump twoport_{chain}");
    }
    own_tables(&mut text, set);
    text
}

fn opening(set: &Ruleset<'_>, chains: &[(&str, Place)]) -> String {
    let table = &set.site.table;
    let jumps = format!(
        "nft -a list table inet {table} | awk '$1 == \"chain\" {{c = $2}} /jump twoport_/ {{print \"delete rule inet \
         {table}\", c, \"handle\", $NF}}' | nft -f -"
    );
    let clear: Vec<String> =
        chains.iter().map(|(chain, _)| format!("delete chain inet {table} twoport_{chain}")).collect();
    let clear = format!("nft '{}'", clear.join("; "));
    let mut undo = vec![jumps.as_str(), clear.as_str()];
    if set.site.helper || set.side.is_router() {
        undo.push("nft delete table inet twoport");
    }
    if !(set.forwards.is_empty() && set.sources.is_empty()) {
        undo.push("nft delete table ip twoport_nat");
    }
    let mut load = router(set);
    load.push("nft -c -f FILE to check, nft -f FILE to load; to load it again, undo first");
    let mut text = "#!/usr/sbin/nft -f\n".to_owned();
    text.push_str(&header(set, "#", "nftables", &load, &undo));
    let _ = writeln!(
        text,
        "#\n# These rules only open. They are reached from the table \"inet {table}\": where another one drops, name it with --table.\n"
    );
    text
}

/// The lines of a chain.
fn accepts(set: &Ruleset<'_>, place: Place) -> Vec<String> {
    let mut lines = vec![
        "ct state established accept comment \"what comes back on connections that are open\"".to_owned(),
        "ct state related meta l4proto { icmp, ipv6-icmp } accept comment \"errors, and packets that are too big\""
            .to_owned(),
    ];
    if place != Place::Through {
        lines.push(
            "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept comment \"IPv6 finds its neighbours\""
                .to_owned(),
        );
    }
    lines.extend(set.permits.iter().filter(|permit| permit.place == place).map(|permit| accept(set, permit)));
    lines
}

fn accept(set: &Ruleset<'_>, permit: &Permit) -> String {
    let mut line = String::new();
    if let Some((from, to)) = set.interfaces(permit) {
        let _ = write!(line, "iifname \"{from}\" oifname \"{to}\" ");
    }
    if let Some(from) = permit.from {
        let _ = write!(line, "{} saddr {from} ", ip(from));
    }
    if let Some(to) = permit.to {
        let _ = write!(line, "{} daddr {to} ", ip(to));
    }
    if let Some(source) = &permit.source {
        let _ = write!(line, "tcp sport {} ", ports(source));
    }
    let state = if permit.related { "related ct helper \"ftp\"" } else { "new" };
    let _ = write!(
        line,
        "tcp dport {} ct state {state} accept comment \"{}\"",
        ports(&permit.target),
        permit.why
    );
    line
}

/// Tables of our own: an empty one is made first, so that the one to be deleted is there.
fn own_tables(text: &mut String, set: &Ruleset<'_>) {
    if set.site.helper || set.side.is_router() {
        text.push_str("\ntable inet twoport {\n}\ndelete table inet twoport\ntable inet twoport {\n");
        if set.site.helper {
            text.push_str("    ct helper twoport_ftp {\n        type \"ftp\" protocol tcp;\n    }\n");
            // What begins on this machine passes output and not prerouting.
            let hook = if set.side == Side::Client { "output" } else { "prerouting" };
            let _ = writeln!(
                text,
                "    chain twoport_helper {{\n        type filter hook {hook} priority filter; policy accept;"
            );
            for line in helped(set) {
                let _ = writeln!(text, "        {line}");
            }
            text.push_str("    }\n");
        }
        if set.side.is_router() {
            // A chain of its own: behind an accept elsewhere it would not be reached.
            text.push_str(
                "    chain twoport_mss {\n        type filter hook forward priority mangle; policy accept;\n        \
                 tcp flags & (syn | rst) == syn tcp option maxseg size set rt mtu comment \"no segment is too big for the way\"\n    }\n",
            );
        }
        text.push_str("}\n");
    }
    if set.forwards.is_empty() && set.sources.is_empty() {
        return;
    }
    text.push_str("\ntable ip twoport_nat {\n}\ndelete table ip twoport_nat\ntable ip twoport_nat {\n");
    if !set.forwards.is_empty() {
        text.push_str(
            "    chain twoport_prerouting {\n        type nat hook prerouting priority dstnat; policy accept;\n",
        );
        for forward in &set.forwards {
            let asked = match forward.asked {
                Some(asked) => format!("ip daddr {asked} "),
                None => format!("iifname \"{}\" ", set.site.wan),
            };
            let from = forward.from.map(|from| format!("ip saddr {from} ")).unwrap_or_default();
            let _ = writeln!(
                text,
                "        {asked}{from}tcp dport {} dnat to {} comment \"{}\"",
                ports(&forward.ports),
                forward.to,
                forward.why
            );
        }
        text.push_str("    }\n");
    }
    if !set.sources.is_empty() {
        text.push_str(
            "    chain twoport_postrouting {\n        type nat hook postrouting priority srcnat; policy accept;\n",
        );
        for source in &set.sources {
            let _ = writeln!(text, "        {} comment \"{}\"", translated(set, source), source.why());
        }
        text.push_str("    }\n");
    }
    text.push_str("}\n");
}

fn translated(set: &Ruleset<'_>, source: &Source) -> String {
    let wan = &set.site.wan;
    match source {
        Source::Hairpin { lan, to, ports: hairpin } => {
            format!("ip saddr {lan} ip daddr {to} tcp dport {} masquerade", ports(hairpin))
        }
        Source::Server { from, outside, source, target } => {
            let snat = outside.map_or("masquerade".to_owned(), |ip| format!("snat to {ip}"));
            let (source, target) = (ports(source), ports(target));
            format!("ip saddr {from} oifname \"{wan}\" tcp sport {source} tcp dport {target} {snat}")
        }
        Source::Clients(network) => {
            let from = network.map(|network| format!("ip saddr {network} ")).unwrap_or_default();
            format!("{from}oifname \"{wan}\" meta l4proto tcp masquerade")
        }
    }
}

/// The rules that set the helper. They come after DNAT, so a server behind one has its own address here.
fn helped(set: &Ruleset<'_>) -> Vec<String> {
    let control = Ports::list(set.site.control.iter().copied());
    let own: Vec<Option<Network>> = set.site.own().into_iter().map(Some).collect();
    let at = if set.side == Side::ServerNat { &own } else { &set.helped };
    let lan = match set.side {
        Side::ClientNat => format!("iifname \"{}\" ", set.site.lan),
        _ => String::new(),
    };
    at.iter()
        .map(|network| {
            let to = network.map(|net| format!("{} daddr {net} ", ip(net))).unwrap_or_default();
            format!("{lan}{to}tcp dport {} ct helper set \"twoport_ftp\"", ports(&control))
        })
        .collect()
}

fn ip(network: Network) -> &'static str {
    if family(Some(network)) == Family::V4 { "ip" } else { "ip6" }
}

fn ports(ports: &Ports) -> String {
    match ports.ranges().len() {
        1 => ports.joined("-", ""),
        _ => format!("{{ {} }}", ports.joined("-", ", ")),
    }
}
