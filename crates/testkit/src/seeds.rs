//! The bodies of all fuzz targets as plain functions: any bytes go in, and a panic comes out when something that must
//! always hold did not. Here and not in `fuzz/`, so that a failing input becomes a test of one line.

use std::net::SocketAddr;

use twoport_proto::command::CommandFault;
use twoport_proto::glob::Glob;
use twoport_proto::line::{LineBuf, LineFault};
use twoport_proto::listing::mlsx::{self, FactSet};
use twoport_proto::listing::unix;
use twoport_proto::listing::{Outcome, Reader};
use twoport_proto::reply_reader::ReplyReader;
use twoport_proto::sightings::Reading;
use twoport_proto::{Command, Entry, FtpPath, Reply, Sightings, Verb, hostport};

use crate::tree::MODIFIED;
use crate::walk;

/// One target: its name, its body, and inputs that lead somewhere.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// The name on the runner's command line.
    pub name: &'static str,
    /// What is done with an input.
    pub body: fn(&[u8]),
    /// Inputs to begin with; the runner bends and joins them.
    pub examples: &'static [&'static [u8]],
}

/// All targets.
pub const ALL: &[Target] = &[
    Target { name: "line_bytes", body: line_bytes, examples: LINES },
    Target { name: "command_line", body: command_line, examples: COMMANDS },
    Target { name: "session_walk", body: session_walk, examples: WALKS },
    Target { name: "listing_lines", body: listing_lines, examples: LISTINGS },
    Target { name: "hostport", body: hostport, examples: HOSTPORTS },
    Target { name: "reply_lines", body: reply_lines, examples: REPLIES },
    Target { name: "glob", body: glob, examples: GLOBS },
    Target { name: "path", body: path, examples: PATHS },
];

/// Bytes to lines: however they are torn the lines are the same, none longer than allowed, none with a line end inside.
/// The first byte is the size of the pieces.
///
/// # Panics
/// When one of these does not hold; so all of the functions below.
pub fn line_bytes(data: &[u8]) {
    const CAP: usize = 40;
    let (size, bytes) =
        data.split_first().map_or((1, data), |(first, rest)| (usize::from(*first).max(1), rest));
    let read = |pieces: &mut dyn Iterator<Item = &[u8]>| {
        let mut buffer = LineBuf::new(CAP);
        let mut lines: Vec<Result<Vec<u8>, LineFault>> = Vec::new();
        for piece in pieces {
            buffer.feed(piece);
            lines.extend(std::iter::from_fn(|| buffer.next_line()));
        }
        (lines, buffer.is_empty())
    };
    let whole = read(&mut std::iter::once(bytes));
    assert_eq!(read(&mut bytes.chunks(size)), whole, "torn into pieces of {size}");
    assert_eq!(read(&mut bytes.chunks(1)), whole, "torn into single bytes");
    for line in whole.0.iter().flatten() {
        assert!(line.len() <= CAP, "{} bytes", line.len());
        assert!(!line.iter().any(|b| matches!(b, b'\r' | b'\n' | 0)), "{}", line.escape_ascii());
    }
    if !bytes.contains(&0xFF) {
        let ends = bytes.iter().filter(|b| **b == b'\n').count();
        assert_eq!(whole.0.len(), ends, "without Telnet each LF ends one line");
        assert!(!bytes.ends_with(b"\n") || whole.1, "behind a line end nothing waits");
    }
}

/// A line to a command: an answer for every line, a fault that can be shown, no password in any `Debug`.
pub fn command_line(data: &[u8]) {
    let line = data.split(|b| *b == b'\n').next().unwrap_or_default();
    let word = line.split(|b| *b == b' ').next().unwrap_or_default();
    match Command::read(line) {
        Ok(command) => {
            assert_eq!(Some(command.verb()), Verb::read(word));
            let shown = format!("{command:?}");
            if let Command::Pass(secret) | Command::Acct(secret) = &command {
                assert_eq!(secret.reveal(), &line[(word.len() + 1).min(line.len())..]);
                assert!(shown.ends_with("(Secret(****))"), "{shown}");
            }
        }
        Err(CommandFault::Unknown(known_as)) => {
            assert!(known_as.len() <= 32 && line.starts_with(&known_as) && Verb::read(word).is_none());
        }
        Err(CommandFault::Argument(verb, fault)) => {
            assert_eq!(Some(verb), Verb::read(word));
            assert!(!fault.expected.is_empty(), "{verb} does not say what it expects");
            assert!(fault.at <= line.len() + 1, "{verb}: {} in {} bytes", fault.at, line.len());
        }
    }
}

