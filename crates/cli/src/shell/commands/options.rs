//! Commands that set more than on and off: types, maps of names, limits, families, named values.

use twoport_client::Family;
use twoport_proto::Verb;

use crate::shell::numbers::size;
use crate::shell::state::{NAMED, Type};
use crate::shell::voice::{harmless, say};
use crate::shell::words::Said;
use crate::shell::{Fault, Shell};

impl Shell {
    fn set_kind(&mut self, kind: Type) -> Result<(), Fault> {
        self.settings.kind = kind;
        if self.links[self.here].is_some() { self.say_type_anew() } else { Ok(()) }
    }

    fn say_type_anew(&mut self) -> Result<(), Fault> {
        let word: &[u8] = match self.settings.kind {
            Type::Binary => b"I",
            Type::Ascii => b"A",
            Type::Tenex => b"L 8",
        };
        self.tell(Verb::Type, word).map(|_| ())
    }

    /// Says the type that files are to have, where the server has another one now.
    pub(crate) fn say_type(&mut self) -> Result<(), Fault> {
        let ascii = self.settings.kind == Type::Ascii;
        match self.link()?.client.is_ascii() {
            Some(now) if now == ascii && self.settings.kind != Type::Tenex => Ok(()),
            _ => self.say_type_anew(),
        }
    }
}

pub(crate) fn ascii(shell: &mut Shell, _: &Said) -> Result<(), Fault> {
    shell.set_kind(Type::Ascii)
}

pub(crate) fn binary(shell: &mut Shell, _: &Said) -> Result<(), Fault> {
    shell.set_kind(Type::Binary)
}

pub(crate) fn tenex(shell: &mut Shell, _: &Said) -> Result<(), Fault> {
    shell.set_kind(Type::Tenex)
}

pub(crate) fn kind(shell: &mut Shell, said: &Said) -> Result<(), Fault> {
    match said.argument(0) {
        None => {
            say(format!("Using {} mode to transfer files.", shell.settings.kind_name()));
            Ok(())
        }
        Some(b"ascii") => shell.set_kind(Type::Ascii),
        Some(b"binary" | b"image") => shell.set_kind(Type::Binary),
        Some(b"tenex") => shell.set_kind(Type::Tenex),
        Some(other) => Err(Fault::Say(format!("{}: unknown mode", harmless(other)))),
    }
}

pub(crate) fn form(_: &mut Shell, _: &Said) -> Result<(), Fault> {
    say("We only support non-print format, sorry.");
    Ok(())
}

pub(crate) fn mode(_: &mut Shell, _: &Said) -> Result<(), Fault> {
    say("We only support stream mode, sorry.");
    Ok(())
}

pub(crate) fn structure(_: &mut Shell, _: &Said) -> Result<(), Fault> {
    say("We only support file structure, sorry.");
    Ok(())
}

pub(crate) fn ntrans(shell: &mut Shell, said: &Said) -> Result<(), Fault> {
    let word = |place: usize| said.argument(place).unwrap_or_default().to_vec();
    shell.settings.mapping.ntrans = said.argument(0).map(|from| (from.to_vec(), word(1)));
    if shell.settings.mapping.ntrans.is_none() {
        say("Ntrans off.");
    }
    Ok(())
}

pub(crate) fn nmap(shell: &mut Shell, said: &Said) -> Result<(), Fault> {
    shell.settings.mapping.nmap = match (said.argument(0), said.argument(1)) {
        (None, _) => {
            say("Nmap off.");
            None
        }
        (Some(from), Some(to)) => Some((from.to_vec(), to.to_vec())),
        (Some(_), None) => return Err(Fault::Usage),
    };
    Ok(())
}

pub(crate) fn ipany(shell: &mut Shell, _: &Said) -> Result<(), Fault> {
    family(shell, None, "Using both IPv4 and IPv6 addresses.")
}

pub(crate) fn ipv4(shell: &mut Shell, _: &Said) -> Result<(), Fault> {
    family(shell, Some(Family::V4), "Selecting addresses: IPv4 only.")
}

pub(crate) fn ipv6(shell: &mut Shell, _: &Said) -> Result<(), Fault> {
    family(shell, Some(Family::V6), "Selecting addresses: IPv6 only.")
}

fn family(shell: &mut Shell, family: Option<Family>, text: &str) -> Result<(), Fault> {
    shell.settings.family = family;
    say(text);
    Ok(())
}

