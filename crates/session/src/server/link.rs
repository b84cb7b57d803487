//! PORT, EPRT, PASV, EPSV: the data plan is made here, and forgotten here.

use std::net::SocketAddr;
use std::time::Instant;

use twoport_plan::LinkFault;
use twoport_plan::address::active_target;
use twoport_plan::data::{DataPlan, Way};
use twoport_proto::Verb;
use twoport_proto::command::{Epsv, Extended};
use twoport_proto::hostport::Protocol;

use super::io::{LinkId, Listening, Output};
use super::{Doing, Life, ServerSession, replies};

impl ServerSession {
    /// PORT and EPRT: the target is checked here, before anybody connects to it (RFC 2577 §3).
    pub(super) fn active(&mut self, now: Instant, way: Way, target: SocketAddr) {
        if !self.plan.allows(way) {
            return self.say(replies::epsv_only());
        }
        if !self.settings.active {
            return self.say(replies::mode_off(&LinkFault::ActiveOff));
        }
        match active_target(self.ends.peer, target) {
            Ok(target) => {
                self.make_plan(DataPlan::Active(target));
                self.say(replies::port_taken(way));
            }
            Err(refused) => {
                self.failed(now, replies::active_verb(way), LinkFault::TargetRefused(refused));
                self.say(replies::port_refused(way, &refused.to_string()));
            }
        }
    }

    pub(super) fn passive(&mut self, way: Way) {
        if !self.plan.allows(way) {
            return self.say(replies::epsv_only());
        }
        if !self.settings.passive {
            return self.say(replies::mode_off(&LinkFault::PassiveOff));
        }
        self.drop_plan();
        self.doing = Doing::Asking(way);
        self.out.push_back(Output::Listen(way));
    }

    pub(super) fn epsv(&mut self, argument: Epsv) {
        let ours = Protocol::of(self.ends.local);
        match argument {
            Epsv::All => {
                self.plan.only_epsv();
                self.say(replies::epsv_all());
            }
            Epsv::Of(Extended::Known(other)) if other != ours => self.say(replies::other_protocol(ours)),
            Epsv::Of(Extended::Unknown) => self.say(replies::other_protocol(ours)),
            Epsv::Same | Epsv::Of(Extended::Known(_)) => self.passive(Way::Epsv),
        }
    }

    pub(super) fn eprt(&mut self, now: Instant, target: Extended<SocketAddr>) {
        match target {
            Extended::Known(target) if Protocol::of(target.ip()) == Protocol::of(self.ends.local) => {
                self.active(now, Way::Eprt, target);
            }
            Extended::Known(_) | Extended::Unknown => {
                self.say(replies::other_protocol(Protocol::of(self.ends.local)));
            }
        }
    }

    pub(super) fn listening(&mut self, now: Instant, answer: Result<Listening, LinkFault>) {
        let Doing::Asking(way) = self.doing else {
            debug_assert!(false, "the driver made a listener that nobody asked for");
            if let Ok(listening) = answer {
                self.out.push_back(Output::Forget(listening.id));
            }
            return;
        };
        self.doing = Doing::Nothing;
        match answer {
            Ok(listening) if self.life == Life::Closed => self.out.push_back(Output::Forget(listening.id)),
            Ok(listening) => {
                self.make_plan(DataPlan::Passive(listening.id));
                let reply = match way {
                    Way::Epsv => replies::extended_passive(listening.told.port()),
                    _ => replies::passive(listening.told),
                };
                self.told(&reply);
                self.say(reply);
            }
            Err(fault) => {
                let reply = replies::no_link(&fault);
                self.failed(now, if way == Way::Epsv { Verb::Epsv } else { Verb::Pasv }, fault);
                self.say(reply);
            }
        }
    }

    /// Puts a plan in place of the one before, whose listener goes back or whose connection is closed.
    pub(super) fn make_plan(&mut self, plan: DataPlan<LinkId>) {
        if let Some(id) = self.plan.set(plan) {
            self.out.push_back(Output::Forget(id));
        }
    }

    /// A transfer that is refused before it begins has used its plan up, unless that is a connection that is open: the
    /// next transfer needs no new one.
    pub(super) fn use_plan_up(&mut self) {
        if !matches!(self.plan.plan(), DataPlan::Open(_)) {
            self.drop_plan();
        }
    }

    /// Closes the data connection that was left open, if there is one.
    pub(super) fn hang_up(&mut self) {
        if matches!(self.plan.plan(), DataPlan::Open(_)) {
            self.drop_plan();
        }
    }

    /// Forgets the plan.
    pub(super) fn drop_plan(&mut self) {
        self.make_plan(DataPlan::None);
    }
}
