//! `ls -l` lines: written as LIST of the server says them, read as the servers of the world say them. Times are UTC: the
//! dialect has no room for a zone. Which entries are listed is left to the caller.

use super::fields::{DAY, Fields, MONTHS, read_date, read_number};
use super::{push_name, push_number, push_zeroed, without_end};
use crate::entry::{Access, Entry, Kind};
use crate::time::{Civil, Moment};

/// Appends one line with its CRLF: `drwx------   3 slacker  users         104 Jul 27 01:45 public_html`. What is not
/// known of the entry is filled with what harms nobody. `now` decides whether the date shows hour or year.
pub fn write_line(entry: &Entry, now: Moment, out: &mut Vec<u8>) {
    push_mode(entry, out);
    out.push(b' ');
    push_number(entry.links.unwrap_or(1), 3, out);
    out.push(b' ');
    push_word(entry.owner.as_deref(), out);
    out.push(b' ');
    push_word(entry.group.as_deref(), out);
    out.push(b' ');
    push_number(entry.size, 8, out);
    out.push(b' ');
    push_date(entry.modified.unwrap_or(Moment::from_seconds(0)), now, out);
    out.push(b' ');
    push_name(&entry.name, out);
    if let (Kind::Link, Some(target)) = (entry.kind, &entry.target) {
        out.extend_from_slice(ARROW);
        push_name(target, out);
    }
    out.extend_from_slice(b"\r\n");
}

/// Reads one line, with or without its line end; `None` when it tells of no file (`total 12`, blank, another dialect).
///
/// Understood: with and without link count, owner and group; inode and blocks before the permissions; names of owners
/// with spaces; device numbers in place of a size; marks for ACLs behind the permissions; `Jul 27`, `27 Jul` and
/// `2026-07-27` before an hour or a year, in English, German or French, and the full times of GNU and the BSDs. A date
/// without a year is the latest such date that is not more than a day after `now`. The name is everything behind
/// exactly one space, leading spaces included; it may hold anything, slashes too: the caller must not trust it.
#[must_use]
pub fn read_line(line: &[u8], now: Moment) -> Option<Entry> {
    let line = without_end(line);
    let fields = Fields::of(line);
    let mut first = 0;
    // `ls -lis` says inode and blocks before the rest.
    while first < 2 && read_number(fields.get(first)?).is_some() {
        first += 1;
    }
    let (kind, mode) = read_mode(fields.get(first)?)?;
    let (date_at, date) = (first + 2..fields.count()).find_map(|at| {
        let size = fields.get(at - 1)?;
        (read_number(size).is_some() || is_device(size)).then_some(())?;
        Some((at, read_date(&fields, at, now)?))
    })?;
    let mut name = line.get(date.end + 1..).filter(|name| !name.is_empty())?;
    let mut target = None;
    if kind == Kind::Link
        && let Some(at) = name.windows(ARROW.len()).position(|window| window == ARROW)
    {
        target = Some(name[at + ARROW.len()..].to_vec());
        name = &name[..at];
    }
    let mut entry = Entry::new(name, kind, 0);
    entry.target = target;
    entry.modified = Some(date.moment);
    entry.mode = Some(mode);
    let mut before_size = date_at - 1;
    match fields.get(before_size - 1) {
        // `8, 0`: a device has numbers in the place of a size.
        Some(major) if major.ends_with(b",") && before_size > first + 1 => before_size -= 1,
        // `8,0` is none either.
        _ => entry.size = read_number(fields.get(before_size)?).unwrap_or(0),
    }
    let mut owners = first + 1..before_size;
    entry.links = fields.get(first + 1).filter(|_| !owners.is_empty()).and_then(read_number);
    if entry.links.is_some() {
        owners.start += 1;
    }
    if !owners.is_empty() {
        entry.owner = fields.text(owners.start, owners.start + 1);
    }
    if owners.len() > 1 {
        entry.group = fields.text(owners.start + 1, owners.end);
    }
    Some(entry)
}

