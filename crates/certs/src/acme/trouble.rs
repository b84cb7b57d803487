//! From what the ACME library reports to sentences: what failed while what was done, in the CA's words, and what to do.

use std::error::Error as _;

use instant_acme::Problem;
use twoport_net::tls::challenge::distrust;

use super::Settings;
use crate::Error;

/// Why an order came to nothing, while it may still be tried again in another way.
#[derive(Debug)]
pub(super) enum Trouble {
    /// It is told as it is.
    Told(Error),
    /// The directory said no, could not be reached, or is none.
    Ca {
        /// What was being done, as `while …` goes on.
        doing: &'static str,
        /// What the library says.
        source: instant_acme::Error,
    },
    /// The directory did not answer in time.
    Silent {
        /// What was being done.
        doing: &'static str,
    },
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Trouble {
        Trouble::Told(error)
    }
}

impl Trouble {
    /// Whether the CA said no with a problem of this kind (RFC 8555 section 6.7).
    pub(super) fn is(&self, kind: &str) -> bool {
        matches!(self, Trouble::Ca { source: instant_acme::Error::Api(problem), .. } if kind_of(problem) == kind)
    }

    /// As it is told to people.
    pub(super) fn told(self, settings: &Settings) -> Error {
        let directory = settings.directory.clone();
        match self {
            Trouble::Told(error) => error,
            Trouble::Silent { doing } => {
                let why =
                    "it does not answer in time; it is down, or a firewall drops what it says".to_owned();
                Error::Directory { directory, doing, why }
            }
            Trouble::Ca { doing: _, source: instant_acme::Error::Api(problem) } => {
                let remedy = remedy(kind_of(&problem)).map_or(String::new(), |remedy| format!("; {remedy}"));
                Error::Refused { directory, why: words(&problem) + &remedy }
            }
            Trouble::Ca { doing, source } => match cause(&source) {
                Cause::Distrust(why) => Error::Untrusted { directory, why: tame(&why) },
                Cause::Other(why) => Error::Directory { directory, doing, why },
            },
        }
    }
}

/// The CA's words for a problem: its sentence, and those for single names.
pub(super) fn words(problem: &Problem) -> String {
    let parts = problem.subproblems.iter().filter_map(|part| {
        let detail = part.detail.as_deref()?;
        let name = part.identifier.as_ref().map(|identifier| identifier.authorized(false).to_string());
        Some(name.map_or_else(|| detail.to_owned(), |name| format!("{name}: {detail}")))
    });
    let whole = problem.detail.iter().cloned().chain(parts).collect::<Vec<_>>().join("; ");
    if whole.is_empty() { kind_of(problem).to_owned() } else { tame(&whole) }
}

/// What somebody else wrote, for one line of a log: no control characters, and not too long.
pub(super) fn tame(text: &str) -> String {
    let mut line: String = text.chars().take(LONGEST).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().count() > LONGEST {
        line.push('…');
    }
    line.trim().trim_end_matches('.').to_owned()
}

fn kind_of(problem: &Problem) -> &str {
    let kind = problem.r#type.as_deref().unwrap_or("no reason is given");
    kind.strip_prefix("urn:ietf:params:acme:error:").unwrap_or(kind)
}

/// What to do about a problem, where its words do not say so.
fn remedy(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "rateLimited" => "wait until its limit allows more; its directory for tests has wider ones",
        "externalAccountRequired" => {
            "give the external account's id and key, which it shows to its customers"
        }
        "rejectedIdentifier" | "unsupportedIdentifier" => "leave the name out, or ask another CA",
        "caa" => "let the CAA records of the domain (DNS) name this CA",
        "userActionRequired" => "do there what it wants, then try again",
        "invalidContact" | "unsupportedContact" => "give a mail address that it accepts, or none",
        "invalidProfile" => "leave the profile out, or name one that it has",
        "serverInternal" => "the fault is the CA's: try again later",
        _ => return None,
    })
}

enum Cause {
    Distrust(String),
    Other(String),
}

/// What lies behind an error of the library: its own words are `client error (Connect)`.
fn cause(error: &instant_acme::Error) -> Cause {
    if let Some(why) = distrust(error) {
        return Cause::Distrust(why);
    }
    let mut whole = error.to_string();
    let mut at = error.source();
    while let Some(error) = at {
        let said = error.to_string();
        if !whole.contains(&said) {
            whole = format!("{whole}: {said}");
        }
        at = error.source();
    }
    let why = match error {
        instant_acme::Error::Json(_) => format!("it does not answer as an ACME directory does: {whole}"),
        _ => whole,
    };
    Cause::Other(tame(&why))
}

/// Of what others write this many characters are told.
const LONGEST: usize = 600;

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(text: &str) -> Problem {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn a_problem_is_told_in_the_words_of_the_ca() {
        let one = problem(
            r#"{"type": "urn:ietf:params:acme:error:malformed", "detail": "Two names.",
            "subproblems": [{"detail": "a\nb", "identifier": {"type": "dns", "value": "x.example"}},
            {"detail": "no name"}]}"#,
        );
        assert_eq!(words(&one), "Two names.; x.example: a b; no name");
        assert_eq!(words(&problem(r#"{"type": "urn:ietf:params:acme:error:caa"}"#)), "caa");
        assert_eq!(words(&problem("{}")), "no reason is given");
        assert_eq!(words(&problem(r#"{"detail": "A sentence."}"#)), "A sentence");
        let long = problem(&format!(r#"{{"detail": "{}"}}"#, "ä".repeat(5000)));
        assert_eq!(words(&long).chars().count(), LONGEST + 1);
    }
}
