//! Facts for machines, `type=file;size=104;modify=20260727014500; name` (RFC 3659 §7), both ways, and which of them a
//! client chose by OPTS MLST. What an account may do is the session's to say: it comes in as [`May`].

use std::borrow::Cow;

use super::{push_name, push_number, push_zeroed, set_zeroed};
use crate::entry::{Access, Entry, Kind};
use crate::error::Malformed;
use crate::time::Moment;

/// One kind of fact (RFC 3659 §7.5; those of UNIX are system dependent, §7.6.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fact {
    /// `type`: file, dir, cdir, pdir, or the system's own.
    Type,
    /// `size`: bytes; not said of folders.
    Size,
    /// `modify`: last change.
    Modify,
    /// `create`: when it was made.
    Create,
    /// `perm`: what the user may do with it.
    Perm,
    /// `unique`: the same for two names of one file.
    Unique,
    /// `UNIX.mode`: permission bits, octal.
    Mode,
    /// `UNIX.owner`: the owner's name or number.
    Owner,
    /// `UNIX.group`: the group's name or number.
    Group,
}

impl Fact {
    /// All of them, in the order in which FEAT names them and lines say them.
    pub const ALL: [Fact; 9] = [
        Fact::Type,
        Fact::Size,
        Fact::Modify,
        Fact::Create,
        Fact::Perm,
        Fact::Unique,
        Fact::Mode,
        Fact::Owner,
        Fact::Group,
    ];

    /// The name in FEAT, OPTS and lines.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Fact::Type => "type",
            Fact::Size => "size",
            Fact::Modify => "modify",
            Fact::Create => "create",
            Fact::Perm => "perm",
            Fact::Unique => "unique",
            Fact::Mode => "UNIX.mode",
            Fact::Owner => "UNIX.owner",
            Fact::Group => "UNIX.group",
        }
    }
}

/// A set of facts: those that MLSD and MLST say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FactSet(u16);

impl FactSet {
    /// No fact: names only.
    pub const NONE: FactSet = FactSet(0);
    /// Every fact that we know.
    pub const ALL: FactSet = FactSet((1 << Fact::ALL.len()) - 1);
    /// What is said until OPTS MLST: all but `create`, which most file systems do not keep.
    pub const DEFAULT: FactSet = FactSet(Self::ALL.0 & !(1 << Fact::Create as u16));

    /// Whether `fact` is in it.
    #[must_use]
    pub fn has(self, fact: Fact) -> bool {
        self.0 & (1 << fact as u16) != 0
    }

    /// The set with `fact` in it.
    #[must_use]
    pub fn with(self, fact: Fact) -> Self {
        FactSet(self.0 | (1 << fact as u16))
    }

    /// Reads the argument of OPTS MLST, `type;size;` (RFC 3659 §7.9). Facts that we do not know are passed over; empty
    /// chooses none. A last semicolon may be missing.
    ///
    /// # Errors
    /// When there is a space in it (§7.9.2, last example).
    pub fn read(argument: &[u8]) -> Result<Self, Malformed> {
        let argument = argument.trim_ascii();
        if let Some(at) = argument.iter().position(u8::is_ascii_whitespace) {
            return Err(Malformed::new("fact names with a semicolon behind each", at));
        }
        let known =
            |name: &[u8]| Fact::ALL.into_iter().find(|f| f.name().as_bytes().eq_ignore_ascii_case(name));
        Ok(argument.split(|b| *b == b';').filter_map(known).fold(FactSet::NONE, FactSet::with))
    }

    /// What FEAT says behind `MLST `: every fact that we know, with a star behind the chosen ones (RFC 3659 §7.8).
    #[must_use]
    pub fn feat(self) -> String {
        let starred = |fact: Fact| fact.name().to_owned() + if self.has(fact) { "*;" } else { ";" };
        Fact::ALL.into_iter().map(starred).collect()
    }

    /// What 200 says to OPTS MLST: `MLST OPTS type;size;` (RFC 3659 §7.9.1).
    #[must_use]
    pub fn write_names(self) -> String {
        let mut text = String::from("MLST OPTS");
        for (place, fact) in Fact::ALL.into_iter().filter(|fact| self.has(*fact)).enumerate() {
            text.push_str(if place == 0 { " " } else { "" });
            text.push_str(fact.name());
            text.push(';');
        }
        text
    }
}

