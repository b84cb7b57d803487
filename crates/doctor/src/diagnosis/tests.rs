//! What was seen, as the probes would have noted it, and what follows.

use std::net::SocketAddr;

use twoport_plan::LinkFault;
use twoport_proto::Sightings;
use twoport_proto::sightings::Reading;

use super::Confidence::{Certain, Likely, Possible};
use super::*;
use crate::evidence::{Door, Flow, Greeting, Leg, Login, Mode, Path, Proxied};
use crate::host;
use crate::report::Report;

const SERVER: &str = "203.0.113.2:21";

fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn reply(text: &str) -> Option<Said> {
    let (code, text) = text.split_once(' ').unwrap();
    Some(Said { code: code.parse().unwrap(), text: text.to_owned() })
}

fn cell(mode: Mode, place: &str, said: &str, outcome: Outcome) -> Cell {
    let place = Some(place).filter(|place| !place.is_empty()).map(at);
    Cell { place, said: reply(said), took: Duration::from_millis(3), ..Cell::of(mode, outcome) }
}

fn silent(to: &str) -> Outcome {
    let after = Duration::from_millis(3300);
    Outcome::NoLink { fault: LinkFault::TimedOut { to: at(to), after }, after, held_back: Some(0) }
}

fn refused_after(to: &str, ms: u64) -> Outcome {
    Outcome::NoLink {
        fault: LinkFault::Refused { to: at(to), by: None },
        after: Duration::from_millis(ms),
        held_back: None,
    }
}

/// A session in the clear from behind a NAT, in which this was tried.
fn tried(cells: Vec<Cell>) -> Evidence {
    let mut evidence = Evidence::of_nothing("ftp.example.org", 21);
    evidence.addresses = Ok(vec![at(SERVER).ip()]);
    evidence.own = vec!["10.77.1.2".parse().unwrap()];
    evidence.local = evidence.own.first().copied();
    evidence.doors = vec![Door { at: at(SERVER), met: Ok(Duration::from_millis(20)) }];
    evidence.greeting = Some(Greeting {
        said: reply("220 ready"),
        after: Duration::from_millis(30),
        closed: false,
        strange: None,
    });
    evidence.legs = vec![Leg { at: at(SERVER), secure: false, login: Login::In, cells }];
    evidence
}

fn epsv(outcome: Outcome) -> Cell {
    cell(Mode::Epsv, "203.0.113.2:40012", "229 Entering Extended Passive Mode (|||40012|)", outcome)
}

fn pasv(outcome: Outcome) -> Cell {
    cell(Mode::Pasv, "203.0.113.2:40013", "227 Entering Passive Mode (203,0,113,2,156,77).", outcome)
}

fn unanswered(lost: u64) -> Outcome {
    Outcome::NoAnswer { lost: Some(lost), from: at("10.77.1.2:41000") }
}

fn port(outcome: Outcome) -> Cell {
    cell(Mode::Port, "10.77.1.2:4001", "200 PORT command successful.", outcome)
}

fn path(control: u8, last: u8, answered: Option<u8>) -> Option<Path> {
    let by = "198.51.100.2".parse().unwrap();
    Some(Path {
        control: Some(control),
        heard: true,
        port: 40014,
        last: Some((last, by)),
        answered,
        refused: answered.is_some(),
        as_far: None,
    })
}

/// What the server saw, in its own words.
fn told(lines: &str) -> Option<Box<Reading>> {
    let reading = Sightings::read(lines.lines().map(str::as_bytes));
    Some(Box::new(Reading { altered: false, ..reading }))
}

/// The same, with what the server saw of it.
fn told_by_both(cell: Cell, lines: &str) -> Evidence {
    let seen = told(lines);
    tried(vec![Cell { asked: Some("PORT 10,77,1,2,15,161".to_owned()), seen, ..cell }])
}

