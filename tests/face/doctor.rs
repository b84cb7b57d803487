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
