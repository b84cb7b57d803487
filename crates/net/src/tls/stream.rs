//! `TlsStream`: a connection behind its handshake, at either end. It ends in order by close_notify; an end without it is an
//! error that names itself, because somebody on the way may have cut what was sent.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;

use super::Facts;
use super::socket::Socket;

/// A connection in TLS.
#[derive(Debug)]
pub struct TlsStream {
    stream: Box<tokio_rustls::TlsStream<Socket>>,
}

/// The connection ended without close_notify: what came before may not be all (RFC 8446 §6.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unfinished;

impl fmt::Display for Unfinished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it ended without TLS's own end (close_notify), so it may not be whole")
    }
}

impl std::error::Error for Unfinished {}

impl Unfinished {
    /// Whether this is what an error says.
    #[must_use]
    pub fn is(error: &io::Error) -> bool {
        error.get_ref().is_some_and(|inner| inner.is::<Unfinished>())
    }
}

impl TlsStream {
    pub(super) fn new(stream: tokio_rustls::TlsStream<Socket>) -> Self {
        TlsStream { stream: Box::new(stream) }
    }

    /// What the handshake agreed on.
    #[must_use]
    pub fn facts(&self) -> Facts {
        Facts::of(self.stream.get_ref().1)
    }

    /// The peer's certificate in DER, where it has shown one in this session or the one that it resumed.
    #[must_use]
    pub fn peer_certificate(&self) -> Option<&[u8]> {
        self.stream.get_ref().1.peer_certificates()?.first().map(AsRef::as_ref)
    }

    /// The name that the client wants, at the server's end.
    #[must_use]
    pub(super) fn server_name(&self) -> Option<String> {
        match &*self.stream {
            tokio_rustls::TlsStream::Server(stream) => stream.get_ref().1.server_name().map(str::to_owned),
            tokio_rustls::TlsStream::Client(_) => None,
        }
    }

    /// The connection below.
    #[must_use]
    pub fn tcp(&self) -> &TcpStream {
        &self.stream.get_ref().0.tcp
    }

    fn socket(&mut self) -> &mut Socket {
        match &mut *self.stream {
            tokio_rustls::TlsStream::Server(stream) => stream.get_mut().0,
            tokio_rustls::TlsStream::Client(stream) => stream.get_mut().0,
        }
    }

    /// Reads what has arrived, without waiting: the system itself is asked. Nothing is `WouldBlock`.
    ///
    /// # Errors
    /// When nothing is there, or the connection broke.
    pub fn read_now(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut buffer = ReadBuf::new(buffer);
        self.socket().eager = true;
        let read = Pin::new(&mut *self).poll_read(&mut Context::from_waker(Waker::noop()), &mut buffer);
        self.socket().eager = false;
        match read {
            Poll::Ready(Ok(())) => Ok(buffer.filled().len()),
            Poll::Ready(Err(e)) => Err(e),
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    /// Writes without waiting; false when not all of it went out.
    ///
    /// # Errors
    /// When the connection broke.
    pub fn write_now(&mut self, bytes: &[u8]) -> io::Result<bool> {
        let cx = &mut Context::from_waker(Waker::noop());
        let mut left = bytes;
        while !left.is_empty() {
            match Pin::new(&mut *self).poll_write(cx, left) {
                Poll::Ready(Ok(0)) | Poll::Pending => return Ok(false),
                Poll::Ready(Ok(written)) => left = &left[written..],
                Poll::Ready(Err(e)) => return Err(e),
            }
        }
        Ok(matches!(Pin::new(&mut *self).poll_flush(cx), Poll::Ready(Ok(()))))
    }

    /// Ends TLS and gives the connection back, open, for what comes in the clear (CCC, RFC 4217 §5). Not one byte behind the
    /// peer's close_notify has been read; a peer that sends none and goes on in the clear is taken at its word.
    ///
    /// # Errors
    /// When the connection broke.
    pub async fn end_tls(mut self) -> io::Result<TcpStream> {
        self.socket().stays = true;
        self.shutdown().await?;
        let mut rest = [0; 1024];
        loop {
            match tokio::io::AsyncReadExt::read(&mut self, &mut rest).await {
                Ok(0) => break,
                Ok(_) => {}
                Err(e) if Unfinished::is(&e) => break,
                Err(e) => return Err(e),
            }
        }
        Ok(match *self.stream {
            tokio_rustls::TlsStream::Server(stream) => stream.into_inner().0.tcp,
            tokio_rustls::TlsStream::Client(stream) => stream.into_inner().0.tcp,
        })
    }
}

impl AsyncRead for TlsStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut *self.stream).poll_read(cx, buf);
        // What TLS itself has to answer (a renegotiation is refused, keys are changed) does not wait for what we say next.
        if self.stream.get_ref().1.wants_write() {
            let _ = Pin::new(&mut *self.stream).poll_flush(cx);
        }
        read.map_err(|e| match e.kind() {
            io::ErrorKind::UnexpectedEof => io::Error::new(io::ErrorKind::ConnectionAborted, Unfinished),
            _ => e,
        })
    }
}

impl AsyncWrite for TlsStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.stream).poll_shutdown(cx)
    }
}
