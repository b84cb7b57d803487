//! What can go wrong, by whose fault: a script can branch on these, and the exit codes of the program are these.

use std::io;

use thiserror::Error;
use twoport_proto::reply_reader::ReceivedReply;
use twoport_session::client::io::Failed;

/// Why something was not done.
#[derive(Debug, Error)]
pub enum Error {
    /// The server said no.
    #[error("the server refused: {code} {text}")]
    Refused {
        /// The code.
        code: u16,
        /// The text, as it came.
        text: String,
    },
    /// The control connection, or every road of the data connection, did not come about.
    #[error("{what}{}", steps.iter().map(|step| format!("\n  {step}")).collect::<String>())]
    Unreachable {
        /// What could not be reached, and why.
        what: String,
        /// What was tried, one line each.
        steps: Vec<String>,
    },
    /// The server's words have no meaning where they came, or it fell silent.
    #[error("{0}")]
    OutOfStep(String),
    /// The server closed the connection on FEAT: it bears no command that is younger than RFC 959.
    #[error("the server closed the control connection when it was asked what it can do (FEAT)")]
    ClosedOnFeat,
    /// The server's listing is in no form that is known.
    #[error("{0}")]
    NotUnderstood(String),
    /// A transfer fell short: bytes that did go over, and why it ended.
    #[error("the transfer ended after {bytes} bytes: {why}")]
    Short {
        /// Bytes over the data connection.
        bytes: u64,
        /// Why.
        why: String,
    },
    /// All bytes of a transfer went over, and whether that was all is not known: the server's last word is lost.
    #[error("{bytes} bytes went over, and the server's last word on them never came{}", behind(why))]
    Unconfirmed {
        /// Bytes over the last data connection.
        bytes: u64,
        /// Why nobody could be asked, if somebody was to be asked.
        why: String,
    },
    /// A name or another argument cannot be sent.
    #[error("{0}")]
    BadArgument(String),
    /// TLS was demanded and not had, or the server is not whom it must be.
    #[error("{0}")]
    Insecure(String),
    /// TLS came about on the data connection, and the server refused it because it did not resume the session.
    #[error("the server wants each data connection to resume its TLS session: {0}")]
    NotResumed(String),
    /// A file or the system of this machine.
    #[error("{what}: {source}")]
    Local {
        /// What was being done.
        what: String,
        /// What the system said.
        source: io::Error,
    },
}

fn behind(why: &str) -> String {
    if why.is_empty() { String::new() } else { format!("; {why}") }
}

impl Error {
    pub(crate) fn refused(reply: &ReceivedReply) -> Self {
        Error::Refused { code: reply.code, text: reply.text() }
    }

    /// Whether the server says that there is no such file. The code says only that something is not available; the
    /// words are those that servers use.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        let Error::Refused { code: 550 | 450, text } = self else { return false };
        let text = text.to_ascii_lowercase();
        ["no such", "not found", "not exist", "n't exist", "cannot find", "can't find"]
            .iter()
            .any(|said| text.contains(said))
    }

    /// Whether the server does not know the command: another one may do.
    #[must_use]
    pub fn is_unknown_command(&self) -> bool {
        matches!(self, Error::Refused { code: 500 | 502 | 504 | 501, .. })
    }
}

impl From<Failed> for Error {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Refused(reply) => Error::refused(&reply),
            Failed::NoRoad(steps) => {
                Error::Unreachable { what: "no data connection came about on any road:".to_owned(), steps }
            }
            Failed::Gone(why) => Error::Unreachable { what: why, steps: Vec::new() },
            Failed::OutOfStep(why) => Error::OutOfStep(why),
            Failed::NoTls(why) => Error::Insecure(why),
            Failed::BadArgument(why) => Error::BadArgument(why),
        }
    }
}
