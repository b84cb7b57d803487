//! What a user sees of files and transfers: text for a person, or one JSON object a line for a script.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use serde_json::{Map, Value, json};
use twoport_client::charset::{self, Charset};
use twoport_client::local_name::shown;
use twoport_client::{Moved, Word};
use twoport_proto::{Entry, Kind, Moment};

use crate::exit::Stopped;
use crate::progress;

/// Writes a line to standard output. A reader that has gone has seen enough.
pub(crate) fn line(text: &[u8]) -> Result<(), Stopped> {
    let written = progress::above(|| {
        let mut out = io::stdout().lock();
        out.write_all(text).and_then(|()| out.write_all(b"\n"))
    });
    match written {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => Err(Stopped::local(format!("cannot print: {e}"))),
        _ => Ok(()),
    }
}

/// Writes a name to standard output: to a terminal without what it would obey, elsewhere as it is.
pub(crate) fn name(text: &[u8]) -> Result<(), Stopped> {
    if io::stdout().is_terminal() { line(shown(text).as_bytes()) } else { line(text) }
}

/// A text that may hold a server's words, for a person's eyes: what a terminal would obey is escaped.
pub(crate) fn plain(text: &str) -> String {
    let lines: Vec<String> = text.split('\n').map(|line| shown(line.as_bytes())).collect();
    lines.join("\n")
}

/// A JSON object as a line.
pub(crate) fn object(value: &Value) -> Result<(), Stopped> {
    line(value.to_string().as_bytes())
}

/// `file`, `dir`, `link` or `other`.
pub(crate) fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::File => "file",
        Kind::Directory => "dir",
        Kind::Link => "link",
        Kind::Other => "other",
    }
}

/// A moment as RFC 3339 writes it, in UTC.
pub(crate) fn time(moment: Moment) -> String {
    let c = moment.civil();
    format!("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", c.year, c.month, c.day, c.hour, c.minute, c.second)
}

/// A name as text, and as `raw_KEY` the server's bytes as %XX where they are not UTF-8.
pub(crate) fn name_fields(fields: &mut Map<String, Value>, key: &str, name: &[u8], charset: &Charset) {
    fields.insert(key.to_owned(), json!(charset::text(name)));
    if let Ok(raw) = charset.encode(name)
        && std::str::from_utf8(&raw).is_err()
    {
        let stay = |b: u8| b.is_ascii_graphic() && b != b'%';
        fields.insert(format!("raw_{key}"), json!(charset::percent(&raw, stay)));
    }
}

/// An entry as an object: name, type, size, modified; and the name's bytes where they are not UTF-8.
pub(crate) fn entry(path: &[u8], entry: &Entry, charset: &Charset) -> Value {
    let mut fields = Map::new();
    name_fields(&mut fields, "name", path, charset);
    fields.insert("type".to_owned(), json!(kind(entry.kind)));
    fields.insert("size".to_owned(), json!((entry.kind == Kind::File).then_some(entry.size)));
    fields.insert("modified".to_owned(), json!(entry.modified.map(time)));
    Value::Object(fields)
}

/// An entry as a line of `ls -l`: type, size, time, name.
pub(crate) fn long(name: &[u8], entry: &Entry) -> Vec<u8> {
    let size = if entry.kind == Kind::File { entry.size.to_string() } else { "-".to_owned() };
    let modified = entry.modified.map_or_else(|| "-".to_owned(), time);
    let mut text = format!("{:<5} {size:>14} {modified:<20} ", kind(entry.kind)).into_bytes();
    text.extend_from_slice(name);
    text
}

/// The line at the end of a transfer: bytes, seconds, rate, road; and what says that all is there, where it was not the
/// server's last word.
pub(crate) fn moved(name: &str, moved: &Moved, word: Option<Word>, took: Duration) -> String {
    let corrected = if moved.road.corrected { ", not the address that 227 told" } else { "" };
    let word = match word {
        Some(Word::Reply) => "",
        Some(Word::Size) => "; the server's last word was lost, and its size says that all is there",
        Some(Word::Hash) => "; the server's last word was lost, and its hash says that all is there",
        Some(Word::Time) => {
            "; the server's last word was lost, and its size and its new time say that all is there"
        }
        None => "; the server never said that this is all, and tells no size: compare it",
    };
    format!(
        "{name}: {} bytes in {:.3} s, {:.1} MB/s, by {} with {}{corrected}{word}",
        moved.bytes,
        took.as_secs_f64(),
        per_second(moved.bytes, took) / 1e6,
        moved.road.rung.name(),
        moved.road.peer
    )
}

