//! IBM i, once OS/400, in its own format (LISTFMT 0): `owner size date time *TYPE name`, where owner, size and date may be
//! blank. In the other format it says `ls -l`.

use super::Outcome;
use super::fields::{Fields, blank, read_clock, read_day, read_number};
use crate::entry::{Entry, Kind};

/// Reads the lines of one listing: it remembers the file whose members may follow.
#[derive(Debug, Default)]
pub(super) struct Reader {
    file: Option<Vec<u8>>,
}

impl Reader {
    /// Reads one line without its line end; `None` when it is of another dialect.
    ///
    /// A library lists its files and, below each, the members as `X.FILE/Y.MBR`: those are nothing here, for they stand
    /// in the folder `X.FILE`. In the listing of that folder the same line is the entry `Y.MBR`.
    pub(super) fn line(&mut self, line: &[u8]) -> Option<Outcome> {
        let (mut entry, is_member) = read_line(line)?;
        let slash = entry.name.iter().rposition(|b| *b == b'/');
        if let Some(slash) = slash {
            if is_member && self.file.as_deref() == Some(&entry.name[..slash]) {
                return Some(Outcome::Nothing);
            }
            entry.name.drain(..=slash);
        }
        if entry.kind == Kind::Directory {
            self.file = Some(entry.name.clone());
        }
        Some(Outcome::Entry(entry))
    }
}

/// The entry with the name as it is listed but for a last slash, and whether it is a member of a file.
fn read_line(line: &[u8]) -> Option<(Entry, bool)> {
    let fields = Fields::of(line);
    let type_at = (0..=4).find(|at| fields.get(*at).is_some_and(is_type))?;
    let of_type = fields.get(type_at)?;
    let mut before = type_at;
    let modified = before
        .checked_sub(2)
        .and_then(|at| read_clock(&read_time(fields.get(at + 1)?)?)?.on(read_day(fields.get(at)?)?));
    if modified.is_some() {
        before -= 2;
    } else if !matches!(of_type, b"*MEM" | b"*FILE") {
        return None;
    }
    let size = before.checked_sub(1).and_then(|at| read_number(fields.get(at)?));
    before -= usize::from(size.is_some());
    if before > 1 {
        return None;
    }
    let listed = fields.rest(type_at)?;
    let listed = &listed[..=listed.iter().rposition(|b| !blank(b))?];
    let name = listed.strip_suffix(b"/").unwrap_or(listed);
    if name.is_empty() || name.ends_with(b"/") {
        return None;
    }
    let is_file =
        name.get(name.len().saturating_sub(5)..).is_some_and(|end| end.eq_ignore_ascii_case(b".FILE"));
    let kind = match of_type {
        b"*DIR" | b"*DDIR" | b"*LIB" | b"*FLR" => Kind::Directory,
        // A file with members, named as a folder (NAMEFMT 1); else, and for save files, its first member is fetched.
        b"*FILE" if is_file => Kind::Directory,
        _ if name.len() < listed.len() => Kind::Directory,
        b"*FILE" | b"*MEM" | b"*STMF" | b"*DSTMF" | b"*DOC" => Kind::File,
        b"*SYMLNK" => Kind::Link,
        // Programs, queues, profiles: objects, which cannot be fetched.
        _ => Kind::Other,
    };
    let mut entry = Entry::new(name, kind, size.unwrap_or(0));
    entry.modified = modified;
    entry.owner = fields.text(0, before);
    Some((entry, of_type == b"*MEM"))
}

/// `*FILE`: a star, and a word in capitals of at most nine.
fn is_type(field: &[u8]) -> bool {
    matches!(field, [b'*', word @ ..] if (2..10).contains(&word.len())
        && word.iter().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit()))
}

/// `15:09:55` with colons for the separator of the server's job, which may be a dot or a comma.
fn read_time(field: &[u8]) -> Option<[u8; 8]> {
    let mut time = <[u8; 8]>::try_from(field).ok()?;
    for at in [2, 5] {
        if !matches!(time[at], b':' | b'.' | b',') {
            return None;
        }
        time[at] = b':';
    }
    Some(time)
}
