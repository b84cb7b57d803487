//! One task per session: it feeds the machine what happened and does what the machine says. No rule of FTP lives here.

use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Sleep, sleep_until};
use twoport_certs::Facts;
use twoport_net::control::{Arrived, ControlStream};
use twoport_net::proxy_protocol::By;
use twoport_net::tls::Member;
use twoport_net::{DataListener, DataStream, Packets, Source, unheard_from};
use twoport_plan::{LinkFault, Network, Way};
use twoport_proto::sightings::Unheard;
use twoport_proto::{Failure, Reply, Sightings};
use twoport_session::rights::Right;
use twoport_session::server::io::{
    Channel, Ending, Input, Link, LinkId, Listening, NotSecured, Output, Task, TransferOrder,
};
use twoport_session::server::{Door, Ends};
use twoport_session::{Event, Grant, ServerSession};
use twoport_store::Store;
use twoport_users::Shown;

use crate::crew::One;
use crate::files;
use crate::journal::Journal;
use crate::outlook;
use crate::road::{Road, tell_packets};
use crate::settings::{Active, Listener};
use crate::shared::{Entered, Shared};
use crate::stop::told_to_stop;
use crate::transfer::{Job, News, Protection};

/// How long a peer may leave our replies untaken.
const REPLY_PATIENCE: Duration = Duration::from_secs(60);

/// Replies that are gathered before they are sent, in bytes, while more commands are at hand.
const GATHER: usize = 16 * 1024;

/// News of one transfer that wait for the session: it has six things to say at most.
const NEWS: usize = 8;

/// Bytes with which a transfer is heavy.
const MUCH: u64 = 1 << 20;

/// Other connections from a client's address that SITE DOCTOR tells of at most.
const UNHEARD: usize = 8;

/// The driver of one session.
pub(crate) struct Session {
    shared: Arc<Shared>,
    control: ControlStream,
    machine: ServerSession,
    journal: Journal,
    /// Who came, and our address that it reached.
    peer: SocketAddr,
    reached: SocketAddr,
    /// Our end with its scope and port, where listeners and connections of ours are bound.
    local: SocketAddr,
    /// Who brought it.
    by: By,
    /// Who may bring its data connections.
    trusted: Arc<[Network]>,
    store: Option<Arc<dyn Store>>,
    /// Whether the account may ask what was seen of its connections.
    watched: bool,
    /// Packets of this machine, when the data connection was agreed on.
    counted: Option<Packets>,
    secure: Option<Box<Secured>>,
    listener: Option<(LinkId, Box<DataListener>)>,
    /// A listener that is waited for.
    asking: Option<Asking>,
    /// The data connection that a transfer has left open.
    open: Option<(LinkId, Box<DataStream>)>,
    links: u64,
    running: Option<Running>,
    /// Whether the peer's half of the control connection is still open.
    reading: bool,
    /// Its place among the crew.
    one: One,
}

/// A listener, and where the client is told to come; or why there is none.
type Heard = Result<(DataListener, SocketAddrV4), LinkFault>;

/// The same, to come.
type Asking = Pin<Box<dyn Future<Output = Heard> + Send>>;

/// What TLS on the control connection leaves to the session.
struct Secured {
    /// The place in the ledger that data connections are measured by.
    member: Arc<Member>,
    /// The client's certificate.
    shown: Option<Shown>,
    /// What HOST had said before.
    host: Option<String>,
}

/// The transfer beside the session.
struct Running {
    progress: twoport_pipe::Progress,
    news: mpsc::Receiver<News>,
    stop: Option<oneshot::Sender<()>>,
    keep: Option<oneshot::Sender<()>>,
}

impl Running {
    /// What a transfer tells next. One that has died tells nothing more, and is at its end.
    fn last_word(&self) -> News {
        let (bytes, failure) = (self.progress.moved(), Failure::Io);
        News::Happened(Input::Ended(Ending::FileFailed { bytes, failure }))
    }

