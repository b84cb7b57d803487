//! Plays dialogue files: what a client says, what happens, and what it must hear, line by line.
//!
//! ```text
//! ## a comment
//! # passive off              before the first other line: how the world is made
//! C: RETR hello.txt          the client sends this; several C lines behind one another go in one flight
//! C~ RE                      the same without a line end
//! # ready                    something happens; the list is in `Play::happens`
//! S: 150 Opening BINARY*     it must hear exactly this; a star at the end stands for any rest
//! D: hello, world            a line over the data connection
//! ```
//!
//! In C lines `\xff`, `\r`, `\n`, `\\` and `\{300 a}` (300 times that) are understood. Before anything new happens all
//! that was said must have stood in S lines.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Duration;

use twoport_plan::LinkFault;
use twoport_proto::{Failure, FtpPath};
use twoport_session::rights::{Need, Needs};
use twoport_session::server::Door;
use twoport_session::server::io::{Channel, Link, Output};

use crate::world::{Account, Happened, Move, PASSWORD, World, essay_ends, essay_settings};

/// Plays a dialogue.
///
/// # Errors
/// At the first line that is not as it stands in the file: its number, and what happened instead.
pub fn play(text: &str) -> Result<(), String> {
    let mut lines: Vec<(usize, &str)> = Vec::new();
    for (place, line) in text.lines().enumerate() {
        let line = line.trim_end();
        if !line.is_empty() && !line.starts_with("##") {
            lines.push((place + 1, line));
        }
    }
    let mut settings = essay_settings();
    let mut ends = essay_ends();
    let mut door = Door::CLEAR;
    let mut first = 0;
    while let Some((_, line)) = lines.get(first) {
        match line.strip_prefix("# ") {
            Some("active off") => settings.active = false,
            Some("passive off") => settings.passive = false,
            Some("over IPv6") => {
                ends.peer = IpAddr::from([0x2001, 0xDB8, 0, 0, 0, 0, 0, 0x80]);
                ends.local = IpAddr::from([0x2001, 0xDB8, 0, 0, 0, 0, 0, 0x90]);
            }
            Some("ccc on") => settings.ccc = true,
            Some("tls on") => door.needs = Needs::default(),
            Some("tls required") => door.needs.control = Need::Required,
            Some("tls required for data") => door.needs.data = Need::Required,
            Some("tls off for data") => door.needs.data = Need::Off,
            Some("tls from the first byte") => door = Door { needs: Needs::default(), implicit: true },
            Some(line) if line.starts_with("only host ") => {
                settings.hosts.push(line["only host ".len()..].to_owned());
            }
            _ => break,
        }
        first += 1;
    }
    let mut play = Play {
        world: World::new(settings, ends, door),
        heard: VecDeque::new(),
        delivered: VecDeque::new(),
        orders: Vec::new(),
    };
    play.listen();
    let mut flight = Vec::new();
    for (place, (number, line)) in lines.iter().enumerate().skip(first) {
        let at = |why: String| format!("line {number}: {line}\n{why}");
        if line.starts_with("C:") || line.starts_with("C~") {
            if flight.is_empty() {
                play.all_expected().map_err(at)?;
            }
            flight.extend(unescape(line.get(3..).unwrap_or_default()).map_err(at)?);
            if line.starts_with("C:") {
                flight.extend_from_slice(b"\r\n");
            }
            if !lines.get(place + 1).is_some_and(|(_, next)| next.starts_with('C')) {
                play.world.client_sends(&std::mem::take(&mut flight));
                play.listen();
            }
        } else {
            play.line(line).map_err(at)?;
        }
    }
    play.all_expected().map_err(|why| format!("at the end\n{why}"))
}

struct Play {
    world: World,
    heard: VecDeque<String>,
    delivered: VecDeque<String>,
    /// What was ordered of the transfer beside the session, and not looked at yet.
    orders: Vec<Output>,
}

