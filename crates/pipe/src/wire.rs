//! `Wire`: an async stream that may own up to being a bare TCP socket. What is wrapped (TLS) says nothing of the kind,
//! and its bytes go through a buffer.

use std::io;
use std::os::fd::AsFd;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// A data connection, usable as `&mut dyn Wire`.
pub trait Wire: AsyncRead + AsyncWrite + Send + Unpin {
    /// The socket, if what is written to it reaches the peer as it is; `None` sends every byte through a buffer.
    fn bare(&mut self) -> Option<&mut dyn Bare>;

    /// Takes back bytes that belong to what comes next; they are read again first.
    ///
    /// # Errors
    /// `InvalidData` where nothing may come next.
    fn unread(&mut self, bytes: &[u8]) -> io::Result<()> {
        match bytes.is_empty() {
            true => Ok(()),
            false => Err(io::Error::new(io::ErrorKind::InvalidData, "more came behind the end of the file")),
        }
    }
}

/// A TCP socket that does not block. Many a connection is through before anybody has had to wait for it; of such a one the
/// runtime need not hear.
pub trait Bare: AsFd + Send {
    /// The same for whoever has to wait.
    ///
    /// # Errors
    /// When the runtime cannot take it in.
    fn known(&mut self) -> io::Result<&TcpStream>;
}

impl Bare for TcpStream {
    fn known(&mut self) -> io::Result<&TcpStream> {
        Ok(self)
    }
}

impl Wire for TcpStream {
    fn bare(&mut self) -> Option<&mut dyn Bare> {
        Some(self)
    }
}
