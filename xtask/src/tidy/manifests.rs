//! The rules for the manifests: imports go down, lints are the workspace's, every outside library has its line.

use std::collections::BTreeSet;

use toml::{Table, Value};

use super::texts::Row;
use super::{Finding, finding};

/// Crates that have no outside dependency at all.
const BARE: &[&str] = &["proto", "plan", "session"];

/// One `Cargo.toml` of ours.
pub(super) struct Manifest {
    path: String,
    /// The folder's name: `proto`, `cli`, `tests`.
    name: String,
    text: String,
    table: Table,
}

/// A dependency: ours by our name for it, or an outside one by the registry's.
#[derive(Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Dependency {
    Ours(String),
    Outside(String),
}

impl Manifest {
    /// Reads a manifest; a text that is not TOML is a finding.
    pub(super) fn read(path: &str, text: &str) -> Result<Manifest, Finding> {
        let table: Table = text.parse().map_err(|error: toml::de::Error| {
            let before = error.span().map_or(0, |span| span.start);
            let line = text[..before.min(text.len())].matches('\n').count() + 1;
            finding(path, line, error.message().to_owned())
        })?;
        let folder = path.strip_suffix("/Cargo.toml").unwrap_or(path);
        let name = folder.rsplit('/').next().unwrap_or(folder).to_owned();
        Ok(Manifest { path: path.to_owned(), name, text: text.to_owned(), table })
    }

    fn folder(&self) -> &str {
        self.path.strip_suffix("/Cargo.toml").unwrap_or(&self.path)
    }

    /// The line on which a dependency is named.
    fn line_of(&self, dependency: &str) -> usize {
        let names = |line: &str| {
            line.strip_prefix(dependency).is_some_and(|rest| rest.starts_with(['.', ' ', '=']))
                || line.starts_with('[') && line.ends_with(&format!(".{dependency}]"))
        };
        self.text.lines().position(names).map_or(1, |at| at + 1)
    }

    fn finding(&self, line: usize, what: impl Into<String>) -> Finding {
        finding(&self.path, line, what)
    }

    /// What the built crate needs: `[dependencies]` and `[build-dependencies]`, those of single targets included.
    fn needs(&self) -> BTreeSet<Dependency> {
        dependencies(&self.table, &["dependencies", "build-dependencies"])
    }

    /// All of these and what the tests need.
    fn names(&self) -> BTreeSet<Dependency> {
        dependencies(&self.table, &["dependencies", "build-dependencies", "dev-dependencies"])
    }
}

fn dependencies(table: &Table, kinds: &[&str]) -> BTreeSet<Dependency> {
    let targets = table.get("target").and_then(Value::as_table);
    let targets = targets.into_iter().flat_map(|targets| targets.values()).filter_map(Value::as_table);
    let mut found = BTreeSet::new();
    for place in std::iter::once(table).chain(targets) {
        for kind in kinds {
            for (key, value) in place.get(*kind).and_then(Value::as_table).into_iter().flatten() {
                let renamed = value.as_table().and_then(|table| table.get("package")).and_then(Value::as_str);
                found.insert(dependency(renamed.unwrap_or(key)));
            }
        }
    }
    found
}

fn dependency(package: &str) -> Dependency {
    match (package, package.strip_prefix("twoport-")) {
        ("twoport", _) => Dependency::Ours("cli".to_owned()),
        ("xtask", _) => Dependency::Ours("xtask".to_owned()),
        (_, Some(name)) => Dependency::Ours(name.to_owned()),
        _ => Dependency::Outside(package.to_owned()),
    }
}

fn package(name: &str) -> String {
    if name == "cli" { "twoport".to_owned() } else { format!("twoport-{name}") }
}

