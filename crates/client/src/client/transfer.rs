//! Fetching and storing: the data connection from the ask to its last word.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use twoport_net::DataStream;
use twoport_pipe::{Body, Cut, Progress, Recode, Side, Sink};
use twoport_proto::{Request, Verb};
use twoport_session::client::io::{Answer, Ask, Road, TransferAsk};

use super::{Client, Moved, Put, request};
use crate::error::Error;

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
        let ascii = matches!(verb, Verb::List | Verb::Nlst | Verb::Mlsd);
        let (mut wire, road) = self.open(request(verb, path)?, from, ascii).await?;
        let receiving = twoport_pipe::receive(&mut wire, sink, Recode::None, self.options.stall, progress);
        let moved = tokio::select! {
            moved = receiving => moved,
            // The server's end of the stream may be lost on the way: when it has said that all is over, and nothing
            // more comes, all is over.
            () = self.driver.over(progress) => Ok(progress.moved()),
            () = nothing_came(self.options.opening, progress) => Err(silence(self.options.opening)),
        };
        drop(wire);
        self.finish(moved, road).await
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
        let (verb, from) = match put {
            Put::Replace => (Verb::Stor, 0),
            Put::Resume(from) => (Verb::Stor, from),
            Put::Append => (Verb::Appe, 0),
        };
        let (mut wire, road) = self.open(request(verb, path)?, from, false).await?;
        let sent = twoport_pipe::send(body, &mut wire, Recode::None, self.options.stall, progress).await;
        // The end of the stream says that the file is whole: after a fault it must not be said.
        let moved = match sent {
            Ok(bytes) => wire.finish().await.map(|()| bytes).map_err(|source| Cut {
                side: Side::Wire,
                moved: bytes,
                source,
            }),
            Err(cut) => {
                wire.reset();
                Err(cut)
            }
        };
        self.finish(moved, road).await
    }

    /// Stores the bytes `range` of a file, up to its end; all of it where the server lets nobody go on in the middle, as
    /// ProFTPD as it comes. Gives where it began.
    ///
    /// # Errors
    /// As [`store`](Client::store).
    pub async fn store_from(
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

    async fn open(&mut self, request: Request, from: u64, ascii: bool) -> Result<(DataStream, Road), Error> {
        match self.driver.ask(Ask::Transfer(TransferAsk { request, from, ascii })).await {
            Answer::Open(road) => match self.driver.take_link() {
                Some(wire) => Ok((wire, road)),
                None => Err(Error::OutOfStep("the data connection is not there".to_owned())),
            },
            Answer::Failed(failed) => Err(failed.into()),
            Answer::Done(reply) => Err(Error::refused(&reply)),
            Answer::Unconfirmed => Err(Error::OutOfStep("the server fell silent".to_owned())),
        }
    }

    async fn finish(&mut self, moved: Result<u64, Cut>, road: Road) -> Result<Moved, Error> {
        let whole = moved.is_ok();
        let answer = self.driver.ask(Ask::Finish { whole }).await;
        match (moved, answer) {
            (Ok(bytes), Answer::Done(_)) => Ok(Moved { bytes, road, confirmed: true }),
            (Ok(bytes), Answer::Unconfirmed) => Ok(Moved { bytes, road, confirmed: false }),
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

/// Ends when not one byte has come after so long: a road on which small packets pass and full ones vanish looks so.
async fn nothing_came(patience: Duration, progress: &Progress) {
    let before = progress.moved();
    tokio::time::sleep(patience).await;
    if progress.moved() != before {
        std::future::pending().await
    }
}

fn silence(patience: Duration) -> Cut {
    let text =
        format!("the data connection is there, and nothing came over it for {} seconds", patience.as_secs());
    Cut { side: Side::Wire, moved: 0, source: io::Error::new(io::ErrorKind::TimedOut, text) }
}
