//! `Verb` and the one table of the grammar: name, elder names, argument, source, FEAT line and help. Dispatch, HELP,
//! FEAT and the conformance page read these rows; what is legal when stands in the session's law.

use std::fmt;

/// How a verb is announced in the answer to FEAT (RFC 2389 §3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Feature {
    /// Not announced: RFC 959 takes it for granted, or it is not there to be used.
    Silent,
    /// These lines, as they are.
    Lines(&'static [&'static str]),
    /// `MLST` and the facts, with stars at those that are sent (RFC 3659 §7.8).
    Facts,
    /// These lines where TLS is, and the command with it.
    Tls(&'static [&'static str]),
    /// `HASH` and the algorithms, with a star at the one that is used.
    Hashes,
}

/// One row of the grammar.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// The verb.
    pub verb: Verb,
    /// Its name on the wire.
    pub name: &'static str,
    /// Older names for the same, as RFC 775 and the first servers had them.
    pub elders: &'static [&'static str],
    /// What must or may follow, for HELP and for the text of a 501; empty for nothing.
    pub argument: &'static str,
    /// Where it is written down.
    pub source: &'static str,
    /// What FEAT says of it.
    pub feature: Feature,
    /// What it does, in a few words.
    pub help: &'static str,
}

macro_rules! verbs {
    ($($variant:ident $name:literal $elders:expr, $argument:literal, $source:literal, $feature:expr, $help:literal;)*) => {
        /// A command's verb. What a peer may send as one; elder names are read as the verb they stand for.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Verb {
            $(#[doc = $help] $variant,)*
        }

        /// Every verb with its grammar, in the order of the enum.
        pub const TABLE: &[Row] = &[$(Row {
            verb: Verb::$variant,
            name: $name,
            elders: $elders,
            argument: $argument,
            source: $source,
            feature: $feature,
            help: $help,
        },)*];
    };
}

use Feature::{Facts, Hashes, Lines, Silent, Tls};

