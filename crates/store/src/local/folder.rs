//! A folder of this machine being listed: names first, sorted up to a bound, then looked at batch by batch. Working
//! names are left out.

use std::collections::VecDeque;
use std::ffi::CStr;
use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::vec;

use rustix::fs::RawDir;
use rustix::io::Errno;
use twoport_proto::entry::Access;
use twoport_proto::{Entry, Failure, Kind};

use super::facts::{Identity, entry_in};
use super::off_thread::{Begun, FEW, Weight, begin, off_thread};
use super::working::is_working;
use crate::error::Result;
use crate::store::{Answer, Folder};

/// An open listing. Of a long one the next batches are looked at by other threads while the one before is written and sent.
pub(super) struct LocalFolder {
    /// None while another thread reads and sorts, and for ever when that was given up.
    names: Option<Names>,
    sight: Arc<Sight>,
    /// Batches that are being looked at, in order.
    ahead: VecDeque<Begun<Result<Seen>>>,
    /// What was seen more than was asked for.
    rest: vec::IntoIter<Entry>,
}

/// The names that are held.
struct Names {
    held: Arc<Held>,
    /// How many of them are through.
    next: usize,
    /// How many are sorted before the first is told.
    most_sorted: usize,
    behind: Behind,
}

/// What is in the folder behind the names that are held.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Behind {
    /// More, and what is held is not sorted.
    Unsorted,
    /// More, in any order.
    More,
    /// Nothing.
    Nothing,
}

/// A batch.
struct Seen {
    entries: Vec<Entry>,
    /// Whether the folder ended with it.
    is_last: bool,
}

/// Names, one behind the other, each with a NUL as the system wants it.
#[derive(Default)]
struct Held {
    text: Vec<u8>,
    /// Where each begins and ends, without its NUL.
    places: Vec<(u32, u32)>,
}

impl Held {
    fn push(&mut self, name: &CStr) {
        let bytes = name.to_bytes_with_nul();
        let begin = self.text.len();
        self.text.extend_from_slice(bytes);
        let place = |at: usize| u32::try_from(at).expect("the names of one look are no 4 GiB");
        self.places.push((place(begin), place(begin + bytes.len() - 1)));
    }

    /// By name. Names of one folder are much alike: what all begin with is passed over, and eight bytes behind that tell most apart.
    fn sort(&mut self) {
        let Held { text, places } = self;
        let name = |(begin, end): (u32, u32)| &text[begin as usize..end as usize];
        let Some(first) = places.first().map(|place| name(*place)) else { return };
        let alike = places.iter().fold(first.len(), |alike, place| {
            first[..alike].iter().zip(name(*place)).take_while(|(a, b)| a == b).count()
        });
        let key = |place: (u32, u32)| {
            let rest = &name(place)[alike..];
            let mut key = [0; 8];
            let length = rest.len().min(key.len());
            key[..length].copy_from_slice(&rest[..length]);
            u64::from_be_bytes(key)
        };
        let mut keyed: Vec<_> = places.iter().map(|place| (key(*place), *place)).collect();
        keyed.sort_unstable_by(|(a, at), (b, bt)| a.cmp(b).then_with(|| name(*at).cmp(name(*bt))));
        *places = keyed.into_iter().map(|(_, place)| place).collect();
    }

    fn name(&self, at: usize) -> &CStr {
        let (begin, end) = self.places[at];
        CStr::from_bytes_with_nul(&self.text[begin as usize..=end as usize]).unwrap_or_default()
    }
}

/// What it takes to look at a name.
struct Sight {
    folder: OwnedFd,
    identity: Arc<Identity>,
}

/// Batches that are looked at before they are asked for.
const AHEAD: usize = 3;

impl LocalFolder {
    /// Takes a folder that is open for reading. A small one is read at once, so that it never needs another thread; of a
    /// long one about `most_sorted` names are held and sorted.
    pub(super) fn open(folder: OwnedFd, identity: Arc<Identity>, most_sorted: usize) -> Result<Self> {
        let mut held = Held::default();
        let is_all = read_names(folder.as_fd(), &mut held, FEW, BUFFER)?;
        let behind = match (is_all, most_sorted) {
            (true, _) => Behind::Nothing,
            (false, 0) => Behind::More,
            (false, _) => Behind::Unsorted,
        };
        if is_all {
            held.sort();
        }
        Ok(LocalFolder {
            names: Some(Names { held: Arc::new(held), next: 0, most_sorted, behind }),
            sight: Arc::new(Sight { folder, identity }),
            ahead: VecDeque::new(),
            rest: Vec::new().into_iter(),
        })
    }

