//! The program under test, started as a user would start it, for one test: its own folder, port and passive range.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use super::files::{self, bytes, room};
use super::program::{self, Ran, have};

/// How long a client may take for a test with small files.
const LIMIT: Duration = Duration::from_secs(60);

/// Without TLS.
const OFF: [&str; 2] = ["--tls", "off"];

/// A running server. It ends with the value.
pub(crate) struct Server {
    child: Child,
    folder: Arc<tempfile::TempDir>,
    said: Arc<Mutex<String>>,
    pub(crate) host: &'static str,
    pub(crate) port: u16,
    /// Where TLS begins with the first byte, if the flags asked for that.
    pub(crate) implicit: Option<u16>,
    pub(crate) user: &'static str,
    pub(crate) password: &'static str,
}

impl Server {
    /// A server for one client on 127.0.0.1, unless the client is not installed. Its user is `alice`, `secret`.
    pub(crate) fn meeting(client: &str) -> Option<Server> {
        have(client).then(|| Server::start("127.0.0.1", "alice", "secret"))
    }

    /// A server on an address with one account that may read and write.
    pub(crate) fn start(host: &'static str, user: &'static str, password: &'static str) -> Server {
        Server::over(Arc::new(folder()), host, user, password, &OFF)
    }

    /// Alice's server, with TLS by these flags. Its log tells of data connections too.
    pub(crate) fn secure(host: &'static str, flags: &[&str]) -> Server {
        Server::prepared(host, |_| flags.iter().map(|flag| (*flag).to_owned()).collect())
    }

    /// The same, in a folder where files may be put that the flags name.
    pub(crate) fn prepared(host: &'static str, prepare: impl FnOnce(&Path) -> Vec<String>) -> Server {
        let folder = folder();
        let flags = prepare(folder.path());
        Server::over(Arc::new(folder), host, "alice", "secret", &flags)
    }

    /// Alice's servers behind one balancer: over one folder, with these passive ports each.
    pub(crate) fn balanced<const COUNT: usize>(
        hosts: [(&'static str, (u16, u16)); COUNT],
        flags: &[&str],
        config: &str,
    ) -> [Server; COUNT] {
        let folder = Arc::new(folder());
        let file = folder.path().join("twoport.toml");
        files::write(&file, config.as_bytes());
        hosts.map(|(host, ports)| {
            let implicit = format!("{host}:0");
            let flags: Vec<&OsStr> = [OsStr::new("--config"), file.as_os_str(), OsStr::new("--implicit")]
                .into_iter()
                .chain([OsStr::new(&implicit)])
                .chain(flags.iter().map(OsStr::new))
                .collect();
            Server::with_ports(Arc::clone(&folder), host, ("alice", "secret"), ports, &flags)
        })
    }

    /// Another server over the same folder, when this one has ended.
    pub(crate) fn again(&self) -> Server {
        Server::over(Arc::clone(&self.folder), self.host, self.user, self.password, &OFF)
    }

    fn over(
        folder: Arc<tempfile::TempDir>,
        host: &'static str,
        user: &'static str,
        password: &'static str,
        flags: &[impl AsRef<OsStr>],
    ) -> Server {
        Server::with_ports(folder, host, (user, password), passive_range(), flags)
    }

    fn with_ports(
        folder: Arc<tempfile::TempDir>,
        host: &'static str,
        (user, password): (&'static str, &'static str),
        (low, high): (u16, u16),
        flags: &[impl AsRef<OsStr>],
    ) -> Server {
        let shown = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        let mut child = Command::new(binary())
            .arg("serve")
            .arg(folder.path().join("root"))
            .args(["--listen", &format!("{shown}:0"), "--user", &format!("{user}:{password}@rw")])
            .args(["--passive-ports", &format!("{low}-{high}")])
            .args(flags)
            .env("XDG_STATE_HOME", folder.path().join("state"))
            .env("TWOPORT_LOG", "info,twoport_server=debug")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{} did not start: {error}", binary().display()));

        let said = Arc::new(Mutex::new(String::new()));
        let (tell, heard) = mpsc::channel();
        // The line `ftp://USER:…@HOST:PORT/`: a password that was given is not shown again.
        let host_part = format!("@{shown}:");
        listen(child.stdout.take().expect("stdout is piped"), &said, move |line| {
            for scheme in ["ftp", "ftps"] {
                let user_part = format!("{scheme}://{user}:");
                let rest = line.split_once(&user_part).and_then(|(_, rest)| rest.split_once(&host_part));
                let port = rest.and_then(|(_, rest)| rest.split_once('/'));
                if let Some(port) = port.and_then(|(port, _)| port.parse::<u16>().ok()) {
                    _ = tell.send((scheme, port));
                }
            }
        });
        listen(child.stderr.take().expect("stderr is piped"), &said, |_| {});
        let told = |scheme| match heard.recv_timeout(Duration::from_secs(20)) {
            Ok((of, port)) if of == scheme => Some(port),
            _ => None,
        };
        let wanted = flags.iter().any(|flag| flag.as_ref() == "--implicit");
        // The line for ftps comes second.
        let (port, implicit) = (told("ftp"), if wanted { told("ftps") } else { None });
        let (Some(port), true) = (port, implicit.is_some() == wanted) else {
            _ = child.kill();
            _ = child.wait();
            panic!("the server told no address; it printed:\n{}", text(&said));
        };
        Server { child, folder, said, host, port, implicit, user, password }
    }

    /// The folder that is shared.
    pub(crate) fn root(&self) -> PathBuf {
        self.folder.path().join("root")
    }

    /// The folder in which the client runs.
    pub(crate) fn local(&self) -> PathBuf {
        self.folder.path().join("local")
    }

    /// The client's home.
    pub(crate) fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// Writes a file into the shared folder and gives back what it holds.
    pub(crate) fn offers(&self, name: &str, len: usize) -> Vec<u8> {
        let bytes = bytes(len, name.len() as u64 + len as u64);
        files::write(&self.root().join(name), &bytes);
        bytes
    }

    /// The same in the client's folder.
    pub(crate) fn has(&self, name: &str, len: usize) -> Vec<u8> {
        let bytes = bytes(len, name.len() as u64 + len as u64 + 7);
        files::write(&self.local().join(name), &bytes);
        bytes
    }

    /// The client holds just these bytes under this name.
    #[track_caller]
    pub(crate) fn client_got(&self, name: &str, bytes: &[u8]) {
        files::same(&self.local().join(name), bytes);
    }

    /// The shared folder holds just these bytes under this name.
    #[track_caller]
    pub(crate) fn server_got(&self, name: &str, bytes: &[u8]) {
        files::same(&self.root().join(name), bytes);
    }

    /// Whether the shared folder has something under this name.
    pub(crate) fn shares(&self, name: &str) -> bool {
        self.root().join(name).exists()
    }

    /// `ftp://HOST:PORT/PATH`, with the path's bytes escaped.
    pub(crate) fn url(&self, path: &str) -> String {
        let mut url = match self.host.contains(':') {
            true => format!("ftp://[{}]:{}/", self.host, self.port),
            false => format!("ftp://{}:{}/", self.host, self.port),
        };
        for byte in path.bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'_' | b'/' => url.push(byte as char),
                _ => url.push_str(&format!("%{byte:02X}")),
            }
        }
        url
    }

