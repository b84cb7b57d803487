//! Two trees to a list of steps that makes the second like the first, in an order in which it can be carried out. Pure: who
//! lists, who copies and how many at a time is left to others.
//!
//! Links and special files are neither copied nor replaced nor removed, and what is excluded is never touched. A plan that
//! was carried out leaves nothing to be planned.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Bound;

use twoport_proto::{Kind, Moment};

use super::pattern::Pattern;
use crate::local_name::shown;

/// What lies below a folder: relative paths, with slashes between their parts and none at the ends. A folder on the way to a
/// path may be left out.
pub type Tree = BTreeMap<Vec<u8>, Item>;

/// One thing in a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Item {
    /// What it is.
    pub kind: Kind,
    /// Bytes in a file.
    pub size: u64,
    /// Last change of the content.
    pub modified: Option<Moment>,
    /// How coarse `modified` is, in seconds: 1 for MDTM and MLSD, 60 or 86,400 for LIST, 0 for a local file.
    pub precision: u32,
}

/// What the user wants.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    /// Remove at the target what the source does not have.
    pub delete: bool,
    /// Leave a file alone that is not older than the source's, even when their sizes differ.
    pub newer: bool,
    /// Only these take part, and what lies below a folder among them; all when empty.
    pub include: Vec<Pattern>,
    /// These do not, nor does what lies below them, whatever `include` says.
    pub exclude: Vec<Pattern>,
    /// How far two clocks may be apart, in seconds; the times' own precision is added.
    pub time_slack_seconds: u32,
    /// Folders of either side that could not be listed; the empty path is the root. Nothing below them is touched: what was
    /// not seen is not gone.
    pub unread: BTreeSet<Vec<u8>>,
}

/// What is to be done and what is not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// In an order that works. Copies stand together and may be done at the same time; so may removals of files.
    pub steps: Vec<Step>,
    /// What takes part and is left alone all the same.
    pub skipped: Vec<Skip>,
}

/// One thing to do at the target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Make a folder; the one that holds it is there.
    MakeDir {
        /// Where.
        path: Vec<u8>,
    },
    /// Copy a file, over the one that is there if one is.
    Copy {
        /// Where, on both sides.
        path: Vec<u8>,
        /// Bytes at the source.
        size: u64,
        /// The time that the copy is to have.
        modified: Option<Moment>,
        /// Why.
        why: Why,
    },
    /// Remove a file.
    RemoveFile {
        /// Where.
        path: Vec<u8>,
        /// Why.
        why: Removal,
    },
    /// Remove a folder that is empty by then.
    RemoveDir {
        /// Where.
        path: Vec<u8>,
        /// Why.
        why: Removal,
    },
}

/// Why a file is copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// The target has none.
    Missing,
    /// The sizes differ, in bytes.
    SizeDiffers {
        /// At the source.
        source: u64,
        /// At the target.
        target: u64,
    },
    /// The source's is newer by more than clocks and listings are wrong.
    Newer {
        /// At the source.
        source: Moment,
        /// At the target.
        target: Moment,
    },
    /// Size and time say nothing of it, and the hashes differ.
    HashDiffers,
}

/// Why something is removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    /// The source does not have it.
    NotAtSource,
    /// A file stands where a folder must be, or the other way round.
    InTheWay,
}

/// Something that is left alone, and everything below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skip {
    /// Where.
    pub path: Vec<u8>,
    /// Why.
    pub why: SkipWhy,
}

/// Why something is left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SkipWhy {
    /// A link at the source.
    LinkAtSource,
    /// A link at the target, where the source has something.
    LinkAtTarget,
    /// A pipe, a socket or a device, on either side.
    Special,
    /// A name that cannot go over FTP or would lead out of the folder.
    BadName,
    /// It lies below something that the source does not call a folder.
    BelowNoFolder,
    /// The folder could not be listed.
    Unread,
    /// A folder that is not empty stands where the file should be, and nothing may be deleted.
    FolderInTheWay,
    /// What stands in its place, or something below that, is excluded or is itself left alone.
    KeptInTheWay,
    /// The source does not have the folder, but something in it stays.
    HoldsKept,
}

