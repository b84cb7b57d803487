//! `twoport doctor`: what it says of a server that is well, of one that is not, and that it leaves nothing behind.

use std::fs;
use std::net::TcpListener;

use serde_json::Value;

use super::twoport;
use crate::support::server::Server;

/// With the user's name and password.
fn url(server: &Server, path: &str) -> String {
    server.url(path).replace("ftp://", &format!("ftp://{}:{}@", server.user, server.password))
}

/// What it says as JSON, and its exit code.
fn asked(url: &str, flags: &[&str]) -> (Value, i32) {
    let output = twoport(&[&["doctor", "--json", url], flags].concat());
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let said = String::from_utf8_lossy(&output.stderr);
    let read = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}{said}"));
    (read, output.status.code().unwrap())
}

#[track_caller]
fn found(said: &Value, verdict: &str, cause: &str, side: &str) {
    let is = (said["verdict"].as_str(), said["cause"].as_str(), said["side"].as_str());
    assert_eq!(is, (Some(verdict), Some(cause), Some(side)), "{said:#}");
}

#[test]
fn a_server_that_is_well_is_called_so_and_nothing_is_left_on_it() {
    let server = Server::start("127.0.0.1", "anna", "secret");
    server.offers("file", 100_000);
    let before = fs::read_dir(server.root()).unwrap().count();
    let (said, code) = asked(&url(&server, "file"), &[]);
    assert_eq!(code, 0, "{said:#}");
    found(&said, "ok", "none", "none");
    let rows = said["matrix"].as_array().unwrap();
    for mode in ["EPSV", "PASV", "PORT", "EPRT"] {
        let row = rows.iter().find(|row| row["mode"] == mode).unwrap();
        assert_eq!(row["outcome"], "works", "{row:#}");
    }
    assert_eq!(fs::read_dir(server.root()).unwrap().count(), before);
    assert!(!server.log().contains("STOR"), "{}", server.log());
}

#[test]
fn tls_is_tried_and_the_password_is_not_said_in_the_clear_beside_it() {
    let server = Server::secure("127.0.0.1", &[]);
    let (said, code) = asked(&url(&server, ""), &[]);
    assert_eq!(code, 0, "{said:#}");
    found(&said, "ok", "none", "none");
    let rows = said["matrix"].as_array().unwrap();
    assert!(rows.iter().all(|row| row["tls"] == true && row["outcome"] == "works"), "{said:#}");
    let sessions = said["sessions"].as_array().unwrap();
    assert_eq!(sessions[1]["tls"], false);
    assert!(sessions[1]["login"].as_str().unwrap().contains("none was said in the clear"), "{said:#}");
    // Who wants the comparison gets it.
    let (said, _) = asked(&url(&server, ""), &["--plain"]);
    let rows = said["matrix"].as_array().unwrap();
    assert!(rows.iter().any(|row| row["tls"] == false && row["outcome"] == "works"), "{said:#}");
    // A certificate that nobody vouches for is one where TLS is demanded.
    let (said, code) = asked(&url(&server, "").replace("ftp://", "ftpes://"), &[]);
    assert_eq!(code, 5, "{said:#}");
    found(&said, "broken", "certificate-not-trusted", "server");
}

#[test]
fn a_wrong_password_and_a_port_where_nobody_listens_are_told_apart() {
    let server = Server::start("127.0.0.1", "anna", "secret");
    let (said, code) = asked(&url(&server, "").replace("secret", "guess"), &[]);
    assert_eq!(code, 3);
    found(&said, "broken", "login-refused", "client");
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (said, code) = asked(&format!("ftp://{closed}/"), &[]);
    assert_eq!(code, 4);
    found(&said, "broken", "nothing-listening", "server");
}

#[test]
fn sessions_that_are_left_silent_are_asked_whether_they_live() {
    let server = Server::start("127.0.0.1", "anna", "secret");
    let (said, code) = asked(&url(&server, ""), &["--idle", "1"]);
    assert_eq!(code, 0, "{said:#}");
    assert_eq!(
        (&said["silence"]["lived"], &said["silence"]["died"]),
        (&Value::from(1), &Value::Null),
        "{said:#}"
    );
}

