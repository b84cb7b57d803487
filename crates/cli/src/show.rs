//! What a user sees of files and transfers: text for a person, or one JSON object a line for a script.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use serde_json::{Map, Value, json};
use twoport_client::Moved;
use twoport_client::local_name::shown;
use twoport_proto::{Entry, Kind, Moment};

use crate::exit::Stopped;

/// Writes a line to standard output. A reader that has gone has seen enough.
pub(crate) fn line(text: &[u8]) -> Result<(), Stopped> {
    let mut out = io::stdout().lock();
    match out.write_all(text).and_then(|()| out.write_all(b"\n")) {
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

/// An entry as an object: name, type, size, modified.
pub(crate) fn entry(name: &[u8], entry: &Entry) -> Value {
    let mut fields = Map::new();
    fields.insert("name".to_owned(), json!(String::from_utf8_lossy(name)));
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

/// The line at the end of a transfer: bytes, seconds, rate, road.
pub(crate) fn moved(name: &str, moved: &Moved, took: Duration) -> String {
    let seconds = took.as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "a rate in three digits")]
    let rate = moved.bytes as f64 / seconds.max(0.001) / 1e6;
    let corrected = if moved.road.corrected { ", not the address that 227 told" } else { "" };
    let unconfirmed = if moved.confirmed {
        ""
    } else {
        "; the server never confirmed it: all bytes went over, compare the size"
    };
    format!(
        "{name}: {} bytes in {seconds:.3} s, {rate:.1} MB/s, by {} with {}{corrected}{unconfirmed}",
        moved.bytes,
        moved.road.rung.name(),
        moved.road.peer
    )
}

/// The same as an object.
pub(crate) fn moved_object(name: &str, moved: &Moved, took: Duration) -> Value {
    json!({
        "name": name,
        "bytes": moved.bytes,
        "seconds": took.as_secs_f64(),
        "road": moved.road.rung.name(),
        "peer": moved.road.peer.to_string(),
        "confirmed": moved.confirmed,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_not_shown() {
        assert_eq!(plain("550 \x1b[2J\r\n  no\u{9b}"), "550 \\u{1b}[2J\\r\n  no\\u{9b}");
    }

    #[test]
    fn an_entry_as_an_object_and_as_a_line() {
        let mut file = Entry::new("a b", Kind::File, 5);
        file.modified = Some(Moment::from_seconds(0));
        let object = entry(b"a b", &file).to_string();
        assert_eq!(object, r#"{"modified":"1970-01-01T00:00:00Z","name":"a b","size":5,"type":"file"}"#);
        assert_eq!(long(b"a b", &file), b"file               5 1970-01-01T00:00:00Z a b");
    }
}
