//! Which letters an operation is about: chosen anew, page by page, by whoever carries it out, so that nothing has to be
//! remembered that a crash could lose.

use chrono::{DateTime, Utc};
use database::{Client, DatabaseError, types::ToSql};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use uuid::Uuid;

use crate::{DeadLetterStatus, OperationKind, records::OperationRecord};

/// What letters are chosen by; its JSON is `operations.filters`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LetterFilters {
    /// Failed for this cause.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// Of this campus.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub campus_id: Option<Uuid>,
    /// Of this type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_type: Option<String>,
    /// About this member, by the core's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub member_id: Option<String>,
    /// In this status, where another one than the operation's own may be chosen: `replaying` for a replay.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// Died since; of those that are `replaying`, were replayed since.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<DateTime<Utc>>,
    /// The same, before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<DateTime<Utc>>,
}

/// Why an operation is about no letters.
#[derive(Debug, Error)]
pub enum SelectionError {
    /// It is about something else.
    #[error("an operation of the kind {0} is about no dead letters")]
    OtherKind(String),
    /// A filter that this version does not know: chosen without it, more would be taken than was meant.
    #[error("its filters cannot be read: {0}")]
    Filters(#[from] serde_json::Error),
    /// A letter in that status cannot be taken.
    #[error("letters that are {0} cannot be taken")]
    Status(String),
}

/// The letters of an operation that it has not taken yet.
#[derive(Debug, Clone)]
pub struct LetterSelection {
    filters: LetterFilters,
    ids: Option<Vec<Uuid>>,
    statuses: Vec<&'static str>,
    /// Only those that hold an event.
    events_only: bool,
    /// What died, was opened again, or was sent later is left for the next operation.
    before: DateTime<Utc>,
    operation: Option<Uuid>,
}

/// Where a letter stands in the order of their deaths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct LetterKey {
    /// When it died.
    pub dead_at: DateTime<Utc>,
    /// The letter.
    pub id: Uuid,
}

/// How many letters there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counted {
    /// That can be taken.
    pub matched: i64,
    /// That match too and hold no event, where only events can be taken.
    pub unreadable: i64,
}

impl LetterSelection {
    /// What an operation that was asked for is about.
    ///
    /// # Errors
    ///
    /// Where it is about something else, or this version cannot read it.
    pub fn of(operation: &OperationRecord) -> Result<Self, SelectionError> {
        let other = || SelectionError::OtherKind(operation.kind.clone());
        let kind = operation.kind().ok_or_else(other)?;
        let filters = match &operation.filters {
            Some(filters) => serde_json::from_value(filters.clone())?,
            None => LetterFilters::default(),
        };
        let selection = Self::new(kind, filters, operation.ids.clone(), operation.cutoff)?;
        Ok(Self { operation: Some(operation.id), ..selection })
    }

    /// What an operation of this kind would be about.
    ///
    /// # Errors
    ///
    /// Where it would be about something else, or letters in that status cannot be taken.
    pub fn new(
        kind: OperationKind,
        filters: LetterFilters,
        ids: Option<Vec<Uuid>>,
        before: DateTime<Utc>,
    ) -> Result<Self, SelectionError> {
        let own = match kind {
            OperationKind::Replay | OperationKind::Discard => DeadLetterStatus::Open,
            OperationKind::Restore => DeadLetterStatus::Discarded,
            other => return Err(SelectionError::OtherKind(other.as_str().to_owned())),
        };
        let replaying = DeadLetterStatus::Replaying;
        let is_replay = kind == OperationKind::Replay;
        let statuses = match filters.status.as_deref() {
            // Whoever names a letter that was sent already means it.
            None if is_replay && ids.is_some() => vec![own.as_str(), replaying.as_str()],
            Some(status) if is_replay && status == replaying.as_str() => vec![replaying.as_str()],
            None => vec![own.as_str()],
            Some(status) if status == own.as_str() => vec![own.as_str()],
            Some(status) => return Err(SelectionError::Status(status.to_owned())),
        };
        Ok(Self { filters, ids, statuses, events_only: is_replay, before, operation: None })
    }

    /// The statuses that letters are taken in.
    pub(super) fn statuses(&self) -> &[&'static str] {
        &self.statuses
    }

    /// What died, was opened or was sent later is left.
    pub(super) fn before(&self) -> DateTime<Utc> {
        self.before
    }

    /// Who takes them.
    pub(super) fn operation(&self) -> Option<Uuid> {
        self.operation
    }

    /// How many there are.
    ///
    /// # Errors
    ///
    /// Where Postgres cannot be asked.
    pub async fn count(&self, client: &Client) -> Result<Counted, DatabaseError> {
        let condition = self.condition();
        let is_taken = if self.events_only { "d.envelope ? 'schema_version'" } else { "true" };
        let statement = format!(
            "SELECT count(*) FILTER (WHERE {is_taken}) AS matched, count(*) FILTER (WHERE NOT ({is_taken})) AS unreadable
             FROM dead_letters d WHERE {}",
            condition.sql
        );
        let row = client
            .query_one(&statement, &condition.parameters)
            .await
            .map_err(DatabaseError::during("count dead letters"))?;
        Ok(Counted { matched: row.get("matched"), unreadable: row.get("unreadable") })
    }

