//! `ls -l` lines: written as LIST of the server says them, read as the servers of the world say them. Times are UTC: the
//! dialect has no room for a zone. Which entries are listed is left to the caller.

use super::{push_name, push_number, push_zeroed};
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
/// Understood: with and without link count, owner and group; names of owners with spaces; device numbers in place of
/// a size; marks for ACLs behind the permissions; `Jul 27`, `27 Jul` and `2026-07-27` before an hour or a year. A date
/// without a year is the latest such date that is not more than a day after `now`. The name is everything behind
/// exactly one space, leading spaces included; it may hold anything, slashes too: the caller must not trust it.
#[must_use]
pub fn read_line(line: &[u8], now: Moment) -> Option<Entry> {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let fields = Fields::of(line);
    let (kind, mode) = read_mode(fields.get(0)?)?;
    let (date_at, date) = (2..fields.count).find_map(|at| {
        read_number(fields.get(at - 1)?)?;
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
        Some(major) if major.ends_with(b",") && before_size > 1 => before_size -= 1,
        _ => entry.size = read_number(fields.get(before_size)?)?,
    }
    let mut owners = 1..before_size;
    entry.links = fields.get(1).filter(|_| !owners.is_empty()).and_then(read_number);
    if entry.links.is_some() {
        owners.start += 1;
    }
    let text = |from: usize, to: usize| {
        let bytes = line.get(fields.places[from].0..fields.places[to - 1].1)?;
        Some(String::from_utf8_lossy(bytes).into_owned())
    };
    if !owners.is_empty() {
        entry.owner = text(owners.start, owners.start + 1);
    }
    if owners.len() > 1 {
        entry.group = text(owners.start + 1, owners.end);
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
        b'l' => Kind::Link,
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

struct Date {
    moment: Moment,
    /// Where its last field ends in the line.
    end: usize,
}

/// The date that begins at a field, in one of the forms that `read_line` names.
fn read_date(fields: &Fields<'_>, at: usize, now: Moment) -> Option<Date> {
    let (first, second) = (fields.get(at)?, fields.get(at + 1)?);
    if let Some((year, month, day)) = read_iso_day(first) {
        let (hour, minute) = read_hour(second)?;
        let moment = Civil { year, month, day, hour, minute, second: 0 }.moment()?;
        return Some(Date { moment, end: fields.places[at + 1].1 });
    }
    let (month, day) = match read_month(first) {
        Some(month) => (month, second),
        None => (read_month(second)?, first),
    };
    let day = u8::try_from(read_number(day)?).ok()?;
    let (third, end) = (fields.get(at + 2)?, fields.places[at + 2].1);
    let moment = match read_hour(third) {
        Some((hour, minute)) => {
            let latest = now.seconds.saturating_add(DAY);
            let this_year = now.civil().year;
            // Eight years hold a 29 February at least.
            (-1..=8).find_map(|back| {
                let moment =
                    Civil { year: this_year - back, month, day, hour, minute, second: 0 }.moment()?;
                (moment.seconds <= latest).then_some(moment)
            })?
        }
        None if third.len() == 4 => {
            let year = i64::try_from(read_number(third)?).ok()?;
            Civil { year, month, day, hour: 0, minute: 0, second: 0 }.moment()?
        }
        None => return None,
    };
    Some(Date { moment, end })
}

fn read_month(field: &[u8]) -> Option<u8> {
    let place = MONTHS.iter().position(|month| month.eq_ignore_ascii_case(field))?;
    u8::try_from(place + 1).ok()
}

/// `2026-07-27`.
fn read_iso_day(field: &[u8]) -> Option<(i64, u8, u8)> {
    let (10, b'-', b'-') = (field.len(), *field.get(4)?, *field.get(7)?) else { return None };
    let year = i64::try_from(read_number(&field[..4])?).ok()?;
    let part = |from: usize| u8::try_from(read_number(&field[from..from + 2])?).ok();
    Some((year, part(5)?, part(8)?))
}

/// `01:45`, `1:45`, and `01:45:12` with or without a fraction, whose seconds are left out.
fn read_hour(field: &[u8]) -> Option<(u8, u8)> {
    let colon = field.iter().position(|b| *b == b':').filter(|at| matches!(at, 1 | 2))?;
    let minute = field.get(colon + 1..colon + 3)?;
    if !matches!(field.get(colon + 3), None | Some(b':')) {
        return None;
    }
    Some((u8::try_from(read_number(&field[..colon])?).ok()?, u8::try_from(read_number(minute)?).ok()?))
}

fn read_number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u64, |number, b| {
        let digit = b.is_ascii_digit().then(|| u64::from(b - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

/// The first fields of a line and their places; more than a line before its name can have are not looked for.
struct Fields<'a> {
    line: &'a [u8],
    places: [(usize, usize); MAX_FIELDS],
    count: usize,
}

impl<'a> Fields<'a> {
    fn of(line: &'a [u8]) -> Self {
        let mut fields = Fields { line, places: [(0, 0); MAX_FIELDS], count: 0 };
        let blank = |b: &u8| matches!(b, b' ' | b'\t');
        let mut at = 0;
        while fields.count < MAX_FIELDS {
            let Some(start) = line[at..].iter().position(|b| !blank(b)).map(|skip| at + skip) else { break };
            at = line[start..].iter().position(blank).map_or(line.len(), |size| start + size);
            fields.places[fields.count] = (start, at);
            fields.count += 1;
        }
        fields
    }

    fn get(&self, index: usize) -> Option<&'a [u8]> {
        let (start, end) = *self.places[..self.count].get(index)?;
        Some(&self.line[start..end])
    }
}

const ARROW: &[u8] = b" -> ";

/// Permissions, links, owner and group of a few words each, size, three of a date.
const MAX_FIELDS: usize = 16;

const DAY: i64 = 86_400;

/// How old a file may be and still show its hour, in seconds: half a year.
const RECENT: i64 = 182 * DAY;

const MONTHS: [[u8; 3]; 12] = [
    *b"Jan", *b"Feb", *b"Mar", *b"Apr", *b"May", *b"Jun", *b"Jul", *b"Aug", *b"Sep", *b"Oct", *b"Nov",
    *b"Dec",
];

#[cfg(test)]
mod tests;
