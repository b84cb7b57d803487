//! What the dialects have in common: the fields of a line, numbers, hours, and dates with or without a year. Which field
//! means what is left to each dialect. All of it is linear in the line, and nothing in it trusts the line.

use std::borrow::Cow;

use crate::time::{Civil, Moment};

/// The first fields of a line and their places; more than a line before its name can have are not looked for.
pub(super) struct Fields<'a> {
    line: &'a [u8],
    places: [(usize, usize); MAX_FIELDS],
    count: usize,
}

impl<'a> Fields<'a> {
    pub(super) fn of(line: &'a [u8]) -> Self {
        let mut fields = Fields { line, places: [(0, 0); MAX_FIELDS], count: 0 };
        let mut at = 0;
        while fields.count < MAX_FIELDS {
            let Some(start) = line[at..].iter().position(|b| !blank(b)).map(|skip| at + skip) else { break };
            at = line[start..].iter().position(blank).map_or(line.len(), |size| start + size);
            fields.places[fields.count] = (start, at);
            fields.count += 1;
        }
        fields
    }

    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Where a field begins in the line, and where it ends.
    pub(super) fn place(&self, index: usize) -> Option<(usize, usize)> {
        self.places[..self.count].get(index).copied()
    }

    pub(super) fn get(&self, index: usize) -> Option<&'a [u8]> {
        let (start, end) = self.place(index)?;
        Some(&self.line[start..end])
    }

    /// The fields from `from` to before `to`, and what stands between them, as text; nothing when there are none.
    pub(super) fn text(&self, from: usize, to: usize) -> Option<Cow<'static, str>> {
        let bytes = self.line.get(self.place(from)?.0..self.place(to.checked_sub(1)?)?.1)?;
        Some(Cow::Owned(String::from_utf8_lossy(bytes).into_owned()))
    }

    /// What follows a field, without the blanks before it; nothing when that is nothing.
    pub(super) fn rest(&self, index: usize) -> Option<&'a [u8]> {
        let rest = &self.line[self.place(index)?.1..];
        Some(&rest[rest.iter().position(|b| !blank(b))?..])
    }
}

