//! `Command`: one variant per verb with typed arguments, read from a line. Names stay bytes; whether a command is legal
//! now, and whether a value is one that we support, is the session's question.

use std::net::{SocketAddr, SocketAddrV4};

use crate::error::Malformed;
use crate::hostport::{self, EprtFault};
use crate::modes::{Algorithm, Form, Mechanism, Mode, Protection, Structure, Type};
use crate::placement::Change;
use crate::secret::Secret;
use crate::time::Moment;
use crate::verb::Verb;

/// A name or path as it came: bytes, relative or absolute, never empty.
pub type Name = Vec<u8>;

/// A command with its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "a variant is the verb of its name; the table in verb.rs says what each does"
)]
pub enum Command {
    User(Name),
    Pass(Secret),
    Acct(Secret),
    Cwd(Name),
    Cdup,
    Smnt,
    Rein,
    Quit,
    Port(SocketAddrV4),
    Pasv,
    Eprt(Extended<SocketAddr>),
    Epsv(Epsv),
    Type(Type),
    Stru(Structure),
    Mode(Mode),
    Retr(Name),
    Stor(Name),
    Stou(Option<Name>),
    Appe(Name),
    Allo(u64),
    Rest(u64),
    Rang(u64, u64),
    Rnfr(Name),
    Rnto(Name),
    Abor,
    Dele(Name),
    Rmd(Name),
    Mkd(Name),
    Pwd,
    List(Listed),
    Nlst(Listed),
    Mlst(Option<Name>),
    Mlsd(Option<Name>),
    Size(Name),
    Mdtm(Name),
    /// MFMT, MFCT and MFF: which of them, what to set, on what.
    Facts(Verb, Change, Name),
    Avbl(Option<Name>),
    Hash(Name),
    /// XCRC and its kin: which of them, on what, and from which byte to before which.
    Checksum(Verb, Name, Option<(u64, u64)>),
    Site(Site),
    Syst,
    Stat(Option<Listed>),
    Help(Option<Name>),
    Noop,
    Feat,
    Opts(Opts),
    Host(Name),
    Lang(Option<Name>),
    Clnt(Name),
    Csid(Name),
    /// AUTH.
    Auth(Mechanism),
    /// PBSZ: the largest block that is protected at once; TLS has none (RFC 4217 §9).
    Pbsz(u64),
    /// PROT.
    Prot(Protection),
    /// CCC.
    Ccc,
}

/// An argument of RFC 2428: understood, or of a network protocol that is not known here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extended<T> {
    /// A protocol that we speak.
    Known(T),
    /// Any other; the answer is 522.
    Unknown,
}

/// The argument of EPSV.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Epsv {
    /// None: the protocol of the control connection.
    Same,
    /// 1 or 2.
    Of(Extended<hostport::Protocol>),
    /// ALL: no other command that makes a data connection will come (RFC 2428 §4).
    All,
}

/// The argument of LIST, NLST and STAT: what `ls` would take.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Listed {
    /// `-a`: names that begin with a dot too.
    pub all: bool,
    /// `-l`: long lines, with NLST as well.
    pub long: bool,
    /// `-R`: what lies below too.
    pub recursive: bool,
    /// `-1`: one name a line, with LIST as well unless `-l` is there.
    pub one: bool,
    /// What to list; a pattern perhaps; nothing for the working directory.
    pub path: Option<Name>,
}

/// What follows SITE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Site {
    /// Permission bits, and on what.
    Chmod(u32, Name),
    /// Times, and on what.
    Utime(Change, Name),
    /// Target, and the link's own name.
    Symlink(Name, Name),
    /// Why the last data connection failed.
    Why,
    /// What was seen of this session's connections.
    Doctor,
    /// The list of these.
    Help,
    /// No such thing here.
    Unknown(Name),
}

/// What follows OPTS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opts {
    /// UTF8 ON or OFF.
    Utf8(bool),
    /// MLST and the facts that are wanted, as they came.
    Mlst(Vec<u8>),
    /// HASH alone: which one is used?
    HashAsked,
    /// HASH and a name; nothing when it is none of ours.
    Hash(Option<Algorithm>),
    /// Something else.
    Unknown,
}

