//! `Client`: connect, log in, and what a user does with files, each a few lines over the machine.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpStream, lookup_host};
use twoport_net::socks::{Proxy, Target};
use twoport_net::{DataStream, Source, dial_first};
use twoport_pipe::{Body, Cut, Progress, Recode, Side, Sink};
use twoport_plan::LinkFault;
use twoport_proto::listing::mlsx;
use twoport_proto::listing::{Outcome, Reader};
use twoport_proto::modes::Algorithm;
use twoport_proto::reply_reader::ReceivedReply;
use twoport_proto::{Entry, Kind, Moment, Request, Secret, Verb};
use twoport_session::client::Settings;
use twoport_session::client::io::{Answer, Ask, Road, Rung, TransferAsk};

use crate::drive::{Driver, Listener, STAGGER, Way};
use crate::error::Error;
use crate::features::Features;
use crate::text::TextSink;

/// How long a server may take to answer a connection at all: five SYNs, and nobody waits longer.
const CONNECT: Duration = Duration::from_secs(16);

/// How to connect and what to try.
#[derive(Debug, Clone)]
pub struct Options {
    /// The rungs of the ladder, in their order.
    pub rungs: Vec<Rung>,
    /// How long a connection or a reply may take.
    pub timeout: Duration,
    /// How long a data connection may move nothing.
    pub stall: Duration,
    /// How long 150 may take.
    pub opening: Duration,
    /// The largest segment that either side may send, where a link on the way swallows larger ones.
    pub mss: Option<u16>,
    /// The SOCKS5 proxy that every connection goes through.
    pub proxy: Option<Proxy>,
}

impl Default for Options {
    fn default() -> Self {
        let settings = Settings::default();
        Options {
            rungs: settings.rungs,
            timeout: Duration::from_secs(60),
            stall: Duration::from_secs(20),
            opening: settings.opening_patience,
            mss: None,
            proxy: None,
        }
    }
}

/// A session with a server.
pub struct Client {
    driver: Driver,
    options: Options,
    features: Features,
}

/// How an upload meets what is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// Replace it.
    Replace,
    /// Go on at this offset.
    Resume(u64),
    /// Append to it.
    Append,
}

/// A transfer that went well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moved {
    /// Bytes over the data connection.
    pub bytes: u64,
    /// The road that they took.
    pub road: Road,
    /// Whether the server has said so; false when all bytes went over and its last word never came.
    pub confirmed: bool,
}

impl Client {
    /// Connects to `host`, to whichever of its addresses answers first, and logs in.
    ///
    /// # Errors
    /// When no address answers, or the login is refused.
    pub async fn connect(
        host: &str,
        port: u16,
        login: (Vec<u8>, Secret, Option<Secret>),
        options: Options,
        notice: Listener,
    ) -> Result<Client, Error> {
        let mut options = options;
        let stream = match &options.proxy {
            Some(proxy) => {
                // Nobody can come to us through it.
                options.rungs.retain(|rung| !matches!(rung, Rung::Active | Rung::Mapped));
                through(proxy, host, port, options.timeout).await?
            }
            None => reach(host, port, &options).await?,
        };
        let settings = Settings {
            rungs: options.rungs.clone(),
            patience: options.timeout,
            opening_patience: options.opening,
            ..Settings::default()
        };
        let way =
            Way { mss: options.mss, proxy: options.proxy.clone().map(|proxy| (proxy, host.to_owned())) };
        let driver = Driver::new(stream, settings, notice, way)
            .map_err(|source| Error::Local { what: "the connection cannot be used".to_owned(), source })?;
        let mut client = Client { driver, options, features: Features::default() };
        let (user, password, account) = login;
        client.done(Ask::Login { user, password, account }).await?;
        client.features = match client.say(Request::bare(Verb::Feat)).await {
            Ok(reply) => Features::read(&reply),
            Err(Error::Refused { .. }) => Features::default(),
            Err(e) => return Err(e),
        };
        if client.features.has("UTF8") {
            client.tolerant(Verb::Opts, b"UTF8 ON").await?;
        }
        Ok(client)
    }

    /// The server's address, as it was reached.
    #[must_use]
    pub fn server(&self) -> SocketAddr {
        self.driver.server()
    }

