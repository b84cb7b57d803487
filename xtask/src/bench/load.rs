//! The loads: what is asked of a server, by how many sessions, and which figures come of it. A load either lasts for a time
//! (large downloads: bytes and processor time are read at the beginning and at the end of it, in full flight) or has a number of
//! operations.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::sync::atomic::Ordering;
use std::sync::{Barrier, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustls::ClientConfig;

use super::client::{Meter, Session};
use super::group::Group;
use super::measures::*;
use super::place::{MANY, SMALL, SMALLS};

/// One load.
pub(super) struct Load {
    /// As it is called on the command line and in the names of files.
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    /// What is done, in a sentence.
    pub(super) what: &'static str,
    pub(super) tls: bool,
    /// Bytes that it stores, where they are many.
    pub(super) stores: u64,
    /// The two that are drawn; the second is the one by which servers are compared.
    pub(super) drawn: [&'static Measure; 2],
    /// What the table says besides.
    pub(super) also: &'static [&'static Measure],
    run: fn(&Target<'_>) -> Result<Figures, String>,
}

/// Figures by the keys of their measures.
pub(super) type Figures = BTreeMap<String, f64>;

/// Whom a load is put on.
pub(super) struct Target<'a> {
    pub(super) at: SocketAddr,
    pub(super) group: &'a Group,
    pub(super) tls: Option<&'a ClientConfig>,
    /// A file in memory of at least [`UPLOAD`] bytes.
    pub(super) source: std::os::fd::BorrowedFd<'a>,
    /// Names of uploads that nobody has used before begin so.
    pub(super) fresh: String,
    /// How long a load lasts that lasts for a time.
    pub(super) span: Duration,
}

/// Bytes of a large upload.
pub(super) const UPLOAD: u64 = 256 << 20;

/// The loads, in the order in which they are run and shown. The idle ones come first: what a server has kept for itself in
/// another load would hide what a session costs.
pub(super) const LOADS: &[Load] = &[
    Load {
        name: "idle",
        title: "Idle sessions",
        what: "300 sessions that log in and then do nothing; the memory that is the server's then, less what was before.",
        tls: false,
        stores: 0,
        drawn: [&CPU_A_LOGIN, &MEMORY],
        also: &[],
        run: |target| idle(target, 300),
    },
    Load {
        name: "retr-1",
        title: "RETR of a large file, one session",
        what: "One session fetches a file of 1 GiB again and again.",
        tls: false,
        stores: 0,
        drawn: [&RATE, &CPU_A_GB],
        also: &[],
        run: |target| large(target, 1),
    },
    Load {
        name: "retr-8",
        title: "RETR of a large file, eight sessions",
        what: "Eight sessions do that at the same time.",
        tls: false,
        stores: 0,
        drawn: [&RATE, &CPU_A_GB],
        also: &[],
        run: |target| large(target, 8),
    },
    Load {
        name: "stor",
        title: "STOR of large files",
        what: "One session stores three files of 256 MiB.",
        tls: false,
        stores: 3 * UPLOAD,
        drawn: [&RATE, &CPU_A_GB],
        also: &[],
        run: |target| store(target, 1, 3, UPLOAD),
    },
    Load {
        name: "retr-small",
        title: "RETR of small files",
        what: "Eight sessions fetch 500 files of 4 KiB each, one after the other, each with a PASV before it.",
        tls: false,
        stores: 0,
        drawn: [&OPERATIONS, &CPU_AN_OPERATION],
        also: &[&MEDIAN, &WORST],
        run: |target| small(target, 8, 500),
    },
    Load {
        name: "stor-small",
        title: "STOR of small files",
        what: "Eight sessions store 200 files of 4 KiB each.",
        tls: false,
        stores: 0,
        drawn: [&OPERATIONS, &CPU_AN_OPERATION],
        also: &[&MEDIAN, &WORST],
        run: |target| store(target, 8, 200, SMALL as u64),
    },
    Load {
        name: "login",
        title: "Login",
        what: "Four times a hundred sessions: connect, USER, PASS where it is asked for, TYPE I, QUIT.",
        tls: false,
        stores: 0,
        drawn: [&OPERATIONS, &CPU_AN_OPERATION],
        also: &[&MEDIAN, &WORST],
        run: |target| logins(target, 4, 100),
    },
    Load {
        name: "noop",
        title: "NOOP",
        what: "Four sessions say NOOP 5,000 times each.",
        tls: false,
        stores: 0,
        drawn: [&OPERATIONS, &CPU_AN_OPERATION],
        also: &[&MEDIAN, &WORST],
        run: |target| noops(target, 4, 5000),
    },
    Load {
        name: "list",
        title: "LIST of 10,000 files",
        what: "One session lists a folder of 10,000 files ten times.",
        tls: false,
        stores: 0,
        drawn: [&OPERATIONS, &CPU_AN_OPERATION],
        also: &[&FIRST, &MEDIAN, &WORST],
        run: |target| listings(target, "LIST many", 10),
    },
    Load {
        name: "mlsd",
        title: "MLSD of 10,000 files",
        what: "The same by MLSD.",
        tls: false,
        stores: 0,
        drawn: [&OPERATIONS, &CPU_AN_OPERATION],
        also: &[&FIRST, &MEDIAN, &WORST],
        run: |target| listings(target, "MLSD many", 10),
    },
    Load {
        name: "mixed",
        title: "Small files beside much else",
        what: "One session fetches files of 4 KiB: at first alone, then while eight others fetch the large file and one lists \
               10,000 files again and again.",
        tls: false,
        stores: 0,
        drawn: [&ALONE, &BESIDE],
        also: &[&RATE],
        run: mixed,
    },
    Load {
        name: "tls-idle",
        title: "Idle sessions in TLS",
        what: "300 sessions that log in by AUTH TLS and then do nothing.",
        tls: true,
        stores: 0,
        drawn: [&CPU_A_LOGIN, &MEMORY],
        also: &[],
        run: |target| idle(target, 300),
    },
    Load {
        name: "tls-retr",
        title: "RETR of a large file in TLS",
        what: "One session fetches a file of 1 GiB again and again, with PROT P.",
        tls: true,
        stores: 0,
        drawn: [&RATE, &CPU_A_GB],
        also: &[],
        run: |target| large(target, 1),
    },
    Load {
        name: "tls-stor",
        title: "STOR of large files in TLS",
        what: "One session stores three files of 256 MiB, with PROT P.",
        tls: true,
        stores: 3 * UPLOAD,
        drawn: [&RATE, &CPU_A_GB],
        also: &[],
        run: |target| store(target, 1, 3, UPLOAD),
    },
    Load {
        name: "tls-small",
        title: "RETR of small files in TLS",
        what: "Eight sessions fetch 100 files of 4 KiB each, with PROT P: a handshake each, which resumes the session.",
        tls: true,
        stores: 0,
        drawn: [&OPERATIONS, &CPU_AN_OPERATION],
        also: &[&MEDIAN, &WORST],
        run: |target| small(target, 8, 100),
    },
    Load {
        name: "tls-login",
        title: "Login in TLS",
        what: "Four times 50 sessions that log in by AUTH TLS, with a whole handshake each, and leave.",
        tls: true,
        stores: 0,
        drawn: [&OPERATIONS, &CPU_AN_OPERATION],
        also: &[&MEDIAN, &WORST],
        run: |target| logins(target, 4, 50),
    },
];

impl Load {
    /// Puts it on a server; the error is that server's words, or what became of it.
    pub(super) fn run(&self, target: &Target<'_>) -> Result<Figures, String> {
        (self.run)(target)
    }
}

fn large(target: &Target<'_>, sessions: usize) -> Result<Figures, String> {
    let meter = Meter::default();
    let flow = || endless(target, "RETR large", &meter);
    std::thread::scope(|scope| {
        let running: Vec<_> = (0..sessions).map(|_| scope.spawn(flow)).collect();
        let measured = in_full_flight(target, &meter, sessions);
        meter.stop.store(true, Ordering::Relaxed);
        for thread in running {
            joined(thread.join())?;
        }
        measured
    })
}

/// Waits until bytes pass, then counts them for a time.
fn in_full_flight(target: &Target<'_>, meter: &Meter, sessions: usize) -> Result<Figures, String> {
    let begun = Instant::now();
    while meter.bytes.load(Ordering::Relaxed) < sessions as u64 * 1_000_000 {
        if begun.elapsed() > Duration::from_secs(20) {
            return Err("no bytes came".to_owned());
        }
        if meter.is_over() {
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let read = || (Instant::now(), target.group.cpu(), meter.bytes.load(Ordering::Relaxed));
    let (start, cpu, bytes) = read();
    std::thread::sleep(target.span);
    let (end, cpu_after, bytes_after) = read();
    let gigabytes = (bytes_after - bytes) as f64 / 1e9;
    let mut figures = Figures::new();
    RATE.put(&mut figures, gigabytes * 1e3 / (end - start).as_secs_f64());
    CPU_A_GB.put(&mut figures, cpu_after.saturating_sub(cpu).as_secs_f64() / gigabytes);
    Ok(figures)
}

/// The same transfer again and again, until the meter says that it is enough; the meter says so to all when one fails.
fn endless(target: &Target<'_>, command: &str, meter: &Meter) -> Result<(), String> {
    let work = || {
        let mut session = Session::login(target.at, target.tls)?;
        while session.open(command)?.discard(meter)?.is_some() {
            session.finish(command)?;
        }
        Ok(())
    };
    let done = work();
    if meter.is_over() {
        // Whatever came of a transfer that was cut.
        return Ok(());
    }
    if done.is_err() {
        meter.stop.store(true, Ordering::Relaxed);
    }
    done
}

/// What came of a number of operations.
struct Done {
    wall: Duration,
    cpu: Duration,
    /// Of each operation, in milliseconds and in order.
    times: Vec<f64>,
    /// Until the first byte, where there was one.
    firsts: Vec<f64>,
}

impl Done {
    fn figures(&self, bytes: f64) -> Figures {
        let (operations, mut figures) = (self.times.len() as f64, Figures::new());
        OPERATIONS.put(&mut figures, operations / self.wall.as_secs_f64());
        CPU_AN_OPERATION.put(&mut figures, self.cpu.as_secs_f64() * 1e6 / operations);
        MEDIAN.put(&mut figures, quantile(&self.times, 0.5));
        WORST.put(&mut figures, quantile(&self.times, 0.99));
        if !self.firsts.is_empty() {
            FIRST.put(&mut figures, quantile(&self.firsts, 0.5));
        }
        if bytes > 0.0 {
            RATE.put(&mut figures, bytes * operations / 1e6 / self.wall.as_secs_f64());
            CPU_A_GB.put(&mut figures, self.cpu.as_secs_f64() * 1e9 / (bytes * operations));
        }
        figures
    }
}

/// One operation of one session, by its number; how long until the first byte, where that is of interest.
type Operation<'a> =
    &'a (dyn Fn(&mut Option<Session>, usize, usize) -> Result<Option<Duration>, String> + Sync);

/// So many sessions do so many operations each. Whether they log in before counts, the caller says.
fn counted(
    target: &Target<'_>,
    sessions: usize,
    operations: usize,
    log_in: bool,
    operation: Operation<'_>,
) -> Result<Done, String> {
    let (ready, go) = (Barrier::new(sessions + 1), Barrier::new(sessions + 1));
    let all = Mutex::new((Vec::new(), Vec::new()));
    let one = |number: usize| {
        let session = if log_in { Session::login(target.at, target.tls).map(Some) } else { Ok(None) };
        ready.wait();
        go.wait();
        let mut session = session?;
        let (mut times, mut firsts) = (Vec::with_capacity(operations), Vec::new());
        for turn in 0..operations {
            let begun = Instant::now();
            let first = operation(&mut session, number, turn)?;
            times.push(begun.elapsed().as_secs_f64() * 1e3);
            firsts.extend(first.map(|first| first.as_secs_f64() * 1e3));
        }
        let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
        all.0.extend(times);
        all.1.extend(firsts);
        Ok(())
    };
    let (wall, cpu) = std::thread::scope(|scope| {
        let one = &one;
        let running: Vec<_> = (0..sessions).map(|number| scope.spawn(move || one(number))).collect();
        ready.wait();
        // What logging in has begun is over then.
        std::thread::sleep(SETTLING);
        let (begun, before) = (Instant::now(), target.group.cpu());
        go.wait();
        let joined: Vec<_> = running.into_iter().map(|thread| joined(thread.join())).collect();
        let wall = begun.elapsed();
        // What a server does behind its last reply is its work too.
        std::thread::sleep(SETTLING);
        joined.into_iter().collect::<Result<Vec<()>, String>>()?;
        Ok::<_, String>((wall, target.group.cpu().saturating_sub(before)))
    })?;
    let (mut times, mut firsts) = all.into_inner().unwrap_or_else(PoisonError::into_inner);
    times.sort_by(f64::total_cmp);
    firsts.sort_by(f64::total_cmp);
    Ok(Done { wall, cpu, times, firsts })
}

fn logged_in(session: &mut Option<Session>) -> &mut Session {
    session.as_mut().expect("who fetches has logged in")
}

fn fetch(session: &mut Session, command: &str, meter: &Meter) -> Result<Option<Duration>, String> {
    let first = session.open(command)?.discard(meter)?;
    session.finish(command)?;
    Ok(first)
}

fn small(target: &Target<'_>, sessions: usize, operations: usize) -> Result<Figures, String> {
    let meter = Meter::default();
    let done = counted(target, sessions, operations, true, &|session, _, turn| {
        fetch(logged_in(session), &format!("RETR small{}", turn % SMALLS), &meter).map(|_| None)
    })?;
    whole(&meter, done.times.len() * SMALL)?;
    Ok(done.figures(0.0))
}

fn store(target: &Target<'_>, sessions: usize, operations: usize, size: u64) -> Result<Figures, String> {
    let meter = Meter::default();
    let done = counted(target, sessions, operations, true, &|session, number, turn| {
        let session = logged_in(session);
        let command = format!("STOR in/{}-{number}-{turn}", target.fresh);
        session.open(&command)?.fill(target.source.as_fd(), size, &meter)?;
        session.finish(&command)?;
        Ok(None)
    })?;
    Ok(done.figures(size as f64))
}

fn logins(target: &Target<'_>, sessions: usize, operations: usize) -> Result<Figures, String> {
    let done = counted(target, sessions, operations, false, &|_, _, _| {
        Session::login(target.at, target.tls)?.ask("QUIT", b"2")?;
        Ok(None)
    })?;
    Ok(done.figures(0.0))
}

fn noops(target: &Target<'_>, sessions: usize, operations: usize) -> Result<Figures, String> {
    let done = counted(target, sessions, operations, true, &|session, _, _| {
        logged_in(session).ask("NOOP", b"2")?;
        Ok(None)
    })?;
    Ok(done.figures(0.0))
}

fn listings(target: &Target<'_>, command: &str, operations: usize) -> Result<Figures, String> {
    let mut session = Session::login(target.at, target.tls)?;
    let lines = session.open(command)?.lines()?;
    session.finish(command)?;
    if lines < MANY {
        return Err(format!("{command}: {lines} lines came, and there are {MANY} files"));
    }
    let meter = Meter::default();
    let done =
        counted(target, 1, operations, true, &|session, _, _| fetch(logged_in(session), command, &meter))?;
    Ok(done.figures(0.0))
}

/// That a server is quick which sends less than there is must not be told.
fn whole(meter: &Meter, least: usize) -> Result<(), String> {
    let bytes = meter.bytes.load(Ordering::Relaxed);
    if bytes < least as u64 { Err(format!("{bytes} bytes came, and there are {least}")) } else { Ok(()) }
}

fn idle(target: &Target<'_>, sessions: usize) -> Result<Figures, String> {
    let (before, cpu) = (target.group.memory(), target.group.cpu());
    let mut all = Vec::with_capacity(sessions);
    for number in 0..sessions {
        all.push(
            Session::login(target.at, target.tls).map_err(|why| format!("session {}: {why}", number + 1))?,
        );
    }
    std::thread::sleep(Duration::from_secs(1));
    let (after, cpu) = (target.group.memory(), target.group.cpu().saturating_sub(cpu));
    let mut figures = Figures::new();
    MEMORY.put(&mut figures, after.saturating_sub(before) as f64 / 1024.0 / sessions as f64);
    CPU_A_LOGIN.put(&mut figures, cpu.as_secs_f64() * 1e6 / sessions as f64);
    Ok(figures)
}

fn mixed(target: &Target<'_>) -> Result<Figures, String> {
    let alone = small_for(target, target.span / 2, &|| false)?;
    let (meter, listed) = (Meter::default(), Meter::default());
    let beside = std::thread::scope(|scope| {
        let flows: Vec<_> = (0..8).map(|_| scope.spawn(|| endless(target, "RETR large", &meter))).collect();
        let lists = scope.spawn(|| endless(target, "LIST many", &listed));
        let failed = || meter.is_over() || listed.is_over();
        std::thread::sleep(Duration::from_millis(200));
        let (begun, bytes) = (Instant::now(), meter.bytes.load(Ordering::Relaxed));
        let times = small_for(target, target.span * 2, &failed);
        let rate = (meter.bytes.load(Ordering::Relaxed) - bytes) as f64 / 1e6 / begun.elapsed().as_secs_f64();
        for meter in [&meter, &listed] {
            meter.stop.store(true, Ordering::Relaxed);
        }
        for thread in flows.into_iter().chain([lists]) {
            joined(thread.join())?;
        }
        times.map(|times| (times, rate))
    });
    let (beside, rate) = beside?;
    let mut figures = Figures::new();
    ALONE.put(&mut figures, quantile(&alone, 0.99));
    BESIDE.put(&mut figures, quantile(&beside, 0.99));
    RATE.put(&mut figures, rate);
    Ok(figures)
}

/// Milliseconds of each small file that one session fetches in a time, in order.
fn small_for(target: &Target<'_>, span: Duration, stop: &dyn Fn() -> bool) -> Result<Vec<f64>, String> {
    let meter = Meter::default();
    let mut session = Session::login(target.at, target.tls)?;
    let (begun, mut times) = (Instant::now(), Vec::new());
    while (begun.elapsed() < span || times.is_empty()) && !stop() {
        let one = Instant::now();
        fetch(&mut session, &format!("RETR small{}", times.len() % SMALLS), &meter)?;
        times.push(one.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    Ok(times)
}

fn joined(thread: std::thread::Result<Result<(), String>>) -> Result<(), String> {
    thread.unwrap_or_else(|_| Err("the client broke".to_owned()))
}

/// Of numbers that are in order.
fn quantile(sorted: &[f64], part: f64) -> f64 {
    let at = (sorted.len().saturating_sub(1) as f64 * part).round() as usize;
    sorted.get(at).copied().unwrap_or(f64::NAN)
}

const SETTLING: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_one_of_the_numbers() {
        let hundred: Vec<f64> = (1..=100).map(f64::from).collect();
        assert_eq!((quantile(&hundred, 0.5), quantile(&hundred, 0.99)), (51.0, 99.0));
        assert!(quantile(&[], 0.5).is_nan());
    }

    #[test]
    fn loads_have_names_of_their_own() {
        let names: std::collections::BTreeSet<_> = LOADS.iter().map(|load| load.name).collect();
        assert_eq!(names.len(), LOADS.len());
    }
}
