//! `Range`: what is still to be read of a file, the same for every road; and `write_all_at`, which moves `at` by what
//! is really in the file, however the writing ends.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// A range of a file that shrinks from the front.
pub(crate) struct Range {
    pub(crate) file: Arc<File>,
    /// The next byte.
    pub(crate) at: u64,
    /// Bytes still to come; `u64::MAX` when nobody knows.
    left: u64,
    /// Whether an earlier end of the file is a fault.
    exact: bool,
}

impl Range {
    /// Asks the file for its size if `length` does not say where to stop.
    pub(crate) fn new(file: Arc<File>, from: u64, length: Option<u64>) -> io::Result<Self> {
        if let Some(left) = length {
            return Ok(Range { file, at: from, left, exact: true });
        }
        let size = file.metadata()?.len();
        // Files of /proc and devices say 0 and have bytes all the same: only reading tells.
        let left = if size == 0 { u64::MAX } else { size.saturating_sub(from) };
        Ok(Range { file, at: from, left, exact: false })
    }

    /// How many bytes to ask for next, `most` at most; 0 when the range is through.
    pub(crate) fn next(&self, most: usize) -> usize {
        usize::try_from(self.left).map_or(most, |left| left.min(most))
    }

    /// Whether at least `bytes` are known to be to come.
    #[cfg(target_os = "linux")]
    pub(crate) fn is_at_least(&self, bytes: u64) -> bool {
        self.left >= bytes && self.left != u64::MAX
    }

    /// Takes `bytes` off the front.
    pub(crate) fn advance(&mut self, bytes: usize) {
        self.at += bytes as u64;
        if self.left != u64::MAX {
            self.left -= bytes as u64;
        }
    }

    /// The file has no more bytes: fine, unless a length was promised.
    pub(crate) fn end(&mut self) -> io::Result<()> {
        if self.exact && self.left > 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.left = 0;
        Ok(())
    }

    /// Reads the next bytes into the front of `buffer` and takes them off; 0 when the range is through.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let want = self.next(buffer.len());
        if want == 0 {
            return Ok(0);
        }
        let read = loop {
            match self.file.read_at(&mut buffer[..want], self.at) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                done => break done?,
            }
        };
        if read == 0 {
            self.end()?;
        }
        self.advance(read);
        Ok(read)
    }
}

/// Writes all of `bytes` from `at` on, and leaves `at` behind the last byte that is in the file.
pub(crate) fn write_all_at(file: &File, mut bytes: &[u8], at: &mut u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match file.write_at(bytes, *at) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(n) => {
                *at += n as u64;
                bytes = &bytes[n..];
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
