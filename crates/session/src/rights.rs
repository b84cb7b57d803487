//! `Right`, `Rights`, `Grant`: what a logged-in account may do, and where it begins.

use std::fmt;

use twoport_proto::FtpPath;
use twoport_proto::listing::mlsx::May;

/// One thing that an account may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Right {
    /// See names and facts: LIST, NLST, MLSD, MLST, SIZE, MDTM, STAT with a path.
    Look,
    /// Fetch: RETR, HASH and its elders.
    Read,
    /// Store under a name that is new: STOR, STOU.
    Store,
    /// Replace, append to or resume what is there.
    Overwrite,
    /// DELE and RMD.
    Delete,
    /// RNFR and RNTO.
    Rename,
    /// MKD, and links.
    Make,
    /// Times and permission bits: MFMT, MFCT, MFF, SITE CHMOD, SITE UTIME.
    Change,
    /// Ask what the server saw of the session's connections: SITE DOCTOR.
    Doctor,
}

/// A set of rights.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Rights(u16);

impl Rights {
    /// Nothing but to log in and look around by CWD and PWD.
    pub const NONE: Rights = Rights(0);
    /// Look and read.
    pub const READ_ONLY: Rights = Rights::of(&[Right::Look, Right::Read]);
    /// Everything that can be done with files.
    pub const READ_WRITE: Rights = Rights::of(&[
        Right::Look,
        Right::Read,
        Right::Store,
        Right::Overwrite,
        Right::Delete,
        Right::Rename,
        Right::Make,
        Right::Change,
    ]);
    /// A drop box: store what is new, and neither list nor read.
    pub const DROP: Rights = Rights::of(&[Right::Store]);

    /// The set of these.
    #[must_use]
    pub const fn of(rights: &[Right]) -> Rights {
        let (mut bits, mut place) = (0, 0);
        while place < rights.len() {
            bits |= 1 << rights[place] as u16;
            place += 1;
        }
        Rights(bits)
    }

    /// The set as the `perm` fact of RFC 3659 §7.5.5 needs it; `in_folder` tells whether the folder that holds the entry
    /// can be written at all.
    #[must_use]
    pub fn may(self, in_folder: bool) -> May {
        May {
            list: self.has(Right::Look),
            read: self.has(Right::Read),
            store: self.has(Right::Store),
            overwrite: self.has(Right::Overwrite),
            append: self.has(Right::Overwrite),
            delete: self.has(Right::Delete),
            rename: self.has(Right::Rename),
            make: self.has(Right::Make),
            in_folder,
        }
    }

    /// The same, and `right`.
    #[must_use]
    pub const fn with(self, right: Right) -> Rights {
        Rights(self.0 | 1 << right as u16)
    }

    /// Whether `right` is in it.
    #[must_use]
    pub fn has(self, right: Right) -> bool {
        self.0 & (1 << right as u16) != 0
    }
}

impl fmt::Debug for Rights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Rights(self.0 & !(1 << Right::Doctor as u16)) {
            Rights::READ_ONLY => f.write_str("ro")?,
            Rights::READ_WRITE => f.write_str("rw")?,
            Rights::DROP => f.write_str("drop")?,
            Rights(other) => write!(f, "Rights({other:b})")?,
        }
        f.write_str(if self.has(Right::Doctor) { " and doctor" } else { "" })
    }
}

/// Whether a connection is in TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Need {
    /// Never.
    Off,
    /// As the client likes.
    #[default]
    On,
    /// Always.
    Required,
}

/// The same of both connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Needs {
    /// The control connection.
    pub control: Need,
    /// Data connections.
    pub data: Need,
}

impl Need {
    /// What two have to say who both have to be heard: what one of them demands is demanded, and what one of them refuses is
    /// refused unless the other demands it.
    #[must_use]
    pub fn with(self, other: Need) -> Need {
        match (self, other) {
            (Need::Required, _) | (_, Need::Required) => Need::Required,
            (Need::Off, _) | (_, Need::Off) => Need::Off,
            (Need::On, Need::On) => Need::On,
        }
    }
}

impl Needs {
    /// No TLS at all.
    pub const NONE: Needs = Needs { control: Need::Off, data: Need::Off };
}

/// What a login gave: the account as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The account's name, as replies and logs show it.
    pub account: String,
    /// What it may do.
    pub rights: Rights,
    /// Where it begins: the working directory after login, beneath its own root.
    pub home: FtpPath,
    /// What it needs of TLS, whatever its listener says.
    pub needs: Needs,
}
