//! What a plan says, and that a plan which was carried out leaves nothing to do.

use twoport_testkit::random::Random;

use super::*;

fn file(size: u64, time: i64) -> Item {
    Item { kind: Kind::File, size, modified: Some(Moment::from_seconds(time)), precision: 0 }
}

fn of(kind: Kind) -> Item {
    Item { kind, size: 0, modified: None, precision: 0 }
}

fn tree(items: &[(&str, Item)]) -> Tree {
    items.iter().map(|(path, item)| (path.as_bytes().to_vec(), *item)).collect()
}

fn patterns(texts: &[&str]) -> Vec<Pattern> {
    texts.iter().map(|text| Pattern::read(text.as_bytes())).collect()
}

fn delete() -> Rules {
    Rules { delete: true, ..Rules::default() }
}

/// The steps and then the skips, shortened to words.
fn said(source: &Tree, target: &Tree, rules: &Rules) -> Vec<String> {
    let plan = plan(source, target, rules);
    let first = |line: String| line.split(": ").next().unwrap().to_owned();
    let skips = plan.skipped.iter().map(|skip| format!("{:?} {}", skip.why, shown(&skip.path)));
    plan.steps.iter().map(|step| first(step.to_string())).chain(skips).collect()
}

const DIR: Item = FOLDER;

#[test]
fn a_new_tree_is_made_from_the_top_down() {
    let source = tree(&[
        ("a", DIR),
        ("a.txt", file(1, 0)),
        ("a/b", DIR),
        ("a/b/c", file(2, 0)),
        ("e/f/g", file(3, 0)),
    ]);
    let said_ = said(&source, &Tree::new(), &Rules::default());
    let order = [
        "make folder a",
        "make folder a/b",
        "make folder e",
        "make folder e/f",
        "copy a.txt",
        "copy a/b/c",
        "copy e/f/g",
    ];
    assert_eq!(said_, order);
    assert_eq!(plan(&source, &Tree::new(), &Rules::default()).bytes(), 6);
}

#[test]
fn a_file_is_copied_for_its_size_or_its_time() {
    let why = |source: Item, target: Item, rules: &Rules| {
        let plan = plan(&tree(&[("a", source)]), &tree(&[("a", target)]), rules);
        plan.steps.first().map(Step::why)
    };
    let default = Rules::default();
    assert_eq!(why(file(1, 100), file(1, 100), &default), None);
    assert_eq!(why(file(1, 50), file(1, 100), &default), None);
    let sizes = "the sizes differ: 1 bytes at the source, 2 at the target";
    assert_eq!(why(file(1, 50), file(2, 100), &default).unwrap(), sizes);
    let newer = "the source's is newer: 19700101000140 UTC against 19700101000050";
    assert_eq!(why(file(1, 100), file(1, 50), &default).unwrap(), newer);
    let coarse = Item { precision: 60, ..file(1, 0) };
    assert_eq!(
        (why(file(1, 60), coarse, &default), why(file(1, 61), coarse, &default).is_some()),
        (None, true)
    );
    let slack = Rules { time_slack_seconds: 2, ..Rules::default() };
    assert_eq!(
        (why(file(1, 2), file(1, 0), &slack), why(file(1, 3), file(1, 0), &slack).is_some()),
        (None, true)
    );
    let unknown = Item { modified: None, ..file(1, 0) };
    assert_eq!(why(file(1, 100), unknown, &default), None);
}

#[test]
fn newer_leaves_alone_what_is_not_older() {
    let rules = Rules { newer: true, ..Rules::default() };
    let source = tree(&[
        ("a", file(1, 5)),
        ("b", file(1, 5)),
        ("c", file(1, 5)),
        ("d", Item { modified: None, ..file(1, 0) }),
    ]);
    let target = tree(&[("a", file(2, 9)), ("b", file(1, 1)), ("d", file(2, 0))]);
    assert_eq!(said(&source, &target, &rules), ["copy b", "copy c", "copy d"]);
}

#[test]
fn only_delete_removes_and_children_go_first() {
    let target = tree(&[("a", DIR), ("a/b", DIR), ("a/b/c", file(1, 0)), ("d", file(1, 0))]);
    assert!(said(&Tree::new(), &target, &Rules::default()).is_empty());
    let order = ["remove d", "remove a/b/c", "remove folder a/b", "remove folder a"];
    assert_eq!(said(&Tree::new(), &target, &delete()), order);
}

