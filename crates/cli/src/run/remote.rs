//! `ls`, `rm`, `mkdir`, `rmdir`, `mv`, `stat`, `hash`: what needs a session and no file of ours; and how a session is
//! begun from a URL.

use std::num::NonZeroU64;
use std::sync::{Once, OnceLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use twoport_client::local_name::shown;
use twoport_client::memory;
use twoport_client::netrc::Netrc;
use twoport_client::proxy;
use twoport_client::url::Url;
use twoport_client::{Charset, Client, Error, Journey, Listener, Notice, Options, Representation};
use twoport_pipe::Rate;
use twoport_proto::modes::Mode;
use twoport_proto::{Entry, Kind, Moment, Secret};
use twoport_session::client::io::Rung;

use crate::args::{Common, Ls, Many, Mv, Remote};
use crate::exit::{Exit, Stopped};
use crate::progress::say;
use crate::security;
use crate::show;

/// Folders that `ls -R` goes into at most, one below the other: a tree that is deeper has a loop in it.
const DEPTH: usize = 100;

/// Runs something that talks to a server, to its end or until Ctrl-C. What is dropped then tidies up behind itself: bars go
/// away, and what came of a file stays for the next try.
pub(crate) fn with_runtime<T>(work: impl Future<Output = Result<T, Stopped>>) -> Result<T, Stopped> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Stopped::local(format!("cannot start: {e}")))?;
    let done = runtime.block_on(async {
        tokio::select! {
            done = work => done,
            // Where nobody can be told of it, the system ends us as it does anybody.
            Ok(()) = tokio::signal::ctrl_c() => {
                let text = "stopped before all was done; what has come over so far is kept: go on with --resume";
                Err(Stopped { exit: Exit::Incomplete, text: text.to_owned() })
            }
        }
    });
    // A name that is still being looked up is not waited for.
    runtime.shutdown_background();
    done
}

/// Reads a URL; what is typed in it is in the server's charset, what is %XX is the server's bytes.
pub(crate) fn read(text: &str, common: &Common) -> Result<Url, Stopped> {
    let charset = charset(common)?;
    let typed = charset.typed(text).map_err(|e| Stopped::usage(e.to_string()))?;
    let url = Url::read(&typed).map_err(|e| Stopped::usage(e.to_string()))?;
    charset.came(&url.path);
    Ok(url)
}

/// The charset of the server's names: one for the command, and what one session learns of names all know.
pub(crate) fn charset(common: &Common) -> Result<Charset, Stopped> {
    static CHARSET: OnceLock<Charset> = OnceLock::new();
    let Some(name) = &common.charset else { return Ok(Charset::default()) };
    let charset = Charset::named(name).map_err(|e| Stopped::usage(format!("--charset: {e}")))?;
    Ok(CHARSET.get_or_init(|| charset).clone())
}

/// The journey that the URL, `.netrc` and the flags want.
pub(crate) fn journey(url: &Url, common: &Common) -> Result<Journey, Stopped> {
    let security = security::of(&common.security, url.scheme)?;
    let rungs = match (common.passive, common.active) {
        (true, _) => vec![Rung::Epsv, Rung::Pasv],
        (_, true) => vec![Rung::Active, Rung::Mapped, Rung::Crossing],
        _ => Options::default().rungs,
    };
    let timeout = Duration::from_secs(common.timeout.max(1));
    let plain = Options::default();
    let options = Options {
        rungs,
        timeout,
        charset: charset(common)?,
        // Who is patient with a reply is patient with bytes, and who is not, is not.
        stall: timeout.min(plain.stall.max(timeout / 3)),
        opening: plain.opening.min(timeout),
        rate: common.limit_rate.map(rate),
        security,
        representation: if common.ascii { Representation::Text } else { Representation::Image },
        ..plain
    };
    let options = through_proxy(options, &url.host)?;
    let mut journey =
        Journey::new(&url.host, url.port, login(url)?, options, listener(common, charset(common)?));
    journey.retry(common.retries);
    if common.compress {
        journey.carry_by(Mode::Deflate);
    }
    if !common.passive
        && !common.active
        && let Some(path) = memory::default_path()
    {
        journey.remember(path);
    }
    Ok(journey)
}

