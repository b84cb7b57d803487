//! Lines of every dialect and what they say, for [`Reader`]: each is read by a fresh one, behind the heading of its group.
//! Written from the descriptions of the formats.

use super::{Dialect, Outcome, Reader};
use crate::entry::{Entry, Kind};
use crate::time::Moment;

/// The line, then name, kind, size, time (empty when none is told).
type Sample = (&'static [u8], &'static [u8], Kind, u64, &'static str);

const F: Kind = Kind::File;
const D: Kind = Kind::Directory;
const L: Kind = Kind::Link;
const O: Kind = Kind::Other;

const NOW: &[u8] = b"20261123120000";

fn now() -> Moment {
    Moment::read_stamp(NOW).expect("it is a stamp")
}

/// Reads the samples behind a heading (empty: none).
fn check(dialect: Dialect, heading: &str, samples: &[Sample]) {
    for (line, name, kind, size, stamp) in samples {
        let shown = String::from_utf8_lossy(line);
        let mut reader = Reader::new(now());
        assert_eq!(reader.line(heading.as_bytes()), Outcome::Nothing, "{heading}");
        let Outcome::Entry(entry) = reader.line(line) else { panic!("not read: {shown}") };
        assert_eq!(entry.name, *name, "{shown}");
        assert_eq!((entry.kind, entry.size), (*kind, *size), "{shown}");
        assert_eq!(entry.modified.map(Moment::stamp).unwrap_or_default(), *stamp, "{shown}");
        let summary = reader.finish();
        assert_eq!((summary.dialect, summary.entries, summary.unknown), (Some(dialect), 1, 0), "{shown}");
    }
}

/// The entry of a line that is read without a heading.
fn entry(line: &str) -> Entry {
    match Reader::new(now()).line(line.as_bytes()) {
        Outcome::Entry(entry) => entry,
        other => panic!("{line}: {other:?}"),
    }
}

#[test]
fn unix_is_read() {
    check(
        Dialect::Unix,
        "",
        &[
            (
                b"drwxr-xr-x   3 ftp      ftp          4096 Jul 27 01:45 pub",
                b"pub",
                D,
                4096,
                "20260727014500",
            ),
            (
                b"-rw-r--r--   1 ftp      ftp            12 Feb 29  2020 leap",
                b"leap",
                F,
                12,
                "20200229000000",
            ),
            (
                b"-rw-r--r--   1 ftp      ftp            12 Feb 29 12:00 leap",
                b"leap",
                F,
                12,
                "20240229120000",
            ),
            (b"-rw-r--r--   1 ftp      ftp            12 Dec 24 18:00 eve", b"eve", F, 12, "20251224180000"),
            (
                b"lrwxrwxrwx   1 0        0               7 Jan 02 2020 bin -> usr/bin",
                b"bin",
                L,
                7,
                "20200102000000",
            ),
            (
                b"-rw-r--r--   1 1000     1001            7 Jan  2  2020  lead",
                b" lead",
                F,
                7,
                "20200102000000",
            ),
            (b"drwxr-xr-x+  2 ftp      ftp             0 Jan  2  2020 acl", b"acl", D, 0, "20200102000000"),
            (
                b"-rw-r--r--.  1 ftp      ftp             5 2020-01-02 03:04 iso",
                b"iso",
                F,
                5,
                "20200102030400",
            ),
            (
                b"-rw-r--r--   1 ftp      ftp             5 2020/01/02 03:04 iso",
                b"iso",
                F,
                5,
                "20200102030400",
            ),
            (
                b"-rw-r--r--   1 ftp      ftp             5 2020-01-02 03:04:05.678901234 +0200 full time",
                b"full time",
                F,
                5,
                "20200102010405",
            ),
            (b"-rw-r--r-- 1 ftp ftp 5 2020-01-02 03:04 +0200 x", b"+0200 x", F, 5, "20200102030400"),
            (b"-rw-r--r--  1 ftp  ftp  5 Jan  2 03:04:05 2020 bsd", b"bsd", F, 5, "20200102030405"),
            (b"-rw-r--r--  1 ftp       9 Jan  2  2020 no group", b"no group", F, 9, "20200102000000"),
            (b"-rw-r--r--  1           9 Jan  2  2020 nobody", b"nobody", F, 9, "20200102000000"),
            (b"-rw-r--r--  9 Jan  2  2020 bare", b"bare", F, 9, "20200102000000"),
            (b"131074 8 -rw-r--r-- 1 ftp ftp 7000 Jan  2  2020 both", b"both", F, 7000, "20200102000000"),
            (b"  8 drwxr-xr-x 2 ftp ftp 4096 Jan  2  2020 blocks", b"blocks", D, 4096, "20200102000000"),
            (b"brw-rw----   1 root     disk       8,   0 Jan  2  2020 sda", b"sda", O, 0, "20200102000000"),
            (b"brw-rw----   1 root     disk       8,0 Jan  2  2020 sda", b"sda", O, 0, "20200102000000"),
            (b"srwxrwxrwx   1 root     root         0 Jan  2  2020 sock", b"sock", O, 0, "20200102000000"),
            (b"-rw-r--r--   1 ftp ftp 5 2 Jan  2020 day first", b"day first", F, 5, "20200102000000"),
            (b"-rw-r--r--   1 ftp ftp 5 14. Okt 2020 deutsch", b"deutsch", F, 5, "20201014000000"),
            (b"-rw-r--r--   1 ftp ftp 5 M\xC3\xA4r  1  2020 utf8", b"utf8", F, 5, "20200301000000"),
            (b"-rw-r--r--   1 ftp ftp 5 M\xE4r  1  2020 latin", b"latin", F, 5, "20200301000000"),
            (b"-rw-r--r--   1 ftp ftp 5 d\xC3\xA9c.  1  2020 fr", b"fr", F, 5, "20201201000000"),
            (b"-rw-r--r--   1 ftp ftp 5  1 juil. 09:08 fr", b"fr", F, 5, "20260701090800"),
            (b"-rw-r--r--   1 Domain Users Group 5 Jan  2  2020 ad", b"ad", F, 5, "20200102000000"),
            (
                b"d---------   1 owner    group               0 May  9 19:45 Softlib",
                b"Softlib",
                D,
                0,
                "20260509194500",
            ),
            (
                b"-------r--         326  1391972  1392298 Nov 22  1995 Mac.sit",
                b"Mac.sit",
                F,
                1_392_298,
                "19951122000000",
            ),
            (b"drwxrwxr-x               folder        2 May 10  1996 mac", b"mac", D, 2, "19960510000000"),
            (
                b"erwxrwxrwx   1 USER     SYS1            9 Jan  2  2020 ext -> SYS1.LIB",
                b"ext",
                L,
                9,
                "20200102000000",
            ),
            (b"-rw-r--r--   1 ftp ftp 5 Jan  2  2020 caf\xE9\xFF", b"caf\xE9\xFF", F, 5, "20200102000000"),
        ],
    );
    let link = entry("lrwxrwxrwx 1 0 0 7 Jan  2  2020 a -> b -> c");
    assert_eq!((link.name, link.target), (b"a".to_vec(), Some(b"b -> c".to_vec())));
    let numbered = entry("131074 8 -rw-r--r-- 3 me us 7000 Jan  2  2020 both");
    assert_eq!(
        (numbered.links, numbered.owner, numbered.group),
        (Some(3), Some("me".into()), Some("us".into()))
    );
}

#[test]
fn dos_is_read() {
    check(
        Dialect::Dos,
        " Volume in drive C is Data",
        &[
            (b"02-13-18  10:24AM       <DIR>          web site", b"web site", D, 0, "20180213102400"),
            (b"02-13-18  10:24AM       <DIR>            two", b"  two", D, 0, "20180213102400"),
            (b"02-13-18  12:24AM                 1234 night.txt", b"night.txt", F, 1234, "20180213002400"),
            (b"02-13-18  12:24PM                 1234  lead", b" lead", F, 1234, "20180213122400"),
            (b"02-13-98  01:24PM   1234   odd columns", b"odd columns", F, 1234, "19980213132400"),
            (b"02-13-2018  10:24PM       <DIR>          four", b"four", D, 0, "20180213222400"),
            (b"02-13-2018  10:24PM                 1234 four", b"four", F, 1234, "20180213222400"),
            (b"02-13-18  22:24                    1234 hours", b"hours", F, 1234, "20180213222400"),
            (b"2018-02-13  22:24                  1234 iso", b"iso", F, 1234, "20180213222400"),
            (b"13.02.2018  22:24    <DIR>          punkt", b"punkt", D, 0, "20180213222400"),
            (b"13.02.2018  22:24         1.234.567 punkt", b"punkt", F, 1_234_567, "20180213222400"),
            (b"02/13/2018  10:24 PM         1,234,567 shell", b"shell", F, 1_234_567, "20180213222400"),
            (b"02/13/2018  10:24 PM    <DIR>          shell", b"shell", D, 0, "20180213222400"),
            (b"13-02-18  10:24AM                 1234 british", b"british", F, 1234, "20180213102400"),
            (b"02-13-18  10:24a                  1234 short", b"short", F, 1234, "20180213102400"),
            (b"02-13-18  10:24AM       <JUNCTION>     to [\\??\\C:\\x]", b"to", L, 0, "20180213102400"),
            (b"02-13-18  10:24AM       <SYMLINKD>     a [1] [C:\\x y]", b"a [1]", L, 0, "20180213102400"),
            (b"02-13-18  10:24AM       <SYMLINK>      bare", b"bare", L, 0, "20180213102400"),
        ],
    );
    let link = entry("02-13-18  10:24AM       <SYMLINKD>     a [1] [C:\\x y]");
    assert_eq!(link.target, Some(b"C:\\x y".to_vec()));
}

#[test]
fn eplf_is_read() {
    check(
        Dialect::Eplf,
        "",
        &[
            (b"+i8388621.29609,m824255902,/,\tdev", b"dev", D, 0, "19960213235822"),
            (b"+i8388621.44468,m839956783,r,s10376,\tRFCEPLF", b"RFCEPLF", F, 10376, "19960813171943"),
            (b"+m824255902,r,s12,up644,\t two words", b" two words", F, 12, "19960213235822"),
            (b"+r,s12,xunknown,\tplain", b"plain", F, 12, ""),
            (b"+/,r,\tboth", b"both", D, 0, ""),
            (b"+\tneither", b"neither", O, 0, ""),
            (b"+m99999999999999999999,r,s99999999999999999999,\tbig", b"big", F, 0, ""),
        ],
    );
    let file = entry("+i8388621.44468,r,up644,\ta");
    assert_eq!((file.unique, file.mode), (Some((8_388_621, 44_468)), Some(0o644)));
}

#[test]
fn vms_is_read() {
    check(
        Dialect::Vms,
        "Directory DISK$USER:[FTP.PUB]",
        &[
            (
                b"README.TXT;1   2/4  30-MAR-2020 09:10:11  [SYSTEM]  (RWED,RWED,RE,)",
                b"README.TXT",
                F,
                1024,
                "20200330091011",
            ),
            (b"FOO.DIR;1       1/3   9-mar-2020 09:10  [A,B] (RWE,RE,,)", b"FOO", D, 512, "20200309091000"),
            (b"FOO.DIR;2       1  9-MAR-2020 09:10:11.25", b"FOO.DIR", F, 512, "20200309091011"),
            (b"MAKEFILE.;12    0  9-MAR-2020", b"MAKEFILE.", F, 0, "20200309000000"),
            (b"NOSIZE.C;1      9-MAR-2020 09:10:11", b"NOSIZE.C", F, 0, "20200309091011"),
            (b"UNITS.BCK;1     12KB/16KB  9-MAR-2020 09:10:11", b"UNITS.BCK", F, 12288, "20200309091011"),
            (b"a^_b.txt;3      1/3  9-MAR-2020 09:10:11", b"a^_b.txt", F, 512, "20200309091011"),
            (b"SHUT.TXT;1      %RMS-E-PRV, insufficient privilege", b"SHUT.TXT", F, 0, ""),
        ],
    );
    let file = entry("README.TXT;1   2/4  30-MAR-2020 09:10:11  [STAFF,JOE]  (RWED,RWED,RE,)");
    assert_eq!((file.owner, file.group), (Some("JOE".into()), Some("STAFF".into())));
}

#[test]
fn data_sets_are_read() {
    check(
        Dialect::Mvs,
        "Volume Unit    Referred Ext Used Recfm Lrecl BlkSz Dsorg Dsname",
        &[
            (b"WRK001 3390   2020/03/30  1   15  FB      80 27920  PO  JOE.CNTL", b"JOE.CNTL", D, 0, ""),
            (b"WRK001 3390   2020/03/30  1   15  VB    1024 27998  PS  JOE.LOG", b"JOE.LOG", F, 0, ""),
            (b"WRK001 3390   2020/03/30  1   15  U        0 32760  PO-E LOADLIB", b"LOADLIB", D, 0, ""),
            (b"WRK001 3390   2020/03/30 12312345  FB      80 27920  PS  BIG", b"BIG", F, 0, ""),
            (b"WRK001 3390   **NONE**    1   15  FB      80 27920  PS  NEW.DATA", b"NEW.DATA", F, 0, ""),
            (b"WRK001 3390   2020/03/30  1   15  ?        ?     ?  PS  'SYS1.X'", b"'SYS1.X'", F, 0, ""),
            (b"WRK001 3390                                  VSAM JOE.KSDS", b"JOE.KSDS", O, 0, ""),
            (b"WRK001 3390   2020/03/30  1   15  U        0  4096  VS  JOE.KSDS.D", b"JOE.KSDS.D", O, 0, ""),
            (b"Migrated                                                OLD.DATA", b"OLD.DATA", F, 0, ""),
            (b"ARCIVE Not Direct Access Device                         TAPE.DATA", b"TAPE.DATA", F, 0, ""),
            (b"Pseudo Directory                                        PROD", b"PROD", D, 0, ""),
        ],
    );
    assert_eq!(entry("WRK001 3390   2020/03/30  1   15  FB      80 27920  PO  A.B").kind, D);
}

#[test]
fn members_are_read() {
    check(
        Dialect::MvsMembers,
        " Name     VV.MM   Created       Changed      Size  Init   Mod   Id",
        &[
            (
                b"ALPHA     01.03 2002/09/12 2002/10/11 09:37    11    11     0 KIL001",
                b"ALPHA",
                F,
                0,
                "20021011093700",
            ),
            (
                b" BETA     01.03 2002/09/12 2002/10/11 09:37:59    11    11     0 KIL001",
                b"BETA",
                F,
                0,
                "20021011093759",
            ),
            (b"GAMMA$1", b"GAMMA$1", F, 0, ""),
        ],
    );
    check(
        Dialect::MvsMembers,
        " Name      Size     TTR   Alias-of AC --------- Attributes --------- Amode Rmode",
        &[(
            b"BIND1     000648   00000A          00 FO             RN RU            31    ANY",
            b"BIND1",
            F,
            0,
            "",
        )],
    );
    let member = entry("ALPHA     01.03 2002/09/12 2002/10/11 09:37    11    11     0 KIL001");
    assert_eq!(member.created.map(Moment::stamp), Some("20020912000000".into()));
    assert_eq!(member.owner, Some("KIL001".into()));
}

#[test]
fn jobs_are_read() {
    check(
        Dialect::Jes,
        "JOBNAME  JOBID    OWNER    STATUS CLASS",
        &[
            (b"MYJOB    JOB01234 IBMUSER  OUTPUT A        RC=0000 3 spool files", b"JOB01234", F, 0, ""),
            (b"TASK     STC00099 STCUSER  ACTIVE STC", b"STC00099", F, 0, ""),
            (b"MYJOB    J0123456 IBMUSER  INPUT  A        -DUP-", b"J0123456", F, 0, ""),
            (b"MYJOB    JOB00077  OUTPUT   3 Spool Files", b"JOB00077", F, 0, ""),
        ],
    );
    assert_eq!(entry("MYJOB    JOB01234 IBMUSER  OUTPUT A").owner, Some("IBMUSER".into()));
}

#[test]
fn as400_is_read() {
    check(
        Dialect::As400,
        "",
        &[
            (
                b"QSYS            77824 02/23/00 15:09:55 *DIR       QPGMR/",
                b"QPGMR",
                D,
                77824,
                "20000223150955",
            ),
            (
                b"QSYS            77824 23.02.00 15.09.55 *DDIR      QPGMR/",
                b"QPGMR",
                D,
                77824,
                "20000223150955",
            ),
            (b"QSYS            77824 99/12/31 15:09:55 *DDIR      a b", b"a b", D, 77824, "19991231150955"),
            (
                b"JOE              1024 02/23/00 15:09:55 *STMF      two words.txt",
                b"two words.txt",
                F,
                1024,
                "20000223150955",
            ),
            (
                b"JOE           5263360 06/11/97 12:27:39 *FILE      SAVED",
                b"SAVED",
                F,
                5_263_360,
                "19970611122739",
            ),
            (
                b"JOE           5263360 06/11/97 12:27:39 *FILE      SAVED.SAVF",
                b"SAVED.SAVF",
                F,
                5_263_360,
                "19970611122739",
            ),
            (
                b"JOE             36864 06/11/97 12:27:39 *FILE      SRC.FILE",
                b"SRC.FILE",
                D,
                36864,
                "19970611122739",
            ),
            (b"JOE                                     *MEM       SRC.FILE/MAIN.MBR", b"MAIN.MBR", F, 0, ""),
            (
                b"                   10 06/11/97 12:27:39 *MEM       MAIN.MBR",
                b"MAIN.MBR",
                F,
                10,
                "19970611122739",
            ),
            (
                b"JOE                   06/11/97 12:27:39 *PGM       RUN.PGM",
                b"RUN.PGM",
                O,
                0,
                "19970611122739",
            ),
        ],
    );
    assert_eq!(entry("QSYS  77824 02/23/00 15:09:55 *DIR  QPGMR/").owner, Some("QSYS".into()));
}

#[test]
fn netware_is_read() {
    check(
        Dialect::NetWare,
        "total 0",
        &[
            (
                b"d [RWCEAFMS] JrF99                 512 Feb 12 13:45 Admin",
                b"Admin",
                D,
                512,
                "20260212134500",
            ),
            (
                b"- [----F--] supervisor            7045 Apr  8  1994 a file",
                b"a file",
                F,
                7045,
                "19940408000000",
            ),
            (b"-[R----F-] Raj Two                 857 Dec 24 13:45 eve", b"eve", F, 857, "20251224134500"),
            (
                b"d [R----F--]                       512 Jan 16 18:53 login",
                b"login",
                D,
                512,
                "20260116185300",
            ),
        ],
    );
    assert_eq!(entry("d [RWCEAFMS] Joe Doe 512 Feb 12 13:45 x").owner, Some("Joe Doe".into()));
}

#[test]
fn lines_that_say_nothing_are_of_no_dialect() {
    for line in [
        "ls: cannot open directory '.': Permission denied",
        "02-30-18  10:24AM       <DIR>          no such day",
        "02-13-18  13:24PM                 1234 no such hour",
        "02-13-18  10:24AM                 1234",
        "02-13-18  10:24AM                 12,34 x",
        "02-13-18  10:24AM       <DIR          x",
        "+i1.2,r,",
        "+i1.2,r,\t",
        "README.TXT;x   2/4  30-MAR-2020 09:10:11",
        "README.TXT;1   2/4  31-FEB-2020 09:10:11",
        "WRK001 3390   2020/03/30  1   15  XX      80 27920  PO  JOE.CNTL",
        "Migrated old.data",
        "MYJOB JOB1 IBMUSER OUTPUT A",
        "-rw-r--r-- 1 ftp ftp 5 0000-01-01 00:00:00 +0200 x",
        "-rw-r--r-- 1 ftp ftp 5 9999-12-31 23:00:00 -0200 x",
        "JOE 10 06/11/97 12:27:39 *STMF",
        "JOE 10 06/11/97 12:27:39 *STMF /",
        "JOE DOE 10 06/11/97 12:27:39 *STMF x",
        "d [QQQQ] Joe 512 Feb 12 13:45 x",
        "d [RWCEAFMS] Joe 512 Feb 12 13:45 ",
    ] {
        let mut reader = Reader::new(now());
        assert_eq!(reader.line(line.as_bytes()), Outcome::Unknown, "{line}");
    }
}
