//! What only a real folder can get wrong: ways out of the root, pipes, leftovers of a crash, permissions.

use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::PathBuf;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock, mkfifoat};
use tempfile::TempDir;
use twoport_proto::Kind;

use super::*;
use crate::contract::{check, drain, pour};

struct World {
    folder: TempDir,
    store: Local,
}

impl World {
    fn new() -> Self {
        Self::with(LocalOptions::default())
    }

    /// `root` is the store's, beside it lies what must not be reached.
    fn with(options: LocalOptions) -> Self {
        let folder = TempDir::new().unwrap();
        fs::create_dir(folder.path().join("root")).unwrap();
        fs::write(folder.path().join("secret"), "secret").unwrap();
        let store = Local::open(&folder.path().join("root"), options).unwrap();
        World { folder, store }
    }

    fn real(&self, name: &str) -> PathBuf {
        self.folder.path().join("root").join(name)
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.real(name)).unwrap()
    }

    /// All names on the disk, hidden ones too.
    fn on_disk(&self, name: &str) -> Vec<String> {
        let names = fs::read_dir(self.real(name)).unwrap();
        let mut names: Vec<_> =
            names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    async fn begin(&self, name: &str, placement: Placement, bytes: &str) -> Upload {
        let mut upload = self.store.write(&path(name), placement).await.unwrap();
        pour(&mut upload.sink, bytes.as_bytes()).await.unwrap();
        upload
    }

    async fn put(&self, name: &str, placement: Placement, bytes: &str) {
        commit(self.begin(name, placement, bytes).await).await.unwrap();
    }

    async fn listed(&self, name: &str) -> Vec<Entry> {
        let mut folder = self.store.list(&path(name), Order::ByName).await.unwrap();
        let mut all = Vec::new();
        loop {
            let batch = folder.next(100).await.unwrap();
            if batch.is_empty() {
                return all;
            }
            all.extend(batch);
        }
    }

    async fn read_failure(&self, name: &str) -> Option<Failure> {
        self.store.read(&path(name), 0, None).await.err().map(|error| error.failure)
    }

    async fn write_failure(&self, name: &str, placement: Placement) -> Option<Failure> {
        self.store.write(&path(name), placement).await.err().map(|error| error.failure)
    }
}

fn path(name: &str) -> FtpPath {
    FtpPath::root().join(name.as_bytes()).unwrap()
}

async fn commit(upload: Upload) -> Result<()> {
    upload.commit.commit(upload.sink).await
}

async fn cut(upload: Upload) -> Result<()> {
    upload.commit.cut(upload.sink).await
}

fn is_root() -> bool {
    let is_root = rustix::process::geteuid().is_root();
    if is_root {
        eprintln!("skipped: permission bits do not bind root");
    }
    is_root
}

fn mode(path: PathBuf) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o7777
}

#[tokio::test]
async fn local_keeps_the_contract() {
    for cut_uploads in [CutUploads::Keep, CutUploads::Discard] {
        for durable in [false, true] {
            let world = World::with(LocalOptions { cut_uploads, durable, ..LocalOptions::default() });
            check(&world.store, &FtpPath::root(), cut_uploads).await;
            assert!(
                !world.on_disk("").iter().any(|name| is_working(name.as_bytes())),
                "no working file is left"
            );
        }
    }
}

#[test]
fn the_contract_holds_without_a_runtime_too() {
    let world = World::new();
    let home = FtpPath::root();
    let mut checking = std::pin::pin!(check(&world.store, &home, CutUploads::Keep));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(checking.as_mut().poll(&mut context).is_ready());
}

