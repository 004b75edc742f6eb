//! A row of `webhook_logs`.

use chrono::{DateTime, TimeDelta, Utc};
use database::{Client, DatabaseError, types::ToSql};
use serde_json::Value;
use uuid::Uuid;

use super::record;

record! {
    /// A delivery, with all that its log row says.
    DeliveryRecord {
        id: Uuid = "l.id",
        campus_id: Uuid = "l.campus_id",
        event_id: String = "l.event_id",
        event_type: String = "l.event_type",
        member_id: Option<String> = "l.member_id",
        payload: Value = "l.payload",
        signature_valid: bool = "l.signature_valid",
        received_at: DateTime<Utc> = "l.received_at",
        status: String = "l.status",
        message: Option<String> = "l.message",
        error: Option<String> = "l.error",
        attempts: i32 = "l.attempts",
        processed_at: Option<DateTime<Utc>> = "l.processed_at",
        trace_id: Option<String> = "l.trace_id",
    }
}

impl DeliveryRecord {
    /// Every delivery of an event, the newest first, by the event's id, which has an index; else the one with the
    /// delivery's id, or those of a trace, which have none: a delivery's id tells when it was made, and is looked for around
    /// that; a trace's, and an id that tells nothing, within the last day. `since` looks from then on instead.
    ///
    /// # Errors
    ///
    /// Where Postgres cannot be asked.
    pub async fn find(
        client: &Client,
        id: &str,
        since: Option<DateTime<Utc>>,
    ) -> Result<Vec<Self>, DatabaseError> {
        let of_event = Self::read(client, "event_id = $1", &[&id]).await?;
        if !of_event.is_empty() {
            return Ok(of_event);
        }
        let Ok(delivery) = Uuid::try_parse(id) else {
            return Ok(Vec::new());
        };
        let (first, last) = delivery_days(&delivery, since, Utc::now());
        let within = "received_at BETWEEN $2 AND $3";
        let found =
            Self::read(client, &format!("id = $1 AND {within}"), &[&delivery, &first, &last])
                .await?;
        // A trace's id is a UUID without its dashes.
        let trace = delivery.simple().to_string();
        if !found.is_empty() || trace != id {
            return Ok(found);
        }
        let since = since.unwrap_or_else(|| Utc::now() - TRACE_LOOK_BACK);
        Self::read(client, "trace_id = $1 AND received_at >= $2", &[&trace, &since]).await
    }

    async fn read(
        client: &Client,
        condition: &str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Self>, DatabaseError> {
        let statement = select(&format!("WHERE {condition} ORDER BY received_at DESC, id DESC"));
        let rows = client
            .query(&statement, parameters)
            .await
            .map_err(DatabaseError::during("read the deliveries"))?;
        Ok(rows.iter().map(Self::from_row).collect())
    }
}

/// How far back an id is looked for that says nothing of its time.
const TRACE_LOOK_BACK: TimeDelta = TimeDelta::hours(24);

/// How far the clock of whoever made a delivery's id may be from that of its receipt.
pub(super) const CLOCKS_APART: TimeDelta = TimeDelta::minutes(10);

/// When a delivery with this id can have been received.
fn delivery_days(
    delivery: &Uuid,
    since: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> (DateTime<Utc>, DateTime<Utc>) {
    match (since, made_at(delivery)) {
        (Some(since), _) => (since, now + CLOCKS_APART),
        (None, Some(made)) => (made - CLOCKS_APART, made + CLOCKS_APART),
        (None, None) => (now - TRACE_LOOK_BACK, now + CLOCKS_APART),
    }
}

/// When a delivery's id was made, where it tells.
pub(super) fn made_at(delivery: &Uuid) -> Option<DateTime<Utc>> {
    let (seconds, nanoseconds) = delivery.get_timestamp()?.to_unix();
    DateTime::from_timestamp(i64::try_from(seconds).ok()?, nanoseconds)
}

fn select(rest: &str) -> String {
    format!("SELECT {} FROM webhook_logs l {rest}", DeliveryRecord::COLUMNS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delivery_is_looked_for_around_the_time_that_its_id_tells() {
        let now = Utc::now();
        let minutes = |delivery: &Uuid, since| {
            let (first, last) = delivery_days(delivery, since, now);
            ((first - now).num_minutes(), (last - now).num_minutes())
        };
        let (told, tells_nothing) = (Uuid::now_v7(), Uuid::from_u128(1));
        let (first, last) = minutes(&told, None);
        assert!((-11..=-9).contains(&first) && (9..=11).contains(&last), "{first} {last}");
        assert_eq!(minutes(&tells_nothing, None), (-24 * 60, 10));
        let week = Some(now - TimeDelta::days(7));
        assert_eq!(minutes(&told, week), (-7 * 24 * 60, 10));
    }
}
