//! `DataStream`: a data connection, opened, used, and closed in the right order.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use twoport_pipe::Wire;

/// A data connection. Only plain TCP so far.
#[derive(Debug)]
pub struct DataStream(TcpStream);

impl DataStream {
    /// Takes over a connection that is open.
    #[must_use]
    pub fn new(stream: TcpStream) -> Self {
        // A small file must not wait in Nagle's queue for the ACK of nothing. Where the option is refused the
        // transfer is slower and nothing else.
        let _ = stream.set_nodelay(true);
        DataStream(stream)
    }

    /// Says that no more bytes come. What was sent is delivered by the system; the peer sees the end after the last
    /// byte.
    ///
    /// # Errors
    /// When the peer has broken the connection before.
    pub async fn finish(mut self) -> io::Result<()> {
        self.0.shutdown().await
    }
}

impl DataStream {
    /// Ends it by a reset: the peer sees that what came is not whole.
    pub fn reset(self) {
        // Where the option is refused the connection is dropped all the same.
        let _ = socket2::SockRef::from(&self.0).set_linger(Some(std::time::Duration::ZERO));
    }
}

impl Wire for DataStream {
    fn bare(&self) -> Option<&TcpStream> {
        Some(&self.0)
    }
}

impl AsyncRead for DataStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for DataStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
