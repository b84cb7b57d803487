//! How a server is reached: both address families, the likeliest first; or through a proxy.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpStream, lookup_host};
use twoport_net::proxy::{Kind, Target};
use twoport_net::{Source, dial_first};
use twoport_plan::LinkFault;
use twoport_proto::{Request, Secret, Verb};
use twoport_session::client::io::Ask;

use super::{Client, Family, Options, request};
use crate::drive::STAGGER;
use crate::error::Error;
use crate::proxy::Named;

/// How long a server may take to answer a connection at all: five SYNs, and nobody waits longer.
const CONNECT: Duration = Duration::from_secs(16);

/// How long a proxy may take with its own connection behind its answer.
const THROUGH: Duration = Duration::from_secs(30);

/// How long the family that is wanted may take before the other one is taken after all.
const WANTED: Duration = Duration::from_secs(4);

/// A connection to whichever address of `host` answers first, and how many there are.
pub(super) async fn reach(host: &str, port: u16, options: &Options) -> Result<(TcpStream, usize), Error> {
    let addresses = look_up(host, port, options).await?;
    let count = addresses.len();
    let patience = options.timeout.min(CONNECT);
    if let Some(family) = options.family {
        let wanted: Vec<SocketAddr> =
            addresses.iter().copied().filter(|address| Family::of(address) == family).collect();
        let dialled = dial_first(&wanted, Source::Free, STAGGER, patience.min(WANTED), options.mss).await;
        match dialled {
            Ok((stream, _)) => return Ok((stream, count)),
            Err(faults) if options.family_only => {
                let faults = faults.iter().map(|(_, fault)| control_fault(fault));
                let what = match wanted.is_empty() {
                    true => format!("{host} has no {} address", family.name()),
                    false => format!("no {} address of {host} answers on port {port}:", family.name()),
                };
                return Err(Error::Unreachable { what, steps: faults.collect() });
            }
            Err(_) => {}
        }
    }
    let dialled = dial_first(&alternate(addresses), Source::Free, STAGGER, patience, options.mss).await;
    let (stream, _) = dialled.map_err(|faults| Error::Unreachable {
        what: format!("no address of {host} answers on port {port}:"),
        steps: faults.iter().map(|(_, fault)| control_fault(fault)).collect(),
    })?;
    Ok((stream, count))
}

/// Whether the server has an address of this family.
pub(crate) async fn has_family(host: &str, port: u16, family: Family, options: &Options) -> bool {
    let found = look_up(host, port, options).await;
    found.is_ok_and(|addresses| addresses.iter().any(|address| Family::of(address) == family))
}

async fn look_up(host: &str, port: u16, options: &Options) -> Result<Vec<SocketAddr>, Error> {
    if !options.addresses.is_empty() {
        return Ok(options.addresses.iter().map(|ip| SocketAddr::new(*ip, port)).collect());
    }
    let found = tokio::time::timeout(options.timeout, lookup_host((host, port))).await;
    match found.unwrap_or_else(|late| Err(late.into())) {
        Ok(addresses) => Ok(addresses.collect()),
        Err(e) => {
            Err(Error::Unreachable { what: format!("{host} cannot be looked up: {e}"), steps: Vec::new() })
        }
    }
}

/// The fault of a control connection: the words of [`LinkFault`] speak of the other one.
fn control_fault(fault: &LinkFault) -> String {
    match fault {
        LinkFault::Refused { to, by: None } => format!("{to} refused the connection: nothing listens there"),
        LinkFault::Refused { to, by: Some(by) } => {
            format!("{by} refused the connection to {to}: a firewall there")
        }
        other => other.cause(),
    }
}

/// A connection through the proxy; with an FTP proxy, to it.
pub(super) async fn through(
    named: &Named,
    host: &str,
    port: u16,
    patience: Duration,
) -> Result<TcpStream, Error> {
    let target = Target::Name(host.to_owned(), port);
    let patience = patience.min(THROUGH);
    let why = match tokio::time::timeout(patience, named.proxy.connect(&target)).await {
        Ok(Ok(stream)) => return Ok(stream),
        Ok(Err(e)) => e.to_string(),
        Err(_) => format!("no answer within {} seconds", patience.as_secs()),
    };
    let Named { proxy, by } = named;
    let what = format!(
        "{host} cannot be reached through the {proxy}, which {by} names: {why}. Name another proxy there, or none, or put \
         {host} into no_proxy"
    );
    Err(Error::Unreachable { what, steps: Vec::new() })
}

impl Client {
    /// Logs in; at an FTP proxy first with its own name where it wants one, then with the server's, which leads on to
    /// the server.
    pub(super) async fn enter(
        &mut self,
        host: &str,
        port: u16,
        login: (Vec<u8>, Secret, Option<Secret>),
    ) -> Result<(), Error> {
        let (mut user, password, account) = login;
        let own = match self.options.proxy.as_ref().map(|named| &named.proxy) {
            Some(proxy) if proxy.kind == Kind::UserAtHost => {
                user.extend_from_slice(at_host(host, port).as_bytes());
                proxy.login.clone()
            }
            _ => None,
        };
        let Some((name, secret)) = own else {
            return self.done(Ask::Login { user, password, account }).await.map(|_| ());
        };
        self.done(Ask::Login { user: name.into_bytes(), password: secret, account: None }).await?;
        let mut reply = self.say(request(Verb::User, &user)?).await?;
        for (verb, secret) in [(Verb::Pass, Some(password)), (Verb::Acct, account)] {
            if reply.code < 300 {
                break;
            }
            let secret = secret.ok_or_else(|| Error::refused(&reply))?;
            let said = Request::secret(verb, &secret);
            let said =
                said.map_err(|_| Error::BadArgument("a password cannot hold CR, LF or NUL".to_owned()))?;
            reply = self.say(said).await?;
        }
        if reply.code < 300 { Ok(()) } else { Err(Error::refused(&reply)) }
    }
}

/// What follows the name in `USER user@host[:port]`: brackets around an IPv6 address, and no port where it is FTP's own.
pub(super) fn at_host(host: &str, port: u16) -> String {
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    if port == 21 { format!("@{host}") } else { format!("@{host}:{port}") }
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

    #[test]
    fn a_host_behind_an_at_sign() {
        assert_eq!(at_host("ftp.example.org", 21), "@ftp.example.org");
        assert_eq!(at_host("ftp.example.org", 2121), "@ftp.example.org:2121");
        assert_eq!(at_host("2001:db8::1", 2121), "@[2001:db8::1]:2121");
    }
}
