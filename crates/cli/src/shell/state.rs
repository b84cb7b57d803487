//! What a user can set: toggles, the mode of data connections, the type of files, and named values.

use std::collections::BTreeMap;

use twoport_client::{Family, Representation};
use twoport_session::client::io::Rung;

use super::mapping::Mapping;

/// Which side opens data connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Mode {
    /// We do, and where that does not work the server.
    #[default]
    Auto,
    /// We do, and nobody else.
    Passive,
    /// The server does.
    Active,
}

/// How files go over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Type {
    /// As they are.
    #[default]
    Binary,
    /// As text.
    Ascii,
    /// As bytes of eight bits: TYPE L 8.
    Tenex,
}

/// All settings of a shell.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) mode: Mode,
    pub(crate) epsv4: bool,
    pub(crate) epsv6: bool,
    pub(crate) family: Option<Family>,
    pub(crate) kind: Type,
    /// Take CR out of text that comes.
    pub(crate) cr: bool,
    /// Ask before each of many.
    pub(crate) interactive: bool,
    pub(crate) glob: bool,
    pub(crate) mapping: Mapping,
    pub(crate) runique: bool,
    pub(crate) sunique: bool,
    pub(crate) sendport: bool,
    pub(crate) preserve: bool,
    pub(crate) bell: bool,
    pub(crate) hash: bool,
    /// Bytes a mark.
    pub(crate) mark: u64,
    pub(crate) tick: bool,
    pub(crate) progress: bool,
    pub(crate) trace: bool,
    /// Bytes a second at most, down and up; 0 is without limit.
    pub(crate) rates: [u64; 2],
    /// Sizes that were asked for: receive buffer, send buffer, transfer buffer.
    pub(crate) buffers: [u64; 3],
    /// Sessions at the same time for many files; none where it was not said.
    pub(crate) parallel: Option<u8>,
    /// A gate-ftp server, its port, and whether it is used.
    pub(crate) gate: Option<(String, u16)>,
    pub(crate) gated: bool,
    /// What `set` has set.
    pub(crate) named: BTreeMap<String, String>,
}

impl Default for Settings {
    fn default() -> Self {
        let named = NAMED.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Settings {
            mode: Mode::Auto,
            epsv4: false,
            epsv6: true,
            family: None,
            kind: Type::Binary,
            cr: true,
            interactive: true,
            glob: true,
            mapping: Mapping::default(),
            runique: false,
            sunique: false,
            sendport: true,
            preserve: true,
            bell: false,
            hash: false,
            mark: 1024,
            tick: false,
            progress: false,
            trace: false,
            rates: [0; 2],
            buffers: [0; 3],
            parallel: None,
            gate: None,
            gated: false,
            named: named.collect(),
        }
    }
}

impl Settings {
    /// The rungs to be tried with a server of this family.
    pub(crate) fn rungs(&self, is_ipv6: bool) -> Vec<Rung> {
        let extended = if is_ipv6 { self.epsv6 } else { self.epsv4 };
        let passive: &[Rung] = match (extended, is_ipv6, self.mode) {
            (true, ..) => &[Rung::Epsv, Rung::Pasv],
            // What was turned off is still better than nothing at all.
            (false, _, Mode::Auto) => &[Rung::Pasv, Rung::Epsv],
            (false, true, _) => &[Rung::Epsv],
            (false, false, _) => &[Rung::Pasv],
        };
        let active = [Rung::Active, Rung::Mapped, Rung::Crossing];
        match self.mode {
            Mode::Passive => passive.to_vec(),
            Mode::Active => active.to_vec(),
            Mode::Auto => [passive, &active].concat(),
        }
    }

    /// How files are to go over.
    pub(crate) fn representation(&self) -> Representation {
        match (self.kind, self.cr) {
            (Type::Binary | Type::Tenex, _) => Representation::Image,
            (Type::Ascii, true) => Representation::Text,
            (Type::Ascii, false) => Representation::TextAsItCame,
        }
    }

    /// What `type` calls it.
    pub(crate) fn kind_name(&self) -> &'static str {
        match self.kind {
            Type::Binary => "binary",
            Type::Ascii => "ascii",
            Type::Tenex => "tenex",
        }
    }

    /// A value that `set` has set.
    pub(crate) fn named(&self, name: &str) -> Option<&str> {
        self.named.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }
}

/// What `set` knows, and what it is at first.
pub(crate) const NAMED: &[(&str, &str)] = &[
    ("anonpass", "anonymous@"),
    ("ftp_proxy", ""),
    ("http_proxy", ""),
    ("https_proxy", ""),
    ("no_proxy", ""),
    ("pager", ""),
    ("parallel", ""),
    ("prompt", "ftp> "),
    ("rprompt", ""),
];

/// The prompt: `%m` and `%M` the host, in short and whole, `%n` the user, `%/` the remote folder, `%%` a percent sign.
pub(crate) fn prompt(pattern: &str, host: &str, user: &str, folder: &str) -> String {
    let mut text = String::new();
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        match (c, if c == '%' { chars.next() } else { None }) {
            ('%', Some('m')) if host.parse::<std::net::IpAddr>().is_ok() => text.push_str(host),
            ('%', Some('m')) => text.push_str(host.split('.').next().unwrap_or_default()),
            ('%', Some('M')) => text.push_str(host),
            ('%', Some('n')) => text.push_str(user),
            ('%', Some('/')) => text.push_str(folder),
            ('%', Some('%') | None) => text.push('%'),
            ('%', Some(other)) => text.extend(['%', other]),
            (c, _) => text.push(c),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mode_decides_on_the_rungs() {
        let mut settings = Settings::default();
        assert_eq!(
            settings.rungs(false),
            [Rung::Pasv, Rung::Epsv, Rung::Active, Rung::Mapped, Rung::Crossing]
        );
        assert_eq!(settings.rungs(true)[0], Rung::Epsv);
        settings.mode = Mode::Passive;
        assert_eq!(settings.rungs(false), [Rung::Pasv]);
        settings.epsv4 = true;
        assert_eq!(settings.rungs(false), [Rung::Epsv, Rung::Pasv]);
        settings.mode = Mode::Active;
        assert_eq!(settings.rungs(false), [Rung::Active, Rung::Mapped, Rung::Crossing]);
    }

    #[test]
    fn a_prompt_tells_where_one_is() {
        assert_eq!(prompt("%n@%m:%/> ", "a.example.org", "anna", "/pub"), "anna@a:/pub> ");
        assert_eq!(prompt("%M %m 100%% %x%", "10.0.0.1", "", ""), "10.0.0.1 10.0.0.1 100% %x%");
    }
}
