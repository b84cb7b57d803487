//! The page: `docs/performance.md` with a plot and a table for each load, made from one raw run and from nothing else.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use super::load::{LOADS, Load};
use super::measures::Measure;
use super::plot;
use super::run::{self, RUNS, Raw};

const PAGE: &str = "docs/performance.md";
const PLOTS: &str = "docs/performance";

/// Writes the page and its plots from the newest run.
pub(super) fn write(root: &Path) -> Result<(), String> {
    let (path, raw) = run::newest(root)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let put = |path: &str, text: String| {
        let path = root.join(path);
        let made = path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(&path, text));
        made.map_err(|e| format!("{} cannot be written: {e}", path.display()))
    };
    put(PAGE, page(&raw, &name))?;
    // A plot of a load that is no more would stay for ever.
    let _ = fs::remove_dir_all(root.join(PLOTS));
    for load in measured(&raw) {
        put(&format!("{PLOTS}/{}.svg", load.name), plot::draw(&raw, load))?;
    }
    println!("{PAGE} and {} plots are made from {RUNS}/{name}", measured(&raw).count());
    Ok(())
}

/// The medians of one load, for a terminal.
pub(super) fn summary(raw: &Raw, load: &Load) -> String {
    let mut text = format!("\n{}: {}\n", load.name, load.title);
    for (server, _) in &raw.servers {
        let _ = write!(text, "  {server:<10}");
        for measure in measures(load) {
            let _ = write!(text, "  {:>8} {}", median(raw, load, server, measure), measure.heading);
        }
        let _ = writeln!(
            text,
            "{}",
            words(raw, load, server).map(|words| format!("  ({words})")).unwrap_or_default()
        );
    }
    text
}

fn page(raw: &Raw, name: &str) -> String {
    let about = |key: &str| raw.about.get(key).map_or("unknown", String::as_str);
    let mut text = format!(
        "# Performance\n\n\
         Made by `cargo xtask bench --page` from [`{RUNS}/{name}`](../{RUNS}/{name}): {} cores of {}, {}, {}, {}; files on {}; processor time and memory \
         from {}. \
         The checkout was at {}, twoport {}. Medians; rounds: {}.\n\n{METHOD}\n## The servers\n\n| server | version |\n| --- | --- |\n",
        about("cores"),
        about("processor"),
        about("memory"),
        about("kernel"),
        about("system"),
        about("files on"),
        about("processor time from"),
        about("commit"),
        about("twoport"),
        about("rounds"),
    );
    for (server, version) in &raw.servers {
        let _ = writeln!(text, "| {server} | {} |", cell(version));
    }
    text += "\n## twoport beside the others\n\nHow many times as much twoport takes. Below 1 it takes less.\n\n\
             | load | measure | twoport | × floor | × best of the others |\n| --- | --- | --- | --- | --- |\n";
    for load in measured(raw) {
        let judged = load.drawn[1];
        let best = best_peer(raw, load);
        let _ = writeln!(
            text,
            "| [{}](#{}) | {} | {} | {} | {} |",
            load.title,
            anchor(load.title),
            judged.heading,
            median(raw, load, OURS, judged),
            ratio(raw, load, OURS, Some("floor")),
            match best {
                Some(peer) => format!("{} {peer}", ratio(raw, load, OURS, Some(peer))),
                None => NONE.to_owned(),
            },
        );
    }
    for load in measured(raw) {
        section(&mut text, raw, load);
    }
    text
}

fn section(text: &mut String, raw: &Raw, load: &Load) {
    let _ = write!(
        text,
        "\n## {}\n\n{} Compared by: {}.\n\n![{}](performance/{}.svg)\n\n| server |",
        load.title, load.what, load.drawn[1].heading, load.title, load.name
    );
    for measure in measures(load) {
        let _ = write!(text, " {} |", measure.heading);
    }
    text.push_str(" × floor | × best of the others |\n| --- |");
    text.push_str(&" --- |".repeat(measures(load).count() + 2));
    text.push('\n');
    let best = best_peer(raw, load);
    let mut notes = String::new();
    for (server, _) in &raw.servers {
        let name = if server == OURS { format!("**{server}**") } else { server.clone() };
        let _ = write!(text, "| {name} |");
        for measure in measures(load) {
            let _ = write!(text, " {} |", median(raw, load, server, measure));
        }
        let _ = writeln!(
            text,
            " {} | {} |",
            ratio(raw, load, server, Some("floor")),
            ratio(raw, load, server, best)
        );
        if let Some(words) = words(raw, load, server) {
            let _ = writeln!(notes, "- {server}: {}", cell(&words));
        }
    }
    if !notes.is_empty() {
        let _ = write!(text, "\n{notes}");
    }
}

fn measured(raw: &Raw) -> impl Iterator<Item = &'static Load> {
    LOADS.iter().filter(|load| raw.outcomes.iter().any(|outcome| outcome.load == load.name))
}

