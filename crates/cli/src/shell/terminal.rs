//! Where lines come from: an editor with history and completion on a terminal, plain lines of a script otherwise. The only
//! file that knows the editor's library and the terminal's modes.

use std::cell::RefCell;
use std::fs;
use std::io::{self, BufRead, Read, Write};
use std::path::PathBuf;

use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, tcgetattr, tcsetattr};
use rustyline::completion::{Completer, Pair};
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::FileHistory;
use rustyline::validate::Validator;
use rustyline::{CompletionType, Config, Context, Editor, Helper};

/// What a question for a line was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// A line, without its end.
    Line(Vec<u8>),
    /// Ctrl-C.
    Interrupted,
    /// Nothing more will come.
    End,
}

/// Who knows what an unfinished line may go on with.
pub(crate) trait Names {
    /// Where the word to be completed begins, and what may stand in its place: as shown, and as typed.
    fn complete(&mut self, line: &str) -> (usize, Vec<(String, String)>);
}

/// The source of lines. `N` is lent to it while a line is edited.
pub(crate) struct Terminal<N: Names> {
    source: Source<N>,
    /// Whether lines are edited; a user may want the terminal's own way.
    pub(crate) editing: bool,
    history: Option<PathBuf>,
}

enum Source<N: Names> {
    Editor(Box<Editor<Face<N>, FileHistory>>),
    Lines,
}

impl<N: Names> Terminal<N> {
    /// An editor, with its history in the file at `history`, when standard input is a terminal.
    pub(crate) fn new(is_terminal: bool, history: Option<PathBuf>) -> io::Result<Self> {
        if !is_terminal {
            return Ok(Terminal { source: Source::Lines, editing: false, history: None });
        }
        let config = Config::builder()
            .completion_type(CompletionType::List)
            .max_history_size(HISTORY)
            .map_err(other)?
            .build();
        let mut editor = Editor::with_config(config).map_err(other)?;
        editor.set_helper(Some(Face { names: RefCell::new(None) }));
        if let Some(path) = &history {
            // There is none at the first time, and one that cannot be read is done without.
            let _ = editor.load_history(path);
        }
        Ok(Terminal { source: Source::Editor(Box::new(editor)), editing: true, history })
    }

    /// Whether somebody sits there.
    pub(crate) fn is_interactive(&self) -> bool {
        matches!(self.source, Source::Editor(_))
    }

    /// A command line. `names` is lent for its completion and comes back.
    pub(crate) fn line(&mut self, prompt: &str, names: N) -> (Answer, N) {
        let Source::Editor(editor) = &mut self.source else { return (self.plain(""), names) };
        if !self.editing {
            return (self.plain(prompt), names);
        }
        let names = match editor.helper_mut() {
            Some(face) => {
                face.names.replace(Some(names));
                None
            }
            None => Some(names),
        };
        let answer = answered(editor.readline(prompt));
        let back = editor.helper_mut().and_then(|face| face.names.take());
        (answer, back.or(names).expect("what was lent is in the helper or was never put there"))
    }

    /// Keeps a line for the next time.
    pub(crate) fn remember(&mut self, line: &[u8]) {
        let (Source::Editor(editor), Ok(text)) = (&mut self.source, std::str::from_utf8(line)) else {
            return;
        };
        if editor.add_history_entry(text).is_ok_and(|added| added)
            && let Some(path) = &self.history
        {
            if let Some(folder) = path.parent() {
                let _ = fs::create_dir_all(folder);
            }
            // A history that cannot be kept is no reason to say anything at each line.
            let _ = editor.append_history(path);
        }
    }

    /// The answer to a question; nothing of it is kept.
    pub(crate) fn ask(&mut self, prompt: &str) -> Answer {
        match &mut self.source {
            Source::Editor(editor) if self.editing => answered(editor.readline(prompt)),
            _ => self.plain(prompt),
        }
    }

    /// The answer to a question that nobody may read along.
    pub(crate) fn ask_secret(&mut self, prompt: &str) -> Answer {
        if !self.is_interactive() {
            return self.plain(prompt);
        }
        let answer = unseen(prompt).unwrap_or(Answer::End);
        show("\n");
        answer
    }

