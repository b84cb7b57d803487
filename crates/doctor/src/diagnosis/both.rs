//! Where the server is ours it tells what it saw (SITE DOCTOR), and what was likely from one end is certain from two.

use std::net::SocketAddr;

use twoport_plan::LinkFault;
use twoport_proto::Sightings;
use twoport_proto::sightings::Dial;

use super::Confidence::{Certain, Possible};
use super::{Found, place};
use crate::causes::Cause;
use crate::evidence::{Cell, Evidence, Outcome};

/// Tries of which the server has told, in its own words.
fn seen(evidence: &Evidence) -> impl Iterator<Item = (&Cell, &Sightings)> {
    evidence.cells().filter_map(|(_, cell)| Some((cell, cell.seen.as_ref()?.sound()?)))
}

/// Whether the server tells that it takes control connections at this address.
pub(super) fn listens(evidence: &Evidence, at: SocketAddr) -> bool {
    seen(evidence).any(|(_, sightings)| sightings.listens.contains(&at))
}

/// Bytes of the server's that were not acknowledged on the control connection that we made `from` there. A NAT changes the
/// address, and mostly not the port.
pub(super) fn unheard(evidence: &Evidence, from: SocketAddr) -> Option<u64> {
    let mut unheard = seen(evidence).flat_map(|(_, sightings)| &sightings.unheard);
    unheard.find(|unheard| unheard.from.port() == from.port()).map(|unheard| unheard.bytes)
}

/// The size of the server's segments, where a reply like 227 has no room in one.
pub(super) fn cramped(evidence: &Evidence) -> Option<u32> {
    seen(evidence).find_map(|(_, sightings)| sightings.mss.filter(|mss| *mss < 100))
}

/// Whether the server is one of ours, and tells.
pub(super) fn tells(evidence: &Evidence) -> bool {
    seen(evidence).next().is_some()
}

/// The server said another thing than we heard, and what we heard leads nowhere. A NAT's helper gives 227 the outer address, at
/// which we reached the server: that is as it must be.
pub(super) fn rewritten(evidence: &Evidence) -> Option<Found> {
    seen(evidence).find_map(|(cell, sightings)| {
        cell.outcome.no_link()?;
        let told = String::from_utf8_lossy(sightings.told.as_deref()?).trim().to_owned();
        let heard = cell.said.as_ref()?;
        let translated =
            heard.code == 227 && cell.place.map(|place| place.ip()) == super::passive::peer(evidence);
        (told != heard.to_string() && !translated).then(|| {
            let because = vec![format!("the server said {told}"), format!("and what came here was {heard}")];
            Found(Cause::AlgRewrites, Certain, because)
        })
    })
}

/// The connection was made, and not with the server.
pub(super) fn elsewhere(evidence: &Evidence) -> Option<Found> {
    if evidence.passive_works() {
        return None;
    }
    seen(evidence).find_map(|(cell, sightings)| {
        let begun = !matches!(cell.outcome, Outcome::NotBegun { .. });
        if begun || !cell.mode.is_passive() {
            return None;
        }
        if let Some(stranger) = sightings.came.iter().find(|came| !came.own) {
            let peer =
                sightings.peer.map_or_else(|| "another address".to_owned(), |peer| peer.ip().to_string());
            let because = vec![format!(
                "the server saw the data connection come from {}, and the control connection from {peer}",
                stranger.from.ip()
            )];
            return Some(Found(Cause::DataFromOther, Certain, because));
        }
        (sightings.came.is_empty() && sightings.first_packet == Some(false)).then(|| {
            let because = vec![
                format!("something took the connection to {}", place(cell)),
                "and the server has seen no packet of it".to_owned(),
            ];
            Found(Cause::AcceptedElsewhere, Certain, because)
        })
    })
}

/// The connection to a passive port was not made: how far its packets came.
pub(super) fn passive(evidence: &Evidence) -> Option<Found> {
    if evidence.passive_works() {
        return None;
    }
    seen(evidence).find_map(|(cell, sightings)| {
        let fault = cell.outcome.no_link()?;
        let first_packet = sightings.first_packet?;
        let here = sightings.reached.map(|reached| reached.ip());
        let mut because = vec![fault.cause()];
        if first_packet {
            because.push("the server saw our first packet there, and answered".to_owned());
            return Some(Found(Cause::AnswerLost, Certain, because));
        }
        match sightings.dropped {
            Some(packets @ 1..) => {
                because.push(format!(
                    "{packets} packets came to the server's machine meanwhile and were given to nobody"
                ));
                Some(Found(Cause::PassiveDroppedAtHost, Certain, because))
            }
            Some(0) => {
                let at = here.map_or_else(|| "the server".to_owned(), |here| here.to_string());
                because.push(format!("no packet of it came to {at}"));
                if let Some((outer, inner)) = evidence.shifted {
                    because.push(format!("a connection to port {outer} came to the server's port {inner}"));
                    return Some(Found(Cause::PortShift, Certain, because));
                }
                let path = evidence.path.as_ref();
                if path.is_some_and(|path| path.as_far == Some(true)) {
                    because.push(
                        "the refusal has passed as many routers as the server's own packets: another machine is there, or a bridge \
                         refuses in its name"
                            .to_owned(),
                    );
                }
                let first_hop = path.is_some_and(|path| {
                    path.control.is_some_and(|control| control > 2)
                        && path.last.is_none_or(|(hop, _)| hop == 1)
                });
                let cause = match fault {
                    LinkFault::Refused { .. } | LinkFault::Unreachable { by: Some(_), .. } => {
                        Cause::PassiveRejected
                    }
                    _ if first_hop => Cause::EgressRestricted,
                    _ => Cause::PassiveDroppedAtRouter,
                };
                Some(Found(cause, Certain, because))
            }
            None => None,
        }
    })
}

