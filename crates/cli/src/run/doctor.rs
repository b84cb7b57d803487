//! `twoport doctor`: why it does not work, and which side must change what; of a URL from here, or of a configuration on the machine
//! that serves.

use std::io::IsTerminal;
use std::path::Path;

use twoport_client::proxy;
use twoport_client::url::Url;
use twoport_doctor::causes::Cause;
use twoport_doctor::diagnosis::Verdict;
use twoport_doctor::host::{self, Setup};
use twoport_doctor::{Patient, Report, ServerSide, examine};
use twoport_server::Settings;

use crate::args::Doctor;
use crate::exit::{Exit, Stopped};
use crate::run::remote;
use crate::{security, settle, show, site};

/// Examines a server. The exit code says how it stands: 0 where some way works.
pub(crate) fn doctor(args: &Doctor) -> Result<(), Stopped> {
    match (&args.config, &args.url) {
        (Some(file), _) => own_side(file, args.json),
        (None, Some(url)) => from_here(args, url),
        (None, None) => Err(Stopped::usage("neither a URL nor --config FILE was given")),
    }
}

/// The server's own side: this machine, as a configuration needs it.
fn own_side(file: &Path, json: bool) -> Result<(), Stopped> {
    let settings = settle::settings(file)?;
    let setup = setup(file, settings);
    let seen = remote::with_runtime(async { Ok(host::facts::look(&setup).await) })?;
    let examined = host::judge::judge(&setup, &seen);
    match json {
        true => show::object(&examined.json(site::object))?,
        false => show::line(show::plain(examined.to_string().trim_end()).as_bytes())?,
    }
    match examined.verdict() {
        Verdict::Ok | Verdict::Degraded => Ok(()),
        // The report has said it.
        Verdict::Broken => Err(Stopped { exit: Exit::Unreachable, text: String::new() }),
    }
}

fn setup(file: &Path, settings: Settings) -> Setup {
    Setup {
        file: file.display().to_string(),
        site: site::of_settings(&settings),
        listen: settings.listen.iter().map(|listener| listener.address).collect(),
        witness: settings.witness,
        max_sessions: settings.max_sessions,
        keepalive: settings.keepalive,
    }
}

/// What was said on the server's machine.
fn server_side(path: &Path) -> Result<ServerSide, Stopped> {
    let wrong = |why: String| Stopped::usage(format!("--server-side: {}: {why}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|e| wrong(e.to_string()))?;
    let said = "; it must be what 'twoport doctor --config FILE --json' prints on the server's machine";
    ServerSide::read(&text).map_err(|why| wrong(format!("{why}{said}")))
}

/// From the client's end.
fn from_here(args: &Doctor, url: &str) -> Result<(), Stopped> {
    let url = Url::read(url).map_err(|e| Stopped::usage(e.to_string()))?;
    let mut wanted = security::of(&args.security, url.scheme)?;
    // Nothing is remembered of a server that is only looked at.
    wanted.known_hosts = None;
    let patient = Patient {
        login: remote::login(&url)?,
        security: wanted,
        proxy: proxy::read(|name| std::env::var(name).ok(), &url.host).map_err(Stopped::usage)?,
        plain: args.plain,
        idle: args.idle.map(std::time::Duration::from_secs),
        server_side: args.server_side.as_deref().map(server_side).transpose()?,
        url,
    };
    let quiet = args.quiet || args.json || !std::io::stderr().is_terminal();
    let mut tell = |text: &str| {
        if !quiet {
            eprintln!("{}", show::plain(text));
        }
    };
    let report = remote::with_runtime(async { Ok(Report::of(examine(&patient, &mut tell).await)) })?;
    match args.json {
        true => show::object(&report.json())?,
        false => show::line(show::plain(report.to_string().trim_end()).as_bytes())?,
    }
    if let Some(path) = &args.svg {
        let figure = report.figure().map(|figure| figure.svg());
        let text =
            figure.ok_or_else(|| Stopped::local("there is nothing to draw: the server was not found"))?;
        std::fs::write(path, text)
            .map_err(|e| Stopped::local(format!("--svg: {} cannot be written: {e}", path.display())))?;
    }
    let exit = match (report.diagnosis.verdict, report.diagnosis.cause) {
        (Verdict::Ok | Verdict::Degraded, _) => return Ok(()),
        (Verdict::Broken, Cause::LoginRefused | Cause::ServerBusy | Cause::ProtectRequired) => Exit::Refused,
        (Verdict::Broken, Cause::UntrustedCertificate) => Exit::Insecure,
        (Verdict::Broken, _) => Exit::Unreachable,
    };
    // The report has said it.
    Err(Stopped { exit, text: String::new() })
}
