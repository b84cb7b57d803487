//! `Pair`: a client and the server's machine with a line between them that is slow, tears what it carries and may break
//! data connections; all on a virtual clock. The client is a model: it knows how to ask and how to count replies. At the
//! end both sides must be in step: as many final replies as commands, and the same bytes on both sides.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use twoport_plan::LinkFault;
use twoport_proto::line::LineBuf;
use twoport_proto::reply_reader::{ReceivedReply, ReplyReader};
use twoport_proto::{FtpPath, hostport};
use twoport_session::server::io::{Link, LinkId, Task};

use crate::judge::Judge;
use crate::random::Random;
use twoport_session::server::Door;

use crate::world::{Move, PASSWORD, Stage, World, essay_ends, essay_settings};

/// What a client wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// A command without a transfer.
    Say(String),
    /// A file of this name, after this command for the data connection.
    Fetch(String, Way),
    /// This file with these bytes.
    Store(String, Vec<u8>, Way),
    /// The listing of the working directory.
    List(Way),
}

/// How a data connection is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// PASV.
    Pasv,
    /// EPSV.
    Epsv,
    /// PORT.
    Port,
    /// EPRT.
    Eprt,
}

/// What lies between the two, and how the client goes about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Weather {
    /// From one side to the other.
    pub latency: Duration,
    /// Whether what is sent arrives in pieces.
    pub tears: bool,
    /// Whether all commands are sent at once, and not each after the reply to the one before.
    pub at_once: bool,
    /// Whether data connections break behind this many bytes.
    pub breaks_after: Option<u64>,
    /// Whether no data connection ever comes about.
    pub no_links: bool,
}

/// What the client has at the end.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outcome {
    /// Every command with the code of its final reply, in order.
    pub finals: Vec<(String, u16)>,
    /// What came over data connections, by name; the listing under the empty one.
    pub fetched: BTreeMap<String, Vec<u8>>,
}

/// Plays `asks` behind a login and before a QUIT, to the end of the session.
///
/// # Panics
/// When the two sides are out of step, or the bytes differ.
#[must_use]
pub fn play(asks: &[Ask], weather: Weather, seed: u64) -> Outcome {
    let mut pair = Pair::new(asks, weather, seed);
    pair.settle_server();
    while let Some(((at, _), event)) = pair.ahead.pop_first() {
        pair.world.pass(at.saturating_sub(pair.now));
        pair.now = pair.now.max(at);
        pair.happens(event);
        pair.settle_server();
        assert!(pair.now < Duration::from_secs(3600), "an hour has passed and nothing comes of it");
    }
    pair.compare(asks);
    pair.outcome
}

enum Event {
    ToServer(Vec<u8>),
    ToClient(Vec<u8>),
    /// The client's connection to the listener that was told as this number.
    Arrives(u64),
    /// What runs beside the session goes on.
    Tick,
    Data(String, Vec<u8>),
    /// The data connection is closed, or there is none.
    DataEnds,
}

struct Pair {
    world: World,
    judge: Judge,
    weather: Weather,
    random: Random,
    now: Duration,
    ahead: BTreeMap<(Duration, u64), Event>,
    events: u64,
    /// When what was sent last arrives, to the server and to the client: TCP keeps the order.
    last: [Duration; 2],
    arrived: BTreeSet<LinkId>,
    uploads: BTreeMap<String, Vec<u8>>,
    ticking: bool,
    waited: u32,
    client: Client,
    outcome: Outcome,
}

struct Client {
    to_send: VecDeque<String>,
    /// Commands without a final reply.
    sent: VecDeque<String>,
    lines: LineBuf,
    replies: ReplyReader,
    greeted: bool,
    /// Listeners that it was told of.
    told: u64,
    transferring: bool,
}

