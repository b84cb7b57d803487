//! What the system tells of connections (Linux, in `/proc/net/tcp`): bytes that the peer has not acknowledged, and connections
//! that have only begun.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use tokio::net::TcpStream;
use twoport_plan::Stall;

/// What the system has taken for the peer of a connection.
#[derive(Debug, Clone, Copy)]
pub struct SendQueue {
    table: &'static str,
    local: u16,
    peer: u16,
}

impl SendQueue {
    /// Of this connection; none where it is gone.
    #[must_use]
    pub fn of(stream: &TcpStream) -> Option<Self> {
        let (local, peer) = (stream.local_addr().ok()?, stream.peer_addr().ok()?);
        let table = if local.is_ipv4() { TABLES[0] } else { TABLES[1] };
        Some(SendQueue { table, local: local.port(), peer: peer.port() })
    }

    /// Bytes that the peer has not acknowledged; none where the system does not tell, or the connection is gone.
    #[must_use]
    pub fn unacknowledged(&self) -> Option<u64> {
        in_queue(&std::fs::read_to_string(self.table).ok()?, self.local, self.peer).map(|(bytes, _)| bytes)
    }

    /// Why it does not become empty.
    #[must_use]
    pub fn stall(&self) -> Stall {
        let table = std::fs::read_to_string(self.table).unwrap_or_default();
        match in_queue(&table, self.local, self.peer) {
            Some((bytes, true)) => Stall::Full(bytes),
            Some((bytes @ 1.., false)) => Stall::Lost(bytes),
            _ => Stall::Unknown,
        }
    }
}

const TABLES: [&str; 2] = ["/proc/net/tcp", "/proc/net/tcp6"];

/// Whether the first packet of a connection from `client` to `at` was seen, and answered, and no word has come back since.
pub(crate) fn half_open(at: SocketAddr, client: IpAddr) -> bool {
    TABLES.iter().any(|table| {
        let text = std::fs::read_to_string(table).unwrap_or_default();
        rows(&text).any(|row| row.state == SYN_RECEIVED && row.local == at.port() && row.from == Some(client))
    })
}

/// Ports of this machine that have TCP connections or listeners now, those that only wait to be forgotten left out.
#[must_use]
pub fn ports_in_use() -> BTreeSet<u16> {
    let used = |table: &str| {
        let text = std::fs::read_to_string(table).unwrap_or_default();
        rows(&text).filter(|row| row.state != TIME_WAIT).map(|row| row.local).collect::<Vec<_>>()
    };
    TABLES.into_iter().flat_map(used).collect()
}

/// A TCP port of this machine that is in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InUse {
    /// The address here and the port.
    pub at: SocketAddr,
    /// Whether somebody listens there; else it is a connection.
    pub listens: bool,
    /// The number of the socket, by which the system tells whose it is.
    pub inode: u64,
}

/// Every TCP port of this machine that is in use, those left out that only wait to be forgotten.
#[must_use]
pub fn in_use() -> Vec<InUse> {
    let used = |table: &str| {
        let text = std::fs::read_to_string(table).unwrap_or_default();
        let rows = rows(&text).filter(|row| row.state != TIME_WAIT);
        rows.filter_map(|row| {
            let at = SocketAddr::new(row.at?, row.local);
            Some(InUse { at, listens: row.state == LISTENS, inode: row.inode? })
        })
        .collect::<Vec<_>>()
    };
    TABLES.into_iter().flat_map(used).collect()
}

/// Packets that have come to this machine since it was started, of IPv4 or of IPv6, and were given to nobody: a firewall of its
/// own dropped them, mostly. None where the system does not tell.
#[must_use]
pub fn dropped_here(v6: bool) -> Option<u64> {
    let text = std::fs::read_to_string(if v6 { "/proc/net/snmp6" } else { "/proc/net/snmp" }).ok()?;
    match v6 {
        true => {
            let of = |name: &str| {
                let line = text.lines().find(|line| line.split_whitespace().next() == Some(name))?;
                line.split_whitespace().nth(1)?.parse::<u64>().ok()
            };
            Some(of("Ip6InReceives")?.saturating_sub(of("Ip6InDelivers")? + of("Ip6OutForwDatagrams")?))
        }
        false => {
            let mut lines = text.lines().filter(|line| line.starts_with("Ip:")).map(str::split_whitespace);
            let fields: Vec<(&str, &str)> = lines.next()?.zip(lines.next()?).collect();
            let of = |name: &str| fields.iter().find(|(field, _)| *field == name)?.1.parse::<u64>().ok();
            Some(of("InReceives")?.saturating_sub(of("InDelivers")? + of("ForwDatagrams")?))
        }
    }
}

