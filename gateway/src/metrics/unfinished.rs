//! How old the oldest event without an end is, where no worker needs to run to tell: of those that wait in the work
//! queue, and of those that failed or were put off. What workers hold they tell themselves.
//!
//! The work queue is first in, first out, so the oldest in it was received after the newest event that any worker has
//! taken, and after the moment when the queue was last empty. Programs share what they know of both in `instances`, so
//! that it outlives each of them. What failed has a row in `webhook_logs`, found by an index of those alone.

use std::{
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use database::{DatabaseError, Pool, within};
use instances::TakenUntil;
use queue::{QueueWatch, WORK};
use runtime::metrics::{Reading, observe_each};
use tokio_util::sync::CancellationToken;

const EVERY: Duration = Duration::from_secs(5);
const ASK_LIMIT: Duration = Duration::from_secs(4);
/// Letters that are replayed are passed over one by one: that may take its time, but not all the time.
const SHARE: u32 = 20;
/// An age that Postgres confirmed longer ago than this is not told any more.
const FRESH: Duration = Duration::from_mins(2);

/// What the oldest event is known by.
pub(crate) struct Unfinished {
    queues: QueueWatch,
    taken_until: Arc<TakenUntil>,
    /// What nobody else knows either began after this; none: they were not asked yet.
    nobody_knows: OnceLock<DateTime<Utc>>,
    /// When Postgres was asked, and how old the oldest event was then that failed or was put off.
    retrying: Mutex<Option<(Instant, Duration)>>,
}

impl Unfinished {
    /// Shows both ages, whenever the metrics are asked for.
    pub(crate) fn observe(queues: QueueWatch, taken_until: Arc<TakenUntil>) -> Arc<Self> {
        let (nobody_knows, retrying) = (OnceLock::new(), Mutex::default());
        let unfinished = Arc::new(Self { queues, taken_until, nobody_knows, retrying });
        let read = Arc::clone(&unfinished);
        observe_each(
            "events_oldest_unfinished_age_seconds",
            "Age of the oldest event without an end, by where it is",
            move || {
                let ages = [("queued", read.queued()), ("retrying", read.retrying())];
                let reading = |(state, age): (&str, Option<Duration>)| -> Option<Reading> {
                    Some((vec![("state", state.to_owned())], age?.as_secs_f64()))
                };
                ages.into_iter().filter_map(reading).collect()
            },
        );
        unfinished
    }

    /// Asks until `stop`.
    pub(crate) async fn keep(self: Arc<Self>, pool: Pool, stop: CancellationToken) {
        let mut pause = Duration::ZERO;
        while stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_some() {
            let asked = Instant::now();
            self.pass_empty();
            match within(ASK_LIMIT, ask(&pool)).await {
                Ok(answer) => {
                    if let Some(moment) = answer.taken_until {
                        self.taken_until.pass(moment);
                    }
                    self.nobody_knows.get_or_init(Utc::now);
                    let age = answer.retrying.map(Duration::try_from_secs_f64);
                    *self.retrying.lock().unwrap_or_else(PoisonError::into_inner) =
                        age.map(|age| (asked, age.unwrap_or_default()));
                }
                Err(error) => tracing::debug!(%error, "the oldest event cannot be asked for"),
            }
            pause = EVERY.max(asked.elapsed() * SHARE);
        }
    }

    /// What came before the queue was empty does not wait.
    fn pass_empty(&self) {
        if let Some(at) = self.queues.empty_at(WORK) {
            self.taken_until.pass(Utc::now() - at.elapsed());
        }
    }

    fn queued(&self) -> Option<Duration> {
        let (waiting, _) = self.queues.backlog(WORK)?;
        if waiting == 0 {
            return Some(Duration::ZERO);
        }
        self.pass_empty();
        let since = self.taken_until.get().or_else(|| self.nobody_knows.get().copied())?;
        Some((Utc::now() - since).to_std().unwrap_or_default())
    }

    fn retrying(&self) -> Option<Duration> {
        let retrying = *self.retrying.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, age) = retrying.filter(|(at, _)| at.elapsed() < FRESH)?;
        Some(if age.is_zero() { age } else { age + at.elapsed() })
    }
}

/// What Postgres knows; 0 seconds where nothing failed.
struct Answer {
    retrying: Option<f64>,
    taken_until: Option<DateTime<Utc>>,
}

async fn ask(pool: &Pool) -> Result<Answer, DatabaseError> {
    let client = pool.get().await?;
    let row = client
        .query_one(ASK, &[])
        .await
        .map_err(DatabaseError::during("ask for the oldest event without an end"))?;
    Ok(Answer { retrying: row.get("retrying"), taken_until: row.get("taken_until") })
}

/// The age by the database's clock: its log rows have the gateways'.
const ASK: &str =
    "SELECT oldest_retrying_event_age() AS retrying, events_taken_until() AS taken_until";
