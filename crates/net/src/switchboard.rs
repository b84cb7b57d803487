//! Passive data ports out of one pool. A port is bound once and shared: several clients wait on it, each for itself, and a
//! connection goes to whom its address belongs to. Strangers are dropped, and hold up nobody.
//!
//! ```text
//!   lease (client A, port) ─┐
//!   lease (client B, port) ─┴─ line: one listening socket, and a slot for each client
//! ```
//!
//! Whoever waits accepts for all who share the line; the socket goes with the last lease. The pool says in a moment which port it is,
//! and is not held while the system is asked for a socket, or closes one: that a port has its line, or is getting or losing it, is
//! known at its berth.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, oneshot};
use twoport_plan::LinkFault;
use twoport_plan::network::Network;
use twoport_plan::ports::{Gauge, PortPool, PortRange};
use twoport_proto::Sightings;
use twoport_proto::sightings::Came;

use crate::control::canonical;
use crate::data::DataStream;
use crate::late::{LateListener, LateStream};
use crate::listen::bind;
use crate::proxy_protocol::{self, Met, TurnedAway};
use crate::queue;

/// Connections that may wait to be accepted on one data port: it may be that of many clients.
const BACKLOG: i32 = 256;

/// The passive ports of a server, shared by its sessions.
#[derive(Debug, Clone)]
pub struct PassivePorts {
    board: Arc<Mutex<Board>>,
    freed: Arc<Notify>,
    range: PortRange,
    tell: Tell,
}

/// Somebody who came to a passive port and was dropped.
#[derive(Debug)]
pub enum Unwanted {
    /// Nobody waits for whoever comes from there.
    Stranger(IpAddr),
    /// It comes from a balancer's network without the header that would tell who it is.
    TurnedAway(TurnedAway),
}

/// Who hears of those who were dropped, with the port that they came to.
#[derive(Clone)]
struct Tell(Arc<dyn Fn(u16, Unwanted) + Send + Sync>);

impl fmt::Debug for Tell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tell")
    }
}

#[derive(Debug)]
struct Board {
    pool: PortPool,
    /// The ports with at least one lease.
    berths: HashMap<SocketAddr, Arc<Berth>>,
    /// Of whom it was said that he waits on many, and when.
    crowded: HashMap<IpAddr, Instant>,
    dice: Dice,
}

/// Random numbers: ports must not be guessed by somebody who wants to come first. The system is asked for many at once.
#[derive(Default)]
struct Dice {
    bytes: [[u8; 8]; 32],
    left: usize,
}

impl Dice {
    fn roll(&mut self) -> usize {
        if self.left == 0 {
            if getrandom::fill(self.bytes.as_flattened_mut()).is_err() {
                return 0;
            }
            self.left = self.bytes.len();
        }
        self.left -= 1;
        usize::from_ne_bytes(std::mem::take(&mut self.bytes[self.left]))
    }
}

impl fmt::Debug for Dice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Dice")
    }
}

/// A client that waits on most of the ports that it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Crowd {
    /// Ports that it waits on.
    pub held: usize,
    /// Ports that it may wait on.
    pub share: usize,
}

/// How long nothing more is said of a crowd.
const SAID: Duration = Duration::from_secs(60);

impl Board {
    /// All ports that a client may have, the best first.
    fn all_for(&mut self, client: IpAddr) -> impl Iterator<Item = u16> + '_ {
        self.pool.free_for(client, self.dice.roll(), Instant::now())
    }

    /// Leases the best one, and says where its line is or will be.
    fn take_best(
        &mut self,
        client: IpAddr,
        place: impl Fn(u16) -> SocketAddr,
    ) -> Option<(SocketAddr, Arc<Berth>)> {
        let port = self.all_for(client).next()?;
        self.take(client, place(port))
    }

    /// The same of a certain one; none where another session has taken it meanwhile.
    fn take(&mut self, client: IpAddr, at: SocketAddr) -> Option<(SocketAddr, Arc<Berth>)> {
        self.pool.take(client, at.port()).then(|| (at, Arc::clone(self.berths.entry(at).or_default())))
    }

    /// Puts one back that could not be bound.
    fn put_back(&mut self, client: IpAddr, at: SocketAddr, berth: &Arc<Berth>) {
        self.let_go(at, berth);
        self.pool.put_back(client, at.port());
    }

    /// Forgets a berth that nobody else has. One that two let go of in the same moment stays, and serves who comes next.
    fn let_go(&mut self, at: SocketAddr, berth: &Arc<Berth>) {
        // Here, and whoever asks.
        if Arc::strong_count(berth) == 2 {
            self.berths.remove(&at);
        }
    }

    /// At four fifths of its share something is said of a client, now and then.
    fn crowd(&mut self, client: IpAddr) -> Option<Crowd> {
        let (held, share) = (self.pool.held_by(client), self.pool.share());
        if held < 2 || held * 5 < share * 4 {
            return None;
        }
        self.crowded.retain(|_, said| said.elapsed() < SAID);
        match self.crowded.entry(client) {
            Entry::Occupied(_) => None,
            Entry::Vacant(place) => {
                place.insert(Instant::now());
                Some(Crowd { held, share })
            }
        }
    }
}

