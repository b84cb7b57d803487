//! The configuration as it is written: TOML with the names of the flags. Unknown keys and values that cannot be right
//! are errors with line and column; what was read becomes [`Settings`] in [`Config::settle`].

mod data;
mod tls;

use std::fmt;
use std::net::{SocketAddr, SocketAddrV4};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use twoport_net::outside::Cloud;
use twoport_plan::Network;
use twoport_plan::outside::PortMap;
use twoport_plan::ports::PortRange;
use twoport_proto::Secret;
use twoport_session::Rights;
use twoport_session::rights::Right;
use twoport_store::CutUploads;
use twoport_users::{Account, Accounts, Password};

pub use self::data::AddressRule;
pub use self::tls::{Acme, Asked, Files, ListenerTable, ResumptionWord, TlsWord};
use crate::settings::{Active, Settings};

/// What a file or the flags said; what they did not say is `None`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Config {
    /// Where to listen: `["[::]:2121"]`.
    pub listen: Option<Vec<SocketAddr>>,
    /// The folder that is shared.
    pub root: Option<PathBuf>,
    /// The name in the greeting; the machine's own by default.
    pub host_name: Option<String>,
    /// The names that HOST may ask for; any by default.
    pub hosts: Option<Vec<String>>,
    /// Accounts: `[[user]]` with `name`, `password`, `rights` and perhaps `root`.
    pub user: Vec<User>,
    /// Whether anybody may come in as anonymous, and what they may do then.
    pub anonymous: Option<Anonymous>,
    /// Whether anonymous may ask SITE DOCTOR what was seen of its connections: `false` by default.
    pub anonymous_doctor: Option<bool>,
    /// `"61000-61255"`.
    #[serde(deserialize_with = "data::ports")]
    pub passive_ports: Option<PortRange>,
    /// What 227 tells: an IPv4 address, a name that has one, `auto` (what `stun-server` or `cloud-metadata` sees), `control`
    /// (0.0.0.0, "the control address"), or `reached`, which is the default. Clients of our own network are told our own.
    pub passive_address: Option<String>,
    /// The same for sessions in TLS.
    pub passive_address_tls: Option<String>,
    /// The same for clients of some networks: `[[passive-address-for]]` with `networks` and `tell`.
    pub passive_address_for: Vec<AddressRule>,
    /// Passive ports that have other numbers outside: `["60000-60099=50000-50099"]`, outside first.
    #[serde(deserialize_with = "data::port_map")]
    pub passive_port_map: Option<PortMap>,
    /// A STUN server that is asked for our outer address: `HOST:PORT`.
    pub stun_server: Option<String>,
    /// The cloud whose metadata is asked for it.
    #[serde(deserialize_with = "data::cloud")]
    pub cloud_metadata: Option<Cloud>,
    /// Where the cloud's metadata is; 169.254.169.254:80 by default.
    pub metadata_address: Option<SocketAddrV4>,
    /// Passive ports that one client may wait on at once; all by default.
    pub passive_share: Option<usize>,
    /// What happens when no passive port is left for a client: `refuse`, or `wait N s`; `wait 10 s` by default.
    #[serde(deserialize_with = "data::when_full")]
    pub when_full: Option<Duration>,
    /// Active mode.
    pub active: Option<ActiveMode>,
    /// Passive mode.
    pub passive: Option<OnOff>,
    /// Listeners with a mind of their own, besides those of `listen`: `[[listener]]`.
    pub listener: Vec<ListenerTable>,
    /// Networks of balancers that say by the PROXY protocol who the client is; a connection from there must begin with it.
    #[serde(deserialize_with = "data::trusted")]
    pub proxy_protocol: Option<Vec<Network>>,
    /// Listeners with TLS from the first byte.
    pub implicit: Option<Vec<SocketAddr>>,
    /// TLS: `on` by default, where the client wants it.
    pub tls: Option<TlsWord>,
    /// TLS of data connections; as `tls` by default.
    pub tls_data: Option<TlsWord>,
    /// The certificate in PEM; one is made up and kept where none is named.
    pub tls_cert: Option<PathBuf>,
    /// Its key in PEM; in the same file by default.
    pub tls_key: Option<PathBuf>,
    /// Further certificates, for clients that want another name: `[[certificate]]`.
    pub certificate: Vec<Files>,
    /// A certificate by ACME: `[acme]`.
    pub acme: Option<Acme>,
    /// Whether a data connection in TLS must resume its login's session: `require` by default.
    pub data_resumption: Option<ResumptionWord>,
    /// Whether clients are asked for a certificate: `off` by default, `optional` where accounts have one.
    pub client_certificates: Option<Asked>,
    /// The authority that signs clients' certificates, in PEM.
    pub client_ca: Option<PathBuf>,
    /// Whether CCC is taken: `false` by default.
    pub ccc: Option<bool>,
    /// Where the server keeps what must outlive it.
    pub state_folder: Option<PathBuf>,
    /// Whether an upload is on the disk before 226.
    pub durable: Option<bool>,
    /// What becomes of an upload under a new name that was cut: `keep`, so that it can be resumed, or `discard`.
    pub cut_uploads: Option<Cut>,
    /// Sessions at once.
    pub max_sessions: Option<usize>,
    /// How long transfers may go on after the order to stop, in seconds.
    pub drain_seconds: Option<u64>,
    /// How long a session may do nothing, in seconds.
    pub idle_seconds: Option<u64>,
    /// How long a transfer waits for its data connection, in seconds.
    pub link_seconds: Option<u64>,
    /// How long a data connection may move nothing, in seconds.
    pub stall_seconds: Option<u64>,
    /// How long a control connection is quiet before the system shows that it lives, in seconds: 45 by default, 0 for never.
    pub keepalive_seconds: Option<u64>,
}