#[tokio::test]
async fn nothing_leads_out_of_the_root() {
    let world = World::new();
    let outside = world.folder.path().join("secret");
    symlink("/etc/passwd", world.real("absolute")).unwrap();
    symlink("../secret", world.real("relative")).unwrap();
    symlink(&outside, world.real("direct")).unwrap();
    symlink("../../../../../../../..", world.real("up")).unwrap();
    symlink("/", world.real("top")).unwrap();
    symlink("..", world.real("parent")).unwrap();
    for name in
        ["absolute", "relative", "direct", "up/etc/passwd", "top/etc/passwd", "parent/secret", "../secret"]
    {
        assert_eq!(world.read_failure(name).await, Some(Failure::NotFound), "{name}");
        let stat = world.store.stat(&path(name), Links::Follow).await;
        assert_eq!(stat.unwrap_err().failure, Failure::NotFound, "{name}");
        let change = Change { mode: Some(0o777), ..Change::default() };
        assert!(world.store.change(&path(name), change).await.is_err(), "{name}");
    }
    world.put("relative", Placement::Replace, "inside").await;
    world.put("parent/secret2", Placement::Append, "inside").await;
    world.store.make_dir(&path("up/made")).await.unwrap();
    world.store.rename(&path("up/made"), &path("top/renamed")).await.unwrap();
    assert_eq!(world.text("secret"), "inside");
    assert_eq!(world.text("secret2"), "inside");
    assert_eq!(fs::read_to_string(outside).unwrap(), "secret");
    assert!(world.real("renamed").is_dir());
    assert_eq!(fs::read_dir(world.folder.path()).unwrap().count(), 2);
    for name in ["up", "top", "parent"] {
        assert_eq!(world.store.stat(&path(name), Links::Follow).await.unwrap().unique, {
            world.store.stat(&FtpPath::root(), Links::Follow).await.unwrap().unique
        });
    }
}

#[tokio::test]
async fn absolute_links_inside_work() {
    let world = World::new();
    fs::create_dir_all(world.real("a/b")).unwrap();
    fs::write(world.real("a/b/file"), "deep").unwrap();
    symlink("/a/b", world.real("folder")).unwrap();
    symlink("/folder/file", world.real("file")).unwrap();
    symlink("folder/../up", world.real("physical")).unwrap();
    let reading = world.store.read(&path("file"), 0, None).await.unwrap();
    assert_eq!(drain(reading.body).await.unwrap(), b"deep");
    world.put("file", Placement::Replace, "replaced").await;
    assert_eq!(world.text("a/b/file"), "replaced");
    world.put("file", Placement::Append, " and appended").await;
    assert_eq!(world.text("a/b/file"), "replaced and appended");
    // `..` behind a link climbs from where the link leads to.
    world.put("physical", Placement::Replace, "up").await;
    assert_eq!(world.text("a/up"), "up");
    assert!(fs::symlink_metadata(world.real("file")).unwrap().is_symlink());
    assert_eq!(world.on_disk("a/b"), ["file"]);
}

#[tokio::test]
async fn loops_and_links_to_folders_are_refused() {
    let world = World::new();
    symlink("b", world.real("a")).unwrap();
    symlink("a", world.real("b")).unwrap();
    symlink("/..", world.real("root")).unwrap();
    fs::create_dir(world.real("folder")).unwrap();
    symlink("folder/", world.real("slash")).unwrap();
    symlink("folder", world.real("plain")).unwrap();
    assert_eq!(world.read_failure("a").await, Some(Failure::Loop));
    assert_eq!(world.write_failure("a", Placement::Replace).await, Some(Failure::Loop));
    for name in ["root", "slash", "plain"] {
        for placement in [Placement::Replace, Placement::Append] {
            assert_eq!(world.write_failure(name, placement).await, Some(Failure::IsDirectory), "{name}");
        }
    }
    assert_eq!(world.store.remove_dir(&path("plain")).await.unwrap_err().failure, Failure::NotDirectory);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_that_is_swapped_leads_nowhere_outside() {
    let world = World::new();
    fs::create_dir(world.real("inside")).unwrap();
    fs::create_dir(world.folder.path().join("outside")).unwrap();
    fs::write(world.folder.path().join("outside/file"), "secret").unwrap();
    fs::write(world.real("inside/file"), "inside").unwrap();
    let (target, outside, swap) =
        (world.real("inside"), world.folder.path().join("outside"), world.real("swap"));
    let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let swapping = std::thread::spawn({
        let stop = Arc::clone(&stop);
        let (one, two) = (world.real("one"), world.real("two"));
        move || {
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                let _ = symlink(&outside, &one).and_then(|()| fs::rename(&one, &swap));
                let _ = symlink(target.file_name().unwrap(), &two).and_then(|()| fs::rename(&two, &swap));
            }
        }
    });
    for _ in 0..2_000 {
        if let Ok(reading) = world.store.read(&path("swap/file"), 0, None).await {
            assert_eq!(drain(reading.body).await.unwrap(), b"inside");
        }
        if let Ok(upload) = world.store.write(&path("swap/new"), Placement::Replace).await {
            let _ = commit(upload).await;
        }
    }
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    swapping.join().unwrap();
    let outside = fs::read_dir(world.folder.path().join("outside")).unwrap();
    assert_eq!(outside.count(), 1, "nothing was written outside");
}

