//! Many files: patterns, a question before each, and several sessions at the same time where nobody is asked.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use twoport_client::local_name::LocalName;
use twoport_client::mirror::{Direction, Done, Event, Plan, Sides, Step, Why, act};
use twoport_client::url::Url;
use twoport_client::{Crew, Put};
use twoport_proto::glob::Glob;
use twoport_proto::{Kind, Verb};

use super::confirm::{Confirm, Go};
use super::place::{How, path};
use super::transfer::is_about_one;
use crate::args::{Common, Mirror};
use crate::exit::Stopped;
use crate::run::mirror::carry_out;
use crate::run::remote::journey;
use crate::shell::link::last;
use crate::shell::state::{Mode, Type};
use crate::shell::voice::{Volume, harmless, say};
use crate::shell::words::Said;
use crate::shell::{Fault, Shell, interrupted};

impl Shell {
    /// The remote names that patterns stand for, each as it is to be asked for. A word that is no pattern is a name.
    fn remote_names(&mut self, words: &[Vec<u8>]) -> Result<Vec<Vec<u8>>, Fault> {
        let mut names = Vec::new();
        for word in words {
            if !self.settings.glob || !Glob::is_pattern(word) {
                names.push(word.clone());
                continue;
            }
            let name = last(word);
            let folder = &word[..word.len() - name.len()];
            if Glob::is_pattern(folder) {
                return Err(Fault::Say(format!(
                    "{}: patterns may stand in the last part of a path only",
                    harmless(word)
                )));
            }
            let asked = if folder == b"/" { folder } else { folder.strip_suffix(b"/").unwrap_or(folder) };
            let listed = self.talk(async |client| client.lines(Verb::Nlst, asked).await)?;
            let glob = Glob::read(name);
            let before = names.len();
            // Whatever path the server puts before a name, the folder is the one that was asked for.
            let own = listed.iter().map(|line| last(line)).filter(|name| LocalName::read(name).is_ok());
            names.extend(own.filter(|name| glob.matches(name)).map(|name| [folder, name].concat()));
            if names.len() == before {
                say(format!("{}: no match", harmless(word)));
            }
        }
        Ok(names)
    }

    /// The files here that patterns stand for.
    fn local_names(&self, words: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let mut names = Vec::new();
        for word in words {
            if !self.settings.glob || !Glob::is_pattern(word) {
                names.push(word.clone());
                continue;
            }
            let name = last(word);
            let prefix = &word[..word.len() - name.len()];
            let glob = Glob::read(name);
            let folder = if prefix.is_empty() { b".".as_slice() } else { prefix };
            let entries = std::fs::read_dir(path(folder)).into_iter().flatten().flatten();
            let mut found: Vec<Vec<u8>> = entries
                .map(|entry| entry.file_name().as_bytes().to_vec())
                .filter(|name| glob.matches(name))
                .map(|name| [prefix, name.as_slice()].concat())
                .collect();
            found.sort_unstable();
            if found.is_empty() {
                say(format!("{}: no match", harmless(word)));
            }
            names.extend(found);
        }
        names
    }

    /// Does it with each, asks before, and stops where Ctrl-C or the answer says so. The first failure is the end's.
    fn each(
        &mut self,
        command: &'static str,
        names: &[Vec<u8>],
        mut work: impl FnMut(&mut Shell, &[u8]) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let mut confirm = Confirm::new(command);
        let mut failed = false;
        for name in names {
            match confirm.ask(self, name) {
                Go::Yes => {}
                Go::No => continue,
                Go::Stop => break,
            }
            match work(self, name) {
                Ok(()) => {}
                Err(Fault::Interrupted) if self.links[self.here].is_some() && confirm.go_on(self) => {}
                Err(Fault::Interrupted) => return Err(Fault::Interrupted),
                Err(fault) => {
                    self.pass_over(fault)?;
                    failed = true;
                }
            }
        }
        if failed { Err(Fault::Told) } else { Ok(()) }
    }