fn measures(load: &Load) -> impl Iterator<Item = &'static Measure> {
    load.drawn.into_iter().chain(load.also.iter().copied())
}

fn median(raw: &Raw, load: &Load, server: &str, measure: &Measure) -> String {
    raw.median(load.name, server, measure.key).map_or_else(|| NONE.to_owned(), shown)
}

/// What a server could not do, in its own words, and in how many of the rounds.
fn words(raw: &Raw, load: &Load, server: &str) -> Option<String> {
    let (all, failed) = (
        raw.of(load.name, server).count(),
        raw.of(load.name, server).filter_map(|one| one.came.as_ref().err()),
    );
    let failed: Vec<&String> = failed.collect();
    let first = failed.first()?;
    Some(if failed.len() == all {
        (*first).clone()
    } else {
        format!("{first} (in {} of {all} rounds)", failed.len())
    })
}

/// Who of the others does best by what the load is compared by.
fn best_peer<'a>(raw: &'a Raw, load: &Load) -> Option<&'a str> {
    let peers =
        raw.servers.iter().map(|(name, _)| name.as_str()).filter(|name| *name != OURS && *name != "floor");
    let figures = peers.filter_map(|name| Some((name, raw.median(load.name, name, load.drawn[1].key)?)));
    figures.min_by(|(_, a), (_, b)| a.total_cmp(b)).map(|(name, _)| name)
}

fn ratio(raw: &Raw, load: &Load, server: &str, to: Option<&str>) -> String {
    let of = |server: &str| raw.median(load.name, server, load.drawn[1].key);
    match (of(server), to.and_then(of)) {
        (Some(figure), Some(other)) if other > 0.0 => format!("{:.2}", figure / other),
        _ => NONE.to_owned(),
    }
}

/// A number with three digits that count.
pub(super) fn shown(figure: f64) -> String {
    let decimals = (2 - figure.abs().max(1e-3).log10().floor() as i32).clamp(0, 4);
    let text = format!("{figure:.*}", usize::try_from(decimals).unwrap_or(0));
    let (whole, rest) =
        text.split_once('.').map_or((text.as_str(), None), |(whole, rest)| (whole, Some(rest)));
    let mut grouped = String::new();
    for (place, digit) in whole.chars().enumerate() {
        if place > 0 && (whole.len() - place) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    rest.map_or(grouped.clone(), |rest| format!("{grouped}.{rest}"))
}

/// As the sites that show Markdown make it of a heading.
fn anchor(title: &str) -> String {
    let kept = title.to_lowercase().chars().filter(|c| c.is_alphanumeric() || *c == ' ').collect::<String>();
    kept.replace(' ', "-")
}

/// A text that may stand in a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('<', "&lt;")
}

const OURS: &str = "twoport";
const NONE: &str = "–";

const METHOD: &str = "\
## How it is measured, and what to distrust

In each round all servers run side by side, each in a control group of its own, and one load after the other is put on one
server after the other, so that neighbours in a table were measured within seconds of each other; who is first differs from
round to round. Processor time and memory are those of the server's control group alone; over loopback the kernel does a part
of receiving in the time of who sends, so that much of the load's is in it too, with all servers. The load is made to be cheap: blocking threads, downloads thrown away in the kernel, uploads by sendfile.
Client and server share the machine's cores and speak over loopback, so no network limits them, and with many sessions they
take the cores from each other: MB/s and latencies are those of this pair on this machine. All is anonymous, with limits out of
the way; twoport writes its log as it comes, the others log no transfers.

The *floor* is no server but the plainest way to do the same: a thread a session, fixed replies, sendfile, no question asked.
What it takes is hardly more than the kernel's share. Who stands below it has found a cheaper way: no thread for an idle
session, or another way through the kernel.

- Absolute figures drift with the machine, its neighbours and its kernel. Compare within a run; ratios of processor time
  hold best, latencies worst.
- Where a server takes little (`idle`, `noop`), a round more or less shows in the last digit. The thin line in a plot goes
  from the least to the most of all rounds.
- Without control groups (`/proc`) less is seen of servers that start a process a session: what the kernel does for a process
  that begins or ends is partly nobody's there. The line above says which it was.
- Memory is anonymous pages and what the kernel keeps for the processes, without files and without what waits in sockets.
  A process a session shares pages with its parent until it writes to them.
- A load of one kind says nothing of another. What you do with a server is none of these.

None of it is a test, and nothing fails by it: what a test may judge is the number of instructions, see [testing](testing.md).
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits_count() {
        let all = [0.0123, 0.5, 1.5, 12.34, 123.4, 1234.5, 1_234_567.0].map(shown);
        assert_eq!(all, ["0.0123", "0.500", "1.50", "12.3", "123", "1,234", "1,234,567"]);
    }

    #[test]
    fn an_anchor_is_the_heading_in_small_letters() {
        assert_eq!(anchor("RETR of a large file, one session"), "retr-of-a-large-file-one-session");
    }
}
