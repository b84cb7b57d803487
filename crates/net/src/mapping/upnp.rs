//! UPnP's Internet Gateway Device, the asking side: search (SSDP), description, and three requests of the service
//! WANIPConnection. Only the default gateway is believed, and of itself only: whoever else on the link answers the search could
//! send our data anywhere.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use socket2::SockRef;
use tokio::net::UdpSocket;
use tokio::time::{Instant, timeout_at};

use super::{LIFETIME, Mapping, Undo};
use crate::http;

/// How long a router may be silent to the search: it may wait for up to the second that MX allows.
const SEARCH: Duration = Duration::from_millis(1400);

/// How many outer ports are tried when somebody has the one that was asked for.
const PORTS: u16 = 3;

/// A service of a router that maps ports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Service {
    at: SocketAddrV4,
    path: String,
    name: String,
}

/// A mapping by the gateway, where it answers the search and can do it.
pub(super) async fn map(
    local: SocketAddrV4,
    gateway: Ipv4Addr,
    search: &[SocketAddrV4],
) -> io::Result<Mapping> {
    let socket = UdpSocket::bind((*local.ip(), 0)).await?;
    // Without it the group is looked for behind the default route, which may be another way than the control
    // connection's; a system that cannot say so sends it there.
    let _ = SockRef::from(&socket).set_multicast_if_v4(local.ip());
    for to in search {
        for target in ["urn:schemas-upnp-org:device:InternetGatewayDevice:1", "upnp:rootdevice"] {
            // Where the group has no way the router itself is still asked.
            let _ = socket.send_to(question(to, target).as_bytes(), to).await;
        }
    }
    let until = Instant::now() + SEARCH;
    let mut buffer = [0; 2048];
    let mut fault = io::Error::new(io::ErrorKind::TimedOut, "no answer to UPnP");
    let mut seen = Vec::new();
    while let Ok(received) = timeout_at(until, socket.recv_from(&mut buffer)).await {
        let Ok((length, from)) = received else { continue };
        let Some(place) = location(&buffer[..length]) else { continue };
        // A device answers for each of its parts.
        if from.ip() != gateway || *place.0.ip() != gateway || seen.contains(&place) {
            continue;
        }
        seen.push(place.clone());
        match with_device(local, place).await {
            Ok(mapping) => return Ok(mapping),
            Err(e) => fault = io::Error::new(e.kind(), format!("UPnP: {e}")),
        }
    }
    Err(fault)
}

async fn with_device(local: SocketAddrV4, (at, path): (SocketAddrV4, String)) -> io::Result<Mapping> {
    let (_, description) = http::exchange(at, "GET", &path, "", "").await?;
    let service = service(&description, at).ok_or_else(|| io::Error::other("that device maps no ports"))?;
    let outer = service.call("GetExternalIPAddress", "").await?;
    let outer = tagged(&outer, "NewExternalIPAddress").and_then(|ip| ip.trim().parse().ok());
    let outer: Ipv4Addr = outer.ok_or_else(|| io::Error::other("the router tells no outer address"))?;
    let mut fault = io::Error::other("no outer port is free");
    let mut lease = LIFETIME;
    for step in 0..PORTS {
        let port = local.port().checked_add(step * 7).unwrap_or(local.port() - step * 7);
        let mut answer = service.add(local, port, lease).await;
        // A router of the first version that knows no end: the mapping is taken back when the transfer is over.
        if matches!(&answer, Err(e) if e.to_string().contains(" 725")) {
            lease = 0;
            answer = service.add(local, port, lease).await;
        }
        match answer {
            Ok(_) => {
                let outer = SocketAddrV4::new(outer, port);
                return Ok(Mapping { outer, protocol: "UPnP", undo: Undo::Upnp(service) });
            }
            // Somebody has that port.
            Err(e) if e.to_string().contains(" 718") => fault = e,
            Err(e) => return Err(e),
        }
    }
    Err(fault)
}

impl Service {
    async fn add(&self, local: SocketAddrV4, outer: u16, lease: u32) -> io::Result<String> {
        let (port, client) = (local.port(), local.ip());
        let arguments = format!(
            "<NewRemoteHost></NewRemoteHost><NewExternalPort>{outer}</NewExternalPort><NewProtocol>TCP</NewProtocol>\
             <NewInternalPort>{port}</NewInternalPort><NewInternalClient>{client}</NewInternalClient>\
             <NewEnabled>1</NewEnabled><NewPortMappingDescription>FTP data</NewPortMappingDescription>\
             <NewLeaseDuration>{lease}</NewLeaseDuration>"
        );
        self.call("AddPortMapping", &arguments).await
    }

    /// Takes the mapping of an outer port back.
    pub(super) async fn remove(&self, outer: u16) -> io::Result<()> {
        let arguments = format!(
            "<NewRemoteHost></NewRemoteHost><NewExternalPort>{outer}</NewExternalPort><NewProtocol>TCP</NewProtocol>"
        );
        self.call("DeletePortMapping", &arguments).await.map(|_| ())
    }

