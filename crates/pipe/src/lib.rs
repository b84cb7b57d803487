//! The byte mover: from a body to a wire and from a wire to a sink, by the fastest road that fits, and when it does not
//! get there it says which side failed. It knows no command and no reply.

pub mod body;
pub mod progress;

pub use body::{Body, Boxed, Sink, Source, Taker};
pub use progress::Progress;
