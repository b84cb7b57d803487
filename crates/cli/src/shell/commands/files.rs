//! What is done with names on the server: folders, deleting, renaming, sizes and times.

use twoport_proto::{Moment, Request, Verb};

use crate::shell::voice::{Volume, harmless, say};
use crate::shell::words::Said;
use crate::shell::{Fault, Shell};

impl Shell {
    /// Says a command with an argument and hears its reply.
    pub(crate) fn tell(&mut self, verb: Verb, argument: &[u8]) -> Result<String, Fault> {
        let request = Request::new(verb, argument)
            .map_err(|fault| Fault::Say(format!("ftp: {}: {fault}", harmless(argument))))?;
        self.talk(async |client| client.say(request).await).map(|reply| reply.text())
    }

    /// The same; the reply is not shown, unless everything is.
    pub(crate) fn tell_quietly(&mut self, verb: Verb, argument: &[u8]) -> Result<String, Fault> {
        self.at_volume(Volume::Silent, |shell| shell.tell(verb, argument))
    }

    /// The same; the reply is shown in any case, because it is what was asked for.
    pub(crate) fn tell_aloud(&mut self, verb: Verb, argument: &[u8]) -> Result<String, Fault> {
        self.at_volume(Volume::Loud, |shell| shell.tell(verb, argument))
    }

    pub(crate) fn at_volume<T>(&mut self, volume: Volume, work: impl FnOnce(&mut Self) -> T) -> T {
        let before = self.voice.set_volume(volume);
        let done = work(self);
        self.voice.set_volume(before);
        done
    }

    /// A command that changes names on the server: what completion knew of them is old.
    fn change(&mut self, verb: Verb, argument: &[u8]) -> Result<(), Fault> {
        self.link()?.forget_names();
        self.tell(verb, argument).map(|_| ())
    }

    /// Where we are, for a prompt that shows it.
    pub(crate) fn look_around(&mut self) {
        if self.settings.named("prompt").is_some_and(|prompt| prompt.contains("%/"))
            && let Ok(text) = self.tell_quietly(Verb::Pwd, b"")
            && let (Some(folder), Ok(link)) = (twoport_proto::path::unquoted(text.as_bytes()), self.link())
        {
            link.folder = harmless(&folder);
        }
    }

    /// Changes the folder of the server.
    pub(crate) fn change_folder(&mut self, folder: &[u8]) -> Result<(), Fault> {
        self.change(Verb::Cwd, folder)?;
        self.look_around();
        Ok(())
    }

    /// When a file was changed there.
    pub(crate) fn ask_modified(&mut self, file: &[u8], volume: Volume) -> Result<Moment, Fault> {
        let text = self.at_volume(volume, |shell| shell.tell(Verb::Mdtm, file))?;
        Moment::read_stamp(text.trim().as_bytes())
            .map_err(|_| Fault::Say(format!("ftp: {}: MDTM was answered {text}", harmless(file))))
    }
}

pub(crate) fn cd(shell: &mut Shell, said: &Said) -> Result<(), Fault> {
    shell.change_folder(said.argument(0).ok_or(Fault::Usage)?)
}

pub(crate) fn cdup(shell: &mut Shell, _: &Said) -> Result<(), Fault> {
    shell.change(Verb::Cdup, b"")?;
    shell.look_around();
    Ok(())
}

pub(crate) fn pwd(shell: &mut Shell, _: &Said) -> Result<(), Fault> {
    shell.tell_aloud(Verb::Pwd, b"").map(|_| ())
}

pub(crate) fn delete(shell: &mut Shell, said: &Said) -> Result<(), Fault> {
    shell.change(Verb::Dele, said.argument(0).ok_or(Fault::Usage)?)
}

pub(crate) fn mkdir(shell: &mut Shell, said: &Said) -> Result<(), Fault> {
    shell.change(Verb::Mkd, said.argument(0).ok_or(Fault::Usage)?)
}

pub(crate) fn rmdir(shell: &mut Shell, said: &Said) -> Result<(), Fault> {
    shell.change(Verb::Rmd, said.argument(0).ok_or(Fault::Usage)?)
}

pub(crate) fn rename(shell: &mut Shell, said: &Said) -> Result<(), Fault> {
    shell.change(Verb::Rnfr, said.argument(0).ok_or(Fault::Usage)?)?;
    shell.change(Verb::Rnto, said.argument(1).ok_or(Fault::Usage)?)
}

pub(crate) fn chmod(shell: &mut Shell, said: &Said) -> Result<(), Fault> {
    shell.change(Verb::Site, &[b"CHMOD ", said.joined(0).as_slice()].concat())
}

pub(crate) fn modtime(shell: &mut Shell, said: &Said) -> Result<(), Fault> {
    let file = said.argument(0).ok_or(Fault::Usage)?;
    let c = shell.ask_modified(file, Volume::Faults)?.civil();
    say(format!(
        "{}\t{:02}/{:02}/{:04} {:02}:{:02}:{:02} GMT",
        harmless(file),
        c.month,
        c.day,
        c.year,
        c.hour,
        c.minute,
        c.second
    ));
    Ok(())
}

/// SIZE counts the bytes that a transfer would move, so it is asked in the type of the files.
pub(crate) fn size(shell: &mut Shell, said: &Said) -> Result<(), Fault> {
    let file = said.argument(0).ok_or(Fault::Usage)?;
    shell.say_type()?;
    let text = shell.at_volume(Volume::Faults, |shell| shell.tell(Verb::Size, file))?;
    say(format!("{}\t{}", harmless(file), text.trim()));
    Ok(())
}