/// The server did not come: how far its packets came.
pub(super) fn active(evidence: &Evidence) -> Option<Found> {
    if evidence.passive_works() {
        return None;
    }
    seen(evidence).find_map(|(cell, sightings)| {
        let Outcome::NobodyCame { dropped, first: None, .. } = cell.outcome else { return None };
        let mut because = vec![format!("{} was taken, and nobody came to {}", cell.mode, place(cell))];
        let rewritten = match (&cell.asked, &sightings.heard) {
            (Some(asked), Some(heard)) if asked.as_bytes() != heard => {
                because.push(format!(
                    "we said {asked}, and the server heard {}",
                    String::from_utf8_lossy(heard)
                ));
                true
            }
            _ => false,
        };
        if let Some(packets @ 1..) = sightings.held_back {
            because.push(format!("{packets} packets did not leave the server's machine"));
            return Some(Found(Cause::ServerEgress, Certain, because));
        }
        match (sightings.dial?, sightings.dial_by) {
            (Dial::Unreachable, None) => {
                because.push("the server's own system says that there is no way".to_owned());
                Some(Found(Cause::ServerEgress, Certain, because))
            }
            (Dial::Unreachable | Dial::Refused, Some(by)) => {
                because.push(format!("{by} turned the server away"));
                Some(Found(Cause::ActiveBlocked, Certain, because))
            }
            // A helper has announced the connection, and nobody has let it in.
            (Dial::TimedOut | Dial::Refused, None) if rewritten && dropped == Some(0) => {
                because.push("no packet of the server's came to this machine".to_owned());
                Some(Found(Cause::RelatedNotAccepted, Certain, because))
            }
            (Dial::TimedOut, _) if dropped == Some(0) && behind_nat(evidence, sightings) => {
                because.push(
                    "the server, behind a NAT, sent its packets, and none came that could be answered"
                        .to_owned(),
                );
                Some(Found(Cause::ActiveNotNatted, Possible, because))
            }
            (Dial::TimedOut, _) => match dropped {
                Some(packets @ 1..) => {
                    because.push(format!(
                        "{packets} packets came to this machine meanwhile and were given to nobody"
                    ));
                    Some(Found(Cause::ClientInboundBlocked, Certain, because))
                }
                Some(0) => {
                    because.push("the server sent its packets, and none came to this machine".to_owned());
                    Some(Found(Cause::ActiveBlocked, Certain, because))
                }
                None => None,
            },
            // A reset: of this machine's firewall, or of a box that answers in its name.
            (Dial::Refused, None) => match dropped {
                Some(1..) => {
                    because.push("a packet came to this machine meanwhile and was refused".to_owned());
                    Some(Found(Cause::ClientInboundBlocked, Certain, because))
                }
                Some(0) => {
                    because
                        .push("the server was refused, and no packet of its came to this machine".to_owned());
                    Some(Found(Cause::ActiveBlocked, Certain, because))
                }
                None => None,
            },
            (Dial::Connected, _) => None,
        }
    })
}

/// Whether the server has another address than the one by which we reached it.
fn behind_nat(evidence: &Evidence, sightings: &Sightings) -> bool {
    let here = super::passive::peer(evidence);
    sightings.reached.is_some_and(|reached| Some(reached.ip()) != here)
}

/// Whether the server, which tells it, sees us come from another address than we have.
pub(super) fn we_are_behind_nat(evidence: &Evidence) -> bool {
    let own = evidence.local;
    seen(evidence).any(|(_, sightings)| sightings.peer.is_some_and(|peer| Some(peer.ip()) != own))
}

/// Whether the server tells that no packet to its passive ports came to it.
pub(super) fn nothing_came(evidence: &Evidence) -> bool {
    seen(evidence).any(|(cell, sightings)| {
        cell.mode.is_passive() && sightings.first_packet == Some(false) && sightings.dropped == Some(0)
    })
}
