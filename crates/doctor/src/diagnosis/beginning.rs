//! What keeps a session from beginning: the name, the port, the greeting, the login.

use std::time::Duration;

use twoport_plan::LinkFault;

use super::Confidence::{Certain, Likely, Possible};
use super::{Confidence, Found, both, span};
use crate::causes::Cause;
use crate::evidence::{Evidence, Login, Said};

/// The DNS knows no address.
pub(super) fn no_name(evidence: &Evidence) -> Option<Found> {
    let why = evidence.addresses.as_ref().err()?;
    Some(Found(Cause::NameNotFound, Certain, vec![format!("{} cannot be looked up: {why}", evidence.host)]))
}

/// No address takes us in.
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
    let refusing = evidence.doors.iter().find(|door| matches!(door.met, Err(LinkFault::Refused { .. })));
    let door = evidence.server_door;
    let listens = door.map(|door| door.listens);
    if let (Some(_), None | Some(false)) = (refusing, listens) {
        because.extend(listens.map(|_| "its machine says that nobody listens there".to_owned()));
        let sure = if listens.is_some() { Certain } else { Likely };
        return Some(Found(Cause::NothingListening, sure, because));
    }
    if evidence.is_our_router {
        because
            .push("another port of that address answers at the first hop: it is our own router".to_owned());
        because.extend(
            evidence.inside.map(|inside| format!("the server takes us in at {inside}, inside our network")),
        );
        let sure = if evidence.inside.is_some() { Certain } else { Likely };
        return Some(Found(Cause::Hairpin, sure, because));
    }
    let last = evidence.path.as_ref().and_then(|path| path.last);
    if let Some((hop, by)) = last {
        because.push(format!("packets for the control port were last heard of at {by}, hop {hop}"));
    }
    let lets_in = door.and_then(|door| door.let_through);
    because.extend(listens.map(|listens| {
        format!("its machine says that {} listens there", if listens { "somebody" } else { "nobody" })
    }));
    because.extend(lets_in.map(|lets_in| {
        format!("and that its own rules {}", if lets_in { "let us in" } else { "do not let us in" })
    }));
    // The last router before the machine, and not our own: of those between nobody knows whose they are.
    let at_the_server =
        last.zip(evidence.machine).is_some_and(|((hop, _), machine)| hop > 1 && hop + 1 == machine);
    if let (true, Some(machine)) = (at_the_server, evidence.machine) {
        because.push(format!("another port of its answers at hop {machine}"));
    }
    let sure = match lets_in {
        Some(false) => Certain,
        Some(true) if listens == Some(true) && at_the_server => Certain,
        _ => Likely,
    };
    Some(Found(Cause::ControlBlocked, sure, because))
}

/// The connection is there, and no greeting comes, or one that turns us away.
pub(super) fn no_greeting(evidence: &Evidence) -> Option<Found> {
    let greeting = evidence.greeting.as_ref()?;
    match &greeting.said {
        Some(said) if said.code == 421 => {
            Some(Found(Cause::ServerBusy, busy(said), vec![format!("it greets with {said}")]))
        }
        Some(_) => None,
        None if evidence.implicit => {
            let because = "no greeting came, and a TLS handshake from the first byte was answered".to_owned();
            Some(Found(Cause::ImplicitTls, Certain, vec![because]))
        }
        None if greeting.strange.is_some() => {
            let because = format!("it said {:?}", greeting.strange.as_deref().unwrap_or_default());
            Some(Found(Cause::NotFtp, Certain, vec![because]))
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

/// 421 says that the service is not there, and mostly why.
fn busy(said: &Said) -> Confidence {
    let text = said.text.to_ascii_lowercase();
    let crowd = ["user", "connection", "session", "client"].iter().any(|word| text.contains(word));
    let many = ["many", "maxim", "limit", "already", "full"].iter().any(|word| text.contains(word));
    if crowd && many { Certain } else { Likely }
}

/// Nobody is logged in anywhere.
pub(super) fn no_login(evidence: &Evidence) -> Option<Found> {
    if evidence.is_in() {
        return None;
    }
    evidence.legs.iter().find_map(|leg| match &leg.login {
        Login::Refused(said) if said.code == 421 => {
            Some(Found(Cause::ServerBusy, busy(said), vec![format!("the login was answered {said}")]))
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

/// Of two families one is dead.
pub(super) fn one_family(evidence: &Evidence) -> Option<Found> {
    let silent = |fault: &LinkFault| {
        matches!(fault, LinkFault::TimedOut { .. } | LinkFault::Unreachable { by: Some(_), .. })
    };
    let dead = evidence.doors.iter().find(|door| door.met.as_ref().is_err_and(silent))?;
    let alive =
        evidence.doors.iter().find(|door| door.met.is_ok() && door.at.is_ipv4() != dead.at.is_ipv4())?;
    let cause = if dead.at.is_ipv4() { Cause::Ipv4Dead } else { Cause::Ipv6Dead };
    let mut because = vec![
        dead.met.as_ref().err().map(LinkFault::cause).unwrap_or_default(),
        format!("{} answered", alive.at),
    ];
    // Else the name may have an address that is not the server's.
    let sure = both::listens(evidence, dead.at);
    if sure {
        because.push(format!("the server tells that it listens on {}", dead.at));
    }
    Some(Found(cause, if sure { Certain } else { Likely }, because))
}

/// The greeting took long; the rest is well.
pub(super) fn slow(evidence: &Evidence) -> Option<Found> {
    let greeting = evidence.greeting.as_ref()?;
    (greeting.after >= Duration::from_secs(5)).then(|| {
        Found(Cause::SlowBanner, Likely, vec![format!("the greeting came after {}", span(greeting.after))])
    })
}

/// In the clear the login is refused; in TLS everything works.
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
