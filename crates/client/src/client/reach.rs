//! How a server is reached: both address families, the likeliest first; or through a proxy.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpStream, lookup_host};
use twoport_net::socks::{Proxy, Target};
use twoport_net::{Source, dial_first};
use twoport_plan::LinkFault;

use super::Options;
use crate::drive::STAGGER;
use crate::error::Error;

/// How long a server may take to answer a connection at all: five SYNs, and nobody waits longer.
const CONNECT: Duration = Duration::from_secs(16);

/// A connection to whichever address of `host` answers first.
pub(super) async fn reach(host: &str, port: u16, options: &Options) -> Result<TcpStream, Error> {
    let unreachable = |what: String| Error::Unreachable { what, steps: Vec::new() };
    let found = tokio::time::timeout(options.timeout, lookup_host((host, port))).await;
    let found = found.unwrap_or_else(|late| Err(late.into()));
    let addresses: Vec<SocketAddr> =
        found.map_err(|e| unreachable(format!("{host} cannot be looked up: {e}")))?.collect();
    let patience = options.timeout.min(CONNECT);
    let dialled = dial_first(&alternate(addresses), Source::Free, STAGGER, patience, options.mss).await;
    let (stream, _) = dialled.map_err(|faults| Error::Unreachable {
        what: format!("no address of {host} answers on port {port}:"),
        steps: faults.iter().map(|(_, fault)| control_fault(fault)).collect(),
    })?;
    Ok(stream)
}

/// The fault of a control connection: the words of [`LinkFault`] speak of the other one.
fn control_fault(fault: &LinkFault) -> String {
    match fault {
        LinkFault::Refused { to } => format!("{to} refused the connection: nothing listens there"),
        other => other.cause(),
    }
}

pub(super) async fn through(
    proxy: &Proxy,
    host: &str,
    port: u16,
    patience: Duration,
) -> Result<TcpStream, Error> {
    let target = Target::Name(host.to_owned(), port);
    let why = match tokio::time::timeout(patience, proxy.connect(&target)).await {
        Ok(Ok(stream)) => return Ok(stream),
        Ok(Err(e)) => e.to_string(),
        Err(_) => format!("no answer within {} seconds", patience.as_secs()),
    };
    let what = format!("{host} cannot be reached through the proxy {}:{}: {why}", proxy.host, proxy.port);
    Err(Error::Unreachable { what, steps: Vec::new() })
}

/// IPv6 and IPv4 in turn, so that a family that is dead costs one head start (RFC 8305 §4).
fn alternate(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let first_is_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) = addresses.into_iter().partition(|a| a.is_ipv6() == first_is_v6);
    let longest = first.len().max(second.len());
    (0..longest).flat_map(|place| [first.get(place), second.get(place)]).flatten().copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_take_turns() {
        let read = |text: &str| text.split(' ').map(|a| a.parse().unwrap()).collect::<Vec<SocketAddr>>();
        let mixed = read("[::1]:1 [::2]:1 10.0.0.1:1");
        assert_eq!(alternate(mixed), read("[::1]:1 10.0.0.1:1 [::2]:1"));
        assert_eq!(alternate(Vec::new()), Vec::new());
    }
}
