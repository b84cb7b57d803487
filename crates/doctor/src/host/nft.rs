//! What `nft -j list ruleset` prints, as `Rules`; the words of a rule are taken from `nft -a list ruleset`, which has its handle behind
//! it. A statement that is not known makes its rule one that is not understood.

use std::collections::HashMap;
use std::net::IpAddr;

use serde_json::Value;
use twoport_plan::Network;

use super::rules::{Act, Base, Chain, Hook, Rule, Rules, Test, Tool};

/// Reads both; the text may be empty.
///
/// # Errors
/// When it is no such JSON.
pub fn read(json: &str, text: &str) -> Result<Rules, String> {
    let whole: Value = serde_json::from_str(json).map_err(|e| e.to_string())?;
    let objects = whole["nftables"].as_array().ok_or("it has no list of objects")?;
    let lines = lines(text);
    let mut known = Known::default();
    for object in objects {
        known.add(object);
    }
    let mut chains: Vec<Chain> = objects.iter().filter_map(|object| chain(&object["chain"])).collect();
    for rule in objects.iter().map(|object| &object["rule"]) {
        let (family, table, name) = (word(&rule["family"]), word(&rule["table"]), word(&rule["chain"]));
        let is = |chain: &&mut Chain| (&*chain.family, &*chain.table, &*chain.name) == (family, table, name);
        let Some(chain) = chains.iter_mut().find(is) else { continue };
        let handle = rule["handle"].as_u64().unwrap_or(0);
        let text = lines.get(&(family.to_owned(), table.to_owned(), handle)).cloned();
        let text = text.unwrap_or_else(|| rule["expr"].to_string());
        chain.rules.push(known.at(family, table).rule(&rule["expr"], text));
    }
    Ok(Rules { chains })
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn chain(chain: &Value) -> Option<Chain> {
    let family = word(&chain["family"]);
    let families = match family {
        "inet" => (true, true),
        "ip" => (true, false),
        "ip6" => (false, true),
        _ => return None,
    };
    let hook = match word(&chain["hook"]) {
        "prerouting" => Some(Hook::Prerouting),
        "input" => Some(Hook::Input),
        "output" => Some(Hook::Output),
        "postrouting" => Some(Hook::Postrouting),
        // Called by none of ours, as that of what is forwarded.
        _ => None,
    };
    let priority = chain["prio"].as_i64().unwrap_or(0);
    let base = hook.map(|hook| Base { hook, priority, accepts: word(&chain["policy"]) != "drop" });
    Some(Chain {
        tool: Tool::Nft,
        families,
        family: family.to_owned(),
        table: word(&chain["table"]).to_owned(),
        name: word(&chain["name"]).to_owned(),
        base,
        rules: Vec::new(),
    })
}

/// The words of each rule, by family and name of its table and its handle there.
fn lines(text: &str) -> HashMap<(String, String, u64), String> {
    let mut lines = HashMap::new();
    let mut table = (String::new(), String::new());
    for line in text.lines() {
        let (words, handle) = line.trim().rsplit_once(" # handle ").unwrap_or((line.trim(), ""));
        let mut parts = words.split_whitespace();
        if let (Some("table"), Some(family), Some(name)) = (parts.next(), parts.next(), parts.next()) {
            table = (family.to_owned(), name.to_owned());
        }
        if let (Ok(handle), false) = (handle.parse(), words.ends_with('{')) {
            lines.entry((table.0.clone(), table.1.clone(), handle)).or_insert_with(|| without_counts(words));
        }
    }
    lines
}

/// Without what has been counted so far.
fn without_counts(rule: &str) -> String {
    let mut words = rule.split(' ').peekable();
    let mut kept = Vec::new();
    while let Some(word) = words.next() {
        match words.peek() {
            Some(&"packets") if word == "counter" => _ = words.nth(3),
            _ => kept.push(word),
        }
    }
    kept.join(" ")
}

/// Named sets, maps and helpers: those of all tables, by family, table and name.
#[derive(Default)]
struct Known {
    elements: HashMap<(String, String, String), Value>,
    helpers: Vec<(String, String, String)>,
}

impl Known {
    fn add(&mut self, object: &Value) {
        for kind in ["set", "map"] {
            if let Some(set) = object.get(kind) {
                self.elements.insert(key(set), set["elem"].clone());
            }
        }
        if let Some(helper) = object.get("ct helper").filter(|helper| helper["type"] == "ftp") {
            self.helpers.push(key(helper));
        }
    }

    fn at<'a>(&'a self, family: &'a str, table: &'a str) -> Table<'a> {
        Table { known: self, family, table }
    }
}

