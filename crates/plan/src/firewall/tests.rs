//! Every dialect for every side and mode as a table, and what must hold of all of them.

use std::fmt::Write as _;

use super::*;
use crate::flow::{Active, TlsUse};
use crate::outside::{Outside, Tell};
use crate::ports::PortRange;

/// A server at 192.168.50.2 that the world sees as 198.51.100.2, and a client at 10.77.1.2; both have IPv6 too.
fn site(side: Side) -> Site {
    let own = |side: &[&str]| side.iter().map(|text| text.parse().unwrap()).collect();
    Site {
        implicit: vec![990],
        passive_ports: Some(PortRange::new(50000, 50100).unwrap()),
        active: Active::Port20,
        active_ports: (!side.is_servers()).then(|| PortRange::new(41000, 41010).unwrap()),
        server: vec!["198.51.100.2".parse().unwrap(), "2001:db8:50::2".parse().unwrap()],
        inside: if side == Side::ServerNat { vec!["192.168.50.2".parse().unwrap()] } else { vec![] },
        outside: Outside {
            tell: if side == Side::ServerNat { "198.51.100.2".parse().unwrap() } else { Tell::Reached },
            ..Outside::default()
        },
        clients: if side.is_servers() { vec![] } else { own(&["10.77.1.2", "2001:db8:77::2"]) },
        ..Site::default()
    }
}

/// The same in plain, where a helper opens the data connections.
fn helped(side: Side) -> Site {
    Site {
        implicit: vec![],
        passive_ports: None,
        active_ports: None,
        outside: Outside::default(),
        tls: TlsUse::Off,
        helper: true,
        ..site(side)
    }
}

/// Every case that is looked at: its title, and its rules or the reason why there are none.
fn cases(dialect: Dialect, side: Side) -> Vec<(String, Result<String, Conflict>)> {
    let mut cases = Vec::new();
    for mode in [Mode::Passive, Mode::Active] {
        cases.push((mode.to_string(), rules(&site(side), side, mode, dialect)));
    }
    cases.push(("both, with a helper".to_owned(), rules(&helped(side), side, Mode::Both, dialect)));
    cases
}

#[test]
fn every_dialect_for_every_side_and_mode() {
    for dialect in Dialect::ALL {
        for side in Side::ALL {
            let mut text = String::new();
            for (title, rules) in cases(dialect, side) {
                let _ = writeln!(text, "======== {title}");
                match rules {
                    Ok(rules) => text.push_str(&rules),
                    Err(conflict) => {
                        let _ = writeln!(text, "refused: {conflict}");
                    }
                }
            }
            insta::assert_snapshot!(format!("{}_{}", dialect.name(), side.name()), text);
        }
    }
}

#[test]
fn every_output_says_for_whom_it_is_and_ends_its_last_line() {
    for dialect in Dialect::ALL {
        for side in Side::ALL {
            for (title, rules) in cases(dialect, side) {
                let Ok(rules) = rules else { continue };
                assert!(rules.contains(&side.to_string()), "{dialect:?} {side:?} {title}");
                assert!(rules.ends_with('\n') && !rules.contains('\t'), "{dialect:?} {side:?} {title}");
                let trailing = rules.lines().find(|line| line.ends_with(' '));
                assert_eq!(trailing, None, "{dialect:?} {side:?} {title}");
            }
        }
    }
}

#[test]
fn a_comment_in_a_rule_is_short_enough_for_the_kernel() {
    // nft takes 128 bytes with the end of the string.
    for side in Side::ALL {
        for (title, rules) in cases(Dialect::Nftables, side) {
            for comment in rules.iter().flat_map(|text| text.split("comment \"").skip(1)) {
                let length = comment.find('"').unwrap();
                assert!(length < 128, "{side:?} {title}: {comment}");
            }
        }
    }
}

#[test]
fn a_comment_for_ufw_holds_no_word_that_it_takes_for_its_own() {
    for side in Side::ALL {
        for rules in cases(Dialect::Ufw, side).into_iter().filter_map(|(_, rules)| rules.ok()) {
            for comment in rules.lines().filter_map(|line| line.strip_prefix("ufw ")?.split_once(" comment "))
            {
                let own = comment.1.split(' ').find(|word| matches!(*word, "in" | "on" | "out"));
                assert_eq!(own, None, "{}", comment.1);
            }
        }
    }
}

#[test]
fn a_rule_of_iptables_names_fifteen_ports_at_most() {
    let site = Site { control: (2100..2130).collect(), ..site(Side::ServerNat) };
    let text = rules(&site, Side::ServerNat, Mode::Both, Dialect::Iptables).unwrap();
    for ports in text.lines().filter_map(|line| line.split("--dports ").nth(1)) {
        let ports = ports.split(' ').next().unwrap();
        assert!(ports.split([',', ':']).count() <= 15, "{ports}");
    }
    for port in 2100..2130 {
        assert!(text.contains(&port.to_string()), "{port}");
    }
}

#[test]
fn who_is_named_by_ipv6_only_is_not_let_in_by_ipv4() {
    let named = Site { clients: vec!["2001:db8:7::/48".parse().unwrap()], ..site(Side::ServerNat) };
    let text = rules(&named, Side::ServerNat, Mode::Passive, Dialect::Nftables).unwrap();
    assert!(!text.contains("dnat to") && !text.contains("ip daddr 192.168.50.2 tcp dport 21 ct"), "{text}");
    assert!(text.contains("ip6 saddr 2001:db8:7::/48 ip6 daddr 2001:db8:50::2 tcp dport 21"), "{text}");
}
