//! `Store`: the door to files, usable as `dyn`. Every path is absolute within the store and cannot climb out of it; a
//! backend knows files and nothing of accounts, replies or listings as text.

use std::future::Future;
use std::pin::Pin;

use twoport_pipe::{Body, Sink};
use twoport_proto::placement::{Change, Placement};
use twoport_proto::{Entry, FtpPath};

use crate::error::Error;

/// What an operation gives: a future in a box, so that `dyn Store` is possible.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'a>>;

/// Whether a symbolic link in the last part of a path is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Links {
    /// What the link points to is told.
    Follow,
    /// The link itself is told.
    Show,
}

/// What becomes of the bytes of a new file when its upload is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum CutUploads {
    /// They are kept under the name, so that the client can resume.
    #[default]
    Keep,
    /// They are thrown away.
    Discard,
}

/// Files behind one door.
pub trait Store: Send + Sync {
    /// Tells what is known of one name.
    ///
    /// # Errors
    /// `NotFound`, `Denied`, `NotDirectory` when a file stands on the way, `Loop`.
    fn stat<'a>(&'a self, path: &'a FtpPath, links: Links) -> Answer<'a, Entry>;

    /// Opens a folder; its entries come in pieces, without `.` and `..`.
    ///
    /// # Errors
    /// `NotFound`, `Denied`, `NotDirectory`.
    fn list<'a>(&'a self, path: &'a FtpPath, order: Order) -> Answer<'a, Box<dyn Folder>>;

    /// Opens a file from byte `from` on, `length` bytes at most, or to its end.
    ///
    /// # Errors
    /// `NotFound`, `IsDirectory`, `Denied` (pipes and devices too), `BadOffset` when `from` lies behind the end.
    fn read<'a>(&'a self, path: &'a FtpPath, from: u64, length: Option<u64>) -> Answer<'a, Reading>;

    /// Begins an upload; nothing of `Replace`, `New`, `Unique` and `At(0)` is seen under the name before it is committed.
    ///
    /// # Errors
    /// `IsDirectory`, `Denied`, `NotFound` when the folder is missing (or, for `At`, the file), `Exists` for `New`,
    /// `BadOffset` for `At`, `BadName`, `Full`.
    fn write<'a>(&'a self, path: &'a FtpPath, placement: Placement) -> Answer<'a, Upload>;

    /// Removes a file or a link.
    ///
    /// # Errors
    /// `NotFound`, `IsDirectory`, `Denied`.
    fn remove<'a>(&'a self, path: &'a FtpPath) -> Answer<'a, ()>;

    /// Makes a folder.
    ///
    /// # Errors
    /// `Exists`, `NotFound` when its parent is missing, `Denied`, `BadName`, `Full`.
    fn make_dir<'a>(&'a self, path: &'a FtpPath) -> Answer<'a, ()>;

    /// Removes an empty folder.
    ///
    /// # Errors
    /// `NotEmpty`, `NotFound`, `NotDirectory`, `Denied` (the root too), `Busy` when only a running upload is in it.
    fn remove_dir<'a>(&'a self, path: &'a FtpPath) -> Answer<'a, ()>;

    /// Renames a file or a folder; a file (or an empty folder) that has the new name is replaced, as rename(2) does.
    ///
    /// # Errors
    /// `NotFound`, `Denied` (the root too), `BadName` for a path below itself, `IsDirectory`, `NotDirectory`,
    /// `NotEmpty`, `Unsupported` across file systems.
    fn rename<'a>(&'a self, from: &'a FtpPath, to: &'a FtpPath) -> Answer<'a, ()>;

    /// Changes facts of a file or a folder; links are followed.
    ///
    /// # Errors
    /// `NotFound`, `Denied`, `Unsupported` for a fact that the backend cannot set; then nothing was changed.
    fn change<'a>(&'a self, path: &'a FtpPath, change: Change) -> Answer<'a, ()>;

    /// Makes a symbolic link that holds `target` as it is given.
    ///
    /// # Errors
    /// `Exists`, `NotFound`, `Denied`, `BadName`, `Unsupported` when the backend has no links.
    fn symlink<'a>(&'a self, target: &'a [u8], at: &'a FtpPath) -> Answer<'a, ()>;

    /// How many bytes an unprivileged writer may still use there; `u64::MAX` where there is no bound.
    ///
    /// # Errors
    /// `NotFound`, `Denied`, `Unsupported` when the backend cannot tell.
    fn space<'a>(&'a self, path: &'a FtpPath) -> Answer<'a, u64>;
}

