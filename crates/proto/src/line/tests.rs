//! Tests of the line reader: what ends a line, what is no line, and that the cuts of the network do not matter.

use super::*;

type Line = Result<Vec<u8>, LineFault>;

fn ok(line: &[u8]) -> Line {
    Ok(line.to_vec())
}

fn lines_of_pieces(cap: usize, pieces: &[&[u8]]) -> Vec<Line> {
    let mut buf = LineBuf::new(cap);
    let mut lines = Vec::new();
    for piece in pieces {
        buf.feed(piece);
        lines.extend(std::iter::from_fn(|| buf.next_line()));
    }
    lines
}

fn lines(bytes: &[u8]) -> Vec<Line> {
    lines_of_pieces(64, &[bytes])
}

#[test]
fn lines_end_at_crlf_and_at_bare_lf() {
    assert_eq!(lines(b"USER a\r\nPASS b\nNOOP"), [ok(b"USER a"), ok(b"PASS b")]);
    assert_eq!(lines(b"\r\n\n"), [ok(b""), ok(b"")]);
}

#[test]
fn abor_with_synch_is_one_line() {
    for synch in [
        &b"\xFF\xF4\xFF\xF2"[..], // whole
        b"\xFF\xF4\xFF",          // the urgent DM was taken out
        b"\xFF\xF4\xF2",          // the urgent IAC was taken out
        b"\xFF\xFF\xF2",          // the urgent IP was taken out
        b"\xF4\xFF\xF2",
        b"\xFF",
        b"\xF2",
        b"",
    ] {
        assert_eq!(lines(&[synch, b"ABOR\r\n"].concat()), [ok(b"ABOR")], "{synch:x?}");
    }
}

#[test]
fn telnet_options_vanish() {
    assert_eq!(lines(b"\xFF\xFB\x01NO\xFF\xFD\x03OP\xFF\xF1\r\n"), [ok(b"NOOP")]);
    assert_eq!(lines(b"\xFF\xFA\x18\x01a\nb\xFF\xFFc\xFF\xF0NOOP\r\n"), [ok(b"NOOP")]);
    assert_eq!(lines(b"NOOP\r\xFF\xF1\n"), [ok(b"NOOP")]);
}

#[test]
fn an_endless_subnegotiation_costs_one_line_only() {
    let mut bytes = b"\xFF\xFA".to_vec();
    bytes.extend(vec![b'x'; 100_000]);
    bytes.extend(b"\r\nNOOP\r\n");
    assert_eq!(lines(&bytes), [Err(LineFault::TooLong { cap: 64 }), ok(b"NOOP")]);
}

#[test]
fn latin_1_names_keep_their_y_with_diaeresis() {
    assert_eq!(lines(b"RETR a\xFFb\r\n"), [ok(b"RETR a\xFFb")]);
    assert_eq!(lines(b"RETR a\xFF\r\n"), [ok(b"RETR a\xFF")]);
    assert_eq!(lines(b"RETR a\xFF\xFFb\r\n"), [ok(b"RETR a\xFFb")]);
    assert_eq!(lines(b"RETR a\xF4\xF2b\r\n"), [ok(b"RETR a\xF4\xF2b")]);
}

#[test]
fn cr_or_nul_inside_is_a_fault_and_costs_one_line_only() {
    for bad in [&b"NOOP\r\0DELE x"[..], b"NOOP\rDELE x", b"NO\0OP", b"NOOP\r", b"\0", b"\r\xFFx"] {
        let bytes = [bad, b"\r\nPWD\r\n"].concat();
        assert_eq!(lines(&bytes), [Err(LineFault::Control), ok(b"PWD")], "{bad:x?}");
    }
}

#[test]
fn a_line_at_the_cap_passes_and_one_byte_more_does_not() {
    let bytes = [&[b'a'; 64][..], b"\r\n", &[b'b'; 65], b"\r\n", &[b'c'; 64], b"\n"].concat();
    assert_eq!(lines(&bytes), [ok(&[b'a'; 64]), Err(LineFault::TooLong { cap: 64 }), ok(&[b'c'; 64])]);
}

