//! What SITE DOCTOR tells where a network is between: a first packet that was dropped is told from an answer that was lost, a
//! helper that rewrites addresses is seen from both ends, and so are a box that turns connections away and one that holds segments small.

use std::io::Read;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use twoport_netns::Host;
use twoport_proto::hostport;
use twoport_proto::sightings::Dial;

use super::faults::{BY_IPV4, BY_IPV6, Road, fails};
use crate::sockets::facts::ask;
use crate::sockets::peer::{all, data};

/// Packets that the gate counts under this name; waits for the first.
#[track_caller]
pub(super) fn counted(gate: &Host, name: &str) {
    let end = Instant::now() + Duration::from_secs(20);
    while gate.count(name).unwrap() == 0 {
        assert!(Instant::now() < end, "no packet of {name}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Rules of the gate with a counter, which forwards the rest.
fn counts(gate: &Host, rule: &str) {
    gate.load_nft(&format!(
        "table inet lab {{ counter dropped {{ }}
         chain forward {{ type filter hook forward priority filter; policy accept;\n{rule}\n}}\n}}\n"
    ))
    .unwrap();
}

#[test]
fn a_first_packet_that_was_dropped_on_the_way_was_not_seen() {
    let Some(road) = Road::new() else { return };
    counts(&road.gate, "iifname client tcp dport 50000-50003 counter name dropped drop");
    for at in [BY_IPV4, BY_IPV6] {
        let mut peer = road.enter(at);
        let to = peer.epsv();
        let _going = road.sets_out(to);
        counted(&road.gate, "dropped");
        let before = ask(&mut peer);
        fails(&mut peer);
        let after = ask(&mut peer);
        for (seen, fault) in [(before, None), (after, Some("nobody_came"))] {
            assert_eq!((seen.peer, seen.reached), (Some(peer.local()), Some(peer.server())));
            assert_eq!((seen.port, seen.first_packet), (Some(to.port()), Some(false)), "{seen:?}");
            assert_eq!((&seen.came[..], seen.fault.as_deref()), (&[][..], fault));
        }
        road.gate.run("nft", ["reset", "counters"]).unwrap();
    }
}

#[test]
fn a_first_packet_whose_answer_was_lost_was_seen() {
    let Some(road) = Road::new() else { return };
    counts(
        &road.gate,
        "iifname server tcp sport 50000-50003 tcp flags & (syn | ack) == (syn | ack) counter name dropped drop",
    );
    for at in [BY_IPV4, BY_IPV6] {
        let mut peer = road.enter(at);
        let to = peer.epsv();
        assert_eq!(ask(&mut peer).first_packet, Some(false));
        let _going = road.sets_out(to);
        counted(&road.gate, "dropped");
        let before = ask(&mut peer);
        fails(&mut peer);
        let after = ask(&mut peer);
        for (seen, fault) in [(before, None), (after, Some("nobody_came"))] {
            assert_eq!((seen.port, seen.first_packet), (Some(to.port()), Some(true)), "{seen:?}");
            assert_eq!((&seen.came[..], seen.fault.as_deref()), (&[][..], fault));
        }
        road.gate.run("nft", ["reset", "counters"]).unwrap();
    }
}

/// The gate's helper reads what is said to port 21.
const HELPER: &str = "ct helper ftp { type \"ftp\" protocol tcp; }
    chain reads { type filter hook prerouting priority filter; tcp dport 21 ct helper set \"ftp\"; }";

#[test]
fn a_port_that_a_helper_has_rewritten_is_told_as_it_came() {
    let Some(road) = Road::new() else { return };
    road.gate
        .load_nft(&format!(
            "table ip lab {{ {HELPER}
         chain hides {{ type nat hook postrouting priority srcnat; oifname server masquerade; }}\n}}\n"
        ))
        .unwrap();
    let mut peer = road.enter(BY_IPV4);
    let listener = road.client.inside(|| peer.active()).unwrap();
    let own = listener.local_addr().unwrap();
    peer.say("RETR hello");
    let (link, from) = listener.accept().unwrap();
    peer.hear(150);
    assert_eq!(all(&mut data(link)).len(), 5);
    peer.hear(226);
    let seen = ask(&mut peer);
    let line = seen.heard.expect("a line was heard");
    let heard: SocketAddr = hostport::read_port(line.strip_prefix(b"PORT ").unwrap()).unwrap().into();
    assert_eq!((own.ip(), heard.ip()), (IpAddr::from([10, 1, 1, 2]), IpAddr::from([10, 2, 2, 1])));
    assert_eq!(seen.peer.map(|peer| peer.ip()), Some(heard.ip()));
    assert_eq!((seen.dialled, seen.dial), (Some(heard), Some(Dial::Connected)));
    assert_eq!((seen.dialled_from, seen.sent), (Some(from), Some(5)));
}

