//! Where the kernel has no road of its own that we know of: both functions step aside and the plain loop does it all.

use std::fs::File;

use crate::cut::Cut;
use crate::pace::Pace;
use crate::range::Range;
use crate::wire::Bare;

/// See `linux::send`.
pub(crate) async fn send(_: &mut Range, _: &mut dyn Bare, _: &mut Pace<'_>) -> Result<bool, Cut> {
    Ok(false)
}

/// See `linux::at_once`.
pub(crate) fn at_once(_: &dyn Bare, _: &[u8]) -> usize {
    0
}

/// See `linux::receive`.
pub(crate) async fn receive(_: &mut dyn Bare, _: &File, _: &mut u64, _: &mut Pace<'_>) -> Result<bool, Cut> {
    Ok(false)
}
