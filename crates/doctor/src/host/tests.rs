//! Rules as nft and iptables have printed them, and what is made of machines and configurations.

use std::collections::BTreeMap;

use twoport_plan::PortRange;
use twoport_plan::flow::TlsUse;
use twoport_plan::outside::PortMap;

use super::facts::together;
use super::rules::{Fate, Judged, Packet, Stage, Test};
use super::*;
use crate::host::judge::judge;

/// What `nft` printed of the rules of this name, as an object and as text.
fn nft(name: &str) -> Rules {
    let (json, text) = match name {
        "default-drop" => {
            (include_str!("samples/default-drop.json"), include_str!("samples/default-drop.txt"))
        }
        "firewalld" => (include_str!("samples/firewalld.json"), include_str!("samples/firewalld.txt")),
        "generated" => (include_str!("samples/generated.json"), include_str!("samples/generated.txt")),
        "generated-helper" => {
            (include_str!("samples/generated-helper.json"), include_str!("samples/generated-helper.txt"))
        }
        "many-words" => (include_str!("samples/many-words.json"), include_str!("samples/many-words.txt")),
        "ufw" => (include_str!("samples/ufw.json"), include_str!("samples/ufw.txt")),
        _ => unreachable!("{name} was not recorded"),
    };
    super::nft::read(json, text).unwrap()
}

fn ufw() -> Rules {
    together(nft("ufw"), [(include_str!("samples/ufw.save").to_owned(), false)])
}

/// A table of nft with one chain at input, of which the statements are given as JSON.
fn table(policy: &str, rules: &[&str]) -> Rules {
    let chain = format!(
        "{{\"chain\": {{\"family\": \"inet\", \"table\": \"t\", \"name\": \"input\", \"handle\": 1, \"type\": \"filter\", \
         \"hook\": \"input\", \"prio\": 0, \"policy\": \"{policy}\"}}}}"
    );
    let rules = rules.iter().map(|expr| {
        format!(
            "{{\"rule\": {{\"family\": \"inet\", \"table\": \"t\", \"chain\": \"input\", \"expr\": {expr}}}}}"
        )
    });
    let all: Vec<String> = std::iter::once(chain).chain(rules).collect();
    super::nft::read(&format!("{{\"nftables\": [{}]}}", all.join(",")), "").unwrap()
}

fn to(port: u16) -> Packet {
    Packet {
        inward: true,
        v6: false,
        source: 40_000,
        target: port,
        stage: Stage::New,
        own: vec!["198.51.100.2".parse().unwrap(), "2001:db8::2".parse().unwrap()],
        interface: Some("eth0".to_owned()),
    }
}

fn fate(rules: &Rules, port: u16) -> Fate {
    rules.judge(&to(port)).fate
}

#[track_caller]
fn by(judged: &Judged, fate: Fate, rule: &str) {
    assert_eq!((judged.fate, judged.by.as_deref()), (fate, Some(rule)));
}

#[test]
fn a_plain_chain_that_drops_lets_in_what_it_names() {
    let rules = nft("default-drop");
    by(&rules.judge(&to(21)), Fate::Passes, "tcp dport { 21, 22 } ct state new accept comment \"control\"");
    by(&rules.judge(&to(61_000)), Fate::Stops, "policy drop of chain input of table inet filter");
    assert_eq!(fate(&rules, 20), Fate::Stops);
    let related = Packet { stage: Stage::Helped, ..to(61_000) };
    assert_eq!(rules.judge(&related).fate, Fate::Passes);
    let out = Packet { inward: false, ..to(50_000) };
    assert_eq!(rules.judge(&out).fate, Fate::Passes);
}

#[test]
fn what_twoport_firewall_writes_is_understood() {
    let rules = nft("generated");
    for port in [21, 61_000, 61_100, 61_255] {
        for v6 in [false, true] {
            assert_eq!(rules.judge(&Packet { v6, ..to(port) }).fate, Fate::Passes, "{port}");
        }
    }
    assert_eq!((fate(&rules, 60_999), fate(&rules, 61_256)), (Fate::Stops, Fate::Stops));
    // With the helper only what it has announced.
    let rules = nft("generated-helper");
    let control = rules.judge(&to(21));
    assert_eq!(control.fate, Fate::Passes);
    assert_eq!(control.helper.as_deref(), Some("tcp dport 21 ct helper set \"twoport_ftp\""));
    assert_eq!(fate(&rules, 61_000), Fate::Stops);
    assert_eq!(rules.judge(&Packet { stage: Stage::Helped, ..to(61_000) }).fate, Fate::Passes);
}

