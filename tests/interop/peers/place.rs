//! `Place`: the folders of one server and its client, `Sealed`: the view that a server of other people gets of this machine,
//! and `Keeper`: what runs, until it is dropped.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::inetd::Inetd;
use super::table::{self, ID};
use crate::support::files::{self, room};

/// Folders that go with the value.
pub(super) struct Place(tempfile::TempDir);

impl Place {
    pub(super) fn new() -> Place {
        let folder =
            tempfile::Builder::new().prefix("peer-").tempdir_in(room()).expect("a folder can be made");
        let place = Place(folder);
        for part in ["root", "local", "home", "run"] {
            fs::create_dir(place.0.path().join(part)).expect("a folder can be made");
        }
        place.hand_over(&place.root());
        place
    }

    /// What the server shares.
    pub(super) fn root(&self) -> PathBuf {
        self.0.path().join("root")
    }

    /// Where the client runs.
    pub(super) fn local(&self) -> PathBuf {
        self.0.path().join("local")
    }

    /// The client's home.
    pub(super) fn home(&self) -> PathBuf {
        self.0.path().join("home")
    }

    /// A file of the server's own: settings, tables, a log.
    pub(super) fn run(&self, name: &str) -> PathBuf {
        self.0.path().join("run").join(name)
    }

    /// What the server prints.
    pub(super) fn log(&self) -> PathBuf {
        self.run("log")
    }

    /// Writes a file of the server's own.
    pub(super) fn write(&self, name: &str, text: &str) {
        files::write(&self.run(name), text.as_bytes());
    }

    /// A table of passwords that others may read is refused by some.
    pub(super) fn keep_to_root(&self, name: &str) {
        fs::set_permissions(self.run(name), fs::Permissions::from_mode(0o600)).expect("it is ours");
    }

    /// Gives a file or a folder of the shared ones to the user that the servers know. Who is not root is that user himself.
    pub(super) fn hand_over(&self, path: &Path) {
        if rustix::process::geteuid().is_root() {
            chown(path, Some(ID), Some(ID)).expect("root may give a file away");
        }
    }

    /// A server that gets each connection from a loop, in a view of its own.
    pub(super) fn inetd(
        &self,
        command: impl Fn(&Sealed) -> Command + Send + Sync + 'static,
    ) -> Result<Keeper, String> {
        let sealed = Sealed::new(self)?;
        Ok(Keeper::Inetd(Inetd::serve(&self.log(), move || command(&sealed))))
    }
}

/// A view of this machine in which /etc is ours, /run is empty and /mnt is the shared folder: so no account is needed and
/// none is touched, nothing is left behind, and it does not matter who may enter the folders above the shared one.
pub(super) struct Sealed {
    etc: PathBuf,
    root: PathBuf,
}

impl Sealed {
    fn new(place: &Place) -> Result<Sealed, String> {
        let etc = place.run("etc");
        for (name, text) in table::accounts() {
            files::write(&etc.join(name), text.as_bytes());
        }
        for name in ["ld.so.cache", "localtime"] {
            // Without the first the loader looks for itself; without the second the clock is UTC.
            _ = fs::copy(Path::new("/etc").join(name), etc.join(name));
        }
        place.keep_to_root("etc/shadow");
        let sealed = Sealed { etc, root: place.root() };
        let tried = sealed.enter(Path::new("true")).output();
        match tried {
            Ok(out) if out.status.success() => Ok(sealed),
            Ok(out) => {
                let why = String::from_utf8_lossy(&out.stderr).trim().to_owned();
                Err(format!("it needs a mount namespace: {why}"))
            }
            Err(e) => Err(format!("it needs unshare: {e}")),
        }
    }

    /// A program in that view.
    pub(super) fn enter(&self, program: &Path) -> Command {
        const SCRIPT: &str = "mount --bind \"$1\" /etc && mount --bind \"$2\" /mnt && mount -t tmpfs tmpfs /run && \
                              mkdir -p /run/empty && shift 2 && exec \"$@\"";
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private", "sh", "-c", SCRIPT, "sh"]);
        command.arg(&self.etc).arg(&self.root).arg(program).env("LD_LIBRARY_PATH", table::libraries());
        command
    }
}

/// What runs, until it is dropped.
pub(super) enum Keeper {
    /// One process a connection.
    Inetd(Inetd),
    /// Processes that listen for themselves.
    Alone(Vec<Alone>),
}

impl Keeper {
    /// Starts one program for each address; one whose address this machine does not have is left out.
    pub(super) fn alone(place: &Place, command: impl Fn(IpAddr) -> Command) -> Keeper {
        let addresses = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
        let here = addresses.into_iter().filter(|address| TcpListener::bind((*address, 0)).is_ok());
        Keeper::Alone(here.map(|address| Alone::start(command(address), &place.log())).collect())
    }

    /// Where it listens: IPv4 first.
    pub(super) fn addresses(&self) -> Vec<SocketAddr> {
        match self {
            Keeper::Inetd(inetd) => inetd.addresses(),
            Keeper::Alone(processes) => processes.iter().map(|process| process.at).collect(),
        }
    }
}

/// A process that listens at an address.
pub(super) struct Alone {
    child: Child,
    at: SocketAddr,
}

impl Alone {
    /// Starts a program that prints `ftp://WHO@ADDRESS:PORT/` when it listens.
    fn start(mut command: Command, log: &Path) -> Alone {
        let errors = File::options().create(true).append(true).open(log).expect("a log can be written");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(errors);
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?} did not start: {error}"));
        let mut lines = BufReader::new(child.stdout.take().expect("stdout is piped")).lines();
        let read =
            |line: String| line.split_once("ftp://")?.1.split_once('@')?.1.split_once('/')?.0.parse().ok();
        let Some(at) = lines.by_ref().map_while(Result::ok).find_map(read) else {
            _ = child.kill();
            _ = child.wait();
            panic!("{command:?} told no address; it said:\n{}", fs::read_to_string(log).unwrap_or_default());
        };
        // Read to its end, so that the server never waits for us.
        std::thread::spawn(move || lines.for_each(drop));
        Alone { child, at }
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}
