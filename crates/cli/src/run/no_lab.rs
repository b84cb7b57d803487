//! `twoport lab` where there is no Linux.

use crate::args::Lab;
use crate::exit::Stopped;

/// Says that there is none.
pub(crate) fn lab(_: &Lab) -> Result<(), Stopped> {
    Err(Stopped::local("twoport lab makes networks of Linux's network namespaces; run it on Linux, as root"))
}
