//! A host or a router that drops everything, and the rules that are loaded there.

use std::time::Duration;

use twoport_netns::Host;
use twoport_plan::firewall::Dialect;

use crate::netns::iptables::{self, Family};
use crate::support::program;

/// How long a script of rules may take.
const LIMIT: Duration = Duration::from_secs(40);

/// Where rules are loaded, and in which dialect.
pub(super) struct Guard {
    pub(super) host: Host,
    pub(super) router: bool,
    pub(super) dialect: Dialect,
}

impl Guard {
    /// Nothing passes: every policy is drop, and there is no rule. A router may speak for itself as far as IPv6 needs it.
    pub(super) fn drop_all(&self) {
        self.host.load_nft("flush ruleset").unwrap();
        match self.dialect {
            Dialect::Iptables => {
                for family in [Family::V4, Family::V6] {
                    let own = match (self.router, family) {
                        (true, Family::V6) => {
                            "-A INPUT -p ipv6-icmp -j ACCEPT\n-A OUTPUT -p ipv6-icmp -j ACCEPT\n"
                        }
                        _ => "",
                    };
                    iptables::load(
                        &self.host,
                        family,
                        &format!(
                            "*filter\n:INPUT DROP [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT DROP [0:0]\n{own}COMMIT\n"
                        ),
                    );
                }
            }
            _ => {
                let own = if self.router { "meta l4proto ipv6-icmp accept" } else { "" };
                self.host
                    .load_nft(&format!(
                        "table inet filter {{
                        chain input {{ type filter hook input priority filter; policy drop; {own}\n }}
                        chain forward {{ type filter hook forward priority filter; policy drop; }}
                        chain output {{ type filter hook output priority filter; policy drop; {own}\n }}
                    }}"
                    ))
                    .unwrap();
            }
        }
    }

    /// Loads rules as their text says that they are loaded.
    pub(super) fn load(&self, rules: &str) {
        match self.dialect {
            Dialect::Iptables => {
                let mut script = iptables::command(&self.host, "sh");
                script.args(["-c", rules, "sh"]);
                program::run(script, "", LIMIT).fine();
            }
            _ => self.host.load_nft(rules).unwrap(),
        }
    }

    /// Undoes rules as their text says that they are undone.
    pub(super) fn undo(&self, rules: &str) {
        let (mut script, text, args) = match self.dialect {
            Dialect::Iptables => {
                (iptables::command(&self.host, "sh"), rules.to_owned(), &["sh", "--undo"][..])
            }
            _ => (self.host.command("sh"), undo_in(rules), &["sh"][..]),
        };
        script.arg("-c").arg(text).args(args);
        program::run(script, "", LIMIT).fine();
    }

    /// The rules that are there now.
    pub(super) fn rules_now(&self) -> String {
        match self.dialect {
            Dialect::Iptables => {
                let saved = ["iptables-save", "ip6tables-save"]
                    .map(|save| program::run(iptables::command(&self.host, save), "", LIMIT).fine().text);
                // Comments have the time in them, and a table that was used once is there, empty, for good.
                let rules = saved.iter().flat_map(|text| text.lines());
                let rules = rules.filter(|line| line.starts_with('-') || line.contains("TWOPORT"));
                rules.collect::<Vec<_>>().join("\n")
            }
            _ => self.host.run("nft", ["-s", "list", "ruleset"]).unwrap(),
        }
    }
}

/// The lines behind `Undo:` in the head of rules.
fn undo_in(rules: &str) -> String {
    let lines = rules.lines().skip_while(|line| !line.starts_with("# Undo: "));
    let part =
        lines.map_while(|line| line.strip_prefix("# Undo: ").or_else(|| line.strip_prefix("#       ")));
    part.collect::<Vec<_>>().join("\n")
}
