//! What becomes of a file's name on the other side when none was given: `case`, `ntrans`, `nmap`, and names that are new.

use std::path::{Path, PathBuf};

/// The three rules, in the order in which they work.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Mapping {
    /// Remote names all in capitals become small here.
    pub(crate) case: bool,
    /// Characters to be replaced, and by what.
    pub(crate) ntrans: Option<(Vec<u8>, Vec<u8>)>,
    /// Templates: how a name is taken apart, and how it is put together again.
    pub(crate) nmap: Option<(Vec<u8>, Vec<u8>)>,
}

impl Mapping {
    /// The name here of a remote file.
    pub(crate) fn here(&self, name: &[u8]) -> Vec<u8> {
        let capitals = name.iter().any(u8::is_ascii_uppercase) && !name.iter().any(u8::is_ascii_lowercase);
        if self.case && capitals { self.there(&name.to_ascii_lowercase()) } else { self.there(name) }
    }

    /// The remote name of a file here.
    pub(crate) fn there(&self, name: &[u8]) -> Vec<u8> {
        let name = match &self.ntrans {
            Some((from, to)) => transliterate(name, from, to),
            None => name.to_vec(),
        };
        match &self.nmap {
            Some((template, pattern)) => map(&name, template, pattern),
            None => name,
        }
    }

    /// Whether a name may come out as another one.
    pub(crate) fn is_on(&self) -> bool {
        self.case || self.ntrans.is_some() || self.nmap.is_some()
    }
}

/// Each character of `from` becomes the one of `to` at its place, or goes where `to` is shorter.
fn transliterate(name: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let replaced = |b: &u8| match from.iter().position(|known| known == b) {
        Some(place) => to.get(place).copied(),
        None => Some(*b),
    };
    name.iter().filter_map(replaced).collect()
}

/// Takes `name` apart by `template` and puts the parts into `pattern`.
fn map(name: &[u8], template: &[u8], pattern: &[u8]) -> Vec<u8> {
    let mut parts = take_apart(name, template);
    parts[0] = name.to_vec();
    let mut text = Vec::new();
    put_together(pattern, &parts, &mut text);
    text
}

/// What `$1` to `$9` stand for. A variable goes up to what follows it in the template; what does not fit ends it.
fn take_apart(name: &[u8], template: &[u8]) -> [Vec<u8>; 10] {
    let mut parts: [Vec<u8>; 10] = Default::default();
    let mut rest = name;
    let mut at = 0;
    while let Some(&byte) = template.get(at) {
        at += 1;
        if byte == b'$'
            && let Some(digit @ b'1'..=b'9') = template.get(at)
        {
            at += 1;
            let end = match template.get(at) {
                Some(b'\\') => template.get(at + 1),
                next => next,
            };
            let end = end.and_then(|end| rest.iter().position(|b| b == end)).unwrap_or(rest.len());
            parts[usize::from(digit - b'0')] = rest[..end].to_vec();
            rest = &rest[end..];
            continue;
        }
        let literal = if byte == b'\\' { template.get(at).copied().unwrap_or(byte) } else { byte };
        at += usize::from(byte == b'\\');
        match rest.split_first() {
            Some((first, behind)) if *first == literal => rest = behind,
            _ => break,
        }
    }
    parts
}

/// `$0` to `$9`, and `[one,other]`: the other where the one is empty. Brackets do not nest.
fn put_together(pattern: &[u8], parts: &[Vec<u8>; 10], text: &mut Vec<u8>) {
    let mut at = 0;
    while let Some(&byte) = pattern.get(at) {
        at += 1;
        match (byte, pattern.get(at)) {
            (b'\\', Some(&next)) => {
                text.push(next);
                at += 1;
            }
            (b'$', Some(digit @ b'0'..=b'9')) => {
                text.extend_from_slice(&parts[usize::from(digit - b'0')]);
                at += 1;
            }
            (b'[', _) => match choice(&pattern[at..]) {
                Some((one, other, size)) => {
                    let before = text.len();
                    put_together(one, parts, text);
                    if text.len() == before {
                        put_together(other, parts, text);
                    }
                    at += size;
                }
                None => text.push(byte),
            },
            (byte, _) => text.push(byte),
        }
    }
}

/// `one,other]` behind a bracket, and its length.
fn choice(text: &[u8]) -> Option<(&[u8], &[u8], usize)> {
    let find = |wanted: u8, from: usize| {
        let mut at = from;
        while let Some(&byte) = text.get(at) {
            match byte {
                b'\\' => at += 1,
                byte if byte == wanted => return Some(at),
                _ => {}
            }
            at += 1;
        }
        None
    };
    let comma = find(b',', 0)?;
    let end = find(b']', comma + 1)?;
    Some((&text[..comma], text[comma + 1..end].trim_ascii_start(), end + 1))
}

/// A path that is new: as it is, or with `.1` to `.99` behind it. None where all are taken.
pub(crate) fn unique(path: &Path, exists: impl Fn(&Path) -> bool) -> Option<PathBuf> {
    if !exists(path) {
        return Some(path.to_owned());
    }
    (1..=99)
        .map(|number| {
            let mut name = path.as_os_str().to_owned();
            name.push(format!(".{number}"));
            PathBuf::from(name)
        })
        .find(|path| !exists(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapped(name: &str, template: &str, pattern: &str) -> String {
        String::from_utf8(map(name.as_bytes(), template.as_bytes(), pattern.as_bytes())).unwrap()
    }

    #[test]
    fn the_examples_of_the_manual_come_out() {
        let (template, pattern) = ("$1.$2.$3", "[$1,$2].[$2,file]");
        assert_eq!(mapped("myfile.data", template, pattern), "myfile.data");
        assert_eq!(mapped("myfile.data.old", template, pattern), "myfile.data");
        assert_eq!(mapped("myfile", template, pattern), "myfile.file");
        assert_eq!(mapped(".myfile", template, pattern), "myfile.myfile");
    }

    #[test]
    fn templates_hold_literals_and_the_whole_name() {
        assert_eq!(mapped("a.b.c", "$1.$2", "$2-$1 ($0)"), "b.c-a (a.b.c)");
        assert_eq!(mapped("pre-x", "pre-$1", "$1"), "x");
        assert_eq!(mapped("other", "pre-$1", "$1"), "");
        assert_eq!(mapped("x", "$1", "\\$1\\[$1"), "$1[x");
        assert_eq!(mapped("x", "$1", "[$1"), "[x");
    }

    #[test]
    fn characters_are_replaced_or_dropped() {
        let mut mapping = Mapping { ntrans: Some((b" :".to_vec(), b"_".to_vec())), ..Mapping::default() };
        assert!(mapping.is_on());
        assert_eq!(mapping.here(b"a b:c"), b"a_bc");
        mapping.ntrans = None;
        mapping.case = true;
        assert_eq!(mapping.here(b"README.1ST"), b"readme.1st");
        assert_eq!(mapping.here(b"ReadMe"), b"ReadMe");
        assert_eq!(mapping.there(b"README"), b"README");
    }

    #[test]
    fn a_new_name_ends_in_a_number() {
        let path = Path::new("a");
        let taken = |count: usize| {
            move |path: &Path| {
                let name = path.to_str().unwrap();
                name == "a" || name[2..].parse::<usize>().is_ok_and(|n| n <= count)
            }
        };
        assert_eq!(unique(path, |_| false), Some(PathBuf::from("a")));
        assert_eq!(unique(path, taken(2)), Some(PathBuf::from("a.3")));
        assert_eq!(unique(path, taken(99)), None);
    }
}
