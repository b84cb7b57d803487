//! The TCP connection below a TLS stream. Data connections are read ahead of rustls, which asks for 4 KiB at a time; control
//! connections have three peculiarities of FTP: they can be looked at without waiting, can stay open when TLS ends (CCC), and
//! then nothing that comes behind TLS is read into it.

use std::io::{self, IoSlice};
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll};

use rustix::net::RecvFlags;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

#[derive(Debug)]
pub(super) struct Socket {
    pub(super) tcp: TcpStream,
    /// Reads ask the system itself and never wait.
    pub(super) eager: bool,
    /// The end of TLS is not the end of the connection.
    pub(super) stays: bool,
    /// Hands are being shaken, by us as the server.
    pub(super) greets: bool,
    /// With `stays`: bytes of the record that is being read which are still to come.
    left: usize,
    ahead: Option<Ahead>,
}

/// What was read ahead. It is small until a transfer has shown that it is large.
#[derive(Debug, Default)]
struct Ahead {
    room: Vec<u8>,
    /// What of it is still to be handed on.
    there: Range<usize>,
    /// Whether the last read has filled it.
    full: bool,
}

/// Bytes that are read ahead at first, and at most.
const FIRST: usize = 8 << 10;
const MOST: usize = 256 << 10;

impl Ahead {
    /// Hands on what is there; false when there is nothing.
    fn give(&mut self, buf: &mut ReadBuf<'_>) -> bool {
        let most = self.there.len().min(buf.remaining());
        buf.put_slice(&self.room[self.there.start..self.there.start + most]);
        self.there.start += most;
        most > 0
    }

    fn fill(&mut self, tcp: &mut TcpStream, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.room.is_empty() || self.full {
            self.room.resize((self.room.len() * 2).clamp(FIRST, MOST), 0);
        }
        let mut room = ReadBuf::new(&mut self.room);
        std::task::ready!(Pin::new(tcp).poll_read(cx, &mut room))?;
        self.there = 0..room.filled().len();
        self.full = room.remaining() == 0;
        Poll::Ready(Ok(()))
    }
}

/// The header of a record: type, version, length (RFC 8446 §5.1).
const HEADER: usize = 5;

impl Socket {
    pub(super) fn new(tcp: TcpStream) -> Self {
        Socket { tcp, eager: false, stays: false, greets: false, left: 0, ahead: None }
    }

    /// The same for a data connection.
    pub(super) fn of_data(tcp: TcpStream) -> Self {
        Socket { ahead: Some(Ahead::default()), ..Socket::new(tcp) }
    }

    /// How many bytes may be read so that nothing behind the record is: all of the record once its header is there. None
    /// when what comes is no record.
    fn allowed(&mut self) -> io::Result<Option<usize>> {
        if self.left == 0 {
            let mut header = [0; HEADER];
            let (there, _) =
                rustix::net::recv(&self.tcp, &mut header[..], RecvFlags::PEEK | RecvFlags::DONTWAIT)?;
            // change_cipher_spec, alert, handshake, application_data.
            if there > 0 && !(20..=23).contains(&header[0]) {
                return Ok(None);
            }
            if there == 0 {
                return Ok(None);
            }
            if there < HEADER {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            self.left = HEADER + usize::from(u16::from_be_bytes([header[3], header[4]]));
        }
        Ok(Some(self.left))
    }

    /// A client that sends its last words of the handshake in small pieces (GnuTLS: lftp, wget) sends each when the one
    /// before it is acknowledged: our system would do that after 40 ms, behind which lie our tickets, for which wget waits
    /// 50 ms. What we send makes the system wait again.
    fn answers_at_once(&self) {
        if self.greets {
            let _ = rustix::net::sockopt::set_tcp_quickack(&self.tcp, true);
        }
    }

    fn read_now(&mut self, most: usize, buf: &mut ReadBuf<'_>) -> io::Result<usize> {
        let most = most.min(buf.remaining());
        let (read, _) = rustix::net::recv(&self.tcp, buf.initialize_unfilled_to(most), RecvFlags::DONTWAIT)?;
        buf.advance(read);
        Ok(read)
    }

    /// One record at a time.
    fn read_guarded(&mut self, buf: &mut ReadBuf<'_>) -> io::Result<()> {
        let Some(most) = self.allowed()? else { return Ok(()) };
        let read = self.read_now(most, buf)?;
        self.left = if read == 0 { 0 } else { self.left - read };
        Ok(())
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if let Some(ahead) = &mut this.ahead {
            if ahead.give(buf) {
                return Poll::Ready(Ok(()));
            }
            if !this.eager && buf.remaining() < MOST {
                std::task::ready!(ahead.fill(&mut this.tcp, cx))?;
                ahead.give(buf);
                return Poll::Ready(Ok(()));
            }
        }
        if self.eager {
            return match self.read_now(usize::MAX, buf) {
                Ok(_) => Poll::Ready(Ok(())),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
                Err(e) => Poll::Ready(Err(e)),
            };
        }
        if !self.stays {
            return Pin::new(&mut self.tcp).poll_read(cx, buf);
        }
        loop {
            std::task::ready!(self.tcp.poll_read_ready(cx))?;
            match self.read_guarded(buf) {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    // The runtime learns that there is nothing by a read of its own that finds nothing.
                    let _ = self.tcp.try_io(tokio::io::Interest::READABLE, || {
                        Err::<(), _>(io::ErrorKind::WouldBlock.into())
                    });
                }
                read => return Poll::Ready(read),
            }
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let sent = Pin::new(&mut self.tcp).poll_write(cx, buf);
        self.answers_at_once();
        sent
    }

    /// All records in one go: when a handshake fails, one attempt is made to send what is left of it and the alert behind.
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let sent = Pin::new(&mut self.tcp).poll_write_vectored(cx, parts);
        self.answers_at_once();
        sent
    }

    fn is_write_vectored(&self) -> bool {
        self.tcp.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.stays { Poll::Ready(Ok(())) } else { Pin::new(&mut self.tcp).poll_shutdown(cx) }
    }
}
