//! `twoport mirror` with our server in both directions, and with a server that lists what it should not.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, UNIX_EPOCH};

use crate::sockets::house::House;
use crate::support::files::{NAMES, bytes, room, write};
use crate::support::server::binary;

/// What lies below a folder: the bytes of files, nothing for folders.
fn holds(root: &Path) -> BTreeMap<String, Option<Vec<u8>>> {
    let (mut found, mut folders) = (BTreeMap::new(), vec![root.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            if path.is_dir() {
                found.insert(name, None);
                folders.push(path);
            } else {
                found.insert(name, Some(fs::read(path).unwrap()));
            }
        }
    }
    found
}

/// Folders, odd names, an empty file, an empty folder, and a time that is long past.
fn fill(root: &Path) {
    for (place, name) in NAMES.iter().enumerate() {
        write(&root.join(name), &bytes(10_000, place as u64));
        write(&root.join("sub folder/deeper").join(name), &bytes(70_000, place as u64));
    }
    write(&root.join("empty"), b"");
    fs::create_dir(root.join("nothing in it")).unwrap();
    let old = fs::File::options().write(true).open(root.join("empty")).unwrap();
    old.set_modified(UNIX_EPOCH + Duration::new(1_000_000_000, 700_000_000)).unwrap();
}

/// A folder of the client's, and the server.
struct Desk {
    house: House,
    folder: tempfile::TempDir,
}

impl Desk {
    fn new(house: House) -> Desk {
        Desk { house, folder: tempfile::tempdir_in(room()).unwrap() }
    }