    /// The names of the campuses whose letters they are, of the first `limit` to die.
    ///
    /// # Errors
    ///
    /// Where Postgres cannot be asked.
    pub async fn campuses(
        &self,
        client: &Client,
        limit: Option<i64>,
    ) -> Result<Vec<String>, DatabaseError> {
        let mut condition = self.condition();
        let limit = condition.place(&limit);
        let statement = format!(
            "SELECT DISTINCT coalesce(c.name, 'none') AS name
             FROM (SELECT d.campus_id FROM dead_letters d WHERE {} ORDER BY d.dead_at, d.id LIMIT {limit}) AS chosen
             LEFT JOIN campuses c ON c.id = chosen.campus_id ORDER BY name",
            condition.sql
        );
        let rows = client
            .query(&statement, &condition.parameters)
            .await
            .map_err(DatabaseError::during("look whose dead letters they are"))?;
        Ok(rows.iter().map(|row| row.get("name")).collect())
    }

    /// How many match that died after the operation was asked for; none where letters are named, or not to be sent again.
    pub(crate) async fn count_later(&self, client: &Client) -> Result<Option<i64>, DatabaseError> {
        if self.ids.is_some() || self.statuses != [DeadLetterStatus::Open.as_str()] {
            return Ok(None);
        }
        let mut condition = self.filters_alone();
        condition.and("d.dead_at >=", &self.before);
        condition.and_some("d.operation_id IS DISTINCT FROM", self.operation.as_ref());
        let statement = format!(
            "SELECT count(*) FROM dead_letters d WHERE d.status = 'open' AND {}",
            condition.sql
        );
        let row = client
            .query_one(&statement, &condition.parameters)
            .await
            .map_err(DatabaseError::during("count what died since"))?;
        Ok(Some(row.get(0)))
    }

    /// The next letters after `after`, those that died first first.
    ///
    /// # Errors
    ///
    /// Where Postgres cannot be asked.
    pub async fn page(
        &self,
        client: &Client,
        after: Option<LetterKey>,
        limit: i64,
    ) -> Result<Vec<LetterKey>, DatabaseError> {
        let mut condition = self.condition();
        if self.events_only {
            condition.sql.push_str(" AND d.envelope ? 'schema_version'");
        }
        if let Some(LetterKey { dead_at, id }) = &after {
            let (dead_at, id) = (condition.place(dead_at), condition.place(id));
            condition.sql = format!("{} AND (d.dead_at, d.id) > ({dead_at}, {id})", condition.sql);
        }
        let limit = condition.place(&limit);
        let statement = format!(
            "SELECT d.dead_at, d.id FROM dead_letters d WHERE {} ORDER BY d.dead_at, d.id LIMIT {limit}",
            condition.sql
        );
        let rows = client
            .query(&statement, &condition.parameters)
            .await
            .map_err(DatabaseError::during("choose dead letters"))?;
        Ok(rows.iter().map(|row| LetterKey { dead_at: row.get(0), id: row.get(1) }).collect())
    }

    fn condition(&self) -> Condition<'_> {
        let mut condition = self.filters_alone();
        if let Some(ids) = &self.ids {
            condition.and_any("d.id", ids);
        }
        condition.and_any("d.status", &self.statuses);
        let before = condition.place(&self.before);
        condition.sql = format!("{} AND {}", condition.sql, were_so_before(&before));
        condition.and_some("d.operation_id IS DISTINCT FROM", self.operation.as_ref());
        condition
    }

    fn filters_alone(&self) -> Condition<'_> {
        let LetterFilters { cause, campus_id, event_type, member_id, since, until, .. } =
            &self.filters;
        let mut condition = Condition { sql: "true".to_owned(), parameters: Vec::new() };
        condition.and_some("d.cause =", cause.as_ref());
        condition.and_some("d.campus_id =", campus_id.as_ref());
        condition.and_some("d.event_type =", event_type.as_ref());
        condition.and_some("d.member_id =", member_id.as_ref());
        // How long ago a letter was sent says whether it is stuck; when it died does not.
        let is_on_its_way = self.statuses == [DeadLetterStatus::Replaying.as_str()];
        let (since_sql, until_sql) = if is_on_its_way {
            ("d.replayed_at >=", "d.replayed_at <")
        } else {
            ("d.dead_at >=", "d.dead_at <")
        };
        condition.and_some(since_sql, since.as_ref());
        condition.and_some(until_sql, until.as_ref());
        condition
    }
}

/// Letters that were there to be taken before the moment at `place`: what has become of one since, by another operation too,
/// leaves it to the next.
pub(super) fn were_so_before(place: &str) -> String {
    format!(
        "d.dead_at < {place} AND (d.opened_at IS NULL OR d.opened_at < {place})
         AND (d.status <> 'replaying' OR d.replayed_at IS NULL OR d.replayed_at < {place})"
    )
}

/// A condition on `dead_letters d` with no more in it than was asked for, so that indices serve it.
struct Condition<'a> {
    sql: String,
    parameters: Vec<&'a (dyn ToSql + Sync)>,
}

impl<'a> Condition<'a> {
    /// A parameter, and its place in the statement.
    fn place(&mut self, parameter: &'a (dyn ToSql + Sync)) -> String {
        self.parameters.push(parameter);
        format!("${}", self.parameters.len())
    }

    /// Adds a condition that ends with a parameter: `d.cause =`.
    fn and(&mut self, sql: &str, parameter: &'a (dyn ToSql + Sync)) {
        let place = self.place(parameter);
        self.sql = format!("{} AND {sql} {place}", self.sql);
    }

    fn and_some<T: ToSql + Sync>(&mut self, sql: &str, parameter: Option<&'a T>) {
        if let Some(parameter) = parameter {
            self.and(sql, parameter);
        }
    }

    /// Adds that a column is one of several values.
    fn and_any(&mut self, column: &str, values: &'a (dyn ToSql + Sync)) {
        let place = self.place(values);
        self.sql = format!("{} AND {column} = ANY({place})", self.sql);
    }
}
