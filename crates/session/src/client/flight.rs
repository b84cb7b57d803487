//! Commands in one flight: whose the next reply is, the port that is asked for before it is needed, and transfers that are
//! asked for ahead of their turn.
//!
//! ```text
//!   RETR a, MDTM a, EPSV   in one flight, once the connection for a is there: 150, bytes, 226, 213, 229, and the next
//!                          connection can be made while nobody waits
//!   RETR a, RETR b, RETR c over one data connection that stays open (MODE B): 150, 250, 125, 250, 125, 250
//! ```
//!
//! A server that loses what comes during a transfer, or a box on the way that reads replies by the packet, makes the port
//! that was asked for ahead useless. Then one command at a time is said from there on, in this session.

use twoport_proto::reply_reader::ReceivedReply;
use twoport_proto::{Request, Verb};

use super::io::{Failed, Flights, Output, Rung};
use super::ladder::Stage;
use super::{CHATTER, ClientSession, Doing};

/// Whose a final reply will be. Replies come in the order of the commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expected {
    /// What is under way waits for it.
    Own,
    /// It was said beside the transfer, and its reply is kept.
    Also,
    /// Nobody waits for it; a refusal of TYPE matters all the same.
    Mentioned { kind: bool },
    /// The port for the next transfer.
    Ahead,
    /// A transfer that is asked for ahead of its turn.
    Command,
    /// NOOP while bytes pass. Its answer may overtake the transfer's last word.
    Noop,
    /// What was said behind the last word, to know where the answers to NOOP end.
    Fence,
}

/// The port that was asked for ahead: on which rung, and what was answered, once it was.
#[derive(Debug)]
pub(super) struct Ahead {
    pub(super) rung: usize,
    pub(super) reply: Option<ReceivedReply>,
}

impl ClientSession {
    /// Sends what is under way, and waits for its reply.
    pub(super) fn send(&mut self, request: Request) {
        self.dispatch(request, Expected::Own);
    }

    /// Sends something whose reply is for `whom`.
    pub(super) fn dispatch(&mut self, request: Request, whom: Expected) {
        self.expected.push_back(whom);
        self.out.push_back(Output::Send(request));
    }

    /// Whether a flight may begin now.
    pub(super) fn flies(&self) -> bool {
        self.settings.flights == Flights::Now
    }

    /// Gives a reply to whom it belongs.
    pub(super) fn reply(&mut self, reply: ReceivedReply) {
        // 421 may come at any time, and means the end.
        if reply.code == 421 {
            return self.gone(Failed::Refused(reply));
        }
        let is_final = reply.code >= 200;
        if is_final && self.is_for_noop(&reply) {
            return;
        }
        // Each "wait" begins the patience anew; one who says nothing else is not waited for.
        self.heard += 1;
        if self.heard > CHATTER {
            let text = format!("the server said {CHATTER} replies and no answer");
            return self.gone(Failed::OutOfStep(text));
        }
        // A reply that nobody is waiting for is late, and of no use any more.
        let Some(whom) = self.expected.front().copied() else { return };
        if is_final {
            self.expected.pop_front();
        }
        match whom {
            Expected::Own => self.own_reply(reply),
            Expected::Command => self.early.push_back(reply),
            _ if !is_final => {}
            Expected::Also => {
                self.also.push(reply);
                self.settle();
            }
            Expected::Ahead => {
                if let Some(ahead) = &mut self.ahead {
                    ahead.reply = Some(reply);
                }
            }
            Expected::Mentioned { kind: true } if reply.code >= 400 => {
                self.settings.flights = Flights::Never;
                let text =
                    format!("TYPE was refused in the middle of a flight: {} {}", reply.code, reply.text());
                self.gone(Failed::OutOfStep(text));
            }
            Expected::Fence => self.settle(),
            Expected::Mentioned { .. } | Expected::Noop => {}
        }
    }

    /// Once the transfer's last word and all that was said beside it are answered, the ask is.
    pub(super) fn settle(&mut self) {
        if self.expected.contains(&Expected::Also) || self.expected.contains(&Expected::Fence) {
            return;
        }
        match std::mem::replace(&mut self.doing, Doing::Idle) {
            Doing::Settling(reply) => self.finished(reply),
            // Its bytes still pass.
            other => self.doing = other,
        }
    }