#[test]
fn what_is_excluded_is_never_touched() {
    let rules = Rules { exclude: patterns(&["*.log", "cache/"]), ..delete() };
    let source = tree(&[("b.log", file(1, 0)), ("cache/x", file(1, 0)), ("k", file(1, 0))]);
    let target = tree(&[
        ("a.log", file(9, 0)),
        ("d", DIR),
        ("d/c.log", file(1, 0)),
        ("d/e", file(1, 0)),
        ("cache/y", DIR),
    ]);
    assert_eq!(said(&source, &target, &rules), ["copy k", "remove d/e", "HoldsKept d"]);
}

#[test]
fn include_takes_files_and_the_folders_that_they_need() {
    let rules = Rules { include: patterns(&["*.txt", "all/"]), exclude: patterns(&["no.txt"]), ..delete() };
    let source = tree(&[
        ("a/b/c.txt", file(1, 0)),
        ("a/b/d", file(1, 0)),
        ("e/f", file(1, 0)),
        ("x/no.txt", file(1, 0)),
        ("all", DIR),
        ("all/g/h", file(1, 0)),
    ]);
    let target = tree(&[("old.txt", file(1, 0)), ("old", file(1, 0)), ("z", DIR), ("z/no.txt", file(1, 0))]);
    let order = [
        "make folder a",
        "make folder a/b",
        "make folder all",
        "make folder all/g",
        "copy a/b/c.txt",
        "copy all/g/h",
        "remove old.txt",
    ];
    assert_eq!(said(&source, &target, &rules), order);
}

#[test]
fn links_and_special_files_are_left_alone() {
    let source =
        tree(&[("l", of(Kind::Link)), ("p", of(Kind::Other)), ("d/e", file(1, 0)), ("f", file(1, 0))]);
    let target = tree(&[
        ("l/kept", file(1, 0)),
        ("d", of(Kind::Link)),
        ("f", of(Kind::Link)),
        ("x", of(Kind::Link)),
        ("y/z", of(Kind::Other)),
    ]);
    let skips = ["LinkAtTarget d", "LinkAtTarget f", "LinkAtSource l", "Special p", "HoldsKept y"];
    assert_eq!(said(&source, &target, &delete()), skips);
}

#[test]
fn a_file_makes_way_for_a_folder() {
    let source = tree(&[("a", DIR), ("a/b", file(1, 0))]);
    let target = tree(&[("a", file(1, 0))]);
    assert_eq!(said(&source, &target, &Rules::default()), ["remove a", "make folder a", "copy a/b"]);
    let rules = Rules { include: patterns(&["b"]), ..Rules::default() };
    assert_eq!(said(&source, &target, &rules), ["KeptInTheWay a"]);
}

#[test]
fn a_folder_makes_way_for_a_file_only_where_deleting_is_allowed() {
    let source = tree(&[("a", file(1, 0)), ("a-b", file(1, 0))]);
    let target = tree(&[("a", DIR), ("a-b", file(1, 0)), ("a/c", DIR), ("a/c/d", file(1, 0))]);
    assert_eq!(said(&source, &target, &Rules::default()), ["FolderInTheWay a"]);
    let order = ["remove a/c/d", "remove folder a/c", "remove folder a", "copy a"];
    assert_eq!(said(&source, &target, &delete()), order);
    let empty = tree(&[("a", DIR), ("a-b", file(1, 0))]);
    assert_eq!(said(&source, &empty, &Rules::default()), ["remove folder a", "copy a"]);
    let rules = Rules { exclude: patterns(&["d"]), ..delete() };
    assert_eq!(said(&source, &target, &rules), ["KeptInTheWay a", "HoldsKept a/c"]);
}

#[test]
fn what_was_not_seen_is_not_gone() {
    let source = tree(&[("a", DIR), ("k", file(1, 0))]);
    let target = tree(&[("a", DIR), ("a/b", file(1, 0)), ("k", file(1, 0)), ("z", file(1, 0))]);
    let rules = Rules { unread: [b"a".to_vec()].into(), ..delete() };
    assert_eq!(said(&source, &target, &rules), ["remove z", "Unread a"]);
    let rules = Rules { unread: [Vec::new()].into(), ..delete() };
    assert_eq!(said(&Tree::new(), &target, &rules), ["Unread "]);
    assert!(
        plan(&Tree::new(), &target, &rules).skipped[0]
            .to_string()
            .starts_with("skip .: the folder could not")
    );
}

