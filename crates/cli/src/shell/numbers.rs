//! Numbers as they are typed and as BSD's ftp prints them: sizes with a suffix, on and off, three digits of a rate.

use std::time::Duration;

/// Reads `64k`: a number with b, k, m or g behind it.
pub(crate) fn size(text: &[u8]) -> Option<u64> {
    let digits = text.iter().take_while(|b| b.is_ascii_digit()).count();
    let number: u64 = std::str::from_utf8(&text[..digits]).ok()?.parse().ok()?;
    let unit = match text[digits..].to_ascii_lowercase().as_slice() {
        b"" | b"b" => 1,
        b"k" => 1 << 10,
        b"m" => 1 << 20,
        b"g" => 1 << 30,
        _ => return None,
    };
    number.checked_mul(unit)
}

/// What a toggle becomes: the other value, or what `on` and `off` say. None for any other word.
pub(crate) fn toggled(now: bool, word: Option<&[u8]>) -> Option<bool> {
    match word.map(<[u8]>::to_ascii_lowercase).as_deref() {
        None => Some(!now),
        Some(b"on") => Some(true),
        Some(b"off") => Some(false),
        Some(_) => None,
    }
}

/// `on` or `off`.
pub(crate) fn on_off(value: bool) -> &'static str {
    if value { "on" } else { "off" }
}

/// The line behind a transfer: `6 bytes received in 6e-05 seconds (97.7 kbytes/s)`.
pub(crate) fn rate(bytes: u64, direction: &str, took: Duration) -> String {
    let seconds = took.as_secs_f64().max(1e-6);
    #[expect(clippy::cast_precision_loss, reason = "three digits of it are shown")]
    let per_second = bytes as f64 / seconds;
    let (number, unit) = match per_second {
        rate if rate >= 1_048_576.0 => (rate / 1_048_576.0, "Mbytes/s"),
        rate if rate >= 1024.0 => (rate / 1024.0, "kbytes/s"),
        rate => (rate, "bytes/s"),
    };
    format!("{bytes} bytes {direction} in {} seconds ({} {unit})", three(seconds), three(number))
}

/// As C prints `%.3g`.
pub(crate) fn three(number: f64) -> String {
    if number == 0.0 || !number.is_finite() {
        return "0".to_owned();
    }
    let scientific = format!("{number:.2e}");
    let Some((digits, exponent)) = scientific.split_once('e') else { return scientific };
    let exponent: i32 = exponent.parse().unwrap_or_default();
    let short = |text: &str| match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text.to_owned(),
    };
    if !(-4..3).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{}e{sign}{:02}", short(digits), exponent.unsigned_abs());
    }
    let places = usize::try_from(2 - exponent).unwrap_or_default();
    short(&format!("{number:.places$}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_suffixes() {
        for (text, size_) in [("7", 7), ("64k", 65_536), ("1M", 1 << 20), ("2g", 2 << 30), ("3b", 3)] {
            assert_eq!(size(text.as_bytes()), Some(size_));
        }
        for bad in ["", "k", "7x", "-1", "99999999999g"] {
            assert_eq!(size(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn a_toggle_takes_a_word_or_turns_round() {
        assert_eq!(toggled(true, None), Some(false));
        assert_eq!(toggled(true, Some(b"ON")), Some(true));
        assert_eq!(toggled(true, Some(b"off")), Some(false));
        assert_eq!(toggled(true, Some(b"maybe")), None);
    }

    #[test]
    fn three_digits_as_c_prints_them() {
        for (number, text) in [
            (6e-5, "6e-05"),
            (97.656, "97.7"),
            (0.0123, "0.0123"),
            (1.0, "1"),
            (999.6, "1e+03"),
            (123.0, "123"),
            (0.0, "0"),
            (1.5, "1.5"),
            (0.001, "0.001"),
        ] {
            assert_eq!(three(number), text);
        }
    }

    #[test]
    fn the_rate_line_is_bsds() {
        let line = rate(6, "received", Duration::from_micros(60));
        assert_eq!(line, "6 bytes received in 6e-05 seconds (97.7 kbytes/s)");
        assert_eq!(
            rate(3 << 20, "sent", Duration::from_secs(1)),
            "3145728 bytes sent in 1 seconds (3 Mbytes/s)"
        );
    }
}
