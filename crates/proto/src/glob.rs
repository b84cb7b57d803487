//! `Glob`: the name patterns that LIST and NLST take as shells do: `*`, `?`, `[a-z]`, `[!x]`, backslash. No braces: their
//! expansion is a way to eat a server's memory (CVE-2011-0418). Which names are asked is left to the caller.

/// A pattern for one name (no slash has a meaning in it). Matching takes time in the product of both lengths at worst.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob(Vec<Token>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    /// Exactly this unit.
    Is(u32),
    /// `?`: any one unit.
    One,
    /// `*`: any run of units.
    Any,
    /// `[…]`: a unit in one of these ranges, or in none of them.
    Among { negated: bool, ranges: Vec<(u32, u32)> },
}

impl Glob {
    /// Reads a pattern. Every text is one: what has no meaning (an open `[`, a last backslash) stands for itself.
    #[must_use]
    pub fn read(pattern: &[u8]) -> Self {
        let mut tokens = Vec::new();
        let mut at = 0;
        // Once one `[` finds no end, no later one does; so each byte is looked at twice at most.
        let mut may_close = true;
        while let Some((unit, size)) = first_unit(&pattern[at..]) {
            at += size;
            let token = match pattern[at - size] {
                b'*' if tokens.last() == Some(&Token::Any) => continue,
                b'*' => Token::Any,
                b'?' => Token::One,
                b'[' if may_close => match read_set(&pattern[at..]) {
                    Some((set, size)) => {
                        at += size;
                        set
                    }
                    None => {
                        may_close = false;
                        Token::Is(unit)
                    }
                },
                b'\\' => match first_unit(&pattern[at..]) {
                    Some((escaped, size)) => {
                        at += size;
                        Token::Is(escaped)
                    }
                    None => Token::Is(unit),
                },
                _ => Token::Is(unit),
            };
            tokens.push(token);
        }
        Glob(tokens)
    }

    /// Whether the whole name fits. A leading dot must stand in the pattern itself, as in shells.
    #[must_use]
    pub fn matches(&self, name: &[u8]) -> bool {
        if name.first() == Some(&b'.') && self.0.first() != Some(&Token::Is(u32::from(b'.'))) {
            return false;
        }
        let (mut token, mut at) = (0, 0);
        // Only the last `*` is ever tried longer: if that does not help, no earlier one would have.
        let mut last_any: Option<(usize, usize)> = None;
        loop {
            match (self.0.get(token), first_unit(&name[at..])) {
                (Some(Token::Any), _) => {
                    token += 1;
                    last_any = Some((token, at));
                    continue;
                }
                (Some(here), Some((unit, size))) if here.takes(unit) => {
                    token += 1;
                    at += size;
                    continue;
                }
                (None, None) => return true,
                _ => {}
            }
            let Some((behind, from)) = last_any else { return false };
            let Some((_, size)) = first_unit(&name[from..]) else { return false };
            last_any = Some((behind, from + size));
            (token, at) = (behind, from + size);
        }
    }

    /// Whether `text` holds a `*`, `?` or `[` without a backslash before it, so that it is more than a name.
    #[must_use]
    pub fn is_pattern(text: &[u8]) -> bool {
        let mut escaped = false;
        text.iter().any(|b| {
            let special = !escaped && matches!(b, b'*' | b'?' | b'[');
            escaped = !escaped && *b == b'\\';
            special
        })
    }
}

impl Token {
    fn takes(&self, unit: u32) -> bool {
        match self {
            Token::Is(this) => *this == unit,
            Token::One | Token::Any => true,
            Token::Among { negated, ranges } => {
                ranges.iter().any(|(first, last)| (*first..=*last).contains(&unit)) != *negated
            }
        }
    }
}

/// A set from behind its `[` to its `]`, and the bytes it takes; `None` when it has no end.
fn read_set(text: &[u8]) -> Option<(Token, usize)> {
    let negated = matches!(text.first(), Some(b'!' | b'^'));
    let mut at = usize::from(negated);
    let mut ranges = Vec::new();
    loop {
        // A `]` in the first place stands for itself.
        if text.get(at) == Some(&b']') && !ranges.is_empty() {
            return Some((Token::Among { negated, ranges }, at + 1));
        }
        let first = set_unit(text, &mut at)?;
        let mut last = first;
        // A hyphen in the last place stands for itself.
        if text.get(at) == Some(&b'-') && text.get(at + 1).is_some_and(|b| *b != b']') {
            at += 1;
            last = set_unit(text, &mut at)?;
        }
        ranges.push((first, last));
    }
}

fn set_unit(text: &[u8], at: &mut usize) -> Option<u32> {
    if text.get(*at) == Some(&b'\\') && *at + 1 < text.len() {
        *at += 1;
    }
    let (unit, size) = first_unit(&text[*at..])?;
    *at += size;
    Some(unit)
}

