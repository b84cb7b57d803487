//! Flags of `firewall`: what was typed, as in the rest of `args`.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use twoport_plan::firewall::Dialect;
use twoport_plan::peers::Peer;
use twoport_plan::{Mode, Network, Side};

use super::{Active, Tls};

/// Of which server, for whose firewall, and in which words.
#[derive(Debug, clap::Args)]
pub(crate) struct Firewall {
    /// The server's configuration; flags win over it
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Whose firewall: the server's own, the router's (NAT) in front of it, the client's own, the router's in front of clients
    #[arg(long, default_value = "server", value_parser = one_of(Side::ALL, Side::name))]
    pub(crate) side: Side,
    /// Who opens the data connections: passive = the client, active = the server
    /// [default: both for the server's sides, passive for the client's]
    #[arg(long, value_parser = one_of(Mode::ALL, Mode::name))]
    pub(crate) mode: Option<Mode>,
    /// In which words; table = for people
    #[arg(long = "for", value_name = "DIALECT", default_value = "table", value_parser = one_of(Dialect::ALL, Dialect::name))]
    pub(crate) dialect: Dialect,
    /// In the configuration of another server instead
    #[arg(long, value_name = "NAME", conflicts_with_all = ["dialect", "side", "mode"], value_parser = one_of(Peer::ALL, Peer::name))]
    pub(crate) server: Option<Peer>,
    /// The port of control connections, again for more [default: 21]
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) listen: Vec<u16>,
    /// A port with TLS from the first byte, again for more
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) implicit: Vec<u16>,
    /// The server's ports for passive data connections
    #[arg(long, value_name = "LO-HI")]
    pub(crate) passive_ports: Option<String>,
    /// The same ports as the server's NAT shows them, where they are others
    #[arg(long, value_name = "LO-HI")]
    pub(crate) outside_ports: Option<String>,
    /// What the server tells in 227, where it is not the address that the client reached
    #[arg(long, value_name = "ADDR")]
    pub(crate) passive_address: Option<std::net::Ipv4Addr>,
    /// The server's active mode [default: on]
    #[arg(long, value_name = "MODE")]
    pub(crate) active: Option<Active>,
    /// The ports on which the client waits in active mode
    #[arg(long, value_name = "LO-HI")]
    pub(crate) active_ports: Option<String>,
    /// An address by which clients reach the server, again for the other family
    #[arg(long, value_name = "ADDR")]
    pub(crate) address: Vec<IpAddr>,
    /// The server's own address behind its NAT, again for the other family
    #[arg(long, value_name = "ADDR")]
    pub(crate) inside: Vec<IpAddr>,
    /// Clients: who may come to the server, or who is behind the client's router; again for more [default: anybody]
    #[arg(long, value_name = "ADDR|NETWORK")]
    pub(crate) client: Vec<Network>,
    /// The server's TLS [default: on]
    #[arg(long, value_name = "MODE")]
    pub(crate) tls: Option<Tls>,
    /// Let the packet filter's FTP helper open the data connections, in plain only
    #[arg(long)]
    pub(crate) helper: bool,
    /// The network behind the server's NAT, for clients in it [default: /24 around the server]
    #[arg(long, value_name = "NETWORK")]
    pub(crate) lan_network: Option<Network>,
    /// The router's interface to the inside
    #[arg(long, value_name = "NAME", default_value = "lan0")]
    pub(crate) lan_interface: String,
    /// The router's interface to the world
    #[arg(long, value_name = "NAME", default_value = "wan0")]
    pub(crate) wan_interface: String,
    /// nftables: the table of family inet that drops, with the chains input, output and forward
    #[arg(long, value_name = "NAME", default_value = "filter")]
    pub(crate) table: String,
    /// One JSON object for each flow, or one for all rules
    #[arg(long)]
    pub(crate) json: bool,
}

/// One of these, by the names that `plan` gives them.
fn one_of<T: Copy + Send + Sync + 'static, const N: usize>(
    all: [T; N],
    name: fn(T) -> &'static str,
) -> impl TypedValueParser<Value = T> {
    PossibleValuesParser::new(all.map(name)).map(move |typed| {
        let found = all.into_iter().find(|one| name(*one) == typed);
        found.expect("only these names are let through")
    })
}

/// What stands below the flags.
pub(super) const EXAMPLES: &str = "\
Examples:
  twoport firewall --config twoport.toml
      what must pass the firewall of the machine that serves
  twoport firewall --config twoport.toml --side server-nat --inside 192.168.0.2 --address 203.0.113.2 --for nftables
      rules for the router in front of it
  twoport firewall --side client --address 203.0.113.2 --mode active --for ufw
      rules for a client whose server connects to it
  twoport firewall --config twoport.toml --server vsftpd
      the same plan, as lines of vsftpd.conf";
