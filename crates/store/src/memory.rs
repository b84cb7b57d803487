//! `Memory`: a tree in memory, for tests, demos and the fuzzer. The rules of uploads are those of a disk; permissions
//! are kept but bind nobody, and there are no links.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use twoport_pipe::{Body, Boxed, Sink, Taker};
use twoport_proto::placement::{Change, Placement};
use twoport_proto::{Entry, Failure, FtpPath, Kind, Moment};

use crate::error::Result;
use crate::store::{Answer, Folder, Links, MOST_UNIQUE, Order, Pending, Reading, Store, Upload, unique_name};

/// A tree of files in memory.
#[derive(Debug)]
pub struct Memory {
    tree: Arc<Mutex<Node>>,
    room: Arc<Room>,
}

#[derive(Debug)]
struct Node {
    content: Content,
    modified: Moment,
    created: Moment,
    mode: u32,
    number: u64,
}

#[derive(Debug)]
enum Content {
    File(Arc<Bytes>),
    Folder(BTreeMap<Vec<u8>, Node>),
}

/// The bytes of one file, alive as long as a name or an upload has them.
#[derive(Debug)]
struct Bytes {
    bytes: Mutex<Vec<u8>>,
    room: Arc<Room>,
}

/// How much all files together may hold.
#[derive(Debug)]
struct Room {
    limit: u64,
    used: AtomicU64,
    next_number: AtomicU64,
}

impl Memory {
    /// An empty tree without a bound.
    #[must_use]
    pub fn new() -> Self {
        Self::with_capacity_limit(u64::MAX)
    }

    /// An empty tree whose files hold at most `bytes` together, unfinished uploads included; then they are `Full`.
    #[must_use]
    pub fn with_capacity_limit(bytes: u64) -> Self {
        let room = Arc::new(Room { limit: bytes, used: AtomicU64::new(0), next_number: AtomicU64::new(1) });
        let root = Node::new(Content::Folder(BTreeMap::new()), &room);
        Memory { tree: Arc::new(Mutex::new(root)), room }
    }

    fn write_now(&self, path: &FtpPath, placement: Placement) -> Result<Upload> {
        let mut tree = lock(&self.tree);
        if path.is_root() {
            return Err(Failure::IsDirectory.into());
        }
        let is_new = tree.find(path).map(|old| old.file().map(Arc::clone));
        let old = match is_new {
            Ok(old) => Some(old),
            Err(error) if error.failure == Failure::NotFound => None,
            Err(error) => return Err(error),
        };
        let folder = tree.folder(&path.parent())?;
        let fresh = || Arc::new(Bytes { bytes: Mutex::default(), room: Arc::clone(&self.room) });
        match (placement, old) {
            (Placement::Unique, _) => {
                let free =
                    (0..MOST_UNIQUE).map(|n| unique_name(path.name(), n)).find(|n| !folder.contains_key(n));
                let name = free.ok_or(Failure::Exists)?;
                let placeholder = fresh();
                folder.insert(name.clone(), Node::new(Content::File(Arc::clone(&placeholder)), &self.room));
                Ok(self.begin(path.parent().child(&name), fresh(), 0, Ending::Unique { placeholder }))
            }
            (_, Some(Err(error))) => Err(error),
            (Placement::New, Some(Ok(_))) => Err(Failure::Exists.into()),
            (Placement::New, None) => Ok(self.begin(path.clone(), fresh(), 0, Ending::New)),
            (Placement::Replace | Placement::At(0), _) => {
                Ok(self.begin(path.clone(), fresh(), 0, Ending::Replace))
            }
            (Placement::At(_), None) => Err(Failure::NotFound.into()),
            (Placement::At(offset), Some(Ok(file))) => {
                if offset > file.size() {
                    return Err(Failure::BadOffset.into());
                }
                Ok(self.begin(path.clone(), file, offset, Ending::InPlace { is_new: false }))
            }
            (Placement::Append, Some(Ok(file))) => {
                let end = file.size();
                Ok(self.begin(path.clone(), file, end, Ending::InPlace { is_new: false }))
            }
            (Placement::Append, None) => {
                let file = fresh();
                folder.insert(path.name().to_vec(), Node::new(Content::File(Arc::clone(&file)), &self.room));
                Ok(self.begin(path.clone(), file, 0, Ending::InPlace { is_new: true }))
            }
        }
    }

