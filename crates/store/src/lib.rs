//! Files behind one door: what a backend promises ([`Store`]), a folder of this machine ([`Local`]), a tree in memory
//! ([`Memory`]), and the tests that every backend must pass ([`contract`]). It says what happened in file words
//! ([`twoport_proto::Failure`]); codes and texts for a peer are made elsewhere.
//!
//! A third-party backend implements [`Store`] and calls [`contract::check`] in its own tests.
#![forbid(unsafe_code)]

pub mod contract;
mod error;
#[cfg(target_os = "linux")]
mod local;
mod memory;
mod store;

pub use error::Error;
#[cfg(target_os = "linux")]
pub use local::{Local, LocalOptions};
pub use memory::Memory;
pub use store::{Answer, CutUploads, Folder, Links, Order, Pending, Reading, Store, Upload};