#[test]
fn people_get_a_report_with_a_figure_and_a_picture_where_they_want_one() {
    let server = Server::start("127.0.0.1", "anna", "secret");
    let picture = server.local().join("figure.svg");
    let output = twoport(&["doctor", &url(&server, ""), "--svg", picture.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8_lossy(&output.stdout);
    for part in ["It works: Nothing is wrong (none, certain)", "data, EPSV", "What was tried", "EPRT"] {
        assert!(text.contains(part), "no {part:?} in\n{text}");
    }
    let svg = fs::read_to_string(picture).unwrap();
    assert!(
        svg.starts_with("<svg ") && svg.trim_end().ends_with("</svg>") && svg.contains("data, EPSV"),
        "{svg}"
    );
    let output = twoport(&["doctor", "ftp://no-such-name.invalid/"]);
    assert_eq!(output.status.code(), Some(4));
    assert!(String::from_utf8_lossy(&output.stdout).contains("name-not-found"));
}

/// A configuration, and what the doctor says of it.
fn own_side(listen: &str, flags: &[&str]) -> (String, i32) {
    let folder = tempfile::tempdir_in(crate::support::files::room()).unwrap();
    let config = folder.path().join("twoport.toml");
    let (first, last) = crate::support::server::passive_range();
    let text = format!(
        "listen = [\"{listen}\"]\nroot = {:?}\npassive-ports = \"{first}-{last}\"\ntls = \"off\"\n[[user]]\nname = \"anna\"\npassword = \"secret\"\n",
        folder.path()
    );
    fs::write(&config, text).unwrap();
    let output = twoport(&[&["doctor", "--config", config.to_str().unwrap()], flags].concat());
    (String::from_utf8_lossy(&output.stdout).into_owned(), output.status.code().unwrap())
}

#[test]
fn a_configuration_that_fits_this_machine_is_not_called_broken() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (text, code) = own_side(&free.to_string(), &["--json"]);
    let said: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(code, 0, "{said:#}");
    assert_ne!(said["verdict"], "broken", "{said:#}");
    let findings = said["findings"].as_array().unwrap();
    let says = |what: &str| {
        findings.iter().any(|one| one["severity"] == "ok" && one["what"].as_str().unwrap().contains(what))
    };
    assert!(says(&format!("{free} is free: nothing listens there now")), "{said:#}");
    // Three connections must pass, each told as 'twoport firewall' tells it.
    let flows = said["flows"].as_array().unwrap();
    assert_eq!(flows.len(), 3, "{said:#}");
    assert!(
        flows.iter().all(|flow| flow["opener"].is_string() && flow.get("let_through").is_some()),
        "{said:#}"
    );
    // Nobody but root sees the rules.
    let seen = flows.iter().any(|flow| flow["let_through"] == true);
    assert!(seen || !said["unseen"].as_array().unwrap().is_empty(), "{said:#}");
}

#[test]
fn what_the_servers_machine_says_makes_a_refusal_certain() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let folder = tempfile::tempdir_in(crate::support::files::room()).unwrap();
    let said = folder.path().join("server-side.json");
    let url = format!("ftp://{free}/");
    let doctor = |flags: &[&str]| {
        let output = twoport(&[&["doctor", "--json", &url], flags].concat());
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    assert_eq!(doctor(&[])["confidence"], "likely");
    fs::write(&said, own_side(&free.to_string(), &["--json"]).0).unwrap();
    let path = said.to_str().unwrap();
    let found = doctor(&["--server-side", path]);
    assert_eq!((&found["cause"], &found["confidence"]), (&"nothing-listening".into(), &"certain".into()));
    fs::write(&said, "{}").unwrap();
    let must = "it must be what 'twoport doctor --config FILE --json' prints";
    super::ends(&["doctor", &url, "--server-side", path], 2, &["--server-side", must]);
    super::ends(&["doctor", &url, "--server-side", "/nonexistent"], 2, &["--server-side", "/nonexistent"]);
    super::ends(&["doctor", "--config", "x", "--server-side", path], 2, &["cannot be used with"]);
}

#[test]
fn a_configuration_that_does_not_fit_this_machine_is_told_with_what_to_do() {
    let (text, code) = own_side("198.51.100.9:2121", &[]);
    assert_eq!(code, 4, "{text}");
    for part in [
        "Something that is offered does not work: Nothing listens on the server's control port (nothing-listening, certain)",
        "broken   198.51.100.9 is no address of this machine, so nothing can listen on 198.51.100.9:2121",
        "-> the server: listen = \"[::]:2121\" for all addresses, or one of ",
        "What must pass",
    ] {
        assert!(text.contains(part), "no {part:?} in\n{text}");
    }
    super::ends(&["doctor"], 2, &["<URL|--config <FILE>>"]);
    super::ends(&["doctor", "ftp://127.0.0.1/", "--config", "x"], 2, &["cannot be used with"]);
    super::ends(&["doctor", "--config", "/nonexistent"], 2, &["cannot read the configuration"]);
}
