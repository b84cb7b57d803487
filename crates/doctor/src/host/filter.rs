//! The connections that must pass, by the rules in force; and the FTP helper, whose work is to open what is closed.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use twoport_plan::Tell;
use twoport_plan::firewall::{self, Dialect};
use twoport_plan::flow::{self, Active, Flow, Mode, Ports, Purpose, Side as Whose, Site, TlsUse};

use super::rules::{Fate, Judged, Packet, Rules, Stage, Tool, named};
use super::{Finding, Host, Passage, Setup, Severity};
use crate::causes::Cause;
use crate::diagnosis::Confidence;

/// A port that systems give to outgoing connections: what comes from "above 1023" comes from such a one.
const HIGH: u16 = 40_000;

/// Looks at every connection.
pub(super) fn judge(setup: &Setup, host: &Host) -> (Vec<Finding>, Vec<Passage>) {
    let flows = match flow::flows(&setup.site, Whose::Server, Mode::Both) {
        Ok(flows) => flows,
        Err(conflict) => {
            return (vec![Finding::broken(conflict.to_string(), "Correct the configuration")], Vec::new());
        }
    };
    let Some(rules) = &host.rules else {
        let passages = flows.iter().map(|flow| passage(flow, None, None)).collect();
        return (without_rules(setup, host), passages);
    };
    let helper = helper(setup, host, rules);
    let (mut findings, mut passages) = (Vec::new(), Vec::new());
    let seen: Vec<(&Flow, Seen)> =
        flows.iter().map(|flow| (flow, Seen::of(setup, host, rules, flow, Stage::New))).collect();
    let missing = seen.iter().filter(|(_, seen)| seen.through() != Some(true)).map(|(flow, _)| flow.purpose);
    let mode = mode(&missing.collect::<Vec<_>>());
    for (flow, seen) in &seen {
        let related = || Seen::of(setup, host, rules, flow, Stage::Helped);
        let (finding, through, by) = match (&helper, flow.purpose) {
            (Some(helper), Purpose::PassiveData) => helped(setup, rules, seen, &related(), helper),
            _ => (seen.finding(setup, rules, flow, mode), seen.through(), seen.by()),
        };
        findings.push(finding);
        passages.push(passage(flow, through, by));
    }
    if helper.is_none() && !host.modules.is_empty() {
        findings.push(Finding::ok(format!(
            "the kernel's FTP helper is loaded ({}), and no rule assigns it to our ports: it does nothing here",
            host.modules.join(", ")
        )));
    }
    (findings, passages)
}

/// Whether the rules let control connections to this place in; none where that is not known, or not the same for both families.
pub(super) fn lets_in(setup: &Setup, host: &Host, at: SocketAddr) -> Option<bool> {
    let rules = host.rules.as_ref()?;
    let one = Setup { listen: vec![at], ..setup.clone() };
    let flows = flow::flows(&setup.site, Whose::Server, Mode::Both).ok()?;
    let control = |flow: &&Flow| matches!(flow.purpose, Purpose::Control | Purpose::ImplicitControl);
    let flow = Flow { target: Ports::list([at.port()]), ..flows.iter().find(control)?.clone() };
    let seen = Seen::of(&one, host, rules, &flow, Stage::New);
    let all = |fate: Fate| !seen.0.is_empty() && seen.with(fate).count() == seen.0.len();
    match (all(Fate::Passes), all(Fate::Stops)) {
        (true, _) => Some(true),
        (_, true) => Some(false),
        _ => None,
    }
}

fn passage(flow: &Flow, through: Option<bool>, by: Option<String>) -> Passage {
    let title =
        format!("{} {} -> {} {}", flow.opener.name(), flow.source, flow.opener.other().name(), flow.target);
    Passage { inward: flow.inward(Whose::Server), title, flow: flow.clone(), let_through: through, by }
}

/// The mode that has the rules for all that is missing, so that they are told once.
fn mode(missing: &[Purpose]) -> Mode {
    match missing {
        [Purpose::PassiveData] => Mode::Passive,
        [Purpose::ActiveData] => Mode::Active,
        _ => Mode::Both,
    }
}

/// What the modules alone tell.
fn without_rules(setup: &Setup, host: &Host) -> Vec<Finding> {
    if host.modules.is_empty() {
        return vec![Finding::ok("the kernel's FTP helper is not loaded")];
    }
    let modules = host.modules.join(", ");
    if host.automatic && setup.site.control.contains(&21) {
        let fix = "sysctl -w net.netfilter.nf_conntrack_helper=0";
        let what = format!(
            "the kernel's FTP helper ({modules}) watches port 21 without being asked (nf_conntrack_helper = 1)"
        );
        return vec![clashing(setup, Finding::warning(what, fix))];
    }
    vec![Finding::ok(format!(
        "the kernel's FTP helper is loaded ({modules}); whether a rule assigns it was not seen"
    ))]
}

