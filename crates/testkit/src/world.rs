//! `World`: everything around one `ServerSession`, in memory. It obeys every `Output` as the real driver does, over a
//! small tree, counted leases and a clock that only the test moves; and it panics where the machine asks for what no
//! driver could do. What happens next beside the session is the test's choice: [`Move`].
//!
//! What is moved is moved as it is: line ends under TYPE A and record marks are the pipe's, which has its own tests.

mod beside;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use std::time::{Duration, Instant};

use twoport_plan::outside::told;
use twoport_plan::{LinkFault, PortRange, Spent, Tell};
use twoport_proto::line::{LineBuf, LineFault};
use twoport_proto::{Failure, FtpPath, Reply, Secret};
use twoport_session::rights::{Grant, Needs, Right, Rights};
use twoport_session::server::io::{Channel, Input, Link, LinkId, Listening, NotSecured, Output};
use twoport_session::server::{Door, Ends, Settings};
use twoport_session::{Limits, ServerSession};

pub use self::beside::{Beside, Move, Stage};
use crate::tree::Tree;

/// Somebody who may log in.
#[derive(Debug, Clone)]
pub struct Account {
    /// The name after USER.
    pub name: &'static str,
    /// What PASS must say.
    pub password: Vec<u8>,
    /// What it may do.
    pub rights: Rights,
    /// What it needs of TLS.
    pub needs: Needs,
    /// Whether the certificate that the client shows is this account's.
    pub by_certificate: bool,
}

impl Account {
    fn grant(&self) -> Grant {
        Grant { account: self.name.to_owned(), rights: self.rights, home: FtpPath::root(), needs: self.needs }
    }
}

/// What happened on the surface of the machine, in order.
#[derive(Debug, Clone)]
pub enum Happened {
    /// This line was handed in.
    Heard(Result<Vec<u8>, LineFault>),
    /// It was told that the peer is gone.
    Gone,
    /// It said what to do.
    Did(Output),
}

/// A session and its surroundings.
#[derive(Debug)]
pub struct World {
    /// The files.
    pub tree: Tree,
    /// Who may log in.
    pub accounts: Vec<Account>,
    /// What the next file operation answers in place of the truth.
    pub next_file_operation: Option<Failure>,
    /// What the next request to listen answers in place of a listener.
    pub next_listener: Option<LinkFault>,
    /// What the next handshake on the control connection tells, or why it comes to nothing.
    pub handshake: Result<Channel, String>,
    /// What the peer sends over the next data connection for an upload.
    pub upload: Vec<u8>,
    /// How long every check, file operation and listener takes.
    pub slowness: Duration,
    session: ServerSession,
    ends: Ends,
    /// Our address, as 227 tells it.
    told: Ipv4Addr,
    now: Instant,
    /// Bytes of the peer that are not handed in yet.
    lines: LineBuf,
    hung_up: bool,
    told_gone: bool,
    free_ports: Vec<u16>,
    all_ports: Option<PortRange>,
    leases: BTreeMap<LinkId, u16>,
    /// Data connections that a transfer has left open.
    open: BTreeSet<LinkId>,
    last_lease: u64,
    beside: Option<Beside>,
    journal: Vec<Happened>,
    said: Vec<u8>,
    delivered: Vec<u8>,
    closed: bool,
}

impl World {
    /// A world with these settings, between these ends and behind this door, in which a session has just greeted its peer. Two passive ports;
    /// the tree and the accounts of [`World::furnish`].
    #[must_use]
    pub fn new(settings: Settings, ends: Ends, door: Door) -> Self {
        // An `Instant` cannot be made from nothing; only differences to this one ever count.
        let now = Instant::now();
        let lines = LineBuf::new(settings.limits.line);
        let mut world = World {
            tree: Tree::new(),
            accounts: Vec::new(),
            next_file_operation: None,
            next_listener: None,
            handshake: Ok(Channel { how: "TLSv1.3 of the test".to_owned(), ..Channel::default() }),
            upload: Vec::new(),
            slowness: Duration::ZERO,
            session: ServerSession::new(Arc::new(settings), ends, door, now),
            ends,
            told: told(&Tell::Reached, ends.local, None),
            now,
            lines,
            hung_up: false,
            told_gone: false,
            free_ports: Vec::new(),
            all_ports: None,
            leases: BTreeMap::new(),
            open: BTreeSet::new(),
            last_lease: 0,
            beside: None,
            journal: Vec::new(),
            said: Vec::new(),
            delivered: Vec::new(),
            closed: false,
        };
        world.open_ports(2);
        world.furnish();
        world.obey();
        world
    }

