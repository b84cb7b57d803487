//! `Trust`: whom a client believes to be its server. The decision falls inside the handshake, before a password is said;
//! what was found is told afterwards, so that it can be said and remembered.

use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use super::fault::certificate_explained;
use super::identity::certificates;
use super::{fingerprint, provider};

/// Whom to believe.
#[derive(Debug, Clone)]
pub struct Trust {
    /// Authorities in PEM in place of the system's: whatever they have signed, and they themselves.
    pub authorities: Option<Arc<Vec<u8>>>,
    /// What else must be, or may.
    pub rule: Rule,
}

/// When a certificate will do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rule {
    /// When an authority vouches for it and it is for the host.
    Verified,
    /// When it, or its key, is one of these, whoever vouches for it.
    Pinned(Vec<Pin>),
    /// When it is verified, or the one that was seen before, or nothing was seen before.
    SeenBefore(Option<[u8; 32]>),
    /// Always: against somebody who only listens.
    Anybody,
}

/// What a user knows a server by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pin {
    /// The SHA-256 of its certificate, as `openssl x509 -fingerprint -sha256` shows it.
    Certificate([u8; 32]),
    /// The SHA-256 of its public key, as curl's `--pinnedpubkey sha256//…` has it.
    Key([u8; 32]),
}

/// What is to be said against a certificate that will not do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Doubt {
    /// Nobody vouches for it, or not for this host; in words.
    Unverified(String),
    /// It is none of those that were named.
    NotPinned,
    /// Another one was seen there before, of this SHA-256.
    Changed([u8; 32]),
}

/// What was found of the server's certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// Its SHA-256.
    pub fingerprint: [u8; 32],
    /// Whether an authority vouches for it, for this host.
    pub verified: bool,
    /// Why it will not do, if it will not.
    pub doubt: Option<Doubt>,
}

impl Pin {
    /// Reads 64 hexadecimal digits, colons between them or not, or `sha256//` and base64.
    ///
    /// # Errors
    /// A few words for what it must be.
    pub fn read(text: &str) -> Result<Pin, String> {
        let expected = || {
            "a pin is the SHA-256 of the certificate, as 64 hexadecimal digits with or without colons, or sha256// and the \
             base64 of the public key's"
                .to_owned()
        };
        if let Some(base64) = text.strip_prefix("sha256//") {
            return read_base64(base64).map(Pin::Key).ok_or_else(expected);
        }
        read_fingerprint(text).map(Pin::Certificate).ok_or_else(expected)
    }
}

/// 32 bytes as hexadecimal digits, with or without colons.
#[must_use]
pub fn read_fingerprint(text: &str) -> Option<[u8; 32]> {
    let digits: Vec<u32> =
        text.chars().filter(|c| *c != ':').map(|c| c.to_digit(16)).collect::<Option<_>>()?;
    let bytes: Vec<u8> =
        digits.chunks(2).map(|pair| u8::try_from(pair[0] * 16 + pair.get(1)?).ok()).collect::<Option<_>>()?;
    bytes.try_into().ok()
}

/// As openssl writes it: `AB:CD:…`.
#[must_use]
pub fn write_fingerprint(bytes: &[u8; 32]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(":")
}

/// 32 bytes in base64 (RFC 4648 §4).
fn read_base64(text: &str) -> Option<[u8; 32]> {
    let (mut bits, mut count, mut bytes) = (0_u32, 0, Vec::new());
    for c in text.trim_end_matches('=').bytes() {
        let value = match c {
            b'A'..=b'Z' => c - b'A',
            b'a'..=b'z' => c - b'a' + 26,
            b'0'..=b'9' => c - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from(bits >> count & 0xFF).ok()?);
        }
    }
    bytes.try_into().ok()
}

/// Judges the server of one control connection, and of its data connections.
pub(super) struct Judge {
    trust: Trust,
    authorities: Option<(Arc<WebPkiServerVerifier>, Vec<CertificateDer<'static>>)>,
    algorithms: WebPkiSupportedAlgorithms,
    found: Mutex<Option<Judgement>>,
}

impl Judge {
    pub(super) fn new(trust: Trust) -> Result<Self, String> {
        let authorities = match &trust.authorities {
            None => None,
            Some(pem) => {
                let all = certificates(pem)?;
                let mut roots = RootCertStore::empty();
                for one in &all {
                    roots.add(one.clone()).map_err(|e| e.to_string())?;
                }
                let verifier =
                    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider()).build();
                Some((verifier.map_err(|e| e.to_string())?, all))
            }
        };
        let algorithms = provider().signature_verification_algorithms;
        Ok(Judge { trust, authorities, algorithms, found: Mutex::new(None) })
    }

