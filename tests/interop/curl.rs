//! curl: EPSV, PASV, EPRT and PORT, each by its own flags.

use crate::support::files::NAMES;
use crate::support::program::Ran;
use crate::support::server::Server;

const MODES: &[&[&str]] = &[&[], &["--disable-epsv"], &["-P", "-"], &["-P", "-", "--disable-eprt"]];

#[track_caller]
fn curl(server: &Server, args: &[&str]) -> Ran {
    let user = format!("{}:{}", server.user, server.password);
    let mut all = vec!["-g", "-sS", "--max-time", "50", "-u", &user];
    all.extend(args);
    server.run("curl", &all, "")
}

#[track_caller]
fn with(server: &Server, mode: &[&str], args: &[&str]) {
    curl(server, &[mode, args].concat()).fine();
}

#[test]
fn curl_lists_in_every_mode() {
    let Some(server) = Server::meeting("curl") else { return };
    server.offers("one.bin", 12_345);
    server.offers("folder/two.bin", 1);
    for mode in MODES {
        let listed = curl(&server, &[*mode, &[&server.url("")]].concat()).fine();
        listed.prints(&["one.bin", "12345", "folder"]);
        let named = curl(&server, &[*mode, &["-l", &server.url("folder/")]].concat()).fine();
        assert_eq!(named.text.trim(), "two.bin");
    }
}

#[test]
fn curl_gets_and_puts_in_every_mode() {
    let Some(server) = Server::meeting("curl") else { return };
    let there = server.offers("there.bin", 300_000);
    let here = server.has("here.bin", 300_001);
    for (at, mode) in MODES.iter().enumerate() {
        let name = format!("{at}.bin");
        with(&server, mode, &["-o", &name, &server.url("there.bin")]);
        server.client_got(&name, &there);
        with(&server, mode, &["-T", "here.bin", &server.url(&name)]);
        server.server_got(&name, &here);
    }
}

#[test]
fn curl_gets_and_puts_over_ipv6() {
    if !crate::support::program::have("curl") || !crate::interop::ftplib::ipv6() {
        return;
    }
    let server = Server::start("::1", "alice", "secret");
    let there = server.offers("there.bin", 70_000);
    for mode in [&[][..], &["-P", "-"]] {
        with(&server, mode, &["-o", "got.bin", &server.url("there.bin")]);
        server.client_got("got.bin", &there);
    }
}

#[test]
fn curl_resumes_both_ways() {
    let Some(server) = Server::meeting("curl") else { return };
    let there = server.offers("there.bin", 200_000);
    let here = server.has("here.bin", 150_000);
    for (at, mode) in MODES.iter().enumerate() {
        let name = format!("{at}.bin");
        std::fs::write(server.local().join(&name), &there[..70_001]).expect("a test file can be written");
        with(&server, mode, &["-C", "-", "-o", &name, &server.url("there.bin")]);
        server.client_got(&name, &there);
        std::fs::write(server.root().join(&name), &here[..50_003]).expect("a test file can be written");
        with(&server, mode, &["-C", "-", "-T", "here.bin", &server.url(&name)]);
        server.server_got(&name, &here);
    }
}

#[test]
fn curl_gets_a_range() {
    let Some(server) = Server::meeting("curl") else { return };
    let there = server.offers("there.bin", 200_000);
    with(&server, &[], &["-r", "1000-1999", "-o", "part.bin", &server.url("there.bin")]);
    server.client_got("part.bin", &there[1000..2000]);
}

#[test]
fn curl_appends() {
    let Some(server) = Server::meeting("curl") else { return };
    let there = server.offers("there.bin", 1000);
    let here = server.has("here.bin", 2000);
    with(&server, &["-a"], &["-T", "here.bin", &server.url("there.bin")]);
    server.server_got("there.bin", &[there, here].concat());
}

#[test]
fn curl_renames_deletes_and_makes_folders() {
    let Some(server) = Server::meeting("curl") else { return };
    let bytes = server.offers("old.bin", 1000);
    let root = server.url("");
    with(&server, &[], &["-Q", "RNFR old.bin", "-Q", "RNTO new name.bin", &root]);
    assert!(!server.shares("old.bin"));
    server.server_got("new name.bin", &bytes);
    with(&server, &[], &["-Q", "MKD made", "-Q", "DELE new name.bin", &root]);
    assert!(server.root().join("made").is_dir() && !server.shares("new name.bin"));
    with(&server, &[], &["-Q", "RMD made", &root]);
    assert!(!server.shares("made"));
    let here = server.has("here.bin", 10);
    with(&server, &["--ftp-create-dirs"], &["-T", "here.bin", &server.url("a/b/c/here.bin")]);
    server.server_got("a/b/c/here.bin", &here);
    assert!(!curl(&server, &["-Q", "DELE nothing.bin", &root]).ok);
}

#[test]
fn curl_gets_and_puts_odd_names() {
    let Some(server) = Server::meeting("curl") else { return };
    for name in NAMES {
        let there = server.offers(name, 5000);
        with(&server, &[], &["-o", "got.bin", &server.url(name)]);
        server.client_got("got.bin", &there);
        let here = server.has("here.bin", 6000);
        let up = format!("up {name}");
        with(&server, &[], &["-T", "here.bin", &server.url(&up)]);
        server.server_got(&up, &here);
        let within = format!("{name}.d/leaf.bin");
        let there = server.offers(&within, 10);
        with(&server, &[], &["-o", "leaf.bin", &server.url(&within)]);
        server.client_got("leaf.bin", &there);
    }
    curl(&server, &[&server.url("")]).fine().prints(NAMES);
}

#[test]
fn curl_gets_and_puts_an_empty_file() {
    let Some(server) = Server::meeting("curl") else { return };
    server.offers("empty", 0);
    server.has("void", 0);
    for (at, mode) in MODES.iter().enumerate() {
        let name = format!("{at}.bin");
        with(&server, mode, &["-o", &name, &server.url("empty")]);
        server.client_got(&name, b"");
        with(&server, mode, &["-T", "void", &server.url(&name)]);
        server.server_got(&name, b"");
    }
}

#[test]
fn curl_is_told_what_is_missing() {
    let Some(server) = Server::meeting("curl") else { return };
    let ran = curl(&server, &["-o", "got.bin", &server.url("nothing.bin")]);
    assert!(!ran.ok, "{}", ran.text);
    let wrong = server.run("curl", &["-sS", "-u", "alice:wrong", &server.url("")], "");
    assert!(!wrong.ok, "{}", wrong.text);
    wrong.prints(&["530"]);
}