    /// One request and its answer; a refusal is an error with the code of the service.
    async fn call(&self, action: &str, arguments: &str) -> io::Result<String> {
        let body = format!(
            "<?xml version=\"1.0\"?>\r\n<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\" \
             s:encodingStyle=\"http://schemas.xmlsoap.org/soap/encoding/\"><s:Body><u:{action} xmlns:u=\"{}\">\
             {arguments}</u:{action}></s:Body></s:Envelope>\r\n",
            self.name
        );
        let header = format!(
            "Content-Type: text/xml; charset=\"utf-8\"\r\nSOAPAction: \"{}#{action}\"\r\n",
            self.name
        );
        let (status, answer) = http::exchange(self.at, "POST", &self.path, &header, &body).await?;
        match status {
            200 => Ok(answer),
            _ => {
                let code = tagged(&answer, "errorCode").map_or("none", str::trim);
                let code: String = code.chars().filter(char::is_ascii_alphanumeric).take(8).collect();
                Err(io::Error::other(format!("{action} was refused with code {code}")))
            }
        }
    }
}

fn question(to: &SocketAddrV4, target: &str) -> String {
    format!("M-SEARCH * HTTP/1.1\r\nHOST: {to}\r\nMAN: \"ssdp:discover\"\r\nMX: 1\r\nST: {target}\r\n\r\n")
}

/// Where the answer to a search says that the description lies.
fn location(answer: &[u8]) -> Option<(SocketAddrV4, String)> {
    let text = String::from_utf8_lossy(answer);
    let mut lines = text.lines();
    if !lines.next()?.starts_with("HTTP/1.") {
        return None;
    }
    let value = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.trim().eq_ignore_ascii_case("location").then(|| value.trim().to_owned())
    })?;
    http_url(&value)
}

/// `http://ADDRESS[:PORT]/PATH`, with an address and not a name.
fn http_url(url: &str) -> Option<(SocketAddrV4, String)> {
    let rest = url.strip_prefix("http://")?;
    let (place, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let at = place.parse().or_else(|_| place.parse().map(|ip| SocketAddrV4::new(ip, 80))).ok()?;
    let path = if path.is_empty() { "/" } else { path };
    path.bytes().all(|b| b.is_ascii_graphic()).then(|| (at, path.to_owned()))
}

/// The service that maps ports, in the description that lies at `at`.
fn service(description: &str, at: SocketAddrV4) -> Option<Service> {
    let base =
        tagged(description, "URLBase").and_then(|base| http_url(base.trim())).map_or(at, |(base, _)| base);
    let services = description.split("<service>").skip(1);
    services.map(|rest| rest.split("</service>").next().unwrap_or_default()).find_map(|part| {
        let name = tagged(part, "serviceType")?.trim();
        let kind = name.strip_prefix("urn:schemas-upnp-org:service:")?;
        let maps = kind.starts_with("WANIPConnection:") || kind.starts_with("WANPPPConnection:");
        let fits = name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b':' | b'-' | b'.'));
        let url = tagged(part, "controlURL")?.trim().replace("&amp;", "&");
        let (place, path) = match url.contains("://") {
            true => http_url(&url)?,
            false => http_url(&format!("http://{base}/{}", url.trim_start_matches('/')))?,
        };
        (maps && fits && place.ip() == at.ip()).then(|| Service { at: place, path, name: name.to_owned() })
    })
}

/// What stands in the first element of this name, whatever its prefix.
fn tagged<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let mut rest = text;
    loop {
        let (_, after) = rest.split_once('<')?;
        let (tag, inside) = after.split_once('>')?;
        let word = tag.split_whitespace().next().unwrap_or_default();
        if word.rsplit(':').next() == Some(name) && !word.starts_with('/') {
            return inside.split('<').next();
        }
        rest = inside;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: &str = "192.168.1.1:5000";

    #[test]
    fn elements_are_found_whatever_their_prefix() {
        assert_eq!(tagged("<a><u:B c=\"d\">e</u:B>", "B"), Some("e"));
        assert_eq!(tagged("<a></B>", "B"), None);
    }

    #[test]
    fn a_device_speaks_for_itself_only() {
        let part = |url: &str| {
            format!(
                "<root><serviceList><service><serviceType>urn:schemas-upnp-org:service:Layer3Forwarding:1</serviceType>\
                 <controlURL>/l3</controlURL></service><service>\n<serviceType>\n\
                 urn:schemas-upnp-org:service:WANIPConnection:2</serviceType><controlURL>{url}</controlURL></service>"
            )
        };
        let at: SocketAddrV4 = AT.parse().unwrap();
        for (url, found) in [
            ("/ctl?a&amp;b", Some("/ctl?a&b")),
            ("ctl", Some("/ctl")),
            ("http://192.168.1.1:5000/x", Some("/x")),
            ("http://10.0.0.1/x", None),
            ("/x y", None),
            ("/x\r\nHost: z", None),
        ] {
            assert_eq!(service(&part(url), at).map(|s| s.path).as_deref(), found, "{url:?}");
        }
        assert_eq!(service("<service><serviceType>x", at), None);
    }

    #[test]
    fn answers_to_a_search_are_read() {
        let found = location(b"HTTP/1.1 200 OK\r\nST: x\r\nLocation:http://192.168.1.1:5000/a.xml\r\n\r\n");
        assert_eq!(found, Some((AT.parse().unwrap(), "/a.xml".to_owned())));
        for odd in [
            &b"NOTIFY * HTTP/1.1\r\nLOCATION: http://192.168.1.1/\r\n"[..],
            b"HTTP/1.1 200 OK\r\n",
            b"",
            b"\xff",
        ] {
            assert_eq!(location(odd), None, "{odd:?}");
        }
        assert_eq!(http_url("http://router.lan/x"), None);
        assert_eq!(http_url("http://10.0.0.1").unwrap().1, "/");
    }
}
