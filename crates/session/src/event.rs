//! `Event`: all that an onlooker may learn of a session. Values, not calls; no secret is ever in one.

use std::time::Duration;

use twoport_plan::LinkFault;
use twoport_proto::{FtpPath, Verb};

/// Something that happened in a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Somebody is in.
    LoggedIn {
        /// The account.
        account: String,
    },
    /// Somebody was not let in.
    LoginFailed {
        /// The name that was tried.
        name: String,
    },
    /// The control connection is in TLS.
    Secured {
        /// Version, cipher suite, whether a session was resumed.
        how: String,
    },
    /// A handshake on the control connection came to nothing.
    NotSecured {
        /// Why.
        why: String,
    },
    /// A transfer came to its end, good or bad.
    TransferEnded {
        /// RETR, STOR, LIST…
        verb: Verb,
        /// On what.
        path: FtpPath,
        /// Bytes over the data connection.
        bytes: u64,
        /// From the command to the end.
        took: Duration,
        /// The code that the peer was told.
        code: u16,
        /// Why it fell short; nothing when it is whole.
        fault: Option<String>,
    },
    /// The second connection did not come about, or broke.
    LinkFailed {
        /// The command that needed it.
        verb: Verb,
        /// Why.
        fault: LinkFault,
    },
    /// Something in the tree was changed by a command without a transfer.
    Changed {
        /// DELE, MKD, RNTO…
        verb: Verb,
        /// What it is called now, or was called.
        path: FtpPath,
    },
    /// The session is over, and why.
    Ended {
        /// A few words: `quit`, `idle too long`, `connection closed by the client`.
        why: &'static str,
    },
}
