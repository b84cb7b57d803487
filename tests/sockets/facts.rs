//! What SITE DOCTOR tells of real sockets: who came and who did not, where we dialled, how much was moved. Each fact is made to
//! happen; those that need routers are in `netns`.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use twoport_proto::Sightings;
use twoport_proto::sightings::{Came, Dial};
use twoport_server::{PortRange, Right, Rights, Settings};

use super::house::{House, account};
use super::peer::{Peer, all, data, from_elsewhere};
use crate::support::wait_until;

const STRANGER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 9, 0, 2));

fn house() -> House {
    house_with(|_| {})
}

/// Anna may ask; a transfer does not wait long.
fn house_with(change: impl FnOnce(&mut Settings)) -> House {
    let house = House::with(|settings| {
        settings.limits.link = Duration::from_millis(300);
        settings.limits.stall = Duration::from_millis(300);
        settings.accounts[0].rights = Rights::READ_WRITE.with(Right::Doctor);
        change(settings);
    });
    house.put("a", b"hello");
    house
}

/// What the server tells now.
#[track_caller]
pub(crate) fn ask(peer: &mut Peer) -> Sightings {
    let text = peer.expect("SITE DOCTOR", 211);
    assert!(
        text.starts_with("What this server saw:\n peer: ") && text.ends_with("\nEnd of SITE DOCTOR."),
        "{text}"
    );
    let reading = Sightings::read(text.split('\n').map(str::as_bytes));
    assert!(!reading.altered, "{text}");
    reading.sightings
}

/// What is known of every session: its control connection, and the kernel.
#[track_caller]
fn of_the_session(seen: &Sightings, peer: &Peer) {
    assert_eq!((seen.peer, seen.reached), (Some(peer.local()), Some(peer.server())), "{seen:?}");
    assert!(seen.mss.is_some_and(|mss| mss > 500), "{seen:?}");
    assert_eq!(seen.secure, Some(false));
    let helper = std::path::Path::new("/sys/module/nf_conntrack_ftp").is_dir();
    assert_eq!(seen.helper, Some(helper));
}

fn came(link: &TcpStream, own: bool) -> Came {
    Came { from: link.local_addr().unwrap(), own }
}

#[test]
fn of_a_session_that_has_done_nothing_only_the_control_connection_is_known() {
    let house = house();
    let mut peer = house.enter();
    let seen = ask(&mut peer);
    of_the_session(&seen, &peer);
    let Sightings { peer, reached, mss, secure, helper, .. } = seen.clone();
    assert_eq!(seen, Sightings { peer, reached, mss, secure, helper, ..Sightings::default() });
}

#[test]
fn who_may_not_ask_is_told_which_key_allows_it() {
    let house = house_with(|settings| {
        let root = settings.accounts[0].root.clone();
        settings.accounts.push(account("bob", Rights::READ_WRITE, &root));
    });
    let mut peer = Peer::login_as(house.address, "bob", "secret");
    let text = peer.expect("SITE DOCTOR", 550);
    assert!(text.contains("'doctor = true'") && text.contains("[[user]]"), "{text}");
    assert_eq!(peer.fetch("RETR a"), b"hello");
}

#[test]
fn nobody_came() {
    let house = house();
    let mut peer = house.enter();
    let text = peer.expect("PASV", 227);
    let port = house.settings.passive_ports;
    for failed in [false, true] {
        if failed {
            peer.expect("RETR a", 425);
        }
        let seen = ask(&mut peer);
        of_the_session(&seen, &peer);
        assert_eq!(seen.heard.as_deref(), Some(&b"PASV"[..]));
        assert_eq!(seen.told, Some(format!("227 {text}").into_bytes()));
        assert!(seen.port.is_some_and(|lent| port.contains(lent)), "{seen:?}");
        assert_eq!((seen.first_packet, &seen.came[..]), (Some(false), &[][..]));
        assert_eq!(seen.fault.as_deref(), failed.then_some("nobody_came"));
        assert_eq!((seen.data_mss, seen.sent), (None, None));
    }
}

#[test]
fn a_connection_is_seen_before_a_transfer_waits_for_it_and_serves_that_then() {
    let house = house();
    let mut peer = house.enter();
    let to = peer.epsv();
    let mut link = data(TcpStream::connect(to).unwrap());
    for _ in 0..2 {
        let seen = ask(&mut peer);
        assert_eq!((seen.port, seen.first_packet), (Some(to.port()), Some(true)));
        assert_eq!(seen.came, [came(&link, true)]);
        assert_eq!((seen.sent, seen.fault), (None, None));
    }
    peer.expect("RETR a", 150);
    assert_eq!(all(&mut link), b"hello");
    peer.hear(226);
    let seen = ask(&mut peer);
    of_the_session(&seen, &peer);
    assert_eq!((seen.port, seen.first_packet), (Some(to.port()), Some(true)));
    assert_eq!(seen.came, [came(&link, true)]);
    assert_eq!((seen.sent, seen.received, seen.fault), (Some(5), None, None));
    assert!(seen.data_mss.is_some_and(|mss| mss > 500));
    assert_eq!(house.warden.passive_ports().leases, 0);
}

