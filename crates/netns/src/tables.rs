//! The rules of a host, by nftables, and what they have counted.

use crate::{Error, Host, Result, feed};

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

    /// How many packets a named counter of nftables has counted: `counter NAME { }` in a table, `counter name NAME` in its rules.
    ///
    /// # Errors
    /// When there is none of this name.
    pub fn count(&self, name: &str) -> Result<u64> {
        let text = self.run("nft", ["list", "counters"])?;
        read_count(&text, name).ok_or_else(|| Error(format!("{} has no counter {name}: {text}", self.name())))
    }
}

/// `counter NAME {`, then `packets N bytes M`.
fn read_count(text: &str, name: &str) -> Option<u64> {
    let (_, after) = text.split_once(&format!("counter {name} {{"))?;
    let mut words = after.split_whitespace();
    words.find(|word| *word == "packets")?;
    words.next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_is_read() {
        let text = "table inet t {\n\tcounter ab {\n\t\tpackets 1 bytes 60\n\t}\n\tcounter a {\n\t\tpackets 7 bytes 420\n\t}\n}\n";
        assert_eq!(read_count(text, "a"), Some(7));
        assert_eq!(read_count(text, "b"), None);
    }
}
