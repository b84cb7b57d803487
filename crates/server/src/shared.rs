//! What the sessions of a server share: made from settings when it starts and anew at each reload; sessions keep the
//! one they began with.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use twoport_net::tls::{Acceptor, Identities, Ledger};
use twoport_net::{PassivePorts, Unwanted};
use twoport_proto::Secret;
use twoport_session::Grant;
use twoport_session::server::Settings as SessionSettings;
use twoport_store::{Local, LocalOptions, Store};
use twoport_users::{Account, Accounts, Certificate, Shown};

use crate::balancers::Balancers;
use crate::certificates::{self, Source};
use crate::error::StartError;
use crate::journal::Journal;
use crate::lookout::Lookout;
use crate::settings::{Active, Listener, Resumption, Settings, Tls};
use crate::tally::Tally;

/// See the top of this file.
pub(crate) struct Shared {
    pub(crate) session: Arc<SessionSettings>,
    pub(crate) ports: PassivePorts,
    pub(crate) outside: Arc<Lookout>,
    pub(crate) when_full: Duration,
    pub(crate) tally: Arc<Tally>,
    pub(crate) active: Active,
    pub(crate) keepalive: Option<Duration>,
    pub(crate) listeners: Vec<Listener>,
    pub(crate) balancers: Arc<Balancers>,
    pub(crate) secure: Option<Secure>,
    accounts: Accounts,
    stores: HashMap<PathBuf, Arc<dyn Store>>,
}

/// What TLS needs.
pub(crate) struct Secure {
    pub(crate) acceptor: Acceptor,
    pub(crate) resumption: Resumption,
    pub(crate) identities: Identities,
    pub(crate) sources: Vec<Source>,
    ledger: Arc<Ledger>,
}

impl Secure {
    /// Certificates are read anew; the ledger of an earlier one is kept, so that sessions which are there go on.
    fn new(settings: &Settings, tls: &Tls, before: Option<&Secure>) -> Result<Self, StartError> {
        let failed = |why| StartError::Tls { why };
        let read = certificates::load(&tls.certificates).map_err(failed)?;
        let identities = match before {
            Some(before) => {
                before.identities.change(read);
                before.identities.clone()
            }
            None => Identities::new(read),
        };
        let ledger = before.map_or_else(Arc::default, |before| Arc::clone(&before.ledger));
        let mut clients = tls.clients.clone();
        for account in &settings.accounts {
            clients.known.extend(account.certificates.iter().filter_map(|certificate| match certificate {
                Certificate::Fingerprint(fingerprint) => Some(*fingerprint),
                Certificate::Name(_) => None,
            }));
        }
        let hosts = settings.hosts.clone();
        let acceptor =
            Acceptor::new(identities.clone(), hosts, clients, Arc::clone(&ledger)).map_err(failed)?;
        let sources = tls.certificates.clone();
        Ok(Secure { acceptor, resumption: tls.resumption, identities, sources, ledger })
    }
}

impl Shared {
    /// Opens the folders, reads the certificates and sets the pool up; the ports of an earlier one are kept where the range
    /// is the same.
    pub(crate) fn new(settings: &Settings, before: Option<&Shared>) -> Result<Self, StartError> {
        let options = LocalOptions {
            durable: settings.durable,
            cut_uploads: settings.cut_uploads,
            ..LocalOptions::default()
        };
        let mut stores: HashMap<PathBuf, Arc<dyn Store>> = HashMap::new();
        for root in settings.roots() {
            if !stores.contains_key(root) {
                let store = Local::open(root, options)
                    .map_err(|source| StartError::Root { root: root.clone(), why: source.to_string() })?;
                stores.insert(root.clone(), Arc::new(store));
            }
        }
        let range = settings.passive_ports;
        let secure = match &settings.tls {
            Some(tls) => {
                let before = before.and_then(|before| before.secure.as_ref());
                Some(Secure::new(settings, tls, before)?)
            }
            None => None,
        };
        let balancers = Arc::new(Balancers::new(settings.proxy_protocol.clone()));
        Ok(Shared {
            secure,
            session: Arc::new(SessionSettings {
                host: settings.host.clone(),
                program: ("twoport".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
                limits: settings.limits.clone(),
                active: settings.active != Active::Off,
                passive: settings.passive,
                hosts: settings.hosts.clone(),
                ccc: settings.tls.as_ref().is_some_and(|tls| tls.ccc),
            }),
            ports: match before.map(|before| &before.ports) {
                Some(ports) if ports.is_of(range, settings.passive_share) => ports.clone(),
                _ => {
                    let balancers = Arc::clone(&balancers);
                    PassivePorts::new(range, settings.passive_share, move |port, unwanted| match unwanted {
                        Unwanted::Stranger(from) => Journal::stranger(port, from),
                        Unwanted::TurnedAway(who) => {
                            balancers.turned_away(&who, &format!("passive port {port}"));
                        }
                    })
                }
            },
            outside: match before.map(|before| &before.outside) {
                Some(outside) if outside.is_of(&settings.outside, settings.witness.as_ref()) => {
                    Arc::clone(outside)
                }
                _ => Arc::new(Lookout::new(settings.outside.clone(), settings.witness.clone())),
            },
            when_full: settings.when_full,
            tally: before.map_or_else(Arc::default, |before| Arc::clone(&before.tally)),
            active: settings.active,
            keepalive: settings.keepalive,
            listeners: settings.listen.clone(),
            balancers,
            accounts: Accounts::new(settings.accounts.iter().cloned()),
            stores,
        })
    }

    /// Checks a login; what it grants, and the files that go with it.
    pub(crate) fn login(&self, name: &[u8], secret: &Secret, shown: Option<&Shown>) -> Option<Entered> {
        self.accounts.check(name, secret, shown).map(|account| self.enter(account))
    }

    /// The same of somebody whose certificate is enough.
    pub(crate) fn recognize(&self, name: &[u8], shown: &Shown) -> Option<Entered> {
        self.accounts.recognize(name, shown).map(|account| self.enter(account))
    }

    /// Where control connections are taken, with the addresses by which the world may reach them in the place of "any". What the
    /// system chose for port 0 is known to nobody else, and not told.
    pub(crate) fn listens(&self) -> Vec<SocketAddr> {
        let mut own = None;
        let mut listens = Vec::new();
        for at in self.listeners.iter().map(|listener| listener.address).filter(|at| at.port() != 0) {
            if !at.ip().is_unspecified() {
                listens.push(at);
                continue;
            }
            let own = own.get_or_insert_with(twoport_net::own_addresses);
            let same = own.iter().filter(|ip| at.is_ipv6() || ip.is_ipv4());
            listens.extend(same.map(|ip| SocketAddr::new(*ip, at.port())));
        }
        listens
    }

    fn enter(&self, account: &Account) -> Entered {
        let store = self.stores.get(&account.root).expect("every account's root was opened at the start");
        (account.grant(), Arc::clone(store))
    }
}

/// Somebody who is in: what is granted, and the files that go with it.
pub(crate) type Entered = (Grant, Arc<dyn Store>);
