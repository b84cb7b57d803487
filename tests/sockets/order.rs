//! Order and interruption: pipelines, torn lines, ABOR with and without Telnet marks, STAT and QUIT during a transfer,
//! deadlines, and the end of the server.

use std::io::Read;
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use socket2::SockRef;

use super::house::House;
use super::peer::{Peer, all, data};
use crate::support::files::bytes;

/// More than all socket buffers on the way hold, so that a transfer whose client does not read stays under way.
const HUGE: usize = 64 << 20;

/// A download of [`HUGE`] bytes that has begun and is not read.
fn stuck(house: &House) -> (Peer, TcpStream) {
    house.put("huge", &bytes(HUGE, 1));
    let mut peer = house.enter();
    let link = peer.passive();
    peer.expect("RETR huge", 150);
    (peer, link)
}

#[test]
fn a_whole_session_in_one_write_is_answered_in_order() {
    let house = House::open();
    let mut peer = Peer::connect(house.address);
    peer.send(b"USER anna\r\nPASS secret\r\nPWD\r\nMKD d\r\nCWD d\r\nPWD\r\nXYZZY\r\nNOOP\r\nTYPE\r\nQUIT\r\nNOOP\r\n");
    for code in [331, 230, 257, 257, 250, 257, 500, 200, 501, 221] {
        peer.hear(code);
    }
    peer.is_closed();
}

#[test]
fn a_client_that_says_all_and_hangs_up_is_obeyed() {
    let house = House::open();
    house.put("old", b"x");
    let mut peer = Peer::connect(house.address);
    peer.send(b"USER anna\r\nPASS secret\r\nDELE old\r\nMKD new\r\n");
    peer.socket().shutdown(Shutdown::Write).unwrap();
    for code in [331, 230, 250, 257] {
        peer.hear(code);
    }
    peer.is_closed();
    assert_eq!(house.names(), ["new"]);
}

#[test]
fn lines_may_come_byte_by_byte() {
    let house = House::open();
    let mut peer = Peer::connect(house.address);
    for byte in b"USER anna\r\nPASS secret\r\nNOOP\r\n" {
        peer.send(&[*byte]);
    }
    for code in [331, 230, 200] {
        peer.hear(code);
    }
}

#[test]
fn ten_thousand_commands_at_once_are_all_answered() {
    let house = House::open();
    let mut peer = house.enter();
    let mut writer = peer.socket().try_clone().unwrap();
    let sending = std::thread::spawn(move || {
        use std::io::Write;
        writer.write_all("NOOP\r\nPWD\r\n".repeat(5_000).as_bytes()).unwrap();
    });
    for _ in 0..5_000 {
        peer.hear(200);
        peer.hear(257);
    }
    sending.join().unwrap();
}

#[test]
fn a_line_over_the_limit_is_500_and_nothing_of_it_is_done() {
    let house = House::open();
    let mut peer = house.enter();
    let long = format!("MKD {}\r\nNOOP\r\n", "x".repeat(20_000));
    peer.send(long.as_bytes());
    peer.hear(500);
    peer.hear(200);
    peer.send(b"MKD a\0b\r\nMKD a\rb\r\nNOOP\r\n");
    peer.hear(500);
    peer.hear(500);
    peer.hear(200);
    assert_eq!(house.names(), Vec::<String>::new());
}

#[test]
fn abor_stops_a_transfer_and_the_session_lives() {
    let house = House::open();
    let (mut peer, link) = stuck(&house);
    peer.say("ABOR");
    peer.hear(426);
    peer.hear(226);
    drop(link);
    house.put("small", b"hello");
    assert_eq!(peer.fetch("RETR small"), b"hello");
    peer.expect("ABOR", 225);
}

#[test]
fn abor_with_telnet_marks_and_urgent_data() {
    let house = House::open();
    let (mut peer, _link) = stuck(&house);
    // IAC IP as they are, the IAC of the synch as urgent data, then DM and the command: what BSD clients send.
    peer.send(b"\xff\xf4");
    SockRef::from(peer.socket()).send_out_of_band(b"\xff").unwrap();
    peer.send(b"\xf2ABOR\r\n");
    peer.hear(426);
    peer.hear(226);
    // And with the mark itself urgent, when nothing runs.
    peer.send(b"\xff\xf4\xff");
    SockRef::from(peer.socket()).send_out_of_band(b"\xf2").unwrap();
    peer.send(b"ABOR\r\n");
    peer.hear(225);
    peer.expect("NOOP", 200);
}

#[test]
fn abor_of_a_listener_gives_its_port_back() {
    let house = House::open();
    let mut peer = house.enter();
    peer.epsv();
    assert_eq!(house.warden.passive_ports().leases, 1);
    peer.expect("ABOR", 225);
    assert_eq!(house.warden.passive_ports().leases, 0);
}

