//! What an operator should look at, derived from everything that the status knows, so that nobody has to
//! compare columns under pressure.

use chrono::{TimeDelta, Utc};

use crate::{
    age::{age, rough},
    campus_sync::{CampusSync, RECENT_MINUTES},
    installation::InstallationStatus,
    instances::Instances,
    problem::{Problem, ProblemKind},
    queries::DeadLetters,
    queues::QueueKind,
};

/// Nights are a day apart, and spread over some minutes.
const OVERDUE: TimeDelta = TimeDelta::hours(26);
/// What is retried for longer is no transient failure any more.
const LONG_RETRIED: TimeDelta = TimeDelta::minutes(10);

/// So many members without one success are no trouble of their own.
const FAILING_MEMBERS: i64 = 3;

/// A stranger's try or two is none of ours; the alert CampusRefused counts alike.
const REJECTED_MANY: i64 = 5;

/// A webhook secret that is older should be rotated.
pub const SECRET_AGE: TimeDelta = TimeDelta::days(90);

/// All that is to be looked at, what stops events first.
pub fn problems(status: &InstallationStatus) -> Vec<Problem> {
    let mut problems = queues(status);
    problems.extend(status.connected.iter().flat_map(missing));
    let campuses = status.campuses.as_deref().unwrap_or_default();
    problems.extend(campuses.iter().filter(|campus| campus.is_enabled).filter_map(secret));
    let letters = status.dead_letters.as_deref().unwrap_or_default();
    problems.extend(waiting(letters, campuses));
    // In their order otherwise.
    problems.sort_by_key(|problem| !problem.stops_events);
    problems
}

/// Which programs nobody has started, or are without Postgres, or are not ready.
pub fn missing(connected: &Instances) -> Vec<Problem> {
    let mut problems = Vec::new();
    if connected.gateways == 0 {
        problems.push(Problem::new(
            ProblemKind::NoGateway,
            "no gateway is connected to Postgres: webhooks may get no answer".to_owned(),
            "start one; one that runs says what it misses at /readyz",
        ));
    }
    if connected.reconcilers == 0 {
        problems.push(Problem::new(
            ProblemKind::NoReconciler,
            "no reconciler is connected to Postgres: nobody compares campuses, or makes days of the log"
                .to_owned(),
            "start one, unless cron runs `reconciler --once`",
        ));
    }
    for one in &connected.not_ready {
        let reasons: Vec<String> =
            one.reasons.iter().map(|(check, reason)| format!("{check}: {reason}")).collect();
        let summary =
            format!("{} on {} is not ready: {}", one.program, one.host, reasons.join("; "));
        let advice = "the runbook deploy/runbooks/program-down.md; its log says more";
        let part = format!("{}@{}", one.program, one.host);
        problems.push(Problem::new(ProblemKind::NotReady, summary, advice).of_part(part));
    }
    problems
}

