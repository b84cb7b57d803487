//! Active mode, and what goes wrong once a data connection is there.

use std::net::IpAddr;

use twoport_plan::outside::is_local;

use super::Confidence::{Certain, Likely, Possible};
use super::{Found, place, said, span};
use crate::causes::Cause;
use crate::evidence::{Cell, Evidence, Idle, Login, Outcome, Said};

pub(super) fn cut(evidence: &Evidence) -> Option<Found> {
    let flow = evidence.flow.as_ref()?;
    let bytes = match &flow.outcome {
        Outcome::Cut { bytes, .. } => *bytes,
        Outcome::Works(bytes) if flow.cuts > 0 => *bytes,
        _ => return None,
    };
    let times = flow.cuts.max(1);
    let because = vec![format!("{} was cut {times} times within {bytes} bytes", flow.verb)];
    Some(Found(Cause::MidReset, if times > 1 { Likely } else { Possible }, because))
}

pub(super) fn black_hole(evidence: &Evidence) -> Option<Found> {
    let stalled = |outcome: &Outcome| if let Outcome::Stalled(bytes) = outcome { Some(*bytes) } else { None };
    let bytes = evidence
        .flow
        .as_ref()
        .and_then(|flow| stalled(&flow.outcome))
        .or_else(|| evidence.cells().find_map(|(_, cell)| stalled(&cell.outcome)))?;
    let (size, small) = evidence.small.as_ref()?;
    let mut because = vec![format!("150 came, and after {bytes} bytes nothing more")];
    match small {
        Outcome::Works(_) => {
            because.push(format!("with segments of {size} bytes all of it came"));
            Some(Found(Cause::BlackHole, Certain, because))
        }
        _ => {
            because.push("with small segments too".to_owned());
            Some(Found(Cause::PayloadFiltered, Possible, because))
        }
    }
}

pub(super) fn end_lost(evidence: &Evidence) -> Option<Found> {
    let flow = evidence.flow.as_ref().map(|flow| &flow.outcome);
    let outcome = flow.into_iter().chain(evidence.cells().map(|(_, cell)| &cell.outcome));
    let bytes = outcome
        .into_iter()
        .find_map(|outcome| if let Outcome::NoEnd(bytes) = outcome { Some(*bytes) } else { None })?;
    let because = vec![format!("{bytes} bytes and 226 came, and the data connection did not end")];
    Some(Found(Cause::FinLost, Likely, because))
}

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
    let because = vec![
        format!("{bytes} bytes came in {}, the data connection ended, and 226 did not come", span(flow.took)),
        "the control connection does not answer any more".to_owned(),
    ];
    Some(Found(Cause::IdleDropped, Likely, because))
}

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
        because.push(format!("{} was answered {}", cell.mode, said(cell)));
        let inner =
            evidence.own.iter().any(|ip| matches!(ip, IpAddr::V4(v4) if is_local(*v4) && !v4.is_loopback()));
        return Some(match inner {
            true => Found(Cause::ClientNatActive, Likely, because),
            false => Found(Cause::ActiveOnly, Likely, because),
        });
    }
    let waited = active.iter().find_map(|cell| match &cell.outcome {
        Outcome::NobodyCame { dropped, .. } => Some((cell, *dropped)),
        _ => None,
    });
    let (cell, dropped) = waited?;
    match dropped {
        Some(packets @ 2..) => {
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
