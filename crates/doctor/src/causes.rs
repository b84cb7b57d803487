//! The causes: what each is called, how it looks, what tells it from the others, and the cure on the side that must act. The doctor's
//! texts and the page on causes are made from this table.

use std::fmt;

/// Who must change something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The machine or the user of the client.
    Client,
    /// A router or firewall on the client's side.
    ClientRouter,
    /// A router or firewall on the server's side.
    ServerRouter,
    /// The machine of the server, or its configuration.
    Server,
    /// Nobody.
    None,
}

impl Side {
    /// As scripts read it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Side::Client => "client",
            Side::ClientRouter => "client-router",
            Side::ServerRouter => "server-router",
            Side::Server => "server",
            Side::None => "none",
        }
    }
}

/// As people read it: "the client's router".
impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Side::Client => "the client",
            Side::ClientRouter => "the client's router or firewall",
            Side::ServerRouter => "the router or firewall before the server",
            Side::Server => "the server",
            Side::None => "nobody",
        })
    }
}

/// One cause.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// Its name for scripts, never changed.
    pub slug: &'static str,
    /// Who must act.
    pub side: Side,
    /// What is so, as a sentence without its full stop.
    pub title: &'static str,
    /// How it looks to a user.
    pub symptom: &'static str,
    /// What tells it from other causes.
    pub told: &'static str,
    /// What to do, each for its side; the first is the one that must act.
    pub cure: &'static [(Side, &'static str)],
}

