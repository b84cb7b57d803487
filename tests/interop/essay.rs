//! The two sessions of the essay "Active FTP vs. Passive FTP, a Definitive Explanation": the classic clients, with `-d`,
//! must have the essay's dialogue with our server, verb for verb and code for code, and with its texts.
//!
//! `essay/active.txt` and `essay/passive.txt` are the essay's dialogues. `essay/CLIENT-MODE.txt` is what a client of today
//! prints: the same lines, and those that it adds, marked `+`, each with a comment on why. The server's text in a
//! marked line is not compared, only its code.

use crate::support::server::Server;

pub(crate) const ESSAY: [&str; 2] = [include_str!("essay/active.txt"), include_str!("essay/passive.txt")];
const TNFTP: [&str; 2] = [include_str!("essay/tnftp-active.txt"), include_str!("essay/tnftp-passive.txt")];
const INETUTILS: [&str; 2] =
    [include_str!("essay/inetutils-active.txt"), include_str!("essay/inetutils-passive.txt")];

/// What the client printed of the dialogue: what it sent, what was answered, what was listed. Replies of several lines
/// become their last one; addresses, ports, dates, sizes and owners become words.
fn transcript(text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut open: Option<String> = None;
    for line in text.lines().map(str::trim_end) {
        if let Some(code) = &open {
            if line.starts_with(&format!("{code} ")) {
                open = None;
                lines.push(line.to_owned());
            }
            continue;
        }
        let code = line.get(..3).filter(|code| code.bytes().all(|byte| byte.is_ascii_digit()));
        match (code, line.as_bytes().get(3)) {
            (Some(code), Some(b'-')) => open = Some(code.to_owned()),
            (Some(_), Some(b' ')) => lines.push(reply(line)),
            _ if line.starts_with("---> ") => lines.push(sent(line)),
            _ => lines.extend(listed(line)),
        }
    }
    lines
}

pub(crate) fn sent(line: &str) -> String {
    match line.strip_prefix("---> PORT ") {
        Some(address) if host_port(address) => "---> PORT ADDRESS".to_owned(),
        _ => line.to_owned(),
    }
}

pub(crate) fn reply(line: &str) -> String {
    if let Some(host) = line.strip_prefix("220 ").and_then(|rest| rest.strip_suffix(" FTP server ready.")) {
        assert!(!host.is_empty() && !host.contains(' '), "a greeting names one host: {line}");
        return "220 HOST FTP server ready.".to_owned();
    }
    match line.split_once('(').and_then(|(text, rest)| Some((text, rest.split_once(')')?))) {
        Some((text, (address, rest))) if host_port(address) => format!("{text}(ADDRESS){rest}"),
        _ => line.to_owned(),
    }
}

/// Six numbers, the first four of this machine.
fn host_port(text: &str) -> bool {
    let numbers: Option<Vec<u8>> = text.split(',').map(|number| number.parse().ok()).collect();
    numbers.is_some_and(|numbers| numbers.len() == 6 && numbers[..4] == [127, 0, 0, 1])
}

/// `drwx------   3 slacker  users        104 Jul 27 01:45 public_html`, with what a machine decides made equal.
pub(crate) fn listed(line: &str) -> Option<String> {
    const MONTHS: &str = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec";
    let fields: Vec<&str> = line.split_whitespace().collect();
    let [mode, links, _, _, size, month, day, when, name] = fields[..] else { return None };
    let number = |text: &str| text.parse::<u64>().is_ok();
    let time =
        number(when) || when.split_once(':').is_some_and(|(hour, minute)| number(hour) && number(minute));
    let is_line = mode.len() == 10 && number(links) && number(size) && number(day) && time;
    (is_line && MONTHS.contains(month)).then(|| format!("{mode} N OWNER GROUP SIZE DATE {name}"))
}

struct Expected {
    /// Every line, and whether the client adds it.
    lines: Vec<(bool, String)>,
}

