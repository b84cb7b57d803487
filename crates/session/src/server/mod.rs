//! `ServerSession`: the protocol interpreter of the server. `handle(now, input)` tells it what happened, `poll()` says
//! what to do until there is nothing more, `poll_timeout()` says when to come back at the latest.
//!
//! Commands are obeyed one at a time, in the order in which they came; while one is at work the others wait in a queue.
//! Only what the law calls *jumps* (ABOR, bare STAT) is heard during a transfer, and never before what came earlier.

pub mod io;

mod about;
mod access;
mod commands;
mod doctor;
mod files;
mod link;
mod replies;
mod secure;
mod transfer;
mod why;

use std::collections::VecDeque;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use twoport_plan::data::{PlanSlot, Way};
use twoport_proto::line::LineFault;
use twoport_proto::listing::mlsx::FactSet;
use twoport_proto::modes::{Algorithm, Form, Mode, Structure, Type};
use twoport_proto::{FtpPath, Reply, Sightings, Verb};

use self::access::Login;
use self::files::Awaited;
use self::io::{Input, LinkId, NotSecured, Output};
use self::secure::Security;
use self::transfer::Transfer;
use self::why::LastFault;
use crate::event::Event;
use crate::law::{During, law};
use crate::limits::Limits;
use crate::rights::{Need, Needs};

/// What all sessions of a server share.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The name in the greeting.
    pub host: String,
    /// Program and version, for STAT and CSID: `twoport 0.1.0`.
    pub program: (String, String),
    /// Caps and deadlines.
    pub limits: Limits,
    /// Whether PORT and EPRT are taken.
    pub active: bool,
    /// Whether PASV and EPSV are taken.
    pub passive: bool,
    /// The names that HOST may ask for; any when there is none here.
    pub hosts: Vec<String>,
    /// Whether CCC is taken.
    pub ccc: bool,
}

/// The listener that a session came in by, as far as it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Door {
    /// What it needs of TLS.
    pub needs: Needs,
    /// Whether TLS is there from the first byte, and data connections are private unless PROT says otherwise.
    pub implicit: bool,
}

impl Door {
    /// Without TLS.
    pub const CLEAR: Door = Door { needs: Needs::NONE, implicit: false };
}

/// The two ends of the control connection, IPv4 in its own form and never mapped into IPv6.
#[derive(Debug, Clone, Copy)]
pub struct Ends {
    /// The client.
    pub peer: IpAddr,
    /// The address of ours that it reached.
    pub local: IpAddr,
}

/// One control session, from the greeting to the close.
#[derive(Debug)]
pub struct ServerSession {
    settings: Arc<Settings>,
    ends: Ends,
    door: Door,
    login: Login,
    security: Security,
    /// What HOST has said.
    host: Option<String>,
    doing: Doing,
    plan: PlanSlot<LinkId>,
    parameters: Parameters,
    memory: Memory,
    folder: FtpPath,
    queue: VecDeque<Queued>,
    out: VecDeque<Output>,
    /// Since when the peer may log in, and since when it has done nothing.
    since: Instant,
    quiet: Instant,
    failures: u32,
    /// What SITE WHY tells.
    last_fault: Option<Box<LastFault>>,
    /// What SITE DOCTOR tells; nothing is gathered for an account that may not ask.
    seen: Option<Box<Sightings>>,
    life: Life,
}

/// What is at work. Lines are obeyed only while it is nothing.
#[derive(Debug)]
enum Doing {
    Nothing,
    /// A login is being checked, of this name.
    Checking(Vec<u8>),
    /// Hands are being shaken, or TLS is being ended.
    Securing,
    /// Files are being asked.
    Filing(Verb, Box<Awaited>),
    /// A listener is being made.
    Asking(Way),
    /// The connections are being looked at.
    Looking,
    /// A transfer or a digest runs beside the session.
    Transferring(Box<Transfer>),
}

/// What waits for its turn.
enum Queued {
    Line(Result<Vec<u8>, LineFault>),
    /// An ABOR that has already stopped its transfer and still has to be answered, in its place.
    Aborted,
}

/// A line that waits may hold a password.
impl fmt::Debug for Queued {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Queued::Line(_) => "Line",
            Queued::Aborted => "Aborted",
        })
    }
}

/// What TYPE, STRU, MODE and OPTS chose.
#[derive(Debug, Clone, Copy)]
struct Parameters {
    kind: Type,
    structure: Structure,
    mode: Mode,
    facts: FactSet,
    hash: Algorithm,
}

