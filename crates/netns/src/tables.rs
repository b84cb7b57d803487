//! The rules of a host, by nftables, and what they have counted.

use crate::{Error, Host, Result, feed};

/// What a counter has counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// Packets.
    pub packets: u64,
    /// Their bytes, with the headers of IP and TCP.
    pub bytes: u64,
}

impl Host {
    /// Loads a text of nftables, in addition to what is there.
    ///
    /// # Errors
    /// When `nft` does not take it, with what it said.
    pub fn load_nft(&self, rules: &str) -> Result<()> {
        let mut command = self.command("nft");
        command.args(["-f", "-"]);
        feed(command, rules).map(|_| ())
    }

    /// What a named counter of nftables has counted: `counter NAME { }` in a table, `counter name NAME` in its rules.
    ///
    /// # Errors
    /// When there is none of this name.
    pub fn count(&self, name: &str) -> Result<Count> {
        let text = self.run("nft", ["list", "counters"])?;
        read_count(&text, name).ok_or_else(|| Error(format!("{} has no counter {name}: {text}", self.name())))
    }
}

/// `counter NAME {`, then `packets N bytes M`.
fn read_count(text: &str, name: &str) -> Option<Count> {
    let (_, after) = text.split_once(&format!("counter {name} {{"))?;
    let mut words = after.split_whitespace();
    let mut number = |word: &str| words.find(|next| *next == word).and(words.next())?.parse().ok();
    Some(Count { packets: number("packets")?, bytes: number("bytes")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_is_read() {
        let text = "table inet t {\n\tcounter ab {\n\t\tpackets 1 bytes 60\n\t}\n\tcounter a {\n\t\tpackets 7 bytes 420\n\t}\n}\n";
        assert_eq!(read_count(text, "a"), Some(Count { packets: 7, bytes: 420 }));
        assert_eq!(read_count(text, "b"), None);
    }
}
