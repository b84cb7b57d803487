//! The one place that decides which work leaves the thread of the runtime.

use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use twoport_proto::Failure;

use crate::error::{Error, Result};

/// How long a job may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Weight {
    /// Waits for a disk: fsync.
    Disk,
    /// Asks for this many files, most of which the kernel has at hand.
    Files(usize),
}

/// A job that has begun.
#[derive(Debug)]
pub(super) enum Begun<T> {
    /// It was done here; none once it was taken.
    Done(Option<T>),
    /// The blocking pool has it.
    Away(JoinHandle<T>),
}

/// Does `job` here when it is light, else hands it to the blocking pool; without a runtime it is done here as well.
pub(super) fn begin<T: Send + 'static>(weight: Weight, job: impl FnOnce() -> T + Send + 'static) -> Begun<T> {
    let is_light = matches!(weight, Weight::Files(files) if files <= FEW);
    match Handle::try_current() {
        Ok(runtime) if !is_light => Begun::Away(runtime.spawn_blocking(job)),
        _ => Begun::Done(Some(job())),
    }
}

impl<T> Begun<T> {
    /// Waits for its end. Nothing is lost when the future is dropped.
    ///
    /// # Errors
    /// `Stopped` when the runtime ends before the job has begun, or it was taken already.
    pub(super) async fn end(&mut self) -> Result<T> {
        let done = match self {
            Begun::Done(done) => return done.take().ok_or_else(|| Failure::Stopped.into()),
            Begun::Away(job) => job.await,
        };
        done.map_err(|lost| match lost.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Error::from(Failure::Stopped),
        })
    }
}

/// Both in one.
///
/// # Errors
/// As [`Begun::end`].
pub(super) async fn off_thread<T: Send + 'static>(
    weight: Weight,
    job: impl FnOnce() -> T + Send + 'static,
) -> Result<T> {
    begin(weight, job).end().await
}

/// Up to this many files are looked at inline: at about a microsecond each that costs less than going to another thread.
pub(super) const FEW: usize = 64;
