//! firewalld: a shell script of `firewall-cmd`. A machine's own ports are a service in the zone of each client, or of all; what
//! goes out or through is a policy. Its services bring the helper only when told so, and forwarded ports are a zone's.

use std::fmt::Write as _;

use super::rule::{Family, Permit, Place, Ruleset, Source};
use super::{header, part};
use crate::flow::Side;

pub(super) fn write(set: &Ruleset<'_>) -> String {
    let mut lines: Vec<String> = Vec::new();
    let mut undo: Vec<String> = Vec::new();
    if set.site.helper {
        helper(set, &mut lines, &mut undo);
    }
    // Rules of a policy are asked in the direction of its zones.
    for (name, place, inward, from, to) in [
        ("twoport-out", Place::Out, false, "HOST", "ANY"),
        ("twoport-out", Place::Through, false, "$lan", "$wan"),
        ("twoport-in", Place::Through, true, "$wan", "$lan"),
    ] {
        let here = |permit: &&Permit| permit.place == place && permit.inward == inward && !permit.related;
        // What a zone forwards by NAT it lets through by itself.
        let by_zone = |permit: &Permit| inward && !set.forwards.is_empty() && permit.family == Family::V4;
        let permits: Vec<&Permit> = set.permits.iter().filter(here).filter(|one| !by_zone(one)).collect();
        if permits.is_empty() {
            continue;
        }
        lines.push(format!("cmd --new-policy={name}"));
        lines.push(format!("cmd --policy={name} --add-ingress-zone={from}"));
        lines.push(format!("cmd --policy={name} --add-egress-zone={to}"));
        for permit in permits {
            lines.push(format!("# {}", permit.why));
            let rules = accept(permit).into_iter();
            lines.extend(rules.map(|rule| format!("cmd --policy={name} --add-rich-rule='{rule}'")));
        }
        undo.push(format!("cmd --delete-policy={name}"));
    }
    let here = set.permits.iter().filter(|permit| permit.place == Place::In && !permit.related);
    for permit in here {
        lines.push(format!("# {}", permit.why));
        for rule in accept(permit) {
            lines.push(format!("cmd --add-rich-rule='{rule}'"));
            undo.push(format!("cmd --remove-rich-rule='{rule}'"));
        }
    }
    for forward in &set.forwards {
        lines.push(format!("# {}", forward.why));
        for ports in forward.ports.each("-") {
            let from = forward.from.map(|from| format!(" source address=\"{from}\"")).unwrap_or_default();
            let asked = forward.asked.map(|ip| format!(" destination address=\"{ip}\"")).unwrap_or_default();
            let rule = format!(
                "rule family=\"ipv4\"{from}{asked} forward-port port=\"{ports}\" protocol=\"tcp\" to-port=\"{ports}\" to-addr=\"{}\"",
                forward.to
            );
            lines.push(format!("cmd --zone=$wan --add-rich-rule='{rule}'"));
            undo.push(format!("cmd --zone=$wan --remove-rich-rule='{rule}'"));
        }
    }
    let masqueraded: Vec<&Source> =
        set.sources.iter().filter(|one| !matches!(one, Source::Hairpin { .. })).collect();
    if !masqueraded.is_empty() {
        lines.extend(masqueraded.iter().map(|one| format!("# {}", one.why())));
        lines.push("cmd --zone=$wan --add-masquerade".to_owned());
    }
    let mut text = "#!/bin/sh\n".to_owned();
    text.push_str(&header(set, "#", "firewalld", &["sh FILE"], &["sh FILE --undo"]));
    if set.side == Side::ServerNat {
        let line =
            "Clients inside must use the server's own address: forwarded ports hold for the zone outside.";
        part(&mut text, "#", "", [line]);
    }
    if !masqueraded.is_empty() {
        let line = "Masquerading of the zone outside is switched on, and left on by --undo.";
        part(&mut text, "#", "", [line]);
    }
    text.push_str("\nset -e\ncmd() {\n    firewall-cmd --permanent \"$@\"\n}\n\n");
    if set.side.is_router() {
        for (zone, interface) in [("lan", &set.site.lan), ("wan", &set.site.wan)] {
            let _ = writeln!(text, "{zone}=$(firewall-cmd --get-zone-of-interface={interface})");
        }
    }
    text.push_str("if [ \"$1\" = --undo ]; then\n");
    for line in undo {
        let _ = writeln!(text, "    {line}");
    }
    text.push_str("    exec firewall-cmd --reload\nfi\n\n");
    for line in lines {
        let _ = writeln!(text, "{line}");
    }
    text.push_str("firewall-cmd --reload\n");
    text
}

/// A service of the control ports with the helper, where connections begin to be watched.
fn helper(set: &Ruleset<'_>, lines: &mut Vec<String>, undo: &mut Vec<String>) {
    lines.push("cmd --new-service=twoport".to_owned());
    lines.extend(set.site.control.iter().map(|port| format!("cmd --service=twoport --add-port={port}/tcp")));
    lines.push("cmd --service=twoport --add-helper=ftp".to_owned());
    let policy = match set.side {
        Side::Server => {
            lines.push("cmd --add-service=twoport".to_owned());
            undo.push("cmd --remove-service=twoport".to_owned());
            None
        }
        Side::Client => Some(("HOST", "ANY")),
        Side::ServerNat => Some(("$wan", "$lan")),
        Side::ClientNat => Some(("$lan", "$wan")),
    };
    if let Some((from, to)) = policy {
        lines.push("cmd --new-policy=twoport-ftp".to_owned());
        lines.push(format!("cmd --policy=twoport-ftp --add-ingress-zone={from}"));
        lines.push(format!("cmd --policy=twoport-ftp --add-egress-zone={to}"));
        lines.push("cmd --policy=twoport-ftp --add-service=twoport".to_owned());
        undo.push("cmd --delete-policy=twoport-ftp".to_owned());
    }
    undo.push("cmd --delete-service=twoport".to_owned());
}

/// A rich rule for each range of ports, of the family of its addresses. A source port cannot stand beside a port.
fn accept(permit: &Permit) -> Vec<String> {
    let named = match permit.family {
        Family::Any => "",
        Family::V4 => " family=\"ipv4\"",
        Family::V6 => " family=\"ipv6\"",
    };
    let from = permit.from.map(|from| format!(" source address=\"{from}\"")).unwrap_or_default();
    let to = permit.to.map(|to| format!(" destination address=\"{to}\"")).unwrap_or_default();
    let rule = |ports| format!("rule{named}{from}{to} port port=\"{ports}\" protocol=\"tcp\" accept");
    permit.target.each("-").into_iter().map(rule).collect()
}