/// No address takes us in.
fn without_a_door(fault: LinkFault) -> Evidence {
    let mut evidence = tried(Vec::new());
    (evidence.legs, evidence.greeting) = (Vec::new(), None);
    evidence.doors = vec![Door { at: at(SERVER), met: Err(fault) }];
    evidence
}

/// Every case, by what it is.
fn all() -> Vec<(&'static str, Confidence, Evidence)> {
    let works = || Outcome::Works(120);
    let not_offered = |mode| cell(mode, "", "550 Permission denied.", Outcome::Refused);
    let shut = || vec![epsv(silent("203.0.113.2:40012")), pasv(silent("203.0.113.2:40013"))];
    let at_once =
        || vec![epsv(refused_after("203.0.113.2:40012", 1)), pasv(refused_after("203.0.113.2:40013", 1))];
    let late = |said: Option<Said>, after| Outcome::NotBegun { said, after };
    let waited = |dropped| {
        let (said, after) = (reply("425 Failed to establish connection."), Duration::from_secs(8));
        port(Outcome::NobodyCame { said, after, dropped: Some(dropped), first: None })
    };
    let no_answer = || without_a_door(LinkFault::TimedOut { to: at(SERVER), after: Duration::from_secs(6) });
    let greeted = |said: Option<Said>, closed| {
        let mut evidence = tried(Vec::new());
        evidence.legs = Vec::new();
        evidence.greeting = Some(Greeting { said, after: Duration::from_secs(1), closed, strange: None });
        evidence
    };
    let entered = |login: Login| {
        let mut evidence = tried(Vec::new());
        evidence.legs[0].login = login;
        evidence
    };
    let with = |mut evidence: Evidence, change: &dyn Fn(&mut Evidence)| {
        change(&mut evidence);
        evidence
    };
    let flow = |outcome: Outcome, cuts: u32| {
        with(tried(vec![epsv(works())]), &|evidence| {
            let took = Duration::from_secs(16);
            let outcome = outcome.clone();
            evidence.flow = Some(Flow { verb: "RETR", outcome, took, cuts, seen: None, unheard: None });
        })
    };
    let families = |dead: &str| {
        with(tried(vec![epsv(works())]), &|evidence| {
            let fault = LinkFault::TimedOut { to: at(dead), after: Duration::from_secs(6) };
            let alive = if at(dead).is_ipv4() { "[2001:db8::2]:21" } else { SERVER };
            evidence.doors =
                vec![Door { at: at(dead), met: Err(fault) }, Door { at: at(alive), met: Ok(Duration::ZERO) }];
        })
    };
    let helped = |cells: Vec<Cell>| with(tried(cells), &|evidence| evidence.helper = Some(true));
    let in_tls = |mut evidence: Evidence| {
        evidence.legs[0].secure = true;
        let login = Login::NeedsTls(reply("530 Non-anonymous sessions must use encryption.").unwrap());
        evidence.legs.push(Leg { at: at(SERVER), secure: false, login, cells: Vec::new() });
        evidence
    };
    let private = |peer: Outcome| {
        let told = "227 Entering Passive Mode (192,168,50,2,156,77).";
        vec![
            cell(Mode::Epsv, "", "550 Permission denied.", Outcome::Refused),
            cell(Mode::Pasv, "192.168.50.2:40013", told, silent("192.168.50.2:40013")),
            cell(Mode::PasvPeer, "203.0.113.2:40013", told, peer),
        ]
    };
    let stray = |told: &str, outcome: Outcome| {
        cell(Mode::Pasv, told, "227 Entering Passive Mode (1,2,3,4,156,77).", outcome)
    };
    vec![
        ("none", Certain, tried(vec![epsv(works()), pasv(works()), port(works())])),
        (
            "name-not-found",
            Certain,
            with(no_answer(), &|evidence| evidence.addresses = Err("Name or service not known".into())),
        ),
        ("nothing-listening", Likely, without_a_door(LinkFault::Refused { to: at(SERVER), by: None })),
        ("control-blocked", Likely, no_answer()),
        ("hairpin", Likely, with(no_answer(), &|evidence| evidence.is_our_router = true)),
        (
            "egress-only-through-proxy",
            Certain,
            with(no_answer(), &|evidence| {
                evidence.proxy = Some(Proxied {
                    what: "socks5h://10.77.1.1:1080, which ALL_PROXY names".into(),
                    works: Ok(()),
                });
            }),
        ),
        ("ipv6-only-path", Likely, families(SERVER)),
        ("ipv6-path-dead", Likely, families("[2001:db8::2]:21")),
        ("server-busy", Certain, greeted(reply("421 Too many users connected."), false)),
        ("server-busy", Likely, greeted(reply("421 Service not available."), false)),
        ("turned-away", Likely, greeted(None, true)),
        (
            "not-an-ftp-server",
            Certain,
            with(greeted(None, false), &|evidence| {
                let strange = Some("SSH-2.0-OpenSSH_9.2p1".to_owned());
                evidence.greeting = evidence.greeting.take().map(|greeting| Greeting { strange, ..greeting });
            }),
        ),
        ("implicit-tls-only", Certain, with(greeted(None, false), &|evidence| evidence.implicit = true)),
        (
            "slow-server-banner",
            Likely,
            with(tried(vec![epsv(works())]), &|evidence| {
                evidence.greeting = Some(Greeting {
                    said: reply("220 ready"),
                    after: Duration::from_secs(15),
                    closed: false,
                    strange: None,
                });
            }),
        ),
        ("login-refused", Certain, entered(Login::Refused(reply("530 Login incorrect.").unwrap()))),
        (
            "protect-required",
            Likely,
            entered(Login::NeedsTls(reply("530 Non-anonymous sessions must use encryption.").unwrap())),
        ),
        ("protect-required", Certain, in_tls(tried(vec![epsv(works())]))),
        ("certificate-not-trusted", Certain, entered(Login::Untrusted("it has expired".into()))),
        (
            "passive-range-dropped-at-server-host",
            Likely,
            with(tried(shut()), &|evidence| evidence.path = path(3, 2, None)),
        ),
        (
            "passive-range-dropped-at-router",
            Likely,
            with(tried(shut()), &|evidence| evidence.path = path(5, 2, None)),
        ),
        (
            "client-egress-blocked",
            Likely,
            tried(vec![epsv(Outcome::NoLink {
                fault: LinkFault::TimedOut { to: at("203.0.113.2:40012"), after: Duration::from_secs(3) },
                after: Duration::from_secs(3),
                held_back: Some(2),
            })]),
        ),
        (
            "egress-restricted-client",
            Likely,
            with(tried(shut()), &|evidence| evidence.path = path(5, 1, None)),
        ),
        (
            "passive-range-rejected",
            Likely,
            with(tried(at_once()), &|evidence| evidence.path = path(3, 2, Some(2))),
        ),
        ("related-not-accepted", Certain, helped(vec![epsv(refused_after("203.0.113.2:40012", 1040))])),
        (
            "range-partly-open",
            Likely,
            tried(vec![epsv(silent("203.0.113.2:40012")), pasv(works()), epsv(works())]),
        ),
        (
            "range-exhausted",
            Certain,
            tried(vec![cell(Mode::Epsv, "", "500 OOPS: vsf_sysutil_bind", Outcome::HungUp), port(works())]),
        ),
        ("wrong-address-in-227-private", Certain, tried(private(works()))),
        ("passive-range-rejected", Likely, tried(private(refused_after("203.0.113.2:40013", 1)))),
        (
            "wrong-address-in-227-stale",
            Certain,
            tried(vec![epsv(works()), stray("198.51.100.77:40013", silent("198.51.100.77:40013"))]),
        ),
        (
            "227-zero-address",
            Certain,
            tried(vec![not_offered(Mode::Epsv), stray("0.0.0.0:40013", silent("0.0.0.0:40013"))]),
        ),
        (
            "data-on-another-address",
            Certain,
            tried(vec![epsv(refused_after("203.0.113.2:40012", 1)), stray("203.0.113.9:40013", works())]),
        ),
        (
            "unparsable-227",
            Certain,
            tried(vec![
                not_offered(Mode::Epsv),
                cell(
                    Mode::Pasv,
                    "203.0.113.2:40013",
                    "227 Entering Passive Mode 203,0,113,2,156,77",
                    works(),
                ),
            ]),
        ),
        (
            "229-in-answer-to-pasv",
            Likely,
            tried(vec![
                not_offered(Mode::Epsv),
                cell(
                    Mode::Pasv,
                    "203.0.113.2:40013",
                    "229 Entering Extended Passive Mode (|||40013|)",
                    works(),
                ),
            ]),
        ),
        ("epsv-rejected", Certain, tried(vec![not_offered(Mode::Epsv), pasv(works())])),
        ("pasv-refused-epsv-only", Certain, tried(vec![epsv(works()), not_offered(Mode::Pasv)])),
        (
            "alg-swallows-epsv",
            Likely,
            tried(vec![Cell { said: None, ..cell(Mode::Epsv, "", "1 x", unanswered(6)) }, pasv(works())]),
        ),
        (
            "helper-half-match",
            Likely,
            helped(vec![epsv(works()), Cell { said: None, ..cell(Mode::Pasv, "", "1 x", unanswered(0)) }]),
        ),
        (
            "helper-plus-masquerade",
            Certain,
            helped(vec![epsv(works()), pasv(refused_after("203.0.113.2:40013", 1))]),
        ),
        (
            "alg-rewrites-wrongly",
            Likely,
            tried(vec![epsv(refused_after("203.0.113.2:40012", 1)), pasv(works())]),
        ),
        ("tls-blinds-helper", Likely, in_tls(helped(at_once()))),
        (
            "data-from-other-address",
            Likely,
            tried(vec![epsv(late(reply("425 Security: Bad IP connecting."), Duration::from_millis(3)))]),
        ),
        (
            "data-from-other-address",
            Certain,
            with(tried(vec![epsv(late(reply("425 No."), Duration::from_millis(3)))]), &|evidence| {
                evidence.seen_as = ["198.51.100.1", "198.51.100.9"].map(|ip| ip.parse().unwrap()).into()
            }),
        ),
        (
            "accepted-by-something-else",
            Certain,
            with(
                tried(vec![epsv(late(reply("425 Failed to establish connection."), Duration::from_secs(8)))]),
                &|evidence| evidence.path = path(3, 1, Some(2)),
            ),
        ),
        (
            "pasv-disabled-active-only-server",
            Certain,
            tried(vec![not_offered(Mode::Epsv), not_offered(Mode::Pasv), port(works())]),
        ),
        (
            "client-nat-active",
            Likely,
            tried(vec![
                not_offered(Mode::Epsv),
                not_offered(Mode::Pasv),
                cell(Mode::Port, "10.77.1.2:4001", "500 Illegal PORT command.", Outcome::Refused),
            ]),
        ),
        (
            "client-inbound-blocked",
            Likely,
            tried(vec![
                not_offered(Mode::Epsv),
                port(Outcome::NobodyCame {
                    said: reply("425 Failed to establish connection."),
                    after: Duration::from_secs(8),
                    dropped: Some(4),
                    first: None,
                }),
            ]),
        ),
        (
            "server-egress-blocks-active",
            Possible,
            tried(vec![
                not_offered(Mode::Epsv),
                port(Outcome::NobodyCame {
                    said: reply("425 Failed to establish connection."),
                    after: Duration::from_secs(8),
                    dropped: Some(0),
                    first: None,
                }),
            ]),
        ),
        (
            "egress-restricted-client",
            Likely,
            with(tried(shut()), &|evidence| {
                evidence.path = path(3, 1, None).map(|path| Path { last: None, ..path });
            }),
        ),
        (
            "alg-rewrites-wrongly",
            Certain,
            told_by_both(shut().remove(0), " told: 229 Entering Extended Passive Mode (|||41012|)."),
        ),
        (
            "data-from-other-address",
            Certain,
            told_by_both(
                epsv(late(None, Duration::from_secs(12))),
                " peer: 198.51.100.1:4000\n port: 40012\n first-packet: no\n came: 198.51.100.9:4001 stranger",
            ),
        ),
        (
            "accepted-by-something-else",
            Certain,
            told_by_both(epsv(late(None, Duration::from_secs(12))), " port: 40012\n first-packet: no"),
        ),
        (
            "passive-answer-lost",
            Certain,
            told_by_both(shut().remove(0), " port: 40012\n first-packet: yes\n dropped: 0"),
        ),
        (
            "passive-range-dropped-at-server-host",
            Certain,
            told_by_both(shut().remove(0), " first-packet: no\n dropped: 2"),
        ),
        (
            "passive-range-dropped-at-router",
            Certain,
            told_by_both(shut().remove(0), " first-packet: no\n dropped: 0"),
        ),
        (
            "passive-range-rejected",
            Certain,
            told_by_both(at_once().remove(0), " first-packet: no\n dropped: 0"),
        ),
        ("server-egress-blocks-active", Certain, told_by_both(waited(4), " dial: timed-out\n held-back: 3")),
        ("client-inbound-blocked", Certain, told_by_both(waited(4), " dial: timed-out\n held-back: 0")),
        (
            "related-not-accepted",
            Certain,
            told_by_both(waited(0), " heard: PORT 198,51,100,1,15,161\n dial: timed-out\n held-back: 0"),
        ),
        (
            "active-not-source-natted",
            Possible,
            told_by_both(waited(0), " reached: 192.168.50.2:21\n dial: timed-out\n held-back: 0"),
        ),
        ("active-blocked-on-the-way", Certain, told_by_both(waited(0), " dial: timed-out\n held-back: 0")),
        (
            "active-blocked-on-the-way",
            Certain,
            told_by_both(waited(0), " dial: refused\n dial-by: 198.51.100.1"),
        ),
        (
            "public-address-told-in-lan",
            Certain,
            with(
                tried(vec![epsv(works()), stray("198.51.100.77:40013", silent("198.51.100.77:40013"))]),
                &|evidence| {
                    evidence.legs[0].at = at("192.168.50.2:21");
                },
            ),
        ),
        ("mid-transfer-silence", Likely, flow(Outcome::Stalled(90_000), 0)),
        (
            "active-not-source-natted",
            Certain,
            tried(vec![
                not_offered(Mode::Epsv),
                port(Outcome::NobodyCame {
                    said: reply("425 Failed to establish connection."),
                    after: Duration::from_secs(8),
                    dropped: Some(0),
                    first: Some("192.168.50.2".parse().unwrap()),
                }),
            ]),
        ),
        (
            "tls-session-reuse-required",
            Certain,
            with(in_tls(tried(vec![epsv(works())])), &|evidence| {
                let said = reply("522 SSL connection failed; session reuse required");
                evidence.afresh = Some(Outcome::NotBegun { said, after: Duration::ZERO });
            }),
        ),
        (
            "mtu-black-hole",
            Certain,
            with(flow(Outcome::Stalled(0), 0), &|evidence| {
                evidence.small = Some((1220, Outcome::Works(65536)))
            }),
        ),
        (
            "mtu-black-hole",
            Certain,
            with(tried(vec![epsv(works())]), &|evidence| {
                (evidence.mute, evidence.small) = (true, Some((536, Outcome::Works(0))));
            }),
        ),
        (
            "payload-filtered",
            Possible,
            with(flow(Outcome::Stalled(0), 0), &|evidence| evidence.small = Some((536, Outcome::Stalled(0)))),
        ),
        ("idle-control-dropped", Likely, flow(Outcome::NoWord(200_000), 0)),
        (
            "idle-control-dropped",
            Certain,
            with(flow(Outcome::NoWord(200_000), 0), &|evidence| {
                evidence.flow.as_mut().unwrap().unheard = Some(6);
            }),
        ),
        ("mid-transfer-reset", Likely, flow(Outcome::Works(200_000), 2)),
        ("data-fin-lost", Likely, flow(Outcome::NoEnd(200_000), 0)),
    ]
}

