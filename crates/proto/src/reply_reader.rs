//! `ReplyReader`: lines in, whole replies out: the multi-line rule of RFC 959 §4.2, held to a size. Lines come from
//! `line`; what a reply means is left to the client and the relay.

use crate::error::Malformed;

/// A reply as a peer sent it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceivedReply {
    /// Three digits, 100 to 699 (6yz is RFC 2228's).
    pub code: u16,
    /// At least one line: the first and the last without code and separator, those between as they came.
    pub lines: Vec<Vec<u8>>,
}

impl ReceivedReply {
    /// All lines with newlines between; bytes that are not UTF-8 are shown as `U+FFFD`.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.lines.join(&b'\n')).into_owned()
    }
}

/// Gathers lines until a reply is whole.
#[derive(Debug)]
pub struct ReplyReader {
    max_bytes: usize,
    open: Option<ReceivedReply>,
    /// Bytes of the open reply, with two for each line end.
    size: usize,
}

impl ReplyReader {
    /// A reader of replies of at most `max_bytes` in all their lines, two bytes counted for each line end.
    #[must_use]
    pub fn new(max_bytes: usize) -> Self {
        ReplyReader { max_bytes, open: None, size: 0 }
    }

    /// Takes a line without its line end; gives the reply that it ends, or `None` when more lines belong to it.
    ///
    /// # Errors
    /// When no reply begins so, or the reply is longer than allowed. What was gathered is dropped; the stream can no
    /// longer be trusted to be in step.
    pub fn feed_line(&mut self, line: &[u8]) -> Result<Option<ReceivedReply>, Malformed> {
        let size = self.size.saturating_add(line.len() + 2);
        let open = self.open.take();
        self.size = 0;
        if size > self.max_bytes {
            return Err(Malformed::new("a shorter reply", line.len()));
        }
        let reply = match open {
            None => {
                let (code, mark, text) = split_code(line)?;
                let reply = ReceivedReply { code, lines: vec![text.to_vec()] };
                if mark == Mark::Last {
                    return Ok(Some(reply));
                }
                reply
            }
            Some(mut reply) => match split_code(line) {
                Ok((code, Mark::Last, text)) if code == reply.code => {
                    reply.lines.push(text.to_vec());
                    return Ok(Some(reply));
                }
                // RFC 959 §4.2: lines between are free, even to begin with a code.
                _ => {
                    reply.lines.push(line.to_vec());
                    reply
                }
            },
        };
        self.open = Some(reply);
        self.size = size;
        Ok(None)
    }

    /// Whether a reply has begun and not ended.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.open.is_some()
    }
}

/// What the byte behind the code says.
#[derive(PartialEq, Eq)]
enum Mark {
    /// A hyphen: more lines follow.
    More,
    /// A space, or the end of the line: this is the last.
    Last,
}

fn split_code(line: &[u8]) -> Result<(u16, Mark, &[u8]), Malformed> {
    const EXPECTED: &str = "a reply code of three digits";
    let code = line.get(..3).ok_or(Malformed::new(EXPECTED, line.len()))?;
    let (b'1'..=b'6', true) = (code[0], code.iter().all(u8::is_ascii_digit)) else {
        return Err(Malformed::new(EXPECTED, 0));
    };
    let code = code.iter().fold(0u16, |code, b| code * 10 + u16::from(b - b'0'));
    match line.get(3) {
        None => Ok((code, Mark::Last, b"")),
        Some(b' ') => Ok((code, Mark::Last, &line[4..])),
        Some(b'-') => Ok((code, Mark::More, &line[4..])),
        Some(_) => Err(Malformed::new("a space or a hyphen behind the reply code", 3)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &[&str]) -> Vec<Result<ReceivedReply, Malformed>> {
        let mut reader = ReplyReader::new(1000);
        lines.iter().filter_map(|line| reader.feed_line(line.as_bytes()).transpose()).collect()
    }

    fn reply(code: u16, lines: &[&str]) -> Result<ReceivedReply, Malformed> {
        Ok(ReceivedReply { code, lines: lines.iter().map(|line| line.as_bytes().to_vec()).collect() })
    }

    #[test]
    fn one_line_is_one_reply() {
        assert_eq!(read(&["220 hello", "331 "]), [reply(220, &["hello"]), reply(331, &[""])]);
    }

    #[test]
    fn three_digits_alone_are_a_reply_without_text() {
        assert_eq!(read(&["200", "200"]), [reply(200, &[""]), reply(200, &[""])]);
    }

    #[test]
    fn many_lines_end_at_their_own_code_and_a_space() {
        let lines = [
            "123-First line",
            "Second line",
            " 234 a line beginning with numbers",
            "234 other code",
            "123-no",
        ];
        let mut all = lines.to_vec();
        all.extend(["123 The last line", "200 next"]);
        let mut expected = lines;
        expected[0] = "First line";
        let mut expected = expected.to_vec();
        expected.push("The last line");
        assert_eq!(read(&all), [reply(123, &expected), reply(200, &["next"])]);
    }

    #[test]
    fn a_bare_code_ends_many_lines_too() {
        assert_eq!(read(&["211-Features", " SIZE", "211"]), [reply(211, &["Features", " SIZE", ""])]);
    }

    #[test]
    fn what_begins_without_a_code_is_malformed() {
        for bad in ["", "22", "hello", "22x hello", "020 a", "720 a", "2200 a", "220_a", "\u{0661}20"] {
            assert!(read(&[bad])[0].is_err(), "{bad}");
        }
    }

    #[test]
    fn a_reply_without_end_is_refused_at_the_cap() {
        let mut reader = ReplyReader::new(1000);
        assert_eq!(reader.feed_line(b"220-hello"), Ok(None));
        let lines = (0..).find(|_| reader.feed_line(b"").is_err()).unwrap();
        assert_eq!(lines, (1000 - 11) / 2);
        assert!(!reader.is_open());
        assert!(ReplyReader::new(10).feed_line(b"220 hello").is_err());
    }

    #[test]
    fn text_joins_the_lines() {
        let reply = ReceivedReply { code: 220, lines: vec![b"caf\xE9".to_vec(), b"b".to_vec()] };
        assert_eq!(reply.text(), "caf\u{FFFD}\nb");
    }
}
