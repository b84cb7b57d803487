//! The tests that every backend must pass, as a function that panics with a sentence: what a session relies on when it
//! has a `dyn Store` in its hand. Also [`pour`] and [`drain`], which move bytes without a network.

use std::fmt::Debug;
use std::io;
use std::os::unix::fs::FileExt;

use twoport_pipe::{Body, Sink};
use twoport_proto::placement::{Change, Placement};
use twoport_proto::{Entry, Failure, FtpPath, Kind, Moment};

use crate::error::Error;
use crate::store::{CutUploads, Links, Order, Store, Upload};

/// Tries everything that [`Store`] promises. `home` is an existing empty folder of `store` that is the test's own, and is
/// left with files in it; `cuts` is what the store does with the first bytes of a new file whose upload was cut.
///
/// # Panics
/// With a sentence, at the first promise that is not kept.
pub async fn check(store: &dyn Store, home: &FtpPath, cuts: CutUploads) {
    let home = Home { store, path: home.clone() };
    missing_names_are_not_found(&home).await;
    uploads_replace_and_are_read_back(&home).await;
    nothing_is_seen_before_the_commit(&home).await;
    new_names_must_be_new(&home).await;
    unique_names_are_found_and_reserved(&home).await;
    uploads_resume_and_append(&home).await;
    cut_uploads_spare_what_was_there(&home, cuts).await;
    cut_in_place_uploads_keep_what_came(&home).await;
    folders_are_made_and_removed(&home).await;
    files_are_removed(&home).await;
    names_are_changed(&home).await;
    listings_are_sorted_and_come_in_batches(&home).await;
    names_are_bytes(&home).await;
    facts_are_changed(&home).await;
    links_are_links_or_unsupported(&home).await;
}

/// Gives all of `bytes` to `sink`, as the byte mover would.
///
/// # Errors
/// What the file or the taker says.
pub async fn pour(sink: &mut Sink, bytes: &[u8]) -> io::Result<()> {
    match sink {
        Sink::File { file, at } => {
            file.write_all_at(bytes, *at)?;
            *at += bytes.len() as u64;
            Ok(())
        }
        Sink::Taker(taker) => taker.take(bytes).await,
    }
}

/// Reads `body` to its end.
///
/// # Errors
/// What the file or the source says.
pub async fn drain(body: Body) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    match body {
        Body::Bytes(all) => bytes = all,
        Body::File { file, mut from, length } => {
            let mut left = length.unwrap_or(u64::MAX);
            let mut piece = vec![0; 64 * 1024];
            while left > 0 {
                let want = usize::try_from(left).unwrap_or(usize::MAX).min(piece.len());
                let got = file.read_at(&mut piece[..want], from)?;
                if got == 0 {
                    break;
                }
                bytes.extend_from_slice(&piece[..got]);
                from += got as u64;
                left -= got as u64;
            }
        }
        Body::Source(mut source) => loop {
            let before = bytes.len();
            source.fill(&mut bytes).await?;
            if bytes.len() == before {
                break;
            }
        },
    }
    Ok(bytes)
}

struct Home<'a> {
    store: &'a dyn Store,
    path: FtpPath,
}

