//! `Sightings`: what a server saw of the two connections of one session: the lines of SITE DOCTOR, written and read. One fact
//! a line, `key: value`, in the order of the fields here; what is not known has no line. What follows from them is the doctor's.

use std::fmt::Display;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

/// What a server saw. All but the facts of the control connection are of the data connection that was asked for last: the next
/// PORT, EPRT, PASV or EPSV begins anew.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sightings {
    /// `peer`: where the control connection comes from.
    pub peer: Option<SocketAddr>,
    /// `reached`: the server's own address that it reached.
    pub reached: Option<SocketAddr>,
    /// `listens`: an address of the server's own at which it takes control connections; a line for each.
    pub listens: Vec<SocketAddr>,
    /// `mss`: bytes that the server may put into one segment of the control connection.
    pub mss: Option<u32>,
    /// `unheard`: another control connection from the same address, and bytes of the server's on it that the client has not
    /// acknowledged; a line for each.
    pub unheard: Vec<Unheard>,
    /// `secure`: whether the control connection is in TLS now, `yes` or `no`.
    pub secure: Option<bool>,
    /// `heard`: the line of PORT, EPRT, PASV or EPSV as it came.
    pub heard: Option<Vec<u8>>,
    /// `told`: the 227 or 229 that answered it, as it was sent.
    pub told: Option<Vec<u8>>,
    /// `port`: the passive port that is listened on; a server behind a NAT may tell another number.
    pub port: Option<u16>,
    /// `first-packet`: whether a first packet (SYN) of the client was seen there, whatever became of it; `yes` or `no`.
    pub first_packet: Option<bool>,
    /// `came`: a connection that came there; a line for each, oldest first.
    pub came: Vec<Came>,
    /// `dialled`: where the server connected to in active mode.
    pub dialled: Option<SocketAddr>,
    /// `dialled-from`: from where.
    pub dialled_from: Option<SocketAddr>,
    /// `dial`: what came of it.
    pub dial: Option<Dial>,
    /// `dial-by`: who has turned it away in the client's place, by ICMP.
    pub dial_by: Option<IpAddr>,
    /// `data-mss`: bytes that the server may put into one segment of the data connection, when it came about.
    pub data_mss: Option<u32>,
    /// `sent`: bytes that were given to the data connection.
    pub sent: Option<u64>,
    /// `received`: bytes that came over it.
    pub received: Option<u64>,
    /// `unacknowledged`: bytes that the client had not acknowledged when nothing moved any more.
    pub unacknowledged: Option<u64>,
    /// `dropped`: packets that came to the server's machine since the data connection was agreed on, or dialled, and were given to
    /// nobody. Its own firewall drops them, mostly; they may be other people's.
    pub dropped: Option<u64>,
    /// `held-back`: packets that the server's machine did not let out meanwhile.
    pub held_back: Option<u64>,
    /// `fault`: the name of what went wrong.
    pub fault: Option<String>,
    /// `helper`: whether the kernel of the server has an FTP helper, which may rewrite what is said in the clear; `loaded` or
    /// `absent`.
    pub helper: Option<bool>,
}

/// A connection that came to a passive port: `ADDRESS:PORT own`, or `stranger` in the place of `own`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Came {
    /// Where it came from.
    pub from: SocketAddr,
    /// Whether that is the address of the control connection; a stranger was turned away.
    pub own: bool,
}

/// A control connection on which the server is not heard: `ADDRESS:PORT BYTES`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unheard {
    /// Where it comes from.
    pub from: SocketAddr,
    /// Bytes that were not acknowledged.
    pub bytes: u64,
}

/// What came of a connection in active mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dial {
    /// `connected`: it is there.
    Connected,
    /// `refused`: turned away by a reset, or by ICMP that says so.
    Refused,
    /// `timed-out`: no answer.
    TimedOut,
    /// `unreachable`: by ICMP, or by the server's own routes and rules.
    Unreachable,
}

/// The lines of SITE DOCTOR as a client has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// What they say.
    pub sightings: Sightings,
    /// Whether they are other lines than the server wrote: what rewrites addresses on the way rewrites them here too.
    pub altered: bool,
}

impl Reading {
    /// What the server saw, if these are its words.
    #[must_use]
    pub fn sound(&self) -> Option<&Sightings> {
        (!self.altered).then_some(&self.sightings)
    }
}

