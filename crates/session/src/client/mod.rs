//! `ClientSession`: the user's side of a session. An ask becomes a short script of commands with second tries; the
//! ladder of data connections steps down on refusals *and* on connections that do not come about.
//!
//! ```text
//!   EPSV ──refused, or nobody answers──> PASV ──the same──> PORT or EPRT ──the same──> by a mapping
//!                                                                  no road <── by simultaneous open <──┘
//! ```

pub mod io;

mod alive;
mod flight;
mod ladder;
mod login;

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use twoport_proto::modes::Mode;
use twoport_proto::reply_reader::ReceivedReply;
use twoport_proto::{Request, Verb};

use self::alive::Alive;
use self::flight::{Ahead, Expected};
use self::io::{Answer, Ask, Failed, Flights, Input, Output, Road, Rung};
use self::ladder::Climb;
use self::login::Step;

/// How long a server's last word on a transfer that was cut is waited for.
const CUT_PATIENCE: Duration = Duration::from_secs(2);

/// Replies that one ask may bring: a slow server says 1yz now and then, and no transfer needs a hundred.
const CHATTER: u32 = 1000;

/// How a client treats its server.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The rungs that may be tried, in this order; the first may be what worked last time.
    pub rungs: Vec<Rung>,
    /// How long a reply may take: a slow disk, a tape, a busy server.
    pub patience: Duration,
    /// How long one rung's connection, and the reply to its command, may take before the next is tried.
    pub rung_patience: Duration,
    /// How long 150 may take once the transfer was asked for. A box that takes a connection in the server's stead is
    /// given up after this; so is a slow tape, which is why the last try has the patience of any other reply.
    pub opening_patience: Duration,
    /// How long the control connection may be silent while bytes pass before NOOP is said, to a server that is known to
    /// bear it; some boxes forget a connection after a minute. `None` for never.
    pub noop: Option<Duration>,
    /// Whether commands may be said in one flight.
    pub flights: Flights,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            rungs: vec![Rung::Epsv, Rung::Pasv, Rung::Active, Rung::Mapped, Rung::Crossing],
            patience: Duration::from_secs(60),
            // A SYN is sent again after 1 and after 3 seconds: a blocked rung costs this and no more.
            rung_patience: Duration::from_millis(2800),
            opening_patience: Duration::from_secs(6),
            noop: Some(Duration::from_secs(45)),
            flights: Flights::default(),
        }
    }
}

/// The two ends of the control connection.
#[derive(Debug, Clone, Copy)]
pub struct Ends {
    /// The server, as we reached it.
    pub server: SocketAddr,
    /// Our own address.
    pub local: SocketAddr,
}

/// One control session of a client.
#[derive(Debug)]
pub struct ClientSession {
    settings: Settings,
    ends: Ends,
    doing: Doing,
    /// The rung to begin with: the one that worked last.
    rung: usize,
    /// TYPE as it is, once it was said.
    ascii: Option<bool>,
    alive: Alive,
    /// Whose the next final replies are, in the order in which they will come.
    expected: VecDeque<Expected>,
    /// Replies to what was said beside the transfer.
    also: Vec<ReceivedReply>,
    /// The port that was asked for before it is needed.
    ahead: Option<Ahead>,
    /// Replies to transfers that were asked for ahead of their turn.
    early: VecDeque<ReceivedReply>,
    /// Commands of transfers that were said ahead of their turn.
    commands: VecDeque<Request>,
    /// Whether a port that was asked for ahead has led somewhere.
    flown: bool,
    /// MODE B was agreed on.
    block: bool,
    /// The road of the transfer under way, and of the data connection that is open for the next.
    road: Option<Road>,
    kept: Option<Road>,
    /// The address that the server sees us come from, once it has said so.
    outer: Option<Ipv4Addr>,
    out: VecDeque<Output>,
    due: Option<Instant>,
    /// Replies since the last ask.
    heard: u32,
}

#[derive(Debug)]
enum Doing {
    /// Nothing is asked.
    Idle,
    /// The login script.
    Login(Step),
    /// One command's final reply is awaited; of MODE, when it is that.
    Saying(Option<Mode>),
    /// A data connection is being made.
    Climbing(Box<Climb>),
    /// Bytes pass; a final reply may come before they end.
    Moving(Option<ReceivedReply>),
    /// Bytes have ended (whole or not); the final reply is awaited.
    Finishing(bool),
    /// The final reply is there; those to what was said beside the transfer are awaited.
    Settling(ReceivedReply),
    /// Nothing more can be asked.
    Closed,
}

