//! `get`, `put` and `cat`. A download goes to NAME.part and is renamed when it is whole; its time is kept.

use std::cell::Cell;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use twoport_client::local_name::{Begin, Download, LocalName, shown};
use twoport_client::url::Url;
use twoport_client::{Client, Crew, Error, Journey, Moved, Onto, Upload, Word, crew, segments};
use twoport_pipe::{Boxed, Progress, Sink, Taker};
use twoport_proto::Kind;

use crate::args::{Common, Get, Put, Remote};
use crate::exit::{Exit, Stopped};
use crate::progress::{Bars, say};
use crate::run::remote::{about, all, charset, join, journey, read, with_runtime};
use crate::show;

/// `twoport get`: a file that fails does not stop the others.
pub(crate) fn get(args: &Get) -> Result<(), Stopped> {
    let urls = args.urls.iter().map(|text| read(text, &args.common)).collect::<Result<Vec<_>, _>>()?;
    let folder = args.output.as_deref().filter(|output| output.is_dir() || ends_in_slash(output));
    if urls.len() > 1 && args.output.is_some() && folder.is_none() {
        return Err(Stopped::usage("-o must name a folder when several files are fetched"));
    }
    let bars = Bars::new(&args.common);
    if urls.len() > 1 {
        bars.total(urls.len(), None);
    }
    let targets = urls.iter().map(|url| {
        Ok(match (folder, &args.output) {
            (Some(folder), _) => folder.join(remote_name(url, &args.common)?.as_os_str()),
            (None, Some(file)) => file.clone(),
            (None, None) => PathBuf::from(remote_name(url, &args.common)?.as_os_str()),
        })
    });
    // What is on one server, and wanted by one user, is fetched in several sessions at the same time.
    let mut servers: Vec<Vec<(&Url, Result<PathBuf, Stopped>)>> = Vec::new();
    for (url, target) in urls.iter().zip(targets) {
        let same = |url: &Url, other: &Url| {
            (&url.host, url.port, &url.user, url.scheme)
                == (&other.host, other.port, &other.user, other.scheme)
        };
        match servers.iter_mut().find(|files| same(files[0].0, url)) {
            Some(files) => files.push((url, target)),
            None => servers.push(vec![(url, target)]),
        }
    }
    with_runtime(async {
        let mut done = Vec::new();
        for files in servers {
            let name = |(url, _): &(&Url, Result<PathBuf, Stopped>)| url.to_string();
            let url = files[0].0;
            done.extend(
                each(url, &files, name, &args.common, urls.len(), async |journey, (url, target)| {
                    let target = target.as_ref().map_err(Stopped::clone)?.clone();
                    let got = get_one(journey, url, target, args, &bars).await;
                    bars.ended();
                    got
                })
                .await?,
            );
        }
        all(done)
    })
}

fn ends_in_slash(path: &Path) -> bool {
    path.as_os_str().as_bytes().ends_with(b"/")
}

fn remote_name(url: &Url, common: &Common) -> Result<LocalName, Stopped> {
    let name = url.path.rsplit(|b| *b == b'/').next().unwrap_or_default();
    LocalName::read(&charset(common)?.decode(name))
        .map_err(|e| Stopped::usage(format!("{url}: {e}; name the file with -o")))
}

/// Does it with each, in several sessions with the server of `url`; with `--json` the failures are told as they come, where
/// there are several things to do in all.
async fn each<T>(
    url: &Url,
    things: &[T],
    name: impl Fn(&T) -> String,
    common: &Common,
    all: usize,
    work: impl AsyncFn(&mut Journey, &T) -> Result<(), Stopped>,
) -> Result<Vec<Result<(), Stopped>>, Stopped> {
    let mut first = journey(url, common)?;
    if things.len() > 1 {
        first.carry_many();
    }
    let mut crew = Crew::new(first, usize::from(common.parallel));
    let done = crew::each(
        &mut crew,
        things,
        async |journey, thing| {
            let ended = work(journey, thing).await;
            if let Err(stopped) = &ended
                && common.json
                && all > 1
            {
                show::object(&show::failure(Some(&name(thing)), stopped))?;
            }
            ended
        },
        &|left, e| {
            if !common.quiet {
                say(format_args!("twoport: {e}; going on with {left} sessions"));
            }
        },
    )
    .await;
    crew.end().await;
    Ok(done)
}

