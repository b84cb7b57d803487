//! The ways in which the second connection fails that need a network between: who turned it away, where a packet was lost, and
//! what the reply and SITE WHY make of it.

use std::io::Read;
use std::net::{Shutdown, SocketAddr, TcpStream};

use socket2::{Domain, Socket, Type};
use twoport_netns::{Host, Net, Process};

use super::bounce::login;
use super::facts::counted;
use super::place::Place;
use super::three;
use crate::sockets::peer::{Peer, data};

/// A client, a gate, and our server, which waits for a second where it waits.
pub(super) struct Road {
    pub(super) client: Host,
    pub(super) gate: Host,
    pub(super) server: Host,
    pub(super) place: Place,
    _server: Process,
    // Last, since what runs in it goes first.
    _net: Net,
}

impl Road {
    /// None where there can be no networks here, which is said.
    pub(super) fn new() -> Option<Road> {
        Road::with("")
    }

    /// The same, with these lines more in the server's configuration.
    pub(super) fn with(config: &str) -> Option<Road> {
        if !crate::netns::have() {
            return None;
        }
        let (net, client, gate, server) = three();
        let place = Place::new();
        place.offers("hello", 5);
        let flags = ["--tls", "off", "--passive-ports", "50000-50003"];
        let running = place.serve_by(
            &server,
            "[::]:21",
            &format!("link-seconds = 1\nstall-seconds = 2\n{config}"),
            &flags,
        );
        Some(Road { client, gate, server, place, _server: running, _net: net })
    }

    pub(super) fn enter(&self, at: &str) -> Peer {
        login(self.client.inside(|| TcpStream::connect(at)).unwrap().expect("a server listens"))
    }

    /// A connection of the client's that is on its way and need not arrive.
    pub(super) fn sets_out(&self, to: SocketAddr) -> Socket {
        self.client
            .inside(|| {
                let going = Socket::new(Domain::for_address(to), Type::STREAM, None).expect("a socket");
                going.set_nonblocking(true).expect("a flag");
                going.connect(&to.into()).expect_err("nothing is connected at once");
                going
            })
            .unwrap()
    }

    /// What the gate does with packets that it forwards, beside letting them through.
    pub(super) fn gate_does(&self, rule: &str) {
        self.gate.load_nft(&format!(
            "table inet lab {{ chain forward {{ type filter hook forward priority filter; policy accept;\n{rule}\n}}\n}}\n"
        )).unwrap();
    }
}

pub(super) const BY_IPV4: &str = "10.2.2.2:21";
pub(super) const BY_IPV6: &str = "[2001:db8:2::2]:21";

/// Asks for a file in active mode and gives the 425 that comes instead of it.
#[track_caller]
fn fails_actively(road: &Road, peer: &mut Peer) -> String {
    let _listener = road.client.inside(|| peer.active()).unwrap();
    fails(peer)
}

/// Who waits for long is told 150 meanwhile.
#[track_caller]
pub(super) fn fails(peer: &mut Peer) -> String {
    match peer.ask("RETR hello") {
        (425, text) => text,
        (150, _) => peer.hear(425),
        said => panic!("RETR was answered {said:?}"),
    }
}

#[track_caller]
fn explained(peer: &mut Peer, name: &str, words: &[&str]) {
    let text = peer.expect("SITE WHY", 211);
    for word in words.iter().copied().chain([&*format!("({name})")]) {
        assert!(text.contains(word), "{word:?} is not in {text}");
    }
}

#[test]
fn a_box_that_calls_the_client_unreachable_is_named() {
    let Some(road) = Road::new() else { return };
    road.gate_does(
        "iifname server tcp flags & (syn | ack) == syn meta nfproto ipv4 reject with icmp type host-unreachable
         iifname server tcp flags & (syn | ack) == syn meta nfproto ipv6 reject with icmpv6 type admin-prohibited",
    );
    for (at, gate, client, why) in [
        (BY_IPV4, "10.2.2.1", "10.1.1.2:", "No route to host"),
        (BY_IPV6, "2001:db8:2::1", "[2001:db8:1::2]:", "Permission denied"),
    ] {
        let mut peer = road.enter(at);
        let text = fails_actively(&road, &mut peer);
        assert!(text.starts_with(&format!("{gate} says that {client}")), "{text}");
        assert!(text.contains(&format!(" cannot be reached ({why}")), "{text}");
        assert!(
            text.ends_with("that box must let this server's connections through; or use PASV or EPSV"),
            "{text}"
        );
        explained(&mut peer, "unreachable", &["RETR failed", gate]);
    }
}

#[test]
fn a_box_that_refuses_in_the_clients_place_is_named() {
    let Some(road) = Road::new() else { return };
    road.gate_does("iifname server tcp flags & (syn | ack) == syn reject with icmpx type port-unreachable");
    for (at, gate, client) in
        [(BY_IPV4, "10.2.2.1", "10.1.1.2:"), (BY_IPV6, "2001:db8:2::1", "[2001:db8:1::2]:")]
    {
        let mut peer = road.enter(at);
        let text = fails_actively(&road, &mut peer);
        assert!(text.starts_with(&format!("{gate} refused the data connection to {client}")), "{text}");
        assert!(text.contains("that box must let our connections in"), "{text}");
        explained(&mut peer, "refused", &["RETR failed", gate]);
    }
}

