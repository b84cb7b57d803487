//! What the system tells of connections (Linux, in `/proc/net/tcp` and `TCP_INFO`): bytes that the peer has not acknowledged, and
//! connections that have only begun.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd;
use std::sync::OnceLock;

use nix::sys::socket::getsockopt;
use nix::{getsockopt_impl, libc, sockopt_impl};
use socket2::SockRef;
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
    pub fn of(stream: &impl AsFd) -> Option<Self> {
        let socket = SockRef::from(stream);
        let (local, peer) = (socket.local_addr().ok()?.as_socket()?, socket.peer_addr().ok()?.as_socket()?);
        Some(SendQueue { table: table_of(local), local: local.port(), peer: peer.port() })
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

/// How far a connection has come, as the system knows without a look at all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Delivery {
    /// Bytes that the peer has acknowledged, of all that were written to it; one more where we have opened the connection, and one
    /// for the end.
    pub(crate) acknowledged: u64,
    /// Whether it is over: reset, given up, or ended by both.
    pub(crate) over: bool,
}

/// Of this connection; none where the system does not tell.
pub(crate) fn delivery(stream: &impl AsFd) -> Option<Delivery> {
    static TELLS: OnceLock<bool> = OnceLock::new();
    if !TELLS.get_or_init(|| is_from(rustix::system::uname().release().to_bytes(), (4, 1))) {
        return None;
    }
    let info = getsockopt(stream, Info).ok()?;
    let acknowledged = u64::from_ne_bytes(info[120..128].try_into().ok()?);
    Some(Delivery { acknowledged, over: info[0] == CLOSED })
}

/// Whether a system of this release is of this version or a later one.
fn is_from(release: &[u8], version: (u32, u32)) -> bool {
    let mut numbers = release
        .split(|b| !b.is_ascii_digit())
        .map_while(|digits| std::str::from_utf8(digits).ok()?.parse::<u32>().ok());
    numbers.next().zip(numbers.next()).is_some_and(|release| release >= version)
}

// The front of `tcp_info` (linux/tcp.h), as it is since Linux 4.1: the state is its first byte, and the number of bytes that were
// acknowledged its last. An elder system has less to tell than is asked for.
sockopt_impl!(
    /// tcp(7).
    Info, GetOnly, libc::IPPROTO_TCP, libc::TCP_INFO, [u8; 128]);

/// `TCP_CLOSE` (net/tcp_states.h).
const CLOSED: u8 = 7;

const TABLES: [&str; 2] = ["/proc/net/tcp", "/proc/net/tcp6"];

/// The table that has the sockets of a family; IPv4 in IPv6's clothes is of IPv6.
fn table_of(at: SocketAddr) -> &'static str {
    TABLES[usize::from(at.is_ipv6())]
}

/// What `of` makes of the rows of both tables.
fn of_all<T>(of: impl Fn(Row<'_>) -> Option<T>) -> Vec<T> {
    let texts = TABLES.map(|table| std::fs::read_to_string(table).unwrap_or_default());
    texts.iter().flat_map(|text| rows(text)).filter_map(of).collect()
}

/// Whether the first packet of a connection from `client` to `at` was seen, and answered, and no word has come back since.
pub(crate) fn half_open(at: SocketAddr, client: IpAddr) -> bool {
    let text = std::fs::read_to_string(table_of(at)).unwrap_or_default();
    rows(&text).any(|row| row.state == SYN_RECEIVED && row.local == at.port() && row.from == Some(client))
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
    of_all(|row| {
        let at = SocketAddr::new(row.at?, row.local);
        (row.state != TIME_WAIT).then_some(InUse { at, listens: row.state == LISTENS, inode: row.inode? })
    })
}

/// Who has sent the first packet of a connection to this port of ours that was answered and came no further.
#[must_use]
pub fn half_open_from(port: u16) -> Option<IpAddr> {
    of_all(|row| row.from.filter(|_| row.state == SYN_RECEIVED && row.local == port)).into_iter().next()
}

/// Connections from `client` to this port of ours that have not acknowledged all that was sent on them: from where, and how many
/// bytes are meant. Whether a program still has them does not matter.
#[must_use]
pub fn unheard_from(client: IpAddr, port: u16) -> Vec<(SocketAddr, u64)> {
    of_all(|row| {
        let begun = row.state != SYN_RECEIVED && row.state != LISTENS && row.state != TIME_WAIT;
        let unheard = row.unacknowledged > 0 && row.local == port && row.from == Some(client);
        (begun && unheard).then_some((SocketAddr::new(client, row.peer), row.unacknowledged))
    })
}

/// What the system has counted of packets of one family since it was started (Linux). They are the whole machine's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packets {
    v6: bool,
    dropped: u64,
    held_back: u64,
}

