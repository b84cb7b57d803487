//! The essay's two sessions in our own shell, with everything that is on the screen: prompts, what is typed, what the shell
//! says, and the dialogue.

use crate::interop::essay::{ESSAY, compare, listed, reply, sent, serve_essay};
use crate::shell::typist::Typist;
use crate::support::server::binary;

const SCREENS: [&str; 2] = [include_str!("essay/active.txt"), include_str!("essay/passive.txt")];

/// The screen with what a machine decides made equal.
fn screen(text: &str) -> String {
    let line = |line: &str| match line.trim_end() {
        line if line.starts_with("---> ") => sent(line),
        line if line.get(..3).is_some_and(|code| code.bytes().all(|b| b.is_ascii_digit())) => reply(line),
        line => listed(line).unwrap_or_else(|| line.to_owned()),
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

fn wanted(text: &str) -> String {
    text.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>().join("\n")
}

/// The commands of a session as they are typed, each at its prompt.
#[track_caller]
fn session(flags: &[&str], commands: &[&str], which: usize) {
    let server = serve_essay();
    // At a terminal somebody is asked.
    std::fs::remove_file(server.home().join(".netrc")).expect("a test file can be removed");
    let port = server.port_word();
    let args = [&["ftp", "--tls", "off", "-d"], flags, &[server.host, &port]].concat();
    // A terminal that obeys nothing: what is on the screen is what was said and typed.
    let mut typist = Typist::begin(&server, &args, "dumb");
    typist.sees("Name (127.0.0.1:slacker): ");
    typist.types("slacker");
    typist.sees("Password:");
    typist.types("TmpPass");
    for command in commands {
        typist.sees("ftp> ");
        typist.types(command);
    }
    typist.ends();
    let seen = typist.screen();
    assert_eq!(screen(&seen), wanted(SCREENS[which]), "the screen was:\n{seen}");
    compare(&seen, ESSAY[which], ESSAY[which]);
}

#[test]
fn our_shell_has_the_essays_active_session_on_its_screen() {
    session(&["-A"], &["ls", "quit"], 0);
}

#[test]
fn our_shell_has_the_essays_passive_session_on_its_screen() {
    session(&[], &["passive", "ls", "quit"], 1);
}

/// As the classic clients are compared in `interop/essay.rs`: the login from `.netrc`, the commands from a script.
#[test]
fn our_shell_has_the_essays_sessions_as_scripts() {
    let path = binary();
    let program = path.to_str().expect("the program's path is UTF-8");
    for (script, which) in [("ls\nquit\n", 0), ("passive\nls\nquit\n", 1)] {
        let server = serve_essay();
        let port = server.port_word();
        let args = ["ftp", "--tls", "off", "-d", "-A", server.host, &port];
        let ran = server.run(program, &args, script).fine();
        compare(&ran.text, ESSAY[which], ESSAY[which]);
    }
}