macro_rules! causes {
    ($($(#[doc = $doc:literal])* $name:ident = $slug:literal, $side:ident;
        $title:literal; $symptom:literal; $told:literal; [$(($who:ident, $what:literal)),* $(,)?])*) => {
        /// The cause of what was seen.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Cause { $($(#[doc = $doc])* #[doc = $title] $name,)* }

        impl Cause {
            /// All of them, in the order of the page.
            pub const ALL: &[Cause] = &[$(Cause::$name),*];

            /// What is known of it.
            #[must_use]
            pub fn entry(self) -> Entry {
                match self {
                    $(Cause::$name => Entry {
                        slug: $slug, side: Side::$side, title: $title, symptom: $symptom, told: $told,
                        cure: &[$((Side::$who, $what)),*],
                    },)*
                }
            }
        }
    };
}

causes! {
    Healthy = "none", None;
        "Nothing is wrong";
        "Transfers work.";
        "Every mode that the server offers gets through, from the first byte to the last word.";
        []
    Unknown = "unknown", None;
        "What was seen fits no cause that is known";
        "A transfer fails.";
        "The evidence has no row in the table. Please report it, with the output of --json.";
        []
    NameNotFound = "name-not-found", Client;
        "The server's name does not exist";
        "\"Name or service not known\".";
        "The DNS knows no address for the name.";
        [(Client, "Look at the spelling of the name, and at this machine's DNS")]
    NothingListening = "nothing-listening", Server;
        "Nothing listens on the server's control port";
        "\"Connection refused\" at once.";
        "The machine answers the control port with a reset.";
        [(Server, "Start the FTP server, or tell clients its port")]
    ControlBlocked = "control-blocked", ServerRouter;
        "The control port is blocked";
        "The connection times out before any greeting.";
        "No answer to the control port, though packets get as far as the last routers before it.";
        [(ServerRouter, "Let the control port in (TCP 21, or the one in the URL)"),
         (Server, "Look at the machine's own firewall too, and whether the machine is up")]
    Hairpin = "hairpin", ServerRouter;
        "The server's public address is this network's own router, which does not send us back in (hairpin)";
        "From inside the server's network its public name times out; from outside it works.";
        "The server's address answers at the first hop: it is our own router, and the server's answers come back from an address that we did not call.";
        [(ServerRouter, "Masquerade what comes from inside and goes back inside (hairpin NAT, NAT loopback)"),
         (Client, "From inside use the server's inside address, or a DNS that tells it")]
    ProxyOnly = "egress-only-through-proxy", ClientRouter;
        "Only the proxy gets out of this network";
        "Nothing connects, unless the client is told to use the proxy.";
        "Direct connections get no answer, and the same through the proxy that the environment names do.";
        [(ClientRouter, "Let TCP 21 and the ports above 1023 out, if FTP is to work without the proxy"),
         (Client, "Use a client that takes the proxy for both connections (twoport does, by ALL_PROXY)")]
    Ipv4Dead = "ipv6-only-path", ServerRouter;
        "IPv4 gets no answer from the server, IPv6 does";
        "Clients that prefer IPv4 hang or are slow.";
        "The name has addresses of both families; the control port answers over IPv6 only.";
        [(ServerRouter, "Let the control port and the passive ports in over IPv4 too, or take the A record out of the DNS"),
         (Client, "Use IPv6: the server's IPv6 address, or a client that tries both")]
    Ipv6Dead = "ipv6-path-dead", ServerRouter;
        "IPv6 gets no answer from the server, IPv4 does";
        "Every connection waits a while before it begins.";
        "The name has addresses of both families; the control port answers over IPv4 only.";
        [(ServerRouter, "Let the control port and the passive ports in over IPv6 too, or take the AAAA record out of the DNS"),
         (Client, "Use IPv4, or a client that tries both at once")]
    ServerBusy = "server-busy", Server;
        "The server takes no more sessions now";
        "421 in place of the greeting or of the login.";
        "421, and its text speaks of users or connections.";
        [(Server, "Raise the limit of sessions, in all or for each address"),
         (Client, "Try again later, with fewer connections at once")]
    TurnedAway = "turned-away", Server;
        "The server closes the connection without a greeting";
        "The connection is there and ends at once.";
        "The connection was made and ended before a line came: an access list (tcp wrappers, a ban, a limit for each address).";
        [(Server, "Look for this client's address in hosts.deny, in bans (fail2ban) and in limits for each address")]
    NotFtp = "not-an-ftp-server", Client;
        "What listens there does not speak FTP";
        "The client hangs, or says that it does not understand.";
        "The first line that came is no reply of FTP's.";
        [(Client, "Look at the port: 22 is SSH and SFTP, 21 is FTP, 990 FTP in TLS from the first byte"),
         (Server, "Is the FTP server the one that has the port?")]
    SlowBanner = "slow-server-banner", Server;
        "The server takes long to greet";
        "Clients give up, or each session begins late.";
        "The greeting came after more than five seconds; the rest is quick. Most often it is a reverse DNS or ident query of the server's that nobody answers.";
        [(Server, "Turn off reverse DNS and ident look-ups, or repair its DNS"),
         (Client, "A longer time limit for the connection")]
    ImplicitTls = "implicit-tls-only", Client;
        "The port speaks TLS from the first byte";
        "The connection is there and no greeting comes.";
        "No greeting comes, and a TLS handshake at once is answered.";
        [(Client, "Use ftps:// (implicit TLS) for this port")]
    ProtectRequired = "protect-required", Client;
        "The server takes logins in TLS only";
        "530 or 550 at USER, from clients without TLS.";
        "In the clear the login is refused with a text on encryption; in TLS everything works.";
        [(Client, "Turn TLS on in the client: ftpes://, \"explicit FTP over TLS\"")]
    UntrustedCertificate = "certificate-not-trusted", Server;
        "The server's certificate is not trusted";
        "TLS clients stop before the login.";
        "The handshake came about, and the certificate is expired, for another name, or vouched for by nobody who is known.";
        [(Server, "Use a certificate for this name by an authority that clients know"),
         (Client, "Or name the authority (--ca), or the certificate itself (--pin)")]
    LoginRefused = "login-refused", Client;
        "The server refuses the login";
        "530 at PASS.";
        "530 behind the password; the text is the server's own.";
        [(Client, "Look at user and password")]
    PassiveDroppedAtHost = "passive-range-dropped-at-server-host", Server;
        "A firewall at the server drops connections to its passive ports";
        "Login works, then LIST or a transfer hangs.";
        "The connection to the passive port gets no answer; every router before the server is heard of, and the control port answers.";
        [(Server, "Let the passive ports in, in the server's own firewall"),
         (ServerRouter, "If a router just before the server filters, let them in there"),
         (Client, "Meanwhile active mode, if the client can be reached")]
    PassiveDroppedAtRouter = "passive-range-dropped-at-router", ServerRouter;
        "A router on the way to the server drops connections to its passive ports";
        "Login works, then LIST or a transfer hangs.";
        "Packets to the passive port are last heard of at a router, beyond which those to the control port go on.";
        [(ServerRouter, "Let the passive ports through, to the server"),
         (Client, "Meanwhile active mode, if the client can be reached")]
    PassiveRejected = "passive-range-rejected", ServerRouter;
        "Connections to the passive ports are refused before they reach the server";
        "\"Connection refused\" at LIST or a transfer, at once.";
        "The port that the server has just named answers with a reset or an ICMP error: a firewall rejects it, or a NAT does not forward it.";
        [(ServerRouter, "Forward or let in the passive ports, with the same numbers as the server has them"),
         (Client, "Meanwhile active mode, if the client can be reached")]
    AnswerLost = "passive-answer-lost", ServerRouter;
        "The server's answers to data connections are lost on the way back";
        "Login works, then LIST or a transfer hangs.";
        "The server saw our first packet and answered, and nothing of that came here (told by the server: SITE DOCTOR).";
        [(ServerRouter, "Let answers of the passive ports out (ct state established), and look at the way back: two routers?"),
         (Server, "Look at its own rules for outgoing packets")]
    RangePartlyOpen = "range-partly-open", ServerRouter;
        "Some of the passive ports are let in, and some are not";
        "Transfers work now and then.";
        "Of several passive ports of one server some answered and some did not.";
        [(ServerRouter, "Let all of the server's passive ports in, first to last"),
         (Server, "Or make the server's range the one that is open")]
    PortShift = "port-shifting-nat", ServerRouter;
        "The NAT before the server gives its passive ports other numbers";
        "\"Connection refused\" at every transfer.";
        "The port that was told is refused by the box at the NAT's address while another number leads to the server.";
        [(ServerRouter, "Forward the passive ports with the same numbers"),
         (Server, "Or tell clients the outer numbers (passive-port-map)")]
    RangeExhausted = "range-exhausted", Server;
        "The server has no passive port left";
        "PASV and EPSV fail, sometimes with the end of the session.";
        "The server says so: it cannot bind or listen, all ports are busy.";
        [(Server, "A wider passive range that no other program uses, outside the system's ephemeral ports")]
    EgressRestricted = "egress-restricted-client", ClientRouter;
        "The client's own network lets FTP's control connection out and no other port";
        "Login works with many servers, and every listing hangs.";
        "Packets to the passive port get no further than our first router; those to the control port go on.";
        [(ClientRouter, "Let TCP connections to ports above 1023 out, or to this server at least"),
         (Client, "Meanwhile active mode, if this machine can be reached, or a proxy")]
    ClientEgress = "client-egress-blocked", Client;
        "This machine's own firewall lets FTP's control connection out and not its data connections";
        "Login works with every server, and every listing hangs.";
        "Packets to the passive port did not leave this machine (Linux 6.8 and later counts them).";
        [(Client, "Let TCP connections to ports above 1023 out, for this program or to this server"),
         (Client, "Meanwhile active mode, if this machine can be reached")]
    PrivateAddress = "wrong-address-in-227-private", Server;
        "The server tells its inside address in 227";
        "PASV hangs or is refused; EPSV, and clients that ignore the address, work.";
        "The address in 227 is a private one, and not the one of the control connection.";
        [(Server, "Set the address to tell: passive-address here, pasv_address, MasqueradeAddress, ForcePassiveIP elsewhere"),
         (Client, "EPSV, or the setting \"use the server's address\"")]
    PublicInside = "public-address-told-in-lan", Server;
        "The server tells its public address to clients of its own network too";
        "Inside, PASV hangs or is refused, and EPSV works; outside all works.";
        "The server was reached at a private address, and 227 tells a public one, which does not answer from here.";
        [(Server, "Tell clients inside the inside address: by network (passive-address-for here, which does so by itself; class rules elsewhere)"),
         (ServerRouter, "Or let the public address work from inside (hairpin NAT)"),
         (Client, "EPSV")]
    StaleAddress = "wrong-address-in-227-stale", Server;
        "The server tells an address in 227 that is not its own (any more)";
        "PASV hangs or is refused; EPSV, and clients that ignore the address, work.";
        "The address in 227 is a public one, but does not answer; the one of the control connection does.";
        [(Server, "Correct the address to tell, or let it be looked up (a name, or auto)"),
         (Client, "EPSV, or the setting \"use the server's address\"")]
    ZeroAddress = "227-zero-address", Server;
        "The server tells 0.0.0.0 in 227";
        "Old clients connect to themselves and are refused.";
        "The address in 227 is 0.0.0.0; the port at the control connection's address answers.";
        [(Server, "Set the address to tell, or let the server listen on IPv4 itself"),
         (Client, "EPSV, or a client that takes 0.0.0.0 for the server's address")]
    DataElsewhere = "data-on-another-address", None;
        "The server takes data connections at another address than the control connection, and says so in 227";
        "PASV works; EPSV, and clients that ignore the address in 227, do not.";
        "The address in 227 answers, and the one of the control connection does not, on the same port.";
        [(Client, "PASV, with the address that the server tells"),
         (Server, "Let the address of the control connection take data connections too, for EPSV")]
    Unparsable227 = "unparsable-227", Server;
        "The server's 227 is not of the usual form";
        "Clients that look for parentheses give up.";
        "The six numbers of 227 are missing, or not in parentheses.";
        [(Server, "Update the server, or turn EPSV on"),
         (Client, "A client that takes 227 as it comes; or active mode where there are no numbers")]
    Answer229ToPasv = "229-in-answer-to-pasv", ServerRouter;
        "PASV is answered with a 229";
        "Clients do not understand the answer to PASV.";
        "The answer to PASV has the code and the form of EPSV's: a box between translates the one into the other.";
        [(ServerRouter, "Turn the FTP inspection of the box between off (464XLAT, NAT64 or another ALG)"),
         (Client, "EPSV where it is answered; or a client that takes a 229 as it comes")]
    EpsvRejected = "epsv-rejected", Server;
        "EPSV is refused, PASV works";
        "Clients lose a moment, or give up over IPv6.";
        "5xx to EPSV, or the session ends; PASV gets through.";
        [(Server, "Turn EPSV on, or update the server"),
         (Client, "PASV")]
    PasvRefused = "pasv-refused-epsv-only", Server;
        "PASV is refused, EPSV works";
        "Old clients, and those that never say EPSV, fail.";
        "5xx to PASV, as behind EPSV ALL; EPSV gets through.";
        [(Server, "Allow PASV, if old clients shall come"),
         (Client, "EPSV")]
    EpsvSwallowed = "alg-swallows-epsv", ServerRouter;
        "A box on the way swallows EPSV";
        "The session hangs at EPSV for good.";
        "What we sent with EPSV is never acknowledged; in a new session PASV is answered.";
        [(ServerRouter, "Turn the FTP inspection of the box between off, or update it"),
         (Client, "PASV in a new session")]
    AlgRewrites = "alg-rewrites-wrongly", ServerRouter;
        "A box on the way rewrites where the data connection goes, and wrongly";
        "One of EPSV and PASV fails though the server offers both.";
        "The ports that one of the two tells never answer, again and again, and those of the other do.";
        [(ServerRouter, "Turn the FTP inspection (ALG) of the box between off"),
         (Client, "The mode that works; or TLS, which the box cannot read")]
    HelperMasquerade = "helper-plus-masquerade", Server;
        "The server tells its public address, and the FTP helper of the router before it cannot follow";
        "PASV fails, EPSV works.";
        "PASV and EPSV lead to one address; PASV's ports never answer, EPSV's do: the helper opens a port only if 227 tells the address that the packet comes from.";
        [(Server, "Do not tell a public address (passive-address, pasv_address) where a helper is at work"),
         (ServerRouter, "Or, better: take the helper away and forward the passive ports; that works with TLS too"),
         (Client, "EPSV")]
    HelperHalfMatch = "helper-half-match", Server;
        "The FTP helper on the way drops a reply that the server sends in pieces";
        "The session hangs at PASV for good.";
        "A helper is on the way, and the answer to PASV never comes; in a new session EPSV is answered.";
        [(Server, "Send each reply in one piece: update the server"),
         (ServerRouter, "Let segments be as large as a reply (MSS of 536 and more), if they are made smaller on the way"),
         (ServerRouter, "Or take the helper away and forward the passive ports"),
         (Client, "EPSV")]
    TlsBlindsHelper = "tls-blinds-helper", ServerRouter;
        "The firewall before the server opens passive ports by reading the control connection, and TLS hides it";
        "In the clear it works; in TLS login works and every transfer fails.";
        "An FTP helper is on the way (it drops half a command), and the passive ports do not answer in TLS.";
        [(ServerRouter, "Forward or let in the server's passive ports for good; a helper cannot work in TLS"),
         (Client, "Meanwhile active mode, if this machine can be reached")]
    RelatedNotAccepted = "related-not-accepted", ServerRouter;
        "The router before the server has an FTP helper, and its filter does not let in what the helper announces";
        "Every transfer is refused after one second.";
        "The first packet to the passive port is dropped, and the second, a second later, is refused: the helper's expectation was spent on the first.";
        [(ServerRouter, "Accept related connections (ct state related), or forward the passive ports without a helper"),
         (Client, "Meanwhile active mode, if this machine can be reached")]
    ActiveOnly = "pasv-disabled-active-only-server", Server;
        "The server offers active mode only";
        "550 or 502 to PASV and EPSV.";
        "PASV and EPSV are refused, PORT and EPRT are taken.";
        [(Server, "Turn passive mode on, and let its ports in"),
         (Client, "Active mode, if this machine can be reached")]
    ClientNatActive = "client-nat-active", ClientRouter;
        "The server offers active mode only, and this client is behind a NAT";
        "500 to PORT, or 425 behind it.";
        "PASV is off, and PORT is refused because our own address is not the one that the server sees.";
        [(ClientRouter, "Forward a few ports to this machine and announce the outer address; or let the router give one (NAT-PMP, PCP, UPnP)"),
         (Server, "Or turn passive mode on")]
    ActiveNotNatted = "active-not-source-natted", ServerRouter;
        "The server's data connections come from its inside address";
        "Active mode: 200 to PORT, then 425 after a while; passive mode works, if there is one.";
        "The first packet of a connection came here from an address that is not the one of the control connection.";
        [(ServerRouter, "Give what the server sends its outer address (source NAT), as what comes to it has it"),
         (Server, "Or turn passive mode on")]
    ClientInboundBlocked = "client-inbound-blocked", Client;
        "This machine's own firewall drops the server's data connections";
        "Active mode: 200 to PORT, then 425 after a while.";
        "Packets came to this machine and were given to nobody while the server tried to connect.";
        [(Client, "Let connections from the server in, to the ports that the client announces"),
         (Server, "Or turn passive mode on")]
    ServerEgress = "server-egress-blocks-active", Server;
        "The server's connections to clients do not get out";
        "Active mode: 200 to PORT, then 425 after a while.";
        "PORT is taken, and no packet of the server's came to this machine.";
        [(Server, "Let connections out, from port 20 or any port, to ports above 1023"),
         (Server, "Or turn passive mode on"),
         (ClientRouter, "If a firewall is before the client, let connections from the server in")]
    ActiveBlocked = "active-blocked-on-the-way", ClientRouter;
        "Something between turns the server's data connections away or drops them";
        "Active mode: 200 to PORT, then 425.";
        "The server has sent its packets, and none of them came here (told by the server: SITE DOCTOR).";
        [(ClientRouter, "Let connections from the server in, to the ports that the client announces"),
         (Server, "Or turn passive mode on")]
    DataFromOther = "data-from-other-address", ClientRouter;
        "The client's data connections reach the server from another address than its control connection";
        "425 at once though the connection was made.";
        "The connection to the passive port was taken, and the server refused the transfer at once: it takes nobody but the control connection's address.";
        [(ClientRouter, "Keep each client on one outer address (NAT with sticky addresses, one way out)"),
         (Server, "As the last resort, take data connections from any address (pasv_promiscuous), with TLS that resumes the session")]
    AcceptedElsewhere = "accepted-by-something-else", ServerRouter;
        "Something else than the server takes its data connections";
        "The connection is made, and 425 comes after a while.";
        "The connection to the passive port was taken, nearer than the server or by nobody who knows of it, and the server went on waiting.";
        [(ServerRouter, "Let the passive ports through to the server itself: no SYN proxy, no balancer that sends them elsewhere"),
         (Client, "Meanwhile active mode, if this machine can be reached")]
    SessionReuse = "tls-session-reuse-required", Client;
        "The server demands that data connections resume the TLS session of the control connection";
        "522 or 425 behind 150, from clients that shake hands anew.";
        "A data connection that resumes the session works, one that does not is refused.";
        [(Client, "Turn TLS session reuse on (lftp ftp:ssl-copy-sid, curl without --no-sessionid)"),
         (Server, "Or demand it no longer (require_ssl_reuse=NO, NoSessionReuseRequired, data-resumption = \"prefer\"), which lets a thief race for the port")]
    BlackHole = "mtu-black-hole", ServerRouter;
        "Full-size packets vanish on the way (MTU black hole)";
        "Small listings work, larger files hang at their beginning.";
        "With small segments the same file comes, and without it stands still.";
        [(ServerRouter, "Let ICMP 'fragmentation needed' and 'packet too big' through, or clamp the MSS"),
         (Server, "net.ipv4.tcp_mtu_probing = 1 helps by itself"),
         (Client, "Small segments (twoport takes them by itself)")]
    PayloadFiltered = "payload-filtered", ServerRouter;
        "Something on the way lets connections through and not what is in them";
        "150 comes, and no byte.";
        "The data connection is there and no byte comes, with small segments too.";
        [(ServerRouter, "Look at intrusion prevention, virus scanners and proxies on the way"),
         (Client, "TLS, which hides the content")]
    IdleDropped = "idle-control-dropped", ClientRouter;
        "Something on the way forgets the control connection while it is silent";
        "All bytes come, and the last reply never does.";
        "The file came to its end, the data connection closed, and the control connection did not answer any more.";
        [(ClientRouter, "A longer time for idle TCP connections: two hours by RFC 5382"),
         (Client, "NOOP during transfers, or TCP keepalive (twoport does both)")]
    MidReset = "mid-transfer-reset", ServerRouter;
        "Something on the way cuts data connections in the middle";
        "Transfers break after a while, and go on with REST.";
        "The data connection was reset in the middle of a file, more than once.";
        [(ServerRouter, "Look for limits of time or volume, and for intrusion prevention"),
         (Client, "A client that goes on where it was cut")]
    MidSilence = "mid-transfer-silence", ServerRouter;
        "Something on the way forgets data connections in the middle";
        "Transfers stand still after a while, and end by a time limit.";
        "Much of the file came, and then nothing more, without a reset.";
        [(ServerRouter, "Look for limits of time or volume for a connection, and for a table of connections that is full"),
         (Client, "A client that gives up and goes on where it was (twoport does)")]
    FinLost = "data-fin-lost", ServerRouter;
        "The end of data connections is lost on the way";
        "226 comes and the client waits on.";
        "All bytes and 226 came, and the data connection did not end.";
        [(ServerRouter, "Look for a firewall that drops packets with FIN"),
         (Client, "A client that takes 226 for the end")]
}

/// Its title.
impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.entry().title)
    }
}

