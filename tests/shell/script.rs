//! The shell as a script: what it says in the wrong place, how it ends, and what it must not do.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::process::Stdio;
use std::time::{Duration, SystemTime};

use super::{known_server, shell};
use crate::support::program;
use crate::support::server::{Server, binary};

#[test]
fn mistakes_are_said_in_bsds_words() {
    let server = known_server("");
    let ran = shell(&server, &[], "m\nnonsense\nget\ntype a b\nclose\nls\nopen 127.0.0.1 x\n");
    ran.prints(&[
        "?Ambiguous command",
        "?Invalid command.",
        "usage: get remote-file [local-file]",
        "usage: type [type-name]",
        "Not connected.",
        "x: bad port number",
    ]);
}

#[test]
fn a_script_is_told_by_the_code_whether_all_was_done() {
    let server = known_server("");
    server.offers("there", 10);
    shell(&server, &[], "get there\n").fine();
    let ran = shell(&server, &[], "get there\nget nothing\n");
    assert!(!ran.ok);
    ran.prints(&["550 nothing", "1 of 3 commands failed"]);
}

#[test]
fn without_verbose_only_what_went_wrong_is_shown() {
    let server = known_server("");
    server.offers("there", 10);
    let ran = shell(&server, &[], "get there\nput nothing\nsize there\n");
    assert_eq!(
        ran.text,
        "local: nothing: No such file or directory (os error 2)\nthere\t10\ntwoport: 1 of 4 commands failed\n"
    );
}

#[test]
fn the_macro_init_of_netrc_runs_after_the_login() {
    let server = known_server("macdef init\nmkdir made-by-init\n\n");
    shell(&server, &[], "pwd\n").fine();
    assert!(server.shares("made-by-init"));
    std::fs::remove_dir(server.root().join("made-by-init")).unwrap();
    // Without a login of our own there is no macro either.
    shell(&server, &["-n"], "user alice secret\npwd\n").fine().prints(&["257 "]);
    assert!(!server.shares("made-by-init"));
}

#[test]
fn a_macro_loops_over_its_arguments() {
    let server = known_server("");
    let script = "macdef each\nmkdir $i\n\n$each one two three\n";
    shell(&server, &[], script).fine();
    assert!(["one", "two", "three"].iter().all(|name| server.shares(name)));
    shell(&server, &[], "macdef round\n$round\n\n$round\n").prints(&["calls itself too often"]);
}

#[test]
fn a_download_keeps_its_time_and_gets_its_name_when_it_is_whole() {
    let server = known_server("");
    let bytes = server.offers("old.bin", 50_000);
    let then = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    std::fs::File::options()
        .write(true)
        .open(server.root().join("old.bin"))
        .unwrap()
        .set_modified(then)
        .unwrap();
    shell(&server, &[], "get old.bin\npreserve\nget old.bin new.bin\n").fine();
    server.client_got("old.bin", &bytes);
    let modified = |name: &str| server.local().join(name).metadata().unwrap().modified().unwrap();
    assert_eq!(modified("old.bin"), then);
    assert_ne!(modified("new.bin"), then);
    assert!(!server.local().join("old.bin.part").exists());
}

#[test]
fn pipes_and_standard_output_take_the_place_of_files() {
    let server = known_server("");
    std::fs::write(server.root().join("lines"), "b\na\n").unwrap();
    let script = "get lines \"|sort\"\nget lines -\nput \"|echo made\" made\nls \"\" |cat\nls lines listed\n";
    shell(&server, &[], script).fine().prints(&["a\nb\nb\na\n", " made\n"]);
    assert_eq!(std::fs::read(server.root().join("made")).unwrap(), b"made\n");
    assert!(std::fs::read_to_string(server.local().join("listed")).unwrap().contains("lines"));
}

#[test]
fn text_is_recoded_in_both_directions() {
    let server = known_server("");
    std::fs::write(server.root().join("there"), "one\ntwo\n").unwrap();
    std::fs::write(server.local().join("here"), "three\nfour\n").unwrap();
    let ran = shell(&server, &["-d"], "ascii\nget there\nput here\nbinary\nput here raw\n").fine();
    ran.prints(&["---> TYPE A", "---> TYPE I"]);
    server.client_got("there", b"one\ntwo\n");
    server.server_got("here", b"three\nfour\n");
    server.server_got("raw", b"three\nfour\n");
}

#[test]
fn the_address_family_and_the_mode_are_kept_to() {
    let server = known_server("");
    let ran = shell(&server, &["-A", "-d"], "ls\nepsv4\nls\npassive\nls\n").fine();
    ran.prints(&["---> PORT ", "---> EPRT |1|127.0.0.1|", "---> EPSV"]);
    let ran = shell(&server, &["-6"], "ls\n");
    assert!(!ran.ok);
    ran.prints(&["127.0.0.1 has no IPv6 address", "Not connected."]);
}

