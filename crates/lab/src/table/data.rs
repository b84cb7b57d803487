//! The data connection comes about, and the bytes or their end do not.

use std::time::Duration;

use crate::scripted::{GOOD, Script};
use twoport_doctor::causes::{Cause, Side};

use super::PUBLIC;
use crate::situation::{At, HALF, NO, PLAIN, Peer, Rule, Situation};

pub(super) const ALL: &[Situation] = &[
    Situation {
        slug: "large-packets-vanish",
        sentence: "A link on the way takes packets of 1300 bytes only, and nobody hears of it (MTU black hole)",
        shows: "D1",
        cause: Cause::BlackHole,
        side: Side::ServerRouter,
        modes: [NO; 4],
        mtu: 1300,
        rules: &[Rule {
            at: At::Edge,
            hook: "output",
            lines: "icmp type destination-unreachable counter name hit drop",
        }],
        ..PLAIN
    },
    Situation {
        slug: "payload-filtered",
        sentence: "A box before the server lets data connections come about and drops all that the server sends on them",
        shows: "D3 D8",
        cause: Cause::PayloadFiltered,
        side: Side::ServerRouter,
        rules: &[Rule {
            at: At::Edge,
            hook: "forward",
            lines: "tcp sport 40000-40100 meta length > 80 counter name hit drop",
        }],
        ..PUBLIC
    },
    Situation {
        slug: "control-forgotten",
        sentence: "The client's NAT forgets connections that are quiet for 3 seconds: the file comes whole, and 226 never",
        shows: "D4",
        cause: Cause::IdleDropped,
        side: Side::ClientRouter,
        modes: [HALF, HALF, NO, NO],
        peer: Peer::Scripted(Script { rests: Duration::from_millis(400), ..GOOD }),
        settings: &[
            (At::Home, "net/netfilter/nf_conntrack_tcp_timeout_established", "3"),
            (At::Home, "net/netfilter/nf_conntrack_tcp_loose", "0"),
        ],
        ..PLAIN
    },
    Situation {
        slug: "end-of-data-lost",
        sentence: "The end of the data connection is dropped on the way: all bytes and 226 come, and it stays open",
        shows: "D5",
        cause: Cause::FinLost,
        side: Side::ServerRouter,
        modes: [HALF, HALF, NO, NO],
        rules: &[Rule {
            at: At::Edge,
            hook: "forward",
            lines: "tcp sport 40000-40100 tcp flags & fin == fin meta length < 80 counter name hit drop
                    tcp sport 40000-40100 tcp flags & fin == fin counter name hit tcp flags set psh | ack",
        }],
        ..PLAIN
    },
    Situation {
        slug: "data-reset",
        sentence: "A box before the server resets each data connection after some 90 kB",
        shows: "D6 D7",
        cause: Cause::MidReset,
        side: Side::ServerRouter,
        settings: &[(At::Edge, "net/netfilter/nf_conntrack_acct", "1")],
        rules: &[Rule {
            at: At::Edge,
            hook: "forward",
            lines: "tcp sport 40000-40100 ct bytes > 90000 counter name hit reject with tcp reset
                    tcp dport 40000-40100 ct bytes > 90000 counter name hit reject with tcp reset",
        }],
        ..PUBLIC
    },
    Situation {
        slug: "data-forgotten",
        sentence: "A box before the server drops each data connection in silence after some 90 kB",
        shows: "D8",
        cause: Cause::MidSilence,
        side: Side::ServerRouter,
        settings: &[(At::Edge, "net/netfilter/nf_conntrack_acct", "1")],
        rules: &[Rule {
            at: At::Edge,
            hook: "forward",
            lines: "tcp sport 40000-40100 ct bytes > 90000 counter name hit drop
                    tcp dport 40000-40100 ct bytes > 90000 counter name hit drop",
        }],
        ..PUBLIC
    },
];
