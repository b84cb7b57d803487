//! Uploads to a folder of this machine.
//!
//! ```text
//! Replace, New, At(0)   working file ──commit──▶ renamed to the name
//!                                    ──cut─────▶ renamed, if the name is free and bytes came; else removed
//! Unique                the same, with an empty placeholder under the name from the start
//! At(n), Append         in place; commit and cut end the file behind the last byte received
//! ```

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::fs::{
    Access, AtFlags, FileType, Gid, Mode, OFlags, RawMode, RenameFlags, Stat, Uid, accessat, fchmod, fchown,
    fstat, fsync, ftruncate, linkat, openat, renameat, renameat_with, statat, unlinkat,
};
use rustix::io::Errno;
use twoport_pipe::Sink;
use twoport_proto::placement::Placement;
use twoport_proto::{Failure, FtpPath};

use super::beneath::Spot;
use super::off_thread::{Weight, off_thread};
use super::working::{Working, is_working, open_working, unique};
use super::{CAREFUL, Local, LocalOptions, makeable, permissions, regular, size};
use crate::error::{Error, Result};
use crate::store::{Answer, CutUploads, MOST_UNIQUE, Pending, Upload, unique_name};

impl Local {
    pub(super) fn write_now(&self, path: &FtpPath, placement: Placement) -> Result<Upload> {
        makeable(path)?;
        if path.is_root() {
            return Err(Failure::IsDirectory.into());
        }
        match placement {
            Placement::Replace | Placement::At(0) => self.replace(path),
            Placement::New => self.make_new(path),
            Placement::Unique => self.make_unique(path),
            Placement::At(offset) => self.resume(path, offset),
            Placement::Append => self.append(path),
        }
    }

    fn replace(&self, path: &FtpPath) -> Result<Upload> {
        let mut spot = self.beneath.spot(path)?;
        let mut old = look(&spot)?;
        if old.as_ref().is_some_and(|old| is(old, FileType::Symlink)) {
            spot = self.writable_spot(path)?;
            old = look(&spot)?;
        }
        if let Some(old) = &old {
            must_be_file(old)?;
            // A rename would silently get around a file that the system does not let us write.
            accessat(spot.at(), &spot.name, Access::WRITE_OK, AtFlags::EACCESS)?;
        }
        // Where something private is replaced, the bytes that wait must be private as well.
        let mode = if old.is_some() { PRIVATE } else { self.file_mode() };
        self.begin(path.clone(), spot, mode, Ending::Replace)
    }

    fn make_new(&self, path: &FtpPath) -> Result<Upload> {
        let spot = self.beneath.spot(path)?;
        match look(&spot)? {
            None => self.begin(path.clone(), spot, self.file_mode(), Ending::New),
            Some(old) if is(&old, FileType::Directory) => Err(Failure::IsDirectory.into()),
            Some(_) => Err(Failure::Exists.into()),
        }
    }

    fn make_unique(&self, path: &FtpPath) -> Result<Upload> {
        let mut spot = self.beneath.spot(path)?;
        for number in 0..MOST_UNIQUE {
            spot.name = unique_name(path.name(), number);
            if is_working(&spot.name) {
                continue;
            }
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let placeholder = match openat(spot.at(), &spot.name, flags, self.file_mode()) {
                Ok(placeholder) => fstat(placeholder)?,
                Err(Errno::EXIST) => continue,
                Err(errno) => return Err(errno.into()),
            };
            let ending = Ending::Unique { placeholder: unique(&placeholder) };
            let path = path.parent().child(&spot.name);
            return self.begin(path, spot, self.file_mode(), ending);
        }
        Err(Failure::Exists.into())
    }

    fn resume(&self, path: &FtpPath, offset: u64) -> Result<Upload> {
        let spot = self.writable_spot(path)?;
        let (file, stat) = regular(openat(spot.at(), &spot.name, IN_PLACE, Mode::empty())?)?;
        if offset > size(&stat) {
            return Err(Failure::BadOffset.into());
        }
        Ok(self.in_place(path, spot, file, &stat, offset, false))
    }

