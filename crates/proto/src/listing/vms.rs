//! OpenVMS: `README.TXT;1   2/4  30-MAR-2020 09:10:11  [SYSTEM]  (RWED,RWED,RE,)`. A name too long for its column stands
//! alone in a line and the rest in the next. Sizes are in blocks of 512 bytes: an upper bound.

use std::borrow::Cow;

use super::Outcome;
use super::fields::{Fields, read_clock, read_month, read_number};
use crate::entry::{Entry, Kind};
use crate::time::{Civil, Moment};

/// Reads the lines of one listing: it remembers a name whose rest is in the next line, and the last file's version.
#[derive(Debug, Default)]
pub(super) struct Reader {
    alone: Option<Vec<u8>>,
    newest: Option<(Vec<u8>, u64)>,
    lost: usize,
}

impl Reader {
    /// Reads one line without its line end; `None` when it is of another dialect. `settled` tells that lines of this one
    /// came before, `open` that none of another did.
    pub(super) fn line(&mut self, line: &[u8], settled: bool, open: bool) -> Option<Outcome> {
        if let Some(mut joined) = self.alone.take() {
            if line.first().is_some_and(u8::is_ascii_whitespace) {
                joined.extend_from_slice(line);
                if let Some(outcome) = self.whole(&joined, settled) {
                    return Some(outcome);
                }
            }
            self.lost += 1;
        }
        if is_heading(line) {
            return Some(Outcome::Nothing);
        }
        let fields = Fields::of(line);
        if open && fields.count() == 1 && split_version(fields.get(0)?).is_some() {
            self.alone = Some(fields.get(0)?.to_vec());
            return Some(Outcome::Nothing);
        }
        self.whole(line, settled)
    }

    /// Names whose rest did not come.
    pub(super) fn lost(&self) -> usize {
        self.lost + usize::from(self.alone.is_some())
    }

    /// A line with name and rest. The highest version stands first, and it is what RETR without a version gets: the
    /// older ones are nothing, and no name keeps its version.
    fn whole(&mut self, line: &[u8], settled: bool) -> Option<Outcome> {
        let (entry, version) = read_line(line, settled)?;
        let older =
            self.newest.as_ref().is_some_and(|(name, newest)| *name == entry.name && version < *newest);
        // `000000` lists the root in the root.
        if older || (entry.kind == Kind::Directory && entry.name == b"000000") {
            return Some(Outcome::Nothing);
        }
        self.newest = Some((entry.name.clone(), version));
        Some(Outcome::Entry(entry))
    }
}

/// The entry without its version, and the version. A line that tells why nothing is known of a file is still an entry.
fn read_line(line: &[u8], settled: bool) -> Option<(Entry, u64)> {
    let fields = Fields::of(line);
    let (name, version) = split_version(fields.get(0)?)?;
    let folder = name.len().checked_sub(4).filter(|at| version == 1 && *at > 0);
    let mut entry = match folder {
        Some(at) if name[at..].eq_ignore_ascii_case(b".DIR") => Entry::new(&name[..at], Kind::Directory, 0),
        _ => Entry::new(name, Kind::File, 0),
    };
    let date = [1, 2].into_iter().find_map(|at| Some((at, read_date(&fields, at)?)));
    let Some((date_at, modified)) = date else {
        // `%RMS-E-PRV, insufficient privilege or file protection violation`.
        let excused = fields.get(1).is_some_and(|word| settled || word.starts_with(b"%"));
        return excused.then_some((entry, version));
    };
    entry.modified = Some(modified);
    if date_at == 2 {
        entry.size = read_size(fields.get(1)?)?;
    }
    let rest = fields.rest(date_at).unwrap_or_default();
    let open = rest.iter().position(|b| *b == b'[');
    let close = rest.iter().position(|b| *b == b']');
    if let (Some(open), Some(close)) = (open, close)
        && open < close
    {
        let owner = &rest[open + 1..close];
        let text = |bytes: &[u8]| Some(Cow::Owned(String::from_utf8_lossy(bytes.trim_ascii()).into_owned()));
        // `[GROUP,OWNER]`, or one identifier for both.
        match owner.iter().position(|b| *b == b',') {
            Some(comma) => (entry.group, entry.owner) = (text(&owner[..comma]), text(&owner[comma + 1..])),
            None => entry.owner = text(owner),
        }
    }
    Some((entry, version))
}

/// What stands around the files: the folder, the sums, and that there is none.
fn is_heading(line: &[u8]) -> bool {
    let line = line.trim_ascii();
    let folder =
        line.strip_prefix(b"Directory ").is_some_and(|path| path.contains(&b'[') && path.ends_with(b"]"));
    folder
        || [&b"Total of "[..], b"Grand total of ", b"%DIRECT-W-NOFILES"]
            .iter()
            .any(|heading| line.starts_with(heading))
}

/// `README.TXT;1` as name and version.
fn split_version(field: &[u8]) -> Option<(&[u8], u64)> {
    let at = field.iter().rposition(|b| *b == b';').filter(|at| *at > 0)?;
    Some((&field[..at], read_number(&field[at + 1..])?))
}

/// `30-MAR-2020`, and the time in the next field if there is one.
fn read_date(fields: &Fields<'_>, at: usize) -> Option<Moment> {
    let mut parts = fields.get(at)?.split(|b| *b == b'-');
    let (day, month, year) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || day.len() > 2 || year.len() != 4 {
        return None;
    }
    let day = Civil {
        year: i64::try_from(read_number(year)?).ok()?,
        month: read_month(month)?,
        day: u8::try_from(read_number(day)?).ok()?,
        hour: 0,
        minute: 0,
        second: 0,
    };
    let day = day.moment()?;
    match fields.get(at + 1).and_then(read_clock) {
        Some(clock) => clock.on(day),
        None => Some(day),
    }
}

/// `2/4` or `2`: blocks in use, and blocks that are kept for it. With units, as newer systems can be told, `13KB/36KB`.
fn read_size(field: &[u8]) -> Option<u64> {
    let used = field.split(|b| *b == b'/').next()?;
    let digits = used.iter().position(|b| !b.is_ascii_digit() && *b != b'.').unwrap_or(used.len());
    let (number, unit) = used.split_at(digits);
    let unit = match unit {
        b"" => 512,
        b"B" => 1,
        b"KB" => 1 << 10,
        b"MB" => 1 << 20,
        b"GB" => 1 << 30,
        _ => return None,
    };
    read_number(number.split(|b| *b == b'.').next()?)?.checked_mul(unit)
}