#[test]
fn a_file_of_a_url_is_fetched_and_a_folder_is_gone_into() {
    let server = known_server("");
    let bytes = server.offers("dir/file", 3000);
    let program = binary();
    let program = program.to_str().unwrap();
    server.run(program, &["ftp", &server.url("dir/file")], "pwd\n").fine();
    server.client_got("file", &bytes);
    server.run(program, &["ftp", &server.url("dir/")], "pwd\n").fine().prints(&["257 \"/dir\""]);
    let ran = server.run(program, &["ftp", "--tls", "require", &server.url("dir/")], "");
    assert!(!ran.ok);
    ran.prints(&["TLS was demanded"]);
}

#[test]
fn many_files_go_in_several_sessions_and_as_many_come() {
    let server = known_server("");
    let there: Vec<_> = (0..12).map(|at| server.offers(&format!("there{at}.dat"), 2000 + at)).collect();
    let here: Vec<_> = (0..12).map(|at| server.has(&format!("here{at}.txt"), 3000 + at)).collect();
    shell(&server, &["-i"], "parallel 4\nmget there*\nmput here*\n").fine();
    for (at, bytes) in there.iter().enumerate() {
        server.client_got(&format!("there{at}.dat"), bytes);
    }
    for (at, bytes) in here.iter().enumerate() {
        server.server_got(&format!("here{at}.txt"), bytes);
    }
}

#[test]
fn a_tree_is_mirrored_down_and_up() {
    let server = known_server("");
    let bytes = server.offers("tree/deep/file", 4000);
    shell(&server, &[], "mirror tree\nmirror -R tree again\nmirror -n -e tree nowhere\n").fine();
    server.client_got("tree/deep/file", &bytes);
    server.server_got("again/deep/file", &bytes);
    assert!(!server.local().join("nowhere").exists());
}

#[test]
fn a_proxy_copies_between_two_servers_both_ways() {
    let (first, second) = (known_server(""), Server::start("127.0.0.1", "bob", "word"));
    let there = first.offers("there.bin", 70_000);
    let other = second.offers("other.bin", 80_000);
    let script = format!(
        "proxy open {} {}\nproxy user bob word\nproxy get there.bin copy.bin\nproxy put other.bin\n\
         proxy mget there*\nproxy pwd\nls\nproxy lcd x\n",
        second.host, second.port
    );
    let netrc = first.home().join(".netrc");
    let text = format!("{}machine localhost login x\n", std::fs::read_to_string(&netrc).unwrap());
    std::fs::write(&netrc, text).unwrap();
    // The second login fails by `.netrc`, which knows one user of this address, and is made up for by `proxy user`.
    let ran = shell(&first, &["-v", "-i"], &script);
    ran.prints(&["Login failed.", "230 User bob logged in.", "copied in ", "?Invalid proxy command."]);
    second.server_got("copy.bin", &there);
    second.server_got("there.bin", &there);
    first.server_got("other.bin", &other);
}

