//! Active mode, and what goes wrong once a data connection is there.

use std::time::Duration;

use twoport_proto::Sightings;

use super::Confidence::{Certain, Likely, Possible};
use super::{Found, MUCH, both, is_inner, place, said, span};
use crate::causes::Cause;
use crate::evidence::{Cell, Evidence, Idle, Login, Outcome, Said};

/// Data connections are reset in the middle.
pub(super) fn cut(evidence: &Evidence) -> Option<Found> {
    let flow = evidence.flow.as_ref()?;
    let bytes = match &flow.outcome {
        Outcome::Cut { bytes, .. } => *bytes,
        Outcome::Works(bytes) if flow.cuts > 0 => *bytes,
        _ => return None,
    };
    let times = flow.cuts.max(1);
    let mut because = vec![format!("{} was cut {times} times within {bytes} bytes", flow.verb)];
    let told = flow.seen.as_ref().and_then(|seen| seen.sound()?.fault.as_deref());
    let sure = match told {
        // Each end says that it was the other.
        Some("reset") => {
            because.push("the server was reset too, and neither end has done it".to_owned());
            Certain
        }
        _ if times > 1 => Likely,
        _ => Possible,
    };
    Some(Found(Cause::MidReset, sure, because))
}

/// What came of each transfer, the long one first, and what the server tells of it.
fn transfers(evidence: &Evidence) -> impl Iterator<Item = (&Outcome, Option<&Sightings>)> {
    let flow = evidence.flow.iter().map(|flow| (&flow.outcome, &flow.seen));
    let tries = flow.chain(evidence.cells().map(|(_, cell)| (&cell.outcome, &cell.seen)));
    tries.map(|(outcome, seen)| (outcome, seen.as_ref().and_then(|seen| seen.sound())))
}

/// It stands still, and with small segments it does not.
pub(super) fn black_hole(evidence: &Evidence) -> Option<Found> {
    if evidence.mute {
        let because = vec!["the TLS handshake stood still where the certificate comes".to_owned()];
        return match evidence.small.as_ref()? {
            (size, Outcome::Works(_)) => {
                let because =
                    [because, vec![format!("with segments of {size} bytes it came to its end")]].concat();
                Some(Found(Cause::BlackHole, Certain, because))
            }
            _ => Some(Found(Cause::PayloadFiltered, Possible, because)),
        };
    }
    let stalled = |outcome: &Outcome| if let Outcome::Stalled(bytes) = outcome { Some(*bytes) } else { None };
    let (bytes, seen) = transfers(evidence).find_map(|(outcome, seen)| Some((stalled(outcome)?, seen)))?;
    let lost = seen.and_then(|seen| seen.unacknowledged).filter(|lost| *lost > 0);
    let told = lost.map(|lost| format!("the server sent on, and {lost} bytes of it were not acknowledged"));
    if bytes >= MUCH {
        let because =
            [format!("{bytes} bytes came, and then nothing more")].into_iter().chain(told.clone()).collect();
        return Some(Found(Cause::MidSilence, if told.is_some() { Certain } else { Likely }, because));
    }
    let (size, small) = evidence.small.as_ref()?;
    let mut because = vec![format!("150 came, and after {bytes} bytes nothing more")];
    match small {
        Outcome::Works(_) => {
            because.push(format!("with segments of {size} bytes all of it came"));
            Some(Found(Cause::BlackHole, Certain, because))
        }
        _ => {
            because.push("with small segments too".to_owned());
            because.extend(told.clone());
            Some(Found(Cause::PayloadFiltered, if told.is_some() { Certain } else { Possible }, because))
        }
    }
}

/// All came, and the data connection did not end.
pub(super) fn end_lost(evidence: &Evidence) -> Option<Found> {
    let ends_not = |outcome: &Outcome| if let Outcome::NoEnd(bytes) = outcome { Some(*bytes) } else { None };
    let (bytes, seen) = transfers(evidence).find_map(|(outcome, seen)| Some((ends_not(outcome)?, seen)))?;
    let mut because = vec![format!("{bytes} bytes and 226 came, and the data connection did not end")];
    // What a server says 226 to it has ended.
    let sure = seen.is_some_and(|seen| seen.sent == Some(bytes) && seen.fault.is_none());
    if sure {
        because.push(format!("the server sent {bytes} bytes, and ended it behind them"));
    }
    Some(Found(Cause::FinLost, if sure { Certain } else { Likely }, because))
}

/// The control connection did not live through the silence.
pub(super) fn idle(evidence: &Evidence) -> Option<Found> {
    if let Some(Idle { died: Some(died), lived, said }) = &evidence.idle {
        // A server that says why has a limit of its own.
        if said.is_none() {
            let mut because =
                vec![format!("a session that was silent for {} did not answer any more", span(*died))];
            because.extend(lived.map(|lived| format!("one that was silent for {} did", span(lived))));
            return Some(Found(Cause::IdleDropped, Likely, because));
        }
    }
    let flow = evidence.flow.as_ref()?;
    let Outcome::NoWord(bytes) = flow.outcome else { return None };
    let mut because = vec![
        format!("{bytes} bytes came in {}, the data connection ended, and 226 did not come", span(flow.took)),
        "the control connection does not answer any more".to_owned(),
    ];
    // A server that has ended it would say so, and its system acknowledges whatever comes.
    because.extend(flow.unheard.map(|lost| {
        format!(
            "{lost} bytes that we sent on it were not acknowledged, and a new session was taken in meanwhile"
        )
    }));
    Some(Found(Cause::IdleDropped, if flow.unheard.is_some() { Certain } else { Likely }, because))
}

