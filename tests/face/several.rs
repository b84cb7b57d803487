//! Several sessions at the same time: many files, and one large file in parts.

use std::fs;

use super::client::Desk;
use crate::sockets::house::House;
use crate::support::files::bytes;

/// How many sessions logged in, as the traces tell.
fn logins(trace: &str) -> usize {
    trace.lines().filter(|line| line.starts_with("---> USER ")).count()
}

#[test]
fn a_large_file_comes_in_parts() {
    let desk = Desk::new();
    let file = bytes(5_000_000, 9);
    desk.house.put("a", &file);
    let (_, err) = desk.ends(&["get", &desk.url("a"), "--segments", "4", "--trace"], 0);
    assert!(fs::read(desk.here("a")).unwrap() == file);
    assert_eq!(logins(&err), 4, "{err}");
    assert!(err.contains("---> RANG 0 1249999") && err.contains("---> RANG 3750000 4999999"), "{err}");
    assert!(err.contains("a: 5000000 bytes in "), "{err}");
    assert_eq!(fs::read_dir(desk.here("")).unwrap().filter(is_left).count(), 0);
}

fn is_left(entry: &std::io::Result<fs::DirEntry>) -> bool {
    entry.as_ref().unwrap().file_name().to_string_lossy().contains(".part")
}

#[test]
fn a_small_file_is_one_part_and_parts_go_on_behind_what_is_there() {
    let desk = Desk::new();
    let file = bytes(3_000_000, 4);
    desk.house.put("small", &bytes(1000, 1));
    desk.house.put("a", &file);
    let (_, err) = desk.ends(&["get", &desk.url("small"), "--segments", "4", "--trace"], 0);
    assert_eq!(logins(&err), 1, "{err}");
    fs::write(desk.here("a.part"), &file[..900_000]).unwrap();
    let (_, err) = desk.ends(&["get", &desk.url("a"), "--segments", "2", "--resume", "--trace"], 0);
    assert!(err.contains("---> RANG 900000 ") && err.contains("a: 2100000 bytes in "), "{err}");
    assert!(fs::read(desk.here("a")).unwrap() == file);
}

#[test]
fn a_gap_between_the_parts_of_a_try_that_was_killed_is_not_taken_for_bytes() {
    let desk = Desk::new();
    let file = bytes(2_000_000, 6);
    desk.house.put("a", &file);
    // What `kill -9` leaves: the first part is there to byte 300,000, and the second one behind a gap.
    let mut part = file.clone();
    part[300_000..1_000_000].fill(0);
    fs::write(desk.here("a.part"), &part[..1_500_000]).unwrap();
    fs::write(desk.here("a.part.whole-to"), "300000").unwrap();
    let (_, err) = desk.ends(&["get", &desk.url("a"), "--resume"], 0);
    assert!(err.contains("a: 1700000 bytes in "), "{err}");
    assert!(fs::read(desk.here("a")).unwrap() == file);
    assert_eq!(fs::read_dir(desk.here("")).unwrap().filter(is_left).count(), 0);
}

#[test]
fn fewer_sessions_than_parts_fetch_them_all() {
    let desk = Desk::of(House::with(|settings| settings.max_sessions = 2));
    let file = bytes(6_000_000, 2);
    desk.house.put("a", &file);
    desk.ends(&["get", &desk.url("a"), "--segments", "5"], 0);
    assert!(fs::read(desk.here("a")).unwrap() == file);
}

#[test]
fn many_files_come_and_go_in_several_sessions() {
    let desk = Desk::new();
    let names: Vec<String> = (0..12).map(|number| format!("f{number}")).collect();
    for (name, number) in names.iter().zip(0..) {
        desk.house.put(name, &bytes(400_000, number));
    }
    let urls: Vec<String> = names.iter().map(|name| desk.url(name)).collect();
    let mut args = vec!["get", "--trace"];
    args.extend(urls.iter().map(String::as_str));
    let (_, err) = desk.ends(&args, 0);
    assert_eq!(logins(&err), 8, "{err}");
    fs::create_dir(desk.house.path("up")).unwrap();
    let up = desk.url("up/");
    let mut args = vec!["put", "--trace", "--parallel", "3"];
    args.extend(names.iter().map(String::as_str));
    args.push(&up);
    let (_, err) = desk.ends(&args, 0);
    assert_eq!(logins(&err), 3, "{err}");
    for (name, number) in names.iter().zip(0..) {
        assert!(desk.house.holds(&format!("up/{name}")) == bytes(400_000, number), "{name}");
    }
    // One session is enough for one file, and one that fails does not stop the others.
    let (_, err) = desk.ends(&["get", "--trace", &urls[0]], 0);
    assert_eq!(logins(&err), 1, "{err}");
    let nowhere = desk.url("nowhere");
    let (_, err) = desk.ends(&["get", &urls[0], &nowhere, &urls[1]], 7);
    assert!(err.contains("1 of 3 failed"), "{err}");
}
