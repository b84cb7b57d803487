//! What was typed, and nothing more: no file is opened here and nothing is decided.

#![allow(rustdoc::broken_intra_doc_links, reason = "what is said of a flag is its help, for terminals")]

mod doctor;
mod firewall;
mod lab;

use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

pub(crate) use self::doctor::Doctor;
pub(crate) use self::firewall::Firewall;
pub(crate) use self::lab::{Lab, LabAction};

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
    /// List a folder of a server
    Ls(Ls),
    /// Write a remote file to standard output
    Cat(Remote),
    /// Fetch files
    Get(Get),
    /// Store files
    Put(Put),
    /// Make a folder like another, here or on a server
    Mirror(Mirror),
    /// Delete remote files
    Rm(Many),
    /// Make a remote folder
    Mkdir(Remote),
    /// Remove an empty remote folder
    Rmdir(Remote),
    /// Rename a remote file or folder
    Mv(Mv),
    /// Tell what is known of a remote file
    Stat(Remote),
    /// Tell the hash of a remote file
    Hash(Remote),
    /// The classic shell; reads a script from standard input
    Ftp(Ftp),
    /// Is a configuration right? Prints what it means
    Check(Check),
    /// Why does it not work, and which side must change what? Nothing is changed anywhere
    #[command(after_long_help = doctor::EXAMPLES)]
    Doctor(Doctor),
    /// What firewalls must let through, and rules for them
    #[command(after_long_help = firewall::EXAMPLES)]
    Firewall(Box<Firewall>),
    /// Situations in which FTP fails, each as a network on this machine (Linux, root)
    Lab(Lab),
    /// Print shell completions: twoport completions bash > /etc/bash_completion.d/twoport
    Completions(Completions),
    /// Print a manual page: twoport man serve | man -l -
    Man(Man),
}

impl Command {
    /// What was said to the client about how to work; none for a command that talks to no server.
    pub(crate) fn common(&self) -> Option<&Common> {
        match self {
            Command::Ls(args) => Some(&args.common),
            Command::Get(args) => Some(&args.common),
            Command::Put(args) => Some(&args.common),
            Command::Mirror(args) => Some(&args.common),
            Command::Rm(args) => Some(&args.common),
            Command::Mv(args) => Some(&args.common),
            Command::Cat(args)
            | Command::Mkdir(args)
            | Command::Rmdir(args)
            | Command::Stat(args)
            | Command::Hash(args) => Some(&args.common),
            Command::Serve(_)
            | Command::Ftp(_)
            | Command::Check(_)
            | Command::Doctor(_)
            | Command::Firewall(_)
            | Command::Lab(_)
            | Command::Completions(_)
            | Command::Man(_) => None,
        }
    }

    /// Whether a failure is told to a script too. What `cat` prints is the file and nothing else.
    pub(crate) fn json(&self) -> bool {
        match self {
            Command::Cat(_) => false,
            Command::Firewall(args) => args.json,
            Command::Lab(args) => args.json,
            other => other.common().is_some_and(|common| common.json),
        }
    }
}

/// What every command of the client takes.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Common {
    /// Only passive mode (EPSV, PASV) [default: the ladder EPSV, PASV, PASV by the control address, EPRT/PORT]
    #[arg(long, conflicts_with = "active")]
    pub(crate) passive: bool,
    /// Only active mode (EPRT, PORT)
    #[arg(long)]
    pub(crate) active: bool,
    #[command(flatten)]
    pub(crate) security: SecurityArgs,
    /// Files as text: lines end with CR LF on the way, and as this machine wants them here
    #[arg(long)]
    pub(crate) ascii: bool,
    /// The charset of the server's names, such as latin1, cp1251, shift_jis, euc-kr [default: UTF-8]
    #[arg(long, value_name = "NAME")]
    pub(crate) charset: Option<String>,
    /// Sessions at the same time at most; fewer when the server says so
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u8).range(1..=64))]
    pub(crate) parallel: u8,
    /// Compressed on the way (MODE Z), where the server offers that
    #[arg(long)]
    pub(crate) compress: bool,
    /// How long a connection or a reply may take
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub(crate) timeout: u64,
    /// How often what came no further is tried again in a new session
    #[arg(long, value_name = "N", default_value_t = twoport_client::journey::RETRIES)]
    pub(crate) retries: u32,
    /// Bytes a second at most, over all sessions together; k, M and G are 1024, 1024² and 1024³
    #[arg(long, value_name = "RATE", value_parser = bytes_per_second)]
    pub(crate) limit_rate: Option<NonZeroU64>,
    /// The dialogue on stderr: what is sent behind '---> ', replies as they came
    #[arg(long)]
    pub(crate) trace: bool,
    /// One JSON object a line
    #[arg(long)]
    pub(crate) json: bool,
    /// Nothing but what was asked for
    #[arg(long)]
    pub(crate) quiet: bool,
}