impl ClientSession {
    /// A session over a connection that is open; the greeting is awaited by the first ask.
    #[must_use]
    pub fn new(settings: Settings, ends: Ends) -> Self {
        ClientSession {
            settings,
            ends,
            doing: Doing::Idle,
            rung: 0,
            ascii: None,
            alive: Alive::default(),
            expected: VecDeque::new(),
            also: Vec::new(),
            ahead: None,
            early: VecDeque::new(),
            commands: VecDeque::new(),
            flown: false,
            block: false,
            road: None,
            kept: None,
            outer: None,
            out: VecDeque::new(),
            due: None,
            heard: 0,
        }
    }

    /// Begins an ask. Nothing else may be asked before its answer.
    pub fn ask(&mut self, now: Instant, ask: Ask) {
        self.heard = 0;
        match (&self.doing, ask) {
            (Doing::Closed, Ask::Finish { whole: true }) => self.answer(Answer::Unconfirmed),
            (Doing::Closed, _) => {
                self.answer(Answer::Failed(Failed::Gone("the connection is closed".to_owned())))
            }
            (Doing::Moving(early), Ask::Finish { whole }) => {
                let early = early.clone();
                self.doing = Doing::Finishing(whole);
                if let Some(reply) = early {
                    self.last_word(reply);
                }
            }
            // These have no answer, and nobody waits.
            (_, Ask::Mention(request)) => {
                return self.dispatch(request, Expected::Mentioned { kind: false });
            }
            (_, Ask::Ahead { request, ascii }) => return self.say_ahead(request, ascii),
            (Doing::Idle, Ask::Login { user, password, account }) => {
                self.begin_login(user, password, account)
            }
            (Doing::Idle, Ask::Say(request)) => {
                // Whoever says TYPE on his own knows why; the next transfer says its own again.
                if request.as_bytes().starts_with(b"TYPE ") {
                    self.ascii = None;
                }
                self.doing = Doing::Saying(None);
                self.send(request);
            }
            (Doing::Idle, Ask::Mode(mode)) => {
                self.doing = Doing::Saying(Some(mode));
                self.send_or_fail(Request::new(Verb::Mode, mode.letter()));
            }
            (Doing::Idle, Ask::Transfer(ask)) => self.climb(ask),
            (Doing::Idle, Ask::Quit) => {
                self.doing = Doing::Saying(None);
                self.send(Request::bare(Verb::Quit));
            }
            (_, ask) => {
                debug_assert!(false, "{ask:?} was asked while something else is under way");
                self.answer(Answer::Failed(Failed::OutOfStep("something else is under way".to_owned())));
            }
        }
        self.set_due(now);
    }

    /// Tells the machine what happened.
    pub fn handle(&mut self, now: Instant, input: Input) {
        let waited = matches!(input, Input::Deadline);
        match input {
            Input::Reply(reply) => self.reply(reply),
            Input::Dialled(result) => self.dialled(result),
            Input::Listening(result) => self.listening(result),
            Input::Accepted(result) => self.accepted(result),
            Input::Deadline => self.deadline(now),
            Input::Nonsense => {
                self.gone(Failed::OutOfStep("the server sent something that is no reply".to_owned()))
            }
            Input::Closed => self.gone(Failed::Gone("the server closed the control connection".to_owned())),
        }
        if !waited {
            self.set_due(now);
        }
    }

    /// How long what is under way may take from now on.
    fn set_due(&mut self, now: Instant) {
        if let Doing::Moving(None) = &self.doing {
            self.due = self.noop_due(now);
            return;
        }
        self.forget_noop();
        let patience = match &self.doing {
            Doing::Idle | Doing::Moving(_) | Doing::Closed => None,
            Doing::Climbing(climb) => Some(climb.patience(&self.settings)),
            // What was cut here may not have been noticed there: its last word is worth no more than a moment.
            Doing::Finishing(false) => Some(CUT_PATIENCE.min(self.settings.patience)),
            // What was said beside it is answered with it, or was lost.
            Doing::Settling(_) => Some(self.settings.rung_patience * 2),
            Doing::Login(_) | Doing::Saying(_) | Doing::Finishing(true) => Some(self.settings.patience),
        };
        self.due = patience.map(|patience| now + patience);
    }

    /// What to do next.
    pub fn poll(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    /// When to hand in [`Input::Deadline`] at the latest.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.due
    }

    /// The rung that the next transfer begins with: what worked last.
    #[must_use]
    pub fn rung(&self) -> Option<Rung> {
        self.settings.rungs.get(self.rung).copied()
    }

