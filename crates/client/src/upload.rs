//! `Upload`: a file carried to a server over as many sessions as it takes. Where the server's last word is lost on the way,
//! a new session looks whether the file is there: by its size, and where an old one of the same size stood, by its hash or
//! its time.

use std::cell::{Cell, RefCell};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use rustix::fs::OFlags;
use twoport_pipe::{Body, Progress};
use twoport_proto::modes::Algorithm;
use twoport_proto::{Entry, Kind, Moment};

use crate::client::{Client, Moved, Put, Representation, has_hash};
use crate::error::Error;
use crate::journey::Journey;

/// A file of this machine, and where it goes.
#[derive(Debug, Clone)]
pub struct Upload {
    /// The file, from its first byte to [`Upload::size`].
    pub file: Arc<File>,
    /// Its size when it was opened.
    pub size: u64,
    /// When it was last changed; the server is asked to keep this time, where it can.
    pub modified: Option<Moment>,
    /// The path at the server.
    pub remote: Vec<u8>,
    /// What becomes of what is there.
    pub onto: Onto,
    /// Whether it is known that nothing is there.
    pub is_new: bool,
}

/// How an upload meets what is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Onto {
    /// It is replaced.
    Replace,
    /// It is the beginning of the file, and the rest follows.
    Resume,
    /// The file comes behind it.
    Append,
}

/// What says that the server has the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// Its reply: 226 or 250.
    Reply,
    /// The size that it told in a new session.
    Size,
    /// The hash that it told in a new session.
    Hash,
    /// The time that it told in a new session, where the old file had another.
    Time,
}

/// An upload that went well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Uploaded {
    /// The road of the last data connection, and the bytes of all of them.
    pub moved: Moved,
    /// What says so.
    pub word: Word,
}

