//! The rules for the texts: the crate table of ARCHITECTURE.md, the numbers of the decisions.

use super::{Finding, finding};

/// One row of the crate table.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Row {
    pub(super) path: String,
    pub(super) line: usize,
    /// The folder's name: `proto`, `cli`, `tests`.
    pub(super) name: String,
    /// `None` stands outside the floors: tests and tools.
    pub(super) floor: Option<u8>,
    /// Names, as in `name`.
    pub(super) imports: Vec<String>,
}

/// The crate table, and what is wrong with it.
pub(super) struct Table {
    pub(super) rows: Vec<Row>,
    pub(super) wrong: Vec<Finding>,
}

/// Reads `| crate | floor | knows about | imports (ours) |`.
pub(super) fn crate_table(path: &str, text: &str) -> Table {
    let mut table = Table { rows: Vec::new(), wrong: Vec::new() };
    let mut inside = false;
    for (at, line) in text.lines().enumerate() {
        let cells: Vec<&str> = line.trim().trim_matches('|').split('|').map(str::trim).collect();
        if !line.starts_with('|') {
            inside = false;
        } else if matches!(cells.as_slice(), ["crate", "floor", _, "imports (ours)"]) {
            inside = true;
        } else if inside && !line.starts_with("| ---") {
            match row(path, at + 1, &cells) {
                Some(row) => table.rows.push(row),
                None => table.wrong.push(finding(
                    path,
                    at + 1,
                    "a crate row has a name, a floor, a sentence, imports",
                )),
            }
        }
    }
    if table.rows.is_empty() {
        let what = "no crate table found: its head is `| crate | floor | knows about | imports (ours) |`";
        table.wrong.push(finding(path, 1, what));
    }
    table
}

fn row(path: &str, line: usize, cells: &[&str]) -> Option<Row> {
    let [name, floor, _, imports] = cells else { return None };
    let bare = |text: &str| text.trim().trim_matches('`').to_owned();
    let floor = if *floor == "outside" { None } else { Some(floor.parse().ok()?) };
    let imports = imports.split(',').map(bare).filter(|name| !name.is_empty() && name != "–").collect();
    Some(Row { path: path.to_owned(), line, name: bare(name), floor, imports })
}

/// Decisions are `NNN-title.md`, numbered from 001 without a gap or a double.
pub(super) fn decisions(paths: &[String]) -> Vec<Finding> {
    let mut found = Vec::new();
    for (at, path) in paths.iter().enumerate() {
        let name = path.rsplit('/').next().unwrap_or(path);
        let expected = format!("{:03}-", at + 1);
        if !name.starts_with(&expected) || !name.ends_with(".md") {
            let what = format!("a decision is `NNN-title.md`, and this one's turn is `{expected}…`");
            found.push(finding(path, 1, what));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_read() {
        let text = "# A\n\n| crate | floor | knows about | imports (ours) |\n| --- | --- | --- | --- |\n\
                    | `proto` | 1 | words | – |\n| `plan` | 2 | where | `proto` |\n| `xtask` | outside | tools | – |\n\n| a | b |\n";
        let table = crate_table("A.md", text);
        assert!(table.wrong.is_empty());
        let seen: Vec<_> = table.rows.iter().map(|row| (row.line, row.name.as_str(), row.floor)).collect();
        assert_eq!(seen, [(5, "proto", Some(1)), (6, "plan", Some(2)), (7, "xtask", None)]);
        assert_eq!(table.rows[1].imports, ["proto"]);
    }

    #[test]
    fn a_missing_table_and_a_bad_row_are_said() {
        assert_eq!(crate_table("A.md", "# A\n").wrong.len(), 1);
        let text = "| crate | floor | knows about | imports (ours) |\n| --- | --- | --- | --- |\n| `a` | high | b | – |\n| `c` | 1 | d | – |\n";
        assert_eq!(crate_table("A.md", text).wrong[0].line, 3);
    }

    #[test]
    fn decisions_are_numbered_in_turn() {
        let paths =
            |names: &[&str]| names.iter().map(|name| format!("docs/decisions/{name}")).collect::<Vec<_>>();
        assert!(decisions(&paths(&["001-a.md", "002-b.md"])).is_empty());
        assert_eq!(decisions(&paths(&["001-a.md", "003-b.md"])).len(), 1);
        assert_eq!(decisions(&paths(&["a.md"])).len(), 1);
    }
}
