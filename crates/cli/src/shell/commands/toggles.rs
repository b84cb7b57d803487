//! Commands that turn something on and off, and say so as BSD's ftp does.

use std::sync::atomic::Ordering::Relaxed;

use crate::shell::numbers::{on_off, size, toggled};
use crate::shell::state::Mode;
use crate::shell::voice::say;
use crate::shell::words::Said;
use crate::shell::{Fault, Shell};

/// Sets a toggle by its word and says what it is now: `WHAT on.`.
fn toggle(value: &mut bool, said: &Said, what: &str) -> Result<(), Fault> {
    *value = toggled(*value, said.argument(0)).ok_or(Fault::Usage)?;
    say(format!("{what} {}.", on_off(*value)));
    Ok(())
}

pub(crate) fn bell(shell: &mut Shell, said: &Said) -> Result<(), Fault> {
    toggle(&mut shell.settings.bell, said, "Bell mode")
}

pub(crate) fn case(shell: &mut Shell, said: &Said) -> Result<(), Fault> {
    toggle(&mut shell.settings.mapping.case, said, "Case mapping")
}

pub(crate) fn cr(shell: &mut Shell, said: &Said) -> Result<(), Fault> {
    toggle(&mut shell.settings.cr, said, "Carriage Return stripping")
}

pub(crate) fn edit(shell: &mut Shell, said: &Said) -> Result<(), Fault> {
    if !shell.terminal.is_interactive() {
        return Err(Fault::say("Editing mode off: there is no terminal to edit on."));
    }
    toggle(&mut shell.terminal.editing, said, "Editing mode")
}

pub(crate) fn epsv(shell: &mut Shell, said: &Said) -> Result<(), Fault> {
    let mut value = shell.settings.epsv4 && shell.settings.epsv6;
    toggle(&mut value, said, "EPSV/EPRT on IPv4 and IPv6")?;
    (shell.settings.epsv4, shell.settings.epsv6) = (value, value);
    Ok(())
}

pub(crate) fn epsv4(shell: &mut Shell, said: &Said) -> Result<(), Fault> {
    toggle(&mut shell.settings.epsv4, said, "EPSV/EPRT on IPv4")
}

pub(crate) fn epsv6(shell: &mut Shell, said: &Said) -> Result<(), Fault> {
    toggle(&mut shell.settings.epsv6, said, "EPSV/EPRT on IPv6")
}

pub(crate) fn glob(shell: &mut Shell, said: &Said) -> Result<(), Fault> {
    toggle(&mut shell.settings.glob, said, "Globbing")
}

pub(crate) fn preserve(shell: &mut Shell, said: &Said) -> Result<(), Fault> {
    toggle(&mut shell.settings.preserve, said, "Preserve modification times")
}

pub(crate) fn progress(shell: &mut Shell, said: &Said) -> Result<(), Fault> {
    toggle(&mut shell.settings.progress, said, "Progress bar")
}

pub(crate) fn prompt(shell: &mut Shell, said: &Said) -> Result<(), Fault> {
    toggle(&mut shell.settings.interactive, said, "Interactive mode")
}

pub(crate) fn runique(shell: &mut Shell, said: &Said) -> Result<(), Fault> {
    toggle(&mut shell.settings.runique, said, "Receive unique")
}

pub(crate) fn sendport(shell: &mut Shell, said: &Said) -> Result<(), Fault> {
    toggle(&mut shell.settings.sendport, said, "Use of PORT cmds")?;
    if !shell.settings.sendport {
        say("(It is said all the same: no server of today connects to a port that it was not told.)");
    }
    Ok(())
}

pub(crate) fn sunique(shell: &mut Shell, said: &Said) -> Result<(), Fault> {
    toggle(&mut shell.settings.sunique, said, "Store unique")
}

pub(crate) fn tick(shell: &mut Shell, said: &Said) -> Result<(), Fault> {
    toggle(&mut shell.settings.tick, said, "Tick counter printing")?;
    shell.settings.hash &= !shell.settings.tick;
    Ok(())
}

pub(crate) fn trace(shell: &mut Shell, said: &Said) -> Result<(), Fault> {
    toggle(&mut shell.settings.trace, said, "Packet tracing")?;
    if shell.settings.trace {
        say("(It traces nothing: packets are tcpdump's business. `debug` shows the dialogue.)");
    }
    Ok(())
}

pub(crate) fn verbose(shell: &mut Shell, said: &Said) -> Result<(), Fault> {
    let mut value = shell.voice.verbose.load(Relaxed);
    toggle(&mut value, said, "Verbose mode")?;
    shell.voice.verbose.store(value, Relaxed);
    Ok(())
}

pub(crate) fn debug(shell: &mut Shell, said: &Said) -> Result<(), Fault> {
    let now = shell.voice.debug.load(Relaxed);
    let level = match said.argument(0) {
        Some(word) if word.first().is_some_and(u8::is_ascii_digit) => {
            let level = size(word).and_then(|level| u8::try_from(level).ok());
            level.ok_or_else(|| Fault::say(format!("{}: bad debugging value.", said.rest.escape_ascii())))?
        }
        word => u8::from(toggled(now > 0, word).ok_or(Fault::Usage)?),
    };
    shell.voice.debug.store(level, Relaxed);
    say(format!("Debugging {} (debug={level}).", on_off(level > 0)));
    Ok(())
}

pub(crate) fn hash(shell: &mut Shell, said: &Said) -> Result<(), Fault> {
    match said.argument(0) {
        Some(word) if word.first().is_some_and(u8::is_ascii_digit) => {
            let mark = size(word).filter(|mark| *mark > 0);
            shell.settings.mark =
                mark.ok_or_else(|| Fault::say(format!("hash mark: bad bytecount {}", word.escape_ascii())))?;
            shell.settings.hash = true;
        }
        word => shell.settings.hash = toggled(shell.settings.hash, word).ok_or(Fault::Usage)?,
    }
    match shell.settings.hash {
        true => {
            shell.settings.tick = false;
            say(format!("Hash mark printing on ({} bytes/hash mark).", shell.settings.mark));
        }
        false => say("Hash mark printing off."),
    }
    Ok(())
}

/// Off the mode in which both are tried the way leads to passive: whoever says it has a reason.
pub(crate) fn passive(shell: &mut Shell, said: &Said) -> Result<(), Fault> {
    let is_auto = said.argument(0).is_some_and(|word| word.eq_ignore_ascii_case(b"auto"));
    shell.settings.mode = match is_auto {
        true => Mode::Auto,
        false => {
            let passive =
                toggled(shell.settings.mode == Mode::Passive, said.argument(0)).ok_or(Fault::Usage)?;
            if passive { Mode::Passive } else { Mode::Active }
        }
    };
    match shell.settings.mode {
        Mode::Auto => say("Passive mode on; fallback to active mode on."),
        mode => say(format!("Passive mode {}.", on_off(mode == Mode::Passive))),
    }
    Ok(())
}
