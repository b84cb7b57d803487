//! `Server`: listens, counts, refuses what is too many, begins sessions, and drains when it is told to stop.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::JoinSet;
use twoport_net::proxy_protocol::{By, Met, Reception};
use twoport_net::tls::Identities;
use twoport_net::{ControlStream, bind_control};
use twoport_plan::ports::Gauge;

use crate::certificates::{self, Known, Source};
use crate::crew::{Crew, One};
use crate::error::StartError;
use crate::session::Session;
use crate::settings::{Listener, Settings};
use crate::shared::{Secure, Shared};
use crate::stop::told_to_stop;

/// A server that is bound and not yet running.
pub struct Server {
    listeners: Vec<(TcpListener, Listener)>,
    crew: Crew,
    warden: Warden,
    max_sessions: usize,
    drain: Duration,
}

/// A handle on a running server: gives it new settings.
#[derive(Clone)]
pub struct Warden {
    current: Arc<Mutex<Arc<Shared>>>,
    /// Wakes whoever keeps the certificates.
    changed: Arc<Notify>,
}

impl Warden {
    fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.current.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// New sessions take `settings`; those that are there keep theirs. Listeners stay as they are.
    ///
    /// # Errors
    /// When a folder cannot be opened; the settings before stay in force.
    pub fn reload(&self, settings: &Settings) -> Result<(), StartError> {
        let shared = Shared::new(settings, Some(&self.shared()))?;
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(shared);
        self.changed.notify_one();
        Ok(())
    }

    /// What the certificates say that new sessions are shown.
    #[must_use]
    pub fn certificates(&self) -> Vec<Known> {
        let shared = self.shared();
        let known = |secure: &Secure| certificates::known(&secure.identities, &secure.sources);
        shared.secure.as_ref().map_or(Vec::new(), known)
    }

    /// Where the certificates come from, and where they are put.
    pub(crate) fn certificate_sources(&self) -> Option<(Vec<Source>, Identities)> {
        let shared = self.shared();
        shared.secure.as_ref().map(|secure| (secure.sources.clone(), secure.identities.clone()))
    }

    /// How full the pool of passive ports is now.
    #[must_use]
    pub fn passive_ports(&self) -> Gauge {
        self.shared().ports.gauge()
    }

    /// How often each thing went wrong with data connections, by the names of [`LinkFault::name`](twoport_plan::LinkFault::name).
    #[must_use]
    pub fn faults(&self) -> Vec<(&'static str, u64)> {
        self.shared().tally.counts()
    }
}

/// Lets this process open as many files as the system allows it: a session may hold four descriptors, and the usual
/// soft limit of 1024 is soon spent. What cannot be raised stays.
pub fn raise_descriptor_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(e) = setrlimit(Resource::Nofile, limit) {
        tracing::debug!("the limit of open files stays as it is: {e}");
    }
}

impl Server {
    /// Binds every address and opens every folder, so that whatever can fail fails now.
    ///
    /// # Errors
    /// When an address or a folder cannot be had.
    pub fn bind(settings: &Settings) -> Result<Server, StartError> {
        let shared = Shared::new(settings, None)?;
        let listeners = settings
            .listen
            .iter()
            .map(|listener| match bind_control(listener.address) {
                Ok(bound) => Ok((bound, *listener)),
                Err(source) => Err(StartError::Listen { address: listener.address, source }),
            })
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Server {
            listeners,
            crew: Crew::hire(settings.threads).map_err(|source| StartError::Threads { source })?,
            warden: Warden { current: Arc::new(Mutex::new(Arc::new(shared))), changed: Arc::default() },
            max_sessions: settings.max_sessions,
            drain: settings.drain,
        })
    }

    /// The addresses that it listens on, with the ports that the system chose where 0 was asked for.
    #[must_use]
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.listeners.iter().filter_map(|(listener, _)| listener.local_addr().ok()).collect()
    }

    /// A handle that stays when the server runs.
    #[must_use]
    pub fn warden(&self) -> Warden {
        self.warden.clone()
    }

    /// Serves until `shutdown` is done; then nothing new begins, transfers may finish within the drain time, and what
    /// is left is closed.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let (stop, stopping) = watch::channel(false);
        let room = Arc::new(Semaphore::new(self.max_sessions));
        let crew = Arc::new(self.crew);
        let mut doors = JoinSet::new();
        for (place, (bound, listener)) in self.listeners.into_iter().enumerate() {
            let place = Place { listener, place, most: self.max_sessions };
            let hall = (Arc::clone(&room), Arc::clone(&crew));
            doors.spawn(serve(bound, place, self.warden.clone(), hall, stopping.clone()));
        }
        let mut keeping = JoinSet::new();
        let (warden, changed) = (self.warden.clone(), Arc::clone(&self.warden.changed));
        keeping.spawn(certificates::keep(move || warden.certificate_sources(), changed));
        drop(stopping);
        shutdown.await;
        tracing::info!(
            "stopping: no new sessions; transfers have {} seconds to finish",
            self.drain.as_secs()
        );
        stop.send_replace(true);
        // Each door and each session holds a receiver until its end.
        if tokio::time::timeout(self.drain, stop.closed()).await.is_err() {
            tracing::warn!("transfers that did not finish in time are cut");
        }
        doors.shutdown().await;
        // The last one lets the threads go; the sessions that are left go with them.
        drop(crew);
    }
}

