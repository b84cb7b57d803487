//! Looks at the server's side, and carries a [`Plan`] out: what is in the way and the folders first, then copies in as many
//! sessions as the server grants, removals last. A step that fails does not stop the others. What is missing here is
//! copied while more is listed.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, VecDeque};
use std::fs;
use std::path::Path;

use twoport_pipe::Progress;
use twoport_proto::Moment;

use super::diff::{Plan, Rules, Step, Tree};
use super::tree::{Folder, Lister, Seen, join, names};
use crate::crew::{Crew, Labour};
use crate::error::Error;
use crate::journey::Journey;
use crate::local_name::beneath;

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
    /// So many files more are to be copied, with so many bytes.
    Found {
        /// Files.
        files: usize,
        /// Their bytes.
        bytes: u64,
    },
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

/// What of a plan was done before the plan was whole.
#[derive(Debug, Default)]
pub struct Done {
    /// Of what is told at the end, that much.
    pub totals: Totals,
    steps: BTreeSet<Vec<u8>>,
    broken: BTreeSet<Vec<u8>>,
}

/// Lists the server's folder and what lies below it, in the sessions of `crew`. With `at_once` what is missing or differs
/// here is copied while more is listed; that is for [`Direction::Down`].
///
/// # Errors
/// When the folder itself cannot be listed, or the server is gone.
pub async fn look(
    crew: &mut Crew,
    sides: Sides<'_>,
    here: &Tree,
    rules: &Rules,
    now: Moment,
    at_once: bool,
    tell: &dyn Fn(Event<'_>),
) -> Result<(Seen, Done), Error> {
    let work = Work::new(sides, tell, Done::default());
    let lister = Lister::new(now, rules, at_once.then_some(here));
    let work = Work { lister: Some(lister), ..work };
    work.crowd.looks.borrow_mut().push_back(Folder::default());
    crew.work(&work).await;
    let done =
        Done { totals: work.totals.get(), steps: work.done.into_inner(), broken: work.broken.into_inner() };
    let lister = work.lister.expect("it was put there");
    let seen = lister.ended(crew.one(), sides.remote, here).await?;
    Ok((seen, done))
}

/// Carries `plan` out in the sessions of `crew`, save what is `done`.
pub async fn act(
    plan: &Plan,
    sides: Sides<'_>,
    crew: &mut Crew,
    done: Done,
    tell: &dyn Fn(Event<'_>),
) -> Totals {
    let work = Work::new(sides, tell, done);
    let to_do = |step: &&Step| match step {
        Step::Copy { path, .. } | Step::MakeDir { path } => !work.done.borrow().contains(path),
        Step::RemoveFile { .. } | Step::RemoveDir { .. } => true,
    };
    let is_copy = |step: &&Step| matches!(step, Step::Copy { .. });
    let from = plan.steps.iter().position(|step| is_copy(&step)).unwrap_or(plan.steps.len());
    let to = plan.steps.iter().rposition(|step| is_copy(&step)).map_or(from, |last| last + 1);
    let (before, behind): (Vec<&Step>, Vec<&Step>) =
        (plan.steps[..from].iter().filter(to_do).collect(), plan.steps[to..].iter().collect());
    for step in before {
        work.alone(crew.one(), step).await;
    }
    work.queue(plan.steps[from..to].iter().filter(to_do).cloned().collect());
    crew.work(&work).await;
    for step in behind {
        work.alone(crew.one(), step).await;
    }
    work.totals.get()
}

/// What is waiting.
#[derive(Default)]
pub(super) struct Crowd {
    /// Folders to list: these come first, since they bring more.
    looks: RefCell<VecDeque<Folder>>,
    copies: RefCell<VecDeque<Step>>,
}

/// What the sessions share. They take turns in one task.
pub(super) struct Work<'a> {
    pub(super) sides: Sides<'a>,
    pub(super) tell: &'a dyn Fn(Event<'_>),
    crowd: Crowd,
    lister: Option<Lister<'a>>,
    /// Whether some session carries many files over one data connection.
    in_flights: Cell<bool>,
    totals: Cell<Totals>,
    /// Copies and folders that were tried before the plan was whole.
    done: RefCell<BTreeSet<Vec<u8>>>,
    /// Folders that could not be made: nothing can be put into them.
    pub(super) broken: RefCell<BTreeSet<Vec<u8>>>,
    /// Steps in a row for which no session could be had at all.
    pub(super) lost: Cell<u32>,
}

