//! Hosts, routers, firewalls and long roads, made of Linux's network namespaces. Root only. A [`Net`] is built by a test, and
//! all that belongs to it goes with it; what a killed test run left behind goes when the next one begins.
//!
//! ```no_run
//! use twoport_testkit::netns::Net;
//!
//! let net = Net::new();
//! let (client, gate, server) = (net.host("client"), net.router("gate"), net.host("server"));
//! net.link((&client, "10.1.1.2/24 2001:db8:1::2/64"), (&gate, "10.1.1.1/24 2001:db8:1::1/64"));
//! net.link((&gate, "10.2.2.1/24"), (&server, "10.2.2.2/24"));
//! client.goes_by("10.1.1.1 2001:db8:1::1");
//! server.goes_by("10.2.2.1");
//! gate.load_nft("table ip nat { chain out { type nat hook postrouting priority srcnat; oifname server masquerade; } }");
//! client.run("curl", ["ftp://10.2.2.2/"]);
//! ```
//!
//! An end of a link is named after the host at the other end, so the gate above has the interfaces `client` and `server`.

mod host;
mod names;
mod process;
mod road;
mod tables;

use std::cell::RefCell;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

pub use host::Host;
pub use process::Process;
pub use road::Road;
pub use tables::{Count, Family, have_iptables};

use host::ip_batch;

/// Some hosts and what connects them.
#[derive(Debug)]
pub struct Net {
    name: String,
    hosts: RefCell<Vec<Host>>,
    roads: RefCell<Vec<road::Carriers>>,
}

impl Net {
    /// An empty network.
    ///
    /// # Panics
    ///
    /// Where [`unavailable`] says why.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "it makes something in the world")]
    pub fn new() -> Net {
        Net { name: names::new_net(), hosts: RefCell::default(), roads: RefCell::default() }
    }

    /// A host without a link. Its name is short, since it names interfaces too: at most 15 letters.
    ///
    /// # Panics
    ///
    /// When there is one of this name, or the kernel does not make it.
    #[track_caller]
    pub fn host(&self, name: &str) -> Host {
        self.add(name, false)
    }

    /// A host that forwards what is not for itself.
    ///
    /// # Panics
    ///
    /// As [`Net::host`] does.
    #[track_caller]
    pub fn router(&self, name: &str) -> Host {
        self.add(name, true)
    }

    #[track_caller]
    fn add(&self, name: &str, forwards: bool) -> Host {
        let host = Host::make(name, &format!("{}-{name}", self.name), forwards);
        self.hosts.borrow_mut().push(host.clone());
        host
    }

    /// A cable between two hosts. Each end says its addresses, with their lengths and a space between.
    ///
    /// # Panics
    ///
    /// When the kernel does not make it.
    #[track_caller]
    pub fn link(&self, a: (&Host, &str), b: (&Host, &str)) {
        // Two ends with one number would be taken for no pair, and what comes through would be told up to a second later:
        // IPv6 begins to work only then.
        static NUMBER: AtomicU32 = AtomicU32::new(1000);
        let number = NUMBER.fetch_add(2, Ordering::Relaxed);
        ip_batch(
            None,
            &format!(
                "link add {} netns {} index {number} type veth peer name {} netns {} index {}\n",
                b.0.name(),
                a.0.netns(),
                a.0.name(),
                b.0.netns(),
                number + 1,
            ),
        );
        a.0.dress(b.0.name(), a.1, "");
        b.0.dress(a.0.name(), b.1, "");
    }

    /// A link with a delay, with losses, or with a smaller MTU.
    ///
    /// # Panics
    ///
    /// When the kernel does not make it.
    #[track_caller]
    pub fn road(&self, a: (&Host, &str), b: (&Host, &str), road: Road) {
        let carriers = road::Carriers::between(a.0, b.0, road);
        for ((host, addresses), other) in [(a, b.0), (b, a.0)] {
            host.dress(other.name(), addresses, &format!("mtu {} txqueuelen 20000", road.mtu));
        }
        for (host, other) in [(a.0, b.0), (b.0, a.0)] {
            host.has_carrier(other.name());
        }
        self.roads.borrow_mut().push(carriers);
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        self.roads.borrow_mut().clear();
        for host in self.hosts.borrow().iter() {
            if std::thread::panicking() {
                eprintln!("{}", host.seen());
            }
            names::remove(host.netns());
        }
    }
}

/// Why no network can be made here, if that is so. It is tried once.
pub fn unavailable() -> Option<&'static str> {
    static WHY: OnceLock<Option<String>> = OnceLock::new();
    WHY.get_or_init(names::tried).as_deref()
}

/// Whether networks can be made; where not, says that the test is skipped.
#[must_use]
pub fn have() -> bool {
    if let Some(why) = unavailable() {
        println!("skipped: network namespaces ({why})");
    }
    unavailable().is_none()
}
