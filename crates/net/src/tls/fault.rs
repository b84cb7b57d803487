//! `TlsFault`: why a handshake came to nothing, in words that say what to do.

use std::io;
use std::time::Duration;

use rustls::{AlertDescription, CertificateError, Error, InvalidMessage, PeerIncompatible};

/// Why a handshake came to nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TlsFault {
    /// The peer said nothing, or not enough, for so long.
    Silent(Duration),
    /// What came is no TLS.
    NotTls,
    /// The peer closed, or reset, the connection in the middle.
    Gone(String),
    /// The two do not agree, in words.
    Failed(String),
}

impl TlsFault {
    /// What an error of a handshake means.
    pub(super) fn of(error: &io::Error) -> TlsFault {
        match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
            Some(Error::InvalidMessage(InvalidMessage::InvalidContentType)) => TlsFault::NotTls,
            Some(error) => TlsFault::Failed(explained(error)),
            None if error.kind() == io::ErrorKind::UnexpectedEof => {
                TlsFault::Gone("the connection was closed in the handshake".to_owned())
            }
            None => TlsFault::Gone(format!("the connection broke in the handshake: {error}")),
        }
    }
}

impl std::fmt::Display for TlsFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            TlsFault::Silent(waited) => {
                write!(f, "the handshake did not end within {} seconds", waited.as_secs())
            }
            TlsFault::NotTls => f.write_str("what came was no TLS"),
            TlsFault::Gone(why) | TlsFault::Failed(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for TlsFault {}

/// An error of rustls for somebody who has to do something about it.
fn explained(error: &Error) -> String {
    match error {
        Error::AlertReceived(alert) => alert_explained(*alert),
        Error::InvalidCertificate(why) => certificate_explained(why),
        Error::PeerIncompatible(
            PeerIncompatible::SupportedVersionsExtensionRequired
            | PeerIncompatible::Tls12NotOffered
            | PeerIncompatible::Tls12NotOfferedOrEnabled
            | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig
            | PeerIncompatible::ServerDoesNotSupportTls12Or13,
        ) => "the other side speaks nothing newer than TLS 1.1, which is not safe any more".to_owned(),
        Error::PeerIncompatible(PeerIncompatible::NoCipherSuitesInCommon) => {
            "there is no cipher suite that both sides know and take for safe".to_owned()
        }
        Error::NoApplicationProtocol => {
            "the other side wants another protocol than FTP (ALPN): it was meant for another server"
                .to_owned()
        }
        Error::InvalidMessage(InvalidMessage::UnsupportedKeyExchangeAlgorithm(_)) => {
            "there is no key exchange that both sides know".to_owned()
        }
        error => error.to_string(),
    }
}

fn alert_explained(alert: AlertDescription) -> String {
    use AlertDescription as A;
    match alert {
        A::UnknownCA | A::BadCertificate | A::CertificateUnknown | A::UnsupportedCertificate => format!(
            "the other side does not trust this side's certificate (alert {alert:?}): let it trust it, or use one that it trusts"
        ),
        A::CertificateExpired => "the other side says that this side's certificate has expired".to_owned(),
        A::CertificateRequired => {
            "the other side wants a certificate of this side, and there was none".to_owned()
        }
        A::ProtocolVersion => {
            "the other side knows no version of TLS that this side does (1.2 and 1.3)".to_owned()
        }
        A::HandshakeFailure | A::InsufficientSecurity => {
            "the two sides have no cipher suite in common".to_owned()
        }
        A::NoApplicationProtocol => "the other side does not speak FTP there (ALPN)".to_owned(),
        A::UnrecognisedName => "the other side does not go by the name that it was asked for".to_owned(),
        alert => format!("the other side ended the handshake (alert {alert:?})"),
    }
}

pub(super) fn certificate_explained(why: &CertificateError) -> String {
    use CertificateError as C;
    match why {
        C::UnknownIssuer => "it is signed by nobody who is trusted here".to_owned(),
        C::Expired | C::ExpiredContext { .. } => "it has expired".to_owned(),
        C::NotValidYet | C::NotValidYetContext { .. } => {
            "it is not valid yet (is this machine's clock right?)".to_owned()
        }
        C::NotValidForName | C::NotValidForNameContext { .. } => "it is for another name".to_owned(),
        C::Revoked => "it was revoked".to_owned(),
        C::BadSignature => "its signature is wrong".to_owned(),
        // OpenSSL makes such certificates when it is told nothing else.
        C::Other(other) if other.to_string().contains("CaUsedAsEndEntity") => {
            "it is the certificate of an authority, and no authority that is trusted here has signed it"
                .to_owned()
        }
        C::Other(other) => other.to_string(),
        other => format!("{other:?}"),
    }
}
