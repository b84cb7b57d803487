//! Runs other people's programs: with a time limit, in a clean environment, and with both outputs on one pipe, so that
//! what they print stays in its order.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// How a program ended, and all that it printed.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) ok: bool,
    pub(crate) text: String,
}

impl Ran {
    /// It ended with success.
    #[track_caller]
    pub(crate) fn fine(self) -> Ran {
        assert!(self.ok, "the client failed; it printed:\n{}", self.text);
        self
    }

    /// It printed all of these.
    #[track_caller]
    pub(crate) fn prints(self, parts: &[&str]) -> Ran {
        for part in parts {
            assert!(self.text.contains(part), "no {part:?} in what the client printed:\n{}", self.text);
        }
        self
    }
}

/// Whether a program is installed; if not, says that its test is skipped.
pub(crate) fn have(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).any(|folder| folder.join(program).is_file());
    if !found {
        println!("skipped: {program} is not installed");
    }
    found
}

/// A program in a clean environment: no start-up files, no proxies, one language.
pub(crate) fn program(name: &str, folder: &Path, home: &Path) -> Command {
    let mut command = Command::new(name);
    command.current_dir(folder).env("HOME", home).env("LC_ALL", "C.UTF-8").env("TERM", "dumb");
    for (name, _) in std::env::vars_os() {
        let lower = name.to_string_lossy().to_lowercase();
        if lower.ends_with("_proxy") || lower == "netrc" || lower == "lftp_home" {
            command.env_remove(name);
        }
    }
    command
}

/// Runs a program to its end; after `limit` it is killed and the test fails with what it had printed.
#[track_caller]
pub(crate) fn run(mut command: Command, input: &str, limit: Duration) -> Ran {
    let said = format!("{command:?}");
    let (mut reader, writer) = std::io::pipe().expect("a pipe can be made");
    let second = writer.try_clone().expect("a pipe can be cloned");
    command.stdin(Stdio::piped()).stdout(writer).stderr(second);
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{said} did not start: {error}"));
    drop(command); // it holds the pipe's writing ends

    let mut stdin = child.stdin.take().expect("stdin is piped");
    let input = input.to_owned();
    // A client that has quit does not read on; that is no failure.
    std::thread::spawn(move || _ = stdin.write_all(input.as_bytes()));
    let (send, printed) = mpsc::channel();
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = reader.read(&mut buffer) {
            if send.send(buffer[..count].to_vec()).is_err() {
                break;
            }
        }
    });

    let end = Instant::now() + limit;
    let mut text = Vec::new();
    let status = loop {
        while let Ok(more) = printed.try_recv() {
            text.extend(more);
        }
        if let Some(status) = child.try_wait().expect("a child can be waited for") {
            break status;
        }
        if Instant::now() > end {
            _ = child.kill();
            _ = child.wait();
            panic!(
                "{said} was still running after {limit:?}; it printed:\n{}",
                String::from_utf8_lossy(&text)
            );
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    // Until the pipe ends; a grandchild that lives on must not hold the test.
    while let Ok(more) = printed.recv_timeout(Duration::from_secs(2)) {
        text.extend(more);
    }
    Ran { ok: status.success(), text: String::from_utf8_lossy(&text).into_owned() }
}

/// How a program of ours ended: its code, and what it printed on each of the two.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) out: Vec<u8>,
    pub(crate) err: String,
}

/// Runs a program to its end without input, its outputs apart; after `limit` it is killed and the test fails.
#[track_caller]
pub(crate) fn run_apart(mut command: Command, limit: Duration) -> Ended {
    let said = format!("{command:?}");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{said} did not start: {error}"));
    let out = read_all(child.stdout.take().expect("stdout is piped"));
    let err = read_all(child.stderr.take().expect("stderr is piped"));
    let end = Instant::now() + limit;
    let status = loop {
        if let Some(status) = child.try_wait().expect("a child can be waited for") {
            break Some(status);
        }
        if Instant::now() > end {
            _ = child.kill();
            _ = child.wait();
            break None;
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let (out, err) = (out.join().unwrap_or_default(), err.join().unwrap_or_default());
    let err = String::from_utf8_lossy(&err).into_owned();
    let Some(status) = status else { panic!("{said} was still running after {limit:?}; it printed:\n{err}") };
    Ended { code: status.code(), out, err }
}

fn read_all(mut from: impl Read + Send + 'static) -> std::thread::JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        _ = from.read_to_end(&mut bytes);
        bytes
    })
}
