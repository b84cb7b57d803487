//! The transfer parameters of RFC 959 §3 and the hash algorithms of the HASH draft, as values.

use std::fmt;

/// The second letter of TYPE A and TYPE E (RFC 959 §3.1.1.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Form {
    /// Not for printing: the default, and the only one that anybody uses.
    #[default]
    NonPrint,
    /// Telnet format effectors.
    Telnet,
    /// ASA carriage control.
    Carriage,
}

/// The argument of TYPE (RFC 959 §3.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// Text with CRLF between lines on the wire.
    Ascii(Form),
    /// Text in EBCDIC.
    Ebcdic(Form),
    /// Bytes as they are.
    Image,
    /// Logical bytes of this many bits (1 to 255); 8 is the same as image.
    Local(u8),
}

/// The argument of STRU (RFC 959 §3.1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Structure {
    /// No structure: a run of bytes.
    #[default]
    File,
    /// A run of records; on the wire in stream mode each ends with `FF 01` (§3.4.1).
    Record,
    /// Pages, for the TOPS-20 of old.
    Page,
}

/// The argument of MODE (RFC 959 §3.4; Z is the deflate draft).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// A stream that ends where the connection ends.
    #[default]
    Stream,
    /// Blocks with headers.
    Block,
    /// The run-length compression of RFC 959.
    Compressed,
    /// Deflate.
    Deflate,
}

impl Mode {
    /// Its letter in MODE.
    #[must_use]
    pub fn letter(self) -> &'static str {
        match self {
            Mode::Stream => "S",
            Mode::Block => "B",
            Mode::Compressed => "C",
            Mode::Deflate => "Z",
        }
    }
}

/// The argument of AUTH (RFC 4217 §8 and §16).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mechanism {
    /// `TLS` and its synonym `TLS-C`: data connections are clear until PROT says otherwise.
    Tls,
    /// `SSL` and its synonym `TLS-P`, of the drafts before RFC 4217 and of the clients that still follow them: data
    /// connections are private from the start.
    Ssl,
    /// Kerberos and the like (RFC 2228).
    Other,
}

/// The argument of PROT (RFC 4217 §9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Protection {
    /// `C`: nothing.
    #[default]
    Clear,
    /// `S`: nobody can change it; TLS has no such level alone.
    Safe,
    /// `E`: nobody can read it; TLS has no such level alone.
    Confidential,
    /// `P`: both.
    Private,
}

/// A hash that HASH or one of its elders can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Algorithm {
    /// CRC-32 as in zip and gzip.
    Crc32,
    /// MD5 (RFC 1321).
    Md5,
    /// SHA-1.
    Sha1,
    /// SHA-256.
    Sha256,
    /// SHA-512.
    Sha512,
}

impl Algorithm {
    /// All of them, in the order in which FEAT lists them.
    pub const ALL: [Algorithm; 5] =
        [Algorithm::Sha256, Algorithm::Sha512, Algorithm::Sha1, Algorithm::Md5, Algorithm::Crc32];

    /// The name in FEAT, OPTS HASH and 213 (IANA's hash function textual names).
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Algorithm::Crc32 => "CRC32",
            Algorithm::Md5 => "MD5",
            Algorithm::Sha1 => "SHA-1",
            Algorithm::Sha256 => "SHA-256",
            Algorithm::Sha512 => "SHA-512",
        }
    }

    /// Reads a name, whatever its case.
    #[must_use]
    pub fn read(name: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|a| a.name().as_bytes().eq_ignore_ascii_case(name))
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