    /// News that are there already.
    fn try_news(&mut self) -> Option<News> {
        match self.news.try_recv() {
            Ok(news) => Some(news),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => Some(self.last_word()),
        }
    }

    /// The next news; for ever where nothing runs.
    async fn news_of(running: &mut Option<Running>) -> News {
        match running {
            Some(running) => running.news.recv().await.unwrap_or_else(|| running.last_word()),
            None => std::future::pending().await,
        }
    }
}

impl Session {
    /// A session over `control`, whose ends are what `by` said; none when the peer has gone already.
    pub(crate) fn new(
        control: ControlStream,
        peer: SocketAddr,
        (reached, by): (SocketAddr, By),
        listener: Listener,
        shared: Arc<Shared>,
        one: One,
    ) -> Option<Session> {
        let ends = Ends { peer: peer.ip(), local: reached.ip() };
        let local = control.local().ok()?;
        let way = control.peer().ok()?.ip();
        // Without certificates there is nothing to offer.
        let door = if shared.secure.is_some() { listener.door } else { Door::CLEAR };
        let machine = ServerSession::new(Arc::clone(&shared.session), ends, door, Instant::now());
        Some(Session {
            trusted: if listener.headers { shared.balancers.networks() } else { Arc::default() },
            shared,
            control,
            machine,
            journal: Journal::open(ends.peer, by, way),
            peer,
            reached,
            local,
            by,
            store: None,
            watched: false,
            counted: None,
            secure: None,
            listener: None,
            asking: None,
            open: None,
            links: 0,
            running: None,
            reading: true,
            one,
        })
    }

    /// Runs until the end of the session.
    pub(crate) async fn run(mut self: Box<Self>, mut stopping: watch::Receiver<bool>) {
        let mut draining = false;
        let alarm = sleep_until(Instant::now().into());
        tokio::pin!(alarm);
        loop {
            if self.obey().await.is_err() {
                self.reading = false;
                self.handle(Input::Closed);
                if self.obey().await.is_err() && self.machine.is_closed() {
                    break;
                }
            }
            if self.machine.is_closed() && self.running.is_none() {
                break;
            }
            if let Some(news) = self.running.as_mut().and_then(Running::try_news) {
                self.hear(news);
                continue;
            }
            if self.machine.wants_lines() && self.take_line() {
                continue;
            }
            if self.control.flush(REPLY_PATIENCE).await.is_err() {
                self.hang_up();
                continue;
            }
            let due = self.machine.poll_timeout();
            set(&mut alarm, due);
            let reading = self.reading && self.machine.wants_lines();
            tokio::select! {
                biased;
                news = Running::news_of(&mut self.running) => self.hear(news),
                answer = async { self.asking.as_mut().expect("it is asked").await }, if self.asking.is_some() => {
                    self.asking = None;
                    self.heard(answer);
                }
                arrived = self.control.read(), if reading => match arrived {
                    Ok(true) if self.control.began_with_header() => {
                        self.journal.not_believed();
                        break;
                    }
                    Ok(true) => {}
                    Ok(false) | Err(_) => self.hang_up(),
                },
                () = &mut alarm, if due.is_some() => self.handle(Input::Deadline),
                () = told_to_stop(&mut stopping), if !draining => {
                    draining = true;
                    self.handle(Input::Shutdown);
                }
            }
        }
        Box::pin(self.control.close(REPLY_PATIENCE)).await;
    }

    fn handle(&mut self, input: Input) {
        self.machine.handle(Instant::now(), input);
    }

    /// The peer's side is closed, or broken.
    fn hang_up(&mut self) {
        if std::mem::take(&mut self.reading) {
            self.handle(Input::Closed);
        }
    }