#[test]
fn names_that_lead_elsewhere_are_left_alone() {
    let names = ["", "/etc", "../a", "a/../b", "a//b", "./c", "d/", "e\r\nDELE f", "g\0"];
    let bad = tree(&names.map(|name| (name, file(1, 0))));
    let plan_ = plan(&bad, &Tree::new(), &delete());
    assert!(plan_.is_empty() && plan_.skipped.iter().all(|skip| skip.why == SkipWhy::BadName));
    assert_eq!(plan_.skipped.len(), names.len());
    assert!(plan(&Tree::new(), &bad, &delete()).steps.iter().all(|step| is_plain(step.path())));
    let holds = tree(&[("d/x\ny", file(1, 0))]);
    assert_eq!(said(&Tree::new(), &holds, &delete()), ["HoldsKept d"]);
}

#[test]
fn the_part_of_a_wanted_file_waits_for_it() {
    let source = tree(&[("a", file(5, 0))]);
    let target = tree(&[("a.part", file(2, 0)), ("b.part", file(2, 0))]);
    assert_eq!(said(&source, &target, &delete()), ["copy a", "remove b.part"]);
}

#[test]
fn a_terminal_is_told_nothing_to_obey() {
    let source = tree(&[("a\x1B[2J", file(1, 0)), ("l\x1B", of(Kind::Link))]);
    let plan = plan(&source, &Tree::new(), &Rules::default());
    assert_eq!(plan.steps[0].to_string(), "copy a\\u{1b}[2J: the target has no such file");
    assert!(plan.skipped[0].to_string().starts_with("skip l\\u{1b}: it is a link"));
}

/// A tree with no gaps, of few names so that two of them meet.
fn grow(random: &mut Random, odd_kinds: bool) -> Tree {
    let mut tree = Tree::new();
    let mut open = vec![Vec::new()];
    while let Some(folder) = open.pop() {
        let depth = folder.iter().filter(|b| **b == b'/').count();
        for _ in 0..random.below(4) {
            let name = *random.pick(&["a", "b", "a.b", "c.part", "c", ".h", "n-1"]);
            let path: Vec<u8> =
                if folder.is_empty() { name.into() } else { [&folder[..], b"/", name.as_bytes()].concat() };
            let kind = match random.below(16) {
                0 if odd_kinds => Kind::Link,
                1 if odd_kinds => Kind::Other,
                2..7 => Kind::Directory,
                _ => Kind::File,
            };
            if tree.contains_key(&path) {
                continue;
            }
            if kind == Kind::Directory && depth < 2 {
                open.push(path.clone());
            }
            let modified = (!random.once_in(5)).then(|| Moment::from_seconds(random.below(200) as i64));
            let size = random.below(3) as u64;
            tree.insert(path, Item { kind, size, modified, precision: *random.pick(&[0, 1, 60]) });
        }
    }
    tree
}

fn rules(random: &mut Random) -> Rules {
    let some = |random: &mut Random, from: &[&str]| {
        let count = random.below(3) / 2 * (1 + random.below(2));
        (0..count).map(|_| Pattern::read(random.pick(from).as_bytes())).collect()
    };
    Rules {
        delete: random.once_in(2),
        newer: random.once_in(3),
        include: some(random, &["a*", "b/", "**/c", "a/**", ".h"]),
        exclude: some(random, &["*.b", "b", "a/", "a/*", "/c"]),
        time_slack_seconds: random.below(3) as u32,
        unread: if random.once_in(4) {
            [(*random.pick(&["a", "b/a", "c"])).into()].into()
        } else {
            BTreeSet::new()
        },
    }
}

/// The same tree with some folders told only by what they hold.
fn with_gaps(tree: &Tree, random: &mut Random) -> Tree {
    let mut gaps = tree.clone();
    gaps.retain(|path, item| {
        let below = [&path[..], b"/"].concat();
        let holds = tree.keys().any(|other| other.starts_with(&below));
        !(item.kind == Kind::Directory && holds && random.once_in(4))
    });
    gaps
}

