//! Other people's clients over TLS, against a server that lets no data connection in which does not resume its login's
//! session: list, get and put, nine data connections one after the other, in TLS 1.2 and 1.3.

mod curl;
mod ftplib;
mod lftp;
mod rclone;
mod scan;
mod wget;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::support::program::have;
use crate::support::server::Server;

/// A version of TLS, and whether TLS begins with the first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Way {
    version: &'static str,
    implicit: bool,
}

/// Both versions, by AUTH and from the first byte.
const WAYS: [Way; 4] = [
    Way { version: "1.2", implicit: false },
    Way { version: "1.3", implicit: false },
    Way { version: "1.2", implicit: true },
    Way { version: "1.3", implicit: true },
];

impl Way {
    /// The priority string of GnuTLS for this version alone.
    fn gnutls(self) -> String {
        format!("NORMAL:-VERS-ALL:+VERS-TLS{}", self.version)
    }

    /// The port for it.
    fn port(self, server: &Server) -> u16 {
        if self.implicit { server.implicit.expect("it listens there too") } else { server.port }
    }

    /// `ftp://…/PATH` or `ftps://…/PATH`.
    fn url(self, server: &Server, path: &str) -> String {
        let scheme = if self.implicit { "ftps" } else { "ftp" };
        format!("{scheme}://{}:{}/{path}", server.host, self.port(server))
    }
}

/// A server that ties data connections to their login, unless the client is not installed.
fn meeting(client: &str) -> Option<Server> {
    have(client).then(strict)
}

fn strict() -> Server {
    Server::secure("127.0.0.1", &["--data-resumption", "require", "--implicit", "127.0.0.1:0"])
}

/// Nine transfers in the order r r s s s s r r s. An upload gives most clients no ticket to go on with, and the first of
/// the later two fetches comes behind four of them.
struct Nine {
    moves: Vec<(bool, &'static str)>,
    bytes: BTreeMap<&'static str, Vec<u8>>,
}

/// Fetches, with their sizes: a file may be of nothing.
const FETCHED: [(&str, usize); 4] =
    [("r0.bin", 300_000), ("r1.bin", 5), ("r2.bin", 1_000_000), ("r3.bin", 0)];

/// Uploads, likewise.
const STORED: [(&str, usize); 5] =
    [("s0.bin", 300_001), ("s1.bin", 7), ("s2.bin", 0), ("s3.bin", 1_000_001), ("s4.bin", 70_000)];

impl Nine {
    /// The files, on either side.
    fn of(server: &Server) -> Nine {
        let mut bytes = BTreeMap::new();
        for (name, size) in FETCHED {
            bytes.insert(name, server.offers(name, size));
        }
        for (name, size) in STORED {
            bytes.insert(name, server.has(name, size));
        }
        let moves = [
            (true, "r0.bin"),
            (true, "r1.bin"),
            (false, "s0.bin"),
            (false, "s1.bin"),
            (false, "s2.bin"),
            (false, "s3.bin"),
            (true, "r2.bin"),
            (true, "r3.bin"),
            (false, "s4.bin"),
        ];
        Nine { moves: moves.into(), bytes }
    }

    /// For a client that only fetches: nine files in a row.
    fn fetched(server: &Server) -> Nine {
        const NAMES: [&str; 9] =
            ["a.bin", "b.bin", "c.bin", "d.bin", "e.bin", "f.bin", "g.bin", "h.bin", "i.bin"];
        let sized = NAMES.into_iter().zip([300_000, 5, 0, 1_000_000, 1, 70_000, 70_001, 0, 300_001]);
        let bytes = sized.map(|(name, size)| (name, server.offers(name, size))).collect();
        Nine { moves: NAMES.map(|name| (true, name)).into(), bytes }
    }

    /// Every file is where it belongs, whole; the server saw them in this order, over data connections of this version that
    /// all resumed. Gives the number of sessions that it took.
    #[track_caller]
    fn arrived(&self, server: &Server, way: Way) -> usize {
        for (fetched, name) in &self.moves {
            match fetched {
                true => server.client_got(name, &self.bytes[name]),
                false => server.server_got(name, &self.bytes[name]),
            }
        }
        let wanted: Vec<(&str, String)> = self
            .moves
            .iter()
            .map(|(fetched, name)| (if *fetched { "RETR" } else { "STOR" }, format!("/{name}")))
            .collect();
        // The last line is written a moment after the client has its reply.
        let end = Instant::now() + Duration::from_secs(20);
        let (mut seen, mut log) = (transfers(&server.log()), server.log());
        while seen.len() < wanted.len() && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(5));
            log = server.log();
            seen = transfers(&log);
        }
        let moved: Vec<(&str, String)> = seen.iter().map(|(_, verb, path)| (*verb, path.clone())).collect();
        assert_eq!(moved, wanted, "{log}");
        let links: Vec<&str> = log.lines().filter(|line| line.contains(" data connection: ")).collect();
        let told = format!(" data connection: TLSv{} ", way.version);
        assert!(links.len() >= wanted.len(), "{log}");
        assert!(links.iter().all(|line| line.contains(&told) && line.ends_with("(resumed)")), "{log}");
        let mut sessions: Vec<u64> = seen.iter().map(|(session, ..)| *session).collect();
        sessions.dedup();
        sessions.len()
    }
}

/// The transfers of files in the log that came to a good end: whose, which, and what.
fn transfers(log: &str) -> Vec<(u64, &'static str, String)> {
    let read = |line: &str| {
        let (_, rest) = line.split_once('#')?;
        let words: Vec<&str> = rest.split(' ').collect();
        let verb = ["RETR", "STOR"].into_iter().find(|verb| words.get(2) == Some(verb))?;
        line.ends_with(" s, 226").then_some(())?;
        Some((words[0].parse().ok()?, verb, (*words.get(3)?).to_owned()))
    };
    log.lines().filter_map(read).collect()
}
