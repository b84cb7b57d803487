//! `twoport lab`: builds situations, tries them, says what came of it; or lets a user in.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};

use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};
use twoport_lab::{Report, Situation, Stage, USER, programs, situations};

use crate::args::{Lab, LabAction};
use crate::exit::{Exit, Stopped};
use crate::show;

/// Situations at the same time. Nearly all of the time of one is waiting for what does not come.
const AT_ONCE: usize = 6;

/// Lists, tries, or lets in.
pub(crate) fn lab(args: &Lab) -> Result<(), Stopped> {
    if let Some(LabAction::Shell { situation }) = &args.action {
        return shell(&named(situation)?);
    }
    let chosen = match &args.situations[..] {
        [] => situations(),
        names => names.iter().map(|name| named(name)).collect::<Result<_, _>>()?,
    };
    if args.list {
        return chosen.iter().try_for_each(|situation| listed(situation, args.json));
    }
    let Ready { program, ending } = ready(Interrupt::Ends)?;
    let mut broken = None;
    let each = each(&chosen, &program, |situation, report| match report {
        // What is just being removed cannot be built.
        Err(_) if ending.has_begun() => Ok(()),
        Ok(report) if args.json => show::object(&object(&report)),
        Ok(report) => show::line(text(&report).as_bytes()),
        Err(error) => {
            let text = format!("{} could not be built: {error}", situation.slug);
            eprintln!("twoport: {}", show::plain(&text));
            broken.get_or_insert(Stopped::local(text));
            Ok(())
        }
    });
    ending.heed();
    each?;
    broken.map_or(Ok(()), Err)
}

fn named(name: &str) -> Result<Situation, Stopped> {
    let found = situations().into_iter().find(|situation| situation.slug == name);
    found.ok_or_else(|| Stopped::usage(format!("there is no situation {name:?}; twoport lab --list has all")))
}

/// What Ctrl-C does.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Interrupt {
    Ends,
    IsForTheShell,
}

/// Our own program, and whether it is told to end.
struct Ready {
    program: PathBuf,
    ending: Ending,
}

/// Whether a signal has told us to end. Who has seen it ends the program.
#[derive(Clone, Default)]
struct Ending(Arc<AtomicBool>);

