//! `Evidence`: what the probes saw, with the peers' own words. Nothing is judged here.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use twoport_plan::LinkFault;
use twoport_proto::sightings::Reading;

use crate::host;

/// All that was seen of one server.
#[derive(Debug, Clone)]
pub struct Evidence {
    /// The name or address in the URL, and the port.
    pub host: String,
    /// The port of the control connection.
    pub port: u16,
    /// The addresses of the name, or why there are none.
    pub addresses: Result<Vec<IpAddr>, String>,
    /// Our own addresses.
    pub own: Vec<IpAddr>,
    /// The one that the first connection came from.
    pub local: Option<IpAddr>,
    /// What came of connecting to the control port, for each address.
    pub doors: Vec<Door>,
    /// The proxy that the environment names, and whether the server answers through it.
    pub proxy: Option<Proxied>,
    /// What the server's machine says of the place that we asked for, where somebody has brought it.
    pub server_door: Option<host::Door>,
    /// The hop at which the server's address refuses a port that nobody listens on, where its control port does not answer.
    pub machine: Option<u8>,
    /// The address inside its network at which it takes us in, while the public one does not.
    pub inside: Option<SocketAddr>,
    /// Whether the server's address answers at the first hop: it is our own router's.
    pub is_our_router: bool,
    /// How the server has greeted.
    pub greeting: Option<Greeting>,
    /// Whether the port answers a TLS handshake at once.
    pub implicit: bool,
    /// Sessions: one for each family and each kind of protection.
    pub legs: Vec<Leg>,
    /// Whether an FTP helper is on the way: it drops half a command (Linux).
    pub helper: Option<bool>,
    /// How far packets get, to the control port and to a passive port that did not answer.
    pub path: Option<Path>,
    /// A port that was not told, at which the server was met while it listened on one that it told: both numbers, the outer one
    /// first.
    pub shifted: Option<(u16, u16)>,
    /// A file, or a listing, from the first byte to the last word.
    pub flow: Option<Flow>,
    /// The same with small segments, where the first stood still: the largest that came through, in bytes, or the smallest that was
    /// tried.
    pub small: Option<(u16, Outcome)>,
    /// Whether the TLS handshake of the control connection stood still.
    pub mute: bool,
    /// How long a silent session lives, where that was asked for.
    pub idle: Option<Idle>,
    /// A data connection that resumed no session, where one that did works.
    pub afresh: Option<Outcome>,
    /// How the server sees us, on one connection after the other, where it says so.
    pub seen_as: Vec<IpAddr>,
}

/// What came of one address.
#[derive(Debug, Clone)]
pub struct Door {
    /// Where.
    pub at: SocketAddr,
    /// How long the connection took, or why there is none.
    pub met: Result<Duration, LinkFault>,
}

/// A proxy of the environment.
#[derive(Debug, Clone)]
pub struct Proxied {
    /// Which one, and what names it.
    pub what: String,
    /// Whether the server has answered through it.
    pub works: Result<(), String>,
}

/// What a server says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// The code of the reply.
    pub code: u16,
    /// Its last line, without the code.
    pub text: String,
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code, self.text)
    }
}

/// The greeting.
#[derive(Debug, Clone)]
pub struct Greeting {
    /// The reply; none where the server closed, or said nothing.
    pub said: Option<Said>,
    /// How long it took, or was waited for.
    pub after: Duration,
    /// Whether the server has closed instead.
    pub closed: bool,
    /// A line that came and is no reply of FTP's.
    pub strange: Option<String>,
}

/// One session.
#[derive(Debug, Clone)]
pub struct Leg {
    /// With whom.
    pub at: SocketAddr,
    /// Whether in TLS.
    pub secure: bool,
    /// How far the login came.
    pub login: Login,
    /// What was tried in it, in order.
    pub cells: Vec<Cell>,
}

/// How a login ended.
#[derive(Debug, Clone)]
pub enum Login {
    /// Logged in.
    In,
    /// The user is asked for a password, and none was said in the clear.
    Asked,
    /// Refused, with these words.
    Refused(Said),
    /// Refused since it is not in TLS.
    NeedsTls(Said),
    /// There is no TLS: what AUTH was answered.
    NoTls(String),
    /// The certificate is not trusted: why.
    Untrusted(String),
    /// The TLS handshake stood still.
    Mute,
    /// The connection ended, or no answer came.
    Gone(String),
}

