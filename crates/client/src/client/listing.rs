//! Listings: MLSD, LIST in whichever dialect, STAT where no data connection can be had.

use twoport_pipe::Progress;
use twoport_proto::listing::mlsx;
use twoport_proto::listing::{Outcome, Reader};
use twoport_proto::{Entry, Kind, Moment, Request, Verb};

use super::{Client, literal, request};
use crate::error::Error;
use crate::local_name::shown;
use crate::text::{LineSink, Reading};

/// What is known of the way in which a server takes LIST.
#[derive(Debug, Default)]
pub(super) struct Habits {
    /// Whether it takes `-a`: without it vsftpd and ls itself leave out what begins with a dot.
    all: Option<bool>,
    /// Whether MDTM is not known there.
    pub(super) no_times: bool,
    /// Something of the last listing came without the end of its stream, or without the server's last word.
    cut: bool,
    /// The last LIST was in a form that is not understood.
    odd: bool,
    /// The folder of the login, as PWD told it.
    home: Option<Vec<u8>>,
}

impl Client {
    /// What is in a folder: by MLSD where the server has it, else by LIST in whichever dialect it speaks, and by STAT over
    /// the control connection where no data connection can be had.
    ///
    /// # Errors
    /// When it is refused, or cannot be understood.
    pub async fn list(&mut self, path: &[u8], now: Moment) -> Result<Vec<Entry>, Error> {
        let path = &self.on_server(path)?;
        self.lists.cut = false;
        let mut entries = self.list_raw(path, now).await?;
        for entry in &mut entries {
            entry.name = self.options.charset.decode(&entry.name);
        }
        Ok(entries)
    }

    /// Whether the last [`list`](Client::list) is known to be whole: its stream ended in order, and the server said so.
    #[must_use]
    pub fn listing_is_whole(&self) -> bool {
        !self.lists.cut
    }

    async fn list_raw(&mut self, path: &[u8], now: Moment) -> Result<Vec<Entry>, Error> {
        if self.options.stat_first
            && let Some(entries) = self.by_stat(path, now).await?
        {
            return Ok(entries);
        }
        if self.features.has("MLST") {
            match self.gather(Verb::Mlsd, path, Entries::of_mlsd()).await {
                Ok(read) => return Ok(read.entries),
                Err(e) if e.is_unknown_command() => self.features.forget("MLST"),
                Err(e) => return self.list_by_stat(path, now, e).await,
            }
        }
        match self.list_there(path, now).await {
            Err(e @ Error::NotUnderstood(_)) if self.lists.odd => self.list_by_name(path, e).await,
            Err(e) => self.list_by_stat(path, now, e).await,
            listed => listed,
        }
    }

    /// LIST of a folder. Its argument is read by some servers as a shell would read it, and of a folder that is not there
    /// many say that it is empty: where either matters, the session goes into the folder and lists it from inside.
    async fn list_there(&mut self, path: &[u8], now: Moment) -> Result<Vec<Entry>, Error> {
        if path.is_empty() {
            return self.list_all(path, now).await;
        }
        let listed = match is_plain(path) {
            true => match self.list_all(path, now).await {
                Ok(entries) if !entries.is_empty() => return Ok(entries),
                Err(e) if !matches!(e, Error::NotUnderstood(_)) => return Err(e),
                listed => Some(listed),
            },
            false => None,
        };
        let home = match &self.lists.home {
            Some(home) => home.clone(),
            None => {
                let told = self.say(Request::bare(Verb::Pwd)).await.ok();
                let told = told.as_ref().and_then(|reply| reply.lines.last());
                match told.and_then(|line| twoport_proto::path::unquoted(line)) {
                    Some(home) => self.lists.home.insert(home).clone(),
                    // There would be no way back.
                    None => return listed.unwrap_or(self.list_all(path, now).await),
                }
            }
        };
        match (self.say(request(Verb::Cwd, path)?).await, listed) {
            (Ok(_), Some(Ok(entries))) => {
                self.say(request(Verb::Cwd, &home)?).await?;
                Ok(entries)
            }
            (Ok(_), _) => {
                let listed = self.list_all(b"", now).await;
                if !matches!(listed, Err(Error::Unreachable { .. })) {
                    self.say(request(Verb::Cwd, &home)?).await?;
                }
                listed
            }
            (Err(e @ Error::Refused { .. }), _) if is_plain(path) => Err(e),
            // It may be a file.
            (Err(e @ Error::Refused { .. }), _) => match self.list_all(path, now).await {
                Ok(entries) if !entries.is_empty() => Ok(entries),
                _ => Err(e),
            },
            (Err(e), _) => Err(e),
        }
    }

