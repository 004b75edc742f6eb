//! Reading the directory from Postgres.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use database::{Client, DatabaseError, Row};
use uuid::Uuid;

use crate::{Campus, Directory, PreviousSecret, Purpose, SealError, Sealer};

const CAMPUSES: &str = "
    SELECT campus_id, core_church_id, is_enabled, rate_limit, webhook_secret_sealed,
           previous_secret_sealed, previous_secret_expires_at
    FROM sync_configs";

/// Reads all campuses. One whose secret does not open is left out and said so: the others must
/// not suffer for it.
pub async fn load(client: &Client, sealer: &Sealer) -> Result<Directory, DatabaseError> {
    let rows =
        client.query(CAMPUSES, &[]).await.map_err(DatabaseError::during("read the campuses"))?;
    let mut set_at = secrets_set_at(client).await;
    let campuses = rows.iter().filter_map(|row| match campus(row, sealer) {
        Ok(campus) => Some(Campus { secret_set_at: set_at.remove(&campus.id), ..campus }),
        Err(error) => {
            let campus: Uuid = row.get("campus_id");
            tracing::error!(%campus, %error, "a campus cannot be served");
            None
        }
    });
    Ok(campuses.collect())
}

/// When each webhook secret was set, which only a metric tells. A role that may not read it yet,
/// since `deploy/roles.sql` was not applied after an update, must not stop the intake for that.
async fn secrets_set_at(client: &Client) -> HashMap<Uuid, DateTime<Utc>> {
    let ages = "SELECT campus_id, webhook_secret_set_at FROM sync_configs";
    match client.query(ages, &[]).await {
        Ok(rows) => rows.iter().map(|row| (row.get(0), row.get(1))).collect(),
        Err(error) => {
            tracing::warn!(%error, "the ages of webhook secrets cannot be read: apply deploy/roles.sql");
            HashMap::new()
        }
    }
}

fn campus(row: &Row, sealer: &Sealer) -> Result<Campus, SealError> {
    let id = row.get("campus_id");
    let open = |sealed: &[u8]| sealer.open(id, Purpose::WebhookSecret, sealed);
    let previous: Option<&[u8]> = row.get("previous_secret_sealed");
    let rate_limit: Option<i32> = row.get("rate_limit");
    Ok(Campus {
        id,
        core_church_id: row.get("core_church_id"),
        is_enabled: row.get("is_enabled"),
        secret: open(row.get("webhook_secret_sealed"))?,
        secret_set_at: None,
        previous_secret: previous
            .zip(row.get("previous_secret_expires_at"))
            .map(|(sealed, expires_at)| Ok(PreviousSecret { secret: open(sealed)?, expires_at }))
            .transpose()?,
        rate_limit: rate_limit
            .and_then(|limit| u32::try_from(limit).ok())
            .and_then(crate::RateLimit::new),
    })
}
