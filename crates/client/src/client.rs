//! `Client`: a session with a server. How it is reached, what goes over data connections, listings and files each have
//! a file of their own; each is a few lines over the machine.

mod begin;
mod clock;
mod files;
mod listing;
mod reach;
mod steps;
mod transfer;

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use twoport_net::proxy::Kind;
use twoport_pipe::{Rate, Terms};
use twoport_proto::modes::Mode;
use twoport_proto::reply_reader::ReceivedReply;
use twoport_proto::{Moment, Request, Verb};
use twoport_session::client::Settings;
use twoport_session::client::io::{Answer, Ask, Failed, Flights, Road, Rung};

pub(crate) use self::files::has_hash;
pub(crate) use self::reach::has_family;
use crate::charset::Charset;
use crate::drive::{Driver, Listener, Notice};
use crate::error::Error;
use crate::family::Family;
use crate::features::Features;
use crate::proxy::Named;
use crate::security::Security;
use crate::url::{Login, Scheme, Url};

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
    /// The proxy that every connection goes through.
    pub proxy: Option<Named>,
    /// The addresses of the server where they are known already; it is looked up when there are none.
    pub addresses: Vec<IpAddr>,
    /// The address family to reach the server over, where it has an address of it that answers.
    pub family: Option<Family>,
    /// The charset of the server's names.
    pub charset: Charset,
    /// Only commands of RFC 959 are said: the server hangs up on others.
    pub rfc959: bool,
    /// Whether listings are asked for over the control connection first, where the session before found no road at all.
    pub stat_first: bool,
    /// Whether commands may be said in one flight.
    pub flights: Flights,
    /// How bytes are carried, where the server offers that: MODE B for many files over one data connection, MODE Z for
    /// compressed ones. MODE S where it does not.
    pub mode: Mode,
    /// Many transfers will come: the login finds out whether commands may be said in one flight.
    pub many: bool,
    /// What the server can do, where that is known already; it is asked where it is not.
    pub features: Option<Features>,
    /// How fast the bytes of files and listings may pass, together with all sessions whose options hold a clone of it.
    pub rate: Option<Rate>,
    /// How long the control connection may be silent in a transfer before NOOP is said, to a server that is known to bear it.
    pub noop: Option<Duration>,
    /// Whether only addresses of `family` will do.
    pub family_only: bool,
    /// How files go over.
    pub representation: Representation,
    /// What is wanted of TLS.
    pub security: Security,
    /// Whether the server is taken to begin in TYPE A, as RFC 959 has it, so that nothing is said before a listing.
    pub begins_in_ascii: bool,
}

/// How files go over (RFC 959 §3.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Representation {
    /// TYPE I, or what the user has said that moves the same bytes.
    #[default]
    Image,
    /// TYPE A: lines end with CR LF on the way, and with LF here.
    Text,
    /// TYPE A, and what comes is kept as it came.
    TextAsItCame,
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
            addresses: Vec::new(),
            family: None,
            charset: Charset::default(),
            rfc959: false,
            stat_first: false,
            rate: None,
            noop: settings.noop,
            flights: Flights::default(),
            mode: Mode::Stream,
            many: false,
            features: None,
            family_only: false,
            representation: Representation::Image,
            security: Security::default(),
            begins_in_ascii: false,
        }
    }
}

impl Options {
    /// The same, with TLS as a URL of this scheme wants it where nothing else was said.
    pub(crate) fn for_scheme(self, scheme: Scheme) -> Self {
        Options { security: self.security.for_scheme(scheme), ..self }
    }
}

/// A session with a server.
pub struct Client {
    driver: Driver,
    options: Options,
    features: Features,
    /// How many addresses the host has.
    addresses: usize,
    /// What this server's LIST takes, and where the session is at home, as far as that has been asked.
    lists: listing::Habits,
    clock: clock::Clock,
    /// MODE as it is.
    mode: Mode,
    company: Company,
    /// What the server has shown before this session.
    seen: Option<[u8; 32]>,
    /// Whether the data connection that came last has resumed no session.
    fresh: bool,
}

/// What comes with the next transfers.
#[derive(Debug, Clone, Copy, Default)]
struct Company {
    more: bool,
    times: bool,
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
    /// Let the server make up a name that is new (STOU).
    Unique,
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
    /// When the file was changed, where that was asked beside it (see [`Client::others_follow`]) and answered.
    pub modified: Option<Moment>,
}

