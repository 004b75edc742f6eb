//! A row of `delivery_attempts`.

use chrono::{DateTime, Utc};
use database::{Client, DatabaseError};
use uuid::Uuid;

use super::{DeliveryRecord, record};

record! {
    /// What a delivery went through before its end.
    AttemptRecord {
        delivery_id: Uuid = "a.delivery_id",
        received_at: DateTime<Utc> = "a.received_at",
        at: DateTime<Utc> = "a.at",
        attempt: i32 = "a.attempt",
        kind: String = "a.kind",
        cause: Option<String> = "a.cause",
        reason: Option<String> = "a.reason",
        next_at: Option<DateTime<Utc>> = "a.next_at",
        instance: Option<String> = "a.instance",
        operation_id: Option<Uuid> = "a.operation_id",
        by: Option<String> = "o.by",
    }
}

impl AttemptRecord {
    /// Those of some deliveries, in the order of time.
    ///
    /// # Errors
    ///
    /// Where Postgres cannot be asked.
    pub async fn of_deliveries(
        client: &Client,
        deliveries: &[DeliveryRecord],
    ) -> Result<Vec<Self>, DatabaseError> {
        let ids: Vec<Uuid> = deliveries.iter().map(|delivery| delivery.id).collect();
        let days: Vec<DateTime<Utc>> =
            deliveries.iter().map(|delivery| delivery.received_at).collect();
        let statement = format!(
            "SELECT {} FROM unnest($1::uuid[], $2::timestamptz[]) AS k(id, received_at)
             JOIN delivery_attempts a ON a.delivery_id = k.id AND a.received_at = k.received_at
             LEFT JOIN operations o ON o.id = a.operation_id
             ORDER BY a.at",
            Self::COLUMNS
        );
        let rows = client
            .query(&statement, &[&ids, &days])
            .await
            .map_err(DatabaseError::during("read what deliveries went through"))?;
        Ok(rows.iter().map(Self::from_row).collect())
    }
}
