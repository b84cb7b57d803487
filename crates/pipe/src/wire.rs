//! `Wire`: an async stream that may own up to being a bare TCP socket. What is wrapped (TLS) says nothing of the kind,
//! and its bytes go through a buffer.

use std::io;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// A data connection, usable as `&mut dyn Wire`.
pub trait Wire: AsyncRead + AsyncWrite + Send + Unpin {
    /// The socket, if what is written to it reaches the peer as it is; `None` sends every byte through a buffer.
    fn bare(&self) -> Option<&TcpStream>;

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

impl Wire for TcpStream {
    fn bare(&self) -> Option<&TcpStream> {
        Some(self)
    }
}