impl Upload {
    /// Opens the file at `path`, which is to stand at `remote`, in place of what is there.
    ///
    /// # Errors
    /// When it cannot be read, or is no plain file.
    pub fn open(path: &Path, remote: &[u8]) -> io::Result<Upload> {
        // A pipe must not hold us until somebody writes to it.
        let nonblock = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or(0);
        let file = OpenOptions::new().read(true).custom_flags(nonblock).open(path)?;
        let data = file.metadata()?;
        if !data.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a plain file"));
        }
        let since = data.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let modified = since.and_then(|since| {
            Some(Moment { seconds: i64::try_from(since.as_secs()).ok()?, nanos: since.subsec_nanos() })
        });
        Ok(Upload {
            file: Arc::new(file),
            size: data.len(),
            modified,
            remote: remote.to_vec(),
            onto: Onto::Replace,
            is_new: false,
        })
    }

    /// Carries it there. `progress` counts every byte that goes over, also those of tries that came to nothing.
    ///
    /// # Errors
    /// The last session's. [`Error::Unconfirmed`] when all bytes went over once, and no session could say whether the
    /// server has them.
    pub async fn run(&self, journey: &mut Journey, progress: &Progress) -> Result<Uploaded, Error> {
        self.carry(journey, progress, &Cell::new(false)).await
    }

    /// The same; `met` becomes true once there is a session for it.
    pub(crate) async fn carry(
        &self,
        journey: &mut Journey,
        progress: &Progress,
        met: &Cell<bool>,
    ) -> Result<Uploaded, Error> {
        let state = State::default();
        if self.is_new {
            state.before.replace(Some(None));
        }
        let work = async |client: &mut Client| {
            met.set(true);
            self.one_session(client, progress, &state).await
        };
        // A last word that is lost is further than none, once.
        let further = || state.reached.get() + u64::from(state.lost.get().is_some());
        match journey.run(further, work).await {
            Ok(mut uploaded) => {
                uploaded.moved.bytes = progress.moved();
                Ok(uploaded)
            }
            Err(e) => match state.lost.get() {
                Some(moved) if !matches!(e, Error::Unconfirmed { .. } | Error::Local { .. }) => {
                    let why = format!("a new session could not tell more: {e}");
                    Err(Error::Unconfirmed { bytes: moved.bytes, why })
                }
                _ => Err(e),
            },
        }
    }

    async fn one_session(
        &self,
        client: &mut Client,
        progress: &Progress,
        state: &State,
    ) -> Result<Uploaded, Error> {
        let again = state.begun.replace(true);
        let known = state.before.borrow().is_some();
        let lost = state.lost.get();
        let worth_asking = self.onto != Onto::Replace || (self.size > WORTH_ASKING && !known);
        let now = match lost.is_some() || (again && known) || (!again && worth_asking) {
            true => Some(there(client, &self.remote).await?),
            false => None,
        };
        if let (Some(moved), Some(now)) = (lost, &now)
            && let Some(word) = self.judge(client, now.as_ref(), state).await?
        {
            self.keep_time(client).await?;
            return Ok(Uploaded { moved, word });
        }
        if let (false, false, Some(now)) = (again, known, &now) {
            state.before.replace(Some(now.clone()));
        }
        let from = match client.representation() {
            Representation::Image => self.from(again, now.as_ref(), state),
            // Of text nobody knows where it was cut: the server counts other bytes than we do.
            Representation::Text | Representation::TextAsItCame => 0,
        };
        state.reached.set(from);
        let moved = if self.onto == Onto::Append {
            let length = (self.size > from).then_some(self.size - from);
            let body = Body::File { file: Arc::clone(&self.file), from, length };
            client.store(&self.remote, Put::Append, body, progress).await?
        } else {
            let (moved, began) =
                client.store_from(&self.remote, &self.file, from..self.size, progress).await?;
            state.reached.set(began);
            moved
        };
        if !moved.confirmed {
            state.lost.set(Some(moved));
            return Err(Error::Unconfirmed { bytes: moved.bytes, why: String::new() });
        }
        self.keep_time(client).await?;
        Ok(Uploaded { moved, word: Word::Reply })
    }

    /// How many bytes of the file are there already. After a try that was cut, what is there is ours only when nothing was
    /// there before: a server may drop what was cut and keep the old file, and the two must not be mixed.
    fn from(&self, again: bool, now: Option<&Option<Entry>>, state: &State) -> u64 {
        let size = |entry: Option<&Entry>| entry.map_or(0, |entry| entry.size);
        let before = state.before.borrow();
        let from = match (&*before, now, self.onto) {
            (Some(before), Some(now), Onto::Append) => {
                let ours = size(now.as_ref()).checked_sub(size(before.as_ref()));
                if again { ours.unwrap_or(0) } else { 0 }
            }
            (Some(_), Some(now), Onto::Resume) => size(now.as_ref()),
            (Some(None), Some(now), Onto::Replace) if again => size(now.as_ref()),
            _ => 0,
        };
        if from <= self.size { from } else { 0 }
    }

    /// Whether what is there now is the file, and what says so.
    async fn judge(
        &self,
        client: &mut Client,
        now: Option<&Entry>,
        state: &State,
    ) -> Result<Option<Word>, Error> {
        let Some(now) = now else { return Ok(None) };
        let before = state.before.borrow().clone();
        let base = match (&before, self.onto) {
            (Some(Some(before)), Onto::Append) => before.size,
            _ => 0,
        };
        if now.size != base + self.size {
            return Ok(None);
        }
        let was = match before {
            Some(Some(before)) if before.size == now.size => Some(before),
            // Nothing, or something of another size, stood there.
            Some(_) => return Ok(Some(Word::Size)),
            None => None,
        };
        if self.onto == Onto::Append {
            // There was nothing to append.
            return Ok(Some(Word::Size));
        }
        match client.hash(&self.remote).await {
            Ok((name, told)) => {
                if let Some(algorithm) = Algorithm::read(name.as_bytes()) {
                    return Ok(has_hash(&self.file, Some(self.size), algorithm, &told)
                        .await?
                        .then_some(Word::Hash));
                }
            }
            Err(Error::Refused { .. }) => {}
            Err(e) => return Err(e),
        }
        match was {
            Some(was) if was.modified.is_some() && now.modified > was.modified => Ok(Some(Word::Time)),
            // The next look compares with what stands there now.
            _ => {
                state.before.replace(Some(Some(now.clone())));
                Ok(None)
            }
        }
    }

    async fn keep_time(&self, client: &mut Client) -> Result<(), Error> {
        match self.modified {
            Some(modified) => client.set_modified(&self.remote, modified).await,
            None => Ok(()),
        }
    }
}

impl Journey {
    /// Carries a file to the server: [`Upload::run`].
    ///
    /// # Errors
    /// As there.
    pub async fn upload(&mut self, upload: &Upload, progress: &Progress) -> Result<Uploaded, Error> {
        upload.run(self, progress).await
    }
}

/// What one session leaves for the next.
#[derive(Debug, Default)]
struct State {
    begun: Cell<bool>,
    /// What stood there before, once that is known: perhaps nothing.
    before: RefCell<Option<Option<Entry>>>,
    /// A try of which all bytes went over, and no last word came.
    lost: Cell<Option<Moved>>,
    /// Where the last try began.
    reached: Cell<u64>,
}

/// The file that is there, if there is one.
async fn there(client: &mut Client, remote: &[u8]) -> Result<Option<Entry>, Error> {
    match client.stat(remote).await {
        Ok(entry) => Ok(Some(entry).filter(|entry| entry.kind == Kind::File)),
        Err(Error::Refused { code, .. }) if code != 421 => Ok(None),
        Err(e) => Err(e),
    }
}

/// Below so many bytes a store that was cut begins anew, and what is there is not asked for.
const WORTH_ASKING: u64 = 64 * 1024;