impl Default for Parameters {
    fn default() -> Self {
        Parameters {
            kind: Type::Ascii(Form::NonPrint),
            structure: Structure::File,
            mode: Mode::Stream,
            facts: FactSet::DEFAULT,
            hash: Algorithm::Sha256,
        }
    }
}

/// What one command leaves to the next. Any command forgets it, save those that make a data plan.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
enum Memory {
    #[default]
    Nothing,
    RenameFrom(FtpPath),
    RestartAt(u64),
    /// First and last byte, both included.
    Range(u64, u64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Life {
    /// The peer is there.
    Open,
    /// No more lines come; what is queued is still obeyed.
    PeerGone,
    /// The server stops; what runs may finish.
    Draining,
    /// Over.
    Closed,
}

impl ServerSession {
    /// A new session that came in by `door`; its first output is the greeting, or TLS where that comes before.
    #[must_use]
    pub fn new(settings: Arc<Settings>, ends: Ends, door: Door, now: Instant) -> Self {
        let mut session = ServerSession {
            settings,
            ends,
            door,
            login: Login::Stranger,
            security: Security::new(),
            host: None,
            doing: Doing::Nothing,
            plan: PlanSlot::new(),
            parameters: Parameters::default(),
            memory: Memory::Nothing,
            folder: FtpPath::root(),
            queue: VecDeque::new(),
            out: VecDeque::new(),
            since: now,
            quiet: now,
            failures: 0,
            last_fault: None,
            seen: None,
            life: Life::Open,
        };
        if door.implicit {
            session.secure(None, door.needs.data != Need::Off);
        } else {
            session.say(replies::greeting(&session.settings.host));
        }
        session
    }

    /// Tells the machine what happened. `now` never goes back.
    pub fn handle(&mut self, now: Instant, input: Input) {
        let was_at_work = !matches!(self.doing, Doing::Nothing);
        match input {
            Input::Line(line) => self.line(line),
            Input::Checked(grant) => self.checked(grant),
            Input::Recognized(grant) => self.recognized(grant),
            Input::Secured(Ok(channel)) => self.secured(channel),
            Input::Secured(Err(NotSecured::Smuggled)) => {
                self.doing = Doing::Nothing;
                self.smuggled();
            }
            Input::Secured(Err(NotSecured::Failed(why))) => self.not_secured(why),
            Input::Cleared => self.cleared(),
            Input::Filed(answer) => self.filed(answer),
            Input::Listening(answer) => self.listening(now, answer),
            Input::Ready { path, size } => self.ready(now, path, size),
            Input::Linked => self.linked(),
            Input::Received => self.received(),
            Input::Kept(id) => self.kept(id),
            Input::Ended(ending) => self.ended(now, ending),
            Input::Measured(bytes) => self.measured(bytes),
            Input::Saw(seen) => self.saw(*seen),
            Input::Deadline => self.deadline(now),
            Input::Shutdown => {
                if self.life == Life::Open {
                    self.life = Life::Draining;
                }
            }
            Input::Closed => self.peer_gone(),
        }
        if was_at_work && matches!(self.doing, Doing::Nothing) {
            // However long the work took, the peer's own silence begins now.
            self.quiet = now;
        }
        self.proceed(now);
    }

    /// What to do next; nothing when all is done until the next input.
    pub fn poll(&mut self) -> Option<Output> {
        let next = self.out.pop_front();
        if next.is_none() {
            // Most sessions wait, and for long.
            self.out = VecDeque::new();
        }
        next
    }

    /// When to hand in [`Input::Deadline`] at the latest.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.life == Life::Closed {
            return None;
        }
        let limits = &self.settings.limits;
        match &self.doing {
            Doing::Nothing => {
                let idle = self.quiet + limits.idle;
                Some(if self.login.is_in() { idle } else { idle.min(self.since + limits.login) })
            }
            Doing::Transferring(transfer) => transfer.grace_ends(limits.grace),
            Doing::Checking(_) | Doing::Securing | Doing::Filing(..) | Doing::Asking(_) | Doing::Looking => {
                None
            }
        }
    }

    /// Whether the driver may read on: the queue has room.
    #[must_use]
    pub fn wants_lines(&self) -> bool {
        self.life != Life::Closed && self.queue.len() < self.settings.limits.queued_lines
    }

