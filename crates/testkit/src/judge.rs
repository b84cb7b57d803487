//! `Judge`: what must always hold on a machine's surface, whatever a peer, the files and the network do: one final reply
//! per command, in order, none outside the law, no secret outside the check, nothing after the close.

use std::collections::VecDeque;

use twoport_proto::line::{LineBuf, LineFault};
use twoport_proto::reply_reader::ReplyReader;
use twoport_proto::{Reply, Verb};
use twoport_session::Event;
use twoport_session::law::{Plan, law, may_answer};
use twoport_session::server::io::Output;

use crate::world::Happened;

/// Watches one session from its greeting to its end.
#[derive(Debug)]
pub struct Judge {
    secret: Vec<u8>,
    greeted: bool,
    /// Commands without a final reply, in order.
    owed: VecDeque<Owed>,
    /// The code that an onlooker was told and the peer will be.
    told: Option<u16>,
    running: bool,
    gone: bool,
    goodbye: bool,
    /// 421 or 221 was said: only the close may follow.
    last_word: bool,
    closed: bool,
    finals: usize,
    begun: usize,
}

#[derive(Debug)]
struct Owed {
    verb: Option<Verb>,
    fault: Option<LineFault>,
    opened: bool,
}

impl Judge {
    /// A judge of a session in which `secret` is nowhere said but behind PASS.
    #[must_use]
    pub fn new(secret: &[u8]) -> Self {
        Judge {
            secret: secret.to_vec(),
            greeted: false,
            owed: VecDeque::new(),
            told: None,
            running: false,
            gone: false,
            goodbye: false,
            last_word: false,
            closed: false,
            finals: 0,
            begun: 0,
        }
    }

    /// Final replies so far, the greeting not counted.
    #[must_use]
    pub fn finals(&self) -> usize {
        self.finals
    }

    /// Transfers and digests that were begun so far.
    #[must_use]
    pub fn begun(&self) -> usize {
        self.begun
    }

    /// Commands that still wait for their final reply.
    #[must_use]
    pub fn owed(&self) -> usize {
        self.owed.len()
    }

    /// Looks at what happened.
    ///
    /// # Panics
    /// When it may not happen; the text says what.
    pub fn look(&mut self, happened: &[Happened]) {
        for one in happened {
            assert!(!self.closed, "after Close: {one:?}");
            match one {
                Happened::Heard(Ok(line)) => {
                    let word = line.split(|b| *b == b' ').next().unwrap_or_default();
                    self.goodbye |= word.eq_ignore_ascii_case(b"QUIT");
                    self.owed.push_back(Owed { verb: Verb::read(word), fault: None, opened: false });
                }
                Happened::Heard(Err(fault)) => {
                    self.owed.push_back(Owed { verb: None, fault: Some(*fault), opened: false });
                }
                Happened::Gone => self.gone = true,
                Happened::Did(output) => self.output(output),
            }
        }
    }

    fn output(&mut self, output: &Output) {
        if !matches!(output, Output::Check { .. }) {
            self.tells_no_secret(output);
        }
        match output {
            Output::Say(reply) => self.reply(reply),
            Output::Close => self.closed = true,
            Output::Begin(_) => {
                self.running = true;
                self.begun += 1;
            }
            Output::Keep => {
                assert!(!self.gone || self.goodbye, "kept, and its client was gone without a goodbye")
            }
            Output::Tell(Event::TransferEnded { code, .. }) => {
                self.running = false;
                self.told = Some(*code);
            }
            Output::Check { .. }
            | Output::Files(_)
            | Output::Listen(_)
            | Output::Recognize { .. }
            | Output::LogOut
            | Output::Secure { .. }
            | Output::Clear(_)
            | Output::Forget(_)
            | Output::Stop
            | Output::Measure
            | Output::Look
            | Output::Tell(_) => {}
        }
    }

    fn reply(&mut self, reply: &Reply) {
        assert!(!self.last_word, "after the last word: {reply:?}");
        reads_back(reply);
        let code = reply.code.0;
        if let Some(told) = self.told.take() {
            assert_eq!(told, code, "onlookers were told {told}, the peer hears {reply:?}");
        }
        if !self.greeted {
            assert_eq!(code, 220, "the first word is the greeting");
            self.greeted = true;
            return;
        }
        if code == 421 || code == 221 {
            self.last_word = true;
            if code == 421 {
                return;
            }
        }
        if reply.code.is_preliminary() {
            let front = self.owed.front_mut().unwrap_or_else(|| panic!("nobody asked for {reply:?}"));
            let verb = front.verb.unwrap_or_else(|| panic!("{front:?} is answered {reply:?}"));
            assert!(
                law(verb).plan == Plan::Spends && may_answer(verb, code),
                "{verb} may not hear {reply:?}"
            );
            assert!(!front.opened, "{verb} hears {reply:?} twice");
            front.opened = true;
            return;
        }
        self.finals += 1;
        let place = usize::from(self.overtakes(code));
        let owed = self.owed.remove(place).unwrap_or_else(|| panic!("nobody asked for {reply:?}"));
        match (owed.verb, owed.fault) {
            (Some(verb), _) => assert!(may_answer(verb, code), "{verb} may not hear {reply:?}"),
            (None, _) => assert_eq!(code, 500, "{owed:?} is answered {reply:?}"),
        }
    }

