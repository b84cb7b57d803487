//! What is kept of ACME: for each directory a folder with the account, and the certificate of each set of names.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use instant_acme::AccountCredentials;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::Settings;
use crate::facts::Facts;
use crate::pem::{self, Pem};
use crate::{Error, names};

/// Where things lie.
pub(super) struct Shelf {
    folder: PathBuf,
    account: PathBuf,
    certificate: PathBuf,
}

/// The account as it is kept.
#[derive(Serialize, Deserialize)]
pub(super) struct KeptAccount {
    /// The addresses that the CA was told last.
    pub(super) contact: Vec<String>,
    /// The library's part: the account's URL and its key.
    pub(super) credentials: AccountCredentials,
}

impl Shelf {
    /// The place of these settings. A certificate of a CA for tests must not be taken for one of the real CA, so each
    /// directory has its folder.
    pub(super) fn of(settings: &Settings) -> Shelf {
        let folder = settings.folder.join(folder_name(&settings.directory));
        let certificate = folder.join(file_name(&settings.names));
        Shelf { account: folder.join("account.json"), certificate, folder }
    }

    /// The certificate that is kept and still holds, with what it says. One whose time has not yet begun counts: it is the
    /// clock of this machine that is behind.
    pub(super) fn certificate(&self, settings: &Settings, now: SystemTime) -> Option<(Pem, Facts)> {
        let (pem, facts) = Pem::of_one_text(&fs::read(&self.certificate).ok()?).ok()?;
        (now <= facts.not_after && is_for(&facts, &settings.names)).then_some((pem, facts))
    }

    /// Keeps a certificate in the place of the one before.
    pub(super) fn keep_certificate(&self, pem: &Pem) -> Result<(), Error> {
        self.keep(&self.certificate, &pem.one_text())
    }

    /// The account, when there is one.
    pub(super) fn account(&self) -> Result<Option<KeptAccount>, Error> {
        match fs::read(&self.account) {
            Ok(text) => serde_json::from_slice(&text).map(Some).map_err(|e| Error::NotOurs {
                path: self.account.clone(),
                why: format!("it is no account of ACME: {e}"),
            }),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(Error::reading(&self.account, e)),
        }
    }

    /// Keeps the account.
    pub(super) fn keep_account(&self, account: &KeptAccount) -> Result<(), Error> {
        let text = serde_json::to_vec(account).expect("texts and bytes can be written as JSON");
        self.keep(&self.account, &text)
    }

    /// Whether anything can be kept: better known before the CA is asked than after.
    pub(super) fn make(&self) -> Result<(), Error> {
        pem::make_folder(&self.folder).map_err(|e| Error::writing(&self.folder, e))
    }

    fn keep(&self, path: &Path, text: &[u8]) -> Result<(), Error> {
        self.make()?;
        pem::replace(path, text).map_err(|e| Error::writing(path, e))
    }
}

/// Whether a certificate is for all of these names.
pub(super) fn is_for(facts: &Facts, names: &[String]) -> bool {
    let there: Vec<String> = facts.names.iter().map(|name| names::plain(name)).collect();
    names.iter().all(|name| there.contains(&names::plain(name)))
}

/// `https://ca.example:14000/dir` as `ca.example-14000-dir`.
fn folder_name(directory: &str) -> String {
    let rest = directory.strip_prefix("https://").unwrap_or(directory);
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' };
    // No dot in front: neither `..` nor a hidden folder.
    format!("ca-{}", rest.chars().take(100).map(plain).collect::<String>())
}

/// The first name, for people, and the digest of all of them.
fn file_name(names: &[String]) -> String {
    let mut all: Vec<String> = names.iter().map(|name| names::plain(name)).collect();
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '.' || c == '-' { c } else { '_' };
    let first: String =
        all.first().map(|name| name.chars().take(100).map(plain).collect()).unwrap_or_default();
    all.sort();
    let digest = Sha256::digest(all.join("\n"));
    let digest: String = digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    format!("{first}-{digest}.pem")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_directory_gives_a_name_that_stays_in_the_folder() {
        assert_eq!(folder_name("https://ca.example:14000/dir"), "ca-ca.example-14000-dir");
        assert_eq!(folder_name("https://../../etc"), "ca-..-..-etc");
        assert_eq!(folder_name(&format!("https://{}", "ä".repeat(300))).len(), 103);
    }

    #[test]
    fn names_in_another_order_are_the_same_certificate() {
        let (one, two) = (file_name(&names(&["a.x", "B.x"])), file_name(&names(&["A.x.", "b.x"])));
        assert_eq!(one, two);
        assert_eq!(one.split_once('-').unwrap().0, "a.x");
        assert_eq!(
            one.rsplit_once('-').unwrap().1,
            file_name(&names(&["b.x", "a.x"])).rsplit_once('-').unwrap().1
        );
        assert_ne!(one, file_name(&names(&["a.x"])));
        assert!(file_name(&names(&["*.x/../y"])).starts_with("_.x_.._y-"));
    }
}
