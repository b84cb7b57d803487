//! SOCKS5 (RFC 1928), the asking side, without a password or with one (RFC 1929).

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use twoport_proto::Secret;

use super::{Target, refused};

/// Asks for the target; afterwards the stream is the target's.
pub(super) async fn ask(
    stream: &mut TcpStream,
    target: &Target,
    login: Option<&(String, Secret)>,
) -> io::Result<()> {
    let ways: &[u8] = if login.is_some() { &[5, 2, 0, 2] } else { &[5, 1, 0] };
    stream.write_all(ways).await?;
    let mut answer = [0; 2];
    stream.read_exact(&mut answer).await?;
    match (answer, login) {
        ([5, 0], _) => {}
        ([5, 2], Some((user, password))) => authenticate(stream, user, password).await?,
        ([5, _], _) => return Err(refused("it takes no login that we have")),
        _ => return Err(refused("what it answered is no SOCKS5")),
    }
    stream.write_all(&request(target)?).await?;
    let mut head = [0; 4];
    stream.read_exact(&mut head).await?;
    if head[1] != 0 {
        return Err(refused(reason(head[1])));
    }
    // The address that the proxy connects from, and its port: of no use to us.
    let rest = match head[3] {
        1 => 6,
        4 => 18,
        3 => usize::from(stream.read_u8().await?) + 2,
        _ => return Err(refused("it answered with no address")),
    };
    let mut skipped = vec![0; rest];
    stream.read_exact(&mut skipped).await?;
    Ok(())
}

async fn authenticate(stream: &mut TcpStream, user: &str, password: &Secret) -> io::Result<()> {
    let part = |bytes: &[u8]| match u8::try_from(bytes.len()) {
        Ok(length) => Ok([&[length], bytes].concat()),
        Err(_) => Err(refused("name and password of a SOCKS proxy have 255 bytes at most")),
    };
    stream.write_all(&[&[1][..], &part(user.as_bytes())?, &part(password.reveal())?].concat()).await?;
    let mut answer = [0; 2];
    stream.read_exact(&mut answer).await?;
    if answer[1] == 0 { Ok(()) } else { Err(refused("it refused name and password")) }
}

fn request(target: &Target) -> io::Result<Vec<u8>> {
    let mut request = vec![5, 1, 0];
    let port = match target {
        Target::Address(SocketAddr::V4(v4)) => {
            request.push(1);
            request.extend_from_slice(&v4.ip().octets());
            v4.port()
        }
        Target::Address(SocketAddr::V6(v6)) => {
            request.push(4);
            request.extend_from_slice(&v6.ip().octets());
            v6.port()
        }
        Target::Name(name, port) => {
            let length =
                u8::try_from(name.len()).map_err(|_| refused("the name is longer than SOCKS can say"))?;
            request.extend_from_slice(&[3, length]);
            request.extend_from_slice(name.as_bytes());
            *port
        }
    };
    request.extend_from_slice(&port.to_be_bytes());
    Ok(request)
}

fn reason(code: u8) -> &'static str {
    match code {
        2 => "its rules forbid it",
        3 | 4 => "it cannot reach that network or host",
        5 => "the connection was refused behind it",
        6 => "it waited in vain",
        _ => "it failed and did not say why",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_name_what_they_want() {
        let v4 = Target::Address("10.1.2.3:21".parse().unwrap());
        assert_eq!(request(&v4).unwrap(), [5, 1, 0, 1, 10, 1, 2, 3, 0, 21]);
        let name = Target::Name("ab".to_owned(), 258);
        assert_eq!(request(&name).unwrap(), [5, 1, 0, 3, 2, b'a', b'b', 1, 2]);
        assert!(request(&Target::Name("x".repeat(256), 21)).is_err());
    }
}