    /// The world of the essay: `testbox2.slacksite.com` at 192.168.150.90, its client at 192.168.150.80.
    #[must_use]
    pub fn of_the_essay() -> Self {
        Self::new(essay_settings(), essay_ends(), Door::CLEAR)
    }

    /// Puts the usual accounts and files in place: anna and slacker may do all, rob may read, dora may drop, nora may do all and ask
    /// SITE DOCTOR.
    pub fn furnish(&mut self) {
        let account = |name, rights| Account {
            name,
            password: PASSWORD.to_vec(),
            rights,
            needs: Needs::default(),
            by_certificate: false,
        };
        self.accounts = vec![
            account("anna", Rights::READ_WRITE),
            account("slacker", Rights::READ_WRITE),
            account("rob", Rights::READ_ONLY),
            account("dora", Rights::DROP),
            account("nora", Rights::READ_WRITE.with(Right::Doctor)),
        ];
        self.tree.add_folder("/public_html");
        self.tree.add_file("/public_html/index.html", &[b'x'; 104]);
        self.tree.add_file("/hello.txt", b"hello, world\n");
    }

    /// So many passive ports, from 50069 on, as in the essay's 227.
    pub fn open_ports(&mut self, count: u16) {
        self.all_ports = PortRange::new(FIRST_PORT, FIRST_PORT + count.max(1) - 1).ok();
        self.free_ports = (0..count).rev().map(|port| FIRST_PORT + port).collect();
    }

    /// The peer sends these bytes, and what can be heard of them is heard.
    pub fn client_sends(&mut self, bytes: &[u8]) {
        if !self.hung_up {
            self.lines.feed(bytes);
        }
        self.hear();
    }

    /// The peer closes the control connection: after all that it has sent, as TCP has it.
    pub fn client_closes(&mut self) {
        self.hung_up = true;
        self.hear();
    }

    /// The server is told to stop.
    pub fn shut_down(&mut self) {
        self.hand_in(Input::Shutdown);
    }

    /// Time passes, and the machine is woken as often as it asked for.
    ///
    /// # Panics
    /// When it asks to be woken again and again without end.
    pub fn pass(&mut self, span: Duration) {
        let until = self.now + span;
        let mut woken = 0;
        while let Some(due) = self.session.poll_timeout().filter(|due| *due <= until && !self.closed) {
            self.now = self.now.max(due);
            self.hand_in(Input::Deadline);
            woken += 1;
            assert!(woken < 1000, "the machine asks to be woken for ever");
        }
        self.now = self.now.max(until);
    }

    /// One natural step of what runs beside the session; whether there was one.
    pub fn step(&mut self) -> bool {
        self.hear();
        let Some(next) = self.beside.as_ref().and_then(Beside::natural) else { return false };
        self.advance(next)
    }

    /// Natural steps until nothing more happens by itself.
    pub fn run_until_quiet(&mut self) {
        while self.step() {}
    }

