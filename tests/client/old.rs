//! Servers that are busy at first, and servers that hang up on every command that is younger than RFC 959.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::thread::JoinHandle;

use twoport_client::{Error, Journey, Notice, Options};
use twoport_proto::Secret;

use super::house::{Told, fetch, wait};

const FILE: &[u8] = b"as in 1985";
const COMMANDS: &str = "USER PASS TYPE PASV RETR LIST QUIT CWD PWD NOOP";

/// Serves `sessions` sessions, after as many as `busy` were turned away. It ends with them.
fn serve(busy: u32, sessions: u32) -> (SocketAddr, JoinHandle<()>) {
    let control = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let at = control.local_addr().unwrap();
    let running = std::thread::spawn(move || {
        for _ in 0..busy {
            let (mut stream, _) = control.accept().unwrap();
            _ = stream.write_all(b"421 Too many users, try again in a few seconds\r\n");
        }
        for _ in 0..sessions {
            session(control.accept().unwrap().0);
        }
    });
    (at, running)
}

fn session(stream: TcpStream) {
    let data = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let mut out = stream.try_clone().unwrap();
    let mut say = move |text: &str| _ = out.write_all(format!("{text}\r\n").as_bytes());
    say("220 old");
    for line in BufReader::new(stream).lines().map_while(Result::ok) {
        let verb = line.split(' ').next().unwrap_or_default();
        if !COMMANDS.split(' ').any(|known| known == verb) {
            return;
        }
        match verb {
            "USER" => say("331 and?"),
            "PASS" => say("230 in"),
            "PWD" => say("257 \"/\" it is"),
            "PASV" => {
                let port = data.local_addr().unwrap().port();
                say(&format!("227 (127,0,0,1,{},{})", port >> 8, port & 255));
            }
            "RETR" | "LIST" => {
                let (mut link, _) = data.accept().unwrap();
                say("150 here it comes");
                let listing = format!("-rw-r--r-- 1 a b {} Mar 04 2020 f\r\n", FILE.len());
                link.write_all(if verb == "RETR" { FILE } else { listing.as_bytes() }).unwrap();
                drop(link);
                say("226 done");
            }
            "QUIT" => return say("221 bye"),
            _ => say("200 ok"),
        }
    }
}

fn journey(at: SocketAddr) -> (Journey, Told) {
    let told = Told::default();
    let hear = std::sync::Arc::clone(&told);
    let notice = Box::new(move |notice| hear.lock().unwrap().push(notice));
    let login = (b"anna".to_vec(), Secret::new("secret"), None);
    (Journey::new("127.0.0.1", at.port(), login, Options::default(), notice), told)
}

#[test]
fn a_server_that_hangs_up_on_what_is_new_hears_only_what_is_old() {
    let (at, running) = serve(0, 2);
    let (mut journey, told) = journey(at);
    wait(async {
        let work = async |client: &mut twoport_client::Client| {
            let file = fetch(client, b"f", 0).await?;
            let entry = client.stat(b"f").await?;
            let none = client.stat(b"g").await.unwrap_err();
            assert!(none.is_not_found(), "{none}");
            Ok((file, entry.size, entry.modified.map(|at| at.stamp())))
        };
        let got = journey.run(|| 0, work).await.unwrap();
        assert_eq!(got, (FILE.to_vec(), FILE.len() as u64, Some("20200304000000".to_owned())));
        journey.end().await;
    });
    running.join().unwrap();
    let told = told.lock().unwrap();
    let asked =
        told.iter().filter(|notice| matches!(notice, Notice::Sent(line) if line.starts_with("FEAT"))).count();
    assert_eq!(asked, 1, "{told:?}");
}

#[test]
fn a_server_that_is_busy_is_asked_again() {
    let (at, running) = serve(1, 2);
    let (mut journey, _) = journey(at);
    wait(async {
        let got = journey.run(|| 0, async |client| fetch(client, b"f", 0).await).await;
        assert_eq!(got.unwrap(), FILE);
        journey.end().await;
    });
    running.join().unwrap();
}

#[test]
fn who_wants_no_retries_hears_at_once_that_it_is_busy() {
    let (at, running) = serve(1, 0);
    let (mut journey, _) = journey(at);
    journey.retry(0);
    let error = wait(journey.run(|| 0, async |client| fetch(client, b"f", 0).await)).unwrap_err();
    assert!(matches!(error, Error::Refused { code: 421, .. }), "{error}");
    running.join().unwrap();
}
