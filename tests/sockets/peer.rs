//! A client in the tests' own hands: it says exactly what a test wants, in the pieces that it wants, and reads replies
//! by the rule. It waits for what must come and never for time; a server that does not answer fails the test.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use socket2::{Domain, SockRef, Socket, Type};
use twoport_proto::hostport;
use twoport_proto::line::LineBuf;
use twoport_proto::reply_reader::ReplyReader;

use crate::support::server::Server;

/// How long anything may take before the test fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A control connection.
pub(crate) struct Peer {
    stream: TcpStream,
    lines: LineBuf,
}

/// A reply: its code, and its lines joined by line ends.
pub(crate) type Said = (u16, String);

impl Peer {
    /// Connects and hears the greeting.
    #[track_caller]
    pub(crate) fn connect(address: SocketAddr) -> Peer {
        let mut peer = Peer::over(TcpStream::connect(address).expect("the server takes connections"));
        assert_eq!(peer.reply().0, 220);
        peer
    }

    /// Over a connection that is there, before the greeting.
    pub(crate) fn over(stream: TcpStream) -> Peer {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Peer { stream, lines: LineBuf::new(1 << 20) }
    }

    /// Connects and logs in as the house's account, TYPE I.
    #[track_caller]
    pub(crate) fn login(address: SocketAddr) -> Peer {
        Peer::login_as(address, "anna", "secret")
    }

    /// The same with a server that is a process of its own.
    #[track_caller]
    pub(crate) fn enter(server: &Server) -> Peer {
        let host: IpAddr = server.host.parse().expect("a server has an address");
        Peer::login_as(SocketAddr::new(host, server.port), server.user, server.password)
    }

    /// Connects and logs in, TYPE I.
    #[track_caller]
    pub(crate) fn login_as(address: SocketAddr, user: &str, password: &str) -> Peer {
        Peer::login_over(TcpStream::connect(address).expect("the server takes connections"), user, password)
    }

    /// The same over a connection that is there.
    #[track_caller]
    pub(crate) fn login_over(stream: TcpStream, user: &str, password: &str) -> Peer {
        let mut peer = Peer::over(stream);
        peer.hear(220);
        peer.expect(&format!("USER {user}"), 331);
        peer.expect(&format!("PASS {password}"), 230);
        peer.expect("TYPE I", 200);
        peer
    }

