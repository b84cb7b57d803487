//! The program as a process: killed in the middle, told to stop, told to read its configuration again.

use std::io::Write;

use rustix::process::{Pid, Signal, kill_process};

use crate::support::files::bytes;
use crate::support::server::Server;

use super::peer::{Peer, all};

fn signal(server: &Server, signal: Signal) {
    let id = i32::try_from(server.id()).ok().and_then(Pid::from_raw).expect("a child has a process id");
    kill_process(id, signal).expect("the server is there");
}

#[test]
fn kill_9_in_a_replacing_upload_leaves_the_old_file_whole() {
    let mut server = Server::start("127.0.0.1", "anna", "secret");
    let old = server.offers("a", 500_000);
    let mut peer = Peer::enter(&server);
    let mut link = peer.passive();
    peer.expect("STOR a", 150);
    link.write_all(&bytes(300_000, 9)).unwrap();
    while !peer.expect("STAT", 211).contains(": 300000 bytes") {}
    signal(&server, Signal::KILL);
    server.wait();
    server.server_got("a", &old);
    // What was left over is seen by nobody, and the next upload takes its place.
    let again = server.again();
    let mut peer = Peer::enter(&again);
    assert_eq!(peer.fetch("NLST -a"), b"a\r\n");
    assert_eq!(peer.store("STOR a", b"new").0, 226);
    again.server_got("a", b"new");
    assert_eq!(std::fs::read_dir(again.root()).unwrap().count(), 1);
}

#[test]
fn sigterm_lets_transfers_finish_and_ends_with_0() {
    for order in [Signal::TERM, Signal::INT] {
        let mut server = Server::start("127.0.0.1", "anna", "secret");
        let whole = server.offers("a", 64 << 20);
        let mut peer = Peer::enter(&server);
        let mut link = peer.passive();
        peer.expect("RETR a", 150);
        signal(&server, order);
        assert!(all(&mut link) == whole);
        peer.hear(226);
        peer.hear(421);
        assert_eq!(server.wait().code(), Some(0));
    }
}

#[test]
fn a_second_ctrl_c_does_not_wait() {
    let mut server = Server::start("127.0.0.1", "anna", "secret");
    server.offers("a", 64 << 20);
    let mut idle = Peer::enter(&server);
    let mut peer = Peer::enter(&server);
    let _link = peer.passive();
    peer.expect("RETR a", 150);
    signal(&server, Signal::INT);
    // Once this one is told, the first order has been heard.
    idle.hear(421);
    signal(&server, Signal::INT);
    assert_eq!(server.wait().code(), Some(7));
}
