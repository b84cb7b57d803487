//! `LinkFault`: why a second connection did not come about, or broke, and what to do about it. One list, for replies, metrics,
//! client errors and the doctor; the reply code is the session's to choose. The same at length is in `why`.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::address::TargetRefused;
use crate::network::Network;
use crate::ports::{PortRange, Spent};

/// Why nothing moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stall {
    /// We wait for bytes of the peer.
    Silent,
    /// Bytes of ours are sent again and again, and not acknowledged: so many.
    Lost(u64),
    /// The peer's system has no room for more; so many bytes wait here.
    Full(u64),
    /// We send, and the system does not tell more.
    Unknown,
}

/// Why a data connection did not come about, or did not last. `Display` is one line for a reply: the cause and the hint, below 300 bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum LinkFault {
    /// Passive: no connection came.
    NobodyCame {
        /// The port that was listened on.
        port: u16,
        /// How long.
        waited: Duration,
        /// The whole range of passive ports, when it is known: what a firewall must let in.
        range: Option<PortRange>,
        /// Whether the peer's first packet was seen: then it is our answer that did not come through.
        half_open: bool,
    },
    /// Passive: a connection came from somebody else.
    StrangerCame {
        /// The port that was listened on.
        port: u16,
        /// Who came.
        from: IpAddr,
        /// Who was awaited: the control peer.
        expected: IpAddr,
    },
    /// Passive: a connection came from an address beside the control connection's: the peer's own, most likely.
    AddressChanged {
        /// The port that was listened on.
        port: u16,
        /// Where the control connection comes from.
        from: IpAddr,
        /// Where the data connection came from.
        to: IpAddr,
    },
    /// Active: the peer, or a box before it, answered with a reset.
    Refused {
        /// Where we connected to.
        to: SocketAddr,
        /// The box that refused in the peer's place, by ICMP.
        by: Option<IpAddr>,
    },
    /// Active: no answer came.
    TimedOut {
        /// Where we connected to.
        to: SocketAddr,
        /// How long we waited.
        after: Duration,
    },
    /// Active: the network says that there is no way.
    Unreachable {
        /// Where we connected to.
        to: SocketAddr,
        /// The box that says so, by ICMP; this machine where there is none.
        by: Option<IpAddr>,
        /// What the system makes of it: `No route to host`, for one.
        why: String,
    },
    /// Passive: no port is left for this client.
    PortsSpent(Spent),
    /// Active: we do not connect to where PORT or EPRT points.
    TargetRefused(TargetRefused),
    /// PORT and EPRT are switched off.
    ActiveOff,
    /// PASV and EPSV are switched off.
    PassiveOff,
    /// A transfer was asked for without PASV, EPSV, PORT or EPRT before it.
    NoPlan,
    /// The data connection was there, and no TLS came about on it.
    NoTls {
        /// Why, in words.
        why: String,
    },
    /// TLS came about, and it did not resume the session of the login: somebody else may have come.
    NotResumed,
    /// It resumed the session of another login.
    ForeignSession,
    /// It was there, and nothing moved for too long.
    Stalled {
        /// How long.
        after: Duration,
        /// Who is to blame, as far as it can be told.
        stall: Stall,
    },
    /// It was there, and the peer, or a box before it, reset it.
    Reset,
    /// It was there, and ended before what marks the end of the file (TLS, MODE B, MODE Z).
    CutShort,
    /// Anything else, in the operating system's words.
    Other {
        /// Where we connected to, if we did.
        to: Option<SocketAddr>,
        /// What the system said.
        text: String,
    },
}

impl LinkFault {
    /// What happened, as a sentence without its full stop.
    #[must_use]
    pub fn cause(&self) -> String {
        match self {
            LinkFault::NobodyCame { port, waited, .. } => {
                format!("Nobody connected to port {port} within {}", Span(*waited))
            }
            LinkFault::StrangerCame { port, from, expected } => {
                format!("{from} connected to port {port}, where {expected} was expected")
            }
            LinkFault::AddressChanged { port, from, to } => {
                format!("Your address changed from {from} to {to} on the way to port {port}")
            }
            LinkFault::Refused { to, by: None } => format!("{to} refused the data connection"),
            LinkFault::Refused { to, by: Some(by) } => format!("{by} refused the data connection to {to}"),
            LinkFault::TimedOut { to, after } => format!("{to} did not answer within {}", Span(*after)),
            LinkFault::Unreachable { to, by: None, why } => {
                format!("{to} cannot be reached from here ({})", one_line(why))
            }
            LinkFault::Unreachable { to, by: Some(by), why } => {
                format!("{by} says that {to} cannot be reached ({})", one_line(why))
            }
            LinkFault::PortsSpent(spent) => {
                let spent = spent.to_string();
                let (first, rest) = spent.split_at(1);
                first.to_ascii_uppercase() + rest
            }
            LinkFault::TargetRefused(refused) => refused.cause(),
            LinkFault::Stalled { after, stall } => {
                let after = Span(*after);
                match stall {
                    Stall::Silent => format!("The client sent nothing for {after}"),
                    Stall::Lost(bytes) => {
                        format!("Nothing moved for {after}; {bytes} bytes were not acknowledged")
                    }
                    Stall::Full(bytes) => {
                        format!("The client took nothing for {after}; {bytes} bytes wait for it")
                    }
                    Stall::Unknown => format!("Nothing moved for {after}"),
                }
            }
            LinkFault::Reset => "The client, or a box before it, reset the connection".to_owned(),
            LinkFault::CutShort => "The connection ended before the end of the file was marked".to_owned(),
            LinkFault::ActiveOff => "Active mode is off on this server".to_owned(),
            LinkFault::PassiveOff => "Passive mode is off on this server".to_owned(),
            LinkFault::NoPlan => "No data connection was asked for".to_owned(),
            LinkFault::NoTls { why } => format!("TLS on the data connection failed: {}", one_line(why)),
            LinkFault::NotResumed => {
                "The data connection did not resume the control connection's TLS session".to_owned()
            }
            LinkFault::ForeignSession => {
                "The data connection resumed the TLS session of another login".to_owned()
            }
            LinkFault::Other { to: Some(to), text } => {
                format!("Data connection to {to} failed: {}", one_line(text))
            }
            LinkFault::Other { to: None, text } => format!("Data connection failed: {}", one_line(text)),
        }
    }

