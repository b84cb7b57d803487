//! `PortRange` and `PortPool`: which passive ports there are and who waits on which. Numbers only; nothing is bound here, and
//! a port never comes from outside the range: what a firewall lets in is what is used.

use std::collections::{HashMap, HashSet, VecDeque};
use std::fmt;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

/// The ports for passive data connections, both ends included; never below 1024, never empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PortRange {
    first: u16,
    last: u16,
}

/// Why two numbers are no range of ports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BadRange {
    /// The text is not two numbers of at most 65535 with a hyphen between.
    NotARange(String),
    /// The first is greater than the last.
    InsideOut {
        /// The first as given.
        first: u16,
        /// The last as given.
        last: u16,
    },
    /// It begins below 1024.
    Low(u16),
    /// It begins at 0, which means "any port" elsewhere.
    Zero,
}

impl fmt::Display for BadRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BadRange::NotARange(text) => {
                write!(f, "{text:?} is not a range of ports: write it as 50000-50255, numbers up to 65535")
            }
            BadRange::InsideOut { first, last } => {
                write!(f, "the range {first}-{last} is inside out: did you mean {last}-{first}?")
            }
            BadRange::Low(port) => {
                write!(
                    f,
                    "port {port} is below {LOWEST}, where other services live: begin at {LOWEST} or above"
                )
            }
            BadRange::Zero => f.write_str(
                "port 0 would mean any port, which no firewall can be told: name a range such as 50000-50255",
            ),
        }
    }
}

impl std::error::Error for BadRange {}

impl PortRange {
    /// The range from `first` to `last`.
    ///
    /// # Errors
    /// When it begins at 0 or below 1024, or `first` is greater than `last`.
    pub fn new(first: u16, last: u16) -> Result<Self, BadRange> {
        match (first, last) {
            (0, _) => Err(BadRange::Zero),
            _ if first > last => Err(BadRange::InsideOut { first, last }),
            _ if first < LOWEST => Err(BadRange::Low(first)),
            _ => Ok(PortRange { first, last }),
        }
    }

    /// Reads `LO-HI`, spaces around the numbers forgiven.
    ///
    /// # Errors
    /// When it is not two numbers with a hyphen between, or they make no range.
    pub fn read(text: &str) -> Result<Self, BadRange> {
        let number = |text: &str| {
            let text = text.trim();
            text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse::<u16>().ok()).flatten()
        };
        let ends = text.split_once('-').and_then(|(first, last)| Some((number(first)?, number(last)?)));
        let (first, last) = ends.ok_or_else(|| BadRange::NotARange(text.to_owned()))?;
        Self::new(first, last)
    }

    /// The lowest port.
    #[must_use]
    pub fn first(self) -> u16 {
        self.first
    }

    /// The highest port.
    #[must_use]
    pub fn last(self) -> u16 {
        self.last
    }

    /// How many ports it holds, 1 to 64512.
    #[must_use]
    #[allow(clippy::len_without_is_empty, reason = "a range of ports is never empty")]
    pub fn len(self) -> usize {
        usize::from(self.last - self.first) + 1
    }

    /// Whether `port` is in it.
    #[must_use]
    pub fn contains(self, port: u16) -> bool {
        (self.first..=self.last).contains(&port)
    }

    /// Whether some port is in both.
    #[must_use]
    pub fn overlaps(self, other: PortRange) -> bool {
        self.first <= other.last && other.first <= self.last
    }

    fn place(self, port: u16) -> usize {
        usize::from(port - self.first)
    }

    fn port(self, place: usize) -> u16 {
        self.first + u16::try_from(place).expect("a place in a range of ports is below 65536")
    }

    /// Its ports in order.
    #[must_use]
    pub fn ports(self) -> RangeInclusive<u16> {
        self.first..=self.last
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.first, self.last)
    }
}

/// No port is left for a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spent {
    /// How many ports the range holds.
    pub size: usize,
    /// How many the client holds.
    pub held: usize,
    /// How many it may hold at once.
    pub share: usize,
}

