//! A folder of this machine or of a server as a [`Tree`]: what was seen, what could not be listed, and how far the times
//! are to be believed. What follows from a difference is left to [`super::diff`].

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::fs::{self, Metadata};
use std::io;
use std::ops::Bound;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use twoport_proto::listing::zone_offset;
use twoport_proto::{Entry, Kind, Moment};

use super::diff::{Item, Rules, Step, Tree, Why, above, plan};
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

/// A folder of the server, relative to the root of the mirror, and how deep it lies.
#[derive(Debug, Clone, Default)]
pub(super) struct Folder {
    pub(super) path: Vec<u8>,
    depth: usize,
}

/// Lists a folder of a server and what lies below it, save what the rules exclude. A folder below it that cannot be listed
/// is noted and does not stop the others.
pub(super) struct Lister<'a> {
    now: Moment,
    rules: &'a Rules,
    /// What lies here, where copies may begin before all is listed.
    here: Option<&'a Tree>,
    seen: RefCell<Seen>,
    /// Whether every listing told times in UTC and to the second.
    exact: Cell<bool>,
    fatal: RefCell<Option<Error>>,
}

impl<'a> Lister<'a> {
    pub(super) fn new(now: Moment, rules: &'a Rules, here: Option<&'a Tree>) -> Self {
        let (seen, fatal) = (RefCell::default(), RefCell::default());
        Lister { now, rules, here, seen, exact: Cell::new(true), fatal }
    }

    /// Lists one folder, and tells which ones lie in it; `met` becomes true once there is a session for it.
    pub(super) async fn look(
        &self,
        journey: &mut Journey,
        root: &[u8],
        folder: &Folder,
        met: &Cell<bool>,
    ) -> Result<Vec<Folder>, Error> {
        let at = join(root, &folder.path);
        // A listing that was lost in a flight, or on the way, is whole in another session.
        let tried = Cell::new(false);
        let work = async |client: &mut Client| {
            met.set(true);
            let listed = list(client, &at, self.now, folder.path.is_empty()).await?;
            if !client.listing_is_whole() && !tried.replace(true) {
                let why = "the server did not end its listing in order".to_owned();
                return Err(Error::Unconfirmed { bytes: 0, why });
            }
            Ok(listed)
        };
        let (entries, exact) = journey.run(|| 0, work).await?;
        if journey.client().is_some_and(|client| !client.listing_is_whole()) {
            let mut seen = self.seen.borrow_mut();
            let why = "the server did not end its listing in order: something of it may be lost".to_owned();
            seen.notes.push(Note { path: folder.path.clone(), why, missed: true });
            // What was not seen is not gone.
            if self.rules.delete {
                seen.unread.insert(folder.path.clone());
            }
        }
        if !exact {
            self.exact.set(false);
        }
        let mut below = Vec::new();
        let mut seen = self.seen.borrow_mut();
        for (name, item) in entries {
            let path = join(&folder.path, &name);
            if let Err(why) = LocalName::read(&name) {
                seen.notes.push(Note { path, why: why.to_string(), missed: true });
                continue;
            }
            if item.kind == Kind::Directory && goes_into(&path, self.rules) {
                if folder.depth < DEPTH {
                    below.push(Folder { path: path.clone(), depth: folder.depth + 1 });
                } else {
                    seen.unread(path.clone(), TOO_DEEP.to_owned());
                }
            }
            seen.tree.insert(path, item);
        }
        Ok(below)
    }

    /// A folder could not be listed; true when that ends the whole.
    pub(super) fn missed(&self, folder: Folder, e: Error) -> bool {
        if folder.path.is_empty() || matches!(e, Error::Unreachable { .. }) {
            self.fatal.borrow_mut().get_or_insert(e);
            return true;
        }
        self.seen.borrow_mut().unread(folder.path, e.to_string());
        false
    }

