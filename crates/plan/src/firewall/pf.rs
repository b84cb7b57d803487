//! pf, for OpenBSD and, as it stands in comments where the two differ, for FreeBSD: a file that pf.conf includes. The helper is
//! ftp-proxy(8), which is for routers only.

use std::fmt::Write as _;

use super::header;
use super::rule::{Permit, Place, Ruleset, Source};
use crate::conflict::Conflict;
use crate::flow::{Ports, Side};

pub(super) fn write(set: &Ruleset<'_>) -> Result<String, Conflict> {
    if set.site.helper && !set.side.is_router() {
        return Err(Conflict::NoHelperThere("pf on the machine itself"));
    }
    let load = [
        "write it to /etc/twoport.pf, and into /etc/pf.conf behind what blocks:  include \"/etc/twoport.pf\"",
        "pfctl -nf /etc/pf.conf to check, pfctl -f /etc/pf.conf to load",
    ];
    let undo = ["take the line out of /etc/pf.conf, and pfctl -f /etc/pf.conf"];
    let mut text = header(set, "#", "pf", &load, &undo);
    text.push('\n');
    if set.site.helper {
        proxied(&mut text, set);
        return Ok(text);
    }
    // Before the rules that let pass: those are quick, and nothing behind them is looked at.
    for source in &set.sources {
        let _ = writeln!(text, "# {}", source.why());
        let wan = &set.site.wan;
        let (matched, to) = match source {
            Source::Hairpin { lan, to, ports: hairpin } => (
                format!("on {} inet proto tcp from {lan} to {to} port {}", set.site.lan, ports(hairpin)),
                format!("({})", set.site.lan),
            ),
            Source::Server { from, outside, source, target } => {
                let (source, target) = (ports(source), ports(target));
                let outside = outside.map_or(format!("({wan})"), |ip| ip.to_string());
                // Without static-port it would not be port 20 any more.
                let matched =
                    format!("on {wan} inet proto tcp from {from} port {source} to any port {target}");
                (matched, format!("{outside} static-port"))
            }
            Source::Clients(network) => {
                let from = network.map_or(format!("{}:network", set.site.lan), |net| net.to_string());
                (format!("on {wan} inet proto tcp from {from} to any"), format!("({wan})"))
            }
        };
        let _ = writeln!(text, "match out {matched} nat-to {to}");
        let _ = writeln!(text, "# FreeBSD, before the rules of pf.conf: nat {matched} -> {to}");
    }
    if set.side.is_router() {
        text.push_str("# no segment is too big for the way; pf does not ask the way, and this leaves room for a tunnel\nmatch proto tcp scrub (max-mss 1360)\n");
        text.push_str("# FreeBSD, before the rules of pf.conf: scrub proto tcp max-mss 1360\n");
    }
    for permit in &set.permits {
        let _ = writeln!(text, "# {}", permit.why);
        // OpenBSD rewrites in the rule that lets in; what arrives there still has the outside address.
        let forward = set
            .forwards
            .iter()
            .find(|one| permit.inward && permit.to.is_some_and(|to| to.contains(one.to.into())));
        match forward {
            Some(forward) => {
                let asked = forward.asked.map_or(format!("({})", set.site.wan), |ip| ip.to_string());
                let from = permit.from.map_or("any".to_owned(), |net| net.to_string());
                let rule = format!(
                    "inet proto tcp from {from} to {asked} port {} tag twoport",
                    ports(&permit.target)
                );
                let _ = writeln!(text, "pass in quick {rule} rdr-to {}", forward.to);
                let _ = writeln!(
                    text,
                    "# FreeBSD, before the rules of pf.conf: rdr pass {rule} -> {}",
                    forward.to
                );
            }
            None => text.push_str(&pass(set, permit)),
        }
    }
    if set.side.is_router() {
        text.push_str("# what was let in above goes out\npass out quick tagged twoport\n");
    }
    Ok(text)
}

/// A rule. What passes through a router is marked where it comes in, for behind NAT it cannot be told by its source.
fn pass(set: &Ruleset<'_>, permit: &Permit) -> String {
    let any = || "any".to_owned();
    let from = permit.from.map_or_else(any, |net| net.to_string());
    let to = permit.to.map_or_else(any, |net| net.to_string());
    let source = permit.source.as_ref().map(|source| format!(" port {}", ports(source))).unwrap_or_default();
    let rest = format!("proto tcp from {from}{source} to {to} port {}", ports(&permit.target));
    match permit.place {
        Place::In => format!("pass in quick {rest}\n"),
        Place::Out => format!("pass out quick {rest}\n"),
        Place::Through => {
            let on = set.interfaces(permit).map(|(from, _)| format!("on {from} ")).unwrap_or_default();
            format!("pass in quick {on}{rest} tag twoport\n")
        }
    }
}

/// What ftp-proxy needs: control connections are handed to it, and it adds a rule for each data connection.
fn proxied(text: &mut String, set: &Ruleset<'_>) {
    let control = ports(&Ports::list(set.site.control.iter().copied()));
    let _ = writeln!(
        text,
        "# ftp-proxy adds its rules here, one for each data connection\nanchor \"ftp-proxy/*\""
    );
    if set.side == Side::ClientNat {
        let lan = &set.site.lan;
        let _ = writeln!(
            text,
            "# control connections go through ftp-proxy: rcctl enable ftpproxy && rcctl start ftpproxy"
        );
        let _ = writeln!(
            text,
            "pass in quick on {lan} inet proto tcp to port {control} divert-to 127.0.0.1 port 8021"
        );
        let _ = writeln!(text, "# and of IPv6 through a second one: ftp-proxy -6");
        let _ = writeln!(
            text,
            "pass in quick on {lan} inet6 proto tcp to port {control} divert-to ::1 port 8021"
        );
        let _ = writeln!(
            text,
            "# the proxy's own connections to servers\npass out quick proto tcp from (self) to port {control}"
        );
        let _ = writeln!(text, "# FreeBSD, before the rules of pf.conf: nat-anchor \"ftp-proxy/*\"");
        let _ = writeln!(text, "#   rdr-anchor \"ftp-proxy/*\"");
        let _ =
            writeln!(text, "#   rdr pass on {lan} inet proto tcp to port {control} -> 127.0.0.1 port 8021");
        return;
    }
    let asked = set.site.server_v4().map_or(format!("({})", set.site.wan), |ip| ip.to_string());
    for server in set.site.own().iter().filter(|net| net.base().is_ipv4()) {
        let bind = set.site.server_v4().map(|ip| format!(" -b {ip}")).unwrap_or_default();
        let port = set.site.control.first().copied().unwrap_or(21);
        let _ = writeln!(
            text,
            "# the proxy stands for the server: ftp-proxy -R {server} -P {port} -p {port}{bind}"
        );
        let _ = writeln!(text, "pass in quick inet proto tcp to {asked} port {control}");
        let _ = writeln!(text, "pass out quick inet proto tcp from (self) to {server} port {control}");
    }
    if set.site.own().iter().any(|net| net.base().is_ipv6()) {
        text.push_str(
            "# IPv6 has no NAT to be helped through: name the passive ports and leave out --helper for it\n",
        );
    }
}

fn ports(ports: &Ports) -> String {
    match ports.ranges().len() {
        1 => ports.joined(":", ""),
        _ => format!("{{ {} }}", ports.joined(":", " ")),
    }
}