/// A way to make a data connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mode {
    /// EPSV: the control connection's address, the port of 229.
    Epsv,
    /// PASV, at the address that 227 tells.
    Pasv,
    /// PASV, at the control connection's address.
    PasvPeer,
    /// EPRT.
    Eprt,
    /// PORT.
    Port,
}

impl Mode {
    /// Whether the client connects.
    #[must_use]
    pub fn is_passive(self) -> bool {
        matches!(self, Mode::Epsv | Mode::Pasv | Mode::PasvPeer)
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Mode::Epsv => "EPSV",
            Mode::Pasv => "PASV",
            Mode::PasvPeer => "PASV by the control address",
            Mode::Eprt => "EPRT",
            Mode::Port => "PORT",
        })
    }
}

/// One try.
#[derive(Debug, Clone)]
pub struct Cell {
    /// How.
    pub mode: Mode,
    /// Where the data connection was to go: to the server, or to us.
    pub place: Option<SocketAddr>,
    /// What the server said to the command that agrees on it.
    pub said: Option<Said>,
    /// What came of it.
    pub outcome: Outcome,
    /// How long all of it took.
    pub took: Duration,
    /// What we said: PORT or EPRT with its argument.
    pub asked: Option<String>,
    /// What the server saw of it, where it is ours and the account may ask.
    pub seen: Option<Box<Reading>>,
}

impl Cell {
    /// A try of which nothing is known yet but how it was made and what came of it.
    #[must_use]
    pub fn of(mode: Mode, outcome: Outcome) -> Self {
        Cell { mode, place: None, said: None, outcome, took: Duration::ZERO, asked: None, seen: None }
    }
}

/// What came of a try.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// Bytes came, and the last word: so many.
    Works(u64),
    /// The command was refused.
    Refused,
    /// The answer holds no port and no address.
    Unreadable,
    /// No answer came to the command; bytes of ours that were not acknowledged.
    NoAnswer {
        /// Not acknowledged; none where the system does not tell.
        lost: Option<u64>,
        /// From where it was said.
        from: SocketAddr,
    },
    /// The session ended at the command.
    HungUp,
    /// We could not connect, or nobody came: why, and after how long.
    NoLink {
        /// Why.
        fault: LinkFault,
        /// After how long.
        after: Duration,
        /// Packets that this machine did not let out meanwhile.
        held_back: Option<u64>,
    },
    /// The connection was there, and the server did not begin.
    NotBegun {
        /// What it said instead; none where it said nothing.
        said: Option<Said>,
        /// After how long.
        after: Duration,
    },
    /// Active: the server took the command, and did not come.
    NobodyCame {
        /// What it said instead.
        said: Option<Said>,
        /// After how long.
        after: Duration,
        /// Packets that came to this machine meanwhile and were given to nobody.
        dropped: Option<u64>,
        /// Who has sent a first packet of a connection that came no further.
        first: Option<IpAddr>,
    },
    /// No TLS came about on the data connection.
    NoTls {
        /// Why.
        why: String,
        /// What the server said.
        said: Option<Said>,
    },
    /// 150 was said, and nothing came any more after so many bytes.
    Stalled(u64),
    /// The connection was cut after so many bytes.
    Cut {
        /// Bytes.
        bytes: u64,
        /// In the system's words, or the server's.
        why: String,
    },
    /// All came and 226 too, and the data connection did not end.
    NoEnd(u64),
    /// The data connection ended, and the last word did not come.
    NoWord(u64),
    /// Not tried, since it could tell nothing new.
    Skipped(&'static str),
}

impl Outcome {
    /// Whether it got through.
    #[must_use]
    pub fn works(&self) -> bool {
        matches!(self, Outcome::Works(_) | Outcome::NoEnd(_))
    }

    /// Whether a connection was tried and not made.
    #[must_use]
    pub fn no_link(&self) -> Option<&LinkFault> {
        if let Outcome::NoLink { fault, .. } = self { Some(fault) } else { None }
    }
}

