//! `Rules`: what a packet filter does with the packets of a connection, whoever wrote the rules down. A walk goes by the base
//! chains of each hook in order of priority (`walk`). What `nft` and `iptables-save` print is read in `nft` and `iptables`.

use std::collections::BTreeSet;
use std::net::IpAddr;

use twoport_plan::Network;

/// Where a base chain is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hook {
    /// Before it is known whether a packet is for this machine.
    Prerouting,
    /// A packet for this machine.
    Input,
    /// A packet of this machine's.
    Output,
    /// Just before a packet leaves.
    Postrouting,
}

/// Who writes rules of this kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tool {
    /// `nft`, or a program that speaks as it does.
    Nft,
    /// `iptables` or `ip6tables`, over nftables or without it.
    Iptables,
}

/// A chain with its rules.
#[derive(Debug, Clone, PartialEq)]
pub struct Chain {
    /// Who wrote it.
    pub tool: Tool,
    /// IPv4, IPv6.
    pub families: (bool, bool),
    /// As nft names the family: `ip`, `ip6`, `inet`.
    pub family: String,
    /// The table.
    pub table: String,
    /// Its name.
    pub name: String,
    /// Where it is called and when, and what becomes of packets that leave it at its end; none where other chains call it.
    pub base: Option<Base>,
    /// In order.
    pub rules: Vec<Rule>,
}

impl Chain {
    /// Whether iptables made it, over nftables: it writes the names of its own chains large.
    #[must_use]
    pub fn is_of_iptables(&self) -> bool {
        let large =
            |name: &str| matches!(name, "PREROUTING" | "INPUT" | "FORWARD" | "OUTPUT" | "POSTROUTING");
        self.tool == Tool::Iptables || (matches!(&*self.family, "ip" | "ip6") && large(&self.name))
    }
}

/// When a base chain is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Base {
    /// Where.
    pub hook: Hook,
    /// The lower ones come first.
    pub priority: i64,
    /// Whether packets pass that leave it at its end.
    pub accepts: bool,
}

/// Tests that must all hold, and what is done then.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// As its own tool writes it.
    pub text: String,
    /// All of them.
    pub tests: Vec<Test>,
    /// In order.
    pub acts: Vec<Act>,
}

/// A question to a packet. Every packet here is one of TCP; what that decides is decided when rules are read.
#[derive(Debug, Clone, PartialEq)]
pub enum Test {
    /// It holds, or does not.
    Known(bool),
    /// The port at its end, or at its beginning, is of these.
    Port {
        /// That to which it goes.
        target: bool,
        /// Whether it must not be.
        not: bool,
        /// First and last.
        ranges: Vec<(u16, u16)>,
    },
    /// The state of its connection is of these.
    State {
        /// Whether it must not be.
        not: bool,
        /// As they are written, in lower case.
        states: Vec<String>,
    },
    /// An FTP helper has announced it.
    Helped,
    /// Its flags, as far as a mask lets them be seen.
    Flags {
        /// Whether it must not be so.
        not: bool,
        /// Which are looked at.
        mask: u8,
        /// Which must be there.
        wanted: u8,
        /// Whether one of those is enough, and others do no harm.
        any: bool,
    },
    /// It goes the way of the first packet of its connection, or the other.
    Forth(bool),
    /// It is of IPv6.
    V6(bool),
    /// It comes in by one of these interfaces, or goes out there; `eth*` is every one that begins so.
    Interface {
        /// Whether it must not be.
        not: bool,
        /// In or out.
        inward: bool,
        /// Their names.
        names: Vec<String>,
    },
    /// It is from, or to, an address of these.
    Address {
        /// From.
        source: bool,
        /// Whether it must not be.
        not: bool,
        /// None where they are not told one by one.
        networks: Vec<Network>,
    },
    /// Its mark is such that one of zero fits, or does not.
    Mark(bool),
    /// Not understood.
    Unknown,
}

/// What a rule does.
#[derive(Debug, Clone, PartialEq)]
pub enum Act {
    /// The packet passes this base chain.
    Accept,
    /// It is dropped or refused.
    Stop,
    /// Another chain, and then on.
    Jump(String),
    /// Another chain, and not back.
    Goto(String),
    /// Back to the chain that called this one.
    Return,
    /// To another port, or another machine.
    Redirect(Option<u16>),
    /// Connection tracking does not look at it.
    Untrack,
    /// It gets a mark.
    Mark,
    /// The FTP helper watches its connection.
    Help,
    /// By what the packet has, one of these.
    Map(Vec<(Test, Act)>),
    /// Something is done that may decide, and is not understood.
    Unknown,
}

/// The flag of a first packet.
pub const SYN: u8 = 2;

/// The flag of every packet after that.
pub const ACK: u8 = 16;

/// Which packet of its connection it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The first.
    New,
    /// The first, and an FTP helper has announced its connection.
    Helped,
    /// A later one, the same way.
    Forth,
    /// An answer.
    Back,
}

/// A packet.
#[derive(Debug, Clone)]
pub struct Packet {
    /// To this machine, or from it.
    pub inward: bool,
    /// IPv6.
    pub v6: bool,
    /// The port that it comes from.
    pub source: u16,
    /// The port to which it goes.
    pub target: u16,
    /// Which it is.
    pub stage: Stage,
    /// The addresses of this machine that it may be to or from.
    pub own: Vec<IpAddr>,
    /// The interface that leads to the world.
    pub interface: Option<String>,
}

/// What becomes of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It passes.
    Passes,
    /// It is dropped or refused.
    Stops,
    /// It passes for some clients only, or something decides that is not understood.
    Depends,
}

/// What becomes of a packet, and by what.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// Its end.
    pub fate: Fate,
    /// The rule or the policy that decides; none where there is none.
    pub by: Option<String>,
    /// The chain where that stands, in [`Rules`].
    pub chain: Option<usize>,
    /// Whether it goes to another port or another machine there.
    pub elsewhere: bool,
    /// The rule that gives its connection an FTP helper.
    pub helper: Option<String>,
}

/// All rules of a machine.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rules {
    /// In no order.
    pub chains: Vec<Chain>,
}

impl Rules {
    /// The ports at which rules begin or end to hold, in a range: between two of them all are treated alike.
    #[must_use]
    pub fn edges(&self, first: u16, last: u16) -> BTreeSet<u16> {
        fn of(test: &Test, edges: &mut BTreeSet<u16>) {
            if let Test::Port { ranges, .. } = test {
                edges.extend(
                    ranges
                        .iter()
                        .flat_map(|(from, to)| [from.saturating_sub(1), *from, *to, to.saturating_add(1)]),
                );
            }
        }
        let mut edges: BTreeSet<u16> = [first, first.midpoint(last), last].into();
        for rule in self.chains.iter().flat_map(|chain| &chain.rules) {
            rule.tests.iter().for_each(|test| of(test, &mut edges));
            for act in &rule.acts {
                if let Act::Map(arms) = act {
                    arms.iter().for_each(|(test, _)| of(test, &mut edges));
                }
            }
        }
        edges.range(first..=last).copied().collect()
    }
}

/// `input of table inet filter`.
pub(super) fn named(chain: &Chain) -> String {
    match chain.tool {
        Tool::Nft => format!("{} of table {} {}", chain.name, chain.family, chain.table),
        Tool::Iptables => {
            let program = if chain.families.1 { "ip6tables" } else { "iptables" };
            format!("{} of {program} table {}", chain.name, chain.table)
        }
    }
}
