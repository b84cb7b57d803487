//! The ladder: how a data connection is made, rung by rung. It steps down when a command is refused and when nobody
//! answers at the address; every step is said with its reason.

use std::net::{IpAddr, SocketAddr, SocketAddrV4};
use std::time::Duration;

use twoport_plan::LinkFault;
use twoport_plan::address::{believable, outer_told};
use twoport_proto::hostport;
use twoport_proto::reply_reader::ReceivedReply;
use twoport_proto::{Malformed, Request, Verb};

use super::flight::Expected;
use super::io::{Answer, Door, Failed, Flights, Output, Road, Rung, TransferAsk};
use super::{ClientSession, Doing, Settings};

/// A data connection under way.
#[derive(Debug)]
pub(super) struct Climb {
    pub(super) ask: TransferAsk,
    /// Place in the list of rungs; the walk goes round it once.
    pub(super) rung: usize,
    pub(super) tried: usize,
    /// Whether the port was asked for in one flight with the transfer before.
    pub(super) in_flight: bool,
    pub(super) stage: Stage,
    /// Every step down so far.
    steps: Vec<String>,
}

#[derive(Debug)]
pub(super) enum Stage {
    /// Nothing was said, or TYPE.
    Typing,
    /// PBSZ was said.
    Sizing,
    /// PROT was said.
    Protecting,
    /// EPSV or PASV was said.
    Asking,
    /// Connecting; what 227 told, when it is another address.
    Dialling { told: Option<SocketAddrV4> },
    /// STAT was said: which address the server sees us come from.
    Locating,
    /// A listener is being made.
    Listening,
    /// PORT or EPRT was said, and the other one can still be.
    Telling { at: SocketAddr, other: bool },
    /// REST was said.
    Restarting(Link),
    /// The command was said; its final reply, when that came before our side had the link.
    Commanded(Link, Option<ReceivedReply>),
}

/// What there is of the data connection.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Link {
    road: Option<Road>,
    /// Whether it is there, and whether 150 was said.
    linked: bool,
    opened: bool,
}

impl Climb {
    /// How long the stage may take.
    pub(super) fn patience(&self, settings: &Settings) -> Duration {
        match self.stage {
            Stage::Typing | Stage::Sizing | Stage::Protecting | Stage::Restarting(_) => settings.patience,
            Stage::Commanded(..) => settings.opening_patience,
            // The driver keeps the time of a connection; a reply has as much again.
            Stage::Asking
            | Stage::Dialling { .. }
            | Stage::Locating
            | Stage::Listening
            | Stage::Telling { .. } => settings.rung_patience * 2,
        }
    }

    /// What the server did not answer in that time.
    pub(super) fn hung(&self, settings: &Settings) -> String {
        let rung = settings.rungs[self.rung % settings.rungs.len()].name();
        let seconds = self.patience(settings).as_secs_f64();
        match self.stage {
            Stage::Commanded(..) => {
                format!(
                    "{rung}: connected, and the server did not begin the transfer within {seconds:.0} seconds"
                )
            }
            _ => format!("{rung}: the server did not answer within {seconds:.0} seconds"),
        }
    }
}

impl ClientSession {
    pub(super) fn climb(&mut self, ask: TransferAsk) {
        self.also.clear();
        self.doing = Doing::Climbing(Box::new(Climb {
            ask,
            rung: self.rung,
            tried: 0,
            in_flight: false,
            stage: Stage::Typing,
            steps: Vec::new(),
        }));
        if !self.protect() {
            self.take_type();
        }
    }

    /// TYPE, where it is another one.
    pub(super) fn take_type(&mut self) {
        let Doing::Climbing(climb) = &mut self.doing else { return };
        climb.stage = Stage::Typing;
        let ascii = climb.ask.ascii;
        if self.take_command() || self.ascii == Some(ascii) {
            return self.take_link();
        }
        if self.flies() {
            self.set_type(ascii);
            self.take_link();
        } else if let Ok(request) = Request::new(Verb::Type, if ascii { "A" } else { "I" }) {
            self.send(request);
        }
    }

    /// The data connection that is open, or a port that was asked for already, or the ladder.
    fn take_link(&mut self) {
        match &self.doing {
            Doing::Climbing(climb) if matches!(climb.stage, Stage::Typing) => {}
            // Its command was said before, and it is on its way.
            _ => return,
        }
        if self.kept.is_some() {
            let link = self.kept_link();
            self.command(link);
        } else if !self.take_ahead() {
            self.take_rung();
        }
    }

    /// The data connection that the transfer before has left open.
    pub(super) fn kept_link(&mut self) -> Link {
        Link { road: self.kept, linked: self.kept.is_some(), opened: false }
    }

