//! The whole surface between the client's machine and the world: `Ask`, what a user wants; `Input`, what happened;
//! `Output`, what to do.

use std::net::SocketAddr;
use std::time::Duration;

use twoport_plan::LinkFault;
use twoport_proto::modes::Mode;
use twoport_proto::reply_reader::ReceivedReply;
use twoport_proto::{Request, Secret};

/// What a user wants. One ask at a time; each is answered by one [`Output::Answer`], save `Mention` and `Ahead`, which
/// have none.
#[derive(Debug, Clone)]
pub enum Ask {
    /// Hear the greeting, have TLS where it is wanted, and say nothing yet: for somebody who asks for the name only then.
    Greeting,
    /// Log in, behind the greeting and TLS where those were not yet.
    Login {
        /// The name.
        user: Vec<u8>,
        /// The password.
        password: Secret,
        /// The account, for servers that ask for one.
        account: Option<Secret>,
    },
    /// Say one command and hear its final reply.
    Say(Request),
    /// The same with a command that makes the server talk to another one: once it has begun, it takes what it takes.
    SayElsewhere(Request),
    /// MODE: how bytes are carried from now on.
    Mode(Mode),
    /// Say one command and go on: its reply is heard and matters to nobody. Only where flights are borne.
    Mention(Request),
    /// A transfer: the command that begins it, and what goes before it.
    Transfer(TransferAsk),
    /// Say the command of a transfer to come already now, over the data connection that stays open (MODE B). A
    /// [`Ask::Transfer`] of the same command gives it its turn; they come in the order in which they were said.
    Ahead {
        /// The command.
        request: Request,
        /// TYPE A instead of TYPE I.
        ascii: bool,
    },
    /// The bytes of the transfer that was [`Answer::Open`] have ended, in order or not; hear its final reply.
    Finish {
        /// Whether all bytes went over as far as we can see.
        whole: bool,
    },
    /// Give up what is under way, whatever it is, with ABOR; answered once the server has answered both. This is the
    /// one ask that may come before the answer to another, which then never comes.
    Abort,
    /// Say goodbye.
    Quit,
}

/// A transfer that is wanted.
#[derive(Debug, Clone)]
pub struct TransferAsk {
    /// RETR, STOR, APPE, LIST, NLST or MLSD with its argument.
    pub request: Request,
    /// REST before it, when not 0.
    pub from: u64,
    /// RANG in place of REST (draft-bryan-ftp-range): only the bytes before this one, which is more than `from`.
    pub to: Option<u64>,
    /// TYPE A instead of TYPE I.
    pub ascii: bool,
    /// Said behind it in the same flight, where flights are borne; what was answered to them comes with
    /// [`super::ClientSession::take_also`].
    pub also: Vec<Request>,
    /// Another transfer will come: its port is asked for in the same flight, where flights are borne.
    pub more: bool,
}

/// Whether TLS is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tls {
    /// No.
    #[default]
    Off,
    /// Where the server offers it.
    Prefer,
    /// By AUTH TLS, for both connections, or not at all.
    Require,
    /// From the first byte, for both connections, or not at all.
    Implicit,
}

/// Whether several commands may be said before the first is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Flights {
    /// Not here: what was tried got lost.
    Never,
    /// Once a data connection has come about by EPSV or PASV.
    #[default]
    Later,
    /// From the login on.
    Now,
}

impl TransferAsk {
    /// A transfer alone.
    #[must_use]
    pub fn alone(request: Request, from: u64, ascii: bool) -> Self {
        TransferAsk { request, from, to: None, ascii, also: Vec::new(), more: false }
    }
}

