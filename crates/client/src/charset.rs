//! `Charset`: names are bytes on the wire and go back as they came; here they become text where a server's names are not
//! UTF-8. The one module that knows `encoding_rs`. What a name may do on this machine is left to `local_name`.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use encoding_rs::{Encoding, UTF_8};
use thiserror::Error;

/// The charset of a server's names; UTF-8 where nobody names another. Clones share what they have learned, so that a name
/// that one session has seen goes back as it came in another.
#[derive(Debug, Clone, Default)]
pub struct Charset {
    /// None is UTF-8: then nothing is changed at all.
    encoding: Option<&'static Encoding>,
    /// What a name that is not ASCII is called here, and its bytes at the server.
    names: Arc<Mutex<HashMap<Vec<u8>, Vec<u8>>>>,
}

/// Why a charset, or a name in it, cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CharsetError {
    /// No charset of that name.
    #[error("no charset is called {0:?}; try latin1, cp1251, shift_jis, euc-kr, gbk or big5")]
    Unknown(String),
    /// UTF-16, ISO-2022 and the like: an FTP command could not hold its bytes.
    #[error(
        "{0} cannot be the charset of names: its bytes do not keep ASCII as it is, and a path needs that"
    )]
    NoNames(&'static str),
    /// A name that has no bytes in the charset.
    #[error("the name {name:?} cannot be written in {charset}: a letter of it is not in that charset")]
    NotIn {
        /// The name.
        name: String,
        /// The charset.
        charset: &'static str,
    },
}

impl Charset {
    /// The charset of this name, as the web knows it (WHATWG Encoding): latin1 is windows-1252 there, which holds it.
    ///
    /// # Errors
    /// When there is none, or names cannot be in it.
    pub fn named(name: &str) -> Result<Charset, CharsetError> {
        let alias = match name.to_ascii_lowercase().replace('_', "-").as_str() {
            "cp932" | "cp-932" => "shift_jis",
            "cp949" => "euc-kr",
            "cp936" => "gbk",
            "cp950" => "big5",
            _ => name,
        };
        let found = Encoding::for_label_no_replacement(alias.as_bytes());
        // cp1251 is on the web's list, and so is every other of its family; the older ones of DOS are not, save 866.
        let encoding = found.ok_or_else(|| CharsetError::Unknown(name.chars().take(40).collect()))?;
        if !encoding.is_ascii_compatible() {
            return Err(CharsetError::NoNames(encoding.name()));
        }
        Ok(Charset { encoding: (encoding != UTF_8).then_some(encoding), names: Arc::default() })
    }

    /// Whether names are taken as UTF-8.
    #[must_use]
    pub fn is_utf8(&self) -> bool {
        self.encoding.is_none()
    }

    /// What a name from the server is called here: text in UTF-8 where its bytes are UTF-8 or make sense in the charset,
    /// else its bytes. Whatever it is, [`Charset::encode`] gives the server's bytes for it.
    #[must_use]
    pub fn decode(&self, name: &[u8]) -> Vec<u8> {
        let Some(encoding) = self.encoding.filter(|_| !name.is_ascii()) else { return name.to_vec() };
        let text = match std::str::from_utf8(name) {
            Ok(_) => None,
            Err(_) => encoding
                .decode_without_bom_handling_and_without_replacement(name)
                // What would not come back as it was is no text of this charset.
                .filter(|text| encoding.encode(text).0.as_ref() == name && !text.contains(['/', '\0']))
                .map(|text| text.into_owned().into_bytes()),
        };
        // Two names that would be called the same here are not: the second is told by its bytes.
        let ways = [text, Some(name.to_vec()), Some(percent(name, |_| false).into_bytes())];
        let mut names = self.names();
        for way in ways.into_iter().flatten() {
            let taken = names.entry(way.clone()).or_insert_with(|| name.to_vec());
            if taken == name {
                return way;
            }
        }
        name.to_vec()
    }

    /// The same for each part of a path.
    #[must_use]
    pub fn decode_path(&self, path: &[u8]) -> Vec<u8> {
        let parts: Vec<Vec<u8>> = path.split(|b| *b == b'/').map(|part| self.decode(part)).collect();
        parts.join(&b'/')
    }

