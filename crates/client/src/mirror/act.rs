//! Carries a [`Plan`] out: what is in the way and the folders first, then copies in as many sessions as the server grants,
//! removals last. A step that fails does not stop the others.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, VecDeque};
use std::fs;
use std::future::poll_fn;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::task::Poll;

use twoport_pipe::{Progress, Sink};
use twoport_proto::{Kind, Moment};

use super::diff::{Plan, Step, Why};
use super::tree::{join, modified};
use crate::client::Client;
use crate::error::Error;
use crate::journey::Journey;
use crate::local_name::{Begin, Download, LocalName, beneath, make_folder};
use crate::upload::Upload;

/// Which side is made like the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// This machine's.
    Down,
    /// The server's.
    Up,
}

/// The two folders; both are there.
#[derive(Debug, Clone, Copy)]
pub struct Sides<'a> {
    /// The folder of this machine.
    pub local: &'a Path,
    /// The folder of the server.
    pub remote: &'a [u8],
    /// From where to where.
    pub direction: Direction,
}

/// What became of a plan.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Files that were copied.
    pub copied: u64,
    /// Bytes that went over for them.
    pub bytes: u64,
    /// Folders that were made.
    pub made: u64,
    /// Files and folders that were removed.
    pub removed: u64,
    /// Steps that failed.
    pub failed: u64,
}

