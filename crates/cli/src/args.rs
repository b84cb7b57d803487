//! What was typed, and nothing more: no file is opened here and nothing is decided.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

/// FTP that connects, or says why not.
#[derive(Debug, Parser)]
#[command(name = "twoport", version, about, disable_help_subcommand = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Share a folder now
    Serve(Box<Serve>),
    /// Is a configuration right? Prints what it means
    Check(Check),
    /// Print shell completions: twoport completions bash > /etc/bash_completion.d/twoport
    Completions(Completions),
    /// Print a manual page: twoport man serve | man -l -
    Man(Man),
}

/// For which shell.
#[derive(Debug, clap::Args)]
pub(crate) struct Completions {
    /// The shell
    pub(crate) shell: clap_complete::Shell,
}

/// Of which command.
#[derive(Debug, clap::Args)]
pub(crate) struct Man {
    /// The command; the program itself without one
    pub(crate) command: Option<String>,
}

/// A file to check.
#[derive(Debug, clap::Args)]
pub(crate) struct Check {
    /// The configuration file
    #[arg(long, value_name = "FILE")]
    pub(crate) config: PathBuf,
}

/// Flags of `serve`.
#[derive(Debug, clap::Args)]
pub(crate) struct Serve {
    /// The folder to share, read and write [default: .]
    #[arg(value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
    /// Everything from a file; flags win over it
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Where to listen, again for more [default: [::]:2121, both families]
    #[arg(long, value_name = "ADDR:PORT")]
    pub(crate) listen: Vec<SocketAddr>,
    /// An account, again for more; a missing password is made up and printed [default: one made up for the occasion]
    #[arg(long, value_name = "NAME[:PASSWORD][@ro|rw]")]
    pub(crate) user: Vec<String>,
    /// Let anybody in as anonymous; drop = may store, may not list or read [default: off]
    #[arg(long, value_name = "RIGHTS")]
    pub(crate) anonymous: Option<Anonymous>,
    /// Ports for passive data connections [default: 61000-61255]
    #[arg(long, value_name = "LO-HI")]
    pub(crate) passive_ports: Option<String>,
    /// What 227 tells [default: the address the client reached]
    #[arg(long, value_name = "ADDR|NAME|auto")]
    pub(crate) passive_address: Option<String>,
    /// Active mode; port20 = connect from the data port of RFC 959 [default: on]
    #[arg(long, value_name = "MODE")]
    pub(crate) active: Option<Active>,
    /// Passive mode [default: on]
    #[arg(long, value_name = "MODE")]
    pub(crate) passive: Option<OnOff>,
    /// TLS; this version has none yet, so only off is taken [default: off]
    #[arg(long, value_name = "MODE")]
    pub(crate) tls: Option<Tls>,
    /// The certificate for TLS
    #[arg(long, value_name = "FILE")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// The key for TLS
    #[arg(long, value_name = "FILE")]
    pub(crate) tls_key: Option<PathBuf>,
    /// Must a TLS data connection resume this login's session? [default: off until there is TLS]
    #[arg(long, value_name = "MODE")]
    pub(crate) data_resumption: Option<Resumption>,
    /// An implicit-TLS listener
    #[arg(long, value_name = "ADDR:PORT")]
    pub(crate) implicit: Option<SocketAddr>,
    /// How long transfers may finish after the order to stop [default: 30]
    #[arg(long, value_name = "SECONDS")]
    pub(crate) drain_seconds: Option<u64>,
    /// Say less: warnings only
    #[arg(long)]
    pub(crate) quiet: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Anonymous {
    Off,
    Ro,
    Rw,
    Drop,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Active {
    On,
    Off,
    Port20,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OnOff {
    On,
    Off,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Tls {
    Off,
    On,
    Required,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Resumption {
    Off,
    Prefer,
    Require,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_flags_do_not_contradict_each_other() {
        Args::command().debug_assert();
    }
}
