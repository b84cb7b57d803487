//! `Netrc`: the file of logins that ftp(1) reads, as BSD's ftp, curl and Python read it: machine, default, login, password,
//! account, macdef; quotes, backslashes, comments. No text makes it fail; what has no meaning is passed over.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use twoport_proto::Secret;

/// The logins of one user.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Netrc {
    machines: Vec<Machine>,
}

/// What the file has for one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// The name, as bytes.
    pub user: Vec<u8>,
    /// The password.
    pub password: Option<Secret>,
    /// The account, for servers that ask for one.
    pub account: Option<Secret>,
    /// The macros of this machine, in their order; the shell runs the one called `init` after the login.
    pub macros: Vec<Macro>,
}

/// A macro. Its lines are hidden from `Debug`: they may hold a password.
#[derive(Clone, PartialEq, Eq)]
pub struct Macro {
    /// Behind `macdef`.
    pub name: String,
    /// The lines up to the blank one.
    pub lines: Vec<String>,
}

/// Something about the file that its owner should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    path: PathBuf,
    mode: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Machine {
    /// `None` is `default`.
    host: Option<Vec<u8>>,
    user: Option<Vec<u8>>,
    password: Option<Secret>,
    account: Option<Secret>,
    macros: Vec<Macro>,
}

impl Netrc {
    /// Reads the text of the file. Bytes, because a password may be in any charset.
    #[must_use]
    pub fn read(text: impl AsRef<[u8]>) -> Netrc {
        let mut words = Words { rest: text.as_ref() };
        let mut machines: Vec<Machine> = Vec::new();
        while let Some(word) = words.keyword() {
            let machine = machines.last_mut();
            match word.as_slice() {
                b"machine" => machines.push(Machine::new(Some(words.value().unwrap_or_default()))),
                b"default" => machines.push(Machine::new(None)),
                b"macdef" => {
                    let found = words.macro_body();
                    // One in front of every machine belongs to none of them, as in BSD's ftp.
                    if let (Some(machine), Some(found)) = (machine, found) {
                        machine.macros.push(found);
                    }
                }
                b"login" | b"user" => {
                    let value = words.value();
                    if let Some(machine) = machine {
                        machine.user = value;
                    }
                }
                b"password" | b"passwd" => {
                    let value = words.value().map(Secret::new);
                    if let Some(machine) = machine {
                        machine.password = value;
                    }
                }
                b"account" => {
                    let value = words.value().map(Secret::new);
                    if let Some(machine) = machine {
                        machine.account = value;
                    }
                }
                _ => {}
            }
        }
        // What a `machine` at the end of the file leaves behind.
        machines.retain(|machine| machine.host.as_ref().is_none_or(|host| !host.is_empty()));
        Netrc { machines }
    }

    /// The login for `host`; with `user` only one of that user. A machine goes before `default`, the first before
    /// the second. An entry without a login fits every user that is asked for, and nobody when none is.
    #[must_use]
    pub fn lookup(&self, host: &str, user: Option<&[u8]>) -> Option<Login> {
        let named = self.machines.iter().filter(|machine| {
            machine.host.as_ref().is_some_and(|name| name.eq_ignore_ascii_case(host.as_bytes()))
        });
        let default = self.machines.iter().filter(|machine| machine.host.is_none());
        named.chain(default).find_map(|machine| machine.login(user))
    }

    /// Reads the file at `path`, and warns when others may read or change it and it holds a password. Only warns: many
    /// a build machine has it so, and a client that fails there is replaced by one that does not look.
    ///
    /// # Errors
    /// When it cannot be read; no file is `NotFound`.
    pub fn load(path: &Path) -> io::Result<(Netrc, Option<Warning>)> {
        let file = File::open(path)?;
        let mode = file.metadata()?.permissions().mode() & 0o777;
        let mut text = Vec::new();
        file.take(LONGEST).read_to_end(&mut text)?;
        let netrc = Netrc::read(text);
        let open = mode & 0o066 != 0 && netrc.holds_secret();
        Ok((netrc, open.then(|| Warning { path: path.to_owned(), mode })))
    }

