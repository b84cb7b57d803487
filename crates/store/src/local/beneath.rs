//! The jail: every open happens beneath a held root with chroot's meaning (openat2, RESOLVE_IN_ROOT), so `..` stops at
//! the root and absolute links stay inside and work. Names are changed by `*at` calls on a [`Spot`]: the opened folder
//! and the last part. A walk for systems without openat2 would live here too.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat, openat2, readlinkat};
use rustix::io::Errno;
use twoport_proto::{Failure, FtpPath};

use crate::error::{Error, Result};

/// A root that nothing leads out of.
#[derive(Debug)]
pub(super) struct Beneath {
    root: OwnedFd,
}

/// A name in an opened folder; whether something has that name is not said.
#[derive(Debug)]
pub(super) struct Spot {
    /// The folder, opened O_PATH: good for `*at` calls only.
    pub(super) folder: OwnedFd,
    /// One part, without slashes, never `.` or `..`.
    pub(super) name: Vec<u8>,
}

impl Beneath {
    /// Holds `root`, whose own links are followed, and tries openat2 once.
    ///
    /// # Errors
    /// When the folder cannot be opened; `Unsupported` with an explanation when there is no openat2.
    pub(super) fn open(root: &Path) -> Result<Self> {
        let root = openat(CWD, root, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        let beneath = Beneath { root };
        match beneath.open_raw(b"", OFlags::PATH | OFlags::DIRECTORY) {
            Ok(_) => Ok(beneath),
            Err(errno @ (Errno::NOSYS | Errno::PERM | Errno::INVAL | Errno::TOOBIG)) => {
                Err(Error::explained(Failure::Unsupported, format!("{NEEDS}: {errno}")))
            }
            Err(errno) => Err(errno.into()),
        }
    }

    /// Opens what `path` leads to; a link in the last part is followed unless `flags` hold NOFOLLOW.
    pub(super) fn open_path(&self, path: &FtpPath, flags: OFlags) -> Result<OwnedFd, Errno> {
        self.open_raw(path.relative(), flags)
    }

    /// The folder that holds `path`, and the last part, which is not followed.
    ///
    /// # Errors
    /// `Denied` for the root, which no folder holds.
    pub(super) fn spot(&self, path: &FtpPath) -> Result<Spot> {
        if path.is_root() {
            return Err(Failure::Denied.into());
        }
        let (folder, name) = split(path.relative());
        Ok(Spot { folder: self.open_folder(folder)?, name: name.to_vec() })
    }

    /// Like [`Beneath::spot`], but when the last part is a link, the spot is where it leads to, inside the root; the
    /// last link may dangle.
    ///
    /// # Errors
    /// `IsDirectory` when a link names a folder by its very spelling, `Loop` after [`MOST_LINKS`].
    pub(super) fn real_spot(&self, path: &FtpPath) -> Result<Spot> {
        let mut whole = path.relative().to_vec();
        for _ in 0..MOST_LINKS {
            let (folder_path, name) = split(&whole);
            if matches!(name, b"" | b"." | b"..") {
                return Err(Failure::IsDirectory.into());
            }
            let folder = self.open_folder(folder_path)?;
            let target = match readlinkat(&folder, name, Vec::new()) {
                Ok(target) => target.into_bytes(),
                Err(Errno::INVAL | Errno::NOENT) => return Ok(Spot { folder, name: name.to_vec() }),
                Err(errno) => return Err(errno.into()),
            };
            // Not normalised by text: `..` behind a link climbs from where the link leads to, and the kernel knows where.
            whole = match target.first() {
                Some(b'/') => target,
                _ => [folder_path, b"/", &target].concat(),
            };
            let first = whole.iter().position(|b| *b != b'/').unwrap_or(whole.len());
            whole.drain(..first);
        }
        Err(Failure::Loop.into())
    }

    fn open_folder(&self, path: &[u8]) -> Result<OwnedFd, Errno> {
        self.open_raw(path, OFlags::PATH | OFlags::DIRECTORY)
    }

    fn open_raw(&self, path: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
        let path = if path.is_empty() { b"." } else { path };
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        let mut tries = 0;
        loop {
            match openat2(&self.root, path, flags | OFlags::CLOEXEC, Mode::empty(), resolve) {
                // EAGAIN: something was renamed while `..` was walked, and the kernel could not be sure.
                Err(Errno::AGAIN | Errno::INTR) if tries < MOST_TRIES => tries += 1,
                answer => return answer,
            }
        }
    }
}

impl Spot {
    /// The folder, for `*at` calls.
    pub(super) fn at(&self) -> BorrowedFd<'_> {
        self.folder.as_fd()
    }
}

/// The path of the folder, and the last part.
fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|b| *b == b'/') {
        Some(at) => (&path[..at], &path[at + 1..]),
        None => (b"", path),
    }
}

const NEEDS: &str = "the files of a folder are served through openat2, which needs Linux 5.6 or newer and, in a \
                     container, a seccomp profile that lets openat2 through";

/// Links that are followed in a row before it is a loop (Linux' own MAXSYMLINKS).
const MOST_LINKS: u32 = 40;

/// How often openat2 is asked again; each time somebody must have renamed a folder in the same microsecond.
const MOST_TRIES: u32 = 64;