/// The crate table and the manifests say the same, and every arrow goes down.
pub(super) fn floors(members: &[Manifest], rows: &[Row]) -> Vec<Finding> {
    let mut found = Vec::new();
    let row = |name: &str| rows.iter().find(|row| row.name == name);
    for row in rows.iter().filter(|row| !members.iter().any(|member| member.name == row.name)) {
        found.push(finding(&row.path, row.line, format!("`{}` has a row and no Cargo.toml", row.name)));
    }
    for member in members {
        let Some(own) = row(&member.name) else {
            found.push(
                member.finding(
                    1,
                    format!("`{}` has no row in the crate table of ARCHITECTURE.md", member.name),
                ),
            );
            continue;
        };
        let Some(floor) = own.floor else { continue };
        let needs = member.needs();
        for name in
            needs.iter().filter_map(|need| if let Dependency::Ours(name) = need { Some(name) } else { None })
        {
            let line = member.line_of(&package(name));
            match row(name).map(|row| row.floor) {
                Some(Some(below)) if below < floor => {}
                Some(Some(below)) => {
                    let what = format!(
                        "`{}` (floor {floor}) imports `{name}` (floor {below}): imports go down",
                        own.name
                    );
                    found.push(member.finding(line, what));
                }
                Some(None) => {
                    let what = format!(
                        "`{name}` stands outside the floors: tests may use it, `{}` may not",
                        own.name
                    );
                    found.push(member.finding(line, what));
                }
                None => found.push(member.finding(line, format!("`{name}` has no row in the crate table"))),
            }
            if !own.imports.contains(name) {
                let what = format!(
                    "`{}` imports `{name}`, and ARCHITECTURE.md:{} does not say so",
                    own.name, own.line
                );
                found.push(member.finding(line, what));
            }
        }
        for name in own.imports.iter().filter(|name| !needs.contains(&Dependency::Ours((*name).clone()))) {
            let what = format!("`{}` is said to import `{name}`, and {} does not", own.name, member.path);
            found.push(finding(&own.path, own.line, what));
        }
    }
    found
}

/// Every crate takes the workspace's lints.
pub(super) fn lints(members: &[Manifest]) -> Vec<Finding> {
    let takes = |member: &&Manifest| {
        let lints = member.table.get("lints").and_then(Value::as_table);
        lints.and_then(|lints| lints.get("workspace")).and_then(Value::as_bool) == Some(true)
    };
    // `fuzz` is outside the workspace, so there is no table for it to take.
    let inside = members.iter().filter(|member| member.folder() != "fuzz");
    inside
        .filter(|member| !takes(member))
        .map(|member| member.finding(1, "no `[lints] workspace = true`"))
        .collect()
}

/// Every outside dependency has a row in the ledger, every row a dependency, and the crates of rules have none.
pub(super) fn ledger(members: &[Manifest], workspace: &str, path: &str, text: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    let rows: Vec<(usize, &str)> = text
        .lines()
        .enumerate()
        .filter_map(|(at, line)| {
            let (name, _) = line.strip_prefix("| `")?.split_once('`')?;
            Some((at + 1, name))
        })
        .collect();
    let mut named = BTreeSet::new();
    for member in members {
        let needs = member.needs();
        for dependency in member.names() {
            let Dependency::Outside(name) = &dependency else { continue };
            named.insert(name.clone());
            if !rows.iter().any(|(_, row)| row == name) {
                let what = format!("`{name}` has no line in {path}: what it spares us, what it costs");
                found.push(member.finding(member.line_of(name), what));
            }
            if BARE.contains(&member.name.as_str()) && needs.contains(&dependency) {
                let what = format!("`{}` has no outside dependency, and `{name}` is one", member.name);
                found.push(member.finding(member.line_of(name), what));
            }
        }
    }
    let shared: Option<Table> = workspace.parse().ok();
    let shared =
        shared.as_ref().and_then(|table| table.get("workspace")).and_then(|table| table.get("dependencies"));
    let known = |name: &str| named.contains(name) || shared.is_some_and(|shared| shared.get(name).is_some());
    for (line, name) in rows.iter().filter(|(_, name)| !known(name)) {
        found.push(finding(path, *line, format!("`{name}` has a line and is in no manifest")));
    }
    found
}