    /// Where the file is: `$NETRC`, else `.netrc` in the home folder.
    #[must_use]
    pub fn default_path() -> Option<PathBuf> {
        let named = |key: &str| std::env::var_os(key).filter(|value| !value.is_empty()).map(PathBuf::from);
        named("NETRC").or_else(|| named("HOME").map(|home| home.join(".netrc")))
    }

    /// Whether there is a password that is one: the one of an anonymous login is not.
    fn holds_secret(&self) -> bool {
        self.machines.iter().any(|machine| {
            let anonymous = matches!(machine.user.as_deref(), Some(b"anonymous" | b"ftp"));
            (machine.password.is_some() && !anonymous) || machine.account.is_some()
        })
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        write!(f, "{path} holds a password and others may read or change it (mode {:o}); ", self.mode)?;
        write!(f, "run: chmod 600 {path}")
    }
}

impl fmt::Debug for Macro {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Macro({:?}, {} lines)", self.name, self.lines.len())
    }
}

impl Machine {
    fn new(host: Option<Vec<u8>>) -> Self {
        Machine { host, user: None, password: None, account: None, macros: Vec::new() }
    }

    fn login(&self, user: Option<&[u8]>) -> Option<Login> {
        let user = match (self.user.as_deref(), user) {
            (Some(own), Some(asked)) if own != asked => return None,
            (own, asked) => own.or(asked)?.to_vec(),
        };
        Some(Login {
            user,
            password: self.password.clone(),
            account: self.account.clone(),
            macros: self.macros.clone(),
        })
    }
}

/// The text as words.
struct Words<'a> {
    rest: &'a [u8],
}

impl Words<'_> {
    /// The next word where a keyword may stand; a `#` there makes the rest of the line a comment. Not so where a value
    /// stands: passwords begin with `#`.
    fn keyword(&mut self) -> Option<Vec<u8>> {
        loop {
            self.skip_space();
            if self.rest.first()? == &b'#' {
                self.skip_line();
            } else {
                return self.value();
            }
        }
    }

    /// The next word. Quotes count in front only, and end with the line at the latest; a backslash takes the meaning of
    /// what follows away, in quotes and outside.
    fn value(&mut self) -> Option<Vec<u8>> {
        self.skip_space();
        let quoted = self.rest.first()? == &b'"';
        let mut at = usize::from(quoted);
        let mut word = Vec::new();
        while let Some(b) = self.rest.get(at) {
            at += 1;
            match b {
                b'\r' | b'\n' => break,
                b'"' if quoted => break,
                b if !quoted && b.is_ascii_whitespace() => break,
                b'\\' => match self.rest.get(at) {
                    Some(b'\r' | b'\n') | None => word.push(b'\\'),
                    Some(b) => {
                        word.push(*b);
                        at += 1;
                    }
                },
                b => word.push(*b),
            }
        }
        self.rest = &self.rest[at..];
        Some(word)
    }

    /// What stands behind `macdef`: a name, and the lines up to a blank one or the end.
    fn macro_body(&mut self) -> Option<Macro> {
        let name = self.line();
        let name = name.trim_ascii().to_vec();
        let mut lines = Vec::new();
        while !self.rest.is_empty() {
            let line = self.line();
            if line.trim_ascii().is_empty() {
                break;
            }
            lines.push(String::from_utf8_lossy(&line).into_owned());
        }
        let name = name.split(u8::is_ascii_whitespace).next().unwrap_or_default();
        (!name.is_empty()).then(|| Macro { name: String::from_utf8_lossy(name).into_owned(), lines })
    }

    fn line(&mut self) -> Vec<u8> {
        let end = self.rest.iter().position(|b| *b == b'\n').unwrap_or(self.rest.len());
        let line = &self.rest[..end];
        self.skip_line();
        line.strip_suffix(b"\r").unwrap_or(line).to_vec()
    }

    fn skip_line(&mut self) {
        let end = self.rest.iter().position(|b| *b == b'\n').map_or(self.rest.len(), |at| at + 1);
        self.rest = &self.rest[end..];
    }

    fn skip_space(&mut self) {
        self.rest = self.rest.trim_ascii_start();
    }
}

/// How much of the file is read, in bytes: a thousand times what anybody has, and not the whole of `/dev/zero`.
const LONGEST: u64 = 1 << 20;

#[cfg(test)]
mod tests;
