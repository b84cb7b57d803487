//! What a situation is: where the client and the server stand, which rules the hosts have, how the server behaves, what is the
//! matter, who has to change something, and which modes get through all the same.

use std::fmt;

use twoport_doctor::causes::{Cause, Side};

use crate::scripted::Script;

/// One situation. What a row does not say is as in `PLAIN`.
#[derive(Debug, Clone, Copy)]
pub struct Situation {
    /// Its name.
    pub slug: &'static str,
    /// What is the matter, in a sentence.
    pub sentence: &'static str,
    /// The failures that it shows, by their numbers.
    pub shows: &'static str,
    /// The true cause.
    pub cause: Cause,
    /// Causes that are true there too, and that the doctor may name in its place: more is not to be seen from outside.
    pub also: &'static [Cause],
    /// Who has to change something.
    pub side: Side,
    /// What comes of EPSV, PASV, EPRT and PORT, in this order.
    pub modes: [Outcome; 4],
    /// Whether TLS is wanted.
    pub tls: Tls,
    /// The server's control port.
    pub port: u16,
    pub(crate) client: ClientPlace,
    pub(crate) server: ServerPlace,
    pub(crate) peer: Peer,
    pub(crate) rules: &'static [Rule],
    /// Routers that have the kernel's FTP helper, for this control port.
    pub(crate) helpers: &'static [(At, u16)],
    /// Values below `/proc/sys`.
    pub(crate) settings: &'static [(At, &'static str, &'static str)],
    /// The largest packet between the two routers.
    pub(crate) mtu: u16,
    /// What else runs.
    pub(crate) beside: &'static [Beside],
    /// The addresses that the server's name has; without any the server is reached by its address.
    pub(crate) names: &'static [&'static str],
    /// The address by which the server is reached, where it is not its own or its router's.
    pub(crate) reached: Option<&'static str>,
    /// The proxy that the user's environment names in `ALL_PROXY`. The modes are tried without it.
    pub(crate) proxy: Option<&'static str>,
    /// The password that the user gives.
    pub password: &'static str,
}

/// As `twoport lab --list` shows it.
impl fmt::Display for Situation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Situation { slug, sentence, shows, .. } = self;
        let (cause, side) = (self.cause.entry().slug, self.side.name());
        write!(f, "{slug}\n    {sentence}.\n    {cause}, {side}; shows {shows}")
    }
}

/// Nothing is the matter: a client behind a home router, a public server, and every mode but active.
pub(crate) const PLAIN: Situation = Situation {
    slug: "",
    sentence: "",
    shows: "-",
    cause: Cause::Healthy,
    also: &[],
    side: Side::None,
    modes: [YES, YES, NO, NO],
    tls: Tls::None,
    port: 21,
    client: ClientPlace::Home,
    server: ServerPlace::Public,
    peer: Peer::Ours(&[]),
    rules: &[],
    helpers: &[],
    settings: &[],
    mtu: 1500,
    beside: &[],
    names: &[],
    reached: None,
    proxy: None,
    password: crate::PASSWORD,
};

pub(crate) const YES: Outcome = Outcome::Through;
pub(crate) const PEER: Outcome = Outcome::Corrected;
pub(crate) const HALF: Outcome = Outcome::Unconfirmed;
pub(crate) const NO: Outcome = Outcome::Failed;

/// One way to a data connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// RFC 2428: a port of the server.
    Epsv,
    /// RFC 959: an address and a port of the server.
    Pasv,
    /// RFC 2428: an address and a port of the client, of either family.
    Eprt,
    /// RFC 959: an address and a port of the client.
    Port,
}

impl Mode {
    /// In the order of [`Situation::modes`].
    pub const ALL: [Mode; 4] = [Mode::Epsv, Mode::Pasv, Mode::Eprt, Mode::Port];

    /// Its command.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Mode::Epsv => "EPSV",
            Mode::Pasv => "PASV",
            Mode::Eprt => "EPRT",
            Mode::Port => "PORT",
        }
    }
}

/// What came of a mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The whole file, and the server said so.
    Through,
    /// The same, at the server's address and not at the one that 227 told.
    Corrected,
    /// The whole file, and the control connection or the end of the data connection was lost.
    Unconfirmed,
    /// Not the file.
    Failed,
}

impl Outcome {
    /// In one word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Outcome::Through => "yes",
            Outcome::Corrected => "corrected",
            Outcome::Unconfirmed => "unconfirmed",
            Outcome::Failed => "no",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Whether TLS is wanted by the user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tls {
    /// Not by the user. The server may have it all the same.
    None,
    /// By AUTH TLS.
    Explicit,
}

/// Where the client stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClientPlace {
    /// Behind a home router: NAT, and nothing comes in that was not asked for.
    Home,
    /// With an address of its own, and a router that lets everything through.
    Public,
    /// In the network of the server.
    Lan,
}

/// Where the server stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ServerPlace {
    /// With an address of its own, and a router that lets everything through.
    Public,
    /// Behind NAT, with this forwarded: what comes before `dnat` in a rule.
    Behind(&'static str),
}

/// A host. They are kept in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum At {
    Client,
    Home,
    Edge,
    Server,
}

/// Rules of a host, in one chain. They stand in the place of what the host would have there.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rule {
    pub(crate) at: At,
    /// `input`, `forward`, `output`, and for NAT `prerouting` and `postrouting`.
    pub(crate) hook: &'static str,
    /// Lines of nftables. The one that is the fault counts by `counter name hit`.
    pub(crate) lines: &'static str,
}

/// Who serves.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Peer {
    /// `twoport serve` with these flags besides.
    Ours(&'static [&'static str]),
    /// A server that does what ours never would.
    Scripted(Script),
    /// Nobody.
    Nobody,
}

/// What runs besides.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Beside {
    /// Takes connections at a port, and says nothing.
    Mute(At, u16),
    /// A SOCKS proxy at a port.
    Socks(At, u16),
    /// A second server, behind the same router, where nothing listens.
    SecondServer,
}