    fn begin(&self, path: FtpPath, file: Arc<Bytes>, start: u64, ending: Ending) -> Upload {
        let at = Arc::new(AtomicU64::new(start));
        let size = file.size();
        let taker = MemoryTaker { file: Arc::clone(&file), at: Arc::clone(&at) };
        let (tree, room) = (Arc::clone(&self.tree), Arc::clone(&self.room));
        let pending = MemoryPending {
            tree,
            room,
            path: path.clone(),
            file,
            start,
            size,
            at,
            ending,
            is_settled: false,
        };
        Upload { sink: Sink::Taker(Box::new(taker)), path, commit: Box::new(pending) }
    }

    fn rename_now(&self, from: &FtpPath, to: &FtpPath) -> Result<()> {
        if from.is_root() || to.is_root() {
            return Err(Failure::Denied.into());
        }
        if from != to && to.is_within(from) {
            return Err(Failure::BadName.into());
        }
        let mut tree = lock(&self.tree);
        let is_folder = tree.find(from)?.is_folder();
        let target = tree.folder(&to.parent())?.get(to.name());
        if from == to {
            return Ok(());
        }
        match (is_folder, target.map(|node| &node.content)) {
            (true, Some(Content::File(_))) => return Err(Failure::NotDirectory.into()),
            (true, Some(Content::Folder(inside))) if !inside.is_empty() => {
                return Err(Failure::NotEmpty.into());
            }
            (false, Some(Content::Folder(_))) => return Err(Failure::IsDirectory.into()),
            _ => {}
        }
        if let Some(node) = tree.folder(&from.parent())?.remove(from.name()) {
            tree.folder(&to.parent())?.insert(to.name().to_vec(), node);
        }
        Ok(())
    }

    fn remove_if(&self, path: &FtpPath, may: impl Fn(&Node) -> Result<()>) -> Result<()> {
        let mut tree = lock(&self.tree);
        may(tree.find(path)?)?;
        tree.folder(&path.parent())?.remove(path.name());
        Ok(())
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self::new()
    }
}

impl Store for Memory {
    fn stat<'a>(&'a self, path: &'a FtpPath, _: Links) -> Answer<'a, Entry> {
        Box::pin(async move { Ok(lock(&self.tree).find(path)?.entry(path.name())) })
    }

    fn list<'a>(&'a self, path: &'a FtpPath, _: Order) -> Answer<'a, Box<dyn Folder>> {
        Box::pin(async move {
            let tree = lock(&self.tree);
            let Content::Folder(inside) = &tree.find(path)?.content else {
                return Err(Failure::NotDirectory.into());
            };
            let entries: Vec<_> = inside.iter().map(|(name, node)| node.entry(name)).collect();
            Ok(Box::new(MemoryFolder(entries.into_iter())) as Box<dyn Folder>)
        })
    }

    fn read<'a>(&'a self, path: &'a FtpPath, from: u64, length: Option<u64>) -> Answer<'a, Reading> {
        Box::pin(async move {
            let file = Arc::clone(lock(&self.tree).find(path)?.file()?);
            let bytes = lock(&file.bytes);
            let size = bytes.len() as u64;
            let rest =
                usize::try_from(from).ok().and_then(|from| bytes.get(from..)).ok_or(Failure::BadOffset)?;
            let length = length.and_then(|length| usize::try_from(length).ok()).unwrap_or(usize::MAX);
            Ok(Reading { body: Body::Bytes(rest[..length.min(rest.len())].to_vec()), size })
        })
    }

    fn write<'a>(&'a self, path: &'a FtpPath, placement: Placement) -> Answer<'a, Upload> {
        Box::pin(async move { self.write_now(path, placement) })
    }

