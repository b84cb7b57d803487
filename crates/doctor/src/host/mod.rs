//! The server's own side: what a configuration needs of this machine, what this machine is ([`facts`]), what its packet filter does
//! ([`rules`]), and what follows ([`judge`]). Nothing is changed. What only root may look at is named where it was not seen.
//!
//! ```text
//!   facts::look ──> Host ──> judge ──> Examined: words, JSON
//! ```

mod addresses;
pub mod facts;
mod filter;
pub mod iptables;
pub mod judge;
pub mod nft;
mod report;
pub mod rules;
mod walk;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use twoport_net::outside::Witness;
use twoport_plan::Tell;
use twoport_plan::flow::{Flow, Site};

use crate::causes::{Cause, Side};
use crate::diagnosis::{Confidence, Verdict};

use rules::Rules;

/// What of a configuration matters here.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The file, as it was typed.
    pub file: String,
    /// What firewalls must know of it.
    pub site: Site,
    /// Where it listens.
    pub listen: Vec<SocketAddr>,
    /// Who is asked for the address that the world sees.
    pub witness: Option<Witness>,
    /// Sessions at once.
    pub max_sessions: usize,
    /// How long a control connection is quiet before the system shows that it lives.
    pub keepalive: Option<Duration>,
}

/// What was seen of this machine.
#[derive(Debug, Clone, Default)]
pub struct Host {
    /// Its addresses, without those that are of one link or of itself only.
    pub own: Vec<IpAddr>,
    /// The interfaces to the world, of IPv4 and of IPv6.
    pub ways: (Option<String>, Option<String>),
    /// TCP ports in use.
    pub used: Vec<Used>,
    /// The first port that anybody may listen on.
    pub open_from: u16,
    /// Whether who looks may listen below it.
    pub may_bind: bool,
    /// The range from which the system gives ports to outgoing connections.
    pub ephemeral: Option<(u16, u16)>,
    /// Ports that it leaves out of that.
    pub reserved: Vec<(u16, u16)>,
    /// The rules in force; none where they were not seen.
    pub rules: Option<Rules>,
    /// Which of the FTP helper's modules are loaded.
    pub modules: Vec<&'static str>,
    /// Whether the helper watches port 21 without a rule, as kernels before 6.0 could be told.
    pub automatic: bool,
    /// Connection tracking, where there is some.
    pub tracking: Option<Tracking>,
    /// Ports that Docker's proxy takes connections on, with the container's.
    pub proxied: Vec<(u16, u16)>,
    /// What is found now where the configuration names no address: by a name, or by the witness.
    pub answers: Vec<(Tell, Result<Ipv4Addr, String>)>,
    /// What the witness says, where there is one.
    pub world: Option<Result<Ipv4Addr, String>>,
    /// What could not be looked at, and what would help, a sentence each.
    pub unseen: Vec<String>,
}

/// A TCP port in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Used {
    /// The address here and the port.
    pub at: SocketAddr,
    /// Whether somebody listens there.
    pub listens: bool,
    /// The program, and the number of its process; none where only root may know.
    pub by: Option<(String, u32)>,
}

impl Used {
    /// Whether it is ours.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        self.by.as_ref().is_some_and(|(name, _)| name == "twoport")
    }
}

/// What connection tracking holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tracking {
    /// Connections now.
    pub count: u64,
    /// Connections at most.
    pub most: u64,
    /// How long one may be silent before it is forgotten.
    pub silent: Option<Duration>,
}

/// How it stands with one thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It is well.
    Ok,
    /// Some clients will fail, or some day all.
    Warning,
    /// Something that the configuration offers does not work.
    Broken,
}

impl Severity {
    /// As scripts read it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Severity::Ok => "ok",
            Severity::Warning => "warning",
            Severity::Broken => "broken",
        }
    }
}

/// What is so, and what is to be done.
#[derive(Debug, Clone)]
pub struct Finding {
    /// What is so, as a sentence without its full stop.
    pub what: String,
    /// How it stands.
    pub severity: Severity,
    /// Who must act.
    pub side: Side,
    /// What clients will meet because of it, where that has a name.
    pub cause: Option<Cause>,
    /// How sure it is.
    pub confidence: Confidence,
    /// What to do, a command where there is one.
    pub fix: Option<String>,
    /// Rules that do it: dialect and text.
    pub rules: Option<(&'static str, String)>,
}

impl Finding {
    /// Something is as it should be.
    pub(crate) fn ok(what: impl Into<String>) -> Finding {
        Finding {
            what: what.into(),
            severity: Severity::Ok,
            side: Side::None,
            cause: None,
            confidence: Confidence::Certain,
            fix: None,
            rules: None,
        }
    }

    /// Something may fail; the server's side can cure it.
    pub(crate) fn warning(what: impl Into<String>, fix: impl Into<String>) -> Finding {
        let (severity, side) = (Severity::Warning, Side::Server);
        Finding { severity, side, fix: Some(fix.into()), ..Finding::ok(what) }
    }

    /// Something does not work; the server's side can cure it.
    pub(crate) fn broken(what: impl Into<String>, fix: impl Into<String>) -> Finding {
        Finding { severity: Severity::Broken, ..Finding::warning(what, fix) }
    }

    pub(crate) fn by(self, cause: Cause) -> Finding {
        Finding { cause: Some(cause), ..self }
    }

    pub(crate) fn sure(self, confidence: Confidence) -> Finding {
        Finding { confidence, ..self }
    }
}

/// One connection that must pass this machine's filter, and whether it does.
#[derive(Debug, Clone)]
pub struct Passage {
    /// Whether it is opened from outside.
    pub inward: bool,
    /// From which ports to which.
    pub title: String,
    /// The same as `twoport firewall` tells it.
    pub flow: Flow,
    /// Whether it is let through; none where that is not known, or not the same for all.
    pub let_through: Option<bool>,
    /// The rule that decides.
    pub by: Option<String>,
}

/// A place at which the configuration takes control connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Door {
    /// The address and the port.
    pub at: SocketAddr,
    /// Whether somebody listens there now.
    pub listens: bool,
    /// Whether this machine's rules let connections to it in; none where that is not known.
    pub let_through: Option<bool>,
}

/// What was found.
#[derive(Debug, Clone)]
pub struct Examined {
    /// This machine's addresses, as in [`Host::own`].
    pub own: Vec<IpAddr>,
    /// Where control connections are taken.
    pub doors: Vec<Door>,
    /// Each thing that was looked at.
    pub findings: Vec<Finding>,
    /// Each connection that must pass.
    pub passages: Vec<Passage>,
    /// What could not be looked at, a sentence each.
    pub unseen: Vec<String>,
}

impl Examined {
    /// How it stands.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        match self.worst().map(|finding| finding.severity) {
            Some(Severity::Broken) => Verdict::Broken,
            Some(Severity::Warning) => Verdict::Degraded,
            _ => Verdict::Ok,
        }
    }

    /// The finding that says most: the first of the worst, one with a name before one without.
    fn worst(&self) -> Option<&Finding> {
        let key = |finding: &Finding| (finding.severity, finding.cause.is_some());
        let worst = self.findings.iter().map(key).max()?;
        self.findings.iter().find(|finding| key(finding) == worst)
    }
}

#[cfg(test)]
mod tests;
