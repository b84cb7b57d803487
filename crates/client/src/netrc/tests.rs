//! Files as they are found in home folders.

use twoport_testkit::random::Random;

use super::*;

fn login(text: &str, host: &str, user: Option<&str>) -> Option<(String, Option<String>, Option<String>)> {
    let text_of = |secret: Secret| String::from_utf8(secret.reveal().to_vec()).unwrap();
    let found = Netrc::read(text).lookup(host, user.map(str::as_bytes))?;
    Some((String::from_utf8(found.user).unwrap(), found.password.map(text_of), found.account.map(text_of)))
}

#[track_caller]
fn finds(text: &str, host: &str, user: &str, password: &str) {
    let (found, secret, _) = login(text, host, None).expect("an entry");
    assert_eq!((found.as_str(), secret.as_deref()), (user, Some(password)), "{text}");
}

#[test]
fn a_machine_is_found_in_any_layout() {
    finds("machine h login joe password secret\n", "h", "joe", "secret");
    finds("machine h\n\tlogin joe\r\n\tpassword secret", "h", "joe", "secret");
    finds("machine\nh\nlogin\njoe\npassword\nsecret", "H", "joe", "secret");
    finds("machine a login x password y machine h login joe password secret", "h", "joe", "secret");
    finds("machine h port 21 login joe passwd secret", "h", "joe", "secret");
    let whole = login("machine h login joe account acct password secret", "h", None).unwrap();
    assert_eq!(whole, ("joe".to_owned(), Some("secret".to_owned()), Some("acct".to_owned())));
}

#[test]
fn default_is_for_all_the_others() {
    let text = "default login any password one\nmachine h login joe password secret";
    finds(text, "h", "joe", "secret");
    finds(text, "other", "any", "one");
    assert_eq!(login("machine h login joe", "other", None), None);
    assert_eq!(login("machine", "other", None), None);
    assert_eq!(login("machine \"\" login joe", "other", None), None);
}

#[test]
fn a_user_gets_no_other_users_password() {
    let text = "machine h login joe password one\nmachine h login ann password two\nmachine h password three";
    finds(text, "h", "joe", "one");
    assert_eq!(login(text, "h", Some("ann")).unwrap().1.unwrap(), "two");
    assert_eq!(login(text, "h", Some("bob")).unwrap().1.unwrap(), "three");
    assert_eq!(login("machine h login joe password one", "h", Some("bob")), None);
    assert_eq!(login("machine h password three", "h", None), None);
    assert_eq!(
        login("machine h login joe password one\ndefault login joe password two", "x", Some("bob")),
        None
    );
}

#[test]
fn quotes_backslashes_and_signs_are_part_of_a_password() {
    finds("machine h login \"joe doe\" password \"se \\\"cr\\\\et\"", "h", "joe doe", "se \"cr\\et");
    finds("machine h login joe password a\\ b\\\\c", "h", "joe", "a b\\c");
    finds("machine h login joe password #1,2", "h", "joe", "#1,2");
    finds("machine h login joe password a\"b\"#", "h", "joe", "a\"b\"#");
    finds("machine h login joe password \"\"", "h", "joe", "");
    finds("machine h login joe password \"open\nmachine i login x", "h", "joe", "open");
    finds("machine h login joe password end\\", "h", "joe", "end\\");
}

#[test]
fn comments_are_passed_over() {
    let text = "# machine h login no password no\nmachine h # here\n  # login no\n  login joe\n #\n password secret # end";
    finds(text, "h", "joe", "secret");
}

#[test]
fn macros_go_to_the_blank_line_and_to_their_machine() {
    let text = "macdef lost\nmachine x login y\n\nmachine h\nmacdef init\nbinary\n  cd a # no comment\n\nlogin joe\n\
                macdef two\nmachine trap login trap\n \nmachine i login ann\nmacdef init\npwd";
    let netrc = Netrc::read(text);
    let macros = |host| {
        let found = netrc.lookup(host, None).unwrap().macros;
        found.into_iter().map(|m| (m.name, m.lines.join("|"))).collect::<Vec<_>>()
    };
    let is = |name: &str, lines: &str| (name.to_owned(), lines.to_owned());
    assert_eq!(macros("h"), [is("init", "binary|  cd a # no comment"), is("two", "machine trap login trap")]);
    assert_eq!(macros("i"), [is("init", "pwd")]);
    assert_eq!((netrc.lookup("trap", None), netrc.lookup("x", None)), (None, None));
}

#[test]
fn no_debug_shows_a_password() {
    let netrc =
        Netrc::read("machine h login joe password hunter2 account hunter2 macdef init\nquote pass hunter2");
    assert!(!format!("{netrc:?}{:?}", netrc.lookup("h", None)).contains("hunter2"));
}

#[test]
fn a_password_need_not_be_utf8() {
    let found = Netrc::read(b"machine h login j\xFF password \xE9\xE8").lookup("h", Some(b"j\xFF")).unwrap();
    assert_eq!(found.password.unwrap().reveal(), b"\xE9\xE8");
}

#[test]
fn no_text_makes_it_panic() {
    let parts = [
        "machine", "default", "login", "password", "macdef", " ", "\n", "\r", "\"", "\\", "#", "h", "\0",
        "\t",
    ];
    let mut random = Random::new(7);
    for _ in 0..20_000 {
        let mut text = String::new();
        for _ in 0..10 {
            let part = random.pick(&parts);
            text.push_str(part);
        }
        let _ = Netrc::read(&text).lookup("h", None);
    }
}

#[test]
fn a_file_that_others_may_read_gives_a_warning_if_it_holds_a_password() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(".netrc");
    let warning = |text: &str, mode: u32| {
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        Netrc::load(&path).unwrap().1
    };
    let secret = "machine h login joe password hunter2";
    assert_eq!(warning(secret, 0o600), None);
    assert_eq!(warning("machine h login joe", 0o644), None);
    assert_eq!(warning("machine h login anonymous password me@x", 0o644), None);
    let said = warning(secret, 0o640).unwrap().to_string();
    assert!(said.contains("chmod 600") && said.contains("mode 640") && !said.contains("hunter2"), "{said}");
    let gone = Netrc::load(&folder.path().join("none")).unwrap_err();
    assert_eq!(gone.kind(), io::ErrorKind::NotFound);
}
