//! What a configuration says of the second connection: which ports, what clients are told of them, and what happens when none is
//! left.

use std::net::{IpAddr, SocketAddrV4};
use std::time::Duration;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use twoport_net::outside::{Cloud, METADATA, Witness};
use twoport_plan::Network;
use twoport_plan::outside::{Outside, PortMap, Rule, Tell};
use twoport_plan::ports::PortRange;

use super::Config;
use crate::settings::Settings;

/// What clients of some networks are told: `[[passive-address-for]]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct AddressRule {
    /// Where they come from: `["10.0.0.0/8"]`.
    #[serde(deserialize_with = "networks")]
    pub networks: Vec<Network>,
    /// What 227 tells them: as `passive-address`.
    pub tell: String,
}

/// What happens when no passive port is left for a client: 425 at once, or it waits for its 227 or 229 and is refused then.
pub(super) fn when_full<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
    let text = String::deserialize(from)?;
    let mut words = text.split_whitespace();
    match (words.next(), words.next().map(str::parse), words.next(), words.next()) {
        (Some("refuse"), None, None, None) => Ok(Some(Duration::ZERO)),
        (Some("wait"), Some(Ok(seconds)), None | Some("s"), None) => Ok(Some(Duration::from_secs(seconds))),
        _ => Err(D::Error::custom(format!("{text:?}: expected \"refuse\" or \"wait 10 s\""))),
    }
}

pub(super) fn cloud<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Cloud>, D::Error> {
    String::deserialize(from)?.parse().map(Some).map_err(D::Error::custom)
}

pub(super) fn ports<'de, D: Deserializer<'de>>(from: D) -> Result<Option<PortRange>, D::Error> {
    PortRange::read(&String::deserialize(from)?).map(Some).map_err(D::Error::custom)
}

pub(super) fn port_map<'de, D: Deserializer<'de>>(from: D) -> Result<Option<PortMap>, D::Error> {
    let parts = Vec::<String>::deserialize(from)?;
    PortMap::read(parts.iter().map(String::as_str)).map(Some).map_err(D::Error::custom)
}

pub(super) fn trusted<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Vec<Network>>, D::Error> {
    networks(from).map(Some)
}

fn networks<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Network>, D::Error> {
    let texts = Vec::<String>::deserialize(from)?;
    texts.iter().map(|text| text.parse().map_err(D::Error::custom)).collect()
}

/// Settles what the configuration says of data connections.
///
/// # Errors
/// A sentence with the name of the setting.
pub(super) fn settle(config: &mut Config, settings: &mut Settings) -> Result<(), String> {
    settings.passive_ports = config.passive_ports.unwrap_or(settings.passive_ports);
    let range = settings.passive_ports;
    if let Some(listener) = settings.listen.iter().find(|one| range.contains(one.address.port())) {
        return Err(format!(
            "passive-ports: {range} holds port {}, which is listened on for sessions; choose another range",
            listener.address.port()
        ));
    }
    if config.passive_share == Some(0) {
        return Err(
            "passive-share: with 0 nobody could use passive mode; leave it out, or passive = \"off\""
                .to_owned(),
        );
    }
    settings.passive_share = config.passive_share;
    settings.when_full = config.when_full.unwrap_or(settings.when_full);
    settings.witness = witness(config)?;
    settings.outside = outside(config, range, settings.witness.is_some())?;
    Ok(())
}

fn outside(config: &mut Config, range: PortRange, asked: bool) -> Result<Outside, String> {
    let tell = |key: &str, text: &str| match text.parse() {
        Ok(Tell::Auto) if !asked => Err(format!(
            "{key}: auto needs somebody outside who is asked: stun-server = \"HOST:PORT\", or cloud-metadata = \"aws\", \"gcp\" \
             or \"azure\""
        )),
        Ok(Tell::Name(name)) if name.parse::<IpAddr>().is_ok() => {
            Err(format!("{key}: 227 can tell an IPv4 address only, and {name} is none"))
        }
        Ok(Tell::Name(name)) if !is_name(&name) => {
            Err(format!("{key}: {name:?} is neither an address nor a name, nor reached, control or auto"))
        }
        Ok(tell) => Ok(tell),
    };
    let ports = config.passive_port_map.take().unwrap_or_default();
    for (outer, inner) in ports.pairs() {
        if !(range.contains(inner.first()) && range.contains(inner.last())) {
            return Err(format!(
                "passive-port-map: {outer}={inner} maps ports that are not of passive-ports {range}; inside stands behind the \
                 equals sign"
            ));
        }
    }
    let outside = Outside {
        tell: config
            .passive_address
            .as_deref()
            .map_or(Ok(Tell::Reached), |text| tell("passive-address", text))?,
        tell_in_tls: match &config.passive_address_tls {
            Some(text) => Some(tell("passive-address-tls", text)?),
            None => None,
        },
        rules: (config.passive_address_for.drain(..))
            .map(|AddressRule { networks, tell: text }| {
                if networks.is_empty() {
                    return Err("passive-address-for: networks must name at least one, like \"10.0.0.0/8\""
                        .to_owned());
                }
                Ok(Rule { networks, tell: tell("passive-address-for", &text)? })
            })
            .collect::<Result<_, String>>()?,
        ports,
    };
    if outside.ports.pairs().next().is_some() && outside.tell == Tell::Reached {
        return Err(
            "passive-port-map: a NAT that gives ports other numbers has an address of its own: say it by \
                    passive-address"
                .to_owned(),
        );
    }
    Ok(outside)
}

