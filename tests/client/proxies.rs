//! Our client through proxies of each kind, with our server behind them; and proxies that are dead or say no.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use twoport_client::{Client, Error, Options, proxy};
use twoport_proto::Secret;
use twoport_session::client::io::Rung;

use super::house::{fetch, wait};
use crate::sockets::house::House;
use crate::support::files::bytes;

/// Where a proxy was asked to go, in its order.
type Asked = Arc<Mutex<Vec<String>>>;

/// A proxy on a free port: `open` speaks its protocol and gives the other connection.
fn proxy(open: fn(&mut TcpStream, &Asked) -> Option<TcpStream>) -> (u16, Asked) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let asked = Asked::default();
    let told = Arc::clone(&asked);
    // It ends with the test's process.
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let told = Arc::clone(&told);
            std::thread::spawn(move || {
                let mut stream = stream;
                if let Some(other) = open(&mut stream, &told) {
                    relay(&stream, &other);
                }
            });
        }
    });
    (port, asked)
}

/// Both ways, each until its end.
fn relay(one: &TcpStream, other: &TcpStream) {
    let (mut from, mut to) = (one.try_clone().unwrap(), other.try_clone().unwrap());
    let there = std::thread::spawn(move || {
        _ = std::io::copy(&mut from, &mut to);
        _ = to.shutdown(std::net::Shutdown::Write);
    });
    let (mut from, mut to) = (other, one);
    _ = std::io::copy(&mut from, &mut to);
    _ = to.shutdown(std::net::Shutdown::Write);
    there.join().unwrap();
}

fn connect(target: &str) -> Option<TcpStream> {
    TcpStream::connect(target.replace("ftp.test", "127.0.0.1")).ok()
}

/// HTTP CONNECT for anna with her password.
fn http(stream: &mut TcpStream, asked: &Asked) -> Option<TcpStream> {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
    let target = lines.next()?.split(' ').nth(1)?.to_owned();
    let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
    if !head.iter().any(|line| line == "Proxy-Authorization: Basic YW5uYTpzZWNyZXQ=") {
        _ = stream.write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n");
        return None;
    }
    asked.lock().unwrap().push(target.clone());
    let other = connect(&target);
    _ = stream.write_all(match other {
        Some(_) => b"HTTP/1.1 200 Connection established\r\n\r\n",
        None => b"HTTP/1.1 502 Bad Gateway\r\n\r\n",
    });
    other
}

/// SOCKS5 without a password, names only.
fn socks(stream: &mut TcpStream, asked: &Asked) -> Option<TcpStream> {
    let mut greeting = [0; 3];
    stream.read_exact(&mut greeting).ok()?;
    stream.write_all(b"\x05\0").ok()?;
    let mut head = [0; 5];
    stream.read_exact(&mut head).ok()?;
    assert_eq!(head[3], 3, "a name was to be asked for");
    let mut rest = vec![0; usize::from(head[4]) + 2];
    stream.read_exact(&mut rest).ok()?;
    let (name, port) = rest.split_at(usize::from(head[4]));
    let port = u16::from_be_bytes([port[0], port[1]]);
    let target = format!("{}:{port}", String::from_utf8_lossy(name));
    asked.lock().unwrap().push(target.clone());
    let other = connect(&target)?;
    stream.write_all(b"\x05\0\0\x01\0\0\0\0\0\0").ok()?;
    Some(other)
}

/// An FTP proxy that wants its own login first where somebody called gate comes, and goes on where USER says.
fn user_at_host(stream: &mut TcpStream, asked: &Asked) -> Option<TcpStream> {
    stream.write_all(b"220 proxy\r\n").ok()?;
    loop {
        // Byte by byte: what follows belongs to the server.
        let mut line = Vec::new();
        while !line.ends_with(b"\n") {
            let mut one = [0];
            stream.read_exact(&mut one).ok()?;
            line.push(one[0]);
        }
        let line = String::from_utf8(line).unwrap().trim().to_owned();
        match line.split_once(' ') {
            Some(("USER", "gate")) => stream.write_all(b"331 whose?\r\n").ok()?,
            Some(("PASS", "keeper")) => stream.write_all(b"230 pass\r\n").ok()?,
            Some(("USER", name)) => {
                let (user, target) = name.rsplit_once('@')?;
                asked.lock().unwrap().push(target.to_owned());
                let other = connect(target)?;
                let mut greeting = String::new();
                BufReader::new(other.try_clone().unwrap()).read_line(&mut greeting).ok()?;
                (&other).write_all(format!("USER {user}\r\n").as_bytes()).ok()?;
                return Some(other);
            }
            _ => stream.write_all(b"530 who?\r\n").ok()?,
        }
    }
}

