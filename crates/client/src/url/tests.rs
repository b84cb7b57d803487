//! Addresses as people type them, and what comes back when they are written again.

use twoport_testkit::random::Random;

use super::*;

fn read(text: &str) -> Url {
    Url::read(text).unwrap_or_else(|e| panic!("{text}: {e}"))
}

#[track_caller]
fn refuses(error: UrlError, texts: &[&str]) {
    for text in texts {
        assert_eq!(Url::read(text), Err(error), "{text}");
    }
}

/// Path, absolute, folder.
fn path(text: &str) -> (String, bool, bool) {
    let url = read(&format!("ftp://h{text}"));
    (String::from_utf8(url.path).unwrap(), url.absolute, url.folder)
}

#[test]
fn a_host_alone_is_the_login_folder() {
    for text in ["ftp://host", "ftp://host/", "FTP://HOST", "ftp://host:/", "ftp://@host/", "ftp://host:21"] {
        let url = read(text);
        assert_eq!((url.scheme, url.host.as_str(), url.port), (Scheme::Ftp, "host", 21), "{text}");
        assert_eq!((url.user.as_ref(), url.password.as_ref(), url.kind), (None, None, None), "{text}");
        assert!(url.path.is_empty() && !url.absolute && url.folder, "{text}");
        assert_eq!(url.to_string(), "ftp://host/");
    }
}

#[test]
fn schemes_have_their_ports() {
    assert_eq!(read("ftpes://h").port, 21);
    assert_eq!(read("ftps://h").port, 990);
    assert_eq!(read("ftps://h:21/").to_string(), "ftps://h:21/");
    assert_eq!(read("ftps://h:990/").to_string(), "ftps://h/");
}

#[test]
fn the_path_is_relative_until_it_says_otherwise() {
    let path = |text| {
        let (path, absolute, folder) = path(text);
        format!("{path} {absolute} {folder}")
    };
    assert_eq!(path("/a/b.txt"), "a/b.txt false false");
    assert_eq!(path("/a/b/"), "a/b false true");
    assert_eq!(path("//etc/motd"), "etc/motd true false");
    assert_eq!(path("/%2Fetc/motd"), "etc/motd true false");
    assert_eq!(path("/%2fetc%2Fmotd"), "etc/motd true false");
    assert_eq!(path("//"), " true true");
    assert_eq!(path("/%2F"), " true true");
    assert_eq!(path("/../up"), "../up false false");
    assert_eq!(path("/a//b"), "a//b false false");
    assert_eq!(path("/what?is=this#now"), "what?is=this#now false false");
    assert_eq!(path("/a b@c:d"), "a b@c:d false false");
}

#[test]
fn a_command_gets_the_slash_of_an_absolute_path() {
    assert_eq!(read("ftp://h//etc/motd").target(), b"/etc/motd");
    assert_eq!(read("ftp://h//").target(), b"/");
    assert_eq!(read("ftp://h/a/").target(), b"a");
    assert_eq!(read("ftp://h").target(), b"");
}

#[test]
fn users_and_passwords_are_decoded() {
    let login = |text: &str| {
        let url = read(text);
        let secret = url.password.map(|p| String::from_utf8(p.reveal().to_vec()).unwrap());
        (String::from_utf8(url.user.unwrap()).unwrap(), secret, url.host)
    };
    let is =
        |user: &str, password: Option<&str>| (user.to_owned(), password.map(str::to_owned), "h".to_owned());
    assert_eq!(login("ftp://joe@h/"), is("joe", None));
    assert_eq!(login("ftp://joe:@h/"), is("joe", Some("")));
    assert_eq!(login("ftp://joe:secret@h/x"), is("joe", Some("secret")));
    assert_eq!(login("ftp://joe%40mail.example:p%3Aw%2F%40@h"), is("joe@mail.example", Some("p:w/@")));
    assert_eq!(login("ftp://joe@mail.example:a:b@h"), is("joe@mail.example", Some("a:b")));
    assert_eq!(read("ftp://j%FF@h").user, Some(b"j\xFF".to_vec()));
}

#[test]
fn ipv6_comes_in_brackets() {
    let place = |text: &str| {
        let url = read(text);
        (url.host.clone(), url.port, url.to_string())
    };
    let is = |host: &str, port: u16, text: &str| (host.to_owned(), port, text.to_owned());
    assert_eq!(place("ftp://[2001:DB8::1]/"), is("2001:db8::1", 21, "ftp://[2001:db8::1]/"));
    assert_eq!(place("ftp://u@[::1]:2121"), is("::1", 2121, "ftp://u@[::1]:2121/"));
    assert_eq!(place("ftp://[fe80::1%25eth0]:21/"), is("fe80::1%eth0", 21, "ftp://[fe80::1%25eth0]/"));
    assert_eq!(place("ftp://[fe80::1%eth0]/"), is("fe80::1%eth0", 21, "ftp://[fe80::1%25eth0]/"));
    refuses(
        UrlError::BadIpv6,
        &["ftp://[::1", "ftp://[::g]/", "ftp://[]/", "ftp://[fe80::1%25]/", "ftp://[1.2.3.4]/"],
    );
    refuses(UrlError::BadIpv6, &["ftp://[fe80::1%a b]/", "ftp://[fe80::1%25a%0Ab]/"]);
    refuses(UrlError::NoBrackets, &["ftp://::1/", "ftp://2001:db8::1/a"]);
    refuses(UrlError::BadPort, &["ftp://[::1]21/"]);
}

