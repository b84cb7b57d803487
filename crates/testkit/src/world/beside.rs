//! What runs beside the session: one transfer or digest, from `Begin` to `Ended`. What may come when is the driver's
//! order: the file opens, then the link comes, then bytes, then (of an upload) the question whether to keep it.

use std::net::SocketAddr;

use twoport_plan::LinkFault;
use twoport_proto::modes::{Algorithm, Mode};
use twoport_proto::sightings::{Came, Dial};
use twoport_proto::{Failure, FtpPath, Sightings};
use twoport_session::server::io::{Ending, Input, Link, LinkId, Task, TransferOrder};

use super::World;

/// What can happen next beside the session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Move {
    /// The file opens, or does not: as the tree has it.
    Open,
    /// The data connection comes.
    Link,
    /// It does not come.
    NoLink(LinkFault),
    /// So many bytes pass.
    Pass(u64),
    /// All the other bytes pass; then a download is over, a digest is told, and an upload asks to be kept.
    Finish,
    /// The file's side fails.
    FileFails(Failure),
    /// The network's side fails.
    LinkBreaks,
    /// What was told to stop stops.
    ObeyStop,
    /// What was told to be kept is kept.
    Keep,
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The file is being opened.
    Opening,
    /// The link is awaited.
    Linking,
    /// Bytes pass.
    Moving,
    /// An upload's bytes are all there; the machine decides.
    Deciding,
    /// It is being kept.
    Keeping,
}

/// A transfer or a digest beside the session.
#[derive(Debug)]
pub struct Beside {
    /// What was ordered.
    pub order: TransferOrder,
    /// How far it is.
    pub stage: Stage,
    /// Whether it was told to stop.
    pub stopping: bool,
    /// The port where its peer is awaited.
    pub port: Option<u16>,
    /// Bytes over the data connection so far.
    pub moved: u64,
    /// All bytes that there are to move.
    bytes: Vec<u8>,
    /// The name of an upload.
    path: Option<FtpPath>,
}

impl Beside {
    /// What happens when nothing goes wrong.
    #[must_use]
    pub fn natural(&self) -> Option<Move> {
        if self.stopping {
            return Some(Move::ObeyStop);
        }
        match self.stage {
            Stage::Opening => Some(Move::Open),
            Stage::Linking => Some(Move::Link),
            Stage::Moving => Some(Move::Finish),
            Stage::Deciding => None,
            Stage::Keeping => Some(Move::Keep),
        }
    }

    /// Bytes that still have to pass.
    #[must_use]
    pub fn left(&self) -> u64 {
        size(&self.bytes) - self.moved
    }

    /// Whether bytes come in.
    #[must_use]
    pub fn is_upload(&self) -> bool {
        matches!(self.order.task, Task::Receive { .. })
    }

    fn is_digest(&self) -> bool {
        matches!(self.order.task, Task::Digest { .. })
    }
}

impl World {
    /// Makes `next` happen, if it can happen at this stage; says whether it could.
    pub fn advance(&mut self, next: Move) -> bool {
        let Some(beside) = &mut self.beside else { return false };
        match (next, beside.stage) {
            (Move::Open, Stage::Opening) => self.open(),
            (Move::Link, Stage::Linking) => {
                beside.stage = Stage::Moving;
                self.see(None);
                self.hand_in(Input::Linked);
            }
            (Move::NoLink(fault), Stage::Linking) => {
                self.see(Some(&fault));
                self.end(Ending::NoLink(fault));
            }
            // The link is there, and TLS on it is not what it should be.
            (Move::NoLink(fault), Stage::Moving) if fault.is_of_tls() && beside.order.private => {
                self.end(Ending::NoLink(fault));
            }
            (Move::Pass(count), Stage::Moving) => self.move_bytes(count),
            (Move::Finish, Stage::Moving) => self.finish(),
            (Move::Keep, Stage::Keeping) => self.put_in_place(),
            (Move::FileFails(failure), Stage::Opening) => self.end(Ending::NoFile(failure)),
            (Move::FileFails(failure), Stage::Moving | Stage::Keeping) => {
                let bytes = beside.moved;
                self.end(Ending::FileFailed { bytes, failure });
            }
            (Move::LinkBreaks, Stage::Moving) if !beside.is_digest() => {
                let bytes = beside.moved;
                self.end(Ending::LinkBroke { bytes, fault: LinkFault::Reset });
            }
            // Too late to stop: the driver keeps what it was told to keep.
            (Move::ObeyStop, Stage::Keeping) if beside.stopping => self.put_in_place(),
            (Move::ObeyStop, _) if beside.stopping => {
                let bytes = beside.moved;
                self.end(Ending::Stopped { bytes });
            }
            _ => return false,
        }
        self.hear();
        true
    }

