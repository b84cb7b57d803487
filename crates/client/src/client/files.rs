//! What is known of one file, and what is done with names: no data connection is needed for these.

use twoport_proto::listing::mlsx;
use twoport_proto::modes::Algorithm;
use twoport_proto::{Entry, Kind, Moment, Request, Verb};

use super::{Client, request};
use crate::error::Error;

impl Client {
    /// What is known of one name.
    ///
    /// # Errors
    /// When there is nothing of that name, or the server tells nothing.
    pub async fn stat(&mut self, path: &[u8]) -> Result<Entry, Error> {
        if self.features.has("MLST") {
            let reply = self.say(request(Verb::Mlst, path)?).await?;
            let line = reply.lines.get(1).map(|line| line.trim_ascii_start());
            return line
                .and_then(mlsx::read_line)
                .map(|(entry, _)| Entry { name: last_part(path), ..entry })
                .ok_or_else(|| Error::OutOfStep(format!("MLST was answered {}", reply.text())));
        }
        // SIZE counts bytes of the file under TYPE I only.
        self.say(request(Verb::Type, b"I")?).await?;
        let size = match self.say(request(Verb::Size, path)?).await {
            Ok(reply) => reply.text().trim().parse().ok(),
            Err(Error::Refused { .. }) => None,
            Err(e) => return Err(e),
        };
        let Some(size) = size else {
            let here = self.say(Request::bare(Verb::Pwd)).await?;
            self.say(request(Verb::Cwd, path)?).await?;
            if let Some(home) = twoport_proto::path::unquoted(here.text().as_bytes()) {
                self.say(request(Verb::Cwd, &home)?).await?;
            }
            return Ok(Entry::new(last_part(path), Kind::Directory, 0));
        };
        let mut entry = Entry::new(last_part(path), Kind::File, size);
        if let Ok(reply) = self.say(request(Verb::Mdtm, path)?).await {
            entry.modified = Moment::read_stamp(reply.text().trim().as_bytes()).ok();
        }
        Ok(entry)
    }

    /// The hash of a file and the name of its algorithm: HASH where the server has it, else the best of its elders.
    ///
    /// # Errors
    /// When the server has none, or refuses.
    pub async fn hash(&mut self, path: &[u8]) -> Result<(String, String), Error> {
        if self.features.has("HASH") {
            let reply = self.say(request(Verb::Hash, path)?).await?;
            let text = reply.text();
            let mut words = text.split(' ');
            if let (Some(name), Some(_), Some(hash)) = (words.next(), words.next(), words.next()) {
                return Ok((name.to_owned(), hash.to_ascii_lowercase()));
            }
            return Err(Error::OutOfStep(format!("HASH was answered {text}")));
        }
        let elders = [
            (Verb::Xsha256, Algorithm::Sha256),
            (Verb::Xsha512, Algorithm::Sha512),
            (Verb::Xsha1, Algorithm::Sha1),
            (Verb::Xmd5, Algorithm::Md5),
            (Verb::Xcrc, Algorithm::Crc32),
        ];
        for (verb, algorithm) in elders {
            if self.features.has(verb.name()) {
                let reply = self.say(request(verb, path)?).await?;
                let text = reply.text().trim().to_ascii_lowercase();
                let hash = text.split_whitespace().last().unwrap_or_default().to_owned();
                return Ok((algorithm.name().to_owned(), hash));
            }
        }
        Err(Error::Refused { code: 502, text: "the server offers no hash".to_owned() })
    }

    /// DELE.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn remove(&mut self, path: &[u8]) -> Result<(), Error> {
        self.say(request(Verb::Dele, path)?).await.map(|_| ())
    }

    /// MKD.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn make_dir(&mut self, path: &[u8]) -> Result<(), Error> {
        self.say(request(Verb::Mkd, path)?).await.map(|_| ())
    }

    /// RMD.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn remove_dir(&mut self, path: &[u8]) -> Result<(), Error> {
        self.say(request(Verb::Rmd, path)?).await.map(|_| ())
    }

    /// RNFR and RNTO.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn rename(&mut self, from: &[u8], to: &[u8]) -> Result<(), Error> {
        self.say(request(Verb::Rnfr, from)?).await?;
        self.say(request(Verb::Rnto, to)?).await.map(|_| ())
    }

    /// MFMT, where the server has it: when a file was changed.
    ///
    /// # Errors
    /// When the connection broke; a server that cannot is no error.
    pub async fn set_modified(&mut self, path: &[u8], moment: Moment) -> Result<(), Error> {
        if self.features.has("MFMT") {
            let whole = Moment::from_seconds(moment.seconds);
            self.tolerant(Verb::Mfmt, &[whole.stamp().as_bytes(), b" ", path].concat()).await?;
        }
        Ok(())
    }
}

fn last_part(path: &[u8]) -> Vec<u8> {
    path.rsplit(|b| *b == b'/').find(|part| !part.is_empty()).unwrap_or_default().to_vec()
}