    fn remove<'a>(&'a self, path: &'a FtpPath) -> Answer<'a, ()> {
        Box::pin(async move { self.remove_if(path, |node| node.file().map(drop)) })
    }

    fn make_dir<'a>(&'a self, path: &'a FtpPath) -> Answer<'a, ()> {
        Box::pin(async move {
            let mut tree = lock(&self.tree);
            let node = Node::new(Content::Folder(BTreeMap::new()), &self.room);
            let folder = tree.folder(&path.parent())?;
            if path.is_root() || folder.contains_key(path.name()) {
                return Err(Failure::Exists.into());
            }
            folder.insert(path.name().to_vec(), node);
            Ok(())
        })
    }

    fn remove_dir<'a>(&'a self, path: &'a FtpPath) -> Answer<'a, ()> {
        Box::pin(async move {
            if path.is_root() {
                return Err(Failure::Denied.into());
            }
            self.remove_if(path, |node| match &node.content {
                Content::File(_) => Err(Failure::NotDirectory.into()),
                Content::Folder(inside) if inside.is_empty() => Ok(()),
                Content::Folder(_) => Err(Failure::NotEmpty.into()),
            })
        })
    }

    fn rename<'a>(&'a self, from: &'a FtpPath, to: &'a FtpPath) -> Answer<'a, ()> {
        Box::pin(async move { self.rename_now(from, to) })
    }

    fn change<'a>(&'a self, path: &'a FtpPath, change: Change) -> Answer<'a, ()> {
        Box::pin(async move {
            let mut tree = lock(&self.tree);
            let node = tree.find_mut(path)?;
            node.modified = change.modified.unwrap_or(node.modified);
            node.created = change.created.unwrap_or(node.created);
            node.mode = change.mode.map_or(node.mode, |mode| mode & 0o7777);
            Ok(())
        })
    }

    fn symlink<'a>(&'a self, _: &'a [u8], _: &'a FtpPath) -> Answer<'a, ()> {
        Box::pin(async { Err(Failure::Unsupported.into()) })
    }

    fn space<'a>(&'a self, path: &'a FtpPath) -> Answer<'a, u64> {
        Box::pin(async move {
            lock(&self.tree).find(path)?;
            Ok(self.room.left())
        })
    }
}

impl Node {
    fn new(content: Content, room: &Room) -> Self {
        let mode = if matches!(content, Content::File(_)) { 0o644 } else { 0o755 };
        let number = room.next_number.fetch_add(1, Ordering::Relaxed);
        Node { content, modified: now(), created: now(), mode, number }
    }

    fn is_folder(&self) -> bool {
        matches!(self.content, Content::Folder(_))
    }

    fn file(&self) -> Result<&Arc<Bytes>> {
        match &self.content {
            Content::File(file) => Ok(file),
            Content::Folder(_) => Err(Failure::IsDirectory.into()),
        }
    }

    fn find(&self, path: &FtpPath) -> Result<&Node> {
        path.parts().try_fold(self, |node, part| match &node.content {
            Content::Folder(inside) => inside.get(part).ok_or(Failure::NotFound.into()),
            Content::File(_) => Err(Failure::NotDirectory.into()),
        })
    }

    fn find_mut(&mut self, path: &FtpPath) -> Result<&mut Node> {
        path.parts().try_fold(self, |node, part| match &mut node.content {
            Content::Folder(inside) => inside.get_mut(part).ok_or(Failure::NotFound.into()),
            Content::File(_) => Err(Failure::NotDirectory.into()),
        })
    }

    /// The inside of a folder.
    fn folder(&mut self, path: &FtpPath) -> Result<&mut BTreeMap<Vec<u8>, Node>> {
        match &mut self.find_mut(path)?.content {
            Content::Folder(inside) => Ok(inside),
            Content::File(_) => Err(Failure::NotDirectory.into()),
        }
    }

