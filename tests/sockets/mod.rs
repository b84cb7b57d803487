//! Real servers and real sockets, in the hands of a client that can be as strange as the test needs it.

mod balancer;
mod files;
pub(crate) mod house;
mod links;
mod many;
mod modes;
mod order;
pub(crate) mod peer;
mod process;
mod tls;
