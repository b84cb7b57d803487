//! Firewall rules in the dialect asked for. The flows are in `flow`, what they ask of a side in `rule`; each dialect is a
//! file that spells it.
//!
//! | dialect | file |
//! | --- | --- |
//! | nftables | `nftables` |
//! | iptables | `iptables` |
//! | ufw | `ufw` |
//! | firewalld | `firewalld` |
//! | pf of OpenBSD and FreeBSD | `pf` |
//! | Windows Firewall | `windows` |
//! | AWS, Azure, GCP, Terraform | `cloud` |
//! | Docker Compose, Kubernetes | `containers` |
//! | Cisco ASA | `cisco` |
//! | MikroTik | `mikrotik` |
//! | a table for people | `table` |

mod cisco;
mod cloud;
mod containers;
mod firewalld;
mod iptables;
mod mikrotik;
mod nftables;
mod pf;
mod rule;
mod table;
mod ufw;
mod windows;

use std::fmt::{self, Write as _};

use crate::conflict::Conflict;
use crate::flow::{Mode, Side, Site};
use cloud::Cloud;
use rule::Ruleset;

/// How rules are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// A file for `nft -f`.
    Nftables,
    /// A shell script around `iptables-restore` and `ip6tables-restore`.
    Iptables,
    /// A shell script of ufw's commands.
    Ufw,
    /// A shell script of `firewall-cmd`.
    Firewalld,
    /// A file that `pf.conf` includes.
    Pf,
    /// PowerShell for Windows Firewall.
    Windows,
    /// A shell script of `aws ec2`, for a security group.
    Aws,
    /// A shell script of `az`, for a network security group.
    Azure,
    /// A shell script of `gcloud`, for a network.
    Gcp,
    /// Terraform, for a security group of AWS.
    Terraform,
    /// A file for Docker Compose, over the one that is there.
    DockerCompose,
    /// A Service and a NetworkPolicy.
    Kubernetes,
    /// Commands for Cisco ASA.
    CiscoAsa,
    /// A script for RouterOS.
    Mikrotik,
    /// What must pass, for people.
    Table,
}

impl Dialect {
    /// Every one of them.
    pub const ALL: [Dialect; 15] = [
        Dialect::Nftables,
        Dialect::Iptables,
        Dialect::Ufw,
        Dialect::Firewalld,
        Dialect::Pf,
        Dialect::Windows,
        Dialect::Aws,
        Dialect::Azure,
        Dialect::Gcp,
        Dialect::Terraform,
        Dialect::DockerCompose,
        Dialect::Kubernetes,
        Dialect::CiscoAsa,
        Dialect::Mikrotik,
        Dialect::Table,
    ];

    /// As it is typed.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Dialect::Nftables => "nftables",
            Dialect::Iptables => "iptables",
            Dialect::Ufw => "ufw",
            Dialect::Firewalld => "firewalld",
            Dialect::Pf => "pf",
            Dialect::Windows => "windows",
            Dialect::Aws => "aws",
            Dialect::Azure => "azure",
            Dialect::Gcp => "gcp",
            Dialect::Terraform => "terraform",
            Dialect::DockerCompose => "docker-compose",
            Dialect::Kubernetes => "kubernetes",
            Dialect::CiscoAsa => "cisco-asa",
            Dialect::Mikrotik => "mikrotik",
            Dialect::Table => "table",
        }
    }
}

/// The rules of a side, ready to be loaded; they open what the flows need and close nothing.
///
/// # Errors
/// What the site contradicts itself in, what is not known of it, or that the dialect has no word for it.
pub fn rules(site: &Site, side: Side, mode: Mode, dialect: Dialect) -> Result<String, Conflict> {
    let set = whole(site, side, mode, dialect)?;
    match dialect {
        Dialect::Nftables => Ok(nftables::write(&set)),
        Dialect::Iptables => Ok(iptables::write(&set)),
        Dialect::Ufw => Ok(ufw::write(&set)),
        Dialect::Firewalld => Ok(firewalld::write(&set)),
        Dialect::Pf => pf::write(&set),
        Dialect::Windows => windows::write(&set),
        Dialect::Aws => cloud::write(&set, Cloud::Aws),
        Dialect::Azure => cloud::write(&set, Cloud::Azure),
        Dialect::Gcp => cloud::write(&set, Cloud::Gcp),
        Dialect::Terraform => cloud::write(&set, Cloud::Terraform),
        Dialect::DockerCompose => containers::compose(&set),
        Dialect::Kubernetes => containers::kubernetes(&set),
        Dialect::CiscoAsa => cisco::write(&set),
        Dialect::Mikrotik => Ok(mikrotik::write(&set)),
        Dialect::Table => Ok(table::write(&set)),
    }
}

/// What a person must know besides the rules, a sentence or two each; it stands at the top of the rules too.
///
/// # Errors
/// What the site contradicts itself in, or what is not known of it.
pub fn notes(site: &Site, side: Side, mode: Mode, dialect: Dialect) -> Result<Vec<String>, Conflict> {
    Ok(whole(site, side, mode, dialect)?.notes)
}

fn whole(site: &Site, side: Side, mode: Mode, dialect: Dialect) -> Result<Ruleset<'_>, Conflict> {
    let mut set = Ruleset::of(site, side, mode)?;
    let overlap = match dialect {
        Dialect::Windows => set.overlap("Windows", (49152, 65535), |range| {
            format!(
                "netsh int ipv4 add excludedportrange protocol=tcp startport={} numberofports={}",
                range.first(),
                range.len()
            )
        }),
        _ => set.overlap("Linux", (32768, 60999), |range| {
            format!("sysctl -w net.ipv4.ip_local_reserved_ports={range}")
        }),
    };
    set.notes.extend(overlap);
    Ok(set)
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
    part(&mut text, mark, "Load:", load);
    part(&mut text, mark, "Undo:", undo);
    for note in &set.notes {
        part(&mut text, mark, "Note:", note.lines().flat_map(wrapped));
    }
    text
}

/// Lines of that comment, the first of them behind its title.
fn part<T: fmt::Display>(text: &mut String, mark: &str, title: &str, lines: impl IntoIterator<Item = T>) {
    for (n, line) in lines.into_iter().enumerate() {
        let title = if n == 0 { title } else { "" };
        let _ = writeln!(text, "{mark} {title:<6}{line}");
    }
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