    /// What can be done of a folder that was just listed, before the others are: folders that are missing here, and files
    /// that are missing or differ without a doubt. What stands in the way of something, and what is only a matter of time,
    /// waits for the whole plan.
    pub(super) fn at_once(&self, folder: &Folder) -> Vec<Step> {
        let Some(here) = self.here else { return Vec::new() };
        let seen = self.seen.borrow();
        let prefix = join(&folder.path, b"");
        let is_in = |path: &[u8]| match prefix.as_slice() {
            b"" => !path.contains(&b'/'),
            prefix => path
                .strip_prefix(prefix)
                .and_then(|rest| rest.strip_prefix(b"/"))
                .is_some_and(|name| !name.contains(&b'/')),
        };
        let from = (Bound::Included(prefix.clone()), Bound::Unbounded);
        let listed = seen.tree.range(from).take_while(|(path, _)| path.starts_with(&prefix));
        let listed: Tree = listed.filter(|(path, _)| is_in(path)).map(|(p, i)| (p.clone(), *i)).collect();
        // Of what lies here only the same paths, and those that they lie in.
        let mut there: Tree = above(&folder.path)
            .chain([&folder.path[..]])
            .filter_map(|path| here.get_key_value(path))
            .map(|(path, item)| (path.clone(), *item))
            .collect();
        there.extend(listed.keys().filter_map(|path| here.get_key_value(path)).map(|(p, i)| (p.clone(), *i)));
        let rules = Rules { delete: false, unread: BTreeSet::new(), ..self.rules.clone() };
        let clear = |step: &Step| match step {
            Step::MakeDir { path } => here.get(path).is_none(),
            Step::Copy { why: Why::Missing, path, .. } => here.get(path).is_none(),
            Step::Copy { why: Why::SizeDiffers { .. } | Why::HashDiffers, .. } => true,
            Step::Copy { why: Why::Newer { .. }, .. } => self.exact.get(),
            Step::RemoveFile { .. } | Step::RemoveDir { .. } => false,
        };
        plan(&listed, &there, &rules).steps.into_iter().filter(clear).collect()
    }

    /// What was seen. Where the server's clock is not known and matters, some files are asked for theirs.
    pub(super) async fn ended(self, journey: &mut Journey, root: &[u8], other: &Tree) -> Result<Seen, Error> {
        if let Some(e) = self.fatal.into_inner() {
            return Err(e);
        }
        let mut seen = self.seen.into_inner();
        if !self.exact.get() {
            // What LIST tells to the minute is the server's own time.
            let is_coarse = |item: &Item| (2..86_400).contains(&item.precision);
            let in_both = |(path, item): &(&Vec<u8>, &Item)| {
                item.kind == Kind::File && is_coarse(item) && other.contains_key(*path)
            };
            let asked =
                seen.tree.iter().filter(in_both).take(ASKED).map(|(path, item)| (path.clone(), *item));
            let ahead = ahead(journey, root, asked.collect()).await?;
            for item in seen.tree.values_mut().filter(|item| is_coarse(item)) {
                if let Some(modified) = &mut item.modified {
                    modified.seconds -= ahead;
                }
            }
        }
        Ok(seen)
    }
}

/// By how much the server's clock is ahead of UTC, in seconds, as the first of these files tells whose MDTM says more than
/// its listing; 0 when none does.
async fn ahead(journey: &mut Journey, root: &[u8], files: Vec<(Vec<u8>, Item)>) -> Result<i64, Error> {
    for (path, item) in files {
        let Some(listed) = item.modified else { continue };
        let at = join(root, &path);
        match journey.run(|| 0, async |client: &mut Client| client.modified(&at).await).await {
            Ok(Some(told)) => {
                if let Some(ahead) = zone_offset(listed, told, listed.seconds % 60 == 0) {
                    return Ok(ahead);
                }
            }
            Ok(None) | Err(Error::Refused { .. } | Error::BadArgument(_)) => {}
            Err(e) => return Err(e),
        }
    }
    Ok(0)
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

/// The parts of a path, each a name that cannot lead away.
pub(super) fn names(path: &[u8]) -> io::Result<Vec<LocalName>> {
    LocalName::read_path(path).map_err(|e| io::Error::new(io::ErrorKind::InvalidInput, e))
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

/// What is in a folder, and whether its times are UTC to the second.
async fn list(
    client: &mut Client,
    at: &[u8],
    now: Moment,
    is_root: bool,
) -> Result<(Vec<(Vec<u8>, Item)>, bool), Error> {
    let entries = client.list(at, now).await?;
    // `list` forgets MLST when it had to do with LIST.
    let exact = client.features().has("MLST");
    if !exact {
        doubt(client, at, &entries, is_root).await?;
    }
    let item = |entry: &Entry| {
        let precision = match entry.modified {
            Some(at) if !exact && at.seconds % 86_400 == 0 => 86_400,
            Some(at) if !exact && at.seconds % 60 == 0 => 60,
            Some(_) if !exact => 2,
            _ => 1,
        };
        Item { kind: entry.kind, size: entry.size, modified: entry.modified, precision }
    };
    let items = entries.into_iter().map(|mut entry| {
        let item = item(&entry);
        (std::mem::take(&mut entry.name), item)
    });
    Ok((items.collect(), exact))
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

/// Files whose time is asked for to learn the server's zone, at most.
const ASKED: usize = 3;
