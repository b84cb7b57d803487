//! `twoport ftp`: the classic shell. A line becomes a row of the table and its function; everything that waits for a server
//! goes through `talk`, where Ctrl-C is heard.
//!
//! ```text
//!   terminal ── line ──> words ──> table ──> commands ── talk ──> client
//!        └── completion ── names ────────────────────────────────────┘
//! ```

mod commands;
mod completion;
mod link;
mod macros;
mod mapping;
mod marks;
mod numbers;
mod state;
mod table;
mod terminal;
mod voice;
mod words;

use std::io::{self, IsTerminal};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use twoport_client::url::Url;
use twoport_client::{Client, Error, Family, memory};

use self::completion::Lent;
use self::link::Link;
use self::macros::Macros;
use self::marks::Marks;
use self::state::{Mode, Settings};
use self::table::{Found, find};
use self::terminal::{Answer, Terminal};
use self::voice::{Voice, say};
use self::words::Said;
use crate::args::Ftp;
use crate::exit::{Exit, Stopped};

/// Why a command did not do what it was told.
#[derive(Debug)]
pub(crate) enum Fault {
    /// It was said already, mostly by the server.
    Told,
    /// This is to be said.
    Say(String),
    /// It was called with arguments that it does not take.
    Usage,
    /// Ctrl-C.
    Interrupted,
    /// Whoever reads what we write has seen enough: no fault at all.
    Enough,
}

impl Fault {
    pub(crate) fn say(text: impl Into<String>) -> Self {
        Fault::Say(text.into())
    }
}

/// The shell: who is listening, who is talked to, and how.
pub(crate) struct Shell {
    runtime: Rc<Runtime>,
    terminal: Terminal<Lent>,
    voice: Arc<Voice>,
    settings: Settings,
    /// The connection and the one of `proxy`.
    links: [Option<Link>; 2],
    /// Which of the two is talked to.
    here: usize,
    macros: Macros,
    /// Where the next transfer begins, as `restart` has said.
    restart: u64,
    /// How many macros are inside each other.
    depth: u32,
    auto_login: bool,
    security: crate::args::SecurityArgs,
    timeout: u64,
    ended: bool,
    tally: Tally,
}

/// What became of the commands.
#[derive(Debug, Default)]
struct Tally {
    said: u64,
    failed: u64,
    first: Option<Exit>,
}

/// Macros inside macros: one that calls itself does not end by itself.
const DEPTH: u32 = 16;

/// How long a server may take to answer an ABOR before it is given up.
const ABORT: Duration = Duration::from_secs(15);

/// Runs until `quit`, or until the script ends.
pub(crate) fn ftp(args: &Ftp) -> Result<(), Stopped> {
    let mut shell = Shell::new(args)?;
    shell.begin(args);
    shell.run();
    shell.farewell()
}

/// The commands, a line each, for the manual.
pub(crate) fn commands() -> String {
    let line = |row: &table::Row| format!("  {:<44}{}\n", format!("{} {}", row.name, row.usage), row.help);
    let lines: String = table::TABLE.iter().map(line).collect();
    format!("Commands, which may be abbreviated:\n{lines}")
}

