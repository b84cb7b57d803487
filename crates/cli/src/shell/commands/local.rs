//! Commands that need no server: the shell, the folder here, macros.

use std::env;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::Command;

use crate::shell::terminal::Answer;
use crate::shell::voice::{harmless, say};
use crate::shell::words::Said;
use crate::shell::{DEPTH, Fault, Shell};

/// `!`: a shell, or one command for it.
pub(crate) fn shell(_: &mut Shell, said: &Said) -> Result<(), Fault> {
    let program = env::var_os("SHELL").filter(|shell| !shell.is_empty()).unwrap_or_else(|| "/bin/sh".into());
    let mut command = Command::new(&program);
    if !said.rest.is_empty() {
        command.arg("-c").arg(std::ffi::OsStr::from_bytes(&said.rest));
    }
    let status =
        command.status().map_err(|e| Fault::Say(format!("{}: {e}", Path::new(&program).display())))?;
    if status.success() { Ok(()) } else { Err(Fault::Told) }
}

pub(crate) fn run_macro(shell: &mut Shell, said: &Said) -> Result<(), Fault> {
    let name = said.argument(0).ok_or(Fault::Usage)?;
    let arguments = said.arguments().get(1..).unwrap_or_default();
    let Some(lines) = shell.macros.call(name, arguments) else {
        return Err(Fault::Say(format!("'{}' macro not found.", harmless(name))));
    };
    if shell.depth >= DEPTH {
        return Err(Fault::Say(format!("'{}' macro calls itself too often.", harmless(name))));
    }
    shell.depth += 1;
    for line in lines {
        if shell.ended {
            break;
        }
        if shell.voice.is_verbose() {
            say(harmless(&line));
        }
        shell.carry_out(&line);
    }
    shell.depth -= 1;
    Ok(())
}

pub(crate) fn macdef(shell: &mut Shell, said: &Said) -> Result<(), Fault> {
    let name = said.argument(0).ok_or(Fault::Usage)?.to_vec();
    if shell.macros.is_full() {
        return Err(Fault::say("Limit of 16 macros have already been defined."));
    }
    if shell.terminal.is_interactive() {
        say("Enter macro line by line, terminating it with a null line");
    }
    let mut lines = Vec::new();
    loop {
        match shell.terminal.ask("") {
            Answer::Line(line) if line.trim_ascii().is_empty() => break,
            Answer::Line(line) => lines.push(line),
            Answer::Interrupted => return Err(Fault::Interrupted),
            Answer::End => return Err(Fault::say("Macro not defined: no null line ends it.")),
        }
    }
    shell.macros.define(&name, lines).map_err(Fault::say)
}

pub(crate) fn lcd(_: &mut Shell, said: &Said) -> Result<(), Fault> {
    let home = || env::var_os("HOME").ok_or_else(|| Fault::say("lcd: there is no home folder; name one"));
    let folder = match said.argument(0) {
        Some(b"~") | None => home()?,
        Some(word) => std::ffi::OsStr::from_bytes(word).to_owned(),
    };
    env::set_current_dir(&folder)
        .map_err(|e| Fault::Say(format!("lcd: {}: {e}", Path::new(&folder).display())))?;
    here("Local directory now ")
}

pub(crate) fn lpwd(_: &mut Shell, _: &Said) -> Result<(), Fault> {
    here("Local directory: ")
}

fn here(text: &str) -> Result<(), Fault> {
    let folder = env::current_dir().map_err(|e| Fault::Say(format!("lpwd: {e}")))?;
    say(format!("{text}{}", harmless(folder.as_os_str().as_bytes())));
    Ok(())
}

pub(crate) fn lpage(shell: &mut Shell, said: &Said) -> Result<(), Fault> {
    let file = said.argument(0).ok_or(Fault::Usage)?;
    let file = std::fs::File::open(Path::new(std::ffi::OsStr::from_bytes(file)))
        .map_err(|e| Fault::Say(format!("lpage: {}: {e}", harmless(file))))?;
    let pager = shell.pager();
    let status = Command::new("/bin/sh").arg("-c").arg(&pager).stdin(file).status();
    status.map(|_| ()).map_err(|e| Fault::Say(format!("{pager}: {e}")))
}
