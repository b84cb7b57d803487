//! wget: it only gets. Passive by PASV (EPSV over IPv6), active by PORT.

use crate::support::files::NAMES;
use crate::support::program::Ran;
use crate::support::server::Server;

const MODES: &[&str] = &["--passive-ftp", "--no-passive-ftp"];

#[track_caller]
fn wget(server: &Server, mode: &str, args: &[&str]) -> Ran {
    let (user, password) = (format!("--user={}", server.user), format!("--password={}", server.password));
    let mut all = vec!["-nv", "--no-config", "--tries=1", "--timeout=20", &user, &password, mode];
    all.extend(args);
    server.run("wget", &all, "")
}

#[test]
fn wget_gets_and_resumes_in_every_mode() {
    let Some(server) = Server::meeting("wget") else { return };
    let there = server.offers("there.bin", 300_000);
    for mode in MODES {
        wget(&server, mode, &["-O", "got.bin", &server.url("there.bin")]).fine();
        server.client_got("got.bin", &there);
        std::fs::write(server.local().join("there.bin"), &there[..70_001])
            .expect("a test file can be written");
        wget(&server, mode, &["-c", &server.url("there.bin")]).fine();
        server.client_got("there.bin", &there);
    }
}

#[test]
fn wget_lists_in_every_mode() {
    let Some(server) = Server::meeting("wget") else { return };
    server.offers("one.bin", 12_345);
    for mode in MODES {
        wget(&server, mode, &["-O", "list.html", &server.url("")]).fine();
        let list = std::fs::read_to_string(server.local().join("list.html")).expect("wget writes a page");
        assert!(list.contains("one.bin") && list.contains("12345 bytes"), "{list}");
    }
}

#[test]
fn wget_gets_a_tree() {
    let Some(server) = Server::meeting("wget") else { return };
    let mut files = Vec::new();
    for name in ["a.bin", "deep/b.bin", "deep/er/c.bin", "two words.bin", "Grüße 日本.bin", "empty"] {
        files.push((name, server.offers(&format!("tree/{name}"), if name == "empty" { 0 } else { 3000 })));
    }
    for mode in MODES {
        wget(&server, mode, &["-r", "-nH", "--restrict-file-names=nocontrol", &server.url("tree/")]).fine();
        for (name, bytes) in &files {
            server.client_got(&format!("tree/{name}"), bytes);
        }
        std::fs::remove_dir_all(server.local().join("tree")).expect("the tree was got");
    }
}

#[test]
fn wget_gets_by_a_pattern() {
    let Some(server) = Server::meeting("wget") else { return };
    let one = server.offers("one.dat", 1000);
    server.offers("two.txt", 1000);
    // The star itself, not its escape, makes it a pattern.
    wget(&server, MODES[0], &[&server.url("X").replace('X', "*.dat")]).fine();
    server.client_got("one.dat", &one);
    assert!(!server.local().join("two.txt").exists());
}

#[test]
fn wget_gets_odd_names() {
    let Some(server) = Server::meeting("wget") else { return };
    for name in NAMES {
        let there = server.offers(name, 5000);
        wget(&server, MODES[0], &["-O", "got.bin", &server.url(name)]).fine();
        server.client_got("got.bin", &there);
    }
}

#[test]
fn wget_gets_an_empty_file() {
    let Some(server) = Server::meeting("wget") else { return };
    server.offers("empty", 0);
    for mode in MODES {
        wget(&server, mode, &["-O", "got", &server.url("empty")]).fine();
        server.client_got("got", b"");
    }
    assert!(!wget(&server, MODES[0], &[&server.url("nothing.bin")]).ok);
}
