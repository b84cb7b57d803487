//! `cargo xtask bench`: twoport beside the servers of other people, and beside the least possible server, under the same loads in
//! one run. This file knows the campaign: who is measured, in which order; what a figure is, the files below know. It is no
//! test: figures are for people.

use std::fs;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::process::{Resource, getrlimit, setrlimit};
use rustls::ClientConfig;

use crate::peers::Peers;

mod client;
mod floor;
mod group;
mod load;
mod measures;
mod page;
mod place;
mod plot;
mod run;
mod servers;

use load::{LOADS, Load, Target};
use place::Place;
use run::{Outcome, RUNS, Raw};
use servers::{Running, SERVERS, Server, Site};

pub(crate) use floor::serve as floor;

/// What was asked for.
pub(crate) struct Order<'a> {
    rounds: u64,
    /// None are all.
    loads: Vec<&'a str>,
    servers: Vec<&'a str>,
    /// Where the shared folder is made.
    below: PathBuf,
    /// How long a load lasts that lasts for a time.
    span: Duration,
    /// Nothing is measured; the page is made.
    page: bool,
}

impl<'a> Order<'a> {
    /// Reads what follows `bench`.
    pub(crate) fn read(args: &[&'a str]) -> Result<Order<'a>, String> {
        let memory = Path::new("/dev/shm");
        let below = if memory.is_dir() { memory.to_path_buf() } else { std::env::temp_dir() };
        let (loads, servers) = (Vec::new(), Vec::new());
        let mut order = Order { rounds: 3, loads, servers, below, span: Duration::from_secs(2), page: false };
        let mut args = args.iter().copied();
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or_else(|| format!("{arg} wants a value"));
            let number = |text: &str| {
                text.parse().ok().filter(|n| *n > 0).ok_or_else(|| format!("{arg} wants a number"))
            };
            match arg {
                "--page" => order.page = true,
                "--rounds" => order.rounds = number(value()?)?,
                "--seconds" => order.span = Duration::from_secs(number(value()?)?),
                "--loads" => order.loads = value()?.split(',').collect(),
                "--folder" => order.below = PathBuf::from(value()?),
                flag if flag.starts_with('-') => return Err(format!("bench has no {flag}")),
                server => order.servers.push(server),
            }
        }
        let unknown = |name: &&&str| !LOADS.iter().any(|load| load.name == **name);
        if let Some(unknown) = order.loads.iter().find(unknown) {
            let all: Vec<&str> = LOADS.iter().map(|load| load.name).collect();
            return Err(format!("there is no load {unknown}; there are {}", all.join(", ")));
        }
        let unknown = |name: &&&str| !SERVERS.iter().any(|server| server.name == **name);
        if let Some(unknown) = order.servers.iter().find(unknown) {
            let all: Vec<&str> = SERVERS.iter().map(|server| server.name).collect();
            return Err(format!("there is no server {unknown}; there are {}", all.join(", ")));
        }
        Ok(order)
    }

    /// Whether it measures, for which our program must be built.
    pub(crate) fn measures(&self) -> bool {
        !self.page
    }

    fn wants(names: &[&str], name: &str) -> bool {
        names.is_empty() || names.contains(&name)
    }
}

/// Measures and keeps the raw run, or makes the page from the newest one.
pub(crate) fn run(order: &Order<'_>, root: &Path, target: &Path, binary: &Path) -> Result<(), String> {
    if order.page {
        return page::write(root);
    }
    let files = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, rustix::process::Rlimit { current: files.maximum, ..files });
    group::clear_after_the_dead();
    let place = Place::new(&order.below)?;
    // Below the ephemeral ports; another run at the same time has others, as far as there are.
    let low = 12_000 + u16::try_from(std::process::id() % 10).unwrap_or(0) * 2_000;
    let site = Site {
        place: &place,
        peers: Peers::of(target),
        target: target.to_path_buf(),
        binary: binary.to_path_buf(),
        passive: (low, low + 1_999),
    };
    let mut raw = Raw { time: now(), about: run::machine(root, &order.below), ..Raw::default() };
    raw.about.insert("rounds".to_owned(), order.rounds.to_string());
    raw.about.insert("seconds of a large download".to_owned(), order.span.as_secs().to_string());
    let given = std::env::var_os("TWOPORT_BIN").is_some();
    raw.about.insert(
        "twoport".to_owned(),
        if given { "given by TWOPORT_BIN" } else { "built from it" }.to_owned(),
    );
    let mut here = Vec::new();
    for server in SERVERS.iter().filter(|server| Order::wants(&order.servers, server.name)) {
        match server.version(&site) {
            Some(version) => {
                raw.servers.push((server.name.to_owned(), version));
                here.push(server);
            }
            None => println!("skipped: {} (it is not here)", server.name),
        }
    }
    let campaign = Campaign { order, site, here, tls: client::trusting()?, source: source()? };
    for round in 1..=order.rounds {
        campaign.round(round, &mut raw)?;
    }
    for load in LOADS.iter().filter(|load| Order::wants(&order.loads, load.name)) {
        print!("{}", page::summary(&raw, load));
    }
    let kept = root.join(RUNS).join(format!("bench-{}.json", raw.time));
    let written =
        kept.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(&kept, raw.write()));
    written.map_err(|e| format!("{} cannot be written: {e}", kept.display()))?;
    println!("\nkept as {}; `cargo xtask bench --page` makes the page from it", kept.display());
    Ok(())
}

