//! How network namespaces are named, and how they go. A name begins with the process that made it, and that process holds a
//! lock as long as it lives: what belongs to no living one is removed before the first new one is made.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{OnceLock, PoisonError, RwLock, RwLockReadGuard};

use rustix::process::{Pid, Signal, geteuid, kill_process};

use crate::{Error, Result};

/// Where `ip netns` keeps them.
pub(crate) const NAMESPACES: &str = "/run/netns";

/// Where it looks for files that a namespace has in place of those of `/etc`.
pub(crate) const FILES: &str = "/etc/netns";

/// Beside the namespaces, so that whoever sees the one sees the other.
const LOCKS: &str = "/run/twoport-netns";

/// A name for a new net: `tp-PROCESS-NUMBER`.
pub(crate) fn new_net() -> Result<String> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    held()?;
    Ok(format!("tp-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed)))
}

/// Takes this process's lock, and removes what dead ones left.
fn held() -> Result<()> {
    static HELD: OnceLock<Result<File>> = OnceLock::new();
    let take = || -> std::io::Result<File> {
        fs::create_dir_all(LOCKS)?;
        // One after the other: between the making of a lock and its taking nobody may look.
        let all = lock_file("all")?;
        all.lock()?;
        let own = lock_file(&std::process::id().to_string())?;
        own.lock()?;
        sweep(is_dead);
        Ok(own)
    };
    let held = HELD.get_or_init(|| take().map_err(|error| Error(format!("no lock in {LOCKS}: {error}"))));
    held.as_ref().map(|_| ()).map_err(Clone::clone)
}

fn lock_file(name: &str) -> std::io::Result<File> {
    File::options().create(true).truncate(false).write(true).open(Path::new(LOCKS).join(name))
}

/// Whoever makes something is inside; [`close`] waits until nobody is, and lets nobody in again.
static GATE: RwLock<()> = RwLock::new(());

/// To be held while something is made that has a name of ours.
pub(crate) fn open() -> RwLockReadGuard<'static, ()> {
    GATE.read().unwrap_or_else(PoisonError::into_inner)
}

/// From now on nothing is made: who wants to waits for the end of the process.
pub(crate) fn close() {
    std::mem::forget(GATE.write().unwrap_or_else(PoisonError::into_inner));
}

/// The folder of a net.
pub(crate) fn folder(net: &str) -> PathBuf {
    Path::new(LOCKS).join(net)
}

/// Removes what these processes have made.
pub(crate) fn sweep(whose: impl Fn(u32) -> bool) {
    let names = |folder| {
        let paths = entries(folder);
        paths.filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned())).collect::<Vec<_>>()
    };
    let ours = |name: &String| maker(name).is_some_and(&whose);
    for name in names(NAMESPACES).iter().chain(&names(FILES)).filter(|name| ours(name)) {
        remove(name);
    }
    // What another run has removed already is gone.
    for name in names(LOCKS) {
        if ours(&name) {
            _ = fs::remove_dir_all(folder(&name));
        } else if name.parse().is_ok_and(is_dead) {
            _ = fs::remove_file(Path::new(LOCKS).join(name));
        }
    }
}

fn entries(folder: &str) -> impl Iterator<Item = PathBuf> {
    fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path())
}

/// The process that made a namespace of ours.
fn maker(name: &str) -> Option<u32> {
    name.strip_prefix("tp-")?.split_once('-')?.0.parse().ok()
}

fn is_dead(process: u32) -> bool {
    if process == std::process::id() {
        return false;
    }
    match File::open(Path::new(LOCKS).join(process.to_string())) {
        Ok(file) => !matches!(file.try_lock(), Err(TryLockError::WouldBlock)),
        Err(_) => true,
    }
}

/// Ends what runs in a namespace, and removes it.
pub(crate) fn remove(name: &str) {
    let listed = Command::new("ip").args(["netns", "pids", name]).output();
    let text = listed.map(|out| String::from_utf8_lossy(&out.stdout).into_owned()).unwrap_or_default();
    for process in text.split_whitespace().filter_map(|word| word.parse().ok()).filter_map(Pid::from_raw) {
        // It may have ended by itself.
        _ = kill_process(process, Signal::KILL);
    }
    // It may have none.
    _ = fs::remove_dir_all(Path::new(FILES).join(name));
    // What cannot be removed now the next run removes.
    _ = Command::new("ip").args(["netns", "del", name]).stderr(Stdio::null()).status();
}

/// Why none can be made, or nothing.
pub(crate) fn tried() -> Option<String> {
    if !geteuid().is_root() {
        return Some("not root".to_owned());
    }
    for program in ["ip", "nft"] {
        let there = Command::new(program).arg("-V").stdout(Stdio::null()).stderr(Stdio::null()).status();
        if there.is_err() {
            return Some(format!("{program} is not installed"));
        }
    }
    if !Path::new("/proc/sys/net/ipv6").exists() {
        return Some("there is no IPv6".to_owned());
    }
    // Where they are modules; what rewrites PORT and 227 behind a NAT is the only one that nothing asks for by itself.
    _ = Command::new("modprobe").args(["-q", "nf_nat_ftp"]).stderr(Stdio::null()).status();
    let name = match new_net() {
        Ok(net) => format!("{net}-try"),
        Err(error) => return Some(error.to_string()),
    };
    // The kernel's own FTP helper is part of it.
    let helper = "add table x; add ct helper x ftp { type \"ftp\" protocol tcp; }";
    let attempts: [&[&str]; 2] = [&["netns", "add", &name], &["netns", "exec", &name, "nft", helper]];
    let why = attempts.iter().find_map(|args| match Command::new("ip").args(*args).output() {
        Ok(out) if out.status.success() => None,
        Ok(out) => {
            let said = String::from_utf8_lossy(&out.stderr);
            Some(said.lines().next().unwrap_or("no reason was told").to_owned())
        }
        Err(error) => Some(error.to_string()),
    });
    remove(&name);
    why
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_its_maker() {
        assert_eq!(maker("tp-4711-3-server"), Some(4711));
        assert_eq!(maker("tp-rl-3"), None);
        assert_eq!(maker("other-4711-3"), None);
    }
}
