//! `Flow`: every connection that the network must let through, and why. A [`Site`] is what matters of a configuration, a
//! [`Side`] whose firewall is spoken of; rules in any dialect are made of these flows (`firewall`). What cannot be let
//! through, or not so, is a `Conflict`.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use crate::conflict::{self, Conflict};
use crate::network::Network;
use crate::outside::Outside;
use crate::ports::PortRange;

/// What matters of a server, of the clients and of the network between them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// Ports of control connections that begin in plain; 21 by RFC 959 §8.
    pub control: Vec<u16>,
    /// Ports of control connections with TLS from the first byte; 990 by custom.
    pub implicit: Vec<u16>,
    /// Whether the server offers passive mode.
    pub passive: bool,
    /// The ports of the server's passive data connections; none where they are not known, as a client does not.
    pub passive_ports: Option<PortRange>,
    /// The ports by which a NAT shows the passive ports to the world, where they are said to be others.
    pub outside_ports: Option<PortRange>,
    /// Active mode.
    pub active: Active,
    /// The ports on which a client waits for active data connections; none where any may be.
    pub active_ports: Option<PortRange>,
    /// The addresses by which clients reach the server: of IPv4 that of its NAT where there is one.
    pub server: Vec<IpAddr>,
    /// The server's own addresses, where they are others: behind a NAT.
    pub inside: Vec<IpAddr>,
    /// What the server tells clients of where its passive ports are.
    pub outside: Outside,
    /// The clients as this side sees them: who may come, or who is inside. Anybody when empty.
    pub clients: Vec<Network>,
    /// TLS on control and data connections.
    pub tls: TlsUse,
    /// Whether a packet filter's FTP helper opens the data connections. It reads PORT and 227, so only in plain.
    pub helper: bool,
    /// The network behind the server's NAT, for clients inside who use the outside address; /24 around the server when
    /// not said.
    pub lan_network: Option<Network>,
    /// The router's interface to the inside.
    pub lan: String,
    /// The router's interface to the world.
    pub wan: String,
    /// The table of family `inet` whose chains input, output and forward decide, for nftables.
    pub table: String,
}

impl Default for Site {
    /// A server on port 21 of which nothing else is known.
    fn default() -> Self {
        Site {
            control: vec![21],
            implicit: Vec::new(),
            passive: true,
            passive_ports: None,
            outside_ports: None,
            active: Active::On,
            active_ports: None,
            server: Vec::new(),
            inside: Vec::new(),
            outside: Outside::default(),
            clients: Vec::new(),
            tls: TlsUse::On,
            helper: false,
            lan_network: None,
            lan: "lan0".to_owned(),
            wan: "wan0".to_owned(),
            table: "filter".to_owned(),
        }
    }
}

impl Site {
    /// The IPv4 address by which clients reach the server.
    #[must_use]
    pub fn server_v4(&self) -> Option<Ipv4Addr> {
        self.server.iter().find_map(|ip| v4(*ip))
    }

    /// The server's own IPv4 address, where it is behind a NAT.
    #[must_use]
    pub fn inside_v4(&self) -> Option<Ipv4Addr> {
        self.inside.iter().find_map(|ip| v4(*ip))
    }

    /// The server's own addresses: of IPv6 those by which it is reached, since that has no NAT.
    #[must_use]
    pub fn own(&self) -> Vec<Network> {
        let is_v6 = |ip: &&IpAddr| ip.to_canonical().is_ipv6();
        let has_v6 = self.inside.iter().any(|ip| is_v6(&ip));
        let reached = self.server.iter().filter(|ip| is_v6(ip) && !has_v6);
        self.inside.iter().chain(reached).map(|ip| Network::from(*ip)).collect()
    }

    /// The one IPv4 client behind its NAT, where one is named and no network.
    #[must_use]
    pub fn client_v4(&self) -> Option<Ipv4Addr> {
        let hosts = self.clients.iter().filter(|net| net.bits() == 32 && net.base().is_ipv4());
        let mut hosts = hosts.filter_map(|net| v4(net.base()));
        hosts.next().filter(|_| hosts.next().is_none())
    }

    /// The network behind the server's NAT.
    #[must_use]
    pub fn behind_nat(&self) -> Option<Network> {
        self.lan_network.or_else(|| self.inside_v4().map(|ip| Network::around(IpAddr::V4(ip), 24)))
    }

    /// Every port of control connections.
    #[must_use]
    pub fn doors(&self) -> Ports {
        Ports::list(self.control.iter().chain(&self.implicit).copied())
    }