/// Whether the DNS could know it (RFC 1123 §2.1).
fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text.len() < 254
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b))
        && text.bytes().any(|b| b.is_ascii_alphabetic())
}

fn witness(config: &Config) -> Result<Option<Witness>, String> {
    let at: SocketAddrV4 = config.metadata_address.unwrap_or(METADATA);
    match (&config.stun_server, config.cloud_metadata) {
        (Some(_), Some(_)) => Err("stun-server and cloud-metadata: one of them is enough".to_owned()),
        (Some(server), None) if server.trim().is_empty() => Err("stun-server: expected HOST:PORT".to_owned()),
        (Some(server), None) => Ok(Some(Witness::Stun(server.clone()))),
        (None, Some(cloud)) => Ok(Some(Witness::Metadata(cloud, at))),
        (None, None) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settle(text: &str) -> Result<Settings, String> {
        Config::read(text)?.settle()
    }

    #[test]
    fn what_clients_are_told_is_read() {
        let settings = settle(
            r#"
            passive-ports = "50000-50099"
            passive-address = "ftp.example.org"
            passive-address-tls = "auto"
            passive-port-map = ["60000-60049=50000-50049"]
            stun-server = "stun.example.org:3478"
            passive-share = 8
            when-full = "wait 3 s"
            [[passive-address-for]]
            networks = ["10.0.0.0/8", "192.0.2.7"]
            tell = "control"
            "#,
        )
        .unwrap();
        assert_eq!(settings.outside.tell, Tell::Name("ftp.example.org".to_owned()));
        assert_eq!(settings.outside.tell_in_tls, Some(Tell::Auto));
        assert_eq!(settings.outside.rules.len(), 1);
        assert_eq!(settings.outside.ports.outside(50_001), 60_001);
        assert_eq!(settings.witness, Some(Witness::Stun("stun.example.org:3478".to_owned())));
        assert_eq!((settings.passive_share, settings.when_full), (Some(8), Duration::from_secs(3)));
        let cloud = settle("passive-address = \"auto\"\ncloud-metadata = \"aws\"").unwrap();
        assert_eq!(cloud.witness, Some(Witness::Metadata(Cloud::Aws, METADATA)));
        assert_eq!(settle("when-full = \"refuse\"").unwrap().when_full, Duration::ZERO);
    }

    #[test]
    fn values_that_cannot_be_right_are_sentences() {
        for (text, said) in [
            ("passive-address = \"auto\"", "auto needs somebody"),
            ("passive-address = \"2001:db8::1\"", "an IPv4 address only"),
            ("passive-address = \"ftp example\"", "neither an address nor a name"),
            ("passive-address = \"1.2.3\"", "neither an address nor a name"),
            ("passive-share = 0", "nobody could use"),
            ("when-full = \"wait\"", "expected \"refuse\" or \"wait 10 s\""),
            ("when-full = \"wait 3 s now\"", "expected \"refuse\""),
            ("passive-port-map = [\"1-2\"]", "OUTSIDE=INSIDE"),
            ("passive-port-map = [\"60000-60001=50000-50001\"]", "not of passive-ports 61000-61255"),
            ("passive-port-map = [\"50000-50001=61000-61001\"]", "say it by passive-address"),
            ("stun-server = \"a\"\ncloud-metadata = \"gcp\"", "one of them"),
            ("[[passive-address-for]]\nnetworks = []\ntell = \"reached\"", "at least one"),
            (
                "[[passive-address-for]]\nnetworks = [\"10.0.0.1/8\"]\ntell = \"reached\"",
                "did you mean 10.0.0.0/8",
            ),
        ] {
            let error = settle(text).unwrap_err();
            assert!(error.contains(said), "{text}: {error}");
        }
    }
}
