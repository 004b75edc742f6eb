//! Reading the directory from Postgres.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use database::{Client, DatabaseError, Row};
use uuid::Uuid;

use crate::{Campus, Directory, Sealer, Secrets, secrets::SealedSecrets};

const CAMPUSES: &str = "
    SELECT campus_id, core_church_id, is_enabled, rate_limit, webhook_secret_sealed,
           previous_secret_sealed, previous_secret_expires_at
    FROM sync_configs";

/// Reads all campuses. Of one whose secrets do not open, those in the `last` directory are kept; the
/// others must not suffer for it.
pub async fn load(
    client: &Client,
    sealer: &Sealer,
    last: Option<&Directory>,
) -> Result<Directory, DatabaseError> {
    let rows =
        client.query(CAMPUSES, &[]).await.map_err(DatabaseError::during("read the campuses"))?;
    let mut set_at = secrets_set_at(client).await;
    let campuses = rows.iter().map(|row| {
        let id: Uuid = row.get("campus_id");
        let known = last.and_then(|last| last.campus(id)).map(|campus| &campus.secrets);
        let campus = campus(row, set_at.remove(&id), sealer, known);
        report(&campus, known);
        campus
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

fn campus(
    row: &Row,
    set_at: Option<DateTime<Utc>>,
    sealer: &Sealer,
    known: Option<&Secrets>,
) -> Campus {
    let id = row.get("campus_id");
    let previous: Option<&[u8]> = row.get("previous_secret_sealed");
    let sealed = SealedSecrets {
        campus: id,
        current: row.get("webhook_secret_sealed"),
        set_at,
        previous: previous.zip(row.get("previous_secret_expires_at")),
    };
    let rate_limit: Option<i32> = row.get("rate_limit");
    Campus {
        id,
        core_church_id: row.get("core_church_id"),
        is_enabled: row.get("is_enabled"),
        secrets: Secrets::open(sealed, sealer, known, Utc::now()),
        rate_limit: rate_limit
            .and_then(|limit| u32::try_from(limit).ok())
            .and_then(crate::RateLimit::new),
    }
}

/// Tells what does not open, once: it is read every half minute.
fn report(campus: &Campus, known: Option<&Secrets>) {
    let (campus, secrets) = (campus.id, &campus.secrets);
    let known = known.map(|known| (known.unreadable, known.previous_unreadable));
    let (told, previous_told) = known.unwrap_or_default();
    match secrets.unreadable {
        Some(error) if told.is_none() => {
            let is_kept = secrets.current.is_some();
            tracing::error!(%campus, %error, is_kept, "a campus's webhook secret does not open");
        }
        None if told.is_some() => tracing::info!(%campus, "its webhook secret opens again"),
        _ => {}
    }
    if let Some(error) = secrets.previous_unreadable
        && previous_told.is_none()
    {
        tracing::warn!(%campus, %error, "a campus's previous webhook secret does not open");
    }
}
