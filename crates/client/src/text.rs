//! `LineSink`: a listing read line by line while it comes, so that what is kept is what is made of the lines, and neither
//! the text nor a line without end.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use twoport_pipe::{Boxed, Sink, Taker};

/// The longest line of a listing that is taken, in bytes.
const LONGEST: usize = 64 * 1024;

/// What is made of the lines of a listing.
pub(crate) trait Reading: Send + 'static {
    /// Takes a line without its end; never an empty one.
    ///
    /// # Errors
    /// When nothing more is wanted, and why.
    fn line(&mut self, line: &[u8]) -> Result<(), String>;
}

/// Cuts a stream into lines for `T`; shared between the one who asked and the sink.
#[derive(Debug)]
pub(crate) struct LineSink<T>(Arc<Mutex<Inner<T>>>);

#[derive(Debug)]
struct Inner<T> {
    reading: Option<T>,
    /// The begin of a line whose end has not come.
    partial: Vec<u8>,
    /// Why no more was taken.
    refused: Option<String>,
}

impl<T: Reading> LineSink<T> {
    /// A sink, and the reading that it feeds.
    pub(crate) fn new(reading: T) -> (Sink, LineSink<T>) {
        let inner = Inner { reading: Some(reading), partial: Vec::new(), refused: None };
        let shared = Arc::new(Mutex::new(inner));
        (Sink::Taker(Box::new(LineSink(Arc::clone(&shared)))), LineSink(shared))
    }

    /// Why no more was taken, if so.
    pub(crate) fn refused(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).refused.clone()
    }

    /// The reading, when all has come; the last line need not have an end. Gives it once.
    pub(crate) fn finish(self) -> Result<T, String> {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let last = std::mem::take(&mut inner.partial);
        inner.give(&last)?;
        inner.reading.take().ok_or_else(|| "the listing was taken twice".to_owned())
    }
}

impl<T: Reading> Inner<T> {
    fn take(&mut self, bytes: &[u8]) -> Result<(), String> {
        let mut rest = bytes;
        while let Some(end) = rest.iter().position(|b| *b == b'\n') {
            let (line, behind) = (&rest[..end], &rest[end + 1..]);
            if self.partial.is_empty() {
                self.give(line)?;
            } else {
                self.keep(line)?;
                let whole = std::mem::take(&mut self.partial);
                self.give(&whole)?;
            }
            rest = behind;
        }
        self.keep(rest)
    }

    fn keep(&mut self, piece: &[u8]) -> Result<(), String> {
        if self.partial.len() + piece.len() > LONGEST {
            return Err(format!("the server's listing has a line of more than {LONGEST} bytes"));
        }
        self.partial.extend_from_slice(piece);
        Ok(())
    }

    fn give(&mut self, line: &[u8]) -> Result<(), String> {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        match &mut self.reading {
            Some(reading) if !line.is_empty() => reading.line(line),
            _ => Ok(()),
        }
    }
}

impl<T: Reading> Taker for LineSink<T> {
    fn take<'a>(&'a mut self, bytes: &'a [u8]) -> Boxed<'a, ()> {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = inner.take(bytes).map_err(|why| {
            inner.refused = Some(why.clone());
            io::Error::other(why)
        });
        Box::pin(std::future::ready(taken))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Reading for Vec<String> {
        fn line(&mut self, line: &[u8]) -> Result<(), String> {
            self.push(String::from_utf8_lossy(line).into_owned());
            Ok(())
        }
    }

    fn fed(pieces: &[&[u8]]) -> Result<Vec<String>, String> {
        let mut inner = Inner { reading: Some(Vec::new()), partial: Vec::new(), refused: None };
        pieces.iter().try_for_each(|piece| inner.take(piece))?;
        LineSink(Arc::new(Mutex::new(inner))).finish()
    }

    #[test]
    fn lines_are_the_same_however_they_come() {
        let text = b"one\r\ntwo\n\r\n\nthree";
        let whole = fed(&[text]).unwrap();
        assert_eq!(whole, ["one", "two", "three"]);
        let bytes: Vec<&[u8]> = text.chunks(1).collect();
        assert_eq!(fed(&bytes).unwrap(), whole);
    }

    #[test]
    fn a_line_without_end_is_refused() {
        assert!(fed(&[&[b'x'; LONGEST]]).is_ok());
        assert!(fed(&[&[b'x'; LONGEST], b"y"]).unwrap_err().contains("65536 bytes"));
    }
}
