//! TLS as it is written in the configuration, and what it means: which listeners offer or demand it, where certificates come
//! from, whether data connections are tied to their login.

use std::fmt;
use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use twoport_certs::acme::{self, Challenge, ExternalAccount};
use twoport_net::tls::ClientCertificates;
use twoport_net::tls::trust::read_fingerprint;
use twoport_session::server::Door;
use twoport_session::{Need, Needs};
use twoport_users::Certificate;

use super::Config;
use crate::certificates::Source;
use crate::settings::{Listener, Resumption, Tls};

/// Whether connections are in TLS, as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TlsWord {
    /// No.
    Off,
    /// Where the client wants it.
    On,
    /// Always.
    Required,
}

/// Whether data connections are tied to their login, as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ResumptionWord {
    /// No.
    Off,
    /// Another login's session is refused.
    Prefer,
    /// This login's session must be resumed.
    Require,
}

/// Whether clients are asked for a certificate, as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Asked {
    /// No.
    Off,
    /// Those who have one may show it.
    Optional,
    /// Nobody comes in without one.
    Required,
}

/// A further certificate, for clients that want the name in it: `[[certificate]]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Files {
    /// The chain in PEM.
    pub cert: PathBuf,
    /// The key in PEM; in the same file by default.
    pub key: Option<PathBuf>,
}

/// A certificate by ACME (RFC 8555), renewed in time: `[acme]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Acme {
    /// The hosts and addresses that it is for.
    pub names: Vec<String>,
    /// Whether the terms of service of the directory are accepted: there is no certificate without it.
    #[serde(default)]
    pub accept_terms: bool,
    /// Mail addresses at which the authority may write to somebody.
    #[serde(default)]
    pub contact: Vec<String>,
    /// The URL of the directory; Let's Encrypt's by default.
    pub directory: Option<String>,
    /// Authorities that alone are believed of the directory, in PEM; the system's by default.
    pub ca: Option<PathBuf>,
    /// How the names are proved: `http-01` by default.
    #[serde(default)]
    pub challenge: ChallengeWord,
    /// Where the proof listens while it is asked for: `[::]:80` for `http-01` and `[::]:443` for `tls-alpn-01` by default.
    pub listen: Option<SocketAddr>,
    /// The program that puts the record of `dns-01` in place and away.
    pub hook: Option<PathBuf>,
    /// An account at the authority, where it demands one: its key identifier.
    pub account_id: Option<String>,
    /// Its key in base64url.
    pub account_key: Option<Hidden>,
    /// One of the authority's profiles.
    pub profile: Option<String>,
}

/// How names are proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
pub enum ChallengeWord {
    /// By an answer at port 80.
    #[default]
    #[serde(rename = "http-01")]
    Http01,
    /// By an answer at port 443.
    #[serde(rename = "tls-alpn-01")]
    TlsAlpn01,
    /// By a record in DNS.
    #[serde(rename = "dns-01")]
    Dns01,
}

/// A text that nobody should see.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Hidden(pub String);

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(not shown)")
    }
}

impl Acme {
    /// What it means; what is had is kept in `folder`.
    fn settle(&self, folder: &Path) -> Result<Source, String> {
        let directory = self.directory.clone().unwrap_or_else(|| acme::LETS_ENCRYPT.to_owned());
        if !self.accept_terms {
            return Err(format!(
                "acme: accept-terms = true says that you accept the terms of service of {directory}; without it there is no \
                 certificate"
            ));
        }
        let listen = |port| self.listen.unwrap_or_else(|| SocketAddr::from(([0_u16; 8], port)));
        let challenge = match (self.challenge, &self.hook) {
            (ChallengeWord::Dns01, Some(hook)) => Challenge::Dns01 { hook: hook.clone() },
            (ChallengeWord::Dns01, None) => {
                return Err("acme: dns-01 needs a hook, the program that puts the record in place".to_owned());
            }
            (_, Some(_)) => return Err("acme: a hook goes with challenge = \"dns-01\"".to_owned()),
            (ChallengeWord::Http01, None) => Challenge::Http01 { listen: listen(80) },
            (ChallengeWord::TlsAlpn01, None) => Challenge::TlsAlpn01 { listen: listen(443) },
        };
        let external_account = match (&self.account_id, &self.account_key) {
            (Some(id), Some(key)) => Some(ExternalAccount { id: id.clone(), key: key.0.clone() }),
            (None, None) => None,
            _ => return Err("acme: account-id and account-key go together".to_owned()),
        };
        let settings = acme::Settings {
            directory,
            roots: self.ca.clone(),
            contact: self.contact.clone(),
            names: self.names.clone(),
            challenge,
            folder: folder.join("acme"),
            external_account,
            profile: self.profile.clone(),
        };
        settings.check().map_err(|e| format!("acme: {e}"))?;
        Ok(Source::Acme { settings: Box::new(settings), folder: folder.to_owned() })
    }
}

