//! Flags of `doctor`.

use std::path::PathBuf;

use super::SecurityArgs;

/// Which server, and how it is told.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("whose").required(true).args(["url", "config"]))]
pub(crate) struct Doctor {
    /// ftp://[USER[:PASS]@]HOST[:PORT]/PATH; a file is fetched to nowhere, to see whether all of it comes
    pub(crate) url: Option<String>,
    /// The server's own side instead: what this configuration needs of this machine, and whether it has it. Root sees the
    /// rules in force too
    #[arg(long, value_name = "FILE", conflicts_with_all = ["plain", "svg", "tls", "ca", "pin", "insecure", "cert", "key"])]
    pub(crate) config: Option<PathBuf>,
    /// What 'twoport doctor --config FILE --json' said on the server's machine: both ends, where there is no login yet
    #[arg(long, value_name = "FILE", conflicts_with = "config")]
    pub(crate) server_side: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) security: SecurityArgs,
    /// Log in in the clear too, where the server has TLS: to compare the two
    #[arg(long)]
    pub(crate) plain: bool,
    /// Leave sessions silent for so long, and see whether they live
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(crate) idle: Option<u64>,
    /// One JSON object: verdict, cause, side, confidence, evidence, fixes, matrix; with --config findings, flows
    #[arg(long)]
    pub(crate) json: bool,
    /// The two connections as a picture, where it stopped
    #[arg(long, value_name = "FILE")]
    pub(crate) svg: Option<PathBuf>,
    /// Nothing but the report
    #[arg(long)]
    pub(crate) quiet: bool,
}

/// What stands below the flags.
pub(super) const EXAMPLES: &str = "\
Examples:
  twoport doctor ftp://alice@ftp.example.org/pub/file.bin
      why it does not work, and which side must change what
  twoport doctor --json ftp://ftp.example.org/
      the same for a script
  twoport doctor --config twoport.toml
      on the machine that serves: listeners, addresses, ports, and what its firewall does with them";
