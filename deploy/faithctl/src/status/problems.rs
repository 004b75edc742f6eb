//! What an operator should look at, derived from everything that the status knows, so that nobody has to
//! compare columns under pressure.

use chrono::{TimeDelta, Utc};
use queue::{DEAD, UNROUTED, WORK};

use super::{
    instances::Instances,
    queries::{CampusSync, DeadLetters, RECENT_MINUTES},
    state::{InstallationStatus, Problem},
};
use crate::{campus::SECRET_AGE, moment};

/// Nights are a day apart, and spread over some minutes.
const OVERDUE: TimeDelta = TimeDelta::hours(26);
/// What is retried for longer is no transient failure any more.
const LONG_RETRIED: TimeDelta = TimeDelta::minutes(10);

/// So many members without one success are no trouble of their own.
const FAILING_MEMBERS: i64 = 3;

/// A stranger's try or two is none of ours; the alert CampusRefused counts alike.
const REJECTED_MANY: i64 = 5;

/// All that is to be looked at, what stops events first.
pub(super) fn problems(status: &InstallationStatus) -> Vec<Problem> {
    let mut problems = Vec::new();
    queues(status, &mut |summary, advice| problems.push(Problem::to_look_at(summary, advice)));
    problems.extend(status.connected.iter().flat_map(missing));
    let campuses = status.campuses.as_deref().unwrap_or_default();
    for campus in campuses.iter().filter(|campus| campus.is_enabled) {
        secret(campus, &mut |summary, advice| problems.push(Problem::to_look_at(summary, advice)));
    }
    let letters = status.dead_letters.as_deref().unwrap_or_default();
    problems.extend(waiting(letters, campuses));
    // In their order otherwise.
    problems.sort_by_key(|problem| !problem.stops_events);
    problems
}

/// Which programs nobody has started, or are without Postgres, or are not ready.
pub(crate) fn missing(connected: &Instances) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut add = |summary: &str, advice: &str| {
        problems.push(Problem::to_look_at(summary.to_owned(), advice.to_owned()));
    };
    if connected.gateways == 0 {
        add(
            "no gateway is connected to Postgres: webhooks may get no answer",
            "start one; one that runs says what it misses at /readyz",
        );
    }
    if connected.reconcilers == 0 {
        add(
            "no reconciler is connected to Postgres: nobody compares campuses, or makes days of the log",
            "start one, unless cron runs `reconciler --once`",
        );
    }
    for one in &connected.not_ready {
        let reasons: Vec<String> =
            one.reasons.iter().map(|(check, reason)| format!("{check}: {reason}")).collect();
        add(
            &format!("{} on {} is not ready: {}", one.program, one.host, reasons.join("; ")),
            "the runbook deploy/runbooks/program-down.md; its log says more",
        );
    }
    problems
}

/// What waits for an operator although every part of the system works.
pub(crate) fn waiting(letters: &[DeadLetters], campuses: &[CampusSync]) -> Vec<Problem> {
    let mut problems = Vec::new();
    let open: i64 = letters.iter().map(|letters| letters.open).sum();
    for campus in campuses.iter().filter(|campus| campus.is_enabled) {
        problems.extend(failing(campus));
    }
    let mut add =
        |summary: String, advice: String| problems.push(Problem::to_look_at(summary, advice));
    if open > 0 {
        add(
            counted(open, "dead letter is open", "dead letters are open"),
            "faithctl dead-letters groups".to_owned(),
        );
    }
    for campus in campuses {
        rejected(campus, &mut add);
        if campus.is_enabled {
            of_campus(campus, &mut add);
        }
    }
    problems
}

/// A campus whose core is asked now and then only, or that had events and no success.
fn failing(campus: &CampusSync) -> Option<Problem> {
    let CampusSync { campus_id: id, name, failing, failing_members, succeeded, .. } = campus;
    // Its events wait because somebody wants them to.
    if campus.paused_at.is_some() {
        return None;
    }
    let advice = format!("faithctl campus test-connection {id}");
    if let Some(breaker) = &campus.breaker {
        let since = moment::rough(TimeDelta::seconds(breaker.open_for_seconds));
        return Some(Problem {
            summary: format!(
                "{name}: circuit breaker open for {since} ({}), {} retrying: {}",
                breaker.cause, campus.retrying, breaker.reason
            ),
            advice,
            stops_events: true,
        });
    }
    // One member that fails is its own trouble.
    let is_failing = *succeeded == 0 && *failing > 0 && *failing_members >= FAILING_MEMBERS;
    is_failing.then(|| Problem {
        summary: format!(
            "{name}: none of {} of the last {RECENT_MINUTES} minutes succeeded: {}",
            counted(*failing, "event", "events"),
            campus.last_error.as_deref().unwrap_or("no reason is logged")
        ),
        advice,
        stops_events: true,
    })
}