    /// Says what the rung says, or that there is no road.
    pub(super) fn take_rung(&mut self) {
        let Doing::Climbing(climb) = &mut self.doing else { return };
        let rungs = &self.settings.rungs;
        if climb.tried >= rungs.len() {
            let steps = std::mem::take(&mut climb.steps);
            self.doing = Doing::Idle;
            return self.answer(Answer::Failed(Failed::NoRoad(steps)));
        }
        match rungs[climb.rung % rungs.len()] {
            Rung::Epsv => {
                climb.stage = Stage::Asking;
                self.send(Request::bare(Verb::Epsv));
            }
            // 227 has no room for an IPv6 address.
            Rung::Pasv if self.ends.server.is_ipv6() => self.pass_rung(),
            Rung::Pasv => {
                climb.stage = Stage::Asking;
                self.send(Request::bare(Verb::Pasv));
            }
            // Behind a NAT the server must be told the outer address, and only the server can say which that is.
            Rung::Crossing if self.outer.is_none() && is_private(self.ends.local) => {
                climb.stage = Stage::Locating;
                self.send(Request::bare(Verb::Stat));
            }
            rung @ (Rung::Active | Rung::Mapped | Rung::Crossing) => {
                climb.stage = Stage::Listening;
                self.out.push_back(Output::Listen(match rung {
                    Rung::Mapped => Door::Mapped,
                    Rung::Crossing => Door::Crossing,
                    _ => Door::Own,
                }));
            }
        }
    }

    fn pass_rung(&mut self) {
        if let Doing::Climbing(climb) = &mut self.doing {
            climb.rung += 1;
            climb.tried += 1;
        }
        self.take_rung();
    }

    /// This rung does not carry; says why and takes the next.
    fn step_down(&mut self, why: String) {
        if let Doing::Climbing(climb) = &mut self.doing {
            if climb.in_flight {
                return self.land(why);
            }
            climb.steps.push(why.clone());
        }
        self.out.push_back(Output::DropLink);
        self.out.push_back(Output::Stepped(why));
        self.pass_rung();
    }

    pub(super) fn climb_reply(&mut self, reply: ReceivedReply) {
        let Doing::Climbing(climb) = &mut self.doing else { return };
        let good = (200..300).contains(&reply.code);
        if matches!(climb.stage, Stage::Sizing | Stage::Protecting) {
            return self.protection_reply(&reply);
        }
        match &mut climb.stage {
            Stage::Typing if reply.code < 200 => {}
            Stage::Typing if good => {
                self.ascii = Some(climb.ask.ascii);
                self.take_link();
            }
            Stage::Typing => self.refused(reply),
            Stage::Asking if reply.code < 200 => {}
            Stage::Asking => self.passive_reply(&reply),
            Stage::Locating if reply.code < 200 => {}
            Stage::Locating => self.located(&reply),
            Stage::Telling { .. } if reply.code < 200 => {}
            Stage::Telling { at, .. } if good => {
                let rung = self.settings.rungs[climb.rung % self.settings.rungs.len()];
                let road = Road { rung, peer: *at, corrected: false };
                self.command(Link { road: Some(road), ..Link::default() });
            }
            Stage::Telling { at, other: true } if reply.code >= 500 => {
                let at = *at;
                climb.stage = Stage::Telling { at, other: false };
                let request = tell(at, !self.settings.eprt_first);
                self.send_or_fail(request);
            }
            Stage::Telling { at, other } => {
                let (at, verb) = (*at, if at.is_ipv4() && *other { Verb::Port } else { Verb::Eprt });
                // Some say why: that we come from another address, and from which.
                self.outer = self.outer.or(outer_told(&reply.text(), self.ends.server.ip()));
                self.step_down(format!("{verb} {at} was refused: {}", said(&reply)));
            }
            Stage::Restarting(_) if reply.code < 200 => {}
            Stage::Restarting(link) if reply.code == 350 => {
                let link = *link;
                self.say_command(link);
            }
            Stage::Restarting(_) => self.refused(reply),
            Stage::Commanded(link, _) if reply.code < 200 => {
                link.opened = true;
                self.open_when_ready();
            }
            // The connection that was open is closed on the server's side.
            Stage::Commanded(link, _)
                if reply.code == 425 && (self.kept.is_some() || link.road.is_none()) =>
            {
                self.kept = None;
                self.out.push_back(Output::DropLink);
                self.take_rung();
            }
            // The link did not come about as the server sees it: another road may carry.
            Stage::Commanded(..) if reply.code == 425 => {
                let rung = self.settings.rungs[climb.rung % self.settings.rungs.len()];
                self.step_down(format!("{}: {}", rung.name(), said(&reply)));
            }
            // A few servers send the final reply of an empty listing without 150; and what is short may be over before
            // we have looked at the connection that it came by.
            Stage::Commanded(_, early) if matches!(reply.code, 226 | 250) => {
                *early = Some(reply);
                self.open_when_ready();
            }
            // No end of a transfer is said so: it answers something else, and what comes next would be taken for a file.
            Stage::Commanded(..) if good => {
                self.gone(Failed::OutOfStep(format!(
                    "the server answered the transfer with {}",
                    said(&reply)
                )));
            }
            Stage::Commanded(..) => self.refused(reply),
            Stage::Sizing | Stage::Protecting => {}
            Stage::Dialling { .. } | Stage::Listening => {
                self.gone(Failed::OutOfStep(format!("{} came while nothing was asked", said(&reply))));
            }
        }
    }

