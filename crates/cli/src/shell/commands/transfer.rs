//! One file down or up.

use std::num::NonZeroU64;
use std::os::unix::ffi::OsStrExt;
use std::time::{Instant, UNIX_EPOCH};

use twoport_client::Put;
use twoport_client::local_name::LocalName;
use twoport_pipe::{Progress, Rate};
use twoport_proto::{Moment, Verb};

use super::place::{How, Origin, Place, path};
use crate::shell::link::last;
use crate::shell::mapping::unique;
use crate::shell::marks::{Marks, Style};
use crate::shell::numbers::rate;
use crate::shell::state::Type;
use crate::shell::voice::{Volume, harmless, murmur, say};
use crate::shell::words::Said;
use crate::shell::{Fault, Shell};

impl Shell {
    /// Fetches a file to where its name leads here.
    pub(crate) fn fetch_as(&mut self, remote: &[u8], name: &[u8]) -> Result<(), Fault> {
        let local = self.local_name(name)?;
        let how = self.take_restart();
        self.fetch(remote, &local, how)
    }

    /// The name here of a file there. It stays in the folder, whatever the server and the maps make of it.
    pub(crate) fn local_name(&self, name: &[u8]) -> Result<Vec<u8>, Fault> {
        let mapped = self.settings.mapping.here(name);
        LocalName::read_path(&mapped).map_err(|e| Fault::Say(format!("ftp: {}: {e}", harmless(&mapped))))?;
        Ok(mapped)
    }

    /// What `restart` has said, once.
    fn take_restart(&mut self) -> How {
        match std::mem::take(&mut self.restart) {
            0 => How::Anew,
            from => How::At(from),
        }
    }

    /// Fetches `remote` into `local`: a file, `-`, or `|command`.
    pub(super) fn fetch(&mut self, remote: &[u8], local: &[u8], how: How) -> Result<(), Fault> {
        let local = self.settled(remote, local)?;
        if self.voice.is_verbose() {
            say(format!("local: {} remote: {}", harmless(&local), harmless(remote)));
        }
        let mut place = Place::open(&local, how)?;
        if self.settings.kind == Type::Tenex {
            self.say_type()?;
        }
        let (from, progress, began) = (place.from(), Progress::default(), Instant::now());
        let mut sink = place.sink();
        let marks = self.marks(&progress, &local);
        let limit = limit(self.settings.rates[0]);
        let moved = self.talk_with(marks, async |client| {
            client.set_rate(limit);
            client.fetch(remote, from, &mut sink, &progress).await
        });
        drop(sink);
        let took = began.elapsed();
        let moved = match moved {
            Ok(moved) => moved,
            Err(fault) => {
                if let Some(part) = place.give_up() {
                    let part = harmless(part.as_os_str().as_bytes());
                    say(format!("local: what came is kept in {part}; reget goes on"));
                }
                return Err(fault);
            }
        };
        self.say_rate(moved.bytes, "received", took);
        if !moved.confirmed {
            // Without the server's last word the size must say whether this is all. As text it counts other bytes.
            let asked = self.talk(async |client| client.size(remote).await).ok().flatten();
            let told = asked.filter(|_| self.settings.kind != Type::Ascii);
            if told != Some(from + moved.bytes) {
                let kept = place.give_up().map_or(String::new(), |part| {
                    format!("; what came is kept in {}", harmless(part.as_os_str().as_bytes()))
                });
                return Err(Fault::Say(format!(
                    "local: the server never said that this was all{kept}; reget goes on"
                )));
            }
        }
        let modified = match self.settings.preserve && place.is_file() {
            true => self.ask_modified(remote, Volume::Silent).ok(),
            false => None,
        };
        place.finish(modified).map_err(|e| Fault::Say(format!("local: {}: {e}", harmless(&local))))
    }

    /// The word for a file here: in a folder the remote name's end is put behind it, and `runique` makes it new.
    fn settled(&self, remote: &[u8], local: &[u8]) -> Result<Vec<u8>, Fault> {
        if local == b"-" || local.first() == Some(&b'|') {
            return Ok(local.to_vec());
        }
        let mut target = path(local).to_owned();
        if target.is_dir() {
            let name = self.local_name(last(remote))?;
            target.push(path(&name));
        }
        if self.settings.runique {
            target = unique(&target, std::path::Path::exists)
                .ok_or_else(|| Fault::say("runique: can't find unique file name."))?;
        }
        Ok(target.as_os_str().as_bytes().to_vec())
    }

    /// Stores `local` as `remote`.
    pub(super) fn store(&mut self, local: &[u8], remote: &[u8], put: Put) -> Result<(), Fault> {
        if self.voice.is_verbose() {
            say(format!("local: {} remote: {}", harmless(local), harmless(remote)));
        }
        let from = match put {
            Put::Resume(from) => from,
            Put::Replace | Put::Append | Put::Unique => 0,
        };
        let origin = Origin::open(local, from)?;
        if self.settings.kind == Type::Tenex {
            self.say_type()?;
        }
        self.link()?.forget_names();
        let (progress, began) = (Progress::default(), Instant::now());
        let marks = self.marks(&progress, remote);
        let (body, child) = (origin.body, origin.child);
        let limit = limit(self.settings.rates[1]);
        let moved = self.talk_with(marks, async |client| {
            client.set_rate(limit);
            client.store(remote, put, body, &progress).await
        });
        if let Some(mut child) = child {
            // Its output is closed by now: it ends, if it has not.
            let _ = child.wait();
        }
        let moved = moved?;
        self.say_rate(moved.bytes, "sent", began.elapsed());
        match moved.confirmed {
            true => Ok(()),
            false => Err(Fault::say("ftp: the server never said that it has all of this; compare with size")),
        }
    }