impl Pair {
    fn new(asks: &[Ask], weather: Weather, seed: u64) -> Self {
        let mut commands =
            vec!["USER anna".to_owned(), format!("PASS {}", String::from_utf8_lossy(PASSWORD))];
        let mut uploads = BTreeMap::new();
        for ask in asks {
            match ask {
                Ask::Say(command) => commands.push(command.clone()),
                Ask::Fetch(name, way) => commands.extend([way.command(), format!("RETR {name}")]),
                Ask::List(way) => commands.extend([way.command(), "LIST".to_owned()]),
                Ask::Store(name, bytes, way) => {
                    commands.extend([way.command(), format!("STOR {name}")]);
                    uploads.insert(name.clone(), bytes.clone());
                }
            }
        }
        commands.push("QUIT".to_owned());
        let client = Client {
            to_send: commands.into(),
            sent: VecDeque::new(),
            lines: LineBuf::new(1 << 16),
            replies: ReplyReader::new(1 << 20),
            greeted: false,
            told: 0,
            transferring: false,
        };
        Pair {
            world: World::new(essay_settings(), essay_ends(), Door::CLEAR),
            judge: Judge::new(PASSWORD),
            weather,
            random: Random::new(seed),
            now: Duration::ZERO,
            ahead: BTreeMap::new(),
            events: 0,
            last: [Duration::ZERO; 2],
            arrived: BTreeSet::new(),
            uploads,
            ticking: false,
            waited: 0,
            client,
            outcome: Outcome::default(),
        }
    }

    fn happens(&mut self, event: Event) {
        match event {
            Event::ToServer(bytes) => self.world.client_sends(&bytes),
            Event::ToClient(bytes) => self.client_hears(&bytes),
            Event::Arrives(_) if self.weather.no_links => {}
            Event::Arrives(number) => drop(self.arrived.insert(LinkId(number))),
            Event::Tick => self.tick(),
            Event::Data(name, bytes) => self.outcome.fetched.entry(name).or_default().extend(bytes),
            Event::DataEnds => {
                self.client.transferring = false;
                self.client_sends();
            }
        }
    }

    /// What the server has said goes on its way; what runs beside it is kept running.
    fn settle_server(&mut self) {
        self.judge.look(&self.world.journal());
        let said = self.world.said();
        self.travels(&said, 1);
        if self.world.beside().is_some() && !self.ticking {
            self.ticking = true;
            self.waited = 0;
            self.after(Duration::from_millis(1), Event::Tick);
        }
    }

    /// One step of the transfer beside the session.
    fn tick(&mut self) {
        self.ticking = false;
        let Some(beside) = self.world.beside() else { return };
        let name = match &beside.order.task {
            Task::Send { path, .. } | Task::Receive { path, .. } => {
                String::from_utf8_lossy(path.name()).into_owned()
            }
            Task::List(_) | Task::Digest { .. } => String::new(),
        };
        let (stopping, stage, moved, left) = (beside.stopping, beside.stage, beside.moved, beside.left());
        let next = match stage {
            // A driver may be deep in a read when it is told to stop.
            _ if stopping && self.random.once_in(2) => Move::ObeyStop,
            Stage::Opening => {
                self.world.upload = self.uploads.get(&name).cloned().unwrap_or_default();
                Move::Open
            }
            Stage::Linking => match beside.order.link {
                Link::Active(to) if self.weather.no_links => {
                    Move::NoLink(LinkFault::Refused { to, by: None })
                }
                Link::Passive(id) if !self.arrived.contains(&id) && self.waited < 300 => return self.wait(),
                Link::Passive(id) if !self.arrived.contains(&id) => Move::NoLink(self.world.nobody_came()),
                _ => Move::Link,
            },
            Stage::Moving if self.weather.breaks_after.is_some_and(|most| moved >= most) => Move::LinkBreaks,
            Stage::Moving if left == 0 => Move::Finish,
            Stage::Moving => {
                let most = usize::try_from(left.min(4096)).expect("at most 4096");
                Move::Pass(1 + self.random.bits() % u64::try_from(most).expect("at most 4096"))
            }
            Stage::Deciding => Move::ObeyStop,
            Stage::Keeping => Move::Keep,
        };
        self.world.advance(next);
        let delivered = self.world.delivered();
        if !delivered.is_empty() {
            self.after(self.weather.latency, Event::Data(name, delivered));
        }
        if self.world.beside().is_none() || self.world.beside().is_some_and(|b| b.stage == Stage::Opening) {
            self.after(self.weather.latency, Event::DataEnds);
        }
    }

    fn wait(&mut self) {
        self.waited += 1;
        self.ticking = true;
        self.after(Duration::from_millis(100), Event::Tick);
    }

