//! Tests of the MLSx dialect: the choice of facts, writing, reading, and both in a circle.

use super::*;

fn whole() -> Entry {
    Entry {
        modified: Some(Moment::read_stamp(b"20260727014500").unwrap()),
        created: Some(Moment::read_stamp(b"20260727014500.123").unwrap()),
        mode: Some(0o644),
        owner: Some("slacker".into()),
        group: Some("users".into()),
        unique: Some((0x801, 0x1a2b3)),
        ..Entry::new("two words", Kind::File, 104)
    }
}

fn written(entry: &Entry, facts: FactSet, kind: MlsKind) -> String {
    let mut out = Vec::new();
    write_line(entry, facts, kind, perm_letters(entry, May::ALL).as_bytes(), &mut out);
    String::from_utf8(out).unwrap()
}

fn letters(kind: Kind, may: May, access: Access) -> String {
    let entry = Entry { access, ..Entry::new("a", kind, 0) };
    String::from_utf8(perm_letters(&entry, may).as_bytes().to_vec()).unwrap()
}

fn read(line: &str) -> Option<(Entry, MlsKind)> {
    read_line(line.as_bytes())
}

#[test]
fn feat_stars_what_is_chosen() {
    let all = "type*;size*;modify*;create;perm*;unique*;UNIX.mode*;UNIX.owner*;UNIX.group*;";
    assert_eq!(FactSet::DEFAULT.feat(), all);
    assert!(!FactSet::NONE.feat().contains('*'));
    assert_eq!(FactSet::ALL.feat().matches('*').count(), 9);
}

#[test]
fn opts_chooses_what_is_known_and_passes_over_the_rest() {
    let chosen = FactSet::read(b"Type;unix.MODE;Perm;frogs;").unwrap();
    assert_eq!(chosen.write_names(), "MLST OPTS type;perm;UNIX.mode;");
    assert_eq!(FactSet::read(b"size;type"), FactSet::read(b"type;size;;size;"));
    assert_eq!(FactSet::read(b""), Ok(FactSet::NONE));
    assert_eq!(FactSet::NONE.write_names(), "MLST OPTS");
    assert!(FactSet::read(b"unique type;").is_err());
}

#[test]
fn a_line_says_the_chosen_facts_in_order() {
    assert_eq!(
        written(&whole(), FactSet::ALL, MlsKind::Own),
        "type=file;size=104;modify=20260727014500;create=20260727014500.123;perm=adfrw;unique=801g1a2b3;\
         UNIX.mode=0644;UNIX.owner=slacker;UNIX.group=users; two words\r\n"
    );
    assert_eq!(written(&whole(), FactSet::NONE, MlsKind::Own), " two words\r\n");
    assert_eq!(written(&whole(), FactSet::NONE.with(Fact::Size), MlsKind::Own), "size=104; two words\r\n");
}

#[test]
fn what_is_not_known_is_not_said() {
    assert_eq!(
        written(&Entry::new("a", Kind::File, 0), FactSet::ALL, MlsKind::Own),
        "type=file;size=0;perm=adfrw; a\r\n"
    );
    assert_eq!(
        written(&Entry::new("a", Kind::Directory, 4096), FactSet::ALL, MlsKind::Own),
        "type=dir;perm=cdeflmp; a\r\n"
    );
}

#[test]
fn types_follow_kind_and_relation() {
    let facts = FactSet::NONE.with(Fact::Type);
    for (kind, relation, text) in [
        (Kind::Directory, MlsKind::Cdir, "type=cdir; a\r\n"),
        (Kind::Directory, MlsKind::Pdir, "type=pdir; a\r\n"),
        (Kind::Link, MlsKind::Own, "type=OS.unix=symlink; a\r\n"),
        (Kind::Other, MlsKind::Own, "type=OS.unix=other; a\r\n"),
    ] {
        let entry = Entry::new("a", kind, 0);
        assert_eq!(written(&entry, facts, relation), text);
        assert_eq!(read(text), Some((entry, relation)));
    }
}

#[test]
fn moments_are_written_as_stamp_does() {
    for moment in [
        Moment::from_seconds(0),
        Moment { seconds: -1, nanos: 5_000_000 },
        Moment { seconds: 1_795_400_199, nanos: 999_999 },
        Moment::from_seconds(i64::MAX / 4),
        Moment::from_seconds(i64::MIN / 4),
    ] {
        let mut out = Vec::new();
        push_moment(b"", Some(moment), &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), moment.stamp() + ";");
    }
}