impl Default for FactSet {
    fn default() -> Self {
        FactSet::DEFAULT
    }
}

/// What a line tells of: an entry of the listed folder, or a folder that stands in a relation to the listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MlsKind {
    /// The entry as it is: `type` is the entry's own kind.
    Own,
    /// `type=cdir`: the listed folder itself.
    Cdir,
    /// `type=pdir`: a folder that holds the listed one.
    Pdir,
}

/// What an account may do, as far as the `perm` fact can say it (RFC 3659 §7.5.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct May {
    /// List folders.
    pub list: bool,
    /// Fetch files.
    pub read: bool,
    /// Store files under new names.
    pub store: bool,
    /// Store over files that are there.
    pub overwrite: bool,
    /// Append to files that are there.
    pub append: bool,
    /// Delete files and remove folders.
    pub delete: bool,
    /// Rename.
    pub rename: bool,
    /// Make folders.
    pub make: bool,
    /// Entries of the folder that holds the entry may be removed and renamed: that folder's own `access.write`; false
    /// for the root.
    pub in_folder: bool,
}

impl May {
    /// Everything.
    pub const ALL: May = May {
        list: true,
        read: true,
        store: true,
        overwrite: true,
        append: true,
        delete: true,
        rename: true,
        make: true,
        in_folder: true,
    };
    /// Nothing.
    pub const NOTHING: May = May {
        list: false,
        read: false,
        store: false,
        overwrite: false,
        append: false,
        delete: false,
        rename: false,
        make: false,
        in_folder: false,
    };
}

/// The letters of a `perm` fact, in alphabetical order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PermLetters {
    letters: [u8; 10],
    count: usize,
}

impl PermLetters {
    /// The letters as bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.letters[..self.count]
    }
}

/// The letters for an entry: what the account may do and the server process can do (RFC 3659 §7.5.5).
#[must_use]
pub fn perm_letters(entry: &Entry, may: May) -> PermLetters {
    let Access { read, write, enter } = entry.access;
    let folder = entry.kind == Kind::Directory;
    let fetchable = matches!(entry.kind, Kind::File | Kind::Link);
    let changeable = folder && write && enter;
    let letters = [
        (b'a', fetchable && write && may.append),
        (b'c', changeable && may.store),
        (b'd', may.delete && may.in_folder),
        (b'e', folder && enter),
        (b'f', may.rename && may.in_folder),
        (b'l', folder && read && may.list),
        (b'm', changeable && may.make),
        (b'p', changeable && may.delete),
        (b'r', fetchable && read && may.read),
        (b'w', fetchable && write && may.overwrite),
    ];
    let mut perm = PermLetters::default();
    for (letter, _) in letters.into_iter().filter(|(_, set)| *set) {
        perm.letters[perm.count] = letter;
        perm.count += 1;
    }
    perm
}

/// Appends the chosen facts as far as they are known, `type=file;size=104;`, without the space and the name behind them.
/// `perm` holds the letters of [`perm_letters`].
pub fn write_facts(entry: &Entry, facts: FactSet, kind: MlsKind, perm: &[u8], out: &mut Vec<u8>) {
    if facts.has(Fact::Type) {
        out.extend_from_slice(match (kind, entry.kind) {
            (MlsKind::Cdir, _) => b"type=cdir;",
            (MlsKind::Pdir, _) => b"type=pdir;",
            (MlsKind::Own, Kind::File) => b"type=file;",
            (MlsKind::Own, Kind::Directory) => b"type=dir;",
            (MlsKind::Own, Kind::Link) => SYMLINK,
            (MlsKind::Own, Kind::Other) => b"type=OS.unix=other;",
        });
    }
    // RFC 3659 §7.5.7: of non-directory types.
    if facts.has(Fact::Size) && !entry.is_directory() {
        out.extend_from_slice(b"size=");
        push_number(entry.size, 0, out);
        out.push(b';');
    }
    push_moment(b"modify=", entry.modified.filter(|_| facts.has(Fact::Modify)), out);
    push_moment(b"create=", entry.created.filter(|_| facts.has(Fact::Create)), out);
    if facts.has(Fact::Perm) {
        out.extend_from_slice(b"perm=");
        out.extend_from_slice(perm);
        out.push(b';');
    }
    if let Some((device, number)) = entry.unique.filter(|_| facts.has(Fact::Unique)) {
        out.extend_from_slice(b"unique=");
        push_in_bits(4, device, 1, out);
        out.push(b'g');
        push_in_bits(4, number, 1, out);
        out.push(b';');
    }
    if let Some(mode) = entry.mode.filter(|_| facts.has(Fact::Mode)) {
        out.extend_from_slice(b"UNIX.mode=");
        push_in_bits(3, u64::from(mode & 0o7777), 4, out);
        out.push(b';');
    }
    push_token(b"UNIX.owner=", entry.owner.as_deref().filter(|_| facts.has(Fact::Owner)), out);
    push_token(b"UNIX.group=", entry.group.as_deref().filter(|_| facts.has(Fact::Group)), out);
}

