//! What an id, or a campus's name, leads to: one field to search by, within what somebody may see.

use chrono::{DateTime, TimeDelta, Utc};
use database::{Client, DatabaseError};
use uuid::Uuid;

use super::record;

/// So many of each kind are enough to tell that the words were too few.
const MOST: i64 = 20;

/// How far the clock of whoever made a delivery's id may be from that of its receipt.
const CLOCKS_APART: TimeDelta = TimeDelta::minutes(10);

record! {
    /// A delivery, as far as a search tells of it.
    FoundDelivery {
        id: Uuid = "l.id",
        campus_id: Uuid = "l.campus_id",
        event_id: String = "l.event_id",
        event_type: String = "l.event_type",
        member_id: Option<String> = "l.member_id",
        received_at: DateTime<Utc> = "l.received_at",
        status: String = "l.status",
        error: Option<String> = "l.error",
        attempts: i32 = "l.attempts",
    }
}

record! {
    /// A dead letter, as far as a search tells of it.
    FoundLetter {
        id: Uuid = "d.id",
        campus_id: Option<Uuid> = "d.campus_id",
        event_type: Option<String> = "d.event_type",
        member_id: Option<String> = "d.member_id",
        cause: String = "d.cause",
        dead_at: DateTime<Utc> = "d.dead_at",
        status: String = "d.status",
    }
}

record! {
    /// A run of the reconciler, as far as a search tells of it.
    FoundRun {
        id: Uuid = "r.id",
        campus_id: Uuid = "r.campus_id",
        status: String = "r.status",
        started_at: DateTime<Utc> = "r.started_at",
    }
}

/// How far back a trace is looked for, whose id tells nothing of its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SearchSpan {
    /// 24 hours.
    Day,
    /// 7 days.
    Week,
    /// All there is.
    Everything,
}

/// What was found, of each kind.
#[derive(Debug, Default)]
pub struct Found {
    /// The newest first.
    pub deliveries: Vec<FoundDelivery>,
    /// The newest first.
    pub letters: Vec<FoundLetter>,
    /// With this id.
    pub runs: Vec<FoundRun>,
    /// By name.
    pub campuses: Vec<(Uuid, String)>,
    /// Whether the words were those of a trace, so that looking further back may find more.
    pub is_trace: bool,
}

/// Looks for an event's, a delivery's, a trace's, a letter's, a run's or a member's id, and for campuses by their names.
/// `scope`: of these campuses alone.
///
/// # Errors
///
/// Where Postgres cannot be asked, or is too slow.
pub async fn search(
    client: &Client,
    text: &str,
    scope: Option<&[Uuid]>,
    span: SearchSpan,
) -> Result<Found, DatabaseError> {
    let failed = || DatabaseError::during("search");
    let id = Uuid::try_parse(text).ok();
    let mut found = Found::default();

    let statement = deliveries("(l.event_id = $1 OR l.member_id = $1)");
    let rows = client.query(&statement, &[&text, &scope, &MOST]).await.map_err(failed())?;
    found.deliveries = rows.iter().map(FoundDelivery::from_row).collect();

    if let Some(id) = id {
        if let Some((first, last)) = received(&id) {
            let statement = deliveries("l.id = $1 AND l.received_at BETWEEN $4 AND $5");
            let rows = client
                .query(&statement, &[&id, &scope, &MOST, &first, &last])
                .await
                .map_err(failed())?;
            found.deliveries.extend(rows.iter().map(FoundDelivery::from_row));
        }
        let statement = format!(
            "SELECT {} FROM sync_logs r WHERE r.id = $1 AND ($2::uuid[] IS NULL OR r.campus_id = ANY($2))",
            FoundRun::COLUMNS
        );
        let rows = client.query(&statement, &[&id, &scope]).await.map_err(failed())?;
        found.runs = rows.iter().map(FoundRun::from_row).collect();
        // A trace's id is a UUID without its dashes.
        found.is_trace = id.simple().to_string() == text;
    }
    if found.is_trace && found.deliveries.is_empty() {
        let since = Utc::now()
            - match span {
                SearchSpan::Day => TimeDelta::hours(24),
                SearchSpan::Week => TimeDelta::days(7),
                SearchSpan::Everything => TimeDelta::days(36_500),
            };
        let statement = deliveries("l.trace_id = $1 AND l.received_at >= $4");
        let rows =
            client.query(&statement, &[&text, &scope, &MOST, &since]).await.map_err(failed())?;
        found.deliveries = rows.iter().map(FoundDelivery::from_row).collect();
    }

    let statement = format!(
        "SELECT {} FROM dead_letters d
         WHERE (d.id = $4 OR d.event_id = $1 OR (d.member_id = $1 AND d.campus_id IN (SELECT id FROM campuses)))
           AND ($2::uuid[] IS NULL OR d.campus_id = ANY($2)) ORDER BY d.dead_at DESC, d.id DESC LIMIT $3",
        FoundLetter::COLUMNS
    );
    let rows = client.query(&statement, &[&text, &scope, &MOST, &id]).await.map_err(failed())?;
    found.letters = rows.iter().map(FoundLetter::from_row).collect();

    let rows = client
        .query(
            "SELECT id, name FROM campuses
             WHERE (id = $4 OR position(lower($1) IN lower(name)) > 0) AND ($2::uuid[] IS NULL OR id = ANY($2))
             ORDER BY name, id LIMIT $3",
            &[&text, &scope, &MOST, &id],
        )
        .await
        .map_err(failed())?;
    found.campuses = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    Ok(found)
}

/// The campuses that somebody may see, by name.
///
/// # Errors
///
/// Where Postgres cannot be asked.
pub async fn campus_names(
    client: &Client,
    scope: Option<&[Uuid]>,
) -> Result<Vec<(Uuid, String)>, DatabaseError> {
    let rows = client
        .query(
            "SELECT id, name FROM campuses WHERE $1::uuid[] IS NULL OR id = ANY($1) ORDER BY name, id",
            &[&scope],
        )
        .await
        .map_err(DatabaseError::during("read the campuses' names"))?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

fn deliveries(condition: &str) -> String {
    format!(
        "SELECT {} FROM webhook_logs l WHERE {condition} AND ($2::uuid[] IS NULL OR l.campus_id = ANY($2))
         ORDER BY l.received_at DESC, l.id DESC LIMIT $3",
        FoundDelivery::COLUMNS
    )
}

/// When a delivery with this id can have been received; none where it does not tell.
fn received(id: &Uuid) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
    let (seconds, nanoseconds) = id.get_timestamp()?.to_unix();
    let made = DateTime::from_timestamp(i64::try_from(seconds).ok()?, nanoseconds)?;
    Some((made.checked_sub_signed(CLOCKS_APART)?, made.checked_add_signed(CLOCKS_APART)?))
}
