//! Progress on a terminal: a bar for each file that moves and one for all, read off a count ten times a second. What is said
//! meanwhile stands above the bars, and nothing of them is left at the end. Where stderr is no terminal all of this is idle.

use std::collections::VecDeque;
use std::io::IsTerminal;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use twoport_client::local_name::shown;
use twoport_pipe::Progress;

use crate::args::Common;
use crate::show;

/// The one terminal that a process has.
static SCREEN: LazyLock<MultiProgress> = LazyLock::new(MultiProgress::new);

/// Prints something so that no bar is torn by it.
pub(crate) fn above<T>(print: impl FnOnce() -> T) -> T {
    SCREEN.suspend(print)
}

/// A line on stderr, above the bars; what a terminal would obey is shown and not obeyed.
pub(crate) fn say(text: impl std::fmt::Display) {
    let text = show::plain(&text.to_string());
    above(|| eprintln!("{text}"));
}

/// The bars of one command. They go away with the value.
pub(crate) struct Bars(Option<Running>);

struct Running {
    board: Arc<Board>,
    stop: Option<Sender<()>>,
    ticker: Option<JoinHandle<()>>,
}

/// What the ticker reads.
#[derive(Default)]
struct Board {
    rows: Mutex<Vec<Arc<Row>>>,
    total: Mutex<Option<Total>>,
}

struct Total {
    bar: ProgressBar,
    files: usize,
    ended: usize,
    /// Bytes of the files that have ended.
    moved: u64,
    since: Instant,
    drawn: bool,
    meter: Meter,
}

/// A file that moves.
struct Row {
    bar: ProgressBar,
    progress: Progress,
    /// Where the file stands when the count is 0; less than nothing after a try that began anew.
    base: AtomicI64,
    /// Its size; 0 while nobody knows.
    size: AtomicU64,
    since: Instant,
    /// Whether it is on the screen, and how fast it goes.
    drawn: Mutex<(bool, Meter)>,
}

/// How fast something went in the last few seconds.
#[derive(Default)]
struct Meter(VecDeque<(Instant, u64)>);

/// The bar of one file. It goes away with the value.
pub(crate) struct Bar(Option<(Arc<Board>, Arc<Row>)>);

impl Bars {
    /// Bars where somebody sees them and nobody has asked for quiet.
    pub(crate) fn new(common: &Common) -> Bars {
        let dumb = std::env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb");
        if common.quiet || common.json || dumb || !std::io::stderr().is_terminal() {
            return Bars(None);
        }
        let board = Arc::<Board>::default();
        let (stop, stopped) = mpsc::channel();
        let seen = Arc::clone(&board);
        let ticker = std::thread::spawn(move || {
            while stopped.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
                seen.draw();
            }
        });
        Bars(Some(Running { board, stop: Some(stop), ticker: Some(ticker) }))
    }

    /// Whether there is anybody to see them.
    pub(crate) fn are_seen(&self) -> bool {
        self.0.is_some()
    }

    /// A bar for all: so many files, and so many bytes if that is known.
    pub(crate) fn total(&self, files: usize, bytes: Option<u64>) {
        let Some(running) = &self.0 else { return };
        let bar = bar(bytes);
        let total = Total {
            bar,
            files,
            ended: 0,
            moved: 0,
            since: Instant::now(),
            drawn: false,
            meter: Meter::default(),
        };
        *lock(&running.board.total) = Some(total);
    }

    /// So many files and bytes more, which were not known of before.
    pub(crate) fn more(&self, files: usize, bytes: u64) {
        let Some(running) = &self.0 else { return };
        if let Some(total) = &mut *lock(&running.board.total) {
            total.files += files;
            total.bar.inc_length(bytes);
            return;
        }
        self.total(files, Some(bytes));
    }

    /// One of all files is done, or has failed.
    pub(crate) fn ended(&self) {
        let Some(running) = &self.0 else { return };
        if let Some(total) = &mut *lock(&running.board.total) {
            total.ended += 1;
        }
    }

    /// A bar for one file: `from` bytes are there already, `size` is what it will be.
    pub(crate) fn file(&self, name: &[u8], from: u64, size: Option<u64>, progress: &Progress) -> Bar {
        let Some(running) = &self.0 else { return Bar(None) };
        let bar = bar(size);
        bar.set_message(shown(name));
        let row = Arc::new(Row {
            bar,
            progress: progress.clone(),
            base: AtomicI64::new(signed(from)),
            size: AtomicU64::new(size.unwrap_or(0)),
            since: Instant::now(),
            drawn: Mutex::default(),
        });
        lock(&running.board.rows).push(Arc::clone(&row));
        Bar(Some((Arc::clone(&running.board), row)))
    }
}

impl Drop for Bars {
    fn drop(&mut self) {
        let Some(running) = &mut self.0 else { return };
        drop(running.stop.take());
        if let Some(ticker) = running.ticker.take() {
            let _ = ticker.join();
        }
        if let Some(total) = lock(&running.board.total).take() {
            total.bar.finish_and_clear();
            SCREEN.remove(&total.bar);
        }
    }
}

impl Bar {
    /// The size has become known.
    pub(crate) fn size_is(&self, size: u64) {
        let Some((_, row)) = &self.0 else { return };
        row.size.store(size, Ordering::Relaxed);
        row.bar.set_length(size);
        row.bar.set_style(style(true));
    }

