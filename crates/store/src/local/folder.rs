//! A folder of this machine being listed: names first, sorted up to a bound, then looked at batch by batch. Working
//! names are left out.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::vec;

use rustix::fs::Dir;
use rustix::io::Errno;
use twoport_proto::entry::Access;
use twoport_proto::{Entry, Failure, Kind};

use super::facts::{Identity, entry_in};
use super::off_thread::{FEW, Weight, off_thread};
use super::working::is_working;
use crate::error::Result;
use crate::store::{Answer, Folder};

/// An open listing; `None` while a batch is away, and for ever when its future was dropped.
pub(super) struct LocalFolder {
    listing: Option<Listing>,
}

struct Listing {
    dir: Dir,
    names: vec::IntoIter<Box<[u8]>>,
    stage: Stage,
    most_sorted: usize,
    identity: Arc<Identity>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// `names` holds a first look, unsorted; there is more.
    Begun,
    /// `names` holds as many as are sorted; there is more behind them.
    Streaming,
    /// `names` holds all that is left.
    AllRead,
}

impl LocalFolder {
    /// Takes a folder that is open for reading. A small one is read at once, so that it never needs another thread; of a
    /// long one about `most_sorted` names are held and sorted.
    pub(super) fn open(folder: OwnedFd, identity: Arc<Identity>, most_sorted: usize) -> Result<Self> {
        let mut dir = Dir::new(folder)?;
        let mut names = Vec::new();
        let is_all = read_names(&mut dir, &mut names, FEW)?;
        let stage = if is_all { Stage::AllRead } else { Stage::Begun };
        if is_all {
            names.sort_unstable();
        }
        Ok(LocalFolder {
            listing: Some(Listing { dir, names: names.into_iter(), stage, most_sorted, identity }),
        })
    }
}

impl Folder for LocalFolder {
    fn next<'a>(&'a mut self, at_most: usize) -> Answer<'a, Vec<Entry>> {
        Box::pin(async move {
            let mut listing = self.listing.take().ok_or(Failure::Stopped)?;
            let at_most = at_most.max(1);
            let weight = match listing.stage {
                Stage::AllRead => Weight::Files(listing.names.len().min(at_most)),
                Stage::Begun | Stage::Streaming => Weight::Files(usize::MAX),
            };
            let (listing, batch) = off_thread(weight, move || {
                let batch = listing.batch(at_most);
                (listing, batch)
            })
            .await?;
            self.listing = Some(listing);
            batch
        })
    }
}

impl Listing {
    fn batch(&mut self, at_most: usize) -> Result<Vec<Entry>> {
        if self.stage == Stage::Begun {
            let mut names: Vec<_> = std::mem::take(&mut self.names).collect();
            let is_all = read_names(&mut self.dir, &mut names, self.most_sorted)?;
            names.sort_unstable();
            self.names = names.into_iter();
            self.stage = if is_all { Stage::AllRead } else { Stage::Streaming };
        }
        let mut batch = Vec::with_capacity(at_most.min(self.names.len().max(FEW)));
        while batch.len() < at_most {
            match self.names.next() {
                Some(name) => batch.extend(self.look(&name)?),
                None if self.stage == Stage::Streaming => {
                    let mut names = Vec::new();
                    if read_names(&mut self.dir, &mut names, at_most)? {
                        self.stage = Stage::AllRead;
                    }
                    self.names = names.into_iter();
                }
                None => break,
            }
        }
        Ok(batch)
    }

    fn look(&self, name: &[u8]) -> Result<Option<Entry>> {
        match entry_in(self.dir.fd()?, name, &self.identity) {
            Ok(entry) => Ok(Some(entry)),
            Err(Errno::NOENT) => Ok(None),
            // A folder that may be read but not entered: the name is all that can be known.
            Err(_) => {
                let access = Access { read: false, write: false, enter: false };
                Ok(Some(Entry { access, ..Entry::new(name, Kind::Other, 0) }))
            }
        }
    }
}

/// Reads on until `names` holds `enough`; says whether the folder ended before.
fn read_names(dir: &mut Dir, names: &mut Vec<Box<[u8]>>, enough: usize) -> Result<bool> {
    while names.len() < enough {
        let Some(found) = dir.read() else { return Ok(true) };
        let found = found?;
        let name = found.file_name().to_bytes();
        if name != b"." && name != b".." && !is_working(name) {
            names.push(name.into());
        }
    }
    Ok(false)
}

/// Up to so many names are held and sorted, about 5 MB; a longer folder goes on unsorted behind them, so that memory
/// stays flat.
pub(super) const MOST_SORTED: usize = 100_000;
