//! curl over TLS: `--ssl-reqd` and `ftps://`, one control connection for all transfers of a command line; `-Z` with several
//! at once, which share their tickets.

use super::{Nine, WAYS, Way, meeting};
use crate::support::program::{Ran, have};
use crate::support::server::Server;

/// What every transfer of a command line must be told anew behind `--next`.
fn told(server: &Server, way: Way) -> Vec<String> {
    let user = format!("{}:{}", server.user, server.password);
    // It verifies, by the certificate that was made up, that the server is who it says.
    let known = server.beside("state/twoport/made-up.pem").display().to_string();
    let first = format!("--tlsv{}", way.version);
    let words = [
        "-g",
        "--max-time",
        "50",
        "--ssl-reqd",
        "--cacert",
        &known,
        &first,
        "--tls-max",
        way.version,
        "-u",
        &user,
    ];
    words.map(str::to_owned).into()
}

#[track_caller]
fn curl(server: &Server, way: Way, global: &[&str], transfers: &[Vec<String>]) -> Ran {
    let mut args: Vec<String> = ["-sS"].iter().chain(global).map(|arg| (*arg).to_owned()).collect();
    for (at, transfer) in transfers.iter().enumerate() {
        if at > 0 {
            args.push("--next".to_owned());
        }
        args.extend(told(server, way));
        args.extend_from_slice(transfer);
    }
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    server.run("curl", &args, "")
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[test]
fn curl_lists_gets_and_puts_in_one_session() {
    for way in WAYS {
        let Some(server) = meeting("curl") else { return };
        let nine = Nine::of(&server);
        let mut all = vec![words(&[&way.url(&server, "")])];
        for (fetched, name) in &nine.moves {
            let url = way.url(&server, name);
            all.push(words(&[if *fetched { "-o" } else { "-T" }, name, &url]));
        }
        curl(&server, way, &[], &all).fine().prints(&["r0.bin", "1000000"]);
        assert_eq!(nine.arrived(&server, way), 1, "{way:?}");
    }
}

/// Fetches twelve files with as many sessions at once.
#[track_caller]
fn at_once(server: &Server, way: Way) {
    let files: Vec<(String, Vec<u8>)> = (0..12)
        .map(|number| format!("f{number}.bin"))
        .map(|name| (name.clone(), server.offers(&name, 4_000_000)))
        .collect();
    let one: Vec<String> =
        files.iter().flat_map(|(name, _)| words(&["-o", name, &way.url(server, name)])).collect();
    // Slowly, so that none has left before the last one begins, which may be a second later: a ticket goes with its control
    // connection, and curl shows whichever came last.
    let slowly = [words(&["--limit-rate", "1M"]), one].concat();
    curl(server, way, &["-Z"], &[slowly]).fine();
    for (name, bytes) in &files {
        server.client_got(name, bytes);
    }
    let sessions = server.log().matches(" logged in from ").count();
    assert!(sessions > 1, "{way:?}: it was one session after all");
}

#[test]
fn curl_with_many_at_once_may_use_the_tickets_of_siblings() {
    for way in WAYS.into_iter().filter(|way| way.version == "1.2") {
        let Some(server) = meeting("curl") else { return };
        at_once(&server, way);
    }
}

/// Under TLS 1.3 it has one ticket for all of them, which is spent with the first use: who comes before the next one has
/// arrived begins a new TLS session.
#[test]
fn curl_with_many_at_once_is_let_in_by_prefer() {
    for way in WAYS {
        if !have("curl") {
            return;
        }
        let server =
            Server::secure("127.0.0.1", &["--data-resumption", "prefer", "--implicit", "127.0.0.1:0"]);
        at_once(&server, way);
    }
}
