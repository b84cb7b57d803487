//! The login script: USER, PASS and ACCT as the server asks for them.

use twoport_proto::reply_reader::ReceivedReply;
use twoport_proto::{Malformed, Request, Secret, Verb};

use super::io::{Answer, Failed};
use super::{ClientSession, Doing};

/// Where the login is.
#[derive(Debug)]
pub(super) struct Step {
    user: Vec<u8>,
    password: Secret,
    account: Option<Secret>,
    said: Said,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Said {
    User,
    Pass,
    Acct,
}

impl ClientSession {
    /// The login, behind the greeting where that was not heard yet.
    pub(super) fn begin_login(&mut self, user: Vec<u8>, password: Secret, account: Option<Secret>) {
        let step = Step { user, password, account, said: Said::User };
        if self.met { self.log_in(step) } else { self.begin(Some(step)) }
    }

    /// Says who we are.
    pub(super) fn log_in(&mut self, step: Step) {
        let request = Request::new(Verb::User, &step.user);
        self.doing = Doing::Login(step);
        self.send_name(request);
    }

    pub(super) fn login_reply(&mut self, reply: ReceivedReply) {
        let Doing::Login(step) = &mut self.doing else { return };
        if reply.code < 200 {
            return;
        }
        let request = match (step.said, reply.code) {
            (Said::User, 331) => {
                step.said = Said::Pass;
                Request::secret(Verb::Pass, &step.password)
            }
            (Said::User | Said::Pass, 332) => match &step.account {
                Some(account) => {
                    step.said = Said::Acct;
                    Request::secret(Verb::Acct, account)
                }
                None => return self.login_failed(Failed::Refused(reply)),
            },
            (Said::User | Said::Pass | Said::Acct, 200..=299) => {
                self.doing = Doing::Idle;
                return self.answer(Answer::Done(reply));
            }
            _ => return self.login_failed(Failed::Refused(reply)),
        };
        self.send_name(request);
    }

    fn send_name(&mut self, request: Result<Request, Malformed>) {
        match request {
            Ok(request) => self.send(request),
            Err(Malformed { .. }) => {
                self.login_failed(Failed::BadArgument(
                    "a name or password cannot hold CR, LF or NUL".to_owned(),
                ));
            }
        }
    }

    fn login_failed(&mut self, failed: Failed) {
        self.doing = Doing::Idle;
        self.answer(Answer::Failed(failed));
    }
}
