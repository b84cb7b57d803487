//! `mirror`: look at both sides, say what differs and why, and carry it out.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use twoport_client::local_name::shown;
use twoport_client::mirror::{
    Direction, Done, Event, Note, Pattern, Plan, Rules, Seen, Sides, SkipWhy, Step, Totals, Tree, act,
    local_tree, look, plan,
};
use twoport_client::url::Url;
use twoport_client::{Client, Crew, Error};

use crate::args::Mirror;
use crate::exit::{Exit, Stopped};
use crate::progress::{Bar, Bars, say};
use crate::run::remote::{about, charset, journey, now, read, with_runtime};
use crate::show;

/// `twoport mirror`: a file that fails does not stop the others.
pub(crate) fn mirror(args: &Mirror) -> Result<(), Stopped> {
    let (url, folder, direction) = match (Url::is_meant(&args.source), Url::is_meant(&args.target)) {
        (true, false) => (read(&args.source, &args.common)?, Path::new(&args.target), Direction::Down),
        (false, true) => (read(&args.target, &args.common)?, Path::new(&args.source), Direction::Up),
        _ => return Err(Stopped::usage("one of SRC and DST must be an ftp:// URL, the other a folder here")),
    };
    let patterns = |texts: &[String]| texts.iter().map(|text| Pattern::read(text.as_bytes())).collect();
    let mut rules = Rules {
        delete: args.delete,
        newer: args.newer,
        include: patterns(&args.include),
        exclude: patterns(&args.exclude),
        time_slack_seconds: SLACK,
        ..Rules::default()
    };
    with_runtime(async {
        let mut first = journey(&url, &args.common)?;
        first.carry_many();
        let mut crew = Crew::new(first, usize::from(args.common.parallel));
        let ended = run(args, &url, folder, direction, &mut rules, &mut crew).await;
        crew.end().await;
        ended
    })
}

async fn run(
    args: &Mirror,
    url: &Url,
    folder: &Path,
    direction: Direction,
    rules: &mut Rules,
    crew: &mut Crew,
) -> Result<(), Stopped> {
    let remote = url.target();
    // What can be known to be wrong without a server is said before one is asked.
    let here = look_here(folder, direction, args.dry_run, rules)?;
    let began = Instant::now();
    let sides = Sides { local: folder, remote: &remote, direction };
    let bars = Bars::new(&args.common);
    let moving: RefCell<BTreeMap<Vec<u8>, Bar>> = RefCell::default();
    let tell = |event: Event<'_>| told(args, event, &bars, &moving);
    let (there, done) = look_there(crew, url, sides, &here.tree, args.dry_run, rules, &tell).await?;
    let (source, target) = if direction == Direction::Down { (there, here) } else { (here, there) };
    rules.unread = source.unread.union(&target.unread).cloned().collect();
    let plan = plan(&source.tree, &target.tree, rules);

    let notes = source.notes.iter().chain(&target.notes);
    let mut missed = notes.clone().filter(|note| note.missed).count();
    notes.for_each(|note| show_note(args, note));
    // A folder that could not be listed has its note.
    for skip in plan.skipped.iter().filter(|skip| skip.why != SkipWhy::Unread) {
        missed += usize::from(is_missed(skip.why));
        show_skip(args, &skip.path, &skip.why.to_string());
    }
    if args.dry_run {
        plan.steps.iter().try_for_each(|step| show_step(args, step, "planned", None, None))?;
        return finish(args, planned(&plan), missed, Duration::ZERO);
    }
    let totals = act(&plan, sides, crew, done, &tell).await;
    drop(moving.take());
    drop(bars);
    finish(args, totals, missed, began.elapsed())
}

/// What happens on the way. A reader of our output that has gone does not stop the work.
fn told(args: &Mirror, event: Event<'_>, bars: &Bars, moving: &RefCell<BTreeMap<Vec<u8>, Bar>>) {
    let ended = |step: &Step| {
        if matches!(step, Step::Copy { .. }) {
            moving.borrow_mut().remove(step.path());
            bars.ended();
        }
    };
    let _ = match event {
        Event::Found { files, bytes } => {
            bars.more(files, bytes);
            Ok(())
        }
        Event::Moving { step, size, from, progress } => {
            let bar = bars.file(step.path(), from, Some(size), progress);
            moving.borrow_mut().insert(step.path().to_vec(), bar);
            Ok(())
        }
        Event::Done(step, bytes) => {
            ended(step);
            show_step(args, step, "done", Some(bytes), None)
        }
        Event::Failed(step, e) => {
            ended(step);
            show_step(args, step, "failed", None, Some(e))
        }
        Event::Fewer(sessions, e) => {
            if !args.common.quiet {
                say(format_args!("twoport: {e}; going on with {sessions} sessions"));
            }
            Ok(())
        }
    };
}

fn look_here(folder: &Path, direction: Direction, dry_run: bool, rules: &Rules) -> Result<Seen, Stopped> {
    let cannot = |e: std::io::Error| Stopped::local(format!("cannot mirror {}: {e}", folder.display()));
    if direction == Direction::Down {
        if dry_run && !folder.exists() {
            return Ok(Seen::default());
        }
        if !dry_run {
            fs::create_dir_all(folder).map_err(cannot)?;
        }
    }
    local_tree(folder, direction == Direction::Down, rules).map_err(cannot)
}

