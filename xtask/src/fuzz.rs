//! `cargo xtask fuzz [TARGET] [--seconds N]`: runs the fuzz targets of `fuzz/`, all of them side by side or one. They
//! have a crate of their own outside the workspace, so that a stable toolchain and nothing else is needed.

use std::path::Path;
use std::process::Command;

/// Seconds for each target when nothing is said; CI says 60.
const SECONDS: &str = "60";

/// Builds and runs; `args` are what follows `fuzz`.
pub(crate) fn run(root: &Path, args: &[&str]) -> Result<(), String> {
    let (target, seconds) = match args {
        [] => ("all", SECONDS),
        ["--seconds", seconds] => ("all", *seconds),
        [target] => (*target, SECONDS),
        [target, "--seconds", seconds] => (*target, *seconds),
        _ => return Err("expected: cargo xtask fuzz [TARGET] [--seconds N]".to_owned()),
    };
    let status = Command::new("cargo")
        .args(["run", "--release", "--quiet", "--", target, "--seconds", seconds])
        .current_dir(root.join("fuzz"))
        .status()
        .map_err(|error| format!("cargo did not start: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("fuzzing of {target} ended with {status}")) }
}
