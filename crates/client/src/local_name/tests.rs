//! Names that want out of the folder, and files that want to be whole.

use std::os::unix::fs::FileExt;
use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;

fn name(text: &str) -> LocalName {
    LocalName::read(text.as_bytes()).unwrap()
}

fn names_in(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn fill(download: &Download, at: u64, bytes: &[u8]) {
    download.file().write_all_at(bytes, at).unwrap();
}

#[test]
fn a_name_that_leads_elsewhere_is_refused() {
    for (bad, why) in [
        (&b""[..], Refused::Empty),
        (b".", Refused::Dots),
        (b"..", Refused::Dots),
        (b"/etc/passwd", Refused::Slash),
        (b"../a", Refused::Slash),
        (b"a/", Refused::Slash),
        (b"a\0", Refused::Nul),
        (&[b'a'; 256], Refused::TooLong),
    ] {
        assert_eq!(LocalName::read(bad), Err(why), "{bad:?}");
    }
    for good in [&b"..."[..], b"..a", b"a\\..\\b", b"a.part", b"\xFF\n", b"-rf", &[b'a'; 255]] {
        assert_eq!(LocalName::read(good).unwrap().as_os_str().as_bytes(), good);
    }
}

#[test]
fn a_path_is_refused_for_any_of_its_parts() {
    assert_eq!(LocalName::read_path(b"a/b").unwrap(), [name("a"), name("b")]);
    for (bad, why) in [
        (&b"/a"[..], Refused::Empty),
        (b"a//b", Refused::Empty),
        (b"a/../b", Refused::Dots),
        (b"", Refused::Empty),
    ] {
        assert_eq!(LocalName::read_path(bad), Err(why));
    }
}

#[test]
fn every_path_beneath_is_beneath() {
    let root = Path::new("/srv/here");
    assert_eq!(beneath(root, &[name("a"), name("...")]), Path::new("/srv/here/a/..."));
    assert_eq!(beneath(root, &[]), root);
}

#[test]
fn a_long_name_has_a_part_of_its_own() {
    assert_eq!(name("a").part(), name("a.part"));
    assert_eq!(name(&"a".repeat(250)).part().as_bytes().len(), 255);
    let (one, two) = (name(&("a".repeat(254) + "1")).part(), name(&("a".repeat(254) + "2")).part());
    assert_ne!(one, two);
    for part in
        [&one, &two, &name(&("é".repeat(127) + "x")).part(), &LocalName::read(&[0xFF; 255]).unwrap().part()]
    {
        assert!(part.as_bytes().len() <= 255 && part.as_bytes().ends_with(b".part"), "{part}");
    }
    assert!(std::str::from_utf8(name(&"é".repeat(127)).part().as_bytes()).is_ok());
}

#[test]
fn a_terminal_gets_nothing_to_obey() {
    assert_eq!(shown(b"a\x1B[2Jb\n\xFF\xC2\x9B"), "a\\u{1b}[2Jb\\n%FF\\u{9b}");
    assert_eq!(shown("é 漢".as_bytes()), "é 漢");
}

#[test]
fn a_folder_is_made_and_a_link_in_its_place_is_not_entered() {
    let root = tempfile::tempdir().unwrap();
    let outside = tempfile::tempdir().unwrap();
    let path = make_folder(root.path(), &[name("a"), name("b")]).unwrap();
    assert_eq!(make_folder(root.path(), &[name("a"), name("b")]).unwrap(), path);
    assert!(path.is_dir());
    symlink(outside.path(), root.path().join("out")).unwrap();
    let refused = make_folder(root.path(), &[name("out"), name("b")]).unwrap_err();
    assert!(refused.to_string().contains("is not a folder"), "{refused}");
    assert!(names_in(outside.path()).is_empty());
}

#[test]
fn a_file_has_its_name_when_it_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let download = Download::begin(folder.path(), &name("a"), Begin::Anew).unwrap();
    fill(&download, 0, b"whole");
    assert_eq!(names_in(folder.path()), ["a.part"]);
    let path = download.finish(Some(Moment::from_seconds(1_000_000_000))).unwrap();
    assert_eq!(names_in(folder.path()), ["a"]);
    assert_eq!(fs::read(&path).unwrap(), b"whole");
    assert_eq!(fs::metadata(&path).unwrap().mtime(), 1_000_000_000);
}

