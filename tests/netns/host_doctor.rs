//! `twoport doctor --config` on a host whose rules let the range through, or not, or leave it to a helper: as root, who sees them, and
//! as nobody, who says so. What it foretells is then tried with a client.

use std::net::TcpStream;
use std::process::Stdio;

use serde_json::Value;
use twoport_netns::{Host, Net};

use super::place::Place;
use crate::netns::bounce::login;
use crate::netns::iptables::{self, Family};
use crate::sockets::peer;
use crate::support::program::have;
use crate::support::server::binary;

/// A client and a server beside each other, and a configuration that everybody may read.
struct Lab {
    client: Host,
    server: Host,
    place: Place,
    config: String,
    // Last, since what runs in it goes first.
    _net: Net,
}

impl Lab {
    fn new(more: &str) -> Option<Lab> {
        if !crate::netns::have() {
            return None;
        }
        let net = Net::new().unwrap();
        let (client, server) = (net.host("client").unwrap(), net.host("server").unwrap());
        net.link((&client, "203.0.113.1/24 2001:db8:1::1/64"), (&server, "203.0.113.2/24 2001:db8:1::2/64"))
            .unwrap();
        let place = Place::new();
        let config = place.local().join("twoport.toml");
        let root = place.root();
        let text = format!(
            "listen = [\"[::]:2121\"]\nroot = {root:?}\npassive-ports = \"61000-61015\"\n{more}\n[[user]]\nname = \"alice\"\npassword = \"secret\"\n"
        );
        std::fs::write(&config, text).expect("a file can be written");
        let config = config.to_str().expect("a folder of ours is text").to_owned();
        Some(Lab { client, server, place, config, _net: net })
    }

    /// What the doctor says, and its exit code.
    fn asked(&self, before: &[&str]) -> (Value, i32) {
        let mut words = before.to_vec();
        let program = binary();
        words.push(program.to_str().expect("a path of ours is text"));
        words.extend(["doctor", "--json", "--config", &self.config]);
        self.said(self.server.command(words[0]), &words[1..])
    }

    fn said(&self, mut command: std::process::Command, words: &[&str]) -> (Value, i32) {
        let output = command.args(words).stdin(Stdio::null()).output().expect("the program runs");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let error = String::from_utf8_lossy(&output.stderr);
        let said = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}{error}"));
        (said, output.status.code().expect("nobody killed it"))
    }

    #[track_caller]
    fn finds(&self, verdict: &str, cause: &str, through: [Option<bool>; 3]) -> Value {
        let (said, code) = self.asked(&[]);
        let is = (said["verdict"].as_str(), said["cause"].as_str());
        assert_eq!(is, (Some(verdict), Some(cause)), "{said:#}");
        assert_eq!(code, if verdict == "broken" { 4 } else { 0 }, "{said:#}");
        let flows = said["flows"].as_array().unwrap();
        let found: Vec<Option<bool>> = flows.iter().map(|flow| flow["let_through"].as_bool()).collect();
        assert_eq!(found, through, "{said:#}");
        said
    }

    /// Whether a client gets a passive data connection, by EPSV over IPv4, within a second.
    fn carries(&self) -> bool {
        let flags = ["--tls", "off", "--passive-ports", "61000-61015"];
        let _server = self.place.serve(&self.server, "[::]:2121", &flags);
        let mut peer = login(
            self.client.inside(|| TcpStream::connect("203.0.113.2:2121")).unwrap().expect("it is let in"),
        );
        let to = peer.epsv();
        let second = std::time::Duration::from_secs(1);
        self.client.inside(|| TcpStream::connect_timeout(&to, second)).unwrap().is_ok()
    }
}

const CLOSED: &str = "
    table inet filter {
        chain input {
            type filter hook input priority filter; policy drop;
            ct state established,related accept
            iifname lo accept
            meta l4proto { icmp, ipv6-icmp } accept
            tcp dport 2121 ct state new accept comment \"control\"
        }
        chain output {
            type filter hook output priority filter; policy accept;
        }
    }";