#[test]
fn each_is_named_and_as_sure_as_it_can_be() {
    for (slug, confidence, evidence) in all() {
        let found = diagnose(&evidence);
        assert_eq!((found.cause.entry().slug, found.confidence), (slug, confidence), "{evidence:?}");
        assert!(!found.because.is_empty(), "{slug} is not told why");
    }
}

#[test]
fn every_cause_has_a_case() {
    let named: Vec<&str> = all().into_iter().map(|(slug, ..)| slug).collect();
    for cause in Cause::ALL {
        let slug = cause.entry().slug;
        // A shifted port looks like a closed one from here; what fits nothing has no sample.
        let unseen = matches!(cause, Cause::Unknown | Cause::PortShift);
        assert_eq!(named.contains(&slug), !unseen, "{slug}");
    }
}

#[test]
fn a_nat_is_certain_where_the_server_tells_whom_it_sees() {
    let not_offered = |mode| cell(mode, "", "550 Permission denied.", Outcome::Refused);
    let illegal = || cell(Mode::Port, "10.77.1.2:4001", "500 Illegal PORT command.", Outcome::Refused);
    let mut evidence = told_by_both(illegal(), " peer: 198.51.100.1:4000");
    evidence.legs[0].cells.splice(0..0, [not_offered(Mode::Epsv), not_offered(Mode::Pasv)]);
    let found = diagnose(&evidence);
    assert_eq!((found.cause, found.confidence), (Cause::ClientNatActive, Certain));
    (evidence.helper, evidence.legs[0].secure) = (Some(true), true);
    let found = diagnose(&evidence);
    assert_eq!((found.cause, found.confidence), (Cause::TlsBlindsHelper, Certain));
}

