//! Commands on files that need no transfer: what to ask of the store, and what to say when it has answered.

use std::time::Instant;

use twoport_proto::command::{Listed, Name, Site};
use twoport_proto::placement::Change;
use twoport_proto::{Entry, Failure, FtpPath, Kind, Verb};

use super::io::{FileAnswer, FileOp, ListForm, ListOrder, Output};
use super::{Doing, Memory, ServerSession, about, replies};
use crate::event::Event;
use crate::rights::Right;

/// What the answer of the store is awaited for.
#[derive(Debug)]
pub(super) enum Awaited {
    /// CWD and CDUP: to be there from now on.
    Enter(FtpPath),
    /// RNFR: it is there and can be renamed.
    RenameFrom(FtpPath),
    /// SIZE.
    Size(Name),
    /// MDTM.
    Modified(Name),
    /// MLST.
    Facts(FtpPath),
    /// MFMT, MFCT, MFF.
    Changed(Change, FtpPath, Name),
    /// ALLO: so many bytes are wanted.
    Fits(u64),
    /// AVBL.
    Space,
    /// STAT with a path.
    Lines(Name),
    /// MKD.
    Made(FtpPath),
    /// Anything that is done or not: DELE, RMD, RNTO, SITE.
    Done(FtpPath, Name),
}

impl ServerSession {
    /// Follows a name from the working directory; a bad one is answered, and gives nothing.
    pub(super) fn resolve(&mut self, verb: Verb, name: &[u8]) -> Option<FtpPath> {
        match self.folder.join(name) {
            Ok(path) => Some(path),
            Err(_) => {
                self.say(replies::refused(verb, name, Failure::BadName));
                None
            }
        }
    }

    pub(super) fn ask_files(&mut self, verb: Verb, operation: FileOp, awaited: Awaited) {
        self.doing = Doing::Filing(verb, Box::new(awaited));
        self.out.push_back(Output::Files(operation));
    }

    /// Looks at `name` and awaits its facts.
    pub(super) fn look(
        &mut self,
        verb: Verb,
        name: &[u8],
        link: bool,
        awaited: impl FnOnce(FtpPath) -> Awaited,
    ) {
        if let Some(path) = self.resolve(verb, name) {
            self.ask_files(verb, FileOp::Stat { path: path.clone(), link }, awaited(path));
        }
    }

    /// Does `operation` on `name` and says how it went.
    pub(super) fn alter(&mut self, verb: Verb, name: Name, operation: impl FnOnce(FtpPath) -> FileOp) {
        if let Some(path) = self.resolve(verb, &name) {
            self.ask_files(verb, operation(path.clone()), Awaited::Done(path, name));
        }
    }

    pub(super) fn rename_to(&mut self, memory: Memory, name: Name) {
        let Memory::RenameFrom(from) = memory else { return self.say(replies::rename_from_first()) };
        if from.is_root() {
            return self.say(replies::refused(Verb::Rnto, b"/", Failure::Denied));
        }
        self.alter(Verb::Rnto, name, |to| FileOp::Rename(from, to));
    }

    pub(super) fn change_facts(&mut self, verb: Verb, change: Change, name: Name) {
        if let Some(path) = self.resolve(verb, &name) {
            self.ask_files(verb, FileOp::Change(path.clone(), change), Awaited::Changed(change, path, name));
        }
    }

    pub(super) fn site(&mut self, now: Instant, site: Site) {
        match site {
            Site::Chmod(mode, name) => self.site_alter(Right::Change, name, |path| {
                FileOp::Change(path, Change { mode: Some(mode), ..Change::default() })
            }),
            Site::Utime(change, name) => {
                self.site_alter(Right::Change, name, |path| FileOp::Change(path, change))
            }
            Site::Symlink(target, name) => {
                self.site_alter(Right::Make, name, |path| FileOp::Symlink(target, path))
            }
            Site::Why => self.say(self.why(now)),
            Site::Doctor => self.doctor(),
            Site::Help => self.say(about::site_help()),
            Site::Unknown(word) => self.say(replies::site_unknown(&word)),
        }
    }

    fn site_alter(&mut self, right: Right, name: Name, operation: impl FnOnce(FtpPath) -> FileOp) {
        match self.lacking(right) {
            Some(refusal) => self.say(refusal),
            None => self.alter(Verb::Site, name, operation),
        }
    }

