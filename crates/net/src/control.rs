//! `ControlStream`: lines in, replies out, over TCP.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use rustix::net::RecvFlags;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use twoport_proto::line::{LineBuf, LineFault};
use twoport_proto::{Reply, Request};

/// Bytes that are read at once: a client that sends more than this in one go sends a pipeline.
const READ: usize = 4096;

/// How long a dead peer stays unnoticed on an idle control connection, and under what time NATs forget one (RFC 5382
/// allows them two hours, many take minutes).
const KEEPALIVE: Duration = Duration::from_secs(45);

/// The control connection of a session.
#[derive(Debug)]
pub struct ControlStream {
    stream: TcpStream,
    lines: LineBuf,
    out: Vec<u8>,
}

impl ControlStream {
    /// Takes over an accepted connection. `line_cap` is the longest line in bytes.
    ///
    /// # Errors
    /// When the socket refuses its options.
    pub fn new(stream: TcpStream, line_cap: usize) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        let socket = SockRef::from(&stream);
        // ABOR may come with urgent data (RFC 959 §4.1.3): in line, the Telnet marks stay where they belong.
        socket.set_out_of_band_inline(true)?;
        let control = ControlStream { stream, lines: LineBuf::new(line_cap), out: Vec::new() };
        control.keep_alive(KEEPALIVE)?;
        Ok(control)
    }

    /// How long the connection may be quiet before the system asks the other end whether it lives.
    ///
    /// # Errors
    /// When the socket refuses the option.
    pub fn keep_alive(&self, quiet: Duration) -> io::Result<()> {
        let often =
            TcpKeepalive::new().with_time(quiet).with_interval((quiet / 3).max(Duration::from_secs(1)));
        SockRef::from(&self.stream).set_tcp_keepalive(&often)
    }

    /// The peer's address, never an IPv4 one in IPv6's clothes.
    ///
    /// # Errors
    /// When the connection is gone.
    pub fn peer(&self) -> io::Result<SocketAddr> {
        self.stream.peer_addr().map(canonical)
    }

    /// The address of ours that the peer reached.
    ///
    /// # Errors
    /// When the connection is gone.
    pub fn local(&self) -> io::Result<SocketAddr> {
        self.stream.local_addr().map(canonical)
    }

    /// The next line that has arrived already.
    pub fn next_line(&mut self) -> Option<Result<Vec<u8>, LineFault>> {
        self.lines.next_line()
    }

    /// Whether a line has begun that is longer than allowed already.
    #[must_use]
    pub fn is_overlong(&self) -> bool {
        self.lines.is_too_long()
    }

    /// Waits for more bytes; `false` at the end of the stream. Nothing is lost when the future is dropped.
    ///
    /// # Errors
    /// When the connection broke.
    pub async fn read(&mut self) -> io::Result<bool> {
        let mut buffer = [0; READ];
        loop {
            self.stream.readable().await?;
            let read = self.stream.try_read(&mut buffer);
            match self.arrived(&buffer, read)? {
                Arrived::Nothing => {}
                Arrived::Bytes => return Ok(true),
                Arrived::End => return Ok(false),
            }
        }
    }

    /// Takes what has arrived until now, without waiting. It asks the socket itself: the runtime may not have heard yet
    /// of bytes, or of an end, that came before something else that it has told us.
    ///
    /// # Errors
    /// When the connection broke.
    pub fn read_now(&mut self) -> io::Result<Arrived> {
        let mut buffer = [0; READ];
        let read = rustix::net::recv(&self.stream, &mut buffer, RecvFlags::DONTWAIT);
        let read = read.map(|(read, _)| read).map_err(io::Error::from);
        self.arrived(&buffer, read)
    }

    fn arrived(&mut self, buffer: &[u8], read: io::Result<usize>) -> io::Result<Arrived> {
        match read {
            Ok(0) => Ok(Arrived::End),
            Ok(n) => {
                self.lines.feed(&buffer[..n]);
                Ok(Arrived::Bytes)
            }
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(Arrived::Nothing),
            Err(e) => Err(e),
        }
    }

    /// Puts a reply into the buffer that [`ControlStream::flush`] sends.
    pub fn say(&mut self, reply: &Reply) {
        reply.write(&mut self.out);
    }

    /// Puts a command into the buffer that [`ControlStream::flush`] sends: one line, one write.
    pub fn ask(&mut self, request: &Request) {
        self.out.extend_from_slice(request.as_bytes());
    }

    /// Bytes that wait to be sent.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.out.len()
    }

    /// Sends what was said. What cannot be sent is forgotten: the connection is of no use then.
    ///
    /// # Errors
    /// When the peer takes nothing within `patience`, or is gone.
    pub async fn flush(&mut self, patience: Duration) -> io::Result<()> {
        if self.out.is_empty() {
            return Ok(());
        }
        let sent = self.send(patience).await;
        self.out.clear();
        sent
    }

    /// The same without waiting, for what may be given up at any moment.
    ///
    /// # Errors
    /// When the socket does not take all of it at once, or the peer is gone.
    pub fn flush_now(&mut self) -> io::Result<()> {
        let sent = self.stream.try_write(&self.out);
        let whole = matches!(sent, Ok(n) if n == self.out.len());
        self.out.clear();
        if whole { Ok(()) } else { Err(sent.err().unwrap_or_else(|| io::ErrorKind::WouldBlock.into())) }
    }

    async fn send(&mut self, patience: Duration) -> io::Result<()> {
        // Nearly always the socket takes it all at once; no timer is needed then.
        let sent = match self.stream.try_write(&self.out) {
            Ok(n) => n,
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => 0,
            Err(e) => return Err(e),
        };
        if sent < self.out.len() {
            tokio::time::timeout(patience, self.stream.write_all(&self.out[sent..])).await??;
        }
        Ok(())
    }

    /// Closes in order: what was said goes out, then the end. Bytes of the peer that nobody will read are taken for a
    /// moment, so that they do not make the system throw our last reply away.
    pub async fn close(mut self, patience: Duration) {
        if self.flush(patience).await.is_ok() && self.stream.shutdown().await.is_ok() {
            let drained = async {
                while matches!(self.read().await, Ok(true)) {
                    while self.lines.next_line().is_some() {}
                }
            };
            let _ = tokio::time::timeout(Duration::from_secs(2).min(patience), drained).await;
        }
    }
}

/// What a look at the socket found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrived {
    /// Nothing yet.
    Nothing,
    /// Bytes; there may be lines now.
    Bytes,
    /// The end of the stream.
    End,
}

/// An IPv4 address stays one even where the listener takes both families.
fn canonical(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        v4 @ IpAddr::V4(_) => SocketAddr::new(v4, address.port()),
        // As it is: a link-local address has a scope.
        IpAddr::V6(_) => address,
    }
}