#[test]
fn what_stands_still_or_is_cut_is_certain_where_the_server_tells_the_same() {
    for (outcome, cuts, lines, cause) in [
        (Outcome::Works(200_000), 1, " fault: reset", Cause::MidReset),
        (Outcome::Stalled(90_000), 0, " unacknowledged: 65536", Cause::MidSilence),
        (Outcome::Stalled(0), 0, " unacknowledged: 5", Cause::PayloadFiltered),
    ] {
        let mut evidence = tried(vec![epsv(Outcome::Works(1))]);
        let took = Duration::from_secs(4);
        evidence.flow = Some(Flow { verb: "RETR", outcome, took, cuts, seen: told(lines), unheard: None });
        evidence.small = Some((536, Outcome::Stalled(0)));
        let found = diagnose(&evidence);
        assert_eq!((found.cause, found.confidence), (cause, Certain), "{evidence:?}");
        // What was changed on the way is nobody's word.
        evidence.flow.as_mut().unwrap().seen.as_mut().unwrap().altered = true;
        assert_ne!(diagnose(&evidence).confidence, Certain);
    }
    let mut evidence = told_by_both(epsv(Outcome::Stalled(0)), " unacknowledged: 120");
    evidence.small = Some((536, Outcome::Stalled(0)));
    let found = diagnose(&evidence);
    assert_eq!(
        (found.cause, found.confidence),
        (Cause::PayloadFiltered, Certain),
        "where no mode has brought a byte"
    );
}

