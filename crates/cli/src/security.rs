//! What was typed about TLS, to what it means: whether it must be, and whom to believe.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use twoport_client::url::Scheme;
use twoport_client::{Identity, KnownHosts, Pin, Security, Tls};

use crate::args::{ClientTls, SecurityArgs};
use crate::exit::{Exit, Stopped};

/// What the flags and the scheme want together. Whoever writes ftpes:// or ftps:// means it.
pub(crate) fn of(args: &SecurityArgs, scheme: Scheme) -> Result<Security, Stopped> {
    let tls = match (args.tls, scheme) {
        (Some(ClientTls::Off | ClientTls::Prefer), Scheme::Ftpes | Scheme::Ftps) => {
            let text = format!(
                "{scheme}:// demands TLS, and --tls says otherwise; write ftp:// where it need not be"
            );
            return Err(Stopped::usage(text));
        }
        // Who names a certificate wants to see it.
        (None | Some(ClientTls::Prefer), Scheme::Ftp) if !args.pin.is_empty() => Tls::Require,
        (None, scheme) => Security::of(scheme),
        (Some(ClientTls::Off), _) => Tls::Off,
        (Some(ClientTls::Prefer), _) => Tls::Prefer,
        (Some(ClientTls::Require), Scheme::Ftps) | (Some(ClientTls::Implicit), _) => Tls::Implicit,
        (Some(ClientTls::Require), _) => Tls::Require,
    };
    let pins: Result<_, String> = args.pin.iter().map(|pin| Pin::read(pin)).collect();
    Ok(Security {
        tls: Some(tls),
        authorities: match &args.ca {
            Some(path) => Some(Arc::new(read(path, "--ca")?)),
            None => None,
        },
        pins: pins.map_err(|why| Stopped::usage(format!("--pin: {why}")))?,
        insecure: args.insecure,
        identity: match &args.cert {
            Some(cert) => Some(identity(cert, args.key.as_deref().unwrap_or(cert))?),
            None => None,
        },
        known_hosts: KnownHosts::of_the_user(),
        ..Security::default()
    })
}

fn identity(cert: &Path, key: &Path) -> Result<Identity, Stopped> {
    let identity = Identity::read(&read(cert, "--cert")?, &read(key, "--key")?);
    identity.map_err(|why| Stopped {
        exit: Exit::Local,
        text: format!("--cert {} with the key {} cannot be used: {why}", cert.display(), key.display()),
    })
}

fn read(path: &Path, flag: &str) -> Result<Vec<u8>, Stopped> {
    fs::read(path).map_err(|e| Stopped::local(format!("{flag}: {} cannot be read: {e}", path.display())))
}

/// What a handshake agreed on, for a trace.
pub(crate) fn shown(data: bool, how: &str) -> String {
    format!("{} connection: {how}", if data { "data" } else { "control" })
}
