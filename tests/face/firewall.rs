//! `twoport firewall`: what it prints, what it refuses, and whether the parsers of the firewalls themselves take it.

use std::fs;

use super::{ends, twoport};
use crate::support::files::room;

/// What it prints with these flags, when it ends well.
#[track_caller]
pub(super) fn printed(flags: &[&str]) -> String {
    let output = twoport(&[&["firewall"], flags].concat());
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{flags:?}: {said}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_configuration_says_what_must_pass() {
    let folder = tempfile::tempdir_in(room()).unwrap();
    let file = folder.path().join("twoport.toml");
    let path = file.to_str().unwrap();
    let text = "listen = [\"0.0.0.0:21\", \"[::]:2121\"]\nimplicit = [\"0.0.0.0:990\"]\npassive-ports = \"61000-61009\"\n\
                passive-address = \"198.51.100.2\"\nactive = \"port20\"\n";
    fs::write(&file, text).unwrap();
    let table = printed(&["--config", path]);
    for part in
        ["server 21, 2121", "server 990", "server 61000-61009", "server 20 ", "227 or 229", "PORT or EPRT"]
    {
        assert!(table.contains(part), "no {part:?} in\n{table}");
    }
    // Flags win, and what 227 tells is where the NAT is.
    let router = ["--config", path, "--side", "server-nat", "--inside", "192.168.0.2", "--for", "nftables"];
    let rules = printed(&[&router[..], &["--passive-ports", "62000-62009"]].concat());
    assert!(
        rules.contains("ip daddr 198.51.100.2 tcp dport { 21, 990, 2121, 62000-62009 } dnat to 192.168.0.2"),
        "{rules}"
    );
    ends(
        &[&["firewall"], &router[..], &["--helper", "--tls", "off"]].concat(),
        2,
        &["helper", "advertises 198.51.100.2", "EPSV works"],
    );
    fs::write(&file, "tls = \"required\"\n").unwrap();
    ends(&["firewall", "--config", path, "--helper"], 2, &["TLS hides"]);
}

#[test]
fn other_servers_have_their_own_words_for_it() {
    let flags = [
        "--passive-ports",
        "61000-61009",
        "--address",
        "198.51.100.2",
        "--inside",
        "192.168.0.2",
        "--server",
    ];
    for (server, said) in [
        ("vsftpd", "pasv_min_port=61000\npasv_max_port=61009\n"),
        ("proftpd", "PassivePorts 61000 61009\n"),
        ("pure-ftpd", "PassivePortRange 61000 61009\n"),
        ("wu-ftpd", "passive ports 0.0.0.0/0 61000 61009\n"),
        ("filezilla", "<min>61000</min>"),
        ("iis", "/lowDataChannelPort:61000"),
        ("pyftpdlib", "range(61000, 61010)"),
        ("sftpgo", "PASSIVE_PORT_RANGE__END=61009\n"),
    ] {
        let text = printed(&[&flags[..], &[server]].concat());
        assert!(text.contains(said) && text.contains("198.51.100.2"), "{server}:\n{text}");
    }
    ends(&["firewall", "--server", "serv-u"], 2, &["serv-u", "vsftpd"]);
    ends(&["firewall", "--server", "vsftpd", "--for", "ufw"], 2, &["--server", "--for"]);
}

#[test]
fn contradictions_are_explained() {
    let refused = |flags: &[&str], said: &[&str]| ends(&[&["firewall"], flags].concat(), 2, said);
    refused(&[], &["passive ports are not known", "--passive-ports"]);
    refused(&["--passive-ports", "61255-61000"], &["inside out", "61000-61255"]);
    refused(&["--passive-ports", "61000-61255", "--listen", "20"], &["port 20 is never connected to"]);
    refused(&["--passive-ports", "61000-61255", "--listen", "61001"], &["hold the control port 61001"]);
    let shifted =
        ["--passive-ports", "61000-61009", "--outside-ports", "50000-50009", "--side", "server-nat"];
    refused(&[&shifted[..], &["--inside", "10.0.0.2"]].concat(), &["Forward the same numbers"]);
    refused(&["--side", "client", "--mode", "active"], &["--address"]);
    refused(
        &["--side", "client-nat", "--for", "windows"],
        &["windows has no rules for", "--side server or client"],
    );
    refused(&["--for", "ipchains"], &["ipchains", "nftables"]);
}

#[test]
fn json_has_the_same_flows() {
    let flags = ["--passive-ports", "61000-61009", "--json"];
    let flows = printed(&flags);
    let flows: Vec<serde_json::Value> =
        flows.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(flows.len(), 3, "{flows:?}");
    assert_eq!(flows[1]["target_ports"], "61000-61009");
    assert_eq!((&flows[1]["opener"], &flows[1]["direction"]), (&"client".into(), &"in".into()));
    let rules = printed(&[&flags[..], &["--for", "iptables"]].concat());
    let rules: serde_json::Value = serde_json::from_str(&rules).unwrap();
    assert_eq!(rules["flows"].as_array().unwrap()[..], flows[..]);
    assert!(rules["text"].as_str().unwrap().contains("iptables-restore"), "{rules}");
    let refused = twoport(&["firewall", "--json"]);
    let said: serde_json::Value = serde_json::from_slice(&refused.stdout).unwrap();
    assert_eq!((&said["exit"], &said["cause"]), (&2.into(), &"usage".into()));
}
