//! The folders of one server and its client, and our server on a host of a network.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use twoport_netns::{Host, Process};

use crate::support::files::{self, bytes, room};
use crate::support::program::{self, Ran};
use crate::support::server::binary;

/// How long a client may take.
const LIMIT: Duration = Duration::from_secs(40);

/// The one account.
const USER: &str = "alice:secret";

/// Folders that go with the value.
pub(super) struct Place(tempfile::TempDir);

impl Place {
    pub(super) fn new() -> Place {
        let folder =
            tempfile::Builder::new().prefix("netns-").tempdir_in(room()).expect("a test folder can be made");
        for part in ["root", "local", "home"] {
            std::fs::create_dir(folder.path().join(part)).expect("a test folder can be made");
        }
        Place(folder)
    }

    /// What the server shares.
    pub(super) fn root(&self) -> PathBuf {
        self.0.path().join("root")
    }

    /// Where the client runs.
    pub(super) fn local(&self) -> PathBuf {
        self.0.path().join("local")
    }

    /// Writes a file into the shared folder and gives back what it holds.
    pub(super) fn offers(&self, name: &str, len: usize) -> Vec<u8> {
        let bytes = bytes(len, name.len() as u64 + len as u64);
        files::write(&self.root().join(name), &bytes);
        bytes
    }

    /// Our server on a host, with Alice's account. It listens when this returns.
    #[track_caller]
    pub(super) fn serve(&self, host: &Host, listen: &str, flags: &[&str]) -> Process {
        let user = format!("{USER}@rw");
        let flags: Vec<&str> = ["--user", &user].iter().chain(flags).copied().collect();
        self.start(host, listen, &flags, "ftp://alice:")
    }

    /// The same, with these lines in its configuration and with Alice's account there, who may ask SITE DOCTOR.
    #[track_caller]
    pub(super) fn serve_by(&self, host: &Host, listen: &str, config: &str, flags: &[&str]) -> Process {
        let (name, password) = USER.split_once(':').expect("a name and a password");
        let file = self.local().join("twoport.toml");
        let account = format!("[[user]]\nname = \"{name}\"\npassword = \"{password}\"\ndoctor = true\n");
        files::write(&file, format!("{config}\n{account}").as_bytes());
        let file = file.to_str().expect("a folder of ours is text");
        let flags: Vec<&str> = ["--config", file].iter().chain(flags).copied().collect();
        // A password out of a file is not shown.
        self.start(host, listen, &flags, "ftp://alice@")
    }

    #[track_caller]
    fn start(&self, host: &Host, listen: &str, flags: &[&str], says: &str) -> Process {
        let mut command = host.command(binary());
        command
            .arg("serve")
            .arg(self.root())
            .args(["--listen", listen])
            .args(flags)
            .env("XDG_STATE_HOME", self.0.path().join("state"))
            .env("TWOPORT_LOG", "info,twoport_server=debug");
        let mut server = Process::start(command).unwrap();
        server.says(says).unwrap();
        server
    }

    /// Our client on a host, with what it remembers in the place's own home.
    pub(super) fn twoport(&self, host: &Host, args: &[&str]) -> Ran {
        let mut command = host.command(binary());
        command.args(args);
        self.clean(&mut command, &self.0.path().join("home"));
        program::run(command, "", LIMIT)
    }

    /// In the client's folder; no start-up files, no proxies, one language.
    pub(super) fn clean(&self, command: &mut Command, home: &Path) {
        command.current_dir(self.local()).env("HOME", home).env("LC_ALL", "C.UTF-8").env("TERM", "dumb");
        command.env("XDG_STATE_HOME", home).env("XDG_CONFIG_HOME", home).env("XDG_CACHE_HOME", home);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().to_lowercase().ends_with("_proxy") {
                command.env_remove(name);
            }
        }
    }
}