/// The options, by way of the proxy that the environment names for this host.
pub(crate) fn through_proxy(options: Options, host: &str) -> Result<Options, Stopped> {
    let proxy = proxy::read(|name| std::env::var(name).ok(), host).map_err(Stopped::usage)?;
    Ok(Options { proxy, ..options })
}

/// The user's `.netrc`, when there is one; who else may read it is said once.
pub(crate) fn netrc() -> Result<Option<Netrc>, Stopped> {
    let Some(path) = Netrc::default_path().filter(|path| path.exists()) else { return Ok(None) };
    let (netrc, warning) =
        Netrc::load(&path).map_err(|e| Stopped::local(format!("cannot read {}: {e}", path.display())))?;
    if let Some(warning) = warning {
        // Once, however many sessions ask.
        static SAID: Once = Once::new();
        SAID.call_once(|| say(format_args!("twoport: {warning}")));
    }
    Ok(Some(netrc))
}

/// The one limit of the command: every session that it begins holds a clone.
fn rate(per_second: NonZeroU64) -> Rate {
    static RATE: OnceLock<Rate> = OnceLock::new();
    RATE.get_or_init(|| Rate::new(per_second)).clone()
}

/// Who we are: the URL's user, else `.netrc`'s, else anonymous.
pub(crate) fn login(url: &Url) -> Result<(Vec<u8>, Secret, Option<Secret>), Stopped> {
    if let (Some(user), Some(password)) = (&url.user, &url.password) {
        return Ok((user.clone(), password.clone(), None));
    }
    if let Some(netrc) = netrc()?
        && let Some(login) = netrc.lookup(&url.host, url.user.as_deref())
    {
        return Ok((login.user, login.password.unwrap_or_default(), login.account));
    }
    match &url.user {
        Some(user) => Ok((user.clone(), Secret::default(), None)),
        None => Ok((b"anonymous".to_vec(), Secret::new("anonymous@"), None)),
    }
}

/// One thing in one session, or in as many as it takes.
fn one<T>(
    text: &str,
    common: &Common,
    work: impl AsyncFnMut(&mut Client, &[u8]) -> Result<T, Error>,
) -> Result<T, Stopped> {
    let url = read(text, common)?;
    let target = url.target();
    with_runtime(async {
        let mut work = work;
        let mut journey = journey(&url, common)?;
        let done = journey.run(|| 0, async |client| work(client, &target).await).await;
        journey.end().await;
        done.map_err(|e| about(&url, e))
    })
}

/// The same with something that must be there: a server's vague refusal is looked into.
fn one_there<T>(
    text: &str,
    common: &Common,
    mut work: impl AsyncFnMut(&mut Client, &[u8]) -> Result<T, Error>,
) -> Result<T, Stopped> {
    one(text, common, async |client, path| match work(client, path).await {
        Err(e) => Err(client.explained(path, e).await),
        done => done,
    })
}

/// The failure, with what it was about.
pub(crate) fn about(what: impl std::fmt::Display, e: Error) -> Stopped {
    let mut stopped = Stopped::from(e);
    stopped.text = format!("{what}: {}", stopped.text);
    stopped
}

/// The first failure's code when there was one thing to do, else 7 when some failed.
pub(crate) fn all(done: Vec<Result<(), Stopped>>) -> Result<(), Stopped> {
    let things = done.len();
    let mut failed: Vec<Stopped> = done.into_iter().filter_map(Result::err).collect();
    match failed.len() {
        0 => Ok(()),
        1 if things == 1 => Err(failed.remove(0)),
        count => {
            let texts: Vec<String> = failed.iter().map(|stopped| stopped.text.clone()).collect();
            let text = format!("{count} of {things} failed:\n{}", texts.join("\n"));
            Err(Stopped { exit: Exit::Incomplete, text })
        }
    }
}

/// What is told on the way: steps down the ladder, and with `--trace` the dialogue.
fn listener(common: &Common, charset: Charset) -> Listener {
    let (trace, quiet) = (common.trace, common.quiet);
    Box::new(move |notice| match notice {
        Notice::Sent(line) if trace => say(format_args!("---> {line}")),
        Notice::Heard(reply) if trace => {
            let last = reply.lines.len().saturating_sub(1);
            for (place, line) in reply.lines.iter().enumerate() {
                let text = shown(charset.text(line).as_bytes());
                match place {
                    _ if place == last => say(format_args!("{} {text}", reply.code)),
                    0 => say(format_args!("{}-{text}", reply.code)),
                    _ => say(text),
                }
            }
        }
        Notice::Secured { data, how } if trace => say(format_args!("     {}", security::shown(data, &how))),
        Notice::Stepped(why) if !quiet => say(format_args!("twoport: {why}")),
        _ => {}
    })
}

