//! `Crew`: the threads that carry sessions, and beside each one that carries what is heavy of them. Each has a runtime of its own, so
//! that what a session does wakes nobody else; a session stays with the thread that had the fewest when it came. Where processors are
//! short the heavy waits for the light: somebody waits for each answer, and for the last byte of a large file anyhow.

use std::future::{Future, poll_fn};
use std::io;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
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
    light: Carrier,
    heavy: Carrier,
    sessions: Arc<AtomicUsize>,
}

/// A thread with its runtime.
#[derive(Debug)]
struct Carrier {
    runtime: Handle,
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
    pub(crate) fn take_on<F: Future<Output = ()> + Send + 'static>(&self, session: impl FnOnce(One) -> F) {
        let load = |hand: &&Hand| hand.sessions.load(Ordering::Relaxed);
        if let Some(hand) = self.hands.iter().min_by_key(load) {
            hand.light.runtime.spawn(session(One::more(hand)));
        }
    }
}

/// The sessions that are left are cut, and have put their files in order when this is over.
impl Drop for Crew {
    fn drop(&mut self) {
        // The heavy have clocks from before they moved, and end while those still go.
        end(self.hands.iter_mut().map(|hand| &mut hand.heavy));
        end(self.hands.iter_mut().map(|hand| &mut hand.light));
    }
}

/// Ends them; all are told before one is waited for.
fn end<'a>(carriers: impl Iterator<Item = &'a mut Carrier>) {
    let told = carriers.filter_map(|carrier| {
        carrier.end = None;
        carrier.thread.take()
    });
    for thread in told.collect::<Vec<_>>() {
        // One that has panicked has let go of its sessions as well.
        let _ = thread.join();
    }
}

impl Hand {
    fn hire(number: usize) -> io::Result<Hand> {
        Ok(Hand {
            light: Carrier::hire(format!("sessions-{number}"), || {})?,
            heavy: Carrier::hire(format!("transfers-{number}"), give_way)?,
            sessions: Arc::default(),
        })
    }
}

impl Carrier {
    /// `first` is done in its thread before anything else. What blocks is heavy.
    fn hire(name: String, first: impl FnOnce() + Send + 'static) -> io::Result<Carrier> {
        let runtime = Builder::new_current_thread().enable_all().on_thread_start(give_way).build()?;
        let handle = runtime.handle().clone();
        let (end, ended) = oneshot::channel::<()>();
        let thread = std::thread::Builder::new().name(name).spawn(move || {
            first();
            runtime.block_on(async {
                let _ = ended.await;
            });
        })?;
        Ok(Carrier { runtime: handle, end: Some(end), thread: Some(thread) })
    }
}

/// This thread runs when no other of this program has to. Elsewhere than on Linux that is said of the whole program only.
fn give_way() {
    // Where it may not be, everything runs in turns, as it did before.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::setpriority_process(None, LAST);
}

/// The last of the nice values (setpriority(2)). Services have processor time of their own (cgroups, or the scheduler's autogroups):
/// it is a place among the threads of this one.
#[cfg(target_os = "linux")]
const LAST: i32 = 19;

/// A session that is counted.
pub(crate) struct One {
    sessions: Arc<AtomicUsize>,
    heavy: Handle,
}

impl One {
    fn more(hand: &Hand) -> Self {
        hand.sessions.fetch_add(1, Ordering::Relaxed);
        One { sessions: Arc::clone(&hand.sessions), heavy: hand.heavy.runtime.clone() }
    }

    /// Has `work` of this session done beside it, and with the heavy from the first time that it waits when it `is_heavy`. Small work
    /// is done here, in one turn.
    pub(crate) async fn carry(
        &self,
        work: impl Future<Output = ()> + Send + 'static,
        is_heavy: impl Fn() -> bool + Send + Sync + 'static,
    ) {
        let mut work = Box::pin(work);
        if poll_fn(|cx| Poll::Ready(work.as_mut().poll(cx))).await.is_ready() {
            return;
        }
        let heavy = self.heavy.clone();
        tokio::spawn(async move {
            let is_done = poll_fn(|cx| match work.as_mut().poll(cx) {
                Poll::Pending if !is_heavy() => Poll::Pending,
                turn => Poll::Ready(turn.is_ready()),
            });
            if !is_done.await {
                heavy.spawn(work);
            }
        });
    }
}

impl Drop for One {
    fn drop(&mut self) {
        self.sessions.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use tokio::task::yield_now;

    use super::*;

    fn here() -> String {
        std::thread::current().name().unwrap_or_default().to_owned()
    }

    /// The names of the threads in which a piece of work is done, which has `turns` and is heavy from the third on.
    async fn threads_of(turns: u32) -> Vec<String> {
        let crew = Crew::hire(NonZeroUsize::MIN).unwrap();
        let (tell, told) = oneshot::channel();
        crew.take_on(move |one| async move {
            let turn = Arc::new(AtomicUsize::new(0));
            let (count, (give, has)) = (Arc::clone(&turn), oneshot::channel());
            let work = async move {
                let mut threads = vec![here()];
                for _ in 1..turns {
                    count.fetch_add(1, Ordering::Relaxed);
                    yield_now().await;
                    threads.push(here());
                }
                let _ = give.send(threads);
            };
            one.carry(work, move || turn.load(Ordering::Relaxed) >= 3).await;
            let _ = tell.send(has.await.unwrap());
        });
        told.await.unwrap()
    }

    #[tokio::test]
    async fn work_goes_to_the_heavy_when_it_is_heavy() {
        let (light, heavy) = ("sessions-1", "transfers-1");
        assert_eq!(threads_of(1).await, [light]);
        assert_eq!(threads_of(3).await, [light; 3]);
        assert_eq!(threads_of(6).await, [light, light, light, heavy, heavy, heavy]);
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn the_heavy_and_what_blocks_give_way() {
        let crew = Crew::hire(NonZeroUsize::MIN).unwrap();
        let nice = || rustix::process::getpriority_process(None).unwrap();
        let before = nice();
        let hand = &crew.hands[0];
        let blocking = hand.light.runtime.spawn_blocking(nice);
        let asked = [
            hand.light.runtime.spawn(async move { nice() }),
            hand.heavy.runtime.spawn(async move { nice() }),
        ];
        let [light, heavy] = asked;
        assert_eq!(
            [light.await.unwrap(), heavy.await.unwrap(), blocking.await.unwrap()],
            [before, LAST, LAST]
        );
    }
}
