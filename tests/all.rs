//! All tests across the crates, one binary.
#![allow(clippy::unwrap_used, reason = "in a test binary an unwrap is a failed test")]

mod client;
mod dialogues;
mod face;
mod interop;
#[cfg(target_os = "linux")]
mod netns;
mod shell;
mod sockets;
mod support;
mod walks;
