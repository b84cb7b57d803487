//! Host-port texts: `h1,h2,h3,h4,p1,p2` of PORT and 227 (RFC 959 §4.1.2), the bar form of EPRT and 229 (RFC 2428).
//! Strict readers for what a server is told, lenient ones for what a client finds in a reply. Which address to believe
//! is left to `plan`.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4};

use crate::error::Malformed;

/// The network protocol numbers that EPRT and EPSV name (RFC 2428 §2, from the IANA address family numbers).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// 1: IPv4.
    V4,
    /// 2: IPv6.
    V6,
}

impl Protocol {
    /// The number on the wire.
    #[must_use]
    pub fn number(self) -> u32 {
        match self {
            Protocol::V4 => 1,
            Protocol::V6 => 2,
        }
    }

    /// The protocol of this number, when it is one of the two.
    #[must_use]
    pub fn from_number(number: u32) -> Option<Self> {
        match number {
            1 => Some(Protocol::V4),
            2 => Some(Protocol::V6),
            _ => None,
        }
    }

    /// The protocol that an address belongs to, as it stands (an IPv4-mapped one is IPv6).
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Protocol::V4,
            IpAddr::V6(_) => Protocol::V6,
        }
    }
}

/// Why the argument of EPRT names no address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EprtFault {
    /// It is not in the form of RFC 2428 §2: answered 501.
    Malformed(Malformed),
    /// The form is right, the protocol of this number is not one we know: answered 522.
    Protocol(u32),
}

impl fmt::Display for EprtFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EprtFault::Malformed(malformed) => malformed.fmt(f),
            EprtFault::Protocol(number) => write!(f, "unknown network protocol {number}"),
        }
    }
}

impl std::error::Error for EprtFault {}

impl From<Malformed> for EprtFault {
    fn from(malformed: Malformed) -> Self {
        EprtFault::Malformed(malformed)
    }
}

/// Reads the argument of PORT: six decimal numbers of 0 to 255 with commas between; spaces at the ends are forgiven.
///
/// # Errors
/// When it is anything else.
pub fn read_port(arg: &[u8]) -> Result<SocketAddrV4, Malformed> {
    let start = leading_spaces(arg);
    let text = arg[start..].trim_ascii_end();
    let (numbers, size) = six_numbers(text, false).map_err(|at| Malformed::new(SIX, start + at))?;
    if size < text.len() {
        return Err(Malformed::new(SIX, start + size));
    }
    Ok(numbers)
}

/// Reads the argument of EPRT, `|2|::1|5282|` (RFC 2428 §2). A zone (`%eth0`) is dropped: it means something on the
/// peer's host only (RFC 4007 §6). An IPv4-mapped address is given as it stands.
///
/// # Errors
/// When the form is not that, the address is not of the named protocol, or the protocol is neither 1 nor 2.
pub fn read_eprt(arg: &[u8]) -> Result<SocketAddr, EprtFault> {
    let start = leading_spaces(arg);
    let text = arg[start..].trim_ascii_end();
    let wrong = |at: usize| Malformed::new(EPRT, start + at);
    // RFC 2428 §2: any of ASCII 33 to 126 may be the delimiter.
    let delimiter = *text.first().filter(|b| b.is_ascii_graphic()).ok_or(wrong(0))?;
    let mut parts = text[1..].split(|b| *b == delimiter);
    let (Some(protocol), Some(host), Some(port), Some(b""), None) =
        (parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(wrong(text.len()).into());
    };
    let number = read_number(protocol).ok_or(wrong(1))?;
    let protocol = Protocol::from_number(number).ok_or(EprtFault::Protocol(number))?;
    let (at_host, at_port) = (text.len() - host.len() - port.len() - 2, text.len() - port.len() - 1);
    let host = std::str::from_utf8(host).map_err(|_| wrong(at_host))?;
    let address = match protocol {
        Protocol::V4 => host.parse::<Ipv4Addr>().map(IpAddr::V4),
        Protocol::V6 => {
            host.split_once('%').map_or(host, |(bare, _zone)| bare).parse::<Ipv6Addr>().map(IpAddr::V6)
        }
    };
    let address = address.map_err(|_| wrong(at_host))?;
    let port = read_number(port).and_then(|port| u16::try_from(port).ok()).ok_or(wrong(at_port))?;
    Ok(SocketAddr::new(address, port))
}

/// `192,168,150,80,14,178`: the argument of PORT, and what stands in the brackets of 227.
#[must_use]
pub fn write_port(address: SocketAddrV4) -> String {
    let [a, b, c, d] = address.ip().octets();
    let [high, low] = address.port().to_be_bytes();
    format!("{a},{b},{c},{d},{high},{low}")
}

/// `|1|192.168.150.80|3762|`: the argument of EPRT. Zone and flow are not said.
#[must_use]
pub fn write_eprt(address: SocketAddr) -> String {
    format!("|{}|{}|{}|", Protocol::of(address.ip()).number(), address.ip(), address.port())
}

