//! Which probes run, and in which order: the cheap and harmless first, and what is dear only where something was found.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use tokio::net::{TcpStream, lookup_host};
use tokio::task::JoinSet;
use twoport_client::proxy::Named;
use twoport_client::url::{Login as Credentials, Scheme, Url};
use twoport_client::{Security, Tls};
use twoport_net::proxy::Target;
use twoport_net::tls::Connector;
use twoport_net::{Source, dial, own_addresses};
use twoport_plan::LinkFault;
use twoport_proto::{Request, Verb};

use crate::cell::{Load, OPENING, attempt};
use crate::dialogue::{Clock, Dialogue, Heard, PATIENCE, command};
use crate::evidence::{Cell, Door, Evidence, Flow, Greeting, Leg, Login, Mode, Outcome, Proxied, Said};
use crate::path;

/// Who is ill.
pub struct Patient {
    /// What was wanted: a file, or a folder.
    pub url: Url,
    /// Who we are.
    pub login: Credentials,
    /// What is wanted of TLS.
    pub security: Security,
    /// The proxy that the environment names.
    pub proxy: Option<Named>,
    /// Whether the password may be said in the clear though the server has TLS.
    pub plain: bool,
}

/// How long the control port may take to answer.
const CONNECT: Duration = Duration::from_secs(6);

/// How long the greeting may take, and when to ask whether it is TLS that is awaited.
const GREETING: Duration = Duration::from_secs(25);
const DOUBT: Duration = Duration::from_millis(2500);

/// When no further probe begins.
const LONGEST: Duration = Duration::from_secs(44);

/// The time and the bytes of the transfer that is watched to its end.
const FLOW: (u64, Duration) = (32 << 20, Duration::from_secs(24));

/// How long a mode may take that is not needed.
const OPTIONAL: Duration = Duration::from_millis(2500);

/// A segment that every link carries (RFC 9293 §3.7.1).
const SMALL: u16 = 536;

/// What is told while it goes on.
pub type Teller<'a> = &'a mut (dyn FnMut(&str) + Send);

/// Examines.
pub async fn examine(patient: &Patient, tell: Teller<'_>) -> Evidence {
    let mut exam = Exam {
        patient,
        evidence: Evidence::of_nothing(&patient.url.host, patient.url.port),
        began: Instant::now(),
        tell,
    };
    exam.run().await;
    exam.evidence
}

struct Exam<'a> {
    patient: &'a Patient,
    evidence: Evidence,
    began: Instant,
    tell: Teller<'a>,
}