#[test]
fn firewalld_is_followed_through_its_zones() {
    let rules = nft("firewalld");
    by(&rules.judge(&to(21)), Fate::Passes, "tcp dport 21 accept");
    by(&rules.judge(&to(61_000)), Fate::Stops, "reject with icmpx admin-prohibited");
    assert!(rules.judge(&to(21)).helper.is_some_and(|rule| rule.contains("helper-ftp-tcp")));
    assert_eq!(rules.judge(&to(61_000)).helper, None);
}

#[test]
fn ufw_is_read_in_the_words_of_iptables() {
    let rules = ufw();
    by(&rules.judge(&to(21)), Fate::Passes, "-A ufw-user-input -p tcp -m tcp --dport 21 -j ACCEPT");
    by(
        &rules.judge(&to(50_050)),
        Fate::Passes,
        "-A ufw-user-input -p tcp -m multiport --dports 50000:50100 -j ACCEPT",
    );
    by(&rules.judge(&to(50_101)), Fate::Stops, "policy drop of chain INPUT of iptables table filter");
    assert_eq!(rules.judge(&Packet { stage: Stage::Helped, ..to(50_101) }).fate, Fate::Passes);
    let redirected = rules.judge(&to(2100));
    assert!(redirected.elsewhere && redirected.fate == Fate::Stops, "{redirected:?}");
    assert!(rules.judge(&to(21)).helper.is_some_and(|rule| rule.ends_with("-j CT --helper ftp")));
    // There is nothing of IPv6.
    assert_eq!(rules.judge(&Packet { v6: true, ..to(50_101) }).fate, Fate::Passes);
}

#[test]
fn what_only_iptables_can_tell_is_not_guessed() {
    let rules = nft("ufw");
    let judged = rules.judge(&to(50_050));
    assert_eq!(judged.fate, Fate::Depends);
    assert!(judged.by.is_some());
}

#[test]
fn many_words_are_understood() {
    let rules = nft("many-words");
    for (port, fate) in [
        // By a named set and an interval in it.
        (80, Fate::Passes),
        (50_005, Fate::Passes),
        // By a named map.
        (23, Fate::Stops),
        // By a map that is written out, and a chain from there.
        (24, Fate::Stops),
        // Redirected.
        (21, Fate::Stops),
    ] {
        assert_eq!(rules.judge(&to(port)).fate, fate, "{port}");
    }
    by(
        &rules.judge(&to(443)),
        Fate::Passes,
        "tcp dport @web counter name \"c1\" log prefix \"x\" accept comment \"web\"",
    );
    let out = Packet { inward: false, source: 20, ..to(50_000) };
    by(&rules.judge(&out), Fate::Stops, "oifname != \"lo\" tcp sport 20 tcp dport 1024-65535 drop");
    assert_eq!(rules.judge(&Packet { source: 40_000, ..out }).fate, Fate::Passes);
}

#[test]
fn a_rule_that_names_clients_decides_for_them_only() {
    const LAN: &str = r#"{"match": {"op": "==", "left": {"payload": {"protocol": "ip", "field": "saddr"}}, "right": {"prefix": {"addr": "10.0.0.0", "len": 8}}}}"#;
    let others = LAN.replace("==", "!=");
    let accept = |test: &str| format!("[{test}, {{\"accept\": null}}]");
    let drop = |test: &str| format!("[{test}, {{\"drop\": null}}]");
    for (policy, rule, expected) in [
        // A ban is no more than one.
        ("accept", drop(LAN), Fate::Passes),
        ("drop", accept(LAN), Fate::Depends),
        ("accept", drop(&others), Fate::Depends),
        ("drop", accept(&others), Fate::Passes),
        ("drop", accept(&LAN.replace("10.0.0.0", "0.0.0.0").replace(": 8", ": 0")), Fate::Passes),
        // Our own address is known.
        ("drop", accept(&LAN.replace("saddr", "daddr").replace("10.0.0.0", "198.51.0.0")), Fate::Passes),
        ("drop", accept(&LAN.replace("saddr", "daddr")), Fate::Stops),
    ] {
        assert_eq!(fate(&table(policy, &[&rule]), 21), expected, "{policy} {rule}");
    }
}

