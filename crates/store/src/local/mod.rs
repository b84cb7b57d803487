//! `Local`: a folder of this machine as a store. Every path is resolved beneath its root ([`beneath`]); uploads are in
//! [`upload`], listings in [`folder`]. What the operating system forbids the process is forbidden here, nothing more:
//! the rights of accounts are asked elsewhere.
//!
//! Short calls run where they are asked for; fsync and long listings go to the blocking pool ([`off_thread`]).

mod beneath;
mod facts;
mod folder;
mod off_thread;
#[cfg(test)]
mod tests;
mod upload;
mod working;

use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::{Arc, OnceLock};

use rustix::fs::{
    AtFlags, CWD, FileType, Mode, OFlags, RawMode, Stat, Timespec, Timestamps, UTIME_OMIT, chmodat, fchmod,
    fcntl_setfl, fstat, fstatvfs, major, mkdirat, openat, renameat, symlinkat, unlinkat, utimensat,
};
use rustix::io::Errno;
use twoport_pipe::Body;
use twoport_proto::placement::{Change, Placement};
use twoport_proto::{Entry, Failure, FtpPath, Moment};

use self::beneath::{Beneath, Spot};
use self::facts::{Identity, entry_of, read_owner_names};
use self::folder::{LocalFolder, MOST_SORTED};
use self::working::{is_working, sweep_folder};
use crate::error::{Error, Result};
use crate::store::{Answer, CutUploads, Folder, Links, Order, Reading, Store, Upload};

/// A folder of this machine; nothing outside of it can be reached, by whatever path or link.
#[derive(Debug)]
pub struct Local {
    beneath: Beneath,
    options: LocalOptions,
    identity: OnceLock<Arc<Identity>>,
}

/// How a [`Local`] store treats what it writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LocalOptions {
    /// Whether a commit waits until file and name are on the disk (fsync of both).
    pub durable: bool,
    /// What becomes of the bytes of a new file whose upload was cut.
    pub cut_uploads: CutUploads,
    /// Permission bits that new files and folders do not get (`0o777` at most); the process' own umask counts too.
    pub umask: u32,
}

impl Default for LocalOptions {
    fn default() -> Self {
        LocalOptions { durable: false, cut_uploads: CutUploads::Keep, umask: 0o022 }
    }
}

impl Local {
    /// Opens the store. Links on the way to `root` itself are followed.
    ///
    /// # Errors
    /// When `root` is no folder or cannot be entered; `Unsupported` with an explanation where there is no openat2.
    pub fn open(root: &Path, options: LocalOptions) -> Result<Self, Error> {
        let beneath = Beneath::open(root)?;
        read_owner_names();
        Ok(Local { beneath, options, identity: OnceLock::new() })
    }

    /// Asked at the first use and not at opening: a server opens its stores and drops its rights then.
    fn identity(&self) -> &Arc<Identity> {
        self.identity.get_or_init(|| Arc::new(Identity::of_this_process()))
    }

    fn stat_now(&self, path: &FtpPath, links: Links) -> Result<Entry> {
        seen(path)?;
        let flags = match links {
            Links::Follow => OFlags::PATH,
            Links::Show => OFlags::PATH | OFlags::NOFOLLOW,
        };
        let file = self.beneath.open_path(path, flags)?;
        Ok(entry_of(file.as_fd(), path.name(), self.identity())?)
    }

    fn list_now(&self, path: &FtpPath, order: Order) -> Result<Box<dyn Folder>> {
        seen(path)?;
        let folder = self.beneath.open_path(path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NONBLOCK)?;
        let most_sorted = if order == Order::ByName { MOST_SORTED } else { 0 };
        Ok(Box::new(LocalFolder::open(folder, Arc::clone(self.identity()), most_sorted)?))
    }

    fn read_now(&self, path: &FtpPath, from: u64, length: Option<u64>) -> Result<Reading> {
        seen(path)?;
        let (file, stat) = regular(self.beneath.open_path(path, OFlags::RDONLY | CAREFUL)?)?;
        let size = size(&stat);
        if from > size {
            return Err(Failure::BadOffset.into());
        }
        // A promise of so many bytes: a file that is cut short meanwhile is then noticed. A size of 0 promises nothing,
        // since files of the kernel's own say that of themselves.
        let length = (size > 0).then(|| length.unwrap_or(u64::MAX).min(size - from));
        Ok(Reading { body: Body::File { file: Arc::new(file), from, length }, size })
    }

