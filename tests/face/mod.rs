//! The program's face: what it prints, which codes it ends with, and what it says of things that cannot be right.

mod bars;
mod charset;
mod client;
mod cut;
mod doctor;
mod firewall;
mod firewall_loads;
mod json;
mod limits;
mod mean;
mod several;
mod tls;

pub(crate) use client::run_in;

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::sockets::peer::Peer;
use crate::support::files::room;
use crate::support::server::{binary, passive_range};

fn twoport(args: &[&str]) -> Output {
    Command::new(binary()).args(args).stdin(Stdio::null()).output().expect("the program runs")
}

/// It ends with this code, and stderr holds all of these.
#[track_caller]
fn ends(args: &[&str], code: i32, said: &[&str]) {
    let output = twoport(args);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{args:?}: {text}");
    for part in said {
        assert!(text.contains(part), "{args:?} did not say {part:?}:\n{text}");
    }
}

#[test]
fn what_cannot_be_right_is_a_sentence_and_a_code() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    ends(
        &["serve", "/nonexistent", "--listen", "127.0.0.1:0"],
        6,
        &["cannot share /nonexistent", "No such file"],
    );
    ends(
        &["serve", "/etc/passwd", "--listen", "127.0.0.1:0"],
        6,
        &["cannot share /etc/passwd", "Not a directory"],
    );
    ends(&["serve", ".", "--listen", &taken], 6, &["cannot listen on", "another with --listen"]);
    ends(&["serve", ".", "--listen", "2121"], 2, &["--listen"]);
    ends(&["serve", ".", "--passive-ports", "9000-8000"], 2, &["--passive-ports 9000-8000"]);
    ends(&["serve", ".", "--user", ":x"], 2, &["NAME[:PASSWORD][@ro|rw]"]);
    ends(&["serve", ".", "--active", "off", "--passive", "off"], 2, &["no file could ever be moved"]);
    ends(&["serve", ".", "--config", "/nonexistent.toml"], 2, &["cannot read the configuration"]);
    ends(&["serv"], 2, &["serve"]);
    ends(&[], 2, &["serve"]);
}

#[test]
fn what_cannot_be_right_about_tls_is_said_at_the_start() {
    let serve = |flags: &[&str], code, said: &[&str]| {
        ends(&[&["serve", ".", "--listen", "127.0.0.1:0"], flags].concat(), code, said);
    };
    serve(
        &["--tls-cert", "/nonexistent.pem"],
        6,
        &["TLS cannot be offered", "/nonexistent.pem cannot be read"],
    );
    serve(&["--tls-cert", "/etc/passwd"], 6, &["/etc/passwd cannot be used", "no certificate in PEM"]);
    serve(&["--tls-key", "key.pem"], 2, &["--tls-cert"]);
    serve(&["--tls", "off", "--implicit", "127.0.0.1:0"], 2, &["implicit", "needs TLS"]);
    let flags = [".", "--listen", "127.0.0.1:0", "--tls", "off", "--data-resumption", "off"];
    assert_eq!(Running::start(&flags).stop(), Some(0));
}

#[test]
fn help_and_version_end_with_0() {
    for args in
        [&["--help"][..], &["--version"], &["serve", "--help"], &["man", "serve"], &["completions", "zsh"]]
    {
        let output = twoport(args);
        assert_eq!(output.status.code(), Some(0), "{args:?}");
        assert!(!output.stdout.is_empty());
    }
    // The manual of the shell holds its commands.
    let manual = String::from_utf8_lossy(&twoport(&["man", "ftp"]).stdout).into_owned();
    assert!(manual.contains("reget remote") && manual.contains("execute macro"), "{manual}");
}

#[test]
fn check_tells_what_a_configuration_means() {
    let folder = tempfile::tempdir_in(room()).unwrap();
    let file = folder.path().join("twoport.toml");
    let path = file.to_str().unwrap();
    fs::write(&file, "root = \".\"\npassive-ports = \"50000-50009\"\npassive-address = \"10.0.0.1\"\n")
        .unwrap();
    let output = twoport(&["check", "--config", path]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(text.contains("50000-50009") && text.contains("private address"), "{text}");
    fs::write(&file, "pasive-ports = \"50000-50009\"\n").unwrap();
    ends(&["check", "--config", path], 2, &["line 1, column 1", "passive-ports"]);
}

#[test]
fn a_newcomer_can_connect_at_once() {
    let folder = tempfile::tempdir_in(room()).unwrap();
    fs::write(folder.path().join("a"), b"hello").unwrap();
    let (low, high) = passive_range();
    let range = format!("{low}-{high}");
    let shared = folder.path().to_str().unwrap();
    let mut running = Running::start(&[shared, "--listen", "127.0.0.1:0", "--passive-ports", &range]);
    let mut peer = Peer::login_as(running.address, &running.user, &running.password);
    assert_eq!(peer.fetch("RETR a"), b"hello");
    assert_eq!(peer.store("STOR b", b"world").0, 226);
    assert_eq!(running.stop(), Some(0));
}

#[test]
fn sighup_reads_the_configuration_again() {
    let folder = tempfile::tempdir_in(room()).unwrap();
    let file = folder.path().join("twoport.toml");
    let write = |password: &str| {
        let text = format!("[[user]]\nname = \"anna\"\npassword = \"{password}\"\n");
        fs::write(&file, text).unwrap();
    };
    write("first");
    let args =
        [folder.path().to_str().unwrap(), "--config", file.to_str().unwrap(), "--listen", "127.0.0.1:0"];
    let mut running = Running::start(&args);
    let mut old = Peer::login_as(running.address, "anna", "first");
    write("second");
    running.signal(Signal::HUP);
    // New sessions go by the new file as soon as it is read.
    loop {
        let mut peer = Peer::connect(running.address);
        peer.expect("USER anna", 331);
        if peer.ask("PASS second").0 == 230 {
            break;
        }
    }
    old.expect("NOOP", 200);
    // A file that is not right changes nothing.
    fs::write(&file, "nonsense").unwrap();
    running.signal(Signal::HUP);
    Peer::login_as(running.address, "anna", "second").expect("NOOP", 200);
    old.expect("QUIT", 221);
    assert_eq!(running.stop(), Some(0));
}

/// `twoport serve` with these arguments, and what it printed of how to reach it.
struct Running {
    child: Child,
    address: SocketAddr,
    user: String,
    password: String,
    /// Held open: a program whose output nobody takes would fail.
    _stdout: BufReader<ChildStdout>,
}

impl Running {
    #[track_caller]
    fn start(args: &[&str]) -> Running {
        let mut child = Command::new(binary())
            .arg("serve")
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program starts");
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        let told = loop {
            line.clear();
            assert_ne!(stdout.read_line(&mut line).unwrap(), 0, "it told no address");
            if let Some(told) = line.trim().strip_prefix("ftp://").and_then(|rest| rest.strip_suffix('/')) {
                break told.to_owned();
            }
        };
        let (credentials, address) = told.split_once('@').expect("an account stands before the address");
        let (user, password) = credentials.split_once(':').unwrap_or((credentials, ""));
        Running {
            child,
            address: address.parse().expect("an address and a port"),
            user: user.to_owned(),
            password: password.to_owned(),
            _stdout: stdout,
        }
    }

    fn signal(&self, signal: Signal) {
        let id =
            i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).expect("a child has a process id");
        kill_process(id, signal).expect("the server is there");
    }

    /// Tells it to stop and gives the code that it ends with.
    fn stop(&mut self) -> Option<i32> {
        self.signal(Signal::TERM);
        self.child.wait().expect("a child can be waited for").code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
