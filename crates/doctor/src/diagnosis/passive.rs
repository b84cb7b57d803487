//! Passive mode: which address and port are told, and whether they answer.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use twoport_plan::LinkFault;

use super::Confidence::{Certain, Likely, Possible};
use super::{Found, both, is_inner, place, said, span};
use crate::causes::Cause;
use crate::evidence::{Cell, Evidence, Login, Mode, Outcome, Said};

/// It says itself that it has no port.
pub(super) fn ports_spent(evidence: &Evidence) -> Option<Found> {
    let spent = |said: &Said| {
        let text = said.text.to_ascii_lowercase();
        let words = [
            "vsf_sysutil_bind",
            "ports are busy",
            "all reserved tcp ports",
            "address already in use",
            "no free port",
            "no passive port",
            "ports wait for",
            "passive port waits",
            "passive port is held",
            "other programs hold",
        ];
        words.iter().any(|word| text.contains(word))
    };
    let (_, cell) =
        evidence.cells().find(|(_, cell)| cell.mode.is_passive() && cell.said.as_ref().is_some_and(spent))?;
    let said = cell.said.as_ref()?;
    Some(Found(Cause::RangeExhausted, Certain, vec![format!("{} was answered {said}", cell.mode)]))
}

/// PASV hangs, and nothing of ours was lost: the answer was.
pub(super) fn half_a_reply(evidence: &Evidence) -> Option<Found> {
    let (mode, from) = evidence.cells().find_map(|(_, cell)| match cell.outcome {
        Outcome::NoAnswer { lost: Some(0) | None, from } if cell.mode.is_passive() => Some((cell.mode, from)),
        _ => None,
    })?;
    if evidence.helper != Some(true) {
        return None;
    }
    let mut because = vec![format!("{mode} was received and its answer never came"), helper_text()];
    let unheard = both::unheard(evidence, from);
    because.extend(
        unheard.map(|bytes| format!("the server has answered: {bytes} bytes of it were not acknowledged")),
    );
    because
        .extend(both::cramped(evidence).map(|mss| format!("it may put only {mss} bytes into one segment")));
    Some(Found(Cause::HelperHalfMatch, if unheard.is_some() { Certain } else { Likely }, because))
}

/// A command never arrives.
pub(super) fn swallowed(evidence: &Evidence) -> Option<Found> {
    let (_, cell) = evidence
        .cells()
        .find(|(_, cell)| matches!(cell.outcome, Outcome::NoAnswer { .. }) && cell.mode == Mode::Epsv)?;
    let other = evidence.of(Mode::Pasv).any(|cell| cell.said.is_some());
    let mut because = vec![format!("{} was never answered", cell.mode)];
    let lost =
        if let Outcome::NoAnswer { lost: Some(lost @ 1..), .. } = cell.outcome { Some(lost) } else { None };
    because.extend(lost.map(|lost| format!("{lost} bytes of it were never acknowledged")));
    if other {
        because.push("PASV was answered in a new session".to_owned());
    }
    let sure = match other {
        // Ours answers EPSV, and its system acknowledges whatever comes.
        true if lost.is_some() && both::tells(evidence) => {
            because.push("the server is a twoport, which answers EPSV".to_owned());
            Certain
        }
        true => Likely,
        false => Possible,
    };
    Some(Found(Cause::EpsvSwallowed, sure, because))
}