    /// What is to be seen of the control connection, and of a port where nobody has come yet.
    pub(super) fn look(&self) -> Sightings {
        Sightings {
            peer: Some(SocketAddr::new(self.ends.peer, 40_000)),
            reached: Some(SocketAddr::new(self.ends.local, 21)),
            mss: Some(1448),
            port: self.leases.values().next().copied(),
            first_packet: (!self.leases.is_empty()).then_some(false),
            helper: Some(false),
            ..Sightings::default()
        }
    }

    /// The data connection is there, or there will be none.
    fn see(&mut self, fault: Option<&LinkFault>) {
        let Some(beside) = &self.beside else { return };
        let mut seen = Sightings { data_mss: fault.is_none().then_some(1448), ..Sightings::default() };
        match beside.order.link {
            Link::Passive(_) => {
                let stranger = match fault {
                    Some(LinkFault::StrangerCame { from, .. }) => {
                        Some(Came { from: (*from, 40_001).into(), own: false })
                    }
                    _ => None,
                };
                let own = Came { from: (self.ends.peer, 40_002).into(), own: true };
                seen.port = beside.port;
                seen.first_packet = Some(fault.is_none());
                seen.came = stranger.into_iter().chain(fault.is_none().then_some(own)).collect();
            }
            Link::Active(target) => {
                seen.dialled = Some(target);
                seen.dialled_from = Some((self.ends.local, 40_003).into());
                seen.dial = match fault {
                    None => Some(Dial::Connected),
                    Some(LinkFault::Refused { .. }) => Some(Dial::Refused),
                    Some(_) => None,
                };
            }
            Link::Open(_) | Link::None => return,
        }
        self.hand_in(Input::Saw(Box::new(seen)));
    }

    pub(super) fn begin(&mut self, order: TransferOrder) {
        assert!(self.beside.is_none(), "two transfers at a time: {order:?}");
        let digest = matches!(order.task, Task::Digest { .. });
        assert_eq!(digest, order.link == Link::None, "only a digest needs no link: {order:?}");
        let port = self.spend(order.link);
        self.beside = Some(Beside {
            order,
            stage: Stage::Opening,
            stopping: false,
            port,
            moved: 0,
            bytes: Vec::new(),
            path: None,
        });
    }

    pub(super) fn keep(&mut self) {
        let beside = self.beside.as_mut().expect("the machine keeps only what runs");
        assert_eq!(beside.stage, Stage::Deciding, "Keep, and nobody asked");
        assert!(!beside.stopping, "Keep after Stop");
        beside.stage = Stage::Keeping;
    }

