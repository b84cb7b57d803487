//! The laboratory: every situation is real. Its fault makes those modes fail that must, and the others get through; and nothing
//! of it is left.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use twoport_lab::situation::Tls;
use twoport_lab::{Outcome, Situation, Stage, attempt, programs, situations};

use crate::support::program::{self, have};
use crate::support::server::binary;

/// Situations at the same time. Nearly all of the time of one is waiting for what does not come.
const AT_ONCE: usize = 12;

/// How long the program may take for one situation: the clients have their own limits.
const LIMIT: Duration = Duration::from_secs(240);

#[test]
fn in_every_situation_the_modes_fail_and_get_through_that_must() {
    if !crate::netns::have() {
        return;
    }
    let (all, next, wrong) = (situations(), AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(situation) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Err(why) = is_real(situation) {
                        wrong.lock().unwrap().push(format!("{}: {why}", situation.slug));
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{} of {} are not as they say:\n{}", wrong.len(), all.len(), wrong.join("\n"));
}

fn is_real(situation: &Situation) -> Result<(), String> {
    let stage = Stage::build(situation, &binary()).map_err(|error| error.to_string())?;
    let attempts = attempt::all(&stage).map_err(|error| error.to_string())?;
    let told = || {
        let each = attempts.iter().map(|one| format!("{} {} {}", one.mode.name(), one.outcome, one.why));
        each.collect::<Vec<_>>().join("; ")
    };
    if attempts.iter().map(|one| one.outcome).ne(situation.modes) {
        return Err(format!("{}\n{}", told(), stage.seen()));
    }
    if stage.hits().map_err(|error| error.to_string())? == Some(0) {
        return Err(format!("nothing met the fault: {}\n{}", told(), stage.seen()));
    }
    Ok(())
}

/// Our client resumes what it must, so no mode of its fails there; one that resumes nothing is shut out.
#[test]
fn where_resumption_is_demanded_a_client_without_it_is_shut_out() {
    if !crate::netns::have() || !have("curl") {
        return;
    }
    let named = |situation: &Situation| situation.slug == "tls-resumption-demanded";
    let situation = situations().into_iter().find(named).unwrap();
    assert_eq!(situation.tls, Tls::Explicit);
    let stage = Stage::build(&situation, &binary()).unwrap();
    for (flags, ok) in [(&[][..], true), (&["--no-sessionid"], false)] {
        let mut curl = stage.client().command("curl");
        curl.args(["-sSv", "--ssl-reqd", "--insecure", "-o", "file"]).args(flags);
        curl.arg(stage.url().replacen("ftpes", "ftp", 1));
        programs::at_home(&mut curl, &stage);
        let ran = program::run(curl, "", Duration::from_secs(40));
        assert_eq!(ran.ok, ok, "{}", ran.text);
    }
}

#[test]
fn the_program_tells_what_came_of_each_mode_and_client_and_leaves_nothing() {
    if !crate::netns::have() {
        return;
    }
    let mut lab = Command::new(binary());
    lab.args(["lab", "--json", "range-reset", "plain"]);
    let (child, text) = ended(lab, "", LIMIT);
    let [reset, plain] = &text.lines().collect::<Vec<_>>()[..] else { panic!("{text}") };
    let [reset, plain] =
        [reset, plain].map(|line| serde_json::from_str::<serde_json::Value>(line).expect(&text));
    assert_eq!((&reset["situation"], &plain["situation"]), (&"range-reset".into(), &"plain".into()));
    assert_eq!(
        (&reset["cause"], &reset["side"]),
        (&"passive-range-rejected".into(), &"server-router".into())
    );
    assert_eq!(reset["modes"], serde_json::json!({"EPSV": "no", "PASV": "no", "EPRT": "yes", "PORT": "yes"}));
    assert!(reset["reasons"]["EPSV"].as_str().unwrap().contains("refused"), "{reset}");
    assert_eq!(plain["modes"]["EPSV"], "yes");
    for report in [&reset, &plain] {
        assert_eq!(report["clients"]["twoport"], "yes", "{report}");
    }
    assert!(left_of(child).is_empty(), "{:?}", left_of(child));
}

/// Something takes the connections to the passive ports, or lets nothing through that is in them: the server may connect.
#[test]
fn where_passive_mode_is_dead_behind_its_handshake_our_client_turns_round() {
    if !crate::netns::have() {
        return;
    }
    for slug in ["data-taken-by-a-box", "payload-filtered"] {
        let situation = situations().into_iter().find(|situation| situation.slug == slug).unwrap();
        let stage = Stage::build(&situation, &binary()).unwrap();
        let mut get = stage.client().command(binary());
        get.args(["get", "--quiet", "--tls", "off", "-o", "file"]).arg(stage.url());
        programs::at_home(&mut get, &stage);
        let ran = program::run(get, "", LIMIT);
        assert_eq!(
            ran.ok,
            situation.modes.iter().any(|outcome| *outcome != Outcome::Failed),
            "{slug}: {}",
            ran.text
        );
    }
}

#[test]
fn what_cannot_be_is_said_at_once() {
    let ran = program::run(
        {
            let mut lab = Command::new(binary());
            lab.args(["lab", "no-such-thing"]);
            lab
        },
        "",
        LIMIT,
    );
    assert!(!ran.ok);
    ran.prints(&["there is no situation \"no-such-thing\"", "twoport lab --list"]);
    let mut list = Command::new(binary());
    list.args(["lab", "--list"]);
    let listed = program::run(list, "", LIMIT).fine().text;
    let expected: String = situations().iter().map(|situation| format!("{situation}\n")).collect();
    assert_eq!(listed, expected);
}

#[test]
fn a_user_enters_a_situation_and_nothing_of_it_is_left() {
    if !crate::netns::have() {
        return;
    }
    let mut lab = Command::new(binary());
    lab.args(["lab", "shell", "227-private"]).env("SHELL", "/bin/sh");
    let (child, text) = ended(lab, "ip -4 -o address show dev home\nexit\n", LIMIT);
    for part in ["user lab, password lab", "ftp://lab:lab@198.51.100.2/file.bin", "10.77.1.2/24"] {
        assert!(text.contains(part), "no {part:?} in {text}");
    }
    assert!(left_of(child).is_empty(), "{:?}", left_of(child));
}

#[test]
fn a_laboratory_that_is_told_to_end_leaves_nothing() {
    if !crate::netns::have() {
        return;
    }
    // Ctrl-C at a shell is the shell's, and ends a run.
    for (args, signal, ends) in [
        (&["lab", "shell", "plain"][..], Signal::INT, false),
        (&["lab", "shell", "plain"], Signal::TERM, true),
        (&["lab", "nothing-listens", "control-dropped"], Signal::INT, true),
    ] {
        let mut command = Command::new(binary());
        command.args(args).env("SHELL", "/bin/sh");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = Running(command.spawn().unwrap());
        let process = Pid::from_child(&child.0);
        let mut printed = BufReader::new(child.0.stdout.take().unwrap());
        let end = std::time::Instant::now() + LIMIT;
        let mut begun = String::new();
        if args.contains(&"shell") {
            while !begun.contains("ftp://") {
                assert_ne!(printed.read_line(&mut begun).unwrap(), 0, "{begun}");
            }
        } else {
            while left_of(child.0.id()).is_empty() {
                assert!(std::time::Instant::now() < end, "nothing is built");
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        // A shell whose input ends would end by itself.
        let mut input = child.0.stdin.take().unwrap();
        kill_process(process, signal).unwrap();
        if !ends {
            // It goes on, and ends as it should.
            writeln!(input, "echo still $((40 + 2))\nexit").unwrap();
            printed.read_to_string(&mut begun).unwrap();
            assert!(begun.contains("still 42"), "{begun}");
        }
        let status = child.0.wait().unwrap();
        drop(input);
        assert_eq!(status.code(), Some(if ends { 7 } else { 0 }), "{args:?}");
        assert!(left_of(child.0.id()).is_empty(), "{:?}", left_of(child.0.id()));
    }
}

/// Runs it to its end and gives its number and what it printed.
#[track_caller]
fn ended(mut command: Command, input: &str, limit: Duration) -> (u32, String) {
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = Running(command.spawn().unwrap());
    let number = child.0.id();
    child.0.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let mut from = child.0.stdout.take().unwrap();
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        from.read_to_string(&mut text).map(|_| text)
    });
    let end = std::time::Instant::now() + limit;
    let status = loop {
        if let Some(status) = child.0.try_wait().unwrap() {
            break status;
        }
        assert!(std::time::Instant::now() < end, "it does not end");
        std::thread::sleep(Duration::from_millis(20));
    };
    let text = reader.join().unwrap().unwrap();
    assert!(status.success(), "{status}: {text}");
    (number, text)
}

/// What there is of a process's networks.
fn left_of(process: u32) -> Vec<String> {
    let folders = ["/run/netns", "/etc/netns", "/run/twoport-netns"].map(Path::new);
    let names = folders.iter().filter_map(|folder| std::fs::read_dir(folder).ok()).flatten().flatten();
    let names = names.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter(|name| name.starts_with(&format!("tp-{process}-"))).collect()
}

/// A child that does not outlive the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        _ = self.0.kill();
        _ = self.0.wait();
    }
}
