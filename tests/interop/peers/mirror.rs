//! `twoport mirror` with every server, in both directions.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use super::bench::Bench;
use super::suite::{ODD, fate};
use super::table::{Can, Peer};

/// What lies below a folder: the bytes of files, nothing for folders.
fn holds(root: &Path) -> BTreeMap<String, Option<Vec<u8>>> {
    let (mut found, mut folders) = (BTreeMap::new(), vec![root.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let name = path.strip_prefix(root).expect("it lies below").to_string_lossy().into_owned();
            if path.is_dir() {
                found.insert(name, None);
                folders.push(path);
            } else {
                found.insert(name, Some(fs::read(path).expect("a file")));
            }
        }
    }
    found
}

/// The one is like the other; else it is told which are not.
#[track_caller]
fn alike(copy: &Path, tree: &Path) {
    let (copy, tree) = (holds(copy), holds(tree));
    let len = |bytes: Option<&Option<Vec<u8>>>| bytes.map(|bytes| bytes.as_ref().map(Vec::len));
    let names = copy.keys().chain(tree.keys()).filter(|name| copy.get(*name) != tree.get(*name));
    let differ: Vec<_> = names.map(|name| (name, len(copy.get(name)), len(tree.get(name)))).collect();
    assert!(differ.is_empty(), "the copy differs: {differ:?}");
}

fn set_time(path: &Path, seconds: u64) {
    let file = fs::File::options().write(true).open(path).expect("it is there");
    file.set_modified(UNIX_EPOCH + Duration::from_secs(seconds)).expect("its time can be set");
}

/// The tree of both tests, by the means of one side; gives how many files it has. Names that the server does not take are
/// left out: those are a test of their own.
fn fill(can: &Can, write: impl Fn(&str, usize), folder: impl Fn(&str)) -> usize {
    let names: Vec<&&str> = ODD.iter().filter(|name| fate(can.not_names, name).is_none()).collect();
    for name in &names {
        write(&format!("tree/{name}"), 3000);
        write(&format!("tree/sub folder/deeper/{name}"), 20_000);
    }
    write("tree/empty", 0);
    folder("tree/nothing in it");
    2 * names.len() + 1
}

pub(super) fn down(peer: &Peer) {
    let Some(bench) = Bench::with(peer) else { return };
    let files = fill(
        &bench.can,
        |name, len| _ = bench.offers(name, len),
        |name| {
            fs::create_dir(bench.there(name)).expect("a folder can be made");
            bench.place.hand_over(&bench.there(name));
        },
    );
    set_time(&bench.there("tree/empty"), 1_000_000_007);
    let (tree, url) = (bench.there("tree"), bench.url("tree"));
    let (out, _) = bench.ends(&["mirror", &url, "copy", "--dry-run"], 0);
    assert!(out.contains(&format!("{files} files would be copied")), "{out}");
    assert!(!bench.here("copy").exists());
    let (out, _) = bench.ends(&["mirror", &url, "copy"], 0);
    assert!(out.contains(&format!("{files} files copied")), "{out}");
    alike(&bench.here("copy"), &tree);
    let time = fs::metadata(bench.here("copy/empty")).and_then(|data| data.modified()).expect("it is there");
    assert_eq!(time, UNIX_EPOCH + Duration::from_secs(1_000_000_007));
    assert_eq!(bench.ends(&["mirror", &url, "copy"], 0).0, "nothing to do\n");

    bench.has("copy/extra", 10);
    bench.has("copy/old/deep/x", 10);
    let (out, _) = bench.ends(&["mirror", &url, "copy", "--delete", "--dry-run"], 0);
    assert!(out.contains("remove extra") && bench.here("copy/extra").exists(), "{out}");
    bench.ends(&["mirror", &url, "copy", "--delete"], 0);
    alike(&bench.here("copy"), &tree);
    let total = bench.json(&["mirror", &url, "copy", "--delete"]);
    assert_eq!((&total[0]["copied"], &total[0]["removed"]), (&0.into(), &0.into()), "{total:?}");
}

pub(super) fn up(peer: &Peer) {
    let Some(bench) = Bench::with(peer) else { return };
    let files = fill(
        &bench.can,
        |name, len| _ = bench.has(name, len),
        |name| fs::create_dir(bench.here(name)).expect("it can be made"),
    );
    let (tree, url) = (bench.here("tree"), bench.url("in here/copy"));
    let (out, _) = bench.ends(&["mirror", "tree", &url, "--dry-run"], 0);
    assert!(out.contains(&format!("{files} files would be copied")), "{out}");
    assert!(!bench.there("in here").exists());
    let (out, _) = bench.ends(&["mirror", "tree", &url], 0);
    assert!(out.contains(&format!("{files} files copied")), "{out}");
    alike(&bench.there("in here/copy"), &tree);
    assert_eq!(bench.ends(&["mirror", "tree", &url], 0).0, "nothing to do\n");

    bench.offers("in here/copy/extra", 10);
    bench.offers("in here/copy/old/deep/x", 10);
    let (out, _) = bench.ends(&["mirror", "tree", &url, "--delete", "--dry-run"], 0);
    assert!(out.contains("remove extra") && bench.there("in here/copy/extra").exists(), "{out}");
    bench.ends(&["mirror", "tree", &url, "--delete"], 0);
    alike(&bench.there("in here/copy"), &tree);
    let total = bench.json(&["mirror", "tree", &url, "--delete"]);
    assert_eq!((&total[0]["copied"], &total[0]["removed"]), (&0.into(), &0.into()), "{total:?}");
}