/// Why a line is no command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommandFault {
    /// Not a verb that we know (500); the word as it came, at most 32 bytes of it.
    Unknown(Vec<u8>),
    /// The verb is known and its argument is not what it takes (501).
    Argument(Verb, Malformed),
}

impl Command {
    /// Reads a line without its line end.
    ///
    /// # Errors
    /// When the verb is unknown or the argument does not fit it.
    pub fn read(line: &[u8]) -> Result<Command, CommandFault> {
        let (word, argument) = match line.iter().position(|b| *b == b' ') {
            Some(at) => (&line[..at], &line[at + 1..]),
            None => (line, &b""[..]),
        };
        let verb =
            Verb::read(word).ok_or_else(|| CommandFault::Unknown(word[..word.len().min(32)].to_vec()))?;
        read_argument(verb, argument).map_err(|fault| {
            let expected = if fault.expected.is_empty() { verb.row().argument } else { fault.expected };
            CommandFault::Argument(verb, Malformed { expected, at: fault.at + word.len() + 1 })
        })
    }

    /// The verb that this is the command of.
    #[must_use]
    pub fn verb(&self) -> Verb {
        match self {
            Command::User(_) => Verb::User,
            Command::Pass(_) => Verb::Pass,
            Command::Acct(_) => Verb::Acct,
            Command::Cwd(_) => Verb::Cwd,
            Command::Cdup => Verb::Cdup,
            Command::Smnt => Verb::Smnt,
            Command::Rein => Verb::Rein,
            Command::Quit => Verb::Quit,
            Command::Port(_) => Verb::Port,
            Command::Pasv => Verb::Pasv,
            Command::Eprt(_) => Verb::Eprt,
            Command::Epsv(_) => Verb::Epsv,
            Command::Type(_) => Verb::Type,
            Command::Stru(_) => Verb::Stru,
            Command::Mode(_) => Verb::Mode,
            Command::Retr(_) => Verb::Retr,
            Command::Stor(_) => Verb::Stor,
            Command::Stou(_) => Verb::Stou,
            Command::Appe(_) => Verb::Appe,
            Command::Allo(_) => Verb::Allo,
            Command::Rest(_) => Verb::Rest,
            Command::Rang(..) => Verb::Rang,
            Command::Rnfr(_) => Verb::Rnfr,
            Command::Rnto(_) => Verb::Rnto,
            Command::Abor => Verb::Abor,
            Command::Dele(_) => Verb::Dele,
            Command::Rmd(_) => Verb::Rmd,
            Command::Mkd(_) => Verb::Mkd,
            Command::Pwd => Verb::Pwd,
            Command::List(_) => Verb::List,
            Command::Nlst(_) => Verb::Nlst,
            Command::Mlst(_) => Verb::Mlst,
            Command::Mlsd(_) => Verb::Mlsd,
            Command::Size(_) => Verb::Size,
            Command::Mdtm(_) => Verb::Mdtm,
            Command::Facts(verb, ..) | Command::Checksum(verb, ..) => *verb,
            Command::Auth(_) => Verb::Auth,
            Command::Pbsz(_) => Verb::Pbsz,
            Command::Prot(_) => Verb::Prot,
            Command::Ccc => Verb::Ccc,
            Command::Avbl(_) => Verb::Avbl,
            Command::Hash(_) => Verb::Hash,
            Command::Site(_) => Verb::Site,
            Command::Syst => Verb::Syst,
            Command::Stat(_) => Verb::Stat,
            Command::Help(_) => Verb::Help,
            Command::Noop => Verb::Noop,
            Command::Feat => Verb::Feat,
            Command::Opts(_) => Verb::Opts,
            Command::Host(_) => Verb::Host,
            Command::Lang(_) => Verb::Lang,
            Command::Clnt(_) => Verb::Clnt,
            Command::Csid(_) => Verb::Csid,
        }
    }
}

/// The answer of the readers below; an empty `expected` stands for the argument in the verb's row.
type Read<T> = Result<T, Malformed>;