#[test]
fn a_connection_that_came_early_and_is_not_used_is_closed_with_its_port() {
    let house = house();
    let mut peer = house.enter();
    let mut link = peer.passive();
    assert_eq!(ask(&mut peer).came, [came(&link, true)]);
    peer.epsv();
    assert_eq!(link.read(&mut [0]).unwrap(), 0);
    assert_eq!(ask(&mut peer).came, []);
}

#[test]
fn strangers_are_told_with_their_ports_and_the_client_behind_them() {
    let house = house();
    let mut peer = house.enter();
    let to = peer.epsv();
    let first = from_elsewhere(STRANGER, to);
    assert_eq!(ask(&mut peer).came, [came(&first, false)]);
    let second = from_elsewhere(STRANGER, to);
    let seen = ask(&mut peer);
    assert_eq!(seen.came, [came(&first, false), came(&second, false)]);
    assert_eq!(seen.first_packet, Some(false));
    let mut link = data(TcpStream::connect(to).unwrap());
    peer.expect("RETR a", 150);
    assert_eq!(all(&mut link), b"hello");
    peer.hear(226);
    let seen = ask(&mut peer);
    assert_eq!(seen.came, [came(&first, false), came(&second, false), came(&link, true)]);
    assert_eq!((seen.first_packet, seen.sent), (Some(true), Some(5)));
}

#[test]
fn a_stranger_came_in_place_of_the_client() {
    let house = house();
    let mut peer = house.enter();
    let to = peer.epsv();
    let stranger = from_elsewhere(STRANGER, to);
    peer.expect("RETR a", 425);
    let seen = ask(&mut peer);
    assert_eq!((seen.port, seen.first_packet), (Some(to.port()), Some(false)));
    assert_eq!(seen.came, [came(&stranger, false)]);
    assert_eq!(seen.fault.as_deref(), Some("stranger_came"));
}

#[test]
fn only_the_last_strangers_are_told() {
    let house = house();
    let mut peer = house.enter();
    let to = peer.epsv();
    let strangers: Vec<TcpStream> = (0..10).map(|_| from_elsewhere(STRANGER, to)).collect();
    let expected: Vec<Came> = strangers[2..].iter().map(|link| came(link, false)).collect();
    assert_eq!(ask(&mut peer).came, expected);
}

/// Two clients wait on one port: what belongs to the one is nothing that the other is told.
#[test]
fn on_a_port_that_is_shared_nobody_hears_of_the_other() {
    let house = house_with(|settings| {
        let port = settings.passive_ports.first();
        settings.passive_ports = PortRange::new(port, port).unwrap();
        settings.limits.link = Duration::from_secs(20);
    });
    let mut here = house.enter();
    let mut there = Peer::login_over(from_elsewhere(STRANGER, house.address), "anna", "secret");
    let to = here.epsv();
    assert_eq!(there.epsv(), to);
    let mut theirs = from_elsewhere(STRANGER, to);
    // It waits to be taken, and the one who asks takes it for the other.
    assert_eq!(ask(&mut here).came, []);
    assert_eq!(ask(&mut there).came, [came(&theirs, true)]);
    there.expect("RETR a", 150);
    assert_eq!(all(&mut theirs), b"hello");
    there.hear(226);
    let mut ours = data(TcpStream::connect(to).unwrap());
    here.expect("RETR a", 150);
    assert_eq!(all(&mut ours), b"hello");
    here.hear(226);
    let seen = ask(&mut here);
    assert_eq!(seen.peer.map(|peer| peer.ip()), Some(IpAddr::from([127, 0, 0, 1])));
    assert_eq!(seen.came, [came(&ours, true)]);
}

#[test]
fn the_client_refused_in_active_mode() {
    let house = house();
    let mut peer = house.enter();
    let closed = peer.active();
    let at = closed.local_addr().unwrap();
    drop(closed);
    peer.expect("RETR a", 425);
    let seen = ask(&mut peer);
    of_the_session(&seen, &peer);
    let [high, low] = at.port().to_be_bytes();
    assert_eq!(seen.heard, Some(format!("PORT 127,0,0,1,{high},{low}").into_bytes()));
    assert_eq!((seen.dialled, seen.dial, seen.dial_by), (Some(at), Some(Dial::Refused), None));
    let from = seen.dialled_from.expect("it was dialled");
    assert!(from.ip() == peer.server().ip() && from.port() > 0, "{from}");
    assert_eq!((seen.port, seen.told, seen.first_packet, seen.sent), (None, None, None, None));
    assert_eq!(seen.fault.as_deref(), Some("refused"));
}

