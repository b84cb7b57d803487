//! PCP (RFC 6887) and its elder NAT-PMP (RFC 6886), the asking side. Both live at one port of the router and tell each
//! other's answers apart by the first byte, so both are asked at once over one socket.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::time::{Instant, timeout_at};

use super::{LIFETIME, Mapping, Undo, v4_of};

/// Waits between the tries (RFC 6886 §3.1 doubles from 250 ms; a router that has either answers the first or the second).
const WAITS: [Duration; 3] =
    [Duration::from_millis(250), Duration::from_millis(500), Duration::from_millis(750)];

/// How long PCP may answer later than NAT-PMP and still be preferred: it says in one answer all that is needed.
const GRACE: Duration = Duration::from_millis(100);

/// A mapping by whichever of the two the router speaks.
pub(super) async fn map(local: SocketAddrV4, router: SocketAddrV4) -> io::Result<Mapping> {
    let socket = UdpSocket::bind((*local.ip(), 0)).await?;
    socket.connect(router).await?;
    let mut nonce = [0; 12];
    getrandom::fill(&mut nonce).map_err(|e| io::Error::other(format!("no random numbers: {e}")))?;
    let pcp = pcp_request(local, &nonce, LIFETIME);
    let mut asked = Asked { local, nonce, outer: None, refused: None, mapping: false };
    let mut buffer = [0; 1100];
    for wait in WAITS {
        let pmp = asked.natpmp_request();
        send(&socket, &pcp).await?;
        send(&socket, &pmp).await?;
        let mut until = Instant::now() + wait;
        while let Ok(received) = timeout_at(until, socket.recv(&mut buffer)).await {
            // Refused by the router's own system: nothing listens there.
            let received = received.map_err(|_| not_spoken())?;
            match asked.hear(&buffer[..received]) {
                Heard::Pcp(outer) => {
                    let bytes = pcp_request(local, &nonce, 0);
                    return Ok(mapping("PCP", outer, *local.ip(), router, bytes));
                }
                Heard::NatPmp(outer) => {
                    let bytes = natpmp_map(local.port(), 0, 0);
                    return Ok(mapping("NAT-PMP", outer, *local.ip(), router, bytes));
                }
                // NAT-PMP has told the outer address: the port is asked for, now or when PCP has had its time.
                Heard::Outer if asked.refused.is_some() => send(&socket, &asked.natpmp_request()).await?,
                Heard::Outer => until = Instant::now() + GRACE,
                Heard::Refused if asked.outer.is_some() && !asked.mapping => {
                    send(&socket, &asked.natpmp_request()).await?;
                }
                Heard::Over(code) => {
                    return Err(io::Error::other(format!("NAT-PMP refused with code {code}")));
                }
                Heard::Refused | Heard::Nothing => {}
            }
        }
    }
    Err(match asked.refused {
        Some(code) => io::Error::other(format!("PCP refused with code {code}")),
        None => not_spoken(),
    })
}

/// What was asked, and what is known of the answers.
struct Asked {
    local: SocketAddrV4,
    nonce: [u8; 12],
    /// What NAT-PMP said of the router's outer address.
    outer: Option<Ipv4Addr>,
    /// PCP's refusal.
    refused: Option<u8>,
    /// NAT-PMP's mapping was asked for.
    mapping: bool,
}

enum Heard {
    Pcp(SocketAddrV4),
    NatPmp(SocketAddrV4),
    /// NAT-PMP is spoken, and this is its outer address.
    Outer,
    /// PCP is not spoken or refused.
    Refused,
    /// NAT-PMP refused.
    Over(u16),
    /// Nothing that was asked for.
    Nothing,
}

impl Asked {
    /// NAT-PMP's next question: the outer address, then the port.
    fn natpmp_request(&mut self) -> Vec<u8> {
        match self.outer {
            None => vec![0, 0],
            Some(_) => {
                self.mapping = true;
                natpmp_map(self.local.port(), self.local.port(), LIFETIME)
            }
        }
    }

