//! What clients are told of where the passive ports are, by a real server with real addresses.

use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::time::Duration;

use twoport_server::{Outside, PortMap, PortRange, Rule, Tell, Witness};

use super::house::House;
use super::peer::{Peer, from_elsewhere};
use crate::support::server::passive_range;

fn telling(change: impl FnOnce(&mut Outside, PortRange)) -> House {
    House::with(|settings| {
        let (low, high) = passive_range();
        settings.passive_ports = PortRange::new(low, high).unwrap();
        change(&mut settings.outside, settings.passive_ports);
    })
}

fn enter_from(ip: [u8; 4], house: &House) -> Peer {
    Peer::login_over(from_elsewhere(IpAddr::from(ip), house.address), "anna", "secret")
}

/// Every client of this host is of our own network; a rule makes some of them others.
fn to_strangers(tell: &str) -> Vec<Rule> {
    vec![Rule { networks: vec!["127.9.0.0/16".parse().unwrap()], tell: tell.parse().unwrap() }]
}

#[test]
fn each_network_is_told_its_own_and_a_nat_numbers_ports_anew() {
    let mut shift = 0;
    let house = telling(|outside, range| {
        outside.tell = Tell::Address(Ipv4Addr::new(198, 51, 100, 2));
        outside.rules = to_strangers("203.0.113.7");
        outside.rules.push(Rule { networks: vec!["127.8.0.3".parse().unwrap()], tell: Tell::Control });
        let (first, last) = (range.first(), range.last());
        let outer = PortRange::new(1024, 1024 + (last - first)).unwrap();
        shift = first - outer.first();
        outside.ports = PortMap::read([&*format!("{outer}={range}")]).unwrap();
    });
    let range = house.settings.passive_ports;
    for (from, told, shifted) in [
        ([127, 9, 1, 1], [203, 0, 113, 7], true),
        ([127, 8, 0, 3], [0, 0, 0, 0], true),
        ([127, 0, 0, 1], [127, 0, 0, 1], false),
    ] {
        let mut peer = enter_from(from, &house);
        for place in [peer.pasv(), peer.epsv()] {
            let inside = if shifted { place.port() + shift } else { place.port() };
            assert!(range.contains(inside), "{place} {shifted}");
            if place.ip() != peer.server().ip() {
                assert_eq!(place.ip(), IpAddr::from(told));
            }
        }
        assert_eq!(peer.pasv().ip(), IpAddr::from(told));
    }
}

#[test]
fn a_name_is_looked_up_when_a_client_needs_it() {
    let house = telling(|outside, _| outside.rules = to_strangers("localhost"));
    assert_eq!(enter_from([127, 9, 1, 1], &house).pasv().ip(), IpAddr::from([127, 0, 0, 1]));
    // One that nobody knows is no reason to fail: the address that the client reached stands in for it.
    let house = telling(|outside, _| outside.rules = to_strangers("no-such-name.invalid"));
    let mut peer = enter_from([127, 9, 1, 1], &house);
    assert_eq!(peer.pasv().ip(), IpAddr::from([127, 0, 0, 1]));
    // EPSV needs no address and waits for none.
    peer.epsv();
}

#[test]
fn somebody_outside_is_asked_for_our_address_and_asked_once_for_many() {
    let stun = UdpSocket::bind("127.0.0.1:0").unwrap();
    stun.set_read_timeout(Some(Duration::from_secs(50))).unwrap();
    let house = House::with(|settings| {
        settings.outside.rules = to_strangers("auto");
        settings.witness = Some(Witness::Stun(stun.local_addr().unwrap().to_string()));
    });
    let mut first = enter_from([127, 9, 1, 1], &house);
    let mut second = enter_from([127, 9, 1, 2], &house);
    first.say("PASV");
    second.say("PASV");
    let mut request = [0; 64];
    let (_, from) = stun.recv_from(&mut request).unwrap();
    let mut answer = vec![1, 1, 0, 12];
    answer.extend(&request[4..20]);
    // 203.0.113.77, hidden by the cookie 0x2112A442.
    answer.extend([0, 0x20, 0, 8, 0, 1, 0, 0, 203 ^ 0x21, 0x12, 113 ^ 0xA4, 77 ^ 0x42]);
    stun.send_to(&answer, from).unwrap();
    for peer in [&mut first, &mut second] {
        let text = peer.hear(227);
        assert!(text.contains("(203,0,113,77,"), "{text}");
    }
    // What is known is not asked for again.
    assert!(enter_from([127, 9, 1, 3], &house).expect("PASV", 227).contains("(203,0,113,77,"));
    stun.set_nonblocking(true).unwrap();
    // The question may have been sent again before it was answered; nobody asks another.
    let once = request;
    while stun.recv_from(&mut request).is_ok() {
        assert_eq!(request[8..20], once[8..20]);
    }
}