async fn get_one(
    journey: &mut Journey,
    url: &Url,
    target: PathBuf,
    args: &Get,
    bars: &Bars,
) -> Result<(), Stopped> {
    let cannot = |e: std::io::Error| Stopped::local(format!("cannot write {}: {e}", target.display()));
    let begin = if args.resume { Begin::Resume } else { Begin::Anew };
    let download = Download::at(&target, begin).map_err(cannot)?;
    let remote = url.target();
    let progress = Progress::default();
    let began = Instant::now();
    if args.segments > 1 && !args.common.ascii {
        let size =
            journey.run(|| 0, async |client| client.size(&remote).await).await.map_err(|e| about(url, e))?;
        // Half a part is no part.
        if let Some(size) = size.filter(|size| size.saturating_sub(download.from()) > segments::SMALLEST) {
            return get_in_segments(journey, (url, target), (download, size), args, bars).await;
        }
    }
    // How far the file has come: what grows with every try that is worth another one.
    let at = Cell::new(download.from());
    let local = |source| Error::Local { what: "cannot begin anew".to_owned(), source };
    let bar = bars.file(target.as_os_str().as_bytes(), download.from(), None, &progress);
    // How much there is to come is worth a question where somebody looks on.
    let mut is_sized = !bars.are_seen();
    // A try whose bytes ended in order, and whose last word never came: a new session tells the size.
    let lost = Cell::new(None);
    let fetching = async |client: &mut Client| {
        if let Some(moved) = lost.get() {
            let entry = match client.stat(&remote).await {
                Ok(entry) => Some(entry),
                Err(Error::Refused { .. }) => None,
                Err(e) => return Err(e),
            };
            let size = entry.as_ref().filter(|entry| entry.kind == Kind::File).map(|entry| entry.size);
            if args.common.ascii || size.is_none_or(|size| size == at.get()) {
                return Ok((moved, size.map(|_| Word::Size), entry));
            }
        }
        if !std::mem::replace(&mut is_sized, true) {
            match client.stat(&remote).await {
                Ok(entry) if entry.kind == Kind::File => bar.size_is(entry.size),
                Ok(_) | Err(Error::Refused { .. }) => {}
                Err(e) => return Err(e),
            }
        }
        // Of text nobody knows where it was cut: the server counts other bytes than we do.
        if args.common.ascii {
            download.file().set_len(0).map_err(local)?;
            at.set(0);
        }
        bar.stands_at(at.get());
        let moved = match fetch_from(client, &remote, &download, &at, &progress).await {
            // A server that cannot go on in the middle begins anew.
            Err(e) if e.is_unknown_command() && at.get() > 0 => {
                download.file().set_len(0).map_err(local)?;
                at.set(0);
                bar.stands_at(0);
                fetch_from(client, &remote, &download, &at, &progress).await?
            }
            Err(e) => return Err(client.explained(&remote, e).await),
            Ok(moved) => moved,
        };
        if !moved.confirmed {
            lost.set(Some(moved));
            return Err(Error::Unconfirmed { bytes: moved.bytes, why: String::new() });
        }
        // The time is worth a question and no failure.
        let mut entry = client.stat(&remote).await.ok();
        if let Some(told) = entry.as_mut().filter(|told| told.size < at.get())
            && let Ok(Some(size)) = client.size(&remote).await
        {
            told.size = size;
        }
        Ok((moved, Some(Word::Reply), entry))
    };
    let further = || at.get() + u64::from(lost.get().is_some());
    let got = journey.run(further, fetching).await;
    let at = at.get();
    drop(bar);
    let part = download.part().to_owned();
    let (mut moved, word, entry) = got.map_err(|e| {
        let mut stopped = about(url, e);
        if lost.get().is_some() {
            stopped.exit = Exit::Incomplete;
            stopped.text.push_str(&format!("\n{at} bytes came, and the server never said that this is all"));
        }
        if at > 0 {
            stopped.text.push_str(&format!("\nwhat came is kept in {}; go on with --resume", part.display()));
        }
        stopped
    })?;
    if let Some(entry) =
        entry.as_ref().filter(|entry| entry.kind == Kind::File && at > entry.size && !args.common.ascii)
    {
        let text = format!(
            "{url}: {at} bytes came, and the server says that the file has {}; they are kept in {}: look at the file there",
            entry.size,
            part.display()
        );
        return Err(Stopped { exit: Exit::Incomplete, text });
    }
    moved.bytes = progress.moved();
    download.finish(entry.and_then(|entry| entry.modified)).map_err(cannot)?;
    tell(&args.common, &target.display().to_string(), &moved, word, began.elapsed())
}

