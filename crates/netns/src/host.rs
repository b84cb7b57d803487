//! A host or a router: one network namespace. What runs in it, and which addresses and routes it has.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Write;
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::names::{self, FILES, NAMESPACES};
use crate::process::Process;
use crate::{Error, Result};

/// One host of a net. Clones are the same host.
#[derive(Debug, Clone)]
pub struct Host {
    name: Arc<str>,
    netns: Arc<str>,
}

impl Host {
    pub(crate) fn make(name: &str, netns: &str) -> Result<Host> {
        if name.len() > 15 {
            return Err(Error(format!("{name} is too long for the name of an interface")));
        }
        let _open = names::open();
        ip_batch(None, &format!("netns add {netns}\n"))?;
        Ok(Host { name: name.into(), netns: netns.into() })
    }

    /// What it needs before it has a link.
    pub(crate) fn set_up(&self, forwards: bool) -> Result<()> {
        // No second of waiting for a twin of an address, and no limit on the refusals a second.
        let mut settings = vec![
            ("net/ipv6/conf/all/accept_dad", "0"),
            ("net/ipv6/conf/default/accept_dad", "0"),
            ("net/ipv4/icmp_ratelimit", "0"),
            ("net/ipv6/icmp/ratelimit", "0"),
        ];
        if forwards {
            settings.extend([("net/ipv4/ip_forward", "1"), ("net/ipv6/conf/all/forwarding", "1")]);
        }
        settings.into_iter().try_for_each(|(setting, value)| self.set(setting, value))?;
        ip_batch(Some(&self.netns), "link set lo up\n")
    }

    /// Its name, which the interfaces of its neighbours have too.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What `ip netns` calls it.
    #[must_use]
    pub fn netns(&self) -> &str {
        &self.netns
    }

    /// Where it sends what is not for its neighbours: an address, or one of each family with a space between.
    ///
    /// # Errors
    /// When no link leads there.
    pub fn goes_by(&self, routers: &str) -> Result<()> {
        let mut lines = String::new();
        for router in routers.split_whitespace() {
            let all = if router.contains(':') { "::/0" } else { "default" };
            lines.push_str(&format!("route add {all} via {router}\n"));
        }
        ip_batch(Some(&self.netns), &lines)
    }

    /// Sets a value below `/proc/sys`.
    ///
    /// # Errors
    /// When there is none of this name, or it does not take the value.
    pub fn set(&self, setting: &str, value: &str) -> Result<()> {
        let done = self.inside(|| fs::write(Path::new("/proc/sys").join(setting), value))?;
        done.map_err(|error| Error(format!("{setting} of {} does not take {value}: {error}", self.name)))
    }

    /// A program that will run here, to be given more and started as any other.
    #[must_use]
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.netns]).arg(program);
        command
    }

    /// Runs a program here to its end and gives what it printed.
    ///
    /// # Errors
    /// When it does not start or fails, with what it said.
    pub fn run<A: AsRef<OsStr>>(&self, program: &str, args: impl IntoIterator<Item = A>) -> Result<String> {
        let mut command = self.command(program);
        command.args(args).stdin(Stdio::null());
        let out = command.output().map_err(|error| Error(format!("{command:?} did not start: {error}")))?;
        fine(&format!("{program} at {}", self.name), &out)
    }

    /// Starts a program here. It ends with the value.
    ///
    /// # Errors
    /// When it does not start.
    pub fn spawn<A: AsRef<OsStr>>(
        &self,
        program: impl AsRef<OsStr>,
        args: impl IntoIterator<Item = A>,
    ) -> Result<Process> {
        let mut command = self.command(program);
        command.args(args);
        Process::start(command)
    }

    /// Gives what is started here by [`Host::command`] another file in the place of `/etc/NAME`.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn etc(&self, name: &str, text: &str) -> Result<()> {
        let _open = names::open();
        let folder = Path::new(FILES).join(&*self.netns);
        let written = fs::create_dir_all(&folder).and_then(|()| fs::write(folder.join(name), text));
        written.map_err(|error| Error(format!("{}: {error}", folder.join(name).display())))
    }

    /// Does something here, in a thread of its own: sockets that it opens belong to this host, wherever they are used later.
    ///
    /// # Errors
    /// When the host is no more.
    ///
    /// # Panics
    /// When `work` does.
    pub fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T> {
        let gone = |error: std::io::Error| Error(format!("{} is no more: {error}", self.name));
        let space = File::open(Path::new(NAMESPACES).join(&*self.netns)).map_err(gone)?;
        let done = std::thread::scope(|scope| {
            let work = || {
                move_into_link_name_space(space.as_fd(), Some(LinkNameSpaceType::Network))
                    .map_err(|errno| gone(errno.into()))?;
                Ok(work())
            };
            scope.spawn(work).join()
        });
        done.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    /// Gives an interface its addresses and lets it work; `more` is what `ip link set` is told besides.
    ///
    /// # Errors
    /// When there is none of this name.
    pub fn dress(&self, interface: &str, addresses: &str, more: &str) -> Result<()> {
        let mut lines = format!("link set {interface} up {more}\n");
        for address in addresses.split_whitespace() {
            let at_once = if address.contains(':') { " nodad" } else { "" };
            lines.push_str(&format!("addr add {address} dev {interface}{at_once}\n"));
        }
        ip_batch(Some(&self.netns), &lines)
    }

    /// Its rules with their counters: what a failed test shows.
    #[must_use]
    pub fn seen(&self) -> String {
        let listed = self.command("nft").args(["list", "ruleset"]).output();
        let text = listed.map(|out| String::from_utf8_lossy(&out.stdout).into_owned()).unwrap_or_default();
        format!("-- the rules of {}:\n{text}", self.name)
    }
}

/// One run of `ip` over several lines.
pub(crate) fn ip_batch(netns: Option<&str>, lines: &str) -> Result<()> {
    let mut command = Command::new("ip");
    if let Some(netns) = netns {
        command.args(["-n", netns]);
    }
    command.args(["-batch", "-"]);
    feed(command, lines).map(|_| ())
}

/// Runs a command of [`Host::command`] to its end, tells it a text, and gives what it printed.
///
/// # Errors
/// As [`Host::run`] has them.
pub fn feed(mut command: Command, text: &str) -> Result<String> {
    let said = format!("{command:?}");
    let lost = |error: std::io::Error| Error(format!("{said} did not run: {error}"));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(lost)?;
    let fed = child.stdin.take().map_or(Ok(()), |mut to| to.write_all(text.as_bytes()));
    let out = child.wait_with_output().map_err(lost)?;
    // A program that reads no further says why.
    let printed = fine(&format!("{said}, which was told\n{text}\n"), &out)?;
    fed.map_err(lost)?;
    Ok(printed)
}

fn fine(what: &str, out: &Output) -> Result<String> {
    let [printed, complaint] = [&out.stdout, &out.stderr].map(|text| String::from_utf8_lossy(text));
    match out.status.success() {
        true => Ok(printed.into_owned()),
        false => Err(Error(format!("{what} ended with {}: {complaint}{printed}", out.status))),
    }
}