fn expected(text: &str) -> Expected {
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let marked = |line: &str| match line.strip_prefix("+ ") {
        Some(line) => (true, line.to_owned()),
        None => (false, line.to_owned()),
    };
    Expected { lines: lines.map(marked).collect() }
}

#[track_caller]
pub(crate) fn compare(seen: &str, with: &str, essay: &str) {
    let expected = expected(with);
    let plain: Vec<&str> =
        expected.lines.iter().filter(|(added, _)| !added).map(|(_, line)| line.as_str()).collect();
    let essays: Vec<&str> = essay.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(plain, essays, "without the client's additions the expected file is the essay's dialogue");

    let mut seen_lines = transcript(seen);
    for (line, (added, wanted)) in seen_lines.iter_mut().zip(&expected.lines) {
        let is_reply = wanted.as_bytes().first().is_some_and(u8::is_ascii_digit);
        if *added && is_reply && line.get(..3) == wanted.get(..3) {
            line.clone_from(wanted);
        }
    }
    let wanted: Vec<&str> = expected.lines.iter().map(|(_, line)| line.as_str()).collect();
    assert_eq!(seen_lines.join("\n"), wanted.join("\n"), "the client printed:\n{seen}");
}

fn essay_server(client: &str) -> Option<Server> {
    crate::support::program::have(client).then(serve_essay)
}

/// The essay's server: one user, one folder with one folder in it.
pub(crate) fn serve_essay() -> Server {
    use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
    let server = Server::start("127.0.0.1", "slacker", "TmpPass");
    let folder = server.root().join("public_html");
    std::fs::DirBuilder::new().mode(0o700).create(&folder).expect("a test folder can be made");
    // The clients log in by themselves, as in the essay, when they know the password.
    let netrc = server.home().join(".netrc");
    std::fs::write(&netrc, "machine 127.0.0.1 login slacker password TmpPass\n")
        .expect("a test file can be written");
    std::fs::set_permissions(&netrc, std::fs::Permissions::from_mode(0o600)).expect("a test file has a mode");
    server
}

#[track_caller]
fn session(client: &str, flag: &str, script: &str, with: &str, essay: &str) {
    let Some(server) = essay_server(client) else { return };
    // `-v` prints the replies, which a client does by itself only on a terminal.
    let ran = server.run(client, &["-d", "-v", flag, server.host, &server.port_word()], script);
    compare(&ran.text, with, essay);
}

#[test]
fn tnftp_has_the_essays_active_session() {
    session("tnftp", "-A", "epsv4 off\nls\nquit\n", TNFTP[0], ESSAY[0]);
}

#[test]
fn tnftp_has_the_essays_passive_session() {
    session("tnftp", "-A", "epsv4 off\npassive\nls\nquit\n", TNFTP[1], ESSAY[1]);
}

#[test]
fn inetutils_has_the_essays_active_session() {
    session("inetutils-ftp", "-A", "ls\nquit\n", INETUTILS[0], ESSAY[0]);
}

#[test]
fn inetutils_has_the_essays_passive_session() {
    session("inetutils-ftp", "-A", "passive\nls\nquit\n", INETUTILS[1], ESSAY[1]);
}

#[test]
fn a_transcript_keeps_the_dialogue_only() {
    let text = "Connected to 127.0.0.1.\n220 vm FTP server ready.\n---> FEAT\n211-Extensions:\n 200 not a reply\n211 End\n\
                ---> PORT 127,0,0,1,4,1\nlocal: a remote: a\n227 Entering Passive Mode (127,0,0,1,97,172).\n\
                drwx------   3 slacker  users        104 Jul 27 01:45 public_html\n";
    let wanted = [
        "220 HOST FTP server ready.",
        "---> FEAT",
        "211 End",
        "---> PORT ADDRESS",
        "227 Entering Passive Mode (ADDRESS).",
        "drwx------ N OWNER GROUP SIZE DATE public_html",
    ];
    assert_eq!(transcript(text), wanted);
}
