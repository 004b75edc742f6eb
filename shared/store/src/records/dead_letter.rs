//! A row of `dead_letters`, and many of them grouped.

use chrono::{DateTime, Utc};
use database::{Client, DatabaseError, Error, Row, types::ToSql};
use serde_json::Value;
use uuid::Uuid;

use super::record;
use crate::DeadLetterStatus;

record! {
    /// A dead letter, with all that is known of it.
    DeadLetterRecord {
        id: Uuid = "d.id",
        event_id: Option<String> = "d.event_id",
        campus_id: Option<Uuid> = "d.campus_id",
        event_type: Option<String> = "d.event_type",
        member_id: Option<String> = "d.member_id",
        cause: String = "d.cause",
        reason: String = "d.reason",
        attempts: i32 = "d.attempts",
        first_failed_at: Option<DateTime<Utc>> = "d.first_failed_at",
        dead_at: DateTime<Utc> = "d.dead_at",
        received_at: Option<DateTime<Utc>> = "d.received_at",
        envelope: Value = "d.envelope",
        trace_id: Option<String> = "d.trace_id",
        status: String = "d.status",
        replay_count: i32 = "d.replay_count",
        replayed_at: Option<DateTime<Utc>> = "d.replayed_at",
        resolved_at: Option<DateTime<Utc>> = "d.resolved_at",
        note: Option<String> = "d.note",
    }
}

record! {
    /// Letters of one cause, event type and campus.
    DeadLetterGroup {
        cause: String = "d.cause",
        event_type: Option<String> = "d.event_type",
        campus_id: Option<Uuid> = "d.campus_id",
        campus_name: Option<String> = "c.name",
        count: i64 = "count(*)",
        oldest: DateTime<Utc> = "min(d.dead_at)",
        newest: DateTime<Utc> = "max(d.dead_at)",
        replayed: i64 = "count(*) FILTER (WHERE d.replay_count > 0)",
    }
}

/// Which letters are meant: those of which all that is given holds.
#[derive(Debug, Clone, Default)]
pub struct DeadLetterFilter {
    /// Failed for this cause.
    pub cause: Option<String>,
    /// Of this campus.
    pub campus: Option<Uuid>,
    /// Of this type.
    pub event_type: Option<String>,
    /// About this member, by the core's id.
    pub member: Option<String>,
    /// In this status.
    pub status: Option<DeadLetterStatus>,
    /// Died since.
    pub since: Option<DateTime<Utc>>,
    /// Died before.
    pub until: Option<DateTime<Utc>>,
}

/// The condition on `dead_letters d`; its parameters are `$1` to `$7`.
const CONDITION: &str = "($1::text IS NULL OR d.cause = $1)
    AND ($2::uuid IS NULL OR d.campus_id = $2)
    AND ($3::text IS NULL OR d.event_type = $3)
    AND ($4::text IS NULL OR d.member_id = $4)
    AND ($5::text IS NULL OR d.status = $5)
    AND ($6::timestamptz IS NULL OR d.dead_at >= $6)
    AND ($7::timestamptz IS NULL OR d.dead_at < $7)";

