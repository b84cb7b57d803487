//! What our client must do with every server: each function is one test of each.

use std::fs;
use std::os::unix::fs::FileExt;
use std::sync::PoisonError;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use super::bench::Bench;
use super::table::{Fate, NotTaken, Peer};
use crate::support::files::{self, hash, large as large_file, large_turn, link_large, quick, same};

/// How long the large file may take one way.
const LARGE_LIMIT: Duration = Duration::from_secs(240);

/// What stands in the way of clients and servers: blanks, quotes, letters that mean something to somebody, long ones.
pub(super) const ODD: &[&str] = &[
    "two words.bin",
    "  leading blanks.bin",
    "trailing blank ",
    "it's \"quoted\".bin",
    "Grüße 日本 😀.bin",
    "-dash.bin",
    "--help",
    "[x]*.bin",
    "{a,b}?.bin",
    "100% %41%s.bin",
    "back\\slash.bin",
    "~tilde",
    "#a;type=i&b=c.bin",
    "...",
    LONG,
];

/// 204 bytes.
const LONG: &str = "a name that is so long that it does not fit into a line of a terminal, nor into two, and that a server with \
a buffer of a hundred bytes would cut somewhere in the middle or at its end, and so on until it ends.bin";

/// ls, stat, cat, get, put, hash, mv, mkdir, rmdir, rm, by the ladder and in each mode, over each family.
pub(super) fn every_command(peer: &Peer) {
    let Some(bench) = Bench::with(peer) else { return };
    for at in bench.at.clone() {
        for (mode, roads) in [
            (None, &["EPSV", "PASV"][..]),
            (Some("--passive"), &["EPSV", "PASV"]),
            (Some("--active"), &["active"]),
        ] {
            let url = |path: &str| bench.url_at(at, path);
            let with =
                |args: &[&str]| args.iter().copied().chain(mode).map(str::to_owned).collect::<Vec<_>>();
            let json = |args: &[&str]| {
                let args = with(args);
                bench.json(&args.iter().map(String::as_str).collect::<Vec<_>>())
            };
            let file = bench.has("up.bin", 300_001);
            let put = json(&["put", "up.bin", &url("up.bin")]);
            assert_eq!(put[0]["bytes"], 300_001, "{put:?}");
            assert!(roads.contains(&put[0]["road"].as_str().expect("a road")), "{mode:?} {put:?}");
            same(&bench.there("up.bin"), &file);

            let got = json(&["get", &url("up.bin"), "-o", "down.bin"]);
            assert_eq!((&got[0]["bytes"], &got[0]["confirmed"]), (&300_001.into(), &true.into()), "{got:?}");
            assert!(roads.contains(&got[0]["road"].as_str().expect("a road")), "{mode:?} {got:?}");
            same(&bench.here("down.bin"), &file);
            let cat = bench.run(&["cat", "--quiet", &url("up.bin")], Duration::from_secs(60));
            assert!(cat.code == Some(0) && cat.out == file, "cat: {}", cat.err);

            let listed = json(&["ls", &url("")]);
            assert_eq!(listed.len(), 1, "{listed:?}");
            is_file(&listed[0], "up.bin", 300_001);
            assert_eq!(bench.ends(&["ls", &url("")], 0).0, "up.bin\n");
            let stat = json(&["stat", &url("up.bin")]);
            is_file(&stat[0], "up.bin", 300_001);

            match bench.can.hash {
                Ok(()) => {
                    let hash = json(&["hash", &url("up.bin")]);
                    assert!(hash[0]["hash"].as_str().is_some_and(|hash| hash.len() >= 8), "{hash:?}");
                }
                Err(_) => {
                    let (_, said) = bench.ends(&["hash", &url("up.bin")], 3);
                    assert!(said.contains("the server offers no hash"), "{said}");
                }
            }

            json(&["mkdir", &url("a folder")]);
            assert!(bench.there("a folder").is_dir());
            json(&["mv", &url("up.bin"), "a folder/moved"]);
            same(&bench.there("a folder/moved"), &file);
            let listed = json(&["ls", &url("a folder/")]);
            is_file(&listed[0], "moved", 300_001);
            let stat = json(&["stat", &url("a folder")]);
            assert_eq!((&stat[0]["name"], &stat[0]["type"]), (&"a folder".into(), &"dir".into()));
            json(&["rm", &url("a folder/moved")]);
            json(&["rmdir", &url("a folder")]);
            assert_eq!(fs::read_dir(bench.place.root()).expect("it is there").count(), 0);
        }
    }
    assert_eq!(bench.left(), ["down.bin", "up.bin"], "nothing else is left behind");
}

