//! From evidence to cause: a table of cases, tried in order. Each looks at what was seen and says what follows, how sure that is, and
//! what decided. No socket and no clock.

mod beginning;
mod both;
mod passive;
mod transfer;

use std::net::IpAddr;
use std::time::Duration;

use twoport_plan::outside::is_local;

use crate::causes::{Cause, Side};
use crate::evidence::{Cell, Evidence, Outcome, Said};

/// How sure it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Confidence {
    /// Other causes look the same.
    Possible,
    /// Other causes would be strange.
    Likely,
    /// Nothing else looks so.
    Certain,
}

impl Confidence {
    /// As scripts read it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Confidence::Possible => "possible",
            Confidence::Likely => "likely",
            Confidence::Certain => "certain",
        }
    }
}

/// How it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Everything works.
    Ok,
    /// Some way works, and some client will fail.
    Degraded,
    /// Nothing gets through.
    Broken,
}

impl Verdict {
    /// As scripts read it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Ok => "ok",
            Verdict::Degraded => "degraded",
            Verdict::Broken => "broken",
        }
    }
}

/// What it is.
#[derive(Debug, Clone)]
pub struct Diagnosis {
    /// How it stands.
    pub verdict: Verdict,
    /// Why.
    pub cause: Cause,
    /// Who must act.
    pub side: Side,
    /// How sure that is.
    pub confidence: Confidence,
    /// What decided, a sentence each.
    pub because: Vec<String>,
}

/// What a case finds.
struct Found(Cause, Confidence, Vec<String>);

type Case = fn(&Evidence) -> Option<Found>;

/// In order: what hides the rest comes first, then what is unmistakable, then what is left.
const CASES: &[Case] = &[
    beginning::no_name,
    beginning::no_door,
    beginning::no_greeting,
    beginning::no_login,
    beginning::one_family,
    passive::ports_spent,
    both::rewritten,
    both::elsewhere,
    passive::half_a_reply,
    passive::swallowed,
    passive::other_address,
    passive::elsewhere,
    passive::zero,
    passive::unparsable,
    passive::translated,
    passive::data_elsewhere,
    passive::partly_open,
    passive::masquerade,
    passive::blind,
    passive::related,
    passive::private,
    passive::public_inside,
    passive::stale,
    transfer::cut,
    transfer::black_hole,
    transfer::end_lost,
    transfer::idle,
    transfer::reuse,
    passive::rewritten,
    both::active,
    transfer::active_only,
    passive::held_back,
    both::passive,
    passive::refused,
    passive::dropped,
    passive::pasv_refused,
    passive::epsv_refused,
    beginning::slow,
    beginning::protect,
];

/// Bytes that hold full segments: where so many have come, it is not their size that stops them.
pub(crate) const MUCH: u64 = 16 << 10;

/// The first case that fits.
#[must_use]
pub fn diagnose(evidence: &Evidence) -> Diagnosis {
    let found = CASES.iter().find_map(|case| case(evidence));
    let through = evidence.cells().any(|(_, cell)| cell.outcome.works())
        && evidence.flow.as_ref().is_none_or(|flow| matches!(flow.outcome, Outcome::Works(_)));
    let (verdict, Found(cause, confidence, because)) = match found {
        Some(found) if through => (Verdict::Degraded, found),
        Some(found) => (Verdict::Broken, found),
        None if through && !puzzling(evidence) => (Verdict::Ok, healthy(evidence)),
        None if through => (Verdict::Degraded, Found(Cause::Unknown, Confidence::Possible, Vec::new())),
        None => (Verdict::Broken, Found(Cause::Unknown, Confidence::Possible, Vec::new())),
    };
    Diagnosis { verdict, cause, side: side(cause, evidence), confidence, because }
}

/// Who must act. Where the server offers active mode only, a helper that fails is the one of the client's router; and it is not the
/// server that cuts its replies in pieces where somebody has made its segments so small.
fn side(cause: Cause, evidence: &Evidence) -> Side {
    let offered =
        evidence.cells().any(|(_, cell)| cell.mode.is_passive() && !matches!(cell.outcome, Outcome::Refused));
    let lets_in = evidence.server_door.and_then(|door| door.let_through);
    match cause {
        Cause::TlsBlindsHelper | Cause::RelatedNotAccepted if !offered => Side::ClientRouter,
        Cause::ControlBlocked if lets_in == Some(false) => Side::Server,
        Cause::HelperHalfMatch if both::cramped(evidence).is_some() => Side::ServerRouter,
        _ => cause.entry().side,
    }
}

/// Whether a passive mode that is offered fails in a way that no case has explained. Active mode may fail where passive mode works:
/// behind a NAT it does.
fn puzzling(evidence: &Evidence) -> bool {
    evidence.cells().any(|(_, cell)| {
        let known = matches!(cell.outcome, Outcome::Refused | Outcome::Skipped(_));
        cell.mode.is_passive() && !known && !cell.outcome.works()
    })
}

/// Everything that got through.
fn healthy(evidence: &Evidence) -> Found {
    let mut modes: Vec<String> = Vec::new();
    for (leg, cell) in evidence.cells().filter(|(_, cell)| cell.outcome.works()) {
        let text = format!("{}{}", cell.mode, if leg.secure { " in TLS" } else { "" });
        if !modes.contains(&text) {
            modes.push(text);
        }
    }
    Found(Cause::Healthy, Confidence::Certain, vec![format!("{} got through", modes.join(", "))])
}

/// An address of IPv4 that the world cannot reach.
fn is_inner(ip: IpAddr) -> bool {
    matches!(ip.to_canonical(), IpAddr::V4(ip) if is_local(ip))
}

/// Where it was to go.
fn place(cell: &Cell) -> String {
    cell.place.map_or_else(|| cell.mode.to_string(), |place| place.to_string())
}

/// What the server said to the command.
fn said(cell: &Cell) -> String {
    cell.said.as_ref().map_or_else(|| "nothing".to_owned(), Said::to_string)
}

pub(crate) fn span(time: Duration) -> String {
    match time.as_millis() {
        ms @ ..1000 => format!("{ms} ms"),
        ms => format!("{}.{} s", ms / 1000, ms % 1000 / 100),
    }
}

#[cfg(test)]
mod tests;