/// The cause that a helper at our control ports may become.
fn clashing(setup: &Setup, finding: Finding) -> Finding {
    match (setup.site.tls, &setup.site.outside.tell) {
        (TlsUse::Required, _) => finding.by(Cause::TlsBlindsHelper),
        (_, told) if *told != Tell::Reached => finding.by(Cause::HelperMasquerade),
        _ => finding,
    }
}

/// The rule that gives our sessions a helper.
fn helper(setup: &Setup, host: &Host, rules: &Rules) -> Option<String> {
    let plain = setup.site.control.iter();
    let families = |port: u16| served(setup, host).into_iter().map(move |v6| (port, v6));
    let assigned = plain
        .clone()
        .copied()
        .flat_map(families)
        .find_map(|(port, v6)| rules.judge(&packet(setup, host, true, v6, HIGH, port)).helper);
    let automatic = host.automatic && !host.modules.is_empty() && plain.clone().any(|port| *port == 21);
    assigned.or_else(|| automatic.then(|| "net.netfilter.nf_conntrack_helper = 1".to_owned()))
}

/// Whether IPv4, and whether IPv6, can come in at all: `false` and `true`.
fn served(setup: &Setup, host: &Host) -> Vec<bool> {
    let fits = |v6: &bool| {
        let here = |at: &SocketAddr| match at.ip().is_unspecified() {
            // `[::]` takes both families.
            true => {
                let ours = host.own.is_empty() || host.own.iter().any(|ip| ip.is_ipv6() == *v6);
                (at.is_ipv6() || !v6) && ours
            }
            false => at.ip().to_canonical().is_ipv6() == *v6,
        };
        setup.listen.iter().any(here)
    };
    [false, true].into_iter().filter(fits).collect()
}

fn packet(setup: &Setup, host: &Host, inward: bool, v6: bool, source: u16, target: u16) -> Packet {
    let named = setup.listen.iter().map(SocketAddr::ip).filter(|ip| !ip.is_unspecified());
    let mut own: Vec<IpAddr> = named.filter(|ip| ip.to_canonical().is_ipv6() == v6).collect();
    if own.is_empty() {
        own.extend(host.own.iter().filter(|ip| ip.is_ipv6() == v6));
    }
    let loopback = !own.is_empty() && own.iter().all(IpAddr::is_loopback);
    let way = if v6 { &host.ways.1 } else { &host.ways.0 };
    let interface = if loopback { Some("lo".to_owned()) } else { way.clone() };
    Packet { inward, v6, source, target, stage: Stage::New, own, interface }
}

/// What the rules do with one kind of connection.
struct Seen(Vec<Tried>);

/// The same at one port.
struct Tried {
    port: u16,
    v6: bool,
    judged: Judged,
    /// Whether the first packet passes, and a later one is in question.
    later: bool,
}

impl Seen {
    fn of(setup: &Setup, host: &Host, rules: &Rules, flow: &Flow, first: Stage) -> Seen {
        let inward = flow.inward(Whose::Server);
        let source = if flow.source.is_high() { HIGH } else { flow.source.ranges()[0].0 };
        let mut seen = Vec::new();
        let ports: BTreeSet<u16> =
            flow.target.ranges().iter().flat_map(|(first, last)| rules.edges(*first, *last)).collect();
        for v6 in served(setup, host) {
            for port in ports.iter().copied() {
                let packet = Packet { stage: first, ..packet(setup, host, inward, v6, source, port) };
                let mut judged = rules.judge(&packet);
                // To the container that serves: what becomes of it on the way there is not asked here.
                if judged.elsewhere && host.proxied.iter().any(|(outer, _)| *outer == port) {
                    judged.fate = Fate::Depends;
                }
                let back = Packet {
                    inward: !inward,
                    source: port,
                    target: source,
                    stage: Stage::Back,
                    ..packet.clone()
                };
                let later = [Packet { stage: Stage::Forth, ..packet }, back];
                let mut later = later.iter().map(|packet| rules.judge(packet));
                let stopped = later.find(|later| later.fate == Fate::Stops && judged.fate == Fate::Passes);
                let (judged, later) = stopped.map_or((judged, false), |later| (later, true));
                seen.push(Tried { port, v6, judged, later });
            }
        }
        Seen(seen)
    }

    fn with(&self, fate: Fate) -> impl Iterator<Item = &Tried> {
        self.0.iter().filter(move |tried| tried.judged.fate == fate)
    }

