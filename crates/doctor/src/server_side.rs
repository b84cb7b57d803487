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

    /// The door of this port; none where it tells of none. A NAT may show it under another number: then it is the only one. Of several
    /// one that somebody listens at.
    #[must_use]
    pub fn door(&self, port: u16) -> Option<&Door> {
        let mut there = self.doors.iter().filter(|door| door.at.port() == port);
        match &self.doors[..] {
            [only] => Some(only),
            _ => there.clone().find(|door| door.listens).or_else(|| there.next()),
        }
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

    /// Its addresses inside its own network, with the port of a control connection each.
    #[must_use]
    pub fn inside(&self, port: u16) -> Vec<SocketAddr> {
        let port = self.door(port).map_or(port, |door| door.at.port());
        let inner = self.addresses.iter().filter(|ip| matches!(ip, IpAddr::V4(v4) if is_local(*v4)));
        inner.take(4).map(|ip| SocketAddr::new(*ip, port)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &str = r#"{
        "addresses": ["192.168.50.2", "2001:db8::2"],
        "control": [{"at": "[::]:21", "listens": true, "let_through": null}]
    }"#;

    #[test]
    fn what_was_said_there_is_read_here() {
        let said = ServerSide::read(SAID).unwrap();
        let door = Door { at: "[::]:21".parse().unwrap(), listens: true, let_through: None };
        assert_eq!((said.door(21), said.door(2121)), (Some(&door), Some(&door)));
        let other = Door { at: "[::]:2121".parse().unwrap(), listens: false, ..door };
        let two = ServerSide { doors: vec![other, door], ..said.clone() };
        assert_eq!((two.door(21), two.door(2121), two.door(990)), (Some(&door), Some(&other), None));
        assert_eq!(said.inside(21), ["192.168.50.2:21".parse().unwrap()]);
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
