//! Whether members of the core are here, and archived.

use database::{Client, DatabaseError};
use uuid::Uuid;

use super::record;

record! {
    /// A member of the core that is here.
    MemberRecord {
        external_member_id: String = "external_member_id",
        is_archived: bool = "is_archived",
        archived_reason: Option<String> = "archived_reason",
    }
}

impl MemberRecord {
    /// Those of `ids`, the core's, that a campus has.
    ///
    /// # Errors
    ///
    /// Where Postgres cannot be asked.
    pub async fn load(
        client: &Client,
        campus: Uuid,
        ids: &[&str],
    ) -> Result<Vec<Self>, DatabaseError> {
        let columns = Self::COLUMNS;
        let statement = format!(
            "SELECT {columns} FROM members WHERE campus_id = $1 AND external_member_id = ANY($2)"
        );
        let rows = client
            .query(&statement, &[&campus, &ids])
            .await
            .map_err(DatabaseError::during("look for the members"))?;
        Ok(rows.iter().map(Self::from_row).collect())
    }
}
