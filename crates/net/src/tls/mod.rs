//! TLS for both ends: the only module that knows rustls. It shakes hands, carries records, and says in words what went
//! wrong. Whether TLS must be, and whom an account lets in, are rules and live elsewhere.
//!
//! ```text
//!   server: Acceptor ── control handshake ──> Member of the ledger ── its data connections must show its tickets
//!   client: Connector ── one for each control connection: its tickets, its idea of whom to trust
//! ```

pub mod acceptor;
pub mod challenge;
pub mod connector;
pub mod identity;
pub mod ledger;
pub mod trust;

mod fault;
mod socket;
pub mod stream;
mod tickets;

use std::fmt;
use std::sync::{Arc, OnceLock};

use rustls::crypto::CryptoProvider;
use rustls::{CommonState, HandshakeKind, ProtocolVersion};

pub use self::acceptor::{Acceptor, ClientCertificates, Whose};
pub use self::connector::{Connector, Versions};
pub use self::fault::TlsFault;
pub use self::identity::{Identities, Identity};
pub use self::ledger::{Ledger, Member};
pub use self::stream::TlsStream;
pub use self::trust::{Doubt, Judgement, Pin, Trust};

/// The one crypto library. Its hybrid key share (X25519MLKEM768) is offered first and makes the first message longer than
/// a segment.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    Arc::clone(PROVIDER.get_or_init(|| Arc::new(rustls::crypto::aws_lc_rs::default_provider())))
}

/// What a handshake agreed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// `TLSv1.3` or `TLSv1.2`.
    pub version: &'static str,
    /// The cipher suite by its registered name.
    pub cipher: String,
    /// Whether an earlier session was resumed.
    pub resumed: bool,
}

impl Facts {
    fn of(state: &CommonState) -> Facts {
        let version = match state.protocol_version() {
            Some(ProtocolVersion::TLSv1_3) => "TLSv1.3",
            _ => "TLSv1.2",
        };
        let cipher = state.negotiated_cipher_suite().map_or(String::new(), |suite| name_of(suite.suite()));
        Facts { version, cipher, resumed: state.handshake_kind() == Some(HandshakeKind::Resumed) }
    }
}

/// The registered name; rustls marks those of TLS 1.3.
fn name_of(suite: rustls::CipherSuite) -> String {
    format!("{suite:?}").replacen("TLS13_", "TLS_", 1)
}

impl fmt::Display for Facts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = if self.resumed { "resumed" } else { "new session" };
        write!(f, "{} {} ({how})", self.version, self.cipher)
    }
}

/// The SHA-256 of a certificate as it is sent.
#[must_use]
pub fn fingerprint(certificate: &[u8]) -> [u8; 32] {
    let digest = rustls::crypto::aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256;
    let hash = digest.tls13().expect("it is a suite of TLS 1.3").common.hash_provider.hash(certificate);
    hash.as_ref().try_into().expect("SHA-256 has 32 bytes")
}
