//! SITE DOCTOR: what this end saw of the session's two connections, for an account that may ask. What was said and how it ended
//! the machine knows; what is to be seen of sockets its driver tells.

use twoport_plan::{LinkFault, Stall};
use twoport_proto::{Reply, Sightings, Verb};

use super::io::Output;
use super::{Doing, ServerSession, verb_of};
use crate::law::{Plan, law};
use crate::rights::Right;

impl ServerSession {
    pub(super) fn doctor(&mut self) {
        match self.lacking(Right::Doctor) {
            Some(refusal) => self.say(refusal),
            None => {
                self.doing = Doing::Looking;
                self.out.push_back(Output::Look);
            }
        }
    }

    /// The driver tells what it saw, of itself or because it was asked.
    pub(super) fn saw(&mut self, seen: Sightings) {
        self.note(|known| known.learn(seen));
        if matches!(self.doing, Doing::Looking) {
            self.doing = Doing::Nothing;
            let secure = Some(self.channel().is_some());
            self.note(|known| known.secure = secure);
            let lines = self.seen.as_deref().map(Sightings::write).unwrap_or_default();
            self.say(Reply::of_lines(211, "What this server saw:", lines, "End of SITE DOCTOR."));
        }
    }

    /// A line that asks for a data connection begins anew, even one that will be refused.
    pub(super) fn heard(&mut self, line: &[u8]) {
        let asks = |verb: Verb| law(verb).plan == Plan::Makes;
        if self.rights().has(Right::Doctor) && verb_of(line).is_some_and(asks) {
            let heard = Some(line[..line.len().min(LONGEST)].to_vec());
            self.seen = Some(Box::new(Sightings { heard, ..Sightings::default() }));
        }
    }

    /// 227 or 229 is said.
    pub(super) fn told(&mut self, reply: &Reply) {
        self.note(|known| {
            known.told = Some([reply.code.to_string().as_bytes(), b" ", reply.text()].concat());
        });
    }

    /// A data connection failed, or did not come about.
    pub(super) fn missed(&mut self, fault: &LinkFault) {
        self.note(|known| {
            known.fault = Some(fault.name().to_owned());
            known.unacknowledged = match fault {
                LinkFault::Stalled { stall: Stall::Lost(bytes) | Stall::Full(bytes), .. } => Some(*bytes),
                _ => None,
            };
        });
    }

    /// A transfer is over that had a data connection: so many bytes, more of them if the connection was open before.
    pub(super) fn moved(&mut self, verb: Verb, bytes: u64, open: bool) {
        self.note(|known| {
            let count = match verb {
                Verb::Stor | Verb::Stou | Verb::Appe => &mut known.received,
                _ => &mut known.sent,
            };
            let before = if open { count.unwrap_or(0) } else { 0 };
            *count = Some(before.saturating_add(bytes));
        });
    }

    fn note(&mut self, what: impl FnOnce(&mut Sightings)) {
        if self.rights().has(Right::Doctor) {
            what(self.seen.get_or_insert_default());
        }
    }
}

/// Bytes of a line that are kept; what is longer is none of these commands.
const LONGEST: usize = 256;
