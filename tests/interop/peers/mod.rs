//! The world from the other side: our client against the servers that people have. One suite for all; what each server can
//! and cannot stands in `table`. A server that is not here is skipped with a notice.

mod bench;
mod inetd;
mod mirror;
mod place;
mod suite;
mod table;
mod tls;

pub(super) use table::{libraries, peers as folder};

/// The tests of one server.
macro_rules! meet {
    ($($module:ident is $peer:ident;)*) => { $(
        mod $module {
            use super::{mirror, suite, table};

            #[test]
            fn every_command_in_every_mode() {
                suite::every_command(&table::$peer);
            }

            #[test]
            fn what_was_cut_goes_on() {
                suite::cut(&table::$peer);
            }

            #[test]
            fn more_than_four_gibibytes_are_counted() {
                suite::huge(&table::$peer);
            }

            #[test]
            fn many_files_and_links_are_listed() {
                suite::many(&table::$peer);
            }

            #[test]
            fn odd_names_go_there_and_come_back() {
                suite::odd_names(&table::$peer);
            }

            #[test]
            fn nothing_is_something_too() {
                suite::empty(&table::$peer);
            }

            #[test]
            fn times_are_kept() {
                suite::times(&table::$peer);
            }

            #[test]
            fn a_tree_is_listed() {
                suite::listing(&table::$peer);
            }

            #[test]
            fn exit_codes() {
                suite::exit_codes(&table::$peer);
            }

            #[test]
            fn a_gibibyte_goes_there_and_comes_back() {
                suite::large(&table::$peer);
            }

            #[test]
            fn a_tree_comes_down() {
                mirror::down(&table::$peer);
            }

            #[test]
            fn a_tree_goes_up() {
                mirror::up(&table::$peer);
            }
        }
    )* };
}

meet! {
    twoport is TWOPORT;
    vsftpd is VSFTPD;
    proftpd is PROFTPD;
    pure_ftpd is PURE_FTPD;
    pyftpdlib is PYFTPDLIB;
    inetutils is INETUTILS;
    busybox is BUSYBOX;
}
