//! The edge: the only crate that opens sockets. It carries lines and bytes, and knows no rule of the session.

pub mod control;
mod crossing;
pub mod data;
pub mod dial;
mod http;
mod icmp;
pub mod knock;
mod late;
pub mod listen;
pub mod mapping;
pub mod outside;
pub mod proxy;
pub mod proxy_protocol;
mod queue;
pub mod switchboard;
pub mod tls;

pub use control::ControlStream;
pub use data::DataStream;
pub use dial::{Source, dial, dial_first, dial_telling};
pub use listen::{ActiveListener, bind_control, own_addresses};
pub use queue::{InUse, Lost, Packets, SendQueue, half_open_from, in_use, unheard_from};
pub use switchboard::{DataListener, PassivePorts, Unwanted};