    fn client_hears(&mut self, bytes: &[u8]) {
        self.client.lines.feed(bytes);
        while let Some(line) = self.client.lines.next_line() {
            let line = line.expect("the server says lines that are lines");
            let reply =
                self.client.replies.feed_line(&line).expect("the server says replies that are replies");
            if let Some(reply) = reply {
                self.client_takes(&reply);
            }
        }
        self.client_sends();
    }

    fn client_takes(&mut self, reply: &ReceivedReply) {
        let client = &mut self.client;
        if !client.greeted {
            client.greeted = true;
            return;
        }
        match reply.code {
            100..200 => {
                client.transferring = true;
                return;
            }
            227 | 229 => {
                let text = reply.lines[0].as_slice();
                let told = if reply.code == 227 {
                    hostport::read_227(text).map(|address| address.port())
                } else {
                    hostport::read_229(text)
                };
                assert!(told.is_ok(), "{reply:?} tells no port");
                client.told += 1;
                let number = client.told;
                self.after(self.weather.latency, Event::Arrives(number));
            }
            _ => {}
        }
        let client = &mut self.client;
        // STAT overtakes a transfer, and nothing else does.
        let overtakes = reply.code == 211 && client.sent.get(1).is_some_and(|second| second == "STAT");
        let overtakes =
            overtakes && client.sent.front().is_some_and(|first| first != "STAT" && first != "FEAT");
        let command = client.sent.remove(usize::from(overtakes));
        let command = command.unwrap_or_else(|| panic!("{reply:?}, and nothing was asked"));
        self.outcome.finals.push((command, reply.code));
    }

    fn client_sends(&mut self) {
        let mut flight = Vec::new();
        while self.client.greeted
            && (self.weather.at_once || self.client.sent.is_empty() && !self.client.transferring)
        {
            let Some(command) = self.client.to_send.pop_front() else { break };
            flight.extend_from_slice(command.as_bytes());
            flight.extend_from_slice(b"\r\n");
            self.client.sent.push_back(command);
        }
        self.travels(&flight, 0);
    }

    /// Puts bytes on their way to one side, in pieces perhaps, never out of order.
    fn travels(&mut self, bytes: &[u8], to: usize) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let size = if self.weather.tears { 1 + self.random.below(rest.len()) } else { rest.len() };
            let (piece, behind) = rest.split_at(size);
            rest = behind;
            let jitter = Duration::from_micros(self.random.bits() % 2000);
            self.last[to] = self.last[to].max(self.now + self.weather.latency + jitter);
            let event =
                if to == 0 { Event::ToServer(piece.to_vec()) } else { Event::ToClient(piece.to_vec()) };
            self.at(self.last[to], event);
        }
    }

    fn after(&mut self, span: Duration, event: Event) {
        self.at(self.now + span, event);
    }

    fn at(&mut self, when: Duration, event: Event) {
        self.events += 1;
        self.ahead.insert((when, self.events), event);
    }

    fn compare(&self, asks: &[Ask]) {
        let finals = &self.outcome.finals;
        assert!(
            self.client.to_send.is_empty() && self.client.sent.is_empty(),
            "unanswered: {:?}",
            self.client.sent
        );
        assert_eq!(self.judge.finals(), finals.len(), "the server's final replies and the client's");
        assert_eq!(finals.last().map(|last| last.1), Some(221), "the goodbye is the last word: {finals:?}");
        assert!(self.world.is_closed(), "both said goodbye, and the session goes on");
        let code = |command: String| finals.iter().find(|one| one.0 == command).map(|one| one.1);
        for ask in asks {
            match ask {
                Ask::Fetch(name, _) => {
                    let there = self.file(name);
                    let came = self.outcome.fetched.get(name).cloned().unwrap_or_default();
                    if code(format!("RETR {name}")) == Some(226) {
                        assert_eq!(Some(&came), there.as_ref(), "{name} came whole and is another");
                    } else {
                        assert!(
                            there.unwrap_or_default().starts_with(&came),
                            "{name} came in part and is another"
                        );
                    }
                }
                Ask::Store(name, bytes, _) => {
                    let kept = code(format!("STOR {name}")) == Some(226);
                    assert_eq!(
                        self.file(name).as_ref(),
                        Some(bytes).filter(|_| kept),
                        "{name} as it was stored"
                    );
                }
                Ask::List(_) | Ask::Say(_) => {}
            }
        }
    }

    fn file(&self, name: &str) -> Option<Vec<u8>> {
        let path = FtpPath::root().join(name.as_bytes()).expect("a test's names are names");
        self.world.tree.file(&path).map(<[u8]>::to_vec)
    }
}

