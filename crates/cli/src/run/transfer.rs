//! `get`, `put` and `cat`. A download goes to NAME.part and is renamed when it is whole; its time is kept.

use std::cell::Cell;
use std::fs::File;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use twoport_client::local_name::{Begin, Download, LocalName};
use twoport_client::url::Url;
use twoport_client::{Client, Error, Journey, Moved};
use twoport_pipe::{Body, Boxed, Progress, Sink, Taker};
use twoport_proto::{Kind, Moment};

use crate::args::{Common, Get, Put, Remote};
use crate::exit::{Exit, Stopped};
use crate::run::remote::{about, all, join, journey, read, with_runtime};
use crate::show;

/// Below so many bytes a store that was cut begins anew.
const WORTH_RESUMING: u64 = 64 * 1024;

/// `twoport get`: a file that fails does not stop the others.
pub(crate) fn get(args: &Get) -> Result<(), Stopped> {
    let urls = args.urls.iter().map(|text| read(text)).collect::<Result<Vec<_>, _>>()?;
    let folder = args.output.as_deref().filter(|output| output.is_dir() || ends_in_slash(output));
    if urls.len() > 1 && args.output.is_some() && folder.is_none() {
        return Err(Stopped::usage("-o must name a folder when several files are fetched"));
    }
    with_runtime(each(&urls, async |url: &Url| {
        let target = match (folder, &args.output) {
            (Some(folder), _) => folder.join(remote_name(url)?.as_os_str()),
            (None, Some(file)) => file.clone(),
            (None, None) => PathBuf::from(remote_name(url)?.as_os_str()),
        };
        get_one(url, target, args).await
    }))
}

fn ends_in_slash(path: &Path) -> bool {
    path.as_os_str().as_bytes().ends_with(b"/")
}

fn remote_name(url: &Url) -> Result<LocalName, Stopped> {
    let name = url.path.rsplit(|b| *b == b'/').next().unwrap_or_default();
    LocalName::read(name).map_err(|e| Stopped::usage(format!("{url}: {e}; name the file with -o")))
}

/// Does it with each.
async fn each<T>(things: &[T], mut work: impl AsyncFnMut(&T) -> Result<(), Stopped>) -> Result<(), Stopped> {
    let mut done = Vec::with_capacity(things.len());
    for thing in things {
        done.push(work(thing).await);
    }
    all(done)
}

async fn get_one(url: &Url, target: PathBuf, args: &Get) -> Result<(), Stopped> {
    let cannot = |e: std::io::Error| Stopped::local(format!("cannot write {}: {e}", target.display()));
    let begin = if args.resume { Begin::Resume } else { Begin::Anew };
    let download = Download::at(&target, begin).map_err(cannot)?;
    let remote = url.target();
    let progress = Progress::default();
    let began = Instant::now();
    let mut journey = journey(url, &args.common)?;
    // How far the file has come: what grows with every try that is worth another one.
    let at = Cell::new(download.from());
    let fetching = async |client: &mut Client| {
        let moved = match fetch_from(client, &remote, &download, &at, &progress).await {
            // A server that cannot go on in the middle begins anew.
            Err(e) if e.is_unknown_command() && at.get() > 0 => {
                let local = |source| Error::Local { what: "cannot begin anew".to_owned(), source };
                download.file().set_len(0).map_err(local)?;
                at.set(0);
                fetch_from(client, &remote, &download, &at, &progress).await?
            }
            Err(e) => return Err(client.explained(&remote, e).await),
            Ok(moved) => moved,
        };
        // The time is worth a question and no failure.
        let mut entry = client.stat(&remote).await.ok();
        if let Some(told) = entry.as_mut().filter(|told| told.size < at.get())
            && let Ok(Some(size)) = client.size(&remote).await
        {
            told.size = size;
        }
        Ok((moved, entry))
    };
    let got = journey.run(|| at.get(), fetching).await;
    let at = at.get();
    journey.end().await;
    let part = download.part().to_owned();
    let (mut moved, entry) = got.map_err(|e| {
        let mut stopped = about(url, e);
        if at > 0 {
            stopped.text.push_str(&format!("\nwhat came is kept in {}; go on with --resume", part.display()));
        }
        stopped
    })?;
    if let Some(entry) = entry.as_ref().filter(|entry| entry.kind == Kind::File)
        && (at > entry.size || at < entry.size && !moved.confirmed)
    {
        let why = if at > entry.size {
            format!("{at} bytes came, and the server says that the file has {}", entry.size)
        } else {
            format!("{at} bytes came of {}, and the server never said that it was done", entry.size)
        };
        let next = if at > entry.size { "look at the file there" } else { "go on with --resume" };
        let text = format!("{url}: {why}; they are kept in {}: {next}", part.display());
        return Err(Stopped { exit: Exit::Incomplete, text });
    }
    moved.bytes = progress.moved();
    download.finish(entry.and_then(|entry| entry.modified)).map_err(cannot)?;
    tell(&args.common, &target.display().to_string(), &moved, began.elapsed())
}