pub(crate) fn gate(shell: &mut Shell, said: &Said) -> Result<(), Fault> {
    if let Some(host) = said.argument(0) {
        let port = match said.argument(1) {
            None => Some(21),
            Some(word) => std::str::from_utf8(word).ok().and_then(|word| word.parse().ok()),
        };
        let port = port.ok_or_else(|| Fault::say("bad port number"))?;
        shell.settings.gate = Some((harmless(host), port));
        shell.settings.gated = true;
    } else if shell.settings.gate.is_some() {
        shell.settings.gated = !shell.settings.gated;
    } else {
        return Err(Fault::say("Disabling gate-ftp: no gate-ftp server defined."));
    }
    match (&shell.settings.gate, shell.settings.gated) {
        (Some((host, port)), true) => say(format!("Gate ftp: on, server {host}, port {port}.")),
        _ => say("Gate ftp: off."),
    }
    Ok(())
}

pub(crate) fn rate(shell: &mut Shell, said: &Said) -> Result<(), Fault> {
    let limit = match said.argument(1) {
        None => 0,
        Some(word) => size(word).ok_or(Fault::Usage)?,
    };
    let which: &[usize] = match said.argument(0) {
        None => &[],
        Some(b"all") => &[0, 1],
        Some(b"get") => &[0],
        Some(b"put") => &[1],
        Some(_) => return Err(Fault::Usage),
    };
    which.iter().for_each(|place| shell.settings.rates[*place] = limit);
    for (place, name) in ["Get", "Put"].iter().enumerate() {
        let now = shell.settings.rates[place];
        let text = if now == 0 { "off".to_owned() } else { format!("{now} bytes/s") };
        say(format!("{name} transfer rate throttle: {text}."));
    }
    Ok(())
}

pub(crate) fn rcvbuf(shell: &mut Shell, said: &Said) -> Result<(), Fault> {
    buffer(shell, said, 0, "rcvbuf")
}

pub(crate) fn sndbuf(shell: &mut Shell, said: &Said) -> Result<(), Fault> {
    buffer(shell, said, 1, "sndbuf")
}

pub(crate) fn xferbuf(shell: &mut Shell, said: &Said) -> Result<(), Fault> {
    buffer(shell, said, 2, "xferbuf")
}

fn buffer(shell: &mut Shell, said: &Said, place: usize, name: &str) -> Result<(), Fault> {
    let size = said.argument(0).and_then(size).filter(|size| *size > 0).ok_or(Fault::Usage)?;
    shell.settings.buffers[place] = size;
    say(format!("{name}: {size}. (Noted, not used: the system sizes its buffers by what it measures.)"));
    Ok(())
}

pub(crate) fn parallel(shell: &mut Shell, said: &Said) -> Result<(), Fault> {
    if let Some(word) = said.argument(0) {
        set_parallel(shell, word)?;
    }
    match shell.settings.parallel {
        Some(sessions) => say(format!("Sessions at the same time: {sessions}.")),
        None => say("Sessions at the same time: 1 for mget and mput, 8 for mirror."),
    }
    Ok(())
}

fn set_parallel(shell: &mut Shell, word: &[u8]) -> Result<(), Fault> {
    let sessions =
        size(word).and_then(|count| u8::try_from(count).ok()).filter(|count| (1..=64).contains(count));
    shell.settings.parallel = Some(sessions.ok_or_else(|| Fault::say("parallel: a number from 1 to 64"))?);
    Ok(())
}

pub(crate) fn set(shell: &mut Shell, said: &Said) -> Result<(), Fault> {
    let (Some(name), value) = (said.argument(0), said.arguments().get(1)) else {
        for (name, value) in &shell.settings.named {
            say(format!("{name:<12}  {value}"));
        }
        return Ok(());
    };
    let name = known(name)?;
    let Some(value) = value else {
        say(format!("{name:<12}  {}", shell.settings.named.get(name).map_or("", String::as_str)));
        return Ok(());
    };
    match name {
        "parallel" => set_parallel(shell, value)?,
        "rprompt" => say("(Noted; the line editor has no prompt on the right.)"),
        "ftp_proxy" | "http_proxy" | "https_proxy" | "no_proxy" => {
            say("(Noted, not used: the proxy of every connection is what ALL_PROXY and NO_PROXY name.)");
        }
        _ => {}
    }
    shell.settings.named.insert(name.to_owned(), harmless(value));
    if name == "prompt" && shell.links[shell.here].is_some() {
        shell.look_around();
    }
    Ok(())
}

pub(crate) fn unset(shell: &mut Shell, said: &Said) -> Result<(), Fault> {
    let name = known(said.argument(0).ok_or(Fault::Usage)?)?;
    if name == "parallel" {
        shell.settings.parallel = None;
    }
    shell.settings.named.insert(name.to_owned(), String::new());
    Ok(())
}

fn known(name: &[u8]) -> Result<&'static str, Fault> {
    let found = NAMED.iter().find(|(known, _)| known.as_bytes() == name);
    found
        .map(|(known, _)| *known)
        .ok_or_else(|| Fault::Say(format!("set: no such option `{}'.", harmless(name))))
}
