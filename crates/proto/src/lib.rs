//! Every word of FTP, both ways: what one side writes here, the other side reads here.
//!
//! | kind of word | where |
//! | --- | --- |
//! | verbs and their one table, commands with typed arguments | [`verb`], [`command`] |
//! | replies, written and read | [`reply`], [`reply_reader`] |
//! | bytes to lines: CRLF, Telnet, the length cap | [`line`](mod@line) |
//! | host-port texts of PORT, EPRT, 227 and 229 | [`hostport`] |
//! | paths and names | [`path`], [`glob`] |
//! | TYPE, STRU, MODE, hash algorithms | [`modes`] |
//! | what is known of one file, and how listings say it | [`entry`], [`listing`], [`time`] |
//! | what can go wrong | [`failure`] with files, [`error`] with words |
//! | what a server saw of a session, in SITE DOCTOR | [`sightings`] |
//!
//! No dependency, no socket, no clock.

pub mod command;
pub mod entry;
pub mod error;
pub mod failure;
pub mod glob;
pub mod hostport;
pub mod line;
pub mod listing;
pub mod modes;
pub mod path;
pub mod placement;
pub mod reply;
pub mod reply_reader;
pub mod request;
pub mod secret;
pub mod sightings;
pub mod time;
pub mod verb;

pub use command::Command;
pub use entry::{Entry, Kind};
pub use error::Malformed;
pub use failure::Failure;
pub use path::FtpPath;
pub use reply::{Code, Reply};
pub use request::Request;
pub use secret::Secret;
pub use sightings::Sightings;
pub use time::Moment;
pub use verb::Verb;
