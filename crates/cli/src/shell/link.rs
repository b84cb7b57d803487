//! A connection of the shell: who the server is, as whom we are there, and what is known of its names.

use std::collections::HashMap;
use std::time::Duration;

use twoport_client::Client;
use twoport_client::url::Scheme;
use twoport_proto::{Secret, Verb};

/// A control connection.
pub(crate) struct Link {
    pub(crate) client: Client,
    pub(crate) host: String,
    pub(crate) port: u16,
    /// How it was named.
    pub(crate) scheme: Scheme,
    /// As whom we are logged in, and how another session would do it; none before the login.
    pub(crate) login: Option<(Vec<u8>, Secret, Option<Secret>)>,
    /// Whether FEAT was asked.
    pub(crate) asked_features: bool,
    /// The working folder, where a prompt wants to show it.
    pub(crate) folder: String,
    /// Names in folders, for completion; forgotten when a command may have changed them.
    names: HashMap<Vec<u8>, Vec<Vec<u8>>>,
}

impl Link {
    pub(crate) fn new(client: Client, scheme: Scheme, host: &str, port: u16) -> Self {
        Link {
            client,
            host: host.to_owned(),
            port,
            scheme,
            login: None,
            asked_features: false,
            folder: String::new(),
            names: HashMap::new(),
        }
    }

    /// What a command may have changed is not known any more.
    pub(crate) fn forget_names(&mut self) {
        self.names.clear();
    }

    /// Names in a folder: those that the server tells within a moment. Whoever waits for a completion waits at a prompt.
    pub(crate) async fn names(&mut self, folder: &[u8]) -> Vec<Vec<u8>> {
        if let Some(known) = self.names.get(folder) {
            return known.clone();
        }
        if self.login.is_none() || self.client.is_closed() {
            return Vec::new();
        }
        let Ok(lines) = tokio::time::timeout(MOMENT, self.client.lines(Verb::Nlst, folder)).await else {
            let _ = tokio::time::timeout(MOMENT, self.client.abort()).await;
            return Vec::new();
        };
        let names: Vec<Vec<u8>> = lines.unwrap_or_default().iter().map(|line| last(line).to_vec()).collect();
        self.names.insert(folder.to_vec(), names.clone());
        names
    }
}

/// The last part of a path.
pub(crate) fn last(path: &[u8]) -> &[u8] {
    path.rsplit(|b| *b == b'/').next().unwrap_or_default()
}

/// How long completion may take.
const MOMENT: Duration = Duration::from_secs(4);