    fn plain(&self, prompt: &str) -> Answer {
        show(prompt);
        let mut line = Vec::new();
        // What is behind this line stays for whoever reads standard input next: `put -` does.
        let read = io::stdin().lock().read_until(b'\n', &mut line);
        match read {
            Ok(1..) => {
                let end = line.iter().rposition(|b| !matches!(b, b'\r' | b'\n')).map_or(0, |last| last + 1);
                line.truncate(end);
                Answer::Line(line)
            }
            Ok(0) | Err(_) => Answer::End,
        }
    }
}

fn answered(line: Result<String, ReadlineError>) -> Answer {
    match line {
        Ok(line) => Answer::Line(line.into_bytes()),
        Err(ReadlineError::Interrupted) => Answer::Interrupted,
        Err(_) => Answer::End,
    }
}

fn other(e: ReadlineError) -> io::Error {
    io::Error::other(e.to_string())
}

fn show(text: &str) {
    let mut out = io::stdout().lock();
    // Whoever does not see the question does not answer it.
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Reads a line from the terminal with its echo off, which it is before anybody is asked; the terminal is as before
/// afterwards.
fn unseen(prompt: &str) -> io::Result<Answer> {
    let stdin = io::stdin();
    let before = tcgetattr(&stdin)?;
    let mut silent = before.clone();
    silent.local_modes &= !(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG);
    silent.special_codes[SpecialCodeIndex::VMIN] = 1;
    silent.special_codes[SpecialCodeIndex::VTIME] = 0;
    tcsetattr(&stdin, OptionalActions::Now, &silent)?;
    show(prompt);
    let answer = typed(&mut stdin.lock());
    tcsetattr(&stdin, OptionalActions::Now, &before)?;
    answer
}

/// One line, byte by byte, with the keys that people use when they mistype a password.
fn typed(keys: &mut impl Read) -> io::Result<Answer> {
    let mut line = Vec::new();
    loop {
        let mut key = [0];
        if keys.read(&mut key)? == 0 {
            return Ok(Answer::End);
        }
        match key[0] {
            b'\r' | b'\n' => return Ok(Answer::Line(line)),
            CTRL_C => return Ok(Answer::Interrupted),
            CTRL_D if line.is_empty() => return Ok(Answer::End),
            BACKSPACE | DELETE => {
                // The rest of a character of several bytes goes with it.
                while line.pop().is_some_and(|byte| byte & 0xC0 == 0x80) {}
            }
            CTRL_U => line.clear(),
            byte => line.push(byte),
        }
    }
}

/// The library's view of whoever completes.
struct Face<N> {
    names: RefCell<Option<N>>,
}

impl<N: Names> Completer for Face<N> {
    type Candidate = Pair;

    fn complete(&self, line: &str, pos: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<Pair>)> {
        let mut names = self.names.borrow_mut();
        let Some(names) = names.as_mut() else { return Ok((pos, Vec::new())) };
        let (begin, found) = names.complete(&line[..pos]);
        let pairs = found.into_iter().map(|(display, replacement)| Pair { display, replacement });
        Ok((begin, pairs.collect()))
    }
}

impl<N> Hinter for Face<N> {
    type Hint = String;
}

impl<N> Highlighter for Face<N> {}
impl<N> Validator for Face<N> {}
impl<N: Names> Helper for Face<N> {}

/// Lines of history that are kept.
const HISTORY: usize = 1000;

const CTRL_C: u8 = 3;
const CTRL_D: u8 = 4;
const CTRL_U: u8 = 21;
const BACKSPACE: u8 = 8;
const DELETE: u8 = 127;

#[cfg(test)]
mod tests {
    use super::*;

    fn line(keys: &[u8]) -> Answer {
        typed(&mut &keys[..]).unwrap()
    }

    #[test]
    fn a_password_can_be_mistyped_and_taken_back() {
        assert_eq!(line(b"secrex\x7ft\n"), Answer::Line(b"secret".to_vec()));
        assert_eq!(line("aü\u{7f}b\r".as_bytes()), Answer::Line(b"ab".to_vec()));
        assert_eq!(line(b"wrong\x15right\n"), Answer::Line(b"right".to_vec()));
        assert_eq!(line(b"sec\x03"), Answer::Interrupted);
        assert_eq!(line(b"\x04"), Answer::End);
        assert_eq!(line(b"cut"), Answer::End);
    }
}
