//! `KnownHosts`: which certificate a server has shown before, so that another one is noticed. A small text file, one line a
//! server: host, port, SHA-256. A line that makes no sense is kept as it is: whoever wrote it may have had a reason.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use twoport_net::tls::trust::{read_fingerprint, write_fingerprint};

use crate::memory;

/// The file, as far as it matters for one server at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownHosts {
    path: PathBuf,
}

/// How much of the file is read, in bytes.
const LONGEST: u64 = 4 << 20;

impl KnownHosts {
    /// The file at `path`, which need not be there.
    #[must_use]
    pub fn at(path: impl Into<PathBuf>) -> Self {
        KnownHosts { path: path.into() }
    }

    /// The user's own: `$XDG_STATE_HOME/twoport/known_hosts`, else `~/.local/state/twoport/known_hosts`.
    #[must_use]
    pub fn of_the_user() -> Option<Self> {
        memory::default_path().map(|roads| KnownHosts::at(roads.with_file_name("known_hosts")))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The SHA-256 of the certificate that this server has shown before.
    ///
    /// # Errors
    /// When there is a file and it cannot be read: then nobody knows, and it must not pass for a first sight.
    pub fn get(&self, host: &str, port: u16) -> io::Result<Option<[u8; 32]>> {
        let text = self.read()?;
        Ok(text
            .lines()
            .filter_map(read_line)
            .find(|(name, at, _)| is(name, *at, host, port))
            .map(|(.., pin)| pin))
    }

    /// Remembers what this server shows, in place of `before`, which is what it had shown as far as the caller knew. Another
    /// program or session may have met it meanwhile: then that stays, and is given.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn put(
        &self,
        host: &str,
        port: u16,
        before: Option<[u8; 32]>,
        shown: &[u8; 32],
    ) -> io::Result<Option<[u8; 32]>> {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        if !folder.as_os_str().is_empty() {
            DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        // Two programs that meet two servers at the same time: one after the other.
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(self.path.with_file_name(".known_hosts.lock"))?;
        flock(&lock, FlockOperation::LockExclusive)?;
        let now = self.get(host, port)?;
        if now.is_some() && now != before {
            return Ok(now);
        }
        let mut text = String::new();
        for line in self.read()?.lines() {
            let same = read_line(line).is_some_and(|(name, at, _)| is(name, at, host, port));
            if !same {
                text.push_str(line);
                text.push('\n');
            }
        }
        text.push_str(&format!("{} {port} {}\n", host.to_ascii_lowercase(), write_fingerprint(shown)));
        let working = self.path.with_file_name(format!(".known_hosts-{}", std::process::id()));
        let mut file =
            OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&working)?;
        let written = file.write_all(text.as_bytes()).and_then(|()| fs::rename(&working, &self.path));
        if written.is_err() {
            let _ = fs::remove_file(&working);
        }
        written.map(|()| None)
    }

    fn read(&self) -> io::Result<String> {
        let mut text = Vec::new();
        match File::open(&self.path) {
            Ok(file) => file.take(LONGEST).read_to_end(&mut text)?,
            Err(e) if e.kind() == io::ErrorKind::NotFound => 0,
            Err(e) => return Err(e),
        };
        Ok(String::from_utf8_lossy(&text).into_owned())
    }
}

fn read_line(line: &str) -> Option<(&str, u16, [u8; 32])> {
    let mut words = line.split_whitespace();
    let (host, port, pin) = (words.next()?, words.next()?.parse().ok()?, read_fingerprint(words.next()?)?);
    words.next().is_none().then_some((host, port, pin))
}

fn is(name: &str, at: u16, host: &str, port: u16) -> bool {
    at == port && name.eq_ignore_ascii_case(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_seen_is_known_and_the_rest_of_the_file_stays() {
        let folder = tempfile::tempdir().unwrap();
        let known = KnownHosts::at(folder.path().join("a/known_hosts"));
        assert_eq!(known.get("h", 21).unwrap(), None);
        assert_eq!(known.put("H.example.org", 21, None, &[1; 32]).unwrap(), None);
        known.put("h.example.org", 990, None, &[2; 32]).unwrap();
        fs::write(known.path(), fs::read_to_string(known.path()).unwrap() + "# mine\nodd\n").unwrap();
        // Somebody who did not know of the first one does not replace it.
        assert_eq!(known.put("h.example.org", 21, None, &[3; 32]).unwrap(), Some([1; 32]));
        assert_eq!(known.put("h.EXAMPLE.org", 21, Some([1; 32]), &[3; 32]).unwrap(), None);
        assert_eq!(known.get("h.example.org", 21).unwrap(), Some([3; 32]));
        assert_eq!(known.get("h.example.org", 990).unwrap(), Some([2; 32]));
        let text = fs::read_to_string(known.path()).unwrap();
        assert_eq!(text.lines().count(), 4, "{text}");
        assert!(text.contains("# mine\nodd\n"), "{text}");
    }

    #[test]
    fn a_file_that_cannot_be_read_is_no_first_sight() {
        let folder = tempfile::tempdir().unwrap();
        assert!(KnownHosts::at(folder.path()).get("h", 21).is_err());
    }

    #[test]
    fn programs_that_write_at_once_lose_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let known = KnownHosts::at(folder.path().join("known_hosts"));
        std::thread::scope(|scope| {
            for port in 1..=8 {
                let known = &known;
                scope.spawn(move || assert_eq!(known.put("h", port, None, &[7; 32]).unwrap(), None));
            }
        });
        assert!((1..=8).all(|port| known.get("h", port).unwrap() == Some([7; 32])));
    }
}
