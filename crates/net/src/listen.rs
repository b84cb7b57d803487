//! Listeners: the control ports, and a client's own data port for active mode, which takes one peer; strangers are dropped and
//! it keeps waiting. A server's passive ports are in `switchboard`.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use twoport_plan::LinkFault;
use twoport_plan::address::link_peer_allowed;

use crate::crossing;

/// Connections that may wait to be accepted on a control port.
const BACKLOG: i32 = 1024;

/// Binds a control port. `[::]` takes both families where the system has both.
///
/// # Errors
/// When the system refuses the address or the port.
pub fn bind_control(address: SocketAddr) -> io::Result<TcpListener> {
    TcpListener::from_std(bind(address, BACKLOG)?.into())
}

/// A socket that listens and does not block.
pub(crate) fn bind(address: SocketAddr, backlog: i32) -> io::Result<Socket> {
    let kind = Type::STREAM.nonblocking();
    let socket = Socket::new(Domain::for_address(address), kind, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(!address.ip().is_unspecified())?;
    }
    socket.bind(&address.into())?;
    socket.listen(backlog)?;
    Ok(socket)
}

/// This machine's own addresses on the way to the world, IPv4 and IPv6 where there is one. Nothing is sent: a
/// connected datagram socket has asked the routing table and no more.
#[must_use]
pub fn own_addresses() -> Vec<IpAddr> {
    // Addresses that documents use (RFC 5737, RFC 3849): they are routed as the rest of the world is.
    [("0.0.0.0:0", "192.0.2.1:9"), ("[::]:0", "[2001:db8::1]:9")]
        .into_iter()
        .filter_map(|(from, to)| {
            let socket = std::net::UdpSocket::bind(from).ok()?;
            socket.connect(to).ok()?;
            socket.local_addr().ok().map(|address| address.ip())
        })
        .collect()
}

/// A client's own listener for active mode: one port of the system's choice, one peer.
#[derive(Debug)]
pub struct ActiveListener {
    listener: TcpListener,
    at: SocketAddr,
    mss: Option<u16>,
    /// Where to knock meanwhile.
    knock: Option<SocketAddr>,
}

impl ActiveListener {
    /// Listens at the address of `local`, the one from which the control connection goes out. `mss` bounds the segments
    /// of both sides, in bytes.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn bind(mut local: SocketAddr, mss: Option<u16>) -> Result<(Self, SocketAddr), LinkFault> {
        local.set_port(0);
        let refused = |e: io::Error| LinkFault::Other {
            to: None,
            text: format!("cannot listen on {}: {e}", local.ip()),
        };
        let socket = crossing::socket(local, mss).map_err(refused)?;
        socket.listen(2).map_err(refused)?;
        let listener = TcpListener::from_std(socket.into()).map_err(refused)?;
        let at = listener.local_addr().map_err(refused)?;
        Ok((ActiveListener { listener, at, mss, knock: None }, at))
    }

    /// Tries to connect from the listener's own port to `peer`'s port as well, while it waits: where the peer connects
    /// from that port at the same time, the two meet (RFC 9293 §3.5).
    pub fn knock_at(&mut self, peer: SocketAddr) {
        self.knock = Some(peer);
    }

    /// Waits for a connection from `peer`; others are dropped.
    ///
    /// # Errors
    /// When the peer does not come within `patience`.
    pub async fn accept(self, peer: IpAddr, patience: Duration) -> Result<TcpStream, LinkFault> {
        let knocking = async {
            match self.knock.filter(|to| link_peer_allowed(peer, to.ip())) {
                Some(to) => crossing::knock(self.at, to, self.mss).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            taken = take_one(&self.listener, self.at.port(), peer, patience) => taken,
            met = knocking => Ok(met),
        }
    }
}

async fn take_one(
    listener: &TcpListener,
    port: u16,
    peer: IpAddr,
    patience: Duration,
) -> Result<TcpStream, LinkFault> {
    let mut seen = None;
    let began = Instant::now();
    let right_one = async {
        loop {
            match listener.accept().await {
                Ok((stream, from)) if link_peer_allowed(peer, from.ip()) => return Ok(stream),
                Ok((_, from)) => seen = Some(from.ip().to_canonical()),
                // A connection that was reset while it waited is nobody.
                Err(e) if e.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(e) => {
                    return Err(LinkFault::Other {
                        to: None,
                        text: format!("cannot accept on port {port}: {e}"),
                    });
                }
            }
        }
    };
    match tokio::time::timeout(patience, right_one).await {
        Ok(answer) => answer,
        Err(_) => Err(match seen {
            Some(from) => LinkFault::of_stranger(port, from, peer),
            None => LinkFault::NobodyCame { port, waited: began.elapsed(), range: None, half_open: false },
        }),
    }
}
