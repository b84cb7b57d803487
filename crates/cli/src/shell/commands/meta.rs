//! Commands about commands, ours and the server's: help, status, and words that are passed on as they are.

use twoport_proto::{Request, Verb};

use crate::shell::numbers::on_off;
use crate::shell::state::Mode;
use crate::shell::table::{Found, TABLE, find};
use crate::shell::voice::{Volume, harmless, say};
use crate::shell::words::Said;
use crate::shell::{Fault, Shell};

/// Columns of a terminal that `help` counts on.
const WIDTH: usize = 80;

impl Shell {
    /// Says a line as the user has written it, and shows its reply.
    pub(crate) fn quote(&mut self, line: &[u8]) -> Result<(), Fault> {
        let request = Request::quote(line).map_err(|fault| Fault::Say(format!("ftp: {fault}")))?;
        let word = line.split(|b| *b == b' ').next().and_then(Verb::read);
        if let Some(verb @ (Verb::Auth | Verb::Ccc)) = word {
            // Behind it the server speaks another language than we would.
            return Err(Fault::Say(format!(
                "ftp: {verb} is said where --tls wants it, when the session begins"
            )));
        }
        self.link()?.forget_names();
        self.at_volume(Volume::Loud, |shell| shell.talk(async |client| client.say_elsewhere(request).await))
            .map(|_| ())
    }
}

pub(crate) fn help(_: &mut Shell, said: &Said) -> Result<(), Fault> {
    if said.arguments().is_empty() {
        say("Commands may be abbreviated.  Commands are:\n");
        let names: Vec<&str> = TABLE.iter().map(|row| row.name).collect();
        columns(&names).iter().for_each(say);
        return Ok(());
    }
    for word in said.arguments() {
        match find(word) {
            Found::One(row) => say(format!("{:<10}\t{}", row.name, row.help)),
            Found::Ambiguous => say(format!("?Ambiguous help command {}", harmless(word))),
            Found::Nothing => say(format!("?Invalid help command {}", harmless(word))),
        }
    }
    Ok(())
}

/// Names in columns, downwards first.
fn columns(names: &[&str]) -> Vec<String> {
    let width = names.iter().map(|name| name.len()).max().unwrap_or_default() + 2;
    let across = (WIDTH / width).max(1);
    let down = names.len().div_ceil(across);
    (0..down)
        .map(|line| {
            let line: String =
                names.iter().skip(line).step_by(down).map(|name| format!("{name:<width$}")).collect();
            line.trim_end().to_owned()
        })
        .collect()
}

pub(crate) fn usage(_: &mut Shell, said: &Said) -> Result<(), Fault> {
    for word in said.arguments() {
        match find(word) {
            Found::One(row) => say(format!("usage: {} {}", row.name, row.usage).trim_end()),
            Found::Ambiguous => say(format!("?Ambiguous usage command {}", harmless(word))),
            Found::Nothing => say(format!("?Invalid usage command {}", harmless(word))),
        }
    }
    Ok(())
}

pub(crate) fn quote(shell: &mut Shell, said: &Said) -> Result<(), Fault> {
    shell.quote(&said.joined(0))
}

pub(crate) fn site(shell: &mut Shell, said: &Said) -> Result<(), Fault> {
    shell.quote(&[b"SITE ", said.joined(0).as_slice()].concat())
}

pub(crate) fn idle(shell: &mut Shell, said: &Said) -> Result<(), Fault> {
    site_word(shell, b"SITE IDLE", said)
}

pub(crate) fn umask(shell: &mut Shell, said: &Said) -> Result<(), Fault> {
    site_word(shell, b"SITE UMASK", said)
}

fn site_word(shell: &mut Shell, word: &[u8], said: &Said) -> Result<(), Fault> {
    match said.argument(0) {
        Some(argument) => shell.quote(&[word, b" ", argument].concat()),
        None => shell.quote(word),
    }
}

pub(crate) fn rhelp(shell: &mut Shell, said: &Said) -> Result<(), Fault> {
    shell.tell_aloud(Verb::Help, &said.joined(0)).map(|_| ())
}