    /// Hands the next line in, if one has arrived.
    fn take_line(&mut self) -> bool {
        match self.control.next_line() {
            Some(line) => {
                self.journal.heard();
                self.handle(Input::Line(line));
                true
            }
            None => false,
        }
    }

    /// News of the transfer. Before an upload is called whole, what the peer has said until now is heard: an ABOR, or
    /// the end of a client that died.
    fn hear(&mut self, news: News) {
        let news = match news {
            News::Happened(input) => input,
            News::Kept(wire) => {
                let id = self.next_link();
                self.open = Some((id, Box::new(wire)));
                Input::Kept(id)
            }
        };
        match news {
            Input::Received => {
                while self.reading {
                    while self.machine.wants_lines() && self.take_line() {}
                    match self.control.read_now() {
                        Ok(Arrived::Bytes) if self.machine.wants_lines() => {}
                        Ok(Arrived::Bytes | Arrived::Nothing) => break,
                        Ok(Arrived::End) | Err(_) => self.hang_up(),
                    }
                }
            }
            Input::Ended(_) => self.running = None,
            _ => {}
        }
        self.handle(news);
    }

    /// Does what the machine says until it says nothing more.
    async fn obey(&mut self) -> io::Result<()> {
        while let Some(output) = self.machine.poll() {
            match output {
                Output::Say(reply) => self.say(&reply).await?,
                Output::Tell(event) => {
                    if let Event::LinkFailed { fault, .. } = &event {
                        self.shared.tally.count(fault);
                    }
                    self.journal.write(event);
                }
                Output::Check { name, secret } => {
                    let shown = self.secure.as_ref().and_then(|secure| secure.shown.as_ref());
                    let entered = self.shared.login(&name, &secret, shown);
                    let grant = self.enter(entered);
                    self.handle(Input::Checked(grant));
                }
                Output::Recognize { name } => {
                    let shown = self.secure.as_ref().and_then(|secure| secure.shown.as_ref());
                    let entered = shown.and_then(|shown| self.shared.recognize(&name, shown));
                    let grant = self.enter(entered);
                    self.handle(Input::Recognized(grant));
                }
                Output::LogOut => {
                    if let Some(secure) = &self.secure {
                        secure.member.log_out();
                    }
                }
                Output::Secure { reply, host } => {
                    let answer = Box::pin(self.shake_hands(reply, host)).await;
                    self.handle(Input::Secured(answer));
                }
                Output::Clear(reply) => {
                    self.control.say(&reply);
                    Box::pin(self.control.end_tls(self.shared.session.limits.handshake)).await?;
                    self.handle(Input::Cleared);
                }
                Output::Files(operation) => {
                    let store = self.store.as_ref().expect("files are asked for after a login only");
                    let answer = Box::pin(files::carry_out(store, operation)).await;
                    self.handle(Input::Filed(answer));
                }
                Output::Listen(way) => {
                    self.count();
                    let mut asking = self.listen(way);
                    // Nearly always there is an answer at once; else the session goes on beside it.
                    match poll_fn(|cx| Poll::Ready(asking.as_mut().poll(cx))).await {
                        Poll::Ready(answer) => self.heard(answer),
                        Poll::Pending => self.asking = Some(asking),
                    }
                }
                Output::Forget(id) => {
                    self.listener.take_if(|(held, _)| *held == id);
                    self.open.take_if(|(held, _)| *held == id);
                }
                Output::Begin(order) => self.begin(*order).await,
                Output::Keep => fire(self.running.as_mut().and_then(|running| running.keep.take())),
                Output::Stop => fire(self.running.as_mut().and_then(|running| running.stop.take())),
                Output::Measure => {
                    let moved = self.running.as_ref().map_or(0, |running| running.progress.moved());
                    self.handle(Input::Measured(moved));
                }
                Output::Look => {
                    let seen = self.look();
                    self.handle(Input::Saw(Box::new(seen)));
                }
                // The loop sees it; a transfer that was told to stop is waited for first.
                Output::Close => {}
            }
        }
        Ok(())
    }