impl Home<'_> {
    fn at(&self, name: &str) -> FtpPath {
        self.path.join(name.as_bytes()).expect("the contract's own names are names")
    }

    async fn begin(&self, name: &str, placement: Placement, bytes: &[u8]) -> Upload {
        let mut upload = done(self.store.write(&self.at(name), placement).await, "write", name);
        pour(&mut upload.sink, bytes)
            .await
            .unwrap_or_else(|error| panic!("bytes for {name} were not taken: {error}"));
        upload
    }

    async fn put(&self, name: &str, placement: Placement, bytes: &[u8]) -> FtpPath {
        let upload = self.begin(name, placement, bytes).await;
        done(upload.commit.commit(upload.sink).await, "commit", name);
        upload.path
    }

    async fn cut(&self, name: &str, placement: Placement, bytes: &[u8]) {
        let upload = self.begin(name, placement, bytes).await;
        done(upload.commit.cut(upload.sink).await, "cut", name);
    }

    async fn text(&self, name: &str) -> Option<Vec<u8>> {
        match self.store.read(&self.at(name), 0, None).await {
            Ok(reading) => Some(drain(reading.body).await.expect("what was opened can be read")),
            Err(error) if error.failure == Failure::NotFound => None,
            Err(error) => panic!("reading {name}: {error}"),
        }
    }

    async fn holds(&self, name: &str, expected: Option<&[u8]>, when: &str) {
        let text = self.text(name).await;
        assert_eq!(text.as_deref().map(show), expected.map(show), "{name} {when}");
    }

    async fn stat(&self, name: &str) -> Entry {
        done(self.store.stat(&self.at(name), Links::Follow).await, "stat", name)
    }

    async fn make_dir(&self, name: &str) {
        done(self.store.make_dir(&self.at(name)).await, "make_dir", name);
    }

    async fn names(&self, name: &str, order: Order, at_most: usize) -> Vec<Vec<u8>> {
        let mut folder = done(self.store.list(&self.at(name), order).await, "list", name);
        let mut names = Vec::new();
        loop {
            let batch = done(folder.next(at_most).await, "next", name);
            assert!(batch.len() <= at_most, "a batch of {} where {at_most} were asked for", batch.len());
            if batch.is_empty() {
                return names;
            }
            names.extend(batch.into_iter().map(|entry| entry.name));
        }
    }
}

async fn missing_names_are_not_found(home: &Home<'_>) {
    let (path, below) = (home.at("nothing"), home.at("nothing/below"));
    for path in [&path, &below] {
        fails(home.store.stat(path, Links::Follow).await, Failure::NotFound, "stat of a missing name");
        fails(home.store.stat(path, Links::Show).await, Failure::NotFound, "stat of a missing name");
        fails(
            home.store.list(path, Order::ByName).await.map(drop),
            Failure::NotFound,
            "list of a missing name",
        );
        fails(home.store.read(path, 0, None).await, Failure::NotFound, "read of a missing name");
        fails(home.store.remove(path).await, Failure::NotFound, "remove of a missing name");
        fails(home.store.remove_dir(path).await, Failure::NotFound, "remove_dir of a missing name");
        fails(home.store.rename(path, &home.at("new")).await, Failure::NotFound, "rename of a missing name");
        fails(
            home.store.change(path, Change::default()).await,
            Failure::NotFound,
            "change of a missing name",
        );
    }
    fails(home.store.make_dir(&below).await, Failure::NotFound, "make_dir in a missing folder");
    for placement in
        [Placement::Replace, Placement::New, Placement::Unique, Placement::Append, Placement::At(0)]
    {
        fails(home.store.write(&below, placement).await, Failure::NotFound, "write in a missing folder");
    }
}

async fn uploads_replace_and_are_read_back(home: &Home<'_>) {
    home.put("file", Placement::Replace, b"0123456789").await;
    home.holds("file", Some(b"0123456789"), "after an upload").await;
    let entry = home.stat("file").await;
    assert_eq!(
        (entry.kind, entry.size, entry.name.as_slice()),
        (Kind::File, 10, &b"file"[..]),
        "what stat tells of a file"
    );

    let path = home.at("file");
    for (from, length, expected) in [
        (3, None, &b"3456789"[..]),
        (3, Some(2), b"34"),
        (8, Some(99), b"89"),
        (0, Some(0), b""),
        (10, None, b""),
    ] {
        let reading = done(home.store.read(&path, from, length).await, "read", "file");
        assert_eq!(reading.size, 10, "the size of the whole file, from {from}");
        let got = drain(reading.body).await.expect("what was opened can be read");
        assert_eq!(show(&got), show(expected), "a range from {from}, length {length:?}");
    }
    fails(home.store.read(&path, 11, None).await, Failure::BadOffset, "read behind the end");
    fails(home.store.read(&home.path, 0, None).await, Failure::IsDirectory, "read of a folder");
    fails(
        home.store.stat(&home.at("file/below"), Links::Follow).await,
        Failure::NotDirectory,
        "stat below a file",
    );
    fails(home.store.list(&path, Order::ByName).await.map(drop), Failure::NotDirectory, "list of a file");

    home.put("file", Placement::Replace, b"new").await;
    home.holds("file", Some(b"new"), "after it was replaced by something shorter").await;
    home.put("file", Placement::At(0), b"").await;
    home.holds("file", Some(b""), "after it was replaced by nothing").await;
    for placement in [Placement::Replace, Placement::New, Placement::Append, Placement::At(1)] {
        fails(home.store.write(&home.path, placement).await, Failure::IsDirectory, "write to a folder");
    }
}