    /// What is likely behind it and what to do, as a sentence without its full stop; empty when nothing is known.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            LinkFault::NobodyCame { half_open: true, .. } => {
                "its first packet came, and our answer was lost on the way back: look at the routes and firewalls that \
                 lead out of this server"
                    .to_owned()
            }
            LinkFault::NobodyCame { range: Some(range), .. } => {
                format!("a firewall or NAT in front of this server must let TCP ports {range} in, numbers unchanged")
            }
            LinkFault::NobodyCame { range: None, .. } => {
                "a firewall or NAT in front of this server must let its passive ports in, numbers unchanged".to_owned()
            }
            LinkFault::AddressChanged { .. } => {
                "the NAT in front of the client must send both connections from one address".to_owned()
            }
            LinkFault::StrangerCame { .. } => {
                "a NAT, proxy or balancer between must send both connections from one address".to_owned()
            }
            LinkFault::Refused { by: Some(_), .. } => {
                "that box must let our connections in, to this client; or use PASV or EPSV".to_owned()
            }
            LinkFault::Refused { .. } => {
                "a NAT or firewall in front of the client turns us away, or it does not listen; use PASV or EPSV".to_owned()
            }
            LinkFault::TimedOut { .. } => {
                "a NAT or firewall in front of the client drops our packets; use PASV or EPSV".to_owned()
            }
            LinkFault::Unreachable { by: Some(_), .. } => {
                "that box must let this server's connections through; or use PASV or EPSV".to_owned()
            }
            LinkFault::Unreachable { .. } => {
                "this server has no route, or its own firewall lets no connection out; use PASV or EPSV".to_owned()
            }
            LinkFault::PortsSpent(_) => {
                "try again later; the administrator can give this server a wider range".to_owned()
            }
            LinkFault::TargetRefused(refused) => refused.hint().to_owned(),
            LinkFault::Stalled { stall, .. } => match stall {
                Stall::Lost(_) => {
                    "the network between loses what we send: large packets (MTU), or a box there has forgotten the connection"
                }
                Stall::Full(_) => "the client does not read: its disk or its user makes it wait",
                Stall::Silent | Stall::Unknown => "the client makes it wait, or a network between loses packets",
            }
            .to_owned(),
            LinkFault::Reset => "a firewall between may have cut it; resume the transfer".to_owned(),
            LinkFault::CutShort => "resume the transfer; the client or a box between gave up".to_owned(),
            LinkFault::ActiveOff => "use PASV or EPSV".to_owned(),
            LinkFault::PassiveOff => "use PORT or EPRT".to_owned(),
            LinkFault::NoPlan => "Use PASV or EPSV, PORT or EPRT first".to_owned(),
            LinkFault::NotResumed => {
                "turn on TLS session reuse in the client (lftp ftp:ssl-copy-sid, rclone tls_cache_size), or set \
                 data-resumption = prefer here"
                    .to_owned()
            }
            LinkFault::ForeignSession => "log in anew, or turn TLS session reuse off in the client".to_owned(),
            LinkFault::NoTls { .. } | LinkFault::Other { .. } => String::new(),
        }
    }

    /// Somebody came to `port` from `came`, where the control connection comes from `expected`. Carriers give their customers'
    /// connections addresses out of one network; from another one comes a stranger.
    #[must_use]
    pub fn of_stranger(port: u16, came: IpAddr, expected: IpAddr) -> Self {
        let near = Network::around(expected, if expected.to_canonical().is_ipv4() { 24 } else { 64 });
        match near.contains(came) {
            true => LinkFault::AddressChanged { port, from: expected, to: came },
            false => LinkFault::StrangerCame { port, from: came, expected },
        }
    }

    /// Whether the connection was there and TLS was what it lacked.
    #[must_use]
    pub fn is_of_tls(&self) -> bool {
        matches!(self, LinkFault::NoTls { .. } | LinkFault::NotResumed | LinkFault::ForeignSession)
    }

    /// One word for metrics and journals, never changed.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            LinkFault::NobodyCame { .. } => "nobody_came",
            LinkFault::StrangerCame { .. } => "stranger_came",
            LinkFault::AddressChanged { .. } => "address_changed",
            LinkFault::Refused { .. } => "refused",
            LinkFault::TimedOut { .. } => "timed_out",
            LinkFault::Unreachable { .. } => "unreachable",
            LinkFault::PortsSpent(_) => "ports_spent",
            LinkFault::TargetRefused(_) => "target_refused",
            LinkFault::Stalled { .. } => "stalled",
            LinkFault::Reset => "reset",
            LinkFault::CutShort => "cut_short",
            LinkFault::ActiveOff => "active_off",
            LinkFault::PassiveOff => "passive_off",
            LinkFault::NoPlan => "no_plan",
            LinkFault::NoTls { .. } => "no_tls",
            LinkFault::NotResumed => "not_resumed",
            LinkFault::ForeignSession => "foreign_session",
            LinkFault::Other { .. } => "other",
        }
    }
}

