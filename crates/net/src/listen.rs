//! Listeners: the control ports, and passive data ports out of one pool. A data listener takes one peer; strangers are
//! dropped and it keeps waiting.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use twoport_plan::LinkFault;
use twoport_plan::Network;
use twoport_plan::address::link_peer_allowed;
use twoport_plan::ports::{PortPool, PortRange};

use crate::crossing;
use crate::proxy_protocol::{Reception, TurnedAway};

/// Connections that may wait to be accepted on a control port.
const BACKLOG: i32 = 1024;

/// Binds a control port. `[::]` takes both families where the system has both.
///
/// # Errors
/// When the system refuses the address or the port.
pub fn bind_control(address: SocketAddr) -> io::Result<TcpListener> {
    bind(address, BACKLOG)
}

fn bind(address: SocketAddr, backlog: i32) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(!address.ip().is_unspecified())?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(backlog)?;
    TcpListener::from_std(socket.into())
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

/// The passive ports of a server, shared by its sessions.
#[derive(Debug, Clone)]
pub struct PassivePorts {
    pool: Arc<Mutex<PortPool>>,
    range: PortRange,
}

/// One port out of the pool; it goes back when this is dropped.
#[derive(Debug)]
struct Lease {
    pool: Arc<Mutex<PortPool>>,
    port: u16,
}

impl Drop for Lease {
    fn drop(&mut self) {
        lock(&self.pool).give_back(self.port);
    }
}

/// The pool is a set of numbers: a panic elsewhere leaves it whole.
fn lock(pool: &Mutex<PortPool>) -> MutexGuard<'_, PortPool> {
    pool.lock().unwrap_or_else(PoisonError::into_inner)
}

impl PassivePorts {
    /// A pool over `range`.
    #[must_use]
    pub fn new(range: PortRange) -> Self {
        PassivePorts { pool: Arc::new(Mutex::new(PortPool::new(range))), range }
    }

    /// The range.
    #[must_use]
    pub fn range(&self) -> PortRange {
        self.range
    }

    /// Ports in use now.
    #[must_use]
    pub fn in_use(&self) -> usize {
        lock(&self.pool).in_use()
    }

    /// Listens on a free port of the range at the address of `local`, the one that the client reached. Every port of the range is
    /// tried once, from a random one on; a port that another program holds is passed over; a port outside the range is
    /// never taken.
    ///
    /// # Errors
    /// When no port of the range is left.
    pub fn listen(&self, local: SocketAddr) -> Result<DataListener, LinkFault> {
        let start = random();
        let mut pool = lock(&self.pool);
        let mut found = None;
        for port in pool.free_from(start) {
            let mut address = local;
            // A link-local address keeps its scope.
            address.set_port(port);
            match bind(address, 8) {
                Ok(listener) => {
                    found = Some((port, listener));
                    break;
                }
                // In use by somebody else: the next one may be free.
                Err(e) if matches!(e.kind(), io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied) => {}
                Err(e) => {
                    return Err(LinkFault::Other {
                        to: None,
                        text: format!("cannot listen on port {port}: {e}"),
                    });
                }
            }
        }
        let Some((port, listener)) = found else {
            return Err(LinkFault::PortsSpent { size: self.range.len() });
        };
        pool.take(port);
        let lease = Lease { pool: Arc::clone(&self.pool), port };
        Ok(DataListener { listener, lease, range: self.range })
    }
}

/// Ports must not be guessed by somebody who wants to come first.
fn random() -> usize {
    let mut bytes = [0; 8];
    match getrandom::fill(&mut bytes) {
        Ok(()) => usize::from_ne_bytes(bytes),
        Err(_) => 0,
    }
}

/// Somebody who came to a passive port and was dropped.
#[derive(Debug)]
pub enum Unwanted {
    /// It is not the peer who was waited for.
    Stranger(IpAddr),
    /// It comes from a balancer's network without the header that would tell who it is.
    TurnedAway(TurnedAway),
}

/// A passive data port that waits for one peer.
#[derive(Debug)]
pub struct DataListener {
    listener: TcpListener,
    lease: Lease,
    range: PortRange,
}

impl DataListener {
    /// The port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.lease.port
    }

    /// Waits for a connection from `peer`, which a balancer in one of the networks `trusted` may bring. Others are dropped, and
    /// `unwanted` hears of each. The port goes back as soon as the peer is there, since an open connection needs no listener.
    ///
    /// # Errors
    /// When the peer does not come within `patience`.
    pub async fn accept(
        self,
        peer: IpAddr,
        trusted: &[Network],
        patience: Duration,
        unwanted: impl FnMut(Unwanted),
    ) -> Result<TcpStream, LinkFault> {
        let (port, range) = (self.port(), Some(self.range));
        take_one(&self.listener, port, range, peer, trusted, patience, unwanted).await
    }
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
            taken = take_one(&self.listener, self.at.port(), None, peer, &[], patience, |_| {}) => taken,
            met = knocking => Ok(met),
        }
    }
}

async fn take_one(
    listener: &TcpListener,
    port: u16,
    range: Option<PortRange>,
    peer: IpAddr,
    trusted: &[Network],
    patience: Duration,
    mut unwanted: impl FnMut(Unwanted),
) -> Result<TcpStream, LinkFault> {
    let mut seen = None;
    let mut reception = Reception::default();
    let is_trusted = |from| trusted.iter().any(|network| network.contains(from));
    let began = Instant::now();
    let right_one = async {
        loop {
            match reception.next(listener, is_trusted).await {
                Ok(Ok(met)) if link_peer_allowed(peer, met.peer.ip()) => return Ok(met.stream),
                Ok(Ok(met)) => {
                    let from = met.peer.ip();
                    seen = Some(from);
                    unwanted(Unwanted::Stranger(from));
                }
                Ok(Err(turned_away)) => {
                    if !turned_away.fault.is_a_look() {
                        seen = Some(turned_away.from);
                    }
                    unwanted(Unwanted::TurnedAway(turned_away));
                }
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
            Some(from) => LinkFault::StrangerCame { port, from, expected: peer },
            None => LinkFault::NobodyCame { port, waited: began.elapsed(), range },
        }),
    }
}
