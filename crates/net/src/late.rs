//! Sockets of which the runtime hears late: `LateStream`, a connection, and `LateListener`, a port. A client that has come before it
//! is waited for, and a small file that its socket takes at once, need no waiting, and cost no call that prepares for it.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::thread::{self, ThreadId};

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
    /// The runtime knows it: that of this thread, where it belongs to one.
    Known(TcpStream, Option<ThreadId>),
    /// It could not be made known, and is closed.
    Gone,
}

impl LateStream {
    /// The runtime's own, from now on. What is written in pieces does not wait in Nagle's queue then; where that option is refused
    /// the transfer is slower and nothing else. One that has moved to another thread is known to the runtime there, so that the first
    /// is not woken for it.
    pub(crate) fn known(&mut self) -> io::Result<&mut TcpStream> {
        if let LateStream::Known(_, Some(home)) = self
            && *home != thread::current().id()
            && let LateStream::Known(stream, _) = std::mem::replace(self, LateStream::Gone)
        {
            *self = LateStream::New(stream.into_std()?.into());
        }
        if let LateStream::New(_) = self
            && let LateStream::New(socket) = std::mem::replace(self, LateStream::Gone)
        {
            *self = LateStream::at_home(TcpStream::from_std(socket.into())?);
        }
        match self {
            LateStream::Known(stream, _) => Ok(stream),
            LateStream::New(_) | LateStream::Gone => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// One that this thread's runtime knows, and no other thread's shares.
    pub(crate) fn at_home(stream: TcpStream) -> Self {
        let _ = stream.set_nodelay(true);
        LateStream::Known(stream, Some(thread::current().id()))
    }

    /// The same, for whoever takes it over.
    pub(crate) fn into_known(mut self) -> io::Result<TcpStream> {
        self.known()?;
        match self {
            LateStream::Known(stream, _) => Ok(stream),
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
        LateStream::Known(stream, None)
    }
}

impl AsFd for LateStream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            LateStream::New(socket) => socket.as_fd(),
            LateStream::Known(stream, _) => stream.as_fd(),
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
                Ok((stream, from)) => return Ok((LateStream::at_home(stream), from)),
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

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::runtime::Builder;

    use super::*;

    #[test]
    fn a_connection_that_has_moved_is_served_where_it_is() {
        let runtime = || Builder::new_current_thread().enable_all().build().unwrap();
        let (first, second) = (runtime(), runtime());
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let at = socket.local_addr().unwrap();
        socket.set_nonblocking(true).unwrap();
        let listener = LateListener::new(socket.into());
        let mut peer = std::net::TcpStream::connect(at).unwrap();
        let mut stream = first.block_on(async {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(b"here").await.unwrap();
            stream
        });
        // Nobody runs the first any more, so that it could wake nobody.
        let there = std::thread::spawn(move || {
            second.block_on(async {
                let mut heard = [0; 5];
                stream.read_exact(&mut heard).await.unwrap();
                heard
            })
        });
        std::io::Read::read_exact(&mut peer, &mut [0; 4]).unwrap();
        std::io::Write::write_all(&mut peer, b"there").unwrap();
        assert_eq!(&there.join().unwrap(), b"there");
    }
}