#[track_caller]
fn has(said: &Value, severity: &str, words: &[&str]) {
    let findings = said["findings"].as_array().unwrap();
    let fits = |one: &&Value| {
        one["severity"] == severity && words.iter().all(|word| one["what"].as_str().unwrap().contains(word))
    };
    assert!(findings.iter().any(|one| fits(&one)), "no {severity} with {words:?} in {said:#}");
}

#[test]
fn a_range_that_rules_drop_is_seen_by_root_and_cured_by_what_is_told() {
    let Some(lab) = Lab::new("tls = \"off\"") else { return };
    lab.finds("ok", "none", [Some(true); 3]);
    lab.server.load_nft(CLOSED).unwrap();
    let cause = "passive-range-dropped-at-server-host";
    let said = lab.finds("broken", cause, [Some(true), Some(false), Some(true)]);
    has(&said, "broken", &["61000-61015", "policy drop of chain input of table inet filter"]);
    assert_eq!(said["flows"][0]["by"], "tcp dport 2121 ct state new accept comment \"control\"");
    assert!(!lab.carries());
    let broken = said["findings"].as_array().unwrap().iter().find(|one| one["severity"] == "broken");
    let rules = broken.unwrap()["rules"]["nftables"].as_str().unwrap().to_owned();
    lab.server.load_nft(&rules).unwrap();
    lab.finds("ok", "none", [Some(true); 3]);
    assert!(lab.carries());
}

/// Chains of one table, and what lies beside the chain at input: what is not accepted there is refused.
const WORDS: &[(&str, &str)] = &[
    ("", "tcp dport { 61000-61007, 61008-61015 } accept"),
    ("set open { type inet_service; flags interval; elements = { 61000-61015 }; }", "tcp dport @open accept"),
    ("set open { type inet_service; flags interval; elements = { 61000-61014 }; }", "tcp dport @open accept"),
    ("", "tcp dport 61000-61009 accept\nth dport 61010-61015 accept"),
    ("", "tcp dport != 61003 accept"),
    ("", "tcp dport 61001-61015 accept"),
    ("", "tcp dport > 60999 tcp dport < 61016 accept"),
    (
        "chain other { tcp sport >= 1024 accept; }",
        "tcp dport vmap { 61000-61010 : accept, 61011-61015 : goto other }",
    ),
    (
        "chain other { tcp dport 61015 return; accept; }",
        "tcp flags & (fin | syn | rst | ack) == syn tcp dport >= 61000 jump other",
    ),
    (
        "chain other { tcp dport 61015 return; accept; }",
        "tcp dport >= 61000 jump other\ntcp dport 61015 accept",
    ),
    (
        "chain other { tcp dport 61015 return; accept; }",
        "tcp dport >= 61000 goto other\ntcp dport 61015 accept",
    ),
    ("chain other { accept; }", "ct state vmap { invalid : drop, new : jump other }"),
    (
        "",
        "ct state { new, untracked } counter limit rate 1000/second burst 1000 packets log prefix \"new \" accept",
    ),
    ("", "ct state != new accept"),
    ("", "iifname client tcp dport 61000-61015 accept"),
    ("", "iifname != client accept"),
    ("", "iifname { lo, cli* } accept"),
    ("", "ip daddr 203.0.113.2 accept\nip6 daddr 2001:db8:1::2 accept"),
    ("", "ip daddr 203.0.113.2 accept"),
    ("", "ip daddr != 203.0.113.2 accept\nip6 nexthdr tcp accept"),
    ("", "meta nfproto ipv4 accept"),
    ("", "meta l4proto tcp meta nfproto { ipv4, ipv6 } accept"),
    ("", "ip saddr 198.51.100.0/24 drop\nip6 saddr 2001:db8:9::/48 drop\naccept"),
    ("", "fib daddr type local accept"),
    ("", "meta mark 1 accept"),
    ("chain first { type filter hook prerouting priority raw; meta mark set 1; }", "meta mark 0 accept"),
    (
        "chain first { type filter hook prerouting priority raw; tcp dport 61004 notrack; }",
        "ct state new accept",
    ),
    (
        "chain first { type filter hook prerouting priority raw; tcp dport 61004 reject with tcp reset; }",
        "accept",
    ),
    ("chain last { type filter hook input priority 10; tcp dport 61015 reject with tcp reset; }", "accept"),
    ("chain out { type filter hook output priority 0; tcp sport 61004 reject with tcp reset; }", "accept"),
    ("chain out { type filter hook output priority 0; ct state new reject with tcp reset; }", "accept"),
];