fn queues(status: &InstallationStatus, add: &mut impl FnMut(String, String)) {
    if status.workers == Some(0) {
        add(
            "no worker consumes events: they wait in the queue".to_owned(),
            "start a worker; one that runs says what it misses at /readyz".to_owned(),
        );
    }
    let waiting = |name: &str| {
        let mut queues = status.queues.iter().flatten();
        let queue = queues.find(|queue| queue.name == name);
        queue.and_then(|queue| queue.messages).map_or(0, i64::from)
    };
    let processed = status.flow.as_ref().map(|flow| flow.processed_per_minute);
    if waiting(WORK) > 0 && status.workers > Some(0) && processed.is_some_and(|rate| rate <= 0.0) {
        add(
            format!(
                "{} and none was finished lately",
                counted(waiting(WORK), "event waits", "events wait")
            ),
            "deploy/runbooks/program-down.md; `faithctl doctor` says what is wrong".to_owned(),
        );
    }
    for name in [DEAD, UNROUTED] {
        if waiting(name) > 0 {
            let messages = counted(waiting(name), "message stays", "messages stay");
            add(
                format!("{messages} in {name}, which workers drain"),
                "look at the workers' logs, and at /readyz of each".to_owned(),
            );
        }
    }
}

/// Webhooks that come to a campus whose sync is disabled, or that are not signed as they should be.
fn rejected(campus: &CampusSync, add: &mut impl FnMut(String, String)) {
    let CampusSync { campus_id: id, name, is_enabled, rejected, .. } = campus;
    let lately = format!(
        "{} refused within {RECENT_MINUTES} minutes",
        counted(*rejected, "webhook was", "webhooks were")
    );
    if !is_enabled && *rejected > 0 {
        add(
            format!("{name}: it is disabled, and {lately}"),
            format!("faithctl campus enable {id}, unless somebody meant it"),
        );
    } else if *rejected > REJECTED_MANY {
        add(
            format!("{name}: {lately}"),
            format!(
                "faithctl deliveries list --campus {id} --status rejected; deploy/runbooks/intake.md"
            ),
        );
    }
}

fn of_campus(campus: &CampusSync, add: &mut impl FnMut(String, String)) {
    let CampusSync { campus_id: id, name, .. } = campus;
    let now = Utc::now();
    if let Some(since) = campus.paused_at {
        let waiting = counted(campus.retrying, "event waits", "events wait");
        return add(
            format!("{name}: paused for {}, {waiting}", moment::age(since)),
            format!("faithctl campus resume {id}"),
        );
    }
    if let Some(until) = campus.login_paused_until {
        add(
            format!(
                "{name}: login paused after a failed login; next attempt in {}",
                moment::rough(until - now)
            ),
            format!("faithctl campus test-connection {id}"),
        );
    }
    let oldest = campus.oldest_retrying_at.filter(|oldest| now - *oldest > LONG_RETRIED);
    // An open breaker says the same, and how many wait.
    if let Some(oldest) = oldest.filter(|_| campus.breaker.is_none()) {
        let events = counted(campus.retrying, "event is", "events are");
        add(
            format!(
                "{name}: {events} retrying, the oldest for {}: {}",
                moment::age(oldest),
                campus.last_error.as_deref().unwrap_or("no reason is logged")
            ),
            format!("faithctl campus test-connection {id}"),
        );
    }
    if campus.candidates_held > 0 {
        let held = counted(i64::from(campus.candidates_held), "archival needs", "archivals need");
        add(format!("{name}: {held} approval"), format!("faithctl runs list --campus {id}"));
    }
    if campus.members_undecided > 0 {
        let undecided =
            counted(i64::from(campus.members_undecided), "member or row is", "members or rows are");
        add(format!("{name}: {undecided} undecided"), format!("faithctl runs list --campus {id}"));
    }
    if campus.reconciliation_enabled && now - campus.equal_at > OVERDUE {
        add(
            format!("{name}: last known to equal its core {} ago", moment::age(campus.equal_at)),
            format!("faithctl runs list --campus {id}"),
        );
    }
}

fn secret(campus: &CampusSync, add: &mut impl FnMut(String, String)) {
    let CampusSync { campus_id: id, name, webhook_secret_set_at: set_at, .. } = campus;
    if Utc::now() - *set_at > SECRET_AGE {
        add(
            format!("{name}: its webhook secret is {} old", moment::age(*set_at)),
            format!("faithctl campus rotate-secret {id}"),
        );
    }
}

