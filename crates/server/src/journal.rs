//! What goes to the log: events of a session as lines, with who and whence. Names are shown as text; no secret is in any
//! event.

use std::net::IpAddr;
use std::sync::Once;
use std::sync::atomic::{AtomicU64, Ordering};

use twoport_net::switchboard::Crowd;
use twoport_proto::Verb;
use twoport_session::Event;

/// A session as the log names it.
#[derive(Debug)]
pub(crate) struct Journal {
    number: u64,
    peer: IpAddr,
    account: String,
}

static SESSIONS: AtomicU64 = AtomicU64::new(1);

impl Journal {
    /// A new session from `peer`.
    pub(crate) fn open(peer: IpAddr) -> Self {
        let number = SESSIONS.fetch_add(1, Ordering::Relaxed);
        tracing::info!("#{number} connected from {peer}");
        Journal { number, peer, account: "-".to_owned() }
    }

    /// Writes `event` down.
    pub(crate) fn write(&mut self, event: Event) {
        let Journal { number, peer, account } = self;
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
    pub(crate) fn crowded(&self, Crowd { held, share }: Crowd) {
        let Journal { number, peer, .. } = self;
        tracing::warn!(
            "#{number} {peer} waits on {held} of the {share} passive ports that one address may: a wider passive-ports, or a \
             greater passive-share, keeps transfers from waiting"
        );
    }

    /// A stranger came to a passive port and was dropped.
    pub(crate) fn stranger(number: u64, port: u16, from: IpAddr) {
        tracing::warn!("#{number} a stranger from {from} came to passive port {port} and was dropped");
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

    /// The session's number.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }
}
