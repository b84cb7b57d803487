//! `Mapping`: a port of the router's outer address that leads to one of ours for the time of a transfer. PCP, NAT-PMP and
//! UPnP are asked at the same time and the first that gives a port wins. Own code: the one library for the first two
//! cannot be tried but at port 5351, the one for the third brings sixty crates for four requests
//! (docs/decisions/004-own-port-mapping.md).

mod pcp;
mod upnp;

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::Duration;

/// How long a mapping is asked for, in seconds: it ends by itself, also when we do not.
const LIFETIME: u32 = 120;

/// How long a router may take that has shown that it speaks one of the three; one that speaks none is known sooner.
const PATIENCE: Duration = Duration::from_secs(4);

/// How long taking a mapping back may take: it ends by itself, and somebody waits.
const FAREWELL: Duration = Duration::from_millis(500);

/// Where a router is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Router {
    /// Where it listens for PCP and NAT-PMP; a UPnP device is believed at this address only.
    pub portmap: SocketAddrV4,
    /// Where UPnP's search goes: the group that such routers listen to, and the router itself.
    pub search: Vec<SocketAddrV4>,
}

impl Router {
    /// The default gateway of this machine.
    ///
    /// # Errors
    /// When there is none.
    pub fn of_this_machine() -> io::Result<Router> {
        let gateway = gateway().ok_or_else(|| io::Error::other("this machine has no router to ask"))?;
        let group = Ipv4Addr::new(239, 255, 255, 250);
        Ok(Router {
            portmap: SocketAddrV4::new(gateway, 5351),
            search: vec![SocketAddrV4::new(group, 1900), SocketAddrV4::new(gateway, 1900)],
        })
    }
}

/// A port of the router's outer address. Dropped it is taken back where that costs one datagram; see [`Mapping::end`].
#[derive(Debug)]
pub struct Mapping {
    outer: SocketAddrV4,
    protocol: &'static str,
    undo: Undo,
}

/// How a mapping is taken back.
#[derive(Debug)]
enum Undo {
    /// By this datagram to the router.
    Datagram { from: Ipv4Addr, router: SocketAddrV4, bytes: Vec<u8> },
    /// By one more request, see [`Mapping::end`].
    Upnp(upnp::Service),
}

impl Mapping {
    /// The router's outer address, and the port there.
    #[must_use]
    pub fn outer(&self) -> SocketAddr {
        self.outer.into()
    }

    /// The protocol that gave it: `PCP`, `NAT-PMP` or `UPnP`.
    #[must_use]
    pub fn protocol(&self) -> &'static str {
        self.protocol
    }

    /// Takes it back, whichever protocol it is of. A router that does not answer is not waited for longer than half a
    /// second: the mapping ends by itself.
    pub async fn end(self) {
        if let Undo::Upnp(service) = &self.undo {
            let _ = tokio::time::timeout(FAREWELL, service.remove(self.outer.port())).await;
        }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        if let Undo::Datagram { from, router, bytes } = &self.undo
            && let Ok(socket) = std::net::UdpSocket::bind((*from, 0))
        {
            // Nobody waits for the answer: the mapping ends by itself too.
            let _ = socket.send_to(bytes, router);
        }
    }
}

/// Asks the router for a way to the port of `local`.
///
/// # Errors
/// When it speaks none of the three, which takes at most a second and a half, or refuses.
pub async fn map(local: SocketAddrV4, router: &Router) -> io::Result<Mapping> {
    let asking = async {
        let (pcp, upnp) =
            (pcp::map(local, router.portmap), upnp::map(local, *router.portmap.ip(), &router.search));
        tokio::pin!(pcp, upnp);
        // Whichever gives a port first; one that says no leaves it to the other.
        let (mut by_pcp, mut by_upnp) = (None, None);
        loop {
            tokio::select! {
                answer = &mut pcp, if by_pcp.is_none() => match answer {
                    Ok(mapping) => return Ok(mapping),
                    Err(e) => by_pcp = Some(e),
                },
                answer = &mut upnp, if by_upnp.is_none() => match answer {
                    Ok(mapping) => return Ok(mapping),
                    Err(e) => by_upnp = Some(e),
                },
                else => break,
            }
        }
        let said = |e: Option<io::Error>| e.map(|e| e.to_string()).unwrap_or_default();
        Err(io::Error::other(format!("the router gives no port: {}; {}", said(by_pcp), said(by_upnp))))
    };
    match tokio::time::timeout(PATIENCE, asking).await {
        Ok(Ok(mapping)) if mapping.outer.ip().is_unspecified() || mapping.outer.port() == 0 => {
            Err(io::Error::other("the router gave a port and has no outer address"))
        }
        Ok(answer) => answer,
        Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "the router began to answer and did not end")),
    }
}

/// The default gateway of this machine, for IPv4, where there is one.
#[must_use]
pub fn gateway() -> Option<Ipv4Addr> {
    gateway_in(&std::fs::read_to_string("/proc/net/route").unwrap_or_default())
}

/// The default gateway in the text of `/proc/net/route`: numbers in hexadecimal, in the machine's own byte order.
fn gateway_in(routes: &str) -> Option<Ipv4Addr> {
    routes.lines().skip(1).find_map(|line| {
        let mut fields = line.split_whitespace().skip(1);
        let (destination, gateway) = (fields.next()?, fields.next()?);
        let gateway = u32::from_str_radix(gateway, 16).ok()?;
        (destination == "00000000" && gateway != 0).then(|| Ipv4Addr::from(gateway.to_ne_bytes()))
    })
}

/// An IPv4 address as the last four of sixteen bytes.
fn v4_of(sixteen: &[u8]) -> Option<Ipv4Addr> {
    let sixteen = <[u8; 16]>::try_from(sixteen).ok()?;
    match IpAddr::from(sixteen).to_canonical() {
        IpAddr::V4(v4) => Some(v4),
        IpAddr::V6(_) => None,
    }
}

#[cfg(test)]
mod tests;
