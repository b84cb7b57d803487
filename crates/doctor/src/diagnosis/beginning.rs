//! What keeps a session from beginning: the name, the port, the greeting, the login.

use std::time::Duration;

use twoport_plan::LinkFault;

use super::Confidence::{Certain, Likely, Possible};
use super::{Found, span};
use crate::causes::Cause;
use crate::evidence::{Evidence, Login};

pub(super) fn no_name(evidence: &Evidence) -> Option<Found> {
    let why = evidence.addresses.as_ref().err()?;
    Some(Found(Cause::NameNotFound, Certain, vec![format!("{} cannot be looked up: {why}", evidence.host)]))
}

pub(super) fn no_door(evidence: &Evidence) -> Option<Found> {
    if evidence.door().is_some() || evidence.doors.is_empty() {
        return None;
    }
    let mut because: Vec<String> = evidence
        .doors
        .iter()
        .filter_map(|door| door.met.as_ref().err().map(LinkFault::cause))
        .map(|cause| cause.replace("the data connection", "the control connection"))
        .collect();
    if let Some(proxy) = &evidence.proxy
        && proxy.works.is_ok()
    {
        because.push(format!("the server answers through the proxy {}", proxy.what));
        return Some(Found(Cause::ProxyOnly, Certain, because));
    }
    let refused = |fault: &LinkFault| matches!(fault, LinkFault::Refused { .. });
    if evidence.doors.iter().any(|door| door.met.as_ref().is_err_and(refused)) {
        return Some(Found(Cause::NothingListening, Likely, because));
    }
    if evidence.is_our_router {
        because
            .push("another port of that address answers at the first hop: it is our own router".to_owned());
        return Some(Found(Cause::Hairpin, Likely, because));
    }
    if let Some((hop, by)) = evidence.path.as_ref().and_then(|path| path.last) {
        because.push(format!("packets for the control port were last heard of at {by}, hop {hop}"));
    }
    Some(Found(Cause::ControlBlocked, Likely, because))
}

pub(super) fn no_greeting(evidence: &Evidence) -> Option<Found> {
    let greeting = evidence.greeting.as_ref()?;
    match &greeting.said {
        Some(said) if said.code == 421 => {
            Some(Found(Cause::ServerBusy, Likely, vec![format!("it greets with {said}")]))
        }
        Some(_) => None,
        None if evidence.implicit => {
            let because = "no greeting came, and a TLS handshake from the first byte was answered".to_owned();
            Some(Found(Cause::ImplicitTls, Certain, vec![because]))
        }
        None if greeting.closed => {
            let because = format!("it closed the connection after {}", span(greeting.after));
            Some(Found(Cause::TurnedAway, Likely, vec![because]))
        }
        None => {
            let because =
                format!("the connection is there, and nothing was said for {}", span(greeting.after));
            Some(Found(Cause::AcceptedElsewhere, Possible, vec![because]))
        }
    }
}

pub(super) fn no_login(evidence: &Evidence) -> Option<Found> {
    if evidence.is_in() {
        return None;
    }
    evidence.legs.iter().find_map(|leg| match &leg.login {
        Login::Refused(said) if said.code == 421 => {
            Some(Found(Cause::ServerBusy, Likely, vec![format!("the login was answered {said}")]))
        }
        Login::Refused(said) => {
            Some(Found(Cause::LoginRefused, Certain, vec![format!("the login was answered {said}")]))
        }
        Login::Untrusted(why) => Some(Found(Cause::UntrustedCertificate, Certain, vec![why.clone()])),
        Login::NeedsTls(said) => Some(Found(
            Cause::ProtectRequired,
            Likely,
            vec![format!("the login in the clear was answered {said}")],
        )),
        _ => None,
    })
}

pub(super) fn one_family(evidence: &Evidence) -> Option<Found> {
    let silent = |fault: &LinkFault| {
        matches!(fault, LinkFault::TimedOut { .. } | LinkFault::Unreachable { by: Some(_), .. })
    };
    let dead = evidence.doors.iter().find(|door| door.met.as_ref().is_err_and(silent))?;
    let alive =
        evidence.doors.iter().find(|door| door.met.is_ok() && door.at.is_ipv4() != dead.at.is_ipv4())?;
    let cause = if dead.at.is_ipv4() { Cause::Ipv4Dead } else { Cause::Ipv6Dead };
    let because = vec![
        dead.met.as_ref().err().map(LinkFault::cause).unwrap_or_default(),
        format!("{} answered", alive.at),
    ];
    Some(Found(cause, Likely, because))
}

pub(super) fn slow(evidence: &Evidence) -> Option<Found> {
    let greeting = evidence.greeting.as_ref()?;
    (greeting.after >= Duration::from_secs(5)).then(|| {
        Found(Cause::SlowBanner, Likely, vec![format!("the greeting came after {}", span(greeting.after))])
    })
}

pub(super) fn protect(evidence: &Evidence) -> Option<Found> {
    let said = evidence
        .legs
        .iter()
        .find_map(|leg| if let Login::NeedsTls(said) = &leg.login { Some(said) } else { None })?;
    Some(Found(
        Cause::ProtectRequired,
        Certain,
        vec![format!("in the clear USER was answered {said}; in TLS everything works")],
    ))
}
