//! Tests of the guess, and of what stands in more than one line.

use super::*;
use crate::entry::Kind;

fn read(lines: &[&str]) -> (Vec<String>, Summary) {
    let mut reader = Reader::new(Moment::read_stamp(b"20261123120000").unwrap());
    let said = lines.iter().map(|line| match reader.line(line.as_bytes()) {
        Outcome::Entry(entry) => String::from_utf8(entry.name).unwrap(),
        Outcome::Nothing => String::new(),
        Outcome::Unknown => "?".to_owned(),
    });
    (said.collect(), reader.finish())
}

fn names(lines: &[&str]) -> Vec<String> {
    read(lines).0
}

#[test]
fn a_listing_of_names_is_not_understood() {
    let (said, summary) = read(&["a.txt", "b.txt\r\n", "", "c d"]);
    assert_eq!(said, ["?", "?", "", "?"]);
    assert_eq!(summary, Summary { entries: 0, unknown: 3, dialect: None });
}

#[test]
fn what_is_around_the_files_is_nothing() {
    let (said, summary) = read(&[
        "total 8",
        "insgesamt 8K",
        "drwxr-xr-x 2 ftp ftp 4096 Jul 27 01:45 .",
        "drwxr-xr-x 2 ftp ftp 4096 Jul 27 01:45 ..\r\n",
        "-rw-r--r-- 1 ftp ftp 1 Jul 27 01:45 ...",
        "total loss",
    ]);
    assert_eq!(said, ["", "", "", "", "...", "?"]);
    assert_eq!(summary, Summary { entries: 1, unknown: 1, dialect: Some(Dialect::Unix) });
}

#[test]
fn a_line_of_another_dialect_changes_the_guess() {
    let (said, summary) = read(&[
        "07-27-26  01:45AM                    1 a",
        "-rw-r--r-- 1 ftp ftp 1 Jul 27 01:45 b",
        "some noise",
        "-rw-r--r-- 1 ftp ftp 1 Jul 27 01:45 c",
        "07-27-26  01:45AM                    1 d",
    ]);
    assert_eq!(said, ["a", "b", "?", "c", "d"]);
    assert_eq!(summary, Summary { entries: 4, unknown: 1, dialect: Some(Dialect::Dos) });
}

#[test]
fn dir_is_read_with_its_frame() {
    let said = names(&[
        " Volume in drive C has no label.",
        " Volume Serial Number is 1234-ABCD",
        "",
        " Directory of C:\\files",
        "",
        "01/02/2020  03:04 PM    <DIR>          .",
        "01/02/2020  03:04 PM    <DIR>          ..",
        "01/02/2020  03:04 PM             1,234 a",
        "               1 File(s)          1,234 bytes",
        "               2 Dir(s)  12,345,678,901 bytes free",
    ]);
    assert_eq!(said.concat(), "a");
}

#[test]
fn vms_wraps_names_and_lists_versions() {
    let (said, summary) = read(&[
        "",
        "Directory DISK$USER:[FTP]",
        "",
        "000000.DIR;1             1  30-MAR-2020 09:10:11",
        "A_VERY_LONG_NAME_OF_A_FILE.TXT;12\r\n",
        "                       2/4  30-MAR-2020 09:10:11  [SYSTEM]  (RWED,RWED,RE,)\r\n",
        "A.TXT;3                2/4  30-MAR-2020 09:10:11  [SYSTEM]  (RWED,RWED,RE,)",
        "A.TXT;2                2/4  30-MAR-2020 09:10:11  [SYSTEM]  (RWED,RWED,RE,)",
        "CLOSED.TXT;1           no privilege for attempted operation",
        "",
        "Total of 4 files, 8/16 blocks.",
    ]);
    assert_eq!(
        said,
        ["", "", "", "", "", "A_VERY_LONG_NAME_OF_A_FILE.TXT", "A.TXT", "", "CLOSED.TXT", "", ""]
    );
    assert_eq!(summary, Summary { entries: 3, unknown: 0, dialect: Some(Dialect::Vms) });
}

#[test]
fn vms_names_without_a_rest_are_unknown() {
    let (said, summary) = read(&["A.TXT;1", "B.TXT;1", "C.TXT;1"]);
    assert_eq!(said.concat(), "");
    assert_eq!(summary, Summary { entries: 0, unknown: 3, dialect: Some(Dialect::Vms) });
    assert_eq!(names(&["-rw-r--r-- 1 ftp ftp 1 Jul 27 01:45 a", "A.TXT;1"]), ["a", "?"]);
}

