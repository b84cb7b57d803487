//! What stands on the way and is no router: something that takes connections and says nothing.

use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use twoport_netns::{Error, Host, Result};

/// How often somebody who waits looks whether he still should.
pub(crate) const LOOK: Duration = Duration::from_millis(20);

/// Takes connections at a port of a host, and keeps them. It ends with the value.
#[derive(Debug)]
pub(crate) struct Mute {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Mute {
    pub(crate) fn begin(host: &Host, port: u16) -> Result<Mute> {
        let listener = listen(host, port)?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut taken = Vec::new();
            while let Some(stream) = accept(&listener, &stopped) {
                taken.push(stream);
            }
        });
        Ok(Mute { stop, thread: Some(thread) })
    }
}

impl Drop for Mute {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // A panic of it has been printed.
        _ = self.thread.take().map(JoinHandle::join);
    }
}

/// A listener of a host, for both families, which is asked and does not wait.
pub(crate) fn listen(host: &Host, port: u16) -> Result<TcpListener> {
    let made = host.inside(|| {
        let listener = TcpListener::bind(("::", port))?;
        listener.set_nonblocking(true)?;
        Ok::<_, std::io::Error>(listener)
    });
    made?.map_err(|error| Error::new(format!("nobody can listen on port {port} of {}: {error}", host.name())))
}

/// The next connection; none when it is to stop.
pub(crate) fn accept(listener: &TcpListener, stop: &AtomicBool) -> Option<TcpStream> {
    while !stop.load(Ordering::Relaxed) {
        match listener.accept() {
            Ok((stream, _)) => return Some(stream),
            Err(_) => std::thread::sleep(LOOK),
        }
    }
    None
}