impl Play {
    fn line(&mut self, line: &str) -> Result<(), String> {
        if let Some(expected) = line.strip_prefix("S:") {
            return expect(&mut self.heard, expected.strip_prefix(' ').unwrap_or(expected));
        }
        if let Some(expected) = line.strip_prefix("D:") {
            return expect(&mut self.delivered, expected.strip_prefix(' ').unwrap_or(expected));
        }
        let what = line.strip_prefix("# ").ok_or("neither C, S, D nor # begins it")?;
        if !what.starts_with("logged in as ") {
            self.all_expected()?;
        }
        self.happens(what)?;
        self.listen();
        Ok(())
    }

    fn happens(&mut self, what: &str) -> Result<(), String> {
        let words: Vec<&str> = what.split(' ').collect();
        match words.as_slice() {
            ["logged", "in", "as", name] => self.log_in(name),
            ["ready"] => self.advance(Move::Open),
            ["linked"] => self.advance(Move::Link),
            ["nobody", "comes"] => self.advance(Move::NoLink(self.world.nobody_came())),
            ["a", "stranger", "comes"] => self.advance(Move::NoLink(self.world.stranger_came())),
            ["TLS", "is", "not", "resumed"] => self.advance(Move::NoLink(LinkFault::NotResumed)),
            ["TLS", "is", "a", "stranger's"] => self.advance(Move::NoLink(LinkFault::ForeignSession)),
            ["TLS", "fails"] => {
                let why = "what came was no TLS".to_owned();
                self.advance(Move::NoLink(LinkFault::NoTls { why }))
            }
            ["the", "handshake", "fails"] => {
                self.world.handshake = Err("what came was no TLS".to_owned());
                Ok(())
            }
            ["TLS", "wants", name] => self.channel(|channel| channel.server_name = Some((*name).to_owned())),
            ["TLS", "shows", "a", "certificate"] => self.channel(|channel| channel.certified = true),
            ["the", "certificate", "is", "of", name] => {
                self.account(name, |account| account.by_certificate = true)
            }
            [name, "needs", "TLS"] => self.account(name, |account| account.needs.control = Need::Required),
            [name, "needs", "no", "TLS"] => self.account(name, |account| account.needs.control = Need::Off),
            [name, "needs", "TLS", "for", "data"] => {
                self.account(name, |account| account.needs.data = Need::Required)
            }
            ["refused"] => self.advance(Move::NoLink(LinkFault::Refused { to: self.target()?, by: None })),
            ["all", "bytes", "pass"] => self.advance(Move::Finish),
            [count, "bytes", "pass"] => self.advance(Move::Pass(number(count)?)),
            ["kept"] => self.advance(Move::Keep),
            ["stopped"] => self.advance(Move::ObeyStop),
            ["link", "breaks"] => self.advance(Move::LinkBreaks),
            ["file", "fails", failure] => self.advance(Move::FileFails(failure_of(failure)?)),
            ["next", "file", "operation", "fails", failure] => {
                self.world.next_file_operation = Some(failure_of(failure)?);
                Ok(())
            }
            ["upload", ..] => {
                self.world.upload = unescape(what.trim_start_matches("upload").trim_start())?;
                Ok(())
            }
            [count, "ports"] => {
                self.world.open_ports(u16::try_from(number(count)?).map_err(|fault| fault.to_string())?);
                Ok(())
            }
            ["closed"] => {
                self.world.client_closes();
                Ok(())
            }
            [count, unit @ ("seconds" | "ms"), "pass"] => {
                let count = number(count)?;
                let span =
                    if *unit == "ms" { Duration::from_millis(count) } else { Duration::from_secs(count) };
                self.world.pass(span);
                Ok(())
            }
            ["every", "answer", "takes", count, "seconds"] => {
                self.world.slowness = Duration::from_secs(number(count)?);
                Ok(())
            }
            ["shutdown"] => {
                self.world.shut_down();
                Ok(())
            }
            ["ordered", order] => self.ordered(order),
            [count, "ports", "leased"] => {
                let leased = self.world.leased_ports().count();
                (number(count)? == leased as u64).then_some(()).ok_or(format!("{leased} are leased"))
            }
            ["connection", "is", state @ ("open" | "closed")] => {
                let closed = self.world.is_closed();
                ((*state == "closed") == closed).then_some(()).ok_or(format!("closed: {closed}"))
            }
            ["file", path, "holds", ..] => {
                let text = what.split_once(" holds").map(|(_, text)| text.trim_start()).unwrap_or_default();
                self.holds(path, Some(&unescape(text)?))
            }
            ["no", "file", path] => self.holds(path, None),
            _ => Err("nothing of that name can happen".to_owned()),
        }
    }

