//! TLS with clients that misbehave, or know more of it than most: they are Python, whose ssl can be told what to offer.
//! Each check stands in a script of this folder; a test here opens the house that it is for.

mod attacks;
mod certificates;
mod modes;
mod paper;
mod ties;

use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use super::house::House;
use crate::support::program::{self, have};

/// Whether Python is there.
fn python() -> bool {
    have("python3")
}

/// Runs one check of a script against a house; most do all for TLS 1.2 and again for 1.3.
#[track_caller]
fn check(house: &House, script: &str, name: &str, more: &[&str]) {
    check_at(&house.address.ip(), house.address.port(), &house.path(""), script, name, more);
}

/// The same with any server, and the folder that it shares.
#[track_caller]
fn check_at(ip: &IpAddr, port: u16, root: &Path, script: &str, name: &str, more: &[&str]) {
    let (ip, port) = (ip.to_string(), port.to_string());
    let mut command = program::program("python3", root, root);
    let script = format!("{}/sockets/tls/{script}", env!("CARGO_MANIFEST_DIR"));
    // Without -B it would write beside the scripts.
    command.args(["-B", &script, name, &ip, &port]).arg(root).args(more);
    program::run(command, "", Duration::from_secs(120)).fine().prints(&["ok"]);
}