    /// What a server says, for a person's eyes: a reply holds names, and is no name itself.
    #[must_use]
    pub fn text(&self, said: &[u8]) -> String {
        match (std::str::from_utf8(said), self.encoding) {
            (Ok(text), _) => text.to_owned(),
            (Err(_), Some(encoding)) => encoding.decode_without_bom_handling(said).0.into_owned(),
            (Err(_), None) => String::from_utf8_lossy(said).into_owned(),
        }
    }

    /// The server's bytes for a path as it is called here, part by part: those that came for a name that came, text in the
    /// charset otherwise, and what is no text as it is.
    ///
    /// # Errors
    /// When a letter is not in the charset.
    pub fn encode<'a>(&self, path: &'a [u8]) -> Result<Cow<'a, [u8]>, CharsetError> {
        let Some(encoding) = self.encoding.filter(|_| !self.is_plain(path)) else {
            return Ok(Cow::Borrowed(path));
        };
        let mut bytes = Vec::with_capacity(path.len());
        for (place, part) in path.split(|b| *b == b'/').enumerate() {
            if place > 0 {
                bytes.push(b'/');
            }
            if let Some(came) = self.names().get(part) {
                bytes.extend_from_slice(came);
                continue;
            }
            match std::str::from_utf8(part) {
                Ok(text) => match encoding.encode(text) {
                    (encoded, _, false) => bytes.extend_from_slice(&encoded),
                    (_, _, true) => {
                        let name = text.to_owned();
                        return Err(CharsetError::NotIn { name, charset: encoding.name() });
                    }
                },
                Err(_) => bytes.extend_from_slice(part),
            }
        }
        Ok(Cow::Owned(bytes))
    }

    /// An address as it was typed, with the letters of its path in the charset, as %XX. What was typed as %XX already is the
    /// server's own bytes, and stays.
    ///
    /// # Errors
    /// When a letter is not in the charset.
    pub fn typed(&self, address: &str) -> Result<String, CharsetError> {
        let Some(encoding) = self.encoding else { return Ok(address.to_owned()) };
        let authority = address.find("://").map_or(0, |at| at + 3);
        let path = address[authority..].find('/').map_or(address.len(), |at| authority + at);
        let (place, path) = address.split_at(path);
        let (encoded, _, lost) = encoding.encode(path);
        if lost {
            return Err(CharsetError::NotIn { name: path.to_owned(), charset: encoding.name() });
        }
        Ok(format!("{place}{}", percent(&encoded, |b| b.is_ascii())))
    }

    /// These are the server's own bytes, and go to it as they are.
    pub fn came(&self, path: &[u8]) {
        if self.encoding.is_some() {
            for part in path.split(|b| *b == b'/').filter(|part| !part.is_ascii()) {
                self.names().entry(part.to_vec()).or_insert_with(|| part.to_vec());
            }
        }
    }

    /// No part of it has another name at the server.
    fn is_plain(&self, path: &[u8]) -> bool {
        path.is_ascii() && !path.contains(&b'%')
    }

    fn names(&self) -> MutexGuard<'_, HashMap<Vec<u8>, Vec<u8>>> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A name as text that can be made bytes again: what is not UTF-8 becomes %XX, as an address takes it, and so does % itself
/// in such a name. A name in UTF-8 is what it is.
#[must_use]
pub fn text(name: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(name) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(
            name.utf8_chunks()
                .map(|chunk| chunk.valid().replace('%', "%25") + &percent(chunk.invalid(), |_| false))
                .collect(),
        ),
    }
}