#[track_caller]
fn is_file(entry: &Value, name: &str, size: u64) {
    let told = (&entry["name"], &entry["type"], &entry["size"]);
    assert_eq!(told, (&name.into(), &"file".into(), &size.into()), "{entry}");
}

/// get and put go on where they were cut, and put appends.
pub(super) fn cut(peer: &Peer) {
    let Some(bench) = Bench::with(peer) else { return };
    let file = bench.offers("a", 500_000);
    fs::write(bench.here("a.part"), &file[..200_000]).expect("a file can be written");
    let got = bench.json(&["get", "--resume", &bench.url("a")]);
    assert_eq!(got[0]["bytes"], 300_000);
    same(&bench.here("a"), &file);

    bench.offers("b", 0);
    fs::write(bench.there("b"), &file[..100_000]).expect("a file can be written");
    let put = bench.json(&["put", "--resume", "a", &bench.url("b")]);
    let all_or_rest = if bench.can.resume_store.is_ok() { 400_000 } else { 500_000 };
    assert_eq!(put[0]["bytes"], all_or_rest, "it goes on, or begins anew where the server cannot");
    same(&bench.there("b"), &file);

    fs::write(bench.here("tail"), b"the tail").expect("a file can be written");
    let append = ["put", "--append", "tail", &bench.url("b")];
    match bench.can.resume_store {
        Ok(()) => {
            bench.ends(&append, 0);
            same(&bench.there("b"), &[&file[..], b"the tail"].concat());
        }
        // Nothing else does what was asked for.
        Err(_) => {
            let (_, said) = bench.ends(&append, 3);
            assert!(said.contains("the server refused: 451 b: Append/Restart not permitted"), "{said}");
            same(&bench.there("b"), &file);
        }
    }
}

/// More than 4 GiB: sizes are told, and a fetch goes on behind so much.
pub(super) fn huge(peer: &Peer) {
    const HUGE: u64 = (5 << 30) + 7;
    let Some(bench) = Bench::with(peer) else { return };
    bench.offers("huge", 0);
    let sparse = |path, len| {
        let file = fs::File::options().create(true).truncate(false).write(true).open(path).expect("a file");
        file.set_len(len).expect("a file system with holes");
        file
    };
    sparse(bench.there("huge"), HUGE).write_all_at(b"the end", HUGE - 7).expect("it can be written");
    sparse(bench.here("huge.part"), HUGE - 1000);
    is_file(&bench.json(&["ls", &bench.url("")])[0], "huge", HUGE);
    is_file(&bench.json(&["stat", &bench.url("huge")])[0], "huge", HUGE);
    assert_eq!(bench.json(&["get", "--resume", &bench.url("huge")])[0]["bytes"], 1000);
    let (got, mut end) = (fs::File::open(bench.here("huge")).expect("it is there"), [0; 7]);
    got.read_exact_at(&mut end, HUGE - 7).expect("it has its size");
    assert_eq!((&end, got.metadata().expect("it is open").len()), (b"the end", HUGE));
}

/// A folder of many files, and links in it.
pub(super) fn many(peer: &Peer) {
    let Some(bench) = Bench::with(peer) else { return };
    for number in 0..3000 {
        files::write(&bench.there(&format!("many/file {number:04}")), b"");
    }
    let (out, _) = bench.ends(&["ls", &bench.url("many")], 0);
    let mut names: Vec<&str> = out.lines().collect();
    names.sort_unstable();
    assert!(names == (0..3000).map(|n| format!("file {n:04}")).collect::<Vec<_>>(), "{names:?}");

    let file = bench.offers("links/a", 1000);
    std::os::unix::fs::symlink("a", bench.there("links/b")).expect("a link can be made");
    std::os::unix::fs::symlink("nowhere", bench.there("links/c")).expect("a link can be made");
    let listed = bench.json(&["ls", &bench.url("links")]);
    let mut names: Vec<&str> = listed.iter().filter_map(|entry| entry["name"].as_str()).collect();
    names.sort_unstable();
    // A link to nothing is not there for some.
    assert!(names == ["a", "b", "c"] || names == ["a", "b"], "{listed:?}");
    bench.ends(&["get", &bench.url("links/b")], 0);
    same(&bench.here("b"), &file);
}

