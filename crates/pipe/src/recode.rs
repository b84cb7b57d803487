//! `Recode` and `Framing`: what happens to the bytes between body and wire, and the choice of the coders that do it. All
//! coders stream: they keep a state of a few bits, never a line. First the content is recoded, then it is framed.

use std::io::{self, BufRead};

use crate::{ascii, block, deflate, record};

/// What TYPE and STRU make of the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Recode {
    /// Nothing: TYPE I, STRU F.
    #[default]
    None,
    /// TYPE A: lines end with CRLF on the wire and with LF in the file.
    Ascii,
    /// STRU R with TYPE I: LF in the file is the end of a record on the wire (RFC 959 §3.4.1).
    Record,
    /// STRU R with TYPE A: the same, since the marks stand where the CRLF would; CR is a byte like others.
    AsciiRecord,
}

/// What MODE makes of the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Framing {
    /// MODE S: a run of bytes that ends where the connection ends.
    #[default]
    Stream,
    /// MODE B: blocks with headers (RFC 959 §3.4.2). The end of a file is a block, and the connection may go on.
    Block,
    /// MODE Z: one zlib stream (draft-preston-ftpext-deflate).
    Deflate,
}

/// The form that bytes have on a wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Form {
    /// What TYPE and STRU make of them.
    pub recode: Recode,
    /// What MODE makes of that.
    pub framing: Framing,
}

impl From<Recode> for Form {
    fn from(recode: Recode) -> Self {
        Form { recode, framing: Framing::Stream }
    }
}

impl From<Framing> for Form {
    fn from(framing: Framing) -> Self {
        Form { recode: Recode::None, framing }
    }
}

/// From the file's form to the wire's.
pub(crate) struct Encoder {
    content: Option<Content>,
    frame: Option<Frame>,
    /// The content between the two.
    between: Vec<u8>,
}

enum Content {
    Ascii(ascii::Encoder),
    Record,
}

enum Frame {
    Block,
    Deflate(Box<deflate::Encoder>),
}

impl Encoder {
    /// The coder of a form; none when the bytes stay as they are.
    pub(crate) fn new(form: Form) -> Option<Self> {
        let content = match form.recode {
            Recode::None => None,
            Recode::Ascii => Some(Content::Ascii(ascii::Encoder::default())),
            Recode::Record | Recode::AsciiRecord => Some(Content::Record),
        };
        let frame = match form.framing {
            Framing::Stream => None,
            Framing::Block => Some(Frame::Block),
            Framing::Deflate => Some(Frame::Deflate(Box::default())),
        };
        let any = content.is_some() || frame.is_some();
        any.then_some(Encoder { content, frame, between: Vec::new() })
    }

    /// Whether what is on the wire is counted in bytes of the wire: not where they are framed.
    pub(crate) fn counts_the_wire(&self) -> bool {
        self.frame.is_none()
    }

    /// Appends the wire's form of `bytes`.
    pub(crate) fn encode(&mut self, bytes: &[u8], into: &mut Vec<u8>) {
        match &mut self.frame {
            None => content(&mut self.content, bytes, into),
            Some(frame) => {
                let bytes = if self.content.is_some() {
                    self.between.clear();
                    content(&mut self.content, bytes, &mut self.between);
                    &self.between
                } else {
                    bytes
                };
                frame.encode(bytes, into);
            }
        }
    }

    /// Appends what stands at the end of the wire's form.
    pub(crate) fn finish(&mut self, into: &mut Vec<u8>) {
        let mut last = Vec::new();
        if let Some(Content::Record) = self.content {
            record::finish(&mut last);
        }
        match &mut self.frame {
            None => into.extend_from_slice(&last),
            Some(frame) => {
                frame.encode(&last, into);
                frame.finish(into);
            }
        }
    }
}

fn content(coder: &mut Option<Content>, bytes: &[u8], into: &mut Vec<u8>) {
    match coder {
        None => into.extend_from_slice(bytes),
        Some(Content::Ascii(encoder)) => encoder.encode(bytes, into),
        Some(Content::Record) => record::encode(bytes, into),
    }
}

impl Frame {
    fn encode(&mut self, bytes: &[u8], into: &mut Vec<u8>) {
        match self {
            Frame::Block => block::encode(bytes, into),
            Frame::Deflate(encoder) => encoder.encode(bytes, into),
        }
    }

    fn finish(&mut self, into: &mut Vec<u8>) {
        match self {
            Frame::Block => block::finish(into),
            Frame::Deflate(encoder) => encoder.finish(into),
        }
    }
}

