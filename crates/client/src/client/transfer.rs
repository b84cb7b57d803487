//! Fetching and storing: the data connection from the ask to its last word.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use twoport_net::tls::stream::Unfinished;
use twoport_net::{DataStream, SendQueue};
use twoport_pipe::{Body, Cut, Form, Framing, Progress, Recode, Side, Sink};
use twoport_proto::modes::Mode;
use twoport_proto::reply_reader::ReceivedReply;
use twoport_proto::{Moment, Request, Verb};
use twoport_session::client::io::{Answer, Ask, Failed, Road, TransferAsk};

use super::{Client, Moved, Put, Representation, request};
use crate::error::Error;
use crate::segments::Part;

impl Client {
    /// Fetches a file from byte `from` on.
    ///
    /// # Errors
    /// When the server refuses, no data connection comes about, or it ends too soon.
    pub async fn fetch(
        &mut self,
        path: &[u8],
        from: u64,
        sink: &mut Sink,
        progress: &Progress,
    ) -> Result<Moved, Error> {
        let path = &self.on_server(path)?;
        self.receive(Verb::Retr, path, from, sink, progress).await
    }

    pub(super) async fn receive(
        &mut self,
        verb: Verb,
        path: &[u8],
        from: u64,
        sink: &mut Sink,
        progress: &Progress,
    ) -> Result<Moved, Error> {
        let listing = matches!(verb, Verb::List | Verb::Nlst | Verb::Mlsd);
        let (ascii, recode) = match self.options.representation {
            _ if listing => (true, Recode::Ascii),
            Representation::Image => (false, Recode::None),
            Representation::Text => (true, Recode::Ascii),
            Representation::TextAsItCame => (true, Recode::None),
        };
        let mut ask = self.asking(request(verb, path)?, from, ascii);
        if verb == Verb::Retr && self.company.times && self.features.has("MDTM") {
            ask.also.push(request(Verb::Mdtm, path)?);
        }
        let (mut wire, road) = self.open_link(ask).await?;
        let framing = framing(self.mode);
        let receiving =
            twoport_pipe::receive(&mut wire, sink, Form { recode, framing }, self.terms(), progress);
        let over = async {
            match framing {
                // The end of the file is told in it, and the connection goes on behind it.
                Framing::Block => std::future::pending().await,
                _ => self.driver.over(progress).await,
            }
        };
        let mut ended = true;
        let moved = tokio::select! {
            moved = receiving => moved,
            // The end of the stream may be lost on the way, and so may what came before it: when the server has said that
            // all is over, and nothing more comes, then nothing more will. Whether this is all the stream does not say.
            well = over => {
                ended = false;
                if well { Ok(progress.moved()) } else { Err(given_up()) }
            }
            () = nothing_came(self.options.opening, progress) => Err(silence(self.options.opening)),
        };
        // Without TLS's own end somebody may have cut it: whether this is all, the stream does not say either.
        let moved = match moved {
            Err(cut) if Unfinished::is(&cut.source) => {
                ended = false;
                Ok(cut.moved)
            }
            moved => moved,
        };
        if moved.is_ok() && framing != Framing::Block {
            // Who has said all need not hear that we have heard it.
            let _ = wire.half_close().await;
        }
        // In a stream our end is closed before the last word is waited for: ProFTPD says it only then, or ten seconds later,
        // and vsftpd a round trip sooner.
        let wire = (moved.is_ok() && framing == Framing::Block).then_some(wire);
        let moved = self.finish(moved, road, wire).await?;
        Ok(Moved { confirmed: moved.confirmed && ended, ..moved })
    }

