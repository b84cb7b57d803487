//! `LinkFault`: why a second connection did not come about, and what to do about it. One list, for 425 replies, metrics,
//! client errors and the doctor; the reply code is the session's to choose.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::ports::{PortRange, Spent};

/// Why a data connection did not come about. `Display` is one line for a reply: the cause and the hint, below 200 bytes.
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
    /// Active: the peer, or a box before it, answered with a reset.
    Refused {
        /// Where we connected to.
        to: SocketAddr,
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
    },
    /// Passive: no port is left.
    PortsSpent {
        /// How many ports the range holds.
        size: usize,
    },
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
            LinkFault::Refused { to } => format!("{to} refused the data connection"),
            LinkFault::TimedOut { to, after } => format!("{to} did not answer within {}", Span(*after)),
            LinkFault::Unreachable { to } => format!("{to} cannot be reached"),
            LinkFault::PortsSpent { size } => {
                let spent = Spent { size: *size }.to_string();
                let (first, rest) = spent.split_at(1);
                first.to_ascii_uppercase() + rest
            }
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
            LinkFault::NobodyCame { range: Some(range), .. } => {
                format!("a firewall or NAT in front of this server must let TCP ports {range} in, numbers unchanged")
            }
            LinkFault::NobodyCame { range: None, .. } => {
                "a firewall or NAT in front of this server must let its passive ports in, numbers unchanged".to_owned()
            }
            LinkFault::StrangerCame { .. } => {
                "a NAT, proxy or balancer between must send both connections from one address".to_owned()
            }
            LinkFault::Refused { .. } => {
                "a NAT or firewall in front of the client turns us away, or it does not listen; use PASV or EPSV".to_owned()
            }
            LinkFault::TimedOut { .. } => {
                "a NAT or firewall in front of the client drops our packets; use PASV or EPSV".to_owned()
            }
            LinkFault::Unreachable { .. } => {
                "a firewall on the way rejects us, or this server may not connect out; use PASV or EPSV".to_owned()
            }
            LinkFault::PortsSpent { .. } => {
                "try again later; the administrator can give this server a wider range".to_owned()
            }
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
            LinkFault::Refused { .. } => "refused",
            LinkFault::TimedOut { .. } => "timed_out",
            LinkFault::Unreachable { .. } => "unreachable",
            LinkFault::PortsSpent { .. } => "ports_spent",
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
            LinkFault::Other { .. } | LinkFault::NoTls { .. } => f.write_str(&self.cause()),
            _ => write!(f, "{}: {}", self.cause(), self.hint()),
        }
    }
}

impl std::error::Error for LinkFault {}

impl From<Spent> for LinkFault {
    fn from(spent: Spent) -> Self {
        LinkFault::PortsSpent { size: spent.size }
    }
}

/// A time span as people say it.
struct Span(Duration);

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
mod tests {
    use super::*;

    fn every_fault() -> Vec<LinkFault> {
        let to: SocketAddr = "[2001:db8:1111:2222:3333:4444:5555:6666]:65535".parse().unwrap();
        let long = Duration::from_secs(86_400);
        vec![
            LinkFault::NobodyCame { port: 65535, waited: long, range: PortRange::read("50000-65535").ok() },
            LinkFault::NobodyCame { port: 65535, waited: long, range: None },
            LinkFault::StrangerCame { port: 65535, from: to.ip(), expected: to.ip() },
            LinkFault::Refused { to },
            LinkFault::TimedOut { to, after: long },
            LinkFault::Unreachable { to },
            LinkFault::PortsSpent { size: 64512 },
            LinkFault::ActiveOff,
            LinkFault::PassiveOff,
            LinkFault::NoPlan,
            LinkFault::NoTls { why: "\u{20ac}".repeat(1000) },
            LinkFault::NotResumed,
            LinkFault::ForeignSession,
            LinkFault::Other { to: Some(to), text: "x\r\n226 done ".repeat(1000) },
            LinkFault::Other { to: None, text: "\u{20ac}".repeat(1000) },
        ]
    }

    #[test]
    fn every_fault_is_one_short_line() {
        for fault in every_fault() {
            let line = fault.to_string();
            assert!(line.len() < 200, "{} {line}", line.len());
            assert!(!line.is_empty() && !line.chars().any(char::is_control), "{line}");
        }
    }

    #[test]
    fn every_fault_has_its_own_name() {
        let mut names: Vec<_> = every_fault().iter().map(LinkFault::name).collect();
        names.dedup();
        assert_eq!(names.len(), 13);
    }

    #[test]
    fn the_likely_ones_say_what_to_do() {
        let range = PortRange::read("50000-50255").ok();
        let nobody = LinkFault::NobodyCame { port: 50012, waited: Duration::from_secs(30), range };
        assert_eq!(
            nobody.to_string(),
            "Nobody connected to port 50012 within 30 s: a firewall or NAT in front of this server must let TCP ports \
             50000-50255 in, numbers unchanged"
        );
        let refused = LinkFault::Refused { to: "203.0.113.9:4001".parse().unwrap() };
        assert_eq!(
            refused.to_string(),
            "203.0.113.9:4001 refused the data connection: a NAT or firewall in front of the client turns us away, or it \
             does not listen; use PASV or EPSV"
        );
        assert_eq!(LinkFault::NoPlan.to_string(), "Use PASV or EPSV, PORT or EPRT first");
        assert_eq!(LinkFault::from(Spent { size: 256 }).cause(), "All 256 passive ports are in use");
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