#[tokio::test]
async fn pipes_and_devices_are_refused_at_once() {
    let world = World::new();
    mkfifoat(CWD, world.real("pipe"), Mode::from_raw_mode(0o666)).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(world.real("socket")).unwrap();
    let tries = async {
        for name in ["pipe", "socket"] {
            assert_eq!(world.read_failure(name).await, Some(Failure::Denied), "{name}");
            for placement in [Placement::Replace, Placement::At(0), Placement::At(1), Placement::Append] {
                assert_eq!(
                    world.write_failure(name, placement).await,
                    Some(Failure::Denied),
                    "{name} {placement:?}"
                );
            }
            assert_eq!(world.store.stat(&path(name), Links::Follow).await.unwrap().kind, Kind::Other);
        }
        world.store.remove(&path("pipe")).await.unwrap();
    };
    tokio::time::timeout(Duration::from_secs(10), tries).await.expect("nothing hangs");
}

#[tokio::test]
async fn a_leftover_is_taken_over_and_a_held_one_is_not() {
    let world = World::new();
    fs::write(world.real(".a.twoport-part"), "left over from a crash").unwrap();
    let first = world.begin("a", Placement::Replace, "first").await;
    assert_eq!(world.on_disk(""), [".a.twoport-part"]);
    let second = world.begin("a", Placement::Replace, "second, longer").await;
    assert_eq!(world.on_disk(""), [".a.twoport-part", ".a.twoport-part-2"]);
    commit(first).await.unwrap();
    assert_eq!(world.text("a"), "first");
    commit(second).await.unwrap();
    assert_eq!(world.text("a"), "second, longer");
    assert_eq!(world.on_disk(""), ["a"]);
}

