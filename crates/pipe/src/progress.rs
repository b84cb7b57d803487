//! `Progress`: an atomic count that onlookers read; the mover never calls them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How many bytes have gone over the wire so far. Clones share the count.
#[derive(Debug, Clone, Default)]
pub struct Progress(Arc<AtomicU64>);

impl Progress {
    /// Bytes moved so far.
    #[must_use]
    pub fn moved(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Counts `bytes` more.
    pub fn add(&self, bytes: u64) {
        self.0.fetch_add(bytes, Ordering::Relaxed);
    }
}
