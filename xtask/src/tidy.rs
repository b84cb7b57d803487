//! `cargo xtask tidy`: the rules of the house that a machine can check. Each finding is one line, `path:line: what and
//! why`. The rules are functions from text to findings; this file gathers the texts.

use std::fmt;
use std::path::Path;

use manifests::Manifest;

mod manifests;
mod rust_text;
mod sources;
mod texts;

/// Folders that hold Rust sources of ours.
const ROOMS: &[&str] = &["crates", "tests", "xtask", "fuzz", "examples", "benches"];

/// One broken rule.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Finding {
    path: String,
    line: usize,
    what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}: {}", self.path, self.line, self.what)
    }
}

fn finding(path: &str, line: usize, what: impl Into<String>) -> Finding {
    Finding { path: path.to_owned(), line, what: what.into() }
}

/// Looks at the whole checkout; the error says how many findings were printed.
pub(crate) fn run(root: &Path) -> Result<(), String> {
    let mut findings = Vec::new();
    let mut seen = 0;

    for path in files(root, ROOMS, &|name| name.ends_with(".rs"))? {
        findings.extend(sources::look(&path, &read(root, &path)?));
        seen += 1;
    }

    let mut members = Vec::new();
    for path in files(root, ROOMS, &|name| name == "Cargo.toml")? {
        match Manifest::read(&path, &read(root, &path)?) {
            Ok(manifest) => members.push(manifest),
            Err(wrong) => findings.push(wrong),
        }
    }
    let workspace = read(root, "Cargo.toml")?;
    let floors = texts::crate_table("ARCHITECTURE.md", &read(root, "ARCHITECTURE.md")?);
    let (floors, wrong) = (floors.rows, floors.wrong);
    findings.extend(wrong);
    let ledger = read(root, "docs/dependencies.md")?;
    findings.extend(manifests::floors(&members, &floors));
    findings.extend(manifests::lints(&members));
    findings.extend(manifests::ledger(&members, &workspace, "docs/dependencies.md", &ledger));
    findings.extend(manifests::members(&members, "Cargo.toml", &workspace));

    let decisions = files(root, &["docs/decisions"], &|_| true)?;
    findings.extend(texts::decisions(&decisions));

    findings.sort_by(|a, b| (&a.path, a.line).cmp(&(&b.path, b.line)));
    for finding in &findings {
        println!("{finding}");
    }
    if findings.is_empty() {
        println!("tidy: {seen} sources and {} manifests, nothing to say", members.len());
        Ok(())
    } else {
        Err(format!("tidy has {} findings, printed above", findings.len()))
    }
}

fn read(root: &Path, path: &str) -> Result<String, String> {
    std::fs::read_to_string(root.join(path)).map_err(|error| format!("{path} could not be read: {error}"))
}

/// The files below `rooms` whose name is wanted, as sorted paths from the root, with `/` between the parts.
fn files(root: &Path, rooms: &[&str], wanted: &dyn Fn(&str) -> bool) -> Result<Vec<String>, String> {
    let mut found = Vec::new();
    let mut open: Vec<String> = rooms.iter().map(|room| (*room).to_owned()).collect();
    while let Some(folder) = open.pop() {
        if !root.join(&folder).is_dir() {
            continue;
        }
        let entries = std::fs::read_dir(root.join(&folder));
        for entry in entries.map_err(|error| format!("{folder} could not be listed: {error}"))? {
            let entry = entry.map_err(|error| format!("{folder} could not be listed: {error}"))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = format!("{folder}/{name}");
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            if is_folder
                && !matches!(name.as_str(), "target" | "corpus" | "artifacts")
                && !name.starts_with('.')
            {
                open.push(path);
            } else if !is_folder && wanted(&name) {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}
