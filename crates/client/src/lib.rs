//! The user side of FTP as a library: connect, list, fetch, store. The road of the data connection is found by trying
//! (`session::client`), every step is told, and what a server says is believed only as far as it must be.

pub mod client;
pub mod drive;
pub mod error;
pub mod features;
pub mod journey;
pub mod local_name;
pub mod memory;
pub mod mirror;
pub mod netrc;
pub mod proxy;
mod text;
pub mod upload;
pub mod url;

pub use client::{Client, Moved, Options, Put};
pub use drive::{Listener, Notice};
pub use error::Error;
pub use features::Features;
pub use journey::Journey;
pub use upload::{Onto, Upload, Uploaded, Word};
