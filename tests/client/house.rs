//! Our client with our server: every ask, in both modes.

use std::sync::{Arc, Mutex};

use twoport_client::{Client, Error, Notice, Options, Put};
use twoport_pipe::{Body, Progress, Sink};
use twoport_proto::{Kind, Moment, Secret};
use twoport_session::client::io::Rung;

use crate::sockets::house::House;
use crate::support::files::bytes;

/// Runs something that waits.
pub(super) fn wait<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

/// What a client was told on the way.
pub(super) type Told = Arc<Mutex<Vec<Notice>>>;

/// A session of anna's at this port of 127.0.0.1.
pub(super) async fn enter(port: u16, options: Options) -> Result<(Client, Told), Error> {
    let told: Told = Arc::default();
    let hear = Arc::clone(&told);
    let notice = Box::new(move |notice| hear.lock().unwrap().push(notice));
    let login = (b"anna".to_vec(), Secret::new("secret"), None);
    Client::connect("127.0.0.1", port, login, options, notice).await.map(|client| (client, told))
}

/// A sink into memory by way of a file that nobody else sees.
pub(super) async fn fetch(client: &mut Client, path: &[u8], from: u64) -> Result<Vec<u8>, Error> {
    let file = tempfile::tempfile().unwrap();
    let mut sink = Sink::File { file: Arc::new(file.try_clone().unwrap()), at: 0 };
    client.fetch(path, from, &mut sink, &Progress::default()).await?;
    let mut bytes = Vec::new();
    let mut file = file;
    std::io::Seek::rewind(&mut file).unwrap();
    std::io::Read::read_to_end(&mut file, &mut bytes).unwrap();
    Ok(bytes)
}

#[test]
fn every_ask_in_every_mode() {
    for rung in [Rung::Epsv, Rung::Pasv, Rung::Active] {
        let house = House::open();
        house.put("sub/a b", &bytes(300_000, 1));
        wait(async {
            let options = Options { rungs: vec![rung], ..Options::default() };
            let (mut client, _) = enter(house.address.port(), options).await.unwrap();
            let now = Moment::from_seconds(1_800_000_000);
            let listed = client.list(b"sub", now).await.unwrap();
            assert_eq!((listed.len(), listed[0].name.as_slice(), listed[0].size), (1, &b"a b"[..], 300_000));
            assert!(fetch(&mut client, b"sub/a b", 0).await.unwrap() == bytes(300_000, 1));
            assert!(fetch(&mut client, b"sub/a b", 299_990).await.unwrap() == bytes(300_000, 1)[299_990..]);

            let half = Body::Bytes(b"hello ".to_vec());
            let moved = client.store(b"new", Put::Replace, half, &Progress::default()).await.unwrap();
            assert_eq!((moved.bytes, moved.road.rung, moved.confirmed), (6, rung, true));
            let rest = Body::Bytes(b"world".to_vec());
            client.store(b"new", Put::Resume(6), rest, &Progress::default()).await.unwrap();
            client
                .store(b"new", Put::Append, Body::Bytes(b"!".to_vec()), &Progress::default())
                .await
                .unwrap();
            assert_eq!(house.holds("new"), b"hello world!");

            let stat = client.stat(b"new").await.unwrap();
            assert_eq!((stat.size, stat.kind), (12, Kind::File));
            client.set_modified(b"new", Moment::from_seconds(86_400)).await.unwrap();
            assert_eq!(client.stat(b"new").await.unwrap().modified, Some(Moment::from_seconds(86_400)));
            let (algorithm, hash) = client.hash(b"new").await.unwrap();
            assert_eq!((algorithm.as_str(), &hash[..8]), ("SHA-256", "7509e5bd"));

            client.make_dir(b"d").await.unwrap();
            client.rename(b"new", b"d/newer").await.unwrap();
            client.remove(b"d/newer").await.unwrap();
            client.remove_dir(b"d").await.unwrap();
            let gone = client.stat(b"new").await.unwrap_err();
            assert!(gone.is_not_found(), "{gone}");
            assert!(fetch(&mut client, b"new", 0).await.unwrap_err().is_not_found());
            client.quit().await;
        });
        assert_eq!(house.warden.passive_ports().leases, 0);
    }
}

#[test]
fn a_name_that_holds_a_line_end_is_never_sent() {
    let house = House::open();
    house.put("a", b"x");
    wait(async {
        let (mut client, told) = enter(house.address.port(), Options::default()).await.unwrap();
        let before = told.lock().unwrap().len();
        let error = client.remove(b"b\r\nDELE a").await.unwrap_err();
        assert!(matches!(error, Error::BadArgument(_)), "{error}");
        assert_eq!(told.lock().unwrap().len(), before);
        client.quit().await;
    });
    assert_eq!(house.names(), ["a"]);
}

#[test]
fn a_password_is_not_in_the_trace() {
    let house = House::open();
    wait(async {
        let (client, told) = enter(house.address.port(), Options::default()).await.unwrap();
        client.quit().await;
        let told = format!("{:?}", told.lock().unwrap());
        assert!(told.contains("PASS XXXX") && !told.contains("secret"), "{told}");
    });
}

#[test]
fn a_wrong_password_is_refused() {
    let house = House::open();
    wait(async {
        let notice = Box::new(|_| {});
        let login = (b"anna".to_vec(), Secret::new("wrong"), None);
        let port = house.address.port();
        let error =
            Client::connect("127.0.0.1", port, login, Options::default(), notice).await.err().unwrap();
        assert!(matches!(error, Error::Refused { code: 530, .. }), "{error}");
    });
}
