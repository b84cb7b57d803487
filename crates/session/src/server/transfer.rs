//! The life of one transfer: its file opens, its link comes, 150, bytes, the end, 226; and all the ways in which it
//! falls short of that.
//!
//! ```text
//!  Opening ──Ready──> Waiting ──Linked──> Running ──Received──> Keeping (uploads) ──┐
//!     │                  │ (150 after the grace)  │                                 │
//!     └──────────────────┴────────────────────────┴──────────────Ended──────────────┴──> Nothing
//! ```

use std::time::{Duration, Instant};

use twoport_plan::data::DataPlan;
use twoport_proto::modes::{Algorithm, Mode, Structure, Type};
use twoport_proto::{FtpPath, Reply, Verb};

use super::io::{Ending, Link, LinkId, Output, Task, TransferOrder};
use super::{Doing, Life, ServerSession, replies};
use crate::event::Event;

/// A transfer, or a digest, that runs beside the session.
#[derive(Debug)]
pub(super) struct Transfer {
    verb: Verb,
    path: FtpPath,
    /// The name as the peer gave it, for texts.
    shown: Vec<u8>,
    /// What is asked of a digest.
    algorithm: Option<Algorithm>,
    ascii: bool,
    /// Whether its data connection was open before it.
    open: bool,
    /// The data connection that it leaves open.
    kept: Option<LinkId>,
    size: Option<u64>,
    began: Instant,
    stage: Stage,
    /// Whether 150 was said.
    opening_said: bool,
    /// Whether it was told to stop.
    pub(super) stopping: bool,
    /// Whether a STAT waits for the count.
    pub(super) measuring: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Opening,
    /// The file is open since then, the link is not there.
    Waiting(Instant),
    Running,
    /// All bytes are there and are being kept: too late to stop.
    Keeping,
}

impl Transfer {
    /// When 150 is said even without a link (architecture: link first, but some clients connect only after 150).
    pub(super) fn grace_ends(&self, grace: Duration) -> Option<Instant> {
        match self.stage {
            Stage::Waiting(since) if !self.opening_said && !self.stopping => Some(since + grace),
            _ => None,
        }
    }
}

impl ServerSession {
    /// Begins a transfer over the data plan; without a plan it is 425 at once.
    pub(super) fn begin(&mut self, now: Instant, verb: Verb, path: FtpPath, shown: Vec<u8>, task: Task) {
        if let Some(refusal) = self.wrong_protection() {
            self.use_plan_up();
            return self.say(refusal);
        }
        let link = match self.plan.take() {
            DataPlan::Passive(id) => Link::Passive(id),
            DataPlan::Active(target) => Link::Active(target),
            DataPlan::Open(id) => Link::Open(id),
            DataPlan::None => return self.say(replies::no_plan()),
        };
        let listing = matches!(task, Task::List(_));
        let ascii = matches!(self.parameters.kind, Type::Ascii(_));
        let order = TransferOrder {
            verb,
            link,
            private: self.is_private(),
            task,
            // Listings are lines with CRLF already, whatever the type.
            ascii: ascii && !listing,
            records: self.parameters.structure == Structure::Record && !listing,
            mode: self.parameters.mode,
        };
        self.start(now, order, path, shown, ascii || listing, None);
    }

    /// Begins a digest: like a transfer, so that a long one can be stopped and asked for, but without a link.
    pub(super) fn begin_digest(
        &mut self,
        now: Instant,
        verb: Verb,
        shown: Vec<u8>,
        algorithm: Algorithm,
        range: Range,
    ) {
        let Some(path) = self.resolve(verb, &shown) else { return };
        let Range { from, length } = range;
        let task = Task::Digest { path: path.clone(), algorithm, from, length };
        let mode = Mode::Stream;
        let order = TransferOrder {
            verb,
            link: Link::None,
            private: false,
            task,
            ascii: false,
            records: false,
            mode,
        };
        self.start(now, order, path, shown, false, Some(algorithm));
    }

    fn start(
        &mut self,
        now: Instant,
        order: TransferOrder,
        path: FtpPath,
        shown: Vec<u8>,
        ascii: bool,
        algorithm: Option<Algorithm>,
    ) {
        self.doing = Doing::Transferring(Box::new(Transfer {
            verb: order.verb,
            path,
            shown,
            algorithm,
            ascii,
            open: matches!(order.link, Link::Open(_)),
            kept: None,
            size: None,
            began: now,
            stage: Stage::Opening,
            opening_said: false,
            stopping: false,
            measuring: false,
        }));
        self.out.push_back(Output::Begin(Box::new(order)));
    }

    pub(super) fn ready(&mut self, now: Instant, path: FtpPath, size: Option<u64>) {
        if let Doing::Transferring(transfer) = &mut self.doing
            && transfer.stage == Stage::Opening
        {
            transfer.stage = if transfer.algorithm.is_some() { Stage::Running } else { Stage::Waiting(now) };
            transfer.path = path;
            transfer.size = size;
        }
    }

