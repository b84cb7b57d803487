//! The three proofs that a name is ours, made from what the CA asks: texts for HTTP, certificates for TLS, records for DNS.

use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;

use instant_acme::{Identifier, KeyAuthorization};
use rcgen::{CertificateParams, CustomExtension, DistinguishedName, DnType, KeyPair};
use tokio::net::TcpListener;
use twoport_net::tls::challenge::{Answer, Answers};

use super::{Challenge, hook, http01, responder};
use crate::{Error, names};

/// One name that is to be proved.
pub(super) struct Claim {
    /// The host or address; without the star where it is for all names below.
    pub(super) identifier: Identifier,
    /// What the CA calls it by.
    pub(super) token: String,
    /// The token with the mark of our account.
    pub(super) authorization: KeyAuthorization,
}

impl Claim {
    /// The name as people write it.
    pub(super) fn name(&self) -> String {
        self.identifier.authorized(false).to_string()
    }

    /// The certificate that RFC 8737 section 3 asks for.
    fn answer(&self) -> Result<Answer, Error> {
        let name = self.name();
        let mut params = CertificateParams::new([name.clone()])?;
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, "ACME challenge");
        let digest = self.authorization.digest();
        params.custom_extensions = vec![CustomExtension::new_acme_identifier(digest.as_ref())];
        let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?;
        let made = params.self_signed(&key)?;
        let name = match self.identifier {
            Identifier::Ip(address) => names::reverse(address),
            _ => name,
        };
        Ok(Answer { name, certificate_der: made.der().to_vec(), key_der: key.serialize_der() })
    }
}

/// Who answers when the CA asks at an address.
pub(super) enum Responder {
    /// HTTP-01.
    Http(TcpListener, Arc<http01::Texts>),
    /// TLS-ALPN-01.
    Tls(TcpListener, Answers),
}

impl Responder {
    /// Listens, ready to answer for all claims; nothing for DNS, where others answer.
    pub(super) async fn of(challenge: &Challenge, claims: &[Claim]) -> Result<Option<Responder>, Error> {
        let listen = match challenge {
            Challenge::Http01 { listen } | Challenge::TlsAlpn01 { listen } => *listen,
            Challenge::Dns01 { .. } => return Ok(None),
        };
        let listener = responder::listen(listen, challenge.name()).await?;
        if let Challenge::Http01 { .. } = challenge {
            let text = |claim: &Claim| (claim.token.clone(), claim.authorization.as_str().to_owned());
            return Ok(Some(Responder::Http(listener, Arc::new(claims.iter().map(text).collect()))));
        }
        let answers = claims.iter().map(Claim::answer).collect::<Result<Vec<_>, _>>()?;
        let answers = Answers::new(answers)
            .map_err(|e| Error::Settings(format!("the proof by tls-alpn-01 cannot be made: {e}")))?;
        Ok(Some(Responder::Tls(listener, answers)))
    }

    /// Answers until it is dropped.
    pub(super) async fn run(self) -> Infallible {
        match self {
            Responder::Http(listener, texts) => {
                let answer = |socket| {
                    let texts = Arc::clone(&texts);
                    async move { http01::answer(socket, &texts).await }
                };
                responder::serve(listener, answer).await
            }
            Responder::Tls(listener, answers) => {
                let answer = |socket| {
                    let answers = answers.clone();
                    // Port 443 is asked by many others than the CA, and what goes wrong with them is nobody's concern.
                    async move { drop(answers.answer(socket).await) }
                };
                responder::serve(listener, answer).await
            }
        }
    }
}

/// Has the hook add the records of all claims. An error is the first one's; those before it are there.
pub(super) async fn add_records(hook: &Path, claims: &[Claim]) -> Result<(), Error> {
    for claim in claims {
        hook::run(hook, "add", &claim.name(), &claim.authorization.dns_value()).await?;
    }
    Ok(())
}

/// Has the hook take them away. A record that stays harms nobody, so that is told to the log alone.
pub(super) async fn remove_records(hook: &Path, claims: &[Claim]) {
    for claim in claims {
        let removed = hook::run(hook, "remove", &claim.name(), &claim.authorization.dns_value()).await;
        if let Err(e) = removed {
            tracing::warn!("a record of a certificate's order stays in DNS: {e}");
        }
    }
}
