//! What the tests need from outside: the FTP clients of the interop tests, and cargo's own `fmt` and `clippy`.
//! As root on Debian what is missing is installed; elsewhere it is named, and the tests skip it with a notice.

use std::path::Path;
use std::process::{Command, Stdio};

/// A program that the interop tests drive, the laboratory is built with or instructions are counted by, and the Debian package that brings it.
const CLIENTS: &[(&str, &str)] = &[
    ("curl", "curl"),
    ("lftp", "lftp"),
    ("tnftp", "tnftp"),
    ("inetutils-ftp", "inetutils-ftp"),
    ("ncftpget", "ncftp"),
    ("wget", "wget"),
    ("busybox", "busybox"),
    ("python3", "python3"),
    ("ps", "procps"),
    ("ip", "iproute2"),
    ("nft", "nftables"),
    ("openssl", "openssl"),
    ("sslscan", "sslscan"),
    ("valgrind", "valgrind"),
];

/// Installs the missing clients where that is possible, and says what will be skipped where it is not.
pub(crate) fn clients() -> Result<(), String> {
    let missing = missing(on_path);
    if missing.is_empty() {
        println!("every client is here");
        return Ok(());
    }
    if !can_install() {
        skip(&missing, "not root on Debian");
        return Ok(());
    }
    let packages: Vec<&str> = missing.iter().map(|(_, package)| *package).collect();
    println!("installing {}", packages.join(" "));
    if !apt(&["update", "-q"]) {
        println!("apt-get update failed; trying with the lists that are here");
    }
    let mut ask = vec!["install", "-q", "-y", "--no-install-recommends"];
    ask.extend(&packages);
    if !apt(&ask) {
        // One name that this release does not have must not cost the others.
        for package in &packages {
            apt(&["install", "-q", "-y", "--no-install-recommends", package]);
        }
    }
    let still = self::missing(on_path);
    if !still.is_empty() {
        skip(&still, "apt-get did not bring it");
    }
    Ok(())
}

/// `cargo fmt` and `cargo clippy`: a minimal toolchain comes without them.
pub(crate) fn cargo_parts() -> Result<(), String> {
    for (part, component) in [("fmt", "rustfmt"), ("clippy", "clippy")] {
        if quiet(Command::new("cargo").args([part, "--version"])) {
            continue;
        }
        println!("adding {component} to the toolchain");
        let added = Command::new("rustup").args(["component", "add", component]).status();
        if !added.is_ok_and(|status| status.success()) {
            return Err(format!("`cargo {part}` is missing and `rustup component add {component}` failed"));
        }
    }
    Ok(())
}

fn missing(have: impl Fn(&str) -> bool) -> Vec<(&'static str, &'static str)> {
    CLIENTS.iter().copied().filter(|(program, _)| !have(program)).collect()
}

fn skip(missing: &[(&str, &str)], why: &str) {
    for (program, package) in missing {
        println!("skipped: tests with {program} ({why}; Debian's package is `{package}`)");
    }
}

pub(crate) fn can_install() -> bool {
    Path::new("/etc/debian_version").exists() && is_root() && on_path("apt-get")
}

pub(crate) fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output();
    id.is_ok_and(|out| out.stdout.trim_ascii() == b"0")
}

pub(crate) fn on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

pub(crate) fn apt(args: &[&str]) -> bool {
    let done = Command::new("apt-get").args(args).env("DEBIAN_FRONTEND", "noninteractive").status();
    done.is_ok_and(|status| status.success())
}

pub(crate) fn quiet(command: &mut Command) -> bool {
    let done = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    done.is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_absent_is_missing() {
        assert!(missing(|_| true).is_empty());
        assert_eq!(missing(|program| program != "lftp"), [("lftp", "lftp")]);
    }
}
