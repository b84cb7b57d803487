//! What is tried in a session: every mode, a transfer to its end, and what only TLS has.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use twoport_proto::{Request, Verb};

use super::{Exam, SMALLEST};
use crate::cell::{Load, OPENING, attempt};
use crate::diagnosis::MUCH;
use crate::dialogue::{Dialogue, Heard, PATIENCE, command};
use crate::evidence::{Cell, Flow, Login, Mode, Outcome, Said};

/// The time and the bytes of the transfer that is watched to its end.
const FLOW: (u64, Duration) = (32 << 20, Duration::from_secs(24));

/// How long a mode may take that is not needed.
const OPTIONAL: Duration = Duration::from_millis(2500);

/// Segments: one that every link carries, one for IPv6's smallest packets, one for tunnels.
const SMALL: [u16; 3] = [SMALLEST, 1220, 1400];

impl Exam<'_> {
    /// Every mode in one session; and in the first, a transfer to its end.
    pub(super) async fn session(&mut self, mut dialogue: Dialogue, secure: bool, first: bool) {
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
                cells.push(Cell::of(*mode, outcome));
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
        let stalled = tried.iter().any(|cell| matches!(cell.outcome, Outcome::Stalled(_)));
        let offered =
            !tried.iter().any(|cell| cell.mode.is_passive() && matches!(cell.outcome, Outcome::Refused));
        cells.extend(tried);
        if stalled
            && self.both_ends != Some(false)
            && let (Some(seen), Some(cell)) = (dialogue.give_up().await, cells.last_mut())
        {
            self.both_ends = Some(true);
            cell.seen = Some(Box::new(seen));
        }
        // A session that hangs is left as it is.
        if dead || !is_alive(&mut dialogue).await {
            return None;
        }
        if offered && self.both_ends != Some(false) {
            let seen = dialogue.sightings().await;
            self.both_ends = Some(seen.is_some());
            match (seen, cells.last_mut()) {
                (Some(seen), Some(cell)) => cell.seen = Some(Box::new(seen)),
                // Some end the session at a command that they do not know.
                _ if !is_alive(&mut dialogue).await => return None,
                _ => {}
            }
        }
        Some(dialogue)
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
        let (clock, mut cuts, mut total, mut seen) = (Instant::now(), 0, 0, None);
        let (outcome, alive) = loop {
            let most = (FLOW.0, FLOW.1.saturating_sub(clock.elapsed()));
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
                    match is_alive(&mut dialogue).await {
                        true if seen.is_none() && self.both_ends == Some(true) => {
                            seen = dialogue.sightings().await.map(Box::new);
                        }
                        true => {}
                        false => dialogue = self.again(at, secure, None).await?,
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
            if matches!(outcome, Outcome::Stalled(_)) && self.both_ends == Some(true) {
                seen = dialogue.give_up().await.map(Box::new);
            }
            // A server of ours ends what stands still, and goes on; where the last word did not come, another may.
            let may_live = seen.is_some() || !is_dead(&outcome) || matches!(outcome, Outcome::NoWord(_));
            let alive = may_live && is_alive(&mut dialogue).await;
            break (outcome, alive);
        };
        if alive && seen.is_none() && self.both_ends == Some(true) {
            seen = dialogue.sightings().await.map(Box::new);
        }
        // Where much has come, it is not the size of segments.
        let stalled = matches!(outcome, Outcome::Stalled(..MUCH));
        let took = clock.elapsed();
        let unheard = match dialogue.lost() {
            Some(lost @ 1..) if matches!(outcome, Outcome::NoWord(_)) && !alive => {
                self.again(at, secure, None).await.map(|_| lost)
            }
            _ => None,
        };
        self.evidence.flow = Some(Flow { verb: "RETR", outcome, took, cuts, seen, unheard });
        if stalled {
            self.small(at, secure, mode, command(Verb::Retr, &path)).await;
        }
        alive.then_some(dialogue)
    }

    /// The same with small segments, in a session of its own.
    async fn small(&mut self, at: SocketAddr, secure: bool, mode: Mode, request: Request) {
        for mss in SMALL {
            (self.tell)(&format!("the same with segments of {mss} bytes"));
            let Some(mut dialogue) = self.again(at, secure, Some(mss)).await else { return };
            let most = (64 << 10, Duration::from_secs(8));
            let load = Load { request: request.clone(), most, mss: Some(mss), ..Load::listing() };
            let Some(cell) = attempt(&mut dialogue, mode, &load).await.pop() else { return };
            let works = cell.outcome.works();
            if works || self.evidence.small.is_none() {
                self.evidence.small = Some((mss, cell.outcome));
            }
            if !works || self.is_late() {
                return;
            }
        }
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
    pub(super) async fn in_the_clear(&mut self, at: SocketAddr) {
        (self.tell)("asking whether the login is taken in the clear");
        let Some(mut dialogue) = self.meet(at, None, None).await else { return };
        if self.patient.plain {
            return self.session(dialogue, false, false).await;
        }
        let login = dialogue.log_in(&self.patient.login, false).await;
        self.leg(at, false, login, Vec::new());
        dialogue.quit().await;
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
