//! Our client: with our server, and with servers that are strange on purpose.

mod crossing;
mod hostile;
mod house;
mod last_word;
mod mirror;
mod proxies;
mod strange;
