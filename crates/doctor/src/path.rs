//! What is on the way: how far packets get, whose router it is, and whether an FTP helper listens.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinSet;
use twoport_net::knock::{Met, knock, knock_near};
use twoport_net::{SendQueue, Source, dial};

use crate::evidence::Path;

/// How long a router may take to say that a packet came as far as it was allowed to.
const ANSWER: Duration = Duration::from_millis(900);

/// Routers that a way has at most.
const FARTHEST: u8 = 24;

/// Knocks side by side. Those beyond the server open it once more than needed.
const BATCH: u8 = 3;

/// The hop at which somebody takes or refuses a connection to `at`, and the last router that was heard of before.
pub(crate) async fn reach(at: SocketAddr) -> (Option<u8>, Option<(u8, std::net::IpAddr)>) {
    let (mut last, mut first, mut quiet) = (None, 1, 0);
    while first <= FARTHEST && quiet < 2 {
        let met = side_by_side(at, first..first + BATCH).await;
        if let Some((hop, _)) = met.iter().find(|(_, met)| matches!(met, Met::Open | Met::Reset)) {
            let before = met.iter().take_while(|(other, _)| other < hop).filter_map(router).last();
            return (Some(*hop), before.or(last));
        }
        let heard = met.iter().filter_map(router).next_back();
        quiet = if heard.is_some() { 0 } else { quiet + 1 };
        last = heard.or(last);
        first += BATCH;
    }
    (None, last)
}

fn router((hop, met): &(u8, Met)) -> Option<(u8, std::net::IpAddr)> {
    if let Met::Exceeded(by) = met { Some((*hop, *by)) } else { None }
}

/// The way to a port that did not answer, next to the way to the control port.
pub(crate) async fn compare(control: SocketAddr, data: SocketAddr) -> Path {
    let (hop, heard) = reach(control).await;
    let far = hop.map_or(2 * BATCH, |hop| hop + 1);
    let met = side_by_side(data, 1..far + 1).await;
    let answered = met.iter().find(|(_, met)| matches!(met, Met::Open | Met::Reset));
    let refused = matches!(answered, Some((_, Met::Reset)));
    let as_far = match hop.filter(|_| refused) {
        Some(hop) => is_as_far(control, data, hop).await,
        None => None,
    };
    Path {
        control: hop,
        heard: heard.is_some(),
        port: data.port(),
        last: met.iter().filter_map(router).next_back(),
        answered: answered.map(|(hop, _)| *hop),
        refused,
        as_far,
    }
}

/// What systems begin with, before the first router has taken one.
const HOPS: [u8; 3] = [64, 128, 255];

/// Whether the refusal of one port has passed as many routers as the answer of the control port, which is `hop` away.
async fn is_as_far(control: SocketAddr, refused: SocketAddr, hop: u8) -> Option<bool> {
    let exactly = async |at, left: u8| {
        let farther = left.checked_add(1)?;
        let (there, beyond) = tokio::join!(knock_near(at, left, ANSWER), knock_near(at, farther, ANSWER));
        Some((there, beyond))
    };
    for left in HOPS.iter().filter_map(|hops| Some(hops.checked_sub(hop)? + 1)) {
        if let Some((Met::Open, Met::Silence)) = exactly(control, left).await {
            return match exactly(refused, left).await? {
                (Met::Reset, Met::Silence) => Some(true),
                (Met::Reset, Met::Reset) | (Met::Silence, Met::Silence) => Some(false),
                _ => None,
            };
        }
    }
    None
}

/// Other numbers for a port that people who forward ports choose, by how much they differ.
const SHIFTS: [u16; 10] = [100, 1_000, 2_000, 3_000, 5_000, 10_000, 15_000, 20_000, 25_000, 30_000];

/// The ports at which `at` takes connections, of those that may be shown for its port by a NAT.
pub(crate) async fn shown_for(at: SocketAddr) -> Vec<u16> {
    let port = at.port();
    let near = SHIFTS.iter().flat_map(|by| [port.checked_add(*by), port.checked_sub(*by)]).flatten();
    let mut knocks = JoinSet::new();
    for port in near.filter(|port| *port >= 1024) {
        knocks.spawn(async move { (port, knock(SocketAddr::new(at.ip(), port), None, ANSWER).await) });
    }
    let met = knocks.join_all().await;
    met.into_iter().filter(|(_, met)| *met == Met::Open).map(|(port, _)| port).collect()
}

/// The way to the control port alone.
pub(crate) async fn alone(control: SocketAddr) -> Path {
    let (hop, last) = reach(control).await;
    Path {
        control: hop,
        heard: last.is_some(),
        port: control.port(),
        last,
        answered: hop,
        refused: false,
        as_far: None,
    }
}

async fn side_by_side(at: SocketAddr, hops: std::ops::Range<u8>) -> Vec<(u8, Met)> {
    let mut knocks = JoinSet::new();
    for hop in hops {
        knocks.spawn(async move { (hop, knock(at, Some(hop), ANSWER).await) });
    }
    let mut met = knocks.join_all().await;
    met.sort_by_key(|(hop, _)| *hop);
    met
}

/// Whether another port of this address answers at the first hop, while the control port does not: then it is our own router's.
pub(crate) async fn is_our_router(at: SocketAddr) -> bool {
    // Port 9 is nobody's (discard, RFC 863): a router refuses it.
    let met = knock(SocketAddr::new(at.ip(), 9), Some(1), ANSWER).await;
    matches!(met, Met::Reset | Met::Open)
}

/// How far away the machine is, where it refuses port 9.
pub(crate) async fn machine(at: SocketAddr) -> Option<u8> {
    reach(SocketAddr::new(at.ip(), 9)).await.0
}

/// Whether a helper of the kind of Linux is on the way. It drops a packet that is the beginning of a command that it looks for,
/// as "P" is of PORT: nobody acknowledges it then. The session is a new one, and nobody logs in.
pub(crate) async fn has_helper(at: SocketAddr) -> Option<bool> {
    let (mut stream, _) = dial(at, Source::Free, Duration::from_secs(4), None).await.ok()?;
    stream.set_nodelay(true).ok()?;
    let began = std::time::Instant::now();
    line(&mut stream).await?;
    // Only what comes behind a line that it has seen is looked at.
    stream.write_all(b"NOOP\r\n").await.ok()?;
    let trip = began.elapsed();
    line(&mut stream).await?;
    stream.write_all(b"P").await.ok()?;
    let queue = SendQueue::of(&stream)?;
    // An acknowledgement may be held back for a fifth of a second.
    let patience = Duration::from_millis(400) + trip.min(Duration::from_secs(1));
    let mut waited = Duration::ZERO;
    while waited < patience {
        tokio::time::sleep(Duration::from_millis(50)).await;
        waited += Duration::from_millis(50);
        if queue.unacknowledged()? == 0 {
            return Some(false);
        }
    }
    Some(true)
}

/// Reads to the end of what is there, a line at least.
async fn line(stream: &mut tokio::net::TcpStream) -> Option<()> {
    let mut buffer = [0; 4096];
    let read = async {
        loop {
            let n = stream.read(&mut buffer).await.ok().filter(|n| *n > 0)?;
            if buffer[..n].contains(&b'\n') {
                return Some(());
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(6), read).await.ok().flatten()
}
