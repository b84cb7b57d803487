//! Python's ftplib over TLS, with the few lines that make it resume: `ftplib_nine.py`.

use super::{Nine, WAYS, meeting};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/interop/tls/ftplib_nine.py");

#[test]
fn ftplib_lists_gets_and_puts_in_one_session() {
    for mode in ["passive", "active"] {
        for way in WAYS {
            let Some(server) = meeting("python3") else { return };
            let nine = Nine::of(&server);
            let moves: Vec<String> = nine
                .moves
                .iter()
                .map(|(fetched, name)| format!("{}:{name}", if *fetched { "r" } else { "s" }))
                .collect();
            let port = way.port(&server).to_string();
            let known = server.beside("state/twoport/made-up.pem").display().to_string();
            let begins = if way.implicit { "implicit" } else { "explicit" };
            let mut args = vec!["-B", SCRIPT, server.host, &port, server.user, server.password];
            args.extend([known.as_str(), way.version, begins, mode]);
            args.extend(moves.iter().map(String::as_str));
            server.run("python3", &args, "").fine().prints(&["ok"]);
            assert_eq!(nine.arrived(&server, way), 1, "{way:?}");
        }
    }
}