    fn open(&mut self) {
        let beside = self.beside.as_mut().expect("advance has just seen it");
        let opened = match &beside.order.task {
            Task::Send { path, from, length } | Task::Digest { path, from, length, .. } => {
                self.tree.open(path, *from, *length).map(|bytes| (path.clone(), bytes))
            }
            Task::List(order) => self.tree.listing(order).map(|bytes| (order.folder.clone(), bytes)),
            Task::Receive { path, placement } => {
                let named = self.tree.may_store(path, *placement);
                named.map(|path| (path, std::mem::take(&mut self.upload)))
            }
        };
        match opened {
            Err(failure) => self.end(Ending::NoFile(failure)),
            Ok((path, bytes)) => {
                let known = matches!(beside.order.task, Task::Send { .. });
                let size = known.then(|| size(&bytes));
                beside.bytes = bytes;
                beside.path = beside.is_upload().then(|| path.clone());
                beside.stage = if beside.is_digest() { Stage::Moving } else { Stage::Linking };
                self.hand_in(Input::Ready { path, size });
            }
        }
    }

    fn move_bytes(&mut self, count: u64) {
        let beside = self.beside.as_mut().expect("advance has just seen it");
        let from = beside.moved;
        beside.moved = from.saturating_add(count).min(size(&beside.bytes));
        if matches!(beside.order.task, Task::Send { .. } | Task::List(_)) {
            let index = |place: u64| usize::try_from(place).expect("a place in bytes that are in memory");
            self.delivered.extend_from_slice(&beside.bytes[index(from)..index(beside.moved)]);
        }
    }

    fn finish(&mut self) {
        self.move_bytes(u64::MAX);
        let beside = self.beside.as_mut().expect("advance has just seen it");
        let bytes = beside.moved;
        match &beside.order.task {
            Task::Digest { algorithm, from, .. } => {
                let hash = stand_in(*algorithm, &beside.bytes);
                let range = (*from, from + bytes);
                self.end(Ending::Digest { hash, range });
            }
            Task::Receive { .. } => {
                beside.stage = Stage::Deciding;
                // All that the peer sent until now is heard first: it may be its end.
                self.hear();
                if self.beside.as_ref().is_some_and(|beside| beside.stage == Stage::Deciding) {
                    self.hand_in(Input::Received);
                }
            }
            Task::Send { .. } | Task::List(_) => self.end(Ending::Whole { bytes }),
        }
    }

    fn put_in_place(&mut self) {
        let beside = self.beside.as_ref().expect("advance has just seen it");
        let bytes = beside.moved;
        let kept = match (&beside.order.task, &beside.path) {
            (Task::Receive { placement, .. }, Some(path)) => self.tree.store(path, *placement, &beside.bytes),
            _ => panic!("only an upload is kept, and it has a name"),
        };
        match kept {
            Ok(()) => self.end(Ending::Whole { bytes }),
            Err(failure) => self.end(Ending::FileFailed { bytes, failure }),
        }
    }

    /// In MODE B the data connection outlives a transfer that went well, and one that was there already outlives a file
    /// that is not.
    fn end(&mut self, ending: Ending) {
        let beside = self.beside.take().expect("only what runs ends");
        let stays = match ending {
            Ending::Whole { .. } => beside.order.mode == Mode::Block,
            Ending::NoFile(_) => matches!(beside.order.link, Link::Open(_)),
            _ => false,
        };
        if stays {
            self.last_lease += 1;
            let id = LinkId(self.last_lease);
            self.open.insert(id);
            self.hand_in(Input::Kept(id));
        }
        self.hand_in(Input::Ended(ending));
    }
}

/// A number that stands for a hash and is as long as one: no test needs it to be true.
fn stand_in(algorithm: Algorithm, bytes: &[u8]) -> String {
    let digits = match algorithm {
        Algorithm::Crc32 => 8,
        Algorithm::Md5 => 32,
        Algorithm::Sha1 => 40,
        Algorithm::Sha256 => 64,
        Algorithm::Sha512 => 128,
    };
    let sum = bytes
        .iter()
        .fold(0xCBF2_9CE4_8422_2325u64, |sum, b| (sum ^ u64::from(*b)).wrapping_mul(0x0100_0000_01B3));
    format!("{sum:016x}").chars().cycle().take(digits).collect()
}

fn size(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).expect("a length fits in 64 bits")
}
