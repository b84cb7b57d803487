//! The rules of a host, by nftables and by iptables, and what they have counted.

use std::ffi::OsString;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Host;

/// A family of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
    /// When it is not taken, or there is no iptables.
    #[track_caller]
    pub fn load_iptables(&self, family: Family, rules: &str) {
        let program = if family == Family::V4 { "iptables-restore" } else { "ip6tables-restore" };
        let mut command = self.with_iptables(program);
        command.arg("--noflush");
        self.feed(command, rules);
    }

    /// A program that will run here and that finds iptables by its names: `iptables-save`, or `sh` for a script.
    ///
    /// # Panics
    ///
    /// When there is no iptables.
    #[must_use]
    #[track_caller]
    pub fn with_iptables(&self, program: &str) -> Command {
        let mut command = self.command("env");
        let root = iptables().expect("a test asks `have_iptables` first");
        if root != Path::new("/") {
            let path = std::env::var_os("PATH").unwrap_or_default();
            let path = std::iter::once(root.join("usr/sbin")).chain(std::env::split_paths(&path));
            command.arg(assignment("PATH", path));
            let folders = libraries(&root);
            let extensions = folders.iter().map(|folder| folder.join("xtables")).find(|path| path.is_dir());
            command.arg(assignment("LD_LIBRARY_PATH", folders));
            command.args(extensions.map(|folder| assignment("XTABLES_LIBDIR", [folder])));
        }
        command.arg(program);
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

/// Whether there is iptables; where not, says that the test is skipped.
#[must_use]
pub fn have_iptables() -> bool {
    if iptables().is_none() {
        println!("skipped: rules of iptables (it is neither installed nor unpacked)");
    }
    iptables().is_some()
}

/// The root of iptables: Debian's, unpacked beside this build by `cargo xtask install`, or that of the system.
fn iptables() -> Option<PathBuf> {
    let here = std::env::current_exe().ok()?;
    let mut beside = here.ancestors().map(|folder| folder.join("peers/x"));
    let unpacked = beside.find(|root| root.join("usr/sbin").join(PROGRAM).is_file());
    if let Some(root) = unpacked {
        // The names of the one program, which are the system's to give when the package is installed.
        for name in ["iptables", "ip6tables"] {
            for part in ["", "-restore", "-save"] {
                // It may be there, and another test may make it just now.
                _ = symlink(PROGRAM, root.join(format!("usr/sbin/{name}{part}")));
            }
        }
        return Some(root);
    }
    Path::new("/usr/sbin/iptables").exists().then(|| PathBuf::from("/"))
}

/// iptables over nftables, all of it.
const PROGRAM: &str = "xtables-nft-multi";

fn assignment(name: &str, folders: impl IntoIterator<Item = PathBuf>) -> OsString {
    let mut word = OsString::from(format!("{name}="));
    word.push(std::env::join_paths(folders).expect("no colon in our paths"));
    word
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
