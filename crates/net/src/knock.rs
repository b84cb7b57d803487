//! Knocking at a port to learn how far packets for it come: a SYN that may pass so many routers and no more, and who answers. It
//! needs no privilege (Linux: `IP_TTL` and `IP_RECVERR` of an ordinary socket).

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use nix::libc;
use nix::sys::socket::setsockopt;
use nix::{setsockopt_impl, sockopt_impl};
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
    let hops = hops.map(u32::from);
    decided(
        patience,
        attempt(target, |socket| match (hops, target) {
            (Some(hops), SocketAddr::V4(_)) => socket.set_ttl_v4(hops),
            (Some(hops), SocketAddr::V6(_)) => socket.set_unicast_hops_v6(hops),
            (None, _) => Ok(()),
        }),
    )
    .await
}

/// Knocks at `target`, and listens only to what has at least so many hops left when it comes here: each router on the way takes one
/// (Linux: `IP_MINTTL` and `IPV6_MINHOPCOUNT`). Answers that have fewer are as good as none.
pub async fn knock_near(target: SocketAddr, left: u8, patience: Duration) -> Met {
    let left = libc::c_int::from(left);
    decided(
        patience,
        attempt(target, |socket| {
            let set = match target {
                SocketAddr::V4(_) => setsockopt(socket, LeastHops, &left),
                SocketAddr::V6(_) => setsockopt(socket, LeastHops6, &left),
            };
            Ok(set?)
        }),
    )
    .await
}

sockopt_impl!(
    /// ip(7).
    LeastHops, SetOnly, libc::IPPROTO_IP, libc::IP_MINTTL, libc::c_int);
sockopt_impl!(
    /// The same of IPv6.
    LeastHops6, SetOnly, libc::IPPROTO_IPV6, libc::IPV6_MINHOPCOUNT, libc::c_int);

async fn decided(patience: Duration, attempt: impl Future<Output = io::Result<Met>>) -> Met {
    match tokio::time::timeout(patience, attempt).await {
        Ok(Ok(met)) => met,
        Ok(Err(e)) => Met::Unreachable { by: None, why: e.to_string() },
        Err(_) => Met::Silence,
    }
}

async fn attempt(target: SocketAddr, prepare: impl FnOnce(&Socket) -> io::Result<()>) -> io::Result<Met> {
    let socket = Socket::new(Domain::for_address(target), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    prepare(&socket)?;
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

    #[tokio::test]
    async fn what_comes_from_too_far_away_is_not_listened_to() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        let (long, short) = (Duration::from_secs(50), Duration::from_millis(300));
        // What this machine sends to itself has 64 left, as its setting says where nobody has changed it.
        let left: u8 =
            std::fs::read_to_string("/proc/sys/net/ipv4/ip_default_ttl").unwrap().trim().parse().unwrap();
        assert_eq!(knock_near(at, left, long).await, Met::Open);
        assert_eq!(knock_near(at, left + 1, short).await, Met::Silence);
        drop(listener);
        // A listener that has gone resets.
        assert_eq!(knock_near(at, left, long).await, Met::Reset);
        assert_eq!(knock_near(at, left + 1, short).await, Met::Silence);
    }
}
