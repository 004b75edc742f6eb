//! What became of the letters of an operation.

use std::collections::BTreeMap;

use database::{Client, DatabaseError};
use serde::Serialize;
use uuid::Uuid;

use crate::{dead_letters::LetterSelection, records::OperationRecord};

/// How the letters of an operation ended, each counted once.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
pub struct LetterEnds {
    /// A worker has finished them.
    pub resolved: i64,
    /// They failed again, or were opened again, and are open, by cause.
    pub open: BTreeMap<String, i64>,
    /// Somebody discarded them.
    pub discarded: i64,
    /// They have come to no end yet: they wait in the queue, or for their next attempt.
    pub replaying: i64,
}

impl LetterEnds {
    /// Those of the letters that no later operation took.
    ///
    /// # Errors
    ///
    /// Where Postgres cannot be asked.
    pub async fn of(client: &Client, operation: Uuid) -> Result<Self, DatabaseError> {
        let rows = client
            .query(
                "SELECT status, cause, count(*) AS number FROM dead_letters WHERE operation_id = $1
                 GROUP BY status, cause",
                &[&operation],
            )
            .await
            .map_err(DatabaseError::during("look what became of the dead letters"))?;
        let mut ends = Self::default();
        for row in &rows {
            let number: i64 = row.get("number");
            match row.get("status") {
                "resolved" => ends.resolved += number,
                "discarded" => ends.discarded += number,
                "open" => *ends.open.entry(row.get("cause")).or_default() += number,
                _ => ends.replaying += number,
            }
        }
        Ok(ends)
    }

    /// Whether none is on its way any more.
    pub fn are_all_known(&self) -> bool {
        self.replaying == 0
    }

    /// Whether nothing is left to do.
    pub fn are_good(&self) -> bool {
        self.replaying == 0 && self.open.is_empty()
    }
}

/// How many letters match the operation's filters and died after it was asked for: they are left for the next. Those that
/// it replayed and that failed again are not among them. None where letters were named.
///
/// # Errors
///
/// Where Postgres cannot be asked.
pub async fn died_since(
    client: &Client,
    operation: &OperationRecord,
) -> Result<Option<i64>, DatabaseError> {
    match LetterSelection::of(operation) {
        Ok(selection) => selection.count_later(client).await,
        Err(_) => Ok(None),
    }
}