#[test]
fn a_dead_family_is_certain_where_the_server_tells_that_it_is_its_own() {
    let dead = at("[2001:db8::2]:21");
    let fault = LinkFault::TimedOut { to: dead, after: Duration::from_secs(6) };
    for (listens, sure) in [("[2001:db8::2]:21", Certain), ("[2001:db8::3]:21", Likely)] {
        let mut evidence =
            told_by_both(epsv(Outcome::Works(1)), &format!(" listens: {SERVER}\n listens: {listens}"));
        evidence.doors.insert(0, Door { at: dead, met: Err(fault.clone()) });
        let found = diagnose(&evidence);
        assert_eq!((found.cause, found.confidence), (Cause::Ipv6Dead, sure));
    }
}

#[test]
fn without_a_login_the_servers_own_side_makes_it_certain() {
    let side = |listens: bool, let_through| Some(host::Door { at: at("[::]:21"), listens, let_through });
    let shut = |fault: LinkFault, server_door, hop: u8| {
        let path = path(3, hop, None);
        let evidence = Evidence { server_door, path, machine: Some(3), ..without_a_door(fault) };
        let found = diagnose(&evidence);
        (found.cause, found.side, found.confidence)
    };
    let refused = || LinkFault::Refused { to: at(SERVER), by: None };
    let silent = || LinkFault::TimedOut { to: at(SERVER), after: Duration::from_secs(6) };
    let (nothing, blocked) = (Cause::NothingListening, Cause::ControlBlocked);
    for (fault, side, hop, expected) in [
        (refused(), None, 2, (nothing, Side::Server, Likely)),
        (refused(), side(false, None), 2, (nothing, Side::Server, Certain)),
        // Who refuses is somebody else.
        (refused(), side(true, Some(true)), 1, (blocked, Side::ServerRouter, Likely)),
        (silent(), side(true, Some(true)), 2, (blocked, Side::ServerRouter, Certain)),
        // It may be our own router.
        (silent(), side(true, Some(true)), 1, (blocked, Side::ServerRouter, Likely)),
        (silent(), side(true, None), 2, (blocked, Side::ServerRouter, Likely)),
        (silent(), side(false, Some(true)), 2, (blocked, Side::ServerRouter, Likely)),
        (silent(), side(true, Some(false)), 2, (blocked, Side::Server, Certain)),
    ] {
        assert_eq!(shut(fault.clone(), side, hop), expected, "{fault:?} {side:?} {hop}");
    }
    let inside = Some(at("192.168.50.2:21"));
    let hairpin = Evidence { is_our_router: true, inside, ..without_a_door(silent()) };
    let found = diagnose(&hairpin);
    assert_eq!((found.cause, found.confidence), (Cause::Hairpin, Certain));
}

