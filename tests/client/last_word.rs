//! A server whose last word is lost: whether the file is there is for a new session to find out, and it is said what told.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use twoport_client::{Error, Journey, Onto, Options, Upload, Word};
use twoport_pipe::Progress;
use twoport_proto::Secret;

use super::house::wait;
use crate::support::files::{bytes, room};

/// What a session does with a store.
#[derive(Clone, Copy)]
enum Fate {
    /// It is kept, and said so.
    Fine,
    /// It is kept, and the session breaks before that is said.
    Mute,
    /// It is thrown away, and the session breaks.
    Lost,
    /// The session breaks as soon as it is met.
    Dead,
}

/// A server with one file, and what it was asked.
struct Strange {
    port: u16,
    file: Arc<Mutex<Option<Vec<u8>>>>,
    heard: Arc<Mutex<Vec<String>>>,
}

/// `fates` are those of the sessions, one after the other; the last holds for all that follow. `hash` stands for the
/// answer to XMD5, where there is one; `times` are told by MDTM, in turn.
fn serve(old: Option<&[u8]>, fates: &[Fate], hash: Option<&'static str>, times: &[&'static str]) -> Strange {
    let control = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let strange = Strange {
        port: control.local_addr().unwrap().port(),
        file: Arc::new(Mutex::new(old.map(<[u8]>::to_vec))),
        heard: Arc::default(),
    };
    let (file, heard) = (Arc::clone(&strange.file), Arc::clone(&strange.heard));
    let mut fates: VecDeque<Fate> = fates.iter().copied().collect();
    let mut times: VecDeque<&str> = times.iter().copied().collect();
    std::thread::spawn(move || {
        for stream in control.incoming().map_while(Result::ok) {
            let fate = if fates.len() > 1 { fates.pop_front() } else { fates.front().copied() };
            session(&stream, fate.unwrap_or(Fate::Fine), &file, &heard, hash, &mut times);
        }
    });
    strange
}

fn session(
    stream: &TcpStream,
    fate: Fate,
    file: &Mutex<Option<Vec<u8>>>,
    heard: &Mutex<Vec<String>>,
    hash: Option<&str>,
    times: &mut VecDeque<&str>,
) {
    let mut out = stream;
    let mut say = move |text: &str| _ = out.write_all(format!("{text}\r\n").as_bytes());
    let (mut passive, mut from): (Option<TcpListener>, usize) = (None, 0);
    if matches!(fate, Fate::Dead) {
        return;
    }
    say("220 strange");
    for line in BufReader::new(stream).lines().map_while(Result::ok) {
        let (verb, argument) = line.split_once(' ').unwrap_or((&line, ""));
        heard.lock().unwrap().push(verb.to_owned());
        let there = file.lock().unwrap().clone();
        match verb {
            "USER" => say("331 and?"),
            "PASS" => say("230 in"),
            "FEAT" if hash.is_some() => say("211-so\r\n XMD5\r\n211 done"),
            "TYPE" => say("200 ok"),
            "SIZE" => match there {
                Some(bytes) => say(&format!("213 {}", bytes.len())),
                None => say("550 no such file"),
            },
            "XMD5" => say(&format!("250 {}", hash.unwrap_or_default())),
            "MDTM" => match times.pop_front() {
                Some(time) => say(&format!("213 {time}")),
                None => say("502 what?"),
            },
            "REST" => {
                from = argument.parse().unwrap();
                say("350 go on");
            }
            "EPSV" => {
                let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
                say(&format!("229 (|||{}|)", listener.local_addr().unwrap().port()));
                passive = Some(listener);
            }
            "STOR" | "APPE" => {
                let (mut link, _) = passive.take().unwrap().accept().unwrap();
                say("150 go");
                let mut bytes = there.unwrap_or_default();
                if verb == "STOR" {
                    bytes.truncate(std::mem::take(&mut from));
                }
                link.read_to_end(&mut bytes).unwrap();
                if !matches!(fate, Fate::Lost) {
                    *file.lock().unwrap() = Some(bytes);
                }
                match fate {
                    Fate::Fine => say("226 done"),
                    _ => return,
                }
            }
            "RETR" => {
                let (mut link, _) = passive.take().unwrap().accept().unwrap();
                say("150 go");
                let bytes = there.unwrap();
                let end = if matches!(fate, Fate::Lost) { bytes.len() / 2 } else { bytes.len() };
                link.write_all(&bytes[std::mem::take(&mut from)..end]).unwrap();
                drop(link);
                match fate {
                    Fate::Fine => say("226 done"),
                    _ => return,
                }
            }
            "LIST" => {
                drop(passive.take().unwrap().accept().unwrap());
                say("150 here is nothing");
                say("226 done");
            }
            "QUIT" => return say("221 bye"),
            _ => say("502 what?"),
        }
    }
}

