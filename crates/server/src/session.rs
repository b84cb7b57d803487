//! One task per session: it feeds the machine what happened and does what the machine says. No rule of FTP lives here.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Sleep, sleep_until};
use twoport_net::control::{Arrived, ControlStream};
use twoport_net::{DataListener, DataStream, Source};
use twoport_plan::LinkFault;
use twoport_proto::Reply;
use twoport_session::ServerSession;
use twoport_session::server::Ends;
use twoport_session::server::io::{Input, Link, LinkId, Listening, Output, TransferOrder};
use twoport_store::Store;

use crate::files;
use crate::journal::Journal;
use crate::server::told_to_stop;
use crate::settings::Active;
use crate::shared::Shared;
use crate::transfer::{Job, News, Road};

/// How long a peer may leave our replies untaken.
const REPLY_PATIENCE: Duration = Duration::from_secs(60);

/// Replies that are gathered before they are sent, in bytes, while more commands are at hand.
const GATHER: usize = 16 * 1024;

/// News of one transfer that wait for the session: it has five things to say at most.
const NEWS: usize = 8;

/// The driver of one session.
pub(crate) struct Session {
    shared: Arc<Shared>,
    control: ControlStream,
    machine: ServerSession,
    journal: Journal,
    ends: Ends,
    /// Our end with its scope and port, where listeners and connections of ours are bound.
    local: SocketAddr,
    store: Option<Arc<dyn Store>>,
    listener: Option<(LinkId, DataListener)>,
    /// The data connection that a transfer has left open.
    open: Option<(LinkId, DataStream)>,
    links: u64,
    running: Option<Running>,
    news: mpsc::Receiver<News>,
    tell: mpsc::Sender<News>,
    /// Whether the peer's half of the control connection is still open.
    reading: bool,
}

/// The transfer beside the session.
struct Running {
    progress: twoport_pipe::Progress,
    stop: Option<oneshot::Sender<()>>,
    keep: Option<oneshot::Sender<()>>,
}

impl Session {
    /// A session over `control`; none when the peer has gone already.
    pub(crate) fn new(control: ControlStream, shared: Arc<Shared>) -> Option<Session> {
        let local = control.local().ok()?;
        let ends = Ends { peer: control.peer().ok()?.ip(), local: local.ip() };
        let machine = ServerSession::new(Arc::clone(&shared.session), ends, Instant::now());
        let (tell, news) = mpsc::channel(NEWS);
        Some(Session {
            shared,
            control,
            machine,
            journal: Journal::open(ends.peer),
            ends,
            local,
            store: None,
            listener: None,
            open: None,
            links: 0,
            running: None,
            news,
            tell,
            reading: true,
        })
    }

    /// Runs until the end of the session.
    pub(crate) async fn run(mut self, mut stopping: watch::Receiver<bool>) {
        let mut draining = false;
        let alarm = sleep_until(Instant::now().into());
        tokio::pin!(alarm);
        loop {
            if self.obey().await.is_err() {
                self.reading = false;
                self.handle(Input::Closed);
                if self.obey().await.is_err() && self.machine.is_closed() {
                    break;
                }
            }
            if self.machine.is_closed() && self.running.is_none() {
                break;
            }
            if self.machine.wants_lines() && self.take_line() {
                continue;
            }
            if self.control.flush(REPLY_PATIENCE).await.is_err() {
                self.hang_up();
                continue;
            }
            let due = self.machine.poll_timeout();
            set(&mut alarm, due);
            let reading = self.reading && self.machine.wants_lines();
            tokio::select! {
                biased;
                Some(news) = self.news.recv() => self.hear(news),
                arrived = self.control.read(), if reading => match arrived {
                    Ok(true) => {}
                    Ok(false) | Err(_) => self.hang_up(),
                },
                () = &mut alarm, if due.is_some() => self.handle(Input::Deadline),
                () = told_to_stop(&mut stopping), if !draining => {
                    draining = true;
                    self.handle(Input::Shutdown);
                }
            }
        }
        self.control.close(REPLY_PATIENCE).await;
    }

    fn handle(&mut self, input: Input) {
        self.machine.handle(Instant::now(), input);
    }

    /// The peer's side is closed, or broken.
    fn hang_up(&mut self) {
        if std::mem::take(&mut self.reading) {
            self.handle(Input::Closed);
        }
    }

    /// Hands the next line in, if one has arrived.
    fn take_line(&mut self) -> bool {
        match self.control.next_line() {
            Some(line) => {
                self.handle(Input::Line(line));
                true
            }
            None => false,
        }
    }

