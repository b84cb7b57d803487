//! `Progress`: an atomic count that onlookers read; the mover never calls them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How many bytes have gone over the wire so far. Clones share the count.
#[derive(Debug, Clone, Default)]
pub struct Progress(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    moved: AtomicU64,
    /// How often movers began to wait for their rate, and how often they ended.
    held: AtomicU64,
    freed: AtomicU64,
}

impl Progress {
    /// Bytes moved so far.
    #[must_use]
    pub fn moved(&self) -> u64 {
        self.0.moved.load(Ordering::Relaxed)
    }

    /// Counts `bytes` more.
    pub fn add(&self, bytes: u64) {
        self.0.moved.fetch_add(bytes, Ordering::Relaxed);
    }

    /// A number that changes with all that the mover does; `None` while it waits for its rate. So the same number twice
    /// means that nothing came, and that this was not our own doing.
    #[must_use]
    pub fn pulse(&self) -> Option<u64> {
        let freed = self.0.freed.load(Ordering::Relaxed);
        (freed == self.0.held.load(Ordering::Relaxed)).then(|| self.moved().wrapping_add(freed))
    }

    /// The mover waits for its rate, until the value is dropped.
    pub(crate) fn hold(&self) -> Held<'_> {
        self.0.held.fetch_add(1, Ordering::Relaxed);
        Held(&self.0)
    }
}

/// See [`Progress::hold`].
pub(crate) struct Held<'a>(&'a Counts);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.freed.fetch_add(1, Ordering::Relaxed);
    }
}