impl Strange {
    fn heard(&self, verb: &str) -> usize {
        self.heard.lock().unwrap().iter().filter(|said| *said == verb).count()
    }

    /// What becomes of an upload of `file`.
    fn upload(&self, file: &[u8], onto: Onto) -> Result<Word, Error> {
        let folder = tempfile::tempdir_in(room()).unwrap();
        let path = folder.path().join("a");
        std::fs::write(&path, file).unwrap();
        let mut upload = Upload::open(&path, b"a").unwrap();
        upload.onto = onto;
        let login = (b"anna".to_vec(), Secret::new("secret"), None);
        let mut journey = Journey::new("127.0.0.1", self.port, login, Options::default(), Box::new(|_| {}));
        wait(async {
            let done = upload.run(&mut journey, &Progress::default()).await;
            journey.end().await;
            done.map(|uploaded| uploaded.word)
        })
    }

    #[track_caller]
    fn holds(&self, file: &[u8]) {
        assert!(self.file.lock().unwrap().as_deref() == Some(file), "it does not hold what was sent");
    }
}

#[test]
fn a_size_tells_where_nothing_of_that_size_was() {
    let file = bytes(100_000, 3);
    for old in [None, Some(&b"short"[..])] {
        let strange = serve(old, &[Fate::Mute, Fate::Fine], None, &[]);
        assert_eq!(strange.upload(&file, Onto::Replace).unwrap(), Word::Size);
        assert_eq!(strange.heard("STOR"), 1);
        strange.holds(&file);
    }
}

#[test]
fn what_the_server_has_not_is_sent_again() {
    let file = bytes(100_000, 3);
    for old in [None, Some(&b"short"[..])] {
        let strange = serve(old, &[Fate::Lost, Fate::Fine], None, &[]);
        assert_eq!(strange.upload(&file, Onto::Replace).unwrap(), Word::Reply);
        assert_eq!(strange.heard("STOR"), 2);
        strange.holds(&file);
    }
}

#[test]
fn an_old_file_of_the_same_size_proves_nothing() {
    // Large enough to be asked for before, and too small for that.
    for size in [100_000, 1000] {
        let (file, old) = (bytes(size, 3), bytes(size, 4));
        let strange = serve(Some(&old), &[Fate::Lost, Fate::Fine], None, &[]);
        assert_eq!(strange.upload(&file, Onto::Replace).unwrap(), Word::Reply);
        strange.holds(&file);
    }
}

#[test]
fn a_new_time_tells_where_the_size_cannot() {
    let (file, old) = (bytes(100_000, 3), bytes(100_000, 4));
    let times = ["20260101000000", "20260101000001"];
    let strange = serve(Some(&old), &[Fate::Mute, Fate::Fine], None, &times);
    assert_eq!(strange.upload(&file, Onto::Replace).unwrap(), Word::Time);
    assert_eq!(strange.heard("STOR"), 1);
    strange.holds(&file);
}

