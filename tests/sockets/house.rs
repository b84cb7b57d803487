//! A server inside the test's own process: its settings are the test's, its port is one that the system chose.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread::JoinHandle;

use tokio::sync::oneshot;
use twoport_server::certificates::Source;
use twoport_server::{
    Account, ClientCertificates, Listener, Needs, Password, PortRange, Resumption, Rights, Secret, Server,
    Settings, Tls, Warden,
};

use super::peer::Peer;
use crate::support::files;
use crate::support::server::passive_range;

/// A running server. It ends with the value.
pub(crate) struct House {
    folder: tempfile::TempDir,
    pub(crate) address: SocketAddr,
    /// All addresses that it listens on, that one first.
    pub(crate) addresses: Vec<SocketAddr>,
    pub(crate) warden: Warden,
    pub(crate) settings: Settings,
    stop: Option<oneshot::Sender<()>>,
    running: Option<JoinHandle<()>>,
}

impl House {
    /// On 127.0.0.1 with the account anna, secret, who may do everything.
    pub(crate) fn open() -> House {
        House::with(|_| {})
    }

    /// The same with other settings.
    pub(crate) fn with(change: impl FnOnce(&mut Settings)) -> House {
        let folder = tempfile::Builder::new().prefix("house-").tempdir_in(files::room()).unwrap();
        let mut settings = Settings::new();
        settings.listen = vec!["127.0.0.1:0".parse().unwrap()];
        settings.accounts = vec![account("anna", Rights::READ_WRITE, folder.path())];
        let (low, high) = passive_range();
        settings.passive_ports = PortRange::new(low, high).unwrap();
        change(&mut settings);
        let kept = settings.clone();
        let (tell, told) = mpsc::channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let running = std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
            runtime.block_on(async {
                let server = Server::bind(&settings).expect("the house opens");
                tell.send((server.addresses(), server.warden())).unwrap();
                server.run(async { _ = stopped.await }).await;
            });
        });
        let (addresses, warden) = told.recv().expect("the house opens");
        House {
            folder,
            address: addresses[0],
            addresses,
            warden,
            settings: kept,
            stop: Some(stop),
            running: Some(running),
        }
    }

    /// With TLS as the client likes, by a certificate that was made up, and with other settings.
    pub(crate) fn secure(change: impl FnOnce(&mut Settings)) -> House {
        House::with(|settings| {
            let local = SocketAddr::from(([127, 0, 0, 1], 0));
            settings.listen = vec![Listener::with_tls(local)];
            settings.tls = Some(Tls {
                // One for all houses: it is not what their tests are about.
                certificates: vec![Source::MadeUp {
                    folder: files::room().join("house-state"),
                    names: vec!["localhost".to_owned(), "127.0.0.1".to_owned()],
                }],
                resumption: Resumption::Require,
                clients: ClientCertificates::default(),
                ccc: false,
            });
            change(settings);
        })
    }

    /// A session of anna's.
    #[track_caller]
    pub(crate) fn enter(&self) -> Peer {
        Peer::login(self.address)
    }

    /// The shared folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Puts a file there.
    pub(crate) fn put(&self, name: &str, bytes: &[u8]) {
        files::write(&self.path(name), bytes);
    }

    /// What a file there holds.
    #[track_caller]
    pub(crate) fn holds(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    /// The names in the shared folder, hidden ones too.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(self.folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    /// Gives the order to stop; sessions go on as the drain has it.
    pub(crate) fn stop(&mut self) {
        self.stop.take();
    }

    /// Waits until it has stopped.
    pub(crate) fn wait(&mut self) {
        if let Some(running) = self.running.take() {
            running.join().expect("the server does not panic");
        }
    }
}

impl Drop for House {
    fn drop(&mut self) {
        self.stop();
        // Sessions that a test left open end with the process; nobody waits for them here.
    }
}

/// An account whose password is `secret`.
pub(crate) fn account(name: &str, rights: Rights, root: &Path) -> Account {
    Account {
        name: name.to_owned(),
        password: Password::Plain(Secret::new("secret")),
        rights,
        root: root.to_owned(),
        needs: Needs::default(),
        certificates: Vec::new(),
    }
}
