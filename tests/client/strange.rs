//! Servers that are strange on purpose: what the ladder makes of refusals, wrong addresses, odd texts and silence.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use twoport_client::{Error, Journey, Notice, Options};
use twoport_proto::hostport::read_port;
use twoport_proto::{Kind, Secret};
use twoport_session::client::io::Rung;

use super::house::{enter, fetch, wait};
use crate::face::run_in;
use crate::support::files::room;
use crate::support::server::binary;

/// What the file of a strange server holds.
const FILE: &[u8] = b"the file, the whole file, and nothing but the file";

/// How a strange server answers EPSV and PASV. `{}` stands for the port's two numbers, `#` for the port.
#[derive(Clone, Copy)]
struct Manners {
    epsv: &'static str,
    pasv: &'static str,
    port: &'static str,
}

const PLAIN: Manners = Manners {
    epsv: "229 Entering Extended Passive Mode (|||#|)",
    pasv: "227 Entering Passive Mode (127,0,0,1,{})",
    port: "200 ok",
};

/// A server for one session, with these manners.
fn serve(manners: Manners) -> (u16, JoinHandle<()>) {
    let control = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = control.local_addr().unwrap().port();
    (port, std::thread::spawn(move || one_session(&control, manners)))
}

/// One session with these manners.
fn one_session(control: &TcpListener, manners: Manners) {
    let (stream, _) = control.accept().unwrap();
    let mut out = stream.try_clone().unwrap();
    let mut say = move |text: &str| _ = out.write_all(format!("{text}\r\n").as_bytes());
    let mut passive: Option<TcpListener> = None;
    let mut target: Option<SocketAddr> = None;
    say("220 strange");
    for line in BufReader::new(stream).lines() {
        let Ok(line) = line else { return };
        let (verb, argument) = line.split_once(' ').unwrap_or((&line, ""));
        match verb {
            "USER" => say("331 and?"),
            "PASS" => say("230 in"),
            "FEAT" => say("500 no"),
            "TYPE" => say("200 ok"),
            "EPSV" | "PASV" => {
                let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
                let port = listener.local_addr().unwrap().port();
                let text = if verb == "EPSV" { manners.epsv } else { manners.pasv };
                say(&text
                    .replace("{}", &format!("{},{}", port >> 8, port & 255))
                    .replace('#', &port.to_string()));
                passive = Some(listener);
            }
            "PORT" => {
                target = read_port(argument.as_bytes()).ok().map(SocketAddr::V4);
                passive = None;
                say(manners.port);
            }
            "RETR" => {
                let link = match (passive.take(), target.take()) {
                    (Some(listener), _) => listener.accept().map(|(link, _)| link),
                    (None, Some(target)) => TcpStream::connect(target),
                    (None, None) => return say("425 no"),
                };
                match link {
                    Ok(mut link) => {
                        say("150 here it comes");
                        link.write_all(FILE).unwrap();
                        drop(link);
                        say("226 done");
                    }
                    Err(_) => say("425 no"),
                }
            }
            "QUIT" => return say("221 bye"),
            _ => say("502 what?"),
        }
    }
}

/// The file comes; the steps down that were told, and the rung that carried.
#[track_caller]
fn gets_through(manners: Manners) -> (Vec<String>, Rung) {
    let (port, running) = serve(manners);
    let steps = wait(async {
        let (mut client, told) = enter(port, Options::default()).await.expect("the login goes well");
        let file = fetch(&mut client, b"file", 0).await.expect("some road carries");
        assert_eq!(file, FILE);
        // What worked is what the next transfer begins with.
        let rung = client.rung().expect("there are rungs");
        client.quit().await;
        let told = told.lock().unwrap();
        let steps = told.iter().filter_map(|notice| match notice {
            Notice::Stepped(why) => Some(why.clone()),
            _ => None,
        });
        (steps.collect(), rung)
    });
    running.join().unwrap();
    steps
}

#[test]
fn the_first_rung_carries_without_a_word() {
    assert_eq!(gets_through(PLAIN), (Vec::new(), Rung::Epsv));
}

#[test]
fn epsv_refused_is_said_and_pasv_carries() {
    let (steps, rung) = gets_through(Manners { epsv: "500 what?", ..PLAIN });
    assert_eq!((steps.len(), rung), (1, Rung::Pasv));
    assert!(steps[0].contains("EPSV was refused: 500 what?"), "{steps:?}");
}

