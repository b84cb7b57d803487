//! What can go wrong with a file, in words that a store says and a session hears.
//! Codes and texts for the peer are made in the session, never here.

use std::fmt;

/// Why an operation on files did not happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Failure {
    /// No file or folder of that name (or the name leads outside the root).
    NotFound,
    /// The operating system or the backend forbids it.
    Denied,
    /// The name is taken and may not be replaced.
    Exists,
    /// A folder stands where a file is needed.
    IsDirectory,
    /// A file stands where a folder is needed.
    NotDirectory,
    /// The folder still holds something.
    NotEmpty,
    /// No space, or no quota, is left.
    Full,
    /// The name is one that the backend cannot hold (too long, forbidden bytes).
    BadName,
    /// Too many links on the way.
    Loop,
    /// The offset lies beyond the end of the file.
    BadOffset,
    /// The backend cannot do this at all.
    Unsupported,
    /// The file system is mounted read-only.
    ReadOnly,
    /// Somebody else holds the file.
    Busy,
    /// The operation was stopped before its end, on request.
    Stopped,
    /// The disk, or what stands for it, failed.
    Io,
}

impl Failure {
    /// One plain phrase, as it stands in replies and logs.
    #[must_use]
    pub fn phrase(self) -> &'static str {
        match self {
            Failure::NotFound => "No such file or directory",
            Failure::Denied => "Permission denied",
            Failure::Exists => "File exists",
            Failure::IsDirectory => "Is a directory",
            Failure::NotDirectory => "Not a directory",
            Failure::NotEmpty => "Directory not empty",
            Failure::Full => "No space left on device",
            Failure::BadName => "File name not allowed",
            Failure::Loop => "Too many symbolic links",
            Failure::BadOffset => "The restart offset lies beyond the end of the file",
            Failure::Unsupported => "This file system cannot do that",
            Failure::ReadOnly => "Read-only file system",
            Failure::Busy => "File is in use",
            Failure::Stopped => "Stopped",
            Failure::Io => "Input/output error",
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.phrase())
    }
}

impl std::error::Error for Failure {}
