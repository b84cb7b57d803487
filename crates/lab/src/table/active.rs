//! Active mode, and what stands in its way. The servers have no passive mode, so that nothing else helps.

use crate::scripted::{GOOD, Script};
use twoport_doctor::causes::{Cause, Side};

use crate::situation::{At, ClientPlace, NO, PLAIN, Peer, Rule, ServerPlace, Situation, YES};

const ONLY_ACTIVE: Peer = Peer::Ours(&["--passive", "off"]);

/// A public client, and all in its way.
const BLOCKED: Situation =
    Situation { modes: [NO; 4], client: ClientPlace::Public, peer: ONLY_ACTIVE, ..PLAIN };

pub(super) const ALL: &[Situation] = &[
    Situation {
        slug: "active-only",
        sentence: "The server has no passive mode; the client is public",
        shows: "P20",
        cause: Cause::ActiveOnly,
        side: Side::Server,
        modes: [NO, NO, YES, YES],
        ..BLOCKED
    },
    Situation {
        slug: "active-behind-nat",
        sentence: "The server has no passive mode, and refuses to connect to the private address that a client behind NAT names",
        shows: "A1 A14",
        cause: Cause::ClientNatActive,
        side: Side::ClientRouter,
        client: ClientPlace::Home,
        ..BLOCKED
    },
    Situation {
        slug: "active-dropped-at-client",
        sentence: "The server has no passive mode, and the client's own firewall drops what comes in",
        shows: "A5",
        cause: Cause::ClientInboundBlocked,
        side: Side::Client,
        rules: &[Rule {
            at: At::Client,
            hook: "input",
            lines: "iifname lo accept
                    ct state established,related accept
                    meta l4proto { icmp, ipv6-icmp } accept
                    counter name hit drop",
        }],
        ..BLOCKED
    },
    Situation {
        slug: "active-rejected-at-client",
        sentence: "The server has no passive mode, and the client's own firewall answers what comes in with a reset",
        shows: "A6",
        cause: Cause::ClientInboundBlocked,
        side: Side::Client,
        rules: &[Rule {
            at: At::Client,
            hook: "input",
            lines: "iifname lo accept
                    ct state established,related accept
                    meta l4proto { icmp, ipv6-icmp } accept
                    meta l4proto tcp counter name hit reject with tcp reset",
        }],
        ..BLOCKED
    },
    Situation {
        slug: "active-from-20-only",
        sentence: "The server has no passive mode and connects from any port; the client's firewall lets in port 20 only",
        shows: "A9",
        cause: Cause::ClientInboundBlocked,
        side: Side::Client,
        rules: &[Rule {
            at: At::Client,
            hook: "input",
            lines: "iifname lo accept
                    ct state established accept
                    meta l4proto { icmp, ipv6-icmp } accept
                    tcp sport 20 accept
                    counter name hit drop",
        }],
        ..BLOCKED
    },
    Situation {
        slug: "active-dropped-at-server",
        sentence: "The server has no passive mode, and its own firewall lets no connection out",
        shows: "A8",
        cause: Cause::ServerEgress,
        side: Side::Server,
        rules: &[Rule {
            at: At::Server,
            hook: "output",
            lines: "oifname lo accept
                    ct state established,related accept
                    meta l4proto { icmp, ipv6-icmp } accept
                    counter name hit drop",
        }],
        ..BLOCKED
    },
    Situation {
        slug: "active-from-a-private-address",
        sentence: "The server has no passive mode, and its router lets data connections out under the private address",
        shows: "A10",
        cause: Cause::ActiveNotNatted,
        side: Side::ServerRouter,
        server: ServerPlace::Behind("tcp dport 21"),
        rules: &[
            Rule { at: At::Edge, hook: "postrouting", lines: "" },
            // There is no way back to such an address.
            Rule {
                at: At::Home,
                hook: "forward",
                lines: "iifname client ip daddr 192.168.0.0/16 counter name hit drop",
            },
        ],
        ..BLOCKED
    },
    Situation {
        slug: "active-from-a-private-address-filtered",
        sentence: "The same, and the client's provider drops what comes from private addresses",
        shows: "A10",
        cause: Cause::ActiveNotNatted,
        side: Side::ServerRouter,
        server: ServerPlace::Behind("tcp dport 21"),
        rules: &[
            Rule { at: At::Edge, hook: "postrouting", lines: "" },
            Rule {
                at: At::Home,
                hook: "forward",
                lines: "iifname edge ip saddr 192.168.0.0/16 counter name hit drop",
            },
        ],
        ..BLOCKED
    },
    Situation {
        slug: "eprt-refused",
        sentence: "The server has no passive mode and answers EPRT that it does not serve this family; PORT it takes",
        shows: "A12",
        cause: Cause::ActiveOnly,
        side: Side::Server,
        modes: [NO, NO, NO, YES],
        peer: Peer::Scripted(Script {
            epsv: "502 Not here.",
            pasv: "502 Not here.",
            eprt: "522 Network protocol not supported, use (2)",
            ..GOOD
        }),
        ..BLOCKED
    },
];
