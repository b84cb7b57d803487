//! Routers in this process, one for each protocol and one that speaks none, and what is taken back afterwards.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};

use super::*;

const LOCAL: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 40123);
const OUTER: [u8; 4] = [203, 0, 113, 7];

async fn socket() -> (UdpSocket, SocketAddrV4) {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let SocketAddr::V4(at) = socket.local_addr().unwrap() else { unreachable!("it was bound to IPv4") };
    (socket, at)
}

/// An answer to one datagram; none where the router says nothing.
type Answers = fn(&[u8]) -> Option<Vec<u8>>;

/// A router that answers PCP and NAT-PMP like this, what it heard, and where it is.
async fn portmap(answers: Answers) -> (SocketAddrV4, Arc<Mutex<Vec<Vec<u8>>>>) {
    let (socket, at) = socket().await;
    let heard = Arc::<Mutex<Vec<Vec<u8>>>>::default();
    let told = Arc::clone(&heard);
    tokio::spawn(async move {
        let mut buffer = [0; 1100];
        while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
            told.lock().unwrap().push(buffer[..length].to_vec());
            if let Some(answer) = answers(&buffer[..length]) {
                socket.send_to(&answer, from).await.unwrap();
            }
        }
    });
    (at, heard)
}

/// PCP that gives port 50001 at the outer address.
fn pcp(request: &[u8]) -> Option<Vec<u8>> {
    if request[0] != 2 {
        return None;
    }
    let mut answer = vec![2, 0x81, 0, 0, 0, 0, 0, 120, 0, 0, 0, 1];
    answer.extend_from_slice(&[0; 12]);
    answer.extend_from_slice(&request[24..42]);
    answer.extend_from_slice(&50001u16.to_be_bytes());
    answer.extend_from_slice(&Ipv4Addr::from(OUTER).to_ipv6_mapped().octets());
    Some(answer)
}

/// NAT-PMP that says the same, and knows no PCP.
fn natpmp(request: &[u8]) -> Option<Vec<u8>> {
    match request {
        [0, 0] => Some([&[0, 128, 0, 0, 0, 0, 0, 1][..], &OUTER].concat()),
        [0, 2, _, _, high, low, ..] => {
            Some(vec![0, 130, 0, 0, 0, 0, 0, 1, *high, *low, 0xc3, 0x51, 0, 0, 0, 120])
        }
        [_, operation, ..] => Some(vec![0, 128 + operation, 0, 1, 0, 0, 0, 1]),
        _ => None,
    }
}

fn silent(_: &[u8]) -> Option<Vec<u8>> {
    None
}