    fn channel(&mut self, change: impl FnOnce(&mut Channel)) -> Result<(), String> {
        self.world.handshake.as_mut().map(change).map_err(|_| "the handshake fails".to_owned())
    }

    fn account(&mut self, name: &str, change: impl FnOnce(&mut Account)) -> Result<(), String> {
        let account = self.world.accounts.iter_mut().find(|account| account.name == name);
        account.map(change).ok_or(format!("there is no {name}"))
    }

    fn advance(&mut self, next: Move) -> Result<(), String> {
        if self.world.advance(next) {
            return Ok(());
        }
        Err(format!("it cannot happen now; beside the session: {:?}", self.world.beside().map(|b| b.stage)))
    }

    /// The shortest way in; what is said on it, the greeting too, is not looked at.
    fn log_in(&mut self, name: &str) -> Result<(), String> {
        let password = String::from_utf8_lossy(PASSWORD).into_owned();
        self.world.client_sends(format!("USER {name}\r\nPASS {password}\r\n").as_bytes());
        self.listen();
        match self.heard.drain(..).next_back() {
            Some(said) if said.starts_with("230") => Ok(()),
            said => Err(format!("it said {said:?}")),
        }
    }

    /// Whether the machine has said this to its driver since the last such line.
    fn ordered(&mut self, order: &str) -> Result<(), String> {
        let was = |output: &Output| match order {
            "begin" => matches!(output, Output::Begin(_)),
            "stop" => *output == Output::Stop,
            "keep" => *output == Output::Keep,
            _ => order == "nothing",
        };
        let ordered = self.orders.iter().any(was);
        let shown = format!("it ordered {:?}", self.orders);
        self.orders.clear();
        (ordered != (order == "nothing")).then_some(()).ok_or(shown)
    }

    fn holds(&self, path: &str, expected: Option<&[u8]>) -> Result<(), String> {
        let path = FtpPath::read(path.as_bytes()).map_err(|fault| fault.to_string())?;
        let found = self.world.tree.file(&path);
        (found == expected).then_some(()).ok_or(format!("it holds {:?}", found.map(String::from_utf8_lossy)))
    }

    fn target(&self) -> Result<std::net::SocketAddr, String> {
        match self.world.beside().map(|beside| beside.order.link) {
            Some(Link::Active(target)) => Ok(target),
            link => Err(format!("the link is {link:?}")),
        }
    }

    fn listen(&mut self) {
        self.heard.extend(lines_of(&self.world.said()));
        self.delivered.extend(lines_of(&self.world.delivered()));
        self.orders.extend(self.world.journal().into_iter().filter_map(|happened| match happened {
            Happened::Did(output @ (Output::Begin(_) | Output::Stop | Output::Keep)) => Some(output),
            Happened::Did(_) | Happened::Heard(_) | Happened::Gone => None,
        }));
    }

    fn all_expected(&self) -> Result<(), String> {
        match (self.heard.is_empty(), self.delivered.is_empty()) {
            (false, _) => Err(format!("said, and not expected:\n{}", shown(&self.heard))),
            (_, false) => Err(format!("delivered, and not expected:\n{}", shown(&self.delivered))),
            _ => Ok(()),
        }
    }
}

