//! `Report`: what was found, in words, as a figure and as JSON.

pub mod figure;
mod json;
mod svg;
mod words;

use twoport_plan::firewall::{self, Dialect};
use twoport_plan::flow::{self, Site};
use twoport_plan::{Mode as Modes, PortRange};

use crate::causes::{Cause, Side};
use crate::diagnosis::{Diagnosis, diagnose};
use crate::evidence::{Evidence, Mode};

/// What the doctor says.
#[derive(Debug, Clone)]
pub struct Report {
    /// What was seen.
    pub evidence: Evidence,
    /// What it is.
    pub diagnosis: Diagnosis,
    /// What to do, the side that must act first.
    pub fixes: Vec<Fix>,
}

/// What one side can do.
#[derive(Debug, Clone)]
pub struct Fix {
    /// Which.
    pub side: Side,
    /// What, as a sentence without its full stop.
    pub text: String,
    /// The same as rules for firewalls: dialect and text.
    pub rules: Vec<(&'static str, String)>,
}

impl Report {
    /// Judges what was seen.
    #[must_use]
    pub fn of(evidence: Evidence) -> Report {
        let diagnosis = diagnose(&evidence);
        let rules = rules(&evidence, diagnosis.cause);
        let cure = diagnosis.cause.entry().cure.iter();
        let mut fixes: Vec<Fix> = cure
            .map(|(side, text)| Fix { side: *side, text: (*text).to_owned(), rules: Vec::new() })
            .collect();
        // Rules belong to the first step of the side that must act.
        if let Some(first) = fixes.first_mut() {
            first.rules = rules;
        }
        Report { evidence, diagnosis, fixes }
    }
}

/// Dialects that a cure is written in; `twoport firewall` has the others.
const DIALECTS: [Dialect; 3] = [Dialect::Nftables, Dialect::Iptables, Dialect::Ufw];

/// The rules that let through what did not get through.
fn rules(evidence: &Evidence, cause: Cause) -> Vec<(&'static str, String)> {
    let (side, mode) = match cause {
        Cause::PassiveDroppedAtHost => (flow::Side::Server, Modes::Passive),
        Cause::ServerEgress => (flow::Side::Server, Modes::Active),
        Cause::ClientInboundBlocked => (flow::Side::Client, Modes::Active),
        _ => return Vec::new(),
    };
    let Some(peer) = evidence.door().map(|door| door.at.ip().to_canonical()) else { return Vec::new() };
    let ports: Vec<u16> = evidence
        .cells()
        .filter(|(_, cell)| matches!(cell.mode, Mode::Epsv | Mode::Pasv | Mode::PasvPeer))
        .filter_map(|(_, cell)| Some(cell.place?.port()))
        .collect();
    let range = ports.iter().min().zip(ports.iter().max());
    let site = Site {
        control: vec![evidence.port],
        passive_ports: range.and_then(|(first, last)| PortRange::new(*first, *last).ok()),
        server: vec![peer],
        ..Site::default()
    };
    DIALECTS
        .iter()
        .filter_map(|dialect| {
            let text = firewall::rules(&site, side, mode, *dialect).ok()?;
            Some((dialect.name(), text.trim_end().to_owned()))
        })
        .collect()
}