#[test]
fn a_type_is_read_and_a_semicolon_in_a_name_is_not_one() {
    let kind = |text: &str| {
        let url = read(text);
        (url.kind, String::from_utf8(url.path).unwrap(), url.folder)
    };
    assert_eq!(kind("ftp://h/a;type=a"), (Some(TypeCode::Ascii), "a".to_owned(), false));
    assert_eq!(kind("ftp://h/a;TYPE=I"), (Some(TypeCode::Image), "a".to_owned(), false));
    assert_eq!(kind("ftp://h/a;type=d"), (Some(TypeCode::Names), "a".to_owned(), true));
    assert_eq!(kind("ftp://h/a/;type=d"), (Some(TypeCode::Names), "a".to_owned(), true));
    assert_eq!(kind("ftp://h/a;b"), (None, "a;b".to_owned(), false));
    assert_eq!(kind("ftp://h/a%3Btype=x"), (None, "a;type=x".to_owned(), false));
    assert_eq!(kind("ftp://h/a;typ\u{e9}"), (None, "a;typ\u{e9}".to_owned(), false));
    refuses(UrlError::BadType, &["ftp://h/a;type=", "ftp://h/a;type=x", "ftp://h/a;type=aa"]);
}

#[test]
fn what_is_no_address_says_what_to_do() {
    refuses(
        UrlError::NoScheme,
        &["", "host/path", "host", "joe:secret@host/", "ftp:/host", "ftp:host", "host:21/a"],
    );
    refuses(UrlError::OtherScheme, &["http://h/", "sftp://h/", "://h", " ftp://h"]);
    refuses(UrlError::NoHost, &["ftp://", "ftp:///a", "ftp://joe@/", "ftp://:21/"]);
    refuses(
        UrlError::BadHost,
        &["ftp://a b/", "ftp://h?x", "ftp://h%2Fx/", "ftp://%FF/", "ftp://-h/", "ftp://h;a"],
    );
    refuses(
        UrlError::BadPort,
        &["ftp://h:0/", "ftp://h:65536/", "ftp://h:x/", "ftp://h:+1/", "ftp://joe:pa/ss@h/"],
    );
    refuses(
        UrlError::BadPercent,
        &["ftp://h/%", "ftp://h/%4", "ftp://h/%4x", "ftp://%zz@h/", "ftp://h/100%/a"],
    );
    refuses(UrlError::NoUser, &["ftp://:secret@h/", "ftp://:@h/"]);
    assert!(UrlError::NoScheme.to_string().contains("write ftp:// in front"));
}

#[test]
fn nothing_can_begin_another_command() {
    refuses(
        UrlError::BadByte,
        &[
            "ftp://h/a%0D%0ADELE%20b",
            "ftp://h/a%0ab",
            "ftp://h/a%00",
            "ftp://h/a\nb",
            "ftp://h/a\n",
            "ftp://joe%0A@h/",
            "ftp://joe:x%0Dy@h/",
            "ftp://h%00/",
        ],
    );
}

#[test]
fn the_password_comes_out_nowhere() {
    let url = read("ftp://joe:hunter2@h/a");
    for text in [url.to_string(), format!("{url:?}"), format!("{url:#?}")] {
        assert!(!text.contains("hunter2"), "{text}");
    }
    for text in ["joe:hunter2@h", "ftp://joe:hunter2/x@h/", "http://joe:hunter2@h/", "ftp://joe:hunter2%@h/"]
    {
        let error = Url::read(text).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{text}");
    }
}

#[test]
fn what_is_written_reads_the_same() {
    for text in [
        "ftp://h/",
        "ftp://h/a",
        "ftp://h/a/b/",
        "ftp://h/%2F",
        "ftp://h/%2Fa/b/;type=d",
        "ftpes://joe%40x%3Ay@h:2121/a%20b%3Bc%25%23%3F;type=i",
        "ftps://[fe80::1%25en0]:21/%E9t%E9",
        "ftp://h/..",
        "ftp://h/a//b",
    ] {
        let url = read(text);
        assert_eq!(url.to_string(), text);
        assert_eq!(read(&url.to_string()), url, "{text}");
    }
    for b in (0..=255u8).filter(|b| !matches!(b, b'\r' | b'\n' | 0)) {
        let mut url = read("ftp://u@h/x");
        url.path = vec![b'a', b, b'z'];
        url.user = Some(vec![b]);
        assert_eq!(read(&url.to_string()), url, "{b}");
    }
}

#[test]
fn no_text_makes_it_panic() {
    let parts = ["ftp://", "%", "25", "[", "]", ":", "@", "/", ";type=", "é", "\0", "a", "%2F", "::1", "21"];
    let mut random = Random::new(1);
    for _ in 0..20_000 {
        let mut text = String::new();
        for _ in 0..8 {
            let part = random.pick(&parts);
            text.push_str(part);
        }
        for text in [text.clone(), format!("ftp://{text}")] {
            if let Ok(url) = Url::read(&text) {
                let again = read(&url.to_string());
                assert_eq!(again, Url { password: None, ..url }, "{text}");
            }
        }
    }
}

#[test]
fn an_address_is_told_from_a_file() {
    assert!(Url::is_meant("ftp://h") && Url::is_meant("FTPS://"));
    assert!(!Url::is_meant("a/b") && !Url::is_meant("http://h") && !Url::is_meant("C:\\a"));
}