fn wrong<T>(at: usize) -> Read<T> {
    Err(Malformed::new("", at))
}

fn read_argument(verb: Verb, arg: &[u8]) -> Read<Command> {
    let optional = || (!arg.is_empty()).then(|| arg.to_vec());
    Ok(match verb {
        Verb::User => Command::User(name(arg)?),
        Verb::Pass => Command::Pass(Secret::new(arg)),
        Verb::Acct => Command::Acct(Secret::new(arg)),
        Verb::Cwd => Command::Cwd(name(arg)?),
        Verb::Cdup => Command::Cdup,
        Verb::Smnt => Command::Smnt,
        Verb::Rein => Command::Rein,
        Verb::Quit => Command::Quit,
        Verb::Port => Command::Port(hostport::read_port(arg)?),
        Verb::Pasv => Command::Pasv,
        Verb::Eprt => Command::Eprt(match hostport::read_eprt(arg) {
            Ok(address) => Extended::Known(address),
            Err(EprtFault::Protocol(_)) => Extended::Unknown,
            Err(EprtFault::Malformed(fault)) => return wrong(fault.at),
        }),
        Verb::Epsv => Command::Epsv(epsv(arg.trim_ascii())?),
        Verb::Type => Command::Type(type_of(arg)?),
        Verb::Stru => Command::Stru(match letter(arg)? {
            b'F' => Structure::File,
            b'R' => Structure::Record,
            b'P' => Structure::Page,
            _ => return wrong(0),
        }),
        Verb::Mode => Command::Mode(match letter(arg)? {
            b'S' => Mode::Stream,
            b'B' => Mode::Block,
            b'C' => Mode::Compressed,
            b'Z' => Mode::Deflate,
            _ => return wrong(0),
        }),
        Verb::Retr => Command::Retr(name(arg)?),
        Verb::Stor => Command::Stor(name(arg)?),
        Verb::Stou => Command::Stou(optional()),
        Verb::Appe => Command::Appe(name(arg)?),
        Verb::Allo => Command::Allo(allo(arg)?),
        Verb::Rest => Command::Rest(number(arg.trim_ascii())?),
        Verb::Rang => {
            let (first, last) = two_words(arg)?;
            Command::Rang(number(first)?, number(last.trim_ascii())?)
        }
        Verb::Rnfr => Command::Rnfr(name(arg)?),
        Verb::Rnto => Command::Rnto(name(arg)?),
        Verb::Abor => Command::Abor,
        Verb::Dele => Command::Dele(name(arg)?),
        Verb::Rmd => Command::Rmd(name(arg)?),
        Verb::Mkd => Command::Mkd(name(arg)?),
        Verb::Pwd => Command::Pwd,
        Verb::List => Command::List(listed(arg)),
        Verb::Nlst => Command::Nlst(listed(arg)),
        Verb::Mlst => Command::Mlst(optional()),
        Verb::Mlsd => Command::Mlsd(optional()),
        Verb::Size => Command::Size(name(arg)?),
        Verb::Mdtm => Command::Mdtm(name(arg)?),
        Verb::Mfmt | Verb::Mfct => {
            let (time, path) = two_words(arg)?;
            let moment = Some(Moment::read_stamp(time)?);
            let change = if verb == Verb::Mfmt {
                Change { modified: moment, ..Change::default() }
            } else {
                Change { created: moment, ..Change::default() }
            };
            Command::Facts(verb, change, name(path)?)
        }
        Verb::Mff => {
            let (facts, path) = two_words(arg)?;
            Command::Facts(verb, facts_of(facts)?, name(path)?)
        }
        Verb::Avbl => Command::Avbl(optional()),
        Verb::Hash => Command::Hash(name(arg)?),
        Verb::Xcrc | Verb::Xmd5 | Verb::Xsha1 | Verb::Xsha256 | Verb::Xsha512 => {
            let (path, range) = ranged(arg)?;
            Command::Checksum(verb, path, range)
        }
        Verb::Site => Command::Site(site(arg)?),
        Verb::Syst => Command::Syst,
        Verb::Stat => Command::Stat((!arg.trim_ascii().is_empty()).then(|| listed(arg))),
        Verb::Help => Command::Help(optional()),
        Verb::Noop => Command::Noop,
        Verb::Feat => Command::Feat,
        Verb::Opts => Command::Opts(opts(arg)?),
        Verb::Host => Command::Host(name(arg.trim_ascii())?),
        Verb::Lang => Command::Lang(optional()),
        Verb::Clnt => Command::Clnt(name(arg)?),
        Verb::Csid => Command::Csid(name(arg)?),
        Verb::Auth => Command::Auth(mechanism(arg)?),
        Verb::Pbsz => Command::Pbsz(number(arg.trim_ascii())?),
        Verb::Prot => Command::Prot(match letter(arg)? {
            b'C' => Protection::Clear,
            b'S' => Protection::Safe,
            b'E' => Protection::Confidential,
            b'P' => Protection::Private,
            _ => return wrong(0),
        }),
        Verb::Ccc => Command::Ccc,
    })
}