    /// What was said since the last time, as it goes over the wire.
    pub fn said(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.said)
    }

    /// What was sent over data connections since the last time.
    pub fn delivered(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.delivered)
    }

    /// What happened on the machine's surface since the last time.
    pub fn journal(&mut self) -> Vec<Happened> {
        std::mem::take(&mut self.journal)
    }

    /// What runs beside the session.
    #[must_use]
    pub fn beside(&self) -> Option<&Beside> {
        self.beside.as_ref()
    }

    /// Ports that are leased and not given back.
    pub fn leased_ports(&self) -> impl Iterator<Item = u16> {
        self.leases.values().copied()
    }

    /// Whether the control connection is closed from this side.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// Whether the machine wants to be woken at some time.
    #[must_use]
    pub fn wakes_by_itself(&self) -> bool {
        self.session.poll_timeout().is_some()
    }

    /// How long until the machine wants to be woken; nothing when it does not.
    #[must_use]
    pub fn until_woken(&self) -> Option<Duration> {
        self.session.poll_timeout().map(|due| due.saturating_duration_since(self.now))
    }

    /// What a listener that nobody came to is told as.
    #[must_use]
    pub fn nobody_came(&self) -> LinkFault {
        let port = self.beside.as_ref().and_then(|beside| beside.port).unwrap_or(FIRST_PORT);
        LinkFault::NobodyCame {
            port,
            waited: Limits::default().link,
            range: self.all_ports,
            half_open: false,
        }
    }

    /// What a listener to which somebody else came is told as.
    #[must_use]
    pub fn stranger_came(&self) -> LinkFault {
        let port = self.beside.as_ref().and_then(|beside| beside.port).unwrap_or(FIRST_PORT);
        let from = IpAddr::from([203, 0, 113, 9]);
        LinkFault::StrangerCame { port, from, expected: essay_ends().peer }
    }

    /// Hands in lines while the machine wants them, and the peer's end when there are no more.
    fn hear(&mut self) {
        while !self.closed && self.session.wants_lines() {
            let Some(line) = self.lines.next_line() else {
                if self.hung_up && !self.told_gone {
                    self.told_gone = true;
                    self.journal.push(Happened::Gone);
                    self.hand_in(Input::Closed);
                }
                return;
            };
            self.journal.push(Happened::Heard(line.clone()));
            self.hand_in(Input::Line(line));
        }
    }

    /// Hands one input in and does what the machine says to that.
    fn hand_in(&mut self, input: Input) {
        if !self.closed {
            self.session.handle(self.now, input);
            self.obey();
        }
    }

    /// Does what the machine says. What wants an answer gets it on the spot, as in a driver that awaits it in place: no
    /// line can come between.
    fn obey(&mut self) {
        while let Some(output) = self.session.poll() {
            assert!(!self.closed, "after Close the machine still says {output:?}");
            self.journal.push(Happened::Did(output.clone()));
            match output {
                Output::Say(reply) => reply.write(&mut self.said),
                Output::Check { name, secret } => {
                    let grant = self.check(&name, &secret);
                    self.answer(Input::Checked(grant));
                }
                Output::Recognize { name } => {
                    let known = self.accounts.iter().find(|account| account.name.as_bytes() == name);
                    let grant = known.filter(|account| account.by_certificate).map(Account::grant);
                    self.answer(Input::Recognized(grant));
                }
                Output::Secure { reply, host: _ } => {
                    let answer = self.shake_hands(reply);
                    self.answer(Input::Secured(answer));
                }
                Output::Clear(reply) => {
                    self.journal.push(Happened::Did(Output::Say(reply.clone())));
                    reply.write(&mut self.said);
                    self.answer(Input::Cleared);
                }
                Output::Files(operation) => {
                    let answer = match self.next_file_operation.take() {
                        Some(failure) => Err(failure),
                        None => self.tree.answer(operation),
                    };
                    self.answer(Input::Filed(answer));
                }
                Output::Listen(_) => {
                    let answer = self.listen();
                    self.answer(Input::Listening(answer));
                }
                Output::Forget(id) if self.open.remove(&id) => {}
                Output::Forget(id) => {
                    let port = self.leases.remove(&id);
                    self.free_ports
                        .push(port.unwrap_or_else(|| panic!("{id:?} is given back and was not out")));
                }
                Output::Begin(order) => self.begin(*order),
                Output::Keep => self.keep(),
                Output::Stop => {
                    let beside = self.beside.as_mut().expect("the machine stops only what runs");
                    assert!(!beside.stopping, "the machine says Stop twice");
                    beside.stopping = true;
                }
                Output::Measure => {
                    let beside = self.beside.as_ref().expect("the machine measures only what runs");
                    let moved = beside.moved;
                    self.session.handle(self.now, Input::Measured(moved));
                }
                Output::Look => {
                    let seen = self.look();
                    self.session.handle(self.now, Input::Saw(Box::new(seen)));
                }
                Output::Tell(_) | Output::LogOut => {}
                Output::Close => self.closed = true,
            }
        }
        if self.closed {
            assert!(self.session.is_closed(), "Close was said by a session that goes on");
            assert!(self.leases.is_empty(), "closed, and ports are still out: {:?}", self.leases);
            assert!(self.open.is_empty(), "closed, and a data connection is still open: {:?}", self.open);
            assert!(self.beside.is_none(), "closed, and a transfer still runs");
            assert_eq!(self.session.poll_timeout(), None, "closed, and it still wants to be woken");
        }
    }

    fn answer(&mut self, input: Input) {
        self.now += self.slowness;
        self.session.handle(self.now, input);
    }

    fn check(&self, name: &[u8], secret: &Secret) -> Option<Grant> {
        let fits =
            |account: &&Account| account.name.as_bytes() == name && account.password == secret.reveal();
        self.accounts.iter().find(fits).map(Account::grant)
    }

    /// The reply goes out only where nothing of the peer waits behind what it answers.
    fn shake_hands(&mut self, reply: Option<Reply>) -> Result<Channel, NotSecured> {
        if !self.lines.is_empty() {
            return Err(NotSecured::Smuggled);
        }
        if let Some(reply) = reply {
            self.journal.push(Happened::Did(Output::Say(reply.clone())));
            reply.write(&mut self.said);
        }
        self.handshake.clone().map_err(NotSecured::Failed)
    }

    fn listen(&mut self) -> Result<Listening, LinkFault> {
        if let Some(fault) = self.next_listener.take() {
            return Err(fault);
        }
        let Some(port) = self.free_ports.pop() else {
            return Err(
                Spent { size: self.leases.len(), held: self.leases.len(), share: self.leases.len() }.into()
            );
        };
        self.last_lease += 1;
        let id = LinkId(self.last_lease);
        self.leases.insert(id, port);
        Ok(Listening { id, told: SocketAddrV4::new(self.told, port) })
    }

    /// The port of a lease that goes into a transfer, and with it back to the pool.
    fn spend(&mut self, link: Link) -> Option<u16> {
        let id = match link {
            Link::Passive(id) => id,
            Link::Open(id) => {
                assert!(self.open.remove(&id), "{id:?} goes into a transfer and was not open");
                return None;
            }
            Link::Active(_) | Link::None => return None,
        };
        let port = self.leases.remove(&id);
        let port = port.unwrap_or_else(|| panic!("{id:?} goes into a transfer and was not out"));
        self.free_ports.push(port);
        Some(port)
    }
}

/// Settings with the essay's host name and every default.
#[must_use]
pub fn essay_settings() -> Settings {
    Settings {
        host: "testbox2.slacksite.com".to_owned(),
        program: ("twoport".to_owned(), "0.1.0".to_owned()),
        limits: Limits::default(),
        active: true,
        passive: true,
        hosts: Vec::new(),
        ccc: false,
    }
}

/// The two ends of the essay.
#[must_use]
pub fn essay_ends() -> Ends {
    Ends { peer: IpAddr::from([192, 168, 150, 80]), local: IpAddr::from([192, 168, 150, 90]) }
}

/// The password of every account: a word that stands nowhere else.
pub const PASSWORD: &[u8] = b"TmpPass";

/// 195 * 256 + 149, the port of the essay's 227.
pub const FIRST_PORT: u16 = 50069;
