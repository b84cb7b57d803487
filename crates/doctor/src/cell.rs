//! One try of one mode: what is agreed on, whether the data connection comes about, and whether bytes and the last word do.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use twoport_net::tls::Connector;
use twoport_net::{ActiveListener, DataStream, Packets, Source, dial, half_open_from};
use twoport_plan::LinkFault;
use twoport_proto::{Request, Verb, hostport};

use crate::dialogue::{Dialogue, Heard, PATIENCE, command};
use crate::evidence::{Cell, Mode, Outcome, Said};

/// How long a connection to a passive port may take: SYNs go out at once, after one second and after three.
const DIAL: Duration = Duration::from_millis(3300);

/// How long the server may take with 150, or with saying that nobody came.
pub(crate) const OPENING: Duration = Duration::from_secs(12);

/// How long nothing may come before the transfer has stalled.
const STALL: Duration = Duration::from_secs(4);

/// How long a data connection may stay open behind 226.
const GRACE: Duration = Duration::from_millis(1500);

/// How long a reset may take that our own end provokes.
const PROVOKED: Duration = Duration::from_millis(700);

/// How long 226 may take behind the end.
const FINAL: Duration = Duration::from_secs(4);

/// Bytes that are enough for a listing.
const ENOUGH: u64 = 1 << 20;

/// What is carried, and how.
#[derive(Debug, Clone)]
pub(crate) struct Load {
    /// The command.
    pub(crate) request: Request,
    /// Bytes and time after which it is enough: the rest is not fetched.
    pub(crate) most: (u64, Duration),
    /// The largest segment.
    pub(crate) mss: Option<u16>,
    /// How long the server may take to begin, or to come.
    pub(crate) opening: Duration,
    /// Hands for the data connection that are not the session's own.
    pub(crate) afresh: Option<Connector>,
}

impl Load {
    /// A listing of where the session is.
    pub(crate) fn listing() -> Load {
        let request = Request::bare(Verb::List);
        Load { request, most: (ENOUGH, Duration::from_secs(6)), mss: None, opening: OPENING, afresh: None }
    }
}

/// Tries one mode. A 227 with an address that does not answer is tried at the server's own: that is a try of its own.
pub(crate) async fn attempt(dialogue: &mut Dialogue, mode: Mode, load: &Load) -> Vec<Cell> {
    let clock = Instant::now();
    match mode {
        Mode::Epsv => vec![passive(dialogue, mode, Verb::Epsv, load, clock).await],
        Mode::Pasv | Mode::PasvPeer => {
            let first = passive(dialogue, Mode::Pasv, Verb::Pasv, load, clock).await;
            let port = first.place.map(|place| place.port());
            let elsewhere = first.place.is_some_and(|place| place.ip() != dialogue.peer());
            let Some(port) = port.filter(|_| elsewhere && first.outcome.no_link().is_some()) else {
                return vec![first];
            };
            let (clock, place) = (Instant::now(), SocketAddr::new(dialogue.peer(), port));
            let outcome = connect(dialogue, place, load).await;
            let (said, took) = (first.said.clone(), clock.elapsed());
            vec![first, Cell { place: Some(place), said, took, ..Cell::of(Mode::PasvPeer, outcome) }]
        }
        Mode::Eprt | Mode::Port => vec![active(dialogue, mode, load, clock).await],
    }
}

async fn passive(dialogue: &mut Dialogue, mode: Mode, verb: Verb, load: &Load, clock: Instant) -> Cell {
    let heard = dialogue.ask(&Request::bare(verb), PATIENCE).await;
    let cell = |said, place, outcome| Cell { place, said, took: clock.elapsed(), ..Cell::of(mode, outcome) };
    let said = match heard {
        Heard::Said(said) => said,
        Heard::Nothing => return cell(None, None, dialogue.no_answer()),
        Heard::End => return cell(None, None, Outcome::HungUp),
    };
    if said.code / 100 != 2 {
        // Some die of what they have just said.
        let ended = said.code == 500 && matches!(dialogue.hear(Duration::from_millis(150)).await, Heard::End);
        return cell(Some(said), None, if ended { Outcome::HungUp } else { Outcome::Refused });
    }
    let Some(place) = told(&said, dialogue.peer()) else {
        return cell(Some(said), None, Outcome::Unreadable);
    };
    let outcome = match place.ip().is_unspecified() {
        true => Outcome::NoLink {
            fault: LinkFault::Other { to: None, text: "0.0.0.0 is no address".to_owned() },
            after: Duration::ZERO,
            held_back: None,
        },
        false => connect(dialogue, place, load).await,
    };
    cell(Some(said), Some(place), outcome)
}