    fn hear(&mut self, answer: &[u8]) -> Heard {
        match answer {
            // MAP's answer (RFC 6887 §11.1): the nonce says that it is ours.
            [2, 0x81, _, 0, rest @ ..] if rest.len() >= 56 && rest[20..32] == self.nonce => {
                let port = u16::from_be_bytes([rest[38], rest[39]]);
                match v4_of(&rest[40..56]) {
                    Some(ip) if rest[32] == TCP => Heard::Pcp(SocketAddrV4::new(ip, port)),
                    _ => Heard::Nothing,
                }
            }
            [2, 0x81, _, code, ..] if *code != 0 => {
                self.refused = Some(*code);
                Heard::Refused
            }
            // The outer address (RFC 6886 §3.2).
            [0, 128, 0, 0, _, _, _, _, a, b, c, d, ..] if self.outer.is_none() => {
                self.outer = Some(Ipv4Addr::new(*a, *b, *c, *d));
                Heard::Outer
            }
            // The mapping (RFC 6886 §3.3), when it is of our port.
            [0, 130, 0, 0, _, _, _, _, high, low, outer_high, outer_low, ..]
                if u16::from_be_bytes([*high, *low]) == self.local.port() =>
            {
                match self.outer {
                    Some(ip) => {
                        Heard::NatPmp(SocketAddrV4::new(ip, u16::from_be_bytes([*outer_high, *outer_low])))
                    }
                    None => Heard::Nothing,
                }
            }
            // A router that has NAT-PMP only answers PCP's question so (RFC 6887 appendix A): an answer in the tongue
            // of NAT-PMP to something that was not asked in it.
            [0, operation, 0, 1, ..] if *operation != 128 && *operation != 130 => {
                self.refused = Some(1);
                Heard::Refused
            }
            [0, 128 | 130, high, low, ..] if (*high, *low) != (0, 0) => {
                Heard::Over(u16::from_be_bytes([*high, *low]))
            }
            _ => Heard::Nothing,
        }
    }
}

/// The number of TCP among protocols.
const TCP: u8 = 6;

/// MAP (RFC 6887 §11.1); a lifetime of 0 takes the mapping back.
fn pcp_request(local: SocketAddrV4, nonce: &[u8; 12], lifetime: u32) -> Vec<u8> {
    let mut request = vec![2, 1, 0, 0];
    request.extend_from_slice(&lifetime.to_be_bytes());
    request.extend_from_slice(&local.ip().to_ipv6_mapped().octets());
    request.extend_from_slice(nonce);
    request.extend_from_slice(&[TCP, 0, 0, 0]);
    request.extend_from_slice(&local.port().to_be_bytes());
    // The same number outside where it can be had; at whichever address.
    request.extend_from_slice(&if lifetime == 0 { 0 } else { local.port() }.to_be_bytes());
    request.extend_from_slice(&Ipv4Addr::UNSPECIFIED.to_ipv6_mapped().octets());
    request
}

/// Map TCP (RFC 6886 §3.3); a lifetime of 0, and 0 for the outer port, takes the mapping back (§3.4).
fn natpmp_map(port: u16, outer: u16, lifetime: u32) -> Vec<u8> {
    let mut request = vec![0, 2, 0, 0];
    request.extend_from_slice(&port.to_be_bytes());
    request.extend_from_slice(&outer.to_be_bytes());
    request.extend_from_slice(&lifetime.to_be_bytes());
    request
}

fn mapping(
    protocol: &'static str,
    outer: SocketAddrV4,
    from: Ipv4Addr,
    router: SocketAddrV4,
    bytes: Vec<u8>,
) -> Mapping {
    Mapping { outer, protocol, undo: Undo::Datagram { from, router, bytes } }
}

/// A datagram that the system does not take because the last one was refused is an answer too.
async fn send(socket: &UdpSocket, request: &[u8]) -> io::Result<()> {
    socket.send(request).await.map(|_| ()).map_err(|_| not_spoken())
}

fn not_spoken() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "no answer to PCP and NAT-PMP")
}