/// A file that is open for reading.
#[derive(Debug)]
pub struct Reading {
    /// The bytes that were asked for.
    pub body: Body,
    /// Size of the whole file in bytes, at the time of opening.
    pub size: u64,
}

/// In which order the entries of a folder come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// By name, byte by byte, as far as a backend can hold them.
    ByName,
    /// As it is quickest.
    Any,
}

/// A folder that is being read.
pub trait Folder: Send {
    /// Gives the next entries, at most `at_most` (0 is taken as 1); none means the end.
    ///
    /// # Errors
    /// `Io` and its like; `Stopped` when an earlier call was dropped before its end.
    fn next<'a>(&'a mut self, at_most: usize) -> Answer<'a, Vec<Entry>>;
}

/// An upload that has begun; dropped as it is, it is cut.
pub struct Upload {
    /// Where the bytes go.
    pub sink: Sink,
    /// The name that the file will have: the one asked for, except with `Unique`.
    pub path: FtpPath,
    /// How it ends.
    pub commit: Box<dyn Pending>,
}

/// The end of an upload, one way or the other; dropped instead, it is cut with what the backend knows to have arrived
/// (a resumed or appended [`crate::Local`] file then keeps what lay behind the last byte received).
pub trait Pending: Send {
    /// All bytes came: the file takes its name.
    ///
    /// # Errors
    /// `Exists` for `New` when somebody was faster (the bytes are dropped), `IsDirectory`, `Full`, `Io`; the file that
    /// was there before is untouched.
    fn commit(self: Box<Self>, sink: Sink) -> Answer<'static, ()>;

    /// The client went away: a file that was there before stays, a new one keeps what came, as [`CutUploads`] says.
    ///
    /// # Errors
    /// `Io` and its like.
    fn cut(self: Box<Self>, sink: Sink) -> Answer<'static, ()>;
}

impl std::fmt::Debug for Upload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Upload({}, {:?})", self.path, self.sink)
    }
}

/// The `number`th name to try for `Placement::Unique`: 0 is the name itself, then `name.1`, `name.2`; the stem is
/// shortened where the whole would pass [`LONGEST_NAME`].
pub(crate) fn unique_name(name: &[u8], number: u32) -> Vec<u8> {
    if number == 0 {
        return name.to_vec();
    }
    let suffix = format!(".{number}");
    let mut whole = shortened(name, LONGEST_NAME - suffix.len()).to_vec();
    whole.extend_from_slice(suffix.as_bytes());
    whole
}

/// The first bytes of `name`, at most `bytes`, without a torn UTF-8 letter at the end: some file systems refuse those.
pub(crate) fn shortened(name: &[u8], bytes: usize) -> &[u8] {
    let is_inside_letter = |at: usize| name.get(at).is_some_and(|b| b & 0xc0 == 0x80);
    let at = bytes.min(name.len());
    let back = (0..4).find(|back| *back <= at && !is_inside_letter(at - back)).unwrap_or(0);
    &name[..at - back]
}

/// The longest name in bytes (NAME_MAX).
pub(crate) const LONGEST_NAME: usize = 255;

/// How many names `Placement::Unique` tries before it says `Exists`.
pub(crate) const MOST_UNIQUE: u32 = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unique_names_count_up_and_fit() {
        assert_eq!(unique_name(b"a.txt", 0), b"a.txt");
        assert_eq!(unique_name(b"a.txt", 2), b"a.txt.2");
        assert_eq!(unique_name(&[b'x'; 255], 10).len(), 255);
    }

    #[test]
    fn a_letter_is_not_torn() {
        assert_eq!(shortened("aä".as_bytes(), 2), b"a");
        assert_eq!(shortened("aä".as_bytes(), 3), "aä".as_bytes());
        assert_eq!(shortened(&[0x80; 10], 5).len(), 5);
    }
}