    /// What was found of the certificate that was shown last.
    pub(super) fn found(&self) -> Option<Judgement> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn verify(
        &self,
        end: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        now: UnixTime,
    ) -> Result<(), String> {
        let verdict = match &self.authorities {
            Some((verifier, all)) => {
                // A server's own certificate, given as the authority; OpenSSL makes it one of an authority by itself.
                if all.contains(end) {
                    ParsedCertificate::try_from(end).and_then(|end| verify_server_name(&end, name))
                } else {
                    verifier.verify_server_cert(end, between, name, &[], now).map(|_| ())
                }
            }
            None => match system() {
                Some(verifier) => verifier.verify_server_cert(end, between, name, &[], now).map(|_| ()),
                None => Err(CertificateError::UnknownIssuer.into()),
            },
        };
        verdict.map_err(|e| match e {
            Error::InvalidCertificate(why) => certificate_explained(&why),
            e => e.to_string(),
        })
    }

    fn doubt(
        &self,
        end: &CertificateDer<'_>,
        shown: [u8; 32],
        verified: Result<(), String>,
        control: Option<[u8; 32]>,
    ) -> Option<Doubt> {
        match (&self.trust.rule, verified) {
            (Rule::Verified, Err(why)) => Some(Doubt::Unverified(why)),
            (Rule::Pinned(pins), _) => {
                let fits = |pin: &Pin| match pin {
                    Pin::Certificate(pin) => *pin == shown,
                    Pin::Key(pin) => key_of(end).is_some_and(|key| key == *pin),
                };
                (!pins.iter().any(fits)).then_some(Doubt::NotPinned)
            }
            // What the control connection has shown was seen before its data connections.
            (Rule::SeenBefore(before), Err(_)) => {
                control.or(*before).filter(|before| *before != shown).map(Doubt::Changed)
            }
            _ => None,
        }
    }
}

/// The SHA-256 of the public key.
fn key_of(end: &CertificateDer<'_>) -> Option<[u8; 32]> {
    let parsed = ParsedCertificate::try_from(end).ok()?;
    Some(fingerprint(&parsed.subject_public_key_info()))
}

/// The system's authorities, read once; those of Mozilla on a system that has none.
fn system() -> Option<&'static Arc<dyn ServerCertVerifier>> {
    static SYSTEM: OnceLock<Option<Arc<dyn ServerCertVerifier>>> = OnceLock::new();
    let system = SYSTEM.get_or_init(|| match rustls_platform_verifier::Verifier::new(provider()) {
        Ok(verifier) => Some(Arc::new(verifier)),
        Err(_) => {
            let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
            let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider()).build();
            verifier.ok().map(|verifier| verifier as Arc<dyn ServerCertVerifier>)
        }
    });
    system.as_ref()
}

impl fmt::Debug for Judge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Judge({:?})", self.trust.rule)
    }
}

impl ServerCertVerifier for Judge {
    fn verify_server_cert(
        &self,
        end: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let shown = fingerprint(end);
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        // A data connection that shows what the control connection has shown.
        if found.as_ref().is_some_and(|found| found.fingerprint == shown && found.doubt.is_none()) {
            return Ok(ServerCertVerified::assertion());
        }
        let verdict = self.verify(end, between, name, now);
        let verified = verdict.is_ok();
        let control = found.as_ref().map(|found| found.fingerprint);
        let doubt = self.doubt(end, shown, verdict, control);
        let refused = doubt.is_some();
        *found = Some(Judgement { fingerprint: shown, verified, doubt });
        match refused {
            true => Err(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure)),
            false => Ok(ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_is_read_as_people_have_it() {
        let bytes: [u8; 32] = std::array::from_fn(|place| u8::try_from(place * 7).unwrap());
        let colons = write_fingerprint(&bytes);
        assert!(colons.starts_with("00:07:0E:"), "{colons}");
        for text in [colons.clone(), colons.replace(':', ""), colons.to_lowercase()] {
            assert_eq!(Pin::read(&text), Ok(Pin::Certificate(bytes)), "{text}");
        }
        let base64 = "sha256//AAcOFRwjKjE4P0ZNVFtiaXB3foWMk5qhqK+2vcTL0tk=";
        assert_eq!(Pin::read(base64), Ok(Pin::Key(bytes)));
        for text in ["", "00", "sha256//AA==", &colons[..93], "sha256//!!"] {
            assert!(Pin::read(text).unwrap_err().contains("64 hexadecimal digits"), "{text}");
        }
    }
}