/// Compares `source` with `target`.
#[must_use]
pub fn plan(source: &Tree, target: &Tree, rules: &Rules) -> Plan {
    let mut skipped = Vec::new();
    let (plain, odd): (Vec<_>, Vec<_>) = source.iter().partition(|(path, _)| is_plain(path));
    skipped.extend(odd.into_iter().map(|(path, _)| Skip { path: path.clone(), why: SkipWhy::BadName }));
    let source = whole(plain.into_iter());
    let wanted = wanted(&source, rules, &mut skipped);
    let mut there = whole(target.iter());
    let odd: BTreeSet<&[u8]> =
        there.keys().filter(|path| above(path).any(|path| is_no_folder(&there, path))).copied().collect();
    there.retain(|path, _| !odd.contains(path));
    let goners = goners(&source, &wanted, &there, rules);

    let (mut clear, mut folders, mut copies) = (Vec::new(), Vec::new(), Vec::new());
    let mut blocked: BTreeSet<&[u8]> = BTreeSet::new();
    let mut cleared: BTreeSet<&[u8]> = BTreeSet::new();
    for (path, item) in &wanted {
        if above(path).any(|path| blocked.contains(path)) {
            continue;
        }
        let mut skip = |why| {
            skipped.push(Skip { path: path.to_vec(), why });
            blocked.insert(path);
        };
        let is_folder = item.kind == Kind::Directory;
        let why = match there.get(path) {
            Some(Item { kind: Kind::Link, .. }) => {
                skip(SkipWhy::LinkAtTarget);
                continue;
            }
            Some(Item { kind: Kind::Other, .. }) => {
                skip(SkipWhy::Special);
                continue;
            }
            Some(found) if found.kind == item.kind => {
                if is_folder {
                    continue;
                }
                match compare(item, found, rules) {
                    Some(why) => why,
                    None => continue,
                }
            }
            Some(found) => {
                if !goners.contains(path) {
                    let only_flag = found.kind == Kind::Directory && !rules.delete && rules.takes(path, true);
                    skip(if only_flag { SkipWhy::FolderInTheWay } else { SkipWhy::KeptInTheWay });
                    continue;
                }
                for (path, found) in subtree(&there, path).into_iter().rev() {
                    clear.push(removal(path, found.kind, Removal::InTheWay));
                    cleared.insert(path);
                }
                Why::Missing
            }
            None => Why::Missing,
        };
        if is_folder {
            folders.push(Step::MakeDir { path: path.to_vec() });
        } else {
            copies.push(Step::Copy { path: path.to_vec(), size: item.size, modified: item.modified, why });
        }
    }

    let (mut files, mut emptied) = (Vec::new(), Vec::new());
    if rules.delete {
        for (path, found) in there.iter().rev().filter(|(path, _)| !wanted.contains_key(*path)) {
            let is_folder = found.kind == Kind::Directory;
            if goners.contains(path) {
                if !cleared.contains(path) {
                    let step = removal(path, found.kind, Removal::NotAtSource);
                    if is_folder { emptied.push(step) } else { files.push(step) }
                }
            } else if is_folder && is_extra(path, found, &source, &wanted, rules) {
                skipped.push(Skip { path: path.to_vec(), why: SkipWhy::HoldsKept });
            }
        }
    }
    skipped.sort_by(|a, b| a.path.cmp(&b.path));
    Plan { steps: [clear, folders, copies, files, emptied].concat(), skipped }
}

impl Plan {
    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// All that is to be copied, in bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let size = |step: &Step| if let Step::Copy { size, .. } = step { *size } else { 0 };
        self.steps.iter().map(size).fold(0, u64::saturating_add)
    }
}

impl Rules {
    /// Whether a path takes part, as far as patterns go.
    #[must_use]
    pub fn takes(&self, path: &[u8], is_folder: bool) -> bool {
        let any = |patterns: &[Pattern]| {
            patterns
                .iter()
                .any(|p| p.matches(path, is_folder) || above(path).any(|path| p.matches(path, true)))
        };
        !any(&self.exclude) && (self.include.is_empty() || any(&self.include))
    }

    /// Whether a path lies below a folder that could not be listed.
    fn is_unseen(&self, path: &[u8]) -> bool {
        !self.unread.is_empty()
            && (self.unread.contains(&b""[..]) || above(path).any(|path| self.unread.contains(path)))
    }
}

/// A tree with no gaps between its paths.
type View<'a> = BTreeMap<&'a [u8], Item>;