async fn nothing_is_seen_before_the_commit(home: &Home<'_>) {
    home.put("old", Placement::Replace, b"old").await;
    let first = home.begin("old", Placement::Replace, b"the first one").await;
    let second = home.begin("old", Placement::Replace, b"second").await;
    home.holds("old", Some(b"old"), "before the commit").await;
    assert_eq!(first.path, home.at("old"), "the name of an upload");
    done(second.commit.commit(second.sink).await, "commit", "old");
    home.holds("old", Some(b"second"), "after the second upload's commit").await;
    done(first.commit.commit(first.sink).await, "commit", "old");
    home.holds("old", Some(b"the first one"), "after the first upload's commit").await;
}

async fn new_names_must_be_new(home: &Home<'_>) {
    fails(
        home.store.write(&home.at("old"), Placement::New).await,
        Failure::Exists,
        "a new file under a taken name",
    );
    let first = home.begin("new", Placement::New, b"first").await;
    let second = home.begin("new", Placement::New, b"second").await;
    done(first.commit.commit(first.sink).await, "commit", "new");
    fails(second.commit.commit(second.sink).await, Failure::Exists, "commit under a name taken meanwhile");
    home.holds("new", Some(b"first"), "after two uploads of a new file").await;
}

async fn unique_names_are_found_and_reserved(home: &Home<'_>) {
    let first = home.begin("unique", Placement::Unique, b"first").await;
    let second = home.begin("unique", Placement::Unique, b"second").await;
    assert_eq!(first.path, home.at("unique"), "the first unique name");
    assert_eq!(second.path, home.at("unique.1"), "the second unique name");
    fails(
        home.store.write(&first.path, Placement::New).await,
        Failure::Exists,
        "a new file under a reserved name",
    );
    done(second.commit.commit(second.sink).await, "commit", "unique");
    done(first.commit.commit(first.sink).await, "commit", "unique");
    home.holds("unique", Some(b"first"), "after its commit").await;
    home.holds("unique.1", Some(b"second"), "after its commit").await;

    home.cut("placeholder", Placement::Unique, b"").await;
    home.holds("placeholder", None, "after a unique upload was cut before its first byte").await;
}

async fn uploads_resume_and_append(home: &Home<'_>) {
    let path = home.at("resumed");
    fails(home.store.write(&path, Placement::At(1)).await, Failure::NotFound, "resuming a missing file");
    home.put("resumed", Placement::Append, b"0123").await;
    home.holds("resumed", Some(b"0123"), "after appending to nothing").await;
    home.put("resumed", Placement::Append, b"456789").await;
    home.holds("resumed", Some(b"0123456789"), "after appending").await;
    fails(home.store.write(&path, Placement::At(11)).await, Failure::BadOffset, "resuming behind the end");
    home.put("resumed", Placement::At(10), b"abc").await;
    home.holds("resumed", Some(b"0123456789abc"), "after resuming at its end").await;
    home.put("resumed", Placement::At(4), b"xyz").await;
    home.holds("resumed", Some(b"0123xyz"), "after resuming in its middle: the old tail goes").await;
    home.put("resumed", Placement::At(2), b"").await;
    home.holds("resumed", Some(b"01"), "after resuming with nothing, closed in order").await;
}