    /// Has the next batch looked at; false where there is none, or another must be waited for first.
    async fn look_on(&mut self, at_most: usize) -> Result<bool> {
        let names = self.names.as_mut().ok_or(Failure::Stopped)?;
        if names.behind == Behind::Unsorted {
            let mut names = self.names.take().ok_or(Failure::Stopped)?;
            let sight = Arc::clone(&self.sight);
            let (names, first) = off_thread(Weight::Files(usize::MAX), move || {
                let first = names.sort(&sight).map(|()| {
                    let few = names.take(at_most.min(FEW));
                    sight.look(&names.held, few)
                });
                (names, first)
            })
            .await?;
            self.names = Some(names);
            // They are told before more is looked at: whoever waits for the first line waits for no turn.
            self.rest = first?.into_iter();
            // All of them may have gone meanwhile.
            return Ok(self.rest.len() == 0);
        }
        let sight = Arc::clone(&self.sight);
        // The first ones soon: they are looked at here.
        let batch = names.take(if names.next == 0 { at_most.min(FEW) } else { at_most });
        let looking = if !batch.is_empty() {
            let is_last = names.left() == 0 && names.behind == Behind::Nothing;
            let (weight, held) = (Weight::Files(batch.len()), Arc::clone(&names.held));
            begin(weight, move || Ok(Seen { entries: sight.look(&held, batch), is_last }))
        } else if names.behind == Behind::More {
            // Several threads read on side by side: the system gives each what no other has had.
            begin(Weight::Files(usize::MAX), move || {
                let mut held = Held::default();
                let is_last = read_names(
                    sight.folder.as_fd(),
                    &mut held,
                    1,
                    at_most.clamp(FEW, MOST_AT_ONCE) * DIRENT,
                )?;
                let all = 0..held.places.len();
                Ok(Seen { entries: sight.look(&held, all), is_last })
            })
        } else {
            return Ok(false);
        };
        let is_away = matches!(looking, Begun::Away(_));
        self.ahead.push_back(looking);
        Ok(is_away)
    }
}

impl Folder for LocalFolder {
    fn next<'a>(&'a mut self, at_most: usize) -> Answer<'a, Vec<Entry>> {
        Box::pin(async move {
            let at_most = at_most.max(1);
            loop {
                let rest: Vec<Entry> = self.rest.by_ref().take(at_most).collect();
                if !rest.is_empty() {
                    return Ok(rest);
                }
                while self.ahead.len() < AHEAD && self.look_on(at_most).await? {}
                if self.rest.len() > 0 {
                    continue;
                }
                // It stays in its place until it is there: whoever gives up waiting loses nothing.
                let Some(looking) = self.ahead.front_mut() else { return Ok(Vec::new()) };
                let seen = looking.end().await;
                self.ahead.pop_front();
                let Seen { entries, is_last } = seen??;
                if let (true, Some(names)) = (is_last, &mut self.names) {
                    names.behind = Behind::Nothing;
                }
                match entries {
                    few if few.len() > at_most => self.rest = few.into_iter(),
                    // All of them have gone meanwhile.
                    none if none.is_empty() => {}
                    entries => return Ok(entries),
                }
            }
        })
    }
}

impl Names {
    /// How many are held and not through.
    fn left(&self) -> usize {
        self.held.places.len() - self.next
    }

    /// The next ones, by their places.
    fn take(&mut self, at_most: usize) -> Range<usize> {
        let begin = self.next;
        self.next += at_most.min(self.left());
        begin..self.next
    }

    /// Reads as many as are sorted, and sorts them.
    fn sort(&mut self, sight: &Sight) -> Result<()> {
        let mut held = Arc::into_inner(std::mem::take(&mut self.held)).unwrap_or_default();
        let is_all = read_names(sight.folder.as_fd(), &mut held, self.most_sorted, BUFFER)?;
        held.sort();
        self.held = Arc::new(held);
        self.behind = if is_all { Behind::Nothing } else { Behind::More };
        Ok(())
    }
}

impl Sight {
    /// What is there of these names.
    fn look(&self, held: &Held, batch: Range<usize>) -> Vec<Entry> {
        let mut entries = Vec::with_capacity(batch.len());
        for name in batch.map(|at| held.name(at)) {
            match entry_in(self.folder.as_fd(), name, &self.identity) {
                Ok(entry) => entries.push(entry),
                Err(Errno::NOENT) => {}
                // A folder that may be read but not entered: the name is all that can be known.
                Err(_) => {
                    let access = Access { read: false, write: false, enter: false };
                    entries.push(Entry { access, ..Entry::new(name.to_bytes(), Kind::Other, 0) });
                }
            }
        }
        entries
    }
}

/// Reads on, so many bytes at once, until `enough` names are held, and what came with the last of them; says whether the folder
/// ended before.
fn read_names(folder: BorrowedFd<'_>, held: &mut Held, enough: usize, bytes: usize) -> Result<bool> {
    let mut buffer = Vec::with_capacity(bytes);
    let mut dir = RawDir::new(folder, buffer.spare_capacity_mut());
    while held.places.len() < enough || !dir.is_buffer_empty() {
        let Some(found) = dir.next() else { return Ok(true) };
        let found = found?;
        let name = found.file_name();
        if !matches!(name.to_bytes(), b"." | b"..") && !is_working(name.to_bytes()) {
            held.push(name);
        }
    }
    Ok(false)
}

/// Bytes of names that are asked of the system at once.
const BUFFER: usize = 16 << 10;

/// Names that are read and looked at in one go.
const MOST_AT_ONCE: usize = 4096;

/// Bytes that the system needs for a name of usual length.
const DIRENT: usize = 40;

/// Up to so many names are held and sorted, about 5 MB; a longer folder goes on unsorted behind them, so that memory
/// stays flat.
pub(super) const MOST_SORTED: usize = 100_000;
