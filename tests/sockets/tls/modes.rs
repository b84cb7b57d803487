//! What else can be done in TLS, and out of it: CCC, ALPN, AUTH SSL, TLS from the first byte, ABOR, the other modes.

use twoport_server::{Door, Listener, Settings};

use super::super::house::House;
use super::{check, python};

#[track_caller]
fn checked(name: &str, change: impl FnOnce(&mut Settings)) {
    if python() {
        check(&House::secure(change), "modes.py", name, &[]);
    }
}

fn with_ccc(settings: &mut Settings) {
    settings.tls.as_mut().unwrap().ccc = true;
}

#[test]
fn behind_ccc_commands_are_in_the_clear_and_data_is_not() {
    checked("clears", with_ccc);
}

#[test]
fn what_comes_in_one_segment_with_the_end_of_tls_is_read_in_the_clear() {
    checked("clears_in_one_segment", with_ccc);
}

#[test]
fn ccc_is_refused_by_default() {
    checked("clears_not", |_| {});
}

#[test]
fn who_was_meant_for_another_server_is_turned_away_by_alpn() {
    checked("alpn", |_| {});
}

#[test]
fn auth_ssl_makes_data_private_at_once() {
    checked("auth_ssl", |_| {});
}

#[test]
fn prot_decides_for_each_transfer() {
    checked("prot", |_| {});
}

#[test]
fn tls_from_the_first_byte() {
    if !python() {
        return;
    }
    let house = House::secure(|settings| {
        let Listener { address, door, headers } = settings.listen[0];
        settings.listen.push(Listener { address, door: Door { implicit: true, ..door }, headers });
    });
    check(&house, "modes.py", "implicit", &[&house.addresses[1].port().to_string()]);
}

#[test]
fn abor_in_a_tls_transfer_is_no_end_in_order() {
    checked("abort", |_| {});
}

#[test]
fn mode_z_over_tls() {
    checked("deflated", |_| {});
}

#[test]
fn mode_b_over_tls_is_one_handshake_for_many_files() {
    checked("blocks", |_| {});
}

#[test]
fn an_upload_gets_tickets_only_where_they_are_read() {
    checked("unread_tickets", |_| {});
}
