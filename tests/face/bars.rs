//! Bars on a terminal: what stands there while files move, that nothing is torn, and that nothing is left.

use std::process::Command;

use super::client::Desk;
use crate::support::files::bytes;
use crate::support::server::binary;
use crate::support::terminal::{Shown, Terminal};

fn start(desk: &Desk, args: &[&str]) -> Terminal {
    let mut command = Command::new(binary());
    command.args(args).args(["--tls", "off"]).current_dir(desk.here("")).env("HOME", desk.here(""));
    for name in ["ALL_PROXY", "all_proxy", "NETRC", "NO_COLOR"] {
        command.env_remove(name);
    }
    Terminal::run(command)
}

/// Whether this line is the bar of a file or of all of them.
fn is_bar(line: &str) -> bool {
    line.contains(" MB/s  ") || line.ends_with("MB/s")
}

fn has_bar(lines: &[String], of: &str) -> bool {
    lines.iter().any(|line| line.starts_with(of) && is_bar(line))
}

#[test]
fn a_file_has_a_bar_while_it_moves_and_a_line_at_the_end() {
    let desk = Desk::new();
    desk.house.put("a", &bytes(1_000_000, 1));
    for args in [&["get", &desk.url("a")][..], &["put", "a", &desk.url("b")]] {
        let shown = start(&desk, &[args, &["--limit-rate", "1M"]].concat()).ended();
        shown.had(|lines| {
            lines
                .iter()
                .any(|line| line.starts_with("a ") && line.contains(" of 1.00 MB ") && line.contains("=>"))
        });
        let lines = shown.lines;
        assert_eq!((shown.code, lines.len()), (Some(0), 1), "{lines:?}");
        assert!(lines[0].contains(": 1000000 bytes in "), "{lines:?}");
        let colours = ["\x1b[0m", "\x1b[3", "\x1b[1m"];
        assert!(!colours.iter().any(|colour| shown.raw.contains(colour)), "{:?}", shown.raw);
    }
}

#[test]
fn a_tree_has_a_bar_for_each_file_and_one_for_all_and_what_is_said_stands_above() {
    let desk = Desk::new();
    desk.house.put("tree/short", &bytes(300_000, 1));
    desk.house.put("tree/long", &bytes(1_200_000, 2));
    let args = ["mirror", &desk.url("tree"), "copy", "--parallel", "2", "--limit-rate", "600k", "--trace"];
    let shown = start(&desk, &args).ended();
    shown.had(|lines| ["short ", "long ", "0 of 2 files "].iter().all(|bar| has_bar(lines, bar)));
    // One is done, and its line stands above the bars of the others.
    shown.had(|lines| {
        let line = lines.iter().position(|line| line.starts_with("copy short: "));
        let bar = lines.iter().position(|line| line.starts_with("1 of 2 files ") && is_bar(line));
        matches!((line, bar), (Some(line), Some(bar)) if line < bar) && has_bar(lines, "long ")
    });
    let (code, lines) = (shown.code, shown.lines);
    assert_eq!(code, Some(0), "{lines:?}");
    assert!(!lines.iter().any(|line| is_bar(line) || line.is_empty()), "{lines:?}");
    // The dialogue of both sessions, a line each.
    let known = |line: &String| {
        line.starts_with("---> ")
            || line.starts_with("copy ")
            || line.starts_with("2 files copied (1500000 bytes")
            || line.starts_with(' ')
            || line.as_bytes().first().is_some_and(u8::is_ascii_digit)
    };
    assert!(lines.iter().all(known), "{lines:?}");
    assert_eq!(lines.iter().filter(|line| line.starts_with("---> RETR ")).count(), 2, "{lines:?}");
}

#[test]
fn who_wants_no_bars_gets_none() {
    let desk = Desk::new();
    desk.house.put("a", &bytes(600_000, 1));
    for flag in ["--quiet", "--json"] {
        let args = ["get", &desk.url("a"), "--limit-rate", "1M", flag];
        let Shown { code, lines, raw, .. } = start(&desk, &args).ended();
        assert_eq!(code, Some(0), "{lines:?}");
        assert!(!raw.contains('\x1b'), "{raw:?}");
        assert_eq!(lines.len(), usize::from(flag == "--json"), "{lines:?}");
    }
}

#[test]
fn ctrl_c_leaves_no_bar_and_what_came_of_the_file() {
    let desk = Desk::new();
    let file = bytes(2_000_000, 1);
    desk.house.put("a", &file);
    let terminal = start(&desk, &["get", &desk.url("a"), "--limit-rate", "100k"]);
    let part = desk.here("a.part");
    while part.metadata().map_or(0, |data| data.len()) < 50_000 {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    terminal.interrupt();
    let Shown { code, lines, .. } = terminal.ended();
    assert_eq!(code, Some(7), "{lines:?}");
    assert!(lines.len() == 1 && lines[0].contains("go on with --resume"), "{lines:?}");
    let came = std::fs::read(&part).unwrap();
    assert!(came.len() >= 50_000 && file.starts_with(&came));
    desk.ends(&["get", "--resume", &desk.url("a")], 0);
    assert!(std::fs::read(desk.here("a")).unwrap() == file);
}