async fn cut_uploads_spare_what_was_there(home: &Home<'_>, cuts: CutUploads) {
    home.cut("old", Placement::Replace, b"half").await;
    home.holds("old", Some(b"the first one"), "after an upload over it was cut").await;
    drop(home.begin("old", Placement::Replace, b"half").await);
    home.holds("old", Some(b"the first one"), "after an upload over it was dropped").await;

    let kept = match cuts {
        CutUploads::Keep => Some(&b"half"[..]),
        CutUploads::Discard => None,
    };
    for (number, placement) in
        [Placement::Replace, Placement::New, Placement::Unique, Placement::At(0)].iter().enumerate()
    {
        let (cut, dropped) = (format!("cut{number}"), format!("dropped{number}"));
        home.cut(&cut, *placement, b"half").await;
        home.holds(&cut, kept, &format!("after a new upload ({placement:?}) was cut")).await;
        drop(home.begin(&dropped, *placement, b"half").await);
        home.holds(&dropped, kept, &format!("after a new upload ({placement:?}) was dropped")).await;

        let (cut, dropped) = (format!("nothing{number}"), format!("never{number}"));
        home.cut(&cut, *placement, b"").await;
        home.holds(&cut, None, &format!("after {placement:?} was cut before the first byte")).await;
        drop(home.begin(&dropped, *placement, b"").await);
        home.holds(&dropped, None, &format!("after {placement:?} was dropped before the first byte")).await;
    }
}

async fn cut_in_place_uploads_keep_what_came(home: &Home<'_>) {
    home.put("part", Placement::Replace, b"0123456789").await;
    home.cut("part", Placement::At(4), b"").await;
    home.holds("part", Some(b"0123456789"), "after resuming was cut before the first byte").await;
    home.cut("part", Placement::At(4), b"ab").await;
    home.holds("part", Some(b"0123ab"), "after resuming was cut").await;
    home.cut("part", Placement::Append, b"cd").await;
    home.holds("part", Some(b"0123abcd"), "after appending was cut").await;
    home.cut("appended", Placement::Append, b"").await;
    home.holds("appended", None, "after appending to nothing was cut before the first byte").await;
    home.cut("appended", Placement::Append, b"ab").await;
    home.holds("appended", Some(b"ab"), "after appending to nothing was cut").await;

    let dead = home.begin("part", Placement::Append, b"1").await;
    home.put("part", Placement::At(9), b"234").await;
    done(dead.commit.cut(dead.sink).await, "cut", "part");
    home.holds("part", Some(b"0123abcd1234"), "after it was resumed while a dead session still had it").await;
}

async fn folders_are_made_and_removed(home: &Home<'_>) {
    home.make_dir("folder").await;
    let (folder, file) = (home.at("folder"), home.at("folder/file"));
    assert_eq!(home.stat("folder").await.kind, Kind::Directory, "the kind of a folder");
    fails(home.store.make_dir(&folder).await, Failure::Exists, "make_dir of a folder that is there");
    fails(home.store.make_dir(&home.at("old")).await, Failure::Exists, "make_dir where a file is");
    fails(home.store.make_dir(&FtpPath::root()).await, Failure::Exists, "make_dir of the root");
    fails(home.store.make_dir(&home.at("old/below")).await, Failure::NotDirectory, "make_dir below a file");
    home.put("folder/file", Placement::Replace, b"inside").await;
    fails(home.store.remove_dir(&folder).await, Failure::NotEmpty, "remove_dir of a full folder");
    fails(home.store.remove_dir(&file).await, Failure::NotDirectory, "remove_dir of a file");
    fails(home.store.remove_dir(&FtpPath::root()).await, Failure::Denied, "remove_dir of the root");
    done(home.store.remove(&file).await, "remove", "folder/file");
    done(home.store.remove_dir(&folder).await, "remove_dir", "folder");
    fails(home.store.stat(&folder, Links::Follow).await, Failure::NotFound, "stat of a removed folder");
}

