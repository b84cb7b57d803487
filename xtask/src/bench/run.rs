//! `Raw`: one run as it is kept under `benches/runs`: the machine, the servers, and each figure of each round, so that everything
//! that a page says can be made from it again.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Map, Value, json};

use super::load::Figures;

/// One run.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Raw {
    /// Seconds since 1970.
    pub(super) time: u64,
    /// Words about the machine and the settings, by what they are about.
    pub(super) about: BTreeMap<String, String>,
    /// Each server and its version, in order.
    pub(super) servers: Vec<(String, String)>,
    pub(super) outcomes: Vec<Outcome>,
}

/// What one load was on one server in one round: figures, or the server's words.
#[derive(Debug, PartialEq)]
pub(super) struct Outcome {
    pub(super) round: u64,
    pub(super) load: String,
    pub(super) server: String,
    pub(super) came: Result<Figures, String>,
}

impl Raw {
    /// The figures of one measure in all rounds, in order of size.
    pub(super) fn figures(&self, load: &str, server: &str, key: &str) -> Vec<f64> {
        let mut found: Vec<f64> = self
            .of(load, server)
            .filter_map(|outcome| outcome.came.as_ref().ok()?.get(key).copied())
            .collect();
        found.sort_by(f64::total_cmp);
        found
    }

    /// The one in the middle, or between the two there.
    pub(super) fn median(&self, load: &str, server: &str, key: &str) -> Option<f64> {
        let all = self.figures(load, server, key);
        let middle = all.len().checked_sub(1)? / 2;
        Some((all[middle] + all[all.len() / 2]) / 2.0)
    }

    /// The rounds of a load on a server.
    pub(super) fn of(&self, load: &str, server: &str) -> impl Iterator<Item = &Outcome> {
        self.outcomes.iter().filter(move |outcome| outcome.load == load && outcome.server == server)
    }

    /// As JSON, one outcome a line.
    pub(super) fn write(&self) -> String {
        let about = serde_json::to_string_pretty(&self.about).unwrap_or_default();
        let servers: Vec<String> =
            self.servers.iter().map(|(name, version)| format!("    {}", json!([name, version]))).collect();
        let outcomes: Vec<String> =
            self.outcomes.iter().map(|outcome| format!("    {}", outcome.write())).collect();
        format!(
            "{{\n  \"time\": {},\n  \"about\": {},\n  \"servers\": [\n{}\n  ],\n  \"outcomes\": [\n{}\n  ]\n}}\n",
            self.time,
            about.replace('\n', "\n  "),
            servers.join(",\n"),
            outcomes.join(",\n")
        )
    }

    /// Reads what was written; what is not understood is left out.
    pub(super) fn read(text: &str) -> Result<Raw, String> {
        let value: Value = serde_json::from_str(text).map_err(|e| e.to_string())?;
        let words = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let list = |key: &str| value[key].as_array().cloned().unwrap_or_default();
        let about = value["about"].as_object().cloned().unwrap_or_default();
        Ok(Raw {
            time: value["time"].as_u64().ok_or("it does not say when it was")?,
            about: about.iter().map(|(key, value)| (key.clone(), words(value))).collect(),
            servers: list("servers").iter().map(|pair| (words(&pair[0]), words(&pair[1]))).collect(),
            outcomes: list("outcomes").iter().map(Outcome::read).collect(),
        })
    }
}

impl Outcome {
    fn write(&self) -> Value {
        let mut value = json!({"round": self.round, "load": self.load, "server": self.server});
        match &self.came {
            Ok(figures) => {
                for (key, figure) in figures {
                    // Five digits are more than is true.
                    let digits = 4 - figure.abs().max(1e-9).log10().floor() as i32;
                    let scale = 10_f64.powi(digits.clamp(0, 12));
                    value[key] = json!((figure * scale).round() / scale);
                }
            }
            Err(words) => value["said"] = json!(words),
        }
        value
    }