    /// LIST with `-a` where the server takes that.
    async fn list_all(&mut self, path: &[u8], now: Moment) -> Result<Vec<Entry>, Error> {
        let path = literal(path);
        if self.lists.all != Some(false) {
            let flagged: &[u8] = if path.is_empty() { b"-a" } else { b"-a " };
            match self.gather(Verb::List, &[flagged, &path].concat(), Entries::of_list(now)).await {
                Ok(read) => {
                    let is_all = read.parent;
                    match self.understood(read) {
                        Ok(entries) if is_all || !entries.is_empty() => {
                            self.lists.all = Some(true);
                            return Ok(entries);
                        }
                        // What ls itself says of a folder that is not there.
                        Err(e) if self.lists.all == Some(true) => return Err(e),
                        _ => {}
                    }
                }
                Err(Error::Refused { .. }) => {}
                Err(e) => return Err(e),
            }
        }
        let read = self.gather(Verb::List, &path, Entries::of_list(now)).await?;
        let entries = self.understood(read)?;
        if !entries.is_empty() {
            self.lists.all.get_or_insert(false);
        }
        Ok(entries)
    }

    fn understood(&mut self, read: Entries) -> Result<Vec<Entry>, Error> {
        let entries = read.understood();
        self.lists.odd = matches!(entries, Err(Error::NotUnderstood(_)));
        entries
    }

    /// A listing that nobody understands: NLST tells the names at least (RFC 959 §4.1.3), and each is asked what it is.
    async fn list_by_name(&mut self, path: &[u8], failure: Error) -> Result<Vec<Entry>, Error> {
        let Ok(lines) = self.lines(Verb::Nlst, &literal(path)).await else { return Err(failure) };
        let mut entries = Vec::new();
        for line in lines {
            // Some servers put the folder before each name.
            let name = line.strip_prefix(path).and_then(|rest| rest.strip_prefix(b"/")).unwrap_or(&line);
            if !is_a_name(name) {
                continue;
            }
            let at = match path {
                b"" => name.to_vec(),
                path if path.ends_with(b"/") => [path, name].concat(),
                path => [path, b"/", name].concat(),
            };
            match self.stat_there(&at).await {
                Ok(entry) => entries.push(Entry { name: name.to_vec(), ..entry }),
                Err(Error::Refused { .. }) => entries.push(Entry::new(name.to_vec(), Kind::Other, 0)),
                Err(e) => return Err(e),
            }
        }
        if entries.is_empty() { Err(failure) } else { Ok(entries) }
    }

    /// STAT instead; what it cannot do leaves the failure that it was.
    async fn list_by_stat(&mut self, path: &[u8], now: Moment, failure: Error) -> Result<Vec<Entry>, Error> {
        if !matches!(&failure, Error::Unreachable { steps, .. } if !steps.is_empty()) {
            return Err(failure);
        }
        self.by_stat(path, now).await.ok().flatten().ok_or(failure)
    }

