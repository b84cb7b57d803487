//! What a server tells of its passive port: refused, in another form, or the wrong address.

use crate::scripted::{GOOD, Script};
use twoport_doctor::causes::{Cause, Side};

use crate::situation::{At, ClientPlace, NO, PEER, PLAIN, Peer, Rule, ServerPlace, Situation, YES};

/// An old server.
const NO_EPSV: Script = Script { epsv: "500 'EPSV': command not understood.", ..GOOD };

/// A NAT before the server that forwards all that is needed.
const FORWARDED: ServerPlace = ServerPlace::Behind("tcp dport { 21, 40000-40100 }");

pub(super) const ALL: &[Situation] = &[
    Situation {
        slug: "epsv-unknown",
        sentence: "The server, or a box before it, does not know EPSV",
        shows: "P17",
        cause: Cause::EpsvRejected,
        side: Side::Server,
        modes: [NO, YES, NO, NO],
        peer: Peer::Scripted(NO_EPSV),
        ..PLAIN
    },
    Situation {
        slug: "epsv-other-family",
        sentence: "The server answers EPSV that it does not serve this family",
        shows: "P18",
        cause: Cause::EpsvRejected,
        side: Side::Server,
        modes: [NO, YES, NO, NO],
        peer: Peer::Scripted(Script { epsv: "522 Network protocol not supported, use (1)", ..GOOD }),
        ..PLAIN
    },
    Situation {
        slug: "pasv-refused",
        sentence: "The server refuses PASV, as after EPSV ALL, and takes EPSV",
        shows: "P20",
        cause: Cause::PasvRefused,
        side: Side::Server,
        modes: [YES, NO, NO, NO],
        peer: Peer::Scripted(Script { pasv: "550 Permission denied.", ..GOOD }),
        ..PLAIN
    },
    Situation {
        slug: "epsv-swallowed",
        sentence: "A box on the way drops every packet that begins with EPSV, so the control connection hangs",
        shows: "D20",
        cause: Cause::EpsvSwallowed,
        side: Side::ServerRouter,
        modes: [NO, YES, NO, NO],
        rules: &[Rule {
            at: At::Edge,
            hook: "forward",
            lines: "tcp dport 21 @ih,0,32 0x45505356 counter name hit drop",
        }],
        ..PLAIN
    },
    Situation {
        slug: "227-without-parentheses",
        sentence: "227 has its numbers without parentheses, and there is no EPSV",
        shows: "P21",
        cause: Cause::Unparsable227,
        side: Side::Server,
        modes: [NO, YES, NO, NO],
        peer: Peer::Scripted(Script { pasv: "227 Entering Passive Mode {host},{halves}", ..NO_EPSV }),
        ..PLAIN
    },
    Situation {
        slug: "227-without-numbers",
        sentence: "227 has no numbers at all, and there is no EPSV; the client is public",
        shows: "P21",
        cause: Cause::Unparsable227,
        side: Side::Server,
        modes: [NO, NO, YES, YES],
        client: ClientPlace::Public,
        peer: Peer::Scripted(Script { pasv: "227 Entering Passive Mode.", ..NO_EPSV }),
        ..PLAIN
    },
    Situation {
        slug: "229-to-pasv",
        sentence: "PASV is answered with 229, and there is no EPSV",
        shows: "P19",
        cause: Cause::Answer229ToPasv,
        side: Side::ServerRouter,
        modes: [NO, YES, NO, NO],
        peer: Peer::Scripted(Script { pasv: "229 Entering Extended Passive Mode (|||{port}|)", ..NO_EPSV }),
        ..PLAIN
    },
    Situation {
        slug: "229-rewritten",
        sentence: "A box on the way changes the port in 229, and leaves 227 as it is",
        shows: "-",
        cause: Cause::AlgRewrites,
        side: Side::ServerRouter,
        modes: [NO, YES, NO, NO],
        peer: Peer::Scripted(Script { epsv: "229 Entering Extended Passive Mode (|||39999|)", ..GOOD }),
        ..PLAIN
    },
    Situation {
        slug: "227-zero",
        sentence: "227 tells 0,0,0,0",
        shows: "P16",
        cause: Cause::ZeroAddress,
        side: Side::Server,
        modes: [YES, PEER, NO, NO],
        peer: Peer::Ours(&["--passive-address", "control"]),
        ..PLAIN
    },
    Situation {
        slug: "227-private",
        sentence: "A server behind NAT tells its private address in 227; all ports are forwarded",
        shows: "P5",
        cause: Cause::PrivateAddress,
        side: Side::Server,
        modes: [YES, PEER, NO, NO],
        server: FORWARDED,
        ..PLAIN
    },
    Situation {
        slug: "227-private-no-epsv",
        sentence: "A server behind NAT tells its private address in 227 and does not know EPSV; all ports are forwarded",
        shows: "P5",
        cause: Cause::PrivateAddress,
        side: Side::Server,
        modes: [NO, PEER, NO, NO],
        server: FORWARDED,
        peer: Peer::Scripted(NO_EPSV),
        ..PLAIN
    },
    Situation {
        slug: "227-stale",
        sentence: "227 tells a public address that is the server's no longer",
        shows: "P6",
        cause: Cause::StaleAddress,
        side: Side::Server,
        modes: [YES, PEER, NO, NO],
        peer: Peer::Ours(&["--passive-address", "203.0.113.77"]),
        ..PLAIN
    },
    Situation {
        slug: "227-must-be-trusted",
        sentence: "Control connections come by a forwarded address, data connections only to the one that 227 tells",
        shows: "-",
        cause: Cause::DataElsewhere,
        side: Side::None,
        modes: [NO, YES, NO, NO],
        reached: Some("198.51.100.2"),
        rules: &[Rule {
            at: At::Edge,
            hook: "prerouting",
            lines: "ip daddr 198.51.100.2 tcp dport 21 dnat ip to 203.0.113.2",
        }],
        ..PLAIN
    },
    Situation {
        slug: "227-public-in-lan",
        sentence: "A client in the server's own network is told the public address, which leads nowhere from there",
        shows: "P23",
        cause: Cause::PublicInside,
        side: Side::Server,
        modes: [YES, PEER, YES, YES],
        client: ClientPlace::Lan,
        server: FORWARDED,
        reached: Some("192.168.50.2"),
        peer: Peer::Scripted(Script { pasv: "227 Entering Passive Mode (198,51,100,2,{halves}).", ..GOOD }),
        ..PLAIN
    },
    Situation {
        slug: "hairpin",
        sentence: "A client in the server's own network uses the public name, and the router does not turn it round",
        shows: "P22",
        cause: Cause::Hairpin,
        side: Side::ServerRouter,
        modes: [NO; 4],
        client: ClientPlace::Lan,
        server: FORWARDED,
        ..PLAIN
    },
];
