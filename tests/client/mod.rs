//! Our client: with our server, and with servers that are strange on purpose.

mod alive;
mod blocking;
mod clock;
mod crossing;
mod examples;
mod families;
mod hostile;
mod house;
mod last_word;
mod mirror;
mod old;
mod proxies;
mod strange;
