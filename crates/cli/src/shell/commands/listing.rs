//! Listings, to the screen, a file or a command; and files through a pager.

use twoport_pipe::Progress;
use twoport_proto::Verb;

use super::place::{How, Place};
use crate::shell::voice::{Volume, harmless};
use crate::shell::words::Said;
use crate::shell::{Fault, Shell};

impl Shell {
    /// The user's pager.
    pub(crate) fn pager(&self) -> String {
        let named = self.settings.named("pager").map(str::to_owned);
        named
            .or_else(|| std::env::var("PAGER").ok().filter(|pager| !pager.is_empty()))
            .unwrap_or("more".to_owned())
    }

    fn paged(&self) -> Vec<u8> {
        format!("|{}", self.pager()).into_bytes()
    }

    /// A listing of `folder`, to where `to` leads.
    fn list(&mut self, verb: Verb, folder: &[u8], to: &[u8]) -> Result<(), Fault> {
        let mut place = Place::open(to, How::Anew)?;
        self.list_into(verb, folder, &mut place)?;
        place.finish(None).map_err(|e| Fault::Say(format!("local: {}: {e}", harmless(to))))
    }

    fn list_into(&mut self, verb: Verb, folder: &[u8], place: &mut Place) -> Result<(), Fault> {
        let mut sink = place.lines();
        let progress = Progress::default();
        self.talk(async |client| {
            client.set_rate(None);
            client.listing(verb, folder, &mut sink, &progress).await
        })
        .map(|_| ())
    }
}

fn to_or_screen(said: &Said, place: usize) -> &[u8] {
    said.argument(place).unwrap_or(b"-")
}

pub(crate) fn ls(shell: &mut Shell, said: &Said) -> Result<(), Fault> {
    shell.list(Verb::List, said.argument(0).unwrap_or_default(), to_or_screen(said, 1))
}

pub(crate) fn nlist(shell: &mut Shell, said: &Said) -> Result<(), Fault> {
    shell.list(Verb::Nlst, said.argument(0).unwrap_or_default(), to_or_screen(said, 1))
}

pub(crate) fn mlsd(shell: &mut Shell, said: &Said) -> Result<(), Fault> {
    shell.list(Verb::Mlsd, said.argument(0).unwrap_or_default(), to_or_screen(said, 1))
}

pub(crate) fn pls(shell: &mut Shell, said: &Said) -> Result<(), Fault> {
    let pager = shell.paged();
    shell.list(Verb::List, said.argument(0).unwrap_or_default(), &pager)
}

pub(crate) fn pmlsd(shell: &mut Shell, said: &Said) -> Result<(), Fault> {
    let pager = shell.paged();
    shell.list(Verb::Mlsd, said.argument(0).unwrap_or_default(), &pager)
}

pub(crate) fn mlst(shell: &mut Shell, said: &Said) -> Result<(), Fault> {
    shell
        .at_volume(Volume::Loud, |shell| shell.tell(Verb::Mlst, said.argument(0).unwrap_or_default()))
        .map(|_| ())
}

/// Several folders, one behind the other, into the file that is named last.
pub(crate) fn mls(shell: &mut Shell, said: &Said) -> Result<(), Fault> {
    let Some((to, folders)) = said.arguments().split_last() else { return Err(Fault::Usage) };
    let verb = if said.name().starts_with(b"mls") { Verb::Nlst } else { Verb::List };
    let mut text = Vec::new();
    for folder in folders {
        let lines = shell.talk(async |client| client.lines(verb, folder).await)?;
        for line in lines {
            text.extend_from_slice(&line);
            text.push(b'\n');
        }
    }
    let mut place = Place::open(to, How::Anew)?;
    place.write(&text).map_err(|e| Fault::Say(format!("local: {}: {e}", harmless(to))))?;
    place.finish(None).map_err(|e| Fault::Say(format!("local: {}: {e}", harmless(to))))
}

pub(crate) fn page(shell: &mut Shell, said: &Said) -> Result<(), Fault> {
    let pager = shell.paged();
    shell.fetch(said.argument(0).ok_or(Fault::Usage)?, &pager, How::Anew)
}