    /// 229 or 227, whichever command asked: some servers answer EPSV with 227 and PASV with 229.
    pub(super) fn passive_reply(&mut self, reply: &ReceivedReply) {
        let text = reply.text();
        let server = self.ends.server;
        let told = match reply.code {
            229 => hostport::read_229(text.as_bytes()).map(|port| (None, port)),
            227 => hostport::read_227(text.as_bytes()).map(|told| (Some(told), told.port())),
            // An answer that is understood all the same, or a refusal.
            200..=299 => hostport::read_229(text.as_bytes())
                .map(|port| (None, port))
                .or_else(|_| hostport::read_227(text.as_bytes()).map(|told| (Some(told), told.port()))),
            _ => return self.step_down(format!("{} was refused: {}", self.asked(), said(reply))),
        };
        let (told, port) = match told {
            Ok((_, 0)) | Err(Malformed { .. }) => {
                return self.step_down(format!(
                    "{} was answered with no usable port: {}",
                    self.asked(),
                    said(reply)
                ));
            }
            Ok(told) => told,
        };
        let mut control = server;
        control.set_port(port);
        let told = told.filter(|told| IpAddr::V4(*told.ip()) != server.ip());
        let mut to = Vec::new();
        if let Some(told) = told
            && believable(*told.ip(), server.ip())
        {
            to.push(SocketAddr::V4(told));
        }
        to.push(control);
        if let Doing::Climbing(climb) = &mut self.doing {
            climb.stage = Stage::Dialling { told };
        }
        self.out.push_back(Output::Dial { to, within: self.settings.rung_patience });
    }