impl Spent {
    /// Whether it is the client that holds as many as it may; else other programs hold ports of the range.
    #[must_use]
    pub fn is_by_share(self) -> bool {
        self.held >= self.share
    }
}

impl fmt::Display for Spent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Spent { size, held, share } = *self;
        match (self.is_by_share(), size) {
            (true, 1) => f.write_str("the only passive port waits for another connection of your address"),
            (true, _) if share == size => {
                write!(f, "all {size} passive ports wait for other connections of your address")
            }
            (true, _) => {
                write!(f, "{held} passive ports wait for connections of your address, as many as it may have")
            }
            (false, 1) => f.write_str("the only passive port is held by another program"),
            (false, _) if held == 0 => {
                write!(f, "no passive port of {size} is left: other programs hold them")
            }
            (false, _) => {
                write!(
                    f,
                    "no passive port of {size} is left: {held} wait for your address, other programs hold the rest"
                )
            }
        }
    }
}

impl std::error::Error for Spent {}

/// How full a pool is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gauge {
    /// Ports of the range.
    pub size: usize,
    /// Leases now.
    pub leases: usize,
    /// Ports with at least one lease.
    pub ports: usize,
    /// Clients with at least one lease.
    pub clients: usize,
}

/// Which ports of a range are leased, by client and port: several clients wait on one port at once, since each is known by its
/// address, and one client has a port once. A pair that was given back rests; it comes last for a while. The caller binds, and
/// brings the time, the random numbers and the lock.
///
/// Use: for each port of `free_for(client, random, now)`, bind it, and `take` the first that could be bound.
#[derive(Debug, Clone)]
pub struct PortPool {
    range: PortRange,
    share: usize,
    clients: HashMap<IpAddr, Client>,
    /// Leases by port, and the places of those ports.
    uses: HashMap<u16, usize>,
    used: Places,
    leases: usize,
    /// When there are so many clients, those that are forgotten go.
    sweep_at: usize,
}

#[derive(Debug, Clone, Default)]
struct Client {
    held: HashSet<u16>,
    /// Ports that it gave back, the longest rested first.
    resting: VecDeque<(Instant, u16)>,
    /// The places in the range of both: what is neither held nor resting is found without a look at each.
    taken: Places,
}

impl Client {
    /// Forgets the ports that have rested long enough.
    fn wake(&mut self, range: PortRange, now: Instant) {
        while let Some((since, port)) = self.resting.front()
            && now.saturating_duration_since(*since) >= REST
        {
            self.taken.remove(range.place(*port));
            self.resting.pop_front();
        }
    }
}

/// A set of places in a range, a bit each.
#[derive(Debug, Clone, Default)]
struct Places(Vec<u64>);

impl Places {
    fn insert(&mut self, place: usize) {
        let word = place / 64;
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        self.0[word] |= 1 << (place % 64);
    }

    fn remove(&mut self, place: usize) {
        if let Some(word) = self.0.get_mut(place / 64) {
            *word &= !(1 << (place % 64));
        }
    }

    fn word(&self, word: usize) -> u64 {
        self.0.get(word).copied().unwrap_or(0)
    }
}

/// The places from `from` up to `to` whose bits `word` gives, in order.
fn places(from: usize, to: usize, word: impl Fn(usize) -> u64) -> impl Iterator<Item = usize> {
    let inside = move |at: usize| {
        let mut bits = word(at);
        if at == from / 64 {
            bits &= u64::MAX << (from % 64);
        }
        if to < (at + 1) * 64 {
            bits &= !(u64::MAX << (to % 64));
        }
        bits
    };
    let words = if from < to { from / 64..to.div_ceil(64) } else { 0..0 };
    words.flat_map(move |at| {
        let mut bits = inside(at);
        std::iter::from_fn(move || {
            (bits != 0).then(|| {
                let bit = bits.trailing_zeros();
                bits &= bits - 1;
                at * 64 + bit as usize
            })
        })
    })
}

