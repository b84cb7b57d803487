//! Carries out one transfer: opens the body, takes the link, moves the bytes, ends in order. It tells the session
//! `Ready`, `Linked`, `Received`, `Ended`, hands back a link that stays open, and hears two words: stop and keep.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use twoport_net::tls::{Acceptor, Member, Whose};
use twoport_net::{DataStream, Packets};
use twoport_pipe::{Body, Cut, Form, Framing, Progress, Recode, Side};
use twoport_plan::{LinkFault, Stall};
use twoport_proto::modes::{Algorithm, Mode};
use twoport_proto::placement::Placement;
use twoport_proto::{Failure, FtpPath, Sightings};
use twoport_session::server::Settings;
use twoport_session::server::io::{Ending, Input, ListOrder, Task, TransferOrder};
use twoport_store::{Error, Store};

use crate::journal::Journal;
use crate::listing::Lister;
use crate::road::{Road, tell_packets};
use crate::settings::Resumption;

/// TLS for a data connection, and whose session it must resume.
pub(crate) struct Protection {
    pub(crate) acceptor: Acceptor,
    pub(crate) resumption: Resumption,
    pub(crate) member: Arc<Member>,
    /// What HOST had said when the control connection shook hands.
    pub(crate) host: Option<String>,
    /// Whether it is us who sends.
    pub(crate) sends: bool,
    /// Whether nobody stands between: then what ends the handshake is with the client before 150 is. A balancer brings the two
    /// on roads of their own, and a client that has sent its file and closed resets the connection when a ticket comes.
    pub(crate) straight: bool,
    /// Whose transfer it is, for the log.
    pub(crate) session: u64,
}

impl Protection {
    /// TLS, or why not. It is tied to the login: whoever took the port by storm, or watched it, has no session to resume.
    async fn put_on(
        self,
        wire: DataStream,
        early: bool,
        patience: Duration,
    ) -> Result<DataStream, LinkFault> {
        let tickets = self.sends || early && self.straight;
        let host = self.host.as_deref();
        let secured = wire.accept_tls(&self.acceptor, &self.member, host, tickets, patience).await;
        let (mut wire, facts, whose) =
            secured.map_err(|fault| LinkFault::NoTls { why: fault.to_string() })?;
        let fault = match (self.resumption, whose) {
            (Resumption::Off, _) | (_, Whose::Own) | (Resumption::Prefer, Whose::Nobodys) => {
                Journal::data_secured(self.session, &facts.to_string());
                return Ok(wire);
            }
            (Resumption::Prefer | Resumption::Require, Whose::Foreign) => LinkFault::ForeignSession,
            (Resumption::Require, Whose::Nobodys) => LinkFault::NotResumed,
        };
        // The client hears of it in TLS, and in the reply.
        let _ = wire.finish(0, true, patience).await;
        Err(fault)
    }
}

/// What a transfer tells its session.
pub(crate) enum News {
    /// What happened.
    Happened(Input),
    /// Its data connection stays open for the next one (MODE B).
    Kept(DataStream),
}

/// A transfer with everything that it needs.
pub(crate) struct Job {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) road: Road,
    /// Whether the session may be asked what was seen of the road.
    pub(crate) watched: bool,
    /// Packets of this machine, when its data connection was agreed on.
    pub(crate) counted: Option<Packets>,
    /// TLS, where PROT P holds.
    pub(crate) protection: Option<Protection>,
    pub(crate) limits: Arc<Settings>,
    pub(crate) progress: Progress,
    pub(crate) news: mpsc::Sender<News>,
    /// The word to stop; a session that is gone counts as one.
    pub(crate) stopped: oneshot::Receiver<()>,
    /// The word to keep an upload.
    pub(crate) kept: Option<oneshot::Receiver<()>>,
}

impl Job {
    /// Runs to the end and tells it. The session hears `Ended` exactly once.
    pub(crate) async fn carry_out(mut self, order: TransferOrder) {
        let form = form(&order);
        // Each in a box of its own: a transfer is moved a few times before it begins, and is as large as the largest of them.
        let ending = match order.task {
            Task::Send { path, from, length } => Box::pin(self.send_file(path, from, length, form)).await,
            Task::Receive { path, placement } => Box::pin(self.receive_file(path, placement, form)).await,
            Task::List(order) => Box::pin(self.send_list(order, form)).await,
            Task::Digest { path, algorithm, from, length } => {
                Box::pin(self.digest(path, algorithm, from, length)).await
            }
        };
        self.say(Input::Ended(ending)).await;
    }

    async fn send_list(&mut self, order: ListOrder, form: Form) -> Ending {
        let asked = order.asked.as_deref().unwrap_or_default();
        let path = order.folder.join(asked).unwrap_or_else(|_| order.folder.clone());
        match Lister::open(Arc::clone(&self.store), order).await {
            Ok(lister) => self.send(path, None, Body::Source(Box::new(lister)), form).await,
            Err(failure) => self.no_file(failure).await,
        }
    }

