//! A session led step by step, by somebody who sits in front of it: opened before the login, stopped in the middle of
//! things, and changed between two transfers.

use twoport_net::proxy::Kind;
use twoport_pipe::{Progress, Rate, Sink};
use twoport_proto::modes::Mode;
use twoport_proto::reply_reader::ReceivedReply;
use twoport_proto::{Request, Verb};
use twoport_session::client::Settings;
use twoport_session::client::io::{Ask, Rung};

use super::reach::{at_host, reach, through};
use super::{Client, Company, Moved, Options, Representation, clock, listing};
use crate::drive::{Driver, Listener, Notice, Way};
use crate::error::Error;
use crate::features::Features;

impl Client {
    /// Connects as [`Client::connect`] does, and neither hears the greeting nor logs in: for a user who does that step by
    /// step.
    ///
    /// # Errors
    /// When no address answers.
    pub async fn open(host: &str, port: u16, options: Options, notice: Listener) -> Result<Client, Error> {
        let mut options = options;
        if options.proxy.as_ref().is_some_and(|named| named.proxy.kind == Kind::UserAtHost) {
            // TLS would end at the proxy, and it is not the proxy that is to be believed.
            options.security = options.security.without(None).ok_or_else(|| {
                let text = "TLS was demanded, and an FTP proxy (USER@HOST) cannot pass it on: name another proxy, or none";
                Error::Insecure(text.to_owned())
            })?;
        }
        let wanted = options.security.wanted(host, port)?;
        let (stream, addresses) = match &options.proxy {
            Some(named) => {
                // Nobody can come to us through it.
                if named.proxy.kind.carries_data() {
                    options.rungs.retain(|rung| rung.is_passive());
                }
                (through(named, host, port, options.timeout).await?, 1)
            }
            None => reach(host, port, &options).await?,
        };
        if options.rfc959 && options.rungs.iter().any(|rung| *rung != Rung::Epsv) {
            options.rungs.retain(|rung| *rung != Rung::Epsv);
        }
        let settings = Settings {
            rungs: options.rungs.clone(),
            patience: options.timeout,
            opening_patience: options.opening,
            noop: options.noop,
            flights: options.flights,
            begins_in_ascii: options.begins_in_ascii,
            tls: wanted.tls,
            ..Settings::default()
        };
        let carrier = options.proxy.clone().filter(|named| named.proxy.kind.carries_data());
        let way = Way { mss: options.mss, proxy: carrier.map(|named| (named.proxy, host.to_owned())) };
        let mut driver = Driver::new(stream, settings, notice, way, wanted.connector)
            .map_err(|source| Error::Local { what: "the connection cannot be used".to_owned(), source })?;
        driver.notify(Notice::Connected { server: driver.server(), addresses });
        Ok(Client {
            driver,
            options,
            features: Features::default(),
            lists: listing::Habits::default(),
            clock: clock::Clock::default(),
            mode: Mode::Stream,
            company: Company::default(),
            addresses,
            seen: wanted.seen,
            fresh: false,
        })
    }

    /// The name to log in with: at an FTP proxy the server stands in it.
    #[must_use]
    pub fn user_at(&self, user: &[u8], host: &str, port: u16) -> Vec<u8> {
        match &self.options.proxy {
            Some(named) if named.proxy.kind == Kind::UserAtHost => {
                [user, at_host(host, port).as_bytes()].concat()
            }
            _ => user.to_vec(),
        }
    }

    /// How many addresses the host has; one of them is [`Client::server`]'s.
    #[must_use]
    pub fn addresses(&self) -> usize {
        self.addresses
    }

    /// Hears the greeting of a connection that [`Client::open`] has made.
    ///
    /// # Errors
    /// When the server turns us away.
    pub async fn greeting(&mut self) -> Result<ReceivedReply, Error> {
        let proxy = self.options.proxy.as_ref().map(|named| &named.proxy);
        match proxy.filter(|proxy| proxy.kind == Kind::UserAtHost).and_then(|proxy| proxy.login.clone()) {
            // At an FTP proxy that wants a login of its own that one comes first.
            Some((user, password)) => {
                self.done(Ask::Login { user: user.into_bytes(), password, account: None }).await
            }
            None => self.done(Ask::Greeting).await,
        }
    }

    /// Asks what the server can do (FEAT, RFC 2389 §3); one that does not know the question can nothing of it.
    ///
    /// # Errors
    /// When the connection broke.
    pub async fn learn_features(&mut self) -> Result<(), Error> {
        self.features = self.ask_features().await?.unwrap_or_default();
        Ok(())
    }

    /// A listing as it comes, with the line ends of this machine: LIST, NLST or MLSD.
    ///
    /// # Errors
    /// When it is refused, or the sink cannot take it.
    pub async fn listing(
        &mut self,
        verb: Verb,
        path: &[u8],
        sink: &mut Sink,
        progress: &Progress,
    ) -> Result<Moved, Error> {
        self.receive(verb, path, 0, sink, progress).await
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

    /// Whether data connections are in TLS.
    #[must_use]
    pub fn is_private(&self) -> bool {
        self.driver.is_private()
    }

    /// Whether TYPE is A; none where nothing was said of it yet.
    #[must_use]
    pub fn is_ascii(&self) -> Option<bool> {
        self.driver.is_ascii()
    }

    /// Changes the rungs that transfers may try, in this order, and whether EPRT goes before PORT on IPv4.
    pub fn set_rungs(&mut self, rungs: Vec<Rung>, eprt_first: bool) {
        let mut rungs = rungs;
        if self.options.proxy.as_ref().is_some_and(|named| named.proxy.kind.carries_data()) {
            rungs.retain(|rung| rung.is_passive());
        }
        self.driver.set_rungs(rungs, eprt_first);
    }

    /// Changes how fast the bytes of the next transfers may pass; none is without limit.
    pub fn set_rate(&mut self, rate: Option<Rate>) {
        self.options.rate = rate;
    }

    /// How files go over.
    #[must_use]
    pub fn representation(&self) -> Representation {
        self.options.representation
    }

    /// Changes how files go over.
    pub fn set_representation(&mut self, representation: Representation) {
        self.options.representation = representation;
    }
}