/// Where 227 or 229 leads, whichever command it answers.
pub(crate) fn told(said: &Said, peer: IpAddr) -> Option<SocketAddr> {
    match said.code {
        229 => hostport::read_229(said.text.as_bytes()).ok().map(|port| SocketAddr::new(peer, port)),
        _ => hostport::read_227(said.text.as_bytes()).ok().map(SocketAddr::V4),
    }
}

async fn connect(dialogue: &mut Dialogue, place: SocketAddr, load: &Load) -> Outcome {
    let (clock, before) = (Instant::now(), Packets::now(place.is_ipv6()));
    match dial(place, Source::Free, DIAL, load.mss).await {
        Ok((stream, _)) => {
            let asked = Instant::now();
            dialogue.say(&load.request).await;
            match begin(dialogue, load.opening).await {
                Ok(last) => carry(dialogue, stream, load, last, &asked).await,
                Err(outcome) => outcome,
            }
        }
        Err(fault) => Outcome::NoLink {
            fault,
            after: clock.elapsed(),
            held_back: before.and_then(|before| Some(before.since()?.held_back)),
        },
    }
}

/// Waits for 150; some servers say 226 in the same breath.
async fn begin(dialogue: &mut Dialogue, patience: Duration) -> Result<Option<Said>, Outcome> {
    let clock = Instant::now();
    match dialogue.hear(patience).await {
        Heard::Said(said) if said.code / 100 == 1 => Ok(None),
        Heard::Said(said) if said.code / 100 == 2 => Ok(Some(said)),
        Heard::Said(said) => Err(Outcome::NotBegun { said: Some(said), after: clock.elapsed() }),
        Heard::Nothing | Heard::End => Err(Outcome::NotBegun { said: None, after: clock.elapsed() }),
    }
}

async fn active(dialogue: &mut Dialogue, mode: Mode, load: &Load, clock: Instant) -> Cell {
    let mut asked = None;
    let cell = |said, place, outcome, asked| Cell {
        place,
        said,
        took: clock.elapsed(),
        asked,
        ..Cell::of(mode, outcome)
    };
    let (listener, at) = match ActiveListener::bind(dialogue.local, load.mss) {
        Ok(bound) => bound,
        Err(fault) => {
            return cell(
                None,
                None,
                Outcome::NoLink { fault, after: Duration::ZERO, held_back: None },
                asked,
            );
        }
    };
    let here = SocketAddr::new(at.ip().to_canonical(), at.port());
    let request = match (mode, here) {
        (Mode::Port, SocketAddr::V4(here)) => command(Verb::Port, hostport::write_port(here)),
        _ => command(Verb::Eprt, hostport::write_eprt(here)),
    };
    asked = Some(request.shown());
    let said = match dialogue.ask(&request, PATIENCE).await {
        Heard::Said(said) if said.code / 100 == 2 => said,
        Heard::Said(said) => return cell(Some(said), Some(here), Outcome::Refused, asked),
        Heard::Nothing => return cell(None, Some(here), dialogue.no_answer(), asked),
        Heard::End => return cell(None, Some(here), Outcome::HungUp, asked),
    };
    let before = Packets::now(here.is_ipv6());
    let waiting = Instant::now();
    dialogue.say(&load.request).await;
    let mut last = None;
    let mut coming = std::pin::pin!(listener.accept(dialogue.peer(), load.opening));
    let came = loop {
        tokio::select! {
            came = &mut coming => break came.map_err(|_| None),
            heard = dialogue.hear(load.opening) => match heard {
                Heard::Said(said) if said.code / 100 == 1 => {}
                Heard::Said(said) if said.code / 100 == 2 => last = Some(said),
                Heard::Said(said) => break Err(Some(said)),
                Heard::Nothing | Heard::End => break Err(None),
            },
        }
    };
    let outcome = match came {
        Ok(stream) => carry(dialogue, stream, load, last, &waiting).await,
        Err(word) => Outcome::NobodyCame {
            said: word,
            after: waiting.elapsed(),
            dropped: before.and_then(|before| Some(before.since()?.dropped)),
            first: half_open_from(here.port()),
        },
    };
    cell(Some(said), Some(here), outcome, asked)
}