#[test]
fn what_is_not_understood_is_no_answer_only_where_it_decides() {
    const STRANGE: &str = r#"{"match": {"op": "==", "left": {"osf": {"key": "name"}}, "right": "Linux"}}"#;
    const PORT: &str =
        r#"{"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": 21}}"#;
    let drop = format!("[{STRANGE}, {{\"drop\": null}}]");
    let accept = format!("[{STRANGE}, {{\"accept\": null}}]");
    assert_eq!(fate(&table("accept", &[&drop]), 21), Fate::Depends);
    assert_eq!(fate(&table("accept", &[&accept]), 21), Fate::Passes);
    assert_eq!(fate(&table("drop", &[&drop]), 21), Fate::Stops);
    assert_eq!(fate(&table("drop", &[&accept]), 21), Fate::Depends);
    // Another port is another matter, and what comes before decides.
    let drop = format!("[{PORT}, {STRANGE}, {{\"drop\": null}}]");
    assert_eq!(fate(&table("accept", &[&drop]), 22), Fate::Passes);
    let first = format!("[{PORT}, {{\"accept\": null}}]");
    assert_eq!(fate(&table("accept", &[&first, &drop]), 21), Fate::Passes);
    // A program in between may do either.
    assert_eq!(fate(&table("accept", &["[{\"queue\": {\"num\": 3}}]"]), 21), Fate::Depends);
    // Marks that nobody has set are zero.
    const MARK: &str = r#"{"match": {"op": "==", "left": {"meta": {"key": "mark"}}, "right": 7}}"#;
    let marked = format!("[{MARK}, {{\"drop\": null}}]");
    assert_eq!(fate(&table("accept", &[&marked]), 21), Fate::Passes);
    const SET: &str = r#"[{"mangle": {"key": {"meta": {"key": "mark"}}, "value": 7}}]"#;
    assert_eq!(fate(&table("accept", &[SET, &marked]), 21), Fate::Depends);
}

#[test]
fn words_of_iptables_are_understood_one_by_one() {
    let rules = |policy: &str, rule: &str| Rules {
        chains: iptables::read(
            &format!("*filter\n:INPUT {policy} [0:0]\n:OWN - [0:0]\n{rule}\nCOMMIT\n"),
            false,
        ),
    };
    for (rule, expected) in [
        ("-A INPUT -p tcp -m tcp --dport 21 -j DROP", Fate::Stops),
        ("-A INPUT -p tcp -m tcp ! --dport 21 -j DROP", Fate::Passes),
        ("-A INPUT -p tcp -m multiport --dports 20:22,80 -j REJECT --reject-with tcp-reset", Fate::Stops),
        ("-A INPUT -p udp -m udp --dport 21 -j DROP", Fate::Passes),
        ("-A INPUT -i lo -j DROP", Fate::Passes),
        ("-A INPUT ! -i lo -p tcp -j DROP", Fate::Stops),
        ("-A INPUT -o eth0 -j DROP", Fate::Passes),
        ("-A INPUT -m conntrack --ctstate INVALID -j DROP", Fate::Passes),
        ("-A INPUT -m state --state NEW -j DROP", Fate::Stops),
        ("-A INPUT -p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN -j DROP", Fate::Stops),
        ("-A INPUT -p tcp -m tcp --tcp-flags FIN,SYN FIN,SYN -j DROP", Fate::Passes),
        ("-A INPUT -s 203.0.113.7/32 -j DROP", Fate::Passes),
        ("-A INPUT ! -s 10.0.0.0/8 -j DROP", Fate::Depends),
        ("-A INPUT -m set --match-set banned src -j DROP", Fate::Passes),
        ("-A INPUT -d 198.51.100.2/32 -m comment --comment \"a b -j ACCEPT\" -j DROP", Fate::Stops),
        ("-A INPUT -m u32 --u32 \"0x0\" -j DROP", Fate::Depends),
        ("-A INPUT -j NFQUEUE --queue-num 0", Fate::Depends),
        ("-A INPUT -j OWN\n-A OWN -p tcp -j RETURN\n-A OWN -j DROP", Fate::Passes),
        ("-A INPUT -g OWN\n-A INPUT -j DROP\n-A OWN -p udp -j DROP", Fate::Passes),
        ("-A INPUT -j OWN\n-A OWN -p tcp -j LOG --log-prefix \"x \"\n-A OWN -j DROP", Fate::Stops),
        ("-A INPUT -m limit --limit 1/sec -j ACCEPT\n-A INPUT -j DROP", Fate::Passes),
        (
            "-A INPUT -p tcp -m connlimit --connlimit-above 5 --connlimit-mask 32 --connlimit-saddr -j DROP",
            Fate::Passes,
        ),
    ] {
        assert_eq!(fate(&rules("ACCEPT", rule), 21), expected, "{rule}");
    }
    assert_eq!(fate(&rules("DROP", "-A INPUT -p tcp -j OWN"), 21), Fate::Stops);
    // Chains that call each other come to an end.
    assert_eq!(fate(&rules("ACCEPT", "-A INPUT -j OWN\n-A OWN -j OWN"), 21), Fate::Passes);
}

