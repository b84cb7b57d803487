//! Which address the world sees of us: a name in the DNS, a STUN server (RFC 8489), or the cloud's own metadata. Own code for
//! STUN: one datagram there and one back (docs/decisions/004-own-port-mapping.md).

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddrV4};
use std::str::FromStr;
use std::time::Duration;

use tokio::net::{UdpSocket, lookup_host};

use crate::http;

/// Who is asked for the address that the world sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Witness {
    /// A STUN server: name or address, with its port.
    Stun(String),
    /// The metadata that a cloud tells its machines, at 169.254.169.254 unless a test says otherwise.
    Metadata(Cloud, SocketAddrV4),
}

/// Whose metadata it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cloud {
    /// Amazon's EC2, in its second version, which wants a token.
    Aws,
    /// Google's.
    Gcp,
    /// Microsoft's.
    Azure,
}

/// Where clouds tell their metadata.
pub const METADATA: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(169, 254, 169, 254), 80);

/// The port of STUN (RFC 8489 §8).
const STUN_PORT: u16 = 3478;

impl FromStr for Cloud {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "aws" => Ok(Cloud::Aws),
            "gcp" => Ok(Cloud::Gcp),
            "azure" => Ok(Cloud::Azure),
            _ => Err(format!("{text:?} is no cloud whose metadata is known: aws, gcp or azure")),
        }
    }
}

impl fmt::Display for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Witness::Stun(server) => write!(f, "the STUN server {server}"),
            Witness::Metadata(cloud, _) => write!(f, "the metadata of {cloud:?}"),
        }
    }
}

impl Witness {
    /// Asks.
    ///
    /// # Errors
    /// In words, when there is no answer, or one without an IPv4 address.
    pub async fn ask(&self) -> Result<Ipv4Addr, String> {
        let answer = match self {
            Witness::Stun(server) => by_stun(server).await,
            Witness::Metadata(cloud, at) => by_metadata(*cloud, *at).await,
        };
        answer.map_err(|e| format!("{self}: {e}"))
    }
}

/// The IPv4 address of a name.
///
/// # Errors
/// In words, when the name cannot be looked up or has none.
pub async fn address_of(name: &str) -> Result<Ipv4Addr, String> {
    let mut found = lookup_host((name, 0)).await.map_err(|e| e.to_string())?;
    found.find_map(|address| v4(address.ip())).ok_or_else(|| format!("{name} has no IPv4 address"))
}

fn v4(ip: IpAddr) -> Option<Ipv4Addr> {
    match ip.to_canonical() {
        IpAddr::V4(v4) => Some(v4),
        IpAddr::V6(_) => None,
    }
}

/// When a datagram that was not answered is sent again; it may have been lost (RFC 8489 §6.2.1).
const AGAIN: [Duration; 3] = [Duration::from_millis(500), Duration::from_secs(1), Duration::from_secs(2)];

async fn by_stun(server: &str) -> io::Result<Ipv4Addr> {
    let place = if server.contains(':') { server.to_owned() } else { format!("{server}:{STUN_PORT}") };
    let server = lookup_host(place).await?.find(|address| v4(address.ip()).is_some());
    let server = server.ok_or_else(|| io::Error::other("it has no IPv4 address"))?;
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).await?;
    socket.connect(server).await?;
    let mut transaction = [0; 12];
    getrandom::fill(&mut transaction).map_err(|e| io::Error::other(e.to_string()))?;
    let request = stun::request(transaction);
    let mut answer = [0; 1500];
    for patience in AGAIN {
        socket.send(&request).await?;
        let heard = async {
            loop {
                let length = socket.recv(&mut answer).await?;
                // Whoever does not know the number did not get our question.
                if let Some(outer) = stun::outer(&answer[..length], transaction) {
                    return Ok::<_, io::Error>(outer);
                }
            }
        };
        if let Ok(outer) = tokio::time::timeout(patience, heard).await {
            return outer;
        }
    }
    Err(io::ErrorKind::TimedOut.into())
}

