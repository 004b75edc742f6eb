//! Whom a resync is about: chosen anew, page by page in the order of their keys.

use chrono::{DateTime, Utc};
use database::{Client, DatabaseError, Row};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{OperationKind, dead_letters::SelectionError, records::OperationRecord};

/// What members are chosen by; its JSON is `operations.filters`. By ids, by past deliveries, or with a campus alone all of
/// that campus who are here.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MemberFilters {
    /// Of this campus.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub campus_id: Option<Uuid>,
    /// These, by the core's ids.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub member_ids: Option<Vec<String>>,
    /// Of whom there was a delivery about this member, which is to say this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub member_id: Option<String>,
    /// There was a delivery of this type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_type: Option<String>,
    /// There was a delivery in one of these statuses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub statuses: Option<Vec<String>>,
    /// There was a delivery received since.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<DateTime<Utc>>,
    /// There was a delivery received before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<DateTime<Utc>>,
}

/// The members of a resync.
#[derive(Debug, Clone)]
pub struct MemberSelection {
    filters: MemberFilters,
    before: DateTime<Utc>,
}

/// A member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberKey {
    /// The campus.
    pub campus_id: Uuid,
    /// The core's id.
    pub member_id: String,
}

/// Whom ids name.
const NAMED: &str = "
    SELECT $1::uuid AS campus_id, named.id COLLATE \"C\" AS member_id FROM unnest($2::text[]) AS named(id)";

/// Who is here.
const HERE: &str = "
    SELECT m.campus_id, m.external_member_id COLLATE \"C\" AS member_id FROM members m
    WHERE m.campus_id = $1 AND m.external_member_id IS NOT NULL";

/// Whom deliveries were about.
const DELIVERED: &str = "
    SELECT l.campus_id, l.member_id COLLATE \"C\" AS member_id FROM webhook_logs l
    WHERE l.member_id IS NOT NULL AND l.received_at < $7
      AND ($1::uuid IS NULL OR l.campus_id = $1)
      AND ($2::text IS NULL OR l.member_id = $2)
      AND ($3::text IS NULL OR l.event_type = $3)
      AND ($4::text[] IS NULL OR l.status = ANY($4))
      AND ($5::timestamptz IS NULL OR l.received_at >= $5)
      AND ($6::timestamptz IS NULL OR l.received_at < $6)";

impl MemberFilters {
    /// Whether nothing but a campus is named.
    pub fn is_campus_alone(&self) -> bool {
        let Self { campus_id, .. } = self;
        *self == Self { campus_id: *campus_id, ..Self::default() }
    }
}

impl MemberSelection {
    /// What an operation that was asked for is about.
    ///
    /// # Errors
    ///
    /// Where it is about something else, or this version cannot read it.
    pub fn of(operation: &OperationRecord) -> Result<Self, SelectionError> {
        if operation.kind() != Some(OperationKind::Resync) {
            return Err(SelectionError::OtherKind(operation.kind.clone()));
        }
        let filters = operation.filters.clone().unwrap_or_default();
        Ok(Self::new(serde_json::from_value(filters)?, operation.cutoff))
    }

    /// What an operation would be about.
    pub fn new(filters: MemberFilters, before: DateTime<Utc>) -> Self {
        Self { filters, before }
    }

    /// How many there are, of campuses that are synced.
    ///
    /// # Errors
    ///
    /// Where Postgres cannot be asked.
    pub async fn count(&self, client: &Client) -> Result<i64, DatabaseError> {
        let rows = self.ask(client, "SELECT count(*)", "", &[]).await?;
        Ok(rows.first().map_or(0, |row| row.get(0)))
    }

    /// The next after `after`, of campuses that are synced: an event of any other would only be a dead letter.
    ///
    /// # Errors
    ///
    /// Where Postgres cannot be asked.
    pub async fn page(
        &self,
        client: &Client,
        after: Option<&MemberKey>,
        limit: i64,
    ) -> Result<Vec<MemberKey>, DatabaseError> {
        let (campus, member) = after.map(|key| (key.campus_id, key.member_id.as_str())).unzip();
        let first = self.places() + 1;
        let rest = format!(
            "WHERE ${first}::uuid IS NULL OR (chosen.campus_id, chosen.member_id) > (${first}, ${} COLLATE \"C\")
             ORDER BY chosen.campus_id, chosen.member_id LIMIT ${}",
            first + 1,
            first + 2
        );
        let more: [&(dyn database::types::ToSql + Sync); 3] = [&campus, &member, &limit];
        let rows =
            self.ask(client, "SELECT chosen.campus_id, chosen.member_id", &rest, &more).await?;
        let key = |row: &Row| MemberKey { campus_id: row.get(0), member_id: row.get(1) };
        Ok(rows.iter().map(key).collect())
    }

    /// How many parameters the choice has.
    fn places(&self) -> usize {
        match &self.filters {
            MemberFilters { member_ids: Some(_), .. } => 2,
            filters if filters.is_campus_alone() => 1,
            _ => 7,
        }
    }

    async fn ask(
        &self,
        client: &Client,
        select: &str,
        rest: &str,
        more: &[&(dyn database::types::ToSql + Sync)],
    ) -> Result<Vec<Row>, DatabaseError> {
        let MemberFilters { campus_id, member_ids, member_id, event_type, statuses, since, until } =
            &self.filters;
        let (chosen, own): (&str, Vec<&(dyn database::types::ToSql + Sync)>) = match member_ids {
            Some(ids) => (NAMED, vec![campus_id, ids]),
            None if self.filters.is_campus_alone() => (HERE, vec![campus_id]),
            None => (
                DELIVERED,
                vec![campus_id, member_id, event_type, statuses, since, until, &self.before],
            ),
        };
        let statement = format!(
            "{select} FROM (SELECT DISTINCT c.campus_id, c.member_id FROM ({chosen}) AS c
                            JOIN sync_configs s ON s.campus_id = c.campus_id AND s.is_enabled) AS chosen {rest}"
        );
        let parameters: Vec<_> = own.into_iter().chain(more.iter().copied()).collect();
        client.query(&statement, &parameters).await.map_err(DatabaseError::during("choose members"))
    }
}
