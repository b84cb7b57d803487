//! Which address of a peer we believe: bounce (RFC 2577), strangers, NAT. Pure, so that its cases are a table of tests. What we
//! tell a peer is in `outside`, what EPSV ALL forbids in `data`.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Why a server does not connect to where PORT or EPRT points.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TargetRefused {
    /// It is not the address that the control connection comes from: a bounce (RFC 2577 §3), or a client behind NAT.
    Foreign {
        /// The address that was asked for.
        asked: IpAddr,
        /// The address that the control connection comes from.
        peer: IpAddr,
    },
    /// A port below 1024, where services live (RFC 2577 §3).
    LowPort(u16),
}

impl TargetRefused {
    /// What we do not do, as a sentence without its full stop.
    #[must_use]
    pub fn cause(&self) -> String {
        match self {
            TargetRefused::Foreign { asked, peer } => {
                format!("Will not connect to {asked}: you come from {peer}")
            }
            TargetRefused::LowPort(port) => {
                format!("Will not connect to port {port}: data ports begin at {LOWEST}")
            }
        }
    }

    /// What to do; empty when nothing is to be done.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            TargetRefused::Foreign { .. } => "Behind a NAT use PASV or EPSV",
            TargetRefused::LowPort(_) => "",
        }
    }
}

impl fmt::Display for TargetRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.hint() {
            "" => f.write_str(&self.cause()),
            hint => write!(f, "{}. {hint}", self.cause()),
        }
    }
}

impl std::error::Error for TargetRefused {}

/// Where an active data connection may go: to the control peer itself, ports 1024 and up (RFC 2577 §3). IPv4-mapped
/// addresses count as IPv4 on both sides, and the answer is so; it carries no zone: a driver on a link-local control
/// connection adds that connection's own.
///
/// # Errors
/// When the target is another address, or its port is below 1024.
pub fn active_target(control_peer: IpAddr, target: SocketAddr) -> Result<SocketAddr, TargetRefused> {
    let (peer, asked) = (control_peer.to_canonical(), target.ip().to_canonical());
    if asked != peer {
        return Err(TargetRefused::Foreign { asked, peer });
    }
    if target.port() < LOWEST {
        return Err(TargetRefused::LowPort(target.port()));
    }
    Ok(SocketAddr::new(asked, target.port()))
}

/// Whether a data connection that came in may be used: it comes from the control peer's own address (else anyone who
/// guesses the port steals the file). IPv4-mapped addresses count as IPv4.
#[must_use]
pub fn link_peer_allowed(control_peer: IpAddr, data_peer: IpAddr) -> bool {
    control_peer.to_canonical() == data_peer.to_canonical()
}

/// Whether a client may connect to the address that 227 tells when it is not the control connection's own. Never to one
/// that cannot be the server's: of this host, of no host, of many hosts; and to a private one only when the server
/// itself is reached at a private address (a LAN with several addresses, not a NAT that leaks).
#[must_use]
pub fn believable(told: Ipv4Addr, server: IpAddr) -> bool {
    let IpAddr::V4(server) = server.to_canonical() else { return false };
    let no_host =
        told.is_unspecified() || told.is_multicast() || told.is_broadcast() || told.octets()[0] == 0;
    if no_host || told.is_loopback() != server.is_loopback() {
        return false;
    }
    !told.is_private() && !told.is_link_local() || server.is_private() || server.is_link_local()
}

/// The address that a server sees us come from, out of its words: STAT's "Connected to" or "Connected from", or a refusal of
/// PORT that says it. None where no address stands there that can be ours: the server's own, one of no host, or a private
/// one told by a server that is not private itself.
#[must_use]
pub fn outer_told(text: &str, server: IpAddr) -> Option<Ipv4Addr> {
    let IpAddr::V4(server) = server.to_canonical() else { return None };
    let local = |ip: &Ipv4Addr| ip.is_private() || ip.is_link_local();
    let can_be_ours = |ip: &Ipv4Addr| {
        let no_host = ip.is_unspecified()
            || ip.is_multicast()
            || ip.is_broadcast()
            || ip.is_loopback()
            || ip.octets()[0] == 0;
        !no_host && *ip != server && (!local(ip) || local(&server))
    };
    let lower = text.to_ascii_lowercase();
    let behind = ["connected to", "connected from", "you come from"].iter();
    let behind = behind.filter_map(|words| lower.find(words).map(|at| &lower[at..])).flat_map(addresses_in);
    behind.chain(addresses_in(&lower)).find(can_be_ours)
}

/// Every IPv4 address in a text, whatever stands around it.
fn addresses_in(text: &str) -> impl Iterator<Item = Ipv4Addr> {
    text.split(|c: char| !c.is_ascii_digit() && c != '.').filter_map(|run| run.trim_matches('.').parse().ok())
}

