//! Hosts, routers and firewalls, made of Linux's network namespaces. Root only. A [`Net`] is built, and all that belongs to it
//! goes with it; what a killed run left behind goes when the next one begins.
//!
//! ```no_run
//! use twoport_netns::Net;
//!
//! # fn main() -> twoport_netns::Result<()> {
//! let net = Net::new()?;
//! let (client, gate, server) = (net.host("client")?, net.router("gate")?, net.host("server")?);
//! net.link((&client, "10.1.1.2/24 2001:db8:1::2/64"), (&gate, "10.1.1.1/24 2001:db8:1::1/64"))?;
//! net.link((&gate, "10.2.2.1/24"), (&server, "10.2.2.2/24"))?;
//! client.goes_by("10.1.1.1 2001:db8:1::1")?;
//! server.goes_by("10.2.2.1")?;
//! gate.load_nft("table ip nat { chain out { type nat hook postrouting priority srcnat; oifname server masquerade; } }")?;
//! client.run("curl", ["ftp://10.2.2.2/"])?;
//! # Ok(())
//! # }
//! ```
//!
//! An end of a link is named after the host at the other end, so the gate above has the interfaces `client` and `server`.
#![cfg(target_os = "linux")]

mod host;
mod names;
mod process;
mod tables;

use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

pub use host::{Host, feed};
pub use process::Process;

use host::ip_batch;

/// What could not be made or done, in a sentence with the reason.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct Error(String);

impl Error {
    /// An error in these words.
    #[must_use]
    pub fn new(text: String) -> Error {
        Error(text)
    }
}

/// What all of this gives.
pub type Result<T> = std::result::Result<T, Error>;

/// Some hosts and what connects them.
#[derive(Debug)]
pub struct Net {
    name: String,
    hosts: Mutex<Vec<Host>>,
}

impl Net {
    /// An empty network.
    ///
    /// # Errors
    /// Where [`unavailable`] says why.
    pub fn new() -> Result<Net> {
        match unavailable() {
            Some(why) => Err(Error(format!("network namespaces cannot be made here: {why}"))),
            None => Ok(Net { name: names::new_net()?, hosts: Mutex::default() }),
        }
    }

    /// A host without a link. Its name is short, since it names interfaces too: at most 15 letters.
    ///
    /// # Errors
    /// When there is one of this name, or the kernel does not make it.
    pub fn host(&self, name: &str) -> Result<Host> {
        self.add(name, false)
    }

    /// A host that forwards what is not for itself.
    ///
    /// # Errors
    /// As [`Net::host`] does.
    pub fn router(&self, name: &str) -> Result<Host> {
        self.add(name, true)
    }

    /// A folder of it, empty at first. It goes with the net.
    ///
    /// # Errors
    /// When it cannot be made, or was made before.
    pub fn folder(&self) -> Result<PathBuf> {
        let _open = names::open();
        let folder = names::folder(&self.name);
        let made = std::fs::DirBuilder::new().mode(0o700).create(&folder);
        made.map_err(|error| Error(format!("{}: {error}", folder.display())))?;
        Ok(folder)
    }

    fn add(&self, name: &str, forwards: bool) -> Result<Host> {
        let host = Host::make(name, &format!("{}-{name}", self.name))?;
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner).push(host.clone());
        host.set_up(forwards)?;
        Ok(host)
    }

    /// A cable between two hosts. Each end says its addresses, with their lengths and a space between.
    ///
    /// # Errors
    /// When the kernel does not make it.
    pub fn link(&self, a: (&Host, &str), b: (&Host, &str)) -> Result<()> {
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
        )?;
        a.0.dress(b.0.name(), a.1, "")?;
        b.0.dress(a.0.name(), b.1, "")
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        for host in self.hosts.get_mut().unwrap_or_else(PoisonError::into_inner).iter() {
            if std::thread::panicking() {
                eprintln!("{}", host.seen());
            }
            names::remove(host.netns());
        }
        // Most nets have none.
        _ = std::fs::remove_dir_all(names::folder(&self.name));
    }
}

/// Removes all that this process has made, and ends what runs in it: for a program that is told to end, and does so at once.
/// Whoever uses a net meanwhile has it no longer, and whoever makes one waits for ever.
pub fn clear() {
    names::close();
    names::sweep(|maker| maker == std::process::id());
}

/// Why no network can be made here, if that is so. It is tried once.
pub fn unavailable() -> Option<&'static str> {
    static WHY: OnceLock<Option<String>> = OnceLock::new();
    WHY.get_or_init(names::tried).as_deref()
}