fn key(object: &Value) -> (String, String, String) {
    (word(&object["family"]).to_owned(), word(&object["table"]).to_owned(), word(&object["name"]).to_owned())
}

/// The names of one table.
struct Table<'a> {
    known: &'a Known,
    family: &'a str,
    table: &'a str,
}

impl Table<'_> {
    fn rule(&self, statements: &Value, text: String) -> Rule {
        let mut rule = Rule { text, tests: Vec::new(), acts: Vec::new() };
        for statement in statements.as_array().into_iter().flatten() {
            let Some((name, body)) = statement.as_object().and_then(|object| object.iter().next()) else {
                continue;
            };
            match (&**name, body) {
                ("match", body) => {
                    let not = matches!(word(&body["op"]), "!=" | "!");
                    rule.tests.push(self.test(&body["left"], word(&body["op"]), &body["right"], not));
                }
                ("vmap", body) => rule.acts.push(self.vmap(body)),
                // One packet alone is within any bound.
                ("limit" | "ct count", body) => rule.tests.push(Test::Known(body["inv"] != true)),
                ("meter", body) => {
                    rule.tests.push(Test::Known(body["stmt"]["limit"]["inv"] != true));
                }
                ("ct helper", body) if self.is_ftp(word(body)) => rule.acts.push(Act::Help),
                ("mangle", body) if body["key"]["meta"]["key"] == "mark" => rule.acts.push(Act::Mark),
                ("counter" | "log" | "comment" | "mangle" | "set" | "map" | "quota", _)
                | ("ct helper" | "ct timeout" | "flow" | "dup" | "synproxy" | "last", _) => {}
                ("xt", body) => xt(body, &mut rule),
                (name, body) => rule.acts.push(act(name, body)),
            }
        }
        rule
    }

    fn is_ftp(&self, name: &str) -> bool {
        self.known
            .helpers
            .iter()
            .any(|helper| (&*helper.0, &*helper.1, &*helper.2) == (self.family, self.table, name))
    }

    fn vmap(&self, body: &Value) -> Act {
        let elements = self.elements(&body["data"]);
        let arms = elements.iter().filter_map(|arm| {
            let (value, verdict) = (arm.get(0)?, arm.get(1)?.as_object()?.iter().next()?);
            let test =
                if value == "*" { Test::Known(true) } else { self.test(&body["key"], "==", value, false) };
            Some((test, act(verdict.0, verdict.1)))
        });
        Act::Map(arms.collect())
    }

    /// What a set has, one that is written out or one that has a name.
    fn elements(&self, set: &Value) -> Vec<Value> {
        let named = set.as_str().and_then(|name| {
            let key = (self.family.to_owned(), self.table.to_owned(), name.strip_prefix('@')?.to_owned());
            Some(self.known.elements.get(&key).cloned().unwrap_or_default())
        });
        let list = match named {
            Some(list) => list,
            None => match set.get("set").or_else(|| set.get("|")) {
                Some(list) => list.clone(),
                None if set.is_null() => Value::Array(Vec::new()),
                None if set.is_array() => set.clone(),
                None => Value::Array(vec![set.clone()]),
            },
        };
        let bare = |element: &Value| element["elem"].get("val").unwrap_or(element).clone();
        match list {
            Value::Array(list) => list.iter().map(bare).collect(),
            Value::Null => Vec::new(),
            one => vec![bare(&one)],
        }
    }

    fn test(&self, left: &Value, op: &str, right: &Value, not: bool) -> Test {
        let (payload, meta) = (&left["payload"], &left["meta"]);
        let words = || -> Vec<String> {
            let elements = self.elements(right);
            elements.iter().filter_map(|value| value.as_str().map(str::to_lowercase)).collect()
        };
        let known = |fits: bool| Test::Known(fits != not);
        match (word(&payload["protocol"]), word(&payload["field"])) {
            ("tcp" | "th", field @ ("dport" | "sport")) => {
                let ranges = match op {
                    "==" | "!=" | "in" => self.elements(right).iter().map(ports).collect(),
                    ">=" => ports(right).map(|(port, _)| vec![(port, u16::MAX)]),
                    ">" => ports(right).map(|(port, _)| vec![(port.saturating_add(1), u16::MAX)]),
                    "<=" => ports(right).map(|(port, _)| vec![(0, port)]),
                    "<" => ports(right).map(|(port, _)| vec![(0, port.saturating_sub(1))]),
                    _ => None,
                };
                return match ranges {
                    Some(ranges) => Test::Port { target: field == "dport", not, ranges },
                    None => Test::Unknown,
                };
            }
            ("tcp", "flags") => return flags(None, op, right),
            ("udp" | "udplite" | "sctp" | "dccp" | "icmp" | "icmpv6" | "igmp" | "esp" | "ah" | "arp", _) => {
                return Test::Known(false);
            }
            ("ip", "protocol") | ("ip6", "nexthdr") => {
                let v6 = word(&payload["protocol"]) == "ip6";
                let fits = words().iter().any(|word| word == "tcp") != not;
                return if fits { Test::V6(v6) } else { Test::Known(false) };
            }
            ("ip" | "ip6", field @ ("saddr" | "daddr")) => {
                let elements = self.elements(right);
                let networks = elements.iter().filter_map(network).collect();
                return Test::Address { source: field == "saddr", not, networks };
            }
            ("ether", "type") => {
                let v6 = words().iter().any(|word| word == "ip6");
                let v4 = words().iter().any(|word| word == "ip");
                return family((v4, v6), not);
            }
            _ => {}
        }
        if left.get("&").is_some() {
            let (of, mask) = (&left["&"][0], &left["&"][1]);
            return match (&of["payload"]["field"] == "flags", &of["meta"]["key"] == "mark") {
                (true, _) => flags(Some(mask), op, right),
                (_, true) => Test::Mark((right.as_u64() == Some(0)) != not),
                _ => Test::Unknown,
            };
        }
        match word(&meta["key"]) {
            "l4proto" => {
                let six = Value::from(6);
                return known(self.elements(right).iter().any(|value| value == "tcp" || *value == six));
            }
            "nfproto" | "protocol" => {
                let words = words();
                let has = |names: [&str; 2]| words.iter().any(|word| names.contains(&&**word));
                return family((has(["ipv4", "ip"]), has(["ipv6", "ip6"])), not);
            }
            key @ ("iifname" | "iif" | "oifname" | "oif") => {
                return Test::Interface { not, inward: key.starts_with("iif"), names: words() };
            }
            "mark" => return Test::Mark((right.as_u64() == Some(0)) != not),
            "pkttype" => return known(words().iter().any(|word| word == "host" || word == "unicast")),
            _ => {}
        }
        match word(&left["ct"]["key"]) {
            "state" => return Test::State { not, states: words() },
            "direction" => return Test::Forth(words().iter().any(|word| word == "original") != not),
            // What is in it comes later, or by NAT.
            "status" => return known(false),
            "helper" => {
                return match (words().iter().any(|word| word == "ftp"), not) {
                    (true, false) => Test::Helped,
                    (false, false) => Test::Known(false),
                    _ => Test::Unknown,
                };
            }
            "mark" => return Test::Mark((right.as_u64() == Some(0)) != not),
            _ => {}
        }
        if let Some(concat) = left.get("concat") {
            return self.concat(concat, right, not);
        }
        fib(&left["fib"], right, &words(), not)
    }

    /// Several at once: where each of the values differs from the packet in something that is sure, none fits.
    fn concat(&self, left: &Value, right: &Value, not: bool) -> Test {
        let mut ports = Vec::new();
        for element in self.elements(right) {
            let mut port = None;
            for (part, value) in
                left.as_array().into_iter().flatten().zip(element["concat"].as_array().into_iter().flatten())
            {
                match self.test(part, "==", value, false) {
                    Test::Known(true) => {}
                    Test::Known(false) => {
                        port = Some(Vec::new());
                        break;
                    }
                    Test::Port { target: true, ranges, .. } => port = Some(ranges),
                    _ => return Test::Unknown,
                }
            }
            ports.extend(port.unwrap_or(vec![(0, u16::MAX)]));
        }
        Test::Port { target: true, not, ranges: ports }
    }
}