    /// The session is told; one that is gone needs nothing any more.
    async fn say(&self, news: Input) {
        let _ = self.news.send(News::Happened(news)).await;
    }

    /// The session is told what was seen of the road.
    async fn tell_of(&self, seen: Option<Sightings>) {
        if let Some(mut seen) = seen {
            if let Some(counted) = &self.counted {
                tell_packets(&mut seen, counted);
            }
            self.say(Input::Saw(Box::new(seen))).await;
        }
    }

    /// Hands the data connection back, open, where the form of the file told its end.
    async fn keep_open(&self, wire: DataStream) {
        let _ = self.news.send(News::Kept(wire)).await;
    }

    /// The file cannot be had; a data connection that is open is not the file's.
    async fn no_file(&mut self, failure: Failure) -> Ending {
        match std::mem::replace(&mut self.road, Road::None) {
            Road::Open(wire) => self.keep_open(wire).await,
            mut road if self.watched => self.tell_of(road.sightings(None)).await,
            _ => {}
        }
        Ending::NoFile(failure)
    }

    async fn send_file(&mut self, path: FtpPath, from: u64, length: Option<u64>, form: Form) -> Ending {
        match self.store.read(&path, from, length).await {
            Ok(reading) => self.send(path, Some(reading.size), reading.body, form).await,
            Err(e) => self.no_file(noted(&path, &e)).await,
        }
    }

    async fn send(&mut self, path: FtpPath, size: Option<u64>, body: Body, form: Form) -> Ending {
        self.say(Input::Ready { path: path.clone(), size }).await;
        let mut wire = match self.link().await {
            Ok(wire) => wire,
            Err(ending) => return ending,
        };
        let stall = self.limits.limits.stall;
        let carried = async {
            let bytes = twoport_pipe::send(body, &mut wire, form, stall, &self.progress).await?;
            if form.framing != Framing::Block {
                let as_they_are = form.recode == Recode::None && form.framing == Framing::Stream;
                let ended = wire.finish(bytes, as_they_are, stall).await;
                ended.map_err(|source| Cut { side: Side::Wire, moved: bytes, source })?;
            }
            Ok(bytes)
        };
        let carried = tokio::select! {
            biased;
            _ = &mut self.stopped => None,
            carried = carried => Some(carried),
        };
        match carried {
            None => {
                if self.watched {
                    // Who stops what stands still may want to know why it did.
                    let unacknowledged = wire.send_queue().and_then(|queue| queue.unacknowledged());
                    self.tell_of(Some(Sightings { unacknowledged, ..Sightings::default() })).await;
                }
                self.stopped_ending()
            }
            Some(Ok(bytes)) => {
                if form.framing == Framing::Block {
                    self.keep_open(wire).await;
                }
                Ending::Whole { bytes }
            }
            Some(Err(cut)) => {
                let stall = || wire.send_queue().map_or(Stall::Unknown, |queue| queue.stall());
                self.cut_ending(&path, cut, stall)
            }
        }
    }

    async fn receive_file(&mut self, path: FtpPath, placement: Placement, form: Form) -> Ending {
        let mut upload = match self.store.write(&path, placement).await {
            Ok(upload) => upload,
            Err(e) => return self.no_file(noted(&path, &e)).await,
        };
        let path = upload.path.clone();
        self.say(Input::Ready { path: path.clone(), size: None }).await;
        let ending = match self.link().await {
            Err(ending) => ending,
            Ok(mut wire) => {
                let stall = self.limits.limits.stall;
                let moved = tokio::select! {
                    biased;
                    _ = &mut self.stopped => None,
                    moved = twoport_pipe::receive(&mut wire, &mut upload.sink, form, stall, &self.progress) => Some(moved),
                };
                match moved {
                    None => self.stopped_ending(),
                    Some(Err(cut)) => self.cut_ending(&path, cut, || Stall::Silent),
                    Some(Ok(bytes)) if self.may_keep().await => {
                        if wire.is_secure() && form.framing != Framing::Block {
                            // Its end is answered by ours; a client that has gone meanwhile has said all.
                            let _ = wire.half_close().await;
                        }
                        let kept = upload.commit.commit(upload.sink).await;
                        if form.framing == Framing::Block {
                            self.keep_open(wire).await;
                        }
                        return match kept {
                            Ok(()) => Ending::Whole { bytes },
                            Err(e) => Ending::FileFailed { bytes, failure: noted(&path, &e) },
                        };
                    }
                    Some(Ok(_)) => self.stopped_ending(),
                }
            }
        };
        if let Err(e) = upload.commit.cut(upload.sink).await {
            noted(&path, &e);
        }
        ending
    }

    /// All bytes of an upload are there: may it be kept? The session looks at what its client said meanwhile.
    async fn may_keep(&mut self) -> bool {
        self.say(Input::Received).await;
        match self.kept.take() {
            Some(kept) => tokio::select! {
                biased;
                kept = kept => kept.is_ok(),
                _ = &mut self.stopped => false,
            },
            None => false,
        }
    }

