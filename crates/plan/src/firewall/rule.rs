//! `Ruleset`: rules without a dialect. What a flow asks of a machine's own firewall and of a router with NAT, in which
//! family, and what a person must know besides. A dialect only spells this.

use std::net::{IpAddr, Ipv4Addr};

use crate::conflict::Conflict;
use crate::flow::{self, Active, Flow, Mode, Party, Ports, Side, Site, TlsUse};
use crate::network::Network;
use crate::outside::Tell;
use crate::ports::PortRange;

/// All that one side needs.
#[derive(Debug)]
pub(crate) struct Ruleset<'a> {
    pub(crate) site: &'a Site,
    pub(crate) side: Side,
    pub(crate) mode: Mode,
    pub(crate) flows: Vec<Flow>,
    /// Connections that may be opened.
    pub(crate) permits: Vec<Permit>,
    /// Ports that a NAT hands to an inside host, always with their own numbers.
    pub(crate) forwards: Vec<Forward>,
    /// What gets another source address on its way.
    pub(crate) sources: Vec<Source>,
    /// Where the helper is to listen: the servers' addresses as they are when a packet comes in, or anywhere.
    pub(crate) helped: Vec<Option<Network>>,
    /// What a person must know, a sentence or two each.
    pub(crate) notes: Vec<String>,
}

/// Where a packet passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Into this machine.
    In,
    /// Out of this machine.
    Out,
    /// Through this router.
    Through,
}

/// Of which addresses a rule speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    Any,
    V4,
    V6,
}

/// Connections that may be opened.
#[derive(Debug, Clone)]
pub(crate) struct Permit {
    pub(crate) place: Place,
    pub(crate) family: Family,
    /// From the outside of this side to its inside.
    pub(crate) inward: bool,
    /// From whom; anybody of the family when none.
    pub(crate) from: Option<Network>,
    /// To whom; likewise.
    pub(crate) to: Option<Network>,
    /// From which ports, where that is certain: clients' ports are not, for NATs change them.
    pub(crate) source: Option<Ports>,
    pub(crate) target: Ports,
    /// Only what the helper has announced.
    pub(crate) related: bool,
    pub(crate) why: String,
}

impl Permit {
    /// Whether it is to stand among rules for IPv4, or for IPv6.
    pub(crate) fn is_of(&self, family: Family) -> bool {
        self.family == Family::Any || self.family == family
    }
}

/// Ports that a NAT hands on.
#[derive(Debug, Clone)]
pub(crate) struct Forward {
    /// The address that is asked for; whatever arrives on the interface to the world when none.
    pub(crate) asked: Option<Ipv4Addr>,
    /// Who may ask; anybody when none.
    pub(crate) from: Option<Network>,
    pub(crate) ports: Ports,
    pub(crate) to: Ipv4Addr,
    pub(crate) why: &'static str,
}

/// What gets another source address.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    /// Clients inside who ask for the outside address: they get the router's, so that the answers come back through it.
    Hairpin { lan: Network, to: Ipv4Addr, ports: Ports },
    /// The server's active connections: they must come from the address that the client knows.
    Server { from: Ipv4Addr, outside: Option<Ipv4Addr>, source: Ports, target: Ports },
    /// Everything that clients send out.
    Clients(Option<Network>),
}

impl Source {
    pub(crate) fn why(&self) -> &'static str {
        match self {
            Source::Hairpin { .. } => "hairpin: clients inside who use the outside address",
            Source::Server { .. } => {
                "active mode: the server connects from the address that the client knows"
            }
            Source::Clients(_) => "clients go out with the router's address",
        }
    }
}

impl<'a> Ruleset<'a> {
    /// What the flows ask of this side.
    pub(crate) fn of(site: &'a Site, side: Side, mode: Mode) -> Result<Self, Conflict> {
        let flows = flow::flows(site, side, mode)?;
        let mut set = Ruleset {
            site,
            side,
            mode,
            permits: Vec::new(),
            forwards: Vec::new(),
            sources: Vec::new(),
            helped: Vec::new(),
            notes: Vec::new(),
            flows,
        };
        for flow in set.flows.clone() {
            set.permit(&flow);
        }
        match side {
            Side::Server | Side::Client => {}
            Side::ServerNat => set.server_nat(),
            Side::ClientNat => set.client_nat(),
        }
        if site.helper {
            set.helped = match side {
                Side::Server => vec![None],
                Side::ServerNat => set.servers_asked(),
                Side::Client | Side::ClientNat => or_anybody(&hosts(&site.server)),
            };
        }
        set.notes = set.remarks();
        Ok(set)
    }