    fn read(value: &Value) -> Outcome {
        let words = |key: &str| value[key].as_str().unwrap_or_default().to_owned();
        let empty = Map::new();
        let fields = value.as_object().unwrap_or(&empty).iter();
        let figures = fields.filter(|(key, _)| *key != "round");
        let figures: Figures =
            figures.filter_map(|(key, value)| Some((key.clone(), value.as_f64()?))).collect();
        let came = if value["said"].is_string() { Err(words("said")) } else { Ok(figures) };
        Outcome {
            round: value["round"].as_u64().unwrap_or(0),
            load: words("load"),
            server: words("server"),
            came,
        }
    }
}

/// Where runs are kept, from the top of the checkout.
pub(super) const RUNS: &str = "benches/runs";

/// The newest run that is kept.
pub(super) fn newest(root: &Path) -> Result<(PathBuf, Raw), String> {
    let there = fs::read_dir(root.join(RUNS)).into_iter().flatten().flatten().map(|entry| entry.path());
    let time = |path: &Path| {
        let name = path.file_name()?.to_str()?;
        name.strip_prefix("bench-")?.strip_suffix(".json")?.parse::<u64>().ok()
    };
    let newest = there.filter(|path| time(path).is_some()).max_by_key(|path| time(path));
    let path =
        newest.ok_or_else(|| format!("there is no bench-*.json in {RUNS}: `cargo xtask bench` makes one"))?;
    let text = fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    let raw = Raw::read(&text).map_err(|e| format!("{}: {e}", path.display()))?;
    Ok((path, raw))
}

/// What a reader must know of the machine, and of the checkout.
pub(super) fn machine(root: &Path, folder: &Path) -> BTreeMap<String, String> {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let (cpus, memory) = (read("/proc/cpuinfo"), read("/proc/meminfo"));
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    let total = memory
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:")?.split_whitespace().next()?.parse::<u64>().ok());
    let system = read("/etc/os-release");
    let system = system.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
    let git = |args: &[&str]| {
        let out = Command::new("git").args(args).current_dir(root).output();
        out.map(|out| String::from_utf8_lossy(&out.stdout).trim().to_owned()).unwrap_or_default()
    };
    let changed = !git(&["status", "--porcelain", "--", "crates", "Cargo.toml", "Cargo.lock"]).is_empty();
    let mut about = BTreeMap::new();
    let mut say = |key: &str, words: String| about.insert(key.to_owned(), words);
    say("processor", model.map_or("unknown", |(_, model)| model.trim()).to_owned());
    say("cores", cpus.matches("processor\t").count().to_string());
    say("memory", format!("{} MiB", total.unwrap_or(0) / 1024));
    say("kernel", format!("Linux {}", read("/proc/sys/kernel/osrelease").trim()));
    say("system", system.unwrap_or("unknown").trim_matches('"').to_owned());
    say("files on", filesystem(folder));
    say(
        "commit",
        format!("{}{}", git(&["rev-parse", "--short=10", "HEAD"]), if changed { ", changed" } else { "" }),
    );
    say("busy before", read("/proc/loadavg").split(' ').next().unwrap_or_default().to_owned());
    about
}

/// The kind of the file system that holds a folder.
fn filesystem(folder: &Path) -> String {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let lines = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    let holds = lines.filter(|line| line.len() > 2 && folder.starts_with(line[1]));
    holds.max_by_key(|line| line[1].len()).map_or_else(|| "unknown".to_owned(), |line| line[2].to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_as_the_same_and_the_median_is_in_the_middle() {
        let outcome =
            |round, came| Outcome { round, load: "noop".to_owned(), server: "vsftpd".to_owned(), came };
        let figures = |figure: f64| Ok(Figures::from([("ops_per_s".to_owned(), figure)]));
        let raw = Raw {
            time: 7,
            about: BTreeMap::from([("kernel".to_owned(), "Linux \"6\"".to_owned())]),
            servers: vec![("vsftpd".to_owned(), "3.0.3".to_owned())],
            outcomes: vec![
                outcome(1, figures(3.25)),
                outcome(2, figures(1.5)),
                outcome(3, Err("500 OOPS".to_owned())),
                outcome(4, figures(100.0)),
            ],
        };
        let again = Raw::read(&raw.write());
        assert_eq!(again.as_ref(), Ok(&raw), "{}", raw.write());
        assert_eq!(raw.median("noop", "vsftpd", "ops_per_s"), Some(3.25));
        assert_eq!(raw.median("noop", "proftpd", "ops_per_s"), None);
    }
}
