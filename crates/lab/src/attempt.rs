//! One mode tried by our own client, in one session and on one rung: what is found is what the mode does, and not what a client
//! makes of it.

use std::sync::mpsc;
use std::time::Duration;

use twoport_client::url::{Url, UrlError};
use twoport_client::{
    Boxed, Client, Error, Notice, Options, Progress, Rung, Security, Sink, Taker, Tls as Begin,
};

use crate::situation::{Mode, Outcome, Tls};
use crate::{Stage, stage};

/// How long a connection, a reply or a byte may take. It is longer than the server's own patience, so that the server's reply
/// comes first.
const PATIENCE: Duration = Duration::from_secs(6);

/// How long all of it may take.
const LIMIT: Duration = Duration::from_secs(25);

/// What came of one mode, and what the client said of it.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// The mode.
    pub mode: Mode,
    /// What came of it.
    pub outcome: Outcome,
    /// Why it failed, in the words of the client; empty where it did not.
    pub why: String,
}

/// Tries all four, one after the other.
///
/// # Errors
/// When the client's host is no more.
pub fn all(stage: &Stage) -> twoport_netns::Result<Vec<Attempt>> {
    Mode::ALL.into_iter().map(|mode| one(stage, mode)).collect()
}

/// Tries one mode.
///
/// # Errors
/// When the client's host is no more.
pub fn one(stage: &Stage, mode: Mode) -> twoport_netns::Result<Attempt> {
    let tried = stage.client().inside(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| error.to_string())?;
        let fetched = runtime.block_on(async {
            let fetched = tokio::time::timeout(LIMIT, fetch(stage, mode)).await;
            fetched.unwrap_or_else(|_| Err(format!("nothing was decided within {} s", LIMIT.as_secs())))
        });
        // A name that is still looked up is not waited for.
        runtime.shutdown_background();
        fetched
    })?;
    Ok(match tried {
        Ok(outcome) => Attempt { mode, outcome, why: String::new() },
        Err(why) => Attempt { mode, outcome: Outcome::Failed, why },
    })
}

async fn fetch(stage: &Stage, mode: Mode) -> Result<Outcome, String> {
    let situation = stage.situation();
    let rung = match mode {
        Mode::Epsv => Rung::Epsv,
        Mode::Pasv => Rung::Pasv,
        Mode::Eprt | Mode::Port => Rung::Active,
    };
    let options = Options {
        rungs: vec![rung],
        timeout: PATIENCE,
        stall: PATIENCE,
        opening: PATIENCE,
        addresses: stage.addresses(),
        security: security(situation.tls),
        noop: None,
        ..Options::default()
    };
    let (tell, told) = mpsc::channel();
    let notice = move |notice: Notice| {
        if let Notice::Sent(line) = notice {
            // Nobody listens once the attempt is over.
            _ = tell.send(line);
        }
    };
    let failed = |error: Error| error.to_string();
    let url: Url = stage.url().parse().map_err(|error: UrlError| error.to_string())?;
    let mut client = Client::to(&url, options, Box::new(notice)).await.map_err(failed)?;
    client.set_rungs(vec![rung], mode == Mode::Eprt);
    let (give, came) = mpsc::channel();
    let mut sink = Sink::Taker(Box::new(Pieces(give)));
    let fetched = client.fetch(stage::FILE.as_bytes(), 0, &mut sink, &Progress::default()).await;
    drop(sink);
    let whole = came.into_iter().flatten().eq(stage.content().iter().copied());
    let moved = fetched.map_err(failed)?;
    // Where the one of EPRT and PORT is refused, the client says the other.
    let mut told = told.try_iter().filter_map(|line| line.split(' ').next().map(str::to_owned));
    let stood = told.by_ref().filter(|verb| Mode::ALL.iter().any(|mode| mode.name() == verb)).last();
    if stood.as_deref() != Some(mode.name()) {
        return Err(format!("{mode:?} was refused"));
    }
    if !whole {
        return Err(format!("{} bytes came, and they are not the file", moved.bytes));
    }
    Ok(match moved {
        moved if !moved.confirmed => Outcome::Unconfirmed,
        moved if moved.road.corrected => Outcome::Corrected,
        _ => Outcome::Through,
    })
}

fn security(tls: Tls) -> Security {
    let begin = match tls {
        Tls::None => Begin::Off,
        Tls::Explicit => Begin::Require,
    };
    Security { tls: Some(begin), insecure: tls != Tls::None, ..Security::default() }
}

/// Takes bytes and hands them on.
struct Pieces(mpsc::Sender<Vec<u8>>);

impl Taker for Pieces {
    fn take<'a>(&'a mut self, bytes: &'a [u8]) -> Boxed<'a, ()> {
        // Who no longer listens has seen enough.
        _ = self.0.send(bytes.to_vec());
        Box::pin(std::future::ready(Ok(())))
    }
}