    /// News of the transfer. Before an upload is called whole, what the peer has said until now is heard: an ABOR, or
    /// the end of a client that died.
    fn hear(&mut self, news: News) {
        let news = match news {
            News::Happened(input) => input,
            News::Kept(wire) => {
                let id = self.next_link();
                self.open = Some((id, wire));
                Input::Kept(id)
            }
        };
        match news {
            Input::Received => {
                while self.reading {
                    while self.machine.wants_lines() && self.take_line() {}
                    match self.control.read_now() {
                        Ok(Arrived::Bytes) if self.machine.wants_lines() => {}
                        Ok(Arrived::Bytes | Arrived::Nothing) => break,
                        Ok(Arrived::End) | Err(_) => self.hang_up(),
                    }
                }
            }
            Input::Ended(_) => self.running = None,
            _ => {}
        }
        self.handle(news);
    }

    /// Does what the machine says until it says nothing more.
    async fn obey(&mut self) -> io::Result<()> {
        while let Some(output) = self.machine.poll() {
            match output {
                Output::Say(reply) => self.say(&reply).await?,
                Output::Tell(event) => self.journal.write(event),
                Output::Check { name, secret } => {
                    let login = self.shared.login(&name, &secret);
                    let grant = login.map(|(grant, store)| {
                        self.store = Some(store);
                        grant
                    });
                    self.handle(Input::Checked(grant));
                }
                Output::Files(operation) => {
                    let store = self.store.as_ref().expect("files are asked for after a login only");
                    let answer = files::carry_out(store, operation).await;
                    self.handle(Input::Filed(answer));
                }
                Output::Listen => {
                    let answer = self.listen();
                    self.handle(Input::Listening(answer));
                }
                Output::Forget(id) => {
                    self.listener.take_if(|(held, _)| *held == id);
                    self.open.take_if(|(held, _)| *held == id);
                }
                Output::Begin(order) => self.begin(*order),
                Output::Keep => fire(self.running.as_mut().and_then(|running| running.keep.take())),
                Output::Stop => fire(self.running.as_mut().and_then(|running| running.stop.take())),
                Output::Measure => {
                    let moved = self.running.as_ref().map_or(0, |running| running.progress.moved());
                    self.handle(Input::Measured(moved));
                }
                // The loop sees it; a transfer that was told to stop is waited for first.
                Output::Close => {}
            }
        }
        Ok(())
    }

    async fn say(&mut self, reply: &Reply) -> io::Result<()> {
        self.control.say(reply);
        if self.control.waiting() > GATHER { self.control.flush(REPLY_PATIENCE).await } else { Ok(()) }
    }

    fn listen(&mut self) -> Result<Listening, LinkFault> {
        let listener = self.shared.ports.listen(self.local)?;
        let (id, port) = (self.next_link(), listener.port());
        self.listener = Some((id, listener));
        Ok(Listening { id, port })
    }

    fn next_link(&mut self) -> LinkId {
        self.links += 1;
        LinkId(self.links)
    }

    fn begin(&mut self, order: TransferOrder) {
        let road = match order.link {
            Link::Passive(id) => {
                let held = self.listener.take_if(|(held, _)| *held == id);
                let (_, listener) =
                    held.expect("the machine orders transfers over the listener that it was given");
                Road::Passive { listener, peer: self.ends.peer, session: self.journal.number() }
            }
            Link::Active(target) => Road::Active { target, source: self.source() },
            Link::Open(id) => {
                let held = self.open.take_if(|(held, _)| *held == id);
                let (_, wire) = held.expect("the machine orders transfers over the link that was left open");
                Road::Open(wire)
            }
            Link::None => Road::None,
        };
        let (stop, stopped) = oneshot::channel();
        let (keep, kept) = oneshot::channel();
        let progress = twoport_pipe::Progress::default();
        let job = Job {
            store: Arc::clone(self.store.as_ref().expect("transfers are ordered after a login only")),
            road,
            limits: Arc::clone(&self.shared.session),
            progress: progress.clone(),
            news: self.tell.clone(),
            stopped,
            kept: Some(kept),
        };
        self.running = Some(Running { progress, stop: Some(stop), keep: Some(keep) });
        tokio::spawn(job.carry_out(order));
    }

    fn source(&self) -> Source {
        match self.shared.active {
            Active::Port20 => Source::Port(self.local, 20),
            Active::On | Active::Off => Source::Any(self.local),
        }
    }
}

/// Sends the word, if it was not sent before; whoever has gone does not need it.
fn fire(word: Option<oneshot::Sender<()>>) {
    if let Some(word) = word {
        let _ = word.send(());
    }
}

/// Sets the alarm for the machine's next deadline. An alarm that rings too early is put on again; only an earlier
/// deadline needs a new one, so that a busy session does not touch the timer with every command.
fn set(alarm: &mut std::pin::Pin<&mut Sleep>, due: Option<Instant>) {
    if let Some(due) = due
        && (alarm.deadline().into_std() > due || alarm.is_elapsed())
    {
        alarm.as_mut().reset(due.into());
    }
}
