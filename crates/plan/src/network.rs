//! `Network`: addresses that begin alike, as `192.168.0.0/16` or `fd00::/8` (RFC 4632 §3.1, RFC 4291 §2.3); one address is a
//! network too.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// A set of addresses of one family. IPv4-mapped addresses count as IPv4.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Network {
    base: IpAddr,
    /// Leading bits that are alike: at most 32 or 128.
    bits: u8,
}

/// Why a text is no network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BadNetwork {
    /// It is no address with perhaps a slash and a number behind it.
    NotANetwork(String),
    /// Bits are set behind the prefix: which of the two is wrong cannot be known.
    HostBits {
        /// As it was written.
        written: String,
        /// The network that the address is in.
        meant: Network,
    },
}

impl fmt::Display for BadNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BadNetwork::NotANetwork(text) => {
                write!(f, "{text:?} is no network: write it as 192.168.0.0/16 or fd00::/8, or as one address")
            }
            BadNetwork::HostBits { written, meant } => {
                write!(f, "{written} has bits behind its prefix: did you mean {meant}?")
            }
        }
    }
}

impl std::error::Error for BadNetwork {}

impl Network {
    /// The network that `address` is in, of `bits` leading bits; more than the family has are all.
    #[must_use]
    pub fn around(address: IpAddr, bits: u8) -> Self {
        let address = address.to_canonical();
        let bits = bits.min(width(address));
        let base = match address {
            IpAddr::V4(v4) => {
                IpAddr::V4((v4.to_bits() & u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0)).into())
            }
            IpAddr::V6(v6) => {
                IpAddr::V6((v6.to_bits() & u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0)).into())
            }
        };
        Network { base, bits }
    }

    /// Whether `address` is one of it.
    #[must_use]
    pub fn contains(self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.base.is_ipv4() && Network::around(address, self.bits) == self
    }

    /// Its first address.
    #[must_use]
    pub fn base(self) -> IpAddr {
        self.base
    }

    /// How many leading bits are alike.
    #[must_use]
    pub fn bits(self) -> u8 {
        self.bits
    }
}

fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

impl From<IpAddr> for Network {
    fn from(address: IpAddr) -> Self {
        Network::around(address, 128)
    }
}

impl FromStr for Network {
    type Err = BadNetwork;

    fn from_str(text: &str) -> Result<Self, BadNetwork> {
        let bad = || BadNetwork::NotANetwork(text.to_owned());
        let (address, bits) = match text.trim().split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text.trim(), None),
        };
        let address: IpAddr = address.parse().map_err(|_| bad())?;
        let bits = match bits {
            Some(bits) if bits.bytes().all(|b| b.is_ascii_digit()) => bits.parse().map_err(|_| bad())?,
            Some(_) => return Err(bad()),
            None => width(address),
        };
        if bits > width(address) {
            return Err(bad());
        }
        let network = Network::around(address, bits);
        match network.base == address.to_canonical() {
            true => Ok(network),
            false => Err(BadNetwork::HostBits { written: text.trim().to_owned(), meant: network }),
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.bits == width(self.base) {
            true => write!(f, "{}", self.base),
            false => write!(f, "{}/{}", self.base, self.bits),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_reads_and_writes_the_same() {
        for text in ["192.168.0.0/16", "10.1.2.3", "0.0.0.0/0", "fd00::/8", "::1", "::/0", "2001:db8::/33"] {
            assert_eq!(text.parse::<Network>().unwrap().to_string(), text);
        }
        assert_eq!(" 10.1.2.3/32 ".parse::<Network>().unwrap().to_string(), "10.1.2.3");
    }

    #[test]
    fn what_is_no_network_is_said_so() {
        for text in ["", "/", "10.0.0.0/", "10.0.0.0/33", "fd00::/129", "10.0.0/8", "10.0.0.0/+8", "all"] {
            assert!(matches!(text.parse::<Network>(), Err(BadNetwork::NotANetwork(_))), "{text}");
        }
        assert_eq!(
            "192.168.1.5/16".parse::<Network>().unwrap_err().to_string(),
            "192.168.1.5/16 has bits behind its prefix: did you mean 192.168.0.0/16?"
        );
    }

    #[test]
    fn addresses_are_in_it_or_not() {
        for (network, address, is_in) in [
            ("192.168.0.0/16", "192.168.255.255", true),
            ("192.168.0.0/16", "::ffff:192.168.1.1", true),
            ("192.168.0.0/16", "192.169.0.0", false),
            ("192.168.0.0/16", "c0a8::", false),
            ("0.0.0.0/0", "203.0.113.9", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("::/0", "2001:db8::1", true),
            ("fd00::/8", "fdff::1", true),
            ("fd00::/8", "fe00::1", false),
            ("10.1.2.3", "10.1.2.4", false),
        ] {
            let network: Network = network.parse().unwrap();
            assert_eq!(network.contains(address.parse().unwrap()), is_in, "{network} {address}");
        }
    }
}
