//! The names that a certificate is to be for: which can stand in one, and how two are compared.

use std::net::IpAddr;

use crate::Error;

/// Looks at every name, and gives the first.
pub(crate) fn check(names: &[String]) -> Result<&String, Error> {
    let Some(first) = names.first() else {
        return Err(Error::Name { name: String::new(), why: "name the host or an address of this machine" });
    };
    for name in names {
        if name.is_empty() || !name.is_ascii() || name.contains(|c: char| c.is_whitespace() || c.is_control())
        {
            let why = "give the name as DNS has it (an international one as xn--…), or an address";
            return Err(Error::Name { name: name.clone(), why });
        }
    }
    Ok(first)
}

/// A name as it is compared and sent: in small letters, without the dot of the root; an address in its usual form.
pub(crate) fn plain(name: &str) -> String {
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    name.parse::<IpAddr>().map_or(name, |address| address.to_string())
}

/// The name under which an address is looked up in DNS; a challenge for an address is asked for by it (RFC 8738
/// section 6).
pub(crate) fn reverse(address: IpAddr) -> String {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, d] = v4.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa")
        }
        IpAddr::V6(v6) => {
            let nibbles = v6.octets().into_iter().rev().flat_map(|byte| [byte & 15, byte >> 4]);
            nibbles.map(|nibble| format!("{nibble:x}.")).collect::<String>() + "ip6.arpa"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_as_dns_does() {
        assert_eq!(plain("FTP.Example.org."), "ftp.example.org");
        assert_eq!(plain("*.Example.org"), "*.example.org");
        assert_eq!(plain("2001:DB8::0:1"), "2001:db8::1");
    }

    #[test]
    fn an_address_has_a_name_for_its_reverse_look_up() {
        assert_eq!(reverse("192.0.2.7".parse().unwrap()), "7.2.0.192.in-addr.arpa");
        let six = reverse("2001:db8::567:89ab".parse().unwrap());
        assert_eq!(six, "b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa");
    }
}