#[test]
fn ports_are_tried_where_rules_begin_and_end() {
    let rules = Rules {
        chains: iptables::read(
            "*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -p tcp -m tcp --dport 61007 -j DROP\nCOMMIT\n",
            false,
        ),
    };
    let tried: Vec<u16> = rules.edges(61_000, 61_255).into_iter().collect();
    assert_eq!(tried, [61_000, 61_006, 61_007, 61_008, 61_127, 61_255]);
    assert_eq!(Test::Known(true), rules.chains[0].rules[0].tests[0]);
}

fn setup() -> Setup {
    let site = Site {
        passive_ports: Some(PortRange::new(61_000, 61_255).unwrap()),
        tls: TlsUse::Off,
        ..Site::default()
    };
    Setup {
        file: "twoport.toml".to_owned(),
        site,
        listen: vec!["[::]:21".parse().unwrap()],
        witness: None,
        max_sessions: 1000,
        keepalive: Some(Duration::from_secs(45)),
    }
}

/// A machine with an address of the world, without any rule.
fn host() -> Host {
    Host {
        own: vec!["203.0.113.2".parse().unwrap(), "2001:db8::2".parse().unwrap()],
        ways: (Some("eth0".to_owned()), Some("eth0".to_owned())),
        open_from: 1024,
        may_bind: true,
        ephemeral: Some((32_768, 60_999)),
        rules: Some(Rules::default()),
        tracking: Some(Tracking { count: 17, most: 262_144, silent: Some(Duration::from_secs(432_000)) }),
        ..Host::default()
    }
}

fn told(tell: Tell) -> Setup {
    let mut setup = setup();
    setup.site.outside.tell = tell;
    setup
}

/// The verdict and the cause, as scripts read them, and all that is not well.
fn found(setup: &Setup, host: &Host) -> (String, String, Vec<String>) {
    let examined = judge(setup, host);
    let json = examined.json(|_, _| serde_json::json!({}));
    let bad = examined.findings.iter().filter(|finding| finding.severity != Severity::Ok);
    for finding in &examined.findings {
        assert!(!finding.what.ends_with('.') && !finding.what.contains("  "), "{}", finding.what);
        assert_eq!(finding.severity == Severity::Ok, finding.side == Side::None, "{}", finding.what);
        assert!(finding.severity == Severity::Ok || finding.fix.is_some(), "{}", finding.what);
    }
    let word = |key: &str| json[key].as_str().unwrap().to_owned();
    (word("verdict"), word("cause"), bad.map(|finding| finding.what.clone()).collect())
}

#[track_caller]
fn is(setup: &Setup, host: &Host, verdict: &str, cause: &str, says: &str) {
    let (is, why, bad) = found(setup, host);
    assert_eq!((&*is, &*why), (verdict, cause), "{bad:#?}");
    assert!(says.is_empty() || bad.iter().any(|what| what.contains(says)), "{says:?} is not in {bad:#?}");
}

#[test]
fn a_machine_that_has_what_is_needed_is_well() {
    is(&setup(), &host(), "ok", "none", "");
    insta::assert_snapshot!("well", judge(&setup(), &host()).to_string());
}