    fn append(&self, path: &FtpPath) -> Result<Upload> {
        let spot = self.writable_spot(path)?;
        loop {
            match openat(spot.at(), &spot.name, IN_PLACE, Mode::empty()) {
                Ok(file) => {
                    let (file, stat) = regular(file)?;
                    let end = size(&stat);
                    return Ok(self.in_place(path, spot, file, &stat, end, false));
                }
                Err(Errno::NOENT) => {}
                Err(errno) => return Err(errno.into()),
            }
            match openat(spot.at(), &spot.name, IN_PLACE | OFlags::CREATE | OFlags::EXCL, self.file_mode()) {
                Ok(file) => {
                    let (file, stat) = regular(file)?;
                    return Ok(self.in_place(path, spot, file, &stat, 0, true));
                }
                // Somebody was faster; then there is something to append to.
                Err(Errno::EXIST) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    /// Where the bytes of `path` really are: behind a link, the file that it leads to.
    fn writable_spot(&self, path: &FtpPath) -> Result<Spot> {
        let spot = self.beneath.real_spot(path)?;
        if is_working(&spot.name) { Err(Failure::BadName.into()) } else { Ok(spot) }
    }

    fn begin(&self, path: FtpPath, spot: Spot, mode: Mode, ending: Ending) -> Result<Upload> {
        let working = open_working(spot.at(), &spot.name, mode).inspect_err(|_| ending.release(&spot))?;
        let Working { name: working, file } = working;
        let file = Arc::new(file);
        let mode = self.file_mode().as_raw_mode();
        let is_root = self.identity().is_root();
        let options = self.options;
        let sink = Sink::File { file: Arc::clone(&file), at: 0 };
        let pending = Waiting { spot, working, file, ending, mode, is_root, options, is_settled: false };
        Ok(Upload { sink, path, commit: Box::new(pending) })
    }

    fn in_place(
        &self,
        path: &FtpPath,
        spot: Spot,
        file: File,
        stat: &Stat,
        start: u64,
        is_new: bool,
    ) -> Upload {
        let file = Arc::new(file);
        let sink = Sink::File { file: Arc::clone(&file), at: start };
        let new_file = is_new.then(|| unique(stat));
        let durable = self.options.durable;
        let pending = InPlace { spot, file, start, size: size(stat), new_file, durable, is_settled: false };
        Upload { sink, path: path.clone(), commit: Box::new(pending) }
    }

    fn file_mode(&self) -> Mode {
        Mode::from_raw_mode(0o666 & !self.options.umask)
    }
}

/// How a working file gets its name.
#[derive(Debug)]
enum Ending {
    /// Whatever has the name then is replaced.
    Replace,
    /// The name must be free still.
    New,
    /// The name is held by an empty file of ours.
    Unique { placeholder: (u64, u64) },
}

impl Ending {
    /// Whether the name is still held by our own empty file.
    fn holds(&self, spot: &Spot) -> bool {
        match (self, look(spot)) {
            (Ending::Unique { placeholder }, Ok(Some(stat))) => {
                unique(&stat) == *placeholder && stat.st_size == 0
            }
            _ => false,
        }
    }

    fn release(&self, spot: &Spot) {
        if self.holds(spot) {
            discard(spot.at(), &spot.name);
        }
    }
}

/// An upload whose bytes are in a working file.
struct Waiting {
    spot: Spot,
    working: Vec<u8>,
    file: Arc<File>,
    ending: Ending,
    mode: RawMode,
    is_root: bool,
    options: LocalOptions,
    is_settled: bool,
}

impl Waiting {
    fn commit_now(&mut self) -> Result<()> {
        self.is_settled = true;
        self.take_name().inspect_err(|_| self.discard_all())
    }

    fn take_name(&self) -> Result<()> {
        self.take_permissions()?;
        if self.options.durable {
            fsync(&self.file).map_err(io::Error::from)?;
        }
        match self.ending {
            Ending::New => self.rename_to_free_name()?,
            Ending::Replace | Ending::Unique { .. } => {
                renameat(self.spot.at(), &self.working, self.spot.at(), &self.spot.name)?;
            }
        }
        if self.options.durable {
            sync_folder(self.spot.at())?;
        }
        Ok(())
    }

    /// The new file gets the permissions of the one it replaces, before it gets the name. Not its set-user-id bit: a
    /// write would have cleared that too.
    fn take_permissions(&self) -> Result<()> {
        let old = look(&self.spot)?.filter(|old| is(old, FileType::RegularFile));
        let mine = fstat(&self.file)?;
        let mode = match (&self.ending, &old) {
            (Ending::Replace, Some(old)) => {
                if self.is_root && (old.st_uid, old.st_gid) != (mine.st_uid, mine.st_gid) {
                    let (user, group) = (Uid::from_raw(old.st_uid), Gid::from_raw(old.st_gid));
                    // A root that may not do this (a container, NFS) still brings the bytes; they are its own then.
                    let _ = fchown(&self.file, Some(user), Some(group));
                }
                permissions(old)
            }
            // What was to be replaced has gone: the working file must not stay private.
            (Ending::Replace, None) if permissions(&mine) == PRIVATE.as_raw_mode() => self.mode,
            _ => return Ok(()),
        };
        if mode != permissions(&mine) {
            fchmod(&self.file, Mode::from_raw_mode(mode)).map_err(io::Error::from)?;
        }
        Ok(())
    }

    fn cut_now(&mut self, arrived: Option<u64>) -> Result<()> {
        self.is_settled = true;
        self.keep_or_discard(arrived).inspect_err(|_| self.discard_all())
    }

    fn keep_or_discard(&self, arrived: Option<u64>) -> Result<()> {
        let size = size(&fstat(&self.file)?);
        let arrived = arrived.unwrap_or(size);
        if arrived == 0 || self.options.cut_uploads == CutUploads::Discard {
            self.discard_all();
            return Ok(());
        }
        // The mover counts what was written whole; a torn last write is not part of it.
        if arrived < size {
            ftruncate(&self.file, arrived).map_err(io::Error::from)?;
        }
        if self.ending.holds(&self.spot) {
            return Ok(renameat(self.spot.at(), &self.working, self.spot.at(), &self.spot.name)?);
        }
        if look(&self.spot)?.is_none() {
            self.take_permissions()?;
        }
        match self.rename_to_free_name() {
            Err(Error { failure: Failure::Exists, .. }) => {
                self.discard_all();
                Ok(())
            }
            answer => answer,
        }
    }

    fn rename_to_free_name(&self) -> Result<()> {
        let folder = self.spot.at();
        match renameat_with(folder, &self.working, folder, &self.spot.name, RenameFlags::NOREPLACE) {
            // A file system that does not know NOREPLACE: a second name never replaces a first.
            Err(Errno::INVAL | Errno::NOSYS) => {
                linkat(folder, &self.working, folder, &self.spot.name, AtFlags::empty())?;
                Ok(unlinkat(folder, &self.working, AtFlags::empty())?)
            }
            answer => Ok(answer?),
        }
    }

    fn discard_all(&self) {
        discard(self.spot.at(), &self.working);
        self.ending.release(&self.spot);
    }
}

impl Pending for Waiting {
    fn commit(mut self: Box<Self>, sink: Sink) -> Answer<'static, ()> {
        Box::pin(async move {
            drop(sink);
            let weight = if self.options.durable { Weight::Disk } else { Weight::Files(1) };
            off_thread(weight, move || self.commit_now()).await?
        })
    }

    fn cut(mut self: Box<Self>, sink: Sink) -> Answer<'static, ()> {
        Box::pin(async move { self.cut_now(end_of(&sink)) })
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if !self.is_settled {
            // Nobody is left who could be told.
            let _ = self.cut_now(None);
        }
    }
}

/// An upload whose bytes go straight into the file.
struct InPlace {
    spot: Spot,
    file: Arc<File>,
    start: u64,
    /// Size when the upload began.
    size: u64,
    /// Device and inode, when the upload has made the file.
    new_file: Option<(u64, u64)>,
    durable: bool,
    is_settled: bool,
}

impl InPlace {
    fn commit_now(&mut self, end: u64) -> Result<()> {
        self.is_settled = true;
        self.end_at(end)?;
        if self.durable {
            fsync(&self.file).map_err(io::Error::from)?;
            if self.new_file.is_some() {
                sync_folder(self.spot.at())?;
            }
        }
        Ok(())
    }

