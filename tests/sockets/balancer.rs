//! Balancers that say by the PROXY protocol who the client is: where that is believed, and where it is not. The balancer is
//! 127.0.77.1, the clients it speaks of are elsewhere in 127.0.0.0/8.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};

use rustix::process::{Pid, Signal, kill_process};

use super::house::House;
use super::peer::{Peer, all, data, from_elsewhere, to_the_end};
use crate::support::files;
use crate::support::server::Server;
use crate::support::wait_until;

const BALANCER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 77, 1));

/// A client that is not the balancer.
const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 5, 5));

/// The address that clients know.
const REACHED: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 5, 21));

/// A server that trusts the balancer's network, with more in its configuration.
fn server(more: &str) -> Server {
    Server::prepared("127.0.0.1", |folder| {
        let file = folder.join("twoport.toml");
        let text = format!("proxy-protocol = [\"127.0.77.0/24\"]\n{more}\n");
        files::write(&file, text.as_bytes());
        vec!["--config".to_owned(), file.display().to_string()]
    })
}

fn at(server: &Server) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], server.port))
}

/// Version 1 of the header.
fn v1(client: IpAddr) -> Vec<u8> {
    format!("PROXY TCP4 {client} {REACHED} 40000 21\r\n").into_bytes()
}

/// Version 2, with something that nobody asked for behind the addresses.
fn v2(client: IpAddr) -> Vec<u8> {
    let (IpAddr::V4(client), IpAddr::V4(reached)) = (client, REACHED) else {
        panic!("these tests are of IPv4")
    };
    let rest = [&client.octets()[..], &reached.octets(), &40000_u16.to_be_bytes(), &21_u16.to_be_bytes()];
    let rest = [rest.concat(), vec![4, 0, 5, 0, 0, 0, 0, 0]].concat();
    [b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0".to_vec(), vec![rest.len() as u8], rest].concat()
}

/// The header by which a balancer speaks for itself.
const LOCAL: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";

/// A connection from the balancer that begins with this.
#[track_caller]
fn brought(header: &[u8], to: SocketAddr) -> TcpStream {
    let mut stream = from_elsewhere(BALANCER, to);
    stream.write_all(header).unwrap();
    stream
}

/// A session of the client's that the balancer has brought.
#[track_caller]
fn session(header: &[u8], server: &Server) -> Peer {
    Peer::login_over(brought(header, at(server)), "alice", "secret")
}

/// What was logged for people who do not look for faults.
fn notable(server: &Server) -> String {
    let log = server.log();
    log.lines()
        .filter(|line| line.contains(" INFO ") || line.contains(" WARN "))
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn who_a_header_names_is_the_client_everywhere() {
    let server = server("");
    let bytes = server.offers("a", 70_000);
    for header in [v1(CLIENT), v2(CLIENT)] {
        let mut peer = session(&header, &server);
        server.logs("connected from 127.0.5.5 by way of 127.0.77.1");
        server.logs("alice logged in from 127.0.5.5");
        assert!(peer.expect("STAT", 211).contains("127.0.5.5"));
        // 227 tells what the client has reached, and the port is ours.
        let told = peer.expect("PASV", 227);
        assert!(told.contains("(127,0,5,21,"), "{told}");
        // PORT is measured by the client's address, and goes there.
        peer.expect("PORT 127,0,77,1,200,1", 504);
        let listener = std::net::TcpListener::bind((CLIENT, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        peer.expect(&format!("PORT 127,0,5,5,{},{}", port >> 8, port & 255), 200);
        peer.say("RETR a");
        assert!(all(&mut data(listener.accept().unwrap().0)) == bytes);
        peer.hear(150);
        peer.hear(226);
        // The balancer brings its data connections, or the client comes itself.
        for way in [BALANCER, CLIENT] {
            let to = peer.epsv();
            let mut link = from_elsewhere(way, to);
            if way == BALANCER {
                link.write_all(&header).unwrap();
            }
            peer.expect("RETR a", 150);
            assert!(all(&mut link) == bytes);
            peer.hear(226);
        }
        // No byte of the header is in what is stored.
        let mut link = brought(&header, peer.epsv());
        peer.expect("STOR b", 150);
        link.write_all(b"PROXY is a word too").unwrap();
        drop(link);
        peer.hear(226);
        server.server_got("b", b"PROXY is a word too");
    }
}

#[test]
fn a_client_of_the_other_family_is_served_in_both_modes() {
    let server = server("");
    let bytes = server.offers("a", 70_000);
    let header = b"PROXY TCP6 ::1 2001:db8::21 40000 21\r\n";
    let mut peer = session(header, &server);
    // EPSV, since no IPv4 address is the one that it has reached.
    assert!(peer.expect("PASV", 227).contains("(0,0,0,0,"));
    let link = brought(header, peer.epsv());
    peer.expect("RETR a", 150);
    assert!(all(&mut data(link)) == bytes);
    peer.hear(226);
    let listener = std::net::TcpListener::bind("[::1]:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    peer.expect(&format!("EPRT |2|::1|{port}|"), 200);
    peer.say("RETR a");
    assert!(all(&mut data(listener.accept().unwrap().0)) == bytes);
    peer.hear(150);
    peer.hear(226);
}

#[test]
fn a_data_connection_that_the_balancer_brings_for_somebody_else_is_a_strangers() {
    let server = server("link-seconds = 30");
    let bytes = server.offers("a", 70_000);
    let mut peer = session(&v2(CLIENT), &server);
    let to = peer.epsv();
    // Another client's; the balancer's own; one that says nothing; one that says something else.
    let mut others = [brought(&v2(IpAddr::from([127, 0, 5, 6])), to), brought(LOCAL, to)];
    let silent = from_elsewhere(BALANCER, to);
    let headless = brought(b"GET / HTTP/1.1\r\n\r\n", to);
    drop(from_elsewhere(BALANCER, to));
    peer.say("RETR a");
    server.logs("a stranger from 127.0.5.6");
    server.logs("a stranger from 127.0.77.1");
    let right = brought(&v2(CLIENT), to);
    assert!(all(&mut data(right)) == bytes);
    peer.hear(150);
    peer.hear(226);
    for other in &mut others {
        assert!(to_the_end(other).is_empty(), "a stranger gets nothing");
    }
    drop((silent, headless));
}

#[test]
fn when_the_balancer_brings_no_header_on_data_connections_that_is_said() {
    let server = server("link-seconds = 1");
    server.offers("a", 10);
    let mut peer = session(&v2(CLIENT), &server);
    let to = peer.epsv();
    let headless = brought(b"x", to);
    let (mut code, mut text) = peer.ask("RETR a");
    if code == 150 {
        // Said after a second of waiting, which is all that this server waits.
        (code, text) = peer.reply();
    }
    assert!(code == 425 && text.contains("127.0.77.1"), "{code} {text}");
    server.logs("let it send the header on control and data connections");
    drop(headless);
}

#[test]
fn a_header_from_elsewhere_is_not_believed() {
    let server = server("");
    for (turn, header) in [v1(BALANCER), v2(BALANCER), v1(CLIENT)].into_iter().enumerate() {
        for size in [header.len(), 1] {
            let mut liar = from_elsewhere(IpAddr::from([127, 0, 6, turn as u8 + 1]), at(&server));
            liar.set_nodelay(true).unwrap();
            for piece in header.chunks(size) {
                // It may have been refused before the last byte.
                let _ = liar.write_all(piece);
            }
            let heard = String::from_utf8_lossy(&to_the_end(&mut liar)).into_owned();
            // Torn, the empty lines in version 2 are answered before the rest is there; its QUIT is not obeyed.
            assert!(!heard.contains("221"), "{heard}");
        }
        server.logs(&format!("a PROXY header from 127.0.6.{} was not believed", turn + 1));
    }
    let log = server.log();
    assert!(!log.contains("127.0.77.1") && !log.contains("127.0.5.5"), "{log}");
}

#[test]
fn without_a_header_nobody_comes_in_from_the_balancers_network() {
    let server = server("");
    for opening in [
        &b"USER alice\r\nPASS secret\r\n"[..],
        b"PROXY TCP4 127.0.5.5\r\n",
        b"PROXY TCP4 ",
        b"\r\n\r\n\0\r\nQUIT\n\x31\x11\0\0",
    ] {
        let mut stream = brought(opening, at(&server));
        // It may have been refused already.
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let heard = to_the_end(&mut stream);
        assert!(heard.is_empty(), "{}", heard.escape_ascii());
    }
    // It is complained of once, and nobody has a number for it.
    server.logs("it begins without a PROXY header");
    server.logs("makes no sense");
    assert_eq!(notable(&server).matches("127.0.77.1").count(), 1, "{}", notable(&server));
    session(&v1(CLIENT), &server);
    server.logs("#1 connected from 127.0.5.5");
}

#[test]
fn a_silent_balancer_holds_up_nobody_and_is_given_up() {
    let server = server("max-sessions = 1");
    let mut silent: Vec<_> = (0..20).map(|_| brought(b"PROXY TCP4 ", at(&server))).collect();
    // They take nobody's place either.
    let mut peer = session(&v1(CLIENT), &server);
    peer.expect("QUIT", 221);
    peer.is_closed();
    for stream in &mut silent {
        assert!(to_the_end(stream).is_empty());
    }
    server.logs("no whole PROXY header came");
}

#[test]
fn health_checks_are_quiet() {
    let server = server("implicit = [\"127.0.0.1:0\"]");
    server.logs("Ctrl-C stops it");
    let implicit = server.log();
    let implicit =
        implicit.lines().find_map(|line| line.split_once("ftps://alice:")?.1.split_once("@127.0.0.1:"));
    let port: u16 = implicit.and_then(|(_, rest)| rest.split_once('/')?.0.parse().ok()).expect("it is told");
    for to in [at(&server), SocketAddr::from(([127, 0, 0, 1], port))] {
        // A look at the port; the balancer's own header, and that of a client who says nothing.
        for header in [&b""[..], LOCAL, b"PROXY UNKNOWN\r\n", &v1(CLIENT), &v2(CLIENT)] {
            drop(brought(header, to));
        }
    }
    // One that waits for the greeting and is polite.
    let mut check = Peer::over(brought(LOCAL, at(&server)));
    check.hear(220);
    check.expect("QUIT", 221);
    check.is_closed();
    // One that wants TLS and breaks it off.
    let mut check = Peer::over(brought(LOCAL, at(&server)));
    check.hear(220);
    check.expect("AUTH TLS", 234);
    check.send(b"no TLS");
    drop(check);
    server.logs("NotSecured");
    assert!(!notable(&server).contains("#1"), "{}", notable(&server));
    // The first who says a word is the first.
    let mut peer = Peer::over(brought(&v2(CLIENT), at(&server)));
    peer.hear(220);
    assert!(!notable(&server).contains("#1"), "{}", notable(&server));
    peer.expect("NOOP", 200);
    server.logs("#1 connected from 127.0.5.5 by way of 127.0.77.1");
    // A balancer that logs in is told of, and one that fails to is too.
    let mut check = Peer::over(brought(LOCAL, at(&server)));
    check.hear(220);
    check.expect("USER alice", 331);
    check.expect("PASS wrong", 530);
    server.logs("#2 connected from the balancer 127.0.77.1 itself");
    server.logs("#2 login refused for \"alice\" from 127.0.77.1");
}

#[test]
fn a_listener_may_be_without_headers_and_networks_change_with_the_settings() {
    let mut house = House::with(|settings| {
        settings.proxy_protocol = vec!["127.0.77.0/24".parse().unwrap()];
        let with = settings.listen[0];
        settings.listen.push(twoport_server::Listener { headers: false, ..with });
    });
    house.put("a", b"hello");
    let mut peer = Peer::login_over(from_elsewhere(BALANCER, house.addresses[1]), "anna", "secret");
    let mut link = from_elsewhere(BALANCER, peer.epsv());
    peer.expect("RETR a", 150);
    assert_eq!(all(&mut link), b"hello");
    peer.hear(226);
    // The first one wants a header, until nobody is trusted any more.
    Peer::over(brought(&v1(CLIENT), house.address)).hear(220);
    house.settings.proxy_protocol.clear();
    house.warden.reload(&house.settings).unwrap();
    Peer::over(from_elsewhere(BALANCER, house.address)).hear(220);
}

#[test]
fn sighup_takes_a_network_in() {
    let server = Server::prepared("127.0.0.1", |folder| {
        let file = folder.join("twoport.toml");
        files::write(&file, b"");
        vec!["--config".to_owned(), file.display().to_string()]
    });
    files::write(&server.beside("twoport.toml"), b"proxy-protocol = [\"127.0.77.1\"]\n");
    let id = i32::try_from(server.id()).ok().and_then(Pid::from_raw).unwrap();
    kill_process(id, Signal::HUP).unwrap();
    // Until it has read them the header is not believed.
    let end = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while !server.log().contains("connected from 127.0.5.5") {
        assert!(std::time::Instant::now() < end, "the new network is not believed");
        let mut stream = brought(&v1(CLIENT), at(&server));
        let _ = stream.write_all(b"NOOP\r\nQUIT\r\n");
        let _ = stream.read_to_end(&mut Vec::new());
    }
}

/// What the kernel says of the connection between these ports on our side: which timer runs, and how many hundredths of a second
/// are left.
fn timer(ours: SocketAddr, theirs: SocketAddr) -> (u8, u64) {
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let ends = format!(":{:04X} ", ours.port());
    let line = table.lines().find(|line| {
        let mut fields = line.split_whitespace().skip(1);
        let port = |field: Option<&str>| u16::from_str_radix(field?.rsplit(':').next()?, 16).ok();
        (port(fields.next()), port(fields.next())) == (Some(ours.port()), Some(theirs.port()))
    });
    let line = line.unwrap_or_else(|| panic!("no connection {ends}in\n{table}"));
    let (which, left) = line.split_whitespace().nth(5).and_then(|field| field.split_once(':')).unwrap();
    (u8::from_str_radix(which, 16).unwrap(), u64::from_str_radix(left, 16).unwrap())
}

#[test]
fn a_quiet_control_connection_shows_that_it_lives_before_anybody_forgets_it() {
    const KEEPALIVE: u8 = 2;
    for (set, most) in [(None, 45), (Some(Some(7)), 7), (Some(None), 0)] {
        let house = House::with(|settings| {
            if let Some(set) = set {
                settings.keepalive = set.map(std::time::Duration::from_secs);
            }
        });
        let mut peer = house.enter();
        peer.expect("NOOP", 200);
        // Until our acknowledgement is in, the timer is that of the reply.
        let mut last = (1, 0);
        wait_until(|| {
            last = timer(peer.server(), peer.local());
            !matches!(last.0, 1 | 4)
        });
        let timer = last;
        match most {
            0 => assert_eq!(timer.0, 0, "{timer:?}"),
            // The kernel may round up by a moment.
            most => assert!(timer.0 == KEEPALIVE && timer.1 <= most * 100 + 100, "{timer:?}"),
        }
    }
}
