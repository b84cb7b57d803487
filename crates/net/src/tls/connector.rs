//! `Connector`: the client's end of TLS, one for each control connection. Data connections resume the control connection's
//! session by its tickets, and by no other's: a server may insist on that.

use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::client::{Resumption, TicketRequest, Tls12Resumption};
use rustls::pki_types::ServerName;
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::identity::Identity;
use super::socket::Socket;
use super::tickets::Tickets;
use super::trust::{Judge, Judgement, Trust};
use super::{TlsFault, TlsStream, provider};

/// Which versions may be agreed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Versions {
    /// TLS 1.3, and 1.2 where the server has no newer one.
    #[default]
    All,
    /// TLS 1.2, whose sessions can be resumed as often as one likes.
    Only12,
}

/// The client's end.
#[derive(Debug, Clone)]
pub struct Connector {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
    tickets: Arc<Tickets>,
    judge: Arc<Judge>,
}

impl Connector {
    /// For a session with `host`; `identity` is shown to a server that asks who we are.
    ///
    /// # Errors
    /// When the host is no name for TLS, or the authorities make no sense, in words.
    pub fn new(
        host: &str,
        trust: Trust,
        versions: Versions,
        identity: Option<&Identity>,
    ) -> Result<Connector, String> {
        // The zone of a link-local address is ours and not the server's.
        let bare = host.split('%').next().unwrap_or(host);
        let name = ServerName::try_from(bare.to_owned())
            .map_err(|_| format!("{host} is no name that a certificate could be for"))?;
        let judge = Arc::new(Judge::new(trust)?);
        let versions: &[_] = match versions {
            Versions::All => &[&TLS13, &TLS12],
            Versions::Only12 => &[&TLS12],
        };
        let builder = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(versions)
            .map_err(|e| e.to_string())?
            .dangerous()
            .with_custom_certificate_verifier(Arc::clone(&judge) as _);
        let mut config = match identity {
            Some(identity) => builder.with_client_cert_resolver(Arc::new(Shown(identity.certified()))),
            None => builder.with_no_client_auth(),
        };
        let tickets = Arc::new(Tickets::default());
        config.resumption = Resumption::store(Arc::clone(&tickets) as _)
            .tls12_resumption(Tls12Resumption::SessionIdOrTickets);
        config.alpn_protocols = vec![b"ftp".to_vec()];
        // Who reads every data connection to its end wants them with uploads too (RFC 9149).
        config.send_ticket_request = Some(TicketRequest { new_session_count: 8, resumption_count: 2 });
        Ok(Connector { config: Arc::new(config), name, tickets, judge })
    }

    /// Shakes hands over a control connection.
    ///
    /// # Errors
    /// When that comes to nothing within `patience`; where it is the certificate, [`Connector::judgement`] says more.
    pub async fn control(&self, tcp: TcpStream, patience: Duration) -> Result<TlsStream, TlsFault> {
        self.shake_hands(Socket::new(tcp), patience).await
    }

    /// The same over a data connection of that session.
    ///
    /// # Errors
    /// As [`Connector::control`].
    pub async fn data(&self, tcp: TcpStream, patience: Duration) -> Result<TlsStream, TlsFault> {
        self.shake_hands(Socket::of_data(tcp), patience).await
    }

    async fn shake_hands(&self, socket: Socket, patience: Duration) -> Result<TlsStream, TlsFault> {
        let connector = TlsConnector::from(Arc::clone(&self.config));
        let connecting = connector.connect(self.name.clone(), socket);
        match tokio::time::timeout(patience, connecting).await {
            Ok(Ok(stream)) => Ok(TlsStream::new(stream.into())),
            Ok(Err(e)) => Err(TlsFault::of(&e)),
            Err(_) => Err(TlsFault::Silent(patience)),
        }
    }

    /// What was found of the server's certificate.
    #[must_use]
    pub fn judgement(&self) -> Option<Judgement> {
        self.judge.found()
    }

    /// Handshakes that can still resume the session, as far as the server has given tickets; none is without end.
    #[must_use]
    pub fn tickets(&self) -> Option<usize> {
        self.tickets.left()
    }
}

/// The one identity that we have.
#[derive(Debug)]
struct Shown(Arc<CertifiedKey>);

impl rustls::client::ResolvesClientCert for Shown {
    fn resolve(&self, _: &[&[u8]], schemes: &[rustls::SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.0.key.choose_scheme(schemes).map(|_| Arc::clone(&self.0))
    }

    fn has_certs(&self) -> bool {
        true
    }
}
