//! `Security`: what a user wants of TLS, and whom to believe. What was found in a handshake becomes a sentence here, which says
//! what to do.

use std::sync::Arc;

use twoport_net::tls::trust::{Rule, write_fingerprint};
use twoport_net::tls::{Connector, Doubt, Identity, Judgement, Pin, Trust, Versions};
use twoport_session::client::io::Tls;

use crate::error::Error;
use crate::known_hosts::KnownHosts;
use crate::url::Scheme;

/// What is wanted of TLS.
#[derive(Debug, Clone, Default)]
pub struct Security {
    /// Whether it is wanted; as the URL's scheme has it when nothing is said, and not at all where there is no URL.
    pub tls: Option<Tls>,
    /// Authorities in PEM, in place of the system's: whoever they vouch for is believed, and nobody else.
    pub authorities: Option<Arc<Vec<u8>>>,
    /// Certificates or keys of which the server must show one, whoever vouches for it.
    pub pins: Vec<Pin>,
    /// Anybody is believed.
    pub insecure: bool,
    /// Our own certificate, for a server that asks for one.
    pub identity: Option<Identity>,
    /// Which versions may be agreed on.
    pub versions: Versions,
    /// What servers have shown before, for those that need not be verified.
    pub known_hosts: Option<KnownHosts>,
    /// TLS from the first byte was found out and not demanded: then it is as with [`Tls::Prefer`] in all else.
    pub found_out: bool,
}

/// Security for one server: what was seen there before is known.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub(crate) tls: Tls,
    pub(crate) seen: Option<[u8; 32]>,
    pub(crate) connector: Option<Connector>,
}

impl Security {
    /// No TLS.
    #[must_use]
    pub fn off() -> Self {
        Security { tls: Some(Tls::Off), ..Security::default() }
    }

    /// What a URL of this scheme wants where nothing else was said.
    #[must_use]
    pub fn of(scheme: Scheme) -> Tls {
        match scheme {
            Scheme::Ftp => Tls::Prefer,
            Scheme::Ftpes => Tls::Require,
            Scheme::Ftps => Tls::Implicit,
        }
    }

    /// The same, for a URL of this scheme.
    #[must_use]
    pub fn for_scheme(mut self, scheme: Scheme) -> Self {
        self.tls.get_or_insert(Self::of(scheme));
        self
    }

    /// Whether it is TLS or nothing.
    fn is_demanded(&self) -> bool {
        matches!(self.tls, Some(Tls::Require | Tls::Implicit)) && !self.found_out
    }

    /// Whether a server that nobody vouches for will do, and is remembered.
    fn remembers(&self) -> bool {
        !self.is_demanded() && !self.insecure && self.pins.is_empty() && self.authorities.is_none()
    }

    /// What there is to be done for a session with this server.
    pub(crate) fn wanted(&self, host: &str, port: u16) -> Result<Wanted, Error> {
        let tls = self.tls.unwrap_or(Tls::Off);
        if tls == Tls::Off {
            return Ok(Wanted { tls, seen: None, connector: None });
        }
        let seen = match self.known_hosts.as_ref().filter(|_| self.remembers()) {
            Some(known) => known.get(host, port).map_err(|source| Error::Local {
                what: format!("{} cannot be read", known.path().display()),
                source,
            })?,
            None => None,
        };
        let rule = match self {
            _ if self.insecure => Rule::Anybody,
            _ if !self.pins.is_empty() => Rule::Pinned(self.pins.clone()),
            _ if self.remembers() => Rule::SeenBefore(seen),
            _ => Rule::Verified,
        };
        let trust = Trust { authorities: self.authorities.clone(), rule };
        let connector = Connector::new(host, trust, self.versions, self.identity.as_ref());
        let connector = connector.map_err(|why| Error::BadArgument(format!("TLS with {host}: {why}")))?;
        // A server that spoke TLS yesterday and does not today may be somebody who wants to read along.
        let tls = if tls == Tls::Prefer && seen.is_some() { Tls::Require } else { tls };
        Ok(Wanted { tls, seen, connector: Some(connector) })
    }