/// Type and permission letters, `drwxr-sr-t`.
fn push_mode(entry: &Entry, out: &mut Vec<u8>) {
    let mode = entry.mode.unwrap_or_else(|| assumed_mode(entry.kind, entry.access));
    out.push(match entry.kind {
        Kind::File => b'-',
        Kind::Directory => b'd',
        Kind::Link => b'l',
        // Pipe, socket, device: which one is not known, and none of them can be fetched.
        Kind::Other => b'p',
    });
    for (shift, special, letter) in [(6, 0o4000, b's'), (3, 0o2000, b's'), (0, 0o1000, b't')] {
        let bits = mode >> shift;
        out.push(if bits & 4 == 0 { b'-' } else { b'r' });
        out.push(if bits & 2 == 0 { b'-' } else { b'w' });
        out.push(match (bits & 1 != 0, mode & special != 0) {
            (false, false) => b'-',
            (true, false) => b'x',
            (true, true) => letter,
            (false, true) => letter.to_ascii_uppercase(),
        });
    }
}

/// What a backend without permission bits is shown to have.
fn assumed_mode(kind: Kind, access: Access) -> u32 {
    let whole: u32 = match kind {
        Kind::Directory => 0o755,
        Kind::Link => return 0o777,
        Kind::File | Kind::Other => 0o644,
    };
    let without = |allowed: bool, bits: u32| if allowed { 0 } else { bits };
    whole & !without(access.read, 0o444) & !without(access.write, 0o222) & !without(access.enter, 0o111)
}

/// An owner or a group, at least eight columns; spaces and controls in it would shift the columns.
fn push_word(word: Option<&str>, out: &mut Vec<u8>) {
    let word = word.filter(|word| !word.is_empty()).unwrap_or("ftp");
    out.extend(word.bytes().map(|b| if b <= b' ' || b == 0x7F { b'_' } else { b }));
    out.resize(out.len() + 8usize.saturating_sub(word.chars().count()), b' ');
}

/// Twelve columns: `Jul 27 01:45` for what is recent, `Jul 27  2025` for the rest, as POSIX says of `ls -l`.
fn push_date(moment: Moment, now: Moment, out: &mut Vec<u8>) {
    let Civil { year, month, day, hour, minute, .. } = moment.civil();
    out.extend_from_slice(&MONTHS[usize::from(month) - 1]);
    push_number(u64::from(day), 3, out);
    let age = now.seconds.saturating_sub(moment.seconds);
    if (-DAY..=RECENT).contains(&age) {
        out.push(b' ');
        push_zeroed(u64::from(hour), 2, out);
        out.push(b':');
        push_zeroed(u64::from(minute), 2, out);
    } else {
        out.extend_from_slice(b"  ");
        push_zeroed(u64::try_from(year.clamp(0, 9999)).unwrap_or(0), 4, out);
    }
}

/// Kind and permission bits from `drwxr-xr-x`, with a mark behind it or not.
fn read_mode(field: &[u8]) -> Option<(Kind, u32)> {
    let kind = match field.first()? {
        b'-' => Kind::File,
        b'd' => Kind::Directory,
        // `e`: an external link of z/OS UNIX, to a data set.
        b'l' | b'e' => Kind::Link,
        b'b' | b'c' | b'p' | b's' | b'D' => Kind::Other,
        _ => return None,
    };
    // Behind the nine letters: `+` for an ACL, `.` for SELinux, `@` for attributes on macOS.
    let (letters, [] | [b'+' | b'.' | b'@']) = field[1..].split_at_checked(9)? else { return None };
    let (mut mode, mut specials) = (0, 0);
    for (class, special) in letters.chunks(3).zip([0o4000, 0o2000, 0o1000]) {
        let read = match class[0] {
            b'r' => 4,
            b'-' => 0,
            _ => return None,
        };
        let write = match class[1] {
            b'w' => 2,
            b'-' => 0,
            _ => return None,
        };
        let (run, special) = match class[2] {
            b'x' => (1, 0),
            b'-' => (0, 0),
            b's' | b't' => (1, special),
            b'S' | b'T' | b'l' | b'L' => (0, special),
            _ => return None,
        };
        mode = (mode << 3) | read | write | run;
        specials |= special;
    }
    Some((kind, mode | specials))
}

/// `8,0`: the numbers of a device.
fn is_device(field: &[u8]) -> bool {
    let mut parts = field.splitn(2, |b| *b == b',');
    parts.next().and_then(read_number).is_some() && parts.next().and_then(read_number).is_some()
}

const ARROW: &[u8] = b" -> ";

/// How old a file may be and still show its hour, in seconds: half a year.
const RECENT: i64 = 182 * DAY;

#[cfg(test)]
mod tests;
