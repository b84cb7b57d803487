//! MODE B and MODE Z over real connections: many files over one, and what happens to it when something goes wrong.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};

use super::house::House;
use super::peer::{Peer, all, reset};
use crate::support::files::bytes;

/// One file out of blocks; the connection stays where it is.
fn unblocked(link: &mut TcpStream) -> Vec<u8> {
    let mut file = Vec::new();
    loop {
        let mut header = [0; 3];
        link.read_exact(&mut header).unwrap();
        let mut block = vec![0; usize::from(u16::from_be_bytes([header[1], header[2]]))];
        link.read_exact(&mut block).unwrap();
        file.extend(block);
        if header[0] == 64 {
            return file;
        }
        assert_eq!(header[0], 0);
    }
}

/// A file in blocks, its last one with the end mark.
fn blocked(file: &[u8]) -> Vec<u8> {
    let (first, last) = file.split_at(file.len() / 2);
    let header = |mark, piece: &[u8]| {
        let [high, low] = u16::try_from(piece.len()).unwrap().to_be_bytes();
        [mark, high, low]
    };
    [&header(0, first), first, &header(64, last), last].concat()
}

fn in_blocks(house: &House) -> Peer {
    let mut peer = house.enter();
    peer.expect("TYPE I", 200);
    peer.expect("MODE B", 200);
    peer
}

#[test]
fn many_files_are_asked_for_in_one_flight() {
    let house = House::open();
    let files: Vec<Vec<u8>> = [0, 1, 4096, 65_535, 65_536, 200_000].map(|size| bytes(size, 7)).into();
    for (place, file) in files.iter().enumerate() {
        house.put(&format!("f{place}"), file);
    }
    let mut peer = in_blocks(&house);
    let mut link = peer.passive();
    peer.send(b"RETR f0\r\nRETR f1\r\nRETR none\r\nRETR f2\r\nMLSD\r\nRETR f3\r\nRETR f4\r\nRETR f5\r\n");
    for file in &files[..3] {
        assert!(unblocked(&mut link) == *file);
    }
    assert_eq!(unblocked(&mut link).split(|byte| *byte == b'\n').count(), 6 + 1);
    for file in &files[3..] {
        assert!(unblocked(&mut link) == *file);
    }
    for codes in [&[150, 250][..], &[125, 250], &[550], &[125, 250], &[125, 250], &[125, 250], &[125, 250]] {
        codes.iter().for_each(|code| drop(peer.hear(*code)));
    }
    peer.hear(125);
    peer.hear(250);
    peer.expect("QUIT", 221);
    assert_eq!(all(&mut link), b"", "the connection ends with its session");
}

#[test]
fn files_are_stored_in_blocks_one_after_the_other() {
    let house = House::open();
    let mut peer = in_blocks(&house);
    let mut link = peer.passive();
    let files = [bytes(3000, 1), bytes(0, 2), bytes(90_000, 3)];
    for (place, file) in files.iter().enumerate() {
        peer.expect(&format!("STOR f{place}"), if place == 0 { 150 } else { 125 });
        link.write_all(&blocked(file)).unwrap();
        peer.hear(250);
        assert!(house.holds(&format!("f{place}")) == *file);
    }
    // All at once, and the bytes before the command.
    link.write_all(&[blocked(b"one"), blocked(b"two")].concat()).unwrap();
    peer.send(b"STOR g1\r\nSTOR g2\r\n");
    for code in [125, 250, 125, 250] {
        peer.hear(code);
    }
    assert_eq!((house.holds("g1"), house.holds("g2")), (b"one".to_vec(), b"two".to_vec()));
}

#[test]
fn an_upload_without_its_end_mark_is_not_whole() {
    let house = House::open();
    house.put("old", b"old");
    let mut peer = in_blocks(&house);
    let mut link = peer.passive();
    peer.expect("STOR old", 150);
    let blocks = blocked(b"new bytes");
    link.write_all(&blocks[..blocks.len() - 2]).unwrap();
    link.shutdown(Shutdown::Write).unwrap();
    peer.hear(426);
    assert_eq!(house.holds("old"), b"old");
    // Nothing is open any more, and a new connection is as good as the first.
    peer.expect("RETR old", 425);
    let mut link = peer.passive();
    peer.send(b"RETR old\r\n");
    assert_eq!(unblocked(&mut link), b"old");
}

#[test]
fn a_connection_that_the_client_has_closed_is_425() {
    let house = House::open();
    house.put("f", b"bytes");
    let mut peer = in_blocks(&house);
    let mut link = peer.passive();
    peer.expect("RETR f", 150);
    assert_eq!(unblocked(&mut link), b"bytes");
    peer.hear(250);
    drop(link);
    // Over loopback the end of the connection arrives before the command.
    peer.expect("RETR f", 425);
    let mut link = peer.passive();
    peer.send(b"RETR f\r\n");
    assert_eq!(unblocked(&mut link), b"bytes");
    reset(link);
}

#[test]
fn abor_and_another_mode_close_what_was_left_open() {
    let house = House::open();
    house.put("f", b"bytes");
    for closes in ["ABOR", "MODE S", "EPSV"] {
        let mut peer = in_blocks(&house);
        let mut link = peer.passive();
        peer.expect("RETR f", 150);
        assert_eq!(unblocked(&mut link), b"bytes");
        peer.hear(250);
        peer.ask(closes);
        assert_eq!(all(&mut link), b"", "{closes}");
    }
}

#[test]
fn deflated_files_go_both_ways() {
    let house = House::open();
    let file = vec![b'z'; 300_000];
    house.put("f", &file);
    let mut peer = house.enter();
    peer.expect("TYPE I", 200);
    peer.expect("MODE Z", 200);
    let wire = peer.fetch("RETR f");
    assert!(wire.len() < 3000 && wire.starts_with(&[0x78]), "{} bytes", wire.len());
    assert_eq!(peer.store("STOR g", &wire).0, 226);
    assert!(house.holds("g") == file);
    assert_eq!(peer.store("STOR g", &wire[..wire.len() - 4]).0, 426, "a stream without its end");
    assert_eq!(peer.store("STOR g", b"no zlib at all").0, 426);
    assert!(house.holds("g") == file, "what is not whole replaces nothing");
    // A listing is carried in the same form.
    assert!(peer.fetch("LIST").starts_with(&[0x78]));
}