async fn by_metadata(cloud: Cloud, at: SocketAddrV4) -> io::Result<Ipv4Addr> {
    let (path, header) = match cloud {
        Cloud::Aws => {
            let wish = "X-aws-ec2-metadata-token-ttl-seconds: 60\r\n";
            let token = told(http::exchange(at, "PUT", "/latest/api/token", wish, "").await?)?;
            ("/latest/meta-data/public-ipv4", format!("X-aws-ec2-metadata-token: {}\r\n", token.trim()))
        }
        Cloud::Gcp => (
            "/computeMetadata/v1/instance/network-interfaces/0/access-configs/0/external-ip",
            "Metadata-Flavor: Google\r\n".to_owned(),
        ),
        Cloud::Azure => (
            "/metadata/instance/network/interface/0/ipv4/ipAddress/0/publicIpAddress?api-version=2021-02-01&format=text",
            "Metadata: true\r\n".to_owned(),
        ),
    };
    let text = told(http::exchange(at, "GET", path, &header, "").await?)?;
    text.trim().parse().map_err(|_| io::Error::other("this machine has no public IPv4 address there"))
}

fn told((status, body): (u16, String)) -> io::Result<String> {
    match status {
        200 => Ok(body),
        _ => Err(io::Error::other(format!("it answered {status}"))),
    }
}

/// The two messages of STUN's Binding (RFC 8489 §5, §14.2).
mod stun {
    use std::net::Ipv4Addr;

    const COOKIE: [u8; 4] = [0x21, 0x12, 0xA4, 0x42];
    const HEADER: usize = 20;

    /// A Binding request.
    pub(super) fn request(transaction: [u8; 12]) -> [u8; HEADER] {
        let mut message = [0; HEADER];
        message[1] = 1;
        message[4..8].copy_from_slice(&COOKIE);
        message[8..].copy_from_slice(&transaction);
        message
    }