    fn here(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn url(&self, path: &str) -> String {
        format!("ftp://anna:secret@{}/{path}", self.house.address)
    }

    /// It ends with this code; gives what it printed.
    #[track_caller]
    fn mirror(&self, args: &[&str], code: i32) -> (String, String) {
        run_in(self.folder.path(), args, code)
    }
}

#[track_caller]
fn run_in(folder: &Path, args: &[&str], code: i32) -> (String, String) {
    let mut command = Command::new(binary());
    command.arg("mirror").args(args).current_dir(folder).env("HOME", folder).stdin(Stdio::null());
    for name in ["ALL_PROXY", "all_proxy", "NETRC"] {
        command.env_remove(name);
    }
    let output = command.output().expect("the program runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{args:?}\n{out}\n{err}");
    (out, err)
}

#[test]
fn a_tree_comes_down_and_a_second_run_moves_nothing() {
    let desk = Desk::new(House::open());
    fill(&desk.house.path(""));
    let (out, _) = desk.mirror(&[&desk.url(""), "copy"], 0);
    assert!(out.contains("copy empty: the target has no such file"), "{out}");
    assert!(out.contains("7 files copied (240000 bytes in "), "{out}");
    assert!(out.ends_with(" MB/s), 3 folders made, 0 removed, 0 failed\n"), "{out}");
    assert_eq!(holds(&desk.here("copy")), holds(&desk.house.path("")));
    assert_eq!(desk.mirror(&[&desk.url(""), "copy"], 0).0, "nothing to do\n");
}

#[test]
fn a_tree_goes_up_and_a_second_run_moves_nothing() {
    let desk = Desk::new(House::open());
    fill(&desk.here("mine"));
    desk.mirror(&["mine", &desk.url("a/b"), "--quiet"], 0);
    assert_eq!(holds(&desk.here("mine")), holds(&desk.house.path("a/b")));
    assert_eq!(desk.mirror(&["mine", &desk.url("a/b")], 0).0, "nothing to do\n");
    write(&desk.here("mine/empty"), b"not any more");
    let (out, _) = desk.mirror(&["mine", &desk.url("a/b"), "--json"], 0);
    assert!(out.contains("the sizes differ: 12 bytes at the source, 0 at the target"), "{out}");
    assert_eq!(out.lines().count(), 2, "{out}");
    assert_eq!(desk.house.holds("a/b/empty"), b"not any more");
}

#[test]
fn delete_removes_what_is_extra_and_not_what_is_excluded() {
    for up in [false, true] {
        let desk = Desk::new(House::open());
        let (mine, theirs) = (desk.here("mine"), desk.house.path("theirs"));
        let (source, target) = if up { (&mine, &theirs) } else { (&theirs, &mine) };
        write(&source.join("a"), b"a");
        write(&source.join("b.log"), b"of the source");
        for name in ["extra", "old/deep/x", "old2/keep.log", "keep.log"] {
            write(&target.join(name), b"x");
        }
        let url = desk.url("theirs");
        let sides = if up { ["mine", &url] } else { [&url[..], "mine"] };
        let rest = ["--delete", "--exclude", "*.log"];
        let before = holds(target);
        let (out, _) = desk.mirror(&[&sides[..], &rest, &["--dry-run"]].concat(), 0);
        for line in [
            "copy a: the target has no such file",
            "remove extra: the source does not have it",
            "remove folder old/deep: the source does not have it",
        ] {
            assert!(out.lines().any(|said| said == line), "{line}\n{out}");
        }
        assert_eq!(holds(target), before, "a dry run changes nothing");
        desk.mirror(&[&sides[..], &rest].concat(), 0);
        let names: Vec<String> = holds(target).into_keys().collect();
        assert_eq!(names, ["a", "keep.log", "old2", "old2/keep.log"]);
        assert_eq!(desk.mirror(&[&sides[..], &rest].concat(), 0).0, "nothing to do\n");
    }
}

#[test]
fn a_file_that_fails_does_not_stop_the_others() {
    let desk = Desk::new(House::open());
    for name in ["a", "b", "c", "d"] {
        desk.house.put(name, name.as_bytes());
    }
    // One cannot be written, and one has a folder in its place.
    write(&desk.here("copy/b.part/x"), b"");
    write(&desk.here("copy/c/x"), b"");
    let (out, err) = desk.mirror(&[&desk.url(""), "copy"], 7);
    assert!(out.contains("2 files copied (2 bytes in "), "{out}");
    assert!(out.contains(" MB/s), 0 folders made, 0 removed, 1 failed"), "{out}");
    assert!(err.contains("copy b:") && err.contains("skip c:"), "{err}");
    assert_eq!(fs::read(desk.here("copy/a")).unwrap(), b"a");
    assert_eq!(fs::read(desk.here("copy/d")).unwrap(), b"d");
    desk.mirror(&["nowhere", &desk.url("")], 6);
    desk.mirror(&[&desk.url("nowhere"), "copy"], 1);
    desk.mirror(&["here", "there"], 2);
}

#[test]
fn a_download_that_was_cut_goes_on() {
    let desk = Desk::new(House::open());
    let file = bytes(300_000, 3);
    desk.house.put("a", &file);
    write(&desk.here("copy/a.part"), &file[..200_000]);
    let (out, _) = desk.mirror(&[&desk.url(""), "copy"], 0);
    assert!(out.contains("1 files copied (100000 bytes in "), "{out}");
    assert!(fs::read(desk.here("copy/a")).unwrap() == file);
}

#[test]
fn a_server_that_takes_few_sessions_is_asked_for_fewer() {
    let desk = Desk::new(House::with(|settings| settings.max_sessions = 2));
    for number in 0..20 {
        // More than goes into one flight.
        desk.house.put(&format!("f{number}"), &bytes(1_000_000, number));
    }
    // Slow enough that every session has asked before the files are gone.
    let (out, err) = desk.mirror(&[&desk.url(""), "copy", "--limit-rate", "10M"], 0);
    assert!(out.contains("20 files copied (20000000 bytes in "), "{out}");
    assert!(err.contains("going on with 2 sessions"), "{err}");
    // And it is remembered.
    fs::remove_dir_all(desk.here("copy")).unwrap();
    let (out, err) = desk.mirror(&[&desk.url(""), "copy"], 0);
    assert!(out.contains("20 files copied") && !err.contains("going on with"), "{out}{err}");
}

#[test]
fn verify_finds_what_size_and_time_do_not() {
    let desk = Desk::new(House::open());
    for name in ["a", "b", "c"] {
        desk.house.put(name, &bytes(50_000, 1));
    }
    desk.mirror(&[&desk.url(""), "copy"], 0);
    // One byte, and the time as before.
    let time = fs::metadata(desk.here("copy/b")).unwrap().modified().unwrap();
    let mut other = bytes(50_000, 1);
    other[777] ^= 1;
    fs::write(desk.here("copy/b"), &other).unwrap();
    fs::File::open(desk.here("copy/b")).unwrap().set_modified(time).unwrap();
    let (out, _) = desk.mirror(&[&desk.url(""), "copy"], 0);
    assert!(out.contains("nothing to do"), "{out}");
    let (out, _) = desk.mirror(&[&desk.url(""), "copy", "--verify", "--dry-run"], 0);
    assert!(out.contains("copy b: the hashes differ") && out.contains("1 files would be copied"), "{out}");
    assert!(fs::read(desk.here("copy/b")).unwrap() == other);
    let (out, _) = desk.mirror(&[&desk.url(""), "copy", "--verify"], 0);
    assert!(out.contains("copy b: the hashes differ") && out.contains("1 files copied"), "{out}");
    assert!(fs::read(desk.here("copy/b")).unwrap() == bytes(50_000, 1));
    // The other way round, too.
    fs::write(desk.here("copy/b"), &other).unwrap();
    fs::File::open(desk.here("copy/b")).unwrap().set_modified(time).unwrap();
    let (out, _) = desk.mirror(&["copy", &desk.url(""), "--verify"], 0);
    assert!(out.contains("copy b: the hashes differ"), "{out}");
    assert!(desk.house.holds("b") == other);
    let (out, _) = desk.mirror(&["copy", &desk.url(""), "--verify"], 0);
    assert!(out.contains("nothing to do"), "{out}");
}

/// A server whose one listing is this.
fn liar(listing: &'static str) -> u16 {
    strange(listing, false)
}

/// The same; with `hangs` the data connection of the listing stays where it is when all was said.
fn strange(listing: &'static str, hangs: bool) -> u16 {
    let control = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = control.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in control.incoming() {
            let stream = stream.unwrap();
            std::thread::spawn(move || {
                let mut out = stream.try_clone().unwrap();
                let mut say = move |text: &str| _ = out.write_all(format!("{text}\r\n").as_bytes());
                let (mut passive, mut hanging) = (None::<TcpListener>, Vec::new());
                say("220 strange");
                for line in BufReader::new(stream).lines().map_while(Result::ok) {
                    match line.split(' ').next().unwrap_or_default() {
                        "USER" | "PASS" => say("230 in"),
                        "FEAT" => say("211-so\r\n MLST type*;size*;modify*;\r\n211 end"),
                        "TYPE" => say("200 ok"),
                        "EPSV" => {
                            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
                            let port = listener.local_addr().unwrap().port();
                            say(&format!("229 here (|||{port}|)"));
                            passive = Some(listener);
                        }
                        verb @ ("MLSD" | "RETR") => {
                            let Some(listener) = passive.take() else { return say("425 no") };
                            let mut link = listener.accept().unwrap().0;
                            say("150 here it comes");
                            let bytes = if verb == "MLSD" { listing } else { "evil" };
                            link.write_all(bytes.as_bytes()).unwrap();
                            if hangs && verb == "MLSD" {
                                hanging.push(link);
                            }
                            say("226 done");
                        }
                        "QUIT" => return say("221 bye"),
                        _ => say("502 what?"),
                    }
                }
            });
        }
    });
    port
}

