//! What cannot work, whatever the rules: for each cell the reason, and that the generator refuses it, or that it fails when it is
//! tried all the same.

use std::net::Ipv4Addr;

use twoport_plan::conflict::Conflict;
use twoport_plan::firewall::{self, Dialect};
use twoport_plan::flow::{Mode, Side, Site, TlsUse};
use twoport_plan::outside::Tell;
use twoport_plan::ports::PortRange;

use super::cell::{Cell, Secrecy};
use super::lab::Lab;
use super::{dialects, try_all};
use crate::netns::iptables::Family;
use crate::support::program::have;

/// A cell that is refused: what it is, why it cannot work, the sides and modes, what is told, and what the generator answers.
struct Refused {
    what: &'static str,
    why: &'static str,
    sides: &'static [Side],
    modes: &'static [Mode],
    secrecy: Secrecy,
    told: fn(&mut Site),
    answer: fn(&Conflict) -> bool,
}

const BOTH: &[Mode] = &[Mode::Passive, Mode::Active];

const REFUSED: &[Refused] = &[
    Refused {
        what: "a helper where TLS is required",
        why: "it reads PORT and 227, and TLS hides them",
        sides: &Side::ALL,
        modes: BOTH,
        secrecy: Secrecy::Helped,
        told: |site| site.tls = TlsUse::Required,
        answer: |conflict| *conflict == Conflict::HelperAndTls,
    },
    Refused {
        what: "a helper, and a server that tells another address",
        why: "the helper opens a port only where 227 tells the address that the packet comes from",
        sides: &[Side::Server, Side::ServerNat],
        modes: &[Mode::Passive],
        secrecy: Secrecy::Helped,
        told: |site| site.outside.tell = Tell::Address(Ipv4Addr::new(192, 0, 2, 1)),
        answer: |conflict| matches!(conflict, Conflict::HelperAndAdvertised(_)),
    },
    Refused {
        what: "a NAT that shows the passive ports as others",
        why: "clients are told the server's numbers, and connect to those",
        sides: &[Side::ServerNat],
        modes: &[Mode::Passive],
        secrecy: Secrecy::Plain,
        told: |site| site.outside_ports = PortRange::new(51_000, 51_031).ok(),
        answer: |conflict| matches!(conflict, Conflict::Shifted { .. }),
    },
    Refused {
        what: "a server that tells an address which is not its NAT's",
        why: "clients connect to what they are told",
        sides: &[Side::ServerNat],
        modes: &[Mode::Passive],
        secrecy: Secrecy::Tls,
        told: |site| site.outside.tell = Tell::Address(Ipv4Addr::new(192, 0, 2, 77)),
        answer: |conflict| matches!(conflict, Conflict::AdvertisedElsewhere { .. }),
    },
    Refused {
        what: "active mode behind the clients' NAT, without a helper and without ports",
        why: "the router has to know what to hand on",
        sides: &[Side::ClientNat],
        modes: &[Mode::Active],
        secrecy: Secrecy::Tls,
        told: |site| site.active_ports = None,
        answer: |conflict| *conflict == Conflict::NoActivePorts,
    },
    Refused {
        what: "active mode behind the clients' NAT, without a helper, for a whole network",
        why: "a port is handed on to one client",
        sides: &[Side::ClientNat],
        modes: &[Mode::Active],
        secrecy: Secrecy::Plain,
        told: |site| site.clients = vec!["10.77.1.0/24".parse().expect("a network")],
        answer: |conflict| *conflict == Conflict::NoClientHost,
    },
    Refused {
        what: "passive mode without a helper and without a range",
        why: "every port above 1023 would be open",
        sides: &[Side::Server, Side::ServerNat],
        modes: &[Mode::Passive],
        secrecy: Secrecy::Plain,
        told: |site| site.passive_ports = None,
        answer: |conflict| *conflict == Conflict::NoPassivePorts,
    },
    Refused {
        what: "a server that waits on port 20",
        why: "it is where active connections come from, not where any go to",
        sides: &Side::ALL,
        modes: BOTH,
        secrecy: Secrecy::Plain,
        told: |site| site.control.push(20),
        answer: |conflict| *conflict == Conflict::Port20Inbound,
    },
];

#[test]
fn what_cannot_work_is_refused() {
    for row in REFUSED {
        for dialect in [Dialect::Nftables, Dialect::Iptables] {
            for side in row.sides {
                for mode in row.modes {
                    let cell = Cell::of(*side, *mode, row.secrecy, dialect);
                    let mut site = cell.site();
                    (row.told)(&mut site);
                    let refused = firewall::rules(&site, *side, *mode, dialect);
                    let (what, why) = (row.what, row.why);
                    let refused = refused.expect_err(&format!("{what} ({why}) got rules for {cell}"));
                    assert!((row.answer)(&refused), "{what} ({why}): {cell}: {refused}");
                }
            }
        }
    }
}

