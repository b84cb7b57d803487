//! A loop that starts one server process a connection, with the connection as its standard input and output, as inetd
//! does. The port is free for certain, nothing has to be waited for, and what was started is stopped with the value.

use std::fs::File;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use rustix::process::{Pid, Signal, kill_process_group};

/// The loops of one server, one an address.
pub(super) struct Inetd {
    loops: Vec<(SocketAddr, JoinHandle<()>)>,
    stop: Arc<AtomicBool>,
    children: Arc<Mutex<Vec<Child>>>,
}

impl Inetd {
    /// Serves 127.0.0.1, and ::1 where there is one, by what `command` gives; what it says on stderr goes to `log`.
    pub(super) fn serve(log: &Path, command: impl Fn() -> Command + Send + Sync + 'static) -> Inetd {
        let (stop, children) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::new())));
        let log = File::options().create(true).append(true).open(log).expect("a log can be written");
        let (log, command) = (Arc::new(log), Arc::new(command));
        let mut loops = Vec::new();
        for address in [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)] {
            let Ok(listener) = TcpListener::bind((address, 0)) else { continue };
            let at = listener.local_addr().expect("a listener has an address");
            let (stop, children) = (Arc::clone(&stop), Arc::clone(&children));
            let (log, command) = (Arc::clone(&log), Arc::clone(&command));
            let running = std::thread::spawn(move || {
                while let Ok((stream, _)) = listener.accept() {
                    if stop.load(Ordering::SeqCst) {
                        return;
                    }
                    let child = start(command(), stream, &log);
                    let mut children = lock(&children);
                    children.retain_mut(|child| matches!(child.try_wait(), Ok(None)));
                    children.push(child);
                }
            });
            loops.push((at, running));
        }
        Inetd { loops, stop, children }
    }

    /// Where it listens.
    pub(super) fn addresses(&self) -> Vec<SocketAddr> {
        self.loops.iter().map(|(at, _)| *at).collect()
    }
}

impl Drop for Inetd {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        for (at, running) in self.loops.drain(..) {
            // A last connection, so that the loop looks at `stop`.
            _ = TcpStream::connect(at);
            _ = running.join();
        }
        for mut child in lock(&self.children).drain(..) {
            // A server may have split in two; its halves are of one group.
            if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw)
                && matches!(child.try_wait(), Ok(None))
            {
                _ = kill_process_group(group, Signal::KILL);
            }
            _ = child.wait();
        }
    }
}

fn start(mut command: Command, stream: TcpStream, log: &File) -> Child {
    let second = stream.try_clone().expect("a socket can be cloned");
    command.stdin(OwnedFd::from(stream)).stdout(OwnedFd::from(second));
    command.stderr(log.try_clone().expect("a file can be cloned"));
    command.process_group(0);
    command.spawn().unwrap_or_else(|error| panic!("{command:?} did not start: {error}"))
}

fn lock(children: &Mutex<Vec<Child>>) -> std::sync::MutexGuard<'_, Vec<Child>> {
    children.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}
