//! Our client: with our server, and with servers that are strange on purpose.

mod house;
mod mirror;
mod proxies;
mod strange;
