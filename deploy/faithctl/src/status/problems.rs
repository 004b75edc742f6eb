//! What an operator should look at, derived from everything that the status knows, so that nobody has to
//! compare columns under pressure.

use chrono::{TimeDelta, Utc};
use queue::{DEAD, UNROUTED, WORK};

use super::{
    queries::{CampusSync, Connected, DeadLetters, REJECTED_MINUTES},
    state::{InstallationStatus, Problem},
};
use crate::{campus::SECRET_AGE, moment};

/// Nights are a day apart, and spread over some minutes.
const OVERDUE: TimeDelta = TimeDelta::hours(26);
/// What is retried for longer is no transient failure any more.
const LONG_RETRIED: TimeDelta = TimeDelta::minutes(10);

/// A stranger's try or two is none of ours; the alert CampusRefused counts alike.
const REJECTED_MANY: i64 = 5;

/// All that is to be looked at, what stops events first.
pub(super) fn problems(status: &InstallationStatus) -> Vec<Problem> {
    let mut problems = Vec::new();
    queues(status, &mut |summary, advice| problems.push(Problem { summary, advice }));
    problems.extend(status.connected.iter().flat_map(missing));
    let campuses = status.campuses.as_deref().unwrap_or_default();
    for campus in campuses.iter().filter(|campus| campus.is_enabled) {
        secret(campus, &mut |summary, advice| problems.push(Problem { summary, advice }));
    }
    let letters = status.dead_letters.as_deref().unwrap_or_default();
    problems.extend(waiting(letters, campuses));
    problems
}

/// Which programs nobody has started, or are without Postgres.
pub(crate) fn missing(connected: &Connected) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut add = |summary: &str, advice: &str| {
        problems.push(Problem { summary: summary.to_owned(), advice: advice.to_owned() });
    };
    if connected.gateways == 0 {
        add(
            "no gateway is connected to Postgres: webhooks may get no answer",
            "start one; one that runs says what it misses at /readyz",
        );
    }
    if connected.reconciler_sessions == 0 {
        add(
            "no reconciler is connected to Postgres: nobody compares campuses, or makes days of the log",
            "start one, unless cron runs `reconciler --once`",
        );
    }
    problems
}

/// What waits for an operator although every part of the system works.
pub(crate) fn waiting(letters: &[DeadLetters], campuses: &[CampusSync]) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut add = |summary: String, advice: String| problems.push(Problem { summary, advice });
    let open: i64 = letters.iter().map(|letters| letters.open).sum();
    if open > 0 {
        add(
            format!("{} for an operator", counted(open, "dead letter waits", "dead letters wait")),
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
        "{} refused within {REJECTED_MINUTES} minutes",
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
    if let Some(until) = campus.login_paused_until {
        add(
            format!(
                "{name}: its core's last login failed, the next is tried in {}",
                moment::rough(until - now)
            ),
            format!("faithctl campus test-connection {id}"),
        );
    }
    if let Some(oldest) = campus.oldest_retrying_at.filter(|oldest| now - *oldest > LONG_RETRIED) {
        let events = counted(campus.retrying, "event is", "events are");
        add(
            format!(
                "{name}: {events} tried again and again, the oldest for {}: {}",
                moment::age(oldest),
                campus.last_error.as_deref().unwrap_or("nobody knows why")
            ),
            format!("faithctl campus test-connection {id}"),
        );
    }
    if campus.candidates_held > 0 {
        let held = counted(i64::from(campus.candidates_held), "archive waits", "archives wait");
        add(format!("{name}: {held} for your word"), format!("faithctl runs list --campus {id}"));
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

    fn campus() -> CampusSync {
        let now = Utc::now();
        CampusSync {
            campus_id: Uuid::nil(),
            name: "GKBJ".to_owned(),
            is_enabled: true,
            reconciliation_enabled: true,
            last_sync_at: Some(now),
            last_sync_status: Some("success".to_owned()),
            equal_at: now,
            candidates_held: 0,
            members_undecided: 0,
            retrying: 0,
            oldest_retrying_at: None,
            last_error: None,
            rejected: 0,
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
                "GKBJ: 1 event is tried again and again, the oldest for 100d: It answered with status 500.",
                "GKBJ: 40 archives wait for your word",
                "GKBJ: 1 member or row is undecided",
                "GKBJ: last known to equal its core 100d ago",
            ]
        );
    }
}
