//! `Pace`: how far one transfer is, how long its wire has stood still, how much may pass now, and when it should let
//! others run. Every road keeps the same `Pace`, so that one can take over from another. `Terms` is what its owner set.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::task::{Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

use crate::cut::{Cut, Side};
use crate::progress::Progress;
use crate::rate::Rate;

/// What a transfer is held to. A `Duration` is the terms without a limit.
#[derive(Debug, Clone)]
pub struct Terms {
    /// How long nothing may move before the wire counts as broken.
    pub stall: Duration,
    /// How fast bytes may pass; `None` for as fast as they can.
    pub rate: Option<Rate>,
}

impl From<Duration> for Terms {
    fn from(stall: Duration) -> Self {
        Terms { stall, rate: None }
    }
}

/// The count and the clock of one transfer.
pub(crate) struct Pace<'a> {
    stall: Duration,
    /// Set by the first wait, and left to run through the later ones: it is put off only when it rings, not per chunk.
    alarm: Option<Pin<Box<Sleep>>>,
    moved: u64,
    /// Bytes moved since this task last gave way, and after how many it does.
    unrested: u64,
    share: u64,
    rate: Option<Rate>,
    /// Bytes that were taken out of the rate and have not moved yet.
    allowed: usize,
    progress: &'a Progress,
}

impl<'a> Pace<'a> {
    pub(crate) fn new(terms: impl Into<Terms>, progress: &'a Progress) -> Self {
        let Terms { stall, rate } = terms.into();
        Pace { stall, alarm: None, moved: 0, unrested: 0, share: SHARE, rate, allowed: 0, progress }
    }

    /// Whether bytes must be asked for before they move.
    pub(crate) fn is_limited(&self) -> bool {
        self.rate.is_some()
    }

    /// How many of `want` bytes may move now: all of them where there is no limit; else it waits until some may.
    pub(crate) async fn allow(&mut self, want: usize) -> usize {
        let Some(rate) = &self.rate else { return want };
        if self.allowed == 0 {
            let slice = rate.slice();
            let when = rate.take(slice);
            self.allowed = slice;
            if let Some(when) = when {
                self.unrested = 0;
                let _held = self.progress.hold();
                Rate::wait(when).await;
            }
        }
        want.min(self.allowed)
    }

    /// Bytes over the wire so far.
    pub(crate) fn moved(&self) -> u64 {
        self.moved
    }

    /// Counts `bytes` over the wire.
    pub(crate) fn count(&mut self, bytes: usize) {
        self.moved += bytes as u64;
        self.unrested += bytes as u64;
        self.allowed = self.allowed.saturating_sub(bytes);
        self.progress.add(bytes as u64);
    }

    /// Lets other tasks run if this one has had its share without ever waiting. Where nobody has waited for that the next share is
    /// larger, and else smaller.
    pub(crate) async fn rest(&mut self) {
        if self.unrested >= self.share {
            self.unrested = 0;
            let clock = std::time::Instant::now();
            tokio::task::yield_now().await;
            self.share = match clock.elapsed() < ALONE {
                true => (self.share * 2).min(MOST),
                false => (self.share / 2).max(LEAST),
            };
        }
    }

    /// Bytes that may move in one call.
    pub(crate) fn stride(&self) -> usize {
        usize::try_from(self.share.min(STRIDE)).unwrap_or(usize::MAX)
    }

    /// Awaits `work` on the wire, `stall` at most.
    pub(crate) async fn hold<T>(&mut self, work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
        let mut work = pin!(work);
        let mut since = None;
        poll_fn(|cx| {
            if let Poll::Ready(done) = work.as_mut().poll(cx) {
                return Poll::Ready(done);
            }
            self.unrested = 0;
            let since = *since.get_or_insert_with(Instant::now);
            let Some(deadline) = since.checked_add(self.stall) else { return Poll::Pending };
            let alarm = self.alarm.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
            loop {
                ready!(alarm.as_mut().poll(cx));
                if alarm.deadline() >= deadline {
                    return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
                }
                alarm.as_mut().reset(deadline);
            }
        })
        .await
    }

    /// A fault of the file's side, at this point.
    pub(crate) fn file(&self, source: impl Into<io::Error>) -> Cut {
        Cut { side: Side::File, moved: self.moved, source: source.into() }
    }

    /// A fault of the wire's side, at this point.
    pub(crate) fn wire(&self, source: impl Into<io::Error>) -> Cut {
        Cut { side: Side::Wire, moved: self.moved, source: source.into() }
    }
}

impl Drop for Pace<'_> {
    fn drop(&mut self) {
        if let Some(rate) = &self.rate {
            rate.give_back(self.allowed);
        }
    }
}

/// Bytes after which a transfer that never waits gives way at first. Whatever else its thread carries waits for so long: from the
/// page cache that is less than a tenth of a millisecond.
const SHARE: u64 = 256 << 10;
/// The same where others wait, and where none do.
const LEAST: u64 = 128 << 10;
const MOST: u64 = 4 << 20;
/// Bytes of one call at most: a stop is late by as much.
const STRIDE: u64 = 1 << 20;
/// A task that gives way and is back so soon is alone.
const ALONE: Duration = Duration::from_micros(100);

#[cfg(test)]
mod tests {
    use std::num::NonZeroU64;
    use std::task::{Context, Waker};

    use super::*;

    #[tokio::test]
    async fn a_transfer_gives_way_once_for_every_share_without_a_wait() {
        let progress = Progress::default();
        let mut pace = Pace::new(Duration::from_secs(60), &progress);
        let mut gives_way = |bytes: usize| {
            pace.count(bytes);
            pin!(pace.rest()).poll(&mut Context::from_waker(Waker::noop())).is_pending()
        };
        let share = usize::try_from(SHARE).unwrap();
        assert!(!gives_way(share - 1));
        assert!(gives_way(1));
        assert!(!gives_way(share - 1));
        assert!(gives_way(share));
        assert_eq!(progress.moved(), 3 * SHARE - 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_mover_that_is_held_back_has_no_pulse_and_gives_back_what_it_did_not_move() {
        let progress = Progress::default();
        let rate = Rate::new(NonZeroU64::new(1000).unwrap());
        let terms = Terms { stall: Duration::from_secs(60), rate: Some(rate.clone()) };
        let mut pace = Pace::new(terms, &progress);
        let before = progress.pulse().unwrap();
        // The first slices go at once; the limit holds whoever asks for the next.
        let mut moved = 0;
        loop {
            let (asked, pulse) = {
                let mut asking = pin!(pace.allow(500));
                let asked = asking.as_mut().poll(&mut Context::from_waker(Waker::noop()));
                (asked, progress.pulse())
            };
            let Poll::Ready(most) = asked else {
                assert_eq!(pulse, None);
                break;
            };
            assert!((1..=50).contains(&most), "{most}");
            moved += most;
            pace.count(most);
        }
        assert!(moved <= 150, "{moved}");
        assert_ne!(progress.pulse().unwrap(), before, "it has done something meanwhile");
        drop(pace);
        // Nothing is owed for what was asked for and not moved.
        let when = rate.take(1).map_or(Duration::ZERO, |when| when - Instant::now());
        assert!(when <= Duration::from_millis(150), "{when:?}");
    }
}
