//! One of each fault: what pages and tests go through.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::address::TargetRefused;
use crate::fault::{LinkFault, Stall};
use crate::ports::{PortRange, Spent};

/// What the faults are told of.
#[derive(Debug, Clone, Copy)]
pub struct Sample<'a> {
    /// Where the client listens in active mode; its address in both.
    pub client: SocketAddr,
    /// Somebody else: a stranger, or a box on the way.
    pub other: IpAddr,
    /// How long was waited.
    pub span: Duration,
    /// Our passive port.
    pub port: u16,
    /// All of them.
    pub range: PortRange,
    /// How they are spent.
    pub spent: Spent,
    /// What was not acknowledged.
    pub bytes: u64,
    /// What the system says of a connection that it cannot make.
    pub errno: &'a str,
    /// What somebody else says.
    pub text: &'a str,
}

impl Sample<'_> {
    /// Every fault, and of those with several causes every cause.
    #[must_use]
    pub fn every_fault(&self) -> Vec<LinkFault> {
        let Sample { client: to, other, span, port, range, spent, bytes, .. } = *self;
        let (errno, text) = (self.errno.to_owned(), self.text.to_owned());
        let nobody = |range, half_open| LinkFault::NobodyCame { port, waited: span, range, half_open };
        let stalled = |stall| LinkFault::Stalled { after: span, stall };
        vec![
            nobody(Some(range), false),
            nobody(None, false),
            nobody(Some(range), true),
            LinkFault::StrangerCame { port, from: other, expected: to.ip() },
            LinkFault::AddressChanged { port, from: to.ip(), to: other },
            LinkFault::Refused { to, by: None },
            LinkFault::Refused { to, by: Some(other) },
            LinkFault::TimedOut { to, after: span },
            LinkFault::Unreachable { to, by: None, why: errno.clone() },
            LinkFault::Unreachable { to, by: Some(other), why: errno },
            LinkFault::PortsSpent(spent),
            LinkFault::TargetRefused(TargetRefused::Foreign { asked: other, peer: to.ip() }),
            LinkFault::TargetRefused(TargetRefused::LowPort(25)),
            stalled(Stall::Silent),
            stalled(Stall::Lost(bytes)),
            stalled(Stall::Full(bytes)),
            stalled(Stall::Unknown),
            LinkFault::Reset,
            LinkFault::CutShort,
            LinkFault::ActiveOff,
            LinkFault::PassiveOff,
            LinkFault::NoPlan,
            LinkFault::NoTls { why: text.clone() },
            LinkFault::NotResumed,
            LinkFault::ForeignSession,
            LinkFault::Other { to: Some(to), text: text.clone() },
            LinkFault::Other { to: None, text },
        ]
    }
}
