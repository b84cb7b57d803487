//! Completions and manual pages, from the table that the flags are read by.

use std::io::{self, Write};

use clap::CommandFactory;

use crate::args::{Args, Completions, Man};
use crate::exit::Stopped;

/// Prints completions for a shell.
pub(crate) fn completions(asked: &Completions) -> Result<(), Stopped> {
    let mut script = Vec::new();
    clap_complete::generate(asked.shell, &mut Args::command(), "twoport", &mut script);
    print(&script)
}

/// Prints a page of the manual.
pub(crate) fn man(asked: &Man) -> Result<(), Stopped> {
    let mut program = Args::command();
    program.build();
    let page = match &asked.command {
        None => program,
        Some(name) => match program.find_subcommand(name) {
            Some(command) => command.clone().display_name(format!("twoport-{name}")),
            None => {
                return Err(Stopped::usage(format!("there is no command {name}; twoport --help lists them")));
            }
        },
    };
    let mut text = Vec::new();
    clap_mangen::Man::new(page).render(&mut text).map_err(|e| Stopped::local(e.to_string()))?;
    print(&text)
}

/// A reader that has gone has seen enough.
fn print(text: &[u8]) -> Result<(), Stopped> {
    match io::stdout().write_all(text) {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => Err(Stopped::local(format!("cannot print: {e}"))),
        _ => Ok(()),
    }
}
