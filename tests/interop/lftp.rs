//! lftp: its shell, with passive mode by EPSV and by PASV and with active mode; folders both ways.

use crate::support::files::NAMES;
use crate::support::program::Ran;
use crate::support::server::Server;

const MODES: &[&str] = &[
    "set ftp:passive-mode on; set ftp:prefer-epsv on",
    "set ftp:passive-mode on; set ftp:prefer-epsv off",
    "set ftp:passive-mode off; set ftp:prefer-epsv on",
    "set ftp:passive-mode off; set ftp:prefer-epsv off",
];

#[track_caller]
pub(super) fn lftp(server: &Server, mode: &str, script: &str) -> Ran {
    let script = format!(
        "set cmd:fail-exit yes; set ftp:ssl-allow no; set net:timeout 20; set net:max-retries 1\n{mode}\n\
         open -u {},{} -p {} {}\n{script}\n",
        server.user, server.password, server.port, server.host
    );
    server.run("lftp", &["--norc", "-c", &script], "")
}

/// A word for lftp's shell.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""))
}

#[test]
fn lftp_lists_in_every_mode() {
    let Some(server) = Server::meeting("lftp") else { return };
    server.offers("one.bin", 12_345);
    server.offers("folder/two.bin", 1);
    for mode in MODES {
        lftp(&server, mode, "ls; nlist; cls -l").fine().prints(&["one.bin", "12345", "folder"]);
        lftp(&server, mode, "set ftp:use-mlsd yes; cls -1 folder/").fine().prints(&["two.bin"]);
    }
}

#[test]
fn lftp_gets_puts_and_resumes_in_every_mode() {
    let Some(server) = Server::meeting("lftp") else { return };
    let there = server.offers("there.bin", 300_000);
    let here = server.has("here.bin", 300_001);
    for (at, mode) in MODES.iter().enumerate() {
        let name = format!("{at}.bin");
        let script = format!("get there.bin -o {name}; put here.bin -o {name}");
        lftp(&server, mode, &script).fine();
        server.client_got(&name, &there);
        server.server_got(&name, &here);
        std::fs::write(server.local().join(&name), &there[..70_001]).expect("a test file can be written");
        std::fs::write(server.root().join(&name), &here[..50_003]).expect("a test file can be written");
        let script = format!("reget there.bin -o {name}; reput here.bin -o {name}");
        lftp(&server, mode, &script).fine();
        server.client_got(&name, &there);
        server.server_got(&name, &here);
    }
}

#[test]
fn lftp_renames_deletes_and_makes_folders() {
    let Some(server) = Server::meeting("lftp") else { return };
    let bytes = server.offers("old.bin", 1000);
    lftp(&server, MODES[0], "mkdir made; mkdir -p a/b/c; mv old.bin made/new.bin").fine();
    server.server_got("made/new.bin", &bytes);
    assert!(server.root().join("a/b/c").is_dir());
    lftp(&server, MODES[0], "rm made/new.bin; rmdir made; rm -r a").fine();
    assert!(!server.shares("made") && !server.shares("a"));
    assert!(!lftp(&server, MODES[0], "rm nothing.bin").ok);
}

#[test]
fn lftp_gets_and_puts_odd_names() {
    let Some(server) = Server::meeting("lftp") else { return };
    for name in NAMES {
        let there = server.offers(name, 5000);
        let here = server.has("here.bin", 6000);
        let up = format!("up {name}");
        let script = format!("get {0}; put here.bin -o {1}", quoted(name), quoted(&up));
        lftp(&server, MODES[0], &script).fine();
        server.client_got(name, &there);
        server.server_got(&up, &here);
        let moved = format!("moved {name}");
        lftp(&server, MODES[0], &format!("mv {} {}", quoted(&up), quoted(&moved))).fine();
        server.server_got(&moved, &here);
    }
    lftp(&server, MODES[0], "cls -1").fine().prints(NAMES);
}

#[test]
fn lftp_gets_and_puts_an_empty_file() {
    let Some(server) = Server::meeting("lftp") else { return };
    server.offers("empty", 0);
    server.has("void", 0);
    lftp(&server, MODES[0], "get empty; put void").fine();
    server.client_got("empty", b"");
    server.server_got("void", b"");
}

#[test]
fn lftp_mirrors_both_ways() {
    let Some(server) = Server::meeting("lftp") else { return };
    let mut files = Vec::new();
    for name in ["a.bin", "deep/b.bin", "deep/er/c.bin"].iter().chain(NAMES) {
        files.push((name, server.offers(&format!("tree/{name}"), 3000)));
    }
    for mode in [MODES[0], MODES[3]] {
        lftp(&server, mode, "mirror --parallel=3 tree copy; mirror -R --parallel=3 copy back").fine();
        for (name, bytes) in &files {
            server.client_got(&format!("copy/{name}"), bytes);
            server.server_got(&format!("back/{name}"), bytes);
        }
        std::fs::remove_dir_all(server.local().join("copy")).expect("the copy is there");
        std::fs::remove_dir_all(server.root().join("back")).expect("the copy is there");
    }
}

#[test]
fn lftp_gets_in_segments() {
    let Some(server) = Server::meeting("lftp") else { return };
    let there = server.offers("there.bin", 3_000_000);
    lftp(&server, MODES[0], "pget -n 4 there.bin -o got.bin").fine();
    server.client_got("got.bin", &there);
}