    /// Says a failure that is about one file of many while the session lives; any other ends them all.
    fn pass_over(&self, fault: Fault) -> Result<(), Fault> {
        if !is_about_one(&fault) || self.links[self.here].is_none() {
            return Err(fault);
        }
        if let Fault::Say(text) = fault {
            say(text);
        }
        Ok(())
    }

    /// Sessions at the same time for many files, where nothing stands against more than one.
    fn hands(&self) -> usize {
        let plain = !self.settings.interactive
            && !self.settings.mapping.is_on()
            && !self.settings.runique
            && !self.settings.sunique
            && self.settings.rates == [0; 2]
            && self.settings.kind == Type::Binary
            && self.here == 0;
        if plain { usize::from(self.settings.parallel.unwrap_or(1)) } else { 1 }
    }

    /// The server's address with the login, for another session, and how it is reached.
    fn elsewhere(&mut self, folder: &[u8]) -> Result<(String, Common), Fault> {
        let mode = self.settings.mode;
        let parallel = self.settings.parallel.unwrap_or(8);
        let (security, timeout, quiet) = (self.security.clone(), self.timeout, !self.voice.is_verbose());
        let link = self.link()?;
        let Some((user, password, _)) = &link.login else { return Err(Fault::say("ftp: log in first")) };
        let host = if link.host.contains(':') { format!("[{}]", link.host) } else { link.host.clone() };
        let login = format!("{}:{}", encoded(user, b""), encoded(password.reveal(), b""));
        // %2F stands for the slash that makes a path absolute.
        let folder = match folder.strip_prefix(b"/") {
            Some(rest) => format!("%2F{}", encoded(rest, b"/")),
            None => encoded(folder, b"/"),
        };
        let common = Common {
            passive: mode == Mode::Passive,
            active: mode == Mode::Active,
            security,
            ascii: false,
            charset: None,
            compress: false,
            timeout,
            retries: twoport_client::journey::RETRIES,
            limit_rate: None,
            parallel,
            trace: false,
            json: false,
            quiet,
        };
        Ok((format!("{}://{login}@{host}:{}/{folder}/", link.scheme, link.port), common))
    }

    /// Where we are on the server.
    fn folder_there(&mut self) -> Result<Vec<u8>, Fault> {
        let text = self.tell_quietly(Verb::Pwd, b"")?;
        twoport_proto::path::unquoted(text.as_bytes())
            .ok_or_else(|| Fault::Say(format!("ftp: PWD was answered {}", harmless(text.as_bytes()))))
    }

