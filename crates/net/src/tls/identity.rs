//! `Identity`: a certificate with its key, read from PEM. `Identities`: those of a server, one of them chosen for each
//! handshake by the name that the client wants.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::client::verify_server_name;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::{ClientHello, ParsedCertificate, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::provider;

/// A chain of certificates, the end entity's first, and the private key that belongs to it.
#[derive(Clone)]
pub struct Identity {
    key: Arc<CertifiedKey>,
}

impl Identity {
    /// Reads a chain and a key in PEM.
    ///
    /// # Errors
    /// A few words for what does not fit.
    pub fn read(chain: &[u8], key: &[u8]) -> Result<Identity, String> {
        let certificates = certificates(chain)?;
        let key = PrivateKeyDer::from_pem_slice(key)
            .map_err(|_| "no private key in PEM stands there (without a pass phrase)".to_owned())?;
        let key = CertifiedKey::from_der(certificates, key, &provider()).map_err(|e| match e {
            rustls::Error::InconsistentKeys(_) => {
                "the key does not belong to the first certificate".to_owned()
            }
            e => e.to_string(),
        })?;
        Ok(Identity { key: Arc::new(key) })
    }

    /// The end entity's certificate in DER.
    #[must_use]
    pub fn certificate(&self) -> &[u8] {
        self.key.cert.first().map_or(&[], AsRef::as_ref)
    }

    /// The key and chain, for the client's end of a handshake.
    pub(super) fn certified(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.key)
    }

    /// Whether it is a certificate for this host.
    fn is_for(&self, name: &str) -> bool {
        let Ok(name) = ServerName::try_from(name) else { return false };
        let parsed = self.key.cert.first().and_then(|end| ParsedCertificate::try_from(end).ok());
        parsed.is_some_and(|end| verify_server_name(&end, &name).is_ok())
    }
}

/// The key is not for anybody's eyes.
impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({} certificates)", self.key.cert.len())
    }
}

/// The certificates of a PEM text.
pub(super) fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        _ => Err("no certificate in PEM stands there".to_owned()),
    }
}

/// The identities of a server. They can be changed while it runs: handshakes that come take the new ones, and sessions that
/// are there notice nothing.
#[derive(Debug, Clone)]
pub struct Identities {
    current: Arc<RwLock<Arc<Vec<Identity>>>>,
}

impl Identities {
    /// These; the first is for clients that want no name, or one that no certificate is for.
    #[must_use]
    pub fn new(identities: Vec<Identity>) -> Self {
        Identities { current: Arc::new(RwLock::new(Arc::new(identities))) }
    }

    /// These from now on.
    pub fn change(&self, identities: Vec<Identity>) {
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(identities);
    }

    /// All of them.
    #[must_use]
    pub fn all(&self) -> Arc<Vec<Identity>> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn choose(&self, name: Option<&str>) -> Option<Identity> {
        let all = self.all();
        let named = name.and_then(|name| all.iter().find(|identity| identity.is_for(name)));
        named.or_else(|| all.first()).cloned()
    }
}

/// Chooses for one handshake.
#[derive(Debug, Clone)]
pub(super) struct Chooser {
    pub(super) identities: Identities,
    /// The names that this server goes by; any when empty.
    pub(super) hosts: Arc<Vec<String>>,
    /// What HOST has said, for a client that wants no name in its handshake (RFC 7151).
    pub(super) host: Option<String>,
}

impl ResolvesServerCert for Chooser {
    /// A name that is not ours ends the handshake: whoever was sent here was meant for somebody else (alpaca-attack.com).
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let wanted = hello.server_name();
        if let Some(name) = wanted
            && !self.hosts.is_empty()
            && !self.hosts.iter().any(|host| host.eq_ignore_ascii_case(name))
        {
            return None;
        }
        let chosen = self.identities.choose(wanted.or(self.host.as_deref()))?;
        Some(chosen.certified())
    }
}