#[test]
fn abor_of_an_upload_leaves_the_old_file() {
    let house = House::open();
    house.put("a", b"old");
    let mut peer = house.enter();
    let mut link = peer.passive();
    peer.expect("STOR a", 150);
    std::io::Write::write_all(&mut link, b"new and longer").unwrap();
    peer.say("ABOR");
    peer.hear(426);
    peer.hear(226);
    assert_eq!(house.holds("a"), b"old");
    assert_eq!(house.names(), ["a"]);
}

#[test]
fn stat_during_a_transfer_tells_bytes_so_far() {
    let house = House::open();
    let (mut peer, mut link) = stuck(&house);
    let text = peer.expect("STAT", 211);
    assert!(text.contains("RETR huge") && text.contains(&format!("of {HUGE} bytes so far")), "{text}");
    // What comes after it waits for the transfer.
    peer.say("PWD");
    assert_eq!(all(&mut link).len(), HUGE);
    peer.hear(226);
    peer.hear(257);
}

#[test]
fn quit_during_a_transfer_waits_for_it() {
    let house = House::open();
    let (mut peer, mut link) = stuck(&house);
    peer.say("QUIT");
    peer.socket().shutdown(Shutdown::Write).unwrap();
    assert_eq!(all(&mut link), bytes(HUGE, 1));
    peer.hear(226);
    peer.hear(221);
    peer.is_closed();
}

#[test]
fn a_client_that_vanishes_takes_its_transfer_along() {
    let house = House::open();
    let (peer, mut link) = stuck(&house);
    drop(peer);
    let mut rest = Vec::new();
    let _ = link.read_to_end(&mut rest);
    assert!(rest.len() < HUGE, "the transfer was not stopped");
}

#[test]
fn a_long_hash_can_be_asked_about_and_stopped() {
    let house = House::open();
    let file = std::fs::File::create(house.path("sparse")).unwrap();
    file.set_len(1 << 42).unwrap();
    let mut peer = house.enter();
    peer.say("HASH sparse");
    let text = peer.expect("STAT", 211);
    assert!(text.contains("HASH sparse"), "{text}");
    peer.say("ABOR");
    peer.hear(451);
    peer.hear(226);
}

#[test]
fn silence_ends_a_session() {
    let house = House::with(|settings| settings.limits.idle = Duration::from_secs(1));
    let mut peer = Peer::connect(house.address);
    peer.send(b"USER anna\r\nPASS secret\r\n");
    // On a machine that slept for a second in between, 421 comes before the rest, and is right then too.
    while peer.reply().0 != 421 {}
    peer.is_closed();
    let house = House::with(|settings| settings.limits.login = Duration::from_millis(200));
    let mut peer = Peer::connect(house.address);
    peer.hear(421);
    peer.is_closed();
}

#[test]
fn a_data_connection_that_stalls_is_426() {
    let house = House::with(|settings| settings.limits.stall = Duration::from_millis(200));
    let (mut peer, _link) = stuck(&house);
    let text = peer.hear(426);
    assert!(text.contains("oved for 200 ms") || text.contains("took nothing for 200 ms"), "{text}");
    peer.expect("NOOP", 200);
}

#[test]
fn three_wrong_passwords_end_the_connection() {
    let house = House::open();
    let mut peer = Peer::connect(house.address);
    for _ in 0..3 {
        peer.expect("USER anna", 331);
        peer.expect("PASS guess", 530);
    }
    peer.hear(421);
    peer.is_closed();
}

#[test]
fn too_many_sessions_are_told_so() {
    let house = House::with(|settings| settings.max_sessions = 1);
    let mut first = house.enter();
    let mut second = Peer::over(TcpStream::connect(house.address).unwrap());
    second.hear(421);
    first.expect("QUIT", 221);
    first.is_closed();
    // The place is free as soon as the first session's task has ended.
    loop {
        let mut third = Peer::over(TcpStream::connect(house.address).unwrap());
        match third.reply().0 {
            220 => break,
            code => assert_eq!(code, 421),
        }
    }
}

#[test]
fn at_the_end_transfers_finish_and_idle_sessions_are_told() {
    let mut house = House::open();
    let (mut busy, mut link) = stuck(&house);
    let mut idle = house.enter();
    house.stop();
    idle.hear(421);
    idle.is_closed();
    assert_eq!(all(&mut link).len(), HUGE);
    busy.hear(226);
    busy.hear(421);
    busy.is_closed();
    house.wait();
    assert!(TcpStream::connect(house.address).is_err());
}

#[test]
fn the_drain_has_an_end() {
    let mut house = House::with(|settings| settings.drain = Duration::from_millis(200));
    let (_peer, link) = stuck(&house);
    house.stop();
    house.wait();
    drop(data(link));
}
