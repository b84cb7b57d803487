//! A program that runs on a host until it is dropped, and what it has printed.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::{Error, Result};

/// A running program.
#[derive(Debug)]
pub struct Process {
    child: Child,
    said: Arc<(Mutex<String>, Condvar)>,
}

impl Process {
    /// Starts a command of [`Host::command`](crate::Host::command), without input.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(mut command: Command) -> Result<Process> {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn();
        let mut child = child.map_err(|error| Error(format!("{command:?} did not start: {error}")))?;
        let said = Arc::new((Mutex::new(String::new()), Condvar::new()));
        listen(child.stdout.take().expect("it is piped"), &said);
        listen(child.stderr.take().expect("it is piped"), &said);
        Ok(Process { child, said })
    }

    /// Waits until it has printed this.
    ///
    /// # Errors
    /// When it has not within 20 seconds, or has ended.
    pub fn says(&mut self, part: &str) -> Result<()> {
        let end = Instant::now() + Duration::from_secs(20);
        loop {
            let ended = self.child.try_wait().map_err(|error| Error(format!("it was lost: {error}")))?;
            let said = held(&self.said.0);
            if said.contains(part) {
                return Ok(());
            }
            if let Some(status) = ended {
                return Err(Error(format!("it ended with {status} and without {part:?}: {said}")));
            }
            if Instant::now() >= end {
                return Err(Error(format!("it does not say {part:?}: {said}")));
            }
            // What it prints wakes us; the time is for its end, which does not.
            drop(self.said.1.wait_timeout(said, Duration::from_millis(50)));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        _ = self.child.kill();
        _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("-- {} printed:\n{}", self.child.id(), held(&self.said.0));
        }
    }
}

fn held(said: &Mutex<String>) -> MutexGuard<'_, String> {
    said.lock().unwrap_or_else(PoisonError::into_inner)
}

fn listen(from: impl Read + Send + 'static, said: &Arc<(Mutex<String>, Condvar)>) {
    let said = Arc::clone(said);
    std::thread::spawn(move || {
        let mut from = BufReader::new(from);
        let mut line = Vec::new();
        while from.read_until(b'\n', &mut line).is_ok_and(|count| count > 0) {
            held(&said.0).push_str(&String::from_utf8_lossy(&line));
            said.1.notify_all();
            line.clear();
        }
    });
}
