//! What goes to the log: events of a session as lines, with who and whence. Names are shown as text; no secret is in any
//! event.

use std::net::IpAddr;
use std::sync::Once;
use std::sync::atomic::{AtomicU64, Ordering};

use twoport_net::proxy_protocol::By;
use twoport_net::switchboard::Crowd;
use twoport_proto::Verb;
use twoport_session::Event;

/// A session as the log names it. One that a balancer has brought is nobody's until somebody speaks there, and one that is the
/// balancer's own until somebody tries to log in: that it looks every second whether we are well is nothing to be told.
#[derive(Debug)]
pub(crate) struct Journal {
    /// None before it is told of.
    number: Option<u64>,
    peer: IpAddr,
    by: By,
    /// The balancer.
    way: IpAddr,
    account: String,
}

static SESSIONS: AtomicU64 = AtomicU64::new(1);

impl Journal {
    /// A new session from `peer`; `way` is where the connection itself comes from.
    pub(crate) fn open(peer: IpAddr, by: By, way: IpAddr) -> Self {
        let mut journal = Journal { number: None, peer, by, way, account: "-".to_owned() };
        if by == By::Itself {
            journal.number();
        }
        journal
    }

    /// The peer has said something.
    pub(crate) fn heard(&mut self) {
        if self.by != By::Check {
            self.number();
        }
    }

    /// The session's number; it is told of, if it was not before.
    pub(crate) fn number(&mut self) -> u64 {
        *self.number.get_or_insert_with(|| {
            let (number, peer, way) = (SESSIONS.fetch_add(1, Ordering::Relaxed), self.peer, self.way);
            match self.by {
                By::Itself => tracing::info!("#{number} connected from {peer}"),
                By::Balancer => tracing::info!("#{number} connected from {peer} by way of {way}"),
                By::Check => tracing::info!("#{number} connected from the balancer {peer} itself"),
            }
            number
        })
    }

    /// Whether the event is nothing to be told before somebody has spoken, or tried to log in.
    fn is_noise(&self, event: &Event) -> bool {
        self.number.is_none()
            && match event {
                Event::Ended { .. } => true,
                Event::Secured { .. } | Event::NotSecured { .. } => self.by == By::Check,
                _ => false,
            }
    }

    /// Writes `event` down.
    pub(crate) fn write(&mut self, event: Event) {
        if self.is_noise(&event) {
            tracing::debug!("{} by way of {}: {event:?}", self.peer, self.way);
            return;
        }
        let number = self.number();
        let Journal { peer, account, .. } = self;
        match event {
            Event::LoggedIn { account } => {
                tracing::info!("#{number} {account} logged in from {peer}");
                self.account = account;
            }
            Event::LoginFailed { name } => tracing::warn!("#{number} login refused for {name:?} from {peer}"),
            Event::Secured { how } => tracing::info!("#{number} {peer} speaks {how}"),
            Event::NotSecured { why } => tracing::warn!("#{number} no TLS with {peer}: {why}"),
            Event::TransferEnded { verb, path, bytes, took, code, fault } => {
                let seconds = took.as_secs_f64();
                match fault {
                    None => tracing::info!(
                        "#{number} {account} {verb} {path} {bytes} bytes in {seconds:.3} s, {code}"
                    ),
                    Some(fault) => tracing::warn!(
                        "#{number} {account} {verb} {path} ended after {bytes} bytes and {seconds:.3} s, {code}: {fault}"
                    ),
                }
            }
            Event::LinkFailed { verb: verb @ (Verb::Pasv | Verb::Epsv | Verb::Port | Verb::Eprt), fault } => {
                tracing::warn!("#{number} {account} {verb} ({}): {fault}", fault.name());
            }
            // The end of its transfer tells the rest.
            Event::LinkFailed { verb, fault } => {
                tracing::debug!("#{number} {account} {verb}: {}", fault.name());
            }
            Event::Changed { verb, path } => tracing::info!("#{number} {account} {verb} {path}"),
            Event::Ended { why } => tracing::info!("#{number} {account} left: {why}"),
        }
    }

    /// A client waits on so many of the passive ports that it may.
    pub(crate) fn crowded(&mut self, Crowd { held, share }: Crowd) {
        let (number, peer) = (self.number(), self.peer);
        tracing::warn!(
            "#{number} {peer} waits on {held} of the {share} passive ports that one address may: a wider passive-ports, or a \
             greater passive-share, keeps transfers from waiting"
        );
    }

    /// A stranger came to a passive port and was dropped.
    pub(crate) fn stranger(port: u16, from: IpAddr) {
        tracing::warn!("a stranger from {from} came to passive port {port} and was dropped");
    }

    /// Somebody who is no balancer has begun with a PROXY header.
    pub(crate) fn not_believed(&mut self) {
        let number = self.number();
        let (peer, way) = (self.peer, self.way);
        match self.by {
            By::Itself => tracing::warn!(
                "#{number} a PROXY header from {peer} was not believed, and the connection closed: proxy-protocol does not name \
                 its network"
            ),
            By::Balancer | By::Check => tracing::warn!(
                "#{number} a second PROXY header from {peer}, behind that of {way}, was not believed, and the connection closed"
            ),
        }
    }

    /// A data connection is in TLS.
    pub(crate) fn data_secured(number: u64, how: &str) {
        tracing::debug!("#{number} data connection: {how}");
    }

    /// Port 20 was wished for and could not be had; said once, since it will be so each time.
    pub(crate) fn port_20_refused() {
        static SAID: Once = Once::new();
        SAID.call_once(|| {
            tracing::warn!(
                "cannot connect from port 20 (it needs root or CAP_NET_BIND_SERVICE, and a free pair of ports); \
                 active transfers come from any port"
            );
        });
    }
}
