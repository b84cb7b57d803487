//! A host or a router: one network namespace. What runs in it, and which addresses and routes it has.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Write;
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::names::NAMESPACES;
use super::process::Process;

/// One host of a net. Clones are the same host.
#[derive(Debug, Clone)]
pub struct Host {
    name: Arc<str>,
    netns: Arc<str>,
}

impl Host {
    #[track_caller]
    pub(super) fn make(name: &str, netns: &str, forwards: bool) -> Host {
        assert!(name.len() <= 15, "{name} is too long for the name of an interface");
        ip_batch(None, &format!("netns add {netns}\n"));
        let host = Host { name: name.into(), netns: netns.into() };
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
        for (setting, value) in settings {
            host.set(setting, value);
        }
        ip_batch(Some(netns), "link set lo up\n");
        host
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
    /// # Panics
    ///
    /// When no link leads there.
    #[track_caller]
    pub fn goes_by(&self, routers: &str) {
        let routes: String =
            routers.split_whitespace().map(|router| format!("route add default via {router}\n")).collect();
        let (six, four): (Vec<&str>, Vec<&str>) = routes.lines().partition(|line| line.contains(':'));
        let six = six.iter().map(|line| line.replace("default", "::/0"));
        let lines: Vec<String> = four.iter().map(|line| (*line).to_owned()).chain(six).collect();
        ip_batch(Some(&self.netns), &format!("{}\n", lines.join("\n")));
    }

    /// Sets a value below `/proc/sys`.
    ///
    /// # Panics
    ///
    /// When there is none of this name, or it does not take the value.
    #[track_caller]
    pub fn set(&self, setting: &str, value: &str) {
        let done = self.inside(|| fs::write(Path::new("/proc/sys").join(setting), value));
        done.unwrap_or_else(|error| panic!("{setting} of {} does not take {value}: {error}", self.name));
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
    /// # Panics
    ///
    /// When it does not start or fails, with what it said.
    #[track_caller]
    pub fn run<A: AsRef<OsStr>>(&self, program: &str, args: impl IntoIterator<Item = A>) -> String {
        let mut command = self.command(program);
        command.args(args).stdin(Stdio::null());
        let out = command.output().unwrap_or_else(|error| panic!("{command:?} did not start: {error}"));
        fine(&format!("{program} at {}", self.name), &out)
    }

    /// Starts a program here. It ends with the value.
    ///
    /// # Panics
    ///
    /// When it does not start.
    #[track_caller]
    pub fn spawn<A: AsRef<OsStr>>(
        &self,
        program: impl AsRef<OsStr>,
        args: impl IntoIterator<Item = A>,
    ) -> Process {
        let mut command = self.command(program);
        command.args(args);
        Process::start(command)
    }

    /// Does something here, in a thread of its own: sockets that it opens belong to this host, wherever they are used later.
    ///
    /// # Panics
    ///
    /// When `work` does.
    #[track_caller]
    pub fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let space =
            File::open(Path::new(NAMESPACES).join(&*self.netns)).expect("it lives as long as its net");
        let done = std::thread::scope(|scope| {
            let work = || {
                move_into_link_name_space(space.as_fd(), Some(LinkNameSpaceType::Network))
                    .expect("root may enter what it made");
                work()
            };
            scope.spawn(work).join()
        });
        done.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    /// Feeds a program here with a text.
    #[track_caller]
    pub(super) fn feed(&self, mut command: Command, text: &str) -> String {
        let said = format!("{command:?}");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{said} did not start: {error}"));
        let fed = child.stdin.take().expect("it is piped").write_all(text.as_bytes());
        let out = child.wait_with_output().expect("a child can be waited for");
        // A program that reads no further says why.
        let text = fine(&format!("{said}, which was told\n{text}\n"), &out);
        fed.expect("a program that did well has read all");
        text
    }

    /// Gives an interface its addresses and lets it work.
    #[track_caller]
    pub(super) fn dress(&self, interface: &str, addresses: &str, more: &str) {
        let mut lines = format!("link set {interface} up {more}\n");
        for address in addresses.split_whitespace() {
            let at_once = if address.contains(':') { " nodad" } else { "" };
            lines.push_str(&format!("addr add {address} dev {interface}{at_once}\n"));
        }
        ip_batch(Some(&self.netns), &lines);
    }

    /// Waits until IPv6 works on an interface: its own address of the link is there.
    #[track_caller]
    pub(super) fn has_carrier(&self, interface: &str) {
        let end = Instant::now() + Duration::from_secs(10);
        let there = || {
            let listed = fs::read_to_string("/proc/thread-self/net/if_inet6").unwrap_or_default();
            listed.lines().any(|line| line.starts_with("fe80") && line.ends_with(&format!(" {interface}")))
        };
        while !self.inside(there) {
            assert!(Instant::now() < end, "{interface} of {} does not come up", self.name);
            std::thread::sleep(Duration::from_millis(5));
        }
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
#[track_caller]
pub(super) fn ip_batch(netns: Option<&str>, lines: &str) {
    let mut command = Command::new("ip");
    if let Some(netns) = netns {
        command.args(["-n", netns]);
    }
    command.args(["-batch", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("`ip` was tried before");
    child.stdin.take().expect("it is piped").write_all(lines.as_bytes()).expect("`ip` reads what it is told");
    let out = child.wait_with_output().expect("a child can be waited for");
    fine(&format!("`ip` for {lines}"), &out);
}

#[track_caller]
fn fine(what: &str, out: &Output) -> String {
    assert!(
        out.status.success(),
        "{what} ended with {}: {}{}",
        out.status,
        String::from_utf8_lossy(&out.stderr),
        String::from_utf8_lossy(&out.stdout)
    );
    String::from_utf8_lossy(&out.stdout).into_owned()
}
