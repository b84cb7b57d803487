//! `cargo xtask test`: every check, one after the other, each with its time. The first failure ends the run.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::peers::Peers;
use crate::reach::{Aim, Campaign};
use crate::{conformance, fuzz, install, instructions, tidy, wan};

struct Step {
    name: &'static str,
    run: fn(&World) -> Result<(), String>,
}

struct World {
    root: PathBuf,
    /// Where cargo builds to.
    target: PathBuf,
    /// The release binary that the interop tests start.
    binary: PathBuf,
    /// No 1 GiB files.
    quick: bool,
}

const STEPS: &[Step] = &[
    Step { name: "clients", run: |_| install::clients().and_then(|()| install::cargo_parts()) },
    Step { name: "servers", run: |world| Peers::of(&world.target).bring() },
    Step { name: "formatting", run: |world| world.cargo("fmt", &["--all", "--check"]) },
    Step {
        name: "clippy",
        run: |world| world.cargo("clippy", &["--workspace", "--all-targets", "--", "-D", "warnings"]),
    },
    Step {
        name: "tidy",
        run: |world| tidy::run(&world.root).and_then(|()| conformance::run(&world.root, true)),
    },
    Step {
        name: "documentation",
        run: |world| {
            world.cargo_with(
                "doc",
                &["--workspace", "--no-deps", "--lib"],
                &[("RUSTDOCFLAGS", "-D warnings")],
            )
        },
    },
    Step { name: "release build", run: |world| world.cargo("build", &["--release", "-p", "twoport"]) },
    Step { name: "instructions", run: |world| world.instructions(false) },
    Step {
        name: "unit, tables, dialogues, walks, sockets",
        run: |world| {
            let skipped = ["--skip", "interop::", "--skip", "netns::"];
            world.cargo("test", &[&["--workspace", "--no-fail-fast", "--"][..], &skipped].concat())
        },
    },
    Step {
        name: "netns",
        run: |world| {
            // As in the next step.
            world.cargo("test", &["--workspace", "--test", "all", "netns::", "--", "--nocapture"])
        },
    },
    Step {
        name: "interop",
        run: |world| {
            // `--workspace` keeps the features of the step before, so that nothing is built again. `--nocapture` shows
            // what was skipped.
            world.cargo("test", &["--workspace", "--test", "all", "interop::", "--", "--nocapture"])
        },
    },
    Step { name: "reach", run: |world| world.reach(Aim::Through, &[]) },
    Step {
        name: "fuzz",
        run: |world| fuzz::run(&world.root, if world.quick { &["--seconds", "5"] } else { &[] }),
    },
];

/// Runs every step; the error is one sentence that names the step.
pub(crate) fn run(root: &Path, quick: bool) -> Result<(), String> {
    let world = World::of(root, quick)?;
    let begun = Instant::now();
    let mut times = Vec::new();
    for (at, step) in STEPS.iter().enumerate() {
        println!("\n== {}/{} {}", at + 1, STEPS.len(), step.name);
        let start = Instant::now();
        let done = (step.run)(&world);
        let took = start.elapsed();
        times.push((step.name, took, done.is_ok()));
        println!("-- {}: {}, {}", step.name, if done.is_ok() { "ok" } else { "failed" }, seconds(took));
        if let Err(why) = done {
            summary(&times, begun.elapsed());
            return Err(format!("step {} of {}, {}, failed: {why}", at + 1, STEPS.len(), step.name));
        }
    }
    summary(&times, begun.elapsed());
    Ok(())
}

/// Only the first steps: what the tests need from outside.
pub(crate) fn install(root: &Path) -> Result<(), String> {
    install::clients()?;
    Peers::of(&target_dir(root)?).bring()
}

/// Only the laboratory.
pub(crate) fn reach(root: &Path, args: &[&str]) -> Result<(), String> {
    let (flags, only): (Vec<&str>, Vec<&str>) = args.iter().partition(|arg| arg.starts_with('-'));
    let aim = match flags[..] {
        [] => Aim::Through,
        ["--impossible"] => Aim::Claim,
        ["--diagnose"] => Aim::Diagnose,
        _ => return Err(format!("reach has no {}; it has --impossible or --diagnose", flags.join(" "))),
    };
    let mut world = World::of(root, false)?;
    install(root)?;
    match std::env::var_os("TWOPORT_BIN") {
        Some(binary) => world.binary = binary.into(),
        None => world.cargo("build", &["--release", "-p", "twoport"])?,
    }
    world.reach(aim, &only)
}