    async fn digest(
        &mut self,
        path: FtpPath,
        algorithm: Algorithm,
        from: u64,
        length: Option<u64>,
    ) -> Ending {
        let reading = match self.store.read(&path, from, length).await {
            Ok(reading) => reading,
            Err(e) => return Ending::NoFile(noted(&path, &e)),
        };
        self.say(Input::Ready { path: path.clone(), size: Some(reading.size) }).await;
        let hash = tokio::select! {
            biased;
            _ = &mut self.stopped => return self.stopped_ending(),
            hash = twoport_pipe::digest(reading.body, algorithm, &self.progress) => hash,
        };
        match hash {
            Ok(hash) => {
                let hash = hash.iter().map(|byte| format!("{byte:02x}")).collect();
                Ending::Digest { hash, range: (from, from + self.progress.moved()) }
            }
            Err(e) => Ending::FileFailed { bytes: self.progress.moved(), failure: noted(&path, &e.into()) },
        }
    }

    /// The data connection, or how the transfer ends without one.
    async fn link(&mut self) -> Result<DataStream, Ending> {
        let patience = self.limits.limits.link;
        let mut road = std::mem::replace(&mut self.road, Road::None);
        let opened = tokio::select! {
            biased;
            _ = &mut self.stopped => None,
            opened = road.open(patience) => Some(opened),
        };
        let seen = if self.watched { road.sightings(opened.as_ref()) } else { None };
        self.tell_of(seen).await;
        // A passive port goes back as soon as the client is there: an open connection needs no listener.
        drop(road);
        let Some(linked) = opened else { return Err(self.stopped_ending()) };
        match linked {
            // curl has begun TLS already. It spends a ticket with each transfer, and reads new ones just before it closes: they
            // must be there before it is told to send.
            Ok(wire) if self.protection.is_some() && !wire.is_secure() && wire.has_begun() => {
                let wire = self.protect(wire, true).await?;
                self.say(Input::Linked).await;
                Ok(wire)
            }
            Ok(wire) => {
                self.say(Input::Linked).await;
                self.protect(wire, false).await
            }
            Err(fault) => Err(Ending::NoLink(fault)),
        }
    }

    /// TLS comes behind 150 (RFC 4217 §10.2), unless the client was `early`. A connection that was left open is in it already.
    async fn protect(&mut self, wire: DataStream, early: bool) -> Result<DataStream, Ending> {
        let Some(protection) = self.protection.take().filter(|_| !wire.is_secure()) else { return Ok(wire) };
        let patience = self.limits.limits.handshake;
        let secured = tokio::select! {
            biased;
            _ = &mut self.stopped => return Err(self.stopped_ending()),
            secured = Box::pin(protection.put_on(wire, early, patience)) => secured,
        };
        secured.map_err(Ending::NoLink)
    }

    fn stopped_ending(&self) -> Ending {
        Ending::Stopped { bytes: self.progress.moved() }
    }

    /// What broke on the network.
    fn wire_fault(&self, e: &io::Error, stall: impl FnOnce() -> Stall) -> LinkFault {
        match e.kind() {
            io::ErrorKind::TimedOut => LinkFault::Stalled { after: self.limits.limits.stall, stall: stall() },
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => LinkFault::Reset,
            io::ErrorKind::UnexpectedEof => LinkFault::CutShort,
            _ => LinkFault::Other { to: None, text: e.to_string() },
        }
    }

    /// `stall`: why, if nothing moved; the system is asked only then.
    fn cut_ending(&self, path: &FtpPath, cut: Cut, stall: impl FnOnce() -> Stall) -> Ending {
        let bytes = cut.moved;
        match cut.side {
            Side::Wire => Ending::LinkBroke { bytes, fault: self.wire_fault(&cut.source, stall) },
            Side::File => Ending::FileFailed { bytes, failure: noted(path, &Error::from(cut.source)) },
        }
    }
}

/// What TYPE, STRU and MODE make of the bytes.
fn form(order: &TransferOrder) -> Form {
    let recode = match (order.ascii, order.records) {
        (false, false) => Recode::None,
        (true, false) => Recode::Ascii,
        (false, true) => Recode::Record,
        (true, true) => Recode::AsciiRecord,
    };
    let framing = match order.mode {
        Mode::Block => Framing::Block,
        Mode::Deflate => Framing::Deflate,
        // The machine does not take MODE C.
        Mode::Stream | Mode::Compressed => Framing::Stream,
    };
    Form { recode, framing }
}

/// The failure, with what the system said in the log where that says more.
pub(crate) fn noted(path: &FtpPath, e: &Error) -> Failure {
    if e.source.is_some() && matches!(e.failure, Failure::Io | Failure::Full | Failure::Unsupported) {
        tracing::warn!("{path}: {e}");
    }
    e.failure
}