    fn entry(&self, name: &[u8]) -> Entry {
        let (kind, size) = match &self.content {
            Content::File(file) => (Kind::File, file.size()),
            Content::Folder(_) => (Kind::Directory, 0),
        };
        Entry {
            modified: Some(self.modified),
            created: Some(self.created),
            mode: Some(self.mode),
            unique: Some((0, self.number)),
            ..Entry::new(name, kind, size)
        }
    }
}

impl Bytes {
    fn size(&self) -> u64 {
        lock(&self.bytes).len() as u64
    }

    fn write(&self, at: u64, new: &[u8]) -> Result<(), Failure> {
        let mut bytes = lock(&self.bytes);
        let at = usize::try_from(at).map_err(|_| Failure::Full)?;
        let end = at.checked_add(new.len()).ok_or(Failure::Full)?;
        if end > bytes.len() {
            self.room.take((end - bytes.len()) as u64)?;
            bytes.resize(end, 0);
        }
        bytes[at..end].copy_from_slice(new);
        Ok(())
    }

    fn truncate(&self, end: u64) {
        let mut bytes = lock(&self.bytes);
        let before = bytes.len();
        bytes.truncate(usize::try_from(end).unwrap_or(usize::MAX));
        self.room.give_back((before - bytes.len()) as u64);
    }
}

impl Drop for Bytes {
    fn drop(&mut self) {
        self.room.give_back(self.size());
    }
}

impl Room {
    fn left(&self) -> u64 {
        if self.limit == u64::MAX {
            u64::MAX
        } else {
            self.limit.saturating_sub(self.used.load(Ordering::Relaxed))
        }
    }

    fn take(&self, bytes: u64) -> Result<(), Failure> {
        let fits = |used: u64| used.checked_add(bytes).filter(|used| *used <= self.limit);
        self.used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits)
            .map(drop)
            .map_err(|_| Failure::Full)
    }

    fn give_back(&self, bytes: u64) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }
}

struct MemoryFolder(std::vec::IntoIter<Entry>);

impl Folder for MemoryFolder {
    fn next<'a>(&'a mut self, at_most: usize) -> Answer<'a, Vec<Entry>> {
        Box::pin(async move { Ok(self.0.by_ref().take(at_most.max(1)).collect()) })
    }
}

struct MemoryTaker {
    file: Arc<Bytes>,
    at: Arc<AtomicU64>,
}

impl Taker for MemoryTaker {
    fn take<'a>(&'a mut self, bytes: &'a [u8]) -> Boxed<'a, ()> {
        Box::pin(async move {
            let at = self.at.load(Ordering::Relaxed);
            self.file
                .write(at, bytes)
                .map_err(|failure| io::Error::new(io::ErrorKind::StorageFull, failure))?;
            self.at.store(at + bytes.len() as u64, Ordering::Relaxed);
            Ok(())
        })
    }
}

#[derive(Debug)]
enum Ending {
    Replace,
    New,
    Unique { placeholder: Arc<Bytes> },
    InPlace { is_new: bool },
}

struct MemoryPending {
    tree: Arc<Mutex<Node>>,
    room: Arc<Room>,
    path: FtpPath,
    file: Arc<Bytes>,
    start: u64,
    /// Size when the upload began.
    size: u64,
    /// Behind the last byte received; the taker moves it.
    at: Arc<AtomicU64>,
    ending: Ending,
    is_settled: bool,
}

impl MemoryPending {
    fn commit_now(&mut self) -> Result<()> {
        self.is_settled = true;
        if let Ending::InPlace { .. } = self.ending {
            self.end_in_place();
            return Ok(());
        }
        let mut tree = lock(&self.tree);
        let folder = tree.folder(&self.path.parent())?;
        let mut node = Node::new(Content::File(Arc::clone(&self.file)), &self.room);
        match (folder.get(self.path.name()), &self.ending) {
            (Some(old), _) if old.is_folder() => return Err(Failure::IsDirectory.into()),
            (Some(_), Ending::New) => return Err(Failure::Exists.into()),
            (Some(old), _) => node.mode = old.mode,
            (None, _) => {}
        }
        folder.insert(self.path.name().to_vec(), node);
        Ok(())
    }