#[test]
fn a_refusal_that_the_server_knows_nothing_of_is_not_its_own() {
    let refused =
        || told_by_both(epsv(refused_after("203.0.113.2:40012", 1)), " first-packet: no\n dropped: 0");
    let found = diagnose(&refused());
    assert_eq!((found.cause, found.confidence), (Cause::PassiveRejected, Certain));
    let found = diagnose(&Evidence { shifted: Some((45012, 40012)), ..refused() });
    assert_eq!((found.cause, found.confidence), (Cause::PortShift, Certain));
    // A bridge before the server is as far away as it is.
    let path = path(3, 2, Some(3)).map(|path| Path { as_far: Some(true), ..path });
    let found = diagnose(&Evidence { path, ..refused() });
    assert_eq!((found.cause, found.confidence), (Cause::PassiveRejected, Certain));
    assert!(found.because.iter().any(|because| because.contains("as many routers")), "{:?}", found.because);
}

#[test]
fn an_end_that_is_lost_is_certain_where_the_server_has_sent_as_much_as_came() {
    for (sent, sure) in [(120, Certain), (121, Likely)] {
        let evidence = told_by_both(epsv(Outcome::NoEnd(120)), &format!(" told: x\n sent: {sent}"));
        let found = diagnose(&evidence);
        assert_eq!((found.cause, found.confidence), (Cause::FinLost, sure));
    }
}

