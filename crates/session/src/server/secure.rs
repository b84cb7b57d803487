//! AUTH, PBSZ, PROT and CCC: the order that RFC 4217 asks for, and when TLS must be. What TLS is, and whether a handshake
//! went well, the driver knows.
//!
//! ```text
//!   Clear ──AUTH──> (hands are shaken) ──> Secured ──CCC──> Cleared
//!                        └──> closed
//! ```

use twoport_proto::modes::{Mechanism, Protection};
use twoport_proto::{FtpPath, Reply, Verb};

use super::access::Login;
use super::io::{Channel, Output};
use super::{Doing, Memory, Parameters, ServerSession, replies};
use crate::event::Event;
use crate::rights::Need;

/// How the two connections are protected.
#[derive(Debug)]
pub(super) struct Security {
    control: Control,
    /// Whether PBSZ was said, without which there is no PROT.
    sized: bool,
    /// Whether data connections are in TLS.
    private: bool,
}

#[derive(Debug)]
enum Control {
    Clear,
    /// Hands are being shaken; data connections will be private from the start.
    Securing {
        private: bool,
    },
    Secured(Channel),
    /// It was in TLS until CCC.
    Cleared,
}

impl Security {
    pub(super) fn new() -> Self {
        Security { control: Control::Clear, sized: false, private: false }
    }
}

impl ServerSession {
    /// Whether the control connection is in TLS now, or was when the login was said.
    pub(super) fn is_secured(&self) -> bool {
        matches!(self.security.control, Control::Secured(_) | Control::Cleared)
    }

    /// What the handshake of the control connection told.
    pub(super) fn channel(&self) -> Option<&Channel> {
        match &self.security.control {
            Control::Secured(channel) => Some(channel),
            Control::Clear | Control::Securing { .. } | Control::Cleared => None,
        }
    }

    /// Whether the next data connection is to be in TLS.
    pub(super) fn is_private(&self) -> bool {
        self.security.private
    }

    /// Whether AUTH can be said.
    pub(super) fn offers_tls(&self) -> bool {
        self.door.needs.control != Need::Off
    }

    pub(super) fn auth(&mut self, mechanism: Mechanism) {
        let private = match (mechanism, &self.security.control) {
            (_, Control::Secured(_) | Control::Securing { .. }) => {
                return self.say(replies::secured_already());
            }
            (_, Control::Cleared) => return self.say(replies::cleared_for_good()),
            (Mechanism::Other, Control::Clear) => return self.say(replies::only_tls()),
            (Mechanism::Tls, Control::Clear) => false,
            (Mechanism::Ssl, Control::Clear) => self.door.needs.data != Need::Off,
        };
        // What was sent behind AUTH was sent in the clear, perhaps by somebody on the way (nostarttls.secvuln.info).
        if !self.queue.is_empty() {
            return self.smuggled();
        }
        self.secure(Some(replies::secure_now()), private);
    }

    /// Shakes hands, behind this reply or at once.
    pub(super) fn secure(&mut self, reply: Option<Reply>, private: bool) {
        self.security.control = Control::Securing { private };
        self.doing = Doing::Securing;
        let host = self.host.clone();
        self.out.push_back(Output::Secure { reply, host });
    }

    pub(super) fn smuggled(&mut self) {
        self.say(replies::smuggled());
        self.close("commands in the clear behind AUTH");
    }

    /// The handshake went well. The user must say who he is again, and all parameters are as at the beginning (RFC 4217
    /// §4.2): nothing that came in the clear counts any more.
    pub(super) fn secured(&mut self, channel: Channel) {
        let Control::Securing { private } = self.security.control else {
            debug_assert!(false, "the driver shook hands that nobody asked for");
            return;
        };
        self.doing = Doing::Nothing;
        self.tell(Event::Secured { how: channel.how.clone() });
        self.drop_plan();
        self.login = Login::Stranger;
        self.parameters = Parameters::default();
        self.memory = Memory::Nothing;
        self.folder = FtpPath::root();
        self.security = Security { control: Control::Secured(channel), sized: self.door.implicit, private };
        if self.door.implicit {
            self.say(replies::greeting(&self.settings.host));
        }
    }

