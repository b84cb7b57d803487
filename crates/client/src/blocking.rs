//! The library without `async`: the same names and the same errors, each waited for on a runtime of its own. A thread that
//! waits here must not be one that drives a runtime: tokio panics there, and the async face is the right one.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use tokio::runtime::{Builder, Runtime};
use twoport_pipe::{Body, Progress, Sink};
use twoport_proto::modes::Mode;
use twoport_proto::reply_reader::ReceivedReply;
use twoport_proto::{Entry, Moment, Request, Verb};
use twoport_session::client::io::{Flights, Rung};

use crate::client::{Moved, Options, Put};
use crate::drive::Listener;
use crate::error::Error;
use crate::features::Features;
use crate::upload::{Upload, Uploaded};
use crate::url::{Login, Url};

/// A session with a server: [`crate::Client`], waited for.
pub struct Client {
    client: crate::Client,
    runtime: Runtime,
}

impl Client {
    /// [`crate::Client::connect`].
    ///
    /// # Errors
    /// As there; [`Error::Local`] when there can be no runtime.
    pub fn connect(
        host: &str,
        port: u16,
        login: Login,
        options: Options,
        notice: Listener,
    ) -> Result<Client, Error> {
        let runtime = runtime()?;
        let client = runtime.block_on(crate::Client::connect(host, port, login, options, notice))?;
        Ok(Client { client, runtime })
    }

    /// [`crate::Client::to`].
    ///
    /// # Errors
    /// As there; [`Error::Local`] when there can be no runtime.
    pub fn to(url: &Url, options: Options, notice: Listener) -> Result<Client, Error> {
        let runtime = runtime()?;
        let client = runtime.block_on(crate::Client::to(url, options, notice))?;
        Ok(Client { client, runtime })
    }

    /// [`crate::Client::server`].
    #[must_use]
    pub fn server(&self) -> SocketAddr {
        self.client.server()
    }

    /// [`crate::Client::rung`].
    #[must_use]
    pub fn rung(&self) -> Option<Rung> {
        self.client.rung()
    }

    /// [`crate::Client::features`].
    #[must_use]
    pub fn features(&self) -> &Features {
        self.client.features()
    }

    /// [`crate::Client::mode`].
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.client.mode()
    }

    /// [`crate::Client::flights`].
    #[must_use]
    pub fn flights(&self) -> Flights {
        self.client.flights()
    }

    /// [`crate::Client::keeps_link`].
    #[must_use]
    pub fn keeps_link(&self) -> bool {
        self.client.keeps_link()
    }

    /// [`crate::Client::others_follow`].
    pub fn others_follow(&mut self, more: bool, times: bool) {
        self.client.others_follow(more, times);
    }

    /// [`crate::Client::say`].
    ///
    /// # Errors
    /// As there.
    pub fn say(&mut self, request: Request) -> Result<ReceivedReply, Error> {
        self.runtime.block_on(self.client.say(request))
    }

    /// [`crate::Client::fetch`].
    ///
    /// # Errors
    /// As there.
    pub fn fetch(
        &mut self,
        path: &[u8],
        from: u64,
        sink: &mut Sink,
        progress: &Progress,
    ) -> Result<Moved, Error> {
        self.runtime.block_on(self.client.fetch(path, from, sink, progress))
    }

    /// [`crate::Client::fetch_ahead`].
    ///
    /// # Errors
    /// As there.
    pub fn fetch_ahead(&mut self, paths: &[&[u8]]) -> Result<bool, Error> {
        self.runtime.block_on(self.client.fetch_ahead(paths))
    }

    /// [`crate::Client::store`].
    ///
    /// # Errors
    /// As there.
    pub fn store(&mut self, path: &[u8], put: Put, body: Body, progress: &Progress) -> Result<Moved, Error> {
        self.runtime.block_on(self.client.store(path, put, body, progress))
    }

    /// [`crate::Client::list`].
    ///
    /// # Errors
    /// As there.
    pub fn list(&mut self, path: &[u8], now: Moment) -> Result<Vec<Entry>, Error> {
        self.runtime.block_on(self.client.list(path, now))
    }

    /// [`crate::Client::list_ahead`].
    ///
    /// # Errors
    /// As there.
    pub fn list_ahead(&mut self, paths: &[&[u8]]) -> Result<bool, Error> {
        self.runtime.block_on(self.client.list_ahead(paths))
    }

    /// [`crate::Client::lines`].
    ///
    /// # Errors
    /// As there.
    pub fn lines(&mut self, verb: Verb, path: &[u8]) -> Result<Vec<Vec<u8>>, Error> {
        self.runtime.block_on(self.client.lines(verb, path))
    }

    /// [`crate::Client::stat`].
    ///
    /// # Errors
    /// As there.
    pub fn stat(&mut self, path: &[u8]) -> Result<Entry, Error> {
        self.runtime.block_on(self.client.stat(path))
    }

    /// [`crate::Client::size`].
    ///
    /// # Errors
    /// As there.
    pub fn size(&mut self, path: &[u8]) -> Result<Option<u64>, Error> {
        self.runtime.block_on(self.client.size(path))
    }

    /// [`crate::Client::listing_is_whole`].
    #[must_use]
    pub fn listing_is_whole(&self) -> bool {
        self.client.listing_is_whole()
    }

    /// [`crate::Client::tells_hashes`].
    #[must_use]
    pub fn tells_hashes(&self) -> bool {
        self.client.tells_hashes()
    }

    /// [`crate::Client::agrees`].
    ///
    /// # Errors
    /// As there.
    pub fn agrees(&mut self, path: &[u8], file: &std::sync::Arc<std::fs::File>) -> Result<bool, Error> {
        self.runtime.block_on(self.client.agrees(path, file))
    }

    /// [`crate::Client::modified`].
    ///
    /// # Errors
    /// As there.
    pub fn modified(&mut self, path: &[u8]) -> Result<Option<Moment>, Error> {
        self.runtime.block_on(self.client.modified(path))
    }

    /// [`crate::Client::hash`].
    ///
    /// # Errors
    /// As there.
    pub fn hash(&mut self, path: &[u8]) -> Result<(String, String), Error> {
        self.runtime.block_on(self.client.hash(path))
    }

    /// [`crate::Client::remove`].
    ///
    /// # Errors
    /// As there.
    pub fn remove(&mut self, path: &[u8]) -> Result<(), Error> {
        self.runtime.block_on(self.client.remove(path))
    }

    /// [`crate::Client::make_dir`].
    ///
    /// # Errors
    /// As there.
    pub fn make_dir(&mut self, path: &[u8]) -> Result<(), Error> {
        self.runtime.block_on(self.client.make_dir(path))
    }

    /// [`crate::Client::remove_dir`].
    ///
    /// # Errors
    /// As there.
    pub fn remove_dir(&mut self, path: &[u8]) -> Result<(), Error> {
        self.runtime.block_on(self.client.remove_dir(path))
    }

    /// [`crate::Client::rename`].
    ///
    /// # Errors
    /// As there.
    pub fn rename(&mut self, from: &[u8], to: &[u8]) -> Result<(), Error> {
        self.runtime.block_on(self.client.rename(from, to))
    }

    /// [`crate::Client::set_modified`].
    ///
    /// # Errors
    /// As there.
    pub fn set_modified(&mut self, path: &[u8], moment: Moment) -> Result<(), Error> {
        self.runtime.block_on(self.client.set_modified(path, moment))
    }

    /// [`crate::Client::explained`].
    pub fn explained(&mut self, path: &[u8], refusal: Error) -> Error {
        self.runtime.block_on(self.client.explained(path, refusal))
    }

    /// [`crate::Client::quit`].
    pub fn quit(self) {
        self.runtime.block_on(self.client.quit());
    }
}

