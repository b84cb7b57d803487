//! Feeds the client's machine and obeys it: one ask at a time, from the ask to its answer.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::time::{Duration, Instant};

use tokio::net::TcpStream;
use tokio::time::sleep_until;
use twoport_net::control::{Arrived, ControlStream};
use twoport_net::mapping::{self, Mapping, Router};
use twoport_net::proxy::{Proxy, Target};
use twoport_net::tls::{Connector, Judgement, TlsFault};
use twoport_net::{ActiveListener, DataStream, Source, dial_first};
use twoport_pipe::Progress;
use twoport_plan::LinkFault;
use twoport_proto::Request;
use twoport_proto::reply_reader::{ReceivedReply, ReplyReader};
use twoport_session::ClientSession;
use twoport_session::client::io::{Answer, Ask, Door, Flights, Input, Output, Rung};

/// What happens on the way, for a trace and for lines that a user may read.
#[derive(Debug, Clone)]
pub enum Notice {
    /// A command was sent; secrets are not in it.
    Sent(String),
    /// A reply came.
    Heard(ReceivedReply),
    /// A connection to this address of the server, which has so many.
    Connected {
        /// The address.
        server: SocketAddr,
        /// How many the host has.
        addresses: usize,
    },
    /// Hands were shaken, on the data connection or the control connection: version, cipher suite, resumed or not.
    Secured {
        /// Which.
        data: bool,
        /// What was agreed on.
        how: String,
    },
    /// A step down the ladder, with its reason.
    Stepped(String),
}

/// Hears notices.
pub type Listener = Box<dyn FnMut(Notice) + Send>;

/// A listener that heeds nothing.
#[must_use]
pub fn deaf() -> Listener {
    Box::new(|_| {})
}

/// Longest line of a reply, and longest reply, in bytes: a server that sends more is out of step.
const LINE: usize = 64 * 1024;
const REPLY: usize = 4 << 20;

/// The head start of the likeliest address.
pub(crate) const STAGGER: Duration = Duration::from_millis(250);

/// How long the last bytes of a transfer may be late when the server has said that it is over.
const LATE: Duration = Duration::from_millis(1500);

/// How often a quiet control connection shows that it lives: some NATs forget one within ten seconds.
const ALIVE: Duration = Duration::from_secs(4);

/// How long a handshake may take, on either connection.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Lines that may lie there unasked for; of a flood the rest is heard in its turn.
const STRAY: usize = 100;

/// How long a command may wait to be taken at most.
const SEND_PATIENCE: Duration = Duration::from_secs(30);

type Accepting = Pin<Box<dyn Future<Output = Result<TcpStream, LinkFault>> + Send>>;

/// The control connection with its machine, and the data connection that it has made.
pub(crate) struct Driver {
    control: ControlStream,
    replies: ReplyReader,
    machine: ClientSession,
    server: SocketAddr,
    local: SocketAddr,
    listener: Option<ActiveListener>,
    link: Option<DataStream>,
    /// The router's port that leads to the listener, for as long as the transfer lasts.
    mapping: Option<Mapping>,
    notice: Listener,
    way: Way,
    tls: Option<Connector>,
    /// Whether the server said nothing to our first message of TLS.
    mute: bool,
    /// How long a command may wait to be taken.
    sending: Duration,
    /// Whether a line without end was told of.
    overlong: bool,
}

/// How connections leave this machine.
#[derive(Debug, Clone, Default)]
pub(crate) struct Way {
    /// The largest segment of both sides, in bytes.
    pub(crate) mss: Option<u16>,
    /// Through this proxy, to the server of this name.
    pub(crate) proxy: Option<(Proxy, String)>,
}

impl Driver {
    pub(crate) fn new(
        control: TcpStream,
        settings: twoport_session::client::Settings,
        notice: Listener,
        way: Way,
        tls: Option<Connector>,
    ) -> std::io::Result<Self> {
        let control = ControlStream::new(control, LINE, Some(ALIVE))?;
        let (server, local) = (control.peer()?, control.local()?);
        let ends = twoport_session::client::Ends { server, local };
        let sending = SEND_PATIENCE.min(settings.patience);
        Ok(Driver {
            control,
            replies: ReplyReader::new(REPLY),
            machine: ClientSession::new(settings, ends),
            server,
            local,
            listener: None,
            link: None,
            mapping: None,
            notice,
            way,
            tls,
            mute: false,
            sending,
            overlong: false,
        })
    }