    /// The rung that the next transfer begins with: what worked last.
    #[must_use]
    pub fn rung(&self) -> Option<Rung> {
        self.driver.rung()
    }

    /// What the server said that it can do.
    #[must_use]
    pub fn features(&self) -> &Features {
        &self.features
    }

    /// Says one command and gives its final reply.
    ///
    /// # Errors
    /// When the server refuses, or the connection broke.
    pub async fn say(&mut self, request: Request) -> Result<ReceivedReply, Error> {
        self.done(Ask::Say(request)).await
    }

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

    async fn receive(
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

    /// What is in a folder: by MLSD where the server has it, else by LIST in whichever dialect it speaks, and by STAT over
    /// the control connection where no data connection can be had.
    ///
    /// # Errors
    /// When it is refused, or cannot be understood.
    pub async fn list(&mut self, path: &[u8], now: Moment) -> Result<Vec<Entry>, Error> {
        if self.features.has("MLST") {
            match self.lines(Verb::Mlsd, path).await {
                Ok(lines) => {
                    return Ok(lines
                        .iter()
                        .filter_map(|line| mlsx::read_line(line))
                        .filter(|(entry, kind)| *kind == mlsx::MlsKind::Own && is_a_name(&entry.name))
                        .map(|(entry, _)| entry)
                        .collect());
                }
                Err(e) if e.is_unknown_command() => self.features.forget("MLST"),
                Err(e) => return self.list_by_stat(path, now, e).await,
            }
        }
        match self.lines(Verb::List, path).await {
            Ok(lines) => understood(&lines, now),
            Err(e) => self.list_by_stat(path, now, e).await,
        }
    }

    /// STAT with a path needs no data connection (RFC 959 §4.1.3); what it cannot do leaves the failure that it was.
    async fn list_by_stat(&mut self, path: &[u8], now: Moment, failure: Error) -> Result<Vec<Entry>, Error> {
        if !matches!(&failure, Error::Unreachable { steps, .. } if !steps.is_empty()) {
            return Err(failure);
        }
        let path = if path.is_empty() { b"." } else { path };
        match self.say(request(Verb::Stat, path)?).await {
            Ok(reply) if reply.lines.len() > 2 => {
                let between: Vec<Vec<u8>> = reply.lines[1..reply.lines.len() - 1]
                    .iter()
                    .map(|line| line.strip_prefix(b" ").unwrap_or(line).to_vec())
                    .collect();
                understood(&between, now)
            }
            _ => Err(failure),
        }
    }

    /// The lines of a listing, as they came.
    ///
    /// # Errors
    /// When it is refused, or longer than a listing can be.
    pub async fn lines(&mut self, verb: Verb, path: &[u8]) -> Result<Vec<Vec<u8>>, Error> {
        let (mut sink, text) = TextSink::new();
        self.receive(verb, path, 0, &mut sink, &Progress::default()).await?;
        Ok(text.lines())
    }

    /// What is known of one name.
    ///
    /// # Errors
    /// When there is nothing of that name, or the server tells nothing.
    pub async fn stat(&mut self, path: &[u8]) -> Result<Entry, Error> {
        if self.features.has("MLST") {
            let reply = self.say(request(Verb::Mlst, path)?).await?;
            let line = reply.lines.get(1).map(|line| line.trim_ascii_start());
            return line
                .and_then(mlsx::read_line)
                .map(|(entry, _)| Entry { name: last_part(path), ..entry })
                .ok_or_else(|| Error::OutOfStep(format!("MLST was answered {}", reply.text())));
        }
        // SIZE counts bytes of the file under TYPE I only.
        self.say(request(Verb::Type, b"I")?).await?;
        let size = match self.say(request(Verb::Size, path)?).await {
            Ok(reply) => reply.text().trim().parse().ok(),
            Err(Error::Refused { .. }) => None,
            Err(e) => return Err(e),
        };
        let Some(size) = size else {
            let here = self.say(Request::bare(Verb::Pwd)).await?;
            self.say(request(Verb::Cwd, path)?).await?;
            if let Some(home) = twoport_proto::path::unquoted(here.text().as_bytes()) {
                self.say(request(Verb::Cwd, &home)?).await?;
            }
            return Ok(Entry::new(last_part(path), Kind::Directory, 0));
        };
        let mut entry = Entry::new(last_part(path), Kind::File, size);
        if let Ok(reply) = self.say(request(Verb::Mdtm, path)?).await {
            entry.modified = Moment::read_stamp(reply.text().trim().as_bytes()).ok();
        }
        Ok(entry)
    }

    /// The hash of a file and the name of its algorithm: HASH where the server has it, else the best of its elders.
    ///
    /// # Errors
    /// When the server has none, or refuses.
    pub async fn hash(&mut self, path: &[u8]) -> Result<(String, String), Error> {
        if self.features.has("HASH") {
            let reply = self.say(request(Verb::Hash, path)?).await?;
            let text = reply.text();
            let mut words = text.split(' ');
            if let (Some(name), Some(_), Some(hash)) = (words.next(), words.next(), words.next()) {
                return Ok((name.to_owned(), hash.to_ascii_lowercase()));
            }
            return Err(Error::OutOfStep(format!("HASH was answered {text}")));
        }
        let elders = [
            (Verb::Xsha256, Algorithm::Sha256),
            (Verb::Xsha512, Algorithm::Sha512),
            (Verb::Xsha1, Algorithm::Sha1),
            (Verb::Xmd5, Algorithm::Md5),
            (Verb::Xcrc, Algorithm::Crc32),
        ];
        for (verb, algorithm) in elders {
            if self.features.has(verb.name()) {
                let reply = self.say(request(verb, path)?).await?;
                let text = reply.text().trim().to_ascii_lowercase();
                let hash = text.split_whitespace().last().unwrap_or_default().to_owned();
                return Ok((algorithm.name().to_owned(), hash));
            }
        }
        Err(Error::Refused { code: 502, text: "the server offers no hash".to_owned() })
    }

    /// DELE.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn remove(&mut self, path: &[u8]) -> Result<(), Error> {
        self.say(request(Verb::Dele, path)?).await.map(|_| ())
    }