#[test]
fn odd_answers_to_pasv_are_understood() {
    for pasv in [
        "227 Entering Passive Mode 127,0,0,1,{}",
        "227 =127,0,0,1,{}",
        "227 Entering Passive Mode (0,0,0,0,{})",
        "229 Entering Extended Passive Mode (|||#|)",
        "227 Entering Passive Mode (10,1,2,3,{})",
        "227 Entering Passive Mode (203,0,113,9,{})",
    ] {
        let (_, rung) = gets_through(Manners { epsv: "500 what?", pasv, ..PLAIN });
        assert_eq!(rung, Rung::Pasv, "{pasv}");
    }
}

#[test]
fn an_address_that_cannot_be_the_servers_is_corrected_and_told() {
    let (steps, _) = gets_through(Manners { epsv: "500", pasv: "227 (10,1,2,3,{})", ..PLAIN });
    assert!(steps[1].contains("227 said 10.1.2.3:") && steps[1].contains("127.0.0.1:"), "{steps:?}");
}

#[test]
fn a_port_that_nobody_answers_at_steps_down() {
    // Port 1 of this host is refused at once; a port that is filtered costs the rung's patience instead.
    let (steps, rung) = gets_through(Manners { epsv: "229 (|||1|)", ..PLAIN });
    assert_eq!((steps.len(), rung), (1, Rung::Pasv));
    assert!(steps[0].contains("127.0.0.1:1"), "{steps:?}");
}

#[test]
fn active_mode_is_the_last_rung() {
    let (steps, rung) = gets_through(Manners { epsv: "500 no", pasv: "550 no", ..PLAIN });
    assert_eq!((steps.len(), rung), (2, Rung::Active));
}

#[test]
fn what_worked_is_remembered_and_forgotten_when_it_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let memory = folder.path().join("roads");
    let epsv_dead = Manners { epsv: "229 (|||1|)", ..PLAIN };
    let all_dead = Manners { epsv: "500 no", pasv: "500 no", port: "500 no" };
    // One port for all, since what is remembered is remembered of a port.
    let control = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = control.local_addr().unwrap().port();
    let steps = |manners: Manners| {
        let control = control.try_clone().unwrap();
        let running = std::thread::spawn(move || one_session(&control, manners));
        let told: super::house::Told = Arc::default();
        let hear = Arc::clone(&told);
        let notice = Box::new(move |notice| hear.lock().unwrap().push(notice));
        let login = (b"anna".to_vec(), Secret::new("secret"), None);
        let options = Options { rungs: vec![Rung::Epsv, Rung::Pasv, Rung::Active], ..Options::default() };
        let mut journey = Journey::new("127.0.0.1", port, login, options, notice);
        journey.remember(memory.clone());
        let done = wait(async {
            let done = journey.run(|| 0, async |client| fetch(client, b"file", 0).await).await;
            journey.end().await;
            done
        });
        running.join().unwrap();
        let told = told.lock().unwrap();
        let steps = told.iter().filter(|notice| matches!(notice, Notice::Stepped(_))).count();
        (done.is_ok(), steps)
    };
    assert_eq!(steps(epsv_dead), (true, 1));
    assert_eq!(steps(epsv_dead), (true, 0), "it begins with PASV");
    assert!(!steps(all_dead).0);
    assert_eq!(steps(epsv_dead), (true, 1), "it begins at the top again");
}

#[test]
fn when_no_rung_carries_every_step_is_told() {
    let (port, running) = serve(Manners { epsv: "500 no", pasv: "227 no numbers", port: "500 no" });
    wait(async {
        let (mut client, _) = enter(port, Options::default()).await.unwrap();
        match fetch(&mut client, b"file", 0).await {
            Err(Error::Unreachable { steps, .. }) => assert_eq!(steps.len(), 5, "{steps:?}"),
            other => panic!("{other:?}"),
        }
        client.quit().await;
    });
    running.join().unwrap();
}

#[test]
fn endless_lines_and_nonsense_are_an_error_and_not_the_end_of_memory() {
    for text in [&b"220-hello\r\n"[..], b"HTTP/1.1 400 Bad Request\r\n", b"\xff\xfe\x00\r\n"] {
        let control = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = control.local_addr().unwrap().port();
        let running = std::thread::spawn(move || {
            let (mut stream, _) = control.accept().unwrap();
            // Until the client has had enough.
            while stream.write_all(text).is_ok() {}
        });
        let options = Options { timeout: Duration::from_secs(20), ..Options::default() };
        let error = wait(enter(port, options)).err().expect("that is no FTP server");
        assert!(matches!(error, Error::OutOfStep(_) | Error::Unreachable { .. }), "{error}");
        running.join().unwrap();
    }
}