#[test]
fn what_it_foretells_is_what_the_kernel_does() {
    let Some(lab) = Lab::new("tls = \"off\"") else { return };
    let listen = |port| std::net::TcpListener::bind(format!("[::]:{port}")).expect("the port is free");
    let _listeners = lab.server.inside(|| (61_000..=61_015).map(listen).collect::<Vec<_>>()).unwrap();
    let connects = |to: String| {
        let to = to.parse().expect("an address and a port");
        // Refused at once, where it is refused as it should be.
        TcpStream::connect_timeout(&to, std::time::Duration::from_secs(2)).is_ok()
    };
    let mut unknown = Vec::new();
    for (beside, rules) in WORDS {
        // Elements and rules of one line are written a line each: nft 1.0.6 wants it so.
        let beside = beside.replace("; ", "\n").replace(';', "\n").replace("{ type", "{\ntype");
        let beside = beside.replace("chain other { ", "chain other {\n");
        lab.server
            .load_nft(&format!(
                "flush ruleset
            table inet own {{
                {beside}
                chain input {{
                    type filter hook input priority filter
                    ct state established,related accept
                    meta l4proto {{ icmp, ipv6-icmp }} accept
                    {rules}
                    reject with tcp reset
                }}
            }}"
            ))
            .unwrap();
        let (said, _) = lab.asked(&[]);
        let foretold = said["flows"][1]["let_through"].as_bool();
        let all = lab
            .client
            .inside(|| {
                let both = (61_000..=61_015)
                    .flat_map(|port| [format!("203.0.113.2:{port}"), format!("[2001:db8:1::2]:{port}")]);
                both.into_iter().all(connects)
            })
            .unwrap();
        if foretold.is_none() {
            unknown.push(*rules);
        }
        assert!(
            foretold.is_none_or(|foretold| foretold == all),
            "{all} is so with {beside} {rules}: {said:#}"
        );
    }
    // Some may come by another interface, and once a mark is set, it may be any.
    assert_eq!(unknown, ["iifname != client accept", "meta mark 0 accept"]);
}

#[test]
fn nobody_is_told_what_only_root_sees_and_nothing_is_claimed() {
    if !have("setpriv") {
        return;
    }
    let Some(lab) = Lab::new("tls = \"off\"") else { return };
    lab.server.load_nft(CLOSED).unwrap();
    let copy = lab.place.local().join("twoport");
    // The build's own folder may be closed to others.
    std::fs::copy(binary(), &copy).expect("a program can be copied");
    let open = |path: &std::path::Path| {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(path, mode).expect("it is ours");
    };
    open(&lab.place.local());
    open(lab.place.local().parent().expect("it is in the place's folder"));
    let mut command = lab.server.command("setpriv");
    command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]).arg(&copy);
    let (said, code) = lab.said(command, &["doctor", "--json", "--config", &lab.config]);
    assert_eq!((said["verdict"].as_str(), code), (Some("ok"), 0), "{said:#}");
    assert!(said["unseen"][0].as_str().unwrap().contains("only root may read them"), "{said:#}");
    let flows = said["flows"].as_array().unwrap();
    assert!(flows.iter().all(|flow| flow["let_through"].is_null() && flow["by"].is_null()), "{said:#}");
}

