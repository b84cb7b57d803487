//! The clock of a listing: it shows the server's own time and does not say which. What it is ahead of UTC shows when the
//! same file is asked for by MDTM (RFC 3659 §3); whom to ask, and when, is left to the caller.

use crate::entry::Entry;
use crate::time::Moment;

/// Moves the times of an entry by so many seconds: by minus what [`zone_offset`] gave they become UTC.
pub fn shift(entry: &mut Entry, seconds: i64) {
    for moment in [&mut entry.modified, &mut entry.created].into_iter().flatten() {
        moment.seconds = moment.seconds.saturating_add(seconds);
    }
}

/// By how many seconds a listing is ahead of UTC, in whole quarters of an hour: `listed` is what it says of a file, `told`
/// what MDTM or MLST says. `precise_to_minute` tells that the listing does not show seconds, which is the common case.
///
/// `None` when the two differ by more than 14 hours, or by what is no zone: then the file has changed meanwhile, or the
/// listing lies. None as well at 00:00:00 sharp, which is how the day of an old file looks whose hour is not listed.
#[must_use]
pub fn zone_offset(listed: Moment, told: Moment, precise_to_minute: bool) -> Option<i64> {
    if listed.seconds.rem_euclid(DAY) == 0 {
        return None;
    }
    // Cut as the listing is; a server that rounds is still near enough.
    let (told, tolerance) = if precise_to_minute {
        (told.seconds.checked_sub(told.seconds.rem_euclid(60))?, 60)
    } else {
        // FAT keeps every second second.
        (told.seconds, 2)
    };
    let difference = listed.seconds.checked_sub(told)?;
    let offset = difference.checked_add(QUARTER / 2)?.div_euclid(QUARTER).checked_mul(QUARTER)?;
    let plausible = (-FARTHEST..=FARTHEST).contains(&offset);
    (plausible && difference.abs_diff(offset) <= tolerance).then_some(offset)
}

const DAY: i64 = 86_400;

/// A quarter of an hour, in seconds: zones of Nepal and Chatham need it.
const QUARTER: i64 = 900;

/// Kiribati, in seconds.
const FARTHEST: i64 = 14 * 3600;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::Kind;

    fn at(stamp: &str) -> Moment {
        Moment::read_stamp(stamp.as_bytes()).unwrap()
    }

    #[test]
    fn a_zone_is_what_a_listing_is_ahead() {
        for (listed, told, to_minute, offset) in [
            ("20260727034500", "20260727014537", true, Some(7200)),
            ("20260727014500", "20260727014559", true, Some(0)),
            ("20260727014600", "20260727014559", true, Some(0)),
            ("20260726204500", "20260727014500", true, Some(-5 * 3600)),
            ("20260727073000", "20260727014501", true, Some(5 * 3600 + 2700)),
            ("20260727034538", "20260727014537", false, Some(7200)),
            ("20260727034500", "20260727014537", false, None),
            ("20260727154500", "20260727014537", true, Some(14 * 3600)),
            ("20260727160000", "20260727014500", true, None),
            ("20260727035200", "20260727014500", true, None),
            ("20260728034500", "20260727014537", true, None),
            ("20260727000000", "20260727013000", true, None),
        ] {
            assert_eq!(zone_offset(at(listed), at(told), to_minute), offset, "{listed} {told}");
        }
        for (listed, told) in [(i64::MIN, i64::MAX), (i64::MAX, i64::MIN), (1, i64::MIN), (i64::MIN, 1)] {
            assert_eq!(zone_offset(Moment::from_seconds(listed), Moment::from_seconds(told), true), None);
        }
    }

    #[test]
    fn both_times_of_an_entry_are_shifted() {
        let mut entry = Entry::new("a", Kind::File, 1);
        shift(&mut entry, -7200);
        assert_eq!(entry.modified, None);
        entry.modified = Some(at("20260727034500"));
        entry.created = Some(Moment::from_seconds(i64::MIN));
        shift(&mut entry, -7200);
        assert_eq!(entry.modified, Some(at("20260727014500")));
        assert_eq!(entry.created, Some(Moment::from_seconds(i64::MIN)));
    }
}
