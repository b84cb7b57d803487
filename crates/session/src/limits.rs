//! Every cap and every deadline of a session, with its reason, as one value.

use std::time::Duration;

/// Caps and deadlines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Longest command line in bytes: a path of 4096 bytes, a verb and some air.
    pub line: usize,
    /// Lines that may wait while another command is at work; beyond that the driver stops reading, and TCP tells the
    /// peer to wait.
    pub queued_lines: usize,
    /// From the connection to a login: a stranger holds a session no longer.
    pub login: Duration,
    /// Between two commands of somebody who is logged in and moves nothing.
    pub idle: Duration,
    /// How long 150 waits for the data connection before it is said anyway, for clients that connect only after it.
    pub grace: Duration,
    /// How long a transfer waits for its data connection.
    pub link: Duration,
    /// How long a TLS handshake may take, on either connection: whoever says AUTH and falls silent holds nothing longer.
    pub handshake: Duration,
    /// How long a data connection may move nothing.
    pub stall: Duration,
    /// Wrong passwords before the connection ends: a guesser must come back for more.
    pub login_failures: u32,
    /// Lines that STAT with a path may answer with over the control connection.
    pub stat_lines: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            line: 4096 + 256,
            queued_lines: 128,
            login: Duration::from_secs(60),
            idle: Duration::from_secs(300),
            grace: Duration::from_secs(1),
            link: Duration::from_secs(30),
            handshake: Duration::from_secs(10),
            stall: Duration::from_secs(120),
            login_failures: 3,
            stat_lines: 2000,
        }
    }
}
