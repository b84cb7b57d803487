//! The clock of FTP texts: `YYYYMMDDHHMMSS.sss` (RFC 3659 §2.3), always in UTC, and the civil date behind it.

use crate::error::Malformed;

/// A moment: seconds since 1970-01-01 00:00:00 UTC (leap seconds not counted; negative before), and nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Moment {
    /// Whole seconds.
    pub seconds: i64,
    /// 0 to 999,999,999.
    pub nanos: u32,
}

/// A date and a time of day in the Gregorian calendar, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Civil {
    /// The year.
    pub year: i64,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
    /// 0 to 59 (60 is read as 59).
    pub second: u8,
}

const DAY: i64 = 86_400;

impl Moment {
    /// A moment on the second.
    #[must_use]
    pub fn from_seconds(seconds: i64) -> Self {
        Moment { seconds, nanos: 0 }
    }

    /// The date and time of day in UTC.
    #[must_use]
    pub fn civil(self) -> Civil {
        let (days, rest) = (self.seconds.div_euclid(DAY), self.seconds.rem_euclid(DAY));
        // Days to date over eras of 400 years that begin on 1 March, so that the leap day comes last.
        let shifted = days + 719_468;
        let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let march_month = (5 * day_of_year + 2) / 153;
        let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
        let small = |n: i64| u8::try_from(n).expect("a part of a date fits in a byte");
        Civil {
            year: year_of_era + era * 400 + i64::from(month <= 2),
            month: small(month),
            day: small(day_of_year - (153 * march_month + 2) / 5 + 1),
            hour: small(rest / 3600),
            minute: small(rest / 60 % 60),
            second: small(rest % 60),
        }
    }

    /// `YYYYMMDDHHMMSS`, with `.sss` when there are milliseconds (RFC 3659 §2.3).
    #[must_use]
    pub fn stamp(self) -> String {
        let c = self.civil();
        let mut text = format!(
            "{:04}{:02}{:02}{:02}{:02}{:02}",
            c.year.clamp(0, 9999),
            c.month,
            c.day,
            c.hour,
            c.minute,
            c.second
        );
        let millis = self.nanos / 1_000_000;
        if millis > 0 {
            text.push_str(&format!(".{millis:03}"));
        }
        text
    }

    /// Reads `YYYYMMDDHHMMSS` with an optional fraction.
    ///
    /// # Errors
    /// When it is not fourteen digits that make a real date and time, with at most a dot and digits behind.
    pub fn read_stamp(text: &[u8]) -> Result<Self, Malformed> {
        const EXPECTED: &str = "a time as YYYYMMDDHHMMSS";
        let (whole, fraction) = match text.iter().position(|b| *b == b'.') {
            Some(dot) => (&text[..dot], &text[dot + 1..]),
            None => (text, &b""[..]),
        };
        if let Some(at) = text.iter().position(|b| !b.is_ascii_digit() && *b != b'.') {
            return Err(Malformed::new(EXPECTED, at));
        }
        if whole.len() != 14 || !fraction.iter().all(u8::is_ascii_digit) {
            return Err(Malformed::new(EXPECTED, whole.len().min(14)));
        }
        let number =
            |from: usize, to: usize| whole[from..to].iter().fold(0u16, |n, b| n * 10 + u16::from(b - b'0'));
        let part = |from: usize| u8::try_from(number(from, from + 2)).expect("two digits fit in a byte");
        let civil = Civil {
            year: i64::from(number(0, 4)),
            month: part(4),
            day: part(6),
            hour: part(8),
            minute: part(10),
            second: part(12).min(59),
        };
        let mut moment = civil.moment().ok_or(Malformed::new(EXPECTED, 4))?;
        if part(12) > 60 {
            return Err(Malformed::new(EXPECTED, 12));
        }
        for (place, b) in (0u32..9).zip(fraction) {
            moment.nanos += u32::from(b - b'0') * 10u32.pow(8 - place);
        }
        Ok(moment)
    }
}

impl Civil {
    /// The moment of this date and time; nothing when there is no such day or hour.
    #[must_use]
    pub fn moment(self) -> Option<Moment> {
        let leap = self.year % 4 == 0 && (self.year % 100 != 0 || self.year % 400 == 0);
        let days_in_month = match self.month {
            2 => 28 + u8::from(leap),
            4 | 6 | 9 | 11 => 30,
            1..=12 => 31,
            _ => return None,
        };
        if self.day == 0 || self.day > days_in_month || self.hour > 23 || self.minute > 59 || self.second > 59
        {
            return None;
        }
        let year = self.year - i64::from(self.month <= 2);
        let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
        let march_month = (i64::from(self.month) + 9) % 12;
        let day_of_year = (153 * march_month + 2) / 5 + i64::from(self.day) - 1;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        let days = era * 146_097 + day_of_era - 719_468;
        let rest = i64::from(self.hour) * 3600 + i64::from(self.minute) * 60 + i64::from(self.second);
        Some(Moment::from_seconds(days * DAY + rest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_moments_read_and_write() {
        for (seconds, stamp) in [
            (0, "19700101000000"),
            (951_782_400, "20000229000000"),
            (-1, "19691231235959"),
            (1_795_400_199, "20261123021639"),
        ] {
            let moment = Moment::from_seconds(seconds);
            assert_eq!(moment.stamp(), stamp);
            assert_eq!(Moment::read_stamp(stamp.as_bytes()).unwrap(), moment);
        }
    }

    #[test]
    fn every_day_of_four_centuries_goes_there_and_back() {
        for day in -146_097..146_097 {
            let moment = Moment::from_seconds(day * DAY + 43_200);
            assert_eq!(moment.civil().moment(), Some(moment));
        }
    }

    #[test]
    fn fractions_are_kept_to_the_millisecond() {
        let moment = Moment::read_stamp(b"20200102030405.678").unwrap();
        assert_eq!(moment.nanos, 678_000_000);
        assert_eq!(moment.stamp(), "20200102030405.678");
    }

    #[test]
    fn no_such_day_is_malformed() {
        for bad in
            ["20210229000000", "2021010100000", "20210101000000x", "20211301000000", "20210101250000", ""]
        {
            assert!(Moment::read_stamp(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