    /// Fetches the bytes `range` of a file into the same place of `into`, which tells how far it came. Where the server has
    /// no RANG, more comes than is wanted, and the data connection is closed on it.
    ///
    /// # Errors
    /// As [`fetch`](Client::fetch).
    pub(crate) async fn fetch_part(
        &mut self,
        path: &[u8],
        range: Range<u64>,
        into: &Part,
        progress: &Progress,
    ) -> Result<Road, Error> {
        let path = &self.on_server(path)?;
        let mut ask = self.asking(request(Verb::Retr, path)?, range.start, false);
        if self.features.offers("RANG STREAM") {
            ask.to = Some(range.end);
        }
        let (mut wire, road) = self.open_link(ask).await?;
        let mut sink = Sink::Taker(Box::new(into.clone()));
        let framing = framing(self.mode);
        let received = tokio::select! {
            received = twoport_pipe::receive(&mut wire, &mut sink, framing, self.terms(), progress) => received,
            () = nothing_came(self.options.opening, progress) => Err(silence(self.options.opening)),
        };
        let wire = (received.is_ok() && framing == Framing::Block).then_some(wire);
        let whole = into.at() == range.end;
        match self.finish(received, road, wire).await {
            Ok(_) if !whole => {
                let why = format!("it ended at byte {}, and was to go to {}", into.at(), range.end);
                Err(Error::Short { bytes: into.at() - range.start, why })
            }
            // What came behind it was not wanted, and what the server said of that is no matter.
            Ok(_) | Err(Error::Local { .. } | Error::Short { .. }) if whole => Ok(road),
            Ok(_) => Ok(road),
            Err(e) => Err(e),
        }
    }

    /// Says already now that these files will be fetched, in this order and from their beginning, over the data connection
    /// that stays open. False where there is none, and then nothing was said. Each must then be fetched in its turn.
    ///
    /// # Errors
    /// When a path cannot be sent.
    pub async fn fetch_ahead(&mut self, paths: &[&[u8]]) -> Result<bool, Error> {
        let paths: Vec<_> = paths.iter().map(|path| self.on_server(path)).collect::<Result<_, _>>()?;
        let paths: Vec<&[u8]> = paths.iter().map(AsRef::as_ref).collect();
        self.ahead(Verb::Retr, &paths, false).await
    }

    pub(super) async fn ahead(&mut self, verb: Verb, paths: &[&[u8]], ascii: bool) -> Result<bool, Error> {
        let paths: Result<Vec<Request>, Error> = paths.iter().map(|path| request(verb, path)).collect();
        let paths = paths?;
        if !self.driver.keeps_link() {
            return Ok(false);
        }
        for request in paths {
            self.driver.mention(Ask::Ahead { request, ascii }).await;
        }
        Ok(true)
    }

    /// Stores a file.
    ///
    /// # Errors
    /// When the server refuses, no data connection comes about, or it ends too soon.
    pub async fn store(
        &mut self,
        path: &[u8],
        put: Put,
        body: Body,
        progress: &Progress,
    ) -> Result<Moved, Error> {
        let path = &self.on_server(path)?;
        let (verb, from) = match put {
            Put::Replace => (Verb::Stor, 0),
            Put::Resume(from) => (Verb::Stor, from),
            Put::Append => (Verb::Appe, 0),
            Put::Unique => (Verb::Stou, 0),
        };
        let (ascii, recode) = match self.options.representation {
            Representation::Image => (false, Recode::None),
            Representation::Text | Representation::TextAsItCame => (true, Recode::Ascii),
        };
        // Nothing is said behind an upload: a server that takes it for the end of the transfer would keep half a file.
        let ask = TransferAsk::alone(request(verb, path)?, from, ascii);
        let (wire, road) = self.open_link(ask).await?;
        let (queue, began, patience) = (wire.send_queue(), progress.moved(), self.options.opening);
        let mut wire = Outgoing(Some(wire));
        let form = Form { recode, framing: framing(self.mode) };
        let terms = self.terms();
        let sent = match &mut wire.0 {
            Some(wire) => tokio::select! {
                sent = twoport_pipe::send(body, wire, form, terms, progress) => sent,
                never = self.driver.attend_on() => match never {},
                // A reset is small: it arrives, and the server lets go of the file.
                () = swallowed(queue, progress, began, patience) => return Err(vanished(patience)),
            },
            None => Ok(0),
        };
        let (moved, kept) = match (sent, wire.0.take()) {
            (Ok(bytes), Some(wire)) if form.framing == Framing::Block => (Ok(bytes), Some(wire)),
            (Ok(bytes), Some(mut wire)) => {
                let cut = |source| Cut { side: Side::Wire, moved: bytes, source };
                if let Err(e) = wire.half_close().await {
                    return self.finish(Err(cut(e)), road, None).await;
                }
                let finishing = async {
                    if wire.is_secure() {
                        // The tickets for the next transfers come behind what was sent (RFC 8446 §4.6.1).
                        tokio::select! {
                            _ = wire.drain(TICKETS) => {}
                            _ = self.driver.over(progress) => {}
                        }
                    }
                    self.finish(Ok(bytes), road, None).await
                };
                let finished = tokio::select! {
                    biased;
                    finished = finishing => Some(finished),
                    () = swallowed(queue, progress, began, patience) => None,
                };
                return finished.unwrap_or_else(|| {
                    wire.reset();
                    Err(vanished(patience))
                });
            }
            (sent, unfinished) => {
                wire.0 = unfinished;
                (sent, None)
            }
        };
        drop(wire);
        self.finish(moved, road, kept).await
    }

