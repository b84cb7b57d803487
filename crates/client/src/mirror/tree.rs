//! A folder of this machine or of a server as a [`Tree`]: what was seen, what could not be listed, and how far the times
//! are to be believed. What follows from a difference is left to [`super::diff`].

use std::collections::BTreeSet;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use twoport_proto::{Entry, Kind, Moment};

use super::diff::{Item, Rules, Tree};
use crate::client::Client;
use crate::error::Error;
use crate::journey::Journey;
use crate::local_name::LocalName;

/// What was seen of a folder.
#[derive(Debug, Default)]
pub struct Seen {
    /// What lies in it.
    pub tree: Tree,
    /// Folders that could not be listed, for [`Rules::unread`].
    pub unread: BTreeSet<Vec<u8>>,
    /// What a user should hear of.
    pub notes: Vec<Note>,
}

/// Something that is not in the tree, or not whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Where.
    pub path: Vec<u8>,
    /// Why.
    pub why: String,
    /// Whether a copy of the folder is not complete without it.
    pub missed: bool,
}

/// Lists a folder of a server and what lies below it, save what the rules exclude. A folder below it that cannot be listed
/// is noted and does not stop the others.
///
/// # Errors
/// When `root` itself cannot be listed, or the server is gone.
pub async fn remote_tree(
    journey: &mut Journey,
    root: &[u8],
    now: Moment,
    rules: &Rules,
) -> Result<Seen, Error> {
    let mut seen = Seen::default();
    let mut folders = vec![(Vec::new(), 0)];
    while let Some((folder, depth)) = folders.pop() {
        let at = join(root, &folder);
        let is_root = folder.is_empty();
        let listed = journey.run(|| 0, async |client| list(client, &at, now, is_root).await).await;
        let entries = match listed {
            Ok(entries) => entries,
            Err(e) if is_root || matches!(e, Error::Unreachable { .. }) => return Err(e),
            Err(e) => {
                seen.unread(folder, e.to_string());
                continue;
            }
        };
        for (name, item) in entries {
            let path = join(&folder, &name);
            if let Err(why) = LocalName::read(&name) {
                seen.notes.push(Note { path, why: why.to_string(), missed: true });
                continue;
            }
            if item.kind == Kind::Directory && goes_into(&path, rules) {
                if depth < DEPTH {
                    folders.push((path.clone(), depth + 1));
                } else {
                    seen.unread(path.clone(), TOO_DEEP.to_owned());
                }
            }
            seen.tree.insert(path, item);
        }
    }
    Ok(seen)
}

/// Looks at a folder of this machine, without following links below it. `unfinished` tells whether NAME.part, which a
/// download that was cut leaves behind, belongs to it: at the target it is protected, at the source it is left out.
///
/// # Errors
/// When `root` itself cannot be listed.
pub fn local_tree(root: &Path, unfinished: bool, rules: &Rules) -> io::Result<Seen> {
    let mut seen = Seen::default();
    let mut folders = vec![(Vec::new(), root.to_owned(), 0)];
    while let Some((folder, at, depth)) = folders.pop() {
        let listed = fs::read_dir(&at).and_then(|entries| {
            let read = |entry: fs::DirEntry| Ok((entry.file_name(), entry.metadata()?));
            entries.map(|entry| entry.and_then(read)).collect::<io::Result<Vec<_>>>()
        });
        let entries = match listed {
            Ok(entries) => entries,
            Err(e) if folder.is_empty() => return Err(e),
            Err(e) => {
                seen.unread(folder, e.to_string());
                continue;
            }
        };
        for (name, data) in entries {
            let path = join(&folder, name.as_bytes());
            let item = local_item(&data);
            if !unfinished && item.kind == Kind::File && name.as_bytes().ends_with(b".part") {
                let why = "NAME.part is a download that is not whole, and is left out".to_owned();
                seen.notes.push(Note { path, why, missed: false });
                continue;
            }
            if item.kind == Kind::Directory && goes_into(&path, rules) {
                if depth < DEPTH {
                    folders.push((path.clone(), at.join(&name), depth + 1));
                } else {
                    seen.unread(path.clone(), TOO_DEEP.to_owned());
                }
            }
            seen.tree.insert(path, item);
        }
    }
    Ok(seen)
}