    /// Copies files between the folder here and the one there in several sessions.
    fn at_once(&mut self, names: &[Vec<u8>], direction: Direction, hands: usize) -> Result<(), Fault> {
        let folder = self.folder_there()?;
        let (address, common) = self.elsewhere(&folder)?;
        let url = Url::read(&address).map_err(|e| Fault::Say(format!("ftp: {e}")))?;
        let sizes = self.sizes(names, direction)?;
        let step = |(path, size, modified)| Step::Copy { path, size, modified, why: Why::Missing };
        let plan = Plan { steps: sizes.into_iter().map(step).collect(), skipped: Vec::new() };
        let stopped = |stopped: Stopped| Fault::Say(format!("ftp: {}", stopped.text));
        let mut first = journey(&url, &common).map_err(stopped)?;
        first.carry_many();
        let verbose = self.voice.is_verbose();
        let tell = |event: Event<'_>| match event {
            Event::Done(step, bytes) if verbose => say(format!("{}: {bytes} bytes", harmless(step.path()))),
            Event::Done(..) | Event::Found { .. } | Event::Moving { .. } => {}
            Event::Failed(step, e) => say(format!("{}: {e}", harmless(step.path()))),
            Event::Fewer(sessions, e) => say(format!("{e}; going on with {sessions} sessions")),
        };
        let sides = Sides { local: Path::new("."), remote: &folder, direction };
        let mut crew = Crew::new(first, hands);
        let interactive = self.terminal.is_interactive();
        let totals = self.runtime.block_on(async {
            tokio::select! {
                totals = act(&plan, sides, &mut crew, Done::default(), &tell) => Some(totals),
                () = interrupted(interactive) => None,
            }
        });
        self.runtime.block_on(crew.end());
        self.link()?.forget_names();
        match totals {
            Some(totals) if totals.failed == 0 => Ok(()),
            Some(_) => Err(Fault::Told),
            None => Err(Fault::Interrupted),
        }
    }

    /// Sizes and times of files, as the side that has them tells them; folders and links are left out.
    fn sizes(&mut self, names: &[Vec<u8>], direction: Direction) -> Result<Vec<Copy>, Fault> {
        let mut copies = Vec::new();
        if direction == Direction::Up {
            for name in names {
                let data = path(name)
                    .metadata()
                    .map_err(|e| Fault::Say(format!("local: {}: {e}", harmless(name))))?;
                if data.is_file() {
                    copies.push((name.clone(), data.len(), None));
                }
            }
            return Ok(copies);
        }
        if !std::mem::replace(&mut self.link()?.asked_features, true) {
            self.at_volume(Volume::Silent, |shell| shell.talk(async |client| client.learn_features().await))?;
        }
        for name in names {
            LocalName::read(name).map_err(|e| Fault::Say(format!("{}: {e}", harmless(name))))?;
            let asked =
                self.at_volume(Volume::Silent, |shell| shell.talk(async |client| client.stat(name).await));
            match asked {
                Ok(entry) if entry.kind == Kind::File => {
                    copies.push((name.clone(), entry.size, entry.modified))
                }
                Ok(_) => {}
                Err(fault) if is_about_one(&fault) => say(format!("{}: not there", harmless(name))),
                Err(fault) => return Err(fault),
            }
        }
        Ok(copies)
    }
}

/// A file, its size, and its time where that is known.
type Copy = (Vec<u8>, u64, Option<twoport_proto::Moment>);

/// What a URL cannot hold as it is, except for what is `spared`.
fn encoded(text: &[u8], spared: &[u8]) -> String {
    let one = |b: &u8| match b {
        b if b.is_ascii_alphanumeric() || b"-._~".contains(b) || spared.contains(b) => {
            char::from(*b).to_string()
        }
        b => format!("%{b:02X}"),
    };
    text.iter().map(one).collect()
}

pub(crate) fn mget(shell: &mut Shell, said: &Said) -> Result<(), Fault> {
    if shell.here == 1 {
        return relay_many(shell, said.arguments());
    }
    let names = shell.remote_names(said.arguments())?;
    let hands = shell.hands();
    // A file of another folder has a name here that is not its name there.
    if hands > 1 && names.len() > 1 && !names.iter().any(|name| name.contains(&b'/')) {
        return shell.at_once(&names, Direction::Down, hands);
    }
    shell.each("mget", &names, |shell, name| shell.fetch_as(name, last(name)))
}

/// Of the first server's files those that fit, to the second.
fn relay_many(shell: &mut Shell, words: &[Vec<u8>]) -> Result<(), Fault> {
    shell.here = 0;
    let names = shell.remote_names(words);
    shell.here = 1;
    shell.each("mget", &names?, |shell, name| shell.relay_get(name, last(name)))
}

pub(crate) fn mreget(shell: &mut Shell, said: &Said) -> Result<(), Fault> {
    let names = shell.remote_names(said.arguments())?;
    shell.each("mreget", &names, |shell, name| {
        let local = shell.local_name(last(name))?;
        shell.fetch(name, &local, How::Resume)
    })
}

