//! `Recode`: what happens to the bytes between body and wire, and the choice of the coder that does it. All coders
//! stream: they keep a state of a few bits, never a line.

use std::io::{self, BufRead};

use crate::{ascii, record};

/// What happens to the bytes between body and wire.
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

/// From the file's form to the wire's.
pub(crate) enum Encoder {
    Ascii(ascii::Encoder),
    Record,
}

impl Encoder {
    pub(crate) fn new(recode: Recode) -> Option<Self> {
        match recode {
            Recode::None => None,
            Recode::Ascii => Some(Encoder::Ascii(ascii::Encoder::default())),
            Recode::Record | Recode::AsciiRecord => Some(Encoder::Record),
        }
    }

    /// Appends the wire's form of `bytes`, twice as long at most.
    pub(crate) fn encode(&mut self, bytes: &[u8], into: &mut Vec<u8>) {
        match self {
            Encoder::Ascii(encoder) => encoder.encode(bytes, into),
            Encoder::Record => record::encode(bytes, into),
        }
    }

    /// Appends what stands at the end of the wire's form.
    pub(crate) fn finish(&mut self, into: &mut Vec<u8>) {
        match self {
            Encoder::Ascii(_) => {}
            Encoder::Record => record::finish(into),
        }
    }
}

/// From the wire's form to the file's.
pub(crate) enum Decoder {
    Ascii(ascii::Decoder),
    Record(record::Decoder),
}

impl Decoder {
    pub(crate) fn new(recode: Recode) -> Option<Self> {
        match recode {
            Recode::None => None,
            Recode::Ascii => Some(Decoder::Ascii(ascii::Decoder::default())),
            Recode::Record | Recode::AsciiRecord => Some(Decoder::Record(record::Decoder::default())),
        }
    }

    /// Appends the file's form of `bytes`; what stands before a fault is appended all the same.
    pub(crate) fn decode(&mut self, bytes: &[u8], into: &mut Vec<u8>) -> io::Result<()> {
        match self {
            Decoder::Ascii(decoder) => {
                decoder.decode(bytes, into);
                Ok(())
            }
            Decoder::Record(decoder) => decoder.decode(bytes, into),
        }
    }

    /// Appends what was held back; the wire has ended.
    pub(crate) fn finish(&mut self, into: &mut Vec<u8>) -> io::Result<()> {
        match self {
            Decoder::Ascii(decoder) => {
                decoder.finish(into);
                Ok(())
            }
            Decoder::Record(decoder) => decoder.finish(),
        }
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