    /// Behind the command of a transfer whose connection is there: what is said beside it, and the port for the next one.
    pub(super) fn fly(&mut self) {
        let Doing::Climbing(climb) = &mut self.doing else { return };
        let (also, more) = (std::mem::take(&mut climb.ask.also), climb.ask.more);
        let rung = climb.rung;
        let verb = match self.settings.rungs[rung % self.settings.rungs.len()] {
            Rung::Epsv => Verb::Epsv,
            Rung::Pasv => Verb::Pasv,
            // Nothing is sent in one flight with PORT or EPRT: helpers on the way read them by the packet.
            _ => return,
        };
        if !self.flies() {
            return;
        }
        for request in also {
            self.dispatch(request, Expected::Also);
        }
        // In blocks the connection stays.
        if more && !self.block {
            self.ahead = Some(Ahead { rung, reply: None });
            self.dispatch(Request::bare(verb), Expected::Ahead);
        }
    }

    /// Takes up the port that was asked for ahead; false when there is none.
    pub(super) fn take_ahead(&mut self) -> bool {
        let Some(ahead) = self.ahead.take() else { return false };
        let Doing::Climbing(climb) = &mut self.doing else { return false };
        climb.rung = ahead.rung;
        climb.in_flight = true;
        climb.stage = Stage::Asking;
        match ahead.reply {
            Some(reply) => self.passive_reply(&reply),
            None => self.becomes_own(Expected::Ahead),
        }
        true
    }

    /// What was asked for ahead did not come to anything: the same rung once more, and one command at a time from now on.
    pub(super) fn land(&mut self, why: String) {
        self.settings.flights = Flights::Never;
        if let Doing::Climbing(climb) = &mut self.doing {
            climb.in_flight = false;
        }
        self.out.push_back(Output::DropLink);
        self.out.push_back(Output::Stepped(format!("{why}; one command at a time from now on")));
        self.take_rung();
    }

    /// Says the command of a transfer to come.
    pub(super) fn say_ahead(&mut self, request: Request, ascii: bool) {
        self.set_type(ascii);
        self.commands.push_back(request.clone());
        self.dispatch(request, Expected::Command);
    }

    /// TYPE in a flight: it is not waited for.
    pub(super) fn set_type(&mut self, ascii: bool) {
        if self.ascii == Some(ascii) {
            return;
        }
        if let Ok(request) = Request::new(Verb::Type, if ascii { "A" } else { "I" }) {
            self.ascii = Some(ascii);
            self.dispatch(request, Expected::Mentioned { kind: true });
        }
    }

    /// Gives the transfer under way the command that was said ahead for it; false when there is none.
    pub(super) fn take_command(&mut self) -> bool {
        let Doing::Climbing(climb) = &self.doing else { return false };
        if climb.ask.from > 0 || climb.ask.to.is_some() || self.commands.front() != Some(&climb.ask.request) {
            return false;
        }
        self.commands.pop_front();
        let link = self.kept_link();
        if let Doing::Climbing(climb) = &mut self.doing {
            climb.stage = Stage::Commanded(link, None);
        }
        // What was answered already, to the last word on this one; the rest is for the next.
        while let Some(reply) = self.early.pop_front() {
            let is_final = reply.code >= 200;
            self.own_reply(reply);
            if is_final {
                return true;
            }
        }
        self.becomes_own(Expected::Command);
        true
    }

    fn becomes_own(&mut self, was: Expected) {
        if let Some(place) = self.expected.iter().position(|whom| *whom == was) {
            self.expected[place] = Expected::Own;
        }
    }

    /// Replies to what was said beside the last transfer, in its order.
    pub fn take_also(&mut self) -> Vec<ReceivedReply> {
        std::mem::take(&mut self.also)
    }

    /// Whether commands may be said in one flight, as far as is known now.
    #[must_use]
    pub fn flights(&self) -> Flights {
        self.settings.flights
    }

    /// A flight of harmless commands was answered whole: others may be said.
    pub fn flights_arrive(&mut self) {
        if self.settings.flights == Flights::Later {
            self.settings.flights = Flights::Now;
        }
    }

    /// Whether a flight has been seen to arrive.
    #[must_use]
    pub fn has_flown(&self) -> bool {
        self.flown
    }

    /// Whether the next transfer needs no new data connection, so that [`super::io::Ask::Ahead`] can be asked.
    #[must_use]
    pub fn keeps_link(&self) -> bool {
        self.block && self.kept.is_some()
    }
}
