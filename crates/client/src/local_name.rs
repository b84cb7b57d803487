//! `LocalName`: a name from a server that cannot leave the folder it is meant for, by type (CVE-2026-27699 and its many
//! ancestors), and `Download`: a file that has its name only when it is whole. How bytes get into it is left to `pipe`.

use std::ffi::OsStr;
use std::fmt;
use std::fs::{self, File, Metadata, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::Errno;
use thiserror::Error;
use twoport_proto::Moment;

use crate::charset;

/// One part of a path on this machine: bytes without a slash, not empty, not `.` or `..`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LocalName(Vec<u8>);

/// Why a name from a server is not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Refused {
    /// Nothing at all.
    #[error("the server sent an empty name")]
    Empty,
    /// `.` or `..`.
    #[error("the server sent . or .. as a name, which would lead out of the folder")]
    Dots,
    /// A slash.
    #[error("the server sent a name with a slash in it, which would lead out of the folder")]
    Slash,
    /// A NUL.
    #[error("the server sent a name with a NUL in it, which no file can have")]
    Nul,
    /// Longer than file systems take.
    #[error("the server sent a name of more than 255 bytes, which no file can have")]
    TooLong,
}

impl LocalName {
    /// Takes a name from a server. One that ends in `.part` is a name like any other; see [`Download`] for what that means.
    ///
    /// # Errors
    /// When it is no single part of a path, or too long for one.
    pub fn read(name: &[u8]) -> Result<LocalName, Refused> {
        match name {
            b"" => Err(Refused::Empty),
            b"." | b".." => Err(Refused::Dots),
            _ if name.contains(&b'/') => Err(Refused::Slash),
            _ if name.contains(&0) => Err(Refused::Nul),
            _ if name.len() > LONGEST => Err(Refused::TooLong),
            _ => Ok(LocalName(name.to_vec())),
        }
    }

    /// Takes a relative path with slashes apart, each part as [`LocalName::read`] does.
    ///
    /// # Errors
    /// As there; so an absolute path and one with `..` in it are refused.
    pub fn read_path(path: &[u8]) -> Result<Vec<LocalName>, Refused> {
        path.split(|b| *b == b'/').map(LocalName::read).collect()
    }

    /// The name while the file is not whole: with `.part` behind it, and shortened, with a hash of the whole in place of its
    /// end, when that would be too long.
    #[must_use]
    pub fn part(&self) -> LocalName {
        let mut name = self.0.clone();
        if name.len() + PART.len() > LONGEST {
            let mark = format!("~{:016x}", hash(&self.0));
            let room = LONGEST - PART.len() - mark.len();
            name.truncate(match std::str::from_utf8(&self.0) {
                Ok(text) => text.floor_char_boundary(room),
                Err(_) => room,
            });
            name.extend_from_slice(mark.as_bytes());
        }
        name.extend_from_slice(PART);
        LocalName(name)
    }

    /// The name as bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The name as the system takes it: the same bytes.
    #[must_use]
    pub fn as_os_str(&self) -> &OsStr {
        OsStr::from_bytes(&self.0)
    }
}

/// As [`shown`].
impl fmt::Display for LocalName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shown(&self.0))
    }
}

impl fmt::Debug for LocalName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LocalName({})", shown(&self.0))
    }
}

/// A name for a person's eyes: what a terminal would obey is escaped, and what is not UTF-8 is %XX, as an address takes it.
#[must_use]
pub fn shown(name: &[u8]) -> String {
    let mut text = String::with_capacity(name.len());
    for c in charset::text(name).chars() {
        if c.is_control() {
            text.extend(c.escape_default());
        } else {
            text.push(c);
        }
    }
    text
}

/// The path of a thing below `root`. The names cannot climb; whether a link stands on the way is not looked at, see
/// [`make_folder`].
#[must_use]
pub fn beneath(root: &Path, names: &[LocalName]) -> PathBuf {
    let mut path = root.to_owned();
    path.extend(names.iter().map(LocalName::as_os_str));
    path
}

/// Makes the folders `names` below `root` where they are missing, and gives the path of the last. `root` may be a link, for
/// its user named it; what lies below may not, for a link leads anywhere.
///
/// # Errors
/// When a folder cannot be made, or something else stands in its place.
pub fn make_folder(root: &Path, names: &[LocalName]) -> io::Result<PathBuf> {
    let mut path = root.to_owned();
    for name in names {
        path.push(name.as_os_str());
        match fs::create_dir(&path) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
                if !fs::symlink_metadata(&path)?.is_dir() {
                    return Err(in_the_way(&path, "is not a folder"));
                }
            }
            made => made?,
        }
    }
    Ok(path)
}

/// What to do with bytes of an earlier try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begin {
    /// Throw them away.
    Anew,
    /// Go on behind them.
    Resume,
}