fn name(arg: &[u8]) -> Read<Name> {
    if arg.is_empty() { wrong(0) } else { Ok(arg.to_vec()) }
}

/// The first word, and what follows the spaces after it.
fn two_words(arg: &[u8]) -> Read<(&[u8], &[u8])> {
    let Some(space) = arg.iter().position(|b| *b == b' ') else { return wrong(arg.len()) };
    Ok((&arg[..space], &arg[space + 1..]))
}

fn number(text: &[u8]) -> Read<u64> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return wrong(0);
    }
    let mut value = 0u64;
    for digit in text {
        match value.checked_mul(10).and_then(|n| n.checked_add(u64::from(digit - b'0'))) {
            Some(next) => value = next,
            None => return Err(Malformed::new("a number below 2^64", 0)),
        }
    }
    Ok(value)
}

/// A single letter, in upper case; STRU and MODE take nothing else.
fn letter(arg: &[u8]) -> Read<u8> {
    match arg.trim_ascii() {
        [one] => Ok(one.to_ascii_uppercase()),
        _ => wrong(0),
    }
}

fn mechanism(arg: &[u8]) -> Read<Mechanism> {
    Ok(match arg.trim_ascii().to_ascii_uppercase().as_slice() {
        b"" => return wrong(0),
        b"TLS" | b"TLS-C" => Mechanism::Tls,
        b"SSL" | b"TLS-P" => Mechanism::Ssl,
        _ => Mechanism::Other,
    })
}

fn type_of(arg: &[u8]) -> Read<Type> {
    let upper = arg.trim_ascii().to_ascii_uppercase();
    let mut words = upper.split(|b| *b == b' ').filter(|word| !word.is_empty());
    let (first, second) = (words.next().unwrap_or_default(), words.next());
    if words.next().is_some() {
        return wrong(0);
    }
    let form = || match second {
        None | Some(b"N") => Ok(Form::NonPrint),
        Some(b"T") => Ok(Form::Telnet),
        Some(b"C") => Ok(Form::Carriage),
        Some(_) => wrong(2),
    };
    match first {
        b"A" => Ok(Type::Ascii(form()?)),
        b"E" => Ok(Type::Ebcdic(form()?)),
        b"I" if second.is_none() => Ok(Type::Image),
        b"L" => match number(second.unwrap_or_default()) {
            Ok(bits @ 1..=255) => Ok(Type::Local(u8::try_from(bits).expect("at most 255"))),
            _ => wrong(2),
        },
        // Some clients write the byte size without the space.
        b"L8" if second.is_none() => Ok(Type::Local(8)),
        _ => wrong(0),
    }
}

fn epsv(arg: &[u8]) -> Read<Epsv> {
    Ok(match arg {
        b"" => Epsv::Same,
        b"1" => Epsv::Of(Extended::Known(hostport::Protocol::V4)),
        b"2" => Epsv::Of(Extended::Known(hostport::Protocol::V6)),
        all if all.eq_ignore_ascii_case(b"ALL") => Epsv::All,
        digits if digits.iter().all(u8::is_ascii_digit) => Epsv::Of(Extended::Unknown),
        _ => return wrong(0),
    })
}

