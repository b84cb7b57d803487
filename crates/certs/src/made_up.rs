//! The certificate that a server makes up when it is given none. It is made once and kept, so that who has once noted
//! its fingerprint finds it again; several servers that start at one time end up with the same.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::{Duration, SystemTime};

use rcgen::{CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair};

use crate::pem::{self, Pem};
use crate::{Error, names};

/// The certificate in FOLDER/made-up.pem: ECDSA P-256, signed by itself, for ten years. It is made when it is not there or
/// has expired; one that is there is used as it is, also when it is for other names.
///
/// # Errors
/// When the folder cannot be used, when the file holds something else, or when a name cannot stand in a certificate.
pub fn made_up(folder: &Path, names: &[String]) -> Result<Pem, Error> {
    made_up_at(folder, names, SystemTime::now())
}

fn made_up_at(folder: &Path, names: &[String], now: SystemTime) -> Result<Pem, Error> {
    let path = folder.join(FILE);
    for _ in 0..ROUNDS {
        match File::open(&path) {
            Ok(mut file) => match read(&mut file, &path)? {
                (there, last) if now <= last => return Ok(there),
                _ => replace_expired(&file, &path, names, now)?,
            },
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                pem::make_folder(folder).map_err(|e| Error::writing(folder, e))?;
                let text = make(names, now)?.one_text();
                place_first(&path, &text).map_err(|e| Error::writing(&path, e))?;
            }
            Err(e) => return Err(Error::reading(&path, e)),
        }
        // Whoever was first: what lies there now is what all use.
    }
    let source = io::Error::other("it is removed or replaced again and again");
    Err(Error::reading(&path, source))
}

/// What is kept, and the last moment in which it holds.
fn read(file: &mut File, path: &Path) -> Result<(Pem, SystemTime), Error> {
    let mut text = Vec::new();
    file.take(LONGEST).read_to_end(&mut text).map_err(|e| Error::reading(path, e))?;
    match Pem::of_one_text(&text) {
        Ok((there, facts)) => Ok((there, facts.not_after)),
        Err(why) => Err(Error::NotOurs { path: path.to_owned(), why }),
    }
}

/// Puts a file in a place where none is; one that came meanwhile stays.
fn place_first(path: &Path, text: &[u8]) -> io::Result<()> {
    let working = pem::write_beside(path, text)?;
    let placed = match fs::hard_link(&working, path) {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        // A file system without links (vfat): the last one wins, and all read what is there.
        Err(_) => fs::rename(&working, path),
        Ok(()) => Ok(()),
    };
    let _ = fs::remove_file(&working);
    pem::settle(path);
    placed
}

/// Replaces the file that was found expired, unless somebody else has done so: who holds its lock while it still has the
/// name is the one who does it.
fn replace_expired(found: &File, path: &Path, names: &[String], now: SystemTime) -> Result<(), Error> {
    found.lock().map_err(|e| Error::reading(path, e))?;
    let same = |there: fs::Metadata| {
        found.metadata().is_ok_and(|it| (it.dev(), it.ino()) == (there.dev(), there.ino()))
    };
    if fs::metadata(path).is_ok_and(same) {
        let text = make(names, now)?.one_text();
        pem::replace(path, &text).map_err(|e| Error::writing(path, e))?;
    }
    // The lock goes with the file when it is closed.
    Ok(())
}

fn make(names: &[String], now: SystemTime) -> Result<Pem, Error> {
    let first = names::check(names)?;
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name = DistinguishedName::new();
    // X.520 has room for 64 characters; who looks for the host looks at the alternative names.
    let common = if first.len() <= 64 { first } else { "twoport" };
    params.distinguished_name.push(DnType::CommonName, common);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let since_1970 = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    params.not_before = rcgen::date_time_ymd(1970, 1, 1) + since_1970.saturating_sub(DAY);
    params.not_after = params.not_before + 3650 * DAY;
    let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?;
    let made = params.self_signed(&key)?;
    Ok(Pem { chain: made.pem().into_bytes(), key: key.serialize_pem().into_bytes() })
}

/// The file in the folder.
const FILE: &str = "made-up.pem";

/// No more than this is read of it, in bytes: ours have about a thousand.
const LONGEST: u64 = 1 << 20;

/// How often the file is looked at: twice when nobody else is at it.
const ROUNDS: usize = 16;