    /// Sends bytes as they are.
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the server is there");
    }

    /// Sends a line.
    pub(crate) fn say(&mut self, line: &str) {
        self.send(format!("{line}\r\n").as_bytes());
    }

    /// The next reply.
    #[track_caller]
    pub(crate) fn reply(&mut self) -> Said {
        let mut reader = ReplyReader::new(1 << 22);
        loop {
            while let Some(line) = self.lines.next_line() {
                let line = line.expect("replies have no strange bytes");
                if let Some(reply) = reader.feed_line(&line).expect("replies keep to the rule") {
                    return (reply.code, reply.text());
                }
            }
            let mut buffer = [0; 8192];
            match self.stream.read(&mut buffer) {
                Ok(0) => panic!("the server closed instead of answering"),
                Ok(n) => self.lines.feed(&buffer[..n]),
                // A process that is stopped and goes on hears of it in a read with a time limit.
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Err(e) => panic!("no answer: {e}"),
            }
        }
    }

    /// Sends a line and reads its reply.
    #[track_caller]
    pub(crate) fn ask(&mut self, line: &str) -> Said {
        self.say(line);
        self.reply()
    }

    /// Sends a line whose reply must have this code; gives the text.
    #[track_caller]
    pub(crate) fn expect(&mut self, line: &str, code: u16) -> String {
        let said = self.ask(line);
        assert_eq!(said.0, code, "{line} was answered {said:?}");
        said.1
    }

    /// The next reply must have this code; gives the text.
    #[track_caller]
    pub(crate) fn hear(&mut self, code: u16) -> String {
        let said = self.reply();
        assert_eq!(said.0, code, "{said:?}");
        said.1
    }

    /// The server closes, and says nothing more.
    #[track_caller]
    pub(crate) fn is_closed(&mut self) {
        let mut rest = Vec::new();
        let read = self.stream.read_to_end(&mut rest);
        assert!(read.is_ok() && rest.is_empty(), "{read:?}: {}", String::from_utf8_lossy(&rest));
    }

    /// Our address on the control connection.
    pub(crate) fn local(&self) -> SocketAddr {
        self.stream.local_addr().unwrap()
    }

    /// The server's address on it.
    pub(crate) fn server(&self) -> SocketAddr {
        self.stream.peer_addr().unwrap()
    }

    /// The socket itself, to be shut down or sent urgent data.
    pub(crate) fn socket(&self) -> &TcpStream {
        &self.stream
    }

    /// EPSV; the address to connect to.
    #[track_caller]
    pub(crate) fn epsv(&mut self) -> SocketAddr {
        let text = self.expect("EPSV", 229);
        SocketAddr::new(self.server().ip(), hostport::read_229(text.as_bytes()).expect("229 tells a port"))
    }

    /// PASV; the address to connect to.
    #[track_caller]
    pub(crate) fn pasv(&mut self) -> SocketAddr {
        let text = self.expect("PASV", 227);
        hostport::read_227(text.as_bytes()).expect("227 tells an address").into()
    }

    /// EPSV and a connection there.
    #[track_caller]
    pub(crate) fn passive(&mut self) -> TcpStream {
        data(TcpStream::connect(self.epsv()).expect("the passive port takes connections"))
    }

    /// A listener on our address, told by PORT or EPRT.
    #[track_caller]
    pub(crate) fn active(&mut self) -> TcpListener {
        let listener = TcpListener::bind((self.local().ip(), 0)).unwrap();
        let command = match listener.local_addr().unwrap() {
            SocketAddr::V4(v4) => format!("PORT {}", hostport::write_port(v4)),
            v6 @ SocketAddr::V6(_) => format!("EPRT {}", hostport::write_eprt(v6)),
        };
        self.expect(&command, 200);
        listener
    }

    /// A transfer to us over a passive connection: 150, bytes, 226.
    #[track_caller]
    pub(crate) fn fetch(&mut self, command: &str) -> Vec<u8> {
        let mut link = self.passive();
        self.expect(command, 150);
        let bytes = all(&mut link);
        self.hear(226);
        bytes
    }

    /// A transfer from us over a passive connection: 150, bytes, and what is said at the end.
    #[track_caller]
    pub(crate) fn store(&mut self, command: &str, bytes: &[u8]) -> Said {
        let mut link = self.passive();
        self.expect(command, 150);
        link.write_all(bytes).expect("the server takes bytes");
        drop(link);
        self.reply()
    }
}

/// A data connection that does not wait for ever.
pub(crate) fn data(stream: TcpStream) -> TcpStream {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Reads to the end.
#[track_caller]
pub(crate) fn all(link: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    link.read_to_end(&mut bytes).expect("the data connection ends in order");
    bytes
}

/// What came before the end, whichever way it ended. One that does not end is a failure.
#[track_caller]
pub(crate) fn to_the_end(link: &mut TcpStream) -> Vec<u8> {
    link.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut bytes = Vec::new();
    if let Err(e) = link.read_to_end(&mut bytes) {
        let waited = matches!(e.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut);
        assert!(!waited, "the connection was not ended");
    }
    bytes
}

/// Ends a connection by a reset, as a machine does that was switched off and on.
pub(crate) fn reset(stream: TcpStream) {
    SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
}

/// A connection that comes from another address of this machine.
#[track_caller]
pub(crate) fn from_elsewhere(ip: IpAddr, to: SocketAddr) -> TcpStream {
    try_from_elsewhere(ip, to).expect("the port takes connections")
}

/// The same, if the port takes connections.
pub(crate) fn try_from_elsewhere(ip: IpAddr, to: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::new(ip, 0).into()).unwrap();
    socket.connect(&to.into())?;
    Ok(data(socket.into()))
}