impl Way {
    fn command(self) -> String {
        match self {
            Way::Pasv => "PASV",
            Way::Epsv => "EPSV",
            Way::Port => "PORT 192,168,150,80,14,178",
            Way::Eprt => "EPRT |1|192.168.150.80|3762|",
        }
        .to_owned()
    }
}

/// Asks and weather from a seed: each file is fetched or stored once at most, so that its name tells what became of it.
#[must_use]
pub fn from_seed(seed: u64) -> (Vec<Ask>, Weather) {
    let mut random = Random::new(seed);
    let ways = [Way::Pasv, Way::Epsv, Way::Port, Way::Eprt];
    let mut asks = Vec::new();
    for number in 0..1 + random.below(7) {
        let way = *random.pick(&ways);
        asks.push(match random.below(9) {
            0 | 1 => {
                let length = random.below(20_000);
                Ask::Store(format!("stored{number}"), random.bytes(length), way)
            }
            2 => Ask::List(way),
            3 if !asks.iter().any(|ask| matches!(ask, Ask::Fetch(..))) => {
                Ask::Fetch("hello.txt".to_owned(), way)
            }
            4 => Ask::Fetch(format!("missing{number}"), way),
            5 => Ask::Say("ABOR".to_owned()),
            6 => Ask::Say("STAT".to_owned()),
            _ => Ask::Say(
                (*random.pick(&["NOOP", "PWD", "FEAT", "TYPE I", "HASH hello.txt", "XYZZY"])).to_owned(),
            ),
        });
    }
    let weather = Weather {
        latency: Duration::from_millis(random.bits() % 300),
        tears: random.once_in(2),
        at_once: random.once_in(2),
        breaks_after: random.once_in(4).then_some(random.bits() % 10_000),
        no_links: random.once_in(8),
    };
    (asks, weather)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAIR: Weather = Weather {
        latency: Duration::from_millis(20),
        tears: false,
        at_once: false,
        breaks_after: None,
        no_links: false,
    };

    fn codes(asks: &[Ask], weather: Weather) -> Vec<u16> {
        play(asks, weather, 1).finals.into_iter().map(|one| one.1).collect()
    }

    #[test]
    fn a_file_is_fetched_and_another_is_stored() {
        let fetch = Ask::Fetch("hello.txt".to_owned(), Way::Pasv);
        let store = Ask::Store("new".to_owned(), vec![7; 9000], Way::Eprt);
        let asks = [fetch, store, Ask::List(Way::Epsv)];
        for at_once in [false, true] {
            let outcome = play(&asks, Weather { at_once, tears: at_once, ..FAIR }, 1);
            assert_eq!(outcome.fetched["hello.txt"], b"hello, world\n");
            let codes: Vec<u16> = outcome.finals.iter().map(|one| one.1).collect();
            assert_eq!(codes, [331, 230, 227, 226, 200, 226, 229, 226, 221]);
        }
    }

    #[test]
    fn abor_sent_at_once_meets_the_transfer() {
        let asks = [Ask::Fetch("hello.txt".to_owned(), Way::Epsv), Ask::Say("ABOR".to_owned())];
        assert_eq!(
            codes(&asks, Weather { at_once: true, no_links: true, ..FAIR }),
            [331, 230, 229, 426, 226, 221]
        );
        assert_eq!(codes(&asks, FAIR), [331, 230, 229, 226, 225, 221]);
    }

    #[test]
    fn without_links_every_transfer_is_425() {
        let asks = [Ask::List(Way::Pasv), Ask::List(Way::Port)];
        assert_eq!(codes(&asks, Weather { no_links: true, ..FAIR }), [331, 230, 227, 425, 200, 425, 221]);
    }
}