#[test]
fn a_listed_name_does_not_lead_out_of_the_folder() {
    let folder = tempfile::tempdir_in(room()).unwrap();
    let port = liar(concat!(
        "type=file;size=4;modify=20200101000000; ../evil\r\n",
        "type=file;size=4;modify=20200101000000; /tmp/twoport-evil\r\n",
        "type=dir;modify=20200101000000; ..\r\n",
        "type=file;size=4;modify=20200101000000; good\r\n"
    ));
    run_in(folder.path(), &[&format!("ftp://127.0.0.1:{port}/"), "copy"], 0);
    let names: Vec<String> = holds(folder.path()).into_keys().collect();
    assert_eq!(names, ["copy", "copy/good"]);
    assert!(!Path::new("/tmp/twoport-evil").exists());
}

#[test]
fn what_a_listing_without_an_end_does_not_show_is_not_removed() {
    let folder = tempfile::tempdir_in(room()).unwrap();
    write(&folder.path().join("copy/kept"), b"x");
    let port = strange("type=file;size=4;modify=20200101000000; a\r\n", true);
    let url = format!("ftp://a:b@127.0.0.1:{port}/");
    let (_, err) = run_in(folder.path(), &[&url, "copy", "--delete"], 7);
    assert!(err.contains("did not end its listing in order"), "{err}");
    assert_eq!(fs::read(folder.path().join("copy/kept")).unwrap(), b"x");
    // Without --delete what is seen is fetched, and said to be perhaps not all.
    let (_, err) = run_in(folder.path(), &[&url, "copy"], 7);
    assert!(err.contains("did not end its listing in order"), "{err}");
    assert_eq!(fs::read(folder.path().join("copy/a")).unwrap(), b"evil");
}
