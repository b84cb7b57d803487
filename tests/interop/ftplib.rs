//! Python's ftplib. The checks are in `ftplib_checks.py`; each runs passive and active, over IPv4 and IPv6.

use std::net::TcpListener;
use std::time::Duration;

use crate::support::program::have;
use crate::support::server::Server;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/interop/ftplib_checks.py");

/// Whether this machine has `::1`.
pub(super) fn ipv6() -> bool {
    let has = TcpListener::bind("[::1]:0").is_ok();
    if !has {
        println!("skipped: there is no IPv6 on this machine");
    }
    has
}

#[track_caller]
pub(super) fn check(server: &Server, name: &str, limit: Duration) {
    let (port, root) = (server.port_word(), server.root());
    let root = root.to_str().expect("test folders have plain names");
    let args = [SCRIPT, name, server.host, &port, server.user, server.password, root];
    server.run_for("python3", &args, "", limit).fine().prints(&["ok"]);
}

#[track_caller]
fn checks(name: &str) {
    if !have("python3") {
        return;
    }
    let hosts = if ipv6() { &["127.0.0.1", "::1"][..] } else { &["127.0.0.1"] };
    for host in hosts {
        for mode in ["passive", "active"] {
            let server = Server::start(host, "alice", "secret");
            check(&server, &format!("{name}-{mode}"), Duration::from_secs(60));
        }
    }
}

#[test]
fn ftplib_lists() {
    checks("lists");
}

#[test]
fn ftplib_gets_puts_and_resumes() {
    checks("moves");
}

#[test]
fn ftplib_renames_deletes_and_makes_folders() {
    checks("changes");
}

#[test]
fn ftplib_gets_and_puts_odd_names() {
    checks("names");
}

#[test]
fn ftplib_sends_text_as_text() {
    checks("lines");
}

#[test]
fn ftplib_keeps_names_that_are_not_utf8() {
    checks("latin1");
}

#[test]
fn ftplib_aborts_and_goes_on() {
    checks("aborts");
}
