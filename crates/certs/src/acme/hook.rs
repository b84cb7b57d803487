//! The hook of DNS-01: somebody's program that puts a record into DNS and takes it away again. It is run in a process
//! group of its own, so that what it started ends with it when it takes too long.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::AsyncReadExt as _;
use tokio::process::{Child, ChildStderr, Command};

use super::trouble::tame;
use crate::Error;

/// Runs `HOOK VERB _acme-challenge.NAME VALUE`.
pub(super) async fn run(hook: &Path, verb: &str, name: &str, value: &str) -> Result<(), Error> {
    run_within(PATIENCE, hook, verb, name, value).await
}

async fn run_within(
    patience: Duration,
    hook: &Path,
    verb: &str,
    name: &str,
    value: &str,
) -> Result<(), Error> {
    let record = format!("_acme-challenge.{name}");
    let failed = |why: String| {
        let call = format!("{} {verb} {record} {value}", hook.display());
        Error::Hook { call, why }
    };
    let started = Command::new(absolute(hook))
        .args([verb, &record, value])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn();
    let mut child =
        started.map_err(|e| failed(format!("it cannot be run ({e}): it must be an executable file")))?;
    let stderr = child.stderr.take().expect("it was asked for");
    let mut group = Group::of(&child);
    let ended = tokio::time::timeout(patience, heard(&mut child, stderr)).await;
    let Ok(ended) = ended else {
        return Err(failed(format!("it did not end within {} seconds", patience.as_secs())));
    };
    group.0 = None;
    match ended {
        Ok((status, _)) if status.success() => Ok(()),
        Ok((status, said)) if said.is_empty() => Err(failed(format!("{status}"))),
        Ok((status, said)) => Err(failed(format!("{status}: {said}"))),
        Err(e) => Err(failed(e.to_string())),
    }
}

/// Waits for the end, and hears what it says meanwhile. A process that it leaves behind may keep the pipe open, so after
/// the end only what is in it already is read.
async fn heard(
    child: &mut Child,
    mut stderr: ChildStderr,
) -> std::io::Result<(std::process::ExitStatus, String)> {
    let (mut said, mut part, mut open) = (Vec::new(), [0; 4096], true);
    let mut hear = |part: &[u8]| {
        let room = LONGEST.saturating_sub(said.len());
        said.extend_from_slice(&part[..part.len().min(room)]);
    };
    let status = loop {
        tokio::select! {
            status = child.wait() => break status?,
            read = stderr.read(&mut part), if open => match read {
                Ok(n @ 1..) => hear(&part[..n]),
                _ => open = false,
            },
        }
    };
    while open && let Ok(Ok(n @ 1..)) = tokio::time::timeout(GRACE, stderr.read(&mut part)).await {
        hear(&part[..n]);
    }
    Ok((status, tame(&String::from_utf8_lossy(&said))))
}

/// A name without a slash would be looked for in `PATH`, and the file beside us is meant.
fn absolute(hook: &Path) -> PathBuf {
    std::path::absolute(hook).unwrap_or_else(|_| hook.to_owned())
}

/// The process group of a hook: who drops it while the hook runs ends it, and what it started.
struct Group(Option<Pid>);

impl Group {
    fn of(child: &Child) -> Group {
        Group(child.id().and_then(|id| Pid::from_raw(id.cast_signed())))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

/// How long a hook may take: records are seen by all after minutes with many providers.
const PATIENCE: Duration = Duration::from_secs(15 * 60);

/// How long what it said may be on the way when it has ended.
const GRACE: Duration = Duration::from_millis(200);

/// As much is kept of what it says, in bytes.
const LONGEST: usize = 8 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    /// A script in a folder. Another process writes it: were it ours, a program that is started at that moment by another
    /// test would inherit the open file, and the system runs no file that is open for writing.
    fn script(folder: &Path, text: &str) -> PathBuf {
        let path = folder.join("hook");
        let mut writer = std::process::Command::new("sh")
            .args(["-c", "cat > \"$0\" && chmod 700 \"$0\""])
            .arg(&path)
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let script = format!("#!/bin/sh\ncd {}\n{text}\n", folder.display());
        std::io::Write::write_all(&mut writer.stdin.take().unwrap(), script.as_bytes()).unwrap();
        assert!(writer.wait().unwrap().success());
        path
    }

    #[tokio::test]
    async fn a_hook_is_told_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let hook = script(folder.path(), r#"echo "$# $*" > said; echo chatter >&2"#);
        run(&hook, "add", "x.example", "value").await.unwrap();
        let said = std::fs::read_to_string(folder.path().join("said")).unwrap();
        assert_eq!(said, "3 add _acme-challenge.x.example value\n");
    }

    #[tokio::test]
    async fn a_hook_that_fails_is_quoted() {
        let folder = tempfile::tempdir().unwrap();
        let hook = script(folder.path(), "echo no key for this zone >&2; exit 3");
        let said = run(&hook, "add", "x.example", "value").await.unwrap_err().to_string();
        assert!(said.contains("add _acme-challenge.x.example value"), "{said}");
        assert!(said.contains("3: no key for this zone"), "{said}");
        let hook = script(folder.path(), "exit 3");
        let said = run(&hook, "remove", "x.example", "value").await.unwrap_err().to_string();
        assert!(said.contains("exit status: 3"), "{said}");
    }

    #[tokio::test]
    async fn what_is_no_program_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let said = run(&folder.path().join("none"), "add", "x", "v").await.unwrap_err().to_string();
        assert!(said.contains("executable"), "{said}");
    }

    #[tokio::test]
    async fn a_hook_that_talks_without_end_is_read_and_not_kept() {
        let folder = tempfile::tempdir().unwrap();
        let hook = script(folder.path(), "head -c 3000000 /dev/zero | tr '\\0' x >&2; exit 1");
        let said = run(&hook, "add", "x.example", "value").await.unwrap_err().to_string();
        assert!(said.contains("xxx") && said.len() < 2 * LONGEST, "{}", said.len());
    }

    #[tokio::test]
    async fn what_a_hook_leaves_running_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let hook = script(folder.path(), "sleep 600 & echo $! > left");
        let before = tokio::time::Instant::now();
        run(&hook, "add", "x.example", "value").await.unwrap();
        assert!(before.elapsed() < Duration::from_secs(300));
        let left = std::fs::read_to_string(folder.path().join("left")).unwrap();
        let left = Pid::from_raw(left.trim().parse().unwrap()).unwrap();
        // It lives: only who is waited for in vain is ended.
        rustix::process::kill_process(left, Signal::KILL).unwrap();
    }

    #[tokio::test]
    async fn a_hook_that_does_not_end_is_ended_with_what_it_started() {
        let folder = tempfile::tempdir().unwrap();
        let lock = std::fs::File::create(folder.path().join("lock")).unwrap();
        // Whoever holds the lock lives; the hook and its child inherit it.
        let hook = script(folder.path(), "exec 9< lock; flock -x 9 || exit 7; (sleep 600; :) & wait");
        let said = run_within(Duration::from_secs(1), &hook, "add", "x.example", "value").await;
        let said = said.unwrap_err().to_string();
        assert!(said.contains("did not end"), "{said}");
        tokio::task::spawn_blocking(move || lock.lock()).await.unwrap().unwrap();
    }
}
