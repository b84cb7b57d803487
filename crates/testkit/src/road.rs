//! A long road between two hosts: a pair of TUN devices, and a thread for each direction that carries packets from one to the
//! other, late, and not all of them. It does by hand what `netem` does in kernels that have it.

use std::collections::VecDeque;
use std::io::{ErrorKind, PipeReader, PipeWriter};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tun_rs::{DeviceBuilder, SyncDevice};
use twoport_netns::Host;

use crate::random::Random;

/// What a road does to packets, in each direction.
#[derive(Debug, Clone, Copy)]
pub struct Road {
    /// How long a packet is on its way.
    pub delay: Duration,
    /// How many of a thousand packets are lost; which ones is the same in every run.
    pub lost: usize,
    /// The largest packet.
    pub mtu: u16,
}

/// A road that is open. It goes with the value, which goes before its net.
#[derive(Debug)]
pub struct Carriers {
    /// Closed when the value goes, which both see.
    stop: Option<PipeWriter>,
    threads: Vec<JoinHandle<()>>,
}

impl Road {
    /// Opens it between two hosts. Each end says its addresses, as for a link.
    ///
    /// # Panics
    /// When the kernel does not make it.
    #[track_caller]
    #[must_use]
    pub fn between(self, a: (&Host, &str), b: (&Host, &str)) -> Carriers {
        let (stopped, stop) = std::io::pipe().expect("a pipe can be made");
        let stopped = Arc::new(stopped);
        let [near, far] = [(a.0, b.0), (b.0, a.0)].map(|(host, other)| Arc::new(open(host, other.name())));
        let threads = [(Arc::clone(&near), Arc::clone(&far), 1), (far, near, 2)].map(|(from, to, seed)| {
            let stopped = Arc::clone(&stopped);
            std::thread::spawn(move || carry(&from, &to, self, seed, &stopped))
        });
        let carriers = Carriers { stop: Some(stop), threads: threads.into() };
        for ((host, addresses), other) in [(a, b.0), (b, a.0)] {
            let more = format!("mtu {} txqueuelen 20000", self.mtu);
            host.dress(other.name(), addresses, &more).expect("the device was just made");
        }
        for (host, other) in [(a.0, b.0), (b.0, a.0)] {
            has_carrier(host, other.name());
        }
        carriers
    }
}

impl Drop for Carriers {
    fn drop(&mut self) {
        self.stop = None;
        for thread in self.threads.drain(..) {
            // A panic of it has been printed.
            _ = thread.join();
        }
    }
}

#[track_caller]
fn open(host: &Host, name: &str) -> SyncDevice {
    let made = host.inside(|| {
        let tun = DeviceBuilder::new().name(name).build_sync()?;
        tun.set_nonblocking(true)?;
        Ok::<_, std::io::Error>(tun)
    });
    let made = made.expect("a host lives as long as its net");
    made.unwrap_or_else(|error| panic!("no TUN device {name} at {}: {error}", host.name()))
}

/// Waits until IPv6 works on an interface: its own address of the link is there.
#[track_caller]
fn has_carrier(host: &Host, interface: &str) {
    let end = Instant::now() + Duration::from_secs(10);
    let there = || {
        let listed = std::fs::read_to_string("/proc/thread-self/net/if_inet6").unwrap_or_default();
        listed.lines().any(|line| line.starts_with("fe80") && line.ends_with(&format!(" {interface}")))
    };
    while !host.inside(there).expect("a host lives as long as its net") {
        assert!(Instant::now() < end, "{interface} of {} does not come up", host.name());
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn carry(from: &SyncDevice, to: &SyncDevice, road: Road, seed: u64, stopped: &PipeReader) {
    let mut random = Random::new(seed);
    let mut on_the_way: VecDeque<(Instant, Vec<u8>)> = VecDeque::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        let now = Instant::now();
        while on_the_way.front().is_some_and(|(due, _)| *due <= now) {
            let (_, packet) = on_the_way.pop_front().expect("it was just seen");
            // What the far end does not take is lost, as on any road.
            _ = to.send(&packet);
        }
        let wait = on_the_way.front().map(|(due, _)| {
            Timespec::try_from(due.saturating_duration_since(now)).expect("a delay is short")
        });
        let mut watched = [PollFd::new(from, PollFlags::IN), PollFd::new(stopped, PollFlags::IN)];
        match poll(&mut watched, wait.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => panic!("a road cannot be watched: {error}"),
        }
        if !watched[1].revents().is_empty() {
            return;
        }
        loop {
            match from.recv(&mut buffer) {
                Ok(_) if random.below(1000) < road.lost => {}
                Ok(count) => on_the_way.push_back((Instant::now() + road.delay, buffer[..count].to_vec())),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                // A device that is down says so until it is up, and the poll goes on.
                Err(_) => break,
            }
        }
    }
}