/// An account as it is written.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct User {
    /// The name.
    pub name: String,
    /// The password; there may be none where there is a certificate.
    pub password: Option<String>,
    /// `rw` by default.
    #[serde(default)]
    pub rights: RightsWord,
    /// A folder of its own; the shared one by default.
    pub root: Option<PathBuf>,
    /// TLS on the control connection, whatever the listener says.
    pub tls: Option<TlsWord>,
    /// The same of data connections.
    pub tls_data: Option<TlsWord>,
    /// Certificates of which one must be shown: SHA-256, or a name in one that `client-ca` has signed.
    #[serde(default)]
    pub certificate: Vec<String>,
    /// Whether it may ask SITE DOCTOR what was seen of its connections.
    #[serde(default)]
    pub doctor: bool,
}

impl User {
    /// An account with a password, and nothing special.
    #[must_use]
    pub fn new(name: &str, password: String, rights: RightsWord) -> Self {
        User {
            name: name.to_owned(),
            password: Some(password),
            rights,
            root: None,
            tls: None,
            tls_data: None,
            certificate: Vec::new(),
            doctor: false,
        }
    }
}

/// The password is not for anybody's eyes.
impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User").field("name", &self.name).field("rights", &self.rights).finish_non_exhaustive()
    }
}

/// `ro`, `rw` or `drop`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RightsWord {
    /// Look and read.
    Ro,
    /// Everything.
    #[default]
    Rw,
    /// Store what is new; neither list nor read.
    Drop,
}

/// Whether anonymous is let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Anonymous {
    /// No.
    Off,
    /// To look and read.
    Ro,
    /// To do everything.
    Rw,
    /// To store what is new.
    Drop,
}

/// Active mode as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ActiveMode {
    /// Yes, from any port.
    On,
    /// No.
    Off,
    /// Yes, from port 20.
    Port20,
}

/// Yes or no.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnOff {
    /// Yes.
    On,
    /// No.
    Off,
}

/// What becomes of an upload that was cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cut {
    /// It is kept under its name.
    Keep,
    /// It is thrown away.
    Discard,
}