/// The first character of `text` when it is valid UTF-8, else its first byte (as a number above all characters), and
/// the bytes it takes.
fn first_unit(text: &[u8]) -> Option<(u32, usize)> {
    let first = *text.first()?;
    let size = match first {
        0..0x80 => return Some((u32::from(first), 1)),
        0xC2..=0xDF => 2,
        0xE0..=0xEF => 3,
        0xF0..=0xF4 => 4,
        _ => 1,
    };
    let character = text.get(..size).and_then(|bytes| std::str::from_utf8(bytes).ok()?.chars().next());
    Some(match character {
        Some(character) => (u32::from(character), size),
        None => (NO_CHARACTER + u32::from(first), 1),
    })
}

/// One above the last character of Unicode.
const NO_CHARACTER: u32 = 0x11_0000;

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: impl AsRef<[u8]>, name: impl AsRef<[u8]>) -> bool {
        Glob::read(pattern.as_ref()).matches(name.as_ref())
    }

    #[test]
    fn stars_and_question_marks_match_as_in_shells() {
        for (pattern, name) in [
            ("*", "a"),
            ("*", ""),
            ("*.txt", "a.txt"),
            ("a*b*c", "a--b--b-c"),
            ("a*", "a"),
            ("**a**", "bab"),
            ("?", "a"),
            ("a?c", "abc"),
            ("*.tar.*", "x.tar.tar.gz"),
            ("", ""),
        ] {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [
            ("*.txt", "a.txt.gz"),
            ("?", ""),
            ("?", "ab"),
            ("a*b*c", "a--c--b"),
            ("", "a"),
            ("a", "A"),
            ("ab", "a"),
        ] {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
    }

    #[test]
    fn sets_and_ranges_match() {
        for (pattern, name) in [
            ("[abc]", "b"),
            ("[a-c]x", "bx"),
            ("[!a-c]", "d"),
            ("[^a-c]", "d"),
            ("[]a]", "]"),
            ("[!]a]", "b"),
            ("[a-]", "-"),
            ("[-a]", "-"),
            ("[\\]]", "]"),
            ("[\\!a]", "!"),
            ("[[]", "["),
            ("[é-ü]", "ö"),
            ("[*]", "*"),
        ] {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [("[abc]", "d"), ("[!a-c]", "b"), ("[z-a]", "m"), ("[!]a]", "]"), ("[a]", "")]
        {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
    }

    #[test]
    fn a_backslash_takes_the_meaning_away() {
        assert!(matches("\\*", "*") && !matches("\\*", "a"));
        assert!(matches("a\\?b", "a?b") && !matches("a\\?b", "axb"));
        assert!(matches("a\\", "a\\"));
        assert!(matches("\\[a]", "[a]"));
    }

    #[test]
    fn what_has_no_end_stands_for_itself() {
        assert!(matches("[abc", "[abc"));
        assert!(matches("[", "["));
        assert!(matches("[]", "[]"));
        assert!(matches("[a[b*", "[a[bcd"));
    }

    #[test]
    fn a_leading_dot_must_be_in_the_pattern() {
        for pattern in ["*", "?x", "[.]x", "[!a]x", "*x"] {
            assert!(!matches(pattern, ".x"), "{pattern}");
        }
        assert!(matches(".*", ".x") && matches("\\.x", ".x"));
        assert!(matches("a*", "a.x"));
    }

    #[test]
    fn one_means_a_character_and_else_a_byte() {
        assert!(matches("?", "é") && matches("??", "é€") && !matches("??", "é"));
        assert!(matches("?", b"\xE9") && matches("a?b", b"a\xE9b") && matches("??", b"\xC3\xFF"));
        assert!(matches(b"\xE9*", b"\xE9t\xE9"));
    }

    #[test]
    fn braces_mean_nothing() {
        assert!(matches("{a,b}", "{a,b}") && !matches("{a,b}", "a"));
    }

    #[test]
    fn the_evil_patterns_take_no_time() {
        let name = [b"a".repeat(4000), b"b".to_vec()].concat();
        assert!(!matches("*a".repeat(2000) + "c", &name));
        assert!(!matches("*?".repeat(2000) + "c", &name));
        let _ = Glob::read(&b"[".repeat(100_000));
        let _ = Glob::read(&b"[]".repeat(100_000));
        let _ = Glob::read(&b"[\\".repeat(100_000));
    }

    #[test]
    fn patterns_are_told_from_names() {
        for text in ["*", "a?", "[a]", "\\\\*"] {
            assert!(Glob::is_pattern(text.as_bytes()), "{text}");
        }
        for text in ["", "a", "\\*", "a\\?\\[", "{a,b}", "a]"] {
            assert!(!Glob::is_pattern(text.as_bytes()), "{text}");
        }
    }
}
