//! The user side of FTP as a library: connect, list, fetch, store, mirror. The road of the data connection is found by trying,
//! every step is told, and what a server says is believed only as far as it must be.
//!
//! ```no_run
//! use twoport_client::{Client, Options, deaf, url::Url};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let url: Url = "ftp://ftp.example.org/pub/".parse()?;
//! let mut client = Client::to(&url, Options::default(), deaf()).await?;
//! for entry in client.list(&url.target(), twoport_client::now()).await? {
//!     println!("{:>12} {}", entry.size, String::from_utf8_lossy(&entry.name));
//! }
//! client.quit().await;
//! # Ok(())
//! # }
//! ```
//!
//! # A tour
//!
//! | wanted | where |
//! | --- | --- |
//! | one session, one command after the other | [`Client`] |
//! | work that is carried through when sessions are cut or a box on the way kills them | [`Journey`] |
//! | a file that has its name only when it is whole | [`local_name::Download`] |
//! | a file carried up, and judged where the server's last word is lost | [`Upload`] |
//! | a folder made like another, here or there | [`mirror`] |
//! | how far a transfer is; how fast it may be | [`Progress`], [`Rate`] |
//! | which roads may be tried, and how long each wait may be | [`Options`] |
//! | what happened on the way: the dialogue, steps to another road | [`Notice`] |
//! | TLS: whether it must be, and whom to believe | [`Security`], [`KnownHosts`] |
//! | addresses, logins, proxies | [`url`], [`netrc`], [`proxy`] |
//! | the same without `async` | [`blocking`] |
//!
//! The folder `examples` has a program for most rows. Paths are bytes, as the server has them; a [`url::Url`] gives its
//! path by [`url::Url::target`].
//!
//! What goes wrong is an [`Error`], told apart by whose fault it is. A name that a server sends never leads out of the folder
//! that it is meant for ([`local_name::LocalName`]), and a password is in no notice and in no error.

pub mod blocking;
pub mod charset;
pub mod client;
pub mod crew;
pub mod drive;
pub mod error;
pub mod family;
pub mod features;
pub mod journey;
pub mod known_hosts;
pub mod local_name;
pub mod memory;
pub mod mirror;
pub mod netrc;
pub mod proxy;
pub mod security;
pub mod segments;
mod text;
pub mod upload;
pub mod url;

pub use charset::Charset;
pub use client::{Client, Moved, Options, Put, Representation};
pub use crew::Crew;
pub use drive::{Listener, Notice, deaf};
pub use error::Error;
pub use family::Family;
pub use features::Features;
pub use journey::Journey;
pub use known_hosts::KnownHosts;
pub use security::Security;
pub use upload::{Onto, Upload, Uploaded, Word};
pub use url::Login;

pub use twoport_net::tls::{Identity, Pin, Versions};

// What the calls here take and give, so that a user needs no other crate of ours.
pub use twoport_pipe::{Body, Boxed, Progress, Rate, Sink, Source, Taker};
pub use twoport_proto::modes::Mode;
pub use twoport_proto::reply_reader::ReceivedReply;
pub use twoport_proto::{Entry, Kind, Moment, Request, Secret, Verb};
pub use twoport_session::client::io::{Flights, Road, Rung, Tls};

/// This moment: the times of some listings are told without a year, and are read as seen from it.
#[must_use]
pub fn now() -> Moment {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Moment::from_seconds(i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}
