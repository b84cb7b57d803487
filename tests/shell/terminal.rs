//! The shell at a terminal: questions and answers, editing, completion, history, and Ctrl-C.

use super::known_server;
use crate::shell::typist::Typist;
use crate::support::server::Server;
use crate::support::wait_until;

#[test]
fn somebody_is_asked_for_a_name_and_a_password_that_nobody_sees() {
    let server = Server::start("127.0.0.1", "alice", "secret");
    let port = server.port_word();
    let mut typist = Typist::begin(&server, &["ftp", "--tls", "off", server.host, &port], "vt100");
    typist.sees("Name (127.0.0.1:slacker): ");
    typist.types("alice");
    typist.sees("Password:");
    typist.types("wrong");
    typist.sees("530 ");
    typist.sees("Login failed.");
    typist.prompt();
    typist.types("user alice");
    typist.sees("331 ");
    typist.sees("Password:");
    // A mistake is taken back.
    typist.types("secrex\u{7f}t");
    typist.sees("230 ");
    typist.prompt();
    typist.types("quit");
    typist.ends();
    assert!(!typist.screen().contains("secre"), "{}", typist.screen());
}

#[test]
fn abbreviations_and_missing_words_are_understood() {
    let server = known_server("");
    server.offers("file.bin", 2000);
    let mut typist = Typist::at_the_prompt(&server, &[]);
    typist.does_and_says("pw", &["257 \"/\""]);
    typist.does_and_says("m", &["?Ambiguous command"]);
    typist.does_and_says("xyzzy", &["?Invalid command."]);
    typist.types("rena");
    typist.sees("(from-name) ");
    typist.types("file.bin");
    typist.sees("(to-name) ");
    typist.types("other.bin");
    typist.sees("250 ");
    typist.prompt();
    typist.does_and_says("!echo a$((1+1))b", &["a2b"]);
    typist.does_and_says("ls \"\" \"|grep -c other\"", &["\n1"]);
    typist.types("by");
    typist.ends();
    assert!(server.shares("other.bin"));
}

#[test]
fn each_of_many_files_is_asked_for() {
    let server = known_server("");
    for name in ["a", "b", "c", "d", "e"] {
        server.offers(&format!("{name}.txt"), 100);
    }
    let mut typist = Typist::at_the_prompt(&server, &[]);
    typist.types("mget *.txt");
    for (name, answer) in [("a", "y"), ("b", "n"), ("c", "?"), ("c", ""), ("d", "q")] {
        typist.sees(&format!("mget {name}.txt [anpqy?]? "));
        typist.types(answer);
    }
    typist.prompt();
    let got = |name: &str| server.local().join(name).exists();
    assert!(got("a.txt") && !got("b.txt") && got("c.txt") && !got("d.txt") && !got("e.txt"));
    typist.types("mdelete *.txt");
    typist.sees("mdelete a.txt [anpqy?]? ");
    typist.types("n");
    typist.sees("mdelete b.txt [anpqy?]? ");
    typist.types("a");
    typist.sees("Prompting off for duration of mdelete.");
    typist.prompt();
    assert!(server.shares("a.txt") && !server.shares("b.txt") && !server.shares("e.txt"));
    typist.types("mget *.txt");
    typist.sees("mget a.txt [anpqy?]? ");
    typist.types("p");
    typist.sees("Interactive mode: off.");
    typist.prompt();
    typist.does_and_says("prompt", &["Interactive mode on."]);
    typist.types("quit");
    typist.ends();
}

#[test]
fn a_macro_is_typed_in_and_runs() {
    let server = known_server("");
    let mut typist = Typist::at_the_prompt(&server, &[]);
    typist.types("macdef");
    typist.sees("(macro name) ");
    typist.types("make");
    typist.sees("terminating it with a null line");
    typist.types("mkdir $1");
    typist.types("cd $1");
    typist.types("");
    typist.prompt();
    typist.does_and_says("$make box", &["mkdir box", "cd box"]);
    typist.does_and_says("pwd", &["257 \"/box\""]);
    // They go with the connection.
    typist.does("close");
    typist.does_and_says("$make box", &["'make' macro not found."]);
    typist.types("quit");
    typist.ends();
}

#[test]
fn ctrl_c_stops_a_transfer_and_not_the_session() {
    let server = known_server("");
    let bytes = server.offers("large.bin", 4 << 20);
    server.has("mine.bin", 4 << 20);
    let mut typist = Typist::at_the_prompt(&server, &["-d"]);
    typist.does("progress off");
    typist.does("rate all 64k");
    typist.types("get large.bin");
    typist.sees("150 ");
    // What has come so far is worth keeping.
    wait_until(|| server.local().join("large.bin.part").metadata().is_ok_and(|data| data.len() > 0));
    typist.presses_ctrl('c');
    typist.sees("---> ABOR");
    typist.sees("reget goes on");
    typist.prompt();
    assert!(!server.local().join("large.bin").exists());
    typist.does_and_says("pwd", &["257 \"/\""]);
    // An upload that was stopped is not taken for a whole file.
    typist.types("put mine.bin");
    typist.sees("150 ");
    typist.presses_ctrl('c');
    typist.sees("---> ABOR");
    typist.prompt();
    typist.does_and_says("pwd", &["257 \"/\""]);
    assert!(server.root().join("mine.bin").metadata().map_or(0, |data| data.len()) < 4 << 20);
    typist.does("rate all 0");
    typist.does_and_says("reget large.bin", &["---> REST ", "226 "]);
    server.client_got("large.bin", &bytes);
    // At the prompt it clears the line.
    typist.presses("delete large.bin");
    typist.presses_ctrl('c');
    typist.prompt();
    typist.types("quit");
    typist.ends();
    assert!(server.shares("large.bin"));
}

