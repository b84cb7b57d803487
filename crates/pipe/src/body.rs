//! `Body`, a thing to read, and `Sink`, a thing to write: each may be a plain file, and then the kernel moves the bytes.

use std::fmt;
use std::fs::File;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;

/// A future in a box, as the two traits here return it.
pub type Boxed<'a, T> = Pin<Box<dyn Future<Output = io::Result<T>> + Send + 'a>>;

/// What is to be sent.
pub enum Body {
    /// A range of a file: from byte `from` on, `length` bytes or to the end. The file's own position is not used, but
    /// the file must have positions: a FIFO cannot be sent.
    File {
        /// The open file.
        file: Arc<File>,
        /// First byte.
        from: u64,
        /// How many bytes, and a file that ends before is at fault; `None` to the end of the file as it stands when the
        /// transfer begins, or to an earlier one if the file shrinks meanwhile.
        length: Option<u64>,
    },
    /// Bytes that are there already.
    Bytes(Vec<u8>),
    /// Bytes that come piece by piece: a listing.
    Source(Box<dyn Source>),
}

/// Bytes that are made piece by piece.
pub trait Source: Send {
    /// Appends the next piece to `into`; nothing appended means the end.
    ///
    /// # Errors
    /// When what makes the bytes fails.
    fn fill<'a>(&'a mut self, into: &'a mut Vec<u8>) -> Boxed<'a, ()>;
}

/// Where what is received goes.
pub enum Sink {
    /// A file, written from byte `at` on. The file's own position is not used.
    File {
        /// The open file.
        file: Arc<File>,
        /// Where the next byte goes.
        at: u64,
    },
    /// Any other taker.
    Taker(Box<dyn Taker>),
}

/// Takes bytes in order.
pub trait Taker: Send {
    /// Takes all of `bytes`.
    ///
    /// # Errors
    /// When they cannot be kept.
    fn take<'a>(&'a mut self, bytes: &'a [u8]) -> Boxed<'a, ()>;
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Body::File { from, length, .. } => write!(f, "Body::File({from}, {length:?})"),
            Body::Bytes(bytes) => write!(f, "Body::Bytes({})", bytes.len()),
            Body::Source(_) => f.write_str("Body::Source"),
        }
    }
}

impl fmt::Debug for Sink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Sink::File { at, .. } => write!(f, "Sink::File({at})"),
            Sink::Taker(_) => f.write_str("Sink::Taker"),
        }
    }
}
