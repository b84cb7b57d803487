//! HTTP CONNECT (RFC 9110 §9.3.6), the asking side, with Basic authentication (RFC 7617) where there is a login.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use twoport_proto::Secret;

use super::{Target, refused};

/// The longest head of an answer that is read, in bytes: what is longer is no proxy's.
const LONGEST: usize = 16 * 1024;

/// Asks for the target; afterwards the stream is the target's.
pub(super) async fn ask(
    stream: &mut TcpStream,
    target: &Target,
    login: Option<&(String, Secret)>,
) -> io::Result<()> {
    stream.write_all(&request(target, login)?).await?;
    let head = read_head(stream).await?;
    let line = head.split(|b| *b == b'\n').next().unwrap_or_default();
    let line: String = String::from_utf8_lossy(line.trim_ascii())
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    let mut words = line.split(' ');
    let spoken = words.next().is_some_and(|word| word.starts_with("HTTP/1."));
    match words.next() {
        Some(code) if spoken && code.len() == 3 && code.starts_with('2') => Ok(()),
        Some("407") if spoken => Err(refused(format!(
            "it answered {line:?}; {}",
            match login {
                Some(_) => "name and password are not the ones it wants",
                None => "it wants a name and a password: write http://USER:PASSWORD@HOST:PORT",
            }
        ))),
        Some(_) if spoken => Err(refused(format!("it answered {line:?}"))),
        _ => Err(refused("what it answered is no HTTP")),
    }
}

/// The head of the answer up to its empty line. Byte by byte, because the byte behind it is the target's: an FTP server
/// speaks first, and what it says may come in the same segment.
async fn read_head(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") && !head.ends_with(b"\n\n") {
        if head.len() == LONGEST {
            return Err(refused("its answer has no end"));
        }
        head.push(stream.read_u8().await?);
    }
    Ok(head)
}

fn request(target: &Target, login: Option<&(String, Secret)>) -> io::Result<Vec<u8>> {
    let at = match target {
        Target::Address(address) => address.to_string(),
        Target::Name(name, port) if name.contains(':') => format!("[{name}]:{port}"),
        Target::Name(name, port) => format!("{name}:{port}"),
    };
    if at.bytes().any(|b| b <= b' ' || b == 0x7f) {
        return Err(refused("the server's name has characters that no name has"));
    }
    let mut request = format!("CONNECT {at} HTTP/1.1\r\nHost: {at}\r\n").into_bytes();
    if let Some((user, password)) = login {
        let pair = [user.as_bytes(), b":", password.reveal()].concat();
        request.extend_from_slice(format!("Proxy-Authorization: Basic {}\r\n", base64(&pair)).as_bytes());
    }
    request.extend_from_slice(b"\r\n");
    Ok(request)
}

/// RFC 4648 §4.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let of = |place: usize| u32::from(three.get(place).copied().unwrap_or(0));
        let bits = of(0) << 16 | of(1) << 8 | of(2);
        for place in 0..4 {
            match place <= three.len() {
                true => text.push(char::from(DIGITS[(bits >> (18 - 6 * place) & 63) as usize])),
                false => text.push('='),
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_as_in_rfc_4648() {
        for (plain, coded) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")]
        {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
    }

    #[test]
    fn requests_name_what_they_want() {
        let text = |target: Target, login: Option<(String, Secret)>| {
            String::from_utf8(request(&target, login.as_ref()).unwrap()).unwrap()
        };
        let plain = text(Target::Name("ftp.example.org".into(), 21), None);
        assert_eq!(plain, "CONNECT ftp.example.org:21 HTTP/1.1\r\nHost: ftp.example.org:21\r\n\r\n");
        let v6 = text(Target::Name("2001:db8::1".into(), 21), Some(("a".into(), Secret::new("b"))));
        assert!(v6.starts_with("CONNECT [2001:db8::1]:21 ") && v6.contains("Basic YTpi\r\n\r\n"), "{v6}");
        assert!(request(&Target::Name("a\r\nb".into(), 21), None).is_err());
    }
}
