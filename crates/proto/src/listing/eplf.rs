//! Easily Parsed LIST Format: `+i8388621.29609,m824255902,/,<tab>dev`, by D. J. Bernstein, as publicfile and anonftpd say
//! it. Its times are UTC.

use super::fields::read_number;
use crate::entry::{Entry, Kind};
use crate::time::Moment;

/// Reads one line without its line end: a plus, facts with a comma behind each, a tab, the name. Facts that are not
/// known are passed over, as the format wants it.
pub(super) fn read_line(line: &[u8]) -> Option<Entry> {
    let line = line.strip_prefix(b"+")?;
    let tab = line.iter().position(|b| *b == b'\t')?;
    let (facts, name) = (&line[..tab], &line[tab + 1..]);
    if name.is_empty() {
        return None;
    }
    // What can neither be fetched nor entered is something else.
    let mut entry = Entry::new(name, Kind::Other, 0);
    for fact in facts.split(|b| *b == b',') {
        match fact.split_first() {
            Some((b'/', [])) => entry.kind = Kind::Directory,
            Some((b'r', [])) if entry.kind == Kind::Other => entry.kind = Kind::File,
            Some((b's', size)) => entry.size = read_number(size).unwrap_or(0),
            Some((b'm', seconds)) => {
                let seconds = read_number(seconds).and_then(|seconds| i64::try_from(seconds).ok());
                entry.modified = seconds.filter(|seconds| *seconds <= LAST).map(Moment::from_seconds);
            }
            Some((b'i', id)) => entry.unique = read_id(id),
            Some((b'u', mode)) => entry.mode = mode.strip_prefix(b"p").and_then(read_mode),
            _ => {}
        }
    }
    Some(entry)
}

/// `device.inode`. Identifiers may be any text; others do not fit.
fn read_id(id: &[u8]) -> Option<(u64, u64)> {
    let dot = id.iter().position(|b| *b == b'.')?;
    Some((read_number(&id[..dot])?, read_number(&id[dot + 1..])?))
}

/// Permission bits in octal.
fn read_mode(digits: &[u8]) -> Option<u32> {
    if digits.is_empty() || digits.len() > 5 {
        return None;
    }
    let mode = digits.iter().try_fold(0u32, |mode, b| {
        let digit = matches!(b, b'0'..=b'7').then(|| u32::from(b - b'0'))?;
        Some(mode * 8 + digit)
    })?;
    Some(mode & 0o7777)
}

/// The last second of the year 9999.
const LAST: i64 = 253_402_300_799;
