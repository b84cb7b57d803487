//! `DataStream`: a data connection, plain or in TLS, opened, used, perhaps for several files, and closed in the right order.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::RecvFlags;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use twoport_pipe::{Bare, Wire};

use crate::late::LateStream;
use crate::queue::{Delivery, SendQueue, delivery};
use crate::tls::{Acceptor, Connector, Facts, Member, TlsFault, TlsStream, Whose};

/// A data connection. It may carry several files (MODE B), and then what was read too far for one waits here for the next.
#[derive(Debug)]
pub struct DataStream {
    stream: Stream,
    unread: Vec<u8>,
}

/// What carries it.
#[derive(Debug)]
enum Stream {
    Clear(LateStream),
    Tls(TlsStream),
}

impl From<LateStream> for DataStream {
    fn from(stream: LateStream) -> Self {
        DataStream { stream: Stream::Clear(stream), unread: Vec::new() }
    }
}

impl DataStream {
    /// Takes over a connection that is open.
    #[must_use]
    pub fn new(stream: TcpStream) -> Self {
        LateStream::from(stream).into()
    }

    /// The same where each thread has a runtime of its own: it is known to that of whichever thread waits for it.
    #[must_use]
    pub fn at_home(stream: TcpStream) -> Self {
        LateStream::at_home(stream).into()
    }

    /// Begins TLS as the server, whichever side has connected (RFC 4217 §7): what was agreed on, and whose session was
    /// resumed. `host` is what HOST has said, `tickets` whether the peer will read some.
    ///
    /// # Errors
    /// When that comes to nothing within `patience`.
    pub async fn accept_tls(
        self,
        acceptor: &Acceptor,
        member: &Member,
        host: Option<&str>,
        tickets: bool,
        patience: Duration,
    ) -> Result<(DataStream, Facts, Whose), TlsFault> {
        let tcp = self.for_tls()?;
        let (tls, facts, whose) = acceptor.data(tcp, member, host, tickets, patience).await?;
        Ok((DataStream { stream: Stream::Tls(tls), unread: Vec::new() }, facts, whose))
    }

    /// Begins TLS as the client.
    ///
    /// # Errors
    /// When that comes to nothing within `patience`.
    pub async fn connect_tls(
        self,
        connector: &Connector,
        patience: Duration,
    ) -> Result<(DataStream, Facts), TlsFault> {
        let tcp = self.for_tls()?;
        let tls = connector.data(tcp, patience).await?;
        let facts = tls.facts();
        Ok((DataStream { stream: Stream::Tls(tls), unread: Vec::new() }, facts))
    }