#[test]
fn rules_that_do_not_let_the_range_through_are_named() {
    let host = Host { rules: Some(nft("default-drop")), ..host() };
    is(
        &setup(),
        &host,
        "broken",
        "passive-range-dropped-at-server-host",
        "are stopped by the policy drop of chain input",
    );
    insta::assert_snapshot!("range-dropped", judge(&setup(), &host).to_string());
    let examined = judge(&setup(), &host);
    let through: Vec<Option<bool>> = examined.passages.iter().map(|passage| passage.let_through).collect();
    assert_eq!(through, [Some(true), Some(false), Some(true)]);
    let worst = examined.worst().unwrap();
    assert!(
        worst
            .rules
            .as_ref()
            .is_some_and(|(dialect, text)| *dialect == "nftables" && text.contains("61000-61255"))
    );
    let host = Host { rules: Some(nft("generated")), ..host };
    is(&setup(), &host, "ok", "none", "");
}

#[test]
fn what_follows_on_a_connection_must_pass_as_well() {
    // A filter at output that lets nothing out, and one at input that knows first packets only.
    let mute = nft("default-drop");
    let silence = |name: &str| {
        let mut rules = mute.clone();
        for chain in rules.chains.iter_mut().filter(|chain| chain.name == name) {
            chain.rules.retain(|rule| !rule.text.starts_with("ct state vmap"));
            chain.base = chain.base.map(|base| rules::Base { accepts: false, ..base });
        }
        Host { rules: Some(rules), ..host() }
    };
    for name in ["input", "output"] {
        let says = format!(
            "control connections to 21 may begin, and what follows on them is stopped by the policy drop of chain {name}"
        );
        is(&setup(), &silence(name), "broken", "control-blocked", &says);
    }
}

#[test]
fn the_cure_is_told_in_the_words_of_those_who_wrote_the_rules() {
    for (rules, dialect) in
        [(nft("default-drop"), "nftables"), (nft("firewalld"), "firewalld"), (ufw(), "ufw")]
    {
        let mut setup = setup();
        setup.site.tls = TlsUse::Required;
        let examined = judge(&setup, &Host { rules: Some(rules), ..host() });
        assert_eq!(examined.worst().unwrap().rules.as_ref().unwrap().0, dialect);
    }
    let bare = r#"{"nftables": [{"chain": {"family": "ip", "table": "filter", "name": "INPUT", "hook": "input", "prio": 0, "policy": "drop"}}]}"#;
    let rules = super::nft::read(bare, "").unwrap();
    let examined = judge(&setup(), &Host { rules: Some(rules), ..host() });
    let texts = examined.findings.iter().filter_map(|finding| finding.rules.clone());
    let mut texts: Vec<(&str, String)> = texts.collect();
    texts.dedup();
    assert_eq!(texts.len(), 1, "one text for all that is missing");
    assert_eq!(texts[0].0, "iptables");
    // Elsewhere the generator's chains would not be reached.
    let json = r#"{"nftables": [{"chain": {"family": "ip", "table": "own", "name": "in", "hook": "input", "prio": 0, "policy": "drop"}}]}"#;
    let host = Host { rules: Some(super::nft::read(json, "").unwrap()), ..host() };
    let fix = judge(&setup(), &host).worst().unwrap().fix.clone().unwrap();
    assert_eq!(fix, "nft 'insert rule ip own in tcp dport { 21 } ct state new accept'");
}

#[test]
fn a_part_of_the_range_and_one_family_are_told_apart_from_all() {
    let open = include_str!("samples/ufw.save").to_owned();
    let open = open.replace("50000:50100", "61000:61100").replace(" --helper ftp", "");
    let rules = together(Rules::default(), [(open, false)]);
    let host = Host { rules: Some(rules), ..host() };
    is(&setup(), &host, "broken", "range-partly-open", "of 61000-61255 over IPv4 are stopped by");
}

