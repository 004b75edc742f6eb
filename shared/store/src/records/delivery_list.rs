//! Deliveries, listed: the newest first, by what they are filtered by, page by page.

use chrono::{DateTime, TimeDelta, Utc};
use database::{Client, DatabaseError};
use uuid::Uuid;

use super::{
    DeliveryRecord, Place,
    conditions::{Conditions, first_of_statuses},
    delivery::{CLOCKS_APART, made_at},
    log_spans::{LogSpans, Span},
};
use crate::DeliveryStatus;

/// Which deliveries are listed: those of which all that is given holds.
#[derive(Debug, Clone, Default)]
pub struct DeliveryFilter {
    /// Of this campus.
    pub campus: Option<Uuid>,
    /// About this member, by the core's id.
    pub member: Option<String>,
    /// Of this type.
    pub event_type: Option<String>,
    /// In one of these statuses; of every one where there is none.
    pub statuses: Vec<DeliveryStatus>,
    /// With a dead letter of this cause, whatever became of it.
    pub cause: Option<String>,
    /// Received since.
    pub since: Option<DateTime<Utc>>,
    /// Received before.
    pub until: Option<DateTime<Utc>>,
}

const ORDER: &str = "received_at DESC, id DESC";

/// The least difference of two times in Postgres.
const LEAST: TimeDelta = TimeDelta::microseconds(1);

impl DeliveryRecord {
    /// The newest of those that match, after a place where one is given.
    ///
    /// # Errors
    ///
    /// Where Postgres cannot be asked.
    pub async fn list(
        client: &Client,
        filter: &DeliveryFilter,
        after: Option<&Place>,
        limit: u32,
    ) -> Result<Vec<Self>, DatabaseError> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let mut found = Vec::new();
        for span in LogSpans::of(filter.span(after)) {
            let left = i64::try_from(limit - found.len()).unwrap_or(i64::MAX);
            let mut conditions = filter.conditions(&span, after);
            let left = conditions.parameter(&left);
            let statement = if filter.cause.is_none() {
                filter.of_log(&conditions, &left)
            } else {
                filter.of_letters(&mut conditions, &span, after, &left)
            };
            let rows = client
                .query(&statement, &conditions.parameters)
                .await
                .map_err(DatabaseError::during("list deliveries"))?;
            found.extend(rows.iter().map(Self::from_row));
            if found.len() >= limit {
                break;
            }
        }
        Ok(found)
    }

    /// The one with this id. Where the id says when it was made, no more is looked at than a few minutes of the log.
    ///
    /// # Errors
    ///
    /// Where Postgres cannot be asked.
    pub async fn by_id(client: &Client, id: Uuid) -> Result<Option<Self>, DatabaseError> {
        let made = made_at(&id);
        let span = Span {
            from: made.map(|made| made - CLOCKS_APART),
            before: made.map(|made| made + CLOCKS_APART),
        };
        let statement = |condition: &str| {
            format!("SELECT {} FROM webhook_logs l WHERE {condition}", Self::COLUMNS)
        };
        for span in LogSpans::of(span) {
            let mut conditions = Conditions::default();
            conditions.and("l.id =", &id);
            conditions.and_some("l.received_at >=", span.from.as_ref());
            conditions.and_some("l.received_at <", span.before.as_ref());
            let row = client
                .query_opt(&statement(&conditions.with("")), &conditions.parameters)
                .await
                .map_err(DatabaseError::during("look for the delivery"))?;
            if let Some(row) = row {
                return Ok(Some(Self::from_row(&row)));
            }
        }
        Ok(None)
    }

    /// Where it stands in a listing.
    pub fn place(&self) -> Place {
        Place { at: self.received_at, id: self.id }
    }
}

impl DeliveryFilter {
    fn span(&self, after: Option<&Place>) -> Span {
        let place = after.map(|place| place.at + LEAST);
        Span { from: self.since, before: self.until.into_iter().chain(place).min() }
    }

    fn conditions<'a>(&'a self, span: &'a Span, after: Option<&'a Place>) -> Conditions<'a> {
        let mut conditions = Conditions::default();
        conditions.and_some("l.received_at >=", span.from.as_ref());
        conditions.and_some("l.received_at <", span.before.as_ref());
        conditions.and_after("(l.received_at, l.id)", after);
        conditions.and_some("l.campus_id =", self.campus.as_ref());
        conditions.and_some("l.member_id =", self.member.as_ref());
        conditions.and_some("l.event_type =", self.event_type.as_ref());
        conditions
    }

    /// The newest rows by the log's own indices.
    fn of_log(&self, conditions: &Conditions<'_>, limit: &str) -> String {
        let columns = DeliveryRecord::COLUMNS;
        let statuses: Vec<&str> = self.statuses.iter().map(|status| status.as_str()).collect();
        first_of_statuses(&statuses, "l.status", ORDER, limit, |condition| {
            format!("SELECT {columns} FROM webhook_logs l WHERE {}", conditions.with(condition))
        })
    }

    /// The newest rows of letters: these by their own index, which has the order of the list, and each one's row by its key.
    /// `OFFSET` keeps the planner from reading all rows of the span at once.
    fn of_letters<'a>(
        &'a self,
        conditions: &mut Conditions<'a>,
        span: &'a Span,
        after: Option<&'a Place>,
        limit: &str,
    ) -> String {
        conditions.and_constant("l.received_at = d.received_at AND l.id = d.id");
        if !self.statuses.is_empty() {
            let statuses = DeliveryStatus::sql_list(&self.statuses);
            conditions.and_constant(&format!("l.status IN {statuses}"));
        }
        let of_row = conditions.take();
        conditions.and_some("d.cause =", self.cause.as_ref());
        conditions.and_some("d.received_at >=", span.from.as_ref());
        conditions.and_some("d.received_at <", span.before.as_ref());
        conditions.and_after("(d.received_at, d.id)", after);
        format!(
            "SELECT {} FROM dead_letters d
                 CROSS JOIN LATERAL (SELECT * FROM webhook_logs l WHERE {of_row} OFFSET 0) AS l
             WHERE {} ORDER BY d.received_at DESC, d.id DESC LIMIT {limit}",
            DeliveryRecord::COLUMNS,
            conditions.with("")
        )
    }
}
