//! The PROXY protocol, versions 1 and 2 (haproxy.org, `proxy-protocol.txt`): a balancer says before the first byte of a connection
//! who the client is and which address it has reached. It is believed of networks that are trusted and of nobody else; from them
//! it must come, and what stands behind it is not touched. [`Reception`] accepts connections without being held up by one of them.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use proxy_header::{ParseConfig, Protocol, ProxyHeader};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::control::canonical;

/// How long a balancer may take to say its header; it has nothing to wait for.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// What version 2 begins with: no text protocol can take it for its own.
const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// What version 1 begins with.
const WORD: &[u8] = b"PROXY ";

/// The shortest header of all, `PROXY UNKNOWN` and its line end: so much may be read without looking.
const SHORTEST: usize = 15;

/// The longest header of version 1, its line end included.
const LINE: usize = 107;

/// The fixed part of version 2; its last two bytes tell the length of the rest.
const FIXED: usize = 16;

/// The longest header of version 2 that is taken: addresses, and what a balancer says of the client's certificate.
const LONGEST: usize = 4096;

/// Connections of trusted networks that may be without a header at one time.
const CROWD: usize = 512;

/// A connection, and who is at its ends.
#[derive(Debug)]
pub struct Met {
    /// The connection; nothing behind the header was read.
    pub stream: TcpStream,
    /// The client, never an IPv4 one in IPv6's clothes.
    pub peer: SocketAddr,
    /// The address that the client reached, likewise: the balancer's, or ours.
    pub local: SocketAddr,
    /// Who brought it.
    pub by: By,
}

/// Who brought a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// The client itself: it comes from no trusted network.
    Itself,
    /// A balancer, of a client that it names.
    Balancer,
    /// A balancer of its own accord (LOCAL, UNKNOWN): it looks whether we are well.
    Check,
}

/// A connection from a trusted network that is of no use, and was closed.
#[derive(Debug)]
pub struct TurnedAway {
    /// Whence.
    pub from: IpAddr,
    /// Why.
    pub fault: HeaderFault,
}

/// Why there is no header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeaderFault {
    /// It was closed before its first byte: somebody looked whether the port is open.
    Nothing,
    /// It said nothing, or not all, within this time.
    Silent(Duration),
    /// It begins with something else.
    NoHeader,
    /// It was closed in the middle of it.
    Torn,
    /// It is longer than allowed.
    TooLong,
    /// It makes no sense.
    Malformed,
    /// Too many others are without one at this time.
    Crowd,
}

impl HeaderFault {
    /// Whether nothing is wrong: somebody has looked at the port, and no more.
    #[must_use]
    pub fn is_a_look(self) -> bool {
        self == HeaderFault::Nothing
    }
}

impl fmt::Display for HeaderFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HeaderFault::Nothing => f.write_str("it was closed without a byte"),
            HeaderFault::Silent(after) => {
                write!(f, "no whole PROXY header came within {} s", after.as_secs_f32())
            }
            HeaderFault::NoHeader => f.write_str("it begins without a PROXY header"),
            HeaderFault::Torn => f.write_str("it was closed in the middle of its PROXY header"),
            HeaderFault::TooLong => f.write_str("its PROXY header is too long"),
            HeaderFault::Malformed => f.write_str("its PROXY header makes no sense"),
            HeaderFault::Crowd => write!(f, "{CROWD} others are there without a PROXY header"),
        }
    }
}

impl std::error::Error for HeaderFault {}

/// Accepts connections, and hears the headers of those that must have one beside that: who keeps silent holds up nobody.
#[derive(Debug)]
pub struct Reception {
    hearing: JoinSet<Result<Met, TurnedAway>>,
    patience: Duration,
}

impl Default for Reception {
    fn default() -> Self {
        Reception::new(PATIENCE)
    }
}

impl Reception {
    /// One that waits so long for a header.
    #[must_use]
    pub fn new(patience: Duration) -> Self {
        Reception { hearing: JoinSet::new(), patience }
    }

    /// The next connection that is ready, or one that came to nothing. `is_trusted` says from which addresses a header must
    /// come; from others none is looked for. Nothing is lost when the future is dropped.
    ///
    /// # Errors
    /// As `accept` of the listener.
    pub async fn next(
        &mut self,
        listener: &TcpListener,
        is_trusted: impl Fn(IpAddr) -> bool,
    ) -> io::Result<Result<Met, TurnedAway>> {
        loop {
            tokio::select! {
                biased;
                Some(heard) = self.hearing.join_next() => {
                    // A task that was cancelled goes with the runtime.
                    if let Ok(met) = heard {
                        return Ok(met);
                    }
                }
                accepted = listener.accept() => {
                    let (stream, from) = accepted?;
                    let from = canonical(from);
                    if !is_trusted(from.ip()) {
                        return Ok(direct(stream, from, By::Itself));
                    }
                    if self.hearing.len() >= CROWD {
                        return Ok(Err(TurnedAway { from: from.ip(), fault: HeaderFault::Crowd }));
                    }
                    self.hearing.spawn(meet(stream, from, self.patience));
                }
            }
        }
    }
}

