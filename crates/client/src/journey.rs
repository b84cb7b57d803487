//! `Journey`: one piece of work carried through to its end over as many sessions as it takes. A session that a box on the
//! way has killed is followed by another that does something else; a transfer that was cut goes on where it was.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use twoport_net::tls::Versions;
use twoport_proto::modes::Mode;
use twoport_session::client::io::{Flights, Rung};

use crate::client::{Client, Options, has_family};
use crate::drive::{Listener, Notice};
use crate::error::Error;
use crate::family::Family;
use crate::features::Features;
use crate::memory::{Key, Memory, Verdict, Way};
use crate::security::Security;
use crate::url::{Login, Url};

/// How often a piece of work that came no further is tried again, unless its owner says otherwise.
pub const RETRIES: u32 = 3;

/// What a link that swallows full segments is given instead: the smallest that every IPv6 road carries, less headers.
pub(crate) const SMALL_SEGMENTS: u16 = 1200;

/// How long a piece of work may go on without a byte, for each of the sessions that it may take.
const HOPE: Duration = Duration::from_millis(4500);

/// How long, in seconds, a server's word on how many sessions it takes is remembered.
const A_DAY: u64 = 86_400;

/// The longest pause between two sessions, when so many are wanted that the server needs one.
const PAUSE: Duration = Duration::from_secs(30);

/// Where to go, as whom, and what was learned on the way.
pub struct Journey {
    host: String,
    port: u16,
    login: Login,
    options: Options,
    notice: Arc<Mutex<Listener>>,
    client: Option<Client>,
    memory: Option<Remembered>,
    retries: u32,
    /// Whether it is nobody's sibling: then it waits for a server that is busy, and others do without it.
    first: bool,
    /// The rungs as they were wanted at first.
    rungs: Vec<Rung>,
    /// The rungs as far as they were tried over the address family that is not in use now; none when it was not tried.
    elsewhere: Option<Vec<Rung>>,
    known: Arc<Mutex<Known>>,
}

/// What one session learned and all sessions with the server may use.
#[derive(Default)]
struct Known {
    features: Option<Features>,
    flights: Flights,
    /// Whether a flight has been seen to arrive.
    flown: bool,
    /// MODE as it was agreed on, and whether something went well in it.
    mode: Option<(Mode, bool)>,
    /// Sessions that the server takes from us at once.
    connections: Option<u16>,
    /// How TLS is wanted, once a session has found out what the server has.
    security: Option<Security>,
    /// The largest segment, where a session found out that larger ones vanish.
    mss: Option<u16>,
    /// What stands in the memory file, as far as this program wrote it.
    written: Option<Written>,
}

/// What is worth writing down: the rung, whether flights arrive, small segments, sessions, TLS held at 1.2.
type Written = (Option<Rung>, Option<bool>, Option<u16>, Option<u16>, bool);

/// What worked last time is kept there, under this key.
#[derive(Clone)]
struct Remembered {
    path: PathBuf,
    key: Key,
}

impl Journey {
    /// A journey that has not begun.
    #[must_use]
    pub fn new(host: &str, port: u16, login: Login, options: Options, notice: Listener) -> Self {
        let notice = Arc::new(Mutex::new(notice));
        Journey {
            host: host.to_owned(),
            port,
            login,
            first: true,
            rungs: options.rungs.clone(),
            elsewhere: None,
            options,
            notice,
            client: None,
            memory: None,
            retries: RETRIES,
            known: Arc::default(),
        }
    }

    /// A journey to the server that `url` names, as its user or as anonymous.
    ///
    /// # Errors
    /// None so far.
    pub fn to(url: &Url, options: Options, notice: Listener) -> Result<Self, Error> {
        let options = options.for_scheme(url.scheme);
        Ok(Journey::new(&url.host, url.port, url.login(), options, notice))
    }

    /// Another one to the same server, for a session beside this one. What either learns is known to both.
    #[must_use]
    pub fn sibling(&self) -> Journey {
        Journey {
            host: self.host.clone(),
            port: self.port,
            login: self.login.clone(),
            options: self.options.clone(),
            notice: Arc::clone(&self.notice),
            client: None,
            memory: self.memory.clone(),
            retries: self.retries,
            first: false,
            rungs: self.rungs.clone(),
            elsewhere: self.elsewhere.clone(),
            known: Arc::clone(&self.known),
        }
    }

    /// Another one that takes this one's session along.
    #[must_use]
    pub fn hand_over(&mut self) -> Journey {
        Journey { client: self.client.take(), ..self.sibling() }
    }

    /// The session that there is, if there is one.
    pub fn client(&mut self) -> Option<&mut Client> {
        self.client.as_mut()
    }