    fn remove_now(&self, path: &FtpPath) -> Result<()> {
        seen(path)?;
        if path.is_root() {
            return Err(Failure::IsDirectory.into());
        }
        let spot = self.beneath.spot(path)?;
        Ok(unlinkat(spot.at(), &spot.name, AtFlags::empty())?)
    }

    fn make_dir_now(&self, path: &FtpPath) -> Result<()> {
        let spot = self.new_spot(path)?;
        Ok(mkdirat(spot.at(), &spot.name, Mode::from_raw_mode(0o777 & !self.options.umask))?)
    }

    fn remove_dir_now(&self, path: &FtpPath) -> Result<()> {
        seen(path)?;
        let spot = self.beneath.spot(path)?;
        let remove = || unlinkat(spot.at(), &spot.name, AtFlags::REMOVEDIR);
        match remove() {
            // POSIX lets a system say either.
            Err(Errno::NOTEMPTY | Errno::EXIST) => {
                let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                // Not readable: whatever is in it, it is not empty.
                let folder = openat(spot.at(), &spot.name, flags, Mode::empty())
                    .map_err(|_| Error::from(Errno::NOTEMPTY))?;
                sweep_folder(folder.as_fd())?;
                Ok(remove()?)
            }
            answer => Ok(answer?),
        }
    }

    fn rename_now(&self, from: &FtpPath, to: &FtpPath) -> Result<()> {
        seen(from)?;
        makeable(to)?;
        if from != to && to.is_within(from) && !from.is_root() {
            return Err(Failure::BadName.into());
        }
        let (old, new) = (self.beneath.spot(from)?, self.beneath.spot(to)?);
        renameat(old.at(), &old.name, new.at(), &new.name).map_err(|errno| match errno {
            Errno::XDEV => Error { failure: Failure::Unsupported, source: Some(errno.into()) },
            other => other.into(),
        })
    }

    fn change_now(&self, path: &FtpPath, change: Change) -> Result<()> {
        seen(path)?;
        if change.created.is_some() {
            return Err(Failure::Unsupported.into());
        }
        let file = self.beneath.open_path(path, OFlags::PATH)?;
        if change.modified.is_some() || change.accessed.is_some() {
            let times = Timestamps {
                last_access: timespec(change.accessed),
                last_modification: timespec(change.modified),
            };
            set_times(file.as_fd(), &times)?;
        }
        if let Some(mode) = change.mode {
            self.set_mode(path, file.as_fd(), Mode::from_raw_mode(mode & 0o7777))?;
        }
        Ok(())
    }

    /// An O_PATH descriptor cannot be given to fchmod, but its name in `/proc` can be given to chmod: the file that was
    /// found beneath the root is changed, whatever has its name by now.
    fn set_mode(&self, path: &FtpPath, file: BorrowedFd<'_>, mode: Mode) -> Result<()> {
        match chmodat(CWD, name_in_proc(file), mode, AtFlags::empty()) {
            Err(Errno::NOENT) => {
                // No /proc here: then what may be opened can be changed.
                let file = self.beneath.open_path(path, OFlags::RDONLY | CAREFUL)?;
                Ok(fchmod(file, mode)?)
            }
            answer => Ok(answer?),
        }
    }

    fn symlink_now(&self, target: &[u8], at: &FtpPath) -> Result<()> {
        if target.is_empty() || target.contains(&0) {
            return Err(Failure::BadName.into());
        }
        let spot = self.new_spot(at)?;
        Ok(symlinkat(target, spot.at(), &spot.name)?)
    }

    fn space_now(&self, path: &FtpPath) -> Result<u64> {
        seen(path)?;
        let told = fstatvfs(self.beneath.open_path(path, OFlags::PATH)?)?;
        Ok(told.f_bavail.saturating_mul(told.f_frsize))
    }

    /// Where something new is to be made.
    fn new_spot(&self, path: &FtpPath) -> Result<Spot> {
        makeable(path)?;
        if path.is_root() {
            return Err(Failure::Exists.into());
        }
        self.beneath.spot(path)
    }
}

