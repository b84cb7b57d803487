//! Files through the server: uploads that are cut, names that are bytes, the wall around the root, a full disk, rights,
//! types and structures.

use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::process::Command;

use twoport_server::{CutUploads, Rights};

use super::house::{House, account};
use super::peer::{Peer, reset};
use crate::support::files::bytes;

#[test]
fn a_cut_upload_never_spoils_the_file_that_was_there() {
    let house = House::open();
    house.put("a", b"old");
    let mut peer = house.enter();
    let mut link = peer.passive();
    peer.expect("STOR a", 150);
    link.write_all(&bytes(100_000, 1)).unwrap();
    reset(link);
    peer.hear(426);
    assert_eq!(house.holds("a"), b"old");
    assert_eq!(house.names(), ["a"]);
}

#[test]
fn of_a_new_name_what_arrived_is_kept_and_resumed() {
    let whole = bytes(3_000_000, 2);
    for resume_by_append in [false, true] {
        let house = House::open();
        let mut peer = house.enter();
        let mut link = peer.passive();
        peer.expect("STOR a", 150);
        link.write_all(&whole[..1_000_000]).unwrap();
        // The bytes are in when the server has counted them; a reset would throw away what it had not read.
        while !peer.expect("STAT", 211).contains(": 1000000 bytes") {}
        reset(link);
        peer.hear(426);
        let had: usize = peer.expect("SIZE a", 213).parse().unwrap();
        assert_eq!(house.holds("a"), whole[..had]);
        assert_eq!(had, 1_000_000);
        let command = if resume_by_append {
            "APPE a"
        } else {
            peer.expect(&format!("REST {had}"), 350);
            "STOR a"
        };
        assert_eq!(peer.store(command, &whole[had..]).0, 226);
        assert!(house.holds("a") == whole);
        assert_eq!(house.names(), ["a"]);
    }
}

#[test]
fn cut_uploads_are_dropped_when_that_is_wanted() {
    let house = House::with(|settings| settings.cut_uploads = CutUploads::Discard);
    let mut peer = house.enter();
    let mut link = peer.passive();
    peer.expect("STOR a", 150);
    link.write_all(b"half").unwrap();
    while !peer.expect("STAT", 211).contains(": 4 bytes") {}
    reset(link);
    peer.hear(426);
    assert_eq!(house.names(), Vec::<String>::new());
}

#[test]
fn a_client_that_dies_is_not_taken_for_one_that_closed_in_order() {
    let house = House::open();
    house.put("a", b"old");
    let mut peer = house.enter();
    let mut link = peer.passive();
    peer.expect("STOR a", 150);
    link.write_all(b"half of the new").unwrap();
    // The system closes a dead program's connections one after the other, each in order.
    drop(peer);
    drop(link);
    let mut peer = house.enter();
    // The session of the dead client is over when its working file is gone.
    while house.names() != ["a"] {
        peer.expect("NOOP", 200);
    }
    assert_eq!(house.holds("a"), b"old");
}

#[test]
fn a_durable_upload_is_there_after_226() {
    let house = House::with(|settings| settings.durable = true);
    let mut peer = house.enter();
    assert_eq!(peer.store("STOR a", b"hello").0, 226);
    assert_eq!(house.holds("a"), b"hello");
}

#[test]
fn while_an_upload_runs_the_old_file_is_served_and_no_working_file_is_shown() {
    let house = House::open();
    house.put("a", b"old");
    let mut peer = house.enter();
    let mut link = peer.passive();
    peer.expect("STOR a", 150);
    link.write_all(b"new").unwrap();
    let mut other = house.enter();
    assert_eq!(other.fetch("RETR a"), b"old");
    assert_eq!(other.fetch("NLST -a"), b"a\r\n");
    drop(link);
    peer.hear(226);
    assert_eq!(other.fetch("RETR a"), b"new");
}

#[test]
fn stou_finds_a_new_name_and_tells_it() {
    let house = House::open();
    house.put("a", b"old");
    let mut peer = house.enter();
    let mut link = peer.passive();
    let text = peer.expect("STOU a", 150);
    let name = text.strip_prefix("FILE: ").expect("150 tells the name").to_owned();
    link.write_all(b"new").unwrap();
    drop(link);
    assert!(peer.hear(226).contains(&name));
    assert_eq!((house.holds("a").as_slice(), house.holds(&name).as_slice()), (&b"old"[..], &b"new"[..]));
}

#[test]
fn names_are_bytes() {
    let house = House::open();
    let mut peer = house.enter();
    let name = b"caf\xe9 \xff\xff \"x\" ".to_vec();
    let line = |verb: &str| [verb.as_bytes(), b" ", &name, b"\r\n"].concat();
    let mut link = peer.passive();
    peer.send(&line("STOR"));
    peer.hear(150);
    link.write_all(b"hello").unwrap();
    drop(link);
    peer.hear(226);
    // On the wire FF FF is one FF (RFC 854), and so it is on the disk.
    let on_disk = b"caf\xe9 \xff \"x\" ".to_vec();
    assert!(house.path("").join(std::ffi::OsStr::from_bytes(&on_disk)).exists());
    assert_eq!(peer.fetch("NLST"), [&on_disk[..], b"\r\n"].concat());
    peer.send(&line("DELE"));
    peer.hear(250);
    assert_eq!(house.names(), Vec::<String>::new());
}

