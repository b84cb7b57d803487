//! `proxy`: a second server, and copies from one server to the other without a byte passing here: the second one listens
//! (PASV), the first one connects (PORT).

use twoport_client::Error;
use twoport_proto::{Request, Verb, hostport};

use crate::shell::numbers::three;
use crate::shell::table::{Found, find};
use crate::shell::voice::{harmless, say};
use crate::shell::words::Said;
use crate::shell::{ABORT, Fault, Shell, interrupted};

/// Commands that need no server and have a meaning here all the same.
const NEAR: &[&str] = &["open", "ftp"];

pub(crate) fn proxy(shell: &mut Shell, said: &Said) -> Result<(), Fault> {
    let words: Vec<&[u8]> = said.arguments().iter().map(Vec::as_slice).collect();
    let row = match find(words.first().ok_or(Fault::Usage)?) {
        Found::One(row) if row.remote || NEAR.contains(&row.name) => row,
        Found::Ambiguous => return Err(Fault::say("?Ambiguous command")),
        Found::One(_) | Found::Nothing => return Err(Fault::say("?Invalid proxy command.")),
    };
    if NEAR.contains(&row.name) && shell.links[0].is_none() {
        return Err(Fault::say("proxy: connect to the first server first"));
    }
    shell.here = 1;
    let done = shell.carry_out_row(row, Said::of(&words));
    shell.here = 0;
    done
}

impl Shell {
    /// A file of the first server to the second.
    pub(super) fn relay_get(&mut self, from: &[u8], to: &[u8]) -> Result<(), Fault> {
        self.relay((0, from), (1, to), Verb::Stor)
    }

    /// A file of the second server to the first.
    pub(super) fn relay_put(&mut self, from: &[u8], to: &[u8], verb: Verb) -> Result<(), Fault> {
        self.relay((1, from), (0, to), verb)
    }

    fn relay(&mut self, from: (usize, &[u8]), to: (usize, &[u8]), verb: Verb) -> Result<(), Fault> {
        if self.links.iter().any(Option::is_none) {
            return Err(Fault::say("proxy: two connections are needed"));
        }
        if self.voice.is_verbose() {
            say(format!("local: {} remote: {}", harmless(to.1), harmless(from.1)));
        }
        let request = |verb, argument: &[u8]| {
            Request::new(verb, argument)
                .map_err(|fault| Fault::Say(format!("ftp: {}: {fault}", harmless(argument))))
        };
        let (retrieve, store) = (request(Verb::Retr, from.1)?, request(verb, to.1)?);
        for here in [0, 1] {
            self.here = here;
            let typed = self.say_type();
            self.here = 1;
            typed?;
        }
        // Between two servers neither is the client of TLS (RFC 4217 §7).
        let private =
            [0, 1].map(|here| self.links[here].as_ref().is_some_and(|link| link.client.is_private()));
        self.protect(private, b"C")?;
        let done = self.relay_in_the_clear(from, to, (retrieve, store));
        let restored = self.protect(private, b"P");
        done.and(restored)
    }

    /// Says PROT to those of the two servers whose data connections are in TLS otherwise.
    fn protect(&mut self, which: [bool; 2], level: &[u8]) -> Result<(), Fault> {
        for here in [0, 1] {
            if which[here] && self.links[here].is_some() {
                self.here = here;
                let said = self.tell(Verb::Prot, level);
                self.here = 1;
                said?;
            }
        }
        Ok(())
    }

    fn relay_in_the_clear(
        &mut self,
        from: (usize, &[u8]),
        to: (usize, &[u8]),
        (retrieve, store): (Request, Request),
    ) -> Result<(), Fault> {
        let address = self.listening_at()?;
        self.here = 0;
        let told = self.tell(Verb::Port, hostport::write_port(address).as_bytes());
        self.here = 1;
        told?;
        let [Some(first), Some(second)] = &mut self.links else { return Err(Fault::say("Not connected.")) };
        // Of the two commands each server gets its own.
        let (one, other) = if from.0 == 0 { (retrieve, store) } else { (store, retrieve) };
        let began = std::time::Instant::now();
        let interactive = self.terminal.is_interactive();
        let both = self.runtime.block_on(async {
            // The one that listens is asked first: what connects to it may be quick.
            let listening = second.client.say_elsewhere(other);
            let connecting = first.client.say_elsewhere(one);
            tokio::select! {
                both = async { tokio::join!(listening, connecting) } => Some(both),
                () = interrupted(interactive) => None,
            }
        });
        let Some((listened, connected)) = both else {
            say("\nproxy: waiting for both to finish abort.");
            for here in [0, 1] {
                if let Some(link) = &mut self.links[here] {
                    let abort = async { tokio::time::timeout(ABORT, link.client.abort()).await };
                    let _ = self.runtime.block_on(abort);
                }
            }
            self.check_both();
            return Err(Fault::Interrupted);
        };
        if let Some(link) = &mut self.links[to.0] {
            link.forget_names();
        }
        let failed = [listened.err(), connected.err()].into_iter().flatten().next();
        self.check_both();
        match failed {
            None if self.voice.is_verbose() => {
                say(format!("copied in {} seconds", three(began.elapsed().as_secs_f64())));
                Ok(())
            }
            None => Ok(()),
            Some(Error::Refused { .. }) => Err(Fault::Told),
            Some(e) => Err(Fault::Say(format!("ftp: {e}"))),
        }
    }

    /// Where the second server listens. What it tells is believed: it is told to another server, whom we cannot ask.
    fn listening_at(&mut self) -> Result<std::net::SocketAddrV4, Fault> {
        let text = self.tell(Verb::Pasv, b"")?;
        hostport::read_227(text.as_bytes()).map_err(|_| {
            Fault::Say(format!("Passive mode address scan failure: {}", harmless(text.as_bytes())))
        })
    }

    /// Lets go of a server that has gone.
    fn check_both(&mut self) {
        for here in [1, 0] {
            if self.links[here].as_ref().is_some_and(|link| link.client.is_closed()) {
                self.here = here;
                self.lost();
            }
        }
        self.here = 1;
    }
}
