//! The rules of a host, by nftables and by iptables, and what they have counted.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::Host;

/// A family of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// What a counter has counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// Packets.
    pub packets: u64,
    /// Their bytes, with the headers of IP and TCP.
    pub bytes: u64,
}

impl Host {
    /// Loads a text of nftables, in addition to what is there.
    ///
    /// # Panics
    ///
    /// When `nft` does not take it, with what it said.
    #[track_caller]
    pub fn load_nft(&self, rules: &str) {
        let mut command = self.command("nft");
        command.args(["-f", "-"]);
        self.feed(command, rules);
    }

    /// Loads a text of iptables-save, for one family, in addition to what is there.
    ///
    /// # Panics
    ///
    /// When it is not taken, or [`iptables`] gives nothing.
    #[track_caller]
    pub fn load_iptables(&self, family: Family, rules: &str) {
        let mut command = self.iptables(family, "restore");
        command.arg("--noflush");
        self.feed(command, rules);
    }

    /// A program of iptables here: `restore`, `save`, or nothing for iptables itself.
    ///
    /// # Panics
    ///
    /// When [`iptables`] gives nothing.
    #[must_use]
    #[track_caller]
    pub fn iptables(&self, family: Family, part: &str) -> Command {
        let program = iptables().expect("a test asks `iptables` first");
        let six = if family == Family::V6 { "6" } else { "" };
        let dash = if part.is_empty() { "" } else { "-" };
        // One program with many names; the first argument is such a name too.
        let mut command = self.command(&program);
        command.arg(format!("ip{six}tables{dash}{part}"));
        if let Some(root) = program.parent().and_then(Path::parent).and_then(Path::parent)
            && root != Path::new("/")
        {
            let folders = libraries(root);
            command.env("LD_LIBRARY_PATH", std::env::join_paths(&folders).expect("no colon in our paths"));
            if let Some(extensions) =
                folders.iter().map(|folder| folder.join("xtables")).find(|path| path.is_dir())
            {
                command.env("XTABLES_LIBDIR", extensions);
            }
        }
        command
    }

    /// What a named counter of nftables has counted: `counter NAME { }` in a table, `counter name NAME` in its rules.
    ///
    /// # Panics
    ///
    /// When there is none of this name.
    #[must_use]
    #[track_caller]
    pub fn count(&self, name: &str) -> Count {
        let text = self.run("nft", ["list", "counters"]);
        read_count(&text, name).unwrap_or_else(|| panic!("{} has no counter {name}: {text}", self.name()))
    }
}

/// iptables over nftables: Debian's `xtables-nft-multi`, installed, or unpacked beside this build by `cargo xtask install`.
#[must_use]
pub fn iptables() -> Option<PathBuf> {
    const PROGRAM: &str = "usr/sbin/xtables-nft-multi";
    let here = std::env::current_exe().ok()?;
    let beside = here.ancestors().map(|folder| folder.join("peers/x").join(PROGRAM));
    beside.chain([Path::new("/").join(PROGRAM)]).find(|path| path.is_file())
}

/// Where the libraries of an unpacked tree lie.
fn libraries(root: &Path) -> Vec<PathBuf> {
    let folder = root.join("usr/lib");
    let there = std::fs::read_dir(&folder).into_iter().flatten().flatten().map(|entry| entry.path());
    there.filter(|path| path.to_string_lossy().contains("-linux-")).collect()
}

/// `counter NAME {`, then `packets N bytes M`.
fn read_count(text: &str, name: &str) -> Option<Count> {
    let (_, after) = text.split_once(&format!("counter {name} {{"))?;
    let mut words = after.split_whitespace();
    let mut number = |word: &str| words.find(|next| *next == word).and(words.next())?.parse().ok();
    Some(Count { packets: number("packets")?, bytes: number("bytes")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_is_read() {
        let text = "table inet t {\n\tcounter ab {\n\t\tpackets 1 bytes 60\n\t}\n\tcounter a {\n\t\tpackets 7 bytes 420\n\t}\n}\n";
        assert_eq!(read_count(text, "a"), Some(Count { packets: 7, bytes: 420 }));
        assert_eq!(read_count(text, "b"), None);
    }
}