    fn cut_now(&mut self, end: u64) -> Result<()> {
        self.is_settled = true;
        if end > self.start {
            return self.end_at(end);
        }
        self.remove_if_ours_and_empty();
        Ok(())
    }

    /// Drops the old tail, if there was one. Not what lies behind the old size: when this session was long dead, another
    /// may have resumed the file since, and its bytes are not ours to drop.
    fn end_at(&self, end: u64) -> Result<()> {
        if end < self.size {
            ftruncate(&self.file, end).map_err(io::Error::from)?;
        }
        Ok(())
    }

    fn remove_if_ours_and_empty(&self) {
        if let (Some(ours), Ok(Some(stat))) = (self.new_file, look(&self.spot))
            && unique(&stat) == ours
            && stat.st_size == 0
        {
            discard(self.spot.at(), &self.spot.name);
        }
    }
}

impl Pending for InPlace {
    fn commit(mut self: Box<Self>, sink: Sink) -> Answer<'static, ()> {
        Box::pin(async move {
            let end = end_of(&sink).unwrap_or(self.start);
            drop(sink);
            let weight = if self.durable { Weight::Disk } else { Weight::Files(1) };
            off_thread(weight, move || self.commit_now(end)).await?
        })
    }

    fn cut(mut self: Box<Self>, sink: Sink) -> Answer<'static, ()> {
        Box::pin(async move {
            let end = end_of(&sink).unwrap_or(self.start);
            self.cut_now(end)
        })
    }
}