/// How long a pair of client and port rests: the systems and NATs between remember a connection that has ended for so long
/// (RFC 9293 §3.4.2, twice the maximum segment lifetime of two minutes).
pub const REST: Duration = Duration::from_secs(240);

/// Clients that are remembered before it is asked which of them may be forgotten.
const FEW: usize = 1024;

impl PortPool {
    /// A pool of which nothing is leased. One client may hold `share` ports at once; all when there is none.
    #[must_use]
    pub fn new(range: PortRange, share: Option<usize>) -> Self {
        PortPool {
            range,
            share: share.unwrap_or(range.len()).clamp(1, range.len()),
            clients: HashMap::new(),
            uses: HashMap::new(),
            used: Places::default(),
            leases: 0,
            sweep_at: FEW,
        }
    }

    /// The range that it deals from.
    #[must_use]
    pub fn range(&self) -> PortRange {
        self.range
    }

    /// How many ports one client may hold at once.
    #[must_use]
    pub fn share(&self) -> usize {
        self.share
    }

    /// Every port that `client` may have, once: those that nobody waits on first, then those that others wait on, then those
    /// that rest, the longest rested first; each from the one at `start` on (any number; a random one, so that the next port is
    /// not guessed). None when the client holds its share.
    pub fn free_for(&mut self, client: IpAddr, start: usize, now: Instant) -> impl Iterator<Item = u16> + '_ {
        let client = client.to_canonical();
        if let Some(own) = self.clients.get_mut(&client) {
            own.wake(self.range, now);
        }
        let size = if self.held_by(client) < self.share { self.range.len() } else { 0 };
        let start = start.checked_rem(size).unwrap_or(0);
        let own = self.clients.get(&client);
        let (taken, used) = (own.map(|own| &own.taken), &self.used);
        let fresh = move |word: usize| !taken.map_or(0, |taken| taken.word(word));
        let alone = move |word: usize| fresh(word) & !used.word(word);
        let shared = move |word: usize| fresh(word) & used.word(word);
        let resting = own.filter(|_| size > 0).into_iter().flat_map(|own| &own.resting);
        places(start, size, alone)
            .chain(places(0, start, alone))
            .chain(places(start, size, shared))
            .chain(places(0, start, shared))
            .map(|place| self.range.port(place))
            .chain(resting.map(|(_, port)| *port))
    }

    /// Leases `port` to `client`; false when it has it already, holds its share, or the port is not of the range.
    pub fn take(&mut self, client: IpAddr, port: u16) -> bool {
        if !self.range.contains(port) || self.held_by(client) >= self.share {
            return false;
        }
        let own = self.clients.entry(client.to_canonical()).or_default();
        let new = own.held.insert(port);
        if new {
            let place = self.range.place(port);
            // Whoever takes a port that rests takes the longest rested, mostly.
            if let Some(at) = own.resting.iter().position(|(_, resting)| *resting == port) {
                own.resting.remove(at);
            }
            own.taken.insert(place);
            *self.uses.entry(port).or_default() += 1;
            self.used.insert(place);
            self.leases += 1;
        }
        new
    }

    /// Gives a lease back at `now`; one that is not there is left as it is.
    pub fn give_back(&mut self, client: IpAddr, port: u16, now: Instant) {
        self.end(client, port, Some(now));
        self.forget_the_rested(now);
    }

    /// Puts a lease back that came to nothing: the port could not be bound. It need not rest.
    pub fn put_back(&mut self, client: IpAddr, port: u16) {
        self.end(client, port, None);
    }

    fn end(&mut self, client: IpAddr, port: u16, rests_from: Option<Instant>) {
        let Some(own) = self.clients.get_mut(&client.to_canonical()) else { return };
        if !own.held.remove(&port) {
            return;
        }
        match rests_from {
            Some(now) => own.resting.push_back((now, port)),
            None => own.taken.remove(self.range.place(port)),
        }
        self.leases -= 1;
        if let Some(uses) = self.uses.get_mut(&port) {
            *uses -= 1;
            if *uses == 0 {
                self.uses.remove(&port);
                self.used.remove(self.range.place(port));
            }
        }
    }

    /// How many ports the client holds.
    #[must_use]
    pub fn held_by(&self, client: IpAddr) -> usize {
        self.clients.get(&client.to_canonical()).map_or(0, |own| own.held.len())
    }

    /// How full it is.
    #[must_use]
    pub fn gauge(&self) -> Gauge {
        let clients = self.clients.values().filter(|own| !own.held.is_empty()).count();
        Gauge { size: self.range.len(), leases: self.leases, ports: self.uses.len(), clients }
    }

    /// What to say when `free_for` gave nothing that could be bound.
    #[must_use]
    pub fn spent(&self, client: IpAddr) -> Spent {
        Spent { size: self.range.len(), held: self.held_by(client), share: self.share }
    }

    /// Clients of which nothing is left to know go, whenever there are twice as many as were left the last time.
    fn forget_the_rested(&mut self, now: Instant) {
        if self.clients.len() < self.sweep_at {
            return;
        }
        self.clients.retain(|_, own| {
            own.wake(self.range, now);
            !own.held.is_empty() || !own.resting.is_empty()
        });
        self.sweep_at = FEW.max(self.clients.len() * 2);
    }
}

