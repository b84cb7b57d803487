//! ufw: a shell script of its commands. What ufw has no command for (helper, NAT, MSS) goes into its before.rules between
//! two marks. ufw itself accepts what is established or related. A comment of a route must not hold the words "in" or "on":
//! ufw 0.36.2 takes them for interfaces.

use std::fmt::Write as _;

use super::rule::{Permit, Place, Ruleset};
use super::{header, iptables, router};

pub(super) fn write(set: &Ruleset<'_>) -> String {
    let mut load = router(set);
    load.push("sh FILE");
    let mut text = "#!/bin/sh\n".to_owned();
    text.push_str(&header(set, "#", "ufw", &load, &["sh FILE --undo"]));
    text.push_str("#\n# ufw lets through what comes back, and by default all that goes out.\n\n");
    text.push_str("set -e\ndelete=\n[ \"$1\" != --undo ] || delete=delete\n\n");
    // What the helper announces is accepted by ufw's own rules.
    for permit in set.permits.iter().filter(|permit| !permit.related) {
        let _ = writeln!(text, "ufw {}", allow(set, permit));
    }
    let (v4, v6) = iptables::besides_filters(set);
    for (file, sections) in [("/etc/ufw/before.rules", v4), ("/etc/ufw/before6.rules", v6)] {
        if sections.is_empty() {
            continue;
        }
        let _ = write!(
            text,
            "\nsed -i '/^# twoport begins$/,/^# twoport ends$/d' {file}\n[ \"$delete\" ] || cat >> {file} <<'END'\n\
             # twoport begins\n{sections}# twoport ends\nEND\n"
        );
    }
    if set.site.helper || set.side.is_router() {
        text.push_str("\nufw reload\n");
    }
    text
}

fn allow(set: &Ruleset<'_>, permit: &Permit) -> String {
    let mut rule = match permit.place {
        Place::In => "$delete allow in".to_owned(),
        Place::Out => "$delete allow out".to_owned(),
        Place::Through => "route $delete allow".to_owned(),
    };
    if let Some((from, to)) = set.interfaces(permit) {
        let _ = write!(rule, " in on {from} out on {to}");
    }
    let any = || "any".to_owned();
    let _ = write!(rule, " proto tcp from {}", permit.from.map_or_else(any, |net| net.to_string()));
    if let Some(source) = &permit.source {
        let _ = write!(rule, " port {}", source.joined(":", ","));
    }
    let to = permit.to.map_or_else(any, |net| net.to_string());
    let _ = write!(rule, " to {to} port {} comment '{}'", permit.target.joined(":", ","), permit.why);
    rule
}
