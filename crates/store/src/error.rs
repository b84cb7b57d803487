//! `Error`: a [`Failure`] with the system's own error behind it. The only place where numbers of the operating system
//! become words.

use std::fmt;
use std::io;

use rustix::io::Errno;
use twoport_proto::Failure;

/// Why an operation on files did not happen, and what the system said.
#[derive(Debug)]
pub struct Error {
    /// What it means.
    pub failure: Failure,
    /// What the operating system or the backend said; nothing when the store itself refused.
    pub source: Option<io::Error>,
}

/// What is said in this crate.
pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// A failure with an explanation for the log.
    pub(crate) fn explained(failure: Failure, text: String) -> Self {
        Error { failure, source: Some(io::Error::other(text)) }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        Error { failure, source: None }
    }
}

/// An error of a call that took a name: EINVAL speaks of the name (vfat says so of `a:b`).
impl From<Errno> for Error {
    fn from(errno: Errno) -> Self {
        let failure = match errno {
            Errno::INVAL => Failure::BadName,
            other => meaning(other),
        };
        Error { failure, source: Some(errno.into()) }
    }
}

/// An error of the byte mover, or of a call without a name.
impl From<io::Error> for Error {
    fn from(source: io::Error) -> Self {
        let carried = source.get_ref().and_then(|inner| inner.downcast_ref::<Failure>()).copied();
        let failure = match (carried, Errno::from_io_error(&source)) {
            (Some(failure), _) => failure,
            (None, Some(errno)) => meaning(errno),
            (None, None) => meaning_of_kind(source.kind()),
        };
        Error { failure, source: Some(source) }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let phrase = self.failure.phrase();
        let said = self.source.as_ref().map(ToString::to_string);
        match said {
            None => f.write_str(phrase),
            // The system's words are mostly ours and a number: once is enough.
            Some(said) if said.starts_with(phrase) => f.write_str(&said),
            Some(said) => write!(f, "{phrase}: {said}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        // `Display` has said the io::Error already; a cause chain goes on behind it.
        self.source.as_ref().and_then(std::error::Error::source)
    }
}

fn meaning(errno: Errno) -> Failure {
    match errno {
        // EXDEV: openat2 saw a way out of the root.
        Errno::NOENT | Errno::XDEV => Failure::NotFound,
        // ENXIO and ENODEV: a pipe without a reader, a socket, a device without a driver.
        Errno::ACCESS | Errno::PERM | Errno::NXIO | Errno::NODEV => Failure::Denied,
        Errno::EXIST => Failure::Exists,
        Errno::ISDIR => Failure::IsDirectory,
        Errno::NOTDIR => Failure::NotDirectory,
        Errno::NOTEMPTY => Failure::NotEmpty,
        Errno::NOSPC | Errno::DQUOT | Errno::FBIG => Failure::Full,
        // EILSEQ: a file system that demands UTF-8.
        Errno::NAMETOOLONG | Errno::ILSEQ => Failure::BadName,
        Errno::LOOP => Failure::Loop,
        Errno::ROFS => Failure::ReadOnly,
        Errno::BUSY | Errno::TXTBSY | Errno::AGAIN => Failure::Busy,
        Errno::OPNOTSUPP | Errno::NOSYS => Failure::Unsupported,
        _ => Failure::Io,
    }
}

fn meaning_of_kind(kind: io::ErrorKind) -> Failure {
    match kind {
        io::ErrorKind::NotFound => Failure::NotFound,
        io::ErrorKind::PermissionDenied => Failure::Denied,
        io::ErrorKind::AlreadyExists => Failure::Exists,
        io::ErrorKind::IsADirectory => Failure::IsDirectory,
        io::ErrorKind::NotADirectory => Failure::NotDirectory,
        io::ErrorKind::DirectoryNotEmpty => Failure::NotEmpty,
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            Failure::Full
        }
        io::ErrorKind::InvalidFilename => Failure::BadName,
        io::ErrorKind::ReadOnlyFilesystem => Failure::ReadOnly,
        io::ErrorKind::ResourceBusy | io::ErrorKind::ExecutableFileBusy => Failure::Busy,
        io::ErrorKind::Unsupported => Failure::Unsupported,
        _ => Failure::Io,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_words_are_not_said_twice() {
        assert_eq!(Error::from(Errno::NOENT).to_string(), "No such file or directory (os error 2)");
        assert_eq!(Error::from(Failure::NotFound).to_string(), "No such file or directory");
        assert_eq!(
            Error::explained(Failure::Io, "the disk is on fire".into()).to_string(),
            "Input/output error: the disk is on fire"
        );
    }

    #[test]
    fn a_full_disk_under_the_byte_mover_is_full() {
        for error in [
            io::Error::from_raw_os_error(Errno::NOSPC.raw_os_error()),
            io::Error::from_raw_os_error(Errno::DQUOT.raw_os_error()),
            io::Error::from(io::ErrorKind::StorageFull),
            io::Error::other(Failure::Full),
        ] {
            assert_eq!(Error::from(error).failure, Failure::Full);
        }
    }

    #[test]
    fn einval_speaks_of_a_name_only_where_a_name_was_given() {
        assert_eq!(Error::from(Errno::INVAL).failure, Failure::BadName);
        assert_eq!(Error::from(io::Error::from(Errno::INVAL)).failure, Failure::Io);
    }
}
