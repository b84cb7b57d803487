//! Our client: with our server, and with servers that are strange on purpose.

mod clock;
mod crossing;
mod families;
mod hostile;
mod house;
mod last_word;
mod mirror;
mod old;
mod proxies;
mod strange;