#[test]
fn a_helper_is_judged_by_what_it_has_to_do() {
    let host = Host { rules: Some(nft("firewalld")), modules: vec!["nf_conntrack_ftp"], ..host() };
    is(&setup(), &host, "ok", "none", "");
    let outer = "203.0.113.2".parse().unwrap();
    is(&told(Tell::Address(outer)), &host, "broken", "helper-plus-masquerade", "not 203.0.113.2: PASV fails");
    let mut secure = setup();
    secure.site.tls = TlsUse::On;
    is(&secure, &host, "degraded", "tls-blinds-helper", "in TLS nothing does");
    secure.site.tls = TlsUse::Required;
    is(&secure, &host, "broken", "tls-blinds-helper", "hides 227 from it");
    // What it announces is not let in.
    let mut rules = nft("firewalld");
    for chain in &mut rules.chains {
        chain.rules.retain(|rule| !rule.text.starts_with("ct state { established, related }"));
    }
    let deaf = Host { rules: Some(rules), ..host.clone() };
    is(&setup(), &deaf, "broken", "related-not-accepted", "what it announces is not let in");
    // The range is open without it.
    let mut rules = nft("firewalld");
    rules.chains.retain(|chain| chain.base.is_none_or(|base| base.hook == rules::Hook::Prerouting));
    let open = Host { rules: Some(rules), ..host.clone() };
    is(&secure, &open, "degraded", "tls-blinds-helper", "are let in without it");
    // Nobody but root sees rules; an old kernel's own will shows without.
    let blind = Host { rules: None, ..host };
    is(&setup(), &blind, "ok", "none", "");
    let automatic = Host { automatic: true, ..blind };
    is(
        &told(Tell::Address(outer)),
        &automatic,
        "degraded",
        "helper-plus-masquerade",
        "watches port 21 without being asked",
    );
}

#[test]
fn listeners_are_looked_at() {
    let at = |text: &str| Setup { listen: vec![text.parse().unwrap()], ..setup() };
    is(
        &at("198.51.100.9:21"),
        &host(),
        "broken",
        "nothing-listening",
        "198.51.100.9 is no address of this machine",
    );
    let used = |name: Option<&str>| Used {
        at: "0.0.0.0:21".parse().unwrap(),
        listens: true,
        by: name.map(|name| (name.to_owned(), 4711)),
    };
    let with = |name: Option<&str>| Host { used: vec![used(name)], ..host() };
    is(&setup(), &with(Some("twoport")), "ok", "none", "");
    is(
        &setup(),
        &with(Some("vsftpd")),
        "broken",
        "nothing-listening",
        "port 21 is taken by vsftpd (process 4711)",
    );
    is(&at("[2001:db8::2]:21"), &with(Some("vsftpd")), "ok", "none", "");
    let examined = judge(&setup(), &with(None));
    assert_eq!(examined.verdict(), Verdict::Ok);
    assert!(examined.unseen[0].starts_with("who listens on [::]:21"), "{:?}", examined.unseen);
    let user = Host { may_bind: false, ..host() };
    is(&setup(), &user, "degraded", "nothing-listening", "may not listen on ports below 1024");
    is(&at("[::]:2121"), &user, "ok", "none", "");
}

#[test]
fn what_227_tells_is_compared_with_what_is_so() {
    let ip = |text: &str| text.parse().unwrap();
    let (own, outer, inner) = (ip("203.0.113.2"), ip("198.51.100.7"), ip("10.0.0.5"));
    let private = Host { own: vec!["10.0.0.5".parse().unwrap()], ..host() };
    let sees = |host: &Host, world| Host { world: Some(Ok(world)), ..host.clone() };
    let (stale, hidden) = ("wrong-address-in-227-stale", "wrong-address-in-227-private");
    is(&told(Tell::Address(own)), &host(), "ok", "none", "");
    is(&told(Tell::Address(outer)), &private, "ok", "none", "");
    is(
        &told(Tell::Address(outer)),
        &sees(&private, own),
        "broken",
        stale,
        "the world sees this machine at 203.0.113.2",
    );
    is(&told(Tell::Address(outer)), &sees(&private, outer), "ok", "none", "");
    is(&told(Tell::Address(inner)), &private, "degraded", hidden, "a private address");
    is(&told(Tell::Control), &host(), "degraded", "227-zero-address", "connect to themselves");
    is(&setup(), &private, "degraded", hidden, "has private ones only (10.0.0.5)");
    is(&setup(), &sees(&private, outer), "broken", hidden, "the world sees this machine at 198.51.100.7");
    is(&setup(), &sees(&host(), own), "ok", "none", "");
    let name = Tell::Name("ftp.example.org".into());
    let answers = |answer: Result<_, &str>| Host {
        answers: vec![(name.clone(), answer.map_err(str::to_owned))],
        ..host()
    };
    is(&told(name.clone()), &answers(Ok(own)), "ok", "none", "");
    is(
        &told(name.clone()),
        &answers(Ok(inner)),
        "degraded",
        hidden,
        "which is 10.0.0.5 now, a private address",
    );
    is(&told(name.clone()), &answers(Err("no such name")), "broken", stale, "is not found (no such name)");
    // IPv6 has no 227, and who only serves itself tells nobody anything.
    for listen in ["[2001:db8::2]:21", "127.0.0.1:21"] {
        let setup = Setup { listen: vec![listen.parse().unwrap()], ..told(Tell::Address(inner)) };
        is(&setup, &host(), "ok", "none", "");
    }
    let mut mapped = setup();
    mapped.site.outside.ports = PortMap::read(["50000-50099=40000-40099"]).unwrap();
    is(&mapped, &host(), "degraded", "port-shifting-nat", "speaks of no passive port");
}

