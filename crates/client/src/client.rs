//! `Client`: a session with a server. How it is reached, what goes over data connections, listings and files each have
//! a file of their own; each is a few lines over the machine.

mod files;
mod listing;
mod reach;
mod transfer;

use std::net::SocketAddr;
use std::time::Duration;

use twoport_net::socks::Proxy;
use twoport_proto::reply_reader::ReceivedReply;
use twoport_proto::{Request, Secret, Verb};
use twoport_session::client::Settings;
use twoport_session::client::io::{Answer, Ask, Road, Rung};

use self::reach::{reach, through};
use crate::drive::{Driver, Listener, Way};
use crate::error::Error;
use crate::features::Features;

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
    /// Only addresses of this family; either when none is named.
    pub family: Option<Family>,
    /// How files go over.
    pub representation: Representation,
    /// Whether the server is taken to begin in TYPE A, as RFC 959 has it, so that nothing is said before a listing.
    pub begins_in_ascii: bool,
}

/// A family of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
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
            family: None,
            representation: Representation::Image,
            begins_in_ascii: false,
        }
    }
}

/// A session with a server.
pub struct Client {
    driver: Driver,
    options: Options,
    features: Features,
    /// How many addresses the host has.
    addresses: usize,
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
        let mut client = Client::open(host, port, options, notice).await?;
        let (user, password, account) = login;
        client.done(Ask::Login { user, password, account }).await?;
        client.ask_features().await?;
        if client.features.has("UTF8") {
            client.tolerant(Verb::Opts, b"UTF8 ON").await?;
        }
        Ok(client)
    }

    /// Connects as [`Client::connect`] does, and neither hears the greeting nor logs in: for a user who does that step by
    /// step.
    ///
    /// # Errors
    /// When no address answers.
    pub async fn open(host: &str, port: u16, options: Options, notice: Listener) -> Result<Client, Error> {
        let mut options = options;
        let mut addresses = 1;
        let stream = match &options.proxy {
            Some(proxy) => {
                // Nobody can come to us through it.
                options.rungs.retain(|rung| !matches!(rung, Rung::Active | Rung::Mapped));
                through(proxy, host, port, options.timeout).await?
            }
            None => {
                let reached = reach(host, port, &options).await?;
                addresses = reached.1;
                reached.0
            }
        };
        let settings = Settings {
            rungs: options.rungs.clone(),
            patience: options.timeout,
            opening_patience: options.opening,
            begins_in_ascii: options.begins_in_ascii,
            ..Settings::default()
        };
        let way =
            Way { mss: options.mss, proxy: options.proxy.clone().map(|proxy| (proxy, host.to_owned())) };
        let driver = Driver::new(stream, settings, notice, way)
            .map_err(|source| Error::Local { what: "the connection cannot be used".to_owned(), source })?;
        Ok(Client { driver, options, features: Features::default(), addresses })
    }

    /// Hears the greeting of a connection that [`Client::open`] has made.
    ///
    /// # Errors
    /// When the server turns us away.
    pub async fn greeting(&mut self) -> Result<ReceivedReply, Error> {
        self.done(Ask::Greeting).await
    }

    /// Asks what the server can do (FEAT, RFC 2389 §3); one that does not know the question can nothing of it.
    ///
    /// # Errors
    /// When the connection broke.
    pub async fn ask_features(&mut self) -> Result<(), Error> {
        self.features = match self.say(Request::bare(Verb::Feat)).await {
            Ok(reply) => Features::read(&reply),
            Err(Error::Refused { .. }) => Features::default(),
            Err(e) => return Err(e),
        };
        Ok(())
    }

    /// Says a command that makes the server move bytes to or from another server, and waits for its end however long
    /// that takes.
    ///
    /// # Errors
    /// When the server refuses, or the connection broke.
    pub async fn say_elsewhere(&mut self, request: Request) -> Result<ReceivedReply, Error> {
        self.done(Ask::SayElsewhere(request)).await
    }

    /// Stops what was under way when its future was dropped, and hears what the server says to that. Where nothing was,
    /// nothing is said.
    ///
    /// # Errors
    /// When the connection broke.
    pub async fn abort(&mut self) -> Result<(), Error> {
        if !self.driver.is_interrupted() {
            return Ok(());
        }
        self.done(Ask::Abort).await.map(|_| ())
    }

    /// Hears what the server has said unasked, so that the next reply is the next command's.
    pub fn resynchronize(&mut self) {
        self.driver.hear();
    }

    /// Whether the connection has ended.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.driver.is_closed()
    }

    /// Whether TYPE is A; none where nothing was said of it yet.
    #[must_use]
    pub fn is_ascii(&self) -> Option<bool> {
        self.driver.is_ascii()
    }

    /// Changes the rungs that transfers may try, in this order.
    pub fn set_rungs(&mut self, rungs: Vec<Rung>) {
        self.driver.set_rungs(rungs);
    }

    /// Changes how files go over.
    pub fn set_representation(&mut self, representation: Representation) {
        self.options.representation = representation;
    }

    /// The server's address, as it was reached.
    #[must_use]
    pub fn server(&self) -> SocketAddr {
        self.driver.server()
    }

    /// How many addresses the host has; one of them is [`Client::server`]'s.
    #[must_use]
    pub fn addresses(&self) -> usize {
        self.addresses
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

fn request(verb: Verb, argument: &[u8]) -> Result<Request, Error> {
    Request::new(verb, argument).map_err(|fault| {
        let shown = String::from_utf8_lossy(argument).escape_debug().to_string();
        Error::BadArgument(format!("{verb} {shown}: {fault}"))
    })
}
