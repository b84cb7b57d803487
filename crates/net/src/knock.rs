//! Knocking at a port to learn how far packets for it come: a SYN that may pass so many routers and no more, and who answers. It
//! needs no privilege (Linux: `IP_TTL` and `IP_RECVERR` of an ordinary socket).

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

use crate::dial::{begin, completed};
use crate::icmp;

/// What a knock met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Met {
    /// Somebody took the connection, which is closed again.
    Open,
    /// Somebody reset it.
    Reset,
    /// It had come as far as it was allowed to, says this router.
    Exceeded(IpAddr),
    /// This box, or this machine where none is named, has turned it away.
    Unreachable {
        /// Who says so, by ICMP.
        by: Option<IpAddr>,
        /// In the system's words.
        why: String,
    },
    /// Nobody has answered.
    Silence,
}

/// Knocks at `target` with a packet that `hops` routers may pass on less one; without a number as far as it takes.
pub async fn knock(target: SocketAddr, hops: Option<u8>, patience: Duration) -> Met {
    match tokio::time::timeout(patience, attempt(target, hops)).await {
        Ok(Ok(met)) => met,
        Ok(Err(e)) => Met::Unreachable { by: None, why: e.to_string() },
        Err(_) => Met::Silence,
    }
}

async fn attempt(target: SocketAddr, hops: Option<u8>) -> io::Result<Met> {
    let socket = Socket::new(Domain::for_address(target), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    match (hops, target) {
        (Some(hops), SocketAddr::V4(_)) => socket.set_ttl_v4(hops.into())?,
        (Some(hops), SocketAddr::V6(_)) => socket.set_unicast_hops_v6(hops.into())?,
        (None, _) => {}
    }
    // Whoever was reached must not be left with a connection that nobody speaks on.
    socket.set_linger(Some(Duration::ZERO))?;
    begin(&socket, target)?;
    let (stream, error) = completed(socket, target).await?;
    let Some(error) = error else { return Ok(Met::Open) };
    Ok(match icmp::told(&stream) {
        Some(told) if told.exceeded => Met::Exceeded(told.by),
        Some(told) => Met::Unreachable { by: Some(told.by), why: error.to_string() },
        None if error.kind() == io::ErrorKind::ConnectionRefused => Met::Reset,
        None if error.kind() == io::ErrorKind::TimedOut => Met::Silence,
        None => Met::Unreachable { by: None, why: error.to_string() },
    })
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn an_open_door_and_a_shut_one_are_told_apart() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        let patience = Duration::from_secs(50);
        assert_eq!(knock(at, None, patience).await, Met::Open);
        assert_eq!(knock(at, Some(1), patience).await, Met::Open);
        drop(listener);
        assert_eq!(knock(at, Some(1), patience).await, Met::Reset);
    }
}
