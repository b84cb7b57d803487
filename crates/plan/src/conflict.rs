//! `Conflict`: what a firewall cannot be told, because the site contradicts itself or something is not known of it. Each says
//! what, why, and what to do instead.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use crate::flow::{Mode, Side, Site, TlsUse};
use crate::outside::Tell;
use crate::ports::PortRange;

/// Why there are no rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Conflict {
    /// A helper, and a 227 that tells another address than the packet comes from.
    HelperAndAdvertised(Tell),
    /// A helper, and nothing in plain that it could read.
    HelperAndTls,
    /// Connections to port 20 are asked for.
    Port20Inbound,
    /// A control port is one of the passive ports.
    ControlInRange {
        /// The control port.
        port: u16,
        /// The passive ports.
        range: PortRange,
    },
    /// The NAT shows the passive ports as others.
    Shifted {
        /// As the server tells them.
        inside: PortRange,
        /// As the NAT shows them.
        outside: PortRange,
    },
    /// The server tells other numbers of its ports than it has, and whoever asks cannot follow.
    Renumbered(&'static str),
    /// 227 tells another address than the one by which the server is reached.
    AdvertisedElsewhere {
        /// What 227 tells.
        told: Ipv4Addr,
        /// The outside of the NAT.
        outside: Ipv4Addr,
    },
    /// A mode is asked for that the server does not offer.
    ModeOff(Mode),
    /// No control port is known.
    NoControlPort,
    /// A server's passive ports are not known.
    NoPassivePorts,
    /// The server's own address behind its NAT is not known.
    NoInside,
    /// The NAT's outside address is not known where a dialect needs it.
    NoOutside(&'static str),
    /// The client that active connections are forwarded to is not known.
    NoClientHost,
    /// The ports on which that client waits are not known.
    NoActivePorts,
    /// Active mode would open every high port to everybody.
    NoServerAddress,
    /// An address that is no host's.
    NoHost(IpAddr),
    /// A name that cannot be one of an interface or a table.
    BadName(String),
    /// A dialect that does not speak of such a side.
    NotThere {
        /// The dialect.
        dialect: &'static str,
        /// The side.
        side: Side,
        /// What to do instead.
        instead: &'static str,
    },
    /// A dialect, or its product, without such a helper.
    NoHelperThere(&'static str),
    /// More ports than a product can list one by one.
    TooManyPorts {
        /// The product.
        dialect: &'static str,
        /// How many there are.
        ports: usize,
        /// How many can be.
        most: usize,
    },
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Conflict::HelperAndAdvertised(told) => write!(
                f,
                "an FTP helper and a server that advertises {told} exclude each other: the helper opens a port only when \
                 227 tells the address that the packet comes from, so PASV would fail while EPSV works. Leave out \
                 --helper and let the passive ports in, or let the server tell its own address"
            ),
            Conflict::HelperAndTls => f.write_str(
                "an FTP helper cannot work where TLS is required: it has to read PORT and 227, and TLS hides them. Leave out \
                 --helper and let the passive ports in",
            ),
            Conflict::Port20Inbound => f.write_str(
                "port 20 is never connected to: in active mode the server connects from it, so it is a source port of what \
                 goes out, and open to the world it is a hole and no use. Name the control port, such as 21",
            ),
            Conflict::ControlInRange { port, range } => write!(
                f,
                "the passive ports {range} hold the control port {port}: a data connection could never be told from a \
                 session. Choose another range"
            ),
            Conflict::Shifted { inside, outside } => write!(
                f,
                "the NAT shows the passive ports {inside} as {outside}, but the server tells clients {inside}, and there \
                 they find nothing. Forward the same numbers: let the server use {outside}, or the NAT {inside}"
            ),
            Conflict::Renumbered(who) => write!(
                f,
                "the configuration tells clients other numbers of the passive ports than the server has (passive-port-map), and \
                 {who} keep the numbers. Leave out passive-port-map here, or let the NAT that renumbers forward its own ports"
            ),
            Conflict::AdvertisedElsewhere { told, outside } => write!(
                f,
                "227 tells {told}, but clients reach the server at {outside}: passive connections go astray. Make the two \
                 the same (passive-address)"
            ),
            Conflict::ModeOff(mode) => write!(
                f,
                "the server does not offer {mode}, so no rule can make it work. Turn it on, or ask for the other mode"
            ),
            Conflict::NoControlPort => {
                f.write_str("no control port is known: name it with --listen 21, or a file with --config")
            }
            Conflict::NoPassivePorts => f.write_str(
                "the server's passive ports are not known, and a rule for every port above 1023 would open the whole \
                 machine. Name them with --passive-ports 61000-61255",
            ),
            Conflict::NoInside => f.write_str(
                "the server's own address behind its NAT is not known, and ports cannot be forwarded to nowhere. Name it \
                 with --inside 192.168.0.2",
            ),
            Conflict::NoOutside(dialect) => write!(
                f,
                "{dialect} needs the address by which the world reaches the server. Name it with --address 203.0.113.2"
            ),
            Conflict::NoClientHost => f.write_str(
                "in active mode without a helper the router forwards a range of ports to one client, and which is not \
                 known. Name its address with --client 192.168.0.7, or use passive mode",
            ),
            Conflict::NoActivePorts => f.write_str(
                "in active mode without a helper the client must wait on ports that the router forwards, and which is not \
                 known. Name them with --active-ports 41000-41010, and set the client to them, or use passive mode",
            ),
            Conflict::NoServerAddress => f.write_str(
                "active mode would let anybody connect to every port above 1023, for anybody can connect from port 20. Name \
                 the server with --address 203.0.113.2, or a small range with --active-ports 41000-41010",
            ),
            Conflict::NoHost(ip) => {
                write!(f, "{ip} is the address of no host, so no rule can name it. Name the one that clients use")
            }
            Conflict::BadName(name) => write!(
                f,
                "{name:?} cannot be the name of an interface or a table: letters, digits, and . _ - are allowed, 15 of \
                 them at most"
            ),
            Conflict::NotThere { dialect, side, instead } => {
                write!(f, "{dialect} has no rules for {side} (--side {}). {instead}", side.name())
            }
            Conflict::NoHelperThere(dialect) => write!(
                f,
                "{dialect} has no FTP helper that could be asked for. Leave out --helper and let the passive ports in"
            ),
            Conflict::TooManyPorts { dialect, ports, most } => write!(
                f,
                "{dialect} lists passive ports one by one, and {ports} are too many: {most} at most. Choose a smaller \
                 range; two ports for each transfer at a time are enough"
            ),
        }
    }
}

