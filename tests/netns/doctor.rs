//! `twoport doctor` where a network is between. With a server of ours that tells what it saw, what is likely from one end is certain
//! from two.

use serde_json::Value;

use super::faults::Road;

/// What the doctor says of the server at `host`.
#[track_caller]
fn doctor(road: &Road, host: &str) -> Value {
    let url = format!("ftp://alice:secret@{host}/hello");
    let said = road.place.twoport(&road.client, &["doctor", "--json", &url]);
    let line =
        said.text.lines().find(|line| line.starts_with('{')).unwrap_or_else(|| panic!("{}", said.text));
    serde_json::from_str(line).unwrap()
}

#[track_caller]
fn found(said: &Value, cause: &str, side: &str, confidence: &str) {
    let is = (said["cause"].as_str(), said["side"].as_str(), said["confidence"].as_str());
    assert_eq!(is, (Some(cause), Some(side), Some(confidence)), "{said:#}");
}

const HOSTS: [&str; 2] = ["10.2.2.2", "[2001:db8:2::2]"];

#[test]
fn a_network_where_nothing_is_wrong_is_called_so() {
    let Some(road) = Road::new() else { return };
    for host in HOSTS {
        let said = doctor(&road, host);
        found(&said, "none", "none", "certain");
        assert_eq!(said["verdict"], "ok", "{said:#}");
    }
}

#[test]
fn who_drops_the_passive_ports_is_certain_from_both_ends() {
    let Some(road) = Road::new() else { return };
    let shut = "table inet lab { chain input { type filter hook input priority filter; policy accept;\n tcp dport 50000-50003 drop\n }\n }\n";
    road.server.load_nft(shut).unwrap();
    for host in HOSTS {
        found(&doctor(&road, host), "passive-range-dropped-at-server-host", "server", "certain");
    }
    road.server.run("nft", ["flush", "ruleset"]).unwrap();
    road.gate_does("iifname client tcp dport 50000-50003 drop");
    for host in HOSTS {
        found(&doctor(&road, host), "passive-range-dropped-at-router", "server-router", "certain");
    }
    road.gate.run("nft", ["flush", "ruleset"]).unwrap();
    road.gate_does("iifname client tcp dport 50000-50003 reject with tcp reset");
    found(&doctor(&road, HOSTS[0]), "passive-range-rejected", "server-router", "certain");
    road.gate.run("nft", ["flush", "ruleset"]).unwrap();
    road.gate_does("iifname server tcp sport 50000-50003 tcp flags & (syn | ack) == (syn | ack) drop");
    for host in HOSTS {
        found(&doctor(&road, host), "passive-answer-lost", "server-router", "certain");
    }
}

#[test]
fn a_box_that_takes_connections_in_the_servers_place_is_certain() {
    let Some(road) = Road::new() else { return };
    let _taker = road.gate.inside(|| std::net::TcpListener::bind("0.0.0.0:2101")).unwrap().unwrap();
    road.gate.load_nft(
        "table ip lab { chain in { type nat hook prerouting priority dstnat;\n iifname client tcp dport 50000-50003 redirect to :2101\n }\n }\n",
    ).unwrap();
    // The hops say so already, whatever the server tells.
    found(&doctor(&road, HOSTS[0]), "accepted-by-something-else", "server-router", "certain");
}

#[test]
fn who_stops_the_server_on_its_way_to_the_client_is_certain() {
    let Some(road) = Road::with("passive = \"off\"") else { return };
    for host in HOSTS {
        found(&doctor(&road, host), "pasv-disabled-active-only-server", "server", "certain");
    }
    let begins = "tcp flags & (syn | ack) == syn drop";
    road.server.load_nft(&format!(
        "table inet lab {{ chain output {{ type filter hook output priority filter; policy accept;\n {begins}\n }}\n }}\n"
    )).unwrap();
    for host in HOSTS {
        found(&doctor(&road, host), "server-egress-blocks-active", "server", "certain");
    }
    road.server.run("nft", ["flush", "ruleset"]).unwrap();
    road.gate_does(&format!("iifname server {begins}"));
    for host in HOSTS {
        found(&doctor(&road, host), "active-blocked-on-the-way", "client-router", "certain");
    }
    road.gate.run("nft", ["flush", "ruleset"]).unwrap();
    road.client.load_nft(&format!(
        "table inet lab {{ chain input {{ type filter hook input priority filter; policy accept;\n {begins}\n }}\n }}\n"
    )).unwrap();
    for host in HOSTS {
        found(&doctor(&road, host), "client-inbound-blocked", "client", "certain");
    }
}
