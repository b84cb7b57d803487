//! Working names: where the bytes of an upload wait for their commit. `.NAME.twoport-part`, then `-2`, `-3`. Who
//! uploads holds a flock on its working file, so one that nobody holds is left over from a crash.

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd};

use rustix::fs::{
    AtFlags, Dir, FileType, FlockOperation, Mode, OFlags, Stat, flock, fstat, openat, statat, unlinkat,
};
use rustix::io::Errno;
use twoport_proto::Failure;

use crate::error::Result;
use crate::store::{LONGEST_NAME, shortened};

/// A working file that this process made and holds.
#[derive(Debug)]
pub(super) struct Working {
    /// Its name in the folder.
    pub(super) name: Vec<u8>,
    /// The file, open for reading and writing, empty.
    pub(super) file: File,
}

/// What became of a working file that nobody seemed to need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Swept {
    /// It is not there (any more).
    Gone,
    /// An upload is using it, or it is none of ours.
    Held,
}

/// Whether a name is a working name: clients neither see nor reach those.
pub(super) fn is_working(name: &[u8]) -> bool {
    let digits = name.iter().rev().take_while(|b| b.is_ascii_digit()).count();
    let stem = match name[..name.len() - digits].strip_suffix(b"-") {
        Some(stem) if digits > 0 => stem,
        _ => name,
    };
    stem.len() > SUFFIX.len() + 1 && stem[0] == b'.' && stem.ends_with(SUFFIX)
}

/// Makes and locks a working file for `name` in `folder`; leftovers in the way are removed.
///
/// # Errors
/// `Busy` when [`MOST_WORKING`] uploads to that name are running; what openat says.
pub(super) fn open_working(folder: BorrowedFd<'_>, name: &[u8], mode: Mode) -> Result<Working> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    for number in 1..=MOST_WORKING {
        let working = working_name(name, number);
        for _ in 0..MOST_RACES {
            match openat(folder, &working, flags, mode) {
                // Between its making and its lock a file looks left over, and another upload may remove it.
                Ok(file) if !is_locked_elsewhere(&file) && is_named(folder, &working, &file) => {
                    return Ok(Working { name: working, file: File::from(file) });
                }
                Ok(_) => {}
                Err(Errno::EXIST) => {
                    if sweep(folder, &working)? == Swept::Held {
                        break;
                    }
                }
                Err(errno) => return Err(errno.into()),
            }
        }
    }
    Err(Failure::Busy.into())
}

/// Removes a working file unless somebody holds it. Removed and not emptied: the name may be a hard link to a file that
/// is somebody's.
///
/// # Errors
/// What unlinkat says.
pub(super) fn sweep(folder: BorrowedFd<'_>, working: &[u8]) -> Result<Swept, Errno> {
    let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = match openat(folder, working, flags, Mode::empty()) {
        Ok(file) => file,
        Err(Errno::NOENT) => return Ok(Swept::Gone),
        Err(_) => return Ok(Swept::Held),
    };
    let is_file = FileType::from_raw_mode(fstat(&file)?.st_mode) == FileType::RegularFile;
    if !is_file || flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
        return Ok(Swept::Held);
    }
    // The lock says nothing of the name: its holder may have committed it a moment ago.
    if !is_named(folder, working, &file) {
        return Ok(Swept::Gone);
    }
    match unlinkat(folder, working, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => Ok(Swept::Gone),
        Err(errno) => Err(errno),
    }
}

/// Removes the leftovers in a folder that holds nothing else.
///
/// # Errors
/// `NotEmpty` when it holds anything else, and then nothing is removed; `Busy` when an upload is running in it.
pub(super) fn sweep_folder(folder: BorrowedFd<'_>) -> Result<()> {
    let mut leftovers = Vec::new();
    let mut dir = Dir::read_from(folder)?;
    while let Some(found) = dir.read() {
        let found = found?;
        match found.file_name().to_bytes() {
            b"." | b".." => {}
            name if is_working(name) => leftovers.push(name.to_vec()),
            _ => return Err(Failure::NotEmpty.into()),
        }
    }
    let mut is_held = false;
    for name in leftovers {
        is_held |= sweep(folder, &name)? == Swept::Held;
    }
    if is_held { Err(Failure::Busy.into()) } else { Ok(()) }
}

/// The same for two names of one file.
pub(super) fn unique(stat: &Stat) -> (u64, u64) {
    (stat.st_dev, stat.st_ino)
}

fn working_name(name: &[u8], number: u32) -> Vec<u8> {
    let stem = if name.len() <= LONGEST_STEM {
        name.to_vec()
    } else {
        let hash = format!("~{:016x}", fnv(name));
        [shortened(name, LONGEST_STEM - hash.len()), hash.as_bytes()].concat()
    };
    let mut working = [b".", &stem[..], SUFFIX].concat();
    if number > 1 {
        working.extend_from_slice(format!("-{number}").as_bytes());
    }
    working
}

/// FNV-1a: the same in every process and every version, which std's hasher does not promise.
fn fnv(name: &[u8]) -> u64 {
    name.iter().fold(0xcbf2_9ce4_8422_2325, |hash, b| (hash ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3))
}

/// Takes the lock; on a file system without locks the file is used unlocked.
fn is_locked_elsewhere(file: impl AsFd) -> bool {
    flock(file, FlockOperation::NonBlockingLockExclusive) == Err(Errno::WOULDBLOCK)
}

fn is_named(folder: BorrowedFd<'_>, name: &[u8], file: impl AsFd) -> bool {
    match (statat(folder, name, AtFlags::SYMLINK_NOFOLLOW), fstat(file)) {
        (Ok(named), Ok(open)) => unique(&named) == unique(&open),
        _ => false,
    }
}

const SUFFIX: &[u8] = b".twoport-part";

/// Uploads to one name at one time, at most.
const MOST_WORKING: u32 = 999;

/// How often a race for one working name is run again before the next name is tried.
const MOST_RACES: u32 = 16;

/// A dot before, the suffix and `-999` behind.
const LONGEST_STEM: usize = LONGEST_NAME - 1 - SUFFIX.len() - 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn working_names_fit_and_are_known_again() {
        for name in
            [&b"a"[..], b".a", b"a-2", &[b'x'; LONGEST_STEM], &[b'x'; 255], "ä".repeat(127).as_bytes()]
        {
            for number in [1, 2, MOST_WORKING] {
                let working = working_name(name, number);
                assert!(working.len() <= LONGEST_NAME && is_working(&working), "{working:?}");
            }
        }
        assert_ne!(working_name(&[b'x'; 255], 1), working_name(&[b'x'; 254], 1));
        assert_eq!(working_name(b"a", 3), b".a.twoport-part-3");
    }

    #[test]
    fn other_names_are_not_taken_for_working_names() {
        for name in [
            &b""[..],
            b".twoport-part",
            b"..twoport-part.txt",
            b"a.twoport-part",
            b".a.twoport-part-",
            b"-7",
            b"7",
        ] {
            assert!(!is_working(name), "{name:?}");
        }
    }
}