pub(crate) fn now() -> Moment {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Moment::from_seconds(i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}

/// `twoport ls`.
pub(crate) fn ls(args: &Ls) -> Result<(), Stopped> {
    let url = read(&args.url, &args.common)?;
    with_runtime(async {
        let mut journey = journey(&url, &args.common)?;
        let mut folders = vec![(url.target(), Vec::new(), 0)];
        while let Some((folder, prefix, depth)) = folders.pop() {
            let listed = journey
                .run(|| 0, async |client| list(client, &folder, args.long || args.common.json).await)
                .await;
            let mut below = Vec::new();
            for entry in listed.map_err(|e| about(&url, e))? {
                let name = [&prefix[..], &entry.name].concat();
                show_entry(args, &name, &entry)?;
                if args.recursive && entry.kind == Kind::Directory && depth < DEPTH {
                    below.push((join(&folder, &entry.name), [&name[..], b"/"].concat(), depth + 1));
                }
            }
            folders.extend(below.into_iter().rev());
        }
        journey.end().await;
        Ok(())
    })
}

async fn list(client: &mut Client, folder: &[u8], timed: bool) -> Result<Vec<Entry>, Error> {
    let mut entries = match client.list(folder, now()).await {
        Err(e) => return Err(client.explained(folder, e).await),
        Ok(entries) => entries,
    };
    // Servers give long folders in any order.
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    if timed {
        client.settle_times(folder, &mut entries).await?;
    }
    Ok(entries)
}

fn show_entry(args: &Ls, name: &[u8], entry: &Entry) -> Result<(), Stopped> {
    match (args.common.json, args.long) {
        (true, _) => show::object(&show::entry(name, entry, &charset(&args.common)?)),
        (false, true) => show::name(&show::long(name, entry)),
        (false, false) => show::name(name),
    }
}

/// A name in a folder, as a path for the server.
pub(crate) fn join(folder: &[u8], name: &[u8]) -> Vec<u8> {
    match folder {
        b"" => name.to_vec(),
        folder if folder.ends_with(b"/") => [folder, name].concat(),
        folder => [folder, b"/", name].concat(),
    }
}

/// `twoport rm`: a file that fails does not stop the others.
pub(crate) fn rm(args: &Many) -> Result<(), Stopped> {
    let done = args
        .urls
        .iter()
        .map(|url| one_there(url, &args.common, async |client, path| client.remove(path).await));
    all(done.collect())
}

/// `twoport mkdir`.
pub(crate) fn mkdir(args: &Remote) -> Result<(), Stopped> {
    one(&args.url, &args.common, async |client, path| client.make_dir(path).await)
}

/// `twoport rmdir`.
pub(crate) fn rmdir(args: &Remote) -> Result<(), Stopped> {
    one_there(&args.url, &args.common, async |client, path| client.remove_dir(path).await)
}

/// `twoport mv`.
pub(crate) fn mv(args: &Mv) -> Result<(), Stopped> {
    one_there(&args.url, &args.common, async |client, path| client.rename(path, args.to.as_bytes()).await)
}

/// `twoport stat`.
pub(crate) fn stat(args: &Remote) -> Result<(), Stopped> {
    let entry = one_there(&args.url, &args.common, async |client, path| client.stat(path).await)?;
    if args.common.json {
        show::object(&show::entry(&entry.name, &entry, &charset(&args.common)?))
    } else {
        show::name(&show::long(&entry.name, &entry))
    }
}

/// `twoport hash`.
pub(crate) fn hash(args: &Remote) -> Result<(), Stopped> {
    let (algorithm, hash) = one_there(&args.url, &args.common, async |client, path| client.hash(path).await)?;
    if args.common.json {
        show::object(&serde_json::json!({ "algorithm": algorithm, "hash": hash }))
    } else {
        show::name(format!("{algorithm} {hash}").as_bytes())
    }
}