async fn files_are_removed(home: &Home<'_>) {
    fails(home.store.remove(&home.path).await, Failure::IsDirectory, "remove of a folder");
    fails(home.store.remove(&FtpPath::root()).await, Failure::IsDirectory, "remove of the root");
    home.put("removed", Placement::Replace, b"still being read").await;
    let reading = done(home.store.read(&home.at("removed"), 0, None).await, "read", "removed");
    done(home.store.remove(&home.at("removed")).await, "remove", "removed");
    home.holds("removed", None, "after it was removed").await;
    let rest = drain(reading.body).await.expect("what was opened can be read");
    assert_eq!(show(&rest), "still being read", "a download goes on when its file is removed");
}

async fn names_are_changed(home: &Home<'_>) {
    home.put("from", Placement::Replace, b"moved").await;
    done(home.store.rename(&home.at("from"), &home.at("old")).await, "rename", "from");
    home.holds("old", Some(b"moved"), "after another file took its name").await;
    home.holds("from", None, "after it was renamed").await;
    done(home.store.rename(&home.at("old"), &home.at("old")).await, "rename to itself", "old");
    home.holds("old", Some(b"moved"), "after it was renamed to itself").await;

    home.make_dir("a").await;
    home.make_dir("a/b").await;
    home.make_dir("c").await;
    home.put("a/b/file", Placement::Replace, b"deep").await;
    let rename = |from: &str, to: &str| {
        let (from, to) = (home.at(from), home.at(to));
        async move { home.store.rename(&from, &to).await }
    };
    fails(rename("a", "a/b/c").await, Failure::BadName, "rename to a path below itself");
    fails(rename("a", "old").await, Failure::NotDirectory, "rename of a folder over a file");
    fails(rename("old", "a").await, Failure::IsDirectory, "rename of a file over a folder");
    fails(rename("c", "a").await, Failure::NotEmpty, "rename over a full folder");
    fails(rename("old", "nothing/old").await, Failure::NotFound, "rename into a missing folder");
    fails(home.store.rename(&FtpPath::root(), &home.at("root")).await, Failure::Denied, "rename of the root");
    fails(home.store.rename(&home.at("c"), &FtpPath::root()).await, Failure::Denied, "rename over the root");
    done(rename("a", "c").await, "rename over an empty folder", "a");
    home.holds("c/b/file", Some(b"deep"), "after its folder was renamed").await;
}

async fn listings_are_sorted_and_come_in_batches(home: &Home<'_>) {
    home.make_dir("many").await;
    assert!(
        home.names("many", Order::ByName, 10).await.is_empty(),
        "an empty folder lists nothing, not even . and .."
    );
    let mut expected = Vec::new();
    for number in (0..150).rev() {
        let name = format!("n{number}");
        home.put(&format!("many/{name}"), Placement::Replace, b"").await;
        expected.push(name.into_bytes());
    }
    expected.sort();
    for at_most in [1, 7, 150, 1000] {
        assert_eq!(
            home.names("many", Order::ByName, at_most).await,
            expected,
            "names sorted by bytes, {at_most} at a time"
        );
        let mut any = home.names("many", Order::Any, at_most).await;
        any.sort();
        assert_eq!(any, expected, "each name once, {at_most} at a time");
    }
}

async fn names_are_bytes(home: &Home<'_>) {
    home.make_dir("odd").await;
    let names = [
        &b"\x01\xff\xfe"[..],
        b" ",
        b"\"quoted\"",
        b"-rf",
        b"a b",
        b"a\\b",
        b"a\tb",
        b"...",
        b"*?[",
        "ä".as_bytes(),
    ];
    for name in names {
        let path = home.at("odd").child(name);
        let mut upload = done(home.store.write(&path, Placement::Replace).await, "write", &show(name));
        pour(&mut upload.sink, name).await.expect("bytes are taken");
        done(upload.commit.commit(upload.sink).await, "commit", &show(name));
        let reading = done(home.store.read(&path, 0, None).await, "read", &show(name));
        assert_eq!(
            drain(reading.body).await.expect("what was opened can be read"),
            name,
            "{} read back",
            show(name)
        );
    }
    let mut sorted = names.to_vec();
    sorted.sort_unstable();
    assert_eq!(home.names("odd", Order::ByName, 100).await, sorted, "odd names in a listing");
}

