//! What clients are told of where our passive ports are (227, 229): an address and a port, for each network of clients. Behind a
//! NAT they are not what we see of ourselves.

use std::convert::Infallible;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;

use crate::network::Network;
use crate::ports::{BadRange, PortRange};

/// Which address 227 tells.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub enum Tell {
    /// The one at which the client reached us.
    #[default]
    Reached,
    /// 0.0.0.0, which clients take for "the address of the control connection". Old ones connect to themselves.
    Control,
    /// This one: the public address of the NAT in front of us.
    Address(Ipv4Addr),
    /// What this name has in the DNS, looked up again at need.
    Name(String),
    /// What the world sees, as somebody outside has told us.
    Auto,
}

impl FromStr for Tell {
    type Err = Infallible;

    /// `reached`, `control`, `auto`, an IPv4 address, or a name.
    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match (text, text.parse()) {
            ("reached", _) => Tell::Reached,
            ("control" | "0.0.0.0", _) => Tell::Control,
            ("auto", _) => Tell::Auto,
            (_, Ok(address)) => Tell::Address(address),
            (name, Err(_)) => Tell::Name(name.to_owned()),
        })
    }
}

impl fmt::Display for Tell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Tell::Reached => f.write_str("the address the client reached"),
            Tell::Control => f.write_str("0.0.0.0, the address of the control connection"),
            Tell::Address(address) => write!(f, "{address}"),
            Tell::Name(name) => write!(f, "the address of {name}"),
            Tell::Auto => f.write_str("the address that the world sees"),
        }
    }
}

/// What clients of some networks are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Where they come from.
    pub networks: Vec<Network>,
    /// What they are told.
    pub tell: Tell,
}

/// What clients are told: the first rule that fits; then the own address to those on our own network; then the rest.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outside {
    /// What most are told.
    pub tell: Tell,
    /// The same of sessions in TLS, whose 227 no box on the way can rewrite; as the others where there is none.
    pub tell_in_tls: Option<Tell>,
    /// What clients of some networks are told.
    pub rules: Vec<Rule>,
    /// Ports that have another number outside.
    pub ports: PortMap,
}

/// A client, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Client {
    /// Our address that it reached.
    pub reached: IpAddr,
    /// Where it comes from.
    pub peer: IpAddr,
    /// Whether its control connection is in TLS.
    pub secure: bool,
    /// Our way to the world: who seems to come from there has come through it, whoever it is.
    pub gateway: Option<Ipv4Addr>,
}

impl Outside {
    /// What this client is told. On IPv6 it is the address of the control connection: no IPv4 address is reached by the same road,
    /// and 229 tells none.
    #[must_use]
    pub fn tell(&self, client: Client) -> &Tell {
        let (IpAddr::V4(reached), IpAddr::V4(peer)) =
            (client.reached.to_canonical(), client.peer.to_canonical())
        else {
            return &Tell::Control;
        };
        let is_of = |rule: &&Rule| rule.networks.iter().any(|network| network.contains(IpAddr::V4(peer)));
        if let Some(rule) = self.rules.iter().find(is_of) {
            return &rule.tell;
        }
        if is_local(peer) && is_local(reached) && (peer.is_loopback() || client.gateway != Some(peer)) {
            return &Tell::Reached;
        }
        match &self.tell_in_tls {
            Some(tell) if client.secure => tell,
            _ => &self.tell,
        }
    }

    /// The number that the client is told of our `port`: those who are told our own address come to it as it is.
    #[must_use]
    pub fn port(&self, tell: &Tell, client: Client, port: u16) -> u16 {
        match client.reached.to_canonical().is_ipv4() && *tell != Tell::Reached {
            true => self.ports.outside(port),
            false => port,
        }
    }
}

/// The address for 227, when `found` is what a name or somebody outside has told; what the client reached where nothing is known.
#[must_use]
pub fn told(tell: &Tell, reached: IpAddr, found: Option<Ipv4Addr>) -> Ipv4Addr {
    let IpAddr::V4(reached) = reached.to_canonical() else { return Ipv4Addr::UNSPECIFIED };
    match tell {
        Tell::Reached => reached,
        Tell::Control => Ipv4Addr::UNSPECIFIED,
        Tell::Address(address) => *address,
        Tell::Name(_) | Tell::Auto => found.unwrap_or(reached),
    }
}

/// An address that the world cannot reach: private (RFC 1918), of this link, of this host.
#[must_use]
pub fn is_local(ip: Ipv4Addr) -> bool {
    ip.is_private() || ip.is_link_local() || ip.is_loopback()
}

/// Ports that a NAT gives other numbers: range by range, in order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PortMap(Vec<(PortRange, PortRange)>);

/// Why a text is no part of a port map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BadPortMap {
    /// It is not two ranges with an equals sign between.
    NotAMap(String),
    /// A range that is none.
    Range(BadRange),
    /// The two are of different length.
    Lengths(PortRange, PortRange),
    /// Two ports would have the same number, or one two.
    Twice(PortRange),
}

