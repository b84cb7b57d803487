//! The examples of the library do what they say, with our server; and the README's is the one that is compiled.

use std::cell::RefCell;
use std::fs;

use super::house::wait;
use crate::sockets::house::House;
use crate::support::files::{bytes, room};

#[allow(dead_code, reason = "an example's main is for who runs it")]
#[path = "../../crates/client/examples/blocking.rs"]
mod blocking;
#[allow(dead_code, reason = "as above")]
#[path = "../../crates/client/examples/get_one_file.rs"]
mod get_one_file;
#[allow(dead_code, reason = "as above")]
#[path = "../../crates/client/examples/list_a_folder.rs"]
mod list_a_folder;
#[allow(dead_code, reason = "as above")]
#[path = "../../crates/client/examples/mirror_a_tree.rs"]
mod mirror_a_tree;
#[allow(dead_code, reason = "as above")]
#[path = "../../crates/client/examples/upload_with_progress.rs"]
mod upload_with_progress;

fn url(house: &House, path: &str) -> String {
    format!("ftp://anna:secret@{}/{path}", house.address)
}

#[test]
fn get_one_file_goes_on_where_it_was() {
    let (house, folder) = (House::open(), tempfile::tempdir_in(room()).unwrap());
    let file = bytes(300_000, 1);
    house.put("sub/a", &file);
    fs::write(folder.path().join("a.part"), &file[..100_000]).unwrap();
    let told = wait(get_one_file::run(&url(&house, "sub/a"), folder.path())).unwrap();
    assert!(told.ends_with("/a: 200000 bytes by EPSV"), "{told}");
    assert!(fs::read(folder.path().join("a")).unwrap() == file);
    let error = wait(get_one_file::run(&url(&house, "nothing"), folder.path())).unwrap_err();
    assert!(error.to_string().contains("550"), "{error}");
    wait(get_one_file::run(&url(&house, "sub/%2E%2E"), folder.path())).unwrap_err();
}

#[test]
fn list_a_folder_tells_what_is_there() {
    let house = House::open();
    house.put("a b", b"hello");
    house.put("sub/c", b"");
    let told = wait(list_a_folder::run(&url(&house, ""))).unwrap();
    assert_eq!(told, "           5 a b\n      folder sub\n");
}

#[test]
fn upload_with_progress_comes_to_a_hundred() {
    let (house, folder) = (House::open(), tempfile::tempdir_in(room()).unwrap());
    let file = bytes(5_000_000, 2);
    fs::write(folder.path().join("a"), &file).unwrap();
    let seen = RefCell::new(Vec::new());
    let tell = |percent| seen.borrow_mut().push(percent);
    let told = wait(upload_with_progress::run(&folder.path().join("a"), &url(&house, "b"), tell)).unwrap();
    assert_eq!(told, "5000000 bytes, as told by the server's Reply");
    assert!(house.holds("b") == file);
    let seen = seen.into_inner();
    assert!(seen.is_sorted() && seen.last() == Some(&100), "{seen:?}");
}

#[test]
fn mirror_a_tree_brings_it_here_once() {
    let (house, folder) = (House::open(), tempfile::tempdir_in(room()).unwrap());
    house.put("tree/a", b"hello");
    house.put("tree/sub/b", &bytes(100_000, 3));
    let here = folder.path().join("copy");
    let told = wait(mirror_a_tree::run(&url(&house, "tree"), &here)).unwrap();
    assert!(told.contains("copy sub/b: the target has no such file\n"), "{told}");
    assert!(told.ends_with("2 files copied, 0 failed\n"), "{told}");
    assert!(fs::read(here.join("sub/b")).unwrap() == bytes(100_000, 3));
    let again = wait(mirror_a_tree::run(&url(&house, "tree"), &here)).unwrap();
    assert_eq!(again, "0 files copied, 0 failed\n");
}

#[test]
fn blocking_says_what_is_known_of_a_file() {
    let house = House::open();
    house.put("a", b"hello");
    let told = blocking::run(&url(&house, "a")).unwrap();
    assert!(told.starts_with("5 bytes, SHA-256 2cf24dba"), "{told}");
    assert!(blocking::run(&url(&house, "nothing")).unwrap_err().to_string().contains("550"));
    let refused = blocking::run(&url(&house, "a").replace("ftp://", "ftps://")).unwrap_err();
    assert!(refused.to_string().contains("TLS") && !refused.to_string().contains("secret"), "{refused}");
}

#[test]
fn the_readme_shows_the_example_that_is_compiled() {
    let readme = include_str!("../../README.md");
    let shown = readme.split("```rust\n").nth(1).and_then(|rest| rest.split("```").next());
    let docs: String = include_str!("../../crates/client/src/lib.rs")
        .lines()
        .filter_map(|line| line.strip_prefix("//!"))
        .map(|line| line.strip_prefix(' ').unwrap_or(line))
        .filter(|line| !line.starts_with("# "))
        .map(|line| format!("{line}\n"))
        .collect();
    assert!(docs.contains(shown.expect("the README has an example")), "{docs}");
}