    pub(super) fn linked(&mut self) {
        if let Doing::Transferring(transfer) = &mut self.doing
            && matches!(transfer.stage, Stage::Waiting(_))
        {
            transfer.stage = Stage::Running;
            if !transfer.stopping {
                self.say_opening();
            }
        }
    }

    /// 150, once.
    pub(super) fn say_opening(&mut self) {
        if let Doing::Transferring(transfer) = &mut self.doing
            && !transfer.opening_said
        {
            transfer.opening_said = true;
            let reply = match transfer.verb {
                // STOU's form is fixed.
                verb if transfer.open && verb != Verb::Stou => {
                    replies::open_already(&transfer.shown, transfer.size)
                }
                Verb::List | Verb::Nlst | Verb::Mlsd => replies::opening_list(),
                Verb::Stou => replies::opening_unique(&transfer.path),
                _ => replies::opening(transfer.ascii, &transfer.shown, transfer.size),
            };
            self.say(reply);
        }
    }

    /// An upload's bytes are all there. A control connection that closed at the same time, or an ABOR, has been heard
    /// by now: a client that died is not taken for one that closed in order.
    pub(super) fn received(&mut self) {
        if let Doing::Transferring(transfer) = &mut self.doing
            && !transfer.stopping
            && transfer.stage == Stage::Running
        {
            transfer.stage = Stage::Keeping;
            self.out.push_back(Output::Keep);
        }
    }

    /// The data connection stays open for the next transfer. Whoever stops a transfer closes it.
    pub(super) fn kept(&mut self, id: LinkId) {
        match &mut self.doing {
            Doing::Transferring(transfer) if self.life != Life::Closed => transfer.kept = Some(id),
            _ => self.out.push_back(Output::Forget(id)),
        }
    }

    pub(super) fn measured(&mut self, bytes: u64) {
        if let Doing::Transferring(transfer) = &mut self.doing
            && std::mem::take(&mut transfer.measuring)
        {
            let running = Some((transfer.verb, transfer.shown.clone(), bytes, transfer.size));
            let reply = self.status(running);
            self.say(reply);
        }
    }

    pub(super) fn ended(&mut self, now: Instant, ending: Ending) {
        let Doing::Transferring(transfer) = std::mem::replace(&mut self.doing, Doing::Nothing) else {
            debug_assert!(false, "the driver ended a transfer that never began");
            return;
        };
        if transfer.measuring {
            let reply = self.status(None);
            self.say(reply);
        }
        let (reply, bytes, fault) = outcome(&transfer, ending.clone());
        if matches!(transfer.stage, Stage::Running | Stage::Keeping) && transfer.algorithm.is_none() {
            self.moved(transfer.verb, bytes, transfer.open);
        }
        if let Ending::NoLink(fault) | Ending::LinkBroke { fault, .. } = ending {
            self.failed(now, transfer.verb, fault);
        }
        let code = reply.code.0;
        self.tell(Event::TransferEnded {
            verb: transfer.verb,
            path: transfer.path,
            bytes,
            took: now.saturating_duration_since(transfer.began),
            code,
            fault,
        });
        if let Some(id) = transfer.kept {
            self.make_plan(DataPlan::Open(id));
        }
        if self.life != Life::Closed {
            self.say(reply);
        }
    }
}

/// Part of a file: from byte `from` on, `length` bytes or to the end.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Range {
    pub(super) from: u64,
    pub(super) length: Option<u64>,
}

/// What is said at the end, how much was moved, and why it was not all.
fn outcome(transfer: &Transfer, ending: Ending) -> (Reply, u64, Option<String>) {
    let verb = transfer.verb;
    match ending {
        Ending::Whole { bytes } => {
            let reply = if verb == Verb::Stou {
                replies::stored_as(&transfer.path)
            } else if transfer.kept.is_some() {
                replies::complete_and_open()
            } else {
                replies::transfer_complete()
            };
            (reply, bytes, None)
        }
        Ending::NoFile(failure) => {
            (replies::refused(verb, &transfer.shown, failure), 0, Some(failure.phrase().to_owned()))
        }
        Ending::NoLink(fault) => (replies::no_link(&fault), 0, Some(fault.to_string())),
        Ending::FileFailed { bytes, failure } => (
            replies::file_failed(verb, &transfer.shown, failure, bytes),
            bytes,
            Some(failure.phrase().to_owned()),
        ),
        Ending::LinkBroke { bytes, fault } => {
            (replies::link_broke(&fault, bytes), bytes, Some(fault.to_string()))
        }
        Ending::Stopped { bytes } if transfer.algorithm.is_some() => {
            (replies::digest_stopped(), bytes, Some("stopped".to_owned()))
        }
        Ending::Stopped { bytes } => (replies::transfer_stopped(bytes), bytes, Some("stopped".to_owned())),
        Ending::Digest { hash, range } => {
            let reply = replies::digest(verb, transfer.algorithm, &hash, range, &transfer.shown);
            (reply, range.1 - range.0, None)
        }
    }
}
