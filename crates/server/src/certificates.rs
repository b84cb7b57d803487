//! Where the server's certificates come from, and how they are read again when they change: files are looked at now and then,
//! one that was made up is kept in the state folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use twoport_certs::{Facts, fingerprint_text};
use twoport_net::tls::{Identities, Identity};

/// One certificate with its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Two files in PEM: the chain, the server's own certificate first, and the key. They may be the same file.
    Files {
        /// The chain.
        certificate: PathBuf,
        /// The key.
        key: PathBuf,
    },
    /// Made up for these names when there is none yet, and kept in this folder.
    MadeUp {
        /// The state folder.
        folder: PathBuf,
        /// Names and addresses that it is for.
        names: Vec<String>,
    },
}

/// A certificate as it was read: what it says, and whether it was made up here.
#[derive(Debug, Clone)]
pub struct Known {
    /// What it says.
    pub facts: Facts,
    /// Whether nobody but this server vouches for it.
    pub made_up: bool,
}

/// How often files are looked at.
const OFTEN: Duration = Duration::from_secs(60);

impl Source {
    /// Reads it.
    ///
    /// # Errors
    /// A sentence with the name of the file.
    pub fn load(&self) -> Result<Identity, String> {
        match self {
            Source::Files { certificate, key } => {
                let identity = Identity::read(&read(certificate)?, &read(key)?);
                identity.map_err(|why| {
                    format!(
                        "the certificate {} with the key {} cannot be used: {why}",
                        certificate.display(),
                        key.display()
                    )
                })
            }
            Source::MadeUp { folder, names } => {
                let pem = twoport_certs::made_up(folder, names).map_err(|e| e.to_string())?;
                Identity::read(&pem.chain, &pem.key)
            }
        }
    }

    /// Reads it as [`Source::load`] does, for what it says; nothing where it is made up when the server starts.
    ///
    /// # Errors
    /// A sentence with the name of the file.
    pub fn known(&self) -> Result<Option<Known>, String> {
        if matches!(self, Source::MadeUp { .. }) {
            return Ok(None);
        }
        let facts = Facts::of_der(self.load()?.certificate()).map_err(|e| e.to_string())?;
        Ok(Some(Known { facts, made_up: false }))
    }

    /// When the files were changed last.
    fn changed(&self) -> Vec<Option<SystemTime>> {
        let time = |path: &Path| fs::metadata(path).and_then(|found| found.modified()).ok();
        match self {
            Source::Files { certificate, key } => vec![time(certificate), time(key)],
            Source::MadeUp { .. } => Vec::new(),
        }
    }
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|e| format!("{} cannot be read: {e}", path.display()))
}

/// Reads all of them.
///
/// # Errors
/// At the first that cannot be read.
pub(crate) fn load(sources: &[Source]) -> Result<Vec<Identity>, String> {
    sources.iter().map(Source::load).collect()
}

/// What the certificates say that are in use.
#[must_use]
pub(crate) fn known(identities: &Identities, sources: &[Source]) -> Vec<Known> {
    let all = identities.all();
    let said = all.iter().zip(sources.iter().map(Some).chain(std::iter::repeat(None)));
    said.filter_map(|(identity, source)| {
        let facts = Facts::of_der(identity.certificate()).ok()?;
        Some(Known { facts, made_up: matches!(source, Some(Source::MadeUp { .. })) })
    })
    .collect()
}

/// Looks at the files now and then, for as long as the server runs: whoever renews a certificate need not tell us.
pub(crate) async fn watch(sources: Vec<Source>, identities: Identities) {
    let look = |sources: &[Source]| sources.iter().map(Source::changed).collect::<Vec<_>>();
    let mut before = look(&sources);
    loop {
        tokio::time::sleep(OFTEN).await;
        let now = look(&sources);
        if now == before {
            continue;
        }
        // A file that is being written is looked at again.
        match load(&sources) {
            Ok(renewed) => {
                before = now;
                tell(&renewed);
                identities.change(renewed);
            }
            Err(why) => {
                tracing::warn!("a certificate was changed and is not taken, the one before stays: {why}")
            }
        }
    }
}

/// Says which certificates are in use from now on.
pub(crate) fn tell(identities: &[Identity]) {
    for identity in identities {
        if let Ok(facts) = Facts::of_der(identity.certificate()) {
            tracing::info!("new sessions are shown the certificate {}", shown(&facts));
        }
    }
}

/// A certificate in a line.
#[must_use]
pub fn shown(facts: &Facts) -> String {
    let names = if facts.names.is_empty() {
        facts.common_name.clone().unwrap_or_default()
    } else {
        facts.names.join(", ")
    };
    format!("for {names}, SHA-256 {}", fingerprint_text(&facts.fingerprint))
}