/// A listener with a mind of its own: `[[listener]]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ListenerTable {
    /// The address and port.
    pub address: SocketAddr,
    /// TLS there; what holds in general by default.
    pub tls: Option<TlsWord>,
    /// The same of data connections.
    pub tls_data: Option<TlsWord>,
    /// TLS from the first byte.
    #[serde(default)]
    pub implicit: bool,
    /// Whether the networks of `proxy-protocol` are believed there; they are by default.
    pub proxy_protocol: Option<bool>,
}

impl From<TlsWord> for Need {
    fn from(word: TlsWord) -> Need {
        match word {
            TlsWord::Off => Need::Off,
            TlsWord::On => Need::On,
            TlsWord::Required => Need::Required,
        }
    }
}

/// What two words mean together: data connections go as the control connection goes, where nothing was said of them.
fn needs(control: Option<TlsWord>, data: Option<TlsWord>, below: Needs) -> Needs {
    let control_need = control.map_or(below.control, Need::from);
    let data_need = match (data, control) {
        (Some(data), _) => data.into(),
        (None, Some(control)) => control.into(),
        (None, None) => below.data,
    };
    // Nothing protects a data connection beside a control connection in the clear (RFC 4217 §9).
    let data_need = if control_need == Need::Off { Need::Off } else { data_need };
    Needs { control: control_need, data: data_need }
}

/// What an account needs.
pub(super) fn account_needs(control: Option<TlsWord>, data: Option<TlsWord>) -> Needs {
    Needs { control: control.map_or(Need::On, Need::from), data: data.map_or(Need::On, Need::from) }
}

/// 64 hexadecimal digits are a fingerprint, anything else a name.
pub(super) fn certificates(texts: &[String]) -> Vec<Certificate> {
    let read = |text: &String| match read_fingerprint(text) {
        Some(fingerprint) => Certificate::Fingerprint(fingerprint),
        None => Certificate::Name(text.clone()),
    };
    texts.iter().map(read).collect()
}

/// The listeners, each with its door.
///
/// # Errors
/// A sentence with the name of the setting.
pub(super) fn listeners(config: &Config, plain: Vec<SocketAddr>) -> Result<Vec<Listener>, String> {
    let general = needs(config.tls, config.tls_data, Needs::default());
    if config.tls == Some(TlsWord::Off) && config.tls_data == Some(TlsWord::Required) {
        return Err("tls-data: required needs a control connection in TLS; say tls = \"on\"".to_owned());
    }
    let door = |needs, implicit| Door { needs, implicit };
    let mut all: Vec<Listener> = plain
        .into_iter()
        .map(|address| Listener { address, door: door(general, false), headers: true })
        .collect();
    for address in config.implicit.iter().flatten() {
        if general.control == Need::Off {
            return Err("implicit: TLS from the first byte needs TLS; leave tls = \"off\" away".to_owned());
        }
        all.push(Listener { address: *address, door: door(general, true), headers: true });
    }
    for table in &config.listener {
        let needs = needs(table.tls, table.tls_data, general);
        if table.implicit && needs.control == Need::Off {
            return Err(format!("listener {}: implicit needs TLS there", table.address));
        }
        if table.proxy_protocol == Some(true) && config.proxy_protocol.iter().flatten().next().is_none() {
            return Err(format!(
                "listener {}: proxy-protocol = true, and no network is trusted; name them at the top, like proxy-protocol = \
                 [\"10.0.0.0/8\"]",
                table.address
            ));
        }
        let headers = table.proxy_protocol != Some(false);
        all.push(Listener { address: table.address, door: door(needs, table.implicit), headers });
    }
    Ok(all)
}

