//! `twoport check --config FILE`: is it right, and what does it mean?

use twoport_server::outlook;

use crate::args::Check;
use crate::exit::Stopped;
use crate::settle;

/// Reads, settles, and says what it would do.
pub(crate) fn check(args: &Check) -> Result<(), Stopped> {
    let settings = settle::read(&args.config)?.settle().map_err(Stopped::usage)?;
    println!("{} is right.", args.config.display());
    for line in outlook::doors(&settings).into_iter().chain(outlook::summary(&settings)) {
        println!("  {line}");
    }
    for problem in outlook::problems(&settings, &outlook::Machine::look()) {
        println!("! {problem}");
    }
    Ok(())
}
