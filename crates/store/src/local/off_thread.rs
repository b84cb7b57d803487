//! The one place that decides which work leaves the thread of the runtime.

use tokio::runtime::Handle;
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

/// Does `job` here when it is light, else on the blocking pool; without a runtime it is done here as well.
///
/// # Errors
/// `Stopped` when the runtime ends before the job has begun.
pub(super) async fn off_thread<T: Send + 'static>(
    weight: Weight,
    job: impl FnOnce() -> T + Send + 'static,
) -> Result<T> {
    let is_light = matches!(weight, Weight::Files(files) if files <= FEW);
    let runtime = match Handle::try_current() {
        Ok(runtime) if !is_light => runtime,
        _ => return Ok(job()),
    };
    runtime.spawn_blocking(job).await.map_err(|lost| match lost.try_into_panic() {
        Ok(panic) => std::panic::resume_unwind(panic),
        Err(_) => Error::from(Failure::Stopped),
    })
}

/// Up to this many files are looked at inline: at about a microsecond each that costs less than going to another thread.
pub(super) const FEW: usize = 64;
