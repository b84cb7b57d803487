//! GNU inetutils' ftp, with its commands on standard input. It ends with success whatever happened, so the tests look at
//! what it did.

use crate::support::files::NAMES;
use crate::support::program::Ran;
use crate::support::server::Server;

/// The flag, and the command that turns the extended verbs on: they are off at its start.
const MODES: &[(&str, &str)] = &[("-p", "epsv4"), ("-p", ""), ("-A", "epsv4"), ("-A", "")];

#[track_caller]
fn inetutils(server: &Server, (flag, verbs): (&str, &str), script: &str) -> Ran {
    let netrc = format!("machine {} login {} password {}\n", server.host, server.user, server.password);
    let path = server.home().join(".netrc");
    std::fs::write(&path, netrc).expect("a test file can be written");
    private(&path);
    let input = format!("{verbs}\nbinary\n{script}\nquit\n");
    server
        .run("inetutils-ftp", &["-i", "-v", flag, server.host, &server.port_word()], &input)
        .prints(&["230"])
}

/// The client reads no password from a file that others may read.
fn private(path: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).expect("a test file has a mode");
}

/// A word of a command. The backslash works everywhere; within quotes the client would keep it.
fn quoted(name: &str) -> String {
    let escape = |c: char| if " '\"".contains(c) { format!("\\{c}") } else { c.to_string() };
    name.chars().map(escape).collect()
}
#[test]
fn inetutils_lists_in_every_mode() {
    let Some(server) = Server::meeting("inetutils-ftp") else { return };
    server.offers("one.bin", 12_345);
    server.offers("folder/two.bin", 1);
    for mode in MODES {
        let ran = inetutils(&server, *mode, "ls\nnlist folder\npwd");
        ran.prints(&["one.bin", "12345", "folder", "two.bin", "226", "257 \"/\""]);
    }
}

#[test]
fn inetutils_gets_puts_and_resumes_in_every_mode() {
    let Some(server) = Server::meeting("inetutils-ftp") else { return };
    let there = server.offers("there.bin", 300_000);
    let here = server.has("here.bin", 300_001);
    let rest = server.has("rest.bin", 1000);
    for (at, mode) in MODES.iter().enumerate() {
        let name = format!("{at}.bin");
        inetutils(&server, *mode, &format!("get there.bin {name}\nput here.bin {name}"));
        server.client_got(&name, &there);
        server.server_got(&name, &here);
        std::fs::write(server.local().join(&name), &there[..70_001]).expect("a test file can be written");
        inetutils(&server, *mode, &format!("reget there.bin {name}\nappend rest.bin {name}"));
        server.client_got(&name, &there);
        server.server_got(&name, &[&here[..], &rest].concat());
        std::fs::write(server.local().join(&name), &there[..90_000]).expect("a test file can be written");
        inetutils(&server, *mode, &format!("restart 90000\nget there.bin {name}"));
        server.client_got(&name, &there);
    }
}

#[test]
fn inetutils_renames_deletes_and_makes_folders() {
    let Some(server) = Server::meeting("inetutils-ftp") else { return };
    let bytes = server.offers("old.bin", 1000);
    inetutils(&server, MODES[0], "mkdir made\nrename old.bin made/new.bin\ncd made\npwd").prints(&["/made"]);
    server.server_got("made/new.bin", &bytes);
    inetutils(&server, MODES[0], "delete made/new.bin\nrmdir made\nsize nothing.bin").prints(&["550"]);
    assert!(!server.shares("made"));
}

#[test]
fn inetutils_gets_and_puts_odd_names() {
    let Some(server) = Server::meeting("inetutils-ftp") else { return };
    for name in NAMES {
        let there = server.offers(name, 5000);
        let here = server.has("here.bin", 6000);
        let up = format!("up {name}");
        inetutils(&server, MODES[0], &format!("get {} got.bin\nput here.bin {}", quoted(name), quoted(&up)));
        server.client_got("got.bin", &there);
        server.server_got(&up, &here);
        inetutils(
            &server,
            MODES[0],
            &format!("delete {}\nmkdir {}", quoted(&up), quoted(&format!("{name}.d"))),
        );
        assert!(!server.shares(&up) && server.shares(&format!("{name}.d")));
    }
    inetutils(&server, MODES[0], "nlist").prints(NAMES);
}

#[test]
fn inetutils_gets_and_puts_an_empty_file() {
    let Some(server) = Server::meeting("inetutils-ftp") else { return };
    server.offers("empty", 0);
    server.has("void", 0);
    inetutils(&server, MODES[0], "get empty\nput void");
    server.client_got("empty", b"");
    server.server_got("void", b"");
}

#[test]
fn inetutils_gets_and_puts_many() {
    let Some(server) = Server::meeting("inetutils-ftp") else { return };
    let there: Vec<_> = (0..20).map(|at| server.offers(&format!("there{at}.dat"), 2000 + at)).collect();
    let here: Vec<_> = (0..20).map(|at| server.has(&format!("here{at}.txt"), 3000 + at)).collect();
    for mode in [MODES[0], MODES[3]] {
        inetutils(&server, mode, "mget there*.dat\nmput here*.txt");
        for (at, bytes) in there.iter().enumerate() {
            server.client_got(&format!("there{at}.dat"), bytes);
        }
        for (at, bytes) in here.iter().enumerate() {
            server.server_got(&format!("here{at}.txt"), bytes);
        }
    }
}

#[test]
fn inetutils_gets_text_as_text() {
    let Some(server) = Server::meeting("inetutils-ftp") else { return };
    std::fs::write(server.root().join("text.txt"), "one\ntwo\n").expect("a test file can be written");
    std::fs::write(server.local().join("mine.txt"), "three\nfour\n").expect("a test file can be written");
    inetutils(&server, MODES[0], "ascii\nget text.txt\nput mine.txt");
    server.client_got("text.txt", b"one\ntwo\n");
    server.server_got("mine.txt", b"three\nfour\n");
}