impl Packets {
    /// Until now; none where the system does not tell.
    #[must_use]
    pub fn now(v6: bool) -> Option<Packets> {
        let text = std::fs::read_to_string(if v6 { "/proc/net/snmp6" } else { "/proc/net/snmp" }).ok()?;
        let of = counters(&text, v6);
        let came = of("InReceives")?;
        let given = of("InDelivers")? + of(if v6 { "OutForwDatagrams" } else { "ForwDatagrams" })?;
        // The last is there since Linux 6.8.
        let (wanted, out) = (of("OutRequests")?, of("OutTransmits"));
        Some(Packets {
            v6,
            dropped: came.saturating_sub(given),
            held_back: out.map_or(0, |out| wanted.saturating_sub(out)),
        })
    }

    /// What was lost since then.
    #[must_use]
    pub fn since(&self) -> Option<Lost> {
        let now = Packets::now(self.v6)?;
        Some(Lost {
            dropped: now.dropped.saturating_sub(self.dropped),
            held_back: now.held_back.saturating_sub(self.held_back),
        })
    }
}

/// Packets that were lost on this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lost {
    /// That came here and were given to nobody: a firewall of this machine dropped them, mostly.
    pub dropped: u64,
    /// That this machine did not let out.
    pub held_back: u64,
}

/// The counters of IP by name: two lines of names and numbers, or of IPv6 a line each.
fn counters(text: &str, v6: bool) -> impl Fn(&str) -> Option<u64> {
    let pairs: Vec<(String, u64)> = match v6 {
        true => text
            .lines()
            .filter_map(|line| {
                let mut words = line.split_whitespace();
                let name = words.next()?.strip_prefix("Ip6")?;
                Some((name.to_owned(), words.next()?.parse().ok()?))
            })
            .collect(),
        false => {
            let mut lines = text.lines().filter(|line| line.starts_with("Ip:")).map(str::split_whitespace);
            let (names, numbers) = (lines.next().into_iter().flatten(), lines.next().into_iter().flatten());
            names
                .zip(numbers)
                .filter_map(|(name, number)| Some((name.to_owned(), number.parse().ok()?)))
                .collect()
        }
    };
    move |wanted: &str| pairs.iter().find(|(name, _)| name == wanted).map(|(_, number)| *number)
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
    fn releases_are_compared_by_their_numbers() {
        for (release, fits) in [
            ("4.1.0", true),
            ("6.18.44-fc-v595", true),
            ("10.0", true),
            ("4.0.9", false),
            ("3.10.0-1160.el7", false),
            ("x", false),
        ] {
            assert_eq!(is_from(release.as_bytes(), (4, 1)), fits, "{release}");
        }
    }

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
    fn counters_are_read_by_their_names() {
        let four =
            counters("Ip: Forwarding InReceives InDelivers\nIp: 2 36 30\nTcp: RtoAlgorithm\nTcp: 1\n", false);
        assert_eq!(
            (four("InReceives"), four("InDelivers"), four("OutTransmits")),
            (Some(36), Some(30), None)
        );
        let six =
            counters("Ip6InReceives                   \t437352\nIp6InDelivers\t437350\nTcp6X\t1\n", true);
        assert_eq!((six("InReceives"), six("InDelivers"), six("X")), (Some(437_352), Some(437_350), None));
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