/// The page on causes, in Markdown.
#[must_use]
pub fn page() -> String {
    let mut page = String::from(HEAD);
    for cause in Cause::ALL.iter().filter(|cause| !matches!(cause, Cause::Healthy | Cause::Unknown)) {
        let entry = cause.entry();
        page.push_str(&format!(
            "\n## {}\n\n**{}.** Who must act: {}.\n\n* Symptom: {}\n* Told by: {}\n",
            entry.slug, entry.title, entry.side, entry.symptom, entry.told
        ));
        for (side, what) in entry.cure {
            page.push_str(&format!("* Cure ({}): {what}.\n", side.name()));
        }
    }
    page
}

const HEAD: &str = "\
# Causes

What `twoport doctor` can name, and how it tells one from the other. Made by `cargo xtask conformance` from
`crates/doctor/src/causes.rs`, the table that the doctor speaks from. Do not edit.
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cause_is_told_whole() {
        let mut slugs = Vec::new();
        for cause in Cause::ALL {
            let entry = cause.entry();
            assert!(!slugs.contains(&entry.slug), "{} is there twice", entry.slug);
            slugs.push(entry.slug);
            assert!(entry.slug.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'));
            assert!(!entry.title.ends_with('.') && entry.symptom.ends_with('.') && entry.told.ends_with('.'));
            match entry.side {
                Side::None => {}
                side => assert!(
                    entry.cure.iter().any(|(who, _)| *who == side),
                    "{}: no cure for {side}",
                    entry.slug
                ),
            }
            assert!(entry.cure.iter().all(|(_, what)| !what.ends_with('.')), "{}", entry.slug);
        }
    }
}
