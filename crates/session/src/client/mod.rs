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
mod secure;

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use twoport_proto::modes::Mode;
use twoport_proto::reply_reader::ReceivedReply;
use twoport_proto::{Request, Verb};

use self::alive::Alive;
use self::flight::{Ahead, Expected};
use self::io::{Answer, Ask, Failed, Flights, Input, Output, Road, Rung, Tls};
use self::ladder::Climb;
use self::login::Step;
use self::secure::{Beginning, Data, Meeting};

/// How long a server's last word on a transfer that was cut is waited for.
const CUT_PATIENCE: Duration = Duration::from_secs(2);

/// How long AUTH may take: nothing has to be looked up for it, and a box on the way may swallow it.
const AUTH_PATIENCE: Duration = Duration::from_secs(10);

/// How long the first answer to an ABOR is waited for.
const ABORT_PATIENCE: Duration = Duration::from_secs(10);
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
    /// Whether TYPE is taken to be A until one was said, as RFC 959 §5.1 has it. Not every server begins so: without
    /// this, TYPE is said before the first transfer.
    pub begins_in_ascii: bool,
    /// Whether an IPv4 address is told by EPRT first, and by PORT where that is refused; else the other way round.
    pub eprt_first: bool,
    /// How long the control connection may be silent while bytes pass before NOOP is said, to a server that is known to
    /// bear it; some boxes forget a connection after a minute. `None` for never.
    pub noop: Option<Duration>,
    /// Whether commands may be said in one flight.
    pub flights: Flights,
    /// Whether TLS is wanted.
    pub tls: Tls,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            rungs: vec![Rung::Epsv, Rung::Pasv, Rung::Active, Rung::Mapped, Rung::Crossing],
            patience: Duration::from_secs(60),
            // A SYN is sent again after 1 and after 3 seconds: a blocked rung costs this and no more.
            rung_patience: Duration::from_millis(2800),
            opening_patience: Duration::from_secs(6),
            begins_in_ascii: false,
            eprt_first: false,
            noop: Some(Duration::from_secs(45)),
            flights: Flights::default(),
            tls: Tls::Off,
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
    /// What TYPE will be when the command that was said is answered well: a user may say it in words of their own.
    typing: Option<bool>,
    /// The command of the user's own that is under way.
    by_hand: Option<Request>,
    /// Whether the server has greeted.
    met: bool,
    secured: bool,
    data: Data,
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
    /// The session begins.
    Meeting(Meeting),
    /// The login script.
    Login(Step),
    /// One command's final reply is awaited; of MODE, when it is that.
    Saying(Option<Mode>),
    /// The same of a command that moves bytes elsewhere, and whether it has begun.
    Elsewhere(bool),
    /// Final replies that are still awaited after ABOR, and the one that has come.
    Aborting(usize, Option<ReceivedReply>),
    /// A data connection is being made.
    Climbing(Box<Climb>),
    /// Bytes pass; a final reply may come before they end.
    Moving(Option<ReceivedReply>),
    /// Bytes have ended (whole or not); the final reply is awaited.
    Finishing(bool),
    /// The final reply is there; those to what was said beside the transfer are awaited.
    Settling(ReceivedReply),
    /// An answer was given, and the server has yet to say its last word on what was asked: until then only an abort helps.
    Abandoned,
    /// Nothing more can be asked.
    Closed,
}

