//! Headers whole, torn, wrong, and missing; and that nothing behind one is touched.

use proxy_header::{ProxiedAddress, Tlv};
use tokio::io::AsyncWriteExt;

use super::*;

const CLIENT: &str = "203.0.113.9:40000";
const REACHED: &str = "198.51.100.2:21";

fn v1() -> Vec<u8> {
    b"PROXY TCP4 203.0.113.9 198.51.100.2 40000 21\r\n".to_vec()
}

fn v2(client: &str, reached: &str, padding: usize) -> Vec<u8> {
    let told = ProxiedAddress::stream(client.parse().unwrap(), reached.parse().unwrap());
    let mut header = ProxyHeader::with_address(told);
    header.append_tlv(Tlv::UniqueId(b"7"[..].into()));
    header.append_tlv(Tlv::Noop(padding));
    let mut bytes = Vec::new();
    header.encode_v2(&mut bytes).unwrap();
    bytes
}

/// Version 2 with this command, family and rest.
fn raw(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
    [SIGNATURE, &[command, family], &length, rest].concat()
}

/// A connection over the loopback: the client's end, and what the listener has accepted.
async fn pair() -> (TcpStream, TcpStream, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (near, far) = tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), listener.accept());
    let (far, from) = far.unwrap();
    (near.unwrap(), far, from)
}

/// What is made of a connection that says `bytes` in pieces of `size` and stays open.
async fn heard(bytes: &[u8], size: usize) -> Result<Met, HeaderFault> {
    let (mut near, far, from) = pair().await;
    near.set_nodelay(true).unwrap();
    let saying = async {
        for piece in bytes.chunks(size) {
            // Who has heard enough closes, and may not wait for the rest.
            let _ = near.write_all(piece).await;
            tokio::task::yield_now().await;
        }
        near
    };
    let (met, near) = tokio::join!(meet(far, from, Duration::from_secs(30)), saying);
    drop(near);
    met.map_err(|turned_away| turned_away.fault)
}

/// The same of one that is closed behind them.
async fn fault_of(bytes: &[u8]) -> HeaderFault {
    let (mut near, far, from) = pair().await;
    near.write_all(bytes).await.unwrap();
    drop(near);
    meet(far, from, Duration::from_secs(30)).await.unwrap_err().fault
}

#[tokio::test]
async fn both_versions_tell_the_client_and_what_it_reached_however_they_are_torn() {
    let ipv6 = ("[2001:db8::9]:40000", "[2001:db8::2]:21");
    for (header, client, reached) in [
        (v1(), CLIENT, REACHED),
        (b"PROXY TCP6 2001:db8::9 2001:db8::2 40000 21\r\n".to_vec(), ipv6.0, ipv6.1),
        (v2(CLIENT, REACHED, 3), CLIENT, REACHED),
        (v2(CLIENT, REACHED, 3000), CLIENT, REACHED),
        (v2(ipv6.0, ipv6.1, 0), ipv6.0, ipv6.1),
        (v2("[::ffff:203.0.113.9]:40000", "[::ffff:198.51.100.2]:21", 0), CLIENT, REACHED),
    ] {
        for size in [1, 5, 16, 10_000] {
            let met = heard(&[&header[..], b"USER a\r\n"].concat(), size).await.unwrap();
            assert_eq!((met.peer, met.local), (client.parse().unwrap(), reached.parse().unwrap()));
            assert_eq!(met.by, By::Balancer);
            // What is behind it is all there.
            let mut rest = String::new();
            let mut stream = met.stream;
            stream.read_to_string(&mut rest).await.unwrap();
            assert_eq!(rest, "USER a\r\n");
        }
    }
}

#[tokio::test]
async fn a_balancer_that_speaks_for_itself_is_at_the_ends_of_its_connection() {
    for header in [
        b"PROXY UNKNOWN\r\n".to_vec(),
        b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n".to_vec(),
        raw(0x20, 0x00, b""),
        // LOCAL with a family that is not there, or is no family.
        raw(0x20, 0x11, b""),
        raw(0x20, 0xF7, b"what"),
        // PROXY, and no word of the client: the balancer does not know it.
        raw(0x21, 0x00, b"\x04\0\x01x"),
        raw(0x21, 0x31, &[0; 216]),
    ] {
        let met = heard(&header, 1000).await.unwrap();
        assert_eq!((met.by, met.peer), (By::Check, met.stream.peer_addr().unwrap()));
        assert_eq!(met.local, met.stream.local_addr().unwrap());
    }
}

#[tokio::test]
async fn what_is_no_header_is_known_by_its_first_bytes() {
    for bytes in
        [&b"USER anna\r\n"[..], b"\x16\x03\x01\x02\0", b"PROXYTCP4", b"\r\n\r\nUSER", b"P\0", b"proxy "]
    {
        assert_eq!(heard(bytes, 1000).await.unwrap_err(), HeaderFault::NoHeader, "{}", bytes.escape_ascii());
    }
}