#[test]
fn an_endless_line_is_swallowed_in_bounded_memory() {
    let mut buf = LineBuf::new(64);
    for _ in 0..1000 {
        buf.feed(&[b'x'; 8192]);
        assert_eq!(buf.next_line(), None);
    }
    assert!(buf.raw.capacity() <= 8192 && buf.line.capacity() <= 128);
    assert!(!buf.is_empty());
    buf.feed(b"\r\nNOOP\r\n");
    assert_eq!(buf.next_line(), Some(Err(LineFault::TooLong { cap: 64 })));
    assert_eq!(buf.next_line(), Some(ok(b"NOOP")));
    assert_eq!(buf.next_line(), None);
    assert!(buf.is_empty());
}

#[test]
fn any_split_gives_the_same_lines() {
    let text: &[u8] =
        b"\xFF\xF4\xFF\xF2ABOR\r\nRETR a\xFFb\xFF\r\n\xFF\xFA\x18\nx\xFF\xF0NOOP\nA\rB\r\n\xFF\xFF\
            12345678901234567890\r\n\xFF\xFD\nPWD\r\xFF\xF1\n\0\nSTAT\r\nlast";
    let whole = lines_of_pieces(16, &[text]);
    assert_eq!(whole.len(), 8);
    for a in 0..=text.len() {
        for b in a..=text.len() {
            assert_eq!(lines_of_pieces(16, &[&text[..a], &text[a..b], &text[b..]]), whole, "{a} {b}");
        }
    }
    let single: Vec<&[u8]> = text.chunks(1).collect();
    assert_eq!(lines_of_pieces(16, &single), whole);
}

#[test]
fn random_bytes_split_at_random_give_the_same_lines() {
    let mut seed = 1u64;
    let mut random = move |below: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        usize::try_from(seed >> 33).unwrap() % below
    };
    let alphabet = b"aB \r\n\r\n\n\0\xFF\xFF\xF0\xF2\xF4\xFA\xFB\xFE\xF9";
    for _ in 0..2_000 {
        let text: Vec<u8> = (0..random(80)).map(|_| alphabet[random(alphabet.len())]).collect();
        let whole = lines_of_pieces(5, &[&text]);
        let (mut rest, mut pieces) = (&text[..], Vec::new());
        while !rest.is_empty() {
            let (piece, behind) = rest.split_at(1 + random(rest.len()));
            pieces.push(piece);
            rest = behind;
        }
        assert_eq!(lines_of_pieces(5, &pieces), whole, "{text:x?}");
    }
}

#[test]
fn bytes_may_be_fed_between_lines() {
    let mut buf = LineBuf::new(64);
    let mut seen = 0;
    for _ in 0..100 {
        buf.feed(&b"NOOP\r\n".repeat(10));
        for _ in 0..5 {
            assert_eq!(buf.next_line(), Some(ok(b"NOOP")));
            seen += 1;
        }
    }
    while buf.next_line().is_some() {
        seen += 1;
    }
    assert_eq!(seen, 1000);
    assert!(buf.is_empty());
}

#[test]
fn what_follows_auth_tls_in_clear_is_noticed() {
    let mut buf = LineBuf::new(64);
    buf.feed(b"AUTH TLS\r\nUSER evil\r\n");
    assert_eq!(buf.next_line(), Some(ok(b"AUTH TLS")));
    assert!(!buf.is_empty());
    let mut buf = LineBuf::new(64);
    buf.feed(b"AUTH TLS\r\n");
    assert_eq!(buf.next_line(), Some(ok(b"AUTH TLS")));
    assert!(buf.is_empty());
}

#[test]
fn debug_shows_no_bytes() {
    let mut buf = LineBuf::new(64);
    buf.feed(b"PASS hunter2");
    assert!(!format!("{buf:?}").contains("hunter2"));
}

#[test]
fn a_line_that_is_too_long_is_known_before_its_end() {
    let mut lines = LineBuf::new(4);
    lines.feed(b"abcd");
    assert_eq!((lines.next_line(), lines.is_too_long()), (None, false));
    lines.feed(b"e");
    assert_eq!((lines.next_line(), lines.is_too_long()), (None, true));
    lines.feed(b"\n");
    assert_eq!(lines.next_line(), Some(Err(LineFault::TooLong { cap: 4 })));
    assert!(!lines.is_too_long());
}