/// The connection was made, and the server takes nobody from there.
pub(super) fn other_address(evidence: &Evidence) -> Option<Found> {
    let foreign = |said: &Said| {
        let text = said.text.to_ascii_lowercase();
        said.code == 425
            && ["bad ip", "foreign address", "security:", "address changed", "was expected"]
                .iter()
                .any(|word| text.contains(word))
    };
    let two = evidence.seen_as.windows(2).any(|pair| pair[0] != pair[1]);
    let cells: Vec<&Cell> =
        evidence.cells().map(|(_, cell)| cell).filter(|cell| cell.mode.is_passive()).collect();
    let told = cells
        .iter()
        .find(|cell| matches!(&cell.outcome, Outcome::NotBegun { said: Some(said), .. } if foreign(said)));
    if let Some(cell) = told {
        let Outcome::NotBegun { said: Some(said), .. } = &cell.outcome else { return None };
        let mut because =
            vec![format!("the connection to {} was made, and the server said {said}", place(cell))];
        if two {
            because.push(format!(
                "it sees us come from {} and from {}",
                evidence.seen_as[0],
                evidence.seen_as[evidence.seen_as.len() - 1]
            ));
        }
        return Some(Found(Cause::DataFromOther, if two { Certain } else { Likely }, because));
    }
    let at_once = cells.iter().find(|cell| {
        matches!(&cell.outcome, Outcome::NotBegun { said: Some(said), after } if said.code == 425 && *after < Duration::from_secs(2))
    })?;
    two.then(|| {
        let because = vec![
            format!("the connection to {} was made, and the server refused it", place(at_once)),
            format!(
                "it sees us come from {} and from {}",
                evidence.seen_as[0],
                evidence.seen_as[evidence.seen_as.len() - 1]
            ),
        ];
        Found(Cause::DataFromOther, Certain, because)
    })
}

/// The connection was made, and the server goes on waiting for it.
pub(super) fn elsewhere(evidence: &Evidence) -> Option<Found> {
    let late = |outcome: &Outcome| match outcome {
        Outcome::NotBegun { said, after } => {
            said.as_ref().is_none_or(|said| said.code / 100 == 4) && *after >= Duration::from_secs(2)
        }
        _ => false,
    };
    let (_, cell) = evidence.cells().find(|(_, cell)| cell.mode.is_passive() && late(&cell.outcome))?;
    if evidence.passive_works() {
        return None;
    }
    let mut because =
        vec![format!("{} took the connection, and the server went on waiting for it", place(cell))];
    let nearer = evidence.path.as_ref().and_then(|path| Some((path.answered?, path.control?)));
    let certain = match nearer {
        Some((answered, control)) if answered < control => {
            because.push(format!("it was taken at hop {answered}, and the server is at hop {control}"));
            true
        }
        _ => false,
    };
    Some(Found(Cause::AcceptedElsewhere, if certain { Certain } else { Likely }, because))
}

/// 227 tells another address, and there it works.
pub(super) fn data_elsewhere(evidence: &Evidence) -> Option<Found> {
    let works = differing(evidence).find(|cell| cell.outcome.works())?;
    if evidence.works(Mode::Epsv) || !evidence.of(Mode::Epsv).any(|cell| cell.outcome.no_link().is_some()) {
        return None;
    }
    let because = vec![
        format!("{} answered, which 227 tells", place(works)),
        "the same server's ports at the address of the control connection did not".to_owned(),
    ];
    Some(Found(Cause::DataElsewhere, Certain, because))
}

/// 227 tells 0.0.0.0.
pub(super) fn zero(evidence: &Evidence) -> Option<Found> {
    let cell =
        evidence.of(Mode::Pasv).find(|cell| cell.place.is_some_and(|place| place.ip().is_unspecified()))?;
    Some(Found(Cause::ZeroAddress, Certain, vec![format!("PASV was answered {}", said(cell))]))
}

/// 227 has no numbers, or not in parentheses.
pub(super) fn unparsable(evidence: &Evidence) -> Option<Found> {
    let cell = evidence.of(Mode::Pasv).find(|cell| {
        let unusual = |said: &Said| said.code == 227 && !(said.text.contains('(') && said.text.contains(')'));
        matches!(cell.outcome, Outcome::Unreadable) || cell.said.as_ref().is_some_and(unusual)
    })?;
    Some(Found(Cause::Unparsable227, Certain, vec![format!("PASV was answered {}", said(cell))]))
}

/// PASV is answered as EPSV is.
pub(super) fn translated(evidence: &Evidence) -> Option<Found> {
    let cell =
        evidence.of(Mode::Pasv).find(|cell| cell.said.as_ref().is_some_and(|said| said.code == 229))?;
    Some(Found(Cause::Answer229ToPasv, Likely, vec![format!("PASV was answered {}", said(cell))]))
}

