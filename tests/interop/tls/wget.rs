//! wget over TLS: `ftps://` from the first byte, since it does not know AUTH by that name; it resumes by default. It only gets.

use super::{Nine, WAYS, Way, meeting};
use crate::support::program::Ran;
use crate::support::server::Server;

#[track_caller]
fn wget(server: &Server, way: Way, mode: &str, args: &[&str]) -> Ran {
    let (user, password) = (format!("--user={}", server.user), format!("--password={}", server.password));
    let known = format!("--ca-certificate={}", server.beside("state/twoport/made-up.pem").display());
    let version = format!("--ciphers={}", way.gnutls());
    let mut all =
        vec!["-nv", "--no-config", "--tries=1", "--timeout=20", "--ftps-implicit", &user, &password];
    all.extend([known.as_str(), &version, mode]);
    all.extend(args);
    server.run("wget", &all, "")
}

#[test]
fn wget_gets_nine_in_one_session() {
    for mode in ["--passive-ftp", "--no-passive-ftp"] {
        for way in WAYS.into_iter().filter(|way| way.implicit) {
            let Some(server) = meeting("wget") else { return };
            let nine = Nine::fetched(&server);
            // A pattern is one visit; it is the listing too.
            wget(&server, way, mode, &[&way.url(&server, "*.bin")]).fine();
            assert_eq!(nine.arrived(&server, way), 1, "{way:?}");
        }
    }
}

#[test]
fn wget_gets_nine_by_their_names() {
    for way in WAYS.into_iter().filter(|way| way.implicit) {
        let Some(server) = meeting("wget") else { return };
        let nine = Nine::fetched(&server);
        let urls: Vec<String> = nine.moves.iter().map(|(_, name)| way.url(&server, name)).collect();
        wget(&server, way, "--passive-ftp", &urls.iter().map(String::as_str).collect::<Vec<_>>()).fine();
        nine.arrived(&server, way);
    }
}