#[test]
fn nothing_leads_out_of_the_root() {
    let house = House::open();
    std::os::unix::fs::symlink("/etc/passwd", house.path("absolute")).unwrap();
    std::os::unix::fs::symlink("../../../../../../etc/passwd", house.path("relative")).unwrap();
    let mut peer = house.enter();
    for path in ["../../../../etc/passwd", "/etc/passwd", "/../etc/passwd", "absolute", "relative"] {
        let _link = peer.passive();
        peer.expect(&format!("RETR {path}"), 550);
        peer.expect(&format!("SIZE {path}"), 550);
    }
    peer.expect("CWD ..", 250);
    assert!(peer.expect("PWD", 257).starts_with("\"/\""));
}

#[test]
fn a_full_disk_is_452_and_the_session_lives_on() {
    let house = House::open();
    let small = house.path("small");
    std::fs::create_dir(&small).unwrap();
    let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"]).arg(&small).output();
    if !mount.is_ok_and(|mount| mount.status.success()) {
        println!("skipped: a small file system cannot be mounted here");
        return;
    }
    let _mounted = Mounted(small);
    let mut peer = house.enter();
    peer.expect("CWD small", 250);
    peer.expect("ALLO 100000000", 452);
    let mut link = peer.passive();
    peer.expect("STOR big", 150);
    // The server may close before all is written.
    let _ = link.write_all(&bytes(4 << 20, 3));
    drop(link);
    peer.hear(452);
    peer.expect("DELE big", 250);
    let (code, text) = peer.store("STOR little", b"hello");
    assert_eq!(code, 226, "{text}");
}

/// A file system that is unmounted when the test ends, however it ends.
struct Mounted(PathBuf);

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn accounts_do_what_they_may_and_no_more() {
    let house = House::with(|settings| {
        let root = settings.accounts[0].root.clone();
        settings.accounts.push(account("reader", Rights::READ_ONLY, &root));
        settings.accounts.push(account("dropper", Rights::DROP, &root));
    });
    house.put("a", b"hello");
    let enter = |name: &str| {
        let mut peer = Peer::connect(house.address);
        peer.expect(&format!("USER {name}"), 331);
        peer.expect("PASS secret", 230);
        peer
    };
    let mut reader = enter("reader");
    assert_eq!(reader.fetch("RETR a"), b"hello");
    for command in [
        "STOR b",
        "APPE a",
        "DELE a",
        "MKD d",
        "RMD d",
        "RNFR a",
        "SITE CHMOD 600 a",
        "MFMT 20200101000000 a",
    ] {
        reader.expect(command, 550);
    }
    let mut dropper = enter("dropper");
    for command in ["LIST", "RETR a", "MLST a", "DELE a", "HASH a", "STAT a"] {
        dropper.expect(command, 550);
    }
    let mut link = dropper.passive();
    dropper.expect("STOR a", 550);
    drop(all_bytes(&mut link));
    assert_eq!(dropper.store("STOR new", b"x").0, 226);
    assert_eq!(house.holds("a"), b"hello");
}

/// What came before the end, whichever way it ended.
fn all_bytes(link: &mut std::net::TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    let _ = std::io::Read::read_to_end(link, &mut bytes);
    bytes
}

#[test]
fn type_a_speaks_crlf_and_counts_no_bytes_of_the_file() {
    let house = House::open();
    house.put("a", b"one\ntwo\r\nthree");
    let mut peer = house.enter();
    peer.expect("TYPE A", 200);
    assert_eq!(peer.fetch("RETR a"), b"one\r\ntwo\r\nthree");
    assert_eq!(peer.store("STOR b", b"one\r\ntwo\r\n\rthree").0, 226);
    assert_eq!(house.holds("b"), b"one\ntwo\n\rthree");
    peer.expect("SIZE a", 550);
    peer.expect("REST 4", 504);
    peer.expect("REST 0", 350);
}

#[test]
fn records_go_there_and_back() {
    let house = House::open();
    let text = b"one\n\xff\xfe\nlast without an end";
    house.put("a", text);
    let mut peer = house.enter();
    peer.expect("STRU R", 200);
    let wire = peer.fetch("RETR a");
    assert_eq!(wire, b"one\xff\x01\xff\xff\xfe\xff\x01last without an end\xff\x02");
    assert_eq!(peer.store("STOR b", &wire).0, 226);
    assert_eq!(house.holds("b"), text);
    // Without the end mark it is not whole.
    assert_eq!(peer.store("STOR b", b"one\xff\x01").0, 426);
    assert_eq!(house.holds("b"), text);
}