#[test]
fn a_hash_tells_both_ways() {
    let file = b"hello";
    for (hash, word, stores) in [
        ("5D41402ABC4B2A76B9719D911017C592", Word::Hash, 1),
        ("00000000000000000000000000000000", Word::Reply, 2),
    ] {
        let strange = serve(Some(b"olden"), &[Fate::Mute, Fate::Fine], Some(hash), &[]);
        assert_eq!(strange.upload(file, Onto::Replace).unwrap(), word);
        assert_eq!(strange.heard("STOR"), stores);
        strange.holds(file);
    }
}

#[test]
fn what_was_appended_is_not_appended_twice() {
    let strange = serve(Some(b"one "), &[Fate::Mute, Fate::Fine], None, &[]);
    assert_eq!(strange.upload(b"two", Onto::Append).unwrap(), Word::Size);
    assert_eq!(strange.heard("APPE"), 1);
    strange.holds(b"one two");
    let strange = serve(Some(b"one "), &[Fate::Lost, Fate::Fine], None, &[]);
    assert_eq!(strange.upload(b"two", Onto::Append).unwrap(), Word::Reply);
    strange.holds(b"one two");
}

#[test]
fn when_nobody_can_be_asked_it_is_not_confirmed() {
    for fates in [&[Fate::Mute, Fate::Dead][..], &[Fate::Lost]] {
        let error = serve(None, fates, None, &[]).upload(&bytes(100_000, 3), Onto::Replace).unwrap_err();
        assert!(matches!(error, Error::Unconfirmed { bytes: 100_000, .. }), "{error}");
    }
}

#[test]
fn put_get_and_mirror_say_what_told_them() {
    let folder = tempfile::tempdir_in(room()).unwrap();
    let file = bytes(100_000, 3);
    std::fs::create_dir(folder.path().join("tree")).unwrap();
    std::fs::write(folder.path().join("tree/a"), &file).unwrap();
    let run = |args: &[&str], code: i32| {
        let output = crate::face::run_in(folder.path(), args);
        let told = [output.stderr, output.stdout].concat();
        let told = String::from_utf8_lossy(&told).into_owned();
        assert_eq!(output.status.code(), Some(code), "{args:?}: {told}");
        told
    };
    let url = |strange: &Strange| format!("ftp://anna:secret@127.0.0.1:{}/a", strange.port);

    let strange = serve(None, &[Fate::Mute, Fate::Fine], None, &[]);
    let told = run(&["put", "tree/a", &url(&strange)], 0);
    assert!(told.contains("its size says that all is there"), "{told}");
    let strange = serve(None, &[Fate::Mute, Fate::Fine], None, &[]);
    let told = run(&["put", "--json", "--quiet", "tree/a", &url(&strange)], 0);
    assert!(told.contains(r#""confirmed":true,"confirmed_by":"size""#), "{told}");
    let strange = serve(None, &[Fate::Mute, Fate::Dead], None, &[]);
    let told = run(&["put", "tree/a", &url(&strange)], 7);
    assert!(told.contains("last word") && told.contains("a new session could not tell more"), "{told}");

    let strange = serve(None, &[Fate::Mute, Fate::Fine], None, &[]);
    let told = run(&["mirror", "tree", &format!("ftp://anna:secret@127.0.0.1:{}/", strange.port)], 0);
    assert!(told.contains("looking in a new session") && told.contains("1 files copied"), "{told}");
    assert_eq!(strange.heard("STOR"), 1);
    strange.holds(&file);

    for (fate, word) in [(Fate::Mute, "its size says that all is there"), (Fate::Lost, "by EPSV")] {
        let strange = serve(Some(&file), &[fate, Fate::Fine], None, &[]);
        let told = run(&["get", &url(&strange), "-o", "came"], 0);
        assert!(told.contains(word), "{told}");
        assert!(std::fs::read(folder.path().join("came")).unwrap() == file);
    }
    std::fs::remove_file(folder.path().join("came")).unwrap();
    let strange = serve(Some(&file), &[Fate::Lost, Fate::Dead], None, &[]);
    let told = run(&["get", &url(&strange), "-o", "came"], 7);
    assert!(told.contains("50000 bytes came") && told.contains("--resume"), "{told}");
    assert!(!folder.path().join("came").exists());
}
