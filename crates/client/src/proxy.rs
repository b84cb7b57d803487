//! Which proxy the environment names: `ALL_PROXY`, `all_proxy`, and `NO_PROXY` for hosts that are reached without it.

use twoport_net::socks::Proxy;

/// The proxy for `host`, from the values of `ALL_PROXY` and `NO_PROXY`.
///
/// # Errors
/// A sentence when the value names no SOCKS5 proxy.
pub fn read(all_proxy: Option<&str>, no_proxy: Option<&str>, host: &str) -> Result<Option<Proxy>, String> {
    let Some(value) = all_proxy.filter(|value| !value.is_empty()) else { return Ok(None) };
    if no_proxy.is_some_and(|list| spares(list, host)) {
        return Ok(None);
    }
    let rest = value.strip_prefix("socks5h://").or_else(|| value.strip_prefix("socks5://"));
    let rest =
        rest.ok_or("ALL_PROXY names no SOCKS5 proxy; expected socks5h://[USER:PASSWORD@]HOST[:PORT]")?;
    let rest = rest.trim_end_matches('/');
    let (login, address) = match rest.rsplit_once('@') {
        Some((login, address)) => (login.split_once(':').map(|(u, p)| (u.to_owned(), p.to_owned())), address),
        None => (None, rest),
    };
    let (host, port) = match address.rsplit_once(':') {
        Some((host, port)) => {
            (host, port.parse().map_err(|_| "ALL_PROXY: the port is no number below 65536")?)
        }
        None => (address, 1080),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    Ok(Some(Proxy { host, port, login }))
}

/// Whether `NO_PROXY` spares the host: `*`, the host itself, or a domain that it is in.
fn spares(list: &str, host: &str) -> bool {
    list.split(',').map(str::trim).filter(|item| !item.is_empty()).any(|item| {
        let item = item.trim_start_matches('.').to_ascii_lowercase();
        let host = host.to_ascii_lowercase();
        item == "*" || host == item || host.strip_suffix(&item).is_some_and(|before| before.ends_with('.'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_with_and_without_its_parts() {
        let of = |value: &str| read(Some(value), None, "ftp.example.org").unwrap().unwrap();
        assert_eq!(of("socks5h://10.1.1.1"), Proxy { host: "10.1.1.1".into(), port: 1080, login: None });
        let login = Some(("a".to_owned(), "b@c".to_owned()));
        assert_eq!(of("socks5://a:b@c@proxy:99/"), Proxy { host: "proxy".into(), port: 99, login });
        assert_eq!(of("socks5://[::1]:99").host, "::1");
        assert!(read(Some("http://proxy:3128"), None, "h").is_err());
        assert_eq!(read(None, None, "h"), Ok(None));
    }

    #[test]
    fn some_hosts_are_spared() {
        for (list, spared) in
            [("*", true), ("example.org", true), (".example.org", true), ("ample.org", false), ("", false)]
        {
            let found = read(Some("socks5://p"), Some(list), "ftp.example.org").unwrap();
            assert_eq!(found.is_none(), spared, "{list}");
        }
    }
}