/// Hears the header that a connection from the trusted address `from` must begin with.
///
/// # Errors
/// When none comes within `patience`, or another thing; the connection is closed then.
pub(crate) async fn meet(stream: TcpStream, from: SocketAddr, patience: Duration) -> Result<Met, TurnedAway> {
    let turned_away = |fault| TurnedAway { from: from.ip(), fault };
    let mut stream = stream;
    let header = match tokio::time::timeout(patience, take(&mut stream)).await {
        Ok(taken) => taken.map_err(turned_away)?,
        Err(_) => return Err(turned_away(HeaderFault::Silent(patience))),
    };
    match ends_in(&header).map_err(turned_away)? {
        None => direct(stream, from, By::Check),
        // A client on the balancer itself: "this host" is not this one.
        Some((client, reached)) if client.ip().is_loopback() && !from.ip().is_loopback() => {
            let peer = SocketAddr::new(from.ip(), client.port());
            Ok(Met { stream, peer, local: reached, by: By::Balancer })
        }
        Some((client, reached)) => Ok(Met { stream, peer: client, local: reached, by: By::Balancer }),
    }
}

/// Whether what a connection begins with is a header: known by its first six bytes, or twelve.
pub(crate) fn is_header(opening: &[u8]) -> bool {
    opening.starts_with(SIGNATURE) || opening.starts_with(WORD)
}

/// The first bytes of a connection that [`is_header`] needs.
pub(crate) const OPENING: usize = SIGNATURE.len();

/// A connection whose ends are what the system says.
fn direct(stream: TcpStream, from: SocketAddr, by: By) -> Result<Met, TurnedAway> {
    match stream.local_addr() {
        Ok(local) => Ok(Met { stream, peer: from, local: canonical(local), by }),
        Err(_) => Err(TurnedAway { from: from.ip(), fault: HeaderFault::Nothing }),
    }
}

/// What a header that is not whole waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Want {
    /// So many bytes more belong to it for certain.
    Bytes(usize),
    /// A line end, within so many bytes.
    LineEnd(usize),
    /// Nothing: it is whole.
    Nothing,
}

/// What is wanted behind the bytes that were read. Where it ends is known before anything in it is looked at.
fn want(read: &[u8]) -> Result<Want, HeaderFault> {
    let can_be = |beginning: &[u8]| beginning.iter().zip(read).all(|(one, other)| one == other);
    let second = can_be(SIGNATURE);
    if !second && !can_be(WORD) {
        return Err(HeaderFault::NoHeader);
    }
    if read.len() < SHORTEST {
        return Ok(Want::Bytes(SHORTEST - read.len()));
    }
    if !second {
        return match (read.ends_with(b"\n"), read.len()) {
            (true, _) => Ok(Want::Nothing),
            (false, LINE..) => Err(HeaderFault::TooLong),
            (false, length) => Ok(Want::LineEnd(LINE - length)),
        };
    }
    let whole = match read {
        [_, _, _, _, _, _, _, _, _, _, _, _, _, _, high, low, ..] => {
            FIXED + usize::from(u16::from_be_bytes([*high, *low]))
        }
        _ => FIXED,
    };
    match whole.checked_sub(read.len()) {
        _ if whole > LONGEST => Err(HeaderFault::TooLong),
        Some(0) | None => Ok(Want::Nothing),
        Some(more) => Ok(Want::Bytes(more)),
    }
}

/// Reads a whole header, and no byte behind it.
async fn take(stream: &mut TcpStream) -> Result<Vec<u8>, HeaderFault> {
    let mut read = Vec::with_capacity(LINE);
    loop {
        let most = match want(&read)? {
            Want::Nothing => return Ok(read),
            Want::Bytes(more) => more,
            Want::LineEnd(room) => {
                let mut ahead = [0; LINE];
                let there = stream.peek(&mut ahead[..room]).await.unwrap_or(0);
                let end = ahead[..there].iter().position(|byte| *byte == b'\n');
                // Without a line end all of it belongs to the line. Where nothing is there the end of the stream is read.
                end.map_or(there, |end| end + 1).max(1)
            }
        };
        let mut more = (&mut *stream).take(most as u64);
        match more.read_buf(&mut read).await {
            Ok(1..) => {}
            Ok(0) | Err(_) if read.is_empty() => return Err(HeaderFault::Nothing),
            Ok(0) | Err(_) => return Err(HeaderFault::Torn),
        }
    }
}

/// The client and the address that it reached; none where the balancer speaks of no client.
fn ends_in(header: &[u8]) -> Result<Option<(SocketAddr, SocketAddr)>, HeaderFault> {
    // LOCAL: whatever stands behind it must be passed over, be it right or wrong.
    if header.starts_with(SIGNATURE) && header.get(SIGNATURE.len()) == Some(&0x20) {
        return Ok(None);
    }
    let config = ParseConfig { include_tlvs: false, ..ParseConfig::default() };
    let (parsed, length) = ProxyHeader::parse(header, config).map_err(|_| HeaderFault::Malformed)?;
    if length != header.len() {
        return Err(HeaderFault::Malformed);
    }
    let Some(told) = parsed.proxied_address() else { return Ok(None) };
    let (client, reached) = (canonical(told.source), canonical(told.destination));
    let nobody = |ip: IpAddr| ip.is_unspecified() || ip.is_multicast();
    match told.protocol {
        Protocol::Stream if !nobody(client.ip()) && !nobody(reached.ip()) => Ok(Some((client, reached))),
        Protocol::Stream | Protocol::Datagram => Err(HeaderFault::Malformed),
    }
}

#[cfg(test)]
mod tests;