    /// The address in a Binding success that answers this request: XOR-MAPPED-ADDRESS, or what elder servers say.
    pub(super) fn outer(message: &[u8], transaction: [u8; 12]) -> Option<Ipv4Addr> {
        let (head, mut rest) = message.split_at_checked(HEADER)?;
        let length = usize::from(u16::from_be_bytes([head[2], head[3]]));
        if head[..2] != [1, 1] || head[4..8] != COOKIE || head[8..] != transaction || length != rest.len() {
            return None;
        }
        let mut plain = None;
        while let Some((kind, tail)) = rest.split_at_checked(4) {
            let length = usize::from(u16::from_be_bytes([kind[2], kind[3]]));
            let value = tail.get(..length)?;
            // Eight bytes: nothing, the family, a port, an address.
            let address = || Some([*value.get(4)?, *value.get(5)?, *value.get(6)?, *value.get(7)?]);
            match (u16::from_be_bytes([kind[0], kind[1]]), value.get(1)) {
                (0x0020, Some(1)) => {
                    let hidden = address()?;
                    return Some(std::array::from_fn::<u8, 4, _>(|at| hidden[at] ^ COOKIE[at]).into());
                }
                (0x0001, Some(1)) => plain = address().map(Ipv4Addr::from),
                _ => {}
            }
            // Attributes are filled up to four bytes.
            rest = tail.get(length.next_multiple_of(4)..).unwrap_or_default();
        }
        plain
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        /// The answer of RFC 5769 §2.2, without what proves who sent it.
        fn answer() -> Vec<u8> {
            let mut message = vec![1, 1, 0, 28, 0x21, 0x12, 0xA4, 0x42];
            message.extend(TRANSACTION);
            message.extend(b"\x80\x22\x00\x0btest vector ");
            message.extend([0, 0x20, 0, 8, 0, 1, 0xA1, 0x47, 0xE1, 0x12, 0xA6, 0x43]);
            message
        }

        const TRANSACTION: [u8; 12] =
            [0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae];

        #[test]
        fn the_answer_of_the_standard_is_read() {
            assert_eq!(outer(&answer(), TRANSACTION), Some(Ipv4Addr::new(192, 0, 2, 1)));
        }

        #[test]
        fn what_is_no_answer_to_us_tells_nothing() {
            assert_eq!(outer(&answer(), [0; 12]), None);
            for cut in 0..answer().len() {
                assert_eq!(outer(&answer()[..cut], TRANSACTION), None);
            }
            for at in 0..HEADER {
                let mut wrong = answer();
                wrong[at] ^= 1;
                assert_eq!(outer(&wrong, TRANSACTION), None, "{at}");
            }
            let mut long = answer();
            long[23] = 0xFF;
            assert_eq!(outer(&long, TRANSACTION), None);
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn a_stun_server_is_believed_that_knows_our_number() {
        let server = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let witness = Witness::Stun(server.local_addr().unwrap().to_string());
        let serving = async {
            let mut request = [0; 64];
            // The first is lost.
            server.recv_from(&mut request).await.unwrap();
            let (length, from) = server.recv_from(&mut request).await.unwrap();
            assert_eq!((length, &request[..8]), (20, &[0, 1, 0, 0, 0x21, 0x12, 0xA4, 0x42][..]));
            let mut answer = vec![1, 1, 0, 12];
            answer.extend(&request[4..20]);
            answer.extend([0, 0x20, 0, 8, 0, 1, 0, 0, 0xE1, 0x12, 0xA6, 0x43]);
            let mut strange = answer.clone();
            strange[10] ^= 1;
            strange[31] ^= 1;
            server.send_to(&strange, from).await.unwrap();
            server.send_to(&answer, from).await.unwrap();
        };
        let (answer, ()) = tokio::join!(witness.ask(), serving);
        assert_eq!(answer, Ok(Ipv4Addr::new(192, 0, 2, 1)));
    }

    /// Answers requests in order, each when it has the words.
    async fn metadata(listener: TcpListener, talk: &[(&str, &str)]) {
        for (wanted, answer) in talk {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                assert!(stream.read_buf(&mut request).await.unwrap() > 0);
            }
            let request = String::from_utf8(request).unwrap();
            assert!(wanted.split('|').all(|word| request.contains(word)), "{request}");
            let length = answer.len();
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{answer}");
            stream.write_all(head.as_bytes()).await.unwrap();
        }
    }

    #[tokio::test]
    async fn each_clouds_metadata_is_asked_in_its_own_way() {
        let address = Ipv4Addr::new(203, 0, 113, 77);
        let aws = [
            ("PUT /latest/api/token|ttl-seconds: 60", "secret"),
            ("GET /latest/meta-data/public-ipv4|metadata-token: secret\r\n", "203.0.113.77"),
        ];
        let gcp = [("/access-configs/0/external-ip|Metadata-Flavor: Google\r\n", "203.0.113.77\n")];
        let azure = [("/publicIpAddress?api-version=|Metadata: true\r\n", "203.0.113.77")];
        for (cloud, talk) in [(Cloud::Aws, &aws[..]), (Cloud::Gcp, &gcp), (Cloud::Azure, &azure)] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let std::net::SocketAddr::V4(at) = listener.local_addr().unwrap() else { unreachable!() };
            let witness = Witness::Metadata(cloud, at);
            let (answer, ()) = tokio::join!(witness.ask(), metadata(listener, talk));
            assert_eq!(answer, Ok(address), "{cloud:?}");
        }
    }

    #[tokio::test]
    async fn a_name_without_an_address_is_said_so() {
        assert_eq!(address_of("localhost").await, Ok(Ipv4Addr::LOCALHOST));
        assert!(address_of("no-such-name.invalid").await.is_err());
    }
}