    /// MKD.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn make_dir(&mut self, path: &[u8]) -> Result<(), Error> {
        self.say(request(Verb::Mkd, path)?).await.map(|_| ())
    }

    /// RMD.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn remove_dir(&mut self, path: &[u8]) -> Result<(), Error> {
        self.say(request(Verb::Rmd, path)?).await.map(|_| ())
    }

    /// RNFR and RNTO.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn rename(&mut self, from: &[u8], to: &[u8]) -> Result<(), Error> {
        self.say(request(Verb::Rnfr, from)?).await?;
        self.say(request(Verb::Rnto, to)?).await.map(|_| ())
    }

    /// MFMT, where the server has it: when a file was changed.
    ///
    /// # Errors
    /// When the connection broke; a server that cannot is no error.
    pub async fn set_modified(&mut self, path: &[u8], moment: Moment) -> Result<(), Error> {
        if self.features.has("MFMT") {
            let whole = Moment::from_seconds(moment.seconds);
            self.tolerant(Verb::Mfmt, &[whole.stamp().as_bytes(), b" ", path].concat()).await?;
        }
        Ok(())
    }

    /// Says goodbye; a server that has gone already has heard it.
    pub async fn quit(mut self) {
        let _ = self.driver.ask(Ask::Quit).await;
    }

    /// Says something that may be refused without harm.
    async fn tolerant(&mut self, verb: Verb, argument: &[u8]) -> Result<(), Error> {
        match self.say(request(verb, argument)?).await {
            Ok(_) | Err(Error::Refused { .. }) => Ok(()),
            Err(e) => Err(e),
        }
    }

    async fn done(&mut self, ask: Ask) -> Result<ReceivedReply, Error> {
        match self.driver.ask(ask).await {
            Answer::Done(reply) => Ok(reply),
            Answer::Failed(failed) => Err(failed.into()),
            Answer::Open(_) | Answer::Unconfirmed => Err(Error::OutOfStep("out of step".to_owned())),
        }
    }
}