/// `(|||6446|)`: what 229 says (RFC 2428 §3).
#[must_use]
pub fn write_epsv(port: u16) -> String {
    format!("(|||{port}|)")
}

/// Finds the address in the text of a 227 (without the code): the first six numbers of 0 to 255 with commas between,
/// in brackets, behind `=` or bare; RFC 1123 §4.1.2.6 tells clients to search for it. `0.0.0.0` is given as it stands.
///
/// # Errors
/// When there are no six such numbers.
pub fn read_227(text: &[u8]) -> Result<SocketAddrV4, Malformed> {
    let starts = (0..text.len()).filter(|at| {
        let after_digit = *at > 0 && text[at - 1].is_ascii_digit();
        text[*at].is_ascii_digit() && !after_digit
    });
    for start in starts {
        if let Ok((address, _)) = six_numbers(&text[start..], true) {
            return Ok(address);
        }
    }
    Err(Malformed::new("six numbers with commas between", text.len()))
}

/// Finds the port in the text of a 229 (without the code): `(|||6446|)`, with any delimiter, with or without brackets;
/// a protocol and an address that a server put between the bars, against RFC 2428 §3, are passed over.
///
/// # Errors
/// When there is no such thing, or the port is 0 or above 65535.
pub fn read_229(text: &[u8]) -> Result<u16, Malformed> {
    let bracket = text.iter().rposition(|b| *b == b'(').map(|at| &text[at + 1..]);
    if let Some(port) = bracket.and_then(port_in_bars) {
        return Ok(port);
    }
    let bare = text.windows(3).enumerate().filter(|(_, w)| w[0] == w[1] && w[1] == w[2] && is_bar(w[0]));
    for (at, bars) in bare {
        if let Some(port) = port_up_to(&text[at + 3..], bars[0]) {
            return Ok(port);
        }
    }
    Err(Malformed::new("(|||port|)", text.len()))
}

/// The port in `|proto|address|port|…`, whatever the bar is.
fn port_in_bars(text: &[u8]) -> Option<u16> {
    let bar = *text.first().filter(|b| is_bar(**b))?;
    let mut bars = text.iter().enumerate().filter(|(_, b)| **b == bar).map(|(at, _)| at);
    let third = bars.nth(2)?;
    port_up_to(&text[third + 1..], bar)
}

/// The number that stands before the first `bar`, when it is a port.
fn port_up_to(text: &[u8], bar: u8) -> Option<u16> {
    // Five digits at most, so that a long run of them is not walked.
    let size = text.iter().take(6).position(|b| !b.is_ascii_digit())?;
    let port = read_number(&text[..size])?;
    u16::try_from(port).ok().filter(|port| *port > 0 && text[size] == bar)
}

fn is_bar(byte: u8) -> bool {
    byte.is_ascii_graphic() && !byte.is_ascii_digit()
}

/// Six numbers of 0 to 255 at the start of `text`, and how many bytes they take; else where they end being that.
fn six_numbers(text: &[u8], spaces_between: bool) -> Result<(SocketAddrV4, usize), usize> {
    let mut numbers = [0u8; 6];
    let mut at = 0;
    for (place, number) in numbers.iter_mut().enumerate() {
        if place > 0 {
            at += if spaces_between { leading_spaces(&text[at..]) } else { 0 };
            if text.get(at) != Some(&b',') {
                return Err(at);
            }
            at += 1;
            at += if spaces_between { leading_spaces(&text[at..]) } else { 0 };
        }
        let digits = text[at..].iter().take(4).take_while(|b| b.is_ascii_digit()).count();
        *number = read_number(&text[at..at + digits])
            .filter(|_| digits < 4)
            .and_then(|number| u8::try_from(number).ok())
            .ok_or(at)?;
        at += digits;
    }
    let [a, b, c, d, high, low] = numbers;
    Ok((SocketAddrV4::new(Ipv4Addr::new(a, b, c, d), u16::from_be_bytes([high, low])), at))
}

