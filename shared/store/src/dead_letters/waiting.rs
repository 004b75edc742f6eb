//! How many letters wait for somebody.

use database::{Client, DatabaseError};

/// Letters of one cause that are not at their end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Why they died.
    pub cause: String,
    /// `open` or `replaying`.
    pub status: String,
    /// How many.
    pub letters: i64,
}

/// Counts the letters that are `open` or `replaying`, by cause; causes without any are left out.
pub async fn waiting(client: &Client) -> Result<Vec<Waiting>, DatabaseError> {
    let rows = client
        .query(
            "SELECT cause, status, count(*) AS letters FROM dead_letters
             WHERE status IN ('open', 'replaying') GROUP BY cause, status",
            &[],
        )
        .await
        .map_err(DatabaseError::during("count the dead letters"))?;
    let waiting = |row: &database::Row| Waiting {
        cause: row.get("cause"),
        status: row.get("status"),
        letters: row.get("letters"),
    };
    Ok(rows.iter().map(waiting).collect())
}
