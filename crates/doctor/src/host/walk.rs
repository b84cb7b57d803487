//! One packet's way through the rules. A rule may hold for all packets of its kind, for those only whose address or interface it
//! names, or for nobody knows which: both ends are followed then, and only where they differ something is not known.

use std::net::IpAddr;

use twoport_plan::Network;

use super::rules::{ACK, Act, Chain, Fate, Hook, Judged, Packet, Rule, Rules, SYN, Stage, Test, named};

impl Rules {
    /// What becomes of a packet.
    #[must_use]
    pub fn judge(&self, packet: &Packet) -> Judged {
        let hooks =
            if packet.inward { [Hook::Prerouting, Hook::Input] } else { [Hook::Output, Hook::Postrouting] };
        let mut walk = Walk::new(self, packet);
        let mut whom = Some(Whom::Most);
        for hook in hooks {
            let mut bases: Vec<(i64, usize)> = (0..)
                .zip(&self.chains)
                .filter(|(_, chain)| if packet.v6 { chain.families.1 } else { chain.families.0 })
                .filter_map(|(at, chain)| Some((chain.base.filter(|base| base.hook == hook)?.priority, at)))
                .collect();
            bases.sort_unstable();
            for (_, at) in bases {
                let Some(now) = whom else { break };
                whom = walk.base(at, now);
            }
        }
        walk.judged(whom)
    }
}

/// For which packets of this kind something holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Whom {
    /// For some, whose address or interface a rule names.
    Some,
    /// For all others, and so for most.
    Most,
}

/// Whether a test holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Truth {
    Yes,
    No,
    /// For those only that it names.
    Some,
    /// For all but those that it names.
    Most,
    Unknown,
}

impl Truth {
    fn of(holds: bool) -> Truth {
        if holds { Truth::Yes } else { Truth::No }
    }

    fn not(self, not: bool) -> Truth {
        match self {
            _ if !not => self,
            Truth::Yes => Truth::No,
            Truth::No => Truth::Yes,
            Truth::Some => Truth::Most,
            Truth::Most => Truth::Some,
            Truth::Unknown => Truth::Unknown,
        }
    }

    fn and(self, other: Truth) -> Truth {
        let worst = |truth| {
            [Truth::No, Truth::Unknown, Truth::Some, Truth::Most, Truth::Yes]
                .iter()
                .position(|one| *one == truth)
        };
        if worst(self) < worst(other) { self } else { other }
    }

    /// For whom it holds, and for whom it does not.
    fn parted(self, whom: Whom) -> (Option<Whom>, Option<Whom>) {
        match self {
            Truth::Yes => (Some(whom), None),
            Truth::No => (None, Some(whom)),
            Truth::Some => (Some(Whom::Some), Some(whom)),
            Truth::Most => (Some(whom), Some(Whom::Some)),
            Truth::Unknown => (Some(whom), Some(whom)),
        }
    }
}

/// Where packets are stopped.
struct End {
    whom: Whom,
    by: String,
    chain: usize,
    elsewhere: bool,
}

/// How deep chains call chains: nftables allows 16, iptables has no bound.
const DEEPEST: usize = 64;

struct Walk<'a> {
    rules: &'a Rules,
    packet: &'a Packet,
    target: u16,
    untracked: bool,
    marked: bool,
    ends: Vec<End>,
    /// The first rule that was not understood and may decide.
    doubt: Option<(String, usize)>,
    /// The last rule that accepted, which is only the end of its own base chain.
    accepted: Option<(String, usize)>,
    accepting: Option<Whom>,
    helper: Option<String>,
    depth: usize,
}

impl<'a> Walk<'a> {
    fn new(rules: &'a Rules, packet: &'a Packet) -> Self {
        Walk {
            rules,
            packet,
            target: packet.target,
            untracked: false,
            marked: false,
            ends: Vec::new(),
            doubt: None,
            accepted: None,
            accepting: None,
            helper: None,
            depth: 0,
        }
    }

    /// Who passes a base chain.
    fn base(&mut self, at: usize, whom: Whom) -> Option<Whom> {
        self.accepting = None;
        let left = self.chain(at, whom);
        let chain = &self.rules.chains[at];
        let base = chain.base.expect("only base chains are walked from their beginning");
        if base.accepts {
            return left.max(self.accepting);
        }
        if let Some(whom) = left {
            let by = format!("policy drop of chain {}", named(chain));
            self.ends.push(End { whom, by, chain: at, elsewhere: false });
        }
        self.accepting
    }

