//! busybox: ftpget and ftpput, passive by EPSV or PASV. It lists, renames and deletes nothing.

use crate::support::files::NAMES;
use crate::support::program::Ran;
use crate::support::server::Server;

#[track_caller]
fn busybox(server: &Server, tool: &str, flags: &[&str], args: &[&str]) -> Ran {
    let port = server.port_word();
    let mut all = vec![tool, "-u", server.user, "-p", server.password, "-P", &port];
    all.extend(flags);
    all.push(server.host);
    all.extend(args);
    server.run("busybox", &all, "")
}

#[test]
fn busybox_gets_puts_and_resumes() {
    let Some(server) = Server::meeting("busybox") else { return };
    let there = server.offers("there.bin", 300_000);
    let here = server.has("here.bin", 300_001);
    busybox(&server, "ftpget", &[], &["got.bin", "there.bin"]).fine();
    server.client_got("got.bin", &there);
    busybox(&server, "ftpput", &[], &["put.bin", "here.bin"]).fine();
    server.server_got("put.bin", &here);
    std::fs::write(server.local().join("got.bin"), &there[..70_001]).expect("a test file can be written");
    busybox(&server, "ftpget", &["-c"], &["got.bin", "there.bin"]).fine();
    server.client_got("got.bin", &there);
}

#[test]
fn busybox_gets_and_puts_odd_names_and_an_empty_file() {
    let Some(server) = Server::meeting("busybox") else { return };
    for (name, len) in NAMES.iter().map(|name| (*name, 5000)).chain([("empty", 0)]) {
        let there = server.offers(name, len);
        busybox(&server, "ftpget", &[], &["got.bin", name]).fine();
        server.client_got("got.bin", &there);
        let up = format!("up {name}");
        busybox(&server, "ftpput", &[], &[&up, "got.bin"]).fine();
        server.server_got(&up, &there);
    }
    assert!(!busybox(&server, "ftpget", &[], &["got.bin", "nothing.bin"]).ok);
}