/// Appends one line of MLSD: facts, a space, the name, CRLF. For MLST the caller writes a space, the facts, a space and
/// the whole path itself (RFC 3659 §7.2).
pub fn write_line(entry: &Entry, facts: FactSet, kind: MlsKind, perm: &[u8], out: &mut Vec<u8>) {
    write_facts(entry, facts, kind, perm, out);
    out.push(b' ');
    push_name(&entry.name, out);
    out.extend_from_slice(b"\r\n");
}

/// Reads one line of MLSD, with or without its line end (of MLST without the leading space that belongs to the reply);
/// `None` when it is not of this dialect or has no name. Facts that we do not know, or whose values make no sense, are
/// passed over; without a `type` it is taken for a file. The name may hold anything: the caller must not trust it.
#[must_use]
pub fn read_line(line: &[u8]) -> Option<(Entry, MlsKind)> {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let space = line.iter().position(|b| *b == b' ')?;
    let (facts, name) = (&line[..space], &line[space + 1..]);
    if name.is_empty() {
        return None;
    }
    let mut entry = Entry::new(name, Kind::File, 0);
    let mut kind = MlsKind::Own;
    let mut perm = None;
    for fact in facts.split(|b| *b == b';').filter(|fact| !fact.is_empty()) {
        let equals = fact.iter().position(|b| *b == b'=')?;
        let (fact, value) = (&fact[..equals], &fact[equals + 1..]);
        let is = |name: &str| name.as_bytes().eq_ignore_ascii_case(fact);
        if is("type") {
            (entry.kind, kind, entry.target) = read_type(value);
        // `sizd` is the size of a folder, as some servers say it.
        } else if is("size") || is("sizd") {
            entry.size = read_in_base(10, value).unwrap_or(0);
        } else if is("modify") {
            entry.modified = Moment::read_stamp(value).ok();
        } else if is("create") {
            entry.created = Moment::read_stamp(value).ok();
        } else if is("perm") {
            perm = Some(value);
        } else if is("unique") {
            entry.unique = read_unique(value);
        } else if is("UNIX.mode") {
            entry.mode = read_in_base(8, value).and_then(|mode| u32::try_from(mode & 0o7777).ok());
        // Names go before numbers, where a server says both.
        } else if is("UNIX.ownername") || (is("UNIX.owner") || is("UNIX.uid")) && entry.owner.is_none() {
            entry.owner = Some(Cow::Owned(String::from_utf8_lossy(value).into_owned()));
        } else if is("UNIX.groupname") || (is("UNIX.group") || is("UNIX.gid")) && entry.group.is_none() {
            entry.group = Some(Cow::Owned(String::from_utf8_lossy(value).into_owned()));
        }
    }
    if let Some(letters) = perm {
        entry.access = read_perm(letters, entry.kind);
    }
    Some((entry, kind))
}