#[test]
fn a_firewall_that_drops_in_silence_is_told_from_one_that_answers() {
    let Some(road) = Road::new() else { return };
    road.gate_does("iifname server tcp flags & (syn | ack) == syn drop");
    for at in [BY_IPV4, BY_IPV6] {
        let mut peer = road.enter(at);
        let text = fails_actively(&road, &mut peer);
        assert!(text.contains(" did not answer within 1 s: "), "{text}");
        explained(&mut peer, "timed_out", &["RETR failed", "nothing came back"]);
    }
}

#[test]
fn a_server_that_has_no_way_out_says_so_of_itself() {
    let Some(road) = Road::new() else { return };
    let mut peer = road.enter(BY_IPV4);
    let listener = road.client.inside(|| peer.active()).unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    road.server
        .run("ip", ["rule", "add", "to", "10.1.1.2", "ipproto", "tcp", "dport", &port, "type", "unreachable"])
        .unwrap();
    let text = fails(&mut peer);
    assert!(text.starts_with(&format!("10.1.1.2:{port} cannot be reached from here (")), "{text}");
    assert!(text.contains("this server has no route, or its own firewall lets no connection out"), "{text}");
    explained(&mut peer, "unreachable", &["RETR failed"]);
}

#[test]
fn a_first_packet_that_came_is_told_from_none() {
    let Some(road) = Road::new() else { return };
    road.gate_does("iifname server tcp sport 50000-50003 tcp flags & (syn | ack) == (syn | ack) drop");
    for at in [BY_IPV4, BY_IPV6] {
        let mut peer = road.enter(at);
        let to = peer.epsv();
        let going = road.sets_out(to);
        let text = fails(&mut peer);
        assert!(text.starts_with(&format!("Nobody connected to port {} within 1 s: ", to.port())), "{text}");
        assert!(text.contains("its first packet came, and our answer was lost on the way back"), "{text}");
        explained(&mut peer, "nobody_came", &["RETR failed"]);
        drop(going);
    }
    // And where the first packet is dropped before it comes.
    road.gate.run("nft", ["flush", "ruleset"]).unwrap();
    road.gate_does("iifname client tcp dport 50000-50003 drop");
    let mut peer = road.enter(BY_IPV4);
    peer.epsv();
    let text = fails(&mut peer);
    assert!(
        text.contains("a firewall or NAT in front of this server must let TCP ports 50000-50003 in"),
        "{text}"
    );
    explained(&mut peer, "nobody_came", &["No packet of the client was seen on that port"]);
}

#[test]
fn what_is_not_acknowledged_is_counted() {
    let Some(road) = Road::new() else { return };
    road.place.offers("large", 64 << 20);
    for at in [BY_IPV4, BY_IPV6] {
        let mut peer = road.enter(at);
        let mut link = road.client.inside(|| peer.passive()).unwrap();
        peer.expect("RETR large", 150);
        link.read_exact(&mut [0; 100_000]).unwrap();
        road.gate_does("iifname server tcp sport 50000-50003 drop");
        let mut reading = link.try_clone().unwrap();
        let reader = std::thread::spawn(move || std::io::copy(&mut reading, &mut std::io::sink()));
        let text = peer.hear(426);
        assert!(
            text.contains("Nothing moved for 2 s; ") && text.contains(" bytes were not acknowledged: "),
            "{text}"
        );
        assert!(text.contains("large packets (MTU), or a box there has forgotten the connection"), "{text}");
        explained(&mut peer, "stalled", &["RETR failed"]);
        road.gate.run("nft", ["flush", "ruleset"]).unwrap();
        link.shutdown(Shutdown::Both).unwrap();
        let came = reader.join().unwrap().unwrap();
        assert!(came < 64 << 20, "{came} bytes came through");
    }
}

/// A route that is gone for a moment is no reason to give a transfer up: what was lost is sent again (RFC 1122 §4.2.3.9).
#[test]
fn a_passing_word_of_no_route_ends_no_transfer() {
    let Some(road) = Road::new() else { return };
    road.place.offers("large", 64 << 20);
    for at in [BY_IPV4, BY_IPV6] {
        let mut peer = road.enter(at);
        let listener = road.client.inside(|| peer.active()).unwrap();
        peer.say("RETR large");
        let mut link = data(listener.accept().unwrap().0);
        peer.hear(150);
        link.read_exact(&mut [0; 100_000]).unwrap();
        let port = listener.local_addr().unwrap().port();
        road.gate
            .load_nft(&format!(
                "table inet lab {{ counter turned {{ }}
                 chain forward {{ type filter hook forward priority filter; policy accept;
                 iifname server tcp dport {port} counter name turned reject with icmpx type host-unreachable\n}}\n}}\n"
            ))
            .unwrap();
        let mut reading = link.try_clone().unwrap();
        let reader = std::thread::spawn(move || std::io::copy(&mut reading, &mut std::io::sink()));
        counted(&road.gate, "turned");
        road.gate.run("nft", ["flush", "ruleset"]).unwrap();
        assert_eq!(reader.join().unwrap().unwrap(), (64 << 20) - 100_000);
        peer.hear(226);
        peer.expect("QUIT", 221);
    }
}