    fn through(&self) -> Option<bool> {
        match (self.with(Fate::Stops).next(), self.with(Fate::Depends).next()) {
            (Some(_), _) => Some(false),
            (None, Some(_)) => None,
            (None, None) => Some(true),
        }
    }

    /// The one that decides: what stops, what may stop, what lets through.
    fn decisive(&self) -> Option<&Tried> {
        let mut all = [Fate::Stops, Fate::Depends, Fate::Passes].into_iter();
        all.find_map(|fate| self.with(fate).next())
    }

    fn by(&self) -> Option<String> {
        self.decisive()?.judged.by.clone()
    }

    /// Of which ports and family it is so: all of them, or which.
    fn which(&self, fate: Fate, flow: &Flow) -> String {
        let ports: BTreeSet<u16> = self.with(fate).map(|tried| tried.port).collect();
        let all: BTreeSet<u16> = self.0.iter().map(|tried| tried.port).collect();
        let families: BTreeSet<bool> = self.with(fate).map(|tried| tried.v6).collect();
        let over = match (families.len(), self.0.iter().map(|tried| tried.v6).collect::<BTreeSet<_>>().len())
        {
            (1, 2..) => {
                if families.contains(&true) {
                    " over IPv6"
                } else {
                    " over IPv4"
                }
            }
            _ => "",
        };
        let first: Vec<String> = ports.iter().take(3).map(ToString::to_string).collect();
        match ports == all {
            true => format!("{}{over}", flow.target),
            false => format!("{} of {}{over}", first.join(", "), flow.target),
        }
    }

    fn finding(&self, setup: &Setup, rules: &Rules, flow: &Flow, mode: Mode) -> Finding {
        let to = match flow.purpose {
            Purpose::Control | Purpose::ImplicitControl => "control connections to",
            Purpose::PassiveData => "passive data connections to",
            Purpose::ActiveData => "active data connections to clients' ports",
        };
        let decisive = self.decisive();
        let judged = decisive.map(|tried| &tried.judged);
        let place = judged.and_then(|judged| judged.chain).map(|at| &rules.chains[at]);
        let by = match (judged.and_then(|judged| judged.by.as_deref()), place) {
            (Some(by), Some(chain)) if !by.starts_with("policy ") => {
                format!("\"{by}\" in chain {}", named(chain))
            }
            (Some(by), _) => format!("the {by}"),
            (None, _) => "no rule".to_owned(),
        };
        let (fix, text) = cure(setup, rules, judged, flow, mode);
        let all = self.with(Fate::Passes).next().is_none();
        match self.through() {
            Some(true) if by == "no rule" => Finding::ok(format!("nothing stops {to} {}", flow.target)),
            Some(true) => Finding::ok(format!("{to} {} are let through by {by}", flow.target)),
            Some(false) => {
                let which = self.which(Fate::Stops, flow);
                if judged.is_some_and(|judged| judged.elsewhere) {
                    let what = format!("{to} {which} are sent elsewhere by {by}");
                    let fix = "Take that rule away, or let the server listen where it leads";
                    return Finding::broken(what, fix).by(match flow.purpose {
                        Purpose::PassiveData => Cause::AcceptedElsewhere,
                        _ => Cause::NothingListening,
                    });
                }
                let what = match decisive.is_some_and(|tried| tried.later) {
                    false => format!("{to} {which} are stopped by {by}"),
                    true => format!("{to} {which} may begin, and what follows on them is stopped by {by}"),
                };
                let finding = Finding { rules: text, ..Finding::broken(what, fix) };
                match (flow.purpose, all) {
                    (Purpose::Control | Purpose::ImplicitControl, _) => finding.by(Cause::ControlBlocked),
                    (Purpose::PassiveData, true) => finding.by(Cause::PassiveDroppedAtHost),
                    (Purpose::PassiveData, false) => finding.by(Cause::RangePartlyOpen),
                    (Purpose::ActiveData, true) => finding.by(Cause::ServerEgress),
                    // A port that is no client's is not worth more: a rule against mail, say.
                    (Purpose::ActiveData, false) => Finding {
                        severity: Severity::Warning,
                        ..finding.by(Cause::ServerEgress).sure(Confidence::Possible)
                    },
                }
            }
            None => {
                let what = format!(
                    "{to} {} are let through for some clients only, or in a way that is not understood here: {by}",
                    self.which(Fate::Depends, flow)
                );
                let finding = Finding { rules: text, ..Finding::warning(what, fix) };
                finding.sure(Confidence::Possible)
            }
        }
    }
}

