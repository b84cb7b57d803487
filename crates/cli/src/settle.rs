//! What was typed and what a file says, to settings. Flags win over the file; what neither says has a default.

use std::fs;
use std::path::Path;

use twoport_server::config::{self, Config, RightsWord, User};
use twoport_server::{PortRange, Settings};

use crate::args::{Active, Anonymous, OnOff, Resumption, Serve, Tls};
use crate::exit::Stopped;

/// An account that was named on the command line, or made up: its password may be shown to whoever started this.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) name: String,
    pub(crate) password: String,
}

/// Settings, and the accounts to be told at the start.
pub(crate) struct Settled {
    pub(crate) settings: Settings,
    pub(crate) told: Vec<Told>,
}

/// Letters and digits that nobody takes for another.
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// The account that is made when nobody is named.
const GUEST: &str = "guest";

/// The settings that a configuration file comes to.
pub(crate) fn settings(path: &Path) -> Result<Settings, Stopped> {
    read(path)?.settle().map_err(Stopped::usage)
}

/// The ports that were typed behind a flag.
pub(crate) fn range(flag: &str, text: Option<&str>) -> Result<Option<PortRange>, Stopped> {
    let read = |text| PortRange::read(text).map_err(|e| Stopped::usage(format!("--{flag} {text}: {e}")));
    text.map(read).transpose()
}

/// Reads a configuration file.
fn read(path: &Path) -> Result<Config, Stopped> {
    let text = fs::read_to_string(path)
        .map_err(|e| Stopped::usage(format!("cannot read the configuration {}: {e}", path.display())))?;
    Config::read(&text).map_err(|e| Stopped::usage(format!("{} is not right:\n{e}", path.display())))
}

/// Settles what `serve` was told.
pub(crate) fn serve(args: &Serve) -> Result<Settled, Stopped> {
    let file = match &args.config {
        Some(path) => read(path)?,
        None => Config::default(),
    };
    let mut told = Vec::new();
    let mut flags = flags(args, &mut told)?;
    let nobody = flags.user.is_empty() && file.user.is_empty();
    let closed = |said: Option<config::Anonymous>| matches!(said, None | Some(config::Anonymous::Off));
    if nobody && closed(flags.anonymous.or(file.anonymous)) {
        let password = made_up()?;
        told.push(Told { name: GUEST.to_owned(), password: password.clone() });
        flags.user.push(User::new(GUEST, password, RightsWord::Rw));
    }
    let settings = flags.over(file).settle().map_err(Stopped::usage)?;
    Ok(Settled { settings, told })
}

fn flags(args: &Serve, told: &mut Vec<Told>) -> Result<Config, Stopped> {
    let passive_ports = range("passive-ports", args.passive_ports.as_deref())?;
    let user = args.user.iter().map(|text| user(text, told)).collect::<Result<_, _>>()?;
    Ok(Config {
        listen: (!args.listen.is_empty()).then(|| args.listen.clone()),
        root: args.dir.clone(),
        user,
        anonymous: args.anonymous.map(|word| match word {
            Anonymous::Off => config::Anonymous::Off,
            Anonymous::Ro => config::Anonymous::Ro,
            Anonymous::Rw => config::Anonymous::Rw,
            Anonymous::Drop => config::Anonymous::Drop,
        }),
        passive_ports,
        passive_address: args.passive_address.clone(),
        stun_server: args.stun_server.clone(),
        active: args.active.map(|word| match word {
            Active::On => config::ActiveMode::On,
            Active::Off => config::ActiveMode::Off,
            Active::Port20 => config::ActiveMode::Port20,
        }),
        passive: args
            .passive
            .map(|word| if word == OnOff::On { config::OnOff::On } else { config::OnOff::Off }),
        implicit: (!args.implicit.is_empty()).then(|| args.implicit.clone()),
        tls: args.tls.map(|word| match word {
            Tls::Off => config::TlsWord::Off,
            Tls::On => config::TlsWord::On,
            Tls::Required => config::TlsWord::Required,
        }),
        tls_cert: args.tls_cert.clone(),
        tls_key: args.tls_key.clone(),
        data_resumption: args.data_resumption.map(|word| match word {
            Resumption::Off => config::ResumptionWord::Off,
            Resumption::Prefer => config::ResumptionWord::Prefer,
            Resumption::Require => config::ResumptionWord::Require,
        }),
        drain_seconds: args.drain_seconds,
        ..Config::default()
    })
}

/// `NAME[:PASSWORD][@ro|rw]`: a password may hold colons and at-signs; only a last `@ro` or `@rw` is not part of it.
fn user(text: &str, told: &mut Vec<Told>) -> Result<User, Stopped> {
    let (rest, rights) = match (text.strip_suffix("@ro"), text.strip_suffix("@rw")) {
        (Some(rest), _) => (rest, RightsWord::Ro),
        (None, Some(rest)) => (rest, RightsWord::Rw),
        (None, None) => (text, RightsWord::Rw),
    };
    let (name, password) = match rest.split_once(':') {
        Some((name, password)) => (name, Some(password.to_owned())),
        None => (rest, None),
    };
    if name.is_empty() {
        return Err(Stopped::usage(format!("--user {text}: expected NAME[:PASSWORD][@ro|rw]")));
    }
    let password = match password {
        Some(password) => password,
        None => made_up()?,
    };
    told.push(Told { name: name.to_owned(), password: password.clone() });
    Ok(User::new(name, password, rights))
}

/// A password of twelve letters and digits: sixty bits, and easy to read out.
fn made_up() -> Result<String, Stopped> {
    let mut bytes = [0u8; 12];
    getrandom::fill(&mut bytes)
        .map_err(|e| Stopped::local(format!("the system gives no random numbers: {e}")))?;
    Ok(bytes.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_user(text: &str) -> (String, String, RightsWord) {
        let user = user(text, &mut Vec::new()).unwrap();
        (user.name, user.password.unwrap(), user.rights)
    }

    #[test]
    fn accounts_with_passwords_that_hold_colons_and_at_signs() {
        assert_eq!(read_user("anna:se:cr@et@ro"), ("anna".into(), "se:cr@et".into(), RightsWord::Ro));
        assert_eq!(read_user("anna:secret"), ("anna".into(), "secret".into(), RightsWord::Rw));
        assert_eq!(read_user("me@example.org:pw@rw"), ("me@example.org".into(), "pw".into(), RightsWord::Rw));
        assert!(user(":x", &mut Vec::new()).is_err());
    }

    #[test]
    fn a_missing_password_is_made_up_and_told() {
        let mut told = Vec::new();
        let user = user("anna@ro", &mut told).unwrap();
        assert_eq!(told, vec![Told { name: "anna".into(), password: user.password.clone().unwrap() }]);
        assert_eq!(user.password.unwrap().len(), 12);
    }
}
