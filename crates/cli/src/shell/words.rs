//! A line to words, as BSD's ftp splits it: quotes and backslashes protect, `!` and `$` in front are words of their own.

/// One command as it was said.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Said {
    /// The command and its arguments.
    pub(crate) words: Vec<Vec<u8>>,
    /// What stands behind the command, as it was typed.
    pub(crate) rest: Vec<u8>,
}

impl Said {
    /// Splits a line; none where nothing stands in it.
    pub(crate) fn read(line: &[u8]) -> Option<Said> {
        let line = line.trim_ascii();
        let first = *line.first()?;
        if matches!(first, b'!' | b'$') {
            let rest = line[1..].trim_ascii_start().to_vec();
            let mut words = vec![vec![first]];
            words.extend(split(&rest));
            return Some(Said { words, rest });
        }
        let end = line.iter().position(u8::is_ascii_whitespace).unwrap_or(line.len());
        Some(Said { words: split(line), rest: line[end..].trim_ascii_start().to_vec() })
    }

    /// A command that one of ours says.
    pub(crate) fn of(words: &[&[u8]]) -> Said {
        let rest = words.iter().skip(1).copied().collect::<Vec<_>>().join(&b' ');
        Said { words: words.iter().map(|word| word.to_vec()).collect(), rest }
    }

    /// The command.
    pub(crate) fn name(&self) -> &[u8] {
        self.words.first().map_or(b"", Vec::as_slice)
    }

    /// Its arguments.
    pub(crate) fn arguments(&self) -> &[Vec<u8>] {
        self.words.get(1..).unwrap_or_default()
    }

    /// The argument at this place, from 0 on, when it is there and not empty.
    pub(crate) fn argument(&self, place: usize) -> Option<&[u8]> {
        self.arguments().get(place).map(Vec::as_slice).filter(|word| !word.is_empty())
    }

    /// All arguments from this place on in one, a blank between them.
    pub(crate) fn joined(&self, from: usize) -> Vec<u8> {
        self.arguments().get(from..).unwrap_or_default().join(&b' ')
    }
}

/// The words of a text. A quote lasts to its other end, or to the end of the line; in it a backslash protects only a quote
/// and itself, elsewhere everything.
pub(crate) fn split(text: &[u8]) -> Vec<Vec<u8>> {
    let mut words = Vec::new();
    let mut word: Option<Vec<u8>> = None;
    let mut quoted = false;
    let mut bytes = text.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            b'\\' => {
                let protects = |next: &u8| !quoted || matches!(next, b'"' | b'\\');
                let byte = bytes.next_if(protects).unwrap_or(byte);
                word.get_or_insert_default().push(byte);
            }
            byte if byte.is_ascii_whitespace() && !quoted => words.extend(word.take()),
            byte => word.get_or_insert_default().push(byte),
        }
    }
    words.extend(word);
    words
}

/// The word with what must be protected protected, so that [`split`] gives it back.
pub(crate) fn protect(word: &str) -> String {
    let mut text = String::with_capacity(word.len());
    for c in word.chars() {
        if matches!(c, '"' | '\\') || c.is_ascii_whitespace() {
            text.push('\\');
        }
        text.push(c);
    }
    text
}

/// Where the last word of an unfinished line begins, and what it is once its protection is off.
pub(crate) fn last_word(line: &str) -> (usize, String) {
    let mut begin = 0;
    let (mut quoted, mut protected) = (false, false);
    for (at, c) in line.char_indices() {
        match c {
            _ if protected => protected = false,
            '\\' => protected = true,
            '"' => quoted = !quoted,
            c if c.is_ascii_whitespace() && !quoted => begin = at + c.len_utf8(),
            _ => {}
        }
    }
    let word = split(&line.as_bytes()[begin..]).pop().unwrap_or_default();
    (begin, String::from_utf8_lossy(&word).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        let said = Said::read(line.as_bytes()).unwrap();
        said.words.iter().map(|word| String::from_utf8_lossy(word).into_owned()).collect()
    }

    #[test]
    fn quotes_and_backslashes_protect() {
        assert_eq!(words("  get  a b "), ["get", "a", "b"]);
        assert_eq!(words("get \"a b\" c\\ d"), ["get", "a b", "c d"]);
        assert_eq!(words("dir \"\" |more"), ["dir", "", "|more"]);
        assert_eq!(words("put \"|tar cf - x\" y"), ["put", "|tar cf - x", "y"]);
        assert_eq!(words(r#"get "a\"b\c" \"d"#), ["get", "a\"b\\c", "\"d"]);
        assert_eq!(words("get \"a b"), ["get", "a b"]);
        assert_eq!(words("get a\\"), ["get", "a\\"]);
    }

    #[test]
    fn a_shell_escape_and_a_macro_need_no_blank() {
        assert_eq!(words("!ls -l"), ["!", "ls", "-l"]);
        assert_eq!(words("$up a b"), ["$", "up", "a", "b"]);
        assert_eq!(Said::read(b"!echo \"a  b\"").unwrap().rest, b"echo \"a  b\"");
        assert_eq!(Said::read(b"quote SITE  x").unwrap().rest, b"SITE  x");
        assert_eq!(Said::read(b"  "), None);
    }

    #[test]
    fn what_is_protected_comes_back() {
        for name in ["plain", "a b", "quo\"te", "back\\slash", "Ünï cödé"] {
            assert_eq!(split(protect(name).as_bytes()), [name.as_bytes()]);
        }
    }

    #[test]
    fn the_last_word_of_an_unfinished_line() {
        assert_eq!(last_word("get a\\ b"), (4, "a b".to_owned()));
        assert_eq!(last_word("get "), (4, String::new()));
        assert_eq!(last_word("ge"), (0, "ge".to_owned()));
        assert_eq!(last_word("get \"a b"), (4, "a b".to_owned()));
    }
}
