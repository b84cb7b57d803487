//! A legal command to its step: one `match`, each arm a line or two; what needs more lives in the file of its kind.

use std::net::SocketAddr;
use std::time::Instant;

use twoport_plan::data::Way;
use twoport_proto::command::{CommandFault, Listed, Name, Opts};
use twoport_proto::listing::mlsx::FactSet;
use twoport_proto::modes::{Algorithm, Form, Mode, Structure, Type};
use twoport_proto::placement::Placement;
use twoport_proto::{Command, FtpPath, Reply, Verb};

use super::files::Awaited;
use super::io::{FileOp, ListForm, ListOrder, Task};
use super::transfer::Range;
use super::{Memory, ServerSession, replies};
use crate::law::{Plan, is_foreign, law};
use crate::rights::Right;

impl ServerSession {
    /// Reads a line, asks the law, takes the step.
    pub(super) fn obey(&mut self, now: Instant, line: &[u8]) {
        let memory = std::mem::take(&mut self.memory);
        self.heard(line);
        let command = match Command::read(line) {
            Ok(command) => command,
            Err(CommandFault::Unknown(word)) if !self.login.is_in() && is_foreign(&word) => {
                self.say(replies::not_ftp());
                return self.close("spoke another protocol");
            }
            Err(CommandFault::Unknown(word)) => return self.say(replies::unknown(&word)),
            Err(CommandFault::Argument(verb, fault)) => {
                let reply = self.forbidden(verb).unwrap_or_else(|| replies::malformed(verb, fault));
                return self.say(reply);
            }
        };
        let verb = command.verb();
        if let Some(refusal) = self.forbidden(verb) {
            if law(verb).plan == Plan::Spends {
                self.use_plan_up();
            }
            return self.say(refusal);
        }
        if law(verb).plan == Plan::Makes {
            self.memory = memory.clone();
        }
        self.step(now, command, memory);
    }

    fn step(&mut self, now: Instant, command: Command, memory: Memory) {
        let verb = command.verb();
        match command {
            Command::User(name) => self.user(now, name),
            Command::Pass(secret) => self.pass(secret),
            Command::Acct(_) => self.say(replies::no_account_needed()),
            Command::Rein => {
                self.drop_plan();
                self.reinitialize(now);
            }
            Command::Quit => {
                self.say(replies::goodbye());
                self.close("quit");
            }
            Command::Host(name) => self.host(&name),

            Command::Port(target) => self.active(now, Way::Port, SocketAddr::V4(target)),
            Command::Eprt(target) => self.eprt(now, target),
            Command::Pasv => self.passive(Way::Pasv),
            Command::Epsv(argument) => self.epsv(argument),

            Command::Type(kind) => self.set_type(kind),
            Command::Stru(structure) => self.set_structure(structure),
            Command::Mode(mode) => self.set_mode(mode),

            Command::Retr(name) => self.fetch(now, memory, name),
            Command::Stor(name) => self.store(now, memory, name),
            Command::Stou(name) => {
                self.put(now, verb, Placement::Unique, name.unwrap_or_else(|| b"stou".to_vec()))
            }
            Command::Appe(name) => match self.lacking(Right::Overwrite) {
                Some(refusal) => self.refuse_transfer(refusal),
                None => self.put(now, verb, Placement::Append, name),
            },
            Command::List(listed) => {
                let form = if listed.one && !listed.long { ListForm::Names } else { ListForm::Long };
                self.list(now, verb, listed, form);
            }
            Command::Nlst(listed) => {
                let form = if listed.long { ListForm::Long } else { ListForm::Names };
                self.list(now, verb, listed, form);
            }
            Command::Mlsd(path) => {
                let listed = Listed { all: true, path, ..Listed::default() };
                self.list(now, verb, listed, ListForm::Facts(self.parameters.facts));
            }
            Command::Rest(offset) => self.restart(offset),
            Command::Rang(first, last) => self.range(first, last),
            Command::Abor => {
                self.drop_plan();
                self.say(replies::nothing_to_abort());
            }

            Command::Cwd(name) => self.look(verb, &name, false, Awaited::Enter),
            Command::Cdup => self.look(verb, b"..", false, Awaited::Enter),
            Command::Pwd => self.say(replies::working_directory(&self.folder)),
            Command::Rnfr(name) => self.look(verb, &name, true, Awaited::RenameFrom),
            Command::Rnto(name) => self.rename_to(memory, name),
            Command::Dele(name) => self.alter(verb, name, FileOp::Remove),
            Command::Rmd(name) => self.alter(verb, name, FileOp::RemoveDir),
            Command::Mkd(name) => {
                if let Some(path) = self.resolve(verb, &name) {
                    self.ask_files(verb, FileOp::MakeDir(path.clone()), Awaited::Made(path));
                }
            }
            Command::Size(_) if matches!(self.parameters.kind, Type::Ascii(_)) => {
                self.say(replies::size_needs_image())
            }
            Command::Size(name) => self.look(verb, &name.clone(), false, |_| Awaited::Size(name)),
            Command::Mdtm(name) => self.look(verb, &name.clone(), false, |_| Awaited::Modified(name)),
            Command::Mlst(name) => self.look(verb, &name.unwrap_or_default(), false, Awaited::Facts),
            Command::Facts(_, change, name) => self.change_facts(verb, change, name),
            Command::Allo(bytes) => {
                self.ask_files(verb, FileOp::Space(self.folder.clone()), Awaited::Fits(bytes));
            }
            Command::Avbl(name) => {
                if let Some(path) = self.resolve(verb, &name.unwrap_or_default()) {
                    self.ask_files(verb, FileOp::Space(path), Awaited::Space);
                }
            }
            Command::Hash(name) => self.hash(now, memory, name),
            Command::Checksum(_, name, range) => self.checksum(now, verb, name, range),
            Command::Site(site) => self.site(now, site),

            Command::Stat(Some(listed)) => match self.forbidden(Verb::Mlst) {
                Some(refusal) => self.say(refusal),
                None => self.stat_path(listed),
            },
            Command::Stat(None) => {
                let reply = self.status(None);
                self.say(reply);
            }
            Command::Syst => self.say(replies::system()),
            Command::Help(word) => self.say(self.help(word.as_deref())),
            Command::Noop => self.say(replies::noop()),
            Command::Feat => self.say(self.features()),
            Command::Opts(opts) => self.opts(opts),
            Command::Lang(word) => self.say(replies::language(word.as_deref())),
            Command::Clnt(_) => self.say(replies::noted()),
            Command::Csid(_) => self.say(replies::server_id(&self.settings.program)),
            Command::Auth(_) | Command::Pbsz(_) | Command::Prot(_) | Command::Ccc if !self.offers_tls() => {
                self.say(replies::not_offered(verb));
            }
            Command::Auth(mechanism) => self.auth(mechanism),
            Command::Pbsz(_) => self.pbsz(),
            Command::Prot(wanted) => self.prot(wanted),
            Command::Ccc => self.ccc(),
            Command::Smnt => self.say(replies::not_offered(verb)),
        }
    }

