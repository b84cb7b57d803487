//! `LineBuf`: bytes in, lines out. CRLF and bare LF, Telnet (RFC 854; RFC 959 §3.3), the length cap, CR and NUL: all
//! here, only here; server, client and proxy share it. What a line means is left to `command` and `reply_reader`.

use std::fmt;

/// Cuts a stream of received bytes into lines; however the bytes are split over calls, the lines are the same.
///
/// Use: `feed`, then `next_line` until it gives `None`. At the end of the stream a last line without its line end is
/// dropped with the `LineBuf`: a command that did not arrive whole must not be obeyed.
pub struct LineBuf {
    cap: usize,
    /// Bytes as received; those before `at` are done with.
    raw: Vec<u8>,
    at: usize,
    telnet: Telnet,
    /// The line so far, Telnet taken out; never longer than `cap`.
    line: Vec<u8>,
    /// A CR came and what follows it has not been seen.
    after_cr: bool,
    /// The first fault of this line; from it on the line is swallowed up to its LF.
    fault: Option<LineFault>,
}

/// Why a line is not given out. Its bytes up to and with its LF are gone, the next line is read as usual.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineFault {
    /// It is longer than allowed.
    TooLong {
        /// The longest line allowed, in bytes without the line end.
        cap: usize,
    },
    /// It holds a NUL, or a CR that is not part of its line end: a second command could hide behind either.
    Control,
}

/// Where in a Telnet sequence the stream stands (RFC 854).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Telnet {
    /// In none.
    Text,
    /// An IAC came.
    Iac,
    /// WILL, WONT, DO or DONT came, its option has not.
    Option,
    /// In a subnegotiation, which holds this many bytes so far.
    Sub(usize),
    /// In a subnegotiation, behind an IAC.
    SubIac(usize),
}

impl LineBuf {
    /// An empty buffer whose lines hold at most `cap` bytes without their line end.
    #[must_use]
    pub fn new(cap: usize) -> Self {
        LineBuf {
            cap,
            raw: Vec::new(),
            at: 0,
            telnet: Telnet::Text,
            line: Vec::new(),
            after_cr: false,
            fault: None,
        }
    }

    /// Takes received bytes. They are kept until `next_line` has passed them, so the caller drains before it reads on.
    pub fn feed(&mut self, bytes: &[u8]) {
        // Moved down only when more than half is done with: each byte then moves once on average.
        if self.at > self.raw.len() / 2 {
            self.raw.drain(..self.at);
            self.at = 0;
        }
        self.raw.extend_from_slice(bytes);
    }

    /// The next whole line without its line end, or why there is none in its place; `None` when more bytes are needed.
    pub fn next_line(&mut self) -> Option<Result<Vec<u8>, LineFault>> {
        while let Some(&byte) = self.raw.get(self.at) {
            self.at += 1;
            if let Some(text) = self.unwrap_telnet(byte)
                && self.push(text)
            {
                return Some(self.end_line());
            }
        }
        // Whoever waits for the next line waits long, mostly, and needs no room for it.
        (self.raw, self.at) = (Vec::new(), 0);
        None
    }

    /// Whether the line that has begun is longer than allowed already: its end may never come.
    #[must_use]
    pub fn is_too_long(&self) -> bool {
        matches!(self.fault, Some(LineFault::TooLong { .. }))
    }

    /// Whether no byte of any line waits here. After AUTH TLS it must be so: what came in clear behind that command may
    /// be an attacker's.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.at == self.raw.len()
            && self.line.is_empty()
            && self.telnet == Telnet::Text
            && !self.after_cr
            && self.fault.is_none()
    }

    /// Takes Telnet off: the byte of text that `byte` completes, if it does.
    fn unwrap_telnet(&mut self, byte: u8) -> Option<u8> {
        let (next, text) = match (self.telnet, byte) {
            (Telnet::Text, IAC) => (Telnet::Iac, None),
            (Telnet::Text, _) => (Telnet::Text, Some(byte)),
            (Telnet::Iac, IAC) => (Telnet::Text, Some(IAC)),
            (Telnet::Iac, SB) => (Telnet::Sub(0), None),
            (Telnet::Iac, WILL..=DONT) => (Telnet::Option, None),
            (Telnet::Iac, SE..=GA) => (Telnet::Text, None),
            // No Telnet command begins so: the FF was a letter of a name in Latin-1.
            (Telnet::Iac, _) => {
                self.push(IAC);
                (Telnet::Text, Some(byte))
            }
            (Telnet::Option, _) | (Telnet::SubIac(_), SE) => (Telnet::Text, None),
            (Telnet::Sub(MAX_SUB..) | Telnet::SubIac(MAX_SUB..), _) => {
                self.fault.get_or_insert(LineFault::TooLong { cap: self.cap });
                (Telnet::Text, Some(byte))
            }
            (Telnet::Sub(size), IAC) => (Telnet::SubIac(size + 1), None),
            (Telnet::Sub(size) | Telnet::SubIac(size), _) => (Telnet::Sub(size + 1), None),
        };
        self.telnet = next;
        text
    }

    /// Adds a byte of text to the line; says whether it ends the line.
    fn push(&mut self, byte: u8) -> bool {
        let after_cr = std::mem::replace(&mut self.after_cr, false);
        match byte {
            b'\n' => return true,
            _ if self.fault.is_some() => {}
            0 => self.fault = Some(LineFault::Control),
            _ if after_cr => self.fault = Some(LineFault::Control),
            b'\r' => self.after_cr = true,
            // The synch before ABOR is sent as urgent data, and some stacks take the urgent byte out of the stream:
            // what is left of `IAC IP IAC DM` is no command's first letter.
            IAC | DM | IP if self.line.is_empty() => {}
            _ if self.line.len() == self.cap => self.fault = Some(LineFault::TooLong { cap: self.cap }),
            _ => self.line.push(byte),
        }
        false
    }

    fn end_line(&mut self) -> Result<Vec<u8>, LineFault> {
        let line = std::mem::take(&mut self.line);
        match self.fault.take() {
            Some(fault) => Err(fault),
            None => Ok(line),
        }
    }
}

/// Shows no bytes: a password may be among them.
impl fmt::Debug for LineBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waiting = self.raw.len() - self.at + self.line.len();
        f.debug_struct("LineBuf").field("cap", &self.cap).field("waiting", &waiting).finish_non_exhaustive()
    }
}

impl fmt::Display for LineFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LineFault::TooLong { cap } => write!(f, "line longer than {cap} bytes"),
            LineFault::Control => f.write_str("CR or NUL inside a line"),
        }
    }
}

impl std::error::Error for LineFault {}

// RFC 854, "Telnet command structure".
const SE: u8 = 0xF0;
const DM: u8 = 0xF2;
const IP: u8 = 0xF4;
const GA: u8 = 0xF9;
const SB: u8 = 0xFA;
const WILL: u8 = 0xFB;
const DONT: u8 = 0xFE;
/// What marks of Telnet begin with.
pub const IAC: u8 = 0xFF;

/// The longest subnegotiation that is waited for, in bytes: no option that anybody would offer FTP needs more.
const MAX_SUB: usize = 256;

#[cfg(test)]
mod tests;
