//! `twoport check --config FILE`: is it right, and what does it mean?

use std::time::SystemTime;

use twoport_server::certificates::Known;
use twoport_server::{Settings, outlook};

use crate::args::Check;
use crate::exit::Stopped;
use crate::settle;

/// What the certificates in files say; nothing is made up for a check.
fn certificates(settings: &Settings) -> Result<Vec<Known>, Stopped> {
    let sources = settings.tls.iter().flat_map(|tls| &tls.certificates);
    sources.filter_map(|source| source.known().map_err(Stopped::usage).transpose()).collect()
}

/// Reads, settles, and says what it would do.
pub(crate) fn check(args: &Check) -> Result<(), Stopped> {
    let settings = settle::settings(&args.config)?;
    let certificates = certificates(&settings)?;
    println!("{} is right.", args.config.display());
    for line in outlook::doors(&settings).into_iter().chain(outlook::summary(&settings)) {
        println!("  {line}");
    }
    for line in outlook::certificates(&certificates) {
        println!("  {line}");
    }
    println!("  what firewalls must let through: twoport firewall --config {}", args.config.display());
    let mut problems = outlook::problems(&settings, &outlook::Machine::look());
    problems.extend(outlook::certificate_problems(&certificates, SystemTime::now()));
    for problem in problems {
        println!("! {problem}");
    }
    Ok(())
}