impl Drop for InPlace {
    fn drop(&mut self) {
        // Where the last byte received lies is known to the sink alone, so an old tail must stay.
        if !self.is_settled {
            self.remove_if_ours_and_empty();
        }
    }
}

fn end_of(sink: &Sink) -> Option<u64> {
    match sink {
        Sink::File { at, .. } => Some(*at),
        Sink::Taker(_) => None,
    }
}

/// What has the name, links not followed.
fn look(spot: &Spot) -> Result<Option<Stat>> {
    match statat(spot.at(), &spot.name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some(stat)),
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(errno.into()),
    }
}

fn is(stat: &Stat, kind: FileType) -> bool {
    FileType::from_raw_mode(stat.st_mode) == kind
}

fn must_be_file(stat: &Stat) -> Result<()> {
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Ok(()),
        FileType::Directory => Err(Failure::IsDirectory.into()),
        _ => Err(Failure::Denied.into()),
    }
}

/// Removes a file of ours on a road that has its own answer already.
fn discard(folder: BorrowedFd<'_>, name: &[u8]) {
    let _ = unlinkat(folder, name, AtFlags::empty());
}

/// Makes names durable. A folder that may not be read cannot be opened for this; its names last when the system likes.
fn sync_folder(folder: BorrowedFd<'_>) -> Result<()> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let opened: OwnedFd = match openat(folder, c".", flags, Mode::empty()) {
        Ok(opened) => opened,
        Err(Errno::ACCESS) => return Ok(()),
        Err(errno) => return Err(errno.into()),
    };
    Ok(fsync(opened.as_fd()).map_err(io::Error::from)?)
}

/// What waits to replace something is nobody else's to read.
const PRIVATE: Mode = Mode::RUSR.union(Mode::WUSR);

/// The spot was found behind all links, so a link there now is a swap.
const IN_PLACE: OFlags = OFlags::WRONLY.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC).union(CAREFUL);