/// Work that is carried through over as many sessions as it takes: [`crate::Journey`], waited for.
pub struct Journey {
    journey: crate::Journey,
    runtime: Runtime,
}

impl Journey {
    /// [`crate::Journey::new`].
    ///
    /// # Errors
    /// [`Error::Local`] when there can be no runtime.
    pub fn new(
        host: &str,
        port: u16,
        login: Login,
        options: Options,
        notice: Listener,
    ) -> Result<Journey, Error> {
        let journey = crate::Journey::new(host, port, login, options, notice);
        Ok(Journey { journey, runtime: runtime()? })
    }

    /// [`crate::Journey::to`].
    ///
    /// # Errors
    /// As there; [`Error::Local`] when there can be no runtime.
    pub fn to(url: &Url, options: Options, notice: Listener) -> Result<Journey, Error> {
        Ok(Journey { journey: crate::Journey::to(url, options, notice)?, runtime: runtime()? })
    }

    /// [`crate::Journey::remember`].
    pub fn remember(&mut self, path: PathBuf) {
        self.journey.remember(path);
    }

    /// [`crate::Journey::retry`].
    pub fn retry(&mut self, retries: u32) {
        self.journey.retry(retries);
    }

    /// [`crate::Journey::upload`].
    ///
    /// # Errors
    /// As there.
    pub fn upload(&mut self, upload: &Upload, progress: &Progress) -> Result<Uploaded, Error> {
        self.runtime.block_on(self.journey.upload(upload, progress))
    }

    /// [`crate::Journey::run`]. The work is given the async client and waits with `.await`; the runtime here drives it.
    ///
    /// # Errors
    /// As there.
    pub fn run<T>(
        &mut self,
        further: impl Fn() -> u64,
        work: impl AsyncFnMut(&mut crate::Client) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.runtime.block_on(self.journey.run(further, work))
    }

    /// Waits for what takes the async journey, as [`crate::mirror`] takes a [`crate::Journey::sibling`] of it.
    pub fn wait<T>(&mut self, work: impl AsyncFnOnce(&mut crate::Journey) -> T) -> T {
        self.runtime.block_on(work(&mut self.journey))
    }

    /// [`crate::Journey::end`].
    pub fn end(self) {
        self.runtime.block_on(self.journey.end());
    }
}

fn runtime() -> Result<Runtime, Error> {
    let local = |source: io::Error| Error::Local { what: "cannot wait for sockets".to_owned(), source };
    Builder::new_current_thread().enable_all().build().map_err(local)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    /// The public functions of a source.
    fn names(source: &str) -> BTreeSet<&str> {
        source
            .lines()
            .filter_map(|line| line.strip_prefix("    pub "))
            .filter_map(|line| line.trim_start_matches("async ").strip_prefix("fn "))
            .filter_map(|rest| rest.split(['(', '<']).next())
            .collect()
    }

    #[test]
    fn what_the_async_face_can_this_one_can_too() {
        let here = names(include_str!("blocking.rs"));
        for source in [
            include_str!("client.rs"),
            include_str!("client/files.rs"),
            include_str!("client/listing.rs"),
            include_str!("client/reach.rs"),
            include_str!("client/transfer.rs"),
        ] {
            let missing: Vec<_> = names(source).difference(&here).copied().collect();
            assert!(missing.is_empty(), "the blocking face lacks {missing:?}");
        }
    }
}