impl From<RightsWord> for Rights {
    fn from(word: RightsWord) -> Rights {
        match word {
            RightsWord::Ro => Rights::READ_ONLY,
            RightsWord::Rw => Rights::READ_WRITE,
            RightsWord::Drop => Rights::DROP,
        }
    }
}

impl Config {
    /// Reads a file's text.
    ///
    /// # Errors
    /// A text with line, column and the line itself.
    pub fn read(text: &str) -> Result<Config, String> {
        toml::from_str(text).map_err(|e| e.to_string())
    }

    /// What is said here, and from `below` what is not.
    #[must_use]
    pub fn over(self, below: Config) -> Config {
        Config {
            listen: self.listen.or(below.listen),
            root: self.root.or(below.root),
            host_name: self.host_name.or(below.host_name),
            hosts: self.hosts.or(below.hosts),
            user: if self.user.is_empty() { below.user } else { self.user },
            anonymous: self.anonymous.or(below.anonymous),
            anonymous_doctor: self.anonymous_doctor.or(below.anonymous_doctor),
            passive_ports: self.passive_ports.or(below.passive_ports),
            passive_address: self.passive_address.or(below.passive_address),
            passive_address_tls: self.passive_address_tls.or(below.passive_address_tls),
            passive_address_for: if self.passive_address_for.is_empty() {
                below.passive_address_for
            } else {
                self.passive_address_for
            },
            passive_port_map: self.passive_port_map.or(below.passive_port_map),
            stun_server: self.stun_server.or(below.stun_server),
            cloud_metadata: self.cloud_metadata.or(below.cloud_metadata),
            metadata_address: self.metadata_address.or(below.metadata_address),
            passive_share: self.passive_share.or(below.passive_share),
            when_full: self.when_full.or(below.when_full),
            active: self.active.or(below.active),
            passive: self.passive.or(below.passive),
            listener: if self.listener.is_empty() { below.listener } else { self.listener },
            proxy_protocol: self.proxy_protocol.or(below.proxy_protocol),
            implicit: self.implicit.or(below.implicit),
            tls: self.tls.or(below.tls),
            tls_data: self.tls_data.or(below.tls_data),
            // A key belongs to the certificate beside it.
            tls_key: if self.tls_cert.is_some() { self.tls_key } else { self.tls_key.or(below.tls_key) },
            tls_cert: self.tls_cert.or(below.tls_cert),
            certificate: if self.certificate.is_empty() { below.certificate } else { self.certificate },
            acme: self.acme.or(below.acme),
            data_resumption: self.data_resumption.or(below.data_resumption),
            client_certificates: self.client_certificates.or(below.client_certificates),
            client_ca: self.client_ca.or(below.client_ca),
            ccc: self.ccc.or(below.ccc),
            state_folder: self.state_folder.or(below.state_folder),
            durable: self.durable.or(below.durable),
            cut_uploads: self.cut_uploads.or(below.cut_uploads),
            max_sessions: self.max_sessions.or(below.max_sessions),
            drain_seconds: self.drain_seconds.or(below.drain_seconds),
            idle_seconds: self.idle_seconds.or(below.idle_seconds),
            link_seconds: self.link_seconds.or(below.link_seconds),
            stall_seconds: self.stall_seconds.or(below.stall_seconds),
            keepalive_seconds: self.keepalive_seconds.or(below.keepalive_seconds),
        }
    }

