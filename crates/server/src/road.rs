//! `Road`: where a data connection comes from, with what it takes to get it; and what was seen on it, for SITE DOCTOR.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use twoport_net::{DataListener, DataStream, Packets, Source, dial_telling};
use twoport_plan::LinkFault;
use twoport_proto::Sightings;
use twoport_proto::sightings::Dial;

use crate::journal::Journal;

/// See the top of this file.
pub(crate) enum Road {
    /// The peer comes to this listener.
    Passive { listener: DataListener },
    /// We go there; from where we did stands here afterwards.
    Active { target: SocketAddr, source: Source, from: Option<SocketAddr> },
    /// It is there: the transfer before has left it open.
    Open(DataStream),
    /// None is needed.
    None,
}

impl Road {
    /// The data connection.
    pub(crate) async fn open(&mut self, patience: Duration) -> Result<DataStream, LinkFault> {
        match self {
            Road::Passive { listener } => listener.accept(patience).await,
            Road::Active { target, source, from } => {
                let (stream, as_wished) = dial_telling(*target, *source, patience, None, Some(from)).await?;
                if !as_wished {
                    Journal::port_20_refused();
                }
                Ok(DataStream::at_home(stream))
            }
            Road::Open(_) | Road::None => {
                let Road::Open(mut wire) = std::mem::replace(self, Road::None) else {
                    return Err(LinkFault::NoPlan);
                };
                if wire.is_over() { Err(LinkFault::NoPlan) } else { Ok(wire) }
            }
        }
    }

    /// What was seen on it: a connection, or a fault, or neither where it was given up before.
    pub(crate) fn sightings(&mut self, opened: Option<&Result<DataStream, LinkFault>>) -> Option<Sightings> {
        let mut seen = match self {
            Road::Passive { listener } => listener.sightings(),
            Road::Active { target, from: from @ Some(_), .. } => {
                let (dial, dial_by) = dialled(opened);
                Sightings {
                    dialled: Some(*target),
                    dialled_from: *from,
                    dial,
                    dial_by,
                    ..Sightings::default()
                }
            }
            // Nothing was tried, or nothing had to be.
            Road::Active { .. } | Road::Open(_) | Road::None => return None,
        };
        seen.data_mss = opened.and_then(|opened| opened.as_ref().ok()?.mss());
        Some(seen)
    }
}

/// Packets that were lost on this machine since they were `counted`.
pub(crate) fn tell_packets(seen: &mut Sightings, counted: &Packets) {
    let lost = counted.since();
    (seen.dropped, seen.held_back) = (lost.map(|lost| lost.dropped), lost.map(|lost| lost.held_back));
}

/// What came of a connection of ours, and who turned it away.
fn dialled(opened: Option<&Result<DataStream, LinkFault>>) -> (Option<Dial>, Option<IpAddr>) {
    match opened {
        Some(Ok(_)) => (Some(Dial::Connected), None),
        Some(Err(LinkFault::Refused { by, .. })) => (Some(Dial::Refused), *by),
        Some(Err(LinkFault::TimedOut { .. })) => (Some(Dial::TimedOut), None),
        Some(Err(LinkFault::Unreachable { by, .. })) => (Some(Dial::Unreachable), *by),
        Some(Err(_)) | None => (None, None),
    }
}
