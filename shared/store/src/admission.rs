//! What is asked of Postgres before a batch of events is worked on: a number from the clock of
//! observations, what is done already, and how each campus is configured now.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use database::{Client, DatabaseError, Error, Statement, types::ToSql};
use event::Envelope;
use uuid::Uuid;

use crate::{CampusConfig, ConfigError, delivery_log::duplicate_sql, status::DeliveryStatus};

/// The state of a delivery before anything is done for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryState {
    /// Nothing is done yet.
    New,
    /// This very delivery came to its end before: the broker brought it again.
    Done,
    /// Another delivery of the same event did.
    Duplicate,
}

/// What a batch was told.
#[derive(Debug)]
pub struct Admission {
    /// Drawn before any read that this batch leads to.
    pub number: i64,
    /// For each delivery, in the order of asking.
    pub states: Vec<DeliveryState>,
    /// The campuses' configuration as it is now; one that is absent has no sync configured.
    pub campuses: HashMap<Uuid, Result<CampusConfig, ConfigError>>,
}

pub(crate) struct AdmissionStatements {
    pub(crate) draw: Statement,
    pub(crate) gone: Statement,
    states: Statement,
    campuses: Statement,
}

impl AdmissionStatements {
    pub(crate) async fn prepare(client: &Client) -> Result<Self, Error> {
        Ok(Self {
            draw: client.prepare("SELECT nextval('observation')").await?,
            gone: client.prepare(GONE).await?,
            states: client.prepare(&states_sql()).await?,
            campuses: client.prepare(CampusConfig::SELECT).await?,
        })
    }
}

const GONE: &str = "
    SELECT last_occurred_at, last_received_at FROM member_sync
    WHERE campus_id = $1 AND external_member_id = $2 AND gone";

/// `$7` and `$8` bound what was received: they spare Postgres the partitions of all other days.
fn states_sql() -> String {
    let present_version =
        "(SELECT c.synced_version FROM sync_configs c WHERE c.campus_id = k.campus_id)";
    let duplicate = duplicate_sql("k", present_version);
    let ended = DeliveryStatus::sql_list(&DeliveryStatus::FINAL);
    format!(
        "SELECT EXISTS (SELECT FROM webhook_logs l
                        WHERE l.received_at = k.received_at AND l.id = k.id AND l.status IN {ended}
                          AND l.received_at BETWEEN $7 AND $8) AS done,
                {duplicate} AS duplicate
         FROM unnest($1::timestamptz[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::text[])
              WITH ORDINALITY AS k(received_at, id, campus_id, event_id, event_type, member_id, place)
         ORDER BY k.place"
    )
}

/// Asks all three in one round trip.
pub(crate) async fn admit(
    client: &Client,
    statements: &AdmissionStatements,
    events: &[&Envelope],
) -> Result<Admission, DatabaseError> {
    let received_at: Vec<DateTime<Utc>> = events.iter().map(|event| event.received_at).collect();
    let ids: Vec<Uuid> = events.iter().map(|event| event.delivery_id).collect();
    let campus_ids: Vec<Uuid> = events.iter().map(|event| event.campus_id).collect();
    let event_ids: Vec<&str> = events.iter().map(|event| event.event_id.as_str()).collect();
    let event_types: Vec<&str> = events.iter().map(|event| event.event_type.as_str()).collect();
    let members: Vec<Option<&str>> =
        events.iter().map(|event| event.member_id.as_deref()).collect();
    let (first, last) = (received_at.iter().min(), received_at.iter().max());
    let states: [&(dyn ToSql + Sync); 8] =
        [&received_at, &ids, &campus_ids, &event_ids, &event_types, &members, &first, &last];
    let campus_parameters: [&(dyn ToSql + Sync); 1] = [&campus_ids];

    let (number, states, campuses) = futures_util::future::try_join3(
        client.query_one(&statements.draw, &[]),
        client.query(&statements.states, &states),
        client.query(&statements.campuses, &campus_parameters),
    )
    .await
    .map_err(DatabaseError::during("admit a batch of events"))?;

    let states = states
        .iter()
        .map(|row| match (row.get("done"), row.get("duplicate")) {
            (true, _) => DeliveryState::Done,
            (false, true) => DeliveryState::Duplicate,
            (false, false) => DeliveryState::New,
        })
        .collect();
    let campuses =
        campuses.iter().map(|row| (row.get("campus_id"), CampusConfig::from_row(row))).collect();
    Ok(Admission { number: number.get(0), states, campuses })
}
