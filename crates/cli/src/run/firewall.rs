//! `twoport firewall`: what must pass, as a table, as rules, as another server's configuration, or as JSON; from a configuration, from flags, or both.

use serde_json::json;
use twoport_plan::conflict::Conflict;
use twoport_plan::firewall::{self, Dialect};
use twoport_plan::flow::{self, Active, Mode, Site, TlsUse};
use twoport_plan::{Tell, peers};

use crate::args::{self, Firewall, Tls};
use crate::exit::Stopped;
use crate::{settle, show, site};

/// Says what must pass, and how.
pub(crate) fn firewall(args: &Firewall) -> Result<(), Stopped> {
    let site = read(args)?;
    if let Some(peer) = args.server {
        let text = peers::configuration(&site, peer).map_err(refused)?;
        return match args.json {
            true => show::object(&json!({ "server": peer.name(), "text": text })),
            false => show::line(text.trim_end().as_bytes()),
        };
    }
    let side = args.side;
    let mode = args.mode.unwrap_or(if side.is_servers() { Mode::Both } else { Mode::Passive });
    let text = firewall::rules(&site, side, mode, args.dialect).map_err(refused)?;
    if !args.json {
        return show::line(text.trim_end().as_bytes());
    }
    let flows = flow::flows(&site, side, mode).map_err(refused)?;
    let flows = flows.iter().map(|flow| site::object(flow, side));
    if args.dialect == Dialect::Table {
        return flows.into_iter().try_for_each(|flow| show::object(&flow));
    }
    show::object(&json!({
        "side": side.name(),
        "mode": mode.name(),
        "dialect": args.dialect.name(),
        "text": text,
        "notes": firewall::notes(&site, side, mode, args.dialect).map_err(refused)?,
        "flows": flows.collect::<Vec<_>>(),
    }))
}

fn refused(conflict: Conflict) -> Stopped {
    Stopped::usage(conflict.to_string())
}

/// What the file says, and over it what the flags say.
fn read(args: &Firewall) -> Result<Site, Stopped> {
    let mut site = match &args.config {
        Some(path) => site::of_settings(&settle::settings(path)?),
        None => Site::default(),
    };
    if !args.listen.is_empty() {
        site.control.clone_from(&args.listen);
    }
    if !args.implicit.is_empty() {
        site.implicit.clone_from(&args.implicit);
    }
    site.passive_ports =
        settle::range("passive-ports", args.passive_ports.as_deref())?.or(site.passive_ports);
    site.outside_ports = settle::range("outside-ports", args.outside_ports.as_deref())?;
    site.active_ports = settle::range("active-ports", args.active_ports.as_deref())?;
    if let Some(told) = args.passive_address {
        (site.outside.tell, site.outside.tell_in_tls) = (Tell::Address(told), None);
    }
    if let Some(active) = args.active {
        site.active = match active {
            args::Active::Off => Active::Off,
            args::Active::On => Active::On,
            args::Active::Port20 => Active::Port20,
        };
    }
    if let Some(tls) = args.tls {
        site.tls = match tls {
            Tls::Off => TlsUse::Off,
            Tls::On => TlsUse::On,
            Tls::Required => TlsUse::Required,
        };
    }
    if !args.address.is_empty() {
        site.server.clone_from(&args.address);
    }
    if !args.inside.is_empty() {
        site.inside.clone_from(&args.inside);
    }
    site.clients.clone_from(&args.client);
    site.helper = args.helper;
    site.lan_network = args.lan_network;
    site.lan.clone_from(&args.lan_interface);
    site.wan.clone_from(&args.wan_interface);
    site.table.clone_from(&args.table);
    Ok(site)
}
