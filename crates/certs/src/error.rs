//! What can go wrong with certificates: each error is a sentence that says what to do.

use std::io;
use std::path::{Path, PathBuf};

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or a folder of this machine.
    #[error("{what}: {source}")]
    Local {
        /// What could not be done, and what to do about it.
        what: String,
        /// What the system said.
        source: io::Error,
    },
    /// A file of ours holds something else than what we keep in it. It is left as it is.
    #[error("{} is not used and not overwritten: {why}; move it away, and a new one is made", path.display())]
    NotOurs {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// Bytes that are not a certificate.
    #[error("this is no certificate that can be read: {0}")]
    NoCertificate(String),
    /// A name that no certificate can hold.
    #[error("{name:?} cannot stand in a certificate: {why}")]
    Name {
        /// The name.
        name: String,
        /// Why, and what would do.
        why: &'static str,
    },
    /// The making of a key or a certificate.
    #[error("no certificate could be made: {0}")]
    Making(#[from] rcgen::Error),
    /// What is asked for cannot be had in this way.
    #[error("{0}")]
    Settings(String),
    /// The ACME directory cannot be reached, or does not answer as one does.
    #[error("the ACME directory {directory} could not be used while {doing}: {why}")]
    Directory {
        /// Its URL.
        directory: String,
        /// What was being done.
        doing: &'static str,
        /// What went wrong.
        why: String,
    },
    /// The ACME directory shows a certificate of an authority that is not believed here, or for another host.
    #[error(
        "the certificate of the ACME directory {directory} is not believed: {why}; if it is of a CA of your own, name a \
         PEM file with that CA's certificate as the roots of the directory"
    )]
    Untrusted {
        /// Its URL.
        directory: String,
        /// What is wrong with the certificate.
        why: String,
    },
    /// The CA said no.
    #[error("the CA at {directory} refused: {why}")]
    Refused {
        /// The URL of its directory.
        directory: String,
        /// Its words, and what to do where they do not say so.
        why: String,
    },
    /// The CA looked and did not see that a name is ours.
    #[error("{name} was not proved by {challenge}: {why}; {remedy}")]
    Proof {
        /// The name.
        name: String,
        /// `http-01`, `tls-alpn-01` or `dns-01`.
        challenge: &'static str,
        /// The CA's words.
        why: String,
        /// What must be so.
        remedy: String,
    },
    /// The hook that changes DNS.
    #[error("the hook failed, `{call}`: {why}")]
    Hook {
        /// How it was called.
        call: String,
        /// How it ended, and what it said.
        why: String,
    },
}

impl Error {
    /// A file that could not be read.
    pub(crate) fn reading(path: &Path, source: io::Error) -> Error {
        let what = format!("{} cannot be read; it must belong to the server's account", path.display());
        Error::Local { what, source }
    }

    /// A file or folder that could not be written.
    pub(crate) fn writing(path: &Path, source: io::Error) -> Error {
        let what =
            format!("{} cannot be written; name a folder that the server may write to", path.display());
        Error::Local { what, source }
    }
}
