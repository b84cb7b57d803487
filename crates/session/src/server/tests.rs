//! The machine alone, without a world: what it does in each state with each input is printed as a table into a snapshot
//! (architecture, section 6.4), and so are the long texts. What it says word by word stands in `tests/dialogues`.

use std::net::IpAddr;
use std::time::Duration;

use twoport_plan::LinkFault;
use twoport_proto::Failure;

use super::io::{Ending, Listening};
use super::*;
use crate::rights::{Grant, Needs, Rights};

/// A session, its clock, and what it said to do since somebody last asked.
struct Bench {
    session: ServerSession,
    now: Instant,
}

impl Bench {
    fn new() -> Self {
        let settings = Settings {
            host: "host".to_owned(),
            program: ("twoport".to_owned(), "0.1.0".to_owned()),
            limits: Limits::default(),
            active: true,
            passive: true,
            hosts: Vec::new(),
            ccc: false,
        };
        let ends = Ends { peer: IpAddr::from([192, 0, 2, 1]), local: IpAddr::from([192, 0, 2, 2]) };
        let now = Instant::now();
        let mut bench =
            Bench { session: ServerSession::new(Arc::new(settings), ends, Door::CLEAR, now), now };
        bench.line("USER anna");
        bench.line("PASS x");
        let grant = Grant {
            account: "anna".to_owned(),
            rights: Rights::READ_WRITE,
            home: FtpPath::root(),
            needs: Needs::default(),
        };
        bench.does(Input::Checked(Some(grant)));
        bench
    }

    /// Hands it in and says in short what comes of it; a file operation and a listener are answered on the spot.
    fn does(&mut self, input: Input) -> String {
        let mut said = Vec::new();
        self.session.handle(self.now, input);
        while let Some(output) = self.session.poll() {
            said.push(match output {
                Output::Say(reply) => reply.code.to_string(),
                Output::Tell(_) | Output::Check { .. } | Output::LogOut => continue,
                Output::Files(_) => "file operation".to_owned(),
                Output::Listen(_) => {
                    let listening = Listening { id: LinkId(1), told: "10.0.0.1:50000".parse().unwrap() };
                    self.session.handle(self.now, Input::Listening(Ok(listening)));
                    "listen".to_owned()
                }
                Output::Recognize { .. } | Output::Secure { .. } | Output::Clear(_) => "TLS".to_owned(),
                Output::Forget(_) => "forget it".to_owned(),
                Output::Begin(_) => "begin".to_owned(),
                Output::Keep => "keep".to_owned(),
                Output::Stop => "stop".to_owned(),
                Output::Measure => {
                    self.session.handle(self.now, Input::Measured(5));
                    "measure".to_owned()
                }
                Output::Look => "look".to_owned(),
                Output::Close => "close".to_owned(),
            });
        }
        if said.is_empty() { "–".to_owned() } else { said.join(", ") }
    }

    fn line(&mut self, line: &str) -> String {
        self.does(Input::Line(Ok(line.as_bytes().to_vec())))
    }

    fn ready(&mut self) -> String {
        self.does(Input::Ready { path: FtpPath::root().child(b"x"), size: Some(9) })
    }

    /// The text that this line is answered with.
    fn text(&mut self, line: &str) -> String {
        self.session.handle(self.now, Input::Line(Ok(line.as_bytes().to_vec())));
        let Some(Output::Say(reply)) = self.session.poll() else { panic!("{line} is not answered") };
        String::from_utf8(reply.to_bytes()).unwrap().replace('\r', "")
    }
}

/// A way into a state.
type Into = fn(&mut Bench);

const STATES: &[(&str, Into)] = &[
    ("Idle, no plan", |_| {}),
    ("Idle, listening", |bench| {
        bench.line("EPSV");
    }),
    ("Opening", |bench| {
        bench.line("EPSV");
        bench.line("RETR x");
    }),
    ("Waiting", |bench| {
        bench.line("EPSV");
        bench.line("RETR x");
        bench.ready();
    }),
    ("Running", |bench| {
        bench.line("EPSV");
        bench.line("RETR x");
        bench.ready();
        bench.does(Input::Linked);
    }),
    ("Aborting", |bench| {
        bench.line("EPSV");
        bench.line("RETR x");
        bench.ready();
        bench.does(Input::Linked);
        bench.line("ABOR");
    }),
    ("Running, upload", |bench| {
        bench.line("EPSV");
        bench.line("STOR x");
        bench.ready();
        bench.does(Input::Linked);
    }),
    ("Keeping", |bench| {
        bench.line("EPSV");
        bench.line("STOR x");
        bench.ready();
        bench.does(Input::Linked);
        bench.does(Input::Received);
    }),
    ("Keeping, aborting", |bench| {
        bench.line("EPSV");
        bench.line("STOR x");
        bench.ready();
        bench.does(Input::Linked);
        bench.does(Input::Received);
        bench.line("ABOR");
    }),
    ("Running, QUIT waits", |bench| {
        bench.line("EPSV");
        bench.line("STOR x");
        bench.ready();
        bench.does(Input::Linked);
        bench.line("QUIT");
    }),
];