/// `n` or `n R m` (RFC 959 §4.1.3); the record size is read and not used.
fn allo(arg: &[u8]) -> Read<u64> {
    let mut words = arg.split(|b| *b == b' ').filter(|word| !word.is_empty());
    let bytes = number(words.next().unwrap_or_default())?;
    match (words.next(), words.next(), words.next()) {
        (None, ..) => Ok(bytes),
        (Some(r), Some(size), None) if r.eq_ignore_ascii_case(b"R") => number(size).map(|_| bytes),
        _ => wrong(0),
    }
}

/// Options first, as `ls` takes them, then the path. Clients send letters of their own `ls` (`-alT`): those we do not
/// know change nothing. A name that begins with a dash is reached as `./-name` or after `--`.
fn listed(arg: &[u8]) -> Listed {
    let mut wanted = Listed::default();
    let mut rest = arg;
    while let Some(after) = rest.strip_prefix(b"-") {
        let end = after.iter().position(|b| *b == b' ').unwrap_or(after.len());
        let options = &after[..end];
        if options != b"-" && !options.iter().all(u8::is_ascii_alphanumeric) {
            break;
        }
        wanted.all |= options.iter().any(|b| matches!(b, b'a' | b'A'));
        wanted.long |= options.contains(&b'l');
        wanted.recursive |= options.contains(&b'R');
        wanted.one |= options.contains(&b'1');
        rest = &after[end..];
        let spaces = rest.iter().take_while(|b| **b == b' ').count();
        rest = &rest[spaces..];
        if options == b"-" {
            break;
        }
    }
    wanted.path = (!rest.is_empty()).then(|| rest.to_vec());
    wanted
}

/// `fact=value;…` of MFF (draft-somers-ftp-mfxx §5).
fn facts_of(text: &[u8]) -> Read<Change> {
    const EXPECTED: &str = "facts among modify=, create= and UNIX.mode=, each ended by a semicolon";
    let Some(text) = text.strip_suffix(b";") else { return Err(Malformed::new(EXPECTED, text.len())) };
    let mut change = Change::default();
    for fact in text.split(|b| *b == b';') {
        let Some(equals) = fact.iter().position(|b| *b == b'=') else {
            return Err(Malformed::new(EXPECTED, 0));
        };
        let (fact, value) = (fact[..equals].to_ascii_lowercase(), &fact[equals + 1..]);
        match fact.as_slice() {
            b"modify" => change.modified = Some(Moment::read_stamp(value)?),
            b"create" => change.created = Some(Moment::read_stamp(value)?),
            b"unix.mode" => change.mode = Some(octal(value)?),
            _ => return Err(Malformed::new(EXPECTED, 0)),
        }
    }
    Ok(change)
}

fn octal(text: &[u8]) -> Read<u32> {
    if text.is_empty() || text.len() > 5 || !text.iter().all(|b| (b'0'..=b'7').contains(b)) {
        return Err(Malformed::new("permission bits as octal digits, 0 to 7777", 0));
    }
    let bits = text.iter().fold(0, |bits, b| bits * 8 + u32::from(b - b'0'));
    if bits > 0o7777 {
        Err(Malformed::new("permission bits as octal digits, 0 to 7777", 0))
    } else {
        Ok(bits)
    }
}

/// A path, in quotes perhaps, and perhaps two numbers behind it.
fn ranged(arg: &[u8]) -> Read<(Name, Option<(u64, u64)>)> {
    if let Some(quoted) = arg.strip_prefix(b"\"")
        && let Some(end) = quoted.iter().rposition(|b| *b == b'"')
    {
        let path = name(&quoted[..end])?;
        let rest = quoted[end + 1..].trim_ascii();
        if rest.is_empty() {
            return Ok((path, None));
        }
        let (first, last) = two_words(rest).unwrap_or((rest, b""));
        // A start alone means from there to the end.
        let last = if last.is_empty() { u64::MAX } else { number(last.trim_ascii())? };
        return Ok((path, Some((number(first)?, last))));
    }
    let mut words = arg.rsplitn(3, |b| *b == b' ');
    if let (Some(last), Some(first), Some(path)) = (words.next(), words.next(), words.next())
        && let (Ok(first), Ok(last)) = (number(first), number(last))
    {
        return Ok((name(path)?, Some((first, last))));
    }
    Ok((name(arg)?, None))
}

