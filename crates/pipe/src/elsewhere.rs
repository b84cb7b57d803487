//! Where the kernel has no road of its own that we know of: both functions step aside and the plain loop does it all.

use std::fs::File;

use tokio::net::TcpStream;

use crate::cut::Cut;
use crate::pace::Pace;
use crate::range::Range;

/// See `linux::send`.
pub(crate) async fn send(_: &mut Range, _: &TcpStream, _: &mut Pace<'_>) -> Result<bool, Cut> {
    Ok(false)
}

/// See `linux::at_once`.
pub(crate) fn at_once(_: &TcpStream, _: &[u8]) -> usize {
    0
}

/// See `linux::receive`.
pub(crate) async fn receive(_: &TcpStream, _: &File, _: &mut u64, _: &mut Pace<'_>) -> Result<bool, Cut> {
    Ok(false)
}