#[test]
fn half_a_reply_is_certain_where_the_server_tells_that_it_was_not_heard() {
    let unheard = |from: &str| {
        let mut evidence =
            told_by_both(epsv(Outcome::Works(1)), &format!(" mss: 58\n unheard: {from} 51\n told: x"));
        evidence.helper = Some(true);
        evidence.legs[0].cells.push(Cell::of(Mode::Pasv, unanswered(0)));
        let found = diagnose(&evidence);
        assert_eq!(found.cause, Cause::HelperHalfMatch);
        (found.confidence, found.side)
    };
    // A NAT may give us another address. Who gives no room for a reply in one piece is not the server.
    assert_eq!(unheard("198.51.100.1:41000"), (Certain, Side::ServerRouter));
    assert_eq!(unheard("198.51.100.1:41001").0, Likely);
}

#[test]
fn a_swallowed_epsv_is_certain_where_the_server_is_one_that_answers_it() {
    let mut evidence =
        told_by_both(pasv(Outcome::Works(1)), " told: 227 Entering Passive Mode (1,2,3,4,156,77).");
    let swallowed = Cell::of(Mode::Epsv, unanswered(6));
    evidence.legs[0].cells.insert(0, swallowed);
    let found = diagnose(&evidence);
    assert_eq!((found.cause, found.confidence), (Cause::EpsvSwallowed, Certain));
}