    /// The flow as permits, one for each pair of addresses of one family.
    fn permit(&mut self, flow: &Flow) {
        let inward = flow.inward(self.side);
        let place = match (self.side.is_router(), inward) {
            (true, _) => Place::Through,
            (false, true) => Place::In,
            (false, false) => Place::Out,
        };
        let servers = match self.side {
            Side::Server => Vec::new(),
            Side::ServerNat => self.site.own(),
            Side::Client | Side::ClientNat => hosts(&self.site.server),
        };
        let clients = match self.side {
            Side::Client => Vec::new(),
            // Behind the NAT the helper or a forwarded range leads to a client, which may be named.
            _ => self.site.clients.clone(),
        };
        let (from, to) = match flow.opener {
            Party::Client => (clients, servers),
            Party::Server => (servers, clients),
        };
        // Behind a NAT clients may come from any port, and so may a server that is not bound to port 20.
        let source =
            (flow.opener == Party::Server && self.site.active == Active::Port20).then(|| flow.source.clone());
        for (family, from, to) in pairs(&from, &to) {
            for target in flow.target.parts() {
                self.permits.push(Permit {
                    place,
                    family,
                    inward,
                    from,
                    to,
                    source: source.clone(),
                    target,
                    related: flow.related,
                    why: flow.why.clone(),
                });
            }
        }
    }

    fn server_nat(&mut self) {
        let site = self.site;
        let Some(inside) = site.inside_v4() else { return };
        let passive = self.mode.passive(site) && !site.helper;
        let ports = if passive { site.doors().and(&site.passive_target(self.side)) } else { site.doors() };
        let asked = site.server_v4();
        let why = "the same ports inside and outside: clients are told these numbers";
        for ports in ports.parts() {
            for from in v4_or_anybody(&site.clients) {
                self.forwards.push(Forward { asked, from, ports: ports.clone(), to: inside, why });
            }
            if let (Some(lan), Some(_)) = (site.behind_nat(), asked) {
                self.sources.push(Source::Hairpin { lan, to: inside, ports });
            }
        }
        if self.mode.active(site) && !site.helper {
            self.sources.push(Source::Server {
                from: inside,
                outside: asked,
                source: site.active_source(),
                target: site.active_target(),
            });
        }
    }

    fn client_nat(&mut self) {
        let site = self.site;
        self.sources.extend(v4_or_anybody(&site.clients).into_iter().map(Source::Clients));
        if self.mode.active(site)
            && !site.helper
            && let Some(to) = site.client_v4()
        {
            let ports = site.active_target();
            let why = "active mode: the ports on which this client waits for the server";
            for from in v4_or_anybody(&hosts(&site.server)) {
                self.forwards.push(Forward { asked: None, from, ports: ports.clone(), to, why });
            }
        }
    }

    /// The addresses by which control connections arrive at the server's router before NAT: of IPv4 the outside one.
    fn servers_asked(&self) -> Vec<Option<Network>> {
        let v4 = self.site.server_v4().map(|ip| Network::from(IpAddr::V4(ip)));
        let v6 = self.site.own().into_iter().filter(|net| net.base().is_ipv6());
        let v4 = self.site.inside_v4().map(|_| v4);
        v4.into_iter().chain(v6.map(Some)).collect()
    }