impl Sightings {
    /// The lines, without the space before each. The last is their sum: something on the way that looks for addresses in what is
    /// said may find these, and must not go unseen.
    #[must_use]
    pub fn write(&self) -> Vec<Vec<u8>> {
        let mut lines = Lines(Vec::new());
        lines.add("peer", self.peer);
        lines.add("reached", self.reached);
        for listens in &self.listens {
            lines.add("listens", Some(listens));
        }
        lines.add("mss", self.mss);
        for unheard in &self.unheard {
            lines.add("unheard", Some(format!("{} {}", unheard.from, unheard.bytes)));
        }
        lines.add("secure", self.secure.map(|secure| word(secure, YES_NO)));
        lines.add("heard", self.heard.as_deref().map(escaped));
        lines.add("told", self.told.as_deref().map(escaped));
        lines.add("port", self.port);
        lines.add("first-packet", self.first_packet.map(|seen| word(seen, YES_NO)));
        for came in &self.came {
            lines.add("came", Some(format!("{} {}", came.from, word(came.own, OWN))));
        }
        lines.add("dialled", self.dialled);
        lines.add("dialled-from", self.dialled_from);
        lines.add("dial", self.dial.map(Dial::word));
        lines.add("dial-by", self.dial_by);
        lines.add("data-mss", self.data_mss);
        lines.add("sent", self.sent);
        lines.add("received", self.received);
        lines.add("unacknowledged", self.unacknowledged);
        lines.add("dropped", self.dropped);
        lines.add("held-back", self.held_back);
        lines.add("fault", self.fault.as_deref());
        lines.add("helper", self.helper.map(|loaded| word(loaded, HELPER)));
        let sum = lines.0.iter().fold(Sum::new(), |sum, line| sum.and(line));
        lines.add(SUM, Some(sum.shown()));
        lines.0
    }

    /// Reads the lines of a reply; those that do not begin with a space are its first and its last and say nothing. What is not
    /// known here is passed over: a server may be newer.
    #[must_use]
    pub fn read<'a>(lines: impl IntoIterator<Item = &'a [u8]>) -> Reading {
        let mut sightings = Sightings::default();
        let (mut sum, mut whole) = (Sum::new(), false);
        for line in lines.into_iter().filter_map(|line| line.strip_prefix(b" ")) {
            let Some((key, value)) = pair(line) else {
                sum = sum.and(line);
                whole = false;
                continue;
            };
            if key == SUM {
                whole = value == sum.shown();
            } else {
                whole = false;
                sightings.take(key, value);
            }
            sum = sum.and(line);
        }
        Reading { sightings, altered: !whole }
    }

    fn take(&mut self, key: &str, value: &str) {
        match key {
            "peer" => self.peer = value.parse().ok(),
            "reached" => self.reached = value.parse().ok(),
            "listens" => {
                self.listens.extend(value.parse::<SocketAddr>().ok().filter(|_| self.listens.len() < MOST))
            }
            "mss" => self.mss = number(value),
            "unheard" => self.unheard.extend(Unheard::read(value).filter(|_| self.unheard.len() < MOST)),
            "secure" => self.secure = which(value, YES_NO),
            "heard" => self.heard = unescaped(value),
            "told" => self.told = unescaped(value),
            "port" => self.port = number(value),
            "first-packet" => self.first_packet = which(value, YES_NO),
            "came" => self.came.extend(Came::read(value).filter(|_| self.came.len() < MOST)),
            "dialled" => self.dialled = value.parse().ok(),
            "dialled-from" => self.dialled_from = value.parse().ok(),
            "dial" => self.dial = Dial::ALL.into_iter().find(|dial| dial.word() == value),
            "dial-by" => self.dial_by = value.parse().ok(),
            "data-mss" => self.data_mss = number(value),
            "sent" => self.sent = number(value),
            "received" => self.received = number(value),
            "unacknowledged" => self.unacknowledged = number(value),
            "dropped" => self.dropped = number(value),
            "held-back" => self.held_back = number(value),
            "fault" => self.fault = Some(value.to_owned()),
            "helper" => self.helper = which(value, HELPER),
            _ => {}
        }
    }

    /// What `later` knows, and what was known before where it knows nothing.
    pub fn learn(&mut self, later: Sightings) {
        fn newer<T>(place: &mut Option<T>, later: Option<T>) {
            if later.is_some() {
                *place = later;
            }
        }
        newer(&mut self.peer, later.peer);
        newer(&mut self.reached, later.reached);
        if !later.listens.is_empty() {
            self.listens = later.listens;
        }
        newer(&mut self.mss, later.mss);
        if !later.unheard.is_empty() {
            self.unheard = later.unheard;
        }
        newer(&mut self.secure, later.secure);
        newer(&mut self.heard, later.heard);
        newer(&mut self.told, later.told);
        newer(&mut self.port, later.port);
        newer(&mut self.first_packet, later.first_packet);
        if !later.came.is_empty() {
            self.came = later.came;
        }
        newer(&mut self.dialled, later.dialled);
        newer(&mut self.dialled_from, later.dialled_from);
        newer(&mut self.dial, later.dial);
        newer(&mut self.dial_by, later.dial_by);
        newer(&mut self.data_mss, later.data_mss);
        newer(&mut self.sent, later.sent);
        newer(&mut self.received, later.received);
        newer(&mut self.unacknowledged, later.unacknowledged);
        newer(&mut self.dropped, later.dropped);
        newer(&mut self.held_back, later.held_back);
        newer(&mut self.fault, later.fault);
        newer(&mut self.helper, later.helper);
    }
}

