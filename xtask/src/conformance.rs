//! `cargo xtask conformance`: the pages of what the server takes and says, made from the grammar, the law, and the lists of faults
//! and causes.
//! With `--check` it only says whether the pages in the tree are the ones that would be made.

use std::fmt::Write as _;
use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use twoport_plan::samples::Sample;
use twoport_plan::{PortRange, Spent};
use twoport_proto::verb::{Feature, SITE_TABLE, TABLE};
use twoport_session::law::{COMMON, During, Plan, Who, law};

/// A page, and what makes it.
type Page = (&'static str, fn() -> String);

const PAGES: [Page; 3] = [
    ("docs/conformance/RFC.md", commands),
    ("docs/conformance/faults.md", faults),
    ("docs/causes.md", twoport_doctor::causes::page),
];

const HEAD: &str = "\
# What the server takes, and what it says

Made by `cargo xtask conformance` from `crates/proto/src/verb.rs` (the grammar) and `crates/session/src/law.rs` (the law), the
same tables that dispatch, HELP and FEAT are made from. Do not edit.

* *who*: anybody, a member (whoever is logged in), or a member with the right that is named.
* *plan*: what the command does to the data connection that was agreed on: it makes one, spends it, or drops it.
* *jumps*: heard at once during a transfer; everything else waits for its turn.
* A command with no codes of its own is known and answered 502.

";

const UNMET: &str = "
## What is not done

| what | source | what happens instead |
| --- | --- | --- |
| the default data port (no PORT, no PASV) | RFC 959 §3.2 | 425: no client of today means it, and any firewall stops it |
| SMNT | RFC 959 §4.1.1 | 502 |
| TYPE A C; TYPE E; TYPE L other than 8; STRU P; MODE C | RFC 959 §3 | 504 |
| AUTH with another mechanism than TLS; PROT S and E; ADAT, CONF, ENC, MIC | RFC 2228 | 504, 536, 502 |
| format control of TYPE A T | RFC 959 §3.1.1.5 | taken, and the bytes are those of A N (RFC 1123 §4.1.2.2) |
| SIZE, REST and RANG under TYPE A or STRU R | RFC 3659 §4, §5 | SIZE 550, the others 504: a byte on the wire is not one of the file |
| LANG other than EN | RFC 2640 §4 | 504 |
| OPTS UTF8 OFF | draft-ietf-ftpext-utf-8-option | 504: names are bytes and pass as they are |
| MFCT | draft-somers-ftp-mfxx §4 | 504 where the file system cannot set it, as on Linux |
";

/// Writes the pages, or says that one is old.
pub(crate) fn run(root: &Path, check: bool) -> Result<(), String> {
    for (name, made) in PAGES {
        let (path, page) = (root.join(name), made());
        if check {
            if fs::read_to_string(&path).unwrap_or_default() != page {
                return Err(format!("{name} is old: run `cargo xtask conformance`"));
            }
            continue;
        }
        let folder = path.parent().unwrap_or(root);
        fs::create_dir_all(folder)
            .and_then(|()| fs::write(&path, page))
            .map_err(|error| format!("{} cannot be written: {error}", path.display()))?;
    }
    Ok(())
}

fn commands() -> String {
    let mut page = String::from(HEAD);
    let common: Vec<String> = COMMON.iter().map(u16::to_string).collect();
    _ = writeln!(page, "Any command may also be answered {}.\n", common.join(", "));
    page.push_str("| command | argument | source | who | plan | in a transfer | codes | FEAT |\n");
    page.push_str("| --- | --- | --- | --- | --- | --- | --- | --- |\n");
    for row in TABLE {
        let law = law(row.verb);
        let names: Vec<&str> = [row.name].into_iter().chain(row.elders.iter().copied()).collect();
        let who = match law.who {
            Who::Anybody => "anybody".to_owned(),
            Who::Member => "member".to_owned(),
            Who::With(right) => format!("{right:?}").to_lowercase(),
        };
        let plan = match law.plan {
            Plan::Leaves => "",
            Plan::Makes => "makes",
            Plan::Spends => "spends",
            Plan::Drops => "drops",
        };
        let during = if law.during == During::Jumps { "jumps" } else { "waits" };
        let codes: Vec<String> = law.codes.iter().map(u16::to_string).collect();
        let feature = match row.feature {
            Feature::Silent => String::new(),
            Feature::Lines(lines) => lines.join(", "),
            Feature::Facts => "MLST and its facts".to_owned(),
            Feature::Tls(lines) => format!("{}, with TLS", lines.join(", ")),
            Feature::Hashes => "HASH and its algorithms".to_owned(),
        };
        let argument = row.argument.replace('|', "\\|");
        _ = writeln!(
            page,
            "| {} | {argument} | {} | {who} | {plan} | {during} | {} | {feature} |",
            names.join(", "),
            row.source,
            codes.join(" ")
        );
    }
    page.push_str("\n## SITE\n\n| command | argument | what it does |\n| --- | --- | --- |\n");
    for (name, argument, help) in SITE_TABLE {
        _ = writeln!(page, "| SITE {name} | {argument} | {help} |");
    }
    page.push_str(UNMET);
    page
}

const FAULTS_HEAD: &str = "\
# Why a data connection failed

Made by `cargo xtask conformance` from `crates/plan/src/fault.rs` and `why.rs`. Do not edit.

Each failure has a name, which metrics, journals and SITE WHY tell; a sentence of cause and hint, which the reply (425, 426, 502, 504,
522) and the log tell; and an explanation, which SITE WHY tells. The addresses and numbers are examples: the client is
198.51.100.7, the server's passive ports are 61000 to 61255.
";

fn faults() -> String {
    let sample = Sample {
        client: SocketAddr::from(([198, 51, 100, 7], 40_001)),
        other: IpAddr::from([203, 0, 113, 1]),
        span: Duration::from_secs(30),
        port: 61_012,
        range: PortRange::new(61_000, 61_255).expect("a range"),
        spent: Spent { size: 256, held: 256, share: 256 },
        bytes: 65_536,
        errno: "No route to host",
        text: "connection closed",
    };
    let mut page = String::from(FAULTS_HEAD);
    let mut name = "";
    for fault in sample.every_fault() {
        if name != fault.name() {
            name = fault.name();
            _ = writeln!(page, "\n## {name}");
        }
        _ = writeln!(page, "\n> {fault}\n");
        for line in fault.at_length().iter().skip(1) {
            _ = writeln!(page, "* {line}");
        }
    }
    page.replace("\n\n\n", "\n\n").trim_end().to_owned() + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_verb_has_its_row() {
        let page = commands();
        for row in TABLE {
            assert!(page.contains(&format!("\n| {}", row.name)), "{}", row.name);
        }
    }
}