    fn set_type(&mut self, kind: Type) {
        match kind {
            // RFC 1123 §4.1.2.2: without Telnet format effectors A T is the same as A N; carriage control is not.
            Type::Ascii(Form::NonPrint | Form::Telnet) | Type::Image | Type::Local(8) => {
                self.parameters.kind = kind;
                self.say(replies::type_set(kind));
            }
            Type::Ascii(Form::Carriage) | Type::Ebcdic(_) | Type::Local(_) => {
                self.say(replies::no_such_type())
            }
        }
    }

    fn set_structure(&mut self, structure: Structure) {
        match structure {
            Structure::Record if self.parameters.mode == Mode::Block => {
                self.say(replies::no_records_in_blocks())
            }
            Structure::File | Structure::Record => {
                self.parameters.structure = structure;
                self.say(replies::structure_set(structure));
            }
            Structure::Page => self.say(replies::no_such_structure()),
        }
    }

    /// A connection that was left open carries the form of its mode only.
    fn set_mode(&mut self, mode: Mode) {
        match mode {
            Mode::Compressed => return self.say(replies::no_such_mode()),
            Mode::Block if self.parameters.structure == Structure::Record => {
                return self.say(replies::no_records_in_blocks());
            }
            Mode::Stream | Mode::Block | Mode::Deflate => {}
        }
        if mode != self.parameters.mode {
            self.hang_up();
        }
        self.parameters.mode = mode;
        self.say(replies::mode_set(mode));
    }

    fn opts(&mut self, opts: Opts) {
        match opts {
            Opts::Utf8(true) => self.say(replies::utf8_on()),
            Opts::Utf8(false) => self.say(replies::utf8_stays()),
            Opts::Mlst(facts) => match FactSet::read(&facts) {
                Ok(facts) => {
                    self.parameters.facts = facts;
                    self.say(replies::facts_chosen(facts));
                }
                Err(fault) => self.say(replies::malformed(Verb::Opts, fault)),
            },
            Opts::HashAsked => self.say(replies::hash_chosen(self.parameters.hash)),
            Opts::Hash(Some(algorithm)) => {
                self.parameters.hash = algorithm;
                self.say(replies::hash_chosen(algorithm));
            }
            Opts::Hash(None) => self.say(replies::no_such_hash()),
            Opts::Unknown => self.say(replies::no_such_option()),
        }
    }

