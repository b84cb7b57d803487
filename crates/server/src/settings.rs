//! The server's configuration: values that cannot be wrong, read from a file, from flags, or made by a caller.

use std::net::{AddrParseError, SocketAddr};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use twoport_net::outside::Witness;
use twoport_net::tls::ClientCertificates;
use twoport_plan::Network;
use twoport_plan::outside::Outside;
use twoport_plan::ports::PortRange;
use twoport_session::server::Door;
use twoport_session::{Limits, Needs};
use twoport_store::CutUploads;
use twoport_users::Account;

use crate::certificates::Source;

pub use twoport_plan::flow::Active;

/// Where to listen, and what TLS has to do with sessions that come in there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listener {
    /// The address and port.
    pub address: SocketAddr,
    /// What holds behind it.
    pub door: Door,
    /// Whether connections from a trusted network must begin with a PROXY header there, on the control connection and on the data
    /// connections of its sessions.
    pub headers: bool,
}

/// Without TLS.
impl From<SocketAddr> for Listener {
    fn from(address: SocketAddr) -> Self {
        Listener { address, door: Door::CLEAR, headers: true }
    }
}

/// An address and port, without TLS.
impl FromStr for Listener {
    type Err = AddrParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse::<SocketAddr>().map(Listener::from)
    }
}

impl Listener {
    /// The same, with TLS as the client likes.
    #[must_use]
    pub fn with_tls(address: SocketAddr) -> Self {
        Listener { door: Door { needs: Needs::default(), implicit: false }, ..Listener::from(address) }
    }
}

/// Whether a data connection in TLS must resume a session of its login.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Resumption {
    /// It need not.
    Off,
    /// It need not, and may not resume another login's.
    Prefer,
    /// It must.
    #[default]
    Require,
}

/// What TLS needs.
#[derive(Debug, Clone)]
pub struct Tls {
    /// The certificates, at least one; which is shown the client's wish decides, and the first where it has none.
    pub certificates: Vec<Source>,
    /// Whether data connections are tied to their login.
    pub resumption: Resumption,
    /// Whether clients are asked for a certificate.
    pub clients: ClientCertificates,
    /// Whether CCC is taken.
    pub ccc: bool,
}

/// All that a server needs to know.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where to listen.
    pub listen: Vec<Listener>,
    /// The networks of balancers that say by the PROXY protocol who the client is.
    pub proxy_protocol: Vec<Network>,
    /// TLS; without it no listener offers any.
    pub tls: Option<Tls>,
    /// The name in the greeting.
    pub host: String,
    /// The names that HOST may ask for; any when empty.
    pub hosts: Vec<String>,
    /// Who may come in.
    pub accounts: Vec<Account>,
    /// The ports for passive data connections.
    pub passive_ports: PortRange,
    /// What clients are told of where the passive ports are.
    pub outside: Outside,
    /// Who is asked for the address that the world sees.
    pub witness: Option<Witness>,
    /// Passive ports that one client may wait on at once; all when there is none.
    pub passive_share: Option<usize>,
    /// How long PASV and EPSV wait for a port where none is left.
    pub when_full: Duration,
    /// Active mode.
    pub active: Active,
    /// Whether PASV and EPSV are offered.
    pub passive: bool,
    /// Whether an upload is on the disk before 226.
    pub durable: bool,
    /// What becomes of an upload under a new name that was cut.
    pub cut_uploads: CutUploads,
    /// Sessions at once; more are told 421.
    pub max_sessions: usize,
    /// Threads that carry the sessions; as many as there are processors by default.
    pub threads: NonZeroUsize,
    /// How long transfers may go on after the order to stop.
    pub drain: Duration,
    /// Caps and deadlines of a session.
    pub limits: Limits,
    /// How long a control connection is quiet before the system shows that it lives; never where there is none.
    pub keepalive: Option<Duration>,
}

impl Settings {
    /// Where a server listens that is told nothing: every address of both families.
    pub const DEFAULT_LISTEN: &'static str = "[::]:2121";
    /// Passive ports that a server uses that is told nothing: outside Linux's ephemeral range, so that no other program
    /// is given one by chance.
    pub const DEFAULT_PASSIVE_PORTS: &'static str = "61000-61255";

    /// Settings with the defaults of the command line, and nobody who may come in.
    ///
    /// # Panics
    /// Never: the defaults can be read.
    #[must_use]
    pub fn new() -> Self {
        Settings {
            listen: vec![Self::DEFAULT_LISTEN.parse().expect("the default address can be read")],
            proxy_protocol: Vec::new(),
            tls: None,
            host: host_name(),
            hosts: Vec::new(),
            accounts: Vec::new(),
            passive_ports: PortRange::read(Self::DEFAULT_PASSIVE_PORTS)
                .expect("the default range can be read"),
            outside: Outside::default(),
            witness: None,
            passive_share: None,
            when_full: Duration::from_secs(10),
            active: Active::On,
            passive: true,
            durable: false,
            cut_uploads: CutUploads::Keep,
            max_sessions: 1000,
            threads: std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
            drain: Duration::from_secs(30),
            limits: Limits::default(),
            keepalive: Some(twoport_net::control::KEEPALIVE),
        }
    }

    /// The folders that accounts have as their root.
    pub(crate) fn roots(&self) -> impl Iterator<Item = &PathBuf> {
        self.accounts.iter().map(|account| &account.root)
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self::new()
    }
}

/// This machine's name.
fn host_name() -> String {
    let name = rustix::system::uname();
    match name.nodename().to_str() {
        Ok(name) if !name.is_empty() => name.to_owned(),
        _ => "localhost".to_owned(),
    }
}
