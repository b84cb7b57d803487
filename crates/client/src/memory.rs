//! `Memory`: what worked with a server on this network last time, so that the ladder begins where it ended. A small text
//! file that may be lost at any time: it makes things faster, never possible. Who asks, and when a verdict has stopped
//! working, is left to the caller. It holds no user and no password.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// Which server, seen from where.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    host: String,
    port: u16,
    network: String,
}

/// What worked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// How the data connection came about.
    pub way: Way,
    /// Whether the server bears commands sent before the last one is answered, where that was tried.
    pub pipelining: Option<bool>,
    /// The largest segment that got through on the path, in bytes, where larger ones vanished.
    pub mss: Option<u16>,
    /// Whether TLS had to be held at 1.2.
    pub tls12: bool,
    /// How many sessions the server takes from us at once, where it has said so.
    pub connections: Option<u16>,
    /// When this was last seen, in seconds since 1970.
    pub time: u64,
}

/// A way to a data connection, with its name in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Way {
    /// EPSV.
    Epsv,
    /// PASV, to the address that 227 told.
    Pasv,
    /// PASV, to the address of the control connection.
    PasvControl,
    /// EPRT.
    Eprt,
    /// PORT.
    Port,
    /// PORT with a port that the router gave.
    Mapped,
    /// PORT, and a simultaneous open.
    Crossing,
}

/// The verdicts of one user. Changes are kept apart until [`Memory::save`], which brings them into whatever the file holds
/// by then: two programs that run at once both keep what they learned.
#[derive(Debug)]
pub struct Memory {
    path: PathBuf,
    known: BTreeMap<Key, Verdict>,
    /// `None` is forgotten.
    changed: BTreeMap<Key, Option<Verdict>>,
}

impl Key {
    /// The server `host` at `port`, as it is reached from `network`: any text that is the same when we are in the same
    /// place again, such as our own prefix or the router's address.
    #[must_use]
    pub fn new(host: &str, port: u16, network: &str) -> Self {
        Key { host: host.to_ascii_lowercase(), port, network: network.to_owned() }
    }
}

impl Way {
    /// Its name in the file.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Way::Epsv => "epsv",
            Way::Pasv => "pasv",
            Way::PasvControl => "pasv-control",
            Way::Eprt => "eprt",
            Way::Port => "port",
            Way::Mapped => "mapped",
            Way::Crossing => "crossing",
        }
    }

    /// The way of that name.
    #[must_use]
    pub fn read(name: &str) -> Option<Way> {
        [Way::Epsv, Way::Pasv, Way::PasvControl, Way::Eprt, Way::Port, Way::Mapped, Way::Crossing]
            .into_iter()
            .find(|way| way.name() == name)
    }
}

impl Memory {
    /// Reads the file at `path`. One that is missing or makes no sense is an empty memory; a line that makes none is passed
    /// over.
    #[must_use]
    pub fn load(path: &Path) -> Memory {
        Memory { path: path.to_owned(), known: read_file(path), changed: BTreeMap::new() }
    }

    /// What is known of this server here.
    #[must_use]
    pub fn get(&self, key: &Key) -> Option<Verdict> {
        self.known.get(key).copied()
    }

    /// Remembers this, in place of what was known.
    pub fn put(&mut self, key: Key, verdict: Verdict) {
        self.known.insert(key.clone(), verdict);
        self.changed.insert(key, Some(verdict));
    }

    /// It has stopped working.
    pub fn forget(&mut self, key: &Key) {
        self.known.remove(key);
        self.changed.insert(key.clone(), None);
    }

    /// Whether there is something to save.
    #[must_use]
    pub fn is_changed(&self) -> bool {
        !self.changed.is_empty()
    }

    /// Writes what has changed, if anything has: the file is replaced in one step, readable by its user only, and holds the
    /// [`MOST`] youngest verdicts.
    ///
    /// # Errors
    /// When the folder or the file cannot be made. Nobody needs to stop for that.
    pub fn save(&mut self) -> io::Result<()> {
        if !self.is_changed() {
            return Ok(());
        }
        let mut all = read_file(&self.path);
        for (key, verdict) in &self.changed {
            match verdict {
                Some(verdict) => all.insert(key.clone(), *verdict),
                None => all.remove(key),
            };
        }
        keep_youngest(&mut all);
        replace(&self.path, &write(&all))?;
        self.known = all;
        self.changed.clear();
        Ok(())
    }
}

/// Where the file is: `$XDG_STATE_HOME/twoport/roads`, else `~/.local/state/twoport/roads`.
#[must_use]
pub fn default_path() -> Option<PathBuf> {
    path_from(std::env::var_os("XDG_STATE_HOME"), std::env::var_os("HOME"))
}