    /// Whether it is in TLS.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        matches!(self.stream, Stream::Tls(_))
    }

    fn for_tls(self) -> Result<TcpStream, TlsFault> {
        match self.stream {
            Stream::Clear(tcp) => {
                tcp.into_known().map_err(|e| TlsFault::Gone(format!("the connection broke: {e}")))
            }
            Stream::Tls(_) => Err(TlsFault::Gone("TLS is on already".to_owned())),
        }
    }

    fn tcp(&self) -> BorrowedFd<'_> {
        match &self.stream {
            Stream::Clear(tcp) => tcp.as_fd(),
            Stream::Tls(tls) => tls.tcp().as_fd(),
        }
    }

    /// Says that no more bytes come behind the `sent` ones, which are as many on the wire where they went `as_they_are`; the peer sees
    /// the end after the last of them. Few bytes are left to the system to deliver, as the reply that follows is. Many are waited for,
    /// as long as the peer goes on to acknowledge some within `stall`: what a network swallows is not said to be sent. In TLS the
    /// peer's own end is awaited for a moment: a peer that breaks the connection instead has not heard ours.
    ///
    /// # Errors
    /// When the peer has broken the connection, or has acknowledged nothing for `stall` ([`io::ErrorKind::TimedOut`]).
    pub async fn finish(&mut self, sent: u64, as_they_are: bool, stall: Duration) -> io::Result<()> {
        let as_they_are = as_they_are && !self.is_secure();
        match self.half_close().await {
            Ok(()) => {}
            // So it is told of one that was reset before, be it behind the last byte.
            Err(e) if e.kind() == io::ErrorKind::NotConnected => {
                let may_have_all = |now: Delivery| as_they_are && self.may_have(sent, now);
                return match delivery(&self.tcp()).is_some_and(may_have_all) {
                    true => Ok(()),
                    false => Err(io::ErrorKind::ConnectionReset.into()),
                };
            }
            Err(e) => return Err(e),
        }
        // In TLS more goes over the wire, deflated less; the system has the rest of it, and the end.
        let wanted = match (as_they_are, delivery(&self.tcp())) {
            _ if sent <= FEW => None,
            (true, _) => Some(sent),
            (false, now) => {
                let left = self.send_queue().and_then(|queue| queue.unacknowledged()).unwrap_or(0);
                now.map(|now| now.acknowledged + left.saturating_sub(1))
            }
        };
        if self.is_secure() {
            self.drain(FAREWELL).await?;
        }
        match wanted {
            Some(wanted) => self.deliver(wanted, stall).await,
            None => Ok(()),
        }
    }

    /// Waits until the peer has acknowledged so many bytes.
    async fn deliver(&mut self, wanted: u64, stall: Duration) -> io::Result<()> {
        let (mut before, mut moved, mut pause) = (None, Instant::now(), SOON);
        let mut open = true;
        loop {
            let now = delivery(&self.tcp()).filter(|now| now.acknowledged < wanted);
            let Some(now) = now else { return Ok(()) };
            if now.over && self.may_have(wanted, now) {
                return Ok(());
            } else if now.over {
                return Err(io::ErrorKind::ConnectionReset.into());
            }
            if before != Some(now) {
                (before, moved) = (Some(now), Instant::now());
            } else if moved.elapsed() >= stall {
                return Err(io::ErrorKind::TimedOut.into());
            }
            let mut rest = [0; 512];
            tokio::select! {
                // Who has read the end ends too, mostly, in one way or the other; what he had before is seen at the next look.
                read = self.read(&mut rest), if open => open = read.is_ok_and(|n| n > 0),
                () = tokio::time::sleep(pause) => pause = (pause * 2).min(SELDOM),
            }
        }
    }

    /// Whether a peer that has reset the connection may have had so many bytes: it says so of two segments at once, and who resets
    /// behind the last byte does not say it any more.
    fn may_have(&self, wanted: u64, now: Delivery) -> bool {
        wanted.saturating_sub(now.acknowledged) <= 2 * u64::from(self.mss().unwrap_or(0))
    }

    /// The same without waiting, and the connection is kept, so that its send queue tells what becomes of the bytes.
    ///
    /// # Errors
    /// When the peer has broken the connection before.
    pub async fn half_close(&mut self) -> io::Result<()> {
        match &mut self.stream {
            Stream::Clear(tcp) => tcp.shut_down(),
            Stream::Tls(tls) => tls.shutdown().await,
        }
    }

    /// Reads to the peer's end, and to no purpose but this: tickets for the next transfer come behind what was sent, and a
    /// connection that is closed with something unread in it is reset. A peer that keeps it open is waited for so long.
    ///
    /// # Errors
    /// When the peer has broken the connection.
    pub async fn drain(&mut self, patience: Duration) -> io::Result<()> {
        let drained = async {
            let mut rest = [0; 4096];
            while self.read(&mut rest).await? > 0 {}
            Ok(())
        };
        match tokio::time::timeout(patience, drained).await {
            // Who has heard our end need not say that it is the end.
            Ok(Err(e)) if crate::tls::stream::Unfinished::is(&e) => Ok(()),
            Ok(drained) => drained,
            Err(_) => Ok(()),
        }
    }

    /// Bytes that we may put into one segment.
    #[must_use]
    pub fn mss(&self) -> Option<u32> {
        SockRef::from(&self.tcp()).tcp_mss().ok()
    }

    /// Its send queue, to be looked at while bytes pass.
    #[must_use]
    pub fn send_queue(&self) -> Option<SendQueue> {
        SendQueue::of(&self.tcp())
    }
}

/// Bytes that are on the way at once at the beginning of a transfer, and so of a small file.
const FEW: u64 = 64 << 10;

/// How often it is looked whether bytes were delivered: at first, and at last.
const SOON: Duration = Duration::from_millis(1);
const SELDOM: Duration = Duration::from_millis(100);

/// How long the peer may take to end TLS, once we have.
const FAREWELL: Duration = Duration::from_secs(1);

impl DataStream {
    /// Whether the peer has begun to speak already, in the clear or with what TLS begins with.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        let mut byte = [0; 1];
        let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        rustix::net::recv(self.tcp(), &mut byte[..], flags).is_ok_and(|(there, _)| there > 0)
    }

    /// Whether the peer has closed it, and nothing is left to read.
    #[must_use]
    pub fn is_over(&mut self) -> bool {
        if !self.unread.is_empty() {
            return false;
        }
        match &mut self.stream {
            Stream::Clear(tcp) => {
                let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
                let mut byte = [0; 1];
                match rustix::net::recv(tcp, &mut byte[..], flags) {
                    Ok((there, _)) => there == 0,
                    Err(e) => !matches!(e, Errno::AGAIN | Errno::INTR),
                }
            }
            Stream::Tls(tls) => {
                let mut some = [0; 4096];
                match tls.read_now(&mut some) {
                    Ok(0) => true,
                    Ok(read) => {
                        self.unread.extend_from_slice(&some[..read]);
                        false
                    }
                    Err(e) => e.kind() != io::ErrorKind::WouldBlock,
                }
            }
        }
    }

    /// Ends it by a reset: the peer sees that what came is not whole.
    pub fn reset(self) {
        // Where the option is refused the connection is dropped all the same.
        let _ = SockRef::from(&self.tcp()).set_linger(Some(Duration::ZERO));
    }
}

