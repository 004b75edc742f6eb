//! A row of `dead_letters`, and many of them grouped.

use chrono::{DateTime, Utc};
use database::{Client, DatabaseError, types::ToSql};
use serde_json::Value;
use uuid::Uuid;

use super::{
    Place,
    conditions::{Conditions, first_of_statuses},
    record,
};
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
    /// Died since; of those that are `replaying`, were replayed since.
    pub since: Option<DateTime<Utc>>,
    /// The same, before.
    pub until: Option<DateTime<Utc>>,
}

const NEWEST_FIRST: &str = "dead_at DESC, id DESC";
const OLDEST_FIRST: &str = "dead_at, id";

impl DeadLetterFilter {
    /// All but the status.
    fn conditions(&self) -> Conditions<'_> {
        let Self { cause, campus, event_type, member, status, since, until } = self;
        let mut conditions = Conditions::default();
        conditions.and_some("d.cause =", cause.as_ref());
        conditions.and_some("d.campus_id =", campus.as_ref());
        conditions.and_some("d.event_type =", event_type.as_ref());
        conditions.and_some("d.member_id =", member.as_ref());
        // How long ago a letter was sent again says whether it is stuck; when it died does not.
        let on_its_way = *status == Some(DeadLetterStatus::Replaying);
        let [is_since, is_before] = if on_its_way {
            ["d.replayed_at >=", "d.replayed_at <"]
        } else {
            ["d.dead_at >=", "d.dead_at <"]
        };
        conditions.and_some(is_since, since.as_ref());
        conditions.and_some(is_before, until.as_ref());
        conditions
    }

    /// The first letters in an order, each status by itself: it is what their index begins with.
    fn first(
        &self,
        conditions: &Conditions<'_>,
        columns: &str,
        order: &str,
        limit: &str,
    ) -> String {
        let every = DeadLetterStatus::ALL.map(DeadLetterStatus::as_str);
        let one = self.status.map(DeadLetterStatus::as_str);
        let statuses = one.as_ref().map_or(every.as_slice(), std::slice::from_ref);
        first_of_statuses(statuses, "d.status", order, limit, |condition| {
            format!("SELECT {columns} FROM dead_letters d WHERE {}", conditions.with(condition))
        })
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
        let limit = limit.map(i64::from);
        let mut conditions = self.conditions();
        let number = conditions.parameter(&limit);
        let statement = self.first(&conditions, "d.dead_at, d.id", OLDEST_FIRST, &number);
        let rows = client
            .query(&statement, &conditions.parameters)
            .await
            .map_err(DatabaseError::during("choose dead letters"))?;
        Ok(rows.iter().map(|row| row.get("id")).collect())
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
        let (status, limit) = (filter.status.map(DeadLetterStatus::as_str), limit.map(i64::from));
        let mut conditions = filter.conditions();
        conditions.and_some("d.status =", status.as_ref());
        let number = conditions.parameter(&limit);
        let statement = format!(
            "SELECT {} FROM dead_letters d LEFT JOIN campuses c ON c.id = d.campus_id
             WHERE {}
             GROUP BY d.cause, d.event_type, d.campus_id, c.name
             ORDER BY count(*) DESC, min(d.dead_at), d.cause, d.event_type, d.campus_id
             LIMIT {number}",
            Self::COLUMNS,
            conditions.with("")
        );
        let rows = client
            .query(&statement, &conditions.parameters)
            .await
            .map_err(DatabaseError::during("group the dead letters"))?;
        Ok(rows.iter().map(Self::from_row).collect())
    }
}

impl DeadLetterRecord {
    /// The last to die of those that match, after a place where one is given.
    ///
    /// # Errors
    ///
    /// Where Postgres cannot be asked.
    pub async fn list(
        client: &Client,
        filter: &DeadLetterFilter,
        after: Option<&Place>,
        limit: u32,
    ) -> Result<Vec<Self>, DatabaseError> {
        let limit = i64::from(limit);
        let mut conditions = filter.conditions();
        conditions.and_after("(d.dead_at, d.id)", after);
        let number = conditions.parameter(&limit);
        let statement = filter.first(&conditions, Self::COLUMNS, NEWEST_FIRST, &number);
        let rows = client
            .query(&statement, &conditions.parameters)
            .await
            .map_err(DatabaseError::during("list dead letters"))?;
        Ok(rows.iter().map(Self::from_row).collect())
    }

    /// Where it stands in a listing.
    pub fn place(&self) -> Place {
        Place { at: self.dead_at, id: self.id }
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
