//! `Pem`: a chain and its key as text, and the one file in which both are kept. The file is written whole or not at all.

use std::ffi::OsString;
use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rcgen::PublicKeyData as _;

use crate::facts::{self, Facts};

/// A certificate with its key.
#[derive(Clone, PartialEq, Eq)]
pub struct Pem {
    /// The chain as PEM text, the server's own certificate first.
    pub chain: Vec<u8>,
    /// The private key of that certificate as PEM text.
    pub key: Vec<u8>,
}

/// The key is not shown: what is logged is read by many.
impl fmt::Debug for Pem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let chain = String::from_utf8_lossy(&self.chain);
        f.debug_struct("Pem").field("chain", &chain).field("key", &"(not shown)").finish()
    }
}

impl Pem {
    /// Both in one text, as they are kept.
    pub(crate) fn one_text(&self) -> Vec<u8> {
        let mut text = self.chain.clone();
        if !text.ends_with(b"\n") {
            text.push(b'\n');
        }
        text.extend(&self.key);
        text
    }

    /// What [`Pem::one_text`] wrote, with what its first certificate says. The error tells what is wrong with the text.
    pub(crate) fn of_one_text(text: &[u8]) -> Result<(Pem, Facts), String> {
        let text = str::from_utf8(text).map_err(|_| "it is not PEM text")?;
        let mut pem = Pem { chain: Vec::new(), key: Vec::new() };
        for block in blocks(text) {
            let part = if block.starts_with("-----BEGIN CERTIFICATE-----") {
                &mut pem.chain
            } else if block.lines().next().is_some_and(|line| line.ends_with("PRIVATE KEY-----")) {
                &mut pem.key
            } else {
                continue;
            };
            part.extend(block.as_bytes());
            part.push(b'\n');
        }
        if pem.chain.is_empty() || pem.key.is_empty() {
            return Err("it does not hold a certificate and a private key".to_owned());
        }
        let facts = pem.facts()?;
        Ok((pem, facts))
    }

    /// What the first certificate says, when the key is its key.
    pub(crate) fn facts(&self) -> Result<Facts, String> {
        let facts = Facts::of_pem(&self.chain).map_err(|e| e.to_string())?;
        let key = str::from_utf8(&self.key).map_err(|_| "its key is not PEM text")?;
        let key = rcgen::KeyPair::from_pem(key).map_err(|e| format!("its key cannot be read: {e}"))?;
        if facts::public_key_of_pem(&self.chain).map_err(|e| e.to_string())? != key.subject_public_key_info()
        {
            return Err("its key is not that of its certificate".to_owned());
        }
        Ok(facts)
    }
}

/// The blocks of a PEM text from `-----BEGIN` to the end of the line of `-----END`, without what stands between them.
fn blocks(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let block = &rest[rest.find("-----BEGIN ")?..];
        let end = block.find("-----END ")?;
        let end = block[end..].find('\n').map_or(block.len(), |line| end + line);
        rest = &block[end..];
        Some(block[..end].trim_end())
    })
}

/// Makes a folder that only its owner can look into; one that is there stays as it is.
pub(crate) fn make_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// Writes a file under a working name beside `path`, for its owner only. The text is on the disk when this returns, so
/// that the file that gets the name is never empty, whenever the power goes.
pub(crate) fn write_beside(path: &Path, text: &[u8]) -> io::Result<PathBuf> {
    let (mut file, working) = working_file(path)?;
    match file.write_all(text).and_then(|()| file.sync_all()) {
        Ok(()) => Ok(working),
        Err(e) => {
            let _ = fs::remove_file(&working);
            Err(e)
        }
    }
}

/// A new file beside `path`. A name that is there is left alone, whoever it belongs to: in two containers with one folder
/// the processes may well have the same number.
fn working_file(path: &Path) -> io::Result<(File, PathBuf)> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    loop {
        let mut name = OsString::from(".");
        name.push(path.file_name().unwrap_or_default());
        name.push(format!(".{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed)));
        let working = path.with_file_name(name);
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&working) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            made => return made.map(|file| (file, working)),
        }
    }
}

/// Gives `path` a new content, whatever was there.
pub(crate) fn replace(path: &Path, text: &[u8]) -> io::Result<()> {
    let working = write_beside(path, text)?;
    if let Err(e) = fs::rename(&working, path) {
        let _ = fs::remove_file(&working);
        return Err(e);
    }
    settle(path);
    Ok(())
}

/// Has a new name written to the disk. Best effort: the content is there, and a name that is lost is made again.
pub(crate) fn settle(path: &Path) {
    if let Some(folder) = path.parent()
        && let Ok(folder) = File::open(folder)
    {
        let _ = folder.sync_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::made_up::tests::make;

    #[test]
    fn the_key_is_not_shown() {
        let pem = make();
        let shown = format!("{pem:?}");
        assert!(shown.contains("BEGIN CERTIFICATE"), "{shown}");
        let secret = str::from_utf8(&pem.key).unwrap().lines().nth(1).unwrap();
        assert!(!shown.contains(secret) && !shown.contains("PRIVATE"), "{shown}");
    }

    #[test]
    fn what_is_written_in_one_text_is_read_again() {
        let mut pem = make();
        pem.chain.extend(make().chain);
        assert_eq!(Pem::of_one_text(&pem.one_text()).unwrap().0, pem);
        // Words between the blocks, the key first, and line ends of another system.
        let text = format!(
            "a remark\n{}more\n{}",
            String::from_utf8_lossy(&pem.key),
            String::from_utf8_lossy(&pem.chain)
        );
        assert_eq!(Pem::of_one_text(text.as_bytes()).unwrap().0, pem);
        let (other, facts) = Pem::of_one_text(text.replace('\n', "\r\n").as_bytes()).unwrap();
        assert_eq!((facts, other.facts()), (pem.facts().unwrap(), pem.facts()));
    }

    #[test]
    fn a_key_of_another_certificate_is_noticed() {
        let mixed = Pem { chain: make().chain, key: make().key };
        let why = Pem::of_one_text(&mixed.one_text()).unwrap_err();
        assert_eq!(why, "its key is not that of its certificate");
    }

    #[test]
    fn half_a_text_is_noticed() {
        let pem = make();
        for text in [&pem.chain, &pem.key, &b"garbage".to_vec(), &Vec::new(), &vec![0xff; 9]] {
            assert!(Pem::of_one_text(text).is_err());
        }
        let whole = pem.one_text();
        assert!(Pem::of_one_text(&whole[..whole.len() / 2]).is_err());
        let broken = String::from_utf8(whole).unwrap().replace("MII", "MIJ");
        assert!(Pem::of_one_text(broken.as_bytes()).is_err());
    }

    #[test]
    fn a_working_name_is_gone_when_the_file_has_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.pem");
        for text in [b"one", b"two"] {
            replace(&path, text).unwrap();
            assert_eq!(fs::read(&path).unwrap(), text);
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        // A folder in the place of the file: nothing is left of the attempt.
        fs::create_dir(folder.path().join("b.pem")).unwrap();
        replace(&folder.path().join("b.pem"), b"three").unwrap_err();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}