#[test]
fn a_helper_on_our_port_is_seen_with_what_it_clashes_with() {
    let helper = "
        table inet own {
            ct helper ftp {
                type \"ftp\" protocol tcp
            }
            chain prerouting {
                type filter hook prerouting priority filter
                tcp dport 2121 ct helper set \"ftp\"
            }
        }";
    let closed = [Some(true), Some(false), Some(true)];
    for (more, verdict, cause, through) in [
        ("tls = \"off\"", "ok", "none", [Some(true); 3]),
        ("tls = \"off\"\npassive-address = \"198.51.100.7\"", "broken", "helper-plus-masquerade", closed),
        ("tls = \"required\"", "broken", "tls-blinds-helper", closed),
        ("tls = \"on\"", "degraded", "tls-blinds-helper", [Some(true), None, Some(true)]),
    ] {
        let Some(lab) = Lab::new(more) else { return };
        lab.server.load_nft(CLOSED).unwrap();
        lab.server.load_nft(helper).unwrap();
        let said = lab.finds(verdict, cause, through);
        let severity = if verdict == "degraded" { "warning" } else { verdict };
        has(
            &said,
            severity,
            &["an FTP helper watches our control connections", "tcp dport 2121 ct helper set"],
        );
        if cause == "none" {
            assert!(lab.carries());
        }
    }
}

#[test]
fn rules_of_iptables_are_read_in_its_own_words() {
    if !crate::netns::have() || !iptables::have() {
        return;
    }
    let lab = Lab::new("tls = \"off\"").expect("there are networks");
    let rules = |range: &str| {
        format!(
            "*filter\n:INPUT DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n-A INPUT -i lo -j ACCEPT\n-A INPUT -m conntrack --ctstate \
             RELATED,ESTABLISHED -j ACCEPT\n-A INPUT -p tcp -m multiport --dports 2121,{range} -j ACCEPT\nCOMMIT\n"
        )
    };
    for (range, verdict, cause, through) in [
        ("61000:61007", "broken", "range-partly-open", Some(false)),
        ("61000:61015", "ok", "none", Some(true)),
    ] {
        for family in [Family::V4, Family::V6] {
            let text = rules(range);
            let open = text.replace(":INPUT DROP [0:0]\n", ":INPUT DROP [0:0]\n-F INPUT\n");
            iptables::load(&lab.server, family, &open);
        }
        let program = binary();
        let mut command = iptables::command(&lab.server, program.to_str().expect("a path of ours is text"));
        command.args(["doctor", "--json", "--config", &lab.config]);
        let (said, _) = lab.said(command, &[]);
        assert_eq!(
            (said["verdict"].as_str(), said["cause"].as_str()),
            (Some(verdict), Some(cause)),
            "{said:#}"
        );
        assert_eq!(said["flows"][1]["let_through"].as_bool(), through, "{said:#}");
        let by = said["flows"][0]["by"].as_str().unwrap();
        assert!(by.starts_with("-A INPUT -p tcp -m multiport --dports 2121,61000:610"), "{by}");
    }
    // Where iptables' own program is missing, what it alone can tell is not guessed.
    let (said, code) = lab.asked(&[]);
    if said["unseen"].as_array().unwrap().iter().any(|one| one.as_str().unwrap().contains("iptables")) {
        assert_eq!((said["flows"][1]["let_through"].as_bool(), code), (None, 0), "{said:#}");
    }
}

#[test]
fn a_port_that_another_program_holds_is_named_with_its_program() {
    let Some(lab) = Lab::new("tls = \"off\"") else { return };
    let holder =
        lab.server.inside(|| std::net::TcpListener::bind("0.0.0.0:2121")).unwrap().expect("the port is free");
    let said = lab.finds("broken", "nothing-listening", [Some(true); 3]);
    has(&said, "broken", &["port 2121 is taken by ", &format!("(process {})", std::process::id())]);
    drop(holder);
    let flags = ["--tls", "off", "--passive-ports", "61000-61015"];
    let _server = lab.place.serve(&lab.server, "[::]:2121", &flags);
    let mut peer =
        login(lab.client.inside(|| TcpStream::connect("203.0.113.2:2121")).unwrap().expect("it listens"));
    // A lease of ours is no stranger in the range.
    let to = peer.epsv();
    let _link = lab.client.inside(|| peer::data(TcpStream::connect(to).expect("it is lent"))).unwrap();
    let said = lab.finds("ok", "none", [Some(true); 3]);
    has(&said, "ok", &["twoport listens on [::]:2121"]);
}
