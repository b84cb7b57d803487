//! Our client: with our server, and with servers that are strange on purpose.

mod alive;
mod examples;
mod house;
mod last_word;
mod mirror;
mod strange;
