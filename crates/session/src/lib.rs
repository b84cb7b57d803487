//! What must happen next in an FTP session: two machines over one law. No socket, no clock, no await: time comes in as a
//! value, what happened comes in as an [`server::io::Input`], what to do goes out as an [`server::io::Output`].
//!
//! | question | where |
//! | --- | --- |
//! | what is legal when, and which codes may answer | [`law`] |
//! | what an account may do | [`rights`] |
//! | every cap and every deadline | [`limits`] |
//! | what an onlooker may learn | [`event`] |
//! | what servers are known to bear | [`quirks`] |
//! | the server's side of a session | [`server`] |
//! | the client's side | [`client`] |

pub mod client;
pub mod event;
pub mod law;
pub mod limits;
pub mod quirks;
pub mod rights;
pub mod server;

pub use client::ClientSession;
pub use event::Event;
pub use limits::Limits;
pub use quirks::Quirks;
pub use rights::{Grant, Need, Needs, Right, Rights};
pub use server::ServerSession;