#[tokio::test]
async fn a_planted_working_name_harms_nobody() {
    let world = World::new();
    fs::write(world.real("precious"), "precious").unwrap();
    fs::hard_link(world.real("precious"), world.real(".a.twoport-part")).unwrap();
    symlink("precious", world.real(".b.twoport-part")).unwrap();
    fs::create_dir(world.real(".c.twoport-part")).unwrap();
    for name in ["a", "b", "c"] {
        world.put(name, Placement::Replace, "new").await;
        assert_eq!(world.text(name), "new");
    }
    assert_eq!(world.text("precious"), "precious");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_uploads_to_one_name_never_mix() {
    let world = Arc::new(World::new());
    let tasks: Vec<_> = (0..8)
        .map(|number| {
            let world = Arc::clone(&world);
            tokio::spawn(async move {
                for round in 0..100 {
                    let upload = world.begin("a", Placement::Replace, &number.to_string().repeat(100)).await;
                    match round % 3 {
                        0 => cut(upload).await.unwrap(),
                        _ => commit(upload).await.unwrap(),
                    }
                    let text = world.text("a");
                    assert!(text.len() == 100 && text.bytes().all(|b| b == text.as_bytes()[0]), "{text}");
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(world.on_disk(""), ["a"]);
}

#[tokio::test]
async fn working_names_are_neither_seen_nor_reached() {
    let world = World::new();
    let upload = world.begin("a", Placement::Replace, "bytes").await;
    assert!(world.listed("").await.is_empty());
    let hidden = path(".a.twoport-part");
    assert_eq!(world.read_failure(".a.twoport-part").await, Some(Failure::NotFound));
    assert_eq!(world.store.stat(&hidden, Links::Show).await.unwrap_err().failure, Failure::NotFound);
    assert_eq!(world.store.remove(&hidden).await.unwrap_err().failure, Failure::NotFound);
    assert_eq!(world.store.rename(&hidden, &path("b")).await.unwrap_err().failure, Failure::NotFound);
    assert_eq!(world.store.change(&hidden, Change::default()).await.unwrap_err().failure, Failure::NotFound);
    assert_eq!(world.store.make_dir(&hidden).await.unwrap_err().failure, Failure::BadName);
    assert_eq!(world.store.symlink(b"x", &hidden).await.unwrap_err().failure, Failure::BadName);
    assert_eq!(world.store.rename(&path("a"), &hidden).await.unwrap_err().failure, Failure::BadName);
    symlink(".a.twoport-part", world.real("link")).unwrap();
    for placement in
        [Placement::Replace, Placement::New, Placement::Append, Placement::At(1), Placement::Unique]
    {
        assert_eq!(world.write_failure(".a.twoport-part", placement).await, Some(Failure::BadName));
    }
    for placement in [Placement::Replace, Placement::Append, Placement::At(1)] {
        assert_eq!(world.write_failure("link", placement).await, Some(Failure::BadName));
    }
    commit(upload).await.unwrap();
}

#[tokio::test]
async fn leftovers_do_not_keep_a_folder_and_running_uploads_do() {
    let world = World::new();
    fs::create_dir(world.real("folder")).unwrap();
    fs::write(world.real("folder/.a.twoport-part"), "left over").unwrap();
    fs::write(world.real("folder/.a.twoport-part-17"), "left over").unwrap();
    let upload = world.begin("folder/b", Placement::Replace, "").await;
    assert_eq!(world.store.remove_dir(&path("folder")).await.unwrap_err().failure, Failure::Busy);
    cut(upload).await.unwrap();
    fs::write(world.real("folder/.a.twoport-part"), "left over").unwrap();
    fs::write(world.real("folder/c"), "").unwrap();
    assert_eq!(world.store.remove_dir(&path("folder")).await.unwrap_err().failure, Failure::NotEmpty);
    assert_eq!(world.on_disk("folder").len(), 2);
    fs::remove_file(world.real("folder/c")).unwrap();
    world.store.remove_dir(&path("folder")).await.unwrap();
    assert!(!world.real("folder").exists());
}

#[tokio::test]
async fn a_replaced_file_keeps_its_permissions_and_new_ones_heed_the_umask() {
    let world = World::with(LocalOptions { umask: 0o027, ..LocalOptions::default() });
    world.put("new", Placement::Replace, "").await;
    world.put("appended", Placement::Append, "").await;
    world.put("unique", Placement::Unique, "").await;
    world.store.make_dir(&path("folder")).await.unwrap();
    for name in ["new", "appended", "unique"] {
        assert_eq!(mode(world.real(name)), 0o640, "{name}");
    }
    assert_eq!(mode(world.real("folder")), 0o750);
    fs::write(world.real("old"), "").unwrap();
    fs::set_permissions(world.real("old"), fs::Permissions::from_mode(0o606)).unwrap();
    let upload = world.begin("old", Placement::Replace, "new").await;
    assert_eq!(mode(world.real(".old.twoport-part")), 0o600, "no wider than the old one while it waits");
    commit(upload).await.unwrap();
    assert_eq!(mode(world.real("old")), 0o606);
    let upload = world.begin("old", Placement::Replace, "kept").await;
    fs::remove_file(world.real("old")).unwrap();
    cut(upload).await.unwrap();
    assert_eq!((world.text("old").as_str(), mode(world.real("old"))), ("kept", 0o640));
}

#[tokio::test]
async fn root_gives_a_replaced_file_to_its_owner() {
    if !rustix::process::geteuid().is_root() {
        return eprintln!("skipped: only root may give files away");
    }
    let world = World::new();
    fs::write(world.real("old"), "").unwrap();
    std::os::unix::fs::chown(world.real("old"), Some(12_345), Some(54_321)).unwrap();
    world.put("old", Placement::Replace, "new").await;
    let now = fs::metadata(world.real("old")).unwrap();
    assert_eq!((now.uid(), now.gid()), (12_345, 54_321));
    let entry = world.store.stat(&path("old"), Links::Follow).await.unwrap();
    assert_eq!((entry.owner.as_deref(), entry.group.as_deref()), (Some("12345"), Some("54321")));
}

#[tokio::test]
async fn what_may_not_be_written_is_not_replaced() {
    if is_root() {
        return;
    }
    let world = World::new();
    fs::write(world.real("read-only"), "kept").unwrap();
    fs::set_permissions(world.real("read-only"), fs::Permissions::from_mode(0o444)).unwrap();
    for placement in [Placement::Replace, Placement::At(0), Placement::At(1), Placement::Append] {
        assert_eq!(world.write_failure("read-only", placement).await, Some(Failure::Denied), "{placement:?}");
    }
    let access = world.store.stat(&path("read-only"), Links::Follow).await.unwrap().access;
    assert!(access.read && !access.write);
    fs::create_dir(world.real("names-only")).unwrap();
    fs::write(world.real("names-only/a"), "").unwrap();
    fs::set_permissions(world.real("names-only"), fs::Permissions::from_mode(0o444)).unwrap();
    let listed = world.listed("names-only").await;
    assert_eq!((listed.len(), listed[0].kind, listed[0].access.read), (1, Kind::Other, false));
    fs::set_permissions(world.real("names-only"), fs::Permissions::from_mode(0o755)).unwrap();
}

#[tokio::test]
async fn a_folder_that_takes_the_name_meanwhile_is_safe() {
    let world = World::new();
    let upload = world.begin("a", Placement::Replace, "bytes").await;
    fs::create_dir(world.real("a")).unwrap();
    assert_eq!(commit(upload).await.unwrap_err().failure, Failure::IsDirectory);
    assert_eq!(world.on_disk(""), ["a"]);
}

#[tokio::test]
async fn a_placeholder_that_somebody_replaced_is_not_ours_any_more() {
    let world = World::new();
    let upload = world.begin("a", Placement::Unique, "half").await;
    world.put("a", Placement::Replace, "theirs").await;
    cut(upload).await.unwrap();
    assert_eq!(world.text("a"), "theirs");
    assert_eq!(world.on_disk(""), ["a"]);
}

#[tokio::test]
async fn endings_that_are_never_awaited_are_cuts() {
    let world = World::new();
    fs::write(world.real("old"), "old").unwrap();
    for name in ["old", "new"] {
        let upload = world.begin(name, Placement::Replace, "half").await;
        drop(upload.commit.commit(upload.sink));
    }
    assert_eq!((world.text("old"), world.text("new")), ("old".into(), "half".into()));
    assert_eq!(world.on_disk(""), ["new", "old"]);
}

#[tokio::test]
async fn a_cut_drops_what_was_written_but_not_counted() {
    let world = World::new();
    let mut upload = world.begin("a", Placement::Replace, "0123456789").await;
    if let twoport_pipe::Sink::File { at, .. } = &mut upload.sink {
        *at = 4;
    }
    cut(upload).await.unwrap();
    assert_eq!(world.text("a"), "0123");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_thousand_names_come_sorted_and_in_batches() {
    let world = World::new();
    for number in 0..5_000 {
        fs::write(world.real(&format!("{number}")), "").unwrap();
    }
    let mut folder = world.store.list(&FtpPath::root(), Order::ByName).await.unwrap();
    let mut names = Vec::new();
    loop {
        let batch = folder.next(300).await.unwrap();
        if batch.is_empty() {
            break;
        }
        assert!(batch.len() <= 300);
        if names.is_empty() {
            fs::remove_file(world.real("999")).unwrap();
        }
        names.extend(batch.into_iter().map(|entry| entry.name));
    }
    assert_eq!(names.len(), 4_999, "what vanished is left out");
    assert!(names.is_sorted());
    assert!(folder.next(1).await.unwrap().is_empty(), "the end stays the end");
}

#[tokio::test]
async fn beyond_the_bound_names_stream_and_none_is_lost() {
    let world = World::new();
    for number in 0..1_000 {
        fs::write(world.real(&format!("{number:04}")), "").unwrap();
    }
    fs::write(world.real(".a.twoport-part"), "").unwrap();
    let opened = fs::File::open(world.real("")).unwrap();
    let mut folder = LocalFolder::open(opened.into(), Arc::clone(world.store.identity()), 300).unwrap();
    let mut names = Vec::new();
    loop {
        let batch = folder.next(7).await.unwrap();
        if batch.is_empty() {
            break;
        }
        names.extend(batch.into_iter().map(|entry| entry.name));
    }
    assert!(names[..300].is_sorted() && !names.is_sorted());
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 1_000);
}

#[tokio::test]
async fn a_folder_whose_names_all_vanish_ends() {
    let world = World::new();
    for number in 0..500 {
        fs::write(world.real(&format!("{number}")), "").unwrap();
    }
    let mut folder = world.store.list(&FtpPath::root(), Order::ByName).await.unwrap();
    assert_eq!(folder.next(10).await.unwrap().len(), 10);
    for number in 0..500 {
        fs::remove_file(world.real(&format!("{number}"))).unwrap();
    }
    // Some were looked at before; nothing else is told.
    let mut more = 0;
    loop {
        match folder.next(10).await.unwrap().len() {
            0 => break,
            some => more += some,
        }
    }
    assert!(more <= 30, "{more}");
}

#[tokio::test]
async fn a_folder_whose_first_names_vanish_goes_on() {
    let world = World::new();
    for number in 1_000..2_000 {
        fs::write(world.real(&format!("{number}")), "").unwrap();
    }
    let mut folder = world.store.list(&FtpPath::root(), Order::ByName).await.unwrap();
    // Names that the folder has told by now, and that are no more when they are looked at: as many as one look takes, and more.
    let mut taken = 0;
    let first = folder.next(64);
    for number in 1_000..1_200 {
        taken += u32::from(fs::remove_file(world.real(&format!("{number}"))).is_ok());
    }
    assert_eq!(taken, 200);
    let mut listed = first.await.unwrap().len();
    assert_ne!(listed, 0);
    loop {
        match folder.next(64).await.unwrap().len() {
            0 => break,
            some => listed += some,
        }
    }
    assert!(listed >= 800, "{listed}");
}

#[tokio::test]
async fn names_of_the_disk_are_bytes() {
    let world = World::new();
    let names = [&b"\n"[..], b"\r\n", b" ", b"\"", b"\xff\xfe"];
    for name in names {
        fs::write(world.real("").join(std::ffi::OsString::from_vec(name.to_vec())), "").unwrap();
    }
    let mut sorted: Vec<_> = names.iter().map(|name| name.to_vec()).collect();
    sorted.sort();
    let listed: Vec<_> = world.listed("").await.into_iter().map(|entry| entry.name).collect();
    assert_eq!(listed, sorted);
    assert!(world.real("").join(std::ffi::OsStr::from_bytes(b"\xff\xfe")).exists());
}

#[tokio::test]
async fn the_longest_name_uploads_and_a_longer_one_is_a_bad_name() {
    let world = World::new();
    let longest = "x".repeat(255);
    world.put(&longest, Placement::Replace, "long").await;
    world.put(&longest, Placement::Unique, "longer").await;
    let shortened = format!("{}.1", "x".repeat(253));
    assert_eq!((world.text(&longest), world.text(&shortened)), ("long".into(), "longer".into()));
    assert_eq!(world.on_disk("").len(), 2);
    for placement in
        [Placement::Replace, Placement::New, Placement::Append, Placement::At(1), Placement::Unique]
    {
        assert_eq!(
            world.write_failure(&"x".repeat(256), placement).await,
            Some(Failure::BadName),
            "{placement:?}"
        );
    }
    assert_eq!(world.store.make_dir(&path(&"x".repeat(256))).await.unwrap_err().failure, Failure::BadName);
}

#[tokio::test]
async fn links_are_listed_as_links_with_all_facts() {
    let world = World::new();
    symlink("/somewhere", world.real("link")).unwrap();
    fs::write(world.real("file"), "12345").unwrap();
    fs::hard_link(world.real("file"), world.real("second")).unwrap();
    let entries = world.listed("").await;
    assert_eq!(entries[1].target.as_deref(), Some(&b"/somewhere"[..]));
    assert_eq!(entries[1].kind, Kind::Link);
    let (file, second, told) = (&entries[0], &entries[2], fs::metadata(world.real("file")).unwrap());
    assert_eq!(file.unique, second.unique);
    assert_eq!(file.unique, Some((told.dev(), told.ino())));
    assert_eq!((file.size, file.links, file.mode), (5, Some(2), Some(told.mode() & 0o7777)));
    assert_eq!(file.modified.unwrap().seconds, told.mtime());
    assert!(file.owner.is_some() && file.access.read);
}

#[tokio::test]
async fn times_keep_their_nanoseconds_and_modes_follow_links_inside() {
    let world = World::new();
    fs::create_dir(world.real("folder")).unwrap();
    fs::write(world.real("folder/file"), "").unwrap();
    symlink("/folder/file", world.real("link")).unwrap();
    let moment = Moment { seconds: -5, nanos: 123_456_789 };
    let change = Change { modified: Some(moment), mode: Some(0o400), ..Change::default() };
    world.store.change(&path("link"), change).await.unwrap();
    let told = fs::metadata(world.real("folder/file")).unwrap();
    assert_eq!((told.mtime(), told.mtime_nsec(), told.mode() & 0o7777), (-5, 123_456_789, 0o400));
    assert_ne!(told.atime(), -5);
    world.store.change(&path("folder"), Change { mode: Some(0o700), ..Change::default() }).await.unwrap();
    assert_eq!(mode(world.real("folder")), 0o700);
    mkfifoat(CWD, world.real("pipe"), Mode::from_raw_mode(0o666)).unwrap();
    world.store.change(&path("pipe"), Change { mode: Some(0o600), ..Change::default() }).await.unwrap();
    assert_eq!(mode(world.real("pipe")), 0o600);
}

#[tokio::test]
async fn the_lock_of_a_finished_upload_is_gone() {
    let world = World::new();
    world.put("a", Placement::Replace, "bytes").await;
    flock(fs::File::open(world.real("a")).unwrap(), FlockOperation::NonBlockingLockExclusive).unwrap();
}

#[test]
fn a_root_that_is_missing_or_a_file_is_said_so() {
    let world = World::new();
    fs::write(world.real("file"), "").unwrap();
    let open = |name| Local::open(&world.real(name), LocalOptions::default()).map(drop).unwrap_err().failure;
    assert_eq!(open("nothing"), Failure::NotFound);
    assert_eq!(open("file"), Failure::NotDirectory);
}

#[tokio::test]
async fn space_is_what_df_says_is_available() {
    let world = World::new();
    let space = world.store.space(&FtpPath::root()).await.unwrap();
    let total = rustix::fs::statvfs(world.folder.path()).unwrap();
    assert!(space <= total.f_blocks * total.f_frsize);
}
