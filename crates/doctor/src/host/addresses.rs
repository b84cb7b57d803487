//! What 227 tells, judged: by this machine's own addresses, and by what a name or a witness answers now.

use std::net::{IpAddr, Ipv4Addr};

use twoport_plan::Tell;
use twoport_plan::outside::is_local;

use super::{Finding, Host, Setup};
use crate::causes::{Cause, Side};
use crate::diagnosis::Confidence;

/// Looks at everything that clients are told.
pub(super) fn judge(setup: &Setup, host: &Host) -> Vec<Finding> {
    // 229 tells no address, and IPv6 has no 227.
    let v4 = setup.listen.iter().any(|at| at.is_ipv4() || at.ip().is_unspecified());
    let loopback = setup.listen.iter().all(|at| at.ip().to_canonical().is_loopback());
    if !setup.site.passive || !v4 || loopback {
        return Vec::new();
    }
    let mut findings = vec![judge_one(&setup.site.outside.tell, "", setup, host)];
    if let Some(tell) =
        setup.site.outside.tell_in_tls.as_ref().filter(|tell| **tell != setup.site.outside.tell)
    {
        findings.push(judge_one(tell, " in TLS", setup, host));
    }
    // What clients of some networks are told is theirs to reach: only that it can be found is asked.
    for rule in &setup.site.outside.rules {
        if let Some((tell, Err(why))) = host.answers.iter().find(|(tell, _)| *tell == rule.tell) {
            let networks: Vec<String> = rule.networks.iter().map(ToString::to_string).collect();
            findings.push(lost(tell, &format!(" to {}", networks.join(", ")), why));
        }
    }
    findings.extend(map(setup));
    findings
}

fn judge_one(tell: &Tell, when: &str, setup: &Setup, host: &Host) -> Finding {
    match tell {
        Tell::Reached => reached(when, host),
        Tell::Control => Finding::warning(
            format!("227 tells 0.0.0.0{when}: old clients connect to themselves"),
            "passive-address = the address by which the world reaches this server",
        )
        .by(Cause::ZeroAddress),
        Tell::Address(told) => address(*told, &format!("227 tells {told}{when}"), setup, host),
        Tell::Name(_) | Tell::Auto => match host.answers.iter().find(|(asked, _)| asked == tell) {
            Some((_, Ok(told))) => {
                address(*told, &format!("227 tells {tell}{when}, which is {told} now"), setup, host)
            }
            Some((_, Err(why))) => lost(tell, when, why),
            None => Finding::ok(format!("227 tells {tell}{when}, which was not looked up")),
        },
    }
}

fn lost(tell: &Tell, when: &str, why: &str) -> Finding {
    let fix = match tell {
        Tell::Name(name) => format!("Repair the DNS of {name}: 'getent ahostsv4 {name}' shows it; or name the address itself (passive-address)"),
        _ => "Let this machine ask (stun-server, or cloud-metadata), or name the address itself (passive-address)".to_owned(),
    };
    let what = format!(
        "227 shall tell {tell}{when}, and that is not found ({why}): clients are told the address that they reached"
    );
    Finding::broken(what, fix).by(Cause::StaleAddress).sure(Confidence::Likely)
}

fn reached(when: &str, host: &Host) -> Finding {
    let own = own_v4(host);
    let public: Vec<&Ipv4Addr> = own.iter().filter(|ip| !is_local(**ip)).collect();
    match (&host.world, own.first()) {
        (Some(Ok(world)), _) if !own.contains(world) => Finding::broken(
            format!(
                "227 tells the address that the client reached{when}, which is one of {}, and the world sees this machine at {world}",
                list(&own)
            ),
            "passive-address = \"auto\", or the outside address",
        )
        .by(Cause::PrivateAddress),
        (None | Some(Err(_)), Some(_)) if public.is_empty() => Finding::warning(
            format!(
                "227 tells the address that the client reached{when}, and this machine has private ones only ({}): behind a NAT \
                 clients from outside cannot follow",
                list(&own)
            ),
            "Where clients come from outside: passive-address = the address that the router shows to the world. Else nothing",
        )
        .by(Cause::PrivateAddress)
        .sure(Confidence::Possible),
        _ => Finding::ok(format!("227 tells the address that the client reached{when} ({})", list(&own))),
    }
}

fn address(told: Ipv4Addr, says: &str, setup: &Setup, host: &Host) -> Finding {
    let own = own_v4(host);
    let config = "passive-address";
    if let Some(Ok(world)) = host.world.as_ref().filter(|world| !matches!(world, Ok(world) if *world == told))
    {
        let fix = format!("{config} = \"{world}\", or \"auto\", which follows");
        return Finding::broken(format!("{says}, and the world sees this machine at {world}"), fix)
            .by(if is_local(told) { Cause::PrivateAddress } else { Cause::StaleAddress })
            .sure(Confidence::Likely);
    }
    if is_local(told) {
        let fix = format!(
            "{config} = the address by which the world reaches this server; rules for inside are [[passive-address-for]]"
        );
        return Finding::warning(
            format!("{says}, a private address: clients beyond this network cannot reach it"),
            fix,
        )
        .by(Cause::PrivateAddress)
        .sure(Confidence::Likely);
    }
    if own.contains(&told) {
        return Finding::ok(format!("{says}, an address of this machine"));
    }
    let checked = if host.world.is_some() { ", and the world sees this machine there" } else { "" };
    let mut finding = Finding::ok(format!(
        "{says}, which is none of this machine's own ({}): that of a NAT before it{checked}",
        list(&own)
    ));
    finding.side = Side::None;
    if checked.is_empty() {
        let range = setup.site.passive_ports.map_or_else(String::new, |range| range.to_string());
        finding.fix = Some(format!(
            "The router there must forward ports {range} with these numbers: twoport firewall --config {} --side server-nat \
             --inside {}",
            setup.file,
            own.first().map_or_else(|| "OWN-ADDRESS".to_owned(), ToString::to_string)
        ));
    }
    finding
}

/// A map of ports speaks of the range, or of nothing.
fn map(setup: &Setup) -> Option<Finding> {
    let range = setup.site.passive_ports?;
    let pairs: Vec<_> = setup.site.outside.ports.pairs().collect();
    let outer: Vec<String> =
        setup.site.outside.ports.outside_of(range).iter().map(ToString::to_string).collect();
    let beside = pairs.iter().find(|(_, inner)| !inner.overlaps(range));
    match beside {
        None if pairs.is_empty() => None,
        None => Some(Finding::ok(format!("ports {range} are told as {}", outer.join(", ")))),
        Some((outside, inner)) => Some(
            Finding::warning(
                format!("the port map {outside}={inner} speaks of no passive port: those are {range}"),
                format!("passive-port-map = numbers that the router forwards to {range}, or none"),
            )
            .by(Cause::PortShift)
            .sure(Confidence::Likely),
        ),
    }
}

fn own_v4(host: &Host) -> Vec<Ipv4Addr> {
    let v4 = |ip: &IpAddr| if let IpAddr::V4(v4) = ip.to_canonical() { Some(v4) } else { None };
    host.own.iter().filter_map(v4).collect()
}

fn list(own: &[Ipv4Addr]) -> String {
    match own {
        [] => "it has none".to_owned(),
        own => own.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    }
}
