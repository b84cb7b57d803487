//! What is known of one file, and what is done with names: no data connection is needed for these.

use std::borrow::Cow;
use std::fs::File;
use std::sync::Arc;

use twoport_pipe::{Body, Progress};
use twoport_proto::listing::mlsx;
use twoport_proto::modes::Algorithm;
use twoport_proto::{Entry, Kind, Moment, Request, Verb};

use super::{Client, literal, request};
use crate::error::Error;

impl Client {
    /// What is known of one name.
    ///
    /// # Errors
    /// When there is nothing of that name, or the server tells nothing.
    pub async fn stat(&mut self, path: &[u8]) -> Result<Entry, Error> {
        if self.options.rfc959 {
            return self.stat_by_list(path).await;
        }
        let path = self.on_server(path)?.into_owned();
        let name = self.options.charset.decode(&last_part(&path));
        Ok(Entry { name, ..self.stat_there(&path).await? })
    }

    /// The same of a path as the server has it, and its name as it is there.
    pub(super) async fn stat_there(&mut self, path: &[u8]) -> Result<Entry, Error> {
        let name = last_part(path);
        if self.features.has("MLST") {
            let reply = self.say(request(Verb::Mlst, path)?).await?;
            let line = reply.lines.get(1).map(|line| line.trim_ascii_start());
            return line
                .and_then(mlsx::read_line)
                .map(|(entry, _)| Entry { name, ..entry })
                .ok_or_else(|| Error::OutOfStep(format!("MLST was answered {}", reply.text())));
        }
        let Some(size) = self.size_of(path).await? else {
            let here = self.say(Request::bare(Verb::Pwd)).await?;
            self.say(request(Verb::Cwd, path)?).await?;
            if let Some(home) = here.lines.last().and_then(|line| twoport_proto::path::unquoted(line)) {
                self.say(request(Verb::Cwd, &home)?).await?;
            }
            return Ok(Entry::new(name, Kind::Directory, 0));
        };
        let mut entry = Entry::new(name, Kind::File, size);
        if let Ok(reply) = self.say(request(Verb::Mdtm, path)?).await {
            entry.modified = Moment::read_stamp(reply.text().trim().as_bytes()).ok();
        }
        Ok(entry)
    }

    /// What a listing of its folder says of a name, for a server that bears neither SIZE nor MLST.
    async fn stat_by_list(&mut self, path: &[u8]) -> Result<Entry, Error> {
        let name = last_part(path);
        if name.is_empty() {
            return Ok(Entry::new(name, Kind::Directory, 0));
        }
        let name = self.options.charset.decode(&self.on_server(&name)?);
        let listed = Box::pin(self.list(folder_of(path), crate::now())).await?;
        listed.into_iter().find(|entry| entry.name == name).ok_or_else(|| Error::Refused {
            code: 550,
            text: "no such file: its folder has no such name".to_owned(),
        })
    }

    /// MDTM: when a file was changed; none where the server does not say.
    ///
    /// # Errors
    /// When the connection broke.
    pub async fn modified(&mut self, path: &[u8]) -> Result<Option<Moment>, Error> {
        if self.lists.no_times || self.options.rfc959 {
            return Ok(None);
        }
        let path = &self.on_server(path)?;
        match self.say(request(Verb::Mdtm, path)?).await {
            Ok(reply) => Ok(Moment::read_stamp(reply.text().trim().as_bytes()).ok()),
            Err(e @ Error::Refused { .. }) => {
                self.lists.no_times = e.is_unknown_command();
                Ok(None)
            }
            Err(e) => Err(e),
        }
    }

    /// How many bytes RETR would send, by SIZE; none where the server does not say. It follows links, where ProFTPD's MLST
    /// tells the link's own size.
    ///
    /// # Errors
    /// When the connection broke.
    pub async fn size(&mut self, path: &[u8]) -> Result<Option<u64>, Error> {
        let path = self.on_server(path)?.into_owned();
        self.size_of(&path).await
    }

    /// The same of a path as the server has it.
    async fn size_of(&mut self, path: &[u8]) -> Result<Option<u64>, Error> {
        // SIZE counts bytes of the file under TYPE I only.
        self.say(request(Verb::Type, b"I")?).await?;
        match self.say(request(Verb::Size, path)?).await {
            Ok(reply) => Ok(reply.text().trim().parse().ok()),
            Err(Error::Refused { .. }) => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// The hash of a file and the name of its algorithm: HASH where the server has it, else the best of its elders.
    ///
    /// # Errors
    /// When the server has none, or refuses.
    pub async fn hash(&mut self, path: &[u8]) -> Result<(String, String), Error> {
        let path = &self.on_server(path)?;
        if self.features.has("HASH") {
            let reply = self.say(request(Verb::Hash, path)?).await?;
            let text = reply.text();
            let mut words = text.split(' ');
            if let (Some(name), Some(_), Some(hash)) = (words.next(), words.next(), words.next()) {
                return Ok((name.to_owned(), hash.to_ascii_lowercase()));
            }
            return Err(Error::OutOfStep(format!("HASH was answered {text}")));
        }
        for (verb, algorithm) in ELDERS {
            if self.features.has(verb.name()) {
                let reply = self.say(request(verb, path)?).await?;
                let text = reply.text().trim().to_ascii_lowercase();
                let hash = text.split_whitespace().last().unwrap_or_default().to_owned();
                return Ok((algorithm.name().to_owned(), hash));
            }
        }
        Err(Error::Refused { code: 502, text: "the server offers no hash".to_owned() })
    }

    /// Whether the server tells any hash.
    #[must_use]
    pub fn tells_hashes(&self) -> bool {
        self.features.has("HASH") || ELDERS.iter().any(|(verb, _)| self.features.has(verb.name()))
    }

    /// Whether a file of the server's is the same as this one, by its hash.
    ///
    /// # Errors
    /// When the server tells no hash that is known here, or refuses; [`Error::Local`] when the file cannot be read.
    pub async fn agrees(&mut self, path: &[u8], file: &Arc<File>) -> Result<bool, Error> {
        let (name, told) = self.hash(path).await?;
        let Some(algorithm) = Algorithm::read(name.as_bytes()) else {
            return Err(Error::OutOfStep(format!("the server hashes by {name}, which is not known here")));
        };
        has_hash(file, None, algorithm, &told).await
    }

    /// DELE.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn remove(&mut self, path: &[u8]) -> Result<(), Error> {
        let path = &self.on_server(path)?;
        self.say(request(Verb::Dele, path)?).await.map(|_| ())
    }

    /// MKD.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn make_dir(&mut self, path: &[u8]) -> Result<(), Error> {
        let path = &self.on_server(path)?;
        self.say(request(Verb::Mkd, path)?).await.map(|_| ())
    }

