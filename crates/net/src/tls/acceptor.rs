//! `Acceptor`: the server's end of a handshake. Each connection gets settings of its own, which differ in one thing: whose
//! sessions it may look up and store.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::version::{TLS12, TLS13};
use rustls::{DigitallySignedStruct, DistinguishedName, RootCertStore, ServerConfig, SignatureScheme};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use super::identity::{Chooser, Identities, certificates};
use super::ledger::{Book, Ledger, Member};
use super::socket::Socket;
use super::{Facts, TlsFault, TlsStream, fingerprint, provider};

/// Whether clients are asked for a certificate of theirs.
#[derive(Debug, Clone, Default)]
pub struct ClientCertificates {
    /// Asked at all.
    pub asked: bool,
    /// Nobody without one comes in.
    pub required: bool,
    /// Authorities whose word is taken, in PEM.
    pub authorities: Vec<u8>,
    /// SHA-256 of certificates that are known by themselves, whoever signed them.
    pub known: Vec<[u8; 32]>,
}

/// Whose TLS session a data connection has resumed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// None: it began a new one.
    Nobodys,
    /// This login's.
    Own,
    /// Another login's.
    Foreign,
}

/// What the handshake of a control connection told; `S` is the connection itself.
#[derive(Debug)]
pub struct Secured<S = TlsStream> {
    /// The connection.
    pub stream: S,
    /// What was agreed on.
    pub facts: Facts,
    /// The host that the client wants (SNI).
    pub server_name: Option<String>,
    /// The client's certificate in DER, where it has one that is known or signed by an authority whose word is taken.
    pub certificate: Option<Vec<u8>>,
    /// Its place in the ledger.
    pub member: Member,
}

impl Secured {
    /// The connection, and what was told of it.
    pub(crate) fn apart(self) -> (TlsStream, Secured<()>) {
        let Secured { stream, facts, server_name, certificate, member } = self;
        (stream, Secured { stream: (), facts, server_name, certificate, member })
    }
}

/// The server's end of TLS.
#[derive(Debug, Clone)]
pub struct Acceptor {
    base: ServerConfig,
    chooser: Chooser,
    guests: Arc<Guests>,
    ledger: Arc<Ledger>,
}

/// Tickets behind a handshake on a control connection, for clients that spend one with each transfer and get none with an
/// upload.
const TICKETS: usize = 4;

impl Acceptor {
    /// An acceptor with these certificates; `hosts` are the names that the server goes by, any when empty.
    ///
    /// # Errors
    /// When the authorities make no sense, in words.
    pub fn new(
        identities: Identities,
        hosts: Vec<String>,
        clients: ClientCertificates,
        ledger: Arc<Ledger>,
    ) -> Result<Self, String> {
        let guests = Arc::new(Guests::new(clients)?);
        let chooser = Chooser { identities, hosts: Arc::new(hosts), host: None };
        let builder = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&TLS13, &TLS12])
            .map_err(|e| e.to_string())?;
        let builder = match guests.clients.asked {
            true => builder.with_client_cert_verifier(Arc::clone(&guests) as Arc<dyn ClientCertVerifier>),
            false => builder.with_no_client_auth(),
        };
        let mut base = builder.with_cert_resolver(Arc::new(chooser.clone()));
        // Whoever offers protocols and not this one was meant for another server (alpaca-attack.com).
        base.alpn_protocols = vec![b"ftp".to_vec()];
        base.send_tls13_tickets = TICKETS;
        // Whoever says how many it wants reads them (RFC 9149).
        base.max_tls13_tickets = TICKETS * 2;
        Ok(Acceptor { base, chooser, guests, ledger })
    }

    /// Shakes hands on a control connection. `host` is what HOST has said, for a client that wants no name in TLS.
    ///
    /// # Errors
    /// When that comes to nothing within `patience`.
    pub async fn control(
        &self,
        tcp: TcpStream,
        host: Option<String>,
        patience: Duration,
    ) -> Result<Secured, TlsFault> {
        let member = self.ledger.enter();
        let config = self.config(host.as_deref(), &member.book(true));
        let stream = shake_hands(config, Socket::new(tcp), patience).await?;
        let certificate =
            stream.peer_certificate().filter(|shown| self.guests.knows(shown)).map(<[u8]>::to_vec);
        Ok(Secured { facts: stream.facts(), server_name: stream.server_name(), certificate, stream, member })
    }

    /// Shakes hands on a data connection of `member`, and finds out whose session it has resumed. `host` is what HOST had said
    /// when its control connection shook hands: one that begins a new session is shown the same certificate. `tickets` says whether new
    /// ones are sent (TLS 1.3): a client that reads nothing more must get none. When it closes with tickets unread, or before
    /// they come, its system resets the connection, and what it has sent is lost.
    ///
    /// # Errors
    /// When that comes to nothing within `patience`.
    pub async fn data(
        &self,
        tcp: TcpStream,
        member: &Member,
        host: Option<&str>,
        tickets: bool,
        patience: Duration,
    ) -> Result<(TlsStream, Facts, Whose), TlsFault> {
        let book = member.book(false);
        let mut config = self.config(host, &book);
        config.alpn_protocols.push(b"ftp-data".to_vec());
        config.send_tls13_tickets = if tickets { TICKETS / 2 } else { 0 };
        let stream = shake_hands(config, Socket::of_data(tcp), patience).await?;
        let facts = stream.facts();
        let whose = match (facts.resumed, book.own()) {
            (true, Some(true)) => Whose::Own,
            (true, _) => Whose::Foreign,
            (false, _) => Whose::Nobodys,
        };
        Ok((stream, facts, whose))
    }

    fn config(&self, host: Option<&str>, book: &Arc<Book>) -> ServerConfig {
        let mut config = self.base.clone();
        if host.is_some() {
            let host = host.map(str::to_owned);
            config.cert_resolver = Arc::new(Chooser { host, ..self.chooser.clone() });
        }
        config.session_storage = Arc::clone(book) as _;
        config.ticketer = Arc::clone(book) as _;
        config
    }
}

