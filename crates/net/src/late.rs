//! Sockets of which the runtime hears late: `LateStream`, a connection, and `LateListener`, a port. A client that has come before it
//! is waited for, and a small file that its socket takes at once, need no waiting, and cost no call that prepares for it.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use rustix::io::Errno;
use rustix::net::{Shutdown, SocketFlags, acceptfrom_with};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use twoport_pipe::Bare;

/// A connection that does not block.
#[derive(Debug)]
pub(crate) enum LateStream {
    /// Nobody has had to wait for it.
    New(OwnedFd),
    /// The runtime knows it.
    Known(TcpStream),
    /// It could not be made known, and is closed.
    Gone,
}

impl LateStream {
    /// The runtime's own, from now on. What is written in pieces does not wait in Nagle's queue then; where that option is refused
    /// the transfer is slower and nothing else.
    pub(crate) fn known(&mut self) -> io::Result<&mut TcpStream> {
        if let LateStream::New(_) = self
            && let LateStream::New(socket) = std::mem::replace(self, LateStream::Gone)
        {
            let stream = TcpStream::from_std(socket.into())?;
            let _ = stream.set_nodelay(true);
            *self = LateStream::Known(stream);
        }
        match self {
            LateStream::Known(stream) => Ok(stream),
            LateStream::New(_) | LateStream::Gone => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// The same, for whoever takes it over.
    pub(crate) fn into_known(mut self) -> io::Result<TcpStream> {
        self.known()?;
        match self {
            LateStream::Known(stream) => Ok(stream),
            LateStream::New(_) | LateStream::Gone => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// Says that no more bytes come.
    pub(crate) fn shut_down(&self) -> io::Result<()> {
        Ok(rustix::net::shutdown(self, Shutdown::Write)?)
    }
}

impl From<TcpStream> for LateStream {
    fn from(stream: TcpStream) -> Self {
        let _ = stream.set_nodelay(true);
        LateStream::Known(stream)
    }
}

impl AsFd for LateStream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            LateStream::New(socket) => socket.as_fd(),
            LateStream::Known(stream) => stream.as_fd(),
            // No descriptor, and every call says so.
            LateStream::Gone => rustix::fs::CWD,
        }
    }
}

impl Bare for LateStream {
    fn known(&mut self) -> io::Result<&TcpStream> {
        LateStream::known(self).map(|stream| &*stream)
    }
}

impl AsyncRead for LateStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(LateStream::known(&mut self)?).poll_read(cx, into)
    }
}

impl AsyncWrite for LateStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(LateStream::known(&mut self)?).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The system has what was written.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.shut_down())
    }
}

/// A port that is listened on, by as many at once as like to.
#[derive(Debug)]
pub(crate) struct LateListener {
    socket: OwnedFd,
    /// The runtime's own door to the same socket.
    known: Mutex<Option<Arc<TcpListener>>>,
}

impl LateListener {
    /// A socket that listens and does not block.
    pub(crate) fn new(socket: OwnedFd) -> Self {
        LateListener { socket, known: Mutex::default() }
    }

    /// A connection that has come already; `WouldBlock` where none has.
    pub(crate) fn accept_now(&self) -> io::Result<(LateStream, SocketAddr)> {
        loop {
            match acceptfrom_with(&self.socket, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK) {
                Ok((stream, from)) => {
                    let from = from.and_then(|from| SocketAddr::try_from(from).ok());
                    let from = from.ok_or(io::ErrorKind::AddrNotAvailable)?;
                    return Ok((LateStream::New(stream), from));
                }
                // A connection that was reset while it waited is nobody.
                Err(Errno::CONNABORTED | Errno::INTR) => {}
                Err(e) => return Err(e.into()),
            }
        }
    }

    /// Waits for the next connection.
    pub(crate) async fn accept(&self) -> io::Result<(LateStream, SocketAddr)> {
        match self.accept_now() {
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
            come => return come,
        }
        let known = self.known()?;
        loop {
            match known.accept().await {
                Ok((stream, from)) => return Ok((stream.into(), from)),
                Err(e) if e.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(e) => return Err(e),
            }
        }
    }

    fn known(&self) -> io::Result<Arc<TcpListener>> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        match &*known {
            Some(known) => Ok(Arc::clone(known)),
            None => {
                let new = Arc::new(TcpListener::from_std(self.socket.try_clone()?.into())?);
                Ok(Arc::clone(known.insert(new)))
            }
        }
    }
}