#[test]
fn the_range_is_compared_with_what_the_system_and_others_use() {
    let wide = Host { ephemeral: Some((32_768, 61_099)), ..host() };
    is(&setup(), &wide, "degraded", "range-exhausted", "61000-61099 of the passive ports 61000-61255");
    let reserved = Host { reserved: vec![(8080, 8080), (61_000, 61_255)], ..wide.clone() };
    is(&setup(), &reserved, "ok", "none", "");
    let some = Host { reserved: vec![(8080, 8080)], ..wide };
    let fix = judge(&setup(), &some).worst().unwrap().fix.clone().unwrap();
    assert_eq!(fix, "sysctl -w net.ipv4.ip_local_reserved_ports=8080,61000-61255");
    let used = |port: u16, name: &str| Used {
        at: SocketAddr::new("203.0.113.2".parse().unwrap(), port),
        listens: false,
        by: Some((name.to_owned(), 1)),
    };
    let host =
        Host { used: vec![used(61_003, "twoport"), used(61_004, "curl"), used(61_009, "curl")], ..host() };
    is(
        &setup(),
        &host,
        "degraded",
        "range-exhausted",
        "passive port 61004 is held by curl, and 1 more are in use",
    );
    let mut few = setup();
    few.site.passive_ports = Some(PortRange::new(61_000, 61_003).unwrap());
    is(&few, &self::host(), "degraded", "range-exhausted", "the 4 passive ports 61000-61003 are few");
    few.max_sessions = 4;
    is(&few, &self::host(), "ok", "none", "");
}

#[test]
fn tracking_and_dockers_proxy_are_looked_at() {
    let track = |count, silent| Host {
        tracking: Some(Tracking { count, most: 1000, silent: Some(Duration::from_secs(silent)) }),
        ..host()
    };
    is(&setup(), &track(800, 432_000), "degraded", "none", "holds 800 of at most 1000");
    is(&setup(), &track(1, 30), "degraded", "idle-control-dropped", "after 30 s");
    is(&setup(), &track(1, 600), "ok", "none", "");
    let deaf = Setup { keepalive: None, ..setup() };
    is(&deaf, &track(1, 600), "degraded", "idle-control-dropped", "never shows that it lives");
    let docker = Host {
        proxied: vec![(21, 21), (21, 21), (61_000, 61_000), (8080, 80)],
        used: vec![Used {
            at: "0.0.0.0:21".parse().unwrap(),
            listens: true,
            by: Some(("docker-proxy".into(), 9)),
        }],
        ..host()
    };
    is(
        &setup(),
        &docker,
        "degraded",
        "data-from-other-address",
        "connections to port 21-61000 (3 processes)",
    );
}

#[test]
fn every_cause_that_is_named_has_a_cure_for_the_server() {
    let mut named = BTreeMap::new();
    for rules in ["default-drop", "firewalld", "many-words"] {
        let examined = judge(&setup(), &Host { rules: Some(nft(rules)), ..host() });
        for finding in examined.findings.into_iter().filter(|finding| finding.severity != Severity::Ok) {
            named.insert(finding.what, (finding.fix, finding.confidence));
        }
    }
    assert!(named.values().all(|(fix, _)| fix.as_ref().is_some_and(|fix| !fix.is_empty())), "{named:#?}");
    assert!(named.len() > 1);
}
