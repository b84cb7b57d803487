//! A client and our server on a network, and what is tried between them: with our client, and where that cannot serve with
//! another. It knows no rules.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use twoport_netns::{Host, Process};
use twoport_plan::flow::{Active, Mode};

use super::cell::{ACTIVE, Cell, PASSIVE, Secrecy};
use crate::netns::iptables::Family;
use crate::netns::place::Place;
use crate::support::files;
use crate::support::program::{self, Ran};
use crate::support::server::binary;

/// How long a client may take.
const LIMIT: Duration = Duration::from_secs(40);

/// The addresses by which the two know each other, of IPv4 and of IPv6.
pub(super) struct Way {
    /// The server's, as the client knows it.
    pub(super) reached: [&'static str; 2],
    /// The client's, as the server knows it.
    pub(super) known: [&'static str; 2],
    /// What 227 has to tell, if the server does not know it by itself.
    pub(super) told: Option<&'static str>,
}

/// Client and server, and their folders.
pub(super) struct Pair {
    pub(super) cell: Cell,
    pub(super) client: Host,
    pub(super) server: Host,
    way: Way,
    place: Place,
    file: Vec<u8>,
    _running: Process,
}

impl Pair {
    /// Starts the server, with flags as the cell and the way ask for them, or with these in place of those for TLS and 227.
    pub(super) fn of(cell: Cell, [client, server]: [&Host; 2], way: Way, flags: &[&str]) -> Pair {
        let place = Place::new();
        let file = place.offers("file", 150_000);
        let range = format!("{}-{}", PASSIVE.0, PASSIVE.1);
        let active = if cell.active == Active::Port20 { "port20" } else { "on" };
        let mut all = vec!["--passive-ports", &range, "--active", active];
        if flags.is_empty() {
            all.extend(["--tls", if cell.secrecy == Secrecy::Tls { "required" } else { "off" }]);
            all.extend(way.told.iter().flat_map(|told| ["--passive-address", *told]));
        }
        all.extend(flags);
        let mut at = cell.door;
        if cell.door == 990 {
            all.extend(["--implicit", "[::]:990"]);
            at = 21;
        }
        let running = place.serve(server, &format!("[::]:{at}"), &all);
        Pair { cell, client: client.clone(), server: server.clone(), way, place, file, _running: running }
    }

    /// A file down, one up, and a listing.
    pub(super) fn works(&self, family: Family) -> Result<(), String> {
        let here = self.fresh("got");
        let got = self.get(family, &here, "30");
        if !got.ok {
            return Err(format!("get failed:\n{}", got.text));
        }
        if std::fs::read(&here).ok().as_deref() != Some(&self.file[..]) {
            return Err("what was got is another file".to_owned());
        }
        let (from, name) = (self.place.local().join("up"), format!("up{family:?}"));
        files::write(&from, &self.file[..70_000]);
        let put = self.put(family, &from, &name);
        if !put.ok {
            return Err(format!("put failed:\n{}", put.text));
        }
        if std::fs::read(self.place.root().join(&name)).ok().as_deref() != Some(&self.file[..70_000]) {
            return Err("what was put is another file".to_owned());
        }
        let listed = self.list(family);
        if !listed.ok || !listed.text.contains("file") {
            return Err(format!("the listing failed:\n{}", listed.text));
        }
        Ok(())
    }

    /// A get that must fail, and what was said.
    pub(super) fn fails(&self, family: Family) -> Result<String, String> {
        self.fails_within(family, "1")
    }

    fn fails_within(&self, family: Family, seconds: &str) -> Result<String, String> {
        let here = self.fresh("not");
        let got = self.get(family, &here, seconds);
        match got.ok || here.exists() {
            true => Err(format!("it came through:\n{}", got.text)),
            false => Ok(got.text),
        }
    }

    /// The same, after a login that went well. On a busy machine a login may want more than a second.
    pub(super) fn data_fails(&self, family: Family) -> Result<(), String> {
        let mut text = String::new();
        for seconds in ["1", "4", "15"] {
            text = self.fails_within(family, seconds)?;
            let after_login = match self.cell.announcer() {
                // Of others the dialogue is seen.
                Some(_) => text.contains(" 230 "),
                // What it says in active mode is the second.
                None => text.contains("no data connection") || text.contains("did not begin the transfer"),
            };
            if after_login {
                return Ok(());
            }
        }
        Err(format!("it failed, but not for want of a data connection:\n{text}"))
    }

    fn get(&self, family: Family, here: &Path, seconds: &str) -> Ran {
        let here = here.to_str().expect("our paths are text");
        match self.cell.announcer() {
            Some("curl") => self.curl(family, &["--max-time", &format!("{seconds}.5"), "-o", here], "file"),
            Some(_) => self.lftp(family, &format!("set net:timeout {seconds}; get file -o {here}")),
            None => self.twoport(&["get", "-o", here, "--timeout", seconds], &[&self.url(family, "file")]),
        }
    }

    fn put(&self, family: Family, from: &Path, name: &str) -> Ran {
        let from = from.to_str().expect("our paths are text");
        match self.cell.announcer() {
            Some("curl") => self.curl(family, &["-T", from], name),
            Some(_) => self.lftp(family, &format!("put {from} -o {name}")),
            None => self.twoport(&["put"], &[from, &self.url(family, name)]),
        }
    }

    fn list(&self, family: Family) -> Ran {
        match self.cell.announcer() {
            Some("curl") => self.curl(family, &["-l"], ""),
            Some(_) => self.lftp(family, "ls"),
            None => self.twoport(&["ls"], &[&self.url(family, "")]),
        }
    }

    /// Our client, which announces what is its own.
    pub(super) fn twoport(&self, command: &[&str], urls: &[&str]) -> Ran {
        let mut started = self.client.command(binary());
        started.args(command);
        started.arg(if self.cell.mode == Mode::Active { "--active" } else { "--passive" });
        started.args(["--quiet", "--retries", "0"]);
        started.args(match self.cell.secrecy {
            Secrecy::Tls if self.cell.door == 990 => &["--insecure"],
            Secrecy::Tls => &["--tls", "require", "--insecure"][..],
            _ => &["--tls", "off"],
        });
        started.args(urls);
        self.run(started)
    }

    /// curl, with the address by which the server knows the client, and the ports that the router hands on.
    fn curl(&self, family: Family, args: &[&str], path: &str) -> Ran {
        let known = bracketed(self.way.known[family as usize]);
        let mut started = self.client.command("curl");
        started.args(["-sSv", "--ftp-port", &format!("{known}:{}-{}", ACTIVE.0, ACTIVE.1)]);
        started.args(args).arg(self.url(family, path));
        self.run(started)
    }

    /// lftp likewise, in TLS.
    fn lftp(&self, family: Family, commands: &str) -> Ran {
        let mut settings =
            format!("set ftp:passive-mode off; set ftp:port-range {}-{}; ", ACTIVE.0, ACTIVE.1);
        if family == Family::V4 {
            settings.push_str(&format!("set ftp:port-ipv4 {}; ", self.way.known[family as usize]));
        }
        settings
            .push_str("set ftp:ssl-force yes; set ftp:ssl-protect-data yes; set ssl:verify-certificate no; ");
        settings.push_str("set net:max-retries 1; set cmd:fail-exit yes; debug 3; ");
        let host = bracketed(self.way.reached[family as usize]);
        let mut started = self.client.command("lftp");
        started.args(["-c", &format!("{settings} open -u alice,secret ftp://{host}; {commands}")]);
        self.run(started)
    }

    /// A client with a home of its own each time: what one remembers of a server must not help the next.
    pub(super) fn run(&self, mut command: Command) -> Ran {
        let home = self.fresh("home");
        std::fs::create_dir(&home).expect("a test folder can be made");
        self.place.clean(&mut command, &home);
        program::run(command, "", LIMIT)
    }

    fn url(&self, family: Family, path: &str) -> String {
        let host = bracketed(self.way.reached[family as usize]);
        match self.cell.door {
            990 => format!("ftps://alice:secret@{host}/{path}"),
            port => format!("ftp://alice:secret@{host}:{port}/{path}"),
        }
    }

    fn fresh(&self, name: &str) -> PathBuf {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        self.place.local().join(format!("{name}{}", NUMBER.fetch_add(1, Ordering::Relaxed)))
    }
}

/// As an address stands in a URL.
pub(super) fn bracketed(address: &str) -> String {
    if address.contains(':') { format!("[{address}]") } else { address.to_owned() }
}