    /// RMD.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn remove_dir(&mut self, path: &[u8]) -> Result<(), Error> {
        let path = &self.on_server(path)?;
        self.say(request(Verb::Rmd, path)?).await.map(|_| ())
    }

    /// RNFR and RNTO.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn rename(&mut self, from: &[u8], to: &[u8]) -> Result<(), Error> {
        let (from, to) = (&self.on_server(from)?, &self.on_server(to)?);
        self.say(request(Verb::Rnfr, from)?).await?;
        self.say(request(Verb::Rnto, to)?).await.map(|_| ())
    }

    /// When a file was changed: by MFMT where the server has it, else by MDTM with a time, which vsftpd and a few others
    /// take. A server that does not looks for a file of that odd name and finds none.
    ///
    /// # Errors
    /// When the connection broke; a server that cannot is no error.
    pub async fn set_modified(&mut self, path: &[u8], moment: Moment) -> Result<(), Error> {
        let path = &self.on_server(path)?;
        let verb = match (self.features.has("MFMT"), self.features.has("MDTM")) {
            (true, _) => Verb::Mfmt,
            (false, true) => Verb::Mdtm,
            (false, false) => return Ok(()),
        };
        let whole = Moment::from_seconds(moment.seconds);
        self.tolerant(verb, &[whole.stamp().as_bytes(), b" ", &literal(path)].concat()).await
    }

    /// A refusal that may mean that there is no such file and does not say so in words that are known: the folder that it
    /// would lie in is looked at, and what is found is put behind the server's words.
    pub async fn explained(&mut self, path: &[u8], refusal: Error) -> Error {
        let Error::Refused { code: 550, text } = &refusal else { return refusal };
        // As a listing tells it, whoever typed it.
        let name = self.on_server(&last_part(path)).map_or_else(|_| Vec::new(), Cow::into_owned);
        let name = self.options.charset.decode(&name);
        if refusal.is_not_found() || name.is_empty() {
            return refusal;
        }
        match Box::pin(self.list(folder_of(path), Moment::from_seconds(0))).await {
            Ok(entries) if entries.iter().all(|entry| entry.name != name) => {
                Error::Refused { code: 550, text: format!("{text} (its folder has no such name)") }
            }
            _ => refusal,
        }
    }
}

fn last_part(path: &[u8]) -> Vec<u8> {
    path.rsplit(|b| *b == b'/').find(|part| !part.is_empty()).unwrap_or_default().to_vec()
}

/// The folder that a path lies in, without its last slash; empty for the folder where the session is.
fn folder_of(path: &[u8]) -> &[u8] {
    let path = path.strip_suffix(b"/").unwrap_or(path);
    let folder = &path[..path.len() - last_part(path).len()];
    if folder.len() > 1 { folder.strip_suffix(b"/").unwrap_or(folder) } else { folder }
}

/// Whether the first `length` bytes of a file, or all, have this hash.
pub(crate) async fn has_hash(
    file: &Arc<File>,
    length: Option<u64>,
    algorithm: Algorithm,
    told: &str,
) -> Result<bool, Error> {
    let body = Body::File { file: Arc::clone(file), from: 0, length };
    let ours = twoport_pipe::digest(body, algorithm, &Progress::default()).await;
    let ours = ours.map_err(|source| Error::Local { what: "cannot read the file".to_owned(), source })?;
    let ours: String = ours.iter().map(|b| format!("{b:02x}")).collect();
    // XCRC comes without its leading zeros from some servers.
    Ok(ours.trim_start_matches('0') == told.trim_start_matches('0'))
}

/// What told hashes before HASH did, the best first.
const ELDERS: [(Verb, Algorithm); 5] = [
    (Verb::Xsha256, Algorithm::Sha256),
    (Verb::Xsha512, Algorithm::Sha512),
    (Verb::Xsha1, Algorithm::Sha1),
    (Verb::Xmd5, Algorithm::Md5),
    (Verb::Xcrc, Algorithm::Crc32),
];