/// Waits until the router has heard something that is like this.
async fn until(heard: &Mutex<Vec<Vec<u8>>>, like: impl Fn(&[u8]) -> bool) {
    while !heard.lock().unwrap().iter().any(|datagram| like(datagram)) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn each_of_the_two_elder_protocols_gives_a_port_and_takes_it_back() {
    let (_mute, search) = socket().await;
    for (answers, name) in [(pcp as Answers, "PCP"), (natpmp, "NAT-PMP")] {
        let (at, heard) = portmap(answers).await;
        let mapping = map(LOCAL, &Router { portmap: at, search: vec![search] }).await.unwrap();
        assert_eq!((mapping.outer().to_string().as_str(), mapping.protocol()), ("203.0.113.7:50001", name));
        mapping.end().await;
        until(&heard, |datagram| match datagram {
            [2, 1, 0, 0, 0, 0, 0, 0, ..] => datagram.len() == 60,
            [0, 2, 0, 0, _, _, 0, 0, 0, 0, 0, 0] => true,
            _ => false,
        })
        .await;
    }
}

#[tokio::test]
async fn refusals_and_nonsense_are_errors() {
    let answers: [(Answers, &str); 4] = [
        (
            |request| Some(if request[0] == 2 { vec![2, 0x81, 0, 2] } else { vec![9, 9] }),
            "PCP refused with code 2",
        ),
        (
            |request| natpmp(request).filter(|_| request[0] == 0).map(|_| vec![0, 128, 0, 2]),
            "NAT-PMP refused with code 2",
        ),
        (|_| Some(vec![]), "no answer"),
        // Somebody else's mapping: the nonce is not ours.
        (
            |request| {
                pcp(request).map(|mut answer| {
                    answer[24] ^= 1;
                    answer
                })
            },
            "no answer",
        ),
    ];
    let (_mute, search) = socket().await;
    for (answers, says) in answers {
        let (at, _) = portmap(answers).await;
        let error = map(LOCAL, &Router { portmap: at, search: vec![search] }).await.unwrap_err().to_string();
        assert!(error.contains(says) && error.contains("no answer to UPnP"), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_router_that_speaks_none_of_them_costs_a_second_and_a_half() {
    let ((_one, portmap), (_other, search)) = (socket().await, socket().await);
    let began = tokio::time::Instant::now();
    let error = map(LOCAL, &Router { portmap, search: vec![search] }).await.unwrap_err();
    assert!(error.to_string().contains("no answer to PCP and NAT-PMP; no answer to UPnP"), "{error}");
    // The clock is the test's own and stands while anything runs.
    assert!(began.elapsed() <= Duration::from_millis(1600), "{:?}", began.elapsed());
}

/// A UPnP router: it answers the search, tells what it is, and maps ports as `refuses` allows.
async fn upnp(refuses: &'static [(&'static str, u16)]) -> (SocketAddrV4, Arc<Mutex<Vec<String>>>) {
    upnp_at(Ipv4Addr::LOCALHOST, refuses).await
}

/// The same at another address.
async fn upnp_at(
    ip: Ipv4Addr,
    refuses: &'static [(&'static str, u16)],
) -> (SocketAddrV4, Arc<Mutex<Vec<String>>>) {
    let search = UdpSocket::bind((ip, 0)).await.unwrap();
    let at = SocketAddrV4::new(ip, search.local_addr().unwrap().port());
    let http = TcpListener::bind((ip, 0)).await.unwrap();
    let place = http.local_addr().unwrap();
    tokio::spawn(async move {
        let mut buffer = [0; 2048];
        while let Ok((_, from)) = search.recv_from(&mut buffer).await {
            for location in ["http://192.0.2.1/not-mine".to_owned(), format!("http://{place}/root.xml")] {
                let answer = format!("HTTP/1.1 200 OK\r\nSt: x\r\nLocation: {location}\r\n\r\n");
                search.send_to(answer.as_bytes(), from).await.unwrap();
            }
        }
    });
    let asked = Arc::<Mutex<Vec<String>>>::default();
    let told = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = http.accept().await {
            let mut request = Vec::new();
            while !(request.ends_with(b"</s:Envelope>\r\n")
                || request.starts_with(b"GET") && request.ends_with(b"\r\n\r\n"))
            {
                if stream.read_buf(&mut request).await.unwrap() == 0 {
                    break;
                }
            }
            let request = String::from_utf8(request).unwrap();
            let action =
                request.split_once('#').and_then(|(_, rest)| rest.split_once('"')).map_or("GET", |(a, _)| a);
            let lease = request.split_once("<NewLeaseDuration>").map_or("", |(_, rest)| &rest[..1]);
            told.lock().unwrap().push(format!("{action} {lease}").trim().to_owned());
            let refusal = refuses.iter().find(|(what, _)| request.contains(what));
            let (status, body) = match (action, refusal) {
                (_, Some((_, code))) => {
                    ("500 no", format!("<s:Fault><detail><errorCode>{code}</errorCode></detail>"))
                }
                ("GET", _) => (
                    "200 OK",
                    "<service><serviceType>urn:schemas-upnp-org:service:WANIPConnection:1\
                    </serviceType><controlURL>/ctl</controlURL></service>"
                        .to_owned(),
                ),
                ("GetExternalIPAddress", _) => {
                    ("200 OK", "<NewExternalIPAddress>203.0.113.7</NewExternalIPAddress>".to_owned())
                }
                _ => ("200 OK", "<ok/>".to_owned()),
            };
            // In one chunk, and the connection stays open: both are common.
            let answer = format!(
                "HTTP/1.1 {status}\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n",
                body.len()
            );
            stream.write_all(answer.as_bytes()).await.unwrap();
            tokio::spawn(async move {
                let _ = stream.read_u8().await;
            });
        }
    });
    (at, asked)
}

#[tokio::test]
async fn upnp_gives_a_port_and_takes_it_back() {
    let ((portmap, _), (search, asked)) = (portmap(silent).await, upnp(&[]).await);
    let mapping = map(LOCAL, &Router { portmap, search: vec![search] }).await.unwrap();
    assert_eq!((mapping.outer().to_string().as_str(), mapping.protocol()), ("203.0.113.7:40123", "UPnP"));
    mapping.end().await;
    assert_eq!(
        *asked.lock().unwrap(),
        ["GET", "GetExternalIPAddress", "AddPortMapping 1", "DeletePortMapping"]
    );
}

#[tokio::test]
async fn upnp_takes_another_port_or_no_end_where_it_must() {
    let (portmap, _) = portmap(silent).await;
    let refuses = &[("<NewLeaseDuration>1", 725), ("<NewExternalPort>40123<", 718)];
    let (search, asked) = upnp(refuses).await;
    let mapping = map(LOCAL, &Router { portmap, search: vec![search] }).await.unwrap();
    assert_eq!(mapping.outer().port(), 40130);
    assert!(asked.lock().unwrap().contains(&"AddPortMapping 0".to_owned()));
    let (search, _) = upnp(&[("AddPortMapping", 606)]).await;
    let error = map(LOCAL, &Router { portmap, search: vec![search] }).await.unwrap_err();
    assert!(error.to_string().contains("UPnP: AddPortMapping was refused with code 606"), "{error}");
}

#[tokio::test]
async fn a_device_that_is_not_the_gateway_is_not_believed() {
    let ((portmap, _), (search, asked)) =
        (portmap(silent).await, upnp_at(Ipv4Addr::new(127, 0, 0, 2), &[]).await);
    let error = map(LOCAL, &Router { portmap, search: vec![search] }).await.unwrap_err();
    assert!(error.to_string().contains("no answer to UPnP"), "{error}");
    assert!(asked.lock().unwrap().is_empty());
}

#[test]
fn the_default_gateway_is_found() {
    let routes = "Iface\tDestination\tGateway\tFlags\neth0\t000AA8C0\t00000000\t0001\neth0\t00000000\t0101A8C0\t0003\n";
    let expected = if cfg!(target_endian = "little") { [192, 168, 1, 1] } else { [1, 1, 168, 192] };
    assert_eq!(gateway_in(routes), Some(Ipv4Addr::from(expected)));
    assert_eq!(gateway_in("Iface\n"), None);
}