    /// It did not, and nobody knows in which state the connection is: nothing is said any more (RFC 4217 §10.1).
    pub(super) fn not_secured(&mut self, why: String) {
        self.doing = Doing::Nothing;
        self.tell(Event::NotSecured { why });
        self.close("no TLS came about");
    }

    pub(super) fn pbsz(&mut self) {
        match self.security.control {
            Control::Cleared => self.say(replies::cleared_for_good()),
            Control::Secured(_) => {
                self.security.sized = true;
                self.say(replies::buffer_size());
            }
            Control::Clear | Control::Securing { .. } => self.say(replies::auth_first(Verb::Pbsz)),
        }
    }

    /// A data connection that was left open is of the protection that it began with.
    pub(super) fn prot(&mut self, wanted: Protection) {
        let private = match (wanted, &self.security.control) {
            (_, Control::Cleared) => return self.say(replies::cleared_for_good()),
            (_, Control::Clear | Control::Securing { .. }) => {
                return self.say(replies::auth_first(Verb::Prot));
            }
            _ if !self.security.sized => return self.say(replies::buffer_size_first()),
            (Protection::Safe | Protection::Confidential, _) => {
                return self.say(replies::no_such_protection());
            }
            (Protection::Clear, _) if self.data_need() == Need::Required => {
                return self.say(replies::must_be_private());
            }
            (Protection::Private, _) if self.data_need() == Need::Off => {
                return self.say(replies::cannot_be_private());
            }
            (wanted, _) => wanted == Protection::Private,
        };
        if private != self.security.private {
            self.hang_up();
        }
        self.security.private = private;
        self.say(replies::protection_set(private));
    }

    /// Back to a clear control connection, so that a firewall can read along; data connections stay as PROT has them.
    pub(super) fn ccc(&mut self) {
        match self.security.control {
            _ if !self.settings.ccc => self.say(replies::ccc_off()),
            Control::Secured(_) => {
                self.doing = Doing::Securing;
                self.out.push_back(Output::Clear(replies::cleared_now()));
            }
            Control::Clear | Control::Securing { .. } | Control::Cleared => {
                self.say(replies::nothing_to_clear());
            }
        }
    }

    pub(super) fn cleared(&mut self) {
        self.doing = Doing::Nothing;
        self.security.control = Control::Cleared;
    }

    /// REIN: the connection stays in TLS, and what PROT said is forgotten (RFC 4217 §9).
    pub(super) fn forget_protection(&mut self) {
        self.security.private = self.door.implicit && self.door.needs.data != Need::Off;
        self.security.sized = self.door.implicit;
    }

    /// What data connections need, as door and account have it.
    pub(super) fn data_need(&self) -> Need {
        match &self.login {
            Login::In(grant) => self.door.needs.data.with(grant.needs.data),
            Login::Stranger | Login::Named(_) => self.door.needs.data,
        }
    }

    /// Why nobody may say who he is now, if so.
    pub(super) fn login_needs_tls(&self) -> Option<Reply> {
        (self.door.needs.control == Need::Required && !self.is_secured()).then(replies::tls_first)
    }

    /// Why a transfer may not begin as PROT stands, if so (RFC 4217 §10.2).
    pub(super) fn wrong_protection(&self) -> Option<Reply> {
        match (self.data_need(), self.security.private) {
            (Need::Required, false) => Some(replies::data_must_be_private(self.is_secured())),
            (Need::Off, true) => Some(replies::data_cannot_be_private()),
            _ => None,
        }
    }

    /// Whether what HOST says contradicts what TLS was begun for (RFC 7151 §3.2).
    pub(super) fn other_name_in_tls(&self, name: &[u8]) -> Option<&str> {
        let wanted = self.channel()?.server_name.as_deref()?;
        (!wanted.as_bytes().eq_ignore_ascii_case(name)).then_some(wanted)
    }
}