/// Bytes as %XX, save those that `stay`.
#[must_use]
pub fn percent(bytes: &[u8], stay: impl Fn(u8) -> bool) -> String {
    let mut text = String::with_capacity(bytes.len());
    for b in bytes {
        match stay(*b) {
            true => text.push(char::from(*b)),
            false => text.push_str(&format!("%{b:02X}")),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str) -> Charset {
        Charset::named(name).unwrap()
    }

    #[test]
    fn names_become_text_and_go_back_as_they_came() {
        for (charset, name, text) in [
            ("latin1", &b"caf\xe9"[..], "café"),
            ("cp1251", b"\xef\xf0\xe8\xe2\xe5\xf2", "привет"),
            // Its second byte is a backslash.
            ("shift_jis", b"\x95\x5c\x8e\xa6", "表示"),
            ("cp932", b"\x95\x5c", "表"),
            ("EUC-KR", b"\xc7\xd1\xb1\xdb", "한글"),
            ("gbk", b"\xd6\xd0", "中"),
        ] {
            let charset = of(charset);
            assert_eq!(charset.decode(name), text.as_bytes());
            assert_eq!(charset.encode(text.as_bytes()).unwrap(), name);
            // As well in a session that has not seen it.
            assert_eq!(of(charset.encoding.unwrap().name()).encode(text.as_bytes()).unwrap(), name);
        }
    }

    #[test]
    fn what_is_utf8_already_or_makes_no_sense_goes_back_too() {
        for name in ["é".as_bytes(), b"\xe9\xff\xfd", b"plain", b"100%", b""] {
            let charset = of("shift_jis");
            let here = charset.decode(name);
            assert_eq!(here, name);
            assert_eq!(
                charset.encode(&[b"a/", &here[..], b"/b"].concat()).unwrap(),
                [b"a/", name, b"/b"].concat()
            );
        }
    }

    #[test]
    fn replies_and_paths_are_shown_in_it() {
        let charset = of("latin1");
        assert_eq!(charset.text(b"caf\xe9: no such file"), "café: no such file");
        assert_eq!(Charset::default().text(b"caf\xe9"), "caf\u{FFFD}");
        assert_eq!(charset.decode_path(b"/caf\xe9/x/\xe9"), "/café/x/é".as_bytes());
    }

    #[test]
    fn two_names_that_look_the_same_are_kept_apart() {
        for names in [["é".as_bytes(), b"\xe9"], [b"\xe9", "é".as_bytes()]] {
            let charset = of("latin1");
            let here = names.map(|name| charset.decode(name));
            assert_ne!(here[0], here[1]);
            assert_eq!(here.each_ref().map(|name| charset.encode(name).unwrap().into_owned()), names);
        }
    }

    #[test]
    fn an_address_is_typed_in_the_charset() {
        let charset = of("latin1");
        let typed = charset.typed("ftp://bjørn@h/café/%C3%A9/a;b").unwrap();
        assert_eq!(typed, "ftp://bjørn@h/caf%E9/%C3%A9/a;b");
        charset.came(b"caf\xe9/\xc3\xa9");
        assert_eq!(charset.encode(b"caf\xe9/\xc3\xa9").unwrap(), &b"caf\xe9/\xc3\xa9"[..]);
        assert!(matches!(charset.typed("ftp://h/漢"), Err(CharsetError::NotIn { .. })));
        assert_eq!(Charset::default().typed("ftp://h/漢").unwrap(), "ftp://h/漢");
    }

    #[test]
    fn without_a_charset_nothing_is_changed() {
        for charset in [Charset::default(), of("utf8")] {
            assert!(charset.is_utf8());
            assert_eq!(charset.decode(b"\xe9"), b"\xe9");
            assert_eq!(charset.encode("é/\u{feff}".as_bytes()).unwrap(), "é/\u{feff}".as_bytes());
        }
    }

    #[test]
    fn charsets_that_names_cannot_have_are_refused() {
        assert!(matches!(Charset::named("utf-16le"), Err(CharsetError::NoNames(_))));
        assert!(matches!(Charset::named("iso-2022-jp"), Err(CharsetError::NoNames(_))));
        let unknown = Charset::named("klingon").unwrap_err().to_string();
        assert!(unknown.contains("\"klingon\"") && unknown.contains("latin1"), "{unknown}");
        assert!(of("latin1").encode("漢".as_bytes()).is_err());
    }

    #[test]
    fn what_is_no_text_is_shown_without_loss() {
        assert_eq!(text(b"a\xe9%b\xc3\xa9"), "a%E9%25bé");
        assert_eq!(text("100% é".as_bytes()), "100% é");
    }
}
