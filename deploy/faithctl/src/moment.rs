//! Moments: how a person names one, and how one is shown.

use chrono::{DateTime, SecondsFormat, SubsecRound, TimeDelta, Utc};
use runtime::parse_duration;
pub(crate) use status::age;

/// Reads a moment: so long ago (`1h`), or a time with its zone (`2026-11-20T01:40:00Z`).
pub(crate) fn parse(text: &str) -> Result<DateTime<Utc>, String> {
    let ago = text.strip_suffix("ago").map_or(text, str::trim_end);
    let ago = parse_duration(ago).and_then(|duration| TimeDelta::from_std(duration).ok());
    ago.and_then(|duration| Utc::now().checked_sub_signed(duration))
        .or_else(|| DateTime::parse_from_rfc3339(text).ok().map(|time| time.to_utc()))
        .ok_or_else(|| {
            "expected how long ago (30m, 1h, 7d), or a time such as 2026-11-20T01:40:00Z".to_owned()
        })
}

/// `2026-11-20 01:40:03Z`, in UTC as everything here.
pub(crate) fn show(moment: DateTime<Utc>) -> String {
    moment.trunc_subsecs(0).to_rfc3339_opts(SecondsFormat::Secs, true).replace('T', " ")
}

/// The same, or a dash.
pub(crate) fn show_optional(moment: Option<DateTime<Utc>>) -> String {
    moment.map_or_else(|| "-".to_owned(), show)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_so_long_ago_or_a_time_with_a_zone() {
        let hour = Utc::now() - parse("1h").unwrap();
        assert!((hour - TimeDelta::hours(1)).num_seconds().abs() < 5);
        assert!((parse("1h ago").unwrap() - parse("1h").unwrap()).num_seconds().abs() < 5);
        let time = parse("2026-11-20T08:40:00+07:00").unwrap();
        assert_eq!(show(time), "2026-11-20 01:40:00Z");
        for wrong in ["", "1", "yesterday", "2026-11-20", "2026-11-20T01:40:00", "999999999999d"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
