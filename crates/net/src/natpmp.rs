//! NAT-PMP (RFC 6886), the asking side: a port of the router's outer address for one of ours, for the time of a transfer.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::Duration;

use tokio::net::UdpSocket;

/// Where routers listen for it.
const PORT: u16 = 5351;

/// How long a mapping is asked for, in seconds: it ends by itself, also when we do not.
const LIFETIME: u32 = 120;

/// Waits between the tries (RFC 6886 §3.1 doubles from 250 ms; a router that has it answers the first or the second).
const WAITS: [Duration; 3] =
    [Duration::from_millis(250), Duration::from_millis(500), Duration::from_millis(750)];

/// Asks the router for a way to `port` of ours; its outer address and port.
///
/// # Errors
/// When there is no router, or it does not speak NAT-PMP, or refuses.
pub async fn map(port: u16) -> io::Result<SocketAddr> {
    let routes = std::fs::read_to_string("/proc/net/route").unwrap_or_default();
    let router = router(&routes).ok_or_else(|| io::Error::other("this machine has no router to ask"))?;
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).await?;
    socket.connect((router, PORT)).await?;
    let outer = ask(&socket, &[0, 0]).await?;
    let outer = outer.get(8..12).and_then(|ip| <[u8; 4]>::try_from(ip).ok()).ok_or_else(odd)?;
    let mut request = vec![0, 2, 0, 0];
    request.extend_from_slice(&port.to_be_bytes());
    request.extend_from_slice(&port.to_be_bytes());
    request.extend_from_slice(&LIFETIME.to_be_bytes());
    let mapped = ask(&socket, &request).await?;
    let mapped = mapped.get(10..12).and_then(|port| <[u8; 2]>::try_from(port).ok()).ok_or_else(odd)?;
    Ok(SocketAddrV4::new(Ipv4Addr::from(outer), u16::from_be_bytes(mapped)).into())
}

/// One question and its answer; a refusal is an error.
async fn ask(socket: &UdpSocket, request: &[u8]) -> io::Result<Vec<u8>> {
    let mut buffer = [0; 64];
    for wait in WAITS {
        socket.send(request).await?;
        let Ok(received) = tokio::time::timeout(wait, socket.recv(&mut buffer)).await else { continue };
        // Refused by the router's own system: nothing listens there.
        let received = received.map_err(|_| io::Error::other("the router does not speak NAT-PMP"))?;
        let answer = &buffer[..received];
        match answer {
            [0, operation, 0, 0, ..] if *operation == request[1] + 128 => return Ok(answer.to_vec()),
            [0, operation, high, low, ..] if *operation == request[1] + 128 => {
                let code = u16::from_be_bytes([*high, *low]);
                return Err(io::Error::other(format!(
                    "the router refused a mapping with NAT-PMP code {code}"
                )));
            }
            _ => return Err(odd()),
        }
    }
    Err(io::Error::new(io::ErrorKind::TimedOut, "the router does not speak NAT-PMP"))
}

fn odd() -> io::Error {
    io::Error::other("the router's answer is no NAT-PMP")
}

/// The default gateway in the text of `/proc/net/route`: numbers in hexadecimal, in the machine's own byte order.
fn router(routes: &str) -> Option<Ipv4Addr> {
    routes.lines().skip(1).find_map(|line| {
        let mut fields = line.split_whitespace().skip(1);
        let (destination, gateway) = (fields.next()?, fields.next()?);
        let gateway = u32::from_str_radix(gateway, 16).ok()?;
        (destination == "00000000" && gateway != 0).then(|| Ipv4Addr::from(gateway.to_ne_bytes()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_gateway_is_found() {
        let routes = "Iface\tDestination\tGateway\tFlags\neth0\t000AA8C0\t00000000\t0001\neth0\t00000000\t0101A8C0\t0003\n";
        let expected = if cfg!(target_endian = "little") { [192, 168, 1, 1] } else { [1, 1, 168, 192] };
        assert_eq!(router(routes), Some(Ipv4Addr::from(expected)));
        assert_eq!(router("Iface\n"), None);
    }

    #[tokio::test]
    async fn a_refusal_and_nonsense_are_errors() {
        let server = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let client = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        client.connect(server.local_addr().unwrap()).await.unwrap();
        for (answer, good) in [(&[0, 128, 0, 0, 1][..], true), (&[0, 128, 0, 2], false), (&[9, 9], false)] {
            let (answered, _) = tokio::join!(ask(&client, &[0, 0]), async {
                let mut buffer = [0; 8];
                let (_, from) = server.recv_from(&mut buffer).await.unwrap();
                server.send_to(answer, from).await.unwrap();
            });
            assert_eq!(answered.is_ok(), good, "{answer:?}");
        }
    }
}