#[test]
fn a_server_that_does_not_say_goodbye_is_left_all_the_same() {
    let control = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = control.local_addr().unwrap().port();
    let running = std::thread::spawn(move || {
        let (stream, _) = control.accept().unwrap();
        let mut out = stream.try_clone().unwrap();
        let mut say = move |text: &str| _ = out.write_all(format!("{text}\r\n").as_bytes());
        say("220 strange");
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            match line.split(' ').next() {
                Some("USER") => say("230 in"),
                Some("QUIT") => {}
                _ => say("502 what?"),
            }
        }
    });
    // Whoever waits for the answer waits for a day.
    let options = Options { timeout: Duration::from_secs(86_400), ..Options::default() };
    wait(async { enter(port, options).await.unwrap().0.quit().await });
    running.join().unwrap();
}

#[test]
fn where_no_road_carries_and_the_session_is_lost_a_listing_comes_over_the_control_connection() {
    let control = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = control.local_addr().unwrap().port();
    let running = std::thread::spawn(move || {
        // Two sessions: in the first it is asked to connect, and neither does so nor says a word.
        for _ in 0..2 {
            let (stream, _) = control.accept().unwrap();
            let mut out = stream.try_clone().unwrap();
            let mut say = move |text: &str| _ = out.write_all(format!("{text}\r\n").as_bytes());
            say("220 deaf");
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                match line.split(' ').next().unwrap_or_default() {
                    "USER" => say("331 and?"),
                    "PASS" => say("230 in"),
                    "TYPE" | "PORT" => say("200 ok"),
                    "STAT" => {
                        say("213-Status:\r\n-rw-r--r-- 1 a b 7 Jan 01 2020 one\r\n213 End");
                    }
                    "LIST" => {}
                    "QUIT" => {
                        say("221 bye");
                        break;
                    }
                    _ => say("502 no"),
                }
            }
        }
    });
    let options = Options { rungs: vec![Rung::Active], ..Options::default() };
    let login = (b"anna".to_vec(), Secret::new("secret"), None);
    let mut journey = Journey::new("127.0.0.1", port, login, options, Box::new(|_| {}));
    let names = wait(async {
        let now = twoport_proto::Moment::from_seconds(1_800_000_000);
        let listed = journey.run(|| 0, async |client| client.list(b"", now).await).await;
        journey.end().await;
        listed.map(|entries| entries.into_iter().map(|entry| entry.name).collect::<Vec<_>>())
    });
    assert_eq!(names.unwrap(), [b"one"]);
    running.join().unwrap();
}

/// A server whose LIST nobody understands.
#[test]
fn a_listing_that_is_not_understood_is_asked_for_by_name() {
    let control = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = control.local_addr().unwrap().port();
    let running = std::thread::spawn(move || {
        let (stream, _) = control.accept().unwrap();
        let mut out = stream.try_clone().unwrap();
        let mut say = move |text: &str| _ = out.write_all(format!("{text}\r\n").as_bytes());
        let mut passive: Option<TcpListener> = None;
        say("220 odd");
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            let (verb, argument) = line.split_once(' ').unwrap_or((&line, ""));
            match verb {
                "USER" => say("230 in"),
                "TYPE" => say("200 ok"),
                "PWD" => say("257 \"/\""),
                "CWD" if argument == "sub" || argument == "/" => say("250 there"),
                "SIZE" if argument == "one" => say("213 17"),
                "MDTM" if argument == "one" => say("213 20200102030405"),
                "EPSV" => {
                    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
                    say(&format!("229 here (|||{}|)", listener.local_addr().unwrap().port()));
                    passive = Some(listener);
                }
                "LIST" | "NLST" => {
                    let Some(listener) = passive.take() else { return say("425 no") };
                    let (mut link, _) = listener.accept().unwrap();
                    say("150 here it comes");
                    let text =
                        if verb == "LIST" { "%% <one> ~~ 17\r\n" } else { "one\r\nsub\r\n../evil\r\n" };
                    link.write_all(text.as_bytes()).unwrap();
                    drop(link);
                    say("226 done");
                }
                "QUIT" => return say("221 bye"),
                _ => say("502 what?"),
            }
        }
    });
    let listed = wait(async {
        let (mut client, _) = enter(port, Options::default()).await.unwrap();
        let listed = client.list(b"", twoport_proto::Moment::from_seconds(1_800_000_000)).await;
        client.quit().await;
        listed.unwrap()
    });
    let told: Vec<_> = listed.iter().map(|entry| (entry.name.as_slice(), entry.kind, entry.size)).collect();
    assert_eq!(told, [(&b"one"[..], Kind::File, 17), (b"sub", Kind::Directory, 0)]);
    assert_eq!(listed[0].modified.unwrap().stamp(), "20200102030405");
    running.join().unwrap();
}

