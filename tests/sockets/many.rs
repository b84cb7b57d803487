//! Many transfers and many sessions: nothing is lost, and nothing is left over. The server is a process of its own, so
//! that its descriptors can be counted.

use crate::support::files::bytes;
use crate::support::server::Server;

use super::peer::Peer;

fn descriptors(server: &Server) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", server.id())).map_or(0, Iterator::count)
}

/// Waits until the server holds as many descriptors as at the start: sessions end a moment after their last reply.
fn settles_at(server: &Server, before: usize) {
    let start = std::time::Instant::now();
    while descriptors(server) > before {
        assert!(start.elapsed().as_secs() < 30, "{} descriptors, {before} before", descriptors(server));
        std::thread::yield_now();
    }
}

#[test]
fn two_thousand_small_transfers_on_one_session() {
    let server = Server::start("127.0.0.1", "anna", "secret");
    let mut peer = Peer::enter(&server);
    peer.expect("NOOP", 200);
    let before = descriptors(&server);
    for turn in 0..1_000u64 {
        let sent = bytes(4096, turn + 1);
        assert_eq!(peer.store("STOR small", &sent).0, 226);
        assert!(peer.fetch("RETR small") == sent, "turn {turn}");
    }
    peer.expect("NOOP", 200);
    settles_at(&server, before);
}

#[test]
fn two_hundred_sessions_at_once() {
    let server = Server::start("127.0.0.1", "anna", "secret");
    let before = descriptors(&server);
    // All are there before the first transfer begins, and stay until the last has ended.
    let mut peers: Vec<Peer> = (0..200).map(|_| Peer::enter(&server)).collect();
    std::thread::scope(|scope| {
        for (number, peer) in peers.iter_mut().enumerate() {
            scope.spawn(move || {
                for turn in 0..5u64 {
                    let sent = bytes(20_000, number as u64 * 100 + turn + 1);
                    let name = format!("file-{number}");
                    // The range has 64 ports: whoever finds it spent is told so at once, and comes again.
                    while peer.ask("EPSV").0 != 229 {}
                    peer.expect("ABOR", 225);
                    let stored = retry(|| try_store(peer, &name, &sent));
                    assert_eq!(stored, 226);
                    assert!(retry(|| try_fetch(peer, &name)) == sent, "{name}, turn {turn}");
                }
            });
        }
    });
    drop(peers);
    settles_at(&server, before);
    // Every port is free again: one session may have them all, one after the other.
    let mut peer = Peer::enter(&server);
    for _ in 0..64 {
        peer.epsv();
    }
}

fn retry<T>(mut attempt: impl FnMut() -> Option<T>) -> T {
    loop {
        if let Some(done) = attempt() {
            return done;
        }
    }
}

/// A passive connection, unless the range is spent.
fn link(peer: &mut Peer) -> Option<std::net::TcpStream> {
    match peer.ask("EPSV") {
        (229, text) => {
            let port = twoport_proto::hostport::read_229(text.as_bytes()).expect("229 tells a port");
            let stream = std::net::TcpStream::connect((peer.server().ip(), port)).expect("the port is open");
            Some(super::peer::data(stream))
        }
        (425, _) => None,
        other => panic!("{other:?}"),
    }
}

fn try_store(peer: &mut Peer, name: &str, sent: &[u8]) -> Option<u16> {
    let mut link = link(peer)?;
    peer.expect(&format!("STOR {name}"), 150);
    std::io::Write::write_all(&mut link, sent).expect("the server takes bytes");
    drop(link);
    Some(peer.reply().0)
}

fn try_fetch(peer: &mut Peer, name: &str) -> Option<Vec<u8>> {
    let mut link = link(peer)?;
    peer.expect(&format!("RETR {name}"), 150);
    let bytes = super::peer::all(&mut link);
    peer.hear(226);
    Some(bytes)
}
