//! Which proxy the environment names for a host: `ftp_proxy`, else `ALL_PROXY`, and `no_proxy` for hosts that are reached
//! without one. What a proxy is asked, and how, is `net`'s.

use twoport_net::proxy::{Kind, Proxy};
use twoport_proto::Secret;

use crate::url::decode;

/// A proxy, and who named it: an error that it causes must lead to the line that somebody has to change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// The proxy.
    pub proxy: Proxy,
    /// The variable's name.
    pub by: String,
}

/// The proxy for `host`. `variable` gives the value of an environment variable; an empty one counts as none.
///
/// # Errors
/// A sentence when a value names no proxy that can be used; the value is not in it, since it may hold a password.
pub fn read(variable: impl Fn(&str) -> Option<String>, host: &str) -> Result<Option<Named>, String> {
    let said = |names: &[&'static str]| {
        names.iter().find_map(|name| Some((*name, variable(name).filter(|value| !value.trim().is_empty())?)))
    };
    if said(&SPARED).is_some_and(|(_, list)| spares(&list, host)) {
        return Ok(None);
    }
    let Some((by, value)) = said(&NAMES) else { return Ok(None) };
    let proxy = read_value(value.trim()).map_err(|why| format!("{by} {why}"))?;
    Ok(Some(Named { proxy, by: by.to_owned() }))
}

/// In this order: what is said for FTP wins over what is said for everything.
const NAMES: [&str; 4] = ["ftp_proxy", "FTP_PROXY", "ALL_PROXY", "all_proxy"];
const SPARED: [&str; 2] = ["no_proxy", "NO_PROXY"];

/// `[SCHEME://][USER[:PASSWORD]@]HOST[:PORT][/]`; without a scheme it is HTTP, as everywhere else.
fn read_value(value: &str) -> Result<Proxy, String> {
    let (scheme, rest) = value.split_once("://").unwrap_or(("http", value));
    let kind = match scheme.to_ascii_lowercase().as_str() {
        "socks5" | "socks5h" => Kind::Socks,
        "http" => Kind::Connect,
        "ftp" => Kind::UserAtHost,
        "https" => {
            return Err(
                "names a proxy that is spoken to over TLS, which cannot be done; write http://".to_owned()
            );
        }
        "socks4" | "socks4a" | "socks" => {
            return Err("names a SOCKS4 proxy, and only version 5 is spoken; write socks5h://".to_owned());
        }
        _ => {
            return Err("names no proxy that is understood; expected socks5h://, http:// or ftp:// and \
                 [USER:PASSWORD@]HOST[:PORT]"
                .to_owned());
        }
    };
    let rest = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let (login, address) = match rest.rsplit_once('@') {
        Some((login, address)) => (Some(read_login(login)?), address),
        None => (None, rest),
    };
    let (host, port) = match address.strip_prefix('[').and_then(|inside| inside.split_once(']')) {
        Some((host, behind)) => (host, behind.strip_prefix(':')),
        None => match address.rsplit_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (address, None),
        },
    };
    let port = match port {
        Some(port) => port.parse().ok().filter(|port| *port > 0),
        None => Some(kind.port()),
    };
    let port = port.ok_or("names a port that is no number from 1 to 65535")?;
    if host.is_empty() || host.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err("names no host; expected [USER:PASSWORD@]HOST[:PORT] behind its ://".to_owned());
    }
    Ok(Proxy { kind, host: host.to_owned(), port, login })
}

/// What stands before the `@`; a colon or an `@` in a password may be written %3A and %40.
fn read_login(text: &str) -> Result<(String, Secret), String> {
    let (user, password) = text.split_once(':').unwrap_or((text, ""));
    let part =
        |text: &str| decode(text).map_err(|_| "has a % that is not followed by two hexadecimal digits");
    let user = String::from_utf8(part(user)?).map_err(|_| "names a user that is not UTF-8")?;
    Ok((user, Secret::new(part(password)?)))
}

/// Whether `no_proxy` spares the host: `*`, the host itself, or a domain that it is in.
fn spares(list: &str, host: &str) -> bool {
    list.split([',', ' ']).map(str::trim).filter(|item| !item.is_empty()).any(|item| {
        let item = item.trim_start_matches("*.").trim_start_matches('.').to_ascii_lowercase();
        let item = item.trim_start_matches('[').trim_end_matches(']');
        let host = host.to_ascii_lowercase();
        item == "*" || host == item || host.strip_suffix(item).is_some_and(|before| before.ends_with('.'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(pairs: &[(&str, &str)], host: &str) -> Result<Option<Named>, String> {
        let find = |name: &str| pairs.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned());
        read(find, host)
    }

    fn of(value: &str) -> Proxy {
        env(&[("ALL_PROXY", value)], "ftp.example.org").unwrap().unwrap().proxy
    }

    #[test]
    fn a_proxy_with_and_without_its_parts() {
        let none = Proxy { kind: Kind::Socks, host: "10.1.1.1".into(), port: 1080, login: None };
        assert_eq!(of("socks5h://10.1.1.1"), none);
        let login = Some(("a".to_owned(), Secret::new("b@c:d")));
        let full = Proxy { kind: Kind::Socks, host: "proxy".into(), port: 99, login };
        assert_eq!(of("socks5://a:b@c%3Ad@proxy:99/"), full);
        assert_eq!((of("socks5://[::1]:99").host.as_str(), of("http://[::1]").port), ("::1", 3128));
        assert_eq!((of("proxy:8080").kind, of("HTTP://proxy:8080/").port), (Kind::Connect, 8080));
        assert_eq!((of("ftp://proxy").kind, of("ftp://proxy").port), (Kind::UserAtHost, 21));
        assert_eq!(env(&[], "h"), Ok(None));
        assert_eq!(env(&[("ftp_proxy", " ")], "h"), Ok(None));
    }

    #[test]
    fn what_is_said_for_ftp_wins() {
        let both = [("ALL_PROXY", "socks5://a"), ("FTP_PROXY", "http://b")];
        let named = env(&both, "h").unwrap().unwrap();
        assert_eq!((named.proxy.host.as_str(), named.by.as_str()), ("b", "FTP_PROXY"));
    }

    #[test]
    fn what_is_not_understood_is_a_sentence_without_the_value() {
        for (value, says) in [
            ("https://u:secret@proxy", "over TLS"),
            ("socks4://u:secret@proxy", "only version 5"),
            ("gopher://u:secret@proxy", "socks5h://, http:// or ftp://"),
            ("http://u:secret@proxy:99999", "no number from 1"),
            ("http://u:secret@proxy:0", "no number from 1"),
            ("http://u:secret@", "names no host"),
            ("http://u:secret%zz@proxy", "hexadecimal"),
        ] {
            let why = env(&[("all_proxy", value)], "h").unwrap_err();
            assert!(why.starts_with("all_proxy ") && why.contains(says), "{value}: {why}");
            assert!(!why.contains("secret"), "{why}");
        }
    }

    #[test]
    fn some_hosts_are_spared() {
        for (list, spared) in [
            ("*", true),
            ("example.org", true),
            (".example.org", true),
            ("localhost, *.example.org", true),
            ("ftp.example.org", true),
            ("ample.org", false),
            ("", false),
        ] {
            let vars = [("ftp_proxy", "socks5://p"), ("no_proxy", list)];
            let found = env(&vars, "ftp.example.org").unwrap();
            assert_eq!(found.is_none(), spared, "{list}");
        }
        let vars = [("ftp_proxy", "socks5://p"), ("NO_PROXY", "[::1]")];
        assert_eq!(env(&vars, "::1"), Ok(None));
    }
}