/// What stands between fields.
pub(super) fn blank(byte: &u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

pub(super) fn read_number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u64, |number, b| {
        let digit = b.is_ascii_digit().then(|| u64::from(b - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

/// A part of a date or of a time: one or two digits.
fn read_part(digits: &[u8]) -> Option<u8> {
    if digits.len() > 2 {
        return None;
    }
    u8::try_from(read_number(digits)?).ok()
}

/// A time of day as a listing says it.
#[derive(Clone, Copy)]
pub(super) struct Clock {
    pub(super) hour: u8,
    pub(super) minute: u8,
    /// Most listings do not say it.
    pub(super) second: Option<u8>,
}

impl Clock {
    /// This time on the day that begins at `day`; nothing when there is no such time.
    pub(super) fn on(self, day: Moment) -> Option<Moment> {
        Civil { hour: self.hour, minute: self.minute, second: self.second.unwrap_or(0), ..day.civil() }
            .moment()
    }
}

/// `01:45`, `1:45`, and `01:45:12` with or without a fraction, which is left out.
pub(super) fn read_clock(field: &[u8]) -> Option<Clock> {
    let colon = field.iter().position(|b| *b == b':').filter(|at| matches!(at, 1 | 2))?;
    let (hour, minute) = (read_part(&field[..colon])?, read_part(field.get(colon + 1..colon + 3)?)?);
    let second = match field.get(colon + 3) {
        None => None,
        Some(b':') => Some(read_part(field.get(colon + 4..colon + 6)?)?.min(59)),
        Some(_) => return None,
    };
    if !matches!(field.get(colon + 6), None | Some(b'.' | b',')) {
        return None;
    }
    Some(Clock { hour, minute, second })
}

/// A date in numbers, with the same mark twice: the year first when it has four digits, the day first before dots. The
/// rest is read as in the United States where that makes a date, else with the day first, else with the year first.
pub(super) fn read_day(field: &[u8]) -> Option<Moment> {
    let mark = *field.iter().find(|b| !b.is_ascii_digit())?;
    let mut parts = field.split(|b| *b == mark);
    let (first, second, third) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || !matches!(mark, b'-' | b'/' | b'.' | b',') {
        return None;
    }
    let day_of = |year: &[u8], month: &[u8], day: &[u8]| {
        let (year, month, day) = (read_year(year)?, read_part(month)?, read_part(day)?);
        Civil { year, month, day, hour: 0, minute: 0, second: 0 }.moment()
    };
    if first.len() == 4 {
        return day_of(first, second, third);
    }
    let month_first = if mark == b'.' { None } else { day_of(third, first, second) };
    month_first.or_else(|| day_of(third, second, first)).or_else(|| day_of(first, second, third))
}

/// Four digits, or two of 1970 to 2069.
fn read_year(digits: &[u8]) -> Option<i64> {
    let year = i64::try_from(read_number(digits)?).ok()?;
    match digits.len() {
        4 => Some(year),
        2 => Some(if year < 70 { 2000 + year } else { 1900 + year }),
        _ => None,
    }
}

/// A date in a line.
pub(super) struct Date {
    pub(super) moment: Moment,
    /// Where its last field ends in the line.
    pub(super) end: usize,
}

/// The date that begins at a field: `Jul 27`, `27 Jul` or `2026-07-27`, then an hour or a year, as `ls` says it. A date
/// without a year is the latest such date that is not more than a day after `now`.
pub(super) fn read_date(fields: &Fields<'_>, at: usize, now: Moment) -> Option<Date> {
    let (first, second) = (fields.get(at)?, fields.get(at + 1)?);
    if first.get(4).is_some_and(|mark| matches!(mark, b'-' | b'/')) {
        let clock = read_clock(second)?;
        let moment = clock.on(read_day(first)?)?;
        // GNU's `--full-time` says the zone; without seconds it would be a part of the name.
        let zone = fields.get(at + 2).filter(|_| clock.second.is_some()).and_then(read_zone);
        let end = fields.place(at + 1 + usize::from(zone.is_some()))?.1;
        let moment = Moment::from_seconds(moment.seconds - zone.unwrap_or(0));
        // Years have four digits, in another zone too.
        return (0..=9999).contains(&moment.civil().year).then_some(Date { moment, end });
    }
    let (month, day) = match read_month(first) {
        Some(month) => (month, second),
        None => (read_month(second)?, first),
    };
    let day = read_part(day.strip_suffix(b".").unwrap_or(day))?;
    let (third, end) = (fields.get(at + 2)?, fields.place(at + 2)?.1);
    let on = |year: i64| Civil { year, month, day, hour: 0, minute: 0, second: 0 }.moment();
    let full_year = |field: &[u8]| read_year(field).filter(|_| field.len() == 4);
    let Some(clock) = read_clock(third) else {
        return Some(Date { moment: on(full_year(third)?)?, end });
    };
    // `ls -lT` of the BSDs: a time with seconds, and then the year.
    if let Some(year) = fields.get(at + 3).filter(|_| clock.second.is_some()).and_then(full_year) {
        return Some(Date { moment: clock.on(on(year)?)?, end: fields.place(at + 3)?.1 });
    }
    let (latest, this_year) = (now.seconds.saturating_add(DAY), now.civil().year);
    // Eight years hold a 29 February at least.
    let moment = (-1..=8)
        .filter_map(|back| clock.on(on(this_year - back)?))
        .find(|moment| moment.seconds <= latest)?;
    Some(Date { moment, end })
}

/// `+0200`, in seconds.
fn read_zone(field: &[u8]) -> Option<i64> {
    let (sign, digits) = match field.split_first()? {
        (b'+', digits) => (1, digits),
        (b'-', digits) => (-1, digits),
        _ => return None,
    };
    let (hours, minutes) = digits.split_at_checked(2)?;
    if minutes.len() != 2 {
        return None;
    }
    Some(sign * (i64::from(read_part(hours)?) * 3600 + i64::from(read_part(minutes)?) * 60))
}

/// The number of a month: its first three letters in English, or as `ls` shortens it in German and French.
pub(super) fn read_month(field: &[u8]) -> Option<u8> {
    let field = field.strip_suffix(b".").unwrap_or(field);
    let place = MONTHS.iter().position(|month| month.eq_ignore_ascii_case(field));
    if let Some(place) = place {
        return u8::try_from(place + 1).ok();
    }
    OTHER_MONTHS.iter().find(|(name, _)| name.eq_ignore_ascii_case(field)).map(|(_, month)| *month)
}

/// Two numbers of an inode and its blocks, permissions, links, owner and group of a few words each, size, three or four
/// of a date.
pub(super) const MAX_FIELDS: usize = 18;

pub(super) const DAY: i64 = 86_400;

pub(super) const MONTHS: [[u8; 3]; 12] = [
    *b"Jan", *b"Feb", *b"Mar", *b"Apr", *b"May", *b"Jun", *b"Jul", *b"Aug", *b"Sep", *b"Oct", *b"Nov",
    *b"Dec",
];

/// German and French, in UTF-8 and in Latin-1 where it makes a difference.
const OTHER_MONTHS: [(&[u8], u8); 25] = [
    (b"M\xC3\xA4r", 3),
    (b"M\xE4r", 3),
    (b"Mrz", 3),
    (b"Mai", 5),
    (b"Okt", 10),
    (b"Dez", 12),
    (b"janv", 1),
    (b"f\xC3\xA9vr", 2),
    (b"f\xE9vr", 2),
    (b"f\xC3\xA9v", 2),
    (b"f\xE9v", 2),
    (b"mars", 3),
    (b"avr", 4),
    (b"avril", 4),
    (b"jui", 6),
    (b"juin", 6),
    (b"juil", 7),
    (b"ao\xC3\xBBt", 8),
    (b"ao\xFBt", 8),
    (b"ao\xC3\xBB", 8),
    (b"ao\xFB", 8),
    (b"aou", 8),
    (b"sept", 9),
    (b"d\xC3\xA9c", 12),
    (b"d\xE9c", 12),
];