    /// The data connection that the last [`Answer::Open`] told of.
    pub(crate) fn take_link(&mut self) -> Option<DataStream> {
        self.link.take()
    }

    /// TLS on the control connection. What was said behind the answer to AUTH was said in the clear, perhaps by somebody on the
    /// way.
    async fn shake_hands(&mut self) -> Result<(), String> {
        let Some(tls) = &self.tls else { return Err("there is nothing to do it with".to_owned()) };
        if self.control.has_unread() || self.replies.is_open() {
            return Err("more was said in the clear where TLS begins".to_owned());
        }
        let secured = self.control.connect_tls(tls, HANDSHAKE.min(self.sending)).await;
        self.mute = matches!(secured, Err(TlsFault::Silent(_)));
        let how = secured.map_err(|fault| fault.to_string())?.facts().to_string();
        (self.notice)(Notice::Secured { data: false, how });
        Ok(())
    }

    /// TLS on a data connection, where PROT P holds; and whether the session was resumed.
    pub(crate) async fn protect(&mut self, wire: DataStream) -> Result<(DataStream, bool), TlsFault> {
        let Some(tls) = self.tls.as_ref().filter(|_| self.machine.is_private() && !wire.is_secure()) else {
            return Ok((wire, true));
        };
        let (wire, facts) = wire.connect_tls(tls, HANDSHAKE.min(self.sending)).await?;
        (self.notice)(Notice::Secured { data: true, how: facts.to_string() });
        Ok((wire, facts.resumed))
    }

    /// Whether the next data connection will be refused: the server insists on a resumed session, and there is nothing left to
    /// resume by.
    pub(crate) fn lacks_tickets(&self) -> bool {
        let left = self.tls.as_ref().and_then(Connector::tickets);
        self.machine.is_private() && self.machine.ties_tls() && left == Some(0)
    }

    /// Whether the server said nothing to our first message of TLS.
    pub(crate) fn is_mute(&self) -> bool {
        self.mute
    }

    /// What was found of the server's certificate.
    pub(crate) fn judgement(&self) -> Option<Judgement> {
        self.tls.as_ref().and_then(Connector::judgement)
    }

    /// Listens for the server; where the router is to be asked, what it gave is what is told.
    async fn listen(&mut self, door: Door) -> Result<SocketAddr, LinkFault> {
        let (mut listener, at) = ActiveListener::bind(self.local, self.way.mss)?;
        if door == Door::Crossing {
            // The default data port of RFC 959 §3.2 is the one below the control port.
            let mut data = self.server;
            data.set_port(data.port().saturating_sub(1));
            listener.knock_at(data);
        }
        let at = match at {
            at if door != Door::Mapped => at,
            SocketAddr::V4(inner) if inner.ip().is_private() => {
                let refused = |e: std::io::Error| LinkFault::Other { to: None, text: e.to_string() };
                let router = Router::of_this_machine().map_err(refused)?;
                let mapping = mapping::map(inner, &router).await.map_err(refused)?;
                self.mapping.insert(mapping).outer()
            }
            at => {
                let text = format!("{} is no private address: there is no NAT to ask for a port", at.ip());
                return Err(LinkFault::Other { to: None, text });
            }
        };
        self.listener = Some(listener);
        Ok(at)
    }

    /// Connects to the first that answers; through the proxy, where there is one, and then the server has its name and
    /// not the address of the proxy.
    async fn dial(
        &self,
        to: &[SocketAddr],
        within: Duration,
    ) -> Result<(TcpStream, SocketAddr), Vec<(SocketAddr, LinkFault)>> {
        let Some((proxy, host)) = &self.way.proxy else {
            return dial_first(to, Source::Any(self.local), STAGGER, within, self.way.mss).await;
        };
        let mut faults = Vec::new();
        for address in to {
            let target = match address.ip() == self.server.ip() {
                true => Target::Name(host.clone(), address.port()),
                false => Target::Address(*address),
            };
            let fault = match tokio::time::timeout(within, proxy.connect(&target)).await {
                Ok(Ok(stream)) => return Ok((stream, *address)),
                Ok(Err(e)) => LinkFault::Other { to: Some(*address), text: e.to_string() },
                Err(_) => LinkFault::TimedOut { to: *address, after: within },
            };
            faults.push((*address, fault));
        }
        Err(faults)
    }