    /// What it means; the defaults stand where nothing was said.
    ///
    /// # Errors
    /// A sentence with the name of the setting.
    pub fn settle(mut self) -> Result<Settings, String> {
        let mut settings = Settings::new();
        let plain = match &self.listen {
            Some(listen) => listen.clone(),
            None if self.listener.is_empty() => settings.listen.iter().map(|one| one.address).collect(),
            None => Vec::new(),
        };
        settings.listen = tls::listeners(&self, plain)?;
        if settings.listen.is_empty() {
            return Err("listen: at least one address is needed, like \"[::]:2121\"".to_owned());
        }
        if let Some(name) = &self.host_name {
            settings.host.clone_from(name);
        }
        data::settle(&mut self, &mut settings)?;
        settings.tls = tls::tls(&self, &settings.listen, &settings.host)?;
        settings.proxy_protocol = self.proxy_protocol.unwrap_or_default();
        let root = self.root.unwrap_or_else(|| PathBuf::from("."));
        let anonymous = anonymous(self.anonymous, self.anonymous_doctor)?;
        settings.accounts = accounts(self.user, anonymous, &root)?;
        if settings.host.is_empty() || settings.host.contains(|c: char| c.is_control()) {
            return Err("host-name: expected a name without control characters".to_owned());
        }
        settings.hosts = self.hosts.unwrap_or_default();
        settings.active = match self.active {
            Some(ActiveMode::Off) => Active::Off,
            Some(ActiveMode::Port20) => Active::Port20,
            Some(ActiveMode::On) | None => Active::On,
        };
        settings.passive = self.passive != Some(OnOff::Off);
        if settings.active == Active::Off && !settings.passive {
            return Err("active and passive are both off: no file could ever be moved".to_owned());
        }
        settings.durable = self.durable.unwrap_or(false);
        if self.cut_uploads == Some(Cut::Discard) {
            settings.cut_uploads = CutUploads::Discard;
        }
        settings.max_sessions = self.max_sessions.unwrap_or(settings.max_sessions).max(1);
        let seconds = |said: Option<u64>, default: Duration| said.map_or(default, Duration::from_secs);
        settings.drain = seconds(self.drain_seconds, settings.drain);
        settings.limits.idle = seconds(self.idle_seconds, settings.limits.idle);
        settings.limits.link = seconds(self.link_seconds, settings.limits.link);
        settings.limits.stall = seconds(self.stall_seconds, settings.limits.stall);
        settings.keepalive = match self.keepalive_seconds {
            None => settings.keepalive,
            Some(0) => None,
            Some(often @ 1..=32767) => Some(Duration::from_secs(often)),
            Some(_) => return Err("keepalive-seconds: at most 32767, and 0 for never".to_owned()),
        };
        Ok(settings)
    }
}

/// What anonymous may do, where it is let in.
fn anonymous(said: Option<Anonymous>, doctor: Option<bool>) -> Result<Option<Rights>, String> {
    let rights = match said {
        None | Some(Anonymous::Off) if doctor == Some(true) => {
            return Err("anonymous-doctor: nobody comes in as anonymous here".to_owned());
        }
        None | Some(Anonymous::Off) => return Ok(None),
        Some(Anonymous::Ro) => Rights::READ_ONLY,
        Some(Anonymous::Rw) => Rights::READ_WRITE,
        Some(Anonymous::Drop) => Rights::DROP,
    };
    Ok(Some(if doctor == Some(true) { rights.with(Right::Doctor) } else { rights }))
}

fn accounts(users: Vec<User>, anonymous: Option<Rights>, root: &Path) -> Result<Vec<Account>, String> {
    let mut accounts: Vec<Account> = Vec::new();
    for user in users {
        if user.name.is_empty() || user.name.contains(|c: char| c.is_control()) {
            return Err("user: a name must have at least one character, and no control characters".to_owned());
        }
        if accounts.iter().any(|account| account.name == user.name) {
            return Err(format!("user: {:?} stands there twice", user.name));
        }
        let password = match (user.password, user.certificate.is_empty()) {
            (Some(password), _) => Password::Plain(Secret::new(password)),
            (None, false) => Password::None,
            (None, true) => {
                return Err(format!("user {:?}: a password is needed, or a certificate", user.name));
            }
        };
        let rights = Rights::from(user.rights);
        accounts.push(Account {
            name: user.name,
            password,
            rights: if user.doctor { rights.with(Right::Doctor) } else { rights },
            needs: tls::account_needs(user.tls, user.tls_data),
            certificates: tls::certificates(&user.certificate),
            root: user.root.unwrap_or_else(|| root.to_owned()),
        });
    }
    if let Some(rights) = anonymous {
        accounts.push(Accounts::anonymous(rights, root.to_owned()));
    }
    Ok(accounts)
}