impl Client {
    /// Connects to `host`, to whichever of its addresses answers first, has TLS as the options want it, and logs in.
    ///
    /// # Errors
    /// When no address answers, or the login is refused.
    pub async fn connect(
        host: &str,
        port: u16,
        login: Login,
        options: Options,
        notice: Listener,
    ) -> Result<Client, Error> {
        let mut options = options;
        let known = options.features.take();
        let wanted = options.mode;
        let mut client = match options.proxy.as_ref().map(|named| named.proxy.kind) {
            // It has its own dialogue.
            Some(Kind::UserAtHost) => Client::open(host, port, options, notice).await?,
            _ => Client::begin(host, port, options, notice).await?.0,
        };
        client.features = known.clone().unwrap_or_default();
        let anew = login.clone();
        client.enter(host, port, login).await?;
        if known.is_none() && !client.options.rfc959 {
            match client.ask_features().await {
                Ok(Some(features)) => client.features = features,
                Ok(None) => return client.begin_anew(host, port, anew).await,
                Err(Error::Unreachable { .. }) => return Err(Error::ClosedOnFeat),
                Err(e) => return Err(e),
            }
        }
        // Whoever names a charset wants the names as they lie there.
        if client.features.has("UTF8") && client.options.charset.is_utf8() {
            client.tolerant(Verb::Opts, b"UTF8 ON").await?;
        }
        client.carry_by(wanted).await?;
        Ok(client)
    }

    /// FEAT; where many transfers will come in one flight with a NOOP: a server that answers both bears flights. None when
    /// it does not, and then nothing more can be asked in this session.
    async fn ask_features(&mut self) -> Result<Option<Features>, Error> {
        let probes = self.options.many && self.driver.flights() == Flights::Later;
        if probes {
            self.driver.mention(Ask::Mention(Request::bare(Verb::Noop))).await;
        }
        let patience = if probes { PROBE } else { self.options.timeout * 2 };
        let told = match tokio::time::timeout(patience, self.say(Request::bare(Verb::Feat))).await {
            Ok(Ok(reply)) => Features::read(&reply),
            Ok(Err(Error::Refused { .. })) => Features::default(),
            Ok(Err(e)) if !probes => return Err(e),
            Ok(Err(_)) | Err(_) => return Ok(None),
        };
        if probes {
            self.driver.flights_arrive();
        }
        Ok(Some(told))
    }

    /// Connects to the server that `url` names, as its user or as anonymous. Its path is for the caller:
    /// [`Url::target`](crate::url::Url::target).
    ///
    /// # Errors
    /// As [`Client::connect`].
    pub async fn to(url: &Url, options: Options, notice: Listener) -> Result<Client, Error> {
        let options = options.for_scheme(url.scheme);
        Client::connect(&url.host, url.port, url.login(), options, notice).await
    }

    /// Of two commands in one flight this server has answered one at most: another session, and one at a time.
    async fn begin_anew(self, host: &str, port: u16, login: Login) -> Result<Client, Error> {
        let mut notice = self.driver.into_notice();
        let text = "the server did not answer two commands in one flight; one at a time in a new session";
        notice(Notice::Stepped(text.to_owned()));
        let options = Options { many: false, flights: Flights::Never, ..self.options };
        Box::pin(Client::connect(host, port, login, options, notice)).await
    }