/// What waits for an operator although every part of the system works.
pub fn waiting(letters: &[DeadLetters], campuses: &[CampusSync]) -> Vec<Problem> {
    let enabled = || campuses.iter().filter(|campus| campus.is_enabled);
    let mut problems: Vec<Problem> = enabled().filter_map(failing).collect();
    let open: i64 = letters.iter().map(|letters| letters.open).sum();
    if open > 0 {
        problems.push(Problem::new(
            ProblemKind::DeadLettersOpen,
            counted(open, "dead letter is open", "dead letters are open"),
            "faithctl dead-letters groups",
        ));
    }
    for campus in campuses {
        problems.extend(rejected(campus));
        if campus.is_enabled {
            problems.extend(of_campus(campus));
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
    let stopped = |kind, summary| {
        Problem::new(kind, summary, format!("faithctl campus test-connection {id}"))
            .of_campus(*id)
            .that_stops_events()
    };
    if let Some(breaker) = &campus.breaker {
        let since = rough(TimeDelta::seconds(breaker.open_for_seconds));
        let summary = format!(
            "{name}: circuit breaker open for {since} ({}), {} retrying: {}",
            breaker.cause, campus.retrying, breaker.reason
        );
        return Some(stopped(ProblemKind::BreakerOpen, summary));
    }
    // One member that fails is its own trouble.
    let is_failing = *succeeded == 0 && *failing > 0 && *failing_members >= FAILING_MEMBERS;
    is_failing.then(|| {
        let summary = format!(
            "{name}: none of {} of the last {RECENT_MINUTES} minutes succeeded: {}",
            counted(*failing, "event", "events"),
            campus.last_error.as_deref().unwrap_or("no reason is logged")
        );
        stopped(ProblemKind::NoneSucceeded, summary)
    })
}

fn queues(status: &InstallationStatus) -> Vec<Problem> {
    let mut problems = Vec::new();
    // Without a broker to ask, the workers themselves tell that they run.
    let consumers = match &status.queues {
        Some(_) => status.workers.map(|workers| workers > 0),
        None => status.connected.as_ref().map(|connected| connected.workers > 0),
    };
    if consumers == Some(false) {
        problems.push(Problem::new(
            ProblemKind::NoWorker,
            "no worker consumes events: they wait in the queue".to_owned(),
            "start a worker; one that runs says what it misses at /readyz",
        ));
    }
    let processed = status.flow.as_ref().map(|flow| flow.processed_per_minute);
    for queue in status.queues.iter().flatten() {
        let messages = queue.messages.map_or(0, i64::from);
        match queue.kind {
            _ if messages == 0 => {}
            QueueKind::Work => {
                if consumers == Some(true) && processed.is_some_and(|rate| rate <= 0.0) {
                    problems.push(Problem::new(
                        ProblemKind::NothingFinished,
                        format!(
                            "{} and none was finished lately",
                            counted(messages, "event waits", "events wait")
                        ),
                        "deploy/runbooks/program-down.md; `faithctl doctor` says what is wrong",
                    ));
                }
            }
            QueueKind::DeadLetters | QueueKind::Unrouted => {
                let stay = counted(messages, "message stays", "messages stay");
                let summary = format!("{stay} in {}, which workers drain", queue.name);
                let advice = "look at the workers' logs, and at /readyz of each";
                problems.push(
                    Problem::new(ProblemKind::QueueNotDrained, summary, advice)
                        .of_part(queue.name.clone()),
                );
            }
            QueueKind::Retry | QueueKind::Rejections => {}
        }
    }
    problems
}

/// Webhooks that come to a campus whose sync is disabled, or that are not signed as they should be.
fn rejected(campus: &CampusSync) -> Option<Problem> {
    let CampusSync { campus_id: id, name, is_enabled, rejected, .. } = campus;
    let lately = format!(
        "{} refused within {RECENT_MINUTES} minutes",
        counted(*rejected, "webhook was", "webhooks were")
    );
    let problem = if !is_enabled && *rejected > 0 {
        Problem::new(
            ProblemKind::DisabledAndCalled,
            format!("{name}: it is disabled, and {lately}"),
            format!("faithctl campus enable {id}, unless somebody meant it"),
        )
    } else if *rejected > REJECTED_MANY {
        Problem::new(
            ProblemKind::WebhooksRefused,
            format!("{name}: {lately}"),
            format!(
                "faithctl deliveries list --campus {id} --status rejected; deploy/runbooks/intake.md"
            ),
        )
    } else {
        return None;
    };
    Some(problem.of_campus(*id))
}

fn of_campus(campus: &CampusSync) -> Vec<Problem> {
    let CampusSync { campus_id: id, name, .. } = campus;
    let now = Utc::now();
    let mut problems = Vec::new();
    let mut add = |kind, summary, advice| {
        problems.push(Problem::new(kind, summary, advice).of_campus(*id));
    };
    if let Some(since) = campus.paused_at {
        let waiting = counted(campus.retrying, "event waits", "events wait");
        let summary = format!("{name}: paused for {}, {waiting}", age(since));
        add(ProblemKind::Paused, summary, format!("faithctl campus resume {id}"));
        return problems;
    }
    let test = || format!("faithctl campus test-connection {id}");
    let runs = || format!("faithctl runs list --campus {id}");
    if let Some(until) = campus.login_paused_until {
        let next = rough(until - now);
        let summary = format!("{name}: login paused after a failed login; next attempt in {next}");
        add(ProblemKind::LoginPaused, summary, test());
    }
    let oldest = campus.oldest_retrying_at.filter(|oldest| now - *oldest > LONG_RETRIED);
    // An open breaker says the same, and how many wait.
    if let Some(oldest) = oldest.filter(|_| campus.breaker.is_none()) {
        let events = counted(campus.retrying, "event is", "events are");
        let reason = campus.last_error.as_deref().unwrap_or("no reason is logged");
        let summary =
            format!("{name}: {events} retrying, the oldest for {}: {reason}", age(oldest));
        add(ProblemKind::LongRetrying, summary, test());
    }
    if campus.candidates_held > 0 {
        let held = counted(i64::from(campus.candidates_held), "archival needs", "archivals need");
        add(ProblemKind::ArchivesHeld, format!("{name}: {held} approval"), runs());
    }
    if campus.members_undecided > 0 {
        let undecided =
            counted(i64::from(campus.members_undecided), "member or row is", "members or rows are");
        add(ProblemKind::MembersUndecided, format!("{name}: {undecided} undecided"), runs());
    }
    if campus.reconciliation_enabled && now - campus.equal_at > OVERDUE {
        let summary = format!("{name}: last known to equal its core {} ago", age(campus.equal_at));
        add(ProblemKind::ReconciliationOverdue, summary, runs());
    }
    problems
}

fn secret(campus: &CampusSync) -> Option<Problem> {
    let CampusSync { campus_id: id, name, webhook_secret_set_at: set_at, .. } = campus;
    (Utc::now() - *set_at > SECRET_AGE).then(|| {
        Problem::new(
            ProblemKind::SecretOld,
            format!("{name}: its webhook secret is {} old", age(*set_at)),
            format!("faithctl campus rotate-secret {id}"),
        )
        .of_campus(*id)
    })
}

/// `1 gateway`, `2 gateways`.
pub fn counted(number: i64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::instances::OpenBreaker;

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
