//! Somebody at a terminal: types at the shell's prompts and reads what is on the screen.

use std::time::Duration;

use rexpect::reader::Options;
use rexpect::session::{PtySession, spawn_with_options};

use crate::support::program::program;
use crate::support::server::{Server, binary};

/// How long anything may take before the test fails: a machine may be slow.
const PATIENCE: Duration = Duration::from_secs(60);

/// A shell at a terminal, and what was on its screen so far.
pub(super) struct Typist {
    session: PtySession,
    screen: String,
}

impl Typist {
    /// Starts `twoport` with these arguments at a terminal of this kind, in the client's folder and home. The user of the
    /// machine is called slacker.
    pub(super) fn begin(server: &Server, args: &[&str], terminal: &str) -> Typist {
        // The terminal begins without echo, and a terminal has it.
        let mut command = program("/bin/sh", &server.local(), &server.home());
        command.args(["-c", "stty echo && exec \"$0\" \"$@\""]).arg(binary());
        command.args(args).env("TERM", terminal).env("USER", "slacker").env("SHELL", "/bin/sh");
        command.env_remove("XDG_STATE_HOME").env("PAGER", "cat");
        let patience = u64::try_from(PATIENCE.as_millis()).expect("a minute fits");
        let options = Options::new().timeout_ms(Some(patience)).strip_ansi_escape_codes(true);
        let session = spawn_with_options(command, options).expect("the program starts at a terminal");
        Typist { session, screen: String::new() }
    }

    /// Logged in as alice, at the first prompt.
    pub(super) fn at_the_prompt(server: &Server, flags: &[&str]) -> Typist {
        let port = server.port_word();
        let args = [&["ftp", "--tls", "off"], flags, &[server.host, &port]].concat();
        let mut typist = Typist::begin(server, &args, "vt100");
        typist.prompt();
        typist
    }

    /// Waits for a text, and gives what came before it.
    #[track_caller]
    pub(super) fn sees(&mut self, text: &str) -> String {
        match self.session.exp_string(text) {
            Ok(before) => {
                self.screen.push_str(&before);
                self.screen.push_str(text);
                before
            }
            Err(e) => panic!("{text:?} did not come: {e}\nThe screen was:\n{}", self.screen),
        }
    }

    /// Waits for the prompt, and gives what came before it.
    #[track_caller]
    pub(super) fn prompt(&mut self) -> String {
        self.sees("ftp> ")
    }

    /// Types a line.
    pub(super) fn types(&mut self, line: &str) {
        self.session.send_line(line).expect("the terminal is there");
    }

    /// Types without the Enter key.
    pub(super) fn presses(&mut self, keys: &str) {
        self.session.send(keys).and_then(|_| self.session.flush()).expect("the terminal is there");
    }

    /// A key with Ctrl.
    pub(super) fn presses_ctrl(&mut self, key: char) {
        self.session.send_control(key).expect("the terminal is there");
    }

    /// A command at the prompt; what it printed, up to the next prompt.
    #[track_caller]
    pub(super) fn does(&mut self, command: &str) -> String {
        self.types(command);
        self.prompt()
    }

    /// The same, and all of these must be in it.
    #[track_caller]
    pub(super) fn does_and_says(&mut self, command: &str, parts: &[&str]) -> String {
        let said = self.does(command);
        for part in parts {
            assert!(said.contains(part), "{command}: no {part:?} in\n{said}");
        }
        said
    }

    /// Waits for the end of the program, which must be a good one.
    #[track_caller]
    pub(super) fn ends(&mut self) {
        let rest = self.session.exp_eof().expect("the program ends");
        self.screen.push_str(&rest);
        // The library does not give its type of a status away.
        let status =
            self.session.process().wait().map(|status| format!("{status:?}")).expect("a child is waited for");
        let good = status.starts_with("Exited(") && status.ends_with(", 0)");
        assert!(good, "the program ended with {status}\nThe screen was:\n{}", self.screen);
    }

    /// All that was on the screen.
    pub(super) fn screen(&self) -> String {
        self.screen.replace("\r\n", "\n")
    }
}