#[cfg(test)]
mod tests {
    use twoport_session::Need;

    use super::*;
    use crate::certificates::Source;
    use crate::settings::Resumption;

    fn settle(text: &str) -> Result<Settings, String> {
        Config::read(text)?.settle()
    }

    #[test]
    fn a_whole_file_is_understood() {
        let settings = settle(
            r#"
            listen = ["127.0.0.1:2121", "[::1]:2121"]
            root = "/srv"
            anonymous = "drop"
            passive-ports = "50000-50009"
            passive-address = "203.0.113.9"
            active = "port20"
            cut-uploads = "discard"
            durable = true
            drain-seconds = 5
            [[user]]
            name = "anna"
            password = "secret"
            rights = "ro"
            "#,
        )
        .unwrap();
        assert_eq!(settings.listen.len(), 2);
        assert_eq!(settings.passive_ports.len(), 10);
        assert_eq!(settings.outside.tell.to_string(), "203.0.113.9");
        assert_eq!(settings.active, Active::Port20);
        assert_eq!(settings.accounts.len(), 2);
        assert!(settings.durable);
    }

    #[test]
    fn who_may_ask_the_doctor_is_said_for_each() {
        let settings = settle(
            r#"
            anonymous = "ro"
            anonymous-doctor = true
            [[user]]
            name = "anna"
            password = "secret"
            doctor = true
            [[user]]
            name = "bob"
            password = "secret"
            "#,
        )
        .unwrap();
        let may = |account: &Account| (account.rights.has(Right::Doctor), format!("{:?}", account.rights));
        let may: Vec<(bool, String)> = settings.accounts.iter().map(may).collect();
        let expected = [(true, "rw and doctor"), (false, "rw"), (true, "ro and doctor")];
        assert_eq!(may, expected.map(|(may, shown)| (may, shown.to_owned())));
        let settings = settle("anonymous = \"ro\"").unwrap();
        assert!(!settings.accounts[0].rights.has(Right::Doctor));
    }

    #[test]
    fn an_unknown_key_names_the_known_ones_and_its_place() {
        let error = settle("listen = [\"127.0.0.1:2121\"]\npasive-ports = \"1-2\"").unwrap_err();
        assert!(error.contains("line 2") && error.contains("passive-ports"), "{error}");
    }

    #[test]
    fn values_that_cannot_be_right_are_sentences() {
        for (text, said) in [
            ("passive-ports = \"9-8\"", "line 1"),
            ("passive-ports = \"2000-3000\"", "2121"),
            ("active = \"off\"\npassive = \"off\"", "no file could ever be moved"),
            ("tls = \"off\"\nimplicit = [\"127.0.0.1:990\"]", "from the first byte"),
            ("tls = \"off\"\ntls-data = \"required\"", "tls-data"),
            ("tls-key = \"key.pem\"", "tls-cert"),
            ("[[user]]\nname = \"a\"", "a password is needed, or a certificate"),
            ("[[user]]\nname = \"a\"\ncertificate = [\"a@example.org\"]", "client-ca"),
            ("client-certificates = \"required\"", "client-ca"),
            ("[acme]\nnames = [\"a.example.org\"]\naccept-terms = false", "accept-terms"),
            ("[acme]\nnames = [\"a.example.org\"]\naccept-terms = true\nchallenge = \"dns-01\"", "hook"),
            ("[acme]\nnames = [\"*.example.org\"]\naccept-terms = true", "dns-01 only"),
            (
                "tls = \"off\"\n[[user]]\nname = \"a\"\npassword = \"b\"\ntls = \"required\"",
                "no listener offers TLS",
            ),
            ("passive-address = \"::1\"", "IPv4"),
            ("keepalive-seconds = 32768", "32767"),
            ("hosts = []\nproxy-protocol = [\"10.0.0.0/8\", \"balancer\"]", "line 2"),
            ("proxy-protocol = [\"10.0.0.1/8\"]", "did you mean 10.0.0.0/8"),
            ("[[listener]]\naddress = \"127.0.0.1:21\"\nproxy-protocol = true", "no network"),
            ("anonymous-doctor = true", "nobody comes in as anonymous"),
            ("listen = []", "at least one address"),
            ("[[user]]\nname = \"a\"\npassword = \"b\"\n[[user]]\nname = \"a\"\npassword = \"c\"", "twice"),
        ] {
            let error = settle(text).unwrap_err();
            assert!(error.contains(said), "{text}: {error}");
        }
    }

