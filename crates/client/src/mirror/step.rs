//! One step of a plan, carried out: a file down or up, a folder made, something removed. In which session, and what becomes
//! of the others, [`super::act`] knows.

use std::cell::Cell;
use std::fs;
use std::io;
use std::path::Path;

use twoport_pipe::{Progress, Sink};
use twoport_proto::{Kind, Moment};

use super::act::{Direction, Event, LOST, Work};
use super::diff::{Step, Why};
use super::tree::{join, modified, names};
use crate::client::Client;
use crate::error::Error;
use crate::journey::Journey;
use crate::local_name::{Begin, Download, beneath, make_folder};
use crate::upload::Upload;

impl Work<'_> {
    /// One step; `met` becomes true once there is a session for it.
    pub(super) async fn one(
        &self,
        journey: &mut Journey,
        step: &Step,
        met: &Cell<bool>,
    ) -> Result<u64, Error> {
        let path = step.path();
        let slashes = path.iter().enumerate().filter(|(_, b)| **b == b'/');
        if slashes.into_iter().any(|(end, _)| self.broken.borrow().contains(&path[..end])) {
            return Err(local("not tried", io::Error::other("its folder could not be made")));
        }
        if self.sides.direction == Direction::Down {
            return match step {
                Step::Copy { size, modified, .. } => {
                    self.down(journey, step, path, (*size, *modified), met).await
                }
                _ => self.change_here(step).map(|()| 0).map_err(|e| local("this machine refused", e)),
            };
        }
        if self.lost.get() >= LOST {
            return Err(Error::OutOfStep("not tried: no session can be had any more".to_owned()));
        }
        match step {
            Step::Copy { why, .. } => self.up(journey, step, path, *why == Why::Missing, met).await,
            _ => self.change_there(journey, step, met).await.map(|()| 0),
        }
    }

    fn change_here(&self, step: &Step) -> io::Result<()> {
        let names = names(step.path())?;
        let path = beneath(self.sides.local, &names);
        match step {
            Step::MakeDir { .. } => make_folder(self.sides.local, &names).map(|_| ()),
            Step::RemoveDir { .. } => fs::remove_dir(path),
            Step::RemoveFile { .. } | Step::Copy { .. } => fs::remove_file(path),
        }
    }

    async fn change_there(&self, journey: &mut Journey, step: &Step, met: &Cell<bool>) -> Result<(), Error> {
        let path = join(self.sides.remote, step.path());
        let work = async |client: &mut Client| {
            let again = met.replace(true);
            let done = match step {
                Step::MakeDir { .. } => client.make_dir(&path).await,
                Step::RemoveDir { .. } => client.remove_dir(&path).await,
                Step::RemoveFile { .. } | Step::Copy { .. } => client.remove(&path).await,
            };
            match done {
                // The first try may have been obeyed, and only its reply was lost.
                Err(e @ Error::Refused { .. }) if again => {
                    let there = client.stat(&path).await;
                    let is_done = match step {
                        Step::MakeDir { .. } => there.is_ok_and(|there| there.kind == Kind::Directory),
                        _ => there.is_err_and(|e| e.is_not_found()),
                    };
                    if is_done { Ok(()) } else { Err(e) }
                }
                done => done,
            }
        };
        journey.run(|| 0, work).await
    }

    async fn down(
        &self,
        journey: &mut Journey,
        step: &Step,
        path: &[u8],
        (size, listed): (u64, Option<Moment>),
        met: &Cell<bool>,
    ) -> Result<u64, Error> {
        let refused = |e| local("cannot write", e);
        let mut names = names(path).map_err(refused)?;
        let Some(name) = names.pop() else { return Ok(0) };
        let folder = make_folder(self.sides.local, &names).map_err(refused)?;
        let begin = begin(&folder.join(name.part().as_os_str()), size, listed);
        let mut download = Download::begin(&folder, &name, begin).map_err(refused)?;
        if self.lost.get() >= LOST {
            return Err(Error::OutOfStep("not tried: no session can be had any more".to_owned()));
        }
        let remote = join(self.sides.remote, path);
        let progress = Progress::default();
        let mut at = download.from();
        (self.tell)(Event::Moving { step, size, from: at, progress: &progress });
        // Not the bytes that moved: a try that begins anew each time would seem to come further for ever.
        let reached = Cell::new(at);
        let work = async |client: &mut Client| {
            met.set(true);
            let mut fetched = fetch(client, &remote, &mut at, &download, &progress).await;
            // REST is refused: what is there is of no use.
            if at > 0 && matches!(fetched, Err(Error::Refused { code: 500..=504 | 554 | 555, .. })) {
                download.rewind().map_err(refused)?;
                at = 0;
                fetched = fetch(client, &remote, &mut at, &download, &progress).await;
            }
            reached.set(at);
            let (confirmed, told) = fetched?;
            if !confirmed && at < size {
                let why = format!("{at} bytes of {size} came, and the server never said that it was done");
                return Err(Error::Short { bytes: at, why });
            }
            // MLSD's time is the file's; that of LIST lacks the seconds at least, so it is asked for.
            let told = match client.features().has("MLST") && listed.is_some() {
                true => None,
                false if told.is_some() => told,
                false => client.modified(&remote).await?,
            };
            Ok(told.or(listed))
        };
        let modified = journey.run(|| reached.get(), work).await?;
        download.finish(modified).map_err(refused)?;
        Ok(progress.moved())
    }

    async fn up(
        &self,
        journey: &mut Journey,
        step: &Step,
        path: &[u8],
        is_new: bool,
        met: &Cell<bool>,
    ) -> Result<u64, Error> {
        let refused = |e| local("cannot read", e);
        let here = beneath(self.sides.local, &names(path).map_err(refused)?);
        let data = fs::symlink_metadata(&here).map_err(refused)?;
        if !data.is_file() {
            return Err(refused(io::Error::other("it is not a plain file any more")));
        }
        let remote = join(self.sides.remote, path);
        let mut upload = Upload::open(&here, &remote).map_err(refused)?;
        upload.is_new = is_new;
        let progress = Progress::default();
        (self.tell)(Event::Moving { step, size: upload.size, from: 0, progress: &progress });
        upload.carry(journey, &progress, met).await?;
        Ok(progress.moved())
    }
}

/// Goes on at `at` and moves it; whether the server said that all is there, and when the file was changed where it said
/// that too.
async fn fetch(
    client: &mut Client,
    remote: &[u8],
    at: &mut u64,
    download: &Download,
    progress: &Progress,
) -> Result<(bool, Option<Moment>), Error> {
    let mut sink = Sink::File { file: download.file(), at: *at };
    let fetched = client.fetch(remote, *at, &mut sink, progress).await;
    if let Sink::File { at: reached, .. } = sink {
        *at = reached;
    }
    fetched.map(|moved| (moved.confirmed, moved.modified))
}

/// An earlier try is gone on with when it is a part of the file and no older than that.
fn begin(part: &Path, size: u64, listed: Option<Moment>) -> Begin {
    let Ok(data) = fs::symlink_metadata(part) else { return Begin::Anew };
    let is_older = listed.is_some_and(|listed| modified(&data).seconds < listed.seconds);
    let fits = data.is_file() && data.len() > 0 && data.len() < size && !is_older;
    if fits { Begin::Resume } else { Begin::Anew }
}

pub(super) fn local(what: &str, source: io::Error) -> Error {
    Error::Local { what: what.to_owned(), source }
}
