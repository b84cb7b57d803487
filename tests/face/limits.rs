//! `--limit-rate`, `--retries` and `--timeout`: what a user holds the client to.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::client::{Desk, run_in};
use crate::support::files::{bytes, room};

#[test]
fn a_rate_is_kept_by_every_command_that_moves_bytes() {
    let desk = Desk::new();
    let file = bytes(150_000, 9);
    desk.house.put("a", &file);
    desk.house.put("tree/b", &file[..75_000]);
    desk.house.put("tree/c", &file[75_000..]);
    let (a, tree) = (desk.url("a"), desk.url("tree"));
    for args in [
        &["get", &a, "-o", "here"][..],
        &["put", "here", &a],
        &["cat", &a],
        // Two sessions, one limit.
        &["mirror", &tree, "copy", "--parallel", "2"],
    ] {
        let began = Instant::now();
        let output = desk.run(&[args, &["--limit-rate", "100k", "--quiet"]].concat());
        assert_eq!(output.status.code(), Some(0), "{args:?} {}", String::from_utf8_lossy(&output.stderr));
        // 150 000 bytes at 102 400 a second, less what goes at once.
        assert!(began.elapsed() > Duration::from_millis(1200), "{args:?}: {:?}", began.elapsed());
    }
    assert!(fs::read(desk.here("here")).unwrap() == file && desk.house.holds("a") == file);
    assert!(fs::read(desk.here("copy/b")).unwrap() == file[..75_000]);
    let (_, told) = desk.ends(&["get", &a, "--limit-rate", "fast"], 2);
    assert!(told.contains("as 500, 64k or 1.5M"), "{told}");
}

/// A server that hangs up when a listing is wanted; how many sessions it has had.
fn hangs_up() -> (u16, Arc<AtomicUsize>) {
    let control = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = control.local_addr().unwrap().port();
    let sessions: Arc<AtomicUsize> = Arc::default();
    let count = Arc::clone(&sessions);
    std::thread::spawn(move || {
        for stream in control.incoming().map_while(Result::ok) {
            count.fetch_add(1, Ordering::SeqCst);
            let mut out = stream.try_clone().unwrap();
            let mut say = move |text: &str| _ = out.write_all(format!("{text}\r\n").as_bytes());
            say("220 strange");
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                match line.split(' ').next().unwrap_or_default() {
                    "USER" => say("331 and?"),
                    "PASS" => say("230 in"),
                    "TYPE" => say("200 ok"),
                    "EPSV" | "PASV" | "PORT" => break,
                    _ => say("502 what?"),
                }
            }
        }
    });
    (port, sessions)
}

#[test]
fn retries_are_counted_in_sessions() {
    let folder = tempfile::tempdir_in(room()).unwrap();
    for (args, sessions) in [(&["--retries", "0"][..], 1), (&["--retries", "1"], 2), (&[], 4)] {
        let (port, had) = hangs_up();
        let url = format!("ftp://anna:secret@127.0.0.1:{port}/");
        let output = run_in(folder.path(), &[&["ls", &url], args].concat());
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(4), "{told}");
        assert_eq!(had.load(Ordering::SeqCst), sessions, "{args:?}: {told}");
    }
}

#[test]
fn a_server_that_says_nothing_is_left_after_the_timeout() {
    let folder = tempfile::tempdir_in(room()).unwrap();
    let mute = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let url = format!("ftp://anna:secret@{}/", mute.local_addr().unwrap());
    let output = run_in(folder.path(), &["ls", &url, "--timeout", "1"]);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(4), "{told}");
    assert!(told.contains("said nothing for 1 seconds"), "{told}");
}
