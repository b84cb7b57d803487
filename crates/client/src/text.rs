//! `TextSink`: a listing taken into memory, up to a size beyond which nothing honest lists.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use twoport_pipe::{Boxed, Sink, Taker};

/// The longest listing that is taken, in bytes: a few million entries.
const CAP: usize = 512 << 20;

/// The text, shared between the one who asked and the sink that fills it.
#[derive(Debug, Clone, Default)]
pub(crate) struct TextSink(Arc<Mutex<Vec<u8>>>);

impl TextSink {
    /// A sink, and the text that it fills.
    pub(crate) fn new() -> (Sink, TextSink) {
        let text = TextSink::default();
        (Sink::Taker(Box::new(text.clone())), text)
    }

    /// The lines that came, without their ends.
    pub(crate) fn lines(&self) -> Vec<Vec<u8>> {
        let text = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        text.split(|b| *b == b'\n')
            .map(|line| line.strip_suffix(b"\r").unwrap_or(line).to_vec())
            .filter(|line| !line.is_empty())
            .collect()
    }
}

impl Taker for TextSink {
    fn take<'a>(&'a mut self, bytes: &'a [u8]) -> Boxed<'a, ()> {
        let mut text = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = if text.len() + bytes.len() > CAP {
            Err(io::Error::other("the listing is longer than 512 MiB"))
        } else {
            text.extend_from_slice(bytes);
            Ok(())
        };
        Box::pin(std::future::ready(taken))
    }
}
