//! `ControlStream`: lines in, replies out, over TCP and, from the moment when that is agreed on, over TLS.

use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rustix::net::RecvFlags;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, Interest, ReadBuf};
use tokio::net::TcpStream;
use twoport_proto::line::{IAC, LineBuf, LineFault};
use twoport_proto::{Reply, Request};

use crate::proxy_protocol::{OPENING, is_header};
use crate::queue::SendQueue;
use crate::tls::acceptor::Secured;
use crate::tls::{Acceptor, Connector, TlsFault, TlsStream};

/// Bytes that are read at once: a client that sends more than this in one go sends a pipeline.
const READ: usize = 4096;

/// Bytes of a usual reply.
const USUAL: usize = 96;

/// How long a control connection is quiet before the system shows that it lives, unless somebody knows better. What is on the
/// way forgets a quiet connection after a minute at the earliest (RFC 5382 asks for two hours, balancers take one to six minutes),
/// and while a transfer runs this one says nothing.
pub const KEEPALIVE: Duration = Duration::from_secs(45);

/// Signs of life without an answer, a third of that time apart, after which the peer is taken for dead.
const PROBES: u32 = 4;

/// The control connection of a session.
#[derive(Debug)]
pub struct ControlStream {
    stream: Stream,
    lines: LineBuf,
    out: Vec<u8>,
    /// The first bytes that came, as they came, and how many they are.
    opening: ([u8; OPENING], usize),
}

/// What carries it.
#[derive(Debug)]
enum Stream {
    Clear(TcpStream),
    Tls(TlsStream),
    /// A handshake has failed: nothing more goes either way.
    Gone,
}

/// One of the two, for what both can do.
trait Either: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Either for T {}

