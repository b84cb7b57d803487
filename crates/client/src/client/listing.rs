//! Listings: MLSD, LIST in whichever dialect, STAT where no data connection can be had.

use twoport_pipe::{Progress, Sink};
use twoport_proto::listing::mlsx;
use twoport_proto::listing::{Outcome, Reader};
use twoport_proto::{Entry, Moment, Verb};

use super::{Client, Moved, request};
use crate::error::Error;
use crate::text::TextSink;

impl Client {
    /// What is in a folder: by MLSD where the server has it, else by LIST in whichever dialect it speaks, and by STAT over
    /// the control connection where no data connection can be had.
    ///
    /// # Errors
    /// When it is refused, or cannot be understood.
    pub async fn list(&mut self, path: &[u8], now: Moment) -> Result<Vec<Entry>, Error> {
        if self.features.has("MLST") {
            match self.lines(Verb::Mlsd, path).await {
                Ok(lines) => {
                    return Ok(lines
                        .iter()
                        .filter_map(|line| mlsx::read_line(line))
                        .filter(|(entry, kind)| *kind == mlsx::MlsKind::Own && is_a_name(&entry.name))
                        .map(|(entry, _)| entry)
                        .collect());
                }
                Err(e) if e.is_unknown_command() => self.features.forget("MLST"),
                Err(e) => return self.list_by_stat(path, now, e).await,
            }
        }
        match self.lines(Verb::List, path).await {
            Ok(lines) => understood(&lines, now),
            Err(e) => self.list_by_stat(path, now, e).await,
        }
    }

    /// STAT with a path needs no data connection (RFC 959 §4.1.3); what it cannot do leaves the failure that it was.
    async fn list_by_stat(&mut self, path: &[u8], now: Moment, failure: Error) -> Result<Vec<Entry>, Error> {
        if !matches!(&failure, Error::Unreachable { steps, .. } if !steps.is_empty()) {
            return Err(failure);
        }
        let path = if path.is_empty() { b"." } else { path };
        match self.say(request(Verb::Stat, path)?).await {
            Ok(reply) if reply.lines.len() > 2 => {
                let between: Vec<Vec<u8>> = reply.lines[1..reply.lines.len() - 1]
                    .iter()
                    .map(|line| line.strip_prefix(b" ").unwrap_or(line).to_vec())
                    .collect();
                understood(&between, now)
            }
            _ => Err(failure),
        }
    }

    /// The lines of a listing, as they came.
    ///
    /// # Errors
    /// When it is refused, or longer than a listing can be.
    pub async fn lines(&mut self, verb: Verb, path: &[u8]) -> Result<Vec<Vec<u8>>, Error> {
        let (mut sink, text) = TextSink::new();
        self.receive(verb, path, 0, &mut sink, &Progress::default()).await?;
        Ok(text.lines())
    }
}

impl Client {
    /// A listing as it comes, with the line ends of this machine: LIST, NLST or MLSD.
    ///
    /// # Errors
    /// When it is refused, or the sink cannot take it.
    pub async fn listing(
        &mut self,
        verb: Verb,
        path: &[u8],
        sink: &mut Sink,
        progress: &Progress,
    ) -> Result<Moved, Error> {
        self.receive(verb, path, 0, sink, progress).await
    }
}

/// The entries of a listing in one of the dialects of LIST.
fn understood(lines: &[Vec<u8>], now: Moment) -> Result<Vec<Entry>, Error> {
    let mut reader = Reader::new(now);
    let read = lines.iter().filter_map(|line| match reader.line(line) {
        Outcome::Entry(entry) => Some(entry),
        Outcome::Nothing | Outcome::Unknown => None,
    });
    let entries: Vec<Entry> = read.filter(|entry| is_a_name(&entry.name)).collect();
    if entries.is_empty() && reader.finish().unknown > 0 {
        return Err(Error::OutOfStep("the server's listing is in a form that is not understood".to_owned()));
    }
    Ok(entries)
}

/// A name that stands for something in the folder that was listed, and for nothing elsewhere.
fn is_a_name(name: &[u8]) -> bool {
    !name.is_empty() && name != b"." && name != b".." && !name.contains(&b'/') && !name.contains(&0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listed_name_cannot_lead_away() {
        for bad in [&b""[..], b".", b"..", b"a/b", b"/etc", b"a\0"] {
            assert!(!is_a_name(bad));
        }
        assert!(is_a_name(b"..a"));
    }
}