/// Clocks of clients are behind, some by the hour that a time zone makes.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::BTreeSet;
    use std::os::unix::fs::PermissionsExt as _;
    use std::sync::Barrier;

    use super::*;
    use crate::facts::Facts;

    /// A certificate of its own at each call.
    pub(crate) fn make() -> Pem {
        super::make(&["localhost".to_owned()], SystemTime::now()).unwrap()
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(ToString::to_string).collect()
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn it_says_what_it_was_asked_to_say() {
        let folder = tempfile::tempdir().unwrap();
        let now = SystemTime::now();
        let pem = made_up(folder.path(), &names(&["ftp.example.org", "127.0.0.1", "::1"])).unwrap();
        let facts = Facts::of_pem(&pem.chain).unwrap();
        assert_eq!(facts.names, ["ftp.example.org", "127.0.0.1", "::1"]);
        assert_eq!(facts.common_name.as_deref(), Some("ftp.example.org"));
        assert!(facts.self_signed && facts.holds_at(now));
        assert!(!facts.holds_at(now - DAY - Duration::from_secs(5)));
        assert!(facts.holds_at(now + 3648 * DAY) && !facts.holds_at(now + 3650 * DAY));
        let key = KeyPair::from_pem(str::from_utf8(&pem.key).unwrap()).unwrap();
        assert!(key.is_compatible(&rcgen::PKCS_ECDSA_P256_SHA256));
    }

    #[test]
    fn it_is_kept_for_its_owner_only_and_used_again() {
        let above = tempfile::tempdir().unwrap();
        let folder = above.path().join("deep/er");
        let pem = made_up(&folder, &names(&["one"])).unwrap();
        assert_eq!(mode(&folder), 0o700);
        assert_eq!(mode(&folder.join(FILE)), 0o600);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "a working name is left");
        // Other names do not change it: its fingerprint has been noted.
        assert_eq!(made_up(&folder, &names(&["two"])).unwrap(), pem);
    }

    #[test]
    fn an_expired_one_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let then = SystemTime::now() - 4000 * DAY;
        let old = made_up_at(folder.path(), &names(&["x"]), then).unwrap();
        let new = made_up(folder.path(), &names(&["y"])).unwrap();
        assert_ne!(new, old);
        assert_eq!(Facts::of_pem(&new.chain).unwrap().names, ["y"]);
        assert_eq!(made_up(folder.path(), &names(&["z"])).unwrap(), new);
        assert_eq!(mode(&folder.path().join(FILE)), 0o600);
    }

    #[test]
    fn what_is_not_understood_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        let pem = make();
        let mixed = Pem { chain: pem.chain.clone(), key: make().key };
        for text in [b"garbage".to_vec(), Vec::new(), pem.chain, mixed.one_text()] {
            fs::write(&path, &text).unwrap();
            let said = made_up(folder.path(), &names(&["x"])).unwrap_err().to_string();
            assert!(said.contains("made-up.pem") && said.contains("move it away"), "{said}");
            assert_eq!(fs::read(&path).unwrap(), text);
        }
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        let said = made_up(&file.join("x"), &names(&["x"])).unwrap_err().to_string();
        assert!(said.contains("file/x"), "{said}");
    }

    #[test]
    fn names_that_no_certificate_can_hold_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        for wrong in [&[][..], &[""], &["a", "grüße.example"], &["a b"], &["a\n"]] {
            let said = made_up(folder.path(), &names(wrong)).unwrap_err().to_string();
            assert!(said.contains("cannot stand in a certificate"), "{said}");
        }
        assert!(!folder.path().join(FILE).exists());
        let long = format!("{}.example.org", "a".repeat(60));
        let pem = made_up(folder.path(), std::slice::from_ref(&long)).unwrap();
        let facts = Facts::of_pem(&pem.chain).unwrap();
        assert_eq!((facts.names, facts.common_name.as_deref()), (vec![long], Some("twoport")));
    }

    /// Several at one time, each with a file handle of its own as processes have; they must agree.
    fn all_agree(folder: &Path) -> Pem {
        let start = Barrier::new(8);
        let one = |n: usize| {
            start.wait();
            made_up(folder, &[format!("host-{n}")]).unwrap()
        };
        let got = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|n| scope.spawn(move || one(n))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
        });
        let different: BTreeSet<_> = got.iter().map(|pem| &pem.chain).collect();
        assert_eq!(different.len(), 1);
        assert_eq!(fs::read_dir(folder).unwrap().count(), 1, "a working name is left");
        assert_eq!(fs::read(folder.join(FILE)).unwrap(), got[0].one_text());
        got[0].clone()
    }

    #[test]
    fn who_start_at_one_time_agree() {
        for _ in 0..20 {
            let folder = tempfile::tempdir().unwrap();
            all_agree(&folder.path().join("new"));
        }
    }

    #[test]
    fn who_find_an_expired_one_at_one_time_agree() {
        for _ in 0..20 {
            let folder = tempfile::tempdir().unwrap();
            let then = SystemTime::now() - 4000 * DAY;
            let old = made_up_at(folder.path(), &names(&["x"]), then).unwrap();
            assert_ne!(all_agree(folder.path()), old);
        }
    }
}
