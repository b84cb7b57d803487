//! A small tree of files in memory, as a world needs it to answer a session. Its own model, apart from the store crate: a
//! session must not be tested against the store's idea of itself. No rights, no quotas but one number for the room left.

use std::collections::BTreeMap;

use twoport_proto::listing::mlsx::{self, MlsKind};
use twoport_proto::listing::unix;
use twoport_proto::placement::{Change, Placement};
use twoport_proto::{Entry, Failure, FtpPath, Kind, Moment};
use twoport_session::server::io::{FileAnswer, FileOp, ListForm, ListOrder};

/// Files, folders and links by path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree {
    nodes: BTreeMap<FtpPath, Node>,
    /// What AVBL and ALLO are told.
    pub room: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Node {
    content: Content,
    modified: Moment,
    mode: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Content {
    Folder,
    File(Vec<u8>),
    Link(Vec<u8>),
}

impl Tree {
    /// A root with nothing in it.
    #[must_use]
    pub fn new() -> Self {
        let mut tree = Tree { nodes: BTreeMap::new(), room: 1 << 30 };
        tree.put(FtpPath::root(), Content::Folder);
        tree
    }

    /// Puts a folder there; what it lies in must be there already.
    pub fn add_folder(&mut self, path: &str) {
        self.put(read(path), Content::Folder);
    }

    /// Puts a file there; what it lies in must be there already.
    pub fn add_file(&mut self, path: &str, bytes: &[u8]) {
        self.put(read(path), Content::File(bytes.to_vec()));
    }

    /// What a file holds, if there is one.
    #[must_use]
    pub fn file(&self, path: &FtpPath) -> Option<&[u8]> {
        match &self.nodes.get(path)?.content {
            Content::File(bytes) => Some(bytes),
            Content::Folder | Content::Link(_) => None,
        }
    }

    /// Does what a session asks, or says why not.
    ///
    /// # Errors
    /// As a store would say it.
    pub fn answer(&mut self, operation: FileOp) -> Result<FileAnswer, Failure> {
        match operation {
            FileOp::Stat { path, link } => {
                let path = if link { path } else { self.follow(&path)? };
                return Ok(FileAnswer::Entry(Box::new(self.entry(&path)?)));
            }
            FileOp::MakeDir(path) => self.make(path, Content::Folder)?,
            FileOp::Symlink(target, path) => self.make(path, Content::Link(target))?,
            FileOp::RemoveDir(path) => self.remove_folder(&path)?,
            FileOp::Remove(path) => match self.node(&path)?.content {
                Content::Folder => return Err(Failure::IsDirectory),
                Content::File(_) | Content::Link(_) => drop(self.nodes.remove(&path)),
            },
            FileOp::Rename(from, to) => self.rename(&from, &to)?,
            FileOp::Change(path, change) => self.change(&path, change)?,
            FileOp::Space(path) => {
                self.node(&self.follow(&path)?)?;
                return Ok(FileAnswer::Space(self.room));
            }
            FileOp::Lines(order, most) => {
                let text = self.listing(&order)?;
                let mut lines: Vec<Vec<u8>> =
                    text.split(|b| *b == b'\n').map(|line| line.trim_ascii_end().to_vec()).collect();
                lines.pop();
                let more = lines.len() > most;
                lines.truncate(most);
                return Ok(FileAnswer::Lines(lines, more));
            }
        }
        Ok(FileAnswer::Done)
    }

    /// The bytes of a file for RETR and digests: from `from` on, `length` or all.
    ///
    /// # Errors
    /// When it is no file, or does not reach to `from`.
    pub fn open(&self, path: &FtpPath, from: u64, length: Option<u64>) -> Result<Vec<u8>, Failure> {
        match &self.node(&self.follow(path)?)?.content {
            Content::File(bytes) => {
                let from = usize::try_from(from).unwrap_or(usize::MAX);
                let rest = bytes.get(from..).ok_or(Failure::BadOffset)?;
                let length = length.and_then(|n| usize::try_from(n).ok()).unwrap_or(rest.len());
                Ok(rest[..length.min(rest.len())].to_vec())
            }
            Content::Folder | Content::Link(_) => Err(Failure::IsDirectory),
        }
    }

    /// Whether an upload can begin, and under which name: STOU's is chosen here.
    ///
    /// # Errors
    /// When it cannot.
    pub fn may_store(&self, path: &FtpPath, placement: Placement) -> Result<FtpPath, Failure> {
        let taken = self.nodes.get(path);
        if placement == Placement::Unique {
            self.must_be_folder(&path.parent())?;
            let mut free = path.clone();
            for number in 1u32.. {
                if !free.is_root() && !self.nodes.contains_key(&free) {
                    break;
                }
                free = path.parent().child(&[path.name(), format!(".{number}").as_bytes()].concat());
            }
            return Ok(free);
        }
        let Some(taken) = taken else {
            self.must_be_folder(&path.parent())?;
            let begins_inside = matches!(placement, Placement::At(from) if from > 0);
            return if begins_inside { Err(Failure::BadOffset) } else { Ok(path.clone()) };
        };
        match (&taken.content, placement) {
            (Content::Folder, _) => Err(Failure::IsDirectory),
            (_, Placement::New) => Err(Failure::Exists),
            (Content::File(bytes), Placement::At(from)) if from > size(bytes) => Err(Failure::BadOffset),
            _ => Ok(path.clone()),
        }
    }

    /// Keeps an upload under the name that [`Tree::may_store`] gave.
    ///
    /// # Errors
    /// When the tree has changed so that it cannot be there any more.
    pub fn store(&mut self, path: &FtpPath, placement: Placement, bytes: &[u8]) -> Result<(), Failure> {
        let placed = if placement == Placement::Unique { Placement::New } else { placement };
        self.may_store(path, placed)?;
        let mut whole = match placed {
            Placement::Append => self.file(path).unwrap_or_default().to_vec(),
            Placement::At(from) => {
                let kept = usize::try_from(from).unwrap_or(usize::MAX);
                self.file(path).unwrap_or_default().iter().copied().take(kept).collect()
            }
            Placement::Replace | Placement::New | Placement::Unique => Vec::new(),
        };
        whole.extend_from_slice(bytes);
        self.put(path.clone(), Content::File(whole));
        Ok(())
    }

    /// The bytes of a listing.
    ///
    /// # Errors
    /// When there is nothing of that name.
    pub fn listing(&self, order: &ListOrder) -> Result<Vec<u8>, Failure> {
        let asked = order.asked.clone().unwrap_or_default();
        let path = self.follow(&order.folder.join(&asked).or(Err(Failure::BadName))?)?;
        let own = self.entry(&path)?;
        let facts = matches!(order.form, ListForm::Facts(_));
        if facts && !own.is_directory() {
            return Err(Failure::NotDirectory);
        }
        let entries = if own.is_directory() { self.children(&path) } else { vec![own.clone()] };
        let mut text = Vec::new();
        for entry in entries.iter().filter(|entry| order.all || !entry.name.starts_with(b".")) {
            match order.form {
                ListForm::Long => unix::write_line(entry, NOW, &mut text),
                ListForm::Names => {
                    text.extend(
                        entry.name.iter().map(|b| if matches!(b, b'\r' | b'\n') { b'?' } else { *b }),
                    );
                    text.extend_from_slice(b"\r\n");
                }
                ListForm::Facts(set) => {
                    let perm = mlsx::perm_letters(entry, order.rights.may(true));
                    mlsx::write_line(entry, set, MlsKind::Own, perm.as_bytes(), &mut text);
                }
            }
        }
        Ok(text)
    }

    fn children(&self, folder: &FtpPath) -> Vec<Entry> {
        let inside = |path: &&FtpPath| !path.is_root() && path.parent() == *folder;
        self.nodes.keys().filter(inside).filter_map(|path| self.entry(path).ok()).collect()
    }

    fn entry(&self, path: &FtpPath) -> Result<Entry, Failure> {
        let node = self.node(path)?;
        let (kind, size) = match &node.content {
            // What a folder of the essay has.
            Content::Folder => (Kind::Directory, 104),
            Content::File(bytes) => (Kind::File, size(bytes)),
            Content::Link(target) => (Kind::Link, size(target)),
        };
        let mut entry = Entry::new(path.name(), kind, size);
        entry.modified = Some(node.modified);
        entry.mode = Some(node.mode);
        entry.links = Some(if kind == Kind::Directory { 3 } else { 1 });
        entry.owner = Some("slacker".into());
        entry.group = Some("users".into());
        if let Content::Link(target) = &node.content {
            entry.target = Some(target.clone());
        }
        Ok(entry)
    }

    /// The path with a link at its end followed, a few times at most.
    fn follow(&self, path: &FtpPath) -> Result<FtpPath, Failure> {
        let mut path = path.clone();
        for _ in 0..8 {
            match &self.node(&path)?.content {
                Content::Link(target) => path = path.parent().join(target).or(Err(Failure::BadName))?,
                Content::Folder | Content::File(_) => return Ok(path),
            }
        }
        Err(Failure::Loop)
    }

    fn make(&mut self, path: FtpPath, content: Content) -> Result<(), Failure> {
        self.must_be_folder(&path.parent())?;
        if self.nodes.contains_key(&path) {
            return Err(Failure::Exists);
        }
        self.put(path, content);
        Ok(())
    }

    fn remove_folder(&mut self, path: &FtpPath) -> Result<(), Failure> {
        self.must_be_folder(path)?;
        if path.is_root() {
            return Err(Failure::Denied);
        }
        if !self.children(path).is_empty() {
            return Err(Failure::NotEmpty);
        }
        self.nodes.remove(path);
        Ok(())
    }

    fn rename(&mut self, from: &FtpPath, to: &FtpPath) -> Result<(), Failure> {
        self.node(from)?;
        self.must_be_folder(&to.parent())?;
        if to.is_root() || to.is_within(from) && to != from {
            return Err(Failure::Denied);
        }
        if self.nodes.contains_key(to) && to != from {
            return Err(Failure::Exists);
        }
        let moved: Vec<FtpPath> = self.nodes.keys().filter(|path| path.is_within(from)).cloned().collect();
        for path in moved {
            let behind = path.as_bytes()[from.as_bytes().len()..].to_vec();
            let place = to.join(&[to.as_bytes(), &behind].concat()).or(Err(Failure::BadName))?;
            let node = self.nodes.remove(&path).expect("its path was just read from the tree");
            self.nodes.insert(place, node);
        }
        Ok(())
    }

    fn change(&mut self, path: &FtpPath, change: Change) -> Result<(), Failure> {
        let path = self.follow(path)?;
        if change.created.is_some() {
            return Err(Failure::Unsupported);
        }
        let node = self.nodes.get_mut(&path).ok_or(Failure::NotFound)?;
        node.modified = change.modified.unwrap_or(node.modified);
        node.mode = change.mode.unwrap_or(node.mode);
        Ok(())
    }

    fn node(&self, path: &FtpPath) -> Result<&Node, Failure> {
        self.nodes.get(path).ok_or(Failure::NotFound)
    }

    fn must_be_folder(&self, path: &FtpPath) -> Result<(), Failure> {
        match self.node(path)?.content {
            Content::Folder => Ok(()),
            Content::File(_) | Content::Link(_) => Err(Failure::NotDirectory),
        }
    }

    fn put(&mut self, path: FtpPath, content: Content) {
        let mode = if content == Content::Folder { 0o700 } else { 0o600 };
        self.nodes.insert(path, Node { content, modified: MODIFIED, mode });
    }
}

impl Default for Tree {
    fn default() -> Self {
        Self::new()
    }
}

fn read(path: &str) -> FtpPath {
    FtpPath::read(path.as_bytes()).expect("a test names absolute paths")
}

fn size(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).expect("a length fits in 64 bits")
}