/// Options with the proxy that this variable names.
fn options(name: &'static str, value: &str) -> Options {
    let find = |asked: &str| (asked == name).then(|| value.to_owned());
    let proxy = proxy::read(find, "ftp.test").expect("the value is understood");
    Options { proxy, ..Options::default() }
}

async fn enter(port: u16, options: Options) -> Result<Client, Error> {
    let login = (b"anna".to_vec(), Secret::new("secret"), None);
    Client::connect("ftp.test", port, login, options, Box::new(|_| {})).await
}

/// A file comes; where the proxy was asked to go.
#[track_caller]
fn gets_through(
    name: &'static str,
    value: impl Fn(u16) -> String,
    port: u16,
    asked: &Asked,
) -> (House, Vec<String>) {
    let house = House::open();
    house.put("f", &bytes(300_000, 7));
    wait(async {
        let mut client = enter(house.address.port(), options(name, &value(port))).await.expect("a session");
        assert!(fetch(&mut client, b"f", 0).await.expect("the file") == bytes(300_000, 7));
        client.quit().await;
    });
    let asked = asked.lock().unwrap().clone();
    (house, asked)
}

#[test]
fn http_connect_is_asked_for_the_servers_name_and_both_ports() {
    let (port, asked) = proxy(http);
    let (house, asked) =
        gets_through("ftp_proxy", |port| format!("http://anna:secret@127.0.0.1:{port}"), port, &asked);
    assert_eq!(asked.len(), 2, "{asked:?}");
    assert_eq!(asked[0], format!("ftp.test:{}", house.address.port()));
    assert!(asked[1].starts_with("ftp.test:"), "{asked:?}");
}

#[test]
fn socks_is_asked_for_the_servers_name_and_both_ports() {
    let (port, asked) = proxy(socks);
    let (_, asked) = gets_through("ALL_PROXY", |port| format!("socks5h://127.0.0.1:{port}"), port, &asked);
    assert!(asked.len() == 2 && asked.iter().all(|target| target.starts_with("ftp.test:")), "{asked:?}");
}

#[test]
fn an_ftp_proxy_hears_of_the_server_in_the_login() {
    for login in ["", "gate:keeper@"] {
        let (port, asked) = proxy(user_at_host);
        let value = |port| format!("ftp://{login}127.0.0.1:{port}");
        let (house, asked) = gets_through("ftp_proxy", value, port, &asked);
        assert_eq!(asked, [format!("ftp.test:{}", house.address.port())]);
    }
}

#[test]
fn through_an_ftp_proxy_active_mode_is_possible_and_through_the_others_it_is_not() {
    let house = House::open();
    house.put("f", b"x");
    let (ftp, _) = proxy(user_at_host);
    let (http, _) = proxy(http);
    wait(async {
        let active = |value: String| Options { rungs: vec![Rung::Active], ..options("ftp_proxy", &value) };
        let mut client = enter(house.address.port(), active(format!("ftp://127.0.0.1:{ftp}"))).await.unwrap();
        assert_eq!(fetch(&mut client, b"f", 0).await.unwrap(), b"x");
        let value = format!("http://anna:secret@127.0.0.1:{http}");
        let mut client = enter(house.address.port(), active(value)).await.unwrap();
        let error = fetch(&mut client, b"f", 0).await.unwrap_err();
        assert!(matches!(error, Error::Unreachable { .. }), "{error}");
    });
}

#[test]
fn a_proxy_that_is_dead_or_says_no_is_named_with_its_variable() {
    let dead = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    let (http, asked) = proxy(http);
    for (name, value, says) in [
        ("ALL_PROXY", format!("socks5://127.0.0.1:{dead}"), "the proxy itself does not answer"),
        ("ftp_proxy", format!("ftp://127.0.0.1:{dead}"), "the proxy itself does not answer"),
        ("ftp_proxy", format!("http://127.0.0.1:{http}"), "HTTP/1.1 407 Proxy Authentication Required"),
        ("ftp_proxy", format!("http://anna:secret@127.0.0.1:{http}"), "HTTP/1.1 502 Bad Gateway"),
    ] {
        let error = wait(enter(dead, options(name, &value))).err().expect("no session").to_string();
        assert!(error.contains(says) && error.contains(&format!("which {name} names")), "{error}");
        assert!(!error.contains("secret"), "{error}");
    }
    assert_eq!(asked.lock().unwrap().len(), 1, "the wrong login asked for nothing");
}
