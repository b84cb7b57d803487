//! What the sessions of a server share: made from settings when it starts and anew at each reload; sessions keep the
//! one they began with.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use twoport_net::PassivePorts;
use twoport_proto::Secret;
use twoport_session::Grant;
use twoport_session::server::Settings as SessionSettings;
use twoport_store::{Local, LocalOptions, Store};
use twoport_users::Accounts;

use crate::server::StartError;
use crate::settings::{Active, Settings};

/// See the top of this file.
pub(crate) struct Shared {
    pub(crate) session: Arc<SessionSettings>,
    pub(crate) ports: PassivePorts,
    pub(crate) active: Active,
    accounts: Accounts,
    stores: HashMap<PathBuf, Arc<dyn Store>>,
}

impl Shared {
    /// Opens the folders and sets the pool up; `ports` of an earlier one are kept where the range is the same.
    pub(crate) fn new(settings: &Settings, ports: Option<&PassivePorts>) -> Result<Self, StartError> {
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
        Ok(Shared {
            session: Arc::new(SessionSettings {
                host: settings.host.clone(),
                program: ("twoport".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
                limits: settings.limits.clone(),
                active: settings.active != Active::Off,
                passive: settings.passive,
                advertise: settings.passive_address,
                hosts: settings.hosts.clone(),
            }),
            ports: match ports {
                Some(ports) if ports.range() == range => ports.clone(),
                _ => PassivePorts::new(range),
            },
            active: settings.active,
            accounts: Accounts::new(settings.accounts.iter().cloned()),
            stores,
        })
    }

    /// Checks a login; what it grants, and the files that go with it.
    pub(crate) fn login(&self, name: &[u8], secret: &Secret) -> Option<(Grant, Arc<dyn Store>)> {
        let account = self.accounts.check(name, secret)?;
        let store = self.stores.get(&account.root).expect("every account's root was opened at the start");
        Some((account.grant(), Arc::clone(store)))
    }
}