    /// Somebody is in, or not: the files that go with it, and what other sessions of the same login are known by.
    fn enter(&mut self, entered: Option<Entered>) -> Option<Grant> {
        let (grant, store) = entered?;
        if let Some(secure) = &self.secure {
            secure.member.log_in(&format!("{} {}", self.peer.ip(), grant.account));
        }
        self.store = Some(store);
        self.watched = grant.rights.has(Right::Doctor);
        Some(grant)
    }

    /// From now on packets are counted, where the account may ask for what was seen.
    fn count(&mut self) {
        self.counted = self.watched.then(|| Packets::now(self.peer.is_ipv6())).flatten();
    }

    /// What is to be seen of the control connection, and of a listener that waits.
    fn look(&mut self) -> Sightings {
        let mut waiting = self.listener.as_mut().map(|(_, listener)| listener.sightings());
        if let (Some(seen), Some(counted)) = (&mut waiting, &self.counted) {
            tell_packets(seen, counted);
        }
        // Behind a balancer the system knows only him.
        let others = if self.by == By::Itself {
            unheard_from(self.peer.ip(), self.reached.port())
        } else {
            Vec::new()
        };
        let others = others.into_iter().filter(|(from, _)| *from != self.peer).take(UNHEARD);
        Sightings {
            peer: Some(self.peer),
            reached: Some(self.reached),
            listens: self.shared.listens(),
            mss: self.control.mss().ok(),
            unheard: others.map(|(from, bytes)| Unheard { from, bytes }).collect(),
            helper: outlook::helper(),
            ..waiting.unwrap_or_default()
        }
    }

    /// TLS on the control connection. It may take seconds, and holds up nobody but this session.
    async fn shake_hands(
        &mut self,
        reply: Option<Reply>,
        host: Option<String>,
    ) -> Result<Channel, NotSecured> {
        let Some(secure) = &self.shared.secure else {
            return Err(NotSecured::Failed("there is no certificate".to_owned()));
        };
        if self.control.has_unread() {
            return Err(NotSecured::Smuggled);
        }
        if let Some(reply) = &reply {
            self.control.say(reply);
        }
        let patience = self.shared.session.limits.handshake;
        let secured = self.control.accept_tls(&secure.acceptor, host.clone(), patience).await;
        let secured = secured.map_err(|fault| NotSecured::Failed(fault.to_string()))?;
        let shown = secured.certificate.as_deref().and_then(|certificate| {
            let facts = Facts::of_der(certificate).ok()?;
            let names = facts.names.into_iter().chain(facts.common_name).chain(facts.emails);
            Some(Shown { fingerprint: facts.fingerprint, names: names.collect() })
        });
        let channel = Channel {
            how: secured.facts.to_string(),
            server_name: secured.server_name,
            certified: shown.is_some(),
        };
        self.secure = Some(Box::new(Secured { member: Arc::new(secured.member), shown, host }));
        Ok(channel)
    }

    /// What a transfer needs for TLS on its data connection.
    fn protection(&mut self, task: &Task) -> Option<Protection> {
        let (secure, own) = (self.shared.secure.as_ref()?, self.secure.as_ref()?);
        Some(Protection {
            acceptor: secure.acceptor.clone(),
            resumption: secure.resumption,
            member: Arc::clone(&own.member),
            host: own.host.clone(),
            sends: !matches!(task, Task::Receive { .. }),
            straight: self.by == By::Itself,
            session: self.journal.number(),
        })
    }

    async fn say(&mut self, reply: &Reply) -> io::Result<()> {
        self.control.say(reply);
        if self.control.waiting() > GATHER { self.control.flush(REPLY_PATIENCE).await } else { Ok(()) }
    }

