//! `Group`: the processes of one server and what they have used, apart from all others: a control group (either version) where
//! one may be made, else what /proc says of the processes that descend from the first.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

/// One server's processes.
pub(super) struct Group {
    kind: Kind,
    leader: Option<Child>,
}

enum Kind {
    /// Version 1: a folder of the controller of processor time, and one of memory.
    One { cpu: PathBuf, memory: PathBuf },
    /// Version 2.
    Two(PathBuf),
    /// None: /proc.
    None,
}

impl Drop for Group {
    fn drop(&mut self) {
        for signal in [Signal::TERM, Signal::KILL] {
            for _ in 0..20 {
                self.ended();
                let there = self.processes();
                if there.is_empty() {
                    break;
                }
                end(&there, signal);
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        for folder in self.folders() {
            let _ = fs::remove_dir(folder);
        }
    }
}

impl Group {
    /// A new, empty one.
    pub(super) fn new(name: &str) -> Group {
        let name = format!("twoport-bench-{}-{name}", std::process::id());
        let top = Path::new("/sys/fs/cgroup");
        let (cpu, memory) = (top.join("cpuacct").join(&name), top.join("memory").join(&name));
        let kind = if fs::create_dir(&cpu).is_ok() {
            // Without this one memory is read from /proc.
            let _ = fs::create_dir(&memory);
            Kind::One { cpu, memory }
        } else if top.join("cgroup.controllers").is_file() && fs::create_dir(top.join(&name)).is_ok() {
            let _ = fs::write(top.join("cgroup.subtree_control"), "+memory");
            Kind::Two(top.join(&name))
        } else {
            Kind::None
        };
        Group { kind, leader: None }
    }

    /// Where its figures come from, for the raw run.
    pub(super) fn source(&self) -> &'static str {
        match self.kind {
            Kind::One { .. } => "cgroup v1",
            Kind::Two(_) => "cgroup v2",
            Kind::None => "/proc",
        }
    }

    /// Starts a command inside, as the first process.
    pub(super) fn start(&mut self, command: &mut Command) -> io::Result<()> {
        self.leader = Some(command.spawn()?);
        Ok(())
    }

    /// How the first process has ended, if it has.
    pub(super) fn ended(&mut self) -> Option<ExitStatus> {
        self.leader.as_mut().and_then(|leader| leader.try_wait().ok().flatten())
    }

    /// The same command, for [`Group::start`].
    pub(super) fn inside(&self, command: &Command) -> Command {
        const SCRIPT: &str =
            "while [ \"$1\" != -- ]; do echo $$ >\"$1\" || exit 1; shift; done; shift; exec \"$@\"";
        let mut inside = Command::new("sh");
        inside
            .args(["-c", SCRIPT, "sh"])
            .args(self.folders().map(|folder| folder.join("cgroup.procs")))
            .arg("--");
        inside.arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            inside.env(name, value.unwrap_or_default());
        }
        inside
    }

