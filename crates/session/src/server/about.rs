//! What the server tells of itself and of the session: FEAT, HELP, SITE HELP and STAT, from the tables and from what holds now.

use twoport_proto::modes::{Algorithm, Structure, Type};
use twoport_proto::verb::{Feature, SITE_TABLE, TABLE};
use twoport_proto::{Reply, Verb};

use super::ServerSession;
use super::replies::{mode_name, with_name};
use crate::law::law;

pub(super) fn site_help() -> Reply {
    let lines = SITE_TABLE
        .iter()
        .map(|(name, argument, help)| {
            let gap = if argument.is_empty() { "" } else { " " };
            format!("SITE {name}{gap}{argument}: {help}").into_bytes()
        })
        .collect();
    Reply::of_lines(214, "These SITE commands are known:", lines, "End of SITE HELP.")
}

impl ServerSession {
    /// HELP.
    pub(super) fn help(&self, word: Option<&[u8]>) -> Reply {
        let Some(word) = word.map(<[u8]>::trim_ascii).filter(|word| !word.is_empty()) else {
            return self.help_of_all();
        };
        if word.eq_ignore_ascii_case(b"SITE") {
            return site_help();
        }
        match Verb::read(word) {
            Some(verb) => {
                let row = verb.row();
                let gap = if row.argument.is_empty() { "" } else { " " };
                let source = row.source.replace('§', "section ");
                Reply::new(214, format!("{}{gap}{}: {} ({source}).", row.name, row.argument, row.help))
            }
            None => with_name(504, "", &word.to_ascii_uppercase(), " is no command here; HELP lists them."),
        }
    }

    /// Eight names a line; a star at those that are known and not offered.
    fn help_of_all(&self) -> Reply {
        let name = |verb: Verb| format!("{}{}", verb.name(), if self.offers(verb) { "" } else { "*" });
        let names: Vec<String> = TABLE.iter().map(|row| name(row.verb)).collect();
        let lines = names
            .chunks(8)
            .map(|row| {
                row.iter().map(|name| format!("{name:<8}")).collect::<String>().trim_end().as_bytes().to_vec()
            })
            .collect();
        Reply::of_lines(214, "These commands are known (* = not offered):", lines, "HELP COMMAND tells more.")
    }

    /// Whether a command that is known is offered here.
    fn offers(&self, verb: Verb) -> bool {
        match verb {
            Verb::Auth | Verb::Pbsz | Verb::Prot => self.offers_tls(),
            Verb::Ccc => self.offers_tls() && self.settings.ccc,
            verb => !law(verb).codes.is_empty(),
        }
    }

    /// FEAT: what this session offers.
    pub(super) fn features(&self) -> Reply {
        let mut lines = Vec::new();
        for row in TABLE {
            let said: &[&str] = match row.feature {
                Feature::Silent => &[],
                Feature::Lines(said) => said,
                Feature::Tls(said) if self.offers(row.verb) => said,
                Feature::Tls(_) => &[],
                Feature::Facts => {
                    lines.push(format!("MLST {}", self.parameters.facts.feat()).into_bytes());
                    continue;
                }
                Feature::Hashes => {
                    let star = |a: &Algorithm| if *a == self.parameters.hash { "*" } else { "" };
                    let names: Vec<String> =
                        Algorithm::ALL.iter().map(|a| format!("{a}{}", star(a))).collect();
                    lines.push(format!("HASH {}", names.join(";")).into_bytes());
                    continue;
                }
            };
            lines.extend(said.iter().map(|line| line.as_bytes().to_vec()));
        }
        Reply::of_lines(211, "Features:", lines, "End")
    }

    /// STAT without a path: who, how, and how far a transfer is (verb, name, bytes so far, size).
    pub(super) fn status(&self, running: Option<(Verb, Vec<u8>, u64, Option<u64>)>) -> Reply {
        let (name, version) = &self.settings.program;
        let mut lines = vec![
            format!("{name} {version}").into_bytes(),
            format!("Connected from {}", self.ends.peer).into_bytes(),
            match self.account() {
                Some(account) => format!("Logged in as {account}").into_bytes(),
                None => b"Not logged in".to_vec(),
            },
            {
                let kind = if matches!(self.parameters.kind, Type::Ascii(_)) { "ASCII" } else { "Image" };
                let records = self.parameters.structure == Structure::Record;
                let structure = if records { "Record" } else { "File" };
                let mode = mode_name(self.parameters.mode);
                format!("TYPE: {kind}, STRUcture: {structure}, MODE: {mode}").into_bytes()
            },
        ];
        if self.offers_tls() {
            let control = self.channel().map_or("clear", |channel| channel.how.as_str());
            let data = if self.is_private() { "TLS" } else { "clear" };
            lines.push(format!("Control connection: {control}, data connections: {data}").into_bytes());
        }
        lines.push(match running {
            Some((verb, shown, bytes, size)) => {
                let of = size.map_or(String::new(), |size| format!(" of {size}"));
                [format!("{verb} ").as_bytes(), &shown, format!(": {bytes}{of} bytes so far").as_bytes()]
                    .concat()
            }
            None => b"No data connection".to_vec(),
        });
        Reply::of_lines(211, format!("{} FTP server status:", self.settings.host), lines, "End of status.")
    }
}
