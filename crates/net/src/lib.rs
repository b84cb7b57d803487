//! The edge: the only crate that opens sockets. It carries lines and bytes, and knows no rule of the session.

pub mod control;
mod crossing;
pub mod data;
pub mod dial;
pub mod listen;
pub mod mapping;
pub mod proxy;
pub mod proxy_protocol;
pub mod tls;

pub use control::ControlStream;
pub use data::{DataStream, SendQueue};
pub use dial::{Source, dial, dial_first};
pub use listen::{ActiveListener, DataListener, PassivePorts, Unwanted, bind_control, own_addresses};
