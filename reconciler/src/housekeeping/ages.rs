//! Birthdays. A member's age is written whenever the member is synced, and then it grows old.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use database::{Client, DatabaseError};
use uuid::Uuid;

/// Rows updated in one transaction: the worker may want one of them, and waits for it.
const BATCH: i64 = 10_000;

/// What was done about ages.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Aged {
    /// Campuses that were looked at.
    pub(crate) campuses: u64,
    /// Campuses whose time zone does not exist, and so have no date.
    pub(crate) campuses_without_date: u64,
    /// Members whose age was another one.
    pub(crate) updated: u64,
}

/// Brings the ages of all members up to date whose campus is synced and not paused, each by its campus's date.
/// Rows that somebody else is writing right now are left for the next time.
pub(crate) async fn bring_up_to_date(
    client: &Client,
    now: DateTime<Utc>,
) -> Result<Aged, DatabaseError> {
    let rows = client
        .query(
            "SELECT c.id, c.timezone FROM sync_configs s JOIN campuses c ON c.id = s.campus_id
             WHERE s.is_enabled AND s.paused_at IS NULL",
            &[],
        )
        .await
        .map_err(DatabaseError::during("read the campuses' time zones"))?;
    let mut aged = Aged::default();
    // Wherever the campuses are, there are three dates on earth at most.
    let mut by_date: BTreeMap<NaiveDate, Vec<Uuid>> = BTreeMap::new();
    for row in &rows {
        let (campus, time_zone): (Uuid, &str) = (row.get(0), row.get(1));
        if let Ok(time_zone) = time_zone.parse::<Tz>() {
            let today = now.with_timezone(&time_zone).date_naive();
            by_date.entry(today).or_default().push(campus);
            aged.campuses += 1;
        } else {
            tracing::warn!(campus_id = %campus, time_zone, "no IANA time zone has this name");
            aged.campuses_without_date += 1;
        }
    }
    for (today, campuses) in by_date {
        aged.updated += update(client, today, &campuses).await?;
    }
    Ok(aged)
}

async fn update(
    client: &Client,
    today: NaiveDate,
    campuses: &[Uuid],
) -> Result<u64, DatabaseError> {
    let mut updated = 0;
    loop {
        let rows = client
            .execute(UPDATE, &[&today, &campuses, &BATCH])
            .await
            .map_err(DatabaseError::during("bring ages up to date"))?;
        updated += rows;
        if rows < BATCH.unsigned_abs() {
            return Ok(updated);
        }
    }
}

/// The age as `shared/member` reckons it: comparing month and day makes 29 February count on
/// 1 March, and who is not born yet has none. Members made by hand in FaithTracker are its own.
const UPDATE: &str = "
    WITH today AS (
        SELECT $1::date AS day, extract(year FROM $1::date)::integer AS year,
               to_char($1::date, 'MMDD') AS month_and_day
    ), outdated AS (
        SELECT m.id, reckoned.age
        FROM today, members m, LATERAL (
            SELECT CASE WHEN m.birth_date <= day THEN
                year - extract(year FROM m.birth_date)::integer
                     - (month_and_day < to_char(m.birth_date, 'MMDD'))::integer END AS age
        ) AS reckoned
        WHERE m.campus_id = ANY($2) AND m.external_member_id IS NOT NULL
          AND isfinite(m.birth_date) AND m.age IS DISTINCT FROM reckoned.age
        LIMIT $3
        FOR UPDATE OF m SKIP LOCKED
    )
    UPDATE members m SET age = outdated.age, updated_at = now()
    FROM outdated WHERE m.id = outdated.id";