async fn look_there(
    crew: &mut Crew,
    url: &Url,
    sides: Sides<'_>,
    here: &Tree,
    dry_run: bool,
    rules: &Rules,
    tell: &dyn Fn(Event<'_>),
) -> Result<(Seen, Done), Stopped> {
    let at_once = !dry_run && sides.direction == Direction::Down;
    match look(crew, sides, here, rules, now(), at_once, tell).await {
        // Not every server says in so many words that there is no such folder.
        Err(Error::Refused { code: 550, .. })
            if sides.direction == Direction::Up && !sides.remote.is_empty() =>
        {
            if dry_run {
                return Ok((Seen::default(), Done::default()));
            }
            crew.one()
                .run(|| 0, async |client| make_root(client, sides.remote).await)
                .await
                .map_err(|e| about(url, e))?;
            look(crew, sides, here, rules, now(), false, tell).await.map_err(|e| about(url, e))
        }
        seen => seen.map_err(|e| about(url, e)),
    }
}

/// The folder and those that it lies in. Most of them are there, and a refusal says so.
async fn make_root(client: &mut Client, path: &[u8]) -> Result<(), Error> {
    let ends = path.iter().enumerate().filter(|(at, b)| *at > 0 && **b == b'/').map(|(at, _)| at);
    for end in ends {
        match client.make_dir(&path[..end]).await {
            Ok(()) | Err(Error::Refused { .. }) => {}
            Err(e) => return Err(e),
        }
    }
    client.make_dir(path).await
}

/// Whether the target lacks something that the user meant it to have.
fn is_missed(why: SkipWhy) -> bool {
    matches!(why, SkipWhy::BadName | SkipWhy::BelowNoFolder | SkipWhy::FolderInTheWay | SkipWhy::KeptInTheWay)
}

fn planned(plan: &Plan) -> Totals {
    let count = |is: fn(&Step) -> bool| plan.steps.iter().filter(|step| is(step)).count() as u64;
    Totals {
        copied: count(|step| matches!(step, Step::Copy { .. })),
        bytes: plan.bytes(),
        made: count(|step| matches!(step, Step::MakeDir { .. })),
        removed: count(|step| matches!(step, Step::RemoveFile { .. } | Step::RemoveDir { .. })),
        failed: 0,
    }
}

fn show_note(args: &Mirror, note: &Note) {
    show_skip(args, &note.path, &note.why);
}

fn show_skip(args: &Mirror, path: &[u8], why: &str) {
    if args.common.json {
        let mut skip = json!({ "step": "skip", "why": why });
        show_path(args, &mut skip, path);
        let _ = show::object(&skip);
    } else if !args.common.quiet {
        say(format_args!("twoport: skip {}: {why}", shown(path)));
    }
}

fn show_path(args: &Mirror, object: &mut Value, path: &[u8]) {
    if let (Some(fields), Ok(charset)) = (object.as_object_mut(), charset(&args.common)) {
        show::name_fields(fields, "path", path, &charset);
    }
}

fn show_step(
    args: &Mirror,
    step: &Step,
    result: &str,
    bytes: Option<u64>,
    error: Option<&Error>,
) -> Result<(), Stopped> {
    if args.common.json {
        let (what, size) = match step {
            Step::MakeDir { .. } => ("make-folder", None),
            Step::Copy { size, .. } => ("copy", Some(size)),
            Step::RemoveFile { .. } => ("remove", None),
            Step::RemoveDir { .. } => ("remove-folder", None),
        };
        let mut object = json!({
            "step": what,
            "size": size,
            "bytes": bytes.filter(|_| size.is_some()),
            "why": step.why(),
            "result": result,
            "error": error.map(ToString::to_string),
        });
        show_path(args, &mut object, step.path());
        return show::object(&object);
    }
    match error {
        Some(e) => say(format_args!("twoport: {step}; but it failed: {e}")),
        None if args.dry_run || !args.common.quiet => return show::line(step.to_string().as_bytes()),
        None => {}
    }
    Ok(())
}

fn finish(args: &Mirror, totals: Totals, missed: usize, took: Duration) -> Result<(), Stopped> {
    let Totals { copied, bytes, made, removed, failed } = totals;
    if args.common.json {
        show::object(&json!({
            "step": "total",
            "result": if args.dry_run { "planned" } else { "done" },
            "copied": copied,
            "bytes": bytes,
            "seconds": show::seconds(took),
            "rate": if args.dry_run { 0 } else { show::rate(bytes, took) },
            "made": made,
            "removed": removed,
            "failed": failed,
            "skipped": missed,
        }))?;
    } else if !args.common.quiet {
        let would = if args.dry_run { "would be " } else { "" };
        let pace = match args.dry_run || copied == 0 {
            true => String::new(),
            false => {
                format!(" in {:.3} s, {:.1} MB/s", took.as_secs_f64(), show::per_second(bytes, took) / 1e6)
            }
        };
        let text = match (copied, made, removed, failed) {
            (0, 0, 0, 0) => "nothing to do".to_owned(),
            _ => format!(
                "{copied} files {would}copied ({bytes} bytes{pace}), {made} folders made, {removed} removed, {failed} failed"
            ),
        };
        show::line(text.as_bytes())?;
    }
    if failed == 0 && missed == 0 {
        return Ok(());
    }
    let text = format!("the mirror is not complete: {failed} steps failed, {missed} things were skipped");
    Err(Stopped { exit: Exit::Incomplete, text })
}

/// How far the two clocks may be apart, in seconds: file systems round, FAT to two.
const SLACK: u32 = 1;
