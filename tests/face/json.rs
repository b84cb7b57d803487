//! `--json`, a promise to scripts: each command's objects with their keys and the kinds of their values.

use std::fs;

use serde_json::Value;

use super::client::Desk;

/// The objects that a command prints, each as its keys with the kinds of their values; what is a word is told as it is.
#[track_caller]
fn objects(desk: &Desk, args: &[&str], code: i32) -> Vec<String> {
    let (out, _) = desk.ends(&[args, &["--json"]].concat(), code);
    let kinds = |(key, value): (&String, &Value)| match value {
        Value::Number(number) if number.is_u64() => format!("{key}: whole"),
        Value::Number(_) => format!("{key}: number"),
        Value::String(text) if is_time(text) => format!("{key}: time"),
        // Words of a fixed list, and names.
        Value::String(text) if !text.contains(' ') && !text.contains(':') && text.len() < 20 => {
            format!("{key}: {text}")
        }
        Value::String(_) => format!("{key}: text"),
        other => format!("{key}: {other}"),
    };
    out.lines()
        .map(|line| {
            let object: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
            let fields = object.as_object().unwrap_or_else(|| panic!("no object: {line}"));
            fields.iter().map(kinds).collect::<Vec<_>>().join(", ")
        })
        .collect()
}

/// RFC 3339, in UTC.
fn is_time(text: &str) -> bool {
    let shape: String = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    shape == "0000-00-00T00:00:00Z"
}

#[test]
fn every_command_has_its_objects() {
    let desk = Desk::new();
    desk.house.put("a", b"hello");
    desk.house.put("sub/b", b"world!");
    fs::write(desk.here("c"), b"new").unwrap();
    let moved = |name: &str| {
        format!(
            "bytes: whole, confirmed: true, confirmed_by: reply, corrected: false, name: {name}, peer: text, \
             rate: whole, road: EPSV, seconds: number"
        )
    };
    let file = |name: &str| format!("modified: time, name: {name}, size: whole, type: file");
    let folder = "modified: time, name: sub, size: null, type: dir".to_owned();
    let step = |what: &str| {
        format!("bytes: whole, error: null, path: {what}, result: done, size: whole, step: copy, why: text")
    };
    let total = "bytes: whole, copied: whole, failed: whole, made: whole, rate: whole, removed: whole, \
                 result: done, seconds: number, skipped: whole, step: total"
        .to_owned();
    let made = "bytes: null, error: null, path: sub, result: done, size: null, step: make-folder, why: text";
    for (args, expected) in [
        (&["ls", &desk.url("")][..], vec![file("a"), folder]),
        (&["ls", "-R", &desk.url("sub")], vec![file("b")]),
        (&["stat", &desk.url("a")], vec![file("a")]),
        (&["hash", &desk.url("a")], vec!["algorithm: SHA-256, hash: text".to_owned()]),
        (&["get", &desk.url("a")], vec![moved("a")]),
        (&["put", "c", &desk.url("")], vec![moved("c")]),
        (&["rm", &desk.url("c")], vec![]),
        (
            &["mirror", &desk.url(""), "tree", "--parallel", "1"],
            vec![made.to_owned(), step("a"), step("sub/b"), total],
        ),
    ] {
        assert_eq!(objects(&desk, args, 0), expected, "{args:?}");
    }
}

#[test]
fn every_failure_has_its_object_and_its_sentence() {
    let desk = Desk::new();
    desk.house.put("a", b"x");
    let wrong = format!("ftp://anna:wrong@{}/", desk.house.address);
    for (args, code, cause) in [
        (&["stat", &desk.url("nothing")][..], 1, "not-found"),
        (&["ls", "http://example.org/"], 2, "usage"),
        (&["ls", &wrong], 3, "refused"),
        (&["ls", "ftp://no-such-host.invalid/"], 4, "unreachable"),
        (&["ls", "--tls", "require", &desk.url("")], 5, "insecure"),
        (&["put", "missing", &desk.url("")], 6, "local"),
    ] {
        let (out, told) = desk.ends(&[args, &["--json"]].concat(), code);
        let object: Value = serde_json::from_str(&out).unwrap_or_else(|e| panic!("{e}: {out}"));
        assert_eq!((object["exit"].as_i64(), object["cause"].as_str()), (Some(code.into()), Some(cause)));
        let error = object["error"].as_str().unwrap();
        assert!(told.contains(error), "stderr says the same: {told}");
    }
    // In one session, so that one comes after the other.
    let args = ["get", "--parallel", "1", &desk.url("nothing"), &desk.url("a")];
    let out = objects(&desk, &args, 7);
    assert_eq!(out.len(), 3, "{out:?}");
    assert_eq!(out[0], "cause: not-found, error: text, exit: whole, name: text");
    assert!(out[1].contains("name: a"), "{out:?}");
    assert_eq!(out[2], "cause: incomplete, error: text, exit: whole");
    // What `cat` prints is the file and nothing else.
    assert_eq!(desk.ends(&["cat", "--json", &desk.url("a")], 0).0, "x");
    assert_eq!(desk.ends(&["cat", "--json", &desk.url("nothing")], 1).0, "");
}
