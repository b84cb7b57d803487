//! SITE WHY: the last failure of a data connection, remembered and explained.

use std::time::Instant;

use twoport_plan::LinkFault;
use twoport_proto::{Reply, Verb};

use super::ServerSession;
use crate::event::Event;

/// What went wrong last.
#[derive(Debug)]
pub(super) struct LastFault {
    at: Instant,
    verb: Verb,
    fault: LinkFault,
}

impl ServerSession {
    /// Notes why a command had no data connection, or lost it, and tells onlookers.
    pub(super) fn failed(&mut self, now: Instant, verb: Verb, fault: LinkFault) {
        self.tell(Event::LinkFailed { verb, fault: fault.clone() });
        self.missed(&fault);
        self.last_fault = Some(Box::new(LastFault { at: now, verb, fault }));
    }

    pub(super) fn why(&self, now: Instant) -> Reply {
        let Some(LastFault { at, verb, fault }) = self.last_fault.as_deref() else {
            return Reply::new(211, "No data connection of this session has failed.");
        };
        let seconds = now.saturating_duration_since(*at).as_secs();
        let lines = fault.at_length().into_iter().map(String::into_bytes).collect::<Vec<_>>();
        let head = format!("{verb} failed {seconds} s ago ({}):", fault.name());
        Reply::of_lines(211, head, lines, "End of SITE WHY.")
    }
}