/// One mode fails now and then.
pub(super) fn partly_open(evidence: &Evidence) -> Option<Found> {
    for leg in &evidence.legs {
        for mode in [Mode::Epsv, Mode::Pasv] {
            let tries: Vec<&Cell> = leg.cells.iter().filter(|cell| cell.mode == mode).collect();
            let shut = tries.iter().find(|cell| cell.outcome.no_link().is_some());
            let open = tries.iter().find(|cell| cell.outcome.works());
            if let (Some(shut), Some(open)) = (shut, open) {
                let because = vec![format!("{} did not answer, and {} did", place(shut), place(open))];
                return Some(Found(Cause::RangePartlyOpen, Likely, because));
            }
        }
    }
    None
}

/// EPSV works and PASV does not, at one address.
pub(super) fn masquerade(evidence: &Evidence) -> Option<Found> {
    let shut = evidence.of(Mode::Pasv).find(|cell| {
        cell.outcome.no_link().is_some() && cell.place.map(|place| place.ip()) == peer(evidence)
    })?;
    if !evidence.works(Mode::Epsv) {
        return None;
    }
    let mut because = vec![format!("EPSV works, and {}, which PASV told, does not answer", place(shut))];
    if evidence.helper == Some(true) {
        because.push(helper_text());
        return Some(Found(Cause::HelperMasquerade, Certain, because));
    }
    Some(Found(Cause::AlgRewrites, Possible, because))
}

/// A helper that TLS blinds.
pub(super) fn blind(evidence: &Evidence) -> Option<Found> {
    let secure = evidence.legs.iter().find(|leg| leg.secure && matches!(leg.login, Login::In))?;
    let passive: Vec<&Cell> = secure.cells.iter().filter(|cell| cell.mode.is_passive()).collect();
    let shut = passive.iter().find(|cell| cell.outcome.no_link().is_some())?;
    if passive.iter().any(|cell| cell.outcome.works()) {
        return None;
    }
    let plain = evidence.legs.iter().find(|leg| {
        !leg.secure && leg.cells.iter().any(|cell| cell.mode.is_passive() && cell.outcome.works())
    });
    if plain.is_some() {
        let because = vec![
            "in the clear the passive ports answer".to_owned(),
            format!("in TLS {} does not", place(shut)),
        ];
        return Some(Found(Cause::TlsBlindsHelper, Certain, because));
    }
    (evidence.helper == Some(true)).then(|| {
        let because = vec![format!("in TLS {} does not answer", place(shut)), helper_text()];
        let sure = if both::nothing_came(evidence) { Certain } else { Likely };
        Found(Cause::TlsBlindsHelper, sure, because)
    })
}

/// Refused when the second packet came, a second later.
pub(super) fn related(evidence: &Evidence) -> Option<Found> {
    if evidence.passive_works() {
        return None;
    }
    let second = |cell: &&Cell| match &cell.outcome {
        Outcome::NoLink { fault: LinkFault::Refused { .. }, after, .. } => {
            (Duration::from_millis(850)..Duration::from_millis(1800)).contains(after)
        }
        _ => false,
    };
    let cell = evidence.cells().map(|(_, cell)| cell).filter(|cell| cell.mode.is_passive()).find(second)?;
    let mut because =
        vec![format!("{} was silent at first and refused after {}", place(cell), span(after(cell)))];
    let helper = evidence.helper == Some(true);
    if helper {
        because.push(helper_text());
    }
    Some(Found(Cause::RelatedNotAccepted, if helper { Certain } else { Likely }, because))
}