    /// The ports of passive data connections as a rule of `side` names them: clients go to the numbers that they are told. Those
    /// above 1023 where the range is not known.
    #[must_use]
    pub fn passive_target(&self, side: Side) -> Ports {
        match self.passive_ports {
            Some(range) if side.is_servers() => Ports::from(range),
            Some(range) => Ports::of(self.outside.ports.outside_of(range)),
            None => Ports::high(),
        }
    }

    /// Whether clients are told other numbers of the passive ports than the server has.
    #[must_use]
    pub fn renumbered(&self) -> bool {
        self.passive_ports.is_some_and(|range| self.outside.ports.outside_of(range) != [range])
    }

    /// The ports from which the server opens active data connections.
    #[must_use]
    pub fn active_source(&self) -> Ports {
        if self.active == Active::Port20 { Ports::list([20]) } else { Ports::high() }
    }

    /// The ports to which the server opens active data connections.
    #[must_use]
    pub fn active_target(&self) -> Ports {
        self.active_ports.map_or(Ports::high(), Ports::from)
    }
}

/// Whether and how a server offers active mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Active {
    /// PORT and EPRT are refused.
    Off,
    /// The server connects from any port.
    On,
    /// The server connects from port 20, the data port of RFC 959 §5.2, where the system lets it.
    Port20,
}

/// What is in TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsUse {
    /// Nothing.
    Off,
    /// What the client wants.
    On,
    /// Everything.
    Required,
}

/// Whose firewall is spoken of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// That of the server's own machine.
    Server,
    /// The router with NAT in front of the server.
    ServerNat,
    /// That of the client's own machine.
    Client,
    /// The router with NAT in front of the clients.
    ClientNat,
}

impl Side {
    /// All four.
    pub const ALL: [Side; 4] = [Side::Server, Side::ServerNat, Side::Client, Side::ClientNat];

    /// As it is typed.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Side::Server => "server",
            Side::ServerNat => "server-nat",
            Side::Client => "client",
            Side::ClientNat => "client-nat",
        }
    }

    /// Whether it is a router.
    #[must_use]
    pub fn is_router(self) -> bool {
        matches!(self, Side::ServerNat | Side::ClientNat)
    }

    /// Whether it is the server's.
    #[must_use]
    pub fn is_servers(self) -> bool {
        matches!(self, Side::Server | Side::ServerNat)
    }
}

/// As a title: "the server's own firewall".
impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Side::Server => "the server's own firewall",
            Side::ServerNat => "the router (NAT) in front of the server",
            Side::Client => "the client's own firewall",
            Side::ClientNat => "the router (NAT) in front of the clients",
        })
    }
}

/// Who opens the data connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// The client.
    Passive,
    /// The server.
    Active,
    /// The one or the other, as the client asks; what the server does not offer is left out.
    Both,
}

impl Mode {
    /// All three.
    pub const ALL: [Mode; 3] = [Mode::Passive, Mode::Active, Mode::Both];

    /// As it is typed.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Mode::Passive => "passive",
            Mode::Active => "active",
            Mode::Both => "both",
        }
    }

    /// Whether passive mode is to work with this site.
    #[must_use]
    pub fn passive(self, site: &Site) -> bool {
        self != Mode::Active && site.passive
    }

    /// Whether active mode is to work with this site.
    #[must_use]
    pub fn active(self, site: &Site) -> bool {
        self != Mode::Passive && site.active != Active::Off
    }
}

/// As a title: "passive mode".
impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Mode::Passive => "passive mode",
            Mode::Active => "active mode",
            Mode::Both => "passive and active mode",
        })
    }
}

/// TCP ports as a rule names them: ranges with both ends included, in order; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ports(Vec<(u16, u16)>);

impl Ports {
    /// Those above 1023, from which clients connect and on which data connections end.
    #[must_use]
    pub fn high() -> Ports {
        Ports(vec![(1024, 65535)])
    }

    /// Single ports.
    pub fn list(ports: impl IntoIterator<Item = u16>) -> Ports {
        let mut ports: Vec<u16> = ports.into_iter().collect();
        ports.sort_unstable();
        ports.dedup();
        Ports(ports.into_iter().map(|port| (port, port)).collect())
    }

    /// Those of ranges that have no port in common.
    fn of(ranges: impl IntoIterator<Item = PortRange>) -> Ports {
        let mut ranges: Vec<_> = ranges.into_iter().map(|range| (range.first(), range.last())).collect();
        ranges.sort_unstable();
        Ports(ranges)
    }

    /// Those of both.
    #[must_use]
    pub fn and(mut self, more: &Ports) -> Ports {
        self.0.extend(&more.0);
        self
    }

    /// Whether they are those above 1023.
    #[must_use]
    pub fn is_high(&self) -> bool {
        self.0 == [(1024, 65535)]
    }

