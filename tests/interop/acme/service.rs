//! A server that has its certificate by ACME: it begins with one that it made up, takes the one that comes, and renews it while a
//! transfer runs; no session notices.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use twoport_client::{Boxed, Client, Options, Progress, Secret, Security, Sink, Taker, Tls, deaf};
use twoport_server::certificates::Source;
use twoport_server::{ClientCertificates, Listener, Resumption, Tls as ServerTls};

use super::Pebble;
use crate::sockets::house::House;
use crate::support::files::bytes;

/// Takes the first bytes, and the rest when it is told to.
struct Gate {
    open: Arc<Semaphore>,
    taken: Arc<std::sync::Mutex<Vec<u8>>>,
}

impl Taker for Gate {
    fn take<'a>(&'a mut self, bytes: &'a [u8]) -> Boxed<'a, ()> {
        Box::pin(async move {
            let first = self.taken.lock().unwrap().is_empty();
            if !first {
                let _pass = self.open.acquire().await;
            }
            self.taken.lock().unwrap().extend_from_slice(bytes);
            Ok(())
        })
    }
}

#[tokio::test]
async fn a_certificate_is_renewed_while_a_transfer_runs() {
    // Its certificates hold for so many seconds, and are renewed when a third is left.
    let Some(pebble) = Pebble::with(serde_json::json!({}), Some(15)) else { return };
    let settings = pebble.settings(&["ftp.example.org"], pebble.http());
    let folder = tempfile::tempdir().unwrap();
    let house = House::with(|house| {
        house.listen = vec![Listener::with_tls("127.0.0.1:0".parse().unwrap())];
        house.tls = Some(ServerTls {
            certificates: vec![Source::Acme {
                settings: Box::new(settings),
                folder: folder.path().to_owned(),
            }],
            resumption: Resumption::Require,
            clients: ClientCertificates::default(),
            ccc: false,
        });
    });
    // More than the buffers on the way hold.
    let file = bytes(32 << 20, 7);
    house.put("file", &file);
    let shown = |other: Option<[u8; 32]>| {
        let warden = house.warden.clone();
        async move {
            let end = Instant::now() + Duration::from_secs(120);
            loop {
                let known = warden.certificates().remove(0);
                if !known.made_up && Some(known.facts.fingerprint) != other {
                    return known.facts.fingerprint;
                }
                assert!(Instant::now() < end, "no other certificate comes");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    };
    let before = shown(None).await;

    let security = Security { tls: Some(Tls::Require), insecure: true, ..Security::default() };
    let options = Options { security, stall: Duration::from_secs(120), ..Options::default() };
    let login = (b"anna".to_vec(), Secret::new("secret"), None);
    let port = house.address.port();
    let mut client =
        Client::connect("127.0.0.1", port, login.clone(), options.clone(), deaf()).await.unwrap();
    let (open, taken) = (Arc::new(Semaphore::new(0)), Arc::new(std::sync::Mutex::new(Vec::new())));
    let mut sink = Sink::Taker(Box::new(Gate { open: Arc::clone(&open), taken: Arc::clone(&taken) }));
    let progress = Progress::default();
    let renewed = async {
        let after = shown(Some(before)).await;
        assert!(taken.lock().unwrap().len() < file.len(), "the transfer is over too soon to show anything");
        open.add_permits(1);
        after
    };
    let (fetched, after) = tokio::join!(client.fetch(b"file", 0, &mut sink, &progress), renewed);
    assert_eq!(fetched.unwrap().bytes, file.len() as u64);
    assert!(*taken.lock().unwrap() == file, "what came is not the file");
    assert_ne!(before, after);

    // The session goes on, its data connections resume it, and a new one is shown the new certificate.
    client.list(b"", twoport_client::now()).await.unwrap();
    client.quit().await;
    let mut second = Client::connect("127.0.0.1", port, login, options, deaf()).await.unwrap();
    second.list(b"", twoport_client::now()).await.unwrap();
    second.quit().await;
}
