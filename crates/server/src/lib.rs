//! An FTP server as a library: `Server::bind(settings)`, then `run(shutdown)`.
//!
//! | what | where |
//! | --- | --- |
//! | its configuration, as values and as a file | [`settings`], [`config`] |
//! | where certificates come from | [`certificates`] |
//! | what can be said before the first session | [`outlook`] |
//! | accept, count, refuse, drain | [`server`] |
//! | one task per session: the `select!` that feeds the machine and obeys it | `session` |
//! | one transfer: body, link, bytes, end; how the link is had | `transfer`, `road` |
//! | one file operation; one listing; its patterns | `files`, `listing`, `pattern` |
//! | balancers in front, and how often one is complained of | `balancers` |
//! | what goes to the log | `journal` |

pub mod certificates;
pub mod config;
pub mod outlook;
pub mod server;
pub mod settings;

mod balancers;
mod crew;
mod error;
mod files;
mod journal;
mod listing;
mod lookout;
mod pattern;
mod road;
mod session;
mod shared;
mod stop;
mod tally;
mod transfer;

pub use error::StartError;
pub use server::{Server, Warden, raise_descriptor_limit};
pub use settings::{Active, Listener, Resumption, Settings, Tls};
/// What settings are made of, so that a caller needs no other crate.
pub use twoport_net::outside::{Cloud, Witness};
pub use twoport_net::tls::ClientCertificates;
pub use twoport_plan::outside::{Outside, PortMap, Rule, Tell};
pub use twoport_plan::ports::{Gauge, PortRange};
pub use twoport_plan::{LinkFault, Network};
pub use twoport_proto::Secret;
pub use twoport_session::rights::Right;
pub use twoport_session::server::Door;
pub use twoport_session::{Limits, Need, Needs, Rights};
pub use twoport_store::CutUploads;
pub use twoport_users::{Account, Accounts, Certificate, Password};
