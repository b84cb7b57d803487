//! Whether the files of both sides are the same to the byte, by their hashes.

use std::os::unix::fs::OpenOptionsExt;
use std::sync::Arc;

use rustix::fs::OFlags;

use super::act::{Event, Sides};
use super::step::local;
use super::tree::{join, names};
use crate::client::Client;
use crate::crew::{self, Crew};
use crate::error::Error;
use crate::local_name::beneath;

/// Compares the files at `paths`, relative to both roots, in the sessions of `crew`: whether each is the same on both sides,
/// in the order of the paths.
///
/// # Errors
/// For each file on its own: it cannot be read here, or the server does not tell its hash.
pub async fn verify(
    crew: &mut Crew,
    sides: Sides<'_>,
    paths: &[Vec<u8>],
    tell: &dyn Fn(Event<'_>),
) -> Vec<Result<bool, Error>> {
    let compare = async |journey: &mut crate::journey::Journey, path: &Vec<u8>| {
        let refused = |e| local("cannot read", e);
        let here = beneath(sides.local, &names(path).map_err(refused)?);
        let flags = i32::try_from((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits()).unwrap_or(0);
        let file = std::fs::OpenOptions::new().read(true).custom_flags(flags).open(here).map_err(refused)?;
        let (file, remote) = (Arc::new(file), join(sides.remote, path));
        journey.run(|| 0, async |client: &mut Client| client.agrees(&remote, &file).await).await
    };
    crew::each(crew, paths, compare, &|left, e| tell(Event::Fewer(left, e))).await
}
