//! The range of passive ports is what a firewall was opened for: no data connection may need another port, however many
//! clients there are and however few ports. Counted in the server's namespace.

use std::net::{SocketAddr, TcpStream};

use twoport_netns::{Host, Net};
use twoport_proto::hostport;

use super::bounce::login;
use super::place::Place;
use crate::sockets::peer;

/// Counts new connections to the server: inside the range and, the control port apart, outside of it. It lets both through:
/// a data connection outside would work, and be seen.
fn counts(range: &str) -> String {
    format!(
        "table inet lab {{
            counter inside {{ }}
            counter outside {{ }}
            chain input {{
                type filter hook input priority filter; policy accept;
                tcp flags & (syn | ack) != syn accept
                tcp dport 21 accept
                tcp dport {range} counter name inside accept
                meta l4proto tcp counter name outside
            }}
        }}"
    )
}

/// Three clients beside each other, and a server whose ports are counted.
fn net(range: &str) -> (Net, Vec<Host>, Host) {
    let net = Net::new().unwrap();
    let server = net.host("server").unwrap();
    let clients: Vec<Host> = (1..=3)
        .map(|number| {
            let client = net.host(&format!("client{number}")).unwrap();
            let (a, b) = (
                format!("10.1.{number}.2/24 2001:db8:{number}::2/64"),
                format!("10.1.{number}.1/24 2001:db8:{number}::1/64"),
            );
            net.link((&client, &a), (&server, &b)).unwrap();
            client
        })
        .collect();
    server.load_nft(&counts(range)).unwrap();
    (net, clients, server)
}

#[test]
fn the_passive_range_is_not_left_while_many_clients_fetch() {
    if !crate::netns::have() {
        return;
    }
    // Enough for every transfer to have one of its own.
    const RANGE: &str = "50000-50063";
    const FILES: usize = 6;
    let (_net, clients, server) = net(RANGE);
    let place = Place::new();
    let names: Vec<String> = (0..FILES).map(|number| format!("file{number}")).collect();
    let files: Vec<Vec<u8>> =
        names.iter().enumerate().map(|(at, name)| place.offers(name, 20_000 + at)).collect();
    let _server = place.serve(&server, "[::]:21", &["--tls", "off", "--passive-ports", RANGE]);

    std::thread::scope(|scope| {
        for (number, client) in (1..).zip(&clients) {
            for host in [format!("10.1.{number}.1"), format!("[2001:db8:{number}::1]")] {
                let (place, names, files) = (&place, &names, &files);
                scope.spawn(move || {
                    let folder = place.local().join(format!("from {}", host.replace(':', "-")));
                    std::fs::create_dir(&folder).unwrap();
                    let urls = names.iter().map(|name| format!("ftp://alice:secret@{host}/{name}"));
                    let urls: Vec<String> = urls.collect();
                    let mut args =
                        vec!["get", "--quiet", "--passive", "--tls", "off", "--parallel", "3", "-o"];
                    args.push(folder.to_str().unwrap());
                    args.extend(urls.iter().map(String::as_str));
                    place.twoport(client, &args).fine();
                    for (name, bytes) in names.iter().zip(files) {
                        crate::support::files::same(&folder.join(name), bytes);
                    }
                });
            }
        }
    });
    assert_eq!(server.count("outside").unwrap(), 0, "the range was left");
    let inside = server.count("inside").unwrap();
    assert!(inside >= 6, "each of six clients needs one data connection at least, and {inside} were counted");
}

/// Each port serves many at once, as long as they come from different addresses, and none of them is sent to another port.
#[test]
fn four_ports_serve_two_hundred_clients_at_once_and_no_other_does() {
    if !crate::netns::have() {
        return;
    }
    let (net, client, server) = (Net::new().unwrap(), "clients", "server");
    let (client, server) = (net.host(client).unwrap(), net.host(server).unwrap());
    // From 2 to 201, half of them by IPv6.
    let own: Vec<String> = (2..=201)
        .map(|n| if n % 2 == 0 { format!("10.1.1.{n}") } else { format!("2001:db8:1::{n}") })
        .collect();
    let lengths = own.iter().map(|ip| if ip.contains(':') { format!("{ip}/64") } else { format!("{ip}/24") });
    net.link((&client, &lengths.collect::<Vec<_>>().join(" ")), (&server, "10.1.1.1/24 2001:db8:1::1/64"))
        .unwrap();
    server.load_nft(&counts("50000-50003")).unwrap();
    let place = Place::new();
    let hello = place.offers("hello", 5);
    let _server = place.serve(&server, "[::]:21", &["--tls", "off", "--passive-ports", "50000-50003"]);
    let from = |own: &str, to: SocketAddr| {
        let (domain, kind) = (socket2::Domain::for_address(to), socket2::Type::STREAM);
        let socket = client.inside(|| socket2::Socket::new(domain, kind, None)).unwrap().unwrap();
        socket.bind(&SocketAddr::new(own.parse().unwrap(), 0).into()).unwrap();
        socket.connect(&to.into()).unwrap();
        TcpStream::from(socket)
    };
    let all_hold_one = std::sync::Barrier::new(own.len());
    std::thread::scope(|scope| {
        for own in &own {
            scope.spawn(|| {
                let host = if own.contains(':') { "[2001:db8:1::1]:21" } else { "10.1.1.1:21" };
                let mut peer = login(from(own, host.parse().unwrap()));
                let port = peer.epsv();
                all_hold_one.wait();
                let mut link = peer::data(from(own, port));
                peer.expect("RETR hello", 150);
                assert_eq!(peer::all(&mut link), hello);
                peer.hear(226);
            });
        }
    });
    assert_eq!((server.count("inside").unwrap(), server.count("outside").unwrap()), (200, 0));
}

/// Servers there are that tell a port outside of their range when it is spent.
#[test]
fn a_range_that_is_spent_is_not_left_either() {
    if !crate::netns::have() {
        return;
    }
    const RANGE: &str = "50000-50001";
    let (_net, clients, server) = net(RANGE);
    let place = Place::new();
    let refuse = "when-full = \"refuse\"";
    let _server = place.serve_by(&server, "[::]:21", refuse, &["--tls", "off", "--passive-ports", RANGE]);
    let (mut told, mut refused) = (0, 0);
    let mut sessions = Vec::new();
    for round in 0..4 {
        for (number, client) in (1..).zip(&clients) {
            let at = format!("10.1.{number}.1:21");
            let mut peer = login(client.inside(|| TcpStream::connect(at)).unwrap().unwrap());
            let (code, text) = peer.ask(if round % 2 == 0 { "EPSV" } else { "PASV" });
            let port = match code {
                229 => Some(hostport::read_229(text.as_bytes()).expect("229 tells a port")),
                227 => Some(hostport::read_227(text.as_bytes()).expect("227 tells an address").port()),
                _ => None,
            };
            match port {
                Some(port) => {
                    assert!((50_000..=50_001).contains(&port), "{text}");
                    // There it listens indeed.
                    client
                        .inside(|| TcpStream::connect((format!("10.1.{number}.1"), port)))
                        .unwrap()
                        .unwrap();
                    told += 1;
                }
                None => {
                    assert!((400..500).contains(&code), "{code} {text}");
                    refused += 1;
                }
            }
            sessions.push(peer);
        }
    }
    // Each client has both ports once, and twelve sessions ask.
    assert_eq!((told, refused), (6, 6));
    assert_eq!(server.count("inside").unwrap(), told);
    assert_eq!(server.count("outside").unwrap(), 0, "the range was left");
}