    /// Stores the bytes `range` of a file, up to its end; all of it where the server lets nobody go on in the middle, as
    /// ProFTPD as it comes. Gives where it began.
    ///
    /// # Errors
    /// As [`store`](Client::store).
    pub(crate) async fn store_from(
        &mut self,
        path: &[u8],
        file: &Arc<File>,
        range: Range<u64>,
        progress: &Progress,
    ) -> Result<(Moved, u64), Error> {
        let body = |from: u64| {
            let length = (range.end > from).then_some(range.end - from);
            Body::File { file: Arc::clone(file), from, length }
        };
        if range.start > 0 {
            match self.store(path, Put::Resume(range.start), body(range.start), progress).await {
                Err(Error::Refused { code: 451 | 500..=504 | 550 | 554 | 555, .. }) => {}
                stored => return stored.map(|moved| (moved, range.start)),
            }
        }
        self.store(path, Put::Replace, body(0), progress).await.map(|moved| (moved, 0))
    }

    fn asking(&self, request: Request, from: u64, ascii: bool) -> TransferAsk {
        TransferAsk { more: self.company.more, ..TransferAsk::alone(request, from, ascii) }
    }

    async fn open_link(&mut self, ask: TransferAsk) -> Result<(DataStream, Road), Error> {
        // Better now than when the server has emptied a file for us.
        if self.driver.lacks_tickets() {
            return Err(Error::NotResumed("the server has given no more tickets to resume it by".to_owned()));
        }
        match self.driver.ask(Ask::Transfer(ask)).await {
            Answer::Open(road) => match self.driver.take_link() {
                Some(wire) => Ok((self.protect(wire).await?, road)),
                None => Err(Error::OutOfStep("the data connection is not there".to_owned())),
            },
            Answer::Failed(failed) => Err(self.failure(failed)),
            Answer::Done(reply) => Err(Error::refused(&reply)),
            Answer::Unconfirmed => Err(Error::OutOfStep("the server fell silent".to_owned())),
        }
    }

    /// TLS on the data connection, behind 150 and before the first byte, for a file of no bytes too.
    async fn protect(&mut self, wire: DataStream) -> Result<DataStream, Error> {
        let fault = match self.driver.protect(wire).await {
            Ok((wire, resumed)) => {
                self.fresh = !resumed;
                return Ok(wire);
            }
            Err(fault) => fault,
        };
        let said = self.driver.ask(Ask::Finish { whole: false }).await;
        if let Some(found) = self.driver.judgement().filter(|found| found.doubt.is_some()) {
            let server = self.driver.server().ip().to_string();
            let on = format!("the data connection to {server}");
            return Err(self.options.security.insecure(&on, &fault.to_string(), None, Some(found)));
        }
        let refused = match said {
            Answer::Failed(failed) => format!("; {}", self.failure(failed)),
            _ => String::new(),
        };
        Err(Error::Short {
            bytes: 0,
            why: format!("no TLS came about on the data connection: {fault}{refused}"),
        })
    }

