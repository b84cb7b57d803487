//! `StartError`: why a server does not start, with what to do about it.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use thiserror::Error;

/// Why a server does not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// A control port could not be bound.
    #[error("cannot listen on {address}: {source}{}", listen_hint(.source))]
    Listen {
        /// The address and port.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The system gives no threads.
    #[error(
        "no threads for sessions: {source}. This user or container may have too few tasks or open files (ulimit -u, ulimit -n)"
    )]
    Threads {
        /// What the system said.
        source: io::Error,
    },
    /// A folder to be shared could not be opened.
    #[error("cannot share {}: {why}", .root.display())]
    Root {
        /// The folder.
        root: PathBuf,
        /// In words.
        why: String,
    },
    /// TLS cannot be offered as it was set.
    #[error("TLS cannot be offered: {why}")]
    Tls {
        /// In words.
        why: String,
    },
}

fn listen_hint(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::AddrInUse => {
            ". Another program has this port: stop it, or choose another with --listen"
        }
        io::ErrorKind::PermissionDenied => {
            ". Ports below 1024 need root or CAP_NET_BIND_SERVICE: use --listen [::]:2121"
        }
        io::ErrorKind::AddrNotAvailable => {
            ". This machine does not have that address: use --listen with one that it has"
        }
        _ => "",
    }
}
