//! Values of the command line that mean something about a campus, read and checked before anything
//! is saved.

use std::{num::NonZeroU32, ops::RangeInclusive, time::Duration};

use chrono::NaiveTime;
use chrono_tz::Tz;
use member::Country;
use runtime::parse_duration;

/// More webhooks a second than any church sends.
const HIGHEST_RATE: u32 = 1_000_000;

/// Text that is not blank, without the space around it.
pub(super) fn text(value: &str) -> Result<String, String> {
    let value = value.trim();
    if value.is_empty() || value.contains(char::is_control) {
        return Err("expected text that is not blank".to_owned());
    }
    Ok(value.to_owned())
}

/// The core's id of a church, as its webhooks carry it.
pub(super) fn church_id(value: &str) -> Result<String, String> {
    let value = value.trim();
    if event::is_event_id(value) {
        Ok(value.to_owned())
    } else {
        Err("expected an id of 1 to 128 bytes without control characters".to_owned())
    }
}

/// An IANA time zone.
pub(super) fn time_zone(value: &str) -> Result<Tz, String> {
    value.parse().map_err(|_| "expected an IANA time zone such as Asia/Jakarta".to_owned())
}

/// A two-letter country code.
pub(super) fn country(value: &str) -> Result<Country, String> {
    value.parse().map_err(|error: member::UnknownCountry| error.to_string())
}

/// A path of the core's API; nothing where it has none.
pub(super) fn path(value: &str) -> Result<String, String> {
    let value = value.trim();
    if value.contains(char::is_control) {
        return Err("expected a path such as /api".to_owned());
    }
    let slash = if value.is_empty() || value.starts_with('/') { "" } else { "/" };
    Ok(format!("{slash}{value}"))
}

/// Webhooks a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RateLimit(pub(super) Option<NonZeroU32>);

impl RateLimit {
    /// As the column holds it: null where there is no limit.
    pub(super) fn column(self) -> Option<i32> {
        self.0.and_then(|limit| i32::try_from(limit.get()).ok())
    }
}

/// `50/s`, or `off`.
pub(super) fn rate_limit(value: &str) -> Result<RateLimit, String> {
    if value == "off" {
        return Ok(RateLimit(None));
    }
    value
        .strip_suffix("/s")
        .and_then(|number| number.parse::<NonZeroU32>().ok())
        .filter(|limit| limit.get() <= HIGHEST_RATE)
        .map(|limit| RateLimit(Some(limit)))
        .ok_or_else(|| format!("expected webhooks a second from 1/s to {HIGHEST_RATE}/s, or off"))
}

/// How often a campus is reconciled beside its nightly run; not at all where there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Every(pub(super) Option<Duration>);

/// More often, and runs would come one after another; less often is what the night is for.
const EVERY: RangeInclusive<Duration> = Duration::from_mins(5)..=Duration::from_hours(24);

/// `1h`, or `off`.
pub(super) fn every(value: &str) -> Result<Every, String> {
    if value == "off" {
        return Ok(Every(None));
    }
    parse_duration(value)
        .filter(|every| EVERY.contains(every))
        .map(|every| Every(Some(every)))
        .ok_or_else(|| "expected a duration from 5m to 24h, or off".to_owned())
}

/// `on` or `off`.
pub(super) fn switch(value: &str) -> Result<bool, String> {
    match value {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err("expected on or off".to_owned()),
    }
}

/// `HH:MM`, by a clock of 24 hours.
pub(super) fn time_of_day(value: &str) -> Result<NaiveTime, String> {
    // chrono alone would also take `3:0`.
    let is_padded = value.len() == 5;
    NaiveTime::parse_from_str(value, "%H:%M")
        .ok()
        .filter(|_| is_padded)
        .ok_or_else(|| "expected a time of day HH:MM, 00:00 to 23:59".to_owned())
}

/// `5` or `5%`, from 0 to 100.
pub(super) fn percent(value: &str) -> Result<i32, String> {
    value
        .strip_suffix('%')
        .unwrap_or(value)
        .parse()
        .ok()
        .filter(|percent| (0..=100).contains(percent))
        .ok_or_else(|| "expected a percentage from 0 to 100".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_a_second_or_off() {
        assert_eq!(rate_limit("50/s").unwrap().column(), Some(50));
        assert_eq!(rate_limit("off").unwrap().column(), None);
        for wrong in ["", "50", "0/s", "-1/s", "50/m", "1000001/s", "off/s"] {
            assert!(rate_limit(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn regular_runs_are_minutes_to_a_day_apart_or_off() {
        assert_eq!(every("1h"), Ok(Every(Some(Duration::from_hours(1)))));
        assert_eq!(every("off"), Ok(Every(None)));
        for wrong in ["", "1", "4m", "25h", "2d", "-1h", "0s"] {
            assert!(every(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_time_of_day_has_four_digits() {
        assert_eq!(time_of_day("03:00").unwrap().to_string(), "03:00:00");
        for wrong in ["3:00", "24:00", "03:60", "03:00:00", "0300", "+3:00"] {
            assert!(time_of_day(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_rest_refuses_what_makes_no_sense() {
        assert_eq!((percent("0"), percent("100%")), (Ok(0), Ok(100)));
        assert!(percent("101").is_err() && percent("-1").is_err() && percent("5.5").is_err());
        assert_eq!(
            (path("api"), path("/api"), path(" ")),
            (Ok("/api".to_owned()), Ok("/api".to_owned()), Ok(String::new()))
        );
        assert!(text(" \t").is_err() && text("a\u{1b}b").is_err());
        assert!(time_zone("Jakarta").is_err() && time_zone("Asia/Jakarta").is_ok());
        assert!(country("XX").is_err() && country("id").is_ok());
        assert!(switch("yes").is_err());
        assert!(church_id("").is_err() && church_id("3880a17d").is_ok());
    }
}
