//! `Entry`: what is known of one file or folder, whoever tells it.

use std::borrow::Cow;

use crate::time::Moment;

/// What kind of thing a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A plain file.
    File,
    /// A folder.
    Directory,
    /// A symbolic link, looked at itself and not followed.
    Link,
    /// A pipe, a socket, a device.
    Other,
}

/// What is known of one file. What a backend does not know is `None`, never made up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The last part of the path, as bytes; empty for the root itself.
    pub name: Vec<u8>,
    /// What it is.
    pub kind: Kind,
    /// Size in bytes; of a folder whatever the backend says.
    pub size: u64,
    /// Last change of the content.
    pub modified: Option<Moment>,
    /// When it was made.
    pub created: Option<Moment>,
    /// Unix permission bits (`0o7777`).
    pub mode: Option<u32>,
    /// Number of hard links.
    pub links: Option<u64>,
    /// The owner's name, or number as text.
    pub owner: Option<Cow<'static, str>>,
    /// The group's name, or number as text.
    pub group: Option<Cow<'static, str>>,
    /// The same for two names of one file, different for different files (RFC 3659 §7.5.2).
    pub unique: Option<(u64, u64)>,
    /// Where a link points, as it is written in the link.
    pub target: Option<Vec<u8>>,
    /// What the server process itself may do with it, as far as the backend can tell.
    pub access: Access,
}

/// What the server process may do with a file, before the account's own rights are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access {
    /// May be read, or listed.
    pub read: bool,
    /// May be written, or entries may be made and removed in it.
    pub write: bool,
    /// A folder: may be entered.
    pub enter: bool,
}

impl Access {
    /// Everything is allowed.
    pub const ALL: Access = Access { read: true, write: true, enter: true };
}

impl Entry {
    /// An entry of which only name, kind and size are known.
    #[must_use]
    pub fn new(name: impl Into<Vec<u8>>, kind: Kind, size: u64) -> Self {
        Entry {
            name: name.into(),
            kind,
            size,
            modified: None,
            created: None,
            mode: None,
            links: None,
            owner: None,
            group: None,
            unique: None,
            target: None,
            access: Access::ALL,
        }
    }

    /// Whether it is a folder.
    #[must_use]
    pub fn is_directory(&self) -> bool {
        self.kind == Kind::Directory
    }
}
