//! `Url`: ftp://, ftpes:// and ftps:// addresses, read and written (RFC 1738 §3.2, RFC 3986, RFC 6874). A password can
//! be read and never comes out again: neither a text nor an error of this file shows it. Who logs in when the address
//! names nobody is left to `netrc` and to the caller.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

use twoport_proto::Secret;

/// A user, the password, and the account for servers that ask for one.
pub type Login = (Vec<u8>, Secret, Option<Secret>);

/// How the connection is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// `ftp`: TLS if the server offers it.
    Ftp,
    /// `ftpes`: TLS by AUTH TLS is demanded.
    Ftpes,
    /// `ftps`: TLS from the first byte.
    Ftps,
}

/// The typecode behind `;type=`: how the file is to be fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TypeCode {
    /// `a`: TYPE A.
    Ascii,
    /// `i`: TYPE I.
    Image,
    /// `d`: a list of names.
    Names,
}

/// The address of a server, or of a file or a folder on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url {
    /// Before `://`.
    pub scheme: Scheme,
    /// The name to log in with.
    pub user: Option<Vec<u8>>,
    /// The password; `Some` of nothing when a colon stands there with nothing behind it.
    pub password: Option<Secret>,
    /// In lower case, an IPv6 address without brackets, with its zone behind `%` if it has one.
    pub host: String,
    /// The port, which is 21, or 990 for `ftps`, when the text names none.
    pub port: u16,
    /// The path as the server is to have it, without slashes at its ends; empty is the login folder, or the root when
    /// [`absolute`](Url::absolute).
    pub path: Vec<u8>,
    /// Whether the path begins at the server's root and not in the login folder.
    pub absolute: bool,
    /// Whether a folder is meant for certain: a slash ends it, or nothing but the host is there.
    pub folder: bool,
    /// What `;type=` says.
    pub kind: Option<TypeCode>,
}

/// Why a text is no address. No variant holds a part of the text, because that part could be a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// No `://`.
    #[error("an address begins with ftp://, ftpes:// or ftps://; write ftp:// in front of the host")]
    NoScheme,
    /// Another scheme.
    #[error("only ftp://, ftpes:// and ftps:// are spoken here; use one of them")]
    OtherScheme,
    /// Nothing between the slashes.
    #[error("the address names no host; write it as ftp://HOST/PATH")]
    NoHost,
    /// Something that no host can be called.
    #[error(
        "the host holds a character that no host name has; write @, : and / in a user name or a password as %40, %3A \
         and %2F"
    )]
    BadHost,
    /// Colons without brackets.
    #[error("more than one colon follows the user; write an IPv6 address in brackets: ftp://[2001:db8::1]/")]
    NoBrackets,
    /// Brackets without an IPv6 address.
    #[error("what stands in brackets is no IPv6 address; write it like [2001:db8::1] or [fe80::1%25eth0]")]
    BadIpv6,
    /// A port that is none.
    #[error(
        "the port is not a number from 1 to 65535; if it is part of a password, write : as %3A and / as %2F"
    )]
    BadPort,
    /// A percent sign that encodes nothing.
    #[error("a % is not followed by two hexadecimal digits; write %25 for the sign itself")]
    BadPercent,
    /// CR, LF or NUL.
    #[error("the address holds a line break or a NUL, which would begin another command; take it out")]
    BadByte,
    /// `;type=` with something else behind it.
    #[error("behind ;type= stands a, i or d; write %3B for a semicolon that belongs to the name")]
    BadType,
    /// A password and nobody whose it is.
    #[error("the address has a password and no user; write USER:PASSWORD@HOST")]
    NoUser,
}

impl Url {
    /// Reads an address. `?` and `#` belong to the path: an FTP address has neither query nor fragment, and names hold
    /// them.
    ///
    /// # Errors
    /// When it is none; the error is a sentence that says what to do.
    pub fn read(text: &str) -> Result<Url, UrlError> {
        let (scheme, rest) = text.split_once("://").ok_or(UrlError::NoScheme)?;
        let scheme = Scheme::read(scheme)?;
        let (authority, path) = match rest.find('/') {
            Some(at) => (&rest[..at], Some(&rest[at + 1..])),
            None => (rest, None),
        };
        // The last @ counts: the name of an anonymous user and many real ones hold one.
        let (login, place) = match authority.rsplit_once('@') {
            Some((login, place)) => (login, place),
            None => ("", authority),
        };
        let (user, password) = read_login(login)?;
        let (host, port) = read_place(place)?;
        let mut url = Url {
            scheme,
            user,
            password,
            host,
            port: port.unwrap_or(scheme.port()),
            path: Vec::new(),
            absolute: false,
            folder: true,
            kind: None,
        };
        if let Some(path) = path {
            url.take_path(path)?;
        }
        Ok(url)
    }