/// A file on its way: it is NAME.part until [`Download::finish`]. Dropped unfinished it stays, for the next try, unless it is
/// empty.
///
/// A lock keeps a second process away from it. No link is followed, and nothing but a plain file is written or replaced. If
/// the folder has a file of its own that is called NAME.part it is taken for an earlier try; a later download under that
/// very name makes `finish` fail, and never mixes the two.
#[derive(Debug)]
pub struct Download {
    file: Arc<File>,
    part: PathBuf,
    target: PathBuf,
    /// Bytes of an earlier try.
    from: u64,
    finished: bool,
}

impl Download {
    /// Begins `name` in `folder`.
    ///
    /// # Errors
    /// When the file cannot be made, another process is at it, or something that is no plain file stands in the way.
    pub fn begin(folder: &Path, name: &LocalName, begin: Begin) -> io::Result<Download> {
        let (target, part) = (folder.join(name.as_os_str()), folder.join(name.part().as_os_str()));
        // A rename would replace a device or a pipe as readily as a file.
        match look(&target)? {
            Some(there) if !there.is_file() && !there.is_symlink() => {
                return Err(in_the_way(&target, "is not a plain file"));
            }
            _ => {}
        }
        if begin == Begin::Anew {
            clear(&part)?;
        }
        let file = open_part(&part, begin)?;
        // An earlier try that wrote in several places has said how far it can be believed.
        if let Some(whole) = read_mark(&part)? {
            file.set_len(whole.min(file.metadata()?.len()))?;
            remove_mark(&part)?;
        }
        let from = file.metadata()?.len();
        Ok(Download { file: Arc::new(file), part, target, from, finished: false })
    }

    /// Begins the file at `path`, which its user chose.
    ///
    /// # Errors
    /// As [`Download::begin`]; also when the path ends in no name.
    pub fn at(path: &Path, begin: Begin) -> io::Result<Download> {
        let name = path.file_name().map(|name| LocalName::read(name.as_bytes()));
        let Some(Ok(name)) = name else {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "the path does not end in the name of a file",
            ));
        };
        Download::begin(path.parent().unwrap_or(Path::new("")), &name, begin)
    }

    /// Where to go on: the bytes of an earlier try that are there.
    #[must_use]
    pub fn from(&self) -> u64 {
        self.from
    }

    /// The file, to write into from [`Download::from`] on.
    #[must_use]
    pub fn file(&self) -> Arc<File> {
        Arc::clone(&self.file)
    }

    /// Where the bytes are until the end.
    #[must_use]
    pub fn part(&self) -> &Path {
        &self.part
    }

    /// The file is written in several places from now on: how far it is whole from its beginning is written down beside it,
    /// so that a later try goes on there and takes no gap for bytes, whatever becomes of us.
    ///
    /// # Errors
    /// When that cannot be written.
    pub fn in_parts(&self) -> io::Result<()> {
        self.whole_to(self.from)
    }

    /// It is whole up to here.
    ///
    /// # Errors
    /// When that cannot be written.
    pub fn whole_to(&self, bytes: u64) -> io::Result<()> {
        write_mark(&self.part, bytes)
    }

    /// It is written in one place again, and whole up to `bytes`.
    ///
    /// # Errors
    /// When the file cannot be cut there.
    pub fn is_one_again(&self, bytes: u64) -> io::Result<()> {
        self.file.set_len(bytes)?;
        remove_mark(&self.part)
    }

    /// Throws away what is there, because the server cannot go on in the middle or the file is another by now.
    ///
    /// # Errors
    /// When the file cannot be cut.
    pub fn rewind(&mut self) -> io::Result<()> {
        self.from = 0;
        self.file.set_len(0)
    }

    /// The file is whole: gives it the time of its last change, if that is known, and its name. A file that it replaces
    /// leaves it its permissions.
    ///
    /// # Errors
    /// When NAME.part is not the file that was written any more, or the system says no.
    pub fn finish(mut self, modified: Option<Moment>) -> io::Result<PathBuf> {
        if !self.is_in_place()? {
            return Err(in_the_way(&self.part, "was replaced by somebody else while it was written"));
        }
        if let Some(there) = look(&self.target)?.filter(Metadata::is_file) {
            // Not setuid and its like: they were given to the old content.
            self.file.set_permissions(Permissions::from_mode(there.mode() & 0o777))?;
        }
        if let Some(time) = modified.and_then(system_time) {
            self.file.set_modified(time)?;
        }
        fs::rename(&self.part, &self.target)?;
        self.finished = true;
        Ok(self.target.clone())
    }

    /// Gives up, and leaves nothing behind.
    ///
    /// # Errors
    /// When the file cannot be removed.
    pub fn discard(mut self) -> io::Result<()> {
        self.finished = true;
        if self.is_in_place()? { fs::remove_file(&self.part) } else { Ok(()) }
    }

    /// Whether NAME.part is still the file that is open here.
    fn is_in_place(&self) -> io::Result<bool> {
        let (open, there) = (self.file.metadata()?, look(&self.part)?);
        Ok(there.is_some_and(|there| (there.dev(), there.ino()) == (open.dev(), open.ino())))
    }
}

