//! Dialogue files: what a client says and what it must hear, played against the session's machine by
//! `testkit::script`, where their language is told. A bug begins here, as a file that fails.

use std::collections::BTreeSet;
use std::path::Path;

use twoport_testkit::script;

macro_rules! dialogues {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            if let Err(why) = script::play(include_str!(concat!(stringify!($name), ".ftp"))) {
                panic!("tests/dialogues/{}.ftp, {why}", stringify!($name));
            }
        })*

        const NAMES: &[&str] = &[$(stringify!($name)),*];
    };
}

dialogues! {
    a_bad_argument_is_answered_with_what_was_expected
    a_certificate_may_be_enough
    a_client_that_died_during_its_upload_leaves_the_old_file
    a_client_that_said_quit_and_left_has_its_upload_kept
    a_cut_upload_is_426
    a_data_connection_that_is_not_its_logins
    a_drop_box_neither_lists_nor_reads_nor_replaces
    a_full_disk_is_452_and_the_session_lives_on
    a_goodbye_with_a_space_behind_it_is_one
    a_handshake_that_fails_ends_the_session
    a_line_that_is_no_command_forgets_too
    a_missing_file_is_550_without_150
    a_slow_answer_is_not_the_clients_silence
    a_stranger_holds_a_session_for_a_minute_only
    a_transfer_is_no_silence
    abor_behind_a_noop_stops_at_once_and_answers_in_its_place
    abor_is_heard_while_the_server_stops
    abor_of_an_upload_keeps_nothing
    abor_that_comes_too_late_says_226_and_226
    abor_while_an_upload_is_kept_comes_too_late
    abor_while_bytes_pass_says_426_and_226
    abor_while_idle_says_225
    abor_while_listening_says_225_and_forgets_the_port
    abor_while_the_file_opens
    abor_while_the_link_is_awaited
    abor_with_telnet_signals
    accounts_differ_in_what_they_need
    active_targets_are_judged
    an_account_that_may_read_may_not_store
    auth_by_its_other_names
    auth_ssl_makes_data_private
    auth_tls_and_what_follows_it
    before_login_a_known_verb_is_530_whatever_follows_it
    ccc_goes_back_to_the_clear
    data_cannot_be_private
    data_must_be_private
    eprt_of_the_other_known_protocol_is_522
    epsv_and_eprt_as_rfc_2428_has_them
    essay_active
    essay_passive
    everything_sent_at_once_is_answered_in_order
    facts_for_machines
    feat_tells_what_goes_beyond_rfc_959
    folders_and_names
    hash_and_its_elders
    help_tells_every_command
    host_and_the_name_in_tls_must_agree
    host_comes_before_user
    in_blocks_one_connection_carries_many_files
    leaving_while_listening_gives_the_port_back
    lines_that_are_no_commands
    links_that_do_not_come
    modes_that_are_off
    out_of_order_is_503
    over_ipv6
    parameters_that_are_not_supported_are_504
    ports_spent_is_425
    positions_under_type_a_are_refused
    pwd_during_a_transfer_waits
    quit_during_a_transfer_waits_for_its_end
    rang_and_retr_send_a_part
    rein_begins_anew_on_the_same_connection
    rein_during_a_transfer_waits_for_its_end
    rein_gives_a_stranger_no_more_time
    rest_and_retr_send_the_rest
    rest_and_stor_resume_an_upload
    shutdown_during_a_transfer_lets_it_end
    shutdown_while_idle_is_421
    silence_ends_a_session
    site_doctor_counts_what_was_moved
    site_doctor_is_for_those_who_may_ask
    site_doctor_tells_what_was_seen
    site_why_explains_the_last_failure
    stat_during_a_transfer_tells_the_bytes_so_far
    stat_with_a_path_lists_over_the_control_connection
    stou_says_the_name_in_150
    three_wrong_passwords_end_the_session
    tls_from_the_first_byte
    tls_is_required
    torn_lines_are_the_same_lines
    type_a_with_carriage_control_is_504
    user_after_a_long_session_begins_a_new_login
    what_comes_in_the_clear_behind_auth_ends_the_session
    what_is_not_offered_is_502
    without_a_link_150_is_said_after_a_second
    words_of_other_protocols_are_unknown_inside
    words_of_other_protocols_end_the_session
}

#[test]
fn every_file_is_played() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("dialogues");
    let files =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let files: BTreeSet<String> =
        files.filter_map(|name| Some(name.strip_suffix(".ftp")?.to_owned())).collect();
    assert_eq!(files, NAMES.iter().map(|name| (*name).to_owned()).collect());
}
