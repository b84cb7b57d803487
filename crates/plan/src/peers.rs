//! The same plan as other servers' own configuration: control port, passive ports, advertised address and active mode in the
//! words of each. Today's form of what an essay on active and passive FTP had as its first appendix.

use std::fmt::Write as _;
use std::net::Ipv4Addr;

use crate::conflict::{self, Conflict};
use crate::firewall::{self, Dialect};
use crate::flow::{Active, Mode, Side, Site, TlsUse};
use crate::outside::Tell;

/// A server of other people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// vsftpd 3.
    Vsftpd,
    /// ProFTPD 1.3.
    Proftpd,
    /// Pure-FTPd 1.0.
    PureFtpd,
    /// WU-FTPD 2.6.
    WuFtpd,
    /// FileZilla Server 1.
    Filezilla,
    /// IIS 7 and later.
    Iis,
    /// pyftpdlib 2.
    Pyftpdlib,
    /// SFTPGo 2.
    Sftpgo,
}

impl Peer {
    /// Every one of them.
    pub const ALL: [Peer; 8] = [
        Peer::Vsftpd,
        Peer::Proftpd,
        Peer::PureFtpd,
        Peer::WuFtpd,
        Peer::Filezilla,
        Peer::Iis,
        Peer::Pyftpdlib,
        Peer::Sftpgo,
    ];

    /// As it is typed.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Peer::Vsftpd => "vsftpd",
            Peer::Proftpd => "proftpd",
            Peer::PureFtpd => "pure-ftpd",
            Peer::WuFtpd => "wu-ftpd",
            Peer::Filezilla => "filezilla",
            Peer::Iis => "iis",
            Peer::Pyftpdlib => "pyftpdlib",
            Peer::Sftpgo => "sftpgo",
        }
    }

    /// Where the lines go, and how they come into force.
    fn place(self) -> &'static str {
        match self {
            Peer::Vsftpd => "into /etc/vsftpd.conf; then restart vsftpd",
            Peer::Proftpd => {
                "into /etc/proftpd/proftpd.conf, outside any <VirtualHost>; then restart proftpd"
            }
            Peer::PureFtpd => {
                "into pure-ftpd.conf; on Debian a file of each name in /etc/pure-ftpd/conf; then restart it"
            }
            Peer::WuFtpd => "into /etc/ftpaccess; the next session reads it",
            Peer::Filezilla => {
                "into settings.xml, within <ftp_server>; stop the service before, start it again behind"
            }
            Peer::Iis => "run as administrator; appcmd is in %windir%\\system32\\inetsrv",
            Peer::Pyftpdlib => "into the script that starts the server",
            Peer::Sftpgo => {
                "into a file of env.d beside sftpgo.json, or into its environment; then restart sftpgo"
            }
        }
    }
}

/// The configuration of `peer` that goes with the rules for this site.
///
/// # Errors
/// As of rules for the server's own machine.
pub fn configuration(site: &Site, peer: Peer) -> Result<String, Conflict> {
    conflict::check(site, if site.inside.is_empty() { Side::Server } else { Side::ServerNat }, Mode::Both)?;
    let (open, mark, close) = match peer {
        Peer::Filezilla => ("<!--\n", "", "-->\n"),
        Peer::Iis => ("", "rem ", ""),
        _ => ("", "# ", ""),
    };
    let mut text = open.to_owned();
    let _ = writeln!(text, "{mark}FTP through firewalls: {}, {}", peer.name(), peer.place());
    let dialect = if peer == Peer::Iis { Dialect::Windows } else { Dialect::Table };
    let mut notes = firewall::notes(site, Side::Server, Mode::Both, dialect)?;
    let one = (site.control.len() > 1).then(|| {
        let rest = site.control[1..].iter().map(u16::to_string).collect::<Vec<_>>().join(", ");
        format!("Ports {rest} need listeners of their own, which are not written here.")
    });
    notes.extend(one);
    if !site.implicit.is_empty() && peer != Peer::Sftpgo && peer != Peer::Filezilla {
        notes.push(
            "TLS from the first byte needs a listener of its own, which is not written here.".to_owned(),
        );
    }
    for line in notes.iter().flat_map(|note| note.lines()) {
        let _ = writeln!(text, "{mark}{line}");
    }
    text.push_str(close);
    if site.renumbered() && site.passive {
        return Err(Conflict::Renumbered("other servers"));
    }
    let plan = Plan { site, told: told(site, peer)?, port: site.control.first().copied() };
    match peer {
        Peer::Vsftpd => plan.vsftpd(&mut text),
        Peer::Proftpd => plan.proftpd(&mut text),
        Peer::PureFtpd => plan.pure_ftpd(&mut text),
        Peer::WuFtpd => plan.wu_ftpd(&mut text),
        Peer::Filezilla => plan.filezilla(&mut text),
        Peer::Iis => plan.iis(&mut text),
        Peer::Pyftpdlib => plan.pyftpdlib(&mut text),
        Peer::Sftpgo => plan.sftpgo(&mut text),
    }
    Ok(text)
}