impl Came {
    fn read(value: &str) -> Option<Came> {
        let (from, own) = value.split_once(' ')?;
        Some(Came { from: from.parse().ok()?, own: which(own, OWN)? })
    }
}

impl Unheard {
    fn read(value: &str) -> Option<Unheard> {
        let (from, bytes) = value.split_once(' ')?;
        Some(Unheard { from: from.parse().ok()?, bytes: number(bytes)? })
    }
}

impl Dial {
    const ALL: [Dial; 4] = [Dial::Connected, Dial::Refused, Dial::TimedOut, Dial::Unreachable];

    fn word(self) -> &'static str {
        match self {
            Dial::Connected => "connected",
            Dial::Refused => "refused",
            Dial::TimedOut => "timed-out",
            Dial::Unreachable => "unreachable",
        }
    }
}

/// Lines as they are written.
struct Lines(Vec<Vec<u8>>);

impl Lines {
    fn add(&mut self, key: &str, value: Option<impl Display>) {
        if let Some(value) = value {
            self.0.push(format!("{key}: {value}").into_bytes());
        }
    }
}

/// FNV-1a of 32 bits. It finds what was rewritten by something that does not know of it, and no more.
#[derive(Clone, Copy)]
struct Sum(u32);

impl Sum {
    fn new() -> Self {
        Sum(0x811C_9DC5)
    }

    /// With a line, and a line end behind it.
    fn and(self, line: &[u8]) -> Self {
        let bytes = line.iter().chain(b"\n");
        Sum(bytes.fold(self.0, |sum, byte| (sum ^ u32::from(*byte)).wrapping_mul(0x0100_0193)))
    }

    fn shown(self) -> String {
        format!("{:08x}", self.0)
    }
}

fn pair(line: &[u8]) -> Option<(&str, &str)> {
    std::str::from_utf8(line).ok()?.split_once(": ")
}

/// Digits only, and no sign.
fn number<T: FromStr>(value: &str) -> Option<T> {
    value.bytes().all(|byte| byte.is_ascii_digit()).then(|| value.parse().ok())?
}

