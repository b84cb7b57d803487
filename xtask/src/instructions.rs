//! `cargo xtask instructions`: how many instructions fixed work in `proto` and `session` takes, counted by valgrind, beside
//! the counts that were accepted before. A count does not depend on the machine's load or on its clock, so a test may judge it; a
//! time it may not. What the work is, `crates/testkit/examples/instructions.rs` knows.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::install::on_path;

/// How far a count may be above the accepted one, and below it without a word, in hundredths.
const ALLOWED: u64 = 5;

const ACCEPTED: &str = "benches/instructions.toml";

/// Counts what the built program does, part by part, and compares or, with `bless`, accepts. The error is one sentence.
pub(crate) fn run(root: &Path, program: &Path, bless: bool) -> Result<(), String> {
    if !on_path("valgrind") {
        println!("skipped: instruction counts (valgrind is not installed)");
        return Ok(());
    }
    let listed =
        Command::new(program).output().map_err(|e| format!("{} did not start: {e}", program.display()))?;
    let parts = String::from_utf8_lossy(&listed.stdout).into_owned();
    let mut counts = BTreeMap::new();
    for part in parts.lines() {
        counts.insert(part.to_owned(), count(program, part)?);
    }
    let compiler = compiler();
    let path = root.join(ACCEPTED);
    if bless {
        fs::write(&path, write(&compiler, &counts))
            .map_err(|e| format!("{ACCEPTED} cannot be written: {e}"))?;
        println!("{} counts accepted in {ACCEPTED}", counts.len());
        return Ok(());
    }
    let text = fs::read_to_string(&path).unwrap_or_default();
    let accepted = read(&text).map_err(|e| format!("{ACCEPTED} is not as it should be: {e}"))?;
    let verdict = judge(&accepted.counts, &counts);
    print!("{}", verdict.shown);
    if accepted.compiler != compiler {
        println!(
            "skipped: judging them, for they were accepted with {} and this is {compiler}; \
             `cargo xtask instructions --bless` on the commit before, then again here",
            accepted.compiler
        );
        return Ok(());
    }
    if verdict.better {
        println!("some are better by more than 5 %: `cargo xtask instructions --bless` keeps that");
    }
    if verdict.worse.is_empty() {
        return Ok(());
    }
    Err(format!(
        "{} took more than 5 % more instructions than accepted, or none are accepted; \
         where that is meant, `cargo xtask instructions --bless`",
        verdict.worse.join(", ")
    ))
}

/// Instructions of one part, with an environment that is the same everywhere: where the stack begins depends on it.
fn count(program: &Path, part: &str) -> Result<u64, String> {
    let out = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(program)
        .arg(part)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .output()
        .map_err(|e| format!("valgrind did not start: {e}"))?;
    let said = String::from_utf8_lossy(&out.stderr);
    match collected(&said) {
        Some(count) if out.status.success() => Ok(count),
        _ => Err(format!(
            "{part} could not be counted: {}",
            said.lines().last().unwrap_or("valgrind said nothing")
        )),
    }
}

/// The number behind `Collected :`.
fn collected(said: &str) -> Option<u64> {
    said.lines().find_map(|line| line.split_once("Collected :")?.1.trim().parse().ok())
}

/// Another compiler makes other instructions of the same source.
fn compiler() -> String {
    let out = Command::new("rustc").arg("--version").output();
    out.map(|out| String::from_utf8_lossy(&out.stdout).trim().to_owned()).unwrap_or_default()
}

/// What was accepted, and with which compiler.
#[derive(Debug, Default, PartialEq)]
struct Accepted {
    compiler: String,
    counts: BTreeMap<String, u64>,
}

fn read(text: &str) -> Result<Accepted, String> {
    let table: toml::Table = text.parse().map_err(|e: toml::de::Error| e.message().to_owned())?;
    let compiler = table.get("compiler").and_then(toml::Value::as_str).unwrap_or("none").to_owned();
    let counts = table.get("counts").and_then(toml::Value::as_table);
    let one = |(name, count): (&String, &toml::Value)| {
        Some((name.clone(), u64::try_from(count.as_integer()?).ok()?))
    };
    Ok(Accepted { compiler, counts: counts.into_iter().flatten().filter_map(one).collect() })
}

fn write(compiler: &str, counts: &BTreeMap<String, u64>) -> String {
    let mut text = format!(
        "# Instructions of each part of crates/testkit/examples/instructions.rs, as accepted last: `cargo xtask instructions --bless`.\n\
         compiler = \"{compiler}\"\n\n[counts]\n"
    );
    for (name, count) in counts {
        let _ = writeln!(text, "{name} = {count}");
    }
    text
}

#[derive(Debug, Default)]
struct Verdict {
    shown: String,
    worse: Vec<String>,
    better: bool,
}

fn judge(accepted: &BTreeMap<String, u64>, counts: &BTreeMap<String, u64>) -> Verdict {
    let mut verdict = Verdict::default();
    for (name, &count) in counts {
        let millions = count as f64 / 1e6;
        let Some(before) = accepted.get(name).filter(|before| **before > 0) else {
            let _ = writeln!(verdict.shown, "{name:<20} {millions:>8.2} M  not accepted yet");
            verdict.worse.push(name.clone());
            continue;
        };
        let change = count as f64 / *before as f64 - 1.0;
        let _ = writeln!(verdict.shown, "{name:<20} {millions:>8.2} M  {:+.1} %", change * 100.0);
        if count * 100 > before * (100 + ALLOWED) {
            verdict.worse.push(name.clone());
        }
        verdict.better |= count * 100 < before * (100 - ALLOWED);
    }
    verdict
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(of: &[(&str, u64)]) -> BTreeMap<String, u64> {
        of.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
    }

    #[test]
    fn the_count_is_found_in_what_valgrind_says() {
        let said = "==7== Events    : Ir\n==7== Collected : 8123456\n==7== \n";
        assert_eq!(collected(said), Some(8_123_456));
        assert_eq!(collected("valgrind: no such file"), None);
    }

    #[test]
    fn what_is_written_is_read_as_the_same() {
        let counts = counts(&[("proto-commands", 12), ("session-retr", 34)]);
        let text = write("rustc 1.95.0", &counts);
        assert_eq!(read(&text), Ok(Accepted { compiler: "rustc 1.95.0".to_owned(), counts }));
    }

    #[test]
    fn more_than_five_in_a_hundred_is_worse_and_so_is_what_nobody_accepted() {
        let accepted = counts(&[("a", 1000), ("b", 1000), ("c", 1000)]);
        let verdict = judge(&accepted, &counts(&[("a", 1050), ("b", 1051), ("c", 900), ("d", 1)]));
        assert_eq!(verdict.worse, ["b", "d"]);
        assert!(verdict.better && verdict.shown.contains("-10.0 %"), "{}", verdict.shown);
    }
}