    /// The port as a word of a command line.
    pub(crate) fn port_word(&self) -> String {
        self.port.to_string()
    }

    /// Runs a client in its folder.
    #[track_caller]
    pub(crate) fn run(&self, client: &str, args: &[&str], input: &str) -> Ran {
        self.run_for(client, args, input, LIMIT)
    }

    /// The same with a limit of its own.
    #[track_caller]
    pub(crate) fn run_for(&self, client: &str, args: &[&str], input: &str, limit: Duration) -> Ran {
        let mut command = program::program(client, &self.local(), &self.home());
        command.args(args);
        program::run(command, input, limit)
    }

    /// All that the server has printed until now, its log too.
    pub(crate) fn log(&self) -> String {
        text(&self.said)
    }

    /// Waits until the server has printed this.
    #[track_caller]
    pub(crate) fn logs(&self, part: &str) {
        let end = Instant::now() + LIMIT;
        while !self.log().contains(part) {
            assert!(Instant::now() < end, "no {part:?} in the server's log");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// A file in the server's own folder, beside those of server and client.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The process id of the server.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for the server to end.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        self.child.wait().expect("a child can be waited for")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("the server printed:\n{}", text(&self.said));
        }
    }
}

/// A folder for one server and one client.
fn folder() -> tempfile::TempDir {
    let folder =
        tempfile::Builder::new().prefix("server-").tempdir_in(room()).expect("a test folder can be made");
    for part in ["root", "local", "home"] {
        std::fs::create_dir(folder.path().join(part)).expect("a test folder can be made");
    }
    folder
}

fn text(said: &Mutex<String>) -> String {
    said.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).clone()
}

/// Reads a pipe to its end, so that the server never waits for us, and shows each line to `look`.
fn listen(from: impl Read + Send + 'static, said: &Arc<Mutex<String>>, look: impl Fn(&str) + Send + 'static) {
    let said = Arc::clone(said);
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            look(&line);
            let mut said = said.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            said.push_str(&line);
            said.push('\n');
        }
    });
}

/// `TWOPORT_BIN`, else the newer of the two builds beside this test.
pub(crate) fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os("TWOPORT_BIN") {
        return PathBuf::from(path);
    }
    let target = room().parent().unwrap_or(Path::new("target"));
    let builds = ["release", "debug"].map(|profile| target.join(profile).join("twoport"));
    let made = builds.iter().filter_map(|path| Some((path.metadata().ok()?.modified().ok()?, path)));
    match made.max() {
        Some((_, path)) => path.clone(),
        None => panic!(
            "there is no {} and no {}: run `cargo build --release -p twoport`, or set TWOPORT_BIN",
            builds[0].display(),
            builds[1].display()
        ),
    }
}

/// Ports for one server's passive mode. Tests run side by side and so may test runs: ranges are handed out in turn from
/// a place that depends on the process, and one with a port in use is passed over. All lie outside Linux's range of
/// ephemeral ports (32768 to 60999).
pub(crate) fn passive_range() -> (u16, u16) {
    const WIDTH: u32 = 64;
    const LOW: u32 = (32_768 - 20_000) / WIDTH;
    const HIGH: u32 = (65_536 - 61_440) / WIDTH;
    static TURN: AtomicU32 = AtomicU32::new(0);
    for _ in 0..LOW + HIGH {
        let turn = TURN.fetch_add(1, Ordering::Relaxed).wrapping_add(std::process::id().wrapping_mul(17));
        let turn = turn % (LOW + HIGH);
        let first = if turn < LOW { 20_000 + turn * WIDTH } else { 61_440 + (turn - LOW) * WIDTH };
        let free = |port: u32| TcpListener::bind((Ipv4Addr::LOCALHOST, port as u16)).is_ok();
        if (first..first + WIDTH).all(free) {
            return (first as u16, (first + WIDTH - 1) as u16);
        }
    }
    panic!("no {WIDTH} free ports in a row");
}