impl Stream {
    fn tcp(&self) -> io::Result<&TcpStream> {
        match self {
            Stream::Clear(tcp) => Ok(tcp),
            Stream::Tls(tls) => Ok(tls.tcp()),
            Stream::Gone => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    fn either(&mut self) -> io::Result<&mut dyn Either> {
        match self {
            Stream::Clear(tcp) => Ok(tcp),
            Stream::Tls(tls) => Ok(tls),
            Stream::Gone => Err(io::ErrorKind::NotConnected.into()),
        }
    }
}

impl ControlStream {
    /// Takes over an accepted connection. `line_cap` is the longest line in bytes, `quiet` as in
    /// [`ControlStream::keep_alive`].
    ///
    /// # Errors
    /// When the socket refuses its options.
    pub fn new(stream: TcpStream, line_cap: usize, quiet: Option<Duration>) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        let socket = SockRef::from(&stream);
        // ABOR may come with urgent data (RFC 959 §4.1.3): in line, the Telnet marks stay where they belong.
        socket.set_out_of_band_inline(true)?;
        let stream = Stream::Clear(stream);
        let control = ControlStream {
            stream,
            lines: LineBuf::new(line_cap),
            out: Vec::new(),
            opening: ([0; OPENING], 0),
        };
        control.keep_alive(quiet)?;
        Ok(control)
    }

    /// How long the connection may be quiet before the system asks the other end whether it lives: whole seconds, from one
    /// to 32767. Without a time it never asks.
    ///
    /// # Errors
    /// When the socket refuses the option.
    pub fn keep_alive(&self, quiet: Option<Duration>) -> io::Result<()> {
        let socket = SockRef::from(self.stream.tcp()?);
        let Some(quiet) = quiet else { return socket.set_keepalive(false) };
        let interval = (quiet / 3).max(Duration::from_secs(1));
        let often = TcpKeepalive::new().with_time(quiet).with_interval(interval).with_retries(PROBES);
        socket.set_tcp_keepalive(&often)
    }

    /// The peer's address, never an IPv4 one in IPv6's clothes.
    ///
    /// # Errors
    /// When the connection is gone.
    pub fn peer(&self) -> io::Result<SocketAddr> {
        self.stream.tcp()?.peer_addr().map(canonical)
    }

    /// The address of ours that the peer reached.
    ///
    /// # Errors
    /// When the connection is gone.
    pub fn local(&self) -> io::Result<SocketAddr> {
        self.stream.tcp()?.local_addr().map(canonical)
    }

    /// What the system has taken for the peer and the peer has not acknowledged.
    #[must_use]
    pub fn send_queue(&self) -> Option<SendQueue> {
        SendQueue::of(self.stream.tcp().ok()?)
    }

    /// Bytes that we may put into one segment.
    ///
    /// # Errors
    /// When the connection is gone.
    pub fn mss(&self) -> io::Result<u32> {
        SockRef::from(self.stream.tcp()?).tcp_mss()
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

    /// Whether anything of the peer waits here that nobody has looked at.
    #[must_use]
    pub fn has_unread(&self) -> bool {
        !self.lines.is_empty()
    }

    /// Whether the peer began with a header of the PROXY protocol, which nobody has asked for here. It is known before the first
    /// line of version 1 is whole, and before the QUIT in version 2 is.
    #[must_use]
    pub fn began_with_header(&self) -> bool {
        is_header(&self.opening.0[..self.opening.1])
    }

    /// Begins TLS as the server: what was said goes out, then hands are shaken. `host` is what HOST has said.
    ///
    /// # Errors
    /// When that comes to nothing; the connection is of no use then.
    pub async fn accept_tls(
        &mut self,
        acceptor: &Acceptor,
        host: Option<String>,
        patience: Duration,
    ) -> Result<Secured<()>, TlsFault> {
        let tcp = self.give_up(patience).await?;
        let secured = acceptor.control(tcp, host, patience).await?;
        let (stream, secured) = secured.apart();
        self.stream = Stream::Tls(stream);
        Ok(secured)
    }

    /// Begins TLS as the client.
    ///
    /// # Errors
    /// When that comes to nothing; the connection is of no use then.
    pub async fn connect_tls(
        &mut self,
        connector: &Connector,
        patience: Duration,
    ) -> Result<&TlsStream, TlsFault> {
        let tcp = self.give_up(patience).await?;
        self.stream = Stream::Tls(connector.control(tcp, patience).await?);
        match &self.stream {
            Stream::Tls(stream) => Ok(stream),
            Stream::Clear(_) | Stream::Gone => Err(TlsFault::Gone("the connection is gone".to_owned())),
        }
    }

    /// The connection below, when all is said.
    async fn give_up(&mut self, patience: Duration) -> Result<TcpStream, TlsFault> {
        let gone = |e: io::Error| TlsFault::Gone(format!("the connection broke: {e}"));
        self.flush(patience).await.map_err(gone)?;
        match std::mem::replace(&mut self.stream, Stream::Gone) {
            Stream::Clear(tcp) => Ok(tcp),
            Stream::Tls(_) | Stream::Gone => Err(TlsFault::Gone("TLS is on already".to_owned())),
        }
    }

    /// Ends TLS and goes on in the clear (CCC): what was said goes out first.
    ///
    /// # Errors
    /// When the peer does not end it within `patience`, or is gone.
    pub async fn end_tls(&mut self, patience: Duration) -> io::Result<()> {
        self.flush(patience).await?;
        if let Stream::Tls(tls) = std::mem::replace(&mut self.stream, Stream::Gone) {
            self.stream = Stream::Clear(tokio::time::timeout(patience, tls.end_tls()).await??);
        }
        Ok(())
    }

    /// Waits for more bytes; `false` at the end of the stream. Nothing is lost when the future is dropped.
    ///
    /// # Errors
    /// When the connection broke.
    pub async fn read(&mut self) -> io::Result<bool> {
        poll_fn(|cx| self.poll_read(cx)).await
    }

    /// The buffer is here only while bytes are at hand: a session that waits has none.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let mut buffer = [0; READ];
        let read = match &mut self.stream {
            Stream::Clear(tcp) => ready!(poll_clear(tcp, cx, &mut buffer)),
            Stream::Tls(tls) => {
                let mut into = ReadBuf::new(&mut buffer);
                let read = ready!(Pin::new(tls).poll_read(cx, &mut into));
                read.map(|()| into.filled().len())
            }
            Stream::Gone => return Poll::Ready(Ok(false)),
        };
        Poll::Ready(self.arrived(&buffer, read).map(|arrived| arrived == Arrived::Bytes))
    }

    /// Takes what has arrived until now, without waiting. It asks the socket itself: the runtime may not have heard yet
    /// of bytes, or of an end, that came before something else that it has told us.
    ///
    /// # Errors
    /// When the connection broke.
    pub fn read_now(&mut self) -> io::Result<Arrived> {
        let mut buffer = [0; READ];
        let read = match &mut self.stream {
            Stream::Clear(tcp) => {
                let read = rustix::net::recv(tcp, &mut buffer, RecvFlags::DONTWAIT);
                read.map(|(read, _)| read).map_err(io::Error::from)
            }
            Stream::Tls(tls) => tls.read_now(&mut buffer),
            Stream::Gone => return Ok(Arrived::End),
        };
        self.arrived(&buffer, read)
    }

    fn arrived(&mut self, buffer: &[u8], read: io::Result<usize>) -> io::Result<Arrived> {
        match read {
            Ok(0) => Ok(Arrived::End),
            Ok(n) => {
                let (opening, known) = &mut self.opening;
                let more = n.min(OPENING - *known);
                opening[*known..*known + more].copy_from_slice(&buffer[..more]);
                *known += more;
                self.lines.feed(&buffer[..n]);
                Ok(Arrived::Bytes)
            }
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(Arrived::Nothing),
            Err(e) => Err(e),
        }
    }

    /// Puts a reply into the buffer that [`ControlStream::flush`] sends.
    pub fn say(&mut self, reply: &Reply) {
        self.out.reserve(USUAL);
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
        // A session that waits has no buffers.
        self.out = Vec::new();
        sent
    }

    /// The same without waiting, for what may be given up at any moment.
    ///
    /// # Errors
    /// When the socket does not take all of it at once, or the peer is gone.
    pub fn flush_now(&mut self) -> io::Result<()> {
        let out = std::mem::take(&mut self.out);
        let whole = match &mut self.stream {
            Stream::Clear(tcp) => tcp.try_write(&out)? == out.len(),
            Stream::Tls(tls) => tls.write_now(&out)?,
            Stream::Gone => false,
        };
        if whole { Ok(()) } else { Err(io::ErrorKind::WouldBlock.into()) }
    }

    async fn send(&mut self, patience: Duration) -> io::Result<()> {
        let stream = self.stream.either()?;
        let mut sending = pin!(async {
            stream.write_all(&self.out).await?;
            stream.flush().await
        });
        // Nearly always the socket takes it all at once; no timer is needed then.
        match poll_fn(|cx| Poll::Ready(sending.as_mut().poll(cx))).await {
            Poll::Ready(sent) => sent,
            Poll::Pending => Box::pin(tokio::time::timeout(patience, sending)).await?,
        }
    }

    /// Closes in order: what was said goes out, then the end. Bytes of the peer that nobody will read are taken for a
    /// moment, so that they do not make the system throw our last reply away.
    pub async fn close(mut self, patience: Duration) {
        let ended = async {
            self.flush(patience).await?;
            self.stream.either()?.shutdown().await
        };
        if matches!(tokio::time::timeout(patience, ended).await, Ok(Ok(()))) {
            let drained = async {
                while matches!(self.read().await, Ok(true)) {
                    while self.lines.next_line().is_some() {}
                }
            };
            let _ = tokio::time::timeout(Duration::from_secs(2).min(patience), drained).await;
        }
    }
}

/// Reads what is there. After whole lines nothing more is looked for before the system tells of it; but a mark of Telnet may be urgent
/// data, where reading stops though more is there (RFC 959 §4.1.3).
fn poll_clear(tcp: &TcpStream, cx: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>> {
    loop {
        ready!(tcp.poll_read_ready(cx))?;
        let mut read = None;
        let tried = tcp.try_io(Interest::READABLE, || {
            let (count, _) = rustix::net::recv(tcp, &mut *into, RecvFlags::DONTWAIT)?;
            read = Some(count);
            let bytes = &into[..count];
            let settled = count < into.len() && bytes.ends_with(b"\n") && !bytes.contains(&IAC);
            if settled { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(()) }
        });
        match (read, tried) {
            (Some(count), _) => return Poll::Ready(Ok(count)),
            (None, Err(e)) if e.kind() != io::ErrorKind::WouldBlock => return Poll::Ready(Err(e)),
            (None, _) => {}
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
pub(crate) fn canonical(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        v4 @ IpAddr::V4(_) => SocketAddr::new(v4, address.port()),
        // As it is: a link-local address has a scope.
        IpAddr::V6(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn a_quiet_connection_shows_that_it_lives_unless_it_is_told_not_to() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let _far = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let control = ControlStream::new(listener.accept().await.unwrap().0, 100, Some(KEEPALIVE)).unwrap();
        let often = || {
            let socket = SockRef::from(control.stream.tcp().unwrap());
            let seconds = |time: io::Result<Duration>| time.unwrap().as_secs();
            let (first, then) = (socket.tcp_keepalive_time(), socket.tcp_keepalive_interval());
            let probes = socket.tcp_keepalive_retries().unwrap();
            (socket.keepalive().unwrap(), seconds(first), seconds(then), probes)
        };
        assert_eq!(often(), (true, 45, 15, 4));
        control.keep_alive(Some(Duration::from_secs(2))).unwrap();
        assert_eq!(often(), (true, 2, 1, 4));
        control.keep_alive(None).unwrap();
        assert!(!often().0);
    }
}