fn opts(arg: &[u8]) -> Read<Opts> {
    let (word, rest) = two_words(arg).unwrap_or((arg, b""));
    let rest = rest.trim_ascii();
    Ok(match word.to_ascii_uppercase().as_slice() {
        b"" => return wrong(0),
        b"UTF8" | b"UTF-8" => match rest.to_ascii_uppercase().as_slice() {
            b"" | b"ON" => Opts::Utf8(true),
            b"OFF" => Opts::Utf8(false),
            _ => return Err(Malformed::new("ON or OFF", word.len() + 1)),
        },
        b"MLST" => Opts::Mlst(rest.to_vec()),
        b"HASH" if rest.is_empty() => Opts::HashAsked,
        b"HASH" => Opts::Hash(Algorithm::read(rest)),
        _ => Opts::Unknown,
    })
}

fn site(arg: &[u8]) -> Read<Site> {
    let (word, rest) = two_words(arg).unwrap_or((arg, b""));
    Ok(match word.to_ascii_uppercase().as_slice() {
        b"" => return wrong(0),
        b"CHMOD" => {
            let (mode, path) = two_words(rest).or(Err(Malformed::new("CHMOD MODE PATH", 0)))?;
            Site::Chmod(octal(mode)?, name(path)?)
        }
        b"UTIME" => utime(rest)?,
        b"SYMLINK" => {
            let (target, link) = two_names(rest)?;
            Site::Symlink(target, link)
        }
        b"WHY" => Site::Why,
        b"DOCTOR" => Site::Doctor,
        b"HELP" => Site::Help,
        _ => Site::Unknown(word[..word.len().min(32)].to_vec()),
    })
}

/// Two forms are in use: `YYYYMMDDHHMM[SS] PATH`, and `PATH ATIME MTIME CTIME UTC`.
fn utime(rest: &[u8]) -> Read<Site> {
    const EXPECTED: &str = "UTIME YYYYMMDDHHMM[SS] PATH";
    let bad = Malformed::new(EXPECTED, 0);
    let mut from_end = rest.rsplitn(5, |b| *b == b' ');
    if let (Some(zone), Some(_changed), Some(modified), Some(accessed), Some(path)) =
        (from_end.next(), from_end.next(), from_end.next(), from_end.next(), from_end.next())
        && zone.eq_ignore_ascii_case(b"UTC")
    {
        let change = Change {
            modified: Some(Moment::read_stamp(modified)?),
            accessed: Some(Moment::read_stamp(accessed)?),
            ..Change::default()
        };
        return Ok(Site::Utime(change, name(path)?));
    }
    let (time, path) = two_words(rest).or(Err(bad))?;
    let mut stamp = time.to_vec();
    if stamp.len() == 12 {
        stamp.extend_from_slice(b"00");
    }
    let modified = Some(Moment::read_stamp(&stamp).or(Err(bad))?);
    Ok(Site::Utime(Change { modified, ..Change::default() }, name(path)?))
}

/// Two names with one space between, or each in double quotes.
fn two_names(rest: &[u8]) -> Read<(Name, Name)> {
    let bad = Malformed::new("SYMLINK TARGET PATH, in double quotes where a name holds a space", 0);
    let (first, second) = match rest.strip_prefix(b"\"") {
        Some(quoted) => {
            let end = quoted.iter().position(|b| *b == b'"').ok_or(bad)?;
            (&quoted[..end], quoted[end + 1..].strip_prefix(b" ").ok_or(bad)?)
        }
        None => two_words(rest).or(Err(bad))?,
    };
    let second = second.strip_prefix(b"\"").and_then(|s| s.strip_suffix(b"\"")).unwrap_or(second);
    Ok((name(first).or(Err(bad))?, name(second).or(Err(bad))?))
}

#[cfg(test)]
mod tests;
