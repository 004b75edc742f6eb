//! Where and when a campus is.

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;

use crate::Country;

/// What the meaning of a phone number and of an age depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Locale {
    /// The country whose national numbers people write without a prefix.
    pub country: Country,
    /// The date at the campus: birthdays begin at its midnight, not at UTC's.
    pub today: NaiveDate,
}

impl Locale {
    /// The locale of a campus at a moment.
    pub fn at(country: Country, time_zone: Tz, now: DateTime<Utc>) -> Self {
        Self { country, today: now.with_timezone(&time_zone).date_naive() }
    }
}
