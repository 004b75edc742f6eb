//! Moments: how a person names one, and how one is shown.

use chrono::{DateTime, SecondsFormat, SubsecRound, TimeDelta, Utc};
use runtime::parse_duration;

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

/// How long ago a moment was, roughly: `12s`, `3m`, `5h`, `2d`.
pub(crate) fn age(moment: DateTime<Utc>) -> String {
    rough(Utc::now().signed_duration_since(moment))
}

/// A duration in its largest unit.
pub(crate) fn rough(duration: TimeDelta) -> String {
    let seconds = duration.num_seconds().max(0);
    match seconds {
        0..120 => format!("{seconds}s"),
        120..7_200 => format!("{}m", seconds / 60),
        7_200..172_800 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
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

    #[test]
    fn ages_are_rough() {
        let shown = |seconds| rough(TimeDelta::seconds(seconds));
        assert_eq!(
            ["0s", "119s", "2m", "119m", "2h", "47h", "2d"],
            [-5, 119, 120, 7_199, 7_200, 172_799, 172_800]
                .map(shown)
                .each_ref()
                .map(String::as_str)
        );
    }
}
