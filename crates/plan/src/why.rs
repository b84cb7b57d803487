//! A fault at length: what was seen, what it means, and what each side can do. Whoever stands before a 425 at three in the morning
//! asks SITE WHY.

use crate::address::TargetRefused;
use crate::fault::{LinkFault, Span, Stall};

impl LinkFault {
    /// The fault explained, a sentence or two each: first what was seen, last what can be done at once.
    #[must_use]
    pub fn at_length(&self) -> Vec<String> {
        let mut lines = vec![format!("Seen: {}.", self.cause())];
        let mut say = |text: &str| lines.push(text.to_owned());
        match self {
            LinkFault::NobodyCame { port, waited, range, half_open } => {
                let ports = range
                    .map_or_else(|| "its passive ports".to_owned(), |range| format!("TCP ports {range}"));
                say(&format!(
                    "This server told the client port {port} and listened there for {}; the client was to connect to it.",
                    Span(*waited)
                ));
                if *half_open {
                    say(
                        "The client's first packet came (SYN). This server answered, and nothing came back: the answer was lost.",
                    );
                    say(
                        "Server: look at the firewall rules for outgoing packets and at the way back to the client: two routers?",
                    );
                    return lines;
                }
                say(
                    "No packet of the client was seen on that port: it went elsewhere, or was dropped on the way.",
                );
                say(&format!(
                    "Server: its firewall, and the NAT before it, must let {ports} in, with the same numbers."
                ));
                say(
                    "Server: 'twoport firewall' writes these rules. Behind a NAT, passive-address must tell the outer address.",
                );
                say("Client: its own firewall must let connections out to these ports.");
                say(
                    "At once: the other mode. PORT and EPRT need nothing here, but a way in at the client's side.",
                );
            }
            LinkFault::StrangerCame { expected, .. } => {
                say(&format!(
                    "Only {expected} may use this session's data connection: whoever else guesses the port would get the file."
                ));
                say(
                    "Is it the same client by another way? Then a NAT, proxy or balancer gives its two connections two addresses.",
                );
                say(
                    "Network: both connections must leave by one address. At once: the other mode, or a client beside that box.",
                );
            }
            LinkFault::AddressChanged { from, .. } => {
                say(&format!(
                    "The control connection comes from {from}; the data connection must come from there too."
                ));
                say(
                    "Carriers and large sites have NATs with several outer addresses, which must keep one client on one address.",
                );
                say(
                    "At once: active mode, where this server connects to you, or TLS to a proxy that has one address.",
                );
            }
            LinkFault::Refused { to, .. } => {
                say(&format!(
                    "The client said that it listens at {to}, and this server's connection was turned away there."
                ));
                say(
                    "Client: is there a NAT? Then it told an address or port that is not its own outside. Its firewall may refuse us.",
                );
                say("At once: PASV or EPSV, where the client connects to this server.");
            }
            LinkFault::TimedOut { to, .. } => {
                say(&format!(
                    "This server sent packets to {to}, where the client said that it listens, and nothing came back."
                ));
                say("Client: a NAT or firewall in front of it drops connections from outside, as most do.");
                say(
                    "Server: its own firewall must let connections out, from port 20 or any port, to ports above 1023.",
                );
                say("At once: PASV or EPSV, where the client connects to this server.");
            }
            LinkFault::Unreachable { by, .. } => {
                match by {
                    Some(by) => say(&format!(
                        "The router or firewall {by} has answered so (ICMP): the rule or route is there."
                    )),
                    None => say(
                        "This machine itself says so: it has no route to the client, or its firewall lets nothing out.",
                    ),
                }
                say("At once: PASV or EPSV, where the client connects to this server.");
            }
            LinkFault::PortsSpent(spent) if spent.is_by_share() => {
                say(
                    "A port is held from PASV or EPSV until its connection comes, for each client address apart.",
                );
                say("Client: fewer connections at once, and no PASV without a transfer behind it.");
                say(
                    "Server: a wider passive-ports, or a greater passive-share; when-full lets clients wait.",
                );
            }
            LinkFault::PortsSpent(_) => {
                say(
                    "Server: other programs hold the ports of passive-ports ('ss -tan' shows them): choose a range of its own,",
                );
                say(
                    "outside net.ipv4.ip_local_port_range, or reserve it with net.ipv4.ip_local_reserved_ports.",
                );
            }
            LinkFault::TargetRefused(TargetRefused::Foreign { .. }) => {
                say(
                    "A server that connects to whatever address it is told can be used to attack others (FTP bounce, RFC 2577).",
                );
                say(
                    "Client: behind a NAT it tells its inner address. Its FTP helper could correct that, though not in TLS.",
                );
                say("At once: PASV or EPSV.");
            }
            LinkFault::TargetRefused(TargetRefused::LowPort(_)) => {
                say("Below 1024 live other services, and a client has no data connection there (RFC 2577).");
            }
            LinkFault::ActiveOff | LinkFault::PassiveOff => {
                say("The administrator of this server has decided so.")
            }
            LinkFault::NoPlan => say("A transfer needs PASV, EPSV, PORT or EPRT before it, each time anew."),
            LinkFault::NoTls { .. } => {
                say("PROT P was said, so the data connection begins with a TLS handshake behind 150.");
                say(
                    "A firewall that does not know FTP in TLS may cut it; a client may begin too early or not at all.",
                );
            }
            LinkFault::NotResumed | LinkFault::ForeignSession => {
                say(
                    "Whoever comes to a data port must show that it is the client: by resuming the TLS session of its login.",
                );
                say(
                    "Client: lftp 'set ftp:ssl-copy-sid yes'; curl without --no-sessionid; rclone tls_cache_size above 0.",
                );
                say(
                    "Server: data-resumption = \"prefer\" takes those that cannot; then only the address ties the two together.",
                );
            }
            LinkFault::Stalled { stall, .. } => match stall {
                Stall::Full(_) => {
                    say(
                        "The client's system has said that it has no room for more: the client itself does not read.",
                    );
                }
                Stall::Unknown => {
                    say("This server had more to send, and the client's system took none of it.")
                }
                Stall::Lost(_) => {
                    say("Packets of this server do not arrive, or their acknowledgements do not.");
                    say(
                        "If small files pass and large ones do not, a router between drops large packets without saying so (MTU):",
                    );
                    say(
                        "Network: clamp the MSS ('twoport firewall' does), let ICMP 'fragmentation needed' through.",
                    );
                }
                Stall::Silent => say(
                    "This server waited for bytes of the client, and none came: stall-seconds is how long it does.",
                ),
            },
            LinkFault::Reset => {
                say(
                    "A reset comes from the client's system or from a box between that ended the connection.",
                );
                say("At once: resume the transfer (REST, APPE).");
            }
            LinkFault::CutShort => {
                say(
                    "Without that mark nobody can tell a whole file from half of one, so it is not called whole.",
                );
                say("At once: resume the transfer, or send it again.");
            }
            LinkFault::Other { .. } => {}
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use crate::fault::tests::every_fault;

    #[test]
    fn every_fault_is_explained_in_lines_that_fit() {
        for fault in every_fault() {
            let lines = fault.at_length();
            assert!(!lines.is_empty());
            for line in &lines {
                assert!(line.len() < 300 && !line.chars().any(char::is_control), "{line}");
            }
            let explained = !matches!(fault, crate::LinkFault::Other { .. });
            assert_eq!(lines.len() > 1, explained, "{fault}");
        }
    }
}
