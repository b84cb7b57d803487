//! rclone over TLS, which is Go's. It keeps one ticket for all that it has to do with the server, takes a newer one where it
//! reads, and reads nothing where it stores. `cargo xtask install` brings a current one.

use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use super::{Nine, WAYS, Way, strict};
use crate::support::files::room;
use crate::support::program::{Ran, program};
use crate::support::server::Server;

/// The one beside the servers of other people; Debian's is too old to resume at all.
fn rclone() -> Option<PathBuf> {
    let path = room().parent()?.join("peers/py/bin/rclone");
    let found = path.is_file();
    if !found {
        println!("skipped: rclone is not installed (cargo xtask install brings it)");
    }
    found.then_some(path)
}

/// What it must be told of the server.
#[track_caller]
fn told(path: &Path, server: &Server, way: Way) -> Vec<String> {
    let obscured = server.run(named(path), &["obscure", server.password], "").fine();
    let port = way.port(server).to_string();
    let mut all = vec!["--config", "", "--retries=1", "--low-level-retries=1", "--inplace"];
    all.extend(["--ftp-host", server.host, "--ftp-port", &port, "--ftp-user", server.user]);
    all.extend(["--ftp-pass", obscured.text.trim(), "--ftp-no-check-certificate"]);
    all.push(if way.implicit { "--ftp-tls" } else { "--ftp-explicit-tls" });
    if way.version == "1.2" {
        all.push("--ftp-disable-tls13");
    }
    all.into_iter().map(str::to_owned).collect()
}

fn named(path: &Path) -> &str {
    path.to_str().expect("build folders have plain names")
}

#[track_caller]
fn run(path: &Path, server: &Server, way: Way, args: &[&str]) -> Ran {
    let told = told(path, server, way);
    let mut all = vec!["--transfers=1", "--checkers=1"];
    all.extend(told.iter().map(String::as_str));
    all.extend(args);
    server.run(named(path), &all, "")
}

/// rclone as a daemon, which keeps its control connection from one order to the next. It ends with the value.
struct Daemon<'a> {
    child: Child,
    path: &'a Path,
    server: &'a Server,
}

impl Daemon<'_> {
    #[track_caller]
    fn start<'a>(path: &'a Path, server: &'a Server, way: Way) -> Daemon<'a> {
        let mut command = program(named(path), &server.local(), &server.home());
        command.args(["rcd", "--rc-no-auth", "--rc-addr", SOCKET]).args(told(path, server, way));
        let child = command.stdin(Stdio::null()).spawn().expect("rclone starts");
        let daemon = Daemon { child, path, server };
        let end = Instant::now() + Duration::from_secs(30);
        while !daemon.order(&["rc/noop"]).ok {
            assert!(Instant::now() < end, "rclone takes no orders");
        }
        daemon
    }

    #[track_caller]
    fn order(&self, words: &[&str]) -> Ran {
        let socket = SOCKET.trim_start_matches("unix://");
        let args = [&["rc", "--config", "", "--unix-socket", socket], words].concat();
        self.server.run(named(self.path), &args, "")
    }
}

impl Drop for Daemon<'_> {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// Where it takes orders: in the folder in which it runs, since such a name may not be long.
const SOCKET: &str = "unix://rc.sock";

#[test]
fn rclone_gets_and_puts_in_one_session() {
    for way in WAYS {
        let Some(path) = rclone() else { return };
        let server = strict();
        let nine = Nine::of(&server);
        let daemon = Daemon::start(&path, &server, way);
        daemon.order(&["operations/list", "fs=:ftp:", "remote="]).fine().prints(&["r0.bin", "1000000"]);
        for (fetched, name) in &nine.moves {
            let (from, to) = if *fetched { (":ftp:", ".") } else { (".", ":ftp:") };
            let words = [format!("srcFs={from}"), format!("srcRemote={name}"), format!("dstFs={to}")];
            let mut order = vec!["operations/copyfile"];
            order.extend(words.iter().map(String::as_str));
            let last = format!("dstRemote={name}");
            order.push(&last);
            daemon.order(&order).fine();
        }
        assert_eq!(nine.arrived(&server, way), 1, "{way:?}");
    }
}

#[test]
fn rclone_copies_folder_by_folder() {
    for way in WAYS {
        let Some(path) = rclone() else { return };
        let server = strict();
        let nine = Nine::of(&server);
        run(&path, &server, way, &["lsl", ":ftp:"]).fine().prints(&["r0.bin", "1000000"]);
        // One run of its own for each stretch in one direction.
        for stretch in nine.moves.chunk_by(|one, next| one.0 == next.0) {
            let mut args = vec!["copy", "--order-by", "name"];
            for (_, name) in stretch {
                args.extend(["--include", name]);
            }
            args.extend(if stretch[0].0 { [":ftp:", "."] } else { [".", ":ftp:"] });
            run(&path, &server, way, &args).fine();
        }
        nine.arrived(&server, way);
    }
}