/// Something that happens, and what came of it.
type Happens = fn(&mut Bench) -> String;

/// What may happen, and whether it can happen only while a transfer lives.
const INPUTS: &[(&str, bool, Happens)] = &[
    ("ABOR", false, |bench| bench.line("ABOR")),
    ("STAT", false, |bench| bench.line("STAT")),
    ("NOOP", false, |bench| bench.line("NOOP")),
    ("file ready", true, Bench::ready),
    ("linked", true, |bench| bench.does(Input::Linked)),
    ("received", true, |bench| bench.does(Input::Received)),
    ("whole", true, |bench| bench.does(Input::Ended(Ending::Whole { bytes: 9 }))),
    ("no file", true, |bench| bench.does(Input::Ended(Ending::NoFile(Failure::NotFound)))),
    ("no link", true, |bench| bench.does(Input::Ended(Ending::NoLink(LinkFault::NoPlan)))),
    ("file failed", true, |bench| {
        bench.does(Input::Ended(Ending::FileFailed { bytes: 5, failure: Failure::Io }))
    }),
    ("disk full", true, |bench| {
        bench.does(Input::Ended(Ending::FileFailed { bytes: 5, failure: Failure::Full }))
    }),
    ("link broke", true, |bench| {
        bench.does(Input::Ended(Ending::LinkBroke { bytes: 5, fault: LinkFault::Reset }))
    }),
    ("stopped", true, |bench| bench.does(Input::Ended(Ending::Stopped { bytes: 5 }))),
    ("client gone", false, |bench| bench.does(Input::Closed)),
    ("shutdown", false, |bench| bench.does(Input::Shutdown)),
    ("a second passes", false, |bench| {
        bench.now += Duration::from_secs(1);
        bench.does(Input::Deadline)
    }),
    ("five minutes pass", false, |bench| {
        bench.now += Duration::from_secs(300);
        bench.does(Input::Deadline)
    }),
];

#[test]
fn the_life_of_a_transfer() {
    let mut table = String::new();
    for (state, into) in STATES {
        table.push_str(&format!("{state}\n"));
        for (name, needs_transfer, happens) in INPUTS {
            let mut bench = Bench::new();
            into(&mut bench);
            if *needs_transfer && !matches!(bench.session.doing, Doing::Transferring(_)) {
                continue;
            }
            let done = happens(&mut bench);
            table.push_str(&format!("    {name:<20}{done}\n"));
        }
    }
    insta::assert_snapshot!(table);
}

#[test]
fn the_text_of_feat() {
    insta::assert_snapshot!(Bench::new().text("FEAT"));
}

#[test]
fn the_texts_of_help() {
    let mut bench = Bench::new();
    let mut texts = bench.text("HELP") + &bench.text("SITE HELP");
    for row in twoport_proto::verb::TABLE {
        texts.push_str(&bench.text(&format!("HELP {}", row.name)));
    }
    insta::assert_snapshot!(texts);
}

#[test]
fn a_full_queue_stops_the_reading_until_the_transfer_ends() {
    let mut bench = Bench::new();
    bench.line("EPSV");
    bench.line("RETR x");
    for _ in 0..bench.session.settings.limits.queued_lines {
        assert!(bench.session.wants_lines());
        bench.line("NOOP");
    }
    assert!(!bench.session.wants_lines());
    bench.does(Input::Ended(Ending::Whole { bytes: 0 }));
    assert!(bench.session.wants_lines());
}

#[test]
fn a_deadline_that_comes_early_changes_nothing() {
    let mut bench = Bench::new();
    let due = bench.session.poll_timeout().unwrap();
    bench.now = due - Duration::from_millis(1);
    assert_eq!(bench.does(Input::Deadline), "–");
    bench.now = due;
    assert_eq!(bench.does(Input::Deadline), "421, close");
    assert!(
        bench.session.is_closed() && bench.session.poll_timeout().is_none() && !bench.session.wants_lines()
    );
}

#[test]
fn no_debug_of_a_session_shows_a_password() {
    let mut bench = Bench::new();
    bench.line("EPSV");
    bench.line("RETR x");
    bench.line("PASS hunter2");
    let line = Input::Line(Ok(b"PASS hunter2".to_vec()));
    let shown = format!("{:?} {line:?}", bench.session);
    let numbers = format!("{:?}", b"hunter2");
    assert!(!shown.contains("hunter2") && !shown.contains(numbers.trim_matches(['[', ']'])), "{shown}");
}