#[test]
fn parts_of_files_by_rest_and_rang() {
    let house = House::open();
    house.put("a", b"0123456789");
    let mut peer = house.enter();
    peer.expect("REST 7", 350);
    assert_eq!(peer.fetch("RETR a"), b"789");
    assert_eq!(peer.fetch("RETR a"), b"0123456789");
    peer.expect("RANG 2 4", 350);
    assert_eq!(peer.fetch("RETR a"), b"234");
    peer.expect("RANG 8 400", 350);
    assert_eq!(peer.fetch("RETR a"), b"89");
    peer.expect("REST 11", 350);
    let _link = peer.passive();
    peer.expect("RETR a", 554);
    peer.expect("REST 11", 350);
    let _link = peer.passive();
    peer.expect("STOR a", 554);
    assert_eq!(house.holds("a"), b"0123456789");
}

#[test]
fn hashes_with_and_without_ranges() {
    let house = House::open();
    house.put("a b", b"123456789");
    let mut peer = house.enter();
    assert_eq!(peer.expect("XCRC a b", 250), "CBF43926");
    assert_eq!(peer.expect("XCRC \"a b\" 0 9", 250), "CBF43926");
    assert_eq!(peer.expect("XMD5 a b", 250), "25F9E794323B453885F5181F1B624D0B");
    assert_eq!(peer.expect("OPTS HASH CRC32", 200), "CRC32");
    assert_eq!(peer.expect("HASH a b", 213), "CRC32 0-8 cbf43926 a b");
    peer.expect("RANG 0 2", 350);
    assert_eq!(peer.expect("HASH a b", 213), "CRC32 0-2 884863d2 a b");
    peer.expect("HASH nothing", 550);
}

#[test]
fn listings_in_every_form() {
    let house = House::open();
    for name in ["a.txt", "b.txt", ".hidden", "sub/c.txt", "[x]"] {
        house.put(name, b"12345");
    }
    let mut peer = house.enter();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    assert_eq!(text(peer.fetch("NLST")), "[x]\r\na.txt\r\nb.txt\r\nsub\r\n");
    assert_eq!(text(peer.fetch("NLST -a")), ".hidden\r\n[x]\r\na.txt\r\nb.txt\r\nsub\r\n");
    assert_eq!(text(peer.fetch("NLST *.txt")), "a.txt\r\nb.txt\r\n");
    assert_eq!(text(peer.fetch("NLST sub")), "sub/c.txt\r\n");
    assert_eq!(text(peer.fetch("NLST s*/*.txt")), "sub/c.txt\r\n");
    assert_eq!(text(peer.fetch("NLST [x]")), "[x]\r\n");
    assert_eq!(text(peer.fetch("NLST -R")), "[x]\r\na.txt\r\nb.txt\r\nsub\r\nsub/c.txt\r\n");
    let long = text(peer.fetch("LIST -l a.txt"));
    assert!(long.starts_with("-rw-r--r--") && long.ends_with(" a.txt\r\n"), "{long}");
    let deep = text(peer.fetch("LIST -R"));
    assert!(deep.contains("\r\nsub:\r\n") && deep.ends_with(" c.txt\r\n"), "{deep}");
    assert_eq!(text(peer.fetch("LIST -1")), "[x]\r\na.txt\r\nb.txt\r\nsub\r\n");
    assert_eq!(text(peer.fetch("LIST -la")).lines().count(), 7);
    let facts = text(peer.fetch("MLSD"));
    assert!(facts.contains("type=file;size=5;") && facts.contains("UNIX.mode=0644;"), "{facts}");
    assert_eq!(facts.lines().count(), 5);
    peer.expect("OPTS MLST size;", 200);
    assert!(text(peer.fetch("MLSD sub")).ends_with("size=5; c.txt\r\n"));
    for command in ["LIST nothing", "NLST *.zip", "MLSD a.txt"] {
        let _link = peer.passive();
        peer.expect(command, 550);
    }
    let status = peer.expect("STAT sub", 213);
    assert!(status.contains("c.txt"), "{status}");
}

#[test]
fn facts_can_be_changed() {
    let house = House::open();
    house.put("a", b"x");
    let mut peer = house.enter();
    assert_eq!(peer.expect("MFMT 20200102030405 a", 213), "Modify=20200102030405; a");
    assert_eq!(peer.expect("MDTM a", 213), "20200102030405");
    peer.expect("MFF UNIX.mode=0600;modify=20210102030405; a", 213);
    assert_eq!(peer.expect("MDTM a", 213), "20210102030405");
    assert!(peer.expect("MLST a", 250).contains("UNIX.mode=0600;"));
    peer.expect("SITE CHMOD 640 a", 200);
    peer.expect("SITE UTIME 202202030405 a", 200);
    assert_eq!(peer.expect("MDTM a", 213), "20220203040500");
    peer.expect("SITE SYMLINK a link", 200);
    assert_eq!(peer.fetch("RETR link"), b"x");
    // No system here can set when a file was made.
    peer.expect("MFCT 20200102030405 a", 504);
    peer.expect("RNFR a", 350);
    peer.expect("RNTO b", 250);
    peer.expect("RMD link", 550);
    peer.expect("DELE link", 250);
    assert_eq!(house.names(), ["b"]);
}