    fn say_rate(&self, bytes: u64, direction: &str, took: std::time::Duration) {
        if self.voice.is_verbose() && bytes > 0 {
            say(rate(bytes, direction, took));
        }
        if self.settings.bell {
            murmur("\x07");
        }
    }

    /// Who looks on. Nobody does when the bytes themselves go to the terminal.
    fn marks(&self, progress: &Progress, name: &[u8]) -> Marks {
        let style = match &self.settings {
            _ if name == b"-" || name.first() == Some(&b'|') => Style::None,
            s if s.hash => Style::Hash(s.mark),
            s if s.tick => Style::Tick,
            s if s.progress => Style::Bar,
            _ => Style::None,
        };
        Marks::new(style, progress.clone())
    }
}

/// So many bytes a second at most; 0 is without limit.
fn limit(per_second: u64) -> Option<Rate> {
    NonZeroU64::new(per_second).map(Rate::new)
}

pub(crate) fn get(shell: &mut Shell, said: &Said) -> Result<(), Fault> {
    let remote = said.argument(0).ok_or(Fault::Usage)?;
    if shell.here == 1 {
        return shell.relay_get(remote, said.argument(1).unwrap_or(last(remote)));
    }
    match said.argument(1) {
        Some(local) => {
            let how = shell.take_restart();
            shell.fetch(remote, local, how)
        }
        None => shell.fetch_as(remote, last(remote)),
    }
}

pub(crate) fn reget(shell: &mut Shell, said: &Said) -> Result<(), Fault> {
    let remote = said.argument(0).ok_or(Fault::Usage)?;
    let local = match said.argument(1) {
        Some(local) => local.to_vec(),
        None => shell.local_name(last(remote))?,
    };
    shell.fetch(remote, &local, How::Resume)
}

pub(crate) fn newer(shell: &mut Shell, said: &Said) -> Result<(), Fault> {
    let remote = said.argument(0).ok_or(Fault::Usage)?;
    let local = match said.argument(1) {
        Some(local) => local.to_vec(),
        None => shell.local_name(last(remote))?,
    };
    let there = shell.ask_modified(remote, Volume::Faults)?;
    if let Some(here) = path(&local).metadata().ok().and_then(|data| data.modified().ok())
        && here.duration_since(UNIX_EPOCH).is_ok_and(|since| newer_or_same(since.as_secs(), there))
    {
        say(format!(
            "Local file \"{}\" is newer than remote file \"{}\"",
            harmless(&local),
            harmless(remote)
        ));
        return Ok(());
    }
    shell.fetch(remote, &local, How::Anew)
}

fn newer_or_same(here: u64, there: Moment) -> bool {
    i64::try_from(here).is_ok_and(|here| here >= there.seconds)
}

pub(crate) fn put(shell: &mut Shell, said: &Said) -> Result<(), Fault> {
    let (local, remote) = names(shell, said)?;
    if shell.here == 1 {
        return shell.relay_put(&local, &remote, Verb::Stor);
    }
    let put = match (shell.settings.sunique, std::mem::take(&mut shell.restart)) {
        (true, _) => Put::Unique,
        (false, 0) => Put::Replace,
        (false, from) => Put::Resume(from),
    };
    shell.store(&local, &remote, put)
}

pub(crate) fn append(shell: &mut Shell, said: &Said) -> Result<(), Fault> {
    let (local, remote) = names(shell, said)?;
    if shell.here == 1 {
        return shell.relay_put(&local, &remote, Verb::Appe);
    }
    shell.store(&local, &remote, Put::Append)
}

/// The file here and its name there.
fn names(shell: &Shell, said: &Said) -> Result<(Vec<u8>, Vec<u8>), Fault> {
    let local = said.argument(0).ok_or(Fault::Usage)?;
    let remote = match said.argument(1) {
        Some(remote) => remote.to_vec(),
        None if local == b"-" || local.first() == Some(&b'|') => {
            return Err(Fault::say("ftp: name the remote file: what is piped has no name of its own"));
        }
        None => shell.settings.mapping.there(local),
    };
    Ok((local.to_vec(), remote))
}

pub(crate) fn restart(shell: &mut Shell, said: &Said) -> Result<(), Fault> {
    let word = said.argument(0).ok_or(Fault::Usage)?;
    let marker = std::str::from_utf8(word).ok().and_then(|word| word.parse().ok());
    shell.restart =
        marker.ok_or_else(|| Fault::Say(format!("restart: invalid offset: {}", harmless(word))))?;
    say(format!("Restarting at {} for next get, put or append", shell.restart));
    Ok(())
}

/// Whether a failure is the server's answer about this one file, so that the next may do.
pub(super) fn is_about_one(fault: &Fault) -> bool {
    matches!(fault, Fault::Told | Fault::Say(_))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_the_same_second_is_not_fetched_again() {
        let there = Moment { seconds: 100, nanos: 500 };
        assert!(newer_or_same(100, there) && newer_or_same(101, there) && !newer_or_same(99, there));
    }
}
