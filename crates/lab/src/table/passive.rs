//! The passive port is told right, and the way to it is closed, or leads elsewhere.

use crate::scripted::{GOOD, Script};
use twoport_doctor::causes::{Cause, Side};

use super::{PUBLIC, TELLS};
use crate::situation::{At, Beside, ClientPlace, NO, PLAIN, Peer, Rule, ServerPlace, Situation, YES};

/// A firewall of the server's own that lets in the control connection only.
const ONLY_CONTROL: Rule = Rule {
    at: At::Server,
    hook: "input",
    lines: "iifname lo accept
            ct state established,related accept
            meta l4proto { icmp, ipv6-icmp } accept
            tcp dport 21 accept
            counter name hit drop",
};

pub(super) const ALL: &[Situation] = &[
    Situation {
        slug: "range-dropped-at-server",
        sentence: "The server's own firewall lets port 21 in and drops the passive ports",
        shows: "P1",
        cause: Cause::PassiveDroppedAtHost,
        side: Side::Server,
        rules: &[ONLY_CONTROL],
        ..PUBLIC
    },
    Situation {
        slug: "range-dropped-behind-nat",
        sentence: "The same for a client behind NAT, who has no active mode either",
        shows: "P1",
        cause: Cause::PassiveDroppedAtHost,
        side: Side::Server,
        modes: [NO; 4],
        rules: &[ONLY_CONTROL],
        ..PLAIN
    },
    Situation {
        slug: "range-dropped-at-router",
        sentence: "The router before the server lets port 21 in and drops the passive ports",
        shows: "P2",
        cause: Cause::PassiveDroppedAtRouter,
        side: Side::ServerRouter,
        rules: &[Rule {
            at: At::Edge,
            hook: "forward",
            lines: "ct state established,related accept
                    iifname server accept
                    meta l4proto { icmp, ipv6-icmp } accept
                    tcp dport 21 accept
                    counter name hit drop",
        }],
        ..PUBLIC
    },
    Situation {
        slug: "range-reset",
        sentence: "The router before the server answers the passive ports with a reset",
        shows: "P3",
        cause: Cause::PassiveRejected,
        side: Side::ServerRouter,
        rules: &[Rule {
            at: At::Edge,
            hook: "forward",
            lines: "tcp dport 40000-40100 ct state new counter name hit reject with tcp reset",
        }],
        ..PUBLIC
    },
    Situation {
        slug: "range-prohibited",
        sentence: "The router before the server answers the passive ports with ICMP: prohibited",
        shows: "P4",
        cause: Cause::PassiveRejected,
        side: Side::ServerRouter,
        rules: &[Rule {
            at: At::Edge,
            hook: "forward",
            lines: "tcp dport 40000-40100 ct state new counter name hit reject with icmpx type admin-prohibited",
        }],
        ..PUBLIC
    },
    Situation {
        slug: "range-not-forwarded",
        sentence: "The NAT before the server forwards port 21 only; the client is behind NAT too",
        shows: "P7",
        cause: Cause::PassiveRejected,
        side: Side::ServerRouter,
        modes: [NO; 4],
        server: ServerPlace::Behind("tcp dport 21"),
        peer: TELLS,
        ..PLAIN
    },
    Situation {
        slug: "range-shifted",
        sentence: "The NAT before the server shows the passive ports under other numbers than the server tells",
        shows: "P15",
        cause: Cause::PortShift,
        side: Side::ServerRouter,
        server: ServerPlace::Behind(""),
        peer: Peer::Ours(&["--passive-address", "198.51.100.2", "--passive-ports", "40000-40003"]),
        rules: &[Rule {
            at: At::Edge,
            hook: "prerouting",
            lines: "ip daddr 198.51.100.2 tcp dport 21 dnat ip to 192.168.50.2
                    ip daddr 198.51.100.2 dnat ip to tcp dport map {
                        45000: 192.168.50.2 . 40000, 45001: 192.168.50.2 . 40001,
                        45002: 192.168.50.2 . 40002, 45003: 192.168.50.2 . 40003 }",
        }],
        ..PUBLIC
    },
    Situation {
        slug: "range-to-another-server",
        sentence: "A balancer sends data connections to another server than the control connection",
        shows: "P14",
        cause: Cause::AcceptedElsewhere,
        also: &[Cause::PassiveRejected],
        side: Side::ServerRouter,
        server: ServerPlace::Behind(""),
        peer: TELLS,
        beside: &[Beside::SecondServer],
        rules: &[Rule {
            at: At::Edge,
            hook: "prerouting",
            lines: "ip daddr 198.51.100.2 tcp dport 21 dnat ip to 192.168.50.2
                    ip daddr 198.51.100.2 tcp dport 40000-40100 counter name hit dnat ip to 192.168.60.2",
        }],
        ..PUBLIC
    },
    Situation {
        slug: "range-half-open",
        sentence: "The router before the server drops some of the passive ports; of two that are told in turn, the first",
        shows: "-",
        cause: Cause::RangePartlyOpen,
        side: Side::ServerRouter,
        modes: [NO, YES, NO, NO],
        client: ClientPlace::Home,
        peer: Peer::Scripted(Script { ports: &[40_001, 40_002], ..GOOD }),
        rules: &[Rule { at: At::Edge, hook: "forward", lines: "tcp dport 40001 counter name hit drop" }],
        ..PLAIN
    },
    Situation {
        slug: "range-left",
        sentence: "The server's passive range is spent, and it tells ports outside of what the router lets in",
        shows: "P10",
        cause: Cause::RangeExhausted,
        also: &[Cause::PassiveDroppedAtHost, Cause::PassiveDroppedAtRouter],
        side: Side::Server,
        peer: Peer::Scripted(Script { ports: &[45_000, 45_001, 45_002, 45_003], ..GOOD }),
        rules: &[Rule {
            at: At::Edge,
            hook: "forward",
            lines: "ct state established,related accept
                    iifname server accept
                    tcp dport { 21, 40000-40100 } accept
                    counter name hit drop",
        }],
        ..PUBLIC
    },
    Situation {
        slug: "range-spent",
        sentence: "The only passive port is taken by another program",
        shows: "P10 P11",
        cause: Cause::RangeExhausted,
        side: Side::Server,
        peer: Peer::Ours(&["--passive-ports", "40000-40000"]),
        beside: &[Beside::Mute(At::Server, 40_000)],
        ..PUBLIC
    },
    Situation {
        slug: "data-from-elsewhere",
        sentence: "The client's NAT sends data connections from another public address than the control connection",
        shows: "P12",
        cause: Cause::DataFromOther,
        side: Side::ClientRouter,
        modes: [NO; 4],
        client: ClientPlace::Home,
        rules: &[Rule {
            at: At::Home,
            hook: "postrouting",
            lines: "oifname edge tcp dport 21 snat ip to 198.51.100.1
                    oifname edge meta nfproto ipv4 counter name hit snat ip to 198.51.100.9",
        }],
        ..PLAIN
    },
    Situation {
        slug: "data-taken-by-a-box",
        sentence: "A box before the server takes the data connections itself and is silent",
        shows: "P13",
        cause: Cause::AcceptedElsewhere,
        side: Side::ServerRouter,
        beside: &[Beside::Mute(At::Edge, 2101)],
        rules: &[Rule {
            at: At::Edge,
            hook: "prerouting",
            lines: "iifname home tcp dport 40000-40100 counter name hit redirect to :2101",
        }],
        ..PUBLIC
    },
    Situation {
        slug: "only-by-proxy",
        sentence: "The client's router lets nothing out; a SOCKS proxy does, and ALL_PROXY names it",
        shows: "P25",
        cause: Cause::ProxyOnly,
        side: Side::ClientRouter,
        modes: [NO; 4],
        client: ClientPlace::Home,
        beside: &[Beside::Socks(At::Home, 1080)],
        proxy: Some("socks5h://10.77.1.1:1080"),
        rules: &[Rule { at: At::Home, hook: "forward", lines: "counter name hit drop" }],
        ..PLAIN
    },
    Situation {
        slug: "only-known-ports-out",
        sentence: "The client's router lets out the ports 21, 80 and 443 and no others",
        shows: "P25",
        cause: Cause::EgressRestricted,
        side: Side::ClientRouter,
        rules: &[Rule {
            at: At::Home,
            hook: "forward",
            lines: "ct state established,related accept
                    iifname edge accept
                    meta l4proto { icmp, ipv6-icmp } accept
                    tcp dport { 21, 80, 443 } accept
                    counter name hit drop",
        }],
        ..PUBLIC
    },
];
