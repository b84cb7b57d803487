//! NOOP while bytes pass: servers that answer at once, behind the 226, or never; and one that is not known to bear it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::thread::JoinHandle;
use std::time::Duration;

use twoport_client::{Options, Put};
use twoport_pipe::{Body, Progress};
use twoport_proto::{Request, Verb};

use super::house::{enter, fetch, wait};
use crate::support::files::bytes;

/// When the server answers a NOOP that comes during a transfer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Answers {
    AtOnce,
    BehindTheLastWord,
    Never,
}

const HALF: usize = 100_000;

/// More than the system takes off our hands: an upload of it stands still with the server.
const MUCH: usize = 24 << 20;

/// A server for one session; what it got by STOR is what its thread ends with. A transfer stands still at its half until
/// two NOOPs have come, where they are expected.
fn serve(greeting: &'static str, answers: Option<Answers>) -> (u16, JoinHandle<Vec<u8>>) {
    let control = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = control.local_addr().unwrap().port();
    let running = std::thread::spawn(move || {
        let (stream, _) = control.accept().unwrap();
        let mut out = &stream;
        let mut say = move |text: &str| _ = out.write_all(format!("{text}\r\n").as_bytes());
        let mut lines = BufReader::new(&stream).lines().map_while(Result::ok);
        let (mut passive, mut stored): (Option<TcpListener>, Vec<u8>) = (None, Vec::new());
        let mut answers = answers;
        say(&format!("220 {greeting}"));
        while let Some(line) = lines.next() {
            let verb = line.split(' ').next().unwrap_or_default();
            match verb {
                "USER" => say("331 and?"),
                "PASS" => say("230 in"),
                "TYPE" | "NOOP" => say("200 ok"),
                "PWD" => say("257 \"/\""),
                "EPSV" => {
                    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
                    say(&format!("229 (|||{}|)", listener.local_addr().unwrap().port()));
                    passive = Some(listener);
                }
                "RETR" | "STOR" => {
                    let (mut link, _) = passive.take().unwrap().accept().unwrap();
                    say("150 go");
                    let mut half = vec![0; HALF];
                    if verb == "RETR" {
                        link.write_all(&bytes(2 * HALF, 1)[..HALF]).unwrap();
                    } else {
                        link.read_exact(&mut half).unwrap();
                    }
                    let mut late = 0;
                    for _ in 0..if answers.is_some() { 2 } else { 0 } {
                        assert_eq!(lines.next().as_deref(), Some("NOOP"));
                        match answers {
                            Some(Answers::AtOnce) => say("200 ok"),
                            Some(Answers::BehindTheLastWord) => late += 1,
                            _ => {}
                        }
                    }
                    if answers == Some(Answers::Never) {
                        // It is told no more of them.
                        answers = None;
                    }
                    if verb == "RETR" {
                        link.write_all(&bytes(2 * HALF, 1)[HALF..]).unwrap();
                        drop(link);
                    } else {
                        link.read_to_end(&mut half).unwrap();
                        stored = half;
                    }
                    say("226 done");
                    (0..late).for_each(|_| say("200 ok"));
                }
                "QUIT" => say("221 bye"),
                _ => say("502 what?"),
            }
        }
        stored
    });
    (port, running)
}

fn often() -> Options {
    Options { noop: Some(Duration::from_millis(20)), ..Options::default() }
}

#[test]
fn answers_are_counted_whenever_they_come() {
    for answers in [Answers::AtOnce, Answers::BehindTheLastWord, Answers::Never] {
        let (port, running) = serve("(vsFTPd 3.0.3)", Some(answers));
        let file = bytes(2 * HALF, 1);
        wait(async {
            let (mut client, _) = enter(port, often()).await.unwrap();
            assert!(fetch(&mut client, b"a", 0).await.unwrap() == file, "{answers:?}");
            // Each command has its own answer again.
            assert_eq!(client.say(Request::bare(Verb::Pwd)).await.unwrap().code, 257, "{answers:?}");
            assert_eq!(client.say(Request::bare(Verb::Noop)).await.unwrap().code, 200, "{answers:?}");
            let body = Body::Bytes(bytes(MUCH, 2));
            let moved = client.store(b"a", Put::Replace, body, &Progress::default()).await.unwrap();
            assert!(moved.confirmed && moved.bytes == MUCH as u64, "{answers:?}");
            assert!(fetch(&mut client, b"a", 0).await.unwrap() == file, "{answers:?}");
            client.quit().await;
        });
        assert!(running.join().unwrap() == bytes(MUCH, 2), "{answers:?}");
    }
}

#[test]
fn a_server_that_nobody_knows_hears_no_noop() {
    let (port, running) = serve("strange", None);
    wait(async {
        let (mut client, told) = enter(port, often()).await.unwrap();
        assert!(fetch(&mut client, b"a", 0).await.unwrap() == bytes(2 * HALF, 1));
        client.quit().await;
        let told = format!("{:?}", told.lock().unwrap());
        assert!(!told.contains("NOOP"), "{told}");
    });
    running.join().unwrap();
}
