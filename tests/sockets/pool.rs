//! The pool of passive ports with real sockets: shared by clients, never left, and not to be stolen from.

use std::collections::HashSet;
use std::io::{ErrorKind, Read};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use twoport_server::PortRange;

use super::house::House;
use super::peer::{PATIENCE, Peer, all, data, from_elsewhere, try_from_elsewhere};
use crate::support::server::passive_range;
use crate::support::wait_until;

fn small(change: impl FnOnce(&mut twoport_server::Settings)) -> (House, PortRange) {
    let (first, _) = passive_range();
    let range = PortRange::new(first, first + 3).unwrap();
    let house = House::with(|settings| {
        settings.passive_ports = range;
        change(settings);
    });
    (house, range)
}

/// A session from an address of this host's own choice.
fn enter_from(ip: IpAddr, house: &House) -> Peer {
    Peer::login_over(from_elsewhere(ip, house.address), "anna", "secret")
}

#[test]
fn four_ports_serve_two_hundred_clients_at_once() {
    let (house, range) = small(|settings| settings.when_full = Duration::ZERO);
    house.put("a", b"what all of them want");
    let all_there = Arc::new(Barrier::new(200));
    let ports: HashSet<u16> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..200u8)
            .map(|number| {
                let (house, all_there) = (&house, Arc::clone(&all_there));
                scope.spawn(move || {
                    let ip = IpAddr::from([127, 0, 1 + number % 5, 1 + number]);
                    let mut peer = enter_from(ip, house);
                    let mut used = Vec::new();
                    for round in 0..3 {
                        // EPSV and PASV alike.
                        let port =
                            if (usize::from(number) + round) % 2 == 0 { peer.epsv() } else { peer.pasv() };
                        used.push(port.port());
                        // All hold a port now, and nobody has connected.
                        all_there.wait();
                        let mut link = data(from_elsewhere(ip, port));
                        peer.expect("RETR a", 150);
                        assert_eq!(all(&mut link), b"what all of them want");
                        peer.hear(226);
                    }
                    used
                })
            })
            .collect();
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
    });
    assert!(ports.iter().all(|port| range.contains(*port)), "{ports:?} are not all of {range}");
    let gauge = house.warden.passive_ports();
    assert_eq!((gauge.leases, gauge.ports, gauge.clients), (0, 0, 0));
    assert_eq!(house.warden.faults(), []);
}

#[test]
fn of_one_address_the_fifth_is_refused_where_it_is_configured_so() {
    let (house, _) = small(|settings| settings.when_full = Duration::ZERO);
    let mut sessions: Vec<Peer> = (0..5).map(|_| house.enter()).collect();
    let ports: HashSet<u16> = sessions[..4].iter_mut().map(|peer| peer.epsv().port()).collect();
    assert_eq!(ports.len(), 4);
    let text = sessions[4].expect("PASV", 425);
    assert!(text.contains("all 4 passive ports") || text.contains("All 4 passive ports"), "{text}");
    // Another address has all four.
    enter_from(IpAddr::from([127, 0, 0, 2]), &house).epsv();
    assert_eq!(house.warden.faults(), [("ports_spent", 1)]);
}

#[test]
fn of_one_address_the_fifth_waits_for_a_port_to_come_back() {
    let (house, range) = small(|settings| settings.when_full = Duration::from_secs(50));
    let mut sessions: Vec<Peer> = (0..4).map(|_| house.enter()).collect();
    let mut fifth = house.enter();
    let ports: Vec<SocketAddr> = sessions.iter_mut().map(Peer::epsv).collect();
    // It is obeyed in order, and the session is alive meanwhile.
    fifth.say("EPSV");
    fifth.say("NOOP");
    // A refusal would be there at once.
    fifth.socket().set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    assert!(fifth.socket().peek(&mut [0]).is_err(), "it did not wait");
    fifth.socket().set_read_timeout(Some(PATIENCE)).unwrap();
    sessions[2].expect("ABOR", 225);
    let text = fifth.hear(229);
    assert!(text.contains(&ports[2].port().to_string()), "{text}");
    assert!(range.contains(ports[2].port()));
    fifth.hear(200);
}