/// How far packets get.
#[derive(Debug, Clone)]
pub struct Path {
    /// The hop at which the control port answers; none where that could not be found.
    pub control: Option<u8>,
    /// Whether any router told of packets to the control port: then those to other ports may be missed.
    pub heard: bool,
    /// The passive port that was knocked at.
    pub port: u16,
    /// The last hop that was heard of on the way to it, and who it is.
    pub last: Option<(u8, IpAddr)>,
    /// The hop at which somebody has taken, or refused, the connection.
    pub answered: Option<u8>,
    /// Whether that was a refusal.
    pub refused: bool,
    /// Whether it has passed as many routers as what the server sends; none where that was not measured.
    pub as_far: Option<bool>,
}

/// A longer transfer.
#[derive(Debug, Clone)]
pub struct Flow {
    /// What was asked for.
    pub verb: &'static str,
    /// What came of it.
    pub outcome: Outcome,
    /// How long it took.
    pub took: Duration,
    /// How often it was cut and gone on with.
    pub cuts: u32,
    /// What the server saw of it, of the first part where it was cut.
    pub seen: Option<Box<Reading>>,
    /// Bytes of ours on the control connection that were not acknowledged behind it, while a new session was taken in.
    pub unheard: Option<u64>,
}

/// Sessions that were left silent.
#[derive(Debug, Clone, Default)]
pub struct Idle {
    /// The longest silence behind which the server still answered.
    pub lived: Option<Duration>,
    /// The shortest behind which it did not.
    pub died: Option<Duration>,
    /// What it said, where it ended the session itself.
    pub said: Option<Said>,
}

impl Evidence {
    /// Nothing was seen yet.
    #[must_use]
    pub fn of_nothing(host: &str, port: u16) -> Self {
        Evidence {
            host: host.to_owned(),
            port,
            addresses: Ok(Vec::new()),
            own: Vec::new(),
            local: None,
            doors: Vec::new(),
            proxy: None,
            server_door: None,
            machine: None,
            inside: None,
            is_our_router: false,
            greeting: None,
            implicit: false,
            legs: Vec::new(),
            helper: None,
            path: None,
            shifted: None,
            flow: None,
            small: None,
            mute: false,
            idle: None,
            afresh: None,
            seen_as: Vec::new(),
        }
    }

    /// The first address that took us in.
    #[must_use]
    pub fn door(&self) -> Option<&Door> {
        self.doors.iter().find(|door| door.met.is_ok())
    }

    /// How long a try took, in round trips to the server; the connection to its control port took one.
    #[must_use]
    pub fn trips(&self, leg: &Leg, cell: &Cell) -> Option<f64> {
        let door = self.doors.iter().find(|door| door.at == leg.at)?;
        let trip = door.met.as_ref().ok().filter(|trip| !trip.is_zero())?;
        Some(cell.took.as_secs_f64() / trip.as_secs_f64())
    }

    /// Every try, with whether it was in TLS.
    pub fn cells(&self) -> impl Iterator<Item = (&Leg, &Cell)> {
        self.legs.iter().flat_map(|leg| leg.cells.iter().map(move |cell| (leg, cell)))
    }

    /// The tries of one mode.
    pub fn of(&self, mode: Mode) -> impl Iterator<Item = &Cell> {
        self.cells().map(|(_, cell)| cell).filter(move |cell| cell.mode == mode)
    }

    /// Whether a passive mode got through.
    #[must_use]
    pub fn passive_works(&self) -> bool {
        self.cells().any(|(_, cell)| cell.mode.is_passive() && cell.outcome.works())
    }

    /// The first session in which something was tried.
    #[must_use]
    pub fn tried(&self) -> Option<&Leg> {
        self.legs.iter().find(|leg| !leg.cells.is_empty())
    }

    /// Whether one of this mode got through.
    #[must_use]
    pub fn works(&self, mode: Mode) -> bool {
        self.of(mode).any(|cell| cell.outcome.works())
    }

    /// Whether anybody is logged in anywhere.
    #[must_use]
    pub fn is_in(&self) -> bool {
        self.legs.iter().any(|leg| matches!(leg.login, Login::In))
    }
}
