//! z/OS, once MVS: data sets, members of a partitioned data set, and jobs. Sizes are in tracks or records, which are no
//! bytes, and are left out. Its UNIX side says `ls -l`.

use super::Outcome;
use super::fields::{Fields, MAX_FIELDS, read_clock, read_day};
use crate::entry::{Entry, Kind};
use crate::time::Moment;

/// Reads one line of the data sets under a qualifier; `None` when it is of another dialect. The day in it is that of the
/// last use and not of the last change: it is left out. Names in quotes keep them: without, they would be relative.
pub(super) fn read_dataset(line: &[u8]) -> Option<Outcome> {
    let fields = Fields::of(line);
    let is = |at: usize, word: &str| fields.get(at).is_some_and(|field| field == word.as_bytes());
    if is(0, "Volume") && is(1, "Unit") {
        return Some(Outcome::Nothing);
    }
    let name_at = fields.count().checked_sub(1).filter(|at| at + 1 < MAX_FIELDS)?;
    let name = fields.get(name_at).filter(|name| is_dataset(name))?;
    let mut words = [&b""[..]; MAX_FIELDS];
    for (at, word) in words.iter_mut().enumerate().take(name_at) {
        *word = fields.get(at)?;
    }
    let kind = match &words[..name_at] {
        // Not on a disk now; fetching it brings it back. What it was is not told.
        [b"Migrated"] | [_, b"Not", b"Direct", b"Access", b"Device"] => Kind::File,
        [b"Pseudo", b"Directory"] => Kind::Directory,
        // FTP cannot fetch VSAM.
        [b"VSAM"] | [_, _, b"VSAM"] => Kind::Other,
        [_, _, referred, .., recfm, lrecl, blksz, dsorg]
            if is_referred(referred) && is_recfm(recfm) && is_length(lrecl) && is_length(blksz) =>
        {
            match *dsorg {
                b"PO" | b"PO-E" | b"POU" => Kind::Directory,
                b"VS" | b"HFS" | b"ZFS" => Kind::Other,
                _ => Kind::File,
            }
        }
        _ => return None,
    };
    Some(Outcome::Entry(Entry::new(name, kind, 0)))
}

/// Reads one line of the members of a data set; `None` when it is of another dialect. `settled` tells that lines of this
/// one came before: then a name alone is a member without statistics.
pub(super) fn read_member(line: &[u8], settled: bool) -> Option<Outcome> {
    let fields = Fields::of(line);
    let name = fields.get(0)?;
    if name == b"Name" && matches!(fields.get(1), Some(b"VV.MM" | b"Size")) {
        return Some(Outcome::Nothing);
    }
    if !is_word(name) {
        return None;
    }
    let mut entry = Entry::new(name, Kind::File, 0);
    if let Some((created, changed)) = read_statistics(&fields) {
        entry.created = Some(created);
        entry.modified = Some(changed);
        entry.owner = fields.text(8, 9);
        return Some(Outcome::Entry(entry));
    }
    // Of a load library: size and place in hex, and what the binder says.
    let is_hex = |field: &[u8]| field.len() >= 6 && field.iter().all(u8::is_ascii_hexdigit);
    let of_load_library = || fields.get(1).is_some_and(is_hex) && fields.get(2).is_some_and(is_hex);
    (settled && (fields.count() == 1 || of_load_library())).then_some(Outcome::Entry(entry))
}

/// Reads one line of the jobs of a user; `None` when it is of another dialect. The name is the job's number, which is
/// what RETR takes. `settled` tells that lines of this one came before: then the spool files of a job may follow it.
pub(super) fn read_job(line: &[u8], settled: bool) -> Option<Outcome> {
    let fields = Fields::of(line);
    let (name, id) = (fields.get(0)?, fields.get(1).unwrap_or_default());
    if name == b"JOBNAME" && id == b"JOBID" {
        return Some(Outcome::Nothing);
    }
    let is_state = |at: usize| {
        matches!(fields.get(at), Some(b"INPUT" | b"ACTIVE" | b"OUTPUT" | b"HELD" | b"-INPUT-" | b"-OUTPUT-"))
    };
    if is_word(name) && is_job_id(id) && (is_state(2) || is_state(3)) {
        let mut entry = Entry::new(id, Kind::File, 0);
        entry.owner = if is_state(3) { fields.text(2, 3) } else { None };
        return Some(Outcome::Entry(entry));
    }
    let spool = name.iter().all(|b| *b == b'-') || name.iter().all(u8::is_ascii_digit) || name == b"ID";
    (settled && spool).then_some(Outcome::Nothing)
}

/// `01.03 2002/09/12 2002/10/11 09:37` behind the name: when the member was made, and when it was changed.
fn read_statistics(fields: &Fields<'_>) -> Option<(Moment, Moment)> {
    let version = fields.get(1)?;
    if version.len() != 5 || version[2] != b'.' {
        return None;
    }
    let created = read_full_day(fields.get(2)?)?;
    Some((created, read_clock(fields.get(4)?)?.on(read_full_day(fields.get(3)?)?)?))
}

/// `2002/09/12`.
fn read_full_day(field: &[u8]) -> Option<Moment> {
    read_day(field).filter(|_| field.get(4) == Some(&b'/'))
}

fn is_referred(field: &[u8]) -> bool {
    field.starts_with(b"**") || read_full_day(field).is_some()
}

fn is_recfm(field: &[u8]) -> bool {
    field.iter().all(|b| b"FVUDBSAMT?".contains(b))
}

fn is_length(field: &[u8]) -> bool {
    field.iter().all(|b| b.is_ascii_digit() || *b == b'?')
}

/// `JOB01234`, `STC01234`, `TSU01234`, and with seven digits `J0123456`.
fn is_job_id(field: &[u8]) -> bool {
    let letters = field.iter().take_while(|b| b.is_ascii_uppercase()).count();
    let known = matches!(&field[..letters], b"JOB" | b"STC" | b"TSU" | b"J" | b"S" | b"T");
    known && field.len() == 8 && field[letters..].iter().all(u8::is_ascii_digit)
}

/// A qualifier or a member: one to eight capitals, digits and national letters, no digit first.
fn is_word(word: &[u8]) -> bool {
    (1..=8).contains(&word.len()) && !word[0].is_ascii_digit() && word.iter().all(|b| is_letter(*b))
}

/// Qualifiers with dots between them, 44 bytes at most, in quotes or not.
fn is_dataset(name: &[u8]) -> bool {
    let bare = name.strip_prefix(b"'").and_then(|name| name.strip_suffix(b"'")).unwrap_or(name);
    let word =
        |word: &[u8]| (1..=8).contains(&word.len()) && word.iter().all(|b| is_letter(*b) || *b == b'-');
    (1..=44).contains(&bare.len()) && bare.split(|b| *b == b'.').all(word)
}

fn is_letter(byte: u8) -> bool {
    byte.is_ascii_uppercase() || byte.is_ascii_digit() || b"@#$".contains(&byte)
}
