//! The two connections, as the essay draws them: who connects to whom, from which port to which, and where it stopped.

use std::fmt;

use super::Report;
use crate::causes::Cause;
use crate::evidence::{Cell, Mode, Outcome};

/// What is drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figure {
    /// The client's name or address.
    pub client: String,
    /// The server's.
    pub server: String,
    /// The connections, the control connection first.
    pub lines: Vec<Line>,
}

/// One connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// What it is for.
    pub label: String,
    /// The port at the client's end, or what is known of it.
    pub client: String,
    /// The port at the server's.
    pub server: String,
    /// Whether the client opens it.
    pub outward: bool,
    /// Where it stopped, if it did.
    pub stop: Option<Stop>,
}

/// Where a connection stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stop {
    /// How much of the way was made, of a hundred.
    pub share: u8,
    /// What happened there, in a few words.
    pub note: String,
}

impl Report {
    /// The figure; none where the server was not even found.
    #[must_use]
    pub fn figure(&self) -> Option<Figure> {
        let evidence = &self.evidence;
        let door = evidence.door().or(evidence.doors.first())?;
        let any = || evidence.own.iter().find(|ip| ip.is_ipv4() == door.at.is_ipv4() && !ip.is_loopback());
        let own = evidence.local.as_ref().or_else(any);
        let server = door.at.ip().to_canonical().to_string();
        let mut lines = vec![Line {
            label: "control".to_owned(),
            client: ">1023".to_owned(),
            server: evidence.port.to_string(),
            outward: true,
            stop: self.control_stop(),
        }];
        lines.extend(self.cell().map(|cell| self.data(cell)));
        Some(Figure { client: own.map_or_else(|| "here".to_owned(), ToString::to_string), server, lines })
    }

    fn control_stop(&self) -> Option<Stop> {
        let evidence = &self.evidence;
        if evidence.door().is_none() {
            let refused = self.diagnosis.cause == Cause::NothingListening;
            let note = if refused {
                "refused".to_owned()
            } else {
                self.heard_of().unwrap_or_else(|| "no answer".to_owned())
            };
            return Some(Stop { share: if refused { 95 } else { self.share() }, note });
        }
        let greeting = evidence.greeting.as_ref()?;
        greeting.said.is_none().then(|| Stop { share: 95, note: "no greeting".to_owned() })
    }

    /// The try that decided: one that failed where something is wrong, one that works where nothing is.
    fn cell(&self) -> Option<&Cell> {
        let cells = || self.evidence.cells().map(|(_, cell)| cell);
        let failed = |cell: &&Cell| {
            !cell.outcome.works() && !matches!(cell.outcome, Outcome::Skipped(_) | Outcome::Refused)
        };
        let shown = match self.diagnosis.cause {
            Cause::Healthy => None,
            Cause::HelperMasquerade | Cause::PrivateAddress | Cause::StaleAddress | Cause::ZeroAddress => {
                cells().find(|cell| cell.mode == Mode::Pasv && failed(cell))
            }
            _ => cells().find(failed),
        };
        shown.or_else(|| cells().find(|cell| cell.outcome.works())).or_else(|| cells().next())
    }

    fn data(&self, cell: &Cell) -> Line {
        let port = cell.place.map_or_else(|| "?".to_owned(), |place| place.port().to_string());
        let outward = cell.mode.is_passive();
        let unknown = || ">1023".to_owned();
        let (client, server) = if outward { (unknown(), port) } else { (port, unknown()) };
        let note = |text: &str| text.to_owned();
        let stop = match &cell.outcome {
            Outcome::Works(_) | Outcome::NoEnd(_) | Outcome::Skipped(_) => None,
            Outcome::NoLink { fault, .. } => {
                let refused = matches!(fault.name(), "refused" | "unreachable");
                let stray = cell.place.filter(|place| {
                    self.evidence.legs.iter().all(|leg| leg.at.ip().to_canonical() != place.ip())
                });
                Some(match stray {
                    Some(place) => Stop { share: 40, note: format!("goes to {}", place.ip()) },
                    None if refused => Stop { share: self.share(), note: note("refused") },
                    None => Stop {
                        share: self.share(),
                        note: self.heard_of().unwrap_or_else(|| note("no answer")),
                    },
                })
            }
            Outcome::Refused => Some(Stop { share: 0, note: note("not offered") }),
            Outcome::Unreadable => Some(Stop { share: 0, note: note("answer not understood") }),
            Outcome::NoAnswer { .. } | Outcome::HungUp => {
                Some(Stop { share: 0, note: note("the session ends here") })
            }
            Outcome::NotBegun { .. } => Some(Stop { share: 90, note: note("made, and refused") }),
            Outcome::NobodyCame { .. } => Some(match self.diagnosis.cause {
                Cause::ClientInboundBlocked => Stop { share: 92, note: note("dropped here") },
                Cause::ServerEgress => Stop { share: 10, note: note("nobody came") },
                _ => Stop { share: 50, note: note("nobody came") },
            }),
            Outcome::NoTls { .. } => Some(Stop { share: 95, note: note("no TLS") }),
            Outcome::Stalled(_) => Some(Stop { share: 50, note: note("stands still") }),
            Outcome::Cut { .. } => Some(Stop { share: 50, note: note("cut") }),
            Outcome::NoWord(_) => Some(Stop { share: 95, note: note("no last word") }),
        };
        Line { label: format!("data, {}", cell.mode), client, server, outward, stop }
    }

