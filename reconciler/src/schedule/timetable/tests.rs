use chrono_tz::{America::Sao_Paulo, Asia::Jakarta, Europe};
use proptest::prelude::*;

use super::*;

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn daily(time: &str, zone: Tz) -> Timetable {
    Timetable {
        time: time.parse().unwrap(),
        zone,
        jitter: TimeDelta::zero(),
        every: None,
        since: at("2026-01-01T00:00:00Z"),
    }
}

fn is_due(timetable: &Timetable, runs: &[PastRun], now: DateTime<Utc>) -> bool {
    due_since(timetable, runs, AfterFailure::Pauses, now).is_some()
}

/// Every moment that is due in a span, looked at every minute.
fn dues(timetable: &Timetable, from: &str, to: &str) -> Vec<String> {
    let (mut now, end) = (at(from), at(to));
    let mut dues: Vec<DateTime<Utc>> = Vec::new();
    while now < end {
        let due = timetable.last_due(now).unwrap();
        if due >= at(from) && dues.last() != Some(&due) {
            dues.push(due);
        }
        now += TimeDelta::minutes(1);
    }
    dues.iter().map(|due| due.format("%dT%H:%M").to_string()).collect()
}

#[test]
fn jakarta_has_no_changes_and_is_due_at_the_same_hour_always() {
    let nights = dues(&daily("03:00", Jakarta), "2026-03-27T12:00:00Z", "2026-03-30T12:00:00Z");
    assert_eq!(nights, ["27T20:00", "28T20:00", "29T20:00"]);
}

#[test]
fn a_time_that_clocks_jump_over_is_due_when_they_have_jumped() {
    // Berlin jumps from 02:00 to 03:00 on 29 March 2026, Helsinki from 03:00 to 04:00.
    let berlin =
        dues(&daily("02:30", Europe::Berlin), "2026-03-27T12:00:00Z", "2026-03-30T12:00:00Z");
    assert_eq!(berlin, ["28T01:30", "29T01:00", "30T00:30"]);
    let helsinki =
        dues(&daily("03:00", Europe::Helsinki), "2026-03-27T12:00:00Z", "2026-03-30T12:00:00Z");
    assert_eq!(helsinki, ["28T01:00", "29T01:00", "30T00:00"]);
    // São Paulo jumped at midnight, from 00:00 to 01:00 on 4 November 2018.
    let sao_paulo =
        dues(&daily("00:00", Sao_Paulo), "2018-11-02T12:00:00Z", "2018-11-05T12:00:00Z");
    assert_eq!(sao_paulo, ["03T03:00", "04T03:00", "05T02:00"]);
}

#[test]
fn a_time_that_clocks_show_twice_is_due_once() {
    // Berlin goes back from 03:00 to 02:00 on 25 October 2026, Helsinki from 04:00 to 03:00.
    let berlin =
        dues(&daily("02:30", Europe::Berlin), "2026-10-23T12:00:00Z", "2026-10-26T12:00:00Z");
    assert_eq!(berlin, ["24T00:30", "25T00:30", "26T01:30"]);
    let helsinki =
        dues(&daily("03:00", Europe::Helsinki), "2026-10-23T12:00:00Z", "2026-10-26T12:00:00Z");
    assert_eq!(helsinki, ["24T00:00", "25T00:00", "26T01:00"]);
    // São Paulo went back at midnight: 23:30 came twice on 16 February 2019.
    let sao_paulo =
        dues(&daily("23:30", Sao_Paulo), "2019-02-15T12:00:00Z", "2019-02-18T12:00:00Z");
    assert_eq!(sao_paulo, ["16T01:30", "17T01:30", "18T02:30"]);
}

#[test]
fn nights_that_were_missed_make_one_run() {
    let timetable = daily("03:00", Jakarta);
    let now = at("2026-06-10T08:00:00Z");
    let long_ago = PastRun { started_at: at("2026-06-01T20:00:00Z"), failed_at: None };
    assert!(is_due(&timetable, &[], now));
    assert!(is_due(&timetable, &[long_ago], now));
    let caught_up = PastRun { started_at: now, failed_at: None };
    assert!(!is_due(&timetable, &[long_ago, caught_up], now + TimeDelta::hours(1)));
    assert!(is_due(&timetable, &[long_ago, caught_up], at("2026-06-10T20:00:00Z")));
}

#[test]
fn a_new_campus_waits_for_its_first_night() {
    let timetable = Timetable { since: at("2026-06-10T08:00:00Z"), ..daily("03:00", Jakarta) };
    assert!(!is_due(&timetable, &[], at("2026-06-10T09:00:00Z")));
    assert!(is_due(&timetable, &[], at("2026-06-10T20:00:00Z")));
}