#[test]
fn ctrl_c_among_many_files_asks_whether_the_rest_is_wanted() {
    let server = known_server("");
    for name in ["a.bin", "b.bin", "c.bin"] {
        server.offers(name, 1 << 20);
    }
    let mut typist = Typist::at_the_prompt(&server, &["-i"]);
    typist.does("progress off");
    typist.does("rate get 64k");
    typist.types("mget *.bin");
    for (file, goes_on) in [("a.bin", "y"), ("b.bin", "n")] {
        typist.sees(&format!("local: {file}"));
        wait_until(|| server.local().join(format!("{file}.part")).exists());
        typist.presses_ctrl('c');
        typist.sees("Continue with mget? ");
        typist.types(goes_on);
    }
    typist.prompt();
    assert!(!server.local().join("c.bin.part").exists() && !server.local().join("c.bin").exists());
    typist.does_and_says("pwd", &["257 \"/\""]);
    typist.types("quit");
    typist.ends();
}

#[test]
fn tab_completes_commands_and_names_on_both_sides() {
    let server = known_server("");
    server.offers("some folder/inner file.txt", 321);
    server.offers("remote-name.bin", 123);
    server.has("local-name.bin", 77);
    let mut typist = Typist::at_the_prompt(&server, &[]);
    typist.presses("modt\tremote-n\t");
    typist.sees("modtime remote-name.bin ");
    typist.types("");
    typist.sees("GMT");
    typist.prompt();
    typist.presses("put loc\t");
    typist.sees("put local-name.bin ");
    typist.types("");
    typist.sees("226 ");
    typist.prompt();
    assert!(server.shares("local-name.bin"));
    // A blank in a name is protected; a folder's names are looked up when its slash is there.
    typist.presses("size some\\ folder/inn\t");
    typist.sees("some\\ folder/inner\\ file.txt ");
    typist.types("");
    typist.sees("\t321");
    typist.prompt();
    typist.types("quit");
    typist.ends();
}

#[test]
fn the_last_lines_come_back_and_passwords_do_not() {
    let server = known_server("");
    server.offers("file.bin", 4321);
    let mut typist = Typist::at_the_prompt(&server, &[]);
    typist.does_and_says("size file.bin", &["\t4321"]);
    typist.does("user alice secret");
    typist.does("open ftp://alice:secret@127.0.0.1/");
    typist.does("quote PASS secret");
    typist.presses("\u{1b}[A");
    typist.sees("size file.bin");
    typist.types("");
    typist.sees("\t4321");
    typist.prompt();
    typist.types("quit");
    typist.ends();
    // The next shell knows them too.
    let mut typist = Typist::at_the_prompt(&server, &[]);
    typist.presses("\u{10}\u{10}");
    typist.sees("size file.bin");
    typist.presses_ctrl('c');
    typist.prompt();
    typist.types("quit");
    typist.ends();
    let history = server.home().join(".local/state/twoport/ftp-history");
    let kept = std::fs::read_to_string(history).unwrap();
    assert!(kept.contains("size file.bin") && !kept.contains("secret"), "{kept}");
}

#[test]
fn a_lost_server_leaves_the_shell() {
    let mut server = known_server("");
    let mut typist = Typist::at_the_prompt(&server, &[]);
    typist.does("pwd");
    rustix::process::kill_process(
        rustix::process::Pid::from_raw(i32::try_from(server.id()).unwrap()).unwrap(),
        rustix::process::Signal::KILL,
    )
    .unwrap();
    server.wait();
    typist.does_and_says("pwd", &["421 Service not available, remote server has closed connection"]);
    typist.does_and_says("pwd", &["Not connected."]);
    typist.presses_ctrl('d');
    typist.ends();
}

#[test]
fn a_listing_cannot_move_the_cursor() {
    let listing = "data:-rw-r--r-- 1 a b 1 Jan 1 00:00 \u{1b}[2Jname\r\n".to_owned();
    let port = super::script::strange(vec![("USER", "230 in".to_owned()), ("LIST", listing)]).to_string();
    let folders = known_server("");
    let mut typist = Typist::begin(&folders, &["ftp", "--tls", "off", "127.0.0.1", &port], "vt100");
    typist.prompt();
    typist.does_and_says("ls", &["\\u{1b}[2Jname"]);
    typist.types("quit");
    typist.ends();
}
