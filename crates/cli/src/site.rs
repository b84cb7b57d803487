//! A server's settings as the plan of the network sees them, and a flow of that plan as scripts read it.

use serde_json::{Value, json};
use twoport_plan::Tell;
use twoport_plan::flow::{Flow, Side, Site, TlsUse};
use twoport_server::{Need, Settings};

/// What of a server's settings concerns firewalls. The address that it tells is the one by which it is reached; one that it
/// listens on alone is its own.
pub(crate) fn of_settings(settings: &Settings) -> Site {
    let ports = |implicit: bool| {
        let these = settings.listen.iter().filter(|listener| listener.door.implicit == implicit);
        these.map(|listener| listener.address.port()).collect::<Vec<_>>()
    };
    let outside = &settings.outside;
    let told = [Some(&outside.tell), outside.tell_in_tls.as_ref()].into_iter().flatten();
    let told = told.filter_map(|tell| if let Tell::Address(told) = tell { Some(*told) } else { None });
    let own = settings.listen.iter().map(|listener| listener.address.ip());
    let required =
        settings.listen.iter().all(|one| one.door.implicit || one.door.needs.control == Need::Required);
    Site {
        control: ports(false),
        implicit: ports(true),
        passive: settings.passive,
        passive_ports: Some(settings.passive_ports),
        active: settings.active,
        server: told.take(1).map(Into::into).collect(),
        inside: own.filter(|ip| !ip.is_unspecified() && !ip.is_loopback()).collect(),
        outside: outside.clone(),
        tls: match &settings.tls {
            None => TlsUse::Off,
            Some(_) if required => TlsUse::Required,
            Some(_) => TlsUse::On,
        },
        ..Site::default()
    }
}

/// One connection that must pass, as one object.
pub(crate) fn object(flow: &Flow, side: Side) -> Value {
    json!({
        "opener": flow.opener.name(),
        "direction": if flow.inward(side) { "in" } else { "out" },
        "source_ports": flow.source.joined("-", ","),
        "target_ports": flow.target.joined("-", ","),
        "by_helper": flow.related,
        "why": flow.why,
    })
}
