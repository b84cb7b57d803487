//! Makes a folder here like one of a server: `cargo run -p twoport-client --example mirror_a_tree -- ftp://HOST/PATH/ FOLDER`. First
//! both sides are looked at, then it is said what differs and why, then it is done in four sessions.

use std::error::Error;
use std::path::Path;

use twoport_client::mirror::{Direction, Event, Rules, Sides, act, local_tree, look, plan};
use twoport_client::url::Url;
use twoport_client::{Crew, Journey, Options, deaf};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [url, folder] = &words[..] else { return Err("mirror_a_tree URL FOLDER".into()) };
    print!("{}", run(url, Path::new(folder)).await?);
    Ok(())
}

/// Gives a line for each step, and one of what became of them.
pub(crate) async fn run(url: &str, folder: &Path) -> Result<String, Box<dyn Error>> {
    let url: Url = url.parse()?;
    let remote = url.target();
    std::fs::create_dir_all(folder)?;
    let sides = Sides { local: folder, remote: &remote, direction: Direction::Down };
    let mut crew = Crew::new(Journey::to(&url, Options::default(), deaf())?, 4);
    let tell = |event: Event<'_>| {
        if let Event::Failed(step, why) = event {
            eprintln!("{step}: {why}");
        }
    };

    let mut rules = Rules::default();
    let here = local_tree(folder, true, &rules)?;
    let now = twoport_client::now();
    let (there, done) = look(&mut crew, sides, &here.tree, &rules, now, false, &tell).await?;
    // What could not be listed is left alone.
    rules.unread = there.unread.union(&here.unread).cloned().collect();
    let plan = plan(&there.tree, &here.tree, &rules);
    let mut told: String = plan.steps.iter().map(|step| format!("{step}\n")).collect();

    let totals = act(&plan, sides, &mut crew, done, &tell).await;
    crew.end().await;
    told.push_str(&format!("{} files copied, {} failed\n", totals.copied, totals.failed));
    Ok(told)
}
