//! A data connection must be its login's: what is refused, by which words, and what is not.

use std::time::Duration;

use twoport_server::{Resumption, Rights, Settings};

use super::super::house::{House, account};
use super::{check, python};

/// A house with two accounts over one folder, and data connections tied to them as `resumption` has it.
#[track_caller]
fn checked(name: &str, resumption: Resumption) {
    checked_with(name, |settings| settings.tls.as_mut().unwrap().resumption = resumption);
}

#[track_caller]
fn checked_with(name: &str, change: impl FnOnce(&mut Settings)) {
    if !python() {
        return;
    }
    let house = House::secure(|settings| {
        let root = settings.accounts[0].root.clone();
        settings.accounts.push(account("rob", Rights::READ_WRITE, &root));
        change(settings);
    });
    check(&house, "ties.py", name, &[]);
}

#[test]
fn another_logins_ticket_is_refused_and_named() {
    checked("strangers_ticket", Resumption::Require);
}

#[test]
fn the_same_account_from_another_address_is_another_login() {
    checked("ticket_from_elsewhere", Resumption::Require);
}

#[test]
fn a_ticket_of_nobody_who_is_logged_in_is_refused() {
    checked("ticket_of_nobody", Resumption::Require);
}

#[test]
fn a_ticket_of_a_session_that_has_ended_is_none() {
    checked("ticket_of_the_dead", Resumption::Require);
}

#[test]
fn a_ticket_of_another_session_of_the_same_login_is_taken() {
    checked("siblings_ticket", Resumption::Require);
}

#[test]
fn a_ticket_counts_as_it_was_when_it_was_shown() {
    checked("sibling_that_leaves", Resumption::Require);
}

#[test]
fn a_new_tls_session_on_a_data_connection_is_refused_with_the_clients_setting() {
    checked("fresh_handshake", Resumption::Require);
}

#[test]
fn a_stolen_port_is_refused_where_the_thief_speaks_no_tls() {
    checked("stolen_port", Resumption::Require);
}

#[test]
fn a_stolen_port_is_given_up_where_the_thief_is_silent() {
    checked_with("stolen_by_silence", |settings| settings.limits.handshake = Duration::from_secs(1));
}

#[test]
fn a_thief_of_another_address_is_dropped_and_the_right_client_served() {
    checked("stolen_from_elsewhere", Resumption::Require);
}

#[test]
fn prefer_lets_new_sessions_in_and_strangers_not() {
    checked("prefer", Resumption::Prefer);
}

#[test]
fn off_lets_everybody_in() {
    checked("off", Resumption::Off);
}
