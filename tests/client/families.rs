//! A server whose data connections come about over one address family only.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener, ToSocketAddrs};
use std::thread::JoinHandle;

use twoport_client::{Journey, Notice, Options};
use twoport_proto::Secret;

use super::house::{Told, fetch, wait};

const FILE: &[u8] = b"by the other family";

/// The same port of both loopback addresses; none where this machine has one family only.
fn both() -> Option<(TcpListener, TcpListener)> {
    for _ in 0..100 {
        let six = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).ok()?;
        let port = six.local_addr().unwrap().port();
        if let Ok(four) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            return Some((six, four));
        }
    }
    None
}

/// One session; `epsv` answers EPSV, and PORT and EPRT are refused.
fn serve(control: TcpListener, epsv: fn(u16) -> String) -> JoinHandle<()> {
    std::thread::spawn(move || {
        let (stream, _) = control.accept().unwrap();
        let listener = TcpListener::bind((control.local_addr().unwrap().ip(), 0)).unwrap();
        let mut out = stream.try_clone().unwrap();
        let mut say = move |text: &str| _ = out.write_all(format!("{text}\r\n").as_bytes());
        say("220 hello");
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            match line.split(' ').next().unwrap_or_default() {
                "USER" => say("331 and?"),
                "PASS" => say("230 in"),
                "TYPE" => say("200 ok"),
                "EPSV" => say(&epsv(listener.local_addr().unwrap().port())),
                "RETR" => {
                    let (mut link, _) = listener.accept().unwrap();
                    say("150 here it comes");
                    link.write_all(FILE).unwrap();
                    drop(link);
                    say("226 done");
                }
                "QUIT" => return say("221 bye"),
                _ => say("500 not over this protocol"),
            }
        }
    })
}

#[test]
fn where_one_family_has_no_road_the_other_is_taken() {
    let localhost =
        || ("localhost", 21).to_socket_addrs().map(|found| found.collect::<Vec<_>>()).unwrap_or_default();
    let (Some((six, four)), found) = (both(), localhost()) else {
        return eprintln!("skipped: this machine has one address family only");
    };
    if !(found.iter().any(|at| at.is_ipv4()) && found.iter().any(|at| at.is_ipv6())) {
        return eprintln!("skipped: localhost has one address family only");
    }
    let port = six.local_addr().unwrap().port();
    // Whichever is reached first has no road; every step is a refusal, so another session there would not help.
    let refuses = |_| "522 not over this protocol".to_owned();
    let answers = |port| format!("229 (|||{port}|)");
    let (refusing, good) = match found[0].is_ipv6() {
        true => (serve(six, refuses), serve(four, answers)),
        false => (serve(four, refuses), serve(six, answers)),
    };
    let told: Told = Told::default();
    let hear = std::sync::Arc::clone(&told);
    let notice = Box::new(move |notice| hear.lock().unwrap().push(notice));
    let login = (b"anna".to_vec(), Secret::new("secret"), None);
    let mut journey = Journey::new("localhost", port, login, Options::default(), notice);
    wait(async {
        let file = journey.run(|| 0, async |client| fetch(client, b"f", 0).await).await;
        assert_eq!(file.expect("the other family carries"), FILE);
        journey.end().await;
    });
    let steps = told.lock().unwrap();
    let said =
        steps.iter().any(|step| matches!(step, Notice::Stepped(why) if why.starts_with("no road over IPv")));
    assert!(said, "{steps:?}");
    refusing.join().unwrap();
    good.join().unwrap();
}
