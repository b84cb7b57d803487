//! `FtpPath`: the only kind of path that a store accepts. Absolute, normalised, made of bytes; it cannot climb above
//! `/` and cannot hold CR, LF or NUL. Also the quoting rule of 257 (RFC 959, appendix II).

use std::fmt;

use crate::error::Malformed;

/// The longest path that is accepted, in bytes (Linux' own PATH_MAX).
pub const MAX_PATH: usize = 4096;

/// An absolute, normalised path of bytes. `/` is the root; there is no trailing slash elsewhere.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FtpPath(Vec<u8>);

impl FtpPath {
    /// The root, `/`.
    #[must_use]
    pub fn root() -> Self {
        FtpPath(vec![b'/'])
    }

    /// Reads an absolute path.
    ///
    /// # Errors
    /// When it does not begin with `/`, is longer than [`MAX_PATH`] or holds CR, LF or NUL.
    pub fn read(path: &[u8]) -> Result<Self, Malformed> {
        if path.first() != Some(&b'/') {
            return Err(Malformed::new("an absolute path", 0));
        }
        Self::root().join(path)
    }

    /// Follows `path` from here: absolute when it begins with `/`, else relative. `.` stays, `..` climbs and stops at
    /// the root, empty parts vanish.
    ///
    /// # Errors
    /// When the result is longer than [`MAX_PATH`] or `path` holds CR, LF or NUL.
    pub fn join(&self, path: &[u8]) -> Result<Self, Malformed> {
        if let Some(at) = path.iter().position(|b| matches!(b, b'\r' | b'\n' | 0)) {
            return Err(Malformed::new("a path without CR, LF or NUL", at));
        }
        let mut whole = if path.first() == Some(&b'/') { Self::root() } else { self.clone() };
        for part in path.split(|b| *b == b'/') {
            match part {
                b"" | b"." => {}
                b".." => whole = whole.parent(),
                name => whole.push(name),
            }
        }
        if whole.0.len() > MAX_PATH {
            return Err(Malformed::new("a path of at most 4096 bytes", MAX_PATH));
        }
        Ok(whole)
    }

    /// This path and one more name. `name` comes from a listing of ours: not empty, no slash, not `.` or `..`.
    #[must_use]
    pub fn child(&self, name: &[u8]) -> Self {
        debug_assert!(!name.is_empty() && !name.contains(&b'/') && name != b"." && name != b"..");
        let mut whole = self.clone();
        whole.push(name);
        whole
    }

    /// The folder that holds it; the root's parent is the root.
    #[must_use]
    pub fn parent(&self) -> Self {
        match self.0.iter().rposition(|b| *b == b'/') {
            Some(0) | None => Self::root(),
            Some(at) => FtpPath(self.0[..at].to_vec()),
        }
    }

    /// The last part; empty for the root.
    #[must_use]
    pub fn name(&self) -> &[u8] {
        let at = self.0.iter().rposition(|b| *b == b'/').map_or(0, |at| at + 1);
        &self.0[at..]
    }

    /// The parts between the slashes, from the root on.
    pub fn parts(&self) -> impl Iterator<Item = &[u8]> {
        self.0.split(|b| *b == b'/').filter(|part| !part.is_empty())
    }

    /// Whether it is `/`.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.0.len() == 1
    }

    /// Whether `self` is `other` or lies below it.
    #[must_use]
    pub fn is_within(&self, other: &FtpPath) -> bool {
        other.is_root()
            || (self.0.starts_with(&other.0) && matches!(self.0.get(other.0.len()), None | Some(b'/')))
    }

    /// The whole path as bytes, beginning with `/`.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The path without its leading slash: what a call relative to a root folder takes. Empty for the root.
    #[must_use]
    pub fn relative(&self) -> &[u8] {
        &self.0[1..]
    }

    /// In double quotes, with quotes inside doubled (RFC 959, appendix II): the 257 form.
    #[must_use]
    pub fn quoted(&self) -> Vec<u8> {
        let mut text = vec![b'"'];
        for b in &self.0 {
            if *b == b'"' {
                text.push(b'"');
            }
            text.push(*b);
        }
        text.push(b'"');
        text
    }

    fn push(&mut self, name: &[u8]) {
        if !self.is_root() {
            self.0.push(b'/');
        }
        self.0.extend_from_slice(name);
    }
}

/// The path in a 257: what stands between the first double quote and the one that ends it, doubled quotes made single.
#[must_use]
pub fn unquoted(text: &[u8]) -> Option<Vec<u8>> {
    let start = text.iter().position(|b| *b == b'"')? + 1;
    let mut path = Vec::new();
    let mut rest = text[start..].iter().peekable();
    while let Some(b) = rest.next() {
        match b {
            b'"' if rest.next_if_eq(&&b'"').is_some() => path.push(b'"'),
            b'"' => return Some(path),
            other => path.push(*other),
        }
    }
    None
}

impl fmt::Display for FtpPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

impl fmt::Debug for FtpPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn join(from: &str, path: &str) -> String {
        FtpPath::read(from.as_bytes()).unwrap().join(path.as_bytes()).unwrap().to_string()
    }

    #[test]
    fn climbs_and_stops_at_the_root() {
        assert_eq!(join("/a/b", "../c"), "/a/c");
        assert_eq!(join("/a", "../../../etc/passwd"), "/etc/passwd");
        assert_eq!(join("/a", "/b//./c/"), "/b/c");
        assert_eq!(join("/", ""), "/");
    }

    #[test]
    fn refuses_what_could_end_a_line() {
        for bad in ["a\rb", "a\nb", "a\0b"] {
            assert!(FtpPath::root().join(bad.as_bytes()).is_err());
        }
        assert!(FtpPath::root().join(&vec![b'a'; MAX_PATH + 1]).is_err());
    }

    #[test]
    fn quotes_are_doubled() {
        assert_eq!(FtpPath::read(b"/a\"b").unwrap().quoted(), b"\"/a\"\"b\"");
    }

    #[test]
    fn a_257_is_read_back() {
        let path = FtpPath::read(b"/a \"b\"").unwrap();
        assert_eq!(unquoted(&[&path.quoted()[..], b" is current"].concat()), Some(path.as_bytes().to_vec()));
        assert_eq!(unquoted(b"no quotes"), None);
        assert_eq!(unquoted(b"\"open"), None);
    }

    #[test]
    fn within_goes_by_parts_and_not_by_bytes() {
        let path = |p: &str| FtpPath::read(p.as_bytes()).unwrap();
        assert!(path("/a/b").is_within(&path("/a")));
        assert!(!path("/ab").is_within(&path("/a")));
        assert!(path("/a").is_within(&path("/a")));
    }
}
