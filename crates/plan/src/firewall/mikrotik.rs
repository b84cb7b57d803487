//! MikroTik RouterOS 7: a script for `/import`. Rules are in a chain of our own, to which a jump stands before the first rule;
//! all carry the mark "twoport" in their comment. NAT keeps the ports as long as no `to-ports` is said.

use std::fmt::Write as _;

use super::header;
use super::rule::{Family, Permit, Place, Ruleset, Source};
use crate::flow::Side;

pub(super) fn write(set: &Ruleset<'_>) -> String {
    let undo = ["/ip firewall filter", "/ipv6 firewall filter", "/ip firewall nat", "/ip firewall mangle"]
        .map(|menu| format!("{menu} remove [find comment~\"^twoport\"]"));
    let undo = undo.each_ref().map(String::as_str);
    let mut text =
        header(set, "#", "MikroTik RouterOS", &["/import FILE.rsc; to load it again, undo first"], &undo);
    text.push('\n');
    if set.site.helper {
        let ports = set.site.control.iter().map(u16::to_string).collect::<Vec<_>>().join(",");
        let _ = writeln!(
            text,
            "# the helper reads control connections in plain\n/ip firewall service-port set ftp disabled=no ports={ports}\n"
        );
    } else {
        text.push_str("# No helper is needed; one that is on opens holes for whoever can make a browser inside speak:\n");
        text.push_str("#   /ip firewall service-port set ftp disabled=yes\n\n");
    }
    for (menu, of, icmp) in [("/ip", Family::V4, "icmp"), ("/ipv6", Family::V6, "icmpv6")] {
        let chains: &[(Place, &str)] = match set.side {
            Side::ServerNat | Side::ClientNat => &[(Place::Through, "forward")],
            Side::Server | Side::Client => &[(Place::In, "input"), (Place::Out, "output")],
        };
        for (place, chain) in chains {
            let _ = writeln!(text, "{menu} firewall filter");
            let own = format!("twoport-{chain}");
            let _ = writeln!(
                text,
                "add chain={own} action=accept connection-state=established comment=\"twoport: what comes back\""
            );
            let _ = writeln!(
                text,
                "add chain={own} action=accept connection-state=related protocol={icmp} comment=\"twoport: errors\""
            );
            for permit in set.permits.iter().filter(|one| one.place == *place && one.is_of(of)) {
                let _ = writeln!(text, "add chain={own} action=accept {}", accept(set, permit));
            }
            let jump = format!(
                "{menu} firewall filter add chain={chain} action=jump jump-target={own} comment=\"twoport\""
            );
            let there = format!("[{menu} firewall filter find chain={chain} dynamic=no]");
            let _ = writeln!(
                text,
                ":if ([:len {there}] > 0) do={{ {jump} place-before=[:pick {there} 0] }} else={{ {jump} }}"
            );
        }
    }
    if !(set.forwards.is_empty() && set.sources.is_empty()) {
        text.push_str("/ip firewall nat\n");
    }
    for forward in &set.forwards {
        let asked = match forward.asked {
            Some(asked) => format!("dst-address={asked}"),
            None => format!("in-interface={}", set.site.wan),
        };
        let from = forward.from.map(|from| format!(" src-address={from}")).unwrap_or_default();
        let _ = writeln!(
            text,
            "add chain=dstnat action=dst-nat {asked}{from} protocol=tcp dst-port={} to-addresses={} comment=\"twoport: {}\"",
            forward.ports.joined("-", ","),
            forward.to,
            forward.why
        );
    }
    for source in &set.sources {
        let wan = &set.site.wan;
        let rule = match source {
            Source::Hairpin { lan, to, ports } => {
                format!(
                    "action=masquerade src-address={lan} dst-address={to} protocol=tcp dst-port={}",
                    ports.joined("-", ",")
                )
            }
            Source::Server { from, outside, source, target } => {
                let snat = outside
                    .map_or("action=masquerade".to_owned(), |ip| format!("action=src-nat to-addresses={ip}"));
                let (source, target) = (source.joined("-", ","), target.joined("-", ","));
                format!(
                    "{snat} src-address={from} out-interface={wan} protocol=tcp src-port={source} dst-port={target}"
                )
            }
            Source::Clients(network) => {
                let from = network.map(|net| format!(" src-address={net}")).unwrap_or_default();
                format!("action=masquerade{from} out-interface={wan} protocol=tcp")
            }
        };
        let _ = writeln!(text, "add chain=srcnat {rule} comment=\"twoport: {}\"", source.why());
    }
    if set.side.is_router() {
        text.push_str("/ip firewall mangle\nadd chain=forward action=change-mss new-mss=clamp-to-pmtu protocol=tcp tcp-flags=syn comment=\"twoport: no segment is too big for the way\"\n");
    }
    text
}

fn accept(set: &Ruleset<'_>, permit: &Permit) -> String {
    let mut rule =
        format!("connection-state={}", if permit.related { "related connection-type=ftp" } else { "new" });
    if let Some((from, to)) = set.interfaces(permit) {
        let _ = write!(rule, " in-interface={from} out-interface={to}");
    }
    if let Some(from) = permit.from {
        let _ = write!(rule, " src-address={from}");
    }
    if let Some(to) = permit.to {
        let _ = write!(rule, " dst-address={to}");
    }
    rule.push_str(" protocol=tcp");
    if let Some(source) = &permit.source {
        let _ = write!(rule, " src-port={}", source.joined("-", ","));
    }
    let _ = write!(rule, " dst-port={} comment=\"twoport: {}\"", permit.target.joined("-", ","), permit.why);
    rule
}