/// The comparison over a long road, with the release build.
pub(crate) fn wan(root: &Path) -> Result<(), String> {
    let mut world = World::of(root, false)?;
    match std::env::var_os("TWOPORT_BIN") {
        Some(binary) => world.binary = binary.into(),
        None => world.cargo("build", &["--release", "-p", "twoport"])?,
    }
    wan::run(root, &world.target, &world.binary)
}

/// The comparison of servers, with the release build.
#[cfg(target_os = "linux")]
pub(crate) fn bench(root: &Path, args: &[&str]) -> Result<(), String> {
    let order = crate::bench::Order::read(args)?;
    let mut world = World::of(root, false)?;
    if order.measures() {
        match std::env::var_os("TWOPORT_BIN") {
            Some(binary) => world.binary = binary.into(),
            None => world.cargo("build", &["--release", "-p", "twoport"])?,
        }
    }
    crate::bench::run(&order, root, &world.target, &world.binary)
}

/// Only the counts of instructions.
pub(crate) fn instructions(root: &Path, bless: bool) -> Result<(), String> {
    World::of(root, false)?.instructions(bless)
}

impl World {
    fn of(root: &Path, quick: bool) -> Result<World, String> {
        let target = target_dir(root)?;
        let binary = target.join("release").join(format!("twoport{}", std::env::consts::EXE_SUFFIX));
        Ok(World { root: root.to_path_buf(), target, binary, quick })
    }

    fn reach(&self, aim: Aim, only: &[&str]) -> Result<(), String> {
        let World { root, target, binary, .. } = self;
        Campaign { root, target, binary, aim, only }.run()
    }

    fn instructions(&self, bless: bool) -> Result<(), String> {
        self.cargo("build", &["--release", "-p", "twoport-testkit", "--example", "instructions"])?;
        let program = self
            .target
            .join("release/examples")
            .join(format!("instructions{}", std::env::consts::EXE_SUFFIX));
        instructions::run(&self.root, &program, bless)
    }

    fn cargo(&self, command: &str, args: &[&str]) -> Result<(), String> {
        self.cargo_with(command, args, &[])
    }

    fn cargo_with(&self, command: &str, args: &[&str], env: &[(&str, &str)]) -> Result<(), String> {
        let said = format!("cargo {command} {}", args.join(" "));
        println!("{said}");
        let mut cargo = Command::new("cargo");
        cargo
            .arg(command)
            .args(args)
            .current_dir(&self.root)
            .env("TWOPORT_BIN", &self.binary)
            .envs(env.iter().copied());
        if self.quick {
            cargo.env("TWOPORT_QUICK", "1");
        }
        // What `cargo run` told this program is about this program, not about the ones that it starts.
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("CARGO_PKG_") {
                cargo.env_remove(name);
            }
        }
        cargo.env_remove("CARGO_MANIFEST_DIR").env_remove("CARGO_MANIFEST_PATH");
        let status = cargo.status().map_err(|error| format!("`{said}` did not start: {error}"))?;
        if status.success() { Ok(()) } else { Err(format!("`{said}` ended with {status}")) }
    }
}

fn summary(times: &[(&str, Duration, bool)], all: Duration) {
    let passed = times.iter().filter(|(_, _, ok)| *ok).count();
    println!("\n== summary: {passed} of {} steps passed, {}", STEPS.len(), seconds(all));
    for (name, took, ok) in times {
        println!("{:>8}  {}  {name}", seconds(*took), if *ok { "ok    " } else { "failed" });
    }
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

/// Where cargo builds to, as cargo says it: a variable or a configuration file may have moved it.
pub(crate) fn target_dir(root: &Path) -> Result<PathBuf, String> {
    let args = ["metadata", "--no-deps", "--format-version", "1"];
    let out = Command::new("cargo").args(args).current_dir(root).output();
    let out = out.map_err(|error| format!("cargo did not start: {error}"))?;
    let text = String::from_utf8_lossy(&out.stdout);
    let found = target_in(&text).ok_or("`cargo metadata` named no target folder")?;
    Ok(PathBuf::from(found))
}

/// One string of the JSON text, so that no JSON library is needed. A path with a quote in it is not foreseen.
fn target_in(metadata: &str) -> Option<String> {
    let (_, after) = metadata.split_once("\"target_directory\":\"")?;
    let (path, _) = after.split_once('"')?;
    Some(path.replace("\\\\", "\\"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_target_folder_is_read_from_metadata() {
        let text = r#"{"packages":[],"target_directory":"/tmp/a b/target","version":1}"#;
        assert_eq!(target_in(text).as_deref(), Some("/tmp/a b/target"));
        assert_eq!(target_in("{}"), None);
    }
}