/// From the wire's form to the file's.
pub(crate) struct Decoder {
    content: Option<ContentBack>,
    frame: Option<FrameBack>,
    /// What is out of its frame and not in the file's form yet.
    between: Vec<u8>,
}

enum ContentBack {
    Ascii(ascii::Decoder),
    Record(record::Decoder),
}

enum FrameBack {
    Block(block::Decoder),
    Deflate(Box<deflate::Decoder>),
}

/// How far one call of a decoder came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Taken {
    /// Bytes of the wire that were used.
    pub(crate) used: usize,
    /// Bytes that they carried, without what frames them.
    pub(crate) carried: usize,
    /// Whether the file has ended, although the wire has not.
    pub(crate) ended: bool,
}

impl Decoder {
    /// The coder of a form; none when the bytes stay as they are.
    pub(crate) fn new(form: Form) -> Option<Self> {
        let content = match form.recode {
            Recode::None => None,
            Recode::Ascii => Some(ContentBack::Ascii(ascii::Decoder::default())),
            Recode::Record | Recode::AsciiRecord => Some(ContentBack::Record(record::Decoder::default())),
        };
        let frame = match form.framing {
            Framing::Stream => None,
            Framing::Block => Some(FrameBack::Block(block::Decoder::default())),
            Framing::Deflate => Some(FrameBack::Deflate(Box::default())),
        };
        let any = content.is_some() || frame.is_some();
        any.then_some(Decoder { content, frame, between: Vec::new() })
    }

    /// Whether the file can end before the wire does.
    pub(crate) fn may_end_early(&self) -> bool {
        matches!(self.frame, Some(FrameBack::Block(_)))
    }

    /// Appends the file's form of the first of `bytes`: of all, or of as many as make a piece of bounded size; what
    /// stands before a fault is appended all the same.
    pub(crate) fn decode(&mut self, bytes: &[u8], into: &mut Vec<u8>) -> (Taken, io::Result<()>) {
        let Decoder { content, frame, between } = self;
        let Some(frame) = frame else {
            let taken = Taken { used: bytes.len(), carried: bytes.len(), ended: false };
            return (taken, back(content, bytes, into));
        };
        let bare = content.is_none();
        between.clear();
        let target = if bare { &mut *into } else { &mut *between };
        let before = target.len();
        let (used, ended, fault) = match frame {
            FrameBack::Block(decoder) => decoder.decode(bytes, target),
            FrameBack::Deflate(decoder) => decoder.decode(bytes, target),
        };
        let taken = Taken { used, carried: target.len() - before, ended };
        let mut done = if bare { Ok(()) } else { back(content, between, into) };
        if ended && done.is_ok() {
            done = end(content, into);
        }
        (taken, done.and(fault))
    }

    /// Appends what was held back; the wire has ended.
    pub(crate) fn finish(&mut self, into: &mut Vec<u8>) -> io::Result<()> {
        match &self.frame {
            None => end(&mut self.content, into),
            // A file that ended in its frame was told by `decode`.
            Some(FrameBack::Block(_)) => {
                Err(io::Error::new(io::ErrorKind::UnexpectedEof, "no end-of-file block of MODE B"))
            }
            Some(FrameBack::Deflate(decoder)) => {
                decoder.finish()?;
                end(&mut self.content, into)
            }
        }
    }
}

fn back(content: &mut Option<ContentBack>, bytes: &[u8], into: &mut Vec<u8>) -> io::Result<()> {
    match content {
        None => into.extend_from_slice(bytes),
        Some(ContentBack::Ascii(decoder)) => decoder.decode(bytes, into),
        Some(ContentBack::Record(decoder)) => return decoder.decode(bytes, into),
    }
    Ok(())
}

fn end(content: &mut Option<ContentBack>, into: &mut Vec<u8>) -> io::Result<()> {
    match content {
        None => Ok(()),
        Some(ContentBack::Ascii(decoder)) => {
            decoder.finish(into);
            Ok(())
        }
        Some(ContentBack::Record(decoder)) => decoder.finish(),
    }
}

/// Where `byte` first stands. `skip_until` is std's one door to the C library's `memchr`, several times faster than a
/// loop over bytes.
pub(crate) fn find(byte: u8, mut bytes: &[u8]) -> Option<usize> {
    let all = bytes;
    let skipped = bytes.skip_until(byte).expect("a slice never fails to be read");
    let last = skipped.checked_sub(1)?;
    (all[last] == byte).then_some(last)
}