    /// STAT alone, next in line behind a transfer that runs, may be answered before it.
    fn overtakes(&self, code: u16) -> bool {
        let first = self.owed.front().and_then(|owed| owed.verb);
        let second = self.owed.get(1).and_then(|owed| owed.verb);
        code == 211
            && self.running
            && second == Some(Verb::Stat)
            && first.is_some_and(|verb| !may_answer(verb, 211))
    }

    /// Neither as text nor as the list of numbers that `Debug` makes of bytes.
    fn tells_no_secret(&self, output: &Output) {
        let shown = format!("{output:?}");
        let text = String::from_utf8_lossy(&self.secret).into_owned();
        let numbers = format!("{:?}", self.secret);
        let numbers = numbers.trim_matches(['[', ']']);
        assert!(!shown.contains(&text) && !shown.contains(numbers), "the secret is told in {shown}");
    }
}

/// A reply on the wire is one reply, with this code, to whoever reads it.
fn reads_back(reply: &Reply) {
    let mut lines = LineBuf::new(1 << 20);
    lines.feed(&reply.to_bytes());
    let mut reader = ReplyReader::new(1 << 22);
    let mut read = Vec::new();
    while let Some(line) = lines.next_line() {
        let line = line.unwrap_or_else(|fault| panic!("{fault} in {reply:?}"));
        read.extend(reader.feed_line(&line).unwrap_or_else(|fault| panic!("{fault} in {reply:?}")));
    }
    assert!(lines.is_empty() && !reader.is_open(), "{reply:?} has no end");
    assert_eq!(read.iter().map(|read| read.code).collect::<Vec<_>>(), [reply.code.0], "{reply:?}");
}

#[cfg(test)]
mod tests {
    use twoport_proto::FtpPath;
    use twoport_session::server::io::FileOp;

    use super::*;

    fn heard(line: &str) -> Happened {
        Happened::Heard(Ok(line.as_bytes().to_vec()))
    }

    fn said(code: u16, text: &str) -> Happened {
        Happened::Did(Output::Say(Reply::new(code, text)))
    }

    /// Why a judge stops at this, behind a greeting; nothing when it lets it pass.
    fn verdict(happened: Vec<Happened>) -> Option<String> {
        let judged = std::panic::catch_unwind(|| {
            let mut judge = Judge::new(b"hunter2");
            judge.look(&[said(220, "ready")]);
            judge.look(&happened);
        });
        judged.err().map(|why| match why.downcast::<String>() {
            Ok(text) => *text,
            Err(why) => (*why.downcast::<&str>().unwrap()).to_owned(),
        })
    }

    #[test]
    fn a_judge_knows_right_from_wrong() {
        let stored = FtpPath::root().child(b"hunter2");
        let cases: [(&str, Vec<Happened>); 11] = [
            ("", vec![heard("RETR x"), said(150, "a"), said(226, "b"), heard("QUIT"), said(221, "c")]),
            ("", vec![heard("RETR x"), said(150, "a"), heard("NOOP"), said(426, "b"), said(200, "c")]),
            ("nobody asked", vec![said(226, "b")]),
            ("nobody asked", vec![heard("NOOP"), said(200, "a"), said(200, "b")]),
            ("may not hear", vec![heard("NOOP"), heard("PWD"), said(257, "a"), said(200, "b")]),
            ("twice", vec![heard("LIST"), said(150, "a"), said(150, "b")]),
            ("may not hear", vec![heard("NOOP"), said(150, "a")]),
            ("last word", vec![said(421, "a"), said(226, "b")]),
            ("after Close", vec![Happened::Did(Output::Close), heard("NOOP")]),
            ("secret", vec![Happened::Did(Output::Files(FileOp::MakeDir(stored)))]),
            ("without a goodbye", vec![Happened::Gone, Happened::Did(Output::Keep)]),
        ];
        for (place, (expected, happened)) in cases.into_iter().enumerate() {
            let why = verdict(happened);
            assert!(why.is_some() != expected.is_empty(), "case {place}: {why:?}");
            assert!(why.unwrap_or_default().contains(expected), "case {place}");
        }
        assert!(verdict(vec![said(331, "hunter2")]).is_some_and(|why| why.contains("secret")));
    }
}