fn family((v4, v6): (bool, bool), not: bool) -> Test {
    match (v4 != not, v6 != not) {
        (true, false) => Test::V6(false),
        (false, true) => Test::V6(true),
        (both, _) => Test::Known(both),
    }
}

/// What the routing table knows of addresses: that of a packet to this machine is local, and its sender can be reached.
fn fib(fib: &Value, right: &Value, words: &[String], not: bool) -> Test {
    let of = |name: &str| fib["flags"].as_array().is_some_and(|flags| flags.iter().any(|flag| flag == name));
    match word(&fib["result"]) {
        "type" if of("daddr") => Test::Known(words.iter().any(|word| word == "local") != not),
        "type" if of("saddr") => Test::Known(words.iter().any(|word| word == "unicast") != not),
        "oif" if of("saddr") && right.is_boolean() => Test::Known((right == true) != not),
        _ => Test::Unknown,
    }
}

fn ports(value: &Value) -> Option<(u16, u16)> {
    let port = |value: &Value| u16::try_from(value.as_u64()?).ok();
    match value.get("range") {
        Some(range) => Some((port(&range[0])?, port(&range[1])?)),
        None => port(value).map(|port| (port, port)),
    }
}

/// A range of addresses is not told one by one, which makes no difference for those that nobody names.
fn network(value: &Value) -> Option<Network> {
    let prefix = &value["prefix"];
    match prefix["addr"].as_str() {
        Some(base) => {
            Some(Network::around(base.parse::<IpAddr>().ok()?, u8::try_from(prefix["len"].as_u64()?).ok()?))
        }
        None => value.as_str()?.parse::<IpAddr>().ok().map(Network::from),
    }
}

