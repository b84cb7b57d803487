//! `Request`: a command line as a client sends it. One that could hold CR, LF or NUL cannot be built, so that no name
//! becomes a second command; what must not be seen is not shown.

use std::fmt;

use crate::error::Malformed;
use crate::secret::Secret;
use crate::verb::Verb;

/// A whole command line, CRLF included: it goes out in one write, because a firewall's helper reads segments.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    line: Vec<u8>,
    secret: bool,
}

impl Request {
    /// A verb alone.
    #[must_use]
    pub fn bare(verb: Verb) -> Self {
        Request { line: format!("{verb}\r\n").into_bytes(), secret: false }
    }

    /// A verb and its argument.
    ///
    /// # Errors
    /// When the argument holds CR, LF or NUL.
    pub fn new(verb: Verb, argument: impl AsRef<[u8]>) -> Result<Self, Malformed> {
        let argument = argument.as_ref();
        if argument.is_empty() {
            return Ok(Request::bare(verb));
        }
        Self::raw(&[verb.name().as_bytes(), b" ", argument].concat(), matches!(verb, Verb::Pass | Verb::Acct))
    }

    /// PASS or ACCT with what must not be seen.
    ///
    /// # Errors
    /// When it holds CR, LF or NUL.
    pub fn secret(verb: Verb, secret: &Secret) -> Result<Self, Malformed> {
        let mut request = Self::new(verb, secret.reveal())?;
        request.secret = true;
        Ok(request)
    }

    /// A line as a user typed it (QUOTE of the classic shell).
    ///
    /// # Errors
    /// When it holds CR, LF or NUL.
    pub fn quote(line: &[u8]) -> Result<Self, Malformed> {
        let word = line.split(|b| *b == b' ').next().unwrap_or_default();
        let secret = matches!(Verb::read(word), Some(Verb::Pass | Verb::Acct));
        Self::raw(line, secret)
    }

    fn raw(line: &[u8], secret: bool) -> Result<Self, Malformed> {
        if let Some(at) = line.iter().position(|b| matches!(b, b'\r' | b'\n' | 0)) {
            return Err(Malformed::new("an argument without CR, LF or NUL", at));
        }
        Ok(Request { line: [line, b"\r\n"].concat(), secret })
    }

    /// The bytes to send, CRLF included.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.line
    }

    /// The line as a trace shows it: without CRLF, and with XXXX for a secret, as BSD clients print it.
    #[must_use]
    pub fn shown(&self) -> String {
        let line = &self.line[..self.line.len() - 2];
        let line = if self.secret { line.split(|b| *b == b' ').next().unwrap_or_default() } else { line };
        let text = String::from_utf8_lossy(line).into_owned();
        if self.secret { text + " XXXX" } else { text }
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Request({:?})", self.shown())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_become_a_second_command() {
        for bad in ["a\r\nDELE b", "a\nb", "a\0"] {
            assert!(Request::new(Verb::Retr, bad).is_err());
        }
        assert_eq!(Request::new(Verb::Retr, "a b").unwrap().as_bytes(), b"RETR a b\r\n");
        assert_eq!(Request::new(Verb::List, "").unwrap().as_bytes(), b"LIST\r\n");
    }

    #[test]
    fn a_password_is_sent_and_not_shown() {
        let request = Request::secret(Verb::Pass, &Secret::new("hunter2")).unwrap();
        assert_eq!(request.as_bytes(), b"PASS hunter2\r\n");
        assert_eq!(request.shown(), "PASS XXXX");
        assert!(!format!("{request:?}").contains("hunter2"));
        assert_eq!(Request::quote(b"pass hunter2").unwrap().shown(), "pass XXXX");
        assert_eq!(Request::secret(Verb::Pass, &Secret::new("")).unwrap().shown(), "PASS XXXX");
    }
}
