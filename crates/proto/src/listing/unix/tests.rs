//! Tests of the `ls -l` dialect: writing, reading, and both in a circle.

use super::*;

fn at(stamp: &str) -> Moment {
    Moment::read_stamp(stamp.as_bytes()).unwrap()
}

fn now() -> Moment {
    at("20261123120000")
}

fn written(entry: &Entry) -> String {
    let mut out = Vec::new();
    write_line(entry, now(), &mut out);
    String::from_utf8(out).unwrap()
}

fn folder() -> Entry {
    Entry {
        modified: Some(at("20260727014500")),
        mode: Some(0o700),
        links: Some(3),
        owner: Some("slacker".into()),
        group: Some("users".into()),
        ..Entry::new("public_html", Kind::Directory, 104)
    }
}

fn file(name: &str, modified: &str) -> Entry {
    Entry { name: name.into(), kind: Kind::File, mode: Some(0o644), modified: Some(at(modified)), ..folder() }
}

fn read(line: &str) -> Option<Entry> {
    read_line(line.as_bytes(), now())
}

#[test]
fn a_line_looks_as_ls_makes_it() {
    assert_eq!(written(&folder()), "drwx------   3 slacker  users         104 Jul 27 01:45 public_html\r\n");
    let big = Entry {
        size: 12_345_678_901,
        links: Some(1234),
        owner: Some("longer.than.eight".into()),
        ..folder()
    };
    assert_eq!(
        written(&big),
        "drwx------ 1234 longer.than.eight users    12345678901 Jul 27 01:45 public_html\r\n"
    );
}

#[test]
fn what_is_not_known_is_filled() {
    let bare = Entry::new("a", Kind::File, 0);
    assert_eq!(written(&bare), "-rw-r--r--   1 ftp      ftp             0 Jan  1  1970 a\r\n");
    let read_only = Entry { access: Access { read: true, write: false, enter: true }, ..bare.clone() };
    assert!(written(&read_only).starts_with("-r--r--r-- "));
    let closed = Entry {
        kind: Kind::Directory,
        access: Access { read: false, write: true, enter: false },
        ..bare.clone()
    };
    assert!(written(&closed).starts_with("d-w------- "));
    assert!(written(&Entry { kind: Kind::Other, ..bare }).starts_with("prw-r--r-- "));
}

#[test]
fn special_bits_have_their_letters() {
    for (mode, letters) in [
        (0o7777, "-rwsrwsrwt"),
        (0o7000, "---S--S--T"),
        (0o4755, "-rwsr-xr-x"),
        (0o1777, "-rwxrwxrwt"),
        (0o100_644, "-rw-r--r--"),
    ] {
        let line = written(&Entry { mode: Some(mode), kind: Kind::File, ..folder() });
        assert_eq!(&line[..10], letters);
        assert_eq!(read(&line).unwrap().mode, Some(mode & 0o7777));
    }
}

#[test]
fn old_and_future_dates_show_the_year() {
    for (stamp, date) in [
        ("20261123120000", "Nov 23 12:00"),
        ("20260525120000", "May 25 12:00"),
        ("20260525115900", "May 25  2026"),
        ("20261124120000", "Nov 24 12:00"),
        ("20261124120100", "Nov 24  2026"),
        ("19991231235959", "Dec 31  1999"),
        ("20260901000000", "Sep  1 00:00"),
    ] {
        let line = written(&file("a", stamp));
        assert_eq!(&line[line.len() - 16..line.len() - 4], date, "{stamp}");
    }
    let strange = Entry { modified: Some(Moment::from_seconds(i64::MIN)), ..folder() };
    assert!(written(&strange).contains("  0000 "));
}

#[test]
fn no_name_breaks_the_listing() {
    let link = Entry { target: Some(b"c\nd".to_vec()), kind: Kind::Link, ..file("a\r\nb", "20260727014500") };
    let line = written(&link);
    assert!(line.ends_with(" a??b -> c?d\r\n"), "{line}");
    let owner = Entry { owner: Some("Domain Users\r\n".into()), group: Some("".into()), ..folder() };
    assert_eq!(
        written(&owner),
        "drwx------   3 Domain_Users__ ftp           104 Jul 27 01:45 public_html\r\n"
    );
}

#[test]
fn what_is_written_is_read_back() {
    let link = Entry { kind: Kind::Link, mode: Some(0o777), target: Some(b"../b c".to_vec()), ..folder() };
    for entry in [
        folder(),
        link,
        Entry { kind: Kind::Other, ..folder() },
        file("  two leading and trailing  ", "20261123115900"),
        file("a -> b", "20250101000000"),
        file("caf\u{e9}", "20260630235900"),
        file("12:00 Jan  1  1970 x", "20261124115900"),
        Entry { size: u64::MAX, links: Some(0), ..folder() },
    ] {
        assert_eq!(read(&written(&entry)), Some(entry));
    }
}

