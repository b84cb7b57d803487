//! The question before each of many files: `mget a.txt [anpqy?]? `.

use crate::shell::Shell;
use crate::shell::terminal::Answer;
use crate::shell::voice::{harmless, say};

/// What to do with one of many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Go {
    Yes,
    No,
    /// Neither with this one nor with the rest.
    Stop,
}

/// Questions of one command.
pub(super) struct Confirm {
    command: &'static str,
    /// Yes to all that follows.
    all: bool,
}

impl Confirm {
    pub(super) fn new(command: &'static str) -> Self {
        Confirm { command, all: false }
    }

    /// Asks, unless nobody wants to be asked.
    pub(super) fn ask(&mut self, shell: &mut Shell, name: &[u8]) -> Go {
        let question = format!("{} {} [anpqy?]? ", self.command, harmless(name));
        while shell.settings.interactive && !self.all {
            let answer = match shell.terminal.ask(&question) {
                Answer::Line(line) => line.first().map_or(b'y', u8::to_ascii_lowercase),
                Answer::Interrupted | Answer::End => return Go::Stop,
            };
            match answer {
                b'a' => {
                    self.all = true;
                    say(format!("Prompting off for duration of {}.", self.command));
                }
                b'p' => {
                    shell.settings.interactive = false;
                    say("Interactive mode: off.");
                }
                b'q' => return Go::Stop,
                b'n' => return Go::No,
                b'?' => say(help(self.command)),
                _ => return Go::Yes,
            }
        }
        Go::Yes
    }

    /// After Ctrl-C: whether the rest is wanted still.
    pub(super) fn go_on(&mut self, shell: &mut Shell) -> bool {
        if !shell.terminal.is_interactive() {
            return false;
        }
        let question = format!("Continue with {}? ", self.command);
        matches!(shell.terminal.ask(&question), Answer::Line(line) if matches!(line.first(), Some(b'y' | b'Y')))
    }
}

fn help(command: &str) -> String {
    format!(
        "  confirmation options:\n\ta  answer `yes' for the duration of {command}\n\tn  answer `no' for this file\n\
         \tp  turn off `prompt' mode\n\tq  stop the current {command}\n\ty  answer `yes' for this file\n\
         \t?  this help list"
    )
}
