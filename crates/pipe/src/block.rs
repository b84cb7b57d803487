//! MODE B (RFC 959 §3.4.2): blocks of at most 65,535 bytes behind a header of three. The end of a file is told by a
//! block, so that the connection can carry the next one.
//!
//! ```text
//!   descriptor  count, high byte first    128 end of record    32 the sender doubts this block
//!   1 byte      2 bytes                    64 end of file      16 a restart marker, and no part of the file
//! ```

use std::io;

/// Appends `bytes` in blocks; none for no bytes.
pub(crate) fn encode(bytes: &[u8], into: &mut Vec<u8>) {
    for piece in bytes.chunks(LARGEST) {
        header(0, piece.len(), into);
        into.extend_from_slice(piece);
    }
}

/// Appends the end of the file.
pub(crate) fn finish(into: &mut Vec<u8>) {
    header(END_OF_FILE, 0, into);
}

fn header(descriptor: u8, count: usize, into: &mut Vec<u8>) {
    let count = u16::try_from(count).expect("a block is at most LARGEST bytes long");
    let [high, low] = count.to_be_bytes();
    into.extend_from_slice(&[descriptor, high, low]);
}

/// Wire to file.
#[derive(Default)]
pub(crate) struct Decoder {
    /// What there is of a header.
    header: [u8; 3],
    filled: usize,
    /// Bytes of the block that are still to come.
    left: usize,
}

impl Decoder {
    /// Appends what the blocks carry, up to the end of the file: how many bytes were used, whether the file has ended,
    /// and a descriptor that RFC 959 does not know, which is `InvalidData`.
    pub(crate) fn decode(&mut self, bytes: &[u8], into: &mut Vec<u8>) -> (usize, bool, io::Result<()>) {
        let mut used = 0;
        loop {
            if self.filled < 3 {
                let Some(byte) = bytes.get(used) else { return (used, false, Ok(())) };
                self.header[self.filled] = *byte;
                self.filled += 1;
                used += 1;
                if self.filled < 3 {
                    continue;
                }
                self.left = usize::from(u16::from_be_bytes([self.header[1], self.header[2]]));
                if self.header[0] & !KNOWN != 0 {
                    let text = "a block header of MODE B was not understood";
                    return (used, false, Err(io::Error::new(io::ErrorKind::InvalidData, text)));
                }
            }
            let piece = &bytes[used..bytes.len().min(used + self.left)];
            if self.header[0] & RESTART_MARKER == 0 {
                into.extend_from_slice(piece);
            }
            used += piece.len();
            self.left -= piece.len();
            if self.left > 0 {
                return (used, false, Ok(()));
            }
            self.filled = 0;
            if self.header[0] & END_OF_FILE != 0 {
                return (used, true, Ok(()));
            }
            // A record ends where a line does, as in stream mode.
            if self.header[0] & END_OF_RECORD != 0 {
                into.push(b'\n');
            }
        }
    }
}

/// Bytes of a block at most: what its count can say.
const LARGEST: usize = 65_535;
const END_OF_RECORD: u8 = 128;
const END_OF_FILE: u8 = 64;
const DOUBTED: u8 = 32;
const RESTART_MARKER: u8 = 16;
const KNOWN: u8 = END_OF_RECORD | END_OF_FILE | DOUBTED | RESTART_MARKER;

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(file: &[u8]) -> Vec<u8> {
        let mut wire = Vec::new();
        encode(file, &mut wire);
        finish(&mut wire);
        wire
    }

    /// One file out of the wire, handed in in pieces of `step`; and what is left of the wire.
    fn decoded(wire: &[u8], step: usize) -> (Vec<u8>, usize) {
        let (mut decoder, mut file, mut at) = (Decoder::default(), Vec::new(), 0);
        loop {
            let piece = &wire[at..wire.len().min(at + step)];
            let (used, ended, fault) = decoder.decode(piece, &mut file);
            fault.unwrap();
            at += used;
            if ended {
                return (file, wire.len() - at);
            }
            assert_eq!(used, piece.len(), "what is not the end is used up");
            assert!(!piece.is_empty(), "the wire ended before the file");
        }
    }

    #[test]
    fn a_file_is_blocks_and_an_end() {
        assert_eq!(encoded(b"abc"), b"\0\0\x03abc\x40\0\0");
        assert_eq!(encoded(b""), b"\x40\0\0");
        let large = encoded(&[7; 70_000]);
        assert_eq!(&large[..3], b"\0\xFF\xFF");
        assert_eq!(large.len(), 70_000 + 3 * 3);
    }

    #[test]
    fn what_follows_the_end_is_left_alone() {
        let wire = [encoded(b"first"), encoded(b"second")].concat();
        for step in 1..=wire.len() {
            let (file, left) = decoded(&wire, step);
            assert_eq!(file, b"first");
            assert_eq!(decoded(&wire[wire.len() - left..], step).0, b"second");
        }
    }

    #[test]
    fn ends_in_the_last_block_markers_and_records_are_understood() {
        let wire = b"\x10\0\x02xx\x80\0\x01a\x20\0\x01b\x40\0\x01c";
        for step in 1..=wire.len() {
            assert_eq!(decoded(wire, step), (b"a\nbc".to_vec(), 0));
        }
    }

    #[test]
    fn an_unknown_descriptor_is_a_fault() {
        let (_, ended, fault) = Decoder::default().decode(b"\x01\0\0", &mut Vec::new());
        assert!(!ended);
        assert_eq!(fault.unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
