//! `Features`: what a server said to FEAT (RFC 2389 §3), and what it turned out not to have.

use twoport_proto::reply_reader::ReceivedReply;

/// The features of a server.
#[derive(Debug, Clone, Default)]
pub struct Features(Vec<String>);

impl Features {
    /// Reads the answer to FEAT: every line between the first and the last is a feature.
    #[must_use]
    pub fn read(reply: &ReceivedReply) -> Self {
        let between = reply.lines.iter().skip(1).take(reply.lines.len().saturating_sub(2));
        Features(between.map(|line| String::from_utf8_lossy(line).trim().to_ascii_uppercase()).collect())
    }

    /// Whether there is a feature of this name, whatever follows it.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|feature| feature.split(' ').next() == Some(name))
    }

    /// Whether there is this feature to the letter, such as `MODE B`.
    #[must_use]
    pub fn offers(&self, feature: &str) -> bool {
        self.0.iter().any(|known| known == feature)
    }

    /// Whether the server told nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The server said that it has this, and does not know it.
    pub(crate) fn forget(&mut self, name: &str) {
        self.0.retain(|feature| feature.split(' ').next() != Some(name));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_are_known_by_their_first_word() {
        let lines = ["Features:", " MLST type*;size*;", " utf8", " REST STREAM", "End"];
        let reply =
            ReceivedReply { code: 211, lines: lines.iter().map(|line| line.as_bytes().to_vec()).collect() };
        let mut features = Features::read(&reply);
        assert!(features.has("MLST") && features.has("UTF8") && features.has("REST"));
        assert!(features.offers("REST STREAM") && !features.offers("REST"));
        assert!(!features.has("Features:") && !features.has("MFMT"));
        features.forget("MLST");
        assert!(!features.has("MLST"));
    }
}