/// A data connection that does not resume is refused. Where the clear is allowed too, that is a choice and no fault.
pub(super) fn reuse(evidence: &Evidence) -> Option<Found> {
    let words = |said: &Said| {
        let text = said.text.to_ascii_lowercase();
        said.code == 522 || (said.code / 100 >= 4 && (text.contains("reuse") || text.contains("resum")))
    };
    let cells = evidence.cells().map(|(_, cell)| &cell.outcome);
    let refused = cells.chain(&evidence.afresh).find_map(|outcome| match outcome {
        Outcome::NotBegun { said: Some(said), .. } | Outcome::NoTls { said: Some(said), .. }
            if words(said) =>
        {
            Some(said.clone())
        }
        Outcome::Cut { why, .. } if why.to_ascii_lowercase().contains("reuse") || why.contains("resum") => {
            Some(Said { code: 0, text: why.clone() })
        }
        _ => None,
    });
    let clear = evidence.legs.iter().any(|leg| !leg.secure && matches!(leg.login, Login::In | Login::Asked));
    let said = refused?;
    let fails = !evidence.cells().any(|(_, cell)| cell.outcome.works());
    (fails || !clear).then(|| {
        let because = vec![format!("a data connection that resumed no session was refused: {said}")];
        Found(Cause::SessionReuse, Certain, because)
    })
}

/// No passive mode at all.
pub(super) fn active_only(evidence: &Evidence) -> Option<Found> {
    let passive: Vec<&Cell> = evidence
        .cells()
        .map(|(_, cell)| cell)
        .filter(|cell| cell.mode.is_passive() && !matches!(cell.outcome, Outcome::Skipped(_)))
        .collect();
    if passive.is_empty() || !passive.iter().all(|cell| matches!(cell.outcome, Outcome::Refused)) {
        return None;
    }
    let mut because: Vec<String> =
        passive.iter().map(|cell| format!("{} was answered {}", cell.mode, said(cell))).collect();
    because.dedup();
    let active: Vec<&Cell> =
        evidence.cells().map(|(_, cell)| cell).filter(|cell| !cell.mode.is_passive()).collect();
    if active.iter().any(|cell| cell.outcome.works()) {
        because.push("active mode gets through".to_owned());
        return Some(Found(Cause::ActiveOnly, Certain, because));
    }
    if let Some(cell) = active.iter().find(|cell| matches!(cell.outcome, Outcome::Refused)) {
        let sure = if both::we_are_behind_nat(evidence) { Certain } else { Likely };
        let secure = evidence.legs.iter().any(|leg| leg.secure && !leg.cells.is_empty());
        if secure && evidence.helper == Some(true) {
            because.push(format!("in TLS {} was answered {}", cell.mode, said(cell)));
            because.push("an FTP helper is on the way, which cannot read that".to_owned());
            return Some(Found(Cause::TlsBlindsHelper, sure, because));
        }
        because.push(format!("{} was answered {}", cell.mode, said(cell)));
        let inner = evidence.own.iter().any(|ip| is_inner(*ip) && !ip.is_loopback());
        return Some(match inner {
            true => Found(Cause::ClientNatActive, sure, because),
            false => Found(Cause::ActiveOnly, Likely, because),
        });
    }
    let waited = active.iter().find_map(|cell| match &cell.outcome {
        Outcome::NobodyCame { dropped, after, first, .. } => Some((cell, *dropped, *after, *first)),
        _ => None,
    });
    let (cell, dropped, after, first) = waited?;
    let here = evidence.door().map(|door| door.at.ip().to_canonical());
    if let Some(first) = first.filter(|first| Some(*first) != here) {
        because.push(format!(
            "the first packet of a connection came from {first}, and our answer to it was lost"
        ));
        return Some(Found(Cause::ActiveNotNatted, Certain, because));
    }
    let second = Duration::from_millis(850)..Duration::from_millis(1800);
    // Behind a NAT PORT is taken only if a helper has given it the outer address.
    let inner = evidence.local.is_some_and(is_inner);
    if evidence.helper == Some(true) && (second.contains(&after) || inner && dropped == Some(0)) {
        because.push(format!("{} was taken, and the server gave up after {}", cell.mode, span(after)));
        because.push("an FTP helper is on the way".to_owned());
        return Some(Found(Cause::RelatedNotAccepted, Likely, because));
    }
    // A firewall that refuses answers the first packet; one that drops sees it again after a second.
    let enough = if after < Duration::from_secs(1) { 1 } else { 2 };
    match dropped {
        Some(packets) if packets >= enough => {
            because.push(format!(
                "while the server connected, {packets} packets came to this machine and were given to nobody"
            ));
            Some(Found(Cause::ClientInboundBlocked, Likely, because))
        }
        _ => {
            because.push(format!("{} was taken, and nobody came to {}", cell.mode, place(cell)));
            Some(Found(Cause::ServerEgress, Possible, because))
        }
    }
}
