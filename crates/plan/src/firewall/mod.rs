//! Firewall rules in the dialect asked for. The flows are in `flow`, what they ask of a side in `rule`; each dialect is a
//! file that spells it.
//!
//! | dialect | file |
//! | --- | --- |
//! | nftables | `nftables` |
//! | iptables | `iptables` |

mod iptables;
mod nftables;
mod rule;

use std::fmt::Write as _;

use crate::conflict::Conflict;
use crate::flow::{Mode, Side, Site};
use rule::Ruleset;

/// How rules are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// A file for `nft -f`.
    Nftables,
    /// A shell script around `iptables-restore` and `ip6tables-restore`.
    Iptables,
}

impl Dialect {
    /// Every one of them.
    pub const ALL: [Dialect; 2] = [Dialect::Nftables, Dialect::Iptables];

    /// As it is typed.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Dialect::Nftables => "nftables",
            Dialect::Iptables => "iptables",
        }
    }
}

/// The rules of a side, ready to be loaded; they open what the flows need and close nothing.
///
/// # Errors
/// What the site contradicts itself in, what is not known of it, or that the dialect has no word for it.
pub fn rules(site: &Site, side: Side, mode: Mode, dialect: Dialect) -> Result<String, Conflict> {
    let set = Ruleset::of(site, side, mode)?;
    match dialect {
        Dialect::Nftables => Ok(nftables::write(&set)),
        Dialect::Iptables => Ok(iptables::write(&set)),
    }
}

/// What a person must know besides the rules, a sentence or two each; it stands at the top of the rules too.
///
/// # Errors
/// As of [`rules`].
pub fn notes(site: &Site, side: Side, mode: Mode) -> Result<Vec<String>, Conflict> {
    Ok(Ruleset::of(site, side, mode)?.notes)
}

/// The comment that every output begins with: for whom it is, what passes and why, how to load it and how to undo it. `mark`
/// begins a comment.
fn header(set: &Ruleset<'_>, mark: &str, dialect: &str, load: &[&str], undo: &[&str]) -> String {
    let mut text = format!("{mark} FTP through {}, {}: {dialect}\n{mark}\n", set.side, set.mode);
    for flow in &set.flows {
        let (from, to) = (flow.opener.name(), flow.opener.other().name());
        let _ = writeln!(text, "{mark}   {from} {} -> {to} {}: {}", flow.source, flow.target, flow.why);
    }
    let _ = writeln!(text, "{mark}");
    let mut part = |title: &str, lines: &[&str]| {
        for (n, line) in lines.iter().enumerate() {
            let title = if n == 0 { title } else { "" };
            let _ = writeln!(text, "{mark} {title:<6}{line}");
        }
    };
    part("Load:", load);
    part("Undo:", undo);
    for note in &set.notes {
        for (n, line) in note.lines().flat_map(wrapped).enumerate() {
            let title = if n == 0 { "Note:" } else { "" };
            let _ = writeln!(text, "{mark} {title:<6}{line}");
        }
    }
    text
}

/// What a Linux router needs before its rules.
fn router(set: &Ruleset<'_>) -> Vec<&'static str> {
    let mut lines = Vec::new();
    if set.side.is_router() {
        lines.push(
            "sysctl -w net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1, where it is no router yet",
        );
        if set.site.helper {
            lines.push("modprobe nf_nat_ftp");
        }
    }
    lines
}

/// A text in lines of at most 100 characters, broken between words.
fn wrapped(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.len() + 1 + word.len() <= 100 => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests;
