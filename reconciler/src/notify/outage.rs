//! Postgres is away, and with it every message that is not sent yet: that alone is told from memory.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::{DateTime, SecondsFormat, Utc};
use notifications::{Channel, problems_changed};
use serde_json::{Value, json};
use uuid::Uuid;

/// As long as any problem must last.
const LASTS: Duration = Duration::from_secs(55);
/// Between two tries on a channel that has not taken it.
const RETRY_EVERY: Duration = Duration::from_mins(2);

/// Postgres as the looks find it.
#[derive(Default)]
pub(super) struct DatabaseOutage {
    since: Option<(Instant, DateTime<Utc>)>,
    told: Option<Uuid>,
    tried: Option<Instant>,
}

impl DatabaseOutage {
    /// Another look has failed.
    pub(super) async fn goes_on(&mut self, channels: &[Arc<Channel>]) {
        let (began, since) = *self.since.get_or_insert_with(|| (Instant::now(), Utc::now()));
        let waits = self.tried.is_some_and(|tried| tried.elapsed() < RETRY_EVERY);
        if began.elapsed() < LASTS || self.told.is_some() || waits {
            return;
        }
        self.tried = Some(Instant::now());
        let id = Uuid::now_v7();
        if tell(channels, id, &message(since, None)).await {
            self.told = Some(id);
        }
    }

    /// A look has succeeded.
    pub(super) async fn is_over(&mut self, channels: &[Arc<Channel>]) {
        if let (Some((_, since)), Some(_)) = (self.since, self.told) {
            tell(channels, Uuid::now_v7(), &message(since, Some(Utc::now()))).await;
        }
        *self = Self::default();
    }
}

/// Answers whether one of the channels has taken it.
async fn tell(channels: &[Arc<Channel>], id: Uuid, body: &Value) -> bool {
    let mut taken = false;
    for channel in channels {
        match channel.send(id, body).await {
            Ok(()) => taken = true,
            Err(error) => {
                let error = format!("{:#}", anyhow::Error::from(error));
                tracing::warn!(channel = channel.name(), error, "people could not be told");
            }
        }
    }
    taken
}

fn message(since: DateTime<Utc>, until: Option<DateTime<Utc>>) -> Value {
    let text = |moment: DateTime<Utc>| moment.to_rfc3339_opts(SecondsFormat::Secs, true);
    let problem = json!([{
        "kind": "no_database",
        "campus_id": null,
        "summary": "Postgres does not answer the reconciler: events wait in the queue",
        "advice": "the runbook deploy/runbooks/postgres-lost.md",
        "stops_events": true,
        "since": text(since),
        "until": until.map(text),
    }]);
    let (opened, closed) =
        if until.is_none() { (problem, json!([])) } else { (json!([]), problem) };
    let open = i32::from(until.is_none());
    problems_changed(
        &text(Utc::now()),
        &json!({ "opened": opened, "closed": closed, "open": open }),
    )
}