/// Where it stands how far a file that was written in several places is whole.
fn mark_of(part: &Path) -> PathBuf {
    let mut name = part.as_os_str().to_owned();
    name.push(".whole-to");
    name.into()
}

fn write_mark(part: &Path, bytes: u64) -> io::Result<()> {
    let (mark, new) = (mark_of(part), mark_of(part).with_extension("whole-to-new"));
    clear(&new)?;
    let mut file = OpenOptions::new().write(true).create_new(true).open(&new)?;
    // In one step: half a number is another number.
    let written = file.write_all(bytes.to_string().as_bytes()).and_then(|()| fs::rename(&new, &mark));
    if written.is_err() {
        // What could not be written is of no use to anybody.
        let _ = fs::remove_file(&new);
    }
    written
}

/// None when there is none; 0 when it makes no sense.
fn read_mark(part: &Path) -> io::Result<Option<u64>> {
    match look(&mark_of(part))? {
        Some(there) if there.is_file() => {
            Ok(Some(fs::read_to_string(mark_of(part)).ok().and_then(|text| text.parse().ok()).unwrap_or(0)))
        }
        _ => Ok(None),
    }
}

fn remove_mark(part: &Path) -> io::Result<()> {
    match fs::remove_file(mark_of(part)) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

impl Drop for Download {
    fn drop(&mut self) {
        let is_empty = self.file.metadata().is_ok_and(|open| open.len() == 0);
        if !self.finished && is_empty && self.is_in_place().unwrap_or(false) {
            // Nobody is left to be told, and an empty file does no harm.
            let _ = fs::remove_file(&self.part);
        }
    }
}

/// Removes what is left of an earlier try, unless a process is at it.
fn clear(part: &Path) -> io::Result<()> {
    let Some(there) = look(part)? else { return Ok(()) };
    if there.is_file() {
        match openat(CWD, part, OFlags::WRONLY | PLAIN, Mode::empty()) {
            Ok(file) => lock(&File::from(file), part)?,
            // Not ours to write, perhaps ours to remove.
            Err(Errno::ACCESS) => {}
            Err(e) => return Err(e.into()),
        }
    } else if !there.is_symlink() {
        return Err(in_the_way(part, "is not a plain file"));
    }
    fs::remove_file(part)
}

fn open_part(part: &Path, begin: Begin) -> io::Result<File> {
    let extra = if begin == Begin::Anew { OFlags::EXCL } else { OFlags::empty() };
    let mode = Mode::from_raw_mode(0o666);
    let file = match openat(CWD, part, OFlags::RDWR | OFlags::CREATE | PLAIN | extra, mode) {
        Ok(file) => File::from(file),
        Err(Errno::LOOP) => return Err(in_the_way(part, "is a link")),
        Err(e) => return Err(e.into()),
    };
    let open = file.metadata()?;
    // Another name of the same file, somewhere else, would get our bytes.
    if !open.is_file() || open.nlink() > 1 {
        return Err(in_the_way(part, "is not a plain file with one name"));
    }
    lock(&file, part)?;
    Ok(file)
}

/// The lock goes with the open file. A file system that has none is taken as it is.
fn lock(file: &File, part: &Path) -> io::Result<()> {
    match file.try_lock() {
        Err(fs::TryLockError::WouldBlock) => Err(io::Error::new(
            io::ErrorKind::ResourceBusy,
            format!("{} is being written by another process", shown(part.as_os_str().as_bytes())),
        )),
        Err(fs::TryLockError::Error(_)) | Ok(()) => Ok(()),
    }
}

fn look(path: &Path) -> io::Result<Option<Metadata>> {
    match fs::symlink_metadata(path) {
        Ok(there) => Ok(Some(there)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

fn in_the_way(path: &Path, what: &str) -> io::Error {
    let path = shown(path.as_os_str().as_bytes());
    io::Error::new(io::ErrorKind::AlreadyExists, format!("{path} {what}; move it away"))
}

/// `None` for a moment that the system cannot hold: a server may say any.
fn system_time(moment: Moment) -> Option<std::time::SystemTime> {
    let since = std::time::Duration::new(moment.seconds.unsigned_abs(), 0);
    let whole = if moment.seconds < 0 {
        std::time::UNIX_EPOCH.checked_sub(since)
    } else {
        std::time::UNIX_EPOCH.checked_add(since)
    };
    whole?.checked_add(std::time::Duration::from_nanos(u64::from(moment.nanos)))
}

/// FNV-1a: tells long names apart, and is the same tomorrow.
fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xCBF2_9CE4_8422_2325, |hash, b| (hash ^ u64::from(*b)).wrapping_mul(0x0100_0000_01B3))
}

/// What a file is called behind its name while it is not whole.
const PART: &[u8] = b".part";

/// The longest name that file systems take, in bytes (Linux' NAME_MAX).
const LONGEST: usize = 255;

/// No link is followed, no pipe waits for its other end.
const PLAIN: OFlags = OFlags::NOFOLLOW.union(OFlags::CLOEXEC).union(OFlags::NONBLOCK);

#[cfg(test)]
mod tests;
