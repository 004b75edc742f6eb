//! Postgres is away, and with it every message that is not sent yet: that alone is told from memory (rules notifications-1 and
//! notifications-2 hold for it too).

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::{DateTime, SecondsFormat, Utc};
use database::DatabaseError;
use notifications::{Channel, problems_changed};
use serde_json::{Value, json};
use uuid::Uuid;

use super::limit::MOST_AN_HOUR;

/// As long as any problem must last.
const LASTS: Duration = Duration::from_secs(55);
/// Between two tries on a channel that has not taken a message.
const RETRY_EVERY: Duration = Duration::from_mins(2);
const HOUR: Duration = Duration::from_hours(1);

/// Postgres as the looks find it, and what each channel knows of that.
pub(super) struct DatabaseOutage {
    since: Option<(Instant, DateTime<Utc>)>,
    told: Vec<Told>,
}

/// What a channel was told of an outage.
struct Told {
    channel: Arc<Channel>,
    /// What it has still to take.
    pending: Option<Pending>,
    /// Since when it believes Postgres to be away.
    believes_away: Option<DateTime<Utc>>,
    /// When it was last told something.
    lately: Vec<Instant>,
}

/// A message until its receiver has taken it: however often it is sent, it is the same one.
struct Pending {
    id: Uuid,
    body: Value,
    /// Since when Postgres is away, where that is what it tells; none: that it is back.
    away_since: Option<DateTime<Utc>>,
    tried: Option<Instant>,
}

impl DatabaseOutage {
    pub(super) fn new(channels: &[Arc<Channel>]) -> Self {
        let told = |channel: &Arc<Channel>| Told {
            channel: Arc::clone(channel),
            pending: None,
            believes_away: None,
            lately: Vec::new(),
        };
        Self { since: None, told: channels.iter().map(told).collect() }
    }

    /// Another look has ended, with an error or without.
    pub(super) async fn seen(&mut self, error: Option<&DatabaseError>) {
        match error {
            Some(error) if error.is_away() => {
                let (began, since) =
                    *self.since.get_or_insert_with(|| (Instant::now(), Utc::now()));
                if began.elapsed() >= LASTS {
                    self.told.iter_mut().for_each(|told| told.is_away(since));
                }
            }
            // It answers, if only that it does not do what was asked.
            _ => {
                self.since = None;
                self.told.iter_mut().for_each(Told::is_back);
            }
        }
        for told in &mut self.told {
            told.send().await;
        }
    }
}

impl Told {
    fn is_away(&mut self, since: DateTime<Utc>) {
        self.lately.retain(|told| told.elapsed() < HOUR);
        let is_pending = self.pending.as_ref().is_some_and(|one| one.away_since.is_some());
        if self.believes_away.is_none() && !is_pending && self.lately.len() < MOST_AN_HOUR {
            self.pending = Some(Pending::new(message(since, None), Some(since)));
        }
    }

    /// What was never told needs no end.
    fn is_back(&mut self) {
        let is_pending = self.pending.as_ref().is_some_and(|one| one.away_since.is_none());
        match self.believes_away {
            Some(since) if !is_pending => {
                self.pending = Some(Pending::new(message(since, Some(Utc::now())), None));
            }
            None => self.pending = None,
            Some(_) => {}
        }
    }

    async fn send(&mut self) {
        let Some(pending) = &mut self.pending else { return };
        if pending.tried.is_some_and(|tried| tried.elapsed() < RETRY_EVERY) {
            return;
        }
        pending.tried = Some(Instant::now());
        match self.channel.send(pending.id, &pending.body).await {
            Ok(()) => {
                self.believes_away = pending.away_since;
                self.pending = None;
                self.lately.push(Instant::now());
            }
            Err(error) => {
                let error = format!("{:#}", anyhow::Error::from(error));
                tracing::warn!(channel = self.channel.name(), error, "people could not be told");
            }
        }
    }
}

impl Pending {
    fn new(body: Value, away_since: Option<DateTime<Utc>>) -> Self {
        Self { id: Uuid::now_v7(), body, away_since, tried: None }
    }
}

fn message(since: DateTime<Utc>, until: Option<DateTime<Utc>>) -> Value {
    let text = |moment: DateTime<Utc>| moment.to_rfc3339_opts(SecondsFormat::Secs, true);
    let problem = json!([{
        "kind": "no_database",
        "campus_id": null,
        "summary": "Postgres does not answer the reconciler: events wait in the queue",
        "advice": "the runbook deploy/runbooks/postgres-failover.md",
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
