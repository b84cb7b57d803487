//! tnftp, the BSD client, with its commands on standard input. It ends with success whatever happened, so the tests look at
//! what it did.

use crate::support::files::NAMES;
use crate::support::program::Ran;
use crate::support::server::Server;

/// The flag, and the command that chooses between the old and the extended verbs.
const MODES: &[(&str, &str)] =
    &[("-p", "epsv4 on"), ("-p", "epsv4 off"), ("-A", "epsv4 on"), ("-A", "epsv4 off")];

#[track_caller]
fn tnftp(server: &Server, (flag, verbs): (&str, &str), script: &str) -> Ran {
    let input = format!("user {} {}\n{verbs}\nbinary\n{script}\nquit\n", server.user, server.password);
    server.run("tnftp", &["-n", "-i", "-v", flag, server.host, &server.port_word()], &input).prints(&["230"])
}

/// A word of a command. The backslash works everywhere; within quotes the client would keep it.
fn quoted(name: &str) -> String {
    let escape = |c: char| if " '\"".contains(c) { format!("\\{c}") } else { c.to_string() };
    name.chars().map(escape).collect()
}

#[test]
fn tnftp_lists_in_every_mode() {
    let Some(server) = Server::meeting("tnftp") else { return };
    server.offers("one.bin", 12_345);
    server.offers("folder/two.bin", 1);
    for mode in MODES {
        let ran = tnftp(&server, *mode, "ls\nnlist folder\nmlsd\nmlst one.bin\npwd");
        ran.prints(&["one.bin", "12345", "folder", "two.bin", "226", "Remote directory: /"]);
    }
}

#[test]
fn tnftp_gets_puts_and_resumes_in_every_mode() {
    let Some(server) = Server::meeting("tnftp") else { return };
    let there = server.offers("there.bin", 300_000);
    let here = server.has("here.bin", 300_001);
    let rest = server.has("rest.bin", 1000);
    for (at, mode) in MODES.iter().enumerate() {
        let name = format!("{at}.bin");
        tnftp(&server, *mode, &format!("get there.bin {name}\nput here.bin {name}"));
        server.client_got(&name, &there);
        server.server_got(&name, &here);
        std::fs::write(server.local().join(&name), &there[..70_001]).expect("a test file can be written");
        tnftp(&server, *mode, &format!("reget there.bin {name}\nappend rest.bin {name}"));
        server.client_got(&name, &there);
        server.server_got(&name, &[&here[..], &rest].concat());
        std::fs::write(server.local().join(&name), &there[..90_000]).expect("a test file can be written");
        tnftp(&server, *mode, &format!("restart 90000\nget there.bin {name}"));
        server.client_got(&name, &there);
    }
}

#[test]
fn tnftp_renames_deletes_and_makes_folders() {
    let Some(server) = Server::meeting("tnftp") else { return };
    let bytes = server.offers("old.bin", 1000);
    tnftp(&server, MODES[0], "mkdir made\nrename old.bin made/new.bin\ncd made\npwd").prints(&["/made"]);
    server.server_got("made/new.bin", &bytes);
    tnftp(&server, MODES[0], "delete made/new.bin\nrmdir made\nsize nothing.bin").prints(&["550"]);
    assert!(!server.shares("made"));
}

#[test]
fn tnftp_gets_and_puts_odd_names() {
    let Some(server) = Server::meeting("tnftp") else { return };
    for name in NAMES {
        let there = server.offers(name, 5000);
        let here = server.has("here.bin", 6000);
        let up = format!("up {name}");
        tnftp(&server, MODES[0], &format!("get {} got.bin\nput here.bin {}", quoted(name), quoted(&up)));
        server.client_got("got.bin", &there);
        server.server_got(&up, &here);
        tnftp(&server, MODES[0], &format!("delete {}\nmkdir {}", quoted(&up), quoted(&format!("{name}.d"))));
        assert!(!server.shares(&up) && server.shares(&format!("{name}.d")));
    }
    tnftp(&server, MODES[0], "nlist").prints(NAMES);
}

#[test]
fn tnftp_gets_and_puts_an_empty_file() {
    let Some(server) = Server::meeting("tnftp") else { return };
    server.offers("empty", 0);
    server.has("void", 0);
    tnftp(&server, MODES[0], "get empty\nput void");
    server.client_got("empty", b"");
    server.server_got("void", b"");
}

#[test]
fn tnftp_gets_and_puts_many() {
    let Some(server) = Server::meeting("tnftp") else { return };
    let there: Vec<_> = (0..20).map(|at| server.offers(&format!("there{at}.dat"), 2000 + at)).collect();
    let here: Vec<_> = (0..20).map(|at| server.has(&format!("here{at}.txt"), 3000 + at)).collect();
    for mode in [MODES[0], MODES[3]] {
        tnftp(&server, mode, "mget there*.dat\nmput here*.txt");
        for (at, bytes) in there.iter().enumerate() {
            server.client_got(&format!("there{at}.dat"), bytes);
        }
        for (at, bytes) in here.iter().enumerate() {
            server.server_got(&format!("here{at}.txt"), bytes);
        }
    }
}

#[test]
fn tnftp_gets_text_as_text() {
    let Some(server) = Server::meeting("tnftp") else { return };
    std::fs::write(server.root().join("text.txt"), "one\ntwo\n").expect("a test file can be written");
    std::fs::write(server.local().join("mine.txt"), "three\nfour\n").expect("a test file can be written");
    tnftp(&server, MODES[0], "ascii\nget text.txt\nput mine.txt");
    server.client_got("text.txt", b"one\ntwo\n");
    server.server_got("mine.txt", b"three\nfour\n");
}
