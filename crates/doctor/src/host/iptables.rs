//! What `iptables-save` and `ip6tables-save` print, as `Rules`. An option that is not known makes its rule one that is not understood.

use twoport_plan::Network;

use super::rules::{Act, Base, Chain, Hook, Rule, SYN, Test, Tool};

/// Reads what one of the two prints; `v6` is which.
#[must_use]
pub fn read(text: &str, v6: bool) -> Vec<Chain> {
    let mut chains: Vec<Chain> = Vec::new();
    let mut table = String::new();
    for line in text.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix('*') {
            name.clone_into(&mut table);
        } else if let Some(chain) = line.strip_prefix(':') {
            let mut words = chain.split_whitespace();
            if let (Some(name), Some(policy)) = (words.next(), words.next()) {
                chains.push(Chain {
                    tool: Tool::Iptables,
                    families: (!v6, v6),
                    family: if v6 { "ip6" } else { "ip" }.to_owned(),
                    table: table.clone(),
                    name: name.to_owned(),
                    base: base(&table, name, policy),
                    rules: Vec::new(),
                });
            }
        } else if let Some(rule) = line.strip_prefix("-A ") {
            let words = words(rule);
            let Some((name, words)) = words.split_first() else { continue };
            if let Some(chain) = chains.iter_mut().find(|chain| chain.table == table && chain.name == *name) {
                chain.rules.push(read_rule(line, words));
            }
        }
    }
    chains
}

fn base(table: &str, name: &str, policy: &str) -> Option<Base> {
    let hook = match name {
        "PREROUTING" => Hook::Prerouting,
        "INPUT" => Hook::Input,
        "OUTPUT" => Hook::Output,
        "POSTROUTING" => Hook::Postrouting,
        _ => return None,
    };
    let priority = match (table, hook) {
        ("raw", _) => -300,
        ("mangle", _) => -150,
        ("nat", Hook::Prerouting | Hook::Output) => -100,
        ("nat", _) => 100,
        ("security", _) => 50,
        _ => 0,
    };
    Some(Base { hook, priority, accepts: policy != "DROP" })
}

