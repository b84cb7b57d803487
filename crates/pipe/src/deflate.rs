//! MODE Z: one zlib stream a file (draft-preston-ftpext-deflate-04). The library stays behind this module. What comes out
//! is bounded: a few bytes that stand for a thousand times as many do not fill the memory.

use std::io;

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

/// File to wire.
pub(crate) struct Encoder(Compress);

impl Default for Encoder {
    fn default() -> Self {
        Encoder(Compress::new(Compression::default(), true))
    }
}

impl Encoder {
    /// Appends what `bytes` become; nothing perhaps, until more come.
    pub(crate) fn encode(&mut self, bytes: &[u8], into: &mut Vec<u8>) {
        self.run(bytes, FlushCompress::None, into);
    }

    /// Appends the end of the stream.
    pub(crate) fn finish(&mut self, into: &mut Vec<u8>) {
        self.run(b"", FlushCompress::Finish, into);
    }

    fn run(&mut self, mut bytes: &[u8], flush: FlushCompress, into: &mut Vec<u8>) {
        loop {
            into.reserve(PIECE);
            let before = self.0.total_in();
            let status = self.0.compress_vec(bytes, into, flush).expect("memory and flags are in order");
            let used = usize::try_from(self.0.total_in() - before).expect("no more than was handed in");
            bytes = &bytes[used..];
            let done = match flush {
                FlushCompress::Finish => status == Status::StreamEnd,
                _ => bytes.is_empty(),
            };
            if done {
                return;
            }
        }
    }
}

/// Wire to file.
pub(crate) struct Decoder {
    stream: Decompress,
    ended: bool,
}

impl Default for Decoder {
    fn default() -> Self {
        Decoder { stream: Decompress::new(true), ended: false }
    }
}

impl Decoder {
    /// Appends what the first of `bytes` stand for, in a piece of bounded size; how many were used. The file ends with
    /// the wire, so it is never told here that it has ended.
    pub(crate) fn decode(&mut self, bytes: &[u8], into: &mut Vec<u8>) -> (usize, bool, io::Result<()>) {
        if self.ended {
            // Behind the end of the stream nothing has a meaning.
            return (bytes.len(), false, Ok(()));
        }
        let most = into.len() + BOUND;
        let mut used = 0;
        while into.len() < most {
            into.reserve(PIECE);
            let (before, length) = (self.stream.total_in(), into.len());
            let status = match self.stream.decompress_vec(&bytes[used..], into, FlushDecompress::None) {
                Ok(status) => status,
                Err(e) => return (used, false, Err(io::Error::new(io::ErrorKind::InvalidData, e))),
            };
            let taken = usize::try_from(self.stream.total_in() - before).expect("no more than was handed in");
            used += taken;
            if status == Status::StreamEnd {
                self.ended = true;
                return (bytes.len(), false, Ok(()));
            }
            if taken == 0 && into.len() == length {
                break;
            }
        }
        (used, false, Ok(()))
    }

    /// The wire has ended; before the end of the stream that is `UnexpectedEof`. A file of no bytes may have no stream.
    pub(crate) fn finish(&self) -> io::Result<()> {
        match self.ended || self.stream.total_in() == 0 {
            true => Ok(()),
            false => {
                Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the zlib stream of MODE Z has no end"))
            }
        }
    }
}

/// Room that is made at a time.
const PIECE: usize = 32 << 10;
/// Bytes after which a piece is handed on.
const BOUND: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(pieces: &[&[u8]]) -> Vec<u8> {
        let (mut encoder, mut wire) = (Encoder::default(), Vec::new());
        pieces.iter().for_each(|piece| encoder.encode(piece, &mut wire));
        encoder.finish(&mut wire);
        wire
    }

    fn decoded(wire: &[u8], step: usize) -> (Vec<u8>, io::Result<()>) {
        let (mut decoder, mut file, mut at) = (Decoder::default(), Vec::new(), 0);
        while at < wire.len() {
            let (used, _, fault) = decoder.decode(&wire[at..wire.len().min(at + step)], &mut file);
            if let Err(fault) = fault {
                return (file, Err(fault));
            }
            at += used;
        }
        (file, decoder.finish())
    }

    #[test]
    fn a_file_comes_back_however_the_wire_is_cut() {
        let file: Vec<u8> = (0..200_000u32).map(|i| (i / 7 % 251) as u8).collect();
        let wire = encoded(&[&file[..10], b"", &file[10..]]);
        assert!(wire.len() < file.len() / 4, "{}", wire.len());
        for step in [1, 7, 1000, wire.len()] {
            let (back, end) = decoded(&wire, step);
            assert_eq!(back, file);
            end.unwrap();
        }
        assert_eq!(decoded(&encoded(&[]), 1).0, b"");
        decoded(b"", 1).1.unwrap();
    }

    #[test]
    fn a_cut_and_a_strange_stream_are_faults() {
        let wire = encoded(&[&[1; 5000]]);
        assert_eq!(decoded(&wire[..wire.len() - 1], 9).1.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        assert_eq!(decoded(b"hello, world", 9).1.unwrap_err().kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn a_bomb_comes_out_in_pieces() {
        let wire = encoded(&[&vec![0; 64 << 20]]);
        let (mut decoder, mut at, mut all, mut file) = (Decoder::default(), 0, 0, Vec::new());
        while at < wire.len() || !file.is_empty() {
            file.clear();
            let (used, _, fault) = decoder.decode(&wire[at..], &mut file);
            fault.unwrap();
            at += used;
            all += file.len();
            assert!(file.len() <= BOUND + PIECE * 2, "{}", file.len());
        }
        assert_eq!(all, 64 << 20);
    }
}
