//! The situations in which FTP fails, each made for real of network namespaces on one machine: a client, the router before it, the
//! router before the server, and a server. Root on Linux only.
//!
//! | what | where |
//! | --- | --- |
//! | what a situation is | [`situation`] |
//! | all of them, by kind | [`situations`], and the files of `table` |
//! | a situation that has been built | [`Stage`] |
//! | which modes and which clients get through there | [`attempt`], [`programs`], all of it in a [`Report`] |
//!
//! # Which situation shows what
//!
//! Each situation has the numbers of the failures that it shows; one that begins with a dash shows none and is there to compare.
//! P are failures of passive mode, A of active mode, D of the data phase and of TLS, C of the way to the login.
//! `twoport lab --list` prints the table.
#![cfg(target_os = "linux")]

pub mod attempt;
mod boxes;
pub mod programs;
pub mod report;
mod scripted;
pub mod situation;
mod stage;
mod table;

pub use report::Report;
pub use situation::{Mode, Outcome, Situation};
pub use stage::{PASSWORD, Stage, USER};
pub use table::situations;
