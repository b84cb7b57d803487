//! The face without `async`, with our server: a session from its login to its end, and work that is carried through.

use std::fs;
use std::sync::Arc;

use twoport_client::Crew;
use twoport_client::blocking::{Client, Journey};
use twoport_client::mirror::{Direction, Event, Rules, Sides, Tree, look};
use twoport_client::url::Url;
use twoport_client::{
    Body, Error, Kind, Moment, Options, Progress, Put, Request, Rung, Secret, Sink, Upload, Verb, Word, deaf,
};

use crate::sockets::house::House;
use crate::support::files::{bytes, room};

fn url(house: &House) -> Url {
    format!("ftp://anna:secret@{}/", house.address).parse().unwrap()
}

#[test]
fn a_whole_session() {
    let house = House::open();
    let login = (b"anna".to_vec(), Secret::new("secret"), None);
    let port = house.address.port();
    let mut client = Client::connect("127.0.0.1", port, login, Options::default(), deaf()).unwrap();
    assert_eq!(client.server(), house.address);
    assert!(client.features().has("MLST"));
    let file = bytes(300_000, 1);
    let moved = client.store(b"a", Put::Replace, Body::Bytes(file.clone()), &Progress::default()).unwrap();
    assert!(moved.confirmed && moved.bytes == 300_000);
    assert_eq!(client.rung(), Some(Rung::Epsv));
    client.set_modified(b"a", Moment::from_seconds(86_400)).unwrap();
    assert_eq!(client.stat(b"a").unwrap().modified, Some(Moment::from_seconds(86_400)));
    let folder = tempfile::tempdir_in(room()).unwrap();
    let mut sink = Sink::File { file: Arc::new(fs::File::create(folder.path().join("a")).unwrap()), at: 0 };
    client.fetch(b"a", 0, &mut sink, &Progress::default()).unwrap();
    assert!(fs::read(folder.path().join("a")).unwrap() == file);
    assert_eq!(client.hash(b"a").unwrap().0, "SHA-256");
    client.make_dir(b"d").unwrap();
    client.rename(b"a", b"d/b").unwrap();
    let listed = client.list(b"d", twoport_client::now()).unwrap();
    assert_eq!((listed.len(), listed[0].size, listed[0].kind), (1, 300_000, Kind::File));
    assert_eq!(client.lines(Verb::Nlst, b"d").unwrap().len(), 1);
    client.remove(b"d/b").unwrap();
    client.remove_dir(b"d").unwrap();
    assert!(client.stat(b"d/b").unwrap_err().is_not_found());
    assert_eq!(client.say(Request::bare(Verb::Noop)).unwrap().code, 200);
    client.quit();
}

#[test]
fn work_that_is_carried_through() {
    let (house, folder) = (House::open(), tempfile::tempdir_in(room()).unwrap());
    fs::write(folder.path().join("a"), b"hello").unwrap();
    let mut journey = Journey::to(&url(&house), Options::default(), deaf()).unwrap();
    let upload = Upload::open(&folder.path().join("a"), b"a").unwrap();
    assert_eq!(journey.upload(&upload, &Progress::default()).unwrap().word, Word::Reply);
    let size = journey.run(|| 0, async |client| Ok(client.stat(b"a").await?.size)).unwrap();
    assert_eq!(size, 5);
    let folder = folder.path().join("copy");
    fs::create_dir(&folder).unwrap();
    let sides = Sides { local: &folder, remote: b"", direction: Direction::Down };
    let (rules, nothing, tell) = (Rules::default(), Tree::new(), |_: Event<'_>| {});
    let (seen, done) = journey
        .wait(async |journey| {
            let mut crew = Crew::new(journey.sibling(), 2);
            let now = twoport_client::now();
            let seen = look(&mut crew, sides, &nothing, &rules, now, true, &tell).await;
            crew.end().await;
            seen
        })
        .unwrap();
    assert_eq!((seen.tree.len(), done.totals.copied), (1, 1));
    assert_eq!(fs::read(folder.join("a")).unwrap(), b"hello");
    journey.end();
    let wrong = format!("ftp://anna:wrong@{}/", house.address).parse().unwrap();
    let error = Client::to(&wrong, Options::default(), deaf()).err().unwrap();
    assert!(matches!(error, Error::Refused { code: 530, .. }), "{error}");
}
