//! Where the second connection goes, whom to believe, which ports, and why it failed.
//!
//! | question | where |
//! | --- | --- |
//! | what the session knows of its next data connection | [`data`] |
//! | which address of a peer we believe | [`address`] |
//! | which address and port we tell a peer | [`outside`] |
//! | which port is free | [`ports`] |
//! | whether an address is one of a network | [`network`] |
//! | why no connection came about, and what to do | [`fault`] |
//!
//! Numbers and words only: nothing here binds, connects or waits; `net` does.

pub mod address;
pub mod data;
pub mod fault;
pub mod network;
pub mod outside;
pub mod ports;
mod why;

pub use address::{TargetRefused, active_target, link_peer_allowed};
pub use data::{DataPlan, PlanSlot, Way};
pub use fault::{LinkFault, Stall};
pub use network::{BadNetwork, Network};
pub use outside::{Outside, PortMap, Tell};
pub use ports::{BadRange, Gauge, PortPool, PortRange, Spent};
