//! Simultaneous open (RFC 9293 §3.5): connecting to a port from which the peer connects to us. Our SYN goes out, so every box on
//! our side lets the peer's SYN in as its answer; a reset from a peer that is not there yet is no reason to stop.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpSocket, TcpStream};

/// Waits between the tries: a peer whose SYN was lost sends another after one second and after three, and is there to be
/// met in between.
const FIRST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_millis(250);

/// A socket at an address of ours, whose port others of ours may have too: one listens there, one after the other knocks.
pub(crate) fn socket(at: SocketAddr, mss: Option<u16>) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(at), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    if at.is_ipv6() {
        socket.set_only_v6(!at.ip().is_unspecified())?;
    }
    if let Some(mss) = mss {
        socket.set_tcp_mss(mss.into())?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&at.into())?;
    Ok(socket)
}

/// Knocks until the peer is met.
pub(crate) async fn knock(from: SocketAddr, to: SocketAddr, mss: Option<u16>) -> TcpStream {
    let mut wait = FIRST;
    loop {
        if let Ok(stream) = once(from, to, mss).await {
            return stream;
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(LONGEST);
    }
}

async fn once(from: SocketAddr, to: SocketAddr, mss: Option<u16>) -> io::Result<TcpStream> {
    TcpSocket::from_std_stream(socket(from, mss)?.into()).connect(to).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ActiveListener;
    use std::net::Ipv4Addr;
    use tokio::net::TcpListener;

    const HERE: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 0);

    #[tokio::test]
    async fn the_peer_is_met_whichever_side_comes_through() {
        // It listens at its data port: our knocking comes through.
        let peer = TcpListener::bind(HERE).await.unwrap();
        let (mut ours, at) = ActiveListener::bind(HERE.into(), None).unwrap();
        ours.knock_at(peer.local_addr().unwrap());
        let long = Duration::from_secs(60);
        let (met, came) = tokio::join!(ours.accept(Ipv4Addr::LOCALHOST.into(), long), peer.accept());
        assert_eq!(came.unwrap().1, at, "it comes from the port that was told");
        assert_eq!(met.unwrap().local_addr().unwrap(), at);

        // It connects, and answers our knocking with resets until then.
        let gone = TcpListener::bind(HERE).await.unwrap().local_addr().unwrap();
        let (mut ours, at) = ActiveListener::bind(HERE.into(), None).unwrap();
        ours.knock_at(gone);
        let (met, came) = tokio::join!(ours.accept(Ipv4Addr::LOCALHOST.into(), long), async {
            tokio::time::sleep(FIRST * 3).await;
            TcpStream::connect(at).await
        });
        assert_eq!(met.unwrap().peer_addr().unwrap(), came.unwrap().local_addr().unwrap());
    }

    #[tokio::test]
    async fn nobody_but_the_control_peer_is_knocked_at() {
        let stranger = TcpListener::bind(HERE).await.unwrap();
        let (mut ours, _) = ActiveListener::bind(HERE.into(), None).unwrap();
        ours.knock_at(stranger.local_addr().unwrap());
        let control = Ipv4Addr::new(127, 0, 0, 9).into();
        assert!(ours.accept(control, Duration::from_millis(300)).await.is_err());
        let came = tokio::time::timeout(Duration::ZERO, stranger.accept()).await;
        assert!(came.is_err(), "{came:?}");
    }
}
