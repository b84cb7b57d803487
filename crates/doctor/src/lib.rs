//! The doctor: why FTP does not work between here and a server, which side must change what, and how sure that is. Probes see
//! ([`evidence`]), a table decides ([`diagnosis`]), another one speaks ([`causes`]). Nothing is changed and nothing is left on the
//! server, and no probe needs a privilege.
//!
//! ```text
//!   exam ──> probes ──> Evidence ──> diagnosis ──> report: words, figure, JSON
//! ```

pub mod causes;
mod cell;
pub mod diagnosis;
mod dialogue;
pub mod evidence;
mod exam;
pub mod host;
mod path;
pub mod report;
mod server_side;

pub use exam::{Patient, Teller, examine};
pub use report::Report;
pub use server_side::ServerSide;
