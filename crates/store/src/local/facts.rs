//! What statx says, as an [`Entry`]: the names of owners (read once) and what this process may do (computed, so that a
//! long listing costs one system call a file).

use std::borrow::Cow;
use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::OnceLock;

use rustix::fs::{AtFlags, FileType, Statx, StatxFlags, StatxTimestamp, makedev, readlinkat, statx};
use rustix::io::Errno;
use rustix::process::{getegid, geteuid, getgroups};
use twoport_proto::entry::Access;
use twoport_proto::{Entry, Kind, Moment};

/// Who this process is.
#[derive(Debug)]
pub(super) struct Identity {
    user: u32,
    groups: Vec<u32>,
}

impl Identity {
    /// Effective user and groups, as they are now.
    pub(super) fn of_this_process() -> Self {
        let mut groups = vec![getegid().as_raw()];
        // A kernel that does not tell costs a letter in a listing, no right.
        groups.extend(getgroups().unwrap_or_default().iter().map(|group| group.as_raw()));
        Identity { user: geteuid().as_raw(), groups }
    }

    /// Whether permission bits do not bind it.
    pub(super) fn is_root(&self) -> bool {
        self.user == 0
    }

    fn access(&self, kind: Kind, mode: u32, user: u32, group: u32) -> Access {
        // A link has no bits of its own: those of its target count, when somebody goes there.
        if self.is_root() || kind == Kind::Link {
            return Access::ALL;
        }
        let bits = if user == self.user {
            mode >> 6
        } else if self.groups.contains(&group) {
            mode >> 3
        } else {
            mode
        };
        Access { read: bits & 4 != 0, write: bits & 2 != 0, enter: kind == Kind::Directory && bits & 1 != 0 }
    }
}

/// Looks at an open file or, through an O_PATH descriptor, at a link itself.
pub(super) fn entry_of(file: BorrowedFd<'_>, name: &[u8], identity: &Identity) -> Result<Entry, Errno> {
    entry(file, c"", AtFlags::EMPTY_PATH, name, identity)
}

/// Looks at `name` in `folder`; a link is told as a link.
pub(super) fn entry_in(folder: BorrowedFd<'_>, name: &CStr, identity: &Identity) -> Result<Entry, Errno> {
    entry(folder, name, AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT, name.to_bytes(), identity)
}

/// Reads the names of owners now. To be called before a wall goes up around `/etc`.
pub(super) fn read_owner_names() {
    owner_names();
}

fn entry(
    at: impl AsFd,
    path: &CStr,
    flags: AtFlags,
    name: &[u8],
    identity: &Identity,
) -> Result<Entry, Errno> {
    let facts = statx(at.as_fd(), path, flags, StatxFlags::BASIC_STATS | StatxFlags::BTIME)?;
    let kind = kind(&facts);
    let mode = u32::from(facts.stx_mode) & 0o7777;
    // Gone or changed in between: the link is shown without its target.
    let target = match kind {
        Kind::Link => readlinkat(at.as_fd(), path, Vec::new()).ok().map(CString::into_bytes),
        _ => None,
    };
    let names = owner_names();
    let told = StatxFlags::from_bits_retain(facts.stx_mask);
    Ok(Entry {
        name: name.to_vec(),
        kind,
        size: facts.stx_size,
        modified: Some(moment(facts.stx_mtime)),
        created: told.contains(StatxFlags::BTIME).then(|| moment(facts.stx_btime)),
        mode: Some(mode),
        links: Some(u64::from(facts.stx_nlink)),
        owner: Some(named(&names.users, facts.stx_uid)),
        group: Some(named(&names.groups, facts.stx_gid)),
        unique: Some((makedev(facts.stx_dev_major, facts.stx_dev_minor), facts.stx_ino)),
        target,
        access: identity.access(kind, mode, facts.stx_uid, facts.stx_gid),
    })
}

fn kind(facts: &Statx) -> Kind {
    match FileType::from_raw_mode(u32::from(facts.stx_mode)) {
        FileType::RegularFile => Kind::File,
        FileType::Directory => Kind::Directory,
        FileType::Symlink => Kind::Link,
        _ => Kind::Other,
    }
}

fn moment(stamp: StatxTimestamp) -> Moment {
    Moment { seconds: stamp.tv_sec, nanos: stamp.tv_nsec }
}

#[derive(Default)]
struct OwnerNames {
    users: Names,
    groups: Names,
}

/// By number, in order: there are few of them, and each line of a listing looks for two.
type Names = Vec<(u32, String)>;

/// Once per process: the files may be out of reach later, and reading them for each account would be waste.
fn owner_names() -> &'static OwnerNames {
    static NAMES: OnceLock<OwnerNames> = OnceLock::new();
    NAMES.get_or_init(|| {
        let read = |path| std::fs::read(path).map(|text| read_names(&text)).unwrap_or_default();
        OwnerNames { users: read("/etc/passwd"), groups: read("/etc/group") }
    })
}

/// Both files begin a line with name, password, number. The first line with a number wins, as with getpwuid.
fn read_names(text: &[u8]) -> Names {
    let mut names = Names::new();
    for line in String::from_utf8_lossy(text).lines() {
        let mut fields = line.split(':');
        let (Some(name), Some(_), Some(number)) = (fields.next(), fields.next(), fields.next()) else {
            continue;
        };
        if let Ok(number) = number.parse() {
            names.push((number, name.to_owned()));
        }
    }
    // It leaves those of one number as they stand.
    names.sort_by_key(|(number, _)| *number);
    names.dedup_by_key(|(number, _)| *number);
    names
}

fn named(names: &'static Names, number: u32) -> Cow<'static, str> {
    match names.binary_search_by_key(&number, |(number, _)| *number) {
        Ok(at) => Cow::Borrowed(names[at].1.as_str()),
        Err(_) => Cow::Owned(number.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_matching_class_decides_and_not_the_kindest() {
        let me = Identity { user: 7, groups: vec![8] };
        let may = |mode, user, group| me.access(Kind::Directory, mode, user, group);
        assert_eq!(may(0o077, 7, 8), Access { read: false, write: false, enter: false });
        assert_eq!(may(0o750, 1, 8), Access { read: true, write: false, enter: true });
        assert_eq!(may(0o772, 1, 1), Access { read: false, write: true, enter: false });
        assert_eq!(Identity { user: 0, groups: vec![] }.access(Kind::File, 0, 5, 5), Access::ALL);
    }

    #[test]
    fn owner_files_are_read_with_their_oddities() {
        let names = read_names(b"root:x:0:0:root:/root:/bin/sh\ntoor:x:0:\n+::::\nbad\n\xff:x:9:\n");
        // They live as long as the process.
        let names = Box::leak(Box::new(names));
        assert_eq!(named(names, 0), "root");
        assert_eq!(named(names, 9), "\u{fffd}");
        assert_eq!(named(names, 12345), "12345");
    }
}