/// Reads to the end, and hears the last word.
async fn carry(
    dialogue: &mut Dialogue,
    stream: TcpStream,
    load: &Load,
    last: Option<Said>,
    asked: &Instant,
) -> Outcome {
    let (clock, mut bytes, mut last) = (Instant::now(), 0, last);
    let mut wire = DataStream::new(stream);
    if let Some(connector) = load.afresh.clone().or_else(|| dialogue.connector.clone()) {
        match wire.connect_tls(&connector, PATIENCE).await {
            Ok((secured, _)) => wire = secured,
            Err(fault) => {
                let said =
                    if let Heard::Said(said) = dialogue.hear(PATIENCE).await { Some(said) } else { None };
                return Outcome::NoTls { why: fault.to_string(), said };
            }
        }
    }
    let (mut buffer, mut deaf, mut moved) = (vec![0; 1 << 16], false, Instant::now());
    loop {
        let patience = if last.is_some() { GRACE } else { STALL };
        let read = tokio::select! {
            read = wire.read(&mut buffer) => Some(read),
            heard = dialogue.hear(patience), if last.is_none() && !deaf => match heard {
                // An active server may say 150 only now.
                Heard::Said(said) if said.code / 100 == 1 => continue,
                // Nobody can have lost patience: it has lost the connection.
                Heard::Said(said) if said.code / 100 == 4 && bytes > 0 && moved.elapsed() < STALL / 4 => {
                    return Outcome::Cut { bytes, why: said.to_string() };
                }
                Heard::Said(said) => {
                    last = Some(said);
                    continue;
                }
                // The bytes may come all the same.
                Heard::End => {
                    deaf = true;
                    continue;
                }
                Heard::Nothing => None,
            },
            () = tokio::time::sleep(patience) => None,
        };
        match read {
            Some(Ok(0)) => break,
            Some(Ok(n)) => (bytes, moved) = (bytes + n as u64, Instant::now()),
            // The end is there, if not the word for it (TLS).
            Some(Err(e)) if e.kind() == std::io::ErrorKind::UnexpectedEof => break,
            Some(Err(e)) => {
                let why = match settle(dialogue, last).await {
                    Some(said) => format!("{e}; the server said {said}"),
                    None => e.to_string(),
                };
                return Outcome::Cut { bytes, why };
            }
            // Who resets what comes from the server need not have told us: our own end makes it speak.
            None if bytes > 0 && provokes_a_reset(&mut wire).await => {
                let why =
                    last.map_or_else(|| "a reset, when we ended it".to_owned(), |said| said.to_string());
                return Outcome::Cut { bytes, why };
            }
            None => match last {
                Some(said) if said.code / 100 == 2 => return Outcome::NoEnd(bytes),
                Some(said) if said.code == 425 && bytes == 0 => return refused(said, bytes, asked),
                // The server was the first to lose patience, and of its end nothing is seen.
                Some(_) | None => return Outcome::Stalled(bytes),
            },
        }
        if bytes >= load.most.0 || clock.elapsed() >= load.most.1 {
            // The rest is not wanted; what the server says to that is its business.
            drop(wire);
            settle(dialogue, last).await;
            return Outcome::Works(bytes);
        }
    }
    drop(wire);
    match settle(dialogue, last).await {
        Some(said) if said.code / 100 == 2 => Outcome::Works(bytes),
        Some(said) => refused(said, bytes, asked),
        None => Outcome::NoWord(bytes),
    }
}

/// Whether a connection that stands still is reset when we say that we are done.
async fn provokes_a_reset(wire: &mut DataStream) -> bool {
    let ended = async {
        wire.half_close().await?;
        let mut rest = [0; 4096];
        while wire.read(&mut rest).await? > 0 {}
        Ok(())
    };
    let ended: Result<std::io::Result<()>, _> = tokio::time::timeout(PROVOKED, ended).await;
    matches!(ended, Ok(Err(e)) if e.kind() == std::io::ErrorKind::ConnectionReset)
}

/// It has ended badly, or before it began: some say 150 while they wait.
fn refused(said: Said, bytes: u64, asked: &Instant) -> Outcome {
    match bytes {
        // The server was the first to lose patience.
        0 if said.code != 425 && asked.elapsed() >= STALL / 2 => Outcome::Stalled(0),
        0 => Outcome::NotBegun { said: Some(said), after: asked.elapsed() },
        _ => Outcome::Cut { bytes, why: said.to_string() },
    }
}

/// The last word.
async fn settle(dialogue: &mut Dialogue, last: Option<Said>) -> Option<Said> {
    if last.is_some() {
        return last;
    }
    match dialogue.hear(FINAL).await {
        Heard::Said(said) if said.code / 100 == 1 => match dialogue.hear(FINAL).await {
            Heard::Said(said) => Some(said),
            Heard::Nothing | Heard::End => None,
        },
        Heard::Said(said) => Some(said),
        Heard::Nothing | Heard::End => None,
    }
}
