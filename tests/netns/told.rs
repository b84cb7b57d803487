//! Which address 227 tells, by a server between two networks: to those outside, to those of its own network, to some by a
//! rule, and to sessions in TLS, whose 227 no box on the way can rewrite.

use twoport_netns::{Host, Net};

use super::place::Place;
use crate::support::program::{self, have};

/// The 227 that curl hears from our server at `at`, by a client with this address.
#[track_caller]
fn told(place: &Place, client: &Host, own: &str, at: &str, flags: &[&str]) -> String {
    let mut curl = client.command("curl");
    // It connects to where it is already, whatever 227 says.
    curl.args(["-sSv", "--disable-epsv", "--ftp-skip-pasv-ip", "--interface", own]).args(flags);
    curl.arg(format!("ftp://alice:secret@{at}/hello"));
    place.clean(&mut curl, &place.local());
    let ran = program::run(curl, "", std::time::Duration::from_secs(40)).fine();
    let line =
        ran.text.lines().find_map(|line| line.split_once("227 Entering Passive Mode (")).expect(&ran.text).1;
    line.split(',').take(4).collect::<Vec<_>>().join(".")
}

#[test]
fn the_world_the_own_network_some_by_a_rule_and_tls_are_told_their_own() {
    if !crate::netns::have() || !have("curl") {
        return;
    }
    let net = Net::new().unwrap();
    let (world, inside, server) =
        (net.host("world").unwrap(), net.host("inside").unwrap(), net.host("server").unwrap());
    net.link(
        (&world, "192.0.2.2/24 192.0.2.130/24 2001:db8:2::2/64"),
        (&server, "192.0.2.10/24 2001:db8:2::10/64"),
    )
    .unwrap();
    net.link((&inside, "192.168.50.3/24"), (&server, "192.168.50.2/24")).unwrap();
    let place = Place::new();
    place.offers("hello", 5);
    let config = place.local().join("twoport.toml");
    let text = r#"
        passive-address = "198.51.100.7"
        passive-address-tls = "203.0.113.9"
        [[passive-address-for]]
        networks = ["192.0.2.128/25"]
        tell = "control"
    "#;
    std::fs::write(&config, text).expect("a file can be written");
    let config = config.to_str().expect("a folder of ours is text");
    let _server = place.serve(&server, "[::]:21", &["--config", config, "--passive-ports", "50000-50003"]);
    const PLAIN: &[&str] = &[];
    const TLS: &[&str] = &["--ssl-reqd", "--insecure"];
    for (client, own, at, flags, expected) in [
        (&world, "192.0.2.2", "192.0.2.10", PLAIN, "198.51.100.7"),
        (&world, "192.0.2.2", "192.0.2.10", TLS, "203.0.113.9"),
        (&world, "192.0.2.130", "192.0.2.10", PLAIN, "0.0.0.0"),
        (&world, "192.0.2.130", "192.0.2.10", TLS, "0.0.0.0"),
        (&inside, "192.168.50.3", "192.168.50.2", PLAIN, "192.168.50.2"),
        (&inside, "192.168.50.3", "192.168.50.2", TLS, "192.168.50.2"),
    ] {
        assert_eq!(told(&place, client, own, at, flags), expected, "{own} {flags:?}");
    }
}