/// What one session takes at a time.
pub(super) enum Task {
    Look(Vec<Folder>),
    Copy(Vec<Step>),
}

impl Labour for Work<'_> {
    type Task = Task;

    /// Over a data connection that stays open as much as fits in a flight; else one thing.
    fn next(&self, journey: &mut Journey) -> Option<Task> {
        let many = journey.client().is_some_and(|client| client.keeps_link());
        self.in_flights.set(self.in_flights.get() || many);
        let mut looks = self.crowd.looks.borrow_mut();
        if !looks.is_empty() {
            let most = if many && journey.client().is_some_and(|client| client.features().has("MLST")) {
                FLIGHT
            } else {
                1
            };
            let count = most.min(looks.len()).min(LOOKS);
            return Some(Task::Look(looks.drain(..count).collect()));
        }
        let mut copies = self.crowd.copies.borrow_mut();
        let mut flight = Vec::new();
        let (mut bytes, mut said) = (0, 0);
        while let Some(step) = copies.front() {
            let (size, resumes) = (size(step), many && self.has_part(step.path()));
            // What goes on in the middle of a file is said alone, and so is an upload: its bytes follow the answer.
            let alone = !many || resumes || size > SMALL || self.sides.direction == Direction::Up;
            let is_full = bytes + size > FLIGHT_BYTES || said > FLIGHT_SAID || flight.len() == FLIGHT;
            if !flight.is_empty() && (alone || is_full) {
                break;
            }
            bytes += size;
            said += step.path().len() + self.sides.remote.len();
            flight.extend(copies.pop_front());
            if alone {
                break;
            }
        }
        (!flight.is_empty()).then_some(Task::Copy(flight))
    }

    /// A session that says much in one flight is soon back for more; one with a large file is not.
    fn wants_more(&self, hands: usize, at_rest: usize) -> bool {
        let (looks, copies) = (self.crowd.looks.borrow(), self.crowd.copies.borrow());
        if !self.in_flights.get() {
            return looks.len() + copies.len() > at_rest;
        }
        let alone = copies.iter().take(hands * FLIGHT).filter(|step| size(step) > SMALL).count();
        alone > at_rest || looks.len().div_ceil(LOOKS) + (copies.len() - alone).div_ceil(FLIGHT) > hands
    }

    async fn carry(&self, journey: &mut Journey, task: Task, last: bool) -> Result<(), Error> {
        match task {
            Task::Look(folders) => self.look_into(journey, folders, last).await,
            Task::Copy(steps) => self.copy(journey, steps, last).await,
        }
    }

    fn fewer(&self, left: usize, e: &Error) {
        (self.tell)(Event::Fewer(left, e));
    }
}