impl Exam<'_> {
    async fn run(&mut self) {
        self.evidence.own = own_addresses();
        let Some(addresses) = self.look_up().await else { return };
        let open = self.knock(&addresses).await;
        if open.is_empty() {
            return self.nobody_home(&addresses).await;
        }
        for (place, (at, stream)) in open.into_iter().enumerate() {
            if place > 0 && self.is_late() {
                break;
            }
            self.family(at, stream, place == 0).await;
            if self.evidence.greeting.as_ref().is_some_and(|greeting| greeting.said.is_none()) {
                return;
            }
        }
        self.look_closer().await;
    }

    fn is_late(&self) -> bool {
        self.began.elapsed() >= LONGEST
    }

    async fn look_up(&mut self) -> Option<Vec<SocketAddr>> {
        let url = &self.patient.url;
        (self.tell)(&format!("looking up {}", url.host));
        let found = tokio::time::timeout(CONNECT, lookup_host((url.host.as_str(), url.port))).await;
        let found = found.unwrap_or_else(|_| Err(std::io::Error::other("the DNS did not answer")));
        match found {
            Ok(found) => {
                let mut addresses: Vec<SocketAddr> = Vec::new();
                for at in found {
                    let same = addresses.iter().filter(|other| other.is_ipv4() == at.is_ipv4()).count();
                    if !addresses.contains(&at) && same < 2 {
                        addresses.push(at);
                    }
                }
                self.evidence.addresses = Ok(addresses.iter().map(|at| at.ip().to_canonical()).collect());
                Some(addresses)
            }
            Err(e) => {
                self.evidence.addresses = Err(e.to_string());
                None
            }
        }
    }

    /// Which addresses take us in: the first of each family is gone on with.
    async fn knock(&mut self, addresses: &[SocketAddr]) -> Vec<(SocketAddr, TcpStream)> {
        let shown: Vec<String> = addresses.iter().map(SocketAddr::to_string).collect();
        (self.tell)(&format!("connecting to {}", shown.join(", ")));
        let mut doors = JoinSet::new();
        for (place, at) in addresses.iter().copied().enumerate() {
            doors.spawn(async move {
                let clock = Clock::start();
                let met =
                    dial(at, Source::Free, CONNECT, None).await.map(|(stream, _)| (stream, clock.took()));
                (place, at, met)
            });
        }
        let mut doors = doors.join_all().await;
        doors.sort_by_key(|(place, ..)| *place);
        let mut open: Vec<(SocketAddr, TcpStream)> = Vec::new();
        for (_, at, met) in doors {
            let met = met.map(|(stream, took)| {
                if open.iter().all(|(other, _)| other.is_ipv4() != at.is_ipv4()) {
                    open.push((at, stream));
                }
                took
            });
            self.evidence.doors.push(Door { at, met });
        }
        // Where this machine has no IPv6, that is no matter of the server's.
        let here = |door: &Door| {
            matches!(door.met, Err(LinkFault::Unreachable { by: None, .. } | LinkFault::Other { .. }))
        };
        if !open.is_empty() {
            self.evidence.doors.retain(|door| !here(door));
        }
        open
    }

    /// No address takes us in.
    async fn nobody_home(&mut self, addresses: &[SocketAddr]) {
        if let Some(named) = &self.patient.proxy {
            (self.tell)("asking the proxy");
            let what = format!("{}, which {} names", named.proxy, named.by);
            let target = Target::Name(self.patient.url.host.clone(), self.patient.url.port);
            let works =
                match tokio::time::timeout(Duration::from_secs(10), named.proxy.connect(&target)).await {
                    Ok(Ok(_)) => Ok(()),
                    Ok(Err(e)) => Err(e.to_string()),
                    Err(_) => Err("no answer".to_owned()),
                };
            self.evidence.proxy = Some(Proxied { what, works });
        }
        let timed_out = |door: &&Door| matches!(door.met, Err(LinkFault::TimedOut { .. }));
        let Some(at) =
            self.evidence.doors.iter().find(timed_out).map(|door| door.at).or(addresses.first().copied())
        else {
            return;
        };
        (self.tell)("finding out how far packets get");
        let (router, way) = tokio::join!(path::is_our_router(at), path::alone(at));
        self.evidence.is_our_router = router;
        self.evidence.path = Some(way);
    }

    /// All that is to be tried at one address.
    async fn family(&mut self, at: SocketAddr, stream: TcpStream, first: bool) {
        let Ok(mut dialogue) = Dialogue::over(stream, at) else { return };
        self.evidence.local.get_or_insert(dialogue.local.ip().to_canonical());
        let tls = self.patient.security.tls.unwrap_or(Tls::Prefer);
        let connector = self.connector();
        if let (Tls::Implicit, Some(connector)) = (tls, &connector) {
            (self.tell)("shaking hands");
            if let Err(login) = dialogue.secure(connector, true).await {
                return self.leg(at, true, login, Vec::new());
            }
        }
        if !self.greeting(&mut dialogue, first).await {
            return;
        }
        let reveal = self.patient.url.scheme == Scheme::Ftp && tls != Tls::Require;
        if dialogue.connector.is_none()
            && let Some(connector) = connector.filter(|_| tls != Tls::Off)
        {
            (self.tell)("asking for TLS");
            match dialogue.secure(&connector, false).await {
                Ok(()) => {}
                Err(login @ (Login::NoTls(_) | Login::Gone(_))) if reveal => {
                    let refused = matches!(&login, Login::NoTls(why) if why.starts_with(['5', '4']));
                    self.leg(at, true, login, Vec::new());
                    if !refused {
                        // The connection is of no use after a handshake that failed.
                        match self.meet(at, None).await {
                            Some(again) => dialogue = again,
                            None => return,
                        }
                    }
                }
                Err(login) => return self.leg(at, true, login, Vec::new()),
            }
        }
        let secure = dialogue.connector.is_some();
        self.session(dialogue, secure, first).await;
        if secure && tls == Tls::Prefer && reveal && first && !self.is_late() {
            self.in_the_clear(at).await;
        }
    }

    fn connector(&self) -> Option<Connector> {
        let security = match self.patient.security.tls {
            Some(Tls::Off) => return None,
            _ => self.patient.security.clone(),
        };
        security.connector(&self.patient.url.host, self.patient.url.port).ok().flatten()
    }

    fn leg(&mut self, at: SocketAddr, secure: bool, login: Login, cells: Vec<Cell>) {
        self.evidence.legs.push(Leg { at, secure, login, cells });
    }

    /// The greeting; whether there is one to go on with. Where none comes, somebody may wait for TLS.
    async fn greeting(&mut self, dialogue: &mut Dialogue, first: bool) -> bool {
        let clock = Clock::start();
        (self.tell)("waiting for the greeting");
        let mut heard = dialogue.hear(DOUBT).await;
        if matches!(heard, Heard::Nothing) && dialogue.connector.is_none() {
            (self.tell)("no greeting yet: does it speak TLS from the first byte?");
            let at = dialogue.at;
            let connector = match self.patient.security.tls {
                Some(Tls::Off) => None,
                _ => self.connector(),
            };
            let asking = async {
                let Some(connector) = connector else { return false };
                let Ok(mut other) = Dialogue::open(at, None).await else { return false };
                // Who shows a certificate speaks TLS, whatever it is worth.
                match other.secure(&connector, true).await {
                    Ok(()) | Err(Login::Untrusted(_)) => true,
                    Err(_) => false,
                }
            };
            tokio::pin!(asking);
            let implicit = tokio::select! {
                late = dialogue.hear(GREETING - DOUBT) => { heard = late; None }
                implicit = &mut asking => Some(implicit),
            };
            match implicit {
                Some(true) => self.evidence.implicit = true,
                Some(false) => heard = dialogue.hear(GREETING.saturating_sub(clock.took())).await,
                None => {}
            }
        }
        // 120: in so many minutes.
        while matches!(&heard, Heard::Said(said) if said.code / 100 == 1) {
            heard = dialogue.hear(GREETING).await;
        }
        let (said, closed) = match heard {
            Heard::Said(said) => (Some(said), false),
            Heard::Nothing => (None, false),
            Heard::End => (None, true),
        };
        let welcome = said.as_ref().is_some_and(|said| said.code / 100 == 2);
        if first || self.evidence.greeting.is_none() {
            self.evidence.greeting = Some(Greeting { said, after: clock.took(), closed });
        }
        welcome
    }

    /// A new session, as far as the greeting, and TLS as `connector` has it.
    async fn meet(
        &mut self,
        at: SocketAddr,
        connector: Option<(&Connector, Option<u16>)>,
    ) -> Option<Dialogue> {
        let mss = connector.and_then(|(_, mss)| mss);
        let mut dialogue = Dialogue::open(at, mss).await.ok()?;
        let implicit = self.patient.security.tls == Some(Tls::Implicit);
        if let Some((connector, _)) = connector.filter(|_| implicit) {
            dialogue.secure(connector, true).await.ok()?;
        }
        match dialogue.hear(GREETING).await {
            Heard::Said(said) if said.code / 100 == 2 => {}
            _ => return None,
        }
        if let Some((connector, _)) = connector.filter(|_| !implicit) {
            dialogue.secure(connector, false).await.ok()?;
        }
        Some(dialogue)
    }

    /// The same, logged in as the session before was.
    async fn again(&mut self, at: SocketAddr, secure: bool, mss: Option<u16>) -> Option<Dialogue> {
        let connector = self.connector().filter(|_| secure);
        let mut dialogue = match &connector {
            Some(connector) => self.meet(at, Some((connector, mss))).await?,
            None => {
                let mut dialogue = Dialogue::open(at, mss).await.ok()?;
                matches!(dialogue.hear(GREETING).await, Heard::Said(said) if said.code / 100 == 2)
                    .then_some(())?;
                dialogue
            }
        };
        matches!(dialogue.log_in(&self.patient.login, true).await, Login::In).then_some(dialogue)
    }

    /// Every mode in one session; and in the first, a transfer to its end.
    async fn session(&mut self, mut dialogue: Dialogue, secure: bool, first: bool) {
        let at = dialogue.at;
        (self.tell)(if secure { "logging in, in TLS" } else { "logging in" });
        let login = dialogue.log_in(&self.patient.login, true).await;
        if !matches!(login, Login::In) {
            return self.leg(at, secure, login, Vec::new());
        }
        let v4 = at.ip().to_canonical().is_ipv4();
        let mut cells: Vec<Cell> = Vec::new();
        let mut here = Some(dialogue);
        let passive: &[Mode] = if v4 { &[Mode::Epsv, Mode::Pasv] } else { &[Mode::Epsv] };
        for mode in passive {
            here = self.one(here, *mode, at, secure, &mut cells).await;
        }
        // What fails in one mode and not in the other may be a matter of the port.
        for mode in passive.iter().copied().filter(|_| v4) {
            for _ in 0..2 {
                let others = cells
                    .iter()
                    .any(|cell| cell.mode.is_passive() && cell.mode != mode && cell.outcome.works());
                let shut = cells.iter().filter(|cell| cell.mode == mode).all(|cell| {
                    cell.outcome.no_link().is_some()
                        && cell.place.is_some_and(|place| place.ip() == at.ip().to_canonical())
                });
                if others && shut && !self.is_late() {
                    here = self.one(here, mode, at, secure, &mut cells).await;
                }
            }
        }
        for mode in if v4 { &[Mode::Port, Mode::Eprt][..] } else { &[Mode::Eprt] } {
            let waited = cells.iter().any(|cell| matches!(cell.outcome, Outcome::NobodyCame { .. }));
            if waited || self.is_late() {
                let outcome = Outcome::Skipped(if waited { "nobody came by PORT" } else { "no time" });
                cells.push(Cell { mode: *mode, place: None, said: None, outcome, took: Duration::ZERO });
                continue;
            }
            here = self.one(here, *mode, at, secure, &mut cells).await;
        }
        let best = cells
            .iter()
            .find(|cell| cell.outcome.works() && cell.mode != Mode::PasvPeer)
            .map(|cell| cell.mode);
        let stalled = cells.iter().any(|cell| matches!(cell.outcome, Outcome::Stalled(_)));
        self.leg(at, secure, login, cells);
        if let (Some(mode), true) = (best, first) {
            here = self.flow(here, mode, at, secure).await;
            if secure {
                self.afresh(&mut here, mode).await;
            }
        } else if stalled && first && !self.is_late() {
            self.small(at, secure, Mode::Epsv, Request::bare(Verb::List)).await;
        }
        if let Some(dialogue) = here {
            dialogue.quit().await;
        }
    }

    /// One try, in this session or, where it has ended, in a new one.
    async fn one(
        &mut self,
        here: Option<Dialogue>,
        mode: Mode,
        at: SocketAddr,
        secure: bool,
        cells: &mut Vec<Cell>,
    ) -> Option<Dialogue> {
        let mut dialogue = match here {
            Some(dialogue) => dialogue,
            None => self.again(at, secure, None).await?,
        };
        (self.tell)(&format!("trying {mode}"));
        // Where passive mode works, active mode is worth a moment and no more: a client behind a NAT waits in vain.
        let works = !mode.is_passive() && cells.iter().any(|cell| cell.outcome.works());
        let opening = if works { OPTIONAL } else { OPENING };
        let tried = attempt(&mut dialogue, mode, &Load { opening, ..Load::listing() }).await;
        let dead = tried.iter().any(|cell| is_dead(&cell.outcome));
        cells.extend(tried);
        // A session that hangs is left as it is.
        (!dead && is_alive(&mut dialogue).await).then_some(dialogue)
    }

    /// The file of the URL, or nothing where it names none, to its end.
    async fn flow(
        &mut self,
        here: Option<Dialogue>,
        mode: Mode,
        at: SocketAddr,
        secure: bool,
    ) -> Option<Dialogue> {
        let path = self.patient.url.target();
        if path.is_empty() || path.ends_with(b"/") || self.is_late() {
            return here;
        }
        (self.tell)("fetching the file, to nowhere");
        let mut dialogue = match here {
            Some(dialogue) => dialogue,
            None => self.again(at, secure, None).await?,
        };
        let (clock, mut cuts, mut total) = (Clock::start(), 0, 0);
        let (outcome, alive) = loop {
            let most = (FLOW.0, FLOW.1.saturating_sub(clock.took()));
            let load = Load { request: command(Verb::Retr, &path), most, ..Load::listing() };
            if total > 0 {
                dialogue.ask(&command(Verb::Rest, total.to_string()), PATIENCE).await;
            }
            let outcome = attempt(&mut dialogue, mode, &load).await.pop().map(|cell| cell.outcome);
            let Some(outcome) = outcome else { return Some(dialogue) };
            match &outcome {
                // It is a folder, or not there.
                Outcome::NotBegun { said: Some(said), .. } if said.code / 100 == 5 && total == 0 => {
                    return Some(dialogue);
                }
                Outcome::Cut { bytes, .. } if *bytes > 0 && cuts < 6 && !self.is_late() => {
                    total += bytes;
                    cuts += 1;
                    if !is_alive(&mut dialogue).await {
                        dialogue = self.again(at, secure, None).await?;
                    }
                    continue;
                }
                _ => {}
            }
            let outcome = match outcome {
                Outcome::Works(bytes) => Outcome::Works(bytes + total),
                Outcome::Cut { bytes, why } => Outcome::Cut { bytes: bytes + total, why },
                other => other,
            };
            let alive = !is_dead(&outcome) && is_alive(&mut dialogue).await;
            break (outcome, alive);
        };
        let stalled = matches!(outcome, Outcome::Stalled(_));
        self.evidence.flow = Some(Flow { verb: "RETR", outcome, took: clock.took(), cuts, alive });
        if stalled {
            self.small(at, secure, mode, command(Verb::Retr, &path)).await;
        }
        alive.then_some(dialogue)
    }

    /// The same with small segments, in a session of its own.
    async fn small(&mut self, at: SocketAddr, secure: bool, mode: Mode, request: Request) {
        (self.tell)("the same with small segments");
        let Some(mut dialogue) = self.again(at, secure, Some(SMALL)).await else { return };
        let most = (64 << 10, Duration::from_secs(8));
        let load = Load { request, most, mss: Some(SMALL), ..Load::listing() };
        self.evidence.small = attempt(&mut dialogue, mode, &load).await.pop().map(|cell| cell.outcome);
    }

    /// A data connection that resumes nothing, as many clients make it.
    async fn afresh(&mut self, here: &mut Option<Dialogue>, mode: Mode) {
        let (Some(dialogue), Some(connector)) = (here.as_mut(), self.connector()) else { return };
        (self.tell)("a data connection that resumes no TLS session");
        let load = Load { afresh: Some(connector), ..Load::listing() };
        self.evidence.afresh = attempt(dialogue, mode, &load).await.pop().map(|cell| cell.outcome);
        if !is_alive(dialogue).await {
            *here = None;
        }
    }

    /// Whether the server would take the login in the clear. The password is not said, unless that was allowed.
    async fn in_the_clear(&mut self, at: SocketAddr) {
        (self.tell)("asking whether the login is taken in the clear");
        let Some(mut dialogue) = self.meet(at, None).await else { return };
        if self.patient.plain {
            return self.session(dialogue, false, false).await;
        }
        let login = dialogue.log_in(&self.patient.login, false).await;
        self.leg(at, false, login, Vec::new());
        dialogue.quit().await;
    }

    /// What is dear, where something was found.
    async fn look_closer(&mut self) {
        let passive = |cell: &Cell| cell.mode.is_passive();
        let failed: Vec<Cell> = self
            .evidence
            .cells()
            .filter(|(_, cell)| passive(cell) && !cell.outcome.works())
            .map(|(_, cell)| cell.clone())
            .collect();
        let works = self.evidence.cells().any(|(_, cell)| passive(cell) && cell.outcome.works());
        if failed.is_empty() || self.is_late() {
            return;
        }
        let Some((at, secure)) =
            self.evidence.legs.iter().find(|leg| !leg.cells.is_empty()).map(|leg| (leg.at, leg.secure))
        else {
            return;
        };
        let unsettled = failed.iter().any(|cell| {
            matches!(
                cell.outcome,
                Outcome::NoLink { .. } | Outcome::NoAnswer { .. } | Outcome::NotBegun { .. }
            )
        });
        let slow =
            self.evidence.greeting.as_ref().is_some_and(|greeting| greeting.after > Duration::from_secs(4));
        if unsettled && !slow && self.patient.security.tls != Some(Tls::Implicit) {
            (self.tell)("looking for an FTP helper on the way");
            self.evidence.helper = path::has_helper(at).await;
        }
        let refused = |cell: &Cell| matches!(&cell.outcome, Outcome::NotBegun { said: Some(said), .. } if said.code == 425);
        if failed.iter().any(refused) && !self.is_late() {
            (self.tell)("asking the server where it sees us");
            for _ in 0..2 {
                if let Some(seen) = self.seen_as(at, secure).await {
                    self.evidence.seen_as.push(seen);
                }
            }
        }
        let shut = failed.iter().find(|cell| {
            matches!(cell.outcome, Outcome::NoLink { .. } | Outcome::NotBegun { .. })
                && cell.place.is_some_and(|place| place.ip() == at.ip().to_canonical())
        });
        if let Some(mode) = shut.filter(|_| !works && !self.is_late()).map(|cell| cell.mode) {
            (self.tell)("finding out how far packets get");
            self.find_path(at, secure, mode).await;
        }
    }

    /// The way to a port that the server listens on just now.
    async fn find_path(&mut self, at: SocketAddr, secure: bool, mode: Mode) {
        let Some(mut dialogue) = self.again(at, secure, None).await else { return };
        let verb = if mode == Mode::Epsv { Verb::Epsv } else { Verb::Pasv };
        let Heard::Said(said) = dialogue.ask(&Request::bare(verb), PATIENCE).await else { return };
        let text = said.text.as_bytes();
        let port = match said.code {
            229 => twoport_proto::hostport::read_229(text).ok(),
            227 => twoport_proto::hostport::read_227(text).ok().map(|place| place.port()),
            _ => None,
        };
        let Some(port) = port else { return };
        self.evidence.path = Some(path::compare(at, SocketAddr::new(at.ip(), port)).await);
        dialogue.quit().await;
    }

    /// Where the server sees a new session come from, if it says so in STAT.
    async fn seen_as(&mut self, at: SocketAddr, secure: bool) -> Option<IpAddr> {
        let mut dialogue = self.again(at, secure, None).await?;
        let seen = dialogue.seen().await.filter(|seen| *seen != at.ip().to_canonical());
        dialogue.quit().await;
        seen
    }
}

/// Whether nothing more can be said in the session.
fn is_dead(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::NoAnswer { .. } | Outcome::HungUp | Outcome::NoWord(_) | Outcome::Stalled(_))
        || matches!(outcome, Outcome::NotBegun { said: None, .. } | Outcome::NobodyCame { said: None, .. })
}

/// Whether it answers, and is in step: what a try has left unheard is heard first.
async fn is_alive(dialogue: &mut Dialogue) -> bool {
    while let Heard::Said(_) = dialogue.hear(Duration::from_millis(1)).await {}
    match dialogue.ask(&Request::bare(Verb::Noop), PATIENCE).await {
        Heard::Said(Said { code, .. }) => code != 421,
        Heard::Nothing | Heard::End => false,
    }
}
