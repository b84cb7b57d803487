//! What was found at the server's own side, in words and as JSON.

use std::fmt;

use serde_json::{Value, json};
use twoport_plan::flow::{Flow, Side as Whose};

use super::{Examined, Severity};
use crate::causes::{Cause, Side};
use crate::diagnosis::{Confidence, Verdict};

impl Examined {
    /// What clients meet, where something is not well; `Healthy` where nothing has a name.
    fn cause(&self) -> Cause {
        self.worst()
            .filter(|worst| worst.severity != Severity::Ok)
            .and_then(|worst| worst.cause)
            .unwrap_or(Cause::Healthy)
    }

    /// As one object. `flow` writes one of its flows, as other commands do.
    #[must_use]
    pub fn json(&self, flow: impl Fn(&Flow, Whose) -> Value) -> Value {
        let worst = self.worst();
        json!({
            "verdict": self.verdict().name(),
            "cause": self.cause().entry().slug,
            "side": worst.map_or(Side::None, |worst| worst.side).name(),
            "confidence": worst.map_or(Confidence::Certain, |worst| worst.confidence).name(),
            "addresses": self.own,
            "control": self.doors.iter().map(|door| json!({
                "at": door.at,
                "listens": door.listens,
                "let_through": door.let_through,
            })).collect::<Vec<_>>(),
            "findings": self.findings.iter().map(|finding| json!({
                "what": finding.what,
                "severity": finding.severity.name(),
                "side": finding.side.name(),
                "cause": finding.cause.map(|cause| cause.entry().slug),
                "confidence": finding.confidence.name(),
                "fix": finding.fix,
                "rules": finding.rules.as_ref().map(|(dialect, text)| json!({ *dialect: text })),
            })).collect::<Vec<_>>(),
            "flows": self.passages.iter().map(|passage| {
                let mut object = flow(&passage.flow, Whose::Server);
                object["let_through"] = json!(passage.let_through);
                object["by"] = json!(passage.by);
                object
            }).collect::<Vec<_>>(),
            "unseen": self.unseen,
        })
    }
}

impl fmt::Display for Examined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let says = match self.verdict() {
            Verdict::Ok => "Nothing is wrong with the server's own side, as far as it was seen",
            Verdict::Degraded => "Some clients may fail",
            Verdict::Broken => "Something that is offered does not work",
        };
        match (self.cause(), self.worst()) {
            (Cause::Healthy, _) | (_, None) => writeln!(f, "{says}")?,
            (cause, Some(worst)) => {
                writeln!(f, "{says}: {cause} ({}, {})", cause.entry().slug, worst.confidence.name())?;
            }
        }
        writeln!(f, "\nWhat was found")?;
        for severity in [Severity::Broken, Severity::Warning, Severity::Ok] {
            for finding in self.findings.iter().filter(|finding| finding.severity == severity) {
                writeln!(f, "  {:<8} {}", severity.name(), finding.what)?;
                if let Some(fix) = &finding.fix {
                    let who = if finding.side == Side::None {
                        String::new()
                    } else {
                        format!("{}: ", finding.side)
                    };
                    writeln!(f, "           -> {who}{fix}")?;
                }
            }
        }
        if !self.passages.is_empty() {
            writeln!(f, "\nWhat must pass")?;
        }
        for passage in &self.passages {
            let through = match passage.let_through {
                Some(true) => "let through",
                Some(false) => "NOT let through",
                None => "not known",
            };
            let by = passage.by.as_ref().map_or_else(String::new, |by| format!(" by: {by}"));
            let direction = if passage.inward { "in" } else { "out" };
            writeln!(f, "  {direction:<3} {}  {through}{by}", passage.title)?;
        }
        if !self.unseen.is_empty() {
            writeln!(f, "\nNot looked at")?;
        }
        for unseen in &self.unseen {
            writeln!(f, "  {unseen}")?;
        }
        let mut told = Vec::new();
        for (dialect, text) in self.findings.iter().filter_map(|finding| finding.rules.as_ref()) {
            if !told.contains(&text) {
                writeln!(f, "\nRules for {dialect} that let it through\n")?;
                for line in text.lines() {
                    writeln!(f, "  {line}")?;
                }
                told.push(text);
            }
        }
        Ok(())
    }
}