    /// The file stands at this byte now: a new try begins there.
    pub(crate) fn stands_at(&self, at: u64) {
        let Some((_, row)) = &self.0 else { return };
        row.base.store(signed(at) - signed(row.progress.moved()), Ordering::Relaxed);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        let Some((board, row)) = &self.0 else { return };
        lock(&board.rows).retain(|other| !Arc::ptr_eq(other, row));
        let mut drawn = lock(&row.drawn);
        if std::mem::replace(&mut drawn.0, true) {
            row.bar.finish_and_clear();
            SCREEN.remove(&row.bar);
        }
        if let Some(total) = &mut *lock(&board.total) {
            total.moved += row.position();
        }
    }
}

impl Row {
    fn position(&self) -> u64 {
        let at = self.base.load(Ordering::Relaxed) + signed(self.progress.moved());
        let size = self.size.load(Ordering::Relaxed);
        u64::try_from(at).unwrap_or(0).min(if size == 0 { u64::MAX } else { size })
    }
}

impl Board {
    /// Brings every bar up to date. What is over before anybody could read it is never drawn.
    fn draw(&self) {
        let rows = lock(&self.rows).clone();
        let mut moving = 0;
        for row in rows {
            let at = row.position();
            moving += at;
            let (drawn, meter) = &mut *lock(&row.drawn);
            if !*drawn && row.since.elapsed() >= SOON {
                *drawn = true;
                // Files above, all of them together below.
                SCREEN.insert(0, row.bar.clone());
            }
            let rate = meter.read(Instant::now(), row.progress.moved());
            if *drawn {
                row.bar.set_prefix(pace(rate, at, row.bar.length()));
                row.bar.set_position(at);
            }
        }
        if let Some(total) = &mut *lock(&self.total) {
            if !total.drawn && total.since.elapsed() >= SOON {
                total.drawn = true;
                SCREEN.add(total.bar.clone());
            }
            let at = total.moved + moving;
            let rate = total.meter.read(Instant::now(), at);
            if total.drawn {
                total.bar.set_message(format!("{} of {} files", total.ended, total.files));
                total.bar.set_prefix(pace(rate, at, total.bar.length()));
                total.bar.set_position(at);
            }
        }
    }
}

impl Meter {
    /// Bytes a second, when so many have moved by now.
    fn read(&mut self, now: Instant, moved: u64) -> f64 {
        while self.0.front().is_some_and(|(then, _)| now.duration_since(*then) > WINDOW) {
            self.0.pop_front();
        }
        self.0.push_back((now, moved));
        let Some((then, before)) = self.0.front() else { return 0.0 };
        let (took, bytes) = (now.duration_since(*then), moved.saturating_sub(*before));
        if took.is_zero() { 0.0 } else { crate::show::per_second(bytes, took) }
    }
}

/// The rate, and how long it will be at that.
fn pace(rate: f64, at: u64, size: Option<u64>) -> String {
    #[expect(clippy::cast_precision_loss, reason = "seconds that are left, rounded")]
    let left = size.map(|size| size.saturating_sub(at) as f64 / rate);
    let left = match left {
        Some(left) if left.is_finite() => eta(left),
        _ => String::new(),
    };
    format!("{:>7.1} MB/s {left:>6}", rate / 1e6)
}

/// Seconds as `12s`, `3m05s`, `2h07m`, `9d04h`.
fn eta(seconds: f64) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "not negative, and cut at the top"
    )]
    let s = seconds.ceil() as u64;
    match s {
        0..60 => format!("{s}s"),
        60..3600 => format!("{}m{:02}s", s / 60, s % 60),
        3600..86_400 => format!("{}h{:02}m", s / 3600, s / 60 % 60),
        _ => format!("{}d{:02}h", s / 86_400, s / 3600 % 24),
    }
}

/// A bar that draws nothing until it is on the screen.
fn bar(size: Option<u64>) -> ProgressBar {
    ProgressBar::with_draw_target(size, ProgressDrawTarget::hidden()).with_style(style(size.is_some()))
}

/// Bytes, rate, and how long it will be where the size is known. No colour: there is nothing that it would say.
fn style(sized: bool) -> ProgressStyle {
    let template = match sized {
        true => "{msg:28!} {decimal_bytes:>9} of {decimal_total_bytes:9} {wide_bar} {prefix}",
        false => "{msg:28!} {decimal_bytes:>9} {prefix}",
    };
    let style = ProgressStyle::with_template(template).expect("the template is a constant and right");
    style.progress_chars("=> ")
}

fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How often the counts are read.
const TICK: Duration = Duration::from_millis(100);
/// How long a file moves before it gets a bar.
const SOON: Duration = Duration::from_millis(200);
/// Over how long a rate is taken.
const WINDOW: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_that_of_the_last_seconds() {
        let (mut meter, start) = (Meter::default(), Instant::now());
        assert!(meter.read(start, 1000).abs() < 1.0);
        for second in 1..=10 {
            let rate = meter.read(start + Duration::from_secs(second), 1000 + second * 500);
            assert!((rate - 500.0).abs() < 1.0, "{rate}");
        }
        // It stands still for longer than the window.
        for second in 11..=20 {
            meter.read(start + Duration::from_secs(second), 6000);
        }
        assert!(meter.read(start + Duration::from_secs(21), 6000).abs() < 1.0);
    }

    #[test]
    fn what_is_left_is_said_shortly() {
        for (seconds, text) in
            [(0.2, "1s"), (59.0, "59s"), (185.0, "3m05s"), (7620.0, "2h07m"), (792_000.0, "9d04h")]
        {
            assert_eq!(eta(seconds), text);
        }
        assert_eq!(pace(2e6, 10_000_000, Some(30_000_000)), "    2.0 MB/s    10s");
        assert_eq!(pace(0.0, 10, Some(30)), "    0.0 MB/s       ");
        assert_eq!(pace(0.0, 10, None), "    0.0 MB/s       ");
    }
}
