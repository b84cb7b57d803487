//! The plain loop with one reused buffer, on every system and for every wire: what the kernel cannot move, what is
//! recoded, what is no file.

use std::io;
use std::pin::Pin;
use std::task::Poll;

use tokio::io::{AsyncWriteExt, ReadBuf};

use crate::body::{Sink, Source};
use crate::cut::Cut;
use crate::pace::Pace;
use crate::range::{Range, write_all_at};
use crate::recode::{Decoder, Encoder};
use crate::wire::Wire;

/// The wire's end of a sending: coder and socket.
pub(crate) struct Outlet<'w> {
    wire: &'w mut dyn Wire,
    encoder: Option<Encoder>,
    /// The wire's form of what is gathered; stays empty where nothing is recoded.
    coded: Vec<u8>,
    /// Bytes of the file in it.
    carried: usize,
}

impl<'w> Outlet<'w> {
    pub(crate) fn new(wire: &'w mut dyn Wire, encoder: Option<Encoder>) -> Self {
        Outlet { wire, encoder, coded: Vec::new(), carried: 0 }
    }

    /// Sends what is left of a file's range.
    pub(crate) async fn send_range(mut self, range: &mut Range, pace: &mut Pace<'_>) -> Result<(), Cut> {
        let mut buffer = vec![0; range.next(BUFFER)];
        loop {
            let read = range.read(&mut buffer).map_err(|error| pace.file(error))?;
            if read == 0 {
                return self.finish(pace).await;
            }
            self.put(&buffer[..read], pace).await?;
        }
    }

    /// Sends bytes that are there already.
    pub(crate) async fn send_bytes(mut self, bytes: &[u8], pace: &mut Pace<'_>) -> Result<(), Cut> {
        // Recoded in pieces, so that the second form never doubles the memory.
        let most = if self.encoder.is_some() { BUFFER } else { usize::MAX };
        for piece in bytes.chunks(most) {
            self.put(piece, pace).await?;
        }
        self.finish(pace).await
    }

    /// Sends what a source makes, until it makes nothing.
    pub(crate) async fn send_source(
        mut self,
        source: &mut dyn Source,
        pace: &mut Pace<'_>,
    ) -> Result<(), Cut> {
        let mut buffer = Vec::new();
        loop {
            buffer.clear();
            source.fill(&mut buffer).await.map_err(|error| pace.file(error))?;
            if buffer.is_empty() {
                return self.finish(pace).await;
            }
            self.put(&buffer, pace).await?;
        }
    }

    /// Puts a piece on the wire. What is recoded is gathered into writes of some size, so that a small file goes out in
    /// one, with all that its form puts around it.
    async fn put(&mut self, bytes: &[u8], pace: &mut Pace<'_>) -> Result<(), Cut> {
        let Some(encoder) = &mut self.encoder else { return write(self.wire, bytes, true, pace).await };
        encoder.encode(bytes, &mut self.coded);
        self.carried += bytes.len();
        if self.coded.len() < GATHER { Ok(()) } else { self.put_coded(pace).await }
    }

    async fn put_coded(&mut self, pace: &mut Pace<'_>) -> Result<(), Cut> {
        let counts = self.encoder.as_ref().is_none_or(Encoder::counts_the_wire);
        write(self.wire, &self.coded, counts, pace).await?;
        if !counts {
            pace.count(self.carried);
        }
        self.carried = 0;
        self.coded.clear();
        Ok(())
    }

    async fn finish(mut self, pace: &mut Pace<'_>) -> Result<(), Cut> {
        if let Some(encoder) = &mut self.encoder {
            encoder.finish(&mut self.coded);
            self.put_coded(pace).await?;
        }
        // A TLS wire may have taken more than its socket has.
        let flushed = pace.hold(self.wire.flush()).await;
        flushed.map_err(|error| pace.wire(error))
    }
}

