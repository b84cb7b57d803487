//! The order to stop, as those hear it who have to obey.

use tokio::sync::watch;

/// Waits for the order to stop; a server that is gone has given it.
pub(crate) async fn told_to_stop(stopping: &mut watch::Receiver<bool>) {
    let _ = stopping.wait_for(|stop| *stop).await;
}
