//! `send` and `receive`: each picks the road in one match. The wire is never shut down here; that is its owner's word
//! to the peer.

use crate::body::{Body, Sink};
use crate::cut::Cut;
#[cfg(not(target_os = "linux"))]
use crate::elsewhere as kernel;
use crate::fallback::{self, Outlet, PROVEN};
#[cfg(target_os = "linux")]
use crate::linux as kernel;
use crate::pace::{Pace, Terms};
use crate::progress::Progress;
use crate::range::Range;
use crate::recode::{Decoder, Encoder, Form};
use crate::wire::Wire;

/// Sends `body` and returns the bytes put on the wire, without what frames them, counted in `progress` as they go.
/// Dropping the future stops it within a chunk of at most 1 MiB. Needs a tokio runtime with time. `terms` may be a
/// `Duration`: how long nothing may move.
///
/// # Errors
/// On the wire's side when the peer is gone or nothing moves for so long; on the file's side when the body cannot be
/// read or a file ends before a promised `length`.
pub async fn send(
    body: Body,
    wire: &mut dyn Wire,
    form: impl Into<Form>,
    terms: impl Into<Terms>,
    progress: &Progress,
) -> Result<u64, Cut> {
    let pace = &mut Pace::new(terms, progress);
    let encoder = Encoder::new(form.into());
    match body {
        Body::File { file, from, length } => {
            let range = &mut Range::new(file, from, length).map_err(|error| pace.file(error))?;
            let done = match (&encoder, wire.bare()) {
                (None, Some(bare)) => kernel::send(range, bare, pace).await?,
                _ => false,
            };
            if !done {
                Outlet::new(wire, encoder).send_range(range, pace).await?;
            }
        }
        Body::Bytes(bytes) => {
            let sent = match (&encoder, wire.bare()) {
                (None, Some(bare)) if !pace.is_limited() => kernel::at_once(bare, &bytes),
                _ => 0,
            };
            pace.count(sent);
            Outlet::new(wire, encoder).send_bytes(&bytes[sent..], pace).await?;
        }
        Body::Source(mut source) => Outlet::new(wire, encoder).send_source(&mut *source, pace).await?,
    }
    Ok(pace.moved())
}

/// Receives into `sink` until the file ends, with the stream or (MODE B) before it, and returns the bytes that came,
/// without what frames them, counted in `progress` as they go. A file sink's `at` stands behind the last byte written,
/// also after an error or a drop; what arrived before a fault of the wire is kept. Needs a tokio runtime with time.
/// `terms` may be a `Duration`: how long nothing may come.
///
/// # Errors
/// On the wire's side when the connection breaks, nothing comes for so long, or the stream has a strange mark or header
/// or no end mark; on the file's side when the bytes cannot be kept.
pub async fn receive(
    wire: &mut dyn Wire,
    sink: &mut Sink,
    form: impl Into<Form>,
    terms: impl Into<Terms>,
    progress: &Progress,
) -> Result<u64, Cut> {
    let pace = &mut Pace::new(terms, progress);
    let decoder = Decoder::new(form.into());
    // A pipe costs more than a small file: the first bytes are read the plain way, whoever the wire is.
    let splices = wire.bare().is_some() && decoder.is_none() && matches!(sink, Sink::File { .. });
    let enough = if splices { PROVEN } else { u64::MAX };
    let mut done = fallback::receive(wire, sink, decoder, enough, pace).await?;
    if let (false, Some(bare), Sink::File { file, at }) = (done, wire.bare(), &mut *sink) {
        done = kernel::receive(bare, file, at, pace).await?;
    }
    if !done {
        fallback::receive(wire, sink, None, u64::MAX, pace).await?;
    }
    Ok(pace.moved())
}