impl DeadLetterFilter {
    /// Asks with the filter's parameters, and more from `$8` on.
    async fn query(
        &self,
        client: &Client,
        statement: &str,
        more: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, Error> {
        let Self { cause, campus, event_type, member, status, since, until } = self;
        let status = status.map(DeadLetterStatus::as_str);
        let own: [&(dyn ToSql + Sync); 7] =
            [cause, campus, event_type, member, &status, since, until];
        let parameters: Vec<&(dyn ToSql + Sync)> = own.iter().chain(more).copied().collect();
        Ok(client.query(statement, &parameters).await?)
    }

    /// The ids of those that match, the first to die first.
    ///
    /// # Errors
    ///
    /// Where Postgres cannot be asked.
    pub async fn ids(
        &self,
        client: &Client,
        limit: Option<u32>,
    ) -> Result<Vec<Uuid>, DatabaseError> {
        let statement = format!(
            "SELECT d.id FROM dead_letters d WHERE {CONDITION} ORDER BY d.dead_at, d.id LIMIT $8"
        );
        let rows = self.query(client, &statement, &[&limit.map(i64::from)]).await;
        let rows = rows.map_err(DatabaseError::during("list dead letters"))?;
        Ok(rows.iter().map(|row| row.get("id")).collect())
    }

    /// The same of those that died before `at`; `events_only` leaves out those that hold no event.
    ///
    /// # Errors
    ///
    /// Where Postgres cannot be asked.
    pub async fn choose(
        &self,
        client: &Client,
        at: DateTime<Utc>,
        events_only: bool,
        limit: Option<u32>,
    ) -> Result<Vec<Uuid>, DatabaseError> {
        let statement = format!(
            "SELECT d.id FROM dead_letters d
             WHERE {CONDITION} AND d.dead_at < $8 AND (d.envelope ? 'schema_version' OR NOT $9)
             ORDER BY d.dead_at, d.id LIMIT $10"
        );
        let more: [&(dyn ToSql + Sync); 3] = [&at, &events_only, &limit.map(i64::from)];
        let rows = self.query(client, &statement, &more).await;
        let rows = rows.map_err(DatabaseError::during("choose dead letters"))?;
        Ok(rows.iter().map(|row| row.get("id")).collect())
    }

    /// How many match, died before `at`, and hold no event.
    ///
    /// # Errors
    ///
    /// Where Postgres cannot be asked.
    pub async fn count_unreadable(
        &self,
        client: &Client,
        at: DateTime<Utc>,
    ) -> Result<usize, DatabaseError> {
        let statement = format!(
            "SELECT count(*) FROM dead_letters d
             WHERE {CONDITION} AND d.dead_at < $8 AND NOT d.envelope ? 'schema_version'"
        );
        let rows = self.query(client, &statement, &[&at]).await;
        let rows = rows.map_err(DatabaseError::during("count what holds no event"))?;
        Ok(rows.first().map_or(0, |row| usize::try_from(row.get::<_, i64>(0)).unwrap_or(0)))
    }
}

impl DeadLetterGroup {
    /// The groups of those that match, the largest first.
    ///
    /// # Errors
    ///
    /// Where Postgres cannot be asked.
    pub async fn list(
        client: &Client,
        filter: &DeadLetterFilter,
        limit: Option<u32>,
    ) -> Result<Vec<Self>, DatabaseError> {
        let statement = format!(
            "SELECT {} FROM dead_letters d LEFT JOIN campuses c ON c.id = d.campus_id
             WHERE {CONDITION}
             GROUP BY d.cause, d.event_type, d.campus_id, c.name
             ORDER BY count(*) DESC, min(d.dead_at), d.cause, d.event_type, d.campus_id
             LIMIT $8",
            Self::COLUMNS
        );
        let rows = filter.query(client, &statement, &[&limit.map(i64::from)]).await;
        let rows = rows.map_err(DatabaseError::during("group the dead letters"))?;
        Ok(rows.iter().map(Self::from_row).collect())
    }
}

impl DeadLetterRecord {
    /// The last to die of those that match.
    ///
    /// # Errors
    ///
    /// Where Postgres cannot be asked.
    pub async fn list(
        client: &Client,
        filter: &DeadLetterFilter,
        limit: u32,
    ) -> Result<Vec<Self>, DatabaseError> {
        let statement = format!(
            "SELECT {} FROM dead_letters d WHERE {CONDITION}
             ORDER BY d.dead_at DESC, d.id DESC LIMIT $8",
            Self::COLUMNS
        );
        let rows = filter.query(client, &statement, &[&i64::from(limit)]).await;
        let rows = rows.map_err(DatabaseError::during("list dead letters"))?;
        Ok(rows.iter().map(Self::from_row).collect())
    }

    /// Those with these ids that are still there, the first to die first.
    ///
    /// # Errors
    ///
    /// Where Postgres cannot be asked.
    pub async fn load(client: &Client, ids: &[Uuid]) -> Result<Vec<Self>, DatabaseError> {
        Self::read(client, "d.id = ANY($1)", &ids).await
    }

    /// Those of an event.
    ///
    /// # Errors
    ///
    /// Where Postgres cannot be asked.
    pub async fn of_event(client: &Client, event_id: &str) -> Result<Vec<Self>, DatabaseError> {
        Self::read(client, "d.event_id = $1", &event_id).await
    }

    async fn read(
        client: &Client,
        condition: &str,
        parameter: &(dyn ToSql + Sync),
    ) -> Result<Vec<Self>, DatabaseError> {
        let columns = Self::COLUMNS;
        let statement = format!(
            "SELECT {columns} FROM dead_letters d WHERE {condition} ORDER BY d.dead_at, d.id"
        );
        let rows = client
            .query(&statement, &[parameter])
            .await
            .map_err(DatabaseError::during("read dead letters"))?;
        Ok(rows.iter().map(Self::from_row).collect())
    }

    /// Whether it holds an event, and not the bytes of a message that could not be read.
    pub fn is_event(&self) -> bool {
        self.envelope.get("schema_version").is_some()
    }
}