/// Carries a plan out and insists that each step can be.
fn carry_out(plan: &Plan, source: &Tree, target: &mut Tree, random: &mut Random) {
    for step in &plan.steps {
        let path = step.path();
        if let Some(parent) = above(path).next() {
            assert_eq!(target.get(parent).map(|item| item.kind), Some(Kind::Directory), "{step}");
        }
        let there = target.get(path).map(|item| item.kind);
        match step {
            Step::MakeDir { .. } => {
                assert_eq!(there, None, "{step}");
                target.insert(path.to_vec(), DIR);
            }
            Step::Copy { size, modified, .. } => {
                assert!(matches!(there, None | Some(Kind::File)), "{step}");
                assert_eq!(source[path].size, *size);
                let (modified, precision) = match random.below(4) {
                    0 => (None, 0),
                    1 => (Some(Moment::from_seconds(1_000)), 1),
                    2 => (modified.map(|m| Moment::from_seconds(m.seconds / 60 * 60)), 60),
                    _ => (*modified, 0),
                };
                target.insert(path.to_vec(), Item { kind: Kind::File, size: *size, modified, precision });
            }
            Step::RemoveFile { .. } => {
                assert_eq!(there, Some(Kind::File), "{step}");
                target.remove(path);
            }
            Step::RemoveDir { .. } => {
                assert_eq!(there, Some(Kind::Directory), "{step}");
                let below = [path, b"/"].concat();
                assert!(!target.keys().any(|other| other.starts_with(&below)), "{step}");
                target.remove(path);
            }
        }
    }
}

#[test]
fn a_second_run_moves_nothing() {
    let (mut steps, mut skips) = (0, 0);
    for seed in 0..20_000 {
        let random = &mut Random::new(seed);
        let (source, before, rules) = (grow(random, true), grow(random, true), rules(random));
        let plan_ = plan(&with_gaps(&source, random), &with_gaps(&before, random), &rules);
        let mut after = before.clone();
        carry_out(&plan_, &source, &mut after, random);
        let again = plan(&source, &after, &rules);
        assert!(again.is_empty(), "seed {seed}: {:?}", again.steps);
        for (path, item) in &before {
            let is_folder = item.kind == Kind::Directory;
            let is_out = matches!(item.kind, Kind::Link | Kind::Other)
                || !rules.takes(path, is_folder)
                || rules.is_unseen(path);
            if is_out {
                assert_eq!(after.get(path), Some(item), "seed {seed}: {}", shown(path));
            }
            let meets = source.get(path).is_some_and(|wanted| wanted.kind != item.kind);
            let is_gap = source.keys().any(|other| other.starts_with(&[&path[..], b"/"].concat()));
            if !rules.delete && !meets && !is_gap {
                assert!(after.contains_key(path), "seed {seed}: {}", shown(path));
            }
        }
        steps += plan_.steps.len();
        skips += plan_.skipped.len();
    }
    assert!(steps > 30_000 && skips > 10_000, "{steps} {skips}");
}

#[test]
fn with_delete_the_target_becomes_the_source() {
    for seed in 0..5_000 {
        let random = &mut Random::new(seed);
        let (mut source, mut target) = (grow(random, false), grow(random, false));
        // NAME.part stays on purpose.
        source.retain(|path, _| !path.windows(5).any(|w| w == b".part"));
        target.retain(|path, _| !path.windows(5).any(|w| w == b".part"));
        let plan = plan(&source, &target, &delete());
        assert!(plan.skipped.is_empty(), "seed {seed}: {:?}", plan.skipped);
        carry_out(&plan, &source, &mut target, random);
        let shape = |tree: &Tree| -> Vec<(Vec<u8>, Kind, u64)> {
            let size = |item: &Item| if item.kind == Kind::File { item.size } else { 0 };
            tree.iter().map(|(path, item)| (path.clone(), item.kind, size(item))).collect()
        };
        assert_eq!(shape(&target), shape(&source), "seed {seed}");
    }
}

#[test]
fn no_listing_makes_it_panic() {
    for seed in 0..20_000 {
        let random = &mut Random::new(seed);
        let mut wild = || -> Tree {
            (0..random.below(8))
                .map(|_| {
                    let path: Vec<u8> = (0..random.below(6)).map(|_| *random.pick(b"ab/./\n")).collect();
                    let kind = *random.pick(&[Kind::File, Kind::File, Kind::Directory, Kind::Link]);
                    let modified = Some(Moment { seconds: *random.pick(&[i64::MIN, 0, i64::MAX]), nanos: 0 });
                    (path, Item { kind, size: random.bits(), modified, precision: u32::MAX })
                })
                .collect()
        };
        let (source, target) = (wild(), wild());
        for step in plan(&source, &target, &delete()).steps {
            assert!(is_plain(step.path()) && !step.to_string().is_empty());
        }
    }
}
