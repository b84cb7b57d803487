//! NetWare: `d [RWCEAFMS] JrF99          512 Feb 12 13:45 Admin`, the rights of its trustees in the place of a mode.

use super::fields::{Fields, read_date, read_number};
use crate::entry::{Entry, Kind};
use crate::time::Moment;

/// Reads one line without its line end. The rights are those of NetWare and fit no permission bits: they are left out.
pub(super) fn read_line(line: &[u8], now: Moment) -> Option<Entry> {
    let (kind, rest) = match line.split_first()? {
        (b'd', rest) => (Kind::Directory, rest),
        (b'-', rest) => (Kind::File, rest),
        _ => return None,
    };
    let rest = rest.trim_ascii_start().strip_prefix(b"[")?;
    let close = rest.iter().position(|b| *b == b']')?;
    let (rights, rest) = (&rest[..close], &rest[close + 1..]);
    if rights.is_empty() || !rights.iter().all(|right| b"SRWCEMFA-".contains(&right.to_ascii_uppercase())) {
        return None;
    }
    let fields = Fields::of(rest);
    let (size_at, size, date) = (1..fields.count()).find_map(|at| {
        let size = read_number(fields.get(at - 1)?)?;
        Some((at - 1, size, read_date(&fields, at, now)?))
    })?;
    let mut entry = Entry::new(rest.get(date.end + 1..).filter(|name| !name.is_empty())?, kind, size);
    entry.modified = Some(date.moment);
    entry.owner = fields.text(0, size_at);
    Some(entry)
}
