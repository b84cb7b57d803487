//! `Code` and `Reply`: three digits and one or more lines of text, as RFC 959 §4.2 writes them.

use std::fmt;

/// A reply code, 100 to 659.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Code(pub u16);

impl Code {
    /// 1yz: another reply will follow.
    #[must_use]
    pub fn is_preliminary(self) -> bool {
        self.0 < 200
    }

    /// 2yz or 3yz: it went well, so far or to the end.
    #[must_use]
    pub fn is_good(self) -> bool {
        (200..400).contains(&self.0)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:03}", self.0)
    }
}

/// A reply that is to be sent. Texts are bytes, since names are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The code.
    pub code: Code,
    /// The lines of text: all but the last begin a multi-line reply. Never empty.
    lines: Vec<Vec<u8>>,
}

impl Reply {
    /// A reply of one line.
    #[must_use]
    pub fn new(code: u16, text: impl Into<Vec<u8>>) -> Self {
        Reply { code: Code(code), lines: vec![text.into()] }
    }

    /// A reply of several lines: the first and the last carry the code, those between begin with a space so that no
    /// reader takes one for the end.
    #[must_use]
    pub fn of_lines(
        code: u16,
        first: impl Into<Vec<u8>>,
        between: Vec<Vec<u8>>,
        last: impl Into<Vec<u8>>,
    ) -> Self {
        let mut lines = vec![first.into()];
        lines.extend(between);
        lines.push(last.into());
        Reply { code: Code(code), lines }
    }

    /// The last line's text, the one that every client shows.
    #[must_use]
    pub fn text(&self) -> &[u8] {
        self.lines.last().map_or(b"", Vec::as_slice)
    }

    /// Appends the reply as it goes over the wire. CR, LF and NUL inside a text become `?`: a name from a disk cannot
    /// forge a reply.
    pub fn write(&self, out: &mut Vec<u8>) {
        let last = self.lines.len().saturating_sub(1);
        for (place, line) in self.lines.iter().enumerate() {
            if place == 0 || place == last {
                let mut digits = [b'0'; 3];
                for (digit, power) in digits.iter_mut().zip([100, 10, 1]) {
                    *digit += u8::try_from(self.code.0 / power % 10).expect("a digit fits in a byte");
                }
                out.extend_from_slice(&digits);
                out.push(if place == last { b' ' } else { b'-' });
            } else {
                out.push(b' ');
            }
            out.extend(line.iter().map(|b| if matches!(b, b'\r' | b'\n' | 0) { b'?' } else { *b }));
            out.extend_from_slice(b"\r\n");
        }
    }

    /// The reply as it goes over the wire.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write(&mut out);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line() {
        assert_eq!(Reply::new(226, "Transfer complete.").to_bytes(), b"226 Transfer complete.\r\n");
    }

    #[test]
    fn several_lines_indent_what_stands_between() {
        let reply = Reply::of_lines(211, "Features:", vec![b"SIZE".to_vec(), b"211 no end".to_vec()], "End");
        assert_eq!(reply.to_bytes(), b"211-Features:\r\n SIZE\r\n 211 no end\r\n211 End\r\n");
    }

    #[test]
    fn a_name_cannot_forge_a_reply() {
        assert_eq!(Reply::new(257, "\"/a\r\n230 in\"").to_bytes(), b"257 \"/a??230 in\"\r\n");
    }
}