/// A walk of the session's machine: see [`walk`].
pub fn session_walk(data: &[u8]) {
    // Longer walks find nothing that several short ones do not.
    let _ = walk::session_walk(&data[..data.len().min(400)]);
}

/// Lines of listings: what was read and is written is read as the same; and the reader of all dialects makes no more of
/// them than there is.
pub fn listing_lines(data: &[u8]) {
    let (mut reader, mut entries, mut lines) = (Reader::new(MODIFIED), 0, 0);
    for line in data.split(|b| *b == b'\n').take(64) {
        lines += 1;
        entries += usize::from(matches!(reader.line(line), Outcome::Entry(_)));
    }
    let summary = reader.finish();
    assert_eq!(summary.entries, entries);
    assert!(summary.entries + summary.unknown <= lines + 1, "{summary:?} of {lines} lines");
    for line in data.split(|b| *b == b'\n').take(64) {
        if let Some(entry) = unix::read_line(line, MODIFIED) {
            let mut written = Vec::new();
            unix::write_line(&entry, MODIFIED, &mut written);
            let again = unix::read_line(&written, MODIFIED);
            let again = again.unwrap_or_else(|| panic!("read {entry:?}, wrote {}", written.escape_ascii()));
            assert_eq!(again.name, one_line(&entry.name), "{}", written.escape_ascii());
            assert_eq!((again.kind, again.mode), (entry.kind, entry.mode), "{}", written.escape_ascii());
            assert_eq!(again.size, entry.size, "{}", written.escape_ascii());
            let day = |entry: &Entry| entry.modified.map(|moment| moment.seconds.div_euclid(86_400));
            // An old date keeps its year and loses nothing of its day.
            assert_eq!(day(&again), day(&entry), "{}", written.escape_ascii());
        }
        if let Some((entry, kind)) = mlsx::read_line(line) {
            let mut written = Vec::new();
            mlsx::write_line(&entry, FactSet::ALL, kind, b"", &mut written);
            let (again, kind_again) = mlsx::read_line(&written)
                .unwrap_or_else(|| panic!("read {entry:?}, wrote {}", written.escape_ascii()));
            assert_eq!(again.name, one_line(&entry.name), "{}", written.escape_ascii());
            assert_eq!((again.kind, kind_again), (entry.kind, kind), "{}", written.escape_ascii());
            assert!(entry.is_directory() || again.size == entry.size, "{}", written.escape_ascii());
            assert_eq!((again.unique, again.mode), (entry.unique, entry.mode), "{}", written.escape_ascii());
            let seconds = |entry: &Entry| entry.modified.map(|moment| moment.seconds);
            assert_eq!(seconds(&again), seconds(&entry), "{}", written.escape_ascii());
        }
    }
}

/// Host-port texts: what was read is written as a text that is read as the same, strictly and leniently.
pub fn hostport(data: &[u8]) {
    if let Ok(address) = hostport::read_port(data) {
        let written = hostport::write_port(address);
        assert_eq!(hostport::read_port(written.as_bytes()), Ok(address));
        assert_eq!(hostport::read_227(format!("Entering ({written}).").as_bytes()), Ok(address));
    }
    if let Ok(address) = hostport::read_eprt(data) {
        let written = hostport::write_eprt(address);
        let again = hostport::read_eprt(written.as_bytes());
        assert!(matches!(again, Ok(again) if same(again, address)), "{address} became {again:?}");
    }
    if let Ok(address) = hostport::read_227(data) {
        assert_eq!(hostport::read_port(hostport::write_port(address).as_bytes()), Ok(address));
    }
    if let Ok(port) = hostport::read_229(data) {
        assert_ne!(port, 0);
        assert_eq!(hostport::read_229(format!("x {}.", hostport::write_epsv(port)).as_bytes()), Ok(port));
    }
}