impl<'a> Work<'a> {
    fn new(sides: Sides<'a>, tell: &'a dyn Fn(Event<'_>), done: Done) -> Self {
        Work {
            sides,
            tell,
            crowd: Crowd::default(),
            lister: None,
            in_flights: Cell::new(false),
            totals: Cell::new(done.totals),
            done: RefCell::new(done.steps),
            broken: RefCell::new(done.broken),
            lost: Cell::new(0),
        }
    }

    /// Lists these folders; what is missing here is copied next.
    async fn look_into(&self, journey: &mut Journey, folders: Vec<Folder>, last: bool) -> Result<(), Error> {
        let Some(lister) = &self.lister else { return Ok(()) };
        if folders.len() > 1
            && let Some(client) = journey.client()
        {
            let paths: Vec<Vec<u8>> =
                folders.iter().map(|folder| join(self.sides.remote, &folder.path)).collect();
            let paths: Vec<&[u8]> = paths.iter().map(Vec::as_slice).collect();
            // A path that cannot be sent is said so when it has its turn.
            let _ = client.list_ahead(&paths).await;
        }
        let mut folders = folders.into_iter();
        while let Some(folder) = folders.next() {
            self.foresee(journey);
            let met = Cell::new(false);
            match lister.look(journey, self.sides.remote, &folder, &met).await {
                Ok(below) => {
                    let mut found = Vec::new();
                    for step in lister.at_once(&folder) {
                        // A folder is wanted again by each that lies in it.
                        if !self.done.borrow_mut().insert(step.path().to_vec()) {
                            continue;
                        }
                        match step {
                            Step::Copy { .. } => found.push(step),
                            _ => self.alone(journey, &step).await,
                        }
                    }
                    self.queue(found);
                    self.crowd.looks.borrow_mut().extend(below);
                }
                Err(e) if !met.get() && is_about_the_session(&e) && !last => {
                    // Another session lists it, and what was to come with it.
                    let mut looks = self.crowd.looks.borrow_mut();
                    looks.push_front(folder);
                    looks.extend(folders);
                    return Err(e);
                }
                Err(e) => {
                    if !matches!(e, Error::Refused { .. }) {
                        journey.abandon_if_ahead(folders.len());
                    }
                    if lister.missed(folder, e) {
                        // Nothing more can be known, and what is not known is not touched.
                        self.crowd.looks.borrow_mut().clear();
                        self.crowd.copies.borrow_mut().clear();
                        return Ok(());
                    }
                }
            }
        }
        Ok(())
    }

    /// These are to be copied.
    fn queue(&self, copies: Vec<Step>) {
        let (files, bytes) = (copies.len(), copies.iter().map(size).fold(0, u64::saturating_add));
        if files > 0 {
            (self.tell)(Event::Found { files, bytes });
            self.crowd.copies.borrow_mut().extend(copies);
        }
    }

    /// Copies these files.
    async fn copy(&self, journey: &mut Journey, steps: Vec<Step>, last: bool) -> Result<(), Error> {
        if steps.len() > 1
            && let Some(client) = journey.client()
        {
            let paths: Vec<Vec<u8>> = steps.iter().map(|step| join(self.sides.remote, step.path())).collect();
            let paths: Vec<&[u8]> = paths.iter().map(Vec::as_slice).collect();
            let _ = client.fetch_ahead(&paths).await;
        }
        let mut steps = steps.into_iter();
        while let Some(step) = steps.next() {
            self.foresee(journey);
            let met = Cell::new(false);
            let done = self.one(journey, &step, &met).await;
            match done {
                Err(e) if !met.get() && is_about_the_session(&e) && !last => {
                    // Another one does it: the server, or a box before it, has enough of us.
                    let mut copies = self.crowd.copies.borrow_mut();
                    copies.push_front(step);
                    copies.extend(steps);
                    return Err(e);
                }
                done => {
                    if !matches!(done, Ok(_) | Err(Error::Refused { .. })) {
                        journey.abandon_if_ahead(steps.len());
                    }
                    self.count(&step, done, &met);
                }
            }
        }
        Ok(())
    }

    /// Tells the session what comes next, so that it can ask for the next port ahead.
    fn foresee(&self, journey: &mut Journey) {
        let more = !(self.crowd.looks.borrow().is_empty() && self.crowd.copies.borrow().is_empty());
        if let Some(client) = journey.client() {
            // MLSD's time is the file's; that of LIST lacks the seconds at least.
            let times = !client.features().has("MLST");
            client.others_follow(more, times);
        }
    }

    /// Whether an earlier try has left a part of the file.
    fn has_part(&self, path: &[u8]) -> bool {
        let Ok(mut names) = names(path) else { return true };
        let Some(name) = names.pop() else { return true };
        fs::symlink_metadata(beneath(self.sides.local, &names).join(name.part().as_os_str())).is_ok()
    }

    async fn alone(&self, journey: &mut Journey, step: &Step) {
        let met = Cell::new(false);
        let done = self.one(journey, step, &met).await;
        self.count(step, done, &met);
    }

    fn count(&self, step: &Step, done: Result<u64, Error>, met: &Cell<bool>) {
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
                    self.broken.borrow_mut().insert(step.path().to_vec());
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
}

/// Whether the failure can be that of a connection or a login, when no session was had.
fn is_about_the_session(error: &Error) -> bool {
    !matches!(error, Error::Local { .. } | Error::BadArgument(_))
}

/// Bytes of a file that is to be copied.
fn size(step: &Step) -> u64 {
    if let Step::Copy { size, .. } = step { *size } else { 0 }
}

/// Commands that are said ahead at most, how long they may be in all, and how many bytes they may bring. All of them must
/// fit into what the connection holds while the server is busy with the first.
const FLIGHT: usize = 512;
const LOOKS: usize = 128;
const FLIGHT_SAID: usize = 12 << 10;
const FLIGHT_BYTES: u64 = 2 << 20;

/// Bytes of a file from which it is worth a session of its own.
const SMALL: u64 = 256 << 10;

/// After so many steps in a row without a session nothing more is tried: each may have taken half a minute.
pub(super) const LOST: u32 = 2;
