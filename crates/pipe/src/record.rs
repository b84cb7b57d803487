//! STRU R in stream mode (RFC 959 §3.4.1): marks of two bytes in the stream. A LF in the file is the end of a record,
//! so that a file comes back as it was, with or without a LF at its end.
//!
//! ```text
//!   FF 01  end of record     FF 03  both
//!   FF 02  end of file       FF FF  the byte FF
//! ```

use std::io;

use crate::recode::find;

/// Appends `bytes` with marks for LF and FF.
pub(crate) fn encode(bytes: &[u8], into: &mut Vec<u8>) {
    // A file of records is text, so the LF are what to look for; FF inside a record is looked for in what is between.
    let mut rest = bytes;
    while let Some(lf) = find(b'\n', rest) {
        escape(&rest[..lf], into);
        into.extend_from_slice(&[MARK, END_OF_RECORD]);
        rest = &rest[lf + 1..];
    }
    escape(rest, into);
}

fn escape(bytes: &[u8], into: &mut Vec<u8>) {
    let mut rest = bytes;
    while let Some(mark) = find(MARK, rest) {
        into.extend_from_slice(&rest[..=mark]);
        into.push(MARK);
        rest = &rest[mark + 1..];
    }
    into.extend_from_slice(rest);
}

/// Appends the end of the file.
pub(crate) fn finish(into: &mut Vec<u8>) {
    into.extend_from_slice(&[MARK, END_OF_FILE]);
}

/// Wire to file.
#[derive(Default)]
pub(crate) enum Decoder {
    /// Bytes of a record.
    #[default]
    Plain,
    /// The first byte of a mark has come.
    Marked,
    /// The end of the file has come; whatever follows is dropped.
    Ended,
}

impl Decoder {
    /// Appends `bytes` without their marks, up to the first mark that RFC 959 does not know: that is `InvalidData`.
    pub(crate) fn decode(&mut self, bytes: &[u8], into: &mut Vec<u8>) -> io::Result<()> {
        let mut rest = bytes;
        loop {
            match self {
                Decoder::Plain => {
                    let Some(mark) = find(MARK, rest) else {
                        into.extend_from_slice(rest);
                        return Ok(());
                    };
                    into.extend_from_slice(&rest[..mark]);
                    *self = Decoder::Marked;
                    rest = &rest[mark + 1..];
                }
                Decoder::Marked => {
                    let Some((&code, behind)) = rest.split_first() else { return Ok(()) };
                    if matches!(code, END_OF_RECORD | END_OF_BOTH) {
                        into.push(b'\n');
                    }
                    *self = match code {
                        END_OF_RECORD => Decoder::Plain,
                        END_OF_FILE | END_OF_BOTH => Decoder::Ended,
                        MARK => {
                            into.push(MARK);
                            Decoder::Plain
                        }
                        _ => return Err(io::Error::new(io::ErrorKind::InvalidData, "no mark of STRU R")),
                    };
                    rest = behind;
                }
                Decoder::Ended => return Ok(()),
            }
        }
    }

    /// The wire has ended; without the mark before, that is `UnexpectedEof`.
    pub(crate) fn finish(&self) -> io::Result<()> {
        match self {
            Decoder::Ended => Ok(()),
            Decoder::Plain | Decoder::Marked => {
                Err(io::Error::new(io::ErrorKind::UnexpectedEof, "no end-of-file mark of STRU R"))
            }
        }
    }
}

const MARK: u8 = 0xFF;
const END_OF_RECORD: u8 = 1;
const END_OF_FILE: u8 = 2;
const END_OF_BOTH: u8 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(pieces: &[&[u8]]) -> Vec<u8> {
        let mut out = Vec::new();
        pieces.iter().for_each(|piece| encode(piece, &mut out));
        finish(&mut out);
        out
    }

    fn decoded(pieces: &[&[u8]]) -> (Vec<u8>, io::Result<()>) {
        let (mut decoder, mut out) = (Decoder::default(), Vec::new());
        for piece in pieces {
            if let Err(error) = decoder.decode(piece, &mut out) {
                return (out, Err(error));
            }
        }
        (out, decoder.finish())
    }

    #[test]
    fn a_line_end_is_the_end_of_a_record() {
        assert_eq!(encoded(&[b"a\nb\n"]), b"a\xFF\x01b\xFF\x01\xFF\x02");
        assert_eq!(encoded(&[b"a\r\nb"]), b"a\r\xFF\x01b\xFF\x02");
        assert_eq!(encoded(&[b"\xFF\xFF\n"]), b"\xFF\xFF\xFF\xFF\xFF\x01\xFF\x02");
        assert_eq!(encoded(&[]), b"\xFF\x02");
    }

    #[test]
    fn both_ends_in_one_mark_are_read() {
        assert_eq!(decoded(&[b"a\xFF\x03"]).0, b"a\n");
        assert!(decoded(&[b"a\xFF\x03"]).1.is_ok());
    }

    #[test]
    fn what_follows_the_end_is_dropped() {
        let (file, end) = decoded(&[b"a\xFF\x02b\xFF", b"\x07\xFF\x01"]);
        assert_eq!(file, b"a");
        assert!(end.is_ok());
    }

    #[test]
    fn a_missing_end_and_a_strange_mark_are_faults() {
        for wire in [&b""[..], b"abc", b"abc\xFF", b"abc\xFF\x01", b"\xFF\xFF"] {
            assert_eq!(decoded(&[wire]).1.unwrap_err().kind(), io::ErrorKind::UnexpectedEof, "{wire:?}");
        }
        let (file, end) = decoded(&[b"abc\xFF", b"\x04def"]);
        assert_eq!(file, b"abc");
        assert_eq!(end.unwrap_err().kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn every_short_file_comes_back_however_it_is_cut() {
        for length in 0..=6u32 {
            for number in 0..4u32.pow(length) {
                let file: Vec<u8> =
                    (0..length).map(|i| b"\x01\x02\n\xFF"[(number / 4u32.pow(i) % 4) as usize]).collect();
                let wire = encoded(&[&file]);
                for cut in 0..=file.len() {
                    assert_eq!(encoded(&[&file[..cut], &file[cut..]]), wire);
                }
                for cut in 0..=wire.len() {
                    let (back, end) = decoded(&[&wire[..cut], b"", &wire[cut..]]);
                    assert_eq!(back, file);
                    assert!(end.is_ok());
                }
            }
        }
    }
}