/// What of the source the target should have.
fn wanted<'a>(source: &View<'a>, rules: &Rules, skipped: &mut Vec<Skip>) -> View<'a> {
    let mut wanted = View::new();
    skipped.extend(rules.unread.iter().map(|path| Skip { path: path.clone(), why: SkipWhy::Unread }));
    for (path, item) in source {
        if rules.is_unseen(path) || !rules.takes(path, item.kind == Kind::Directory) {
            continue;
        }
        let why = match item.kind {
            _ if above(path).any(|path| is_no_folder(source, path)) => SkipWhy::BelowNoFolder,
            Kind::Link => SkipWhy::LinkAtSource,
            Kind::Other => SkipWhy::Special,
            Kind::File | Kind::Directory => {
                for path in above(path) {
                    wanted.entry(path).or_insert(FOLDER);
                }
                wanted.insert(*path, *item);
                continue;
            }
        };
        skipped.push(Skip { path: path.to_vec(), why });
    }
    wanted
}

/// What of the target goes: what the source does not have, and what is in the way; a folder only if all in it goes.
fn goners<'a>(source: &View<'_>, wanted: &View<'_>, there: &View<'a>, rules: &Rules) -> BTreeSet<&'a [u8]> {
    let mut goners = BTreeSet::new();
    let mut holders: BTreeSet<&[u8]> = BTreeSet::new();
    // From the end: a folder comes after all that it holds.
    for (path, found) in there.iter().rev() {
        let may_go = match found.kind {
            Kind::Directory => !holders.contains(path) && !rules.unread.contains(*path),
            Kind::File => !is_part_of_wanted(path, wanted),
            Kind::Link | Kind::Other => false,
        };
        // A thing in the way must take part as well.
        let is_in_the_way = wanted.get(path).is_some_and(|item| item.kind != found.kind)
            && rules.takes(path, found.kind == Kind::Directory);
        if may_go && (is_in_the_way || (rules.delete && is_extra(path, found, source, wanted, rules))) {
            goners.insert(*path);
        } else if let Some(parent) = above(path).next() {
            holders.insert(parent);
        }
    }
    goners
}

/// Whether it takes part and the source knows nothing of it.
fn is_extra(path: &[u8], found: &Item, source: &View<'_>, wanted: &View<'_>, rules: &Rules) -> bool {
    let is_hidden =
        |path: &[u8]| source.get(path).is_some_and(|item| matches!(item.kind, Kind::Link | Kind::Other));
    is_plain(path)
        && !wanted.contains_key(path)
        && !source.contains_key(path)
        && !above(path).any(is_hidden)
        && !rules.is_unseen(path)
        && rules.takes(path, found.kind == Kind::Directory)
}

/// Whether it is NAME.part of a file that is wanted: an earlier try that can be resumed.
fn is_part_of_wanted(path: &[u8], wanted: &View<'_>) -> bool {
    let whole = path.strip_suffix(b".part").and_then(|path| wanted.get(path));
    whole.is_some_and(|item| item.kind == Kind::File)
}

/// Why a file that is there must be copied again. Times that are not known say nothing.
fn compare(source: &Item, target: &Item, rules: &Rules) -> Option<Why> {
    let sizes =
        (source.size != target.size).then_some(Why::SizeDiffers { source: source.size, target: target.size });
    let (Some(ours), Some(theirs)) = (source.modified, target.modified) else { return sizes };
    let nanos = |m: Moment| i128::from(m.seconds) * 1_000_000_000 + i128::from(m.nanos);
    let slack = i128::from(rules.time_slack_seconds) + i128::from(source.precision.max(target.precision));
    let newer = (nanos(ours) - nanos(theirs) > slack * 1_000_000_000)
        .then_some(Why::Newer { source: ours, target: theirs });
    if rules.newer { newer } else { sizes.or(newer) }
}

fn removal(path: &[u8], kind: Kind, why: Removal) -> Step {
    let path = path.to_vec();
    if kind == Kind::Directory { Step::RemoveDir { path, why } } else { Step::RemoveFile { path, why } }
}

/// The paths and the folders on the way to them.
fn whole<'a>(paths: impl Iterator<Item = (&'a Vec<u8>, &'a Item)>) -> View<'a> {
    let mut view = View::new();
    for (path, item) in paths {
        for path in above(path) {
            view.entry(path).or_insert(FOLDER);
        }
        view.insert(path, *item);
    }
    view
}