    /// Who logs in: the URL's user, or anonymous.
    #[must_use]
    pub fn login(&self) -> Login {
        match &self.user {
            Some(user) => (user.clone(), self.password.clone().unwrap_or_default(), None),
            None => (b"anonymous".to_vec(), Secret::new("anonymous@"), None),
        }
    }

    /// The path as an argument of a command: with a slash in front when it is absolute. Empty is the login folder.
    #[must_use]
    pub fn target(&self) -> Vec<u8> {
        let mut path = Vec::with_capacity(self.path.len() + 1);
        if self.absolute {
            path.push(b'/');
        }
        path.extend_from_slice(&self.path);
        path
    }

    /// Whether the text begins as an address does, so that it is not meant as the name of a local file.
    #[must_use]
    pub fn is_meant(text: &str) -> bool {
        text.split_once("://").is_some_and(|(scheme, _)| Scheme::read(scheme).is_ok())
    }

    /// Takes what stands behind the first slash.
    fn take_path(&mut self, text: &str) -> Result<(), UrlError> {
        let text = match text.rsplit_once(';') {
            Some((path, last)) if last.get(..5).is_some_and(|word| word.eq_ignore_ascii_case("type=")) => {
                self.kind = Some(TypeCode::read(&last[5..])?);
                path
            }
            _ => text,
        };
        let path = decode(text)?;
        self.absolute = path.first() == Some(&b'/');
        self.folder = matches!(path.last(), None | Some(b'/')) || self.kind == Some(TypeCode::Names);
        let from = path.iter().position(|b| *b != b'/').unwrap_or(path.len());
        let to = path.iter().rposition(|b| *b != b'/').map_or(from, |at| at + 1);
        self.path = path[from..to].to_vec();
        Ok(())
    }
}

impl FromStr for Url {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Url::read(text)
    }
}

/// Without the password.
impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://", self.scheme)?;
        if let Some(user) = &self.user {
            write!(f, "{}@", encode(user, b""))?;
        }
        match self.host.split_once('%') {
            Some((address, zone)) => write!(f, "[{address}%25{zone}]")?,
            None if self.host.contains(':') => write!(f, "[{}]", self.host)?,
            None => f.write_str(&self.host)?,
        }
        if self.port != self.scheme.port() {
            write!(f, ":{}", self.port)?;
        }
        // `%2F` and not a second slash: every client in the field reads it the same way.
        write!(f, "/{}{}", if self.absolute { "%2F" } else { "" }, encode(&self.path, b"/@:"))?;
        if self.folder && !self.path.is_empty() {
            f.write_str("/")?;
        }
        match self.kind {
            Some(kind) => write!(f, ";type={}", kind.letter()),
            None => Ok(()),
        }
    }
}

impl Scheme {
    /// The port when none is named.
    #[must_use]
    pub fn port(self) -> u16 {
        match self {
            Scheme::Ftp | Scheme::Ftpes => 21,
            Scheme::Ftps => 990,
        }
    }

    fn read(text: &str) -> Result<Self, UrlError> {
        let all = [Scheme::Ftp, Scheme::Ftpes, Scheme::Ftps];
        let found = all.into_iter().find(|scheme| text.eq_ignore_ascii_case(scheme.name()));
        found.ok_or(UrlError::OtherScheme)
    }