    /// Whether the server has said that the transfer is over and well, while bytes pass as far as we know.
    #[must_use]
    pub fn is_done_elsewhere(&self) -> bool {
        matches!(&self.doing, Doing::Moving(Some(reply)) if (200..300).contains(&reply.code))
    }

    fn answer(&mut self, answer: Answer) {
        self.out.push_back(Output::Answer(answer));
    }

    /// A reply to what is under way.
    fn own_reply(&mut self, reply: ReceivedReply) {
        match &mut self.doing {
            Doing::Login(_) => self.login_reply(reply),
            Doing::Climbing(_) => self.climb_reply(reply),
            Doing::Saying(_) if reply.code < 200 => {}
            Doing::Saying(mode) => {
                let mode = *mode;
                self.doing = Doing::Idle;
                let good = (200..400).contains(&reply.code);
                if let (Some(mode), true) = (mode, good) {
                    self.block = mode == Mode::Block;
                    self.kept = None;
                }
                self.answer(if good { Answer::Done(reply) } else { Answer::Failed(Failed::Refused(reply)) });
            }
            Doing::Moving(early) if reply.code >= 200 => *early = Some(reply),
            Doing::Finishing(_) if reply.code >= 200 => self.last_word(reply),
            Doing::Moving(_) | Doing::Finishing(_) | Doing::Settling(_) => {}
            // A late reply to something that was given up: nobody waits for it.
            Doing::Idle | Doing::Closed => {}
        }
    }

    /// The transfer's last word; the ask is answered when all that was said beside it is.
    fn last_word(&mut self, reply: ReceivedReply) {
        // RFC 959 §3.2: after 250 the data connection is open for the next transfer, after 226 it is not.
        self.kept = self.road.take().filter(|_| self.block && reply.code == 250);
        self.doing = Doing::Settling(reply);
        self.fence();
        self.settle();
    }

    fn finished(&mut self, reply: ReceivedReply) {
        self.doing = Doing::Idle;
        let good = (200..300).contains(&reply.code);
        self.answer(if good { Answer::Done(reply) } else { Answer::Failed(Failed::Refused(reply)) });
    }

    fn deadline(&mut self, now: Instant) {
        if self.due.is_none_or(|due| now < due) {
            return;
        }
        if let Doing::Moving(_) = self.doing {
            self.say_noop();
            return self.set_due(now);
        }
        if let Doing::Finishing(true) = self.doing {
            // All bytes are there; whether the server has them too is for a look at the size to say.
            self.doing = Doing::Closed;
            return self.answer(Answer::Unconfirmed);
        }
        if let Doing::Settling(reply) = &self.doing {
            // The transfer is over and well or not; but what was said in one flight with it got lost.
            let reply = reply.clone();
            self.finished(reply);
            self.settings.flights = Flights::Never;
            self.doing = Doing::Closed;
            return;
        }
        let why = match &self.doing {
            Doing::Climbing(climb) => climb.hung(&self.settings),
            _ => format!("the server said nothing for {} seconds", self.settings.patience.as_secs()),
        };
        self.gone(Failed::Gone(why));
    }

    fn gone(&mut self, failed: Failed) {
        let doing = std::mem::replace(&mut self.doing, Doing::Closed);
        self.kept = None;
        self.ahead = None;
        self.expected.clear();
        self.commands.clear();
        self.early.clear();
        match doing {
            Doing::Idle | Doing::Closed => {}
            Doing::Settling(reply) => {
                self.finished(reply);
                self.doing = Doing::Closed;
            }
            Doing::Finishing(true) => self.answer(Answer::Unconfirmed),
            // The driver moves bytes; it hears of the end when it asks for the final reply.
            Doing::Moving(early) => {
                if let Some(reply) = early {
                    self.doing = Doing::Moving(Some(reply));
                }
            }
            // The rung took the session along, and the next session begins with the next one; unless it was not the first
            // in this session: then one before it may have done the harm, and it deserves a session of its own.
            Doing::Climbing(climb) => {
                if climb.in_flight {
                    self.settings.flights = Flights::Never;
                }
                let blamed = climb.tried == 0 && !climb.in_flight;
                let next = if blamed { climb.rung + 1 } else { climb.rung };
                self.rung = next % self.settings.rungs.len().max(1);
                self.out.push_back(Output::DropLink);
                self.answer(Answer::Failed(failed));
            }
            Doing::Login(_) | Doing::Saying(_) | Doing::Finishing(false) => {
                self.answer(Answer::Failed(failed));
            }
        }
    }
}

#[cfg(test)]
mod tests;
