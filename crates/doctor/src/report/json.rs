//! The report for scripts: keys are added, and never changed.

use serde_json::{Value, json};

use super::Report;
use crate::evidence::{Cell, Leg, Login, Outcome};

impl Report {
    /// As one object.
    #[must_use]
    pub fn json(&self) -> Value {
        let Report { evidence, diagnosis, fixes } = self;
        json!({
            "verdict": diagnosis.verdict.name(),
            "cause": diagnosis.cause.entry().slug,
            "side": diagnosis.side.name(),
            "confidence": diagnosis.confidence.name(),
            "says": diagnosis.cause.to_string(),
            "evidence": diagnosis.because,
            "fixes": fixes.iter().map(|fix| {
                let rules: serde_json::Map<String, Value> =
                    fix.rules.iter().map(|(dialect, text)| ((*dialect).to_owned(), json!(text))).collect();
                json!({ "side": fix.side.name(), "text": fix.text, "rules": rules })
            }).collect::<Vec<_>>(),
            "matrix": evidence.legs.iter().flat_map(|leg| leg.cells.iter().map(|cell| row(leg, cell, self))).collect::<Vec<_>>(),
            "transfer": evidence.flow.as_ref().map(|flow| json!({
                "verb": flow.verb,
                "outcome": name(&flow.outcome),
                "seconds": (flow.took.as_secs_f64() * 1000.0).round() / 1000.0,
                "cuts": flow.cuts,
            })),
            "segments": evidence.small.as_ref().map(|(size, outcome)| json!({ "size": size, "outcome": name(outcome) })),
            "silence": evidence.idle.as_ref().map(|idle| json!({
                "lived": idle.lived.map(|time| time.as_secs()),
                "died": idle.died.map(|time| time.as_secs()),
                "said": idle.said.as_ref().map(ToString::to_string),
            })),
            "helper": evidence.helper,
            "sessions": evidence.legs.iter().map(|leg| json!({
                "address": leg.at.to_string(),
                "tls": leg.secure,
                "login": login(&leg.login),
            })).collect::<Vec<_>>(),
        })
    }
}

fn row(leg: &Leg, cell: &Cell, report: &Report) -> Value {
    let trips = report.evidence.trips(leg, cell).map(|trips| (trips * 10.0).round() / 10.0);
    json!({
        "mode": cell.mode.to_string(),
        "tls": leg.secure,
        "family": if leg.at.ip().to_canonical().is_ipv4() { "IPv4" } else { "IPv6" },
        "outcome": name(&cell.outcome),
        "where": cell.place.map(|place| place.to_string()),
        "reply": cell.said.as_ref().map(ToString::to_string),
        "seconds": (cell.took.as_secs_f64() * 1000.0).round() / 1000.0,
        "round_trips": trips,
        "why": super::words::outcome(&cell.outcome, cell.said.as_ref()),
    })
}

/// What came of it, in one word.
fn name(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Works(_) => "works",
        Outcome::Refused => "refused",
        Outcome::Unreadable => "unreadable",
        Outcome::NoAnswer { .. } => "no-answer",
        Outcome::HungUp => "hung-up",
        Outcome::NoLink { .. } => "no-connection",
        Outcome::NotBegun { .. } => "not-begun",
        Outcome::NobodyCame { .. } => "nobody-came",
        Outcome::NoTls { .. } => "no-tls",
        Outcome::Stalled(_) => "stalled",
        Outcome::Cut { .. } => "cut",
        Outcome::NoEnd(_) => "no-end",
        Outcome::NoWord(_) => "no-last-word",
        Outcome::Skipped(_) => "skipped",
    }
}

fn login(login: &Login) -> String {
    match login {
        Login::In => "in".to_owned(),
        Login::Asked => "asked for a password, and none was said in the clear".to_owned(),
        Login::Refused(said) => format!("refused: {said}"),
        Login::NeedsTls(said) => format!("needs TLS: {said}"),
        Login::NoTls(why) => format!("no TLS: {why}"),
        Login::Mute => "the TLS handshake stood still".to_owned(),
        Login::Untrusted(why) | Login::Gone(why) => why.clone(),
    }
}