/// A server whose data connection goes dead in the middle of a file, without an end; what it then says of the transfer is
/// `word`. Behind REST it sends the rest in order.
fn dead_in_the_middle(word: &'static str) -> (u16, JoinHandle<()>) {
    let control = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = control.local_addr().unwrap().port();
    let running = std::thread::spawn(move || {
        let mut dead = Vec::new();
        loop {
            let (stream, _) = control.accept().unwrap();
            let mut out = stream.try_clone().unwrap();
            let mut say = move |text: &str| _ = out.write_all(format!("{text}\r\n").as_bytes());
            let (mut passive, mut from) = (None::<TcpListener>, 0);
            say("220 dead");
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                let (verb, argument) = line.split_once(' ').unwrap_or((&line, ""));
                match verb {
                    "USER" => say("230 in"),
                    "TYPE" => say("200 ok"),
                    "SIZE" => say("213 9"),
                    "REST" => {
                        from = argument.parse().unwrap();
                        say("350 go on");
                    }
                    "EPSV" => {
                        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
                        say(&format!("229 here (|||{}|)", listener.local_addr().unwrap().port()));
                        passive = Some(listener);
                    }
                    "RETR" => {
                        let (mut link, _) = passive.take().unwrap().accept().unwrap();
                        say("150 here it comes");
                        if from == 0 {
                            link.write_all(b"half ").unwrap();
                            dead.push(link);
                            say(word);
                        } else {
                            link.write_all(&b"half done"[from..]).unwrap();
                            drop(link);
                            say("226 done");
                        }
                        from = 0;
                    }
                    "QUIT" => {
                        say("221 bye");
                        if !dead.is_empty() {
                            return;
                        }
                    }
                    _ => say("502 what?"),
                }
            }
        }
    });
    (port, running)
}

#[test]
fn a_last_word_without_the_end_of_the_stream_does_not_make_half_a_file_whole() {
    // Well or not: what came before the word is not all, and the rest is fetched in another session. Nobody waits for
    // the dead connection, which would be an hour.
    for word in ["226 done", "426 cut"] {
        let (port, running) = dead_in_the_middle(word);
        let folder = tempfile::tempdir_in(room()).unwrap();
        let url = format!("ftp://a:b@127.0.0.1:{port}/x");
        let out = run_in(folder.path(), &["get", "--timeout", "3600", &url]);
        assert_eq!(out.status.code(), Some(0), "{}", String::from_utf8_lossy(&out.stderr));
        assert_eq!(std::fs::read(folder.path().join("x")).unwrap(), b"half done", "{word}");
        running.join().unwrap();
        let (port, running) = dead_in_the_middle(word);
        let url = format!("ftp://a:b@127.0.0.1:{port}/x");
        let out = run_in(folder.path(), &["cat", "--timeout", "3600", &url]);
        assert_eq!(out.stdout, b"half done", "{word}: {}", String::from_utf8_lossy(&out.stderr));
        running.join().unwrap();
    }
}

#[test]
fn the_shell_gives_half_a_file_no_name() {
    let (port, running) = dead_in_the_middle("226 done");
    let folder = tempfile::tempdir_in(room()).unwrap();
    let out = run_script(folder.path(), port, "get x\nbye\n");
    assert_ne!(out.status.code(), Some(0), "{}", String::from_utf8_lossy(&out.stdout));
    assert!(!folder.path().join("x").exists());
    assert_eq!(std::fs::read(folder.path().join("x.part")).unwrap(), b"half ");
    running.join().unwrap();
}

/// The shell with this script, logged in at a server on this port.
fn run_script(folder: &std::path::Path, port: u16, script: &str) -> std::process::Output {
    let mut child = std::process::Command::new(binary())
        .args(["ftp", "-n", "127.0.0.1", &port.to_string()])
        .current_dir(folder)
        .env("HOME", folder)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("the program runs");
    let said = format!("user a b\nbinary\n{script}");
    child.stdin.take().unwrap().write_all(said.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}