/// A connection to whichever address of `host` answers first.
async fn reach(host: &str, port: u16, options: &Options) -> Result<TcpStream, Error> {
    let unreachable = |what: String| Error::Unreachable { what, steps: Vec::new() };
    let found = lookup_host((host, port)).await;
    let addresses: Vec<SocketAddr> =
        found.map_err(|e| unreachable(format!("{host} cannot be looked up: {e}")))?.collect();
    let patience = options.timeout.min(CONNECT);
    let dialled = dial_first(&alternate(addresses), Source::Free, STAGGER, patience, options.mss).await;
    let (stream, _) = dialled.map_err(|faults| Error::Unreachable {
        what: format!("no address of {host} answers on port {port}:"),
        steps: faults.iter().map(|(_, fault)| control_fault(fault)).collect(),
    })?;
    Ok(stream)
}

/// The fault of a control connection: the words of [`LinkFault`] speak of the other one.
fn control_fault(fault: &LinkFault) -> String {
    match fault {
        LinkFault::Refused { to } => format!("{to} refused the connection: nothing listens there"),
        other => other.cause(),
    }
}

async fn through(proxy: &Proxy, host: &str, port: u16, patience: Duration) -> Result<TcpStream, Error> {
    let target = Target::Name(host.to_owned(), port);
    let why = match tokio::time::timeout(patience, proxy.connect(&target)).await {
        Ok(Ok(stream)) => return Ok(stream),
        Ok(Err(e)) => e.to_string(),
        Err(_) => format!("no answer within {} seconds", patience.as_secs()),
    };
    let what = format!("{host} cannot be reached through the proxy {}:{}: {why}", proxy.host, proxy.port);
    Err(Error::Unreachable { what, steps: Vec::new() })
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

fn request(verb: Verb, argument: &[u8]) -> Result<Request, Error> {
    Request::new(verb, argument).map_err(|fault| {
        let shown = String::from_utf8_lossy(argument).escape_debug().to_string();
        Error::BadArgument(format!("{verb} {shown}: {fault}"))
    })
}

/// The entries of a listing in one of the dialects of LIST.
fn understood(lines: &[Vec<u8>], now: Moment) -> Result<Vec<Entry>, Error> {
    let mut reader = Reader::new(now);
    let read = lines.iter().filter_map(|line| match reader.line(line) {
        Outcome::Entry(entry) => Some(entry),
        Outcome::Nothing | Outcome::Unknown => None,
    });
    let entries: Vec<Entry> = read.filter(|entry| is_a_name(&entry.name)).collect();
    if entries.is_empty() && reader.finish().unknown > 0 {
        return Err(Error::OutOfStep("the server's listing is in a form that is not understood".to_owned()));
    }
    Ok(entries)
}

fn last_part(path: &[u8]) -> Vec<u8> {
    path.rsplit(|b| *b == b'/').find(|part| !part.is_empty()).unwrap_or_default().to_vec()
}

/// A name that stands for something in the folder that was listed, and for nothing elsewhere.
fn is_a_name(name: &[u8]) -> bool {
    !name.is_empty() && name != b"." && name != b".." && !name.contains(&b'/') && !name.contains(&0)
}

/// IPv6 and IPv4 in turn, so that a family that is dead costs one head start (RFC 8305 §4).
fn alternate(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let first_is_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) = addresses.into_iter().partition(|a| a.is_ipv6() == first_is_v6);
    let longest = first.len().max(second.len());
    (0..longest).flat_map(|place| [first.get(place), second.get(place)]).flatten().copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_take_turns() {
        let read = |text: &str| text.split(' ').map(|a| a.parse().unwrap()).collect::<Vec<SocketAddr>>();
        let mixed = read("[::1]:1 [::2]:1 10.0.0.1:1");
        assert_eq!(alternate(mixed), read("[::1]:1 10.0.0.1:1 [::2]:1"));
        assert_eq!(alternate(Vec::new()), Vec::new());
    }

    #[test]
    fn a_listed_name_cannot_lead_away() {
        for bad in [&b""[..], b".", b"..", b"a/b", b"/etc", b"a\0"] {
            assert!(!is_a_name(bad));
        }
        assert!(is_a_name(b"..a"));
    }
}