    fn name(self) -> &'static str {
        match self {
            Scheme::Ftp => "ftp",
            Scheme::Ftpes => "ftpes",
            Scheme::Ftps => "ftps",
        }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl TypeCode {
    fn read(text: &str) -> Result<Self, UrlError> {
        match text {
            "a" | "A" => Ok(TypeCode::Ascii),
            "i" | "I" => Ok(TypeCode::Image),
            "d" | "D" => Ok(TypeCode::Names),
            _ => Err(UrlError::BadType),
        }
    }

    fn letter(self) -> char {
        match self {
            TypeCode::Ascii => 'a',
            TypeCode::Image => 'i',
            TypeCode::Names => 'd',
        }
    }
}

/// `USER`, `USER:PASS` or nothing. The first colon divides: a name with a colon writes %3A.
fn read_login(text: &str) -> Result<(Option<Vec<u8>>, Option<Secret>), UrlError> {
    let (user, password) = match text.split_once(':') {
        Some((user, password)) => (user, Some(Secret::new(decode(password)?))),
        None => (text, None),
    };
    match (decode(user)?, password) {
        (user, None) if user.is_empty() => Ok((None, None)),
        (user, Some(_)) if user.is_empty() => Err(UrlError::NoUser),
        (user, password) => Ok((Some(user), password)),
    }
}

/// `HOST`, `HOST:PORT`, `[IPV6]` or `[IPV6]:PORT`. A colon with nothing behind it is no port (RFC 3986 §3.2.3).
fn read_place(text: &str) -> Result<(String, Option<u16>), UrlError> {
    let (host, port) = if let Some(inside) = text.strip_prefix('[') {
        let (address, behind) = inside.split_once(']').ok_or(UrlError::BadIpv6)?;
        let port = match behind.strip_prefix(':') {
            Some(port) => port,
            None if behind.is_empty() => "",
            None => return Err(UrlError::BadPort),
        };
        (read_ipv6(address)?, port)
    } else {
        let (host, port) = text.split_once(':').unwrap_or((text, ""));
        if port.contains(':') {
            return Err(UrlError::NoBrackets);
        }
        (read_name(host)?, port)
    };
    let port = match port {
        "" => None,
        digits if digits.bytes().all(|b| b.is_ascii_digit()) => match digits.parse() {
            Ok(port) if port > 0 => Some(port),
            _ => return Err(UrlError::BadPort),
        },
        _ => return Err(UrlError::BadPort),
    };
    Ok((host, port))
}

/// A host's name or its IPv4 address.
fn read_name(text: &str) -> Result<String, UrlError> {
    let name = String::from_utf8(decode(text)?).map_err(|_| UrlError::BadHost)?;
    if name.is_empty() {
        return Err(UrlError::NoHost);
    }
    // Letters beyond ASCII are left to the resolver; a hyphen in front is left to nobody (it looks like an option).
    let fits = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_');
    if name.starts_with('-') || !name.chars().all(fits) {
        return Err(UrlError::BadHost);
    }
    Ok(name.to_ascii_lowercase())
}

/// What stands between brackets: an IPv6 address and perhaps a zone. RFC 6874 wants `%25` before the zone and lets a
/// reader take a bare `%`, which is what everybody types.
fn read_ipv6(text: &str) -> Result<String, UrlError> {
    let (address, zone) = match text.split_once('%') {
        Some((address, zone)) => (address, Some(zone.strip_prefix("25").unwrap_or(zone))),
        None => (text, None),
    };
    let address: Ipv6Addr = address.parse().map_err(|_| UrlError::BadIpv6)?;
    match zone {
        None => Ok(address.to_string()),
        Some(zone) => {
            let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b'~');
            if zone.is_empty() || !zone.bytes().all(fits) {
                return Err(UrlError::BadIpv6);
            }
            Ok(format!("{address}%{zone}"))
        }
    }
}

pub(crate) fn decode(text: &str) -> Result<Vec<u8>, UrlError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(b) = rest.next() {
        let b = if b == b'%' {
            let digit = |b: Option<u8>| char::from(b?).to_digit(16).and_then(|n| u8::try_from(n).ok());
            match (digit(rest.next()), digit(rest.next())) {
                (Some(high), Some(low)) => high << 4 | low,
                _ => return Err(UrlError::BadPercent),
            }
        } else {
            b
        };
        if matches!(b, b'\r' | b'\n' | 0) {
            return Err(UrlError::BadByte);
        }
        bytes.push(b);
    }
    Ok(bytes)
}

/// Percent-encodes all but the characters that have no meaning anywhere in an address, and those in `also`.
fn encode(bytes: &[u8], also: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for b in bytes {
        if b.is_ascii_alphanumeric() || b"-._~!$&'()*+,=".contains(b) || also.contains(b) {
            text.push(char::from(*b));
        } else {
            text.push_str(&format!("%{b:02X}"));
        }
    }
    text
}

#[cfg(test)]
mod tests;