#[test]
fn raw_bytes_in_names_are_kept() {
    let entry = Entry { name: b"caf\xE9\xFF\0".to_vec(), ..folder() };
    let mut out = Vec::new();
    write_line(&entry, now(), &mut out);
    assert_eq!(read_line(&out, now()), Some(entry));
}

#[test]
fn common_variants_are_read() {
    let base = file("a b", "20260727014500");
    let bare = Entry { links: None, owner: None, group: None, ..base.clone() };
    for (line, expected) in [
        ("-rw-r--r--+ 3 slacker users 104 Jul 27 01:45 a b", base.clone()),
        ("-rw-r--r--. 3 slacker\tusers 104 jul 27 1:45 a b\n", base.clone()),
        ("-rw-r--r-- 3 slacker users 104 27 Jul 01:45 a b", base.clone()),
        ("-rw-r--r-- 3 slacker users 27 Jul 27 01:45 a b", Entry { size: 27, ..base.clone() }),
        ("-rw-r--r-- 3 slacker users 104 2026-07-27 01:45 a b", base.clone()),
        ("-rw-r--r-- 3 slacker 104 Jul 27 01:45 a b", Entry { group: None, ..base.clone() }),
        ("-rw-r--r-- 3 104 Jul 27 01:45 a b", Entry { owner: None, group: None, ..base.clone() }),
        ("-rw-r--r-- slacker users 104 Jul 27 01:45 a b", Entry { links: None, ..base.clone() }),
        ("-rw-r--r-- 104 Jul 27 01:45 a b", bare),
        (
            "-rw-r--r-- 3 1000 1001 104 Jul 27 01:45 a b",
            Entry { owner: Some("1000".into()), group: Some("1001".into()), ..base.clone() },
        ),
        (
            "-rw-r--r-- 3 slacker Domain Users 104 Jul 27 01:45 a b",
            Entry { group: Some("Domain Users".into()), ..base.clone() },
        ),
        ("-rw-r--r-- 3 May users 104 Jul 27 01:45 a b", Entry { owner: Some("May".into()), ..base.clone() }),
        (
            "crw-r--r-- 3 slacker users 10, 104 Jul 27 01:45 a b",
            Entry { kind: Kind::Other, size: 0, ..base.clone() },
        ),
    ] {
        assert_eq!(read(line), Some(expected), "{line}");
    }
}

#[test]
fn a_date_without_a_year_is_the_latest_that_can_be() {
    for (date, now, stamp) in [
        ("Nov 24 11:59", "20261123120000", "20261124115900"),
        ("Nov 24 12:01", "20261123120000", "20251124120100"),
        ("Dec 31 23:00", "20260101000000", "20251231230000"),
        ("Jan  1 00:30", "20251231120000", "20260101003000"),
        ("Feb 29 12:00", "20261123120000", "20240229120000"),
        ("Feb 29 12:00", "19031123120000", "18960229120000"),
    ] {
        let line = format!("-rw-r--r-- 1 ftp ftp 1 {date} a");
        assert_eq!(read_line(line.as_bytes(), at(now)).unwrap().modified, Some(at(stamp)), "{date} {now}");
    }
}

#[test]
fn other_lines_are_no_entries() {
    for line in [
        "",
        "total 123",
        "\r\n",
        "-rw-r--r--",
        "-rw-r--r-- 1 ftp ftp 1 Jul 27 01:45",
        "-rw-r--r-- 1 ftp ftp 1 Jul 27 01:45 ",
        "-rw-r--r-- 1 ftp ftp x Jul 27 01:45 a",
        "-rw-r--r-- 1 ftp ftp 1 Jul 32 01:45 a",
        "-rw-r--r-- 1 ftp ftp 1 Jul 27 24:45 a",
        "-rw-r--r-- 1 ftp ftp 1 Feb 30 2020 a",
        "-rw-r--r-- 1 ftp ftp 99999999999999999999 Jul 27 01:45 a",
        "-rw-r--r-x-x 1 ftp ftp 1 Jul 27 01:45 a",
        "-rw-rq-r-- 1 ftp ftp 1 Jul 27 01:45 a",
        "07-27-26  01:45AM       <DIR>          public_html",
        "type=file;size=1; a",
        "- - - - - - - - - - - - - - - - - - - - - - - -",
    ] {
        assert_eq!(read(line), None, "{line}");
    }
}

#[test]
fn torn_and_odd_lines_never_panic() {
    let whole = "lrwxrwxrwx+ 1 a b 10, 104 Jul 27 01:45 name -> target\r\n";
    for from in 0..whole.len() {
        for to in from..=whole.len() {
            let _ = read(&whole[from..to]);
        }
    }
    for now in [i64::MIN, i64::MAX] {
        let bounded = Moment::from_seconds(now / 4);
        let _ = read_line(b"-rw-r--r-- 1 ftp ftp 1 Jul 27 01:45 a", bounded);
        let mut out = Vec::new();
        write_line(&folder(), Moment::from_seconds(now), &mut out);
    }
}
