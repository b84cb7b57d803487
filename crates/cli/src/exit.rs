//! Exit codes, a promise to scripts, and what is said with them on stderr.

use std::fmt;
use std::process::ExitCode;

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// All is done.
    Done = 0,
    /// What was typed, or the configuration, cannot be right.
    Usage = 2,
    /// A file or the system of this machine.
    Local = 6,
    /// Stopped before all was done.
    Incomplete = 7,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

/// The end of a run that did not do what was asked: a sentence of what failed, why, and what to do.
#[derive(Debug)]
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

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