    /// Sees to it that there is a session.
    ///
    /// # Errors
    /// When none can be had now.
    pub async fn ready(&mut self) -> Result<(), Error> {
        self.client = Some(self.session().await?);
        Ok(())
    }

    /// Gives the session up without a word: what it owes is not waited for.
    pub fn abandon(&mut self) {
        self.client = None;
    }

    /// Gives the session up when so many transfers were asked for ahead that nobody will take: it is out of step with us.
    pub(crate) fn abandon_if_ahead(&mut self, left: usize) {
        if left > 0 && self.client.as_ref().is_some_and(Client::keeps_link) {
            self.abandon();
        }
    }

    /// Sessions that the server takes from us at once, as far as it has said so.
    #[must_use]
    pub fn connections(&self) -> Option<u16> {
        self.known().connections
    }

    /// The server takes no more sessions from us than these at once.
    pub fn takes_at_most(&self, connections: u16) {
        self.known().connections = Some(connections.max(1));
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How often a piece of work that came no further is tried again in a new session; [`RETRIES`] when nobody says.
    pub fn retry(&mut self, retries: u32) {
        self.retries = retries;
    }

    /// How bytes are to be carried, where the server offers it: MODE B for many files, MODE Z for compressed ones.
    pub fn carry_by(&mut self, mode: Mode) {
        self.options.mode = mode;
    }

    /// Many files will be moved: in MODE B where the server offers it, with commands in one flight where it bears that.
    pub fn carry_many(&mut self) {
        self.options.many = true;
        if self.options.mode == Mode::Stream {
            self.options.mode = Mode::Block;
        }
    }

    /// Begins with what worked with this server on this network last time, and keeps what works this time, in the file
    /// at `path`. A file that cannot be read or written is done without.
    pub fn remember(&mut self, path: PathBuf) {
        let network: Vec<String> = twoport_net::own_addresses().iter().map(ToString::to_string).collect();
        let key = Key::new(&self.host, self.port, &network.join(" "));
        if let Some(verdict) = Memory::load(&path).get(&key) {
            self.begin_with(rung_of(verdict.way));
            self.options.mss = self.options.mss.or(verdict.mss);
            if verdict.tls12 {
                self.options.security.versions = Versions::Only12;
            }
            let mut known = self.known();
            // Who is busy today has room tomorrow.
            let age = now_seconds().saturating_sub(verdict.time);
            known.connections = verdict.connections.filter(|_| age < A_DAY);
            known.flights = match verdict.pipelining {
                None => Flights::Later,
                Some(true) => Flights::Now,
                Some(false) => Flights::Never,
            };
        }
        self.memory = Some(Remembered { path, key });
    }

    /// Whether TLS is held at 1.2, whose sessions can be resumed as often as one likes.
    fn holds_tls(&self) -> bool {
        self.options.security.versions == Versions::Only12
    }

    fn begin_with(&mut self, rung: Rung) {
        if let Some(place) = self.options.rungs.iter().position(|known| *known == rung) {
            self.options.rungs.rotate_left(place);
        }
    }

    /// Writes down what has worked, where that is not what is tried first anyway, and forgets what has not.
    fn write_down(&self, worked: Option<Rung>) {
        let Some(Remembered { path, key }) = &self.memory else { return };
        let (pipelining, connections, mss) = {
            let mut known = self.known();
            let mss = self.options.mss.or(known.mss);
            let pipelining = match known.flights {
                Flights::Never => Some(false),
                Flights::Now if known.flown => Some(true),
                _ => None,
            };
            let what = (worked, pipelining, mss, known.connections, self.holds_tls());
            // A thousand files tell nothing that the first has not told.
            if known.written.replace(what) == Some(what) {
                return;
            }
            (pipelining, known.connections, mss)
        };
        let more = mss.is_some() || pipelining.is_some() || connections.is_some() || self.holds_tls();
        let mut memory = Memory::load(path);
        match worked.map(way_of) {
            Some(way) if way != Way::Epsv || more => {
                let verdict = Verdict {
                    way,
                    pipelining,
                    mss,
                    tls12: self.holds_tls(),
                    connections,
                    time: now_seconds(),
                };
                memory.put(key.clone(), verdict);
            }
            _ if memory.get(key).is_some() => memory.forget(key),
            _ => {}
        }
        if memory.is_changed() {
            // The next run finds the road by itself, as this one did.
            let _ = memory.save();
        }
    }

    /// Does `work` in a session, and again in another one where that can help. `further` tells how far it has come, in
    /// any unit that grows: as long as it grows, nothing is given up.
    ///
    /// # Errors
    /// The last session's, when another one could not help or did not.
    pub async fn run<T>(
        &mut self,
        further: impl Fn() -> u64,
        mut work: impl AsyncFnMut(&mut Client) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let (mut fruitless, mut since, mut before) = (0, Instant::now(), further());
        let mut met = self.client.is_some();
        let mut held = self.holds_tls();
        loop {
            let mut untried = false;
            let error = match self.session().await {
                // Nobody was ever met there: asking again tells nothing new.
                Err(e) if !(met || (self.first && is_busy(&e))) => return Err(e),
                Ok(mut client) => match work(&mut client).await {
                    Ok(done) => {
                        self.absorb(&client, Some(true));
                        self.write_down(client.rung());
                        self.client = Some(client);
                        return Ok(done);
                    }
                    Err(e) => {
                        met = true;
                        self.absorb(&client, Some(matches!(e, Error::Refused { .. })));
                        self.learn(&e, client.rung(), further() > before);
                        untried = self.change_family(&e, Family::of(&client.server())).await;
                        // A session that said no in order can still be used for something else.
                        if matches!(e, Error::Refused { .. } | Error::NotUnderstood(_)) && !may_help(&e) {
                            self.client = Some(client);
                        }
                        e
                    }
                },
                Err(e) => e,
            };
            if further() > before {
                (fruitless, since, before) = (0, Instant::now(), further());
            } else {
                fruitless += 1;
            }
            let hope = HOPE.saturating_mul(self.retries.saturating_add(1));
            // With TLS 1.2 there is always something to resume by, and then it must be something else.
            let spent = matches!(error, Error::NotResumed(_)) && std::mem::replace(&mut held, true);
            if spent || !(may_help(&error) || untried) || fruitless > self.retries || since.elapsed() >= hope
            {
                if matches!(error, Error::Unreachable { .. }) {
                    self.write_down(None);
                }
                return Err(error);
            }
            // The last try is the patient one: what seemed dead may only have been slow.
            if fruitless == self.retries {
                self.options.opening = self.options.timeout;
            }
            let next = match error {
                Error::Unconfirmed { .. } => "looking in a new session",
                Error::NotResumed(_) => "a new session with TLS 1.2, which can resume as often as one likes",
                _ => "trying again in a new session",
            };
            self.tell(format!("{}; {next}", first_line(&error)));
            let pause = if is_busy(&error) { busy_pause(fruitless) } else { pause(fruitless) };
            tokio::time::sleep(pause).await;
            // What we waited of our own accord is not held against the server.
            since += pause;
        }
    }

    /// Says goodbye, if there is anybody to say it to.
    pub async fn end(self) {
        if let Some(client) = self.client {
            client.quit().await;
        }
    }

    async fn session(&mut self) -> Result<Client, Error> {
        if let Some(client) = self.client.take() {
            return Ok(client);
        }
        let client = match self.connect().await {
            Err(e @ Error::ClosedOnFeat) if !self.options.rfc959 => {
                self.options.rfc959 = true;
                self.tell(format!("{e}; only commands of RFC 959 from now on"));
                self.connect().await?
            }
            client => client?,
        };
        self.absorb(&client, None);
        Ok(client)
    }

    async fn connect(&self) -> Result<Client, Error> {
        let notice = Arc::clone(&self.notice);
        let notice: Listener = Box::new(move |heard| {
            let mut notice = notice.lock().unwrap_or_else(PoisonError::into_inner);
            notice(heard);
        });
        let mut options = self.options.clone();
        {
            let known = self.known();
            options.features = known.features.clone();
            options.flights = known.flights;
            if let Some((mode, _)) = known.mode {
                options.mode = mode;
            }
            options.mss = options.mss.or(known.mss);
            if let Some(security) = &known.security {
                options.security = Security { versions: options.security.versions, ..security.clone() };
            }
        }
        Client::connect(&self.host, self.port, self.login.clone(), options, notice).await
    }

    /// What a session knows is known to all; `well` when something was done in it, in order or not.
    fn absorb(&self, client: &Client, well: Option<bool>) {
        let mut known = self.known();
        known.features = Some(client.features().clone());
        known.security = Some(client.security().clone());
        known.mss = known.mss.or(client.mss());
        known.flown |= client.has_flown();
        // Once they were lost they are not tried again.
        if known.flights != Flights::Never {
            known.flights = client.flights();
        }
        let mode = client.mode();
        match (well, known.mode) {
            (None, None) => known.mode = Some((mode, false)),
            (Some(true), Some((agreed, _))) if agreed == mode => known.mode = Some((mode, true)),
            // Agreed on, and then nothing came of it: the next session does without.
            (Some(false), Some((agreed, false))) if agreed == mode => {
                known.mode = Some((Mode::Stream, false))
            }
            _ => {}
        }
    }

    /// What a failure says about the next session: which rung it had better begin with, and how large segments may be.
    fn learn(&mut self, error: &Error, rung: Option<Rung>, came_further: bool) {
        if let Some(rung) = rung {
            self.begin_with(rung);
        }
        if matches!(error, Error::NotResumed(_)) {
            self.options.security.versions = Versions::Only12;
        }
        // The session may have gone with its last rung, and a listing needs no data connection.
        if matches!(error, Error::Unreachable { steps, .. } if !steps.is_empty()) {
            self.options.stat_first = true;
        }
        // Connected, begun, and then nothing at all: large segments are swallowed somewhere.
        if let Error::Short { bytes, .. } = error
            && !came_further
            && *bytes == 0
        {
            match self.options.mss {
                None => self.options.mss = Some(SMALL_SEGMENTS),
                // Nor is it their size: something takes connections that are not its own, or lets nothing through that is in them.
                Some(_) => self.turn_round(),
            }
        }
    }

    /// The server connects where the client did, and the other way round.
    fn turn_round(&mut self) {
        let was = self.options.rungs.first().is_some_and(|rung| rung.is_passive());
        self.options.rungs.sort_by_key(|rung| rung.is_passive() == was);
    }

    /// Where no road carries over one address family, the other one may have one: a tunnel, a firewall or a server that
    /// knows its commands for one family only. True when the other has not been tried.
    async fn change_family(&mut self, error: &Error, used: Family) -> bool {
        let no_road = matches!(error, Error::Unreachable { steps, .. } if !steps.is_empty());
        let other = used.other();
        if !no_road
            || self.options.proxy.is_some()
            || !has_family(&self.host, self.port, other, &self.options).await
        {
            return false;
        }
        let untried = self.elsewhere.is_none();
        let next = self.elsewhere.take().unwrap_or_else(|| self.rungs.clone());
        self.elsewhere = Some(std::mem::replace(&mut self.options.rungs, next));
        self.options.family = Some(other);
        self.tell(format!("no road over {}; the next session goes over {}", used.name(), other.name()));
        untried
    }

    fn tell(&self, why: String) {
        let mut notice = self.notice.lock().unwrap_or_else(PoisonError::into_inner);
        notice(Notice::Stepped(why));
    }
}

fn now_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// How long to leave the server alone before one more session: not at all for those that everybody has, then longer each
/// time.
fn pause(fruitless: u32) -> Duration {
    match fruitless.checked_sub(RETRIES + 1) {
        None => Duration::ZERO,
        Some(more) => Duration::from_secs(1 << more.min(5)).min(PAUSE),
    }
}

/// Whether the server takes no more sessions for the moment.
fn is_busy(error: &Error) -> bool {
    matches!(error, Error::Refused { code: 421, .. })
}

/// How long a server that is busy is left alone: "a few seconds", as they say.
fn busy_pause(fruitless: u32) -> Duration {
    Duration::from_secs(fruitless.max(1).into()).min(PAUSE)
}

fn rung_of(way: Way) -> Rung {
    match way {
        Way::Epsv => Rung::Epsv,
        Way::Pasv | Way::PasvControl => Rung::Pasv,
        Way::Eprt | Way::Port => Rung::Active,
        Way::Mapped => Rung::Mapped,
        Way::Crossing => Rung::Crossing,
    }
}

fn way_of(rung: Rung) -> Way {
    match rung {
        Rung::Epsv => Way::Epsv,
        Rung::Pasv => Way::Pasv,
        Rung::Active => Way::Port,
        Rung::Mapped => Way::Mapped,
        Rung::Crossing => Way::Crossing,
    }
}

/// Whether another session may do what this one did not.
fn may_help(error: &Error) -> bool {
    match error {
        // Busy, closed, out of ports: what passes. Not: a file that is not there, a password that is wrong.
        Error::Refused { code, .. } => matches!(code, 421 | 425 | 426 | 450 | 451),
        Error::Unreachable { steps, .. } => {
            steps.is_empty() || !steps.iter().all(|step| step.contains("refused"))
        }
        Error::NotResumed(_)
        | Error::Short { .. }
        | Error::Unconfirmed { .. }
        | Error::OutOfStep(_)
        | Error::ClosedOnFeat => true,
        Error::BadArgument(_) | Error::NotUnderstood(_) | Error::Insecure(_) | Error::Local { .. } => false,
    }
}

fn first_line(error: &Error) -> String {
    let text = error.to_string();
    text.lines().next().unwrap_or_default().trim_end_matches(':').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_wants_many_sessions_waits_between_them() {
        let pauses: Vec<u64> = (0..12).map(|fruitless| pause(fruitless).as_secs()).collect();
        assert_eq!(pauses, [0, 0, 0, 0, 1, 2, 4, 8, 16, 30, 30, 30]);
    }
}
