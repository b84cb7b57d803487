//! `twoport doctor URL`: why it does not work, and which side must change what.

use std::io::IsTerminal;

use twoport_client::proxy;
use twoport_client::url::Url;
use twoport_doctor::causes::Cause;
use twoport_doctor::diagnosis::Verdict;
use twoport_doctor::{Patient, Report, examine};

use crate::args::Doctor;
use crate::exit::{Exit, Stopped};
use crate::run::remote;
use crate::{security, show};

/// Examines a server from here. The exit code says how it stands: 0 where some way works.
pub(crate) fn doctor(args: &Doctor) -> Result<(), Stopped> {
    let url = Url::read(&args.url).map_err(|e| Stopped::usage(e.to_string()))?;
    let mut wanted = security::of(&args.security, url.scheme)?;
    // Nothing is remembered of a server that is only looked at.
    wanted.known_hosts = None;
    let patient = Patient {
        login: remote::login(&url)?,
        security: wanted,
        proxy: proxy::read(|name| std::env::var(name).ok(), &url.host).map_err(Stopped::usage)?,
        plain: args.plain,
        idle: args.idle.map(std::time::Duration::from_secs),
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
