//! Every way the second connection fails that can be made to happen on one machine: what the reply says, what SITE WHY explains, and
//! what is counted. Those that need routers are in `netns`.

use std::io::{Read, Write};
use std::net::{IpAddr, TcpListener};
use std::time::Duration;

use socket2::SockRef;

use super::house::House;
use super::peer::{Peer, from_elsewhere};

fn impatient() -> House {
    let house = House::with(|settings| {
        settings.limits.link = Duration::from_millis(300);
        settings.limits.stall = Duration::from_millis(300);
    });
    house.put("a", b"hello");
    house
}

/// The last failure is known by this name to metrics, and explained with these words.
#[track_caller]
fn explained(house: &House, peer: &mut Peer, verb: &str, name: &'static str, words: &str) {
    let text = peer.expect("SITE WHY", 211);
    assert!(text.contains(&format!("{verb} failed")) && text.contains(&format!("({name})")), "{text}");
    assert!(text.contains(words), "{text}");
    assert_eq!(house.warden.faults(), [(name, 1)]);
    peer.expect("NOOP", 200);
}

#[test]
fn nobody_came() {
    let house = impatient();
    let mut peer = house.enter();
    let port = peer.epsv().port();
    let text = peer.expect("RETR a", 425);
    let (low, high) = (house.settings.passive_ports.first(), house.settings.passive_ports.last());
    assert!(text.starts_with(&format!("Nobody connected to port {port} within 300 ms: ")), "{text}");
    assert!(text.contains(&format!("let TCP ports {low}-{high} in, numbers unchanged")), "{text}");
    explained(&house, &mut peer, "RETR", "nobody_came", "No packet of the client was seen on that port");
}

#[test]
fn a_stranger_came() {
    let house = impatient();
    let mut peer = house.enter();
    let port = peer.epsv();
    let _stranger = from_elsewhere(IpAddr::from([127, 9, 0, 2]), port);
    let text = peer.expect("RETR a", 425);
    let port = port.port();
    assert!(
        text.starts_with(&format!("127.9.0.2 connected to port {port}, where 127.0.0.1 was expected: ")),
        "{text}"
    );
    explained(&house, &mut peer, "RETR", "stranger_came", "Only 127.0.0.1 may use");
}

#[test]
fn the_address_changed() {
    let house = impatient();
    let mut peer = house.enter();
    let port = peer.epsv();
    let _itself = from_elsewhere(IpAddr::from([127, 0, 0, 2]), port);
    let text = peer.expect("LIST", 425);
    assert!(
        text.starts_with("Your address changed from 127.0.0.1 to 127.0.0.2 on the way to port "),
        "{text}"
    );
    explained(&house, &mut peer, "LIST", "address_changed", "one client on one address");
}

#[test]
fn the_client_refused() {
    let house = impatient();
    let mut peer = house.enter();
    let closed = peer.active();
    let at = closed.local_addr().unwrap();
    drop(closed);
    let text = peer.expect("RETR a", 425);
    assert!(text.starts_with(&format!("{at} refused the data connection: ")), "{text}");
    assert!(text.ends_with("use PASV or EPSV"), "{text}");
    explained(&house, &mut peer, "RETR", "refused", "turned away there");
}

#[test]
fn the_client_did_not_answer() {
    let house = impatient();
    let mut peer = house.enter();
    // A listener whose queue is full answers nobody.
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&"127.0.0.1:0".parse::<std::net::SocketAddr>().unwrap().into()).unwrap();
    socket.listen(0).unwrap();
    let listener: TcpListener = socket.into();
    let at = listener.local_addr().unwrap();
    let _first = std::net::TcpStream::connect(at).unwrap();
    let [high, low] = at.port().to_be_bytes();
    peer.expect(&format!("PORT 127,0,0,1,{high},{low}"), 200);
    let text = peer.expect("RETR a", 425);
    assert!(text.starts_with(&format!("{at} did not answer within 300 ms: ")), "{text}");
    explained(&house, &mut peer, "RETR", "timed_out", "nothing came back");
}

#[test]
fn the_client_did_not_read() {
    let house = impatient();
    house.put("large", &vec![7; 64 << 20]);
    let mut peer = house.enter();
    let link = peer.passive();
    peer.expect("RETR large", 150);
    let text = peer.hear(426);
    assert!(
        text.contains("The client took nothing for 300 ms") || text.contains("not acknowledged"),
        "{text}"
    );
    assert!(text.contains(" bytes w"), "{text}");
    drop(link);
    explained(&house, &mut peer, "RETR", "stalled", "Seen: ");
}

#[test]
fn the_client_sent_nothing() {
    let house = impatient();
    let mut peer = house.enter();
    let mut link = peer.passive();
    peer.expect("STOR b", 150);
    link.write_all(b"half").unwrap();
    let text = peer.hear(426);
    assert!(text.contains("failed after 4 bytes. The client sent nothing for 300 ms: "), "{text}");
    explained(&house, &mut peer, "STOR", "stalled", "stall-seconds");
}

#[test]
fn the_client_reset_it() {
    let house = impatient();
    house.put("large", &vec![7; 64 << 20]);
    let mut peer = house.enter();
    let mut link = peer.passive();
    peer.expect("RETR large", 150);
    link.read_exact(&mut [0; 1000]).unwrap();
    SockRef::from(&link).set_linger(Some(Duration::ZERO)).unwrap();
    drop(link);
    let text = peer.hear(426);
    assert!(text.contains("The client, or a box before it, reset the connection"), "{text}");
    explained(
        &house,
        &mut peer,
        "RETR",
        "reset",
        "A reset comes from the client's system or from a box between",
    );
}

#[test]
fn it_ended_before_the_mark() {
    let house = impatient();
    let mut peer = house.enter();
    peer.expect("MODE B", 200);
    let mut link = peer.passive();
    peer.expect("STOR b", 150);
    link.write_all(b"\0\0\x05abc").unwrap();
    drop(link);
    let text = peer.hear(426);
    assert!(text.contains("ended before the end of the file was marked"), "{text}");
    explained(&house, &mut peer, "STOR", "cut_short", "not called whole");
}

#[test]
fn a_target_that_is_not_the_client_is_refused() {
    for (command, words) in [
        ("PORT 127,0,0,2,14,178", "Will not connect to 127.0.0.2: you come from 127.0.0.1"),
        ("EPRT |1|10.0.0.5|4000|", "Will not connect to 10.0.0.5"),
        ("PORT 127,0,0,1,0,25", "Will not connect to port 25"),
    ] {
        let house = impatient();
        let mut peer = house.enter();
        let text = peer.expect(command, 504);
        assert!(text.contains(words), "{text}");
        explained(&house, &mut peer, &command[..4], "target_refused", "RFC 2577");
    }
}

#[test]
fn modes_that_are_off_say_which_is_on() {
    let house = House::with(|settings| settings.passive = false);
    let mut peer = house.enter();
    assert!(peer.expect("PASV", 502).contains("use PORT or EPRT"));
    let house = House::with(|settings| settings.active = twoport_server::Active::Off);
    let mut peer = house.enter();
    assert!(peer.expect("EPRT |1|127.0.0.1|4000|", 502).contains("use PASV or EPSV"));
}
