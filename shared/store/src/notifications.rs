//! `notifications`: messages to people, each kept until its receiver has taken it.

use std::time::Duration;

use chrono::{DateTime, Utc};
use database::{Client, DatabaseError};
use serde_json::Value;
use uuid::Uuid;

use crate::problems::ProblemLook;

/// How long a message is tried: later it tells of what nobody can help any more.
const GIVE_UP_AFTER_SECONDS: f64 = 24.0 * 3600.0;

/// A message that is due. It is nobody else's for longer than a receiver may take.
#[derive(Debug)]
pub struct DueNotification {
    /// The receiver's means to know it again.
    pub id: Uuid,
    /// What it says.
    pub body: Value,
    /// When it was written.
    pub created_at: DateTime<Utc>,
    /// Attempts before this one.
    pub attempts: i32,
}

const WRITE: &str = "INSERT INTO notifications (id, channel, body) VALUES ($1, $2, $3)";

const TAKE: &str = "
    UPDATE notifications n SET attempts = n.attempts + 1,
        next_at = now() + make_interval(secs => least(30 * 4.0 ^ n.attempts, 1800))
    FROM (SELECT id FROM notifications
          WHERE channel = $1 AND sent_at IS NULL AND failed_at IS NULL AND next_at <= now()
          ORDER BY next_at LIMIT 1 FOR UPDATE SKIP LOCKED) AS due
    WHERE n.id = due.id
    RETURNING n.id, n.body, n.created_at, n.attempts - 1 AS attempts";

const FAILED: &str = "
    UPDATE notifications SET error = $2,
        failed_at = CASE WHEN created_at < now() - make_interval(secs => $3) THEN now() END
    WHERE id = $1 AND sent_at IS NULL RETURNING failed_at IS NOT NULL AS is_given_up";

/// How many messages a channel was given lately.
///
/// # Errors
///
/// Where Postgres cannot be asked.
pub async fn written_within(
    look: &ProblemLook<'_>,
    channel: &str,
    window: Duration,
) -> Result<usize, DatabaseError> {
    let row = look
        .transaction()
        .query_one(
            "SELECT count(*) FROM notifications
             WHERE channel = $1 AND created_at > now() - make_interval(secs => $2)",
            &[&channel, &window.as_secs_f64()],
        )
        .await
        .map_err(DatabaseError::during("count notifications"))?;
    Ok(usize::try_from(row.get::<_, i64>(0)).unwrap_or(usize::MAX))
}

/// Writes a message, together with what it tells of.
///
/// # Errors
///
/// Where Postgres cannot be asked.
pub async fn write(
    look: &ProblemLook<'_>,
    channel: &str,
    body: &Value,
) -> Result<Uuid, DatabaseError> {
    let id = Uuid::now_v7();
    look.transaction()
        .execute(WRITE, &[&id, &channel, body])
        .await
        .map_err(DatabaseError::during("write a notification"))?;
    Ok(id)
}

/// Takes the next message that is due on a channel. It is due again after a pause that grows, unless it is [`sent`].
///
/// # Errors
///
/// Where Postgres cannot be asked.
pub async fn take(
    client: &Client,
    channel: &str,
) -> Result<Option<DueNotification>, DatabaseError> {
    let row = client
        .query_opt(TAKE, &[&channel])
        .await
        .map_err(DatabaseError::during("take a notification that is due"))?;
    Ok(row.map(|row| DueNotification {
        id: row.get("id"),
        body: row.get("body"),
        created_at: row.get("created_at"),
        attempts: row.get("attempts"),
    }))
}

/// Its receiver has taken it.
///
/// # Errors
///
/// Where Postgres cannot be asked.
pub async fn sent(client: &Client, id: Uuid) -> Result<(), DatabaseError> {
    client
        .execute("UPDATE notifications SET sent_at = now(), error = NULL WHERE id = $1", &[&id])
        .await
        .map_err(DatabaseError::during("note that a notification was sent"))?;
    Ok(())
}

/// It could not be sent; answers whether it is given up.
///
/// # Errors
///
/// Where Postgres cannot be asked.
pub async fn failed(client: &Client, id: Uuid, error: &str) -> Result<bool, DatabaseError> {
    let row = client
        .query_opt(FAILED, &[&id, &error, &GIVE_UP_AFTER_SECONDS])
        .await
        .map_err(DatabaseError::during("note that a notification was not sent"))?;
    Ok(row.is_some_and(|row| row.get("is_given_up")))
}

/// Forgets problems that are gone, and messages, that are older than `retention`; answers how many.
///
/// # Errors
///
/// Where Postgres cannot be asked.
pub async fn forget(client: &Client, retention: Duration) -> Result<u64, DatabaseError> {
    let retention = retention.as_secs_f64();
    let failed = || DatabaseError::during("forget problems and notifications");
    let problems = "DELETE FROM problems WHERE closed_at < now() - make_interval(secs => $1)";
    let messages = "DELETE FROM notifications WHERE created_at < now() - make_interval(secs => $1)";
    Ok(client.execute(problems, &[&retention]).await.map_err(failed())?
        + client.execute(messages, &[&retention]).await.map_err(failed())?)
}
