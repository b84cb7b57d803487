//! Connecting with a deadline, from an address of ours that is given and, for active mode, from port 20.

use std::io;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use twoport_plan::LinkFault;

use crate::icmp;

/// Where a connection comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Whatever the routing table says.
    Free,
    /// This address, any port.
    Any(SocketAddr),
    /// This address and this port, and any port where the system refuses it.
    Port(SocketAddr, u16),
}

/// Connects to `target`; a link-local one is taken to be on the link of the source. `mss` bounds the segments of both sides, in bytes. The flag is false when a wished port could not be had and another was taken.
///
/// # Errors
/// When it is refused, not reachable, or not there within `patience`.
pub async fn dial(
    target: SocketAddr,
    source: Source,
    patience: Duration,
    mss: Option<u16>,
) -> Result<(TcpStream, bool), LinkFault> {
    dial_telling(target, source, patience, mss, None).await
}

/// The same, and in `from` stands from where it was tried last, whatever came of it.
///
/// # Errors
/// As [`dial`].
pub async fn dial_telling(
    target: SocketAddr,
    source: Source,
    patience: Duration,
    mss: Option<u16>,
    mut from: Option<&mut Option<SocketAddr>>,
) -> Result<(TcpStream, bool), LinkFault> {
    let (own, wished) = match source {
        Source::Free => (None, None),
        Source::Any(own) => (Some(own), None),
        Source::Port(own, port) => (Some(own), Some(port)),
    };
    let target = own.map_or(target, |own| on_link(target, own));
    let attempt = async {
        if let (Some(own), Some(port)) = (own, wished) {
            match connect(target, Some(with_port(own, port)), mss, from.as_deref_mut()).await {
                Ok(stream) => return Ok((stream, true)),
                // Not allowed (below 1024 without the capability), or the same pair of ports was used just now.
                Err(Turned(e, _)) if wished_port_failed(&e) => {}
                Err(e) => return Err(e),
            }
        }
        let any = own.map(|own| with_port(own, 0));
        connect(target, any, mss, from).await.map(|stream| (stream, wished.is_none()))
    };
    match tokio::time::timeout(patience, attempt).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(turned)) => Err(fault(target, turned, patience)),
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

/// A connection that did not come about: the error, and who sent it where that was another than the target.
struct Turned(io::Error, Option<IpAddr>);

impl From<io::Error> for Turned {
    fn from(error: io::Error) -> Self {
        Turned(error, None)
    }
}

async fn connect(
    target: SocketAddr,
    from: Option<SocketAddr>,
    mss: Option<u16>,
    tell: Option<&mut Option<SocketAddr>>,
) -> Result<TcpStream, Turned> {
    let socket = Socket::new(Domain::for_address(target), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    if let Some(mss) = mss {
        socket.set_tcp_mss(mss.into())?;
    }
    if let Some(from) = from {
        socket.set_reuse_address(from.port() != 0)?;
        socket.bind(&from.into())?;
    }
    let begun = begin(&socket, target);
    if let Some(tell) = tell {
        *tell = socket.local_addr().ok().and_then(|own| own.as_socket());
    }
    begun?;
    let (stream, error) = completed(socket, target).await?;
    match error {
        None => Ok(stream),
        Some(e) => {
            let by = icmp::told(&stream).map(|told| told.by);
            Err(Turned(e, by.filter(|by| *by != target.ip().to_canonical())))
        }
    }
}

/// Begins to connect, without waiting; who turns it away will be known.
pub(crate) fn begin(socket: &Socket, target: SocketAddr) -> io::Result<()> {
    icmp::watch(socket, target.is_ipv4(), true);
    match socket.connect(&target.into()) {
        Err(e) if e.raw_os_error() != Some(rustix::io::Errno::INPROGRESS.raw_os_error()) => Err(e),
        _ => Ok(()),
    }
}

/// Waits until it is decided; the error of one that did not come about stands beside it.
pub(crate) async fn completed(
    socket: Socket,
    target: SocketAddr,
) -> io::Result<(TcpStream, Option<io::Error>)> {
    let stream = TcpStream::from_std(socket.into())?;
    stream.writable().await?;
    let error = stream.take_error()?;
    if error.is_none() {
        // A connection that stands outlives a route that is gone for a moment (RFC 1122 §4.2.3.9).
        icmp::watch(&stream, target.is_ipv4(), false);
    }
    Ok((stream, error))
}

/// Connects to the first of `targets` that answers: each has a head start of `stagger` before the next (RFC 8305's way
/// with two families), and the others are given up when one is there.
///
/// # Errors
/// When none answers within `patience`: each with its reason.
pub async fn dial_first(
    targets: &[SocketAddr],
    source: Source,
    stagger: Duration,
    patience: Duration,
    mss: Option<u16>,
) -> Result<(TcpStream, SocketAddr), Vec<(SocketAddr, LinkFault)>> {
    let mut attempts = JoinSet::new();
    for (place, target) in (0u32..).zip(targets.iter().copied()) {
        attempts.spawn(async move {
            tokio::time::sleep(stagger * place).await;
            (target, dial(target, source, patience.saturating_sub(stagger * place), mss).await)
        });
    }
    let mut faults = Vec::new();
    while let Some(ended) = attempts.join_next().await {
        match ended {
            Ok((target, Ok((stream, _)))) => return Ok((stream, target)),
            Ok((target, Err(fault))) => faults.push((target, fault)),
            Err(_) => {}
        }
    }
    Err(faults)
}

fn wished_port_failed(e: &io::Error) -> bool {
    matches!(
        e.kind(),
        io::ErrorKind::PermissionDenied | io::ErrorKind::AddrInUse | io::ErrorKind::AddrNotAvailable
    )
}

fn fault(to: SocketAddr, Turned(e, by): Turned, patience: Duration) -> LinkFault {
    match e.kind() {
        io::ErrorKind::ConnectionRefused => LinkFault::Refused { to, by },
        io::ErrorKind::TimedOut => LinkFault::TimedOut { to, after: patience },
        // What firewalls that prohibit say is told as permission denied (IPv6), or as no route.
        io::ErrorKind::HostUnreachable
        | io::ErrorKind::NetworkUnreachable
        | io::ErrorKind::PermissionDenied => LinkFault::Unreachable { to, by, why: e.to_string() },
        _ => LinkFault::Other { to: Some(to), text: e.to_string() },
    }
}
