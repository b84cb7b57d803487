//! The report for people.

use std::fmt;

use twoport_plan::LinkFault;

use super::Report;
use crate::causes::Cause;
use crate::diagnosis::{Verdict, span};
use crate::evidence::{Outcome, Said};

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { evidence, diagnosis, fixes } = self;
        let verdict = match diagnosis.verdict {
            Verdict::Ok => "It works",
            Verdict::Degraded => "It works in part",
            Verdict::Broken => "It does not work",
        };
        writeln!(
            f,
            "{verdict}: {} ({}, {})",
            diagnosis.cause,
            diagnosis.cause.entry().slug,
            diagnosis.confidence.name()
        )?;
        for because in &diagnosis.because {
            writeln!(f, "  {because}")?;
        }
        if let Some(figure) = self.figure() {
            writeln!(f, "\n{figure}")?;
        }
        if evidence.legs.iter().any(|leg| !leg.cells.is_empty()) {
            writeln!(f, "\nWhat was tried")?;
        }
        for leg in &evidence.legs {
            for cell in &leg.cells {
                let protection = if leg.secure { "TLS" } else { "clear" };
                let family = if leg.at.ip().to_canonical().is_ipv4() { "IPv4" } else { "IPv6" };
                // Far more round trips than any mode needs say nothing that the time does not.
                let trips = evidence.trips(leg, cell).filter(|trips| *trips < 1000.0);
                let trips = trips.map_or_else(String::new, |trips| format!("{trips:.0} RTT"));
                writeln!(
                    f,
                    "  {:<27} {family} {protection:<6} {:>8} {trips:>8}  {}",
                    cell.mode.to_string(),
                    span(cell.took),
                    outcome(&cell.outcome, cell.said.as_ref())
                )?;
            }
        }
        if let Some(flow) = &evidence.flow {
            writeln!(f, "  {:<27} {:>29}  {}", flow.verb, span(flow.took), outcome(&flow.outcome, None))?;
        }
        if let Some(idle) = &evidence.idle {
            let lived = idle.lived.map(|lived| format!("answered behind {} of silence", span(lived)));
            let died = idle.died.map(|died| format!("dead behind {}", span(died)));
            let said = idle.said.as_ref().map(|said| format!("the server said {said}"));
            let words: Vec<String> = [lived, died, said].into_iter().flatten().collect();
            writeln!(f, "  {:<27} {:>29}  {}", "silence", "", words.join("; "))?;
        }
        if !matches!(diagnosis.cause, Cause::Healthy | Cause::Unknown) {
            writeln!(f, "\nWho must act: {}", diagnosis.side)?;
        }
        for fix in fixes {
            writeln!(f, "  {}: {}", fix.side, fix.text)?;
        }
        if let Some((dialect, text)) = fixes.iter().find_map(|fix| fix.rules.first()) {
            writeln!(
                f,
                "\nRules for {dialect}, as far as the ports were seen ('twoport firewall' writes them for others, and for all ports):\n"
            )?;
            for line in text.lines() {
                writeln!(f, "  {line}")?;
            }
        }
        Ok(())
    }
}

/// What came of a try, in words, and what the server said to the command.
pub(super) fn outcome(outcome: &Outcome, reply: Option<&Said>) -> String {
    let said = |said: Option<&Said>| said.map_or_else(|| "nothing".to_owned(), Said::to_string);
    match outcome {
        Outcome::Works(bytes) => format!("works, {bytes} bytes"),
        Outcome::Refused => format!("refused: {}", said(reply)),
        Outcome::Unreadable => format!("not understood: {}", said(reply)),
        Outcome::NoAnswer { lost: Some(lost @ 1..), .. } => {
            format!("never answered; {lost} bytes of the command were lost")
        }
        Outcome::NoAnswer { .. } => "never answered".to_owned(),
        Outcome::HungUp => format!("the session ended: {}", said(reply)),
        Outcome::NoLink { fault: LinkFault::Other { text, .. }, .. } => text.clone(),
        Outcome::NoLink { fault, .. } => fault.cause(),
        Outcome::NotBegun { said: word, .. } => format!("connected, and then: {}", said(word.as_ref())),
        Outcome::NobodyCame { said: word, .. } => format!("nobody came: {}", said(word.as_ref())),
        Outcome::NoTls { why, said: word } => format!("no TLS: {why}; {}", said(word.as_ref())),
        Outcome::Stalled(bytes) => format!("stalled after {bytes} bytes"),
        Outcome::Cut { bytes, why } => format!("cut after {bytes} bytes: {why}"),
        Outcome::NoEnd(bytes) => format!("{bytes} bytes and 226, but no end"),
        Outcome::NoWord(bytes) => format!("{bytes} bytes, and no last word"),
        Outcome::Skipped(why) => format!("not tried: {why}"),
    }
}