/// A port that is listened on.
#[derive(Debug)]
struct Line {
    listener: LateListener,
    port: u16,
    slots: Mutex<HashMap<IpAddr, Slot>>,
    tell: Tell,
}

/// Where a client's connection is put.
#[derive(Debug)]
struct Slot {
    link: oneshot::Sender<Arrival>,
    /// The networks of balancers that may bring it; none where the client comes itself.
    trusted: Arc<[Network]>,
    /// Who came instead, the last ones.
    strangers: Vec<SocketAddr>,
}

/// A client's connection.
#[derive(Debug)]
struct Arrival {
    stream: LateStream,
    from: SocketAddr,
    /// Who had come before it.
    strangers: Vec<SocketAddr>,
}

/// Strangers that are remembered for one client.
const STRANGERS: usize = 8;

/// Where the line of a port is, as long as somebody has a lease there.
#[derive(Debug, Default)]
struct Berth(Mutex<Moored>);

#[derive(Debug, Default)]
struct Moored {
    line: Option<Arc<Line>>,
    leases: usize,
}

impl Berth {
    /// One more who waits there; the first one has the port bound.
    fn join(
        &self,
        at: SocketAddr,
        client: IpAddr,
        trusted: &Arc<[Network]>,
        tell: &Tell,
    ) -> io::Result<(Arc<Line>, oneshot::Receiver<Arrival>)> {
        let mut moored = lock(&self.0);
        let line = match &moored.line {
            Some(line) => Arc::clone(line),
            None => {
                let listener = LateListener::new(bind(at, BACKLOG)?.into());
                let line = Line { listener, port: at.port(), slots: Mutex::default(), tell: tell.clone() };
                Arc::clone(moored.line.insert(Arc::new(line)))
            }
        };
        moored.leases += 1;
        let (link, arrival) = oneshot::channel();
        let slot = Slot { link, trusted: Arc::clone(trusted), strangers: Vec::new() };
        lock(&line.slots).insert(client, slot);
        Ok((line, arrival))
    }

    /// One less; the socket goes with the last, before anybody else can have the port bound.
    fn leave(&self, client: IpAddr, line: Arc<Line>) {
        let mut moored = lock(&self.0);
        lock(&line.slots).remove(&client);
        moored.leases -= 1;
        if moored.leases == 0 {
            moored.line = None;
        }
        drop(line);
    }
}

/// A pair of client and port out of the pool; it goes back when this is dropped.
#[derive(Debug)]
struct Lease {
    ports: PassivePorts,
    client: IpAddr,
    at: SocketAddr,
    berth: Arc<Berth>,
    /// There until the drop.
    line: Option<Arc<Line>>,
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(line) = self.line.take() {
            self.berth.leave(self.client, line);
        }
        let mut board = lock(&self.ports.board);
        board.let_go(self.at, &self.berth);
        board.pool.give_back(self.client, self.at.port(), Instant::now());
        drop(board);
        self.ports.freed.notify_waiters();
    }
}

