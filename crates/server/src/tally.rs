//! `Tally`: how often each thing went wrong with data connections, by the names that `LinkFault` has for metrics.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use twoport_plan::LinkFault;

/// Counts since the server began.
#[derive(Debug, Default)]
pub(crate) struct Tally(Mutex<BTreeMap<&'static str, u64>>);

impl Tally {
    /// One more.
    pub(crate) fn count(&self, fault: &LinkFault) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(fault.name()).or_default() += 1;
    }

    /// Each name that has come up, and how often.
    pub(crate) fn counts(&self) -> Vec<(&'static str, u64)> {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.iter().map(|(name, count)| (*name, *count)).collect()
    }
}
