//! Where bytes go to and come from here: a file, standard input and output, a command's pipe.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use twoport_client::local_name::{Begin, Download};
use twoport_pipe::{Body, Boxed, Sink, Source, Taker};
use twoport_proto::Moment;

use crate::shell::Fault;
use crate::shell::voice::harmless;

/// How a file here meets what comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// Under its name once it is whole.
    Anew,
    /// Behind what is there, as far as that goes.
    Resume,
    /// Into what is there, from this byte on.
    At(u64),
}

/// Where bytes go.
pub(super) enum Place {
    Out,
    Pipe(Child),
    /// A device or a named pipe that the user has named.
    Device(File),
    Part(Download),
    File(Arc<File>, u64),
}

/// The path that a word means here.
pub(super) fn path(word: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(word))
}

fn fault(word: &[u8], e: impl std::fmt::Display) -> Fault {
    Fault::Say(format!("local: {}: {e}", harmless(word)))
}

impl Place {
    /// Opens what a word means: `-`, `|command`, or a file.
    pub(super) fn open(word: &[u8], how: How) -> Result<Place, Fault> {
        match word {
            b"-" => Ok(Place::Out),
            [b'|', command @ ..] => piped(OsStr::from_bytes(command)).map(Place::Pipe),
            _ => Place::file(path(word), how).map_err(|e| fault(word, e)),
        }
    }

    fn file(path: &Path, how: How) -> io::Result<Place> {
        // A name that has a folder in it is no server's.
        let named = path.parent().is_some_and(|folder| !folder.as_os_str().is_empty());
        if named && path.metadata().is_ok_and(|there| !there.is_file() && !there.is_dir()) {
            return File::options().write(true).open(path).map(Place::Device);
        }
        match how {
            How::Anew => Download::at(path, Begin::Anew).map(Place::Part),
            How::Resume if part(path).is_some_and(|part| part.is_file()) || !path.exists() => {
                Download::at(path, Begin::Resume).map(Place::Part)
            }
            // What somebody else has left half done has its name already.
            How::Resume => {
                let file = File::options().write(true).open(path)?;
                let from = file.metadata()?.len();
                Ok(Place::File(Arc::new(file), from))
            }
            How::At(from) => {
                let file = File::options().write(true).create(true).truncate(false).open(path)?;
                Ok(Place::File(Arc::new(file), from))
            }
        }
    }

    /// The byte that is wanted first.
    pub(super) fn from(&self) -> u64 {
        match self {
            Place::Out | Place::Pipe(_) | Place::Device(_) => 0,
            Place::Part(download) => download.from(),
            Place::File(_, from) => *from,
        }
    }

    /// The sink to be filled.
    pub(super) fn sink(&mut self) -> Sink {
        let from = self.from();
        let file = match self {
            Place::Out => return taker(io::stdout()),
            Place::Pipe(child) => match child.stdin.take() {
                Some(stdin) => return taker(stdin),
                None => return taker(io::sink()),
            },
            Place::Device(file) => match file.try_clone() {
                Ok(file) => return taker(file),
                Err(e) => return taker(Broken(Some(e))),
            },
            Place::Part(download) => download.file(),
            Place::File(file, _) => Arc::clone(file),
        };
        Sink::File { file, at: from }
    }

    /// The sink for lines that a server wrote: what a terminal would obey is shown on it and not sent to it.
    pub(super) fn lines(&mut self) -> Sink {
        match self {
            Place::Out if io::stdout().is_terminal() => taker(Screen { out: io::stdout(), line: Vec::new() }),
            place => place.sink(),
        }
    }

    /// Puts text there that is all in memory.
    pub(super) fn write(&mut self, text: &[u8]) -> io::Result<()> {
        match self {
            Place::Out => io::stdout().lock().write_all(text),
            Place::Pipe(child) => match child.stdin.take() {
                Some(mut stdin) => stdin.write_all(text),
                None => Ok(()),
            },
            Place::Device(file) => file.write_all(text),
            Place::Part(download) => (&*download.file()).write_all(text),
            Place::File(file, _) => (&**file).write_all(text),
        }
    }

    /// All has come: the file gets its name and its time, the command its end.
    pub(super) fn finish(self, modified: Option<Moment>) -> io::Result<()> {
        match self {
            Place::Out | Place::Device(_) => Ok(()),
            Place::Pipe(mut child) => child.wait().map(|_| ()),
            Place::Part(download) => download.finish(modified).map(|_| ()),
            Place::File(file, _) => match modified.and_then(|moment| u64::try_from(moment.seconds).ok()) {
                Some(seconds) => file.set_modified(std::time::UNIX_EPOCH + Duration::from_secs(seconds)),
                None => Ok(()),
            },
        }
    }

    /// Not all has come. What tells where it is kept.
    pub(super) fn give_up(self) -> Option<PathBuf> {
        match self {
            Place::Pipe(mut child) => {
                let _ = child.wait();
                None
            }
            Place::Part(download) => {
                let part = download.part().to_owned();
                drop(download);
                part.exists().then_some(part)
            }
            Place::Out | Place::Device(_) | Place::File(..) => None,
        }
    }

    /// Whether it has a time of its own.
    pub(super) fn is_file(&self) -> bool {
        matches!(self, Place::Part(_) | Place::File(..))
    }
}

