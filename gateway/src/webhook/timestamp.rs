//! When an event happened, as its sender writes it.

use chrono::{DateTime, FixedOffset, TimeDelta, Utc};

/// How far ahead of ours a sender's clock may be before it is not believed.
const TOLERANCE: TimeDelta = TimeDelta::minutes(5);

/// ISO 8601 beside RFC 3339: a blank for the `T`, an offset without colon or minutes, no seconds.
const FORMATS: [&str; 4] = [
    "%Y-%m-%dT%H:%M:%S%.f%#z",
    "%Y-%m-%d %H:%M:%S%.f%#z",
    "%Y-%m-%dT%H:%M%#z",
    "%Y-%m-%d %H:%M%#z",
];

/// Reads a moment. None where it cannot be read or has no time zone: such a time may be half a
/// day off. One that lies ahead of the clock becomes the time of receipt.
pub(crate) fn occurred_at(text: &str, received_at: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let moment = to_microseconds(read(text)?.to_utc());
    Some(if moment > received_at + TOLERANCE { received_at } else { moment })
}

/// The same moment to the precision that Postgres keeps, so that it reads back as it was written:
/// the time of receipt is half of a log row's key (rule gateway-12).
pub(crate) fn to_microseconds(moment: DateTime<Utc>) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(moment.timestamp_micros()).unwrap_or(moment)
}

fn read(text: &str) -> Option<DateTime<FixedOffset>> {
    DateTime::parse_from_rfc3339(text)
        .ok()
        .or_else(|| FORMATS.iter().find_map(|format| DateTime::parse_from_str(text, format).ok()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn utc(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn what_python_and_javascript_write_is_read() {
        let now = utc("2026-11-23T12:00:00Z");
        for (text, expected) in [
            ("2025-11-20T01:40:00Z", "2025-11-20T01:40:00Z"),
            ("2025-11-20T01:40:00.123Z", "2025-11-20T01:40:00.123Z"),
            ("2026-11-23T11:10:21.816928+00:00", "2026-11-23T11:10:21.816928Z"),
            ("2025-11-20T08:40:00+07:00", "2025-11-20T01:40:00Z"),
            ("2025-11-20T08:40:00+0700", "2025-11-20T01:40:00Z"),
            ("2025-11-20T08:40:00+07", "2025-11-20T01:40:00Z"),
            ("2025-11-20 01:40:00+00:00", "2025-11-20T01:40:00Z"),
            ("2025-11-20 08:40:00.5+0700", "2025-11-20T01:40:00.5Z"),
            ("2025-11-20T01:40Z", "2025-11-20T01:40:00Z"),
            ("2025-11-19T18:40:00-07:00", "2025-11-20T01:40:00Z"),
        ] {
            assert_eq!(occurred_at(text, now), Some(utc(expected)), "{text}");
        }
    }

    #[test]
    fn without_a_zone_or_a_meaning_it_is_absent() {
        let now = utc("2026-11-23T12:00:00Z");
        for text in [
            "",
            "now",
            "2025-11-20",
            "2025-11-20T01:40:00",
            "2025-11-20T01:40:00.123456",
            "2025-13-20T01:40:00Z",
            "2025-02-30T01:40:00Z",
            "1763602800",
            "2025-11-20T01:40:00Z and more",
        ] {
            assert_eq!(occurred_at(text, now), None, "{text}");
        }
    }

    #[test]
    fn a_clock_that_is_ahead_is_not_believed() {
        let now = utc("2026-11-23T12:00:00Z");
        assert_eq!(occurred_at("2026-11-23T12:05:00Z", now), Some(utc("2026-11-23T12:05:00Z")));
        assert_eq!(occurred_at("2026-11-23T12:05:00.000001Z", now), Some(now));
        assert_eq!(occurred_at("2999-01-01T00:00:00Z", now), Some(now));
    }

    #[test]
    fn nothing_is_finer_than_a_microsecond() {
        let now = utc("2026-11-23T12:00:00Z");
        assert_eq!(
            occurred_at("2025-11-20T01:40:00.123456789Z", now),
            Some(utc("2025-11-20T01:40:00.123456Z"))
        );
        // A leap second is the next second: Postgres knows none.
        assert_eq!(occurred_at("2016-12-31T23:59:60Z", now), Some(utc("2017-01-01T00:00:00Z")));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC{0,40}|[0-9TZ:+. -]{0,40}") {
            occurred_at(&text, utc("2026-11-23T12:00:00Z"));
        }

        #[test]
        fn what_is_written_reads_back(seconds in 0..1_795_000_000_i64, micros in 0..1_000_000_u32) {
            let moment = DateTime::from_timestamp(seconds, micros * 1000).unwrap();
            prop_assert_eq!(
                occurred_at(&moment.to_rfc3339(), utc("2026-11-23T12:00:00Z")),
                Some(moment)
            );
        }
    }
}
