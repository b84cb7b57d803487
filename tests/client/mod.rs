//! Our client: with our server, and with servers that are strange on purpose.

mod crossing;
mod house;
mod mirror;
mod proxies;
mod strange;
