//! `Cut`: a transfer that did not get there, and whose fault that was. The reply (426 for the wire, 451 or 452 for the
//! file) is the caller's business.

use std::error::Error;
use std::fmt;
use std::io;

/// The two ends of a transfer, as seen from here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// What is read or written locally: a file, a source, a taker.
    File,
    /// The data connection and the peer behind it.
    Wire,
}

/// A transfer that broke off.
#[derive(Debug)]
pub struct Cut {
    /// Which side failed.
    pub side: Side,
    /// Bytes that had gone over the wire before.
    pub moved: u64,
    /// How it failed; an error of the system keeps its `raw_os_error`.
    pub source: io::Error,
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = match self.side {
            Side::File => "file",
            Side::Wire => "data connection",
        };
        write!(f, "the {side} failed after {} bytes", self.moved)
    }
}

impl Error for Cut {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.source)
    }
}