    /// Waits until the server has said that the transfer is over, and no byte has come for a while since; whether it said
    /// that all went well. It reads the control connection meanwhile, so that what is said there is heard when it is said.
    pub(crate) async fn over(&mut self, progress: &Progress) -> bool {
        loop {
            if let Some(well) = self.machine.ended_elsewhere() {
                let before = progress.pulse();
                tokio::time::sleep(LATE).await;
                if before.is_some() && progress.pulse() == before {
                    return well;
                }
                continue;
            }
            if !self.attend().await {
                // The bytes that are on their way still count.
                return std::future::pending().await;
            }
        }
    }

    /// The control connection while bytes go up: what is said there is heard, and it is kept alive.
    pub(crate) async fn attend_on(&mut self) -> Infallible {
        while self.attend().await {}
        std::future::pending().await
    }

    /// One thing of the control connection while bytes pass: a reply, or the moment to show that we live. False when it is
    /// closed. Nothing is lost when the future is dropped.
    async fn attend(&mut self) -> bool {
        while let Some(output) = self.machine.poll() {
            // Nothing else is wanted while bytes pass.
            let Output::Send(request) = output else { continue };
            (self.notice)(Notice::Sent(request.shown()));
            self.control.ask(&request);
            if self.control.flush_now().is_err() {
                self.tell(Input::Closed);
                return false;
            }
        }
        if self.take_line() {
            return true;
        }
        let due = self.machine.poll_timeout();
        let alarm = sleep_until(due.unwrap_or_else(Instant::now).into());
        tokio::select! {
            biased;
            arrived = self.control.read() => {
                let is_open = matches!(arrived, Ok(true));
                if !is_open {
                    self.tell(Input::Closed);
                }
                is_open
            }
            () = alarm, if due.is_some() => {
                self.tell(Input::Deadline);
                true
            }
        }
    }

    /// Hands in the next line that has arrived, if there is one.
    fn take_line(&mut self) -> bool {
        let Some(line) = self.control.next_line() else {
            // Nobody waits for the end of a line without end.
            let overlong = self.control.is_overlong() && !std::mem::replace(&mut self.overlong, true);
            if overlong {
                self.tell(Input::Nonsense);
            }
            return overlong;
        };
        match line.ok().map(|line| self.replies.feed_line(&line)) {
            Some(Ok(None)) => {}
            Some(Ok(Some(reply))) => {
                (self.notice)(Notice::Heard(reply.clone()));
                self.tell(Input::Reply(reply));
            }
            Some(Err(_)) | None => self.tell(Input::Nonsense),
        }
        true
    }

    /// Gives the router its port back.
    async fn unmap(&mut self) {
        if let Some(mapping) = self.mapping.take() {
            mapping.end().await;
        }
    }

    /// Says something that has no answer of its own.
    pub(crate) async fn mention(&mut self, ask: Ask) {
        self.machine.ask(Instant::now(), ask);
        while let Some(output) = self.machine.poll() {
            if let Output::Send(request) = output {
                self.send(&request).await;
            }
        }
    }

    /// One whole line in one write: a firewall's helper reads packets.
    async fn send(&mut self, request: &Request) {
        (self.notice)(Notice::Sent(request.shown()));
        self.control.ask(request);
        if self.control.flush(self.sending).await.is_err() {
            self.tell(Input::Closed);
        }
    }

    /// Gives back the data connection that stays open.
    pub(crate) fn keep_link(&mut self, link: DataStream) {
        if self.machine.keeps_link() {
            self.link = Some(link);
        }
    }

    /// Whether a transfer can be asked for ahead of its turn.
    pub(crate) fn keeps_link(&self) -> bool {
        self.machine.keeps_link()
    }

    /// Whether commands may be said in one flight.
    pub(crate) fn flights(&self) -> Flights {
        self.machine.flights()
    }

    /// A flight of harmless commands was answered whole: others may be said.
    pub(crate) fn flights_arrive(&mut self) {
        self.machine.flights_arrive();
    }

    /// Tells something.
    pub(crate) fn notify(&mut self, notice: Notice) {
        (self.notice)(notice);
    }

    /// Who has been listening.
    pub(crate) fn into_notice(self) -> Listener {
        self.notice
    }

    /// Whether a flight has been seen to arrive.
    pub(crate) fn has_flown(&self) -> bool {
        self.machine.has_flown()
    }

    /// What was answered to what was said beside the last transfer.
    pub(crate) fn take_also(&mut self) -> Vec<ReceivedReply> {
        self.machine.take_also()
    }

