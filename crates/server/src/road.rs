//! `Road`: where a data connection comes from, with what it takes to get it.

use std::net::SocketAddr;
use std::time::Duration;

use twoport_net::{DataListener, DataStream, Source, dial};
use twoport_plan::LinkFault;

use crate::journal::Journal;

/// See the top of this file.
pub(crate) enum Road {
    /// The peer comes to this listener.
    Passive { listener: DataListener },
    /// We go there.
    Active { target: SocketAddr, source: Source },
    /// It is there: the transfer before has left it open.
    Open(DataStream),
    /// None is needed.
    None,
}

impl Road {
    /// The data connection.
    pub(crate) async fn open(&mut self, patience: Duration) -> Result<DataStream, LinkFault> {
        let stream = match self {
            Road::Passive { listener } => listener.accept(patience).await?,
            Road::Active { target, source } => {
                let (stream, as_wished) = dial(*target, *source, patience, None).await?;
                if !as_wished {
                    Journal::port_20_refused();
                }
                stream
            }
            Road::Open(_) | Road::None => {
                let Road::Open(mut wire) = std::mem::replace(self, Road::None) else {
                    return Err(LinkFault::NoPlan);
                };
                return if wire.is_over() { Err(LinkFault::NoPlan) } else { Ok(wire) };
            }
        };
        Ok(DataStream::new(stream))
    }
}