impl Ending {
    fn has_begun(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    /// Waits for the end where it has begun.
    fn heed(&self) {
        while self.has_begun() {
            std::thread::park();
        }
    }
}

/// Our own program, once it is certain that networks can be made, and that they go when this program is told to end.
fn ready(interrupt: Interrupt) -> Result<Ready, Stopped> {
    let failed = |error: std::io::Error| Stopped::local(format!("cannot wait for signals: {error}"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let signals = {
        let _inside = runtime.enter();
        let all = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
        all.map(signal)
    };
    let [interrupted, terminated, hung_up] = signals;
    let (mut interrupted, mut terminated, mut hung_up) =
        (interrupted.map_err(failed)?, terminated.map_err(failed)?, hung_up.map_err(failed)?);
    let ending = Ending::default();
    let told = ending.clone();
    std::thread::spawn(move || {
        runtime.block_on(async {
            loop {
                tokio::select! {
                    _ = interrupted.recv() => if interrupt == Interrupt::Ends { return },
                    _ = terminated.recv() => return,
                    _ = hung_up.recv() => return,
                }
            }
        });
        told.0.store(true, Ordering::Release);
        twoport_netns::clear();
        eprintln!("twoport: stopped, and what was built is removed");
        std::process::exit(Exit::Incomplete as i32);
    });
    // To find out something is made, which goes as the rest does.
    if let Some(why) = twoport_netns::unavailable() {
        ending.heed();
        return Err(Stopped::local(format!(
            "network namespaces cannot be made here ({why}); run this on Linux as root, with iproute2 and nftables installed"
        )));
    }
    let program = std::env::current_exe();
    let program = program.map_err(|error| Stopped::local(format!("where is this program? {error}")))?;
    Ok(Ready { program, ending })
}

/// Tries them, some at a time, and tells what came of each in their order.
fn each(
    chosen: &[Situation],
    program: &Path,
    mut tell: impl FnMut(&Situation, twoport_netns::Result<Report>) -> Result<(), Stopped>,
) -> Result<(), Stopped> {
    let next = AtomicUsize::new(0);
    let (done, all) = mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE.min(chosen.len()) {
            let (next, done) = (&next, done.clone());
            scope.spawn(move || {
                while let Some((at, situation)) = {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    chosen.get(at).map(|situation| (at, situation))
                } {
                    // Nobody listens where the output is closed.
                    _ = done.send((at, Report::of(situation, program)));
                }
            });
        }
        drop(done);
        let (mut early, mut turn) = (BTreeMap::new(), 0);
        for (at, report) in all {
            early.insert(at, report);
            while let Some(report) = early.remove(&turn) {
                let told = tell(&chosen[turn], report);
                turn += 1;
                if told.is_err() {
                    next.store(chosen.len(), Ordering::Relaxed);
                    return told;
                }
            }
        }
        Ok(())
    })
}

fn listed(situation: &Situation, json: bool) -> Result<(), Stopped> {
    let Situation { slug, sentence, shows, .. } = situation;
    let (cause, side) = (situation.cause.entry().slug, situation.side.name());
    if json {
        let shows: Vec<&str> = shows.split(' ').filter(|word| *word != "-").collect();
        return show::object(&json!({
            "situation": slug, "sentence": sentence, "shows": shows, "cause": cause, "side": side,
        }));
    }
    show::line(situation.to_string().as_bytes())
}

fn text(report: &Report) -> String {
    let Situation { slug, sentence, cause, .. } = report.situation;
    let cause = cause.entry().slug;
    let modes: Vec<String> =
        report.attempts.iter().map(|one| format!("{} {}", one.mode.name(), one.outcome)).collect();
    let clients: Vec<String> = report
        .clients
        .iter()
        .map(|(client, fetched)| format!("{} {}", client.name(), fetched.name()))
        .collect();
    let doctor = match &report.diagnosis {
        Some(found) => format!("{}, {}, {}", found.cause, found.side, found.confidence),
        None => "-".to_owned(),
    };
    format!(
        "{slug}\n    {sentence}.\n    modes    {}\n    clients  {}\n    cause    {cause}, {}\n    doctor   {}",
        modes.join(", "),
        clients.join(", "),
        report.situation.side.name(),
        show::plain(&doctor),
    )
}

fn object(report: &Report) -> Value {
    let modes: serde_json::Map<String, Value> =
        report.attempts.iter().map(|one| (one.mode.name().to_owned(), one.outcome.name().into())).collect();
    let reasons: serde_json::Map<String, Value> = (report.attempts.iter())
        .filter(|one| !one.why.is_empty())
        .map(|one| (one.mode.name().to_owned(), one.why.clone().into()))
        .collect();
    let clients: serde_json::Map<String, Value> = report
        .clients
        .iter()
        .map(|(client, fetched)| (client.name().to_owned(), fetched.name().into()))
        .collect();
    let doctor = report
        .diagnosis
        .as_ref()
        .map(|found| json!({ "cause": found.cause, "side": found.side, "confidence": found.confidence }));
    json!({
        "situation": report.situation.slug,
        "sentence": report.situation.sentence,
        "cause": report.situation.cause.entry().slug,
        "side": report.situation.side.name(),
        "modes": modes,
        "reasons": reasons,
        "clients": clients,
        "doctor": doctor,
    })
}

/// A shell on the client of a situation, which goes with the shell.
fn shell(situation: &Situation) -> Result<(), Stopped> {
    let Ready { program, ending } = ready(Interrupt::IsForTheShell)?;
    let built = |error: twoport_netns::Error| Stopped::local(format!("{}: {error}", situation.slug));
    let stage = Stage::build(situation, &program);
    ending.heed();
    let stage = stage.map_err(built)?;
    let password = situation.password;
    show::line(
        format!(
            "{}: {}.\nThe server is {}, user {USER}, password {password}. This is the client's machine; exit removes everything.\n{}",
            situation.slug,
            situation.sentence,
            stage.server(),
            stage.url(),
        )
        .as_bytes(),
    )?;
    let shell = std::env::var_os("SHELL").unwrap_or_else(|| "/bin/sh".into());
    let mut command: Command = stage.client().command(&shell);
    programs::at_home(&mut command, &stage);
    let failed = |error: std::io::Error| Stopped::local(format!("{}: {error}", shell.display()));
    // How the user left the shell says nothing of the laboratory.
    let ended = command.status();
    ending.heed();
    let _: ExitStatus = ended.map_err(failed)?;
    Ok(())
}