    /// Walks a chain; who leaves it at its end.
    fn chain(&mut self, at: usize, whom: Whom) -> Option<Whom> {
        let rules = self.rules;
        let chain = &rules.chains[at];
        let (mut now, mut left) = (Some(whom), None);
        for rule in &chain.rules {
            let Some(whom) = now else { return left };
            let tests = rule.tests.iter().map(|test| self.test(test));
            let truth = tests.fold(Truth::Yes, Truth::and);
            if truth == Truth::No {
                continue;
            }
            let (mut hold, rest) = truth.parted(whom);
            if truth == Truth::Unknown && rule.acts.iter().any(decides) {
                self.doubt.get_or_insert((rule.text.clone(), at));
            }
            for act in &rule.acts {
                let Some(holding) = hold else { break };
                let (goes_on, leaves) = self.act(act, rule, at, holding);
                (hold, left) = (goes_on, left.max(leaves));
            }
            now = hold.max(rest);
        }
        left.max(now)
    }

    /// Does one thing: who goes on in this chain, and who leaves it.
    fn act(&mut self, act: &Act, rule: &Rule, at: usize, whom: Whom) -> (Option<Whom>, Option<Whom>) {
        match act {
            Act::Accept => {
                self.accepting = self.accepting.max(Some(whom));
                if whom == Whom::Most {
                    self.accepted = Some((rule.text.clone(), at));
                }
                (None, None)
            }
            Act::Stop => {
                self.ends.push(End { whom, by: rule.text.clone(), chain: at, elsewhere: false });
                (None, None)
            }
            Act::Jump(name) => (self.called(name, at, whom), None),
            Act::Goto(name) => (None, self.called(name, at, whom)),
            Act::Return => (None, Some(whom)),
            // NAT looks at first packets only.
            Act::Redirect(_) if matches!(self.packet.stage, Stage::Forth | Stage::Back) => (None, Some(whom)),
            Act::Redirect(port) if *port == Some(self.target) => (None, Some(whom)),
            Act::Redirect(_) => {
                self.ends.push(End { whom, by: rule.text.clone(), chain: at, elsewhere: true });
                (None, None)
            }
            Act::Untrack => {
                self.untracked = true;
                (Some(whom), None)
            }
            Act::Mark => {
                self.marked = true;
                (Some(whom), None)
            }
            Act::Help => {
                self.helper.get_or_insert_with(|| rule.text.clone());
                (Some(whom), None)
            }
            Act::Map(arms) => self.map(arms, rule, at, whom),
            Act::Unknown => {
                self.doubt.get_or_insert((rule.text.clone(), at));
                // Both may be: it is stopped, or goes on.
                self.ends.push(End { whom, by: rule.text.clone(), chain: at, elsewhere: false });
                (Some(whom), None)
            }
        }
    }

    fn map(
        &mut self,
        arms: &[(Test, Act)],
        rule: &Rule,
        at: usize,
        whom: Whom,
    ) -> (Option<Whom>, Option<Whom>) {
        let (mut now, mut on, mut left) = (Some(whom), None, None);
        for (test, act) in arms {
            let Some(whom) = now else { break };
            let truth = self.test(test);
            let (hold, rest) = truth.parted(whom);
            if truth == Truth::Unknown && decides(act) {
                self.doubt.get_or_insert((rule.text.clone(), at));
            }
            if let Some(whom) = hold {
                let (goes_on, leaves) = self.act(act, rule, at, whom);
                (on, left) = (on.max(goes_on), left.max(leaves));
            }
            now = rest;
        }
        (on.max(now), left)
    }

    fn called(&mut self, name: &str, from: usize, whom: Whom) -> Option<Whom> {
        let from = &self.rules.chains[from];
        let is = |chain: &Chain| {
            (&*chain.name, &chain.table, &chain.family, chain.tool)
                == (name, &from.table, &from.family, from.tool)
        };
        let Some(at) = self.rules.chains.iter().position(is).filter(|_| self.depth < DEEPEST) else {
            return Some(whom);
        };
        self.depth += 1;
        let left = self.chain(at, whom);
        self.depth -= 1;
        left
    }