pub(crate) fn mput(shell: &mut Shell, said: &Said) -> Result<(), Fault> {
    if shell.here == 1 {
        let names = shell.remote_names(said.arguments())?;
        return shell.each("mput", &names, |shell, name| shell.relay_put(name, last(name), Verb::Stor));
    }
    let names = shell.local_names(said.arguments());
    let hands = shell.hands();
    if hands > 1 && names.len() > 1 {
        return shell.at_once(&names, Direction::Up, hands);
    }
    let put = if shell.settings.sunique { Put::Unique } else { Put::Replace };
    shell.each("mput", &names, |shell, name| {
        let remote = shell.settings.mapping.there(name);
        shell.store(name, &remote, put)
    })
}

pub(crate) fn mdelete(shell: &mut Shell, said: &Said) -> Result<(), Fault> {
    let names = shell.remote_names(said.arguments())?;
    shell.link()?.forget_names();
    shell.each("mdelete", &names, |shell, name| shell.tell(Verb::Dele, name).map(|_| ()))
}

pub(crate) fn fget(shell: &mut Shell, said: &Said) -> Result<(), Fault> {
    let list = said.argument(0).ok_or(Fault::Usage)?;
    let text = std::fs::read(path(list)).map_err(|e| Fault::Say(format!("fget: {}: {e}", harmless(list))))?;
    let lines = text.split(|b| *b == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let names: Vec<Vec<u8>> = lines.filter(|line| !line.is_empty()).map(<[u8]>::to_vec).collect();
    let mut failed = false;
    for name in names {
        if let Err(fault) = shell.fetch_as(&name, last(&name)) {
            shell.pass_over(fault)?;
            failed = true;
        }
    }
    if failed { Err(Fault::Told) } else { Ok(()) }
}

/// `mirror [-R] [-e] [-n] source [target]`, in sessions of its own.
pub(crate) fn mirror(shell: &mut Shell, said: &Said) -> Result<(), Fault> {
    let (flags, words): (Vec<_>, Vec<_>) =
        said.arguments().iter().partition(|word| word.first() == Some(&b'-') && word.len() > 1);
    let flag = |name: &[u8]| flags.iter().any(|flag| flag.as_slice() == name);
    if flags.iter().any(|flag| !matches!(flag.as_slice(), b"-R" | b"-e" | b"-n"))
        || words.is_empty()
        || words.len() > 2
    {
        return Err(Fault::Usage);
    }
    let (up, source) = (flag(b"-R"), words[0].as_slice());
    let target = words
        .get(1)
        .map_or_else(|| last(source.strip_suffix(b"/").unwrap_or(source)), |word| word.as_slice());
    let (there, here) = if up { (target, source) } else { (source, target) };
    let there = match there.first() {
        Some(b'/') => there.to_vec(),
        _ => [shell.folder_there()?.as_slice(), b"/", there].concat(),
    };
    let (address, common) = shell.elsewhere(&there)?;
    let here = String::from_utf8_lossy(if here.is_empty() { b"." } else { here }).into_owned();
    let (source, target) = if up { (here, address) } else { (address, here) };
    let asked = Mirror {
        source,
        target,
        delete: flag(b"-e"),
        dry_run: flag(b"-n"),
        include: Vec::new(),
        exclude: Vec::new(),
        newer: false,
        verify: false,
        common,
    };
    shell.link()?.forget_names();
    let interactive = shell.terminal.is_interactive();
    let ended = shell.runtime.block_on(async {
        tokio::select! {
            ended = carry_out(&asked) => Some(ended),
            () = interrupted(interactive) => None,
        }
    });
    match ended {
        Some(ended) => ended.map_err(|stopped| Fault::Say(format!("ftp: {}", stopped.text))),
        None => Err(Fault::Interrupted),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_fits_into_an_address() {
        assert_eq!(encoded(b"a b/@:", b""), "a%20b%2F%40%3A");
        assert_eq!(encoded("ü/x".as_bytes(), b"/"), "%C3%BC/x");
        assert!(Url::read(&format!("ftp://{}:{}@h/", encoded(b"a@b", b""), encoded(b"p:/", b""))).is_ok());
    }
}
