//! Proxies in this process: what they are asked, and strange answers.

use std::net::Ipv4Addr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

/// A proxy that hears `hears` bytes or, with 0, an empty line, says something, and waits for our end.
async fn asked(kind: Kind, login: bool, answer: &'static [u8], endless: bool) -> io::Result<Vec<u8>> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let port = listener.local_addr()?.port();
    let login = login.then(|| ("anna".to_owned(), Secret::new("secret")));
    let proxy = Proxy { kind, host: "127.0.0.1".into(), port, login };
    let target = Target::Name("ftp.example.org".into(), 21);
    let side = async {
        let (mut stream, _) = listener.accept().await?;
        let mut first = [0; 512];
        let _ = stream.read(&mut first).await?;
        stream.write_all(answer).await?;
        while endless && stream.write_all(b"X-More: of the same\r\n").await.is_ok() {}
        if answer.starts_with(b"\x05\0") {
            // The request of SOCKS comes behind the greeting, and its answer with the greeting's is early and legal.
            let _ = stream.read(&mut first).await?;
        }
        io::Result::Ok(())
    };
    let us = async {
        let mut stream = proxy.connect(&target).await?;
        let mut behind = Vec::new();
        let _ = stream.read_to_end(&mut behind).await;
        Ok(behind)
    };
    let (side, us) = tokio::join!(side, us);
    us.inspect(|_| side.expect("the proxy's side goes well where ours does"))
}

#[tokio::test]
async fn what_follows_the_answer_is_the_targets() {
    let http = b"HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\n220 hello\r\n";
    assert_eq!(asked(Kind::Connect, false, http, false).await.unwrap(), b"220 hello\r\n");
    let socks = b"\x05\0\x05\0\0\x01\0\0\0\0\0\x00220 hello\r\n";
    assert_eq!(asked(Kind::Socks, false, socks, false).await.unwrap(), b"220 hello\r\n");
    assert_eq!(asked(Kind::Connect, false, b"HTTP/1.0 204 ok\n\nx", false).await.unwrap(), b"x");
}

#[tokio::test]
async fn strange_answers_are_errors_that_say_what_came() {
    for (kind, login, answer, endless, says) in [
        (
            Kind::Connect,
            false,
            &b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n"[..],
            false,
            "wants a name",
        ),
        (Kind::Connect, true, b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", false, "not the ones"),
        (Kind::Connect, false, b"HTTP/1.1 403 Forbidden\r\n\r\n<html>", false, "\"HTTP/1.1 403 Forbidden\""),
        (Kind::Connect, false, b"HTTP/1.1 200 ok\r\n", true, "no end"),
        (Kind::Connect, false, b"HTTP/1.1 200 ok\r\nVia", false, "closed the connection"),
        (Kind::Connect, false, b"", false, "closed the connection"),
        (Kind::Connect, false, b"220 this is FTP\r\n\r\n", false, "no HTTP"),
        (Kind::Connect, false, b"HTTP/1.1\r\n\r\n", false, "no HTTP"),
        (Kind::Connect, false, b"HTTP/1.1 2\x1b[2J ok\r\n\r\n", false, "HTTP/1.1 2 [2J"),
        (Kind::Socks, false, b"HTTP/1.1 400 Bad Request\r\n\r\n", false, "no SOCKS5"),
        (Kind::Socks, false, b"\x05\xff", false, "no login"),
        (Kind::Socks, true, b"\x05\x02\x01\x01", false, "refused name and password"),
        (Kind::Socks, false, b"\x05\0\x05\x05\0\x01", false, "refused behind it"),
        (Kind::Socks, false, b"\x05", false, "closed the connection"),
    ] {
        let error = asked(kind, login, answer, endless).await.unwrap_err().to_string();
        assert!(error.contains(says), "{answer:?}: {error}");
        assert!(!error.contains("secret") && !error.chars().any(char::is_control), "{error}");
    }
}

#[tokio::test]
async fn a_proxy_that_is_not_there_is_named_as_the_culprit() {
    // A port that was free a moment ago and is not listened on.
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap().local_addr().unwrap().port();
    for kind in [Kind::Socks, Kind::Connect, Kind::UserAtHost] {
        let proxy = Proxy { kind, host: "127.0.0.1".into(), port, login: None };
        let error = proxy.connect(&Target::Name("h".into(), 21)).await.unwrap_err();
        assert!(error.to_string().contains("the proxy itself does not answer"), "{error}");
    }
}

#[test]
fn a_password_is_never_shown() {
    let login = Some(("anna".to_owned(), Secret::new("hunter2")));
    let proxy = Proxy { kind: Kind::Connect, host: "::1".into(), port: 3128, login };
    assert_eq!(proxy.to_string(), "HTTP proxy [::1]:3128");
    assert!(!format!("{proxy:?}").contains("hunter2"));
}