impl Shell {
    fn new(args: &Ftp) -> Result<Self, Stopped> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|e| Stopped::local(format!("cannot start: {e}")))?;
        let is_terminal = io::stdin().is_terminal();
        let history = memory::default_path().map(|path| path.with_file_name("ftp-history"));
        let terminal = Terminal::new(is_terminal, history)
            .map_err(|e| Stopped::local(format!("cannot use the terminal: {e}")))?;
        let settings = Settings {
            mode: match (args.passive, args.active) {
                (true, _) => Mode::Passive,
                (_, true) => Mode::Active,
                _ => Mode::Auto,
            },
            family: match (args.ipv4, args.ipv6) {
                (true, _) => Some(Family::V4),
                (_, true) => Some(Family::V6),
                _ => None,
            },
            interactive: !args.no_prompt,
            glob: !args.no_glob,
            progress: is_terminal && io::stdout().is_terminal(),
            ..Settings::default()
        };
        let voice = Arc::new(Voice::default());
        voice.verbose.store(args.verbose || is_terminal, Relaxed);
        voice.debug.store(args.debug, Relaxed);
        Ok(Shell {
            runtime: Rc::new(runtime),
            terminal,
            voice,
            settings,
            links: [None, None],
            here: 0,
            macros: Macros::default(),
            restart: 0,
            depth: 0,
            auto_login: !args.no_login,
            security: args.security.clone(),
            timeout: args.timeout.max(1),
            ended: false,
            tally: Tally::default(),
        })
    }

    /// Connects to what was named on the command line.
    fn begin(&mut self, args: &Ftp) {
        if self.terminal.is_interactive() {
            // From now on Ctrl-C stops what is done, and not the shell.
            let _inside = self.runtime.enter();
            let _ = signal(SignalKind::interrupt());
        }
        let Some(target) = &args.target else { return };
        let done = self.open_target(target, args.port);
        self.count(done);
    }

    fn run(&mut self) {
        while !self.ended {
            let prompt = self.prompt();
            let lent = Lent {
                runtime: Rc::clone(&self.runtime),
                voice: Arc::clone(&self.voice),
                link: self.links[0].take(),
            };
            let (answer, mut lent) = self.terminal.line(&prompt, lent);
            self.links[0] = lent.link.take();
            match answer {
                Answer::Line(line) => {
                    self.remember(&line);
                    self.carry_out(&line);
                }
                Answer::Interrupted => {}
                Answer::End => break,
            }
        }
        self.say_goodbye();
    }

    /// How the program ends: a terminal has seen everything, a script wants a code.
    fn farewell(self) -> Result<(), Stopped> {
        let Tally { said, failed, first } = self.tally;
        match first {
            Some(exit) if !self.terminal.is_interactive() => {
                Err(Stopped { exit, text: format!("{failed} of {said} commands failed") })
            }
            _ => Ok(()),
        }
    }

    fn prompt(&self) -> String {
        let pattern = self.settings.named("prompt").unwrap_or("ftp> ");
        let link = self.links[0].as_ref();
        let user = link.and_then(|link| link.login.as_ref());
        let user = user.map(|(user, ..)| String::from_utf8_lossy(user).into_owned()).unwrap_or_default();
        let (host, folder) = link.map_or(("", ""), |link| (link.host.as_str(), link.folder.as_str()));
        state::prompt(pattern, host, &user, folder)
    }

    /// Keeps a line in the history, unless a password may stand in it.
    fn remember(&mut self, line: &[u8]) {
        let Some(said) = Said::read(line) else { return };
        let row = match find(said.name()) {
            Found::One(row) => row.name,
            Found::Ambiguous | Found::Nothing => "",
        };
        let speaks = |word: &Vec<u8>| {
            let word = word.to_ascii_lowercase();
            [&b"pass"[..], b"acct", b"user", b"account"].contains(&word.as_slice())
        };
        let is_address = |word: &Vec<u8>| {
            let url = std::str::from_utf8(word).ok().and_then(|word| Url::read(word).ok());
            url.is_some_and(|url| url.password.is_some())
        };
        let secret = match row {
            "user" => said.arguments().len() > 1,
            "account" => !said.arguments().is_empty(),
            "quote" | "proxy" => said.arguments().iter().any(speaks),
            _ => false,
        } || said.arguments().iter().any(is_address);
        if !secret {
            self.terminal.remember(line);
        }
    }

    /// Carries a line out, and says what became of it.
    pub(crate) fn carry_out(&mut self, line: &[u8]) {
        let Some(said) = Said::read(line) else { return };
        let done = match find(said.name()) {
            Found::One(row) => self.carry_out_row(row, said),
            Found::Ambiguous => Err(Fault::say("?Ambiguous command")),
            Found::Nothing => Err(Fault::say("?Invalid command.")),
        };
        self.count(done);
    }

    fn carry_out_row(&mut self, row: &table::Row, said: Said) -> Result<(), Fault> {
        if row.remote && self.links[self.here].is_none() {
            return Err(Fault::say("Not connected."));
        }
        let mut said = said;
        if said.arguments().len() < row.asks.len() && self.terminal.is_interactive() {
            for missing in &row.asks[said.arguments().len()..] {
                match self.terminal.ask(&format!("({missing}) ")) {
                    Answer::Line(more) if !more.trim_ascii().is_empty() => {
                        if !said.rest.is_empty() {
                            said.rest.push(b' ');
                        }
                        said.rest.extend_from_slice(&more);
                        said.words.extend(words::split(&more));
                    }
                    Answer::Interrupted => return Err(Fault::Interrupted),
                    Answer::Line(_) | Answer::End => break,
                }
            }
        }
        let count = said.arguments().len();
        let done = match count < row.asks.len() || count > row.most {
            true => Err(Fault::Usage),
            false => (row.run)(self, &said),
        };
        match done {
            Err(Fault::Usage) => {
                Err(Fault::Say(format!("usage: {} {}", row.name, row.usage).trim_end().to_owned()))
            }
            done => done,
        }
    }

    fn count(&mut self, done: Result<(), Fault>) {
        self.tally.said += 1;
        let Err(fault) = done else { return };
        if matches!(fault, Fault::Enough) {
            return;
        }
        self.tally.failed += 1;
        self.tally.first.get_or_insert(Exit::Incomplete);
        match fault {
            Fault::Say(text) => say(text),
            Fault::Told | Fault::Interrupted | Fault::Enough => {}
            Fault::Usage => say("?Invalid command."),
        }
    }

    /// Lets `work` talk to the server. Ctrl-C stops it with an ABOR, and the session goes on.
    pub(crate) fn talk<T>(
        &mut self,
        work: impl AsyncFnOnce(&mut Client) -> Result<T, Error>,
    ) -> Result<T, Fault> {
        self.talk_with(Marks::none(), work)
    }

    /// The same with somebody who looks on.
    pub(crate) fn talk_with<T>(
        &mut self,
        mut marks: Marks,
        work: impl AsyncFnOnce(&mut Client) -> Result<T, Error>,
    ) -> Result<T, Fault> {
        let here = self.here;
        let Some(mut link) = self.links[here].take() else { return Err(Fault::say("Not connected.")) };
        let rungs = self.settings.rungs(link.client.server().is_ipv6());
        link.client.set_rungs(rungs, self.settings.epsv4);
        link.client.set_representation(self.settings.representation());
        let interactive = self.terminal.is_interactive();
        self.voice.hold();
        let done = self.runtime.block_on(async {
            tokio::select! {
                biased;
                done = work(&mut link.client) => Some(done),
                () = interrupted(interactive) => None,
                () = marks.watch() => None,
            }
        });
        marks.end();
        self.voice.release();
        if done.is_none() {
            say("\nabort: waiting for remote to finish abort.");
        }
        // What was left unfinished, by Ctrl-C or because nobody came, is stopped; the session goes on.
        let abort = async { tokio::time::timeout(ABORT, link.client.abort()).await };
        let aborted = self.runtime.block_on(abort);
        let closed = aborted.is_err() || link.client.is_closed();
        let fault = match &done {
            Some(Ok(_)) => None,
            Some(Err(e)) => Some(self.fault(e, closed)),
            None => Some(Fault::Interrupted),
        };
        match closed {
            true => self.lost(),
            false => self.links[here] = Some(link),
        }
        match (done, fault) {
            (Some(Ok(done)), _) => Ok(done),
            (_, fault) => Err(fault.unwrap_or(Fault::Told)),
        }
    }

    /// The server has gone, or has been given up.
    fn lost(&mut self) {
        if !self.voice.take_farewell() {
            say("421 Service not available, remote server has closed connection");
        }
        self.links[self.here] = None;
        if self.here == 0 {
            self.macros.clear();
        }
    }

    /// What a failure is in this shell: the server's own words are on the screen already.
    fn fault(&self, e: &Error, closed: bool) -> Fault {
        match e {
            Error::Refused { .. } => Fault::Told,
            Error::Unreachable { steps, .. } if !steps.is_empty() => {
                let refused = steps.iter().any(|step| step.contains("was refused"));
                match self.settings.mode {
                    Mode::Passive if refused => Fault::say("Passive mode refused."),
                    // Each step was said on the way.
                    _ if self.voice.is_verbose() => Fault::say("ftp: no data connection came about"),
                    _ => Fault::Say(format!("ftp: {e}")),
                }
            }
            Error::Unreachable { .. } if closed => Fault::Told,
            Error::Local { source, .. } if source.kind() == io::ErrorKind::BrokenPipe => Fault::Enough,
            e => Fault::Say(format!("ftp: {e}")),
        }
    }

    /// The connection that is talked to.
    pub(crate) fn link(&mut self) -> Result<&mut Link, Fault> {
        self.links[self.here].as_mut().ok_or_else(|| Fault::say("Not connected."))
    }
}

/// Ends at Ctrl-C; in a script the system ends the program.
async fn interrupted(interactive: bool) {
    if interactive && let Ok(mut signals) = signal(SignalKind::interrupt()) {
        signals.recv().await;
    } else {
        std::future::pending().await
    }
}