struct Campaign<'a> {
    order: &'a Order<'a>,
    site: Site<'a>,
    here: Vec<&'static Server>,
    tls: ClientConfig,
    source: std::os::fd::OwnedFd,
}

impl Campaign<'_> {
    /// All loads once; those in TLS on servers that are started with it, for having it costs a session something even where
    /// it is not used.
    fn round(&self, round: u64, raw: &mut Raw) -> Result<(), String> {
        for tls in [false, true] {
            let loads: Vec<&Load> = LOADS
                .iter()
                .filter(|load| load.tls == tls && Order::wants(&self.order.loads, load.name))
                .collect();
            if loads.is_empty() {
                continue;
            }
            let mut running: Vec<(&Server, Result<Running, String>)> =
                self.here.iter().map(|server| (*server, server.run(&self.site, tls))).collect();
            let first = usize::try_from(round - 1).unwrap_or(0) % running.len().max(1);
            running.rotate_left(first);
            for load in loads {
                for (server, running) in &running {
                    let came = match running {
                        Ok(running) => {
                            raw.about
                                .insert("processor time from".to_owned(), running.group.source().to_owned());
                            self.put(load, server, running, round)
                        }
                        Err(why) => Err(why.clone()),
                    };
                    let (load, server) = (load.name.to_owned(), server.name.to_owned());
                    println!(
                        "{}",
                        told(&format!("{round}/{} {load:<10} {server:<10}", self.order.rounds), &came)
                    );
                    raw.outcomes.push(Outcome { round, load, server, came });
                }
            }
        }
        Ok(())
    }

    fn put(
        &self,
        load: &Load,
        server: &Server,
        running: &Running,
        round: u64,
    ) -> Result<load::Figures, String> {
        let target = Target {
            at: running.at,
            group: &running.group,
            tls: load.tls.then_some(&self.tls),
            source: self.source.as_fd(),
            fresh: format!("{}-{}-{round}", load.name, server.name),
            span: self.order.span,
        };
        if load.stores > 0 {
            self.site.place.warm(load.stores);
        }
        let came = load.run(&target);
        self.site.place.sweep();
        // What was cut off ends before the next one begins.
        std::thread::sleep(Duration::from_millis(200));
        came
    }
}

fn told(of: &str, came: &Result<load::Figures, String>) -> String {
    match came {
        Ok(figures) => {
            let all: Vec<String> =
                figures.iter().map(|(key, figure)| format!("{key} {}", page::shown(*figure))).collect();
            format!("{of}  {}", all.join("  "))
        }
        Err(words) => format!("{of}  -  {words}"),
    }
}

/// What is uploaded: a file in memory, for sendfile.
fn source() -> Result<std::os::fd::OwnedFd, String> {
    let made = || {
        let memory = rustix::fs::memfd_create("upload", rustix::fs::MemfdFlags::CLOEXEC)?;
        let block = vec![0x5a; 1 << 20];
        for _ in 0..load::UPLOAD >> 20 {
            rustix::io::write(&memory, &block)?;
        }
        Ok(memory)
    };
    made().map_err(|e: rustix::io::Errno| format!("there is no file in memory: {e}"))
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_must_exist() {
        let order = Order::read(&["--rounds", "2", "--loads", "noop,list", "vsftpd"]);
        assert!(
            order.is_ok_and(|order| order.rounds == 2 && order.loads == ["noop", "list"] && order.measures())
        );
        assert!(
            Order::read(&["--loads", "naps"]).is_err_and(|why| why.contains("no load naps; there are idle"))
        );
        assert!(Order::read(&["iis"]).is_err_and(|why| why.contains("no server iis")));
        assert!(Order::read(&["--rounds"]).is_err());
    }
}
