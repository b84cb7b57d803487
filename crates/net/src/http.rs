//! One small HTTP request, as routers and clouds take it: no TLS, an address, a short answer.

use std::io;
use std::net::SocketAddrV4;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// What is read of an answer, in bytes.
const LONGEST: u64 = 256 * 1024;

/// One HTTP request; the status and the body. Peers close late or not at all, so a length that is told is kept to.
pub(crate) async fn exchange(
    at: SocketAddrV4,
    method: &str,
    path: &str,
    header: &str,
    body: &str,
) -> io::Result<(u16, String)> {
    let mut stream = TcpStream::connect(at).await?;
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {at}\r\nConnection: close\r\n{header}Content-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut limited = stream.take(LONGEST);
    let mut answer = Vec::new();
    loop {
        let whole = head_end(&answer).is_some_and(|end| match told_length(&answer[..end]) {
            Some(length) => answer.len() - end >= length,
            None => is_chunked(&answer[..end]) && answer.ends_with(b"0\r\n\r\n"),
        });
        if whole || limited.read_buf(&mut answer).await? == 0 {
            break;
        }
    }
    let odd = || io::Error::other("the answer is no HTTP");
    let end = head_end(&answer).ok_or_else(odd)?;
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    let status =
        head.strip_prefix("HTTP/1.").and_then(|rest| rest.get(2..5)?.parse().ok()).ok_or_else(odd)?;
    let body = match is_chunked(&answer[..end]) {
        true => unchunked(&answer[end..]),
        false => answer[end..].to_vec(),
    };
    Ok((status, String::from_utf8_lossy(&body).into_owned()))
}

fn head_end(answer: &[u8]) -> Option<usize> {
    answer.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4)
}

fn header_value(head: &[u8], name: &str) -> Option<String> {
    let text = String::from_utf8_lossy(head);
    text.lines().skip(1).find_map(|line| {
        let (found, value) = line.split_once(':')?;
        found.trim().eq_ignore_ascii_case(name).then(|| value.trim().to_ascii_lowercase())
    })
}

fn told_length(head: &[u8]) -> Option<usize> {
    header_value(head, "content-length")?.parse().ok()
}

fn is_chunked(head: &[u8]) -> bool {
    header_value(head, "transfer-encoding").is_some_and(|value| value.contains("chunked"))
}

/// The bytes of a chunked body (RFC 9112 §7.1), as far as they go.
fn unchunked(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = rest.windows(2).position(|two| two == b"\r\n") {
        let size = String::from_utf8_lossy(&rest[..end]);
        let size = size.split(';').next().and_then(|size| usize::from_str_radix(size.trim(), 16).ok());
        let Some(chunk) = size.filter(|size| *size > 0).and_then(|size| rest.get(end + 2..end + 2 + size))
        else {
            break;
        };
        body.extend_from_slice(chunk);
        rest = rest.get(end + 4 + chunk.len()..).unwrap_or_default();
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_in_chunks_is_put_together() {
        assert_eq!(unchunked(b"3\r\nabc\r\n2;x\r\nde\r\n0\r\n\r\n"), b"abcde");
        assert_eq!(unchunked(b"ff\r\nabc"), b"");
    }
}