fn word(first: bool, words: [&'static str; 2]) -> &'static str {
    if first { words[0] } else { words[1] }
}

fn which(value: &str, words: [&str; 2]) -> Option<bool> {
    words.iter().position(|word| *word == value).map(|place| place == 0)
}

/// What is not printable ASCII as %XX, and so is the percent sign.
fn escaped(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for byte in bytes {
        match byte {
            b' '..=b'~' if *byte != b'%' => text.push(char::from(*byte)),
            _ => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}

fn unescaped(value: &str) -> Option<Vec<u8>> {
    let mut parts = value.split('%');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2)?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        bytes.extend_from_slice(rest.as_bytes());
    }
    Some(bytes)
}

/// The key of the line that ends them.
const SUM: &str = "sum";

const YES_NO: [&str; 2] = ["yes", "no"];
const OWN: [&str; 2] = ["own", "stranger"];
const HELPER: [&str; 2] = ["loaded", "absent"];

/// Connections to a passive port that are read, and addresses; a server of ours tells fewer.
const MOST: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Sightings {
        let came = |from: &str, own| Came { from: from.parse().unwrap(), own };
        Sightings {
            peer: Some("203.0.113.5:40000".parse().unwrap()),
            reached: Some("[2001:db8::1]:21".parse().unwrap()),
            listens: vec!["192.0.2.1:21".parse().unwrap(), "[2001:db8::1]:21".parse().unwrap()],
            mss: Some(1448),
            unheard: vec![Unheard { from: "203.0.113.5:39999".parse().unwrap(), bytes: 51 }],
            secure: Some(false),
            heard: Some(b"PORT 10,0,0,5,14,178".to_vec()),
            told: Some(b"227 Entering Passive Mode (10,0,0,9,195,149).".to_vec()),
            port: Some(50069),
            first_packet: Some(true),
            came: vec![came("[fe80::1%2]:4000", false), came("203.0.113.5:40001", true)],
            dialled: Some("203.0.113.5:3762".parse().unwrap()),
            dialled_from: Some("10.0.0.9:20".parse().unwrap()),
            dial: Some(Dial::TimedOut),
            dial_by: Some("10.0.0.1".parse().unwrap()),
            data_mss: Some(1380),
            sent: Some(u64::MAX),
            received: Some(0),
            unacknowledged: Some(65536),
            dropped: Some(3),
            held_back: Some(0),
            fault: Some("stalled".to_owned()),
            helper: Some(true),
        }
    }

    /// As it goes over the wire, between the first and the last line.
    fn reply(sightings: &Sightings) -> Vec<Vec<u8>> {
        let lines = sightings.write().into_iter().map(|line| [b" ", &line[..]].concat());
        [b"What this server saw: it".to_vec()].into_iter().chain(lines).chain([b"End.".to_vec()]).collect()
    }

    fn read(lines: &[Vec<u8>]) -> Reading {
        Sightings::read(lines.iter().map(Vec::as_slice))
    }

    #[test]
    fn what_is_written_is_read() {
        for sightings in [all(), Sightings::default()] {
            assert_eq!(read(&reply(&sightings)), Reading { sightings, altered: false });
        }
        for dial in Dial::ALL {
            let sightings = Sightings { dial: Some(dial), ..Sightings::default() };
            assert_eq!(read(&reply(&sightings)).sightings, sightings);
        }
    }

    #[test]
    fn all_the_lines_in_their_order() {
        let lines = all().write().into_iter().map(|line| String::from_utf8(line).unwrap());
        let expected = [
            "peer: 203.0.113.5:40000",
            "reached: [2001:db8::1]:21",
            "listens: 192.0.2.1:21",
            "listens: [2001:db8::1]:21",
            "mss: 1448",
            "unheard: 203.0.113.5:39999 51",
            "secure: no",
            "heard: PORT 10,0,0,5,14,178",
            "told: 227 Entering Passive Mode (10,0,0,9,195,149).",
            "port: 50069",
            "first-packet: yes",
            "came: [fe80::1%2]:4000 stranger",
            "came: 203.0.113.5:40001 own",
            "dialled: 203.0.113.5:3762",
            "dialled-from: 10.0.0.9:20",
            "dial: timed-out",
            "dial-by: 10.0.0.1",
            "data-mss: 1380",
            "sent: 18446744073709551615",
            "received: 0",
            "unacknowledged: 65536",
            "dropped: 3",
            "held-back: 0",
            "fault: stalled",
            "helper: loaded",
            "sum: 4168d7f1",
        ];
        assert_eq!(lines.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_line_as_it_came_may_hold_any_byte() {
        let line: Vec<u8> = (0..=255).collect();
        let sightings = Sightings { heard: Some(line), ..Sightings::default() };
        let lines = reply(&sightings);
        assert!(lines.iter().flatten().all(|byte| (b' '..=b'~').contains(byte)));
        assert_eq!(read(&lines).sightings, sightings);
    }

    #[test]
    fn what_was_rewritten_on_the_way_is_seen() {
        let whole = reply(&all());
        for place in 1..whole.len() - 1 {
            let mut lines = whole.clone();
            let last = lines[place].last_mut().unwrap();
            *last = if *last == b'1' { b'2' } else { b'1' };
            assert!(read(&lines).altered, "line {place}");
            lines.remove(place);
            assert!(read(&lines).altered, "without line {place}");
        }
        assert!(read(&[]).altered);
        let mut more = whole.clone();
        more.insert(whole.len() - 1, b" port: 1".to_vec());
        assert!(read(&more).altered);
    }

    #[test]
    fn what_is_not_known_is_passed_over() {
        let said: [&[u8]; 9] = [
            b" peer: somebody",
            b" mss: +5",
            b" port: 65536",
            b" secure: maybe",
            b" came: 10.0.0.1:5 friend",
            b" heard: PORT %4",
            b" dial: laughed at",
            b" moon: full",
            b" \xFF\xFF",
        ];
        let sum = said.iter().fold(Sum::new(), |sum, line| sum.and(&line[1..]));
        let last = format!(" sum: {}", sum.shown());
        let lines = said.into_iter().chain([last.as_bytes()]);
        assert_eq!(Sightings::read(lines), Reading { sightings: Sightings::default(), altered: false });
    }

    #[test]
    fn what_is_learned_later_stands() {
        let mut known = Sightings { port: Some(1), mss: Some(2), ..Sightings::default() };
        known.learn(Sightings { port: Some(3), ..Sightings::default() });
        assert_eq!(known, Sightings { port: Some(3), mss: Some(2), ..Sightings::default() });
        let mut known = Sightings::default();
        known.learn(all());
        known.learn(Sightings::default());
        assert_eq!(known, all());
    }
}