/// 227 tells an address of the server's own network.
pub(super) fn private(evidence: &Evidence) -> Option<Found> {
    let here = peer(evidence)?;
    let inner = |ip: IpAddr| is_inner(ip) || matches!(ip, IpAddr::V4(ip) if is_shared(ip));
    let cell = differing(evidence).find(|cell| cell.place.is_some_and(|place| inner(place.ip())))?;
    if cell.outcome.works() {
        return None;
    }
    let because =
        vec![format!("PASV was answered {}, and the control connection is with {here}", said(cell))];
    // Where nothing answers at the right address either, the address is not all that is wrong.
    let reached = evidence.works(Mode::Epsv) || evidence.works(Mode::PasvPeer);
    let tried = evidence.cells().any(|(_, cell)| {
        matches!(cell.mode, Mode::Epsv | Mode::PasvPeer) && cell.outcome.no_link().is_some()
    });
    if tried && !reached {
        return None;
    }
    Some(Found(Cause::PrivateAddress, if reached { Certain } else { Likely }, because))
}

/// 227 tells the public address to a client inside, where it leads nowhere.
pub(super) fn public_inside(evidence: &Evidence) -> Option<Found> {
    let here = peer(evidence).filter(|here| is_inner(*here) && !here.is_loopback())?;
    let cell = differing(evidence).find(|cell| {
        cell.outcome.no_link().is_some() && cell.place.is_some_and(|place| !is_inner(place.ip()))
    })?;
    (evidence.works(Mode::Epsv) || evidence.works(Mode::PasvPeer)).then(|| {
        let because = vec![format!(
            "PASV was answered {}, and the server was reached at {here}, inside its network",
            said(cell)
        )];
        Found(Cause::PublicInside, Certain, because)
    })
}

/// 227 tells an address that is nobody's, and the ports answer where we are.
pub(super) fn stale(evidence: &Evidence) -> Option<Found> {
    let cell = differing(evidence).find(|cell| cell.outcome.no_link().is_some())?;
    let here = peer(evidence)?;
    (evidence.works(Mode::Epsv) || evidence.works(Mode::PasvPeer)).then(|| {
        let because = vec![
            format!("PASV was answered {}, and {} does not answer", said(cell), place(cell)),
            format!("the ports answer at {here}, where the control connection is"),
        ];
        Found(Cause::StaleAddress, Certain, because)
    })
}

/// EPSV's ports do not answer, again and again, and PASV's do.
pub(super) fn rewritten(evidence: &Evidence) -> Option<Found> {
    let tries: Vec<&Cell> = evidence.of(Mode::Epsv).filter(|cell| cell.outcome.no_link().is_some()).collect();
    let pasv =
        evidence.of(Mode::Pasv).chain(evidence.of(Mode::PasvPeer)).find(|cell| cell.outcome.works())?;
    let first = tries.first()?;
    if evidence.works(Mode::Epsv) {
        return None;
    }
    let because = vec![format!(
        "{}, which EPSV told, does not answer; {}, which PASV told, does",
        place(first),
        place(pasv)
    )];
    Some(Found(Cause::AlgRewrites, Likely, because))
}

/// What we send does not leave this machine.
pub(super) fn held_back(evidence: &Evidence) -> Option<Found> {
    let cell =
        shut(evidence).find(|cell| matches!(cell.outcome, Outcome::NoLink { held_back: Some(1..), .. }))?;
    let Outcome::NoLink { fault, held_back: Some(packets), .. } = &cell.outcome else { return None };
    let because = vec![fault.cause(), format!("{packets} packets did not leave this machine meanwhile")];
    Some(Found(Cause::ClientEgress, Likely, because))
}

/// The ports that are told are refused.
pub(super) fn refused(evidence: &Evidence) -> Option<Found> {
    let cell = shut(evidence).find(|cell| {
        matches!(
            cell.outcome.no_link(),
            Some(LinkFault::Refused { .. } | LinkFault::Unreachable { by: Some(_), .. })
        )
    })?;
    let fault = cell.outcome.no_link()?;
    let mut because = vec![fault.cause()];
    if let Some(path) = &evidence.path
        && let (Some(answered), Some(control)) = (path.answered, path.control)
        && answered < control
    {
        because.push(format!("the refusal comes from hop {answered}, and the server is at hop {control}"));
    }
    Some(Found(Cause::PassiveRejected, Likely, because))
}

