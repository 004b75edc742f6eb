//! Birth dates and ages.

use chrono::{Datelike, NaiveDate};
use serde_json::Value;

/// Nobody who is alive was born before; what core databases have there stands for nothing (`0001-01-01`).
const FIRST_YEAR: i32 = 1900;

/// A birth date: a date that somebody who is alive may have been born on. None for anything else.
pub(crate) fn birth_date(value: &Value) -> Option<NaiveDate> {
    date(value).filter(|date| date.year() >= FIRST_YEAR)
}

/// The date of `2001-02-28`-like text, or the date part, as written, of an ISO date-time. None for anything
/// else, impossible dates included.
pub(crate) fn date(value: &Value) -> Option<NaiveDate> {
    let text = value.as_str()?.trim();
    let (date, rest) = text.split_at_checked(10)?;
    if !(rest.is_empty() || rest.starts_with(['T', 't', ' '])) {
        return None;
    }
    let (year, month, day) = (date.get(0..4)?, date.get(5..7)?, date.get(8..10)?);
    let dashed = date.get(4..5) == Some("-") && date.get(7..8) == Some("-");
    if !dashed {
        return None;
    }
    // Year 0 is 1 BC to chrono and no year at all to Postgres.
    let year = digits(year).filter(|year| *year > 0)?;
    NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, digits(month)?, digits(day)?)
}

/// Whole years on the day `today`. None for somebody not born yet.
///
/// Comparing month and day makes 29 February count on 1 March in common years.
pub(crate) fn age(birth: NaiveDate, today: NaiveDate) -> Option<i32> {
    if birth > today {
        return None;
    }
    let before_birthday = (today.month(), today.day()) < (birth.month(), birth.day());
    Some(today.year() - birth.year() - i32::from(before_birthday))
}

/// The first day after `today` on which the age is another one. None only at the end of all dates.
pub(crate) fn next_birthday(birth: NaiveDate, today: NaiveDate) -> Option<NaiveDate> {
    if birth > today {
        return Some(birth);
    }
    [today.year(), today.year() + 1]
        .into_iter()
        .filter_map(|year| {
            NaiveDate::from_ymd_opt(year, birth.month(), birth.day())
                .or_else(|| NaiveDate::from_ymd_opt(year, 3, 1))
        })
        .find(|birthday| *birthday > today)
}

/// `parse` alone would take a sign.
fn digits(text: &str) -> Option<u32> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use chrono::NaiveDate;
    use serde_json::json;

    use super::{age, birth_date, date, next_birthday};

    fn day(year: i32, month: u32, day: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(year, month, day).unwrap()
    }

    #[test]
    fn dates_and_the_date_part_of_date_times_are_read() {
        assert_eq!(date(&json!("1990-01-15")), Some(day(1990, 1, 15)));
        assert_eq!(date(&json!("1990-01-15T23:59:59+07:00")), Some(day(1990, 1, 15)));
        assert_eq!(date(&json!("1990-01-15 00:00:00")), Some(day(1990, 1, 15)));
        assert_eq!(date(&json!("2000-02-29")), Some(day(2000, 2, 29)));
    }

    #[test]
    fn what_is_no_date_is_none() {
        let texts = [
            "2001-02-29",
            "1990-13-01",
            "1990-1-15",
            "15-01-1990",
            "0000-01-01",
            "",
            "x",
            "1990-01-1x",
            "+990-01-01",
            "1990-01-15x",
            "199é-01-1",
            "1990/01/15",
            "1990/01-15",
            "1990-01/15",
        ];
        for text in texts {
            assert_eq!(date(&json!(text)), None, "{text}");
        }
        assert_eq!(date(&json!(19_900_115)), None);
    }

    #[test]
    fn nobody_was_born_before_1900() {
        assert_eq!(birth_date(&json!("1900-01-01")), Some(day(1900, 1, 1)));
        for before in ["1899-12-31", "0001-01-01", "0001-01-01T00:00:00Z"] {
            assert!(date(&json!(before)).is_some());
            assert_eq!(birth_date(&json!(before)), None, "{before}");
        }
    }

    #[test]
    fn a_birthday_counts_on_its_day() {
        assert_eq!(age(day(1990, 1, 15), day(2026, 1, 14)), Some(35));
        assert_eq!(age(day(1990, 1, 15), day(2026, 1, 15)), Some(36));
        assert_eq!(age(day(2026, 1, 15), day(2026, 1, 15)), Some(0));
        assert_eq!(age(day(2026, 1, 16), day(2026, 1, 15)), None);
    }

    #[test]
    fn the_next_birthday_is_the_first_day_of_another_age() {
        for birth in [day(1990, 1, 15), day(2000, 2, 29), day(2026, 3, 1), day(2026, 7, 1)] {
            for today in [day(2026, 1, 14), day(2026, 2, 28), day(2026, 3, 1), day(2028, 2, 28)] {
                let next = next_birthday(birth, today).unwrap();
                assert!(next > today);
                assert_eq!(age(birth, next.pred_opt().unwrap()), age(birth, today));
                assert_ne!(age(birth, next), age(birth, today), "{birth} {today}");
            }
        }
    }

    #[test]
    fn a_leap_day_counts_on_the_first_of_march() {
        assert_eq!(age(day(2000, 2, 29), day(2026, 2, 28)), Some(25));
        assert_eq!(age(day(2000, 2, 29), day(2026, 3, 1)), Some(26));
        assert_eq!(age(day(2000, 2, 29), day(2028, 2, 29)), Some(28));
    }
}