/// Writes all of `bytes`; `counts` when they are what is counted.
async fn write(wire: &mut dyn Wire, mut bytes: &[u8], counts: bool, pace: &mut Pace<'_>) -> Result<(), Cut> {
    while !bytes.is_empty() {
        let most = pace.allow(bytes.len()).await;
        match pace.hold(wire.write(&bytes[..most])).await {
            Ok(0) => return Err(pace.wire(io::ErrorKind::WriteZero)),
            Ok(written) => {
                bytes = &bytes[written..];
                if counts {
                    pace.count(written);
                }
                pace.rest().await;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(pace.wire(error)),
        }
    }
    Ok(())
}

/// Receives into the sink until the file ends or `enough` bytes have come in all; `true` when it has ended.
pub(crate) async fn receive(
    wire: &mut dyn Wire,
    sink: &mut Sink,
    mut decoder: Option<Decoder>,
    enough: u64,
    pace: &mut Pace<'_>,
) -> Result<bool, Cut> {
    // What is read beyond the end of a file is read twice: with several files on one wire a small buffer is cheaper.
    let first =
        if decoder.as_ref().is_some_and(Decoder::may_end_early) { SMALL_BUFFER } else { FIRST_BUFFER };
    let mut buffer = Box::new_uninit_slice(first);
    let mut plain = Vec::new();
    while pace.moved() < enough {
        if pace.moved() >= PROVEN && buffer.len() < BUFFER {
            buffer = Box::new_uninit_slice(BUFFER);
        }
        let most = pace.allow(buffer.len()).await;
        let mut filled = ReadBuf::uninit(&mut buffer[..most]);
        let end = gather(wire, &mut filled, pace).await;
        let bytes = filled.filled();
        match &mut decoder {
            None => {
                pace.count(bytes.len());
                keep(sink, bytes).await.map_err(|error| pace.file(error))?;
            }
            Some(decoder) => {
                if unpack(decoder, bytes, wire, sink, &mut plain, pace).await? {
                    return Ok(true);
                }
            }
        }
        if end.map_err(|error| pace.wire(error))? {
            if let Some(decoder) = &mut decoder {
                plain.clear();
                let fault = decoder.finish(&mut plain);
                keep(sink, &plain).await.map_err(|error| pace.file(error))?;
                fault.map_err(|error| pace.wire(error))?;
            }
            return Ok(true);
        }
        pace.rest().await;
    }
    Ok(false)
}

/// Decodes what came and keeps it, also what came before a fault: a client may resume behind it. `true` when the file
/// has ended; what is behind its end goes back to the wire.
async fn unpack(
    decoder: &mut Decoder,
    bytes: &[u8],
    wire: &mut dyn Wire,
    sink: &mut Sink,
    plain: &mut Vec<u8>,
    pace: &mut Pace<'_>,
) -> Result<bool, Cut> {
    let mut rest = bytes;
    loop {
        plain.clear();
        let (taken, fault) = decoder.decode(rest, plain);
        rest = &rest[taken.used..];
        pace.count(taken.carried);
        keep(sink, plain).await.map_err(|error| pace.file(error))?;
        fault.map_err(|error| pace.wire(error))?;
        if taken.ended {
            wire.unread(rest).map_err(|error| pace.wire(error))?;
            return Ok(true);
        }
        // A decoder that gives bounded pieces may have more of the same bytes.
        if taken.used == 0 && taken.carried == 0 {
            let stuck = io::Error::new(io::ErrorKind::InvalidData, "the data does not go on as it began");
            return if rest.is_empty() { Ok(false) } else { Err(pace.wire(stuck)) };
        }
    }
}

/// Reads until the buffer is full or the wire has nothing more to give just now, since TLS gives 16 KiB at a time and
/// a write to a file costs the same for more. Says whether the wire has ended; a fault does not undo what was read.
async fn gather(wire: &mut dyn Wire, into: &mut ReadBuf<'_>, pace: &mut Pace<'_>) -> io::Result<bool> {
    pace.hold(std::future::poll_fn(|cx| {
        loop {
            let before = into.filled().len();
            match Pin::new(&mut *wire).poll_read(cx, into) {
                Poll::Ready(Ok(())) if into.filled().len() == before => return Poll::Ready(Ok(true)),
                Poll::Ready(Ok(())) if into.remaining() == 0 => return Poll::Ready(Ok(false)),
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending if into.filled().is_empty() => return Poll::Pending,
                Poll::Pending => return Poll::Ready(Ok(false)),
            }
        }
    }))
    .await
}

async fn keep(sink: &mut Sink, bytes: &[u8]) -> io::Result<()> {
    match sink {
        _ if bytes.is_empty() => Ok(()),
        Sink::File { file, at } => write_all_at(file, bytes, at),
        Sink::Taker(taker) => taker.take(bytes).await,
    }
}

/// Bytes of the buffer once a transfer has shown that it is large.
const BUFFER: usize = 256 << 10;
/// Bytes of the first buffer where the next file may come behind this one.
const SMALL_BUFFER: usize = 16 << 10;
/// Bytes that are recoded before they are written.
const GATHER: usize = 128 << 10;
/// Bytes of the first buffer of a receiving, whose size nobody knows.
const FIRST_BUFFER: usize = 64 << 10;
/// Bytes after which a receiving counts as large: for the buffer here, and for a pipe in `copy`.
pub(crate) const PROVEN: u64 = 256 << 10;
