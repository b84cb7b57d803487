//! iptables on a host of a network: Debian's, unpacked beside this build, or the system's.

use std::ffi::OsString;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use twoport_netns::Host;

/// A family of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// Loads a text of iptables-save, for one family, in addition to what is there.
#[track_caller]
pub(super) fn load(host: &Host, family: Family, rules: &str) {
    let program = if family == Family::V4 { "iptables-restore" } else { "ip6tables-restore" };
    let mut command = command(host, program);
    command.arg("--noflush");
    twoport_netns::feed(command, rules).unwrap();
}

/// A program that will run there and that finds iptables by its names: `iptables-save`, or `sh` for a script.
#[track_caller]
pub(super) fn command(host: &Host, program: &str) -> Command {
    let mut command = host.command("env");
    let root = iptables().expect("a test asks `have` first");
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

/// Whether there is iptables; where not, says that the test is skipped.
pub(super) fn have() -> bool {
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
