//! `twoport serve`: binds, says how to reach it and what could be in the way, serves, and drains when told to stop.

use std::net::SocketAddr;
use std::time::SystemTime;

use tokio::signal::unix::{SignalKind, signal};
use twoport_server::{
    Listener, Password, Server, Settings, StartError, Warden, outlook, raise_descriptor_limit,
};

use crate::args::Serve;
use crate::exit::{Exit, Stopped};
use crate::log::Log;
use crate::settle::{self, Settled, Told};

/// Runs until SIGTERM or Ctrl-C and the end of what was going on then.
pub(crate) fn serve(args: Box<Serve>) -> Result<(), Stopped> {
    let _log = Log::start(args.quiet);
    raise_descriptor_limit();
    let settled = settle::serve(&args)?;
    // Whoever comes is met here; sessions have threads of their own.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Stopped::local(format!("cannot start: {e}")))?;
    let ended = runtime.block_on(run(args, settled));
    // A transfer that was cut at the end has put its file in order when the runtime has let go of it.
    drop(runtime);
    ended
}

async fn run(args: Box<Serve>, settled: Settled) -> Result<(), Stopped> {
    let Settled { settings, told } = settled;
    let signals = |kind| signal(kind).map_err(|e| Stopped::local(format!("cannot wait for signals: {e}")));
    let (mut interrupt, mut terminate) =
        (signals(SignalKind::interrupt())?, signals(SignalKind::terminate())?);
    let mut hangup = signals(SignalKind::hangup())?;
    let server = Server::bind(&settings).map_err(start_failed)?;
    if !args.quiet {
        introduce(&settings, &server, &told);
    }
    let warden = server.warden();
    let (mut second, mut interrupted) = (signals(SignalKind::interrupt())?, false);
    let stop = async {
        loop {
            tokio::select! {
                _ = interrupt.recv() => return,
                _ = terminate.recv() => return,
                _ = hangup.recv() => reload(&args, &warden),
            }
        }
    };
    let serving = server.run(stop);
    tokio::pin!(serving);
    loop {
        tokio::select! {
            () = &mut serving => return Ok(()),
            // The first is the order to stop, the second means it.
            _ = second.recv() => {
                if std::mem::replace(&mut interrupted, true) {
                    return Err(Stopped { exit: Exit::Incomplete, text: "stopped at once; transfers were cut".to_owned() });
                }
            }
        }
    }
}

fn start_failed(e: StartError) -> Stopped {
    Stopped::local(e.to_string())
}

/// SIGHUP: everything anew from flags and file, except for what is listened on.
fn reload(args: &Serve, warden: &Warden) {
    if args.config.is_none() {
        tracing::info!("SIGHUP: there is no configuration file to read again");
        return;
    }
    let result = settle::serve(args)
        .map_err(|e| e.text)
        .and_then(|settled| warden.reload(&settled.settings).map_err(|e| e.to_string()));
    match result {
        Ok(()) => tracing::info!("the configuration was read again; new sessions go by it"),
        Err(why) => tracing::error!("the configuration was not taken, the one before stays in force: {why}"),
    }
}

/// What a newcomer needs to connect at once, and what could be in the way.
fn introduce(settings: &Settings, server: &Server, told: &[Told]) {
    println!("twoport {}", env!("CARGO_PKG_VERSION"));
    let addresses = server.addresses();
    let (implicit, usual): (Vec<_>, Vec<_>) =
        addresses.into_iter().zip(&settings.listen).partition(|(_, listener)| listener.door.implicit);
    let reached = |some: Vec<(SocketAddr, &Listener)>| {
        outlook::reached_at(&some.into_iter().map(|(address, _)| address).collect::<Vec<_>>())
    };
    let reached: Vec<(&str, SocketAddr)> = (reached(usual).into_iter().map(|address| ("ftp", address)))
        .chain(reached(implicit).into_iter().map(|address| ("ftps", address)))
        .collect();
    for account in &settings.accounts {
        // A password out of a file is not shown to the terminal.
        let credentials = match (&account.password, told.iter().find(|told| told.name == account.name)) {
            (Password::Any, _) => String::new(),
            (Password::Plain(_), Some(told)) => format!("{}:{}@", encode(&told.name), encode(&told.password)),
            (Password::Plain(_) | Password::None, _) => format!("{}@", encode(&account.name)),
        };
        let root = account.root.canonicalize().unwrap_or_else(|_| account.root.clone());
        println!("\n{} ({:?}) gets {}", account.name, account.rights, root.display());
        for (scheme, address) in &reached {
            println!("  {scheme}://{credentials}{address}/");
        }
    }
    println!();
    for line in outlook::summary(settings) {
        println!("{line}");
    }
    let certificates = server.warden().certificates();
    for line in outlook::certificates(&certificates) {
        println!("{line}");
    }
    let mut problems = outlook::problems(settings, &outlook::Machine::look());
    problems.extend(outlook::certificate_problems(&certificates, SystemTime::now()));
    for problem in problems {
        println!("! {problem}");
    }
    println!("Ctrl-C stops it; transfers then have {} seconds to finish.", settings.drain.as_secs());
}

/// What a URL cannot hold as it is (RFC 3986 §2.3).
fn encode(text: &str) -> String {
    text.bytes()
        .map(|b| match b {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(b).to_string(),
            _ => format!("%{b:02X}"),
        })
        .collect()
}
