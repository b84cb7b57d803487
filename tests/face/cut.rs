//! A store that is cut, at a server that keeps the old file: what was there and what is sent must not be mixed.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use socket2::SockRef;

use super::client::run_in;
use crate::support::files::{bytes, room};

/// What a server saw of STOR: where it was to begin, and the bytes that came.
type Seen = Arc<Mutex<Vec<(String, Vec<u8>)>>>;

/// A server that resets the first upload after some bytes and throws them away; SIZE is that of the old file, if there
/// is one, until an upload is whole.
fn serve(old: Option<usize>) -> (u16, Seen) {
    let control = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = control.local_addr().unwrap().port();
    let seen: Seen = Arc::default();
    let tell = Arc::clone(&seen);
    std::thread::spawn(move || {
        for stream in control.incoming().map_while(Result::ok) {
            session(stream, old, &tell);
        }
    });
    (port, seen)
}

fn session(stream: TcpStream, old: Option<usize>, seen: &Seen) {
    let mut out = stream.try_clone().unwrap();
    let mut say = move |text: &str| _ = out.write_all(format!("{text}\r\n").as_bytes());
    let (mut passive, mut from): (Option<TcpListener>, String) = (None, "0".to_owned());
    say("220 strange");
    for line in BufReader::new(stream).lines().map_while(Result::ok) {
        let (verb, argument) = line.split_once(' ').unwrap_or((&line, ""));
        match verb {
            "USER" => say("331 and?"),
            "PASS" => say("230 in"),
            "TYPE" => say("200 ok"),
            "SIZE" => match old {
                Some(size) => say(&format!("213 {size}")),
                None => say("550 no such file"),
            },
            "REST" => {
                from = argument.to_owned();
                say("350 go on");
            }
            "EPSV" => {
                let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
                say(&format!("229 (|||{}|)", listener.local_addr().unwrap().port()));
                passive = Some(listener);
            }
            "STOR" => {
                let (mut link, _) = passive.take().unwrap().accept().unwrap();
                say("150 go");
                let first = seen.lock().unwrap().is_empty();
                let mut came = vec![0; 50_000];
                if first {
                    link.read_exact(&mut came).unwrap();
                    SockRef::from(&link).set_linger(Some(Duration::ZERO)).unwrap();
                    drop(link);
                } else {
                    came.clear();
                    link.read_to_end(&mut came).unwrap();
                }
                seen.lock().unwrap().push((std::mem::replace(&mut from, "0".to_owned()), came));
                say(if first { "426 cut" } else { "226 done" });
            }
            "QUIT" => return say("221 bye"),
            _ => say("502 what?"),
        }
    }
}

#[test]
fn a_store_that_was_cut_begins_anew_where_an_old_file_stands() {
    for old in [Some(70_000), None] {
        let folder = tempfile::tempdir_in(room()).unwrap();
        let file = bytes(4_000_000, 8);
        std::fs::write(folder.path().join("a"), &file).unwrap();
        let (port, seen) = serve(old);
        let url = format!("ftp://anna:secret@127.0.0.1:{port}/a");
        let output = run_in(folder.path(), &["put", "a", &url]);
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        let seen = seen.lock().unwrap();
        assert_eq!(seen.len(), 2);
        assert_eq!(seen[1].0, "0", "it does not go on at the size of the old file");
        assert!(seen[1].1 == file);
    }
}