/// Numbers and sockets: a panic elsewhere leaves them whole.
fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl PassivePorts {
    /// A pool over `range`; one client may wait on `share` ports at once, on all when there is none. `unwanted` hears of everybody
    /// who is dropped, with the port.
    #[must_use]
    pub fn new(
        range: PortRange,
        share: Option<usize>,
        unwanted: impl Fn(u16, Unwanted) + Send + Sync + 'static,
    ) -> Self {
        let board = Board {
            pool: PortPool::new(range, share),
            berths: HashMap::new(),
            crowded: HashMap::new(),
            dice: Dice::default(),
        };
        PassivePorts {
            board: Arc::new(Mutex::new(board)),
            freed: Arc::default(),
            range,
            tell: Tell(Arc::new(unwanted)),
        }
    }

    /// Whether it is the pool over `range` with this share.
    #[must_use]
    pub fn is_of(&self, range: PortRange, share: Option<usize>) -> bool {
        (self.range, lock(&self.board).pool.share()) == (range, PortPool::new(range, share).share())
    }

    /// How full it is now.
    #[must_use]
    pub fn gauge(&self) -> Gauge {
        lock(&self.board).pool.gauge()
    }

    /// Listens for `client` at the address of `local`, the one that it reached: on a port of the range that it does not wait on
    /// yet. Every one is tried once, from a random one on; a port that another program holds is passed over; a port outside the
    /// range is never taken. A balancer in one of the networks `trusted` brings the client's connection, with a header that names it;
    /// it comes itself where there are none.
    ///
    /// # Errors
    /// When no port of the range is left for the client.
    pub fn listen(
        &self,
        local: SocketAddr,
        client: IpAddr,
        trusted: Arc<[Network]>,
    ) -> Result<DataListener, LinkFault> {
        let client = client.to_canonical();
        // A link-local address keeps its scope.
        let place = |port: u16| {
            let mut at = local;
            at.set_port(port);
            at
        };
        let mut next = lock(&self.board).take_best(client, place);
        // Nearly always the first can be bound, and no other is looked for.
        let mut others = None;
        while let Some((at, berth)) = next {
            match berth.join(at, client, &trusted, &self.tell) {
                Ok((line, link)) => {
                    let crowd = lock(&self.board).crowd(client);
                    let lease = Lease { ports: self.clone(), client, at, berth, line: Some(line) };
                    let brought = !trusted.is_empty();
                    return Ok(DataListener { lease, link, came: Vec::new(), early: None, brought, crowd });
                }
                // In use by somebody else: the next one may be free.
                Err(e) if matches!(e.kind(), io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied) => {
                    let mut board = lock(&self.board);
                    board.put_back(client, at, &berth);
                    let others = others.get_or_insert_with(|| {
                        let rest = board.all_for(client).filter(|other| *other != at.port());
                        rest.collect::<Vec<u16>>().into_iter()
                    });
                    next = others.find_map(|port| board.take(client, place(port)));
                }
                Err(e) => {
                    lock(&self.board).put_back(client, at, &berth);
                    let text = format!("cannot listen on port {}: {e}", at.port());
                    return Err(LinkFault::Other { to: None, text });
                }
            }
        }
        Err(lock(&self.board).pool.spent(client).into())
    }

    /// The same, and where none is left waits up to `patience` for one that is given back.
    ///
    /// # Errors
    /// When no port of the range is left for the client even then.
    pub async fn listen_patiently(
        &self,
        local: SocketAddr,
        client: IpAddr,
        trusted: Arc<[Network]>,
        patience: Duration,
    ) -> Result<DataListener, LinkFault> {
        let end = tokio::time::Instant::now() + patience;
        loop {
            let freed = self.freed.notified();
            tokio::pin!(freed);
            freed.as_mut().enable();
            let answer = self.listen(local, client, Arc::clone(&trusted));
            let spent = matches!(answer, Err(LinkFault::PortsSpent(_)));
            if !spent || patience.is_zero() || tokio::time::timeout_at(end, freed).await.is_err() {
                return answer;
            }
        }
    }
}

/// A passive data port that waits for one client.
#[derive(Debug)]
pub struct DataListener {
    lease: Lease,
    link: oneshot::Receiver<Arrival>,
    /// Who has come, once the client has.
    came: Vec<Came>,
    /// The client's connection, where it was seen before it was waited for.
    early: Option<LateStream>,
    /// Whether a balancer brings it.
    brought: bool,
    crowd: Option<Crowd>,
}

