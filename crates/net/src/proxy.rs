//! `Proxy`: the one who is asked to connect in our stead. Three kinds behind one face: SOCKS5, HTTP CONNECT, and FTP
//! proxies that are told the server in the login (`USER user@host`). Which one is named where is the client's to know.

mod connect;
mod socks;

use std::fmt;
use std::io;
use std::net::SocketAddr;

use tokio::net::TcpStream;
use twoport_proto::Secret;

/// How a proxy is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// SOCKS5 (RFC 1928).
    Socks,
    /// HTTP CONNECT (RFC 9110 §9.3.6).
    Connect,
    /// An FTP server that goes on to the server which the login names: `USER user@host`.
    UserAtHost,
}

/// Who is asked to connect, how, and as whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proxy {
    /// How it is spoken to.
    pub kind: Kind,
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Name and password, where it wants them.
    pub login: Option<(String, Secret)>,
}

/// Where the proxy shall connect to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// An address.
    Address(SocketAddr),
    /// A name that the proxy looks up, and a port.
    Name(String, u16),
}

impl Kind {
    /// The port where none is named: by custom for SOCKS and HTTP proxies, by RFC 959 for FTP.
    #[must_use]
    pub fn port(self) -> u16 {
        match self {
            Kind::Socks => 1080,
            Kind::Connect => 3128,
            Kind::UserAtHost => 21,
        }
    }

    /// Whether the data connections too are asked of the proxy by [`Proxy::connect`]. Where not, the proxy is the server as far as
    /// the data connections know: they go to it, and it may come to us.
    #[must_use]
    pub fn carries_data(self) -> bool {
        self != Kind::UserAtHost
    }
}

impl Proxy {
    /// A connection that leads to `target`; with [`Kind::UserAtHost`] to the proxy itself, which hears of the target in
    /// the login. The time that it may take is the caller's.
    ///
    /// # Errors
    /// When the proxy cannot be reached, refuses us, or cannot reach the target: the text says which.
    pub async fn connect(&self, target: &Target) -> io::Result<TcpStream> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await;
        let mut stream =
            stream.map_err(|e| io::Error::new(e.kind(), format!("the proxy itself does not answer: {e}")))?;
        stream.set_nodelay(true)?;
        let asked = match self.kind {
            Kind::Socks => socks::ask(&mut stream, target, self.login.as_ref()).await,
            Kind::Connect => connect::ask(&mut stream, target, self.login.as_ref()).await,
            Kind::UserAtHost => Ok(()),
        };
        match asked {
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => {
                Err(refused("the proxy closed the connection in the middle of its answer"))
            }
            asked => asked.map(|()| stream),
        }
    }
}

/// `kind host:port`, without name and password.
impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::Socks => "SOCKS5",
            Kind::Connect => "HTTP",
            Kind::UserAtHost => "FTP",
        };
        match self.host.contains(':') {
            true => write!(f, "{kind} proxy [{}]:{}", self.host, self.port),
            false => write!(f, "{kind} proxy {}:{}", self.host, self.port),
        }
    }
}

fn refused(why: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionRefused, why.into())
}

#[cfg(test)]
mod tests;