    /// REST and RANG count bytes of the file; under TYPE A or in records a byte on the wire is not one of the file.
    fn counts_bytes(&self) -> bool {
        !matches!(self.parameters.kind, Type::Ascii(_)) && self.parameters.structure == Structure::File
    }

    fn restart(&mut self, offset: u64) {
        if offset > 0 && !self.counts_bytes() {
            return self.say(replies::restart_needs_image());
        }
        self.memory = Memory::RestartAt(offset);
        self.say(replies::restarting_at(offset));
    }

    /// `RANG 1 0` takes an earlier range back (draft-bryan-ftp-range §3).
    fn range(&mut self, first: u64, last: u64) {
        if !self.counts_bytes() {
            return self.say(replies::restart_needs_image());
        }
        if first > last && (first, last) != (1, 0) {
            return self.say(replies::bad_range());
        }
        if first <= last {
            self.memory = Memory::Range(first, last);
        }
        self.say(replies::range_set(first, last));
    }

    fn fetch(&mut self, now: Instant, memory: Memory, name: Name) {
        let Some(path) = self.resolve_or_drop(Verb::Retr, &name) else { return };
        let Range { from, length } = range_of(&memory);
        self.begin(now, Verb::Retr, path.clone(), name, Task::Send { path, from, length });
    }

    fn store(&mut self, now: Instant, memory: Memory, name: Name) {
        let may_overwrite = self.rights().has(Right::Overwrite);
        let placement = match memory {
            Memory::RestartAt(from) if from > 0 => match self.lacking(Right::Overwrite) {
                Some(refusal) => return self.refuse_transfer(refusal),
                None => Placement::At(from),
            },
            Memory::Range(..) => return self.refuse_transfer(replies::range_is_for_fetching()),
            _ if may_overwrite => Placement::Replace,
            _ => Placement::New,
        };
        self.put(now, Verb::Stor, placement, name);
    }

    fn put(&mut self, now: Instant, verb: Verb, placement: Placement, name: Name) {
        let Some(path) = self.resolve_or_drop(verb, &name) else { return };
        self.begin(now, verb, path.clone(), name, Task::Receive { path, placement });
    }

    fn list(&mut self, now: Instant, verb: Verb, listed: Listed, form: ListForm) {
        let order: ListOrder = self.list_order(listed, form);
        let shown = order.asked.clone().unwrap_or_default();
        let Some(path) = self.resolve_or_drop(verb, &shown) else { return };
        self.begin(now, verb, path, shown, Task::List(order));
    }

    fn hash(&mut self, now: Instant, memory: Memory, name: Name) {
        self.begin_digest(now, Verb::Hash, name, self.parameters.hash, range_of(&memory));
    }

    /// By custom the second number is the first byte that is not counted.
    fn checksum(&mut self, now: Instant, verb: Verb, name: Name, range: Option<(u64, u64)>) {
        let algorithm = match verb {
            Verb::Xcrc => Algorithm::Crc32,
            Verb::Xmd5 => Algorithm::Md5,
            Verb::Xsha1 => Algorithm::Sha1,
            Verb::Xsha512 => Algorithm::Sha512,
            _ => Algorithm::Sha256,
        };
        let range = match range {
            Some((from, end)) if end < from => return self.say(replies::bad_range()),
            Some((from, u64::MAX)) => Range { from, length: None },
            Some((from, end)) => Range { from, length: Some(end - from) },
            None => Range::default(),
        };
        self.begin_digest(now, verb, name, algorithm, range);
    }

    fn refuse_transfer(&mut self, refusal: Reply) {
        self.use_plan_up();
        self.say(refusal);
    }

    fn resolve_or_drop(&mut self, verb: Verb, name: &[u8]) -> Option<FtpPath> {
        let path = self.resolve(verb, name);
        if path.is_none() {
            self.use_plan_up();
        }
        path
    }
}

/// What REST or RANG left for a command that reads.
fn range_of(memory: &Memory) -> Range {
    match *memory {
        Memory::RestartAt(from) => Range { from, length: None },
        // The last byte is included; a range to the last possible byte is one to the end.
        Memory::Range(first, last) => Range { from: first, length: (last - first).checked_add(1) },
        Memory::Nothing | Memory::RenameFrom(_) => Range::default(),
    }
}