    #[test]
    fn listeners_and_accounts_may_differ_in_tls() {
        let settings = settle(
            r#"
            listen = ["127.0.0.1:2121"]
            implicit = ["127.0.0.1:990"]
            tls-data = "required"
            state-folder = "/var/lib/x"
            [[listener]]
            address = "127.0.0.1:21"
            tls = "off"
            [[listener]]
            address = "127.0.0.1:22"
            tls = "required"
            [[user]]
            name = "anna"
            tls = "required"
            certificate = ["00:01:02:03:04:05:06:07:08:09:0A:0B:0C:0D:0E:0F:00:01:02:03:04:05:06:07:08:09:0A:0B:0C:0D:0E:0F"]
            "#,
        )
        .unwrap();
        let doors: Vec<(Need, Need, bool)> = settings
            .listen
            .iter()
            .map(|listener| (listener.door.needs.control, listener.door.needs.data, listener.door.implicit))
            .collect();
        let expected = [
            (Need::On, Need::Required, false),
            (Need::On, Need::Required, true),
            (Need::Off, Need::Off, false),
            (Need::Required, Need::Required, false),
        ];
        assert_eq!(doors, expected);
        assert_eq!(settings.accounts[0].needs.control, Need::Required);
        assert!(matches!(settings.accounts[0].password, Password::None));
        let tls = settings.tls.unwrap();
        assert!(tls.clients.asked && !tls.clients.required);
        assert_eq!(tls.resumption, Resumption::Require);
        assert!(
            matches!(&tls.certificates[..], [Source::MadeUp { folder, .. }] if folder == Path::new("/var/lib/x"))
        );
    }

    #[test]
    fn a_listener_may_be_without_headers() {
        let text = "listen = [\"127.0.0.1:2121\"]\nproxy-protocol = [\"10.0.0.0/8\", \"fd00::1\"]\n\
                    [[listener]]\naddress = \"127.0.0.1:21\"\nproxy-protocol = false";
        let settings = settle(text).unwrap();
        assert_eq!(settings.proxy_protocol.len(), 2);
        let headers: Vec<bool> = settings.listen.iter().map(|listener| listener.headers).collect();
        assert_eq!(headers, [true, false]);
        assert_eq!(settings.keepalive, Some(Duration::from_secs(45)));
        assert_eq!(settle("keepalive-seconds = 0").unwrap().keepalive, None);
    }

    #[test]
    fn flags_win_over_the_file() {
        let file = Config::read("passive-ports = \"50000-50009\"\nidle-seconds = 9").unwrap();
        let flags =
            Config { passive_ports: Some(PortRange::read("50100-50109").unwrap()), ..Config::default() };
        let settings = flags.over(file).settle().unwrap();
        assert_eq!(settings.passive_ports.first(), 50100);
        assert_eq!(settings.limits.idle, Duration::from_secs(9));
    }

    #[test]
    fn a_password_is_not_in_debug() {
        let config = Config::read("[[user]]\nname = \"a\"\npassword = \"hunter2\"").unwrap();
        assert!(!format!("{config:?}").contains("hunter2"));
        assert!(!format!("{:?}", config.settle().unwrap()).contains("hunter2"));
    }
}
