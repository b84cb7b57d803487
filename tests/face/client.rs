//! The client's commands as a script sees them: what they print, what they leave behind, and every exit code.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, UNIX_EPOCH};

use crate::sockets::house::House;
use crate::support::files::{bytes, room};
use crate::support::server::binary;

/// A folder of the client's, and the server's URL.
pub(super) struct Desk {
    pub(super) house: House,
    folder: tempfile::TempDir,
}

impl Desk {
    pub(super) fn new() -> Desk {
        Desk::of(House::open())
    }

    pub(super) fn of(house: House) -> Desk {
        Desk { house, folder: tempfile::tempdir_in(room()).unwrap() }
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("ftp://anna:secret@{}/{path}", self.house.address)
    }

    pub(super) fn here(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    pub(super) fn run(&self, args: &[&str]) -> Output {
        run_in(self.folder.path(), args)
    }

    /// It ends with this code; gives what it printed.
    #[track_caller]
    pub(super) fn ends(&self, args: &[&str], code: i32) -> (String, String) {
        let output = self.run(args);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(code), "{args:?}\n{out}\n{err}");
        assert!(!err.contains("secret") && !out.contains("secret"), "a password in {out}{err}");
        (out, err)
    }
}

pub(crate) fn run_in(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(binary());
    command.args(args).current_dir(folder).env("HOME", folder).stdin(Stdio::null());
    for name in ["ALL_PROXY", "all_proxy", "ftp_proxy", "FTP_PROXY", "NETRC", "XDG_STATE_HOME"] {
        command.env_remove(name);
    }
    command.output().expect("the program runs")
}