async fn shake_hands(
    config: ServerConfig,
    mut socket: Socket,
    patience: Duration,
) -> Result<TlsStream, TlsFault> {
    socket.greets = true;
    let accepting = TlsAcceptor::from(Arc::new(config)).accept(socket);
    match tokio::time::timeout(patience, accepting).await {
        Ok(Ok(mut stream)) => {
            stream.get_mut().0.greets = false;
            Ok(TlsStream::new(stream.into()))
        }
        Ok(Err(e)) => Err(TlsFault::of(&e)),
        Err(_) => Err(TlsFault::Silent(patience)),
    }
}

/// Judges clients by their certificates. That a client has the key to what it shows TLS proves in any case.
#[derive(Debug)]
struct Guests {
    clients: ClientCertificates,
    by_authority: Option<Arc<dyn ClientCertVerifier>>,
    hints: Vec<DistinguishedName>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Guests {
    fn new(clients: ClientCertificates) -> Result<Self, String> {
        let mut by_authority = None;
        if !clients.authorities.is_empty() {
            let mut roots = RootCertStore::empty();
            for authority in certificates(&clients.authorities)? {
                roots.add(authority).map_err(|e| e.to_string())?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider()).build();
            by_authority = Some(verifier.map_err(|e| e.to_string())?);
        }
        let hints =
            by_authority.as_ref().map_or(Vec::new(), |verifier| verifier.root_hint_subjects().to_vec());
        // Who is known by the certificate itself may have it from anybody.
        let hints = if clients.known.is_empty() { hints } else { Vec::new() };
        Ok(Guests { clients, by_authority, hints, algorithms: provider().signature_verification_algorithms })
    }

    fn knows(&self, certificate: &[u8]) -> bool {
        let shown = CertificateDer::from(certificate);
        self.clients.known.contains(&fingerprint(certificate))
            || self.signed(&shown, &[], UnixTime::now()).is_ok()
    }

    fn signed(
        &self,
        end: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        match &self.by_authority {
            Some(verifier) => verifier.verify_client_cert(end, between, now),
            None => Err(rustls::CertificateError::UnknownIssuer.into()),
        }
    }
}

impl ClientCertVerifier for Guests {
    fn client_auth_mandatory(&self) -> bool {
        self.clients.required
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.hints
    }

    /// Where none is required, one that nobody knows is as good as none.
    fn verify_client_cert(
        &self,
        end: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        match self.signed(end, between, now) {
            Err(_) if !self.clients.required || self.clients.known.contains(&fingerprint(end)) => {
                Ok(ClientCertVerified::assertion())
            }
            verdict => verdict,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// What a handshake says to somebody who reads the log.
impl From<TlsFault> for io::Error {
    fn from(fault: TlsFault) -> Self {
        io::Error::other(fault)
    }
}