/// What the helper makes of passive data connections.
fn helped(
    setup: &Setup,
    rules: &Rules,
    seen: &Seen,
    related: &Seen,
    helper: &str,
) -> (Finding, Option<bool>, Option<String>) {
    let site = &setup.site;
    let assigned = format!("an FTP helper watches our control connections (\"{helper}\")");
    let open = Seen::through(seen);
    let flows = flow::flows(site, Whose::Server, Mode::Passive).unwrap_or_default();
    let Some(flow) = flows.iter().find(|flow| flow.purpose == Purpose::PassiveData) else {
        return (Finding::ok(assigned), open, seen.by());
    };
    let judged = seen.decisive().map(|tried| &tried.judged);
    let (fix, text) = cure(setup, rules, judged, flow, Mode::Passive);
    let away = "Take that rule away: the passive ports are let in without it, and it drops commands that come in pieces";
    let range = &flow.target;
    let broken = |why: &str, cause| {
        Finding { rules: text.clone(), ..Finding::broken(format!("{assigned}, {why}"), fix.clone()) }
            .by(cause)
    };
    let by = Some(helper.to_owned());
    match (open, related.through()) {
        (Some(true), _) => {
            let finding =
                Finding::warning(format!("{assigned}, and ports {range} are let in without it"), away);
            (clashing(setup, finding), open, seen.by())
        }
        (_, through) if through != Some(true) => {
            let why = format!(
                "and what it announces is not let in ({})",
                related.by().unwrap_or_else(|| "no rule".to_owned())
            );
            (broken(&why, Cause::RelatedNotAccepted), Some(false), related.by())
        }
        _ if site.tls == TlsUse::Required => {
            let why =
                format!("which alone opens ports {range}, and TLS, which is required, hides 227 from it");
            (broken(&why, Cause::TlsBlindsHelper), Some(false), by)
        }
        _ if site.outside.tell != Tell::Reached => {
            let why = format!(
                "which alone opens ports {range}, and only if 227 tells the address that the packet comes from, not {}: PASV \
                 fails, EPSV works",
                site.outside.tell
            );
            (broken(&why, Cause::HelperMasquerade), Some(false), by)
        }
        _ if site.tls == TlsUse::On => {
            let what = format!(
                "{assigned}, which alone opens ports {range}: in the clear that works, in TLS nothing does"
            );
            let finding = Finding { rules: text, ..Finding::warning(what, fix) };
            (finding.by(Cause::TlsBlindsHelper), None, by)
        }
        _ => (
            Finding::ok(format!("{assigned} and opens each of ports {range} when 227 tells it")),
            Some(true),
            by,
        ),
    }
}

/// What lets a connection through where it is stopped: words, and rules in the dialect of who wrote those that are there.
fn cure(
    setup: &Setup,
    rules: &Rules,
    judged: Option<&Judged>,
    flow: &Flow,
    mode: Mode,
) -> (String, Option<(&'static str, String)>) {
    let place = judged.and_then(|judged| judged.chain).map(|at| &rules.chains[at]);
    let mut site = setup.site.clone();
    let own = |name: &str| {
        place.is_some_and(|chain| {
            rules.chains.iter().any(|one| one.table == chain.table && one.name.starts_with(name))
        })
    };
    let dialect = match place {
        Some(chain) if chain.tool == Tool::Nft && chain.table == "firewalld" => Dialect::Firewalld,
        Some(_) if own("ufw-") => Dialect::Ufw,
        Some(chain) if chain.is_of_iptables() => Dialect::Iptables,
        Some(chain) => {
            let hook = if flow.inward(Whose::Server) { "input" } else { "output" };
            let fits = |name: &str| chain.family == "inet" && own(hook) && name.len() <= 15;
            if !fits(&chain.table) {
                return (by_hand(chain, flow, &site), None);
            }
            site.table.clone_from(&chain.table);
            Dialect::Nftables
        }
        None => Dialect::Nftables,
    };
    let text = firewall::rules(&site, Whose::Server, mode, dialect).ok();
    let table = match dialect {
        Dialect::Nftables if site.table != "filter" => format!(" --table {}", site.table),
        _ => String::new(),
    };
    let command = format!(
        "twoport firewall --config {} --mode {} --for {}{table}",
        setup.file,
        mode.name(),
        dialect.name()
    );
    (command, text.map(|text| (dialect.name(), text.trim_end().to_owned())))
}

/// Where the generator's own chains would not be reached: one rule before the others.
fn by_hand(chain: &super::rules::Chain, flow: &Flow, site: &Site) -> String {
    let source = match (flow.purpose, site.active) {
        (Purpose::ActiveData, Active::Port20) => "tcp sport 20 ",
        _ => "",
    };
    format!(
        "nft 'insert rule {} {} {} {source}tcp dport {{ {} }} ct state new accept'",
        chain.family,
        chain.table,
        chain.name,
        flow.target.joined("-", ", ")
    )
}
