//! `Pattern`: what `--include` and `--exclude` take. One without a slash is for the last part of a path, at any depth; one
//! with a slash is for the whole path from the mirror's root on, where `*` stays within a part and `**` is any number of
//! parts. A slash at the end means folders only. Unlike in a shell, `*` takes a leading dot too.

use twoport_proto::glob::Glob;

/// A pattern for relative paths with slashes between their parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    parts: Vec<Part>,
    /// From the root on, and not the last part of the path alone.
    whole: bool,
    folders_only: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    /// `**`.
    Any,
    One(Glob),
}

impl Pattern {
    /// Reads a pattern. Every text is one.
    #[must_use]
    pub fn read(text: &[u8]) -> Pattern {
        let (text, folders_only) = match text.strip_suffix(b"/") {
            Some(text) => (text, true),
            None => (text, false),
        };
        let whole = text.contains(&b'/');
        let parts = text.split(|b| *b == b'/').filter(|part| !part.is_empty());
        let parts = parts.map(|part| if part == b"**" { Part::Any } else { Part::One(undotted(part)) });
        Pattern { parts: parts.collect(), whole, folders_only }
    }

    /// Whether the path fits, itself and not by way of a folder that it lies in.
    #[must_use]
    pub fn matches(&self, path: &[u8], is_folder: bool) -> bool {
        if self.folders_only && !is_folder {
            return false;
        }
        let mut names: Vec<&[u8]> = path.split(|b| *b == b'/').collect();
        if !self.whole {
            names = names.split_off(names.len() - 1);
        }
        let (mut part, mut at) = (0, 0);
        // As in `Glob`: only the last `**` is ever tried longer.
        let mut last_any: Option<(usize, usize)> = None;
        loop {
            match (self.parts.get(part), names.get(at)) {
                (Some(Part::Any), _) => {
                    part += 1;
                    last_any = Some((part, at));
                    continue;
                }
                (Some(Part::One(glob)), Some(name)) if fits(glob, name) => {
                    part += 1;
                    at += 1;
                    continue;
                }
                (None, None) => return true,
                _ => {}
            }
            let Some((behind, from)) = last_any else { return false };
            if from >= names.len() {
                return false;
            }
            last_any = Some((behind, from + 1));
            (part, at) = (behind, from + 1);
        }
    }
}

/// `Glob` wants a leading dot to stand in the pattern. With a slash in front of both no name begins with a dot.
fn undotted(pattern: &[u8]) -> Glob {
    Glob::read(&[b"/", pattern].concat())
}

fn fits(glob: &Glob, name: &[u8]) -> bool {
    glob.matches(&[b"/", name].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, path: &str) -> bool {
        Pattern::read(pattern.as_bytes()).matches(path.as_bytes(), false)
    }

    #[test]
    fn a_pattern_without_a_slash_is_for_the_last_part() {
        for (pattern, path) in [
            ("*.o", "a.o"),
            ("*.o", "x/y/a.o"),
            ("a", "x/a"),
            ("*.swp", "x/.a.swp"),
            ("*", ".git"),
            ("?x", ".x"),
        ] {
            assert!(matches(pattern, path), "{pattern} {path}");
        }
        for (pattern, path) in [("*.o", "a.o/b"), ("a*c", "a/b/c"), ("a", "ab"), ("", "a")] {
            assert!(!matches(pattern, path), "{pattern} {path}");
        }
    }

    #[test]
    fn a_pattern_with_a_slash_is_for_the_whole_path() {
        for (pattern, path) in [
            ("/a", "a"),
            ("a/*.o", "a/b.o"),
            ("/a/**/z", "a/z"),
            ("a/**/z", "a/b/c/z"),
            ("**/a", "a"),
            ("a/**", "a/b/c"),
            ("**/b/**/d", "a/b/b/c/d"),
        ] {
            assert!(matches(pattern, path), "{pattern} {path}");
        }
        for (pattern, path) in
            [("/a", "x/a"), ("a/*.o", "x/a/b.o"), ("a/*.o", "a/b/c.o"), ("a/**/z", "a/b"), ("a/b", "a")]
        {
            assert!(!matches(pattern, path), "{pattern} {path}");
        }
    }

    #[test]
    fn a_slash_at_the_end_means_folders() {
        let pattern = Pattern::read(b"cache/");
        assert!(pattern.matches(b"x/cache", true) && !pattern.matches(b"x/cache", false));
        assert!(!Pattern::read(b"/").matches(b"a", true));
    }

    #[test]
    fn the_evil_patterns_take_no_time() {
        let path = [b"a/".repeat(500), b"b".to_vec()].concat();
        assert!(!Pattern::read(&[b"**/a/".repeat(500), b"c".to_vec()].concat()).matches(&path, false));
    }
}
