//! The campus of a run, as it is configured when the run begins.

use database::{Client, DatabaseError};
use store::CampusConfig;
use uuid::Uuid;

use crate::error::RunError;

/// A campus to be reconciled.
#[derive(Debug, Clone)]
pub(crate) struct Campus {
    pub(crate) id: Uuid,
    pub(crate) name: String,
    /// Percent of the active members that may be archived in a day.
    pub(crate) archive_limit: u32,
    pub(crate) config: CampusConfig,
}

impl Campus {
    /// Reads the campus's configuration.
    pub(crate) async fn load(client: &Client, id: Uuid) -> Result<Self, RunError> {
        let row = client
            .query_opt(
                "SELECT c.name, s.archive_limit
                 FROM sync_configs s JOIN campuses c ON c.id = s.campus_id WHERE c.id = $1",
                &[&id],
            )
            .await
            .map_err(DatabaseError::during("read the campus"))?
            .ok_or(RunError::UnknownCampus(id))?;
        let config = CampusConfig::load(client, id).await?.ok_or(RunError::UnknownCampus(id))??;
        Ok(Self {
            id,
            name: row.get(0),
            archive_limit: u32::try_from(row.get::<_, i32>(1)).unwrap_or(0),
            config,
        })
    }
}
