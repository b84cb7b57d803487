//! What ACME needs of TLS: the answer to a TLS-ALPN-01 challenge (RFC 8737), and a configuration for HTTPS to a directory.
//! What stands in the certificates, and what is said over HTTPS, is known to the crate `certs`.

use std::collections::HashMap;
use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Arc;

use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use rustls_platform_verifier::BuilderVerifierExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

/// The one protocol that is spoken while a challenge is answered.
pub const PROTOCOL: &[u8] = b"acme-tls/1";

/// The certificate that answers for one name.
pub struct Answer {
    /// The name that the asker says (SNI). For an address it is the name of its reverse look-up, RFC 8738 section 6.
    pub name: String,
    /// The certificate.
    pub certificate_der: Vec<u8>,
    /// Its key, in PKCS#8.
    pub key_der: Vec<u8>,
}

/// Answers for several names at one address.
#[derive(Clone)]
pub struct Answers {
    acceptor: TlsAcceptor,
}

impl Answers {
    /// Ready to answer.
    ///
    /// # Errors
    /// When a key cannot be used. Whether it is that of its certificate is not looked at: rustls refuses to look into a
    /// certificate with an extension that is critical and made for challenges alone.
    pub fn new(answers: Vec<Answer>) -> io::Result<Answers> {
        let mut by_name = HashMap::new();
        for Answer { name, certificate_der, key_der } in answers {
            let key = PrivatePkcs8KeyDer::from(key_der).into();
            let chain = vec![CertificateDer::from(certificate_der)];
            let key = super::provider().key_provider.load_private_key(key).map_err(io::Error::other)?;
            by_name.insert(name, Arc::new(CertifiedKey::new(chain, key)));
        }
        let mut config = ServerConfig::builder_with_provider(super::provider())
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(ByName(by_name)));
        config.alpn_protocols = vec![PROTOCOL.to_vec()];
        Ok(Answers { acceptor: TlsAcceptor::from(Arc::new(config)) })
    }

    /// Shows the certificate to one asker and closes. There is no time limit here: drop it.
    ///
    /// # Errors
    /// When the handshake fails: the asker does not speak `acme-tls/1`, or wants a name that is not answered for.
    pub async fn answer(&self, socket: TcpStream) -> io::Result<()> {
        let mut shown = self.acceptor.accept(socket).await?;
        // The asker has what it wants, and may have gone already.
        let _ = shown.shutdown().await;
        Ok(())
    }
}

/// The certificates by name. They are good for nothing else than a challenge, so nobody else is shown one.
struct ByName(HashMap<String, Arc<CertifiedKey>>);

impl ResolvesServerCert for ByName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        if !hello.alpn()?.any(|protocol| protocol == PROTOCOL) {
            return None;
        }
        self.0.get(&hello.server_name()?.to_ascii_lowercase()).cloned()
    }
}

impl fmt::Debug for ByName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// A configuration for HTTPS that believes these authorities alone, or those of the system.
///
/// # Errors
/// When one of them cannot be used, or the system has none.
pub fn https(authorities: Option<&[Vec<u8>]>) -> io::Result<ClientConfig> {
    let builder = ClientConfig::builder_with_provider(super::provider())
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?;
    let builder = match authorities {
        None => builder.with_platform_verifier().map_err(io::Error::other)?,
        Some(authorities) => {
            let mut roots = RootCertStore::empty();
            for der in authorities {
                roots.add(CertificateDer::from(der.as_slice()).into_owned()).map_err(io::Error::other)?;
            }
            builder.with_root_certificates(roots)
        }
    };
    Ok(builder.with_no_client_auth())
}

