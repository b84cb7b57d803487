//! Whether firewalls take the rules of `twoport firewall`: nft and iptables load them in a network namespace of their own, and
//! take them back by the undo that stands in them. The other dialects are snapshots only: not parsed here.

use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use super::firewall::printed;
use crate::support::files::room;
use crate::support::program::have;

/// Every side and mode, in plain with a helper and without one, with and without names for who and where.
fn cases() -> Vec<Vec<&'static str>> {
    let server =
        ["--address", "198.51.100.2", "--address", "2001:db8:50::2", "--listen", "21", "--listen", "2121"];
    let mut cases = Vec::new();
    for side in ["server", "server-nat", "client", "client-nat"] {
        for mode in ["passive", "active", "both"] {
            let range = [
                "--implicit",
                "990",
                "--passive-ports",
                "61000-61255",
                "--active",
                "port20",
                "--tls",
                "required",
            ];
            for more in [&range[..], &["--helper", "--tls", "off"]] {
                let named: &[&str] = match side {
                    "server" => &["--client", "203.0.113.0/24", "--client", "2001:db8:7::/48"],
                    "server-nat" => &["--inside", "192.168.50.2"],
                    _ => &[
                        "--client",
                        "10.77.1.2",
                        "--client",
                        "2001:db8:77::2",
                        "--active-ports",
                        "41000-41010",
                    ],
                };
                cases.push([&["--side", side, "--mode", mode], &server[..], named, more].concat());
            }
        }
    }
    cases.push(vec!["--passive-ports", "61000-61255"]);
    cases.push(vec!["--side", "server-nat", "--passive-ports", "61000-61255", "--inside", "10.0.0.2"]);
    cases.push(vec!["--side", "client-nat"]);
    cases
}

#[test]
fn nft_takes_every_file_and_the_undo_that_stands_in_it() {
    let Some(room) = Netns::new() else { return };
    if !have("nft") {
        return;
    }
    for case in cases() {
        let text = printed(&[&case[..], &["--for", "nftables"]].concat());
        room.sh("nft -c -f -", &text).fine(&case);
        room.sh("nft -f -", &text).fine(&case);
        // In a table that is there already and drops, it is the same.
        room.sh("nft flush ruleset; nft -f -", DROPPING).fine(&case);
        room.sh("nft -f -", &text).fine(&case);
        let ruleset = room.sh("nft list ruleset", "").fine(&case);
        assert_eq!(ruleset.matches("policy drop;").count(), 3, "{case:?}: {ruleset}");
        room.sh(&format!("set -e\n{}", undo(&text)), "").fine(&case);
        let left = room.sh("nft list ruleset", "").fine(&case);
        assert!(!left.contains("twoport"), "{case:?} left:\n{left}");
    }
}

#[test]
fn iptables_takes_every_script_and_takes_it_back() {
    let Some(room) = Netns::new() else { return };
    let Some(tools) = Iptables::find() else { return };
    for case in cases() {
        let text = printed(&[&case[..], &["--for", "iptables"]].concat());
        let script = |flags: &str| room.sh(&tools.before(&format!("sh -s -- {flags}")), &text).fine(&case);
        let rules = || room.sh(&tools.before("iptables-save && ip6tables-save"), "").fine(&case);
        script("--test");
        assert!(!rules().contains("TWOPORT"), "{case:?}: --test loaded something");
        script("");
        let loaded = rules();
        assert!(loaded.matches("-j TWOPORT").count() >= 2, "{case:?}: {loaded}");
        script("");
        assert_eq!(rules().matches("-j TWOPORT").count(), loaded.matches("-j TWOPORT").count(), "{case:?}");
        script("--undo");
        script("--undo");
        let left = rules();
        assert!(!left.contains("TWOPORT"), "{case:?} left:\n{left}");
    }
}

/// A firewall as many have it.
const DROPPING: &str = "table inet filter {
    chain input {
        type filter hook input priority 0; policy drop;
    }
    chain forward {
        type filter hook forward priority 0; policy drop;
    }
    chain output {
        type filter hook output priority 0; policy drop;
    }
}
";

/// The commands behind "Undo:" at the top of a file.
fn undo(text: &str) -> String {
    let from = text.lines().skip_while(|line| !line.starts_with("# Undo: "));
    let lines =
        from.map_while(|line| line.strip_prefix("# Undo: ").or_else(|| line.strip_prefix("#       ")));
    lines.collect::<Vec<_>>().join("\n")
}

/// A network namespace of its own, so that no rule of this machine is touched; it is gone when this is dropped.
struct Netns(String);

impl Netns {
    fn new() -> Option<Netns> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        if !have("ip") || !rustix::process::geteuid().is_root() {
            println!("skipped: no firewall parses the rules (not root)");
            return None;
        }
        let name = format!("twoport-face-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let made = Command::new("ip").args(["netns", "add", &name]).status();
        if !made.is_ok_and(|status| status.success()) {
            println!("skipped: no firewall parses the rules (no network namespace to be had)");
            return None;
        }
        Some(Netns(name))
    }

    /// Runs a line of shell in it, with this on standard input.
    fn sh(&self, line: &str, input: &str) -> Said {
        let mut child = Command::new("ip")
            .args(["netns", "exec", &self.0, "sh", "-c", line])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("ip runs");
        // One that reads nothing closes its end.
        let _ = child.stdin.take().expect("it is piped").write_all(input.as_bytes());
        let output = child.wait_with_output().expect("a child can be waited for");
        Said {
            ok: output.status.success(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            text: format!("{line}\n{}\n{input}", String::from_utf8_lossy(&output.stderr)),
        }
    }
}

impl Drop for Netns {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "delete", &self.0]).status();
    }
}

/// How a line of shell ended.
struct Said {
    ok: bool,
    out: String,
    text: String,
}

impl Said {
    #[track_caller]
    fn fine(self, case: &[&str]) -> String {
        assert!(self.ok, "{case:?}:\n{}", self.text);
        self.out
    }
}

/// iptables of this machine, or the one that `cargo xtask install` unpacks.
struct Iptables {
    /// What stands in front of a line of shell.
    path: String,
    _links: Option<tempfile::TempDir>,
}

impl Iptables {
    fn find() -> Option<Iptables> {
        if have("iptables-restore") && have("ip6tables-restore") {
            return Some(Iptables { path: String::new(), _links: None });
        }
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent()?.join("target/peers/x");
        let program = root.join("usr/sbin/xtables-nft-multi");
        if !program.exists() {
            println!("skipped: iptables is not unpacked either (cargo xtask install, as root on Debian)");
            return None;
        }
        // It is told by its name what to be.
        let links = tempfile::tempdir_in(room()).expect("a folder can be made");
        for name in ["iptables", "ip6tables"] {
            for end in ["", "-restore", "-save"] {
                symlink(&program, links.path().join(format!("{name}{end}"))).expect("a link can be made");
            }
        }
        let folders = fs::read_dir(root.join("usr/lib")).ok()?.flatten().map(|entry| entry.path());
        let libraries = folders.into_iter().find(|path| path.join("xtables").is_dir())?;
        let path = format!(
            "export PATH={}:$PATH LD_LIBRARY_PATH={} XTABLES_LIBDIR={}; ",
            links.path().display(),
            libraries.display(),
            libraries.join("xtables").display()
        );
        Some(Iptables { path, _links: Some(links) })
    }

    fn before(&self, line: &str) -> String {
        format!("{}{line}", self.path)
    }
}
