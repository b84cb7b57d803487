//! One cell of the matrix: whose firewall, who opens the data connection, whether a helper opens it or a range, TLS, and the
//! dialect. It knows the network that it is tried in, and what the generator is told of it.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::process::Command;
use std::time::Duration;

use twoport_plan::conflict::Conflict;
use twoport_plan::firewall::{self, Dialect};
use twoport_plan::flow::{Active, Mode, Side, Site, TlsUse};
use twoport_plan::outside::{Outside, Tell};
use twoport_plan::ports::PortRange;

use crate::netns::iptables::Family;
use crate::support::program::{have, run_apart};
use crate::support::server::binary;

/// The server's passive ports.
pub(super) const PASSIVE: (u16, u16) = (50_000, 50_031);

/// The ports on which a client behind a NAT waits for the server, where no helper reads which.
pub(super) const ACTIVE: (u16, u16) = (41_000, 41_010);

/// How data connections are let through, and whether one can read what is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Secrecy {
    /// In plain; the kernel's helper opens what it reads.
    Helped,
    /// In plain; the ports are open.
    Plain,
    /// In TLS; the ports are open.
    Tls,
}

impl Secrecy {
    pub(super) const ALL: [Secrecy; 3] = [Secrecy::Helped, Secrecy::Plain, Secrecy::Tls];
}

/// A cell. Each is tried with both families, under one set of rules.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cell {
    pub(super) side: Side,
    pub(super) mode: Mode,
    pub(super) active: Active,
    pub(super) secrecy: Secrecy,
    pub(super) dialect: Dialect,
    /// Of the control connection; at 990 TLS begins with the first byte.
    pub(super) door: u16,
}

/// `server-nat, active from port 20, Helped, nftables, 21`.
impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let from = match (self.mode, self.active) {
            (Mode::Active, Active::Port20) => " from port 20",
            _ => "",
        };
        let (side, mode, dialect) = (self.side.name(), self.mode.name(), self.dialect.name());
        write!(f, "{side}, {mode}{from}, {:?}, {dialect}, {}", self.secrecy, self.door)
    }
}

impl Cell {
    /// With the usual port, and active connections from any.
    pub(super) fn of(side: Side, mode: Mode, secrecy: Secrecy, dialect: Dialect) -> Cell {
        Cell { side, mode, active: Active::On, secrecy, dialect, door: 21 }
    }

    /// Every cell of a dialect.
    pub(super) fn all(dialect: Dialect) -> Vec<Cell> {
        let mut cells = Vec::new();
        for side in Side::ALL {
            for secrecy in Secrecy::ALL {
                let ways =
                    [(Mode::Passive, Active::On), (Mode::Active, Active::On), (Mode::Active, Active::Port20)];
                let row =
                    ways.map(|(mode, active)| Cell { active, ..Cell::of(side, mode, secrecy, dialect) });
                cells.extend(row.into_iter().filter(|cell| cell.announcer().is_none_or(have)));
            }
        }
        cells
    }

    pub(super) fn helped(&self) -> bool {
        self.secrecy == Secrecy::Helped
    }

