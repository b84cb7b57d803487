//! Our client: with our server, and with servers that are strange on purpose.

mod hostile;
mod house;
mod mirror;
mod strange;
