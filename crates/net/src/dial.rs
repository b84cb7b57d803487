//! Connecting with a deadline, from an address of ours that is given and, for active mode, from port 20.

use std::io;
use std::net::{SocketAddr, SocketAddrV6};
use std::time::Duration;

use tokio::net::{TcpSocket, TcpStream};
use twoport_plan::LinkFault;

/// Where a connection comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// This address, any port.
    Any(SocketAddr),
    /// This address and this port, and any port where the system refuses it.
    Port(SocketAddr, u16),
}

/// Connects to `target`; a link-local one is taken to be on the link of the source. The flag is false when a wished port could not be had and another was taken.
///
/// # Errors
/// When it is refused, not reachable, or not there within `patience`.
pub async fn dial(
    target: SocketAddr,
    source: Source,
    patience: Duration,
) -> Result<(TcpStream, bool), LinkFault> {
    let (Source::Any(own) | Source::Port(own, _)) = source;
    let target = on_link(target, own);
    let attempt = async {
        if let Source::Port(_, port) = source {
            match connect(target, with_port(own, port)).await {
                Ok(stream) => return Ok((stream, true)),
                // Not allowed (below 1024 without the capability), or the same pair of ports was used just now.
                Err(e) if wished_port_failed(&e) => {}
                Err(e) => return Err(e),
            }
        }
        connect(target, with_port(own, 0)).await.map(|stream| (stream, matches!(source, Source::Any(_))))
    };
    match tokio::time::timeout(patience, attempt).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(e)) => Err(fault(target, &e, patience)),
        Err(_) => Err(LinkFault::TimedOut { to: target, after: patience }),
    }
}

/// EPRT cannot name a link (RFC 2428); the control connection has come over one.
fn on_link(target: SocketAddr, own: SocketAddr) -> SocketAddr {
    match (target, own) {
        (SocketAddr::V6(target), SocketAddr::V6(own))
            if target.scope_id() == 0 && target.ip().is_unicast_link_local() =>
        {
            SocketAddrV6::new(*target.ip(), target.port(), 0, own.scope_id()).into()
        }
        _ => target,
    }
}

fn with_port(mut address: SocketAddr, port: u16) -> SocketAddr {
    address.set_port(port);
    address
}

async fn connect(target: SocketAddr, from: SocketAddr) -> io::Result<TcpStream> {
    let socket = if target.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    if from.port() != 0 {
        socket.set_reuseaddr(true)?;
    }
    socket.bind(from)?;
    socket.connect(target).await
}

fn wished_port_failed(e: &io::Error) -> bool {
    matches!(
        e.kind(),
        io::ErrorKind::PermissionDenied | io::ErrorKind::AddrInUse | io::ErrorKind::AddrNotAvailable
    )
}

fn fault(to: SocketAddr, e: &io::Error, patience: Duration) -> LinkFault {
    match e.kind() {
        io::ErrorKind::ConnectionRefused => LinkFault::Refused { to },
        io::ErrorKind::TimedOut => LinkFault::TimedOut { to, after: patience },
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => LinkFault::Unreachable { to },
        _ => LinkFault::Other { to: Some(to), text: e.to_string() },
    }
}
