//! Members that the core is known to have shown.

use database::{DatabaseError, Pool, answered};
use uuid::Uuid;

/// A member of the campus that was readable when it was last synced, and is none of `suspects`.
pub async fn known_member(
    pool: &Pool,
    campus: Uuid,
    suspects: &[String],
) -> Result<Option<String>, DatabaseError> {
    answered(Box::pin(async {
        let client = pool.get().await?;
        let row = client
            .query_opt(
                "SELECT external_member_id FROM members
                 WHERE campus_id = $1 AND external_member_id <> ALL ($2) AND NOT is_archived
                 ORDER BY external_member_id LIMIT 1",
                &[&campus, &suspects],
            )
            .await
            .map_err(DatabaseError::during("look for a member that was readable"))?;
        Ok(row.map(|row| row.get(0)))
    }))
    .await
}
