//! What takes connections at a host, in threads; and what stands on the way and is no router: something that says nothing, and a
//! SOCKS proxy.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use twoport_netns::{Error, Host, Result};

/// How often somebody who waits looks whether he still should.
pub(crate) const LOOK: Duration = Duration::from_millis(20);

/// How long a connection or a request may take.
const PATIENCE: Duration = Duration::from_secs(6);

/// Takes connections at a port of a host. It ends with the value, and so do they.
#[derive(Debug)]
pub(crate) struct Running {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    /// Takes connections and keeps them.
    pub(crate) fn mute(host: &Host, port: u16) -> Result<Running> {
        Running::begin(host, port, |_kept, stop| {
            while !stop.load(Ordering::Relaxed) {
                std::thread::sleep(LOOK);
            }
            Ok(())
        })
    }

    /// A SOCKS proxy of version 5 without a login (RFC 1928), which connects and does no more.
    pub(crate) fn socks(host: &Host, port: u16) -> Result<Running> {
        Running::begin(host, port, |client, stop| relay(&client, stop))
    }

    /// Does the same with each connection, in a thread of its own, and tells it when to stop.
    pub(crate) fn begin(
        host: &Host,
        port: u16,
        each: impl Fn(TcpStream, &AtomicBool) -> std::io::Result<()> + Send + Sync + 'static,
    ) -> Result<Running> {
        let listener = listen(host, port)?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        // Its threads are of the host, and so is every socket that they open.
        let thread = host.inside(|| {
            std::thread::spawn(move || {
                std::thread::scope(|scope| {
                    while let Some(stream) = accept(&listener, &stopped) {
                        let (each, stopped) = (&each, &stopped);
                        // Who has gone is no matter.
                        scope.spawn(move || each(stream, stopped));
                    }
                });
            })
        })?;
        Ok(Running { stop, thread: Some(thread) })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // A panic of it has been printed.
        _ = self.thread.take().map(JoinHandle::join);
    }
}

/// A listener of a host, for both families, which is asked and does not wait.
fn listen(host: &Host, port: u16) -> Result<TcpListener> {
    let made = host.inside(|| {
        let listener = TcpListener::bind(("::", port))?;
        listener.set_nonblocking(true)?;
        Ok::<_, std::io::Error>(listener)
    });
    made?.map_err(|error| Error::new(format!("nobody can listen on port {port} of {}: {error}", host.name())))
}

/// The next connection; none when it is to stop.
fn accept(listener: &TcpListener, stop: &AtomicBool) -> Option<TcpStream> {
    while !stop.load(Ordering::Relaxed) {
        match listener.accept() {
            Ok((stream, _)) => return Some(stream),
            Err(_) => std::thread::sleep(LOOK),
        }
    }
    None
}

fn relay(mut client: &TcpStream, stop: &AtomicBool) -> std::io::Result<()> {
    client.set_nonblocking(false)?;
    client.set_read_timeout(Some(PATIENCE))?;
    let mut hello = [0; 2];
    client.read_exact(&mut hello)?;
    client.read_exact(&mut vec![0; usize::from(hello[1])])?;
    client.write_all(&[5, 0])?;
    let mut request = [0; 4];
    client.read_exact(&mut request)?;
    let reached = match (request[1], target(client, request[3])?) {
        (1, Some(to)) => TcpStream::connect_timeout(&to, PATIENCE).ok(),
        _ => None,
    };
    let Some(server) = reached else { return client.write_all(&[5, 5, 0, 1, 0, 0, 0, 0, 0, 0]) };
    client.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0])?;
    std::thread::scope(|scope| {
        scope.spawn(|| pump(client, &server, stop));
        pump(&server, client, stop)
    })
}

/// The address and the port of a request. A name is no matter here: the hosts have addresses.
fn target(mut client: &TcpStream, kind: u8) -> std::io::Result<Option<SocketAddr>> {
    let ip = match kind {
        1 => {
            let mut bytes = [0; 4];
            client.read_exact(&mut bytes)?;
            Some(IpAddr::from(Ipv4Addr::from(bytes)))
        }
        4 => {
            let mut bytes = [0; 16];
            client.read_exact(&mut bytes)?;
            Some(IpAddr::from(Ipv6Addr::from(bytes)))
        }
        _ => {
            let mut length = [0];
            client.read_exact(&mut length)?;
            let mut name = vec![0; usize::from(length[0])];
            client.read_exact(&mut name)?;
            String::from_utf8_lossy(&name).parse().ok()
        }
    };
    let mut port = [0; 2];
    client.read_exact(&mut port)?;
    Ok(ip.map(|ip| SocketAddr::new(ip, u16::from_be_bytes(port))))
}

/// Carries what comes from the one to the other, and its end.
fn pump(mut from: &TcpStream, mut to: &TcpStream, stop: &AtomicBool) -> std::io::Result<()> {
    from.set_read_timeout(Some(LOOK))?;
    let mut buffer = vec![0; 1 << 16];
    while !stop.load(Ordering::Relaxed) {
        match from.read(&mut buffer) {
            Ok(0) => return to.shutdown(Shutdown::Write),
            Ok(count) => to.write_all(&buffer[..count])?,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(error) => {
                // The other end is told so, too.
                _ = to.shutdown(Shutdown::Both);
                return Err(error);
            }
        }
    }
    Ok(())
}
