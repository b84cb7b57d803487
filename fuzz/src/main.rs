//! `fuzz`: runs the bodies of `testkit::seeds` on inputs that a seed bends, joins and makes up. On stable Rust and
//! without coverage: what it lacks in cunning it makes up for by running millions of inputs, in CI, every time.
//!
//! `fuzz TARGET|all [--seconds N] [--seed S] [--jobs J]`, or `fuzz TARGET FILE` to run one input again.

mod bend;

use std::cell::RefCell;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use twoport_testkit::random::Random;
use twoport_testkit::seeds::{ALL, Target};

use self::bend::Bender;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let plan = match Plan::read(&words) {
        Ok(plan) => plan,
        Err(why) => {
            let names: Vec<&str> = ALL.iter().map(|target| target.name).collect();
            eprintln!(
                "{why}\nfuzz TARGET|all [--seconds N] [--seed S] [--jobs J]\nfuzz TARGET FILE\ntargets: {}",
                names.join(" ")
            );
            return ExitCode::from(2);
        }
    };
    if let Some(input) = &plan.input {
        // The panic is shown as it is: this is what one looks at with a debugger.
        plan.targets.iter().for_each(|target| (target.body)(input));
        return ExitCode::SUCCESS;
    }
    // A panic here is a result; its text is kept for the report.
    std::panic::set_hook(Box::new(|why| WHY.set(why.to_string())));
    let left = Mutex::new(plan.targets.clone());
    let failures = Mutex::new(0);
    std::thread::scope(|threads| {
        for _ in 0..plan.jobs.min(plan.targets.len()) {
            threads.spawn(|| {
                loop {
                    let target = left.lock().expect("no thread panics while it holds this").pop();
                    let Some(target) = target else { return };
                    let failed = run(target, plan.span, plan.seed);
                    *failures.lock().expect("no thread panics while it holds this") += usize::from(failed);
                }
            });
        }
    });
    let failures = failures.into_inner().expect("no thread panics while it holds this");
    if failures == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) }
}

/// Runs one target for so long; whether an input failed. The first failure ends it: those behind are mostly the same.
fn run(target: Target, span: Duration, seed: u64) -> bool {
    let mut bender = Bender::new(Random::new(seed), target.examples);
    let began = Instant::now();
    let mut inputs = 0u64;
    while began.elapsed() < span {
        for _ in 0..64 {
            let input = bender.next_input();
            inputs += 1;
            if fails(target, &input) {
                let input = shrink(target, input);
                report(target, &input, inputs, seed);
                return true;
            }
        }
    }
    println!("{}: {inputs} inputs in {} s, 0 failures", target.name, began.elapsed().as_secs());
    false
}

fn fails(target: Target, input: &[u8]) -> bool {
    std::panic::catch_unwind(|| (target.body)(input)).is_err()
}

/// Takes away what is not needed to fail: halves first, single bytes last.
fn shrink(target: Target, mut input: Vec<u8>) -> Vec<u8> {
    let mut size = input.len().div_ceil(2);
    while size > 0 {
        let mut at = 0;
        while at < input.len() {
            let end = (at + size).min(input.len());
            let shorter = [&input[..at], &input[end..]].concat();
            if fails(target, &shorter) {
                input = shorter;
            } else {
                at = end;
            }
        }
        size = if size == 1 { 0 } else { size.div_ceil(2) };
    }
    // What stands in WHY must be of this input and not of the last that was tried.
    fails(target, &input);
    input
}

fn report(target: Target, input: &[u8], inputs: u64, seed: u64) {
    let mut hasher = DefaultHasher::new();
    input.hash(&mut hasher);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("artifacts");
    let file = folder.join(format!("{}-{:016x}", target.name, hasher.finish()));
    let kept = std::fs::create_dir_all(&folder).and_then(|()| std::fs::write(&file, input));
    println!(
        "{}: input {inputs} of seed {seed} failed: b\"{}\"\n{}",
        target.name,
        input.escape_ascii(),
        WHY.with_borrow(String::clone)
    );
    match kept {
        Ok(()) => println!("kept as {}", file.display()),
        Err(fault) => println!("{} could not be written: {fault}", file.display()),
    }
}

/// What the command line asks for.
struct Plan {
    targets: Vec<Target>,
    span: Duration,
    seed: u64,
    jobs: usize,
    input: Option<Vec<u8>>,
}

impl Plan {
    fn read(words: &[String]) -> Result<Plan, String> {
        let (name, mut rest) = words.split_first().ok_or("which target?")?;
        let targets: Vec<Target> =
            ALL.iter().filter(|t| name == "all" || t.name == name).rev().copied().collect();
        if targets.is_empty() {
            return Err(format!("there is no target {name}"));
        }
        let jobs = std::thread::available_parallelism().map_or(1, usize::from);
        let mut plan = Plan { targets, span: Duration::from_secs(60), seed: 1, jobs, input: None };
        while let Some((word, behind)) = rest.split_first() {
            if !word.starts_with("--") {
                plan.input = Some(std::fs::read(word).map_err(|fault| format!("{word}: {fault}"))?);
                rest = behind;
                continue;
            }
            let (value, behind) = behind.split_first().ok_or_else(|| format!("{word} needs a number"))?;
            let value: u64 = value.parse().map_err(|_| format!("{word} needs a number, not {value}"))?;
            match word.as_str() {
                "--seconds" => plan.span = Duration::from_secs(value),
                "--seed" => plan.seed = value,
                "--jobs" => plan.jobs = usize::try_from(value).unwrap_or(usize::MAX).max(1),
                _ => return Err(format!("{word} is no option")),
            }
            rest = behind;
        }
        Ok(plan)
    }
}

thread_local! {
    /// The text of this thread's last panic.
    static WHY: RefCell<String> = const { RefCell::new(String::new()) };
}