impl Wire for DataStream {
    fn bare(&mut self) -> Option<&mut dyn Bare> {
        match &mut self.stream {
            Stream::Clear(tcp) if self.unread.is_empty() => Some(tcp),
            Stream::Clear(_) | Stream::Tls(_) => None,
        }
    }

    fn unread(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.unread.splice(..0, bytes.iter().copied());
        Ok(())
    }
}

impl AsyncRead for DataStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.unread.is_empty() {
            let most = self.unread.len().min(buf.remaining());
            buf.put_slice(&self.unread[..most]);
            self.unread.drain(..most);
            return Poll::Ready(Ok(()));
        }
        match &mut self.stream {
            Stream::Clear(tcp) => Pin::new(tcp).poll_read(cx, buf),
            Stream::Tls(tls) => Pin::new(tls).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for DataStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.stream {
            Stream::Clear(tcp) => Pin::new(tcp).poll_write(cx, buf),
            Stream::Tls(tls) => Pin::new(tls).poll_write(cx, buf),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Clear(tcp) => Pin::new(tcp).poll_flush(cx),
            Stream::Tls(tls) => Pin::new(tls).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Clear(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Stream::Tls(tls) => Pin::new(tls).poll_shutdown(cx),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::net::TcpListener;
    use twoport_pipe::{Body, Boxed, Form, Framing, Progress, Recode, Sink, Taker};

    use super::*;

    /// Hands on what it takes.
    struct Channel(std::sync::mpsc::Sender<Vec<u8>>);

    impl Taker for Channel {
        fn take<'a>(&'a mut self, bytes: &'a [u8]) -> Boxed<'a, ()> {
            self.0.send(bytes.to_vec()).unwrap();
            Box::pin(std::future::ready(Ok(())))
        }
    }

    async fn pair() -> (DataStream, DataStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (near, far) = tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), listener.accept());
        (DataStream::new(near.unwrap()), DataStream::new(far.unwrap().0))
    }

    async fn receive(wire: &mut DataStream, form: Form) -> Vec<u8> {
        let (sender, taken) = std::sync::mpsc::channel();
        let mut sink = Sink::Taker(Box::new(Channel(sender)));
        let progress = Progress::default();
        let moved = twoport_pipe::receive(wire, &mut sink, form, Duration::from_secs(60), &progress).await;
        drop(sink);
        let file: Vec<u8> = taken.iter().flatten().collect();
        let (moved, counted) = (moved.unwrap(), progress.moved());
        assert_eq!(moved, counted);
        if form.recode == Recode::None {
            assert_eq!(moved, file.len() as u64, "headers are not counted");
        }
        file
    }

    #[tokio::test]
    async fn in_blocks_many_files_go_over_one_connection() {
        for recode in [Recode::None, Recode::Ascii] {
            let form = Form { recode, framing: Framing::Block };
            let (mut near, mut far) = pair().await;
            let files: Vec<Vec<u8>> = [0, 1, 3, 4096, 65_535, 65_536, 300_000, 0, 7]
                .into_iter()
                .map(|size| (0..size).map(|at: u32| (at % 113) as u8).collect())
                .collect();
            let sending = async {
                for file in &files {
                    let (body, progress) = (Body::Bytes(file.clone()), Progress::default());
                    let stall = Duration::from_secs(60);
                    twoport_pipe::send(body, &mut near, form, stall, &progress).await.unwrap();
                }
                near.finish(0, true, FAREWELL).await.unwrap();
            };
            let receiving = async {
                for file in &files {
                    assert!(receive(&mut far, form).await == *file, "{} bytes", file.len());
                }
                assert!(far.unread.is_empty());
            };
            tokio::join!(sending, receiving);
        }
    }

    #[tokio::test]
    async fn deflated_a_file_ends_with_its_connection() {
        for recode in [Recode::None, Recode::Ascii, Recode::AsciiRecord] {
            let form = Form { recode, framing: Framing::Deflate };
            let (mut near, mut far) = pair().await;
            let file: Vec<u8> = (0..3_000_000u32).map(|at| (at / 3 % 97 + 14) as u8).collect();
            let sending = async {
                let (body, progress) = (Body::Bytes(file.clone()), Progress::default());
                twoport_pipe::send(body, &mut near, form, Duration::from_secs(60), &progress).await.unwrap();
                near.finish(0, true, FAREWELL).await.unwrap();
            };
            let (back, ()) = tokio::join!(receive(&mut far, form), sending);
            assert!(back == file);
        }
    }

    #[tokio::test]
    async fn a_connection_that_ends_between_the_blocks_is_a_cut() {
        let (mut near, mut far) = pair().await;
        near.write_all(b"\0\0\x05abc").await.unwrap();
        near.finish(0, true, FAREWELL).await.unwrap();
        let (sender, _taken) = std::sync::mpsc::channel();
        let mut sink = Sink::Taker(Box::new(Channel(sender)));
        let (stall, progress) = (Duration::from_secs(60), Progress::default());
        let cut = twoport_pipe::receive(&mut far, &mut sink, Framing::Block, stall, &progress).await;
        assert_eq!(cut.unwrap_err().source.kind(), io::ErrorKind::UnexpectedEof);
    }

    #[tokio::test]
    async fn much_is_sent_when_the_peer_has_it() {
        let (mut near, mut far) = pair().await;
        let file = vec![7; 8 << 20];
        let sending = async {
            near.write_all(&file).await.unwrap();
            near.finish(file.len() as u64, true, Duration::from_secs(60)).await.unwrap();
            assert!(delivery(&near.tcp()).unwrap().acknowledged >= file.len() as u64);
        };
        let taking = async {
            let mut taken = Vec::new();
            far.read_to_end(&mut taken).await.unwrap();
            taken.len()
        };
        let (taken, ()) = tokio::join!(taking, sending);
        assert_eq!(taken, file.len());
    }

    #[tokio::test]
    async fn what_became_less_on_its_way_is_delivered_when_the_peer_has_what_there_was() {
        let (mut near, mut far) = pair().await;
        let sending = async {
            near.write_all(&[7; 1 << 17]).await.unwrap();
            near.finish(1 << 20, false, Duration::from_secs(60)).await.unwrap();
        };
        let taking = async { far.read_to_end(&mut Vec::new()).await.unwrap() };
        assert_eq!(tokio::join!(taking, sending).0, 1 << 17);
    }

    #[tokio::test]
    async fn who_resets_the_connection_behind_its_end_has_it_all() {
        let (mut near, mut far) = pair().await;
        let file = vec![7; 1 << 20];
        let sending = async {
            near.write_all(&file).await.unwrap();
            near.finish(file.len() as u64, true, Duration::from_secs(60)).await
        };
        let taking = async {
            assert_eq!(far.read_to_end(&mut Vec::new()).await.unwrap(), file.len());
            SockRef::from(&far.tcp()).set_linger(Some(Duration::ZERO)).unwrap();
            drop(far);
        };
        tokio::join!(taking, sending).1.unwrap();
    }

    /// Writes until the system takes nothing more, and says how much that was.
    async fn fill(near: &mut DataStream) -> u64 {
        let mut wrote = 0;
        while let Ok(n) = tokio::time::timeout(Duration::from_millis(200), near.write(&[7; 1 << 16])).await {
            wrote += n.unwrap() as u64;
        }
        wrote
    }

    #[tokio::test]
    async fn who_resets_the_connection_before_does_not() {
        let (mut near, mut far) = pair().await;
        let wrote = fill(&mut near).await;
        let ending = near.finish(wrote, true, Duration::from_secs(60));
        let leaving = async {
            far.read_exact(&mut [0; 1 << 16]).await.unwrap();
            SockRef::from(&far.tcp()).set_linger(Some(Duration::ZERO)).unwrap();
            drop(far);
        };
        let (ended, ()) = tokio::join!(ending, leaving);
        assert_eq!(ended.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    }

    #[tokio::test]
    async fn what_the_peer_does_not_take_is_not_sent() {
        let (mut near, _far) = pair().await;
        let wrote = fill(&mut near).await;
        let full = Duration::from_millis(200);
        let ended = near.finish(wrote, true, full).await;
        assert_eq!(ended.unwrap_err().kind(), io::ErrorKind::TimedOut);
        // Few bytes are the system's business.
        near.finish(FEW, true, full).await.unwrap();
    }

    #[tokio::test]
    async fn what_the_peer_has_is_not_in_the_queue() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (_peer, _) = listener.accept().await.unwrap();
        let mut data = DataStream::new(stream);
        data.write_all(b"hello").await.unwrap();
        // On loopback the acknowledgement is there as soon as somebody looks; it is waited for all the same.
        while data.send_queue().unwrap().unacknowledged() != Some(0) {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    }
}