    /// A listing order from what LIST, NLST or STAT asked.
    pub(super) fn list_order(&self, listed: Listed, form: ListForm) -> ListOrder {
        ListOrder {
            folder: self.folder.clone(),
            asked: listed.path,
            form,
            all: listed.all,
            recursive: listed.recursive,
            rights: self.rights(),
        }
    }

    pub(super) fn stat_path(&mut self, listed: Listed) {
        if let Some(refusal) = self.lacking(Right::Look) {
            return self.say(refusal);
        }
        let name = listed.path.clone().unwrap_or_else(|| b".".to_vec());
        let order = self.list_order(listed, ListForm::Long);
        let most = self.settings.limits.stat_lines;
        self.ask_files(Verb::Stat, FileOp::Lines(order, most), Awaited::Lines(name));
    }

    pub(super) fn filed(&mut self, answer: Result<FileAnswer, Failure>) {
        let Doing::Filing(verb, awaited) = std::mem::replace(&mut self.doing, Doing::Nothing) else {
            debug_assert!(false, "the driver answered a file operation that nobody asked for");
            return;
        };
        match answer {
            Err(failure) => {
                let reply = match *awaited {
                    Awaited::Size(name)
                    | Awaited::Modified(name)
                    | Awaited::Changed(_, _, name)
                    | Awaited::Lines(name)
                    | Awaited::Done(_, name) => replies::refused(verb, &name, failure),
                    Awaited::Enter(path)
                    | Awaited::RenameFrom(path)
                    | Awaited::Facts(path)
                    | Awaited::Made(path) => replies::refused(verb, path.as_bytes(), failure),
                    Awaited::Fits(_) | Awaited::Space => replies::refused(verb, b".", failure),
                };
                self.say(reply);
            }
            Ok(answer) => self.filed_well(verb, *awaited, answer),
        }
    }

    fn filed_well(&mut self, verb: Verb, awaited: Awaited, answer: FileAnswer) {
        match (awaited, answer) {
            (Awaited::Enter(path), FileAnswer::Entry(entry)) => self.enter(verb, path, &entry),
            (Awaited::RenameFrom(path), _) => {
                self.memory = Memory::RenameFrom(path);
                self.say(replies::rename_to_please());
            }
            (Awaited::Size(name), FileAnswer::Entry(entry)) => self.say(match entry.kind {
                Kind::File => replies::size(entry.size),
                _ => replies::not_plain(&name),
            }),
            (Awaited::Modified(name), FileAnswer::Entry(entry)) => self.say(match entry.modified {
                Some(moment) => replies::modified(moment),
                None => replies::refused(verb, &name, Failure::Unsupported),
            }),
            (Awaited::Facts(path), FileAnswer::Entry(entry)) => {
                self.say(replies::facts(&path, &entry, self.parameters.facts, self.rights()));
            }
            (Awaited::Changed(change, path, name), _) => {
                self.tell(Event::Changed { verb, path });
                self.say(replies::facts_changed(&change, &name));
            }
            (Awaited::Fits(wanted), FileAnswer::Space(left)) => self.say(replies::fits(wanted, left)),
            (Awaited::Space, FileAnswer::Space(left)) => self.say(replies::space(left)),
            (Awaited::Lines(name), FileAnswer::Lines(lines, more)) => {
                self.say(replies::status_of(&name, lines, more));
            }
            (Awaited::Made(path), _) => {
                self.say(replies::made(&path));
                self.tell(Event::Changed { verb, path });
            }
            (Awaited::Done(path, _), _) => {
                self.say(replies::done(verb));
                self.tell(Event::Changed { verb, path });
            }
            (awaited, answer) => {
                debug_assert!(false, "the driver answered {answer:?} to {awaited:?}");
                self.say(replies::refused(verb, b".", Failure::Io));
            }
        }
    }

    fn enter(&mut self, verb: Verb, path: FtpPath, entry: &Entry) {
        let failure = match (entry.kind, entry.access.enter) {
            (Kind::Directory, true) => {
                self.folder = path;
                return self.say(replies::done(verb));
            }
            (Kind::Directory, false) => Failure::Denied,
            _ => Failure::NotDirectory,
        };
        self.say(replies::refused(verb, path.as_bytes(), failure));
    }
}
