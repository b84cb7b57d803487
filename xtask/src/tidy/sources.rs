//! The rules for one Rust source: what it may name, how long it may be, how it opens.

use super::rust_text::{lines_with, parts, used_paths};
use super::{Finding, finding};

/// Lines that a source may have without its tests.
const LONGEST: usize = 600;

/// The crates of the left wing: rules only.
const RULES: &[&str] = &["crates/proto/", "crates/plan/", "crates/session/"];

/// What the left wing may not name. A `*` makes it a beginning.
const WORLD: &[(&str, &str)] = &[
    ("tokio", "no runtime"),
    ("std::fs", "no file"),
    ("std::net::Tcp*", "no socket"),
    ("std::net::Udp*", "no socket"),
    ("Instant::now", "time is told, not looked up"),
    ("SystemTime::now", "time is told, not looked up"),
    ("std::thread::sleep", "nothing waits"),
    ("thread::sleep", "nothing waits"),
];

/// What nobody may name.
const NOWHERE: &[(&str, &str)] = &[
    ("tokio::io::copy*", "ten times the CPU of sendfile; bytes are moved by the crate pipe"),
    ("tokio::fs*", "a hop to another thread for each call; bytes are moved by the crate pipe"),
];

/// Every finding in one source.
pub(super) fn look(path: &str, text: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    let parts = parts(text);

    if !text.starts_with("//!") {
        found.push(finding(path, 1, "a source opens with `//!`: what it knows, and what it leaves to whom"));
    }

    let lines = text.lines().count() - parts.test_lines.min(text.lines().count());
    if lines > LONGEST && !is_test(path) {
        let what = format!("{lines} lines without tests, the cap is {LONGEST}: split it by what it knows");
        found.push(finding(path, LONGEST, what));
    }

    let mut ban = |code: &str, names: &[(&str, &str)], where_: &str| {
        let used = used_paths(code);
        for (name, why) in names {
            let mut hits = lines_with(code, name);
            let named = used.iter().filter(|(_, path)| !lines_with(path, name).is_empty());
            hits.extend(named.map(|(line, _)| *line));
            hits.sort_unstable();
            hits.dedup();
            let name = name.trim_end_matches('*');
            found.extend(
                hits.into_iter().map(|line| finding(path, line, format!("`{name}` {where_}: {why}"))),
            );
        }
    };
    if RULES.iter().any(|room| path.starts_with(room)) && !is_test(path) {
        ban(&parts.product, WORLD, "in a crate of rules");
    }
    ban(&parts.code, NOWHERE, "is not used here");

    if !is_test(path) {
        for (at, line) in parts.product.lines().enumerate() {
            if line.contains(".unwrap()") {
                found.push(finding(
                    path,
                    at + 1,
                    "`unwrap()` outside tests: `expect` with the invariant, or `?`",
                ));
            }
        }
    }
    for name in ["todo", "unimplemented"] {
        for (at, line) in parts.code.lines().enumerate() {
            if line.contains(&format!("{name}!")) {
                found.push(finding(path, at + 1, format!("`{name}!`: finish it or leave it out")));
            }
        }
    }
    for name in ["FIXME", "XXX"] {
        for line in lines_with(&parts.comments, name) {
            found.push(finding(path, line, format!("`{name}`: a doubt belongs in an issue")));
        }
    }
    found
}

/// Sources that are tests as a whole.
fn is_test(path: &str) -> bool {
    path.starts_with("tests/") || path.contains("/tests/") || path.ends_with("/tests.rs")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(path: &str, text: &str) -> Vec<String> {
        look(path, text).iter().map(ToString::to_string).collect()
    }

    #[track_caller]
    fn one(path: &str, text: &str, line: usize, part: &str) {
        let said = said(path, text);
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(said[0].starts_with(&format!("{path}:{line}: ")) && said[0].contains(part), "{said:?}");
    }

    #[test]
    fn a_clean_source_says_nothing() {
        assert!(said("crates/plan/src/data.rs", "//! Data.\n\npub fn a() {}\n").is_empty());
    }

    #[test]
    fn a_source_opens_with_its_purpose() {
        one("crates/net/src/a.rs", "use b;\n", 1, "opens with");
    }

    #[test]
    fn rules_name_no_world() {
        one("crates/session/src/a.rs", "//! A.\nuse std::{fmt, fs};\n", 2, "`std::fs`");
        one("crates/proto/src/a.rs", "//! A.\nfn a() { Instant::now(); }\n", 2, "`Instant::now`");
        one("crates/plan/src/a.rs", "//! A.\nuse std::net::{IpAddr, UdpSocket};\n", 2, "`std::net::Udp`");
        assert!(said("crates/plan/src/a.rs", "//! A, unlike tokio.\nuse std::net::IpAddr;\n").is_empty());
        assert!(said("crates/net/src/a.rs", "//! A.\nuse std::net::TcpStream;\n").is_empty());
    }

    #[test]
    fn tests_of_rules_may_make_a_moment() {
        let text = "//! A.\n#[cfg(test)]\nmod tests {\n    fn now() { Instant::now(); x.unwrap(); }\n}\n";
        assert!(said("crates/session/src/a.rs", text).is_empty());
        let text = "//! A.\nfn now() { Instant::now(); }\n";
        assert!(said("crates/session/src/server/tests.rs", text).is_empty());
    }

    #[test]
    fn the_slow_roads_are_closed_everywhere() {
        one("crates/store/src/a.rs", "//! A.\nuse tokio::fs::File;\n", 2, "`tokio::fs`");
        one("tests/a.rs", "//! A.\nuse tokio::io::{AsyncRead, copy};\n", 2, "`tokio::io::copy`");
    }

    #[test]
    fn length_is_counted_without_tests() {
        let long = format!("//! A.\n{}", "fn a() {}\n".repeat(LONGEST));
        one("crates/net/src/a.rs", &long, LONGEST, "601 lines");
        assert!(said("crates/net/src/tests.rs", &long).is_empty());
        let tail = format!("//! A.\n#[cfg(test)]\nmod tests {{\n{}}}\n", "fn a() {}\n".repeat(LONGEST));
        assert!(said("crates/net/src/a.rs", &tail).is_empty());
    }

    #[test]
    fn nothing_is_left_for_later() {
        one("crates/net/src/a.rs", "//! A.\nfn a() { todo!() }\n", 2, "`todo!`");
        one("crates/net/src/a.rs", "//! A.\n// FIXME: b\n", 2, "`FIXME`");
        one("crates/net/src/a.rs", "//! A.\nfn a() { b.unwrap() }\n", 2, "`unwrap()`");
        assert!(said("crates/net/src/a.rs", "//! PASS XXXX\nfn a() { \"XXX\"; }\n").is_empty());
    }
}
