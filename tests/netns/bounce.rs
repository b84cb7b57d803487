//! The bounce of RFC 2577 §3: a server that connects to wherever PORT points knocks on other people's doors in its own name.
//! That it refuses is said by its replies; that nothing left it is counted in its own namespace.

use std::net::TcpStream;

use twoport_netns::Net;

use super::place::Place;
use crate::sockets::peer::{self, Peer};

/// Counts the first packet of each connection that the server begins.
const COUNTS: &str = "table inet lab {
    counter began { }
    counter told { }
    chain output {
        type filter hook output priority filter; policy accept;
        tcp flags & (syn | ack) == syn counter name began
        meta l4proto { udp, sctp } counter name told
    }
}";

/// What is asked on a control connection over IPv4 from 10.1.1.2.
const BY_IPV4: &[&str] = &[
    // A neighbour of the server, the server itself, the router, another client: each at a port that may be free.
    "PORT 10,1,1,3,31,64",
    "PORT 10,1,1,1,31,64",
    "PORT 127,0,0,1,31,64",
    "PORT 0,0,0,0,31,64",
    "PORT 255,255,255,255,31,64",
    "PORT 224,0,0,1,31,64",
    "PORT 10,1,1,255,31,64",
    // Where services live: of others, and of the client itself.
    "PORT 10,1,1,3,0,25",
    "PORT 10,1,1,2,0,25",
    "PORT 10,1,1,2,3,255",
    "PORT 10,1,1,2,0,0",
    "EPRT |1|10.1.1.3|8000|",
    "EPRT |1|10.1.1.2|25|",
    "EPRT |1|10.1.1.2|1023|",
    "EPRT |1|127.0.0.1|8000|",
    "EPRT |2|2001:db8:1::3|8000|",
    "EPRT |2|2001:db8:1::2|8000|",
    "EPRT |2|::ffff:10.1.1.3|8000|",
    "EPRT |2|::1|8000|",
    // Numbers that would wrap around to a port or an address that is allowed.
    "PORT 266,1,1,2,31,64",
    "PORT 10,1,1,258,31,64",
    "PORT 10,1,1,2,256,25",
    "EPRT |1|10.1.1.2|65561|",
    "EPRT |1|10.1.1.2|-65511|",
    "EPRT |3|10.1.1.2|8000|",
];

/// What is asked over IPv6 from 2001:db8:1::2.
const BY_IPV6: &[&str] = &[
    "EPRT |2|2001:db8:1::3|8000|",
    "EPRT |2|2001:db8:1::2|25|",
    "EPRT |2|2001:db8:1::2|1023|",
    "EPRT |2|::1|8000|",
    "EPRT |2|::|8000|",
    "EPRT |2|ff02::1|8000|",
    "EPRT |2|fe80::2|8000|",
    "EPRT |2|::ffff:10.1.1.2|8000|",
    "EPRT |2|::ffff:10.1.1.3|8000|",
    "EPRT |1|10.1.1.2|8000|",
    "EPRT |1|10.1.1.3|8000|",
    "PORT 10,1,1,2,31,64",
    "PORT 10,1,1,3,31,64",
];

#[test]
fn a_bounce_is_refused_before_a_packet_leaves_the_server() {
    if !crate::netns::have() {
        return;
    }
    let net = Net::new().unwrap();
    let (client, server) = (net.host("client").unwrap(), net.host("server").unwrap());
    net.link((&client, "10.1.1.2/24 2001:db8:1::2/64"), (&server, "10.1.1.1/24 2001:db8:1::1/64")).unwrap();
    server.load_nft(COUNTS).unwrap();
    let place = Place::new();
    let hello = place.offers("hello", 5);
    let _server = place.serve(&server, "[::]:21", &["--tls", "off", "--passive-ports", "50000-50003"]);

    for (at, asked) in [("10.1.1.1:21", BY_IPV4), ("[2001:db8:1::1]:21", BY_IPV6)] {
        // A session may only refuse so often before it ends: one for each.
        for line in asked {
            let mut peer = login(client.inside(|| TcpStream::connect(at)).unwrap().unwrap());
            let (code, text) = peer.ask(line);
            assert!((500..600).contains(&code), "{line} was answered {code} {text}");
            // Nor does a transfer go where the refused words pointed.
            let (code, text) = peer.ask("RETR hello");
            assert!(code >= 400, "RETR after {line} was answered {code} {text}");
        }
    }
    assert_eq!(
        (server.count("began").unwrap(), server.count("told").unwrap()),
        (0, 0),
        "something left the server"
    );

    // What is asked for in order leaves it, and is counted.
    for (number, at) in [(1, "10.1.1.1:21"), (2, "[2001:db8:1::1]:21")] {
        let mut peer = login(client.inside(|| TcpStream::connect(at)).unwrap().unwrap());
        let listener = client.inside(|| peer.active()).unwrap();
        peer.say("RETR hello");
        let (mut link, _) = listener.accept().unwrap();
        peer.hear(150);
        assert_eq!(peer::all(&mut link), hello);
        peer.hear(226);
        assert_eq!(server.count("began").unwrap(), number);
    }
}

/// Logged in as Alice, TYPE I.
#[track_caller]
pub(super) fn login(stream: TcpStream) -> Peer {
    Peer::login_over(stream, "alice", "secret")
}