verbs! {
    User "USER" &[], "NAME", "RFC 959 §4.1.1", Silent, "Say who you are";
    Pass "PASS" &[], "PASSWORD", "RFC 959 §4.1.1", Silent, "Say your password";
    Acct "ACCT" &[], "ACCOUNT", "RFC 959 §4.1.1", Silent, "Say your account; not needed here";
    Cwd "CWD" &["XCWD"], "PATH", "RFC 959 §4.1.1", Lines(&["TVFS"]), "Change the working directory";
    Cdup "CDUP" &["XCUP"], "", "RFC 959 §4.1.1", Silent, "Change to the parent directory";
    Smnt "SMNT" &[], "PATH", "RFC 959 §4.1.1", Silent, "Mount a file system; not offered";
    Rein "REIN" &[], "", "RFC 959 §4.1.1", Silent, "Log out, and keep the connection";
    Quit "QUIT" &[], "", "RFC 959 §4.1.1", Silent, "Say goodbye";
    Port "PORT" &[], "h1,h2,h3,h4,p1,p2", "RFC 959 §4.1.2", Silent, "Active mode: connect there for data";
    Pasv "PASV" &[], "", "RFC 959 §4.1.2", Silent, "Passive mode: listen for data, IPv4";
    Eprt "EPRT" &[], "|1 or 2|ADDRESS|PORT|", "RFC 2428 §2", Lines(&["EPRT"]), "Active mode, IPv4 and IPv6";
    Epsv "EPSV" &[], "[1|2|ALL]", "RFC 2428 §3", Lines(&["EPSV"]), "Passive mode, IPv4 and IPv6";
    Type "TYPE" &[], "A, I or L 8", "RFC 959 §4.1.2", Silent, "How data is represented";
    Stru "STRU" &[], "F or R", "RFC 959 §4.1.2", Silent, "How files are structured";
    Mode "MODE" &[], "S, B or Z", "RFC 959 §4.1.2, draft-preston-ftpext-deflate", Lines(&["MODE B", "MODE Z"]), "How data is carried";
    Retr "RETR" &[], "PATH", "RFC 959 §4.1.3", Silent, "Fetch a file";
    Stor "STOR" &[], "PATH", "RFC 959 §4.1.3", Silent, "Store a file";
    Stou "STOU" &[], "[NAME]", "RFC 959 §4.1.3, RFC 1123 §4.1.2.9", Silent, "Store under a name that is new";
    Appe "APPE" &[], "PATH", "RFC 959 §4.1.3", Silent, "Append to a file";
    Allo "ALLO" &[], "BYTES [R BYTES]", "RFC 959 §4.1.3", Silent, "Ask whether so much fits";
    Rest "REST" &[], "OFFSET", "RFC 3659 §5", Lines(&["REST STREAM"]), "Begin the next transfer at this byte";
    Rang "RANG" &[], "FIRST LAST", "draft-bryan-ftp-range", Lines(&["RANG STREAM"]), "Of the next file only these bytes";
    Rnfr "RNFR" &[], "PATH", "RFC 959 §4.1.3", Silent, "Rename this";
    Rnto "RNTO" &[], "PATH", "RFC 959 §4.1.3", Silent, "Rename to this";
    Abor "ABOR" &[], "", "RFC 959 §4.1.3", Silent, "Stop the transfer";
    Dele "DELE" &[], "PATH", "RFC 959 §4.1.3", Silent, "Delete a file";
    Rmd "RMD" &["XRMD"], "PATH", "RFC 959 §4.1.3", Silent, "Remove a directory";
    Mkd "MKD" &["XMKD"], "PATH", "RFC 959 §4.1.3", Silent, "Make a directory";
    Pwd "PWD" &["XPWD"], "", "RFC 959 §4.1.3", Silent, "Tell the working directory";
    List "LIST" &[], "[-alR1] [PATH]", "RFC 959 §4.1.3", Silent, "List, as ls -l does";
    Nlst "NLST" &[], "[-alR1] [PATH]", "RFC 959 §4.1.3", Silent, "List names";
    Mlst "MLST" &[], "[PATH]", "RFC 3659 §7", Facts, "Tell the facts of one file";
    Mlsd "MLSD" &[], "[PATH]", "RFC 3659 §7", Silent, "List with facts";
    Size "SIZE" &[], "PATH", "RFC 3659 §4", Lines(&["SIZE"]), "Tell a file's size";
    Mdtm "MDTM" &[], "PATH", "RFC 3659 §3", Lines(&["MDTM"]), "Tell when a file was changed";
    Mfmt "MFMT" &[], "YYYYMMDDHHMMSS PATH", "draft-somers-ftp-mfxx", Lines(&["MFMT"]), "Set when a file was changed";
    Mfct "MFCT" &[], "YYYYMMDDHHMMSS PATH", "draft-somers-ftp-mfxx", Silent, "Set when a file was made, where the file system can";
    Mff "MFF" &[], "FACT=VALUE; PATH", "draft-somers-ftp-mfxx", Lines(&["MFF modify;UNIX.mode;"]), "Set facts of a file";
    Avbl "AVBL" &[], "[PATH]", "draft-peterson-streamlined-ftp-command-extensions", Lines(&["AVBL"]), "Tell how many bytes still fit";
    Hash "HASH" &[], "PATH", "draft-bryan-ftpext-hash", Hashes, "Tell a file's hash";
    Xcrc "XCRC" &[], "PATH [FIRST END]", "by custom", Lines(&["XCRC filename;start;end"]), "Tell a file's CRC-32";
    Xmd5 "XMD5" &[], "PATH [FIRST END]", "by custom", Lines(&["XMD5 filename;start;end"]), "Tell a file's MD5";
    Xsha1 "XSHA1" &["XSHA"], "PATH [FIRST END]", "by custom", Lines(&["XSHA1 filename;start;end"]), "Tell a file's SHA-1";
    Xsha256 "XSHA256" &[], "PATH [FIRST END]", "by custom", Lines(&["XSHA256 filename;start;end"]), "Tell a file's SHA-256";
    Xsha512 "XSHA512" &[], "PATH [FIRST END]", "by custom", Lines(&["XSHA512 filename;start;end"]), "Tell a file's SHA-512";
    Site "SITE" &[], "COMMAND", "RFC 959 §4.1.3", Silent, "What only some servers do: CHMOD, UTIME, SYMLINK, WHY, DOCTOR, HELP";
    Syst "SYST" &[], "", "RFC 959 §4.1.3", Silent, "Tell the kind of system";
    Stat "STAT" &[], "[PATH]", "RFC 959 §4.1.3", Silent, "Tell the state, or list over this connection";
    Help "HELP" &[], "[COMMAND]", "RFC 959 §4.1.3", Silent, "This";
    Noop "NOOP" &[], "", "RFC 959 §4.1.3", Silent, "Nothing, and say so";
    Feat "FEAT" &[], "", "RFC 2389 §3", Silent, "Tell what goes beyond RFC 959";
    Opts "OPTS" &[], "UTF8 ON, MLST FACTS or HASH NAME", "RFC 2389 §4", Lines(&["UTF8"]), "Choose how a command works";
    Host "HOST" &[], "NAME", "RFC 7151", Lines(&["HOST"]), "Say which server you want";
    Lang "LANG" &[], "[EN]", "RFC 2640 §4", Lines(&["LANG EN*"]), "Choose the language of replies";
    Clnt "CLNT" &[], "NAME", "by custom", Lines(&["CLNT"]), "Say which program you are";
    Csid "CSID" &[], "NAME=VALUE;", "draft-preston-ftpext-csid", Lines(&["CSID"]), "Say which program you are, and hear which this is";
    Auth "AUTH" &[], "TLS", "RFC 4217 §4", Tls(&["AUTH TLS"]), "Begin TLS";
    Pbsz "PBSZ" &[], "0", "RFC 4217 §9", Tls(&["PBSZ"]), "Protection buffer size";
    Prot "PROT" &[], "C or P", "RFC 4217 §9", Tls(&["PROT"]), "Protect data connections";
    Ccc "CCC" &[], "", "RFC 4217 §5", Tls(&["CCC"]), "Back to a clear control connection";
}