    /// What a person must know besides.
    fn remarks(&self) -> Vec<String> {
        let site = self.site;
        let (passive, active) = (self.mode.passive(site), self.mode.active(site));
        let mut notes = Vec::new();
        let mut note = |text: String| notes.push(text);
        if site.helper {
            if site.tls == TlsUse::On || !site.implicit.is_empty() {
                note(
                    "Sessions in TLS get no data connection by these rules: the helper cannot read them."
                        .into(),
                );
            }
            note(
                "The helper watches sessions that begin after it was loaded: clients must connect again."
                    .into(),
            );
        } else if self.side == Side::ServerNat
            && passive
            && site.outside.tell == Tell::Reached
            && !self.forwards.is_empty()
        {
            let told =
                site.server_v4().map_or("the router's outside address".to_owned(), |ip| ip.to_string());
            note(format!("The server must tell {told} in 227 (passive-address), or only EPSV gets through."));
        }
        if !self.side.is_servers() && active && !site.helper {
            if let Some(range) = site.active_ports {
                let told = match self.side {
                    Side::ClientNat => " and announce the router's outside address",
                    _ => "",
                };
                note(format!(
                    "The client must wait on ports {range} in active mode{told} (with lftp: ftp:port-range, ftp:port-ipv4)."
                ));
            }
            if site.server.is_empty() {
                note(
                    "Anybody may connect to the ports of active mode: name the server with --address.".into(),
                );
            }
        }
        if self.side.is_router() {
            let has = |family| self.permits.iter().any(|permit| permit.is_of(family));
            if !has(Family::V6) {
                note("IPv6: nothing passes, for no address of IPv6 was named.".into());
            }
            if !has(Family::V4) {
                note("IPv4: nothing passes, for no address of IPv4 was named.".into());
            }
        }
        if let Some(Source::Hairpin { lan, .. }) = self.sources.first() {
            let taken =
                if site.lan_network.is_none() { " (taken for it; --lan-network says another)" } else { "" };
            note(format!(
                "Clients of {lan}{taken} who use the outside address are seen by the server as the router; active mode \
                 is not for them."
            ));
        }
        notes
    }
}

impl Ruleset<'_> {
    /// The router's interfaces from which and to which alone a permit lets pass, where it is not any.
    pub(crate) fn interfaces(&self, permit: &Permit) -> Option<(&str, &str)> {
        let (lan, wan) = (self.site.lan.as_str(), self.site.wan.as_str());
        match (self.side, permit.inward) {
            // A server's router lets in from both: hairpin.
            (Side::Server | Side::Client, _) | (Side::ServerNat, true) => None,
            (Side::ClientNat, true) => Some((wan, lan)),
            (Side::ServerNat | Side::ClientNat, false) => Some((lan, wan)),
        }
    }

    /// What to say where the passive ports are among those that `system` gives to outgoing connections.
    pub(crate) fn overlap(
        &self,
        system: &str,
        given: (u16, u16),
        cure: impl Fn(PortRange) -> String,
    ) -> Option<String> {
        let used = self.side.is_servers() && self.mode.passive(self.site) && !self.site.helper;
        let range = self.site.passive_ports.filter(|_| used)?;
        let (low, high) = given;
        (range.first() <= high && low <= range.last()).then(|| {
            format!(
                "The passive ports {range} overlap those that {system} gives to outgoing connections ({low}-{high}), so any \
                 program may hold one. Reserve them on the server:\n{}",
                cure(range)
            )
        })
    }
}

/// Those of IPv4; nobody named stands for anybody, but who is named by IPv6 only is not there by IPv4.
fn v4_or_anybody(networks: &[Network]) -> Vec<Option<Network>> {
    or_anybody(networks).into_iter().filter(|one| one.is_none_or(|net| net.base().is_ipv4())).collect()
}

fn hosts(addresses: &[IpAddr]) -> Vec<Network> {
    addresses.iter().map(|ip| Network::from(*ip)).collect()
}

fn or_anybody(networks: &[Network]) -> Vec<Option<Network>> {
    if networks.is_empty() { vec![None] } else { networks.iter().copied().map(Some).collect() }
}

/// The family of a network; either of none.
pub(crate) fn family(network: Option<Network>) -> Family {
    match network {
        None => Family::Any,
        Some(network) if network.base().is_ipv4() => Family::V4,
        Some(_) => Family::V6,
    }
}

/// Every pair of the two, nobody named standing for anybody; none across families.
fn pairs(from: &[Network], to: &[Network]) -> Vec<(Family, Option<Network>, Option<Network>)> {
    let mut pairs = Vec::new();
    for from in or_anybody(from) {
        for to in or_anybody(to) {
            match (family(from), family(to)) {
                (Family::V4, Family::V6) | (Family::V6, Family::V4) => {}
                (Family::Any, one) | (one, _) => pairs.push((one, from, to)),
            }
        }
    }
    pairs
}
