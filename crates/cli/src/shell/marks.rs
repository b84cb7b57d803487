//! What is shown while bytes pass: `hash`, `tick`, `progress`, or nothing.

use std::time::{Duration, Instant};

use twoport_pipe::Progress;

use super::voice::murmur;

/// Somebody who looks on while bytes pass.
pub(crate) struct Marks {
    style: Style,
    progress: Progress,
    began: Instant,
    /// Marks or columns that are on the screen.
    shown: u64,
}

/// What is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    None,
    /// One `#` for so many bytes.
    Hash(u64),
    /// The count of bytes.
    Tick,
    /// The count and the rate.
    Bar,
}

impl Marks {
    pub(crate) fn none() -> Self {
        Marks::new(Style::None, Progress::default())
    }

    pub(crate) fn new(style: Style, progress: Progress) -> Self {
        Marks { style, progress, began: Instant::now(), shown: 0 }
    }

    /// Shows, and never ends.
    pub(crate) async fn watch(&mut self) {
        loop {
            tokio::time::sleep(OFTEN).await;
            self.look();
        }
    }

    fn look(&mut self) {
        let moved = self.progress.moved();
        match self.style {
            Style::None => {}
            Style::Hash(size) => {
                let wanted = moved / size.max(1);
                murmur("#".repeat(usize::try_from(wanted - self.shown).unwrap_or_default()));
                self.shown = wanted;
            }
            Style::Tick => self.replace(&format!("Bytes transferred: {moved}")),
            Style::Bar => {
                let seconds = self.began.elapsed().as_secs_f64().max(0.001);
                #[expect(clippy::cast_precision_loss, reason = "a rate in three digits")]
                let rate = moved as f64 / seconds / 1024.0;
                self.replace(&format!("{moved} bytes, {rate:.0} KiB/s"));
            }
        }
    }

    /// The line as it is now; what was longer before is wiped.
    fn replace(&mut self, text: &str) {
        let width = usize::try_from(self.shown).unwrap_or_default();
        murmur(format!("\r{text:width$}"));
        self.shown = self.shown.max(text.len() as u64);
    }

    /// The last look, and the end of the line.
    pub(crate) fn end(&mut self) {
        match self.style {
            Style::Hash(_) | Style::Tick if self.progress.moved() > 0 => {
                self.look();
                murmur("\n");
            }
            Style::Bar if self.shown > 0 => murmur(format!("\r{:1$}\r", "", self.shown as usize)),
            _ => {}
        }
    }
}

/// How often somebody looks.
const OFTEN: Duration = Duration::from_millis(200);