    /// How much of the way packets made, by the hops that were heard of.
    fn share(&self) -> u8 {
        let made = self.evidence.path.as_ref().and_then(|path| {
            let hop = path.answered.or(path.last.map(|(hop, _)| hop))?;
            let whole = path.control.filter(|whole| *whole > 0).unwrap_or(hop + 2);
            u8::try_from(u32::from(hop) * 100 / u32::from(whole)).ok()
        });
        made.unwrap_or(80).clamp(15, 90)
    }

    fn heard_of(&self) -> Option<String> {
        let (hop, by) = self.evidence.path.as_ref()?.last?;
        Some(format!("last heard of at {by}, hop {hop}"))
    }
}

/// How wide the way between the two is.
const WAY: usize = 46;

/// For a terminal.
impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let left =
            self.lines.iter().map(|line| line.client.len()).chain([self.client.len()]).max().unwrap_or(8);
        let right =
            self.lines.iter().map(|line| line.server.len()).chain([self.server.len()]).max().unwrap_or(8);
        let gap = " ".repeat(WAY);
        writeln!(f, "   {:<left$}  {gap}   server", "client")?;
        writeln!(f, "   {:<left$}  {gap}   {}", self.client, self.server)?;
        let edge = |corners: (char, char), width: usize| {
            format!("{}{}{}", corners.0, "─".repeat(width + 2), corners.1)
        };
        writeln!(f, "  {}{gap}{}", edge(('┌', '┐'), left), edge(('┌', '┐'), right))?;
        for line in &self.lines {
            writeln!(f, "  │ {:>left$} │{}│ {:<right$} │", line.client, way(line), line.server)?;
            if let Some(stop) = &line.stop {
                let at = spot(line, stop).saturating_sub(stop.note.chars().count() / 2);
                let note: String = stop.note.chars().take(WAY).collect();
                let at = at.min(WAY - note.chars().count());
                let text = format!("{}{note}", " ".repeat(at));
                writeln!(f, "  │ {:>left$} │{text:<WAY$}│ {:<right$} │", "", "")?;
            }
        }
        write!(f, "  {}{gap}{}", edge(('└', '┘'), left), edge(('└', '┘'), right))
    }
}

/// Where the cross stands.
fn spot(line: &Line, stop: &Stop) -> usize {
    let made = usize::from(stop.share) * (WAY - 2) / 100;
    if line.outward { made } else { WAY - 1 - made }
}

/// The arrow with its label, as far as it goes.
fn way(line: &Line) -> String {
    let mut row: Vec<char> = vec!['─'; WAY];
    let label = format!(" {} ", line.label);
    let begin = 2;
    for (place, c) in label.chars().enumerate().take(WAY - 4) {
        row[begin + place] = c;
    }
    match line.outward {
        true => row[WAY - 1] = '►',
        false => row[0] = '◄',
    }
    if let Some(stop) = &line.stop {
        let cross = spot(line, stop);
        let beyond = if line.outward { cross..WAY } else { 0..cross + 1 };
        for place in beyond {
            let is_label = (begin..begin + label.chars().count()).contains(&place);
            if !is_label {
                row[place] = ' ';
            }
        }
        row[cross] = '╳';
    }
    row.into_iter().collect()
}