/// Words, of which one in quotes may have blanks.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted, mut escaped) = (Vec::new(), None::<String>, false, false);
    for c in line.chars() {
        match c {
            _ if escaped => {
                word.get_or_insert_default().push(c);
                escaped = false;
            }
            '\\' if quoted => escaped = true,
            '"' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            ' ' if !quoted => words.extend(word.take()),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

/// Options behind which nothing stands that matters, with the number of their words.
const PASSED_OVER: &[(&str, usize)] = &[
    ("--comment", 1),
    ("--limit", 1),
    ("--limit-burst", 1),
    ("--hashlimit-upto", 1),
    ("--hashlimit-burst", 1),
    ("--hashlimit-mode", 1),
    ("--hashlimit-name", 1),
    ("--hashlimit-htable-size", 1),
    ("--hashlimit-htable-max", 1),
    ("--hashlimit-htable-expire", 1),
    ("--hashlimit-srcmask", 1),
    ("--connlimit-upto", 1),
    ("--connlimit-mask", 1),
    ("--connlimit-saddr", 0),
    ("--connlimit-daddr", 0),
    ("--name", 1),
    ("--mask", 1),
    ("--rsource", 0),
    ("--rdest", 0),
    ("--seconds", 1),
    ("--hitcount", 1),
    ("--set", 0),
    ("-c", 2),
];

fn read_rule(line: &str, words: &[String]) -> Rule {
    let mut rule = Rule { text: line.to_owned(), tests: Vec::new(), acts: Vec::new() };
    let mut rest = words;
    let mut not = false;
    let mut module = "";
    while let Some((option, after)) = rest.split_first() {
        let value = after.first().map_or("", String::as_str);
        let mut taken = 1;
        let known = |fits: bool| Test::Known(fits != not);
        let test = match (&**option, module) {
            ("!", _) => {
                (not, rest) = (true, after);
                continue;
            }
            ("-m", _) => {
                module = value;
                None
            }
            ("-j" | "-g", _) => {
                rule.acts.push(act(option, value, &after[after.len().min(1)..]));
                // What follows are options of the target.
                break;
            }
            ("-p", _) => Some(known(matches!(value, "tcp" | "6" | "all"))),
            ("--dport" | "--destination-port" | "--dports", "udp" | "sctp" | "udplite") => {
                Some(Test::Known(false))
            }
            ("--dport" | "--dports", _) => Some(ports(value, true, not)),
            ("--sport" | "--sports", _) => Some(ports(value, false, not)),
            ("--syn", _) => {
                taken = 0;
                Some(Test::Flags { not, mask: flags("FIN,SYN,RST,ACK"), wanted: SYN, any: false })
            }
            ("--tcp-flags", _) => {
                taken = 2;
                let wanted = flags(after.get(1).map_or("", String::as_str));
                Some(Test::Flags { not, mask: flags(value), wanted, any: false })
            }
            ("--ctstate" | "--state", _) => {
                Some(Test::State { not, states: value.split(',').map(str::to_lowercase).collect() })
            }
            ("--ctdir", _) => Some(Test::Forth((value == "ORIGINAL") != not)),
            ("--ctstatus", _) => Some(known(value == "NONE")),
            ("--helper", "helper") => Some(if value == "ftp" && !not { Test::Helped } else { known(false) }),
            ("-i" | "-o", _) => {
                Some(Test::Interface { not, inward: option == "-i", names: vec![value.to_owned()] })
            }
            ("-s" | "-d", _) => {
                let networks = value.split(',').filter_map(network).collect();
                Some(Test::Address { source: option == "-s", not, networks })
            }
            ("--match-set", _) => {
                taken = 2;
                let source = after.get(1).is_some_and(|flags| flags.starts_with("src"));
                Some(Test::Address { source, not, networks: Vec::new() })
            }
            ("--dst-type", _) => Some(known(value.split(',').any(|kind| kind == "LOCAL"))),
            ("--src-type", _) => Some(known(value.split(',').any(|kind| kind == "UNICAST"))),
            ("--mark", _) => Some(Test::Mark(value.split('/').next().is_some_and(zero) != not)),
            ("--pkt-type", _) => Some(known(value == "unicast")),
            ("--icmp-type" | "--icmpv6-type", _) => Some(Test::Known(false)),
            ("--rcheck" | "--update", _) => {
                taken = 0;
                // Who came too often: not most.
                Some(Test::Address { source: true, not, networks: Vec::new() })
            }
            ("--hashlimit-above" | "--connlimit-above", _) => Some(known(false)),
            (option, _) => match PASSED_OVER.iter().find(|(known, _)| *known == option) {
                Some((_, count)) => {
                    taken = *count;
                    None
                }
                None => Some(Test::Unknown),
            },
        };
        rule.tests.extend(test);
        not = false;
        rest = &after[after.len().min(taken)..];
    }
    rule
}

fn ports(text: &str, target: bool, not: bool) -> Test {
    let one = |text: &str| {
        let (first, last) = text.split_once(':').unwrap_or((text, text));
        let port = |text: &str, open: u16| if text.is_empty() { Some(open) } else { text.parse().ok() };
        Some((port(first, 0)?, port(last, u16::MAX)?))
    };
    match text.split(',').map(one).collect() {
        Some(ranges) => Test::Port { target, not, ranges },
        None => Test::Unknown,
    }
}

/// `FIN,SYN`, `ALL` or `NONE`.
fn flags(list: &str) -> u8 {
    let flag = |name: &str| ["FIN", "SYN", "RST", "PSH", "ACK", "URG"].iter().position(|one| *one == name);
    match list {
        "ALL" => 0x3f,
        list => list.split(',').filter_map(flag).fold(0, |all, at| all | 1 << at),
    }
}

fn zero(text: &str) -> bool {
    text.trim_start_matches("0x").parse() == Ok(0)
}

fn network(text: &str) -> Option<Network> {
    let (address, bits) = text.split_once('/').unwrap_or((text, "128"));
    let bits = match bits.parse::<u8>() {
        Ok(bits) => bits,
        // A mask of four bytes.
        Err(_) => u8::try_from(bits.parse::<std::net::Ipv4Addr>().ok()?.to_bits().count_ones()).ok()?,
    };
    Some(Network::around(address.parse().ok()?, bits))
}

fn act(option: &str, target: &str, options: &[String]) -> Act {
    let option_value = |name: &str| {
        let at = options.iter().position(|word| word == name)?;
        options.get(at + 1)
    };
    let has = |name: &str| options.iter().any(|word| word == name);
    match target {
        _ if option == "-g" => Act::Goto(target.to_owned()),
        "ACCEPT" | "SNAT" | "MASQUERADE" | "NETMAP" => Act::Accept,
        "DROP" | "REJECT" | "TARPIT" => Act::Stop,
        "RETURN" => Act::Return,
        "CT" if option_value("--helper").is_some_and(|helper| helper == "ftp") => Act::Help,
        "CT" if has("--notrack") => Act::Untrack,
        "NOTRACK" => Act::Untrack,
        "MARK" | "CONNMARK" => Act::Mark,
        "DNAT" => Act::Redirect(None),
        "REDIRECT" | "TPROXY" => {
            let port = option_value("--to-ports").or_else(|| option_value("--on-port"));
            Act::Redirect(port.and_then(|port| port.split('-').next()?.parse().ok()))
        }
        "CT" | "LOG" | "NFLOG" | "ULOG" | "TRACE" | "AUDIT" | "TCPMSS" | "TCPOPTSTRIP" | "SET"
        | "CHECKSUM" | "TOS" | "DSCP" | "CLASSIFY" | "TTL" | "HL" | "SECMARK" | "CONNSECMARK" | "TEE" => {
            Act::Map(Vec::new())
        }
        "NFQUEUE" | "QUEUE" | "SYNPROXY" => Act::Unknown,
        chain => Act::Jump(chain.to_owned()),
    }
}
