//! The network of one cell: two hosts and, where there is a NAT, its router between. The side that the rules are for is guarded.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use twoport_netns::{Host, Net};
use twoport_plan::flow::{Mode, Side};
use twoport_plan::outside::Tell;

use super::cell::Cell;
use super::guard::Guard;
use super::pair::{Pair, Way, bracketed};

use crate::netns::iptables::Family;

/// A client, a server, and where rules are loaded.
pub(super) struct Lab {
    pub(super) pair: Pair,
    pub(super) guard: Guard,
    // Last, since what runs in it goes first.
    _net: Net,
}

impl Lab {
    /// Everything but rules. Flags of the server are those that [`Pair::of`] takes.
    pub(super) fn of(cell: Cell, flags: &[&str]) -> Lab {
        let net = Net::new().unwrap();
        let (client, server) = (net.host("client").unwrap(), net.host("server").unwrap());
        let guarded = match cell.side {
            Side::Server | Side::Client => {
                net.link(
                    (&client, "192.0.2.2/24 2001:db8:2::2/64"),
                    (&server, "192.0.2.10/24 2001:db8:2::10/64"),
                )
                .unwrap();
                if cell.side == Side::Server { server.clone() } else { client.clone() }
            }
            Side::ServerNat => {
                let gate = net.router("gate").unwrap();
                net.link(
                    (&client, "192.0.2.2/24 2001:db8:2::2/64"),
                    (&gate, "192.0.2.1/24 2001:db8:2::1/64"),
                )
                .unwrap();
                net.link(
                    (&gate, "192.168.50.1/24 2001:db8:50::1/64"),
                    (&server, "192.168.50.2/24 2001:db8:50::2/64"),
                )
                .unwrap();
                // It knows no way to the network behind the NAT, as in the world.
                client.goes_by("2001:db8:2::1").unwrap();
                server.goes_by("192.168.50.1 2001:db8:50::1").unwrap();
                gate
            }
            Side::ClientNat => {
                let gate = net.router("gate").unwrap();
                net.link(
                    (&client, "10.77.1.2/24 2001:db8:77::2/64"),
                    (&gate, "10.77.1.1/24 2001:db8:77::1/64"),
                )
                .unwrap();
                net.link(
                    (&gate, "192.0.2.1/24 2001:db8:2::1/64"),
                    (&server, "192.0.2.10/24 2001:db8:2::10/64"),
                )
                .unwrap();
                client.goes_by("10.77.1.1 2001:db8:77::1").unwrap();
                server.goes_by("2001:db8:2::1").unwrap();
                gate
            }
        };
        let both = |address: &dyn Fn(Family) -> &'static str| [Family::V4, Family::V6].map(address);
        let way = Way {
            reached: both(&|family| cell.reached(family)),
            known: both(&|family| cell.known(family)),
            told: (cell.site().outside.tell != Tell::Reached).then_some("192.0.2.1"),
        };
        let guard = Guard { host: guarded, router: cell.side.is_router(), dialect: cell.dialect };
        Lab { pair: Pair::of(cell, [&client, &server], way, flags), guard, _net: net }
    }

    /// Loads rules in a network that forgets whom it has met.
    pub(super) fn load(&self, rules: &str) {
        self.guard.load(rules);
        // What was learnt of neighbours in an open network must not help: they are found by ICMP, which may be dropped now.
        for host in [&self.pair.client, &self.pair.server, &self.guard.host] {
            host.run("ip", ["neigh", "flush", "all"]).unwrap();
        }
    }

    /// Tries connections that none of the rules opens, across the guarded side and both ways: which were answered, by a
    /// refusal at least, and which were not for so long. For the time of it the outside knows a way to what is behind a NAT.
    pub(super) fn knocks(&self, family: Family, patience: Duration) -> (Vec<String>, Vec<String>) {
        let Pair { cell, client, server, .. } = &self.pair;
        let to_server = |port: u16| (client, format!("{}:{port}", bracketed(cell.server(family))));
        let to_client = |port: u16| (server, format!("{}:{port}", bracketed(cell.client(family))));
        let mut doors = Vec::new();
        doors.extend([22, 1023, 49_999, 50_032, 65_535].map(to_server));
        doors.extend([21, 22, 1023].map(to_client));
        match cell.mode {
            Mode::Passive => doors.extend([1024, 41_005].map(to_client)),
            _ => doors.push(to_server(50_005)),
        }
        // In active mode any high port may be the client's, unless it is known which.
        if cell.helped() || cell.announcer().is_some() {
            doors.extend([1024, 40_999, 41_011].map(to_client));
        }
        let answered = |from: &Host, to: &str| {
            let at: SocketAddr = to.parse().expect("an address and a port");
            let tried = from.inside(|| TcpStream::connect_timeout(&at, patience)).unwrap();
            !tried.is_err_and(|error| error.kind() == ErrorKind::TimedOut)
        };
        self.back_route("add");
        let heard = std::thread::scope(|scope| {
            let knocks: Vec<_> = doors
                .into_iter()
                .map(|(from, to)| {
                    scope.spawn(move || (answered(from, &to), format!("{} to {to}", from.name())))
                })
                .collect();
            let done = knocks.into_iter().map(|knock| knock.join().expect("a knock does not panic"));
            let (yes, no): (Vec<_>, Vec<_>) = done.partition(|(answered, _)| *answered);
            let names = |knocks: Vec<(bool, String)>| knocks.into_iter().map(|(_, name)| name).collect();
            (names(yes), names(no))
        });
        self.back_route("del");
        heard
    }

    fn back_route(&self, verb: &str) {
        let (host, network) = match self.pair.cell.side {
            Side::ServerNat => (&self.pair.client, "192.168.50.0/24"),
            Side::ClientNat => (&self.pair.server, "10.77.1.0/24"),
            Side::Server | Side::Client => return,
        };
        host.run("ip", ["route", verb, network, "via", "192.0.2.1"]).unwrap();
    }
}