/// The lowest port of a data connection.
const LOWEST: u16 = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_told_address_is_believed_only_where_it_can_be_the_servers() {
        let ask = |told: &str, server: &str| believable(told.parse().unwrap(), server.parse().unwrap());
        assert!(ask("203.0.113.9", "203.0.113.10"));
        assert!(ask("10.0.0.5", "192.168.1.1"));
        for (told, server) in [
            ("10.0.0.5", "203.0.113.10"),
            ("127.0.0.1", "203.0.113.10"),
            ("203.0.113.9", "127.0.0.1"),
            ("0.0.0.0", "203.0.113.10"),
            ("224.0.0.1", "203.0.113.10"),
            ("203.0.113.9", "2001:db8::1"),
        ] {
            assert!(!ask(told, server), "{told} of {server}");
        }
    }

    #[test]
    fn a_server_tells_where_we_come_from() {
        let told =
            |text: &str, server: &str| outer_told(text, server.parse().unwrap()).map(|ip| ip.to_string());
        let outer = Some("198.51.100.1".to_owned());
        for text in [
            "FTP server status:\n     Connected to ::ffff:198.51.100.1\n     Logged in as lab",
            "Version 1.3.8.1 at 203.0.113.2\n Connected from gate.example.org (198.51.100.1)",
            "Connected from 198.51.100.1:40123",
            "Will not connect to 10.0.0.5: you come from 198.51.100.1. Behind a NAT use PASV or EPSV",
            "Possible theft: 198.51.100.1 is not 10.0.0.5",
        ] {
            assert_eq!(told(text, "203.0.113.2"), outer, "{text}");
        }
        for text in
            ["Connected to gate.example.org", "10.0.0.5 is not 203.0.113.2", "1.2.3.4.5 and 0.0.0.0", ""]
        {
            assert_eq!(told(text, "203.0.113.2"), None, "{text}");
        }
        assert_eq!(told("Connected to 10.0.0.5", "192.168.1.1").as_deref(), Some("10.0.0.5"));
        assert_eq!(told("Connected to 198.51.100.1", "2001:db8::1"), None);
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn to(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn only_the_control_peer_is_connected_to() {
        for (peer, target, goes_to) in [
            ("203.0.113.9", "203.0.113.9:1024", "203.0.113.9:1024"),
            ("::ffff:203.0.113.9", "203.0.113.9:4001", "203.0.113.9:4001"),
            ("203.0.113.9", "[::ffff:203.0.113.9]:4001", "203.0.113.9:4001"),
            ("2001:db8::1", "[2001:db8::1]:65535", "[2001:db8::1]:65535"),
            ("fe80::1", "[fe80::1%7]:4001", "[fe80::1]:4001"),
        ] {
            assert_eq!(active_target(ip(peer), to(target)), Ok(to(goes_to)), "{peer} {target}");
        }
        for (peer, target) in [
            ("203.0.113.9", "203.0.113.8:4001"),
            ("203.0.113.9", "0.0.0.0:4001"),
            ("203.0.113.9", "127.0.0.1:4001"),
            ("203.0.113.9", "[2001:db8::1]:4001"),
            ("2001:db8::1", "203.0.113.9:4001"),
            // IPv4-compatible is not IPv4-mapped.
            ("203.0.113.9", "[::203.0.113.9]:4001"),
        ] {
            let refused = active_target(ip(peer), to(target));
            assert!(matches!(refused, Err(TargetRefused::Foreign { .. })), "{peer} {target}");
        }
    }

    #[test]
    fn ports_of_services_are_refused() {
        for port in [0, 21, 25, 1023] {
            let target = SocketAddr::new(ip("203.0.113.9"), port);
            assert_eq!(active_target(ip("203.0.113.9"), target), Err(TargetRefused::LowPort(port)));
        }
    }

    #[test]
    fn refusals_say_what_to_do() {
        let foreign = active_target(ip("203.0.113.9"), to("10.0.0.5:4001")).unwrap_err();
        assert_eq!(
            foreign.to_string(),
            "Will not connect to 10.0.0.5: you come from 203.0.113.9. Behind a NAT use PASV or EPSV"
        );
        let low = TargetRefused::LowPort(25).to_string();
        assert_eq!(low, "Will not connect to port 25: data ports begin at 1024");
    }

    #[test]
    fn strangers_are_told_from_the_peer() {
        assert!(link_peer_allowed(ip("203.0.113.9"), ip("::ffff:203.0.113.9")));
        assert!(!link_peer_allowed(ip("203.0.113.9"), ip("203.0.113.10")));
        assert!(!link_peer_allowed(ip("::1"), ip("127.0.0.1")));
    }
}