    fn asked(&self) -> &'static str {
        match &self.doing {
            Doing::Climbing(climb) => self.settings.rungs[climb.rung % self.settings.rungs.len()].name(),
            _ => "it",
        }
    }

    pub(super) fn dialled(&mut self, result: Result<SocketAddr, Vec<(SocketAddr, LinkFault)>>) {
        let asked = self.asked();
        let Doing::Climbing(climb) = &mut self.doing else { return };
        let Stage::Dialling { told } = climb.stage else { return };
        match result {
            Ok(peer) => {
                let rung = self.settings.rungs[climb.rung % self.settings.rungs.len()];
                self.flown |= climb.in_flight;
                let corrected = told.is_some_and(|told| SocketAddr::V4(told) != peer);
                if let (Some(told), true) = (told, corrected) {
                    self.out.push_back(Output::Stepped(format!("227 said {told}; {peer} answered")));
                }
                self.command(Link {
                    road: Some(Road { rung, peer, corrected }),
                    linked: true,
                    opened: false,
                });
            }
            Err(faults) => {
                let told = told.map_or(String::new(), |told| format!("227 said {told}; "));
                let why: Vec<String> = faults.iter().map(|(_, fault)| fault.cause()).collect();
                self.step_down(format!("{asked}: {told}{}", why.join("; ")));
            }
        }
    }

    /// The answer to STAT.
    fn located(&mut self, reply: &ReceivedReply) {
        self.outer = outer_told(&reply.text(), self.ends.server.ip());
        match self.outer {
            Some(_) => self.take_rung(),
            None => {
                let asked = self.asked();
                self.step_down(format!("{asked}: the server does not tell which address we come from"));
            }
        }
    }

    pub(super) fn listening(&mut self, result: Result<SocketAddr, LinkFault>) {
        let crossing = self.asked() == Rung::Crossing.name();
        let Doing::Climbing(climb) = &mut self.doing else { return };
        match result {
            Ok(at) => {
                // The port is ours as far as a NAT keeps numbers; the address is what the server sees.
                let at = match (self.outer, at) {
                    (Some(outer), SocketAddr::V4(inner)) if crossing => {
                        SocketAddrV4::new(outer, inner.port()).into()
                    }
                    _ => at,
                };
                climb.stage = Stage::Telling { at, other: true };
                let request = tell(at, self.settings.eprt_first);
                self.send_or_fail(request);
            }
            Err(fault) => self.step_down(format!("{}: {}", self.asked(), fault.cause())),
        }
    }

    /// REST where it is wanted, then the command.
    fn command(&mut self, link: Link) {
        let Doing::Climbing(climb) = &mut self.doing else { return };
        let from = climb.ask.from;
        let request = match climb.ask.to {
            None if from == 0 => return self.say_command(link),
            None => Request::new(Verb::Rest, from.to_string()),
            // Both bytes are included.
            Some(to) => Request::new(Verb::Rang, format!("{from} {}", to.saturating_sub(1))),
        };
        climb.stage = Stage::Restarting(link);
        self.send_or_fail(request);
    }

    fn say_command(&mut self, link: Link) {
        let Doing::Climbing(climb) = &mut self.doing else { return };
        climb.stage = Stage::Commanded(link, None);
        let request = climb.ask.request.clone();
        self.send(request);
        if link.linked {
            self.fly();
        } else {
            self.out.push_back(Output::Accept { within: self.settings.rung_patience });
        }
    }

    pub(super) fn accepted(&mut self, result: Result<(), LinkFault>) {
        let rung = self.asked();
        let Doing::Climbing(climb) = &mut self.doing else { return };
        let Stage::Commanded(link, _) = &mut climb.stage else { return };
        match result {
            Ok(()) => {
                link.linked = true;
                self.open_when_ready();
            }
            // The server will say 425 in its own time; nothing can be asked of it until then.
            Err(fault) => {
                let why = format!("{rung}: {}", fault.cause());
                // The next session goes on where this one ends.
                self.rung = (climb.rung + 1) % self.settings.rungs.len();
                climb.steps.push(why.clone());
                let steps = std::mem::take(&mut climb.steps);
                self.out.push_back(Output::Stepped(why));
                self.out.push_back(Output::DropLink);
                self.doing = Doing::Abandoned;
                self.answer(Answer::Failed(Failed::NoRoad(steps)));
            }
        }
    }

    fn open_when_ready(&mut self) {
        let Doing::Climbing(climb) = &mut self.doing else { return };
        let Stage::Commanded(link, early) = &mut climb.stage else { return };
        if link.linked && (link.opened || early.is_some()) {
            let (link, early) = (*link, early.take());
            self.doing = Doing::Moving(early);
            self.carried(link);
        }
    }

    /// A rung has carried: the next transfer begins with it.
    fn carried(&mut self, link: Link) {
        if let Some(road) = link.road {
            let place = self.settings.rungs.iter().position(|rung| *rung == road.rung);
            self.rung = place.unwrap_or(self.rung);
            self.road = Some(road);
            let passive = road.rung.is_passive();
            if passive && self.settings.flights == Flights::Later {
                self.settings.flights = Flights::Now;
            }
            self.answer(Answer::Open(road));
        }
    }

    fn refused(&mut self, reply: ReceivedReply) {
        // Nobody asks any more for what was said beside it. A connection that was open before it stays so.
        for whom in self.expected.iter_mut().filter(|whom| **whom == Expected::Also) {
            *whom = Expected::Mentioned { kind: false };
        }
        if self.kept.is_none() {
            self.out.push_back(Output::DropLink);
        }
        self.doing = Doing::Idle;
        self.answer(Answer::Failed(Failed::Refused(reply)));
    }

    pub(super) fn send_or_fail(&mut self, request: Result<Request, Malformed>) {
        match request {
            Ok(request) => self.send(request),
            Err(fault) => {
                self.doing = Doing::Idle;
                self.answer(Answer::Failed(Failed::BadArgument(fault.to_string())));
            }
        }
    }
}

/// One of the two ways to tell an address; where one is refused the other may do. An IPv6 address has no PORT.
fn tell(at: SocketAddr, extended: bool) -> Result<Request, Malformed> {
    match at {
        SocketAddr::V4(v4) if !extended => Request::new(Verb::Port, hostport::write_port(v4)),
        _ => Request::new(Verb::Eprt, hostport::write_eprt(at)),
    }
}

/// Whether a NAT is likely before this address of ours.
fn is_private(local: SocketAddr) -> bool {
    matches!(local.ip().to_canonical(), IpAddr::V4(ip) if ip.is_private())
}

fn said(reply: &ReceivedReply) -> String {
    format!("{} {}", reply.code, reply.text())
}