impl Verb {
    /// Reads a verb, whatever its case; elder names give the verb they stand for.
    #[must_use]
    pub fn read(word: &[u8]) -> Option<Verb> {
        let is = |name: &&str| name.as_bytes().eq_ignore_ascii_case(word);
        TABLE.iter().find(|row| is(&row.name) || row.elders.iter().any(is)).map(|row| row.verb)
    }

    /// Its row in the grammar.
    #[must_use]
    pub fn row(self) -> &'static Row {
        &TABLE[self as usize]
    }

    /// Its name on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.row().name
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What follows SITE, with its argument and what it does: the table behind SITE HELP.
pub const SITE_TABLE: &[(&str, &str, &str)] = &[
    ("CHMOD", "MODE PATH", "Set permission bits, as octal digits"),
    ("UTIME", "YYYYMMDDHHMM[SS] PATH", "Set when a file was changed"),
    ("SYMLINK", "TARGET PATH", "Make a symbolic link"),
    ("WHY", "", "Explain the last failure of a data connection"),
    ("DOCTOR", "", "Tell what was seen of this session's connections, where the account may ask"),
    ("HELP", "", "This"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_stands_at_the_place_of_its_verb() {
        for (place, row) in TABLE.iter().enumerate() {
            assert_eq!(row.verb as usize, place, "{}", row.name);
            assert_eq!(Verb::read(row.name.to_lowercase().as_bytes()), Some(row.verb));
        }
    }

    #[test]
    fn no_name_stands_twice() {
        let mut names: Vec<_> = TABLE.iter().flat_map(|row| row.elders.iter().chain([&row.name])).collect();
        names.sort_unstable();
        let all = names.len();
        names.dedup();
        assert_eq!(names.len(), all);
    }

    #[test]
    fn elder_names_are_read_as_their_verb() {
        assert_eq!(Verb::read(b"xmkd"), Some(Verb::Mkd));
        assert_eq!(Verb::read(b"XYZZY"), None);
    }
}
