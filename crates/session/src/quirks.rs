//! `Quirks`: what is known of servers that tell who they are, as data. A server that nobody knows is taken for the strictest.

/// What one kind of server bears.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quirks {
    /// Its name; empty for one that nobody knows.
    pub server: &'static str,
    /// Whether a NOOP may be said while a transfer runs: each is answered 200 in the end, before the last word of the transfer
    /// or behind it, and it does the transfer no harm.
    pub bears_noop: bool,
    /// Whether it refuses a data connection in TLS that does not resume the control connection's session, as it comes.
    pub ties_tls: bool,
}

impl Quirks {
    /// Those of a server that nobody knows.
    pub const UNKNOWN: Quirks = Quirks { server: "", bears_noop: false, ties_tls: false };

    /// Those of the server that greets (220) or names its system (215) with this text.
    #[must_use]
    pub fn of(text: &str) -> Quirks {
        let text = text.to_ascii_lowercase();
        let known = KNOWN.iter().find(|(mark, _, _)| text.contains(mark));
        known.map_or(Quirks::UNKNOWN, |(_, quirks, _)| *quirks)
    }
}

/// What its greeting holds, in small letters; what it bears; and how that is known.
const KNOWN: &[(&str, Quirks, &str)] = &[
    (
        "(vsftpd ",
        Quirks { server: "vsftpd", bears_noop: true, ties_tls: true },
        "tried with 3.0.3: it reads no command before the transfer has ended, and then answers each, behind the 226",
    ),
    (
        "proftpd",
        Quirks { server: "ProFTPD", bears_noop: true, ties_tls: true },
        "its poll_ctrl answers NOOP with 200 at once, and most other commands with 450",
    ),
    (
        "pyftpdlib",
        Quirks { server: "pyftpdlib", bears_noop: true, ties_tls: false },
        "tried with 2.2.0: it answers at once, before the 226",
    ),
    (
        "pure-ftpd",
        Quirks { server: "Pure-FTPd", bears_noop: false, ties_tls: false },
        "tried with 1.0.50: it says 500 before the 226, once for all that came in one read, so nobody can count",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_known_by_their_greeting() {
        for (text, server, bears_noop) in [
            ("(vsFTPd 3.0.3)", "vsftpd", true),
            ("ProFTPD Server (Debian) [::ffff:10.0.0.1]", "ProFTPD", true),
            ("pyftpdlib 2.2.0 ready.", "pyftpdlib", true),
            ("---------- Welcome to Pure-FTPd [privsep] [TLS] ----------", "Pure-FTPd", false),
            ("Microsoft FTP Service", "", false),
            ("", "", false),
        ] {
            let found = Quirks::of(text);
            assert_eq!((found.server, found.bears_noop), (server, bears_noop), "{text}");
        }
    }

    #[test]
    fn every_row_has_its_reason_and_can_be_found() {
        for (mark, _, why) in KNOWN {
            assert!(!why.is_empty());
            assert_eq!(*mark, mark.to_ascii_lowercase(), "a text is compared in small letters");
        }
    }
}