/// One try, from where the file is; it is further on afterwards, also when the try was cut.
async fn fetch_from(
    client: &mut Client,
    remote: &[u8],
    download: &Download,
    at: &Cell<u64>,
    progress: &Progress,
) -> Result<Moved, Error> {
    let mut sink = Sink::File { file: download.file(), at: at.get() };
    let fetched = client.fetch(remote, at.get(), &mut sink, progress).await;
    if let Sink::File { at: reached, .. } = sink {
        at.set(reached);
    }
    fetched
}

fn tell(common: &Common, name: &str, moved: &Moved, took: Duration) -> Result<(), Stopped> {
    if common.json {
        return show::object(&show::moved_object(name, moved, took));
    }
    if !common.quiet {
        eprintln!("{}", show::plain(&show::moved(name, moved, took)));
    }
    Ok(())
}

/// `twoport cat`: what is written is written, so a transfer that was cut goes on and does not begin anew.
pub(crate) fn cat(args: &Remote) -> Result<(), Stopped> {
    let url = read(&args.url)?;
    with_runtime(async {
        let progress = Progress::default();
        let mut journey = journey(&url, &args.common)?;
        let work = async |client: &mut Client| {
            let mut sink = Sink::Taker(Box::new(Stdout));
            match client.fetch(&url.target(), progress.moved(), &mut sink, &progress).await {
                Err(e) => Err(client.explained(&url.target(), e).await),
                fetched => fetched,
            }
        };
        let done = journey.run(|| progress.moved(), work).await;
        journey.end().await;
        done.map(|_| ()).map_err(|e| about(&url, e))
    })
}

struct Stdout;

impl Taker for Stdout {
    fn take<'a>(&'a mut self, bytes: &'a [u8]) -> Boxed<'a, ()> {
        Box::pin(std::future::ready(std::io::stdout().lock().write_all(bytes)))
    }
}

/// `twoport put`: a file that fails does not stop the others.
pub(crate) fn put(args: &Put) -> Result<(), Stopped> {
    let url = read(&args.url)?;
    let folder = url.folder || args.files.len() > 1;
    with_runtime(async {
        let mut journey = journey(&url, &args.common)?;
        let done = each(&args.files, async |file: &PathBuf| {
            let name = file.file_name().map(OsStrExt::as_bytes).unwrap_or_default();
            let remote = if folder { join(&url.target(), name) } else { url.target() };
            put_one(&mut journey, file, &remote, args).await
        })
        .await;
        journey.end().await;
        done
    })
}

async fn put_one(journey: &mut Journey, local: &Path, remote: &[u8], args: &Put) -> Result<(), Stopped> {
    let failed = |e: std::io::Error| Stopped::local(format!("cannot read {}: {e}", local.display()));
    let file = Arc::new(File::open(local).map_err(failed)?);
    let data = file.metadata().map_err(failed)?;
    if !data.is_file() {
        return Err(Stopped::local(format!("{} is not a file", local.display())));
    }
    let size = data.len();
    let progress = Progress::default();
    let began = Instant::now();
    // What stood there before this began, asked once; a small file is not worth the question.
    let mut before = None;
    let mut again = false;
    let reached = Cell::new(0);
    let work = async |client: &mut Client| {
        if before.is_none() && (args.append || args.resume || size > WORTH_RESUMING) {
            before = Some(there(client, remote).await?);
        }
        let again = std::mem::replace(&mut again, true);
        let from = match (before, args.append, args.resume, again) {
            (Some(base), true, _, true) => {
                there(client, remote).await?.and_then(|now| now.checked_sub(base.unwrap_or(0)))
            }
            (Some(base), false, true, false) => base,
            // What is there now is ours only when nothing was there before: a server may drop what was cut and keep
            // the old file, and the two must not be mixed.
            (Some(None), false, _, true) | (Some(_), false, true, true) => there(client, remote).await?,
            _ => None,
        };
        let from = from.filter(|from| *from <= size).unwrap_or(0);
        reached.set(from);
        let moved = if args.append {
            let length = (size > from).then_some(size - from);
            let body = Body::File { file: Arc::clone(&file), from, length };
            client.store(remote, twoport_client::Put::Append, body, &progress).await?
        } else {
            let (moved, began) = client.store_from(remote, &file, from..size, &progress).await?;
            reached.set(began);
            moved
        };
        if let Some(modified) = data.modified().ok().and_then(moment) {
            client.set_modified(remote, modified).await?;
        }
        Ok(moved)
    };
    let mut moved = journey.run(|| reached.get(), work).await.map_err(|e| about(local.display(), e))?;
    moved.bytes = progress.moved();
    tell(&args.common, &String::from_utf8_lossy(remote), &moved, began.elapsed())
}

/// How much of a file is on the server; none when there is no such file.
async fn there(client: &mut Client, remote: &[u8]) -> Result<Option<u64>, Error> {
    match client.stat(remote).await {
        Ok(entry) => Ok((entry.kind == Kind::File).then_some(entry.size)),
        Err(Error::Refused { .. }) => Ok(None),
        Err(e) => Err(e),
    }
}

fn moment(time: SystemTime) -> Option<Moment> {
    let since = time.duration_since(UNIX_EPOCH).ok()?;
    Some(Moment { seconds: i64::try_from(since.as_secs()).ok()?, nanos: since.subsec_nanos() })
}