/// Replies: whatever stands in the texts, what is written is read as one reply with these lines; and whatever comes, a
/// reader holds no more than it was told to.
pub fn reply_lines(data: &[u8]) {
    const CAP: usize = 512;
    let mut reader = ReplyReader::new(CAP);
    for line in data.split(|b| *b == b'\n') {
        match reader.feed_line(line) {
            Ok(Some(reply)) => {
                let size: usize = reply.lines.iter().map(|line| line.len() + 2).sum();
                assert!((100..700).contains(&reply.code) && size <= CAP && !reader.is_open());
                sightings(&reply.lines);
            }
            Ok(None) => assert!(reader.is_open()),
            Err(_) => assert!(!reader.is_open(), "what was gathered is dropped"),
        }
    }
    // An FF in a text is not doubled on the wire, and a reader that knows Telnet takes it for a command's begin.
    let text: Vec<u8> = data.iter().map(|b| if *b == 0xFF { b'?' } else { *b }).collect();
    let code = 100 + u16::from(data.first().copied().unwrap_or_default()) * 2;
    let mut lines: Vec<Vec<u8>> = text.split(|b| *b == b'\n').take(20).map(<[u8]>::to_vec).collect();
    let last = lines.pop().unwrap_or_default();
    let mut expected = Vec::new();
    let reply = if lines.is_empty() {
        Reply::new(code, last.clone())
    } else {
        let first = lines.remove(0);
        expected.push(one_text(&first));
        expected.extend(lines.iter().map(|line| [b" ", one_text(line).as_slice()].concat()));
        Reply::of_lines(code, first, lines, last.clone())
    };
    expected.push(one_text(&last));
    let mut buffer = LineBuf::new(1 << 20);
    buffer.feed(&reply.to_bytes());
    let mut reader = ReplyReader::new(1 << 22);
    let mut read = Vec::new();
    while let Some(line) = buffer.next_line() {
        let line = line.expect("a reply holds no NUL and no CR but before LF");
        read.extend(reader.feed_line(&line).expect("a reply begins with its code"));
    }
    let [read] = read.as_slice() else { panic!("{reply:?} was read as {read:?}") };
    assert_eq!((read.code, &read.lines), (code, &expected));
}

/// Whatever is read out of a reply as SITE DOCTOR's is read again as the same.
fn sightings(lines: &[Vec<u8>]) {
    let read = |lines: &[Vec<u8>]| Sightings::read(lines.iter().map(Vec::as_slice));
    let sightings = read(lines).sightings;
    let written: Vec<Vec<u8>> = sightings.write().iter().map(|line| [b" ", &line[..]].concat()).collect();
    assert_eq!(read(&written), Reading { sightings, altered: false });
}

/// Patterns: the input is a pattern, a LF and a name. Plain text matches itself; stars and question marks as a slow
/// matcher has them.
pub fn glob(data: &[u8]) {
    let mut halves = data.splitn(2, |b| *b == b'\n');
    let (pattern, name) = (halves.next().unwrap_or_default(), halves.next().unwrap_or_default());
    let matched = Glob::read(pattern).matches(name);
    let plain = !pattern.iter().any(|b| matches!(b, b'*' | b'?' | b'[' | b'\\'));
    if plain {
        assert!(!Glob::is_pattern(pattern));
        assert_eq!(matched, pattern == name);
        assert!(Glob::read(pattern).matches(pattern));
    }
    assert_eq!(Glob::read(b"*").matches(name), name.first() != Some(&b'.'));
    let mut escaped = Vec::new();
    for byte in name {
        if byte.is_ascii_punctuation() {
            escaped.push(b'\\');
        }
        escaped.push(*byte);
    }
    assert!(Glob::read(&escaped).matches(name), "{}", escaped.escape_ascii());
    assert!(!Glob::is_pattern(&escaped));
    if pattern.is_ascii() && name.is_ascii() && !pattern.iter().any(|b| matches!(b, b'[' | b'\\')) {
        let hidden = name.first() == Some(&b'.') && pattern.first() != Some(&b'.');
        assert_eq!(matched, !hidden && slowly(pattern, name));
    }
}

/// Paths: they stay below the root, hold no line end, and following one is the same from anywhere.
pub fn path(data: &[u8]) {
    let mut halves = data.splitn(2, |b| *b == b'\n');
    let (from, to) = (halves.next().unwrap_or_default(), halves.next().unwrap_or_default());
    let Ok(from) = FtpPath::root().join(from) else { return };
    let Ok(path) = from.join(to) else { return };
    assert!(path.as_bytes().starts_with(b"/") && (path.is_root() || !path.as_bytes().ends_with(b"/")));
    assert!(!path.as_bytes().iter().any(|b| matches!(b, b'\r' | b'\n' | 0)));
    assert!(path.parts().all(|part| !matches!(part, b"" | b"." | b"..")));
    assert_eq!(FtpPath::read(path.as_bytes()).as_ref(), Ok(&path));
    assert!(path.is_within(&path.parent()) && path.is_within(&FtpPath::root()));
    if !path.is_root() {
        assert_eq!(path.parent().child(path.name()), path);
    }
    let quoted = path.quoted();
    let inside = &quoted[1..quoted.len() - 1];
    assert_eq!(inside.iter().filter(|b| **b == b'"').count() % 2, 0, "quotes inside are doubled");
}

