//! Where the server's certificates come from, and how they are read again when they change: files are looked at now and then,
//! one that was made up is kept in the state folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::Notify;
use tokio::task::JoinSet;
use twoport_certs::acme;
use twoport_certs::{Facts, Pem};
use twoport_net::tls::trust::write_fingerprint;
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
    /// Had by ACME and renewed in time; made up until there is one.
    Acme {
        /// What is asked of whom.
        settings: Box<acme::Settings>,
        /// The state folder.
        folder: PathBuf,
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
            Source::Acme { settings, folder } => match acme::kept(settings) {
                Some(pem) => of_pem(&pem),
                None => made_up(folder, &settings.names),
            },
            Source::MadeUp { folder, names } => made_up(folder, names),
        }
    }

    /// Reads it as [`Source::load`] does, for what it says; nothing where it is made up when the server starts.
    ///
    /// # Errors
    /// A sentence with the name of the file.
    pub fn known(&self) -> Result<Option<Known>, String> {
        match self {
            Source::MadeUp { .. } => return Ok(None),
            Source::Acme { settings, .. } => {
                settings.check().map_err(|e| format!("acme: {e}"))?;
                if acme::kept(settings).is_none() {
                    return Ok(None);
                }
            }
            Source::Files { .. } => {}
        }
        let facts = Facts::of_der(self.load()?.certificate()).map_err(|e| e.to_string())?;
        Ok(Some(Known { facts, made_up: false }))
    }

    /// When the files were changed last.
    fn changed(&self) -> Vec<Option<SystemTime>> {
        let time = |path: &Path| fs::metadata(path).and_then(|found| found.modified()).ok();
        match self {
            Source::Files { certificate, key } => vec![time(certificate), time(key)],
            Source::Acme { .. } | Source::MadeUp { .. } => Vec::new(),
        }
    }
}

fn made_up(folder: &Path, names: &[String]) -> Result<Identity, String> {
    // What no certificate can be for, such as all names below one, is no name for this one.
    let names: Vec<String> = names.iter().filter(|name| !name.contains('*')).cloned().collect();
    let names = if names.is_empty() { vec!["localhost".to_owned()] } else { names };
    of_pem(&twoport_certs::made_up(folder, &names).map_err(|e| e.to_string())?)
}

fn of_pem(pem: &Pem) -> Result<Identity, String> {
    Identity::read(&pem.chain, &pem.key)
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
        let made_up = facts.self_signed && !matches!(source, Some(Source::Files { .. }));
        Some(Known { facts, made_up })
    })
    .collect()
}

/// Keeps the certificates of a server as they should be, for as long as it runs: whoever renews a file need not tell us, and
/// what is had by ACME is renewed in time. Sessions that are there notice nothing.
pub(crate) async fn keep(current: impl Fn() -> Option<(Vec<Source>, Identities)>, changed: Arc<Notify>) {
    let look = |sources: &[Source]| sources.iter().map(Source::changed).collect::<Vec<_>>();
    let (mut sources, mut before): (Vec<Source>, Vec<Vec<Option<SystemTime>>>) = (Vec::new(), Vec::new());
    let mut renewals = JoinSet::new();
    loop {
        if let Some((wanted, identities)) = current() {
            if wanted != sources {
                // The settings are others, and the certificates were read with them.
                before = look(&wanted);
                renewals = renew(&wanted, &identities);
                sources = wanted;
            } else if look(&sources) != before {
                // A file that is being written is looked at again.
                match load(&sources) {
                    Ok(renewed) => {
                        before = look(&sources);
                        tell(&renewed);
                        identities.change(renewed);
                    }
                    Err(why) => {
                        tracing::warn!(
                            "a certificate was changed and is not taken, the one before stays: {why}"
                        );
                    }
                }
            }
        }
        tokio::select! {
            () = tokio::time::sleep(OFTEN) => {}
            () = changed.notified() => {}
            Some(_) = renewals.join_next() => {}
        }
    }
}

/// A task for each certificate that is had by ACME.
fn renew(sources: &[Source], identities: &Identities) -> JoinSet<()> {
    let mut renewals = JoinSet::new();
    for source in sources {
        let Source::Acme { settings, .. } = source else { continue };
        let (all, identities) = (sources.to_vec(), identities.clone());
        let new = move |_: Pem| match load(&all) {
            Ok(renewed) => {
                tell(&renewed);
                identities.change(renewed);
            }
            Err(why) => tracing::error!("the renewed certificate is not taken, the one before stays: {why}"),
        };
        let heard = |notice: acme::Notice| match notice {
            acme::Notice::Failed { .. } => tracing::warn!("{notice}"),
            notice => tracing::info!("{notice}"),
        };
        let settings = settings.clone();
        renewals.spawn(async move {
            acme::keep_renewed(*settings, new, heard).await;
        });
    }
    renewals
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
    format!("for {names}, SHA-256 {}", write_fingerprint(&facts.fingerprint))
}
