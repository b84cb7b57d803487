//! Reads LIST as it comes, line by line, and guesses the dialect from the first lines that one of them can read. Cutting
//! the stream into lines, and what to do about a listing that is not understood, are left to the caller.

use super::fields::{Fields, blank};
use super::{as400, dos, eplf, mvs, netware, unix, vms, without_end};
use crate::entry::Entry;
use crate::time::Moment;

/// In which way a server says LIST.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// `ls -l`; also the UNIX side of z/OS, and most servers on Windows.
    Unix,
    /// `DIR` of MS-DOS and Windows: IIS.
    Dos,
    /// Easily Parsed LIST Format of D. J. Bernstein.
    Eplf,
    /// OpenVMS.
    Vms,
    /// Data sets of z/OS.
    Mvs,
    /// Members of a partitioned data set of z/OS.
    MvsMembers,
    /// Jobs of z/OS: their names and nothing else.
    Jes,
    /// IBM i, once AS/400.
    As400,
    /// Novell NetWare.
    NetWare,
}

impl Dialect {
    /// What people call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Dialect::Unix => "Unix",
            Dialect::Dos => "DOS",
            Dialect::Eplf => "EPLF",
            Dialect::Vms => "OpenVMS",
            Dialect::Mvs => "MVS data sets",
            Dialect::MvsMembers => "MVS members",
            Dialect::Jes => "JES jobs",
            Dialect::As400 => "AS/400",
            Dialect::NetWare => "NetWare",
        }
    }

    /// Whether sizes of files are bytes. If not, they are blocks, rounded up, or not listed and 0: SIZE must tell.
    #[must_use]
    pub fn tells_bytes(self) -> bool {
        match self {
            Dialect::Unix | Dialect::Dos | Dialect::Eplf | Dialect::As400 | Dialect::NetWare => true,
            Dialect::Vms | Dialect::Mvs | Dialect::MvsMembers | Dialect::Jes => false,
        }
    }

    /// Whether its times are UTC by definition. If not, they are the server's own, and [`zone_offset`](super::zone_offset)
    /// can tell which.
    #[must_use]
    pub fn tells_utc(self) -> bool {
        self == Dialect::Eplf
    }
}

/// What a line of a listing is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "one at a time, and the caller takes the entry out of it")]
pub enum Outcome {
    /// A file. Its name may hold anything, slashes too: the caller must not trust it.
    Entry(Entry),
    /// A line that tells of no file: a heading, a sum, a blank, `.`, `..`, an older version, the first half of an entry.
    Nothing,
    /// A line of no dialect.
    Unknown,
}

/// What became of a listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    /// How many entries were given.
    pub entries: usize,
    /// How many lines were not understood.
    pub unknown: usize,
    /// The dialect of the last line that had one; none in a listing that is empty, or that nobody understands.
    pub dialect: Option<Dialect>,
}

/// Reads the lines of one listing.
#[derive(Debug)]
pub struct Reader {
    now: Moment,
    summary: Summary,
    vms: vms::Reader,
    as400: as400::Reader,
}

impl Reader {
    /// A reader for one listing. `now` decides the year of dates without one.
    #[must_use]
    pub fn new(now: Moment) -> Self {
        let summary = Summary { entries: 0, unknown: 0, dialect: None };
        Reader { now, summary, vms: vms::Reader::default(), as400: as400::Reader::default() }
    }

    /// Reads the next line, with or without its line end.
    #[must_use]
    pub fn line(&mut self, line: &[u8]) -> Outcome {
        let mut outcome = self.read(without_end(line));
        match &outcome {
            Outcome::Entry(entry) if matches!(entry.name.as_slice(), b"." | b"..") => {
                outcome = Outcome::Nothing
            }
            Outcome::Entry(_) => self.summary.entries += 1,
            Outcome::Unknown => self.summary.unknown += 1,
            Outcome::Nothing => {}
        }
        outcome
    }

    /// What became of the listing, when the last line has been read.
    #[must_use]
    pub fn finish(self) -> Summary {
        Summary { unknown: self.summary.unknown + self.vms.lost(), ..self.summary }
    }

    /// The dialect of the lines before has the first word; when it does not know a line, the one that does takes over.
    fn read(&mut self, line: &[u8]) -> Outcome {
        if line.iter().all(blank) {
            return Outcome::Nothing;
        }
        let settled = self.summary.dialect;
        if let Some(outcome) = settled.and_then(|dialect| self.read_as(dialect, line)) {
            return outcome;
        }
        if is_sum(line) {
            return Outcome::Nothing;
        }
        for dialect in GUESSES.into_iter().filter(|dialect| settled != Some(*dialect)) {
            if let Some(outcome) = self.read_as(dialect, line) {
                self.summary.dialect = Some(dialect);
                return outcome;
            }
        }
        Outcome::Unknown
    }

    fn read_as(&mut self, dialect: Dialect, line: &[u8]) -> Option<Outcome> {
        let settled = self.summary.dialect == Some(dialect);
        match dialect {
            Dialect::Unix => unix::read_line(line, self.now).map(Outcome::Entry),
            Dialect::Dos if dos::is_heading(line) => Some(Outcome::Nothing),
            Dialect::Dos => dos::read_line(line).map(Outcome::Entry),
            Dialect::Eplf => eplf::read_line(line).map(Outcome::Entry),
            Dialect::Vms => self.vms.line(line, settled, settled || self.summary.dialect.is_none()),
            Dialect::Mvs => mvs::read_dataset(line),
            Dialect::MvsMembers => mvs::read_member(line, settled),
            Dialect::Jes => mvs::read_job(line, settled),
            Dialect::As400 => self.as400.line(line),
            Dialect::NetWare => netware::read_line(line, self.now).map(Outcome::Entry),
        }
    }
}

/// `total 12` of `ls`, in English and German; it is of no dialect, for others say it too.
fn is_sum(line: &[u8]) -> bool {
    let fields = Fields::of(line);
    let word = fields.get(0).unwrap_or_default();
    let word = word.strip_suffix(b":").unwrap_or(word);
    let known = [&b"total"[..], b"insgesamt"].iter().any(|known| known.eq_ignore_ascii_case(word));
    known && fields.count() <= 2 && fields.get(1).is_none_or(|number| number[0].is_ascii_digit())
}

/// In the order in which they are tried: the common ones first, and the vague ones last.
const GUESSES: [Dialect; 9] = [
    Dialect::Unix,
    Dialect::Dos,
    Dialect::Eplf,
    Dialect::Vms,
    Dialect::Mvs,
    Dialect::MvsMembers,
    Dialect::Jes,
    Dialect::NetWare,
    Dialect::As400,
];

#[cfg(test)]
mod tests;
