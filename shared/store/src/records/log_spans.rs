//! The way through the days of the log, from the newest back.

use chrono::{DateTime, Days, NaiveTime, Utc};

/// A span of this many days has the whole rest behind it: a log is rarely kept for as long.
const MOST_DAYS: u64 = 256;

/// A span of time: since `from`, before `before`; unbounded where there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) from: Option<DateTime<Utc>>,
    pub(super) before: Option<DateTime<Utc>>,
}

/// Parts of a span, the newest first, together all of it: a day, then twice as many each time. Whoever looks for the newest rows
/// reads one after another until there are enough. Days that are not read are not planned for either, and in most lists
/// that is all days but one.
pub(super) struct LogSpans {
    rest: Option<Span>,
    now: DateTime<Utc>,
    days: u64,
}

impl LogSpans {
    pub(super) fn of(span: Span) -> Self {
        Self::at(span, Utc::now())
    }

    fn at(span: Span, now: DateTime<Utc>) -> Self {
        Self { rest: Some(span), now, days: 1 }
    }
}

impl Iterator for LogSpans {
    type Item = Span;

    fn next(&mut self) -> Option<Span> {
        let rest = self.rest.take()?;
        let newest = rest.before.map_or(self.now, |before| before.min(self.now));
        let from = (self.days < MOST_DAYS).then(|| midnight_before(newest, self.days)).flatten();
        self.days *= 2;
        match from {
            // Nothing is left behind it.
            Some(from) if rest.from.is_some_and(|least| least >= from) => Some(rest),
            Some(from) => {
                self.rest = Some(Span { before: Some(from), ..rest });
                Some(Span { from: Some(from), ..rest })
            }
            None => Some(rest),
        }
    }
}

/// The beginning of the last of `days` days that end with the one that has something before `moment`.
fn midnight_before(moment: DateTime<Utc>, days: u64) -> Option<DateTime<Utc>> {
    let last = moment.checked_sub_signed(chrono::TimeDelta::microseconds(1))?.date_naive();
    Some(last.checked_sub_days(Days::new(days - 1))?.and_time(NaiveTime::MIN).and_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn spans(from: Option<&str>, before: Option<&str>) -> Vec<Span> {
        let span = Span { from: from.map(at), before: before.map(at) };
        LogSpans::at(span, at("2026-11-29T15:00:00Z")).collect()
    }

    #[test]
    fn the_newest_day_comes_first_then_twice_as_many() {
        let spans = spans(None, None);
        let begins: Vec<String> =
            spans.iter().take(4).map(|span| span.from.unwrap().date_naive().to_string()).collect();
        assert_eq!(begins, ["2026-11-29", "2026-11-27", "2026-11-23", "2026-11-15"]);
        assert_eq!(spans[0].before, None, "a clock may be ahead of ours");
        assert_eq!(spans.last().unwrap().from, None);
        assert!(spans.len() < 12, "{}", spans.len());
        for pair in spans.windows(2) {
            assert_eq!(pair[0].from, pair[1].before, "nothing twice, nothing left out");
        }
    }

    #[test]
    fn bounds_are_kept() {
        let one = spans(Some("2026-11-29T14:00:00Z"), None);
        assert_eq!(one, [Span { from: Some(at("2026-11-29T14:00:00Z")), before: None }]);
        let two = spans(Some("2026-11-18T12:00:00Z"), Some("2026-11-20T00:00:00Z"));
        let (first, second) = (at("2026-11-19T00:00:00Z"), at("2026-11-18T12:00:00Z"));
        assert_eq!(
            two,
            [
                Span { from: Some(first), before: Some(at("2026-11-20T00:00:00Z")) },
                Span { from: Some(second), before: Some(first) },
            ]
        );
    }
}