/// A relative folder is no folder (XDG Base Directory Specification).
fn path_from(state: Option<OsString>, home: Option<OsString>) -> Option<PathBuf> {
    let folder = |value: Option<OsString>| value.map(PathBuf::from).filter(|path| path.is_absolute());
    let state = folder(state).or_else(|| folder(home).map(|home| home.join(".local/state")))?;
    Some(state.join("twoport/roads"))
}

fn read_file(path: &Path) -> BTreeMap<Key, Verdict> {
    let mut text = Vec::new();
    let read = File::open(path).and_then(|file| file.take(LONGEST).read_to_end(&mut text));
    match (read, String::from_utf8(text)) {
        (Ok(_), Ok(text)) => read_text(&text),
        _ => BTreeMap::new(),
    }
}

fn read_text(text: &str) -> BTreeMap<Key, Verdict> {
    let mut lines = text.lines();
    if lines.next() != Some(HEADER) {
        return BTreeMap::new();
    }
    let mut all = lines.filter_map(read_line).collect();
    keep_youngest(&mut all);
    all
}

fn read_line(line: &str) -> Option<(Key, Verdict)> {
    let mut fields = line.split('\t');
    let mut next = || fields.next();
    let key = Key { host: unescape(next()?)?, port: next()?.parse().ok()?, network: unescape(next()?)? };
    let verdict = Verdict {
        way: Way::read(next()?)?,
        pipelining: read_answer(next()?)?,
        mss: read_number(next()?)?,
        tls12: read_flag(next()?)?,
        connections: read_number(next()?)?,
        time: next()?.parse().ok()?,
    };
    next().is_none().then_some((key, verdict))
}

fn read_flag(text: &str) -> Option<bool> {
    match text {
        "yes" => Some(true),
        "no" => Some(false),
        _ => None,
    }
}

fn read_answer(text: &str) -> Option<Option<bool>> {
    if text == "-" { Some(None) } else { read_flag(text).map(Some) }
}

fn read_number(text: &str) -> Option<Option<u16>> {
    if text == "-" { Some(None) } else { text.parse().ok().map(Some) }
}

fn write(all: &BTreeMap<Key, Verdict>) -> String {
    let flag = |yes| if yes { "yes" } else { "no" };
    let number = |n: Option<u16>| n.map_or("-".to_owned(), |n| n.to_string());
    let mut text = format!("{HEADER}\n");
    for (key, verdict) in all {
        let fields = [
            escape(&key.host),
            key.port.to_string(),
            escape(&key.network),
            verdict.way.name().to_owned(),
            verdict.pipelining.map_or("-", flag).to_owned(),
            number(verdict.mss),
            flag(verdict.tls12).to_owned(),
            number(verdict.connections),
            verdict.time.to_string(),
        ];
        text.push_str(&fields.join("\t"));
        text.push('\n');
    }
    text
}

/// Keeps a text within its field: control characters and the backslash become `\{HEX}`.
fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() || c == '\\' {
            safe.push_str(&format!("\\{{{:x}}}", u32::from(c)));
        } else {
            safe.push(c);
        }
    }
    safe
}

fn unescape(text: &str) -> Option<String> {
    let mut parts = text.split('\\');
    let mut plain = parts.next()?.to_owned();
    for part in parts {
        let (code, behind) = part.strip_prefix('{')?.split_once('}')?;
        plain.push(char::from_u32(u32::from_str_radix(code, 16).ok()?)?);
        plain.push_str(behind);
    }
    Some(plain)
}

fn keep_youngest(all: &mut BTreeMap<Key, Verdict>) {
    if all.len() > MOST {
        let mut ages: Vec<(u64, Key)> =
            all.iter().map(|(key, verdict)| (verdict.time, key.clone())).collect();
        ages.sort_unstable();
        for (_, key) in &ages[..all.len() - MOST] {
            all.remove(key);
        }
    }
}

/// Puts a new file in the place of the old one. A crash in between leaves the old one.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let folder = path.parent().unwrap_or(Path::new(""));
    if !folder.as_os_str().is_empty() {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let fresh = folder.join(format!(".roads-{}-{count}", std::process::id()));
    // Of a process that had our number and died.
    let _ = fs::remove_file(&fresh);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
    let written = file.write_all(text.as_bytes()).and_then(|()| fs::rename(&fresh, path));
    if written.is_err() {
        let _ = fs::remove_file(&fresh);
    }
    written
}

/// How many verdicts are kept.
pub const MOST: usize = 500;

/// The first line of the file; another number is another format.
const HEADER: &str = "twoport roads 1";

