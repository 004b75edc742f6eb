//! What has changed among the problems, as messages in `notifications`.

use std::{sync::Arc, time::Duration};

use chrono::{SecondsFormat, Utc};
use database::{DatabaseError, OPEN_LIMIT, Pool, ensure_writable, within};
use notifications::{Channel, problems_changed};
use runtime::FailureLog;
use status::{InstallationStatus, Problem, problems};
use store::{
    notifications as outbox,
    problems::{ProblemLook, ProblemPatience, SeenProblem},
};
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::{limit::MOST_AN_HOUR, outage::DatabaseOutage};

const LOOK_EVERY: Duration = Duration::from_secs(30);
/// A look that takes longer is none.
const LOOK_LIMIT: Duration = Duration::from_secs(20);

/// Rule notifications-2. The look that comes after a minute counts too: it may be a moment early.
const PATIENCE: ProblemPatience =
    ProblemPatience { lasts: Duration::from_secs(55), gone: Duration::from_secs(115) };

pub(super) async fn keep_looking(channels: &[Arc<Channel>], pool: &Pool) {
    let mut failures = FailureLog::default();
    let mut outage = DatabaseOutage::new(channels);
    let mut looks = interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        let looked = look_in_time(channels, pool).await;
        // What is written in Postgres cannot tell that Postgres is away.
        outage.seen(looked.as_ref().err()).await;
        let Err(error) = looked else { continue };
        let error = format!("{:#}", anyhow::Error::from(error));
        if failures.is_worth_a_line(&error) {
            tracing::warn!(error, "cannot look for what people are to be told");
        } else {
            tracing::debug!(error, "still cannot look for what people are to be told");
        }
    }
}

/// A look that takes too long tells nothing; whether Postgres answers at all, a small question does.
async fn look_in_time(channels: &[Arc<Channel>], pool: &Pool) -> Result<(), DatabaseError> {
    if let Ok(looked) = timeout(LOOK_LIMIT, look(channels, pool)).await {
        return looked;
    }
    tracing::debug!("the look for what people are to be told took too long");
    within(OPEN_LIMIT, async { ensure_writable(&*pool.get().await?).await }).await
}

async fn look(channels: &[Arc<Channel>], pool: &Pool) -> Result<(), DatabaseError> {
    let mut client = pool.get().await?;
    let mut status = InstallationStatus::default();
    status.read_postgres(&client).await?;
    let seen: Vec<SeenProblem> = problems(&status).into_iter().map(seen).collect();
    let Some(look) = ProblemLook::begin(&mut client).await? else { return Ok(()) };
    look.see(&seen).await?;
    if may_be_told(channels, &look).await? {
        let changes = look.changes(PATIENCE).await?;
        if !changes.is_empty() {
            let now = Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true);
            let body = problems_changed(&now, &serde_json::json!(changes));
            for channel in channels {
                outbox::write(&look, channel.name(), &body).await?;
            }
        }
    }
    look.commit().await
}

/// Whether each channel may get another message: what changed is told on all of them, or waits.
async fn may_be_told(
    channels: &[Arc<Channel>],
    look: &ProblemLook<'_>,
) -> Result<bool, DatabaseError> {
    for channel in channels {
        let hour = Duration::from_hours(1);
        if outbox::written_within(look, channel.name(), hour).await? >= MOST_AN_HOUR {
            return Ok(false);
        }
    }
    Ok(true)
}

fn seen(problem: Problem) -> SeenProblem {
    SeenProblem {
        key: problem.key(),
        kind: problem.kind.as_str(),
        campus_id: problem.campus_id,
        summary: problem.summary,
        advice: problem.advice,
        stops_events: problem.stops_events,
    }
}