/// `1 gateway`, `2 gateways`.
pub(crate) fn counted(number: i64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::status::instances::OpenBreaker;

    fn campus() -> CampusSync {
        let now = Utc::now();
        CampusSync {
            campus_id: Uuid::nil(),
            name: "GKBJ".to_owned(),
            is_enabled: true,
            reconciliation_enabled: true,
            paused_at: None,
            last_sync_at: Some(now),
            last_sync_status: Some("success".to_owned()),
            equal_at: now,
            candidates_held: 0,
            members_undecided: 0,
            retrying: 0,
            oldest_retrying_at: None,
            last_error: None,
            rejected: 0,
            failing: 0,
            failing_members: 0,
            succeeded: 0,
            breaker: None,
            login_paused_until: None,
            webhook_secret_set_at: now,
        }
    }

    fn of(campus: CampusSync) -> Vec<String> {
        let status =
            InstallationStatus { campuses: Some(vec![campus]), ..InstallationStatus::default() };
        problems(&status).into_iter().map(|problem| problem.summary).collect()
    }

    #[test]
    fn a_campus_that_is_well_is_not_mentioned() {
        assert_eq!(of(campus()), Vec::<String>::new());
        let long_ago = Utc::now() - TimeDelta::days(100);
        let forgotten =
            CampusSync { is_enabled: false, webhook_secret_set_at: long_ago, ..campus() };
        assert_eq!(of(forgotten), Vec::<String>::new());
        assert_eq!(of(CampusSync { rejected: 5, ..campus() }), Vec::<String>::new());
    }

    #[test]
    fn refused_webhooks_are_told_sooner_of_a_disabled_campus() {
        let disabled = of(CampusSync { is_enabled: false, rejected: 1, ..campus() });
        assert_eq!(disabled, ["GKBJ: it is disabled, and 1 webhook was refused within 30 minutes"]);
        let refused = of(CampusSync { rejected: 6, ..campus() });
        assert_eq!(refused, ["GKBJ: 6 webhooks were refused within 30 minutes"]);
    }

    #[test]
    fn a_campus_without_a_success_stops_events() {
        let failing = CampusSync {
            failing: 5,
            failing_members: 3,
            last_error: Some("GET /api/members/{id}: HTTP 404 (not found).".to_owned()),
            ..campus()
        };
        assert_eq!(
            of(failing),
            [
                "GKBJ: none of 5 events of the last 30 minutes succeeded: GET /api/members/{id}: HTTP 404 (not found)."
            ]
        );
        // A few members that are gone, or one success, are no such campus.
        assert_eq!(of(CampusSync { failing: 9, failing_members: 2, ..campus() }), [""; 0]);
        let some = CampusSync { failing: 9, failing_members: 9, succeeded: 1, ..campus() };
        assert_eq!(of(some), [""; 0]);
    }

    #[test]
    fn an_open_breaker_is_told_first_and_at_once() {
        let breaker = OpenBreaker {
            cause: "core_unavailable".to_owned(),
            reason: "GET /api/members/{id}: connection failed.".to_owned(),
            open_for_seconds: 3,
        };
        let long_ago = Utc::now() - TimeDelta::days(100);
        let found = of(CampusSync {
            breaker: Some(breaker),
            retrying: 7,
            webhook_secret_set_at: long_ago,
            ..campus()
        });
        assert_eq!(
            found,
            [
                "GKBJ: circuit breaker open for 3s (core_unavailable), 7 retrying: \
                 GET /api/members/{id}: connection failed.",
                "GKBJ: its webhook secret is 100d old",
            ]
        );
    }

    #[test]
    fn problems_of_a_campus_are_listed() {
        let long_ago = Utc::now() - TimeDelta::days(100);
        let found = of(CampusSync {
            candidates_held: 40,
            members_undecided: 1,
            retrying: 1,
            oldest_retrying_at: Some(long_ago),
            last_error: Some("It answered with status 500.".to_owned()),
            equal_at: long_ago,
            webhook_secret_set_at: long_ago,
            ..campus()
        });
        assert_eq!(
            found,
            [
                "GKBJ: its webhook secret is 100d old",
                "GKBJ: 1 event is retrying, the oldest for 100d: It answered with status 500.",
                "GKBJ: 40 archivals need approval",
                "GKBJ: 1 member or row is undecided",
                "GKBJ: last known to equal its core 100d ago",
            ]
        );
    }
}