/// The state of a connection that is over.
const TIME_WAIT: &str = "06";

/// The state of a listener.
const LISTENS: &str = "0A";

/// The state of a connection whose handshake is half done, as the table has it.
const SYN_RECEIVED: &str = "03";

/// A line of the table: `ADDRESS:PORT` twice, a state, `SEND:RECEIVE`, and `TIMER:WHEN`, all in hexadecimal; then how often it
/// was sent again, the user, a time, and the number of the socket.
struct Row<'a> {
    at: Option<IpAddr>,
    local: u16,
    from: Option<IpAddr>,
    peer: u16,
    state: &'a str,
    unacknowledged: u64,
    timer: &'a str,
    inode: Option<u64>,
}

fn rows(table: &str) -> impl Iterator<Item = Row<'_>> {
    let port = |end: &str| u16::from_str_radix(end.rsplit(':').next()?, 16).ok();
    table.lines().skip(1).filter_map(move |line| {
        let mut fields = line.split_whitespace().skip(1);
        let (local, peer, state) = (fields.next()?, fields.next()?, fields.next()?);
        let (queue, timer) = (fields.next()?, fields.next()?);
        Some(Row {
            at: address(local.split(':').next()?),
            local: port(local)?,
            from: address(peer.split(':').next()?),
            peer: port(peer)?,
            state,
            unacknowledged: u64::from_str_radix(queue.split(':').next()?, 16).ok()?,
            timer: timer.split(':').next()?,
            inode: fields.nth(3).and_then(|number| number.parse().ok()),
        })
    })
}

/// An address as the table has it: words of 32 bits in the machine's own byte order.
fn address(text: &str) -> Option<IpAddr> {
    let word = |at: usize| Some(u32::from_str_radix(text.get(at..at + 8)?, 16).ok()?.to_ne_bytes());
    match text.len() {
        8 => Some(IpAddr::from(word(0)?)),
        32 => {
            let mut octets = [0; 16];
            for (place, part) in octets.chunks_exact_mut(4).enumerate() {
                part.copy_from_slice(&word(place * 8)?);
            }
            Some(IpAddr::from(octets).to_canonical())
        }
        _ => None,
    }
}

/// The send queue of the connection between these ports, and whether the peer's window is shut.
fn in_queue(table: &str, local: u16, peer: u16) -> Option<(u64, bool)> {
    let row = rows(table).find(|row| (row.local, row.peer) == (local, peer))?;
    Some((row.unacknowledged, row.timer == PROBE))
}

/// The timer that asks now and then whether a window has opened, as the table has it.
const PROBE: &str = "04";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_send_queue_is_found_by_its_ports() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr\n\
            0: 0100007F:0050 00000000:0000 0A 00000000:00000000 00:00000000\n\
            1: 0202000A:C350 0271CB00:9C40 04 00000400:00000007 01:00000014\n\
            2: 0202000A:C350 0271CB00:9C41 04 00000007:00000000 04:00000014\n";
        assert_eq!(in_queue(table, 50000, 40000), Some((1024, false)));
        assert_eq!(in_queue(table, 50000, 40001), Some((7, true)));
        assert_eq!(in_queue(table, 50001, 40000), None);
        assert_eq!(in_queue("", 1, 2), None);
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn who_uses_a_port_is_told_by_the_number_of_its_socket() {
        let table = "  sl  local_address\n\
            0: 0100007F:0015 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4711 1 0 100\n";
        let row = rows(table).next().unwrap();
        assert_eq!((row.at, row.local, row.state), (Some("127.0.0.1".parse().unwrap()), 21, LISTENS));
        assert_eq!(row.inode, Some(4711));
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        assert!(in_use().iter().any(|one| one.at == at && one.listens && one.inode != 0));
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn addresses_are_read_as_the_kernel_writes_them() {
        let ip = |text: &str| Some(text.parse::<IpAddr>().unwrap());
        assert_eq!(address("0100007F"), ip("127.0.0.1"));
        assert_eq!(address("B80D0120000000000000000001000000"), ip("2001:db8::1"));
        assert_eq!(address("0000000000000000FFFF00000100007F"), ip("127.0.0.1"));
        assert_eq!(address("01"), None);
    }
}