async fn facts_are_changed(home: &Home<'_>) {
    let path = home.at("old");
    let before = home.stat("old").await;
    done(home.store.change(&path, Change::default()).await, "change of nothing", "old");
    let moment = Moment { seconds: 951_782_400, nanos: 0 };
    let change = Change { modified: Some(moment), ..Change::default() };
    if done_or_unsupported(home.store.change(&path, change).await, "change of the modification time") {
        assert_eq!(home.stat("old").await.modified, Some(moment), "the modification time that was set");
    }
    let change = Change { mode: Some(0o640), ..Change::default() };
    if done_or_unsupported(home.store.change(&path, change).await, "change of the permissions") {
        assert_eq!(home.stat("old").await.mode, Some(0o640), "the permissions that were set");
        home.put("old", Placement::Replace, b"moved").await;
        assert_eq!(home.stat("old").await.mode, Some(0o640), "the permissions after the file was replaced");
    }
    let change = Change { created: Some(moment), mode: Some(0o600), ..Change::default() };
    if done_or_unsupported(home.store.change(&path, change).await, "change of the creation time") {
        assert_eq!(home.stat("old").await.created, Some(moment), "the creation time that was set");
    } else {
        assert_ne!(home.stat("old").await.mode, Some(0o600), "what is not supported changes nothing");
    }
    assert_eq!(home.stat("old").await.size, before.size, "the size after its facts were changed");
    if let Err(error) = home.store.space(&home.path).await {
        assert_eq!(error.failure, Failure::Unsupported, "space is told or unsupported: {error}");
    }
    fails_or_unsupported(
        home.store.space(&home.at("nothing")).await,
        Failure::NotFound,
        "space of a missing name",
    );
}

async fn links_are_links_or_unsupported(home: &Home<'_>) {
    let path = home.at("link");
    if !done_or_unsupported(home.store.symlink(b"old", &path).await, "symlink") {
        return;
    }
    fails(home.store.symlink(b"old", &path).await, Failure::Exists, "symlink under a taken name");
    let entry = done(home.store.stat(&path, Links::Show).await, "stat", "link");
    assert_eq!((entry.kind, entry.target.as_deref()), (Kind::Link, Some(&b"old"[..])), "a link shown");
    assert_eq!(home.stat("link").await.kind, Kind::File, "a link followed");
    home.put("link", Placement::Replace, b"through the link").await;
    home.holds("old", Some(b"through the link"), "after an upload to a link that leads to it").await;
    let entry = done(home.store.stat(&path, Links::Show).await, "stat", "link");
    assert_eq!(entry.kind, Kind::Link, "a link stays one when it is written to");
    fails(home.store.write(&path, Placement::New).await, Failure::Exists, "a new file under a link's name");
    done(home.store.remove(&path).await, "remove", "link");
    home.holds("old", Some(b"through the link"), "after a link to it was removed").await;
}

fn done<T>(answer: Result<T, Error>, what: &str, name: &str) -> T {
    answer.unwrap_or_else(|error| panic!("{what}, {name}: {error}"))
}

fn fails<T: Debug>(answer: Result<T, Error>, expected: Failure, what: &str) {
    match answer {
        Ok(value) => panic!("{what} should be {expected:?}, but was done: {value:?}"),
        Err(error) => assert_eq!(error.failure, expected, "{what}: {error}"),
    }
}

fn done_or_unsupported(answer: Result<(), Error>, what: &str) -> bool {
    match answer {
        Ok(()) => true,
        Err(error) if error.failure == Failure::Unsupported => false,
        Err(error) => panic!("{what}: {error}"),
    }
}

fn fails_or_unsupported<T: Debug>(answer: Result<T, Error>, expected: Failure, what: &str) {
    if !matches!(&answer, Err(error) if error.failure == Failure::Unsupported) {
        fails(answer, expected, what);
    }
}

fn show(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}