#[tokio::test]
async fn a_header_that_makes_no_sense_is_not_believed() {
    let v1 = |text: &str| format!("PROXY {text}\r\n").into_bytes();
    for header in [
        v1("TCP4 203.0.113.9 198.51.100.2 40000"),
        v1("TCP4 203.0.113.9 198.51.100.2 40000 65536"),
        v1("TCP4 203.0.113.9 198.51.100.2 40000 21 7"),
        v1("TCP4 2001:db8::9 2001:db8::2 40000 21"),
        v1("TCP4 203.0.113.900 198.51.100.2 40000 21"),
        v1("TCP4 0.0.0.0 198.51.100.2 40000 21"),
        v1("TCP4 224.0.0.1 198.51.100.2 40000 21"),
        v1("UDP4 203.0.113.9 198.51.100.2 40000 21"),
        b"PROXY TCP4 203.0.113.9 198.51.100.2 40000 21\n".to_vec(),
        b"PROXY TCP4\r\nUSER anna\r\n".to_vec(),
        // Another version, another command, another family, another protocol, too short for its family.
        raw(0x11, 0x11, &[1; 12]),
        raw(0x22, 0x11, &[1; 12]),
        raw(0x21, 0x41, &[1; 12]),
        raw(0x21, 0x12, &[1; 12]),
        raw(0x21, 0x11, &[1; 11]),
        raw(0x21, 0x21, &[1; 12]),
        raw(0x21, 0x31, &[1; 12]),
        raw(0x21, 0x11, b""),
    ] {
        let fault = heard(&header, 1000).await.unwrap_err();
        assert_eq!(fault, HeaderFault::Malformed, "{}", header.escape_ascii());
    }
}

#[tokio::test]
async fn a_header_without_an_end_is_read_to_its_bound_only() {
    let endless = [b"PROXY TCP4 ".to_vec(), vec![b'1'; 200]].concat();
    assert_eq!(heard(&endless, 1000).await.unwrap_err(), HeaderFault::TooLong);
    assert_eq!(heard(&endless, 1).await.unwrap_err(), HeaderFault::TooLong);
    // Known by its length alone: what it holds is not waited for.
    let announced = [SIGNATURE, b"\x21\x11\xff\xff"].concat();
    assert_eq!(heard(&announced, 1000).await.unwrap_err(), HeaderFault::TooLong);
    let longest = raw(0x20, 0, &vec![0; LONGEST - FIXED]);
    assert_eq!(heard(&longest, 1000).await.unwrap().by, By::Check);
    let longer = raw(0x20, 0, &vec![0; LONGEST - FIXED + 1]);
    assert_eq!(heard(&longer, 1000).await.unwrap_err(), HeaderFault::TooLong);
}

#[tokio::test]
async fn a_connection_that_ends_early_is_a_look_or_torn() {
    assert!(fault_of(b"").await.is_a_look());
    for header in [v1(), v2(CLIENT, REACHED, 3)] {
        for cut in 1..header.len() {
            assert_eq!(fault_of(&header[..cut]).await, HeaderFault::Torn, "cut at {cut}");
        }
    }
}

#[tokio::test]
async fn a_client_on_the_balancer_itself_is_not_on_this_host() {
    let (mut near, far, _) = pair().await;
    near.write_all(&v2("127.0.0.1:40000", REACHED, 0)).await.unwrap();
    let met = meet(far, "10.0.0.5:50000".parse().unwrap(), PATIENCE).await.unwrap();
    assert_eq!(met.peer, "10.0.0.5:40000".parse().unwrap());
}

#[tokio::test]
async fn one_that_keeps_silent_holds_up_nobody() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut reception = Reception::new(Duration::from_millis(200));
    let trusted = |ip: IpAddr| ip == IpAddr::from([127, 0, 0, 1]);
    let silent = TcpStream::connect(address).await.unwrap();
    let mut torn = TcpStream::connect(address).await.unwrap();
    torn.write_all(b"PROXY TCP4 ").await.unwrap();
    let mut balancer = TcpStream::connect(address).await.unwrap();
    balancer.write_all(&v1()).await.unwrap();
    let met = reception.next(&listener, trusted).await.unwrap().unwrap();
    assert_eq!(met.peer, CLIENT.parse().unwrap());
    // One that is not trusted is not asked for a header, and not believed when it brings one.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
    let mut liar = socket.connect(address).await.unwrap();
    liar.write_all(&v1()).await.unwrap();
    let met = reception.next(&listener, trusted).await.unwrap().unwrap();
    assert_eq!((met.by, met.peer), (By::Itself, liar.local_addr().unwrap()));
    for _ in 0..2 {
        let turned_away = reception.next(&listener, trusted).await.unwrap().unwrap_err();
        assert!(matches!(turned_away.fault, HeaderFault::Silent(_)), "{turned_away:?}");
    }
    drop((silent, torn));
}

/// Whatever comes: what a header wants is within its bounds, it ends, and what is whole is judged without a panic.
#[test]
fn noise_is_judged_within_bounds() {
    let mut state = 7_u64;
    let mut random = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize
    };
    let whole = [v1(), v2(CLIENT, REACHED, 9), raw(0x21, 0x31, &[9; 220]), b"PROXY UNKNOWN\r\n".to_vec()];
    let mut judged = 0;
    for _ in 0..20_000 {
        let mut bytes = whole[random() % whole.len()].clone();
        for _ in 0..random() % 4 {
            let at = random() % bytes.len();
            bytes[at] = (random() % 256) as u8;
        }
        bytes.extend(std::iter::repeat_n(b'\n', random() % 9));
        let mut at = 0;
        loop {
            let more = match want(&bytes[..at]) {
                Ok(Want::Nothing) => {
                    judged += usize::from(ends_in(&bytes[..at]).is_ok());
                    break;
                }
                Ok(Want::Bytes(more)) => more,
                Ok(Want::LineEnd(room)) => {
                    let end = bytes[at..].iter().position(|byte| *byte == b'\n');
                    end.map_or(room, |end| end + 1).min(room)
                }
                Err(_) => break,
            };
            assert!(more > 0 && at + more <= LONGEST);
            if at + more > bytes.len() {
                break;
            }
            at += more;
        }
    }
    assert!(judged > 1000, "{judged} of them were headers");
}
