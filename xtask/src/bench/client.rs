//! The client of the loads: as cheap as can be, so that the server is what is measured. It blocks, it makes no copy of what it
//! fetches (recv with MSG_TRUNC throws it away in the kernel), and uploads come from a file in memory by sendfile. In TLS it
//! has to touch the bytes. Errors are the server's own words.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustix::net::RecvFlags;
use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme, StreamOwned};
use twoport_proto::hostport;

/// Bytes that have passed, and whether it is enough.
#[derive(Default)]
pub(super) struct Meter {
    pub(super) bytes: AtomicU64,
    pub(super) stop: AtomicBool,
}

impl Meter {
    fn add(&self, bytes: usize) {
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(super) fn is_over(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

/// A control connection that is logged in as anonymous.
pub(super) struct Session {
    lines: BufReader<Wire>,
    host: IpAddr,
    tls: Option<Arc<ClientConfig>>,
}

/// A data connection whose 150 has come.
pub(super) struct Data {
    wire: Wire,
    /// When the command was sent.
    asked: Instant,
}

enum Wire {
    Clear(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Session {
    /// Comes in; with `tls` both connections are in TLS.
    pub(super) fn login(at: SocketAddr, tls: Option<&ClientConfig>) -> Result<Session, String> {
        let stream = connect(at)?;
        let mut session = Session { lines: BufReader::new(Wire::Clear(stream)), host: at.ip(), tls: None };
        session.hear("the greeting", b"2")?;
        if let Some(tls) = tls {
            // A store of its own: a data connection resumes its own login's session, as some servers demand.
            let mut tls = tls.clone();
            tls.resumption = Resumption::in_memory_sessions(8);
            let tls = Arc::new(tls);
            session.ask("AUTH TLS", b"2")?;
            let Wire::Clear(stream) = session.lines.into_inner() else { unreachable!("AUTH is sent once") };
            let lines = BufReader::new(secure(stream, &tls)?);
            session = Session { lines, host: at.ip(), tls: Some(tls) };
        }
        let asked = session.ask("USER anonymous", b"23")?;
        if asked.starts_with('3') {
            session.ask("PASS bench@example.com", b"2")?;
        }
        if session.tls.is_some() {
            session.ask("PBSZ 0", b"2")?;
            session.ask("PROT P", b"2")?;
        }
        session.ask("TYPE I", b"2")?;
        Ok(session)
    }

    /// Sends a line and reads its reply, which must begin with one of these digits.
    pub(super) fn ask(&mut self, line: &str, good: &[u8]) -> Result<String, String> {
        self.send(line)?;
        self.hear(line, good)
    }

    /// Asks for a data connection by PASV, goes there, and sends the command.
    pub(super) fn open(&mut self, command: &str) -> Result<Data, String> {
        let told = self.ask("PASV", b"2")?;
        let port = port_of_227(&told).ok_or_else(|| format!("PASV: {told}"))?;
        let stream = connect((self.host, port).into())?;
        let asked = Instant::now();
        self.send(command)?;
        self.hear(command, b"1")?;
        let wire = match &self.tls {
            Some(tls) => secure(stream, tls)?,
            None => Wire::Clear(stream),
        };
        Ok(Data { wire, asked })
    }

    /// The reply that ends a transfer.
    pub(super) fn finish(&mut self, command: &str) -> Result<(), String> {
        self.hear(command, b"2").map(drop)
    }

    fn send(&mut self, line: &str) -> Result<(), String> {
        let sent = self.lines.get_mut().write_all(format!("{line}\r\n").as_bytes());
        sent.and_then(|()| self.lines.get_mut().flush()).map_err(|e| format!("{line}: {e}"))
    }

    fn hear(&mut self, of: &str, good: &[u8]) -> Result<String, String> {
        loop {
            let mut line = Vec::new();
            match self.lines.read_until(b'\n', &mut line) {
                Ok(0) => return Err(format!("{of}: the control connection was closed")),
                Ok(_) => {}
                Err(e) => return Err(format!("{of}: {e}")),
            }
            if line.len() > 3 && line[3] == b' ' && line[..3].iter().all(u8::is_ascii_digit) {
                let text = String::from_utf8_lossy(&line).trim_end().to_owned();
                return if good.contains(&line[0]) { Ok(text) } else { Err(format!("{of}: {text}")) };
            }
        }
    }
}

impl Data {
    /// Fetches to the end and throws it away; how long after the command the first byte came. `None` when the meter says
    /// before the end that it is enough: the connection is cut then.
    pub(super) fn discard(mut self, meter: &Meter) -> Result<Option<Duration>, String> {
        let (mut first, mut bytes) = (None, vec![0; if self.is_clear() { 1 << 20 } else { 64 << 10 }]);
        while !meter.is_over() {
            let count = match &mut self.wire {
                Wire::Clear(stream) => rustix::net::recv(stream.as_fd(), &mut bytes[..], RecvFlags::TRUNC)
                    .map(|(_, count)| count)
                    .map_err(io::Error::from),
                Wire::Tls(stream) => match stream.read(&mut bytes) {
                    // Some servers never say close_notify.
                    Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => Ok(0),
                    read => read,
                },
            };
            match count {
                Ok(0) => return Ok(Some(first.unwrap_or_else(|| self.asked.elapsed()))),
                Ok(count) => {
                    first.get_or_insert_with(|| self.asked.elapsed());
                    meter.add(count);
                }
                Err(e) => return Err(format!("the data connection: {e}")),
            }
        }
        Ok(None)
    }

    /// Reads to the end; how many lines there were.
    pub(super) fn lines(mut self) -> Result<usize, String> {
        let mut text = Vec::new();
        match self.wire.read_to_end(&mut text) {
            Err(e) if e.kind() != io::ErrorKind::UnexpectedEof => Err(format!("the data connection: {e}")),
            _ => Ok(text.iter().filter(|byte| **byte == b'\n').count()),
        }
    }

    /// Sends the first `size` bytes of a file in memory and ends in order.
    pub(super) fn fill(mut self, source: BorrowedFd<'_>, size: u64, meter: &Meter) -> Result<(), String> {
        let sent = match &mut self.wire {
            Wire::Clear(stream) => send_clear(stream, source, size, meter),
            Wire::Tls(stream) => send_tls(stream, size, meter),
        };
        sent.map_err(|e| format!("the data connection: {e}"))
    }

    fn is_clear(&self) -> bool {
        matches!(self.wire, Wire::Clear(_))
    }
}

fn send_clear(stream: &TcpStream, source: BorrowedFd<'_>, size: u64, meter: &Meter) -> io::Result<()> {
    let mut at = 0;
    while at < size {
        let left = (size - at) as usize;
        match rustix::fs::sendfile(stream.as_fd(), source, Some(&mut at), left)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => meter.add(count),
        }
    }
    stream.shutdown(Shutdown::Write)
}

fn send_tls(
    stream: &mut StreamOwned<ClientConnection, TcpStream>,
    size: u64,
    meter: &Meter,
) -> io::Result<()> {
    let bytes = [0x5a; 64 << 10];
    let mut left = size;
    while left > 0 {
        let count = bytes.len().min(usize::try_from(left).unwrap_or(bytes.len()));
        stream.write_all(&bytes[..count])?;
        meter.add(count);
        left -= count as u64;
    }
    stream.conn.send_close_notify();
    stream.flush()?;
    stream.sock.shutdown(Shutdown::Write)?;
    // What the server says at the end, tickets too: unread it would turn our end into a reset.
    let _ = io::copy(stream, &mut io::sink());
    Ok(())
}

fn connect(at: SocketAddr) -> Result<TcpStream, String> {
    let stream = TcpStream::connect_timeout(&at, PATIENCE)
        .map_err(|e| format!("connecting to port {}: {e}", at.port()))?;
    let set = stream.set_nodelay(true).and_then(|()| stream.set_read_timeout(Some(PATIENCE)));
    set.and_then(|()| stream.set_write_timeout(Some(PATIENCE))).map_err(|e| e.to_string())?;
    Ok(stream)
}

fn port_of_227(reply: &str) -> Option<u16> {
    hostport::read_227(reply.strip_prefix("227 ")?.as_bytes()).ok().map(|told| told.port())
}

fn secure(stream: TcpStream, tls: &Arc<ClientConfig>) -> Result<Wire, String> {
    let name = ServerName::from(IpAddr::from([127, 0, 0, 1]));
    let connection = ClientConnection::new(Arc::clone(tls), name).map_err(|e| e.to_string())?;
    let mut stream = StreamOwned::new(connection, stream);
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock).map_err(|e| format!("the TLS handshake: {e}"))?;
    }
    Ok(Wire::Tls(Box::new(stream)))
}

impl Read for Wire {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        match self {
            Wire::Clear(stream) => stream.read(bytes),
            Wire::Tls(stream) => stream.read(bytes),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Wire::Clear(stream) => stream.write(bytes),
            Wire::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Wire::Clear(stream) => stream.flush(),
            Wire::Tls(stream) => stream.flush(),
        }
    }
}

/// How the client speaks TLS. The run has made the certificate itself a moment ago, so nobody's word is asked for it; whoever
/// answers must hold its key all the same.
pub(super) fn trusting() -> Result<ClientConfig, String> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = Trusting(provider.signature_verification_algorithms);
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| e.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    Ok(config)
}

#[derive(Debug)]
struct Trusting(WebPkiSupportedAlgorithms);

impl ServerCertVerifier for Trusting {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, signed, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, signed, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}

/// How long a server may be silent.
const PATIENCE: Duration = Duration::from_secs(20);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_of_227_is_found_with_and_without_brackets() {
        assert_eq!(port_of_227("227 Entering Passive Mode (127,0,0,1,195,149)."), Some(50069));
        assert_eq!(port_of_227("227 127,0,0,1,195,149"), Some(50069));
        assert_eq!(port_of_227("227 Entering Passive Mode."), None);
    }
}