#[test]
fn a_second_try_goes_on_or_begins_anew() {
    let folder = tempfile::tempdir().unwrap();
    let begin = |how| Download::begin(folder.path(), &name("a"), how).unwrap();
    let first = begin(Begin::Resume);
    assert_eq!(first.from(), 0);
    fill(&first, 0, b"half");
    drop(first);
    let mut second = begin(Begin::Resume);
    assert_eq!(second.from(), 4);
    second.rewind().unwrap();
    assert_eq!((second.from(), fs::metadata(second.part()).unwrap().len()), (0, 0));
    fill(&second, 0, b"more");
    drop(second);
    assert_eq!(begin(Begin::Anew).from(), 0);
}

#[test]
fn nothing_is_left_of_a_try_that_got_nothing() {
    let folder = tempfile::tempdir().unwrap();
    drop(Download::begin(folder.path(), &name("a"), Begin::Anew).unwrap());
    assert!(names_in(folder.path()).is_empty());
    let download = Download::begin(folder.path(), &name("a"), Begin::Anew).unwrap();
    fill(&download, 0, b"something");
    download.discard().unwrap();
    assert!(names_in(folder.path()).is_empty());
}

#[test]
fn a_link_is_not_followed() {
    let folder = tempfile::tempdir().unwrap();
    let outside = tempfile::tempdir().unwrap();
    let victim = outside.path().join("victim");
    fs::write(&victim, "precious").unwrap();
    let part = folder.path().join("a.part");
    symlink(&victim, &part).unwrap();
    let refused = Download::begin(folder.path(), &name("a"), Begin::Resume).unwrap_err();
    assert!(refused.to_string().contains("is a link"), "{refused}");
    symlink(&victim, folder.path().join("a")).unwrap();
    let download = Download::begin(folder.path(), &name("a"), Begin::Anew).unwrap();
    fill(&download, 0, b"new");
    download.finish(None).unwrap();
    assert_eq!(fs::read(&victim).unwrap(), b"precious");
    assert!(!fs::symlink_metadata(folder.path().join("a")).unwrap().is_symlink());
    fs::hard_link(&victim, &part).unwrap();
    assert!(Download::begin(folder.path(), &name("a"), Begin::Resume).is_err());
    drop(Download::begin(folder.path(), &name("a"), Begin::Anew).unwrap());
    assert_eq!(fs::read(&victim).unwrap(), b"precious");
}

#[test]
fn what_is_no_file_is_not_replaced() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("a")).unwrap();
    fs::create_dir(folder.path().join("b.part")).unwrap();
    for how in [Begin::Anew, Begin::Resume] {
        assert!(Download::begin(folder.path(), &name("a"), how).is_err());
        assert!(Download::begin(folder.path(), &name("b"), how).is_err());
        assert!(Download::at(Path::new("/dev/null"), how).is_err());
        assert!(Download::at(&folder.path().join(".."), how).is_err());
    }
}

#[test]
fn two_at_once_do_not_mix() {
    let folder = tempfile::tempdir().unwrap();
    let first = Download::begin(folder.path(), &name("a"), Begin::Anew).unwrap();
    fill(&first, 0, b"first");
    for how in [Begin::Anew, Begin::Resume] {
        let busy = Download::begin(folder.path(), &name("a"), how).unwrap_err();
        assert_eq!(busy.kind(), io::ErrorKind::ResourceBusy);
    }
    // A file of the server that is called as our working file is.
    let second = Download::begin(folder.path(), &name("a.part"), Begin::Anew).unwrap();
    fill(&second, 0, b"second");
    second.finish(None).unwrap();
    assert!(first.finish(None).is_err());
    assert_eq!(names_in(folder.path()), ["a.part"]);
    assert_eq!(fs::read(folder.path().join("a.part")).unwrap(), b"second");
}

#[test]
fn a_replaced_file_leaves_its_permissions() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.sh");
    fs::write(&path, "old").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o4750)).unwrap();
    let download = Download::at(&path, Begin::Anew).unwrap();
    download.finish(None).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o750);
}

#[test]
fn no_time_that_a_server_says_makes_it_panic() {
    for seconds in [i64::MIN, -1, 0, i64::MAX] {
        let _ = system_time(Moment { seconds, nanos: 999_999_999 });
    }
}