#[test]
fn who_could_not_come_in_hears_it_by_the_code() {
    let code = |args: &[&str], netrc: Option<&str>| {
        let home = tempfile::tempdir_in(crate::support::files::room()).unwrap();
        if let Some(text) = netrc {
            std::fs::write(home.path().join(".netrc"), text).unwrap();
        }
        let path = binary();
        let mut command = program::program(path.to_str().unwrap(), home.path(), home.path());
        command.args(["ftp", "--tls", "off"]).args(args).stdin(Stdio::null());
        let output = command.output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    let (ended, text) = code(&["127.0.0.1", &nobody], None);
    assert_eq!(ended, Some(4), "{text}");
    assert!(text.contains("nothing listens there"), "{text}");
    let server = known_server("");
    let wrong = "machine 127.0.0.1 login alice password wrong\n";
    let (ended, text) = code(&["127.0.0.1", &server.port_word()], Some(wrong));
    assert_eq!(ended, Some(3), "{text}");
    assert!(text.contains("530 ") && text.contains("Login failed."), "{text}");
}

#[test]
fn a_device_is_written_to_and_a_reader_may_have_seen_enough() {
    let server = known_server("");
    server.offers("large.bin", 3 << 20);
    shell(&server, &[], "get large.bin /dev/null\nget large.bin \"|head -c 1 > first\"\npwd\n")
        .fine()
        .prints(&["257 "]);
    assert_eq!(std::fs::read(server.local().join("first")).unwrap().len(), 1);
    assert!(!server.local().join("large.bin").exists());
}

#[test]
fn the_rest_of_a_script_can_be_stored() {
    let server = known_server("");
    let ran = shell(&server, &[], "put - rest\nthis is\nno command\n").fine();
    assert!(!ran.text.contains("?Invalid"), "{}", ran.text);
    server.server_got("rest", b"this is\nno command\n");
}

#[test]
fn where_the_server_does_not_come_the_session_goes_on() {
    let answers = [("USER", "230 in"), ("LIST", "150 coming"), ("ABOR", "426 nobody there\r\n226 stopped")];
    let (ran, _folder) = against(&answers, "user x\npassive off\nls\npwd\n");
    let ran = ran.prints(&[
        "ftp: active: ",
        "ftp: no data connection came about",
        "426 nobody there",
        "226 stopped",
        "200 ok",
    ]);
    assert!(!ran.text.contains("421 "), "{}", ran.text);
}

/// A server that answers what the script says, and tells names that lead away.
pub(super) fn strange(answers: Vec<(&'static str, String)>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut out = stream.try_clone().unwrap();
        out.write_all(b"220 strange\r\n").unwrap();
        let mut data = None;
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            let verb = line.split(' ').next().unwrap_or_default().to_owned();
            if verb == "PASV" {
                let listener = TcpListener::bind("127.0.0.1:0").unwrap();
                let port = listener.local_addr().unwrap().port();
                data = Some(listener);
                let text = format!("227 Entering Passive Mode (127,0,0,1,{},{}).\r\n", port >> 8, port & 255);
                out.write_all(text.as_bytes()).unwrap();
                continue;
            }
            match answers.iter().find(|(known, _)| *known == verb) {
                Some((_, text)) if text.starts_with("data:") => {
                    let (mut link, _) = data.take().unwrap().accept().unwrap();
                    out.write_all(b"150 here\r\n").unwrap();
                    link.write_all(&text.as_bytes()["data:".len()..]).unwrap();
                    drop(link);
                    out.write_all(b"226 done\r\n").unwrap();
                }
                Some((_, text)) if text == "gone" => return,
                Some((_, text)) => out.write_all(format!("{text}\r\n").as_bytes()).unwrap(),
                None => out.write_all(b"200 ok\r\n").unwrap(),
            }
        }
    });
    port
}

/// Runs a script against such a server, in a folder inside the one that must not be left.
#[track_caller]
fn against(answers: &[(&'static str, &str)], script: &str) -> (program::Ran, tempfile::TempDir) {
    let port = strange(answers.iter().map(|(verb, text)| (*verb, (*text).to_owned())).collect());
    let folder = tempfile::tempdir_in(crate::support::files::room()).unwrap();
    let inside = folder.path().join("inside");
    std::fs::create_dir(&inside).unwrap();
    let path = binary();
    let mut command = program::program(path.to_str().unwrap(), &inside, folder.path());
    command.args(["ftp", "-v", "-i", "-n", "--tls", "off", "127.0.0.1", &port.to_string()]);
    (program::run(command, script, Duration::from_secs(60)), folder)
}

#[test]
fn no_name_of_a_server_leads_out_of_the_folder() {
    let names = "data:../evil\r\n/tmp/../evil\r\n..\r\nfine\r\nsub/../../evil\r\n";
    let answers = [("USER", "230 in"), ("NLST", names), ("RETR", "data:bytes")];
    let (ran, folder) = against(&answers, "user x\nmget *\nnmap $1.$2 $1/../../$2\nmget *\n");
    assert!(!folder.path().join("evil").exists(), "{}", ran.text);
    assert_eq!(std::fs::read(folder.path().join("inside/fine")).unwrap(), b"bytes");
    ran.prints(&["would lead out of the folder"]);
}

#[test]
fn a_server_that_goes_is_missed_in_bsds_words() {
    let (ran, _folder) = against(&[("USER", "230 in"), ("CWD", "gone")], "user x\ncd y\npwd\n");
    ran.prints(&["421 Service not available, remote server has closed connection", "Not connected."]);
    let (ran, _folder) =
        against(&[("USER", "230 in"), ("CWD", "421 Closing for the night")], "user x\ncd y\npwd\n");
    assert!(!ran.text.contains("421 Service not available"), "{}", ran.text);
    ran.prints(&["421 Closing for the night", "Not connected."]);
}

#[test]
fn a_reply_cannot_move_the_cursor() {
    let (ran, _folder) = against(&[("PWD", "257 \"\u{1b}[2J\"")], "pwd\n");
    assert!(!ran.text.contains('\u{1b}'), "{}", ran.text);
    ran.prints(&["257 \"\\u{1b}[2J\""]);
}