/// The slow matcher: all ways, by a table.
fn slowly(pattern: &[u8], name: &[u8]) -> bool {
    let mut row = vec![false; name.len() + 1];
    row[0] = true;
    for token in pattern {
        let before = row.clone();
        for at in 0..row.len() {
            row[at] = match token {
                b'*' => before[at] || at > 0 && row[at - 1],
                b'?' => at > 0 && before[at - 1],
                one => at > 0 && before[at - 1] && name[at - 1] == *one,
            };
        }
    }
    row[name.len()]
}

/// A name as it stands in a listing.
fn one_line(name: &[u8]) -> Vec<u8> {
    name.iter().map(|b| if matches!(b, b'\r' | b'\n') { b'?' } else { *b }).collect()
}

/// A text as it stands in a reply.
fn one_text(text: &[u8]) -> Vec<u8> {
    text.iter().map(|b| if matches!(b, b'\r' | b'\n' | 0) { b'?' } else { *b }).collect()
}

fn same(one: SocketAddr, other: SocketAddr) -> bool {
    (one.ip(), one.port()) == (other.ip(), other.port())
}

const LINES: &[&[u8]] = &[
    b"\x03USER anna\r\nPASS x\r\n",
    b"\x01\xFF\xF4\xFF\xF2ABOR\r\nNOOP\n",
    b"\x05\xFF\xFD\x06a\xFF\xFFb\xFF\xFA\x18\x00\xFF\xF0c\r\n",
    b"\x07aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\nx\0\r\ny\rz\r\n\r\n",
];
const COMMANDS: &[&[u8]] = &[
    b"PASS secret word",
    b"PORT 192,168,150,80,14,178",
    b"EPRT |2|2001:db8::80|3762|",
    b"MFF modify=20200101000000;UNIX.mode=0644; a b",
    b"SITE UTIME x 20200101000000 20200101000000 20200101000000 UTC",
    b"SITE SYMLINK \"a b\" \"c\"",
    b"XCRC \"a b\" 1 2",
    b"LIST -alR1 -- -x",
    b"OPTS MLST type;size;",
    b"RANG 1 18446744073709551615",
    b"ALLO 10 R 5",
    b"TYPE L 8",
    b"MDTM 20200101000000 x",
];
const WALKS: &[&[u8]] = &[
    &[0, 0, 0, 0, 140, 140, 140, 140, 0, 4, 140, 140],
    &[0, 0, 0, 5, 140, 140, 112, 0, 140, 128, 150, 253],
    &[9, 3, 0, 8, 216, 3, 230, 9, 236, 2, 255],
];
const LISTINGS: &[&[u8]] = &[
    b"drwx-----   3 slacker  users          104 Jul 27 01:45 public_html",
    b"-rw-r--r--   1 ftp      ftp          1234 Feb 29  2024 a file\r\n",
    b"lrwxrwxrwx 1 0 0 4 2026-07-27 01:45 link -> file",
    b"crw-rw---- 1 root tty 5, 1 27 Jul 01:45 console",
    b"type=file;size=104;modify=20260727014500.123;perm=adfrw;unique=801g1a;UNIX.mode=0644; name",
    b"type=cdir;sizd=4096;UNIX.owner=a; /",
    b"type=OS.unix=slink:/target; link",
];
const HOSTPORTS: &[&[u8]] = &[
    b"192,168,150,80,14,178",
    b"Entering Passive Mode (192,168,150,90,195,149).",
    b"|1|192.168.150.80|3762|",
    b"|2|2001:db8::80%eth0|3762|",
    b"Entering Extended Passive Mode (|||50069|)",
];
const REPLIES: &[&[u8]] = &[
    b"220 ready\n331-a\nb\n331 c",
    b"211-Features:\n SIZE\n211 End\n",
    b"123-x\n 123 y\n123",
    b"211-\n peer: 10.0.0.1:1\n came: [fe80::1%2]:9 own\n heard: a%FF\n dial: refused\n helper: absent\n sum: 0\n211 ",
    b"\x32a\0b\rc\nd",
];
const GLOBS: &[&[u8]] =
    &[b"*.txt\na.txt", b"[a-c]*[!x]?\nabcd", b"a*b*c*d\naabbccdd", b"\\*\\[\n*[", b".*\n.x"];
const PATHS: &[&[u8]] = &[b"/a/b\n../c", b"a//b/./\n/x/../..", b"/a\"b\nc\"\"d"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    #[test]
    fn every_target_takes_its_examples_and_some_noise() {
        for target in ALL {
            target.examples.iter().for_each(|example| (target.body)(example));
            let mut random = Random::new(7);
            for _ in 0..200 {
                let length = random.below(80);
                (target.body)(&random.bytes(length));
            }
        }
    }
}