/// When everything here was last changed: 27 July 2026, 01:45:00 UTC, the day and hour of the essay's listing.
pub const MODIFIED: Moment = Moment { seconds: 1_785_116_700, nanos: 0 };

/// When listings are made: a day later.
const NOW: Moment = Moment { seconds: MODIFIED.seconds + 86_400, nanos: 0 };

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_renamed_with_what_is_in_it() {
        let mut tree = Tree::new();
        tree.add_folder("/a");
        tree.add_file("/a/x", b"1");
        tree.add_file("/ab", b"2");
        assert_eq!(tree.answer(FileOp::Rename(read("/a"), read("/b"))), Ok(FileAnswer::Done));
        assert_eq!(tree.file(&read("/b/x")), Some(&b"1"[..]));
        assert_eq!(tree.file(&read("/ab")), Some(&b"2"[..]));
        assert_eq!(tree.answer(FileOp::Rename(read("/b"), read("/b/c"))), Err(Failure::Denied));
    }

    #[test]
    fn placements_are_as_a_store_has_them() {
        let mut tree = Tree::new();
        tree.add_file("/x", b"12345");
        let x = read("/x");
        assert_eq!(tree.may_store(&x, Placement::New), Err(Failure::Exists));
        assert_eq!(tree.may_store(&x, Placement::At(6)), Err(Failure::BadOffset));
        assert_eq!(tree.may_store(&x, Placement::Unique), Ok(read("/x.1")));
        tree.store(&x, Placement::At(2), b"ab").unwrap();
        tree.store(&x, Placement::Append, b"c").unwrap();
        assert_eq!(tree.file(&x), Some(&b"12abc"[..]));
    }

    #[test]
    fn everything_is_from_the_day_of_the_essay() {
        assert_eq!(MODIFIED.stamp(), "20260727014500");
    }
}