#[test]
fn a_227_that_a_helper_has_rewritten_is_told_as_it_was_sent() {
    let Some(road) = Road::new() else { return };
    road.gate.load_nft(&format!(
        "table ip lab {{ {HELPER}
         chain leads {{ type nat hook prerouting priority dstnat; ip daddr 10.1.1.1 tcp dport 21 dnat to 10.2.2.2; }}
         chain hides {{ type nat hook postrouting priority srcnat; }}\n}}\n"
    )).unwrap();
    let mut peer = road.enter("10.1.1.1:21");
    let heard = peer.pasv();
    let mut link = data(road.client.inside(|| TcpStream::connect(heard)).unwrap().unwrap());
    peer.expect("RETR hello", 150);
    assert_eq!(all(&mut link).len(), 5);
    peer.hear(226);
    let seen = ask(&mut peer);
    let told: SocketAddr = hostport::read_227(&seen.told.expect("227 was told")).unwrap().into();
    assert_eq!((told.ip(), heard.ip()), (IpAddr::from([10, 2, 2, 2]), IpAddr::from([10, 1, 1, 1])));
    assert_eq!(seen.reached, Some("10.2.2.2:21".parse().unwrap()));
    assert_eq!(seen.port, Some(told.port()));
    assert_eq!(seen.came.len(), 1);
    assert!(seen.came[0].own && seen.came[0].from == link.local_addr().unwrap(), "{:?}", seen.came);
}

#[test]
fn who_has_turned_a_connection_away_is_told() {
    let Some(road) = Road::new() else { return };
    road.gate_does("iifname server tcp flags & (syn | ack) == syn reject with icmpx type host-unreachable");
    for (at, gate) in [(BY_IPV4, "10.2.2.1"), (BY_IPV6, "2001:db8:2::1")] {
        let mut peer = road.enter(at);
        let listener = road.client.inside(|| peer.active()).unwrap();
        fails(&mut peer);
        let seen = ask(&mut peer);
        assert_eq!(
            (seen.dialled, seen.dial),
            (Some(listener.local_addr().unwrap()), Some(Dial::Unreachable))
        );
        assert_eq!(seen.dial_by, Some(gate.parse().unwrap()));
        assert_eq!(seen.dialled_from.map(|from| from.ip()), Some(peer.server().ip()));
        assert_eq!(seen.fault.as_deref(), Some("unreachable"));
    }
}

#[test]
fn segments_that_a_box_holds_small_are_seen_on_the_connection_where_it_does() {
    let Some(road) = Road::new() else { return };
    road.gate_does(
        "iifname client tcp dport 50000-50003 tcp flags & (syn | rst) == syn tcp option maxseg size set 700",
    );
    for at in [BY_IPV4, BY_IPV6] {
        let mut peer = road.enter(at);
        let mut link = road.client.inside(|| peer.passive()).unwrap();
        peer.expect("RETR hello", 150);
        link.read_exact(&mut [0; 5]).unwrap();
        peer.hear(226);
        let seen = ask(&mut peer);
        let (control, small) = (seen.mss.expect("it is known"), seen.data_mss.expect("it is known"));
        assert!(control > 1300 && small > 600 && small <= 700, "{seen:?}");
    }
}

/// The server's own firewall drops the first packet: it came to the machine, and no socket saw it.
#[test]
fn what_the_servers_own_firewall_drops_is_counted_in_and_out() {
    let Some(road) = Road::new() else { return };
    road.server.load_nft(
        "table inet lab {
             counter dropped { }
             chain input { type filter hook input priority filter; policy accept;\n tcp dport 50000-50003 counter name dropped drop\n }
         }",
    ).unwrap();
    for at in [BY_IPV4, BY_IPV6] {
        let mut peer = road.enter(at);
        let to = peer.epsv();
        let _going = road.sets_out(to);
        counted(&road.server, "dropped");
        let seen = ask(&mut peer);
        assert_eq!((seen.first_packet, seen.held_back), (Some(false), Some(0)), "{seen:?}");
        assert!(seen.dropped >= Some(1), "{seen:?}");
        fails(&mut peer);
        let seen = ask(&mut peer);
        assert!(seen.dropped >= Some(1) && seen.fault.as_deref() == Some("nobody_came"), "{seen:?}");
        road.server.run("nft", ["reset", "counters"]).unwrap();
    }
    // And what it sends itself.
    road.server.run("nft", ["flush", "ruleset"]).unwrap();
    road.server.load_nft(
        "table inet lab {
             chain output { type filter hook output priority filter; policy accept;\n tcp flags & (syn | ack) == syn drop\n }
         }",
    ).unwrap();
    for at in [BY_IPV4, BY_IPV6] {
        let mut peer = road.enter(at);
        let _listener = road.client.inside(|| peer.active()).unwrap();
        fails(&mut peer);
        let seen = ask(&mut peer);
        assert!(seen.held_back >= Some(1) && seen.dial != Some(Dial::Connected), "{seen:?}");
    }
}
