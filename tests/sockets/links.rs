//! Both modes over both families, strangers, spent ranges, and who is connected to.

use std::io::{ErrorKind, Read};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use twoport_proto::hostport;
use twoport_server::{Active, PortRange};

use super::house::House;
use super::peer::{all, data, from_elsewhere, to_the_end};
use crate::support::server::passive_range;

#[test]
fn both_modes_over_both_families() {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let house = House::with(|settings| settings.listen = vec![address.parse().unwrap()]);
        house.put("a", b"hello");
        let mut peer = house.enter();
        assert_eq!(peer.fetch("RETR a"), b"hello");
        assert_eq!(peer.store("STOR b", b"world").0, 226);
        assert_eq!(house.holds("b"), b"world");

        let listener = peer.active();
        peer.say("RETR a");
        assert_eq!(all(&mut data(listener.accept().unwrap().0)), b"hello");
        peer.hear(150);
        peer.hear(226);
    }
}

#[test]
fn a_listener_for_both_families_takes_both() {
    let house = House::with(|settings| settings.listen = vec!["[::]:0".parse().unwrap()]);
    house.put("a", b"hello");
    for host in ["127.0.0.1", "::1"] {
        let address = std::net::SocketAddr::new(host.parse().unwrap(), house.address.port());
        let mut peer = super::peer::Peer::login(address);
        assert_eq!(peer.fetch("RETR a"), b"hello", "{host}");
        let told = peer.expect("PASV", 227);
        let told = hostport::read_227(told.as_bytes()).unwrap();
        let expected = if host == "::1" { Ipv4Addr::UNSPECIFIED } else { Ipv4Addr::LOCALHOST };
        assert_eq!(*told.ip(), expected);
    }
}

#[test]
fn pasv_and_port_carry_their_six_numbers() {
    let house = House::open();
    house.put("a", b"hello");
    let mut peer = house.enter();
    let told = peer.expect("PASV", 227);
    let told = hostport::read_227(told.as_bytes()).unwrap();
    let mut link = data(TcpStream::connect(told).unwrap());
    peer.expect("RETR a", 150);
    assert_eq!(all(&mut link), b"hello");
    peer.hear(226);
}

#[test]
fn a_stranger_is_dropped_and_the_right_peer_still_served() {
    let house = House::open();
    house.put("a", b"hello");
    let mut peer = house.enter();
    let port = peer.epsv();
    let mut stranger = from_elsewhere(IpAddr::from([127, 0, 0, 2]), port);
    peer.say("RETR a");
    let mut byte = [0; 1];
    match stranger.read(&mut byte) {
        Ok(0) => {}
        Err(e) if e.kind() == ErrorKind::ConnectionReset => {}
        other => panic!("the stranger got {other:?}"),
    }
    let mut link = data(TcpStream::connect(port).unwrap());
    assert_eq!(all(&mut link), b"hello");
    peer.hear(150);
    peer.hear(226);
}

#[test]
fn when_only_a_stranger_comes_the_reply_says_so() {
    let house = House::with(|settings| settings.limits.link = Duration::from_millis(300));
    house.put("a", b"hello");
    let mut peer = house.enter();
    let port = peer.epsv();
    let _stranger = from_elsewhere(IpAddr::from([127, 0, 0, 2]), port);
    let (code, text) = peer.ask("RETR a");
    assert!(code == 425 && text.contains("127.0.0.2"), "{code} {text}");
}

#[test]
fn when_nobody_comes_the_reply_names_port_and_range() {
    let house = House::with(|settings| settings.limits.link = Duration::from_millis(300));
    house.put("a", b"hello");
    let mut peer = house.enter();
    let port = peer.epsv().port();
    let (code, text) = peer.ask("RETR a");
    assert!(code == 425 && text.contains(&port.to_string()), "{code} {text}");
    assert_eq!(house.warden.passive_ports().leases, 0);
    peer.expect("NOOP", 200);
}

#[test]
fn a_missing_file_costs_one_550_and_no_150() {
    let house = House::open();
    let mut peer = house.enter();
    let mut link = peer.passive();
    peer.expect("RETR nothing", 550);
    assert_eq!(to_the_end(&mut link).len(), 0);
    assert_eq!(house.warden.passive_ports().leases, 0);
}

