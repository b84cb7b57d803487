//! One large file in several sessions at the same time: each fetches a part of it. How many there are is for the server to
//! say; a part that nobody could fetch leaves the file whole up to there.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use twoport_pipe::{Boxed, Progress, Taker};
use twoport_session::client::io::Road;

use crate::crew::{Crew, Labour};
use crate::error::Error;
use crate::journey::Journey;
use crate::local_name::Download;

/// Bytes of a part at least: below that a session costs more than it brings.
pub const SMALLEST: u64 = 1 << 20;

/// A part of a file, and how far it has come. Clones are the same part.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    file: Arc<File>,
    at: Arc<AtomicU64>,
    to: u64,
}

impl Part {
    fn new(file: Arc<File>, from: u64, to: u64) -> Part {
        Part { file, at: Arc::new(AtomicU64::new(from)), to }
    }

    /// Where the next byte goes.
    pub(crate) fn at(&self) -> u64 {
        self.at.load(Ordering::Relaxed)
    }

    fn keep(&self, bytes: &[u8]) -> io::Result<()> {
        let at = self.at();
        let room = usize::try_from(self.to - at).unwrap_or(usize::MAX);
        let (wanted, more) = bytes.split_at(bytes.len().min(room));
        self.file.write_all_at(wanted, at)?;
        self.at.store(at + wanted.len() as u64, Ordering::Relaxed);
        // The next part is another's.
        if more.is_empty() { Ok(()) } else { Err(io::Error::other("the part is whole, and more came")) }
    }
}

impl Taker for Part {
    fn take<'a>(&'a mut self, bytes: &'a [u8]) -> Boxed<'a, ()> {
        Box::pin(std::future::ready(self.keep(bytes)))
    }
}

/// Fetches the file at `remote`, of `size` bytes, from where `download` stands, in up to `count` parts, in the sessions of
/// `crew`. Afterwards the download is whole, or whole up to where it can go on. Gives the road of the last part.
///
/// # Errors
/// The first part's that could not be fetched; [`Error::Local`] when the file cannot be written.
pub async fn fetch(
    crew: &mut Crew,
    remote: &[u8],
    size: u64,
    download: &Download,
    count: u64,
    progress: &Progress,
) -> Result<Road, Error> {
    let cannot = |source| Error::Local { what: "cannot write".to_owned(), source };
    let from = download.from();
    let length = (size.saturating_sub(from)).div_ceil(count.max(1)).max(SMALLEST);
    let ends = (1..=count.max(1)).map(|place| from.saturating_add(length * place).min(size));
    let mut parts: Vec<Part> = Vec::new();
    for end in ends {
        let begin = parts.last().map_or(from, |part| part.to);
        if begin < end {
            parts.push(Part::new(download.file(), begin, end));
        }
    }
    download.in_parts().map_err(cannot)?;
    let waiting = RefCell::new((0..parts.len()).collect());
    let work = Work {
        remote,
        parts,
        waiting,
        progress,
        download,
        failed: RefCell::default(),
        road: Cell::new(None),
        lost: Cell::new(false),
    };
    crew.work(&work).await;
    let whole = work.whole();
    download.is_one_again(whole).map_err(cannot)?;
    match (work.failed.into_inner(), work.road.get()) {
        (Some(e), _) => Err(e),
        (None, Some(road)) => Ok(road),
        (None, None) => Err(Error::OutOfStep("there was nothing to fetch".to_owned())),
    }
}

struct Work<'a> {
    remote: &'a [u8],
    parts: Vec<Part>,
    waiting: RefCell<VecDeque<usize>>,
    progress: &'a Progress,
    download: &'a Download,
    failed: RefCell<Option<Error>>,
    road: Cell<Option<Road>>,
    lost: Cell<bool>,
}

impl Work<'_> {
    /// Bytes from the beginning without a gap.
    fn whole(&self) -> u64 {
        let gap = self.parts.iter().find(|part| part.at() < part.to);
        gap.or(self.parts.last()).map_or(self.download.from(), Part::at)
    }
}

impl Labour for Work<'_> {
    type Task = usize;

    fn next(&self, _: &mut Journey) -> Option<usize> {
        if self.lost.get() { None } else { self.waiting.borrow_mut().pop_front() }
    }

    fn wants_more(&self, _: usize, at_rest: usize) -> bool {
        !self.lost.get() && self.waiting.borrow().len() > at_rest
    }

    async fn carry(&self, journey: &mut Journey, task: usize, last: bool) -> Result<(), Error> {
        if !last && let Err(e) = journey.ready().await {
            self.waiting.borrow_mut().push_front(task);
            return Err(e);
        }
        let part = &self.parts[task];
        let fetched = journey
            .run(
                || part.at(),
                async |client| client.fetch_part(self.remote, part.at()..part.to, part, self.progress).await,
            )
            .await;
        match fetched {
            Ok(road) => self.road.set(Some(road)),
            Err(e) => {
                self.failed.borrow_mut().get_or_insert(e);
                self.lost.set(true);
            }
        }
        // Where the machine stops now, that much can be gone on from.
        if let Err(source) = self.download.whole_to(self.whole()) {
            let e = Error::Local { what: "cannot write".to_owned(), source };
            self.failed.borrow_mut().get_or_insert(e);
            self.lost.set(true);
        }
        Ok(())
    }

    fn fewer(&self, _: usize, _: &Error) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_takes_its_own_bytes_and_no_more() {
        let file = Arc::new(tempfile::tempfile().unwrap());
        let part = Part::new(Arc::clone(&file), 10, 14);
        part.keep(b"ab").unwrap();
        assert_eq!(part.at(), 12);
        assert!(part.keep(b"cdef").is_err());
        assert_eq!(part.at(), 14);
        let mut there = [0; 4];
        file.read_exact_at(&mut there, 10).unwrap();
        assert_eq!((&there, file.metadata().unwrap().len()), (b"abcd", 14));
    }
}