    /// Makes a listener, and finds what to tell of it. It may wait for a port, or for somebody who is asked.
    fn listen(&self, way: Way) -> Asking {
        let client = self.shared.outside.client(self.reached.ip(), self.peer.ip(), self.secure.is_some());
        let (shared, trusted) = (Arc::clone(&self.shared), Arc::clone(&self.trusted));
        let (local, peer) = (self.local, self.peer.ip());
        Box::pin(async move {
            let listener = shared.ports.listen_patiently(local, peer, trusted, shared.when_full).await?;
            let told = shared.outside.find(client, listener.port(), way).await;
            Ok((listener, told))
        })
    }

    /// A listener is there, or not.
    fn heard(&mut self, answer: Heard) {
        let answer = answer.map(|(listener, told)| {
            if let Some(crowd) = listener.crowd() {
                self.journal.crowded(crowd);
            }
            let id = self.next_link();
            self.listener = Some((id, Box::new(listener)));
            Listening { id, told }
        });
        self.handle(Input::Listening(answer));
    }

    fn next_link(&mut self) -> LinkId {
        self.links += 1;
        LinkId(self.links)
    }

    /// Begins a transfer. A small one is through at once, and its first reply goes out with its last; one that has to wait goes on
    /// beside the session, and with those that are heavy once it has moved much.
    async fn begin(&mut self, order: TransferOrder) {
        let road = match order.link {
            Link::Passive(id) => {
                let held = self.listener.take_if(|(held, _)| *held == id);
                let (_, listener) =
                    held.expect("the machine orders transfers over the listener that it was given");
                Road::Passive { listener: *listener }
            }
            Link::Active(target) => {
                self.count();
                Road::Active { target, source: self.source(target.ip()), from: None }
            }
            Link::Open(id) => {
                let held = self.open.take_if(|(held, _)| *held == id);
                let (_, wire) = held.expect("the machine orders transfers over the link that was left open");
                Road::Open(*wire)
            }
            Link::None => Road::None,
        };
        let (stop, stopped) = oneshot::channel();
        let (keep, kept) = oneshot::channel();
        let (tell, news) = mpsc::channel(NEWS);
        let progress = twoport_pipe::Progress::default();
        let job = Job {
            store: Arc::clone(self.store.as_ref().expect("transfers are ordered after a login only")),
            road,
            watched: self.watched,
            counted: self.counted,
            protection: if order.private { self.protection(&order.task) } else { None },
            limits: Arc::clone(&self.shared.session),
            progress: progress.clone(),
            news: tell,
            stopped,
            kept: Some(kept),
        };
        self.running = Some(Running { progress: progress.clone(), news, stop: Some(stop), keep: Some(keep) });
        self.one.carry(job.carry_out(order), move || progress.moved() >= MUCH).await;
    }

    /// Where an active connection to `target` comes from: the address that the client knows. Behind a balancer it knows none of
    /// ours, and the one that leads to the balancer need not lead to the client.
    fn source(&self, target: IpAddr) -> Source {
        let own = match (self.by, target) {
            (By::Itself | By::Check, _) => self.local,
            (By::Balancer, IpAddr::V4(_)) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
            (By::Balancer, IpAddr::V6(_)) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
        };
        match self.shared.active {
            Active::Port20 => Source::Port(own, 20),
            Active::On | Active::Off => Source::Any(own),
        }
    }
}

/// Sends the word, if it was not sent before; whoever has gone does not need it.
fn fire(word: Option<oneshot::Sender<()>>) {
    if let Some(word) = word {
        let _ = word.send(());
    }
}

/// Sets the alarm for the machine's next deadline. An alarm that rings too early is put on again; only an earlier
/// deadline needs a new one, so that a busy session does not touch the timer with every command.
fn set(alarm: &mut std::pin::Pin<&mut Sleep>, due: Option<Instant>) {
    if let Some(due) = due
        && (alarm.deadline().into_std() > due || alarm.is_elapsed())
    {
        alarm.as_mut().reset(due.into());
    }
}