#[test]
fn ports_come_from_the_range_only_and_a_spent_range_is_425_at_once() {
    // Three ports, the middle one of which another program holds.
    let (first, _) = passive_range();
    let range = PortRange::new(first, first + 2).unwrap();
    let held = TcpListener::bind((Ipv4Addr::LOCALHOST, first + 1)).unwrap();
    let house = House::with(|settings| {
        settings.passive_ports = range;
        settings.when_full = Duration::ZERO;
    });
    let mut sessions: Vec<_> = (0..2).map(|_| house.enter()).collect();
    let mut ports: Vec<u16> = sessions.iter_mut().map(|peer| peer.epsv().port()).collect();
    assert!(ports.iter().all(|port| range.contains(*port) && *port != first + 1), "{ports:?}");
    let mut late = house.enter();
    let (code, text) = late.ask("PASV");
    assert!(code == 425 && text.contains("2 wait for your address"), "{code} {text}");
    // A port comes back with ABOR, with a new command for a plan, and with the end of a session.
    sessions[0].expect("ABOR", 225);
    ports[0] = late.epsv().port();
    assert!(range.contains(ports[0]));
    drop(held);
}

#[test]
fn only_the_control_peer_is_connected_to_and_only_above_1023() {
    let house = House::open();
    house.put("a", b"hello");
    let mut peer = house.enter();
    let trap = TcpListener::bind("127.0.0.3:0").unwrap();
    trap.set_nonblocking(true).unwrap();
    let port = trap.local_addr().unwrap().port();
    let (code, text) = peer.ask(&format!("PORT 127,0,0,3,{},{}", port >> 8, port & 255));
    assert!(code == 504 && text.contains("127.0.0.3"), "{code} {text}");
    peer.expect(&format!("EPRT |1|127.0.0.3|{port}|"), 504);
    peer.expect("PORT 127,0,0,1,3,255", 504);
    peer.expect("EPRT |3|127.0.0.1|4000|", 522);
    peer.expect("RETR a", 425);
    assert_eq!(trap.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
}

#[test]
fn a_refused_connect_back_says_where() {
    let house = House::open();
    house.put("a", b"hello");
    let mut peer = house.enter();
    let port = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    peer.expect(&format!("EPRT |1|127.0.0.1|{port}|"), 200);
    let (code, text) = peer.ask("RETR a");
    assert!(code == 425 && text.contains(&format!("127.0.0.1:{port}")), "{code} {text}");
}

#[test]
fn active_mode_comes_from_port_20_when_asked_for() {
    // An address of its own: whoever else on this machine has just used port 20 of 127.0.0.1 keeps it for a minute.
    let [.., high, low] = std::process::id().to_be_bytes();
    let house = House::with(|settings| {
        settings.active = Active::Port20;
        settings.listen = vec![SocketAddr::from(([127, 20, high, low | 1], 0)).into()];
    });
    house.put("a", b"hello");
    let mut peer = house.enter();
    for turn in 0..3 {
        let listener = peer.active();
        peer.say("RETR a");
        let (mut link, from) = listener.accept().unwrap();
        assert_eq!(all(&mut link), b"hello");
        // Without the capability it comes from any port, and comes.
        if rustix::process::geteuid().is_root() {
            assert_eq!(from.port(), 20, "turn {turn}");
        }
        peer.hear(150);
        peer.hear(226);
    }
}

#[test]
fn a_client_that_connects_only_after_150_is_served() {
    let house = House::open();
    house.put("a", b"hello");
    let mut peer = house.enter();
    let port = peer.epsv();
    peer.expect("RETR a", 150);
    assert_eq!(all(&mut data(TcpStream::connect(port).unwrap())), b"hello");
    peer.hear(226);
}

#[test]
fn a_switched_off_mode_is_refused_with_the_other_one_named() {
    let house = House::with(|settings| settings.active = Active::Off);
    let mut peer = house.enter();
    let text = peer.expect("PORT 127,0,0,1,200,1", 502);
    assert!(text.contains("PASV"), "{text}");
    let house = House::with(|settings| settings.passive = false);
    let mut peer = house.enter();
    let text = peer.expect("EPSV", 502);
    assert!(text.contains("PORT"), "{text}");
}
