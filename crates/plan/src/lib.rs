//! Where the second connection goes, whom to believe, which ports, what firewalls must let through, and why it failed.
//!
//! | question | where |
//! | --- | --- |
//! | what the session knows of its next data connection | [`data`] |
//! | which address of a peer we believe | [`address`] |
//! | which address and port we tell a peer | [`outside`] |
//! | which port is free | [`ports`] |
//! | whether an address is one of a network | [`network`] |
//! | what the network must let through, and why | [`flow`] |
//! | what of that cannot be | [`conflict`] |
//! | rules for it, in the dialects of firewalls | [`firewall`] |
//! | the same plan in the configuration of other servers | [`peers`] |
//! | why no connection came about, and what to do | [`fault`]; one of each: [`samples`] |
//!
//! Numbers and words only: nothing here binds, connects or waits; `net` does.

pub mod address;
pub mod conflict;
pub mod data;
pub mod fault;
pub mod firewall;
pub mod flow;
pub mod network;
pub mod outside;
pub mod peers;
pub mod ports;
pub mod samples;
mod why;

pub use address::{TargetRefused, active_target, link_peer_allowed};
pub use conflict::Conflict;
pub use data::{DataPlan, PlanSlot, Way};
pub use fault::{LinkFault, Stall};
pub use flow::{Mode, Side, Site};
pub use network::{BadNetwork, Network};
pub use outside::{Outside, PortMap, Tell};
pub use ports::{BadRange, Gauge, PortPool, PortRange, Spent};
