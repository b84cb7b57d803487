//! TYPE A in stream mode: LF in the file, CRLF on the wire (RFC 959 §3.1.1.1). Both ways byte for byte the same
//! however the stream is cut into pieces, a CR at a cut included.

use crate::recode::find;

/// File to wire. A file that has CRLF already keeps it, as servers have done since CRLF files exist on Unix.
#[derive(Default)]
pub(crate) struct Encoder {
    after_cr: bool,
}

impl Encoder {
    /// Appends `bytes` with CRLF for every LF that no CR precedes.
    pub(crate) fn encode(&mut self, bytes: &[u8], into: &mut Vec<u8>) {
        let mut rest = bytes;
        while let Some(lf) = find(b'\n', rest) {
            let (line, behind) = rest.split_at(lf);
            into.extend_from_slice(line);
            let after_cr = line.last().map_or(self.after_cr, |&byte| byte == b'\r');
            into.extend_from_slice(if after_cr { b"\n" } else { b"\r\n" });
            self.after_cr = false;
            rest = &behind[1..];
        }
        into.extend_from_slice(rest);
        if let Some(&last) = rest.last() {
            self.after_cr = last == b'\r';
        }
    }
}

/// Wire to file.
#[derive(Default)]
pub(crate) struct Decoder {
    /// A CR was the last byte; what it means depends on the next.
    held_cr: bool,
}

impl Decoder {
    /// Appends `bytes` with LF for CRLF and CR for CR NUL (the Telnet NVT's bare CR); any other CR stays.
    pub(crate) fn decode(&mut self, bytes: &[u8], into: &mut Vec<u8>) {
        let mut rest = bytes;
        loop {
            if self.held_cr {
                let Some((&next, behind)) = rest.split_first() else { return };
                self.held_cr = false;
                into.push(if next == b'\n' { b'\n' } else { b'\r' });
                if matches!(next, b'\n' | 0) {
                    rest = behind;
                }
            }
            let Some(cr) = find(b'\r', rest) else { break };
            into.extend_from_slice(&rest[..cr]);
            self.held_cr = true;
            rest = &rest[cr + 1..];
        }
        into.extend_from_slice(rest);
    }

    /// Appends a CR that nothing came after.
    pub(crate) fn finish(&mut self, into: &mut Vec<u8>) {
        if std::mem::take(&mut self.held_cr) {
            into.push(b'\r');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(pieces: &[&[u8]]) -> Vec<u8> {
        let (mut encoder, mut out) = (Encoder::default(), Vec::new());
        pieces.iter().for_each(|piece| encoder.encode(piece, &mut out));
        out
    }

    fn decoded(pieces: &[&[u8]]) -> Vec<u8> {
        let (mut decoder, mut out) = (Decoder::default(), Vec::new());
        pieces.iter().for_each(|piece| decoder.decode(piece, &mut out));
        decoder.finish(&mut out);
        out
    }

    #[test]
    fn line_ends_become_crlf_once() {
        let cases: [(&[u8], &[u8]); 8] = [
            (b"", b""),
            (b"a", b"a"),
            (b"a\nb\n", b"a\r\nb\r\n"),
            (b"a\r\nb", b"a\r\nb"),
            (b"\n\n\r\n\n", b"\r\n\r\n\r\n\r\n"),
            (b"\r\r\n", b"\r\r\n"),
            (b"a\rb\r", b"a\rb\r"),
            (b"\r\n\r", b"\r\n\r"),
        ];
        for (file, wire) in cases {
            for cut in 0..=file.len() {
                assert_eq!(encoded(&[&file[..cut], b"", &file[cut..]]), wire, "{file:?} cut at {cut}");
            }
        }
    }

    #[test]
    fn crlf_becomes_a_line_end_and_a_lone_cr_stays() {
        let cases: [(&[u8], &[u8]); 8] = [
            (b"", b""),
            (b"a\r\nb\r\n", b"a\nb\n"),
            (b"a\nb", b"a\nb"),
            (b"a\rb\r", b"a\rb\r"),
            (b"\r\r\n", b"\r\n"),
            (b"a\r\0b\r\0", b"a\rb\r"),
            (b"\r\0\n\0", b"\r\n\0"),
            (b"\r\r\r", b"\r\r\r"),
        ];
        for (wire, file) in cases {
            for cut in 0..=wire.len() {
                assert_eq!(decoded(&[&wire[..cut], b"", &wire[cut..]]), file, "{wire:?} cut at {cut}");
            }
        }
    }

    #[test]
    fn every_short_text_without_crlf_comes_back() {
        // Four kinds of byte, all texts of up to six; CRLF and CR NUL are what the mapping itself takes away.
        for length in 0..=6u32 {
            for number in 0..4u32.pow(length) {
                let text: Vec<u8> =
                    (0..length).map(|i| b"a\r\n\0"[(number / 4u32.pow(i) % 4) as usize]).collect();
                if text.windows(2).any(|pair| pair == b"\r\n" || pair == b"\r\0") {
                    continue;
                }
                let wire = encoded(&[&text]);
                for cut in 0..=wire.len() {
                    assert_eq!(decoded(&[&wire[..cut], &wire[cut..]]), text);
                }
            }
        }
    }
}
