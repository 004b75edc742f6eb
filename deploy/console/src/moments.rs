//! Times as people read them: absolute, in their zone, with the age beside.

use chrono::{DateTime, Datelike, TimeDelta, Timelike, Utc};
use chrono_tz::Tz;

use crate::words::Language;

/// A time to be shown.
#[derive(Debug, Clone)]
pub(crate) struct Moment {
    /// For programs.
    pub(crate) machine: String,
    /// `29 Nov 2026 03:00 WIB`
    pub(crate) absolute: String,
    /// `5 min ago`
    pub(crate) age: String,
}

/// How times are written for somebody.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    pub(crate) language: Language,
    pub(crate) zone: Tz,
}

const MONTHS: [[&str; 12]; 2] = [
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"],
    ["Jan", "Feb", "Mar", "Apr", "Mei", "Jun", "Jul", "Agu", "Sep", "Okt", "Nov", "Des"],
];

impl Clock {
    pub(crate) fn moment(self, moment: DateTime<Utc>) -> Moment {
        Moment {
            machine: moment.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
            absolute: self.absolute(moment),
            age: self.age(Utc::now() - moment),
        }
    }

    fn absolute(self, moment: DateTime<Utc>) -> String {
        let local = moment.with_timezone(&self.zone);
        let month = MONTHS[self.language as usize][local.month0() as usize % 12];
        format!(
            "{} {month} {} {} {}",
            local.day(),
            local.year(),
            self.time(moment, false),
            local.format("%Z")
        )
    }

    /// `03:00:05`, or `03.00.05` in Indonesian.
    pub(crate) fn time(self, moment: DateTime<Utc>, with_seconds: bool) -> String {
        let local = moment.with_timezone(&self.zone);
        let separator = if self.language == Language::English { ':' } else { '.' };
        let minutes = format!("{:02}{separator}{:02}", local.hour(), local.minute());
        if with_seconds { format!("{minutes}{separator}{:02}", local.second()) } else { minutes }
    }

    /// How long ago, roughly.
    pub(crate) fn age(self, age: TimeDelta) -> String {
        let seconds = age.num_seconds().max(0);
        let (key, count) = match seconds {
            0..60 => ("ago-seconds", seconds),
            60..7_200 => ("ago-minutes", seconds / 60),
            7_200..172_800 => ("ago-hours", seconds / 3_600),
            _ => ("ago-days", seconds / 86_400),
        };
        self.language.counted(key, count)
    }

    /// For how long.
    pub(crate) fn lasting(self, seconds: i64) -> String {
        let (key, count) = match seconds {
            ..120 => ("for-seconds", seconds.max(0)),
            120..7_200 => ("for-minutes", seconds / 60),
            7_200..172_800 => ("for-hours", seconds / 3_600),
            _ => ("for-days", seconds / 86_400),
        };
        self.language.counted(key, count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_in_the_zone_and_the_words_of_its_reader() {
        let moment = "2026-08-28T20:00:05Z".parse().unwrap();
        let show = |language| Clock { language, zone: chrono_tz::Asia::Jakarta }.absolute(moment);
        assert_eq!(show(Language::English), "29 Aug 2026 03:00 WIB");
        assert_eq!(show(Language::Indonesian), "29 Agu 2026 03.00 WIB");
        let clock = Clock { language: Language::English, zone: chrono_tz::UTC };
        assert_eq!(clock.age(TimeDelta::seconds(61)), "1 minute ago");
        assert_eq!(clock.lasting(90), "90 seconds");
    }
}
