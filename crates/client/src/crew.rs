//! `Crew`: several sessions with one server that work off what is waiting, in one task. It grows while more is waiting than
//! it has hands for, and shrinks when the server says that it has enough of us. What the work is, `Labour` knows.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

use crate::error::Error;
use crate::journey::Journey;

/// The sessions.
pub struct Crew {
    idle: Vec<Journey>,
    /// What every further session is a sibling of.
    seed: Journey,
    most: usize,
}

/// Work that several sessions can do at the same time.
pub(crate) trait Labour {
    /// What a session does next: one thing, or several that it says in one flight.
    type Task;

    /// Takes the next task for this session; none when nothing is waiting.
    fn next(&self, journey: &mut Journey) -> Option<Self::Task>;

    /// Whether one more session would be of use, where there are so many and so many of those at rest.
    fn wants_more(&self, hands: usize, at_rest: usize) -> bool;

    /// Does it; `last` when there is no other session that could.
    ///
    /// # Errors
    /// When no session can be had, and others go on with what is waiting.
    async fn carry(&self, journey: &mut Journey, task: Self::Task, last: bool) -> Result<(), Error>;

    /// So many sessions go on without this one.
    fn fewer(&self, left: usize, e: &Error);
}

/// Does `work` with each of `things`, in up to as many sessions as the crew has; the results in the order of the things.
pub async fn each<T, R>(
    crew: &mut Crew,
    things: &[T],
    work: impl AsyncFn(&mut Journey, &T) -> R,
    fewer: &dyn Fn(usize, &Error),
) -> Vec<R> {
    let waiting = RefCell::new((0..things.len()).collect());
    let done = RefCell::new((0..things.len()).map(|_| None).collect());
    let each = Each { things, work, waiting, done, fewer };
    crew.work(&each).await;
    each.done.into_inner().into_iter().map(|done| done.expect("each thing was taken by somebody")).collect()
}

struct Each<'a, T, R, W> {
    things: &'a [T],
    work: W,
    waiting: RefCell<VecDeque<usize>>,
    done: RefCell<Vec<Option<R>>>,
    fewer: &'a dyn Fn(usize, &Error),
}

impl<T, R, W: AsyncFn(&mut Journey, &T) -> R> Labour for Each<'_, T, R, W> {
    type Task = usize;

    fn next(&self, journey: &mut Journey) -> Option<usize> {
        let task = self.waiting.borrow_mut().pop_front();
        let more = !self.waiting.borrow().is_empty();
        if let Some(client) = journey.client() {
            client.others_follow(more, false);
        }
        task
    }

    fn wants_more(&self, _: usize, at_rest: usize) -> bool {
        self.waiting.borrow().len() > at_rest
    }

    async fn carry(&self, journey: &mut Journey, task: usize, last: bool) -> Result<(), Error> {
        if !last && let Err(e) = journey.ready().await {
            self.waiting.borrow_mut().push_front(task);
            return Err(e);
        }
        let done = (self.work)(journey, &self.things[task]).await;
        self.done.borrow_mut()[task] = Some(done);
        Ok(())
    }

    fn fewer(&self, left: usize, e: &Error) {
        (self.fewer)(left, e);
    }
}

/// What the hands know of each other.
#[derive(Default)]
struct Floor {
    hands: Cell<usize>,
    busy: Cell<usize>,
    /// Something has changed that a hand at rest may want to look at.
    stirred: Cell<bool>,
    most: Cell<usize>,
}

impl Crew {
    /// A crew that begins with this session and has so many at most, or as many as the server takes.
    #[must_use]
    pub fn new(first: Journey, most: usize) -> Crew {
        let learned = first.connections().map_or(usize::MAX, usize::from);
        Crew { seed: first.sibling(), idle: vec![first], most: most.min(learned).max(1) }
    }

    /// One session, for what is done one after the other.
    pub fn one(&mut self) -> &mut Journey {
        if self.idle.is_empty() {
            self.idle.push(self.seed.sibling());
        }
        &mut self.idle[0]
    }

    /// Says goodbye in all sessions.
    pub async fn end(self) {
        let mut goodbyes: Vec<Pin<Box<dyn Future<Output = ()>>>> = Vec::new();
        for journey in self.idle {
            goodbyes.push(Box::pin(journey.end()));
        }
        poll_fn(|cx| {
            goodbyes.retain_mut(|goodbye| goodbye.as_mut().poll(cx).is_pending());
            if goodbyes.is_empty() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// Works until nothing is waiting and nobody is busy.
    pub(crate) async fn work(&mut self, labour: &impl Labour) {
        let floor = Floor::default();
        floor.most.set(self.most);
        let mut hands: Vec<Pin<Box<dyn Future<Output = Journey> + '_>>> = Vec::new();
        let (seed, idle) = (&self.seed, &mut self.idle);
        poll_fn(|cx| {
            loop {
                floor.stirred.set(false);
                let mut place = 0;
                while place < hands.len() {
                    match hands[place].as_mut().poll(cx) {
                        Poll::Pending => place += 1,
                        Poll::Ready(journey) => {
                            drop(hands.swap_remove(place));
                            idle.push(journey);
                        }
                    }
                }
                let at_rest = floor.hands.get() - floor.busy.get();
                if hands.len() < floor.most.get() && labour.wants_more(hands.len(), at_rest) {
                    let journey = idle.pop().unwrap_or_else(|| seed.sibling());
                    floor.hands.set(floor.hands.get() + 1);
                    hands.push(Box::pin(hand(journey, labour, &floor)));
                } else if !floor.stirred.get() {
                    return if hands.is_empty() { Poll::Ready(()) } else { Poll::Pending };
                }
            }
        })
        .await;
        self.most = floor.most.get();
    }
}

/// One session's part.
async fn hand(mut journey: Journey, labour: &impl Labour, floor: &Floor) -> Journey {
    loop {
        let Some(task) = labour.next(&mut journey) else {
            if floor.busy.get() == 0 {
                break;
            }
            rest().await;
            continue;
        };
        floor.busy.set(floor.busy.get() + 1);
        let carried = labour.carry(&mut journey, task, floor.hands.get() == 1).await;
        floor.busy.set(floor.busy.get() - 1);
        floor.stirred.set(true);
        if let Err(e) = carried {
            let left = (floor.hands.get() - 1).max(1);
            labour.fewer(left, &e);
            floor.most.set(left);
            // Only the server's own word is worth remembering.
            if matches!(e, Error::Refused { .. }) {
                journey.takes_at_most(u16::try_from(left).unwrap_or(u16::MAX));
            }
            break;
        }
    }
    floor.hands.set(floor.hands.get() - 1);
    floor.stirred.set(true);
    journey
}

/// Waits for the next look. All hands are looked at whenever one of them has moved.
async fn rest() {
    let mut rested = false;
    poll_fn(|_| if std::mem::replace(&mut rested, true) { Poll::Ready(()) } else { Poll::Pending }).await;
}