/// What happened.
#[derive(Debug, Clone)]
pub enum Input {
    /// A whole reply came.
    Reply(ReceivedReply),
    /// What came is no reply; the connection is of no use any more.
    Nonsense,
    /// The answer to [`Output::Dial`]: which address took us, or why none did, each with its reason.
    Dialled(Result<SocketAddr, Vec<(SocketAddr, LinkFault)>>),
    /// The answer to [`Output::Listen`]: where we listen.
    Listening(Result<SocketAddr, LinkFault>),
    /// The answer to [`Output::Accept`].
    Accepted(Result<(), LinkFault>),
    /// The answer to [`Output::Secure`]: hands were shaken with somebody who is to be believed, or why not.
    Secured(Result<(), String>),
    /// The moment of `poll_timeout` has come.
    Deadline,
    /// The control connection is closed or broken.
    Closed,
}

/// What to do, in this order.
#[derive(Debug, Clone)]
pub enum Output {
    /// Send this, whole and in one write.
    Send(Request),
    /// Where nothing of the server waits unread, shake hands on the control connection; then [`Input::Secured`].
    Secure,
    /// Connect to the first of these that answers, beginning with the first; then [`Input::Dialled`].
    Dial {
        /// In the order of their likelihood.
        to: Vec<SocketAddr>,
        /// How long in all.
        within: Duration,
    },
    /// Listen for one connection at our own address of the control connection, which comes by this door; then
    /// [`Input::Listening`].
    Listen(Door),
    /// Take one connection, from the control peer only, while replies are heard; then [`Input::Accepted`].
    Accept {
        /// How long.
        within: Duration,
    },
    /// The data connection, or the listener, is of no use.
    DropLink,
    /// A step down the ladder, in one line, with its reason.
    Stepped(String),
    /// The answer to the ask.
    Answer(Answer),
}

/// How a connection that comes in gets past what stands before us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// By itself.
    Own,
    /// By a port of the router's outer address that the router is asked for; that one is told.
    Mapped,
    /// By our own knocking: from the port that is told a connection to the server's data port is tried all the while,
    /// so that every box on our side sees one that goes out (RFC 9293 §3.5, simultaneous open).
    Crossing,
}

/// The answer to an ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Done; the final reply.
    Done(ReceivedReply),
    /// The data connection is there and 150 was said: bytes may pass. By which road, in words.
    Open(Road),
    /// All bytes went over, and the final reply never came.
    Unconfirmed,
    /// It did not work.
    Failed(Failed),
}

/// Why an ask was not fulfilled, by whose fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failed {
    /// The server said no.
    Refused(ReceivedReply),
    /// No data connection came about on any road; each step with its reason.
    NoRoad(Vec<String>),
    /// The server closed, or fell silent for so long.
    Gone(String),
    /// The server said something that has no meaning there.
    OutOfStep(String),
    /// No TLS came about where it was wanted; the connection may be gone.
    NoTls(String),
    /// An argument cannot be sent.
    BadArgument(String),
}

/// The road that a data connection took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Rung {
    /// EPSV: the control address, a port.
    Epsv,
    /// PASV: the address as told where it can be believed, and the control address.
    Pasv,
    /// EPRT or PORT: the server connects to us.
    Active,
    /// The same from behind a NAT, through a port that the router was asked for.
    Mapped,
    /// The same, through a hole that our own connection to the server's data port makes: for servers that connect from
    /// there (RFC 959 §3.2, port L-1), and NATs that keep port numbers.
    Crossing,
}

/// The road that was taken, for the line at the end of a transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Road {
    /// Which rung of the ladder.
    pub rung: Rung,
    /// The other end of the data connection.
    pub peer: SocketAddr,
    /// Whether 227 told another address than the one that answered.
    pub corrected: bool,
}

impl Rung {
    /// Its name in the memory file and in the line at the end of a transfer.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Rung::Epsv => "EPSV",
            Rung::Pasv => "PASV",
            Rung::Active => "active",
            Rung::Mapped => "active through the router",
            Rung::Crossing => "active by simultaneous open",
        }
    }

    /// Whether it is us who connect.
    #[must_use]
    pub fn is_passive(self) -> bool {
        matches!(self, Rung::Epsv | Rung::Pasv)
    }
}
