//! What an attacker, or a machine that dies, does to TLS: nothing is carried out that was not said in it, nothing is whole
//! that was cut, and nobody waits for somebody else's handshake.

use std::time::Duration;

use twoport_server::{Door, Listener, Settings};

use super::super::house::House;
use super::{check, python};
use crate::support::program::have;

#[track_caller]
fn checked(name: &str, change: impl FnOnce(&mut Settings)) {
    if python() {
        check(&House::secure(change), "attacks.py", name, &[]);
    }
}

/// The same with a second listener, where TLS begins with the first byte.
#[track_caller]
fn checked_twice(name: &str, change: impl FnOnce(&mut Settings)) {
    if python() {
        let house = House::secure(|settings| {
            let Listener { address, door, headers } = settings.listen[0];
            settings.listen.push(Listener { address, door: Door { implicit: true, ..door }, headers });
            change(settings);
        });
        check(&house, "attacks.py", name, &[&house.addresses[1].port().to_string()]);
    }
}

#[test]
fn commands_in_the_clear_behind_auth_end_the_session() {
    checked("injection", |_| {});
}

#[test]
fn what_was_said_before_auth_counts_for_nothing_behind_it() {
    checked("nothing_carries_over", |_| {});
}

#[test]
fn an_upload_without_close_notify_is_not_whole() {
    checked("truncated_upload", |_| {});
}

#[test]
fn a_download_that_was_broken_is_426() {
    checked("broken_download", |_| {});
}

#[test]
fn renegotiation_is_refused_and_the_server_lives_on() {
    if have("openssl") {
        checked_twice("renegotiation", |_| {});
    }
}

#[test]
fn who_falls_silent_in_a_handshake_is_dropped() {
    checked_twice("silent_handshake", |settings| settings.limits.handshake = Duration::from_secs(1));
}

#[test]
fn who_is_silent_in_a_handshake_holds_nobody_up() {
    checked("silence_holds_nobody_up", |settings| settings.limits.handshake = Duration::from_secs(60));
}

#[test]
fn who_falls_silent_on_the_data_connection_is_told_522() {
    checked("silent_data", |settings| settings.limits.handshake = Duration::from_secs(1));
}

#[test]
fn a_thousand_half_open_handshakes_hold_nobody_up() {
    // This process holds the server's ends.
    twoport_server::raise_descriptor_limit();
    checked("half_open", |settings| {
        settings.max_sessions = 1010;
        settings.limits.handshake = Duration::from_secs(600);
        settings.limits.login = Duration::from_secs(600);
    });
}
