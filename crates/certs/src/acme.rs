//! A certificate by ACME (RFC 8555): asked for with one of three proofs, kept on disk, renewed in time. The protocol is
//! `instant-acme`'s; ours are the answers to the challenges, what is kept, and when to ask again.
//!
//! ```text
//!   keep_renewed ── due? ──> renew ── account, order ──> directory of the CA
//!        │                     │                              │ looks at port 80, port 443 or DNS
//!        └── the new one       └── responder or hook <────────┘
//! ```

mod ca;
mod hook;
mod http01;
mod order;
mod proof;
mod renewal;
mod responder;
mod shelf;
mod trouble;

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::SystemTime;

pub use renewal::{Notice, keep_renewed, pause_after, when_to_renew};

use crate::pem::Pem;
use crate::{Error, names};
use ca::{Ca, Http};

/// The directory of Let's Encrypt.
pub const LETS_ENCRYPT: &str = "https://acme-v02.api.letsencrypt.org/directory";

/// What is asked of whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The URL of the CA's directory, [`LETS_ENCRYPT`] for one.
    pub directory: String,
    /// A PEM file with the authorities that alone are believed when the directory shows its certificate. Without it they
    /// are those of the system.
    pub roots: Option<PathBuf>,
    /// Mail addresses at which the CA may write to the owner; `mailto:` may be left out.
    pub contact: Vec<String>,
    /// The hosts and addresses that the certificate is to be for.
    pub names: Vec<String>,
    /// How they are proved.
    pub challenge: Challenge,
    /// Where the account and the certificate are kept. Each directory has a folder of its own in it.
    pub folder: PathBuf,
    /// An account at the CA that the ACME account is to belong to, where the CA demands one.
    pub external_account: Option<ExternalAccount>,
    /// One of the CA's profiles, such as `shortlived`.
    pub profile: Option<String>,
}

/// How it is proved that the names are ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Challenge {
    /// By an answer over HTTP. The CA asks at port 80 of each name, which must lead to this address.
    Http01 {
        /// Where it is answered, only while an order is under way.
        listen: SocketAddr,
    },
    /// By a certificate over TLS. The CA asks at port 443 of each name, which must lead to this address.
    TlsAlpn01 {
        /// Where it is answered, only while an order is under way.
        listen: SocketAddr,
    },
    /// By a record in DNS, for hosts whose ports 80 and 443 are somebody else's, and for names such as `*.example.org`.
    Dns01 {
        /// A program that is run as `HOOK add _acme-challenge.NAME VALUE` and later with `remove`. It ends when the TXT
        /// record can be seen by all, and with another code than 0 when that did not come about.
        hook: PathBuf,
    },
}

impl Challenge {
    /// Its name in ACME.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Challenge::Http01 { .. } => "http-01",
            Challenge::TlsAlpn01 { .. } => "tls-alpn-01",
            Challenge::Dns01 { .. } => "dns-01",
        }
    }
}

/// An account outside ACME (RFC 8555 section 7.3.4).
#[derive(Clone, PartialEq, Eq)]
pub struct ExternalAccount {
    /// Its key identifier, as the CA shows it.
    pub id: String,
    /// Its key in base64url, as the CA shows it.
    pub key: String,
}

/// The key is not shown.
impl fmt::Debug for ExternalAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExternalAccount").field("id", &self.id).field("key", &"(not shown)").finish()
    }
}

impl Settings {
    /// Whether this can be asked for at all.
    ///
    /// # Errors
    /// When the directory is not at `https://`, when a name can stand in no certificate, or cannot be proved in this way.
    pub fn check(&self) -> Result<(), Error> {
        if !self.directory.starts_with("https://") {
            let what = format!("the ACME directory {:?} is no URL that begins with https://", self.directory);
            return Err(Error::Settings(what));
        }
        names::check(&self.names)?;
        let by_dns = matches!(self.challenge, Challenge::Dns01 { .. });
        for name in &self.names {
            if name.contains('*') && !by_dns {
                let what =
                    format!("{name} can be proved by dns-01 only, and not by {}", self.challenge.name());
                return Err(Error::Settings(what));
            }
            if name.parse::<IpAddr>().is_ok() && by_dns {
                let what =
                    format!("the address {name} cannot be proved by dns-01: take http-01 or tls-alpn-01");
                return Err(Error::Settings(what));
            }
        }
        Ok(())
    }
}

/// What an earlier order has brought, when it is for these names, from this directory, and has not expired.
#[must_use]
pub fn kept(settings: &Settings) -> Option<Pem> {
    shelf::Shelf::of(settings).certificate(settings, SystemTime::now()).map(|(pem, _)| pem)
}

/// Gets a new certificate, whatever is there, and keeps it. It takes from seconds to minutes, and has an end.
///
/// # Errors
/// When there is none: what was kept is left alone.
pub async fn renew(settings: &Settings) -> Result<Pem, Error> {
    settings.check()?;
    let http = || ca::https(settings);
    Ca { settings, shelf: shelf::Shelf::of(settings), http: &http }.renew().await
}

#[cfg(test)]
mod tests;