/// Every folder with a manifest stands in the workspace's list, with a comment on its line.
pub(super) fn members(members: &[Manifest], path: &str, workspace: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    let excluded = |folder: &str| {
        let line = workspace.lines().find(|line| line.starts_with("exclude"));
        line.is_some_and(|line| line.contains(&format!("\"{folder}\"")))
    };
    for member in members.iter().filter(|member| !excluded(member.folder())) {
        let entry = format!("\"{}\",", member.folder());
        match workspace.lines().enumerate().find(|(_, line)| line.trim_start().starts_with(&entry)) {
            None => {
                found.push(finding(path, 1, format!("{} is not in the list of members", member.folder())))
            }
            Some((at, line)) if !line.contains("# ") => {
                found.push(finding(
                    path,
                    at + 1,
                    format!("{} has no comment that says what it is", member.folder()),
                ));
            }
            Some(_) => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::texts::crate_table;

    const TABLE: &str = "| crate | floor | knows about | imports (ours) |\n| --- | --- | --- | --- |\n\
        | `proto` | 1 | words | – |\n| `plan` | 2 | where | `proto` |\n| `testkit` | outside | worlds | `plan` |\n";

    fn member(name: &str, rest: &str) -> Manifest {
        let text = format!("[package]\nname = \"{}\"\n\n[lints]\nworkspace = true\n\n{rest}", package(name));
        Manifest::read(&format!("crates/{name}/Cargo.toml"), &text).unwrap_or_else(|wrong| panic!("{wrong}"))
    }

    fn house(plan: &str) -> Vec<Manifest> {
        vec![member("proto", ""), member("plan", plan), member("testkit", "")]
    }

    fn said(findings: &[Finding]) -> Vec<String> {
        findings.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn arrows_that_go_down_and_are_written_down_are_fine() {
        let members = house(
            "[dependencies]\ntwoport-proto.workspace = true\n\n[dev-dependencies]\ntwoport-testkit.workspace = true\n",
        );
        assert_eq!(said(&floors(&members, &crate_table("A.md", TABLE).rows)), [""; 0]);
    }

    #[test]
    fn an_arrow_up_is_found_with_its_line() {
        let mut members = house("[dependencies]\ntwoport-proto.workspace = true\n");
        members[0] = member("proto", "[dependencies]\ntwoport-plan.workspace = true\n");
        let said = said(&floors(&members, &crate_table("A.md", TABLE).rows));
        assert!(
            said[0].starts_with("crates/proto/Cargo.toml:8: ") && said[0].contains("imports go down"),
            "{said:?}"
        );
        assert!(said[1].contains("does not say so"), "{said:?}");
    }

    #[test]
    fn the_testkit_is_for_tests_only() {
        let members =
            house("[dependencies]\ntwoport-proto.workspace = true\ntwoport-testkit.workspace = true\n");
        let said = said(&floors(&members, &crate_table("A.md", TABLE).rows));
        assert!(said[0].contains("outside the floors"), "{said:?}");
    }

    #[test]
    fn an_arrow_that_is_only_written_down_is_found() {
        let said = said(&floors(&house(""), &crate_table("A.md", TABLE).rows));
        assert_eq!(said, ["A.md:4: `plan` is said to import `proto`, and crates/plan/Cargo.toml does not"]);
    }

    #[test]
    fn a_crate_without_a_row_and_a_row_without_a_crate_are_found() {
        let mut members = house("[dependencies]\ntwoport-proto.workspace = true\n");
        members[2] = member("watch", "");
        let said = said(&floors(&members, &crate_table("A.md", TABLE).rows));
        assert!(
            said[0].contains("`testkit` has a row") && said[1].contains("`watch` has no row"),
            "{said:?}"
        );
    }

    #[test]
    fn lints_are_the_workspaces() {
        let bare = Manifest::read("crates/a/Cargo.toml", "[package]\nname = \"a\"\n").ok();
        let bare: Vec<Manifest> = bare.into_iter().collect();
        assert_eq!(said(&lints(&bare)), ["crates/a/Cargo.toml:1: no `[lints] workspace = true`"]);
        assert!(lints(&house("")).is_empty());
    }

    #[test]
    fn outside_libraries_have_a_line_and_rules_have_none() {
        let members = vec![
            member("net", "[dependencies]\ntokio = \"1\"\n"),
            member("plan", "[dependencies]\nserde = \"1\"\n"),
        ];
        let ledger_text = "| `serde` | b | c |\n| `nom` | b | c |\n";
        let said = said(&ledger(&members, "", "D.md", ledger_text));
        assert_eq!(said.len(), 3, "{said:?}");
        assert!(said[0].starts_with("crates/net/Cargo.toml:8: `tokio` has no line"), "{said:?}");
        assert!(said[1].contains("`plan` has no outside dependency"), "{said:?}");
        assert!(said[2].starts_with("D.md:2: `nom`"), "{said:?}");
        let tests_only = vec![member("plan", "[dev-dependencies]\nserde = \"1\"\n")];
        assert!(ledger(&tests_only, "", "D.md", "| `serde` | b | c |\n").is_empty());
    }

    #[test]
    fn members_are_listed_and_commented() {
        let workspace =
            "exclude = [\"fuzz\"]\nmembers = [\n    \"crates/proto\", # words\n    \"crates/plan\",\n]\n";
        let said = said(&super::members(&house(""), "Cargo.toml", workspace));
        assert_eq!(said.len(), 2, "{said:?}");
        assert!(said[0].starts_with("Cargo.toml:4: crates/plan has no comment"), "{said:?}");
        assert!(said[1].contains("crates/testkit is not in the list"), "{said:?}");
    }
}
