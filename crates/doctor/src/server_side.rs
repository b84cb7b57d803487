//! `ServerSide`: what `twoport doctor --config FILE --json` said on the server's machine, read again at the client's end. It tells what
//! no login can where there is none.

use std::net::{IpAddr, SocketAddr};

use serde_json::Value;
use twoport_plan::outside::is_local;

use crate::host::Door;

/// What matters of it here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerSide {
    /// The addresses of that machine.
    pub addresses: Vec<IpAddr>,
    /// Where it takes control connections.
    pub doors: Vec<Door>,
}

impl ServerSide {
    /// Reads it.
    ///
    /// # Errors
    /// A sentence, where it is something else.
    pub fn read(text: &str) -> Result<ServerSide, String> {
        let value: Value = serde_json::from_str(text).map_err(|e| format!("it is no JSON: {e}"))?;
        let list = |key: &str| value[key].as_array().ok_or_else(|| format!("it has no {key:?}"));
        let address = |value: &Value| value.as_str()?.parse().ok();
        let addresses: Option<Vec<IpAddr>> = list("addresses")?.iter().map(address).collect();
        let door = |value: &Value| {
            Some(Door {
                at: value["at"].as_str()?.parse().ok()?,
                listens: value["listens"].as_bool()?,
                let_through: value["let_through"].as_bool(),
            })
        };
        let doors: Option<Vec<Door>> = list("control")?.iter().map(door).collect();
        let unreadable = |what: &str| format!("its {what} cannot be read");
        Ok(ServerSide {
            addresses: addresses.ok_or_else(|| unreadable("addresses"))?,
            doors: doors.ok_or_else(|| unreadable("control ports"))?,
        })
    }

    /// The door that somebody meets who asks for this address, or for the NAT's in front of it; none where there is none of that port.
    /// Of several one that somebody listens at.
    #[must_use]
    pub fn door(&self, at: SocketAddr) -> Option<&Door> {
        let asked = at.ip().to_canonical();
        let meets = |door: &&Door| {
            let here = door.at.ip();
            let all = here.is_unspecified() && (here.is_ipv6() || asked.is_ipv4());
            let one = here.to_canonical();
            let behind_nat = !self.addresses.contains(&asked) && one.is_ipv4() == asked.is_ipv4();
            let named = one == asked || behind_nat && !one.is_unspecified() && !one.is_loopback();
            door.at.port() == at.port() && (all || named)
        };
        let mut there = self.doors.iter().filter(meets);
        there.clone().find(|door| door.listens).or_else(|| there.next())
    }

    /// Whether it can be the machine that answers at `address`: it is one of its own, or this machine's to itself, or it has none that
    /// the world reaches and is behind a NAT.
    #[must_use]
    pub fn may_be(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let hidden = |ip: &IpAddr| matches!(ip, IpAddr::V4(v4) if is_local(*v4));
        let same = |ip: &&IpAddr| ip.is_ipv4() == address.is_ipv4();
        address.is_loopback()
            || self.addresses.contains(&address)
            || self.addresses.iter().filter(same).all(hidden)
    }

    /// Where it takes control connections inside its own network, as far as that can be asked.
    #[must_use]
    pub fn inside(&self) -> Vec<SocketAddr> {
        let inner = self.addresses.iter().filter(|ip| matches!(ip, IpAddr::V4(v4) if is_local(*v4)));
        let doors = inner.flat_map(|ip| self.doors.iter().map(|door| SocketAddr::new(*ip, door.at.port())));
        doors.filter(|at| self.door(*at).is_some_and(|door| door.listens)).take(4).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_door_is_of_a_port_and_a_family_and_not_of_the_machine_to_itself() {
        let said = |doors: &[&str]| {
            let door = |text: &&str| Door { at: at(text), listens: true, let_through: None };
            ServerSide { addresses: vec![at("203.0.113.2:0").ip()], doors: doors.iter().map(door).collect() }
        };
        let met = |doors: &[&str], asked: &str| said(doors).door(at(asked)).map(|door| door.at);
        let doors = ["127.0.0.1:21", "0.0.0.0:2121", "[::]:990", "203.0.113.2:2100"];
        for (asked, door) in [
            ("203.0.113.2:21", None),
            ("127.0.0.1:21", Some("127.0.0.1:21")),
            ("203.0.113.2:2121", Some("0.0.0.0:2121")),
            ("[2001:db8::2]:2121", None),
            ("203.0.113.2:990", Some("[::]:990")),
            ("[2001:db8::2]:990", Some("[::]:990")),
            ("203.0.113.2:2100", Some("203.0.113.2:2100")),
            // By a NAT.
            ("198.51.100.2:2100", Some("203.0.113.2:2100")),
            ("198.51.100.2:21", None),
        ] {
            assert_eq!(met(&doors, asked), door.map(at), "{asked}");
        }
    }

    const SAID: &str = r#"{
        "addresses": ["192.168.50.2", "2001:db8::2"],
        "control": [{"at": "[::]:21", "listens": true, "let_through": null}]
    }"#;

    #[test]
    fn what_was_said_there_is_read_here() {
        let said = ServerSide::read(SAID).unwrap();
        let door = Door { at: at("[::]:21"), listens: true, let_through: None };
        assert_eq!(said.doors, [door]);
        assert_eq!(said.inside(), [at("192.168.50.2:21")]);
        for (address, may_be) in [("192.168.50.2", true), ("198.51.100.2", true), ("2001:db8::3", false)] {
            assert_eq!(said.may_be(address.parse().unwrap()), may_be, "{address}");
        }
    }

    #[test]
    fn anything_else_is_refused_with_a_reason() {
        for (text, why) in [
            ("", "no JSON"),
            ("[]", "no \"addresses\""),
            (r#"{"addresses": ["x"], "control": []}"#, "cannot be read"),
            (r#"{"addresses": [], "control": [{"at": 21}]}"#, "cannot be read"),
            (r#"{"verdict": "ok", "matrix": []}"#, "no \"addresses\""),
        ] {
            let said = ServerSide::read(text).unwrap_err();
            assert!(said.contains(why), "{text}: {said}");
        }
    }
}
