//! Everything on the way is closed at once: the client's own firewall, the NAT in front of it, the NAT in front of the server and
//! the server's own firewall, each with the rules that are generated for it.

use std::net::Ipv4Addr;

use twoport_netns::Net;
use twoport_plan::firewall;
use twoport_plan::flow::{Active, Mode, Side, Site, TlsUse};
use twoport_plan::outside::{Outside, Tell};
use twoport_plan::ports::PortRange;

use super::cell::{ACTIVE, Cell, PASSIVE, Secrecy};
use super::guard::Guard;
use super::pair::{Pair, Way};
use super::{dialects, try_all};

use crate::netns::iptables::Family;

/// What one side is told of it.
fn site(side: Side, cell: Cell) -> Site {
    let own = |text: &str| text.parse().expect("an address");
    let range = |(low, high)| PortRange::new(low, high).expect("low before high");
    let nat = side == Side::ServerNat;
    Site {
        passive_ports: Some(range(PASSIVE)),
        active: cell.active,
        active_ports: (!side.is_servers() && !cell.helped()).then(|| range(ACTIVE)),
        server: vec![
            "198.51.100.2".parse().expect("an address"),
            "2001:db8:50::2".parse().expect("an address"),
        ],
        inside: if nat { vec!["192.168.50.2".parse().expect("an address")] } else { Vec::new() },
        outside: Outside {
            tell: match nat && !cell.helped() {
                true => Tell::Address(Ipv4Addr::new(198, 51, 100, 2)),
                false => Tell::Reached,
            },
            ..Outside::default()
        },
        clients: if side.is_servers() { Vec::new() } else { vec![own("10.77.1.2"), own("2001:db8:77::2")] },
        tls: if cell.secrecy == Secrecy::Tls { TlsUse::Required } else { TlsUse::Off },
        helper: cell.helped(),
        // An interface is called after the host at the other end.
        lan: if nat { "server" } else { "client" }.to_owned(),
        wan: if nat { "outer" } else { "inner" }.to_owned(),
        ..Site::default()
    }
}

/// All of it.
struct Whole {
    pair: Pair,
    guards: Vec<(Side, Guard)>,
    // Last, since what runs in it goes first.
    _net: Net,
}

/// client - outer | inner - server, where `outer` is the client's NAT and `inner` the server's.
fn build(cell: Cell) -> Whole {
    let net = Net::new().unwrap();
    let (client, outer, inner, server) = (
        net.host("client").unwrap(),
        net.router("outer").unwrap(),
        net.router("inner").unwrap(),
        net.host("server").unwrap(),
    );
    net.link((&client, "10.77.1.2/24 2001:db8:77::2/64"), (&outer, "10.77.1.1/24 2001:db8:77::1/64"))
        .unwrap();
    net.link((&outer, "198.51.100.1/24 2001:db8:ff::1/64"), (&inner, "198.51.100.2/24 2001:db8:ff::2/64"))
        .unwrap();
    net.link((&inner, "192.168.50.1/24 2001:db8:50::1/64"), (&server, "192.168.50.2/24 2001:db8:50::2/64"))
        .unwrap();
    client.goes_by("10.77.1.1 2001:db8:77::1").unwrap();
    outer.goes_by("2001:db8:ff::2").unwrap();
    inner.goes_by("2001:db8:ff::1").unwrap();
    server.goes_by("192.168.50.1 2001:db8:50::1").unwrap();
    let guards = [
        (Side::Client, &client),
        (Side::ClientNat, &outer),
        (Side::ServerNat, &inner),
        (Side::Server, &server),
    ];
    let guards = guards.map(|(side, host)| {
        (side, Guard { host: host.clone(), router: side.is_router(), dialect: cell.dialect })
    });
    let told = (!cell.helped()).then_some("198.51.100.2");
    let way =
        Way { reached: ["198.51.100.2", "2001:db8:50::2"], known: ["198.51.100.1", "2001:db8:77::2"], told };
    let pair = Pair::of(cell, [&client, &server], way, &[]);
    Whole { pair, guards: guards.into(), _net: net }
}

#[test]
fn what_is_closed_at_every_place_opens_with_the_rules_of_every_place() {
    if !crate::netns::have() {
        return;
    }
    let mut cells: Vec<Cell> = dialects().into_iter().flat_map(Cell::all).collect();
    // The client behind a NAT is the one that announces what it must.
    cells.retain(|cell| cell.side == Side::ClientNat && cell.active != Active::Port20);
    try_all(cells, |cell| {
        let whole = build(cell);
        let (pair, guards) = (&whole.pair, &whole.guards);
        for (_, guard) in guards {
            guard.drop_all();
        }
        for (side, guard) in guards {
            let rules = firewall::rules(&site(*side, cell), *side, cell.mode, cell.dialect);
            guard.load(&rules.map_err(|conflict| format!("{}: {conflict}", side.name()))?);
        }
        for family in [Family::V4, Family::V6] {
            pair.works(family).map_err(|why| {
                let seen: Vec<String> = guards.iter().map(|(_, guard)| guard.host.seen()).collect();
                format!("{family:?}: {why}\n{}", seen.join("\n"))
            })?;
        }
        // Any one of them closes it again: its rules are all needed.
        for (side, guard) in guards {
            guard.drop_all();
            pair.fails(Family::V6).map_err(|why| format!("without {}: {why}", side.name()))?;
            let rules = firewall::rules(&site(*side, cell), *side, cell.mode, cell.dialect);
            guard.load(&rules.expect("it was loaded before"));
        }
        match cell.mode {
            Mode::Passive => pair.works(Family::V4),
            _ => Ok(()),
        }
    });
}