pub(crate) fn rstatus(shell: &mut Shell, said: &Said) -> Result<(), Fault> {
    shell.tell_aloud(Verb::Stat, &said.joined(0)).map(|_| ())
}

pub(crate) fn system(shell: &mut Shell, _: &Said) -> Result<(), Fault> {
    shell.tell_aloud(Verb::Syst, b"").map(|_| ())
}

pub(crate) fn features(shell: &mut Shell, _: &Said) -> Result<(), Fault> {
    shell.link()?.asked_features = true;
    shell.at_volume(Volume::Loud, |shell| shell.talk(async |client| client.learn_features().await))
}

pub(crate) fn remopts(shell: &mut Shell, said: &Said) -> Result<(), Fault> {
    shell.tell_aloud(Verb::Opts, &said.joined(0)).map(|_| ())
}

pub(crate) fn status(shell: &mut Shell, _: &Said) -> Result<(), Fault> {
    let connected = |place: usize| match &shell.links[place] {
        Some(link) => format!("Connected to {}.", link.host),
        None => "Not connected.".to_owned(),
    };
    say(connected(0));
    match &shell.links[1] {
        Some(link) => say(format!("Proxy connection to {}.", link.host)),
        None => say("No proxy connection."),
    }
    let s = &shell.settings;
    let mode = match s.mode {
        Mode::Auto => "on; fallback to active mode: on",
        Mode::Passive => "on; fallback to active mode: off",
        Mode::Active => "off; fallback to active mode: off",
    };
    say(format!("Passive mode: {mode}."));
    say(format!("EPSV/EPRT: on IPv4 {}, on IPv6 {}.", on_off(s.epsv4), on_off(s.epsv6)));
    say(format!("Mode: stream; Type: {}; Form: non-print; Structure: file.", s.kind_name()));
    let verbose = shell.voice.verbose.load(std::sync::atomic::Ordering::Relaxed);
    let (bell, ask, glob) = (on_off(s.bell), on_off(s.interactive), on_off(s.glob));
    say(format!("Verbose: {}; Bell: {bell}; Prompting: {ask}; Globbing: {glob}.", on_off(verbose)));
    say(format!("Store unique: {}; Receive unique: {}.", on_off(s.sunique), on_off(s.runique)));
    say(format!("Preserve modification times: {}.", on_off(s.preserve)));
    say(format!("Case: {}; CR stripping: {}.", on_off(s.mapping.case), on_off(s.cr)));
    match &s.mapping.ntrans {
        Some((from, to)) => say(format!("Ntrans: (in) {} (out) {}", harmless(from), harmless(to))),
        None => say("Ntrans: off."),
    }
    match &s.mapping.nmap {
        Some((from, to)) => say(format!("Nmap: (in) {} (out) {}", harmless(from), harmless(to))),
        None => say("Nmap: off."),
    }
    say(format!(
        "Hash mark printing: {}; Mark count: {}; Progress bar: {}.",
        on_off(s.hash),
        s.mark,
        on_off(s.progress)
    ));
    say(format!("Get transfer rate throttle: {}.", limit(s.rates[0])));
    say(format!("Put transfer rate throttle: {}.", limit(s.rates[1])));
    say(format!("Use of PORT cmds: {}.", on_off(s.sendport)));
    let names: Vec<String> = shell.macros.all().map(|(name, _)| harmless(name)).collect();
    if !names.is_empty() {
        say(format!("Macros:\n\t{}", names.join("\n\t")));
    }
    Ok(())
}

fn limit(rate: u64) -> String {
    match rate {
        0 => "off".to_owned(),
        rate => format!("{rate} bytes/s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_go_downwards() {
        let names: Vec<String> = (0..25).map(|at| format!("name{at:04}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let lines = columns(&names);
        assert_eq!(lines.len(), 4);
        assert!(lines[0].starts_with("name0000  name0004"), "{lines:?}");
        assert!(lines[3].ends_with("name0023"), "{lines:?}");
    }
}
