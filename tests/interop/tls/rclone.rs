//! rclone over TLS, which is Go's. It spends a ticket with each data connection, and keeps one for all that it has to do
//! with the server. `cargo xtask install` brings a current one.

use std::path::PathBuf;

use super::{Nine, WAYS, Way, strict};
use crate::support::files::room;
use crate::support::program::Ran;
use crate::support::server::Server;

/// The one beside the servers of other people; Debian's is too old to resume at all.
fn rclone() -> Option<PathBuf> {
    let path = room().parent()?.join("peers/py/bin/rclone");
    let found = path.is_file();
    if !found {
        println!("skipped: rclone is not installed (cargo xtask install brings it)");
    }
    found.then_some(path)
}

#[track_caller]
fn run(server: &Server, way: Way, args: &[&str]) -> Ran {
    let Some(path) = rclone() else { panic!("it was there a moment ago") };
    let path = path.to_str().expect("build folders have plain names");
    let obscured = server.run(path, &["obscure", server.password], "").fine();
    let port = way.port(server).to_string();
    let mut all =
        vec!["--config", "", "--retries=1", "--low-level-retries=1", "--transfers=1", "--checkers=1"];
    all.extend(["--ftp-host", server.host, "--ftp-port", &port, "--ftp-user", server.user]);
    all.extend(["--ftp-pass", obscured.text.trim(), "--ftp-no-check-certificate"]);
    all.push(if way.implicit { "--ftp-tls" } else { "--ftp-explicit-tls" });
    if way.version == "1.2" {
        all.push("--ftp-disable-tls13");
    }
    all.extend(args);
    server.run(path, &all, "")
}

#[test]
fn rclone_lists_gets_and_puts() {
    for way in WAYS {
        if rclone().is_none() {
            return;
        }
        let server = strict();
        let nine = Nine::of(&server);
        run(&server, way, &["lsl", ":ftp:"]).fine().prints(&["r0.bin", "1000000"]);
        // One run of its own for each stretch in one direction.
        for stretch in nine.moves.chunk_by(|one, next| one.0 == next.0) {
            let mut args = vec!["copy", "--inplace", "--order-by", "name"];
            for (_, name) in stretch {
                args.extend(["--include", name]);
            }
            args.extend(if stretch[0].0 { [":ftp:", "."] } else { [".", ":ftp:"] });
            run(&server, way, &args).fine();
        }
        nine.arrived(&server, way);
    }
}
