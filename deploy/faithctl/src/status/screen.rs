//! The status, for people.

use chrono::{DateTime, Utc};
use status::{
    CampusSync, DeadLetters, Flow, InstallationStatus, InstanceRecord, Instances, Problem,
    QueueState, Run, WINDOW_MINUTES,
};

use super::programs;
use crate::{
    moment,
    output::{self, Column, Format, table},
};

/// Campuses and problems that one screen has room for.
const MOST: usize = 12;

/// The screen: a part for each thing that could be asked, what needs somebody first.
pub(super) fn text(status: &InstallationStatus, format: Format) -> String {
    let parts = [
        (!status.unavailable.is_empty()).then(|| unreachable(&status.unavailable)),
        (!status.attention.is_empty()).then(|| attention(&status.attention, format)),
        status.queues.as_deref().map(|queues| queue_table(queues, status.workers, format)),
        status.flow.as_ref().map(|flow| flow_lines(flow, status.connected.as_ref())),
        status
            .connected
            .as_ref()
            .filter(|running| !running.programs.is_empty())
            .map(|programs| running(programs, format)),
        status.dead_letters.as_deref().map(|letters| dead_letters(letters, format)),
        status.campuses.as_deref().map(|rows| campuses(rows, format)),
        status.runs.as_deref().filter(|runs| !runs.is_empty()).map(|rows| runs(rows, format)),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    parts.join("\n\n")
}

fn unreachable(unavailable: &[String]) -> String {
    let lines: Vec<String> = unavailable
        .iter()
        .map(|reason| format!("  ✗ {}\n    → faithctl doctor", output::printable(reason)))
        .collect();
    section("Unreachable", &lines.join("\n"))
}

fn attention(problems: &[Problem], format: Format) -> String {
    let mut lines: Vec<String> = problems
        .iter()
        .take(most(format))
        .map(|one| format!("  ! {}\n    → {}", output::printable(&one.summary), one.advice))
        .collect();
    lines.extend(more(problems.len(), format, "faithctl status --json | jq .attention"));
    section("Worth a look", &lines.join("\n"))
}

/// What is left out, and how to see it.
fn more(all: usize, format: Format, command: &str) -> Option<String> {
    let most = most(format);
    (all > most).then(|| format!("  … and {} more: {command}", all - most))
}

/// So many rows of each part, or all where everything is asked for.
fn most(format: Format) -> usize {
    if format.is_wide() { usize::MAX } else { MOST }
}

fn section(title: &str, text: &str) -> String {
    format!("{title}\n{text}")
}

fn queue_table(queues: &[QueueState], workers: Option<u32>, format: Format) -> String {
    let title = match workers {
        Some(0) => "Queues: no worker consumes events".to_owned(),
        Some(1) => "Queues: 1 worker".to_owned(),
        Some(workers) => format!("Queues: {workers} workers"),
        None => "Queues".to_owned(),
    };
    let columns = [
        Column::new("name", |queue: &QueueState| queue.name.clone()),
        Column::new("messages", |queue| match queue.messages {
            Some(_) if queue.is_missing() => "not declared yet".to_owned(),
            Some(messages) => messages.to_string(),
            None => "this user may not count it".to_owned(),
        }),
        Column::new("consumers", |queue| {
            queue.consumers.map_or_else(String::new, |consumers| consumers.to_string())
        }),
        Column::new("holds", |queue| queue.holds.to_owned()),
    ];
    section(&title, &table(queues, &columns, format.width()))
}

fn flow_lines(flow: &Flow, connected: Option<&Instances>) -> String {
    let latency = match (flow.latency_median_seconds, flow.latency_max_seconds) {
        (Some(median), Some(slowest)) => {
            format!("median {}, slowest {}", seconds(median), seconds(slowest))
        }
        _ => "nothing was processed".to_owned(),
    };
    let waiting = match flow.oldest_retrying_at {
        Some(oldest) => {
            format!("; {} still retrying, the oldest for {}", flow.retrying, moment::age(oldest))
        }
        None => String::new(),
    };
    let queued = flow
        .oldest_queued_seconds
        .map_or_else(String::new, |waits| format!("; queued for up to {}", seconds(waits)));
    let mut lines = vec![
        format!(
            "received   {:.1} a minute, the last {}",
            flow.received_per_minute,
            ago(flow.last_received_at)
        ),
        format!(
            "processed  {:.1} a minute, the last {}",
            flow.processed_per_minute,
            ago(flow.last_processed_at)
        ),
        format!("dead       {:.1} a minute", flow.dead_per_minute),
        format!("lag        {latency}{waiting}{queued}"),
    ];
    lines.extend(connected.map(|connected| {
        let Instances { gateways, workers, reconcilers, .. } = connected;
        format!(
            "programs   running: gateway {gateways}, worker {workers}, reconciler {reconcilers}"
        )
    }));
    section(&format!("Flow of the last {WINDOW_MINUTES} minutes"), &lines.join("\n"))
}

fn running(running: &Instances, format: Format) -> String {
    // What is not well first.
    let mut programs: Vec<&InstanceRecord> = running.programs.iter().collect();
    programs.sort_by_key(|program| !program.silent && program.state["ready"] == true);
    let all = programs.len();
    programs.truncate(most(format));
    let mut text = programs::rows(&programs, format);
    if let Some(line) = more(all, format, "faithctl status --json | jq .connected.programs") {
        text = format!("{text}\n{line}");
    }
    section("Programs", &text)
}

fn dead_letters(letters: &[DeadLetters], format: Format) -> String {
    if letters.is_empty() {
        return section("Dead letters", "none");
    }
    let columns = [
        Column::new("cause", |letters: &DeadLetters| letters.cause.clone()),
        Column::new("open", |letters| letters.open.to_string()),
        Column::new("replaying", |letters| letters.replaying.to_string()),
        Column::new("oldest", |letters| format!("{} ago", moment::age(letters.oldest_dead_at))),
    ];
    section("Dead letters", &table(letters, &columns, format.width()))
}

fn campuses(campuses: &[CampusSync], format: Format) -> String {
    if campuses.is_empty() {
        return section("Campuses", "none is synced yet");
    }
    // Those with something to look at first, and the rest by name.
    let mut rows: Vec<&CampusSync> = campuses.iter().collect();
    rows.sort_by_key(|campus| {
        campus.breaker.is_none() && campus.retrying == 0 && campus.candidates_held == 0
    });
    rows.truncate(most(format));
    let columns = [
        Column::new("name", |campus: &&CampusSync| campus.name.clone()),
        Column::under("name", "enabled", |campus| {
            if campus.is_enabled { "yes" } else { "no" }.to_owned()
        }),
        Column::new("core", |campus| {
            let state = match (campus.paused_at, &campus.breaker, campus.login_paused_until) {
                (Some(_), ..) => "campus paused",
                (None, Some(_), _) => "breaker open",
                (None, None, Some(_)) => "login paused",
                (None, None, None) => "-",
            };
            state.to_owned()
        }),
        Column::new("retrying", |campus| campus.retrying.to_string()),
        Column::new("last_run", |campus| ago(campus.last_sync_at)),
        Column::under("last_run", "status", |campus| {
            campus.last_sync_status.clone().unwrap_or_else(|| "-".to_owned())
        }),
        Column::new("held", |campus| campus.candidates_held.to_string()),
        Column::under("held", "undecided", |campus| campus.members_undecided.to_string()),
        Column::new("secret", |campus| moment::age(campus.webhook_secret_set_at)),
    ];
    let mut text = table(&rows, &columns, format.width());
    if let Some(line) = more(campuses.len(), format, "faithctl campus list") {
        text = format!("{text}\n{line}");
    }
    section("Campuses", &text)
}

fn runs(runs: &[Run], format: Format) -> String {
    let columns = [
        Column::new("campus", |run: &Run| run.campus_name.clone()),
        Column::new("started", |run| ago(Some(run.started_at))),
        Column::under("started", "took", |run| {
            run.duration_seconds.map_or_else(|| "-".to_owned(), seconds)
        }),
        Column::new("status", |run| run.status.clone()),
        Column::new("fetched", |run| run.members_fetched.to_string()),
        Column::new("created", |run| run.members_created.to_string()),
        Column::under("created", "updated", |run| run.members_updated.to_string()),
        Column::new("archived", |run| run.members_archived.to_string()),
        Column::under("archived", "held", |run| run.candidates_held.to_string()),
    ];
    let shown = &runs[..runs.len().min(most(format))];
    let mut text = table(shown, &columns, format.width());
    if let Some(line) = more(runs.len(), format, "faithctl runs list") {
        text = format!("{text}\n{line}");
    }
    section("Last reconciliation of each campus", &text)
}

fn ago(moment: Option<DateTime<Utc>>) -> String {
    moment.map_or_else(|| "never".to_owned(), |moment| format!("{} ago", moment::age(moment)))
}

/// `8 ms`, `1.2 s`, `3m`.
fn seconds(seconds: f64) -> String {
    if seconds < 1.0 {
        format!("{:.0} ms", seconds.max(0.0) * 1000.0)
    } else if seconds < 120.0 {
        format!("{seconds:.1} s")
    } else {
        format!("{:.0} min", seconds / 60.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lag_is_shown_in_a_unit_that_fits() {
        assert_eq!([0.0084, 1.23, 300.0].map(seconds), ["8 ms", "1.2 s", "5 min"]);
    }

    #[test]
    fn what_is_unreachable_is_said_first() {
        let status = InstallationStatus {
            dead_letters: Some(Vec::new()),
            unavailable: vec!["cannot connect to RabbitMQ".to_owned()],
            ..InstallationStatus::default()
        };
        assert_eq!(
            text(&status, Format::default()),
            "Unreachable\n  ✗ cannot connect to RabbitMQ\n    → faithctl doctor\n\nDead letters\nnone"
        );
    }
}
