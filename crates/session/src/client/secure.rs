//! How a session begins: the greeting, and TLS before or behind it; and PROT P before the first data connection. What TLS is,
//! and whom to believe, the driver knows.
//!
//! ```text
//!   Shaking ──> Greeting ──> Auth ──> Shaking ──> the login      (the first where TLS is there from the first byte)
//! ```

use twoport_proto::reply_reader::ReceivedReply;
use twoport_proto::{Request, Verb};

use super::flight::Expected;
use super::io::{Answer, Failed, Output, Tls};
use super::ladder::Stage;
use super::login::Step;
use super::{ClientSession, Doing};

/// The beginning of a session, and the login that is to follow, if one is wanted.
#[derive(Debug)]
pub(super) struct Meeting {
    pub(super) stage: Beginning,
    greeting: Option<ReceivedReply>,
    login: Option<Step>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Beginning {
    /// The greeting is awaited.
    Greeting,
    /// AUTH was said; with the name that servers of old know, when it was the second try.
    Auth { elder: bool },
    /// Hands are being shaken.
    Shaking,
}

/// How data connections are protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Data {
    /// Not at all.
    #[default]
    Clear,
    /// They shall be, and PROT was not said yet.
    Wanted,
    /// By TLS.
    Private,
}

impl ClientSession {
    /// Hears the greeting, has TLS where that is wanted, and goes on with the login, if there is one.
    pub(super) fn begin(&mut self, login: Option<Step>) {
        let implicit = self.settings.tls == Tls::Implicit;
        let stage = if implicit { Beginning::Shaking } else { Beginning::Greeting };
        self.doing = Doing::Meeting(Meeting { stage, greeting: None, login });
        match implicit {
            true => self.out.push_back(Output::Secure),
            // It comes unasked.
            false => self.expected.push_back(Expected::Own),
        }
    }

    pub(super) fn meeting_reply(&mut self, reply: ReceivedReply) {
        let Doing::Meeting(meeting) = &mut self.doing else { return };
        // 120 says "wait"; so does any other preliminary reply.
        if reply.code < 200 {
            return;
        }
        let good = (200..300).contains(&reply.code);
        match meeting.stage {
            Beginning::Greeting if good => {
                meeting.greeting = Some(reply.clone());
                self.met = true;
                self.meet(&reply);
                match self.settings.tls {
                    Tls::Prefer | Tls::Require => self.say_auth(false),
                    Tls::Off | Tls::Implicit => self.met_in_order(),
                }
            }
            Beginning::Greeting => self.beginning_failed(Failed::Refused(reply)),
            // Some answer as RFC 2228 has it for mechanisms with a dialogue.
            Beginning::Auth { .. } if matches!(reply.code, 234 | 334) => {
                meeting.stage = Beginning::Shaking;
                self.out.push_back(Output::Secure);
            }
            Beginning::Auth { elder: false }
                if self.settings.tls == Tls::Require && matches!(reply.code, 500..=504 | 534) =>
            {
                self.say_auth(true);
            }
            Beginning::Auth { .. } => {
                let said = format!("{} {}", reply.code, reply.text());
                if self.settings.tls == Tls::Require {
                    return self
                        .beginning_failed(Failed::NoTls(format!("the server does not offer TLS ({said})")));
                }
                let text = format!(
                    "the server does not offer TLS ({said}); passwords and files can be read on the way"
                );
                self.out.push_back(Output::Stepped(text));
                self.met_in_order();
            }
            Beginning::Shaking => {}
        }
    }

    fn say_auth(&mut self, elder: bool) {
        if let Doing::Meeting(meeting) = &mut self.doing {
            meeting.stage = Beginning::Auth { elder };
        }
        let request = Request::new(Verb::Auth, if elder { "SSL" } else { "TLS" });
        self.send_or_fail(request);
    }

    pub(super) fn secured(&mut self, result: Result<(), String>) {
        let Doing::Meeting(meeting) = &mut self.doing else { return };
        match result {
            Ok(()) => {
                (self.secured, self.data) = (true, Data::Wanted);
                if self.met {
                    return self.met_in_order();
                }
                meeting.stage = Beginning::Greeting;
                self.expected.push_back(Expected::Own);
            }
            Err(why) => {
                self.doing = Doing::Closed;
                self.answer(Answer::Failed(Failed::NoTls(why)));
            }
        }
    }

    /// The login, or the answer to whoever wants to say it step by step.
    fn met_in_order(&mut self) {
        let Doing::Meeting(meeting) = std::mem::replace(&mut self.doing, Doing::Idle) else { return };
        match (meeting.login, meeting.greeting) {
            (Some(step), _) => self.log_in(step),
            (None, Some(greeting)) => self.answer(Answer::Done(greeting)),
            (None, None) => {}
        }
    }

    fn beginning_failed(&mut self, failed: Failed) {
        self.doing = Doing::Idle;
        self.answer(Answer::Failed(failed));
    }

    /// PBSZ and PROT before the first data connection; false when nothing has to be said.
    pub(super) fn protect(&mut self) -> bool {
        let Doing::Climbing(climb) = &mut self.doing else { return false };
        if self.data != Data::Wanted {
            return false;
        }
        climb.stage = Stage::Sizing;
        self.send_or_fail(Request::new(Verb::Pbsz, "0"));
        true
    }

    /// The answer to PBSZ or PROT. A server that knows no PBSZ may know PROT.
    pub(super) fn protection_reply(&mut self, reply: &ReceivedReply) {
        let Doing::Climbing(climb) = &mut self.doing else { return };
        if reply.code < 200 {
            return;
        }
        if matches!(climb.stage, Stage::Sizing) {
            climb.stage = Stage::Protecting;
            return self.send_or_fail(Request::new(Verb::Prot, "P"));
        }
        if (200..300).contains(&reply.code) {
            self.data = Data::Private;
            return self.take_type();
        }
        let said = format!("{} {}", reply.code, reply.text());
        if self.settings.tls == Tls::Prefer {
            self.data = Data::Clear;
            let text = format!(
                "the server does not protect data connections ({said}); files can be read on the way"
            );
            self.out.push_back(Output::Stepped(text));
            return self.take_type();
        }
        self.doing = Doing::Idle;
        let text = format!("the server does not protect data connections ({said})");
        self.answer(Answer::Failed(Failed::NoTls(text)));
    }

    /// A command of the user's own that was answered well may have changed the protection.
    pub(super) fn said_by_hand(&mut self, request: &Request) {
        let line = request.as_bytes().to_ascii_uppercase();
        let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        match (words.next(), words.next()) {
            (Some(b"PROT"), Some(b"P")) => self.data = Data::Private,
            (Some(b"PROT"), Some(b"C")) => self.data = Data::Clear,
            (Some(b"REIN"), None) if self.data != Data::Clear => self.data = Data::Wanted,
            _ => {}
        }
    }

    /// Whether the control connection is in TLS.
    #[must_use]
    pub fn is_secured(&self) -> bool {
        self.secured
    }

    /// Whether data connections are in TLS.
    #[must_use]
    pub fn is_private(&self) -> bool {
        self.data == Data::Private
    }

    /// Whether this server is known to refuse a data connection that does not resume the session.
    #[must_use]
    pub fn ties_tls(&self) -> bool {
        self.quirks().ties_tls
    }
}
