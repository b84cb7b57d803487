//! What is said: lines of our own, and of the dialogue what the user wants to see of it.

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use twoport_client::{Listener, Notice};
use twoport_proto::reply_reader::ReceivedReply;

/// What is shown of a dialogue; shared between the shell and the listeners of its connections.
#[derive(Debug, Default)]
pub(crate) struct Voice {
    /// All replies and all rates; without it only what went wrong.
    pub(crate) verbose: AtomicBool,
    /// What is sent too.
    pub(crate) debug: AtomicU8,
    /// How loud the server is just now.
    volume: AtomicU8,
    /// Whether the server has said 421 itself.
    farewell: AtomicBool,
    held: Mutex<Held>,
}

/// Replies that wait until what they are about is on the screen: a server says 226 when it has sent all, and that is
/// sooner than we have shown all.
#[derive(Debug, Default)]
struct Held {
    holding: bool,
    /// 150 was heard.
    begun: bool,
    replies: Vec<ReceivedReply>,
}

/// How much of the server's replies is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Volume {
    /// As the user has set it.
    Normal,
    /// Not at all, unless everything is traced: we ask for ourselves.
    Silent,
    /// In any case: the reply is what was asked for.
    Loud,
    /// Only what went wrong: what we say of it ourselves is better to read.
    Faults,
}

impl Voice {
    /// Whether replies and rates are shown.
    pub(crate) fn is_verbose(&self) -> bool {
        self.verbose.load(Relaxed) || self.is_tracing()
    }

    /// Whether what is sent is shown.
    pub(crate) fn is_tracing(&self) -> bool {
        self.debug.load(Relaxed) > 0
    }

    /// Changes the volume, and tells what it was.
    pub(crate) fn set_volume(&self, volume: Volume) -> Volume {
        match self.volume.swap(volume as u8, Relaxed) {
            1 => Volume::Silent,
            2 => Volume::Loud,
            3 => Volume::Faults,
            _ => Volume::Normal,
        }
    }

    /// Whether 421 was heard since this was asked last.
    pub(crate) fn take_farewell(&self) -> bool {
        self.farewell.swap(false, Relaxed)
    }

    /// From now on the last word on a transfer waits for [`Voice::release`].
    pub(crate) fn hold(&self) {
        *self.held() = Held { holding: true, ..Held::default() };
    }

    /// Shows what has waited, and holds nothing any more.
    pub(crate) fn release(&self) {
        let held = std::mem::take(&mut *self.held());
        held.replies.iter().for_each(|reply| self.show(reply));
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hears one connection.
    pub(crate) fn listener(self: &Arc<Self>) -> Listener {
        let voice = Arc::clone(self);
        Box::new(move |notice| match notice {
            Notice::Sent(line) => {
                // What is said now was said after what was heard.
                voice.go_on();
                if voice.is_tracing() {
                    say(format!("---> {line}"));
                }
            }
            Notice::Heard(reply) => voice.hear(reply),
            Notice::Connected { .. } => {}
            Notice::Secured { data, how } => {
                voice.go_on();
                if voice.is_tracing() {
                    say(format!("     {}", crate::security::shown(data, &how)));
                }
            }
            Notice::Stepped(why) => {
                voice.go_on();
                if voice.is_verbose() && !voice.is_silent() {
                    say(format!("ftp: {why}"));
                }
            }
        })
    }

    fn is_silent(&self) -> bool {
        self.volume.load(Relaxed) == Volume::Silent as u8
    }

    /// Shows what has waited, and holds what comes.
    fn go_on(&self) {
        let held = &mut *self.held();
        held.begun = false;
        held.replies.drain(..).for_each(|reply| self.show(&reply));
    }

    fn hear(&self, reply: ReceivedReply) {
        let held = &mut *self.held();
        if held.holding && held.begun {
            return held.replies.push(reply);
        }
        held.begun |= reply.code < 200;
        self.show(&reply);
    }

    fn show(&self, reply: &ReceivedReply) {
        if reply.code == 421 {
            self.farewell.store(true, Relaxed);
        }
        let wanted = match self.volume.load(Relaxed) {
            1 => false,
            2 => true,
            3 => reply.code >= 400,
            _ => self.is_verbose() || reply.code >= 500 || reply.code == 421,
        };
        if wanted || self.is_tracing() {
            write_reply(reply);
        }
    }
}

/// A reply as it came.
fn write_reply(reply: &ReceivedReply) {
    let last = reply.lines.len().saturating_sub(1);
    for (place, line) in reply.lines.iter().enumerate() {
        let text = harmless(line);
        match place {
            _ if place == last => say(format!("{} {text}", reply.code)),
            0 => say(format!("{}-{text}", reply.code)),
            _ => say(text),
        }
    }
}

/// A server's text for a terminal: what the terminal would obey is shown and not sent.
pub(crate) fn harmless(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\t' => shown.push(c),
            c if c.is_control() => shown.extend(c.escape_default()),
            c => shown.push(c),
        }
    }
    shown
}

/// A line of ours.
pub(crate) fn say(text: impl AsRef<str>) {
    let mut out = io::stdout().lock();
    // Whoever has closed our output wants to hear no more.
    let _ = writeln!(out, "{}", text.as_ref()).and_then(|()| out.flush());
}

/// Text without a line end.
pub(crate) fn murmur(text: impl AsRef<str>) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(text.as_ref().as_bytes()).and_then(|()| out.flush());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_obeys_no_server() {
        assert_eq!(harmless(b"200 \x1b[2Jok\tfine"), "200 \\u{1b}[2Jok\tfine");
    }

    #[test]
    fn the_last_word_waits_until_all_is_shown() {
        let voice = Arc::new(Voice::default());
        let mut listener = voice.listener();
        let heard = |code| Notice::Heard(ReceivedReply { code, lines: vec![b"text".to_vec()] });
        let waiting = |voice: &Voice| voice.held().replies.len();
        voice.hold();
        listener(heard(227));
        listener(heard(150));
        assert_eq!(waiting(&voice), 0);
        listener(heard(226));
        assert_eq!(waiting(&voice), 1);
        listener(Notice::Sent("PASV".to_owned()));
        assert_eq!(waiting(&voice), 0);
        listener(heard(150));
        listener(heard(226));
        voice.release();
        assert_eq!(waiting(&voice), 0);
        listener(heard(150));
        listener(heard(226));
        assert_eq!(waiting(&voice), 0);
    }

    #[test]
    fn the_volume_comes_back() {
        let voice = Voice::default();
        assert_eq!(voice.set_volume(Volume::Loud), Volume::Normal);
        assert_eq!(voice.set_volume(Volume::Silent), Volume::Loud);
        assert_eq!(voice.set_volume(Volume::Normal), Volume::Silent);
        assert!(!voice.take_farewell());
    }
}