fn expect(heard: &mut VecDeque<String>, expected: &str) -> Result<(), String> {
    let Some(said) = heard.pop_front() else { return Err("nothing was said".to_owned()) };
    let fits = match expected.strip_suffix('*') {
        Some(start) => said.starts_with(start),
        None => said == expected,
    };
    fits.then_some(()).ok_or_else(|| format!("heard instead: {said}\nand then:\n{}", shown(heard)))
}

fn shown(lines: &VecDeque<String>) -> String {
    lines.iter().map(|line| format!("  {line}\n")).collect()
}

/// Lines as a dialogue writes them: what is not plain ASCII in escapes, a missing line end as `<no line end>`.
fn lines_of(bytes: &[u8]) -> Vec<String> {
    let whole = bytes.split_inclusive(|b| *b == b'\n');
    whole
        .map(|line| match line.strip_suffix(b"\r\n").or(line.strip_suffix(b"\n")) {
            Some(line) => line.escape_ascii().to_string().replace("\\\"", "\"").replace("\\'", "'"),
            None => line.escape_ascii().to_string() + "<no line end>",
        })
        .collect()
}

fn number(word: &str) -> Result<u64, String> {
    word.parse().map_err(|_| format!("{word} is no number"))
}

fn failure_of(word: &str) -> Result<Failure, String> {
    Ok(match word {
        "full" => Failure::Full,
        "io" => Failure::Io,
        "denied" => Failure::Denied,
        "busy" => Failure::Busy,
        "missing" => Failure::NotFound,
        "exists" => Failure::Exists,
        _ => return Err(format!("{word} is no failure")),
    })
}

fn unescape(text: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        bytes.extend_from_slice(before.as_bytes());
        let bad = || format!("not an escape: \\{after}");
        let (byte, used) = match after.as_bytes().first() {
            Some(b'r') => (b'\r', 1),
            Some(b'n') => (b'\n', 1),
            Some(b'\\') => (b'\\', 1),
            Some(b'x') => {
                (after.get(1..3).and_then(|hex| u8::from_str_radix(hex, 16).ok()).ok_or_else(bad)?, 3)
            }
            Some(b'{') => {
                let end = after.find('}').ok_or_else(bad)?;
                let (count, text) = after[1..end].split_once(' ').ok_or_else(bad)?;
                let count = usize::try_from(number(count)?).map_err(|fault| fault.to_string())?;
                bytes.extend(text.repeat(count).bytes());
                rest = &after[end + 1..];
                continue;
            }
            _ => return Err(bad()),
        };
        bytes.push(byte);
        rest = &after[used..];
    }
    bytes.extend_from_slice(rest.as_bytes());
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dialogue_that_is_kept_is_played_to_its_end() {
        let text = "S: 220 *\n## so\nC: NOOP\nC: NOOP\nS: 200 NOOP command successful.\nS: 200 *\n";
        assert_eq!(play(text), Ok(()));
    }

    #[test]
    fn what_is_said_and_not_expected_is_named_with_its_line() {
        let why = play("S: 220 *\nC: NOOP\nC: NOOP\nS: 200 *\n\nC: QUIT\n").unwrap_err();
        assert!(why.starts_with("line 6: C: QUIT\nsaid, and not expected:\n  200 NOOP"), "{why}");
        let why = play("S: 220 other\n").unwrap_err();
        assert!(why.contains("heard instead: 220 testbox2"), "{why}");
        assert!(play("S: 220 *\n# linked\n").is_err());
    }

    #[test]
    fn escapes_are_bytes() {
        assert_eq!(unescape("a\\xff\\r\\{3 b}c"), Ok(b"a\xFF\rbbbc".to_vec()));
        assert!(unescape("\\q").is_err());
    }
}
