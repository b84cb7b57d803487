//! `Crew`: the threads that carry sessions. Each has a runtime of its own, so that what a session does wakes nobody else; a session
//! stays with the thread that had the fewest when it came.

use std::future::Future;
use std::io;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// See the top of this file.
#[derive(Debug)]
pub(crate) struct Crew {
    hands: Vec<Hand>,
}

#[derive(Debug)]
struct Hand {
    runtime: Handle,
    sessions: Arc<AtomicUsize>,
    /// Dropped, it is the order to end.
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Crew {
    /// So many threads.
    ///
    /// # Errors
    /// When the system gives none.
    pub(crate) fn hire(count: NonZeroUsize) -> io::Result<Crew> {
        (1..=count.get()).map(Hand::hire).collect::<io::Result<_>>().map(|hands| Crew { hands })
    }

    /// Has a session carried by whoever carries the fewest. It is counted as long as it keeps what it is given.
    pub(crate) fn carry<F: Future<Output = ()> + Send + 'static>(&self, session: impl FnOnce(One) -> F) {
        let load = |hand: &&Hand| hand.sessions.load(Ordering::Relaxed);
        if let Some(hand) = self.hands.iter().min_by_key(load) {
            hand.runtime.spawn(session(One::more(&hand.sessions)));
        }
    }
}

/// The sessions that are left are cut, and have put their files in order when this is over.
impl Drop for Crew {
    fn drop(&mut self) {
        for hand in &mut self.hands {
            hand.end = None;
        }
        for thread in self.hands.iter_mut().filter_map(|hand| hand.thread.take()) {
            // One that has panicked has let go of its sessions as well.
            let _ = thread.join();
        }
    }
}

impl Hand {
    fn hire(number: usize) -> io::Result<Hand> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (end, ended) = oneshot::channel::<()>();
        let thread = std::thread::Builder::new().name(format!("sessions-{number}")).spawn(move || {
            runtime.block_on(async {
                let _ = ended.await;
            });
        })?;
        Ok(Hand { runtime: handle, sessions: Arc::default(), end: Some(end), thread: Some(thread) })
    }
}

/// A session that is counted.
pub(crate) struct One(Arc<AtomicUsize>);

impl One {
    fn more(sessions: &Arc<AtomicUsize>) -> Self {
        sessions.fetch_add(1, Ordering::Relaxed);
        One(Arc::clone(sessions))
    }
}

impl Drop for One {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