#[test]
fn files_go_there_and_come_back() {
    let desk = Desk::new();
    let file = bytes(700_000, 5);
    fs::write(desk.here("a b"), &file).unwrap();
    let (_, told) = desk.ends(&["put", "a b", &desk.url("")], 0);
    assert!(told.contains("700000 bytes") && told.contains("by EPSV"), "{told}");
    assert!(desk.house.holds("a b") == file);
    assert_eq!(desk.ends(&["ls", &desk.url("")], 0).0, "a b\n");
    assert!(desk.ends(&["ls", "-l", &desk.url("")], 0).0.starts_with("file          700000 20"));
    let (stat, _) = desk.ends(&["stat", "--json", &desk.url("a%20b")], 0);
    assert!(stat.contains(r#""name":"a b","size":700000,"type":"file""#), "{stat}");
    desk.ends(&["mv", &desk.url("a%20b"), "c"], 0);
    desk.ends(&["get", &desk.url("c"), "-o", "d"], 0);
    assert!(fs::read(desk.here("d")).unwrap() == file);
    desk.ends(&["get", "--active", "--quiet", &desk.url("c")], 0);
    assert!(fs::read(desk.here("c")).unwrap() == file);
    let cat = desk.run(&["cat", &desk.url("c")]);
    assert!(cat.stdout == file);
    assert!(desk.ends(&["hash", &desk.url("c")], 0).0.starts_with("SHA-256 "));
    desk.ends(&["mkdir", &desk.url("e")], 0);
    desk.ends(&["rmdir", &desk.url("e")], 0);
    desk.ends(&["rm", &desk.url("c")], 0);
    assert_eq!(desk.house.names(), Vec::<String>::new());
    let left: Vec<_> = fs::read_dir(desk.folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().ends_with(".part")), "{left:?}");
}

#[test]
fn the_time_of_a_file_is_kept_both_ways() {
    let desk = Desk::new();
    fs::write(desk.here("a"), b"x").unwrap();
    let then = UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    fs::File::options().write(true).open(desk.here("a")).unwrap().set_modified(then).unwrap();
    desk.ends(&["put", "a", &desk.url("b")], 0);
    assert_eq!(fs::metadata(desk.house.path("b")).unwrap().modified().unwrap(), then);
    desk.ends(&["get", &desk.url("b")], 0);
    assert_eq!(fs::metadata(desk.here("b")).unwrap().modified().unwrap(), then);
}

#[test]
fn what_was_cut_goes_on() {
    let desk = Desk::new();
    let file = bytes(500_000, 6);
    desk.house.put("a", &file);
    fs::write(desk.here("a.part"), &file[..200_000]).unwrap();
    let (_, told) = desk.ends(&["get", "--resume", &desk.url("a")], 0);
    assert!(told.contains("300000 bytes"), "{told}");
    assert!(fs::read(desk.here("a")).unwrap() == file);
    desk.house.put("b", &file[..100_000]);
    let (_, told) = desk.ends(&["put", "--resume", "a", &desk.url("b")], 0);
    assert!(told.contains("400000 bytes"), "{told}");
    assert!(desk.house.holds("b") == file);
    fs::write(desk.here("tail"), b"!").unwrap();
    desk.ends(&["put", "--append", "tail", &desk.url("b")], 0);
    assert_eq!(desk.house.holds("b").len(), 500_001);
}

#[test]
fn every_exit_code() {
    let desk = Desk::new();
    desk.house.put("a", b"x");
    fs::write(desk.here("local"), b"y").unwrap();
    for args in
        [&["get", &desk.url("nothing")][..], &["rm", &desk.url("nothing")], &["stat", &desk.url("nothing")]]
    {
        let (_, told) = desk.ends(args, 1);
        assert!(told.contains("nothing"), "{told}");
    }
    desk.ends(&["ls", "http://example.org/"], 2);
    desk.ends(&["ls", "ftp://anna:secret@127.0.0.1/%0d%0aDELE%20a"], 2);
    desk.ends(&["get", &desk.url("a"), &desk.url("b"), "-o", "file"], 2);
    let wrong = format!("ftp://anna:wrong@{}/", desk.house.address);
    assert!(desk.ends(&["ls", &wrong], 3).1.contains("530"));
    desk.ends(&["rmdir", &desk.url("a")], 3);
    let closed = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
    let (_, told) = desk.ends(&["ls", &format!("ftp://{closed}/")], 4);
    assert!(told.contains("refused"), "{told}");
    let name = desk.ends(&["ls", "ftp://no-such-host.invalid/"], 4).1;
    assert!(name.contains("no-such-host.invalid"), "{name}");
    assert!(desk.ends(&["ls", "--tls", "require", &desk.url("")], 5).1.contains("TLS"));
    desk.ends(&["ls", &desk.url("").replace("ftp://", "ftpes://")], 5);
    desk.ends(&["put", "missing", &desk.url("")], 6);
    desk.ends(&["get", &desk.url("a"), "-o", "no/such/folder/a"], 6);
    let (_, told) = desk.ends(&["get", &desk.url("a"), &desk.url("nothing")], 7);
    assert!(told.contains("1 of 2 failed"), "{told}");
    assert_eq!(fs::read(desk.here("a")).unwrap(), b"x");
    assert!(!desk.here("nothing.part").exists());
    desk.house.put("b", b"z");
    let (_, told) = desk.ends(&["rm", &desk.url("nothing"), &desk.url("b")], 7);
    assert!(told.contains("1 of 2 failed"), "{told}");
    assert_eq!(desk.house.names(), ["a"], "the one that failed did not stop the other");
}

#[test]
fn the_dialogue_is_traced_without_the_password() {
    let desk = Desk::new();
    let (_, told) = desk.ends(&["ls", "--trace", &desk.url("")], 0);
    for line in
        ["220 ", "---> USER anna", "---> PASS XXXX", "230 User anna logged in.", "---> EPSV", "229 ", "226 "]
    {
        assert!(told.lines().any(|said| said.starts_with(line)), "{line}: {told}");
    }
}

#[test]
fn netrc_is_asked_when_the_url_names_nobody() {
    let desk = Desk::new();
    desk.house.put("a", b"x");
    fs::write(desk.here(".netrc"), "machine 127.0.0.1 login anna password secret\n").unwrap();
    let address = desk.house.address;
    let (out, told) = desk.ends(&["ls", &format!("ftp://{address}/")], 0);
    assert_eq!(out, "a\n");
    assert!(told.contains("netrc"), "a file that others can read is warned of: {told}");
}