    /// Hands that are shaken with this server: with anybody who shows a certificate, where that is all that was asked for. None
    /// where no TLS is wanted.
    ///
    /// # Errors
    /// When the host is no name for TLS, or the authorities or what is remembered cannot be read.
    pub fn connector(&self, host: &str, port: u16) -> Result<Option<Connector>, Error> {
        self.wanted(host, port).map(|wanted| wanted.connector)
    }

    /// The same without TLS, where that was not demanded and the server is not known to have it.
    pub(crate) fn without(&self, seen: Option<[u8; 32]>) -> Option<Security> {
        let may = !self.is_demanded() && seen.is_none();
        may.then(|| Security { tls: Some(Tls::Off), ..self.clone() })
    }

    /// The same with TLS from the first byte, for a server that says nothing before it.
    pub(crate) fn implicit(&self) -> Security {
        Security { tls: Some(Tls::Implicit), found_out: !self.is_demanded(), ..self.clone() }
    }

    /// Remembers what the server has shown; what is to be said of it.
    ///
    /// # Errors
    /// When another session that met the server at the same time was shown something else.
    pub(crate) fn remember(
        &self,
        host: &str,
        port: u16,
        seen: Option<[u8; 32]>,
        found: &Judgement,
    ) -> Result<Option<String>, Error> {
        if !self.remembers() || seen == Some(found.fingerprint) {
            return Ok(None);
        }
        let kept = match &self.known_hosts {
            None => "it is remembered nowhere".to_owned(),
            Some(known) => {
                let place = known.path().display();
                match known.put(host, port, seen, &found.fingerprint) {
                    Ok(None) => format!("it is remembered in {place}, and another one would be refused"),
                    Ok(Some(other)) if other == found.fingerprint || found.verified => return Ok(None),
                    Ok(Some(other)) => {
                        let doubt = Some(Doubt::Changed(other));
                        return Err(self.insecure(
                            host,
                            "",
                            seen,
                            Some(Judgement { doubt, ..found.clone() }),
                        ));
                    }
                    Err(e) => format!("it cannot be remembered in {place}: {e}"),
                }
            }
        };
        let shown = write_fingerprint(&found.fingerprint);
        // Where an authority vouches for it there is nothing to be said.
        Ok((!found.verified).then(|| {
            format!(
                "first sight of {host}: no authority vouches for its certificate, SHA-256 {shown}; {kept}"
            )
        }))
    }

    /// Why this is not safe enough, with what to do.
    pub(crate) fn insecure(
        &self,
        host: &str,
        why: &str,
        seen: Option<[u8; 32]>,
        found: Option<Judgement>,
    ) -> Error {
        let Some(Judgement { fingerprint, doubt: Some(doubt), .. }) = found else {
            return Error::Insecure(match seen {
                Some(_) => format!(
                    "{host} spoke TLS before, and now it does not: {why}. Somebody on the way may want to read along. If the \
                     server has given TLS up, take its line out of {}, or say --tls off",
                    self.place()
                ),
                None => format!(
                    "TLS was demanded, and with {host} none came about: {why}. If it need not be, ftp:// without --tls takes \
                     what there is"
                ),
            });
        };
        let shown = write_fingerprint(&fingerprint);
        Error::Insecure(match doubt {
            Doubt::Unverified(why) => format!(
                "the certificate of {host} is not to be trusted: {why}. Its SHA-256 is {shown}. If whoever runs the server says \
                 that it is the right one, say --pin {shown}, or name its authority with --ca FILE"
            ),
            Doubt::NotPinned => format!(
                "{host} shows another certificate than --pin names, of SHA-256 {shown}. Ask whoever runs it whether that is the \
                 new one: somebody may be in between"
            ),
            Doubt::Changed(before) => format!(
                "{host} shows another certificate than before: SHA-256 {shown}, and it was {}. Somebody may be in between. If \
                 whoever runs the server says that it is the new one, take its line out of {}",
                write_fingerprint(&before),
                self.place()
            ),
        })
    }

    fn place(&self) -> String {
        self.known_hosts.as_ref().map_or(String::new(), |known| known.path().display().to_string())
    }
}