fn read_type(value: &[u8]) -> (Kind, MlsKind, Option<Vec<u8>>) {
    let is = |name: &str| name.as_bytes().eq_ignore_ascii_case(value);
    let of_unix = value
        .split_at_checked(8)
        .filter(|(os, _)| os.eq_ignore_ascii_case(b"OS.unix="))
        .map(|(_, kind)| kind);
    if is("file") {
        (Kind::File, MlsKind::Own, None)
    } else if is("dir") {
        (Kind::Directory, MlsKind::Own, None)
    } else if is("cdir") {
        (Kind::Directory, MlsKind::Cdir, None)
    } else if is("pdir") {
        (Kind::Directory, MlsKind::Pdir, None)
    } else if let Some(kind) = of_unix {
        // `slink:/target` stands in RFC 3659 §7.7.4, `symlink` is what we say.
        let colon = kind.iter().position(|b| *b == b':').unwrap_or(kind.len());
        let link = matches!(kind[..colon].to_ascii_lowercase().as_slice(), b"slink" | b"symlink" | b"link");
        let target = kind.get(colon + 1..).filter(|target| link && !target.is_empty()).map(<[u8]>::to_vec);
        (if link { Kind::Link } else { Kind::Other }, MlsKind::Own, target)
    } else {
        (Kind::Other, MlsKind::Own, None)
    }
}

fn read_perm(letters: &[u8], kind: Kind) -> Access {
    let any = |of: &[u8]| letters.iter().any(|b| of.contains(&b.to_ascii_lowercase()));
    if kind == Kind::Directory {
        Access { read: any(b"l"), write: any(b"cmp"), enter: any(b"e") }
    } else {
        Access { read: any(b"r"), write: any(b"aw"), enter: true }
    }
}

/// `801g1a2b3` as we say it, `801U1A2B3` as ProFTPD does; the tokens of others are opaque.
fn read_unique(value: &[u8]) -> Option<(u64, u64)> {
    let mark = value.iter().position(|b| matches!(b, b'g' | b'U'))?;
    Some((read_in_base(16, &value[..mark])?, read_in_base(16, &value[mark + 1..])?))
}

/// Digits of a base of at most 16, at least one and nothing else.
fn read_in_base(base: u32, digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u64, |number, b| {
        let digit = char::from(*b).to_digit(base)?;
        number.checked_mul(u64::from(base))?.checked_add(u64::from(digit))
    })
}

/// Appends a number in base 2 to the power of `bits` (at most 4), with zeros before it where it has fewer than `width` digits (at most
/// 22).
fn push_in_bits(bits: u32, mut number: u64, width: usize, out: &mut Vec<u8>) {
    let mut digits = [b'0'; 22];
    let mut at = digits.len();
    while number > 0 {
        at -= 1;
        digits[at] = b"0123456789abcdef"[(number & ((1 << bits) - 1)) as usize];
        number >>= bits;
    }
    out.extend_from_slice(&digits[at.min(digits.len() - width)..]);
}

/// Appends a fact whose value is [`Moment::stamp`], here without an allocation.
fn push_moment(fact: &[u8], moment: Option<Moment>, out: &mut Vec<u8>) {
    let Some(moment) = moment else { return };
    let c = moment.civil();
    let mut stamp = [0; 14];
    set_zeroed(u64::try_from(c.year.clamp(0, 9999)).unwrap_or(0), &mut stamp[..4]);
    for (place, part) in [c.month, c.day, c.hour, c.minute, c.second].into_iter().enumerate() {
        set_zeroed(part.into(), &mut stamp[4 + 2 * place..6 + 2 * place]);
    }
    out.extend_from_slice(fact);
    out.extend_from_slice(&stamp);
    let millis = moment.nanos / 1_000_000;
    if millis > 0 {
        out.push(b'.');
        push_zeroed(millis.into(), 3, out);
    }
    out.push(b';');
}

/// Appends a fact with a word as its value; blanks, controls and semicolons would end it early.
fn push_token(fact: &[u8], value: Option<&str>, out: &mut Vec<u8>) {
    let Some(value) = value else { return };
    out.extend_from_slice(fact);
    out.extend(value.bytes().map(|b| if b <= b' ' || b == b';' || b == 0x7F { b'_' } else { b }));
    out.push(b';');
}

/// Without the target, whose spaces and semicolons would end the facts early.
const SYMLINK: &[u8] = b"type=OS.unix=symlink;";

#[cfg(test)]
mod tests;