/// The ports that are told do not answer.
pub(super) fn dropped(evidence: &Evidence) -> Option<Found> {
    let cell = shut(evidence).find(|cell| cell.outcome.no_link().is_some())?;
    let fault = cell.outcome.no_link()?;
    let mut because = vec![fault.cause()];
    if let Some(path) = evidence.path.as_ref().filter(|path| path.heard && path.last.is_none()) {
        because.push(format!(
            "packets to port {} do not get to the first router; those to the control port do",
            path.port
        ));
        return Some(Found(Cause::EgressRestricted, Likely, because));
    }
    let Some((path, (hop, by))) = evidence.path.as_ref().and_then(|path| Some((path, path.last?))) else {
        return Some(Found(Cause::PassiveDroppedAtHost, Possible, because));
    };
    because.push(format!("packets to port {} were last heard of at {by}, hop {hop}", path.port));
    let Some(control) = path.control else {
        return Some(Found(Cause::PassiveDroppedAtRouter, Possible, because));
    };
    because.push(format!("the control port answers at hop {control}"));
    // A router says that a packet came too far before it drops it: the one that was heard of last is the one that drops, or all that
    // is behind it is the server.
    let cause = match hop {
        hop if hop + 1 >= control => Cause::PassiveDroppedAtHost,
        1 => Cause::EgressRestricted,
        _ => Cause::PassiveDroppedAtRouter,
    };
    Some(Found(cause, Likely, because))
}

/// PASV is refused, and EPSV works.
pub(super) fn pasv_refused(evidence: &Evidence) -> Option<Found> {
    let cell =
        evidence.of(Mode::Pasv).find(|cell| matches!(cell.outcome, Outcome::Refused | Outcome::HungUp))?;
    evidence.works(Mode::Epsv).then(|| {
        Found(Cause::PasvRefused, Certain, vec![format!("PASV was answered {}, and EPSV works", said(cell))])
    })
}

/// EPSV is refused, and PASV works.
pub(super) fn epsv_refused(evidence: &Evidence) -> Option<Found> {
    let cell =
        evidence.of(Mode::Epsv).find(|cell| matches!(cell.outcome, Outcome::Refused | Outcome::HungUp))?;
    let works = evidence.works(Mode::Pasv) || evidence.works(Mode::PasvPeer);
    let words = if matches!(cell.outcome, Outcome::HungUp) {
        "ended the session".to_owned()
    } else {
        format!("was answered {}", said(cell))
    };
    works.then(|| Found(Cause::EpsvRejected, Certain, vec![format!("EPSV {words}, and PASV works")]))
}

/// Tries of PASV whose 227 tells another address than the control connection has.
fn differing(evidence: &Evidence) -> impl Iterator<Item = &Cell> {
    let here = peer(evidence);
    evidence.of(Mode::Pasv).filter(move |cell| {
        cell.place.is_some_and(|place| !place.ip().is_unspecified() && Some(place.ip()) != here)
    })
}

/// Tries of passive mode at the address of the control connection, where none of that kind has worked.
fn shut(evidence: &Evidence) -> impl Iterator<Item = &Cell> {
    let works = evidence.passive_works();
    let here = peer(evidence);
    evidence.cells().map(|(_, cell)| cell).filter(move |cell| {
        !works
            && cell.mode.is_passive()
            && cell.outcome.no_link().is_some()
            && cell.place.map(|place| place.ip()) == here
    })
}

/// The server, as we reached it.
pub(super) fn peer(evidence: &Evidence) -> Option<IpAddr> {
    evidence.tried().map(|leg| leg.at.ip().to_canonical())
}

/// 100.64.0.0/10, which carriers share (RFC 6598).
fn is_shared(ip: Ipv4Addr) -> bool {
    ip.octets()[0] == 100 && ip.octets()[1] & 0xC0 == 64
}

/// How long the connection was tried.
fn after(cell: &Cell) -> Duration {
    if let Outcome::NoLink { after, .. } = cell.outcome { after } else { cell.took }
}

/// How a helper was found out.
fn helper_text() -> String {
    "an FTP helper is on the way: half a command, sent for a test, was dropped".to_owned()
}
