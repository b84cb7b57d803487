//! USER, PASS, ACCT, REIN and HOST: who is there. One enum of four states; a name lives only where it means something.

use std::time::Instant;

use twoport_plan::data::PlanSlot;
use twoport_proto::{FtpPath, Reply, Secret, Verb};

use super::io::Output;
use super::{Doing, Memory, Parameters, ServerSession, replies};
use crate::event::Event;
use crate::law::{Who, law};
use crate::rights::{Grant, Need, Right, Rights};

/// Who the peer is.
#[derive(Debug)]
pub(super) enum Login {
    /// Nobody yet.
    Stranger,
    /// USER was said; PASS is awaited.
    Named(Vec<u8>),
    /// In.
    In(Grant),
}

impl Login {
    pub(super) fn is_in(&self) -> bool {
        matches!(self, Login::In(_))
    }
}

impl ServerSession {
    /// Why the law forbids `verb` now, if it does.
    pub(super) fn forbidden(&self, verb: Verb) -> Option<Reply> {
        match (law(verb).who, &self.login) {
            (Who::Anybody, _) | (Who::Member, Login::In(_)) => None,
            (_, Login::Stranger | Login::Named(_)) => Some(replies::not_logged_in()),
            (Who::With(right), Login::In(_)) => self.lacking(right),
        }
    }

    /// The refusal when the account lacks `right`.
    pub(super) fn lacking(&self, right: Right) -> Option<Reply> {
        (!self.rights().has(right)).then(|| replies::no_right(right))
    }

    /// The account's rights; none before login.
    pub(super) fn rights(&self) -> Rights {
        match &self.login {
            Login::In(grant) => grant.rights,
            Login::Stranger | Login::Named(_) => Rights::NONE,
        }
    }

    /// The account's name, once it is in.
    pub(super) fn account(&self) -> Option<&str> {
        match &self.login {
            Login::In(grant) => Some(&grant.account),
            Login::Stranger | Login::Named(_) => None,
        }
    }

    /// RFC 959 §4.1.1: USER may come again at any time and begins a new login; transfer parameters stay.
    pub(super) fn user(&mut self, now: Instant, name: Vec<u8>) {
        if let Some(refusal) = self.login_needs_tls() {
            return self.say(refusal);
        }
        self.leave(now);
        self.drop_plan();
        self.folder = FtpPath::root();
        if self.channel().is_some_and(|channel| channel.certified) {
            self.doing = Doing::Checking(name.clone());
            self.out.push_back(Output::Recognize { name });
        } else {
            self.ask_password(name);
        }
    }

    fn ask_password(&mut self, name: Vec<u8>) {
        self.say(replies::password_please(&name));
        self.login = Login::Named(name);
    }

    /// RFC 4217 §14: whoever is known by his certificate needs no password.
    pub(super) fn recognized(&mut self, grant: Option<Grant>) {
        let Doing::Checking(name) = std::mem::replace(&mut self.doing, Doing::Nothing) else {
            debug_assert!(false, "the driver recognized somebody whom nobody asked about");
            return;
        };
        match grant {
            Some(grant) => self.let_in(grant, true),
            None => self.ask_password(name),
        }
    }

    fn let_in(&mut self, grant: Grant, by_certificate: bool) {
        self.folder = grant.home.clone();
        self.failures = 0;
        self.seen = None;
        self.tell(Event::LoggedIn { account: grant.account.clone() });
        self.say(match by_certificate {
            true => replies::authorized(&grant.account),
            false => replies::logged_in(&grant.account),
        });
        self.login = Login::In(grant);
    }

    pub(super) fn pass(&mut self, secret: Secret) {
        if let Some(refusal) = self.login_needs_tls() {
            return self.say(refusal);
        }
        match std::mem::replace(&mut self.login, Login::Stranger) {
            Login::Named(name) => {
                self.doing = Doing::Checking(name.clone());
                self.out.push_back(Output::Check { name, secret });
            }
            Login::Stranger => self.say(replies::user_first()),
            Login::In(grant) => {
                self.login = Login::In(grant);
                self.say(replies::already_in());
            }
        }
    }

    pub(super) fn checked(&mut self, grant: Option<Grant>) {
        let Doing::Checking(name) = std::mem::replace(&mut self.doing, Doing::Nothing) else {
            debug_assert!(false, "the driver answered a check that nobody asked for");
            return;
        };
        let name = String::from_utf8_lossy(&name).into_owned();
        match grant {
            Some(grant) => match (grant.needs.control, self.is_secured()) {
                (Need::Required, false) => {
                    self.tell(Event::LoginFailed { name });
                    self.say(replies::account_needs_tls());
                }
                (Need::Off, true) if self.door.needs.control != Need::Required => {
                    self.tell(Event::LoginFailed { name });
                    self.say(replies::account_without_tls());
                }
                _ => self.let_in(grant, false),
            },
            None => {
                self.failures += 1;
                self.tell(Event::LoginFailed { name });
                self.say(replies::login_incorrect());
                if self.failures >= self.settings.limits.login_failures {
                    self.say(replies::too_many_failures());
                    self.close("too many wrong passwords");
                }
            }
        }
    }

    /// Whoever was in has the time of a stranger from now on; a stranger has no more than before.
    fn leave(&mut self, now: Instant) {
        if self.login.is_in() {
            self.since = now;
            self.out.push_back(Output::LogOut);
        }
    }

    pub(super) fn reinitialize(&mut self, now: Instant) {
        self.leave(now);
        self.login = Login::Stranger;
        self.parameters = Parameters::default();
        self.memory = Memory::Nothing;
        self.plan = PlanSlot::new();
        self.folder = FtpPath::root();
        self.host = None;
        self.forget_protection();
        self.say(replies::greeting(&self.settings.host));
    }

    /// RFC 7151 §3: before USER only.
    pub(super) fn host(&mut self, name: &[u8]) {
        let hosts = &self.settings.hosts;
        let known = hosts.is_empty() || hosts.iter().any(|host| host.as_bytes().eq_ignore_ascii_case(name));
        let reply = match self.login {
            Login::Stranger if let Some(wanted) = self.other_name_in_tls(name) => {
                replies::host_differs(name, wanted)
            }
            Login::Stranger if known => {
                self.host = Some(String::from_utf8_lossy(name).into_owned());
                replies::host_accepted(name)
            }
            Login::Stranger => replies::host_unknown(name),
            Login::Named(_) | Login::In(_) => replies::host_too_late(),
        };
        self.say(reply);
    }
}