/// Every odd name, there and back, listed, told, renamed and removed, of a file and of a folder. What a server does not take
/// it must refuse, and nothing may come of it.
pub(super) fn odd_names(peer: &Peer) {
    let Some(bench) = Bench::with(peer) else { return };
    for name in ODD {
        match fate(bench.can.not_names, name) {
            None => odd_file(&bench, name),
            Some(fate) => {
                let file = bench.has(name, 10);
                let code = if matches!(fate, Fate::Refused) { 3 } else { 0 };
                let (_, said) = bench.ends(&["put", &format!("./{name}"), &bench.url("")], code);
                match fate {
                    Fate::Refused => assert!(said.contains("the server refused: 55"), "{said}"),
                    Fate::Becomes(other) => {
                        same(&bench.there(other), &file);
                        bench.ends(&["rm", &bench.url(other)], 0);
                    }
                }
            }
        }
        match fate(bench.can.not_folders, name) {
            None => odd_folder(&bench, name),
            Some(Fate::Refused) => {
                let (_, said) = bench.ends(&["mkdir", &bench.url(name)], 3);
                assert!(said.contains("the server refused: 55"), "{said}");
            }
            Some(Fate::Becomes(other)) => {
                bench.ends(&["mkdir", &bench.url(name)], 0);
                bench.ends(&["rmdir", &bench.url(other)], 0);
            }
        }
        fs::remove_file(bench.here(name)).expect("it is there");
        assert_eq!(fs::read_dir(bench.place.root()).expect("it is there").count(), 0, "after {name:?}");
    }
}

/// What comes of a name that the server does not take.
pub(super) fn fate(names: &[NotTaken], name: &str) -> Option<Fate> {
    names.iter().find(|cannot| cannot.name == name).map(|cannot| cannot.fate)
}

#[track_caller]
fn odd_file(bench: &Bench, name: &str) {
    let file = bench.has(name, 5000);
    let url = bench.url(name);
    bench.ends(&["put", &format!("./{name}"), &bench.url("")], 0);
    same(&bench.there(name), &file);
    assert_eq!(bench.ends(&["ls", &bench.url("")], 0).0, format!("{name}\n"));
    is_file(&bench.json(&["stat", &url])[0], name, 5000);
    fs::remove_file(bench.here(name)).expect("it is there");
    bench.ends(&["get", &url], 0);
    same(&bench.here(name), &file);
    bench.ends(&["mv", &url, "plain"], 0);
    same(&bench.there("plain"), &file);
    bench.ends(&["mv", &bench.url("plain"), "--", name], 0);
    same(&bench.there(name), &file);
    bench.ends(&["rm", &url], 0);
    assert!(!bench.there(name).exists());
}

#[track_caller]
fn odd_folder(bench: &Bench, name: &str) {
    let url = bench.url(name);
    bench.ends(&["mkdir", &url], 0);
    bench.ends(&["put", &format!("./{name}"), &bench.url(&format!("{name}/inner"))], 0);
    assert_eq!(bench.ends(&["ls", &bench.url(&format!("{name}/"))], 0).0, "inner\n", "in {name:?}");
    bench.ends(&["rm", &bench.url(&format!("{name}/inner"))], 0);
    assert_eq!(bench.ends(&["ls", &bench.url(&format!("{name}/"))], 0).0, "", "in {name:?}");
    bench.ends(&["rmdir", &url], 0);
}

/// A file of no bytes and a folder of no files.
pub(super) fn empty(peer: &Peer) {
    let Some(bench) = Bench::with(peer) else { return };
    assert_eq!(bench.ends(&["ls", &bench.url("")], 0).0, "");
    for mode in ["--passive", "--active"] {
        bench.has("nothing", 0);
        let put = bench.json(&["put", mode, "nothing", &bench.url("nothing")]);
        assert_eq!(put[0]["bytes"], 0);
        same(&bench.there("nothing"), b"");
        let got = bench.json(&["get", mode, &bench.url("nothing"), "-o", "got"]);
        assert_eq!(got[0]["bytes"], 0);
        same(&bench.here("got"), b"");
        is_file(&bench.json(&["stat", &bench.url("nothing")])[0], "nothing", 0);
        bench.ends(&["mkdir", &bench.url("empty")], 0);
        assert_eq!(bench.ends(&["ls", mode, &bench.url("empty/")], 0).0, "");
        bench.ends(&["rmdir", &bench.url("empty")], 0);
        bench.ends(&["rm", &bench.url("nothing")], 0);
        fs::remove_file(bench.here("got")).expect("it is there");
    }
}

