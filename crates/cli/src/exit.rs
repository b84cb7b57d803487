//! Exit codes, a promise to scripts, and what is said with them on stderr.

use std::process::ExitCode;

use twoport_client::Error;

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// All is done.
    Done = 0,
    /// Not found, or it differs.
    NotFound = 1,
    /// What was typed, or the configuration, cannot be right.
    Usage = 2,
    /// The server said no.
    Refused = 3,
    /// The control connection or the data connection did not come about.
    Unreachable = 4,
    /// TLS was demanded and could not be had.
    Insecure = 5,
    /// A file or the system of this machine.
    Local = 6,
    /// Stopped before all was done.
    Incomplete = 7,
}

impl Exit {
    /// One word for a script, as the code is one number.
    pub(crate) fn cause(self) -> &'static str {
        match self {
            Exit::Done => "done",
            Exit::NotFound => "not-found",
            Exit::Usage => "usage",
            Exit::Refused => "refused",
            Exit::Unreachable => "unreachable",
            Exit::Insecure => "insecure",
            Exit::Local => "local",
            Exit::Incomplete => "incomplete",
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

/// The end of a run that did not do what was asked: a sentence of what failed, why, and what to do; none where it was printed already.
#[derive(Debug, Clone)]
pub(crate) struct Stopped {
    pub(crate) exit: Exit,
    pub(crate) text: String,
}

impl Stopped {
    pub(crate) fn usage(text: impl Into<String>) -> Self {
        Stopped { exit: Exit::Usage, text: text.into() }
    }

    pub(crate) fn local(text: impl Into<String>) -> Self {
        Stopped { exit: Exit::Local, text: text.into() }
    }
}

impl From<Error> for Stopped {
    fn from(e: Error) -> Self {
        let exit = match &e {
            e if e.is_not_found() => Exit::NotFound,
            Error::Refused { .. } | Error::NotResumed(_) => Exit::Refused,
            Error::Insecure(_) => Exit::Insecure,
            Error::Unreachable { .. }
            | Error::ClosedOnFeat
            | Error::OutOfStep(_)
            | Error::NotUnderstood(_) => Exit::Unreachable,
            Error::BadArgument(_) => Exit::Usage,
            Error::Short { .. } | Error::Unconfirmed { .. } => Exit::Incomplete,
            Error::Local { .. } => Exit::Local,
        };
        Stopped { exit, text: e.to_string() }
    }
}
