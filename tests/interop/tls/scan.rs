//! sslscan, which tries what a server takes of versions, cipher suites and old holes, by AUTH and from the first byte.

use super::{WAYS, meeting};

/// The value of an attribute in a tag.
fn attribute<'a>(tag: &'a str, name: &str) -> &'a str {
    let (_, rest) = tag.split_once(&format!(" {name}=\"")).unwrap_or_else(|| panic!("no {name} in <{tag}>"));
    rest.split('"').next().unwrap_or_default()
}

/// The tags of this name.
fn tags<'a>(xml: &'a str, name: &str) -> Vec<&'a str> {
    let begins = format!("<{name}");
    xml.split(&begins).skip(1).filter_map(|rest| rest.split_once('>')).map(|(tag, _)| tag).collect::<Vec<_>>()
}

#[test]
fn sslscan_finds_nothing_old_and_nothing_weak() {
    for implicit in [false, true] {
        let Some(server) = meeting("sslscan") else { return };
        let way = WAYS.into_iter().find(|way| way.implicit == implicit).expect("there are both");
        let address = format!("{}:{}", server.host, way.port(&server));
        let mut args = vec!["--xml=-", "--no-colour", "--show-certificate"];
        if !implicit {
            args.push("--starttls-ftp");
        }
        args.push(&address);
        let xml = server.run("sslscan", &args, "").fine().text;

        let on: Vec<(&str, &str)> = tags(&xml, "protocol")
            .iter()
            .filter(|tag| attribute(tag, "enabled") == "1")
            .map(|tag| (attribute(tag, "type"), attribute(tag, "version")))
            .collect();
        let mut sorted = on.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, [("tls", "1.2"), ("tls", "1.3")], "{xml}");
        // It has tried the old ones, too.
        assert!(tags(&xml, "protocol").len() >= 6, "{xml}");

        let ciphers: Vec<(&str, &str)> = tags(&xml, "cipher")
            .iter()
            .map(|tag| (attribute(tag, "sslversion"), attribute(tag, "cipher")))
            .collect();
        let of = |version| {
            ciphers.iter().filter(|(of, _)| *of == version).map(|(_, cipher)| *cipher).collect::<Vec<_>>()
        };
        let (older, newer) = (of("TLSv1.2"), of("TLSv1.3"));
        assert_eq!(older.len() + newer.len(), ciphers.len(), "{xml}");
        assert!(!older.is_empty() && !newer.is_empty(), "{xml}");
        let is_aead = |cipher: &&str| cipher.contains("GCM") || cipher.contains("CHACHA20");
        assert!(older.iter().all(|cipher| cipher.starts_with("ECDHE-") && is_aead(cipher)), "{xml}");
        assert!(newer.iter().all(|cipher| cipher.starts_with("TLS_") && is_aead(cipher)), "{xml}");

        // Where its OpenSSL can compress at all.
        assert!(tags(&xml, "compression").iter().all(|tag| attribute(tag, "supported") == "0"), "{xml}");
        let renegotiation = tags(&xml, "renegotiation")[0];
        assert_eq!(
            (attribute(renegotiation, "supported"), attribute(renegotiation, "secure")),
            ("0", "0"),
            "{xml}"
        );
        let bled = tags(&xml, "heartbleed");
        assert!(!bled.is_empty() && bled.iter().all(|tag| attribute(tag, "vulnerable") == "0"), "{xml}");
    }
}