impl fmt::Display for BadPortMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BadPortMap::NotAMap(text) => {
                write!(f, "{text:?} is no map of ports: write OUTSIDE=INSIDE, as 60000-60099=50000-50099")
            }
            BadPortMap::Range(bad) => write!(f, "{bad}"),
            BadPortMap::Lengths(outside, inside) => write!(
                f,
                "{outside}={inside}: {} ports outside cannot be {} inside",
                outside.len(),
                inside.len()
            ),
            BadPortMap::Twice(range) => write!(f, "ports of {range} are mapped twice"),
        }
    }
}

impl std::error::Error for BadPortMap {}

impl PortMap {
    /// Reads `OUTSIDE=INSIDE` of each: `60000-60099=50000-50099`.
    ///
    /// # Errors
    /// When one is no such text, or a port would have two numbers.
    pub fn read<'a>(parts: impl IntoIterator<Item = &'a str>) -> Result<Self, BadPortMap> {
        let mut map: Vec<(PortRange, PortRange)> = Vec::new();
        for text in parts {
            let (outside, inside) =
                text.split_once('=').ok_or_else(|| BadPortMap::NotAMap(text.to_owned()))?;
            let range = |text| PortRange::read(text).map_err(BadPortMap::Range);
            let (outside, inside) = (range(outside)?, range(inside)?);
            if outside.len() != inside.len() {
                return Err(BadPortMap::Lengths(outside, inside));
            }
            for (other_outside, other_inside) in &map {
                for (one, other) in [(outside, other_outside), (inside, other_inside)] {
                    if one.overlaps(*other) {
                        return Err(BadPortMap::Twice(one));
                    }
                }
            }
            map.push((outside, inside));
        }
        Ok(PortMap(map))
    }

    /// The number outside; the same where none is given.
    #[must_use]
    pub fn outside(&self, port: u16) -> u16 {
        let found = self.0.iter().find(|(_, inside)| inside.contains(port));
        found.map_or(port, |(outside, inside)| outside.first() + (port - inside.first()))
    }

    /// The numbers outside of all ports of `range`, as ranges in no order.
    #[must_use]
    pub fn outside_of(&self, range: PortRange) -> Vec<PortRange> {
        let mut told: Vec<PortRange> = Vec::new();
        let mut next = Some(range.first());
        while let Some(port) = next {
            let within = |(_, inside): &&(PortRange, PortRange)| inside.contains(port);
            let last = match self.0.iter().find(within) {
                Some((_, inside)) => inside.last().min(range.last()),
                None => {
                    let later = self.0.iter().map(|(_, inside)| inside.first()).filter(|first| *first > port);
                    later.min().map_or(range.last(), |first| (first - 1).min(range.last()))
                }
            };
            told.extend(PortRange::new(self.outside(port), self.outside(last)));
            next = last.checked_add(1).filter(|port| range.contains(*port));
        }
        told
    }

    /// Pairs of outside and inside.
    pub fn pairs(&self) -> impl Iterator<Item = (PortRange, PortRange)> + '_ {
        self.0.iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(reached: &str, peer: &str) -> Client {
        let ip = |text: &str| text.parse().unwrap();
        Client { reached: ip(reached), peer: ip(peer), secure: false, gateway: None }
    }

    fn outside(tell: &str) -> Outside {
        Outside { tell: tell.parse().unwrap(), ..Outside::default() }
    }

    #[test]
    fn a_word_says_what_is_told() {
        for (text, tell) in [
            ("reached", Tell::Reached),
            ("control", Tell::Control),
            ("0.0.0.0", Tell::Control),
            ("auto", Tell::Auto),
            ("198.51.100.2", Tell::Address(Ipv4Addr::new(198, 51, 100, 2))),
            ("ftp.example.org", Tell::Name("ftp.example.org".to_owned())),
        ] {
            assert_eq!(text.parse(), Ok(tell));
        }
    }

    #[test]
    fn a_227_tells_what_leads_back_to_us() {
        for (tell, reached, peer, expected) in [
            ("reached", "192.168.50.2", "203.0.113.9", "192.168.50.2"),
            ("reached", "::ffff:192.168.50.2", "::ffff:203.0.113.9", "192.168.50.2"),
            ("reached", "2001:db8::2", "2001:db8::9", "0.0.0.0"),
            ("198.51.100.2", "192.168.50.2", "203.0.113.9", "198.51.100.2"),
            ("198.51.100.2", "::ffff:192.168.50.2", "::ffff:203.0.113.9", "198.51.100.2"),
            ("198.51.100.2", "127.0.0.1", "127.0.0.1", "127.0.0.1"),
            ("198.51.100.2", "192.168.50.2", "127.0.0.1", "192.168.50.2"),
            // Those on our own network come to us straight.
            ("198.51.100.2", "192.168.50.2", "192.168.50.7", "192.168.50.2"),
            ("198.51.100.2", "192.168.50.2", "10.7.7.7", "192.168.50.2"),
            // A carrier's network is not ours.
            ("198.51.100.2", "192.168.50.2", "100.64.7.7", "198.51.100.2"),
            ("198.51.100.2", "198.51.100.2", "192.168.50.7", "198.51.100.2"),
            ("198.51.100.2", "2001:db8::2", "2001:db8::9", "0.0.0.0"),
            ("control", "192.168.50.2", "203.0.113.9", "0.0.0.0"),
            ("auto", "192.168.50.2", "203.0.113.9", "203.0.113.77"),
            ("ftp.example.org", "192.168.50.2", "203.0.113.9", "203.0.113.77"),
        ] {
            let (outside, client) = (outside(tell), client(reached, peer));
            let found = Some(Ipv4Addr::new(203, 0, 113, 77));
            let told = told(outside.tell(client), client.reached, found);
            assert_eq!(told.to_string(), expected, "{tell} {reached} {peer}");
        }
    }

    #[test]
    fn what_is_not_known_is_the_address_that_was_reached() {
        let reached = "192.168.50.2".parse().unwrap();
        assert_eq!(told(&Tell::Auto, reached, None), Ipv4Addr::new(192, 168, 50, 2));
    }

    #[test]
    fn who_comes_through_our_gateway_is_not_of_our_network() {
        let outside = outside("198.51.100.2");
        let through =
            Client { gateway: Some(Ipv4Addr::new(172, 17, 0, 1)), ..client("172.17.0.2", "172.17.0.1") };
        assert_eq!(*outside.tell(through), outside.tell);
        let beside = Client { gateway: through.gateway, ..client("172.17.0.2", "172.17.0.3") };
        assert_eq!(*outside.tell(beside), Tell::Reached);
    }

    #[test]
    fn rules_come_first_and_tls_before_the_rest() {
        let mut outside = outside("198.51.100.2");
        outside.tell_in_tls = Some("198.51.100.3".parse().unwrap());
        outside.rules = vec![
            Rule { networks: vec!["10.8.0.0/16".parse().unwrap()], tell: "10.8.0.1".parse().unwrap() },
            Rule {
                networks: vec!["10.0.0.0/8".parse().unwrap(), "192.0.2.7".parse().unwrap()],
                tell: Tell::Control,
            },
        ];
        for (peer, clear, tls) in [
            ("10.8.3.3", "10.8.0.1", "10.8.0.1"),
            ("10.9.3.3", "0.0.0.0", "0.0.0.0"),
            ("192.0.2.7", "0.0.0.0", "0.0.0.0"),
            ("192.168.1.1", "192.168.50.2", "192.168.50.2"),
            ("203.0.113.9", "198.51.100.2", "198.51.100.3"),
        ] {
            for (secure, expected) in [(false, clear), (true, tls)] {
                let client = Client { secure, ..client("192.168.50.2", peer) };
                let told = told(outside.tell(client), client.reached, None);
                assert_eq!(told.to_string(), expected, "{peer} {secure}");
            }
        }
    }

    #[test]
    fn ports_have_their_numbers_outside_only_for_those_outside() {
        let mut outside = outside("198.51.100.2");
        outside.ports = PortMap::read(["60000-60099=50000-50099", "61000-61000 = 50200-50200"]).unwrap();
        let port = |peer, port| {
            let client = client("192.168.50.2", peer);
            outside.port(outside.tell(client), client, port)
        };
        assert_eq!(port("203.0.113.9", 50000), 60000);
        assert_eq!(port("203.0.113.9", 50099), 60099);
        assert_eq!(port("203.0.113.9", 50100), 50100);
        assert_eq!(port("203.0.113.9", 50200), 61000);
        assert_eq!(port("192.168.50.7", 50000), 50000);
        let six = client("2001:db8::2", "2001:db8::9");
        assert_eq!(outside.port(outside.tell(six), six, 50000), 50000);
    }

    #[test]
    fn a_map_that_cannot_be_is_said_so() {
        for (parts, sentence) in [
            (vec!["60000"], "\"60000\" is no map of ports: write OUTSIDE=INSIDE, as 60000-60099=50000-50099"),
            (
                vec!["60000-60009=50000-50019"],
                "60000-60009=50000-50019: 10 ports outside cannot be 20 inside",
            ),
            (
                vec!["60000-60009=50000-50009", "60005-60014=50010-50019"],
                "ports of 60005-60014 are mapped twice",
            ),
            (
                vec!["60000-60009=50000-50009", "61000-61009=50009-50018"],
                "ports of 50009-50018 are mapped twice",
            ),
        ] {
            assert_eq!(PortMap::read(parts).unwrap_err().to_string(), sentence);
        }
    }
}
