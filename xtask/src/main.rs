//! What a developer runs: `cargo xtask COMMAND`. One file per command; this one only picks it.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[cfg(target_os = "linux")]
mod bench;
mod conformance;
mod fuzz;
mod install;
mod instructions;
mod peers;
mod reach;
mod test;
mod tidy;
mod wan;

const USAGE: &str = "\
usage: cargo xtask COMMAND

  test [--quick]   everything: formatting, clippy, tidy, instruction counts, unit tests, tables, dialogues,
                   walks, sockets, netns, interop, reach
                   --quick leaves out the 1 GiB files
  install          only what the tests need from outside: clients and servers of other people
  tidy             the rules of the house that a machine can check, in seconds
  conformance      writes docs/conformance and docs/causes.md from the grammar, the law, faults and causes; --check only compares
  reach [--impossible | --diagnose] [SITUATION…]
                   our client, or our doctor, in the reachability laboratory, where it lies beside the checkout (root, Linux)
  bench [--rounds N] [--loads A,B] [--seconds N] [--folder DIR] [SERVER…]
                   our server beside those of other people, under the same loads (Linux; root for most of them): figures,
                   not a test. The raw run is kept under benches/runs
  bench --page     docs/performance.md and its plots, from the newest raw run
  wan              a tree of small files over a long road, by our client and by others (root, Linux): times, not a test
  instructions [--bless]
                   how many instructions fixed work in proto and session takes, beside what was accepted (valgrind);
                   --bless accepts
  fuzz [TARGET] [--seconds N]
                   the fuzz targets, all side by side or one, 60 seconds each unless told otherwise
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let root = root();
    let done = match args.as_slice() {
        ["test"] => test::run(&root, false),
        ["test", "--quick"] => test::run(&root, true),
        ["install"] => test::install(&root),
        ["tidy"] => tidy::run(&root),
        ["conformance"] => conformance::run(&root, false),
        ["conformance", "--check"] => conformance::run(&root, true),
        ["reach", rest @ ..] => test::reach(&root, rest),
        #[cfg(target_os = "linux")]
        ["bench", "--floor", at, folder] => bench::floor(at, folder),
        #[cfg(target_os = "linux")]
        ["bench", rest @ ..] => test::bench(&root, rest),
        ["wan"] => test::wan(&root),
        ["instructions"] => test::instructions(&root, false),
        ["instructions", "--bless"] => test::instructions(&root, true),
        ["fuzz", rest @ ..] => fuzz::run(&root, rest),
        ["help" | "-h" | "--help"] => {
            print!("{USAGE}");
            Ok(())
        }
        _ => {
            eprint!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(sentence) => {
            eprintln!("xtask: {sentence}");
            ExitCode::FAILURE
        }
    }
}

/// The top of the checkout: the folder above this crate's.
fn root() -> PathBuf {
    let here = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let here = here.unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")));
    here.parent().map(Path::to_path_buf).unwrap_or(here)
}