fn part(path: &Path) -> Option<PathBuf> {
    let name = twoport_client::local_name::LocalName::read(path.file_name()?.as_bytes()).ok()?;
    Some(path.with_file_name(name.part().as_os_str()))
}

fn piped(command: &OsStr) -> Result<Child, Fault> {
    let spawned = Command::new("/bin/sh").arg("-c").arg(command).stdin(Stdio::piped()).spawn();
    spawned.map_err(|e| Fault::Say(format!("{}: {e}", Path::new(command).display())))
}

/// Where the bytes of a store come from, and the command that makes them.
pub(super) struct Origin {
    pub(super) body: Body,
    pub(super) child: Option<Child>,
}

impl Origin {
    /// Opens what a word means: `-`, `|command`, or a plain file from this byte on.
    pub(super) fn open(word: &[u8], from: u64) -> Result<Origin, Fault> {
        let source = |read: Box<dyn Read + Send>| Body::Source(Box::new(Reading(read)));
        match word {
            b"-" => Ok(Origin { body: source(Box::new(io::stdin())), child: None }),
            [b'|', command @ ..] => {
                let spawned = Command::new("/bin/sh")
                    .arg("-c")
                    .arg(OsStr::from_bytes(command))
                    .stdout(Stdio::piped())
                    .spawn();
                let mut child = spawned.map_err(|e| fault(word, e))?;
                let body = match child.stdout.take() {
                    Some(stdout) => source(Box::new(stdout)),
                    None => Body::Bytes(Vec::new()),
                };
                Ok(Origin { body, child: Some(child) })
            }
            _ => {
                let open = || {
                    let file = File::open(path(word))?;
                    let data = file.metadata()?;
                    if !data.is_file() {
                        return Err(io::Error::other("not a plain file."));
                    }
                    Ok((file, data.len()))
                };
                let (file, size) = open().map_err(|e| fault(word, e))?;
                let length = size.saturating_sub(from);
                let body = Body::File { file: Arc::new(file), from, length: (length > 0).then_some(length) };
                Ok(Origin { body, child: None })
            }
        }
    }
}

fn taker(write: impl Write + Send + 'static) -> Sink {
    Sink::Taker(Box::new(Writing(write)))
}

/// Bytes to be written.
struct Writing<W>(W);

impl<W: Write + Send> Taker for Writing<W> {
    fn take<'a>(&'a mut self, bytes: &'a [u8]) -> Boxed<'a, ()> {
        let written = self.0.write_all(bytes).and_then(|()| self.0.flush());
        Box::pin(std::future::ready(written))
    }
}

/// Bytes that are read.
struct Reading(Box<dyn Read + Send>);

impl Source for Reading {
    fn fill<'a>(&'a mut self, into: &'a mut Vec<u8>) -> Boxed<'a, ()> {
        let read = (&mut self.0).take(PIECE).read_to_end(into);
        Box::pin(std::future::ready(read.map(|_| ())))
    }
}

/// A terminal that gets whole lines.
struct Screen<W: Write> {
    out: W,
    line: Vec<u8>,
}

impl<W: Write> Screen<W> {
    fn show(&mut self) -> io::Result<()> {
        let line = std::mem::take(&mut self.line);
        let bare = line.strip_suffix(b"\n").unwrap_or(&line);
        let obeyed = |c: char| c.is_control() && c != '\t';
        if !String::from_utf8_lossy(bare).chars().any(obeyed) {
            return self.out.write_all(&line);
        }
        self.out.write_all(harmless(bare).as_bytes())?;
        self.out.write_all(&line[bare.len()..])
    }
}

impl<W: Write> Write for Screen<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for piece in bytes.split_inclusive(|b| *b == b'\n') {
            self.line.extend_from_slice(piece);
            if piece.ends_with(b"\n") {
                self.show()?;
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

impl<W: Write> Drop for Screen<W> {
    fn drop(&mut self) {
        // A last line without an end.
        let _ = self.show().and_then(|()| self.out.flush());
    }
}

/// What could not be opened, and says so once.
struct Broken(Option<io::Error>);

impl Write for Broken {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(self.0.take().unwrap_or_else(|| io::ErrorKind::BrokenPipe.into()))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Bytes that are read at once.
const PIECE: u64 = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_commands_no_terminal() {
        let mut out = Vec::new();
        let mut screen = Screen { out: &mut out, line: Vec::new() };
        for piece in [&b"caf\xE9\nb\x1b"[..], b"[2J\tc\n", b"last"] {
            screen.write_all(piece).unwrap();
        }
        drop(screen);
        assert_eq!(out, b"caf\xE9\nb\\u{1b}[2J\tc\nlast");
    }

    #[test]
    fn what_was_left_half_done_goes_on_in_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("a");
        std::fs::write(&target, b"123").unwrap();
        assert_eq!(Place::file(&target, How::Resume).unwrap().from(), 3);
        std::fs::write(folder.path().join("a.part"), b"12345").unwrap();
        let place = Place::file(&target, How::Resume).unwrap();
        assert!(place.from() == 5 && place.is_file());
        place.finish(None).unwrap();
        assert_eq!(std::fs::read(&target).unwrap(), b"12345");
        assert!(Place::file(&folder.path().join("no/such"), How::At(0)).is_err());
    }
}