/// A listener among those of the settings.
#[derive(Clone, Copy)]
struct Place {
    /// As it was bound.
    listener: Listener,
    place: usize,
    /// Sessions at once, on all listeners.
    most: usize,
}

impl Place {
    /// What the settings of today say of it: its TLS may have changed since it was bound. One that is not among them any more
    /// stays as it was.
    fn today(self, shared: &Shared) -> Listener {
        let mut same = shared.listeners.iter().enumerate();
        let found = same.find(|(place, listener)| {
            listener.address == self.listener.address
                && (*place == self.place || self.listener.address.port() != 0)
        });
        found.map_or(self.listener, |(_, listener)| *listener)
    }
}

/// One listener: accepts until the server stops.
async fn serve(
    listener: TcpListener,
    place: Place,
    warden: Warden,
    (room, crew): (Arc<Semaphore>, Arc<Crew>),
    mut stopping: watch::Receiver<bool>,
) {
    let for_sessions = stopping.clone();
    let mut reception = Reception::default();
    let is_trusted = |from| {
        let shared = warden.shared();
        shared.balancers.trusts(from) && place.today(&shared).headers
    };
    loop {
        tokio::select! {
            biased;
            () = told_to_stop(&mut stopping) => break,
            accepted = reception.next(&listener, is_trusted) => match accepted {
                Ok(Ok(met)) => match Arc::clone(&room).try_acquire_owned() {
                    Ok(seat) => {
                        let (shared, stopping) = (warden.shared(), for_sessions.clone());
                        let today = place.today(&shared);
                        crew.take_on(|one| async move {
                            if let Some(session) = Box::pin(begin(met, today, shared, one)).await {
                                Box::pin(session.run(stopping)).await;
                            }
                            drop(seat);
                        });
                    }
                    Err(_) => refuse(&met, place.most),
                },
                Ok(Err(turned_away)) => {
                    warden.shared().balancers.turned_away(&turned_away, "the control port");
                }
                // Too many open files, most of all: those that are there go on, and room comes with the next close.
                Err(e) if e.kind() != io::ErrorKind::ConnectionAborted => {
                    tracing::error!("cannot accept a connection: {e}");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                Err(_) => {}
            },
        }
    }
}

/// A session with whoever was met. It is in a box, as all that is needed once and not while it waits: most sessions wait.
async fn begin(met: Met, listener: Listener, shared: Arc<Shared>, one: One) -> Option<Box<Session>> {
    let Met { stream, peer, local, by } = met;
    // It came to another thread's runtime.
    let stream = stream.into_std().and_then(TcpStream::from_std).ok()?;
    if by == By::Balancer
        && listener.door.implicit
        && Box::pin(is_a_look(&stream, shared.session.limits.handshake)).await
    {
        tracing::debug!("a connection from {peer} was closed without a byte");
        return None;
    }
    match ControlStream::new(stream, shared.session.limits.line, shared.keepalive) {
        Ok(control) => Session::new(control, peer, (local, by), listener, shared, one).map(Box::new),
        Err(e) => {
            tracing::debug!("a connection was gone before it began: {e}");
            None
        }
    }
}

/// Whether a connection that must begin with TLS ends before its first byte: then it was no handshake that failed.
async fn is_a_look(stream: &TcpStream, patience: Duration) -> bool {
    let mut byte = [0; 1];
    let first = tokio::time::timeout(patience, stream.peek(&mut byte)).await;
    matches!(first, Ok(Ok(0) | Err(_)))
}

/// 421 to somebody for whom there is no room. Nobody waits for it to arrive.
fn refuse(met: &Met, most: usize) {
    match met.by {
        By::Check => tracing::debug!("too many sessions; the balancer {} was told so", met.peer),
        By::Itself | By::Balancer => {
            tracing::warn!("too many sessions; a connection from {} was refused", met.peer.ip());
        }
    }
    let text = format!(
        "421 Too many sessions: all {most} are taken. Come back later; max-sessions allows more.\r\n"
    );
    let _ = met.stream.try_write(text.as_bytes());
}