/// The same as an object.
pub(crate) fn moved_object(name: &str, moved: &Moved, word: Option<Word>, took: Duration) -> Value {
    json!({
        "name": name,
        "bytes": moved.bytes,
        "seconds": seconds(took),
        "rate": rate(moved.bytes, took),
        "road": moved.road.rung.name(),
        "peer": moved.road.peer.to_string(),
        "corrected": moved.road.corrected,
        "confirmed": word.is_some(),
        "confirmed_by": word.map(|word| match word {
            Word::Reply => "reply",
            Word::Size => "size",
            Word::Hash => "hash",
            Word::Time => "time",
        }),
    })
}

/// A failure as an object: exit, error, cause; and the name of what failed, where it is one of several.
pub(crate) fn failure(name: Option<&str>, stopped: &Stopped) -> Value {
    let mut object = json!({
        "exit": stopped.exit as u8,
        "error": stopped.text,
        "cause": stopped.exit.cause(),
    });
    if let (Some(name), Some(fields)) = (name, object.as_object_mut()) {
        fields.insert("name".to_owned(), json!(name));
    }
    object
}

/// Seconds to the millisecond.
pub(crate) fn seconds(took: Duration) -> f64 {
    (took.as_secs_f64() * 1000.0).round() / 1000.0
}

/// Bytes a second, to the byte.
pub(crate) fn rate(bytes: u64, took: Duration) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "not negative, and cut at the top"
    )]
    let rate = per_second(bytes, took).round() as u64;
    rate
}

/// Bytes a second.
pub(crate) fn per_second(bytes: u64, took: Duration) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a rate in three digits")]
    let rate = bytes as f64 / took.as_secs_f64().max(0.001);
    rate
}

#[cfg(test)]
mod tests {
    use twoport_session::client::io::{Road, Rung};

    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_not_shown() {
        assert_eq!(plain("550 \x1b[2J\r\n  no\u{9b}"), "550 \\u{1b}[2J\\r\n  no\\u{9b}");
    }

    #[test]
    fn an_entry_as_an_object_and_as_a_line() {
        let mut file = Entry::new("a b", Kind::File, 5);
        file.modified = Some(Moment::from_seconds(0));
        let object = entry(b"a b", &file, &Charset::default()).to_string();
        assert_eq!(object, r#"{"modified":"1970-01-01T00:00:00Z","name":"a b","size":5,"type":"file"}"#);
        assert_eq!(long(b"a b", &file), b"file               5 1970-01-01T00:00:00Z a b");
    }

    #[test]
    fn a_transfer_as_a_line_and_as_an_object() {
        let peer = "192.0.2.1:50000".parse().unwrap();
        let road = Road { rung: Rung::Pasv, peer, corrected: true };
        let all = Moved { bytes: 3_000_000, road, confirmed: true, modified: None };
        let took = Duration::from_millis(1500);
        assert_eq!(
            moved("a b", &all, Some(Word::Reply), took),
            "a b: 3000000 bytes in 1.500 s, 2.0 MB/s, by PASV with 192.0.2.1:50000, not the address that 227 told"
        );
        assert_eq!(
            moved_object("a b", &all, Some(Word::Hash), took).to_string(),
            concat!(
                r#"{"bytes":3000000,"confirmed":true,"confirmed_by":"hash","corrected":true,"name":"a b","#,
                r#""peer":"192.0.2.1:50000","rate":2000000,"road":"PASV","seconds":1.5}"#
            )
        );
        assert_eq!(moved_object("a", &all, None, took)["confirmed_by"], Value::Null);
    }

    #[test]
    fn a_failure_as_an_object() {
        let stopped = Stopped::usage("no");
        assert_eq!(failure(None, &stopped).to_string(), r#"{"cause":"usage","error":"no","exit":2}"#);
        let named = failure(Some("a"), &stopped).to_string();
        assert_eq!(named, r#"{"cause":"usage","error":"no","exit":2,"name":"a"}"#);
    }
}
