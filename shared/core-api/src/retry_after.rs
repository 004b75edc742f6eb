//! The `Retry-After` header (RFC 9110 §10.2.3).

use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::header::{DATE, HeaderMap, HeaderName, RETRY_AFTER};

/// No server may silence us for longer.
const LONGEST: Duration = Duration::from_hours(1);

/// How long the server wants to be left alone, from seconds or from a date. None where it did not say, or
/// not so that it can be read.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = if let Ok(seconds) = text.parse::<u64>() {
        Duration::from_secs(seconds)
    } else {
        // Measured against the server's own clock where it tells it.
        let now = date(headers, &DATE).unwrap_or_else(Utc::now);
        (date(headers, &RETRY_AFTER)? - now).to_std().unwrap_or_default()
    };
    Some(wait.min(LONGEST))
}

fn date(headers: &HeaderMap, name: &HeaderName) -> Option<DateTime<Utc>> {
    let text = headers.get(name)?.to_str().ok()?;
    DateTime::parse_from_rfc2822(text.trim()).ok().map(|date| date.to_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(value: &str) -> Option<u64> {
        let mut headers = HeaderMap::new();
        headers.insert(DATE, "Mon, 23 Nov 2026 16:10:00 GMT".parse().unwrap());
        headers.insert(RETRY_AFTER, value.parse().unwrap());
        retry_after(&headers).map(|wait| wait.as_secs())
    }

    #[test]
    fn seconds_and_dates_are_read_and_capped() {
        assert_eq!(wait("7"), Some(7));
        assert_eq!(wait("0"), Some(0));
        assert_eq!(wait("999999"), Some(3600));
        assert_eq!(wait("Mon, 23 Nov 2026 16:10:30 GMT"), Some(30));
        assert_eq!(wait("Mon, 23 Nov 2026 16:09:30 GMT"), Some(0));
        assert_eq!(wait("Tue, 24 Nov 2026 16:09:30 GMT"), Some(3600));
        for odd in ["soon", "-1", "1.5", ""] {
            assert_eq!(wait(odd), None, "{odd}");
        }
        assert_eq!(retry_after(&HeaderMap::new()), None);
    }
}
