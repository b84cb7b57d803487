//! Routers that read the control connection and open what it names: the kernel's FTP helper, and what it cannot do.

use twoport_doctor::causes::{Cause, Side};

use super::TELLS;
use crate::situation::{At, ClientPlace, NO, PLAIN, Peer, Rule, ServerPlace, Situation, Tls, YES};

/// The NAT before the server forwards port 21 and leaves the rest to its helper.
const HELPED: Situation =
    Situation { server: ServerPlace::Behind("tcp dport 21"), helpers: &[(At::Edge, 21)], ..PLAIN };

/// A server without passive mode, and a helper at the client's router.
const ACTIVE: Situation =
    Situation { peer: Peer::Ours(&["--passive", "off"]), helpers: &[(At::Home, 21)], ..PLAIN };

pub(super) const ALL: &[Situation] = &[
    Situation {
        slug: "helper",
        sentence: "Nothing is wrong: the NAT before the server forwards port 21, and its helper opens the rest",
        ..HELPED
    },
    Situation {
        slug: "helper-and-advertised-address",
        sentence: "The NAT before the server has a helper, and the server tells the public address itself",
        shows: "P8",
        cause: Cause::HelperMasquerade,
        side: Side::Server,
        modes: [YES, NO, NO, NO],
        peer: TELLS,
        ..HELPED
    },
    Situation {
        slug: "helper-half-match",
        sentence: "A router makes segments so small that 227 goes in two pieces, and its helper drops the half that it recognises",
        shows: "A4",
        cause: Cause::HelperHalfMatch,
        side: Side::ServerRouter,
        modes: [YES, NO, NO, NO],
        rules: &[Rule {
            at: At::Edge,
            hook: "forward",
            lines: "iifname home tcp dport 21 tcp flags & syn == syn counter name hit tcp option maxseg size set 58
                    ct state established,related accept
                    iifname != home accept
                    ct status dnat accept
                    drop",
        }],
        ..HELPED
    },
    Situation {
        slug: "helper-and-tls",
        sentence: "The NAT before the server relies on its helper, and TLS hides what it has to read",
        shows: "P9",
        cause: Cause::TlsBlindsHelper,
        side: Side::ServerRouter,
        modes: [NO, NO, YES, YES],
        tls: Tls::Explicit,
        client: ClientPlace::Public,
        ..HELPED
    },
    Situation {
        slug: "helper-without-related",
        sentence: "The NAT before the server has a helper, and its filter does not let in what the helper expects",
        shows: "A7",
        cause: Cause::RelatedNotAccepted,
        side: Side::ServerRouter,
        modes: [NO, NO, YES, YES],
        client: ClientPlace::Public,
        rules: &[Rule {
            at: At::Edge,
            hook: "forward",
            lines: "ct state established accept
                    iifname != home accept
                    meta l4proto { icmp, ipv6-icmp } accept
                    ct state new tcp dport 21 accept
                    counter name hit drop",
        }],
        ..HELPED
    },
    Situation {
        slug: "client-helper",
        sentence: "The server has no passive mode; the helper of the client's router makes active mode work",
        shows: "P20",
        cause: Cause::ActiveOnly,
        side: Side::Server,
        modes: [NO, NO, YES, YES],
        ..ACTIVE
    },
    Situation {
        slug: "client-helper-and-tls",
        sentence: "The server has no passive mode, and TLS hides PORT from the helper of the client's router",
        shows: "A2",
        cause: Cause::TlsBlindsHelper,
        side: Side::ClientRouter,
        modes: [NO; 4],
        tls: Tls::Explicit,
        ..ACTIVE
    },
    Situation {
        slug: "client-helper-on-another-port",
        sentence: "The server has no passive mode and listens on 2121, where the client's router does not look for FTP",
        shows: "A3",
        cause: Cause::ClientNatActive,
        side: Side::ClientRouter,
        modes: [NO; 4],
        port: 2121,
        ..ACTIVE
    },
    Situation {
        slug: "client-helper-without-related",
        sentence: "The server has no passive mode; the client's router has a helper, and its filter does not let in what that expects",
        shows: "A7",
        cause: Cause::RelatedNotAccepted,
        side: Side::ClientRouter,
        modes: [NO; 4],
        rules: &[Rule {
            at: At::Home,
            hook: "forward",
            lines: "ct state established accept
                    iifname client accept
                    meta l4proto { icmp, ipv6-icmp } accept
                    counter name hit drop",
        }],
        ..ACTIVE
    },
];
