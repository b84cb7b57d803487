//! NOOP while bytes pass, where the server bears it, and the count of the answers that it owes: a 200 that comes late must not
//! be taken for the answer to the next command.
//!
//! ```text
//!   NOOP, NOOP, 200, 226          one is owed: a fence (PWD) is said, and what comes before its answer belongs to NOOP
//!   … 200, 257                    it has come
//!   … 257                         it never will: this server swallows NOOPs, and hears no more of them
//! ```

use std::time::Instant;

use twoport_proto::reply_reader::ReceivedReply;
use twoport_proto::{Request, Verb};

use super::io::Answer;
use super::{ClientSession, Doing};
use crate::quirks::Quirks;

/// What keeps a silent control connection alive, and what is owed for it.
#[derive(Debug)]
pub(super) struct Alive {
    quirks: Quirks,
    /// When the next NOOP is due.
    due: Option<Instant>,
    /// NOOPs that have no answer yet.
    owed: u32,
}

impl Default for Alive {
    fn default() -> Self {
        Alive { quirks: Quirks::UNKNOWN, due: None, owed: 0 }
    }
}

impl ClientSession {
    /// The server has greeted: who is it?
    pub(super) fn meet(&mut self, greeting: &ReceivedReply) {
        let lines: Vec<_> = greeting.lines.iter().map(|line| String::from_utf8_lossy(line)).collect();
        self.alive.quirks = Quirks::of(&lines.join("\n"));
    }

    /// When the next NOOP is due, while bytes pass.
    pub(super) fn noop_due(&mut self, now: Instant) -> Option<Instant> {
        let often = self.settings.noop.filter(|_| self.alive.quirks.bears_noop)?;
        Some(*self.alive.due.get_or_insert(now + often))
    }

    /// No NOOP is wanted.
    pub(super) fn forget_noop(&mut self) {
        self.alive.due = None;
    }

    pub(super) fn say_noop(&mut self) {
        self.alive.due = None;
        self.alive.owed += 1;
        self.send(Request::bare(Verb::Noop));
    }

    /// Whether this is the answer to a NOOP: nothing else is answered 200 while a transfer runs.
    pub(super) fn is_owed(&mut self, reply: &ReceivedReply) -> bool {
        let owed = self.alive.owed > 0 && reply.code == 200;
        self.alive.owed -= u32::from(owed);
        owed
    }

    /// A transfer has its last word: gives the answer, once nothing is owed any more.
    pub(super) fn settle(&mut self, answer: Answer) {
        if self.alive.owed == 0 {
            self.doing = Doing::Idle;
            return self.answer(answer);
        }
        self.doing = Doing::Fencing(answer);
        // Its answer is 257 or a refusal, and neither is what NOOP is answered.
        self.send(Request::bare(Verb::Pwd));
    }

    /// A reply behind the last word of a transfer.
    pub(super) fn fence_reply(&mut self, reply: &ReceivedReply) {
        if reply.code < 200 || self.is_owed(reply) {
            return;
        }
        if std::mem::take(&mut self.alive.owed) > 0 {
            self.alive.quirks.bears_noop = false;
        }
        self.end_fence(Doing::Idle);
    }

    /// Gives the answer that was kept, and does this from now on.
    pub(super) fn end_fence(&mut self, then: Doing) {
        if let Doing::Fencing(answer) = std::mem::replace(&mut self.doing, then) {
            self.answer(answer);
        }
    }
}
