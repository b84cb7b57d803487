//! `Rate`: how many bytes a second may pass, shared by all transfers that hold a clone of it. It is kept as the moment
//! from which the next byte may go, so that there is no bucket that somebody must fill.

use std::num::NonZeroU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// A limit in bytes a second. Clones share it: together they move no more.
#[derive(Debug, Clone)]
pub struct Rate(Arc<Bucket>);

#[derive(Debug)]
struct Bucket {
    per_second: NonZeroU64,
    /// When the next byte may go; none before the first.
    next: Mutex<Option<Instant>>,
}

impl Rate {
    /// A limit of `per_second` bytes a second.
    #[must_use]
    pub fn new(per_second: NonZeroU64) -> Self {
        Rate(Arc::new(Bucket { per_second, next: Mutex::new(None) }))
    }

    /// Bytes a second.
    #[must_use]
    pub fn per_second(&self) -> u64 {
        self.0.per_second.get()
    }

    /// What one transfer takes at a time, in bytes: so little that others have their turn soon.
    pub(crate) fn slice(&self) -> usize {
        usize::try_from(self.per_second() / SLICES).unwrap_or(usize::MAX).clamp(1, LARGEST)
    }

    /// Takes `bytes` out of what may pass, and says when they may; `None` for at once. Who asks first goes first.
    pub(crate) fn take(&self, bytes: usize) -> Option<Instant> {
        let now = Instant::now();
        let mut next = self.0.next.lock().unwrap_or_else(PoisonError::into_inner);
        // What was not used for a while may be caught up on, but not much of it.
        let earliest = now.checked_sub(SAVED).unwrap_or(now);
        let when = next.map_or(earliest, |next| next.max(earliest));
        *next = when.checked_add(self.time_of(bytes)).or(Some(when));
        (when > now).then_some(when)
    }

    /// Gives back what was taken and not used.
    pub(crate) fn give_back(&self, bytes: usize) {
        let mut next = self.0.next.lock().unwrap_or_else(PoisonError::into_inner);
        *next = next.and_then(|next| next.checked_sub(self.time_of(bytes)));
    }

    /// Waits until then.
    pub(crate) async fn wait(when: Instant) {
        sleep_until(when).await;
    }

    fn time_of(&self, bytes: usize) -> Duration {
        let nanos = bytes as u128 * 1_000_000_000 / u128::from(self.per_second());
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

/// Slices a second.
const SLICES: u64 = 20;
/// Bytes of a slice at most.
const LARGEST: usize = 1 << 20;
/// How much of a pause is made up for.
const SAVED: Duration = Duration::from_millis(50);

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(per_second: u64) -> Rate {
        Rate::new(NonZeroU64::new(per_second).unwrap())
    }

    /// Moves `bytes` through the limit, a slice at a time, and says how long it took.
    async fn moves(rate: &Rate, mut bytes: usize) -> Duration {
        let began = Instant::now();
        while bytes > 0 {
            let slice = rate.slice().min(bytes);
            if let Some(when) = rate.take(slice) {
                Rate::wait(when).await;
            }
            bytes -= slice;
        }
        began.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn bytes_take_their_time_whatever_the_limit() {
        for per_second in [1, 7, 1000, 123_456, 10_000_000, 3_000_000_000] {
            let bytes = usize::try_from(per_second * 5).unwrap();
            let took = moves(&rate(per_second), bytes).await.as_secs_f64();
            // The first slice goes at once, and what was saved; the timer has a grain of a millisecond.
            let slice = rate(per_second).slice() as f64 / per_second as f64;
            assert!(took <= 5.01 && took >= 5.0 - slice - 0.06, "{per_second}: {took}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn clones_share_one_limit_and_have_equal_parts() {
        let rate = rate(100_000);
        let began = Instant::now();
        let (one, two) = (rate.clone(), rate.clone());
        let (first, second) = tokio::join!(moves(&one, 100_000), moves(&two, 100_000));
        assert!(began.elapsed() >= Duration::from_millis(1850), "{:?}", began.elapsed());
        let apart = first.abs_diff(second);
        assert!(apart <= Duration::from_millis(200), "{first:?} and {second:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_is_not_saved_up_for_a_burst() {
        let rate = rate(1000);
        moves(&rate, 1000).await;
        tokio::time::sleep(Duration::from_secs(3600)).await;
        assert!(moves(&rate, 1000).await >= Duration::from_millis(850));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_given_back_can_be_taken_again() {
        let rate = rate(1000);
        assert!(rate.take(1000).is_none());
        let first = rate.take(1).unwrap();
        rate.give_back(1001);
        assert!(rate.take(1).is_none_or(|when| when < first - Duration::from_millis(900)));
    }
}