/// What every command that talks to a server takes for TLS.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct SecurityArgs {
    /// TLS: prefer = where the server offers it, require = by AUTH TLS or not at all, implicit = from the first byte
    /// [default: as the URL says: ftp:// prefer, ftpes:// require, ftps:// implicit]
    #[arg(long, value_name = "MODE")]
    pub(crate) tls: Option<ClientTls>,
    /// Trust certificates of these authorities (PEM), or these themselves, in place of the system's
    #[arg(long, value_name = "FILE", conflicts_with = "insecure")]
    pub(crate) ca: Option<PathBuf>,
    /// Trust this certificate, by its SHA-256, or this key (sha256//BASE64), again for more
    #[arg(long, value_name = "SHA256", conflicts_with_all = ["insecure", "ca"])]
    pub(crate) pin: Vec<String>,
    /// Trust any certificate: whoever is in between can read and change everything
    #[arg(long)]
    pub(crate) insecure: bool,
    /// Our own certificate (PEM), for a server that asks for one
    #[arg(long, value_name = "FILE")]
    pub(crate) cert: Option<PathBuf>,
    /// Its key (PEM) [default: in the same file]
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub(crate) key: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ClientTls {
    Off,
    Prefer,
    Require,
    Implicit,
}

/// One URL.
#[derive(Debug, clap::Args)]
pub(crate) struct Remote {
    /// ftp://[USER[:PASS]@]HOST[:PORT]/PATH
    pub(crate) url: String,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// Several URLs.
#[derive(Debug, clap::Args)]
pub(crate) struct Many {
    /// ftp://[USER[:PASS]@]HOST[:PORT]/PATH
    #[arg(required = true)]
    pub(crate) urls: Vec<String>,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// What to list, and how.
#[derive(Debug, clap::Args)]
pub(crate) struct Ls {
    /// ftp://[USER[:PASS]@]HOST[:PORT]/PATH
    pub(crate) url: String,
    /// Type, size and time too
    #[arg(short, long)]
    pub(crate) long: bool,
    /// What lies below too
    #[arg(short = 'R', long)]
    pub(crate) recursive: bool,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// What to fetch, and where to.
#[derive(Debug, clap::Args)]
pub(crate) struct Get {
    /// ftp://[USER[:PASS]@]HOST[:PORT]/PATH
    #[arg(required = true)]
    pub(crate) urls: Vec<String>,
    /// The file to write, or the folder to write to [default: the remote name, here]
    #[arg(short, long, value_name = "FILE|DIR")]
    pub(crate) output: Option<PathBuf>,
    /// Go on where an earlier fetch was cut
    #[arg(long, conflicts_with = "ascii")]
    pub(crate) resume: bool,
    /// Fetch each large file in so many parts at the same time, a session each
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=64))]
    pub(crate) segments: u8,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// What to store, and where to.
#[derive(Debug, clap::Args)]
pub(crate) struct Put {
    /// The files to store
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// ftp://[USER[:PASS]@]HOST[:PORT]/PATH; a folder when it ends in a slash or several files are stored
    pub(crate) url: String,
    /// Go on where an earlier store was cut
    #[arg(long, conflicts_with_all = ["append", "ascii"])]
    pub(crate) resume: bool,
    /// Append to what is there
    #[arg(long, conflicts_with = "ascii")]
    pub(crate) append: bool,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// What to make like what.
#[derive(Debug, clap::Args)]
pub(crate) struct Mirror {
    /// The folder to copy: one here, or ftp://[USER[:PASS]@]HOST[:PORT]/PATH
    #[arg(value_name = "SRC")]
    pub(crate) source: String,
    /// The folder that is to be like it; the other of the two kinds
    #[arg(value_name = "DST")]
    pub(crate) target: String,
    /// Remove from DST what SRC does not have
    #[arg(long)]
    pub(crate) delete: bool,
    /// Say what would be done and why, and do nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Only these, again for more: NAME anywhere, DIR/NAME from the top; * ? [a-z] **
    #[arg(long, value_name = "GLOB")]
    pub(crate) include: Vec<String>,
    /// Not these, whatever --include says, again for more
    #[arg(long, value_name = "GLOB")]
    pub(crate) exclude: Vec<String>,
    /// Compare by hash what size and time call the same, and what was copied
    #[arg(long)]
    pub(crate) verify: bool,
    /// Leave alone what is not older in DST, even when the sizes differ
    #[arg(long)]
    pub(crate) newer: bool,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// How the classic shell begins.
#[derive(Debug, clap::Args)]
#[command(after_long_help = crate::shell::commands())]
pub(crate) struct Ftp {
    /// Trace: what is sent behind '---> ', and every reply
    #[arg(short, action = clap::ArgAction::Count)]
    pub(crate) debug: u8,
    /// Verbose: replies and rates, as on a terminal
    #[arg(short)]
    pub(crate) verbose: bool,
    /// No login by itself
    #[arg(short = 'n')]
    pub(crate) no_login: bool,
    /// No questions when many files are moved
    #[arg(short = 'i')]
    pub(crate) no_prompt: bool,
    /// No patterns in names
    #[arg(short = 'g')]
    pub(crate) no_glob: bool,
    /// Only passive mode [default: passive, and active where that does not work]
    #[arg(short, conflicts_with = "active")]
    pub(crate) passive: bool,
    /// Only active mode
    #[arg(short = 'A')]
    pub(crate) active: bool,
    /// Only IPv4
    #[arg(short = '4', conflicts_with = "ipv6")]
    pub(crate) ipv4: bool,
    /// Only IPv6
    #[arg(short = '6')]
    pub(crate) ipv6: bool,
    #[command(flatten)]
    pub(crate) security: SecurityArgs,
    /// How long a connection or a reply may take
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub(crate) timeout: u64,
    /// The server, or ftp://[USER[:PASS]@]HOST[:PORT]/PATH: a folder to begin in, or a file to fetch
    #[arg(value_name = "HOST | URL")]
    pub(crate) target: Option<String>,
    /// The port of HOST [default: 21]
    pub(crate) port: Option<u16>,
}

/// What to rename, and to what.
#[derive(Debug, clap::Args)]
pub(crate) struct Mv {
    /// ftp://[USER[:PASS]@]HOST[:PORT]/PATH
    pub(crate) url: String,
    /// The new path, on the same server
    #[arg(value_name = "NEWNAME")]
    pub(crate) to: String,
    #[command(flatten)]
    pub(crate) common: Common,
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
    /// A STUN server that tells the address the world sees, for --passive-address auto
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) stun_server: Option<String>,
    /// Active mode; port20 = connect from the data port of RFC 959 [default: on]
    #[arg(long, value_name = "MODE")]
    pub(crate) active: Option<Active>,
    /// Passive mode [default: on]
    #[arg(long, value_name = "MODE")]
    pub(crate) passive: Option<OnOff>,
    /// TLS: on = where the client wants it [default: on]
    #[arg(long, value_name = "MODE")]
    pub(crate) tls: Option<Tls>,
    /// The certificate chain in PEM [default: one is made up and kept]
    #[arg(long, value_name = "FILE")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// Its key in PEM [default: in the same file]
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,
    /// Must a TLS data connection resume this login's session? [default: require]
    #[arg(long, value_name = "MODE")]
    pub(crate) data_resumption: Option<Resumption>,
    /// A listener with TLS from the first byte, again for more
    #[arg(long, value_name = "ADDR:PORT")]
    pub(crate) implicit: Vec<SocketAddr>,
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

/// `500`, `64k`, `1.5M`.
fn bytes_per_second(text: &str) -> Result<NonZeroU64, String> {
    let unit = match text.bytes().last().map(|b| b.to_ascii_lowercase()) {
        Some(b'k') => 1 << 10,
        Some(b'm') => 1 << 20,
        Some(b'g') => 1 << 30,
        _ => 1_u64,
    };
    let number = if unit == 1 { text } else { &text[..text.len() - 1] };
    let is_plain = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let number: Option<f64> = if is_plain { number.parse().ok() } else { None };
    #[expect(clippy::cast_precision_loss, reason = "a unit is a power of two")]
    let bytes = number.map(|number| number * unit as f64).filter(|bytes| (1.0..1e18).contains(bytes));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 1 and 1e18")]
    bytes
        .and_then(|bytes| NonZeroU64::new(bytes as u64))
        .ok_or_else(|| "a number of bytes a second of at least 1, as 500, 64k or 1.5M".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_flags_do_not_contradict_each_other() {
        Args::command().debug_assert();
    }

    #[test]
    fn a_rate_is_a_number_with_or_without_a_unit() {
        for (text, bytes) in [("1", 1), ("500", 500), ("64k", 65_536), ("1.5M", 1_572_864), ("2G", 2 << 30)] {
            assert_eq!(bytes_per_second(text).unwrap().get(), bytes, "{text}");
        }
        for text in ["", "0", "k", "-1", "+1", "1e9", "inf", "0.5", "1kk", "9999999999G", "k1", "1.2.3", "µ"]
        {
            bytes_per_second(text).unwrap_err();
        }
    }
}
