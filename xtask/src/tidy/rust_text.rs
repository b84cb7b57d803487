//! Enough of Rust's lexical grammar to tell code, comments and strings apart, to find the test parts of a file, and to
//! spell out `use` trees. No parser: tidy must be quick and must accept code that does not compile yet.

/// A source taken apart. All three texts have the lines of the source, so a line number means the same in each.
pub(super) struct Parts {
    /// The code, with comments and the insides of strings blanked.
    pub(super) code: String,
    /// The comments alone.
    pub(super) comments: String,
    /// The code without the items under `#[cfg(test)]`.
    pub(super) product: String,
    /// How many lines belong to items under `#[cfg(test)]`.
    pub(super) test_lines: usize,
}

/// Takes a source apart.
pub(super) fn parts(text: &str) -> Parts {
    let (code, comments) = split(text);
    let (product, test_lines) = without_tests(&code);
    Parts { code, comments, product, test_lines }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn split(text: &str) -> (String, String) {
    let chars: Vec<char> = text.chars().collect();
    let mut code = String::with_capacity(text.len());
    let mut comments = String::with_capacity(text.len());
    let blank = |c: char| if c == '\n' { '\n' } else { ' ' };
    let mut at = 0;
    while at < chars.len() {
        let comment = comment_len(&chars[at..]);
        let quoted = if comment > 0 { 0 } else { quoted_len(&chars, at) };
        let len = comment.max(quoted).max(1);
        for (index, &c) in chars[at..at + len].iter().enumerate() {
            // The quotes stay, so that a string is not glued to what stands around it.
            let edge = quoted > 0 && (index == 0 || index + 1 == len);
            let in_code = comment == 0 && (quoted == 0 || edge);
            code.push(if in_code { c } else { blank(c) });
            comments.push(if comment > 0 { c } else { blank(c) });
        }
        at += len;
    }
    (code, comments)
}

/// The length of the comment that begins here, else 0.
fn comment_len(rest: &[char]) -> usize {
    match rest {
        ['/', '/', ..] => rest.iter().position(|&c| c == '\n').unwrap_or(rest.len()),
        ['/', '*', ..] => {
            let (mut depth, mut at) = (0, 0);
            while at < rest.len() {
                match &rest[at..] {
                    ['/', '*', ..] => (depth, at) = (depth + 1, at + 2),
                    ['*', '/', ..] => (depth, at) = (depth - 1, at + 2),
                    _ => at += 1,
                }
                if depth == 0 {
                    break;
                }
            }
            at
        }
        _ => 0,
    }
}

/// The length of the string or character literal that begins here, else 0.
fn quoted_len(chars: &[char], at: usize) -> usize {
    let rest = &chars[at..];
    let inside_word = at > 0 && is_word(chars[at - 1]) && !matches!(chars[at - 1], 'b' | 'c');
    match rest {
        ['r', '#' | '"', ..] if !inside_word => {
            let hashes = rest[1..].iter().take_while(|&&c| c == '#').count();
            if rest.get(1 + hashes) != Some(&'"') {
                return 0; // r#type
            }
            let body = 2 + hashes;
            let ends = |&at: &usize| {
                rest[at] == '"' && rest[at + 1..].iter().take_while(|&&c| c == '#').count() >= hashes
            };
            (body..rest.len()).find(ends).map_or(rest.len(), |at| at + 1 + hashes)
        }
        ['"', ..] => escaped_len(rest, '"'),
        ['\'', '\\', ..] => escaped_len(rest, '\''),
        ['\'', _, '\'', ..] => 3,
        _ => 0, // a lifetime, too
    }
}

fn escaped_len(rest: &[char], end: char) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            '\\' => at += 2,
            c if c == end => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// Blanks every item under `#[cfg(test)]`, and counts its lines.
fn without_tests(code: &str) -> (String, usize) {
    let mut product = String::with_capacity(code.len());
    let mut lines = 0;
    let mut rest = code;
    while let Some(at) = ["#[cfg(test)]", "#[cfg(all(test"].iter().filter_map(|mark| rest.find(mark)).min() {
        let len = item_len(&rest[at..]);
        let item = &rest[at..at + len];
        product.push_str(&rest[..at]);
        product.extend(item.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
        lines += item.lines().count();
        rest = &rest[at + len..];
    }
    product.push_str(rest);
    (product, lines)
}

/// The length of the item that begins here with its attributes: up to its `;`, or to the brace that closes its first.
fn item_len(code: &str) -> usize {
    let (mut braces, mut others) = (0, 0);
    for (at, c) in code.char_indices() {
        match c {
            '{' => braces += 1,
            '}' => {
                braces -= 1;
                if braces <= 0 {
                    return at + 1;
                }
            }
            '(' | '[' => others += 1,
            ')' | ']' => others -= 1,
            ';' if braces == 0 && others == 0 => return at + 1,
            _ => {}
        }
    }
    code.len()
}

/// Whether a name stands at `at` as a whole: nothing of a word before it, and, unless it is meant as a beginning,
/// nothing after it.
fn stands(text: &str, at: usize, len: usize, beginning: bool) -> bool {
    let before = text[..at].chars().next_back().is_none_or(|c| !is_word(c));
    let after = beginning || text[at + len..].chars().next().is_none_or(|c| !is_word(c));
    before && after
}

/// The lines (from 1) in which a name stands. With a `*` at its end the name is a beginning.
pub(super) fn lines_with(text: &str, name: &str) -> Vec<usize> {
    let (name, beginning) = name.strip_suffix('*').map_or((name, false), |name| (name, true));
    let has = |line: &str| line.match_indices(name).any(|(at, _)| stands(line, at, name.len(), beginning));
    text.lines().enumerate().filter(|(_, line)| has(line)).map(|(at, _)| at + 1).collect()
}

/// Every path that the `use` items of a code name, spelled out, with the line of its `use`.
pub(super) fn used_paths(code: &str) -> Vec<(usize, String)> {
    let mut paths = Vec::new();
    for (at, _) in code.match_indices("use ") {
        let begins = code[..at].trim_end_matches(' ');
        let item =
            begins.is_empty() || begins.ends_with(['\n', ';', '{', '}', ')']) || begins.ends_with("pub");
        let Some(end) = code[at..].find(';') else { continue };
        if item {
            let line = code[..at].matches('\n').count() + 1;
            let tree: String = code[at + 4..at + end].split_whitespace().collect::<Vec<_>>().join(" ");
            spell("", &tree, &mut |path| paths.push((line, path)));
        }
    }
    paths
}

fn spell(prefix: &str, tree: &str, out: &mut dyn FnMut(String)) {
    let tree = tree.trim();
    let Some((head, group)) = tree.split_once('{') else {
        let path = tree.split(" as ").next().unwrap_or(tree).trim();
        let path = format!("{prefix}{path}");
        return out(path.strip_suffix("::self").map(str::to_owned).unwrap_or(path));
    };
    let prefix = format!("{prefix}{}", head.trim());
    let group = group.strip_suffix('}').unwrap_or(group);
    let (mut depth, mut begin) = (0, 0);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                spell(&prefix, &group[begin..at], out);
                begin = at + 1;
            }
            _ => {}
        }
    }
    if !group[begin..].trim().is_empty() {
        spell(&prefix, &group[begin..], out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_strings_are_not_code() {
        let text = "a(\"x // y\"); // b\n/* c /* d */ e */ f('\"', '\\'', r#\"g\"h\"#); r#type::<'l>()\n";
        let parts = parts(text);
        assert_eq!(parts.code.lines().count(), 2);
        for gone in ["x", "y", "b", "c", "d", "g", "h"] {
            assert!(lines_with(&parts.code, gone).is_empty(), "{gone} in {}", parts.code);
        }
        for stays in ["a", "f", "type", "l"] {
            assert!(!lines_with(&parts.code, stays).is_empty(), "{stays} not in {}", parts.code);
        }
        assert_eq!(lines_with(&parts.comments, "d"), [2]);
        assert!(lines_with(&parts.comments, "y").is_empty());
    }

    #[test]
    fn test_items_are_cut_out_wherever_they_stand() {
        let text = "fn a() {}\n#[cfg(test)]\nmod tests;\nfn b() {}\n#[cfg(test)]\nmod more {\n  fn c() { \"}\"; }\n}\n";
        let parts = parts(text);
        assert_eq!(parts.test_lines, 6);
        assert_eq!(lines_with(&parts.product, "b"), [4]);
        assert!(lines_with(&parts.product, "c").is_empty());
    }

    #[test]
    fn use_trees_are_spelled_out() {
        let code = "pub use a::{b, c::{self, d as e}};\n  use std::{\n    fs,\n    net::TcpStream,\n  };\n";
        let paths: Vec<String> = used_paths(code).into_iter().map(|(_, path)| path).collect();
        assert_eq!(paths, ["a::b", "a::c", "a::c::d", "std::fs", "std::net::TcpStream"]);
    }

    #[test]
    fn a_star_makes_a_name_a_beginning() {
        assert_eq!(lines_with("std::net::TcpStream", "std::net::Tcp*"), [1]);
        assert!(lines_with("std::net::TcpStream", "std::net::Tcp").is_empty());
        assert!(lines_with("my_tokio tokio_util", "tokio").is_empty());
    }
}
