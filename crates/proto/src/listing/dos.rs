//! `DIR` lines: `02-13-18  10:24AM       <DIR>          name`, as IIS says them, and what the shell of Windows prints.

use super::fields::{Clock, Fields, blank, read_clock, read_day, read_number};
use crate::entry::{Entry, Kind};

/// Reads one line without its line end: a date with two or four digits of the year, a time of twelve or twenty-four
/// hours, `<DIR>`, `<JUNCTION>`, `<SYMLINK>` or a size with marks between its thousands or without, a name.
pub(super) fn read_line(line: &[u8]) -> Option<Entry> {
    let fields = Fields::of(line);
    let day = read_day(fields.get(0)?)?;
    let (clock, size_at) = read_time(&fields)?;
    let modified = clock.on(day)?;
    let (start, end) = fields.place(size_at)?;
    let what = fields.get(size_at)?;
    let mut entry = if what.starts_with(b"<") {
        let name = name_after(line, end, start + TAG_COLUMN)?;
        read_tagged(what, name)?
    } else {
        // The size ends 21 columns behind the time in IIS, 18 in DIR: there the name begins behind one space, which
        // leaves it its own. Elsewhere the columns are unknown, and names that begin with a space are rarer.
        let behind_time = end - fields.place(size_at - 1)?.1;
        let name = if matches!(behind_time, 18 | 21) { end + 1 } else { usize::MAX };
        Entry::new(name_after(line, end, name)?, Kind::File, read_grouped(what)?)
    };
    entry.modified = Some(modified);
    Some(entry)
}

/// What DIR prints around the files: the volume, the path, the sums.
pub(super) fn is_heading(line: &[u8]) -> bool {
    let line = line.trim_ascii();
    let summed = || {
        let fields = Fields::of(line);
        let unit = fields.get(1);
        fields.get(0).and_then(read_grouped).is_some()
            && unit.is_some_and(|unit| unit.starts_with(b"File(s)") || unit.starts_with(b"Dir(s)"))
    };
    [&b"Volume in drive "[..], b"Volume Serial Number is ", b"Directory of "]
        .iter()
        .any(|heading| line.starts_with(heading))
        || summed()
}

/// The time of day, and the field behind it: `10:24AM`, `10:24 AM`, `10:24a` or `22:24`.
fn read_time(fields: &Fields<'_>) -> Option<(Clock, usize)> {
    let field = fields.get(1)?;
    let digits = field.iter().position(u8::is_ascii_alphabetic).unwrap_or(field.len());
    let (time, half) = field.split_at(digits);
    let clock = read_clock(time)?;
    let (half, next) = match fields.get(2) {
        Some(word) if half.is_empty() && read_half(word).is_some() => (read_half(word), 3),
        _ if half.is_empty() => (None, 2),
        _ => (Some(read_half(half)?), 2),
    };
    match half {
        None => Some((clock, next)),
        Some(add) if clock.hour <= 12 => Some((Clock { hour: clock.hour % 12 + add, ..clock }, next)),
        Some(_) => None,
    }
}

/// The hours that a half of the day adds.
fn read_half(word: &[u8]) -> Option<u8> {
    match word {
        b"AM" | b"am" | b"a" => Some(0),
        b"PM" | b"pm" | b"p" => Some(12),
        _ => None,
    }
}

/// An entry with a word in the place of its size. Behind a link, the name is followed by its target in brackets.
fn read_tagged(tag: &[u8], name: &[u8]) -> Option<Entry> {
    let kind = match tag {
        b"<DIR>" => Kind::Directory,
        b"<JUNCTION>" | b"<SYMLINK>" | b"<SYMLINKD>" | b"<LINK>" => Kind::Link,
        _ if tag.ends_with(b">") => Kind::Other,
        _ => return None,
    };
    let bare = name.strip_suffix(b"]").filter(|_| kind == Kind::Link);
    let bracket = bare.and_then(|bare| bare.windows(2).rposition(|pair| pair == b" ["));
    let (Some(bare), Some(bracket)) = (bare, bracket) else { return Some(Entry::new(name, kind, 0)) };
    let mut entry = Entry::new(&bare[..bracket], kind, 0);
    entry.target = Some(bare[bracket + 2..].to_vec());
    Some(entry)
}

/// The name from its column on when there are only blanks before that, else from what is not blank behind `end`.
fn name_after(line: &[u8], end: usize, column: usize) -> Option<&[u8]> {
    let first = end + line[end..].iter().position(|b| !blank(b))?;
    Some(&line[if column > end { first.min(column) } else { first }..])
}

/// A number, with commas or dots between its thousands or without.
fn read_grouped(field: &[u8]) -> Option<u64> {
    let mut groups = field.split(|b| matches!(b, b',' | b'.'));
    let first = read_number(groups.next()?)?;
    groups.try_fold(first, |number, group| {
        let group = read_number(group).filter(|_| group.len() == 3)?;
        number.checked_mul(1000)?.checked_add(group)
    })
}

/// From the beginning of `<DIR>` to the name, in columns; so in IIS and in DIR.
const TAG_COLUMN: usize = 15;