/// A name in a folder, as a path for the server; the empty folder is the one where the session is.
#[must_use]
pub fn join(folder: &[u8], name: &[u8]) -> Vec<u8> {
    match (folder, name) {
        (b"", name) => name.to_vec(),
        (folder, b"") => folder.to_vec(),
        (folder, name) if folder.ends_with(b"/") => [folder, name].concat(),
        (folder, name) => [folder, b"/", name].concat(),
    }
}

/// When a file of this machine was changed.
pub(super) fn modified(data: &Metadata) -> Moment {
    Moment { seconds: data.mtime(), nanos: u32::try_from(data.mtime_nsec()).unwrap_or(0) }
}

impl Seen {
    fn unread(&mut self, folder: Vec<u8>, why: String) {
        let why = format!("the folder could not be listed: {why}");
        self.notes.push(Note { path: folder.clone(), why, missed: true });
        self.unread.insert(folder);
    }
}

/// Whether the content of a folder can matter. What is excluded is never touched, so nobody asks what it holds.
fn goes_into(path: &[u8], rules: &Rules) -> bool {
    let only = Rules { exclude: rules.exclude.clone(), ..Rules::default() };
    only.takes(path, true)
}

fn local_item(data: &Metadata) -> Item {
    let kind = match data.file_type() {
        t if t.is_dir() => Kind::Directory,
        t if t.is_file() => Kind::File,
        t if t.is_symlink() => Kind::Link,
        _ => Kind::Other,
    };
    let size = if kind == Kind::File { data.len() } else { 0 };
    Item { kind, size, modified: Some(modified(data)), precision: 0 }
}

async fn list(
    client: &mut Client,
    at: &[u8],
    now: Moment,
    is_root: bool,
) -> Result<Vec<(Vec<u8>, Item)>, Error> {
    let mut entries = client.list(at, now).await?;
    // `list` forgets MLST when it had to do with LIST.
    let is_exact = client.features().has("MLST");
    if !is_exact {
        doubt(client, at, &entries, is_root).await?;
    }
    let precision = |entry: &Entry| match entry.modified {
        Some(at) if !is_exact && at.seconds % 86_400 == 0 => 86_400,
        Some(at) if !is_exact && at.seconds % 60 == 0 => 60,
        _ => 1,
    };
    let precisions: Vec<u32> = entries.iter().map(precision).collect();
    client.settle_times(at, &mut entries).await?;
    let item = |(entry, precision): (Entry, u32)| {
        let item = Item { kind: entry.kind, size: entry.size, modified: entry.modified, precision };
        (entry.name, item)
    };
    Ok(entries.into_iter().zip(precisions).map(item).collect())
}

/// LIST of what is not there, may not be read or is a file looks to many servers (vsftpd for one) like a folder that is
/// empty or holds that file. What was not seen is not gone, so such an answer is not taken at its word.
async fn doubt(client: &mut Client, at: &[u8], entries: &[Entry], is_root: bool) -> Result<(), Error> {
    let last = at.rsplit(|b| *b == b'/').next().unwrap_or_default();
    let looks_like_a_file = is_root && entries.len() == 1 && entries[0].name == last;
    if at.is_empty() || !(entries.is_empty() || looks_like_a_file) {
        return Ok(());
    }
    match client.stat(at).await?.kind {
        Kind::File => Err(Error::OutOfStep("it is a file and not a folder".to_owned())),
        _ => Ok(()),
    }
}

/// Folders below each other at most: a tree that is deeper has a loop in it.
const DEPTH: usize = 100;

const TOO_DEEP: &str = "it lies more than 100 folders deep, as in a loop";