impl fmt::Display for LinkFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // The hint says it all, and says it first.
            LinkFault::NoPlan => f.write_str(&self.hint()),
            LinkFault::TargetRefused(refused) => write!(f, "{refused}"),
            LinkFault::Other { .. } | LinkFault::NoTls { .. } => f.write_str(&self.cause()),
            _ => write!(f, "{}: {}", self.cause(), self.hint()),
        }
    }
}

impl std::error::Error for LinkFault {}

impl From<Spent> for LinkFault {
    fn from(spent: Spent) -> Self {
        LinkFault::PortsSpent(spent)
    }
}

/// A time span as people say it.
pub(crate) struct Span(pub(crate) Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_secs() {
            0 => write!(f, "{} ms", self.0.as_millis()),
            seconds => write!(f, "{seconds} s"),
        }
    }
}

/// A foreign text made fit for a line of a reply: no controls, at most 100 bytes.
fn one_line(text: &str) -> String {
    let mut line = String::new();
    for c in text.chars().map(|c| if c.is_control() { ' ' } else { c }) {
        if line.len() + c.len_utf8() > 100 {
            break;
        }
        line.push(c);
    }
    line.trim().to_owned()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::samples::Sample;

    /// With the longest words that there can be.
    pub(crate) fn every_fault() -> Vec<LinkFault> {
        let client: SocketAddr = "[2001:db8:1111:2222:3333:4444:5555:6666]:65535".parse().unwrap();
        let sample = Sample {
            client,
            other: client.ip(),
            span: Duration::from_secs(86_400),
            port: 65535,
            range: PortRange::read("50000-65535").unwrap(),
            spent: Spent { size: 64512, held: 64511, share: 64511 },
            bytes: u64::MAX,
            errno: "Network is unreachable (os error 101)",
            text: &"\u{20ac}x\r\n226 done ".repeat(1000),
        };
        sample.every_fault()
    }

    #[test]
    fn every_fault_is_one_short_line() {
        for fault in every_fault() {
            let line = fault.to_string();
            assert!(line.len() < 300, "{} {line}", line.len());
            assert!(!line.is_empty() && !line.chars().any(char::is_control), "{line}");
        }
    }

    #[test]
    fn every_fault_has_its_own_name() {
        let mut names: Vec<_> = every_fault().iter().map(LinkFault::name).collect();
        names.dedup();
        assert_eq!(names.len(), 18);
    }

    #[test]
    fn the_likely_ones_say_what_to_do() {
        let range = PortRange::read("50000-50255").ok();
        let nobody =
            LinkFault::NobodyCame { port: 50012, waited: Duration::from_secs(30), range, half_open: false };
        assert_eq!(
            nobody.to_string(),
            "Nobody connected to port 50012 within 30 s: a firewall or NAT in front of this server must let TCP ports \
             50000-50255 in, numbers unchanged"
        );
        let refused = LinkFault::Refused { to: "203.0.113.9:4001".parse().unwrap(), by: None };
        assert_eq!(
            refused.to_string(),
            "203.0.113.9:4001 refused the data connection: a NAT or firewall in front of the client turns us away, or it \
             does not listen; use PASV or EPSV"
        );
        assert_eq!(LinkFault::NoPlan.to_string(), "Use PASV or EPSV, PORT or EPRT first");
        let spent = Spent { size: 256, held: 0, share: 256 };
        assert_eq!(
            LinkFault::from(spent).cause(),
            "No passive port of 256 is left: other programs hold them"
        );
    }

    #[test]
    fn short_waits_are_said_in_milliseconds() {
        let fault = LinkFault::TimedOut {
            to: "203.0.113.9:4001".parse().unwrap(),
            after: Duration::from_millis(250),
        };
        assert_eq!(fault.cause(), "203.0.113.9:4001 did not answer within 250 ms");
    }
}
