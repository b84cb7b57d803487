//! lftp over TLS, which is GnuTLS with it. It shows the first ticket of its control connection for as long as that lives.

use super::{Nine, WAYS, Way, meeting};
use crate::support::program::Ran;
use crate::support::server::Server;

#[track_caller]
fn lftp(server: &Server, way: Way, mode: &str, script: &str) -> Ran {
    let script = format!(
        "set cmd:fail-exit yes; set net:timeout 20; set net:max-retries 1; set net:connection-limit 1\n\
         set ftp:ssl-force yes; set ftp:ssl-protect-data yes; set ftp:ssl-protect-list yes\n\
         set ssl:ca-file {}; set ssl:priority {}\n{mode}\n\
         open -u {},{} {}\n{script}\n",
        server.beside("state/twoport/made-up.pem").display(),
        way.gnutls(),
        server.user,
        server.password,
        way.url(server, "")
    );
    server.run("lftp", &["--norc", "-c", &script], "")
}

#[test]
fn lftp_lists_gets_and_puts_in_one_session() {
    for mode in ["set ftp:passive-mode on", "set ftp:passive-mode off"] {
        for way in WAYS {
            let Some(server) = meeting("lftp") else { return };
            let nine = Nine::of(&server);
            let moves: Vec<String> = nine
                .moves
                .iter()
                .map(|(fetched, name)| format!("{} {name}", if *fetched { "get" } else { "put" }))
                .collect();
            let script = format!("ls; {}; cls -1", moves.join("; "));
            lftp(&server, way, mode, &script).fine().prints(&["r0.bin", "1000000", "s4.bin"]);
            assert_eq!(nine.arrived(&server, way), 1, "{way:?}");
        }
    }
}

#[test]
fn lftp_is_told_when_it_does_not_resume() {
    for way in WAYS {
        let Some(server) = meeting("lftp") else { return };
        server.offers("there.bin", 1000);
        // Debug shows the replies.
        let fresh = "set ftp:ssl-copy-sid no; set cmd:fail-exit no; debug 5";
        let ran = lftp(&server, way, fresh, "get there.bin");
        ran.prints(&["522 The data connection did not resume", "ftp:ssl-copy-sid"]);
        assert!(std::fs::metadata(server.local().join("there.bin")).map_or(0, |data| data.len()) == 0);
    }
}