impl DataListener {
    /// The port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.lease.at.port()
    }

    /// Whether the client waits on most of the ports that it may with this one; not told each time.
    #[must_use]
    pub fn crowd(&self) -> Option<Crowd> {
        self.crowd
    }

    /// Waits for the client's connection. Others are handed to whom they belong, or dropped. Once the client is there nobody
    /// else will be, and the listener is of no more use than to tell who came: the port goes back when it is dropped.
    ///
    /// # Errors
    /// When the client does not come within `patience`.
    pub async fn accept(&mut self, patience: Duration) -> Result<DataStream, LinkFault> {
        if let Some(stream) = self.early.take() {
            return Ok(stream.into());
        }
        let Some(line) = &self.lease.line else { return Err(self.nobody_came(patience)) };
        // Nearly always the client comes before it says what for.
        loop {
            if let Ok(arrival) = self.link.try_recv() {
                return Ok(self.note(arrival).into());
            }
            match line.listener.accept_now() {
                Ok((stream, from)) => line.came(stream, canonical(from)),
                Err(_) => break,
            }
        }
        let accepting = async {
            loop {
                match line.listener.accept().await {
                    Ok((stream, from)) => line.came(stream, canonical(from)),
                    Err(e) => return e,
                }
            }
        };
        let taken = tokio::time::timeout(patience, async {
            tokio::select! {
                biased;
                Ok(arrival) = &mut self.link => Ok(arrival),
                e = accepting => Err(e),
            }
        });
        match taken.await {
            Ok(Ok(arrival)) => Ok(self.note(arrival).into()),
            Ok(Err(e)) => Err(LinkFault::Other {
                to: None,
                text: format!("cannot accept on port {}: {e}", self.lease.at.port()),
            }),
            Err(_) => Err(self.nobody_came(patience)),
        }
    }

    /// What is to be seen of the port: who has come until now, whether the line is somebody else's too or not. What waits in the
    /// system's queue is taken, for all who share the line; the client's own connection is kept until it is waited for.
    pub fn sightings(&mut self) -> Sightings {
        if let Some(line) = &self.lease.line {
            line.take_what_waits();
        }
        if let Ok(arrival) = self.link.try_recv() {
            self.early = Some(self.note(arrival));
        }
        let Lease { client, at, line, .. } = &self.lease;
        let strangers = line.as_ref().and_then(|line| Some(lock(&line.slots).get(client)?.strangers.clone()));
        let strangers = strangers.into_iter().flatten().map(|from| Came { from, own: false });
        let came: Vec<Came> = self.came.iter().copied().chain(strangers).collect();
        let first_packet = came.iter().any(|came| came.own) || queue::half_open(*at, *client);
        Sightings {
            port: Some(at.port()),
            // A client whose connections a balancer brings sends us no packets.
            first_packet: (first_packet || !self.brought).then_some(first_packet),
            came,
            ..Sightings::default()
        }
    }

    fn note(&mut self, Arrival { stream, from, strangers }: Arrival) -> LateStream {
        self.came.extend(strangers.into_iter().map(|from| Came { from, own: false }));
        self.came.push(Came { from, own: true });
        stream
    }

    fn nobody_came(&self, waited: Duration) -> LinkFault {
        let Lease { client, at, line, ports, .. } = &self.lease;
        let seen = line.as_ref().and_then(|line| lock(&line.slots).get(client)?.strangers.last().copied());
        match seen {
            Some(from) => LinkFault::of_stranger(at.port(), from.ip(), *client),
            None => LinkFault::NobodyCame {
                port: at.port(),
                waited,
                range: Some(ports.range),
                // A client whose connections a balancer brings sends us no packets.
                half_open: !self.brought && queue::half_open(*at, *client),
            },
        }
    }
}

impl Line {
    /// A connection has come. Where a balancer may have brought it, its header is heard beside, and holds up nobody.
    fn came(self: &Arc<Self>, stream: LateStream, from: SocketAddr) {
        if !self.is_balancer(from.ip()) {
            return self.hand_over(stream, from);
        }
        // One that cannot be waited for is closed.
        let Ok(stream) = stream.into_known() else { return };
        let line = Arc::downgrade(self);
        tokio::spawn(async move {
            let met = proxy_protocol::meet(stream, from, proxy_protocol::PATIENCE).await;
            // Nobody waits any more where the line is gone.
            let Some(line) = line.upgrade() else { return };
            match met {
                Ok(Met { stream, peer, .. }) => line.hand_over(LateStream::at_home(stream), peer),
                Err(turned_away) => {
                    if !turned_away.fault.is_a_look() {
                        line.note(from);
                    }
                    (line.tell.0)(line.port, Unwanted::TurnedAway(turned_away));
                }
            }
        });
    }

    /// Whether somebody's balancer may come from there; a client that waits for itself and comes from there is none.
    fn is_balancer(&self, from: IpAddr) -> bool {
        let slots = lock(&self.slots);
        let itself = slots.get(&from).is_some_and(|slot| slot.trusted.is_empty());
        let trusted = |slot: &Slot| slot.trusted.iter().any(|network| network.contains(from));
        !itself && slots.values().any(trusted)
    }

    /// Gives a connection to the client that waits for it, or drops it.
    fn hand_over(&self, stream: LateStream, from: SocketAddr) {
        let slot = lock(&self.slots).remove(&from.ip());
        match slot {
            // One that has given up meanwhile needs none.
            Some(Slot { link, strangers, .. }) => _ = link.send(Arrival { stream, from, strangers }),
            None => {
                self.note(from);
                (self.tell.0)(self.port, Unwanted::Stranger(from.ip()));
            }
        }
    }

    /// Whoever waits in vain will be told who came.
    fn note(&self, from: SocketAddr) {
        for slot in lock(&self.slots).values_mut() {
            if slot.strangers.len() == STRANGERS {
                slot.strangers.remove(0);
            }
            slot.strangers.push(from);
        }
    }

    /// Accepts what has come already. It asks the socket itself: the runtime may not have heard of it yet.
    fn take_what_waits(self: &Arc<Self>) {
        for _ in 0..BACKLOG {
            let Ok((stream, from)) = self.listener.accept_now() else { return };
            self.came(stream, canonical(from));
        }
    }
}