/// The lowest port of a data connection (RFC 2577 §3 has the same for the client's).
const LOWEST: u16 = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(first: u16, last: u16) -> PortPool {
        PortPool::new(PortRange::new(first, last).unwrap(), None)
    }

    fn client(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    fn free(pool: &mut PortPool, of: u8, start: usize, now: Instant) -> Vec<u16> {
        pool.free_for(client(of), start, now).collect()
    }

    #[test]
    fn a_range_reads_and_writes_the_same() {
        let range = PortRange::read("50000-50255").unwrap();
        assert_eq!((range.first(), range.last(), range.len()), (50000, 50255, 256));
        assert_eq!(range.to_string(), "50000-50255");
        assert_eq!(PortRange::read(" 50000 - 50255 "), Ok(range));
        assert!(range.contains(50255) && !range.contains(50256) && !range.contains(49999));
        assert_eq!(PortRange::read("1024-65535").unwrap().len(), 64512);
        assert_eq!(PortRange::read("2000-2000").unwrap().len(), 1);
    }

    #[test]
    fn a_bad_range_says_what_is_wrong() {
        for (text, sentence) in [
            ("50255-50000", "the range 50255-50000 is inside out: did you mean 50000-50255?"),
            ("1000-2000", "port 1000 is below 1024, where other services live: begin at 1024 or above"),
            (
                "0-0",
                "port 0 would mean any port, which no firewall can be told: name a range such as 50000-50255",
            ),
            ("50000", "\"50000\" is not a range of ports: write it as 50000-50255, numbers up to 65535"),
        ] {
            assert_eq!(PortRange::read(text).unwrap_err().to_string(), sentence);
        }
        for text in ["", "-", "50000-", "50000-70000", "+50000-50001", "50000-50001-50002", "a-b"] {
            assert!(matches!(PortRange::read(text), Err(BadRange::NotARange(_))), "{text}");
        }
    }

    #[test]
    fn every_free_port_comes_once_from_any_start() {
        let (mut pool, now) = (pool(50000, 50099), Instant::now());
        for port in (50000..50100).step_by(3) {
            assert!(pool.take(client(1), port));
        }
        for start in [0, 1, 64, 99, 100, usize::MAX] {
            for (of, count) in [(1, 66), (2, 100)] {
                let mut free = free(&mut pool, of, start, now);
                assert_eq!(free.len(), count);
                free.sort_unstable();
                free.dedup();
                assert_eq!(free.len(), count);
            }
        }
        assert_eq!(free(&mut pool, 1, 10, now)[0], 50010);
        assert_eq!(free(&mut pool, 1, 9, now)[0], 50010);
        // Where one waits alone is better than where two do.
        assert_eq!(free(&mut pool, 2, 9, now)[0], 50010);
        assert_eq!(free(&mut pool, 2, 9, now)[66], 50009);
    }

    #[test]
    fn one_port_serves_several_clients_and_each_once() {
        let (mut pool, now) = (pool(50000, 50000), Instant::now());
        for of in 1..=200 {
            assert!(pool.take(client(of), 50000));
            assert!(!pool.take(client(of), 50000));
        }
        let mapped: IpAddr = "::ffff:192.0.2.7".parse().unwrap();
        assert!(!pool.take(mapped, 50000), "it is 192.0.2.7");
        assert_eq!(pool.gauge(), Gauge { size: 1, leases: 200, ports: 1, clients: 200 });
        assert!(
            !pool.take(client(201), 50001) && !pool.take(client(201), 0) && !pool.take(client(201), 49999)
        );
        for of in 1..=200 {
            pool.give_back(client(of), 50000, now);
            pool.give_back(client(of), 50000, now);
            pool.give_back(client(of), 1, now);
        }
        assert_eq!(pool.gauge(), Gauge { size: 1, leases: 0, ports: 0, clients: 0 });
        assert!(pool.take(client(1), 50000));
    }

    #[test]
    fn a_pair_rests_and_comes_last_meanwhile() {
        let (mut pool, began) = (pool(50000, 50003), Instant::now());
        let later = |seconds| began + Duration::from_secs(seconds);
        for (at, port) in [(0, 50002), (1, 50000), (2, 50001)] {
            assert!(pool.take(client(1), port));
            pool.give_back(client(1), port, later(at));
        }
        assert_eq!(free(&mut pool, 1, 0, later(3)), [50003, 50002, 50000, 50001]);
        // It is nobody else's rest.
        assert_eq!(free(&mut pool, 2, 0, later(3)), [50000, 50001, 50002, 50003]);
        assert_eq!(free(&mut pool, 1, 0, later(241)), [50000, 50002, 50003, 50001]);
        assert_eq!(free(&mut pool, 1, 1, later(242)), [50001, 50002, 50003, 50000]);
    }

    #[test]
    fn a_client_has_its_share_and_no_more() {
        let mut pool = PortPool::new(PortRange::new(50000, 50009).unwrap(), Some(3));
        let now = Instant::now();
        for port in 50000..50003 {
            assert!(pool.take(client(1), port));
        }
        assert!(!pool.take(client(1), 50003));
        assert_eq!(free(&mut pool, 1, 5, now), []);
        assert_eq!(
            pool.spent(client(1)).to_string(),
            "3 passive ports wait for connections of your address, as many as it may have"
        );
        assert_eq!(free(&mut pool, 2, 5, now).len(), 10);
        pool.give_back(client(1), 50001, now);
        assert_eq!(free(&mut pool, 1, 5, now).len(), 8);
    }

    #[test]
    fn a_spent_pool_gives_nothing_and_says_so() {
        let mut pool = pool(1024, 65535);
        for port in pool.range().ports() {
            assert!(pool.take(client(1), port));
        }
        assert_eq!(pool.free_for(client(1), 7, Instant::now()).next(), None);
        assert_eq!(
            pool.spent(client(1)).to_string(),
            "all 64512 passive ports wait for other connections of your address"
        );
        assert_eq!(
            pool.spent(client(2)).to_string(),
            "no passive port of 64512 is left: other programs hold them"
        );
    }

    #[test]
    fn who_has_gone_is_forgotten() {
        let (mut pool, began) = (pool(50000, 50000), Instant::now());
        for number in 0..10_000_u32 {
            let (client, now) =
                (IpAddr::from(number.to_be_bytes()), began + Duration::from_secs(number.into()));
            assert!(pool.take(client, 50000));
            pool.give_back(client, 50000, now);
        }
        assert!(pool.clients.len() <= FEW);
    }
}
