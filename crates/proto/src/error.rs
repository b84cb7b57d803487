//! `Malformed`: a text that does not hold what its place demands. Incomplete is not malformed.

use std::fmt;

/// What was expected, and at which byte the text stopped being that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed {
    /// The expected form in words that fit after "expected": `"h1,h2,h3,h4,p1,p2"`, `"a number"`.
    pub expected: &'static str,
    /// Offset in bytes from the start of the text that was read.
    pub at: usize,
}

impl Malformed {
    /// A text that should have been `expected` and was not, from byte `at` on.
    #[must_use]
    pub fn new(expected: &'static str, at: usize) -> Self {
        Malformed { expected, at }
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {}", self.expected)
    }
}

impl std::error::Error for Malformed {}
