//! What goes wrong before there is a login, and situations in which nothing does.

use std::time::Duration;

use crate::scripted::{GOOD, Script};
use twoport_doctor::causes::{Cause, Side};

use crate::situation::{At, NO, PLAIN, Peer, Rule, Situation, Tls, YES};

pub(super) const ALL: &[Situation] = &[
    Situation {
        slug: "plain",
        sentence: "Nothing is wrong: a client behind a home router, and a public server",
        ..PLAIN
    },
    Situation {
        slug: "plain-v6",
        sentence: "Nothing is wrong: IPv6 from end to end, where 227 and PORT have no room for the address",
        modes: [YES, NO, YES, NO],
        names: &["2001:db8:50::2"],
        ..PLAIN
    },
    Situation {
        slug: "control-dropped",
        sentence: "The router before the server drops port 21",
        shows: "C1",
        cause: Cause::ControlBlocked,
        side: Side::ServerRouter,
        modes: [NO; 4],
        rules: &[Rule { at: At::Edge, hook: "forward", lines: "tcp dport 21 counter name hit drop" }],
        ..PLAIN
    },
    Situation {
        slug: "control-dropped-at-server",
        sentence: "The server's own firewall drops port 21",
        shows: "C1",
        cause: Cause::ControlBlocked,
        side: Side::Server,
        modes: [NO; 4],
        rules: &[Rule { at: At::Server, hook: "input", lines: "tcp dport 21 counter name hit drop" }],
        ..PLAIN
    },
    Situation {
        slug: "nothing-listens",
        sentence: "The server's machine is up, and no server runs",
        shows: "C2",
        cause: Cause::NothingListening,
        side: Side::Server,
        modes: [NO; 4],
        peer: Peer::Nobody,
        ..PLAIN
    },
    Situation {
        slug: "name-unknown",
        sentence: "The server's name does not exist",
        shows: "C3",
        cause: Cause::NameNotFound,
        side: Side::Client,
        modes: [NO; 4],
        reached: Some("ftp.lab.test"),
        ..PLAIN
    },
    Situation {
        slug: "greeting-late",
        sentence: "The greeting takes 8 seconds, as where a server asks for names and identities first",
        shows: "C4",
        cause: Cause::SlowBanner,
        side: Side::Server,
        modes: [NO; 4],
        peer: Peer::Scripted(Script { greets_after: Duration::from_secs(8), ..GOOD }),
        ..PLAIN
    },
    Situation {
        slug: "users-by-range",
        sentence: "The server lets in half as many users as it has passive ports, and those are there already",
        shows: "D16",
        cause: Cause::ServerBusy,
        side: Side::Server,
        modes: [NO; 4],
        peer: Peer::Scripted(Script {
            greeting: "421 1 users (the maximum) are already logged in, sorry",
            ..GOOD
        }),
        ..PLAIN
    },
    Situation {
        slug: "password-wrong",
        sentence: "The user gives a wrong password",
        shows: "C5",
        cause: Cause::LoginRefused,
        side: Side::Client,
        modes: [NO; 4],
        password: "wrong",
        ..PLAIN
    },
    Situation {
        slug: "tls-demanded",
        sentence: "The server demands TLS on both connections, and the user does not ask for it",
        shows: "D10",
        cause: Cause::ProtectRequired,
        side: Side::Client,
        modes: [NO; 4],
        peer: Peer::Ours(&["--tls", "required", "--data-resumption", "off"]),
        ..PLAIN
    },
    Situation {
        slug: "tls-from-the-first-byte",
        sentence: "Port 990 speaks TLS from the first byte, and the user expects a greeting there",
        shows: "C6",
        cause: Cause::ImplicitTls,
        side: Side::Client,
        modes: [NO; 4],
        port: 990,
        peer: Peer::Ours(&["--tls", "on", "--implicit", "[::]:990", "--listen", "127.0.0.1:2121"]),
        ..PLAIN
    },
    Situation {
        slug: "tls-resumption-demanded",
        sentence: "The server lets in no data connection that does not resume the TLS session of its login",
        shows: "D9 D17",
        cause: Cause::SessionReuse,
        side: Side::Client,
        tls: Tls::Explicit,
        ..PLAIN
    },
    Situation {
        slug: "ipv4-dead",
        sentence: "The server's name has addresses of both families, and nothing of IPv4 comes through",
        shows: "C7",
        cause: Cause::Ipv4Dead,
        side: Side::ServerRouter,
        modes: [YES, NO, YES, NO],
        names: &["203.0.113.2", "2001:db8:50::2"],
        rules: &[Rule { at: At::Edge, hook: "forward", lines: "meta nfproto ipv4 counter name hit drop" }],
        ..PLAIN
    },
    Situation {
        slug: "ipv6-dead",
        sentence: "The server's name has addresses of both families, and nothing of IPv6 comes through",
        shows: "C7 D20",
        cause: Cause::Ipv6Dead,
        side: Side::ServerRouter,
        names: &["2001:db8:50::2", "203.0.113.2"],
        rules: &[Rule { at: At::Edge, hook: "forward", lines: "meta nfproto ipv6 counter name hit drop" }],
        ..PLAIN
    },
];
