//! What an unfinished line may go on with: commands, names here, names there.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::rc::Rc;
use std::sync::Arc;

use tokio::runtime::Runtime;

use super::link::Link;
use super::state::NAMED;
use super::table::{Found, TABLE, find};
use super::terminal::Names;
use super::voice::{Voice, Volume};
use super::words::{last_word, protect, split};

/// What is lent to the editor: the connection, to ask for remote names.
pub(crate) struct Lent {
    pub(crate) runtime: Rc<Runtime>,
    pub(crate) voice: Arc<Voice>,
    pub(crate) link: Option<Link>,
}

impl Names for Lent {
    fn complete(&mut self, line: &str) -> (usize, Vec<(String, String)>) {
        let (begin, word) = last_word(line);
        let before = split(&line.as_bytes()[..begin]);
        let found = match kind(&before) {
            Some('c') => commands(&word),
            Some('l') => files(&word),
            Some('r') => self.remote(&word),
            Some('o') => NAMED
                .iter()
                .map(|(name, _)| (*name).to_owned())
                .filter(|name| name.starts_with(&word))
                .collect(),
            _ => Vec::new(),
        };
        // A name goes on after its folder's slash; anything else is done with.
        let end = |name: &str| if name.ends_with('/') { "" } else { " " };
        let typed = |name: String| (name.clone(), format!("{}{}", protect(&name), end(&name)));
        (begin, found.into_iter().map(typed).collect())
    }
}

/// What kind of word follows these.
fn kind(before: &[Vec<u8>]) -> Option<char> {
    let Some(command) = before.first() else { return Some('c') };
    let Found::One(row) = find(command) else { return None };
    let place = before.len() - 1;
    row.completes.chars().nth(place).or(row.completes.chars().last())
}

fn commands(word: &str) -> Vec<String> {
    TABLE.iter().map(|row| row.name).filter(|name| name.starts_with(word)).map(str::to_owned).collect()
}

/// Names here that begin so; a folder's ends in a slash.
fn files(word: &str) -> Vec<String> {
    let (folder, begin) = word.rsplit_once('/').map_or(("", word), |(folder, begin)| (folder, begin));
    let prefix = &word[..word.len() - begin.len()];
    let looked = match (folder, prefix) {
        ("", "") => ".",
        ("", _) => "/",
        (folder, _) => folder,
    };
    let mut found: Vec<String> = fs::read_dir(looked)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.file_name().as_bytes().starts_with(begin.as_bytes()))
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let slash = if entry.path().is_dir() { "/" } else { "" };
            Some(format!("{prefix}{name}{slash}"))
        })
        .collect();
    found.sort_unstable();
    found
}

impl Lent {
    fn remote(&mut self, word: &str) -> Vec<String> {
        let Some(link) = &mut self.link else { return Vec::new() };
        let begin = word.rsplit('/').next().unwrap_or_default();
        let prefix = &word[..word.len() - begin.len()];
        let folder = match prefix {
            "/" => prefix,
            prefix => prefix.trim_end_matches('/'),
        };
        let before = self.voice.set_volume(Volume::Silent);
        let names = self.runtime.block_on(link.names(folder.as_bytes()));
        self.voice.set_volume(before);
        let fitting = names.into_iter().filter_map(|name| String::from_utf8(name).ok());
        let mut found: Vec<String> = fitting
            .filter(|name| name.starts_with(begin) && !name.chars().any(char::is_control))
            .map(|name| format!("{prefix}{name}"))
            .collect();
        found.sort_unstable();
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind_of(line: &str) -> Option<char> {
        kind(&split(line.as_bytes()))
    }

    #[test]
    fn what_follows_depends_on_the_command() {
        assert_eq!(kind_of(""), Some('c'));
        assert_eq!(kind_of("get"), Some('r'));
        assert_eq!(kind_of("get a"), Some('l'));
        assert_eq!(kind_of("mget a b c"), Some('r'));
        assert_eq!(kind_of("put"), Some('l'));
        assert_eq!(kind_of("help"), Some('c'));
        assert_eq!(kind_of("user"), None);
        assert_eq!(kind_of("zzz"), None);
    }

    #[test]
    fn commands_and_files_are_found_by_their_beginning() {
        assert_eq!(commands("mge"), ["mget"]);
        assert!(commands("m").len() > 10);
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("one file"), "").unwrap();
        fs::create_dir(folder.path().join("one folder")).unwrap();
        let word = format!("{}/one", folder.path().display());
        let found = files(&word);
        assert_eq!(found, [format!("{word} file"), format!("{word} folder/")]);
        assert_eq!(files("/nonexistent/x"), Vec::<String>::new());
    }
}