    fn test(&self, test: &Test) -> Truth {
        let packet = self.packet;
        match test {
            Test::Known(holds) => Truth::of(*holds),
            Test::Port { target, not, ranges } => {
                let port = if *target { self.target } else { packet.source };
                Truth::of(ranges.iter().any(|(first, last)| (*first..=*last).contains(&port)) != *not)
            }
            Test::State { not, states } => {
                let state = match packet.stage {
                    _ if self.untracked => "untracked",
                    Stage::New => "new",
                    Stage::Helped => "related",
                    Stage::Forth | Stage::Back => "established",
                };
                Truth::of(states.iter().any(|one| one == state) != *not)
            }
            Test::Helped => Truth::of(packet.stage == Stage::Helped),
            Test::Flags { not, mask, wanted, any } => {
                let later = matches!(packet.stage, Stage::Forth | Stage::Back);
                let seen = mask & if later { ACK } else { SYN };
                Truth::of((if *any { seen & wanted != 0 } else { seen == *wanted }) != *not)
            }
            Test::Forth(wanted) => Truth::of((packet.stage != Stage::Back) == *wanted),
            Test::V6(wanted) => Truth::of(packet.v6 == *wanted),
            Test::Interface { not, inward, names } => {
                // The other interface is not known yet, or is no more.
                let truth = if *inward == packet.inward { self.interface(names) } else { Truth::No };
                truth.not(*not)
            }
            Test::Address { source, not, networks } => {
                let own = *source != packet.inward;
                self.address(own, networks).not(*not)
            }
            Test::Mark(_) if self.marked => Truth::Unknown,
            Test::Mark(fits) => Truth::of(*fits),
            Test::Unknown => Truth::Unknown,
        }
    }

    fn interface(&self, names: &[String]) -> Truth {
        let fits = |interface: &str| {
            names.iter().any(|name| match name.strip_suffix(['*', '+']) {
                Some(beginning) => interface.starts_with(beginning),
                None => name == interface,
            })
        };
        let own = self.packet.interface.as_deref() == Some("lo");
        match &self.packet.interface {
            // What is not from this machine itself does not come by its loopback.
            _ if names.iter().all(|name| name == "lo") => Truth::of(own),
            Some(interface) if fits(interface) => Truth::Most,
            Some(_) => Truth::Some,
            None => Truth::Unknown,
        }
    }

    fn address(&self, own: bool, networks: &[Network]) -> Truth {
        if networks.iter().any(|network| network.bits() == 0 && network.base().is_ipv6() == self.packet.v6) {
            return Truth::Yes;
        }
        if !own {
            return Truth::Some;
        }
        let mut mine = self.packet.own.iter().filter(|ip| ip.to_canonical().is_ipv6() == self.packet.v6);
        let fits = |ip: &&IpAddr| networks.iter().any(|network| network.contains(**ip));
        match (mine.clone().any(|ip| fits(&ip)), mine.all(|ip| fits(&ip))) {
            (false, _) => Truth::No,
            (true, true) => Truth::Yes,
            (true, false) => Truth::Unknown,
        }
    }

    fn judged(self, passed: Option<Whom>) -> Judged {
        let stopped = self.ends.iter().map(|end| end.whom).max();
        let first = self.ends.iter().find(|end| end.whom == Whom::Most);
        let elsewhere = first.is_some_and(|end| end.elsewhere) && passed.is_none();
        let stop = first.map(|end| (end.by.clone(), end.chain));
        let (fate, by) = match (passed, stopped) {
            // Both for the same packets: something decides that is not understood.
            (Some(Whom::Most), Some(Whom::Most)) => (Fate::Depends, self.doubt.or(stop)),
            (Some(Whom::Most), _) => (Fate::Passes, self.accepted),
            (Some(Whom::Some), _) => (Fate::Depends, stop),
            (None, _) => (Fate::Stops, stop),
        };
        let (by, chain) = by.unzip();
        Judged { fate, by, chain, elsewhere, helper: self.helper }
    }
}

/// Whether an act may end the walk.
fn decides(act: &Act) -> bool {
    !matches!(act, Act::Help | Act::Mark | Act::Untrack)
}
