//! NOOP while bytes pass, where the server bears it, and whose its answers are: a 200 that comes late must not be taken for the
//! answer to the next command.
//!
//! ```text
//!   NOOP, NOOP, 200, 226          one is owed: a fence (PWD) is said, and what comes before its answer belongs to NOOP
//!   … 200, 257                    it has come
//!   … 257                         it never will: this server swallows NOOPs, and hears no more of them
//! ```

use std::time::Instant;

use twoport_proto::reply_reader::ReceivedReply;
use twoport_proto::{Request, Verb};

use super::ClientSession;
use super::flight::Expected;
use crate::quirks::Quirks;

/// What keeps a silent control connection alive.
#[derive(Debug)]
pub(super) struct Alive {
    quirks: Quirks,
    /// When the next NOOP is due.
    due: Option<Instant>,
}

impl Default for Alive {
    fn default() -> Self {
        Alive { quirks: Quirks::UNKNOWN, due: None }
    }
}

impl ClientSession {
    /// The server has greeted: who is it?
    pub(super) fn meet(&mut self, greeting: &ReceivedReply) {
        let lines: Vec<_> = greeting.lines.iter().map(|line| String::from_utf8_lossy(line)).collect();
        self.alive.quirks = Quirks::of(&lines.join("\n"));
    }

    /// What is known of the server.
    pub(super) fn quirks(&self) -> Quirks {
        self.alive.quirks
    }

    /// When the next NOOP is due, while bytes pass.
    pub(super) fn noop_due(&mut self, now: Instant) -> Option<Instant> {
        let often = self.settings.noop.filter(|_| self.alive.quirks.bears_noop)?;
        // TYPE is answered 200 too: a NOOP beside one could not be told from it.
        let plain = |whom: &Expected| !matches!(whom, Expected::Mentioned { .. } | Expected::Command);
        let is_due = self.expected.iter().all(plain);
        is_due.then(|| *self.alive.due.get_or_insert(now + often))
    }

    /// No NOOP is wanted.
    pub(super) fn forget_noop(&mut self) {
        self.alive.due = None;
    }

    pub(super) fn say_noop(&mut self) {
        self.alive.due = None;
        self.dispatch(Request::bare(Verb::Noop), Expected::Noop);
    }

    /// Whether a final reply is the answer to a NOOP: nothing else of what is expected then is answered 200.
    pub(super) fn is_for_noop(&mut self, reply: &ReceivedReply) -> bool {
        let Some(place) = self.expected.iter().position(|whom| *whom == Expected::Noop) else { return false };
        if reply.code == 200 {
            self.expected.remove(place);
            return true;
        }
        // It was the turn of a NOOP, and something else is answered: there will be no answer.
        while self.expected.front() == Some(&Expected::Noop) {
            self.expected.pop_front();
            self.alive.quirks.bears_noop = false;
        }
        false
    }

    /// A transfer has its last word: where answers to NOOP are owed, says what marks their end. Its own answer is 257 or a
    /// refusal, and neither is what NOOP is answered.
    pub(super) fn fence(&mut self) {
        if self.expected.contains(&Expected::Noop) {
            self.dispatch(Request::bare(Verb::Pwd), Expected::Fence);
        }
    }
}