/// What 227 is to tell: the outside address of a NAT without a helper. Other servers have no word for somebody who is asked, and
/// look a name up once, if at all.
fn told(site: &Site, peer: Peer) -> Result<Option<Ipv4Addr>, Conflict> {
    let nat = site.inside_v4().is_some() && !site.helper;
    match site.outside.tell {
        Tell::Address(told) => Ok(Some(told)),
        Tell::Name(_) | Tell::Auto => site.server_v4().map(Some).ok_or(Conflict::NoOutside(peer.name())),
        Tell::Reached | Tell::Control => Ok(site.server_v4().filter(|_| nat)),
    }
}

/// The plan, as the servers are to be told it.
struct Plan<'a> {
    site: &'a Site,
    told: Option<Ipv4Addr>,
    /// The control port; none where TLS is there from the first byte only.
    port: Option<u16>,
}

impl Plan<'_> {
    /// First and last passive port, where passive mode is on and the range is known.
    fn range(&self) -> Option<(u16, u16)> {
        self.site.passive_ports.filter(|_| self.site.passive).map(|range| (range.first(), range.last()))
    }

    fn active(&self) -> bool {
        self.site.active != Active::Off
    }

    fn vsftpd(&self, text: &mut String) {
        let word = |on: bool| if on { "YES" } else { "NO" };
        text.push_str("# both families\nlisten=NO\nlisten_ipv6=YES\n");
        if let Some(port) = self.port {
            let _ = writeln!(text, "listen_port={port}");
        }
        let _ = writeln!(
            text,
            "# passive mode: the client opens the data connection\npasv_enable={}",
            word(self.site.passive)
        );
        if let Some((first, last)) = self.range() {
            let _ = writeln!(text, "pasv_min_port={first}\npasv_max_port={last}");
        }
        if let Some(told) = self.told {
            let _ = writeln!(text, "# what 227 tells: the outside of the NAT\npasv_address={told}");
        }
        let _ = writeln!(text, "# active mode: the server opens it\nport_enable={}", word(self.active()));
        if self.active() {
            let port20 = self.site.active == Active::Port20;
            let _ = writeln!(text, "connect_from_port_20={}", word(port20));
            if port20 {
                text.push_str("ftp_data_port=20\n");
            }
        }
        text.push_str(
            "# data connections are the client's own only\npasv_promiscuous=NO\nport_promiscuous=NO\n",
        );
    }

    fn proftpd(&self, text: &mut String) {
        if let Some(port) = self.port {
            let _ = writeln!(text, "Port {port}");
        }
        if let Some((first, last)) = self.range() {
            let _ = writeln!(
                text,
                "# passive mode; when all are taken it uses others, which no firewall lets in: make it large\nPassivePorts {first} {last}"
            );
        }
        if let Some(told) = self.told {
            let _ = writeln!(
                text,
                "# what 227 tells: the outside of the NAT; an address, since a name is looked up from inside\nMasqueradeAddress {told}"
            );
        }
        for (off, commands) in [(!self.site.passive, "PASV EPSV"), (!self.active(), "PORT EPRT")] {
            if off {
                let _ = writeln!(text, "<Limit {commands}>\n  DenyAll\n</Limit>");
            }
        }
        if self.active() {
            text.push_str("# active mode: it connects from the port below its control port, 20 of 21, and to the client's own address\n");
        }
        text.push_str("AllowForeignAddress off\n");
    }

    fn pure_ftpd(&self, text: &mut String) {
        if let Some(port) = self.port {
            let _ = writeln!(text, "Bind ,{port}");
        }
        if let Some((first, last)) = self.range() {
            let most = (u32::from(last) + 1 - u32::from(first)) / 2;
            let _ = writeln!(
                text,
                "# passive mode; there can be half as many clients as ports: {most}\nPassivePortRange {first} {last}"
            );
        }
        if let Some(told) = self.told {
            let _ = writeln!(text, "# what 227 tells: the outside of the NAT\nForcePassiveIP {told}");
        }
        if !self.site.passive {
            text.push_str("# active mode only\nNATmode yes\n");
        }
        if !self.active() {
            text.push_str("# active mode cannot be turned off: let the firewall of the server keep it from connecting\n");
        }
        text.push_str(
            "# data connections are the client's own only\nAllowUserFXP no\nAllowAnonymousFXP no\n",
        );
    }

    fn wu_ftpd(&self, text: &mut String) {
        text.push_str("# the control port is inetd's affair; addresses are of IPv4 only\n");
        if let Some((first, last)) = self.range() {
            let _ =
                writeln!(text, "# passive mode, for every client\npassive ports 0.0.0.0/0 {first} {last}");
        }
        if let Some(told) = self.told {
            let _ =
                writeln!(text, "# what 227 tells: the outside of the NAT\npassive address {told} 0.0.0.0/0");
        }
        if !self.site.passive || !self.active() {
            text.push_str("# neither mode can be turned off: let the firewall of the server do it\n");
        }
        text.push_str("# no pasv-allow and no port-allow: data connections are the client's own only\n");
    }

    fn filezilla(&self, text: &mut String) {
        // 0 lets the client choose, 1 is TLS from the first byte, 2 demands AUTH TLS.
        let plain = if self.site.tls == TlsUse::Required { 2 } else { 0 };
        let doors = self.site.control.iter().map(|port| (port, plain));
        for (port, tls) in doors.chain(self.site.implicit.iter().map(|port| (port, 1))) {
            for address in ["0.0.0.0", "::"] {
                let _ = writeln!(
                    text,
                    "<listener>\n  <address>{address}</address>\n  <port>{port}</port>\n  <tls_mode>{tls}</tls_mode>\n</listener>"
                );
            }
        }
        text.push_str("<session>\n  <pasv>\n");
        if let Some(told) = self.told {
            let _ = writeln!(
                text,
                "    <!-- what 227 tells: the outside of the NAT, but not to clients inside -->\n    <host_override>{told}</host_override>\n    \
                 <do_not_override_host_if_peer_is_local>true</do_not_override_host_if_peer_is_local>"
            );
        }
        if let Some((first, last)) = self.range() {
            let _ = writeln!(
                text,
                "    <port_range>\n      <min>{first}</min>\n      <max>{last}</max>\n    </port_range>"
            );
        }
        text.push_str("  </pasv>\n</session>\n");
    }

    fn iis(&self, text: &mut String) {
        if let Some(port) = self.port {
            let _ = writeln!(text, "rem the control port is the site's binding: ftp *:{port}:");
        }
        if let Some((first, last)) = self.range() {
            let _ = writeln!(
                text,
                "rem passive mode, for all sites\nappcmd set config -section:system.ftpServer/firewallSupport \
                 /lowDataChannelPort:{first} /highDataChannelPort:{last} /commit:apphost"
            );
        }
        let mut default = |setting: &str| {
            let _ = writeln!(
                text,
                "appcmd set config -section:system.applicationHost/sites /siteDefaults.ftpServer.{setting} /commit:apphost"
            );
        };
        if let Some(told) = self.told {
            default(&format!("firewallSupport.externalIp4Address:{told}"));
        }
        // Data connections are the client's own only.
        default("security.dataChannelSecurity.matchClientAddressForPort:true");
        default("security.dataChannelSecurity.matchClientAddressForPasv:true");
        text.push_str("rem it reads the ports when it starts\nnet stop ftpsvc\nnet start ftpsvc\n");
    }

    fn pyftpdlib(&self, text: &mut String) {
        text.push_str(
            "from pyftpdlib.handlers import FTPHandler\nfrom pyftpdlib.servers import FTPServer\n\n\n",
        );
        text.push_str("class Handler(FTPHandler):  # or of TLS_FTPHandler\n");
        if let Some((first, last)) = self.range() {
            let _ = writeln!(
                text,
                "    # passive mode, {first} to {last}; when all are taken it uses others, which no firewall lets in\n    \
                 passive_ports = range({first}, {})",
                u32::from(last) + 1
            );
        }
        if let Some(told) = self.told {
            let _ = writeln!(
                text,
                "    # what 227 tells: the outside of the NAT\n    masquerade_address = \"{told}\""
            );
        }
        let mut off: Vec<&str> = Vec::new();
        off.extend(if self.site.passive { &[][..] } else { &["PASV", "EPSV"] });
        off.extend(if self.active() { &[][..] } else { &["PORT", "EPRT"] });
        if !off.is_empty() {
            let _ = writeln!(
                text,
                "    proto_cmds = {{k: v for k, v in FTPHandler.proto_cmds.items() if k not in {off:?}}}"
            );
        }
        if self.active() {
            text.push_str("    # active mode: it connects from any port, to the client's own address\n");
        }
        text.push_str("    permit_foreign_addresses = False\n    permit_privileged_ports = False\n\n\n");
        if let Some(port) = self.port {
            let _ = writeln!(
                text,
                "# Handler.authorizer says who may come in\nserver = FTPServer((\"\", {port}), Handler)\nserver.serve_forever()"
            );
        }
    }

    fn sftpgo(&self, text: &mut String) {
        // 0 lets the client choose, 1 demands AUTH TLS, 2 is TLS from the first byte.
        let plain = if self.site.tls == TlsUse::Required { 1 } else { 0 };
        let doors = self.site.control.iter().map(|port| (port, plain));
        for (n, (port, tls)) in doors.chain(self.site.implicit.iter().map(|port| (port, 2))).enumerate() {
            let mut of = |key: &str, value: &str| {
                let _ = writeln!(text, "SFTPGO_FTPD__BINDINGS__{n}__{key}={value}");
            };
            of("PORT", &port.to_string());
            of("TLS_MODE", &tls.to_string());
            if let Some(told) = self.told {
                of("FORCE_PASSIVE_IP", &told.to_string());
            }
            // Data connections are the client's own only.
            of("PASSIVE_CONNECTIONS_SECURITY", "0");
            of("ACTIVE_CONNECTIONS_SECURITY", "0");
        }
        if let Some((first, last)) = self.range() {
            let _ = writeln!(
                text,
                "SFTPGO_FTPD__PASSIVE_PORT_RANGE__START={first}\nSFTPGO_FTPD__PASSIVE_PORT_RANGE__END={last}"
            );
        }
        let _ = writeln!(text, "SFTPGO_FTPD__DISABLE_ACTIVE_MODE={}", !self.active());
        if self.active() {
            let _ = writeln!(
                text,
                "SFTPGO_FTPD__ACTIVE_TRANSFERS_PORT_NON_20={}",
                self.site.active != Active::Port20
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outside::Outside;
    use crate::ports::PortRange;

    fn site() -> Site {
        Site {
            passive_ports: Some(PortRange::new(61000, 61255).unwrap()),
            active: Active::Port20,
            server: vec!["198.51.100.2".parse().unwrap()],
            inside: vec!["192.168.50.2".parse().unwrap()],
            ..Site::default()
        }
    }

    #[test]
    fn every_server_has_its_words_for_the_plan() {
        let passive_only = Site { active: Active::Off, implicit: vec![990], ..site() };
        for peer in Peer::ALL {
            let both = configuration(&site(), peer).unwrap();
            let passive = configuration(&passive_only, peer).unwrap();
            insta::assert_snapshot!(peer.name(), format!("{both}======== without active mode\n{passive}"));
        }
    }

    #[test]
    fn a_helper_and_an_outside_address_are_refused_here_too() {
        let told = Tell::Address("198.51.100.2".parse().unwrap());
        let outside = Outside { tell: told.clone(), ..Outside::default() };
        let site = Site { helper: true, outside, ..site() };
        assert_eq!(configuration(&site, Peer::Vsftpd), Err(Conflict::HelperAndAdvertised(told)));
        let own = Site { helper: true, passive_ports: None, ..self::site() };
        let text = configuration(&own, Peer::Vsftpd).unwrap();
        assert!(!text.contains("pasv_address") && !text.contains("pasv_min_port"), "{text}");
    }
}