/// The thing at `path` and all below it.
fn subtree<'a>(view: &View<'a>, path: &[u8]) -> Vec<(&'a [u8], Item)> {
    // Others that begin alike stand in between: `a`, `a.b`, `a/c`.
    let is_within =
        |other: &[u8]| other.strip_prefix(path).is_some_and(|rest| matches!(rest.first(), None | Some(b'/')));
    view.range::<[u8], _>((Bound::Included(path), Bound::Unbounded))
        .take_while(|(other, _)| other.starts_with(path))
        .filter(|(other, _)| is_within(other))
        .map(|(path, item)| (*path, *item))
        .collect()
}

/// The folders that a path lies in, the nearest first, without the root.
pub(super) fn above(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = path;
    std::iter::from_fn(move || {
        rest = &rest[..rest.iter().rposition(|b| *b == b'/')?];
        Some(rest)
    })
}

fn is_no_folder(view: &View<'_>, path: &[u8]) -> bool {
    view.get(path).is_some_and(|item| item.kind != Kind::Directory)
}

/// Whether each part is a name, and none could end a line.
fn is_plain(path: &[u8]) -> bool {
    let is_name = |part: &[u8]| !matches!(part, b"" | b"." | b"..");
    path.split(|b| *b == b'/').all(is_name) && !path.iter().any(|b| matches!(b, b'\r' | b'\n' | 0))
}

/// A folder that only its content tells of.
const FOLDER: Item = Item { kind: Kind::Directory, size: 0, modified: None, precision: 0 };

impl Step {
    /// Where, relative to both roots.
    #[must_use]
    pub fn path(&self) -> &[u8] {
        match self {
            Step::MakeDir { path }
            | Step::Copy { path, .. }
            | Step::RemoveFile { path, .. }
            | Step::RemoveDir { path, .. } => path,
        }
    }

    /// The reason, for `--dry-run`.
    #[must_use]
    pub fn why(&self) -> String {
        match self {
            Step::MakeDir { .. } => "the target has no such folder".to_owned(),
            Step::Copy { why, .. } => why.to_string(),
            Step::RemoveFile { why, .. } | Step::RemoveDir { why, .. } => why.to_string(),
        }
    }
}

/// What and why, in one line; the name as [`shown`].
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self {
            Step::MakeDir { .. } => "make folder",
            Step::Copy { .. } => "copy",
            Step::RemoveFile { .. } => "remove",
            Step::RemoveDir { .. } => "remove folder",
        };
        write!(f, "{what} {}: {}", shown(self.path()), self.why())
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Why::Missing => f.write_str("the target has no such file"),
            Why::SizeDiffers { source, target } => {
                write!(f, "the sizes differ: {source} bytes at the source, {target} at the target")
            }
            Why::Newer { source, target } => {
                write!(f, "the source's is newer: {} UTC against {}", source.stamp(), target.stamp())
            }
            Why::HashDiffers => f.write_str("the hashes differ"),
        }
    }
}

impl fmt::Display for Removal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Removal::NotAtSource => "the source does not have it",
            Removal::InTheWay => "it stands where the source has something of another kind",
        })
    }
}

/// What and why, in one line; the name as [`shown`].
impl fmt::Display for Skip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = if self.path.is_empty() { ".".to_owned() } else { shown(&self.path) };
        write!(f, "skip {path}: {}", self.why)
    }
}

impl fmt::Display for SkipWhy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SkipWhy::LinkAtSource => "it is a link at the source, and links are not followed",
            SkipWhy::LinkAtTarget => "it is a link at the target, and links are not followed",
            SkipWhy::Special => "it is neither a file nor a folder",
            SkipWhy::BadName => "its name cannot be sent, or leads out of the folder",
            SkipWhy::BelowNoFolder => "it lies below something that is no folder",
            SkipWhy::Unread => "the folder could not be listed; nothing in it is touched",
            SkipWhy::FolderInTheWay => "a folder that is not empty stands in its place; --delete removes it",
            SkipWhy::KeptInTheWay => "what stands in its place is excluded, or holds something that stays",
            SkipWhy::HoldsKept => "the source does not have it, but something in it stays",
        })
    }
}

#[cfg(test)]
mod tests;