#[test]
fn an_active_connection_is_told_as_the_client_sees_it() {
    let house = house();
    let mut peer = house.enter();
    let listener = peer.active();
    peer.say("STOR b");
    let (mut link, from) = listener.accept().unwrap();
    peer.hear(150);
    link.write_all(b"four").unwrap();
    drop(link);
    peer.hear(226);
    let seen = ask(&mut peer);
    assert_eq!(seen.dialled, Some(listener.local_addr().unwrap()));
    assert_eq!((seen.dialled_from, seen.dial), (Some(from), Some(Dial::Connected)));
    assert_eq!((seen.sent, seen.received, seen.fault), (None, Some(4), None));
    assert!(seen.data_mss.is_some_and(|mss| mss > 500));
}

#[test]
fn what_the_client_did_not_take_is_told() {
    let house = house();
    house.put("large", &vec![7; 64 << 20]);
    let mut peer = house.enter();
    let _link = peer.passive();
    peer.expect("RETR large", 150);
    peer.hear(426);
    let seen = ask(&mut peer);
    assert_eq!(seen.fault.as_deref(), Some("stalled"));
    assert!(seen.unacknowledged.is_some_and(|bytes| bytes > 0), "{seen:?}");
    assert!(seen.sent.is_some_and(|bytes| bytes > 0 && bytes < 64 << 20), "{seen:?}");
}

#[test]
fn a_transfer_that_is_given_up_has_seen_what_it_has_seen() {
    let house = house_with(|settings| settings.limits.link = Duration::from_secs(20));
    let mut peer = house.enter();
    let to = peer.epsv();
    let stranger = from_elsewhere(STRANGER, to);
    peer.send(b"RETR a\r\nABOR\r\n");
    assert_eq!([peer.reply().0, peer.reply().0], [426, 226]);
    let seen = ask(&mut peer);
    assert_eq!((seen.port, seen.first_packet), (Some(to.port()), Some(false)));
    assert_eq!(seen.came, [came(&stranger, false)]);
    assert_eq!((seen.fault, seen.sent), (None, None));
}

#[test]
fn a_transfer_that_is_stopped_tells_what_it_was_stuck_with() {
    let house = house_with(|settings| settings.limits.stall = Duration::from_secs(60));
    house.put("large", &vec![7; 64 << 20]);
    let mut peer = house.enter();
    let _link = peer.passive();
    peer.expect("RETR large", 150);
    // All that the buffers between take, and no more.
    let sent = |peer: &mut Peer| {
        peer.send(b"STAT\r\n");
        peer.reply().1
    };
    let mut before = String::new();
    wait_until(|| {
        let now = sent(&mut peer);
        std::mem::replace(&mut before, now.clone()) == now
    });
    peer.send(b"ABOR\r\n");
    assert_eq!([peer.reply().0, peer.reply().0], [426, 226]);
    let seen = ask(&mut peer);
    assert!(seen.unacknowledged.is_some_and(|bytes| bytes > 0), "{seen:?}");
    assert_eq!(seen.fault, None);
}

#[test]
fn a_file_that_is_not_there_takes_nothing_of_what_was_seen() {
    let house = house();
    let mut peer = house.enter();
    let link = peer.passive();
    let to = link.peer_addr().unwrap();
    peer.expect("RETR missing", 550);
    let seen = ask(&mut peer);
    assert_eq!((seen.port, seen.first_packet), (Some(to.port()), Some(true)));
    assert_eq!(seen.came, [came(&link, true)]);
    assert_eq!((seen.data_mss, seen.sent, seen.fault), (None, None, None));
    let _listener = peer.active();
    peer.expect("RETR missing", 550);
    let seen = ask(&mut peer);
    assert_eq!((seen.dialled, seen.dialled_from, seen.dial, seen.port), (None, None, None, None));
}

#[test]
fn behind_a_balancer_the_ends_are_those_that_it_names() {
    let balancer = IpAddr::from([127, 0, 77, 1]);
    let house = house_with(|settings| settings.proxy_protocol = vec!["127.0.77.0/24".parse().unwrap()]);
    let brought = |header: &str, to: SocketAddr| {
        let mut stream = from_elsewhere(balancer, to);
        stream.write_all(header.as_bytes()).unwrap();
        stream
    };
    let stream = brought("PROXY TCP4 127.0.5.5 127.0.5.21 40000 21\r\n", house.address);
    let mut peer = Peer::login_over(stream, "anna", "secret");
    let to = peer.epsv();
    let seen = ask(&mut peer);
    assert_eq!(seen.peer, Some("127.0.5.5:40000".parse().unwrap()));
    assert_eq!(seen.reached, Some("127.0.5.21:21".parse().unwrap()));
    // Whether the client's first packet came to the balancer is not known here.
    assert_eq!((seen.port, seen.first_packet), (Some(to.port()), None));
    let mut link = brought("PROXY TCP4 127.0.5.5 127.0.5.21 40001 50000\r\n", to);
    peer.expect("RETR a", 150);
    assert_eq!(all(&mut link), b"hello");
    peer.hear(226);
    let seen = ask(&mut peer);
    assert_eq!(seen.came, [Came { from: "127.0.5.5:40001".parse().unwrap(), own: true }]);
    assert_eq!((seen.first_packet, seen.sent), (Some(true), Some(5)));
}
