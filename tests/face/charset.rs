//! `--charset`: names that are not UTF-8, shown, typed, fetched, stored and mirrored both ways. Our server keeps names as the
//! bytes that they are.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::client::run_in;
use crate::sockets::house::House;
use crate::support::files::room;

/// A charset, a file's name in it, a folder's, and both as text.
type Case = (&'static str, &'static [u8], &'static [u8], &'static str, &'static str);

const CASES: [Case; 2] = [
    ("latin1", b"caf\xe9", b"\xfcber", "café", "über"),
    // The second byte of the first letter is a backslash, of the last one a letter.
    ("shift_jis", b"\x95\x5c\x8e\xa6", b"\x83\x65\x83\x58\x83\x67", "表示", "テスト"),
];

fn below(folder: &Path, parts: &[&[u8]]) -> PathBuf {
    parts.iter().fold(folder.to_owned(), |path, part| path.join(OsStr::from_bytes(part)))
}

struct Desk {
    house: House,
    folder: tempfile::TempDir,
    charset: &'static str,
}

impl Desk {
    fn new(charset: &'static str) -> Desk {
        Desk { house: House::open(), folder: tempfile::tempdir_in(room()).unwrap(), charset }
    }

    fn url(&self, path: &str) -> String {
        format!("ftp://anna:secret@{}/{path}", self.house.address)
    }

    /// It ends well; what it printed.
    #[track_caller]
    fn done(&self, args: &[&str]) -> String {
        let args = [args, &["--charset", self.charset]].concat();
        let output = run_in(self.folder.path(), &args);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{args:?}: {said}");
        String::from_utf8(output.stdout).expect("all that is printed is UTF-8")
    }
}

#[test]
fn names_are_shown_and_typed_as_text_and_stay_bytes_at_the_server() {
    for (charset, file, folder, file_text, folder_text) in CASES {
        let desk = Desk::new(charset);
        let there = below(&desk.house.path(""), &[folder]);
        fs::create_dir(&there).unwrap();
        fs::write(below(&there, &[file]), "hello").unwrap();

        assert_eq!(desk.done(&["ls", &desk.url("")]), format!("{folder_text}\n"));
        let all = desk.done(&["ls", "-R", &desk.url("")]);
        assert_eq!(all, format!("{folder_text}\n{folder_text}/{file_text}\n"));
        let typed = desk.url(&format!("{folder_text}/{file_text}"));
        assert_eq!(desk.done(&["cat", &typed]), "hello");
        let json = desk.done(&["ls", "--json", &desk.url(folder_text)]);
        assert!(json.contains(&format!("\"name\":\"{file_text}\"")), "{json}");
        assert!(json.contains("\"raw_name\":\"") && json.contains('%'), "{json}");
        assert!(desk.done(&["stat", &typed]).ends_with(&format!("{file_text}\n")));

        desk.done(&["get", &typed]);
        assert_eq!(fs::read(desk.folder.path().join(file_text)).unwrap(), b"hello");
        desk.done(&["mv", &typed, &format!("{folder_text}/{file_text}2")]);
        desk.done(&["put", file_text, &desk.url(&format!("{folder_text}/"))]);
        let mut names: Vec<_> =
            fs::read_dir(&there).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        let second = [file, b"2"].concat();
        assert_eq!(names, [OsStr::from_bytes(file), OsStr::from_bytes(&second)]);
        desk.done(&["rm", &typed]);
        desk.done(&["mkdir", &desk.url(file_text)]);
        assert!(below(&desk.house.path(""), &[file]).is_dir());
        desk.done(&["rmdir", &desk.url(file_text)]);
    }
}

#[test]
fn a_tree_goes_up_and_comes_down_again() {
    for (charset, file, folder, file_text, folder_text) in CASES {
        let desk = Desk::new(charset);
        let here = desk.folder.path().join("here").join(folder_text);
        fs::create_dir_all(&here).unwrap();
        fs::write(here.join(file_text), "hello").unwrap();
        fs::write(here.join("plain"), "text").unwrap();

        desk.done(&["mirror", "here", &desk.url("there")]);
        assert_eq!(fs::read(below(&desk.house.path(""), &[b"there", folder, file])).unwrap(), b"hello");
        // What was just copied is the same, in whichever words it is named.
        assert_eq!(desk.done(&["mirror", "here", &desk.url("there"), "--delete"]), "nothing to do\n");

        // A name that is in UTF-8 there although the others are not.
        fs::write(below(&desk.house.path(""), &[b"there", "naïve 日".as_bytes()]), "odd").unwrap();
        desk.done(&["mirror", &desk.url("there"), "back"]);
        let back = desk.folder.path().join("back");
        assert_eq!(fs::read(back.join(folder_text).join(file_text)).unwrap(), b"hello");
        assert_eq!(fs::read(back.join("naïve 日")).unwrap(), b"odd");
        let again = desk.done(&["mirror", &desk.url("there"), "back", "--delete", "--dry-run"]);
        assert_eq!(again, "nothing to do\n");
    }
}

#[test]
fn without_a_charset_a_name_that_is_no_text_is_its_bytes() {
    let desk = Desk::new("utf-8");
    fs::write(below(&desk.house.path(""), &[b"caf\xe9"]), "hello").unwrap();
    // A script has the bytes, and may type them either way.
    assert_eq!(run_in(desk.folder.path(), &["ls", &desk.url("")]).stdout, b"caf\xe9\n");
    assert_eq!(desk.done(&["cat", &desk.url("caf%E9")]), "hello");
    let json = desk.done(&["ls", "--json", &desk.url("")]);
    assert!(json.contains(r#""name":"caf%E9","raw_name":"caf%E9""#), "{json}");
    // What is UTF-8 has no bytes beside it.
    fs::rename(below(&desk.house.path(""), &[b"caf\xe9"]), below(&desk.house.path(""), &["é".as_bytes()]))
        .unwrap();
    let json = desk.done(&["ls", "--json", &desk.url("")]);
    assert!(json.contains(r#""name":"é""#) && !json.contains("raw_name"), "{json}");
}

#[test]
fn a_charset_that_there_is_not_and_a_letter_that_is_not_in_it_are_sentences() {
    let desk = Desk::new("utf-8");
    for (charset, path, says) in [
        ("klingon", "a", "no charset is called"),
        ("utf-16", "a", "keep ASCII"),
        ("latin1", "漢", "cannot be written in"),
    ] {
        let output = run_in(desk.folder.path(), &["ls", "--charset", charset, &desk.url(path)]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(says), "{said}");
    }
}
