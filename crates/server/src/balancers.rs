//! `Balancers`: the networks whose PROXY headers are believed, and what is said of those that bring none. A balancer that is set up
//! wrong comes back every second; it is complained of once.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use twoport_net::proxy_protocol::TurnedAway;
use twoport_plan::Network;

/// Addresses of which it is remembered that they were complained of; those beyond are complained of no more.
const REMEMBERED: usize = 64;

/// See the top of this file.
#[derive(Debug)]
pub(crate) struct Balancers {
    networks: Arc<[Network]>,
    complained_of: Mutex<HashSet<IpAddr>>,
}

impl Balancers {
    pub(crate) fn new(networks: Vec<Network>) -> Self {
        Balancers { networks: networks.into(), complained_of: Mutex::default() }
    }

    /// Whether connections from there must begin with a header.
    pub(crate) fn trusts(&self, from: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(from))
    }

    /// The networks that are trusted.
    pub(crate) fn networks(&self) -> Arc<[Network]> {
        Arc::clone(&self.networks)
    }

    /// A connection was closed that has brought no header. `to` says what it came to.
    pub(crate) fn turned_away(&self, turned_away: &TurnedAway, to: &str) {
        let TurnedAway { from, fault } = turned_away;
        if fault.is_a_look() || !self.is_new(*from) {
            tracing::debug!("a connection from {from} to {to} was closed: {fault}");
            return;
        }
        tracing::warn!(
            "a connection from {from} to {to} was closed: {fault}. proxy-protocol names that address as a balancer's: let it \
             send the header on control and data connections, or take the address out (said once)"
        );
    }

    fn is_new(&self, from: IpAddr) -> bool {
        let mut complained_of = self.complained_of.lock().unwrap_or_else(PoisonError::into_inner);
        complained_of.len() < REMEMBERED && complained_of.insert(from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_complained_of_once_and_not_many_are() {
        let balancers = Balancers::new(vec!["10.0.0.0/8".parse().unwrap()]);
        let address = |n: u8| IpAddr::from([10, 0, 0, n]);
        assert!(balancers.trusts(address(1)) && !balancers.trusts(IpAddr::from([11, 0, 0, 1])));
        assert!(balancers.is_new(address(1)) && !balancers.is_new(address(1)));
        let new = (2..=255).filter(|n| balancers.is_new(address(*n))).count();
        assert_eq!(new, REMEMBERED - 1);
    }
}
