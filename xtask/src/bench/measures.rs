//! What is measured: the name under which a raw run keeps it, how tables and plots say it, and which way is better.

use std::collections::BTreeMap;

/// One measure.
pub(super) struct Measure {
    /// In the raw run.
    pub(super) key: &'static str,
    /// In tables and plots.
    pub(super) heading: &'static str,
    pub(super) more_is_better: bool,
}

impl Measure {
    /// Keeps a figure; one that is no number is left out.
    pub(super) fn put(&self, figures: &mut BTreeMap<String, f64>, figure: f64) {
        if figure.is_finite() {
            figures.insert(self.key.to_owned(), figure);
        }
    }
}

const fn more(key: &'static str, heading: &'static str) -> Measure {
    Measure { key, heading, more_is_better: true }
}

const fn less(key: &'static str, heading: &'static str) -> Measure {
    Measure { key, heading, more_is_better: false }
}

pub(super) const RATE: Measure = more("mb_per_s", "MB/s");
pub(super) const OPERATIONS: Measure = more("ops_per_s", "operations/s");
pub(super) const CPU_A_GB: Measure = less("cpu_s_per_gb", "server's CPU, s/GB");
pub(super) const CPU_AN_OPERATION: Measure = less("cpu_us_per_op", "server's CPU, µs/operation");
pub(super) const CPU_A_LOGIN: Measure = less("cpu_us_per_login", "server's CPU, µs/login");
pub(super) const MEDIAN: Measure = less("p50_ms", "p50, ms");
pub(super) const WORST: Measure = less("p99_ms", "p99, ms");
pub(super) const FIRST: Measure = less("first_byte_ms", "first byte, ms");
pub(super) const MEMORY: Measure = less("kib_per_session", "memory, KiB/session");
pub(super) const ALONE: Measure = less("alone_p99_ms", "p99 alone, ms");
pub(super) const BESIDE: Measure = less("beside_p99_ms", "p99 beside much else, ms");