impl std::error::Error for Conflict {}

/// What can be said before any dialect is chosen.
///
/// # Errors
/// The first contradiction.
pub fn check(site: &Site, side: Side, mode: Mode) -> Result<(), Conflict> {
    let refuse = |wrong: bool, conflict: Conflict| if wrong { Err(conflict) } else { Ok(()) };
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    // A name goes into rules as it is, so it must not be one; 15 bytes are what Linux allows an interface.
    for name in [&site.lan, &site.wan, &site.table] {
        let bad = name.is_empty() || name.len() > 15 || name.starts_with('-') || !name.chars().all(fits);
        refuse(bad, Conflict::BadName(name.clone()))?;
    }
    let digit_first = site.table.starts_with(|c: char| !c.is_ascii_alphabetic());
    refuse(digit_first, Conflict::BadName(site.table.clone()))?;
    let nobody = |ip: &&IpAddr| ip.is_unspecified() || ip.is_multicast();
    if let Some(ip) = site.server.iter().chain(&site.inside).find(nobody) {
        return Err(Conflict::NoHost(*ip));
    }
    let doors = || site.control.iter().chain(&site.implicit);
    // Port 0 is any that the system gives, so nobody knows it.
    refuse(doors().next().is_none() || doors().any(|port| *port == 0), Conflict::NoControlPort)?;
    refuse(doors().any(|port| *port == 20), Conflict::Port20Inbound)?;
    let (passive, active) = (mode.passive(site), mode.active(site));
    refuse(!passive && !active, Conflict::ModeOff(mode))?;
    if site.helper {
        let hidden = site.tls == TlsUse::Required || site.control.is_empty();
        refuse(hidden, Conflict::HelperAndTls)?;
        let told = &site.outside.tell;
        let elsewhere = *told != Tell::Reached && side.is_servers() && passive;
        refuse(elsewhere, Conflict::HelperAndAdvertised(told.clone()))?;
    }
    if let Some(range) = site.passive_ports {
        if let Some(port) = doors().find(|port| range.contains(**port)) {
            return Err(Conflict::ControlInRange { port: *port, range });
        }
        if let Some(outside) = site.outside_ports
            && site.outside.ports.outside_of(range) != [outside]
            && passive
        {
            return Err(Conflict::Shifted { inside: range, outside });
        }
        let renumbered = site.renumbered() && passive && side == Side::ServerNat;
        refuse(renumbered, Conflict::Renumbered("rules written here"))?;
    }
    for tell in [Some(&site.outside.tell), site.outside.tell_in_tls.as_ref()] {
        if let (Some(Tell::Address(told)), Some(outside)) = (tell, site.server_v4())
            && *told != outside
            && side != Side::Server
            && passive
        {
            return Err(Conflict::AdvertisedElsewhere { told: *told, outside });
        }
    }
    match side {
        Side::Server | Side::ServerNat => {
            let unknown = passive && !site.helper && site.passive_ports.is_none();
            refuse(unknown, Conflict::NoPassivePorts)?;
            refuse(side == Side::ServerNat && site.own().is_empty(), Conflict::NoInside)
        }
        Side::Client | Side::ClientNat if !active || site.helper => Ok(()),
        Side::Client => {
            refuse(site.server.is_empty() && site.active_ports.is_none(), Conflict::NoServerAddress)
        }
        Side::ClientNat => {
            refuse(site.active_ports.is_none(), Conflict::NoActivePorts)?;
            let v6 = site.clients.iter().any(|net| net.base().is_ipv6());
            refuse(site.client_v4().is_none() && !v6, Conflict::NoClientHost)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::{Active, flows};
    use crate::outside::{Outside, PortMap};

    fn server() -> Site {
        let passive_ports = Some(PortRange::new(61000, 61255).unwrap());
        Site { passive_ports, ..Site::default() }
    }

    fn behind_nat() -> Site {
        let (server, inside) = (vec!["198.51.100.2".parse().unwrap()], vec!["192.168.50.2".parse().unwrap()]);
        let passive_ports = Some(PortRange::new(61000, 61255).unwrap());
        Site { server, inside, passive_ports, ..Site::default() }
    }

    fn telling(tell: Tell) -> Outside {
        Outside { tell, ..Outside::default() }
    }

    #[track_caller]
    fn refused(site: &Site, side: Side, mode: Mode) -> Conflict {
        flows(site, side, mode).unwrap_err()
    }

    #[test]
    fn what_is_whole_is_not_refused() {
        for mode in Mode::ALL {
            check(&server(), Side::Server, mode).unwrap();
            check(&behind_nat(), Side::ServerNat, mode).unwrap();
        }
        check(&Site::default(), Side::Client, Mode::Passive).unwrap();
        check(&Site::default(), Side::ClientNat, Mode::Passive).unwrap();
    }

    #[test]
    fn a_helper_and_an_advertised_address_exclude_each_other() {
        let address = Tell::Address("198.51.100.2".parse().unwrap());
        let told = [address, Tell::Name("ftp.example.org".into()), Tell::Auto, Tell::Control];
        let helped = Site { helper: true, tls: TlsUse::Off, ..behind_nat() };
        let elsewhere = |told: &Tell| Site { outside: telling(told.clone()), ..helped.clone() };
        for told in &told {
            for side in [Side::Server, Side::ServerNat] {
                let conflict = refused(&elsewhere(told), side, Mode::Both);
                assert_eq!(conflict, Conflict::HelperAndAdvertised(told.clone()));
                assert!(conflict.to_string().contains(&format!("advertises {told}")), "{conflict}");
            }
        }
        let site = elsewhere(&told[0]);
        // In active mode 227 is not said, and at the client's side it tells the address that the packet comes from.
        check(&site, Side::ServerNat, Mode::Active).unwrap();
        check(&site, Side::ClientNat, Mode::Passive).unwrap();
        // What TLS hides from the helper is not its business.
        let in_tls = Outside { tell_in_tls: Some(told[0].clone()), ..Outside::default() };
        let in_tls = Site { outside: in_tls, ..helped };
        check(&in_tls, Side::ServerNat, Mode::Both).unwrap();
    }

    #[test]
    fn ports_that_a_map_renumbers_are_where_clients_are_told_that_they_are() {
        let mapped = |map| Site {
            outside: Outside { ports: PortMap::read([map]).unwrap(), ..Outside::default() },
            ..behind_nat()
        };
        let site = mapped("50000-50255=61000-61255");
        let passive = |side| flows(&site, side, Mode::Passive).unwrap().pop().unwrap().target.to_string();
        assert_eq!(passive(Side::Server), "61000-61255");
        assert_eq!(passive(Side::Client), "50000-50255");
        assert_eq!(passive(Side::ClientNat), "50000-50255");
        let as_told = Site { outside_ports: Some(PortRange::new(50000, 50255).unwrap()), ..site.clone() };
        check(&as_told, Side::Client, Mode::Passive).unwrap();
        let shifted = Site { outside_ports: Some(PortRange::new(40000, 40255).unwrap()), ..site.clone() };
        assert!(matches!(refused(&shifted, Side::Client, Mode::Passive), Conflict::Shifted { .. }));
        assert!(matches!(refused(&site, Side::ServerNat, Mode::Passive), Conflict::Renumbered(_)));
        // Some of them only.
        let some = mapped("50000-50009=61100-61109");
        let target = flows(&some, Side::Client, Mode::Passive).unwrap().pop().unwrap().target;
        assert_eq!(target.to_string(), "50000-50009, 61000-61099, 61110-61255");
    }

    #[test]
    fn a_helper_reads_no_tls() {
        let required = Site { helper: true, tls: TlsUse::Required, ..server() };
        let implicit = Site { helper: true, control: vec![], implicit: vec![990], ..server() };
        for side in Side::ALL {
            for site in [&required, &implicit] {
                assert_eq!(refused(site, side, Mode::Both), Conflict::HelperAndTls);
            }
        }
    }

    #[test]
    fn nobody_connects_to_port_20() {
        let site = Site { control: vec![20, 21], ..server() };
        assert_eq!(refused(&site, Side::Server, Mode::Active), Conflict::Port20Inbound);
    }

    #[test]
    fn ports_that_cannot_be_are_refused() {
        let range = PortRange::new(61000, 61255).unwrap();
        let site = Site { implicit: vec![61200], ..server() };
        assert_eq!(refused(&site, Side::Server, Mode::Both), Conflict::ControlInRange { port: 61200, range });
        let outside = PortRange::new(50000, 50255).unwrap();
        let site = Site { outside_ports: Some(outside), ..behind_nat() };
        assert_eq!(refused(&site, Side::ServerNat, Mode::Both), Conflict::Shifted { inside: range, outside });
        check(&Site { outside_ports: Some(range), ..behind_nat() }, Side::ServerNat, Mode::Both).unwrap();
    }

    #[test]
    fn what_227_tells_is_where_the_server_is() {
        let told = "198.51.100.9".parse().unwrap();
        let site = Site { outside: telling(Tell::Address(told)), ..behind_nat() };
        let outside = "198.51.100.2".parse().unwrap();
        assert_eq!(
            refused(&site, Side::ServerNat, Mode::Passive),
            Conflict::AdvertisedElsewhere { told, outside }
        );
    }

    #[test]
    fn a_mode_that_is_not_offered_gets_no_rules() {
        let passive = Site { active: Active::Off, ..server() };
        assert_eq!(refused(&passive, Side::Server, Mode::Active), Conflict::ModeOff(Mode::Active));
        assert_eq!(flows(&passive, Side::Server, Mode::Both).unwrap().len(), 2);
        let active = Site { passive: false, ..server() };
        assert_eq!(refused(&active, Side::Server, Mode::Passive), Conflict::ModeOff(Mode::Passive));
    }

    #[test]
    fn what_is_not_known_is_asked_for() {
        let nothing = Site::default();
        let no_port = Site { control: vec![], ..Site::default() };
        assert_eq!(refused(&no_port, Side::Client, Mode::Passive), Conflict::NoControlPort);
        assert_eq!(refused(&nothing, Side::Server, Mode::Both), Conflict::NoPassivePorts);
        assert_eq!(refused(&server(), Side::ServerNat, Mode::Both), Conflict::NoInside);
        assert_eq!(refused(&nothing, Side::Client, Mode::Active), Conflict::NoServerAddress);
        assert_eq!(refused(&nothing, Side::ClientNat, Mode::Active), Conflict::NoActivePorts);
        let active_ports = Some(PortRange::new(41000, 41010).unwrap());
        let many = Site { active_ports, clients: vec!["10.0.0.0/8".parse().unwrap()], ..Site::default() };
        assert_eq!(refused(&many, Side::ClientNat, Mode::Active), Conflict::NoClientHost);
        let one = Site { clients: vec!["10.0.0.7".parse().unwrap()], ..many };
        check(&one, Side::ClientNat, Mode::Active).unwrap();
    }

    #[test]
    fn an_address_of_no_host_is_in_no_rule() {
        for text in ["0.0.0.0", "::", "224.0.0.1"] {
            let ip = text.parse().unwrap();
            let site = Site { server: vec![ip], ..server() };
            assert_eq!(refused(&site, Side::Server, Mode::Both), Conflict::NoHost(ip));
        }
    }

    #[test]
    fn names_are_no_rules() {
        for name in ["", "lan0; drop", "\"", "a-name-that-is-too-long", "-i", "lan 0"] {
            let site = Site { lan: name.to_owned(), ..server() };
            assert_eq!(refused(&site, Side::Server, Mode::Both), Conflict::BadName(name.to_owned()));
        }
    }

    #[test]
    fn each_conflict_says_what_to_do() {
        let range = PortRange::new(61000, 61255).unwrap();
        let told = "198.51.100.2".parse().unwrap();
        for conflict in [
            Conflict::HelperAndAdvertised(Tell::Address(told)),
            Conflict::Renumbered("rules written here"),
            Conflict::HelperAndTls,
            Conflict::Port20Inbound,
            Conflict::ControlInRange { port: 61000, range },
            Conflict::Shifted { inside: range, outside: range },
            Conflict::AdvertisedElsewhere { told, outside: told },
            Conflict::NoPassivePorts,
            Conflict::NoServerAddress,
        ] {
            let text = conflict.to_string();
            let cured =
                ["Leave out", "Name ", "Choose ", "Forward ", "Make "].iter().any(|cure| text.contains(cure));
            assert!(cured, "{text}");
            assert!(!text.ends_with('.') && !text.contains("  "), "{text}");
        }
    }
}