    fn cut_now(&mut self) -> Result<()> {
        self.is_settled = true;
        let has_received = self.at.load(Ordering::Relaxed) > self.start;
        if let Ending::InPlace { is_new } = self.ending {
            if has_received {
                self.end_in_place();
            } else if is_new {
                self.forget(&self.file);
            }
            return Ok(());
        }
        if let Ending::Unique { placeholder } = &self.ending {
            self.forget(placeholder);
        }
        if !has_received {
            return Ok(());
        }
        let mut tree = lock(&self.tree);
        let folder = tree.folder(&self.path.parent())?;
        let node = || Node::new(Content::File(Arc::clone(&self.file)), &self.room);
        folder.entry(self.path.name().to_vec()).or_insert_with(node);
        Ok(())
    }

    fn end_in_place(&self) {
        let end = self.at.load(Ordering::Relaxed);
        // As on a disk: only the old tail goes, not what another upload has put behind it since.
        if end < self.size {
            self.file.truncate(end);
        }
        if let Ok(node) = lock(&self.tree).find_mut(&self.path)
            && node.is_named_after(&self.file)
        {
            node.modified = now();
        }
    }

    /// Removes the name if it still stands for `file` and that is empty.
    fn forget(&self, file: &Arc<Bytes>) {
        let mut tree = lock(&self.tree);
        if let Ok(folder) = tree.folder(&self.path.parent())
            && folder.get(self.path.name()).is_some_and(|node| node.is_named_after(file) && file.size() == 0)
        {
            folder.remove(self.path.name());
        }
    }
}

impl Node {
    fn is_named_after(&self, bytes: &Arc<Bytes>) -> bool {
        self.file().is_ok_and(|file| Arc::ptr_eq(file, bytes))
    }
}

impl Pending for MemoryPending {
    fn commit(mut self: Box<Self>, sink: Sink) -> Answer<'static, ()> {
        Box::pin(async move {
            drop(sink);
            self.commit_now()
        })
    }

    fn cut(mut self: Box<Self>, sink: Sink) -> Answer<'static, ()> {
        Box::pin(async move {
            drop(sink);
            self.cut_now()
        })
    }
}

impl Drop for MemoryPending {
    fn drop(&mut self) {
        if !self.is_settled {
            // Nobody is left who could be told.
            let _ = self.cut_now();
        }
    }
}

/// A panic elsewhere leaves the tree whole: no change of it is made in halves.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn now() -> Moment {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Moment { seconds: i64::try_from(since.as_secs()).unwrap_or(i64::MAX), nanos: since.subsec_nanos() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::{check, pour};
    use crate::store::CutUploads;

    #[tokio::test]
    async fn memory_keeps_the_contract() {
        let store = Memory::new();
        check(&store, &FtpPath::root(), CutUploads::Keep).await;
        let home = FtpPath::read(b"/deeper/down").unwrap();
        store.make_dir(&home.parent()).await.unwrap();
        store.make_dir(&home).await.unwrap();
        check(&store, &home, CutUploads::Keep).await;
    }

    #[tokio::test]
    async fn full_is_full_until_something_goes() {
        let store = Memory::with_capacity_limit(10);
        let path = FtpPath::read(b"/a").unwrap();
        let mut upload = store.write(&path, Placement::Replace).await.unwrap();
        pour(&mut upload.sink, b"12345678").await.unwrap();
        assert_eq!(store.space(&path.parent()).await.unwrap(), 2);
        let error = crate::Error::from(pour(&mut upload.sink, b"9ab").await.unwrap_err());
        assert_eq!(error.failure, Failure::Full);
        upload.commit.commit(upload.sink).await.unwrap();
        let mut second = store.write(&path, Placement::Replace).await.unwrap();
        assert!(pour(&mut second.sink, b"12345678").await.is_err());
        drop(second);
        store.remove(&path).await.unwrap();
        assert_eq!(store.space(&path.parent()).await.unwrap(), 10);
    }
}