/// Decimal digits, at least one and nothing else, as a number of 32 bits.
fn read_number(digits: &[u8]) -> Option<u32> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u32, |number, b| {
        let digit = b.is_ascii_digit().then(|| u32::from(b - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

fn leading_spaces(text: &[u8]) -> usize {
    text.iter().take_while(|b| **b == b' ').count()
}

const SIX: &str = "h1,h2,h3,h4,p1,p2";
const EPRT: &str = "|protocol|address|port|";

#[cfg(test)]
mod tests {
    use super::*;

    fn v4(text: &str) -> SocketAddrV4 {
        text.parse().unwrap()
    }

    #[test]
    fn port_reads_and_writes_the_same() {
        let address = v4("192.168.150.80:3762");
        assert_eq!(write_port(address), "192,168,150,80,14,178");
        assert_eq!(read_port(b"192,168,150,80,14,178"), Ok(address));
        assert_eq!(read_port(b"  192,168,150,80,14,178 "), Ok(address));
        assert_eq!(read_port(b"0,0,0,0,0,0"), Ok(v4("0.0.0.0:0")));
    }

    #[test]
    fn port_that_is_not_six_numbers_is_malformed() {
        for (bad, at) in [
            ("", 0),
            ("1,2,3,4,5", 9),
            ("1,2,3,4,5,6,7", 11),
            ("1,2,3,4,5,256", 10),
            ("1,2,3,4,5,0006", 10),
            ("1,2,3,4,5,", 10),
            ("1, 2,3,4,5,6", 2),
            ("-1,2,3,4,5,6", 0),
            ("+1,2,3,4,5,6", 0),
            ("1.2.3.4,5,6", 1),
            (" 1,2,3,4,5,6)", 12),
            ("99999999999999999999,2,3,4,5,6", 0),
        ] {
            assert_eq!(read_port(bad.as_bytes()), Err(Malformed::new(SIX, at)), "{bad}");
        }
    }

    #[test]
    fn eprt_reads_and_writes_the_same() {
        for text in ["|1|132.235.1.2|6275|", "|2|1080::8:800:200c:417a|5282|", "|2|::1|5282|"] {
            assert_eq!(write_eprt(read_eprt(text.as_bytes()).unwrap()), text);
        }
    }

    #[test]
    fn eprt_takes_any_delimiter_and_drops_the_zone() {
        let v6: SocketAddr = "[fe80::1]:5282".parse().unwrap();
        for text in ["!2!fe80::1!5282!", "|2|fe80::1%eth0|5282|", " $2$fe80::1%3$5282$ ", "~2~fe80::1~5282~"]
        {
            assert_eq!(read_eprt(text.as_bytes()), Ok(v6), "{text}");
        }
        let mapped = read_eprt(b"|2|::ffff:192.0.2.1|2000|").unwrap();
        assert!(mapped.is_ipv6());
    }

    #[test]
    fn eprt_of_an_unknown_protocol_names_the_number() {
        assert_eq!(read_eprt(b"|3|whatever|1|"), Err(EprtFault::Protocol(3)));
        assert_eq!(read_eprt(b"|0|1.2.3.4|1024|"), Err(EprtFault::Protocol(0)));
    }

    #[test]
    fn eprt_in_another_form_is_malformed() {
        for bad in [
            "",
            " ",
            "|",
            "||||",
            "|1|1.2.3.4|1024",
            "|1|1.2.3.4|1024||",
            "|1|1.2.3.4|1024|x",
            "|1|::1|1024|",
            "|2|1.2.3.4|1024|",
            "|1|1.2.3.4|65536|",
            "|1|1.2.3.4||",
            "|1|1.2.3.4|-1|",
            "|1|\u{e9}|1024|",
            "|99999999999|1.2.3.4|1024|",
            ".1.1.2.3.4.1024.",
            "\u{1}1\u{1}1.2.3.4\u{1}1024\u{1}",
        ] {
            assert!(matches!(read_eprt(bad.as_bytes()), Err(EprtFault::Malformed(_))), "{bad}");
        }
    }

    #[test]
    fn a_227_is_found_however_it_is_wrapped() {
        for text in [
            "Entering Passive Mode (192,168,150,80,14,178).",
            "Entering Passive Mode 192,168,150,80,14,178",
            "=192,168,150,80,14,178",
            "Passive mode ok. 3 (192, 168, 150, 80, 14, 178)",
            "1,2,3 are not it, 999,1,1,1,1,1 neither; 192,168,150,80,14,178",
            "(192,168,150,80,14,178",
        ] {
            assert_eq!(read_227(text.as_bytes()), Ok(v4("192.168.150.80:3762")), "{text}");
        }
        assert_eq!(read_227(b"ok (0,0,0,0,14,178)"), Ok(v4("0.0.0.0:3762")));
        for bad in ["", "Entering Passive Mode", "(1,2,3,4,5)", "(1,2,3,4,5,256)", "1.2.3.4.5.6"] {
            assert!(read_227(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_229_is_found_however_it_is_wrapped() {
        for text in [
            "Entering Extended Passive Mode (|||6446|)",
            "Entering Extended Passive Mode |||6446|",
            "ok (really) (!!!6446!)",
            "ok (|1|10.0.0.1|6446|)",
            "Entering Extended Passive Mode (|||6446|",
            "hm... |||6446| ...",
        ] {
            assert_eq!(read_229(text.as_bytes()), Ok(6446), "{text}");
        }
        assert_eq!(write_epsv(6446), "(|||6446|)");
        for bad in
            ["", "(", "(|||", "(|||6446)", "(|||0|)", "(|||65536|)", "(||||)", "(1116446 1)", "(|||-1|)"]
        {
            assert!(read_229(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn long_hostile_texts_are_read_quickly() {
        for unit in ["1", "1,", "1 , ", "(", "|", "(|||", "|||1", " "] {
            let text = unit.repeat(200_000);
            let _ = read_227(text.as_bytes());
            let _ = read_229(text.as_bytes());
            let _ = read_port(text.as_bytes());
            let _ = read_eprt(text.as_bytes());
        }
    }
}
