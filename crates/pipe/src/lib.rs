//! The byte mover: from a body to a wire and from a wire to a sink, by the fastest road that fits, and when it does not
//! get there it says which side failed. It knows no command and no reply.
//!
//! ```text
//!   Body ── file ──────────────────── sendfile ─────────────────────> Wire, bare
//!        └─ anything ── one buffer ── recoded, framed, or not ──────> Wire
//!   Sink <─ file ──────────────────── splice ──────────────────────── Wire, bare
//!        <─ anything ── one buffer ── recoded, framed, or not ─────── Wire
//! ```

pub mod body;
pub mod copy;
pub mod cut;
pub mod digest;
pub mod progress;
pub mod rate;
pub mod recode;
pub mod wire;

mod ascii;
mod block;
mod deflate;
#[cfg(not(target_os = "linux"))]
mod elsewhere;
mod fallback;
#[cfg(target_os = "linux")]
mod linux;
mod pace;
mod range;
mod record;

pub use body::{Body, Boxed, Sink, Source, Taker};
pub use copy::{receive, send};
pub use cut::{Cut, Side};
pub use digest::digest;
pub use pace::Terms;
pub use progress::Progress;
pub use rate::Rate;
pub use recode::{Form, Framing, Recode};
pub use wire::{Bare, Wire};

#[cfg(test)]
mod tests;