    /// The client for this cell where ours is none: behind a NAT without a helper it has to announce an address that is not
    /// its own and to wait on ports that are forwarded. curl does both, and lftp in TLS too, where curl 7.88 takes what comes
    /// for plain.
    pub(super) fn announcer(&self) -> Option<&'static str> {
        let announces = self.side == Side::ClientNat && self.mode == Mode::Active && !self.helped();
        announces.then_some(if self.secrecy == Secrecy::Tls { "lftp" } else { "curl" })
    }

    /// The mode that is not this cell's: under its rules this cell's data connections must not come about.
    pub(super) fn other_mode(&self) -> Mode {
        if self.mode == Mode::Passive { Mode::Active } else { Mode::Passive }
    }

    /// What the generator is told.
    pub(super) fn site(&self) -> Site {
        let reached = |family| self.reached(family).parse::<IpAddr>().expect("an address");
        let range = |(low, high)| PortRange::new(low, high).expect("low before high");
        let server_nat = self.side == Side::ServerNat;
        let clients = match self.side {
            Side::Server | Side::ServerNat => Vec::new(),
            Side::Client | Side::ClientNat => {
                [Family::V4, Family::V6].map(|family| self.client(family).parse().expect("an address")).into()
            }
        };
        let implicit = self.door == 990;
        Site {
            control: vec![if implicit { 21 } else { self.door }],
            implicit: if implicit { vec![990] } else { Vec::new() },
            passive_ports: Some(range(PASSIVE)),
            active: self.active,
            active_ports: (self.side == Side::ClientNat && !self.helped()).then(|| range(ACTIVE)),
            server: vec![reached(Family::V4), reached(Family::V6)],
            inside: if server_nat { vec!["192.168.50.2".parse().expect("an address")] } else { Vec::new() },
            outside: Outside {
                tell: match server_nat && !self.helped() {
                    true => Tell::Address(Ipv4Addr::new(192, 0, 2, 1)),
                    false => Tell::Reached,
                },
                ..Outside::default()
            },
            clients,
            tls: if self.secrecy == Secrecy::Tls { TlsUse::Required } else { TlsUse::Off },
            helper: self.helped(),
            // An interface is called after the host at the other end.
            lan: if server_nat { "server" } else { "client" }.to_owned(),
            wan: if server_nat { "client" } else { "server" }.to_owned(),
            ..Site::default()
        }
    }

    /// The generated rules for a mode.
    pub(super) fn rules(&self, mode: Mode) -> Result<String, Conflict> {
        firewall::rules(&self.site(), self.side, mode, self.dialect)
    }

    /// The same as the command prints it.
    pub(super) fn printed(&self, mode: Mode) -> String {
        let site = self.site();
        let ports = |range: PortRange| format!("{}-{}", range.first(), range.last());
        let mut flags: Vec<(&str, String)> = vec![
            ("side", self.side.name().to_owned()),
            ("mode", mode.name().to_owned()),
            ("for", self.dialect.name().to_owned()),
            ("active", if site.active == Active::Port20 { "port20" } else { "on" }.to_owned()),
            ("tls", if site.tls == TlsUse::Off { "off" } else { "required" }.to_owned()),
            ("lan-interface", site.lan.clone()),
            ("wan-interface", site.wan.clone()),
        ];
        flags.extend(site.control.iter().map(|port| ("listen", port.to_string())));
        flags.extend(site.implicit.iter().map(|port| ("implicit", port.to_string())));
        flags.extend(site.passive_ports.map(|range| ("passive-ports", ports(range))));
        flags.extend(site.active_ports.map(|range| ("active-ports", ports(range))));
        if let Tell::Address(told) = site.outside.tell {
            flags.push(("passive-address", told.to_string()));
        }
        flags.extend(site.server.iter().map(|ip| ("address", ip.to_string())));
        flags.extend(site.inside.iter().map(|ip| ("inside", ip.to_string())));
        flags.extend(site.clients.iter().map(|client| ("client", client.to_string())));
        let mut command = Command::new(binary());
        command
            .arg("firewall")
            .args(flags.into_iter().flat_map(|(flag, value)| [format!("--{flag}"), value]));
        command.args(site.helper.then_some("--helper"));
        let ended = run_apart(command, Duration::from_secs(40));
        assert_eq!(ended.code, Some(0), "{self}: {}", ended.err);
        String::from_utf8(ended.out).expect("rules are text")
    }

    /// The address by which the client reaches the server.
    pub(super) fn reached(&self, family: Family) -> &'static str {
        match (self.side, family) {
            (Side::ServerNat, Family::V4) => "192.0.2.1",
            (_, Family::V4) => "192.0.2.10",
            (Side::ServerNat, Family::V6) => "2001:db8:50::2",
            (_, Family::V6) => "2001:db8:2::10",
        }
    }

    /// The server's own address.
    pub(super) fn server(&self, family: Family) -> &'static str {
        match (self.side, family) {
            (Side::ServerNat, Family::V4) => "192.168.50.2",
            _ => self.reached(family),
        }
    }

    /// The client's own address.
    pub(super) fn client(&self, family: Family) -> &'static str {
        match (self.side, family) {
            (Side::ClientNat, Family::V4) => "10.77.1.2",
            (_, Family::V4) => "192.0.2.2",
            (Side::ClientNat, Family::V6) => "2001:db8:77::2",
            (_, Family::V6) => "2001:db8:2::2",
        }
    }

    /// The address by which the server knows the client.
    pub(super) fn known(&self, family: Family) -> &'static str {
        match (self.side, family) {
            (Side::ClientNat, Family::V4) => "192.0.2.1",
            _ => self.client(family),
        }
    }
}