#[test]
fn where_only_active_mode_is_offered_the_helper_is_the_clients() {
    let refused = |mode| cell(mode, "", "550 Permission denied.", Outcome::Refused);
    let second = Outcome::NobodyCame {
        said: reply("425 Failed to establish connection."),
        after: Duration::from_millis(1030),
        dropped: Some(0),
        first: None,
    };
    let illegal = cell(Mode::Port, "10.77.1.2:4001", "500 Illegal PORT command.", Outcome::Refused);
    for (cell, secure, slug) in
        [(port(second), false, "related-not-accepted"), (illegal, true, "tls-blinds-helper")]
    {
        let mut evidence = tried(vec![refused(Mode::Epsv), refused(Mode::Pasv), cell]);
        (evidence.helper, evidence.legs[0].secure) = (Some(true), secure);
        let found = diagnose(&evidence);
        assert_eq!((found.cause.entry().slug, found.side), (slug, Side::ClientRouter), "{evidence:?}");
    }
}

#[test]
fn what_fits_nothing_is_not_guessed() {
    let evidence = tried(vec![epsv(Outcome::NoTls { why: "strange".to_owned(), said: None })]);
    assert_eq!(diagnose(&evidence).cause, Cause::Unknown);
    // Nor called well because another mode works.
    let strange = epsv(Outcome::NoTls { why: "strange".to_owned(), said: None });
    let evidence = tried(vec![strange, port(Outcome::Works(1))]);
    let found = diagnose(&evidence);
    assert_eq!((found.cause, found.verdict), (Cause::Unknown, Verdict::Degraded));
}

#[test]
fn reports_say_it_in_words_in_a_figure_and_as_json() {
    let shown = [
        "none",
        "passive-range-dropped-at-server-host",
        "client-inbound-blocked",
        "wrong-address-in-227-private",
        "nothing-listening",
        "epsv-rejected",
    ];
    for slug in shown {
        let (.., evidence) = all().into_iter().find(|(other, ..)| *other == slug).unwrap();
        let report = Report::of(evidence);
        let json = serde_json::to_string_pretty(&report.json()).unwrap();
        let svg = report.figure().unwrap().svg();
        insta::assert_snapshot!(slug, format!("{report}\n======== JSON\n{json}\n======== SVG\n{svg}"));
    }
}