/// A large file in several sessions at the same time.
async fn get_in_segments(
    journey: &mut Journey,
    (url, target): (&Url, PathBuf),
    (download, size): (Download, u64),
    args: &Get,
    bars: &Bars,
) -> Result<(), Stopped> {
    let cannot = |e: std::io::Error| Stopped::local(format!("cannot write {}: {e}", target.display()));
    let (remote, progress, began) = (url.target(), Progress::default(), Instant::now());
    let bar = bars.file(target.as_os_str().as_bytes(), download.from(), Some(size), &progress);
    let mut crew = Crew::new(journey.hand_over(), usize::from(args.segments));
    let count = u64::from(args.segments);
    let fetched = segments::fetch(&mut crew, &remote, size, &download, count, &progress).await;
    let entry = match &fetched {
        Ok(_) => crew.one().run(|| 0, async |client| client.stat(&remote).await).await.ok(),
        Err(_) => None,
    };
    drop(bar);
    crew.end().await;
    let part = download.part().to_owned();
    let road = fetched.map_err(|e| {
        let mut stopped = about(url, e);
        let there = part.metadata().map_or(0, |data| data.len());
        if there > 0 {
            let kept =
                format!("\nthe first {there} bytes are kept in {}; go on with --resume", part.display());
            stopped.text.push_str(&kept);
        }
        stopped
    })?;
    let entry = entry.filter(|entry| entry.kind == Kind::File);
    if let Some(told) = entry.as_ref().filter(|entry| entry.size != size) {
        let text = format!(
            "{url}: the file had {size} bytes when its first part was fetched and {} after the last; what came is kept in {}: fetch it again",
            told.size,
            part.display()
        );
        return Err(Stopped { exit: Exit::Incomplete, text });
    }
    let moved = Moved { bytes: progress.moved(), road, confirmed: true, modified: None };
    download.finish(entry.and_then(|entry| entry.modified)).map_err(cannot)?;
    tell(&args.common, &target.display().to_string(), &moved, Some(Word::Reply), began.elapsed())
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

/// The last line of a transfer; `word` is what says that all is there, and none when nothing does.
fn tell(
    common: &Common,
    name: &str,
    moved: &Moved,
    word: Option<Word>,
    took: Duration,
) -> Result<(), Stopped> {
    if common.json {
        return show::object(&show::moved_object(name, moved, word, took));
    }
    if !common.quiet {
        say(show::moved(name, moved, word, took));
    }
    Ok(())
}

/// `twoport cat`: what is written is written, so a transfer that was cut goes on and does not begin anew.
pub(crate) fn cat(args: &Remote) -> Result<(), Stopped> {
    let url = read(&args.url, &args.common)?;
    with_runtime(async {
        let progress = Progress::default();
        let mut journey = journey(&url, &args.common)?;
        let lost = Cell::new(None);
        let work = async |client: &mut Client| {
            let mut sink = Sink::Taker(Box::new(Stdout));
            if args.common.ascii && progress.moved() > 0 {
                // The server counts other bytes than we do.
                return Err(Error::BadArgument("text that was cut cannot be gone on with".to_owned()));
            }
            // A try whose last word never came: the size tells whether that was all.
            if let Some(moved) = lost.take() {
                let size = client.size(&url.target()).await?;
                if size.is_none_or(|size| size <= progress.moved()) {
                    return Ok((moved, size.map(|_| Word::Size)));
                }
            }
            match client.fetch(&url.target(), progress.moved(), &mut sink, &progress).await {
                Err(e) => Err(client.explained(&url.target(), e).await),
                Ok(moved) if moved.confirmed || args.common.ascii => {
                    Ok((moved, moved.confirmed.then_some(Word::Reply)))
                }
                Ok(moved) => {
                    lost.set(Some(moved));
                    Err(Error::Unconfirmed { bytes: moved.bytes, why: String::new() })
                }
            }
        };
        let began = Instant::now();
        let further = || progress.moved() + u64::from(lost.get().is_some());
        let done = journey.run(further, work).await;
        journey.end().await;
        let (mut moved, word) = done.map_err(|e| about(&url, e))?;
        moved.bytes = progress.moved();
        // Standard output is the file's.
        if !args.common.quiet {
            say(show::moved(&url.to_string(), &moved, word, began.elapsed()));
        }
        Ok(())
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
    let url = read(&args.url, &args.common)?;
    let folder = url.folder || args.files.len() > 1;
    let bars = Bars::new(&args.common);
    if args.files.len() > 1 {
        let size = |file: &PathBuf| file.metadata().map_or(0, |data| data.len());
        bars.total(args.files.len(), Some(args.files.iter().map(size).sum()));
    }
    with_runtime(async {
        let name = |file: &PathBuf| file.display().to_string();
        let count = args.files.len();
        let done = each(&url, &args.files, name, &args.common, count, async |journey, file: &PathBuf| {
            let name = file.file_name().map(OsStrExt::as_bytes).unwrap_or_default();
            let remote = if folder { join(&url.target(), name) } else { url.target() };
            let put = put_one(journey, file, &remote, args, &bars).await;
            bars.ended();
            put
        });
        all(done.await?)
    })
}

async fn put_one(
    journey: &mut Journey,
    local: &Path,
    remote: &[u8],
    args: &Put,
    bars: &Bars,
) -> Result<(), Stopped> {
    let began = Instant::now();
    let cannot = |e: std::io::Error| Stopped::local(format!("cannot read {}: {e}", local.display()));
    let mut upload = Upload::open(local, remote).map_err(cannot)?;
    upload.onto = match (args.append, args.resume) {
        (true, _) => Onto::Append,
        (_, true) => Onto::Resume,
        _ => Onto::Replace,
    };
    let progress = Progress::default();
    let bar = bars.file(local.as_os_str().as_bytes(), 0, Some(upload.size), &progress);
    let sent = upload.run(journey, &progress).await.map_err(|e| about(local.display(), e))?;
    drop(bar);
    let name = shown(&charset(&args.common)?.decode_path(remote));
    tell(&args.common, &name, &sent.moved, Some(sent.word), began.elapsed())
}
