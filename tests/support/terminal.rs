//! A terminal for a program under test, and what stands on its screen: enough of a VT100 for bars and lines.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::process::{Command, Stdio};

use rustix::fs::OFlags;
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

const WIDTH: usize = 160;

/// A program whose output goes to a terminal of 160 columns.
pub(crate) struct Terminal {
    child: std::process::Child,
    reading: std::thread::JoinHandle<Screen>,
}

/// What a program has shown.
pub(crate) struct Shown {
    pub(crate) code: Option<i32>,
    /// What stands on the screen at the end.
    pub(crate) lines: Vec<String>,
    /// All that was sent to it.
    pub(crate) raw: String,
    seen: Vec<Vec<String>>,
}

impl Shown {
    /// The screen once looked as is wanted.
    #[track_caller]
    pub(crate) fn had(&self, wanted: impl Fn(&[String]) -> bool) {
        assert!(
            self.seen.iter().any(|lines| wanted(lines)),
            "that never stood on the screen: {:#?}",
            self.seen
        );
    }
}

impl Terminal {
    #[track_caller]
    pub(crate) fn run(mut command: Command) -> Terminal {
        let near = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal can be had");
        grantpt(&near).expect("a terminal can be had");
        unlockpt(&near).expect("a terminal can be had");
        let size = Winsize { ws_row: 50, ws_col: 160, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&near, size).expect("a terminal has a size");
        let name = ptsname(&near, Vec::new()).expect("a terminal has a name");
        let mut options = OpenOptions::new();
        options.read(true).write(true);
        // Or it would become the terminal of the test itself.
        options.custom_flags(i32::try_from(OFlags::NOCTTY.bits()).expect("a flag of open"));
        let far = options.open(OsStr::from_bytes(name.as_bytes())).expect("a terminal opens");
        let second = far.try_clone().expect("a terminal opens");
        command.stdin(Stdio::null()).stdout(far).stderr(second).env("TERM", "xterm");
        let child = command.spawn().expect("the program starts");
        drop(command); // it holds the terminal's far end
        Terminal { child, reading: std::thread::spawn(move || read(near)) }
    }

    /// Ctrl-C.
    pub(crate) fn interrupt(&self) {
        let id =
            i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).expect("a child has a process id");
        kill_process(id, Signal::INT).expect("the program is there");
    }

    /// Waits for its end.
    pub(crate) fn ended(mut self) -> Shown {
        let code = self.child.wait().expect("a child can be waited for").code();
        let screen = self.reading.join().expect("the screen is read");
        Shown { code, lines: screen.lines(), raw: screen.raw, seen: screen.seen }
    }
}

fn read(near: OwnedFd) -> Screen {
    let mut screen = Screen::default();
    let (mut near, mut buffer, mut left) = (File::from(near), [0; 4096], Vec::new());
    // When the program has ended the far end is closed, and Linux says EIO.
    while let Ok(count @ 1..) = near.read(&mut buffer) {
        left.extend_from_slice(&buffer[..count]);
        let whole = match std::str::from_utf8(&left) {
            Ok(_) => left.len(),
            Err(e) => e.valid_up_to(),
        };
        let rest = left.split_off(whole);
        let text = String::from_utf8(std::mem::replace(&mut left, rest)).expect("it was looked at");
        screen.take(&text);
        screen.seen.push(screen.lines());
    }
    screen
}

/// Lines, a cursor, and the escape sequences that move it and clear lines.
#[derive(Default)]
struct Screen {
    lines: Vec<Vec<char>>,
    row: usize,
    column: usize,
    escape: Option<String>,
    raw: String,
    /// How it looked after each piece that came.
    seen: Vec<Vec<String>>,
}

impl Screen {
    fn take(&mut self, text: &str) {
        self.raw.push_str(text);
        for c in text.chars() {
            match (&mut self.escape, c) {
                (Some(escape), c) => {
                    escape.push(c);
                    if c.is_ascii_alphabetic() {
                        let escape = std::mem::take(&mut self.escape).expect("it was just there");
                        self.obey(&escape);
                    }
                }
                (None, '\x1b') => self.escape = Some(String::new()),
                (None, '\r') => self.column = 0,
                (None, '\n') => self.row += 1,
                (None, c) => self.put(c),
            }
        }
    }

    fn put(&mut self, c: char) {
        // A line that is full wraps when the next letter comes, not before.
        if self.column == WIDTH {
            (self.row, self.column) = (self.row + 1, 0);
        }
        if self.lines.len() <= self.row {
            self.lines.resize(self.row + 1, Vec::new());
        }
        let line = &mut self.lines[self.row];
        if line.len() <= self.column {
            line.resize(self.column + 1, ' ');
        }
        line[self.column] = c;
        self.column += 1;
    }

    fn obey(&mut self, escape: &str) {
        let number = escape.trim_matches(|c: char| !c.is_ascii_digit()).parse();
        match escape.chars().last() {
            Some('A') => self.row = self.row.saturating_sub(number.unwrap_or(1)),
            Some('B') => self.row += number.unwrap_or(1),
            Some('K') => {
                if let Some(line) = self.lines.get_mut(self.row) {
                    line.truncate(if number == Ok(2) { 0 } else { self.column });
                }
            }
            Some('m') => {}
            other => panic!("a sequence that this terminal does not know: {escape} {other:?}"),
        }
    }

    fn lines(&self) -> Vec<String> {
        let lines = self.lines.iter().map(|line| line.iter().collect::<String>().trim_end().to_owned());
        let mut lines: Vec<String> = lines.collect();
        while lines.last().is_some_and(String::is_empty) {
            lines.pop();
        }
        lines
    }
}
