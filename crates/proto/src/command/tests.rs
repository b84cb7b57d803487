//! Lines to commands.

use super::*;

fn read(line: &str) -> Result<Command, CommandFault> {
    Command::read(line.as_bytes())
}

fn expected(line: &str) -> &'static str {
    match read(line) {
        Err(CommandFault::Argument(_, fault)) => fault.expected,
        other => panic!("{line} gave {other:?}"),
    }
}

#[test]
fn every_verb_reads_some_line_and_says_itself() {
    for row in crate::verb::TABLE {
        let argument = match row.verb {
            Verb::Port => "127,0,0,1,4,1",
            Verb::Eprt => "|1|127.0.0.1|1025|",
            Verb::Epsv | Verb::Rest | Verb::Allo | Verb::Pbsz => "1",
            Verb::Prot => "P",
            Verb::Rang => "1 2",
            Verb::Type => "I",
            Verb::Stru => "F",
            Verb::Mode => "S",
            Verb::Mfmt | Verb::Mfct => "20200101000000 x",
            Verb::Mff => "modify=20200101000000; x",
            Verb::Opts => "UTF8 ON",
            _ => "x",
        };
        let command =
            read(&format!("{} {argument}", row.name)).unwrap_or_else(|e| panic!("{}: {e:?}", row.name));
        assert_eq!(command.verb(), row.verb);
    }
}

#[test]
fn names_keep_their_spaces() {
    assert_eq!(read("RETR  a b "), Ok(Command::Retr(b" a b ".to_vec())));
    assert_eq!(read("retr x"), Ok(Command::Retr(b"x".to_vec())));
}

#[test]
fn a_missing_argument_names_what_was_expected() {
    assert_eq!(expected("RETR"), "PATH");
    assert_eq!(expected("PORT 1,2,3"), read_port_expected());
    assert_eq!(expected("REST x"), "OFFSET");
    assert_eq!(expected("REST 99999999999999999999"), "a number below 2^64");
    assert_eq!(expected("MFMT 2020 x"), "a time as YYYYMMDDHHMMSS");
    assert_eq!(expected("OPTS UTF8 MAYBE"), "ON or OFF");
    assert_eq!(expected("TYPE Q"), "A, I or L 8");
}

fn read_port_expected() -> &'static str {
    match hostport::read_port(b"1,2,3") {
        Err(fault) if !fault.expected.is_empty() => fault.expected,
        _ => Verb::Port.row().argument,
    }
}

#[test]
fn types_with_their_forms() {
    assert_eq!(read("TYPE a n"), Ok(Command::Type(Type::Ascii(Form::NonPrint))));
    assert_eq!(read("TYPE L 8"), Ok(Command::Type(Type::Local(8))));
    assert_eq!(read("TYPE E"), Ok(Command::Type(Type::Ebcdic(Form::NonPrint))));
    assert!(read("TYPE L 0").is_err());
    assert!(read("TYPE I N").is_err());
}

#[test]
fn what_protects_a_session() {
    for (line, mechanism) in [
        ("AUTH TLS", Mechanism::Tls),
        ("auth tls-c", Mechanism::Tls),
        ("AUTH SSL ", Mechanism::Ssl),
        ("AUTH TLS-P", Mechanism::Ssl),
        ("AUTH KERBEROS_V4", Mechanism::Other),
    ] {
        assert_eq!(read(line), Ok(Command::Auth(mechanism)), "{line}");
    }
    assert_eq!(read("PBSZ 0"), Ok(Command::Pbsz(0)));
    assert_eq!(read("PROT p"), Ok(Command::Prot(Protection::Private)));
    assert_eq!((expected("AUTH"), expected("PBSZ x"), expected("PROT Q")), ("TLS", "0", "C or P"));
}

#[test]
fn listing_options_come_in_any_mix() {
    let Ok(Command::List(wanted)) = read("LIST -la -R  my file") else { panic!() };
    assert!(wanted.all && wanted.long && wanted.recursive && !wanted.one);
    assert_eq!(wanted.path.as_deref(), Some(&b"my file"[..]));
    let Ok(Command::Nlst(wanted)) = read("NLST -1aT") else { panic!() };
    assert!(wanted.all && wanted.one && wanted.path.is_none());
    let Ok(Command::List(wanted)) = read("LIST -- -name") else { panic!() };
    assert_eq!(wanted.path.as_deref(), Some(&b"-name"[..]));
    let Ok(Command::List(wanted)) = read("LIST -odd.name") else { panic!() };
    assert_eq!(wanted.path.as_deref(), Some(&b"-odd.name"[..]));
}

#[test]
fn checksums_take_quotes_and_ranges() {
    let of = |line: &str| match read(line) {
        Ok(Command::Checksum(_, path, range)) => (String::from_utf8(path).unwrap(), range),
        other => panic!("{other:?}"),
    };
    assert_eq!(of("XCRC a b"), ("a b".into(), None));
    assert_eq!(of("XCRC a b 0 10"), ("a b".into(), Some((0, 10))));
    assert_eq!(of("XCRC \"a 0 1\" 5 9"), ("a 0 1".into(), Some((5, 9))));
    assert_eq!(of("XCRC \"a\" 5"), ("a".into(), Some((5, u64::MAX))));
}

#[test]
fn site_commands() {
    assert_eq!(read("SITE CHMOD 644 a b"), Ok(Command::Site(Site::Chmod(0o644, b"a b".to_vec()))));
    assert!(read("SITE CHMOD 999 a").is_err());
    assert!(read("SITE CHMOD 77777 a").is_err());
    let Ok(Command::Site(Site::Utime(change, path))) = read("SITE UTIME 202001020304 f") else { panic!() };
    assert_eq!((change.modified.unwrap().stamp().as_str(), path.as_slice()), ("20200102030400", &b"f"[..]));
    let Ok(Command::Site(Site::Utime(change, path))) =
        read("SITE UTIME my f 20200102030405 20210102030405 20220102030405 UTC")
    else {
        panic!()
    };
    assert_eq!(
        (change.modified.unwrap().stamp().as_str(), path.as_slice()),
        ("20210102030405", &b"my f"[..])
    );
    assert_eq!(read("SITE SYMLINK a b"), Ok(Command::Site(Site::Symlink(b"a".to_vec(), b"b".to_vec()))));
    assert_eq!(
        read("SITE SYMLINK \"a b\" \"c d\""),
        Ok(Command::Site(Site::Symlink(b"a b".to_vec(), b"c d".to_vec())))
    );
    assert_eq!(read("SITE EXEC sh"), Ok(Command::Site(Site::Unknown(b"EXEC".to_vec()))));
}

#[test]
fn facts_to_set() {
    let Ok(Command::Facts(Verb::Mff, change, path)) = read("MFF UNIX.mode=0600;modify=20200102030405; a b")
    else {
        panic!()
    };
    assert_eq!((change.mode, path.as_slice()), (Some(0o600), &b"a b"[..]));
    assert!(read("MFF modify=20200102030405 a").is_err());
    assert!(read("MFF owner=root; a").is_err());
}

#[test]
fn unknown_words_are_cut_short() {
    let long = "X".repeat(5000);
    assert_eq!(read(&long), Err(CommandFault::Unknown(vec![b'X'; 32])));
    assert_eq!(read(""), Err(CommandFault::Unknown(vec![])));
}
