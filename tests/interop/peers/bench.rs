//! `Bench`: one server of the table and our client, in folders of their own.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use super::place::{Keeper, Place};
use super::table::{Can, PASSWORD, Peer, USER};
use crate::support::files::{self, bytes};
use crate::support::program::{Ended, program, run_apart};
use crate::support::server::binary;

/// How long one command may take with small files.
const LIMIT: Duration = Duration::from_secs(120);

pub(super) struct Bench {
    // Before the place, so that what runs ends before its folders go.
    _keeper: Keeper,
    pub(super) place: Place,
    pub(super) can: Can,
    pub(super) at: Vec<SocketAddr>,
}

impl Bench {
    /// A server of the table, unless it is skipped.
    pub(super) fn with(peer: &Peer) -> Option<Bench> {
        let place = Place::new();
        match (peer.start)(&place) {
            Ok(keeper) => Some(Bench { at: keeper.addresses(), _keeper: keeper, place, can: peer.can }),
            Err(why) => {
                println!("skipped: {} ({why})", peer.name);
                None
            }
        }
    }

    /// The address of a path of the server, with its bytes escaped.
    pub(super) fn url(&self, path: &str) -> String {
        self.url_at(self.at[0], path)
    }

    pub(super) fn url_at(&self, at: SocketAddr, path: &str) -> String {
        let mut url = format!("ftp://{USER}:{PASSWORD}@{at}/");
        for byte in path.bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'_' | b'/' => url.push(byte as char),
                _ => url.push_str(&format!("%{byte:02X}")),
            }
        }
        url
    }

    /// Runs the client, to its end.
    #[track_caller]
    pub(super) fn run(&self, args: &[&str], limit: Duration) -> Ended {
        let binary = binary();
        let name = binary.to_str().expect("the build's path is text");
        let mut command = program(name, &self.place.local(), &self.place.home());
        command.args(args);
        run_apart(command, limit)
    }

    /// It ends with this code; gives what it printed on each of the two.
    #[track_caller]
    pub(super) fn ends(&self, args: &[&str], code: i32) -> (String, String) {
        let Ended { code: ended, out, err } = self.run(args, LIMIT);
        let out = String::from_utf8_lossy(&out).into_owned();
        let log = fs::read_to_string(self.place.log()).unwrap_or_default();
        assert_eq!(ended, Some(code), "{args:?}\n{out}\n{err}\nthe server said: {log}");
        assert!(!err.contains(PASSWORD) && !out.contains(PASSWORD), "a password in {out}{err}");
        (out, err)
    }

    /// It ends well; gives the objects that it printed.
    #[track_caller]
    pub(super) fn json(&self, args: &[&str]) -> Vec<Value> {
        let (out, _) = self.ends(&[args, &["--json"]].concat(), 0);
        let read = |line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        out.lines().map(read).collect()
    }

    /// The server has this file; gives its bytes.
    pub(super) fn offers(&self, name: &str, len: usize) -> Vec<u8> {
        let bytes = bytes(len, name.len() as u64 + len as u64);
        files::write(&self.there(name), &bytes);
        let mut path = self.place.root();
        for part in name.split('/') {
            path.push(part);
            self.place.hand_over(&path);
        }
        bytes
    }

    /// The client has this file; gives its bytes.
    pub(super) fn has(&self, name: &str, len: usize) -> Vec<u8> {
        let bytes = bytes(len, name.len() as u64 + len as u64 + 7);
        files::write(&self.here(name), &bytes);
        bytes
    }

    /// A path of the server's.
    pub(super) fn there(&self, name: &str) -> PathBuf {
        self.place.root().join(name)
    }

    /// A path of the client's.
    pub(super) fn here(&self, name: &str) -> PathBuf {
        self.place.local().join(name)
    }

    /// What lies in the client's folder.
    pub(super) fn left(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.place.local())
            .expect("it is there")
            .map(|entry| entry.expect("it can be read").file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }
}
