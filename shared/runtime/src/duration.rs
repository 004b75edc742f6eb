//! Durations as people write them in settings and on command lines.

use std::time::Duration;

const UNITS: [(&str, u64); 5] =
    [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

/// Reads `250ms`, `5s`, `2m`, `1h`, `90d`; nothing else, a bare number least of all.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let digits = text.find(|character: char| !character.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let (_, milliseconds) = UNITS.iter().find(|(name, _)| *name == unit)?;
    let number: u64 = number.parse().ok()?;
    Some(Duration::from_millis(number.checked_mul(*milliseconds)?))
}

/// Writes a duration in the largest unit that is whole: 90000 ms as `90s`, 3600 s as `1h`.
/// The inverse of [`parse_duration`]; also how delay queues are named.
pub fn format_duration(duration: Duration) -> String {
    let milliseconds = duration.as_millis();
    UNITS
        .iter()
        .rev()
        .find(|(_, unit)| milliseconds != 0 && milliseconds.is_multiple_of(u128::from(*unit)))
        .map_or_else(
            || "0s".to_owned(),
            |(name, unit)| format!("{}{name}", milliseconds / u128::from(*unit)),
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_reads_and_writes_itself() {
        for text in ["250ms", "5s", "2m", "1h", "90d", "0s"] {
            assert_eq!(parse_duration(text).map(format_duration).as_deref(), Some(text));
        }
    }

    #[test]
    fn the_largest_whole_unit_is_written() {
        assert_eq!(format_duration(Duration::from_secs(90)), "90s");
        assert_eq!(format_duration(Duration::from_hours(2)), "2h");
        assert_eq!(format_duration(Duration::from_millis(1500)), "1500ms");
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in ["", "5", "s", "5 s", "-5s", "5sec", "1.5h", "99999999999999999999d"] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }
}