impl Store for Local {
    fn stat<'a>(&'a self, path: &'a FtpPath, links: Links) -> Answer<'a, Entry> {
        Box::pin(async move { self.stat_now(path, links) })
    }

    fn list<'a>(&'a self, path: &'a FtpPath, order: Order) -> Answer<'a, Box<dyn Folder>> {
        Box::pin(async move { self.list_now(path, order) })
    }

    fn read<'a>(&'a self, path: &'a FtpPath, from: u64, length: Option<u64>) -> Answer<'a, Reading> {
        Box::pin(async move { self.read_now(path, from, length) })
    }

    fn write<'a>(&'a self, path: &'a FtpPath, placement: Placement) -> Answer<'a, Upload> {
        Box::pin(async move { self.write_now(path, placement) })
    }

    fn remove<'a>(&'a self, path: &'a FtpPath) -> Answer<'a, ()> {
        Box::pin(async move { self.remove_now(path) })
    }

    fn make_dir<'a>(&'a self, path: &'a FtpPath) -> Answer<'a, ()> {
        Box::pin(async move { self.make_dir_now(path) })
    }

    fn remove_dir<'a>(&'a self, path: &'a FtpPath) -> Answer<'a, ()> {
        Box::pin(async move { self.remove_dir_now(path) })
    }

    fn rename<'a>(&'a self, from: &'a FtpPath, to: &'a FtpPath) -> Answer<'a, ()> {
        Box::pin(async move { self.rename_now(from, to) })
    }

    fn change<'a>(&'a self, path: &'a FtpPath, change: Change) -> Answer<'a, ()> {
        Box::pin(async move { self.change_now(path, change) })
    }

    fn symlink<'a>(&'a self, target: &'a [u8], at: &'a FtpPath) -> Answer<'a, ()> {
        Box::pin(async move { self.symlink_now(target, at) })
    }

    fn space<'a>(&'a self, path: &'a FtpPath) -> Answer<'a, u64> {
        Box::pin(async move { self.space_now(path) })
    }
}

/// A working name is not there, for whoever asks from outside.
fn seen(path: &FtpPath) -> Result<()> {
    if path.parts().any(is_working) { Err(Failure::NotFound.into()) } else { Ok(()) }
}

/// A working name cannot be made from outside.
fn makeable(path: &FtpPath) -> Result<()> {
    seen(&path.parent())?;
    if is_working(path.name()) { Err(Failure::BadName.into()) } else { Ok(()) }
}

/// A plain file, ready for the byte mover; pipes, sockets and devices are refused.
fn regular(file: OwnedFd) -> Result<(File, Stat)> {
    let stat = fstat(&file)?;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => {}
        FileType::Directory => return Err(Failure::IsDirectory.into()),
        _ => return Err(Failure::Denied.into()),
    }
    // It was there so that the opening did not hang. Some network file systems heed it in reads as well, and those have no device.
    // Nothing else is set that can be.
    if major(stat.st_dev) == 0 {
        fcntl_setfl(&file, OFlags::empty())?;
    }
    Ok((File::from(file), stat))
}

fn size(stat: &Stat) -> u64 {
    u64::try_from(stat.st_size).unwrap_or(0)
}

fn permissions(stat: &Stat) -> RawMode {
    stat.st_mode & 0o777
}

fn set_times(file: BorrowedFd<'_>, times: &Timestamps) -> Result<(), Errno> {
    match utimensat(file, c"", times, AtFlags::EMPTY_PATH) {
        // Before Linux 5.8.
        Err(Errno::INVAL | Errno::NOENT) => utimensat(CWD, name_in_proc(file), times, AtFlags::empty()),
        answer => answer,
    }
}

fn name_in_proc(file: BorrowedFd<'_>) -> String {
    format!("/proc/self/fd/{}", file.as_raw_fd())
}

fn timespec(moment: Option<Moment>) -> Timespec {
    match moment {
        Some(moment) => Timespec { tv_sec: moment.seconds, tv_nsec: moment.nanos.min(999_999_999).into() },
        None => Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
    }
}

/// A pipe must not hang us, a terminal must not become ours.
const CAREFUL: OFlags = OFlags::NONBLOCK.union(OFlags::NOCTTY);