#[test]
fn members_of_a_listed_file_stand_in_it() {
    let file = "QPGMR        36864 02/23/00 15:09:55 *FILE      SRC.FILE";
    let member = "QPGMR                                *MEM       SRC.FILE/MAIN.MBR";
    assert_eq!(names(&[file, member, file]), ["SRC.FILE", "", "SRC.FILE"]);
    assert_eq!(names(&[member]), ["MAIN.MBR"]);
}

#[test]
fn members_without_statistics_are_names() {
    let heading = " Name     VV.MM   Created       Changed      Size  Init   Mod   Id";
    assert_eq!(names(&[heading, "ALPHA", "BETA#1", "beta", "TOO-LONG1"]), ["", "ALPHA", "BETA#1", "?", "?"]);
    assert_eq!(names(&["ALPHA"]), ["?"]);
}

#[test]
fn spool_files_of_a_job_are_nothing() {
    let (said, summary) = read(&[
        "JOBNAME  JOBID    OWNER    STATUS CLASS",
        "MYJOB    JOB01234 IBMUSER  OUTPUT A        RC=0000",
        "--------",
        "         ID  STEPNAME PROCSTEP C DDNAME   BYTE-COUNT",
        "         001 JES2              A JESMSGLG      1200",
        "1 spool files",
    ]);
    assert_eq!(said.concat(), "JOB01234");
    assert_eq!(summary, Summary { entries: 1, unknown: 0, dialect: Some(Dialect::Jes) });
}

#[test]
fn torn_lines_never_panic() {
    let whole: [&[u8]; 10] = [
        b"12 8 lrwxrwxrwx+ 1 a b 10,104 Jul 27 01:45:11 2026 name -> target\r\n",
        b"-rw-r--r-- 1 a b 1 2026-07-27 01:45:11.123 +0200 name",
        b"02-13-18  10:24AM       <JUNCTION>     name [C:\\x]",
        b"02-13-18  10:24AM                1,234 name",
        b"+i8388621.29609,m824255902,up644,s1,r,\tdev",
        b"README.TXT;1   2KB/4KB  30-MAR-2020 09:10:11.22  [A,SYSTEM]  (RWED,RWED,RE,)",
        b"WRK001 3390   2020/03/30  1   15  FB      80 27920  PO  'USER.CNTL'",
        b"ALPHA     01.03 2002/09/12 2002/10/11 09:37    11    11     0 KIL001",
        b"MYJOB    JOB01234 IBMUSER  OUTPUT A        RC=0000",
        b"QPGMR 36864 02/23/00 15:09:55 *FILE SRC.FILE/",
    ];
    for line in whole {
        let mut reader = Reader::new(Moment::from_seconds(0));
        for from in 0..line.len() {
            for to in from..=line.len() {
                let _ = reader.line(&line[from..to]);
            }
        }
        for at in 0..line.len() {
            for byte in [0, b' ', b'9', b'-', b'[', b']', b';', b'*', 0xFF] {
                let mut other = line.to_vec();
                other[at] = byte;
                let _ = reader.line(&other);
            }
        }
        let _ = reader.finish();
    }
}

#[test]
fn what_the_server_writes_is_read() {
    let now = Moment::read_stamp(b"20261123120000").unwrap();
    let mut line = Vec::new();
    unix::write_line(&Entry::new("a b", Kind::Directory, 0), now, &mut line);
    let outcome = Reader::new(now).line(&line);
    assert!(matches!(outcome, Outcome::Entry(entry) if entry.name == b"a b" && entry.is_directory()));
}

#[test]
fn a_line_of_a_megabyte_is_read_once() {
    // Quadratic work would take hours here.
    for (head, unit) in [
        ("", " "),
        ("", "a "),
        ("", "-> "),
        ("", "1,"),
        ("", "A."),
        ("lrwxrwxrwx 1 a b 10 Jul 27 01:45 ", " -> "),
        ("+", "m1,"),
        ("A.TXT;1 2 30-MAR-2020 09:10 ", "[,]"),
        ("A;1", ";1"),
        ("02-13-18  10:24AM       <JUNCTION>     x", " ["),
        ("02-13-18  10:24AM ", "1,234"),
        ("d [", "R"),
        ("JOE *MEM ", "a/"),
    ] {
        let line = head.to_owned() + &unit.repeat((1 << 20) / unit.len());
        let mut reader = Reader::new(Moment::from_seconds(0));
        for line in [line.as_str(), line.as_str(), &(line.clone() + "]"), &(" ".to_owned() + &line)] {
            let _ = reader.line(line.as_bytes());
        }
    }
}
