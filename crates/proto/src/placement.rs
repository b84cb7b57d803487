//! How an upload meets what is already there: the difference between STOR, STOU, APPE and REST with STOR; and the
//! facts of a file that MFMT, MFCT, MFF and SITE change.

use crate::time::Moment;

/// Where the bytes of an upload go (RFC 959 §4.1.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placement {
    /// STOR: the name holds the new bytes afterwards, whatever it held before.
    Replace,
    /// STOR by an account that may not overwrite: the name must be new.
    New,
    /// STOR after REST: from this offset on; what lay behind the last byte received is dropped.
    At(u64),
    /// APPE: behind what is there; a new file when nothing is.
    Append,
    /// STOU: like `New`, but a taken name is changed until it is free (`name.1`, `name.2`, …).
    Unique,
}

/// Facts of a file to be changed; `None` leaves one as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Change {
    /// Last change of the content.
    pub modified: Option<Moment>,
    /// Last look at the content.
    pub accessed: Option<Moment>,
    /// When it was made; few backends can set it.
    pub created: Option<Moment>,
    /// Unix permission bits (`0o7777`).
    pub mode: Option<u32>,
}
