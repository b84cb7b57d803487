//! `PortRange` and `PortPool`: which passive ports there are and which are taken. Numbers only; nothing is bound here, and
//! a port never comes from outside the range: what a firewall lets in is what is used.

use std::fmt;
use std::ops::RangeInclusive;

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

/// Every port of the range is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spent {
    /// How many ports the range holds.
    pub size: usize,
}

impl fmt::Display for Spent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.size {
            1 => f.write_str("the only passive port is in use"),
            size => write!(f, "all {size} passive ports are in use"),
        }
    }
}

impl std::error::Error for Spent {}

/// Which ports of a range are taken. The caller binds, and brings the random numbers and the lock.
///
/// Use: for each port of `free_from(random)`, `take` it and bind it; one that another program holds is given back and
/// the next tried.
#[derive(Debug, Clone)]
pub struct PortPool {
    range: PortRange,
    /// One bit a port, set when taken.
    taken: Vec<u64>,
    in_use: usize,
}

impl PortPool {
    /// A pool with every port of the range free.
    #[must_use]
    pub fn new(range: PortRange) -> Self {
        PortPool { range, taken: vec![0; range.len().div_ceil(64)], in_use: 0 }
    }

    /// The range that it deals from.
    #[must_use]
    pub fn range(&self) -> PortRange {
        self.range
    }

    /// Every free port once, from the one at `start` (any number; a random one, so that the next port is not guessed)
    /// up to the last of the range and on from its first.
    pub fn free_from(&self, start: usize) -> impl Iterator<Item = u16> + '_ {
        let size = self.range.len();
        let start = start % size;
        (start..size).chain(0..start).filter(|place| !self.is_taken(*place)).map(|place| self.port(place))
    }

    /// Takes a port; false when it is taken already or not of the range.
    pub fn take(&mut self, port: u16) -> bool {
        match self.place(port) {
            Some(place) if !self.is_taken(place) => {
                self.taken[place / 64] |= 1 << (place % 64);
                self.in_use += 1;
                true
            }
            _ => false,
        }
    }

    /// Gives a port back; one that is not taken is left as it is.
    pub fn give_back(&mut self, port: u16) {
        if let Some(place) = self.place(port)
            && self.is_taken(place)
        {
            self.taken[place / 64] &= !(1 << (place % 64));
            self.in_use -= 1;
        }
    }

    /// How many ports are taken.
    #[must_use]
    pub fn in_use(&self) -> usize {
        self.in_use
    }

    /// How many ports there are.
    #[must_use]
    pub fn size(&self) -> usize {
        self.range.len()
    }

    /// What to say when `free_from` gave nothing that could be bound.
    #[must_use]
    pub fn spent(&self) -> Spent {
        Spent { size: self.size() }
    }

    fn is_taken(&self, place: usize) -> bool {
        self.taken[place / 64] & (1 << (place % 64)) != 0
    }

    fn place(&self, port: u16) -> Option<usize> {
        self.range.contains(port).then(|| usize::from(port - self.range.first))
    }

    fn port(&self, place: usize) -> u16 {
        self.range.first + u16::try_from(place).expect("a place in a range of ports is below 65536")
    }
}

/// The lowest port of a data connection (RFC 2577 §3 has the same for the client's).
const LOWEST: u16 = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(first: u16, last: u16) -> PortPool {
        PortPool::new(PortRange::new(first, last).unwrap())
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
        let mut pool = pool(50000, 50099);
        for port in (50000..50100).step_by(3) {
            assert!(pool.take(port));
        }
        for start in [0, 1, 64, 99, 100, usize::MAX] {
            let mut free: Vec<u16> = pool.free_from(start).collect();
            assert_eq!(free.len(), pool.size() - pool.in_use());
            free.sort_unstable();
            free.dedup();
            assert_eq!(free.len(), 66);
        }
        assert_eq!(pool.free_from(10).next(), Some(50010));
        assert_eq!(pool.free_from(9).next(), Some(50010));
    }

    #[test]
    fn a_port_is_taken_once_and_given_back_once() {
        let mut pool = pool(50000, 50001);
        assert!(pool.take(50000));
        assert!(!pool.take(50000));
        assert!(!pool.take(50002) && !pool.take(0) && !pool.take(49999));
        pool.give_back(50000);
        pool.give_back(50000);
        pool.give_back(1);
        assert_eq!(pool.in_use(), 0);
        assert!(pool.take(50000));
    }

    #[test]
    fn a_spent_pool_gives_nothing_and_says_so() {
        let mut pool = pool(1024, 65535);
        for port in pool.range().ports() {
            assert!(pool.take(port));
        }
        assert_eq!(pool.free_from(7).next(), None);
        assert_eq!(pool.spent().to_string(), "all 64512 passive ports are in use");
        assert_eq!(Spent { size: 256 }.to_string(), "all 256 passive ports are in use");
    }
}