impl ClientSession {
    /// A session over a connection that is open; the greeting is awaited by the first ask.
    #[must_use]
    pub fn new(settings: Settings, ends: Ends) -> Self {
        ClientSession {
            ascii: settings.begins_in_ascii.then_some(true),
            settings,
            ends,
            doing: Doing::Idle,
            rung: 0,
            typing: None,
            by_hand: None,
            met: false,
            secured: false,
            data: Data::Clear,
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
            (Doing::Abandoned, Ask::Abort) => self.abort(),
            (Doing::Closed, Ask::Finish { whole: true }) => self.answer(Answer::Unconfirmed),
            (Doing::Closed | Doing::Abandoned, _) => {
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
            (_, Ask::Abort) => self.abort(),
            (Doing::Idle, Ask::Greeting) => self.begin(None),
            (Doing::Idle, Ask::Say(request)) => {
                self.doing = Doing::Saying(None);
                self.typing = type_of(&request);
                self.by_hand = Some(request.clone());
                self.send(request);
            }
            (Doing::Idle, Ask::SayElsewhere(request)) => {
                self.doing = Doing::Elsewhere(false);
                self.typing = type_of(&request);
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
            Input::Secured(result) => self.secured(result),
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
            Doing::Idle | Doing::Moving(_) | Doing::Elsewhere(true) | Doing::Abandoned | Doing::Closed => {
                None
            }
            Doing::Aborting(_, None) => Some(ABORT_PATIENCE.min(self.settings.patience)),
            // Some servers have one answer for both.
            Doing::Aborting(_, Some(_)) => Some(CUT_PATIENCE),
            Doing::Climbing(climb) => Some(climb.patience(&self.settings)),
            // What was cut here may not have been noticed there: its last word is worth no more than a moment.
            Doing::Finishing(false) => Some(CUT_PATIENCE.min(self.settings.patience)),
            // What was said beside it is answered with it, or was lost.
            Doing::Settling(_) => Some(self.settings.rung_patience * 2),
            // The driver keeps the time of a handshake.
            Doing::Meeting(meeting) if meeting.stage == Beginning::Shaking => None,
            Doing::Meeting(meeting) if matches!(meeting.stage, Beginning::Auth { .. }) => {
                Some(AUTH_PATIENCE.min(self.settings.patience))
            }
            Doing::Meeting(_)
            | Doing::Login(_)
            | Doing::Saying(_)
            | Doing::Elsewhere(false)
            | Doing::Finishing(true) => Some(self.settings.patience),
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

    /// Changes the rungs that may be tried, and whether EPRT goes before PORT. Only between transfers.
    pub fn set_rungs(&mut self, rungs: Vec<Rung>, eprt_first: bool) {
        debug_assert!(!matches!(self.doing, Doing::Climbing(_)), "nobody saws at a ladder that is climbed");
        self.settings.eprt_first = eprt_first;
        if rungs != self.settings.rungs {
            self.settings.rungs = rungs;
            self.rung = 0;
        }
    }

    /// Whether TYPE is A, as far as is known.
    #[must_use]
    pub fn is_ascii(&self) -> Option<bool> {
        self.ascii
    }

    /// Whether nothing more can be asked.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        matches!(self.doing, Doing::Closed)
    }

    /// Whether nothing is under way.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        matches!(self.doing, Doing::Idle)
    }

    /// What the server has said of the transfer's end while bytes pass as far as we know: that it went well, or not.
    #[must_use]
    pub fn ended_elsewhere(&self) -> Option<bool> {
        match &self.doing {
            Doing::Moving(Some(reply)) => Some((200..300).contains(&reply.code)),
            _ => None,
        }
    }

    /// Says ABOR, and awaits an answer to it and to what is still unanswered (RFC 959 §4.1.3).
    fn abort(&mut self) {
        let unanswered = self.expected.iter().filter(|whom| **whom != Expected::Noop).count();
        // What was still to be done for it is not done any more, and whatever else was said is nobody's by now.
        self.out.clear();
        (self.typing, self.by_hand) = (None, None);
        (self.kept, self.road, self.ahead) = (None, None, None);
        self.commands.clear();
        self.early.clear();
        self.also.clear();
        let owed = self.expected.iter_mut().filter(|whom| **whom != Expected::Noop);
        owed.for_each(|whom| *whom = Expected::Own);
        self.doing = Doing::Aborting(unanswered + 1, None);
        self.out.push_back(Output::DropLink);
        self.send(Request::bare(Verb::Abor));
    }

    fn answer(&mut self, answer: Answer) {
        self.out.push_back(Output::Answer(answer));
    }

    /// A reply to what is under way.
    fn own_reply(&mut self, reply: ReceivedReply) {
        match &mut self.doing {
            Doing::Meeting(_) => self.meeting_reply(reply),
            Doing::Login(_) => self.login_reply(reply),
            Doing::Climbing(_) => self.climb_reply(reply),
            Doing::Saying(_) | Doing::Aborting(..) if reply.code < 200 => {}
            Doing::Elsewhere(begun) if reply.code < 200 => *begun = true,
            Doing::Aborting(left, last) if *left > 1 => {
                *left -= 1;
                *last = Some(reply);
            }
            Doing::Aborting(..) => {
                self.doing = Doing::Idle;
                self.answer(Answer::Done(reply));
            }
            Doing::Saying(_) | Doing::Elsewhere(_) => {
                let mode = if let Doing::Saying(mode) = self.doing { mode } else { None };
                self.doing = Doing::Idle;
                let good = (200..400).contains(&reply.code);
                if let Some(ascii) = self.typing.take().filter(|_| good) {
                    self.ascii = Some(ascii);
                }
                if let Some(request) = self.by_hand.take().filter(|_| good) {
                    self.said_by_hand(&request);
                }
                if let (Some(mode), true) = (mode, good) {
                    self.block = mode == Mode::Block;
                    self.kept = None;
                }
                self.answer(if good { Answer::Done(reply) } else { Answer::Failed(Failed::Refused(reply)) });
            }
            Doing::Moving(early) if reply.code >= 200 => *early = Some(reply),
            Doing::Finishing(_) if reply.code >= 200 => self.last_word(reply),
            Doing::Moving(_) | Doing::Finishing(_) | Doing::Settling(_) => {}
            Doing::Abandoned if reply.code >= 200 => self.doing = Doing::Idle,
            // A late reply to something that was given up: nobody waits for it.
            Doing::Idle | Doing::Abandoned | Doing::Closed => {}
        }
    }

    /// The transfer's last word; the ask is answered when all that was said beside it is.
    fn last_word(&mut self, reply: ReceivedReply) {
        // It answers something that was said behind the transfer, whose own last word never came: pyftpdlib drops a
        // transfer under way when it hears EPSV, and says nothing of it.
        if (200..300).contains(&reply.code) && !matches!(reply.code, 200 | 202 | 225 | 226 | 250) {
            self.settings.flights = Flights::Never;
            let text = format!("the transfer had no last word: {} {}", reply.code, reply.text());
            return self.gone(Failed::OutOfStep(text));
        }
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
        if let Doing::Aborting(_, Some(reply)) = &self.doing {
            let reply = reply.clone();
            self.doing = Doing::Idle;
            return self.answer(Answer::Done(reply));
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
            Doing::Meeting(meeting) if meeting.stage != Beginning::Greeting => {
                "the server said nothing to AUTH TLS".to_owned()
            }
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
            Doing::Idle | Doing::Abandoned | Doing::Closed => {}
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
            // Another session may do without it.
            Doing::Meeting(meeting) if meeting.stage != Beginning::Greeting => {
                let why = match failed {
                    Failed::Gone(why) | Failed::OutOfStep(why) => why,
                    other => return self.answer(Answer::Failed(other)),
                };
                self.answer(Answer::Failed(Failed::NoTls(format!("TLS was asked for, and {why}"))));
            }
            Doing::Meeting(_)
            | Doing::Login(_)
            | Doing::Saying(_)
            | Doing::Elsewhere(_)
            | Doing::Aborting(..)
            | Doing::Finishing(false) => {
                self.answer(Answer::Failed(failed));
            }
        }
    }
}

/// Whether a command asks for TYPE A or for another one; none where it is another command.
fn type_of(request: &Request) -> Option<bool> {
    let mut words = request.as_bytes().split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let is_type = words.next().is_some_and(|verb| verb.eq_ignore_ascii_case(b"TYPE"));
    is_type.then(|| words.next().is_some_and(|kind| kind.eq_ignore_ascii_case(b"A")))
}

#[cfg(test)]
mod tests;