    /// STAT with a path needs no data connection (RFC 959 §4.1.3); none where the server does not list by it.
    async fn by_stat(&mut self, path: &[u8], now: Moment) -> Result<Option<Vec<Entry>>, Error> {
        let path = if path.is_empty() { b"." } else { path };
        match self.say(request(Verb::Stat, path)?).await {
            Ok(reply) if reply.lines.len() > 2 => {
                let mut read = Entries::of_list(now);
                for line in &reply.lines[1..reply.lines.len() - 1] {
                    read.line(line.strip_prefix(b" ").unwrap_or(line)).map_err(Error::NotUnderstood)?;
                }
                let Ok(entries) = read.understood() else { return Ok(None) };
                // Its times are those of LIST.
                self.features.forget("MLST");
                Ok(Some(entries))
            }
            Ok(_) | Err(Error::Refused { .. }) => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Says already now that these folders will be listed, in this order, by MLSD over the data connection that stays open.
    /// False where there is none, and then nothing was said. Each must then be listed in its turn.
    ///
    /// # Errors
    /// When a path cannot be sent.
    pub async fn list_ahead(&mut self, paths: &[&[u8]]) -> Result<bool, Error> {
        let paths: Vec<_> = paths.iter().map(|path| self.on_server(path)).collect::<Result<_, _>>()?;
        let paths: Vec<&[u8]> = paths.iter().map(AsRef::as_ref).collect();
        self.ahead(Verb::Mlsd, &paths, true).await
    }

    /// The lines of a listing, as they came; the path is the server's, in its charset.
    ///
    /// # Errors
    /// When it is refused, or longer than a listing can be.
    pub async fn lines(&mut self, verb: Verb, path: &[u8]) -> Result<Vec<Vec<u8>>, Error> {
        self.gather(verb, path, Lines(Vec::new())).await.map(|lines| lines.0)
    }

    async fn gather<T: Reading>(&mut self, verb: Verb, path: &[u8], reading: T) -> Result<T, Error> {
        let (mut sink, lines) = LineSink::new(reading);
        let came = self.receive(verb, path, 0, &mut sink, &Progress::default()).await;
        // What was not taken is the server's fault and not that of this machine's files.
        match (lines.refused(), came) {
            (Some(why), _) => Err(Error::NotUnderstood(why)),
            (None, Err(e)) => Err(e),
            (None, Ok(moved)) => {
                self.lists.cut |= !moved.confirmed;
                lines.finish().map_err(Error::NotUnderstood)
            }
        }
    }
}

struct Lines(Vec<Vec<u8>>);

impl Reading for Lines {
    fn line(&mut self, line: &[u8]) -> Result<(), String> {
        self.0.push(line.to_vec());
        if self.0.len() > MOST { Err(too_many()) } else { Ok(()) }
    }
}

/// The entries of a listing, read as it comes.
struct Entries {
    dialect: Dialect,
    entries: Vec<Entry>,
    /// The first line that was not understood.
    unknown: Option<Vec<u8>>,
    /// Whether the folder above was among them.
    parent: bool,
}

enum Dialect {
    /// RFC 3659 §7.
    Mlsd,
    /// One of those of LIST.
    List(Box<Reader>),
}

impl Entries {
    fn of_mlsd() -> Self {
        Entries { dialect: Dialect::Mlsd, entries: Vec::new(), unknown: None, parent: false }
    }

    fn of_list(now: Moment) -> Self {
        Entries { dialect: Dialect::List(Box::new(Reader::new(now))), ..Entries::of_mlsd() }
    }

    /// What was read, unless there were lines and none of them was understood.
    fn understood(self) -> Result<Vec<Entry>, Error> {
        let lost = match self.dialect {
            Dialect::Mlsd => 0,
            Dialect::List(reader) => reader.finish().unknown,
        };
        if self.entries.is_empty() && lost > 0 {
            let first = shown(&self.unknown.unwrap_or_default());
            let text = format!("the server's listing is in a form that is not understood: {first}");
            return Err(Error::NotUnderstood(text));
        }
        Ok(self.entries)
    }
}

impl Reading for Entries {
    fn line(&mut self, line: &[u8]) -> Result<(), String> {
        let entry = match &mut self.dialect {
            Dialect::Mlsd => {
                mlsx::read_line(line).and_then(|(entry, kind)| (kind == mlsx::MlsKind::Own).then_some(entry))
            }
            Dialect::List(reader) => match reader.line(line) {
                Outcome::Entry(entry) => Some(entry),
                Outcome::Nothing => {
                    self.parent |= line.ends_with(b" ..");
                    None
                }
                Outcome::Unknown => {
                    let first = &line[..line.len().min(200)];
                    self.unknown.get_or_insert_with(|| first.to_vec());
                    None
                }
            },
        };
        if let Some(entry) = entry.filter(|entry| is_a_name(&entry.name)) {
            if self.entries.len() == MOST {
                return Err(too_many());
            }
            // Nobody asks for the others, and in a large folder they would be most of the memory.
            let Entry { name, kind, size, modified, .. } = entry;
            self.entries.push(Entry { modified, ..Entry::new(name, kind, size) });
        }
        Ok(())
    }
}

/// Entries of one folder that are taken at most: a quarter of a gigabyte of memory.
const MOST: usize = 1 << 20;

fn too_many() -> String {
    format!(
        "the folder has more than {MOST} entries, which is more than is taken; ask for what lies in it by its name"
    )
}

/// Whether a path means itself to a server that reads the argument of LIST as a shell would.
fn is_plain(path: &[u8]) -> bool {
    path.iter().all(|b| {
        b.is_ascii_alphanumeric() || matches!(b, b'/' | b'.' | b'-' | b'_' | b'+' | b',' | b'@' | 0x80..)
    }) && path.first() != Some(&b'-')
}

/// A name that stands for something in the folder that was listed, and for nothing elsewhere.
fn is_a_name(name: &[u8]) -> bool {
    !name.is_empty() && name != b"." && name != b".." && !name.contains(&b'/') && !name.contains(&0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_a_shell_would_read_otherwise_is_not_plain() {
        for odd in [&b"a b"[..], b"a*", b"[x]", b"{a,b}", b"~a", b"a\\b", b"-a", b"$a", b"a;b", b"'a'"] {
            assert!(!is_plain(odd));
        }
        assert!(is_plain(b"/pub/a-b_c.d") && is_plain("Grüße".as_bytes()));
    }

    #[test]
    fn a_listed_name_cannot_lead_away() {
        for bad in [&b""[..], b".", b"..", b"a/b", b"/etc", b"a\0"] {
            assert!(!is_a_name(bad));
        }
        assert!(is_a_name(b"..a"));
    }
}
