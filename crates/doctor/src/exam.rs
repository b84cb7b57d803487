//! Which probes run, and in which order: the cheap and harmless first, and what is dear only where something was found.

mod closer;
mod session;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::net::{TcpStream, lookup_host};
use tokio::task::JoinSet;
use twoport_client::proxy::Named;
use twoport_client::url::{Login as Credentials, Scheme, Url};
use twoport_client::{Security, Tls};
use twoport_net::proxy::Target;
use twoport_net::tls::Connector;
use twoport_net::{Source, dial, dial_first, own_addresses};
use twoport_plan::LinkFault;

use crate::ServerSide;
use crate::dialogue::{Dialogue, Heard};
use crate::evidence::{Cell, Door, Evidence, Greeting, Leg, Login, Outcome, Proxied};
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
    /// How long sessions are left silent, to see whether they live.
    pub idle: Option<Duration>,
    /// What the server's machine says of itself.
    pub server_side: Option<ServerSide>,
}

/// How long the control port may take to answer.
const CONNECT: Duration = Duration::from_secs(6);

/// The lead of one address before the next, where several are asked for.
const HEAD_START: Duration = Duration::from_millis(250);

/// How long the greeting may take, and when to ask whether it is TLS that is awaited.
const GREETING: Duration = Duration::from_secs(25);
const DOUBT: Duration = Duration::from_millis(2500);

/// A segment that every link carries (RFC 9293 §3.7.1).
const SMALLEST: u16 = 536;

/// When no further probe begins.
const LONGEST: Duration = Duration::from_secs(44);

/// What is told while it goes on.
pub type Teller<'a> = &'a mut (dyn FnMut(&str) + Send);

/// Examines.
pub async fn examine(patient: &Patient, tell: Teller<'_>) -> Evidence {
    let mut exam = Exam {
        patient,
        evidence: Evidence::of_nothing(&patient.url.host, patient.url.port),
        began: Instant::now(),
        both_ends: None,
        tell,
    };
    exam.run().await;
    exam.evidence
}

struct Exam<'a> {
    patient: &'a Patient,
    evidence: Evidence,
    began: Instant,
    /// Whether the server tells what it saw; not known before it was asked.
    both_ends: Option<bool>,
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
        if let Some(longest) = self.patient.idle {
            self.idle(longest).await;
        }
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
                let clock = Instant::now();
                let met =
                    dial(at, Source::Free, CONNECT, None).await.map(|(stream, _)| (stream, clock.elapsed()));
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
        let Some(side) = self.patient.server_side.as_ref().filter(|side| side.may_be(at.ip())) else {
            return;
        };
        self.evidence.server_door = side.door(at).copied();
        if !router {
            self.evidence.machine = path::machine(at).await;
            return;
        }
        (self.tell)("asking for the server inside its network");
        let found = dial_first(&side.inside(), Source::Free, HEAD_START, CONNECT, None).await;
        self.evidence.inside = found.ok().map(|(_, at)| at);
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
                // A certificate is long: where full segments vanish, it is the first thing to.
                Err(Login::Mute) => {
                    self.evidence.mute = true;
                    (self.tell)("the handshake stands still: the same with small segments");
                    let small = self.meet(at, Some(&connector), Some(SMALLEST)).await;
                    let outcome = small.as_ref().map_or(Outcome::Stalled(0), |_| Outcome::Works(0));
                    self.evidence.small = Some((SMALLEST, outcome));
                    let Some(again) = small else { return self.leg(at, true, Login::Mute, Vec::new()) };
                    dialogue = again;
                }
                Err(login @ (Login::NoTls(_) | Login::Gone(_))) if reveal => {
                    let refused = matches!(&login, Login::NoTls(why) if why.starts_with(['5', '4']));
                    self.leg(at, true, login, Vec::new());
                    if !refused {
                        // The connection is of no use after a handshake that failed.
                        match self.meet(at, None, None).await {
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
        self.patient.security.connector(&self.patient.url.host, self.patient.url.port).ok().flatten()
    }

    fn leg(&mut self, at: SocketAddr, secure: bool, login: Login, cells: Vec<Cell>) {
        self.evidence.legs.push(Leg { at, secure, login, cells });
    }

    /// The greeting; whether there is one to go on with. Where none comes, somebody may wait for TLS.
    async fn greeting(&mut self, dialogue: &mut Dialogue, first: bool) -> bool {
        let clock = Instant::now();
        (self.tell)("waiting for the greeting");
        let mut heard = dialogue.hear(DOUBT).await;
        if matches!(heard, Heard::Nothing) && dialogue.connector.is_none() && dialogue.strange.is_none() {
            (self.tell)("no greeting yet: does it speak TLS from the first byte?");
            let at = dialogue.at;
            let connector = self.connector();
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
                Some(false) => heard = dialogue.hear(GREETING.saturating_sub(clock.elapsed())).await,
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
            self.evidence.greeting =
                Some(Greeting { said, after: clock.elapsed(), closed, strange: dialogue.strange.clone() });
        }
        welcome
    }

    /// A new session, as far as the greeting, and TLS as `connector` has it.
    async fn meet(
        &mut self,
        at: SocketAddr,
        connector: Option<&Connector>,
        mss: Option<u16>,
    ) -> Option<Dialogue> {
        let mut dialogue = Dialogue::open(at, mss).await.ok()?;
        let implicit = self.patient.security.tls == Some(Tls::Implicit);
        if let Some(connector) = connector.filter(|_| implicit) {
            dialogue.secure(connector, true).await.ok()?;
        }
        match dialogue.hear(GREETING).await {
            Heard::Said(said) if said.code / 100 == 2 => {}
            _ => return None,
        }
        if let Some(connector) = connector.filter(|_| !implicit) {
            dialogue.secure(connector, false).await.ok()?;
        }
        Some(dialogue)
    }

    /// The same, logged in as the session before was.
    async fn again(&mut self, at: SocketAddr, secure: bool, mss: Option<u16>) -> Option<Dialogue> {
        let connector = self.connector().filter(|_| secure);
        let mut dialogue = self.meet(at, connector.as_ref(), mss).await?;
        matches!(dialogue.log_in(&self.patient.login, true).await, Login::In).then_some(dialogue)
    }
}
