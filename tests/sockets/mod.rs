//! Real servers and real sockets, in the hands of a client that can be as strange as the test needs it.

mod balancer;
pub(crate) mod facts;
mod faults;
mod files;
pub(crate) mod house;
mod links;
mod many;
mod modes;
mod order;
mod outside;
pub(crate) mod peer;
mod pool;
mod process;
mod tls;