#[test]
fn who_waits_for_a_port_in_vain_is_told_so() {
    let (house, _) = small(|settings| settings.when_full = Duration::from_millis(200));
    let mut sessions: Vec<Peer> = (0..5).map(|_| house.enter()).collect();
    sessions[..4].iter_mut().for_each(|peer| _ = peer.epsv());
    let began = Instant::now();
    sessions[4].expect("EPSV", 425);
    assert!(began.elapsed() >= Duration::from_millis(200));
    // One that hangs up while it waits leaves nothing behind.
    sessions[4].say("EPSV");
    drop(sessions);
    wait_until(|| house.warden.passive_ports().leases == 0);
}

#[test]
fn a_client_has_its_share_and_others_the_rest() {
    let (house, _) = small(|settings| {
        settings.when_full = Duration::ZERO;
        settings.passive_share = Some(2);
    });
    let mut sessions: Vec<Peer> = (0..3).map(|_| house.enter()).collect();
    sessions[..2].iter_mut().for_each(|peer| _ = peer.epsv());
    let text = sessions[2].expect("EPSV", 425);
    assert!(text.contains("2 passive ports wait") && text.contains("as many as it may"), "{text}");
    enter_from(IpAddr::from([127, 0, 0, 2]), &house).epsv();
}

#[test]
fn a_port_that_was_used_rests_while_others_are_free() {
    let (house, _) = small(|_| {});
    let mut peer = house.enter();
    house.put("a", b"hello");
    let mut used: Vec<u16> = Vec::new();
    for _ in 0..12 {
        let port = peer.epsv();
        let mut link = data(TcpStream::connect(port).unwrap());
        peer.expect("RETR a", 150);
        assert_eq!(all(&mut link), b"hello");
        peer.hear(226);
        used.push(port.port());
    }
    // Each of the four once, and then over again in the same order: the longest rested first.
    for turn in used.windows(5) {
        assert_eq!(turn[0], turn[4], "{used:?}");
        assert_eq!(turn[..4].iter().collect::<HashSet<_>>().len(), 4, "{used:?}");
    }
}

/// Somebody who is always there first gets nothing, and nobody waits for him.
#[test]
fn a_stranger_who_races_for_every_port_gets_nothing_and_holds_up_nobody() {
    let (house, range) = small(|settings| settings.when_full = Duration::ZERO);
    house.put("a", b"what the stranger wants");
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let racers: Vec<_> = range
            .ports()
            .map(|port| {
                let stop = &stop;
                scope.spawn(move || {
                    let (mut came, mut got) = (0_u32, 0_usize);
                    while !stop.load(Ordering::Relaxed) {
                        let target = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
                        let Ok(mut link) = try_from_elsewhere(IpAddr::from([127, 9, 9, 9]), target) else {
                            continue;
                        };
                        came += 1;
                        let mut bytes = Vec::new();
                        match link.read_to_end(&mut bytes) {
                            Err(e) if e.kind() == ErrorKind::WouldBlock => {
                                panic!("the stranger was left waiting")
                            }
                            _ => got += bytes.len(),
                        }
                    }
                    (came, got)
                })
            })
            .collect();
        let mut peer = house.enter();
        for _ in 0..100 {
            assert_eq!(peer.fetch("RETR a"), b"what the stranger wants");
            assert_eq!(peer.store("STOR b", b"not the stranger's").0, 226);
        }
        stop.store(true, Ordering::Relaxed);
        let (came, got) = racers
            .into_iter()
            .map(|racer| racer.join().unwrap())
            .fold((0, 0), |(a, b), (c, d)| (a + c, b + d));
        assert!(came > 0, "the stranger never came");
        assert_eq!(got, 0);
    });
    assert_eq!(house.holds("b"), b"not the stranger's");
    assert_eq!(house.warden.faults(), []);
}

#[test]
fn a_port_of_another_program_is_passed_over() {
    let (house, range) = small(|settings| settings.when_full = Duration::ZERO);
    let held = TcpListener::bind((Ipv4Addr::LOCALHOST, range.first() + 1)).unwrap();
    let mut sessions: Vec<Peer> = (0..4).map(|_| house.enter()).collect();
    let ports: HashSet<u16> = sessions[..3].iter_mut().map(|peer| peer.epsv().port()).collect();
    assert_eq!(ports.len(), 3);
    assert!(!ports.contains(&(range.first() + 1)));
    sessions[3].expect("EPSV", 425);
    drop(held);
    sessions[3].epsv();
}