    /// Whether the session is over; only what was polled already is still to be done.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.life == Life::Closed
    }

    fn say(&mut self, reply: Reply) {
        self.out.push_back(Output::Say(reply));
    }

    fn tell(&mut self, event: Event) {
        self.out.push_back(Output::Tell(event));
    }

    /// A line came. During a transfer some verbs are heard at once: the effect of ABOR jumps, its answer keeps its
    /// place; STAT is answered at once unless something came before it that is not.
    fn line(&mut self, line: Result<Vec<u8>, LineFault>) {
        if matches!(self.life, Life::PeerGone | Life::Closed) {
            return;
        }
        if let (Doing::Transferring(transfer), Ok(bytes)) = (&mut self.doing, &line)
            && let Some((verb, bare)) = jumping(bytes)
        {
            match verb {
                Verb::Abor if !transfer.stopping => {
                    transfer.stopping = true;
                    self.out.push_back(Output::Stop);
                    self.queue.push_back(Queued::Aborted);
                    return;
                }
                Verb::Stat if bare && self.queue.is_empty() && !transfer.measuring => {
                    transfer.measuring = true;
                    self.out.push_back(Output::Measure);
                    return;
                }
                _ => {}
            }
        }
        self.queue.push_back(Queued::Line(line));
    }

    /// Obeys what waits until something is at work.
    fn proceed(&mut self, now: Instant) {
        while matches!(self.doing, Doing::Nothing) && self.life != Life::Closed {
            // An ABOR that has stopped its transfer is answered even now.
            if self.life == Life::Draining && !matches!(self.queue.front(), Some(Queued::Aborted)) {
                self.say(replies::going_down());
                self.close("the server stops");
                return;
            }
            let Some(next) = self.queue.pop_front() else {
                self.queue = VecDeque::new();
                if self.life == Life::PeerGone {
                    self.close("connection closed by the client");
                }
                return;
            };
            self.quiet = now;
            match next {
                Queued::Aborted => self.say(replies::aborted()),
                Queued::Line(Ok(line)) => self.obey(now, &line),
                Queued::Line(Err(fault)) => {
                    self.memory = Memory::Nothing;
                    self.say(replies::bad_line(fault));
                }
            }
        }
    }

    /// No more lines come. A transfer goes on only if its client has said goodbye in order.
    fn peer_gone(&mut self) {
        if !matches!(self.life, Life::Open | Life::Draining) {
            return;
        }
        self.life = Life::PeerGone;
        let goodbye =
            |queued: &Queued| matches!(queued, Queued::Line(Ok(line)) if verb_of(line) == Some(Verb::Quit));
        if let Doing::Transferring(transfer) = &mut self.doing
            && !self.queue.iter().any(goodbye)
        {
            self.queue.clear();
            if !transfer.stopping {
                transfer.stopping = true;
                self.out.push_back(Output::Stop);
            }
        }
    }

    fn deadline(&mut self, now: Instant) {
        if self.poll_timeout().is_none_or(|due| now < due) {
            return;
        }
        match &self.doing {
            Doing::Nothing => {
                let limits = &self.settings.limits;
                let (limit, why) = if self.login.is_in() || now >= self.quiet + limits.idle {
                    (limits.idle, "idle too long")
                } else {
                    (limits.login, "no login in time")
                };
                self.say(replies::timeout(limit, why));
                self.close(why);
            }
            Doing::Transferring(_) => self.say_opening(),
            Doing::Checking(_) | Doing::Securing | Doing::Filing(..) | Doing::Asking(_) | Doing::Looking => {}
        }
    }

    /// Ends the session; what waits in the queue is not obeyed any more.
    fn close(&mut self, why: &'static str) {
        self.drop_plan();
        self.queue.clear();
        self.life = Life::Closed;
        self.tell(Event::Ended { why });
        self.out.push_back(Output::Close);
    }
}

/// The verb of a line that is heard during a transfer, and whether it stands alone.
fn jumping(line: &[u8]) -> Option<(Verb, bool)> {
    let verb = verb_of(line)?;
    let bare = line.split(|b| *b == b' ').skip(1).all(<[u8]>::is_empty);
    (law(verb).during == During::Jumps).then_some((verb, bare))
}

fn verb_of(line: &[u8]) -> Option<Verb> {
    Verb::read(line.split(|b| *b == b' ').next()?)
}

#[cfg(test)]
mod tests;