    /// The ranges, first and last port.
    #[must_use]
    pub fn ranges(&self) -> &[(u16, u16)] {
        &self.0
    }

    /// The same in parts of at most seven ranges: iptables and others take fifteen ports in a rule, and a range is two.
    #[must_use]
    pub fn parts(&self) -> Vec<Ports> {
        self.0.chunks(7).map(|part| Ports(part.to_vec())).collect()
    }

    /// Each range, written with `to` inside: `21`, `50000:50100`.
    #[must_use]
    pub fn each(&self, to: &str) -> Vec<String> {
        let one = |(first, last): &(u16, u16)| match first == last {
            true => first.to_string(),
            false => format!("{first}{to}{last}"),
        };
        self.0.iter().map(one).collect()
    }

    /// The same with `between` ranges: `21,990,50000:50100`.
    #[must_use]
    pub fn joined(&self, to: &str, between: &str) -> String {
        self.each(to).join(between)
    }
}

impl From<PortRange> for Ports {
    fn from(range: PortRange) -> Self {
        Ports(vec![(range.first(), range.last())])
    }
}

/// `21, 990`, `61000-61255`, or as everybody writes it, `>1023`.
impl fmt::Display for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_high() { f.write_str(">1023") } else { f.write_str(&self.joined("-", ", ")) }
    }
}

/// One of the two that speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Party {
    /// The client.
    Client,
    /// The server.
    Server,
}

impl Party {
    /// `client` or `server`.
    #[must_use]
    pub fn name(self) -> &'static str {
        if self == Party::Client { "client" } else { "server" }
    }

    /// The other one.
    #[must_use]
    pub fn other(self) -> Party {
        if self == Party::Client { Party::Server } else { Party::Client }
    }
}

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Commands and replies.
    Control,
    /// The same, in TLS from the first byte.
    ImplicitControl,
    /// A file or a listing, in passive mode.
    PassiveData,
    /// A file or a listing, in active mode.
    ActiveData,
}

/// One connection that must pass, with all that goes to and fro on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flow {
    /// What it is for.
    pub purpose: Purpose,
    /// Who opens it.
    pub opener: Party,
    /// From which ports.
    pub source: Ports,
    /// To which ports of the other.
    pub target: Ports,
    /// Whether the helper lets it pass, because it has read its port on the control connection.
    pub related: bool,
    /// Why, in a sentence.
    pub why: String,
    /// What comes back on it, in a sentence.
    pub back: &'static str,
}

impl Flow {
    /// Whether it is opened from the outside of this side to its inside.
    #[must_use]
    pub fn inward(&self, side: Side) -> bool {
        (self.opener == Party::Client) == side.is_servers()
    }
}

/// The connections that must pass at a side for these modes to work.
///
/// # Errors
/// What the site contradicts itself in, or what is not known of it.
pub fn flows(site: &Site, side: Side, mode: Mode) -> Result<Vec<Flow>, Conflict> {
    conflict::check(site, side, mode)?;
    let mut flows = Vec::new();
    let mut control = |ports: &[u16], purpose, why: &str| {
        if !ports.is_empty() {
            flows.push(Flow {
                purpose,
                opener: Party::Client,
                source: Ports::high(),
                target: Ports::list(ports.iter().copied()),
                related: false,
                why: why.to_owned(),
                back: "the server answers on the control connection",
            });
        }
    };
    control(&site.control, Purpose::Control, "the client opens the control connection");
    control(
        &site.implicit,
        Purpose::ImplicitControl,
        "the client opens a control connection, with TLS from the first byte",
    );
    let by = if site.helper { "; the helper has read which" } else { "" };
    if mode.passive(site) {
        flows.push(Flow {
            purpose: Purpose::PassiveData,
            opener: Party::Client,
            source: Ports::high(),
            target: if site.helper { Ports::high() } else { site.passive_target(side) },
            related: site.helper,
            why: format!("the client opens each data connection to the port that 227 or 229 told{by}"),
            back: "the server sends ACKs and data on the data connection",
        });
    }
    if mode.active(site) {
        let from = if site.active == Active::Port20 { "from its port 20 " } else { "" };
        flows.push(Flow {
            purpose: Purpose::ActiveData,
            opener: Party::Server,
            source: site.active_source(),
            target: if site.helper { Ports::high() } else { site.active_target() },
            related: site.helper,
            why: format!(
                "the server opens each data connection {from}to the port that PORT or EPRT told{by}"
            ),
            back: "the client sends ACKs and data on the data connection",
        });
    }
    Ok(flows)
}

fn v4(ip: IpAddr) -> Option<Ipv4Addr> {
    match ip.to_canonical() {
        IpAddr::V4(v4) => Some(v4),
        IpAddr::V6(_) => None,
    }
}
