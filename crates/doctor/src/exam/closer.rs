//! What is dear, and is looked at only where something was found, or somebody asked for it.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::task::JoinSet;
use twoport_client::Tls;
use twoport_proto::{Request, Verb};

use super::Exam;
use crate::cell::told;
use crate::dialogue::{Dialogue, Heard, PATIENCE};
use crate::evidence::{Cell, Idle, Mode, Outcome};
use crate::path;

impl Exam<'_> {
    /// What is dear, where something was found.
    pub(super) async fn look_closer(&mut self) {
        let failed: Vec<Cell> = self
            .evidence
            .cells()
            .filter(|(_, cell)| cell.mode.is_passive() && !cell.outcome.works())
            .map(|(_, cell)| cell.clone())
            .collect();
        let works = self.evidence.passive_works();
        if failed.is_empty() || self.is_late() {
            return;
        }
        let Some((at, secure)) = self.evidence.tried().map(|leg| (leg.at, leg.secure)) else {
            return;
        };
        let active = self.evidence.cells().any(|(_, cell)| {
            let failed = matches!(cell.outcome, Outcome::NobodyCame { .. } | Outcome::Refused);
            !works && !cell.mode.is_passive() && failed
        });
        let unsettled = active
            || failed.iter().any(|cell| {
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
        let Some(place) = told(&said, dialogue.peer()).filter(|_| said.code / 100 == 2) else { return };
        let data = SocketAddr::new(at.ip(), place.port());
        let path = path::compare(at, data).await;
        let refused = path.refused;
        self.evidence.path = Some(path);
        if refused && self.both_ends == Some(true) && !self.is_late() {
            (self.tell)("looking for the port under another number");
            self.find_shift(&mut dialogue, data).await;
        }
        dialogue.quit().await;
    }

    /// Whether a NAT shows the port under another number. A server that tells what it sees says whether it was that port, and its
    /// administrator has allowed such tests.
    async fn find_shift(&mut self, dialogue: &mut Dialogue, at: SocketAddr) {
        let Some(before) = dialogue.own_came().await else { return };
        let [outer] = path::shown_for(at).await[..] else { return };
        if let Some((came, port)) = dialogue.own_came().await
            && came > before.0
        {
            self.evidence.shifted = Some((outer, port.unwrap_or(at.port())));
        }
    }

    /// Where the server sees a new session come from, if it says so in STAT.
    async fn seen_as(&mut self, at: SocketAddr, secure: bool) -> Option<IpAddr> {
        let mut dialogue = self.again(at, secure, None).await?;
        let seen = dialogue.seen().await.filter(|seen| *seen != at.ip().to_canonical());
        dialogue.quit().await;
        seen
    }

    /// Sessions that say nothing for a while, side by side.
    pub(super) async fn idle(&mut self, longest: Duration) {
        let Some((at, secure)) = self.evidence.tried().map(|leg| (leg.at, leg.secure)) else {
            return;
        };
        let mut silences = JoinSet::new();
        for share in [1, 2, 4, 8] {
            let silence = longest * share / 8;
            let Some(mut dialogue) = self.again(at, secure, None).await else { continue };
            silences.spawn(async move {
                dialogue.be_silent();
                tokio::time::sleep(silence).await;
                (silence, dialogue.ask(&Request::bare(Verb::Noop), PATIENCE).await)
            });
        }
        (self.tell)(&format!("saying nothing for {} seconds", longest.as_secs()));
        let mut ended = silences.join_all().await;
        ended.sort_by_key(|(silence, _)| *silence);
        let mut idle = Idle::default();
        for (silence, heard) in ended {
            match heard {
                Heard::Said(said) if said.code != 421 && idle.died.is_none() => idle.lived = Some(silence),
                heard if idle.died.is_none() => {
                    idle.died = Some(silence);
                    idle.said = if let Heard::Said(said) = heard { Some(said) } else { None };
                }
                _ => {}
            }
        }
        self.evidence.idle = Some(idle);
    }
}
