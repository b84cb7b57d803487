//! The log of a server: lines go to standard error in small batches, so that a session does not wait for whoever reads them; what is
//! a warning or worse goes at once. A reader that does not keep up loses lines, and is told how many.

use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tracing::{Level, Metadata};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

/// How long a line waits for others.
const BATCH: Duration = Duration::from_millis(20);

/// Bytes that wait at most.
const MOST: usize = 4 << 20;

/// The log, as long as this lives; then what waits is written.
pub(crate) struct Log(Arc<Lines>);

impl Log {
    /// Begins it: as `TWOPORT_LOG` says, or else what is worth telling; warnings only where it is to be `quiet`.
    pub(crate) fn start(quiet: bool) -> Log {
        let level = if quiet { "warn" } else { "info" };
        let filter = EnvFilter::try_from_env("TWOPORT_LOG").unwrap_or_else(|_| EnvFilter::new(level));
        let colour = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        let lines = Arc::new(Lines::default());
        tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_target(false)
            .with_ansi(colour)
            .with_writer(Writer(Arc::clone(&lines)))
            .init();
        let writing = Arc::clone(&lines);
        // Without a thread each line is written by whoever has it.
        let thread = std::thread::Builder::new().name("log".to_owned()).spawn(move || writing.write_on());
        lines.held().at_once = thread.is_err();
        Log(lines)
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.0.held().at_once = true;
        self.0.flush();
    }
}

/// What waits to be written.
#[derive(Default)]
struct Lines {
    waiting: Mutex<Waiting>,
    come: Condvar,
    /// Held while lines are written: they stay in order.
    turn: Mutex<()>,
}

#[derive(Default)]
struct Waiting {
    text: Vec<u8>,
    lost: u64,
    at_once: bool,
}

impl Lines {
    fn held(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, line: &[u8], now: bool) {
        let mut waiting = self.held();
        if waiting.text.len() + line.len() > MOST {
            waiting.lost += 1;
            return;
        }
        let first = waiting.text.is_empty();
        waiting.text.extend_from_slice(line);
        let now = now || waiting.at_once;
        drop(waiting);
        match now {
            true => self.flush(),
            false if first => self.come.notify_one(),
            false => {}
        }
    }

    fn write_on(&self) {
        loop {
            let waiting = self.held();
            let waiting = self.come.wait_while(waiting, |waiting| waiting.text.is_empty());
            drop(waiting);
            std::thread::sleep(BATCH);
            self.flush();
        }
    }

    fn flush(&self) {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let mut waiting = self.held();
        let (text, lost) = (std::mem::take(&mut waiting.text), std::mem::take(&mut waiting.lost));
        drop(waiting);
        let mut err = io::stderr().lock();
        // Nobody can be told that the log cannot be written.
        let _ = err.write_all(&text);
        if lost > 0 {
            let _ = writeln!(err, "{lost} lines of this log are lost: nobody took them in time");
        }
    }
}

/// Where a line goes.
struct Writer(Arc<Lines>);

struct Line<'a> {
    lines: &'a Lines,
    now: bool,
}

impl<'a> MakeWriter<'a> for Writer {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line { lines: &self.0, now: true }
    }

    fn make_writer_for(&'a self, meta: &Metadata<'_>) -> Line<'a> {
        Line { lines: &self.0, now: *meta.level() <= Level::WARN }
    }
}

impl Write for Line<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.lines.add(line, self.now);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