    /// MODE, where the server offers what is wanted; MODE S where it does not.
    async fn carry_by(&mut self, wanted: Mode) -> Result<(), Error> {
        // A server that knows no FEAT may be old enough to know MODE B.
        let offered = match wanted {
            Mode::Stream | Mode::Compressed => false,
            Mode::Block => self.features.offers("MODE B") || self.features.is_empty(),
            Mode::Deflate => self.features.offers("MODE Z"),
        };
        if offered {
            match self.done(Ask::Mode(wanted)).await {
                Ok(_) => self.mode = wanted,
                Err(Error::Refused { .. }) => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    /// How bytes are carried.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Whether commands may be said in one flight, as far as is known now.
    #[must_use]
    pub fn flights(&self) -> Flights {
        self.driver.flights()
    }

    /// Whether a flight has been seen to arrive.
    pub(crate) fn has_flown(&self) -> bool {
        self.driver.has_flown()
    }

    /// Whether the data connection stays open for the next transfer, so that transfers can be asked for ahead.
    #[must_use]
    pub fn keeps_link(&self) -> bool {
        self.driver.keeps_link()
    }

    /// The next transfers are some of many: the data connection of the one after is asked for ahead where `more` is set,
    /// and with `times` a fetch asks when its file was changed, both in one flight with the transfer and only where the
    /// server bears that.
    pub fn others_follow(&mut self, more: bool, times: bool) {
        self.company = Company { more, times };
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

    /// Says goodbye; a server that has gone already has heard it, and one that does not answer is not waited for.
    pub async fn quit(mut self) {
        let _ = tokio::time::timeout(GOODBYE.min(self.options.timeout), self.driver.ask(Ask::Quit)).await;
    }

    /// A failure, with the server's words in its charset.
    fn failure(&self, failed: Failed) -> Error {
        match failed {
            Failed::Refused(reply) => {
                let text = self.options.charset.text(&reply.lines.join(&b'\n'));
                Error::Refused { code: reply.code, text }
            }
            failed => failed.into(),
        }
    }

    /// A path of ours as the server has it.
    fn on_server<'a>(&self, path: &'a [u8]) -> Result<Cow<'a, [u8]>, Error> {
        self.options.charset.encode(path).map_err(|e| Error::BadArgument(e.to_string()))
    }

    /// What every transfer is held to.
    fn terms(&self) -> Terms {
        Terms { stall: self.options.stall, rate: self.options.rate.clone() }
    }

    /// Says something that may be refused without harm.
    async fn tolerant(&mut self, verb: Verb, argument: &[u8]) -> Result<(), Error> {
        if self.driver.flights() == Flights::Now {
            self.driver.mention(Ask::Mention(request(verb, argument)?)).await;
            return Ok(());
        }
        match self.say(request(verb, argument)?).await {
            Ok(_) | Err(Error::Refused { .. }) => Ok(()),
            Err(e) => Err(e),
        }
    }

    async fn done(&mut self, ask: Ask) -> Result<ReceivedReply, Error> {
        match self.driver.ask(ask).await {
            Answer::Done(reply) => Ok(reply),
            Answer::Failed(failed) => Err(self.failure(failed)),
            Answer::Open(_) | Answer::Unconfirmed => Err(Error::OutOfStep("out of step".to_owned())),
        }
    }
}

/// How long the answer to QUIT may take: nothing depends on it.
const GOODBYE: Duration = Duration::from_secs(2);

/// How long a server may take for two commands in one flight.
const PROBE: Duration = Duration::from_secs(6);

fn request(verb: Verb, argument: &[u8]) -> Result<Request, Error> {
    let argument = if takes_a_path(verb) { literal(argument) } else { Cow::Borrowed(argument) };
    Request::new(verb, &argument).map_err(|fault| {
        let shown = String::from_utf8_lossy(&argument).escape_debug().to_string();
        Error::BadArgument(format!("{verb} {shown}: {fault}"))
    })
}

/// A path that is taken as it stands. Pure-FTPd drops blanks before a name, vsftpd takes a dash for the begin of flags,
/// inetutils-ftpd and others a tilde for somebody's home.
fn literal(path: &[u8]) -> Cow<'_, [u8]> {
    match path.first() {
        Some(b' ' | b'-' | b'~') => Cow::Owned([b"./", path].concat()),
        _ => Cow::Borrowed(path),
    }
}

fn takes_a_path(verb: Verb) -> bool {
    use Verb::*;
    matches!(
        verb,
        Retr | Stor | Appe | Size | Mdtm | Mlst | Mlsd | Stat | Dele | Mkd | Rmd | Rnfr | Rnto | Cwd | Hash
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_a_server_would_take_for_something_else_is_told_as_a_path() {
        for (path, said) in [
            (&b" a"[..], "DELE ./ a"),
            (b"-a", "DELE ./-a"),
            (b"~a", "DELE ./~a"),
            (b"a -~", "DELE a -~"),
            (b"/-a", "DELE /-a"),
        ] {
            assert_eq!(request(Verb::Dele, path).unwrap().shown(), said);
        }
        assert_eq!(request(Verb::List, b"-a x").unwrap().shown(), "LIST -a x");
    }
}