/// A download has the time of the file; an upload too, where the server can.
pub(super) fn times(peer: &Peer) {
    let Some(bench) = Bench::with(peer) else { return };
    let then = UNIX_EPOCH + Duration::from_secs(1_000_000_007);
    let set = |path| {
        let file = fs::File::options().write(true).open(path).expect("it is there");
        file.set_modified(then).expect("its time can be set");
    };
    let time = |path| fs::metadata(path).and_then(|data| data.modified()).expect("it is there");
    bench.offers("old", 1000);
    set(bench.there("old"));
    bench.ends(&["get", &bench.url("old")], 0);
    assert_eq!(time(bench.here("old")), then);
    assert_eq!(bench.json(&["stat", &bench.url("old")])[0]["modified"], "2001-09-09T01:46:47Z");

    let before = SystemTime::now() - Duration::from_secs(10);
    bench.ends(&["put", "old", &bench.url("again")], 0);
    match bench.can.set_time {
        Ok(()) => assert_eq!(time(bench.there("again")), then),
        Err(why) => {
            assert!(time(bench.there("again")) > before, "it can after all, and the table says: {why}")
        }
    }
}

/// ls -l, ls -R and --json of a tree.
pub(super) fn listing(peer: &Peer) {
    let Some(bench) = Bench::with(peer) else { return };
    for name in ["a", "sub/b", "sub/deeper/c d", "z"] {
        bench.offers(name, 100 + name.len());
    }
    for mode in ["--passive", "--active"] {
        let (out, _) = bench.ends(&["ls", "-R", mode, &bench.url("")], 0);
        let mut names: Vec<&str> = out.lines().collect();
        names.sort_unstable();
        assert_eq!(names, ["a", "sub", "sub/b", "sub/deeper", "sub/deeper/c d", "z"]);
    }
    let mut entries = bench.json(&["ls", "-R", &bench.url("")]);
    entries.sort_by_key(|entry| entry["name"].to_string());
    assert_eq!(entries.len(), 6);
    is_file(&entries[0], "a", 101);
    assert_eq!((&entries[1]["type"], &entries[1]["size"]), (&"dir".into(), &Value::Null), "{entries:?}");
    is_file(&entries[4], "sub/deeper/c d", 114);
    let (long, _) = bench.ends(&["ls", "-l", &bench.url("sub/deeper")], 0);
    assert!(long.starts_with("file             114 20") && long.ends_with(" c d\n"), "{long}");
}

/// The codes that scripts branch on.
pub(super) fn exit_codes(peer: &Peer) {
    let Some(bench) = Bench::with(peer) else { return };
    let file = bench.offers("a", 1000);
    bench.offers("full/b", 10);
    let nothing = bench.url("nothing");
    for args in [&["get", &nothing][..], &["cat", &nothing], &["rm", &nothing], &["mv", &nothing, "x"]] {
        let (_, said) = bench.ends(args, 1);
        assert!(said.contains("nothing") && said.contains("550"), "{said}");
    }
    bench.ends(&["stat", &nothing], 1);
    bench.ends(&["ls", &bench.url("nothing/")], 1);
    bench.ends(&["rmdir", &bench.url("full")], 3);
    bench.ends(&["rmdir", &bench.url("a")], 3);
    bench.ends(&["mkdir", &bench.url("full")], 3);
    let wrong = format!("ftp://{}:wrong@{}/", super::table::USER, bench.at[0]);
    let (_, said) = bench.ends(&["ls", &wrong], 3);
    assert!(said.contains("530"), "{said}");
    bench.ends(&["get", &bench.url("a"), "-o", "no/such/folder/a"], 6);
    bench.ends(&["put", "nothing", &bench.url("b")], 6);
    bench.ends(&["ls", "--tls", "require", &bench.url("")], 5);
    let (_, said) = bench.ends(&["get", &bench.url("a"), &nothing], 7);
    assert!(said.contains("1 of 2 failed"), "{said}");
    same(&bench.here("a"), &file);
    assert_eq!(bench.left(), ["a"], "nothing is left of what failed");
    assert_eq!(fs::read_dir(bench.place.root()).expect("it is there").count(), 2);
}

/// 1 GiB, down and up.
pub(super) fn large(peer: &Peer) {
    if quick() {
        return;
    }
    let _turn = large_turn().lock().unwrap_or_else(PoisonError::into_inner);
    let Some(bench) = Bench::with(peer) else { return };
    link_large(&bench.place.root(), "big");
    let run = |args: &[&str]| {
        let ended = bench.run(args, LARGE_LIMIT);
        assert_eq!(ended.code, Some(0), "{}", ended.err);
    };
    run(&["get", &bench.url("big")]);
    assert!(hash(&bench.here("big")) == large_file().1, "what came down differs");
    run(&["put", "big", &bench.url("up")]);
    assert!(hash(&bench.there("up")) == large_file().1, "what went up differs");
}
