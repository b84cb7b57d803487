//! No dialect but a table for people: who connects to whom, from which port to which, and why, in both directions of each
//! connection, as texts on FTP have listed it for decades.

use std::fmt::Write as _;

use super::rule::{Ruleset, Source};
use super::wrapped;
use crate::flow::{Flow, Party, Side};
use crate::network::Network;

pub(super) fn write(set: &Ruleset<'_>) -> String {
    let mut text = format!("What must pass {}, {}:\n\n", set.side, set.mode);
    let mut rows = vec![["".to_owned(), "from".to_owned(), "to".to_owned(), "why".to_owned()]];
    for flow in &set.flows {
        let (opens, answers) = if flow.inward(set.side) { ("in", "out") } else { ("out", "in") };
        let (from, to) = ends(flow);
        rows.push([format!("* {opens}"), from.clone(), to.clone(), flow.why.clone()]);
        rows.push([format!("  {answers}"), to, from, flow.back.to_owned()]);
    }
    let widths: Vec<usize> =
        (0..3).map(|column| rows.iter().map(|row| row[column].len()).max().unwrap_or(0)).collect();
    for [direction, from, to, why] in &rows {
        let _ = writeln!(
            text,
            "  {direction:<a$}  {from:<b$}  {to:<c$}  {why}",
            a = widths[0],
            b = widths[1],
            c = widths[2]
        );
    }
    text.push_str("\n  * opens a connection. A firewall that keeps state needs rules for these lines only, and lets the\n");
    text.push_str("    others pass as part of what is open; one that does not needs them all.\n\n");
    who(&mut text, set);
    for forward in &set.forwards {
        let asked = forward.asked.map_or("the outside address".to_owned(), |ip| ip.to_string());
        let from = forward.from.map(|from| format!(" from {from}")).unwrap_or_default();
        let (ports, to) = (&forward.ports, forward.to);
        let _ = writeln!(text, "  forward   {asked} ports {ports}{from} to {to}: {}", forward.why);
    }
    for source in &set.sources {
        let what = match source {
            Source::Hairpin { lan, to, ports } => format!("{lan} to {to} ports {ports} as the router"),
            Source::Server { from, outside, source, target } => {
                let outside = outside.map_or("the outside address".to_owned(), |ip| ip.to_string());
                format!("{from} ports {source} to ports {target} as {outside}")
            }
            Source::Clients(network) => {
                format!("{} as the router", network.map_or("clients".to_owned(), |n| n.to_string()))
            }
        };
        let _ = writeln!(text, "  translate {what}: {}", source.why());
    }
    for note in &set.notes {
        let mut title = "! ";
        for line in note.lines().flat_map(wrapped) {
            let _ = writeln!(text, "{title}{line}");
            title = "  ";
        }
    }
    if set.flows.iter().any(|flow| flow.opener == Party::Server) {
        text.push_str("  Port 20 is where the server connects from; nobody connects to it, so nothing to it need be open.\n");
    }
    text
}

fn ends(flow: &Flow) -> (String, String) {
    let end = |party: Party, ports| format!("{} {ports}", party.name());
    (end(flow.opener, &flow.source), end(flow.opener.other(), &flow.target))
}

/// The addresses behind the words client and server.
fn who(text: &mut String, set: &Ruleset<'_>) {
    let site = set.site;
    let list = |addresses: Vec<String>, nobody: &str| match addresses.is_empty() {
        true => nobody.to_owned(),
        false => addresses.join(", "),
    };
    let server = site.server.iter().map(ToString::to_string).collect();
    let nobody = if set.side.is_servers() { "this one" } else { "anyone" };
    let _ = write!(text, "  server    {}", list(server, nobody));
    if set.side == Side::ServerNat {
        let _ = write!(
            text,
            "; its own: {}",
            list(site.own().iter().map(Network::to_string).collect(), "not known")
        );
    }
    let clients = site.clients.iter().map(ToString::to_string).collect();
    let _ = writeln!(text, "\n  client    {}", list(clients, "anyone"));
}