    async fn finish(
        &mut self,
        moved: Result<u64, Cut>,
        road: Road,
        wire: Option<DataStream>,
    ) -> Result<Moved, Error> {
        let whole = moved.is_ok();
        let answer = self.driver.ask(Ask::Finish { whole }).await;
        if let Some(wire) = wire {
            self.driver.keep_link(wire);
        }
        let told = self.driver.take_also().into_iter().find(|reply| reply.code == 213);
        let modified = told.and_then(|reply| Moment::read_stamp(reply.text().trim().as_bytes()).ok());
        if let Answer::Failed(Failed::Refused(reply)) = &answer
            && self.fresh
            && is_about_resumption(reply)
        {
            return Err(Error::NotResumed(format!("{} {}", reply.code, reply.text())));
        }
        match (moved, answer) {
            (Ok(bytes), Answer::Done(_)) => Ok(Moved { bytes, road, confirmed: true, modified }),
            (Ok(bytes), Answer::Unconfirmed) => Ok(Moved { bytes, road, confirmed: false, modified }),
            (Ok(bytes), Answer::Failed(failed)) => {
                Err(Error::Short { bytes, why: Error::from(failed).to_string() })
            }
            (Err(cut), _) if cut.side == Side::File => {
                Err(Error::Local { what: format!("after {} bytes", cut.moved), source: cut.source })
            }
            (Err(cut), Answer::Failed(failed)) => Err(Error::Short {
                bytes: cut.moved,
                why: format!("{}; {}", cut.source, Error::from(failed)),
            }),
            (Err(cut), _) => Err(Error::Short { bytes: cut.moved, why: cut.source.to_string() }),
            (Ok(bytes), Answer::Open(_)) => Err(Error::Short { bytes, why: "out of step".to_owned() }),
        }
    }
}

/// The connection of a store. The end of the stream says that the file is whole: whoever gives up before, by a fault or
/// because nobody waits any more, must not say it, and resets.
struct Outgoing(Option<DataStream>);

impl Drop for Outgoing {
    fn drop(&mut self) {
        if let Some(wire) = self.0.take() {
            wire.reset();
        }
    }
}

/// Whether a server may mean that the session was not resumed: vsftpd and twoport say 522, ProFTPD 425, FileZilla Server 425.
fn is_about_resumption(reply: &ReceivedReply) -> bool {
    matches!(reply.code, 425 | 522)
}

/// How long a server may take to close its end of an upload's connection.
const TICKETS: Duration = Duration::from_secs(5);

/// What MODE makes of the bytes.
fn framing(mode: Mode) -> Framing {
    match mode {
        Mode::Block => Framing::Block,
        Mode::Deflate => Framing::Deflate,
        // MODE C is never asked for.
        Mode::Stream | Mode::Compressed => Framing::Stream,
    }
}

/// Ends when not one byte has come after so long: a road on which small packets pass and full ones vanish looks so. Where it
/// was we who held the bytes back, nothing can be said.
async fn nothing_came(patience: Duration, progress: &Progress) {
    let before = progress.pulse();
    tokio::time::sleep(patience).await;
    if before.is_none() || progress.pulse() != before {
        std::future::pending().await
    }
}

/// Ends when the peer has acknowledged not one byte more for so long, of bytes that wait for it: small packets pass, or there
/// would be no connection, and full ones vanish.
async fn swallowed(queue: Option<SendQueue>, progress: &Progress, began: u64, patience: Duration) {
    let Some(queue) = queue else { return std::future::pending().await };
    // A queue that is as long as before may be one that is filled as fast as it is emptied.
    let look = || (queue.unacknowledged(), progress.moved());
    loop {
        let before = look();
        tokio::time::sleep(patience).await;
        match before.0 {
            None => return std::future::pending().await,
            // The first segment is a full one: where it was acknowledged, full ones pass, and the server is only slow.
            Some(left) if before.1 - began > left => return std::future::pending().await,
            Some(0) => {}
            Some(_) if look() == before => return,
            Some(_) => {}
        }
    }
}

fn vanished(patience: Duration) -> Error {
    let seconds = patience.as_secs();
    let why = format!("for {seconds} seconds the server acknowledged nothing more of what was sent");
    Error::Short { bytes: 0, why }
}

fn given_up() -> Cut {
    let text = "the server gave the transfer up, and the data connection was not closed";
    Cut { side: Side::Wire, moved: 0, source: io::Error::other(text) }
}

fn silence(patience: Duration) -> Cut {
    let text =
        format!("the data connection is there, and nothing came over it for {} seconds", patience.as_secs());
    Cut { side: Side::Wire, moved: 0, source: io::Error::new(io::ErrorKind::TimedOut, text) }
}