/// The flags of TCP.
fn flags(mask: Option<&Value>, op: &str, right: &Value) -> Test {
    fn bits(value: &Value) -> Option<u8> {
        let list = value.as_array().or_else(|| value["|"].as_array()).or_else(|| value["set"].as_array());
        match (list, value.as_str()) {
            (Some(list), _) => list.iter().try_fold(0, |all, one| Some(all | bits(one)?)),
            (None, Some(name)) => {
                let names = ["fin", "syn", "rst", "psh", "ack", "urg", "ecn", "cwr"];
                names.iter().position(|one| *one == name).map(|at| 1 << at)
            }
            (None, None) => u8::try_from(value.as_u64()?).ok(),
        }
    }
    let (Some(mask), Some(wanted)) = (mask.map_or(Some(u8::MAX), bits), bits(right)) else {
        return Test::Unknown;
    };
    match op {
        "==" | "!=" => Test::Flags { not: op == "!=", mask, wanted, any: false },
        "in" | "!" => Test::Flags { not: op == "!", mask, wanted, any: true },
        _ => Test::Unknown,
    }
}

/// What iptables has put here for a part of its own. Its words are better read in what `iptables-save` prints.
fn xt(body: &Value, rule: &mut Rule) {
    match (word(&body["type"]), word(&body["name"])) {
        ("match", "comment") => {}
        ("match" | "", _) => rule.tests.push(Test::Unknown),
        (_, "REJECT" | "DROP") => rule.acts.push(Act::Stop),
        (_, "LOG" | "NFLOG" | "TCPMSS" | "CT" | "MASQUERADE" | "SNAT" | "CHECKSUM" | "TOS" | "DSCP") => {}
        (_, "MARK" | "CONNMARK") => rule.acts.push(Act::Mark),
        _ => rule.acts.push(Act::Unknown),
    }
}

fn act(name: &str, body: &Value) -> Act {
    let target = || word(&body["target"]).to_owned();
    match name {
        "accept" | "snat" | "masquerade" => Act::Accept,
        "drop" | "reject" => Act::Stop,
        "jump" => Act::Jump(target()),
        "goto" => Act::Goto(target()),
        "return" => Act::Return,
        "continue" => Act::Map(Vec::new()),
        "notrack" => Act::Untrack,
        "dnat" if body.get("addr").is_some() => Act::Redirect(None),
        "redirect" | "dnat" | "tproxy" => Act::Redirect(ports(&body["port"]).map(|(port, _)| port)),
        _ => Act::Unknown,
    }
}
