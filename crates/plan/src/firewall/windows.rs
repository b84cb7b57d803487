//! Windows Firewall: PowerShell, all rules in one group. The helper is StatefulFtp, which needs no rule for data connections
//! and is not to be trusted with TLS.

use std::fmt::Write as _;

use super::header;
use super::rule::{Place, Ruleset};
use crate::conflict::Conflict;

pub(super) fn write(set: &Ruleset<'_>) -> Result<String, Conflict> {
    if set.side.is_router() {
        let instead =
            "Ask for the machine itself (--side server or client), and for the router in its own dialect";
        return Err(Conflict::NotThere { dialect: "windows", side: set.side, instead });
    }
    let load = ["in PowerShell as administrator: powershell -ExecutionPolicy Bypass -File FILE.ps1"];
    let undo = ["Remove-NetFirewallRule -Group twoport"];
    let mut text = header(set, "#", "Windows Firewall", &load, &undo);
    text.push('\n');
    if set.site.helper {
        text.push_str("# the helper: it opens data connections of sessions in plain\nSet-NetFirewallSetting -EnableStatefulFtp True\n");
    } else {
        text.push_str("# Sessions in TLS that are reset after a while have met the helper, which is then to be switched off:\n");
        text.push_str("#   Set-NetFirewallSetting -EnableStatefulFtp False\n");
    }
    for permit in set.permits.iter().filter(|permit| !permit.related) {
        let inbound = permit.place == Place::In;
        let (direction, target, local) = match inbound {
            true => ("Inbound", "LocalPort", "RemotePort"),
            false => ("Outbound", "RemotePort", "LocalPort"),
        };
        let ports = permit.target.joined("-", "','");
        let source = permit.source.as_ref();
        let source =
            source.map(|ports| format!(" -{local} '{}'", ports.joined("-", "','"))).unwrap_or_default();
        let peer = if inbound { permit.from } else { permit.to };
        let peer = peer.map(|net| format!(" -RemoteAddress {net}")).unwrap_or_default();
        let _ = writeln!(
            text,
            "New-NetFirewallRule -Group twoport -DisplayName 'FTP {} {}' -Description '{}' -Direction {direction} \
             -Protocol TCP -{target} '{ports}'{source}{peer} -Action Allow",
            direction.to_lowercase(),
            permit.target.joined("-", " "),
            permit.why
        );
    }
    Ok(text)
}
