//! The answer to HTTP-01 (RFC 8555 section 8.3): a server of HTTP/1.1 that knows one folder of small texts.

use std::collections::HashMap;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// The texts by the token that the CA made for each.
pub(super) type Texts = HashMap<String, String>;

/// Reads one request and answers it. There is no time limit here: drop it.
pub(super) async fn answer<S: AsyncRead + AsyncWrite + Unpin>(mut socket: S, texts: &Texts) {
    let Some(head) = read_head(&mut socket).await else { return };
    let answer = answer_to(&head, texts);
    if socket.write_all(answer.as_bytes()).await.is_ok() && socket.shutdown().await.is_ok() {
        // What the asker still says is read, else the system would answer it with a reset, and that would overtake ours.
        let mut rest = [0; 1024];
        let mut left = LONGEST;
        while let Ok(n @ 1..) = socket.read(&mut rest).await {
            left = left.saturating_sub(n);
            if left == 0 {
                break;
            }
        }
    }
}

/// The request to its empty line; nothing when it ends before or is too long.
async fn read_head<S: AsyncRead + Unpin>(socket: &mut S) -> Option<String> {
    let mut head = Vec::new();
    let mut part = [0; 1024];
    while !head.windows(4).any(|four| four == b"\r\n\r\n") {
        let n = socket.read(&mut part).await.ok()?;
        if n == 0 || head.len() + n > LONGEST {
            return None;
        }
        head.extend(&part[..n]);
    }
    String::from_utf8(head).ok()
}

fn answer_to(head: &str, texts: &Texts) -> String {
    let mut words = head.lines().next().unwrap_or_default().split(' ');
    let (method, target, version) = (words.next(), words.next(), words.next());
    let known = target.and_then(|target| target.strip_prefix(FOLDER)).and_then(|token| texts.get(token));
    let understood = version.is_some_and(|version| version.starts_with("HTTP/1.")) && words.next().is_none();
    let (status, text) = match (understood, method, known) {
        (false, ..) => ("400 Bad Request", ""),
        (true, Some("GET" | "HEAD"), Some(text)) => ("200 OK", text.as_str()),
        _ => ("404 Not Found", ""),
    };
    let body = if method == Some("HEAD") { "" } else { text };
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/octet-stream\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{body}",
        text.len()
    )
}

/// Where a CA looks (RFC 8615).
const FOLDER: &str = "/.well-known/acme-challenge/";

/// As long may a request be, in bytes.
const LONGEST: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    /// What is answered to these bytes, by a peer that then closes its side.
    async fn answered(request: &[u8]) -> String {
        let texts = Texts::from([("token".to_owned(), "token.thumb".to_owned())]);
        let (mut near, far) = tokio::io::duplex(64 * 1024);
        near.write_all(request).await.unwrap();
        near.shutdown().await.unwrap();
        answer(far, &texts).await;
        let mut said = String::new();
        near.read_to_string(&mut said).await.unwrap();
        said
    }

    #[tokio::test]
    async fn the_token_is_answered() {
        let said = answered(b"GET /.well-known/acme-challenge/token HTTP/1.1\r\nHost: x\r\n\r\n").await;
        assert!(said.starts_with("HTTP/1.1 200 OK\r\n"), "{said}");
        assert!(
            said.contains("\r\nContent-Length: 11\r\n") && said.ends_with("\r\n\r\ntoken.thumb"),
            "{said}"
        );
        let said = answered(b"HEAD /.well-known/acme-challenge/token HTTP/1.0\r\n\r\n").await;
        assert!(said.contains("\r\nContent-Length: 11\r\n") && said.ends_with("\r\n\r\n"), "{said}");
    }

    #[tokio::test]
    async fn nothing_else_is_answered() {
        for target in ["/", "/.well-known/acme-challenge/", "/.well-known/acme-challenge/other", "token", "*"]
        {
            let said = answered(format!("GET {target} HTTP/1.1\r\n\r\n").as_bytes()).await;
            assert!(said.starts_with("HTTP/1.1 404 ") && said.ends_with("\r\n\r\n"), "{said}");
        }
        let said = answered(b"POST /.well-known/acme-challenge/token HTTP/1.1\r\n\r\n").await;
        assert!(said.starts_with("HTTP/1.1 404 "), "{said}");
        for request in ["GET\r\n\r\n", "\r\n\r\n", "GET / x HTTP/1.1\r\n\r\n", "GET / SSH-2.0\r\n\r\n"] {
            assert!(answered(request.as_bytes()).await.starts_with("HTTP/1.1 400 "), "{request:?}");
        }
    }

    #[tokio::test]
    async fn a_request_without_an_end_gets_no_answer() {
        assert_eq!(answered(b"GET / HTTP/1.1\r\n").await, "");
        assert_eq!(answered(&[b'x'; LONGEST + 1]).await, "");
        assert_eq!(answered(b"\xff\r\n\r\n").await, "");
    }
}