/// A server that speaks both, and a helper: what it reads gets through, and what it cannot read does not.
#[test]
fn under_a_helper_tls_gets_no_data_connection() {
    if !crate::netns::have() {
        return;
    }
    let helped = Cell::all(Dialect::Nftables).into_iter().filter(Cell::helped);
    // lftp is the client in TLS behind a NAT.
    try_all(helped.filter(|_| have("lftp")).collect(), |cell| {
        let mut lab = Lab::of(cell, &["--tls", "on"]);
        let site = Site { tls: TlsUse::On, ..cell.site() };
        let rules = firewall::rules(&site, cell.side, cell.mode, cell.dialect);
        let rules = rules.map_err(|conflict| conflict.to_string())?;
        if !rules.contains("Sessions in TLS get no data connection") {
            return Err("the rules do not say so".to_owned());
        }
        lab.guard.drop_all();
        lab.load(&rules);
        for family in [Family::V4, Family::V6] {
            lab.pair.cell.secrecy = Secrecy::Helped;
            lab.pair.works(family)?;
            lab.pair.cell.secrecy = Secrecy::Tls;
            lab.pair.data_fails(family)?;
        }
        Ok(())
    });
}

/// The generator can refuse only what it is told of. Here it is not told that the server tells the NAT's address.
#[test]
fn under_a_helper_an_advertised_address_breaks_pasv_and_leaves_epsv() {
    if !(crate::netns::have() && have("curl")) {
        return;
    }
    let cell = Cell::of(Side::ServerNat, Mode::Passive, Secrecy::Helped, Dialect::Nftables);
    for (advertised, pasv) in [(false, true), (true, false)] {
        let flags = ["--tls", "off", "--passive-address", "192.0.2.1"];
        let lab = Lab::of(cell, &flags[..if advertised { 4 } else { 2 }]);
        lab.guard.drop_all();
        lab.load(&cell.rules(cell.mode).unwrap());
        let curl = |more: &[&str]| {
            let mut command = lab.pair.client.command("curl");
            command.args(["-sSv", "--max-time", "4", "--no-ftp-skip-pasv-ip", "-o", "file"]).args(more);
            command.arg("ftp://alice:secret@192.0.2.1/file");
            lab.pair.run(command)
        };
        curl(&[]).fine().prints(&["EPSV", "229 "]);
        let by_pasv = curl(&["--disable-epsv"]).prints(&["PASV", "227 "]);
        assert_eq!(by_pasv.ok, pasv, "advertised: {advertised}: {}", by_pasv.text);
    }
}

/// Active mode without a helper needs a client that says the router's address: ours says its own.
#[test]
fn behind_a_nat_a_client_that_announces_itself_gets_no_active_connection() {
    if !crate::netns::have() {
        return;
    }
    for secrecy in [Secrecy::Plain, Secrecy::Tls] {
        let cell = Cell::of(Side::ClientNat, Mode::Active, secrecy, Dialect::Nftables);
        let lab = Lab::of(cell, &[]);
        lab.guard.drop_all();
        lab.load(&cell.rules(cell.mode).unwrap());
        let got = lab
            .pair
            .twoport(&["get", "-o", "file", "--timeout", "1"], &["ftp://alice:secret@192.0.2.10/file"]);
        assert!(!got.ok && got.text.contains("active"), "{}", got.text);
    }
}

/// A client in the server's own network that uses the outside address: the router answers for it, so the server sees the
/// router. Here it is the server's own machine, which goes the same way.
#[test]
fn by_hairpin_passive_mode_works_and_active_mode_cannot() {
    if !crate::netns::have() {
        return;
    }
    for dialect in dialects() {
        for mode in BOTH {
            for secrecy in [Secrecy::Plain, Secrecy::Tls] {
                let cell = Cell::of(Side::ServerNat, *mode, secrecy, dialect);
                let mut lab = Lab::of(cell, &[]);
                lab.pair.client = lab.pair.server.clone();
                lab.guard.drop_all();
                lab.load(&cell.rules(Mode::Both).unwrap());
                match mode {
                    Mode::Passive => lab.pair.works(Family::V4).unwrap(),
                    _ => lab.pair.data_fails(Family::V4).unwrap(),
                }
            }
        }
    }
}