#[test]
fn a_run_that_failed_is_tried_again_less_and_less_often() {
    let timetable = daily("03:00", Jakarta);
    let failed = |text: &str| PastRun { started_at: at(text), failed_at: Some(at(text)) };
    let once = [failed("2026-06-10T20:00:00Z")];
    assert!(!is_due(&timetable, &once, at("2026-06-10T20:09:00Z")));
    assert!(is_due(&timetable, &once, at("2026-06-10T20:10:00Z")));
    let twice = [once[0], failed("2026-06-10T20:10:00Z")];
    assert!(!is_due(&timetable, &twice, at("2026-06-10T20:29:00Z")));
    assert!(is_due(&timetable, &twice, at("2026-06-10T20:30:00Z")));
    let under_way = PastRun { started_at: at("2026-06-10T20:30:00Z"), failed_at: None };
    assert!(!is_due(&timetable, &[twice[0], under_way], at("2026-06-10T23:30:00Z")));
}

#[test]
fn a_regular_run_is_due_so_long_after_the_last_one_whatever_that_was_for() {
    let since = at("2026-06-10T08:10:00Z");
    let hourly = Timetable { every: Some(TimeDelta::hours(1)), since, ..daily("03:00", Jakarta) };
    let done = |text: &str| PastRun { started_at: at(text), failed_at: None };
    // Setting it makes nothing due at once.
    let long_ago = [done("2026-06-09T20:00:00Z")];
    assert!(!is_due(&hourly, &long_ago, at("2026-06-10T09:09:59Z")));
    assert_eq!(
        due_since(&hourly, &long_ago, AfterFailure::Pauses, at("2026-06-10T09:30:00Z")),
        Some(at("2026-06-10T09:10:00Z"))
    );
    let a_moment_ago = [done("2026-06-10T09:10:30Z")];
    assert!(!is_due(&hourly, &a_moment_ago, at("2026-06-10T10:10:29Z")));
    assert!(is_due(&hourly, &a_moment_ago, at("2026-06-10T10:10:30Z")));
    // The nightly one beside it.
    let before_night = [done("2026-06-10T19:50:00Z")];
    assert!(!is_due(&hourly, &before_night, at("2026-06-10T19:59:59Z")));
    assert!(is_due(&hourly, &before_night, at("2026-06-10T20:00:00Z")));
    let failed =
        PastRun { failed_at: Some(at("2026-06-10T10:11:00Z")), ..done("2026-06-10T10:10:31Z") };
    let failed = [a_moment_ago[0], failed];
    assert!(!is_due(&hourly, &failed, at("2026-06-10T10:20:59Z")));
    assert!(is_due(&hourly, &failed, at("2026-06-10T10:21:00Z")));
}

#[test]
fn a_gap_is_due_a_minute_after_it_or_while_it_lasts_and_never_soon_again() {
    let gap = IntakeGap {
        first: at("2026-06-10T08:00:00Z"),
        last: at("2026-06-10T08:03:00Z"),
        reconciled_at: None,
    };
    assert_eq!(gap.due_at(false), at("2026-06-10T08:04:00Z"));
    assert_eq!(gap.due_at(true), at("2026-06-10T08:15:00Z"));
    let lasting = IntakeGap { last: at("2026-06-10T09:00:00Z"), ..gap };
    assert_eq!(lasting.due_at(false), at("2026-06-10T08:15:00Z"));
    let again = IntakeGap { reconciled_at: Some(at("2026-06-10T07:58:00Z")), ..gap };
    assert_eq!(again.due_at(false), at("2026-06-10T08:13:00Z"));
}

#[test]
fn whoever_calls_again_after_a_failure_need_not_wait_and_who_failed_comes_later() {
    let timetable = Timetable { since: at("2026-01-01T00:00:00Z"), ..daily("03:00", Jakarta) };
    let failed_at = at("2026-06-10T20:05:00Z");
    let failed = [PastRun { started_at: failed_at, failed_at: Some(failed_at) }];
    let now = failed_at + TimeDelta::seconds(1);
    let since = |runs: &[PastRun]| due_since(&timetable, runs, AfterFailure::AtOnce, now);
    assert_eq!(since(&failed), Some(failed_at));
    assert_eq!(since(&[]), Some(at("2026-06-10T20:00:00Z")));
}

proptest! {
    #[test]
    fn every_day_is_due_once_whatever_clocks_do(
        minute_of_day in 0_u32..1440,
        day in 0_i64..2000,
        minute in 0_i64..1440,
        zone in prop::sample::select(vec![Jakarta, Europe::Berlin, Europe::Helsinki, Sao_Paulo]),
        campus in any::<u128>(),
    ) {
        let time = NaiveTime::from_hms_opt(minute_of_day / 60, minute_of_day % 60, 0).unwrap();
        let jitter = jitter(Uuid::from_u128(campus));
        let timetable = Timetable { time, jitter, ..daily("00:00", zone) };
        let now = at("2017-01-01T00:00:00Z") + TimeDelta::days(day) + TimeDelta::minutes(minute);
        let due = timetable.last_due(now).unwrap();
        // A day has 23 to 25 hours.
        prop_assert!(due <= now && now - due < TimeDelta::hours(25));
        let before = timetable.last_due(due - TimeDelta::seconds(1)).unwrap();
        let apart = due - before;
        prop_assert!((TimeDelta::hours(23)..=TimeDelta::hours(25)).contains(&apart), "{apart}");
    }
}