/// What is told on the way.
#[derive(Debug)]
pub enum Event<'a> {
    /// A file begins to move.
    Moving {
        /// Its step.
        step: &'a Step,
        /// Its size in bytes.
        size: u64,
        /// Bytes of an earlier try that are there.
        from: u64,
        /// Counts the bytes that move.
        progress: &'a Progress,
    },
    /// A step is done, with so many bytes.
    Done(&'a Step, u64),
    /// A step failed.
    Failed(&'a Step, &'a Error),
    /// The server takes no more sessions than so many.
    Fewer(usize, &'a Error),
}

/// Carries `plan` out, in the session of `first` and in up to `parallel - 1` others that `more` makes.
pub async fn act(
    plan: &Plan,
    sides: Sides<'_>,
    first: &mut Journey,
    more: &dyn Fn() -> Option<Journey>,
    parallel: usize,
    tell: &dyn Fn(Event<'_>),
) -> Totals {
    let is_copy = |step: &Step| matches!(step, Step::Copy { .. });
    let from = plan.steps.iter().position(is_copy).unwrap_or(plan.steps.len());
    let to = plan.steps.iter().rposition(is_copy).map_or(from, |last| last + 1);
    let work = Work {
        sides,
        tell,
        queue: RefCell::new(plan.steps[from..to].iter().collect()),
        totals: Cell::default(),
        broken: RefCell::default(),
        hands: Cell::new(0),
        lost: Cell::new(0),
    };
    for step in &plan.steps[..from] {
        work.alone(first, step).await;
    }
    let mut others: Vec<Journey> = (1..parallel.min(to - from)).map_while(|_| more()).collect();
    work.hands.set(others.len() + 1);
    let mut hands: Vec<Pin<Box<dyn Future<Output = ()> + '_>>> = vec![Box::pin(work.hand(first))];
    for other in &mut others {
        hands.push(Box::pin(work.hand(other)));
    }
    poll_fn(|waker| {
        hands.retain_mut(|hand| hand.as_mut().poll(waker).is_pending());
        if hands.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    drop(hands);
    for other in others {
        other.end().await;
    }
    for step in &plan.steps[to..] {
        work.alone(first, step).await;
    }
    work.totals.get()
}

/// What the sessions share. They take turns in one task.
struct Work<'a> {
    sides: Sides<'a>,
    tell: &'a dyn Fn(Event<'_>),
    queue: RefCell<VecDeque<&'a Step>>,
    totals: Cell<Totals>,
    /// Folders that could not be made: nothing can be put into them.
    broken: RefCell<BTreeSet<&'a [u8]>>,
    /// Sessions that still take copies from the queue.
    hands: Cell<usize>,
    /// Steps in a row for which no session could be had at all.
    lost: Cell<u32>,
}

impl<'a> Work<'a> {
    /// One session's part of the copies.
    async fn hand(&self, journey: &mut Journey) {
        loop {
            let Some(step) = self.queue.borrow_mut().pop_front() else { break };
            let met = Cell::new(false);
            let done = self.one(journey, step, &met).await;
            if let Err(e) = &done
                && !met.get()
                && is_about_the_session(e)
                && self.hands.get() > 1
            {
                // Another one does it: the server, or a box before it, has enough of us.
                self.queue.borrow_mut().push_front(step);
                (self.tell)(Event::Fewer(self.hands.get() - 1, e));
                break;
            }
            self.count(step, done, &met);
        }
        self.hands.set(self.hands.get() - 1);
    }

    async fn alone(&self, journey: &mut Journey, step: &'a Step) {
        let met = Cell::new(false);
        let done = self.one(journey, step, &met).await;
        self.count(step, done, &met);
    }

    fn count(&self, step: &'a Step, done: Result<u64, Error>, met: &Cell<bool>) {
        let mut totals = self.totals.get();
        match &done {
            Ok(bytes) => {
                match step {
                    Step::MakeDir { .. } => totals.made += 1,
                    Step::Copy { .. } => totals.copied += 1,
                    Step::RemoveFile { .. } | Step::RemoveDir { .. } => totals.removed += 1,
                }
                totals.bytes += bytes;
                (self.tell)(Event::Done(step, *bytes));
            }
            Err(e) => {
                totals.failed += 1;
                if matches!(step, Step::MakeDir { .. }) {
                    self.broken.borrow_mut().insert(step.path());
                }
                (self.tell)(Event::Failed(step, e));
            }
        }
        match &done {
            Err(e) if !met.get() && is_about_the_session(e) => self.lost.set(self.lost.get() + 1),
            _ if met.get() => self.lost.set(0),
            _ => {}
        }
        self.totals.set(totals);
    }

    /// One step; `met` becomes true once there is a session for it.
    async fn one(&self, journey: &mut Journey, step: &Step, met: &Cell<bool>) -> Result<u64, Error> {
        let path = step.path();
        let slashes = path.iter().enumerate().filter(|(_, b)| **b == b'/');
        if slashes.into_iter().any(|(end, _)| self.broken.borrow().contains(&path[..end])) {
            return Err(local("not tried", io::Error::other("its folder could not be made")));
        }
        if self.sides.direction == Direction::Down {
            return match step {
                Step::Copy { size, modified, .. } => {
                    self.down(journey, step, path, (*size, *modified), met).await
                }
                _ => self.change_here(step).map(|()| 0).map_err(|e| local("this machine refused", e)),
            };
        }
        if self.lost.get() >= LOST {
            return Err(Error::OutOfStep("not tried: no session can be had any more".to_owned()));
        }
        match step {
            Step::Copy { why, .. } => self.up(journey, step, path, *why == Why::Missing, met).await,
            _ => self.change_there(journey, step, met).await.map(|()| 0),
        }
    }

    fn change_here(&self, step: &Step) -> io::Result<()> {
        let names = names(step.path())?;
        let path = beneath(self.sides.local, &names);
        match step {
            Step::MakeDir { .. } => make_folder(self.sides.local, &names).map(|_| ()),
            Step::RemoveDir { .. } => fs::remove_dir(path),
            Step::RemoveFile { .. } | Step::Copy { .. } => fs::remove_file(path),
        }
    }

    async fn change_there(&self, journey: &mut Journey, step: &Step, met: &Cell<bool>) -> Result<(), Error> {
        let path = join(self.sides.remote, step.path());
        let work = async |client: &mut Client| {
            let again = met.replace(true);
            let done = match step {
                Step::MakeDir { .. } => client.make_dir(&path).await,
                Step::RemoveDir { .. } => client.remove_dir(&path).await,
                Step::RemoveFile { .. } | Step::Copy { .. } => client.remove(&path).await,
            };
            match done {
                // The first try may have been obeyed, and only its reply was lost.
                Err(e @ Error::Refused { .. }) if again => {
                    let there = client.stat(&path).await;
                    let is_done = match step {
                        Step::MakeDir { .. } => there.is_ok_and(|there| there.kind == Kind::Directory),
                        _ => there.is_err_and(|e| e.is_not_found()),
                    };
                    if is_done { Ok(()) } else { Err(e) }
                }
                done => done,
            }
        };
        journey.run(|| 0, work).await
    }

    async fn down(
        &self,
        journey: &mut Journey,
        step: &Step,
        path: &[u8],
        (size, listed): (u64, Option<Moment>),
        met: &Cell<bool>,
    ) -> Result<u64, Error> {
        let refused = |e| local("cannot write", e);
        let mut names = names(path).map_err(refused)?;
        let Some(name) = names.pop() else { return Ok(0) };
        let folder = make_folder(self.sides.local, &names).map_err(refused)?;
        let begin = begin(&folder.join(name.part().as_os_str()), size, listed);
        let mut download = Download::begin(&folder, &name, begin).map_err(refused)?;
        if self.lost.get() >= LOST {
            return Err(Error::OutOfStep("not tried: no session can be had any more".to_owned()));
        }
        let remote = join(self.sides.remote, path);
        let progress = Progress::default();
        let mut at = download.from();
        (self.tell)(Event::Moving { step, size, from: at, progress: &progress });
        // Not the bytes that moved: a try that begins anew each time would seem to come further for ever.
        let reached = Cell::new(at);
        let work = async |client: &mut Client| {
            met.set(true);
            let mut fetched = fetch(client, &remote, &mut at, &download, &progress).await;
            // REST is refused: what is there is of no use.
            if at > 0 && matches!(fetched, Err(Error::Refused { code: 500..=504 | 554 | 555, .. })) {
                download.rewind().map_err(refused)?;
                at = 0;
                fetched = fetch(client, &remote, &mut at, &download, &progress).await;
            }
            reached.set(at);
            let confirmed = fetched?;
            if !confirmed && at < size {
                let why = format!("{at} bytes of {size} came, and the server never said that it was done");
                return Err(Error::Short { bytes: at, why });
            }
            // MLSD's time is the file's; that of LIST lacks the seconds at least, so it is asked for.
            let told = match client.features().has("MLST") && listed.is_some() {
                true => None,
                false => client.stat(&remote).await.ok().and_then(|entry| entry.modified),
            };
            Ok(told.or(listed))
        };
        let modified = journey.run(|| reached.get(), work).await?;
        download.finish(modified).map_err(refused)?;
        Ok(progress.moved())
    }

    async fn up(
        &self,
        journey: &mut Journey,
        step: &Step,
        path: &[u8],
        is_new: bool,
        met: &Cell<bool>,
    ) -> Result<u64, Error> {
        let refused = |e| local("cannot read", e);
        let here = beneath(self.sides.local, &names(path).map_err(refused)?);
        let data = fs::symlink_metadata(&here).map_err(refused)?;
        if !data.is_file() {
            return Err(refused(io::Error::other("it is not a plain file any more")));
        }
        let remote = join(self.sides.remote, path);
        let mut upload = Upload::open(&here, &remote).map_err(refused)?;
        upload.is_new = is_new;
        let progress = Progress::default();
        (self.tell)(Event::Moving { step, size: upload.size, from: 0, progress: &progress });
        upload.carry(journey, &progress, met).await?;
        Ok(progress.moved())
    }
}

/// Goes on at `at` and moves it; whether the server said that all is there.
async fn fetch(
    client: &mut Client,
    remote: &[u8],
    at: &mut u64,
    download: &Download,
    progress: &Progress,
) -> Result<bool, Error> {
    let mut sink = Sink::File { file: download.file(), at: *at };
    let fetched = client.fetch(remote, *at, &mut sink, progress).await;
    if let Sink::File { at: reached, .. } = sink {
        *at = reached;
    }
    fetched.map(|moved| moved.confirmed)
}

/// An earlier try is gone on with when it is a part of the file and no older than that.
fn begin(part: &Path, size: u64, listed: Option<Moment>) -> Begin {
    let Ok(data) = fs::symlink_metadata(part) else { return Begin::Anew };
    let is_older = listed.is_some_and(|listed| modified(&data).seconds < listed.seconds);
    let fits = data.is_file() && data.len() > 0 && data.len() < size && !is_older;
    if fits { Begin::Resume } else { Begin::Anew }
}

fn names(path: &[u8]) -> io::Result<Vec<LocalName>> {
    LocalName::read_path(path).map_err(|e| io::Error::new(io::ErrorKind::InvalidInput, e))
}

fn local(what: &str, source: io::Error) -> Error {
    Error::Local { what: what.to_owned(), source }
}

/// Whether the failure can be that of a connection or a login, when no session was had.
fn is_about_the_session(error: &Error) -> bool {
    !matches!(error, Error::Local { .. } | Error::BadArgument(_))
}

/// After so many steps in a row without a session nothing more is tried: each may have taken half a minute.
const LOST: u32 = 2;
