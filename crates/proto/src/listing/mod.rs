//! How a listing says what is known of files: one file per dialect. The server writes two of them; the client reads all.
//!
//! | dialect | said by | where |
//! | --- | --- | --- |
//! | facts for machines (RFC 3659 §7) | MLSD, MLST | [`mlsx`] |
//! | `ls -l` | LIST, STAT with a path | [`unix`] |
//! | `DIR`, EPLF, OpenVMS, z/OS, IBM i, NetWare | LIST of other servers | a private file each |
//! | which of them LIST is: the guess | | [`Reader`] |
//! | whose clock LIST shows | | [`zone_offset`], [`shift`] |
//!
//! Which entries stand in a listing, and in which order, is left to the caller.

mod as400;
mod dos;
mod eplf;
mod fields;
pub mod mlsx;
mod mvs;
mod netware;
mod reader;
pub mod unix;
mod vms;
mod zone;

#[cfg(test)]
mod corpus;

pub use reader::{Dialect, Outcome, Reader, Summary};
pub use zone::{shift, zone_offset};

/// A line without its line end.
fn without_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Appends a number in decimal with spaces before it, `width` columns (at most 20) or as many as it takes. By hand: a
/// listing of a large folder is made of little else.
fn push_number(mut number: u64, width: usize, out: &mut Vec<u8>) {
    let mut digits = [b' '; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = digit(number % 10);
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at.min(digits.len() - width)..]);
}

/// Appends a number in decimal with zeros before it, `width` digits (at most 20); what does not fit is cut.
fn push_zeroed(number: u64, width: usize, out: &mut Vec<u8>) {
    let mut digits = [b'0'; 20];
    let digits = &mut digits[..width];
    set_zeroed(number, digits);
    out.extend_from_slice(digits);
}

/// The same in a place that is there.
fn set_zeroed(mut number: u64, digits: &mut [u8]) {
    for place in digits.iter_mut().rev() {
        *place = digit(number % 10);
        number /= 10;
    }
}

/// Appends a name. CR and LF would begin a line that a peer takes for another file: they are written as `?`.
fn push_name(name: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(name);
    for byte in &mut out[start..] {
        if matches!(byte, b'\r' | b'\n') {
            *byte = b'?';
        }
    }
}

/// A digit of a number below 10.
fn digit(number: u64) -> u8 {
    b'0' + u8::try_from(number).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl Fn(&mut Vec<u8>)) -> String {
        let mut out = b"<".to_vec();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn numbers_are_written_as_format_does() {
        for number in [0, 7, 10, 104, u64::MAX] {
            assert_eq!(written(|out| push_number(number, 0, out)), format!("<{number}"));
        }
        assert_eq!(written(|out| push_number(104, 5, out)), "<  104");
        assert_eq!(written(|out| push_number(1234, 3, out)), "<1234");
        assert_eq!(written(|out| push_zeroed(7, 2, out)), "<07");
        assert_eq!(written(|out| push_zeroed(12026, 4, out)), "<2026");
    }

    #[test]
    fn no_name_can_begin_a_line() {
        assert_eq!(written(|out| push_name(b"a\r\nb", out)), "<a??b");
    }
}