/// How much of the file is read, in bytes: far more than [`MOST`] lines with the longest host names.
const LONGEST: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn verdict(time: u64) -> Verdict {
        Verdict {
            way: Way::PasvControl,
            pipelining: Some(true),
            mss: Some(1360),
            tls12: false,
            connections: None,
            time,
        }
    }

    fn key(host: &str) -> Key {
        Key::new(host, 21, "192.0.2.0/24 via 192.0.2.1")
    }

    #[test]
    fn what_was_saved_is_known_the_next_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b/roads");
        let mut memory = Memory::load(&path);
        assert_eq!(memory.get(&key("h")), None);
        memory.save().unwrap();
        assert!(!path.exists(), "nothing changed, nothing is written");
        memory.put(key("H"), verdict(1));
        let other = Verdict { way: Way::Port, mss: None, tls12: true, connections: Some(8), ..verdict(2) };
        memory.put(key("odd\thost\n\\{9}é\u{85}"), other);
        memory.save().unwrap();
        assert!(!memory.is_changed());
        let again = Memory::load(&path);
        assert_eq!(again.get(&key("h")), Some(verdict(1)));
        assert_eq!(again.get(&key("odd\thost\n\\{9}é\u{85}")), Some(other));
        assert_eq!(again.get(&Key::new("h", 990, "192.0.2.0/24 via 192.0.2.1")), None);
        assert_eq!(again.get(&Key::new("h", 21, "elsewhere")), None);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn what_stopped_working_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("roads");
        let mut memory = Memory::load(&path);
        memory.put(key("h"), verdict(1));
        memory.save().unwrap();
        let mut memory = Memory::load(&path);
        memory.forget(&key("h"));
        assert_eq!(memory.get(&key("h")), None);
        memory.save().unwrap();
        assert_eq!(Memory::load(&path).get(&key("h")), None);
    }

    #[test]
    fn two_programs_at_once_both_keep_what_they_learned() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("roads");
        let (mut one, mut two) = (Memory::load(&path), Memory::load(&path));
        one.put(key("one"), verdict(1));
        two.put(key("two"), verdict(2));
        one.save().unwrap();
        two.save().unwrap();
        let memory = Memory::load(&path);
        assert!(memory.get(&key("one")).is_some() && memory.get(&key("two")).is_some());
    }

    #[test]
    fn the_oldest_go_first() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("roads");
        let mut memory = Memory::load(&path);
        for n in 0..600u64 {
            memory.put(key(&format!("h{n}")), verdict(1000 - n));
        }
        memory.save().unwrap();
        let memory = Memory::load(&path);
        assert_eq!(memory.known.len(), MOST);
        assert!(memory.get(&key("h499")).is_some() && memory.get(&key("h500")).is_none());
    }

    #[test]
    fn a_file_that_makes_no_sense_is_empty_and_gets_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("roads");
        let good = "h\t21\tn\tepsv\tno\t-\tno\t-\t7";
        for text in ["", "\u{0}\u{1}", "twoport roads 2\n", good] {
            fs::write(&path, text).unwrap();
            assert!(Memory::load(&path).known.is_empty(), "{text:?}");
        }
        fs::write(&path, b"twoport roads 1\n\xFF\xFE").unwrap();
        let mut memory = Memory::load(&path);
        assert!(memory.known.is_empty());
        memory.put(key("h"), verdict(1));
        memory.save().unwrap();
        assert_eq!(Memory::load(&path).known.len(), 1);
    }

    #[test]
    fn a_line_that_makes_no_sense_is_passed_over() {
        let good = "h\t21\tn\tepsv\tno\t-\tno\t-\t7";
        let mut text = format!("{HEADER}\n{good}\n");
        for bad in [
            "",
            "h\t21",
            "h\t21\tn\tteleport\tno\t-\tno\t-\t7",
            "i\t66000\tn\tepsv\tno\t-\tno\t-\t7",
            "i\t21\tn\tepsv\tperhaps\t-\tno\t-\t7",
            "i\t21\tn\tepsv\tno\t-\tno\t-\t7\tmore",
            "i\\{110000}\t21\tn\tepsv\tno\t-\tno\t-\t7",
            "i\\x\t21\tn\tepsv\tno\t-\tno\t-\t7",
            "i\t21\tn\tepsv\tno\t-1\tno\t-\t7",
        ] {
            text.push_str(bad);
            text.push('\n');
        }
        let all = read_text(&text);
        assert_eq!(all.keys().collect::<Vec<_>>(), [&Key::new("h", 21, "n")]);
    }

    #[test]
    fn every_way_has_a_name() {
        for way in [Way::Epsv, Way::Port, Way::Mapped, Way::Crossing] {
            assert_eq!(Way::read(way.name()), Some(way));
        }
        assert_eq!(Way::read("EPSV"), None);
    }

    #[test]
    fn the_file_lies_in_the_state_folder() {
        let path = |state: &str, home: &str| path_from(Some(state.into()), Some(home.into()));
        assert_eq!(path("/s", "/h"), Some("/s/twoport/roads".into()));
        assert_eq!(path("", "/h"), Some("/h/.local/state/twoport/roads".into()));
        assert_eq!(path("relative", "/h"), Some("/h/.local/state/twoport/roads".into()));
        assert_eq!(path_from(None, None), None);
    }
}