    /// Processor time of all of them so far, those that have ended included.
    pub(super) fn cpu(&self) -> Duration {
        match &self.kind {
            Kind::One { cpu, .. } => Duration::from_nanos(number(&cpu.join("cpuacct.usage"))),
            Kind::Two(folder) => {
                let text = fs::read_to_string(folder.join("cpu.stat")).unwrap_or_default();
                Duration::from_micros(field(&text, "usage_usec").unwrap_or(0))
            }
            Kind::None => {
                let ticks: u64 = self.processes().into_iter().filter_map(ticks_of).sum();
                Duration::from_secs_f64(ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
            }
        }
    }

    /// Bytes of memory that are theirs: anonymous pages, and the kernel's for them where it tells that. Neither files nor
    /// what waits in sockets.
    pub(super) fn memory(&self) -> u64 {
        let told = match &self.kind {
            Kind::One { memory, .. } => {
                let text = fs::read_to_string(memory.join("memory.stat")).unwrap_or_default();
                field(&text, "rss")
                    .map(|anonymous| anonymous + number(&memory.join("memory.kmem.usage_in_bytes")))
            }
            Kind::Two(folder) => {
                let text = fs::read_to_string(folder.join("memory.stat")).unwrap_or_default();
                let parts = ["kernel_stack", "pagetables", "slab"];
                let kernel = field(&text, "kernel")
                    .unwrap_or_else(|| parts.iter().filter_map(|part| field(&text, part)).sum());
                field(&text, "anon").map(|anonymous| anonymous + kernel)
            }
            Kind::None => None,
        };
        told.unwrap_or_else(|| self.processes().into_iter().map(anonymous_of).sum())
    }

    fn folders(&self) -> impl Iterator<Item = &PathBuf> {
        let folders = match &self.kind {
            Kind::One { cpu, memory } => [Some(cpu), Some(memory).filter(|memory| memory.is_dir())],
            Kind::Two(folder) => [Some(folder), None],
            Kind::None => [None, None],
        };
        folders.into_iter().flatten()
    }

    fn processes(&self) -> Vec<u32> {
        match self.folders().next() {
            Some(folder) => processes_in(folder),
            None => self.leader.as_ref().map(|leader| descendants(leader.id())).unwrap_or_default(),
        }
    }
}

/// Ends what a run has left that was killed itself: its groups bear its number, and its number is nobody's any more.
pub(super) fn clear_after_the_dead() {
    for top in ["/sys/fs/cgroup", "/sys/fs/cgroup/cpuacct", "/sys/fs/cgroup/memory"] {
        for folder in left_by_the_dead(Path::new(top)) {
            end(&processes_in(&folder), Signal::KILL);
            std::thread::sleep(Duration::from_millis(20));
            let _ = fs::remove_dir(folder);
        }
    }
}

/// Folders `twoport-bench-PROCESS…` whose process lives no more.
pub(super) fn left_by_the_dead(below: &Path) -> Vec<PathBuf> {
    let there = fs::read_dir(below).into_iter().flatten().flatten().map(|entry| entry.path());
    let dead = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let behind = name.strip_prefix("twoport-bench-").unwrap_or_default();
        let number = behind.split('-').next().and_then(|number| number.parse::<u32>().ok());
        number.is_some_and(|number| !lives(number))
    };
    there.filter(dead).collect()
}

/// Whether it runs: one that has ended, and that nobody has asked how, does not.
fn lives(pid: u32) -> bool {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    text.rsplit_once(')').is_some_and(|(_, state)| !state.starts_with(" Z"))
}

fn end(processes: &[u32], signal: Signal) {
    for pid in processes {
        if let Some(pid) = i32::try_from(*pid).ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, signal);
        }
    }
}

fn processes_in(folder: &Path) -> Vec<u32> {
    let text = fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
    text.lines().filter_map(|line| line.parse().ok()).collect()
}

/// A process and all that it has started, and they.
fn descendants(leader: u32) -> Vec<u32> {
    let there = fs::read_dir("/proc").into_iter().flatten().flatten();
    let there = there.filter_map(|entry| entry.file_name().to_string_lossy().parse::<u32>().ok());
    let pairs: Vec<(u32, u32)> =
        there.filter_map(|pid| Some((pid, u32::try_from(*stat_of(pid)?.get(1)?).ok()?))).collect();
    let mut found: Vec<u32> = pairs.iter().map(|(pid, _)| *pid).filter(|pid| *pid == leader).collect();
    let mut at = 0;
    while let Some(parent) = found.get(at).copied() {
        found.extend(pairs.iter().filter(|(_, above)| *above == parent).map(|(pid, _)| *pid));
        at += 1;
    }
    found
}

/// The numbers of /proc/PID/stat behind the name; the state, a letter, is 0.
fn stat_of(pid: u32) -> Option<Vec<u64>> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, behind) = text.rsplit_once(')')?;
    Some(behind.split_whitespace().map(|word| word.parse().unwrap_or(0)).collect())
}

/// Its own ticks, and those of its children that have ended.
fn ticks_of(pid: u32) -> Option<u64> {
    stat_of(pid)?.get(11..15).map(|ticks| ticks.iter().sum())
}

fn anonymous_of(pid: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    field(&text, "Pss_Anon:").unwrap_or(0) * 1024
}

fn number(path: &Path) -> u64 {
    fs::read_to_string(path).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0)
}

/// The number behind a word at the beginning of a line.
fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find(|line| line.split_whitespace().next() == Some(name))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_found_by_its_whole_name() {
        let text = "rss_huge 7\nrss 4096\nPss_Anon:      12 kB\n";
        assert_eq!(field(text, "rss"), Some(4096));
        assert_eq!(field(text, "Pss_Anon:"), Some(12));
        assert_eq!(field(text, "anon"), None);
    }

    #[test]
    fn this_process_descends_from_itself_and_has_a_number_of_ticks() {
        assert!(descendants(std::process::id()).contains(&std::process::id()));
        assert!(ticks_of(std::process::id()).is_some() && lives(std::process::id()) && !lives(u32::MAX));
    }
}