#[test]
fn perm_is_what_the_account_may_and_the_process_can() {
    let none = Access { read: false, write: false, enter: false };
    let read_only = May { read: true, list: true, ..May::NOTHING };
    assert_eq!(letters(Kind::File, May::ALL, Access::ALL), "adfrw");
    assert_eq!(letters(Kind::Directory, May::ALL, Access::ALL), "cdeflmp");
    assert_eq!(letters(Kind::File, read_only, Access::ALL), "r");
    assert_eq!(letters(Kind::Directory, read_only, Access::ALL), "el");
    assert_eq!(letters(Kind::File, May::NOTHING, Access::ALL), "");
    assert_eq!(letters(Kind::File, May::ALL, none), "df");
    assert_eq!(letters(Kind::Directory, May::ALL, none), "df");
    assert_eq!(letters(Kind::Other, May::ALL, Access::ALL), "df");
    // An account may delete, but not from this folder.
    assert_eq!(letters(Kind::File, May { in_folder: false, ..May::ALL }, Access::ALL), "arw");
    // A drop box: what is new may be stored, and nothing seen.
    assert_eq!(letters(Kind::Directory, May { store: true, ..May::NOTHING }, Access::ALL), "ce");
    // Without entering a folder nothing in it can be changed.
    assert_eq!(letters(Kind::Directory, May::ALL, Access { enter: false, ..Access::ALL }), "dfl");
}

#[test]
fn no_name_or_owner_breaks_the_line() {
    let entry = Entry {
        owner: Some("Domain Users;x=\r\n".into()),
        name: b"a\r\ntype=dir; b".to_vec(),
        ..Entry::new("", Kind::File, 1)
    };
    let facts = FactSet::NONE.with(Fact::Owner);
    assert_eq!(written(&entry, facts, MlsKind::Own), "UNIX.owner=Domain_Users_x=__; a??type=dir; b\r\n");
}

#[test]
fn what_is_written_is_read_back() {
    for entry in [
        whole(),
        Entry { name: b"  leading; = -> ".to_vec(), ..whole() },
        Entry { name: b"caf\xE9\xFF".to_vec(), size: u64::MAX, unique: Some((0, u64::MAX)), ..whole() },
        Entry { kind: Kind::Directory, size: 0, mode: Some(0o7777), ..whole() },
        Entry { kind: Kind::Link, modified: None, ..whole() },
        Entry::new("a", Kind::File, 0),
    ] {
        let mut out = Vec::new();
        write_line(&entry, FactSet::ALL, MlsKind::Own, perm_letters(&entry, May::ALL).as_bytes(), &mut out);
        assert_eq!(read_line(&out), Some((entry, MlsKind::Own)));
    }
}

#[test]
fn lines_of_other_servers_are_read() {
    let (entry, _) = read("Type=OS.unix=slink:/foobar;Perm=;Unique=keVO1+4G4; foobar").unwrap();
    assert_eq!((entry.kind, entry.target, entry.unique), (Kind::Link, Some(b"/foobar".to_vec()), None));
    assert!(!entry.access.read);
    let (entry, _) = read("Type=OS.unix=chr-13/29;Perm=; device").unwrap();
    assert_eq!(entry.kind, Kind::Other);
    let (entry, _) =
        read("modify=20200102030405;perm=flcdmpe;type=dir;unique=801U1A;UNIX.group=0;UNIX.groupname=root;UNIX.mode=0755;UNIX.owner=0;UNIX.ownername=me; .x")
            .unwrap();
    assert_eq!((entry.group.as_deref(), entry.owner.as_deref()), (Some("root"), Some("me")));
    assert_eq!((entry.unique, entry.mode), (Some((0x801, 0x1a)), Some(0o755)));
    assert_eq!(read("type=file;size=7 a").unwrap().0.size, 7);
    let (entry, kind) = read("Type=cdir;Modify=19981107085215;Perm=el; /tmp\r\n").unwrap();
    assert_eq!((kind, entry.kind, entry.name), (MlsKind::Cdir, Kind::Directory, b"/tmp".to_vec()));
    assert_eq!(entry.access, Access { read: true, write: false, enter: true });
    assert_eq!(read(" only a name").unwrap().0.name, b"only a name");
}

#[test]
fn facts_that_make_no_sense_are_passed_over() {
    let (entry, _) = read("size=x;modify=yesterday;UNIX.mode=9;unique=g;X.y=z;=;type=file; a").unwrap();
    assert_eq!(entry, Entry::new("a", Kind::File, 0));
}

#[test]
fn other_lines_are_no_entries() {
    for line in
        ["", "\r\n", "a", "type=file;", "type=file; ", "drwxr-xr-x 3 a b 1 Jul 27 01:45 x", "total 12"]
    {
        assert_eq!(read(line), None, "{line}");
    }
}
