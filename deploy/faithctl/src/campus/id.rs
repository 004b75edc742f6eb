//! The campus that a command is about, by its id.

use clap::Args;
use database::Client;
use store::records::CampusRecord;
use uuid::Uuid;

/// The campus that a command is about.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct CampusId {
    /// Id of the campus, as `campus list` shows it
    #[arg(value_name = "ID")]
    pub(crate) id: Uuid,
}

/// The campus with this id, or an error that says what to do.
pub(crate) async fn load_campus(client: &Client, id: Uuid) -> anyhow::Result<CampusRecord> {
    match CampusRecord::find(client, id).await? {
        Some(campus) => Ok(campus),
        None => Err(unknown(client, id).await),
    }
}

/// What to answer where no synced campus has this id.
pub(super) async fn unknown(client: &Client, id: Uuid) -> anyhow::Error {
    match CampusRecord::name_of(client, id).await.ok().flatten() {
        Some(name) => anyhow::anyhow!(
            "campus {id} ({name}) is not synced yet: `faithctl campus add --id {id} …` sets it up"
        ),
        None => anyhow::anyhow!("no campus has the id {id}: `faithctl campus list` shows them"),
    }
}