    /// The rung that the next transfer begins with.
    pub(crate) fn rung(&self) -> Option<Rung> {
        self.machine.rung()
    }

    /// The rungs that the next transfers may try, and whether EPRT goes before PORT.
    pub(crate) fn set_rungs(&mut self, rungs: Vec<Rung>, eprt_first: bool) {
        self.machine.set_rungs(rungs, eprt_first);
    }

    /// Whether the control connection is in TLS.
    pub(crate) fn is_secured(&self) -> bool {
        self.machine.is_secured()
    }

    /// Whether data connections are in TLS.
    pub(crate) fn is_private(&self) -> bool {
        self.machine.is_private()
    }

    /// Whether TYPE is A, as far as is known.
    pub(crate) fn is_ascii(&self) -> Option<bool> {
        self.machine.is_ascii()
    }

    /// Whether nothing more can be asked of the server.
    pub(crate) fn is_closed(&self) -> bool {
        self.machine.is_closed()
    }

    /// Whether an ask was left before its answer came.
    pub(crate) fn is_interrupted(&self) -> bool {
        !self.machine.is_idle() && !self.machine.is_closed()
    }

    /// Takes what has arrived unasked, without waiting.
    pub(crate) fn hear(&mut self) {
        loop {
            while self.take_line() {}
            match self.control.read_now() {
                Ok(Arrived::Bytes) => {}
                Ok(Arrived::Nothing) => return,
                Ok(Arrived::End) | Err(_) => return self.tell(Input::Closed),
            }
        }
    }

    /// The server's address.
    pub(crate) fn server(&self) -> SocketAddr {
        self.server
    }

    /// From the ask to its answer.
    pub(crate) async fn ask(&mut self, ask: Ask) -> Answer {
        let ends = matches!(ask, Ask::Finish { .. });
        if matches!(ask, Ask::Say(_) | Ask::Transfer(_) | Ask::Quit) {
            // What came while nothing was asked answers nothing. Taken for the answer to what is asked next, it would put
            // every later reply out of step.
            for _ in 0..STRAY {
                if !self.take_line() && !matches!(self.control.read_now(), Ok(Arrived::Bytes)) {
                    break;
                }
            }
        }
        self.machine.ask(Instant::now(), ask);
        let mut accepting: Option<Accepting> = None;
        loop {
            while let Some(output) = self.machine.poll() {
                match output {
                    Output::Send(request) => self.send(&request).await,
                    Output::Secure => {
                        let result = self.shake_hands().await;
                        self.tell(Input::Secured(result));
                    }
                    Output::Dial { to, within } => {
                        let dialled = self.dial(&to, within).await;
                        let result = dialled.map(|(stream, peer)| {
                            self.link = Some(DataStream::new(stream));
                            peer
                        });
                        self.tell(Input::Dialled(result));
                    }
                    Output::Listen(door) => {
                        let result = self.listen(door).await;
                        self.tell(Input::Listening(result));
                    }
                    Output::Accept { within } => {
                        if let Some(listener) = self.listener.take() {
                            accepting = Some(Box::pin(listener.accept(self.server.ip(), within)));
                        }
                    }
                    Output::DropLink => {
                        self.link = None;
                        self.listener = None;
                        accepting = None;
                        self.unmap().await;
                    }
                    Output::Stepped(why) => (self.notice)(Notice::Stepped(why)),
                    Output::Answer(answer) => {
                        if ends {
                            self.unmap().await;
                        }
                        return answer;
                    }
                }
            }
            if self.take_line() {
                continue;
            }
            let due = self.machine.poll_timeout();
            let alarm = sleep_until(due.unwrap_or_else(Instant::now).into());
            tokio::select! {
                biased;
                arrived = self.control.read() => match arrived {
                    Ok(true) => {}
                    Ok(false) | Err(_) => self.tell(Input::Closed),
                },
                taken = take(&mut accepting) => {
                    accepting = None;
                    let result = taken.map(|stream| self.link = Some(DataStream::new(stream)));
                    self.tell(Input::Accepted(result));
                }
                () = alarm, if due.is_some() => self.tell(Input::Deadline),
            }
        }
    }

    fn tell(&mut self, input: Input) {
        self.machine.handle(Instant::now(), input);
    }
}

/// Waits for the connection that is being accepted; for ever where none is.
async fn take(accepting: &mut Option<Accepting>) -> Result<TcpStream, LinkFault> {
    match accepting {
        Some(accepting) => accepting.await,
        None => std::future::pending().await,
    }
}
