//! The login script: greeting, USER, PASS and ACCT as the server asks for them.

use twoport_proto::reply_reader::ReceivedReply;
use twoport_proto::{Malformed, Request, Secret, Verb};

use super::flight::Expected;
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
    Nothing,
    User,
    Pass,
    Acct,
}

impl ClientSession {
    pub(super) fn begin_login(&mut self, user: Vec<u8>, password: Secret, account: Option<Secret>) {
        // The greeting comes unasked.
        self.expected.push_back(Expected::Own);
        self.doing = Doing::Login(Step { user, password, account, said: Said::Nothing });
    }

    pub(super) fn login_reply(&mut self, reply: ReceivedReply) {
        if let (Doing::Login(Step { said: Said::Nothing, .. }), 220) = (&self.doing, reply.code) {
            self.meet(&reply);
        }
        let Doing::Login(step) = &mut self.doing else { return };
        // 120 says "wait"; so does any other preliminary reply.
        if reply.code < 200 {
            return;
        }
        let request = match (step.said, reply.code) {
            (Said::Nothing, 220) => {
                step.said = Said::User;
                Request::new(Verb::User, &step.user)
            }
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
