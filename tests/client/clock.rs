//! A server that has LIST only, in a time of its own: what a client makes of its dates.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use twoport_proto::Moment;

use super::house::{enter, wait};

/// Two hours ahead of UTC; the second file is told without its hour, the last was changed last winter.
const LISTING: &str = "drwxr-xr-x 2 a b 4096 Jul 27 03:45 folder\r\n\
                       -rw-r--r-- 1 a b 1 Mar 04  2024 old\r\n\
                       -rw-r--r-- 1 a b 2 Jul 27 03:45 new\r\n\
                       -rw-r--r-- 1 a b 3 Dec 31 23:30 winter\r\n";

/// A server for one session; `mdtm` answers MDTM. What it was asked.
fn serve(mdtm: fn(&str) -> &'static str) -> (u16, JoinHandle<()>, Arc<Mutex<Vec<String>>>) {
    let control = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = control.local_addr().unwrap().port();
    let asked = Arc::<Mutex<Vec<String>>>::default();
    let told = Arc::clone(&asked);
    let running = std::thread::spawn(move || {
        let (stream, _) = control.accept().unwrap();
        let data = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let mut out = stream.try_clone().unwrap();
        let mut say = move |text: &str| _ = out.write_all(format!("{text}\r\n").as_bytes());
        say("220 old");
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            let (verb, argument) = line.split_once(' ').unwrap_or((&line, ""));
            match verb {
                "USER" => say("331 and?"),
                "PASS" => say("230 in"),
                "TYPE" | "CWD" => say("200 ok"),
                "EPSV" => say(&format!("229 (|||{}|)", data.local_addr().unwrap().port())),
                "LIST" => {
                    let (mut link, _) = data.accept().unwrap();
                    say("150 here it comes");
                    // Nothing lies in the folder.
                    let text = if argument.contains("folder") { "total 0\r\n" } else { LISTING };
                    link.write_all(text.as_bytes()).unwrap();
                    drop(link);
                    say("226 done");
                }
                "MDTM" => {
                    told.lock().unwrap().push(argument.to_owned());
                    say(mdtm(argument));
                }
                "QUIT" => return say("221 bye"),
                _ => say("502 no"),
            }
        }
    });
    (port, running, asked)
}

/// 14 August 2026.
const NOW: Moment = Moment { seconds: 1_786_708_800, nanos: 0 };

/// The times of a listing, by name.
fn times(mdtm: fn(&str) -> &'static str) -> (Vec<(String, String)>, Vec<String>) {
    let (port, running, asked) = serve(mdtm);
    let entries = wait(async {
        let (mut client, _) = enter(port, twoport_client::Options::default()).await.unwrap();
        let mut entries = client.list(b"", NOW).await.unwrap();
        client.settle_times(b"", &mut entries).await.unwrap();
        // Once more: what is known is not asked again.
        let mut again = client.list(b"", NOW).await.unwrap();
        client.settle_times(b"", &mut again).await.unwrap();
        assert_eq!(entries, again);
        client.quit().await;
        entries
    });
    running.join().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let stamp = |at: Option<Moment>| at.map_or("-".to_owned(), |at| at.stamp());
    let times = entries.iter().map(|entry| (text(&entry.name), stamp(entry.modified))).collect();
    (times, asked.lock().unwrap().clone())
}

fn pairs(expected: [(&str, &str); 4]) -> Vec<(String, String)> {
    expected.map(|(name, time)| (name.to_owned(), time.to_owned())).to_vec()
}

#[test]
fn one_question_makes_a_whole_listing_utc() {
    let (found, asked) = times(|name| if name == "new" { "213 20260727014517" } else { "550 no" });
    assert_eq!(
        found,
        pairs([
            ("folder", "20260727014500"),
            // A day is a day.
            ("old", "20240304000000"),
            ("new", "20260727014500"),
            ("winter", "20251231213000"),
        ])
    );
    assert_eq!(asked, ["new"]);
}

#[test]
fn a_server_that_does_not_tell_is_asked_a_few_times_and_keeps_its_own_time() {
    for mdtm in
        [(|_| "502 no") as fn(&str) -> &'static str, |_| "213 in the morning", |_| "213 20260727022200"]
    {
        let (found, asked) = times(mdtm);
        assert_eq!(found[2].1, "20260727034500");
        assert_eq!(found[3].1, "20251231233000");
        assert!(asked.len() <= 3, "{asked:?}");
    }
}