/// What is wrong with the other side's certificate, when that is behind an error.
#[must_use]
pub fn distrust(error: &(dyn Error + 'static)) -> Option<String> {
    let mut at = Some(error);
    while let Some(error) = at {
        if let Some(rustls::Error::InvalidCertificate(why)) = error.downcast_ref() {
            return Some(why.to_string());
        }
        at = match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            // The `source` of an io::Error passes over the error that it carries.
            Some(carried) => Some(carried),
            None => error.source(),
        };
    }
    None
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::ServerName;
    use tokio::net::TcpListener;
    use tokio_rustls::TlsConnector;

    use super::*;

    fn answer(name: &str) -> Answer {
        let mut params = rcgen::CertificateParams::new([name.to_owned()]).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate_der = params.self_signed(&key).unwrap().der().to_vec();
        Answer { name: name.to_owned(), certificate_der, key_der: key.serialize_der() }
    }

    /// Asks for a name, and gives the certificate that was shown.
    async fn ask(answers: &Answers, config: ClientConfig, name: &str) -> io::Result<Vec<u8>> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let asking = async {
            let socket = TcpStream::connect(listener.local_addr()?).await?;
            let name = ServerName::try_from(name.to_owned()).unwrap();
            let stream = TlsConnector::from(Arc::new(config)).connect(name, socket).await?;
            let session = stream.get_ref().1;
            assert_eq!(session.alpn_protocol(), Some(PROTOCOL));
            Ok(session.peer_certificates().unwrap()[0].to_vec())
        };
        let answering = async { answers.answer(listener.accept().await?.0).await };
        let (shown, answered) = tokio::join!(asking, answering);
        if shown.is_ok() {
            answered.unwrap();
        }
        shown
    }

    fn believing(answers: &[&Answer], protocols: &[&[u8]]) -> ClientConfig {
        let authorities: Vec<_> = answers.iter().map(|answer| answer.certificate_der.clone()).collect();
        let mut config = https(Some(&authorities)).unwrap();
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        config
    }

    #[tokio::test]
    async fn each_name_has_its_certificate() {
        let (one, two) = (answer("one.example"), answer("two.example"));
        let config = believing(&[&one, &two], &[PROTOCOL]);
        let expected = [one.certificate_der.clone(), two.certificate_der.clone()];
        let answers = Answers::new(vec![one, two]).unwrap();
        assert_eq!(ask(&answers, config.clone(), "one.example").await.unwrap(), expected[0]);
        assert_eq!(ask(&answers, config.clone(), "TWO.example").await.unwrap(), expected[1]);
        ask(&answers, config, "three.example").await.unwrap_err();
    }

    #[tokio::test]
    async fn who_does_not_ask_for_a_challenge_is_shown_nothing() {
        let one = answer("one.example");
        let config = believing(&[&one], &[]);
        let answers = Answers::new(vec![one]).unwrap();
        for protocols in [vec![], vec![b"ftp".to_vec()]] {
            let mut config = config.clone();
            config.alpn_protocols = protocols;
            ask(&answers, config, "one.example").await.unwrap_err();
        }
    }

    #[test]
    fn the_extension_of_a_challenge_is_no_hindrance() {
        let mut params = rcgen::CertificateParams::new(["one.example".to_owned()]).unwrap();
        params.custom_extensions = vec![rcgen::CustomExtension::new_acme_identifier(&[7; 32])];
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate_der = params.self_signed(&key).unwrap().der().to_vec();
        let with = |key_der| Answer { name: "one.example".to_owned(), certificate_der, key_der };
        Answers::new(vec![with(key.serialize_der())]).unwrap();
        let garbage = Answer { key_der: b"garbage".to_vec(), ..answer("one.example") };
        assert!(Answers::new(vec![garbage]).is_err());
    }

    #[tokio::test]
    async fn a_certificate_that_is_not_believed_is_told_from_other_errors() {
        let (one, other) = (answer("one.example"), answer("other.example"));
        let config = believing(&[&other], &[PROTOCOL]);
        let answers = Answers::new(vec![one]).unwrap();
        let error = ask(&answers, config, "one.example").await.unwrap_err();
        // As a client of HTTP wraps it.
        let wrapped = io::Error::other(io::Error::other(error));
        assert!(distrust(&wrapped).unwrap().contains("UnknownIssuer"), "{:?}", distrust(&wrapped));
        assert_eq!(distrust(&io::Error::other("no")), None);
    }

    #[test]
    fn an_authority_that_is_none_is_an_error() {
        assert!(https(Some(&[b"garbage".to_vec()])).is_err());
    }
}