/// What TLS needs, where a listener offers it.
///
/// # Errors
/// A sentence with the name of the setting.
pub(super) fn tls(config: &Config, listeners: &[Listener], host: &str) -> Result<Option<Tls>, String> {
    let offered = listeners.iter().any(|listener| listener.door.needs.control != Need::Off);
    let wanted = |word: Option<TlsWord>| word == Some(TlsWord::Required);
    if let Some(user) = config.user.iter().find(|user| wanted(user.tls) || wanted(user.tls_data))
        && !offered
    {
        return Err(format!("user {:?}: tls = \"required\", and no listener offers TLS", user.name));
    }
    if !offered {
        return Ok(None);
    }
    Ok(Some(Tls {
        certificates: sources(config, host)?,
        resumption: match config.data_resumption {
            Some(ResumptionWord::Off) => Resumption::Off,
            Some(ResumptionWord::Prefer) => Resumption::Prefer,
            Some(ResumptionWord::Require) | None => Resumption::Require,
        },
        clients: clients(config)?,
        ccc: config.ccc.unwrap_or(false),
    }))
}

fn sources(config: &Config, host: &str) -> Result<Vec<Source>, String> {
    let files = |cert: &Path, key: Option<&PathBuf>| Source::Files {
        certificate: cert.to_owned(),
        key: key.cloned().unwrap_or_else(|| cert.to_owned()),
    };
    let mut sources = Vec::new();
    match (&config.tls_cert, &config.tls_key) {
        (Some(cert), key) => sources.push(files(cert, key.as_ref())),
        (None, Some(_)) => {
            return Err("tls-key: there is a key and no certificate; name it with tls-cert".to_owned());
        }
        (None, None) => {}
    }
    if let Some(acme) = &config.acme {
        sources.push(acme.settle(&state_folder(config)?)?);
    }
    sources.extend(config.certificate.iter().map(|pair| files(&pair.cert, pair.key.as_ref())));
    if sources.is_empty() {
        let folder = state_folder(config)?;
        sources.push(Source::MadeUp { folder, names: own_names(host) });
    }
    Ok(sources)
}

/// What this machine may be called: a certificate that is made up is for all of it.
fn own_names(host: &str) -> Vec<String> {
    let mut names = vec![host.to_owned(), "localhost".to_owned()];
    let loopback = [IpAddr::from([127, 0, 0, 1]), IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1_u16])];
    names.extend(twoport_net::own_addresses().iter().chain(&loopback).map(ToString::to_string));
    names
}

/// Where what must outlive the server is kept: as it is written, as systemd says, or the user's own place.
pub(super) fn state_folder(config: &Config) -> Result<PathBuf, String> {
    if let Some(folder) = &config.state_folder {
        return Ok(folder.clone());
    }
    let folder = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let own = folder("STATE_DIRECTORY")
        .or_else(|| folder("XDG_STATE_HOME").map(|state| state.join("twoport")))
        .or_else(|| folder("HOME").map(|home| home.join(".local/state/twoport")));
    own.ok_or_else(|| {
        "state-folder: there is no HOME to keep a certificate in; name a folder, or a certificate with tls-cert"
            .to_owned()
    })
}

fn clients(config: &Config) -> Result<ClientCertificates, String> {
    let by_account = config.user.iter().any(|user| !user.certificate.is_empty());
    let asked = match config.client_certificates {
        Some(asked) => asked,
        None if by_account || config.client_ca.is_some() => Asked::Optional,
        None => Asked::Off,
    };
    let authorities = match &config.client_ca {
        Some(path) => {
            fs::read(path).map_err(|e| format!("client-ca: {} cannot be read: {e}", path.display()))?
        }
        None => Vec::new(),
    };
    if asked == Asked::Off && by_account {
        return Err("client-certificates: off, and a user has a certificate; say \"optional\"".to_owned());
    }
    let by_name = |text: &String| read_fingerprint(text).is_none();
    if authorities.is_empty()
        && let Some(user) = config.user.iter().find(|user| user.certificate.iter().any(by_name))
    {
        return Err(format!(
            "user {:?}: a certificate by name needs client-ca, the authority that vouches for names; or give its SHA-256",
            user.name
        ));
    }
    if asked == Asked::Required && authorities.is_empty() && !by_account {
        return Err("client-certificates: required needs client-ca, or users with a certificate".to_owned());
    }
    Ok(ClientCertificates {
        asked: asked != Asked::Off,
        required: asked == Asked::Required,
        authorities,
        known: Vec::new(),
    })
}
