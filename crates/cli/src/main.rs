//! `twoport`: parse what was typed, settle what it means, run it, end with a code that a script can branch on.

mod args;
mod exit;
mod log;
mod progress;
mod run;
mod security;
mod settle;
mod shell;
mod show;
mod site;

use std::process::ExitCode;

use clap::Parser;

use crate::args::{Args, Command};
use crate::exit::Exit;

fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(e) => {
            let code = if e.use_stderr() { Exit::Usage } else { Exit::Done };
            let _ = e.print();
            return code.into();
        }
    };
    let json = args.command.json();
    let ended = match args.command {
        Command::Serve(serve) => run::serve::serve(serve),
        Command::Ls(ls) => run::remote::ls(&ls),
        Command::Cat(cat) => run::transfer::cat(&cat),
        Command::Get(get) => run::transfer::get(&get),
        Command::Put(put) => run::transfer::put(&put),
        Command::Mirror(mirror) => run::mirror::mirror(&mirror),
        Command::Rm(rm) => run::remote::rm(&rm),
        Command::Mkdir(mkdir) => run::remote::mkdir(&mkdir),
        Command::Rmdir(rmdir) => run::remote::rmdir(&rmdir),
        Command::Mv(mv) => run::remote::mv(&mv),
        Command::Stat(stat) => run::remote::stat(&stat),
        Command::Hash(hash) => run::remote::hash(&hash),
        Command::Ftp(ftp) => shell::ftp(&ftp),
        Command::Check(check) => run::check::check(&check),
        Command::Doctor(doctor) => run::doctor::doctor(&doctor),
        Command::Firewall(firewall) => run::firewall::firewall(&firewall),
        Command::Lab(lab) => run::lab::lab(&lab),
        Command::Completions(completions) => run::pages::completions(&completions),
        Command::Man(man) => run::pages::man(&man),
    };
    match ended {
        Ok(()) => Exit::Done.into(),
        Err(stopped) => {
            if json {
                // A reader that has gone has seen enough; stderr says it in any case.
                let _ = show::object(&show::failure(None, &stopped));
            }
            if !stopped.text.is_empty() {
                eprintln!("twoport: {}", show::plain(&stopped.text));
            }
            stopped.exit.into()
        }
    }
}
